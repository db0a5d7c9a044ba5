//! A stake in an external wallet: asked for, then confirmed, let go, or not answered in time.
//!
//! A bet waits here before any of its money does: nothing is in escrow until the wallet says that it
//! holds the stake. Under [`HoldBind::AtPlace`] its price is bound already, and it counts in what its
//! markets may cost: a confirmation in time opens it, whatever was suspended since. Under
//! [`HoldBind::AtConfirm`] all gates are run again then, at the prices of that moment.

use crate::answer::{Answer, Basis};
use crate::bet::{Bet, BetState, BetStep, Hold};
use crate::command::{ConfirmHold, HoldBind, ReleaseHold};
use crate::event::{
    BetRejected, Events, HoldConfirmed, HoldEnd, HoldEnded, HoldRequested, HouseAccount,
    PendingWhy, TransferWhy,
};
use crate::id::{AccountId, BetId};
use crate::place::{Moment, Passed, Scratch};
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::time::Nanos;
use crate::wire::Minor;

type Decided = Result<Answer, Answer>;

impl<R: Rules> State<R> {
    /// A bet that passed waits for its wallet. No money moves.
    pub(crate) fn request_hold(
        &mut self,
        id: BetId,
        passed: &Passed,
        events: &mut Events,
    ) -> Answer {
        let bet = self.bets[id.index() as usize];
        let set = &self.rulesets[usize::from(bet.ruleset)];
        let until = self.now.plus(set.hold_ttl);
        let at_once = passed.agreed && !passed.waits();
        let bind = match HoldBind::from_code(set.hold_bind).expect("checked when it was read") {
            HoldBind::AtPlace if at_once => HoldBind::AtPlace,
            HoldBind::AtPlace | HoldBind::AtConfirm => HoldBind::AtConfirm,
        };
        self.bets[id.index() as usize].hold = Hold { bind: Some(bind), ..Hold::default() };
        let answer = self.begin_wait(id, BetState::Held, PendingWhy::Wallet, until, events);
        events.push(&HoldRequested {
            bet: id,
            account: AccountId::new(bet.account, 1),
            amount: Minor(bet.stake),
            until,
            currency: self.currency_of(&bet),
            bind: bind as u8,
            synthetic: u8::from(bet.synthetic),
            zero: 0,
        });
        if bind == HoldBind::AtPlace {
            self.ledger.accounts[bet.account as usize].held += i128::from(bet.stake);
            self.count_bet(id.index());
            self.act_on_bet(id.index(), events);
        }
        answer
    }

    /// The wallet holds the stake: the bet goes on, or is refused and the wallet told so.
    pub(crate) fn confirm_hold(&mut self, body: &ConfirmHold, events: &mut Events) -> Decided {
        let (id, bet) = self.held_once(body.bet)?;
        let done = Ok(Answer::done(self.seq, id.raw()));
        if bet.state != BetState::Held {
            let same = (bet.hold.confirmed, bet.hold.reference) == (body.amount.0, body.reference);
            return if same { done } else { Err(self.no(Reject::HoldEnded)) };
        }
        if bet.until < self.now {
            return Err(self.no(Reject::HoldEnded));
        }
        if body.amount.0 != bet.stake {
            let amount = Minor(bet.stake);
            return Err(Answer { amount, ..self.no(Reject::HoldAmount) });
        }

        // From here on nothing can fail: the wallet's answer is taken.
        let hold = &mut self.bets[id.index() as usize].hold;
        (hold.confirmed, hold.reference) = (body.amount.0, body.reference);
        events.push(&HoldConfirmed {
            bet: id,
            account: AccountId::new(bet.account, 1),
            amount: body.amount,
            reference: body.reference,
        });
        if bet.is_bound() {
            self.open_bound(id, &bet, events);
        } else {
            self.decide_confirmed(id, &bet, events);
        }
        done
    }

    /// The wallet does not hold the stake, and will not.
    pub(crate) fn release_hold(&mut self, body: &ReleaseHold, events: &mut Events) -> Decided {
        let (id, bet) = self.held_once(body.bet)?;
        if bet.state == BetState::Held {
            // After its last moment it has timed out, whether its timer has fired or not.
            let (reject, why) = match bet.until < self.now {
                true => (Reject::HoldTimedOut, HoldEnd::TimedOut),
                false => (Reject::HoldReleased, HoldEnd::Released),
            };
            self.refuse_held(id, &self.no(reject), why, events);
        } else if !bet.state.is_refused() {
            return Err(self.no(Reject::NotAllowed));
        }
        Ok(Answer::done(self.seq, id.raw()))
    }

