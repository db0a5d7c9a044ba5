//! A bet's prices and its basis: what was in force at the record that bound it, and whether it might.

use super::holds;
use super::tickets::{self, Lines};
use super::world::InForce;
use super::{Agreed, Bet, Fold, Leg, Life, Rule};
use crate::describe::owners;
use betring_core::BetState;
use betring_core::answer::Basis;
use betring_core::command::{
    Command, EachWayOffer, PayoutCap, PriceFailure, PricePolicy, StakeKind,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};

/// A bet as the record that opens it tells it.
struct Opened {
    bet: Bet,
    basis: u8,
    from: u8,
    returns: Minor,
}

impl Fold {
    /// What holds of a price that is bound or offered at this record.
    fn in_force(&mut self, bet: BetId, leg: &Leg) {
        let (market, selection) = (leg.market, leg.selection);
        let Some(now) = self.fresh(bet, market, selection) else {
            return self
                .broken(Rule::Price, || format!("{bet} is on {market} {selection}, unknown"));
        };
        self.must(Rule::Price, leg.price == now.price, || {
            format!("{bet} has {}, in force on {market} {selection} was {}", leg.price, now.price)
        });
        self.must(Rule::Price, leg.version == now.version, || {
            format!("{bet} has version {}, in force was {}", leg.version, now.version)
        });
        self.must(Rule::Age, now.age == leg.age, || {
            format!("{bet} says that its price was {} old, it was {}", leg.age, now.age)
        });
        self.must(Rule::Feed, now.feed == leg.feed, || {
            format!("{bet} says it was priced by {}, {} priced it", leg.feed, now.feed)
        });
        self.standing(bet, market, selection);
    }

    /// There is a price, and it is not too old; what it is.
    pub(super) fn fresh(
        &mut self,
        bet: BetId,
        id: MarketId,
        selection: SelectionIndex,
    ) -> Option<InForce> {
        let now = self.in_force_now(id, selection)?;
        let market = self.markets.get(&id.raw())?;
        let own = if now.pinned { Nanos::ZERO } else { market.age_bound };
        let bound = stricter(own, self.tier(market).age_bound);
        let delay_bound = self.feeds.get(&now.feed.0)?.delay_bound;
        self.must(Rule::Price, !now.price.is_none(), || format!("{bet}: there was no price"));
        self.must(Rule::Band, !now.kept_back, || {
            format!("{bet}: the feed had sent another price, and it was kept back")
        });
        self.must(Rule::Age, bound == Nanos::ZERO || now.age <= bound, || {
            format!("{bet}: the price was {} old, the bound of {id} is {bound}", now.age)
        });
        let late = delay_bound != Nanos::ZERO && delay_bound < now.delay;
        self.must(Rule::Age, !late, || {
            format!("{bet}: the price came {} late, the bound is {delay_bound}", now.delay)
        });
        Some(now)
    }

    /// What holds of market, selection, feed and every level when a bet is made, or an order comes.
    pub(super) fn standing(
        &mut self,
        bet: impl std::fmt::Display,
        market: MarketId,
        selection: SelectionIndex,
    ) {
        let (at, epoch) = (self.at, self.epoch);
        let Some(now) = self.markets.get(&market.raw()) else { return };
        let (status, opened_in, feed_id) = (now.status, now.opened_in, self.driving(now));
        let is_void = now.windows.iter().any(|(from, until)| *from <= at && at < *until);
        let of = now.selections.get(usize::from(selection.0)).copied().unwrap_or_default();
        let pinned = of.pin.is_some();
        let (apart, dwell) = (self.apart(now), self.tier(now).drift_dwell);
        if let Some(feed) = self.feeds.get(&feed_id.0).filter(|_| !pinned) {
            let (status, silent) = (feed.status, feed.silent(at));
            let bound = feed.silence_bound;
            self.must(Rule::Feed, status == FeedStatus::Up, || {
                format!("{bet}: {feed_id} was not up, but {status}")
            });
            self.must(Rule::Feed, silent <= bound, || {
                format!("{bet}: {feed_id} was silent for {silent}, its bound is {bound}")
            });
        }
        let apart = apart.filter(|apart| !pinned && dwell <= *apart);
        self.must(Rule::Drift, apart.is_none(), || {
            let apart = apart.unwrap_or_default();
            format!("{bet}: the feeds of {market} had been too far apart for {apart}")
        });
        self.must(Rule::Status, !is_void, || {
            format!("{bet}: what is placed in {market} now was cancelled")
        });
        for (what, held) in self.levels(market, selection, pinned) {
            self.must(Rule::Status, held.owners == 0, || {
                format!("{bet}: {what} was suspended by {}", owners(held.owners))
            });
        }
        self.must(Rule::Status, status == MarketStatus::Open, || {
            format!("{bet}: {market} was {status}")
        });
        let by_person = feed_id == FeedId::MANUAL || pinned;
        self.must(Rule::Status, !by_person || opened_in == epoch, || {
            format!("{bet}: {market} has a person's prices and was not opened in this run")
        });
        self.must(Rule::Status, !of.withdrawn, || format!("{bet}: {selection} was withdrawn"));
    }

