//! Placing a bet: check everything, then change everything. A bet binds to the price in force here,
//! at this sequence, never to the one the customer saw.
//!
//! The order of the gates is the order in which an operator answers (and of [`crate::reject::Reject`]):
//! account, market and feed, price in force and its age, price policy, shape, stake, payout, liability,
//! funds. Of several legs the reason that comes first in this order is told, whichever leg has it.
//! A bet that waited (for a delay, a trader) goes through the same gates again when it opens.

use crate::answer::{Answer, AnswerKind, Basis};
use crate::bet::{Ask, Bet, BetState, BetStep, Hold, Leg, NONE, quoted};
use crate::command::{
    EachWayKind, EachWayOffer, LegEntry, LimitKind, Limits, PayoutCap, Place, PlaceTicket,
    PriceFailure, PricePolicy, StakeKind,
};
use crate::event::*;
use crate::id::*;
use crate::ledger::Side;
use crate::liability::{Terms, referable};
use crate::reject::Reject;
use crate::risk::{self, MarketBets};
use crate::rules::{BetFacts, Rules, Ruling};
use crate::state::{LOGIC_VERSION, State};
use crate::time::{Nanos, Timestamp};
use crate::waiting::stake_side;
use crate::wire::{Header, Minor, WirePrice};
use betring_pricing::{
    self as pricing, EachWay, Factor, LINES_ENUMERATED_MAX, Money, Part, PlaceFraction, Price,
    RoundingMode, RoundingPoint, Shape, Stake, TicketError, price_within,
};
use std::cmp::Reverse;

type Decided = Result<Answer, Answer>;

/// A quote that may be bet on now.
#[derive(Clone, Copy)]
pub(crate) struct Quote {
    pub(crate) price: WirePrice,
    pub(crate) exact: Price,
    pub(crate) version: PriceVersion,
    pub(crate) age: Nanos,
    /// Whose price it is.
    pub(crate) feed: FeedId,
}

/// What a customer asks for.
#[derive(Clone, Copy)]
pub(crate) struct Slip {
    pub(crate) stake: Stake,
    /// The stake of a line, if the customer gave that.
    pub(crate) unit: i64,
    pub(crate) shape: Shape,
    pub(crate) policy: PricePolicy,
    pub(crate) slippage: u16,
    pub(crate) floor: u64,
    pub(crate) bonus: bool,
    pub(crate) synthetic: bool,
    /// Asked for by the command for singles.
    pub(crate) single: bool,
}

impl Slip {
    /// One leg, and no place part.
    pub(crate) fn is_plain(&self) -> bool {
        self.shape.legs() == 1 && self.shape.each_way() == EachWay::No
    }
}

/// One leg of it.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) market: MarketId,
    pub(crate) selection: SelectionIndex,
    pub(crate) price: WirePrice,
    pub(crate) version: PriceVersion,
    /// The price that a trader gives, whatever is in force; none: that in force.
    pub(crate) given: WirePrice,
}

impl From<LegEntry> for Wanted {
    fn from(leg: LegEntry) -> Wanted {
        let LegEntry { market, selection, price, version, .. } = leg;
        Wanted { market, selection, price, version, given: WirePrice::NONE }
    }
}

/// The same leg with what is in force.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) market: u32,
    pub(crate) quote: Quote,
    pub(crate) places: u8,
    pub(crate) fraction: Option<PlaceFraction>,
    pub(crate) reach: i64,
}

/// Room to work in, made once.
#[derive(Clone, Default)]
pub(crate) struct Scratch {
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) found: Vec<Found>,
    pub(crate) win: Vec<Factor>,
    pub(crate) place: Vec<Factor>,
    pub(crate) reach: Vec<Money>,
    /// What may come beside the exact sum of a ticket's lines: a bonus, and fractions rounded up.
    pub(crate) extra: i64,
}

impl Scratch {
    pub(crate) fn with_room() -> Scratch {
        let legs = pricing::LEGS_MAX;
        Scratch {
            wanted: Vec::with_capacity(legs),
            found: Vec::with_capacity(legs),
            win: Vec::with_capacity(legs),
            place: Vec::with_capacity(legs),
            reach: Vec::with_capacity(legs),
            extra: 0,
        }
    }
}

/// When a bet goes through the gates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is asked for.
    Asked,
    /// Its wallet holds the stake: as if it was asked for now.
    Confirmed,
    /// Its delay has passed; the stake is in escrow already.
    Again,
    /// A trader says yes; the stake is in escrow already.
    Trader,
}

impl Moment {
    /// Whether what was asked for is still to be looked at as new: it may be delayed or referred.
    fn is_first(self) -> bool {
        matches!(self, Moment::Asked | Moment::Confirmed)
    }
}

/// What passed every gate.
#[derive(Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) stake: Stake,
    pub(crate) returns: i64,
    pub(crate) cap: i64,
    /// Whether the customer takes the prices in force.
    pub(crate) agreed: bool,
    /// Above a limit, and within what a trader may allow.
    pub(crate) refer: bool,
    pub(crate) delay: Nanos,
}

impl Passed {
    /// Whether it does not open, nor is offered, at once.
    pub(crate) fn waits(&self) -> bool {
        self.refer || self.delay != Nanos::ZERO
    }
}

