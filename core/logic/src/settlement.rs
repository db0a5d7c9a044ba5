//! Long work in short steps: what waits and ends, markets whose news reach their bets, bets that leave
//! memory, keys that are forgotten. Nothing here is proportional to the open bets in one turn.
//!
//! What a bet is settled as is a function of what is known at that moment: results, withdrawals,
//! cancelled windows, corrected prices. A job walks the legs of a market and brings each bet to what
//! this function says; if a settlement in force says otherwise it is reversed and the next one posted.
//! So late, repeated and permuted news end in the same money.

use crate::answer::Answer;
use crate::bet::{Bet, BetState, BetStep, Leg, NONE};
use crate::command::{ResultEntry, ResultForm};
use crate::event::*;
use crate::id::*;
use crate::ledger::Side;
use crate::market::{Job, MarketStep};
use crate::place::KEEP_ALL;
use crate::reject::Reject;
use crate::risk::BetAt;
use crate::rules::Rules;
use crate::state::State;
use crate::waiting::stake_side;
use crate::wire::Minor;
use betring_pricing::{
    self as pricing, Factor, LEGS_MAX, LegNumbers, Money, Part, Pence, Price, Quoted, RoundingMode,
    RoundingPoint, Share,
};
use std::cmp::Reverse;

/// Whose news a settlement follows: a market, the selection that the bet is on there, and the job.
#[derive(Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) market: u32,
    pub(crate) selection: SelectionIndex,
    pub(crate) job: JobId,
}

impl<R: Rules> State<R> {
    /// The job that a command given now is done by: its own, or the one that waits already.
    pub(crate) fn next_job(&self, index: u32) -> JobId {
        self.markets[index as usize].queued.map_or(JobId(self.seq.0), |(waiting, _)| waiting)
    }

    /// A job on a market; behind the one that it has. Another that waits there already does both.
    pub(crate) fn start_job(&mut self, index: u32, kind: JobKind, events: &mut Events) -> Answer {
        let id = self.next_job(index);
        let market = &mut self.markets[index as usize];
        if market.job.is_none() {
            self.begin_job(index, id, kind, events);
            self.working.push_back(index);
        } else if market.queued.is_none() {
            market.queued = Some((id, kind));
        }
        Answer { id: id.0, ..Answer::started(self.seq, self.market_id(index)) }
    }

    fn begin_job(&mut self, index: u32, id: JobId, kind: JobKind, events: &mut Events) {
        let cursor = match self.exchange.market(index) {
            Some(_) => self.begin_exchange_job(index, kind),
            None => self.markets[index as usize].head,
        };
        self.markets[index as usize].job = Some(Job { id, kind, cursor, bets: 0, steps: 0 });
        let market = self.market_id(index);
        events.push(&JobStarted { job: id, market, kind: kind as u8, zero: [0; 7] });
    }

