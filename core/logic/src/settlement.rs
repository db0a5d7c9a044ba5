//! Long work in short steps: offers that end, markets that settle, bets that leave memory, keys that
//! are forgotten. Nothing here is proportional to the open bets in one turn.

use crate::answer::Answer;
use crate::bet::{BetState, BetStep};
use crate::command::SelectionOutcome;
use crate::event::*;
use crate::id::*;
use crate::ledger::Side;
use crate::market::{Job, MarketStep, NO_BET};
use crate::rules::Rules;
use crate::state::State;
use crate::wire::Minor;
use std::cmp::Reverse;

impl<R: Rules> State<R> {
    pub(crate) fn start_job(&mut self, index: u32, kind: JobKind, events: &mut Events) -> Answer {
        let id = JobId(self.seq.0);
        let market = &mut self.markets[index as usize];
        assert!(market.job.is_none(), "a market has one job at a time");
        market.job = Some(Job { id, kind, cursor: market.head, bets: 0, steps: 0 });
        self.working.push_back(index);
        let market = self.market_id(index);
        events.push(&JobStarted { job: id, market, kind: kind as u8, zero: [0; 7] });
        Answer::started(self.seq, market)
    }

    /// One turn of long work: first offers that ended (customers wait for their stakes), then jobs
    /// and forgetting by turns, each getting what the other leaves.
    pub(crate) fn step(&mut self, budget: u16, events: &mut Events) -> Answer {
        self.steps += 1;
        let mut left = u32::from(budget);
        left -= self.end_due_offers(left, events);
        if self.steps.is_multiple_of(2) {
            left -= self.forget_keys(left, events);
            self.work_on_jobs(left, events);
        } else {
            left -= self.work_on_jobs(left, events);
            self.forget_keys(left, events);
        }
        Answer::done(self.seq, 0)
    }

    fn forget_keys(&mut self, budget: u32, events: &mut Events) -> u32 {
        let (units, count) = self.keys.forget(self.now, budget);
        if count != 0 {
            events.push(&KeysForgotten { count });
        }
        units
    }

    fn end_due_offers(&mut self, budget: u32, events: &mut Events) -> u32 {
        let mut units = 0;
        while units < budget && self.timer_is_due() {
            let Some(Reverse((_, _, id))) = self.timers.pop() else { break };
            units += 1;
            // Taken, declined or settled meanwhile: nothing is left to end.
            let Some(bet) = self.find_bet(id).copied() else { continue };
            if bet.state == BetState::Offered {
                let withdrawn = self.suspended_since(&bet);
                let why = if withdrawn { OfferEnd::Withdrawn } else { OfferEnd::Expired };
                self.end_offer(id, why, events);
            }
        }
        units
    }

    /// Markets with jobs take turns; within a turn the budget goes to one until it has no more.
    fn work_on_jobs(&mut self, budget: u32, events: &mut Events) -> u32 {
        let mut left = budget;
        while 0 < left {
            let Some(index) = self.working.pop_front() else { break };
            let mut job = self.markets[index as usize].job.expect("a working market has a job");
            job.steps += 1;
            while 0 < left && job.cursor != NO_BET {
                let at = job.cursor;
                job.cursor = self.bets[at as usize].next;
                match job.kind {
                    JobKind::Settle => self.settle_bet(at, job.id, events),
                    JobKind::Archive => self.archive_bet(at),
                }
                job.bets += 1;
                left -= 1;
            }
            if job.cursor == NO_BET {
                // Ending costs a unit too, so that many empty markets cannot end in one turn.
                left = left.saturating_sub(1);
                self.markets[index as usize].job = None;
                self.end_job(index, job, events);
            } else {
                self.markets[index as usize].job = Some(job);
                self.working.push_back(index);
            }
        }
        budget - left
    }

