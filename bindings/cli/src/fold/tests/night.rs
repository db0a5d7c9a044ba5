//! The rules of a live night, each broken once: two feeds, tiers, wallets, limits by time, probes.

use super::*;
use betring_core::command::{
    AssignTier, ConfirmHold, DefineGroup, Drives, ExcludeAccount, FactorScope, FeedGap, HoldBind,
    LiabilityAct, LimitKind, Period, PublishRules, Purse, ReleaseHold, Reprice, RepriceEntry,
    SetAccountLimit, SetFeedSchema, SetOwnLimit, SetStakeFactor, SetTier, SwitchFeed, TraderPrice,
    TraderPriceAct,
};
use betring_core::ruleset::Ruleset;

const BACKUP: FeedId = FeedId(2);
const GROUP: GroupId = GroupId(1);
const TIER: u8 = 1;

fn tier() -> SetTier {
    SetTier { tier: TIER, ..SetTier::default() }
}

impl Tale {
    /// The same journal; its market has a backup feed that is up, and a tier.
    fn night(tier: SetTier) -> Tale {
        let mut tale = Tale::begun();
        let header = tale.control();
        let feed = betring_core::command::DefineFeed {
            silence_bound: Nanos::from_secs(20),
            ..Default::default()
        };
        let slots = build::define_feed(header, feed, "backup").expect("a name");
        let named = Named { id: 2, kind: 17, zero: [0; 7] };
        tale.control_record(header, slots.as_bytes(), Told::default().event(named));
        let header = tale.control();
        let group = DefineGroup { primary: FEED, backup: BACKUP, ..Default::default() };
        let slots = build::define_group(header, group, "league").expect("a name");
        let defined = GroupDefined { group: GROUP, primary: FEED, backup: BACKUP, zero: 0 };
        tale.control_record(header, slots.as_bytes(), Told::default().event(defined));
        tale.fold.markets.get_mut(&MARKET.raw()).expect("it is defined").group = GROUP;
        let recovered = FeedRecovered { feed: BACKUP, ..Default::default() };
        let up = FeedChanged {
            feed: BACKUP,
            ..feed_changed(&tale, FeedStatus::Up, FeedWhy::Recovered, 2)
        };
        tale.feed_body(recovered, Told::default().event(up));
        tale.set_tier(tier);
        let assigned = TierAssigned { market: MARKET, tier: TIER, zero: [0; 7] };
        let body = AssignTier { tier: TIER, market: MARKET, ..Default::default() };
        tale.control_body(body, Told::default().event(assigned));
        tale
    }

    fn set_tier(&mut self, tier: SetTier) {
        let set = TierSet { tier: tier.tier, zero: [0; 7] };
        self.control_body(tier, Told::default().event(set));
    }

    fn quote(&self, feed: FeedId, e4: u32, version: u64) -> PriceSet {
        PriceSet {
            market: MARKET,
            price: price(e4),
            version: PriceVersion(version),
            received: self.now(),
            feed,
            generation: 2,
            quoted: price(e4),
            drives: u8::from(feed == FEED),
            ..zeroed()
        }
    }

    /// A feed's message with one price, and what it is told to have done.
    fn sends(&mut self, feed: FeedId, e4: u32, told: Told) {
        let header =
            Header { received: self.now(), ..Header::control(ActorId(1), RequestKey::NONE) };
        let set = SetPrices { feed, market: MARKET, ..Default::default() };
        let slots = build::set_prices(header, set, &[PriceEntry::new(HOME, price(e4))]);
        self.record(slots.expect("one entry").as_bytes(), told);
    }

    fn sets(&mut self, feed: FeedId, e4: u32, version: u64) {
        let set = self.quote(feed, e4, version);
        self.sends(feed, e4, Told::default().event(set));
    }

    fn switch(&mut self) {
        let body = SwitchFeed { group: GROUP, to: Drives::Backup as u8, ..Default::default() };
        let to = Drives::Backup as u8;
        let switched = FeedSwitched { group: GROUP, feed: BACKUP, to, zero: [0; 3] };
        self.control_body(body, Told::default().event(switched));
    }

    fn pin(&mut self, e4: u32, version: u64) {
        let body = TraderPrice {
            act: TraderPriceAct::Pin as u8,
            market: MARKET,
            price: price(e4),
            ..Default::default()
        };
        let pinned = PricePinned {
            market: MARKET,
            price: price(e4),
            version: PriceVersion(version),
            selection: HOME,
            pinned: 1,
            zero: [0; 5],
        };
        self.control_body(body, Told::default().event(pinned));
    }

