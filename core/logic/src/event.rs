//! Everything that may have happened, as it stands in a record behind the command that caused it.
//!
//! An event is `0 kind u8, 1 version u8, 2 bytes u16 (this header included), 4 zero u32`, then its
//! fields as drawn at each, always a multiple of 8. So a reader that knows none of our logic can walk
//! a record, and a reader of an older version can step over what it does not know.

use crate::answer::Answer;
use crate::command::choice;
use crate::id::*;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Minor, WirePrice};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of an event's header.
pub const EVENT_HEADER: usize = 8;
/// Bytes of the longest record's events: 200 orders, and 512 fills of as many makers who are in debt, come to less. With
/// the longest command (16 KiB) a record stays within 144 KiB.
pub const EVENTS_MAX: usize = 128 * 1024;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct EventHeader {
    kind: u8,
    version: u8,
    bytes: u16,
    zero: u32,
}

const _: () = assert!(size_of::<EventHeader>() == EVENT_HEADER);

choice! {
    /// Why money moved.
    TransferWhy {
        /// It came in.
        Deposit = 1,
        /// It went out.
        Withdraw = 2,
        /// A stake goes into escrow.
        Stake = 3,
        /// A stake goes back: an offer ended, a bet is void.
        Return = 4,
        /// A settled stake goes to the house.
        Take = 5,
        /// The house pays a winner, stake included.
        Pay = 6,
        /// A settlement is taken back.
        Reverse = 7,
        /// The house buys a bet back.
        CashOut = 8,
        /// A correction by hand.
        Adjust = 9,
        /// Money for free bets, given or taken back.
        Bonus = 10,
        /// The external wallet holds a stake: it comes in from there.
        WalletIn = 11,
        /// It goes out to the external wallet.
        WalletOut = 12,
        /// What an account may lose in an exchange market goes into escrow, or comes back.
        Exposure = 13,
        /// What an account won or lost in an exchange market.
        Net = 14,
        /// Commission on what it won.
        Commission = 15,
        /// What the house won between selections, and what rounding left.
        Residue = 16,
    }
}

choice! {
    /// How a bet came out.
    BetOutcome {
        /// Not yet.
        None = 0,
        /// Won.
        Won = 1,
        /// Lost.
        Lost = 2,
        /// Void: the stake went back.
        Void = 3,
        /// Settled with a return of less than the stake: half lost, placed.
        Partial = 4,
        /// Sold back to the house.
        CashedOut = 5,
    }
}

choice! {
    /// What a bet waits for.
    PendingWhy {
        /// The end of the in-play delay.
        Delay = 1,
        /// A trader.
        Referral = 2,
        /// The end of the delay of its cash-out.
        CashOut = 3,
        /// The external wallet's confirmation that it holds the stake.
        Wallet = 4,
    }
}

choice! {
    /// How an order was matched.
    Match {
        /// With another order.
        Direct = 1,
        /// With the house, which met orders on all other selections for it.
        Crossed = 2,
        /// With the house, for such an order.
        Leg = 3,
        /// At the starting price.
        Starting = 4,
    }
}

choice! {
    /// Why less of an order waits.
    Cut {
        /// Its customer cancelled it.
        Cancelled = 1,
        /// It met an order of its own account.
        SelfMatch = 2,
        /// It would have had more fills than a request may.
        FillLimit = 3,
        /// There was a better price than its limit, which it did not want.
        Improvement = 4,
        /// Fill or kill: so much was not to be had at once.
        Killed = 5,
        /// Its market had another version than the customer saw.
        Version = 6,
        /// Its market was suspended or closed while it waited for its delay.
        Suspended = 7,
        /// Its market turned in-play.
        InPlay = 8,
        /// The market's orders were made to lapse.
        Swept = 9,
        /// At the starting price nobody was left to match it, or its limit was not met.
        StartingPrice = 10,
        /// A runner was withdrawn, and what was laid before is off.
        NonRunner = 11,
        /// Its own selection was withdrawn.
        Withdrawn = 12,
        /// The result of its market is in.
        Result = 13,
        /// Its account was blocked or excluded since, and it would have been matched.
        Barred = 14,
    }
}

choice! {
    /// How an offer ended without a bet.
    OfferEnd {
        /// The customer declined.
        Declined = 1,
        /// Its time was over.
        Expired = 2,
        /// Its market was suspended, closed or settled.
        Withdrawn = 3,
    }
}

choice! {
    /// Where a market is in its life.
    MarketStatus {
        /// Defined, not open.
        Defined = 1,
        /// Takes bets, unless a level is suspended.
        Open = 2,
        /// Takes no bets.
        Closed = 3,
        /// Its result is in, its bets are being settled.
        Settling = 4,
        /// All its bets are settled.
        Settled = 5,
        /// Its bets are leaving memory.
        Archiving = 6,
        /// It has left memory.
        Archived = 7,
    }
}

choice! {
    /// Where a feed is.
    FeedStatus {
        /// It was asked to send everything again, and has not yet said that it did.
        Recovering = 1,
        /// Its prices count.
        Up = 2,
        /// Silent, with a gap or without a connection: it has to be asked to send everything again.
        Down = 3,
        /// It sends another version of its messages than is known: an operator has to look.
        Quarantined = 4,
    }
}

