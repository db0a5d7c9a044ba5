//! A State with its journal in memory and a checker at its shoulder: the inline engine of the tests.

use crate::BetState;
use crate::answer::{Answer, Reply};
use crate::command::{self, Capacities, Command, EpochOpened, Genesis, Kind, Purse, Step, Tick};
use crate::event::{Event, EventReader, Events, HouseAccount, LedgerAccount, TransferWhy};
use crate::id::*;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::{Admission, LOGIC_VERSION, Stamp, State};
use crate::time::Timestamp;
use crate::wire::{self, Header, Minor};
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

/// A record as a journal holds it: the command and everything it caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the order.
    pub seq: Seq,
    /// When it was stamped.
    pub at: Timestamp,
    /// The command's bytes.
    pub command: Vec<u8>,
    /// The bytes of its events.
    pub events: Vec<u8>,
}

impl Record {
    /// The command's kind.
    pub fn kind(&self) -> Option<Kind> {
        self.command.first().copied().and_then(Kind::from_code)
    }
}

/// Sequences commands as the engine does, keeps the records, and checks after each.
///
/// Every method fails with a sentence as soon as an invariant does not hold.
pub struct Desk<R: Rules> {
    rules: R,
    state: State<R>,
    now: Timestamp,
    capacities: Capacities,
    records: Vec<Record>,
    replies: Vec<Reply>,
    events: Events,
    /// Every balance, folded from the recorded transfers alone, by currency and account.
    folded: BTreeMap<(u16, LedgerAccount), i128>,
    /// By account and key: the answer that was given, and until when it has to be repeated.
    answers: BTreeMap<(u64, RequestKey), (Answer, Timestamp)>,
    /// The events of the last command that a ring could have brought.
    told: Vec<&'static str>,
}

/// More work than any script can leave behind in one turn: beyond it the work has no end.
const TURNS_MAX: u32 = 1_000_000;

impl<R: Rules> Desk<R> {
    /// Begins a journal: Genesis and the first run.
    ///
    /// # Errors
    /// If either is refused, or an invariant does not hold.
    pub fn open(
        rules: R,
        now: Timestamp,
        genesis: Genesis,
        capacities: Capacities,
    ) -> Result<Desk<R>, String> {
        let mut desk = Desk {
            state: State::new(rules.clone()),
            rules,
            now,
            capacities,
            records: Vec::new(),
            replies: Vec::new(),
            events: Events::new(),
            folded: BTreeMap::new(),
            answers: BTreeMap::new(),
            told: Vec::new(),
        };
        desk.done(now, wire::slots(Header::default(), &genesis, &[]).as_bytes())?;
        desk.begin_run(now, Seq(0))?;
        Ok(desk)
    }

    fn begin_run(&mut self, now: Timestamp, kept: Seq) -> Result<(), String> {
        let body = EpochOpened {
            epoch: Epoch(self.state.epoch().0 + 1),
            logic_version: LOGIC_VERSION,
            rules_id: R::ID,
            rules_version: R::VERSION,
            capacities: self.capacities,
            kept_seq: kept,
            ..EpochOpened::default()
        };
        self.done(now, wire::slots(Header::default(), &body, &[]).as_bytes())
    }

    /// Gives a command of the engine's own, which nobody may refuse.
    fn done(&mut self, now: Timestamp, bytes: &[u8]) -> Result<(), String> {
        let before = self.state.seq();
        let reply = self.ask(now, bytes)?;
        if reply.answer.reject().is_some() || self.state.seq() == before {
            return Err(format!("a command of the engine's own was not sequenced: {reply}"));
        }
        Ok(())
    }

    /// Ends the run and begins the next, with capacities grown to `capacities`: the records are replayed
    /// into a fresh State, which has to be the same; its image is read back, and what comes out goes on.
    ///
    /// # Errors
    /// If the replay differs, or the new run is refused.
    pub fn restart(&mut self, now: Timestamp, capacities: Capacities) -> Result<(), String> {
        let replayed = self.replayed()?;
        let image = replayed.image().map_err(|error| error.to_string())?;
        self.state = State::from_image(self.rules.clone(), &image, replayed.digest())
            .map_err(|error| error.to_string())?;
        self.state.check().map_err(|what| format!("after the image: {what}"))?;
        self.capacities = self.capacities.grown(capacities);
        let kept = self.state.seq();
        self.begin_run(now, kept)
    }