    /// One turn of long work: first what ends waiting (customers wait for their stakes), then jobs, bets
    /// that are sold by themselves and keys to be forgotten. These take turns to be first, and each gets
    /// what those before it leave: none of them can keep another from ever being done.
    pub(crate) fn step(&mut self, budget: u16, events: &mut Events) -> Answer {
        self.steps += 1;
        let mut left = u32::from(budget);
        left -= self.end_due_waits(left, events);
        left -= self.end_delays(left, events);
        for turn in 0..3 {
            left -= match (self.steps + turn) % 3 {
                0 => self.forget_keys(left, events),
                1 => self.work_on_jobs(left, events),
                _ => self.sell_by_themselves(left, events),
            };
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

    fn end_due_waits(&mut self, budget: u32, events: &mut Events) -> u32 {
        let mut left = budget;
        while 0 < left && self.timer_is_due() {
            let Some(Reverse((_, _, id))) = self.timers.pop() else { break };
            left = left.saturating_sub(self.end_wait(id, events));
        }
        budget - left
    }

    /// Markets with jobs take turns; within a turn the budget goes to one until it has no more.
    fn work_on_jobs(&mut self, budget: u32, events: &mut Events) -> u32 {
        let mut left = budget;
        while 0 < left {
            let Some(index) = self.working.pop_front() else { break };
            let mut job = self.markets[index as usize].job.expect("a working market has a job");
            job.steps += 1;
            let on_exchange = self.exchange.market(index).is_some();
            if on_exchange {
                left = self.work_on_exchange(index, &mut job, left, events);
            }
            while 0 < left && !on_exchange && job.cursor != NONE {
                let at = job.cursor;
                job.cursor = self.legs[at as usize].next;
                let units = match job.kind {
                    JobKind::Archive => self.archive_leg(at),
                    JobKind::Settle
                    | JobKind::Rollback
                    | JobKind::Cancel
                    | JobKind::Turn
                    | JobKind::Lapse
                    | JobKind::NonRunner => self.bring_news(at, job.id, events),
                };
                job.bets += 1;
                left = left.saturating_sub(units);
            }
            let over = !on_exchange || self.exchange_is_done(index, &job);
            if job.cursor == NONE && over {
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

    /// The news of its market reach a leg. How many units of work that was.
    fn bring_news(&mut self, at: u32, job: JobId, events: &mut Events) -> u32 {
        let leg = self.legs[at as usize];
        let bet = self.bets[leg.bet as usize];
        let id = bet.id(leg.bet);
        match bet.state {
            BetState::Offered if self.suspended_since(&bet) => {
                self.end_offer(id, OfferEnd::Withdrawn, events);
                return 1;
            }
            // At a bound price it waits for its wallet through suspensions, but not beyond what decides it.
            BetState::Held
                if self.is_known(&bet) || !bet.is_bound() && self.suspended_since(&bet) =>
            {
                let answer = self.no(Reject::MarketClosed);
                self.refuse_held(id, &answer, HoldEnd::Refused, events);
                return 1;
            }
            BetState::Delayed | BetState::Referred if self.suspended_since(&bet) => {
                let answer = self.no(Reject::MarketSuspended);
                self.reject_waiting(id, &answer, events);
                return 1;
            }
            BetState::Held
            | BetState::Delayed
            | BetState::Referred
            | BetState::Offered
            | BetState::Rejected
            | BetState::OfferEnded
            | BetState::CashedOut
            | BetState::Archived => return 1,
            BetState::CashingOut => {
                let answer = self.no(Reject::CashOutFrozen);
                self.fail_cash_out(id, &answer, events);
            }
            BetState::Open
            | BetState::Won
            | BetState::Lost
            | BetState::Void
            | BetState::Partial => (),
        }
        let facts = self.facts_of(&leg, &bet);
        if leg.numbers != facts {
            self.decide_leg(at, facts, events);
        }
        let cause = Cause { market: leg.market, selection: leg.selection, job };
        self.evaluate(leg.bet, cause, events);
        // A ticket that is computed anew costs as many as its legs.
        u32::from(bet.legs).div_ceil(4).max(1)
    }

    fn decide_leg(&mut self, at: u32, facts: Option<LegNumbers>, events: &mut Events) {
        let leg = &mut self.legs[at as usize];
        let bet = &mut self.bets[leg.bet as usize];
        match (leg.numbers.is_some(), facts.is_some()) {
            (false, true) => bet.undecided -= 1,
            (true, false) => bet.undecided += 1,
            (true, true) | (false, false) => (),
        }
        leg.numbers = facts;
        if bet.single {
            return;
        }
        let (index, id) = (leg.bet, bet.id(leg.bet));
        let number = self.legs_of(&self.bets[index as usize]).position(|own| own == at);
        let numbers = facts.unwrap_or(LegNumbers::LOST);
        let pair = |share: Share| if facts.is_some() { [share.num(), share.den()] } else { [0; 2] };
        events.push(&LegDecided {
            bet: id,
            leg: number.expect("a leg is one of its bet's") as u8,
            decided: u8::from(facts.is_some()),
            rule4: numbers.rule4.get(),
            zero: 0,
            win: pair(numbers.win),
            place: pair(numbers.place),
            void: pair(numbers.void),
            zero2: 0,
        });
    }

    /// What is known of a leg at this moment; nothing while its market has no result.
    pub(crate) fn facts_of(&self, leg: &Leg, bet: &Bet) -> Option<LegNumbers> {
        if !leg.present {
            return leg.numbers;
        }
        let market = &self.markets[leg.market as usize];
        if self.windows.covers(market.windows, bet.placed_at) {
            return Some(LegNumbers::VOID);
        }
        let selection = &self.selections[market.first as usize + usize::from(leg.selection.0)];
        let entry = selection.result?;
        // Bets on a non-runner are off, whatever else a result says of it: its stakes and returns
        // were not counted in what the market could lose.
        if selection.withdrawn {
            return Some(LegNumbers::VOID);
        }
        let numbers = numbers_of(&entry, market.winners, leg.places);
        if numbers.void.is_all() {
            return Some(LegNumbers::VOID);
        }
        let own = Pence::new(entry.rule4).unwrap_or(Pence::ZERO);
        Some(numbers.with_rule4(self.deduction_of(leg.market, bet, own)))
    }

    /// What withdrawn rivals take from a bet on a market, together with what the result itself says.
    pub(crate) fn deduction_of(&self, market: u32, bet: &Bet, own: Pence) -> Pence {
        let market = &self.markets[market as usize];
        if own == Pence::ZERO && !market.deducts {
            return Pence::ZERO;
        }
        let table = &self.houses[usize::from(bet.ruleset)].rule4;
        let block = &self.selections[market.first as usize..][..usize::from(market.selections)];
        let after = |s: &&crate::market::Selection| s.deducts && bet.placed_seq < s.withdrawn_seq;
        let deductions = block
            .iter()
            .filter(after)
            .map(|s| s.withdrawn_at.price().map_or(Pence::ZERO, |price| table.deduction(price)));
        table.sum(deductions.chain([own]))
    }

    /// Brings a bet to what is known of it: reverses the settlement in force if it says otherwise, and
    /// posts the one that holds.
    pub(crate) fn evaluate(&mut self, index: u32, cause: Cause, events: &mut Events) {
        let due = self.settlement_of(index);
        let bet = self.bets[index as usize];
        if bet.state.is_settled() {
            let posted = (bet.state.outcome(), bet.paid);
            if due.is_some_and(|(step, paid)| (outcome_of(step), paid) == posted) {
                return;
            }
            self.reverse(index, cause, events);
        } else if due.is_none() {
            return;
        }
        if let Some((step, paid)) = due {
            self.post(index, step, paid, cause, events);
        }
        self.act_on_bet(index, events);
    }

    /// How a bet comes out by what is known, and what it pays; none while it is open.
    pub(crate) fn settlement_of(&self, index: u32) -> Option<(BetStep, i64)> {
        let bet = &self.bets[index as usize];
        if bet.cancelled {
            return Some((BetStep::Void, bet.stake));
        }
        let first = &self.legs[bet.first as usize];
        if bet.is_plain() && !bet.bonus && first.settles_at == first.price {
            // The common case, without arithmetic.
            match first.numbers? {
                // One that pays a cap below its stake has not won it back.
                LegNumbers::WON if bet.stake <= bet.returns => {
                    return Some((BetStep::Win, bet.returns));
                }
                LegNumbers::LOST => return Some((BetStep::Lose, 0)),
                LegNumbers::VOID => return Some((BetStep::Void, bet.stake)),
                _ => (),
            }
        }
        let shape = bet.shape();
        if bet.undecided != 0 {
            if bet.legs == 1 {
                return None;
            }
            let (mut win, mut place) = ([None; LEGS_MAX], [None; LEGS_MAX]);
            for (number, at) in self.legs_of(bet).enumerate() {
                let leg = &self.legs[at as usize];
                let factor = |part| leg.numbers.map(|n| Factor::of(leg.odds(), part, n));
                (win[number], place[number]) = (factor(Part::Win), factor(leg.place()));
            }
            let legs = usize::from(bet.legs);
            let dead = pricing::is_dead(shape, &win[..legs], &place[..legs]);
            return dead.then_some((BetStep::Lose, 0));
        }
        let (mut win, mut place) = ([Factor::ZERO; LEGS_MAX], [Factor::ZERO; LEGS_MAX]);
        let mut prices = [Quoted::decimal(Price::MIN); LEGS_MAX];
        let mut known = [LegNumbers::LOST; LEGS_MAX];
        let mut all_void = true;
        for (number, at) in self.legs_of(bet).enumerate() {
            let leg = &self.legs[at as usize];
            let numbers = leg.numbers.expect("no leg is undecided");
            all_void &= numbers.void.is_all();
            prices[number] = leg.odds();
            known[number] = numbers;
            win[number] = Factor::of(leg.odds(), Part::Win, numbers);
            place[number] = Factor::of(leg.odds(), leg.place(), numbers);
        }
        if all_void {
            return Some((BetStep::Void, bet.stake));
        }
        let legs = usize::from(bet.legs);
        let house = &self.houses[usize::from(bet.ruleset)];
        let stake = bet.exact_stake();
        let returns = pricing::ticket::returns(
            shape,
            stake,
            &win[..legs],
            &place[..legs],
            KEEP_ALL,
            house.rounding,
        );
        let (prices, known) = (&prices[..legs], &known[..legs]);
        let bonus = pricing::bonus(shape, stake, prices, known, &house.lucky, house.rounding.mode);
        let sum = returns.and_then(|r| bonus.map(|b| r.minor().saturating_add(b.minor())));
        // Of what a free bet returns, the stake is not the customer's: the part of it that came back or won
        // stays with the house, rounded up.
        let kept = match bet.bonus {
            true => {
                let up = pricing::Rounding { mode: RoundingMode::Up, point: RoundingPoint::Bet };
                let mut staked = [Factor::ZERO; LEGS_MAX];
                for (to, numbers) in staked.iter_mut().zip(known) {
                    *to = Factor::of_stake(*numbers);
                }
                let staked = &staked[..legs];
                let kept = pricing::ticket::returns(shape, stake, staked, staked, KEEP_ALL, up);
                kept.map_or(bet.stake, Money::minor)
            }
            false => 0,
        };
        // Only a bet that pays the cap may have a sum that is too large. And none pays more than it was said
        // to return at most: that is what the account has room for.
        let paid = sum.map_or(bet.returns, |sum| (sum - kept).max(0).min(bet.cap));
        let paid = paid.min(bet.returns);
        Some(match paid {
            0 => (BetStep::Lose, 0),
            paid if bet.bonus || bet.stake <= paid => (BetStep::Win, paid),
            paid => (BetStep::Partial, paid),
        })
    }

    /// A settlement is posted: the stake leaves escrow, what is due is paid.
    fn post(&mut self, index: u32, step: BetStep, paid: i64, cause: Cause, events: &mut Events) {
        self.uncount_bet(index);
        let bet = &mut self.bets[index as usize];
        bet.state = bet.state.after(step).expect("an open bet settles");
        bet.paid = paid;
        bet.settlements += 1;
        let bet = *bet;
        let id = bet.id(index);
        let escrow = Side::House(HouseAccount::Escrow);
        let house = Side::House(HouseAccount::House);
        if step == BetStep::Void {
            let to = stake_side(&bet);
            self.transfer(bet.account, escrow, to, bet.stake, TransferWhy::Return, id, events);
        } else {
            self.transfer(bet.account, escrow, house, bet.stake, TransferWhy::Take, id, events);
            if 0 < paid {
                let to = Side::Customer(bet.account);
                self.transfer(bet.account, house, to, paid, TransferWhy::Pay, id, events);
            }
        }
        events.push(&BetSettled {
            bet: id,
            account: AccountId::new(bet.account, 1),
            market: self.market_id(cause.market),
            job: cause.job,
            paid: Minor(paid),
            settlement: self.markets[cause.market as usize].settlement,
            selection: cause.selection,
            outcome: bet.state.outcome() as u8,
            zero: 0,
            stake: Minor(bet.stake),
            version: bet.settlements,
            zero2: 0,
        });
    }

    /// A settlement is taken back: what was paid, and the stake into escrow. What the customer has not
    /// any more is owed.
    fn reverse(&mut self, index: u32, cause: Cause, events: &mut Events) {
        let bet = self.bets[index as usize];
        let id = bet.id(index);
        let escrow = Side::House(HouseAccount::Escrow);
        let house = Side::House(HouseAccount::House);
        let why = TransferWhy::Reverse;
        if bet.state == BetState::Void {
            let from = match stake_side(&bet) {
                Side::Customer(account) => Side::Debtor(account),
                other => other,
            };
            self.transfer(bet.account, from, escrow, bet.stake, why, id, events);
        } else {
            if 0 < bet.paid {
                let from = Side::Debtor(bet.account);
                self.transfer(bet.account, from, house, bet.paid, why, id, events);
            }
            self.transfer(bet.account, house, escrow, bet.stake, why, id, events);
        }
        events.push(&BetReversed {
            bet: id,
            account: AccountId::new(bet.account, 1),
            market: self.market_id(cause.market),
            job: cause.job,
            paid: Minor(bet.paid),
            stake: Minor(bet.stake),
            version: bet.settlements,
            outcome: bet.state.outcome() as u8,
            zero: [0; 3],
        });
        let bet = &mut self.bets[index as usize];
        bet.state = bet.state.after(BetStep::Reverse).expect("a settled bet can be reversed");
        bet.paid = 0;
        self.count_bet(index);
    }

    /// A bet counts in what its markets may cost.
    pub(crate) fn count_bet(&mut self, index: u32) {
        self.recount(index, true);
    }

    /// It does not count any more.
    pub(crate) fn uncount_bet(&mut self, index: u32) {
        self.recount(index, false);
    }

    fn recount(&mut self, index: u32, counts: bool) {
        let bet = self.bets[index as usize];
        let sign = if counts { 1 } else { -1 };
        let mut changes = false;
        let mut at = bet.first;
        while at != NONE {
            let leg = self.legs[at as usize];
            if leg.present && leg.counted != counts {
                changes = true;
                let market = &mut self.markets[leg.market as usize];
                let place = market.first + u32::from(leg.selection.0);
                let withdrawn = self.selections[place as usize].withdrawn;
                if counts {
                    market.open_bets += 1;
                } else {
                    market.open_bets -= 1;
                }
                self.legs[at as usize].counted = counts;
                if !bet.synthetic {
                    if bet.is_plain() {
                        self.risk.count(at_place(&bet, &leg, place), withdrawn, sign);
                    } else {
                        self.risk.count_reach(bet.book, place, sign * i128::from(leg.reach));
                    }
                    self.weigh(bet.book, leg.market);
                }
            }
            at = leg.sibling;
        }
        // A bet that counts has a leg that does: with its legs it begins and ends to.
        if changes && !bet.synthetic {
            self.ledger.accounts[bet.account as usize].may_win += sign * bet.may_win();
        }
    }

    /// Bets of a market count, or count no more: what it may cost is found anew, and with it what its event may.
    pub(crate) fn weigh(&mut self, book: u8, market: u32) {
        let view = self.market_bets(book, market);
        self.risk.weigh(view);
        if let Some(fixture) = self.fixture_of(market) {
            self.risk.weigh_event(view, fixture);
        }
    }

    /// A leg leaves memory with its market; with its last leg the bet does.
    fn archive_leg(&mut self, at: u32) -> u32 {
        let leg = self.legs[at as usize];
        let index = leg.bet;
        if leg.counted {
            // A ticket that other markets still decide: here it can cost nothing any more.
            let market = &mut self.markets[leg.market as usize];
            market.open_bets -= 1;
            let place = market.first + u32::from(leg.selection.0);
            let bet = &self.bets[index as usize];
            let (book, synthetic) = (bet.book, bet.synthetic);
            if !synthetic {
                self.risk.count_reach(book, place, -i128::from(leg.reach));
                self.weigh(book, leg.market);
            }
        }
        self.legs[at as usize] = Leg { present: false, counted: false, auto_listed: false, ..leg };
        let bet = &mut self.bets[index as usize];
        bet.present -= 1;
        if bet.present != 0 {
            return 1;
        }
        assert!(!bet.state.in_escrow(), "no bet that stands has all its markets archived");
        if !bet.state.is_refused() && bet.state != BetState::CashedOut {
            self.ledger.accounts[bet.account as usize].pending -= bet.returns;
        }
        let bet = &mut self.bets[index as usize];
        bet.state = bet.state.after(BetStep::Archive).expect("only what is over is archived");
        let legs = u32::from(bet.legs);
        let mut at = bet.first;
        while at != NONE {
            let leg = &mut self.legs[at as usize];
            let next = leg.sibling;
            *leg = Leg { sibling: self.free_leg, ..Leg::filler() };
            self.free_leg = at;
            at = next;
        }
        // A place whose generations are used up is never taken again: bet ids are never reused.
        if bet.generation != u32::MAX {
            bet.first = self.free_bet;
            self.free_bet = index;
        } else {
            bet.first = NONE;
        }
        self.live_bets -= 1;
        self.live_legs -= legs;
        legs
    }

    fn end_job(&mut self, index: u32, job: Job, events: &mut Events) {
        events.push(&JobEnded {
            job: job.id,
            market: self.market_id(index),
            bets: job.bets,
            steps: job.steps,
            kind: job.kind as u8,
            zero: [0; 7],
        });
        if self.exchange.market(index).is_some() {
            self.end_exchange_job(index, &job, events);
        }
        let market = &mut self.markets[index as usize];
        if let Some((id, kind)) = market.queued.take() {
            self.begin_job(index, id, kind, events);
            self.working.push_back(index);
            return;
        }
        if job.kind != JobKind::Archive {
            // Tickets that lost or won a leg here may be worth more now.
            self.look_at_autos(index);
        }
        let step = match self.markets[index as usize].status {
            MarketStatus::Settling => MarketStep::SettleEnd,
            MarketStatus::Archiving => MarketStep::ArchiveEnd,
            // The job changed bets, not the market: a window was cancelled, a result taken back.
            MarketStatus::Defined
            | MarketStatus::Open
            | MarketStatus::Closed
            | MarketStatus::Settled
            | MarketStatus::Archived => return,
        };
        let status = self.markets[index as usize].status.after(step);
        let status = status.expect("a job ends in the state it began in");
        self.set_status(index, status, events);
        if status == MarketStatus::Archived {
            self.free_market(index);
        }
    }

    fn free_market(&mut self, index: u32) {
        self.forget_exchange(index);
        let market = self.markets[index as usize];
        let hash = self.name_hash(&self.market_names[index as usize]);
        self.market_table.remove(hash, index);
        self.free_blocks[market.block().ilog2() as usize].push(market.first);
        self.windows.free(market.windows);
        if market.auto_queued {
            self.auto_queue.retain(|queued| *queued != index);
        }
        if market.generation != u32::MAX {
            self.free_markets.push(index);
        }
        let market = &mut self.markets[index as usize];
        (market.head, market.tail) = (NONE, NONE);
        (market.auto_head, market.auto_kept) = (NONE, NONE);
        market.windows = NONE;
    }
}

/// Where a plain single's stake and returns count.
pub(crate) fn at_place(bet: &Bet, leg: &Leg, place: u32) -> BetAt {
    BetAt { book: bet.book, market: leg.market, place, stake: bet.stake, returns: bet.returns }
}

/// What an entry of a result says of a leg, before deductions.
pub(crate) fn numbers_of(entry: &ResultEntry, winners: u16, places: u8) -> LegNumbers {
    let share = |[num, den]: [u16; 2]| Share::new(num, den).unwrap_or(Share::NONE);
    match entry.form() {
        ResultForm::Win => LegNumbers::WON,
        ResultForm::Lose => LegNumbers::LOST,
        ResultForm::Void => LegNumbers::VOID,
        ResultForm::Shares => LegNumbers {
            void: share(entry.void),
            win: share(entry.win),
            place: share(entry.place),
            rule4: Pence::ZERO,
        },
        ResultForm::Position => {
            // Tied runners share the positions from theirs on: as many as are paid, over all of them.
            let [position, tied] = entry.win;
            let paid = |last: u16| (last + 1).saturating_sub(position).min(tied);
            LegNumbers {
                void: Share::NONE,
                win: share([paid(winners), tied]),
                place: share([paid(u16::from(places)), tied]),
                rule4: Pence::ZERO,
            }
        }
    }
}

/// How a step comes out.
fn outcome_of(step: BetStep) -> BetOutcome {
    match BetState::Open.after(step) {
        Some(state) => state.outcome(),
        None => BetOutcome::None,
    }
}
