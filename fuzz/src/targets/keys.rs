//! Requests under keys and their copies, at any moments around their time limits.
//!
//! Every request deposits an amount of its own, so what was executed can be read off the balances,
//! and how often. An input is commands of four bytes: what, which request, and two choices.

use std::collections::BTreeMap;

use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::{Deposit, LiftQuarantine, OpenAccount, Quarantine, Resolve, build};
use betring_core::id::{AccountId, ActorId, RequestKey, Seq};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, Slot};

use crate::targets::desk::{self, Desk, plain};
use crate::targets::tape::Tape;

const COMMANDS_MAX: u32 = 400;
const WINDOW: i64 = 1_000;
/// Accounts, keys and amounts of one input: few, so that they meet.
const ACCOUNTS: u8 = 2;
const KEYS: u8 = 4;
const REQUESTS_MAX: usize = 64;
const SPANS: [i64; 8] =
    [0, 1, WINDOW / 2, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW, 2 * WINDOW + 1];

/// Interleavings of requests, copies, questions and time: no request executes twice, and each has
/// one answer.
///
/// Whatever comes when: one request (account, key, time limit, amount) executes at most once ever;
/// everything said of it after it was decided is the same answer; once a question about it was
/// answered `NeverPlaced`, it never executes; a key can name another request only when the first can
/// no longer execute; and the balances are the sum of what was answered as done.
///
/// # Panics
/// If a rule is broken.
pub fn keys(data: &[u8]) {
    let mut tape = Tape::new(data);
    let mut counter = Counter::new(&mut tape);
    for _ in 0..COMMANDS_MAX {
        if tape.is_over() {
            break;
        }
        counter.command(&mut tape);
    }
    counter.finish();
}

/// What a customer asks for. Everything that is part of it is part of its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Request {
    account: u8,
    key: u8,
    valid_until: i64,
    amount: i64,
}

/// What is known of a request.
#[derive(Clone, Copy, Default)]
struct Known {
    answer: Option<Answer>,
    executed: u32,
}

/// What a key's account and number mean at present, by the rules alone.
#[derive(Clone, Copy)]
struct Named {
    /// The request that holds it; none after a question was answered `NeverPlaced`.
    request: Option<Request>,
    valid_until: i64,
    answer: Answer,
}

struct Counter {
    desk: Desk,
    requests: Vec<Request>,
    known: BTreeMap<Request, Known>,
    named: BTreeMap<(u8, u8), Named>,
    /// Requests of which `NeverPlaced` was said, until when a copy of them could come.
    never: Vec<(u8, u8, i64)>,
    held: Vec<(u8, u8)>,
    actor_keys: u128,
}

impl Counter {
    fn new(tape: &mut Tape<'_>) -> Counter {
        let mut genesis = desk::genesis();
        genesis.window = Nanos(WINDOW);
        genesis.step_budget = 1 + u16::from(tape.byte()) % 8;
        let mut capacities = desk::capacities();
        // Few places for keys: full, they make Overloaded, and given back late, they make nothing.
        capacities.keys = 8 + u32::from(tape.byte()) % 32;
        let mut counter = Counter {
            desk: Desk::new(genesis, capacities),
            requests: Vec::new(),
            known: BTreeMap::new(),
            named: BTreeMap::new(),
            never: Vec::new(),
            held: Vec::new(),
            actor_keys: 1 << 64,
        };
        counter.furnish();
        counter
    }

    fn furnish(&mut self) {
        let until = self.desk.at.plus(Nanos(WINDOW));
        let header = self.control(0);
        let body =
            betring_core::command::RegisterActor { valid_until: until, ..Default::default() };
        let register = build::register_actor(header, body, "operator");
        self.desk.give(&register.expect("a name"));
        for account in 0..ACCOUNTS {
            let header = self.control(0);
            let (reference, currency) = (u64::from(account) + 1, 826);
            let open =
                OpenAccount { valid_until: until, reference, currency, ..Default::default() };
            self.desk.give(&plain(header, &open));
        }
        // The keys of these are gone before anything is counted. Places are given back coarsely,
        // a hundredth of a window later at most.
        self.desk.wait(3 * WINDOW);
        self.desk.tick();
        self.desk.work();
        assert_eq!(self.desk.state.keys_kept(), 0, "keys are forgotten in their time");
    }

