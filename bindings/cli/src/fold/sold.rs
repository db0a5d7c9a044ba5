//! Bets that are sold back: what they are worth at the prices in force, and that it is paid once.

use super::bets::stricter;
use super::tickets::{self, Factor};
use super::{Agreed, Ask, Bet, Fold, Leg, Life, Rule};
use crate::describe::owners;
use betring_core::command::{Command, Level, PricePolicy, RoundingPlace};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor};

impl Fold {
    /// What was asked for: by the customer in this record, or by the value that was set.
    fn ask(&self, header: &Header, command: &Command<'_>, bet: &Bet, id: BetId) -> Option<Ask> {
        let (seq, until) = (self.seq, Timestamp::MAX);
        match command {
            Command::CashOut(body) if body.bet == id => {
                let take = if body.take == Minor(0) { bet.stake } else { body.take };
                let agreed = Agreed { policy: body.policy, slippage: body.slippage };
                let own = header.account == bet.account.raw();
                own.then_some(Ask { take, accept: body.accept, agreed, auto: false, seq, until })
            }
            _ if bet.auto != Minor(0) => {
                let agreed = Agreed { policy: PricePolicy::Better as u8, slippage: 0 };
                let (take, accept) = (bet.stake, bet.auto);
                Some(Ask { take, accept, agreed, auto: true, seq, until })
            }
            _ => None,
        }
    }

    fn undecided(bet: &Bet) -> Vec<Leg> {
        bet.legs.iter().filter(|leg| leg.numbers.is_none()).copied().collect()
    }

    pub(super) fn sale_waits(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        event: &CashOutPending,
    ) {
        let id = event.bet;
        let Some(bet) = self.bets.get(&id.raw()).filter(|bet| bet.life == Life::Open) else {
            return self.broken(Rule::CashOut, || format!("{id} is to be sold and is not open"));
        };
        let ask = self.ask(header, command, bet, id);
        let span = self.wait(&Self::undecided(bet));
        let until = self.at.plus(span);
        let same = (bet.account, ask.map(|ask| ask.take)) == (event.account, Some(event.take));
        self.must(Rule::CashOut, same, || format!("{id}: nobody asked to sell so much of it"));
        self.must(Rule::CashOut, span != Nanos::ZERO && event.until == until, || {
            format!("the sale of {id} waits until {}, it should until {until}", event.until)
        });
        if let Some(bet) = self.bets.get_mut(&id.raw()) {
            bet.life = Life::Selling;
            bet.ask = ask.map(|ask| Ask { until: event.until, ..ask });
        }
    }

    pub(super) fn sale_failed(&mut self, event: &CashOutFailed) {
        let id = event.bet;
        let Some(bet) = self.bets.get_mut(&id.raw()).filter(|bet| bet.life == Life::Selling) else {
            return self.broken(Rule::CashOut, || format!("{id} was not to be sold"));
        };
        bet.life = Life::Open;
        let auto = bet.ask.take().is_some_and(|ask| ask.auto);
        if auto {
            bet.auto = Minor(0);
        }
        self.must(Rule::CashOut, auto == (event.auto == 1), || {
            format!("{id} was to be sold by somebody else")
        });
    }

    /// The price at which a leg is bought back: it is in force, and young enough for that.
    pub(super) fn bought_back_at(&mut self, event: &CashOutLeg) {
        let (id, at) = (event.bet, usize::from(event.leg));
        let bet = self.bets.get(&id.raw());
        let Some((leg, ruleset)) =
            bet.and_then(|bet| Some((*bet.legs.get(at)?, bet.ruleset as usize)))
        else {
            return self.broken(Rule::CashOut, || format!("{id} has no such leg"));
        };
        let now = self.fresh(id, leg.market, leg.selection);
        let Some((now, market)) = now.zip(self.markets.get(&leg.market.raw())) else {
            return self.broken(Rule::Price, || format!("{id} is bought back at no price"));
        };
        let (driving, tier) = (self.driving(market), self.tier(market));
        let ages = driving != FeedId::MANUAL || market.age_bound != Nanos::ZERO;
        let ages = ages && !now.pinned;
        let usual = self.rules.get(ruleset).map_or(Nanos::ZERO, |rules| rules.cash_out_age);
        let bound = stricter(if ages { usual } else { Nanos::ZERO }, tier.cash_out_age);
        let of = |level: Level, id: u64| self.frozen.get(&(level as u8, id)).copied().unwrap_or(0);
        let of_feed = if now.pinned { 0 } else { of(Level::Feed, driving.0.into()) };
        let below = of(Level::Group, market.group.0.into())
            | of(Level::Fixture, market.fixture.raw())
            | market.frozen;
        let frozen = of(Level::Engine, 0) | of_feed | self.counted(market, below);
        // Here nobody waits: the doubt alone is enough.
        let apart = self.apart(market).filter(|_| !now.pinned);
        self.must(Rule::Price, (event.price, event.version) == (now.sent, now.version), || {
            format!("{id} is bought back at {}, its feed said {}", event.price, now.sent)
        });
        self.must(Rule::Age, now.age == event.price_age, || {
            format!("{id} says that its price now was {} old", event.price_age)
        });
        self.must(Rule::Drift, apart.is_none(), || {
            format!("{id} is bought back while the feeds of {} are too far apart", leg.market)
        });
        self.standing(id, leg.market, leg.selection);
        self.must(Rule::Age, bound == Nanos::ZERO || event.price_age <= bound, || {
            format!("{id} is bought back at a price {} old, the bound is {bound}", event.price_age)
        });
        self.must(Rule::CashOut, frozen == 0, || {
            format!("{id} is sold while {} froze cash-outs", owners(frozen))
        });
        let bet = self.bets.get(&id.raw());
        let less = bet.and_then(|bet| self.deduction(bet, leg.market, 0)).unwrap_or(0);
        self.must(Rule::CashOut, less == 0, || {
            format!("{id} is bought back at the odds of a field that a rival has left, {less}p due")
        });
        if let Some(bet) = self.bets.get_mut(&id.raw()) {
            bet.legs[at].now = Some(event.price);
        }
    }