    /// No level of any of these legs' markets was suspended after a record. What had a trader's price
    /// does not hang on its feed.
    pub(super) fn unsuspended(&mut self, rule: Rule, id: BetId, legs: &[Leg], since: Seq) {
        for leg in legs {
            let by_person = leg.feed == FeedId::MANUAL;
            for (what, held) in self.levels(leg.market, leg.selection, by_person) {
                let last = held.last;
                self.must(rule, last <= since, || {
                    format!("{id}, asked for at {since}: {what} was suspended at {last}")
                });
            }
        }
    }

    /// How long a bet on these legs has to wait.
    pub(super) fn wait(&self, legs: &[Leg]) -> Nanos {
        let waits = legs.iter().filter_map(|leg| self.markets.get(&leg.market.raw()));
        waits.map(|market| market.wait).max().unwrap_or(Nanos::ZERO)
    }

    /// The places that are paid and the part of the odds, of a market at this moment.
    fn place_terms(&self, id: MarketId, ruleset: u32) -> Option<(u8, (u8, u8))> {
        let market = self.markets.get(&id.raw())?;
        let terms = &market.terms;
        let handicap = match EachWayOffer::from_code(terms.each_way)? {
            EachWayOffer::No => return None,
            EachWayOffer::Own => return Some((terms.places, (terms.place_num, terms.place_den))),
            EachWayOffer::ByTable => false,
            EachWayOffer::Handicap => true,
        };
        let runners = market.selections.iter().filter(|of| !of.withdrawn).count();
        let rows = self.rules.get(ruleset as usize)?.places;
        let rows = rows.iter().take_while(|row| row.from != 0);
        let row = rows.filter(|row| usize::from(row.from) <= runners).last()?;
        let [places, num, den] = if handicap { row.handicap } else { row.plain };
        (places != 0).then_some((places, (num, den)))
    }

    /// What a bet returns if everything wins, and what it has to be at most.
    pub(super) fn greatest(&self, bet: &Bet) -> Option<i128> {
        let rules = self.rules.get(bet.ruleset as usize)?;
        let prices: Vec<WirePrice> = bet.legs.iter().map(|leg| leg.settles_at).collect();
        if prices.iter().any(|price| price.is_none()) {
            return None;
        }
        let greatest = if bet.lines == Lines::SINGLE {
            self.returns(bet.stake, prices[0], rules.rounding)?
        } else {
            let win: Vec<_> = prices.iter().map(|price| tickets::open(*price, None)).collect();
            let place = bet.legs.iter().map(|leg| tickets::open(leg.settles_at, leg.part));
            let place: Vec<_> = place.collect();
            let won = vec![tickets::Numbers::WON; prices.len()];
            let lines = bet.lines.returns(bet.stake.0, &win, &place, 1_000_000, rules)?;
            let mut most = lines + bet.lines.bonus(bet.stake.0, &prices, &won, rules)?;
            // One alone may bring more, by the bonus for that.
            for winner in 0..prices.len() {
                let mut known = vec![tickets::Numbers::PLACED; prices.len()];
                known[winner] = tickets::Numbers::WON;
                let bonus = bet.lines.bonus(bet.stake.0, &prices, &known, rules)?;
                if bonus != 0 {
                    let mut alone = vec![tickets::Factor::NOTHING; prices.len()];
                    alone[winner] = win[winner];
                    let lines = bet.lines.returns(bet.stake.0, &alone, &place, 1_000_000, rules)?;
                    most = most.max(lines + bonus);
                }
            }
            most
        };
        Some(bet.cap.map_or(greatest, |cap| greatest.min(cap)))
    }

