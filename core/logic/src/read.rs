//! What may be read of the state: plain copies, for replies, views, tools and tests.

use crate::answer::{Answer, Basis, Fate};
use crate::bet::BetState;
use crate::command::{Drives, EachWayOffer, HoldBind, Limits, PricePolicy, Purse, ResultEntry};
use crate::event::{FeedStatus, HouseAccount, MarketStatus};
use crate::id::*;
use crate::rules::Rules;
use crate::state::State;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Minor, Name, WirePrice};
use betring_pricing::{Currency, EachWay, LegNumbers, PlaceFraction, Stake};

/// An account, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// The account.
    pub id: AccountId,
    /// The operator's own number.
    pub reference: u64,
    /// Its currency.
    pub currency: Currency,
    /// What may be staked or withdrawn; below zero it is owed.
    pub balance: Minor,
    /// Money for free bets.
    pub bonus: Minor,
    /// Whether it is blocked.
    pub blocked: bool,
    /// Who keeps its money.
    pub purse: Purse,
    /// Whether it is a probe's.
    pub synthetic: bool,
    /// Until when it is excluded: no bets, no deposits; none if it is not, at the state's now.
    pub excluded: Option<Timestamp>,
    /// The factor of its largest stake, in percent.
    pub factor: u32,
    /// What its bets that stand, or wait at a bound price, would win beyond their stakes together.
    pub may_win: Minor,
}

/// A selection, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectionView<'a> {
    /// Its position.
    pub index: SelectionIndex,
    /// Its name.
    pub name: &'a str,
    /// The price in force, if any.
    pub price: WirePrice,
    /// The version of that.
    pub version: PriceVersion,
    /// How old that is, at the state's now.
    pub age: Nanos,
    /// Whether it is a trader's, over whatever the feeds say.
    pub pinned: bool,
    /// What the market's feed says, and the backup of its group: without a group, nothing.
    pub quotes: [QuoteView; 2],
    /// Whether it is suspended by itself.
    pub suspended: bool,
    /// How many bands its liability fills.
    pub bands: u8,
    /// By how many of these its prices are shortened.
    pub steps: u8,
    /// How far its feeds are apart, in parts per million; none if that cannot be said.
    pub drift_ppm: Option<u32>,
    /// Whether it is out of the market.
    pub withdrawn: bool,
    /// What became of it, as the result says it.
    pub result: Option<ResultEntry>,
}

/// What a feed says of a selection, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteView {
    /// The feed.
    pub feed: FeedId,
    /// The last price of it that was taken, as it sent it; none if it has none.
    pub quoted: WirePrice,
    /// The same, shortened for liability: what is in force if the feed drives.
    pub price: WirePrice,
    /// The version of that.
    pub version: PriceVersion,
    /// When it was received.
    pub received: Timestamp,
    /// When its oldest input was, of a derived price; else 0.
    pub as_of: Timestamp,
    /// How much longer it took than the feed's quickest.
    pub delay: Nanos,
    /// The feed's count of recoveries then.
    pub generation: u32,
    /// The price that is held back as not plausible; none if there is no such.
    pub held: WirePrice,
}

/// A market, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketView<'a> {
    /// The market.
    pub id: MarketId,
    /// Its external name.
    pub name: &'a str,
    /// Where it is in its life.
    pub status: MarketStatus,
    /// Whether it, its feed, its group, its fixture or the engine is suspended.
    pub suspended: bool,
    /// Whether its feed is up.
    pub feed_up: bool,
    /// The feed that prices it: of a market of a group, the one that drives.
    pub feed: FeedId,
    /// Its group, if any.
    pub group: GroupId,
    /// Its tier.
    pub tier: u8,
    /// Since when its feeds are further apart than the tier's band, if they are.
    pub drifted_since: Option<Timestamp>,
    /// Its fixture, if any.
    pub fixture: FixtureId,
    /// How many selections win.
    pub winners: u16,
    /// How often its prices changed.
    pub version: PriceVersion,
    /// The bound on the age of its prices; 0 is none.
    pub age_bound: Nanos,
    /// Its bets that stand, or wait for a wallet at a bound price.
    pub open_bets: u32,
    /// Whether it is in-play, and how long bets wait then.
    pub in_play: bool,
    /// How long a bet waits before it is decided again.
    pub delay: Nanos,
    /// Whether its cash-outs are frozen at any level.
    pub cash_out_frozen: bool,
    /// Whether bets may be placed each way.
    pub each_way: EachWayOffer,
    /// How often its result changed.
    pub settlement: u32,
    /// Whether it is a canary: for probes only.
    pub canary: bool,
    /// Its selections.
    pub selections: Vec<SelectionView<'a>>,
}

