//! Selling a bet back, as the rules have it: at what it is worth at the prices in force, and not at all on any
//! doubt.

use super::lines::{ALL_ODDS, Ratio, Rounded};
use super::prices::stricter;
use super::{Ask, Auditor, Bet, Checked, Decided, Side, and, money, rule};
use betring_core::BetState;
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::Header;

impl Auditor {
    /// What so much of a bet's stake is worth now.
    pub(super) fn value(&self, bet: &Bet, take: i128) -> Result<i128, Answer> {
        let frozen = self.no(Reject::CashOutFrozen);
        if !bet.state.stands() || bet.bonus || bet.cancelled {
            return Err(frozen);
        }
        let (mut win, mut place) = (Vec::new(), Vec::new());
        let each_way = bet.lines.each_way != betring_pricing::EachWay::No;
        for leg in &bet.legs {
            let market = self.markets.get(&leg.market).filter(|_| !leg.gone);
            if let Some(market) = market
                && market.job.is_some()
            {
                // While it leaves memory nobody outside can say whether this leg has left.
                let leaving = market.status == MarketStatus::Archiving;
                if !leaving || self.answered_with(Reject::CashOutFrozen) {
                    return Err(frozen);
                }
            }
            let part = if each_way { leg.part } else { ALL_ODDS };
            let (of_win, of_place) = match leg.known {
                Some(numbers) => (
                    Ratio::decided(leg.settles_at, ALL_ODDS, &numbers, false),
                    Ratio::decided(leg.settles_at, part, &numbers, each_way),
                ),
                None => {
                    let id = MarketId::from_raw(leg.market);
                    let market = self.takes_bets(id, leg.selection).map_err(|_| frozen)?;
                    // The odds now are those of a field that a withdrawn rival is not in.
                    if self.deduction(bet, market, 0) != 0 {
                        return Err(frozen);
                    }
                    if self.is_frozen(market) {
                        return Err(frozen);
                    }
                    let pinned = market.runners[leg.selection].pin.is_some();
                    // What bets may still be placed on for a while buys nothing back.
                    if !pinned && self.has_drifted(market, 0) {
                        return Err(frozen);
                    }
                    let in_force = self.in_force(market, leg.selection);
                    let shown = in_force.map_err(|_| frozen)?;
                    let ages = !pinned && (market.feed != 0 || market.age_bound != 0);
                    let own = if ages { self.set(bet.ruleset).cash_out_age.0 } else { 0 };
                    let bound = stricter(own, self.tier(market).cash_out_age.0);
                    if bound != 0 && bound < shown.age {
                        return Err(frozen);
                    }
                    let now = shown.sent;
                    (
                        Ratio::worth(leg.settles_at, now, ALL_ODDS),
                        Ratio::worth(leg.settles_at, now, part),
                    )
                }
            };
            win.push(of_win);
            place.push(of_place);
        }
        let keep = 1_000_000 - self.set(bet.ruleset).cash_out_margin;
        let down = Rounded { mode: betring_pricing::RoundingMode::Down, by_line: false };
        let value = bet.lines.returns(take, &win, &place, keep, down);
        // A part of the stake has its part of the cap.
        let value = value.map(|v| bet.cap.map_or(v, |cap| v.min(cap * take / bet.stake)));
        value.filter(|value| 0 < *value).ok_or(frozen)
    }

    /// The value, if the customer takes that.
    fn agreed(&self, bet: &Bet, ask: &Ask) -> Result<i128, Answer> {
        let value = self.value(bet, ask.take)?;
        let good = match PricePolicy::from_code(ask.policy) {
            Some(PricePolicy::Exact) | None => value == ask.accept,
            Some(PricePolicy::Better) => ask.accept <= value,
            Some(PricePolicy::Within) => {
                ask.accept * (10_000 - i128::from(ask.slippage)) <= value * 10_000
            }
            Some(PricePolicy::Any) => true,
        };
        if good {
            return Ok(value);
        }
        Err(and(self.no(Reject::CashOutMoved), |no| no.amount = money(value)))
    }

    /// The longest delay of the markets that still decide it.
    fn delay_of_sale(&self, bet: &Bet) -> i64 {
        let open = bet.legs.iter().filter(|leg| leg.known.is_none());
        let delays = open.filter_map(|leg| self.markets.get(&leg.market)).map(|m| m.delay);
        delays.max().unwrap_or(0)
    }

