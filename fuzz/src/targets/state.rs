//! Any sequence of commands: invariants after every one, and a replay that agrees.
//!
//! An input is eight bytes of choices for the journal, then commands of six bytes each: what, and
//! five choices out of short lists, so that commands meet the same few accounts, markets and bets.
//! A choice of 255 asks for eight bytes more, which may be any number.

mod exchange;

use betring_core::command::*;
use betring_core::id::*;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Body, HEADER, Header, Minor, Name, SLOT, Slot, WirePrice, slots};
use betring_pricing::{Money, RoundingMode, Stake};
use zerocopy::IntoBytes;

use crate::targets::desk::{self, Desk, plain};
use crate::targets::tape::Tape;

/// Commands of one input: more only make it slow.
const COMMANDS_MAX: u32 = 400;
/// Commands that may be asked again.
const REMEMBERED: usize = 32;

const WINDOW: i64 = 60_000_000_000;
const SPANS: [i64; 12] = [
    0,
    1,
    1_000_000,
    1_000_000_000,
    5_000_000_000,
    WINDOW / 2,
    WINDOW - 1,
    WINDOW,
    WINDOW + 1,
    2 * WINDOW,
    2 * WINDOW + 1,
    10 * WINDOW,
];
const AMOUNTS: [i64; 12] = [
    1,
    7,
    99,
    100,
    250,
    1_000,
    4_000,
    100_000,
    1_000_000_000,
    Stake::MAX.money().minor(),
    Money::MAX.minor(),
    Money::MAX.minor() - 1,
];
const NUMBERS: [i64; 8] = [0, 1, 2, 3, 4, 5, 249, 250];

/// Any sequence of commands, after which every invariant of the state holds.
///
/// After each one: the ledger is zero and equals the transfers told, a replay in a second state gives
/// the same reply and events, and equal digests; a copy is answered the same; what is refused before
/// it is sequenced changes nothing. At the end all work gets done.
///
/// # Panics
/// If a rule is broken.
pub fn state(data: &[u8]) {
    let mut tape = Tape::new(data);
    let mut night = Night::new(&mut tape);
    for _ in 0..COMMANDS_MAX {
        if tape.is_over() {
            break;
        }
        night.command(&mut tape);
    }
    night.desk.finish();
}

/// An actor, two feeds' worth of markets, two accounts with money: so that a bet is a short way off.
pub(crate) fn furnish(desk: &mut Desk) {
    let until = Timestamp(desk.at.0 + 1_000_000_000);
    let mut key = 1 << 64;
    let mut trader = || {
        key += 1;
        Header::control(ActorId(1), RequestKey(key))
    };
    macro_rules! body {
        ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
            $name { valid_until: until, $($field: $value,)* ..$name::default() }
        };
    }
    let mut give = |built: Result<Vec<Slot>, _>| {
        let slots = built.expect("what the desk is furnished with is well formed");
        let reply = desk.give(&slots);
        assert!(reply.answer.reject().is_none(), "{reply}");
    };
    give(build::register_actor(trader().with_account(0), body!(RegisterActor {}), "trader"));
    let silence_bound = Nanos::from_secs(5);
    give(build::define_feed(trader(), body!(DefineFeed { silence_bound: silence_bound }), "feed"));
    let fixed = MarketKind::Fixed as u8;
    let manual = body!(DefineMarket { winners: 1, kind: fixed });
    give(build::define_market(trader(), manual, "m0", &["a", "b", "c"]));
    // A second feed stands by, for markets of the group that is there.
    let standing_by = body!(DefineFeed { silence_bound: silence_bound });
    give(build::define_feed(trader(), standing_by, "backup"));
    let group = body!(DefineGroup { primary: FeedId(1), backup: FeedId(2) });
    give(build::define_group(trader(), group, "group"));
    give(build::define_fixture(trader(), body!(DefineFixture { starts: until }), "fixture"));
    let fed = body!(DefineMarket {
        winners: 1,
        kind: fixed,
        feed: FeedId(1),
        group: GroupId(1),
        fixture: FixtureId::new(0, 1),
    });
    give(build::define_market(trader(), fed, "m1", &["a", "b"]));
    for market in [MarketId::new(0, 1), MarketId::new(1, 1)] {
        give(Ok(plain(trader(), &body!(OpenMarket { market: market }))));
    }
    let price = |selection, e4| PriceEntry::new(SelectionIndex(selection), decimal(e4));
    let prices = [price(0, 19_000), price(1, 35_000), price(2, 51_000)];
    let set = body!(SetPrices { market: MarketId::new(0, 1) });
    give(build::set_prices(trader(), set, &prices));
    let feed = Header::control(ActorId(1), RequestKey::NONE);
    let recovered = FeedRecovered { feed: FeedId(1), ..FeedRecovered::default() };
    give(Ok(plain(feed, &recovered)));
    let set = SetPrices { feed: FeedId(1), market: MarketId::new(1, 1), ..SetPrices::default() };
    give(build::set_prices(feed, set, &prices[..2]));
    for (reference, currency) in [(1, 826), (2, 978)] {
        let open = body!(OpenAccount { reference: reference, currency: currency });
        give(Ok(plain(trader().with_account(0), &open)));
        let account = AccountId::new(reference as u32 - 1, 1);
        let deposit = body!(Deposit { amount: Minor(100_000) });
        give(Ok(plain(trader().with_account(account.raw()), &deposit)));
    }
}

trait WithAccount {
    fn with_account(self, account: u64) -> Header;
}

impl WithAccount for Header {
    fn with_account(self, account: u64) -> Header {
        Header { account, ..self }
    }
}

const fn decimal(e4: u32) -> WirePrice {
    WirePrice { e4, num: 0, den: 0 }
}

const PRICES: [WirePrice; 10] = [
    decimal(19_000),
    decimal(10_001),
    decimal(10_100),
    decimal(15_000),
    decimal(20_000),
    decimal(33_300),
    decimal(10_000_000),
    WirePrice { e4: 35_000, num: 5, den: 2 },
    WirePrice { e4: 19_090, num: 10, den: 11 },
    WirePrice::NONE,
];

const NAMES: [&str; 6] = ["m0", "m1", "m2", "m3", "trader", "feed"];

struct Night {
    desk: Desk,
    next_key: u128,
    /// The key of the next command, where one was chosen.
    key: Option<u128>,
    /// How far ahead time limits are.
    valid_for: i64,
    actor: u64,
    synthetic: bool,
    feed_seq: u64,
    given: Vec<Vec<Slot>>,
}

