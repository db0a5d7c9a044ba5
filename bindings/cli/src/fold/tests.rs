//! Each rule of the fold, broken once by hand-made records.

mod exchange;
mod night;
mod scripts;

use super::*;
use betring_core::answer::{Answer, Basis};
use betring_core::command::build;
use betring_core::command::{
    AcceptOffer, Deposit, EpochOpened, FeedHeartbeat, FeedRecovered, MarketResult, OpenAccount,
    OpenMarket, Place, PriceEntry, ResultEntry, SetPrices, Step, Suspend, WithdrawSelection,
};
use betring_core::command::{Limits, Owner, PriceFailure, PricePolicy, SelectionOutcome};
use betring_core::reject::Reject;
use betring_core::wire::{self, Body};
use zerocopy::{FromZeros, IntoBytes};

const MS: i64 = 1_000_000;
const ACCOUNT: AccountId = AccountId::new(0, 1);
const MARKET: MarketId = MarketId::new(0, 1);
const FIXTURE: FixtureId = FixtureId::new(0, 1);
const BET: BetId = BetId::new(0, 1);
const HOME: SelectionIndex = SelectionIndex(0);
const FEED: FeedId = FeedId(1);
const GBP: u16 = 826;

/// A journal written by hand, record by record, and folded at once.
struct Tale {
    fold: Fold,
    seq: u64,
    ms: i64,
    keys: u128,
}

/// The bytes of events, as a record has them.
#[derive(Default)]
struct Told(Vec<u8>);

impl Told {
    fn event<E: EventBody>(mut self, event: E) -> Told {
        let bytes = (EVENT_HEADER + size_of::<E>()) as u16;
        self.0.extend([E::KIND, 1]);
        self.0.extend(bytes.to_le_bytes());
        self.0.extend([0; 4]);
        self.0.extend(event.as_bytes());
        self
    }
}

fn price(e4: u32) -> WirePrice {
    WirePrice { e4, num: 0, den: 0 }
}

fn zeroed<E: FromZeros>() -> E {
    E::new_zeroed()
}

fn escrow() -> LedgerAccount {
    LedgerAccount::house(HouseAccount::Escrow, GBP)
}

fn transfer(from: LedgerAccount, to: LedgerAccount, amount: i64, why: TransferWhy) -> Transfer {
    let bet = match why {
        TransferWhy::Deposit | TransferWhy::Withdraw => BetId::NONE,
        _ => BET,
    };
    let (amount, why) = (Minor(amount), why as u8);
    Transfer { from, to, amount, bet, currency: GBP, why, zero: [0; 5] }
}

