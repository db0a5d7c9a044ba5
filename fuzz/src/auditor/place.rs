//! Bets as the rules have them: gates in their order, what a price is worth and how old it is, offers.

use super::{Auditor, Bet, Checked, Decided, Market, Runner, Side, and, money, rule};
use betring_core::BetState;
use betring_core::LOGIC_VERSION;
use betring_core::answer::{Answer, AnswerKind, Basis};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};
use betring_pricing::{RoundingMode, Stake};

/// Profit and stake of a price: what is won for how much. As exact as the source was.
fn odds(price: WirePrice) -> (i128, i128) {
    if price.den == 0 {
        (i128::from(price.e4) - 10_000, 10_000)
    } else {
        (i128::from(price.num), i128::from(price.den))
    }
}

/// What a stake returns at a price, stake included: the exact fraction, rounded once.
pub(super) fn returns(stake: i128, price: WirePrice, mode: RoundingMode) -> i128 {
    let (profit, per) = odds(price);
    let exact = stake * (profit + per);
    let (whole, rest) = (exact.div_euclid(per), exact.rem_euclid(per));
    let up = match mode {
        RoundingMode::Down => false,
        RoundingMode::Up => rest != 0,
        RoundingMode::HalfUp => per <= 2 * rest,
        RoundingMode::HalfEven => per < 2 * rest || (per == 2 * rest && whole % 2 == 1),
    };
    whole + i128::from(up)
}

/// Whether a customer who asked for one price takes another.
fn takes(policy: PricePolicy, asked: WirePrice, now: WirePrice, slippage: u16) -> bool {
    if policy == PricePolicy::Any {
        return true;
    }
    let (a, n) = (i128::from(asked.e4), i128::from(now.e4));
    // By what they pay, exactly: a fraction is not the decimal that it is rounded to.
    let ((profit_a, per_a), (profit_n, per_n)) = (odds(asked), odds(now));
    match policy {
        PricePolicy::Any => true,
        PricePolicy::Exact => profit_n * per_a == profit_a * per_n,
        PricePolicy::Better => profit_n * per_a >= profit_a * per_n,
        // Lower by at most so many ten-thousandths of what was asked for.
        PricePolicy::Within => (a - n) * 10_000 <= a * i128::from(slippage),
    }
}

impl Auditor {
    fn rounding(&self) -> RoundingMode {
        self.genesis.and_then(|genesis| rounding_mode(genesis.rounding)).unwrap_or_default()
    }

    fn levels<'a>(&'a self, market: &'a Market) -> Vec<&'a super::Suspended> {
        let mut levels = vec![
            &self.everything,
            &self.feeds[usize::from(market.feed)].suspended,
            &market.suspended,
        ];
        levels.extend(self.fixtures.get(&market.fixture).map(|fixture| &fixture.suspended));
        levels
    }

    pub(super) fn is_suspended(&self, market: &Market) -> bool {
        self.levels(market).iter().any(|level| !level.owners.is_empty())
    }

    pub(super) fn feed_is_up(&self, feed: u16) -> bool {
        let known = &self.feeds[usize::from(feed)];
        let silent = feed != 0
            && known.heard.is_none_or(|heard| {
                i128::from(known.silence_bound) < i128::from(self.now) - i128::from(heard)
            });
        known.up && !silent
    }

    /// Now minus the last confirmation: an update, or a heartbeat of the feed with nothing missed since.
    pub(super) fn age(&self, market: &Market, runner: &Runner) -> i64 {
        let feed = &self.feeds[usize::from(market.feed)];
        let confirmed = if runner.as_of != 0 {
            // A derived price is as old as its oldest input; nothing refreshes that.
            runner.as_of
        } else {
            let nothing_missed = runner.generation == feed.generation;
            let heartbeat = feed.heartbeat.filter(|_| nothing_missed).unwrap_or(runner.received);
            runner.received.max(heartbeat)
        };
        self.now.saturating_sub(confirmed).max(0)
    }

