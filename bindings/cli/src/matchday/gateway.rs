//! The customers' side: sends what is due without waiting, reads the replies, times both.

use crate::acks::{Ack, AckLevel};
use crate::error::CliError;
use crate::matchday::acts::SECOND_NS;
use crate::matchday::scan::real;
use crate::matchday::tally::{Moments, Purpose, Story, Tally};
use crate::matchday::time::DayTime;
use betring::logic::command::{self, PricePolicy};
use betring::logic::wire::{self, Body, Header, Minor, WirePrice};
use betring::{
    AccountId, AnswerKind, BetId, CashOut, Client, Leg, Level, MarketId, Money, NotTaken, Place,
    PlaceTicket, Reject, Reply, RequestKey, Selection, SelectionIndex, SetAutoCashOut,
    Slip as Combined, Slot, Timestamp, Token, Watch,
};
use betring_fuzz::workload::{Ask, Slip};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Commands in one submission: a turn of the loop takes as many.
const BATCH: usize = 64;
/// How long a customer's request may still execute.
const VALID: i64 = 30 * SECOND_NS as i64;
/// How long a customer thinks about an offer, on the day's own clock: offers end on it, too.
const THINKS: i64 = 400_000_000;
/// After so many accepted bets somebody makes a ticket of one, and after so many somebody sells one.
const TICKET_EVERY: u64 = 20;
const SALE_EVERY: u64 = 25;
/// And after so many a customer of the wallet does the same.
const WALLET_EVERY: u64 = 30;
/// The stake of each line of a ticket.
const LINE_STAKE: Money = betring::money!(0.20);
/// Looks at the engine's cursors that are remembered, to tell when a sequence was reached.
const LOOKS: usize = 8_192;
/// How long the last replies may take: longer than any time limit of the engine's own.
const DRAIN: Duration = Duration::from_secs(20);

/// Handles of what the day's places stand for.
pub(crate) struct Names {
    pub(crate) accounts: Vec<AccountId>,
    markets: Vec<AtomicU64>,
    /// Races beside the day's own markets, for bets of several legs.
    races: OnceLock<Vec<MarketId>>,
    /// Accounts whose money is in an external wallet.
    wallets: OnceLock<Vec<AccountId>>,
}

impl Names {
    /// Room for so many markets.
    pub(crate) fn new(accounts: Vec<AccountId>, markets: usize) -> Names {
        let markets = (0..markets).map(|_| AtomicU64::new(0)).collect();
        Names { accounts, markets, races: OnceLock::new(), wallets: OnceLock::new() }
    }

    /// The races have got their handles.
    pub(crate) fn set_races(&self, races: Vec<MarketId>) {
        // Once a day; a second time would be the same races.
        let _ = self.races.set(races);
    }

    /// The wallet's customers have their accounts.
    pub(crate) fn set_wallets(&self, wallets: Vec<AccountId>) {
        // Once a day; a second time would be the same accounts.
        let _ = self.wallets.set(wallets);
    }

    fn wallet(&self, number: u64) -> Option<AccountId> {
        let wallets = self.wallets.get().filter(|wallets| !wallets.is_empty())?;
        wallets.get(usize::try_from(number).unwrap_or(0) % wallets.len()).copied()
    }

    fn races(&self) -> &[MarketId] {
        self.races.get().map_or(&[], Vec::as_slice)
    }

    /// A market has got its handle; beyond the room there is none.
    pub(crate) fn set_market(&self, place: usize, market: MarketId) {
        if let Some(slot) = self.markets.get(place) {
            slot.store(market.raw(), Ordering::Release);
        }
    }

    /// The handle, or one of nothing.
    pub(crate) fn market(&self, place: usize) -> MarketId {
        let raw = self.markets.get(place).map_or(0, |slot| slot.load(Ordering::Acquire));
        MarketId::from_raw(raw)
    }

    fn account(&self, place: usize) -> AccountId {
        self.accounts.get(place).copied().unwrap_or(AccountId::NONE)
    }
}

/// A request that is due, and when, in nanoseconds of the day.
pub(crate) struct Due {
    pub(crate) at_ns: u64,
    pub(crate) phase: usize,
    pub(crate) ask: Ask,
}