impl Tale {
    /// A journal with one open market at 2.50, its feed up, one account with 100.00.
    fn begun() -> Tale {
        let mut tale = Tale { fold: Fold::new(), seq: 0, ms: 0, keys: 0 };
        let limits = Limits {
            min_stake: Minor(1),
            max_stake: Minor(100_000),
            max_payout: Minor(1_000_000),
            max_liability: Minor(1_000_000),
            ..Limits::UNLIMITED
        };
        let genesis = Genesis {
            window: Nanos::from_secs(300),
            age_bound: Nanos::from_millis(1_500),
            offer_ttl: Nanos::from_secs(5),
            price_failure: PriceFailure::Offer as u8,
            rounding: 1,
            step_budget: 64,
            limits,
            ..Genesis::default()
        };
        tale.engine(wire::slots(Header::default(), &genesis, &[]).as_bytes(), Told::default());
        let mut run = EpochOpened {
            epoch: Epoch(1),
            logic_version: 1,
            rules_id: 1,
            rules_version: 1,
            ..EpochOpened::default()
        };
        let one = [1_u32; 17];
        run.capacities.as_mut_bytes().copy_from_slice(one.as_bytes());
        let began = Told::default().event(RunBegan { epoch: Epoch(1), zero: 0 });
        tale.engine(wire::slots(Header::default(), &run, &[]).as_bytes(), began);

        let feed = betring_core::command::DefineFeed {
            silence_bound: Nanos::from_secs(2),
            delay_bound: Nanos::from_millis(50),
            ..Default::default()
        };
        let header = tale.control();
        let slots = build::define_feed(header, feed, "feed").expect("a name");
        let named = Named { id: 1, kind: 17, zero: [0; 7] };
        tale.control_record(header, slots.as_bytes(), Told::default().event(named));

        let market = betring_core::command::DefineMarket {
            feed: FEED,
            winners: 1,
            fixture: FIXTURE,
            kind: 1,
            ..Default::default()
        };
        let header = tale.control();
        let slots = build::define_market(header, market, "1X2", &["Home", "Away"]).expect("names");
        let defined = MarketDefined {
            market: MARKET,
            fixture: FIXTURE,
            age_bound: Nanos::from_millis(1_500),
            feed: FEED,
            selections: 2,
            winners: 1,
            group: GroupId::NONE,
            tier: 0,
            canary: 0,
            zero: [0; 6],
        };
        tale.control_record(header, slots.as_bytes(), Told::default().event(defined));
        let open = OpenMarket { market: MARKET, ..Default::default() };
        tale.control_body(open, Told::default().event(status(MarketStatus::Open)));

        let recovered = FeedRecovered { feed: FEED, ..Default::default() };
        let up = feed_changed(&tale, FeedStatus::Up, FeedWhy::Recovered, 2);
        tale.feed_body(recovered, Told::default().event(up));
        tale.prices(25_000, PriceVersion(1), 0);

        let open = OpenAccount { reference: 7, currency: GBP, ..Default::default() };
        let opened = AccountOpened { account: ACCOUNT, reference: 7, currency: GBP, ..zeroed() };
        tale.body_of(AccountId::NONE, open, Told::default().event(opened), |seq| {
            Answer::done(seq, ACCOUNT.raw())
        });
        let world = LedgerAccount::house(HouseAccount::World, GBP);
        let moved = transfer(world, LedgerAccount::customer(ACCOUNT), 10_000, TransferWhy::Deposit);
        let deposit = Deposit { amount: Minor(10_000), ..Default::default() };
        tale.body(deposit, Told::default().event(moved), |seq| Answer::done(seq, ACCOUNT.raw()));
        tale
    }

    fn now(&self) -> Timestamp {
        Timestamp(1 + self.ms * MS)
    }

    fn at(&mut self, ms: i64) -> &mut Tale {
        self.ms = ms;
        self
    }

    fn control(&mut self) -> Header {
        self.keys += 1;
        Header::control(ActorId(1), RequestKey(self.keys))
    }

    fn record(&mut self, command: &[u8], events: Told) {
        self.seq += 1;
        let mut payload = command.to_vec();
        payload.extend(events.0);
        let (seq, at) = (Seq(self.seq), self.now());
        self.fold.take(Entry { seq, at, kind: u16::from(command[0]), payload: &payload });
    }

    fn engine(&mut self, command: &[u8], events: Told) {
        self.record(command, events);
    }

    fn control_record(&mut self, header: Header, command: &[u8], events: Told) {
        let answered = self.answered(header, Answer::done(Seq(self.seq + 1), 0));
        self.record(command, events.event(answered));
    }

    fn control_body<B: Body>(&mut self, body: B, events: Told) {
        let header = self.control();
        self.control_record(header, build::plain(header, &body).as_bytes(), events);
    }

    fn feed_body<B: Body>(&mut self, body: B, events: Told) {
        let header =
            Header { received: self.now(), ..Header::control(ActorId(1), RequestKey::NONE) };
        self.record(build::plain(header, &body).as_bytes(), events);
    }

    fn answered(&self, header: Header, answer: Answer) -> Answered {
        let valid_until = Timestamp(self.now().0 + 1_000 * MS);
        let (account, key) = (header.account, header.key);
        Answered { account, digest: 0, key, valid_until, answer, sealed: 0 }
    }

    fn body<B: Body>(&mut self, body: B, events: Told, answer: impl FnOnce(Seq) -> Answer) {
        self.body_of(ACCOUNT, body, events, answer);
    }

    fn body_of<B: Body>(
        &mut self,
        account: AccountId,
        body: B,
        events: Told,
        answer: impl FnOnce(Seq) -> Answer,
    ) {
        self.keys += 1;
        let header = Header::customer(account, RequestKey(self.keys));
        let answered = self.answered(header, answer(Seq(self.seq + 1)));
        self.record(build::plain(header, &body).as_bytes(), events.event(answered));
    }

