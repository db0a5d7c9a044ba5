//! What a caller is told, as types that can be matched and that print a sentence.

use std::fmt;

use betring_core::answer::{Answer, AnswerKind, Basis, Fate, Reply};
use betring_core::command::{LimitKind, Period};
use betring_core::event::PendingWhy;
use betring_core::id::{BetId, OrderId, PriceVersion, RequestKey, Seq, Token};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Minor, WirePrice};

use crate::error::NotTaken;

/// What names a request for ever, and what a question about it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Request {
    /// The customer's account, or the actor.
    pub account: u64,
    /// The caller's key.
    pub key: RequestKey,
    /// Its time limit.
    pub valid_until: Timestamp,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = betring_core::id::AccountId::from_raw(self.account);
        write!(f, "request {account}:{}, valid until {}", self.key, self.valid_until)
    }
}

/// One attempt that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "its answer is waited for with it"]
pub struct Ticket {
    /// The attempt's number, echoed in its reply.
    pub token: Token,
    /// What it asks for.
    pub request: Request,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.token, self.request)
    }
}

/// What became of a batch: a prefix of its commands was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the rest was not taken"]
pub struct Submitted {
    /// The number of the first attempt; the others count up from it.
    pub first: Token,
    /// How many commands were taken.
    pub commands: usize,
    /// How many slots those have.
    pub slots: usize,
    /// Why the next one was not taken, if not all were.
    pub refused: Option<NotTaken>,
}

impl Submitted {
    pub(crate) fn none(refused: NotTaken) -> Submitted {
        Submitted { first: Token(0), commands: 0, slots: 0, refused: Some(refused) }
    }
}

impl fmt::Display for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands taken", self.commands)?;
        match self.refused {
            Some(refused) => write!(f, ", then {refused}"),
            None => Ok(()),
        }
    }
}

/// A bet that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bet {
    /// The bet.
    pub id: BetId,
    /// The price it is bound to; none of a ticket of several legs, whose prices a View tells.
    pub price: WirePrice,
    /// The version of that.
    pub price_version: PriceVersion,
    /// How old that was.
    pub price_age: Nanos,
    /// What it risks.
    pub stake: Minor,
    /// What it returns if it wins, stake included.
    pub returns: Minor,
    /// The sequence that accepted it.
    pub seq: Seq,
    /// Why it has its price.
    pub basis: Basis,
    /// Whether this repeats an earlier answer.
    pub duplicate: bool,
    /// What has become of it, in a duplicate.
    pub fate: Fate,
}

impl fmt::Display for Bet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.price.is_none() {
            // A ticket of several legs has as many prices.
            return write!(f, "{}: {} returns up to {}", self.id, self.stake, self.returns);
        }
        write!(f, "{} at {}: {} returns {}", self.id, self.price, self.stake, self.returns)
    }
}

/// Orders that were placed on an exchange market. Which ids the others have, and what becomes of each, is told by
/// events: the ids of a request do not follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The first of them.
    pub first: OrderId,
    /// How many; 0 if orders were cancelled and not placed again.
    pub count: u32,
    /// Backers' stakes that were matched at once.
    pub matched: Minor,
    /// What of them was neither matched nor waits: it was fill or kill, met an order of its own account, came too late for
    /// its market's version, refused a better price, or had too many fills. Events say which.
    pub lapsed: Minor,
    /// Of one order the average price of that, rounded down; else none.
    pub average: WirePrice,
    /// The end of the bet delay; 0 if none of them waits for it.
    pub until: Timestamp,
    /// Why what was cancelled was not placed again.
    pub not_placed: Option<Reject>,
    /// The sequence that placed them.
    pub seq: Seq,
    /// Whether this repeats an earlier answer.
    pub duplicate: bool,
    /// What has become of the first, in a duplicate.
    pub fate: Fate,
}

impl Ordered {
    pub(crate) fn of(reply: &Reply) -> Ordered {
        let answer = &reply.answer;
        Ordered {
            first: OrderId::from_raw(answer.id),
            // Of what was cancelled and not placed again it is none.
            count: u32::try_from(answer.amount.0).unwrap_or(0),
            matched: answer.stake,
            lapsed: answer.lapsed(),
            average: answer.price,
            until: answer.until(),
            not_placed: answer.detail_of_orders(),
            seq: answer.seq,
            duplicate: reply.is_duplicate(),
            fate: reply.fate(),
        }
    }
}

