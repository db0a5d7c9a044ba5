//! What other rules would have decided: a journal's commands, asked again in two states side by side.
//!
//! One state decides as the journal says and is compared with it byte for byte; the other decides the
//! same commands under other rules. Decisions depend on the state, so after the first difference the
//! other side goes its own way: a bet that it refused leaves money and liability for later ones.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use betring_core::BetState;
use betring_core::ReplayWhat;
use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::{
    self, CancelEntry, Command, Entries, Kind, Level, ReplaceEntry, UpdateEntry, build, decode,
};
use betring_core::event::{Event, EventReader, Events};
use betring_core::id::{AccountId, BetId, MarketId, OrderId, RequestKey, SelectionIndex, Seq};
use betring_core::time::Timestamp;
use betring_core::wire::{self, HEADER, Header, Minor, Slot, WirePrice};
use betring_core::{Digest, Rules, Stamp, State};
use betring_journal::{DirStore, ReadLevel, Reader};
use betring_pricing::Currency;
use zerocopy::{FromBytes, IntoBytes};

use crate::decide::message;
use crate::error::Error;
use crate::recover::{Progress, REPORT_EVERY, Replayer, Stage};

/// A command that the other rules decide otherwise.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Difference<'a> {
    /// Its place in the journal, and its moment.
    pub stamp: Stamp,
    /// What it was.
    pub kind: Kind,
    /// Whose request: an account, or an actor.
    pub account: u64,
    /// Its key.
    pub key: RequestKey,
    /// The command's bytes as they are journaled.
    pub command: &'a [u8],
    /// The answer in the journal.
    pub recorded: Answer,
    /// The answer under the other rules. Sequences and ids in it are of that side.
    pub other: Answer,
}

/// Money and bets of one side, in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Bets that were accepted, at once or as offered.
    pub bets: u64,
    /// Their stakes, in minor units.
    pub stakes: i128,
    /// Deposits less withdrawals, in minor units.
    pub paid_in: i128,
    /// What customers may withdraw at the end, in minor units.
    pub balances: i128,
    /// Stakes of bets that are open or offered at the end, in minor units.
    pub at_stake: i128,
}

impl Sums {
    /// What the house has won: everything paid in that is neither a customer's nor at stake. Below
    /// zero it has lost.
    pub fn house(&self) -> i128 {
        self.paid_in - self.balances - self.at_stake
    }
}

/// An account that ends otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountDifference {
    /// The account.
    pub account: AccountId,
    /// The operator's own number of it.
    pub reference: u64,
    /// Its currency.
    pub currency: Currency,
    /// Its balance and what it has at stake, as the journal has it.
    pub recorded: (Minor, Minor),
    /// The same under the other rules.
    pub other: (Minor, Minor),
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Records of the journal, each decided again as it is written.
    pub records: u64,
    /// The last sequence of the journal.
    pub last_seq: Seq,
    /// How many commands had an answer to compare.
    pub answers: u64,
    /// How many of them are answered otherwise.
    pub differences: u64,
    /// The first of these; after it the sides may differ because their states do.
    pub first: Option<Seq>,
    /// Work that the other side needed and the journal does not have: it was given to it.
    pub extra_steps: u64,
    /// Both sides by currency: as journaled, and under the other rules.
    pub sums: Vec<(Currency, Sums, Sums)>,
    /// The accounts that end otherwise, in the order in which they were opened.
    pub accounts: Vec<AccountDifference>,
    /// The digests of balances and bets of both sides at the end.
    pub money_digests: (Digest, Digest),
    /// The digests of both states at the end. The rules' id is in them: those of two different rules
    /// always differ.
    pub digests: (Digest, Digest),
}

impl Compared {
    /// Whether the other rules decide everything alike and come to the same balances and bets.
    pub fn is_same(&self) -> bool {
        self.differences == 0 && self.money_digests.0 == self.money_digests.1
    }
}