    /// The cap on what a bet pays, if its rules pay one and it reaches it.
    pub(super) fn cap_of(&self, bet: &Bet) -> Option<i128> {
        let rules = self.rules.get(bet.ruleset as usize)?;
        if rules.payout_cap != PayoutCap::Pay as u8 {
            return None;
        }
        let usual = self.genesis.map(|genesis| genesis.limits)?;
        let caps = bet.legs.iter().map(|leg| {
            let own = self.limits.get(&(leg.market.raw(), bet.currency));
            let own = own.or_else(|| self.limits.get(&(0, bet.currency)));
            i128::from(own.unwrap_or(&usual).max_payout.0)
        });
        let cap = caps.min()?;
        self.greatest(bet).is_none_or(|greatest| cap < greatest).then_some(cap)
    }

    /// The customer agreed to the prices of all legs, and to their product.
    fn agreed(&self, bet: &Bet) -> bool {
        let factors: Vec<_> = bet.legs.iter().map(|leg| tickets::open(leg.price, None)).collect();
        bet.legs.iter().all(|leg| agrees(bet.agreed, leg.asked.0, leg.price))
            && (bet.floor == 0 || Lines::reaches(bet.floor, &factors))
    }

    /// An offer: one event a leg. How many events behind the first one belong to it.
    pub(super) fn offered(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        first: &Event,
        behind: &[Event],
        due: &mut Vec<Transfer>,
    ) -> usize {
        let Event::BetOffered(first) = first else { return 0 };
        let id = first.bet;
        let more = behind.iter().map_while(|event| match event {
            Event::BetOffered(leg) if leg.bet == id && leg.leg != 0 => Some(leg),
            _ => None,
        });
        let told: Vec<&BetOffered> = std::iter::once(first).chain(more).collect();
        let counted = told.iter().enumerate().all(|(at, leg)| usize::from(leg.leg) == at);
        self.must(Rule::Layout, counted && told.len() == usize::from(first.legs), || {
            format!("the offer {id} has other legs than it says")
        });
        self.count(first.synthetic == 1, |counts| counts.offered += 1);
        let legs: Vec<Leg> = told
            .iter()
            .map(|leg| {
                let terms = self.place_terms(leg.market, leg.ruleset);
                let part = if leg.places == 0 { None } else { terms.map(|(_, part)| part) };
                Leg {
                    asked: (leg.requested, leg.requested_version),
                    price: leg.price,
                    version: leg.version,
                    age: leg.price_age,
                    feed: self.priced_by(leg.market, leg.selection, leg.version),
                    places: leg.places,
                    part,
                    settles_at: leg.price,
                    ..Leg::on(leg.market, leg.selection)
                }
            })
            .collect();
        let bet = Bet {
            currency: first.currency,
            bonus: first.bonus == 1,
            synthetic: first.synthetic == 1,
            legs,
            stake: first.stake,
            agreed: Agreed { policy: first.policy, slippage: first.slippage },
            ruleset: first.ruleset,
            until: first.until,
            life: Life::Offered,
            ..self.new_bet(first.account, header)
        };
        let ttl = self.rules.get(first.ruleset as usize).map_or(Nanos::ZERO, |set| set.offer_ttl);
        let until = self.at.plus(ttl);
        self.must(Rule::Offer, first.until == until, || {
            format!("{id} stands until {}, it should until {until}", first.until)
        });
        let waited =
            self.bets.get(&id.raw()).cloned().filter(|bet| matches!(bet.life, Life::Waits(_)));
        let bet = match waited {
            None => {
                self.needs_no_hold(id, &bet);
                self.stake_within(id, &bet);
                self.asked(header, command, id, bet)
            }
            Some(waited) => self.decided_later(command, id, &waited, bet, due),
        };
        self.bound(id, &bet);
        let greatest = self.greatest(&bet);
        self.must(Rule::Returns, greatest == Some(i128::from(first.returns.0)), || {
            format!(
                "{id} would return {}, its stake at its prices is another amount",
                first.returns
            )
        });
        if !matches!(command, Command::AnswerReferral(..)) {
            let failure = self.rules.get(bet.ruleset as usize).map(|set| set.price_failure);
            let offers = failure == Some(PriceFailure::Offer as u8);
            self.must(Rule::Offer, offers, || format!("{id}: this journal offers nothing"));
            let agreed = self.agreed(&bet);
            self.must(Rule::Policy, !agreed, || {
                format!("{id} was offered prices which its customer had agreed to")
            });
        }
        self.keep(id, bet, due);
        told.len() - 1
    }

