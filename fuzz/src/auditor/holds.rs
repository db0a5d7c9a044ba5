//! Stakes that an external wallet keeps, as the rules have it: asked for, held, let go, in time or not. Between
//! two commands nothing of such a customer's money is here but what is staked or owed.

use super::place::{Bound, Moment, Slip};
use super::{Auditor, Bet, Checked, Decided, Side, money, rule};
use betring_core::BetState;
use betring_core::answer::{Answer, Basis};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::Timestamp;

/// A stake that a wallet was asked to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    bind: u8,
    /// The wallet's own number and the amount, once it holds it.
    confirmed: Option<(u64, i64)>,
}

impl Hold {
    pub(super) fn at_place(&self) -> bool {
        self.bind == HoldBind::AtPlace as u8
    }
}

impl Auditor {
    /// Whether an account's money is kept elsewhere.
    pub(super) fn is_external(&self, account: u64) -> bool {
        self.accounts.get(&account).is_some_and(|account| account.external)
    }

    /// A bet of an external wallet waits for it; no money moves.
    pub(super) fn asks_wallet(&mut self, id: u64, bound: &Bound) -> Answer {
        let Some(bet) = self.bets.get(&id) else { return self.no(Reject::BetUnknown) };
        let set = *self.set(bet.ruleset);
        let opens_at_once = bound.agreed && !bound.refer && bound.delay == 0;
        let at_place = opens_at_once && set.hold_bind == HoldBind::AtPlace as u8;
        let bind = if at_place { HoldBind::AtPlace } else { HoldBind::AtConfirm } as u8;
        let until = self.now.saturating_add(set.hold_ttl.0);
        self.hit("-", "hold");
        self.bets.entry(id).and_modify(|bet| bet.hold = Some(Hold { bind, confirmed: None }));
        let answer = self.holds(id, BetState::Held, PendingWhy::Wallet, until);
        let bet = &self.bets[&id];
        self.told.push(Event::HoldRequested(HoldRequested {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            amount: money(bet.stake),
            until: Timestamp(until),
            currency: bet.currency,
            bind,
            synthetic: u8::from(bet.synthetic),
            zero: 0,
        }));
        if at_place {
            self.judges_legs(id);
        }
        answer
    }

    /// The bet that a wallet speaks of.
    fn asked_of(&self, id: BetId) -> Result<(Bet, Hold), Answer> {
        let unknown = self.no(Reject::HoldUnknown);
        let bet = self.bets.get(&id.raw()).filter(|bet| bet.state != BetState::Archived);
        let bet = bet.ok_or(unknown)?;
        if self.is_leaving(bet) && self.answered_with(Reject::HoldUnknown) {
            return Err(unknown);
        }
        bet.hold.map(|hold| (bet.clone(), hold)).ok_or(unknown)
    }

    pub(super) fn confirm_hold(&mut self, body: &ConfirmHold) -> Decided {
        let id = body.bet.raw();
        let (bet, hold) = self.asked_of(body.bet)?;
        if let Some(before) = hold.confirmed {
            return match before == (body.reference, body.amount.0) {
                true => Ok(self.done(id)),
                false => Err(self.no(Reject::HoldEnded)),
            };
        }
        if bet.state != BetState::Held || bet.until < self.now {
            return Err(self.no(Reject::HoldEnded));
        }
        if i128::from(body.amount.0) != bet.stake {
            let mut no = self.no(Reject::HoldAmount);
            no.amount = money(bet.stake);
            return Err(no);
        }
        // What the gates say is said of the book as it is now, with the stake not yet in it.
        let checked = match hold.at_place() {
            // What decides it is known: a job that has not come to it yet would refuse it too.
            true if self.is_decided(&bet) => Err(self.no(Reject::MarketClosed)),
            true => Ok(None),
            false => self.asks_again(&bet).map(Some),
        };
        self.bets.entry(id).and_modify(|bet| {
            bet.hold = Some(Hold { confirmed: Some((body.reference, body.amount.0)), ..hold });
        });
        self.told.push(Event::HoldConfirmed(HoldConfirmed {
            bet: body.bet,
            account: AccountId::from_raw(bet.account),
            amount: money(bet.stake),
            reference: body.reference,
        }));
        let (world, escrow) = (Side::House(HouseAccount::World), Side::House(HouseAccount::Escrow));
        match checked {
            Ok(None) => {
                self.passes(&bet, id, escrow, TransferWhy::Stake);
                self.hit("Held", "accept");
                self.opens(bet.key, id, Basis::Held);
            }
            Ok(Some(bound)) => {
                self.passes(&bet, id, escrow, TransferWhy::Stake);
                self.rebinds(id, &bound);
                self.goes_on(id, &bound);
            }
            Err(no) => {
                self.passes(&bet, id, world, TransferWhy::WalletOut);
                self.hold_ends(id, &no, HoldEnd::Refused);
            }
        }
        Ok(self.done(id))
    }

