//! Everything that may be asked, with the picture of each body.
//!
//! Every body begins `valid_until i64, token u64` (bytes 64..80 of the first slot); the pictures
//! below begin at byte 80. Numbers in the pictures are offsets within the slot.

use crate::id::*;
use crate::reject::Malformed;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Body, HEADER, Header, Minor, NAME, Name, SLOT, SLOTS_MAX, WirePrice};
use betring_pricing::{Currency, Money, RoundingMode, Stake};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Selections of one market, at most: their names have to fit one command
/// (and so do their prices, and their results).
pub const SELECTIONS_MAX: usize = 250;
/// The furthest that a window may reach: with it, keys are kept at most two hours.
pub const WINDOW_MAX: Nanos = Nanos::from_secs(3_600);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $lane:ident;)*) => {
        /// Which command. The number is the first byte of its first slot and its kind in the journal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $code,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The kind with this number.
            pub const fn from_code(code: u8) -> Option<Kind> {
                match code { $($code => Some(Kind::$name),)* _ => None }
            }

            /// Who may give it and which ring it takes.
            pub const fn lane(self) -> Lane {
                match self { $(Kind::$name => Lane::$lane,)* }
            }

            /// The name.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$name => stringify!($name),)* }
            }
        }

        impl std::fmt::Display for Kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// Who may give a command, and which ring takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The engine itself, never through a ring.
    Engine,
    /// Control ring, by an actor, under a key.
    Control,
    /// Control ring, by a feed's adapter, without a key.
    Feed,
    /// Bet ring, by a customer's account.
    Customer,
}

kinds! {
    /// The first command of a journal.
    Genesis = 1, Engine;
    /// The first command of a run.
    EpochOpened = 2, Engine;
    /// A turn of long work.
    Step = 3, Engine;
    /// Time passed and something is due.
    Tick = 4, Engine;
    /// A request that stopped the engine is set aside.
    Quarantine = 5, Engine;

    /// Gives an actor's name a number.
    RegisterActor = 16, Control;
    /// Defines a source of prices.
    DefineFeed = 17, Control;
    /// Defines a match or race.
    DefineFixture = 18, Control;
    /// Defines a market and its selections.
    DefineMarket = 19, Control;
    /// Opens a market for bets.
    OpenMarket = 20, Control;
    /// Closes a market.
    CloseMarket = 21, Control;
    /// Suspends a level for an owner.
    Suspend = 22, Control;
    /// Takes an owner's suspension back.
    Release = 23, Control;
    /// Takes a selection out of a market, or back in.
    WithdrawSelection = 24, Control;
    /// The result of a market: starts its settlement.
    MarketResult = 25, Control;
    /// Lets a settled market and its bets leave memory.
    ArchiveMarket = 26, Control;
    /// Sets limits.
    SetLimits = 27, Control;
    /// Blocks an account or lets it in again.
    BlockAccount = 28, Control;
    /// Lets a request that was set aside be asked again.
    LiftQuarantine = 29, Control;

    /// Prices of a market: by a feed without a key, by a person (feed 0) with one.
    SetPrices = 40, Feed;
    /// A feed is alive.
    FeedHeartbeat = 41, Feed;
    /// The feed's adapter noticed that something is missing.
    FeedGap = 42, Feed;
    /// The feed has sent everything again.
    FeedRecovered = 43, Feed;

    /// Opens an account.
    OpenAccount = 64, Customer;
    /// Money in.
    Deposit = 65, Customer;
    /// Money out.
    Withdraw = 66, Customer;
    /// Places a single bet.
    Place = 67, Customer;
    /// Takes an offer.
    AcceptOffer = 68, Customer;
    /// Declines an offer.
    DeclineOffer = 69, Customer;
    /// Asks what became of a request, and closes the question.
    Resolve = 70, Customer;
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $code,)* }

        impl $name {
            /// Every one.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The one with this number on the wire.
            pub const fn from_code(code: u8) -> Option<$name> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $($name::$variant => stringify!($variant),)* })
            }
        }
    };
}
pub(crate) use choice;

choice! {
    /// What a customer agrees to when the price has moved (UKGC RTS 2C: the choice is the customer's).
    PricePolicy {
        /// Only the price that was asked for.
        Exact = 1,
        /// That price or a better one.
        Better = 2,
        /// Better, or lower by at most the slippage.
        Within = 3,
        /// Whatever is in force.
        Any = 4,
    }
}

choice! {
    /// Who holds a suspension. A market is open when every owner has released it.
    Owner {
        /// The feed or its adapter.
        Feed = 1,
        /// A person.
        Trader = 2,
        /// An automatic governor.
        Governor = 3,
        /// The engine.
        Engine = 4,
    }
}

choice! {
    /// What a suspension covers. The strictest level wins.
    Level {
        /// Everything.
        Engine = 1,
        /// All markets of a feed.
        Feed = 2,
        /// All markets of a fixture.
        Fixture = 3,
        /// One market.
        Market = 4,
    }
}

