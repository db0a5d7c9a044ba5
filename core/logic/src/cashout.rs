//! Selling a bet back: for what it is worth at the prices in force, and not at all on any doubt.
//!
//! The fair value of a line is its stake times, for every leg that is decided, its factor, and for every
//! other the odds it was taken at over the odds now (BETTING §3). The house keeps its margin of that,
//! and the fraction of a unit: however a bet is cut into parts, they bring no more than the whole.

use crate::answer::Answer;
use crate::bet::{Ask, Bet, BetState, BetStep, NONE, quoted};
use crate::command::{CashOut, FreezeCashOut, Level, Owner, PricePolicy, SetAutoCashOut};
use crate::event::*;
use crate::id::*;
use crate::ledger::Side;
use crate::place::{KEEP_ALL, NO_CAP, Quote};
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::time::Nanos;
use crate::wire::{Header, Minor};
use betring_pricing::{
    self as pricing, Factor, LEGS_MAX, Part, Pence, RoundingMode, RoundingPoint, Stake,
};
use std::cmp::Reverse;

type Decided = Result<Answer, Answer>;

impl<R: Rules> State<R> {
    /// What so much of a bet's stake is worth now, in minor units.
    ///
    /// # Errors
    /// [`Reject::CashOutFrozen`] on any doubt: a market, fixture, feed or engine that is suspended or
    /// frozen, a price that is missing or older than cash-outs may be, news that are still being
    /// settled, a deduction for a withdrawn rival on a leg that is still open (the odds now are those of
    /// another field), a free bet, or a value of nothing.
    pub(crate) fn value_of(&self, bet: &Bet, take: Stake) -> Result<i64, Answer> {
        let frozen = || self.no(Reject::CashOutFrozen);
        if !bet.state.stands() || bet.bonus || bet.cancelled {
            return Err(frozen());
        }
        let (mut win, mut place) = ([Factor::ZERO; LEGS_MAX], [Factor::ZERO; LEGS_MAX]);
        for (number, at) in self.legs_of(bet).enumerate() {
            let leg = &self.legs[at as usize];
            if leg.present && self.markets[leg.market as usize].job.is_some() {
                return Err(frozen());
            }
            (win[number], place[number]) = match leg.numbers {
                Some(numbers) => (
                    Factor::of(leg.odds(), Part::Win, numbers),
                    Factor::of(leg.odds(), leg.place(), numbers),
                ),
                None => {
                    if self.deduction_of(leg.market, bet, Pence::ZERO) != Pence::ZERO {
                        return Err(frozen());
                    }
                    let now = self.cash_out_quote(bet, leg.market, leg.selection)?;
                    let (taken, now) = (leg.odds(), quoted(now.price));
                    (
                        Factor::taken_over_now(taken, now, Part::Win),
                        Factor::taken_over_now(taken, now, leg.place()),
                    )
                }
            };
        }
        let legs = usize::from(bet.legs);
        let set = &self.rulesets[usize::from(bet.ruleset)];
        let keep = KEEP_ALL - set.cash_out_margin;
        let (win, place) = (&win[..legs], &place[..legs]);
        let down = pricing::Rounding { mode: RoundingMode::Down, point: RoundingPoint::Bet };
        let value = pricing::ticket::returns(bet.shape(), take, win, place, keep, down);
        match value.map(|value| value.minor().min(cap_of(bet, take.minor()))) {
            Ok(value) if 0 < value => Ok(value),
            Ok(_) | Err(_) => Err(frozen()),
        }
    }

    /// The quote at which an undecided leg is bought back, if nothing speaks against it.
    fn cash_out_quote(
        &self,
        bet: &Bet,
        index: u32,
        selection: SelectionIndex,
    ) -> Result<Quote, Answer> {
        let frozen = |_| self.no(Reject::CashOutFrozen);
        self.open_for_bets(self.market_id(index), selection).map_err(frozen)?;
        if self.freezes(index).iter().any(|level| level.holds()) {
            return Err(self.no(Reject::CashOutFrozen));
        }
        let quote = self.bought_back_at(index, selection).map_err(frozen)?;
        // Prices set by a person are not confirmed by heartbeats: they age only where a market or its tier
        // says so.
        let market = &self.markets[index as usize];
        let kept = &self.selections[market.first as usize + usize::from(selection.0)];
        let by_feed = !kept.is_pinned();
        let ages = by_feed && (market.feed != FeedId::MANUAL || market.age_bound != Nanos::ZERO);
        let rules = self.rulesets[usize::from(bet.ruleset)].cash_out_age;
        let tier = self.tier_of(market).cash_out_age;
        let too_old = (ages && rules < quote.age) || (tier != Nanos::ZERO && tier < quote.age);
        // On any doubt nothing is bought back: feeds that are apart need no time to prove it.
        if too_old || by_feed && self.has_drifted(market, Nanos::ZERO) {
            return Err(self.no(Reject::CashOutFrozen));
        }
        Ok(quote)
    }