impl Night {
    fn new(tape: &mut Tape<'_>) -> Night {
        let mut choice = [0; 8];
        for byte in &mut choice {
            *byte = tape.byte();
        }
        let modes =
            [RoundingMode::Down, RoundingMode::Up, RoundingMode::HalfUp, RoundingMode::HalfEven];
        let mut genesis = desk::genesis();
        genesis.price_failure = 1 + choice[0] % 2;
        genesis.rounding = rounding_code(modes[usize::from(choice[1]) % 4]);
        genesis.step_budget = 1 + u16::from(choice[2]) % 64;
        if choice[3] != 0 {
            genesis.limits.max_liability = Minor(i64::from(choice[3]) * 100);
        }
        if choice[4] != 0 {
            genesis.limits.max_payout = Minor(i64::from(choice[4]) * 100);
            genesis.limits.max_stake = Minor(i64::from(choice[4]) * 50);
        }
        let mut capacities = desk::capacities();
        if choice[5] != 0 {
            let small = u32::from(choice[5]);
            capacities.bets = 1 + small % 8;
            capacities.keys = 16 + small % 32;
            capacities.selections = 8 + small % 16;
        }
        let desk = Desk::new(genesis, capacities);
        let mut night = Night {
            desk,
            next_key: 1,
            key: None,
            valid_for: WINDOW / 2,
            actor: 1,
            synthetic: false,
            feed_seq: 0,
            given: Vec::new(),
        };
        // An empty journal is the rarer case.
        if choice[7] != 1 {
            furnish(&mut night.desk);
        }
        night
    }

    fn give(&mut self, slots: Vec<Slot>) {
        self.desk.give(&slots);
        if self.given.len() == REMEMBERED {
            self.given.remove(0);
        }
        self.given.push(slots);
    }

    fn header(&mut self, account: u64) -> Header {
        let key = self.key.take().unwrap_or_else(|| {
            self.next_key += 1;
            self.next_key
        });
        let flags = if self.synthetic { Header::SYNTHETIC } else { 0 };
        Header { account, key: RequestKey(key), flags, ..Header::default() }
    }

    fn until(&self) -> Timestamp {
        self.desk.at.plus(Nanos(self.valid_for))
    }

    fn control<B: Body>(&mut self, body: &B) {
        let header = self.header(self.actor);
        self.give(slots(header, body, &[]));
    }

    fn customer<B: Body>(&mut self, account: u64, body: &B) {
        let header = self.header(account);
        self.give(slots(header, body, &[]));
    }

    /// A message of a feed: without key and time limit.
    fn message<B: Body>(&mut self, body: &B) {
        let header = Header::control(ActorId(self.actor), RequestKey::NONE);
        self.give(slots(header, body, &[]));
    }

    fn next_feed_seq(&mut self, choice: u8) -> u64 {
        match choice % 5 {
            0 => 0,
            1 => {
                self.feed_seq += 1;
                self.feed_seq
            }
            2 => self.feed_seq,
            3 => {
                self.feed_seq = self.feed_seq.saturating_add(2);
                self.feed_seq
            }
            _ => u64::MAX,
        }
    }

    /// When a source says it sent something, a little ago or not at all.
    fn source(&self, choice: u8) -> Timestamp {
        match choice {
            0 => Timestamp(0),
            254 => Timestamp(i64::MAX),
            ago => Timestamp(self.desk.at.0.saturating_sub(i64::from(ago) * 10_000_000).max(0)),
        }
    }