choice! {
    /// How bets of a market meet.
    MarketKind {
        /// Against the house at fixed odds.
        Fixed = 1,
        /// Against each other on a ladder.
        Exchange = 2,
    }
}

choice! {
    /// What became of a selection.
    SelectionOutcome {
        /// It won.
        Win = 1,
        /// It lost.
        Lose = 2,
        /// Bets on it are off: a non-runner, an abandoned match.
        Void = 3,
    }
}

choice! {
    /// What a house does when a bet's price policy fails.
    PriceFailure {
        /// Refuse; the answer carries the price in force.
        Refuse = 1,
        /// Offer the price in force for a while.
        Offer = 2,
    }
}

choice! {
    /// What limits apply to.
    LimitScope {
        /// Every market, in a currency.
        Currency = 1,
        /// One market, in a currency.
        Market = 2,
    }
}

fn zeros(bytes: &[u8]) -> Result<(), Malformed> {
    if bytes.iter().all(|b| *b == 0) { Ok(()) } else { Err(Malformed::NotZero) }
}

fn is(good: bool, otherwise: Malformed) -> Result<(), Malformed> {
    if good { Ok(()) } else { Err(otherwise) }
}

fn span(span: Nanos) -> Result<(), Malformed> {
    is(Nanos::ZERO <= span && span <= Nanos::from_secs(86_400), Malformed::Range)
}

