//! The stream as commands: read from their bytes, looked up by their keys, decided by the whole state.

use super::{ACCOUNTS, Op, Plays, Stream};
use crate::decide::decide;
use crate::warm::genesis;
use betring_core::answer::Reply;
use betring_core::command::{self, Capacities, Kind, Limits, build};
use betring_core::event::Events;
use betring_core::id::{AccountId, ActorId, Epoch, MarketId, OrderId, RequestKey, SelectionIndex};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, Slot};
use betring_core::{HouseRules, LOGIC_VERSION, State};
use betring_pricing::{Currency, Ladder};
use zerocopy::IntoBytes;

/// Journal time between two commands: few keys are live.
const EVERY: i64 = 1_000;
const WINDOW: Nanos = Nanos::from_millis(10);

pub(super) struct Whole {
    state: State<HouseRules>,
    events: Events,
    at: Timestamp,
    accounts: Vec<AccountId>,
    market: MarketId,
    requests: u128,
    /// Whose the orders are, by number.
    owners: Vec<u32>,
    /// The stream's commands in their slots, in order; those that come first are made as they come.
    slots: Vec<Slot>,
    ends: Vec<usize>,
    next: usize,
    told: u64,
    stake: u64,
}

impl Whole {
    pub(super) fn new(orders: usize, stream: &Stream) -> Whole {
        let mut whole = Whole {
            state: State::new(HouseRules),
            events: Events::new(),
            at: Timestamp(1_760_000_000_000_000_000),
            accounts: Vec::new(),
            market: MarketId::NONE,
            requests: 0,
            owners: Vec::new(),
            slots: Vec::new(),
            ends: Vec::new(),
            next: 0,
            told: 0,
            stake: 0,
        };
        whole.begin(orders as u32);
        whole.define();
        for op in stream.first.iter().chain(&stream.ops) {
            whole.write(op);
        }
        whole
    }

    fn begin(&mut self, orders: u32) {
        let genesis = genesis(WINDOW, Limits::UNLIMITED);
        self.sequence(&wire::slots(Header::default(), &genesis, &[]));
        let accounts = ACCOUNTS as u32;
        let capacities = Capacities {
            accounts,
            markets: 1,
            selections: 2,
            bets: 1,
            keys: 1 << 16,
            feeds: 1,
            fixtures: 1,
            actors: 1,
            currencies: 1,
            quarantined: 1,
            legs: 1,
            groups: 1,
            limited: 1,
            orders: orders + 1,
            positions: accounts,
            stands: 2 * accounts,
            levels: 2 * Ladder::CLASSIC.len(),
        };
        let opened = command::EpochOpened {
            epoch: Epoch(1),
            logic_version: LOGIC_VERSION,
            rules_id: <HouseRules as betring_core::Rules>::ID,
            rules_version: <HouseRules as betring_core::Rules>::VERSION,
            capacities,
            ..Default::default()
        };
        self.sequence(&wire::slots(Header::default(), &opened, &[]));
    }

    fn define(&mut self) {
        let valid_until = self.limit();
        let body = command::RegisterActor { valid_until, ..Default::default() };
        let header = Header { key: self.key(), ..Header::default() };
        let slots = build::register_actor(header, body, "bench").expect("a good name");
        let actor = ActorId(self.sequence(&slots).answer.id);
        let (kind, valid_until) = (command::MarketKind::Exchange as u8, self.limit());
        let body = command::DefineMarket { valid_until, winners: 1, kind, ..Default::default() };
        let header = Header::control(actor, self.key());
        let slots = build::define_market(header, body, "market", &["it", "other"]);
        let market = self.sequence(&slots.expect("good names")).answer.id;
        self.market = MarketId::from_raw(market);
        let body = command::SetExchange {
            valid_until: self.limit(),
            currency: Currency::GBP.numeric(),
            ladder: command::LadderKind::Classic as u8,
            market: self.market,
            min_stake: Minor(1),
            min_liability: Minor(1),
            ..Default::default()
        };
        let slots = build::set_exchange(Header::control(actor, self.key()), body, &[]);
        self.sequence(&slots.expect("no bands"));
        let (valid_until, market) = (self.limit(), self.market);
        let body = command::OpenMarket { valid_until, market, ..Default::default() };
        let header = Header::control(actor, self.key());
        self.sequence(&[wire::slot(header, &body)]);
        for reference in 1..=ACCOUNTS as u64 {
            let currency = Currency::GBP.numeric();
            let valid_until = self.limit();
            let body =
                command::OpenAccount { valid_until, reference, currency, ..Default::default() };
            let header = Header { key: self.key(), ..Header::default() };
            let account = self.sequence(&[wire::slot(header, &body)]).answer.id;
            let account = AccountId::from_raw(account);
            let (valid_until, amount) = (self.limit(), Minor(100_000_000_000_000));
            let body = command::Deposit { valid_until, amount, ..Default::default() };
            let header = Header::customer(account, self.key());
            self.sequence(&[wire::slot(header, &body)]);
            self.accounts.push(account);
        }
    }

