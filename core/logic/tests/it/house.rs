//! A state and those who give it commands, without a checker at its shoulder: for long runs.

use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{self, *};
use betring_core::event::{Events, HouseAccount};
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, Slot, WirePrice};
use betring_core::{Admission, BetView, HouseRules, LOGIC_VERSION, Stamp, State};
use betring_pricing::{Currency, Price, RoundingMode, Shape};
use zerocopy::IntoBytes;

const START: i64 = 1_767_225_600_000_000_000;
const TRADER: ActorId = ActorId(1);

/// A state and those who give it commands.
pub(crate) struct House {
    pub(crate) state: State<HouseRules>,
    pub(crate) events: Events,
    pub(crate) now: i64,
    pub(crate) key: u128,
}

impl House {
    pub(crate) fn open(customers: u32) -> House {
        let state = State::new(HouseRules);
        let mut house = House { state, events: Events::new(), now: START, key: 0 };
        let limits = Limits {
            min_stake: Minor(1),
            max_stake: Minor(100_000_000),
            max_payout: Minor(100_000_000_000),
            max_liability: Minor(100_000_000_000_000),
            ..Limits::UNLIMITED
        };
        let genesis = Genesis {
            window: Nanos::from_secs(300),
            secret: *b"sixteen secrets!",
            age_bound: Nanos::from_secs(60),
            offer_ttl: Nanos::from_secs(5),
            price_failure: PriceFailure::Refuse as u8,
            rounding: rounding_code(RoundingMode::Down),
            step_budget: 64,
            limits,
            ..Genesis::default()
        };
        house.give(&wire::slots(Header::default(), &genesis, &[]));
        let capacities = Capacities {
            accounts: customers + 1,
            markets: 64,
            selections: 4096,
            bets: 65_536,
            keys: 262_144,
            feeds: 1,
            fixtures: 2_048,
            actors: 2,
            currencies: 1,
            quarantined: 1,
            legs: 131_072,
            groups: 1,
            limited: 1,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        };
        let epoch = EpochOpened {
            epoch: Epoch(1),
            logic_version: LOGIC_VERSION,
            rules_id: 1,
            rules_version: 1,
            capacities,
            ..EpochOpened::default()
        };
        house.give(&wire::slots(Header::default(), &epoch, &[]));
        let header = house.control();
        let body = RegisterActor { valid_until: house.until(), ..RegisterActor::default() };
        house.give(&build::register_actor(header, body, "trader").unwrap());
        for customer in 0..customers {
            let header = house.customer_header(0);
            let body = OpenAccount {
                valid_until: house.until(),
                reference: u64::from(customer) + 1,
                currency: Currency::GBP.numeric(),
                ..OpenAccount::default()
            };
            house.give(&[build::plain(header, &body)]);
            let header = house.customer_header(AccountId::new(customer, 1).raw());
            let (valid_until, amount) = (house.until(), Minor(100_000_000_000));
            let body = Deposit { valid_until, amount, ..Deposit::default() };
            house.give(&[build::plain(header, &body)]);
        }
        house
    }

    pub(crate) fn until(&self) -> Timestamp {
        Timestamp(self.now + 1_000_000_000)
    }

    pub(crate) fn key(&mut self) -> RequestKey {
        self.key += 1;
        RequestKey(self.key)
    }

    pub(crate) fn control(&mut self) -> Header {
        Header::control(TRADER, self.key())
    }

    pub(crate) fn customer_header(&mut self, account: u64) -> Header {
        Header { account, key: self.key(), ..Header::default() }
    }

    /// A command has to be decided, and may be refused.
    pub(crate) fn ask(&mut self, slots: &[Slot]) -> Reply {
        let bytes = slots.as_bytes();
        let (header, command) = command::decode(bytes).unwrap();
        let at = Timestamp(self.now);
        match self.state.admit(at, &header, &command, bytes) {
            Admission::Answer(reply) => panic!("not sequenced: {reply}"),
            Admission::Sequence(admitted) => {
                let stamp = Stamp { seq: self.state.seq().next(), at };
                self.state.apply(stamp, &header, &command, admitted, &mut self.events)
            }
        }
    }

    pub(crate) fn give(&mut self, slots: &[Slot]) -> Reply {
        let reply = self.ask(slots);
        assert_eq!(reply.answer.reject(), None, "{reply}");
        reply
    }

