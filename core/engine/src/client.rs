//! A customer's connection: asks, and learns what became of it.

use std::time::Duration;

use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{LimitKind, Period};
use betring_core::id::{AccountId, ClientId, RequestKey};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::Slot;
use betring_pricing::{Currency, Money};

use crate::ask::{
    AccountTerms, Ask, Deposit, ExcludeSelf, Reference, Resolve, SetOwnLimit, VALID_FOR, Withdraw,
};
use crate::config::Level;
use crate::egress::{Line, Raw};
use crate::error::{Error, NotTaken};
use crate::outcome::{Outcome, Receipt, Refusal, Request, Resolved, Submitted, Ticket};

/// Makes keys that no other handle of this journal makes: epoch, handle and count.
#[derive(Debug)]
pub(crate) struct Keys {
    base: u128,
    made: u64,
}

impl Keys {
    pub(crate) fn new(epoch: u32, handle: u32) -> Keys {
        Keys { base: u128::from(epoch) << 96 | u128::from(handle) << 64, made: 0 }
    }

    pub(crate) fn next(&mut self) -> RequestKey {
        self.made += 1;
        RequestKey(self.base | u128::from(self.made))
    }
}

/// How long a request without a time limit of its own may be decided.
pub(crate) fn default_for(window: Nanos) -> Nanos {
    VALID_FOR.min(window)
}

/// Sends one command and waits for the one answer to it.
pub(crate) fn ask_and_wait(
    line: &mut Line,
    slots: &[Slot],
    within: Duration,
) -> Result<Reply, Error> {
    let ticket = line.try_submit(slots, Raw::No)?;
    let reply = match line.wait(ticket, within) {
        Some(reply) => reply,
        None if line.shared.is_poisoned() => {
            return Err(Error::Poisoned { why: line.shared.why() });
        }
        None => return Err(Error::Unanswered { request: ticket.request, after: within }),
    };
    match reply.answer.kind() {
        AnswerKind::Refused => Err(Error::Refused(Refusal {
            reject: reply.answer.reject().unwrap_or(Reject::Malformed),
            answer: reply.answer,
            duplicate: reply.is_duplicate(),
        })),
        _ => Ok(reply),
    }
}

pub(crate) fn receipt(reply: &Reply) -> Receipt {
    Receipt::of(&reply.answer, reply.is_duplicate())
}

/// A customer's connection. It has a credit: so many attempts may be unanswered, and so many replies
/// wait for it without holding anybody else up.
#[derive(Debug)]
pub struct Client {
    line: Line,
    keys: Keys,
    within: Duration,
}

impl Client {
    pub(crate) fn new(line: Line, keys: Keys, within: Duration) -> Client {
        Client { line, keys, within }
    }