    fn key(&mut self) -> RequestKey {
        self.requests += 1;
        RequestKey(self.requests)
    }

    fn limit(&self) -> Timestamp {
        self.at.plus(Nanos::from_millis(5))
    }

    /// One of the stream as a command; it is read when its turn comes.
    fn write(&mut self, op: &Op) {
        // When it will be decided.
        let at = self.at.0 + EVERY * (self.ends.len() as i64 + 1);
        let valid_until = Timestamp(at).plus(Nanos::from_millis(5));
        let market = self.market;
        let slots = match op {
            Op::Place(taker) => {
                let order = command::OrderEntry {
                    limit_e4: Ladder::CLASSIC.price(taker.limit).expect("on the ladder").e4(),
                    selection: SelectionIndex(taker.selection),
                    side: taker.side as u8,
                    self_match: taker.self_match as u8,
                    size: Minor(taker.size),
                    ..Default::default()
                };
                let body = command::PlaceOrders { valid_until, market, ..Default::default() };
                self.owners.push(taker.account);
                let header = Header::customer(self.accounts[taker.account as usize], self.key());
                build::place_orders(header, body, &[order])
            }
            Op::Cancel(number) => {
                let order = OrderId::new(*number, 1);
                let body = command::CancelOrders { valid_until, market, ..Default::default() };
                let owner = self.owners[*number as usize] as usize;
                let header = Header::customer(self.accounts[owner], self.key());
                build::cancel_orders(header, body, &[command::CancelEntry { order, by: Minor(0) }])
            }
        };
        self.slots.extend_from_slice(&slots.expect("one entry"));
        self.ends.push(self.slots.len());
    }

    fn sequence(&mut self, slots: &[Slot]) -> Reply {
        self.at = self.at.plus(Nanos(EVERY));
        let reply = self.give(slots.as_bytes());
        assert!(reply.answer.reject().is_none(), "{reply}");
        reply
    }

    fn give(&mut self, bytes: &[u8]) -> Reply {
        decide(&mut self.state, &mut self.events, self.at, bytes)
    }

    /// Keys are forgotten in turns, as the engine gives them.
    fn work(&mut self) {
        if self.state.has_work() {
            let step =
                wire::slot(Header::default(), &command::Step { budget: 64, ..Default::default() });
            self.give(step.as_bytes());
        }
    }
}

impl Plays for Whole {
    const COUNTS: &str = "events";

    fn play(&mut self, _: &Op) {
        self.at = self.at.plus(Nanos(EVERY));
        let from = if self.next == 0 { 0 } else { self.ends[self.next - 1] };
        let slots: [Slot; 2] = {
            let end = self.ends[self.next];
            let mut slots = [Slot::default(); 2];
            slots[..end - from].copy_from_slice(&self.slots[from..end]);
            slots
        };
        let count = self.ends[self.next] - from;
        self.next += 1;
        let reply = self.give(slots[..count].as_bytes());
        assert!(reply.answer.reject().is_none(), "{reply}");
        if slots[0].header().kind == Kind::PlaceOrders as u8 {
            let matched = reply.answer.stake.0;
            self.stake += matched as u64;
        }
        // A command's events: itself, what it did, and its answer.
        self.told += u64::from(self.events.count());
        if self.next.is_multiple_of(32) {
            self.work();
        }
    }

    fn figures(&self) -> (u64, u64, u32) {
        let rest = self.state.orders().filter(|order| order.sizes.remaining.0 != 0).count();
        (self.told, self.stake, rest as u32)
    }
}