impl MarketView<'_> {
    /// The sum of 1/price over all prices in force, in parts per million: 1,050,000 is a book of 105 %.
    /// None while a selection has no price.
    pub fn book_ppm(&self) -> Option<u64> {
        let running = self.selections.iter().filter(|s| !s.withdrawn);
        running.map(|s| s.price.price().map(|p| 10_000_000_000 / u64::from(p.e4()))).sum()
    }
}

/// A bet, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BetView {
    /// The bet.
    pub id: BetId,
    /// Whose.
    pub account: AccountId,
    /// In which market: that of its first leg.
    pub market: MarketId,
    /// On which selection: that of its first leg.
    pub selection: SelectionIndex,
    /// Where it is in its life.
    pub state: BetState,
    /// What it risks: all lines together, less what was sold.
    pub stake: Minor,
    /// The most that this returns.
    pub returns: Minor,
    /// What its settlement in force paid, or went back.
    pub paid: Minor,
    /// What its cash-outs brought.
    pub cashed: Minor,
    /// How many legs.
    pub legs: u8,
    /// Bit k − 1: lines of k legs.
    pub folds: u32,
    /// Bit i: leg i is in every line.
    pub bankers: u32,
    /// How many lines, place lines included.
    pub lines: u64,
    /// Whether it is each way.
    pub each_way: EachWay,
    /// Whether it was placed by the command for singles.
    pub single: bool,
    /// A free bet.
    pub bonus: bool,
    /// Voided by itself.
    pub cancelled: bool,
    /// The set of rules that settles it.
    pub ruleset: u16,
    /// How many settlements it has had.
    pub settlements: u32,
    /// The value at which it is sold by itself; 0 none.
    pub auto: Minor,
    /// What its first leg is bound to, or offered at.
    pub price: WirePrice,
    /// The version of that.
    pub version: PriceVersion,
    /// How old that was.
    pub price_age: Nanos,
    /// What was asked for.
    pub requested: WirePrice,
    /// The version that the customer saw, 0 if not known.
    pub requested_version: PriceVersion,
    /// What the customer agreed to.
    pub policy: Option<PricePolicy>,
    /// Why it has its price; none while it is offered.
    pub basis: Option<Basis>,
    /// The sequence at which it was asked for.
    pub placed_seq: Seq,
    /// When.
    pub placed_at: Timestamp,
    /// Until when it waits or waited: for its wallet, its delay, a trader, the customer; 0 if it did not.
    pub until: Timestamp,
    /// A probe's.
    pub synthetic: bool,
    /// Of an external wallet: when it binds, or bound, to its price.
    pub hold: Option<HoldBind>,
    /// What the wallet confirmed that it holds; 0 if it did not.
    pub confirmed: Minor,
    /// The wallet's own number of that.
    pub reference: u64,
}

