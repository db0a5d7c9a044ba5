//! What a caller is told: the answer of a key, what has become of it, and the reply that carries both.
//!
//! ```text
//! Answer, 64 bytes, kept with its key and journaled
//!   0 kind u8     1 reject u8    2 basis u8    3 detail u8    4 policy reason u32
//!   8 seq u64    16 id u64      24 stake i64  32 amount i64  40 version u64
//!  48 time i64   56 price e4 u32, num u16, den u16
//! Of orders what lapsed of them is in the place of the version.
//! Reply, 128 bytes, one per attempt
//!   0 Answer     64 token u64   72 account u64   80 key u128
//!  96 fate_amount i64          104 stamped i64  112 as_of u64
//! 120 epoch u32  124 client u16  126 flags u8   127 fate u8
//! ```

use crate::command::{LimitKind, Period, choice};
use crate::event::PendingWhy;
use crate::id::*;
use crate::reject::{Malformed, Reject};
use crate::time::{Nanos, Timestamp};
use crate::wire::{Minor, WirePrice};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

choice! {
    /// How something was answered.
    AnswerKind {
        /// A bet is open.
        Accepted = 1,
        /// A bet is offered at the price in force; it is not open.
        Offered = 2,
        /// No: [`Answer::reject`] says why.
        Refused = 3,
        /// Done; `id` names what was made, where something was.
        Done = 4,
        /// Long work has begun; `id` is the job.
        Started = 5,
        /// The bet waits (in-play delay, referral, external wallet); its end comes as an event.
        Pending = 6,
        /// The request was never seen, and now never will be.
        NeverPlaced = 7,
        /// Orders were placed: `id` is the first, `amount` how many, `stake` what of them was matched at once,
        /// [`Answer::lapsed`] what neither was nor waits. Of one that was matched `price` is the average, rounded down;
        /// of those that wait for a delay [`Answer::until`] is its end.
        Ordered = 8,
        /// Orders were cancelled, made smaller, or told what becomes of them in-play: `id` is their market, `amount` how
        /// many, `stake` what waited of them and does not any more.
        Changed = 9,
    }
}

choice! {
    /// Why a bet has the price it has.
    Basis {
        /// It was in force at the sequence that opened the bet.
        InForce = 1,
        /// It was in force when offered; the offer was alive and nothing was suspended since.
        Offer = 2,
        /// A trader gave it.
        Trader = 3,
        /// It was in force when the stake was held; the wallet confirmed in time.
        Held = 4,
    }
}

choice! {
    /// What has become of the thing that an answer was about, at the sequence of the look-up.
    Fate {
        /// Nothing to say: it is what the answer says.
        Nothing = 0,
        /// The bet is open.
        Open = 1,
        /// The bet is still offered.
        Offered = 2,
        /// The offer ended: declined, expired or withdrawn.
        OfferEnded = 3,
        /// The bet was settled as won; `fate_amount` is what it returned.
        Won = 4,
        /// The bet was settled as lost.
        Lost = 5,
        /// The bet was settled as void; `fate_amount` is what went back.
        Void = 6,
        /// The job is not finished.
        JobRunning = 7,
        /// The job has ended.
        JobEnded = 8,
        /// It has left memory; a View or the audit knows.
        Archived = 9,
        /// The bet still waits: for the end of a delay, or for a trader.
        Waiting = 10,
        /// The bet waited, and was refused; the stake went back.
        Rejected = 11,
        /// The bet was settled with a return of less than its stake; `fate_amount` is that.
        Partial = 12,
        /// The bet is being sold back.
        CashingOut = 13,
        /// The bet was sold back; `fate_amount` is what it brought.
        CashedOut = 14,
        /// The bet waits for the external wallet to hold its stake.
        Held = 15,
        /// Of the order something waits.
        Executable = 16,
        /// Nothing of the order waits any more; `fate_amount` is what was matched.
        ExecutionComplete = 17,
        /// The order was to be filled at once, and was not.
        Expired = 18,
    }
}

choice! {
    /// What a bet could cost too much, of [`Reject::LiabilityLimit`]; in the order in which they are told.
    LiabilityLevel {
        /// The bets of one customer could win too much.
        Customer = 1,
        /// One selection.
        Selection = 2,
        /// A market in its worst outcome.
        Market = 3,
        /// The markets of a fixture together.
        Event = 4,
    }
}

