//! News of what became of markets and bets: results and their corrections, rollbacks, cancelled
//! windows, corrected prices, adjustments by hand.
//!
//! A command changes what is known, at once; a job brings it to the bets ([`crate::settlement`]). News
//! of a source carry its own time: what it said earlier has no effect any more, in whatever order the
//! messages arrive.

use crate::answer::Answer;
use crate::bet::{BetState, NONE};
use crate::command::*;
use crate::event::*;
use crate::exchange::{outcomes_of, running};
use crate::id::*;
use crate::ledger::{BALANCE_MAX, Side};
use crate::market::MarketStep;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::settlement::{Cause, numbers_of};
use crate::state::State;
use crate::time::Timestamp;
use crate::wire::Minor;

type Decided = Result<Answer, Answer>;

/// Windows that one market may have: beyond that something is wrong with the source.
pub(crate) const WINDOWS_OF_A_MARKET: u32 = 32;

/// A window of a market's bets that was cancelled, or whose cancel was taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// When the source last spoke of it; 0 if it does not say.
    pub(crate) source: Timestamp,
    pub(crate) active: bool,
    /// The next window of the same market; in a free place, the next free place.
    pub(crate) next: u32,
}

/// All windows of all markets, in lists.
#[derive(Clone)]
pub(crate) struct Windows {
    pub(crate) places: Vec<Window>,
    pub(crate) free: u32,
    pub(crate) max: u32,
}

impl Windows {
    pub(crate) fn new() -> Windows {
        Windows { places: Vec::new(), free: NONE, max: 0 }
    }

    /// As many as markets, and some for one that has several.
    pub(crate) fn grow(&mut self, markets: u32) {
        self.max = markets + WINDOWS_OF_A_MARKET;
        let filler = Window {
            from: Timestamp(0),
            until: Timestamp(0),
            source: Timestamp(0),
            active: false,
            next: NONE,
        };
        crate::grid::reserve_touched(&mut self.places, self.max as usize, filler);
    }

    /// Whether a bet placed at this moment is void by one of the windows.
    pub(crate) fn covers(&self, mut at: u32, placed: Timestamp) -> bool {
        while at != NONE {
            let window = &self.places[at as usize];
            if window.active && window.from <= placed && placed < window.until {
                return true;
            }
            at = window.next;
        }
        false
    }

    fn find(&self, mut at: u32, from: Timestamp, until: Timestamp) -> (Option<u32>, u32) {
        let mut count = 0;
        while at != NONE {
            let window = &self.places[at as usize];
            if (window.from, window.until) == (from, until) {
                return (Some(at), count);
            }
            count += 1;
            at = window.next;
        }
        (None, count)
    }

    fn add(&mut self, window: Window) -> Option<u32> {
        if self.free != NONE {
            let at = self.free;
            self.free = self.places[at as usize].next;
            self.places[at as usize] = window;
            return Some(at);
        }
        if self.places.len() as u32 == self.max {
            return None;
        }
        self.places.push(window);
        Some(self.places.len() as u32 - 1)
    }

    /// Gives back the windows of a market that leaves memory.
    pub(crate) fn free(&mut self, mut at: u32) {
        while at != NONE {
            let next = self.places[at as usize].next;
            self.places[at as usize].next = self.free;
            self.free = at;
            at = next;
        }
    }
}