    /// The price that a leg is bought back at: what its feed says, not what liability made of that. A bet
    /// shortens its own price: whoever could sell at the shorter one would be paid for having bought.
    fn bought_back_at(&self, index: u32, selection: SelectionIndex) -> Result<Quote, Answer> {
        let quote = self.quote_in_force(index, selection)?;
        let market = &self.markets[index as usize];
        let kept = &self.selections[market.first as usize + usize::from(selection.0)];
        if kept.is_pinned() {
            return Ok(quote);
        }
        let price = kept.quotes[self.driving_slot(market)].sent.price;
        let Some(exact) = price.price() else { return Err(self.no(Reject::NoPrice)) };
        Ok(Quote { price, exact, ..quote })
    }

    /// A customer sells a bet, or part of it.
    pub(crate) fn cash_out(
        &mut self,
        header: &Header,
        body: &CashOut,
        events: &mut Events,
    ) -> Decided {
        let (index, bet) = self.own_bet(header, body.bet)?;
        if self.ledger.accounts[bet.account as usize].blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        if bet.state != BetState::Open {
            return Err(self.no(Reject::NotAllowed));
        }
        let take = body.take.stake().map_or(bet.stake, Stake::minor);
        if bet.stake < take {
            let amount = Minor(bet.stake);
            return Err(Answer { amount, ..self.no(Reject::StakeTooLarge) });
        }
        let ask = Ask {
            take,
            accept: body.accept.0,
            seq: self.seq,
            policy: body.policy,
            slippage: body.slippage,
            auto: false,
        };
        let value = self.agreed_value(&bet, &ask)?;
        let delay = self.cash_out_delay(&bet);
        if delay == Nanos::ZERO {
            let id = self.begin_cash_out(index, ask, delay);
            self.pay_cash_out(index, value, events);
            let stake = Minor(take);
            return Ok(Answer { stake, amount: Minor(value), ..Answer::done(self.seq, id.raw()) });
        }
        if self.timers_are_full() {
            return Err(self.no(Reject::TooManyPending));
        }
        let id = self.begin_cash_out(index, ask, delay);
        let until = self.tell_pending(index, value, events);
        let answer = Answer::pending(self.seq, id, PendingWhy::CashOut, until);
        Ok(Answer { stake: Minor(take), amount: Minor(value), ..answer })
    }

    pub(crate) fn own_bet(&self, header: &Header, id: BetId) -> Result<(u32, Bet), Answer> {
        match self.find_bet(id) {
            Some(bet) if AccountId::new(bet.account, 1).raw() == header.account => {
                Ok((id.index(), *bet))
            }
            _ => Err(self.no(Reject::BetUnknown)),
        }
    }

    /// The value now, if the customer takes that.
    fn agreed_value(&self, bet: &Bet, ask: &Ask) -> Result<i64, Answer> {
        let take = Stake::from_minor(ask.take).expect("checked when it was asked for");
        let value = self.value_of(bet, take)?;
        let policy = PricePolicy::from_code(ask.policy).expect("checked when it was read");
        let agreed = match policy {
            PricePolicy::Exact => value == ask.accept,
            PricePolicy::Better => ask.accept <= value,
            PricePolicy::Within => {
                let least = i128::from(ask.accept) * i128::from(10_000 - ask.slippage);
                least <= i128::from(value) * 10_000
            }
            PricePolicy::Any => true,
        };
        let amount = Minor(value);
        if agreed { Ok(value) } else { Err(Answer { amount, ..self.no(Reject::CashOutMoved) }) }
    }

    /// The longest delay of the markets that still decide it.
    fn cash_out_delay(&self, bet: &Bet) -> Nanos {
        let open = self.legs_of(bet).filter(|at| self.legs[*at as usize].numbers.is_none());
        let delays = open.map(|at| self.markets[self.legs[at as usize].market as usize].delay);
        delays.max().unwrap_or(Nanos::ZERO)
    }

    fn begin_cash_out(&mut self, index: u32, ask: Ask, delay: Nanos) -> BetId {
        let bet = &mut self.bets[index as usize];
        bet.state = bet.state.after(BetStep::AskCashOut).expect("only an open bet is sold");
        bet.ask = ask;
        bet.until = self.now.plus(delay);
        let (id, due) = (bet.id(index), crate::place::due(bet));
        if delay != Nanos::ZERO {
            self.timers.push(Reverse((due, self.seq, id)));
        }
        id
    }

    fn tell_pending(&self, index: u32, value: i64, events: &mut Events) -> crate::time::Timestamp {
        let bet = &self.bets[index as usize];
        events.push(&CashOutPending {
            bet: bet.id(index),
            account: AccountId::new(bet.account, 1),
            take: Minor(bet.ask.take),
            value: Minor(value),
            until: bet.until,
        });
        bet.until
    }

