//! What can be wrong with a message, and what to do about it.

use std::fmt;

/// Why a message was not read. Nothing of it was: a message is read whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind of message, such as `odds_change`; empty where the document did not get that far.
    pub message: &'static str,
    /// The element, without its brackets; empty where it concerns the document.
    pub element: &'static str,
    /// The attribute; empty where it concerns the whole element.
    pub attribute: &'static str,
    /// Bytes of the document before the place where it was noticed.
    pub byte: usize,
    /// The line of that place, the first is 1.
    pub line: usize,
    /// What is wrong.
    pub reason: Reason,
}

impl Error {
    /// What is wrong, as one of a closed list: for counting, by feed and kind.
    pub const fn kind(&self) -> ErrorKind {
        self.reason.kind()
    }
}

/// What can be wrong with a message, as far as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ErrorKind {
    /// No XML in UTF-8, or more than one document, or one with a document type.
    NotXml = 1,
    /// It was cut off, or is empty.
    Cut = 2,
    /// It passes a bound.
    TooLarge = 3,
    /// Its outermost element is none that is known: the feed may have a new kind of message.
    UnknownMessage = 4,
    /// Elements stand where they do not belong, or come twice.
    Shape = 5,
    /// An attribute, or every market, is missing.
    Missing = 6,
    /// An attribute has a value that cannot be understood.
    Value = 7,
    /// It contradicts itself: a market or an outcome comes twice, a window ends before it starts.
    Contradiction = 8,
    /// It was read and asks for what the book does not have, or not so: a market, a feed, outcomes.
    Book = 9,
    /// It was made at a moment that cannot be.
    Moment = 10,
}

impl ErrorKind {
    /// Every one.
    pub const ALL: &'static [ErrorKind] = &[
        ErrorKind::NotXml,
        ErrorKind::Cut,
        ErrorKind::TooLarge,
        ErrorKind::UnknownMessage,
        ErrorKind::Shape,
        ErrorKind::Missing,
        ErrorKind::Value,
        ErrorKind::Contradiction,
        ErrorKind::Book,
        ErrorKind::Moment,
    ];

    /// The name that counters have: lower case, with underscores.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorKind::NotXml => "not_xml",
            ErrorKind::Cut => "cut",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::UnknownMessage => "unknown_message",
            ErrorKind::Shape => "shape",
            ErrorKind::Missing => "missing",
            ErrorKind::Value => "value",
            ErrorKind::Contradiction => "contradiction",
            ErrorKind::Book => "book",
            ErrorKind::Moment => "moment",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = if self.message.is_empty() { "document" } else { self.message };
        write!(f, "{message}, line {}, byte {}", self.line, self.byte)?;
        if !self.element.is_empty() {
            write!(f, ", <{}>", self.element)?;
        }
        if !self.attribute.is_empty() {
            write!(f, " {}", self.attribute)?;
        }
        write!(f, ": {}; {}", self.reason, self.reason.advice())
    }
}

impl std::error::Error for Error {}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no element in it.
    Empty,
    /// It is longer than any message may be.
    TooLong {
        /// The bound.
        bytes_max: usize,
    },
    /// The bytes are not UTF-8.
    NotUtf8,
    /// It declares another encoding than UTF-8.
    Encoding {
        /// What it declares.
        declared: String,
    },
    /// It does not follow XML's grammar.
    NotXml {
        /// What the grammar would have wanted.
        what: String,
    },
    /// It ends inside an element.
    Cut,
    /// It brings a document type, in which entities could be defined that grow without bound.
    Doctype,
    /// Its outermost element is none that is known.
    UnknownMessage {
        /// The element's name.
        root: String,
    },
    /// A known element stands where it does not belong.
    Misplaced {
        /// The element's name.
        found: String,
    },
    /// An element comes twice where it may come once.
    ElementTwice {
        /// The element's name.
        found: &'static str,
    },
    /// Text stands where only elements belong.
    Text,
    /// Something follows behind the message's end.
    AfterEnd,
    /// Elements are nested deeper than in any message.
    TooDeep {
        /// The bound.
        depth_max: usize,
    },
    /// There are more of them than there is room for.
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The bound.
        bound: usize,
    },
    /// The attribute comes twice in one element.
    AttributeTwice {
        /// The attribute's name.
        name: String,
    },
    /// The attribute must be there and is not.
    Missing,
    /// The message names no market.
    NoMarkets,
    /// The attribute refers to an entity that is not one of XML's own.
    Entity {
        /// What the grammar would have wanted.
        what: String,
    },
    /// The attribute has a value that cannot be understood.
    Value {
        /// What it says.
        found: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// One market is named twice.
    MarketTwice {
        /// The market's id and specifiers.
        market: String,
    },
    /// One outcome is named twice in a market.
    OutcomeTwice {
        /// The outcome's id.
        outcome: String,
    },
    /// The window ends before it starts.
    Window,
}