    pub(super) fn opened(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        bet: &BetOpened,
        due: &mut Vec<Transfer>,
    ) {
        let leg = Leg {
            asked: (bet.requested, bet.requested_version),
            price: bet.price,
            version: bet.version,
            age: bet.price_age,
            feed: bet.feed,
            settles_at: bet.price,
            ..Leg::on(bet.market, bet.selection)
        };
        let opened = Bet {
            currency: bet.currency,
            synthetic: bet.synthetic == 1,
            single: true,
            legs: vec![leg],
            stake: bet.stake,
            agreed: Agreed { policy: bet.policy, slippage: bet.slippage },
            ruleset: bet.ruleset,
            at: bet.placed_at,
            seq: bet.placed_seq,
            key: bet.key,
            ..self.new_bet(bet.account, header)
        };
        let (basis, from, returns) = (bet.basis, bet.from, bet.returns);
        self.opens(header, command, bet.bet, Opened { bet: opened, basis, from, returns }, due);
    }

    pub(super) fn ticket_opened(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        bet: &TicketOpened,
        behind: &[Event],
        due: &mut Vec<Transfer>,
    ) {
        let id = bet.bet;
        self.count(bet.synthetic == 1, |counts| counts.tickets += 1);
        let told = behind.iter().take(usize::from(bet.legs)).enumerate();
        let legs: Vec<Leg> = told
            .filter_map(|(at, event)| match event {
                Event::LegBound(leg) if leg.bet == id && usize::from(leg.leg) == at => Some(Leg {
                    asked: (leg.requested, leg.requested_version),
                    price: leg.price,
                    version: leg.version,
                    age: leg.price_age,
                    feed: leg.feed,
                    places: leg.places,
                    part: (leg.places != 0).then_some((leg.place_num, leg.place_den)),
                    settles_at: leg.price,
                    ..Leg::on(leg.market, leg.selection)
                }),
                _ => None,
            })
            .collect();
        if legs.len() != usize::from(bet.legs) || legs.is_empty() {
            return self.broken(Rule::Layout, || format!("{id} has other legs than it says"));
        }
        let lines = Lines {
            legs: legs.len(),
            folds: bet.folds,
            bankers: bet.bankers,
            each_way: bet.each_way,
        };
        self.must(Rule::Returns, lines.count() == u128::from(bet.lines), || {
            format!("{id} says it has {} lines, it has {}", bet.lines, lines.count())
        });
        let opened = Bet {
            currency: bet.currency,
            bonus: bet.bonus == 1,
            synthetic: bet.synthetic == 1,
            lines,
            legs,
            stake: bet.stake,
            floor: bet.floor,
            agreed: Agreed { policy: bet.policy, slippage: bet.slippage },
            ruleset: bet.ruleset,
            at: bet.placed_at,
            seq: bet.placed_seq,
            key: bet.key,
            ..self.new_bet(bet.account, header)
        };
        let (basis, from, returns) = (bet.basis, bet.from, bet.returns);
        self.opens(header, command, id, Opened { bet: opened, basis, from, returns }, due);
    }

