//! Two states side by side: one decides, the other replays what the first has sequenced.
//!
//! After every command that got a sequence: all invariants of the state, its ledger against the sums
//! of the transfers it told, the same reply and the same event bytes from the replay, and a copy of
//! the command answered as a duplicate with the same answer. A command that got none changed nothing.

use std::collections::BTreeMap;

use betring_core::answer::{Answer, AnswerKind, Fate, Reply};
use betring_core::command::{
    Capacities, Command, EpochOpened, Genesis, Kind, Lane, Limits, PriceFailure, Step, Tick,
    decode, rounding_code,
};
use betring_core::event::{Event, EventReader, Events, HouseAccount, LedgerAccount};
use betring_core::id::{ClientId, Epoch, RequestKey, Seq, Token};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Body, Header, Slot};
use betring_core::{
    Admission, HouseRules, LOGIC_VERSION, ReplayError, ReplayWhat, Rules, Stamp, State,
};
use betring_pricing::RoundingMode;
use zerocopy::IntoBytes;

/// Digests of both states are compared after so many commands, and at the end.
const DIGEST_EVERY: u64 = 8;

/// Steps after which all work must be done, whatever there was: more than anything can need that
/// fits the small capacities used here.
const STEPS_MAX: u32 = 4_096;

/// What a new journal is born with, for inputs that choose nothing else.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        window: Nanos::from_secs(60),
        secret: *b"never a secret, ",
        age_bound: Nanos::from_secs(600),
        offer_ttl: Nanos::from_secs(10),
        price_failure: PriceFailure::Refuse as u8,
        rounding: rounding_code(RoundingMode::Down),
        step_budget: 3,
        limits: Limits::UNLIMITED,
        ..Genesis::default()
    }
}

/// Small enough that inputs of a few hundred bytes reach every end.
pub(crate) fn capacities() -> Capacities {
    Capacities {
        accounts: 4,
        markets: 4,
        selections: 16,
        bets: 12,
        keys: 64,
        feeds: 2,
        fixtures: 2,
        actors: 3,
        currencies: 2,
        quarantined: 2,
        legs: 24,
        groups: 2,
        limited: 2,
        orders: 32,
        positions: 6,
        stands: 16,
        levels: 1 << 11,
    }
}

/// The engine's own header: no key, no account.
pub(crate) fn engine() -> Header {
    Header::default()
}

pub(crate) struct Desk {
    /// The one that decides.
    pub(crate) state: State<HouseRules>,
    /// The one that replays.
    replica: State<HouseRules>,
    /// The clock.
    pub(crate) at: Timestamp,
    /// The capacities of the next run.
    pub(crate) capacities: Capacities,
    events: Events,
    replayed: Events,
    /// What every account of the ledger has by the transfers told.
    money: BTreeMap<(LedgerAccount, u16), i128>,
    token: u64,
}

impl Desk {
    /// A journal with its first run open, at a moment of 2026.
    pub(crate) fn new(genesis: Genesis, capacities: Capacities) -> Desk {
        let mut desk = Desk {
            state: State::new(HouseRules),
            replica: State::new(HouseRules),
            at: Timestamp(1_767_225_600_000_000_000),
            capacities,
            events: Events::new(),
            replayed: Events::new(),
            money: BTreeMap::new(),
            token: 0,
        };
        desk.engine_slots(&betring_core::wire::slots(engine(), &genesis, &[]));
        desk.restart();
        desk
    }

    /// A command of the engine's own: it always gets its sequence.
    pub(crate) fn engine<B: Body>(&mut self, body: &B) {
        self.engine_slots(&betring_core::wire::slots(engine(), body, &[]));
    }

    fn engine_slots(&mut self, slots: &[Slot]) {
        let seq = self.state.seq();
        self.give(slots);
        assert_eq!(self.state.seq(), seq.next(), "the engine's own commands are always sequenced");
    }

    /// A new run begins.
    pub(crate) fn restart(&mut self) {
        let epoch = Epoch(self.state.epoch().0 + 1);
        let kept_seq = if epoch.0 == 1 { Seq(0) } else { self.state.seq() };
        self.engine(&EpochOpened {
            epoch,
            logic_version: LOGIC_VERSION,
            rules_id: HouseRules::ID,
            rules_version: HouseRules::VERSION,
            capacities: self.capacities,
            kept_seq,
            ..EpochOpened::default()
        });
    }

    /// The state that decided is gone; the one that replayed goes on in its place.
    pub(crate) fn crash(&mut self) {
        self.compare_digests();
        self.state = self.replica.clone();
    }

    pub(crate) fn step(&mut self) {
        self.engine(&Step { budget: self.state.step_budget(), ..Step::default() });
    }

    pub(crate) fn tick(&mut self) {
        self.engine(&Tick::default());
    }

    /// Time goes on; never back.
    pub(crate) fn wait(&mut self, span: i64) {
        self.at = self.at.plus(Nanos(span.max(0)));
    }