/// Decides a journal again under the rules it was written with, and beside it under others. `each`
/// sees every command that is answered otherwise, in order.
///
/// Commands that never got a sequence are not in a journal and are not asked. Steps and Ticks are the
/// journal's own; where the other side has work when the journal's side has none, it is given Steps of
/// its own. Sequences, and the ids of bets, markets and orders, may therefore differ between the sides;
/// an offer, a market or an order that a command names is looked up on the other side by where it was
/// made.
///
/// ```
/// use betring::{BetFacts, Config, HouseRules, Layout, Rules, Ruling};
///
/// /// Nothing on long shots.
/// #[derive(Clone)]
/// struct NoLongShots;
///
/// impl Rules for NoLongShots {
///     const ID: u64 = 10;
///     const VERSION: u32 = 1;
///     fn market(&self, bet: &BetFacts) -> Ruling {
///         if bet.price.is_some_and(|price| 50_000 < price.e4()) {
///             return Ruling::Refuse(1);
///         }
///         Ruling::Pass
///     }
/// }
///
/// # use betring::{AccountId, Currency, Place, Reference, key, money, price};
/// # let above = tempfile::tempdir()?;
/// # let book = above.path().join("book");
/// # let config = Config::at(&book).layout(Layout::Inline).segments_ahead(0).segment_bytes(1 << 20);
/// # let engine = betring::Engine::open(config)?;
/// # let mut trader = engine.control("trader:anna")?;
/// # let mut client = engine.client(16)?;
/// # let market = trader.define_market("cup", ["home", "away"])?;
/// # trader.set_prices(&market, [price!(1.20), price!(6.00)])?;
/// # trader.open_market(&market)?;
/// # let account = client.open_account(Reference(1), Currency::GBP)?;
/// # client.deposit(account, money!(100.00), key(1))?;
/// # for (n, name) in [(2, "home"), (3, "away")] {
/// #     let bet = Place::single(account, market.selection(name), money!(10.00));
/// #     let ticket = client.try_submit(bet.any_price().key(key(n)))?;
/// #     client.wait(ticket, std::time::Duration::from_secs(10));
/// # }
/// # drop((trader, client));
/// # engine.shutdown()?;
/// let mut refused = Vec::new();
/// let compared = betring::diff(HouseRules, NoLongShots, &book, &mut |_| {}, &mut |difference| {
///     refused.push(difference.other.policy_reason);
/// })?;
/// assert_eq!((compared.differences, refused), (1, vec![1]));
/// let (_, journaled, otherwise) = compared.sums[0];
/// assert_eq!((journaled.at_stake, otherwise.at_stake), (20_00, 10_00));
/// assert!(betring::diff(HouseRules, HouseRules, &book, &mut |_| {}, &mut |_| {})?.is_same());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`replay`](crate::replay): the journal has to be one that `recorded` reproduces.
/// [`Error::ReplayPanicked`] if the other rules panic.
pub fn diff<A: Rules, B: Rules>(
    recorded: A,
    other: B,
    path: &Path,
    progress: &mut dyn FnMut(Progress),
    each: &mut dyn FnMut(&Difference<'_>),
) -> Result<Compared, Error> {
    let mut reader = Reader::open(DirStore::existing(path)?, 1, ReadLevel::Complete)?;
    let mut journal = Replayer::new(recorded);
    let mut other = Other::new(other);
    let mut compared = Compared {
        records: 0,
        last_seq: Seq(0),
        answers: 0,
        differences: 0,
        first: None,
        extra_steps: 0,
        sums: Vec::new(),
        accounts: Vec::new(),
        money_digests: (journal.state.money_digest(), other.state.money_digest()),
        digests: (journal.state.digest(), other.state.digest()),
    };
    let mut sums = BTreeMap::new();
    while let Some(record) = reader.next()? {
        let at = Timestamp(record.meta.ts);
        compared.extra_steps += other.catch_up(&journal.state, at)?;
        let (stamp, bytes, events) = journal.apply(&record)?;
        let wrong = |what: &dyn std::fmt::Display| Error::NotReproduced {
            seq: stamp.seq,
            what: what.to_string(),
        };
        let (header, command) = decode(bytes).map_err(|what| wrong(&what))?;
        let ours = journal.answer;
        let theirs = other.ask(stamp, bytes, &header, &command)?;
        other.learn_orders(events);
        other.learn(&journal.state, stamp.seq, &command, (&ours, &theirs));
        if header.key != RequestKey::NONE {
            compared.answers += 1;
            let now = (&journal.state, &other.state);
            count(&mut sums, now, &header, &command, (&ours, &theirs));
            if as_told(&ours) != as_told(&theirs) {
                compared.differences += 1;
                compared.first.get_or_insert(stamp.seq);
                if let Some(kind) = Kind::from_code(header.kind) {
                    let (account, key) = (header.account, header.key);
                    let (recorded, other) = (ours, theirs);
                    let command = bytes;
                    each(&Difference { stamp, kind, account, key, command, recorded, other });
                }
            }
        }
        if journal.records.is_multiple_of(REPORT_EVERY) {
            let (stage, records) = (Stage::Replaying, journal.records);
            progress(Progress { stage, records, bytes: 0, total_bytes: 0, seq: stamp.seq });
        }
    }
    compared.extra_steps += other.catch_up(&journal.state, journal.state.now())?;
    compared.records = journal.records;
    compared.last_seq = journal.state.seq();
    compared.money_digests = (journal.state.money_digest(), other.state.money_digest());
    compared.digests = (journal.state.digest(), other.state.digest());
    compared.accounts = accounts(&journal.state, &other.state, &mut sums);
    compared.sums = sums.into_iter().map(|(currency, (a, b))| (currency, a, b)).collect();
    Ok(compared)
}

/// What of an answer a customer can tell apart: everything but where it stands on its side.
fn as_told(answer: &Answer) -> Answer {
    let mut told = *answer;
    (told.seq, told.id) = (Seq(0), 0);
    if told.kind() == AnswerKind::Started {
        // The market's handle, not an amount.
        told.amount = Minor(0);
    }
    told
}

type BySide = BTreeMap<Currency, (Sums, Sums)>;

/// Counts what a request moved on either side.
fn count<A: Rules, B: Rules>(
    sums: &mut BySide,
    (ours, theirs): (&State<A>, &State<B>),
    header: &Header,
    command: &Command<'_>,
    answers: (&Answer, &Answer),
) {
    let account = AccountId::from_raw(header.account);
    let currency = |a: Option<betring_core::AccountView>| a.map(|a| a.currency);
    let found = currency(ours.account(account)).or_else(|| currency(theirs.account(account)));
    let Some(currency) = found else { return };
    let (a, b) = sums.entry(currency).or_default();
    for (sums, answer) in [(a, answers.0), (b, answers.1)] {
        match (command, answer.kind()) {
            (_, AnswerKind::Accepted) => {
                sums.bets += 1;
                sums.stakes += i128::from(answer.stake.0);
            }
            (Command::Deposit(body), AnswerKind::Done) => sums.paid_in += i128::from(body.amount.0),
            (Command::Withdraw(body), AnswerKind::Done) => {
                sums.paid_in -= i128::from(body.amount.0);
            }
            _ => (),
        }
    }
}

/// The accounts that end otherwise; all of them are summed up.
fn accounts<A: Rules, B: Rules>(
    ours: &State<A>,
    theirs: &State<B>,
    sums: &mut BySide,
) -> Vec<AccountDifference> {
    let (a_stakes, b_stakes) = (at_stake(ours), at_stake(theirs));
    let stake = |stakes: &BTreeMap<AccountId, i64>, id| stakes.get(&id).copied().unwrap_or(0);
    let mut differing = Vec::new();
    for a in ours.accounts() {
        // Whoever has an account has it on both sides: opening one asks no rule.
        let Some(b) = theirs.account(a.id) else { continue };
        let recorded = (a.balance, Minor(stake(&a_stakes, a.id)));
        let other = (b.balance, Minor(stake(&b_stakes, a.id)));
        let both = sums.entry(a.currency).or_default();
        for (sums, (balance, at_stake)) in [(&mut both.0, recorded), (&mut both.1, other)] {
            sums.balances += i128::from(balance.0);
            sums.at_stake += i128::from(at_stake.0);
        }
        if recorded != other {
            let (account, reference, currency) = (a.id, a.reference, a.currency);
            differing.push(AccountDifference { account, reference, currency, recorded, other });
        }
    }
    differing
}

/// What every account has in open and offered bets, and in escrow for its orders.
fn at_stake<R: Rules>(state: &State<R>) -> BTreeMap<AccountId, i64> {
    let mut stakes = BTreeMap::new();
    for bet in state.bets().filter(|b| matches!(b.state, BetState::Open | BetState::Offered)) {
        *stakes.entry(bet.account).or_default() += bet.stake.0;
    }
    for position in state.positions() {
        *stakes.entry(position.account).or_default() += position.held.0;
    }
    stakes
}

/// The side of the other rules.
struct Other<R: Rules> {
    state: State<R>,
    events: Events,
    /// Offers, markets and orders that have other ids here, by those of the journal.
    bets: BTreeMap<BetId, BetId>,
    markets: BTreeMap<MarketId, MarketId>,
    orders: BTreeMap<OrderId, OrderId>,
}

impl<R: Rules> Other<R> {
    fn new(rules: R) -> Other<R> {
        Other {
            state: State::new(rules),
            events: Events::new(),
            bets: BTreeMap::new(),
            markets: BTreeMap::new(),
            orders: BTreeMap::new(),
        }
    }

    /// Decides a command of the journal here, as this side's next.
    fn ask(
        &mut self,
        stamp: Stamp,
        bytes: &[u8],
        header: &Header,
        command: &Command<'_>,
    ) -> Result<Answer, Error> {
        match self.translated(bytes, command) {
            Some(bytes) => self.give(stamp, &bytes, header),
            None => self.give(stamp, bytes, header),
        }
    }

    /// `stamp` is the journal's: its sequence is named if something goes wrong.
    fn give(&mut self, stamp: Stamp, bytes: &[u8], header: &Header) -> Result<Answer, Error> {
        let here = Stamp { seq: self.state.seq().next(), at: stamp.at.max(self.state.now()) };
        let (state, events) = (&mut self.state, &mut self.events);
        match catch_unwind(AssertUnwindSafe(|| state.replay(here, bytes, events))) {
            Ok(Ok(reply)) => Ok(reply.answer),
            Ok(Err(error)) => match error.what {
                ReplayWhat::NotSequenced(answer) => Ok(answer),
                what => Err(Error::NotReproduced { seq: stamp.seq, what: format!("{what:?}") }),
            },
            Err(panic) => {
                let kind = Kind::from_code(header.kind).map_or("record", Kind::name);
                let kind = format!("{kind} under the other rules ({})", message(&*panic));
                Err(Error::ReplayPanicked { seq: stamp.seq, kind })
            }
        }
    }

    /// Gives this side the work that it has and the journal's side has not, up to `at`. How many
    /// Steps and Ticks that took.
    fn catch_up<A: Rules>(&mut self, journal: &State<A>, at: Timestamp) -> Result<u64, Error> {
        if journal.epoch().0 == 0 || journal.has_work() {
            return Ok(0);
        }
        let mut given = self.work(journal)?;
        // The offers of this side end on time, too, where nothing of the journal is due.
        while let Some(due) = self.state.next_due()
            && due <= at
            && journal.next_due().is_none_or(|theirs| at < theirs)
        {
            let tick = wire::slot(Header::default(), &command::Tick::default());
            self.engine(&tick, due)?;
            given += 1 + self.work(journal)?;
            if self.state.next_due().is_some_and(|next| next <= due) {
                break;
            }
        }
        Ok(given)
    }

    fn work<A: Rules>(&mut self, journal: &State<A>) -> Result<u64, Error> {
        let budget = journal.step_budget();
        let step = command::Step { budget, ..command::Step::default() };
        let step = wire::slot(Header::default(), &step);
        let mut given = 0;
        while self.state.has_work() {
            self.engine(&step, self.state.now())?;
            given += 1;
        }
        Ok(given)
    }

    fn engine(&mut self, slot: &Slot, at: Timestamp) -> Result<(), Error> {
        let stamp = Stamp { seq: self.state.seq().next(), at };
        self.give(stamp, slot.0.as_bytes(), &slot.header()).map(|_| ())
    }

    /// Remembers which orders of the last command have other ids here, by their place in the request.
    fn learn_orders(&mut self, recorded: &[u8]) {
        for (number, id) in placed(recorded) {
            let mut own = placed(self.events.as_bytes());
            let here = own.find(|(of, _)| *of == number).map_or(OrderId::NONE, |(_, here)| here);
            if id != here {
                self.orders.insert(id, here);
            }
        }
    }

    /// Remembers what a command made, where it has another id here.
    fn learn<A: Rules>(
        &mut self,
        journal: &State<A>,
        seq: Seq,
        command: &Command<'_>,
        (a, b): (&Answer, &Answer),
    ) {
        if a.kind() == AnswerKind::Offered {
            let here = match b.kind() {
                AnswerKind::Offered | AnswerKind::Accepted => BetId::from_raw(b.id),
                _ => BetId::NONE,
            };
            let id = BetId::from_raw(a.id);
            if id != here {
                self.bets.insert(id, here);
            }
        }
        let defines = matches!(command, Command::DefineMarket(..));
        if defines && a.kind() == AnswerKind::Done && (a.kind(), a.id) != (b.kind(), b.id) {
            let here = match b.kind() {
                AnswerKind::Done => MarketId::from_raw(b.id),
                _ => MarketId::NONE,
            };
            self.markets.insert(MarketId::from_raw(a.id), here);
        }
        if seq.0.is_multiple_of(REPORT_EVERY) {
            // Nobody can name what has left memory.
            self.bets.retain(|id, _| journal.bet(*id).is_some());
            self.markets.retain(|id, _| journal.market(*id).is_some());
            self.orders.retain(|id, _| journal.order(*id).is_some());
        }
    }

    /// The command with the ids of this side, where they are others.
    fn translated(&self, bytes: &[u8], command: &Command<'_>) -> Option<Vec<u8>> {
        if let Command::Reprice(body, entries) = command {
            return self.repriced(bytes, body, *entries);
        }
        let first = HEADER + size_of::<command::CancelOrders>();
        let (count, entry) = match command {
            Command::CancelOrders(body, _) => (body.count, size_of::<CancelEntry>()),
            Command::ReplaceOrders(body, _) => (body.count, size_of::<ReplaceEntry>()),
            Command::UpdateOrders(body, _) => (body.count, size_of::<UpdateEntry>()),
            _ => (0, 0),
        };
        let orders = (0..usize::from(count)).filter_map(|number| {
            let at = first + number * entry;
            let id = OrderId::from_raw(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
            self.orders.get(&id).map(|here| (at, here.raw()))
        });
        let named = self.named(command).map(|(at, id)| (HEADER + at, id));
        let mut changed: Option<Vec<u8>> = None;
        for (at, id) in named.into_iter().chain(orders) {
            let changed = changed.get_or_insert_with(|| bytes.to_vec());
            changed.get_mut(at..at + 8)?.copy_from_slice(&id.to_le_bytes());
        }
        changed
    }

    /// A repricing with the ids of this side, in their order; what is no market here is left out. None if all are the same.
    fn repriced(
        &self,
        bytes: &[u8],
        body: &command::Reprice,
        entries: Entries<'_, command::RepriceEntry>,
    ) -> Option<Vec<u8>> {
        if !entries.iter().any(|entry| self.markets.contains_key(&entry.market)) {
            return None;
        }
        let here = |entry: command::RepriceEntry| {
            let market = self.markets.get(&entry.market).copied().unwrap_or(entry.market);
            let here = command::RepriceEntry::new(market, entry.selection, entry.price);
            (market != MarketId::NONE).then_some(here)
        };
        let mut all: Vec<command::RepriceEntry> = entries.iter().filter_map(here).collect();
        all.sort_by_key(|entry| (entry.market.raw(), entry.selection));
        if all.is_empty() {
            // Heard all the same, and of no market here.
            let nobody =
                command::RepriceEntry::new(MarketId::NONE, SelectionIndex(0), WirePrice::NONE);
            all.push(nobody);
        }
        let header = Header::read_from_prefix(bytes).ok()?.0;
        let slots = build::reprice(header, *body, &all).ok()?;
        Some(slots.as_bytes().to_vec())
    }

    /// The bet or market that a command names, if it has another id here: where in its body, and which.
    fn named(&self, command: &Command<'_>) -> Option<(usize, u64)> {
        let bet = |id: &BetId| self.bets.get(id).map(|id| id.raw());
        let market = |id: &MarketId| self.markets.get(id).map(|id| id.raw());
        Some(match command {
            Command::AcceptOffer(body) => (offset_of!(command::AcceptOffer, bet), bet(&body.bet)?),
            Command::DeclineOffer(body) => {
                (offset_of!(command::DeclineOffer, bet), bet(&body.bet)?)
            }
            Command::OpenMarket(body) => {
                (offset_of!(command::OpenMarket, market), market(&body.market)?)
            }
            Command::CloseMarket(body) => {
                (offset_of!(command::CloseMarket, market), market(&body.market)?)
            }
            Command::ArchiveMarket(body) => {
                (offset_of!(command::ArchiveMarket, market), market(&body.market)?)
            }
            Command::WithdrawSelection(body) => {
                (offset_of!(command::WithdrawSelection, market), market(&body.market)?)
            }
            Command::MarketResult(body, _) => {
                (offset_of!(command::MarketResult, market), market(&body.market)?)
            }
            Command::SetLimits(body) => {
                (offset_of!(command::SetLimits, market), market(&body.market)?)
            }
            Command::SetPrices(body, _) => {
                (offset_of!(command::SetPrices, market), market(&body.market)?)
            }
            Command::Place(body) => (offset_of!(command::Place, market), market(&body.market)?),
            Command::Suspend(body) if body.level == Level::Market as u8 => {
                (offset_of!(command::Suspend, id), market(&MarketId::from_raw(body.id))?)
            }
            Command::Release(body) if body.level == Level::Market as u8 => {
                (offset_of!(command::Release, id), market(&MarketId::from_raw(body.id))?)
            }
            Command::SetExchange(body, _) => {
                (offset_of!(command::SetExchange, market), market(&body.market)?)
            }
            Command::LapseOrders(body) => {
                (offset_of!(command::LapseOrders, market), market(&body.market)?)
            }
            Command::PlaceOrders(body, _) => {
                (offset_of!(command::PlaceOrders, market), market(&body.market)?)
            }
            Command::CancelOrders(body, _) => {
                (offset_of!(command::CancelOrders, market), market(&body.market)?)
            }
            Command::ReplaceOrders(body, _) => {
                (offset_of!(command::ReplaceOrders, market), market(&body.market)?)
            }
            Command::UpdateOrders(body, _) => {
                (offset_of!(command::UpdateOrders, market), market(&body.market)?)
            }
            _ => return None,
        })
    }
}

/// Orders that were placed, with their places in the request.
fn placed(events: &[u8]) -> impl Iterator<Item = (u8, OrderId)> + '_ {
    EventReader::new(events).flatten().filter_map(|event| match event {
        Event::OrderPlaced(placed) => Some((placed.number, placed.order)),
        _ => None,
    })
}

// Their entries stand behind a body of this size, and begin with the order.
const _: () = {
    let body = size_of::<command::CancelOrders>();
    assert!(
        size_of::<command::ReplaceOrders>() == body && size_of::<command::UpdateOrders>() == body
    );
    assert!(offset_of!(CancelEntry, order) == 0);
    assert!(offset_of!(ReplaceEntry, order) == 0 && offset_of!(UpdateEntry, order) == 0);
};
