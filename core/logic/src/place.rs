//! Placing a bet: check everything, then change everything. A bet binds to the price in force here,
//! at this sequence, never to the one the customer saw.
//!
//! The order of the gates is the order in which an operator answers (and of [`crate::reject::Reject`]):
//! account, market and feed, price in force and its age, price policy, stake, payout, liability, funds.

use crate::answer::{Answer, AnswerKind, Basis};
use crate::bet::{Bet, BetState, BetStep};
use crate::command::{Limits, Place, PriceFailure, PricePolicy};
use crate::event::*;
use crate::id::*;
use crate::ledger::Side;
use crate::market::{MarketStep, NO_BET};
use crate::reject::Reject;
use crate::risk::{self, MarketBets};
use crate::rules::{BetFacts, Rules, Ruling};
use crate::state::{LOGIC_VERSION, NONE, OFFERS_MAX, State};
use crate::time::{Nanos, Timestamp};
use crate::wire::{Header, Minor, WirePrice};
use betring_pricing::{Price, Stake, price_within};
use std::cmp::Reverse;

type Decided = Result<Answer, Answer>;

/// A quote that may be bet on now.
#[derive(Clone, Copy)]
struct Quote {
    price: WirePrice,
    exact: Price,
    version: PriceVersion,
    age: Nanos,
}

/// What passed every gate and is to be written down.
#[derive(Clone, Copy)]
struct Accepted {
    account: u32,
    market: u32,
    selection: SelectionIndex,
    book: u8,
    stake: Stake,
    returns: i64,
    quote: Quote,
}