    /// A bet that waits for a wallet, or once did.
    fn held_once(&self, id: BetId) -> Result<(BetId, Bet), Answer> {
        match self.find_bet(id) {
            Some(bet) if bet.hold.bind.is_some() => Ok((id, *bet)),
            _ => Err(self.no(Reject::HoldUnknown)),
        }
    }

    /// The price was bound when the bet was placed: it opens, unless it is decided or void already. A job
    /// that has not come to it yet would refuse it too.
    fn open_bound(&mut self, id: BetId, bet: &Bet, events: &mut Events) {
        if self.is_known(bet) {
            return self.turn_down(id, bet, &self.no(Reject::MarketClosed), events);
        }
        self.pass_stake(id, bet, HouseAccount::Escrow, TransferWhy::Stake, events);
        self.ledger.accounts[bet.account as usize].held -= i128::from(bet.stake);
        self.open_bet(bet.key, id, Basis::Held, events);
    }

    /// All gates again, as if it was asked for now; only the time of its delay began when it was.
    fn decide_confirmed(&mut self, id: BetId, bet: &Bet, events: &mut Events) {
        let mut scratch = self.wanted_of(bet, &[]);
        match self.confirmed(bet, &mut scratch) {
            Err(answer) => self.turn_down(id, bet, &answer, events),
            Ok(passed) => {
                self.pass_stake(id, bet, HouseAccount::Escrow, TransferWhy::Stake, events);
                self.rebind(id, &passed, &scratch, events);
                self.go_on(id, &passed, Basis::Held, events);
            }
        }
        self.scratch = scratch;
    }

    fn confirmed(&self, bet: &Bet, scratch: &mut Scratch) -> Result<Passed, Answer> {
        if self.suspended_since(bet) {
            return Err(self.no(Reject::MarketSuspended));
        }
        let slip = crate::waiting::slip_of(bet);
        let passed = self.gates(bet.account, &slip, bet.ruleset, Moment::Confirmed, scratch)?;
        self.fits(bet, &passed)?;
        let delay = bet.placed_at.plus(passed.delay).since(self.now);
        let delay = if passed.delay == Nanos::ZERO { Nanos::ZERO } else { delay.or_zero() };
        let passed = Passed { delay, ..passed };
        if passed.waits() && self.timers_are_full() {
            return Err(self.no(Reject::TooManyPending));
        }
        Ok(passed)
    }

    /// What the wallet holds is not wanted: it goes out as it came in.
    fn turn_down(&mut self, id: BetId, bet: &Bet, answer: &Answer, events: &mut Events) {
        self.pass_stake(id, bet, HouseAccount::World, TransferWhy::WalletOut, events);
        self.refuse_held(id, answer, HoldEnd::Refused, events);
    }

    /// A bet that waits for its wallet is refused. None of its money is here.
    pub(crate) fn refuse_held(
        &mut self,
        id: BetId,
        answer: &Answer,
        why: HoldEnd,
        events: &mut Events,
    ) {
        let before = self.bets[id.index() as usize];
        self.uncount_bet(id.index());
        let bet = &mut self.bets[id.index() as usize];
        bet.state = bet.state.after(BetStep::Reject).expect("what is held can be refused");
        let account = &mut self.ledger.accounts[before.account as usize];
        account.pending -= before.returns;
        if before.is_bound() {
            account.held -= i128::from(before.stake);
        }
        let account = AccountId::new(before.account, 1);
        events.push(&BetRejected {
            bet: id,
            account,
            price: answer.price,
            reject: answer.reject().map_or(0, Reject::code),
            from: before.state as u8,
            zero: 0,
            reason: answer.policy_reason,
        });
        let amount = Minor(before.stake);
        events.push(&HoldEnded { bet: id, account, amount, why: why as u8, zero: [0; 7] });
        if before.is_bound() {
            self.act_on_bet(id.index(), events);
        }
    }

    /// Whether news are known that decide a leg of a bet: its market has a result, or cancelled it.
    pub(crate) fn is_known(&self, bet: &Bet) -> bool {
        self.legs_of(bet).any(|at| {
            let leg = &self.legs[at as usize];
            self.facts_of(leg, bet).is_some()
        })
    }
}