    fn prices(&mut self, e4: u32, version: PriceVersion, as_of_ms: i64) {
        let as_of = Timestamp(if as_of_ms == 0 { 0 } else { 1 + as_of_ms * MS });
        let header =
            Header { received: self.now(), ..Header::control(ActorId(1), RequestKey::NONE) };
        let set = SetPrices { feed: FEED, market: MARKET, as_of, ..Default::default() };
        let slots = build::set_prices(header, set, &[PriceEntry::new(HOME, price(e4))]);
        let set = PriceSet {
            market: MARKET,
            price: price(e4),
            version,
            received: self.now(),
            as_of,
            delay: Nanos::ZERO,
            selection: HOME,
            feed: FEED,
            generation: 2,
            quoted: price(e4),
            drives: 1,
            ..zeroed()
        };
        self.record(slots.expect("one entry").as_bytes(), Told::default().event(set));
    }

    fn heartbeat(&mut self) {
        let heard =
            FeedHeard { heard: self.now(), feed_seq: 0, feed: FEED, zero: 0, generation: 2 };
        let body = FeedHeartbeat { feed: FEED, ..Default::default() };
        self.feed_body(body, Told::default().event(heard));
    }

    fn suspend(&mut self, level: Level, id: u64) {
        let (level, owner) = (level as u8, Owner::Trader as u8);
        let owners = 1 << Owner::Trader as u8;
        let event = LevelSuspended { id, level, owner, owners, ..zeroed() };
        let body = Suspend { level, owner, id, ..Default::default() };
        self.control_body(body, Told::default().event(event));
    }

    /// The bet that is right at this moment: 10.00 at 2.50 or better.
    fn bet(&self, age_ms: i64) -> BetOpened {
        BetOpened {
            bet: BET,
            account: ACCOUNT,
            market: MARKET,
            stake: Minor(1_000),
            returns: Minor(2_500),
            requested: price(25_000),
            price: price(25_000),
            version: PriceVersion(1),
            price_age: Nanos(age_ms * MS),
            placed_at: self.now(),
            placed_seq: Seq(self.seq + 1),
            feed: FEED,
            selection: HOME,
            currency: GBP,
            policy: PricePolicy::Better as u8,
            basis: Basis::InForce as u8,
            from: betring_core::BetState::Offered as u8,
            rules_version: 1,
            logic_version: 1,
            key: RequestKey(self.keys + 1),
            ..zeroed()
        }
    }

    /// Writes the bet, with its command, its money and its answer.
    fn place(&mut self, bet: BetOpened) {
        let place = Place {
            market: MARKET,
            stake: Minor(1_000),
            price: bet.requested,
            version: bet.requested_version,
            selection: HOME,
            slippage: bet.slippage,
            policy: bet.policy,
            ..Default::default()
        };
        let staked =
            transfer(LedgerAccount::customer(ACCOUNT), escrow(), bet.stake.0, TransferWhy::Stake);
        let events = Told::default().event(staked).event(bet);
        self.body(place, events, |seq| accepted(seq, &bet));
    }

    /// What is broken, in the order of the rules.
    fn broken(mut self) -> Vec<Rule> {
        self.fold.finish();
        for finding in &self.fold.findings {
            println!("{} {:?}: {}", finding.seq, finding.rule, finding.text);
        }
        let broken = |rule: &&Rule| self.fold.broken[**rule as usize] != 0;
        Rule::ALL.iter().filter(broken).copied().collect()
    }
}

fn accepted(seq: Seq, bet: &BetOpened) -> Answer {
    let basis = Basis::from_code(bet.basis).expect("a basis");
    let mut answer = Answer::of(AnswerKind::Accepted, seq);
    (answer.id, answer.stake, answer.amount) = (bet.bet.raw(), bet.stake, bet.returns);
    answer.with_price(basis, bet.price, bet.version).with_age(bet.price_age)
}

fn status(status: MarketStatus) -> MarketChanged {
    MarketChanged { market: MARKET, status: status as u8, zero: [0; 7] }
}