impl<R: Rules> State<R> {
    /// Places a single bet, or offers it at the price in force where that is the house's way.
    pub(crate) fn place(&mut self, header: &Header, body: &Place, events: &mut Events) -> Decided {
        let stake = body.stake.stake().expect("checked when it was read");
        let slip = Slip {
            stake,
            unit: 0,
            shape: Shape::single(),
            policy: PricePolicy::from_code(body.policy).expect("checked when it was read"),
            slippage: body.slippage,
            floor: 0,
            bonus: false,
            synthetic: header.flags & Header::SYNTHETIC != 0,
            single: true,
        };
        self.scratch.wanted.clear();
        let leg = LegEntry::new(body.market, body.selection, body.price, body.version);
        self.scratch.wanted.push(leg.into());
        self.place_slip(header, &slip, events)
    }

    /// Places a ticket.
    pub(crate) fn place_ticket(
        &mut self,
        header: &Header,
        body: &PlaceTicket,
        legs: impl Iterator<Item = LegEntry>,
        events: &mut Events,
    ) -> Decided {
        let unit = body.stake_kind == StakeKind::Unit as u8;
        let slip = Slip {
            stake: body.total().expect("checked when it was read"),
            unit: if unit { body.stake.0 } else { 0 },
            shape: body.shape().expect("checked when it was read"),
            policy: PricePolicy::from_code(body.policy).expect("checked when it was read"),
            slippage: body.slippage,
            floor: body.floor,
            bonus: body.bonus == 1,
            synthetic: header.flags & Header::SYNTHETIC != 0,
            single: false,
        };
        self.scratch.wanted.clear();
        self.scratch.wanted.extend(legs.map(Wanted::from));
        self.place_slip(header, &slip, events)
    }