impl Fate {
    /// Whether an amount belongs to it.
    pub const fn has_amount(self) -> bool {
        use Fate::*;
        matches!(self, Won | Void | Partial | CashedOut | ExecutionComplete)
    }
}

/// The answer of a key: given once, repeated for ever.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Answer {
    pub(crate) kind: u8,
    pub(crate) reject: u8,
    pub(crate) basis: u8,
    pub(crate) detail: u8,
    /// The operator's own reason, of [`Reject::Policy`].
    pub policy_reason: u32,
    /// The sequence that decided; 0 if nothing was sequenced.
    pub seq: Seq,
    /// The bet, account, market, fixture, feed, actor or job.
    pub id: u64,
    /// The stake that was accepted or offered.
    pub stake: Minor,
    /// What a winner returns; of a limit, what would have been possible, or 0; of a job, its market's handle.
    pub amount: Minor,
    /// The version of `price`.
    pub version: PriceVersion,
    pub(crate) time: i64,
    /// The price that was committed, offered, or is in force instead.
    pub price: WirePrice,
}

impl Answer {
    /// An answer that says only its kind.
    pub fn of(kind: AnswerKind, seq: Seq) -> Answer {
        Answer { kind: kind as u8, seq, ..zerocopy::FromZeros::new_zeroed() }
    }

    /// Done; `id` names what was made.
    pub fn done(seq: Seq, id: u64) -> Answer {
        Answer { id, ..Answer::of(AnswerKind::Done, seq) }
    }

    /// Long work on a market has begun, named by the sequence that started it.
    pub fn started(seq: Seq, market: MarketId) -> Answer {
        let amount = Minor(market.raw() as i64);
        Answer { id: seq.0, amount, ..Answer::of(AnswerKind::Started, seq) }
    }

    /// The market of a started job.
    pub fn job_market(&self) -> MarketId {
        MarketId::from_raw(self.amount.0 as u64)
    }

    /// A refusal without more to say.
    pub fn refused(reject: Reject, seq: Seq) -> Answer {
        Answer { reject: reject.code(), ..Answer::of(AnswerKind::Refused, seq) }
    }

    /// A refusal of something that is not well formed.
    pub fn malformed(what: Malformed) -> Answer {
        Answer { detail: what as u8, ..Answer::refused(Reject::Malformed, Seq(0)) }
    }

    /// The same with a price, its version, and why it is that one.
    pub fn with_price(self, basis: Basis, price: WirePrice, version: PriceVersion) -> Answer {
        Answer { basis: basis as u8, price, version, ..self }
    }

    /// A bet waits.
    pub fn pending(seq: Seq, bet: BetId, why: PendingWhy, until: Timestamp) -> Answer {
        let answer = Answer { id: bet.raw(), ..Answer::of(AnswerKind::Pending, seq) };
        Answer { detail: why as u8, ..answer }.with_until(until)
    }

    /// What a bet waits for.
    pub fn pending_why(&self) -> Option<PendingWhy> {
        PendingWhy::from_code(self.detail)
    }

    /// The same with an age.
    pub fn with_age(self, age: Nanos) -> Answer {
        Answer { time: age.0, ..self }
    }

    /// The same with the end of an offer.
    pub fn with_until(self, until: Timestamp) -> Answer {
        Answer { time: until.0, ..self }
    }

    /// How it was answered.
    pub fn kind(&self) -> AnswerKind {
        AnswerKind::from_code(self.kind).unwrap_or(AnswerKind::Refused)
    }

    /// Why not, if it was refused.
    pub fn reject(&self) -> Option<Reject> {
        Reject::from_code(self.reject)
    }

    /// What is wrong with the bytes, of [`Reject::Malformed`].
    pub fn malformation(&self) -> Option<Malformed> {
        Malformed::from_code(self.detail)
    }

    /// What a refusal says beside its reason, as its number: which field, which of an account's limits
    /// (kind · 16 + period), whose liability.
    pub fn detail(&self) -> u8 {
        self.detail
    }