/// What the terminal shows while the day goes on.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) asked: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Keys of one run: the run's epoch, what the key is for, and a number.
#[derive(Clone, Copy)]
pub(crate) struct Keys(pub(crate) u128);

impl Keys {
    pub(crate) const REQUEST: u128 = 1;
    pub(crate) const OFFER: u128 = 2;
    pub(crate) const ACCOUNT: u128 = 3;
    pub(crate) const DEPOSIT: u128 = 4;
    pub(crate) const RESULT: u128 = 5;
    pub(crate) const TICKET: u128 = 6;
    pub(crate) const SALE: u128 = 7;
    pub(crate) const AUTO: u128 = 8;
    pub(crate) const CORRECTION: u128 = 9;
    pub(crate) const PROBE: u128 = 10;
    pub(crate) const WALLET: u128 = 11;
    pub(crate) const WALLET_ANSWER: u128 = 12;
    pub(crate) const LADDER: u128 = 13;
    pub(crate) const MODELLED: u128 = 14;

    pub(crate) fn of_epoch(epoch: betring::Epoch) -> Keys {
        Keys(u128::from(epoch.0) << 96)
    }

    pub(crate) fn key(self, purpose: u128, number: u64) -> RequestKey {
        RequestKey(self.0 | purpose << 64 | u128::from(number))
    }
}

/// How a bet is going to be sold.
#[derive(Clone, Copy)]
enum How {
    /// All of it.
    Now,
    /// So much of its stake.
    Half(Money),
    /// By itself, at a value.
    At(Money),
}

/// An attempt that waits for its reply, or to be sent.
#[derive(Clone, Copy)]
struct Attempt {
    token: Token,
    t0: i64,
    t1: i64,
    phase: usize,
    purpose: Purpose,
    slip: Option<Slip>,
}

/// How far the engine was when the gateway looked.
#[derive(Clone, Copy)]
struct Look {
    at_ns: i64,
    reached: [u64; 3],
}

/// Writes down what was sent and what was answered, so that it survives a kill.
pub(crate) struct Diary {
    acks: File,
    acks_path: PathBuf,
    sent: File,
    sent_path: PathBuf,
    level: AckLevel,
    lines: String,
}

impl Diary {
    /// Goes on in `path`, and in a file beside it that says what was sent.
    pub(crate) fn open(path: &Path, level: Level) -> Result<Diary, CliError> {
        let append = |path: &Path| {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|e| CliError::write("cannot write acknowledgements", path, &e))
        };
        let sent_path = sent_path(path);
        Ok(Diary {
            acks: append(path)?,
            acks_path: path.to_owned(),
            sent: append(&sent_path)?,
            sent_path,
            level: ack_level(level),
            lines: String::new(),
        })
    }

    /// Before anything of it is submitted: what is not in here, nobody has asked.
    fn sent(&mut self, slots: &[Slot]) -> Result<(), CliError> {
        self.lines.clear();
        let mut rest = slots;
        while let Some(slot) = rest.first() {
            // A ticket's legs stand behind its first slot.
            rest = rest.get(slot.slots().max(1)..).unwrap_or_default();
            let header = slot.header();
            let valid_until = valid_until(slot);
            let _ = std::fmt::Write::write_fmt(
                &mut self.lines,
                format_args!("{} {:x} {}\n", header.account, header.key.0, valid_until.0),
            );
        }
        self.sent
            .write_all(self.lines.as_bytes())
            .map_err(|e| CliError::io("cannot write what was sent", &self.sent_path, &e))
    }

    fn answered(&mut self, replies: &[Reply]) -> Result<(), CliError> {
        self.lines.clear();
        for reply in replies {
            self.lines.push_str(&Ack::of(reply, self.level).to_line());
            self.lines.push('\n');
        }
        self.acks
            .write_all(self.lines.as_bytes())
            .map_err(|e| CliError::io("cannot write acknowledgements", &self.acks_path, &e))
    }
}

/// The file beside the acknowledgements that says what was sent.
pub(crate) fn sent_path(acks: &Path) -> PathBuf {
    let mut name = acks.as_os_str().to_owned();
    name.push(".sent");
    PathBuf::from(name)
}

