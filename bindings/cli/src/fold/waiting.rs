//! What is not yet a bet: it waits for the end of a delay or for a trader, and is decided then.

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
        self.counts.waited += 1;
        let id = event.bet;
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
            PendingWhy::CashOut => Nanos::ZERO,
        };
        let until = self.at.plus(span);
        self.must(Rule::Waiting, span != Nanos::ZERO && event.until == until, || {
            format!("{id} waits until {}, it should until {until}", event.until)
        });
        for leg in &legs {
            self.standing(id, leg.market, leg.selection);
        }
        let bet = Bet {
            currency: event.currency,
            bonus: event.bonus == 1,
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
            _ => false,
        };
        self.must(Rule::Waiting, in_time, || {
            format!("{id} is decided before its delay, after its time, or by nobody")
        });
        self.unsuspended(Rule::Waiting, id, &waited.legs, waited.seq);
        let legs = waited.legs.len() == bet.legs.len()
            && waited.legs.iter().zip(&bet.legs).all(|(waited, leg)| waited.is_asked_as(leg));
        let same = legs
            && waited.account == bet.account
            && (waited.currency, waited.bonus) == (bet.currency, bet.bonus)
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
            *self.stakes.entry(bet.currency).or_default() -= i128::from(back.0);
            due.extend(self.moved(id, TransferWhy::Return, back));
        }
        Bet {
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
        self.counts.rejected += 1;
        let id = event.bet;
        let Some(life) = self.bets.get(&id.raw()).map(|bet| bet.life) else {
            return self.broken(Rule::Waiting, || format!("{id} is refused and never was"));
        };
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
        due.extend(self.transfer(id, TransferWhy::Return));
        self.stake_leaves(id);
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