/// A leg of a bet, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegView {
    /// In which market.
    pub market: MarketId,
    /// On which selection.
    pub selection: SelectionIndex,
    /// What was asked for.
    pub requested: WirePrice,
    /// What it is bound to, or offered at.
    pub price: WirePrice,
    /// The version of that; 0 of a price that a trader gave.
    pub version: PriceVersion,
    /// How old that was.
    pub price_age: Nanos,
    /// The price it settles at: the same, unless that was an error.
    pub settles_at: WirePrice,
    /// Places that are paid; 0 without each-way.
    pub places: u8,
    /// The part of the odds that a place pays.
    pub fraction: Option<PlaceFraction>,
    /// What its ticket could win more with it, as its market's limit counts it; 0 of a plain single.
    pub reach: Minor,
    /// What became of it, if that is known.
    pub numbers: Option<LegNumbers>,
}

/// A feed, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedView<'a> {
    /// The feed.
    pub id: FeedId,
    /// Its name; `manual` for prices set by a person.
    pub name: &'a str,
    /// Where it is.
    pub status: FeedStatus,
    /// Whether its prices may be bet on now: up, and not silent.
    pub is_up: bool,
    /// When it was last heard.
    pub heard: Timestamp,
    /// How often it had to recover, plus one.
    pub generation: u32,
    /// Silent for longer than this, it is not up.
    pub silence_bound: Nanos,
    /// Whether its messages take longer than its bound.
    pub slow: bool,
    /// The version that its messages have to say; 0 any.
    pub schema: u32,
    /// While it recovers: its adapter's number of the request; 0 where that has none, or nobody has asked
    /// in this run.
    pub request: u64,
}

/// A group of markets, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupView<'a> {
    /// The group.
    pub id: GroupId,
    /// Its name.
    pub name: &'a str,
    /// Its primary feed.
    pub primary: FeedId,
    /// Its backup feed.
    pub backup: FeedId,
    /// Which of them prices its markets.
    pub drives: Drives,
    /// Who suspends it, a bit each.
    pub owners: u8,
    /// Whether its cash-outs are frozen.
    pub cash_out_frozen: bool,
}

/// What a market stands to lose or win in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Stakes of its open bets.
    pub staked: i128,
    /// What it loses in its worst outcome; below zero it wins in every outcome.
    pub worst: i128,
    /// What each selection would return, stakes included.
    pub returns: Vec<i128>,
    /// What tickets could win more with each selection: an upper bound, beside the exact figures.
    pub reach: Vec<i128>,
}

fn text(name: &Name) -> &str {
    name.text().expect("checked when it was defined")
}

impl<R: Rules> State<R> {
    /// An account.
    pub fn account(&self, id: AccountId) -> Option<AccountView> {
        let (_, account) = self.ledger.find(id)?;
        Some(AccountView {
            id,
            reference: account.reference,
            currency: self.ledger.books[usize::from(account.currency)].currency,
            balance: Minor(account.balance),
            bonus: Minor(account.bonus),
            blocked: account.blocked,
            purse: if account.external { Purse::External } else { Purse::Own },
            synthetic: account.synthetic,
            excluded: (self.now < account.excluded).then_some(account.excluded),
            factor: account.percent,
            may_win: Minor(i64::try_from(account.may_win).unwrap_or(i64::MAX)),
        })
    }

    /// All accounts, in the order in which they were opened.
    pub fn accounts(&self) -> impl Iterator<Item = AccountView> {
        let ids = (0..self.ledger.accounts.len()).map(|index| AccountId::new(index as u32, 1));
        ids.filter_map(|id| self.account(id))
    }

    /// The account of an operator's number.
    pub fn account_by_reference(&self, reference: u64) -> Option<AccountId> {
        let same = |at: u32| self.ledger.accounts[at as usize].reference == reference;
        let index = self.ledger.by_reference.find(self.reference_hash(reference), same)?;
        Some(AccountId::new(index, 1))
    }