fn feed_changed(tale: &Tale, status: FeedStatus, why: FeedWhy, generation: u32) -> FeedChanged {
    let (status, why) = (status as u8, why as u8);
    FeedChanged { heard: tale.now(), feed_seq: 0, feed: FEED, status, why, generation }
}

/// Places a bet 100 ms in, changed a little; what the fold finds.
fn altered(change: impl FnOnce(&mut BetOpened)) -> Vec<Rule> {
    let mut tale = Tale::begun();
    tale.at(100);
    let mut bet = tale.bet(100);
    change(&mut bet);
    tale.place(bet);
    tale.broken()
}

#[test]
fn a_bet_at_the_price_in_force_is_right() {
    assert_eq!(altered(|_| ()), []);
}

#[test]
fn another_price_than_in_force_is_found() {
    let change = |bet: &mut BetOpened| {
        (bet.price, bet.returns) = (price(26_000), Minor(2_600));
    };
    assert_eq!(altered(change), [Rule::Price]);
}

#[test]
fn another_version_than_in_force_is_found() {
    assert_eq!(altered(|bet| bet.version = PriceVersion(2)), [Rule::Price]);
}

#[test]
fn a_price_that_says_it_is_younger_is_found() {
    assert_eq!(altered(|bet| bet.price_age = Nanos(99 * MS)), [Rule::Age]);
}

#[test]
fn a_price_its_customer_did_not_agree_to_is_found() {
    // Asked for 2.60 or better, bound at 2.50.
    let change = |bet: &mut BetOpened| bet.requested = price(26_000);
    assert_eq!(altered(change), [Rule::Policy]);
    // Exactly 2.40 is not 2.50 either.
    let change = |bet: &mut BetOpened| {
        (bet.requested, bet.policy) = (price(24_000), PricePolicy::Exact as u8);
    };
    assert_eq!(altered(change), [Rule::Policy]);
    // Within 3 % of 2.60 is from 2.522.
    let within = |slippage| {
        altered(|bet| {
            bet.requested = price(26_000);
            (bet.policy, bet.slippage) = (PricePolicy::Within as u8, slippage);
        })
    };
    assert_eq!(within(300), [Rule::Policy]);
    assert_eq!(within(400), []);
    let any = |bet: &mut BetOpened| {
        (bet.requested, bet.policy) = (WirePrice::NONE, PricePolicy::Any as u8);
    };
    assert_eq!(altered(any), []);
}

#[test]
fn a_return_that_is_not_the_stake_at_the_price_is_found() {
    assert_eq!(altered(|bet| bet.returns = Minor(2_501)), [Rule::Returns]);
}

#[test]
fn a_basis_that_nobody_can_prove_is_found() {
    // The bet is then none that the fold knows, so its stake has no cause.
    let found = altered(|bet| bet.basis = Basis::Trader as u8);
    assert_eq!(found, [Rule::Price, Rule::Ledger, Rule::Escrow]);
}

#[test]
fn a_stake_that_nobody_asked_for_is_found() {
    let change = |bet: &mut BetOpened| (bet.stake, bet.returns) = (Minor(999), Minor(2_497));
    assert_eq!(altered(change), [Rule::Policy]);
}

#[test]
fn a_bet_while_any_level_is_suspended_is_found() {
    let levels = [
        (Level::Engine, 0),
        (Level::Feed, u64::from(FEED.0)),
        (Level::Fixture, FIXTURE.raw()),
        (Level::Market, MARKET.raw()),
    ];
    for (level, id) in levels {
        let mut tale = Tale::begun();
        tale.at(50).suspend(level, id);
        tale.at(100);
        tale.place(tale.bet(100));
        assert_eq!(tale.broken(), [Rule::Status], "{level:?}");
    }
}

#[test]
fn a_bet_on_a_withdrawn_selection_or_a_closed_market_is_found() {
    let mut tale = Tale::begun();
    let body = WithdrawSelection { market: MARKET, withdrawn: 1, ..Default::default() };
    let event = SelectionChanged {
        market: MARKET,
        selection: HOME,
        withdrawn: 1,
        deducts: 0,
        zero: [0; 4],
        price: price(25_000),
    };
    tale.control_body(body, Told::default().event(event));
    tale.place(tale.bet(0));
    assert_eq!(tale.broken(), [Rule::Status]);

    let mut tale = Tale::begun();
    let body = betring_core::command::CloseMarket { market: MARKET, ..Default::default() };
    tale.control_body(body, Told::default().event(status(MarketStatus::Closed)));
    tale.place(tale.bet(0));
    assert_eq!(tale.broken(), [Rule::Status]);
}