    fn command(&mut self, tape: &mut Tape<'_>) {
        let what = tape.byte();
        let p = [tape.byte(), tape.byte(), tape.byte(), tape.byte(), tape.byte()];
        let until = self.until();
        macro_rules! body {
            ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
                $name { valid_until: until, $($field: $value,)* ..$name::default() }
            };
        }
        // What came later has the numbers beyond, from the top down.
        if op::LATER <= what {
            return self.later(tape, what - op::LATER, p);
        }
        if op::LIVE <= what {
            return self.live(tape, what - op::LIVE, p);
        }
        if op::EXCHANGE <= what {
            return self.exchange(tape, what - op::EXCHANGE, p);
        }
        match what % 38 {
            op::WAIT => {
                let span = tape.of(p[0], &SPANS);
                self.desk.wait(span);
            }
            op::STEP => self.desk.step(),
            op::TICK => self.desk.tick(),
            op::WORK => self.desk.work(),
            op::RESTART => {
                self.desk.capacities.bets += u32::from(p[0] % 4);
                self.desk.capacities.keys += u32::from(p[1] % 4);
                self.desk.capacities.markets += u32::from(p[2] % 2);
                self.desk.capacities.selections += u32::from(p[3] % 4);
                self.desk.capacities.accounts += u32::from(p[4] % 2);
                self.feed_seq = 0;
                self.desk.restart();
            }
            op::CRASH => self.desk.crash(),
            op::REGISTER => {
                let header = self.header(u64::from(p[1] % 2));
                let body = body!(RegisterActor {});
                self.built(build::register_actor(header, body, NAMES[usize::from(p[0]) % 6]));
            }
            op::DEFINE_FEED => {
                let header = self.header(self.actor);
                let body = body!(DefineFeed {
                    silence_bound: Nanos(tape.of(p[1], &SPANS)),
                    delay_bound: Nanos(tape.of(p[2], &SPANS)),
                    schema: u32::from(p[3] % 3),
                });
                self.built(build::define_feed(header, body, NAMES[usize::from(p[0]) % 6]));
            }
            op::DEFINE_FIXTURE => {
                let header = self.header(self.actor);
                let body = body!(DefineFixture { starts: Timestamp(tape.of(p[1], &SPANS)) });
                self.built(build::define_fixture(header, body, NAMES[usize::from(p[0]) % 6]));
            }
            op::DEFINE_MARKET => {
                let header = self.header(self.actor);
                let body = body!(DefineMarket {
                    feed: FeedId(u16::from(p[1] % 4)),
                    winners: u16::from(p[2] % 4),
                    fixture: FixtureId::new(u32::from(p[4] % 3), u32::from(p[4] / 3 % 3)),
                    age_bound: Nanos(tape.of(p[4], &SPANS)),
                    kind: 1 + p[2] / 4 % 2,
                    tier: p[2] / 8 % 3,
                    group: GroupId(u16::from(p[1] / 4 % 3)),
                    canary: u8::from(p[2] / 24 % 8 == 7),
                });
                let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
                let selections = &names[..2 + usize::from(p[3]) % 7];
                let name = NAMES[usize::from(p[0]) % 6];
                self.built(build::define_market(header, body, name, selections));
            }
            op::OPEN => {
                let market = market(tape, p[0]);
                self.control(&body!(OpenMarket { market: market }));
            }
            op::CLOSE => {
                let market = market(tape, p[0]);
                self.control(&body!(CloseMarket { market: market }));
            }
            op::ARCHIVE => {
                let market = market(tape, p[0]);
                self.control(&body!(ArchiveMarket { market: market }));
            }
            op::SUSPEND => {
                let (level, owner, id, selection) = level(tape, p);
                let body =
                    body!(Suspend { level: level, owner: owner, id: id, selection: selection });
                self.control(&body);
            }
            op::RELEASE => {
                let (level, owner, id, selection) = level(tape, p);
                let body =
                    body!(Release { level: level, owner: owner, id: id, selection: selection });
                self.control(&body);
            }
            op::WITHDRAW_SELECTION => {
                let body = body!(WithdrawSelection {
                    market: market(tape, p[0]),
                    selection: SelectionIndex(tape.of(p[1], &NUMBERS) as u16),
                    withdrawn: p[2] % 2,
                });
                self.control(&body);
            }
            op::RESULT => {
                let header = self.header(self.actor);
                let body = body!(MarketResult { market: market(tape, p[0]) });
                let entries: Vec<ResultEntry> = (0..2 + u16::from(p[2]) % 7)
                    .map(|selection| {
                        let outcome = match p[1].wrapping_sub(selection as u8) {
                            0 => SelectionOutcome::Win,
                            _ if p[3] >> (selection % 8) & 1 == 1 => SelectionOutcome::Void,
                            _ if p[4] >> (selection % 8) & 1 == 1 => SelectionOutcome::Win,
                            _ => SelectionOutcome::Lose,
                        };
                        ResultEntry::new(SelectionIndex(selection), outcome)
                    })
                    .collect();
                self.built(build::result(header, body, &entries));
            }
            op::SET_LIMITS => {
                let body = body!(SetLimits {
                    scope: 1 + p[0] % 2,
                    currency: currency(p[1]),
                    market: if p[0].is_multiple_of(2) {
                        MarketId::NONE
                    } else {
                        market(tape, p[2])
                    },
                    limits: Limits {
                        min_stake: Minor(1),
                        max_stake: Minor(tape.of(p[3], &AMOUNTS)),
                        max_payout: Minor(tape.of(p[4], &AMOUNTS)),
                        max_liability: Minor(tape.of(p[4], &AMOUNTS)),
                        max_customer: Minor(tape.of(p[0] / 2, &AMOUNTS)),
                        max_selection: Minor(tape.of(p[1] / 4, &AMOUNTS)),
                        max_event: Minor(tape.of(p[3] / 12, &AMOUNTS)),
                    },
                });
                self.control(&body);
            }
            op::BLOCK => {
                let account = AccountId::from_raw(account(tape, p[0]));
                self.control(&body!(BlockAccount { account: account, blocked: p[1] % 2 }));
            }
            op::QUARANTINE => {
                let (account, key) = (account(tape, p[0]), RequestKey(u128::from(p[1]) + 1));
                self.desk.engine(&Quarantine { account, key, ..Quarantine::default() });
            }
            op::LIFT => {
                let (account, key) = (account(tape, p[0]), RequestKey(u128::from(p[1]) + 1));
                self.control(&body!(LiftQuarantine { account: account, key: key }));
            }
            op::SET_PRICES => {
                let entries: Vec<PriceEntry> = (0..1 + u16::from(p[2] >> 4) % 4)
                    .map(|n| {
                        let price = usize::from(p[3]) + usize::from(n) * 7;
                        let selection = SelectionIndex(n + u16::from(p[2] % 4));
                        PriceEntry::new(selection, PRICES[price % PRICES.len()])
                    })
                    .collect();
                let market = market(tape, p[0]);
                if p[1].is_multiple_of(4) {
                    let header = self.header(self.actor);
                    self.built(build::set_prices(
                        header,
                        body!(SetPrices { market: market }),
                        &entries,
                    ));
                } else {
                    let feed = FeedId(u16::from(p[1] % 4));
                    let feed_seq = self.next_feed_seq(p[4]);
                    let source = self.source(p[4] / 5);
                    let schema = u32::from(p[1] / 32 % 3);
                    let as_of = self.source(p[1] / 4);
                    let header = Header::control(ActorId(self.actor), RequestKey::NONE);
                    if p[1] / 8 % 4 == 3 {
                        let body =
                            Reprice { feed, feed_seq, source, schema, as_of, ..Reprice::default() };
                        return self.reprice(header, body, market, &entries, p);
                    }
                    let set = SetPrices {
                        feed,
                        market,
                        feed_seq,
                        source,
                        schema,
                        as_of,
                        ..SetPrices::default()
                    };
                    self.built(build::set_prices(header, set, &entries));
                }
            }
            op::HEARTBEAT | op::GAP | op::RECOVERED => {
                let feed = FeedId(1 + u16::from(p[0] % 3));
                let (feed_seq, source) = (self.next_feed_seq(p[1]), self.source(p[2]));
                let schema = u32::from(p[3] % 3);
                macro_rules! message {
                    ($name:ident $(, $field:ident: $value:expr)?) => {
                        self.message(&$name {
                            feed,
                            feed_seq,
                            source,
                            schema,
                            $($field: $value,)?
                            ..$name::default()
                        })
                    };
                }
                match what % 38 {
                    op::HEARTBEAT => message!(FeedHeartbeat),
                    op::GAP => message!(FeedGap, connection: p[4] % 2),
                    _ => message!(FeedRecovered, request: u64::from(p[4] % 3)),
                }
            }
            op::OPEN_ACCOUNT => {
                let body = body!(OpenAccount {
                    reference: tape.of(p[0], &NUMBERS) as u64,
                    currency: currency(p[1]),
                    purse: p[3] % 2,
                    synthetic: p[4] % 2,
                });
                self.customer(u64::from(p[2] % 2), &body);
            }
            op::DEPOSIT => {
                let (account, amount) = (account(tape, p[0]), Minor(tape.of(p[1], &AMOUNTS)));
                self.customer(account, &body!(Deposit { amount: amount }));
            }
            op::WITHDRAW => {
                let (account, amount) = (account(tape, p[0]), Minor(tape.of(p[1], &AMOUNTS)));
                self.customer(account, &body!(Withdraw { amount: amount }));
            }
            op::PLACE => {
                let policy = 1 + p[4] % 4;
                let asked = if policy == PricePolicy::Any as u8 && p[3] == 254 {
                    WirePrice::NONE
                } else {
                    PRICES[usize::from(p[3]) % PRICES.len()]
                };
                let body = body!(Place {
                    market: market(tape, p[1] % 8),
                    selection: SelectionIndex(u16::from(p[1] / 8 % 6)),
                    stake: Minor(tape.of(p[2], &AMOUNTS)),
                    price: asked,
                    version: PriceVersion(u64::from(p[4] / 16)),
                    policy: policy,
                    slippage: if policy == PricePolicy::Within as u8 {
                        1 + u16::from(p[4] / 4) * 100
                    } else {
                        0
                    },
                });
                let account = account(tape, p[0]);
                self.customer(account, &body);
            }
            op::ACCEPT => {
                let (account, bet) = (account(tape, p[0]), bet(tape, p[1]));
                self.customer(account, &body!(AcceptOffer { bet: bet }));
            }
            op::DECLINE => {
                let (account, bet) = (account(tape, p[0]), bet(tape, p[1]));
                self.customer(account, &body!(DeclineOffer { bet: bet }));
            }
            op::RESOLVE => {
                let back = tape.of(p[2], &SPANS);
                let valid_until = Timestamp(until.0.saturating_sub(back));
                self.key = Some(u128::from(p[1]) + 1);
                let account = account(tape, p[0]);
                self.customer(account, &Resolve { valid_until, ..Resolve::default() });
            }
            op::AGAIN => self.again(p),
            op::ANY_BYTES => self.any_bytes(tape, p),
            op::KEY => self.key = Some(u128::from(p[0])),
            op::VALID_FOR => self.valid_for = tape.of(p[0], &SPANS),
            op::ACTOR => self.actor = tape.of(p[0], &NUMBERS) as u64,
            _ => self.synthetic = p[0] % 2 == 1,
        }
    }

    /// A model's prices of a market, and of the next one.
    fn reprice(
        &mut self,
        header: Header,
        body: Reprice,
        market: MarketId,
        prices: &[PriceEntry],
        p: [u8; 5],
    ) {
        let next = MarketId::from_raw(market.raw().wrapping_add(1));
        let markets = [market, next];
        let entries: Vec<RepriceEntry> = markets[..1 + usize::from(p[2] % 2)]
            .iter()
            .flat_map(|market| {
                prices.iter().map(|e| RepriceEntry::new(*market, e.selection, e.price))
            })
            .collect();
        let fixture = FixtureId::new(u32::from(p[3] / 4 % 3), 1);
        let model = Reprice::named("model").expect("a name");
        let mut slots = Vec::new();
        let body = Reprice { fixture, model, model_version: 1, ..body };
        let built = build::reprice_into(&mut slots, header, body, &entries);
        self.built(built.map(|()| slots));
    }

    /// Groups, tiers, prices that are pinned or held back, holds, limits of one's own, factors, shedding.
    fn live(&mut self, tape: &mut Tape<'_>, what: u8, p: [u8; 5]) {
        let until = self.until();
        macro_rules! body {
            ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
                $name { valid_until: until, $($field: $value,)* ..$name::default() }
            };
        }
        let feed = FeedId(u16::from(p[0] % 4));
        match what % 15 {
            0 => {
                let header = self.header(self.actor);
                let backup = FeedId(u16::from(p[1] % 4));
                let body = body!(DefineGroup { primary: feed, backup: backup });
                self.built(build::define_group(header, body, NAMES[usize::from(p[2]) % 6]));
            }
            1 => {
                let (group, to) = (GroupId(u16::from(p[0] % 4)), 1 + p[1] % 2);
                self.control(&body!(SwitchFeed { group: group, to: to }));
            }
            2 => {
                let act = p[1] % 3;
                let steps = if act == LiabilityAct::Step as u8 {
                    (1 + p[2] % 3, 1 + p[3] % 3)
                } else {
                    (0, 0)
                };
                let drift = u32::from(p[3]) * 1_000;
                let body = body!(SetTier {
                    tier: p[0] % 3,
                    act: act,
                    band: if act == 0 { 0 } else { 1 + p[2] % 100 },
                    ticks: steps.0,
                    steps: steps.1,
                    drift_band: drift,
                    drift_dwell: if drift == 0 {
                        Nanos::ZERO
                    } else {
                        Nanos(tape.of(p[4], &SPANS))
                    },
                    age_bound: Nanos(tape.of(p[1] / 3, &SPANS)),
                    cash_out_age: Nanos(tape.of(p[4] / 12, &SPANS)),
                    price_band: u32::from(p[4]) * 5_000,
                });
                self.control(&body);
            }
            3 => {
                let market = market(tape, p[0]);
                self.control(&body!(AssignTier { tier: p[1] % 3, market: market }));
            }
            4 => self.control(&body!(SetFeedSchema { feed: feed, schema: u32::from(p[1] % 3) })),
            5 => {
                let act = 1 + p[2] % 3;
                let pins = act == TraderPriceAct::Pin as u8;
                let price = PRICES[usize::from(p[3]) % (PRICES.len() - 1)];
                let body = body!(TraderPrice {
                    market: market(tape, p[0]),
                    selection: SelectionIndex(u16::from(p[1] % 5)),
                    act: act,
                    price: if pins { price } else { WirePrice::NONE },
                });
                self.control(&body);
            }
            6 => {
                let scope = 1 + p[0] % 6;
                let id = match FactorScope::from_code(scope) {
                    Some(FactorScope::Feed | FactorScope::Tier) => u64::from(p[1] % 4),
                    Some(FactorScope::Fixture) => FixtureId::new(u32::from(p[1] % 3), 1).raw(),
                    Some(FactorScope::Market) => market(tape, p[1]).raw(),
                    Some(FactorScope::Account) => account(tape, p[1]),
                    Some(FactorScope::Engine) | None => 0,
                };
                let percent = u32::from(p[2]) * 40;
                self.control(&body!(SetStakeFactor { scope: scope, id: id, percent: percent }));
            }
            7 | 8 => {
                let (kind, period) = (1 + p[1] % 3, 1 + p[1] / 3 % 3);
                let (whose, amount) = (account(tape, p[0]), Minor(i64::from(p[2]) * 50));
                if what % 15 == 7 {
                    let own = body!(SetOwnLimit { kind: kind, period: period, amount: amount });
                    return self.customer(whose, &own);
                }
                let account = AccountId::from_raw(whose);
                self.control(&body!(SetAccountLimit {
                    kind: kind,
                    period: period,
                    account: account,
                    amount: amount,
                }));
            }
            9 => {
                let (whose, span) = (account(tape, p[0]), Nanos(tape.of(p[1], &SPANS)));
                let until = self.desk.at.plus(span);
                if p[2] % 2 == 1 {
                    return self.customer(whose, &body!(ExcludeSelf { until: until }));
                }
                let account = AccountId::from_raw(whose);
                self.control(&body!(ExcludeAccount { account: account, until: until }));
            }
            10 | 11 => {
                let bet = bet(tape, p[0]);
                let asked = self.desk.state.bet(bet).map_or(Minor(1), |bet| bet.stake);
                let amount = if p[1] < 224 { asked } else { Minor(i64::from(p[2]) + 1) };
                let reference = u64::from(p[3] % 4);
                self.control(&body!(ConfirmHold {
                    bet: bet,
                    amount: amount,
                    reference: reference
                }));
            }
            12 => {
                let bet = bet(tape, p[0]);
                self.control(&body!(ReleaseHold { bet: bet }));
            }
            13 => {
                let (feed_seq, request) = (self.next_feed_seq(p[1]), u64::from(p[2] % 3));
                let (feed, schema) = (FeedId(1 + feed.0 % 3), u32::from(p[3] % 3));
                let source = self.source(p[4]);
                self.message(&FeedRecovering {
                    feed,
                    feed_seq,
                    source,
                    request,
                    schema,
                    ..FeedRecovering::default()
                });
            }
            _ => self.control(&body!(SetShedding { mode: p[0] % 4 })),
        }
    }

    /// Tickets, waits, cash-outs, and news of what became of bets.
    fn later(&mut self, tape: &mut Tape<'_>, what: u8, p: [u8; 5]) {
        let until = self.until();
        macro_rules! body {
            ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
                $name { valid_until: until, $($field: $value,)* ..$name::default() }
            };
        }
        let price = PRICES[usize::from(p[3]) % PRICES.len()];
        match what % 14 {
            0 | 1 => {
                let policy = PricePolicy::Any as u8;
                let legs: Vec<LegEntry> = (0..1 + p[1] % 4)
                    .map(|leg| {
                        let selection = SelectionIndex(u16::from(p[3] >> leg & 1));
                        let market = MarketId::new(u32::from(leg + p[1] / 4) % 4, 1);
                        LegEntry::new(market, selection, WirePrice::NONE, PriceVersion(0))
                    })
                    .collect();
                let body = body!(PlaceTicket {
                    stake: Minor(tape.of(p[2], &AMOUNTS)),
                    folds: 1 + u32::from(p[4]) % ((1 << legs.len()) - 1),
                    bankers: u32::from(p[4] >> 5) & 1,
                    stake_kind: 1 + p[0] / 8 % 2,
                    each_way: p[0] / 16 % 3,
                    policy: policy,
                    bonus: p[0] >> 7,
                });
                let account = account(tape, p[0] % 8);
                let header = self.header(account);
                self.built(build::place_ticket(header, body, &legs));
            }
            2 => {
                let (account, bet) = (account(tape, p[0]), bet(tape, p[1]));
                let (policy, take) = (PricePolicy::Any as u8, i64::from(p[2]));
                let take = Minor(if take < 128 { 0 } else { take });
                self.customer(account, &body!(CashOut { bet: bet, take: take, policy: policy }));
            }
            3 => {
                let (account, bet) = (account(tape, p[0]), bet(tape, p[1]));
                let value = Minor(i64::from(p[2]) * 10);
                self.customer(account, &body!(SetAutoCashOut { bet: bet, value: value }));
            }
            4 => {
                let (market, source) = (market(tape, p[0]), Timestamp(i64::from(p[1] % 8)));
                self.control(&body!(RollbackResult { market: market, source: source }));
            }
            5 => {
                let (market, source) = (market(tape, p[0]), Timestamp(i64::from(p[1] % 8)));
                let from = match p[3] % 3 {
                    0 => Timestamp(0),
                    ago => Timestamp(self.desk.at.0 - i64::from(ago) * 1_000_000_000),
                };
                let cancel = p[2] % 2;
                self.control(&body!(CancelBets {
                    market: market,
                    source: source,
                    from: from,
                    cancel: cancel,
                }));
            }
            6 => {
                let (bet, cancel) = (bet(tape, p[0]), p[1] % 2);
                self.control(&body!(CancelBet { bet: bet, cancel: cancel }));
            }
            7 => {
                let (bet, leg) = (bet(tape, p[0]), p[1] % 4);
                self.control(&body!(CorrectPrice { bet: bet, leg: leg, price: price }));
            }
            8 => {
                let account = AccountId::from_raw(account(tape, p[0]));
                let sign = if p[2].is_multiple_of(2) { 1 } else { -1 };
                let amount = Minor(sign * tape.of(p[1], &AMOUNTS));
                self.control(&body!(Adjust { account: account, amount: amount }));
            }
            9 => {
                let account = AccountId::from_raw(account(tape, p[0]));
                let sign = if p[2].is_multiple_of(2) { 1 } else { -1 };
                let amount = Minor(sign * tape.of(p[1], &AMOUNTS));
                self.control(&body!(GrantBonus { account: account, amount: amount }));
            }
            10 => {
                let (market, delay) = (market(tape, p[0]), Nanos(tape.of(p[1], &SPANS)));
                let in_play = p[2] % 2;
                self.control(&body!(SetInPlay { market: market, delay: delay, in_play: in_play }));
            }
            11 => {
                let (level, owner, id, _) = level(tape, p);
                let frozen = p[4] % 2;
                self.control(&body!(FreezeCashOut {
                    level: level,
                    owner: owner,
                    id: id,
                    frozen: frozen,
                }));
            }
            12 => {
                let prices: Vec<PriceEntry> = (0..p[1] % 4)
                    .map(|leg| PriceEntry::new(SelectionIndex(leg.into()), price))
                    .collect();
                let stake = Minor(i64::from(p[2]));
                let (bet, answer) = (bet(tape, p[0]), 1 + p[4] % 3);
                let header = self.header(self.actor);
                let body = body!(AnswerReferral { bet: bet, stake: stake, answer: answer });
                self.built(build::answer_referral(header, body, &prices));
            }
            _ => {
                let mut set = Ruleset::standard(Name::new("later").expect("a name"));
                set.refer_percent = u32::from(p[0]) * 100;
                set.rounding_place = 1 + p[1] % 2;
                set.payout_cap = 1 + p[1] / 2 % 2;
                set.price_failure = 1 + p[1] / 4 % 2;
                set.certainty = 1 + p[1] / 8 % 2;
                set.lines_max = 1 + u32::from(p[2]);
                set.cash_out_margin = u32::from(p[3]) * 3_000;
                set.hold_bind = 1 + p[1] / 16 % 2;
                set.hold_ttl = Nanos(tape.of(p[4] % 12, &SPANS).clamp(1, WINDOW));
                let header = self.header(self.actor);
                let body = body!(PublishRules {});
                self.give(build::publish_rules(header, body, &set));
            }
        }
    }

    fn built(&mut self, built: Result<Vec<Slot>, betring_core::reject::Malformed>) {
        if let Ok(slots) = built {
            self.give(slots);
        }
    }

    /// An earlier command once more, as it was or with one byte changed.
    fn again(&mut self, p: [u8; 5]) {
        let Some(slots) = self.given.get(usize::from(p[0]) % REMEMBERED) else { return };
        let mut slots = slots.clone();
        if p[1] % 2 == 1 {
            let bytes = slots.as_mut_slice().as_mut_bytes();
            let at = usize::from(u16::from_le_bytes([p[2], p[3]])) % bytes.len();
            // Not what says how many slots it takes: slots are cut before they are read.
            if !(4..6).contains(&at) {
                bytes[at] ^= p[4];
            }
        }
        if !desk::is_engines(slots[0].0[0]) {
            self.desk.give(&slots);
        }
    }

    /// One slot whose body is whatever the tape says.
    fn any_bytes(&mut self, tape: &mut Tape<'_>, p: [u8; 5]) {
        let kinds: Vec<u8> = Kind::ALL.iter().map(|kind| *kind as u8).collect();
        let kind = kinds[usize::from(p[0]) % kinds.len()];
        if desk::is_engines(kind) {
            return;
        }
        let keyless = p[1].is_multiple_of(4);
        let account = if p[2].is_multiple_of(2) { self.actor } else { account(tape, p[3]) };
        let mut header = self.header(account);
        if keyless {
            header.key = RequestKey::NONE;
        }
        let mut slot = Slot::default();
        slot.0[..HEADER].copy_from_slice(header.as_bytes());
        (slot.0[0], slot.0[1], slot.0[4]) = (kind, 1, 1);
        let limit = if keyless { 0 } else { self.until().0 };
        slot.0[HEADER..HEADER + 8].copy_from_slice(&limit.to_le_bytes());
        let body = tape.bytes(SLOT - HEADER - 16);
        slot.0[HEADER + 16..HEADER + 16 + body.len()].copy_from_slice(body);
        self.give(vec![slot]);
    }
}