    fn control(&mut self, actor: u64) -> Header {
        self.actor_keys += 1;
        Header::control(ActorId(actor), RequestKey(self.actor_keys))
    }

    fn now(&self) -> i64 {
        self.desk.at.0
    }

    fn command(&mut self, tape: &mut Tape<'_>) {
        let what = tape.byte() % 16;
        let p = [tape.byte(), tape.byte(), tape.byte()];
        match what {
            // A new request, which may reuse a key.
            0..=3 => {
                let ahead = tape.of(p[1], &SPANS);
                let valid_until = self.now().saturating_add(ahead).max(1);
                let (account, key) = (p[0] % ACCOUNTS, p[0] / ACCOUNTS % KEYS);
                let amount = 1 + i64::from(p[2] % 4);
                self.ask(Request { account, key, valid_until, amount });
            }
            // A copy of one, late or not.
            4..=6 => {
                let at = usize::from(p[0]) % REQUESTS_MAX;
                if let Some(request) = self.requests.get(at).copied() {
                    self.ask(request);
                }
            }
            // A question about one, which may name another time limit.
            7..=8 => {
                let at = usize::from(p[0]) % REQUESTS_MAX;
                if let Some(mut request) = self.requests.get(at).copied() {
                    if p[1] % 4 == 3 {
                        let ahead = tape.of(p[2], &SPANS) - WINDOW;
                        request.valid_until = self.now().saturating_add(ahead).max(1);
                    }
                    self.resolve(request);
                }
            }
            // A question about a request that was perhaps never sent.
            9 => {
                let ahead = tape.of(p[1], &SPANS) - if p[2] % 2 == 1 { 2 * WINDOW } else { 0 };
                let valid_until = self.now().saturating_add(ahead).max(1);
                let (account, key) = (p[0] % ACCOUNTS, p[0] / ACCOUNTS % KEYS);
                self.resolve(Request { account, key, valid_until, amount: 1 });
            }
            10 => self.desk.wait(tape.of(p[0], &SPANS)),
            // To the very edge of what is promised about one of the requests.
            11 => {
                let at = usize::from(p[0]) % REQUESTS_MAX;
                if let Some(request) = self.requests.get(at) {
                    let edge = request.valid_until.saturating_add(SPANS[usize::from(p[1]) % 8]);
                    let to = edge.saturating_add(i64::from(p[2] % 3) - 1);
                    self.desk.wait(to.saturating_sub(self.now()));
                }
            }
            12 => match p[0] % 3 {
                0 => self.desk.step(),
                1 => self.desk.tick(),
                _ => self.desk.work(),
            },
            13 if p[0].is_multiple_of(2) => self.desk.restart(),
            13 => self.desk.crash(),
            14 => self.quarantine(p[0] % ACCOUNTS, p[0] / ACCOUNTS % KEYS),
            _ => self.lift(p[0] % ACCOUNTS, p[0] / ACCOUNTS % KEYS),
        }
    }

    fn slots(request: &Request) -> Vec<Slot> {
        let account = AccountId::new(u32::from(request.account), 1);
        let header = Header::customer(account, RequestKey(u128::from(request.key) + 1));
        let body = Deposit {
            valid_until: Timestamp(request.valid_until),
            amount: Minor(request.amount),
            ..Deposit::default()
        };
        plain(header, &body)
    }