#[test]
fn a_stale_price_is_found_and_a_heartbeat_keeps_it_fresh() {
    let mut tale = Tale::begun();
    tale.at(1_500);
    tale.place(tale.bet(1_500));
    assert_eq!(tale.broken(), [], "the bound itself is within the bound");

    let mut tale = Tale::begun();
    tale.at(1_501);
    tale.place(tale.bet(1_501));
    assert_eq!(tale.broken(), [Rule::Age]);

    let mut tale = Tale::begun();
    tale.at(1_400).heartbeat();
    tale.at(2_000);
    tale.place(tale.bet(600));
    assert_eq!(tale.broken(), []);
}

#[test]
fn a_derived_price_is_as_old_as_its_oldest_input() {
    let mut tale = Tale::begun();
    tale.at(1_000).prices(26_000, PriceVersion(2), 400);
    tale.at(1_400).heartbeat();
    let derived = |tale: &Tale, age| BetOpened {
        price: price(26_000),
        returns: Minor(2_600),
        version: PriceVersion(2),
        ..tale.bet(age)
    };
    tale.at(1_900);
    let bet = derived(&tale, 1_500);
    tale.place(bet);
    assert_eq!(tale.broken(), []);

    let mut tale = Tale::begun();
    tale.at(1_000).prices(26_000, PriceVersion(2), 400);
    tale.at(1_400).heartbeat();
    tale.at(1_900);
    let bet = derived(&tale, 500);
    tale.place(bet);
    assert_eq!(tale.broken(), [Rule::Age], "the heartbeat did not refresh it");
}

#[test]
fn a_silent_feed_and_one_that_has_not_recovered_are_found() {
    let mut tale = Tale::begun();
    tale.at(2_001);
    tale.place(tale.bet(2_001));
    assert_eq!(tale.broken(), [Rule::Age, Rule::Feed]);

    let mut tale = Tale::begun();
    let body = betring_core::command::FeedGap { feed: FEED, ..Default::default() };
    let down = feed_changed(&tale, FeedStatus::Down, FeedWhy::Gap, 3);
    tale.feed_body(body, Told::default().event(down));
    tale.place(tale.bet(0));
    assert_eq!(tale.broken(), [Rule::Feed]);
}

#[test]
fn a_price_that_no_command_set_is_found() {
    let mut tale = Tale::begun();
    let header = Header { received: tale.now(), ..Header::control(ActorId(1), RequestKey::NONE) };
    let set = SetPrices { feed: FEED, market: MARKET, ..Default::default() };
    let slots = build::set_prices(header, set, &[PriceEntry::new(HOME, price(25_000))]);
    let event = PriceSet {
        market: MARKET,
        price: price(99_000),
        version: PriceVersion(2),
        received: tale.now(),
        as_of: Timestamp(0),
        delay: Nanos::ZERO,
        selection: HOME,
        feed: FEED,
        generation: 2,
        quoted: price(99_000),
        drives: 1,
        ..zeroed()
    };
    tale.record(slots.expect("one entry").as_bytes(), Told::default().event(event));
    assert_eq!(tale.broken(), [Rule::Prices]);

    let mut tale = Tale::begun();
    tale.prices(26_000, PriceVersion(3), 0);
    assert_eq!(tale.broken(), [Rule::Prices], "a version was left out");
}