    fn place_slip(&mut self, header: &Header, slip: &Slip, events: &mut Events) -> Decided {
        let id = AccountId::from_raw(header.account);
        let Some((account, _)) = self.ledger.find(id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let ruleset = self.rulesets.len() as u16 - 1;
        let mut scratch = std::mem::take(&mut self.scratch);
        let passed = self.gates(account, slip, ruleset, Moment::Asked, &mut scratch);
        let decided = match passed {
            Ok(passed) => self.accept(header, account, slip, ruleset, &passed, &scratch, events),
            Err(answer) => Err(answer),
        };
        self.scratch = scratch;
        decided
    }

    /// A slip that passed is written down: as an open bet, or as what may become one.
    #[expect(clippy::too_many_arguments, reason = "who, what, under which rules, with what found")]
    fn accept(
        &mut self,
        header: &Header,
        account: u32,
        slip: &Slip,
        ruleset: u16,
        passed: &Passed,
        scratch: &Scratch,
        events: &mut Events,
    ) -> Decided {
        let held = self.ledger.accounts[account as usize].external && !slip.bonus;
        if (held || passed.waits()) && self.timers_are_full() {
            return Err(self.no(Reject::TooManyPending));
        }
        // From here on nothing can fail.
        let id = self.write_bet(header.key, account, slip, ruleset, passed, scratch);
        if held {
            return Ok(self.request_hold(id, passed, events));
        }
        let bet = &self.bets[id.index() as usize];
        let (from, escrow) = (stake_side(bet), Side::House(HouseAccount::Escrow));
        self.transfer(account, from, escrow, bet.stake, TransferWhy::Stake, id, events);
        Ok(self.go_on(id, passed, Basis::InForce, events))
    }

    /// A bet whose stake is in escrow waits for what it has to wait for, is offered, or opens.
    pub(crate) fn go_on(
        &mut self,
        id: BetId,
        passed: &Passed,
        basis: Basis,
        events: &mut Events,
    ) -> Answer {
        let bet = &self.bets[id.index() as usize];
        let (key, set) = (bet.key, &self.rulesets[usize::from(bet.ruleset)]);
        let (refer_ttl, offer_ttl) = (set.refer_ttl, set.offer_ttl);
        if passed.refer {
            let until = self.now.plus(refer_ttl);
            self.begin_wait(id, BetState::Referred, PendingWhy::Referral, until, events)
        } else if passed.delay != Nanos::ZERO {
            let until = self.now.plus(passed.delay);
            self.begin_wait(id, BetState::Delayed, PendingWhy::Delay, until, events)
        } else if !passed.agreed {
            self.bets[id.index() as usize].state = BetState::Offered;
            self.offer(id, self.now.plus(offer_ttl), events)
        } else {
            self.open_bet(key, id, basis, events)
        }
    }

    /// Every gate, in order. Changes nothing; what was found stays in `scratch`.
    pub(crate) fn gates(
        &self,
        account_index: u32,
        slip: &Slip,
        ruleset: u16,
        moment: Moment,
        scratch: &mut Scratch,
    ) -> Result<Passed, Answer> {
        // 2 account
        self.may_bet(account_index)?;
        let account = &self.ledger.accounts[account_index as usize];
        if slip.synthetic != account.synthetic {
            return Err(self.no(Reject::AccountKind));
        }
        if moment.is_first() && !slip.bonus {
            let kinds = [LimitKind::Stake, LimitKind::Loss];
            self.within_own_limits(account_index, &kinds, slip.stake.minor())?;
        }
        let set = &self.rulesets[usize::from(ruleset)];
        let house = &self.houses[usize::from(ruleset)];
        let mut facts = BetFacts {
            at: self.now,
            account: AccountId::new(account_index, 1),
            reference: account.reference,
            balance: Minor(account.balance),
            currency: self.ledger.books[usize::from(account.currency)].currency,
            market: MarketId::NONE,
            fixture: FixtureId::NONE,
            starts: Timestamp(0),
            selection: scratch.wanted[0].selection,
            legs: slip.shape.legs(),
            lines: slip.shape.lines(),
            stake: slip.stake,
            price: None,
            policy: slip.policy,
            synthetic: slip.synthetic,
            refer: false,
        };
        self.ask(R::account, &mut facts)?;

        // 3 market, selection, feed, the price in force and its age
        let Scratch { wanted, found, .. } = &mut *scratch;
        found.clear();
        let mut first: Option<Answer> = None;
        for wanted in wanted.iter() {
            match self.find_leg(wanted, slip.synthetic) {
                Ok(leg) => found.push(leg),
                Err(no) if first.is_none_or(|first| no.reject() < first.reject()) => {
                    first = Some(no);
                }
                Err(_) => (),
            }
        }
        if let Some(no) = first {
            return Err(no);
        }
        for (wanted, leg) in wanted.iter().zip(found.iter()) {
            self.put_leg(&mut facts, wanted, leg);
            self.ask(R::market, &mut facts)?;
        }

        // 4 price policy
        let moved = wanted.iter().zip(found.iter()).position(|(wanted, leg)| {
            let given = !wanted.given.is_none();
            !given && !agrees(slip.policy, wanted.price, leg.quote.price, slip.slippage)
        });
        let floor = moved.is_none() && !self.reaches_floor(slip, found);
        let agreed = moved.is_none() && !floor;
        let offering = !agreed
            && moment != Moment::Trader
            && house.price_failure == PriceFailure::Offer
            && !self.timers_are_full();
        if !agreed && !offering {
            let leg = &found[moved.unwrap_or(0)];
            let (price, version) = (leg.quote.price, leg.quote.version);
            let detail = moved.unwrap_or(0) as u8;
            return Err(Answer { price, version, detail, ..self.no(Reject::PriceMoved) });
        }
        for (wanted, leg) in wanted.iter().zip(found.iter()) {
            self.put_leg(&mut facts, wanted, leg);
            self.ask(R::price, &mut facts)?;
        }

        // 5 shape and stake
        if !slip.single {
            self.check_shape(slip, ruleset, scratch)?;
        }
        self.ask(R::stake, &mut facts)?;
        let book = account.currency;
        let limits = self.tightest_limits(book, account_index, &scratch.found);
        let percent = if moment.is_first() { set.refer_percent } else { 0 };
        let trader = moment == Moment::Trader;
        let mut refer = self.stake_within(facts.stake, &limits, percent, trader)?;

        // 6 payout, 7 liability
        let mut stake = facts.stake;
        let (mut returns, mut cap) = self.payout_within(slip, stake, house, &limits, scratch)?;
        self.ask(R::liability, &mut facts)?;
        if facts.stake != stake {
            stake = facts.stake;
            refer = self.stake_within(stake, &limits, percent, trader)?;
            (returns, cap) = self.payout_within(slip, stake, house, &limits, scratch)?;
        }
        if !slip.is_plain() {
            reaches(slip.shape, stake, returns, scratch);
        }
        let funds = match slip.bonus {
            true => account.bonus,
            false if account.external || moment != Moment::Asked => i64::MAX,
            false => account.balance,
        };
        if !trader {
            let terms = Terms { limits: &limits, percent, house, funds };
            let weight = (stake, returns);
            refer |= self.liability_within(account_index, slip, weight, &terms, scratch)?;
        }

        // 8 funds
        if moment == Moment::Asked {
            if funds < stake.minor() {
                return Err(self.no(Reject::FundsInsufficient));
            }
            if !account.has_room_for(returns) {
                return Err(self.no(Reject::BalanceLimit));
            }
        }
        let delays = scratch.found.iter().map(|leg| self.markets[leg.market as usize].delay);
        let delay = delays.max().unwrap_or(Nanos::ZERO);
        Ok(Passed {
            stake,
            returns,
            cap,
            agreed,
            refer: moment.is_first() && (refer || facts.refer),
            delay: if moment.is_first() { delay } else { Nanos::ZERO },
        })
    }

    fn put_leg(&self, facts: &mut BetFacts, wanted: &Wanted, leg: &Found) {
        facts.market = wanted.market;
        facts.selection = wanted.selection;
        facts.fixture = self.markets[leg.market as usize].fixture;
        facts.starts = self.find_fixture(facts.fixture).map_or(Timestamp(0), |f| f.starts);
        facts.price = Some(leg.quote.exact);
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
            Ruling::Refer => {
                facts.refer = true;
                Ok(())
            }
            Ruling::Reduce(stake) => {
                facts.stake = facts.stake.min(stake);
                Ok(())
            }
        }
    }