    fn goes_down(&mut self) {
        let body = FeedGap { feed: FEED, ..Default::default() };
        let down = feed_changed(self, FeedStatus::Down, FeedWhy::Gap, 3);
        self.feed_body(body, Told::default().event(down));
    }

    /// Places 10.00 at this price, by this feed; what the fold finds.
    fn bets(mut self, feed: FeedId, e4: u32, version: u64, age_ms: i64) -> Vec<Rule> {
        let bet = BetOpened {
            price: price(e4),
            returns: Minor(i64::from(e4) / 10),
            version: PriceVersion(version),
            feed,
            policy: PricePolicy::Any as u8,
            ..self.bet(age_ms)
        };
        self.place(bet);
        self.broken()
    }
}

#[test]
fn a_bet_at_the_price_of_the_feed_that_stands_by_is_found_until_that_feed_drives() {
    let night = || {
        let mut tale = Tale::night(tier());
        tale.sets(BACKUP, 26_000, 2);
        tale
    };
    assert_eq!(night().bets(FEED, 25_000, 1, 0), []);
    assert_eq!(night().bets(BACKUP, 26_000, 2, 0), [Rule::Price, Rule::Feed]);
    let switched = || {
        let mut tale = night();
        tale.switch();
        tale
    };
    assert_eq!(switched().bets(BACKUP, 26_000, 2, 0), []);
    assert_eq!(switched().bets(FEED, 25_000, 1, 0), [Rule::Price, Rule::Feed]);
}

#[test]
fn an_offer_dies_when_the_other_feed_drives() {
    let mut tale = offered();
    tale.fold.groups.insert(GROUP.0, Group { feeds: [FEED; 2], drives: 0, held: Held::default() });
    tale.fold.markets.get_mut(&MARKET.raw()).expect("defined").group = GROUP;
    let body = SwitchFeed { group: GROUP, to: Drives::Backup as u8, ..Default::default() };
    let to = Drives::Backup as u8;
    let switched = FeedSwitched { group: GROUP, feed: FEED, to, zero: [0; 3] };
    tale.control_body(body, Told::default().event(switched));
    tale.fold.groups.get_mut(&GROUP.0).expect("defined").drives = 0;
    assert_eq!(taken(tale, 200, |_| ()), [Rule::Offer]);
}

#[test]
fn of_two_feeds_only_the_word_of_the_one_that_drives_suspends() {
    let suspended = |owner: Owner, level: Level| {
        let mut tale = Tale::night(tier());
        let id = match level {
            Level::Group => u64::from(GROUP.0),
            _ => MARKET.raw(),
        };
        let (level, owner) = (level as u8, owner as u8);
        let event = LevelSuspended { id, level, owner, owners: 1 << owner, ..zeroed() };
        let body = Suspend { level, owner, id, ..Default::default() };
        tale.control_body(body, Told::default().event(event));
        tale.bets(FEED, 25_000, 1, 0)
    };
    for level in [Level::Market, Level::Group, Level::Selection] {
        assert_eq!(suspended(Owner::Backup, level), [], "{level}");
        for owner in [Owner::Feed, Owner::Trader, Owner::Governor] {
            assert_eq!(suspended(owner, level), [Rule::Status], "{owner} at {level}");
        }
    }
}

#[test]
fn a_pinned_price_needs_no_feed_and_no_other_price_has_its_right() {
    let pinned = || {
        let mut tale = Tale::night(tier());
        tale.pin(30_000, 2);
        tale.goes_down();
        tale
    };
    assert_eq!(pinned().bets(FeedId::MANUAL, 30_000, 2, 0), []);
    assert_eq!(pinned().bets(FEED, 25_000, 1, 0), [Rule::Price, Rule::Feed]);
    let mut tale = Tale::night(SetTier { age_bound: Nanos(500 * MS), ..tier() });
    tale.pin(30_000, 2);
    tale.at(501);
    assert_eq!(tale.bets(FeedId::MANUAL, 30_000, 2, 501), [Rule::Age], "the tier's bound holds");
    // A pin that nobody asked for.
    let mut tale = Tale::night(tier());
    tale.pin(30_000, 3);
    assert_eq!(tale.broken(), [Rule::Prices], "a version was left out");
}

#[test]
fn a_price_older_than_its_tier_allows_is_found() {
    let aged = |ms| {
        let mut tale = Tale::night(SetTier { age_bound: Nanos(1_200 * MS), ..tier() });
        tale.at(ms);
        tale.bets(FEED, 25_000, 1, ms)
    };
    assert_eq!(aged(1_200), []);
    assert_eq!(aged(1_201), [Rule::Age], "the market itself allows 1.5 s");
}