    fn settle_bet(&mut self, at: u32, job: JobId, events: &mut Events) {
        let bet = self.bets[at as usize];
        let id = bet.id(at);
        match bet.state {
            BetState::Offered => return self.end_offer(id, OfferEnd::Withdrawn, events),
            BetState::OfferEnded => return,
            BetState::Open => (),
            BetState::Won | BetState::Lost | BetState::Void | BetState::Archived => {
                panic!("a market's bets are settled once")
            }
        }
        let market = &self.markets[bet.market as usize];
        let place = market.first + u32::from(bet.selection.0);
        let selection = &self.selections[place as usize];
        // Bets on a non-runner are off, whatever else a result says of it: its stakes and returns
        // were not counted in what the market could lose.
        let outcome = match selection.withdrawn {
            true => SelectionOutcome::Void,
            false => selection.outcome.expect("the result names all"),
        };
        let (step, paid) = match outcome {
            SelectionOutcome::Win => (BetStep::Win, bet.returns),
            SelectionOutcome::Lose => (BetStep::Lose, 0),
            SelectionOutcome::Void => (BetStep::Void, bet.stake),
        };

        self.ledger.accounts[bet.account as usize].pending -= bet.returns;
        let escrow = Side::House(HouseAccount::Escrow);
        let house = Side::House(HouseAccount::House);
        let customer = Side::Customer(bet.account);
        let (book, stake) = (bet.book, bet.stake);
        if outcome == SelectionOutcome::Void {
            self.ledger.transfer(book, escrow, customer, stake, TransferWhy::Return, id, events);
        } else {
            self.ledger.transfer(book, escrow, house, stake, TransferWhy::Take, id, events);
            if 0 < paid {
                self.ledger.transfer(book, house, customer, paid, TransferWhy::Pay, id, events);
            }
        }
        self.risk.remove(bet.at(place), self.selections[place as usize].withdrawn);
        let bet = &mut self.bets[at as usize];
        bet.state = bet.state.after(step).expect("an open bet settles");
        bet.paid = paid;
        let (account, market) = (AccountId::new(bet.account, 1), bet.market);
        let (selection, outcome) = (bet.selection, bet.state.outcome() as u8);
        self.markets[market as usize].open_bets -= 1;
        let settlement = self.markets[market as usize].settlement;
        events.push(&BetSettled {
            bet: id,
            account,
            market: self.market_id(market),
            job,
            paid: Minor(paid),
            settlement,
            selection,
            outcome,
            zero: 0,
            stake: Minor(stake),
        });
    }

    fn archive_bet(&mut self, at: u32) {
        let bet = &mut self.bets[at as usize];
        bet.state = bet.state.after(BetStep::Archive).expect("only what is over is archived");
        // A place whose generations are used up is never taken again: bet ids are never reused.
        if bet.generation != u32::MAX {
            bet.next = self.free_bet;
            self.free_bet = at;
        }
        self.live_bets -= 1;
    }

    fn end_job(&mut self, index: u32, job: Job, events: &mut Events) {
        let step = match job.kind {
            JobKind::Settle => MarketStep::SettleEnd,
            JobKind::Archive => MarketStep::ArchiveEnd,
        };
        let market = &self.markets[index as usize];
        assert!(market.open_bets == 0, "no bet of a market is open when its job ends");
        let status = market.status.after(step).expect("a job ends in the state it began in");
        events.push(&JobEnded {
            job: job.id,
            market: self.market_id(index),
            bets: job.bets,
            steps: job.steps,
            kind: job.kind as u8,
            zero: [0; 7],
        });
        self.set_status(index, status, events);
        if job.kind == JobKind::Archive {
            self.free_market(index);
        }
    }

    fn free_market(&mut self, index: u32) {
        let market = self.markets[index as usize];
        let hash = self.name_hash(&self.market_names[index as usize]);
        self.market_table.remove(hash, index);
        self.free_blocks[market.block().ilog2() as usize].push(market.first);
        if market.generation != u32::MAX {
            self.free_markets.push(index);
        }
        let market = &mut self.markets[index as usize];
        (market.head, market.tail) = (NO_BET, NO_BET);
    }
}