    fn ask(&mut self, request: Request) {
        if self.requests.len() < REQUESTS_MAX && !self.requests.contains(&request) {
            self.requests.push(request);
        }
        let seq = self.desk.state.seq();
        let reply = self.desk.give(&Counter::slots(&request));
        let sequenced = self.desk.state.seq() != seq;
        let answer = reply.answer;
        let place = (request.account, request.key);
        let named = self.named(place);
        let known = self.known.entry(request).or_default();
        if sequenced {
            assert!(named.is_none(), "{request:?} executes while its key has an answer");
            assert_eq!(answer.kind(), AnswerKind::Done, "a deposit that is sequenced is done");
            assert!(self.desk.at.0 <= request.valid_until, "{request:?} executes out of time");
            assert!(!self.held.contains(&place), "{request:?} executes in quarantine");
            known.executed += 1;
            assert_eq!(known.executed, 1, "{request:?} executes once");
            assert!(known.answer.is_none(), "{request:?} executes after it was answered");
            let never = |(account, key, valid_until): &(u8, u8, i64)| {
                (*account, *key) == place && request.valid_until <= *valid_until
            };
            assert!(!self.never.iter().any(never), "{request:?} executes after NeverPlaced");
            known.answer = Some(answer);
            let (request, valid_until) = (Some(request), request.valid_until);
            self.named.insert(place, Named { request, valid_until, answer });
            return;
        }
        if reply.is_duplicate() {
            assert_eq!(known.answer, Some(answer), "{request:?} has one answer");
            assert!(named.is_some_and(|named| named.request == Some(request)));
            return;
        }
        let now = self.desk.at.0;
        let full = self.full_for_customers();
        let why = answer.reject();
        // What the rules say, in their order.
        let expected = if now.saturating_add(WINDOW) < request.valid_until {
            Reject::Malformed
        } else if self.held.contains(&place) {
            Reject::Quarantined
        } else if let Some(named) = named {
            if named.request.is_none() { Reject::Sealed } else { Reject::RequestReused }
        } else if request.valid_until < now {
            Reject::Expired
        } else {
            assert!(full, "{request:?} is in time and new: {reply}");
            Reject::Overloaded
        };
        assert_eq!(why, Some(expected), "{request:?} at {now}");
    }

    /// Whether customers' requests find no place: a sixteenth is kept for control commands.
    fn full_for_customers(&self) -> bool {
        let places = self.desk.state.capacities().keys;
        places - places / 16 <= self.desk.state.keys_kept()
    }

    /// What an account's key names at present: it is kept until one window after its time limit.
    fn named(&self, place: (u8, u8)) -> Option<Named> {
        let kept = self.named.get(&place).copied();
        kept.filter(|named| self.now() <= named.valid_until.saturating_add(WINDOW))
    }

    fn resolve(&mut self, request: Request) {
        let account = AccountId::new(u32::from(request.account), 1);
        let header = Header::customer(account, RequestKey(u128::from(request.key) + 1));
        let valid_until = Timestamp(request.valid_until);
        let seq = self.desk.state.seq();
        let reply = self.desk.give(&plain(header, &Resolve { valid_until, ..Resolve::default() }));
        let sequenced = self.desk.state.seq() != seq;
        let place = (request.account, request.key);
        let named = self.named(place);
        let answer = reply.answer;
        if sequenced {
            assert!(named.is_none(), "what has an answer is not closed again");
            assert_eq!(answer.kind(), AnswerKind::NeverPlaced);
            // Every copy made before the question is closed, whatever limit the question named.
            let valid_until = request.valid_until.max(self.now().saturating_add(WINDOW));
            self.never.push((place.0, place.1, valid_until));
            self.named.insert(place, Named { request: None, valid_until, answer });
            // A request that was decided before is not said to be never placed while that could matter.
            let known = self.known.get(&request).copied().unwrap_or_default();
            assert!(known.executed == 0 || self.kept_too_short(&request), "{request:?} was placed");
        } else if reply.is_duplicate() {
            assert_eq!(named.map(|named| named.answer), Some(answer), "a question gets the answer");
        } else {
            let now = self.now();
            let full = self.full_for_customers();
            let expected = if now.saturating_add(WINDOW) < request.valid_until {
                Reject::Malformed
            } else if named.is_some() {
                panic!("a question about what is known is answered: {reply}");
            } else if request.valid_until.saturating_add(WINDOW) < now {
                Reject::TooOld
            } else {
                assert!(full, "a question in time is answered: {reply}");
                Reject::Overloaded
            };
            assert_eq!(answer.reject(), Some(expected), "about {request:?} at {now}");
        }
    }

    /// Whether the key of an executed request may have been forgotten at this moment.
    fn kept_too_short(&self, request: &Request) -> bool {
        request.valid_until.saturating_add(WINDOW) < self.now()
    }