#[test]
fn a_leap_out_of_the_band_is_kept_back_unless_the_other_feed_says_so_too() {
    // A tenth at once, and no more.
    let banded = || Tale::night(SetTier { price_band: 100_000, ..tier() });
    let mut tale = banded();
    tale.sets(FEED, 27_500, 2);
    assert_eq!(tale.broken(), [], "the band itself is within it");
    let mut tale = banded();
    tale.sets(FEED, 27_600, 2);
    assert_eq!(tale.broken(), [Rule::Band]);
    let mut tale = banded();
    tale.sets(BACKUP, 30_000, 2);
    tale.sets(FEED, 30_500, 3);
    assert_eq!(tale.broken(), [], "the backup is near it");

    let kept = || {
        let mut tale = banded();
        let old = PriceSet { quoted: price(40_000), held: 1, ..tale.quote(FEED, 25_000, 1) };
        tale.sends(FEED, 40_000, Told::default().event(old));
        tale
    };
    assert_eq!(kept().broken(), []);
    assert_eq!(kept().bets(FEED, 25_000, 1, 0), [Rule::Band], "its feed says something else");
    let mut tale = kept();
    let body =
        TraderPrice { act: TraderPriceAct::TakeHeld as u8, market: MARKET, ..Default::default() };
    let set = tale.quote(FEED, 40_000, 2);
    tale.control_body(body, Told::default().event(set));
    assert_eq!(tale.bets(FEED, 40_000, 2, 0), [], "a trader took it");
    // What does not leap is not to be kept back either.
    let mut tale = banded();
    let old = PriceSet { quoted: price(25_500), held: 1, ..tale.quote(FEED, 25_000, 1) };
    tale.sends(FEED, 25_500, Told::default().event(old));
    assert_eq!(tale.broken(), [Rule::Band]);
}

#[test]
fn a_price_that_is_shortened_by_other_than_its_ticks_is_found() {
    let act = LiabilityAct::Step as u8;
    let stepping = || Tale::night(SetTier { act, band: 10, ticks: 2, steps: 3, ..tier() });
    let shorter = |e4: u32, steps: u8| {
        let mut tale = stepping();
        let set = PriceSet { price: price(e4), steps, ..tale.quote(FEED, 31_700, 2) };
        tale.sends(FEED, 31_700, Told::default().event(set));
        tale.broken()
    };
    // 3.17 is between 3.15 and 3.20: from 3.15 two ticks twice are 2.98.
    assert_eq!(shorter(29_800, 2), []);
    assert_eq!(shorter(31_700, 2), [Rule::Prices]);
    assert_eq!(shorter(29_600, 2), [Rule::Prices]);
    assert_eq!(shorter(29_800, 4), [Rule::Prices], "its tier has no fourth step");
    let stepped = |e4: u32, version: u64| {
        let mut tale = stepping();
        let step = PriceStepped {
            market: MARKET,
            price: price(e4),
            version: PriceVersion(version),
            selection: HOME,
            feed: FEED,
            steps: 1,
            zero: [0; 3],
        };
        let bet = tale.bet(0);
        let body = betring_core::command::CancelBet { bet: bet.bet, ..Default::default() };
        tale.control_body(body, Told::default().event(step));
        tale
    };
    assert_eq!(stepped(24_600, 2).bets(FEED, 24_600, 2, 0), [], "2.50 less two ticks");
    assert_eq!(stepped(24_600, 2).bets(FEED, 25_000, 1, 0), [Rule::Price], "it was longer before");
    assert_eq!(stepped(24_800, 2).broken(), [Rule::Prices]);
}

#[test]
fn every_tick_of_the_ladder_is_as_everybody_trades_it() {
    let shorter = |e4, ticks| world::shortened(price(e4), ticks).e4;
    for (from, to) in [
        (10_200, 10_100),
        (20_000, 19_900),
        (20_200, 20_000),
        (30_000, 29_800),
        (40_000, 39_500),
        (60_000, 59_000),
        (100_000, 98_000),
        (200_000, 195_000),
        (300_000, 290_000),
        (500_000, 480_000),
        (1_000_000, 950_000),
        (10_000_000, 9_900_000),
    ] {
        assert_eq!(shorter(from, 1), to);
    }
    assert_eq!(shorter(10_100, 5), 10_100, "there is no shorter price");
    assert_eq!(shorter(10_050, 5), 10_050, "what is below the ladder stays");
    assert_eq!(shorter(90_000_000, 1), 9_900_000, "what is above it comes down to it");
    let thirds = WirePrice { e4: 13_333, num: 1, den: 3 };
    assert_eq!(world::shortened(thirds, 0), thirds, "a fraction is kept where nothing is taken");
    assert_eq!(world::shortened(thirds, 1), price(13_200));
}