    /// A bet as it is before its record says more.
    pub(super) fn new_bet(&self, account: AccountId, header: &Header) -> Bet {
        Bet {
            account,
            currency: 0,
            bonus: false,
            synthetic: false,
            single: false,
            lines: Lines::SINGLE,
            legs: Vec::new(),
            stake: Minor(0),
            floor: 0,
            agreed: Agreed::default(),
            cap: None,
            ruleset: 0,
            at: self.at,
            seq: self.seq,
            key: header.key,
            until: Timestamp::MAX,
            by_trader: false,
            life: Life::Open,
            hold: None,
            cancelled: false,
            posted: None,
            settlements: 0,
            staked: None,
            brought: None,
            unvoided: Seq(0),
            ask: None,
            auto: Minor(0),
        }
    }

    /// A bet becomes open, on whatever basis.
    fn opens(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        id: BetId,
        opened: Opened,
        due: &mut Vec<Transfer>,
    ) {
        let Opened { bet, basis, from, returns } = opened;
        let probe = bet.synthetic;
        self.counts.synthetic += u64::from(probe);
        self.count(probe, |counts| counts.accepted += 1);
        let before = self.bets.get(&id.raw()).cloned();
        let (placed, key) = ((bet.at, bet.seq), bet.key);
        let bet = match (Basis::from_code(basis), before) {
            (Some(Basis::InForce), None) => {
                self.count(probe, |counts| counts.in_force += 1);
                self.needs_no_hold(id, &bet);
                self.stake_within(id, &bet);
                let bet = self.asked(header, command, id, bet);
                let wait = self.wait(&bet.legs);
                self.must(Rule::Waiting, wait == Nanos::ZERO, || {
                    format!("{id} is open at once, its markets' bets wait {wait}")
                });
                let now = placed == (self.at, self.seq) && from == BetState::Offered as u8;
                self.must(Rule::Price, now, || {
                    format!("{id} says it was asked for at another time")
                });
                self.must(Rule::Answers, key == header.key, || format!("{id} has another key"));
                self.bound(id, &bet);
                bet
            }
            (Some(Basis::Held), Some(waited)) if waited.life == holds::WAITS => {
                self.count(probe, |counts| counts.in_force += 1);
                let same = from == BetState::Held as u8
                    && placed == (waited.at, waited.seq)
                    && key == waited.key;
                self.must(Rule::Wallet, same, || format!("{id} is not the bet that was held"));
                self.held(command, id, &waited, bet, due)
            }
            (Some(told @ (Basis::InForce | Basis::Trader | Basis::Held)), Some(waited))
                if matches!(waited.life, Life::Waits(_))
                    && waited.life != holds::WAITS
                    && (told != Basis::Held || waited.hold.is_some()) =>
            {
                self.count(probe, |counts| {
                    counts.in_force += u64::from(told != Basis::Trader);
                    counts.by_trader += u64::from(told == Basis::Trader);
                });
                let state = match waited.life {
                    Life::Waits(PendingWhy::Delay) => BetState::Delayed,
                    _ => BetState::Referred,
                };
                let same =
                    from == state as u8 && placed == (waited.at, waited.seq) && key == waited.key;
                self.must(Rule::Waiting, same, || format!("{id} is not the bet that waited"));
                let bet = self.decided_later(command, id, &waited, bet, due);
                let given = bet.legs.iter().any(|leg| leg.version == PriceVersion(0));
                let right = given == (basis == Basis::Trader as u8);
                self.must(Rule::Price, right, || format!("{id} has another basis than it says"));
                self.bound(id, &bet);
                bet
            }
            (Some(told @ (Basis::Offer | Basis::Trader)), Some(offer))
                if offer.life == Life::Offered =>
            {
                self.count(probe, |counts| {
                    counts.from_offer += u64::from(told == Basis::Offer);
                    counts.by_trader += u64::from(told == Basis::Trader);
                });
                self.must(Rule::Answers, key == header.key, || format!("{id} has another key"));
                let right = offer.by_trader == (basis == Basis::Trader as u8);
                self.must(Rule::Offer, right, || format!("{id} has another basis than its offer"));
                self.taken(header, command, id, offer, bet)
            }
            (Some(Basis::Offer), _) => {
                return self.broken(Rule::Offer, || format!("{id} was not on offer"));
            }
            // A bet on a basis that this fold cannot prove is not proved.
            (other, _) => {
                return self.broken(Rule::Price, || {
                    format!("{id} has the basis {other:?}, which this audit cannot prove")
                });
            }
        };
        let mut bet = Bet { life: Life::Open, ..bet };
        let bound = bet.hold.as_ref().is_some_and(|hold| hold.bound.is_some());
        // What was bound before the wallet answered has the cap of that moment.
        bet.cap = if bound { bet.cap } else { self.cap_of(&bet) };
        let greatest = self.greatest(&bet);
        self.must(Rule::Returns, greatest == Some(i128::from(returns.0)), || {
            format!("{id} returns {returns}, {} at its prices is another amount", bet.stake)
        });
        let taken = matches!(command, Command::AcceptOffer(_));
        if !taken {
            let agreed = self.agreed(&bet);
            self.must(Rule::Policy, agreed, || {
                let told: Vec<String> = bet
                    .legs
                    .iter()
                    .map(|leg| format!("{} for {}", leg.price, leg.asked.0))
                    .collect();
                let (policy, slippage) = (policy_name(bet.agreed.policy), bet.agreed.slippage);
                format!("{id} has {} by {policy} {slippage}", told.join(", "))
            });
        }
        for leg in &bet.legs {
            if let Some(market) = self.markets.get_mut(&leg.market.raw()) {
                market.bets.push(id);
            }
        }
        self.keep(id, bet, due);
    }