    /// Whether a market and a selection take bets.
    fn takes_bets(&self, id: MarketId, selection: usize) -> Result<&Market, Answer> {
        let Some(market) = self.markets.get(&id.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let Some(runner) = market.runners.get(selection) else {
            return Err(self.no(Reject::SelectionUnknown));
        };
        let waits = market.feed == 0 && market.opened_in != self.epoch;
        match market.status {
            MarketStatus::Defined => return Err(self.no(Reject::MarketNotOpen)),
            MarketStatus::Open if waits => return Err(self.no(Reject::MarketNotOpen)),
            MarketStatus::Open => (),
            _ => return Err(self.no(Reject::MarketClosed)),
        }
        if self.is_suspended(market) {
            return Err(self.no(Reject::MarketSuspended));
        }
        if runner.out {
            return Err(self.no(Reject::SelectionWithdrawn));
        }
        if !self.feed_is_up(market.feed) {
            return Err(self.no(Reject::FeedDown));
        }
        Ok(market)
    }

    /// The price in force and its age, if it may be bet on.
    fn in_force(&self, market: &Market, selection: usize) -> Result<(Runner, i64), Answer> {
        let runner = &market.runners[selection];
        if runner.price.is_none() {
            return Err(self.no(Reject::NoPrice));
        }
        let age = self.age(market, runner);
        let stale = |age| self.no(Reject::StalePrice).with_age(Nanos(age));
        if market.age_bound != 0 && market.age_bound < age {
            return Err(stale(age));
        }
        let delay_bound = self.feeds[usize::from(market.feed)].delay_bound;
        if delay_bound != 0 && delay_bound < runner.delay {
            return Err(stale(runner.delay));
        }
        Ok((runner.clone(), age))
    }

    fn limits_for(&self, market: &Market, currency: u16) -> Limits {
        let first = self.genesis.map(|genesis| genesis.limits).unwrap_or_default();
        let of_currency = self.currency_limits.get(&currency).copied().unwrap_or(first);
        market.limits.get(&currency).copied().unwrap_or(of_currency)
    }

    /// From all open bets of a market in a currency: what is staked, and what each selection returns.
    /// Bets on what is out are void: their stakes go back whatever happens.
    pub(super) fn liability(&self, id: u64, currency: u16) -> (i128, Vec<i128>) {
        let runners = self.markets.get(&id).map_or(&[][..], |market| &market.runners);
        let mut returns = vec![0; runners.len()];
        let mut staked = 0;
        for bet in self.bets.values() {
            let counts =
                bet.market == id && bet.currency == currency && bet.state == BetState::Open;
            if counts && !runners[bet.selection].out {
                staked += bet.stake;
                returns[bet.selection] += bet.returns;
            }
        }
        (staked, returns)
    }

    /// What is lost when the dearest selections win, as many as can.
    pub(super) fn worst(&self, market: &Market, staked: i128, returns: &[i128]) -> i128 {
        let mut dearest = returns.to_vec();
        dearest.sort_unstable();
        let paid: i128 = dearest.iter().rev().take(market.winners).sum();
        paid - staked
    }

    fn within_liability(
        &self,
        id: MarketId,
        selection: usize,
        currency: u16,
        stake: i128,
        price: WirePrice,
        limit: i64,
    ) -> Result<(), Answer> {
        let Some(market) = self.markets.get(&id.raw()) else { return Ok(()) };
        let (staked, all) = self.liability(id.raw(), currency);
        // A bet is judged on what it changes: one that makes nothing worse passes.
        let allowed = self.worst(market, staked, &all).max(i128::from(limit));
        let mode = self.rounding();
        let fits = |stake: i128| {
            let mut with = all.clone();
            with[selection] += returns(stake, price, mode);
            self.worst(market, staked + stake, &with) <= allowed
        };
        if fits(stake) {
            return Ok(());
        }
        // The largest stake that would have fit.
        let (mut fit, mut not) = (0, i128::from(Stake::MAX.minor()) + 1);
        while fit + 1 < not {
            let middle = (fit + not) / 2;
            if fits(middle) { fit = middle } else { not = middle }
        }
        Err(and(self.no(Reject::LiabilityLimit), |no| no.amount = money(fit)))
    }

    pub(super) fn place(
        &mut self,
        header: &Header,
        body: &Place,
        given: u64,
        answered: Option<Answer>,
    ) -> Checked<Decided> {
        let decided = self.gates(header, body, answered);
        let Bound { stake, returns, price, age, offers, currency } = match decided {
            Ok(bound) => bound,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.fresh('B', given)?;
        let ttl = self.genesis.map_or(0, |genesis| genesis.offer_ttl.0);
        let bet = Bet {
            account: header.account,
            market: body.market.raw(),
            selection: usize::from(body.selection.0),
            currency,
            stake,
            returns,
            price: price.price,
            version: price.version,
            price_age: age,
            requested: body.price,
            requested_version: body.version.0,
            policy: body.policy,
            slippage: body.slippage,
            synthetic: header.flags & Header::SYNTHETIC != 0,
            placed_seq: self.seq,
            placed_at: self.now,
            until: if offers { self.now.saturating_add(ttl) } else { 0 },
            state: BetState::Offered,
            paid: 0,
        };
        let (customer, escrow) =
            (Side::Customer(header.account), Side::House(HouseAccount::Escrow));
        self.transfer(currency, customer, escrow, stake, TransferWhy::Stake, given);
        self.bets.insert(given, bet.clone());
        let step = if offers { "offer" } else { "place" };
        self.hit("-", step);
        if !offers {
            return Ok(Ok(self.opens(header, given, Basis::InForce)));
        }
        self.told.push(Event::BetOffered(BetOffered {
            bet: BetId::from_raw(given),
            account: AccountId::from_raw(bet.account),
            market: body.market,
            stake: money(stake),
            requested: bet.requested,
            price: bet.price,
            version: PriceVersion(bet.version),
            requested_version: body.version,
            price_age: Nanos(age),
            until: Timestamp(bet.until),
            selection: body.selection,
            currency,
            policy: bet.policy,
            synthetic: u8::from(bet.synthetic),
            slippage: bet.slippage,
        }));
        Ok(Ok(and(Answer::of(AnswerKind::Offered, Seq(self.seq)), |offered| {
            offered.id = given;
            offered.stake = money(stake);
            offered.amount = money(returns);
        })
        .with_price(Basis::Offer, bet.price, PriceVersion(bet.version))
        .with_until(Timestamp(bet.until))))
    }

    /// Every gate in its order: the first that says no is the answer.
    fn gates(
        &self,
        header: &Header,
        body: &Place,
        answered: Option<Answer>,
    ) -> Result<Bound, Answer> {
        let selection = usize::from(body.selection.0);
        let refused = answered.filter(|a| a.kind() == AnswerKind::Refused);
        // An operator's own rule may refuse at any gate behind the account's, with its reason.
        let by_policy = |answer: Answer| match refused {
            Some(said) if self.own_rules && said.reject() == Some(Reject::Policy) => {
                and(self.no(Reject::Policy), |no| no.policy_reason = said.policy_reason)
            }
            _ => answer,
        };
        let account = self.accounts.get(&header.account);
        let account = account.ok_or_else(|| self.no(Reject::AccountUnknown))?;
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        let market = self.takes_bets(body.market, selection).map_err(by_policy)?;
        let (price, age) = self.in_force(market, selection).map_err(by_policy)?;

        let policy = PricePolicy::from_code(body.policy).unwrap_or(PricePolicy::Exact);
        let agrees = takes(policy, body.price, price.price, body.slippage);
        let house_offers =
            self.genesis.is_some_and(|g| g.price_failure == PriceFailure::Offer as u8);
        if !agrees && !house_offers {
            return Err(by_policy(and(self.no(Reject::PriceMoved), |no| {
                no.price = price.price;
                no.version = PriceVersion(price.version);
            })));
        }
        let mut stake = i128::from(body.stake.0);
        if self.own_rules {
            match answered {
                Some(said) if said.reject() == Some(Reject::Policy) => {
                    return Err(by_policy(said));
                }
                // A rule may have reduced the stake: what was taken says so.
                Some(said) if said.kind() != AnswerKind::Refused => {
                    stake = stake.min(i128::from(said.stake.0));
                }
                // Of a stake that was reduced and still refused nobody outside knows.
                Some(said)
                    if matches!(
                        said.reject(),
                        Some(
                            Reject::StakeTooSmall
                                | Reject::StakeTooLarge
                                | Reject::PayoutLimit
                                | Reject::LiabilityLimit
                                | Reject::FundsInsufficient
                        )
                    ) =>
                {
                    return Err(said);
                }
                _ => (),
            }
        }
        let limits = self.limits_for(market, account.currency);
        let with = |amount: Minor, reject| and(self.no(reject), |no| no.amount = amount);
        if stake < i128::from(limits.min_stake.0) {
            return Err(with(limits.min_stake, Reject::StakeTooSmall));
        }
        if i128::from(limits.max_stake.0) < stake {
            return Err(with(limits.max_stake, Reject::StakeTooLarge));
        }
        let would_return = returns(stake, price.price, self.rounding());
        if i128::from(limits.max_payout.0) < would_return {
            // The largest whose exact return is within the cap, so that it is in every rounding.
            let (profit, per) = odds(price.price);
            let most = i128::from(limits.max_payout.0) * per / (profit + per);
            let most = most.min(i128::from(Stake::MAX.minor()));
            return Err(with(money(most), Reject::PayoutLimit));
        }
        let (currency, cap) = (account.currency, limits.max_liability.0);
        self.within_liability(body.market, selection, currency, stake, price.price, cap)?;
        if account.balance < stake {
            return Err(self.no(Reject::FundsInsufficient));
        }
        if !self.has_room_for(header.account, would_return) {
            return Err(self.no(Reject::BalanceLimit));
        }
        Ok(Bound { stake, returns: would_return, price, age, offers: !agrees, currency })
    }

    /// An offer or a fresh bet becomes open: its liability counts from here.
    fn opens(&mut self, header: &Header, id: u64, basis: Basis) -> Answer {
        let Some(bet) = self.bets.get_mut(&id) else { return self.no(Reject::OfferUnknown) };
        bet.state = BetState::Open;
        let bet = bet.clone();
        let (staked, all) = self.liability(bet.market, bet.currency);
        let market = self.markets.get(&bet.market);
        let worst = market.map_or(0, |market| self.worst(market, staked, &all));
        self.told.push(Event::BetOpened(BetOpened {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            market: MarketId::from_raw(bet.market),
            stake: money(bet.stake),
            returns: money(bet.returns),
            requested: bet.requested,
            requested_version: PriceVersion(bet.requested_version),
            price: bet.price,
            version: PriceVersion(bet.version),
            price_age: Nanos(bet.price_age),
            placed_at: Timestamp(bet.placed_at),
            placed_seq: Seq(bet.placed_seq),
            feed: FeedId(market.map_or(0, |market| market.feed)),
            selection: SelectionIndex(bet.selection as u16),
            currency: bet.currency,
            slippage: bet.slippage,
            policy: bet.policy,
            basis: basis as u8,
            synthetic: u8::from(bet.synthetic),
            zero: [0; 5],
            rules_version: self.rules_version,
            logic_version: LOGIC_VERSION,
            market_worst: money(worst),
            key: header.key,
        }));
        and(Answer::of(AnswerKind::Accepted, Seq(self.seq)), |accepted| {
            accepted.id = id;
            accepted.stake = money(bet.stake);
            accepted.amount = money(bet.returns);
        })
        .with_price(basis, bet.price, PriceVersion(bet.version))
        .with_age(Nanos(bet.price_age))
    }

    pub(super) fn hit(&mut self, from: &str, step: &str) {
        *self.hits.bets.entry((from.to_owned(), step.to_owned())).or_default() += 1;
    }

    /// The offer that its own customer speaks of.
    fn own_offer(
        &mut self,
        header: &Header,
        id: u64,
        step: &str,
        answered: Option<Answer>,
    ) -> Result<Bet, Answer> {
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
            _ => {
                let leaving = self.markets.get(&bet.market);
                let leaving = leaving.is_some_and(|m| m.status == MarketStatus::Archiving);
                if leaving && answered == Some(unknown) {
                    return Err(unknown);
                }
                Err(self.no(Reject::NotAllowed))
            }
        }
    }

    pub(super) fn accept(&mut self, header: &Header, id: u64, answered: Option<Answer>) -> Decided {
        let bet = self.own_offer(header, id, "accept", answered)?;
        if self.accounts.get(&bet.account).is_some_and(|account| account.blocked) {
            return Err(self.no(Reject::AccountBlocked));
        }
        if bet.until < self.now {
            return Err(self.no(Reject::OfferExpired));
        }
        if self.suspended_since(&bet) {
            return Err(self.no(Reject::OfferWithdrawn));
        }
        let market_id = MarketId::from_raw(bet.market);
        let market = self.takes_bets(market_id, bet.selection)?;
        self.in_force(market, bet.selection)?;
        let cap = self.limits_for(market, bet.currency).max_liability.0;
        let (selection, currency) = (bet.selection, bet.currency);
        self.within_liability(market_id, selection, currency, bet.stake, bet.price, cap)?;
        Ok(self.opens(header, id, Basis::Offer))
    }

    pub(super) fn decline(
        &mut self,
        header: &Header,
        id: u64,
        answered: Option<Answer>,
    ) -> Decided {
        self.own_offer(header, id, "decline", answered)?;
        self.offer_ends(id, OfferEnd::Declined);
        Ok(self.done(id))
    }

    /// Whether any level of the bet's market was suspended, or the market went past betting, after the
    /// bet was asked for.
    pub(super) fn suspended_since(&self, bet: &Bet) -> bool {
        use MarketStatus::*;
        let Some(market) = self.markets.get(&bet.market) else { return true };
        !matches!(market.status, Defined | Open | Closed)
            || self.levels(market).iter().any(|level| bet.placed_seq < level.last)
    }

    pub(super) fn offer_ends(&mut self, id: u64, why: OfferEnd) {
        let Some(bet) = self.bets.get_mut(&id) else { return };
        bet.state = BetState::OfferEnded;
        bet.paid = bet.stake;
        let (currency, stake, account) = (bet.currency, bet.stake, bet.account);
        let (escrow, customer) = (Side::House(HouseAccount::Escrow), Side::Customer(account));
        self.transfer(currency, escrow, customer, stake, TransferWhy::Return, id);
        self.told.push(Event::OfferEnded(OfferEnded {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(account),
            why: why as u8,
            zero: [0; 7],
        }));
    }

    /// Checks that an offer may end by itself.
    pub(super) fn offer_may_end(&self, id: u64, why: u8) -> Checked<OfferEnd> {
        let Some(bet) = self.bets.get(&id) else { return Err(format!("offer {id:#x} is none")) };
        rule(bet.state == BetState::Offered, || format!("{bet:?} is no offer that could end"))?;
        let market = self.markets.get(&bet.market);
        let settling = market.is_some_and(|m| m.status == MarketStatus::Settling);
        let due = bet.until < self.now;
        let withdrawn = self.suspended_since(bet);
        let expected = if withdrawn { OfferEnd::Withdrawn } else { OfferEnd::Expired };
        rule(due || settling, || format!("{bet:?} is not over yet"))?;
        rule(why == expected as u8, || format!("{bet:?} ends as {expected}, not as {why}"))?;
        Ok(expected)
    }
}

/// What passed every gate.
struct Bound {
    stake: i128,
    returns: i128,
    price: Runner,
    age: i64,
    offers: bool,
    currency: u16,
}