#[test]
fn feeds_that_are_apart_for_too_long_are_found() {
    let band = SetTier { drift_band: 50_000, drift_dwell: Nanos(300 * MS), ..tier() };
    let apart = |told: bool| {
        let mut tale = Tale::night(band);
        tale.at(100);
        let set = tale.quote(BACKUP, 23_000, 2);
        let drift = DriftChanged {
            market: MARKET,
            since: tale.now(),
            // 0.20 of 2.30.
            ppm: 86_956,
            selection: HOME,
            over: 1,
            zero: 0,
        };
        let events = Told::default().event(set);
        let events = if told { events.event(drift) } else { events };
        tale.sends(BACKUP, 23_000, events);
        tale
    };
    assert_eq!(apart(false).broken(), [Rule::Drift], "no event tells it");
    let mut tale = apart(true);
    tale.at(399);
    assert_eq!(tale.bets(FEED, 25_000, 1, 399), []);
    let mut tale = apart(true);
    tale.at(400);
    assert_eq!(tale.bets(FEED, 25_000, 1, 400), [Rule::Drift]);
    let mut tale = apart(true);
    tale.at(400).pin(24_000, 3);
    assert_eq!(tale.bets(FeedId::MANUAL, 24_000, 3, 0), [], "a trader has decided");
}

#[test]
fn a_drift_that_goes_on_with_a_result_is_found() {
    let ends = |ends: bool| {
        let mut tale = Tale::night(SetTier { drift_band: 50_000, ..tier() });
        let (market, selection, zero) = (MARKET, HOME, 0);
        let (since, ppm) = (tale.now(), 86_956);
        let over = DriftChanged { market, since, ppm, selection, over: 1, zero };
        let set = tale.quote(BACKUP, 23_000, 2);
        tale.sends(BACKUP, 23_000, Told::default().event(set).event(over));
        let header = tale.control();
        let entries = [
            ResultEntry::new(HOME, SelectionOutcome::Win),
            ResultEntry::new(SelectionIndex(1), SelectionOutcome::Lose),
        ];
        let body = MarketResult { market, ..Default::default() };
        let slots = build::result(header, body, &entries).expect("two entries");
        let (job, kind) = (JobId(tale.seq + 1), JobKind::Settle as u8);
        let told = Told::default().event(status(MarketStatus::Settling));
        let since = Timestamp(0);
        let within = DriftChanged { market, since, ppm: 0, selection, over: 0, zero };
        let told = if ends { told.event(within) } else { told };
        let told = told.event(ResultRecorded { market, job, settlement: 1, zero: 0 });
        let told = told.event(JobStarted { job, market, kind, zero: [0; 7] });
        tale.control_record(header, slots.as_bytes(), told);
        tale.broken()
    };
    assert_eq!(ends(true), []);
    assert_eq!(ends(false), [Rule::Drift]);
}

#[test]
fn a_feed_of_another_version_and_the_end_of_another_recovery_are_found() {
    let versioned = || {
        let mut tale = Tale::begun();
        let body = SetFeedSchema { feed: FEED, schema: 7, ..Default::default() };
        let set = feed_changed(&tale, FeedStatus::Up, FeedWhy::SchemaSet, 2);
        tale.control_body(body, Told::default().event(set));
        tale
    };
    let mut tale = versioned();
    tale.heartbeat();
    assert_eq!(tale.broken(), [Rule::Feed], "it says no version, and goes on");
    let mut tale = versioned();
    tale.prices(26_000, PriceVersion(2), 0);
    assert_eq!(tale.broken(), [Rule::Prices, Rule::Feed]);
    let mut tale = versioned();
    let body = FeedHeartbeat { feed: FEED, ..Default::default() };
    let aside = feed_changed(&tale, FeedStatus::Quarantined, FeedWhy::Schema, 3);
    tale.feed_body(body, Told::default().event(aside));
    assert_eq!(tale.bets(FEED, 25_000, 1, 0), [Rule::Feed], "it is in quarantine");

    let recovered = |request: u64| {
        let mut tale = Tale::begun();
        tale.goes_down();
        let body =
            betring_core::command::FeedRecovering { feed: FEED, request: 8, ..Default::default() };
        let asked = feed_changed(&tale, FeedStatus::Recovering, FeedWhy::Asked, 3);
        tale.feed_body(body, Told::default().event(asked));
        let body = FeedRecovered { feed: FEED, request, ..Default::default() };
        let up = feed_changed(&tale, FeedStatus::Up, FeedWhy::Recovered, 3);
        tale.feed_body(body, Told::default().event(up));
        tale.broken()
    };
    assert_eq!(recovered(8), []);
    assert_eq!(recovered(7), [Rule::Feed]);
    // The end of a recovery that nobody asked for in this run.
    let mut tale = Tale::begun();
    tale.fold.feeds.get_mut(&FEED.0).expect("it is defined").status = FeedStatus::Recovering;
    let body = FeedRecovered { feed: FEED, request: 7, ..Default::default() };
    let up = feed_changed(&tale, FeedStatus::Up, FeedWhy::Recovered, 2);
    tale.feed_body(body, Told::default().event(up));
    assert_eq!(tale.broken(), [Rule::Feed]);
    // A message that is missing, and nobody noticed.
    let mut tale = Tale::begun();
    for feed_seq in [1, 3] {
        let body = FeedHeartbeat { feed: FEED, feed_seq, ..Default::default() };
        tale.feed_body(body, Told::default());
    }
    assert_eq!(tale.broken(), [Rule::Feed]);
}