impl fmt::Display for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.not_placed, self.count) {
            (Some(why), _) => return write!(f, "cancelled, and not placed again: {why}"),
            (None, 1) => write!(f, "{} placed", self.first)?,
            (None, count) => {
                write!(f, "{} and {} more placed", self.first, count.saturating_sub(1))?
            }
        }
        if self.matched.0 != 0 {
            write!(f, ", {} matched", self.matched)?;
        }
        if !self.average.is_none() {
            write!(f, " at {}", self.average)?;
        }
        if self.lapsed.0 != 0 {
            write!(f, ", {} lapsed", self.lapsed)?;
        }
        if self.until.0 != 0 { write!(f, ", waits until {}", self.until) } else { Ok(()) }
    }
}

/// Orders that were cancelled, made smaller, or told what becomes of them in-play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// How many.
    pub count: u32,
    /// What waited of them and does not any more: backers' stakes, and liabilities of lays at the starting price; 0 if
    /// none was cancelled.
    pub cancelled: Minor,
    /// The sequence that did it.
    pub seq: Seq,
    /// Whether this repeats an earlier answer.
    pub duplicate: bool,
}

impl Changed {
    pub(crate) fn of(reply: &Reply) -> Changed {
        let Answer { amount, stake, seq, .. } = reply.answer;
        let count = u32::try_from(amount.0).unwrap_or(0);
        Changed { count, cancelled: stake, seq, duplicate: reply.is_duplicate() }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let orders = if self.count == 1 { "order" } else { "orders" };
        match self.cancelled {
            Minor(0) => write!(f, "{} {orders} changed", self.count),
            size => write!(f, "{size} of {} {orders} cancelled", self.count),
        }
    }
}

/// A bet that is offered at another price than the one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The bet to be.
    pub id: BetId,
    /// The price in force.
    pub price: WirePrice,
    /// The version of that.
    pub price_version: PriceVersion,
    /// The last moment at which it may be taken.
    pub until: Timestamp,
    /// The stake, in escrow until then.
    pub stake: Minor,
    /// The sequence that offered it.
    pub seq: Seq,
    /// Whether this repeats an earlier answer.
    pub duplicate: bool,
    /// What has become of it, in a duplicate.
    pub fate: Fate,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the price is now {}: {} is offered until {}", self.price, self.id, self.until)
    }
}

/// Whose bets a limit of liability counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liability {
    /// The customer's.
    Customer,
    /// Those on the selection.
    Selection,
    /// The market's.
    Market,
    /// Those of all markets of the fixture.
    Event,
}

impl fmt::Display for Liability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Liability::Customer => "the customer's limit",
            Liability::Selection => "the selection's limit",
            Liability::Market => "the market's limit",
            Liability::Event => "the event's limit",
        })
    }
}

/// A refusal. Printed, it is one sentence for a customer; [`Refusal::to_operator`] says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reject: Reject,
    /// All that was said: the price now, the largest stake, the handle that has the name.
    pub answer: Answer,
    /// Whether this repeats an earlier answer.
    pub duplicate: bool,
}

impl Refusal {
    pub(crate) fn of(answer: Answer, duplicate: bool) -> Refusal {
        // Every refusal has a code that is checked when it is made.
        let reject = answer.reject().unwrap_or(Reject::Malformed);
        Refusal { reject, answer, duplicate }
    }

    /// Which of the account's own limits it was, of [`Reject::CustomerLimit`]; the answer's amount is what
    /// is left of it.
    pub fn own_limit(&self) -> Option<(LimitKind, Period)> {
        let detail = match self.reject {
            Reject::CustomerLimit => self.answer.detail(),
            _ => return None,
        };
        Some((LimitKind::from_code(detail >> 4)?, Period::from_code(detail & 15)?))
    }

    /// Whose bets could cost too much, of [`Reject::LiabilityLimit`].
    pub fn liability(&self) -> Option<Liability> {
        match (self.reject, self.answer.detail()) {
            (Reject::LiabilityLimit, 1) => Some(Liability::Customer),
            (Reject::LiabilityLimit, 2) => Some(Liability::Selection),
            (Reject::LiabilityLimit, 3) => Some(Liability::Market),
            (Reject::LiabilityLimit, 4) => Some(Liability::Event),
            _ => None,
        }
    }