    fn find_leg(&self, wanted: &Wanted, synthetic: bool) -> Result<Found, Answer> {
        let known = self.find_market(wanted.market).map(|(_, market)| market);
        if known.is_some_and(|market| market.canary) && !synthetic {
            return Err(self.no(Reject::AccountKind));
        }
        if known.is_some_and(|market| market.exchange) {
            return Err(self.no(Reject::InvalidMarketId));
        }
        let market = self.open_for_bets(wanted.market, wanted.selection)?;
        let quote = match wanted.given.price() {
            None => self.quote_in_force(market, wanted.selection)?,
            Some(exact) => {
                let (price, version) = (wanted.given, PriceVersion(0));
                let feed = self.driving_feed(&self.markets[market as usize]);
                Quote { price, exact, version, age: Nanos::ZERO, feed }
            }
        };
        Ok(Found { market, quote, places: 0, fraction: None, reach: 0 })
    }

    /// The market, if it and the selection take bets: the strictest of all levels counts.
    pub(crate) fn open_for_bets(
        &self,
        id: MarketId,
        selection: SelectionIndex,
    ) -> Result<u32, Answer> {
        let Some((index, market)) = self.find_market(id) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if market.selections <= selection.0 {
            return Err(self.no(Reject::SelectionUnknown));
        }
        let kept = &self.selections[market.first as usize + usize::from(selection.0)];
        // A person's word is good for the run in which it was given, or said to hold still.
        let by_person = market.feed == FeedId::MANUAL || kept.is_pinned();
        let waits = by_person && market.opened_in != self.epoch;
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
        let levels = self.levels_for_bets(index, selection);
        // A bet of this moment would be void already: what is cancelled now takes none.
        let cancelled = || self.windows.covers(market.windows, self.now);
        if levels.iter().any(|level| level.holds()) || cancelled() {
            return Err(self.no(Reject::MarketSuspended));
        }
        if kept.withdrawn {
            return Err(self.no(Reject::SelectionWithdrawn));
        }
        if kept.is_pinned() {
            return Ok(index);
        }
        let feed = &self.feeds[usize::from(self.driving_feed(market).0)];
        if feed.status == FeedStatus::Quarantined {
            return Err(self.no(Reject::FeedQuarantined));
        }
        if !feed.is_up(self.now) {
            return Err(self.no(Reject::FeedDown));
        }
        if self.has_drifted(market, self.tier_of(market).drift_dwell) {
            return Err(self.no(Reject::PriceDrifted));
        }
        Ok(index)
    }

    /// Whether the product of all prices is what the customer wants at least.
    fn reaches_floor(&self, slip: &Slip, found: &[Found]) -> bool {
        if slip.floor == 0 {
            return true;
        }
        let legs = found.len() as u8;
        let all = Shape::new(legs, 1 << (legs - 1), 0, EachWay::No).expect("a line of all legs");
        let mut odds = [Factor::ONE; pricing::LEGS_MAX];
        for (to, leg) in odds.iter_mut().zip(found) {
            *to = Factor::open(quoted(leg.quote.price), Part::Win);
        }
        // What 10,000 at these prices return, rounded down, is their product in ten-thousandths.
        let ten_thousand = Stake::from_minor(10_000).expect("a stake");
        let down = pricing::Rounding { mode: RoundingMode::Down, point: RoundingPoint::Bet };
        let odds = &odds[..found.len()];
        match pricing::ticket::returns(all, ten_thousand, odds, odds, KEEP_ALL, down) {
            Ok(product) => slip.floor <= product.minor().unsigned_abs(),
            Err(_) => true,
        }
    }

    /// 5: lines, legs, what depends on each other, each-way terms, free bets.
    fn check_shape(&self, slip: &Slip, ruleset: u16, scratch: &mut Scratch) -> Result<(), Answer> {
        let set = &self.rulesets[usize::from(ruleset)];
        let house = &self.houses[usize::from(ruleset)];
        let found = &mut scratch.found;
        for (at, leg) in found.iter().enumerate() {
            let fixture = self.markets[leg.market as usize].fixture;
            let depends = |other: &Found| {
                let theirs = self.markets[other.market as usize].fixture;
                other.market == leg.market || (fixture != FixtureId::NONE && theirs == fixture)
            };
            if found[..at].iter().any(depends) {
                let detail = at as u8;
                return Err(Answer { detail, ..self.no(Reject::RelatedContingency) });
            }
        }
        let lines = slip.shape.lines();
        let by_line = house.rounding.point == RoundingPoint::Line;
        if u64::from(set.lines_max) < lines
            || set.legs_max < slip.shape.legs()
            || (by_line && LINES_ENUMERATED_MAX < lines)
        {
            return Err(Answer { id: lines, ..self.no(Reject::TooManyLines) });
        }
        if slip.shape.each_way() != EachWay::No {
            for (at, leg) in found.iter_mut().enumerate() {
                let Some((places, fraction)) = self.place_terms(leg.market, ruleset) else {
                    let detail = at as u8;
                    return Err(Answer { detail, ..self.no(Reject::EachWayNotOffered) });
                };
                leg.places = places;
                leg.fraction = Some(fraction);
            }
        }
        if slip.bonus && lines != 1 {
            return Err(self.no(Reject::BonusTerms));
        }
        Ok(())
    }