pub(crate) fn ack_level(level: Level) -> AckLevel {
    match level {
        Level::Durable => AckLevel::Durable,
        Level::ProcessCrashOnly => AckLevel::Process,
        Level::AppliedOnlyMayVanish => AckLevel::Applied,
    }
}

/// The time limit of a command: the first field of every body.
fn valid_until(slot: &Slot) -> Timestamp {
    let bytes = slot.0[wire::HEADER..wire::HEADER + 8].try_into().unwrap_or_default();
    Timestamp(i64::from_le_bytes(bytes))
}

/// What both sides of a day share.
#[derive(Clone)]
pub(crate) struct Day {
    pub(crate) time: DayTime,
    pub(crate) names: Arc<Names>,
    pub(crate) live: Arc<Live>,
    pub(crate) keys: Keys,
}

/// The customers of a day.
pub(crate) struct Gateway {
    client: Client,
    watch: Watch,
    time: DayTime,
    names: Arc<Names>,
    live: Arc<Live>,
    keys: Keys,
    diary: Option<Diary>,
    pub(crate) tally: Tally,
    slots: Vec<Slot>,
    batch: Vec<Attempt>,
    waiting: VecDeque<Attempt>,
    /// Offers that somebody thinks about: when it is decided, and how.
    thinking: VecDeque<(i64, usize, AccountId, BetId, bool)>,
    /// Bets that somebody is going to sell: when, and how.
    selling: VecDeque<(i64, usize, AccountId, BetId, How)>,
    /// Tickets that are placed with the next submission: after which bet, in which part of the day.
    tickets: VecDeque<(usize, Slip)>,
    /// Bets that customers of the wallet place with the next submission.
    held: VecDeque<(usize, Slip)>,
    singles: u64,
    looks: VecDeque<Look>,
    replies: Vec<Reply>,
    late: u64,
    /// Why nothing is taken any more.
    pub(crate) stopped: Option<String>,
}

impl Gateway {
    pub(crate) fn new(
        client: Client,
        watch: Watch,
        day: Day,
        diary: Option<Diary>,
        tally: Tally,
    ) -> Gateway {
        let Day { time, names, live, keys } = day;
        Gateway {
            client,
            watch,
            time,
            names,
            live,
            keys,
            diary,
            tally,
            slots: Vec::with_capacity(BATCH),
            batch: Vec::with_capacity(BATCH),
            waiting: VecDeque::new(),
            thinking: VecDeque::new(),
            selling: VecDeque::new(),
            tickets: VecDeque::new(),
            held: VecDeque::new(),
            singles: 0,
            looks: VecDeque::with_capacity(LOOKS),
            replies: vec![Reply::default(); 256],
            late: 0,
            stopped: None,
        }
    }

    /// Plays everything that comes through `due`, in chunks, until its sender is gone and all is
    /// answered.
    pub(crate) fn run(
        mut self,
        due: &std::sync::mpsc::Receiver<Vec<Due>>,
    ) -> Result<Gateway, CliError> {
        let mut queue: VecDeque<Due> = VecDeque::new();
        let mut is_open = true;
        let mut drained_by: Option<Instant> = None;
        loop {
            while is_open && queue.len() < BATCH {
                match due.try_recv() {
                    Ok(chunk) => queue.extend(chunk),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => is_open = false,
                }
            }
            let now = self.time.now_ns();
            let mut sent = self.decide_offers(now)? + self.sell_and_combine(now);
            while let Some(next) = queue.front()
                && next.at_ns as i64 <= now
                && self.slots.len() < BATCH
            {
                if let Some(next) = queue.pop_front() {
                    self.add(next.at_ns as i64, next.phase, next.ask);
                    sent += 1;
                }
            }
            self.submit()?;
            let read = self.read()?;
            if self.stopped.is_some() {
                return Ok(self);
            }
            if 0 < sent + read {
                continue;
            }
            let nothing_left = !is_open
                && queue.is_empty()
                && self.thinking.is_empty()
                && self.selling.is_empty()
                && self.tickets.is_empty()
                && self.held.is_empty();
            if nothing_left {
                let until = *drained_by.get_or_insert_with(|| Instant::now() + DRAIN);
                if self.waiting.is_empty() || until <= Instant::now() {
                    return Ok(self);
                }
            }
            self.rest(queue.front().map(|next| next.at_ns as i64), now);
        }
    }