    fn quarantine(&mut self, account: u8, key: u8) {
        let place = (account, key);
        let max = self.desk.state.capacities().quarantined as usize;
        if !self.held.contains(&place) && self.held.len() < max {
            self.held.push(place);
        }
        let account = AccountId::new(u32::from(account), 1).raw();
        let key = RequestKey(u128::from(key) + 1);
        self.desk.engine(&Quarantine { account, key, ..Quarantine::default() });
    }

    fn lift(&mut self, account: u8, key: u8) {
        let header = self.control(1);
        let valid_until = self.desk.at;
        let raw = AccountId::new(u32::from(account), 1).raw();
        let body = LiftQuarantine {
            valid_until,
            account: raw,
            key: RequestKey(u128::from(key) + 1),
            ..LiftQuarantine::default()
        };
        let reply = self.desk.give(&plain(header, &body));
        if reply.answer.kind() == AnswerKind::Done {
            self.held.retain(|held| *held != (account, key));
        }
    }

    fn finish(&mut self) {
        for account in 0..ACCOUNTS {
            let executed = self.known.iter().filter(|(request, _)| request.account == account);
            let sum: i64 =
                executed.map(|(request, known)| i64::from(known.executed) * request.amount).sum();
            let view = self.desk.state.account(AccountId::new(u32::from(account), 1));
            assert_eq!(
                view.map(|view| view.balance.0),
                Some(sum),
                "what was done is on the account"
            );
        }
        self.desk.finish();
        // At the end of time keys are kept for ever: it does not come.
        if i64::MAX - 8 * WINDOW < self.now() {
            return;
        }
        // Long after everything, nothing is kept any more: no place was lost.
        self.desk.wait(3 * WINDOW);
        self.desk.tick();
        self.desk.work();
        assert_eq!(self.desk.state.keys_kept(), 0, "every key gives its place back");
        assert!(self.desk.state.seq() != Seq(0));
    }
}

/// One request and everything that can come behind it.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |commands: &[[u8; 4]]| [&[3, 20][..], commands.as_flattened()].concat();
    let ask = [0, 0, 4, 1];
    let again = [4, 0, 0, 0];
    let resolve = [7, 0, 0, 0];
    // To the end of its window and its edges: one window after the time limit, and a moment more.
    let edge = |by: u8| [11, 0, 4, by];
    vec![
        (
            "asked-again-at-the-edges",
            of(&[
                ask,
                again,
                [11, 0, 0, 1],
                again,
                [11, 0, 0, 2],
                again,
                edge(1),
                again,
                edge(2),
                again,
            ]),
        ),
        ("resolved-after", of(&[ask, resolve, edge(1), resolve, edge(2), resolve, again])),
        ("resolved-before", of(&[[9, 0, 4, 0], [0, 0, 4, 1], [9, 0, 4, 0], edge(2), again])),
        ("reused", of(&[ask, [0, 0, 4, 2], [0, 0, 3, 1], edge(2), [0, 0, 3, 1], again])),
        (
            "forgotten-and-named-anew",
            of(&[ask, edge(2), [12, 1, 0, 0], [12, 2, 0, 0], [0, 0, 2, 1], again, [5, 1, 0, 0]]),
        ),
        (
            "steps-late",
            of(&[
                ask,
                edge(2),
                [0, 0, 2, 1],
                [10, 6, 0, 0],
                [12, 0, 0, 0],
                [5, 1, 0, 0],
                [12, 2, 0, 0],
            ]),
        ),
        (
            "in-quarantine",
            of(&[[14, 0, 0, 0], ask, [15, 0, 0, 0], again, [14, 0, 0, 0], again, resolve]),
        ),
        (
            "restarts-and-crashes",
            of(&[ask, [13, 0, 0, 0], again, [13, 1, 0, 0], again, edge(1), [13, 0, 0, 0], again]),
        ),
        (
            "full",
            [
                &[3, 0][..],
                [
                    [0, 0, 4, 1],
                    [0, 1, 4, 1],
                    [0, 2, 4, 1],
                    [0, 3, 4, 1],
                    [0, 4, 4, 1],
                    [0, 5, 4, 1],
                    [0, 6, 4, 1],
                    [0, 7, 4, 1],
                    [15, 0, 0, 0],
                    [4, 0, 0, 0],
                    [4, 7, 0, 0],
                ]
                .as_flattened(),
            ]
            .concat(),
        ),
    ]
}
