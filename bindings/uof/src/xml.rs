//! A document's elements one by one, with the place of each, and nothing else that XML can hold.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};
use quick_xml::events::attributes::{AttrError, Attribute};
use quick_xml::events::{BytesStart, Event};

use crate::error::{Error, Reason, quoted, shown};

/// How deep elements may be nested: messages have four levels, descriptions seven.
pub const DEPTH_MAX: usize = 32;

/// Attributes that an element may have: the most that the schema knows is 38, in an event's state.
/// Each is compared with all before it, so there must be a bound.
pub const ATTRIBUTES_MAX: usize = 64;

/// Where something is: the document, and what is being read.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) message: &'static str,
}

impl Place<'_> {
    pub(crate) fn error(
        self,
        byte: usize,
        element: &'static str,
        attribute: &'static str,
        reason: Reason,
    ) -> Error {
        let before = self.bytes.get(..byte).unwrap_or(self.bytes);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Error { message: self.message, element, attribute, byte, line, reason }
    }
}

/// White space of XML.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// A document that is being read.
pub(crate) struct Document<'a> {
    pub(crate) place: Place<'a>,
    /// Bytes in front of what the reader sees: a byte order mark.
    front: usize,
    reader: Reader<&'a [u8]>,
    depth: usize,
}

/// The beginning of an element.
pub(crate) struct Tag<'a> {
    start: BytesStart<'a>,
    byte: usize,
}

impl Tag<'_> {
    pub(crate) fn name(&self) -> &str {
        self.start.name().0
    }
}

/// What comes next.
enum Node<'a> {
    Open(Tag<'a>),
    Close,
    End,
}

impl<'a> Document<'a> {
    /// The document of a text; `front` bytes of the whole stand before it.
    pub(crate) fn new(bytes: &'a [u8], text: &'a str) -> Document<'a> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        let place = Place { bytes, message: "" };
        Document { place, front: bytes.len() - text.len(), reader, depth: 0 }
    }

    fn byte(&self, reader: u64) -> usize {
        // The reader reads from memory, so its position fits.
        self.front + usize::try_from(reader).unwrap_or(usize::MAX - self.front)
    }

    fn error(&self, byte: usize, reason: Reason) -> Error {
        self.place.error(byte, "", "", reason)
    }

    /// The next beginning or end of an element. Comments and processing instructions are passed
    /// over; so is text where `text` says that it may stand.
    fn next(&mut self, text: bool) -> Result<Node<'a>, Error> {
        loop {
            let byte = self.byte(self.reader.buffer_position());
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.grammar(&error)),
            };
            match event {
                Event::Start(start) => {
                    if start.name().0.is_empty() {
                        let what = "an element has no name".to_owned();
                        return Err(self.error(byte, Reason::NotXml { what }));
                    }
                    self.depth += 1;
                    if DEPTH_MAX < self.depth {
                        let reason = Reason::TooDeep { depth_max: DEPTH_MAX };
                        return Err(self.error(byte, reason));
                    }
                    return Ok(Node::Open(Tag { start, byte }));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Node::Close);
                }
                Event::Eof if self.depth == 0 => return Ok(Node::End),
                Event::Eof => return Err(self.error(byte, Reason::Cut)),
                Event::Text(found) if text || found.chars().all(is_space) => (),
                Event::CData(_) | Event::GeneralRef(_) if text => (),
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(self.error(byte, Reason::Text));
                }
                Event::Comment(_) | Event::PI(_) => (),
                Event::Decl(decl) if byte == self.front => {
                    let encoding = match (decl.xml_version(), decl.encoding()) {
                        (Err(error), _) => return Err(self.grammar(&error)),
                        (_, Some(Err(error))) => {
                            return Err(self.grammar(&XmlError::InvalidAttr(error)));
                        }
                        (Ok(_), Some(Ok(encoding))) => encoding,
                        (Ok(_), None) => continue,
                    };
                    if !["utf-8", "utf8", "us-ascii"]
                        .iter()
                        .any(|name| encoding.eq_ignore_ascii_case(name))
                    {
                        let declared = quoted(&encoding);
                        return Err(self.error(byte, Reason::Encoding { declared }));
                    }
                }
                Event::DocType(_) => return Err(self.error(byte, Reason::Doctype)),
                Event::Decl(_) | Event::Empty(_) => {
                    let what = "a declaration stands behind the beginning".to_owned();
                    return Err(self.error(byte, Reason::NotXml { what }));
                }
            }
        }
    }

    /// What the grammar has against the document.
    fn grammar(&self, error: &XmlError) -> Error {
        let byte = self.byte(self.reader.error_position());
        let reason = match error {
            XmlError::Syntax(SyntaxError::InvalidBangMarkup) => {
                Reason::NotXml { what: "`<!` begins nothing that is known".to_owned() }
            }
            // All others say that something was not closed before the end.
            XmlError::Syntax(_) | XmlError::IllFormed(IllFormedError::MissingEndTag(_)) => {
                Reason::Cut
            }
            XmlError::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
                let what = format!("</{}> stands for </{}>", shown(found), shown(expected));
                Reason::NotXml { what }
            }
            other => Reason::NotXml { what: shown(&other.to_string()) },
        };
        self.error(byte, reason)
    }

    /// The outermost element; `None` where there is none.
    pub(crate) fn root(&mut self) -> Result<Option<Tag<'a>>, Error> {
        match self.next(false)? {
            Node::Open(tag) => Ok(Some(tag)),
            Node::Close | Node::End => Ok(None),
        }
    }

    /// The next element within the one that is open; `None` where that one ends.
    pub(crate) fn child(&mut self) -> Result<Option<Tag<'a>>, Error> {
        match self.next(false)? {
            Node::Open(tag) => Ok(Some(tag)),
            Node::Close | Node::End => Ok(None),
        }
    }

    /// Passes over everything within the element that is open, and over its end.
    pub(crate) fn pass_over(&mut self) -> Result<(), Error> {
        let outside = self.depth.saturating_sub(1);
        while outside < self.depth {
            self.next(true)?;
        }
        Ok(())
    }

    /// Makes sure that nothing follows behind the outermost element.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let byte = self.byte(self.reader.buffer_position());
        match self.next(false) {
            Ok(Node::End) => Ok(()),
            Ok(Node::Open(tag)) => Err(self.error(tag.byte, Reason::AfterEnd)),
            Ok(Node::Close) => Err(self.error(byte, Reason::AfterEnd)),
            Err(error) if error.reason == Reason::Text => {
                Err(Error { reason: Reason::AfterEnd, ..error })
            }
            Err(error) => Err(error),
        }
    }

    /// Says what is wrong with an element, whose own name may be unknown, in the one around it.
    pub(crate) fn refuse(&self, tag: &Tag<'_>, parent: &'static str, reason: Reason) -> Error {
        self.place.error(tag.byte, parent, "", reason)
    }
}

