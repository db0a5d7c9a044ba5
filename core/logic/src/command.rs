//! Everything that may be asked, with the picture of each body.
//!
//! Every body begins `valid_until i64, token u64` (bytes 64..80 of the first slot); the pictures
//! below begin at byte 80. Numbers in the pictures are offsets within the slot.

use crate::book::{SelfMatch, Side};
use crate::id::*;
use crate::reject::Malformed;
use crate::ruleset::Ruleset;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Body, HEADER, Header, Minor, NAME, Name, SLOT, SLOTS_MAX, WirePrice};
use betring_pricing::{
    Band, Currency, EachWay, LEGS_MAX, Ladder, LegNumbers, Money, Pence, PlaceFraction, Price,
    RoundingMode, Shape, Share, Stake,
};
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
    /// Publishes a set of rules: it applies to every bet that is placed after it.
    PublishRules = 30, Control;
    /// Turns a market in-play or back, with its bet delay.
    SetInPlay = 31, Control;
    /// A trader's answer to a bet that was referred.
    AnswerReferral = 32, Control;
    /// Stops or allows cash-outs at a level.
    FreezeCashOut = 33, Control;
    /// Voids the bets of a market that were placed in a window of time, or takes that back.
    CancelBets = 34, Control;
    /// Takes a market's result back.
    RollbackResult = 35, Control;
    /// Voids one bet, or takes that back.
    CancelBet = 36, Control;
    /// Settles a leg at another price than it was bound to: a palpable error.
    CorrectPrice = 37, Control;
    /// Moves money between an account and the house, for what can no longer be settled.
    Adjust = 38, Control;
    /// Gives an account money for free bets.
    GrantBonus = 39, Control;
    /// Defines a group of markets with a primary and a backup feed.
    DefineGroup = 44, Control;
    /// Lets a group's markets be priced by its other feed.
    SwitchFeed = 45, Control;
    /// Sets what holds for all markets of a tier.
    SetTier = 46, Control;
    /// Puts a market into a tier.
    AssignTier = 47, Control;
    /// Says which version of its messages a feed is to send, and lets it out of quarantine.
    SetFeedSchema = 48, Control;
    /// A trader pins a price, takes the pin away, or takes a price that was held back.
    TraderPrice = 49, Control;
    /// Scales the largest stake: of everything, of a level, a tier or an account.
    SetStakeFactor = 50, Control;
    /// Sets one of an account's own limits by a period of time, at once.
    SetAccountLimit = 51, Control;
    /// Excludes an account until a moment; that can be made longer, never shorter.
    ExcludeAccount = 52, Control;
    /// The external wallet holds the stake.
    ConfirmHold = 53, Control;
    /// The external wallet does not hold the stake.
    ReleaseHold = 54, Control;
    /// Says when load is shed, over the word of the configuration.
    SetShedding = 56, Control;
    /// Gives an exchange market its terms, and its book.
    SetExchange = 57, Control;
    /// Sets what is taken off an account's commission.
    SetDiscount = 58, Control;
    /// Lets the orders of an exchange market that wait lapse.
    LapseOrders = 59, Control;

    /// Prices of a market: by a feed without a key, by a person (feed 0) with one.
    SetPrices = 40, Feed;
    /// A feed is alive.
    FeedHeartbeat = 41, Feed;
    /// The feed's adapter noticed that something is missing.
    FeedGap = 42, Feed;
    /// The feed has sent everything again.
    FeedRecovered = 43, Feed;
    /// The feed's adapter has asked it to send everything again.
    FeedRecovering = 55, Feed;
    /// All prices of a fixture that a model has made, at once.
    Reprice = 60, Feed;

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
    /// Places a bet of several legs, lines or parts.
    PlaceTicket = 71, Customer;
    /// Sells a bet, or part of it, back to the house.
    CashOut = 72, Customer;
    /// Sells a bet back as soon as it is worth so much.
    SetAutoCashOut = 73, Customer;
    /// Sets one of the customer's own limits: less at once, more after a day.
    SetOwnLimit = 74, Customer;
    /// A customer excludes itself until a moment; that can be made longer, never shorter.
    ExcludeSelf = 75, Customer;
    /// Places orders on an exchange market.
    PlaceOrders = 76, Customer;
    /// Cancels orders, or makes them smaller.
    CancelOrders = 77, Customer;
    /// Cancels orders and places them again at other prices.
    ReplaceOrders = 78, Customer;
    /// Changes what becomes of orders when their market turns in-play.
    UpdateOrders = 79, Customer;
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
        /// The backup feed of the market's group or its adapter.
        Backup = 5,
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
        /// All markets of a group.
        Group = 5,
        /// One selection of a market.
        Selection = 6,
    }
}

choice! {
    /// Which feed of a group.
    Drives {
        /// The primary.
        Primary = 1,
        /// The backup.
        Backup = 2,
    }
}

choice! {
    /// What a trader does to a price.
    TraderPriceAct {
        /// Pins it: it is in force whatever the feeds say.
        Pin = 1,
        /// Takes the pin away: the feed's price is in force again.
        Unpin = 2,
        /// Takes the price of the feed that was held back as not plausible.
        TakeHeld = 3,
    }
}

choice! {
    /// What a factor of the largest stake applies to.
    FactorScope {
        /// Every bet.
        Engine = 1,
        /// Bets on markets that a feed drives.
        Feed = 2,
        /// Bets on a fixture.
        Fixture = 3,
        /// Bets on a market.
        Market = 4,
        /// Bets on the markets of a tier.
        Tier = 5,
        /// Bets of an account.
        Account = 6,
    }
}

choice! {
    /// When load is shed: bets on the hottest markets, and cash-outs, are refused before they are sequenced.
    Shed {
        /// Never: a full ring refuses whoever comes.
        Off = 1,
        /// While the journal or the ring is behind.
        Auto = 2,
        /// As if they were behind, until somebody says otherwise.
        On = 3,
    }
}

impl Default for Shed {
    /// Of a configuration that says nothing.
    fn default() -> Shed {
        Shed::Auto
    }
}

choice! {
    /// What an account's own limit counts (RTS 12).
    LimitKind {
        /// Money paid in.
        Deposit = 1,
        /// Stakes, less those that went back.
        Stake = 2,
        /// Stakes less whatever came back.
        Loss = 3,
    }
}

choice! {
    /// The period of an account's own limit, by the calendar in UTC.
    Period {
        /// From midnight.
        Day = 1,
        /// From Monday.
        Week = 2,
        /// From the first.
        Month = 3,
    }
}

choice! {
    /// Who keeps an account's money.
    Purse {
        /// This ledger.
        Own = 0,
        /// An external wallet: every stake is held there first, every return goes there.
        External = 1,
    }
}

choice! {
    /// When a bet of an external wallet binds to its price.
    HoldBind {
        /// When it is placed; a confirmation in time opens it at that price.
        AtPlace = 1,
        /// When it is confirmed, with all gates run again.
        AtConfirm = 2,
    }
}