    /// The state.
    pub fn state(&self) -> &State<R> {
        &self.state
    }

    /// The records so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Every reply so far, those to the engine's own commands too.
    pub fn replies(&self) -> &[Reply] {
        &self.replies
    }

    /// The records and the replies.
    pub fn into_parts(self) -> (Vec<Record>, Vec<Reply>) {
        (self.records, self.replies)
    }

    /// What may be kept in this run.
    pub fn capacities(&self) -> Capacities {
        self.capacities
    }

    /// The names of the events of the last command that was not a Step or Tick.
    pub fn told(&self) -> &[&'static str] {
        &self.told
    }

    /// Whatever may be given in any bytes at all is answered, as the engine would.
    ///
    /// # Errors
    /// If an invariant does not hold.
    pub fn ask(&mut self, now: Timestamp, bytes: &[u8]) -> Result<Reply, String> {
        if now < self.now {
            return Err("a desk's clock never goes back".to_owned());
        }
        self.now = now;
        let reply = match command::decode(bytes) {
            Err(what) => {
                let first = bytes.first_chunk::<{ wire::SLOT }>().map(|bytes| wire::Slot(*bytes));
                self.state.malformed(now, first.as_ref(), what)
            }
            Ok((header, command)) => match self.state.admit(now, &header, &command, bytes) {
                Admission::Answer(reply) => {
                    self.check_unsequenced(&header, &reply)?;
                    reply
                }
                Admission::Sequence(admitted) => {
                    let stamp = Stamp { seq: self.state.seq().next(), at: now };
                    let money = self.state.money_digest();
                    self.events.clear();
                    let reply =
                        self.state.apply(stamp, &header, &command, admitted, &mut self.events);
                    self.records.push(Record {
                        seq: stamp.seq,
                        at: now,
                        command: bytes.to_vec(),
                        events: self.events.as_bytes().to_vec(),
                    });
                    self.check_sequenced(stamp, &header, &command, &reply)?;
                    let unmoved = self.state.money_digest() == money;
                    self.check_refusal_changes_nothing(&reply, unmoved)?;
                    reply
                }
            },
        };
        if !reply.answer.is_valid() {
            return Err(format!("an answer that is none: {:?}", reply.answer.as_bytes()));
        }
        self.replies.push(reply);
        Ok(reply)
    }

    /// Gives one Step.
    ///
    /// # Errors
    /// If an invariant does not hold.
    pub fn step(&mut self, now: Timestamp, budget: u16) -> Result<(), String> {
        let body = Step { budget, ..Step::default() };
        self.done(now, wire::slot(Header::default(), &body).as_bytes())
    }