/// The attributes of an element that is known.
pub(crate) struct Attributes<'t> {
    place: Place<'t>,
    element: &'static str,
    byte: usize,
    found: Vec<Attribute<'t>>,
}

impl<'t> Attributes<'t> {
    /// The attributes of the tag, each once; their values are looked at only when asked for.
    pub(crate) fn of(
        place: Place<'t>,
        tag: &'t Tag<'_>,
        element: &'static str,
    ) -> Result<Attributes<'t>, Error> {
        let mut attributes = Attributes { place, element, byte: tag.byte, found: Vec::new() };
        for attribute in tag.start.attributes() {
            let attribute = attribute.map_err(|error| attributes.grammar(tag, &error))?;
            if attributes.found.len() == ATTRIBUTES_MAX {
                let what = "attributes in one element";
                return Err(attributes.error("", Reason::TooMany { what, bound: ATTRIBUTES_MAX }));
            }
            attributes.found.push(attribute);
        }
        Ok(attributes)
    }

    fn grammar(&self, tag: &Tag<'_>, error: &AttrError) -> Error {
        let at = match *error {
            AttrError::ExpectedEq(at)
            | AttrError::ExpectedValue(at)
            | AttrError::UnquotedValue(at)
            | AttrError::ExpectedQuote(at, _)
            | AttrError::Duplicated(at, _) => at,
        };
        let reason = match *error {
            AttrError::Duplicated(at, _) => {
                let text = tag.start.get(at..).unwrap_or_default();
                let end = text.find(|c| is_space(c) || c == '=').unwrap_or(text.len());
                Reason::AttributeTwice { name: shown(&text[..end]) }
            }
            AttrError::ExpectedEq(_) => {
                Reason::NotXml { what: "an attribute has no `=`".to_owned() }
            }
            AttrError::ExpectedValue(_)
            | AttrError::UnquotedValue(_)
            | AttrError::ExpectedQuote(..) => {
                Reason::NotXml { what: "an attribute's value is not in quotes".to_owned() }
            }
        };
        // The position counts from behind the `<`.
        self.place.error(self.byte + 1 + at, self.element, "", reason)
    }

    /// Says what is wrong with an attribute; with none, with the element.
    pub(crate) fn error(&self, attribute: &'static str, reason: Reason) -> Error {
        self.place.error(self.byte, self.element, attribute, reason)
    }

    /// Says that an attribute cannot be understood.
    pub(crate) fn wrong(&self, name: &'static str, found: &str, allowed: &'static str) -> Error {
        self.error(name, Reason::Value { found: quoted(found), allowed })
    }

    /// An attribute's text, `None` where it is missing.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, Error> {
        let Some(attribute) = self.found.iter().find(|attribute| attribute.key.0 == name) else {
            return Ok(None);
        };
        // Resolves XML's five entities and characters by number, nothing else.
        attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map(Some)
            .map_err(|error| self.error(name, Reason::Entity { what: shown(&error.to_string()) }))
    }

    /// What `read` makes of an attribute, `None` where it is missing; where `read` makes nothing of
    /// it, the error says what is `allowed`.
    pub(crate) fn read<T>(
        &self,
        name: &'static str,
        allowed: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        read(&text).map(Some).ok_or_else(|| self.wrong(name, &text, allowed))
    }

    /// The value of an attribute that must be there.
    pub(crate) fn required<T>(&self, name: &'static str, value: Option<T>) -> Result<T, Error> {
        value.ok_or_else(|| self.error(name, Reason::Missing))
    }
}