    /// The each-way terms of a market at this moment.
    pub(crate) fn place_terms(&self, index: u32, ruleset: u16) -> Option<(u8, PlaceFraction)> {
        let market = &self.markets[index as usize];
        let handicap = match market.each_way {
            EachWayOffer::No => return None,
            EachWayOffer::Own => return Some((market.places, market.fraction?)),
            EachWayOffer::ByTable => false,
            EachWayOffer::Handicap => true,
        };
        let block = &self.selections[market.first as usize..][..usize::from(market.selections)];
        let runners = block.iter().filter(|s| !s.withdrawn).count() as u16;
        let terms = self.houses[usize::from(ruleset)].places.terms(runners, handicap)?;
        Some((terms.places, terms.fraction))
    }

    /// The limits in force: the market's own in this currency, else the currency's.
    pub(crate) fn limits(&self, book: u8, market: u32) -> &Limits {
        let own = self.own_limits.at(book, market).as_ref();
        own.unwrap_or(&self.currency_limits[usize::from(book)])
    }

    /// Of several markets the tightest of each limit on a bet; the largest stakes are scaled.
    pub(crate) fn tightest_limits(&self, book: u8, account: u32, found: &[Found]) -> Limits {
        let of = |leg: &Found| {
            let limits = self.limits(book, leg.market);
            let max_stake = self.largest_allowed(account, leg.market, limits.max_stake);
            Limits { max_stake, ..*limits }
        };
        let mut limits = of(&found[0]);
        for leg in &found[1..] {
            let other = of(leg);
            limits.min_stake = limits.min_stake.max(other.min_stake);
            limits.max_stake = limits.max_stake.min(other.max_stake);
            limits.max_payout = limits.max_payout.min(other.max_payout);
        }
        limits
    }

    /// Whether a trader has to look at the stake; an error if not even a trader may take it.
    fn stake_within(
        &self,
        stake: Stake,
        limits: &Limits,
        percent: u32,
        trader: bool,
    ) -> Result<bool, Answer> {
        let stake = Minor::from(stake);
        if stake < limits.min_stake {
            let amount = limits.min_stake;
            return Err(Answer { amount, ..self.no(Reject::StakeTooSmall) });
        }
        if stake <= limits.max_stake || trader {
            return Ok(false);
        }
        if i128::from(stake.0) <= referable(i128::from(limits.max_stake.0), percent) {
            return Ok(true);
        }
        let amount = limits.max_stake;
        Err(Answer { amount, ..self.no(Reject::StakeTooLarge) })
    }

    /// The most that a slip may return, and the cap on what it pays.
    fn payout_within(
        &self,
        slip: &Slip,
        stake: Stake,
        house: &crate::ruleset::HouseSet,
        limits: &Limits,
        scratch: &mut Scratch,
    ) -> Result<(i64, i64), Answer> {
        let plain = slip.is_plain();
        let returns = if plain {
            Ok(risk::returns(stake, scratch.found[0].quote.price, house.rounding.mode))
        } else {
            greatest_returns(slip.shape, stake, house, scratch)
        };
        let cap = limits.max_payout.0;
        match (returns, house.payout_cap) {
            (Ok(returns), _) if returns <= cap => Ok((returns, NO_CAP)),
            (_, PayoutCap::Pay) => Ok((cap, cap)),
            (returns, PayoutCap::Refuse) => {
                let amount = match returns {
                    _ if plain => risk::stake_for_payout(scratch.found[0].quote.price, limits),
                    // What a ticket returns grows with its stake; rounded down, so does this.
                    Ok(returns) => share_of(stake.minor(), cap, returns),
                    Err(_) => 0,
                };
                Err(Answer { amount: Minor(amount), ..self.no(Reject::PayoutLimit) })
            }
        }
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

    /// Gives the bet and its legs their places, and its markets the legs.
    fn write_bet(
        &mut self,
        key: RequestKey,
        account: u32,
        slip: &Slip,
        ruleset: u16,
        passed: &Passed,
        scratch: &Scratch,
    ) -> BetId {
        let legs = slip.shape.legs();
        let mut bet = Bet {
            stake: passed.stake.minor(),
            returns: passed.returns,
            cap: passed.cap,
            paid: 0,
            cashed: 0,
            generation: 1,
            account,
            first: NONE,
            folds: slip.shape.folds(),
            bankers: slip.shape.bankers(),
            legs,
            each_way: slip.shape.each_way(),
            undecided: legs,
            present: legs,
            state: BetState::Offered,
            book: self.ledger.accounts[account as usize].currency,
            policy: slip.policy as u8,
            basis: 0,
            synthetic: slip.synthetic,
            bonus: slip.bonus,
            cancelled: false,
            single: slip.single,
            slippage: slip.slippage,
            ruleset,
            settlements: 0,
            placed_seq: self.seq,
            placed_at: self.now,
            staked_at: Timestamp::MIN,
            paid_at: Timestamp::MIN,
            until: Timestamp(0),
            floor: slip.floor,
            key,
            unit: slip.unit,
            ask: Ask::default(),
            auto: 0,
            hold: Hold::default(),
        };
        let index = match self.free_bet {
            NONE => {
                self.bets.push(bet);
                self.bets.len() as u32 - 1
            }
            index => {
                let place = &self.bets[index as usize];
                self.free_bet = place.first;
                bet.generation = place.generation + 1;
                self.bets[index as usize] = bet;
                index
            }
        };
        let mut sibling = NONE;
        for (wanted, leg) in scratch.wanted.iter().zip(&scratch.found).rev() {
            sibling = self.write_leg(index, sibling, wanted, leg);
        }
        self.bets[index as usize].first = sibling;
        // In the order of the ticket.
        let mut at = sibling;
        while at != NONE {
            self.link_leg(at);
            at = self.legs[at as usize].sibling;
        }
        self.live_bets += 1;
        self.live_legs += u32::from(legs);
        let id = bet.id(index);
        self.ledger.accounts[account as usize].pending += bet.returns;
        id
    }

    fn write_leg(&mut self, bet: u32, sibling: u32, wanted: &Wanted, found: &Found) -> u32 {
        let leg = Leg {
            bet,
            market: found.market,
            generation: self.markets[found.market as usize].generation,
            sibling,
            present: true,
            places: found.places,
            fraction: found.fraction,
            selection: wanted.selection,
            feed: found.quote.feed,
            requested: wanted.price,
            requested_version: wanted.version,
            price: found.quote.price,
            version: found.quote.version,
            price_age: found.quote.age,
            settles_at: found.quote.price,
            reach: found.reach,
            ..Leg::filler()
        };
        match self.free_leg {
            NONE => {
                self.legs.push(leg);
                self.legs.len() as u32 - 1
            }
            index => {
                let place = &mut self.legs[index as usize];
                self.free_leg = place.sibling;
                *place = leg;
                index
            }
        }
    }

    fn link_leg(&mut self, at: u32) {
        let market = &mut self.markets[self.legs[at as usize].market as usize];
        match market.tail {
            NONE => market.head = at,
            tail => self.legs[tail as usize].next = at,
        }
        market.tail = at;
    }

    /// The places of a bet's legs, in their order.
    pub(crate) fn legs_of(&self, bet: &Bet) -> LegPlaces<'_> {
        LegPlaces { legs: &self.legs, at: bet.first }
    }