    /// Gives one Tick.
    ///
    /// # Errors
    /// If an invariant does not hold.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), String> {
        self.done(now, wire::slot(Header::default(), &Tick::default()).as_bytes())
    }

    /// Lets time pass up to `until` as the engine does: work in Steps, and a Tick when something is due.
    ///
    /// # Errors
    /// If an invariant does not hold, or the work has no end.
    pub fn run_until(&mut self, until: Timestamp) -> Result<(), String> {
        for _ in 0..TURNS_MAX {
            if self.state.has_work() {
                self.step(self.now, self.state.step_budget())?;
                continue;
            }
            match self.state.next_due() {
                Some(due) if due <= until => {
                    let at = due.max(self.now);
                    self.tick(at)?;
                    if self.state.next_due().is_some_and(|next| next <= due)
                        && !self.state.has_work()
                    {
                        return Err(format!("a Tick at {at} left what was due at {due}"));
                    }
                }
                _ => return Ok(()),
            }
        }
        Err(format!("after {TURNS_MAX} turns there is still work"))
    }

    /// Replays all records in a fresh State and compares every event and both digests.
    ///
    /// # Errors
    /// At the first difference. Otherwise the digest.
    pub fn compare_replay(&self) -> Result<String, String> {
        self.replayed().map(|state| state.digest().to_string())
    }

    fn replayed(&self) -> Result<State<R>, String> {
        let mut state = State::new(self.rules.clone());
        let mut events = Events::new();
        for record in &self.records {
            events.clear();
            let stamp = Stamp { seq: record.seq, at: record.at };
            let reply = state.replay(stamp, &record.command, &mut events);
            let seq = record.seq;
            if let Err(error) = reply {
                return Err(format!("the replay of {seq} failed: {error}"));
            }
            if events.as_bytes() != record.events {
                let then: Vec<_> = EventReader::new(&record.events).collect();
                let now: Vec<_> = events.iter().collect();
                return Err(format!("the replay of {seq} told\n{now:?}\ninstead of\n{then:?}"));
            }
        }
        state.check().map_err(|what| format!("after the replay: {what}"))?;
        let same = (state.digest(), state.money_digest());
        let live = (self.state.digest(), self.state.money_digest());
        if same != live {
            return Err(format!("the replay's digests are {same:?}, the live ones {live:?}"));
        }
        Ok(state)
    }

    // ---- what has to hold ----

    fn check_unsequenced(&self, header: &Header, reply: &Reply) -> Result<(), String> {
        self.check_envelope(header, reply)?;
        if self.state.seq() < reply.as_of {
            return Err(
                "an answer out of memory is as of a sequence that does not exist".to_owned()
            );
        }
        if reply.is_duplicate() {
            let first = self.answers.get(&(header.account, header.key)).map(|(answer, _)| answer);
            if first != Some(&reply.answer) {
                return Err(format!("repeated {reply}, the first answer was {first:?}"));
            }
        }
        let decided = reply.answer.reject().is_some_and(Reject::is_decided);
        if decided && !reply.is_duplicate() {
            return Err(format!("a decided refusal was not sequenced: {reply}"));
        }
        Ok(())
    }

    fn check_envelope(&self, header: &Header, reply: &Reply) -> Result<(), String> {
        let said = (reply.account, reply.key, reply.client, reply.stamped, reply.epoch);
        let asked = (header.account, header.key, header.client, self.now, self.state.epoch());
        if said != asked {
            return Err(format!("the reply's envelope is {said:?}, it has to be {asked:?}"));
        }
        Ok(())
    }

    fn check_sequenced(
        &mut self,
        stamp: Stamp,
        header: &Header,
        command: &Command<'_>,
        reply: &Reply,
    ) -> Result<(), String> {
        self.check_envelope(header, reply)?;
        let own = matches!(command, Command::Step(_) | Command::Tick(_));
        if !own {
            self.told.clear();
        }
        if (self.state.seq(), reply.as_of) != (stamp.seq, stamp.seq) {
            return Err(format!("{} was answered as of {}", stamp.seq, reply.as_of));
        }
        if let Some(reject) = reply.answer.reject()
            && !reject.is_decided()
        {
            return Err(format!("{reject} may not be sequenced"));
        }
        let mut answered = 0;
        for event in self.events.iter() {
            let event = event.map_err(|what| format!("{}: {what}", stamp.seq))?;
            if !own {
                self.told.push(event.name());
            }
            match event {
                Event::Transfer(moved) => {
                    if moved.amount.0 <= 0 || moved.from == moved.to {
                        return Err(format!("a transfer of nothing: {moved:?}"));
                    }
                    let amount = i128::from(moved.amount.0);
                    let from = self.folded.entry((moved.currency, moved.from)).or_default();
                    *from -= amount;
                    let may_owe = [TransferWhy::Reverse as u8, TransferWhy::Adjust as u8];
                    // What a wallet holds comes in and goes on at once, past a debt.
                    let passes = [TransferWhy::Stake as u8, TransferWhy::WalletOut as u8];
                    let owner = moved.from.owner();
                    let account = owner.ok().and_then(|id| self.state.account(id));
                    let external = account.is_some_and(|view| view.purse == Purse::External);
                    // News of an exchange market come in steps.
                    let news = [TransferWhy::Exposure, TransferWhy::Net, TransferWhy::Commission];
                    let news = own && news.iter().any(|why| *why as u8 == moved.why);
                    let passes = external && passes.contains(&moved.why);
                    let may_owe = may_owe.contains(&moved.why) || passes || news;
                    if owner.is_ok() && *from < 0 && !may_owe {
                        return Err(format!("{} is overdrawn by {moved:?}", moved.from));
                    }
                    *self.folded.entry((moved.currency, moved.to)).or_default() += amount;
                }
                Event::Answered(event) => {
                    answered += 1;
                    let same = event.answer == reply.answer
                        && (event.account, event.key) == (reply.account, reply.key);
                    if !same {
                        return Err(format!("answered {reply}, recorded {}", event.answer));
                    }
                    let kept_until = event.valid_until.plus(self.state.window());
                    let request = (event.account, event.key);
                    let before = self.answers.insert(request, (event.answer, kept_until));
                    if before.is_some_and(|(_, kept_until)| self.now <= kept_until) {
                        let key = event.key;
                        return Err(format!("{key} was decided twice within its window"));
                    }
                }
                _ => (),
            }
        }
        let keyed = header.key != RequestKey::NONE;
        if answered != u32::from(keyed) {
            return Err(format!("{}: {answered} answers recorded for one key", stamp.seq));
        }
        self.state.check().map_err(|what| format!("{}: {what}", stamp.seq))?;
        self.check_bets().map_err(|what| format!("{}: {what}", stamp.seq))?;
        self.check_ledger().map_err(|what| format!("{}: {what}", stamp.seq))
    }

    /// What was paid for a bet follows from how it came out.
    fn check_bets(&self) -> Result<(), String> {
        for bet in self.state.bets() {
            let due = match bet.state {
                // What these pay, `State::check` computes again; never more than could be returned.
                BetState::Won | BetState::Partial if bet.paid <= bet.returns => continue,
                BetState::Won | BetState::Partial => bet.returns,
                // What was refused before its stake was here has nothing to give back.
                BetState::Rejected if bet.hold.is_some() && bet.paid.0 == 0 => Minor(0),
                BetState::Void | BetState::OfferEnded | BetState::Rejected => bet.stake,
                BetState::Held
                | BetState::Delayed
                | BetState::Referred
                | BetState::Offered
                | BetState::Open
                | BetState::CashingOut
                | BetState::CashedOut
                | BetState::Lost
                | BetState::Archived => Minor(0),
            };
            if bet.paid != due {
                let (id, state, paid) = (bet.id, bet.state, bet.paid);
                return Err(format!("{id} is {state} and was paid {paid}, not {due}"));
            }
        }
        Ok(())
    }

    /// The ledger is zero in every currency, and every balance is what the transfers made it.
    fn check_ledger(&self) -> Result<(), String> {
        let mut balances: BTreeMap<(u16, LedgerAccount), i128> = BTreeMap::new();
        for account in self.state.accounts() {
            let key = (account.currency.numeric(), LedgerAccount::customer(account.id));
            balances.insert(key, i128::from(account.balance.0));
            let bonus = (account.currency.numeric(), LedgerAccount::bonus(account.id));
            balances.insert(bonus, i128::from(account.bonus.0));
        }
        for currency in self.state.currencies() {
            let mut sum = 0;
            for house in HouseAccount::ALL {
                let balance = self.state.house(*house, currency);
                let number = currency.numeric();
                balances.insert((number, LedgerAccount::house(*house, number)), balance);
            }
            for ((of, _), balance) in &balances {
                if *of == currency.numeric() {
                    sum += balance;
                }
            }
            if sum != 0 {
                return Err(format!("the ledger of currency {currency} is {sum}, not zero"));
            }
        }
        for (key, folded) in &self.folded {
            let balance = balances.remove(key).unwrap_or(0);
            if balance != *folded {
                let (currency, account) = key;
                return Err(format!(
                    "{account} in currency {currency} has {balance}, the transfers say {folded}"
                ));
            }
        }
        match balances.iter().find(|(_, balance)| **balance != 0) {
            None => Ok(()),
            Some(((_, account), balance)) => {
                Err(format!("{account} has {balance}, and no transfer says so"))
            }
        }
    }

    /// A refusal changes nothing but what is kept of its key; a feed's message was heard all the same.
    fn check_refusal_changes_nothing(&self, reply: &Reply, unmoved: bool) -> Result<(), String> {
        let Some(reject) = reply.answer.reject() else { return Ok(()) };
        let kept = |name: &&str| matches!(*name, "Answered" | "EventHash" | "FeedChanged");
        if let Some(other) = self.told.iter().find(|name| !kept(name)) {
            return Err(format!("{reject} is a refusal, and told {other}"));
        }
        if unmoved { Ok(()) } else { Err(format!("{reject} moved money")) }
    }
}
