//! What things are called: handles, sequences and keys, each a number that knows what it counts.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($int:ty), $letter:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            FromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name(pub $int);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

number!(
    /// The place of a command in the one total order of a journal; the first is 1, 0 is "none".
    Seq(u64), "#"
);
impl Seq {
    /// The sequence after this one.
    pub const fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

number!(
    /// One run of the engine over a journal; the first is 1.
    Epoch(u32), "e"
);
number!(
    /// A client's number for one attempt, echoed in its reply.
    Token(u64), "t"
);
number!(
    /// The client connection a reply goes back to.
    ClientId(u16), "c"
);
number!(
    /// Who gives control commands: a person, a feed adapter, a governor. Registered by name.
    ActorId(u64), "actor:"
);
number!(
    /// A source of prices. 0 is [`FeedId::MANUAL`]: prices set by a person.
    FeedId(u16), "F"
);
impl FeedId {
    /// Prices set by a person: no heartbeats, never silent.
    pub const MANUAL: FeedId = FeedId(0);
}
number!(
    /// A group of markets with a primary and a backup feed, from 1; 0 is [`GroupId::NONE`].
    GroupId(u16), "G"
);
impl GroupId {
    /// No group.
    pub const NONE: GroupId = GroupId(0);
}
number!(
    /// The position of a selection within its market, from 0.
    SelectionIndex(u16), "s"
);
number!(
    /// Counts the changes of a market's prices; a quote carries the count at its last change.
    PriceVersion(u64), "v"
);
number!(
    /// A piece of long work, named by the sequence of the command that started it.
    JobId(u64), "J"
);

/// The caller's own number for one request. With the account it belongs to it names the request
/// for ever: the same key asked again gets the first answer. 0 means "no key" (feed messages only).
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct RequestKey(pub u128);

impl RequestKey {
    /// No key: only messages of a feed may carry it.
    pub const NONE: RequestKey = RequestKey(0);
}

impl std::fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for RequestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "k{}", self.0)
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        ///
        /// The low half is an index into a dense table, the high half its generation: a place is
        /// used again, a handle never. 0 is [`Self::NONE`].
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            FromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Names nothing.
            pub const NONE: $name = $name(0);

            /// The handle of place `index` in its `generation` (from 1).
            pub const fn new(index: u32, generation: u32) -> $name {
                $name((generation as u64) << 32 | index as u64)
            }

            /// The handle from its number, as it travels; any number is a handle, perhaps of nothing.
            pub const fn from_raw(raw: u64) -> $name {
                $name(raw)
            }

            /// The number that travels.
            pub const fn raw(self) -> u64 {
                self.0
            }

            /// The place in the dense table.
            pub const fn index(self) -> u32 {
                self.0 as u32
            }

            /// How often the place has been taken; 0 only in [`Self::NONE`] and in forged handles.
            pub const fn generation(self) -> u32 {
                (self.0 >> 32) as u32
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::fmt::Display for $name {
            /// The letter and the place, counted from 1; the generation only from the second on.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.generation() {
                    0 => write!(f, concat!($letter, "?{}"), self.0),
                    1 => write!(f, concat!($letter, "{}"), u64::from(self.index()) + 1),
                    g => write!(f, concat!($letter, "{}.{}"), u64::from(self.index()) + 1, g),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = HandleError;
            /// Reads what `Display` writes.
            fn from_str(text: &str) -> Result<$name, HandleError> {
                let wrong = || HandleError { expected: $letter, found: text.to_owned() };
                let rest = text.strip_prefix($letter).ok_or_else(wrong)?;
                let (place, generation) = match rest.split_once('.') {
                    Some((place, generation)) => {
                        (place, generation.parse::<u32>().map_err(|_| wrong())?)
                    }
                    None => (rest, 1),
                };
                let place = place.parse::<u32>().map_err(|_| wrong())?;
                if place == 0 || generation == 0 {
                    return Err(wrong());
                }
                Ok($name::new(place - 1, generation))
            }
        }
    };
}

handle!(
    /// A customer's account in one currency.
    AccountId, "A"
);
handle!(
    /// A market: a question with selections for answers.
    MarketId, "M"
);
handle!(
    /// A fixture: the match or race that markets ask about.
    FixtureId, "X"
);
handle!(
    /// A bet, from its offer or acceptance on.
    BetId, "B"
);
handle!(
    /// An order of an exchange market.
    OrderId, "O"
);

/// A handle that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandleError {
    expected: &'static str,
    found: String,
}

impl std::fmt::Display for HandleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` is not a handle: write {letter}1, or {letter}1.2 for the second use of its place",
            self.found,
            letter = self.expected
        )
    }
}

impl std::error::Error for HandleError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_reads_back_what_it_prints() {
        for id in [BetId::new(0, 1), BetId::new(41, 1), BetId::new(7, 3)] {
            assert_eq!(id.to_string().parse::<BetId>().unwrap(), id);
        }
        assert_eq!(BetId::new(0, 1).to_string(), "B1");
        assert_eq!(MarketId::new(7, 3).to_string(), "M8.3");
    }

    #[test]
    fn a_wrong_handle_says_what_was_expected() {
        assert_eq!(
            "M1".parse::<BetId>().unwrap_err().to_string(),
            "`M1` is not a handle: write B1, or B1.2 for the second use of its place"
        );
        assert!("B0".parse::<BetId>().is_err());
        assert!("B1.0".parse::<BetId>().is_err());
    }
}