    fn own_bet(&self, header: &Header, id: BetId) -> Result<Bet, Answer> {
        let bet = self.known_bet(id.raw())?;
        if bet.account == header.account { Ok(bet) } else { Err(self.no(Reject::BetUnknown)) }
    }

    pub(super) fn cash_out(&mut self, header: &Header, body: &CashOut) -> Decided {
        let id = body.bet.raw();
        let bet = self.own_bet(header, body.bet)?;
        self.hit(&bet.state.to_string(), "cash out");
        if self.accounts.get(&bet.account).is_some_and(|account| account.blocked) {
            return Err(self.no(Reject::AccountBlocked));
        }
        if bet.state != BetState::Open {
            return Err(self.no(Reject::NotAllowed));
        }
        let take = if body.take.0 == 0 { bet.stake } else { i128::from(body.take.0) };
        if bet.stake < take {
            return Err(and(self.no(Reject::StakeTooLarge), |no| no.amount = money(bet.stake)));
        }
        let ask = Ask {
            take,
            accept: i128::from(body.accept.0),
            seq: self.seq,
            policy: body.policy,
            slippage: body.slippage,
            auto: false,
        };
        let value = self.agreed(&bet, &ask)?;
        let delay = self.delay_of_sale(&bet);
        if delay != 0 && self.timers_are_full(Reject::TooManyPending) {
            return Err(self.no(Reject::TooManyPending));
        }
        self.sells(id, ask, value, delay);
        let (seq, until) = (Seq(self.seq), Timestamp(self.now.saturating_add(delay)));
        let answer = match delay {
            0 => self.done(id),
            _ => Answer::pending(seq, body.bet, PendingWhy::CashOut, until),
        };
        Ok(and(answer, |answer| {
            answer.stake = money(take);
            answer.amount = money(value);
        }))
    }

    /// It is sold at once, or waits for the end of the delay.
    fn sells(&mut self, id: u64, ask: Ask, value: i128, delay: i64) {
        let until = self.now.saturating_add(delay);
        self.bets.entry(id).and_modify(|bet| {
            (bet.state, bet.ask, bet.until) = (BetState::CashingOut, Some(ask), until);
        });
        if delay == 0 {
            return self.pays(id, value);
        }
        self.timer(id);
        let account = AccountId::from_raw(self.bets[&id].account);
        self.told.push(Event::CashOutPending(CashOutPending {
            bet: BetId::from_raw(id),
            account,
            take: money(ask.take),
            value: money(value),
            until: Timestamp(until),
        }));
    }

    fn pays(&mut self, id: u64, value: i128) {
        let Some(bet) = self.bets.get(&id).cloned() else { return };
        let Some(ask) = bet.ask else { return };
        for (number, leg) in bet.legs.iter().enumerate().filter(|(_, leg)| leg.known.is_none()) {
            let market = self.markets.get(&leg.market);
            let quote = market.and_then(|market| self.in_force(market, leg.selection).ok());
            if let Some(shown) = quote {
                self.told.push(Event::CashOutLeg(CashOutLeg {
                    bet: BetId::from_raw(id),
                    price: shown.sent,
                    version: PriceVersion(shown.version),
                    price_age: Nanos(shown.age),
                    leg: number as u8,
                    zero: [0; 7],
                }));
            }
        }
        let (escrow, house) = (Side::House(HouseAccount::Escrow), Side::House(HouseAccount::House));
        let customer = Side::Customer(bet.account);
        self.transfer(bet.currency, escrow, house, ask.take, TransferWhy::Take, id);
        self.transfer(bet.currency, house, customer, value, TransferWhy::CashOut, id);
        let left = bet.stake - ask.take;
        let mut after = Bet { stake: left, ask: None, cashed: bet.cashed + value, ..bet.clone() };
        if left == 0 {
            (after.state, after.returns, after.auto) = (BetState::CashedOut, 0, 0);
            self.hit("CashingOut", "sold");
        } else {
            after.state = BetState::Open;
            after.cap = bet.cap.map(|cap| cap * left / bet.stake);
            after = self.measured(&after);
            self.hit("CashingOut", "keep open");
        }
        let returns = after.returns;
        self.bets.insert(id, after);
        self.told.push(Event::BetCashedOut(BetCashedOut {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            paid: money(value),
            stake: money(ask.take),
            left: money(left),
            returns: money(returns),
            accept: money(ask.accept),
            margin: self.set(bet.ruleset).cash_out_margin,
            auto: u8::from(ask.auto),
            policy: ask.policy,
            zero: 0,
        }));
        self.judges_legs(id);
    }

