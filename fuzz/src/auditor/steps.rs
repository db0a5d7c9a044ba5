//! Long work as the rules have it: each Step may do some of what is due, in any order, and no more.

use super::{Auditor, Checked, rule};
use betring_core::BetState;
use betring_core::command::Command;
use betring_core::event::*;
use betring_core::id::*;

impl Auditor {
    /// Follows what a Step says that it did, and checks that each of it was due and done right.
    pub(super) fn step(&mut self, command: &Command<'_>, found: &[Event]) -> Checked {
        let budget = match command {
            Command::Step(body) => u64::from(body.budget),
            _ => 0,
        };
        let mut units = 0;
        let mut at = 0;
        while let Some(event) = found.get(at) {
            if matches!(event, Event::EventHash(_)) {
                at += 1;
                continue;
            }
            // Transfers, debts and evidence stand before what they are for.
            let before = |event: &&Event| {
                !matches!(event, Event::Transfer(_) | Event::DebtChanged(_) | Event::CashOutLeg(_))
            };
            let of = found[at..].iter().find(before);
            self.told.clear();
            units += self.follow(of.unwrap_or(event), &found[at..])?;
            let told = std::mem::take(&mut self.told);
            rule(!told.is_empty(), || format!("nothing was to become of {event:?}"))?;
            let said = found.get(at..at + told.len()).unwrap_or(&found[at..]);
            rule(said == told, || {
                format!("the record says\n  {said:?}\nand the rules say\n  {told:?}")
            })?;
            at += told.len();
        }
        rule(units <= budget, || format!("a Step of {budget} units did {units}"))?;
        self.invariants()
    }

    /// Does what an event says was done, if it was due, and says how many units of work it was at least.
    fn follow(&mut self, event: &Event, record: &[Event]) -> Checked<u64> {
        match event {
            Event::OfferEnded(OfferEnded { bet, .. })
            | Event::BetRejected(BetRejected { bet, .. })
            | Event::BetOpened(BetOpened { bet, .. })
            | Event::TicketOpened(TicketOpened { bet, .. })
            | Event::BetOffered(BetOffered { bet, .. }) => {
                self.wait_ends(bet.raw())?;
                Ok(1)
            }
            Event::BetSettled(settled) => {
                self.brought(settled.bet.raw(), settled.market.raw(), settled.job)?;
                Ok(1)
            }
            Event::BetReversed(reversed) => {
                self.brought(reversed.bet.raw(), reversed.market.raw(), reversed.job)?;
                Ok(1)
            }
            Event::LegDecided(decided) => {
                let bet = self.bets.get(&decided.bet.raw());
                let leg = bet.and_then(|bet| bet.legs.get(usize::from(decided.leg)));
                let market = leg.map(|leg| leg.market).ok_or("a leg of no bet was decided")?;
                let job = self.markets.get(&market).and_then(|market| market.job);
                let (job, _) = job.ok_or_else(|| format!("{decided:?} was decided by no job"))?;
                self.brought(decided.bet.raw(), market, JobId(job))?;
                Ok(1)
            }
            // The news that end a sale settle the bet in the same unit.
            Event::CashOutFailed(failed) => {
                self.sale_ends(failed.bet.raw())?;
                Ok(0)
            }
            Event::BetCashedOut(BetCashedOut { bet, .. })
            | Event::CashOutPending(CashOutPending { bet, .. }) => {
                let state = self.bets.get(&bet.raw()).map(|bet| bet.state);
                if state == Some(BetState::CashingOut) {
                    self.sale_ends(bet.raw())?;
                } else {
                    self.sells_itself(bet.raw())?;
                }
                Ok(1)
            }
            Event::JobEnded(ended) => {
                self.job_ends(ended, record)?;
                Ok(0)
            }
            Event::KeysForgotten(forgotten) => {
                self.keys_go(forgotten.count)?;
                Ok(forgotten.count)
            }
            Event::OrderBegan(began) => {
                self.delay_ends(began.order.raw())?;
                Ok(1)
            }
            Event::OrderCut(cut)
                if matches!(Cut::from_code(cut.why), Some(Cut::Suspended | Cut::Version))
                    || cut.why == Cut::Barred as u8 && self.waits_for_its_delay(cut.order) =>
            {
                self.delay_ends(cut.order.raw())?;
                Ok(1)
            }
            other => {
                let market = self.market_of_event(other);
                let market =
                    market.ok_or_else(|| format!("a Step does no such thing: {other:?}"))?;
                self.job_does(market, record)?;
                Ok(1)
            }
        }
    }

    /// A bet is settled, reversed or told of a leg by the job of one of its markets.
    fn brought(&mut self, id: u64, market: u64, job: JobId) -> Checked {
        let Some(bet) = self.bets.get(&id) else { return Err(format!("bet {id:#x} is none")) };
        let stands = bet.state == BetState::Open || bet.state.is_settled();
        rule(stands, || format!("news are brought to {bet:?}"))?;
        let its = bet.legs.iter().any(|leg| leg.market == market && !leg.gone);
        rule(its, || format!("{bet:?} has no leg in market {market:#x}"))?;
        let running = self.markets.get(&market).and_then(|market| market.job);
        let right = running.is_some_and(|(id, kind)| id == job.0 && kind != JobKind::Archive);
        rule(right, || format!("{job} is not the market's job: {running:?}"))?;
        self.news_reach(id, market, job.0);
        Ok(())
    }

    /// Only what time has forgotten may give its place back.
    fn keys_go(&mut self, count: u64) -> Checked {
        self.told.push(Event::KeysForgotten(KeysForgotten { count }));
        let kept = |(account, key): &(u64, u128)| {
            self.kept(*account, RequestKey(*key), self.now).is_some()
        };
        let alive = self.asked.keys().filter(|request| kept(request)).count() as i64;
        let count = count as i64;
        let most = self.places_taken.1 - count;
        rule(alive <= most, || {
            format!("{count} requests were forgotten, {alive} may not be, {most} are left")
        })?;
        self.places_taken = ((self.places_taken.0 - count).max(alive), most);
        Ok(())
    }
}
