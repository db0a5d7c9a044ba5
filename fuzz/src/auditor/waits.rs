//! What is not yet a bet, as the rules have it: delayed, shown to a trader, offered. Its stake is in escrow; a
//! suspension after it was asked for ends it, and so does its time.

use super::place::{Bound, Moment, Slip};
use super::{Auditor, Bet, Checked, Decided, Leg, Side, and, money, rule};
use betring_core::BetState;
use betring_core::answer::{Answer, AnswerKind, Basis};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::ruleset::{RULESETS_MAX, Ruleset};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};
use betring_pricing::Money;

/// When a wait ends: what may be answered may be so up to its last moment, a delay ends at it.
pub(super) fn due(bet: &Bet) -> i64 {
    match bet.state {
        BetState::Held | BetState::Offered | BetState::Referred => bet.until.saturating_add(1),
        _ => bet.until,
    }
}

impl Auditor {
    /// Something waits from here on; that it does so takes a place until its time has come.
    pub(super) fn timer(&mut self, id: u64) {
        if let Some(bet) = self.bets.get(&id) {
            self.timers.insert((due(bet), self.seq, id));
        }
    }

    /// Time has passed: those that are due may have given their places back, or not yet.
    pub(super) fn timers_are_full(&self, refused_with: Reject) -> bool {
        let room = (self.capacities.bets as usize + 64).min(betring_core::WAITING_MAX);
        let least = self.timers.iter().filter(|(due, ..)| self.now < *due).count();
        let most = self.timers.len();
        // Between the two nobody outside can know.
        room <= least || (room <= most && self.answered_with(refused_with))
    }

    /// The bet waits; its end comes by itself, or before.
    pub(super) fn holds(
        &mut self,
        id: u64,
        state: BetState,
        why: PendingWhy,
        until: i64,
    ) -> Answer {
        let Some(bet) = self.bets.get_mut(&id) else { return self.no(Reject::BetUnknown) };
        (bet.state, bet.until) = (state, until);
        let bet = bet.clone();
        self.timer(id);
        self.told.push(Event::BetPending(BetPending {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            stake: money(bet.stake),
            returns: money(bet.returns),
            until: Timestamp(until),
            why: why as u8,
            synthetic: u8::from(bet.synthetic),
            currency: bet.currency,
            legs: bet.legs.len() as u8,
            bonus: u8::from(bet.bonus),
            zero: 0,
            ruleset: bet.ruleset as u32,
            zero2: 0,
        }));
        let seq = Seq(self.seq);
        and(Answer::pending(seq, BetId::from_raw(id), why, Timestamp(until)), |pending| {
            pending.stake = money(bet.stake);
            pending.amount = money(bet.returns);
        })
    }

    /// The bet is offered at the terms that it has.
    pub(super) fn offers(&mut self, id: u64) -> Answer {
        let Some(bet) = self.bets.get(&id) else { return self.no(Reject::OfferUnknown) };
        let until = self.now.saturating_add(self.set(bet.ruleset).offer_ttl.0);
        self.bets.entry(id).and_modify(|bet| {
            (bet.state, bet.until) = (BetState::Offered, until);
        });
        self.timer(id);
        let bet = self.bets[&id].clone();
        for (number, leg) in bet.legs.iter().enumerate() {
            self.told.push(Event::BetOffered(BetOffered {
                bet: BetId::from_raw(id),
                account: AccountId::from_raw(bet.account),
                market: MarketId::from_raw(leg.market),
                stake: money(bet.stake),
                requested: leg.requested,
                price: leg.price,
                version: PriceVersion(leg.version),
                requested_version: PriceVersion(leg.requested_version),
                price_age: Nanos(leg.price_age),
                until: Timestamp(until),
                selection: SelectionIndex(leg.selection as u16),
                currency: bet.currency,
                policy: bet.policy,
                synthetic: u8::from(bet.synthetic),
                slippage: bet.slippage,
                leg: number as u8,
                legs: bet.legs.len() as u8,
                bonus: u8::from(bet.bonus),
                places: leg.places,
                ruleset: bet.ruleset as u32,
                returns: money(bet.returns),
            }));
        }
        let first = &bet.legs[0];
        and(Answer::of(AnswerKind::Offered, Seq(self.seq)), |offered| {
            offered.id = id;
            offered.stake = money(bet.stake);
            offered.amount = money(bet.returns);
        })
        .with_price(Basis::Offer, first.price, PriceVersion(first.version))
        .with_until(Timestamp(until))
    }