    /// One sentence for an operator: what happened and what to do. Of a request that is not well formed
    /// it names the field, which a customer is not told.
    pub fn to_operator(&self) -> String {
        match (self.reject, self.answer.malformation()) {
            (Reject::Malformed, Some(_)) => {
                format!("{}; asking again changes nothing", self.answer)
            }
            _ => match self.liability() {
                Some(whose) => {
                    format!("{}: {} ({whose})", self.answer, self.reject.to_operator())
                }
                None => format!("{}: {}", self.answer, self.reject.to_operator()),
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reject.to_customer())?;
        let (price, amount) = (self.answer.price, self.answer.amount);
        match self.reject {
            Reject::PriceMoved => write!(f, " It is now {price}."),
            Reject::CashOutMoved => write!(f, " It is now {amount}."),
            Reject::StakeTooSmall => write!(f, " The minimum is {amount}."),
            Reject::StakeTooLarge | Reject::PayoutLimit | Reject::LiabilityLimit
                if Minor(0) < amount =>
            {
                write!(f, " Up to {amount} is possible.")
            }
            Reject::CustomerLimit => match self.own_limit() {
                Some((kind, period)) => {
                    let what = match kind {
                        LimitKind::Deposit => "deposits",
                        LimitKind::Stake => "stakes",
                        LimitKind::Loss => "losses",
                    };
                    let when = match period {
                        Period::Day => "today",
                        Period::Week => "this week",
                        Period::Month => "this month",
                    };
                    write!(f, " You have {amount} left for {what} {when}.")
                }
                None => Ok(()),
            },
            Reject::SelfExcluded if self.answer.until() == Timestamp(i64::MAX) => Ok(()),
            Reject::SelfExcluded => write!(f, " It is until {}.", self.answer.until()),
            Reject::HoldAmount => write!(f, " The stake is {amount}."),
            _ => Ok(()),
        }
    }
}

/// A bet that waits: its end comes as an event, and a retry or a question tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The bet.
    pub id: BetId,
    /// What it waits for.
    pub why: PendingWhy,
    /// Until when.
    pub until: Timestamp,
    /// The stake that is to be bet, or sold.
    pub stake: Minor,
    /// What it would return, or bring, at this moment's prices.
    pub amount: Minor,
    /// The sequence that made it wait.
    pub seq: Seq,
    /// Whether this repeats an earlier answer.
    pub duplicate: bool,
    /// What has become of it, in a duplicate.
    pub fate: Fate,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.why {
            PendingWhy::Delay => "is decided at the end of the delay",
            PendingWhy::Referral => "is being looked at by a trader",
            PendingWhy::CashOut => "is sold at the end of the delay",
            PendingWhy::Wallet => "waits for the wallet to hold its stake",
        };
        write!(f, "{} {what}, until {}", self.id, self.until)
    }
}

/// Something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The sequence that did it.
    pub seq: Seq,
    /// What was made or started, as its number; 0 if nothing.
    pub id: u64,
    /// The money that moved, of a cash-out, an adjustment and a bonus; of others 0.
    pub amount: Minor,
    /// Whether this repeats an earlier answer.
    pub duplicate: bool,
}

impl Receipt {
    pub(crate) fn of(answer: &Answer, duplicate: bool) -> Receipt {
        // What a started job carries there is its market.
        let started = answer.kind() == AnswerKind::Started;
        let amount = if started { Minor(0) } else { answer.amount };
        Receipt { seq: answer.seq, id: answer.id, amount, duplicate }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "done, seq {}", self.seq)?;
        if self.amount != Minor(0) {
            write!(f, ", {}", self.amount)?;
        }
        if self.duplicate { f.write_str(" (earlier)") } else { Ok(()) }
    }
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bet is open.
    Accepted(Bet),
    /// The bet is offered at the price in force.
    Offered(Offer),
    /// No.
    Refused(Refusal),
    /// The bet waits.
    Pending(Waiting),
    /// Orders of an exchange market were placed.
    Ordered(Ordered),
    /// Orders were cancelled, made smaller, or told what becomes of them in-play.
    Changed(Changed),
    /// Done: a deposit, a withdrawal, the end of an offer, a cash-out with what it brought.
    Done(Receipt),
    /// Nobody knows: no answer came in time, or the engine stopped. `Client::resolve` closes the question.
    Unknown(Request),
}

