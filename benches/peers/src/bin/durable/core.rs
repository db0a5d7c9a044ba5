//! Our core, every reply durable: driven in its own process, and behind a unix socket.
//!
//! A request on the socket is the count of its bets as `u32`, then of each its key and its account in 16 bytes, all
//! little-endian; the answer is a byte for each, 1 if it was accepted. One thread reads all connections, sends what it has
//! read to the core and writes the answers, as a server of its own would.

use std::{
    collections::VecDeque,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use betring::{
    AccountId, AnswerKind, Capacities, Client, Config, Currency, Engine, Level, Limits, MarketId,
    Minor, Nanos, PricePolicy, Reject, Reply, RequestKey, SelectionIndex, Slot, Timestamp,
    WirePrice,
    logic::{
        command,
        wire::{self, Header},
    },
    price,
};
use betring_benches::recorder::Recorder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bets::{ACCOUNTS, Bet, Fault, PRICE_E4, STAKE, Script, Shape, Sums};

const BET_BYTES: usize = 16;
/// Bets of a request, at most.
const BATCH_MAX: usize = 64;
const CREDIT: usize = 4_096;
/// How long a request may be repeated: longer than a run.
const VALID: Nanos = Nanos::from_secs(240);

/// Accounts and deposits are answered within this, or not at all.
const DONE_MAX: Duration = Duration::from_secs(60);

/// An engine with a market, accounts and the money they have.
struct Core {
    engine: Engine,
    client: Client,
    market: MarketId,
    accounts: Vec<AccountId>,
    /// Of every bet: a retry has the limit of the first attempt.
    valid_until: Timestamp,
    syncs_before: u64,
}

impl Core {
    fn open(dir: &Path, shape: Shape) -> Result<Core, Fault> {
        let bets = u32::try_from(shape.bets())? + 10_000;
        let config = Config::at(dir)
            .clients(4, CREDIT)
            // Less to prepare for every run.
            .segment_bytes(16 << 20)
            .segments_ahead(1)
            .limits(Limits {
                min_stake: Minor(1),
                max_stake: Minor(1_000_000),
                max_payout: Minor(1_000_000_000),
                max_liability: Minor(1_000_000_000_000_000),
                ..Limits::UNLIMITED
            })
            .capacities(Capacities {
                // More than there are: the last places are not for everybody.
                accounts: 2 * ACCOUNTS,
                markets: 16,
                selections: 64,
                bets,
                // A sixteenth is never a customer's.
                keys: bets + bets / 15,
                feeds: 1,
                fixtures: 1,
                actors: 4,
                currencies: 1,
                quarantined: 1,
                legs: bets,
                groups: 1,
                limited: 1,
                orders: 1,
                positions: 1,
                stands: 1,
                levels: 1,
            });
        let engine = Engine::open(config)?;
        let mut trader = engine.control("trader")?;
        let market = trader.define_market("M1", ["home", "draw", "away"])?;
        let offered = price!(2.10);
        debug_assert_eq!(offered.e4(), PRICE_E4);
        trader.set_prices(&market, [offered; 3])?;
        trader.open_market(&market)?;
        let mut client = engine.client_at(CREDIT, Level::Durable)?;
        let (market, valid_until) = (market.id(), client.now().plus(VALID));
        let accounts = accounts(&mut client, valid_until, shape)?;
        let syncs_before = engine.health().counts.syncs;
        Ok(Core { engine, client, market, accounts, valid_until, syncs_before })
    }

    fn slot(&self, bet: &Bet) -> Result<Slot, Fault> {
        let account = self.accounts.get(bet.account as usize);
        let account = *account.ok_or_else(|| format!("there is no account {}", bet.account))?;
        let body = command::Place {
            valid_until: self.valid_until,
            market: self.market,
            stake: Minor(STAKE),
            price: WirePrice::decimal(price!(2.10)),
            selection: SelectionIndex(bet.selection()),
            policy: PricePolicy::Better as u8,
            ..Default::default()
        };
        // Keys of deposits are below those of bets.
        Ok(wire::slot(Header::customer(account, RequestKey(u128::from(bet.key) << 32)), &body))
    }

    fn send(&mut self, slots: &[Slot]) -> Result<(), Fault> {
        let sent = self.client.submit_batch(slots);
        match sent.refused {
            None => Ok(()),
            Some(why) => {
                Err(format!("{} of {} bets taken: {why}", sent.commands, slots.len()).into())
            }
        }
    }

    /// What there is now, and how many syncs there were.
    fn close(self) -> Result<(Sums, u64), Fault> {
        let syncs = self.engine.health().counts.syncs - self.syncs_before;
        let view = self.engine.view()?;
        let book = view.at_least(self.engine.durable_seq(), Duration::from_secs(60))?;
        drop(book);
        let balance = |account: &AccountId| view.account(*account).map(|account| account.balance.0);
        let balances: Option<i64> = self.accounts.iter().map(balance).sum();
        let balances = balances.ok_or("an account is gone")?;
        drop(view);
        drop(self.client);
        self.engine.shutdown()?;
        Ok((Sums { placed: 0, balances }, syncs))
    }
}

/// Accounts, each with its money: all at once, and then all deposits.
fn accounts(
    client: &mut Client,
    valid_until: Timestamp,
    shape: Shape,
) -> Result<Vec<AccountId>, Fault> {
    let key = |of: u64| RequestKey(u128::from(of));
    let open = |reference: u64| {
        let currency = Currency::GBP.numeric();
        let body = command::OpenAccount { valid_until, reference, currency, ..Default::default() };
        wire::slot(Header { key: key(reference), ..Header::default() }, &body)
    };
    let opened: Vec<Slot> = (1..=u64::from(ACCOUNTS)).map(open).collect();
    let opened = done(client, &opened)?;
    let accounts: Vec<AccountId> =
        opened.iter().map(|reply| AccountId::from_raw(reply.answer.id)).collect();
    let deposit = |(at, account): (usize, &AccountId)| {
        let amount = Minor(shape.balance());
        let body = command::Deposit { valid_until, amount, ..Default::default() };
        wire::slot(Header::customer(*account, key(at as u64 + 1)), &body)
    };
    let deposits: Vec<Slot> = accounts.iter().enumerate().map(deposit).collect();
    done(client, &deposits)?;
    Ok(accounts)
}

/// Sends commands and waits until all are done.
fn done(client: &mut Client, slots: &[Slot]) -> Result<Vec<Reply>, Fault> {
    let sent = client.submit_batch(slots);
    if let Some(why) = sent.refused {
        return Err(format!("{} of {} taken: {why}", sent.commands, slots.len()).into());
    }
    let (mut all, mut replies) = (Vec::with_capacity(slots.len()), vec![Reply::default(); CREDIT]);
    let start = Instant::now();
    while all.len() < slots.len() {
        let read = client.poll(&mut replies);
        all.extend_from_slice(&replies[..read]);
        if DONE_MAX < start.elapsed() {
            return Err(format!("{} of {} answered in {DONE_MAX:?}", all.len(), slots.len()).into());
        }
        std::thread::yield_now();
    }
    match all.iter().find(|reply| reply.answer.reject().is_some()) {
        Some(refused) => Err(refused.to_string().into()),
        None => Ok(all),
    }
}

/// Whether a bet was accepted.
fn is_accepted(reply: &Reply) -> Result<bool, Fault> {
    match (reply.answer.kind(), reply.answer.reject()) {
        (AnswerKind::Accepted, _) => Ok(true),
        (_, Some(Reject::FundsInsufficient)) => Ok(false),
        _ => Err(format!("neither accepted nor without money: {reply}").into()),
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) took: Duration,
    pub(crate) latency: Recorder,
    /// As the scripts say, and as the system does.
    pub(crate) expected: Sums,
    pub(crate) found: Sums,
    /// Where the system counts them.
    pub(crate) syncs: Option<u64>,
}

/// All connections are loops of one thread, as where a core is embedded.
pub(crate) fn in_process(dir: &Path, shape: Shape) -> Result<Ran, Fault> {
    let mut core = Core::open(dir, shape)?;
    let mut scripts: Vec<Script> = (0..shape.connections).map(|n| Script::new(shape, n)).collect();
    let mut latency = Recorder::new();
    // Requests on their way, in the order of sending: whose, and since when.
    let mut waiting: VecDeque<(usize, Instant)> = VecDeque::new();
    let mut replies = vec![Reply::default(); CREDIT];
    let mut answers: VecDeque<bool> = VecDeque::new();
    let mut slots = Vec::with_capacity(shape.batch);
    let mut ready: Vec<usize> = (0..scripts.len()).collect();
    let start = Instant::now();
    loop {
        for whose in ready.drain(..) {
            let since = Instant::now();
            let Some(bets) = scripts[whose].next() else { continue };
            slots.clear();
            for bet in bets {
                slots.push(core.slot(bet)?);
            }
            core.send(&slots)?;
            waiting.push_back((whose, since));
        }
        if waiting.is_empty() {
            break;
        }
        let read = core.client.poll(&mut replies);
        for reply in &replies[..read] {
            answers.push_back(is_accepted(reply)?);
        }
        while shape.batch <= answers.len() {
            let (whose, since) = waiting.pop_front().ok_or("a reply to nothing")?;
            let batch: Vec<bool> = answers.drain(..shape.batch).collect();
            latency.record(since.elapsed().as_nanos() as i64);
            scripts[whose].answered(&batch)?;
            ready.push(whose);
        }
        if read == 0 {
            std::thread::yield_now();
        }
    }
    let took = start.elapsed();
    let expected = scripts.iter().fold(Sums::default(), |sums, script| sums.add(script.sums()));
    let (mut found, syncs) = core.close()?;
    // What was accepted was checked reply by reply.
    found.placed = expected.placed;
    Ok(Ran { took, latency, expected, found, syncs: Some(syncs) })
}

/// A server in a process of its own.
pub(crate) struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(dir: &Path, socket: &Path, shape: Shape) -> Result<Server, Fault> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args([dir, socket])
            .args([shape.connections.to_string(), shape.batch.to_string()])
            .arg(shape.requests.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no pipe to the server")?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no pipe from the server")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        match line.trim() {
            "ready" => Ok(Server { child, stdin, stdout }),
            other => Err(format!("the server said `{other}`, not ready").into()),
        }
    }

    /// Balances, and how many syncs there were.
    pub(crate) fn stop(mut self) -> Result<(i64, u64), Fault> {
        drop(self.stdin);
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        self.child.wait()?;
        let mut words = line.split_whitespace();
        let mut word = || words.next().ok_or_else(|| format!("the server ended with `{line}`"));
        Ok((word()?.parse()?, word()?.parse()?))
    }
}