    /// A stake comes in from its wallet and goes on at once, past whatever the customer owes.
    fn passes(&mut self, bet: &Bet, id: u64, to: Side, why: TransferWhy) {
        let (world, customer) = (Side::House(HouseAccount::World), Side::Customer(bet.account));
        self.passes_through = true;
        self.transfer(bet.currency, world, customer, bet.stake, TransferWhy::WalletIn, id);
        self.transfer(bet.currency, customer, to, bet.stake, why, id);
        self.passes_through = false;
    }

    /// Whether it is known what becomes of a leg of a bet, or the bet was not bound and may not be any more.
    pub(super) fn is_decided(&self, bet: &Bet) -> bool {
        let known = bet.legs.iter().any(|leg| self.facts(bet, leg).is_some());
        let bound = bet.hold.is_some_and(|hold| hold.at_place());
        known || (!bound && self.suspended_since(bet))
    }

    /// The stakes of an account that its wallet holds for bets that open as soon as it says so.
    pub(super) fn held_for(&self, account: u64) -> i128 {
        let own = self.bets.values().filter(|bet| bet.account == account && bet.is_bound());
        own.map(|bet| bet.stake).sum()
    }

    /// All gates again, as if the bet was asked for now.
    fn asks_again(&self, bet: &Bet) -> Result<Bound, Answer> {
        if self.suspended_since(bet) {
            return Err(self.no(Reject::MarketSuspended));
        }
        let slip: Slip = self.slip_of(bet, &[]);
        let bound = self.gates(bet.account, &slip, bet.ruleset, Moment::Confirmed)?;
        self.fits(bet, &bound)?;
        let until = bet.placed_at.saturating_add(bound.delay);
        let waits = bound.refer || (bound.delay != 0 && self.now < until);
        if waits && self.timers_are_full(Reject::TooManyPending) {
            return Err(self.no(Reject::TooManyPending));
        }
        Ok(bound)
    }

    /// What passed is what it would be if it had been placed: referred, delayed, offered or open.
    fn goes_on(&mut self, id: u64, bound: &Bound) {
        let Some(bet) = self.bets.get(&id).cloned() else { return };
        let until = bet.placed_at.saturating_add(bound.delay);
        if bound.refer {
            self.hit("Held", "refer");
            let until = self.now.saturating_add(self.set(bet.ruleset).refer_ttl.0);
            self.holds(id, BetState::Referred, PendingWhy::Referral, until);
        } else if bound.delay != 0 && self.now < until {
            self.hit("Held", "delay");
            self.holds(id, BetState::Delayed, PendingWhy::Delay, until);
        } else if bound.agreed {
            self.hit("Held", "accept");
            self.opens(bet.key, id, Basis::Held);
        } else {
            self.hit("Held", "offer");
            self.offers(id);
        }
    }

