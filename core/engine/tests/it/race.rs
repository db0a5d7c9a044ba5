//! A race on an exchange market, and a random afternoon of it: customers who order, cancel and change their minds, a
//! trader who does what traders do.

use betring::journal::{MemStore, ReadLevel, Reader};
use betring::*;
use proptest::prelude::*;

pub(crate) const NAMES: [&str; 4] = ["Desert", "Golden", "Red", "Best"];

/// A market of four, crossed, with starting prices; four customers with 5,000.00.
pub(crate) struct Race {
    pub(crate) engine: Engine,
    pub(crate) trader: Control,
    pub(crate) client: Client,
    pub(crate) accounts: [AccountId; 4],
    pub(crate) market: Market,
    keys: u128,
    /// By number of the order, which of the accounts placed it.
    placed: Vec<usize>,
}

/// The terms of the race.
pub(crate) fn terms() -> ExchangeTerms {
    ExchangeTerms::new(Currency::GBP).crosses().starting_prices().commission(500)
}

/// An exchange market of these selections that takes orders.
pub(crate) fn open_exchange(trader: &mut Control, name: &str, terms: &ExchangeTerms) -> Market {
    let market = trader.define(MarketTerms::new(name, NAMES).exchange()).expect("defined");
    trader.set_exchange(&market, terms).expect("has its book");
    trader.open_market(&market).expect("open");
    market
}

/// Tables that are large enough for an afternoon.
pub(crate) fn capacities() -> Capacities {
    Capacities { orders: 1 << 10, positions: 64, stands: 256, ..crate::table::capacities() }
}

impl Race {
    pub(crate) fn set(engine: Engine) -> Race {
        let mut trader = engine.control("trader:anna").expect("registered");
        let market = open_exchange(&mut trader, "race", &terms());
        let mut client = engine.client(64).expect("a seat");
        let accounts = [1, 2, 3, 4].map(|reference| {
            let account = client.open_account(Reference(reference), Currency::GBP).expect("opened");
            client.deposit(account, money!(5000.00), key(1)).expect("paid in");
            account
        });
        Race { engine, trader, client, accounts, market, keys: 100, placed: Vec::new() }
    }

    /// The same afternoon at an engine that was opened again.
    pub(crate) fn resumed(&self, engine: Engine) -> Race {
        let mut trader = engine.control("trader:anna").expect("registered");
        // It may be at an end already.
        let _ = trader.open_market(&self.market);
        let client = engine.client(64).expect("a seat");
        let (market, placed) = (self.market.clone(), self.placed.clone());
        Race { engine, trader, client, accounts: self.accounts, market, keys: self.keys, placed }
    }

    pub(crate) fn key(&mut self) -> RequestKey {
        self.keys += 1;
        key(self.keys)
    }

    pub(crate) fn selection(&self, name: &str) -> Selection {
        self.market.selection(name)
    }

    /// One of the orders so far and whose it is; if there is none yet, one that nobody knows.
    fn one(&self, nth: usize) -> (AccountId, OrderId) {
        let number = nth % self.placed.len().max(1);
        let of = self.placed.get(number).copied().unwrap_or_default();
        // None has left memory before its market: each has a place of its own.
        (self.accounts[of], OrderId::new(number as u32, 1))
    }

    fn learn(&mut self, of: usize, done: Result<Ordered, Error>) -> Result<(), Error> {
        let count = done?.count as usize;
        self.placed.extend(std::iter::repeat_n(of, count));
        Ok(())
    }

    /// Does something; whether it was done. Nothing that is refused matters here, and nothing else may happen.
    pub(crate) fn does(&mut self, deed: &Deed) -> bool {
        let market = self.market.id();
        let key = self.key();
        let trader = &mut self.trader;
        let done = match deed {
            Deed::Place(of, orders) => {
                let orders: Vec<_> = orders.iter().map(|wish| wish.order(&self.market)).collect();
                let placed = self.client.place_orders(self.accounts[*of], key, &orders);
                self.learn(*of, placed)
            }
            Deed::Replace(nth, price) => {
                let (account, order) = self.one(*nth);
                let of = self.accounts.iter().position(|a| *a == account).expect("one of them");
                let placed = self.client.replace_orders(account, key, market, [(order, *price)]);
                self.learn(of, placed)
            }
            Deed::Cancel(nth, part) => {
                let (account, order) = self.one(*nth);
                let cancel = part.map_or(Cancel::all_of(order), |by| Cancel::part(order, by));
                self.client.cancel_orders(account, key, market, [cancel]).map(|_| ())
            }
            Deed::CancelAll(of) => {
                self.client.cancel_all(self.accounts[*of], key, market).map(|_| ())
            }
            Deed::Update(nth, to) => {
                let (account, order) = self.one(*nth);
                self.client.update_orders(account, key, market, [(order, *to)]).map(|_| ())
            }
            Deed::Suspend => trader.suspend(market, Owner::Trader).map(|_| ()),
            Deed::Release => trader.release(market, Owner::Trader).map(|_| ()),
            Deed::Lapse(scope) => trader.lapse_orders(market, *scope).map(|_| ()),
            Deed::InPlay => trader.in_play(market, Nanos::from_secs(1)).map(|_| ()),
            Deed::Withdraw(selection, factor) => {
                trader.withdraw_by_factor(market, *selection, *factor).map(|_| ())
            }
            Deed::Close => trader.close_market(market).map(|_| ()),
            Deed::Open => trader.open_market(market).map(|_| ()),
            Deed::Result(outcomes) => trader.result(&self.market, *outcomes).map(|_| ()),
            Deed::Rollback => trader.rollback_result(market, None).map(|_| ()),
            Deed::Archive => trader.archive(market).map(|_| ()),
        };
        match done {
            Ok(()) => true,
            Err(Error::Refused(_)) => false,
            Err(other) => panic!("{deed:?}: {other}"),
        }
    }
}