impl Outcome {
    /// What a reply says.
    pub fn of(reply: &Reply) -> Outcome {
        let answer = reply.answer;
        let (duplicate, fate) = (reply.is_duplicate(), reply.fate());
        let id = BetId::from_raw(answer.id);
        match answer.kind() {
            AnswerKind::Accepted => Outcome::Accepted(Bet {
                id,
                price: answer.price,
                price_version: answer.version,
                price_age: answer.age(),
                stake: answer.stake,
                returns: answer.amount,
                seq: answer.seq,
                basis: answer.basis().unwrap_or(Basis::InForce),
                duplicate,
                fate,
            }),
            AnswerKind::Offered => Outcome::Offered(Offer {
                id,
                price: answer.price,
                price_version: answer.version,
                until: answer.until(),
                stake: answer.stake,
                seq: answer.seq,
                duplicate,
                fate,
            }),
            AnswerKind::Pending => Outcome::Pending(Waiting {
                id,
                // Every such answer says it.
                why: answer.pending_why().unwrap_or(PendingWhy::Delay),
                until: answer.until(),
                stake: answer.stake,
                amount: answer.amount,
                seq: answer.seq,
                duplicate,
                fate,
            }),
            AnswerKind::Ordered => Outcome::Ordered(Ordered::of(reply)),
            AnswerKind::Changed => Outcome::Changed(Changed::of(reply)),
            AnswerKind::Done | AnswerKind::Started | AnswerKind::NeverPlaced => {
                Outcome::Done(Receipt::of(&answer, duplicate))
            }
            AnswerKind::Refused => Outcome::Refused(Refusal::of(answer, duplicate)),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Accepted(bet) => bet.fmt(f),
            Outcome::Offered(offer) => offer.fmt(f),
            Outcome::Refused(refusal) => refusal.fmt(f),
            Outcome::Pending(waiting) => waiting.fmt(f),
            Outcome::Ordered(ordered) => ordered.fmt(f),
            Outcome::Changed(changed) => changed.fmt(f),
            Outcome::Done(receipt) => receipt.fmt(f),
            Outcome::Unknown(request) => write!(f, "unknown: {request}"),
        }
    }
}

/// The end of a question about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It was never seen, and now never will be.
    NeverPlaced(Request),
    /// It was decided: the one answer of its key, with what has become of it.
    Decided(Outcome, Fate, Minor),
}

impl Resolved {
    pub(crate) fn of(request: Request, reply: &Reply) -> Resolved {
        match reply.answer.kind() {
            AnswerKind::NeverPlaced => Resolved::NeverPlaced(request),
            _ => Resolved::Decided(Outcome::of(reply), reply.fate(), reply.fate_amount),
        }
    }
}

/// Whether what waited still does.
fn waits(fate: Fate) -> bool {
    matches!(fate, Fate::Waiting | Fate::Held | Fate::CashingOut)
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resolved::NeverPlaced(_) => f.write_str("never placed, and it never will be"),
            Resolved::Decided(outcome, fate, amount) => {
                // What the answer promised is over: then only what has become of it is told.
                match outcome {
                    _ if *fate == Fate::Nothing => return write!(f, "{outcome}"),
                    Outcome::Pending(waiting) if !waits(*fate) => write!(f, "{}: ", waiting.id)?,
                    Outcome::Offered(offer) if *fate != Fate::Offered => {
                        write!(f, "{}: ", offer.id)?
                    }
                    _ => write!(f, "{outcome}, ")?,
                }
                match fate {
                    Fate::Nothing => Ok(()),
                    Fate::Open => f.write_str("open"),
                    Fate::Offered => f.write_str("still offered"),
                    Fate::OfferEnded => f.write_str("the offer has ended"),
                    Fate::Won => write!(f, "won {amount}"),
                    Fate::Lost => f.write_str("lost"),
                    Fate::Void => write!(f, "void, {amount} went back"),
                    Fate::JobRunning => f.write_str("in progress"),
                    Fate::JobEnded => f.write_str("finished"),
                    Fate::Archived => f.write_str("archived"),
                    Fate::Waiting => f.write_str("still waiting"),
                    Fate::Rejected => f.write_str("refused after its wait"),
                    Fate::Partial => write!(f, "settled with {amount}"),
                    Fate::CashingOut => f.write_str("being sold back"),
                    Fate::CashedOut => write!(f, "sold back for {amount}"),
                    Fate::Held => f.write_str("still waiting for the wallet"),
                    Fate::Executable => f.write_str("still waiting to be matched"),
                    Fate::ExecutionComplete => write!(f, "complete, {amount} matched"),
                    Fate::Expired => f.write_str("expired: it could not be filled at once"),
                }
            }
        }
    }
}