choice! {
    /// Why a feed changed.
    FeedWhy {
        /// Defined, or the engine started.
        Start = 1,
        /// It was silent for longer than its bound.
        Silence = 2,
        /// A message is missing.
        Gap = 3,
        /// It has sent everything again.
        Recovered = 4,
        /// Its connection was lost.
        Connection = 5,
        /// A message said another version than expected.
        Schema = 6,
        /// It was asked to send everything again.
        Asked = 7,
        /// Its messages take longer than its bound; its status is as it was.
        Slow = 8,
        /// They do not any more; its status is as it was.
        InTime = 9,
        /// An operator said which version it is to send.
        SchemaSet = 10,
    }
}

choice! {
    /// How a hold of a stake in an external wallet ended without a confirmation that counts.
    HoldEnd {
        /// The wallet did not answer in time.
        TimedOut = 1,
        /// The wallet does not hold it.
        Released = 2,
        /// Confirmed, but the bet was refused when the gates were run again.
        Refused = 3,
    }
}

choice! {
    /// What a job does.
    JobKind {
        /// Settles the bets of a market.
        Settle = 1,
        /// Lets the bets of a market leave memory.
        Archive = 2,
        /// Opens the bets of a market again.
        Rollback = 3,
        /// Voids the bets of a window, or takes that back.
        Cancel = 4,
        /// An exchange market turns in-play: what does not persist lapses, starting prices are made.
        Turn = 5,
        /// Orders of an exchange market lapse.
        Lapse = 6,
        /// A runner of an exchange market was withdrawn: its bets are void, the others' odds are cut.
        NonRunner = 7,
    }
}

/// An account of the ledger as it travels: a customer's, or one of the house's own per currency.
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
pub struct LedgerAccount(pub u64);

choice! {
    /// The house's own accounts, one of each per currency.
    HouseAccount {
        /// The world outside: deposits come from it, withdrawals go to it. Minus what is kept here.
        World = 1,
        /// Stakes of open and offered bets.
        Escrow = 2,
        /// The house's profit or loss.
        House = 3,
        /// What rounding left over.
        Rounding = 4,
        /// What was given away for free bets.
        Promotions = 5,
        /// The other side of everything that probes do: no money report counts it.
        Probes = 6,
        /// Between those who lose in an exchange market and those who win: nothing once all are settled.
        Clearing = 7,
        /// What standing between selections of exchange markets brought; it loses nothing as long as no runner is
        /// withdrawn.
        Crossing = 8,
        /// Commission on winnings in exchange markets.
        Commission = 9,
    }
}

impl LedgerAccount {
    // A customer's handle has a generation below these bits for as long as anybody lives.
    const HOUSE: u64 = 1 << 63;
    const BONUS: u64 = 1 << 62;

    /// A customer's.
    pub const fn customer(account: AccountId) -> LedgerAccount {
        LedgerAccount(account.raw())
    }

    /// A customer's money for free bets.
    pub const fn bonus(account: AccountId) -> LedgerAccount {
        LedgerAccount(Self::BONUS | account.raw())
    }

    /// Whether it is money for free bets.
    pub const fn is_bonus(self) -> bool {
        self.0 & (Self::HOUSE | Self::BONUS) == Self::BONUS
    }

    /// The house's, in a currency (ISO 4217 number).
    pub const fn house(account: HouseAccount, currency: u16) -> LedgerAccount {
        LedgerAccount(Self::HOUSE | (account as u64) << 16 | currency as u64)
    }

    /// Whose it is: the customer's handle, or which of the house's.
    pub fn owner(self) -> Result<AccountId, Option<HouseAccount>> {
        if self.0 & Self::HOUSE == 0 {
            return Ok(AccountId::from_raw(self.0 & !Self::BONUS));
        }
        Err(HouseAccount::from_code((self.0 >> 16) as u8))
    }
}

impl std::fmt::Debug for LedgerAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.owner() {
            Ok(account) if self.is_bonus() => write!(f, "{account} bonus"),
            Ok(account) => account.fmt(f),
            Err(Some(house)) => house.fmt(f),
            Err(None) => write!(f, "account {}", self.0),
        }
    }
}