    /// What so much of a bet is worth at the prices that it is bought back at.
    fn worth(&self, bet: &Bet, take: Minor) -> Option<i128> {
        let rules = self.rules.get(bet.ruleset as usize)?;
        let factor = |leg: &Leg, part: Option<(u8, u8)>| match leg.numbers {
            Some(numbers) => Some(numbers.factor(leg.settles_at, part)),
            None => Some(tickets::taken_over_now(leg.settles_at, leg.now?, part)),
        };
        let win: Option<Vec<Factor>> = bet.legs.iter().map(|leg| factor(leg, None)).collect();
        let place: Option<Vec<Factor>> =
            bet.legs.iter().map(|leg| factor(leg, Some(leg.part.unwrap_or((1, 1))))).collect();
        let keep = 1_000_000_u32.checked_sub(rules.cash_out_margin)?;
        // Down, and once: the house keeps the fraction.
        let down = Ruleset { rounding: 1, rounding_place: RoundingPlace::Bet as u8, ..*rules };
        let worth = bet.lines.returns(take.0, &win?, &place?, keep, &down)?;
        let part = |cap: i128| cap * i128::from(take.0) / i128::from(bet.stake.0.max(1));
        Some(bet.cap.map_or(worth, |cap| worth.min(part(cap))))
    }

    pub(super) fn sold(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        event: &BetCashedOut,
        due: &mut Vec<Transfer>,
    ) {
        let id = event.bet;
        let Some(mut bet) = self.bets.get(&id.raw()).cloned() else {
            return self.broken(Rule::CashOut, || format!("{id} is sold and never was"));
        };
        self.count(bet.synthetic, |counts| counts.sold += 1);
        let (now, undecided) = (self.at, Self::undecided(&bet));
        let ask = match bet.life {
            Life::Open => {
                let wait = self.wait(&undecided);
                self.must(Rule::CashOut, wait == Nanos::ZERO, || {
                    format!("{id} is sold at once, its markets' bets wait {wait}")
                });
                self.ask(header, command, &bet, id)
            }
            Life::Selling => bet.ask,
            _ => return self.broken(Rule::CashOut, || format!("{id} is sold and was not open")),
        };
        let Some(ask) = ask else {
            return self.broken(Rule::CashOut, || format!("nobody asked to sell {id}"));
        };
        if bet.life == Life::Selling {
            self.must(Rule::CashOut, ask.until <= now, || {
                format!("{id} is sold before the end of its delay {}", ask.until)
            });
            let by = |leg: &Leg| {
                let market = self.markets.get(&leg.market.raw())?;
                let pin = market.selections.get(usize::from(leg.selection.0))?.pin;
                let pinned = pin.is_some_and(|pin| pin.seq <= ask.seq);
                Some(if pinned { FeedId::MANUAL } else { self.driving(market) })
            };
            let legs: Vec<Leg> = undecided
                .iter()
                .map(|leg| Leg { feed: by(leg).unwrap_or(leg.feed), ..*leg })
                .collect();
            self.unsuspended(Rule::CashOut, id, &legs, ask.seq);
        }
        let busy = bet.legs.iter().any(|leg| {
            self.markets.get(&leg.market.raw()).is_some_and(|market| market.running.is_some())
        });
        self.must(Rule::CashOut, !busy && !bet.bonus && !bet.cancelled, || {
            format!("{id} is sold while news of it are settled, or is not to be sold at all")
        });
        let left = Minor(bet.stake.0.saturating_sub(ask.take.0));
        let same = event.account == bet.account
            && (event.stake, event.left) == (ask.take, left)
            && Minor(0) <= left
            && (event.accept, event.policy) == (ask.accept, ask.agreed.policy)
            && event.auto == u8::from(ask.auto);
        self.must(Rule::CashOut, same, || format!("{id} is not sold as it was asked for"));
        let worth = self.worth(&bet, ask.take);
        self.must(Rule::CashOut, worth == Some(i128::from(event.paid.0)), || {
            format!("{id} is sold for {}, it is worth {worth:?} minor units", event.paid)
        });
        let margin = self.rules.get(bet.ruleset as usize).map(|rules| rules.cash_out_margin);
        self.must(Rule::CashOut, margin == Some(event.margin), || {
            format!("{id} is sold with another margin than its rules have")
        });
        let agreed = Self::takes(ask.agreed, ask.accept, event.paid);
        self.must(Rule::CashOut, agreed, || {
            format!("{id} is sold for {}, its customer asked for {}", event.paid, ask.accept)
        });
        due.extend(self.moved(id, TransferWhy::Take, ask.take));
        due.extend(self.moved(id, TransferWhy::CashOut, event.paid));
        self.stake_changes(&bet, -i128::from(ask.take.0));

        let before = i128::from(bet.stake.0.max(1));
        bet.cap = bet.cap.map(|cap| cap * i128::from(left.0) / before);
        bet.stake = left;
        bet.ask = None;
        bet.legs.iter_mut().for_each(|leg| leg.now = None);
        bet.life = if left == Minor(0) { Life::Sold } else { Life::Open };
        let returns = if left == Minor(0) { Some(0) } else { self.greatest(&bet) };
        self.must(Rule::Returns, returns == Some(i128::from(event.returns.0)), || {
            format!("what is left of {id} returns {}, it should {returns:?}", event.returns)
        });
        self.bets.insert(id.raw(), bet);
    }
}