/// A journal whose customer has an external wallet, with rules that bind so.
fn wallet(bind: HoldBind) -> Tale {
    let mut tale = Tale::begun();
    let header = tale.control();
    let rules = Ruleset {
        hold_bind: bind as u8,
        price_failure: PriceFailure::Refuse as u8,
        ..Ruleset::standard(Name::new("wallets").expect("a name"))
    };
    let slots = build::publish_rules(header, PublishRules::default(), &rules);
    let published = RulesPublished { ruleset: 1, zero: 0 };
    tale.control_record(header, slots.as_bytes(), Told::default().event(published));
    let open = OpenAccount {
        reference: 8,
        currency: GBP,
        purse: Purse::External as u8,
        ..Default::default()
    };
    let purse = Purse::External as u8;
    let opened = AccountOpened { account: OUTSIDE, reference: 8, currency: GBP, purse, ..zeroed() };
    tale.body_of(AccountId::NONE, open, Told::default().event(opened), |seq| {
        Answer::done(seq, OUTSIDE.raw())
    });
    tale
}

const OUTSIDE: AccountId = AccountId::new(1, 1);

fn asked() -> Place {
    let policy = PricePolicy::Any as u8;
    Place { market: MARKET, stake: Minor(1_000), policy, ..Default::default() }
}

/// Asks for 10.00 at 100 ms: the wallet is asked to hold it.
fn held(bind: HoldBind) -> Tale {
    let mut tale = wallet(bind);
    tale.at(100);
    let until = Timestamp(tale.now().0 + 5_000 * MS);
    let pending = BetPending {
        bet: BET,
        account: OUTSIDE,
        stake: Minor(1_000),
        returns: Minor(2_500),
        until,
        why: PendingWhy::Wallet as u8,
        currency: GBP,
        legs: 1,
        ruleset: 1,
        ..zeroed()
    };
    let hold = HoldRequested {
        bet: BET,
        account: OUTSIDE,
        amount: Minor(1_000),
        until,
        currency: GBP,
        bind: bind as u8,
        ..zeroed()
    };
    tale.body_of(OUTSIDE, asked(), Told::default().event(pending).event(hold), |seq| {
        let mut answer = Answer::pending(seq, BET, PendingWhy::Wallet, until);
        (answer.stake, answer.amount) = (Minor(1_000), Minor(2_500));
        answer
    });
    tale
}

/// The wallet confirms at 200 ms, and the bet opens, changed a little.
fn confirmed(
    mut tale: Tale,
    amount: i64,
    kept: i64,
    change: impl FnOnce(&mut BetOpened),
) -> Vec<Rule> {
    let (seq, key) = tale.fold.bets.get(&BET.raw()).map(|bet| (bet.seq, bet.key)).expect("held");
    tale.ms += 100;
    let mut bet = BetOpened {
        account: OUTSIDE,
        requested: WirePrice::NONE,
        policy: PricePolicy::Any as u8,
        basis: Basis::Held as u8,
        from: betring_core::BetState::Held as u8,
        placed_at: Timestamp(1 + 100 * MS),
        placed_seq: seq,
        ruleset: 1,
        key,
        ..tale.bet(100)
    };
    change(&mut bet);
    let (world, own) =
        (LedgerAccount::house(HouseAccount::World, GBP), LedgerAccount::customer(OUTSIDE));
    let comes = transfer(world, own, amount, TransferWhy::WalletIn);
    let staked = transfer(own, escrow(), amount - kept, TransferWhy::Stake);
    let (id, amount) = (BET, Minor(amount));
    let body = ConfirmHold { bet: id, amount, reference: 5, ..Default::default() };
    let holds = HoldConfirmed { bet: id, account: OUTSIDE, amount, reference: 5 };
    let events = Told::default().event(holds).event(comes).event(staked).event(bet);
    tale.control_body(body, events);
    tale.broken()
}

