//! How bets come out: what is known of their legs, what that pays, once a version; and what a later
//! version takes back.

use super::tickets::{Factor, Numbers};
use super::{Bet, Fold, Leg, Life, Rule};
use crate::describe::came_out;
use betring_core::command::{Command, RoundingPlace};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::ruleset::Ruleset;
use betring_core::wire::{Minor, WirePrice};

impl Fold {
    /// What is known of a leg at this record: by its market's result, windows and withdrawals.
    fn facts(&self, bet: &Bet, leg: &Leg) -> Option<Numbers> {
        let market = self.markets.get(&leg.market.raw())?;
        let is_in = |(from, until): &(_, _)| *from <= bet.at && bet.at < *until;
        if market.windows.iter().any(is_in) {
            return Some(Numbers::VOID);
        }
        let selection = market.selections.get(usize::from(leg.selection.0))?;
        let entry = selection.result?;
        // Bets on what was withdrawn are off, whatever the result says of it.
        if selection.withdrawn {
            return Some(Numbers::VOID);
        }
        let numbers = Numbers::of(&entry, market.terms.winners, leg.places);
        if numbers.is_void() {
            return Some(Numbers::VOID);
        }
        Some(numbers.less(self.deduction(bet, leg.market, entry.rule4)?))
    }

    /// Rule 4: withdrawals after the bet was struck, by the prices of the withdrawn, and what a result says
    /// itself; their sum is capped.
    pub(super) fn deduction(&self, bet: &Bet, market: MarketId, own: u8) -> Option<u8> {
        let market = self.markets.get(&market.raw())?;
        let rules = self.rules.get(bet.ruleset as usize)?;
        let rows = || rules.rule4.iter().take_while(|row| row.longest != 0);
        let taken = market.selections.iter().filter_map(|of| {
            let (_, price) = of.deducts.filter(|(seq, _)| bet.seq < *seq)?;
            let row = rows().find(|row| price.e4 != 0 && price.e4 <= row.longest)?;
            Some(u32::from(row.pence.min(rules.rule4_cap)))
        });
        let all = taken.sum::<u32>() + u32::from(own);
        Some(all.min(u32::from(rules.rule4_cap)) as u8)
    }

    /// How a bet comes out by what is known of its legs, and what it pays; none while it is open.
    fn settlement(&self, bet: &Bet) -> Option<(BetOutcome, Minor)> {
        let void = Some((BetOutcome::Void, bet.stake));
        if bet.cancelled {
            return void;
        }
        let rules = self.rules.get(bet.ruleset as usize)?;
        let factor = |leg: &Leg, part| match leg.numbers {
            Some(numbers) => numbers.factor(leg.settles_at, part),
            // It may still win.
            None => Factor::ONE,
        };
        let win: Vec<Factor> = bet.legs.iter().map(|leg| factor(leg, None)).collect();
        let place: Vec<Factor> =
            bet.legs.iter().map(|leg| factor(leg, Some(leg.part.unwrap_or((1, 1))))).collect();
        let known: Vec<Numbers> = bet.legs.iter().filter_map(|leg| leg.numbers).collect();
        if known.len() < bet.legs.len() {
            let dead = !known.is_empty() && bet.lines.is_dead(&win, &place);
            return dead.then_some((BetOutcome::Lost, Minor(0)));
        }
        if known.iter().all(Numbers::is_void) {
            return void;
        }
        let prices: Vec<WirePrice> = bet.legs.iter().map(|leg| leg.settles_at).collect();
        let lines = bet.lines.returns(bet.stake.0, &win, &place, 1_000_000, rules);
        let bonus = bet.lines.bonus(bet.stake.0, &prices, &known, rules);
        let sum = lines.zip(bonus).map(|(lines, bonus)| lines + bonus);
        // Of a free bet the stake is not paid, as far as it came back or won.
        let stake = i128::from(bet.stake.0);
        let kept = match bet.bonus {
            true => {
                let up =
                    Ruleset { rounding: 2, rounding_place: RoundingPlace::Bet as u8, ..*rules };
                let staked: Vec<Factor> = known.iter().map(Numbers::of_stake).collect();
                bet.lines.returns(bet.stake.0, &staked, &staked, 1_000_000, &up)?
            }
            false => 0,
        };
        let paid = match (sum.map(|sum| (sum - kept).max(0)), bet.cap) {
            (Some(sum), Some(cap)) => sum.min(cap),
            (Some(sum), None) => sum,
            (None, cap) => cap?,
        };
        let outcome = match paid {
            0 => BetOutcome::Lost,
            paid if bet.bonus || stake <= paid => BetOutcome::Won,
            _ => BetOutcome::Partial,
        };
        Some((outcome, Minor(i64::try_from(paid).ok()?)))
    }