    /// Who prices a selection: its trader's pin has no feed, a given price that of its market.
    fn priced_by(&self, id: MarketId, selection: SelectionIndex, version: PriceVersion) -> FeedId {
        let now = self.in_force_now(id, selection).filter(|_| version != PriceVersion(0));
        let driving = || self.markets.get(&id.raw()).map(|market| self.driving(market));
        now.map(|now| now.feed).or_else(driving).unwrap_or_default()
    }

    /// A bet that stakes money of an external wallet has to be held first.
    pub(super) fn needs_no_hold(&mut self, id: BetId, bet: &Bet) {
        let needs = !bet.bonus && self.is_external(bet.account);
        self.must(Rule::Wallet, !needs, || format!("{id} did not wait for its wallet"));
    }

    /// The wallet confirmed a bet that waited for it: it is bound as when that was asked, or as now.
    fn held(
        &mut self,
        command: &Command<'_>,
        id: BetId,
        waited: &Bet,
        bet: Bet,
        due: &mut Vec<Transfer>,
    ) -> Bet {
        let hold = waited.hold.as_ref();
        if hold.is_none_or(|hold| hold.bound.is_none()) {
            let bet = self.decided_later(command, id, waited, bet, due);
            let (now, wait) = (self.at, self.wait(&bet.legs));
            self.must(Rule::Waiting, waited.at.plus(wait) <= now, || {
                format!("{id} is open at once, its markets' bets wait {wait}")
            });
            self.bound(id, &bet);
            return bet;
        }
        let confirmed = hold.is_some_and(|hold| hold.confirmed);
        self.must(Rule::Wallet, confirmed, || format!("{id} is open, its stake is not held"));
        let as_bound = hold.is_some_and(|hold| hold.is_bound_as(&bet.legs));
        self.must(Rule::Price, as_bound, || {
            format!("{id} has another price than was in force at {}", waited.seq)
        });
        self.comes_in(id, due);
        let same = waited.account == bet.account
            && (waited.stake, waited.currency) == (bet.stake, bet.currency)
            && (waited.lines, waited.agreed) == (bet.lines, bet.agreed)
            && waited.ruleset == bet.ruleset
            && waited.legs.iter().zip(&bet.legs).all(|(waited, leg)| waited.is_asked_as(leg));
        self.must(Rule::Wallet, same, || format!("{id} is not the bet that was held"));
        Bet {
            single: waited.single,
            floor: waited.floor,
            cap: waited.cap,
            hold: waited.hold.clone(),
            ..bet
        }
    }