#[test]
fn a_bet_whose_stake_is_held_has_the_price_that_its_rules_bind() {
    let longer = |bet: &mut BetOpened| {
        bet.price = price(26_000);
        bet.returns = Minor(2_600);
        (bet.version, bet.price_age) = (PriceVersion(2), Nanos(50 * MS));
    };
    let moved = |bind| {
        let mut tale = held(bind);
        tale.at(150).prices(26_000, PriceVersion(2), 0);
        tale.at(100);
        tale
    };
    // Bound when it was placed: the price of then, whatever came meanwhile.
    let place = HoldBind::AtPlace;
    assert_eq!(confirmed(held(place), 1_000, 0, |_| ()), []);
    assert_eq!(confirmed(moved(place), 1_000, 0, |_| ()), []);
    assert_eq!(confirmed(moved(place), 1_000, 0, longer), [Rule::Price]);
    let mut tale = held(place);
    tale.suspend(Level::Market, MARKET.raw());
    assert_eq!(confirmed(tale, 1_000, 0, |_| ()), [], "a suspension comes too late");
    // Bound when it is confirmed: the price of now, and nothing was suspended since.
    let confirm = HoldBind::AtConfirm;
    assert_eq!(confirmed(moved(confirm), 1_000, 0, longer), []);
    assert_eq!(confirmed(moved(confirm), 1_000, 0, |_| ()), [Rule::Price, Rule::Age]);
    let mut tale = held(confirm);
    tale.suspend(Level::Market, MARKET.raw());
    let aged = |bet: &mut BetOpened| bet.price_age = Nanos(200 * MS);
    assert_eq!(confirmed(tale, 1_000, 0, aged), [Rule::Status, Rule::Waiting]);
}

#[test]
fn a_stake_that_is_not_held_whole_or_too_late_or_not_at_all_is_found() {
    let place = HoldBind::AtPlace;
    let part = confirmed(held(place), 900, 0, |bet| {
        (bet.stake, bet.returns) = (Minor(900), Minor(2_250));
    });
    assert!(part.contains(&Rule::Wallet), "{part:?}");
    let kept = confirmed(held(place), 1_000, 100, |_| ());
    assert!(kept.contains(&Rule::Wallet), "something of it stays here: {kept:?}");
    let mut late = held(place);
    late.at(5_101);
    assert_eq!(confirmed(late, 1_000, 0, |_| ()), [Rule::Wallet]);
    // Open at once, with money that nobody holds.
    let mut tale = wallet(place);
    let bet = BetOpened {
        account: OUTSIDE,
        requested: WirePrice::NONE,
        policy: PricePolicy::Any as u8,
        ruleset: 1,
        ..tale.bet(0)
    };
    let own = LedgerAccount::customer(OUTSIDE);
    let staked = transfer(own, escrow(), 1_000, TransferWhy::Stake);
    let events = Told::default().event(staked).event(bet);
    tale.body_of(OUTSIDE, asked(), events, |seq| accepted(seq, &bet));
    let found = tale.broken();
    assert!(found.contains(&Rule::Wallet) && found.contains(&Rule::Balance), "{found:?}");
    // Confirmed by nobody.
    let mut tale = held(place);
    let body = ReleaseHold { bet: BET, ..Default::default() };
    let holds = HoldConfirmed { bet: BET, account: OUTSIDE, amount: Minor(1_000), reference: 5 };
    tale.control_body(body, Told::default().event(holds));
    assert!(tale.broken().contains(&Rule::Wallet));
    // Let go: no money moves.
    let mut tale = held(place);
    let body = ReleaseHold { bet: BET, ..Default::default() };
    let rejected = BetRejected {
        bet: BET,
        account: OUTSIDE,
        reject: Reject::HoldReleased.code(),
        from: betring_core::BetState::Held as u8,
        ..zeroed()
    };
    let (amount, why) = (Minor(1_000), HoldEnd::Released as u8);
    let ended = HoldEnded { bet: BET, account: OUTSIDE, amount, why, zero: [0; 7] };
    tale.control_body(body, Told::default().event(rejected).event(ended));
    assert_eq!(tale.broken(), []);
}

