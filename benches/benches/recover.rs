//! How long until an engine serves again: commands decided again per second, and opening a journal of
//! ten million commands with and without a snapshot, and how much memory that takes?
//!
//! `RECOVER_COMMANDS` sets how many. The journal is written here by the logic and the journal's writer,
//! as an engine would write it: 40 markets that are priced, bet on, settled and archived again and
//! again. Two snapshots are made offline on the way, the newer when 95 in 100 are written. Every
//! opening runs in a process of its own, so that its peak of memory is its own.

use betring::journal::{DirStore, EpochInfo, Journal, Options, RecordMeta, Writer, record_bytes};
use betring::logic::command::{self, PricePolicy, ResultEntry, build, decode};
use betring::logic::event::Events;
use betring::logic::wire::{self, Header};
use betring::logic::{Admission, LOGIC_VERSION};
use betring::{
    AccountId, ActorId, AnswerKind, Capacities, Config, Cores, Currency, Engine, Epoch, FeedId,
    HouseRules, Layout, Limits, MarketId, Minor, Nanos, Price, PriceEntry, RequestKey, Rules,
    SCHEMA_HASH, SelectionIndex, SelectionOutcome, Slot, Stage, Stamp, State, Timestamp, WirePrice,
};
use betring_benches::machine::Machine;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

const ACCOUNTS: u64 = 10_000;
const MARKETS: usize = 40;
const BETS_A_MARKET: u64 = 5_000;
/// Journal time between two commands: 100,000 a second.
const EVERY: Nanos = Nanos(10_000);
const WINDOW: Nanos = Nanos::from_secs(1);
const VALID: Nanos = Nanos::from_millis(500);
/// Records of a frame: what comes in during a sync at a million a second on a slow disk.
const A_FRAME: u64 = 4_096;
/// Tells a process of this program which directory it is to open.
const OPEN: &str = "RECOVER_OPEN";

fn main() {
    if let Some(dir) = std::env::var_os(OPEN) {
        return open(Path::new(&dir));
    }
    // As a test it is small; cargo says when it is to measure.
    let testing = !std::env::args().any(|arg| arg == "--bench");
    let asked = std::env::var("RECOVER_COMMANDS").ok().and_then(|n| n.parse::<u64>().ok());
    let commands = asked.unwrap_or(if testing { 30_000 } else { 10_000_000 });
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let book = scratch.path().join("book");
    println!("{}", Machine::measure(scratch.path()));

    let began = Instant::now();
    let mut desk = Desk::new(&book, commands);
    desk.go_on_until(commands / 2);
    desk.close();
    let first = betring::snapshot(&book, false, &mut |_| {}).expect("a snapshot");
    desk.open(&book);
    desk.go_on_until(commands / 100 * 95);
    desk.close();
    let second = betring::snapshot(&book, false, &mut |_| {}).expect("a snapshot");
    desk.open(&book);
    desk.go_on_until(commands);
    desk.close();
    let took = began.elapsed().as_secs_f64();
    let (seq, digest) = (desk.state.seq(), desk.state.digest());
    println!(
        "journal of {seq} in {took:.1} s, {} bytes of records, {} bets, {} keys live, state {digest}",
        desk.bytes,
        desk.bets,
        desk.state.keys_kept()
    );
    println!("made: {first}");
    println!("made: {second}");
    drop(desk);

    // An opening begins a run, in a segment of its own, and says so in the witness: without either it was never
    // opened.
    let run = book.join(format!("seg-{:020}.jnl", seq.0 + 1));
    let witness = book.join("WITNESS");
    let before = std::fs::read(&witness).expect("the witness of the run that made it");
    let opened = |how| {
        let told = opened(&book, how);
        print!("{told}");
        assert!(told.contains(&digest.to_string()), "the same state, whatever it began with");
        std::fs::remove_file(&run).expect("the run's segment");
        std::fs::write(&witness, &before).expect("the witness as it was");
    };
    opened("with the newest snapshot");
    let lose = |seq: betring::Seq| {
        let name = betring::journal::snapshot_name(seq.0);
        std::fs::rename(book.join(&name), scratch.path().join(&name)).expect("moved away");
    };
    lose(second.seq);
    opened("with the older one, at half");
    lose(first.seq);
    opened("without a snapshot");
}