    /// Orders were cancelled and not placed again, of [`AnswerKind::Ordered`]: why not.
    pub fn detail_of_orders(&self) -> Option<Reject> {
        Reject::from_code(self.detail).filter(|_| self.kind() == AnswerKind::Ordered)
    }

    /// What of the orders of [`AnswerKind::Ordered`] neither was matched at once nor waits; of one at the starting price
    /// what it is for, a stake or a liability.
    pub fn lapsed(&self) -> Minor {
        let ordered = self.kind() == AnswerKind::Ordered;
        Minor(if ordered { self.version.0 as i64 } else { 0 })
    }

    /// The same, about orders of which so much lapsed at once.
    pub fn with_lapsed(self, lapsed: Minor) -> Answer {
        Answer { version: PriceVersion(lapsed.0 as u64), ..self }
    }

    /// Why the bet has its price.
    pub fn basis(&self) -> Option<Basis> {
        Basis::from_code(self.basis)
    }

    /// The age of the price.
    pub fn age(&self) -> Nanos {
        Nanos(self.time)
    }

    /// When the offer ends.
    pub fn until(&self) -> Timestamp {
        Timestamp(self.time)
    }

    /// At which level, of [`Reject::LiabilityLimit`].
    pub fn liability_level(&self) -> Option<LiabilityLevel> {
        LiabilityLevel::from_code(self.detail)
    }

    /// Which of the account's own limits, of [`Reject::CustomerLimit`].
    pub fn own_limit(&self) -> Option<(LimitKind, Period)> {
        Some((LimitKind::from_code(self.detail / 16)?, Period::from_code(self.detail % 16)?))
    }

    /// The same, about one of the account's own limits.
    pub(crate) fn with_own_limit(self, kind: LimitKind, period: Period) -> Answer {
        Answer { detail: kind as u8 * 16 + period as u8, ..self }
    }