    pub(super) fn leg_decided(&mut self, event: &LegDecided) {
        let (id, at) = (event.bet, usize::from(event.leg));
        let known = self.bets.get(&id.raw()).and_then(|bet| Some((bet, bet.legs.get(at)?)));
        let Some((bet, leg)) = known else {
            return self.broken(Rule::Settlement, || format!("{id} has no such leg"));
        };
        let (facts, told) = (self.facts(bet, leg), Numbers::told(event));
        self.must(Rule::Settlement, facts == told, || {
            format!("leg {} of {id} came out otherwise than it says", 1 + at)
        });
        if let Some(bet) = self.bets.get_mut(&id.raw()) {
            bet.legs[at].numbers = told;
        }
    }

    pub(super) fn corrected(&mut self, command: &Command<'_>, event: &PriceCorrected) {
        let (id, at) = (event.bet, usize::from(event.leg));
        let asked = match command {
            Command::CorrectPrice(body) if (body.bet, body.leg) == (id, event.leg) => {
                Some(body.price)
            }
            _ => None,
        };
        let bet = self.bets.get_mut(&id.raw());
        let Some(leg) = bet.and_then(|bet| bet.legs.get_mut(at)) else {
            return self.broken(Rule::Settlement, || format!("{id} has no such leg"));
        };
        let to = asked.map(|price| if price.is_none() { leg.price } else { price });
        let same = (Some(event.to), event.from) == (to, leg.settles_at);
        leg.settles_at = event.to;
        self.must(Rule::Settlement, same, || format!("{id}: nobody corrects its price so"));
    }

    pub(super) fn settled(&mut self, settled: &BetSettled, due: &mut Vec<Transfer>) {
        let id = settled.bet;
        let Some(bet) = self.bets.get(&id.raw()) else {
            return self.broken(Rule::Settlement, || format!("{id} is settled and was never open"));
        };
        let mut bet = bet.clone();
        self.count(bet.synthetic, |counts| counts.settled += 1);
        let same = bet.account == settled.account
            && bet.stake == settled.stake
            && bet
                .legs
                .iter()
                .any(|leg| (leg.market, leg.selection) == (settled.market, settled.selection));
        self.must(Rule::Settlement, same, || format!("{id} is settled as another bet"));
        if bet.life == Life::Settled {
            let before = bet.settlements;
            return self.broken(Rule::Settlement, || {
                format!("{id} is settled again, it was by its settlement {before}")
            });
        }
        let open = bet.life == Life::Open;
        self.must(Rule::Settlement, open, || format!("{id} was not open"));
        let market = self.markets.get(&settled.market.raw());
        let version = market.is_some_and(|market| market.settlement == settled.settlement);
        let by_job = settled.job != JobId(0);
        let job = !by_job || market.is_some_and(|market| market.running == Some(settled.job));
        self.must(Rule::Settlement, version && job, || {
            format!("{id} is settled by another version or job than its market's")
        });
        self.must(Rule::Settlement, settled.version == bet.settlements + 1, || {
            format!("{id} is settled as its version {}, which is another", settled.version)
        });
        let told = BetOutcome::from_code(settled.outcome).map(|o| (o, settled.paid));
        let mut decided = if by_job && bet.single { None } else { self.settlement(&bet) };
        if bet.single && decided != told {
            // Of a single no event tells that its leg is decided.
            let facts = self.facts(&bet, &bet.legs[0]);
            bet.legs[0].numbers = facts;
            decided = self.settlement(&bet);
        }
        let Some((outcome, paid)) = decided else {
            if let Some(kept) = self.bets.get_mut(&id.raw()) {
                kept.life = Life::Settled;
            }
            return self.broken(Rule::Settlement, || {
                format!("{id} is settled without a result of its legs")
            });
        };
        self.count(bet.synthetic, |counts| counts.paid += u64::from(paid != Minor(0)));
        self.must(Rule::Settlement, settled.outcome == outcome as u8, || {
            let (due, told) = (came_out(outcome as u8), came_out(settled.outcome));
            format!("{id} came out {due}, it is settled as {told}")
        });
        self.must(Rule::Settlement, settled.paid == paid, || {
            format!("{id} is paid {}, due is {paid}", settled.paid)
        });
        if outcome == BetOutcome::Void {
            due.extend(self.transfer(id, TransferWhy::Return));
        } else {
            due.extend(self.transfer(id, TransferWhy::Take));
            if paid != Minor(0) {
                due.extend(self.moved(id, TransferWhy::Pay, paid));
            }
        }
        self.stake_leaves(id);
        bet.life = Life::Settled;
        bet.settlements += 1;
        // What is taken back later is what was posted, right or wrong.
        bet.posted = told;
        self.bets.insert(id.raw(), bet);
    }