macro_rules! body {
    ($(#[$doc:meta])* $name:ident[$size:literal] {
        $($(#[$fdoc:meta])* $field:ident: $type:ty,)* ; zero: $zero:literal
    } $(tail($tself:ident) $tail:expr;)? check($self:ident) $check:block) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct $name {
            /// The client's time limit; 0 in feed messages and the engine's own commands.
            pub valid_until: Timestamp,
            /// The client's number of the attempt, echoed in the reply.
            pub token: Token,
            $($(#[$fdoc])* pub $field: $type,)*
            /// Zero.
            pub zero: [u8; $zero],
        }

        const _: () = assert!(size_of::<$name>() == $size);

        impl Default for $name {
            fn default() -> $name {
                zerocopy::FromZeros::new_zeroed()
            }
        }

        impl Body for $name {
            const KIND: Kind = Kind::$name;
            $(fn tail(&$tself) -> usize { $tail })?
            fn check(&$self) -> Result<(), Malformed> {
                zeros(&$self.zero)?;
                $check
            }
        }
    };
}

body! {
    /// What a journal is born with; it never changes.
    ///
    /// `80 window i64, 88 secret [u8; 16], 104 age_bound i64, 112 offer_ttl i64, 120 price_failure u8,
    /// 121 rounding u8, 122 step_budget u16, 124 zero [u8; 4], 128 min_stake, 136 max_stake,
    /// 144 max_payout, 152 max_liability i64, 160 zero`
    Genesis[192] {
        /// How far ahead `valid_until` may be, and how long after it a key is kept.
        window: Nanos,
        /// Seeds the digest of requests and the hash table: customers cannot aim at either.
        secret: [u8; 16],
        /// The age bound of a market that does not set its own.
        age_bound: Nanos,
        /// How long an offer stands.
        offer_ttl: Nanos,
        /// [`PriceFailure`].
        price_failure: u8,
        /// [`RoundingMode`] by [`rounding_code`].
        rounding: u8,
        /// Units of long work in one Step, 1 to 64.
        step_budget: u16,
        /// Zero.
        pad: [u8; 4],
        /// Limits in force until [`SetLimits`] says otherwise.
        limits: Limits,
    ; zero: 96 }
    check(self) {
        zeros(&self.pad)?;
        is(Nanos::ZERO < self.window && self.window <= WINDOW_MAX, Malformed::Range)?;
        is(Nanos::ZERO < self.age_bound, Malformed::Range)?;
        span(self.age_bound)?;
        is(Nanos::ZERO < self.offer_ttl, Malformed::Range)?;
        span(self.offer_ttl)?;
        is(PriceFailure::from_code(self.price_failure).is_some(), Malformed::Choice)?;
        is(rounding_mode(self.rounding).is_some(), Malformed::Choice)?;
        is((1..=64).contains(&self.step_budget), Malformed::Range)?;
        self.limits.check()
    }
}

/// The number of a rounding mode on the wire.
pub const fn rounding_code(mode: RoundingMode) -> u8 {
    match mode {
        RoundingMode::Down => 1,
        RoundingMode::Up => 2,
        RoundingMode::HalfUp => 3,
        RoundingMode::HalfEven => 4,
    }
}

/// The rounding mode of a number on the wire.
pub const fn rounding_mode(code: u8) -> Option<RoundingMode> {
    match code {
        1 => Some(RoundingMode::Down),
        2 => Some(RoundingMode::Up),
        3 => Some(RoundingMode::HalfUp),
        4 => Some(RoundingMode::HalfEven),
        _ => None,
    }
}

/// The limits of one currency. All are in its minor units, from 1 up.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Limits {
    /// The smallest stake.
    pub min_stake: Minor,
    /// The largest stake.
    pub max_stake: Minor,
    /// The most that one bet may pay, stake included. IBAS: refuse at placement what could pay more.
    pub max_payout: Minor,
    /// The most that a market may lose in its worst outcome.
    pub max_liability: Minor,
}

impl Limits {
    fn check(&self) -> Result<(), Malformed> {
        let stakes = [self.min_stake, self.max_stake];
        is(stakes.iter().all(|s| s.stake().is_some()), Malformed::Range)?;
        is(self.min_stake <= self.max_stake, Malformed::Range)?;
        let caps = [self.max_payout, self.max_liability];
        is(caps.iter().all(|m| 0 < m.0 && m.money().is_some()), Malformed::Range)
    }
}

/// How much may be kept. Grows only, and only in [`EpochOpened`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Capacities {
    /// Accounts.
    pub accounts: u32,
    /// Markets that are not archived.
    pub markets: u32,
    /// Selections of all those markets, each market counted up to the next power of two.
    pub selections: u32,
    /// Bets of all those markets, open or settled.
    pub bets: u32,
    /// Requests within the window.
    pub keys: u32,
    /// Feeds, the manual one not counted.
    pub feeds: u32,
    /// Fixtures.
    pub fixtures: u32,
    /// Actors.
    pub actors: u32,
    /// Currencies, at most 16.
    pub currencies: u32,
    /// Requests in quarantine.
    pub quarantined: u32,
}

impl Capacities {
    /// The largest capacity of anything: a dense index is 32 bits with room for "none".
    pub const MAX: u32 = 1 << 30;

    /// The capacities, in the order of their layout.
    pub const fn all(&self) -> [u32; 10] {
        [
            self.accounts,
            self.markets,
            self.selections,
            self.bets,
            self.keys,
            self.feeds,
            self.fixtures,
            self.actors,
            self.currencies,
            self.quarantined,
        ]
    }

    fn check(&self) -> Result<(), Malformed> {
        is(self.all().iter().all(|c| (1..=Self::MAX).contains(c)), Malformed::Range)?;
        is(self.feeds < u32::from(u16::MAX) && self.currencies <= 16, Malformed::Range)
    }

    /// Whether every one of them may be a capacity.
    pub fn are_valid(&self) -> bool {
        self.check().is_ok()
    }

    /// The larger of both, each for itself: capacities never shrink.
    pub fn grown(self, to: Capacities) -> Capacities {
        Capacities {
            accounts: self.accounts.max(to.accounts),
            markets: self.markets.max(to.markets),
            selections: self.selections.max(to.selections),
            bets: self.bets.max(to.bets),
            keys: self.keys.max(to.keys),
            feeds: self.feeds.max(to.feeds),
            fixtures: self.fixtures.max(to.fixtures),
            actors: self.actors.max(to.actors),
            currencies: self.currencies.max(to.currencies),
            quarantined: self.quarantined.max(to.quarantined),
        }
    }
}

body! {
    /// A run begins. Every feed has to recover; markets with manual prices wait to be opened.
    ///
    /// `80 epoch u32, 84 logic_version u32, 88 rules_id u64, 96 rules_version u32, 100 capacities 10 × u32,
    /// 140 zero [u8; 4], 144 kept_seq u64, 152 cut_segment u64, 160 cut_offset u64, 168 cut_bytes u64, 176 zero`
    EpochOpened[192] {
        /// The run's number, more than the last; a run that died before its first record leaves a gap.
        epoch: Epoch,
        /// The version of this crate's decisions.
        logic_version: u32,
        /// Which rules: [`crate::Rules::ID`].
        rules_id: u64,
        /// Their version.
        rules_version: u32,
        /// What may be kept from here on.
        capacities: Capacities,
        /// Zero.
        pad: [u8; 4],
        /// The last sequence that the recovery before this run kept; 0 in a new journal.
        kept_seq: Seq,
        /// First sequence of the segment whose torn tail was cut, 0 if none was.
        cut_segment: Seq,
        /// Where in that segment the cut began, in bytes.
        cut_offset: u64,
        /// How many bytes were cut.
        cut_bytes: u64,
    ; zero: 80 }
    check(self) {
        zeros(&self.pad)?;
        is(0 < self.epoch.0, Malformed::Range)?;
        self.capacities.check()
    }
}

body! {
    /// One turn of long work: at most `budget` units (a bet settled, a key forgotten, an offer expired).
    ///
    /// `80 budget u16, 82 zero`
    Step[64] {
        /// Units, 1 to 64.
        budget: u16,
    ; zero: 46 }
    check(self) { is((1..=64).contains(&self.budget), Malformed::Range) }
}

body! {
    /// Time passed: what is due by now has become work. `80 zero`
    Tick[64] { ; zero: 48 }
    check(self) { Ok(()) }
}

body! {
    /// The request that stopped the engine is set aside until somebody has looked.
    ///
    /// `80 account u64, 88 zero [u8; 8], 96 key u128, 112 zero`
    Quarantine[64] {
        /// Whose request: an account or an actor, as in the header.
        account: u64,
        /// Zero.
        pad: [u8; 8],
        /// Its key.
        key: RequestKey,
    ; zero: 16 }
    check(self) {
        zeros(&self.pad)?;
        is(self.key != RequestKey::NONE, Malformed::Key)
    }
}

body! {
    /// Gives an actor's name a number. The same name again is answered with the same number.
    ///
    /// `80 reason u32, 84 zero`, then the name, 64 bytes
    RegisterActor[64] {
        /// Why, as a number of the operator's own.
        reason: u32,
    ; zero: 44 }
    tail(self) NAME;
    check(self) { Ok(()) }
}

body! {
    /// Defines a source of prices. It has to report its recovery before its markets take bets.
    ///
    /// `80 reason u32, 84 zero [u8; 4], 88 silence_bound i64, 96 delay_bound i64, 104 zero`, then the name
    DefineFeed[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// Silent for longer than this, it is down. At most a day.
        silence_bound: Nanos,
        /// A price that took this much longer than the feed's quickest is refused; 0 is no bound.
        delay_bound: Nanos,
    ; zero: 24 }
    tail(self) NAME;
    check(self) {
        zeros(&self.pad)?;
        is(Nanos::ZERO < self.silence_bound, Malformed::Range)?;
        span(self.silence_bound)?;
        span(self.delay_bound)
    }
}

body! {
    /// Defines a match or race. `80 reason u32, 84 zero [u8; 4], 88 starts i64, 96 zero`, then the name
    DefineFixture[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// When it is to start; 0 if not known.
        starts: Timestamp,
    ; zero: 32 }
    tail(self) NAME;
    check(self) { zeros(&self.pad) }
}

body! {
    /// Defines a market and its selections.
    ///
    /// `80 reason u32, 84 feed u16, 86 winners u16, 88 fixture u64, 96 age_bound i64, 104 selections u16,
    /// 106 kind u8, 107 zero`, then the market's external name and one name a selection, 64 bytes each
    DefineMarket[64] {
        /// Why.
        reason: u32,
        /// Which feed prices it.
        feed: FeedId,
        /// How many selections win, from 1 to one less than there are.
        winners: u16,
        /// The fixture it is about; none is allowed.
        fixture: FixtureId,
        /// Older prices are refused; 0: the journal's default, or with manual prices no bound.
        age_bound: Nanos,
        /// How many selections, from 2.
        selections: u16,
        /// [`MarketKind`].
        kind: u8,
    ; zero: 21 }
    tail(self) NAME * (1 + usize::from(self.selections));
    check(self) {
        span(self.age_bound)?;
        is((2..=SELECTIONS_MAX).contains(&usize::from(self.selections)), Malformed::Entries)?;
        is(0 < self.winners && self.winners < self.selections, Malformed::Range)?;
        is(MarketKind::from_code(self.kind).is_some(), Malformed::Choice)
    }
}

macro_rules! market_body {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        body! {
            $(#[$doc])*
            ///
            /// `80 reason u32, 84 zero [u8; 4], 88 market u64, 96 zero`
            $name[64] {
                /// Why.
                reason: u32,
                /// Zero.
                pad: [u8; 4],
                /// Which market.
                market: MarketId,
            ; zero: 32 }
            check(self) { zeros(&self.pad) }
        }
    )*};
}