    /// The delay of a cash-out has passed: it happens at the value of this moment, or not at all.
    pub(crate) fn end_cash_out(&mut self, id: BetId, events: &mut Events) {
        let index = id.index();
        let bet = self.bets[index as usize];
        let mut open = self.legs_of(&bet).map(|at| &self.legs[at as usize]);
        let suspended = open.any(|leg| {
            leg.numbers.is_none()
                && self.cash_out_suspended_since(leg.market, leg.selection, bet.ask.seq)
        });
        let value = match suspended {
            true => Err(self.no(Reject::CashOutFrozen)),
            false => self.agreed_value(&bet, &bet.ask),
        };
        match value {
            Ok(value) => self.pay_cash_out(index, value, events),
            Err(answer) => self.fail_cash_out(id, &answer, events),
        }
    }

    /// A cash-out does not happen: the bet stays open. One that was to happen by itself is not tried again.
    pub(crate) fn fail_cash_out(&mut self, id: BetId, answer: &Answer, events: &mut Events) {
        let bet = &mut self.bets[id.index() as usize];
        bet.state = bet.state.after(BetStep::KeepOpen).expect("a bet that is being sold");
        let auto = bet.ask.auto;
        if auto {
            bet.auto = 0;
        }
        bet.ask = Ask::default();
        events.push(&CashOutFailed {
            bet: id,
            account: AccountId::new(bet.account, 1),
            value: answer.amount,
            reject: answer.reject().map_or(0, Reject::code),
            auto: u8::from(auto),
            zero: [0; 6],
        });
    }

    /// The house buys: the share's stake leaves escrow, the value is paid, the rest stays open.
    fn pay_cash_out(&mut self, index: u32, value: i64, events: &mut Events) {
        self.tell_legs_now(index, events);
        self.uncount_bet(index);
        let before = self.bets[index as usize];
        let id = before.id(index);
        let left = before.stake - before.ask.take;
        let escrow = Side::House(HouseAccount::Escrow);
        let house = Side::House(HouseAccount::House);
        let customer = Side::Customer(before.account);
        let taken = before.ask.take;
        self.transfer(before.account, escrow, house, taken, TransferWhy::Take, id, events);
        self.transfer(before.account, house, customer, value, TransferWhy::CashOut, id, events);
        let bet = &mut self.bets[index as usize];
        let step = if left == 0 { BetStep::CashOut } else { BetStep::KeepOpen };
        bet.state = bet.state.after(step).expect("a bet that is being sold");
        bet.cashed += value;
        bet.stake = left;
        bet.ask = Ask::default();
        if left == 0 {
            bet.returns = 0;
            bet.auto = 0;
        } else {
            bet.cap = cap_of(&before, left);
            self.measure(index);
        }
        let bet = self.bets[index as usize];
        self.ledger.accounts[bet.account as usize].pending += bet.returns - before.returns;
        if left != 0 {
            self.count_bet(index);
        }
        events.push(&BetCashedOut {
            bet: id,
            account: AccountId::new(bet.account, 1),
            paid: Minor(value),
            stake: Minor(taken),
            left: Minor(left),
            returns: Minor(bet.returns),
            accept: Minor(before.ask.accept),
            margin: self.rulesets[usize::from(bet.ruleset)].cash_out_margin,
            auto: u8::from(before.ask.auto),
            policy: before.ask.policy,
            zero: 0,
        });
        self.act_on_bet(index, events);
    }

    /// The evidence: the prices that undecided legs were bought back at.
    fn tell_legs_now(&self, index: u32, events: &mut Events) {
        let bet = &self.bets[index as usize];
        for (number, at) in self.legs_of(bet).enumerate() {
            let leg = &self.legs[at as usize];
            if leg.numbers.is_some() {
                continue;
            }
            if let Ok(quote) = self.bought_back_at(leg.market, leg.selection) {
                events.push(&CashOutLeg {
                    bet: bet.id(index),
                    price: quote.price,
                    version: quote.version,
                    price_age: quote.age,
                    leg: number as u8,
                    zero: [0; 7],
                });
            }
        }
    }