/// Offers 2.40 for a wish of 2.50 at 100 ms.
fn offered() -> Tale {
    let mut tale = Tale::begun();
    tale.at(50).prices(24_000, PriceVersion(2), 0);
    tale.at(100);
    let offer = BetOffered {
        bet: BET,
        account: ACCOUNT,
        market: MARKET,
        stake: Minor(1_000),
        requested: price(25_000),
        price: price(24_000),
        version: PriceVersion(2),
        requested_version: PriceVersion(0),
        price_age: Nanos(50 * MS),
        until: Timestamp(tale.now().0 + 5_000 * MS),
        selection: HOME,
        currency: GBP,
        policy: PricePolicy::Exact as u8,
        synthetic: 0,
        slippage: 0,
        leg: 0,
        legs: 1,
        bonus: 0,
        places: 0,
        ruleset: 0,
        returns: Minor(2_400),
    };
    let place = Place {
        market: MARKET,
        stake: Minor(1_000),
        price: price(25_000),
        policy: PricePolicy::Exact as u8,
        ..Default::default()
    };
    let staked = transfer(LedgerAccount::customer(ACCOUNT), escrow(), 1_000, TransferWhy::Stake);
    let events = Told::default().event(staked).event(offer);
    tale.body(place, events, |seq| {
        let mut answer = Answer::of(AnswerKind::Offered, seq);
        (answer.id, answer.stake, answer.amount) = (BET.raw(), Minor(1_000), Minor(2_400));
        answer.with_price(Basis::Offer, offer.price, offer.version).with_until(offer.until)
    });
    tale
}

/// The offer is taken, at `ms`.
fn taken(mut tale: Tale, ms: i64, change: impl FnOnce(&mut BetOpened)) -> Vec<Rule> {
    let offered_seq = tale.seq_of_offer();
    tale.at(ms);
    let mut bet = BetOpened {
        price: price(24_000),
        returns: Minor(2_400),
        version: PriceVersion(2),
        policy: PricePolicy::Exact as u8,
        basis: Basis::Offer as u8,
        placed_at: Timestamp(1 + 100 * MS),
        placed_seq: offered_seq,
        ..tale.bet(50)
    };
    change(&mut bet);
    let accept = AcceptOffer { bet: BET, ..Default::default() };
    tale.body(accept, Told::default().event(bet), |seq| accepted(seq, &bet));
    tale.broken()
}

impl Tale {
    fn seq_of_offer(&self) -> Seq {
        self.fold.bets.get(&BET.raw()).map_or(Seq(0), |bet| bet.seq)
    }
}

#[test]
fn an_offer_is_taken_as_it_was_made_and_in_time() {
    assert_eq!(taken(offered(), 200, |_| ()), []);
    let other_price = |bet: &mut BetOpened| {
        (bet.price, bet.returns) = (price(25_000), Minor(2_500));
    };
    assert_eq!(taken(offered(), 200, other_price), [Rule::Offer]);
    assert_eq!(taken(offered(), 200, |bet| bet.price_age = Nanos(0)), [Rule::Offer]);

    let mut late = offered();
    for ms in [1_500, 3_000, 4_500] {
        late.at(ms).heartbeat();
    }
    assert_eq!(taken(late, 5_101, |_| ()), [Rule::Offer]);
}

#[test]
fn an_offer_dies_with_any_suspension_even_one_that_was_released() {
    let mut tale = offered();
    tale.at(150).suspend(Level::Fixture, FIXTURE.raw());
    let release = betring_core::command::Release {
        level: Level::Fixture as u8,
        owner: Owner::Trader as u8,
        id: FIXTURE.raw(),
        ..Default::default()
    };
    let (level, owner, id) = (release.level, release.owner, release.id);
    let released = LevelReleased { id, level, owner, owners: 0, ..zeroed() };
    tale.control_body(release, Told::default().event(released));
    assert_eq!(taken(tale, 200, |_| ()), [Rule::Offer]);
}

#[test]
fn an_answer_that_is_not_the_bet_and_a_key_answered_twice_are_found() {
    let mut tale = Tale::begun();
    let bet = tale.bet(0);
    let place = Place {
        market: MARKET,
        stake: Minor(1_000),
        price: price(25_000),
        policy: PricePolicy::Better as u8,
        ..Default::default()
    };
    let staked = transfer(LedgerAccount::customer(ACCOUNT), escrow(), 1_000, TransferWhy::Stake);
    let events = Told::default().event(staked).event(bet);
    let other = BetOpened { returns: Minor(9_999), ..bet };
    tale.body(place, events, |seq| accepted(seq, &other));
    assert_eq!(tale.broken(), [Rule::Answers]);

    let mut tale = Tale::begun();
    for _ in 0..2 {
        let place = Place { market: MARKET, stake: Minor(1), policy: 4, ..Default::default() };
        tale.body(place, Told::default(), |seq| Answer::refused(Reject::StakeTooSmall, seq));
        tale.keys -= 1;
    }
    assert_eq!(tale.broken(), [Rule::Answers]);
}