market_body! {
    /// Opens a market. After a start, a market with manual prices waits for this.
    OpenMarket;
    /// Closes a market: no more bets, offers end.
    CloseMarket;
    /// Lets a settled market and its bets leave memory.
    ArchiveMarket;
}

macro_rules! suspension_body {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        body! {
            $(#[$doc])*
            ///
            /// `80 reason u32, 84 level u8, 85 owner u8, 86 zero [u8; 2], 88 id u64, 96 zero`
            $name[64] {
                /// Why.
                reason: u32,
                /// [`Level`].
                level: u8,
                /// [`Owner`].
                owner: u8,
                /// Zero.
                pad: [u8; 2],
                /// The market, fixture or feed; 0 for the engine.
                id: u64,
            ; zero: 32 }
            check(self) {
                zeros(&self.pad)?;
                is(Owner::from_code(self.owner).is_some(), Malformed::Choice)?;
                match Level::from_code(self.level) {
                    Some(Level::Engine) => is(self.id == 0, Malformed::Range),
                    Some(_) => Ok(()),
                    None => Err(Malformed::Choice),
                }
            }
        }
    )*};
}

suspension_body! {
    /// Suspends a level for an owner. Every suspension, even a repeated one, ends the offers before it.
    Suspend;
    /// Takes an owner's suspension back; other owners' stand.
    Release;
}