/// A connection to the server.
pub(crate) struct Wire(UnixStream, Vec<u8>);

impl Wire {
    pub(crate) fn connect(socket: &Path) -> Result<Wire, Fault> {
        Ok(Wire(UnixStream::connect(socket)?, Vec::new()))
    }

    pub(crate) fn place(&mut self, bets: &[Bet]) -> Result<Vec<bool>, Fault> {
        let Wire(stream, bytes) = self;
        bytes.clear();
        bytes.extend_from_slice(&(bets.len() as u32).to_le_bytes());
        for bet in bets {
            bytes.extend_from_slice(&bet.key.to_le_bytes());
            bytes.extend_from_slice(&u64::from(bet.account).to_le_bytes());
        }
        stream.write_all(bytes)?;
        bytes.resize(bets.len(), 0);
        stream.read_exact(bytes)?;
        Ok(bytes.iter().map(|byte| *byte == 1).collect())
    }
}

/// A connection as the server has it.
struct Peer {
    /// None once it is closed.
    stream: Option<UnixStream>,
    /// Read, and not yet a whole request.
    read: Vec<u8>,
    /// Answers to the request on its way, and how many it wants.
    answers: Vec<u8>,
    wants: usize,
}

impl Peer {
    /// A whole request, if it is there.
    fn request(&mut self) -> Result<Option<Vec<Bet>>, Fault> {
        let Some((count, bets)) = self.read.split_at_checked(4) else { return Ok(None) };
        let count = u32::from_le_bytes(count.try_into()?) as usize;
        if count == 0 || BATCH_MAX < count {
            return Err(format!("a request of {count} bets: send 1 to {BATCH_MAX}").into());
        }
        let Some(bets) = bets.get(..count * BET_BYTES) else { return Ok(None) };
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let bet = |bytes: &[u8]| Bet { key: word(&bytes[..8]), account: word(&bytes[8..]) as u32 };
        let bets = bets.chunks_exact(BET_BYTES).map(bet).collect();
        self.read.drain(..4 + count * BET_BYTES);
        Ok(Some(bets))
    }
}