    /// Prices that are bound or offered at this record, and the each-way terms with them.
    fn bound(&mut self, id: BetId, bet: &Bet) {
        for leg in &bet.legs {
            if leg.version == PriceVersion(0) {
                self.standing(id, leg.market, leg.selection);
                let driving = self.priced_by(leg.market, leg.selection, leg.version);
                let known = leg.feed == FeedId::MANUAL || leg.feed == driving;
                self.must(Rule::Feed, known, || {
                    format!("{id} says it was priced by {}, a trader gave its price", leg.feed)
                });
            } else {
                self.in_force(id, leg);
            }
            if bet.lines.each_way != 0 {
                let terms = self.place_terms(leg.market, bet.ruleset);
                let told = leg.part.map(|part| (leg.places, part));
                self.must(Rule::Policy, terms == told, || {
                    format!("{id} has other place terms than {} offers", leg.market)
                });
            }
        }
    }

    /// An offer was taken: what it becomes.
    fn taken(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        id: BetId,
        offer: Bet,
        bet: Bet,
    ) -> Bet {
        let now = self.at;
        let taken = matches!(command, Command::AcceptOffer(body) if body.bet == id)
            && header.account == bet.account.raw();
        self.must(Rule::Offer, taken, || format!("{id}: its customer did not take the offer"));
        let legs = offer.legs.len() == bet.legs.len()
            && offer.legs.iter().zip(&bet.legs).all(|(offer, leg)| offer.is_bound_as(leg));
        let same = offer.account == bet.account
            && legs
            && (offer.stake, offer.currency, offer.bonus) == (bet.stake, bet.currency, bet.bonus)
            && (offer.at, offer.seq) == (bet.at, bet.seq)
            && offer.lines == bet.lines
            && offer.ruleset == bet.ruleset
            && offer.agreed == bet.agreed;
        self.must(Rule::Offer, same, || format!("{id} was opened on other terms than offered"));
        let until = offer.until;
        self.must(Rule::Offer, now <= until, || format!("{id} was taken after {until}"));
        self.unsuspended(Rule::Offer, id, &bet.legs, offer.seq);
        self.may_bet(id, &bet);
        for leg in &bet.legs {
            if leg.version != PriceVersion(0) {
                self.fresh(id, leg.market, leg.selection);
            }
            self.standing(id, leg.market, leg.selection);
        }
        Bet { until: Timestamp::MAX, hold: offer.hold, ..bet }
    }

    /// The bet is what its command asked for; with what only the command says.
    pub(super) fn asked(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        id: BetId,
        mut bet: Bet,
    ) -> Bet {
        let probe = header.flags & Header::SYNTHETIC != 0;
        let mut same = header.account == bet.account.raw()
            && bet.ruleset as usize + 1 == self.rules.len()
            && bet.synthetic == probe;
        // The operator's own rules may reduce a stake, the house's never do.
        let house_rules = self.rules_id == 1;
        let fits = |stake: Minor, asked: Minor| {
            if house_rules { stake == asked } else { stake <= asked }
        };
        match command {
            Command::Place(place) => {
                let agreed = Agreed { policy: place.policy, slippage: place.slippage };
                let leg = &bet.legs[0];
                same &= bet.lines == Lines::SINGLE
                    && !bet.bonus
                    && (place.market, place.selection) == (leg.market, leg.selection)
                    && (place.price, place.version) == leg.asked
                    && agreed == bet.agreed
                    && fits(bet.stake, place.stake);
                bet.single = true;
            }
            Command::PlaceTicket(ticket, legs) => {
                let lines = Lines {
                    legs: usize::from(ticket.legs),
                    folds: ticket.folds,
                    bankers: ticket.bankers,
                    each_way: ticket.each_way,
                };
                let total = match ticket.stake_kind == StakeKind::Unit as u8 {
                    true => i64::try_from(i128::from(ticket.stake.0) * lines.count() as i128),
                    false => Ok(ticket.stake.0),
                };
                let agreed = Agreed { policy: ticket.policy, slippage: ticket.slippage };
                same &= (bet.life == Life::Offered
                    || (bet.lines, bet.floor) == (lines, ticket.floor))
                    && bet.bonus == (ticket.bonus == 1)
                    && agreed == bet.agreed
                    && total.is_ok_and(|total| fits(bet.stake, Minor(total)))
                    && legs.iter().len() == bet.legs.len()
                    && legs.iter().zip(&bet.legs).all(|(asked, leg)| {
                        (asked.market, asked.selection) == (leg.market, leg.selection)
                            && (asked.price, asked.version) == leg.asked
                    });
                (bet.lines, bet.floor) = (lines, ticket.floor);
            }
            _ => same = false,
        }
        self.must(Rule::Policy, same, || format!("{id} is not what its command asked for"));
        self.may_bet(id, &bet);
        self.within_own_limits(id, &bet);
        bet
    }

