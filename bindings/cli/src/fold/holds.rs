//! Stakes that an external wallet holds: asked for, confirmed whole and in time, or let go of.

use super::world::InForce;
use super::{Bet, Fold, Leg, Life, Rule};
use betring_core::command::{Command, HoldBind};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::Nanos;
use betring_core::wire::Minor;

/// What an external wallet was asked for.
#[derive(Clone)]
pub(super) struct Hold {
    /// The prices that were in force when it was asked, if the bet is bound to them.
    pub(super) bound: Option<Vec<InForce>>,
    pub(super) confirmed: bool,
    /// The stake has come in and lies with the others.
    pub(super) staked: bool,
}

impl Hold {
    /// Whether legs have the prices that they were bound to when the wallet was asked.
    pub(super) fn is_bound_as(&self, legs: &[Leg]) -> bool {
        let same = |(now, leg): (&InForce, &Leg)| {
            (now.price, now.version, now.age, now.feed)
                == (leg.price, leg.version, leg.age, leg.feed)
        };
        self.bound
            .as_ref()
            .is_some_and(|bound| bound.len() == legs.len() && bound.iter().zip(legs).all(same))
    }
}

impl Fold {
    /// The wallet is asked for a stake: of a bet that its customer asks for in this record.
    pub(super) fn hold_requested(&mut self, command: &Command<'_>, event: &HoldRequested) {
        let id = event.bet;
        let placed = matches!(command, Command::Place(_) | Command::PlaceTicket(..));
        let known = self.bets.get(&id.raw()).filter(|bet| bet.life == WAITS && bet.hold.is_none());
        let Some(bet) = known.filter(|_| placed).cloned() else {
            return self.broken(Rule::Wallet, || format!("nobody asked for {id} to be held"));
        };
        let same = (event.account, event.amount) == (bet.account, bet.stake)
            && (event.until, event.currency) == (bet.until, bet.currency)
            && event.synthetic == u8::from(bet.synthetic);
        self.must(Rule::Wallet, same, || format!("the wallet is asked for another bet than {id}"));
        let rules = self.rules.get(bet.ruleset as usize).map(|rules| rules.hold_bind);
        let bound = (event.bind == HoldBind::AtPlace as u8).then(|| self.binds_now(id, &bet));
        self.must(Rule::Wallet, bound.is_none() || rules == Some(HoldBind::AtPlace as u8), || {
            format!("{id} is bound before its stake is held, which its rules do not allow")
        });
        let mut bet = Bet { hold: Some(Hold { bound, confirmed: false, staked: false }), ..bet };
        if bet.hold.as_ref().is_some_and(|hold| hold.bound.is_some()) {
            // The cap is that of the moment at which it is bound.
            self.holds_back(bet.account, bet.stake.0);
            let legs = bet.legs.clone();
            self.put_prices(&mut bet);
            bet.cap = self.cap_of(&bet);
            bet.legs = legs;
        }
        self.bets.insert(id.raw(), bet);
    }

    /// The prices in force, to which a bet is bound before the wallet has answered: as if it opened.
    fn binds_now(&mut self, id: BetId, bet: &Bet) -> Vec<InForce> {
        let now = |leg: &Leg| self.in_force_now(leg.market, leg.selection);
        let found: Vec<InForce> = bet.legs.iter().filter_map(now).collect();
        let wait = self.wait(&bet.legs);
        self.must(Rule::Waiting, wait == Nanos::ZERO, || {
            format!("{id} is bound at once, its markets' bets wait {wait}")
        });
        for leg in &bet.legs {
            self.fresh(id, leg.market, leg.selection);
        }
        self.stake_within(id, bet);
        found
    }

    /// The legs with the prices that the hold bound.
    fn put_prices(&self, bet: &mut Bet) {
        let Some(bound) = bet.hold.as_ref().and_then(|hold| hold.bound.as_ref()) else { return };
        for (leg, now) in bet.legs.iter_mut().zip(bound) {
            leg.settles_at = now.price;
        }
    }

    /// The wallet holds the stake: all of it, in time, once.
    pub(super) fn hold_confirmed(
        &mut self,
        command: &Command<'_>,
        event: &HoldConfirmed,
        due: &mut Vec<Transfer>,
    ) {
        let (id, at) = (event.bet, self.at);
        let asked = match command {
            Command::ConfirmHold(body) if body.bet == id => Some((body.amount, body.reference)),
            _ => None,
        };
        let waits = |bet: &&mut Bet| bet.life == WAITS;
        let bet = self.bets.get_mut(&id.raw()).filter(waits);
        let Some((bet, hold)) = bet.and_then(|bet| {
            let seen = (bet.account, bet.stake, bet.until);
            bet.hold.as_mut().filter(|hold| !hold.confirmed).map(|hold| (seen, hold))
        }) else {
            return self.broken(Rule::Wallet, || format!("{id} waits for no wallet"));
        };
        hold.confirmed = true;
        let bound = hold.bound.is_some();
        let (account, stake, until) = bet;
        if bound {
            self.holds_back(account, -stake.0);
        }
        self.counts.held += u64::from(!self.is_synthetic(account));
        let same = asked == Some((event.amount, event.reference)) && event.account == account;
        self.must(Rule::Wallet, same, || format!("{id} is held otherwise than the wallet said"));
        self.must(Rule::Wallet, event.amount == stake, || {
            format!("{id} stakes {stake}, the wallet holds {}", event.amount)
        });
        self.must(Rule::Wallet, at <= until, || format!("{id} was confirmed after {until}"));
        due.extend(self.moved(id, TransferWhy::WalletIn, event.amount));
    }

    /// The stake that the wallet holds is staked: as much as it was asked for.
    pub(super) fn comes_in(&mut self, id: BetId, due: &mut Vec<Transfer>) {
        let bet = self.bets.get_mut(&id.raw());
        let Some(bet) = bet.filter(|bet| bet.hold.as_ref().is_some_and(|hold| !hold.staked)) else {
            return;
        };
        if let Some(hold) = &mut bet.hold {
            hold.staked = true;
        }
        let staked = (bet.currency, bet.stake);
        self.stake_enters(id, staked);
        due.extend(self.transfer(id, TransferWhy::Stake));
    }

    /// A bet that waited for its wallet was refused: a stake that was bound is free again.
    pub(super) fn lets_go(&mut self, id: BetId) {
        let held = self.bets.get(&id.raw()).and_then(|bet| {
            let hold = bet.hold.as_ref()?;
            (hold.bound.is_some() && !hold.confirmed).then_some((bet.account, bet.stake.0))
        });
        if let Some((account, stake)) = held {
            self.holds_back(account, -stake);
        }
    }

    /// A hold ended without a bet: the wallet said no, or nothing, or the bet could not be taken then.
    pub(super) fn hold_ended(&mut self, event: &HoldEnded) {
        let (id, at) = (event.bet, self.at);
        let Some(bet) = self.bets.get(&id.raw()).filter(|bet| bet.hold.is_some()) else {
            return self.broken(Rule::Wallet, || format!("{id} was never held"));
        };
        let same = bet.life == Life::Ended && bet.account == event.account;
        let in_time = event.why != HoldEnd::TimedOut as u8 || bet.until < at;
        let amount = Minor(0) < event.amount;
        self.must(Rule::Wallet, same && amount && in_time, || {
            format!("the hold of {id} ends, and it should not")
        });
    }
}

/// What waits for the wallet.
pub(super) const WAITS: Life = Life::Waits(PendingWhy::Wallet);