    /// Steps until nothing is to be done, as an idle engine would.
    pub(crate) fn work(&mut self) {
        let mut steps = 0;
        while self.state.has_work() {
            self.step();
            steps += 1;
            assert!(steps < STEPS_MAX, "long work ends");
        }
    }

    /// Gives a command as the engine does, and checks everything that must hold around it.
    pub(crate) fn give(&mut self, slots: &[Slot]) -> Reply {
        let mut slots = slots.to_vec();
        self.token += 1;
        slots[0].set_token(Token(self.token));
        slots[0].set_client(ClientId(7));
        slots[0].set_received(self.at);
        let bytes = slots.as_slice().as_bytes();
        let (header, command) = match decode(bytes) {
            Ok(read) => read,
            Err(what) => {
                let reply = self.state.malformed(self.at, slots.first(), what);
                assert_eq!(reply.answer.malformation(), Some(what));
                self.check_reply(&reply, &header_of(&slots));
                return reply;
            }
        };
        match self.state.admit(self.at, &header, &command, bytes) {
            Admission::Answer(reply) => {
                self.check_reply(&reply, &header);
                let same = self.replica.admit(self.at, &header, &command, bytes);
                let Admission::Answer(same) = same else {
                    panic!("the replica answers without a sequence too, {reply}");
                };
                assert_eq!(same, reply, "the replica gives the same answer");
                if reply.is_duplicate() {
                    assert!(reply.answer.seq != Seq(0), "what is repeated was decided once");
                } else {
                    assert_eq!(reply.answer.kind(), AnswerKind::Refused);
                    assert_eq!(reply.answer.seq, Seq(0), "nothing was sequenced");
                }
                let not_sequenced = ReplayWhat::NotSequenced(reply.answer);
                self.refuses_to_replay(bytes, not_sequenced);
                reply
            }
            Admission::Sequence(_) => self.sequence(&header, &command, bytes),
        }
    }

    /// A journal that holds a command which was never sequenced is refused, and nothing changes.
    fn refuses_to_replay(&mut self, bytes: &[u8], what: ReplayWhat) {
        let seq = self.replica.seq().next();
        let before = self.replica.digest();
        let stamp = Stamp { seq, at: self.at };
        let refused = self.replica.replay(stamp, bytes, &mut self.replayed);
        assert_eq!(refused, Err(ReplayError { seq, what }));
        assert_eq!(self.replica.digest(), before, "a refused record changes nothing");
    }

    fn sequence(&mut self, header: &Header, command: &Command<'_>, bytes: &[u8]) -> Reply {
        let Admission::Sequence(admitted) = self.state.admit(self.at, header, command, bytes)
        else {
            panic!("what is admitted once is admitted again: admission changes nothing");
        };
        let money_before = self.state.money_digest();
        let stamp = Stamp { seq: self.state.seq().next(), at: self.at };
        let reply = self.state.apply(stamp, header, command, admitted, &mut self.events);
        self.check_reply(&reply, header);
        assert_eq!(reply.answer.seq, stamp.seq, "an answer names the sequence that decided");
        assert!(!reply.is_duplicate());
        if let Err(broken) = self.state.check() {
            panic!("after {} {} answered {reply}: {broken}", kind(header), stamp.seq);
        }
        if reply.answer.kind() == AnswerKind::Refused {
            let money = self.state.money_digest();
            assert_eq!(money, money_before, "a refusal moves no money: {reply}");
        }
        self.follow_events(header);

        let again = self.replica.replay(stamp, bytes, &mut self.replayed);
        assert_eq!(again.as_ref(), Ok(&reply), "a replay gives the same reply");
        assert_eq!(self.replayed.as_bytes(), self.events.as_bytes(), "and the same events");
        if stamp.seq.0.is_multiple_of(DIGEST_EVERY) {
            self.compare_digests();
        }
        if header.key != RequestKey::NONE {
            self.ask_again(header, bytes, &reply.answer);
        }
        reply
    }

    pub(crate) fn compare_digests(&self) {
        assert_eq!(self.state.digest(), self.replica.digest(), "equal commands, equal states");
        assert_eq!(self.state.money_digest(), self.replica.money_digest());
    }