/// Serves until standard input ends.
pub(crate) fn serve(dir: &Path, socket: &Path, shape: Shape) -> Result<(), Fault> {
    let mut core = Core::open(dir, shape)?;
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    println!("ready");
    let stdin = io::stdin();
    let mut peers: Vec<Peer> = Vec::new();
    // Whose bet each reply to come is of.
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let mut replies = vec![Reply::default(); CREDIT];
    let mut slots = Vec::with_capacity(BATCH_MAX);
    let mut buffer = [0; 4 + BATCH_MAX * BET_BYTES];
    loop {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Who waits for the core does not sleep; who waits for requests does.
        let timeout = if waiting.is_empty() { None } else { Some(&now) };
        let mut fds =
            vec![PollFd::new(&stdin, PollFlags::IN), PollFd::new(&listener, PollFlags::IN)];
        let mut open = Vec::with_capacity(peers.len());
        for (whose, peer) in peers.iter().enumerate() {
            if let Some(stream) = &peer.stream {
                open.push(whose);
                fds.push(PollFd::new(stream, PollFlags::IN));
            }
        }
        poll(&mut fds, timeout)?;
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if ready[0] {
            break;
        }
        for (whose, _) in open.into_iter().zip(&ready[2..]).filter(|(_, ready)| **ready) {
            let peer = &mut peers[whose];
            let Some(stream) = &mut peer.stream else { continue };
            match stream.read(&mut buffer) {
                Ok(0) => peer.stream = None,
                Ok(read) => peer.read.extend_from_slice(&buffer[..read]),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => (),
                Err(why) => return Err(why.into()),
            }
            while let Some(bets) = peer.request()? {
                slots.clear();
                for bet in &bets {
                    slots.push(core.slot(bet)?);
                }
                core.send(&slots)?;
                peer.wants += bets.len();
                waiting.extend(std::iter::repeat_n(whose, bets.len()));
            }
        }
        if ready[1] {
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            let stream = Some(stream);
            peers.push(Peer { stream, read: Vec::new(), answers: Vec::new(), wants: 0 });
        }
        let read = core.client.poll(&mut replies);
        for reply in &replies[..read] {
            let whose = waiting.pop_front().ok_or("a reply to nothing")?;
            let peer = &mut peers[whose];
            peer.answers.push(u8::from(is_accepted(reply)?));
            if peer.answers.len() == peer.wants {
                // At most 64 bytes, to who waits for them: the socket has room.
                if let Some(stream) = &mut peer.stream {
                    stream.write_all(&peer.answers)?;
                }
                peer.answers.clear();
                peer.wants = 0;
            }
        }
        if read == 0 && !waiting.is_empty() {
            std::thread::yield_now();
        }
    }
    let (sums, syncs) = core.close()?;
    println!("{} {syncs}", sums.balances);
    fs::remove_file(socket)?;
    Ok(())
}