/// What the first byte of a command asks for.
mod op {
    pub(super) const LATER: u8 = 228;
    pub(super) const LIVE: u8 = 190;
    pub(super) const EXCHANGE: u8 = 152;
    pub(super) const WAIT: u8 = 0;
    pub(super) const STEP: u8 = 1;
    pub(super) const TICK: u8 = 2;
    pub(super) const WORK: u8 = 3;
    pub(super) const RESTART: u8 = 4;
    pub(super) const CRASH: u8 = 5;
    pub(super) const REGISTER: u8 = 6;
    pub(super) const DEFINE_FEED: u8 = 7;
    pub(super) const DEFINE_FIXTURE: u8 = 8;
    pub(super) const DEFINE_MARKET: u8 = 9;
    pub(super) const OPEN: u8 = 10;
    pub(super) const CLOSE: u8 = 11;
    pub(super) const ARCHIVE: u8 = 12;
    pub(super) const SUSPEND: u8 = 13;
    pub(super) const RELEASE: u8 = 14;
    pub(super) const WITHDRAW_SELECTION: u8 = 15;
    pub(super) const RESULT: u8 = 16;
    pub(super) const SET_LIMITS: u8 = 17;
    pub(super) const BLOCK: u8 = 18;
    pub(super) const QUARANTINE: u8 = 19;
    pub(super) const LIFT: u8 = 20;
    pub(super) const SET_PRICES: u8 = 21;
    pub(super) const HEARTBEAT: u8 = 22;
    pub(super) const GAP: u8 = 23;
    pub(super) const RECOVERED: u8 = 24;
    pub(super) const OPEN_ACCOUNT: u8 = 25;
    pub(super) const DEPOSIT: u8 = 26;
    pub(super) const WITHDRAW: u8 = 27;
    pub(super) const PLACE: u8 = 28;
    pub(super) const ACCEPT: u8 = 29;
    pub(super) const DECLINE: u8 = 30;
    pub(super) const RESOLVE: u8 = 31;
    pub(super) const AGAIN: u8 = 32;
    pub(super) const ANY_BYTES: u8 = 33;
    pub(super) const KEY: u8 = 34;
    pub(super) const VALID_FOR: u8 = 35;
    pub(super) const ACTOR: u8 = 36;
}