#[test]
fn a_stake_above_a_limit_of_the_account_s_own_is_found() {
    let limited = |kind: LimitKind, amount: i64| {
        let mut tale = Tale::begun();
        tale.limit(kind, amount, 0);
        tale
    };
    let placed = |mut tale: Tale| {
        tale.place(tale.bet(0));
        tale.broken()
    };
    assert_eq!(placed(limited(LimitKind::Stake, 1_000)), []);
    assert_eq!(placed(limited(LimitKind::Stake, 999)), [Rule::Customer]);
    assert_eq!(placed(limited(LimitKind::Loss, 999)), [Rule::Customer]);
    assert_eq!(placed(limited(LimitKind::Deposit, 999)), [], "nothing is paid in");
    // More is paid in than may be in a day; what was before the limit does not count.
    let paid = |amounts: &[i64]| {
        let mut tale = limited(LimitKind::Deposit, 500);
        for amount in amounts {
            let world = LedgerAccount::house(HouseAccount::World, GBP);
            let own = LedgerAccount::customer(ACCOUNT);
            let moved = transfer(world, own, *amount, TransferWhy::Deposit);
            let body = Deposit { amount: Minor(*amount), ..Default::default() };
            let done = |seq| Answer::done(seq, ACCOUNT.raw());
            tale.body(body, Told::default().event(moved), done);
        }
        tale.broken()
    };
    assert_eq!(paid(&[300, 200]), []);
    assert_eq!(paid(&[300, 201]), [Rule::Customer]);
    // Its customer raises it: that counts after a day, not before.
    let day = 24 * 3_600 * 1_000;
    let mut early = limited(LimitKind::Stake, 500);
    early.raise(LimitKind::Stake, 2_000, day - 1);
    assert_eq!(early.broken(), [Rule::Customer]);
    let mut raised = limited(LimitKind::Stake, 500);
    raised.raise(LimitKind::Stake, 2_000, day);
    assert_eq!(placed(raised), [Rule::Customer], "until then the old one holds");
}

impl Tale {
    fn limit(&mut self, kind: LimitKind, amount: i64, after_ms: i64) {
        let (kind, period, amount) = (kind as u8, Period::Day as u8, Minor(amount));
        let body = SetAccountLimit { kind, period, account: ACCOUNT, amount, ..Default::default() };
        let from = Timestamp(self.now().0 + after_ms * MS);
        let changed =
            AccountLimitChanged { account: ACCOUNT, amount, from, kind, period, zero: [0; 6] };
        self.control_body(body, Told::default().event(changed));
    }

    fn raise(&mut self, kind: LimitKind, amount: i64, after_ms: i64) {
        let (kind, period, amount) = (kind as u8, Period::Day as u8, Minor(amount));
        let body = SetOwnLimit { kind, period, amount, ..Default::default() };
        let from = Timestamp(self.now().0 + after_ms * MS);
        let changed =
            AccountLimitChanged { account: ACCOUNT, amount, from, kind, period, zero: [0; 6] };
        self.body(body, Told::default().event(changed), |seq| Answer::done(seq, ACCOUNT.raw()));
    }
}

#[test]
fn a_bet_of_a_blocked_or_excluded_account_is_found() {
    let mut tale = Tale::begun();
    let until = Timestamp(tale.now().0 + 100 * MS);
    let body = ExcludeAccount { account: ACCOUNT, until, ..Default::default() };
    let excluded = AccountExcluded { account: ACCOUNT, until };
    tale.control_body(body, Told::default().event(excluded));
    tale.at(99);
    tale.place(tale.bet(99));
    assert_eq!(tale.broken(), [Rule::Customer]);

    let mut tale = Tale::begun();
    let body =
        betring_core::command::BlockAccount { account: ACCOUNT, blocked: 1, ..Default::default() };
    let blocked = AccountChanged { account: ACCOUNT, blocked: 1, zero: [0; 7] };
    tale.control_body(body, Told::default().event(blocked));
    tale.place(tale.bet(0));
    assert_eq!(tale.broken(), [Rule::Customer]);
}

#[test]
fn a_stake_above_the_largest_one_with_its_factors_is_found() {
    // At most 1,000.00; a hundredth of that is 10.00.
    let factors = |percents: &[(FactorScope, u64, u32)]| {
        let mut tale = Tale::begun();
        for (scope, id, percent) in percents {
            let (scope, id, percent) = (*scope as u8, *id, *percent);
            let body = SetStakeFactor { scope, id, percent, ..Default::default() };
            let changed = StakeFactorChanged { id, percent, scope, zero: [0; 3] };
            tale.control_body(body, Told::default().event(changed));
        }
        tale.place(tale.bet(0));
        tale.broken()
    };
    let (market, account) = (FactorScope::Market, FactorScope::Account);
    assert_eq!(factors(&[(market, MARKET.raw(), 10), (account, ACCOUNT.raw(), 10)]), []);
    let more = [(market, MARKET.raw(), 10), (account, ACCOUNT.raw(), 9)];
    assert_eq!(factors(&more), [Rule::Stake]);
    assert_eq!(factors(&[(FactorScope::Feed, FEED.0.into(), 0)]), [Rule::Stake]);
    assert_eq!(factors(&[(FactorScope::Feed, BACKUP.0.into(), 0)]), []);
    assert_eq!(factors(&[(FactorScope::Tier, 0, 0)]), [Rule::Stake]);
}