choice! {
    /// What a selection's price does when the house could lose too much with it.
    LiabilityAct {
        /// Nothing.
        No = 0,
        /// It gets shorter by ticks, then the selection is suspended.
        Step = 1,
        /// The selection is suspended.
        Suspend = 2,
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
    /// The prices of an exchange market.
    LadderKind {
        /// [`betring_pricing::Ladder::CLASSIC`].
        Classic = 1,
        /// [`betring_pricing::Ladder::FINEST`].
        Finest = 2,
        /// [`betring_pricing::Ladder::BETDAQ`].
        Betdaq = 3,
        /// The bands that follow the body.
        Own = 4,
    }
}

choice! {
    /// At which price an order is to be matched. (Names: Betfair's OrderType.)
    OrderKind {
        /// At a price of its own, in the book.
        Limit = 1,
        /// At the starting price, if that is within a limit.
        LimitOnClose = 2,
        /// At the starting price.
        MarketOnClose = 3,
    }
}

choice! {
    /// What becomes of what waits of an order when its market turns in-play. (Names: Betfair's PersistenceType.)
    Persistence {
        /// It lapses.
        Lapse = 1,
        /// It stays.
        Persist = 2,
        /// It is matched at the starting price.
        MarketOnClose = 3,
    }
}

choice! {
    /// What the size of an order says. (Names: Betfair's BetTargetType.)
    SizeTarget {
        /// The backer's stake; of a lay at the starting price the liability.
        Stake = 1,
        /// What the backer gets at the limit if the selection wins, stake included.
        Payout = 2,
        /// What the backer wins at the limit beside the stake.
        BackersProfit = 3,
    }
}

choice! {
    /// Which orders of a market lapse.
    LapseScope {
        /// All that wait, those that would persist too: something material has happened.
        All = 1,
        /// Those that would lapse when the market turns in-play.
        NotPersistent = 2,
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
    /// How the result of a selection is written in its entry.
    ResultForm {
        /// It won in full.
        Win = 1,
        /// It lost in full.
        Lose = 2,
        /// Bets on it are off: a non-runner, an abandoned match.
        Void = 3,
        /// As shares: what is void, and what wins and places of the rest.
        Shares = 4,
        /// As a finishing position, alone or tied.
        Position = 5,
    }
}

choice! {
    /// Whether a bet may be placed each way in a market.
    EachWayOffer {
        /// Win only.
        No = 0,
        /// At the terms of the rules in force for as many runners as there are.
        ByTable = 1,
        /// The same, of a handicap.
        Handicap = 2,
        /// At the terms that the market names.
        Own = 3,
    }
}

choice! {
    /// Whether a ticket is each way.
    EachWayKind {
        /// Win only.
        No = 0,
        /// Win lines and place lines.
        WinToWin = 1,
        /// What the first leg returns goes in halves on win and place of the next.
        EquallyDivided = 2,
    }
}

choice! {
    /// What the stake of a ticket is.
    StakeKind {
        /// Of each line.
        Unit = 1,
        /// Of all lines together.
        Total = 2,
    }
}

choice! {
    /// What a trader says to a referred bet.
    ReferralAnswer {
        /// As it was asked for.
        Accept = 1,
        /// At another stake or price: the customer may take that or not.
        Counter = 2,
        /// No.
        Decline = 3,
    }
}

choice! {
    /// What happens to a return above the cap.
    PayoutCap {
        /// The bet is refused (IBAS: tell the customer before, not after).
        Refuse = 1,
        /// The bet is taken, and pays the cap.
        Pay = 2,
    }
}

choice! {
    /// What is rounded.
    RoundingPlace {
        /// The sum of all lines, once.
        Bet = 1,
        /// Every line for itself.
        Line = 2,
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
    // Without a way out in the middle: so it is done in wide words.
    let any = bytes.iter().fold(0, |any, b| any | b);
    if any == 0 { Ok(()) } else { Err(Malformed::NotZero) }
}

fn is(good: bool, otherwise: Malformed) -> Result<(), Malformed> {
    if good { Ok(()) } else { Err(otherwise) }
}

/// What a customer asks for: a price, or none where any will do.
fn asked_price(price: WirePrice, policy: PricePolicy) -> Result<(), Malformed> {
    if price.is_none() {
        return is(policy == PricePolicy::Any, Malformed::PriceMissing);
    }
    is(price.is_price(), Malformed::Price)
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
    /// 121 rounding u8, 122 step_budget u16, 124 zero [u8; 4], 128 limits 7 × i64, 184 zero`
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
    ; zero: 72 }
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
    /// The most that one customer's standing bets may win beyond their stakes.
    pub max_customer: Minor,
    /// The most that the house may lose in one market if one selection of it wins.
    pub max_selection: Minor,
    /// The most that the markets of one fixture may lose together, each in its worst outcome.
    pub max_event: Minor,
}

impl Limits {
    /// From the smallest stake to all the money there may be.
    pub const UNLIMITED: Limits = Limits {
        min_stake: Minor(1),
        max_stake: Minor(Stake::MAX.money().minor()),
        max_payout: Minor(Money::MAX.minor()),
        max_liability: Minor(Money::MAX.minor()),
        max_customer: Minor(Money::MAX.minor()),
        max_selection: Minor(Money::MAX.minor()),
        max_event: Minor(Money::MAX.minor()),
    };

    fn check(&self) -> Result<(), Malformed> {
        let stakes = [self.min_stake, self.max_stake];
        is(stakes.iter().all(|s| s.stake().is_some()), Malformed::Range)?;
        is(self.min_stake <= self.max_stake, Malformed::Range)?;
        let caps = [
            self.max_payout,
            self.max_liability,
            self.max_customer,
            self.max_selection,
            self.max_event,
        ];
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
    /// Legs of all bets in memory: a single has one.
    pub legs: u32,
    /// Groups of markets.
    pub groups: u32,
    /// Accounts that have limits of their own by a period of time.
    pub limited: u32,
    /// Orders of all exchange markets in memory that wait, or of which something was matched. Others are kept as long as
    /// there is room.
    pub orders: u32,
    /// What accounts have in exchange markets in memory: one for each account and market.
    pub positions: u32,
    /// Selections of all those, each market's counted up to the next power of two.
    pub stands: u32,
    /// Prices of the ladders of exchange markets in memory, counted once for each of their selections.
    pub levels: u32,
}

impl Capacities {
    /// The largest capacity of anything: a dense index is 32 bits with room for "none".
    pub const MAX: u32 = 1 << 30;

    /// The capacities, in the order of their layout.
    pub const fn all(&self) -> [u32; 17] {
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
            self.legs,
            self.groups,
            self.limited,
            self.orders,
            self.positions,
            self.stands,
            self.levels,
        ]
    }

    fn check(&self) -> Result<(), Malformed> {
        is(self.all().iter().all(|c| (1..=Self::MAX).contains(c)), Malformed::Range)?;
        let numbered = [self.feeds, self.groups].iter().all(|n| *n < u32::from(u16::MAX));
        is(numbered && self.currencies <= 16, Malformed::Range)
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
            legs: self.legs.max(to.legs),
            groups: self.groups.max(to.groups),
            limited: self.limited.max(to.limited),
            orders: self.orders.max(to.orders),
            positions: self.positions.max(to.positions),
            stands: self.stands.max(to.stands),
            levels: self.levels.max(to.levels),
        }
    }
}

body! {
    /// A run begins. Every feed has to recover; markets with manual prices wait to be opened.
    ///
    /// `80 epoch u32, 84 logic_version u32, 88 rules_id u64, 96 rules_version u32, 100 capacities 17 × u32,
    /// 168 kept_seq u64, 176 cut_segment u64, 184 cut_offset u64, 192 cut_bytes u64, 200 zero`
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
        /// The last sequence that the recovery before this run kept; 0 in a new journal.
        kept_seq: Seq,
        /// First sequence of the segment whose torn tail was cut, 0 if none was.
        cut_segment: Seq,
        /// Where in that segment the cut began, in bytes.
        cut_offset: u64,
        /// How many bytes were cut.
        cut_bytes: u64,
    ; zero: 56 }
    check(self) {
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
    /// `80 reason u32, 84 schema u32, 88 silence_bound i64, 96 delay_bound i64, 104 zero`, then the name
    DefineFeed[64] {
        /// Why.
        reason: u32,
        /// The version that its messages have to say; 0: any. Another one puts it in quarantine.
        schema: u32,
        /// Silent for longer than this, it is down. At most a day.
        silence_bound: Nanos,
        /// A price that took this much longer than the feed's quickest is refused; 0 is no bound.
        delay_bound: Nanos,
    ; zero: 24 }
    tail(self) NAME;
    check(self) {
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
    /// 106 kind u8, 107 each_way u8, 108 places u8, 109 place_num u8, 110 place_den u8, 111 tier u8,
    /// 112 group u16, 114 canary u8, 115 zero`, then the market's external name and one name a selection, 64 bytes each
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
        /// [`EachWayOffer`].
        each_way: u8,
        /// With [`EachWayOffer::Own`]: how many places are paid; else 0.
        places: u8,
        /// With [`EachWayOffer::Own`]: the part of the odds that a place pays, its numerator; else 0.
        place_num: u8,
        /// And its denominator.
        place_den: u8,
        /// Its tier; 0 is the one that bounds nothing until it is set.
        tier: u8,
        /// Its group, whose primary is its feed; 0: none.
        group: GroupId,
        /// 1: a canary, for probes only: its bets are synthetic, and no money report counts it.
        canary: u8,
    ; zero: 13 }
    tail(self) NAME * (1 + usize::from(self.selections));
    check(self) {
        is(self.canary <= 1, Malformed::Choice)?;
        span(self.age_bound)?;
        is((2..=SELECTIONS_MAX).contains(&usize::from(self.selections)), Malformed::Entries)?;
        is(0 < self.winners && self.winners < self.selections, Malformed::Range)?;
        is(MarketKind::from_code(self.kind).is_some(), Malformed::Choice)?;
        let Some(offer) = EachWayOffer::from_code(self.each_way) else {
            return Err(Malformed::Choice);
        };
        let own = self.places != 0 && PlaceFraction::new(self.place_num, self.place_den).is_some();
        let none = (self.places, self.place_num, self.place_den) == (0, 0, 0);
        is(if offer == EachWayOffer::Own { own } else { none }, Malformed::Range)
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
            /// `80 reason u32, 84 level u8, 85 owner u8, 86 selection u16, 88 id u64, 96 zero`
            $name[64] {
                /// Why.
                reason: u32,
                /// [`Level`].
                level: u8,
                /// [`Owner`].
                owner: u8,
                /// Which selection of the market, at that level; else 0.
                selection: SelectionIndex,
                /// The market, fixture, feed or group; 0 for the engine.
                id: u64,
            ; zero: 32 }
            check(self) {
                is(Owner::from_code(self.owner).is_some(), Malformed::Choice)?;
                // The engine suspends a selection for what it could cost, and releases it for that alone.
                let engines = self.level == Level::Selection as u8
                    && self.owner == Owner::Engine as u8
                    && Self::KIND == Kind::Suspend;
                is(!engines, Malformed::EngineOnly)?;
                match Level::from_code(self.level) {
                    Some(Level::Selection) => Ok(()),
                    _ if self.selection.0 != 0 => Err(Malformed::Range),
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
    /// `80 reason u32, 84 selection u16, 86 withdrawn u8, 87 deduct u8, 88 market u64,
    /// 96 price e4 u32, num u16, den u16, 104 factor u16, 106 zero`
    WithdrawSelection[64] {
        /// Why.
        reason: u32,
        /// Which selection.
        selection: SelectionIndex,
        /// 1 out, 0 in.
        withdrawn: u8,
        /// 1: winnings of bets placed before are reduced by the table of their rules (Rule 4).
        deduct: u8,
        /// Which market.
        market: MarketId,
        /// The price that the reduction goes by; none: the price in force.
        price: WirePrice,
        /// Of an exchange market: the reduction factor of what was matched on the others, in ten-thousandths, at
        /// most 10,000; else 0.
        factor: u16,
    ; zero: 22 }
    check(self) {
        is(self.withdrawn <= 1 && self.deduct <= self.withdrawn, Malformed::Choice)?;
        is(self.factor <= 10_000 && (self.factor == 0 || self.withdrawn == 1), Malformed::Range)?;
        is(self.price.is_none() || self.deduct == 1 && self.price.is_price(), Malformed::Price)
    }
}

body! {
    /// The result of a market: every selection with its outcome. Starts the settlement, or, when there
    /// was another result, the next version of it.
    ///
    /// `80 reason u32, 84 count u16, 86 certainty u8, 87 zero u8, 88 market u64, 96 source i64, 104 zero`,
    /// then count × [`ResultEntry`]
    MarketResult[64] {
        /// Why.
        reason: u32,
        /// How many entries: one for every selection.
        count: u16,
        /// How sure the source is: 0 not said (as good as confirmed), 1 seen live, 2 confirmed.
        certainty: u8,
        /// Zero.
        pad: [u8; 1],
        /// Which market.
        market: MarketId,
        /// When the source said so, on its own clock: what it said earlier has no effect any more. 0 if
        /// it does not say; then the order of arrival counts.
        source: Timestamp,
    ; zero: 24 }
    tail(self) size_of::<ResultEntry>() * usize::from(self.count);
    check(self) {
        zeros(&self.pad)?;
        is(self.certainty <= 2 && 0 <= self.source.0, Malformed::Range)?;
        is((2..=SELECTIONS_MAX).contains(&usize::from(self.count)), Malformed::Entries)
    }
}

/// One selection's outcome: `0 selection u16, 2 form u8, 3 rule4 u8, 4 win 2 × u16, 8 place 2 × u16,
/// 12 void 2 × u16`. Shares are numerator and denominator; a form without shares has zeros there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ResultEntry {
    /// Which selection.
    pub selection: SelectionIndex,
    /// [`ResultForm`].
    pub form: u8,
    /// What is taken from each pound of winnings, in pence, 0 to 90, beside what withdrawals take.
    pub rule4: u8,
    /// Of [`ResultForm::Shares`]: what wins of that which is not void. Of [`ResultForm::Position`]: the
    /// position from 1, and how many share it.
    pub win: [u16; 2],
    /// Of [`ResultForm::Shares`]: what places of that which is not void.
    pub place: [u16; 2],
    /// Of [`ResultForm::Shares`]: what is void.
    pub void: [u16; 2],
}

impl ResultEntry {
    /// The outcome of a selection.
    pub fn new(selection: SelectionIndex, outcome: SelectionOutcome) -> ResultEntry {
        let nothing = [0; 2];
        ResultEntry {
            selection,
            form: outcome as u8,
            rule4: 0,
            win: nothing,
            place: nothing,
            void: nothing,
        }
    }

    /// The outcome as numbers: dead heats, half results, places.
    pub fn shares(selection: SelectionIndex, numbers: LegNumbers) -> ResultEntry {
        let share = |share: Share| [share.num(), share.den()];
        ResultEntry {
            selection,
            form: ResultForm::Shares as u8,
            rule4: numbers.rule4.get(),
            win: share(numbers.win),
            place: share(numbers.place),
            void: share(numbers.void),
        }
    }

    /// Where a runner finished, from 1, and how many shared that position (1: it alone).
    pub fn position(selection: SelectionIndex, position: u16, tied: u16) -> ResultEntry {
        ResultEntry {
            form: ResultForm::Position as u8,
            win: [position, tied],
            ..ResultEntry::new(selection, SelectionOutcome::Lose)
        }
    }

    /// How it is written; checked when the command was read.
    pub fn form(&self) -> ResultForm {
        ResultForm::from_code(self.form).expect("checked when the command was read")
    }

    pub(crate) fn check(&self) -> Result<(), Malformed> {
        let share = |[num, den]: [u16; 2]| is(Share::new(num, den).is_some(), Malformed::Range);
        let nothing = |pair: [u16; 2]| is(pair == [0; 2], Malformed::NotZero);
        is(Pence::new(self.rule4).is_some(), Malformed::Range)?;
        match ResultForm::from_code(self.form) {
            None => Err(Malformed::Choice),
            Some(ResultForm::Win | ResultForm::Lose | ResultForm::Void) => {
                [self.win, self.place, self.void].into_iter().try_for_each(nothing)
            }
            Some(ResultForm::Shares) => {
                [self.win, self.place, self.void].into_iter().try_for_each(share)
            }
            Some(ResultForm::Position) => {
                is(0 < self.win[0] && 0 < self.win[1], Malformed::Range)?;
                nothing(self.place)?;
                nothing(self.void)
            }
        }
    }
}

body! {
    /// Sets the limits of a currency, or of a market in a currency.
    ///
    /// `80 reason u32, 84 scope u8, 85 zero u8, 86 currency u16, 88 market u64, 96 limits 7 × i64, 152 zero`
    SetLimits[192] {
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
    ; zero: 104 }
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
    /// 112 as_of i64, 120 schema u32, 124 zero`, then count × [`PriceEntry`]
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
        /// The version of the feed's messages that this was read by; 0 if it has none.
        schema: u32,
    ; zero: 4 }
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

/// Prices of one [`Reprice`]: a whole match of football has 236. With all events that each may cause (a price, a step for
/// liability both ways, a drift, a suspension: 216 bytes) they take half of a record.
pub const REPRICE_MAX: usize = 300;

body! {
    /// Prices of a fixture's markets that one model made from the same inputs: all at once, so that no bet is
    /// decided between two of them. A price equal to the one in force confirms it. Entries of a market that takes no
    /// prices any more are passed over.
    ///
    /// `80 reason u32, 84 feed u16, 86 count u16, 88 fixture u64, 96 feed_seq u64, 104 source i64, 112 as_of i64,
    /// 120 schema u32, 124 model_version u32, 128 model [u8; 16], 144 parameters [u64; 6]`, then count ×
    /// [`RepriceEntry`]
    Reprice[128] {
        /// Why; 0.
        reason: u32,
        /// Whose prices.
        feed: FeedId,
        /// How many entries, 1 to [`REPRICE_MAX`].
        count: u16,
        /// Which fixture.
        fixture: FixtureId,
        /// The feed's own number of the message, rising by one; 0 where it has none.
        feed_seq: u64,
        /// When the source says that it priced this, on its own clock; 0 if it does not.
        source: Timestamp,
        /// When the oldest input that the model needed was received, on the engine's clock; 0: as the message.
        as_of: Timestamp,
        /// The version of the feed's messages that this was read by; 0 if it has none.
        schema: u32,
        /// The model's version.
        model_version: u32,
        /// The model's name: printable ASCII, then zeros.
        model: [u8; 16],
        /// What the model was given, as its documentation says: for who asks why a price was what it was. The loop
        /// does not read them.
        parameters: [u64; 6],
    ; zero: 0 }
    tail(self) size_of::<RepriceEntry>() * usize::from(self.count);
    check(self) {
        is((1..=REPRICE_MAX).contains(&usize::from(self.count)), Malformed::Entries)?;
        is(self.feed != FeedId::MANUAL, Malformed::Range)?;
        is(0 <= self.source.0 && 0 <= self.as_of.0, Malformed::Range)?;
        Reprice::named(self.model_name())?;
        zeros(&self.model[self.model_name().len()..])
    }
}

impl Reprice {
    /// The model's name; empty if it is no text.
    pub fn model_name(&self) -> &str {
        let end = self.model.iter().position(|byte| *byte == 0).unwrap_or(self.model.len());
        std::str::from_utf8(&self.model[..end]).unwrap_or("")
    }

    /// A model's name as it travels.
    ///
    /// # Errors
    /// [`Malformed::Name`] unless it is 1 to 16 printable ASCII characters without spaces.
    pub fn named(name: &str) -> Result<[u8; 16], Malformed> {
        let bytes = name.as_bytes();
        let good = (1..=16).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        is(good, Malformed::Name)?;
        let mut model = [0; 16];
        model[..bytes.len()].copy_from_slice(bytes);
        Ok(model)
    }
}

/// One price of a [`Reprice`]: `0 market u64, 8 price e4 u32, num u16, den u16, 16 selection u16, 18 zero [u8; 6]`.
/// They are in order of market and selection, none twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RepriceEntry {
    /// Which market.
    pub market: MarketId,
    /// The price; none takes the selection's price away.
    pub price: WirePrice,
    /// Which selection.
    pub selection: SelectionIndex,
    zero: [u8; 6],
}

impl RepriceEntry {
    /// The price of a market's selection.
    pub fn new(market: MarketId, selection: SelectionIndex, price: WirePrice) -> RepriceEntry {
        RepriceEntry { market, price, selection, zero: [0; 6] }
    }

    fn place(&self) -> (u64, SelectionIndex) {
        (self.market.raw(), self.selection)
    }
}

macro_rules! feed_body {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        body! {
            $(#[$doc])*
            ///
            /// `80 reason u32, 84 feed u16, 86 connection u8, 87 zero, 88 feed_seq u64, 96 source i64,
            /// 104 request u64, 112 schema u32, 116 zero`
            $name[64] {
                /// Why; of a feed's own: 0.
                reason: u32,
                /// Which feed.
                feed: FeedId,
                /// Of a gap: 1 if the connection was lost; else 0.
                connection: u8,
                /// Zero.
                pad: [u8; 1],
                /// The feed's own number of the message, rising by one; 0 where it has none.
                feed_seq: u64,
                /// When the source sent it, on its own clock; 0 if it does not say.
                source: Timestamp,
                /// Of a recovery: the adapter's number of its request; 0 where it has none.
                request: u64,
                /// The version of the feed's messages that this was read by; 0 if it has none.
                schema: u32,
            ; zero: 12 }
            check(self) {
                zeros(&self.pad)?;
                is(self.connection <= 1, Malformed::Choice)?;
                is(self.connection == 0 || Self::KIND == Kind::FeedGap, Malformed::Choice)?;
                let recovers = matches!(Self::KIND, Kind::FeedRecovered | Kind::FeedRecovering);
                is(self.request == 0 || recovers, Malformed::Range)?;
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
    /// The feed has sent everything again: what its adapter asked for with that number.
    FeedRecovered;
    /// The adapter has asked the feed to send everything again.
    FeedRecovering;
}

body! {
    /// Opens an account for an operator's customer. The header's account is 0.
    ///
    /// `80 reference u64, 88 currency u16, 90 purse u8, 91 synthetic u8, 92 zero`
    OpenAccount[64] {
        /// The operator's own opaque number, not 0, one account each.
        reference: u64,
        /// ISO 4217 number.
        currency: u16,
        /// [`Purse`].
        purse: u8,
        /// 1: a probe's, whose money and bets are kept out of money reports.
        synthetic: u8,
    ; zero: 36 }
    check(self) {
        is(Purse::from_code(self.purse).is_some() && self.synthetic <= 1, Malformed::Choice)?;
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
        asked_price(self.price, policy)?;
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
    /// Places a ticket: one to 25 legs, in lines of given sizes, each way or not.
    ///
    /// `80 stake i64, 88 floor u64, 96 folds u32, 100 bankers u32, 104 legs u8, 105 stake_kind u8,
    /// 106 each_way u8, 107 policy u8, 108 slippage u16, 110 bonus u8, 111 zero`,
    /// then legs × [`LegEntry`]
    PlaceTicket[64] {
        /// The stake: of a line or of all lines, as `stake_kind` says.
        stake: Minor,
        /// The least product of the prices of all legs, in ten-thousandths; 0: whatever it is.
        floor: u64,
        /// Bit k − 1: lines of k legs, bankers included.
        folds: u32,
        /// Bit i: leg i is in every line.
        bankers: u32,
        /// How many legs.
        legs: u8,
        /// [`StakeKind`].
        stake_kind: u8,
        /// [`EachWayKind`].
        each_way: u8,
        /// [`PricePolicy`], of each leg.
        policy: u8,
        /// With [`PricePolicy::Within`]: by how many ten-thousandths of it a leg's price may be lower.
        slippage: u16,
        /// 1: a free bet, from the account's bonus money; what it wins is paid without the stake.
        bonus: u8,
    ; zero: 17 }
    tail(self) size_of::<LegEntry>() * usize::from(self.legs);
    check(self) {
        is((1..=LEGS_MAX).contains(&usize::from(self.legs)), Malformed::Entries)?;
        is(self.shape().is_some(), Malformed::Folds)?;
        is(StakeKind::from_code(self.stake_kind).is_some(), Malformed::Choice)?;
        is(self.total().is_some(), Malformed::Stake)?;
        let Some(policy) = PricePolicy::from_code(self.policy) else {
            return Err(Malformed::PricePolicy);
        };
        let slips = if policy == PricePolicy::Within { 1..=10_000 } else { 0..=0 };
        is(slips.contains(&self.slippage), Malformed::Slippage)?;
        is(self.bonus <= 1, Malformed::Choice)
    }
}

impl From<EachWayKind> for EachWay {
    fn from(kind: EachWayKind) -> EachWay {
        match kind {
            EachWayKind::No => EachWay::No,
            EachWayKind::WinToWin => EachWay::WinToWin,
            EachWayKind::EquallyDivided => EachWay::EquallyDivided,
        }
    }
}

impl From<EachWay> for EachWayKind {
    fn from(each_way: EachWay) -> EachWayKind {
        match each_way {
            EachWay::No => EachWayKind::No,
            EachWay::WinToWin => EachWayKind::WinToWin,
            EachWay::EquallyDivided => EachWayKind::EquallyDivided,
        }
    }
}

impl PlaceTicket {
    /// Its lines, if there are any such.
    pub fn shape(&self) -> Option<Shape> {
        let each_way = EachWayKind::from_code(self.each_way)?;
        Shape::new(self.legs, self.folds, self.bankers, each_way.into()).ok()
    }

    /// The stake of all its lines together, if it is one.
    pub fn total(&self) -> Option<Stake> {
        let stake = self.stake.stake()?;
        match StakeKind::from_code(self.stake_kind)? {
            StakeKind::Total => Some(stake),
            StakeKind::Unit => {
                let lines = i64::try_from(self.shape()?.lines()).ok()?;
                Stake::from_minor(stake.minor().checked_mul(lines)?)
            }
        }
    }
}

/// One leg of a ticket: `0 market u64, 8 version u64, 16 price e4 u32, num u16, den u16,
/// 24 selection u16, 26 zero [u8; 6]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LegEntry {
    /// Which market.
    pub market: MarketId,
    /// The version of the price that the customer saw; 0 if not known.
    pub version: PriceVersion,
    /// The price that the customer asks for; none only with [`PricePolicy::Any`].
    pub price: WirePrice,
    /// Which selection.
    pub selection: SelectionIndex,
    zero: [u8; 6],
}

impl LegEntry {
    /// A leg on a selection, asked for at a price.
    pub fn new(
        market: MarketId,
        selection: SelectionIndex,
        price: WirePrice,
        version: PriceVersion,
    ) -> LegEntry {
        LegEntry { market, version, price, selection, zero: [0; 6] }
    }

    fn check(&self, policy: PricePolicy) -> Result<(), Malformed> {
        zeros(&self.zero)?;
        asked_price(self.price, policy)
    }
}

body! {
    /// Sells a bet back to the house, or part of it, for what it is worth at the prices in force.
    ///
    /// `80 bet u64, 88 take i64, 96 accept i64, 104 policy u8, 105 zero u8, 106 slippage u16, 108 zero`
    CashOut[64] {
        /// The bet.
        bet: BetId,
        /// How much of its stake is sold; 0 is all of it.
        take: Minor,
        /// The value that the customer was shown; 0 only with [`PricePolicy::Any`].
        accept: Minor,
        /// [`PricePolicy`], of the value: exactly that, at least that, within, or any.
        policy: u8,
        /// Zero.
        pad: [u8; 1],
        /// With [`PricePolicy::Within`]: by how many ten-thousandths of it the value may be lower.
        slippage: u16,
    ; zero: 20 }
    check(self) {
        zeros(&self.pad)?;
        is(self.take.0 == 0 || self.take.stake().is_some(), Malformed::Stake)?;
        let Some(policy) = PricePolicy::from_code(self.policy) else {
            return Err(Malformed::PricePolicy);
        };
        let none = policy == PricePolicy::Any && self.accept.0 == 0;
        let some = 0 < self.accept.0 && self.accept.money().is_some();
        is(none || some, Malformed::Amount)?;
        let slips = if policy == PricePolicy::Within { 1..=10_000 } else { 0..=0 };
        is(slips.contains(&self.slippage), Malformed::Slippage)
    }
}

body! {
    /// Sells a bet back by itself as soon as it is worth so much. `80 bet u64, 88 value i64, 96 zero`
    SetAutoCashOut[64] {
        /// The bet.
        bet: BetId,
        /// The value, at which or above which it is sold; 0: not any more.
        value: Minor,
    ; zero: 32 }
    check(self) {
        is(0 <= self.value.0 && self.value.money().is_some(), Malformed::Amount)
    }
}

body! {
    /// Publishes a set of rules, which gets the next number. `80 reason u32, 84 zero`, then [`Ruleset`]
    PublishRules[64] {
        /// Why.
        reason: u32,
    ; zero: 44 }
    tail(self) size_of::<Ruleset>();
    check(self) { Ok(()) }
}

body! {
    /// Turns a market in-play, or back. `80 reason u32, 84 in_play u8, 85 zero [u8; 3], 88 market u64,
    /// 96 delay i64, 104 zero`
    SetInPlay[64] {
        /// Why.
        reason: u32,
        /// 1 in-play.
        in_play: u8,
        /// Zero.
        pad: [u8; 3],
        /// Which market.
        market: MarketId,
        /// How long a bet waits before it is decided again at the price of that moment; 0: it does not.
        delay: Nanos,
    ; zero: 24 }
    check(self) {
        zeros(&self.pad)?;
        is(self.in_play <= 1, Malformed::Choice)?;
        span(self.delay)
    }
}

body! {
    /// A trader's answer to a referred bet.
    ///
    /// `80 reason u32, 84 answer u8, 85 count u8, 86 zero [u8; 2], 88 bet u64, 96 stake i64, 104 zero`,
    /// then count × [`PriceEntry`], whose selection is the number of the leg
    AnswerReferral[64] {
        /// Why.
        reason: u32,
        /// [`ReferralAnswer`].
        answer: u8,
        /// How many prices: one for each leg, or none: those in force.
        count: u8,
        /// Zero.
        pad: [u8; 2],
        /// The bet.
        bet: BetId,
        /// The stake that is offered instead, at most that asked for; 0: the one asked for.
        stake: Minor,
    ; zero: 24 }
    tail(self) size_of::<PriceEntry>() * usize::from(self.count);
    check(self) {
        zeros(&self.pad)?;
        is(usize::from(self.count) <= LEGS_MAX, Malformed::Entries)?;
        is(self.stake.0 == 0 || self.stake.stake().is_some(), Malformed::Stake)?;
        match ReferralAnswer::from_code(self.answer) {
            None => Err(Malformed::Choice),
            Some(ReferralAnswer::Accept) => is(self.stake.0 == 0, Malformed::Stake),
            Some(ReferralAnswer::Counter) => Ok(()),
            Some(ReferralAnswer::Decline) => {
                is(self.stake.0 == 0, Malformed::Stake)?;
                is(self.count == 0, Malformed::Entries)
            }
        }
    }
}

body! {
    /// Stops cash-outs at a level for an owner, or takes that back.
    ///
    /// `80 reason u32, 84 level u8, 85 owner u8, 86 frozen u8, 87 zero u8, 88 id u64, 96 zero`
    FreezeCashOut[64] {
        /// Why.
        reason: u32,
        /// [`Level`].
        level: u8,
        /// [`Owner`].
        owner: u8,
        /// 1 frozen, 0 not any more for this owner.
        frozen: u8,
        /// Zero.
        pad: [u8; 1],
        /// The market, fixture or feed; 0 for the engine.
        id: u64,
    ; zero: 32 }
    check(self) {
        zeros(&self.pad)?;
        is(self.frozen <= 1, Malformed::Choice)?;
        is(Owner::from_code(self.owner).is_some(), Malformed::Choice)?;
        match Level::from_code(self.level) {
            Some(Level::Engine) => is(self.id == 0, Malformed::Range),
            Some(Level::Selection) | None => Err(Malformed::Choice),
            Some(_) => Ok(()),
        }
    }
}

body! {
    /// Defines a group of markets: which feed prices them, and which one stands by.
    ///
    /// `80 reason u32, 84 primary u16, 86 backup u16, 88 zero`, then the name
    DefineGroup[64] {
        /// Why.
        reason: u32,
        /// The feed that prices its markets at first, and whenever it can.
        primary: FeedId,
        /// The feed that stands by, and that the primary is compared with; another one.
        backup: FeedId,
    ; zero: 40 }
    tail(self) NAME;
    check(self) {
        let feeds = self.primary != FeedId::MANUAL && self.backup != FeedId::MANUAL;
        is(feeds && self.primary != self.backup, Malformed::Range)
    }
}

body! {
    /// Lets a group's markets be priced by its other feed, in one step. It is a suspension of that
    /// moment: what was offered, held to bind later, or waits, is refused; bets bind to the other
    /// feed's prices from here on.
    ///
    /// `80 reason u32, 84 group u16, 86 to u8, 87 zero`
    SwitchFeed[64] {
        /// Why.
        reason: u32,
        /// Which group.
        group: GroupId,
        /// [`Drives`].
        to: u8,
    ; zero: 41 }
    check(self) { is(Drives::from_code(self.to).is_some(), Malformed::Choice) }
}

body! {
    /// Sets what holds for all markets of a tier, from here on.
    ///
    /// `80 reason u32, 84 tier u8, 85 act u8, 86 band u8, 87 ticks u8, 88 steps u8, 89 zero [u8; 3],
    /// 92 drift_band u32, 96 age_bound i64, 104 cash_out_age i64, 112 drift_dwell i64, 120 price_band u32,
    /// 124 zero`
    SetTier[64] {
        /// Why.
        reason: u32,
        /// Which tier.
        tier: u8,
        /// [`LiabilityAct`].
        act: u8,
        /// The width of a band of a selection's liability, in percent of the market's limit, 1 to 100;
        /// 0 with [`LiabilityAct::No`].
        band: u8,
        /// With [`LiabilityAct::Step`]: by how many ticks a band shortens the price, from 1; else 0.
        ticks: u8,
        /// With [`LiabilityAct::Step`]: after so many bands, from 1, the selection is suspended; else 0.
        steps: u8,
        /// Zero.
        pad: [u8; 3],
        /// How far the feeds may be apart, |primary − backup| / backup in parts per million; 0: not compared.
        drift_band: u32,
        /// Older prices are refused; 0: the market's own bound alone. The stricter of both holds.
        age_bound: Nanos,
        /// Older prices buy no bet back; 0: that of the rules alone. The stricter of both holds.
        cash_out_age: Nanos,
        /// How long they may be further apart than the band; from then on bets are refused.
        drift_dwell: Nanos,
        /// How far a price may move at once, in parts per million of what it was; 0: as far as it likes.
        price_band: u32,
    ; zero: 4 }
    check(self) {
        zeros(&self.pad)?;
        span(self.age_bound)?;
        span(self.cash_out_age)?;
        span(self.drift_dwell)?;
        let numbers = (self.band, self.ticks, self.steps);
        let good = match LiabilityAct::from_code(self.act) {
            None => return Err(Malformed::Choice),
            Some(LiabilityAct::No) => numbers == (0, 0, 0),
            Some(LiabilityAct::Step) => {
                (1..=100).contains(&self.band) && 0 < self.ticks && 0 < self.steps
            }
            Some(LiabilityAct::Suspend) => {
                (1..=100).contains(&self.band) && self.ticks == 0 && self.steps == 0
            }
        };
        is(good && (self.drift_band != 0 || self.drift_dwell == Nanos::ZERO), Malformed::Range)
    }
}

body! {
    /// Puts a market into a tier. `80 reason u32, 84 tier u8, 85 zero [u8; 3], 88 market u64, 96 zero`
    AssignTier[64] {
        /// Why.
        reason: u32,
        /// Which tier.
        tier: u8,
        /// Zero.
        pad: [u8; 3],
        /// Which market.
        market: MarketId,
    ; zero: 32 }
    check(self) { zeros(&self.pad) }
}

body! {
    /// Says which version of its messages a feed is to send. A feed in quarantine has to recover then.
    ///
    /// `80 reason u32, 84 feed u16, 86 zero [u8; 2], 88 schema u32, 92 zero`
    SetFeedSchema[64] {
        /// Why.
        reason: u32,
        /// Which feed.
        feed: FeedId,
        /// Zero.
        pad: [u8; 2],
        /// The version; 0: any.
        schema: u32,
    ; zero: 36 }
    check(self) {
        zeros(&self.pad)?;
        is(self.feed != FeedId::MANUAL, Malformed::Range)
    }
}

body! {
    /// A trader's word on a price: it outranks every feed.
    ///
    /// `80 reason u32, 84 selection u16, 86 act u8, 87 zero u8, 88 market u64, 96 price e4 u32, num u16,
    /// den u16, 104 zero`
    TraderPrice[64] {
        /// Why.
        reason: u32,
        /// Which selection.
        selection: SelectionIndex,
        /// [`TraderPriceAct`].
        act: u8,
        /// Zero.
        pad: [u8; 1],
        /// Which market.
        market: MarketId,
        /// The price that is pinned; else none.
        price: WirePrice,
    ; zero: 24 }
    check(self) {
        zeros(&self.pad)?;
        match TraderPriceAct::from_code(self.act) {
            None => Err(Malformed::Choice),
            Some(TraderPriceAct::Pin) => is(self.price.is_price(), Malformed::Price),
            Some(_) => is(self.price.is_none(), Malformed::Price),
        }
    }
}

body! {
    /// Scales the largest stake. All factors that apply to a bet are multiplied.
    ///
    /// `80 reason u32, 84 scope u8, 85 zero [u8; 3], 88 id u64, 96 percent u32, 100 zero`
    SetStakeFactor[64] {
        /// Why.
        reason: u32,
        /// [`FactorScope`].
        scope: u8,
        /// Zero.
        pad: [u8; 3],
        /// The feed, fixture, market, tier or account; 0 for everything.
        id: u64,
        /// 100 is as it is, 0 takes nothing, at most 10,000.
        percent: u32,
    ; zero: 28 }
    check(self) {
        zeros(&self.pad)?;
        is(self.percent <= 10_000, Malformed::Range)?;
        match FactorScope::from_code(self.scope) {
            None => Err(Malformed::Choice),
            Some(FactorScope::Engine) => is(self.id == 0, Malformed::Range),
            Some(FactorScope::Tier) => is(self.id <= 255, Malformed::Range),
            Some(_) => Ok(()),
        }
    }
}

body! {
    /// Says when load is shed, from here on and in every later run, whatever the configuration says.
    ///
    /// `80 reason u32, 84 mode u8, 85 zero`
    SetShedding[64] {
        /// Why.
        reason: u32,
        /// [`Shed`]; 0: as the configuration says, again.
        mode: u8,
    ; zero: 43 }
    check(self) { is(self.mode == 0 || Shed::from_code(self.mode).is_some(), Malformed::Choice) }
}

fn own_limit(kind: u8, period: u8, amount: Minor) -> Result<(), Malformed> {
    let choices = LimitKind::from_code(kind).is_some() && Period::from_code(period).is_some();
    is(choices, Malformed::Choice)?;
    is(0 <= amount.0 && amount.money().is_some(), Malformed::Amount)
}

body! {
    /// Sets one of an account's limits by a period of time, at once.
    ///
    /// `80 reason u32, 84 kind u8, 85 period u8, 86 zero [u8; 2], 88 account u64, 96 amount i64, 104 zero`
    SetAccountLimit[64] {
        /// Why.
        reason: u32,
        /// [`LimitKind`].
        kind: u8,
        /// [`Period`].
        period: u8,
        /// Zero.
        pad: [u8; 2],
        /// Whose.
        account: AccountId,
        /// The most of it in a period; 0: no limit.
        amount: Minor,
    ; zero: 24 }
    check(self) {
        zeros(&self.pad)?;
        own_limit(self.kind, self.period, self.amount)
    }
}

body! {
    /// Sets one of the customer's own limits. Less applies at once, more after 24 hours (RTS 12).
    ///
    /// `80 kind u8, 81 period u8, 82 zero [u8; 6], 88 amount i64, 96 zero`
    SetOwnLimit[64] {
        /// [`LimitKind`].
        kind: u8,
        /// [`Period`].
        period: u8,
        /// Zero.
        pad: [u8; 6],
        /// The most of it in a period; 0: no limit.
        amount: Minor,
    ; zero: 32 }
    check(self) {
        zeros(&self.pad)?;
        own_limit(self.kind, self.period, self.amount)
    }
}

body! {
    /// Excludes an account: no bets, no deposits; its money may be withdrawn, its bets stand.
    ///
    /// `80 reason u32, 84 zero [u8; 4], 88 account u64, 96 until i64, 104 zero`
    ExcludeAccount[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// Whose.
        account: AccountId,
        /// Until this moment; the end of time: for good.
        until: Timestamp,
    ; zero: 24 }
    check(self) {
        zeros(&self.pad)?;
        is(0 < self.until.0, Malformed::Range)
    }
}

body! {
    /// A customer excludes itself. `80 until i64, 88 zero`
    ExcludeSelf[64] {
        /// Until this moment; the end of time: for good.
        until: Timestamp,
    ; zero: 40 }
    check(self) { is(0 < self.until.0, Malformed::Range) }
}

body! {
    /// The external wallet holds the stake of a bet: it may open.
    ///
    /// `80 reason u32, 84 zero [u8; 4], 88 bet u64, 96 amount i64, 104 reference u64, 112 zero`
    ConfirmHold[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// The bet whose stake was to be held.
        bet: BetId,
        /// How much is held: exactly the stake, anything else is refused.
        amount: Minor,
        /// The wallet's own number of it.
        reference: u64,
    ; zero: 16 }
    check(self) {
        zeros(&self.pad)?;
        is(self.amount.stake().is_some(), Malformed::Stake)
    }
}

body! {
    /// The external wallet does not hold the stake of a bet, and will not: it is refused.
    ///
    /// `80 reason u32, 84 zero [u8; 4], 88 bet u64, 96 zero`
    ReleaseHold[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// The bet.
        bet: BetId,
    ; zero: 32 }
    check(self) { zeros(&self.pad) }
}

body! {
    /// Voids the bets of a market that were placed in a window, or takes that back.
    ///
    /// `80 reason u32, 84 cancel u8, 85 zero [u8; 3], 88 market u64, 96 from i64, 104 until i64,
    /// 112 source i64, 120 zero`
    CancelBets[64] {
        /// Why.
        reason: u32,
        /// 1 void, 0 takes it back.
        cancel: u8,
        /// Zero.
        pad: [u8; 3],
        /// Which market.
        market: MarketId,
        /// Bets placed from here on; 0: from the first.
        from: Timestamp,
        /// And before this; 0: to the last.
        until: Timestamp,
        /// When the source said so, on its own clock: what it said of this window earlier has no effect
        /// any more. 0 if it does not say.
        source: Timestamp,
    ; zero: 8 }
    check(self) {
        zeros(&self.pad)?;
        is(self.cancel <= 1, Malformed::Choice)?;
        let positive = 0 <= self.from.0 && 0 <= self.until.0 && 0 <= self.source.0;
        is(positive && (self.until.0 == 0 || self.from < self.until), Malformed::Range)
    }
}

body! {
    /// Takes a market's result back: its bets are open again. `80 reason u32, 84 zero [u8; 4],
    /// 88 market u64, 96 source i64, 104 zero`
    RollbackResult[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// Which market.
        market: MarketId,
        /// When the source said so, on its own clock; 0 if it does not say.
        source: Timestamp,
    ; zero: 24 }
    check(self) {
        zeros(&self.pad)?;
        is(0 <= self.source.0, Malformed::Range)
    }
}

body! {
    /// Voids one bet, or takes that back. `80 reason u32, 84 cancel u8, 85 zero [u8; 3], 88 bet u64, 96 zero`
    CancelBet[64] {
        /// Why.
        reason: u32,
        /// 1 void, 0 takes it back.
        cancel: u8,
        /// Zero.
        pad: [u8; 3],
        /// The bet.
        bet: BetId,
    ; zero: 32 }
    check(self) {
        zeros(&self.pad)?;
        is(self.cancel <= 1, Malformed::Choice)
    }
}

body! {
    /// Settles a leg at another price than it was bound to: a palpable error.
    ///
    /// `80 reason u32, 84 leg u8, 85 zero [u8; 3], 88 bet u64, 96 price e4 u32, num u16, den u16, 104 zero`
    CorrectPrice[64] {
        /// Why.
        reason: u32,
        /// Which leg, from 0.
        leg: u8,
        /// Zero.
        pad: [u8; 3],
        /// The bet.
        bet: BetId,
        /// The price that was right when the bet was placed; none: the one it was bound to, again.
        price: WirePrice,
    ; zero: 24 }
    check(self) {
        zeros(&self.pad)?;
        is(self.price.is_none() || self.price.is_price(), Malformed::Price)
    }
}

body! {
    /// Moves money between the house and an account: what can no longer be settled.
    ///
    /// `80 reason u32, 84 zero [u8; 4], 88 account u64, 96 amount i64, 104 bet u64, 112 zero`
    Adjust[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// Which account.
        account: AccountId,
        /// Into the account, or below zero out of it; then the account may come into debt.
        amount: Minor,
        /// For which bet, if for one; it need not be in memory any more.
        bet: BetId,
    ; zero: 16 }
    check(self) {
        zeros(&self.pad)?;
        is(self.amount.0 != 0 && self.amount.money().is_some(), Malformed::Amount)
    }
}

body! {
    /// Gives an account money for free bets, or takes back what it has not used.
    ///
    /// `80 reason u32, 84 zero [u8; 4], 88 account u64, 96 amount i64, 104 zero`
    GrantBonus[64] {
        /// Why.
        reason: u32,
        /// Zero.
        pad: [u8; 4],
        /// Which account.
        account: AccountId,
        /// Into its bonus money, or below zero out of it.
        amount: Minor,
    ; zero: 24 }
    check(self) {
        zeros(&self.pad)?;
        is(self.amount.0 != 0 && self.amount.money().is_some(), Malformed::Amount)
    }
}

body! {
    /// Asks what became of the request that the header's account and key and this `valid_until` name;
    /// if it was never seen, closes the question: a late copy will be refused. `80 zero`
    Resolve[64] { ; zero: 48 }
    check(self) { Ok(()) }
}

/// Orders of one request, at most. (As published for placeOrders.)
pub const INSTRUCTIONS_MAX: usize = 200;
/// Orders that one request replaces, at most. (As published for replaceOrders.)
pub const REPLACEMENTS_MAX: usize = 60;

body! {
    /// Gives an exchange market its terms, and its book. Once, before it opens.
    ///
    /// `80 reason u32, 84 currency u16, 86 ladder u8, 87 flags u8, 88 market u64, 96 commission u16, 98 bands u16,
    /// 100 zero [u8; 4], 104 min_stake i64, 112 min_payout i64, 120 min_liability i64`, then bands × [`BandEntry`]
    SetExchange[64] {
        /// Why.
        reason: u32,
        /// ISO 4217 number of the currency of all its orders.
        currency: u16,
        /// [`LadderKind`].
        ladder: u8,
        /// [`SetExchange::CROSSES`], [`SetExchange::STARTING_PRICES`], [`SetExchange::PASSIVE_DELAY`],
        /// [`SetExchange::PLACES`], [`SetExchange::LINES`].
        flags: u8,
        /// Which market.
        market: MarketId,
        /// Of net winnings, in ten-thousandths, at most 10,000.
        commission: u16,
        /// How many bands follow: with [`LadderKind::Own`] 1 to [`betring_pricing::BANDS_MAX`], else 0.
        bands: u16,
        /// Zero.
        pad: [u8; 4],
        /// The smallest stake, in minor units.
        min_stake: Minor,
        /// A smaller stake will do if it would pay at least so much, stake included; 0: it never does.
        min_payout: Minor,
        /// The smallest liability of a lay at the starting price, in minor units.
        min_liability: Minor,
    ; zero: 0 }
    tail(self) size_of::<BandEntry>() * usize::from(self.bands);
    check(self) {
        zeros(&self.pad)?;
        let Some(ladder) = LadderKind::from_code(self.ladder) else { return Err(Malformed::Choice) };
        is(self.flags & !Self::FLAGS == 0, Malformed::Flags)?;
        let lines = self.flags & Self::LINES != 0;
        let alone = self.flags & Self::NOT_OF_LINES == 0 && ladder == LadderKind::Classic;
        is(!lines || alone, Malformed::Flags)?;
        is(self.commission <= 10_000, Malformed::Range)?;
        let bands = usize::from(self.bands);
        let own = (1..=betring_pricing::BANDS_MAX).contains(&bands);
        is(if ladder == LadderKind::Own { own } else { bands == 0 }, Malformed::Entries)?;
        is(self.min_stake.stake().is_some() && self.min_liability.stake().is_some(), Malformed::Amount)?;
        is(0 <= self.min_payout.0 && self.min_payout.money().is_some(), Malformed::Amount)
    }
}

impl SetExchange {
    /// The house stands between selections where that makes a better price.
    pub const CROSSES: u8 = 1;
    /// There are starting prices.
    pub const STARTING_PRICES: u8 = 2;
    /// In play only an order that would be matched at once waits for the delay.
    pub const PASSIVE_DELAY: u8 = 4;
    /// A market of places: reduction factors apply to winnings, not to odds, and to small ones too.
    pub const PLACES: u8 = 8;
    /// A line market: its selections are lines, the lowest first, each of which wins if the result is below it. All orders are
    /// at 2.00, the ladder is left classic, and none of the other flags goes with it but [`SetExchange::PASSIVE_DELAY`].
    pub const LINES: u8 = 16;
    const NOT_OF_LINES: u8 = Self::CROSSES | Self::STARTING_PRICES | Self::PLACES;
    const FLAGS: u8 = Self::NOT_OF_LINES | Self::PASSIVE_DELAY | Self::LINES;
}

/// A band of a ladder: `0 from u32, 4 to u32, 8 step u32`, all in ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BandEntry {
    /// Its first price.
    pub from_e4: u32,
    /// Its last, the first of the next band.
    pub to_e4: u32,
    /// From price to price.
    pub step_e4: u32,
}

impl BandEntry {
    /// The band, if both ends are prices.
    pub fn band(&self) -> Option<Band> {
        let [from, to] = [self.from_e4, self.to_e4].map(Price::from_e4);
        Some(Band { from: from?, to: to?, step_e4: self.step_e4 })
    }
}

/// The ladder that a body and its bands name, if they are one.
pub fn ladder_of(body: &SetExchange, bands: Entries<'_, BandEntry>) -> Option<Ladder> {
    if body.flags & SetExchange::LINES != 0 {
        return Some(Ladder::EVEN);
    }
    match LadderKind::from_code(body.ladder)? {
        LadderKind::Classic => Some(Ladder::CLASSIC),
        LadderKind::Finest => Some(Ladder::FINEST),
        LadderKind::Betdaq => Some(Ladder::BETDAQ),
        LadderKind::Own => {
            let bands: Vec<Band> = bands.iter().map(|b| b.band()).collect::<Option<_>>()?;
            Ladder::new(&bands).ok()
        }
    }
}

body! {
    /// Sets what is taken off an account's commission. `80 reason u32, 84 discount u16, 86 zero [u8; 2],
    /// 88 account u64, 96 zero`
    SetDiscount[64] {
        /// Why.
        reason: u32,
        /// In ten-thousandths of the commission, at most 10,000.
        discount: u16,
        /// Zero.
        pad: [u8; 2],
        /// Which account.
        account: AccountId,
    ; zero: 32 }
    check(self) {
        zeros(&self.pad)?;
        is(self.discount <= 10_000, Malformed::Range)
    }
}

body! {
    /// Lets the orders of an exchange market that wait lapse. `80 reason u32, 84 scope u8, 85 zero [u8; 3],
    /// 88 market u64, 96 zero`
    LapseOrders[64] {
        /// Why.
        reason: u32,
        /// [`LapseScope`].
        scope: u8,
        /// Zero.
        pad: [u8; 3],
        /// Which market.
        market: MarketId,
    ; zero: 32 }
    check(self) {
        zeros(&self.pad)?;
        is(LapseScope::from_code(self.scope).is_some(), Malformed::Choice)
    }
}

body! {
    /// Places orders on an exchange market: all of them or none.
    ///
    /// `80 market u64, 88 market_version u64, 96 count u16, 98 zero`, then count × [`OrderEntry`]
    PlaceOrders[64] {
        /// Which market.
        market: MarketId,
        /// The version of the market that the customer saw; where it is another by now, the orders lapse. 0: any.
        market_version: Seq,
        /// How many orders, 1 to [`INSTRUCTIONS_MAX`].
        count: u16,
    ; zero: 30 }
    tail(self) size_of::<OrderEntry>() * usize::from(self.count);
    check(self) { is((1..=INSTRUCTIONS_MAX).contains(&usize::from(self.count)), Malformed::Entries) }
}

/// An order to be: `0 limit u32, 4 selection u16, 6 side u8, 7 kind u8, 8 persistence u8, 9 target u8,
/// 10 self_match u8, 11 flags u8, 12 zero u32, 16 size i64, 24 min_fill i64, 32 reference u128`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OrderEntry {
    /// The worst price that will do, in ten-thousandths; 0 with [`OrderKind::MarketOnClose`].
    pub limit_e4: u32,
    /// Which selection.
    pub selection: SelectionIndex,
    /// [`Side`].
    pub side: u8,
    /// [`OrderKind`].
    pub kind: u8,
    /// [`Persistence`].
    pub persistence: u8,
    /// [`SizeTarget`].
    pub target: u8,
    /// [`SelfMatch`].
    pub self_match: u8,
    /// [`OrderEntry::FILL_OR_KILL`], [`OrderEntry::REFUSE_IMPROVEMENT`].
    pub flags: u8,
    /// Zero.
    pub zero: u32,
    /// Minor units: of what, says the target.
    pub size: Minor,
    /// With fill or kill: matched at least so much, at an average within the limit, or not at all; 0: all of it.
    pub min_fill: Minor,
    /// The customer's own number of it, or its name; carried and never looked at.
    pub reference: u128,
}

impl Default for OrderEntry {
    /// A limit order that rests, and lapses when the market turns in-play; to be filled in.
    fn default() -> OrderEntry {
        OrderEntry {
            limit_e4: 0,
            selection: SelectionIndex(0),
            side: Side::Back as u8,
            kind: OrderKind::Limit as u8,
            persistence: Persistence::Lapse as u8,
            target: SizeTarget::Stake as u8,
            self_match: SelfMatch::RefuseTaker as u8,
            flags: 0,
            zero: 0,
            size: Minor(0),
            min_fill: Minor(0),
            reference: 0,
        }
    }
}

impl OrderEntry {
    /// Matched at once or never.
    pub const FILL_OR_KILL: u8 = 1;
    /// It lapses where a better price than its limit is there.
    pub const REFUSE_IMPROVEMENT: u8 = 2;
    const FLAGS: u8 = Self::FILL_OR_KILL | Self::REFUSE_IMPROVEMENT;

    /// Which way it bets.
    ///
    /// # Panics
    /// If it was not read from a command.
    pub fn side(&self) -> Side {
        Side::from_code(self.side).expect("checked when it was read")
    }

    /// At which price.
    ///
    /// # Panics
    /// If it was not read from a command.
    pub fn kind(&self) -> OrderKind {
        OrderKind::from_code(self.kind).expect("checked when it was read")
    }

    fn check(&self) -> Result<(), Malformed> {
        is(self.zero == 0, Malformed::NotZero)?;
        is(self.flags & !Self::FLAGS == 0, Malformed::Flags)?;
        is(Side::from_code(self.side).is_some(), Malformed::Choice)?;
        is(Persistence::from_code(self.persistence).is_some(), Malformed::Choice)?;
        is(SizeTarget::from_code(self.target).is_some(), Malformed::Choice)?;
        is(SelfMatch::from_code(self.self_match).is_some(), Malformed::Choice)?;
        is(self.size.stake().is_some() && 0 <= self.min_fill.0, Malformed::Amount)?;
        match OrderKind::from_code(self.kind).ok_or(Malformed::Choice)? {
            OrderKind::Limit | OrderKind::LimitOnClose => Ok(()),
            OrderKind::MarketOnClose => is(self.limit_e4 == 0, Malformed::Price),
        }
    }
}

body! {
    /// Cancels orders of a market, or makes them smaller: each for itself. Without entries all of the account's that
    /// wait there.
    ///
    /// `80 market u64, 88 count u16, 90 zero`, then count × [`CancelEntry`]
    CancelOrders[64] {
        /// Which market.
        market: MarketId,
        /// How many, at most [`INSTRUCTIONS_MAX`]; 0: all that wait.
        count: u16,
    ; zero: 38 }
    tail(self) size_of::<CancelEntry>() * usize::from(self.count);
    check(self) { is(usize::from(self.count) <= INSTRUCTIONS_MAX, Malformed::Entries) }
}

/// An order to be cancelled: `0 order u64, 8 by i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CancelEntry {
    /// Which order.
    pub order: OrderId,
    /// By how much, in minor units; 0, or more than waits: all that waits.
    pub by: Minor,
}

body! {
    /// Cancels orders of a market and places what was left of them again at other prices: the cancels each for
    /// itself, then all that were cancelled are placed or none. A cancel is not taken back.
    ///
    /// `80 market u64, 88 market_version u64, 96 count u16, 98 zero`, then count × [`ReplaceEntry`]
    ReplaceOrders[64] {
        /// Which market.
        market: MarketId,
        /// As in [`PlaceOrders`].
        market_version: Seq,
        /// How many, 1 to [`REPLACEMENTS_MAX`].
        count: u16,
    ; zero: 30 }
    tail(self) size_of::<ReplaceEntry>() * usize::from(self.count);
    check(self) { is((1..=REPLACEMENTS_MAX).contains(&usize::from(self.count)), Malformed::Entries) }
}

/// An order to be replaced: `0 order u64, 8 limit u32, 12 zero u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ReplaceEntry {
    /// Which order.
    pub order: OrderId,
    /// The limit of the new one, in ten-thousandths.
    pub limit_e4: u32,
    /// Zero.
    pub zero: u32,
}

body! {
    /// Changes what becomes of orders when their market turns in-play: all of them or none.
    ///
    /// `80 market u64, 88 count u16, 90 zero`, then count × [`UpdateEntry`]
    UpdateOrders[64] {
        /// Which market.
        market: MarketId,
        /// How many, 1 to [`INSTRUCTIONS_MAX`].
        count: u16,
    ; zero: 38 }
    tail(self) size_of::<UpdateEntry>() * usize::from(self.count);
    check(self) { is((1..=INSTRUCTIONS_MAX).contains(&usize::from(self.count)), Malformed::Entries) }
}

/// An order to be changed: `0 order u64, 8 persistence u8, 9 zero`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UpdateEntry {
    /// Which order.
    pub order: OrderId,
    /// [`Persistence`].
    pub persistence: u8,
    /// Zero.
    pub zero: [u8; 7],
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
    pub fn iter(self) -> impl ExactSizeIterator<Item = T> + Clone + 'a {
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
    PublishRules(Ruleset), SetInPlay, AnswerReferral(PriceEntry), FreezeCashOut, CancelBets,
    RollbackResult, CancelBet, CorrectPrice, Adjust, GrantBonus,
    DefineGroup(Names), SwitchFeed, SetTier, AssignTier, SetFeedSchema, TraderPrice,
    SetStakeFactor, SetShedding, SetAccountLimit, ExcludeAccount, ConfirmHold, ReleaseHold,
    SetPrices(PriceEntry), Reprice(RepriceEntry), FeedHeartbeat, FeedGap, FeedRecovered, FeedRecovering,
    OpenAccount, Deposit, Withdraw, Place, AcceptOffer, DeclineOffer, Resolve,
    PlaceTicket(LegEntry), CashOut, SetAutoCashOut, SetOwnLimit, ExcludeSelf,
    SetExchange(BandEntry), SetDiscount, LapseOrders,
    PlaceOrders(OrderEntry), CancelOrders(CancelEntry), ReplaceOrders(ReplaceEntry),
    UpdateOrders(UpdateEntry),
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
            | Command::DefineFixture(_, names)
            | Command::DefineGroup(_, names) => names.check(),
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
            Command::Reprice(_, entries) => {
                let mut before = None;
                for entry in entries.iter() {
                    zeros(&entry.zero)?;
                    is(entry.price.is_none() || entry.price.is_price(), Malformed::Price)?;
                    is(usize::from(entry.selection.0) < SELECTIONS_MAX, Malformed::Range)?;
                    is(before < Some(entry.place()), Malformed::Entries)?;
                    before = Some(entry.place());
                }
                Ok(())
            }
            Command::MarketResult(_, entries) => {
                let mut seen = [0; 4];
                for entry in entries.iter() {
                    entry.check()?;
                    once(&mut seen, entry.selection)?;
                }
                Ok(())
            }
            Command::PlaceTicket(body, legs) => {
                let policy = PricePolicy::from_code(body.policy).ok_or(Malformed::PricePolicy)?;
                legs.iter().try_for_each(|leg| leg.check(policy))
            }
            Command::AnswerReferral(_, prices) => {
                prices.iter().enumerate().try_for_each(|(at, e)| {
                    is(e.zero == 0, Malformed::NotZero)?;
                    is(e.price.is_none() || e.price.is_price(), Malformed::Price)?;
                    is(usize::from(e.selection.0) == at, Malformed::Entries)
                })
            }
            Command::PublishRules(_, sets) => sets.iter().try_for_each(|set| set.check()),
            Command::SetExchange(body, bands) => {
                is(ladder_of(body, *bands).is_some(), Malformed::Price)
            }
            Command::PlaceOrders(_, orders) => orders.iter().try_for_each(|order| order.check()),
            Command::CancelOrders(_, orders) => {
                orders.iter().try_for_each(|order| is(0 <= order.by.0, Malformed::Amount))
            }
            Command::ReplaceOrders(_, orders) => {
                orders.iter().try_for_each(|order| is(order.zero == 0, Malformed::NotZero))
            }
            Command::UpdateOrders(_, orders) => orders.iter().try_for_each(|order| {
                zeros(&order.zero)?;
                is(Persistence::from_code(order.persistence).is_some(), Malformed::Choice)
            }),
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

    /// Any command without entries, but limits.
    ///
    /// # Panics
    /// If the body does not fit one slot: use [`set_limits`] for those.
    pub fn plain<B: Body>(header: Header, body: &B) -> Slot {
        wire::slot(header, body)
    }

    /// Sets limits: the one body from outside that takes two slots by itself.
    pub fn set_limits(header: Header, body: &SetLimits) -> Vec<Slot> {
        wire::slots(header, body, &[])
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

    /// Defines a group.
    ///
    /// # Errors
    /// [`Malformed::Name`] if the name may not be one.
    pub fn define_group(
        header: Header,
        body: DefineGroup,
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

    /// Reprices a fixture; `body.count` is set from the entries, which are in order of market and selection.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for none or more than [`REPRICE_MAX`].
    pub fn reprice(
        header: Header,
        body: Reprice,
        entries: &[RepriceEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        let mut slots = Vec::new();
        reprice_into(&mut slots, header, body, entries)?;
        Ok(slots)
    }

    /// The same into slots that are used again.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for none or more than [`REPRICE_MAX`]; the slots are then as they were.
    pub fn reprice_into(
        slots: &mut Vec<Slot>,
        header: Header,
        body: Reprice,
        entries: &[RepriceEntry],
    ) -> Result<(), Malformed> {
        is((1..=REPRICE_MAX).contains(&entries.len()), Malformed::Entries)?;
        let count = u16::try_from(entries.len()).map_err(|_| Malformed::Entries)?;
        wire::slots_into(slots, header, &Reprice { count, ..body }, entries.as_bytes());
        Ok(())
    }

    /// Places a ticket; `body.legs` is set from the entries.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for none or more than 25.
    pub fn place_ticket(
        header: Header,
        body: PlaceTicket,
        legs: &[LegEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is((1..=LEGS_MAX).contains(&legs.len()), Malformed::Entries)?;
        let count = u8::try_from(legs.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &PlaceTicket { legs: count, ..body }, legs.as_bytes()))
    }

    /// Answers a referral; `body.count` is set from the prices, one a leg or none.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for more than 25.
    pub fn answer_referral(
        header: Header,
        body: AnswerReferral,
        prices: &[PriceEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is(prices.len() <= LEGS_MAX, Malformed::Entries)?;
        let count = u8::try_from(prices.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &AnswerReferral { count, ..body }, prices.as_bytes()))
    }

    /// Gives an exchange market its terms; `body.bands` is set from the bands.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for more than [`betring_pricing::BANDS_MAX`].
    pub fn set_exchange(
        header: Header,
        body: SetExchange,
        bands: &[BandEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is(bands.len() <= betring_pricing::BANDS_MAX, Malformed::Entries)?;
        let count = u16::try_from(bands.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &SetExchange { bands: count, ..body }, bands.as_bytes()))
    }

    /// Places orders; `body.count` is set from the entries.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for none or more than [`INSTRUCTIONS_MAX`].
    pub fn place_orders(
        header: Header,
        body: PlaceOrders,
        orders: &[OrderEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is((1..=INSTRUCTIONS_MAX).contains(&orders.len()), Malformed::Entries)?;
        let count = u16::try_from(orders.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &PlaceOrders { count, ..body }, orders.as_bytes()))
    }

    /// Cancels orders; `body.count` is set from the entries: none cancels all that wait.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for more than [`INSTRUCTIONS_MAX`].
    pub fn cancel_orders(
        header: Header,
        body: CancelOrders,
        orders: &[CancelEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is(orders.len() <= INSTRUCTIONS_MAX, Malformed::Entries)?;
        let count = u16::try_from(orders.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &CancelOrders { count, ..body }, orders.as_bytes()))
    }

    /// Replaces orders; `body.count` is set from the entries.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for none or more than [`REPLACEMENTS_MAX`].
    pub fn replace_orders(
        header: Header,
        body: ReplaceOrders,
        orders: &[ReplaceEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is((1..=REPLACEMENTS_MAX).contains(&orders.len()), Malformed::Entries)?;
        let count = u16::try_from(orders.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &ReplaceOrders { count, ..body }, orders.as_bytes()))
    }

    /// Changes orders; `body.count` is set from the entries.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for none or more than [`INSTRUCTIONS_MAX`].
    pub fn update_orders(
        header: Header,
        body: UpdateOrders,
        orders: &[UpdateEntry],
    ) -> Result<Vec<Slot>, Malformed> {
        is((1..=INSTRUCTIONS_MAX).contains(&orders.len()), Malformed::Entries)?;
        let count = u16::try_from(orders.len()).map_err(|_| Malformed::Entries)?;
        Ok(wire::slots(header, &UpdateOrders { count, ..body }, orders.as_bytes()))
    }

    /// Publishes a set of rules.
    pub fn publish_rules(header: Header, body: PublishRules, set: &Ruleset) -> Vec<Slot> {
        wire::slots(header, &body, set.as_bytes())
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

const _: () = assert!(size_of::<LegEntry>() == 32);
const _: () = assert!(HEADER + 64 + size_of::<LegEntry>() * LEGS_MAX <= SLOTS_MAX * SLOT);
// The longest commands fit: a market with the most selections, the most prices.
const _: () = assert!(HEADER + 64 + NAME * (1 + SELECTIONS_MAX) <= SLOTS_MAX * SLOT);
const _: () = assert!(HEADER + 64 + size_of::<PriceEntry>() * SELECTIONS_MAX <= SLOTS_MAX * SLOT);
const _: () = assert!(HEADER + 128 + size_of::<RepriceEntry>() * REPRICE_MAX <= SLOTS_MAX * SLOT);
const _: () = assert!(size_of::<RepriceEntry>() == 24);
const _: () = assert!(SELECTIONS_MAX <= 4 * 64);
const _: () = assert!(size_of::<OrderEntry>() == 48);
const _: () = assert!(HEADER + 64 + size_of::<OrderEntry>() * INSTRUCTIONS_MAX <= SLOTS_MAX * SLOT);
// Which of them was refused is told in one byte.
const _: () = assert!(INSTRUCTIONS_MAX <= u8::MAX as usize);
const _: () = assert!(size_of::<PriceEntry>() == 12 && size_of::<ResultEntry>() == 16);
// Money and Stake are bounded so that every sum in a market fits: see `risk.rs`.
const _: () = assert!(Stake::MAX.money().minor() <= Money::MAX.minor());