    /// Nothing to do right now: gives the core to whoever has.
    fn rest(&self, next: Option<i64>, now: i64) {
        const SHORT: i64 = 200_000;
        const NAP: Duration = Duration::from_micros(100);
        let due_in = real(next.unwrap_or(i64::MAX).saturating_sub(now), self.time.speed());
        if self.waiting.is_empty() && SHORT < due_in {
            std::thread::sleep(NAP);
        } else {
            std::thread::yield_now();
        }
    }

    /// Adds a request that is due to the next submission.
    pub(crate) fn add(&mut self, t0: i64, phase: usize, ask: Ask) {
        let (slot, purpose, slip) = match ask {
            Ask::Place(slip) => {
                (self.place(&slip, 0), Purpose::Bet { market: slip.market }, Some(slip))
            }
            Ask::Retry(slip) | Ask::Reused(slip) => {
                (self.place(&slip, Header::RETRY), Purpose::Again, None)
            }
            Ask::LateCopy(slip) => (self.place(&slip, 0), Purpose::Again, None),
            Ask::Resolve(slip) => {
                let body = command::Resolve {
                    valid_until: self.limit(slip.made_ns),
                    ..Default::default()
                };
                (self.customer(slip.account, slip.request, 0, &body), Purpose::Question, None)
            }
            Ask::Deposit { request, account, amount, made_ns } => {
                let valid_until = self.limit(made_ns);
                let amount = amount.into();
                let body = command::Deposit { valid_until, amount, ..Default::default() };
                (self.customer(account, request, 0, &body), Purpose::Money, None)
            }
            Ask::Withdraw { request, account, amount, made_ns } => {
                let valid_until = self.limit(made_ns);
                let amount = amount.into();
                let body = command::Withdraw { valid_until, amount, ..Default::default() };
                (self.customer(account, request, 0, &body), Purpose::Money, None)
            }
        };
        self.push(slot, Attempt { token: Token(0), t0, t1: t0, phase, purpose, slip });
    }

    fn push(&mut self, slot: Slot, attempt: Attempt) {
        self.push_all(&[slot], attempt);
    }

    /// One command, in as many slots as it has.
    fn push_all(&mut self, slots: &[Slot], attempt: Attempt) {
        let t0 = real(attempt.t0, self.time.speed());
        self.tally.asked(attempt.phase, attempt.purpose, t0);
        self.slots.extend_from_slice(slots);
        self.batch.push(attempt);
    }

    /// Bets that are due to be sold are, and tickets that somebody thought of are placed.
    fn sell_and_combine(&mut self, now: i64) -> usize {
        let mut sent = 0;
        while let Some((at, phase, account, bet, how)) = self.selling.front().copied()
            && at <= now
            && self.slots.len() < BATCH
        {
            self.selling.pop_front();
            let valid_until = self.time.at(at.saturating_add(VALID));
            let slot = match how {
                How::Now => CashOut::new(account, bet)
                    .any_value()
                    .key(self.keys.key(Keys::SALE, bet.raw()))
                    .valid_until(valid_until)
                    .slot(valid_until),
                How::Half(stake) => CashOut::new(account, bet)
                    .part(stake)
                    .any_value()
                    .key(self.keys.key(Keys::SALE, bet.raw()))
                    .valid_until(valid_until)
                    .slot(valid_until),
                How::At(value) => SetAutoCashOut::new(account, bet, value)
                    .key(self.keys.key(Keys::AUTO, bet.raw()))
                    .valid_until(valid_until)
                    .slot(valid_until),
            };
            let purpose = if let How::At(_) = how { Purpose::Question } else { Purpose::Sale };
            let attempt = Attempt { token: Token(0), t0: at, t1: at, phase, purpose, slip: None };
            self.push(slot, attempt);
            sent += 1;
        }
        while self.slots.len() < BATCH
            && let Some((phase, slip)) = self.tickets.pop_front()
        {
            let valid_until = self.time.at(now.saturating_add(VALID));
            let Some(ticket) = self.ticket(&slip) else { continue };
            let key = self.keys.key(Keys::TICKET, slip.request);
            let ticket = ticket.key(key).valid_until(valid_until);
            // What cannot be written down was not thought through; none of these is.
            let Ok(slots) = ticket.slots(valid_until) else { continue };
            let purpose = Purpose::Ticket;
            let attempt = Attempt { token: Token(0), t0: now, t1: now, phase, purpose, slip: None };
            self.push_all(&slots, attempt);
            sent += 1;
        }
        while self.slots.len() < BATCH
            && let Some((phase, slip)) = self.held.pop_front()
        {
            let Some(account) = self.names.wallet(slip.request) else { continue };
            let (market, index) = (self.names.market(slip.market), SelectionIndex(slip.selection));
            let slot = Place::single(account, Selection { market, index }, LINE_STAKE)
                .any_price()
                .key(self.keys.key(Keys::WALLET, slip.request))
                .valid_until(self.time.at(now.saturating_add(VALID)))
                .slot(self.time.at(now));
            let purpose = Purpose::Held;
            let attempt = Attempt { token: Token(0), t0: now, t1: now, phase, purpose, slip: None };
            self.push(slot, attempt);
            sent += 1;
        }
        sent
    }