    /// The bet waits; its end comes by a timer, or before.
    pub(crate) fn begin_wait(
        &mut self,
        id: BetId,
        state: BetState,
        why: PendingWhy,
        until: Timestamp,
        events: &mut Events,
    ) -> Answer {
        let bet = &mut self.bets[id.index() as usize];
        bet.state = state;
        bet.until = until;
        let bet = *bet;
        self.timers.push(Reverse((due(&bet), self.seq, id)));
        events.push(&BetPending {
            bet: id,
            account: AccountId::new(bet.account, 1),
            stake: Minor(bet.stake),
            returns: Minor(bet.returns),
            until,
            why: why as u8,
            synthetic: u8::from(bet.synthetic),
            currency: self.currency_of(&bet),
            legs: bet.legs,
            bonus: u8::from(bet.bonus),
            zero: 0,
            ruleset: u32::from(bet.ruleset),
            zero2: 0,
        });
        let answer = Answer::pending(self.seq, id, why, until);
        Answer { stake: Minor(bet.stake), amount: Minor(bet.returns), ..answer }
    }

    pub(crate) fn currency_of(&self, bet: &Bet) -> u16 {
        self.ledger.books[usize::from(bet.book)].currency.numeric()
    }

    /// Offers the bet at the terms that it has now.
    pub(crate) fn offer(&mut self, id: BetId, until: Timestamp, events: &mut Events) -> Answer {
        let bet = &mut self.bets[id.index() as usize];
        bet.until = until;
        let bet = *bet;
        self.timers.push(Reverse((due(&bet), self.seq, id)));
        for (number, at) in self.legs_of(&bet).enumerate() {
            let leg = &self.legs[at as usize];
            events.push(&BetOffered {
                bet: id,
                account: AccountId::new(bet.account, 1),
                market: leg.market_id(),
                stake: Minor(bet.stake),
                requested: leg.requested,
                price: leg.price,
                version: leg.version,
                requested_version: leg.requested_version,
                price_age: leg.price_age,
                until: bet.until,
                selection: leg.selection,
                currency: self.currency_of(&bet),
                policy: bet.policy,
                synthetic: u8::from(bet.synthetic),
                slippage: bet.slippage,
                leg: number as u8,
                legs: bet.legs,
                bonus: u8::from(bet.bonus),
                places: leg.places,
                ruleset: u32::from(bet.ruleset),
                returns: Minor(bet.returns),
            });
        }
        let leg = &self.legs[bet.first as usize];
        Answer {
            id: id.raw(),
            stake: Minor(bet.stake),
            amount: Minor(bet.returns),
            ..Answer::of(AnswerKind::Offered, self.seq)
        }
        .with_price(Basis::Offer, leg.price, leg.version)
        .with_until(bet.until)
    }