body! {
    /// Takes a selection out of a market (a non-runner), or back in.
    ///
    /// `80 reason u32, 84 selection u16, 86 withdrawn u8, 87 zero u8, 88 market u64, 96 zero`
    WithdrawSelection[64] {
        /// Why.
        reason: u32,
        /// Which selection.
        selection: SelectionIndex,
        /// 1 out, 0 in.
        withdrawn: u8,
        /// Zero.
        pad: [u8; 1],
        /// Which market.
        market: MarketId,
    ; zero: 32 }
    check(self) {
        zeros(&self.pad)?;
        is(self.withdrawn <= 1, Malformed::Choice)
    }
}

body! {
    /// The result of a market: every selection with its outcome. Starts the settlement.
    ///
    /// `80 reason u32, 84 count u16, 86 zero [u8; 2], 88 market u64, 96 zero`,
    /// then count × [`ResultEntry`]
    MarketResult[64] {
        /// Why.
        reason: u32,
        /// How many entries: one for every selection.
        count: u16,
        /// Zero.
        pad: [u8; 2],
        /// Which market.
        market: MarketId,
    ; zero: 32 }
    tail(self) size_of::<ResultEntry>() * usize::from(self.count);
    check(self) {
        zeros(&self.pad)?;
        is((2..=SELECTIONS_MAX).contains(&usize::from(self.count)), Malformed::Entries)
    }
}

/// One selection's outcome: `0 selection u16, 2 outcome u8, 3 zero [u8; 13]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ResultEntry {
    /// Which selection.
    pub selection: SelectionIndex,
    /// [`SelectionOutcome`].
    pub outcome: u8,
    zero: [u8; 13],
}

impl ResultEntry {
    /// The outcome of a selection.
    pub fn new(selection: SelectionIndex, outcome: SelectionOutcome) -> ResultEntry {
        ResultEntry { selection, outcome: outcome as u8, zero: [0; 13] }
    }

    /// The outcome; checked when the command was read.
    pub fn outcome(&self) -> SelectionOutcome {
        SelectionOutcome::from_code(self.outcome).expect("checked when the command was read")
    }
}

body! {
    /// Sets the limits of a currency, or of a market in a currency.
    ///
    /// `80 reason u32, 84 scope u8, 85 zero u8, 86 currency u16, 88 market u64, 96 limits 4 × i64`
    SetLimits[64] {
        /// Why.
        reason: u32,
        /// [`LimitScope`].
        scope: u8,
        /// Zero.
        pad: [u8; 1],
        /// ISO 4217 number.
        currency: u16,
        /// The market, if the scope is one.
        market: MarketId,
        /// What applies from here on.
        limits: Limits,
    ; zero: 0 }
    check(self) {
        zeros(&self.pad)?;
        is(Currency::from_numeric(self.currency).is_some(), Malformed::Range)?;
        match LimitScope::from_code(self.scope) {
            Some(LimitScope::Currency) => is(self.market == MarketId::NONE, Malformed::Range)?,
            Some(LimitScope::Market) => (),
            None => return Err(Malformed::Choice),
        }
        self.limits.check()
    }
}

body! {
    /// Blocks an account, or lets it in again. Its open bets stand.
    ///
    /// `80 reason u32, 84 blocked u8, 85 zero [u8; 3], 88 account u64, 96 zero`
    BlockAccount[64] {
        /// Why.
        reason: u32,
        /// 1 blocked, 0 let in.
        blocked: u8,
        /// Zero.
        pad: [u8; 3],
        /// Which account.
        account: AccountId,
    ; zero: 32 }
    check(self) {
        zeros(&self.pad)?;
        is(self.blocked <= 1, Malformed::Choice)
    }
}

body! {
    /// Lets a request that was set aside be asked again.
    ///
    /// `80 reason u32, 84 zero [u8; 4], 88 account u64, 96 key u128, 112 zero`
    LiftQuarantine[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// Whose request.
        account: u64,
        /// Its key.
        key: RequestKey,
    ; zero: 16 }
    check(self) {
        zeros(&self.pad)?;
        is(self.key != RequestKey::NONE, Malformed::Key)
    }
}

body! {
    /// Prices of one market, all at once. A price equal to the one in force confirms it.
    ///
    /// `80 reason u32, 84 feed u16, 86 count u16, 88 market u64, 96 feed_seq u64, 104 source i64,
    /// 112 as_of i64, 120 zero`, then count × [`PriceEntry`]
    SetPrices[64] {
        /// Why; of a feed's own: 0.
        reason: u32,
        /// Whose prices; 0: a person's.
        feed: FeedId,
        /// How many entries, 1 to 250.
        count: u16,
        /// Which market.
        market: MarketId,
        /// The feed's own number of the message, rising by one; 0 where it has none.
        feed_seq: u64,
        /// When the source says that it priced this, on its own clock; 0 if it does not.
        source: Timestamp,
        /// For a derived price: when its oldest required input was received; else 0.
        as_of: Timestamp,
    ; zero: 8 }
    tail(self) size_of::<PriceEntry>() * usize::from(self.count);
    check(self) {
        is((1..=SELECTIONS_MAX).contains(&usize::from(self.count)), Malformed::Entries)?;
        is(self.feed != FeedId::MANUAL || self.feed_seq == 0, Malformed::Range)?;
        is(0 <= self.source.0 && 0 <= self.as_of.0, Malformed::Range)
    }
}