    /// The offer that its own customer speaks of.
    fn own_offer(&mut self, header: &Header, id: u64, step: &str) -> Result<Bet, Answer> {
        let unknown = self.no(Reject::OfferUnknown);
        let Some(bet) = self.bets.get(&id) else { return Err(unknown) };
        if bet.account != header.account || bet.state == BetState::Archived {
            return Err(unknown);
        }
        let bet = bet.clone();
        self.hit(&bet.state.to_string(), step);
        match bet.state {
            BetState::Offered => Ok(bet),
            BetState::OfferEnded => Err(unknown),
            _ if self.is_leaving(&bet) && self.answered_with(Reject::OfferUnknown) => Err(unknown),
            _ => Err(self.no(Reject::NotAllowed)),
        }
    }

    pub(super) fn accept(&mut self, header: &Header, id: u64) -> Decided {
        let bet = self.own_offer(header, id, "accept")?;
        if self.accounts.get(&bet.account).is_some_and(|account| account.blocked) {
            return Err(self.no(Reject::AccountBlocked));
        }
        if let Some(account) = self.accounts.get(&bet.account) {
            self.excluded(account)?;
        }
        if bet.until < self.now {
            return Err(self.no(Reject::OfferExpired));
        }
        if self.suspended_since(&bet) {
            return Err(self.no(Reject::OfferWithdrawn));
        }
        for leg in &bet.legs {
            let market = self.takes_bets(MarketId::from_raw(leg.market), leg.selection)?;
            // A trader's price is no feed's.
            if leg.version != 0 {
                self.in_force(market, leg.selection)?;
            }
        }
        self.offer_is_within(&bet)?;
        let by_trader = bet.basis == Basis::Trader as u8;
        let basis = if by_trader { Basis::Trader } else { Basis::Offer };
        Ok(self.opens(header.key, id, basis))
    }

    pub(super) fn decline(&mut self, header: &Header, id: u64) -> Decided {
        self.own_offer(header, id, "decline")?;
        self.offer_ends(id, OfferEnd::Declined);
        Ok(self.done(id))
    }

    /// Whether any level of any of the bet's markets was suspended, or a market went past betting, after the
    /// bet was asked for.
    pub(super) fn suspended_since(&self, bet: &Bet) -> bool {
        let offered = bet.state == BetState::Offered;
        bet.legs.iter().any(|leg| self.leg_suspended_since(leg, bet.placed_seq, offered))
    }

    fn leg_suspended_since(&self, leg: &Leg, seq: u64, offered: bool) -> bool {
        use MarketStatus::*;
        let Some(market) = self.markets.get(&leg.market) else { return true };
        // An offer at a person's price does not hang on a feed; what binds later hangs on one, but where a
        // person's price has been in force all the while.
        let pin = market.runners[leg.selection].pin;
        let by_feed = match offered {
            true => leg.feed != 0,
            false => pin.is_none_or(|pin| seq < pin.seq),
        };
        !matches!(market.status, Defined | Open | Closed)
            || seq < self.last_suspended(market, leg.selection, by_feed)
    }

    /// What will never be a bet: its stake goes back.
    fn gives_back(&mut self, id: u64, state: BetState) -> Option<(BetState, Bet)> {
        let bet = self.bets.get_mut(&id)?;
        let from = std::mem::replace(&mut bet.state, state);
        bet.paid = bet.stake;
        let bet = bet.clone();
        let escrow = Side::House(HouseAccount::Escrow);
        self.transfer(bet.currency, escrow, bet.money_from(), bet.stake, TransferWhy::Return, id);
        Some((from, bet))
    }

    pub(super) fn offer_ends(&mut self, id: u64, why: OfferEnd) {
        let Some((_, bet)) = self.gives_back(id, BetState::OfferEnded) else { return };
        self.told.push(Event::OfferEnded(OfferEnded {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            why: why as u8,
            zero: [0; 7],
        }));
    }

    pub(super) fn rejects(&mut self, id: u64, answer: &Answer) {
        let Some((from, bet)) = self.gives_back(id, BetState::Rejected) else { return };
        self.hit(&from.to_string(), "reject");
        self.told.push(Event::BetRejected(BetRejected {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            price: answer.price,
            reject: answer.reject().map_or(0, Reject::code),
            from: from as u8,
            zero: 0,
            reason: answer.policy_reason,
        }));
    }

    /// A wait comes to its end, by time, or because its market was suspended and news are brought to it.
    ///
    /// # Errors
    /// If neither is so.
    pub(super) fn wait_ends(&mut self, id: u64) -> Checked {
        let Some(bet) = self.bets.get(&id).cloned() else {
            return Err(format!("bet {id:#x} is none"));
        };
        rule(bet.state.waits(), || format!("{bet:?} does not wait"))?;
        if bet.state == BetState::Held {
            return self.hold_is_over(id, &bet);
        }
        let suspended = self.suspended_since(&bet);
        let is_due = due(&bet) <= self.now;
        let by_news = suspended && bet.legs.iter().any(|leg| self.has_job(leg.market));
        rule(is_due || by_news, || format!("{bet:?} is not over yet"))?;
        if is_due && !by_news {
            self.timers_went(&bet);
        }
        match (bet.state, suspended) {
            (BetState::Offered, _) => {
                self.hit("Offered", "end offer");
                let why = if suspended { OfferEnd::Withdrawn } else { OfferEnd::Expired };
                self.offer_ends(id, why);
            }
            (_, true) => self.rejects(id, &self.no(Reject::MarketSuspended)),
            (BetState::Referred, false) => self.rejects(id, &self.no(Reject::ReferralTimedOut)),
            (_, false) => self.decides_again(id, &bet),
        }
        Ok(())
    }