    pub(super) fn release_hold(&mut self, body: &ReleaseHold) -> Decided {
        let id = body.bet.raw();
        let (bet, _) = self.asked_of(body.bet)?;
        match bet.state {
            BetState::Held => {
                // After its last moment it has timed out, whoever says so first.
                let (reject, why) = match bet.until < self.now {
                    true => (Reject::HoldTimedOut, HoldEnd::TimedOut),
                    false => (Reject::HoldReleased, HoldEnd::Released),
                };
                self.hold_ends(id, &self.no(reject), why);
                Ok(self.done(id))
            }
            state if state.is_refused() => Ok(self.done(id)),
            _ => Err(self.no(Reject::NotAllowed)),
        }
    }

    /// What was held will never be a bet.
    pub(super) fn hold_ends(&mut self, id: u64, no: &Answer, why: HoldEnd) {
        let Some(bet) = self.bets.get(&id).cloned() else { return };
        let counted = bet.counts();
        self.hit("Held", "reject");
        self.bets.entry(id).and_modify(|bet| bet.state = BetState::Rejected);
        self.told.push(Event::BetRejected(BetRejected {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            price: no.price,
            reject: no.reject().map_or(0, Reject::code),
            from: BetState::Held as u8,
            zero: 0,
            reason: no.policy_reason,
        }));
        self.told.push(Event::HoldEnded(HoldEnded {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            amount: money(bet.stake),
            why: why as u8,
            zero: [0; 7],
        }));
        if counted {
            self.judges_legs(id);
        }
    }

    /// A hold comes to its end without the wallet: by its time, or because a job of its market meets it.
    ///
    /// # Errors
    /// If neither is so.
    pub(super) fn hold_is_over(&mut self, id: u64, bet: &Bet) -> Checked {
        let is_due = super::waits::due(bet) <= self.now;
        let met = bet.legs.iter().any(|leg| self.has_job(leg.market));
        let by_news = met && self.is_decided(bet);
        rule(is_due || by_news, || format!("{bet:?} is held, and its time is not over"))?;
        if by_news && !(is_due && self.answered_with(Reject::HoldTimedOut)) {
            self.hold_ends(id, &self.no(Reject::MarketClosed), HoldEnd::Refused);
        } else {
            self.timers_went(bet);
            self.hold_ends(id, &self.no(Reject::HoldTimedOut), HoldEnd::TimedOut);
        }
        Ok(())
    }

    /// The balance of an external wallet's customer goes there as soon as there is any.
    pub(super) fn sweeps(&mut self, currency: u16, account: u64, bet: u64) {
        let balance = self.accounts.get(&account).map_or(0, |account| account.balance);
        if self.is_external(account) && 0 < balance {
            let (from, to) = (Side::Customer(account), Side::House(HouseAccount::World));
            self.transfer(currency, from, to, balance, TransferWhy::WalletOut, bet);
        }
    }

    /// Between two commands an external wallet's customer has nothing here.
    ///
    /// # Errors
    /// Whoever has.
    pub(super) fn wallets_are_empty(&self) -> Checked {
        let kept = self.accounts.iter().find(|(_, a)| a.external && 0 < a.balance);
        rule(kept.is_none(), || format!("{kept:?} is an external wallet, and its money is here"))
    }

    /// Whether an account's money is in an external wallet.
    pub fn is_external_wallet(&self, account: AccountId) -> bool {
        self.is_external(account.raw())
    }

    /// Bets that wait for a wallet: the bet, whose it is, the stake, and the last moment for an answer.
    pub fn asked_holds(&self) -> impl Iterator<Item = (BetId, AccountId, i128, Timestamp)> + '_ {
        let held = self.bets.iter().filter(|(_, bet)| bet.state == BetState::Held);
        held.map(|(id, bet)| {
            let account = AccountId::from_raw(bet.account);
            (BetId::from_raw(*id), account, bet.stake, Timestamp(bet.until))
        })
    }
}