impl<R: Rules> State<R> {
    /// A result, or another one: the next version of the market's settlement.
    pub(crate) fn result(
        &mut self,
        body: &MarketResult,
        entries: Entries<'_, ResultEntry>,
        events: &mut Events,
    ) -> Decided {
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        // As many entries as selections, none twice (checked when read), none beyond: so all of them.
        let beyond = entries.iter().any(|entry| market.selections <= entry.selection.0);
        if body.count != market.selections || beyond {
            return Err(self.no(Reject::SelectionUnknown));
        }
        let Some(status) = market.status.after(MarketStep::Result) else {
            return Err(self.no(Reject::NotAllowed));
        };
        // The limits were computed for as many winners as the market has.
        let won = |entry: ResultEntry| numbers_of(&entry, market.winners, 0).win;
        let shares = entries.iter().map(won).map(|w| billionths(w.num(), w.den())).sum::<u64>();
        // All lines above the result win.
        let lines = self.has_lines(index);
        if !lines && u64::from(market.winners) * BILLION + ROUNDED < shares {
            return Err(self.no(Reject::TooManyWinners));
        }
        // What an account may lose was held for exactly as many winners; and money has whole parts.
        let first = market.first;
        let runs = entries.iter().map(|entry| {
            let place = first + u32::from(entry.selection.0);
            running(entry, self.selections[place as usize].withdrawn)
        });
        // Positions have no winnings that a deduction could be taken from: prices are reduced by non-runners' factors.
        let wrong = |entry: ResultEntry| {
            let withdrawn =
                self.selections[(first + u32::from(entry.selection.0)) as usize].withdrawn;
            entry.rule4 != 0 || (withdrawn && won(entry).num() != 0)
        };
        let wrong = market.exchange && entries.iter().any(wrong);
        if wrong || (market.exchange && outcomes_of(runs, market.winners, lines).is_none()) {
            return Err(self.no(Reject::InvalidResult));
        }
        let certainty = if body.certainty == 0 { 2 } else { body.certainty };
        let set = self.rulesets.last().expect("there is a first set of rules");
        let known = body.source != Timestamp(0) && market.result_source != Timestamp(0);
        let has_result = self.has_result(index);
        let late = known
            && (body.source < market.rolled_back
                || has_result
                    && (certainty, body.source) < (market.certainty, market.result_source));
        let unsure = certainty < set.certainty || (has_result && certainty < market.certainty);
        if late || unsure {
            let (market, source, certainty) = (body.market, body.source, body.certainty);
            events.push(&ResultNoted { market, source, certainty, zero: [0; 7] });
            return Ok(Answer::done(self.seq, body.market.raw()));
        }

        // From here on nothing can fail.
        let same = has_result
            && entries.iter().all(|entry| {
                let place = first + u32::from(entry.selection.0);
                self.selections[place as usize].result == Some(entry)
            });
        let market = &mut self.markets[index as usize];
        // A surer result is not late for what was less sure, and the next one is compared with it alone.
        let surer = has_result && market.certainty < certainty && body.source != Timestamp(0);
        market.result_source =
            if surer { body.source } else { body.source.max(market.result_source) };
        market.certainty = certainty;
        if same {
            return Ok(Answer::done(self.seq, body.market.raw()));
        }
        market.settlement += 1;
        market.suspension.seq = self.seq;
        let settlement = market.settlement;
        for entry in entries.iter() {
            let place = first + u32::from(entry.selection.0);
            self.selections[place as usize].result = Some(entry);
        }
        self.set_status(index, status, events);
        self.look_at_all_drifts(index, events);
        let job = self.next_job(index);
        events.push(&ResultRecorded { market: body.market, job, settlement, zero: 0 });
        Ok(self.start_job(index, JobKind::Settle, events))
    }

    pub(crate) fn has_result(&self, index: u32) -> bool {
        let market = &self.markets[index as usize];
        self.selections[market.first as usize].result.is_some()
    }

    /// A result is taken back: the market is closed, its bets are open again.
    pub(crate) fn rollback_result(
        &mut self,
        body: &RollbackResult,
        events: &mut Events,
    ) -> Decided {
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let (first, selections) = (market.first, u32::from(market.selections));
        let Some(status) = market.status.after(MarketStep::Rollback) else {
            // The source may take back what has not arrived: then it must not arrive any more.
            let waits = market.status.after(MarketStep::Close).is_some();
            if body.source == Timestamp(0) || !waits {
                return Err(self.no(Reject::NotAllowed));
            }
            let market = &mut self.markets[index as usize];
            market.rolled_back = market.rolled_back.max(body.source);
            market.result_source = market.result_source.max(body.source);
            return Ok(Answer::done(self.seq, body.market.raw()));
        };
        let late = body.source != Timestamp(0) && body.source < market.result_source;
        if late {
            let market = &mut self.markets[index as usize];
            market.rolled_back = market.rolled_back.max(body.source);
            return Ok(Answer::done(self.seq, body.market.raw()));
        }
        for place in first..first + selections {
            self.selections[place as usize].result = None;
        }
        let market = &mut self.markets[index as usize];
        market.rolled_back = market.rolled_back.max(body.source);
        market.certainty = 0;
        market.settlement += 1;
        let settlement = market.settlement;
        self.set_status(index, status, events);
        self.look_at_all_drifts(index, events);
        let job = self.next_job(index);
        events.push(&ResultRolledBack { market: body.market, job, settlement, zero: 0 });
        Ok(self.start_job(index, JobKind::Rollback, events))
    }

