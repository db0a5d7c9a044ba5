//! Long work as the rules have it: each Step may do some of what is due, in any order, and no more.

use super::{Auditor, Checked, Side, money, rule};
use betring_core::BetState;
use betring_core::command::{Command, SelectionOutcome};
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
            // Transfers stand before what they are for.
            let of = found[at..].iter().find(|event| !matches!(event, Event::Transfer(_)));
            self.told.clear();
            match of.unwrap_or(event) {
                Event::OfferEnded(ended) => {
                    units += 1;
                    let why = self.offer_may_end(ended.bet.raw(), ended.why)?;
                    let from = self.state_of(ended.bet.raw());
                    self.hit(&from, "end offer");
                    self.offer_ends(ended.bet.raw(), why);
                }
                Event::BetSettled(settled) => {
                    units += 1;
                    self.settles(settled.bet.raw())?;
                }
                Event::JobEnded(ended) => self.job_ends(ended)?,
                Event::KeysForgotten(forgotten) => {
                    units += forgotten.count;
                    self.keys_go(forgotten.count)?;
                }
                Event::EventHash(_) => {
                    at += 1;
                    continue;
                }
                other => return Err(format!("a Step does no such thing: {other:?}")),
            }
            let told = std::mem::take(&mut self.told);
            let said = found.get(at..at + told.len()).unwrap_or(&found[at..]);
            rule(said == told, || {
                format!("the record says\n  {said:?}\nand the rules say\n  {told:?}")
            })?;
            at += told.len();
        }
        rule(units <= budget, || format!("a Step of {budget} units did {units}"))?;
        self.invariants()
    }

    fn state_of(&self, bet: u64) -> String {
        self.bets.get(&bet).map_or("-".to_owned(), |bet| bet.state.to_string())
    }

    /// An open bet of a market whose result is in is paid once, as the result says.
    pub(super) fn settles(&mut self, id: u64) -> Checked {
        let Some(bet) = self.bets.get(&id) else { return Err(format!("bet {id:#x} is none")) };
        rule(bet.state == BetState::Open, || format!("a bet is paid once: {bet:?}"))?;
        let Some(market) = self.markets.get(&bet.market) else {
            return Err(format!("the market of {bet:?} has left memory"));
        };
        let (job, kind) = market.job.ok_or_else(|| format!("{bet:?} is settled by no job"))?;
        let settling = market.status == MarketStatus::Settling && kind == JobKind::Settle;
        rule(settling, || format!("{bet:?} is settled in a market that is {}", market.status))?;
        let runner = &market.runners[bet.selection];
        // Bets on what does not run are off, whatever else a result says.
        let outcome = if runner.out { Some(SelectionOutcome::Void) } else { runner.outcome };
        let (state, paid) = match outcome {
            Some(SelectionOutcome::Win) => (BetState::Won, bet.returns),
            Some(SelectionOutcome::Lose) => (BetState::Lost, 0),
            Some(SelectionOutcome::Void) => (BetState::Void, bet.stake),
            None => return Err(format!("{bet:?} is settled without a result")),
        };
        let settlement = market.settlement;
        let bet = bet.clone();
        let (escrow, house) = (Side::House(HouseAccount::Escrow), Side::House(HouseAccount::House));
        let customer = Side::Customer(bet.account);
        if state == BetState::Void {
            self.transfer(bet.currency, escrow, customer, bet.stake, TransferWhy::Return, id);
        } else {
            self.transfer(bet.currency, escrow, house, bet.stake, TransferWhy::Take, id);
            if 0 < paid {
                self.transfer(bet.currency, house, customer, paid, TransferWhy::Pay, id);
            }
        }
        let step = match state {
            BetState::Won => "win",
            BetState::Lost => "lose",
            _ => "void",
        };
        self.hit("Open", step);
        if let Some(kept) = self.bets.get_mut(&id) {
            kept.state = state;
            kept.paid = paid;
        }
        self.told.push(Event::BetSettled(BetSettled {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            market: MarketId::from_raw(bet.market),
            job: JobId(job),
            paid: money(paid),
            settlement,
            selection: SelectionIndex(bet.selection as u16),
            outcome: state.outcome() as u8,
            zero: 0,
            stake: money(bet.stake),
        }));
        Ok(())
    }

    pub(super) fn job_ends(&mut self, ended: &JobEnded) -> Checked {
        let id = ended.market.raw();
        let Some(market) = self.markets.get(&id) else {
            return Err(format!("a job ended on {}, which is not there", ended.market));
        };
        let kind = JobKind::from_code(ended.kind).ok_or("a job of no kind")?;
        rule(market.job == Some((ended.job.0, kind)), || {
            format!("{ended:?} ended, and the market's job is {:?}", market.job)
        })?;
        let all = self.bets.values().filter(|bet| bet.market == id);
        let in_memory = |state| state != BetState::Archived;
        let bets = all.clone().filter(|bet| in_memory(bet.state)).count() as u64;
        rule(ended.bets == bets, || {
            format!("{} bets were handled, and the market has {bets}", ended.bets)
        })?;
        let open = all.filter(|b| matches!(b.state, BetState::Open | BetState::Offered)).count();
        rule(open == 0, || format!("a job ended and {open} bets are still open"))?;
        self.told.push(Event::JobEnded(*ended));
        let (step, status) = match kind {
            JobKind::Settle => ("settle end", MarketStatus::Settled),
            JobKind::Archive => ("archive end", MarketStatus::Archived),
        };
        let from = market.status.to_string();
        *self.hits.markets.entry((from, step.to_owned())).or_default() += 1;
        self.markets.entry(id).and_modify(|market| market.job = None);
        self.market_goes_to(ended.market, status);
        if kind == JobKind::Archive {
            let gone = self.markets.remove(&id);
            let runners = gone.map_or(0, |market| market.runners.len() as u32);
            *self.free_blocks.entry(runners.next_power_of_two()).or_default() += 1;
            let mut archived = Vec::new();
            for bet in self.bets.values_mut().filter(|bet| bet.market == id) {
                if bet.state != BetState::Archived {
                    archived.push(bet.state.to_string());
                    bet.state = BetState::Archived;
                }
            }
            archived.iter().for_each(|from| self.hit(from, "archive"));
        }
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
