//! What customers ask, built field by field and turned into a slot when it is sent.

use std::time::Duration;

use betring_core::command::{self, LimitKind, Period, PricePolicy, Purse};
use betring_core::id::{AccountId, BetId, MarketId, PriceVersion, RequestKey, SelectionIndex};
use betring_core::reject::Malformed;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, Slot, WirePrice};
use betring_pricing::{Currency, Fraction, Money, Price};

use crate::outcome::Request;

/// How long a request may be decided if the caller does not say; less if the window is shorter.
pub const VALID_FOR: Nanos = Nanos::from_secs(30);

/// A request key from a number of the caller's own, not 0.
///
/// One key, one request: to ask again is to ask with the same key, the same content and the same
/// `valid_until`. A request that says no `valid_until` gets a new one each time it is sent, so what may
/// have to be repeated says its own, or repeats that of its [`Ticket`](crate::Ticket).
pub const fn key(n: u128) -> RequestKey {
    RequestKey(n)
}

/// The operator's own opaque number of an account, not 0. No personal data belongs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(pub u64);

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "reference {}", self.0)
    }
}

/// A selection of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection {
    /// The market.
    pub market: MarketId,
    /// Its position.
    pub index: SelectionIndex,
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.market, self.index)
    }
}

/// Something a customer can ask: it becomes the slots of one command.
pub trait Ask {
    /// Those slots; of all but tickets one, without an allocation.
    type Slots: AsRef<[Slot]>;

    /// Whether they are the caller's own, not built here: what is no command is then put aside.
    const IS_RAW: bool = false;

    /// The slots, sent at `now`. A request that does not say how long it may be decided may be for
    /// `default_for`.
    ///
    /// # Errors
    /// What cannot be written down at all: a ticket of no or too many legs.
    fn slots_at(&self, now: Timestamp, default_for: Nanos) -> Result<Self::Slots, Malformed>;
}

impl Ask for Slot {
    type Slots = [Slot; 1];

    const IS_RAW: bool = true;

    fn slots_at(&self, _now: Timestamp, _default_for: Nanos) -> Result<[Slot; 1], Malformed> {
        Ok([*self])
    }
}

impl<A: Ask> Ask for &A {
    type Slots = A::Slots;

    const IS_RAW: bool = A::IS_RAW;

    fn slots_at(&self, now: Timestamp, default_for: Nanos) -> Result<A::Slots, Malformed> {
        (**self).slots_at(now, default_for)
    }
}

/// What all requests have in common.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) key: RequestKey,
    pub(crate) until: Option<Timestamp>,
    pub(crate) valid_for: Option<Nanos>,
    pub(crate) flags: u16,
    pub(crate) trace: [u8; 16],
    pub(crate) span: u64,
}

impl Terms {
    pub(crate) fn header(&self, account: u64) -> Header {
        Header {
            account,
            key: self.key,
            flags: self.flags,
            trace: self.trace,
            span: self.span,
            ..Header::default()
        }
    }

    pub(crate) fn until(&self, now: Timestamp, default_for: Nanos) -> Timestamp {
        self.until.unwrap_or_else(|| now.plus(self.valid_for.unwrap_or(default_for)))
    }
}