fn account(tape: &mut Tape<'_>, choice: u8) -> u64 {
    match choice {
        crate::targets::tape::ANYTHING => tape.u64(),
        254 => 0,
        choice => AccountId::new(u32::from(choice % 4), 1).raw(),
    }
}

/// A market by place and generation: the first ones, and some that do not exist.
fn market(tape: &mut Tape<'_>, choice: u8) -> MarketId {
    match choice {
        crate::targets::tape::ANYTHING => MarketId::from_raw(tape.u64()),
        254 => MarketId::NONE,
        choice => MarketId::new(u32::from(choice % 4), 1 + u32::from(choice / 4 % 3)),
    }
}

fn bet(tape: &mut Tape<'_>, choice: u8) -> BetId {
    match choice {
        crate::targets::tape::ANYTHING => BetId::from_raw(tape.u64()),
        254 => BetId::NONE,
        choice => BetId::new(u32::from(choice % 16), 1 + u32::from(choice / 16 % 3)),
    }
}

fn currency(choice: u8) -> u16 {
    [826, 978, 840, 392][usize::from(choice) % 4]
}

fn level(tape: &mut Tape<'_>, p: [u8; 5]) -> (u8, u8, u64, SelectionIndex) {
    let level = 1 + p[0] % 6;
    let id = match Level::from_code(level) {
        Some(Level::Engine) => u64::from(p[2] == 254),
        Some(Level::Feed) => u64::from(p[2] % 4),
        Some(Level::Fixture) => FixtureId::new(u32::from(p[2] % 3), 1).raw(),
        Some(Level::Group) => u64::from(p[2] % 4),
        Some(Level::Market | Level::Selection) | None => market(tape, p[2]).raw(),
    };
    let of = level == Level::Selection as u8;
    (level, 1 + p[1] % 5, id, SelectionIndex(if of { u16::from(p[3] % 4) } else { 0 }))
}