    /// A bet that is there from now on, or is on its way further; one that begins is staked, unless
    /// its stake has to be held first.
    pub(super) fn keep(&mut self, id: BetId, mut bet: Bet, due: &mut Vec<Transfer>) {
        bet.staked = self.bets.get(&id.raw()).and_then(|before| before.staked);
        bet.brought = self.bets.get(&id.raw()).and_then(|before| before.brought);
        let (staked, waits) = ((bet.currency, bet.stake), bet.life == holds::WAITS);
        let begins = match self.bets.insert(id.raw(), bet) {
            Some(before) => {
                // What is over, and another bet that begins under its name, are both an error.
                let goes_on = matches!(before.life, Life::Waits(_) | Life::Offered);
                self.must(Rule::Answers, goes_on, || format!("{id} was another bet before"));
                !goes_on || before.life == holds::WAITS && !before.hold.is_some_and(|of| of.staked)
            }
            None => true,
        };
        if begins && !waits {
            self.stake_enters(id, staked);
            due.extend(self.transfer(id, TransferWhy::Stake));
        }
    }
}

/// The stricter of two bounds; zero is none.
pub(super) fn stricter(one: Nanos, other: Nanos) -> Nanos {
    match (one, other) {
        (Nanos::ZERO, bound) | (bound, Nanos::ZERO) => bound,
        (one, other) => one.min(other),
    }
}

impl Leg {
    pub(super) fn on(market: MarketId, selection: SelectionIndex) -> Leg {
        Leg {
            market,
            selection,
            asked: (WirePrice::NONE, PriceVersion(0)),
            price: WirePrice::NONE,
            version: PriceVersion(0),
            age: Nanos::ZERO,
            feed: FeedId(0),
            places: 0,
            part: None,
            settles_at: WirePrice::NONE,
            numbers: None,
            now: None,
        }
    }

    /// Whether another is on the same, asked for the same.
    pub(super) fn is_asked_as(&self, other: &Leg) -> bool {
        (self.market, self.selection, self.asked) == (other.market, other.selection, other.asked)
    }

    fn is_bound_as(&self, other: &Leg) -> bool {
        self.is_asked_as(other)
            && (self.price, self.version, self.age) == (other.price, other.version, other.age)
            && (self.version == PriceVersion(0) || self.feed == other.feed)
            && self.places == other.places
    }
}

/// Whether a customer agreed to a price: UKGC RTS 2C, the choice is the customer's.
pub(super) fn agrees(agreed: Agreed, wish: WirePrice, price: WirePrice) -> bool {
    // Exactly: 10/11 is more than the 1.909 that it is rounded to.
    let profit = |p: WirePrice| match p.den {
        0 => (u64::from(p.e4).saturating_sub(10_000), 10_000),
        den => (u64::from(p.num), u64::from(den)),
    };
    let ((won, staked), (wished, at)) = (profit(price), profit(wish));
    let (offers, asks) = (won * at, wished * staked);
    let (wish, price) = (u64::from(wish.e4), u64::from(price.e4));
    match PricePolicy::from_code(agreed.policy) {
        Some(PricePolicy::Exact) => offers == asks,
        Some(PricePolicy::Better) => asks <= offers,
        Some(PricePolicy::Within) => {
            wish * 10_000_u64.saturating_sub(agreed.slippage.into()) <= price * 10_000
        }
        Some(PricePolicy::Any) => true,
        None => false,
    }
}

fn policy_name(code: u8) -> String {
    PricePolicy::from_code(code).map_or(format!("policy {code}"), |policy| policy.to_string())
}