#[test]
fn a_record_out_of_order_and_time_that_goes_back_are_found() {
    let mut tale = Tale::begun();
    tale.seq += 1;
    tale.heartbeat();
    assert_eq!(tale.broken(), [Rule::Order]);

    let mut tale = Tale::begun();
    tale.at(-1).heartbeat();
    assert_eq!(tale.broken(), [Rule::Order]);
}

#[test]
fn bytes_that_are_no_command_or_no_events_are_found() {
    let mut tale = Tale::begun();
    tale.record(&[0; 128], Told::default());
    assert_eq!(tale.broken(), [Rule::Layout]);

    let mut tale = Tale::begun();
    let step = Step { budget: 1, ..Default::default() };
    let slot = build::plain(Header::default(), &step);
    tale.record(slot.as_bytes(), Told(vec![255; 16]));
    assert_eq!(tale.broken(), [Rule::Layout]);

    let mut tale = Tale::begun();
    tale.seq += 1;
    let (seq, at) = (Seq(tale.seq), tale.now());
    tale.fold.take(Entry { seq, at, kind: 3, payload: &[3, 1, 0, 0, 255, 255] });
    assert_eq!(tale.broken(), [Rule::Layout]);
}

/// A bet of 10.00 at 2.50, its market's result in.
fn result_in(outcome: SelectionOutcome) -> Tale {
    let mut tale = Tale::begun();
    tale.place(tale.bet(0));
    let header = tale.control();
    let body = MarketResult { market: MARKET, ..Default::default() };
    let entries = [
        ResultEntry::new(HOME, outcome),
        ResultEntry::new(SelectionIndex(1), SelectionOutcome::Lose),
    ];
    let slots = build::result(header, body, &entries).expect("two entries");
    let job = JobId(tale.seq + 1);
    let kind = JobKind::Settle as u8;
    let started = JobStarted { job, market: MARKET, kind, zero: [0; 7] };
    let result = ResultRecorded { market: MARKET, job, settlement: 1, zero: 0 };
    tale.control_record(header, slots.as_bytes(), Told::default().event(started).event(result));
    tale
}

fn settled(tale: &Tale, outcome: BetOutcome, paid: i64) -> BetSettled {
    BetSettled {
        bet: BET,
        account: ACCOUNT,
        market: MARKET,
        job: JobId(tale.seq),
        paid: Minor(paid),
        settlement: 1,
        selection: HOME,
        outcome: outcome as u8,
        zero: 0,
        stake: Minor(1_000),
        version: 1,
        zero2: 0,
    }
}

fn step(mut tale: Tale, events: Told) -> Vec<Rule> {
    let step = Step { budget: 64, ..Default::default() };
    tale.engine(build::plain(Header::default(), &step).as_bytes(), events);
    tale.broken()
}

#[test]
fn a_winner_is_paid_its_return_a_loser_nothing_a_void_bet_its_stake() {
    let house = LedgerAccount::house(HouseAccount::House, GBP);
    let customer = LedgerAccount::customer(ACCOUNT);
    let take = transfer(escrow(), house, 1_000, TransferWhy::Take);
    let pay = |amount| transfer(house, customer, amount, TransferWhy::Pay);
    let back = transfer(escrow(), customer, 1_000, TransferWhy::Return);

    let tale = result_in(SelectionOutcome::Win);
    let won = settled(&tale, BetOutcome::Won, 2_500);
    assert_eq!(step(tale, Told::default().event(take).event(pay(2_500)).event(won)), []);

    let tale = result_in(SelectionOutcome::Lose);
    let lost = settled(&tale, BetOutcome::Lost, 0);
    assert_eq!(step(tale, Told::default().event(take).event(lost)), []);

    let tale = result_in(SelectionOutcome::Void);
    let void = settled(&tale, BetOutcome::Void, 1_000);
    assert_eq!(step(tale, Told::default().event(back).event(void)), []);

    // Paid too much, even where the money moved accordingly.
    let tale = result_in(SelectionOutcome::Win);
    let won = settled(&tale, BetOutcome::Won, 2_600);
    let events = Told::default().event(take).event(pay(2_600)).event(won);
    assert_eq!(step(tale, events), [Rule::Ledger, Rule::Settlement]);

    // Won where the selection lost.
    let tale = result_in(SelectionOutcome::Lose);
    let won = settled(&tale, BetOutcome::Won, 2_500);
    let events = Told::default().event(take).event(pay(2_500)).event(won);
    assert_eq!(step(tale, events), [Rule::Ledger, Rule::Settlement]);
}