/// Opens the journal in a process of its own, and what that tells.
fn opened(book: &Path, how: &str) -> String {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).env(OPEN, book).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "it opens {how}: {said}");
    format!("{how}: {}", String::from_utf8_lossy(&output.stdout))
}

fn open(book: &Path) {
    let before = peak();
    let began = Instant::now();
    let config = Config::at(book)
        .layout(Layout::Inline)
        .cores(Cores::Unpinned)
        .capacities(capacities())
        .clients(1, 64)
        .control_ring(256)
        .bet_ring(256)
        .segments_ahead(0)
        .snapshot_at_stop(0);
    let mut checked = began.elapsed();
    // The first and the last report of the replay: records, and when.
    let mut replay: Option<[(u64, Duration); 2]> = None;
    let engine = Engine::open_with(config, HouseRules, &mut |progress| match progress.stage {
        Stage::Checking => checked = began.elapsed(),
        Stage::Replaying => {
            let now = (progress.records, began.elapsed());
            replay = Some([replay.map_or(now, |[first, _]| first), now]);
        }
    })
    .expect("it opens");
    let took = began.elapsed();
    let recovered = engine.recovered();
    let rate = match replay {
        Some([first, last]) if first.0 < last.0 => {
            let each = (last.1 - first.1).as_secs_f64();
            format!("{:.0} a second", (last.0 - first.0) as f64 / each)
        }
        _ => "too few to say how many a second".into(),
    };
    println!(
        "{:.2} s ({:.2} s of a processor), of which {:.2} s until every byte was checked; {} records \
         decided again, {rate}; peak of memory {} MiB ({before} before); state {}",
        took.as_secs_f64(),
        processor(),
        checked.as_secs_f64(),
        recovered.replayed,
        peak(),
        recovered.digest
    );
    assert!(recovered.passed_over.is_empty(), "{recovered}");
}

/// What this process had of the processor, in seconds: utime and stime of proc_pid_stat(5), in
/// hundredths. On a busy machine it says more than the clock.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, field 2, may hold spaces; it ends with the last parenthesis.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(14 - 3).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process ever had, in MiB: VmHWM of proc_pid_status(5).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn capacities() -> Capacities {
    Capacities {
        accounts: 16_384,
        markets: 64,
        selections: 256,
        bets: 1 << 19,
        keys: 1 << 18,
        feeds: 1,
        fixtures: 1,
        actors: 4,
        currencies: 1,
        quarantined: 1,
        legs: 1 << 19,
        groups: 1,
        limited: 1,
        orders: 1,
        positions: 1,
        stands: 1,
        levels: 1,
    }
}

/// Whoever writes the journal: all of the crowd in one.
struct Desk {
    state: State<HouseRules>,
    events: Events,
    writer: Option<Writer<DirStore>>,
    at: Timestamp,
    actor: ActorId,
    accounts: Vec<AccountId>,
    /// Each with how many bets it has had, and the number in its name.
    markets: Vec<(MarketId, u64)>,
    named: u64,
    requests: u128,
    dice: u64,
    bets: u64,
    bytes: u64,
}

impl Desk {
    fn new(book: &Path, commands: u64) -> Desk {
        let mut desk = Desk {
            state: State::new(HouseRules),
            events: Events::new(),
            writer: None,
            at: Timestamp(1_760_000_000_000_000_000),
            actor: ActorId(0),
            accounts: Vec::new(),
            markets: Vec::new(),
            named: 0,
            requests: 0,
            dice: 1,
            bets: 0,
            bytes: 0,
        };
        desk.open(book);
        let body = command::RegisterActor { valid_until: desk.limit(), ..Default::default() };
        let header = Header { key: desk.key(), ..Header::default() };
        let slots = build::register_actor(header, body, "bench").expect("a good name");
        desk.actor = ActorId(desk.sequence(&slots));
        for reference in 1..=ACCOUNTS.min(commands / 10) {
            let body = command::OpenAccount {
                valid_until: desk.limit(),
                reference,
                currency: Currency::GBP.numeric(),
                ..Default::default()
            };
            let header = Header { key: desk.key(), ..Header::default() };
            let account = AccountId::from_raw(desk.sequence(&[wire::slot(header, &body)]));
            let amount = Minor(100_000_000_000);
            let body = command::Deposit { valid_until: desk.limit(), amount, ..Default::default() };
            let header = Header::customer(account, desk.key());
            desk.sequence(&[wire::slot(header, &body)]);
            desk.accounts.push(account);
        }
        for _ in 0..MARKETS {
            let market = desk.market();
            desk.markets.push((market, 0));
        }
        desk
    }

