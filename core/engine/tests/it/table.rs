//! A book to test with: small tables, a market that is open, and money in an account.

use std::time::Duration;

use betring::*;

pub(crate) const SECOND: Duration = Duration::from_secs(10);

/// Every layout; the tests that name none are run in all.
pub(crate) const LAYOUTS: [Layout; 3] = [Layout::Inline, Layout::OneThread, Layout::TwoThread];

pub(crate) fn capacities() -> Capacities {
    Capacities {
        accounts: 256,
        markets: 32,
        selections: 256,
        bets: 1 << 14,
        keys: 1 << 15,
        feeds: 8,
        fixtures: 16,
        actors: 16,
        currencies: 4,
        quarantined: 8,
        legs: 3 << 13,
        groups: 8,
        limited: 64,
        orders: 64,
        positions: 16,
        stands: 64,
        levels: 1 << 12,
    }
}

/// Small, quick to open, and patient with a busy machine.
pub(crate) fn small(dir: &tempfile::TempDir, layout: Layout) -> Config {
    Config::at(dir.path().join("book"))
        .layout(layout)
        .wait(WaitStrategy::SpinThenYield)
        .cores(Cores::Unpinned)
        .capacities(capacities())
        .secret([7; 16])
        .clients(8, 1024)
        .control_ring(256)
        .bet_ring(1024)
        .segment_bytes(4 << 20)
        .segments_ahead(0)
        .events(1 << 10)
        .answer_within(Duration::from_secs(60))
}

pub(crate) fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// A market of three at 2.10, 3.40 and 3.75 that takes bets.
pub(crate) fn open_market(trader: &mut Control, name: &str) -> Market {
    let market = trader.define_market(name, ["England", "Draw", "Scotland"]).expect("defined");
    trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)]).expect("priced");
    trader.open_market(&market).expect("open");
    market
}

/// An account with 1,000.00.
pub(crate) fn funded(client: &mut Client, reference: u64) -> AccountId {
    let account = client.open_account(Reference(reference), Currency::GBP).expect("opened");
    client.deposit(account, money!(1000.00), key(1)).expect("paid in");
    account
}

/// A bet of 1.00 on the first selection at whatever price.
pub(crate) fn bet(account: AccountId, market: &Market, n: u128) -> Place {
    Place::single(account, market.selection("England"), money!(1.00)).any_price().key(key(n))
}

/// Everything at once: engine, trader, client, open market, account with money.
pub(crate) struct Table {
    pub(crate) engine: Engine,
    pub(crate) trader: Control,
    pub(crate) client: Client,
    pub(crate) market: Market,
    pub(crate) account: AccountId,
}

pub(crate) fn set(config: Config) -> Table {
    let engine = Engine::open(config).expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut client = engine.client(256).expect("a seat");
    let account = funded(&mut client, 1001);
    Table { engine, trader, client, market, account }
}

impl Table {
    /// Places a bet and returns it.
    pub(crate) fn place(&mut self, n: u128) -> Bet {
        let ticket = self.client.try_submit(bet(self.account, &self.market, n)).expect("taken");
        match self.client.wait(ticket, SECOND) {
            Outcome::Accepted(bet) => bet,
            other => panic!("the bet should be accepted: {other}"),
        }
    }
}