    /// A market that has not left memory.
    pub fn market(&self, id: MarketId) -> Option<MarketView<'_>> {
        let (index, market) = self.find_market(id)?;
        let selection = |s: u16| {
            let place = market.first as usize + usize::from(s);
            let kept = &self.selections[place];
            let (price, version) = self.price_in_force(market, kept);
            let quote = |slot: usize| {
                let quote = &kept.quotes[slot];
                QuoteView {
                    feed: self.feed_in(market, slot),
                    quoted: quote.sent.price,
                    price: quote.price,
                    version: quote.version,
                    received: quote.sent.received,
                    as_of: quote.sent.as_of,
                    delay: quote.sent.delay,
                    generation: quote.sent.generation,
                    held: quote.held.price,
                }
            };
            SelectionView {
                index: SelectionIndex(s),
                name: text(&self.selection_names[place]),
                price,
                version,
                age: self.price_age(index, SelectionIndex(s)),
                pinned: kept.is_pinned(),
                quotes: [quote(0), quote(1)],
                suspended: self.heard_by(market, kept.suspension).holds(),
                bands: kept.bands,
                steps: kept.steps,
                drift_ppm: self.drift_of(market, kept),
                withdrawn: kept.withdrawn,
                result: kept.result,
            }
        };
        Some(MarketView {
            id,
            name: text(&self.market_names[index as usize]),
            status: market.status,
            suspended: self.levels(index).iter().any(|level| level.holds()),
            feed_up: self.feeds[usize::from(self.driving_feed(market).0)].is_up(self.now),
            feed: self.driving_feed(market),
            group: market.group,
            tier: market.tier,
            drifted_since: (market.drifted != 0).then_some(market.drift_since),
            fixture: market.fixture,
            winners: market.winners,
            version: market.version,
            age_bound: market.age_bound,
            open_bets: market.open_bets,
            in_play: market.in_play,
            delay: market.delay,
            cash_out_frozen: self.freezes(index).iter().any(|level| level.holds()),
            each_way: market.each_way,
            settlement: market.settlement,
            canary: market.canary,
            selections: (0..market.selections).map(selection).collect(),
        })
    }

    /// All markets that have not left memory, by place.
    pub fn markets(&self) -> impl Iterator<Item = MarketView<'_>> {
        let ids = (0..self.markets.len()).map(|index| self.market_id(index as u32));
        ids.filter_map(|id| self.market(id))
    }

    /// The market of an external name.
    pub fn market_named(&self, name: &str) -> Option<MarketId> {
        let name = Name::new(name).ok()?;
        let same = |at: u32| self.market_names[at as usize] == name;
        self.market_table.find(self.name_hash(&name), same).map(|index| self.market_id(index))
    }

    /// A bet that has not left memory.
    pub fn bet(&self, id: BetId) -> Option<BetView> {
        let bet = self.find_bet(id)?;
        let first = &self.legs[bet.first as usize];
        Some(BetView {
            id,
            account: AccountId::new(bet.account, 1),
            market: first.market_id(),
            selection: first.selection,
            state: bet.state,
            stake: Minor(bet.stake),
            returns: Minor(bet.returns),
            paid: Minor(bet.paid),
            cashed: Minor(bet.cashed),
            legs: bet.legs,
            folds: bet.folds,
            bankers: bet.bankers,
            lines: bet.shape().lines(),
            each_way: bet.each_way,
            single: bet.single,
            bonus: bet.bonus,
            cancelled: bet.cancelled,
            ruleset: bet.ruleset,
            settlements: bet.settlements,
            auto: Minor(bet.auto),
            price: first.price,
            version: first.version,
            price_age: first.price_age,
            requested: first.requested,
            requested_version: first.requested_version,
            policy: PricePolicy::from_code(bet.policy),
            basis: Basis::from_code(bet.basis),
            placed_seq: bet.placed_seq,
            placed_at: bet.placed_at,
            until: bet.until,
            synthetic: bet.synthetic,
            hold: bet.hold.bind,
            confirmed: Minor(bet.hold.confirmed),
            reference: bet.hold.reference,
        })
    }

    /// The legs of a bet that has not left memory, in their order; none of one that has.
    pub fn legs(&self, id: BetId) -> impl Iterator<Item = LegView> {
        let bet = self.find_bet(id);
        let places = bet.map(|bet| self.legs_of(bet)).into_iter().flatten();
        places.map(|at| {
            let leg = &self.legs[at as usize];
            LegView {
                market: leg.market_id(),
                selection: leg.selection,
                requested: leg.requested,
                price: leg.price,
                version: leg.version,
                price_age: leg.price_age,
                settles_at: leg.settles_at,
                places: leg.places,
                fraction: leg.fraction,
                reach: Minor(leg.reach),
                numbers: leg.numbers,
            }
        })
    }

    /// What so much of a bet's stake (none: all of it) would be bought back for now; what a customer is
    /// shown, and accepts with a cash-out.
    ///
    /// # Errors
    /// [`crate::reject::Reject::CashOutFrozen`] on any doubt, `BetUnknown` of a bet that has left memory,
    /// `StakeTooLarge` for more than its stake.
    pub fn cash_out_value(&self, id: BetId, take: Option<Stake>) -> Result<Minor, Answer> {
        let unknown = || self.no(crate::reject::Reject::BetUnknown);
        let bet = self.find_bet(id).ok_or_else(unknown)?;
        let all = Stake::from_minor(bet.stake).ok_or_else(unknown)?;
        let take = take.unwrap_or(all);
        if all < take {
            return Err(self.no(crate::reject::Reject::StakeTooLarge));
        }
        self.value_of(bet, take).map(Minor)
    }

    /// The set of rules with a number, as it was published; 0 is the journal's own.
    pub fn ruleset(&self, number: u16) -> Option<&crate::ruleset::Ruleset> {
        self.rulesets.get(usize::from(number))
    }

    /// All bets that have not left memory, by place.
    pub fn bets(&self) -> impl Iterator<Item = BetView> {
        let ids = self.bets.iter().enumerate().map(|(index, bet)| bet.id(index as u32));
        ids.filter_map(|id| self.bet(id))
    }

    /// The answer of a key that is still kept, and what has become of it; `paid` where it is a bet.
    pub fn request(&self, account: u64, key: RequestKey) -> Option<(Answer, Fate, Minor)> {
        let entry = self.keys.find(self.now, self.key_hash(account, key), account, key)?;
        let (fate, paid) = self.fate(&entry.answer);
        Some((entry.answer, fate, paid))
    }

    /// How many keys are kept.
    pub fn keys_kept(&self) -> u32 {
        self.keys.len()
    }

    /// The requests in quarantine.
    pub fn quarantined(&self) -> &[(u64, RequestKey)] {
        &self.quarantined
    }

    /// The actor of a name.
    pub fn actor_named(&self, name: &str) -> Option<ActorId> {
        let name = Name::new(name).ok()?;
        let index = self.actors.find(self.name_hash(&name), &name)?;
        Some(ActorId(u64::from(index) + 1))
    }

    /// The name of an actor.
    pub fn actor_name(&self, id: ActorId) -> Option<&str> {
        self.actors.names.get(usize::try_from(id.0.checked_sub(1)?).ok()?).map(text)
    }

    /// The feed of a name.
    pub fn feed_named(&self, name: &str) -> Option<FeedId> {
        let name = Name::new(name).ok()?;
        let index = self.feed_names.find(self.name_hash(&name), &name)?;
        Some(FeedId(index as u16 + 1))
    }

    /// A feed.
    pub fn feed(&self, id: FeedId) -> Option<FeedView<'_>> {
        let feed = self.feeds.get(usize::from(id.0))?;
        let name = match id {
            FeedId::MANUAL => "manual",
            _ => text(&self.feed_names.names[usize::from(id.0) - 1]),
        };
        Some(FeedView {
            id,
            name,
            status: feed.status,
            is_up: feed.is_up(self.now),
            heard: feed.heard,
            generation: feed.generation,
            silence_bound: feed.silence_bound,
            slow: feed.slow,
            schema: feed.schema,
            request: feed.request,
        })
    }

    /// Whether a feed's prices may be bet on at a moment that the state has not yet reached: up, and not
    /// silent by then.
    pub fn feed_is_up(&self, id: FeedId, at: Timestamp) -> bool {
        self.feeds.get(usize::from(id.0)).is_some_and(|feed| feed.is_up(at))
    }

    /// The group of a name.
    pub fn group_named(&self, name: &str) -> Option<GroupId> {
        let name = Name::new(name).ok()?;
        let index = self.group_names.find(self.name_hash(&name), &name)?;
        Some(GroupId(index as u16 + 1))
    }

    /// A group.
    pub fn group(&self, id: GroupId) -> Option<GroupView<'_>> {
        let group = self.find_group(id)?;
        Some(GroupView {
            id,
            name: text(&self.group_names.names[usize::from(id.0) - 1]),
            primary: group.primary,
            backup: group.backup,
            drives: group.drives,
            owners: group.suspension.owners,
            cash_out_frozen: group.cash_out.holds(),
        })
    }

    /// All groups, in the order in which they were defined.
    pub fn groups(&self) -> impl Iterator<Item = GroupView<'_>> {
        (1..=self.groups.len()).filter_map(|id| self.group(GroupId(id as u16)))
    }

    /// The fixture of a name.
    pub fn fixture_named(&self, name: &str) -> Option<FixtureId> {
        let name = Name::new(name).ok()?;
        let index = self.fixture_names.find(self.name_hash(&name), &name)?;
        Some(FixtureId::new(index, 1))
    }

    /// The currencies in use, by ISO 4217 number.
    pub fn currencies(&self) -> impl Iterator<Item = Currency> {
        self.ledger.books.iter().map(|book| book.currency)
    }

    /// What is on one of the house's accounts, in minor units.
    pub fn house(&self, account: HouseAccount, currency: Currency) -> i128 {
        let book = self.ledger.book_of(currency.numeric());
        book.map_or(0, |book| self.ledger.house(book, account))
    }

    /// The limits in force for a market in a currency in use.
    pub fn limits_of(&self, market: MarketId, currency: Currency) -> Option<Limits> {
        let (index, _) = self.find_market(market)?;
        Some(*self.limits(self.ledger.book_of(currency.numeric())?, index))
    }

    /// What a market stands to lose or win in a currency in use.
    pub fn exposure(&self, market: MarketId, currency: Currency) -> Option<Exposure> {
        let (index, kept) = self.find_market(market)?;
        let book = self.ledger.book_of(currency.numeric())?;
        let view = self.market_bets(book, index);
        Some(Exposure {
            staked: self.risk.staked(book, index),
            worst: self.risk.worst(view),
            returns: self.risk.returns(book, kept.first, kept.selections).to_vec(),
            reach: self.risk.reaches(view).to_vec(),
        })
    }

    /// What the markets of a fixture may lose together in a currency in use, each in its worst outcome.
    pub fn event_liability(&self, fixture: FixtureId, currency: Currency) -> Option<i128> {
        self.find_fixture(fixture)?;
        let book = self.ledger.book_of(currency.numeric())?;
        Some(self.risk.event(book, fixture.index()))
    }

    /// What a market loses in a currency in use if a selection of it wins; below zero it wins.
    pub fn selection_liability(
        &self,
        market: MarketId,
        selection: SelectionIndex,
        currency: Currency,
    ) -> Option<i128> {
        let (index, kept) = self.find_market(market)?;
        let book = self.ledger.book_of(currency.numeric())?;
        let known = selection.0 < kept.selections;
        let view = self.market_bets(book, index);
        known.then(|| self.selection_cost(view, usize::from(selection.0)))
    }

    /// What a market loses in its worst outcome in a currency in use: [`State::exposure`] without
    /// an allocation, for the loop's outputs.
    pub fn worst_outcome(&self, market: MarketId, currency: Currency) -> Option<(i128, i128)> {
        let (index, _) = self.find_market(market)?;
        let book = self.ledger.book_of(currency.numeric())?;
        Some((self.risk.worst(self.market_bets(book, index)), self.risk.staked(book, index)))
    }
}