    /// A run begins.
    fn open(&mut self, book: &Path) {
        let store = DirStore::create(book).expect("a directory");
        // Everything written is checked by those who are measured, not here.
        let opened =
            Journal::open_from(store, Options::default(), SCHEMA_HASH, &mut |_| {}, &mut |_, _| {
                Ok(())
            });
        let opened = opened.expect("it opens");
        let epoch = opened.next_epoch();
        let info = EpochInfo {
            epoch,
            logic_version: LOGIC_VERSION,
            rules_id: HouseRules::ID,
            rules_version: HouseRules::VERSION,
        };
        self.writer = Some(opened.begin_epoch(info).expect("a run begins"));
        if epoch == 1 {
            let genesis = command::Genesis {
                window: WINDOW,
                secret: [7; 16],
                age_bound: Nanos::from_millis(1_500),
                offer_ttl: Nanos::from_secs(2),
                price_failure: command::PriceFailure::Refuse as u8,
                rounding: command::rounding_code(betring::RoundingMode::Down),
                step_budget: 64,
                limits: Limits {
                    min_stake: Minor(1),
                    max_stake: Minor(1_000_000_000),
                    max_payout: Minor(100_000_000_000),
                    max_liability: Minor(10_000_000_000_000_000),
                    ..Limits::UNLIMITED
                },
                ..Default::default()
            };
            self.sequence(&wire::slots(Header::default(), &genesis, &[]));
        }
        let opened = command::EpochOpened {
            epoch: Epoch(epoch),
            logic_version: LOGIC_VERSION,
            rules_id: HouseRules::ID,
            rules_version: HouseRules::VERSION,
            kept_seq: self.state.seq(),
            capacities: capacities(),
            ..Default::default()
        };
        self.sequence(&wire::slots(Header::default(), &opened, &[]));
        for market in 0..self.markets.len() {
            let market = self.markets[market].0;
            self.open_market(market);
        }
    }