    /// Whatever was due before a bet has had its turn.
    pub(super) fn timers_went(&mut self, bet: &Bet) {
        let before = (due(bet), 0, 0);
        self.timers = self.timers.split_off(&before);
    }

    /// What was asked for, as it stands in the bet.
    pub(super) fn slip_of(&self, bet: &Bet, given: &[WirePrice]) -> Slip {
        let mut wanted: Vec<_> = bet.legs.iter().map(|leg| leg.as_asked().0).collect();
        for (wanted, given) in wanted.iter_mut().zip(given) {
            wanted.given = *given;
        }
        Slip {
            stake: bet.stake,
            unit: bet.unit,
            lines: bet.lines,
            policy: PricePolicy::from_code(bet.policy).unwrap_or(PricePolicy::Exact),
            slippage: bet.slippage,
            floor: bet.floor,
            bonus: bet.bonus,
            synthetic: bet.synthetic,
            single: bet.single,
            wanted,
        }
    }

    pub(super) fn fits(&self, bet: &Bet, bound: &Bound) -> Result<(), Answer> {
        let more = (bound.returns - bet.returns).max(0);
        if self.has_room_for(bet.account, more) {
            Ok(())
        } else {
            Err(self.no(Reject::BalanceLimit))
        }
    }

    /// The delay has passed: all gates again.
    fn decides_again(&mut self, id: u64, bet: &Bet) {
        let slip = self.slip_of(bet, &[]);
        let bound = self.gates(bet.account, &slip, bet.ruleset, Moment::Again);
        let bound = bound.and_then(|bound| self.fits(bet, &bound).map(|()| bound));
        match bound {
            Err(no) => self.rejects(id, &no),
            Ok(bound) => {
                self.rebinds(id, &bound);
                if bound.agreed {
                    self.hit("Delayed", "accept");
                    self.opens(bet.key, id, Basis::InForce);
                } else {
                    self.hit("Delayed", "offer");
                    self.offers(id);
                }
            }
        }
    }

    /// The bet gets the terms that were found; what is not risked any more goes back.
    pub(super) fn rebinds(&mut self, id: u64, bound: &Bound) {
        let Some(bet) = self.bets.get(&id) else { return };
        let (back, currency, to) = (bet.stake - bound.stake, bet.currency, bet.money_from());
        self.binds(id, bound);
        if 0 < back {
            let escrow = Side::House(HouseAccount::Escrow);
            self.transfer(currency, escrow, to, back, TransferWhy::Return, id);
        }
    }

    pub(super) fn binds(&mut self, id: u64, bound: &Bound) {
        let Some(bet) = self.bets.get_mut(&id) else { return };
        for (leg, terms) in bet.legs.iter_mut().zip(&bound.terms) {
            (leg.price, leg.settles_at, leg.version) = (terms.price, terms.price, terms.version);
            (leg.price_age, leg.places, leg.part) = (terms.age, terms.places, terms.part);
            (leg.reach, leg.feed) = (terms.reach, terms.feed);
        }
        (bet.stake, bet.returns, bet.cap) = (bound.stake, bound.returns, bound.cap);
    }