    /// A ticket of a bet's selection with the favourites of the races.
    fn ticket(&self, slip: &Slip) -> Option<PlaceTicket> {
        let races = self.names.races();
        let [one, two, three] = races else { return None };
        let favourite = |market: &MarketId| {
            let (market, index) = (*market, SelectionIndex(0));
            Leg::on(Selection { market, index })
        };
        let (market, index) = (self.names.market(slip.market), SelectionIndex(slip.selection));
        let own = Leg::on(Selection { market, index }).seen_at(slip.price);
        let legs = [own, favourite(one), favourite(two), favourite(three)];
        let combined = match slip.request / TICKET_EVERY % 7 {
            0 => Combined::double([legs[0], legs[1]]),
            1 => Combined::treble([legs[0], legs[1], legs[2]]),
            2 => Combined::lucky15(legs),
            3 => Combined::acca(legs),
            4 => Combined::system(&[2, 3], legs).banker(0),
            5 => Combined::yankee(legs),
            _ => Combined::patent([legs[1], legs[2], legs[3]]),
        };
        let account = self.names.account(slip.account);
        // Races are each way, matches are not.
        let each_way = combined.legs() == &legs[1..];
        let ticket = Place::ticket(account, combined, LINE_STAKE).per_line().any_price();
        Some(if each_way { ticket.each_way() } else { ticket })
    }

    fn limit(&self, made_ns: u64) -> Timestamp {
        self.time.at(i64::try_from(made_ns).unwrap_or(i64::MAX).saturating_add(VALID))
    }

    fn customer<B: Body>(&self, account: usize, request: u64, flags: u16, body: &B) -> Slot {
        let key = self.keys.key(Keys::REQUEST, request);
        let header = Header { flags, ..Header::customer(self.names.account(account), key) };
        wire::slot(header, body)
    }

    fn place(&self, slip: &Slip, flags: u16) -> Slot {
        let body = command::Place {
            valid_until: self.limit(slip.made_ns),
            market: self.names.market(slip.market),
            stake: Minor::from(slip.stake),
            price: WirePrice::decimal(slip.price),
            selection: SelectionIndex(slip.selection),
            slippage: slip.slippage,
            policy: slip.policy as u8,
            ..Default::default()
        };
        self.customer(slip.account, slip.request, flags, &body)
    }

    /// Offers that were thought about long enough are taken or declined.
    fn decide_offers(&mut self, now: i64) -> Result<usize, CliError> {
        let mut decided = 0;
        while let Some((at, phase, account, bet, takes)) = self.thinking.front().copied()
            && at <= now
            && self.slots.len() < BATCH
        {
            self.thinking.pop_front();
            let key = self.keys.key(Keys::OFFER, bet.raw());
            let valid_until = self.time.at(at.saturating_add(VALID));
            let header = Header::customer(account, key);
            let slot = if takes {
                wire::slot(header, &command::AcceptOffer { valid_until, bet, ..Default::default() })
            } else {
                wire::slot(
                    header,
                    &command::DeclineOffer { valid_until, bet, ..Default::default() },
                )
            };
            let purpose = Purpose::Offer;
            self.push(
                slot,
                Attempt { token: Token(0), t0: at, t1: at, phase, purpose, slip: None },
            );
            decided += 1;
        }
        Ok(decided)
    }