/// An order to be.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    side: Side,
    selection: usize,
    size: Money,
    price: Price,
    word: usize,
}

impl Wish {
    fn order(&self, market: &Market) -> Order {
        let selection = market.selection(NAMES[self.selection]);
        let order = match self.side {
            Side::Back => Order::back(selection, self.size, self.price),
            Side::Lay => Order::lay(selection, self.size, self.price),
        };
        match self.word {
            0 => order.persist(),
            1 => order.at_start(),
            2 => order.on_close(),
            3 => order.fill_or_kill(),
            4 => order.self_match(SelfMatch::Allow),
            5 if self.side == Side::Back => Order::back_on_close(selection, self.size),
            5 => Order::lay_on_close(selection, self.size),
            _ => order,
        }
    }
}

/// What somebody does in an afternoon.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Place(usize, Vec<Wish>),
    Cancel(usize, Option<Money>),
    CancelAll(usize),
    Replace(usize, Price),
    Update(usize, Persistence),
    Suspend,
    Release,
    Lapse(LapseScope),
    InPlay,
    Withdraw(SelectionIndex, u16),
    Close,
    Open,
    Result([SelectionOutcome; 4]),
    Rollback,
    Archive,
}

fn price() -> impl Strategy<Value = Price> {
    let prices =
        [price!(2.50), price!(3.00), price!(3.50), price!(4.00), price!(4.50), price!(6.00)];
    prop::sample::select(prices.to_vec())
}

fn wish() -> impl Strategy<Value = Wish> {
    let side = prop::sample::select(vec![Side::Back, Side::Lay]);
    let size = (1_i64..20).prop_map(|pounds| Money::from_minor(pounds * 100).expect("a sum"));
    (side, 0..NAMES.len(), size, price(), 0_usize..12).prop_map(
        |(side, selection, size, price, word)| Wish { side, selection, size, price, word },
    )
}

/// Mostly orders, now and then something that changes all of them.
pub(crate) fn deed() -> impl Strategy<Value = Deed> {
    let (of, nth) = (0_usize..4, 0_usize..1_000);
    let outcome = |won: usize, void: usize| {
        std::array::from_fn(|at| match at {
            at if at == won => SelectionOutcome::Win,
            at if at == void => SelectionOutcome::Void,
            _ => SelectionOutcome::Lose,
        })
    };
    let persistence = prop::sample::select(Persistence::ALL.to_vec());
    let place = (of.clone(), prop::collection::vec(wish(), 1..4));
    let cancel = (nth.clone(), prop::option::of(Just(money!(1.00))));
    let withdraw = (0_u16..4, 0_u16..2_000);
    prop_oneof![
        150 => place.prop_map(|(of, all)| Deed::Place(of, all)),
        25 => cancel.prop_map(|(nth, part)| Deed::Cancel(nth, part)),
        4 => of.prop_map(Deed::CancelAll),
        20 => (nth.clone(), price()).prop_map(|(nth, to)| Deed::Replace(nth, to)),
        15 => (nth, persistence).prop_map(|(nth, to)| Deed::Update(nth, to)),
        2 => Just(Deed::Suspend),
        20 => Just(Deed::Release),
        2 => prop::sample::select(LapseScope::ALL.to_vec()).prop_map(Deed::Lapse),
        2 => Just(Deed::InPlay),
        2 => withdraw.prop_map(|(at, by)| Deed::Withdraw(SelectionIndex(at), by)),
        1 => Just(Deed::Close),
        20 => Just(Deed::Open),
        2 => (0_usize..4, 0_usize..8).prop_map(move |(won, void)| Deed::Result(outcome(won, void))),
        3 => Just(Deed::Rollback),
        2 => Just(Deed::Archive),
    ]
}

/// An engine whose files are in memory.
pub(crate) fn in_memory(store: &MemStore, clock: &Clock) -> Engine {
    let config = Config::at("race")
        .layout(Layout::Inline)
        .clock(clock.clone())
        .capacities(capacities())
        .secret([7; 16])
        .clients(8, 64)
        .segment_bytes(4 << 20)
        .segments_ahead(0);
    Engine::open_on(store.clone(), config, HouseRules, &mut |_| {}).expect("opened")
}

/// A record of a journal: when, the command, and what it caused.
pub(crate) struct Written {
    pub(crate) stamp: Stamp,
    pub(crate) command: Vec<u8>,
}

/// The records of an afternoon in which all this was done, some of it in vain.
pub(crate) fn afternoon(deeds: &[Deed]) -> Vec<Written> {
    let (store, clock) = (MemStore::new(), Clock::manual(Timestamp(1_000_000_000_000)));
    let mut race = Race::set(in_memory(&store, &clock));
    for deed in deeds {
        race.does(deed);
        clock.advance(Nanos::from_millis(300));
        race.engine.run_until_idle().expect("turns");
    }
    race.engine.shutdown().expect("in order");
    let mut reader = Reader::open(store, 1, ReadLevel::Sealed).expect("opened");
    let mut records = Vec::new();
    while let Some(record) = reader.next().expect("whole") {
        let slots = usize::from(u16::from_le_bytes([record.payload[4], record.payload[5]]));
        records.push(Written {
            stamp: Stamp { seq: Seq(record.meta.seq), at: Timestamp(record.meta.ts) },
            command: record.payload[..slots * 128].to_vec(),
        });
    }
    records
}