const NOT_APPLIED: &str =
    "nothing of the message is applied: suspend its markets and ask the producer for a recovery";

impl Reason {
    /// The kind that it is counted as.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Reason::NotUtf8
            | Reason::Encoding { .. }
            | Reason::NotXml { .. }
            | Reason::Doctype
            | Reason::AfterEnd
            | Reason::Entity { .. } => ErrorKind::NotXml,
            Reason::Empty | Reason::Cut => ErrorKind::Cut,
            Reason::TooLong { .. } | Reason::TooDeep { .. } | Reason::TooMany { .. } => {
                ErrorKind::TooLarge
            }
            Reason::UnknownMessage { .. } => ErrorKind::UnknownMessage,
            Reason::Misplaced { .. }
            | Reason::ElementTwice { .. }
            | Reason::Text
            | Reason::AttributeTwice { .. } => ErrorKind::Shape,
            Reason::Missing | Reason::NoMarkets => ErrorKind::Missing,
            Reason::Value { .. } => ErrorKind::Value,
            Reason::MarketTwice { .. } | Reason::OutcomeTwice { .. } | Reason::Window => {
                ErrorKind::Contradiction
            }
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Reason::Empty | Reason::Cut | Reason::AfterEnd => {
                "hand over one whole message at a time; if it came like this, ask the producer for a recovery"
            }
            Reason::TooLong { .. } | Reason::TooMany { .. } | Reason::TooDeep { .. } => {
                "nothing of it is applied: suspend the producer's markets and ask for a recovery event by event"
            }
            Reason::NotUtf8 | Reason::Encoding { .. } => "convert it to UTF-8 before it is read",
            Reason::Doctype => "no feed message has one: find out who sent it",
            Reason::UnknownMessage { .. } => {
                "it is left out; if the feed has a new kind of message, this reader must learn it"
            }
            Reason::NotXml { .. }
            | Reason::Misplaced { .. }
            | Reason::ElementTwice { .. }
            | Reason::Text
            | Reason::AttributeTwice { .. }
            | Reason::Missing
            | Reason::NoMarkets
            | Reason::Entity { .. }
            | Reason::Value { .. }
            | Reason::MarketTwice { .. }
            | Reason::OutcomeTwice { .. }
            | Reason::Window => NOT_APPLIED,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Empty => f.write_str("there is no element in it"),
            Reason::TooLong { bytes_max } => write!(f, "it is longer than {bytes_max} bytes"),
            Reason::NotUtf8 => f.write_str("the byte here does not belong to UTF-8"),
            Reason::Encoding { declared } => {
                write!(f, "it is declared as {declared}, and only UTF-8 is read")
            }
            Reason::NotXml { what } => write!(f, "not XML: {what}"),
            Reason::Cut => f.write_str("it was cut: it ends inside an element"),
            Reason::Doctype => f.write_str("it brings a document type (DTD), which is refused"),
            Reason::UnknownMessage { root } => write!(f, "<{root}> is no message that is known"),
            Reason::Misplaced { found } => write!(f, "<{found}> does not belong here"),
            Reason::ElementTwice { found } => write!(f, "<{found}> comes twice"),
            Reason::Text => f.write_str("text stands where only elements belong"),
            Reason::AfterEnd => f.write_str("something follows behind the message's end"),
            Reason::TooDeep { depth_max } => {
                write!(f, "elements are nested more than {depth_max} deep")
            }
            Reason::TooMany { what, bound } => write!(f, "more than {bound} {what}"),
            Reason::AttributeTwice { name } => write!(f, "the attribute {name} comes twice"),
            Reason::Missing => f.write_str("the attribute is missing"),
            Reason::NoMarkets => f.write_str("it names no market"),
            Reason::Entity { what } => write!(f, "the text cannot be resolved: {what}"),
            Reason::Value { found, allowed } => write!(f, "{found} is not {allowed}"),
            Reason::MarketTwice { market } => write!(f, "market {market} is named twice"),
            Reason::OutcomeTwice { outcome } => write!(f, "outcome {outcome} is named twice"),
            Reason::Window => f.write_str("the window ends before it starts"),
        }
    }
}

/// Bytes of somebody else's text that an error repeats.
const SHOWN_BYTES_MAX: usize = 80;

/// `text` as an error repeats it: one line, without control characters, cut when long.
pub(crate) fn shown(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    let (front, rest) = text.split_at(end);
    let mut shown: String =
        front.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    if !rest.is_empty() {
        shown.push_str("...");
    }
    shown
}

/// `text` in backquotes, as an error repeats a value.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}