    pub(super) fn answer_referral(
        &mut self,
        body: &AnswerReferral,
        prices: Entries<'_, PriceEntry>,
    ) -> Decided {
        let id = body.bet.raw();
        let bet = self.known_bet(id)?;
        let answer = ReferralAnswer::from_code(body.answer);
        let step = match answer {
            Some(ReferralAnswer::Accept) => "trader accepts",
            Some(ReferralAnswer::Counter) => "trader counters",
            Some(ReferralAnswer::Decline) | None => "trader declines",
        };
        self.hit(&bet.state.to_string(), step);
        if bet.state != BetState::Referred {
            return Err(self.no(Reject::NotAllowed));
        }
        if answer == Some(ReferralAnswer::Decline) {
            let no = and(self.no(Reject::ReferralDeclined), |no| no.policy_reason = body.reason);
            self.rejects(id, &no);
            return Ok(self.done(id));
        }
        if bet.until < self.now {
            return Err(self.no(Reject::OfferExpired));
        }
        if self.suspended_since(&bet) {
            return Err(self.no(Reject::OfferWithdrawn));
        }
        let given: Vec<WirePrice> = prices.iter().map(|entry| entry.price).collect();
        if !given.is_empty() && given.len() != bet.legs.len() {
            return Err(self.no(Reject::SelectionUnknown));
        }
        let mut slip = self.slip_of(&bet, &given);
        if body.stake.0 != 0 {
            if slip.stake < i128::from(body.stake.0) {
                let no = self.no(Reject::StakeTooLarge);
                return Err(and(no, |no| no.amount = money(bet.stake)));
            }
            slip.stake = i128::from(body.stake.0);
        }
        let by_trader = given.iter().any(|price| !price.is_none());
        let takes_it = slip.wanted.iter().all(|wanted| {
            wanted.given.is_none()
                || super::place::takes(slip.policy, wanted.price, wanted.given, slip.slippage)
        });
        let counter = answer == Some(ReferralAnswer::Counter) || !takes_it;
        if counter {
            // The customer is asked, and bound to nothing.
            (slip.policy, slip.floor) = (PricePolicy::Any, 0);
        }
        let bound = self.gates(bet.account, &slip, bet.ruleset, Moment::Trader)?;
        self.fits(&bet, &bound)?;
        if counter && self.timers_are_full(Reject::TooManyPending) {
            return Err(self.no(Reject::TooManyPending));
        }
        self.rebinds(id, &bound);
        if counter {
            let basis = if by_trader { Basis::Trader as u8 } else { 0 };
            self.bets.entry(id).and_modify(|bet| bet.basis = basis);
            self.offers(id);
        } else {
            let basis = if by_trader { Basis::Trader } else { Basis::InForce };
            self.opens(bet.key, id, basis);
        }
        Ok(self.done(id))
    }

    pub(super) fn set_in_play(&mut self, body: &SetInPlay) -> Decided {
        use MarketStatus::*;
        let Some(market) = self.markets.get_mut(&body.market.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let trades = market.exchange && market.job.is_some();
        if !matches!(market.status, Defined | Open | Closed) || trades {
            return Err(self.no(Reject::NotAllowed));
        }
        let (market, delay, in_play) = (body.market, body.delay, body.in_play);
        self.told.push(Event::InPlayChanged(InPlayChanged {
            market,
            delay,
            in_play,
            zero: [0; 7],
        }));
        self.turns_in_play(body);
        self.markets.entry(body.market.raw()).and_modify(|market| {
            (market.in_play, market.delay) = (body.in_play == 1, body.delay.0);
        });
        Ok(self.done(body.market.raw()))
    }

    pub(super) fn publish_rules(&mut self, set: Ruleset) -> Decided {
        if self.rulesets.len() == RULESETS_MAX {
            return Err(self.no(Reject::Full));
        }
        let ruleset = self.rulesets.len() as u32;
        self.rulesets.push(set);
        self.told.push(Event::RulesPublished(RulesPublished { ruleset, zero: 0 }));
        Ok(self.done(u64::from(ruleset)))
    }

    pub(super) fn adjust(&mut self, body: &Adjust) -> Decided {
        let id = body.account.raw();
        let Some(account) = self.accounts.get(&id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let (amount, most) = (i128::from(body.amount.0), i128::from(Money::MAX.minor()));
        let good = if 0 < amount {
            self.has_room_for(id, amount)
        } else {
            -most <= account.balance + amount
        };
        if !good {
            return Err(self.no(Reject::BalanceLimit));
        }
        let (currency, house) = (account.currency, Side::House(HouseAccount::House));
        let (why, bet) = (TransferWhy::Adjust, body.bet.raw());
        if 0 < amount {
            self.transfer(currency, house, Side::Customer(id), amount, why, bet);
        } else {
            self.transfer(currency, Side::Debtor(id), house, -amount, why, bet);
        }
        Ok(and(self.done(id), |done| done.amount = Minor(body.amount.0)))
    }

    pub(super) fn grant_bonus(&mut self, body: &GrantBonus) -> Decided {
        let id = body.account.raw();
        let Some(account) = self.accounts.get(&id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let (amount, most) = (i128::from(body.amount.0), i128::from(Money::MAX.minor()));
        if most < account.bonus + amount {
            return Err(self.no(Reject::BalanceLimit));
        }
        if account.bonus + amount < 0 {
            return Err(self.no(Reject::FundsInsufficient));
        }
        let (currency, given) = (account.currency, Side::House(HouseAccount::Promotions));
        let (own, why) = (Side::Bonus(id), TransferWhy::Bonus);
        if 0 < amount {
            self.transfer(currency, given, own, amount, why, 0);
        } else {
            self.transfer(currency, own, given, -amount, why, 0);
        }
        Ok(and(self.done(id), |done| done.amount = Minor(body.amount.0)))
    }
}
