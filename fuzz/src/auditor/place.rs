//! Bets as the rules have them: gates in their order, what a price is worth and how old it is, what a bet may
//! cost.

use super::liability::{Judged, Weight, stretched};
use super::lines::{ALL_ODDS, Lines, OfOdds, Ratio, Rounded};
use super::rules::Gate;
use super::{Auditor, Bet, Checked, Decided, Leg, Market, Side, and, money};
use betring_core::BetState;
use betring_core::LOGIC_VERSION;
use betring_core::answer::{Answer, AnswerKind, Basis};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};
use betring_pricing::{EachWay, LegNumbers, Money, RoundingMode, Stake};
use zerocopy::IntoBytes;

/// Profit and stake of a price: what is won for how much. As exact as the source was.
pub(super) fn odds(price: WirePrice) -> (i128, i128) {
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
pub(super) fn takes(policy: PricePolicy, asked: WirePrice, now: WirePrice, slippage: u16) -> bool {
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

/// So much of a whole as a part is of all, rounded down; a stake.
fn share_of(whole: i128, part: i128, of: i128) -> i128 {
    (whole * part / of.max(1)).clamp(0, i128::from(Stake::MAX.minor()))
}

/// A refusal that is about one leg: its number stands in the answer's fourth byte.
fn of_leg_number(answer: Answer, leg: usize) -> Answer {
    let mut answer = answer;
    answer.as_mut_bytes()[3] = leg as u8;
    answer
}

/// When a bet goes through the gates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Asked,
    /// Its delay has passed.
    Again,
    /// As when it was asked for: its wallet holds the stake now.
    Confirmed,
    /// A trader says yes.
    Trader,
}

/// What a customer asks for.
#[derive(Clone, Debug)]
pub(super) struct Slip {
    pub(super) stake: i128,
    pub(super) unit: i128,
    pub(super) lines: Lines,
    pub(super) policy: PricePolicy,
    pub(super) slippage: u16,
    pub(super) floor: u64,
    pub(super) bonus: bool,
    pub(super) synthetic: bool,
    pub(super) single: bool,
    pub(super) wanted: Vec<Wanted>,
}

/// One leg of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) market: MarketId,
    pub(super) selection: usize,
    pub(super) price: WirePrice,
    pub(super) version: u64,
    /// A trader's price, whatever is in force.
    pub(super) given: WirePrice,
}

/// The same leg with what is in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) price: WirePrice,
    pub(super) version: u64,
    pub(super) age: i64,
    /// Whose price it is.
    pub(super) feed: u16,
    pub(super) places: u8,
    pub(super) part: OfOdds,
    pub(super) reach: i128,
}

/// What passed every gate.
pub(super) struct Bound {
    pub(super) stake: i128,
    pub(super) returns: i128,
    pub(super) cap: Option<i128>,
    pub(super) terms: Vec<Terms>,
    pub(super) agreed: bool,
    pub(super) refer: bool,
    pub(super) delay: i64,
}

impl Auditor {
    pub(super) fn set(&self, number: usize) -> &Ruleset {
        &self.rulesets[number]
    }

    pub(super) fn rounded(&self, ruleset: usize) -> Rounded {
        let set = self.set(ruleset);
        Rounded {
            mode: rounding_mode(set.rounding).unwrap_or_default(),
            by_line: set.rounding_place == RoundingPlace::Line as u8,
        }
    }