    pub(crate) fn work(&mut self) {
        while self.state.has_work() {
            let body = Step { budget: 64, ..Step::default() };
            self.give(&[build::plain(Header::default(), &body)]);
        }
    }

    /// A market of a fixture, open, with its prices; none is left out where a selection has none.
    pub(crate) fn market(
        &mut self,
        name: &str,
        fixture: FixtureId,
        winners: u16,
        prices: &[(&str, Price)],
    ) -> MarketId {
        let header = self.control();
        let body = DefineMarket {
            valid_until: self.until(),
            winners,
            fixture,
            kind: MarketKind::Fixed as u8,
            ..DefineMarket::default()
        };
        let names: Vec<&str> = prices.iter().map(|(name, _)| *name).collect();
        let reply = self.give(&build::define_market(header, body, name, &names).unwrap());
        let market = MarketId::from_raw(reply.answer.id);
        let header = self.control();
        let body = OpenMarket { valid_until: self.until(), market, ..OpenMarket::default() };
        self.give(&[build::plain(header, &body)]);
        let entries: Vec<PriceEntry> = prices
            .iter()
            .enumerate()
            .map(|(at, (_, price))| {
                PriceEntry::new(SelectionIndex(at as u16), WirePrice::decimal(*price))
            })
            .collect();
        let header = self.control();
        let body = SetPrices { valid_until: self.until(), market, ..SetPrices::default() };
        self.give(&build::set_prices(header, body, &entries).unwrap());
        market
    }

    pub(crate) fn fixture(&mut self, name: &str) -> FixtureId {
        let header = self.control();
        let body = DefineFixture { valid_until: self.until(), ..DefineFixture::default() };
        let reply = self.give(&build::define_fixture(header, body, name).unwrap());
        FixtureId::from_raw(reply.answer.id)
    }

    pub(crate) fn ticket(
        &mut self,
        customer: u32,
        stake: i64,
        shape: Shape,
        legs: &[(MarketId, u16)],
    ) -> BetId {
        let header = self.customer_header(AccountId::new(customer, 1).raw());
        let body = PlaceTicket {
            valid_until: self.until(),
            stake: Minor(stake),
            folds: shape.folds(),
            stake_kind: StakeKind::Unit as u8,
            policy: PricePolicy::Any as u8,
            ..PlaceTicket::default()
        };
        let legs: Vec<LegEntry> = legs
            .iter()
            .map(|(market, at)| {
                LegEntry::new(*market, SelectionIndex(*at), WirePrice::NONE, PriceVersion(0))
            })
            .collect();
        let reply = self.give(&build::place_ticket(header, body, &legs).unwrap());
        assert_eq!(reply.answer.kind(), AnswerKind::Accepted);
        BetId::from_raw(reply.answer.id)
    }

    pub(crate) fn single(&mut self, customer: u32, stake: i64, market: MarketId, at: u16) -> BetId {
        let header = self.customer_header(AccountId::new(customer, 1).raw());
        let body = Place {
            valid_until: self.until(),
            market,
            stake: Minor(stake),
            selection: SelectionIndex(at),
            policy: PricePolicy::Any as u8,
            ..Place::default()
        };
        let reply = self.give(&[build::plain(header, &body)]);
        BetId::from_raw(reply.answer.id)
    }

    pub(crate) fn result(&mut self, market: MarketId, entries: &[ResultEntry]) -> Reply {
        let header = self.control();
        let body = MarketResult { valid_until: self.until(), market, ..MarketResult::default() };
        let reply = self.ask(&build::result(header, body, entries).unwrap());
        self.work();
        reply
    }

    pub(crate) fn archive(&mut self, market: MarketId) {
        let header = self.control();
        let body = ArchiveMarket { valid_until: self.until(), market, ..ArchiveMarket::default() };
        self.give(&[build::plain(header, &body)]);
        self.work();
        // Time goes on, so that keys are forgotten.
        self.now += 60_000_000_000;
        self.work();
    }

    pub(crate) fn bet(&self, bet: BetId) -> BetView {
        self.state.bet(bet).expect("a bet in memory")
    }

    pub(crate) fn won_by(&self, account: HouseAccount) -> i128 {
        self.state.house(account, Currency::GBP)
    }

    /// Customers' money, together.
    pub(crate) fn customers(&self) -> i128 {
        self.state.accounts().map(|account| i128::from(account.balance.0)).sum()
    }
}

/// Choices that are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