    /// The bet becomes Open: its liability counts from here, and the evidence is written down.
    pub(crate) fn open_bet(
        &mut self,
        key: RequestKey,
        id: BetId,
        basis: Basis,
        events: &mut Events,
    ) -> Answer {
        let bet = &mut self.bets[id.index() as usize];
        let from = bet.state;
        bet.state = bet.state.after(BetStep::Accept).expect("only what waits becomes a bet");
        bet.basis = basis as u8;
        self.count_bet(id.index());
        let bet = &self.bets[id.index() as usize];
        let first = &self.legs[bet.first as usize];
        if bet.single {
            let worst = self.risk.worst(self.market_bets(bet.book, first.market));
            events.push(&BetOpened {
                bet: id,
                account: AccountId::new(bet.account, 1),
                market: first.market_id(),
                stake: Minor(bet.stake),
                returns: Minor(bet.returns),
                requested: first.requested,
                requested_version: first.requested_version,
                price: first.price,
                version: first.version,
                price_age: first.price_age,
                placed_at: bet.placed_at,
                placed_seq: bet.placed_seq,
                feed: first.feed,
                selection: first.selection,
                currency: self.currency_of(bet),
                slippage: bet.slippage,
                policy: bet.policy,
                basis: bet.basis,
                synthetic: u8::from(bet.synthetic),
                from: from as u8,
                ruleset: u32::from(bet.ruleset),
                rules_version: R::VERSION,
                logic_version: LOGIC_VERSION,
                market_worst: Minor(i64::try_from(worst).unwrap_or(i64::MAX)),
                key,
            });
        } else {
            self.tell_ticket(key, id, bet, from, events);
        }
        self.act_on_bet(id.index(), events);
        let bet = &self.bets[id.index() as usize];
        let first = &self.legs[bet.first as usize];
        let plain = bet.legs == 1;
        let price = if plain { first.price } else { WirePrice::NONE };
        let version = if plain { first.version } else { PriceVersion(0) };
        let ages = self.legs_of(bet).map(|at| self.legs[at as usize].price_age);
        let age = ages.max().unwrap_or(Nanos::ZERO);
        Answer {
            id: id.raw(),
            stake: Minor(bet.stake),
            amount: Minor(bet.returns),
            ..Answer::of(AnswerKind::Accepted, self.seq)
        }
        .with_price(basis, price, version)
        .with_age(age)
    }

    fn tell_ticket(
        &self,
        key: RequestKey,
        id: BetId,
        bet: &Bet,
        from: BetState,
        events: &mut Events,
    ) {
        events.push(&TicketOpened {
            bet: id,
            account: AccountId::new(bet.account, 1),
            stake: Minor(bet.stake),
            returns: Minor(bet.returns),
            placed_at: bet.placed_at,
            placed_seq: bet.placed_seq,
            floor: bet.floor,
            folds: bet.folds,
            bankers: bet.bankers,
            lines: u32::try_from(bet.shape().lines()).unwrap_or(u32::MAX),
            legs: bet.legs,
            each_way: EachWayKind::from(bet.each_way) as u8,
            policy: bet.policy,
            basis: bet.basis,
            currency: self.currency_of(bet),
            slippage: bet.slippage,
            synthetic: u8::from(bet.synthetic),
            bonus: u8::from(bet.bonus),
            ruleset: u32::from(bet.ruleset),
            rules_version: R::VERSION,
            logic_version: LOGIC_VERSION,
            key,
            unit: Minor(bet.unit),
            from: from as u8,
            zero: [0; 13],
        });
        for (number, at) in self.legs_of(bet).enumerate() {
            let leg = &self.legs[at as usize];
            events.push(&LegBound {
                bet: id,
                market: leg.market_id(),
                requested: leg.requested,
                requested_version: leg.requested_version,
                price: leg.price,
                version: leg.version,
                price_age: leg.price_age,
                reach: Minor(leg.reach),
                feed: leg.feed,
                selection: leg.selection,
                leg: number as u8,
                places: leg.places,
                place_num: leg.fraction.map_or(0, PlaceFraction::num),
                place_den: leg.fraction.map_or(0, PlaceFraction::den),
                winners: self.markets[leg.market as usize].winners,
                zero: [0; 14],
            });
        }
    }

    /// The most that a bet returns, and what it could win with each selection, computed anew from its
    /// stake and the prices that it settles at. It must not be counted meanwhile.
    pub(crate) fn measure(&mut self, index: u32) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let bet = self.bets[index as usize];
        self.find_bound(&bet, &mut scratch);
        let house = &self.houses[usize::from(bet.ruleset)];
        let (shape, stake) = (bet.shape(), bet.exact_stake());
        let returns = if bet.is_plain() {
            risk::returns(stake, scratch.found[0].quote.price, house.rounding.mode)
        } else {
            // Too much for money: the account's room for it will say so.
            let greatest = greatest_returns(shape, stake, house, &mut scratch);
            greatest.unwrap_or(Money::MAX.minor())
        };
        let returns = returns.min(bet.cap);
        if !bet.is_plain() {
            reaches(shape, stake, returns, &mut scratch);
            let mut at = bet.first;
            for found in &scratch.found {
                self.legs[at as usize].reach = found.reach;
                at = self.legs[at as usize].sibling;
            }
        }
        self.bets[index as usize].returns = returns;
        self.scratch = scratch;
    }

    /// The legs of a bet with the prices that it settles at.
    pub(crate) fn find_bound(&self, bet: &Bet, scratch: &mut Scratch) {
        scratch.found.clear();
        for at in self.legs_of(bet) {
            let leg = &self.legs[at as usize];
            let (price, version, age) = (leg.settles_at, leg.version, leg.price_age);
            let (exact, feed) = (price.price().expect("a leg has a price"), leg.feed);
            scratch.found.push(Found {
                market: leg.market,
                quote: Quote { price, exact, version, age, feed },
                places: leg.places,
                fraction: leg.fraction,
                reach: leg.reach,
            });
        }
    }

    pub(crate) fn timers_are_full(&self) -> bool {
        self.timers_max() <= self.timers.len()
    }
}