/// One selection's price: `0 price e4 u32, num u16, den u16, 8 selection u16, 10 zero u16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PriceEntry {
    /// The price; none takes the selection's price away.
    pub price: WirePrice,
    /// Which selection.
    pub selection: SelectionIndex,
    zero: u16,
}

impl PriceEntry {
    /// The price of a selection.
    pub fn new(selection: SelectionIndex, price: WirePrice) -> PriceEntry {
        PriceEntry { price, selection, zero: 0 }
    }
}

macro_rules! feed_body {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        body! {
            $(#[$doc])*
            ///
            /// `80 reason u32, 84 feed u16, 86 zero [u8; 2], 88 feed_seq u64, 96 source i64, 104 zero`
            $name[64] {
                /// Why; of a feed's own: 0.
                reason: u32,
                /// Which feed.
                feed: FeedId,
                /// Zero.
                pad: [u8; 2],
                /// The feed's own number of the message, rising by one; 0 where it has none.
                feed_seq: u64,
                /// When the source sent it, on its own clock; 0 if it does not say.
                source: Timestamp,
            ; zero: 24 }
            check(self) {
                zeros(&self.pad)?;
                is(0 <= self.source.0, Malformed::Range)?;
                is(self.feed != FeedId::MANUAL, Malformed::Range)
            }
        }
    )*};
}

feed_body! {
    /// The feed is alive: confirms every price it has sent since it last recovered.
    FeedHeartbeat;
    /// The adapter noticed that something is missing: the feed has to recover.
    FeedGap;
    /// The feed has sent everything again.
    FeedRecovered;
}

body! {
    /// Opens an account for an operator's customer. The header's account is 0.
    ///
    /// `80 reference u64, 88 currency u16, 90 zero`
    OpenAccount[64] {
        /// The operator's own opaque number, not 0, one account each.
        reference: u64,
        /// ISO 4217 number.
        currency: u16,
    ; zero: 38 }
    check(self) {
        is(self.reference != 0, Malformed::Range)?;
        is(Currency::from_numeric(self.currency).is_some(), Malformed::Range)
    }
}

macro_rules! amount_body {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        body! {
            $(#[$doc])*
            ///
            /// `80 amount i64, 88 zero`
            $name[64] {
                /// How much, from one minor unit.
                amount: Minor,
            ; zero: 40 }
            check(self) {
                let good = 0 < self.amount.0 && self.amount.money().is_some();
                is(good, Malformed::Amount)
            }
        }
    )*};
}

amount_body! {
    /// Money into the account.
    Deposit;
    /// Money out of the account.
    Withdraw;
}

body! {
    /// Places a single bet.
    ///
    /// `80 market u64, 88 stake i64, 96 version u64, 104 price e4 u32, num u16, den u16,
    /// 112 selection u16, 114 slippage u16, 116 policy u8, 117 zero`
    Place[64] {
        /// Which market.
        market: MarketId,
        /// The stake.
        stake: Minor,
        /// The version of the price that the customer saw; 0 if not known. Kept as evidence.
        version: PriceVersion,
        /// The price that the customer asks for; none only with [`PricePolicy::Any`].
        price: WirePrice,
        /// Which selection.
        selection: SelectionIndex,
        /// With [`PricePolicy::Within`]: by how many ten-thousandths of it the price may be lower.
        slippage: u16,
        /// [`PricePolicy`].
        policy: u8,
    ; zero: 11 }
    check(self) {
        is(self.stake.stake().is_some(), Malformed::Stake)?;
        let Some(policy) = PricePolicy::from_code(self.policy) else {
            return Err(Malformed::PricePolicy);
        };
        let none_asked = policy == PricePolicy::Any && self.price.is_none();
        is(none_asked || self.price.is_price(), Malformed::Price)?;
        let slips = if policy == PricePolicy::Within { 1..=10_000 } else { 0..=0 };
        is(slips.contains(&self.slippage), Malformed::Slippage)
    }
}

macro_rules! offer_body {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        body! {
            $(#[$doc])*
            ///
            /// `80 bet u64, 88 zero`
            $name[64] {
                /// The offered bet.
                bet: BetId,
            ; zero: 40 }
            check(self) { Ok(()) }
        }
    )*};
}

offer_body! {
    /// Takes an offer: the bet opens at the offered price, if nothing was suspended since.
    AcceptOffer;
    /// Declines an offer: the stake goes back.
    DeclineOffer;
}