impl<R: Rules> State<R> {
    /// Places a single bet, or offers it at the price in force where that is the house's way.
    pub(crate) fn place(&mut self, header: &Header, body: &Place, events: &mut Events) -> Decided {
        // 2 account
        let id = AccountId::from_raw(header.account);
        let Some((account_index, account)) = self.ledger.find(id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let account = *account;
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        let policy = PricePolicy::from_code(body.policy).expect("checked when it was read");
        let mut stake = body.stake.stake().expect("checked when it was read");
        let mut facts = BetFacts {
            at: self.now,
            account: id,
            reference: account.reference,
            balance: Minor(account.balance),
            currency: self.ledger.books[usize::from(account.currency)].currency,
            market: MarketId::NONE,
            fixture: FixtureId::NONE,
            starts: Timestamp(0),
            selection: body.selection,
            stake,
            price: None,
            policy,
            synthetic: header.flags & Header::SYNTHETIC != 0,
        };
        self.ask(R::account, &mut facts)?;

        // 3 market, selection, feed, the price in force and its age
        let market_index = self.open_for_bets(body.market, body.selection)?;
        let market = &self.markets[market_index as usize];
        facts.market = body.market;
        facts.fixture = market.fixture;
        facts.starts = self.find_fixture(market.fixture).map_or(Timestamp(0), |f| f.starts);
        let quote = self.quote_in_force(market_index, body.selection)?;
        facts.price = Some(quote.exact);
        self.ask(R::market, &mut facts)?;

        // 4 price policy
        let agreed = agrees(policy, body.price, quote.price, body.slippage);
        let offering =
            !agreed && self.price_failure == PriceFailure::Offer && self.timers.len() < OFFERS_MAX;
        if !agreed && !offering {
            let (price, version) = (quote.price, quote.version);
            return Err(Answer { price, version, ..self.no(Reject::PriceMoved) });
        }
        self.ask(R::price, &mut facts)?;

        // 5 stake
        self.ask(R::stake, &mut facts)?;
        stake = facts.stake;
        let limits = self.limits(account.currency, market_index);
        self.stake_within(stake, &limits)?;

        // 6 payout, 7 liability
        let returns = self.payout_within(stake, quote.price, &limits)?;
        self.ask(R::liability, &mut facts)?;
        if facts.stake != stake {
            stake = facts.stake;
            self.stake_within(stake, &limits)?;
        }
        let returns = if stake == body.stake.stake().expect("checked when it was read") {
            returns
        } else {
            self.payout_within(stake, quote.price, &limits)?
        };
        let view = self.market_bets(account.currency, market_index);
        self.liability_within(view, body.selection, stake, returns, quote.price, &limits)?;

        // 8 funds
        if account.balance < stake.money().minor() {
            return Err(self.no(Reject::FundsInsufficient));
        }

        if !account.has_room_for(returns) {
            return Err(self.no(Reject::BalanceLimit));
        }

        // From here on nothing can fail.
        let accepted = Accepted {
            account: account_index,
            market: market_index,
            selection: body.selection,
            book: account.currency,
            stake,
            returns,
            quote,
        };
        let bet = self.write_bet(header, body, &accepted, offering, events);
        Ok(if offering {
            self.offer(bet, &accepted, events)
        } else {
            self.open_bet(header, bet, Basis::InForce, events)
        })
    }

    /// Asks one of the operator's rules; a refusal ends the placing, a smaller stake stays in `facts`.
    fn ask(
        &self,
        gate: impl Fn(&R, &BetFacts) -> Ruling,
        facts: &mut BetFacts,
    ) -> Result<(), Answer> {
        match gate(&self.rules, facts) {
            Ruling::Pass => Ok(()),
            Ruling::Refuse(reason) => {
                Err(Answer { policy_reason: reason, ..self.no(Reject::Policy) })
            }
            Ruling::Reduce(stake) => {
                facts.stake = facts.stake.min(stake);
                Ok(())
            }
        }
    }

    /// The market, if it and the selection take bets: the strictest of all levels counts.
    fn open_for_bets(&self, id: MarketId, selection: SelectionIndex) -> Result<u32, Answer> {
        let Some((index, market)) = self.find_market(id) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if market.selections <= selection.0 {
            return Err(self.no(Reject::SelectionUnknown));
        }
        let waits = market.feed == FeedId::MANUAL && market.opened_in != self.epoch;
        match market.status {
            MarketStatus::Defined => return Err(self.no(Reject::MarketNotOpen)),
            MarketStatus::Open if waits => return Err(self.no(Reject::MarketNotOpen)),
            MarketStatus::Open => (),
            MarketStatus::Closed
            | MarketStatus::Settling
            | MarketStatus::Settled
            | MarketStatus::Archiving
            | MarketStatus::Archived => return Err(self.no(Reject::MarketClosed)),
        }
        if self.levels(index).iter().any(|level| level.holds()) {
            return Err(self.no(Reject::MarketSuspended));
        }
        if self.selections[market.first as usize + usize::from(selection.0)].withdrawn {
            return Err(self.no(Reject::SelectionWithdrawn));
        }
        if !self.feeds[usize::from(market.feed.0)].is_up(self.now) {
            return Err(self.no(Reject::FeedDown));
        }
        Ok(index)
    }

    /// The suspensions that a market is under: engine, feed, fixture, its own.
    pub(crate) fn levels(&self, index: u32) -> [crate::market::Suspension; 4] {
        let market = &self.markets[index as usize];
        let feed = self.feeds[usize::from(market.feed.0)].suspension;
        let fixture = self.find_fixture(market.fixture).map(|f| f.suspension).unwrap_or_default();
        [self.suspension, feed, fixture, market.suspension]
    }

    /// How old a price is: now minus the last confirmation of it, which is an update of it, or a
    /// heartbeat of its feed with nothing missed since. A derived price is as old as its oldest input.
    pub(crate) fn price_age(&self, market: u32, selection: SelectionIndex) -> Nanos {
        let market = &self.markets[market as usize];
        let quote = &self.selections[market.first as usize + usize::from(selection.0)];
        let feed = &self.feeds[usize::from(market.feed.0)];
        let confirmed = if quote.as_of.0 != 0 {
            quote.as_of
        } else if quote.generation == feed.generation {
            quote.received.max(feed.heartbeat)
        } else {
            quote.received
        };
        self.now.since(confirmed).or_zero()
    }

    fn quote_in_force(
        &self,
        market_index: u32,
        selection: SelectionIndex,
    ) -> Result<Quote, Answer> {
        let market = &self.markets[market_index as usize];
        let quote = &self.selections[market.first as usize + usize::from(selection.0)];
        let Some(exact) = quote.price.price() else { return Err(self.no(Reject::NoPrice)) };
        let age = self.price_age(market_index, selection);
        let too_old = market.age_bound != Nanos::ZERO && market.age_bound < age;
        let bound = self.feeds[usize::from(market.feed.0)].delay_bound;
        let too_slow = bound != Nanos::ZERO && bound < quote.delay;
        if too_old || too_slow {
            let age = if too_old { age } else { quote.delay };
            return Err(self.no(Reject::StalePrice).with_age(age));
        }
        Ok(Quote { price: quote.price, exact, version: quote.version, age })
    }

    /// The limits in force: the market's own in this currency, else the currency's.
    pub(crate) fn limits(&self, book: u8, market: u32) -> Limits {
        let own = *self.own_limits.at(book, market);
        own.unwrap_or(self.currency_limits[usize::from(book)])
    }

    fn stake_within(&self, stake: Stake, limits: &Limits) -> Result<(), Answer> {
        let stake = Minor::from(stake);
        if stake < limits.min_stake {
            let amount = limits.min_stake;
            return Err(Answer { amount, ..self.no(Reject::StakeTooSmall) });
        }
        if limits.max_stake < stake {
            let amount = limits.max_stake;
            return Err(Answer { amount, ..self.no(Reject::StakeTooLarge) });
        }
        Ok(())
    }

    fn payout_within(
        &self,
        stake: Stake,
        price: WirePrice,
        limits: &Limits,
    ) -> Result<i64, Answer> {
        let returns = risk::returns(stake, price, self.rounding);
        if returns <= limits.max_payout.0 {
            return Ok(returns);
        }
        let amount = Minor(risk::stake_for_payout(price, limits));
        Err(Answer { amount, ..self.no(Reject::PayoutLimit) })
    }

    pub(crate) fn market_bets(&self, book: u8, index: u32) -> MarketBets {
        let market = &self.markets[index as usize];
        MarketBets {
            book,
            market: index,
            first: market.first,
            selections: market.selections,
            winners: market.winners,
        }
    }

    /// A bet is judged on what it changes: one that does not make the worst outcome worse passes.
    fn liability_within(
        &self,
        view: MarketBets,
        selection: SelectionIndex,
        stake: Stake,
        returns: i64,
        price: WirePrice,
        limits: &Limits,
    ) -> Result<(), Answer> {
        let selection = usize::from(selection.0);
        let before = self.risk.worst(view);
        let limit = before.max(i128::from(limits.max_liability.0));
        let after = self.risk.worst_with(view, selection, stake.money().minor(), returns);
        if after <= limit {
            return Ok(());
        }
        let largest = self.risk.largest_stake(view, selection, price, limit, self.rounding);
        let amount = Minor(largest);
        Err(Answer { amount, ..self.no(Reject::LiabilityLimit) })
    }

    /// Gives the bet its place, its stake to escrow, and its market the bet.
    fn write_bet(
        &mut self,
        header: &Header,
        body: &Place,
        accepted: &Accepted,
        offering: bool,
        events: &mut Events,
    ) -> BetId {
        let mut bet = Bet {
            stake: accepted.stake.money().minor(),
            returns: accepted.returns,
            price: accepted.quote.price,
            version: accepted.quote.version,
            generation: 1,
            account: accepted.account,
            market: accepted.market,
            next: NO_BET,
            selection: accepted.selection,
            state: BetState::Offered,
            book: accepted.book,
            policy: body.policy,
            basis: 0,
            synthetic: header.flags & Header::SYNTHETIC != 0,
            slippage: body.slippage,
            placed_seq: self.seq,
            placed_at: self.now,
            until: if offering { self.now.plus(self.genesis.offer_ttl) } else { Timestamp(0) },
            requested: body.price,
            requested_version: body.version,
            price_age: accepted.quote.age,
            paid: 0,
        };
        let index = match self.free_bet {
            NONE => {
                self.bets.push(bet);
                self.bets.len() as u32 - 1
            }
            index => {
                let place = &mut self.bets[index as usize];
                self.free_bet = place.next;
                bet.generation = place.generation + 1;
                *place = bet;
                index
            }
        };
        self.live_bets += 1;
        let market = &mut self.markets[accepted.market as usize];
        match market.tail {
            NO_BET => market.head = index,
            tail => self.bets[tail as usize].next = index,
        }
        market.tail = index;
        let id = bet.id(index);
        self.ledger.accounts[accepted.account as usize].pending += bet.returns;
        let (from, to) = (Side::Customer(accepted.account), Side::House(HouseAccount::Escrow));
        self.ledger.transfer(accepted.book, from, to, bet.stake, TransferWhy::Stake, id, events);
        id
    }

    fn offer(&mut self, id: BetId, accepted: &Accepted, events: &mut Events) -> Answer {
        let bet = self.bets[id.index() as usize];
        self.timers.push(Reverse((bet.until.plus(Nanos(1)), self.seq, id)));
        events.push(&BetOffered {
            bet: id,
            account: AccountId::new(bet.account, 1),
            market: self.market_id(bet.market),
            stake: Minor(bet.stake),
            requested: bet.requested,
            price: bet.price,
            version: bet.version,
            requested_version: bet.requested_version,
            price_age: bet.price_age,
            until: bet.until,
            selection: bet.selection,
            currency: self.ledger.books[usize::from(bet.book)].currency.numeric(),
            policy: bet.policy,
            synthetic: u8::from(bet.synthetic),
            slippage: bet.slippage,
        });
        Answer {
            id: id.raw(),
            stake: Minor(bet.stake),
            amount: Minor(accepted.returns),
            ..Answer::of(AnswerKind::Offered, self.seq)
        }
        .with_price(Basis::Offer, bet.price, bet.version)
        .with_until(bet.until)
    }

    /// The bet becomes Open: its liability counts from here, and the evidence is written down.
    fn open_bet(
        &mut self,
        header: &Header,
        id: BetId,
        basis: Basis,
        events: &mut Events,
    ) -> Answer {
        let bet = &mut self.bets[id.index() as usize];
        bet.state = bet.state.after(BetStep::Accept).expect("only an offer becomes a bet");
        bet.basis = basis as u8;
        let bet = *bet;
        let market = &mut self.markets[bet.market as usize];
        market.open_bets += 1;
        let (feed, place) = (market.feed, market.first + u32::from(bet.selection.0));
        self.risk.add(bet.at(place));
        let worst = self.risk.worst(self.market_bets(bet.book, bet.market));
        events.push(&BetOpened {
            bet: id,
            account: AccountId::new(bet.account, 1),
            market: self.market_id(bet.market),
            stake: Minor(bet.stake),
            returns: Minor(bet.returns),
            requested: bet.requested,
            requested_version: bet.requested_version,
            price: bet.price,
            version: bet.version,
            price_age: bet.price_age,
            placed_at: bet.placed_at,
            placed_seq: bet.placed_seq,
            feed,
            selection: bet.selection,
            currency: self.ledger.books[usize::from(bet.book)].currency.numeric(),
            slippage: bet.slippage,
            policy: bet.policy,
            basis: bet.basis,
            synthetic: u8::from(bet.synthetic),
            zero: [0; 5],
            rules_version: R::VERSION,
            logic_version: LOGIC_VERSION,
            market_worst: Minor(i64::try_from(worst).unwrap_or(i64::MAX)),
            key: header.key,
        });
        Answer {
            id: id.raw(),
            stake: Minor(bet.stake),
            amount: Minor(bet.returns),
            ..Answer::of(AnswerKind::Accepted, self.seq)
        }
        .with_price(basis, bet.price, bet.version)
        .with_age(bet.price_age)
    }

    fn offered_bet(&self, header: &Header, id: BetId) -> Result<Bet, Answer> {
        let Some(bet) = self.find_bet(id) else { return Err(self.no(Reject::OfferUnknown)) };
        let own = AccountId::new(bet.account, 1).raw() == header.account;
        match bet.state {
            BetState::Offered if own => Ok(*bet),
            BetState::OfferEnded if own => Err(self.no(Reject::OfferUnknown)),
            _ if own => Err(self.no(Reject::NotAllowed)),
            _ => Err(self.no(Reject::OfferUnknown)),
        }
    }

    /// Takes an offer: at the offered price, in time, if no level of its market was suspended since,
    /// and the market would still take a bet.
    pub(crate) fn accept_offer(
        &mut self,
        header: &Header,
        id: BetId,
        events: &mut Events,
    ) -> Decided {
        let bet = self.offered_bet(header, id)?;
        if self.ledger.accounts[bet.account as usize].blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        if bet.until < self.now {
            return Err(self.no(Reject::OfferExpired));
        }
        if self.suspended_since(&bet) {
            return Err(self.no(Reject::OfferWithdrawn));
        }
        self.open_for_bets(self.market_id(bet.market), bet.selection)?;
        self.quote_in_force(bet.market, bet.selection)?;
        let limits = self.limits(bet.book, bet.market);
        let view = self.market_bets(bet.book, bet.market);
        let stake = Stake::from_minor(bet.stake).expect("an offer has a stake");
        self.liability_within(view, bet.selection, stake, bet.returns, bet.price, &limits)?;
        Ok(self.open_bet(header, id, Basis::Offer, events))
    }

    /// Declines an offer: the stake goes back at once.
    pub(crate) fn decline_offer(
        &mut self,
        header: &Header,
        id: BetId,
        events: &mut Events,
    ) -> Decided {
        self.offered_bet(header, id)?;
        self.end_offer(id, OfferEnd::Declined, events);
        Ok(Answer::done(self.seq, id.raw()))
    }

    /// Whether any level of the bet's market was suspended after the bet was asked for.
    pub(crate) fn suspended_since(&self, bet: &Bet) -> bool {
        let open = self.markets[bet.market as usize].status.after(MarketStep::Close).is_some();
        !open || self.levels(bet.market).iter().any(|level| bet.placed_seq < level.seq)
    }

    pub(crate) fn end_offer(&mut self, id: BetId, why: OfferEnd, events: &mut Events) {
        let bet = &mut self.bets[id.index() as usize];
        bet.state = bet.state.after(BetStep::EndOffer).expect("only an offer ends as one");
        bet.paid = bet.stake;
        let bet = *bet;
        self.ledger.accounts[bet.account as usize].pending -= bet.returns;
        let (from, to) = (Side::House(HouseAccount::Escrow), Side::Customer(bet.account));
        self.ledger.transfer(bet.book, from, to, bet.stake, TransferWhy::Return, id, events);
        events.push(&OfferEnded {
            bet: id,
            account: AccountId::new(bet.account, 1),
            why: why as u8,
            zero: [0; 7],
        });
    }
}

/// Whether a customer who asked for `requested` takes `current` (BETTING: price-change policies).
fn agrees(policy: PricePolicy, requested: WirePrice, current: WirePrice, slippage: u16) -> bool {
    let (Some(asked), Some(now)) = (requested.price(), current.price()) else {
        return policy == PricePolicy::Any;
    };
    match policy {
        PricePolicy::Exact => profit_of(requested) == profit_of(current),
        PricePolicy::Better => profit_of(requested) <= profit_of(current),
        PricePolicy::Within => price_within(asked, now, slippage),
        PricePolicy::Any => true,
    }
}

/// What a price pays beside the stake, exactly, so that two can be compared: a fraction is not the
/// decimal that it is rounded to.
fn profit_of(price: WirePrice) -> Profit {
    match price.fraction() {
        Some(fraction) => Profit { num: fraction.num().into(), den: fraction.den().into() },
        None => Profit { num: u64::from(price.e4).saturating_sub(10_000), den: 10_000 },
    }
}

/// A profit per unit of stake, ordered by value.
#[derive(Clone, Copy)]
struct Profit {
    num: u64,
    den: u64,
}

impl Ord for Profit {
    fn cmp(&self, other: &Profit) -> std::cmp::Ordering {
        (self.num * other.den).cmp(&(other.num * self.den))
    }
}

impl PartialOrd for Profit {
    fn partial_cmp(&self, other: &Profit) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Profit {
    fn eq(&self, other: &Profit) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Profit {}