    /// The bets of a window are void, or not any more. The market's status stays.
    pub(crate) fn cancel_bets(&mut self, body: &CancelBets, events: &mut Events) -> Decided {
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        // Orders of an exchange are void with their runner, or by the result.
        if market.status == MarketStatus::Archiving || market.exchange {
            return Err(self.no(Reject::NotAllowed));
        }
        let from = if body.from.0 == 0 { Timestamp::MIN } else { body.from };
        let until = if body.until.0 == 0 { Timestamp::MAX } else { body.until };
        let head = market.windows;
        let active = body.cancel == 1;
        let done = Ok(Answer::done(self.seq, body.market.raw()));
        let changed = match self.windows.find(head, from, until) {
            (Some(at), _) => {
                let window = &mut self.windows.places[at as usize];
                let known = body.source != Timestamp(0) && window.source != Timestamp(0);
                if known && body.source < window.source {
                    return done;
                }
                window.source = body.source.max(window.source);
                std::mem::replace(&mut window.active, active) != active
            }
            (None, count) => {
                // Nothing to take back, and by a source without times it cannot be late.
                if !active && body.source == Timestamp(0) {
                    return Err(self.no(Reject::NotAllowed));
                }
                if count == WINDOWS_OF_A_MARKET {
                    return Err(self.no(Reject::Full));
                }
                let window = Window { from, until, source: body.source, active, next: head };
                let Some(at) = self.windows.add(window) else {
                    return Err(self.no(Reject::Full));
                };
                self.markets[index as usize].windows = at;
                active
            }
        };
        if !changed {
            return done;
        }
        if active {
            // What waits to become a bet does not become one.
            self.markets[index as usize].suspension.seq = self.seq;
        }
        events.push(&WindowChanged {
            market: body.market,
            from,
            until,
            job: self.next_job(index),
            cancelled: body.cancel,
            zero: [0; 7],
        });
        Ok(self.start_job(index, JobKind::Cancel, events))
    }

    /// One bet is void, or not any more.
    pub(crate) fn cancel_bet(&mut self, body: &CancelBet, events: &mut Events) -> Decided {
        let index = self.standing_or_settled(body.bet)?;
        let cancelled = body.cancel == 1;
        let done = Ok(Answer::done(self.seq, body.bet.raw()));
        if self.bets[index as usize].cancelled == cancelled {
            return done;
        }
        self.bets[index as usize].cancelled = cancelled;
        events.push(&BetCancelled { bet: body.bet, cancelled: body.cancel, zero: [0; 7] });
        self.evaluate(index, self.own_cause(index), events);
        done
    }

    /// A bet that stands or was settled; one that is being sold is not sold.
    fn standing_or_settled(&self, id: BetId) -> Result<u32, Answer> {
        let Some(bet) = self.find_bet(id) else { return Err(self.no(Reject::BetUnknown)) };
        if bet.state == BetState::Open || bet.state.is_settled() {
            return Ok(id.index());
        }
        Err(self.no(Reject::NotAllowed))
    }

    /// News of a bet itself are told as of the first of its markets that is in memory.
    fn own_cause(&self, index: u32) -> Cause {
        let mut present = self.legs_of(&self.bets[index as usize]);
        let at = present.find(|at| self.legs[*at as usize].present);
        let leg = &self.legs[at.expect("a bet in memory has a market in memory") as usize];
        Cause { market: leg.market, selection: leg.selection, job: JobId(0) }
    }