    fn fails(&mut self, id: u64, answer: &Answer) {
        let Some(bet) = self.bets.get_mut(&id) else { return };
        let auto = bet.ask.is_some_and(|ask| ask.auto);
        (bet.state, bet.ask) = (BetState::Open, None);
        if auto {
            bet.auto = 0;
        }
        let account = AccountId::from_raw(bet.account);
        self.hit("CashingOut", "keep open");
        self.told.push(Event::CashOutFailed(CashOutFailed {
            bet: BetId::from_raw(id),
            account,
            value: answer.amount,
            reject: answer.reject().map_or(0, Reject::code),
            auto: u8::from(auto),
            zero: [0; 6],
        }));
    }

    /// A cash-out that waits comes to its end: by its time, or because news come between.
    ///
    /// # Errors
    /// If neither is so.
    pub(super) fn sale_ends(&mut self, id: u64) -> Checked {
        let Some(bet) = self.bets.get(&id).cloned() else {
            return Err(format!("bet {id:#x} is none"));
        };
        let Some(ask) = bet.ask.filter(|_| bet.state == BetState::CashingOut) else {
            return Err(format!("{bet:?} is not being sold"));
        };
        let is_due = bet.until <= self.now;
        let by_news = bet.legs.iter().any(|leg| !leg.gone && self.has_job(leg.market));
        rule(is_due || by_news, || format!("{bet:?} is not to be sold yet"))?;
        let suspended =
            bet.legs.iter().any(|leg| leg.known.is_none() && self.sale_suspended(leg, ask.seq));
        if suspended || !is_due {
            self.fails(id, &self.no(Reject::CashOutFrozen));
            return Ok(());
        }
        match self.agreed(&bet, &ask) {
            Ok(value) => self.pays(id, value),
            Err(no) => self.fails(id, &no),
        }
        Ok(())
    }

    /// Whether a leg was suspended after its sale was asked for. One that was sold at a trader's price does not
    /// hang on a feed, as long as that price is pinned.
    fn sale_suspended(&self, leg: &super::Leg, seq: u64) -> bool {
        use MarketStatus::*;
        let Some(market) = self.markets.get(&leg.market) else { return true };
        let pin = market.runners[leg.selection].pin;
        let by_feed = pin.is_none_or(|pin| seq < pin.seq);
        !matches!(market.status, Defined | Open | Closed)
            || seq < self.last_suspended(market, leg.selection, by_feed)
    }

    /// A bet sells itself, as its customer has set.
    ///
    /// # Errors
    /// If it may not be sold, or not for so much.
    pub(super) fn sells_itself(&mut self, id: u64) -> Checked {
        let Some(bet) = self.bets.get(&id).cloned() else {
            return Err(format!("bet {id:#x} is none"));
        };
        let wanted = bet.state == BetState::Open && bet.auto != 0;
        rule(wanted, || format!("nobody wants {bet:?} to be sold"))?;
        let blocked = self.accounts.get(&bet.account).is_some_and(|account| account.blocked);
        rule(!blocked, || format!("{bet:?} was sold, and its account is blocked"))?;
        let ask = Ask {
            take: bet.stake,
            accept: bet.auto,
            seq: self.seq,
            policy: PricePolicy::Better as u8,
            slippage: 0,
            auto: true,
        };
        let value = self
            .agreed(&bet, &ask)
            .map_err(|no| format!("{bet:?} was sold, and the rules say {no}"))?;
        let delay = self.delay_of_sale(&bet);
        self.hit("Open", "cash out");
        self.sells(id, ask, value, delay);
        Ok(())
    }

    pub(super) fn set_auto(&mut self, header: &Header, body: &SetAutoCashOut) -> Decided {
        let id = body.bet.raw();
        let bet = self.own_bet(header, body.bet)?;
        if bet.state != BetState::Open || bet.bonus {
            return Err(self.no(Reject::NotAllowed));
        }
        self.bets.entry(id).and_modify(|bet| bet.auto = i128::from(body.value.0));
        let (bet_id, value) = (body.bet, body.value);
        let account = AccountId::from_raw(bet.account);
        let set = AutoCashOutSet { bet: bet_id, account, value };
        self.told.push(Event::AutoCashOutSet(set));
        Ok(self.done(id))
    }
}