pub(crate) fn nanos(span: Duration) -> Nanos {
    Nanos(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

macro_rules! terms {
    ($name:ident) => {
        impl $name {
            /// The caller's own number of the request: asked again with it and the same `valid_until`, the
            /// first answer comes back.
            pub fn key(mut self, key: RequestKey) -> $name {
                self.terms.key = key;
                self
            }

            /// How long after it was sent it may still be decided. Default 30 s.
            pub fn valid_for(mut self, span: Duration) -> $name {
                self.terms.valid_for = Some(crate::ask::nanos(span));
                self
            }

            /// The last moment at which it may be decided. A retry carries that of the first attempt.
            pub fn valid_until(mut self, until: Timestamp) -> $name {
                self.terms.until = Some(until);
                self
            }

            /// A probe's: kept out of money reports.
            pub fn synthetic(mut self) -> $name {
                self.terms.flags |= Header::SYNTHETIC;
                self
            }

            /// The caller says that it has asked before. The `valid_until` of the first attempt has to be
            /// given too: it is part of what was asked, with another the answer is `RequestReused`.
            pub fn retry(mut self) -> $name {
                self.terms.flags |= Header::RETRY;
                self
            }

            /// Trace context, carried and never looked at.
            pub fn trace(mut self, trace: [u8; 16], span: u64) -> $name {
                self.terms.trace = trace;
                self.terms.span = span;
                self
            }
        }
    };
}
pub(crate) use terms;

/// A request with a body of one slot.
macro_rules! one_slot {
    ($name:ident) => {
        impl $name {
            /// The slot of this request, sent at `now`: for batches.
            pub fn slot(&self, now: Timestamp) -> Slot {
                self.slot_at(now, VALID_FOR)
            }
        }

        impl Ask for $name {
            type Slots = [Slot; 1];

            fn slots_at(&self, now: Timestamp, default_for: Nanos) -> Result<[Slot; 1], Malformed> {
                Ok([self.slot_at(now, default_for)])
            }
        }
    };
}

/// A single bet.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    account: AccountId,
    body: command::Place,
    policy: Option<PricePolicy>,
    terms: Terms,
}

terms!(Place);
one_slot!(Place);

impl Place {
    /// A bet of `stake` on a selection. It needs a key, and the price that the customer saw or
    /// [`Place::any_price`].
    pub fn single(account: AccountId, selection: Selection, stake: Money) -> Place {
        let body = command::Place {
            market: selection.market,
            selection: selection.index,
            stake: Minor::from(stake),
            ..command::Place::default()
        };
        Place { account, body, policy: None, terms: Terms::default() }
    }

    /// The price that the customer saw and asks for. Without a policy: this one or a better one.
    pub fn seen_at(mut self, price: Price) -> Place {
        self.body.price = WirePrice::decimal(price);
        self
    }

    /// The same, quoted as a fraction.
    pub fn seen_at_fraction(mut self, fraction: Fraction) -> Place {
        self.body.price = WirePrice::fractional(fraction);
        self
    }

    /// The version of the price that the customer saw: kept as evidence.
    pub fn seen_version(mut self, version: PriceVersion) -> Place {
        self.body.version = version;
        self
    }

    /// What the customer agrees to when the price has moved.
    pub fn policy(mut self, policy: PricePolicy) -> Place {
        self.policy = Some(policy);
        self
    }

    /// With [`PricePolicy::Within`]: by how many ten-thousandths the price may be lower.
    pub fn slippage(mut self, basis_points: u16) -> Place {
        self.body.slippage = basis_points;
        self
    }

    /// Whatever price is in force.
    pub fn any_price(self) -> Place {
        self.policy(PricePolicy::Any)
    }

    fn slot_at(&self, now: Timestamp, default_for: Nanos) -> Slot {
        let body = command::Place {
            valid_until: self.terms.until(now, default_for),
            policy: self.policy.unwrap_or(PricePolicy::Better) as u8,
            ..self.body
        };
        wire::slot(self.terms.header(self.account.raw()), &body)
    }
}

macro_rules! ask {
    ($(#[$doc:meta])* $name:ident($($field:ident: $type:ty => $wire:expr),*)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            account: AccountId,
            body: command::$name,
            terms: Terms,
        }

        terms!($name);
        one_slot!($name);

        impl $name {
            /// Of this account. It needs a key.
            pub fn new(account: AccountId, $($field: $type),*) -> $name {
                let body = command::$name { $($field: $wire,)* ..command::$name::default() };
                $name { account, body, terms: Terms::default() }
            }

            fn slot_at(&self, now: Timestamp, default_for: Nanos) -> Slot {
                let valid_until = self.terms.until(now, default_for);
                let body = command::$name { valid_until, ..self.body };
                wire::slot(self.terms.header(self.account.raw()), &body)
            }
        }
    };
}

ask!(
    /// Money in.
    Deposit(amount: Money => Minor::from(amount))
);
ask!(
    /// Money out.
    Withdraw(amount: Money => Minor::from(amount))
);
ask!(
    /// Takes an offer.
    AcceptOffer(bet: BetId => bet)
);
ask!(
    /// Declines an offer.
    DeclineOffer(bet: BetId => bet)
);
ask!(
    /// Sets one of the customer's own limits by a period of time; none: no limit. Less applies at once,
    /// more after 24 hours (RTS 12).
    SetOwnLimit(
        kind: LimitKind => kind as u8,
        period: Period => period as u8,
        amount: Option<Money> => amount.map_or(Minor(0), Minor::from)
    )
);
ask!(
    /// Excludes the customer by its own wish: no bets, no deposits, until a moment that can be put off
    /// and never be brought forward. The end of time is for good.
    ExcludeSelf(until: Timestamp => until)
);
ask!(
    /// Sells a bet back by itself as soon as it is worth so much; nothing: not any more.
    SetAutoCashOut(bet: BetId => bet, value: Money => Minor::from(value))
);

/// Sells a bet back to the house, or part of it.
#[derive(Clone, Copy, Debug)]
pub struct CashOut {
    account: AccountId,
    body: command::CashOut,
    policy: Option<PricePolicy>,
    terms: Terms,
}

terms!(CashOut);
one_slot!(CashOut);

impl CashOut {
    /// All of a bet. It needs a key, and the value that the customer was shown or
    /// [`CashOut::any_value`].
    pub fn new(account: AccountId, bet: BetId) -> CashOut {
        let body = command::CashOut { bet, ..command::CashOut::default() };
        CashOut { account, body, policy: None, terms: Terms::default() }
    }

    /// Only so much of its stake; the rest stays open.
    pub fn part(mut self, stake: Money) -> CashOut {
        self.body.take = Minor::from(stake);
        self
    }

    /// The value that the customer was shown and asks for. Without a policy: this one or a better one.
    pub fn shown(mut self, value: Money) -> CashOut {
        self.body.accept = Minor::from(value);
        self
    }

    /// What the customer agrees to when the value has moved.
    pub fn policy(mut self, policy: PricePolicy) -> CashOut {
        self.policy = Some(policy);
        self
    }

    /// With [`PricePolicy::Within`]: by how many ten-thousandths the value may be lower.
    pub fn slippage(mut self, basis_points: u16) -> CashOut {
        self.body.slippage = basis_points;
        self
    }

    /// Whatever it is worth.
    pub fn any_value(self) -> CashOut {
        self.policy(PricePolicy::Any)
    }

    fn slot_at(&self, now: Timestamp, default_for: Nanos) -> Slot {
        let body = command::CashOut {
            valid_until: self.terms.until(now, default_for),
            policy: self.policy.unwrap_or(PricePolicy::Better) as u8,
            ..self.body
        };
        wire::slot(self.terms.header(self.account.raw()), &body)
    }
}

/// A question about a request: what became of it, or that it never will.
#[derive(Clone, Copy, Debug)]
pub struct Resolve(Request);

impl Resolve {
    /// About this request.
    pub fn of(request: Request) -> Resolve {
        Resolve(request)
    }

    /// The slot of this question.
    pub fn slot(&self) -> Slot {
        let Request { account, key, valid_until } = self.0;
        let header = Header { account, key, ..Header::default() };
        wire::slot(header, &command::Resolve { valid_until, ..command::Resolve::default() })
    }
}

impl Ask for Resolve {
    type Slots = [Slot; 1];

    fn slots_at(&self, _now: Timestamp, _default_for: Nanos) -> Result<[Slot; 1], Malformed> {
        Ok([self.slot()])
    }
}

/// Everything that an account can be opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountTerms {
    reference: Reference,
    currency: Currency,
    purse: Purse,
    synthetic: bool,
}

impl AccountTerms {
    /// An account whose money is kept here.
    pub fn new(reference: Reference, currency: Currency) -> AccountTerms {
        AccountTerms { reference, currency, purse: Purse::Own, synthetic: false }
    }

    /// Its money is in an external wallet: every stake is held there first, every return goes there.
    pub fn external_wallet(self) -> AccountTerms {
        AccountTerms { purse: Purse::External, ..self }
    }

    /// A probe's: its money and bets are kept out of money reports.
    pub fn probe(self) -> AccountTerms {
        AccountTerms { synthetic: true, ..self }
    }

    /// The slot that opens it.
    pub(crate) fn slot(&self, key: RequestKey, valid_until: Timestamp) -> Slot {
        let body = command::OpenAccount {
            valid_until,
            reference: self.reference.0,
            currency: self.currency.numeric(),
            purse: self.purse as u8,
            synthetic: u8::from(self.synthetic),
            ..command::OpenAccount::default()
        };
        wire::slot(Header { key, ..Header::default() }, &body)
    }
}

// Every one of a customer's bodies but a ticket's fits one slot.
const _: () = assert!(size_of::<command::Place>() == 64 && size_of::<command::Resolve>() == 64);