    /// Opens an account for one of the operator's customers, and waits for it.
    ///
    /// # Errors
    /// [`Error::Refused`] (`AccountExists` names the account in its answer), and those of a call
    /// that waits: [`Error::NotTaken`], [`Error::Unanswered`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn open_account(
        &mut self,
        reference: Reference,
        currency: Currency,
    ) -> Result<AccountId, Error> {
        self.open(AccountTerms::new(reference, currency))
    }

    /// The same with everything that an account can be opened with: an external wallet, a probe's.
    ///
    /// # Errors
    /// Those of [`Client::open_account`].
    pub fn open(&mut self, terms: AccountTerms) -> Result<AccountId, Error> {
        let until = self.now().plus(default_for(self.line.shared.window));
        let slot = terms.slot(self.keys.next(), until);
        let reply = ask_and_wait(&mut self.line, &[slot], self.within)?;
        Ok(AccountId::from_raw(reply.answer.id))
    }

    /// Pays money in, and waits for it. Called again, it is another request, with another time limit:
    /// what was not answered is repeated with [`Client::deposit_again`].
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits; [`Error::Unanswered`] has the request.
    pub fn deposit(
        &mut self,
        account: AccountId,
        amount: Money,
        key: RequestKey,
    ) -> Result<Receipt, Error> {
        self.ask(&Deposit::new(account, amount).key(key)).map(|reply| receipt(&reply))
    }

    /// Repeats a deposit, with the time limit of its first attempt: whatever became of that one, the
    /// money moves once, and a first answer comes back.
    ///
    /// # Errors
    /// As those of [`Client::deposit`]; [`Reject::Expired`] if it was never seen and its time is over.
    pub fn deposit_again(&mut self, request: Request, amount: Money) -> Result<Receipt, Error> {
        let Request { account, key, valid_until } = request;
        let ask = Deposit::new(AccountId::from_raw(account), amount).key(key);
        self.ask(&ask.valid_until(valid_until).retry()).map(|reply| receipt(&reply))
    }

    /// Pays money out, and waits for it. Called again, it is another request, with another time limit:
    /// what was not answered is repeated with [`Client::withdraw_again`].
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits; [`Error::Unanswered`] has the request.
    pub fn withdraw(
        &mut self,
        account: AccountId,
        amount: Money,
        key: RequestKey,
    ) -> Result<Receipt, Error> {
        self.ask(&Withdraw::new(account, amount).key(key)).map(|reply| receipt(&reply))
    }

    /// Repeats a withdrawal, with the time limit of its first attempt: whatever became of that one, the
    /// money moves once, and a first answer comes back.
    ///
    /// # Errors
    /// As those of [`Client::withdraw`]; [`Reject::Expired`] if it was never seen and its time is over.
    pub fn withdraw_again(&mut self, request: Request, amount: Money) -> Result<Receipt, Error> {
        let Request { account, key, valid_until } = request;
        let ask = Withdraw::new(AccountId::from_raw(account), amount).key(key);
        self.ask(&ask.valid_until(valid_until).retry()).map(|reply| receipt(&reply))
    }

    /// Sets one of the customer's own limits by a period of time, and waits for it; none: no limit. Less
    /// applies at once, more after 24 hours.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_own_limit(
        &mut self,
        account: AccountId,
        kind: LimitKind,
        period: Period,
        amount: Option<Money>,
        key: RequestKey,
    ) -> Result<Receipt, Error> {
        let ask = SetOwnLimit::new(account, kind, period, amount).key(key);
        self.ask(&ask).map(|reply| receipt(&reply))
    }

    /// Excludes the customer by its own wish, and waits for it.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` if it is no longer than what holds), and those of a call that
    /// waits.
    pub fn exclude_self(
        &mut self,
        account: AccountId,
        until: Timestamp,
        key: RequestKey,
    ) -> Result<Receipt, Error> {
        self.ask(&ExcludeSelf::new(account, until).key(key)).map(|reply| receipt(&reply))
    }

    pub(crate) fn ask(&mut self, ask: &impl Ask) -> Result<Reply, Error> {
        let slots = ask.slots_at(self.now(), default_for(self.line.shared.window));
        let slots = slots.map_err(NotTaken::Malformed)?;
        ask_and_wait(&mut self.line, slots.as_ref(), self.within)
    }

    /// Sends a request. Never blocks. To send it again, give it the `valid_until` of its first
    /// [`Ticket`]'s request; without, it gets a new one and is another request under the same key.
    ///
    /// # Errors
    /// [`NotTaken`]: this attempt will never execute.
    pub fn try_submit<A: Ask>(&mut self, ask: A) -> Result<Ticket, NotTaken> {
        let slots = ask.slots_at(self.now(), default_for(self.line.shared.window));
        let raw = if A::IS_RAW { Raw::Yes } else { Raw::No };
        self.line.try_submit(slots.map_err(NotTaken::Malformed)?.as_ref(), raw)
    }

    /// Sends commands, one after the other; as many from the front as can be taken. Time, client and
    /// token of each are set here. What is no command is put aside ([`crate::dead_letters`]), and ends the
    /// batch. Never blocks.
    pub fn submit_batch(&mut self, commands: &[Slot]) -> Submitted {
        self.line.submit(commands, Raw::Yes)
    }

    /// The replies that may be seen by now, in the order of attempts, as many as fit; how many those
    /// are. Never blocks.
    pub fn poll(&mut self, replies: &mut [Reply]) -> usize {
        self.line.poll(replies)
    }

    /// Waits for what becomes of one attempt. [`Outcome::Unknown`] if that does not come in time, or
    /// the engine stopped: a reply that comes later is dropped, and [`Client::resolve`] tells.
    pub fn wait(&mut self, ticket: Ticket, timeout: Duration) -> Outcome {
        match self.line.wait(ticket, timeout) {
            Some(reply) => Outcome::of(&reply),
            None => Outcome::Unknown(ticket.request),
        }
    }

    /// Closes the question about a request, and waits for the end of it: it was decided, or it was
    /// never seen and now never will be.
    ///
    /// # Errors
    /// [`Error::Refused`] with `TooOld` more than a window after its time limit, and those of a
    /// call that waits.
    pub fn resolve(&mut self, request: Request) -> Result<Resolved, Error> {
        let ticket = self.try_submit(Resolve::of(request))?;
        match self.line.wait(ticket, self.within) {
            Some(reply) if reply.answer.seq.0 == 0 => Err(Error::Refused(Refusal {
                // Said without a sequence: not the stored answer of the key, but about the question.
                reject: reply.answer.reject().unwrap_or(Reject::Malformed),
                answer: reply.answer,
                duplicate: false,
            })),
            Some(reply) => Ok(Resolved::of(request, &reply)),
            None if self.line.shared.is_poisoned() => {
                Err(Error::Poisoned { why: self.line.shared.why() })
            }
            None => Err(Error::Unanswered { request, after: self.within }),
        }
    }

    /// Once the engine has ended: the attempts that will never be answered. They are forgotten then.
    pub fn take_unknown(&mut self) -> Vec<Request> {
        self.line.take_unknown()
    }

    /// Attempts whose replies were not read yet.
    pub fn in_flight(&self) -> usize {
        self.line.in_flight()
    }

    /// The most that [`Client::in_flight`] can be.
    pub fn credit(&self) -> usize {
        self.line.credit()
    }

    /// What has to be true of a reply before this client sees it.
    pub fn level(&self) -> Level {
        self.line.level()
    }

    /// Its number, while it is connected.
    pub fn id(&self) -> ClientId {
        self.line.id()
    }

    /// The time on the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.line.now()
    }

    /// Whether the engine takes commands.
    pub fn is_open(&self) -> bool {
        self.line.shared.accepts().is_ok()
    }

    /// Whether the engine has ended: no reply will come that has not come.
    pub fn has_ended(&self) -> bool {
        self.line.shared.has_ended()
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (in_flight, credit) = (self.in_flight(), self.credit());
        write!(f, "client {} ({}), {in_flight} of {credit} in flight", self.id(), self.level())
    }
}