/// Nights in a few lines, each to an end that random bytes rarely find.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    use op::*;
    let night =
        |choices: [u8; 8], commands: &[[u8; 6]]| [&choices[..], commands.as_flattened()].concat();
    // Whose, market + 8 × selection, stake, price, policy: any price, market m0, selection a.
    let place = |account, selection: u8, stake| [PLACE, account, 8 * selection, stake, 0, 3];
    let house = [0; 8];
    let offers = [1, 0, 0, 0, 0, 0, 0, 0];
    vec![
        (
            "bets-and-a-result",
            night(
                house,
                &[
                    place(0, 0, 5),
                    place(0, 1, 4),
                    place(1, 2, 3),
                    [AGAIN, 0, 0, 0, 0, 0],
                    [RESULT, 0, 0, 1, 0, 0],
                    [STEP, 0, 0, 0, 0, 0],
                    [AGAIN, 1, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [ARCHIVE, 0, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [AGAIN, 0, 0, 0, 0, 0],
                ],
            ),
        ),
        (
            "settled-taken-back-and-settled-otherwise",
            night(
                house,
                &[
                    place(0, 0, 5),
                    // A double on both markets, a treble's worth of rules, a cash-out.
                    [LATER, 8, 1, 4, 0, 1],
                    [LATER + 13, 3, 4, 60, 20, 0],
                    [LATER + 2, 0, 0, 0, 0, 0],
                    [RESULT, 0, 0, 1, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [LATER + 4, 0, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [RESULT, 0, 1, 1, 0, 0],
                    [LATER + 5, 0, 0, 1, 0, 0],
                    [STEP, 0, 0, 0, 0, 0],
                    [LATER + 6, 1, 1, 0, 0, 0],
                    [LATER + 7, 1, 0, 0, 2, 0],
                    [WORK, 0, 0, 0, 0, 0],
                ],
            ),
        ),
        (
            "offers-taken-and-not",
            night(
                offers,
                &[
                    [PLACE, 0, 0, 5, 4, 0],
                    [PLACE, 0, 8, 5, 6, 1],
                    [PLACE, 0, 16, 5, 6, 2],
                    [ACCEPT, 0, 0, 0, 0, 0],
                    [DECLINE, 0, 1, 0, 0, 0],
                    [WAIT, 5, 0, 0, 0, 0],
                    [TICK, 0, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [ACCEPT, 0, 2, 0, 0, 0],
                ],
            ),
        ),
        (
            "a-model-reprices-a-fixture-and-half-of-another",
            night(
                house,
                &[
                    [SET_PRICES, 1, 25, 16, 12, 1],
                    [PLACE, 1, 1, 3, 0, 3],
                    [SET_PRICES, 0, 25, 17, 12, 1],
                    [SET_PRICES, 1, 25, 16, 16, 1],
                    [PLACE, 1, 1, 3, 0, 3],
                    [CLOSE, 1, 0, 0, 0, 0],
                    [SET_PRICES, 1, 25, 16, 13, 1],
                ],
            ),
        ),
        (
            "a-feed-falls-silent",
            night(
                house,
                &[
                    [HEARTBEAT, 0, 1, 1, 0, 0],
                    [PLACE, 1, 1, 3, 0, 3],
                    [WAIT, 5, 0, 0, 0, 0],
                    [PLACE, 1, 1, 3, 0, 3],
                    [SET_PRICES, 1, 1, 16, 1, 1],
                    [PLACE, 1, 1, 3, 0, 3],
                    [RECOVERED, 0, 1, 1, 0, 0],
                    [SET_PRICES, 1, 1, 16, 1, 1],
                    [PLACE, 1, 1, 3, 0, 3],
                    [GAP, 0, 0, 0, 0, 0],
                    [PLACE, 1, 1, 3, 0, 3],
                ],
            ),
        ),
        (
            "suspended-withdrawn-blocked",
            night(
                house,
                &[
                    place(0, 0, 5),
                    [SUSPEND, 3, 1, 0, 0, 0],
                    place(0, 0, 5),
                    [RELEASE, 3, 1, 0, 0, 0],
                    [SUSPEND, 0, 3, 0, 0, 0],
                    place(0, 0, 5),
                    [RELEASE, 0, 3, 0, 0, 0],
                    [WITHDRAW_SELECTION, 0, 0, 1, 0, 0],
                    place(0, 0, 5),
                    [WITHDRAW_SELECTION, 0, 0, 0, 0, 0],
                    [BLOCK, 0, 1, 0, 0, 0],
                    place(0, 0, 5),
                    [WITHDRAW, 0, 1, 0, 0, 0],
                    [CLOSE, 0, 0, 0, 0, 0],
                    [RESULT, 0, 1, 1, 5, 0],
                    [WORK, 0, 0, 0, 0, 0],
                ],
            ),
        ),
        (
            "restarts-and-crashes",
            night(
                house,
                &[
                    place(0, 0, 5),
                    [CRASH, 0, 0, 0, 0, 0],
                    [RESTART, 3, 3, 1, 3, 1],
                    [OPEN, 0, 0, 0, 0, 0],
                    place(0, 1, 5),
                    [RESULT, 0, 0, 1, 0, 0],
                    [RESTART, 0, 0, 0, 0, 0],
                    [STEP, 0, 0, 0, 0, 0],
                    [CRASH, 0, 0, 0, 0, 0],
                    [AGAIN, 0, 0, 0, 0, 0],
                ],
            ),
        ),
        (
            "keys-resolved-and-forgotten",
            night(
                house,
                &[
                    [KEY, 9, 0, 0, 0, 0],
                    place(0, 0, 5),
                    [RESOLVE, 0, 8, 0, 0, 0],
                    [RESOLVE, 0, 11, 0, 0, 0],
                    [KEY, 12, 0, 0, 0, 0],
                    place(0, 0, 5),
                    [QUARANTINE, 0, 12, 0, 0, 0],
                    [KEY, 13, 0, 0, 0, 0],
                    place(0, 0, 5),
                    [LIFT, 0, 12, 0, 0, 0],
                    [WAIT, 9, 0, 0, 0, 0],
                    [TICK, 0, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [AGAIN, 0, 0, 0, 0, 0],
                ],
            ),
        ),
        (
            "limits-and-capacities",
            night(
                [0, 3, 1, 50, 80, 2, 0, 0],
                &[
                    place(0, 0, 5),
                    place(0, 1, 4),
                    place(0, 2, 3),
                    place(0, 0, 5),
                    [SET_LIMITS, 1, 0, 0, 4, 5],
                    place(0, 0, 4),
                    [DEPOSIT, 0, 10, 0, 0, 0],
                    [WITHDRAW, 0, 6, 0, 0, 0],
                    place(0, 0, 9),
                ],
            ),
        ),
        (
            "a-wallet-that-answers-late-twice-and-otherwise",
            night(
                house,
                &[
                    [OPEN_ACCOUNT, 3, 0, 0, 1, 0],
                    // Whatever it is placed under, it is asked of the wallet first.
                    [PLACE, 2, 0, 5, 0, 3],
                    [LIVE + 10, 0, 230, 7, 1, 0],
                    [LIVE + 10, 0, 0, 0, 1, 0],
                    [LIVE + 11, 0, 0, 0, 1, 0],
                    [LIVE + 11, 0, 0, 0, 2, 0],
                    // Rules that bind at placing.
                    [LATER + 13, 3, 23, 60, 0, 4],
                    [PLACE, 2, 8, 5, 0, 3],
                    [LIVE + 12, 1, 0, 0, 0, 0],
                    [PLACE, 2, 16, 5, 0, 3],
                    [SUSPEND, 3, 1, 0, 0, 0],
                    [LIVE + 10, 2, 0, 0, 3, 0],
                    [PLACE, 2, 0, 5, 0, 3],
                    [WAIT, 5, 0, 0, 0, 0],
                    [TICK, 0, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [LIVE + 10, 3, 0, 0, 4, 0],
                    [RESULT, 0, 0, 1, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [LATER + 4, 0, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                ],
            ),
        ),
        (
            "feeds-that-part-a-pin-and-a-switch",
            night(
                house,
                &[
                    // A tier with bands for drift and for a price that jumps, and steps of liability.
                    [LIVE + 2, 1, 1, 1, 20, 60],
                    [LIVE + 3, 1, 1, 0, 0, 0],
                    [RECOVERED, 1, 0, 0, 0, 0],
                    [SET_PRICES, 1, 2, 16, 0, 0],
                    [SET_PRICES, 1, 1, 16, 6, 0],
                    [PLACE, 1, 1, 3, 0, 3],
                    [LIVE + 5, 1, 0, 2, 0, 0],
                    [LIVE + 5, 1, 0, 0, 4, 0],
                    [PLACE, 1, 1, 3, 0, 3],
                    [LIVE + 1, 1, 1, 0, 0, 0],
                    [PLACE, 1, 1, 3, 0, 3],
                    [LIVE + 5, 1, 0, 1, 0, 0],
                    [LIVE + 13, 1, 0, 1, 0, 0],
                    [RECOVERED, 1, 0, 0, 0, 2],
                    [RECOVERED, 1, 0, 0, 0, 1],
                    [LIVE + 4, 2, 1, 0, 0, 0],
                    [HEARTBEAT, 1, 0, 0, 2, 0],
                    [LIVE + 4, 2, 0, 0, 0, 0],
                    [LIVE + 14, 3, 0, 0, 0, 0],
                    [RESTART, 0, 0, 0, 0, 0],
                    [OPEN, 1, 0, 0, 0, 0],
                    [PLACE, 1, 1, 3, 0, 3],
                ],
            ),
        ),
        (
            "limits-of-ones-own-and-an-exclusion",
            night(
                house,
                &[
                    [LIVE + 7, 0, 1, 20, 0, 0],
                    place(0, 0, 3),
                    [LIVE + 7, 0, 1, 200, 0, 0],
                    place(0, 0, 5),
                    [LIVE + 8, 0, 0, 3, 0, 0],
                    [DEPOSIT, 0, 5, 0, 0, 0],
                    [LIVE + 6, 5, 0, 1, 0, 0],
                    place(0, 1, 3),
                    [LIVE + 9, 0, 4, 1, 0, 0],
                    place(0, 0, 2),
                    [WITHDRAW, 0, 1, 0, 0, 0],
                    [WAIT, 11, 0, 0, 0, 0],
                    [LIVE + 9, 0, 4, 0, 0, 0],
                    place(0, 0, 2),
                ],
            ),
        ),
        (
            "orders-in-play-withdrawn-settled-and-taken-back",
            night(
                house,
                &[
                    // An exchange market of three, m2, with starting prices and cross-matching.
                    [DEFINE_MARKET, 2, 0, 5, 1, 0],
                    [OPEN, 2, 0, 0, 0, 0],
                    [EXCHANGE, 2, 3, 4, 12, 0],
                    [OPEN, 2, 0, 0, 0, 0],
                    [SET_LIMITS, 0, 0, 0, 0, 0],
                    [OPEN_ACCOUNT, 3, 0, 0, 0, 0],
                    [DEPOSIT, 2, 7, 0, 0, 0],
                    // Backs, lays, one of each that meets, one that is killed, some for the starting price.
                    [EXCHANGE + 1, 16, 1, 0, 5, 64],
                    [EXCHANGE + 1, 18, 2, 1, 4, 0],
                    [EXCHANGE + 1, 18, 1, 1, 4, 0],
                    [EXCHANGE + 4, 16, 3, 0, 5, 1],
                    [EXCHANGE + 1, 16, 1, 14, 5, 0],
                    [EXCHANGE + 1, 18, 1, 15, 5, 0],
                    [EXCHANGE + 2, 18, 9, 33, 4, 0],
                    // Smaller, elsewhere, to stay.
                    [EXCHANGE + 5, 16, 0, 4, 0, 1],
                    [EXCHANGE + 6, 18, 2, 3, 0, 0],
                    [EXCHANGE + 7, 16, 0, 1, 0, 0],
                    [EXCHANGE + 9, 2, 2, 4, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [LATER + 10, 2, 3, 1, 0, 0],
                    [STEP, 0, 0, 0, 0, 0],
                    [CRASH, 0, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [EXCHANGE + 1, 16, 1, 0, 4, 0],
                    [WAIT, 4, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [EXCHANGE + 8, 2, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [EXCHANGE + 10, 0, 2, 0, 0, 0],
                    [RESULT, 2, 0, 1, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [LATER + 4, 2, 0, 0, 0, 0],
                    [STEP, 0, 0, 0, 0, 0],
                    [RESULT, 2, 1, 1, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                    [ARCHIVE, 2, 0, 0, 0, 0],
                    [WORK, 0, 0, 0, 0, 0],
                ],
            ),
        ),
        (
            "from-an-empty-journal",
            night(
                [0, 0, 0, 0, 0, 0, 0, 1],
                &[
                    [REGISTER, 4, 0, 0, 0, 0],
                    [DEFINE_FEED, 5, 4, 0, 0, 0],
                    [DEFINE_FIXTURE, 0, 0, 0, 0, 0],
                    [DEFINE_MARKET, 0, 0, 1, 1, 0],
                    [DEFINE_MARKET, 1, 1, 2, 6, 3],
                    [OPEN_ACCOUNT, 1, 0, 0, 0, 0],
                    [OPEN_ACCOUNT, 1, 0, 0, 0, 0],
                    [DEPOSIT, 0, 7, 0, 0, 0],
                    [OPEN, 0, 0, 0, 0, 0],
                    [SET_PRICES, 0, 0, 48, 0, 0],
                    place(0, 0, 5),
                ],
            ),
        ),
        (
            "any-bytes",
            [
                &night(house, &[[ANY_BYTES, 26, 1, 1, 0, 0]])[..],
                &[0, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0],
                &[0; 32],
            ]
            .concat(),
        ),
    ]
}
