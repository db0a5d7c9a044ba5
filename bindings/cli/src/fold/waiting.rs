//! What is not yet a bet: it waits for the end of a delay or for a trader, and is decided then.

use super::holds;
use super::tickets::Lines;
use super::{Agreed, Bet, Fold, Leg, Life, Rule};
use betring_core::command::{Command, ReferralAnswer};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::Nanos;
use betring_core::wire::{Header, Minor};

impl Fold {
    /// A bet waits; what it is about stands in its command.
    pub(super) fn waits(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        event: &BetPending,
        due: &mut Vec<Transfer>,
    ) {
        let id = event.bet;
        let held = |bet: &&Bet| bet.life == holds::WAITS;
        let waited = self.bets.get(&id.raw()).filter(held).cloned();
        if let Some(waited) = waited {
            return self.waits_on(command, event, waited, due);
        }
        self.count(event.synthetic == 1, |counts| counts.waited += 1);
        let (legs, agreed) = match command {
            Command::Place(body) => {
                let asked = (body.price, body.version);
                let leg = Leg { asked, ..Leg::on(body.market, body.selection) };
                (vec![leg], Agreed { policy: body.policy, slippage: body.slippage })
            }
            Command::PlaceTicket(body, legs) => {
                let leg = |leg: betring_core::command::LegEntry| Leg {
                    asked: (leg.price, leg.version),
                    ..Leg::on(leg.market, leg.selection)
                };
                let agreed = Agreed { policy: body.policy, slippage: body.slippage };
                (legs.iter().map(leg).collect(), agreed)
            }
            _ => return self.broken(Rule::Waiting, || format!("nobody asked for {id}")),
        };
        let lines = match command {
            Command::PlaceTicket(body, _) => Lines {
                legs: legs.len(),
                folds: body.folds,
                bankers: body.bankers,
                each_way: body.each_way,
            },
            _ => Lines::SINGLE,
        };
        let why = PendingWhy::from_code(event.why).unwrap_or(PendingWhy::CashOut);
        let span = match why {
            PendingWhy::Delay => self.wait(&legs),
            PendingWhy::Referral => {
                self.rules.get(event.ruleset as usize).map_or(Nanos::ZERO, |set| set.refer_ttl)
            }
            PendingWhy::Wallet => {
                self.rules.get(event.ruleset as usize).map_or(Nanos::ZERO, |set| set.hold_ttl)
            }
            PendingWhy::CashOut => Nanos::ZERO,
        };
        let until = self.at.plus(span);
        self.must(Rule::Waiting, span != Nanos::ZERO && event.until == until, || {
            format!("{id} waits until {}, it should until {until}", event.until)
        });
        let legs: Vec<Leg> = legs
            .into_iter()
            .map(|leg| {
                let now = self.in_force_now(leg.market, leg.selection);
                Leg { feed: now.map_or(FeedId::MANUAL, |now| now.feed), ..leg }
            })
            .collect();
        for leg in &legs {
            self.standing(id, leg.market, leg.selection);
        }
        let bet = Bet {
            currency: event.currency,
            bonus: event.bonus == 1,
            synthetic: event.synthetic == 1,
            lines,
            legs,
            stake: event.stake,
            agreed,
            ruleset: event.ruleset,
            until: event.until,
            life: Life::Waits(why),
            ..self.new_bet(event.account, header)
        };
        let bet = self.asked(header, command, id, bet);
        match why {
            PendingWhy::Wallet => {
                let external = self.is_external(bet.account) && !bet.bonus;
                self.must(Rule::Wallet, external, || format!("{id} waits for no wallet"));
            }
            PendingWhy::Delay => {
                self.needs_no_hold(id, &bet);
                self.stake_within(id, &bet);
            }
            PendingWhy::Referral | PendingWhy::CashOut => self.needs_no_hold(id, &bet),
        }
        self.keep(id, bet, due);
    }