body! {
    /// Asks what became of the request that the header's account and key and this `valid_until` name;
    /// if it was never seen, closes the question: a late copy will be refused. `80 zero`
    Resolve[64] { ; zero: 48 }
    check(self) { Ok(()) }
}

/// Names behind a body, in order.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a>(&'a [u8]);

impl<'a> Names<'a> {
    /// The names; they were checked when the command was read.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a str> {
        self.0.chunks_exact(NAME).map(|bytes| {
            let name = Name::ref_from_bytes(bytes).expect("a name has no alignment");
            name.text().expect("checked when the command was read")
        })
    }

    /// The first name.
    pub fn first(self) -> &'a str {
        self.iter().next().expect("every body with names has one")
    }

    fn check(self) -> Result<(), Malformed> {
        self.0.chunks_exact(NAME).try_for_each(|bytes| {
            Name::ref_from_bytes(bytes).map_err(|_| Malformed::Name)?.text().map(|_| ())
        })
    }
}

/// Entries behind a body, in order.
#[derive(Debug)]
pub struct Entries<'a, T>(&'a [u8], std::marker::PhantomData<T>);

impl<T> Clone for Entries<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Entries<'_, T> {}

impl<'a, T: FromBytes + 'a> Entries<'a, T> {
    /// The entries.
    pub fn iter(self) -> impl ExactSizeIterator<Item = T> + 'a {
        let entry = |bytes| T::read_from_bytes(bytes).expect("cut to its size");
        self.0.chunks_exact(size_of::<T>()).map(entry)
    }
}