    /// A leg settles at the price that was right when the bet was placed.
    pub(crate) fn correct_price(&mut self, body: &CorrectPrice, events: &mut Events) -> Decided {
        let index = self.standing_or_settled(body.bet)?;
        let bet = self.bets[index as usize];
        let place = self.legs_of(&bet).nth(usize::from(body.leg));
        let Some(at) = place else { return Err(self.no(Reject::SelectionUnknown)) };
        let leg = self.legs[at as usize];
        let to = if body.price.is_none() { leg.price } else { body.price };
        let done = Ok(Answer::done(self.seq, body.bet.raw()));
        if to == leg.settles_at {
            return done;
        }
        let counts = bet.state.stands();
        if counts {
            self.uncount_bet(index);
        }
        self.legs[at as usize].settles_at = to;
        self.measure(index);
        let more = self.bets[index as usize].returns.saturating_sub(bet.returns);
        let account = &mut self.ledger.accounts[bet.account as usize];
        let fits = account.has_room_for(more.max(0));
        if fits {
            account.pending += more;
        } else {
            // As if it had not been asked.
            self.legs[at as usize].settles_at = leg.settles_at;
            self.measure(index);
        }
        if counts {
            self.count_bet(index);
        }
        if !fits {
            return Err(self.no(Reject::BalanceLimit));
        }
        events.push(&PriceCorrected {
            bet: body.bet,
            from: leg.settles_at,
            to,
            leg: body.leg,
            zero: [0; 7],
        });
        if counts {
            self.act_on_bet(index, events);
        }
        self.evaluate(index, self.own_cause(index), events);
        done
    }

    /// Money moves between the house and an account, by hand.
    pub(crate) fn adjust(&mut self, body: &Adjust, events: &mut Events) -> Decided {
        let Some((index, account)) = self.ledger.find(body.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let amount = body.amount.0;
        let house = Side::House(HouseAccount::House);
        let why = TransferWhy::Adjust;
        if 0 < amount {
            if !account.has_room_for(amount) {
                return Err(self.no(Reject::BalanceLimit));
            }
            let to = Side::Customer(index);
            self.transfer(index, house, to, amount, why, body.bet, events);
        } else {
            if account.balance.checked_add(amount).is_none_or(|left| left < -BALANCE_MAX) {
                return Err(self.no(Reject::BalanceLimit));
            }
            let from = Side::Debtor(index);
            self.transfer(index, from, house, -amount, why, body.bet, events);
        }
        Ok(Answer { amount: Minor(amount), ..Answer::done(self.seq, body.account.raw()) })
    }

    /// Money for free bets, given or taken back.
    pub(crate) fn grant_bonus(&mut self, body: &GrantBonus, events: &mut Events) -> Decided {
        let Some((index, account)) = self.ledger.find(body.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let amount = body.amount.0;
        let bonus = account.bonus;
        let (own, house) = (Side::Bonus(index), Side::House(HouseAccount::Promotions));
        let why = TransferWhy::Bonus;
        if 0 < amount {
            if BALANCE_MAX < bonus.saturating_add(amount) {
                return Err(self.no(Reject::BalanceLimit));
            }
            self.transfer(index, house, own, amount, why, BetId::NONE, events);
        } else {
            if bonus < -amount {
                return Err(self.no(Reject::FundsInsufficient));
            }
            self.transfer(index, own, house, -amount, why, BetId::NONE, events);
        }
        Ok(Answer { amount: Minor(amount), ..Answer::done(self.seq, body.account.raw()) })
    }
}

const BILLION: u64 = 1_000_000_000;
/// Shares that a source rounded up may add up to so much more than the winners, a thousandth: ten runners
/// that share a place, each rounded up by a ten-thousandth.
const ROUNDED: u64 = 1_000_000;

fn billionths(num: u16, den: u16) -> u64 {
    u64::from(num) * BILLION / u64::from(den)
}