/// The cap of a bet that has none.
pub(crate) const NO_CAP: i64 = i64::MAX;

/// All of an exact sum is kept before it is rounded.
pub(crate) const KEEP_ALL: u32 = 1_000_000;

/// When a bet's wait ends: holds, offers and referrals may be answered up to their last moment, delays end at it.
pub(crate) fn due(bet: &Bet) -> Timestamp {
    match bet.state {
        BetState::Held | BetState::Offered | BetState::Referred => bet.until.plus(Nanos(1)),
        _ => bet.until,
    }
}

/// So much of `whole` as `part` is of `of`, rounded down.
fn share_of(whole: i64, part: i64, of: i64) -> i64 {
    let whole = i128::from(whole) * i128::from(part);
    let share = pricing::div_round(whole, of.max(1).into(), RoundingMode::Down);
    i64::try_from(share).unwrap_or(i64::MAX).clamp(0, Stake::MAX.minor())
}

/// The most that a ticket can return: everything wins and every runner that wins also places, or one
/// alone wins and has a bonus for that; bonuses included.
pub(crate) fn greatest_returns(
    shape: Shape,
    stake: Stake,
    house: &crate::ruleset::HouseSet,
    scratch: &mut Scratch,
) -> Result<i64, TicketError> {
    let Scratch { found, win, place, extra, .. } = scratch;
    *extra = i64::MAX;
    win.clear();
    place.clear();
    for leg in found.iter() {
        let odds = quoted(leg.quote.price);
        win.push(Factor::open(odds, Part::Win));
        let part = leg.fraction.map_or(Part::Win, Part::Place);
        place.push(Factor::open(odds, part));
    }
    let returns = pricing::ticket::returns(shape, stake, win, place, KEEP_ALL, house.rounding)?;
    let mut prices = [pricing::Quoted::decimal(Price::MIN); pricing::LEGS_MAX];
    for (to, leg) in prices.iter_mut().zip(found.iter()) {
        *to = quoted(leg.quote.price);
    }
    let won = [pricing::LegNumbers::WON; pricing::LEGS_MAX];
    let legs = found.len();
    let prices = &prices[..legs];
    let mode = house.rounding.mode;
    let bonus_of = |numbers: &[pricing::LegNumbers]| {
        pricing::bonus(shape, stake, prices, numbers, &house.lucky, mode)
    };
    let sum = |returns: Money, bonus| returns.checked_add(bonus).ok_or(TicketError::TooLarge);
    let mut bonus = bonus_of(&won[..legs])?;
    let mut most = sum(returns, bonus)?;
    if 1 < pricing::bonus_terms(shape, &house.lucky).one_winner {
        for winner in 0..legs {
            let mut alone = [pricing::LegNumbers::PLACED; pricing::LEGS_MAX];
            alone[winner] = pricing::LegNumbers::WON;
            let mut wins = [Factor::ZERO; pricing::LEGS_MAX];
            wins[winner] = win[winner];
            let wins = &wins[..legs];
            let returns =
                pricing::ticket::returns(shape, stake, wins, place, KEEP_ALL, house.rounding)?;
            let lone = bonus_of(&alone[..legs])?;
            bonus = bonus.max(lone);
            most = most.max(sum(returns, lone)?);
        }
    }
    // Each line that is rounded up for itself may bring a unit more than its exact return.
    let by_line = house.rounding.point == RoundingPoint::Line && mode != RoundingMode::Down;
    let rounded = if by_line { shape.lines() as i64 } else { 0 };
    *extra = bonus.minor() + rounded;
    Ok(most.minor())
}

/// Puts what a ticket could win with each of its selections beside them; the factors were computed for
/// its payout. A ticket whose sum is too large counts by the cap on what it pays.
pub(crate) fn reaches(shape: Shape, stake: Stake, returns: i64, scratch: &mut Scratch) {
    let Scratch { found, win, place, reach, extra, .. } = scratch;
    reach.clear();
    reach.resize(found.len(), Money::ZERO);
    let bound = (returns - stake.minor()).max(0);
    let known = pricing::reach(shape, stake, win, place, reach).is_ok();
    for (leg, reach) in found.iter_mut().zip(reach.iter()) {
        // The lines that hold a selection win no more than all lines together.
        leg.reach = if known { reach.minor().saturating_add(*extra).min(bound) } else { bound };
    }
}

/// The places of a bet's legs.
#[derive(Clone)]
pub(crate) struct LegPlaces<'a> {
    legs: &'a [Leg],
    at: u32,
}

impl Iterator for LegPlaces<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.at == NONE {
            return None;
        }
        let at = self.at;
        self.at = self.legs[at as usize].sibling;
        Some(at)
    }
}

/// Whether a customer who asked for `requested` takes `current` (BETTING: price-change policies).
pub(crate) fn agrees(
    policy: PricePolicy,
    requested: WirePrice,
    current: WirePrice,
    slippage: u16,
) -> bool {
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
