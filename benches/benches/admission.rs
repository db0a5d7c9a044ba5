//! How long does it take to say no at the door, for each reason there is, and what does the door cost
//! those who are let in? Far below a millisecond is asked for; the engine behind it stands still, so what is
//! measured is the caller's own thread.

use std::hint::black_box;
use std::time::{Duration, Instant};

use betring::*;
use criterion::{Criterion, criterion_group, criterion_main};
use tempfile::TempDir;

/// Attempts between two times that the engine is turned: the credit is not used up.
const CHUNK: u64 = 256;

struct Bench {
    _dir: TempDir,
    engine: Engine,
    trader: Control,
    client: Client,
    market: Market,
    account: AccountId,
    next: u128,
}

impl Bench {
    fn open(intake: Intake) -> Bench {
        let dir = tempfile::Builder::new()
            .prefix("betring-admission-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a directory of the bench's own");
        let config = Config::at(dir.path().join("book"))
            .layout(Layout::Inline)
            .capacities(Capacities {
                accounts: 4,
                markets: 64,
                selections: 256,
                bets: 1 << 16,
                keys: 1 << 20,
                feeds: 1,
                fixtures: 1,
                actors: 4,
                currencies: 1,
                quarantined: 1,
                legs: 1 << 16,
                groups: 1,
                limited: 1,
                orders: 1,
                positions: 1,
                stands: 1,
                levels: 1,
            })
            .dead_letters(0)
            .segments_ahead(0)
            .clients(4, 4096)
            .intake(intake);
        let engine = Engine::open(config).expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        let market = trader.define_market("ENG-SCO", ["England", "Draw"]).expect("defined");
        trader.set_prices(&market, [price!(2.10), price!(1.90)]).expect("priced");
        trader.open_market(&market).expect("open");
        let mut client = engine.client_at(4096, Level::AppliedOnlyMayVanish).expect("a seat");
        let account = client.open_account(Reference(1), Currency::GBP).expect("opened");
        Bench { _dir: dir, engine, trader, client, market, account, next: 1_000 }
    }

    /// Bets of an account without money: decided in a moment, and nothing is kept of them but a key.
    fn slot(&mut self) -> Slot {
        self.next += 1;
        let place = Place::single(self.account, self.market.selection("England"), money!(1.00));
        place.any_price().key(key(self.next)).slot(self.client.now())
    }

    /// Everything is decided and read.
    fn turn(&mut self) {
        self.engine.run_until_idle().expect("turns");
        let mut replies = [Reply::default(); 64];
        while 0 < self.client.poll(&mut replies) {}
    }
}

/// Times attempts that are refused, and checks that every one was, for that reason, and that none was
/// sequenced. `but` of them may have been let in.
fn refused(
    c: &mut Criterion,
    name: &str,
    bench: &mut Bench,
    slot: Slot,
    but: u64,
    count: impl Fn(&Engine) -> u64,
) {
    let (before, counted) = (bench.engine.watch().decided(), count(&bench.engine));
    let mut asked = 0;
    c.bench_function(&format!("admission/refused: {name}"), |b| {
        b.iter(|| {
            asked += 1;
            black_box(bench.client.submit_batch(black_box(&[slot])).commands)
        });
    });
    let counted = count(&bench.engine) - counted;
    assert!(counted <= asked && asked <= counted + but, "{name}: {counted} of {asked}");
    assert_eq!(bench.engine.watch().decided(), before, "{name}: none was sequenced");
}

fn busy(why: BusyWhy) -> impl Fn(&Engine) -> u64 {
    move |engine| engine.health().intake.busy[why as usize].1
}

fn refusals(c: &mut Criterion) {
    // One is in, and stays in: nobody turns the loop.
    let mut bench = Bench::open(Intake::new().market_in_flight(1));
    let slot = bench.slot();
    assert_eq!(bench.client.submit_batch(&[slot]).commands, 1);
    let slot = bench.slot();
    let of = busy(BusyWhy::InFlight);
    refused(c, "as many of the market are in flight as may be", &mut bench, slot, 0, of);

    // One a second is let in meanwhile; those are not decided either.
    let slow = Rate::new(1, 1);
    let mut bench = Bench::open(Intake::new().market(slow));
    let slot = bench.slot();
    refused(c, "the market's rate", &mut bench, slot, 120, busy(BusyWhy::Market));

    let mut bench = Bench::open(Intake::new().session(slow));
    let slot = bench.slot();
    refused(c, "the session's rate", &mut bench, slot, 120, busy(BusyWhy::Session));

    let mut bench = Bench::open(Intake::new());
    let cash_out = CashOut::new(bench.account, BetId::new(0, 1)).any_value().key(key(1));
    let slot = cash_out.slot(bench.client.now());
    bench.trader.set_shedding(Shed::On).expect("said");
    refused(c, "cash-outs are shed", &mut bench, slot, 0, busy(BusyWhy::CashOut));

    let mut bench = Bench::open(Intake::new());
    let mut slot = bench.slot();
    slot.0[116] = 9;
    let of = |engine: &Engine| engine.health().dead_letters.dropped;
    refused(c, "no command", &mut bench, slot, 0, of);
}

/// What the door costs: the same bets with it wide open and with every rule there is.
fn let_in(c: &mut Criterion) {
    let many = Rate::new(u32::MAX, 1 << 20);
    let rules = Intake::new().session(many).retries(many).market(many);
    for (name, intake) in [("by an open door", Intake::open()), ("by every rule", rules)] {
        let mut bench = Bench::open(intake);
        let before = bench.engine.health().counts.commands;
        let mut asked = 0;
        c.bench_function(&format!("admission/let in: {name}"), |b| {
            b.iter_custom(|iters| {
                let (mut took, mut left) = (Duration::ZERO, iters);
                while 0 < left {
                    let some = left.min(CHUNK);
                    let slots: Vec<Slot> = (0..some).map(|_| bench.slot()).collect();
                    let start = Instant::now();
                    for slot in &slots {
                        let done = bench.client.submit_batch(std::slice::from_ref(slot));
                        asked += black_box(done.commands) as u64;
                    }
                    took += start.elapsed();
                    bench.turn();
                    left -= some;
                }
                took
            });
        });
        let taken = bench.engine.health().counts.commands - before;
        assert_eq!(taken, asked, "{name}: whoever was let in was decided");
    }
}

criterion_group! {
    name = admission;
    config = Criterion::default().sample_size(20);
    targets = refusals, let_in
}
criterion_main!(admission);
