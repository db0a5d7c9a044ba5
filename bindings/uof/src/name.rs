//! What events, markets and outcomes are called: by the feed, and in a book.

use std::fmt;

use siphasher::sip::SipHasher24;

/// Bytes that a name in a book may have: the core's names have 64.
pub const NAME_BYTES_MAX: usize = 64;

/// Bytes that an id or a market's specifiers may have; the longest seen is about 60.
pub const TEXT_BYTES_MAX: usize = 256;

/// Specifiers that a market may have; the most seen is 3.
pub const SPECIFIERS_MAX: usize = 16;

/// Why a text is not an id or a list of specifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There is no text.
    Empty,
    /// It has more than [`TEXT_BYTES_MAX`] bytes.
    TooLong,
    /// It has a character that no such text has: a control character, or in an event's id a slash
    /// or a space.
    Character,
    /// A specifier is not written `key=value`.
    NotASpecifier,
    /// Two specifiers have the same key.
    KeyTwice,
    /// There are more than [`SPECIFIERS_MAX`] of them.
    TooMany,
}

impl NameError {
    /// What the text may be, to follow upon "is not".
    pub(crate) const fn allowed(self) -> &'static str {
        match self {
            NameError::Empty => "a name, there is no text",
            NameError::TooLong => "short enough for a name of at most 256 bytes",
            NameError::Character => {
                "a name: control characters, and in an event's id spaces and slashes, are refused"
            }
            NameError::NotASpecifier => "a list of specifiers like `setnr=1|total=9.5`",
            NameError::KeyTwice => "a list of specifiers, each key once",
            NameError::TooMany => "a list of at most 16 specifiers",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text is not {}", self.allowed())
    }
}

impl std::error::Error for NameError {}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if TEXT_BYTES_MAX < text.len() {
        return Err(NameError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::Character);
    }
    Ok(())
}

/// The feed's name of an event, such as `sr:match:16807109`. It has no slash: a market's name has
/// one behind the event.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(String);

impl EventId {
    /// The event of that id.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, or has a control character, a space or a slash.
    pub fn new(text: &str) -> Result<EventId, NameError> {
        check(text)?;
        if text.chars().any(|c| c == '/' || c.is_whitespace()) {
            return Err(NameError::Character);
        }
        Ok(EventId(text.to_owned()))
    }

    /// The id as the feed writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a book calls the event: the id, or its beginning and a hash where it is long, as in
    /// [`MarketKey::name`].
    pub fn name(&self) -> String {
        bounded(&self.0)
    }
}

/// The feed's name of an outcome within its market, such as `12` or `sr:player:10077`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutcomeId(String);

impl OutcomeId {
    /// The outcome of that id.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, or has a control character.
    pub fn new(text: &str) -> Result<OutcomeId, NameError> {
        check(text)?;
        Ok(OutcomeId(text.to_owned()))
    }

    /// The id as the feed writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a book calls the outcome: the id, or its beginning and a hash where it is long, as in
    /// [`MarketKey::name`].
    pub fn name(&self) -> String {
        bounded(&self.0)
    }
}

/// The feed's number of a kind of market: 1 is 1x2, 18 is total. Not negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketId(pub u32);

/// What tells markets of one kind and event apart: `setnr=1|total=9.5`.
///
/// Their order in the feed says nothing; here they stand in the order of their keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Specifiers(String);