    /// A bet whose stake is held goes on to wait: for the rest of its delay, or for a trader.
    fn waits_on(
        &mut self,
        command: &Command<'_>,
        event: &BetPending,
        waited: Bet,
        due: &mut Vec<Transfer>,
    ) {
        let (id, now) = (event.bet, self.at);
        let why = PendingWhy::from_code(event.why).unwrap_or(PendingWhy::CashOut);
        let until = match why {
            PendingWhy::Delay => waited.at.plus(self.wait(&waited.legs)),
            PendingWhy::Referral => {
                let rules = self.rules.get(waited.ruleset as usize);
                now.plus(rules.map_or(Nanos::ZERO, |set| set.refer_ttl))
            }
            PendingWhy::CashOut | PendingWhy::Wallet => now,
        };
        let held = matches!(command, Command::ConfirmHold(body) if body.bet == id)
            && waited.hold.as_ref().is_some_and(|hold| hold.confirmed && hold.bound.is_none());
        self.must(Rule::Wallet, held, || format!("{id} goes on, its stake is not held"));
        self.must(Rule::Waiting, now < until && event.until == until, || {
            format!("{id} waits until {}, it should until {until}", event.until)
        });
        let house_rules = self.rules_id == 1;
        let back = Minor(waited.stake.0.saturating_sub(event.stake.0));
        let fits = if house_rules { back == Minor(0) } else { Minor(0) <= back };
        self.comes_in(id, due);
        let same = (event.account, fits) == (waited.account, true)
            && (event.currency, event.bonus == 1) == (waited.currency, waited.bonus)
            && event.ruleset == waited.ruleset;
        self.must(Rule::Waiting, same, || format!("{id} is not what was asked for"));
        self.unsuspended(Rule::Waiting, id, &waited.legs, waited.seq);
        for leg in &waited.legs {
            self.standing(id, leg.market, leg.selection);
        }
        self.may_bet(id, &waited);
        self.within_own_limits(id, &waited);
        if Minor(0) < back {
            self.stake_changes(&waited, -i128::from(back.0));
            due.extend(self.moved(id, TransferWhy::Return, back));
        }
        let hold = self.bets.get(&id.raw()).and_then(|bet| bet.hold.clone());
        let (life, until, stake) = (Life::Waits(why), event.until, event.stake);
        let bet = Bet { life, until, stake, hold, ..waited };
        if why == PendingWhy::Delay {
            self.stake_within(id, &bet);
        }
        self.keep(id, bet, due);
    }