    /// Whether a market and a selection take bets.
    pub(super) fn takes_bets(&self, id: MarketId, selection: usize) -> Result<&Market, Answer> {
        let Some(market) = self.markets.get(&id.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let Some(runner) = market.runners.get(selection) else {
            return Err(self.no(Reject::SelectionUnknown));
        };
        // What people said of prices before the last start has to be said again.
        let pinned = runner.pin.is_some();
        let waits = (market.feed == 0 || pinned) && market.opened_in != self.epoch;
        match market.status {
            MarketStatus::Defined => return Err(self.no(Reject::MarketNotOpen)),
            MarketStatus::Open if waits => return Err(self.no(Reject::MarketNotOpen)),
            MarketStatus::Open => (),
            _ => return Err(self.no(Reject::MarketClosed)),
        }
        // What is placed while its moment is cancelled would be void.
        let now = self.now;
        let is_void = |w: &super::Window| w.active && w.from <= now && now < w.until;
        if self.is_suspended(market, Some(selection)) || market.windows.iter().any(is_void) {
            return Err(self.no(Reject::MarketSuspended));
        }
        if runner.out {
            return Err(self.no(Reject::SelectionWithdrawn));
        }
        if pinned {
            return Ok(market);
        }
        let driving = self.driving(market);
        if self.is_quarantined(FeedId(driving)) {
            return Err(self.no(Reject::FeedQuarantined));
        }
        if !self.feed_is_up(driving) {
            return Err(self.no(Reject::FeedDown));
        }
        if self.has_drifted(market, self.tier(market).drift_dwell.0) {
            return Err(self.no(Reject::PriceDrifted));
        }
        Ok(market)
    }

    pub(super) fn place(&mut self, header: &Header, body: &Place, given: u64) -> Checked<Decided> {
        let slip = Slip {
            stake: i128::from(body.stake.0),
            unit: 0,
            lines: Lines::single(),
            policy: PricePolicy::from_code(body.policy).unwrap_or(PricePolicy::Exact),
            slippage: body.slippage,
            floor: 0,
            bonus: false,
            synthetic: header.flags & Header::SYNTHETIC != 0,
            single: true,
            wanted: vec![Wanted {
                market: body.market,
                selection: usize::from(body.selection.0),
                price: body.price,
                version: body.version.0,
                given: WirePrice::NONE,
            }],
        };
        self.place_slip(header, &slip, given)
    }

    pub(super) fn place_ticket(
        &mut self,
        header: &Header,
        body: &PlaceTicket,
        legs: Entries<'_, LegEntry>,
        given: u64,
    ) -> Checked<Decided> {
        let each_way = match EachWayKind::from_code(body.each_way) {
            Some(EachWayKind::WinToWin) => EachWay::WinToWin,
            Some(EachWayKind::EquallyDivided) => EachWay::EquallyDivided,
            Some(EachWayKind::No) | None => EachWay::No,
        };
        let (folds, bankers) = (body.folds, body.bankers);
        let lines = Lines { legs: usize::from(body.legs), folds, bankers, each_way };
        let by_line = body.stake_kind == StakeKind::Unit as u8;
        let unit = if by_line { i128::from(body.stake.0) } else { 0 };
        let wanted = |leg: LegEntry| Wanted {
            market: leg.market,
            selection: usize::from(leg.selection.0),
            price: leg.price,
            version: leg.version.0,
            given: WirePrice::NONE,
        };
        let slip = Slip {
            stake: if by_line {
                unit * i128::from(lines.count())
            } else {
                i128::from(body.stake.0)
            },
            unit,
            lines,
            policy: PricePolicy::from_code(body.policy).unwrap_or(PricePolicy::Exact),
            slippage: body.slippage,
            floor: body.floor,
            bonus: body.bonus == 1,
            synthetic: header.flags & Header::SYNTHETIC != 0,
            single: false,
            wanted: legs.iter().map(wanted).collect(),
        };
        self.place_slip(header, &slip, given)
    }

    fn place_slip(&mut self, header: &Header, slip: &Slip, given: u64) -> Checked<Decided> {
        let ruleset = self.rulesets.len() - 1;
        let Some(account) = self.accounts.get(&header.account) else {
            return Ok(Err(self.no(Reject::AccountUnknown)));
        };
        let currency = account.currency;
        let bound = match self.gates(header.account, slip, ruleset, Moment::Asked) {
            Ok(bound) => bound,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let asks_wallet = self.is_external(header.account) && !slip.bonus;
        let waits = asks_wallet || bound.refer || bound.delay != 0;
        if waits && self.timers_are_full(Reject::TooManyPending) {
            return Ok(Err(self.no(Reject::TooManyPending)));
        }
        self.fresh('B', given)?;
        let leg = |(wanted, terms): (&Wanted, &Terms)| Leg {
            market: wanted.market.raw(),
            selection: wanted.selection,
            requested: wanted.price,
            requested_version: wanted.version,
            price: terms.price,
            version: terms.version,
            price_age: terms.age,
            settles_at: terms.price,
            places: terms.places,
            part: terms.part,
            reach: terms.reach,
            feed: terms.feed,
            known: None,
            may_be: Vec::new(),
            gone: false,
        };
        let bet = Bet {
            account: header.account,
            currency,
            stake: bound.stake,
            returns: bound.returns,
            cap: bound.cap,
            paid: 0,
            cashed: 0,
            legs: slip.wanted.iter().zip(&bound.terms).map(leg).collect(),
            lines: slip.lines,
            single: slip.single,
            bonus: slip.bonus,
            cancelled: false,
            policy: slip.policy as u8,
            slippage: slip.slippage,
            floor: slip.floor,
            unit: slip.unit,
            synthetic: slip.synthetic,
            ruleset,
            basis: 0,
            settlements: 0,
            placed_seq: self.seq,
            placed_at: self.now,
            taken_at: None,
            paid_on: None,
            until: 0,
            state: BetState::Offered,
            key: header.key,
            ask: None,
            auto: 0,
            hold: None,
        };
        let escrow = Side::House(HouseAccount::Escrow);
        let (from, stake) = (bet.money_from(), bet.stake);
        self.bets.insert(given, bet);
        // A job that runs on its market comes to it too.
        self.news_may_reach(given);
        if asks_wallet {
            return Ok(Ok(self.asks_wallet(given, &bound)));
        }
        self.transfer(currency, from, escrow, stake, TransferWhy::Stake, given);
        let set = *self.set(ruleset);
        if bound.refer {
            self.hit("-", "refer");
            let until = self.now.saturating_add(set.refer_ttl.0);
            return Ok(Ok(self.holds(given, BetState::Referred, PendingWhy::Referral, until)));
        }
        if bound.delay != 0 {
            self.hit("-", "delay");
            let until = self.now.saturating_add(bound.delay);
            return Ok(Ok(self.holds(given, BetState::Delayed, PendingWhy::Delay, until)));
        }
        self.hit("-", if bound.agreed { "place" } else { "offer" });
        if bound.agreed {
            return Ok(Ok(self.opens(header.key, given, Basis::InForce)));
        }
        Ok(Ok(self.offers(given)))
    }

    /// Every gate in its order: the first that says no is the answer.
    pub(super) fn gates(
        &self,
        account_id: u64,
        slip: &Slip,
        ruleset: usize,
        moment: Moment,
    ) -> Result<Bound, Answer> {
        let account = self.accounts.get(&account_id);
        let account = account.ok_or_else(|| self.no(Reject::AccountUnknown))?;
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        self.excluded(account)?;
        if account.synthetic != slip.synthetic {
            return Err(self.no(Reject::AccountKind));
        }
        let first = matches!(moment, Moment::Asked | Moment::Confirmed);
        if first && !slip.bonus {
            let held = self.held_for(account_id);
            self.within_own(account, &[LimitKind::Stake, LimitKind::Loss], slip.stake, held)?;
        }
        let set = self.set(ruleset);
        let mut facts = self.facts_for_rules(account_id, slip, account);
        self.ask(Gate::Account, &mut facts)?;

        // Of all legs the refusal that comes first in the order of gates.
        let mut found = Vec::new();
        let mut refusals = Vec::new();
        for wanted in &slip.wanted {
            match self.terms(wanted, slip.synthetic) {
                Ok(terms) => found.push(terms),
                Err(no) => refusals.push(no),
            }
        }
        refusals.sort_by_key(Answer::reject);
        if let Some(no) = refusals.first() {
            return Err(*no);
        }
        let mut terms = found;
        let of_leg = |facts: &mut betring_core::BetFacts, at: usize, price: WirePrice| {
            let wanted = &slip.wanted[at];
            let market = self.markets.get(&wanted.market.raw());
            facts.market = wanted.market;
            facts.selection = SelectionIndex(wanted.selection as u16);
            facts.fixture = FixtureId::from_raw(market.map_or(0, |market| market.fixture));
            facts.starts = self.starts(wanted.market.raw());
            facts.price = price.price();
        };
        for (at, leg) in terms.iter().enumerate() {
            of_leg(&mut facts, at, leg.price);
            self.ask(Gate::Market, &mut facts)?;
        }

        let moved = slip.wanted.iter().zip(&terms).position(|(wanted, leg)| {
            let by_trader = !wanted.given.is_none();
            !by_trader && !takes(slip.policy, wanted.price, leg.price, slip.slippage)
        });
        let agreed = moved.is_none() && self.reaches_floor(slip, &terms);
        let house_offers =
            moment != Moment::Trader && set.price_failure == PriceFailure::Offer as u8;
        if !agreed && (!house_offers || self.timers_are_full(Reject::PriceMoved)) {
            let at = moved.unwrap_or(0);
            let no = and(self.no(Reject::PriceMoved), |no| {
                no.price = terms[at].price;
                no.version = PriceVersion(terms[at].version);
            });
            return Err(of_leg_number(no, at));
        }
        for (at, leg) in terms.iter().enumerate() {
            of_leg(&mut facts, at, leg.price);
            self.ask(Gate::Price, &mut facts)?;
        }
        if !slip.single {
            self.shape_is_taken(slip, ruleset, &mut terms)?;
        }
        self.ask(Gate::Stake, &mut facts)?;
        let limits = self.limits_of_all(slip, account_id, account.currency);
        let percent = if first { set.refer_percent } else { 0 };
        let trader = moment == Moment::Trader;
        let asked = i128::from(facts.stake.minor());
        let mut refer = self.within_stakes(asked, &limits, percent, trader)?;
        let mut payout = self.within_payout(slip, asked, ruleset, &limits, &terms)?;
        // What a rule reduces here has to be within the limits again.
        self.ask(Gate::Liability, &mut facts)?;
        let stake = i128::from(facts.stake.minor());
        if stake != asked {
            refer = self.within_stakes(stake, &limits, percent, trader)?;
            payout = self.within_payout(slip, stake, ruleset, &limits, &terms)?;
        }
        let (would_return, cap) = payout;
        let plain = slip.lines.is_plain();
        if !plain {
            self.measure_reach(slip.lines, stake, would_return, ruleset, &mut terms);
        }
        // A trader may go beyond, and what probes bet is nobody's loss.
        if !trader && !slip.synthetic {
            let judged = Judged {
                account: account_id,
                currency: account.currency,
                lines: slip.lines,
                wanted: &slip.wanted,
                percent,
            };
            let reach = terms.iter().map(|leg| leg.reach).collect();
            let weight = Weight { stake, returns: would_return, reach };
            refer |= self.within_liability(&judged, &weight).map_err(|detail| {
                let weigh = |stake| self.weigh(slip.lines, stake, ruleset, &terms);
                let funds = match slip.bonus {
                    true => account.bonus,
                    false if account.external || moment != Moment::Asked => i128::MAX,
                    false => account.balance,
                };
                let bounds = (i128::from(limits.min_stake.0), funds);
                self.too_much(&judged, detail, stake, weigh, bounds)
            })?;
        }
        if moment == Moment::Asked {
            let funds = if slip.bonus { account.bonus } else { account.balance };
            let held = account.external && !slip.bonus;
            if !held && funds < stake {
                return Err(self.no(Reject::FundsInsufficient));
            }
            if !self.has_room_for(account_id, would_return) {
                return Err(self.no(Reject::BalanceLimit));
            }
        }
        let delay = |wanted: &Wanted| self.markets.get(&wanted.market.raw()).map(|m| m.delay);
        let delay = slip.wanted.iter().filter_map(delay).max().unwrap_or(0);
        Ok(Bound {
            stake,
            returns: would_return,
            cap,
            terms,
            agreed,
            refer: first && (refer || facts.refer),
            delay: if first { delay } else { 0 },
        })
    }

    fn terms(&self, wanted: &Wanted, synthetic: bool) -> Result<Terms, Answer> {
        let market = self.markets.get(&wanted.market.raw());
        if market.is_some_and(|market| market.canary && !synthetic) {
            return Err(self.no(Reject::AccountKind));
        }
        if self.is_exchange(wanted.market) {
            return Err(self.no(Reject::InvalidMarketId));
        }
        let market = self.takes_bets(wanted.market, wanted.selection)?;
        let (price, version, age, feed) = if wanted.given.is_none() {
            let shown = self.in_force(market, wanted.selection)?;
            (shown.price, shown.version, shown.age, shown.feed)
        } else {
            (wanted.given, 0, 0, self.driving(market))
        };
        Ok(Terms { price, version, age, feed, places: 0, part: ALL_ODDS, reach: 0 })
    }

    /// Whether the product of all prices is what the customer wants at least.
    fn reaches_floor(&self, slip: &Slip, terms: &[Terms]) -> bool {
        let all = Lines { legs: terms.len(), folds: 1 << (terms.len() - 1), ..Lines::single() };
        let odds: Vec<Ratio> = terms.iter().map(|leg| Ratio::open(leg.price, ALL_ODDS)).collect();
        let down = Rounded { mode: RoundingMode::Down, by_line: false };
        let product = all.returns(10_000, &odds, &odds, 1_000_000, down);
        product.is_none_or(|product| i128::from(slip.floor) <= product)
    }

    /// Legs that depend on each other, too many lines, no each-way terms, a free bet of several lines.
    fn shape_is_taken(
        &self,
        slip: &Slip,
        ruleset: usize,
        terms: &mut [Terms],
    ) -> Result<(), Answer> {
        let set = self.set(ruleset);
        let fixture = |wanted: &Wanted| {
            self.markets.get(&wanted.market.raw()).map_or(0, |market| market.fixture)
        };
        for (at, wanted) in slip.wanted.iter().enumerate() {
            let related = slip.wanted[..at].iter().any(|other| {
                let same = fixture(other) == fixture(wanted) && fixture(wanted) != 0;
                other.market == wanted.market || same
            });
            if related {
                return Err(of_leg_number(self.no(Reject::RelatedContingency), at));
            }
        }
        let lines = slip.lines.count();
        let too_many = u64::from(set.lines_max) < lines
            || usize::from(set.legs_max) < slip.lines.legs
            || (self.rounded(ruleset).by_line && 1_023 < lines);
        if too_many {
            return Err(and(self.no(Reject::TooManyLines), |no| no.id = lines));
        }
        if slip.lines.each_way != EachWay::No {
            for (at, (wanted, leg)) in slip.wanted.iter().zip(terms).enumerate() {
                let Some((places, part)) = self.place_terms(wanted.market.raw(), ruleset) else {
                    return Err(of_leg_number(self.no(Reject::EachWayNotOffered), at));
                };
                (leg.places, leg.part) = (places, part);
            }
        }
        if slip.bonus && lines != 1 {
            return Err(self.no(Reject::BonusTerms));
        }
        Ok(())
    }

    /// How many places are paid now, and which part of the odds.
    fn place_terms(&self, market: u64, ruleset: usize) -> Option<(u8, OfOdds)> {
        let market = self.markets.get(&market)?;
        if market.each_way == EachWayOffer::Own as u8 {
            return Some((market.places, market.part));
        }
        if market.each_way == EachWayOffer::No as u8 {
            return None;
        }
        let runners = market.runners.iter().filter(|runner| !runner.out).count();
        let rows = self.set(ruleset).places;
        let row = rows.iter().rfind(|row| row.from != 0 && usize::from(row.from) <= runners)?;
        let handicap = market.each_way == EachWayOffer::Handicap as u8;
        let [places, num, den] = if handicap { row.handicap } else { row.plain };
        (places != 0 || num != 0).then_some((places, (num, den)))
    }

    pub(super) fn limits_for(&self, market: &Market, currency: u16) -> Limits {
        let first = self.genesis.map(|genesis| genesis.limits).unwrap_or_default();
        let of_currency = self.currency_limits.get(&currency).copied().unwrap_or(first);
        market.limits.get(&currency).copied().unwrap_or(of_currency)
    }

    /// Of several markets the tightest of each.
    fn limits_of_all(&self, slip: &Slip, account: u64, currency: u16) -> Limits {
        let all: Vec<Limits> = slip
            .wanted
            .iter()
            .filter_map(|wanted| self.markets.get(&wanted.market.raw()))
            .map(|market| {
                let limits = self.limits_for(market, currency);
                let most = self.largest_stake(market, account, i128::from(limits.max_stake.0));
                Limits { max_stake: money(most), ..limits }
            })
            .collect();
        Limits {
            min_stake: all.iter().map(|l| l.min_stake).max().unwrap_or_default(),
            max_stake: all.iter().map(|l| l.max_stake).min().unwrap_or_default(),
            max_payout: all.iter().map(|l| l.max_payout).min().unwrap_or_default(),
            ..Limits::UNLIMITED
        }
    }

    /// Whether a trader has to look at the stake.
    fn within_stakes(
        &self,
        stake: i128,
        limits: &Limits,
        percent: u32,
        trader: bool,
    ) -> Result<bool, Answer> {
        let with = |amount: Minor, reject| and(self.no(reject), |no| no.amount = amount);
        let (least, most) = (i128::from(limits.min_stake.0), i128::from(limits.max_stake.0));
        if stake < least {
            return Err(with(limits.min_stake, Reject::StakeTooSmall));
        }
        if most < stake && !trader && stretched(most, percent) < stake {
            return Err(with(limits.max_stake, Reject::StakeTooLarge));
        }
        Ok(most < stake && !trader)
    }

    /// What a stake may return at most, and the cap on that.
    fn within_payout(
        &self,
        slip: &Slip,
        stake: i128,
        ruleset: usize,
        limits: &Limits,
        terms: &[Terms],
    ) -> Result<(i128, Option<i128>), Answer> {
        let most = i128::from(limits.max_payout.0);
        let would_return = self.greatest(slip.lines, stake, ruleset, terms);
        if let Some(would_return) = would_return
            && would_return <= most
        {
            return Ok((would_return, None));
        }
        if self.set(ruleset).payout_cap == PayoutCap::Pay as u8 {
            return Ok((most, Some(most)));
        }
        let amount = if slip.lines.is_plain() {
            // The largest whose exact return is within the cap, so that it is in every rounding.
            let (profit, per) = odds(terms[0].price);
            (most * per / (profit + per)).min(i128::from(Stake::MAX.minor()))
        } else {
            would_return.map_or(0, |would_return| share_of(stake, most, would_return))
        };
        Err(and(self.no(Reject::PayoutLimit), |no| no.amount = money(amount)))
    }

    /// What all lines return if everything wins and places; none if that is more than any money.
    fn greatest(&self, lines: Lines, stake: i128, ruleset: usize, terms: &[Terms]) -> Option<i128> {
        let rounded = self.rounded(ruleset);
        if lines.is_plain() {
            return Some(returns(stake, terms[0].price, rounded.mode));
        }
        let (win, place) = open_ratios(terms);
        let won = vec![LegNumbers::WON; terms.len()];
        let prices: Vec<WirePrice> = terms.iter().map(|leg| leg.price).collect();
        let lucky = self.set(ruleset).lucky;
        let all = lines.returns(stake, &win, &place, 1_000_000, rounded)?;
        let mut most = all + lines.bonus(stake, &prices, &won, lucky, rounded.mode)?;
        // A lone winner's bonus may be more than all that everything together brings.
        for (winner, bonus) in self.lone_bonuses(lines, stake, ruleset, terms)? {
            let alone: Vec<Ratio> = (0..terms.len())
                .map(|at| if at == winner { win[at] } else { Ratio::NOTHING })
                .collect();
            most = most.max(lines.returns(stake, &alone, &place, 1_000_000, rounded)? + bonus);
        }
        (most <= i128::from(Money::MAX.minor())).then_some(most)
    }

    /// What each leg brings beside its lines when it is the only one that wins, the others placed; only if that
    /// is anything.
    fn lone_bonuses(
        &self,
        lines: Lines,
        stake: i128,
        ruleset: usize,
        terms: &[Terms],
    ) -> Option<Vec<(usize, i128)>> {
        let prices: Vec<WirePrice> = terms.iter().map(|leg| leg.price).collect();
        let (lucky, mode) = (self.set(ruleset).lucky, self.rounded(ruleset).mode);
        let of = |winner: usize| {
            let mut alone = vec![LegNumbers::PLACED; terms.len()];
            alone[winner] = LegNumbers::WON;
            Some((winner, lines.bonus(stake, &prices, &alone, lucky, mode)?))
        };
        let all: Option<Vec<(usize, i128)>> = (0..terms.len()).map(of).collect();
        all.map(|all| all.into_iter().filter(|(_, bonus)| *bonus != 0).collect())
    }

    /// What may come beside the exact returns of lines: the largest bonus, a unit a line that is rounded up.
    fn beside_the_lines(
        &self,
        lines: Lines,
        stake: i128,
        ruleset: usize,
        terms: &[Terms],
    ) -> Option<i128> {
        // So much as to be more than any money.
        self.greatest(lines, stake, ruleset, terms)?;
        let rounded = self.rounded(ruleset);
        let won = vec![LegNumbers::WON; terms.len()];
        let prices: Vec<WirePrice> = terms.iter().map(|leg| leg.price).collect();
        let all = lines.bonus(stake, &prices, &won, self.set(ruleset).lucky, rounded.mode)?;
        let lone = self.lone_bonuses(lines, stake, ruleset, terms)?;
        let most = lone.into_iter().map(|(_, bonus)| bonus).fold(all, i128::max);
        let up = rounded.by_line && rounded.mode != RoundingMode::Down;
        Some(most + if up { i128::from(lines.count()) } else { 0 })
    }

    /// What the lines that hold each leg could win: no more than all of them together.
    fn measure_reach(
        &self,
        lines: Lines,
        stake: i128,
        returns: i128,
        ruleset: usize,
        terms: &mut [Terms],
    ) {
        let (win, place) = open_ratios(terms);
        let most = (returns - stake).max(0);
        let reach = lines.reach(stake, &win, &place);
        let beside = self.beside_the_lines(lines, stake, ruleset, terms);
        let known = reach.zip(beside);
        for (at, leg) in terms.iter_mut().enumerate() {
            leg.reach =
                known.as_ref().map_or(most, |(reach, beside)| (reach[at] + beside).min(most));
        }
    }

    /// The most that a bet returns and what it could win with each leg, from the prices it settles at.
    pub(super) fn measured(&self, bet: &Bet) -> Bet {
        let mut bet = bet.clone();
        let mut terms: Vec<Terms> = bet
            .legs
            .iter()
            .map(|leg| Terms {
                price: leg.settles_at,
                version: leg.version,
                age: leg.price_age,
                feed: leg.feed,
                places: leg.places,
                part: leg.part,
                reach: 0,
            })
            .collect();
        let greatest = self.greatest(bet.lines, bet.stake, bet.ruleset, &terms);
        let greatest = greatest.unwrap_or(i128::from(Money::MAX.minor()));
        bet.returns = bet.cap.map_or(greatest, |cap| greatest.min(cap));
        if !bet.lines.is_plain() {
            self.measure_reach(bet.lines, bet.stake, bet.returns, bet.ruleset, &mut terms);
            for (leg, terms) in bet.legs.iter_mut().zip(terms) {
                leg.reach = terms.reach;
            }
        }
        bet
    }

    /// What was asked for becomes a bet: its liability counts from here.
    pub(super) fn opens(&mut self, key: RequestKey, id: u64, basis: Basis) -> Answer {
        let Some(bet) = self.bets.get_mut(&id) else { return self.no(Reject::OfferUnknown) };
        let from = bet.state;
        bet.state = BetState::Open;
        bet.basis = basis as u8;
        let bet = bet.clone();
        if bet.single {
            self.tells_single(key, id, &bet, from);
        } else {
            self.tells_ticket(key, id, &bet, from);
        }
        self.judges_legs(id);
        let first = &bet.legs[0];
        let one = bet.legs.len() == 1;
        let age = bet.legs.iter().map(|leg| leg.price_age).max().unwrap_or(0);
        and(Answer::of(AnswerKind::Accepted, Seq(self.seq)), |accepted| {
            accepted.id = id;
            accepted.stake = money(bet.stake);
            accepted.amount = money(bet.returns);
        })
        .with_price(
            basis,
            if one { first.price } else { WirePrice::NONE },
            PriceVersion(if one { first.version } else { 0 }),
        )
        .with_age(Nanos(age))
    }

    fn tells_single(&mut self, key: RequestKey, id: u64, bet: &Bet, from: BetState) {
        let leg = &bet.legs[0];
        let all = self.liability(leg.market, bet.currency);
        let market = self.markets.get(&leg.market);
        let worst = market.map_or(0, |market| self.worst(market, all.staked, &all.returns));
        self.told.push(Event::BetOpened(BetOpened {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            market: MarketId::from_raw(leg.market),
            stake: money(bet.stake),
            returns: money(bet.returns),
            requested: leg.requested,
            requested_version: PriceVersion(leg.requested_version),
            price: leg.price,
            version: PriceVersion(leg.version),
            price_age: Nanos(leg.price_age),
            placed_at: Timestamp(bet.placed_at),
            placed_seq: Seq(bet.placed_seq),
            feed: FeedId(leg.feed),
            selection: SelectionIndex(leg.selection as u16),
            currency: bet.currency,
            slippage: bet.slippage,
            policy: bet.policy,
            basis: bet.basis,
            synthetic: u8::from(bet.synthetic),
            from: from as u8,
            ruleset: bet.ruleset as u32,
            rules_version: self.rules_version,
            logic_version: LOGIC_VERSION,
            market_worst: money(worst),
            key,
        }));
    }

    fn tells_ticket(&mut self, key: RequestKey, id: u64, bet: &Bet, from: BetState) {
        self.told.push(Event::TicketOpened(TicketOpened {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            key,
            stake: money(bet.stake),
            returns: money(bet.returns),
            unit: money(bet.unit),
            placed_at: Timestamp(bet.placed_at),
            placed_seq: Seq(bet.placed_seq),
            floor: bet.floor,
            folds: bet.lines.folds,
            bankers: bet.lines.bankers,
            lines: bet.lines.count() as u32,
            ruleset: bet.ruleset as u32,
            rules_version: self.rules_version,
            logic_version: LOGIC_VERSION,
            currency: bet.currency,
            slippage: bet.slippage,
            legs: bet.legs.len() as u8,
            each_way: EachWayKind::from(bet.lines.each_way) as u8,
            policy: bet.policy,
            basis: bet.basis,
            synthetic: u8::from(bet.synthetic),
            bonus: u8::from(bet.bonus),
            from: from as u8,
            zero: [0; 13],
        }));
        for (number, leg) in bet.legs.iter().enumerate() {
            let (place_num, place_den) = if leg.places == 0 { (0, 0) } else { leg.part };
            let winners = self.markets.get(&leg.market).map_or(0, |market| market.winners);
            self.told.push(Event::LegBound(LegBound {
                bet: BetId::from_raw(id),
                market: MarketId::from_raw(leg.market),
                requested: leg.requested,
                requested_version: PriceVersion(leg.requested_version),
                price: leg.price,
                version: PriceVersion(leg.version),
                price_age: Nanos(leg.price_age),
                reach: money(leg.reach),
                feed: FeedId(leg.feed),
                selection: SelectionIndex(leg.selection as u16),
                leg: number as u8,
                places: leg.places,
                place_num,
                place_den,
                winners: winners as u16,
                zero: [0; 14],
            }));
        }
    }

    /// An offer is judged by what it costs when it is taken; a trader's terms stand.
    pub(super) fn offer_is_within(&self, bet: &Bet) -> Result<(), Answer> {
        if bet.basis == Basis::Trader as u8 {
            return Ok(());
        }
        if bet.synthetic {
            return Ok(());
        }
        let asked: Vec<_> = bet.legs.iter().map(Leg::as_asked).collect();
        let wanted: Vec<Wanted> = asked.iter().map(|(wanted, _)| *wanted).collect();
        let judged = Judged {
            account: bet.account,
            currency: bet.currency,
            lines: bet.lines,
            wanted: &wanted,
            percent: 0,
        };
        let reach = asked.iter().map(|(_, terms)| terms.reach).collect();
        let weight = Weight { stake: bet.stake, returns: bet.returns, reach };
        self.within_liability(&judged, &weight).map(|_| ()).map_err(|detail| {
            let terms: Vec<Terms> = asked.iter().map(|(_, terms)| *terms).collect();
            let weigh = |stake| self.weigh(bet.lines, stake, bet.ruleset, &terms);
            let of = |wanted: &Wanted| {
                let market = self.markets.get(&wanted.market.raw());
                market.map(|market| self.limits_for(market, bet.currency).min_stake.0)
            };
            let least = wanted.iter().filter_map(of).max().unwrap_or(0);
            // Another stake would be taken from the one that the offer has.
            let bounds = (i128::from(least), bet.stake);
            self.too_much(&judged, detail, bet.stake, weigh, bounds)
        })
    }

    /// What another stake of the same would weigh.
    fn weigh(&self, lines: Lines, stake: i128, ruleset: usize, terms: &[Terms]) -> Option<Weight> {
        let returns = self.greatest(lines, stake, ruleset, terms)?;
        let mut terms = terms.to_vec();
        if !lines.is_plain() {
            self.measure_reach(lines, stake, returns, ruleset, &mut terms);
        }
        Some(Weight { stake, returns, reach: terms.iter().map(|leg| leg.reach).collect() })
    }

    pub(super) fn hit(&mut self, from: &str, step: &str) {
        *self.hits.bets.entry((from.to_owned(), step.to_owned())).or_default() += 1;
    }
}

impl Leg {
    /// The leg as it was asked for, and the terms that it has.
    pub(super) fn as_asked(&self) -> (Wanted, Terms) {
        let wanted = Wanted {
            market: MarketId::from_raw(self.market),
            selection: self.selection,
            price: self.requested,
            version: self.requested_version,
            given: WirePrice::NONE,
        };
        let terms = Terms {
            price: self.price,
            version: self.version,
            age: self.price_age,
            feed: self.feed,
            places: self.places,
            part: self.part,
            reach: self.reach,
        };
        (wanted, terms)
    }
}

fn open_ratios(terms: &[Terms]) -> (Vec<Ratio>, Vec<Ratio>) {
    let win = terms.iter().map(|leg| Ratio::open(leg.price, ALL_ODDS)).collect();
    (win, terms.iter().map(|leg| Ratio::open(leg.price, leg.part)).collect())
}