impl Specifiers {
    /// The specifiers of a text `key=value|key=value`, in any order; an empty text is none.
    ///
    /// # Errors
    /// [`NameError`] when one has no key or no `=`, a key comes twice, there are too many or too
    /// long ones, or a control character is among them.
    ///
    /// ```
    /// use betring_uof::Specifiers;
    ///
    /// let specifiers = Specifiers::new("total=9.5|setnr=1").unwrap();
    /// assert_eq!(specifiers.as_str(), "setnr=1|total=9.5");
    /// assert_eq!(specifiers.get("total"), Some("9.5"));
    /// ```
    pub fn new(text: &str) -> Result<Specifiers, NameError> {
        if text.is_empty() {
            return Ok(Specifiers::default());
        }
        check(text)?;
        let mut pairs = Vec::new();
        for pair in text.split('|') {
            match pair.split_once('=') {
                Some((key, value)) if !key.is_empty() => pairs.push((key, value)),
                _ => return Err(NameError::NotASpecifier),
            }
        }
        if SPECIFIERS_MAX < pairs.len() {
            return Err(NameError::TooMany);
        }
        pairs.sort_unstable();
        if pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(NameError::KeyTwice);
        }
        let texts: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Ok(Specifiers(texts.join("|")))
    }

    /// All of them, in the order of their keys: `setnr=1|total=9.5`; empty where there are none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split('|').filter_map(|pair| pair.split_once('='))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A market within its event.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// The kind of market.
    pub market: MarketId,
    /// Which of that kind.
    pub specifiers: Specifiers,
}

impl Line {
    /// The market of that event.
    pub fn of(&self, event: &EventId) -> MarketKey {
        MarketKey { event: event.clone(), market: self.market, specifiers: self.specifiers.clone() }
    }
}

/// A market among all markets: the feed's three names for it together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketKey {
    /// The event.
    pub event: EventId,
    /// The kind of market.
    pub market: MarketId,
    /// Which of that kind.
    pub specifiers: Specifiers,
}

impl MarketKey {
    /// What a book calls the market: 1 to [`NAME_BYTES_MAX`] bytes without a control character.
    ///
    /// It is the whole key where that has at most 63 bytes: `sr:match:1/204/setnr=1|total=9.5`.
    /// Where it is longer, the name is its beginning, `~`, and 64 bits of a hash (SipHash-2-4) over
    /// all of it in hexadecimal digits, and has exactly 64 bytes. So a name that was cut never
    /// equals one that was not, and two keys have one name only where their hashes meet.
    pub fn name(&self) -> String {
        bounded(&self.to_string())
    }
}

/// The hash's keys. They are part of every name in every journal: never change them.
const HASH_KEYS: (u64, u64) = (0x6265_7472_696e_6700, 0x756f_666e_616d_6500);

/// `text` where it has fewer bytes than a name may have, else its beginning and its hash.
fn bounded(text: &str) -> String {
    if text.len() < NAME_BYTES_MAX {
        return text.to_owned();
    }
    let hash = SipHasher24::new_with_keys(HASH_KEYS.0, HASH_KEYS.1).hash(text.as_bytes());
    let room = NAME_BYTES_MAX - 17;
    let mut name = text[..text.floor_char_boundary(room)].to_owned();
    // A character of several bytes may not fit whole; the name has its full length all the same.
    while name.len() <= room {
        name.push('~');
    }
    name.push_str(&format!("{hash:016x}"));
    name
}

impl fmt::Display for Line {
    /// `204/setnr=1|total=9.5`, or `193` without specifiers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.market.0)?;
        if self.specifiers.is_empty() { Ok(()) } else { write!(f, "/{}", self.specifiers.0) }
    }
}

impl fmt::Display for MarketKey {
    /// The whole key: `sr:match:1/204/setnr=1|total=9.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.event.0, self.market.0)?;
        if self.specifiers.is_empty() { Ok(()) } else { write!(f, "/{}", self.specifiers.0) }
    }
}

macro_rules! displayed {
    ($($type:ident),*) => {
        $(
            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}", self.0)
                }
            }
        )*
    };
}
displayed!(EventId, OutcomeId, MarketId, Specifiers);

macro_rules! debug_as_displayed {
    ($($type:ident),*) => {
        $(
            impl fmt::Debug for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!(stringify!($type), "({})"), self)
                }
            }
        )*
    };
}
debug_as_displayed!(EventId, OutcomeId, MarketId, Specifiers, Line, MarketKey);