macro_rules! command {
    ($($name:ident $(($tail:ident))?,)*) => {
        /// A command that has been read: its bytes were checked, its fields are in range.
        #[derive(Clone, Copy, Debug)]
        pub enum Command<'a> { $(
            #[allow(missing_docs)] // each is named after its body, which is documented
            $name($name $(, command!(@type $tail 'a))?),
        )* }

        /// Reads a command: its header and what it asks.
        ///
        /// # Errors
        /// What is wrong with it. Nothing is read beyond `bytes`.
        pub fn decode(bytes: &[u8]) -> Result<(Header, Command<'_>), Malformed> {
            let header = Header::read_from_prefix(bytes).map_err(|_| Malformed::Slots)?.0;
            let kind = Kind::from_code(header.kind).ok_or(Malformed::Kind)?;
            if header.version != 1 {
                return Err(Malformed::Version);
            }
            header.check()?;
            let slots = usize::from(header.slots);
            let fits = (1..=SLOTS_MAX).contains(&slots) && bytes.len() == slots * SLOT;
            is(fits, Malformed::Slots)?;
            let command = match kind { $(
                Kind::$name => {
                    #[allow(unused_variables)] // most bodies have no tail
                    let (body, tail) = read_body::<$name>(&bytes[HEADER..])?;
                    Command::$name(body $(, command!(@read $tail tail))?)
                }
            )* };
            command.check()?;
            Ok((header, command))
        }
    };
    (@type Names $life:lifetime) => { Names<$life> };
    (@type $entry:ident $life:lifetime) => { Entries<$life, $entry> };
    (@read Names $tail:ident) => { Names($tail) };
    (@read $entry:ident $tail:ident) => { Entries($tail, std::marker::PhantomData) };
}

command! {
    Genesis, EpochOpened, Step, Tick, Quarantine,
    RegisterActor(Names), DefineFeed(Names), DefineFixture(Names), DefineMarket(Names),
    OpenMarket, CloseMarket, Suspend, Release, WithdrawSelection, MarketResult(ResultEntry),
    ArchiveMarket, SetLimits, BlockAccount, LiftQuarantine,
    SetPrices(PriceEntry), FeedHeartbeat, FeedGap, FeedRecovered,
    OpenAccount, Deposit, Withdraw, Place, AcceptOffer, DeclineOffer, Resolve,
}

/// Splits what follows the header into the body and its entries; the rest has to be zero.
fn read_body<B: Body>(bytes: &[u8]) -> Result<(B, &[u8]), Malformed> {
    let (body, rest) = B::read_from_prefix(bytes).map_err(|_| Malformed::Slots)?;
    body.check()?;
    let needed = crate::wire::slots_for(size_of::<B>(), body.tail());
    is(HEADER + bytes.len() == needed * SLOT, Malformed::Slots)?;
    let (tail, padding) = rest.split_at(body.tail());
    zeros(padding)?;
    Ok((body, tail))
}

impl Command<'_> {
    /// What a body alone cannot check.
    fn check(&self) -> Result<(), Malformed> {
        match self {
            Command::RegisterActor(_, names)
            | Command::DefineFeed(_, names)
            | Command::DefineFixture(_, names) => names.check(),
            Command::DefineMarket(_, names) => {
                names.check()?;
                // A name that two selections had could never mean the second.
                let twice = |name: &str| 1 < names.iter().skip(1).filter(|n| *n == name).count();
                is(!names.iter().skip(1).any(twice), Malformed::Entries)
            }
            Command::SetPrices(_, entries) => {
                let mut seen = [0; 4];
                for entry in entries.iter() {
                    is(entry.zero == 0, Malformed::NotZero)?;
                    is(entry.price.is_none() || entry.price.is_price(), Malformed::Price)?;
                    once(&mut seen, entry.selection)?;
                }
                Ok(())
            }
            Command::MarketResult(_, entries) => {
                let mut seen = [0; 4];
                for entry in entries.iter() {
                    zeros(&entry.zero)?;
                    let known = SelectionOutcome::from_code(entry.outcome).is_some();
                    is(known, Malformed::Choice)?;
                    once(&mut seen, entry.selection)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// No selection twice: one bit for each that a market may have.
fn once(seen: &mut [u64; 4], selection: SelectionIndex) -> Result<(), Malformed> {
    is(usize::from(selection.0) < SELECTIONS_MAX, Malformed::Range)?;
    let (word, bit) = (usize::from(selection.0) / 64, selection.0 % 64);
    is(seen[word] & 1 << bit == 0, Malformed::Entries)?;
    seen[word] |= 1 << bit;
    Ok(())
}

/// Builders for commands with entries: they bound what goes in and bring the slots.
pub mod build {
    use super::*;
    use crate::wire::{self, Slot};

    /// Any command without entries.
    pub fn plain<B: Body>(header: Header, body: &B) -> Slot {
        wire::slot(header, body)
    }

    fn named<B: Body>(header: Header, body: &B, names: &[&str]) -> Result<Vec<Slot>, Malformed> {
        let mut tail = Vec::with_capacity(NAME * names.len());
        for name in names {
            tail.extend_from_slice(Name::new(name)?.as_bytes());
        }
        Ok(wire::slots(header, body, &tail))
    }

    /// Registers an actor.
    ///
    /// # Errors
    /// [`Malformed::Name`] if the name may not be one.
    pub fn register_actor(
        header: Header,
        body: RegisterActor,
        name: &str,
    ) -> Result<Vec<Slot>, Malformed> {
        named(header, &body, &[name])
    }

    /// Defines a feed.
    ///
    /// # Errors
    /// [`Malformed::Name`] if the name may not be one.
    pub fn define_feed(
        header: Header,
        body: DefineFeed,
        name: &str,
    ) -> Result<Vec<Slot>, Malformed> {
        named(header, &body, &[name])
    }

    /// Defines a fixture.
    ///
    /// # Errors
    /// [`Malformed::Name`] if the name may not be one.
    pub fn define_fixture(
        header: Header,
        body: DefineFixture,
        name: &str,
    ) -> Result<Vec<Slot>, Malformed> {
        named(header, &body, &[name])
    }

    /// Defines a market; `body.selections` is set from the names.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for fewer than 2 or more than 250 selections, [`Malformed::Name`]
    /// for a name that may not be one.
    pub fn define_market(
        header: Header,
        body: DefineMarket,
        name: &str,
        selections: &[&str],
    ) -> Result<Vec<Slot>, Malformed> {
        is((2..=SELECTIONS_MAX).contains(&selections.len()), Malformed::Entries)?;
        let count = u16::try_from(selections.len()).map_err(|_| Malformed::Entries)?;
        let body = DefineMarket { selections: count, ..body };
        let names: Vec<&str> = std::iter::once(name).chain(selections.iter().copied()).collect();
        named(header, &body, &names)
    }

    /// Sets prices; `body.count` is set from the entries.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for none or more than 250.
    pub fn set_prices(
        header: Header,
        body: SetPrices,
        entries: &[PriceEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is((1..=SELECTIONS_MAX).contains(&entries.len()), Malformed::Entries)?;
        let count = u16::try_from(entries.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &SetPrices { count, ..body }, entries.as_bytes()))
    }

    /// Gives a result; `body.count` is set from the entries.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for fewer than 2 or more than 250.
    pub fn result(
        header: Header,
        body: MarketResult,
        entries: &[ResultEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is((2..=SELECTIONS_MAX).contains(&entries.len()), Malformed::Entries)?;
        let count = u16::try_from(entries.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &MarketResult { count, ..body }, entries.as_bytes()))
    }
}

// The longest commands fit: a market with the most selections, the most prices.
const _: () = assert!(HEADER + 64 + NAME * (1 + SELECTIONS_MAX) <= SLOTS_MAX * SLOT);
const _: () = assert!(HEADER + 64 + size_of::<PriceEntry>() * SELECTIONS_MAX <= SLOTS_MAX * SLOT);
const _: () = assert!(SELECTIONS_MAX <= 4 * 64);
const _: () = assert!(size_of::<PriceEntry>() == 12 && size_of::<ResultEntry>() == 16);
// Money and Stake are bounded so that every sum in a market fits: see `risk.rs`.
const _: () = assert!(Stake::MAX.money().minor() <= Money::MAX.minor());