#[test]
fn a_bet_paid_twice_and_one_left_unsettled_are_found() {
    let house = LedgerAccount::house(HouseAccount::House, GBP);
    let customer = LedgerAccount::customer(ACCOUNT);
    let tale = result_in(SelectionOutcome::Win);
    let won = settled(&tale, BetOutcome::Won, 2_500);
    let take = transfer(escrow(), house, 1_000, TransferWhy::Take);
    let pay = transfer(house, customer, 2_500, TransferWhy::Pay);
    let once = Told::default().event(take).event(pay).event(won);
    let twice = once.event(pay).event(won);
    assert_eq!(step(tale, twice), [Rule::Ledger, Rule::Settlement]);

    let tale = result_in(SelectionOutcome::Win);
    let ended = JobEnded {
        job: JobId(tale.seq),
        market: MARKET,
        bets: 0,
        steps: 1,
        kind: JobKind::Settle as u8,
        zero: [0; 7],
    };
    assert_eq!(step(tale, Told::default().event(ended)), [Rule::Settlement]);
}

#[test]
fn money_without_a_cause_and_an_overdrawn_customer_are_found() {
    let world = LedgerAccount::house(HouseAccount::World, GBP);
    let customer = LedgerAccount::customer(ACCOUNT);
    let mut tale = Tale::begun();
    let gift = transfer(world, customer, 1, TransferWhy::Deposit);
    let body = Deposit { amount: Minor(2), ..Default::default() };
    tale.body(body, Told::default().event(gift), |seq| Answer::done(seq, 0));
    assert_eq!(tale.broken(), [Rule::Ledger]);

    let mut tale = Tale::begun();
    let out = transfer(customer, world, 10_001, TransferWhy::Withdraw);
    let body = betring_core::command::Withdraw { amount: Minor(10_001), ..Default::default() };
    tale.body(body, Told::default().event(out), |seq| Answer::done(seq, 0));
    assert_eq!(tale.broken(), [Rule::Balance]);

    // Euros from an account in pounds.
    let mut tale = Tale::begun();
    let mut other = transfer(customer, world, 1, TransferWhy::Withdraw);
    other.currency = 978;
    let body = betring_core::command::Withdraw { amount: Minor(1), ..Default::default() };
    tale.body(body, Told::default().event(other), |seq| Answer::done(seq, 0));
    assert_eq!(tale.broken(), [Rule::Ledger]);
}

#[test]
fn every_rounding_is_recomputed_from_the_exact_price() {
    let returns =
        |stake, price: WirePrice, rounding| Fold::new().returns(Minor(stake), price, rounding);
    // 11.00 at 10/11 is 21.00 exactly; at the decimal price 1.909 it is 20.999.
    let fraction = WirePrice { e4: 19_090, num: 10, den: 11 };
    assert_eq!(returns(1_100, fraction, 1), Some(2_100));
    assert_eq!(returns(1_100, price(19_090), 1), Some(2_099));
    // 0.05 at 2.50 is 0.125: down 12, up 13, half up 13, half to even 12.
    let all = |stake| [1, 2, 3, 4].map(|mode| returns(stake, price(25_000), mode));
    assert_eq!(all(5), [Some(12), Some(13), Some(13), Some(12)]);
    // 0.03 at 2.50 is 0.075: half to even is 8.
    assert_eq!(all(3), [Some(7), Some(8), Some(8), Some(8)]);
    assert_eq!(returns(100, WirePrice::NONE, 1), None);
}