    /// Sells by itself as soon as the bet is worth so much.
    pub(crate) fn set_auto_cash_out(
        &mut self,
        header: &Header,
        body: &SetAutoCashOut,
        events: &mut Events,
    ) -> Decided {
        let (index, bet) = self.own_bet(header, body.bet)?;
        if bet.state != BetState::Open || bet.bonus {
            return Err(self.no(Reject::NotAllowed));
        }
        self.bets[index as usize].auto = body.value.0;
        events.push(&AutoCashOutSet {
            bet: body.bet,
            account: AccountId::new(bet.account, 1),
            value: body.value,
        });
        if body.value.0 != 0 {
            let mut at = bet.first;
            while at != NONE {
                let leg = &mut self.legs[at as usize];
                let market = &mut self.markets[leg.market as usize];
                let listed = leg.auto_listed || market.status == MarketStatus::Archiving;
                if leg.present && !listed {
                    leg.auto_listed = true;
                    leg.auto_next = market.auto_kept;
                    market.auto_kept = at;
                }
                at = leg.sibling;
            }
            let listed = self.legs_of(&bet).find(|at| self.legs[*at as usize].auto_listed);
            if let Some(at) = listed {
                self.look_at_autos(self.legs[at as usize].market);
            }
        }
        Ok(Answer::done(self.seq, body.bet.raw()))
    }

    /// The prices of a market changed: bets in it that sell themselves are looked at, in Steps.
    pub(crate) fn look_at_autos(&mut self, index: u32) {
        let market = &mut self.markets[index as usize];
        if market.auto_kept == NONE && market.auto_head == NONE {
            return;
        }
        if market.auto_queued {
            market.auto_again = true;
            return;
        }
        market.auto_queued = true;
        market.auto_head = std::mem::replace(&mut market.auto_kept, NONE);
        self.auto_queue.push_back(index);
    }

    /// Looks at bets that sell themselves, one a unit.
    pub(crate) fn sell_by_themselves(&mut self, budget: u32, events: &mut Events) -> u32 {
        let mut left = budget;
        while 0 < left {
            let Some(index) = self.auto_queue.front().copied() else { break };
            let market = &mut self.markets[index as usize];
            let at = market.auto_head;
            if at == NONE {
                self.auto_queue.pop_front();
                market.auto_queued = false;
                if std::mem::take(&mut market.auto_again) {
                    self.look_at_autos(index);
                }
                left -= 1;
                continue;
            }
            let leg = &mut self.legs[at as usize];
            market.auto_head = leg.auto_next;
            let bet = &self.bets[leg.bet as usize];
            let waits =
                bet.auto != 0 && !bet.state.is_refused() && bet.state != BetState::CashedOut;
            leg.auto_listed = waits;
            leg.auto_next = if waits { std::mem::replace(&mut market.auto_kept, at) } else { NONE };
            let (bet, legs) = (leg.bet, u32::from(bet.legs));
            if waits {
                self.try_auto(bet, events);
            }
            left = left.saturating_sub(legs.div_ceil(4).max(1));
        }
        budget - left
    }

    /// Sells a bet that sells itself, if it is worth what the customer set.
    fn try_auto(&mut self, index: u32, events: &mut Events) {
        let bet = self.bets[index as usize];
        if bet.state != BetState::Open || bet.auto == 0 {
            return;
        }
        let ask = Ask {
            take: bet.stake,
            accept: bet.auto,
            seq: self.seq,
            policy: PricePolicy::Better as u8,
            slippage: 0,
            auto: true,
        };
        if self.ledger.accounts[bet.account as usize].blocked {
            return;
        }
        let Ok(value) = self.agreed_value(&bet, &ask) else { return };
        let delay = self.cash_out_delay(&bet);
        if delay != Nanos::ZERO && self.timers_are_full() {
            return;
        }
        self.begin_cash_out(index, ask, delay);
        if delay == Nanos::ZERO {
            self.pay_cash_out(index, value, events);
        } else {
            self.tell_pending(index, value, events);
        }
    }

    /// Freezes cash-outs at a level for an owner, or takes that back.
    pub(crate) fn freeze_cash_out(&mut self, body: &FreezeCashOut, events: &mut Events) -> Decided {
        let seq = self.seq;
        let owner = Owner::from_code(body.owner).expect("checked when the command was read");
        let level = Level::from_code(body.level).expect("checked when the command was read");
        let freeze = self.freeze_level(level, body.id)?;
        if body.frozen == 1 {
            freeze.suspend(owner, seq);
        } else {
            freeze.release(owner);
        }
        let owners = freeze.owners;
        events.push(&CashOutFrozen {
            id: body.id,
            level: body.level,
            owner: body.owner,
            owners,
            frozen: body.frozen,
            zero: [0; 4],
        });
        if body.frozen == 0 && level == Level::Market {
            self.look_at_autos(MarketId::from_raw(body.id).index());
        }
        Ok(Answer::done(self.seq, body.id))
    }
}

/// So much of the cap on what a bet pays as belongs to a part of its stake.
fn cap_of(bet: &Bet, part: i64) -> i64 {
    if bet.cap == NO_CAP {
        return NO_CAP;
    }
    let whole = i128::from(bet.cap) * i128::from(part);
    // Not above the cap: the part is of the stake.
    pricing::div_round(whole, bet.stake.into(), RoundingMode::Down) as i64
}