    fn close(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.close().expect("it ends in order");
        }
    }

    fn key(&mut self) -> RequestKey {
        self.requests += 1;
        RequestKey(self.requests)
    }

    fn limit(&self) -> Timestamp {
        self.at.plus(VALID)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.dice) * u128::from(bound)) >> 64) as u64
    }

    /// A trader's header.
    fn trader(&mut self) -> Header {
        let key = self.key();
        Header { received: self.at, ..Header::control(self.actor, key) }
    }

    /// A new market, priced and open.
    fn market(&mut self) -> MarketId {
        self.named += 1;
        let body = command::DefineMarket {
            valid_until: self.limit(),
            feed: FeedId::MANUAL,
            winners: 1,
            kind: command::MarketKind::Fixed as u8,
            ..Default::default()
        };
        let (header, name) = (self.trader(), format!("M{}", self.named));
        let slots = build::define_market(header, body, &name, &["home", "draw", "away"]);
        let market = MarketId::from_raw(self.sequence(&slots.expect("good names")));
        self.price(market);
        self.open_market(market);
        market
    }

    fn open_market(&mut self, market: MarketId) {
        let body = command::OpenMarket { valid_until: self.limit(), market, ..Default::default() };
        let header = self.trader();
        self.sequence(&[wire::slot(header, &body)]);
    }

    fn price(&mut self, market: MarketId) {
        let body = command::SetPrices { valid_until: self.limit(), market, ..Default::default() };
        let price = 20_000 + 100 * self.below(50) as u32;
        let entry = |selection| {
            let price = Price::from_e4(price + u32::from(selection) * 1_000).expect("a price");
            PriceEntry::new(SelectionIndex(selection), WirePrice::decimal(price))
        };
        let entries: Vec<PriceEntry> = (0..3).map(entry).collect();
        let header = self.trader();
        let slots = build::set_prices(header, body, &entries).expect("three prices");
        self.sequence(&slots);
    }

    fn bet(&mut self, market: MarketId) {
        let account = self.below(self.accounts.len() as u64) as usize;
        let body = command::Place {
            valid_until: self.limit(),
            market,
            stake: Minor(100 + self.below(1_000) as i64),
            price: WirePrice::decimal(Price::from_e4(15_000).expect("a price")),
            selection: SelectionIndex(self.below(3) as u16),
            policy: PricePolicy::Better as u8,
            ..Default::default()
        };
        let header = Header::customer(self.accounts[account], self.key());
        self.sequence(&[wire::slot(header, &body)]);
        self.bets += 1;
    }

    /// A market has had its bets: result, archive, and another one in its place.
    fn turn_over(&mut self, place: usize) {
        let market = self.markets[place].0;
        let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
        let body =
            command::MarketResult { valid_until: self.limit(), market, ..Default::default() };
        let header = self.trader();
        let outcomes = [win, lose, lose].into_iter().enumerate();
        let entries: Vec<ResultEntry> = outcomes
            .map(|(at, outcome)| ResultEntry::new(SelectionIndex(at as u16), outcome))
            .collect();
        let slots = build::result(header, body, &entries);
        self.sequence(&slots.expect("three outcomes"));
        self.work();
        let body =
            command::ArchiveMarket { valid_until: self.limit(), market, ..Default::default() };
        let header = self.trader();
        self.sequence(&[wire::slot(header, &body)]);
        self.work();
        self.markets[place] = (self.market(), 0);
    }

    /// Everything that is due, as an engine sequences it.
    fn work(&mut self) {
        while self.state.has_work() {
            let step = command::Step { budget: self.state.step_budget(), ..Default::default() };
            self.sequence(&[wire::slot(Header::default(), &step)]);
        }
    }

    /// Bets, and a change of prices after every tenth, until this sequence.
    fn go_on_until(&mut self, last: u64) {
        while self.state.seq().0 < last {
            let place = self.below(MARKETS as u64) as usize;
            let (market, had) = self.markets[place];
            if BETS_A_MARKET <= had {
                self.turn_over(place);
                continue;
            }
            self.bet(market);
            self.markets[place].1 += 1;
            if self.bets.is_multiple_of(10) {
                self.price(market);
            }
            self.work();
        }
    }

    /// Sequences one command and records it; the handle that it made.
    fn sequence(&mut self, slots: &[Slot]) -> u64 {
        self.at = self.at.plus(EVERY);
        let bytes = slots.as_bytes();
        let (header, command) = decode(bytes).expect("the bench's own command");
        let admitted = match self.state.admit(self.at, &header, &command, bytes) {
            Admission::Sequence(admitted) => admitted,
            Admission::Answer(reply) => panic!("the bench asks nothing twice: {reply}"),
        };
        self.events.clear();
        let stamp = Stamp { seq: self.state.seq().next(), at: self.at };
        let reply = self.state.apply(stamp, &header, &command, admitted, &mut self.events);
        let kind = reply.answer.kind();
        let good = matches!(kind, AnswerKind::Done | AnswerKind::Accepted | AnswerKind::Started);
        assert!(good, "the bench's own commands are good: {reply}");
        let writer = self.writer.as_mut().expect("a run has begun");
        let (seq, ts) = (stamp.seq.0, stamp.at.0);
        let meta = RecordMeta { kind: u16::from(bytes[0]), ver: 1, flags: 0, seq, ts };
        let payload = [bytes, self.events.as_bytes()];
        let needed = record_bytes(payload[0].len() + payload[1].len());
        if seq.is_multiple_of(A_FRAME) || writer.room() < needed {
            writer.seal_and_sync().expect("synced");
        }
        writer.append_parts(meta, &payload).expect("appended");
        self.bytes += (bytes.len() + self.events.as_bytes().len()) as u64;
        reply.answer.id
    }
}