    /// A bet that waited is bound or offered: as it was asked for, in time, nothing suspended since.
    /// What it is from here on; a part of the stake that is no longer risked goes back.
    pub(super) fn decided_later(
        &mut self,
        command: &Command<'_>,
        id: BetId,
        waited: &Bet,
        bet: Bet,
        due: &mut Vec<Transfer>,
    ) -> Bet {
        let (now, until) = (self.at, waited.until);
        let house_rules = self.rules_id == 1;
        let mut stake_fits =
            if house_rules { bet.stake == waited.stake } else { bet.stake <= waited.stake };
        let mut given = vec![None; bet.legs.len()];
        let in_time = match (waited.life, command) {
            (Life::Waits(PendingWhy::Delay), Command::Step(_)) => until <= now,
            (Life::Waits(PendingWhy::Referral), Command::AnswerReferral(body, prices)) => {
                if body.stake != Minor(0) {
                    stake_fits = bet.stake <= body.stake && bet.stake <= waited.stake;
                    stake_fits &= !house_rules || bet.stake == body.stake;
                }
                for (to, entry) in given.iter_mut().zip(prices.iter()) {
                    *to = (!entry.price.is_none()).then_some(entry.price);
                }
                body.bet == id && body.answer != ReferralAnswer::Decline as u8 && now <= until
            }
            (holds::WAITS, Command::ConfirmHold(body)) => {
                self.within_own_limits(id, waited);
                self.comes_in(id, due);
                body.bet == id && waited.hold.as_ref().is_some_and(|hold| hold.confirmed)
            }
            _ => false,
        };
        self.may_bet(id, &bet);
        if !matches!(waited.life, Life::Waits(PendingWhy::Referral)) {
            self.stake_within(id, &bet);
        }
        self.must(Rule::Waiting, in_time, || {
            format!("{id} is decided before its delay, after its time, or by nobody")
        });
        self.unsuspended(Rule::Waiting, id, &waited.legs, waited.seq);
        let legs = waited.legs.len() == bet.legs.len()
            && waited.legs.iter().zip(&bet.legs).all(|(waited, leg)| waited.is_asked_as(leg));
        let same = legs
            && waited.account == bet.account
            && (waited.currency, waited.bonus) == (bet.currency, bet.bonus)
            && waited.synthetic == bet.synthetic
            && waited.agreed == bet.agreed
            && waited.ruleset == bet.ruleset
            && (bet.life == Life::Offered
                || (waited.lines, waited.floor) == (bet.lines, bet.floor))
            && stake_fits;
        self.must(Rule::Waiting, same, || format!("{id} is not what was asked for"));
        for (leg, given) in bet.legs.iter().zip(&given) {
            let by_trader = leg.version == PriceVersion(0);
            let right = match given {
                Some(price) => by_trader && leg.price == *price,
                None => !by_trader,
            };
            self.must(Rule::Price, right, || {
                format!("{id} has {} on {}, which nobody gave", leg.price, leg.market)
            });
        }
        let back = Minor(waited.stake.0.saturating_sub(bet.stake.0));
        if Minor(0) < back {
            self.stake_changes(&bet, -i128::from(back.0));
            due.extend(self.moved(id, TransferWhy::Return, back));
        }
        Bet {
            hold: waited.hold.clone(),
            single: waited.single,
            lines: waited.lines,
            floor: waited.floor,
            at: waited.at,
            seq: waited.seq,
            key: waited.key,
            by_trader: given.iter().any(Option::is_some),
            ..bet
        }
    }

    /// A bet that waited was refused.
    pub(super) fn rejected(
        &mut self,
        command: &Command<'_>,
        event: &BetRejected,
        due: &mut Vec<Transfer>,
    ) {
        let id = event.bet;
        let Some(bet) = self.bets.get(&id.raw()) else {
            return self.broken(Rule::Waiting, || format!("{id} is refused and never was"));
        };
        let (life, probe) = (bet.life, bet.synthetic);
        self.count(probe, |counts| counts.rejected += 1);
        if let Command::AnswerReferral(body, _) = command {
            let declined = body.bet == id && body.answer == ReferralAnswer::Decline as u8;
            self.must(Rule::Waiting, declined, || format!("no trader declined {id}"));
        }
        let life = if matches!(life, Life::Waits(_)) { life } else { Life::Offered };
        self.ended(id, life, Rule::Waiting, due);
    }

    /// What will never be a bet: its stake goes back.
    pub(super) fn ended(&mut self, id: BetId, was: Life, rule: Rule, due: &mut Vec<Transfer>) {
        let waits = was != Life::Offered || rule == Rule::Offer;
        match self.bets.get_mut(&id.raw()) {
            Some(bet) if bet.life == was && waits => bet.life = Life::Ended,
            _ => return self.broken(rule, || format!("{id} is not there to end")),
        }
        if was == holds::WAITS {
            self.lets_go(id);
        } else {
            due.extend(self.transfer(id, TransferWhy::Return));
            self.stake_leaves(id);
        }
    }

    /// Whether a customer takes a value of a cash-out: the same as with prices.
    pub(super) fn takes(agreed: Agreed, wish: Minor, value: Minor) -> bool {
        use betring_core::command::PricePolicy;
        match PricePolicy::from_code(agreed.policy) {
            Some(PricePolicy::Exact) => value == wish,
            Some(PricePolicy::Better) => wish <= value,
            Some(PricePolicy::Within) => {
                let least = i128::from(wish.0) * i128::from(10_000 - agreed.slippage.min(10_000));
                least <= i128::from(value.0) * 10_000
            }
            Some(PricePolicy::Any) => true,
            None => false,
        }
    }
}