    pub(super) fn reversed(&mut self, event: &BetReversed, due: &mut Vec<Transfer>) {
        let (id, seq) = (event.bet, self.seq);
        let bet = self.bets.get_mut(&id.raw()).filter(|bet| bet.life == Life::Settled);
        let Some((bet, posted)) = bet.and_then(|bet| bet.posted.take().map(|was| (bet, was)))
        else {
            return self.broken(Rule::Reversal, || format!("{id} has no settlement to take back"));
        };
        bet.life = Life::Open;
        let (outcome, paid) = posted;
        if outcome == BetOutcome::Void {
            bet.unvoided = seq;
        }
        let same = (event.account, event.stake) == (bet.account, bet.stake)
            && event.version == bet.settlements
            && (event.outcome, event.paid) == (outcome as u8, paid);
        let bet = bet.clone();
        self.count(bet.synthetic, |counts| counts.reversed += 1);
        self.must(Rule::Reversal, same, || {
            format!("{id}: what is taken back is not what its last settlement paid")
        });
        let market = self.markets.get(&event.market.raw());
        let job =
            event.job == JobId(0) || market.is_some_and(|market| market.running == Some(event.job));
        self.must(Rule::Reversal, job, || format!("{id} is taken back by no job of its market"));
        due.extend(self.taken_back(id, outcome, paid));
        self.stake_changes(&bet, i128::from(bet.stake.0));
        self.reversed.push((id, posted));
    }

    /// After a record: what it took back is open by what is known, or came out otherwise.
    pub(super) fn reversals(&mut self) {
        for (id, before) in std::mem::take(&mut self.reversed) {
            let Some(bet) = self.bets.get(&id.raw()) else { continue };
            let right = match bet.life {
                Life::Settled => bet.posted != Some(before),
                _ => {
                    let mut bet = bet.clone();
                    if bet.single {
                        bet.legs[0].numbers = self.facts(&bet, &bet.legs[0]);
                    }
                    self.settlement(&bet).is_none()
                }
            };
            self.must(Rule::Reversal, right, || {
                format!("{id}: nothing came out otherwise, it should not be taken back")
            });
            if let Some(bet) = self.bets.get_mut(&id.raw())
                && bet.single
                && bet.life == Life::Open
            {
                bet.legs[0].numbers = None;
            }
        }
    }

    /// The last news of a market have reached its bets: each is as what is known says.
    pub(super) fn job_ended(&mut self, job: &JobEnded) {
        let Some(market) = self.markets.get_mut(&job.market.raw()) else { return };
        if market.running == Some(job.job) {
            market.running = None;
        }
        if job.kind == JobKind::Archive as u8 || market.announced != job.job {
            return;
        }
        let (mut bets, mut wrong) = (std::mem::take(&mut market.bets), Vec::new());
        for id in &bets {
            let Some(mut bet) = self.bets.remove(&id.raw()) else { continue };
            if matches!(bet.life, Life::Open | Life::Selling | Life::Settled) {
                let mut right = true;
                for at in 0..bet.legs.len() {
                    if bet.legs[at].market == job.market {
                        let facts = self.facts(&bet, &bet.legs[at]);
                        // Every ticket's leg is told; a single's is taken from here.
                        right &= bet.single || bet.legs[at].numbers == facts;
                        bet.legs[at].numbers = facts;
                    }
                }
                if !right || self.settlement(&bet) != bet.posted {
                    wrong.push(*id);
                }
            }
            self.bets.insert(id.raw(), bet);
        }
        if let Some(market) = self.markets.get_mut(&job.market.raw()) {
            std::mem::swap(&mut market.bets, &mut bets);
        }
        if let Some(first) = wrong.first() {
            self.broken(Rule::Settlement, || {
                let count = wrong.len();
                format!(
                    "{} ended with {count} bets of {} not as their legs came out, first {first}",
                    job.job, job.market
                )
            });
        }
    }
}