    /// Whether the bytes are an answer: for readers of what may have been altered.
    pub fn is_valid(&self) -> bool {
        AnswerKind::from_code(self.kind).is_some()
            && (self.reject == 0) == (self.kind != AnswerKind::Refused as u8)
            && (self.reject == 0 || self.reject().is_some())
            && (self.basis == 0 || self.basis().is_some())
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for Answer {
    /// As the test language writes answers: `B1 at 2.40 returns 24.00`, `PriceMoved now 2.40`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bet = BetId::from_raw(self.id);
        match self.kind() {
            AnswerKind::Accepted => {
                // A ticket of several legs has as many prices.
                match self.price.is_none() {
                    true => write!(f, "{bet} returns {}", self.amount),
                    false => write!(f, "{bet} at {} returns {}", self.price, self.amount),
                }
            }
            AnswerKind::Offered => write!(f, "offer {bet} at {}", self.price),
            AnswerKind::Done => f.write_str("done"),
            AnswerKind::Started => write!(f, "started {}", JobId(self.id)),
            AnswerKind::Pending => match self.pending_why() {
                Some(why) => write!(f, "pending {bet}, {why}"),
                None => write!(f, "pending {bet}"),
            },
            AnswerKind::NeverPlaced => f.write_str("NeverPlaced"),
            AnswerKind::Ordered => {
                if let Some(reject) = self.detail_of_orders() {
                    return write!(f, "CancelledNotPlaced {reject}");
                }
                let order = OrderId::from_raw(self.id);
                write!(f, "order {order}")?;
                // Of an answer that nobody gave, read from bytes, it is any number.
                if 1 < self.amount.0 {
                    write!(f, " and {} more", self.amount.0 - 1)?;
                }
                if self.stake.0 != 0 {
                    write!(f, " matched {}", self.stake)?;
                }
                if !self.price.is_none() {
                    write!(f, " at {}", self.price)?;
                }
                if self.lapsed().0 == 0 { Ok(()) } else { write!(f, " lapsed {}", self.lapsed()) }
            }
            AnswerKind::Changed if self.stake.0 == 0 => write!(f, "changed {}", self.amount.0),
            AnswerKind::Changed => write!(f, "cancelled {} of {}", self.stake, self.amount.0),
            AnswerKind::Refused => {
                let Some(reject) = self.reject() else { return f.write_str("refused") };
                f.write_str(reject.name())?;
                match reject {
                    Reject::Malformed => match self.malformation() {
                        Some(what) => write!(f, ": {what}"),
                        None => Ok(()),
                    },
                    Reject::PriceMoved => write!(f, " now {}", self.price),
                    Reject::StalePrice => write!(f, " {} old", self.age()),
                    Reject::PriceDelayed => write!(f, " {} late", self.age()),
                    Reject::Policy => write!(f, " {}", self.policy_reason),
                    Reject::CashOutMoved => write!(f, " now {}", self.amount),
                    Reject::TooManyLines => write!(f, " {}", self.id),
                    // Of an order that is too large, or whose size does not come out, there is no smallest.
                    Reject::InvalidBetSize if self.amount.0 == 0 => Ok(()),
                    Reject::StakeTooSmall | Reject::InvalidBetSize => {
                        write!(f, " min {}", self.amount)
                    }
                    Reject::StakeTooLarge | Reject::PayoutLimit => {
                        write!(f, " max {}", self.amount)
                    }
                    Reject::LiabilityLimit => {
                        write!(f, " max {}", self.amount)?;
                        self.liability_level().map_or(Ok(()), |level| write!(f, ", {level}"))
                    }
                    Reject::CustomerLimit => {
                        if let Some((kind, period)) = self.own_limit() {
                            write!(f, " {kind} {period}")?;
                        }
                        write!(f, " left {}", self.amount)
                    }
                    Reject::SelfExcluded => write!(f, " until {}", self.until()),
                    Reject::HoldAmount => write!(f, " {}", self.amount),
                    Reject::AccountExists => write!(f, " {}", AccountId::from_raw(self.id)),
                    // Feeds have numbers. Markets and fixtures have handles, and which of them was to be
                    // named, the command says.
                    Reject::NameTaken => match u16::try_from(self.id) {
                        Ok(feed) => write!(f, " {}", FeedId(feed)),
                        Err(_) => {
                            let market = MarketId::from_raw(self.id);
                            let fixture = FixtureId::from_raw(self.id);
                            write!(f, " {market} or {fixture}")
                        }
                    },
                    _ => Ok(()),
                }
            }
        }
    }
}

/// One reply, to one attempt.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct Reply {
    /// The answer of the key; of an attempt that was refused before sequencing, the refusal.
    pub answer: Answer,
    /// The attempt that this replies to.
    pub token: Token,
    /// Whose request.
    pub account: u64,
    /// Its key.
    pub key: RequestKey,
    /// What the bet returned, where the fate is a settlement.
    pub fate_amount: Minor,
    /// When the loop stamped the attempt (t2).
    pub stamped: Timestamp,
    /// The sequence that has to reach the output's level before this may be seen.
    pub as_of: Seq,
    /// The run that replied: its start tells which weaker promises were withdrawn.
    pub epoch: Epoch,
    /// Where it goes.
    pub client: ClientId,
    pub(crate) flags: u8,
    pub(crate) fate: u8,
}

impl Default for Reply {
    fn default() -> Reply {
        zerocopy::FromZeros::new_zeroed()
    }
}

impl Reply {
    const DUPLICATE: u8 = 1;

    /// Whether this repeats an earlier answer.
    pub fn is_duplicate(&self) -> bool {
        self.flags & Self::DUPLICATE != 0
    }

    /// The same, marked as repeating an earlier answer, with what has become of it.
    pub fn repeated(self, fate: Fate, amount: Minor) -> Reply {
        Reply { flags: self.flags | Self::DUPLICATE, fate: fate as u8, fate_amount: amount, ..self }
    }

    /// What has become of it.
    pub fn fate(&self) -> Fate {
        Fate::from_code(self.fate).unwrap_or(Fate::Nothing)
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.answer)?;
        if self.is_duplicate() {
            f.write_str(" (duplicate")?;
            match self.fate() {
                Fate::Nothing => (),
                fate if fate.has_amount() => write!(f, ", {fate} {}", self.fate_amount)?,
                fate => write!(f, ", {fate}")?,
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

const _: () = assert!(size_of::<Answer>() == 64 && size_of::<Reply>() == 128);