#[test]
fn a_probe_among_customers_and_its_money_among_theirs_are_found() {
    let probe = AccountId::new(2, 1);
    let probing = |synthetic: u8, flags: u16, house: HouseAccount| {
        let mut tale = Tale::begun();
        let open = OpenAccount { reference: 9, currency: GBP, synthetic: 1, ..Default::default() };
        let opened =
            AccountOpened { account: probe, reference: 9, currency: GBP, synthetic: 1, ..zeroed() };
        tale.body_of(AccountId::NONE, open, Told::default().event(opened), |seq| {
            Answer::done(seq, probe.raw())
        });
        let own = LedgerAccount::customer(probe);
        let of = |which| LedgerAccount::house(which, GBP);
        let paid = transfer(of(HouseAccount::Probes), own, 5_000, TransferWhy::Deposit);
        let deposit = Deposit { amount: Minor(5_000), ..Default::default() };
        let done = |seq| Answer::done(seq, probe.raw());
        tale.body_of(probe, deposit, Told::default().event(paid), done);
        let bet = BetOpened { account: probe, synthetic, ..tale.bet(0) };
        let staked = transfer(own, of(house), 1_000, TransferWhy::Stake);
        tale.keys += 1;
        let header = Header { flags, ..Header::customer(probe, RequestKey(tale.keys)) };
        let answered = tale.answered(header, accepted(Seq(tale.seq + 1), &bet));
        let place = Place {
            market: MARKET,
            stake: Minor(1_000),
            price: bet.requested,
            policy: bet.policy,
            ..Default::default()
        };
        let events = Told::default().event(staked).event(bet).event(answered);
        tale.record(build::plain(header, &place).as_bytes(), events);
        tale
    };
    let flag = Header::SYNTHETIC;
    let right = probing(1, flag, HouseAccount::Probes);
    assert_eq!((right.fold.counts.synthetic, right.fold.counts.accepted), (1, 0));
    assert_eq!(right.broken(), []);
    assert_eq!(probing(0, 0, HouseAccount::Probes).broken(), [Rule::Probes]);
    let mixed = probing(1, flag, HouseAccount::Escrow).broken();
    assert_eq!(mixed, [Rule::Ledger, Rule::Escrow]);
    // Nobody but probes bets on a canary.
    let mut tale = Tale::begun();
    tale.fold.markets.get_mut(&MARKET.raw()).expect("defined").canary = true;
    tale.place(tale.bet(0));
    assert_eq!(tale.broken(), [Rule::Probes]);
}

#[test]
fn half_a_repricing_and_one_of_another_fixture_are_found() {
    let repriced = |fixture: FixtureId, told: &[(u16, u32)]| {
        let mut tale = Tale::begun();
        let header =
            Header { received: tale.now(), ..Header::control(ActorId(1), RequestKey::NONE) };
        let model = Reprice::named("football").expect("a name");
        let body = Reprice { fixture, model, feed: FEED, ..Default::default() };
        let gone = MarketId::new(8, 1);
        let entry = |market, at, e4| RepriceEntry::new(market, SelectionIndex(at), price(e4));
        let entries = [entry(MARKET, 0, 26_000), entry(MARKET, 1, 17_000), entry(gone, 0, 15_000)];
        let mut slots = Vec::new();
        build::reprice_into(&mut slots, header, body, &entries).expect("in order");
        let mut events = Told::default();
        for (at, e4) in told {
            let set = tale.quote(FEED, *e4, 2);
            events = events.event(PriceSet { selection: SelectionIndex(*at), ..set });
        }
        tale.record(slots.as_bytes(), events);
        tale.broken()
    };
    let (home, away) = ((0, 26_000), (1, 17_000));
    assert_eq!(repriced(FIXTURE, &[home, away]), [], "a market that is gone is passed over");
    assert_eq!(repriced(FIXTURE, &[]), [], "it came too late, or was refused");
    assert_eq!(repriced(FIXTURE, &[home]), [Rule::Prices]);
    assert_eq!(repriced(FIXTURE, &[away]), [Rule::Prices]);
    assert_eq!(repriced(FixtureId::new(1, 1), &[home, away]), [Rule::Prices]);
}