    /// Submits what was added.
    pub(crate) fn submit(&mut self) -> Result<(), CliError> {
        if self.slots.is_empty() {
            return Ok(());
        }
        if let Some(diary) = &mut self.diary {
            diary.sent(&self.slots)?;
        }
        self.live.asked.fetch_add(self.batch.len() as u64, Ordering::Relaxed);
        // Slots, and the commands that they are.
        let (mut from, mut at) = (0, 0);
        while from < self.slots.len() {
            let submitted = self.client.submit_batch(&self.slots[from..]);
            let t1 = self.time.now_ns();
            const LATE: i64 = 1_000_000;
            let is_late = |attempt: &&Attempt| LATE < real(t1 - attempt.t0, self.time.speed());
            let taken = self.batch[at..].iter().take(submitted.commands);
            self.late += taken.filter(is_late).count() as u64;
            for (attempt, token) in
                self.batch[at..].iter().zip(submitted.first.0..).take(submitted.commands)
            {
                self.waiting.push_back(Attempt { token: Token(token), t1, ..*attempt });
            }
            from += submitted.slots;
            at += submitted.commands;
            let Some(refused) = submitted.refused else { continue };
            // The first that was not taken is refused for good; those behind it have their own try.
            if let Some(attempt) = self.batch.get(at) {
                match refused {
                    NotTaken::Poisoned | NotTaken::Closed => {
                        self.stopped = Some(refused.to_string());
                        break;
                    }
                    _ => {
                        let reject = refused.reject().unwrap_or(Reject::Overloaded);
                        let t0 = real(attempt.t0, self.time.speed());
                        self.tally.refused_at_once(attempt.phase, reject, t0);
                        self.live.refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            from += self.slots.get(from).map_or(1, |slot| slot.slots().max(1));
            at += 1;
            self.read()?;
        }
        self.slots.clear();
        self.batch.clear();
        Ok(())
    }

    /// Looks how far the engine is, and reads the replies that are there.
    pub(crate) fn read(&mut self) -> Result<usize, CliError> {
        let mut replies = std::mem::take(&mut self.replies);
        let mut all = 0;
        loop {
            self.look();
            let read = self.client.poll(&mut replies);
            let t6 = self.time.now_ns();
            for reply in &replies[..read] {
                self.answered(reply, t6);
            }
            if let Some(diary) = &mut self.diary
                && 0 < read
            {
                diary.answered(&replies[..read])?;
            }
            all += read;
            if read < replies.len() {
                break;
            }
        }
        self.replies = replies;
        Ok(all)
    }

    fn look(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let reached = [self.watch.decided().0, self.watch.process().0, self.watch.durable().0];
        if self.looks.back().is_some_and(|last| last.reached == reached) {
            return;
        }
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(Look { at_ns: self.time.now_ns(), reached });
    }

    /// When each cursor was first seen to have reached a sequence.
    fn seen(&self, seq: u64) -> [Option<i64>; 3] {
        std::array::from_fn(|level| {
            let before = self.looks.partition_point(|look| look.reached[level] < seq);
            // Before all looks that are remembered, nobody knows when.
            let look = self.looks.get(before).filter(|_| 0 < before)?;
            Some(look.at_ns)
        })
    }

    fn answered(&mut self, reply: &Reply, t6: i64) {
        self.live.answered.fetch_add(1, Ordering::Relaxed);
        let Some(attempt) = self.waiting.pop_front() else {
            self.tally.misplaced += 1;
            return;
        };
        if attempt.token != reply.token {
            // Replies come in the order of submission: one that does not is a defect.
            self.tally.misplaced += 1;
            return;
        }
        let speed = self.time.speed();
        let t = |ns: i64| real(ns, speed);
        let moments = Moments {
            t0: t(attempt.t0),
            t1: t(attempt.t1),
            t2: t(self.time.since(reply.stamped)),
            seen: self.seen(reply.as_of.0).map(|at| at.map(t)),
            t6: t(t6),
        };
        let first = !reply.is_duplicate();
        let counter = match reply.answer.kind() {
            AnswerKind::Accepted if first => Some(&self.live.accepted),
            AnswerKind::Refused if first => Some(&self.live.refused),
            _ => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let bet = BetId::from_raw(reply.answer.id);
        match reply.answer.kind() {
            AnswerKind::Offered if first => {
                let dice = reply.key.0 % 10;
                let account = AccountId::from_raw(reply.account);
                if dice < 9 && self.thinking.len() < LOOKS {
                    let think = t6.saturating_add(THINKS);
                    self.thinking.push_back((think, attempt.phase, account, bet, dice < 7));
                }
            }
            AnswerKind::Accepted if first => {
                if attempt.purpose != Purpose::Ticket {
                    self.consider(&attempt, reply, bet, moments);
                }
                self.go_on(&attempt, reply, bet, t6);
            }
            _ => (),
        }
        let timed = self.time.is_timed();
        self.tally.answered(attempt.phase, attempt.purpose, reply, moments, timed);
    }

    /// Some customers combine a bet with others, some are going to sell it.
    fn go_on(&mut self, attempt: &Attempt, reply: &Reply, bet: BetId, t6: i64) {
        let Some(slip) = attempt.slip.filter(|_| !self.names.races().is_empty()) else { return };
        self.singles += 1;
        if self.tickets.len() < LOOKS && self.singles.is_multiple_of(TICKET_EVERY) {
            let number = self.singles;
            self.tickets.push_back((attempt.phase, Slip { request: number, ..slip }));
        }
        if self.held.len() < LOOKS && self.singles.is_multiple_of(WALLET_EVERY) {
            let number = self.singles;
            self.held.push_back((attempt.phase, Slip { request: number, ..slip }));
        }
        if self.selling.len() < LOOKS && self.singles % SALE_EVERY == 1 {
            let account = AccountId::from_raw(reply.account);
            let stake = reply.answer.stake;
            let how = match self.singles / SALE_EVERY % 3 {
                0 => How::Now,
                1 => Minor(stake.0 / 2).money().filter(|_| 1 < stake.0).map_or(How::Now, How::Half),
                _ => Minor(stake.0 + stake.0 / 50).money().map_or(How::Now, How::At),
            };
            let at = t6.saturating_add(THINKS / 2);
            self.selling.push_back((at, attempt.phase, account, bet, how));
        }
    }

    /// The best bet for the story: one whose price had moved, and on which not all went at once.
    fn consider(&mut self, attempt: &Attempt, reply: &Reply, bet: BetId, moments: Moments) {
        let moved = attempt.slip.is_some_and(|slip| {
            let (now, seen) = (reply.answer.price.e4, slip.price.e4());
            slip.policy == PricePolicy::Within && now < seen
                || slip.policy == PricePolicy::Better && seen < now
        });
        if self.tally.story.is_none() || moved && !self.tally.story.is_some_and(|story| story.moved)
        {
            self.tally.story = Some(Story { bet, moments, moved });
        }
    }

    /// Attempts whose replies have not come.
    pub(crate) fn unanswered(&self) -> usize {
        self.waiting.len()
    }

    /// When the next offer is decided; none while nobody thinks about one.
    pub(crate) fn thinks_until(&self) -> Option<i64> {
        let selling = self.selling.front().map(|(at, ..)| *at);
        self.thinking.front().map(|(at, ..)| *at).into_iter().chain(selling).min()
    }

    /// In inline mode: decides what is due at `now`, and submits it.
    pub(crate) fn catch_up(&mut self, now: i64) -> Result<(), CliError> {
        self.decide_offers(now)?;
        self.sell_and_combine(now);
        self.submit()
    }

    /// The day is over: what customers met with, why the engine stopped early if it did, and how many
    /// requests were sent late.
    pub(crate) fn end(self) -> (Tally, Option<String>, u64) {
        (self.tally, self.stopped, self.late)
    }
}