    /// A copy that comes at once, on another connection and marked as a retry.
    fn ask_again(&self, header: &Header, bytes: &[u8], answer: &Answer) {
        let mut copy = bytes.to_vec();
        copy[2] |= Header::RETRY as u8;
        copy[6..8].copy_from_slice(&9u16.to_le_bytes());
        copy[72..80].copy_from_slice(&u64::MAX.to_le_bytes());
        let (header_again, command) = decode(&copy).expect("a copy reads as well");
        let held = self.state.quarantined().contains(&(header.account, header.key));
        let resolving = matches!(command, Command::Resolve(_));
        match self.state.admit(self.at, &header_again, &command, &copy) {
            Admission::Answer(reply) if held && !resolving => {
                assert_eq!(reply.answer.reject(), Some(Reject::Quarantined));
            }
            Admission::Answer(reply) => {
                assert!(reply.is_duplicate(), "a copy is a duplicate: {reply}");
                assert_eq!(reply.answer, *answer, "a copy gets the first answer");
                assert_eq!((reply.token, reply.client), (Token(u64::MAX), ClientId(9)));
            }
            Admission::Sequence(_) => panic!("a copy of {} {answer} executes", kind(header)),
        }
        let kept = self.state.request(header.account, header.key);
        assert_eq!(kept.map(|(answer, ..)| answer), Some(*answer), "a key keeps its answer");
    }

    fn check_reply(&self, reply: &Reply, header: &Header) {
        assert!(reply.answer.is_valid(), "{reply:?}");
        assert!(!reply.to_string().is_empty());
        assert_eq!(reply.token, Token(self.token), "a reply echoes its attempt");
        assert_eq!((reply.account, reply.key), (header.account, header.key));
        assert_eq!((reply.client, reply.stamped), (header.client, self.at));
        assert_eq!((reply.as_of, reply.epoch), (self.state.seq(), self.state.epoch()));
        assert!(reply.is_duplicate() || reply.fate() == Fate::Nothing);
    }

    /// Adds up the transfers told, and compares the ledger with the sums.
    fn follow_events(&mut self, header: &Header) {
        let bytes = self.events.as_bytes();
        assert!(bytes.len().is_multiple_of(8), "events are whole words");
        let mut count = 0;
        let mut answers = 0;
        for event in EventReader::new(bytes) {
            let event = event.expect("what is told can be read");
            count += 1;
            match event {
                Event::Transfer(moved) => {
                    assert!(0 < moved.amount.0, "a transfer moves something");
                    assert!(moved.from != moved.to);
                    *self.money.entry((moved.from, moved.currency)).or_default() -=
                        i128::from(moved.amount.0);
                    *self.money.entry((moved.to, moved.currency)).or_default() +=
                        i128::from(moved.amount.0);
                }
                Event::Answered(_) => answers += 1,
                _ => (),
            }
        }
        assert_eq!(count, self.events.count());
        assert_eq!(answers, u32::from(header.key != RequestKey::NONE), "one answer for a key");
        let mut sums: BTreeMap<u16, i128> = BTreeMap::new();
        for account in self.state.accounts() {
            let currency = account.currency.numeric();
            let told = self.told(LedgerAccount::customer(account.id), currency);
            assert_eq!(i128::from(account.balance.0), told, "{}'s transfers", account.id);
            let bonus = self.told(LedgerAccount::bonus(account.id), currency);
            assert_eq!(i128::from(account.bonus.0), bonus, "{}'s free bets", account.id);
            *sums.entry(currency).or_default() += told + bonus;
        }
        for currency in self.state.currencies() {
            for house in HouseAccount::ALL {
                let told =
                    self.told(LedgerAccount::house(*house, currency.numeric()), currency.numeric());
                assert_eq!(self.state.house(*house, currency), told, "{house}'s transfers");
                *sums.entry(currency.numeric()).or_default() += told;
            }
        }
        assert!(sums.values().all(|sum| *sum == 0), "the ledger is zero: {sums:?}");
    }

    fn told(&self, account: LedgerAccount, currency: u16) -> i128 {
        self.money.get(&(account, currency)).copied().unwrap_or(0)
    }

    /// The end of an input: all work gets done, everything can be read, both states are equal.
    pub(crate) fn finish(&mut self) {
        self.work();
        self.compare_digests();
        for market in self.state.markets() {
            assert!(market.book_ppm().is_none_or(|ppm| 0 < ppm || market.selections.is_empty()));
            for currency in self.state.currencies() {
                let exposure = self.state.exposure(market.id, currency);
                assert!(
                    exposure.is_some_and(|e| 0 <= e.staked && e.worst <= e.returns.iter().sum())
                );
            }
        }
        let kept = self.state.bets().count();
        assert!(kept <= self.state.capacities().bets as usize);
        assert!(self.state.keys_kept() <= self.state.capacities().keys);
    }
}

fn header_of(slots: &[Slot]) -> Header {
    slots.first().map(Slot::header).unwrap_or_default()
}

fn kind(header: &Header) -> String {
    Kind::from_code(header.kind).map_or_else(|| "?".into(), |kind| kind.to_string())
}

/// A command under a key, with its time limit, as slots.
pub(crate) fn plain<B: Body>(header: Header, body: &B) -> Vec<Slot> {
    betring_core::wire::slots(header, body, &[])
}

/// Whether only the engine may give a command of this kind.
pub(crate) fn is_engines(kind: u8) -> bool {
    Kind::from_code(kind).is_some_and(|kind| kind.lane() == Lane::Engine)
}