/// What every event of fixed layout is.
pub trait EventBody: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// Its number.
    const KIND: u8;
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $code:literal [$size:literal] {
        $($(#[$fdoc:meta])* $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(C)]
            pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }

            const _: () = assert!(size_of::<$name>() == $size && $size % 8 == 0);

            impl EventBody for $name {
                const KIND: u8 = $code;
            }
        )*

        /// Something that happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event { $($(#[$doc])* $name($name),)* }

        impl Event {
            /// The name.
            pub const fn name(&self) -> &'static str {
                match self { $(Event::$name(_) => stringify!($name),)* }
            }

            /// Every kind of event with its number and its bytes, for tools and golden files.
            pub const LAYOUTS: &'static [(&'static str, u8, usize)] =
                &[$((stringify!($name), $code, EVENT_HEADER + $size),)*];

            fn read(kind: u8, body: &[u8]) -> Option<Event> {
                match kind {
                    $($code => Some(Event::$name($name::read_from_bytes(body).ok()?)),)*
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// A key has its answer.
    Answered = 1 [112] {
        /// Whose request.
        account: u64,
        /// Digest of what was asked.
        digest: u64,
        /// Its key.
        key: RequestKey,
        /// Its time limit: the key is kept until one window later.
        valid_until: Timestamp,
        /// The answer.
        answer: Answer,
        /// 1 if the key was sealed by a question about it.
        sealed: u64,
    }
    /// A bet is open, bound to the price in force (or offered), with the evidence.
    BetOpened = 2 [144] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// In which market.
        market: MarketId,
        /// What it risks, now in escrow.
        stake: Minor,
        /// What it returns if it wins, stake included.
        returns: Minor,
        /// What was asked for.
        requested: WirePrice,
        /// The version that the customer saw, 0 if not known.
        requested_version: PriceVersion,
        /// What it is bound to.
        price: WirePrice,
        /// The version of that.
        version: PriceVersion,
        /// How old that was: now minus the last confirmation.
        price_age: Nanos,
        /// When the bet (or the offer it comes from) was asked for.
        placed_at: Timestamp,
        /// The sequence at which it was asked for: that of this record, or of the offer.
        placed_seq: Seq,
        /// The feed that priced it.
        feed: FeedId,
        /// Which selection.
        selection: SelectionIndex,
        /// ISO 4217 number.
        currency: u16,
        /// Slippage agreed to, in ten-thousandths.
        slippage: u16,
        /// [`crate::command::PricePolicy`].
        policy: u8,
        /// [`crate::answer::Basis`].
        basis: u8,
        /// 1 for a probe's bet.
        synthetic: u8,
        /// Which state it was in before: [`crate::BetState`]; 1 also of one that was open at once.
        from: u8,
        /// The set of rules that settles it.
        ruleset: u32,
        /// The rules in force: version of the operator's rules.
        rules_version: u32,
        /// The logic in force.
        logic_version: u32,
        /// What the market loses in its worst outcome with this bet; below zero it wins in all.
        market_worst: Minor,
        /// Key of the request that opened it.
        key: RequestKey,
    }
    /// A bet is offered; its stake is in escrow until the end of the offer. One event a leg.
    BetOffered = 3 [104] {
        /// The bet to be.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// In which market.
        market: MarketId,
        /// The stake.
        stake: Minor,
        /// What was asked for.
        requested: WirePrice,
        /// What is offered: the price in force.
        price: WirePrice,
        /// The version of that.
        version: PriceVersion,
        /// The version that the customer saw, 0 if not known.
        requested_version: PriceVersion,
        /// How old the price was.
        price_age: Nanos,
        /// The last moment at which it may be taken.
        until: Timestamp,
        /// Which selection.
        selection: SelectionIndex,
        /// ISO 4217 number.
        currency: u16,
        /// [`crate::command::PricePolicy`].
        policy: u8,
        /// 1 for a probe's bet.
        synthetic: u8,
        /// Slippage agreed to, in ten-thousandths.
        slippage: u16,
        /// Which leg, from 0.
        leg: u8,
        /// Of how many.
        legs: u8,
        /// 1 for a free bet.
        bonus: u8,
        /// Places that are paid; 0 without each-way.
        places: u8,
        /// The set of rules that settles it.
        ruleset: u32,
        /// The most that the bet returns.
        returns: Minor,
    }
    /// An offer ended without a bet; the stake went back.
    OfferEnded = 4 [24] {
        /// The bet that is not.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// [`OfferEnd`].
        why: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A bet is settled: its first settlement, or the next after a reversal.
    BetSettled = 5 [64] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// The market whose result decided it.
        market: MarketId,
        /// The job that did it; 0 if none did: a bet voided or corrected by itself.
        job: JobId,
        /// What was paid: the return, the stake of a void bet, or nothing.
        paid: Minor,
        /// Which version of that market's result.
        settlement: u32,
        /// The selection in that market.
        selection: SelectionIndex,
        /// [`BetOutcome`].
        outcome: u8,
        /// Zero.
        zero: u8,
        /// The stake that left escrow.
        stake: Minor,
        /// Which settlement of the bet, from 1.
        version: u32,
        /// Zero.
        zero2: u32,
    }
    /// Money moved from one account of the ledger to another.
    Transfer = 6 [40] {
        /// Out of this one.
        from: LedgerAccount,
        /// Into this one.
        to: LedgerAccount,
        /// How much, more than nothing.
        amount: Minor,
        /// For which bet, if for one.
        bet: BetId,
        /// ISO 4217 number.
        currency: u16,
        /// [`TransferWhy`].
        why: u8,
        /// Zero.
        zero: [u8; 5],
    }
    /// An account is open.
    AccountOpened = 7 [24] {
        /// The account.
        account: AccountId,
        /// The operator's own number.
        reference: u64,
        /// ISO 4217 number.
        currency: u16,
        /// [`crate::command::Purse`].
        purse: u8,
        /// 1 for a probe's.
        synthetic: u8,
        /// Zero.
        zero: [u8; 4],
    }
    /// An account was blocked or let in again.
    AccountChanged = 8 [16] {
        /// The account.
        account: AccountId,
        /// 1 blocked.
        blocked: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A market exists. Its names stand in the command.
    MarketDefined = 9 [40] {
        /// The market.
        market: MarketId,
        /// Its fixture, if any.
        fixture: FixtureId,
        /// The bound on the age of its prices; 0 is none.
        age_bound: Nanos,
        /// Its feed.
        feed: FeedId,
        /// How many selections.
        selections: u16,
        /// How many of them win.
        winners: u16,
        /// Its group, if any.
        group: GroupId,
        /// Its tier.
        tier: u8,
        /// 1 for a canary.
        canary: u8,
        /// Zero.
        zero: [u8; 6],
    }
    /// A market went on in its life.
    MarketChanged = 10 [16] {
        /// The market.
        market: MarketId,
        /// [`MarketStatus`].
        status: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A level was suspended for an owner.
    LevelSuspended = 11 [16] {
        /// The market, fixture, feed or group; 0 for the engine.
        id: u64,
        /// [`crate::command::Level`].
        level: u8,
        /// [`crate::command::Owner`].
        owner: u8,
        /// The owners that hold it now, a bit each.
        owners: u8,
        /// Zero.
        zero: u8,
        /// Which selection of the market, at that level; else 0.
        selection: SelectionIndex,
        /// Zero.
        zero2: [u8; 2],
    }
    /// An owner took its suspension back.
    LevelReleased = 12 [16] {
        /// The market, fixture, feed or group; 0 for the engine.
        id: u64,
        /// [`crate::command::Level`].
        level: u8,
        /// [`crate::command::Owner`].
        owner: u8,
        /// The owners that still hold it, a bit each.
        owners: u8,
        /// Zero.
        zero: u8,
        /// Which selection of the market, at that level; else 0.
        selection: SelectionIndex,
        /// Zero.
        zero2: [u8; 2],
    }
    /// A price is in force, or is confirmed (same version), or is gone.
    PriceSet = 13 [72] {
        /// In which market.
        market: MarketId,
        /// The price.
        price: WirePrice,
        /// Its version: that of its last change.
        version: PriceVersion,
        /// When what confirmed it was received.
        received: Timestamp,
        /// When its oldest input was received, of a derived price; else 0.
        as_of: Timestamp,
        /// How much longer it took from its source than the feed's quickest; 0 if not known.
        delay: Nanos,
        /// Which selection.
        selection: SelectionIndex,
        /// Its feed.
        feed: FeedId,
        /// The feed's count of recoveries: a heartbeat confirms only prices since the last.
        generation: u32,
        /// What the feed sent: the price before it was shortened for liability.
        quoted: WirePrice,
        /// 1 if the feed drives the market, 0 if it stands by.
        drives: u8,
        /// 1 if the price is held back: not plausible after the one before. It is not in force.
        held: u8,
        /// By how many bands of liability it is shortened.
        steps: u8,
        /// Zero.
        zero: [u8; 5],
    }
    /// A feed changed.
    FeedChanged = 14 [24] {
        /// When it was last heard.
        heard: Timestamp,
        /// Its number of the last message.
        feed_seq: u64,
        /// The feed.
        feed: FeedId,
        /// [`FeedStatus`].
        status: u8,
        /// [`FeedWhy`].
        why: u8,
        /// Its count of recoveries.
        generation: u32,
    }
    /// A feed was heard: every price it has sent since its last recovery is confirmed.
    FeedHeard = 15 [24] {
        /// When.
        heard: Timestamp,
        /// Its number of the message.
        feed_seq: u64,
        /// The feed.
        feed: FeedId,
        /// Zero.
        zero: u16,
        /// Its count of recoveries.
        generation: u32,
    }
    /// A selection was taken out of its market or back in.
    SelectionChanged = 16 [24] {
        /// The market.
        market: MarketId,
        /// Which selection.
        selection: SelectionIndex,
        /// 1 out.
        withdrawn: u8,
        /// 1 if winnings of bets placed before are reduced.
        deducts: u8,
        /// Zero.
        zero: [u8; 4],
        /// The price that a reduction goes by.
        price: WirePrice,
    }
    /// A market has a result. Its outcomes stand in the command.
    ResultRecorded = 17 [24] {
        /// The market.
        market: MarketId,
        /// The job that settles it.
        job: JobId,
        /// Which settlement of the market, from 1.
        settlement: u32,
        /// Zero.
        zero: u32,
    }
    /// A job began.
    JobStarted = 18 [24] {
        /// The job.
        job: JobId,
        /// On which market.
        market: MarketId,
        /// [`JobKind`].
        kind: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A job ended.
    JobEnded = 19 [40] {
        /// The job.
        job: JobId,
        /// On which market.
        market: MarketId,
        /// How many legs of bets it handled.
        bets: u64,
        /// How many Steps it took part in.
        steps: u64,
        /// [`JobKind`].
        kind: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A name has a number: an actor's, a feed's, a fixture's. The name stands in the command.
    Named = 20 [16] {
        /// The number.
        id: u64,
        /// The kind of the command that named it.
        kind: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// Limits apply. They stand in the command.
    LimitsChanged = 21 [16] {
        /// The market, or 0 for the currency.
        market: MarketId,
        /// ISO 4217 number.
        currency: u16,
        /// Zero.
        zero: [u8; 6],
    }
    /// Keys were forgotten: more than a window past their time limits.
    KeysForgotten = 22 [8] {
        /// How many.
        count: u64,
    }
    /// A request was set aside, or let in again.
    QuarantineChanged = 23 [32] {
        /// Whose.
        account: u64,
        /// 1 set aside, 0 let in.
        held: u64,
        /// Its key.
        key: RequestKey,
    }
    /// The running hash over the bytes of all events before this one, every 65,536 sequences.
    EventHash = 24 [16] {
        /// The hash.
        hash: u64,
        /// Events hashed so far.
        events: u64,
    }
    /// A ticket is open, bound to the prices in force (or offered); each leg follows as [`LegBound`].
    TicketOpened = 26 [128] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// Key of the request that opened it.
        key: RequestKey,
        /// What all its lines risk, now in escrow.
        stake: Minor,
        /// The most that it returns, stake and bonuses included.
        returns: Minor,
        /// The client's stake of a line, if it gave that; else 0.
        unit: Minor,
        /// When the bet (or the offer it comes from) was asked for.
        placed_at: Timestamp,
        /// The sequence at which it was asked for.
        placed_seq: Seq,
        /// The least product of all prices that the customer agreed to, in ten-thousandths; 0 any.
        floor: u64,
        /// Bit k − 1: lines of k legs.
        folds: u32,
        /// Bit i: leg i is in every line.
        bankers: u32,
        /// How many lines, place lines included.
        lines: u32,
        /// The set of rules that settles it.
        ruleset: u32,
        /// The rules in force: version of the operator's rules.
        rules_version: u32,
        /// The logic in force.
        logic_version: u32,
        /// ISO 4217 number.
        currency: u16,
        /// Slippage agreed to, in ten-thousandths.
        slippage: u16,
        /// How many legs.
        legs: u8,
        /// [`crate::command::EachWayKind`].
        each_way: u8,
        /// [`crate::command::PricePolicy`].
        policy: u8,
        /// [`crate::answer::Basis`].
        basis: u8,
        /// 1 for a probe's bet.
        synthetic: u8,
        /// 1 for a free bet.
        bonus: u8,
        /// Which state it was in before: [`crate::BetState`]; that of an offer also if it was open at once.
        from: u8,
        /// Zero.
        zero: [u8; 13],
    }
    /// A leg of a ticket, with the evidence of its price.
    LegBound = 27 [88] {
        /// The bet.
        bet: BetId,
        /// In which market.
        market: MarketId,
        /// What was asked for.
        requested: WirePrice,
        /// The version that the customer saw, 0 if not known.
        requested_version: PriceVersion,
        /// What it is bound to.
        price: WirePrice,
        /// The version of that; 0 of a price that a trader gave.
        version: PriceVersion,
        /// How old that was.
        price_age: Nanos,
        /// What the ticket could win more if the selection wins, counted against the market's limit.
        reach: Minor,
        /// The feed that priced it.
        feed: FeedId,
        /// Which selection.
        selection: SelectionIndex,
        /// Which leg, from 0.
        leg: u8,
        /// Places that are paid; 0 without each-way.
        places: u8,
        /// The part of the odds that a place pays, its numerator.
        place_num: u8,
        /// And its denominator.
        place_den: u8,
        /// How many selections win.
        winners: u16,
        /// Zero.
        zero: [u8; 14],
    }
    /// A bet waits: for the end of a delay, or for a trader. Its stake is in escrow. What was asked for
    /// stands in the command.
    BetPending = 28 [56] {
        /// The bet to be.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// The stake.
        stake: Minor,
        /// The most that it would return at the prices of now.
        returns: Minor,
        /// Until when.
        until: Timestamp,
        /// [`PendingWhy`].
        why: u8,
        /// 1 for a probe's bet.
        synthetic: u8,
        /// ISO 4217 number.
        currency: u16,
        /// How many legs.
        legs: u8,
        /// 1 for a free bet.
        bonus: u8,
        /// Zero.
        zero: u16,
        /// The set of rules under which it was asked for.
        ruleset: u32,
        /// Zero.
        zero2: u32,
    }
    /// A bet that waited was refused; its stake went back.
    BetRejected = 29 [32] {
        /// The bet that is not.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// The price in force where that is the reason.
        price: WirePrice,
        /// [`crate::reject::Reject`].
        reject: u8,
        /// Which state it was in: [`crate::BetState`].
        from: u8,
        /// Zero.
        zero: u16,
        /// The operator's own reason.
        reason: u32,
    }
    /// A settlement was taken back: what it paid, and its stake to escrow.
    BetReversed = 30 [56] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// The market whose news it was.
        market: MarketId,
        /// The job that did it; 0 if none did.
        job: JobId,
        /// What had been paid.
        paid: Minor,
        /// The stake, in escrow again.
        stake: Minor,
        /// The settlement that was taken back, from 1.
        version: u32,
        /// How it had come out: [`BetOutcome`].
        outcome: u8,
        /// Zero.
        zero: [u8; 3],
    }
    /// What became of a leg of a ticket, or that nothing did any more.
    LegDecided = 31 [32] {
        /// The bet.
        bet: BetId,
        /// Which leg, from 0.
        leg: u8,
        /// 1 decided, 0 open again.
        decided: u8,
        /// What is taken from each pound of winnings, in pence.
        rule4: u8,
        /// Zero.
        zero: u8,
        /// What wins of that which is not void, numerator and denominator.
        win: [u16; 2],
        /// What places.
        place: [u16; 2],
        /// What is void.
        void: [u16; 2],
        /// Zero.
        zero2: u64,
    }
    /// A cash-out waits for the end of the delay.
    CashOutPending = 32 [40] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// How much of its stake.
        take: Minor,
        /// The value at this moment.
        value: Minor,
        /// Until when.
        until: Timestamp,
    }
    /// A cash-out did not happen: the bet is open as before.
    CashOutFailed = 33 [32] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// The value, where that is the reason.
        value: Minor,
        /// [`crate::reject::Reject`].
        reject: u8,
        /// 1 if it was to happen by itself: it will not be tried again.
        auto: u8,
        /// Zero.
        zero: [u8; 6],
    }
    /// A bet, or part of it, was sold back.
    BetCashedOut = 34 [64] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// What was paid.
        paid: Minor,
        /// The stake that was sold.
        stake: Minor,
        /// The stake that stays open.
        left: Minor,
        /// The most that this returns.
        returns: Minor,
        /// What the customer had agreed to.
        accept: Minor,
        /// What the house kept, in parts per million of the fair value.
        margin: u32,
        /// 1 if it happened by itself, at the value that the customer set.
        auto: u8,
        /// [`crate::command::PricePolicy`].
        policy: u8,
        /// Zero.
        zero: u16,
    }
    /// The price of a leg at which a bet was bought back.
    CashOutLeg = 35 [40] {
        /// The bet.
        bet: BetId,
        /// The price in force.
        price: WirePrice,
        /// Its version.
        version: PriceVersion,
        /// How old it was.
        price_age: Nanos,
        /// Which leg, from 0.
        leg: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A bet is to be sold back by itself.
    AutoCashOutSet = 36 [24] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// The value; 0: not any more.
        value: Minor,
    }
    /// A leg settles at another price.
    PriceCorrected = 37 [32] {
        /// The bet.
        bet: BetId,
        /// The price it settled at before.
        from: WirePrice,
        /// And from here on.
        to: WirePrice,
        /// Which leg, from 0.
        leg: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A bet was voided by itself, or that was taken back.
    BetCancelled = 38 [16] {
        /// The bet.
        bet: BetId,
        /// 1 void.
        cancelled: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A window of a market's bets is void, or not any more.
    WindowChanged = 39 [40] {
        /// The market.
        market: MarketId,
        /// Bets placed from here on.
        from: Timestamp,
        /// And before this.
        until: Timestamp,
        /// The job that does it.
        job: JobId,
        /// 1 void.
        cancelled: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A market has no result any more.
    ResultRolledBack = 40 [24] {
        /// The market.
        market: MarketId,
        /// The job that opens its bets.
        job: JobId,
        /// Which version of the market's result, from 1: none counts as one.
        settlement: u32,
        /// Zero.
        zero: u32,
    }
    /// A market is in-play, or not any more.
    InPlayChanged = 41 [24] {
        /// The market.
        market: MarketId,
        /// How long bets wait.
        delay: Nanos,
        /// 1 in-play.
        in_play: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// Cash-outs are frozen at a level for an owner, or not any more.
    CashOutFrozen = 42 [16] {
        /// The market, fixture or feed; 0 for the engine.
        id: u64,
        /// [`crate::command::Level`].
        level: u8,
        /// [`crate::command::Owner`].
        owner: u8,
        /// The owners that hold it now, a bit each.
        owners: u8,
        /// 1 frozen by this command.
        frozen: u8,
        /// Zero.
        zero: [u8; 4],
    }
    /// A set of rules applies from here on. It stands in the command.
    RulesPublished = 43 [8] {
        /// Its number.
        ruleset: u32,
        /// Zero.
        zero: u32,
    }
    /// An account owes the house, more or less than before, or nothing any more.
    DebtChanged = 44 [24] {
        /// The account.
        account: AccountId,
        /// What it owes.
        debt: Minor,
        /// ISO 4217 number.
        currency: u16,
        /// Zero.
        zero: [u8; 6],
    }
    /// A result was noted and not settled: it is not certain enough, or older than what is known.
    ResultNoted = 45 [24] {
        /// The market.
        market: MarketId,
        /// When the source said so.
        source: Timestamp,
        /// How sure it was.
        certainty: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A group exists, priced by its primary feed. Its name stands in the command.
    GroupDefined = 46 [8] {
        /// The group.
        group: GroupId,
        /// Its primary feed.
        primary: FeedId,
        /// Its backup feed.
        backup: FeedId,
        /// Zero.
        zero: u16,
    }
    /// A group's markets are priced by this feed from here on.
    FeedSwitched = 47 [8] {
        /// The group.
        group: GroupId,
        /// The feed.
        feed: FeedId,
        /// [`crate::command::Drives`].
        to: u8,
        /// Zero.
        zero: [u8; 3],
    }
    /// A tier was set. What holds stands in the command.
    TierSet = 48 [8] {
        /// Which.
        tier: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A market is in this tier.
    TierAssigned = 49 [16] {
        /// The market.
        market: MarketId,
        /// The tier.
        tier: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// A price was pinned by a trader, or is not any more.
    PricePinned = 50 [32] {
        /// In which market.
        market: MarketId,
        /// The price that is in force now; none if no feed has one.
        price: WirePrice,
        /// Its version.
        version: PriceVersion,
        /// Which selection.
        selection: SelectionIndex,
        /// 1 pinned.
        pinned: u8,
        /// Zero.
        zero: [u8; 5],
    }
    /// The feeds of a market are further apart than its tier's band, or not any more: with a result none are.
    DriftChanged = 51 [24] {
        /// The market.
        market: MarketId,
        /// Since when they have been, 0 if they are not.
        since: Timestamp,
        /// The drift of the selection whose price showed it, in parts per million; the largest number
        /// if it is larger than that.
        ppm: u32,
        /// That selection.
        selection: SelectionIndex,
        /// 1 further apart.
        over: u8,
        /// Zero.
        zero: u8,
    }
    /// A feed's price of a selection is shortened by so many bands of liability from here on.
    PriceStepped = 52 [32] {
        /// In which market.
        market: MarketId,
        /// The price of that feed from here on.
        price: WirePrice,
        /// Its version.
        version: PriceVersion,
        /// Which selection.
        selection: SelectionIndex,
        /// Which feed's.
        feed: FeedId,
        /// By how many bands.
        steps: u8,
        /// Zero.
        zero: [u8; 3],
    }
    /// The largest stake is scaled from here on.
    StakeFactorChanged = 53 [16] {
        /// The feed, fixture, market, tier or account; 0 for everything.
        id: u64,
        /// In percent.
        percent: u32,
        /// [`crate::command::FactorScope`].
        scope: u8,
        /// Zero.
        zero: [u8; 3],
    }
    /// One of an account's own limits applies from a moment on.
    AccountLimitChanged = 54 [32] {
        /// The account.
        account: AccountId,
        /// The most of it in a period; 0: no limit.
        amount: Minor,
        /// From when on.
        from: Timestamp,
        /// [`crate::command::LimitKind`].
        kind: u8,
        /// [`crate::command::Period`].
        period: u8,
        /// Zero.
        zero: [u8; 6],
    }
    /// An account is excluded.
    AccountExcluded = 55 [16] {
        /// The account.
        account: AccountId,
        /// Until when.
        until: Timestamp,
    }
    /// The external wallet is asked to hold a stake: answer with a confirmation or a release.
    HoldRequested = 56 [40] {
        /// The bet to be.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// How much.
        amount: Minor,
        /// The last moment at which a confirmation counts.
        until: Timestamp,
        /// ISO 4217 number.
        currency: u16,
        /// [`crate::command::HoldBind`].
        bind: u8,
        /// 1 for a probe's bet.
        synthetic: u8,
        /// Zero.
        zero: u32,
    }
    /// The external wallet holds the stake; it is here from now on.
    HoldConfirmed = 57 [32] {
        /// The bet.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// How much.
        amount: Minor,
        /// The wallet's own number of it.
        reference: u64,
    }
    /// A hold ended without a bet.
    HoldEnded = 58 [32] {
        /// The bet that is not.
        bet: BetId,
        /// Whose.
        account: AccountId,
        /// What the wallet has to let go of, if it holds it.
        amount: Minor,
        /// [`HoldEnd`].
        why: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// Load is shed by this word from here on. Who said it stands in the command.
    SheddingSet = 59 [8] {
        /// [`crate::command::Shed`]; 0: as the configuration says.
        mode: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// An exchange market has its terms. They stand in the command.
    ExchangeSet = 60 [24] {
        /// The market.
        market: MarketId,
        /// How many prices its ladder has.
        levels: u32,
        /// ISO 4217 number.
        currency: u16,
        /// Of net winnings, in ten-thousandths.
        commission: u16,
        /// [`crate::command::LadderKind`].
        ladder: u8,
        /// The flags of [`crate::command::SetExchange`].
        flags: u8,
        /// Zero.
        zero: [u8; 6],
    }
    /// What is taken off an account's commission.
    DiscountSet = 61 [16] {
        /// The account.
        account: AccountId,
        /// In ten-thousandths of the commission.
        discount: u16,
        /// Zero.
        zero: [u8; 6],
    }
    /// An order was placed: all of it waits, for its delay or a moment.
    OrderPlaced = 62 [80] {
        /// The order.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// In which market.
        market: MarketId,
        /// The backer's stake; of a lay at the starting price the liability.
        size: Minor,
        /// Until when it waits for its delay; 0: it does not.
        until: Timestamp,
        /// At least so much at once; 0: it is not fill or kill.
        min_fill: Minor,
        /// As in the command.
        reference: u128,
        /// The worst price that will do, in ten-thousandths; 0 without.
        limit_e4: u32,
        /// Which selection.
        selection: SelectionIndex,
        /// [`crate::book::Side`].
        side: u8,
        /// [`crate::command::OrderKind`].
        kind: u8,
        /// [`crate::command::Persistence`].
        persistence: u8,
        /// Its place in the request, from 0.
        number: u8,
        /// The flags of [`crate::command::OrderEntry`].
        flags: u8,
        /// [`crate::book::SelfMatch`].
        self_match: u8,
        /// Zero.
        zero: [u8; 4],
    }
    /// The delay of an order is over: it met what is there.
    OrderBegan = 63 [16] {
        /// The order.
        order: OrderId,
        /// Whose.
        account: AccountId,
    }
    /// Of an order so much was matched.
    OrderMatched = 64 [56] {
        /// The order that was there.
        order: OrderId,
        /// The order that came, or for which the house came; none at the starting price.
        taker: OrderId,
        /// In which market.
        market: MarketId,
        /// The backer's stake, in minor units.
        stake: Minor,
        /// What the order that was there still wants.
        left: Minor,
        /// The price, in ten-thousandths.
        price_e4: u32,
        /// Which selection.
        selection: SelectionIndex,
        /// [`crate::book::Side`] of the order that was there.
        side: u8,
        /// [`Match`]. Of one that was crossed the order that came is told as the one that was there.
        how: u8,
        /// Whose the order that was there is.
        account: AccountId,
    }
    /// Less of an order waits, and was not matched.
    OrderCut = 65 [32] {
        /// The order.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// By how much.
        by: Minor,
        /// [`Cut`].
        why: u8,
        /// Zero.
        zero: [u8; 7],
    }
    /// An order is of another kind, or what becomes of it in-play is something else.
    OrderChanged = 66 [32] {
        /// The order.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// What waits of it, as its kind counts it.
        left: Minor,
        /// [`crate::command::OrderKind`].
        kind: u8,
        /// [`crate::command::Persistence`].
        persistence: u8,
        /// Zero.
        zero: [u8; 6],
    }
    /// What an account may lose in an exchange market is in escrow.
    ExposureHeld = 67 [24] {
        /// Whose.
        account: AccountId,
        /// In which market.
        market: MarketId,
        /// All of it.
        held: Minor,
    }
    /// A selection has its starting price.
    StartingPrice = 68 [32] {
        /// The market.
        market: MarketId,
        /// What is matched at it, in minor units of the backers' stakes.
        matched: Minor,
        /// The price, in ten-thousandths; 0: nothing could be matched.
        price_e4: u32,
        /// The selection.
        selection: SelectionIndex,
        /// Zero.
        zero: [u8; 10],
    }
    /// What was matched of an order returns less, or nothing: a runner was withdrawn.
    OrderReduced = 69 [48] {
        /// The order.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// What a winner returned before, in ten-thousandths of a minor unit.
        before_e4: i128,
        /// What it returns now; 0: the bet is void.
        after_e4: i128,
    }
    /// What an account has in an exchange market is settled: its first settlement, or the next after a reversal.
    PositionSettled = 70 [48] {
        /// Whose.
        account: AccountId,
        /// In which market.
        market: MarketId,
        /// The job that did it.
        job: JobId,
        /// What it won in the market, below zero what it lost.
        net: Minor,
        /// What is taken of it.
        commission: Minor,
        /// Which version of the market's result.
        settlement: u32,
        /// Which settlement of the position, from 1.
        version: u32,
    }
    /// A settlement of a position is taken back.
    PositionReversed = 71 [48] {
        /// Whose.
        account: AccountId,
        /// In which market.
        market: MarketId,
        /// The job that did it.
        job: JobId,
        /// What it had won, below zero lost.
        net: Minor,
        /// What had been taken of it.
        commission: Minor,
        /// Which settlement of the position.
        version: u32,
        /// Zero.
        zero: u32,
    }
    /// All positions of an exchange market are settled, or none is any more: what is left over is the house's.
    ExchangeCleared = 72 [40] {
        /// The market.
        market: MarketId,
        /// The job that did it.
        job: JobId,
        /// What the house won between selections.
        crossing: Minor,
        /// What rounding left.
        residue: Minor,
        /// ISO 4217 number.
        currency: u16,
        /// Zero.
        zero: [u8; 6],
    }
    /// A run began: what holds from here on stands in the command.
    RunBegan = 25 [8] {
        /// The run.
        epoch: Epoch,
        /// Zero.
        zero: u32,
    }
}

/// The events of one command, in order, in their bytes. Never grows: a bound on each command's
/// events is what makes that safe, see [`EVENTS_MAX`].
pub struct Events {
    bytes: Box<[u8]>,
    len: usize,
    count: u32,
}

impl Default for Events {
    fn default() -> Events {
        Events::new()
    }
}

impl Events {
    /// Room for the events of any one command.
    pub fn new() -> Events {
        Events { bytes: vec![0; EVENTS_MAX].into_boxed_slice(), len: 0, count: 0 }
    }

    /// Forgets all: the next command begins.
    pub fn clear(&mut self) {
        self.len = 0;
        self.count = 0;
    }

    /// The bytes, as they go into the record.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// How many events there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The events, read back.
    pub fn iter(&self) -> EventReader<'_> {
        EventReader::new(self.as_bytes())
    }

    /// Adds an event.
    ///
    /// # Panics
    /// If the command's events pass [`EVENTS_MAX`], which its bounds rule out.
    #[inline]
    pub(crate) fn push<E: EventBody>(&mut self, event: &E) {
        let bytes = EVENT_HEADER + size_of::<E>();
        let to = &mut self.bytes[self.len..self.len + bytes];
        let header = EventHeader { kind: E::KIND, version: 1, bytes: bytes as u16, zero: 0 };
        to[..EVENT_HEADER].copy_from_slice(header.as_bytes());
        to[EVENT_HEADER..].copy_from_slice(event.as_bytes());
        self.len += bytes;
        self.count += 1;
    }
}

/// Walks the events of a record.
#[derive(Clone, Debug)]
pub struct EventReader<'a> {
    rest: &'a [u8],
}

/// Bytes that are not events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEvent {
    /// The kind that was found.
    pub kind: u8,
    /// How many bytes were left.
    pub left: usize,
}

impl std::fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not an event: kind {}, {} bytes before the record's end", self.kind, self.left)
    }
}

impl std::error::Error for NotAnEvent {}

impl<'a> EventReader<'a> {
    /// Over the bytes of a record behind its command.
    pub fn new(bytes: &'a [u8]) -> EventReader<'a> {
        EventReader { rest: bytes }
    }
}

impl Iterator for EventReader<'_> {
    type Item = Result<Event, NotAnEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let kind = self.rest[0];
        let wrong = NotAnEvent { kind, left: self.rest.len() };
        let Ok((header, _)) = EventHeader::read_from_prefix(self.rest) else {
            self.rest = &[];
            return Some(Err(wrong));
        };
        let bytes = usize::from(header.bytes);
        let fits = EVENT_HEADER < bytes && bytes <= self.rest.len() && header.zero == 0;
        let event = if fits { Event::read(kind, &self.rest[EVENT_HEADER..bytes]) } else { None };
        match event {
            Some(event) if header.version == 1 => {
                self.rest = &self.rest[bytes..];
                Some(Ok(event))
            }
            _ => {
                self.rest = &[];
                Some(Err(wrong))
            }
        }
    }
}
