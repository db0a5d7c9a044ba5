//! How long is the longest turn of the loop while very many bets are settled, opened again, voided, or lapse, and do
//! other markets notice? The real loop and journal, inline, on this thread; the sync is part of a turn.

use crate::error::Error;
use crate::recorder::{Quantiles, Recorder};
use betring::{
    AnswerKind, Capacities, Client, Clock, Config, Control, Cores, Currency, Engine, Layout,
    Limits, Market, Minor, Nanos, Owner, Place, PricePolicy, Reference, Reply, SelectionOutcome,
    Slot, Timestamp, key, money, price,
};
use betring_core::command::{CancelBets, MarketResult, ResultEntry, RollbackResult, build};
use betring_core::id::SelectionIndex;
use betring_core::wire::Header;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bets in other markets offered before each turn.
const OTHERS: usize = 8;
const ACCOUNTS: u64 = 64;
/// Units of a job in a turn: the default.
const UNITS: u32 = 32;
/// Turns beside those that a job needs, and turns of the calm before and after.
const SPARE: usize = 512;
/// The delay of the market whose bets all wait when it is suspended.
const DELAY: Nanos = Nanos::from_secs(600);
const NAMES: [&str; 3] = ["home", "draw", "away"];

/// One turn of the loop: a function of its own, so that callgrind can count each call.
#[inline(never)]
fn measured_turn(engine: &Engine) -> Result<betring::Turn, betring::Error> {
    engine.turn()
}

/// What was done, and what others saw of it.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// What.
    pub name: &'static str,
    /// How long it took, with the bets of others.
    pub took: Duration,
    /// Turns of the loop.
    pub turns: u64,
    /// Bets of others that were taken, all that were asked for.
    pub others: u64,
    /// How long a turn took, a sync included: the bets of others wait for it.
    pub turn: Quantiles,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// In order: before, settle, rollback, cancel, lapse, after.
    pub phases: Vec<Phase>,
    /// How long the one command took that suspended the market whose bets waited.
    pub suspended: Duration,
    /// The digest of all money, the same by a second reader of the journal.
    pub money: String,
}

/// Plays it with so many bets in a market that is settled, opened again and cancelled, and as many in one that wait and
/// lapse. `tell` gets every phase when it is over.
///
/// # Errors
/// [`Error::Wrong`] if a bet is not what it has to be, and those of the engine and its files.
pub fn run(dir: &Path, bets: u32, tell: &mut dyn FnMut(&Phase)) -> Result<Run, Error> {
    let mut phases = Vec::new();
    let mut done = |phase: Phase| {
        tell(&phase);
        phases.push(phase);
    };
    let mut night = Night::open(dir, bets)?;
    let settled = night.market("settled")?;
    let waiting = night.market("in play")?;
    night.trader.in_play(&waiting, DELAY)?;
    night.fill(&settled, bets, AnswerKind::Accepted)?;
    night.fill(&waiting, bets, AnswerKind::Pending)?;
    done(night.phase("before", 0, |_| Ok(()))?);
    let until = night.trader.now().plus(Nanos::from_secs(3_000));
    let header = Header { account: night.trader.actor().0, ..Header::default() };
    let asked = |number| Header { key: key(number), ..header };

    night.trader.close_market(&settled)?;
    let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
    let before = night.paid(&settled)?;
    same(before, (bets, 0), "all bets stand, none is paid")?;
    let market = settled.id();
    let entries = [(0, win), (1, lose), (2, lose)]
        .map(|(at, outcome)| ResultEntry::new(SelectionIndex(at), outcome));
    let body = MarketResult { valid_until: until, market, ..MarketResult::default() };
    let result = build::result(asked(1 << 64), body, &entries).map_err(Error::from)?;
    done(night.phase("settle", bets, |trader| submit(trader, &result))?);
    same(night.paid(&settled)?, (0, bets.div_ceil(3)), "one in three won")?;
    let body = RollbackResult { valid_until: until, market, ..RollbackResult::default() };
    let rollback = [build::plain(asked(2 << 64), &body)];
    done(night.phase("rollback", bets, |trader| submit(trader, &rollback))?);
    same(night.paid(&settled)?, (bets, 0), "all bets stand again, none is paid")?;
    let body = CancelBets { valid_until: until, market, cancel: 1, ..CancelBets::default() };
    let cancel = [build::plain(asked(3 << 64), &body)];
    done(night.phase("cancel", bets, |trader| submit(trader, &cancel))?);
    same(night.paid(&settled)?, (0, bets), "every stake went back")?;

    // The suspension is one command; what waits ends when its time has come.
    let suspended = Instant::now();
    night.trader.suspend(&waiting, Owner::Trader)?;
    let suspended = suspended.elapsed();
    let clock = night.engine.clock();
    done(night.phase("lapse", bets, |_| {
        clock.advance(DELAY);
        Ok(())
    })?);
    same(night.standing(&waiting)?, 0, "none of those that waited became a bet")?;
    done(night.phase("after", 0, |_| Ok(()))?);

    let (_, _, money) = night.engine.digests()?;
    let view = night.engine.view_at(betring::Level::Durable)?;
    let book = view.at_least(night.engine.durable_seq(), Duration::from_secs(600))?;
    same(book.money_digest(), money, "the follower's money is the loop's")?;
    drop(book);
    Ok(Run { phases, suspended, money: money.to_string() })
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T, rule: &str) -> Result<(), Error> {
    Error::unless(found == expected, || format!("{rule}: {found:?}, not {expected:?}"))
}

/// Sends a command and does not wait: whoever waits for an engine without threads turns it until it is idle, and
/// then all of a job is done in no turn that anybody measures.
fn submit(trader: &mut Control, command: &[Slot]) -> Result<(), Error> {
    trader.try_submit(command).map(drop).map_err(|why| betring::Error::from(why).into())
}

/// An engine with accounts and three markets that nothing happens to but bets.
struct Night {
    engine: Engine,
    trader: Control,
    client: Client,
    accounts: Vec<betring::AccountId>,
    others: Vec<Market>,
    next_key: u128,
    replies: Vec<Reply>,
}

impl Night {
    fn open(dir: &Path, bets: u32) -> Result<Night, Error> {
        let phases = 4 * (bets / UNITS) + 6 * SPARE as u32;
        let all = 2 * bets + phases * OTHERS as u32 + 10_000;
        let config = Config::at(dir)
            .layout(Layout::Inline)
            .cores(Cores::Unpinned)
            .clock(Clock::manual(Timestamp(1_000_000_000)))
            .window(Nanos::from_secs(3_600))
            .step_budget(UNITS as u16)
            .capacities(Capacities {
                accounts: 128,
                markets: 16,
                selections: 64,
                bets: all,
                keys: all / 15 * 16 + 1_000,
                feeds: 1,
                fixtures: 1,
                actors: 8,
                currencies: 1,
                quarantined: 1,
                legs: all,
                groups: 1,
                limited: 1,
                orders: 1,
                positions: 1,
                stands: 1,
                levels: 1,
            })
            .bet_ring(1 << 12)
            .clients(4, 4096);
        let engine = Engine::open(config)?;
        let mut trader = engine.control("trader:bench")?;
        let limits = Limits { max_stake: Minor(100_000), ..Limits::UNLIMITED };
        trader.set_limits(Currency::GBP, limits)?;
        let mut client = engine.client(4096)?;
        let mut accounts = Vec::new();
        for reference in 1..=ACCOUNTS {
            let account = client.open_account(Reference(reference), Currency::GBP)?;
            client.deposit(account, money!(10_000_000.00), key(1))?;
            accounts.push(account);
        }
        let replies = vec![Reply::default(); 4096];
        let others = Vec::new();
        let mut night = Night { engine, trader, client, accounts, others, next_key: 1, replies };
        for name in ["other 1", "other 2", "other 3"] {
            let market = night.market(name)?;
            night.others.push(market);
        }
        Ok(night)
    }

    fn market(&mut self, name: &str) -> Result<Market, Error> {
        let market = self.trader.define_market(name, NAMES)?;
        self.trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
        self.trader.open_market(&market)?;
        Ok(market)
    }

    fn slot(&mut self, market: &Market, name: &str) -> Slot {
        self.next_key += 1;
        let account = self.accounts[self.next_key as usize % self.accounts.len()];
        Place::single(account, market.selection(name), money!(1.00))
            .policy(PricePolicy::Any)
            .key(key(self.next_key))
            .slot(self.engine.now())
    }

    /// How many answers of a kind came; no other may.
    fn collect(&mut self, kind: AnswerKind) -> Result<u32, Error> {
        let count = self.client.poll(&mut self.replies);
        for reply in &self.replies[..count] {
            same(reply.answer.kind(), kind, "a bet was answered otherwise")?;
        }
        Ok(count as u32)
    }

    fn fill(&mut self, market: &Market, bets: u32, kind: AnswerKind) -> Result<(), Error> {
        let (mut placed, mut answered) = (0, 0);
        while placed < bets {
            let count = (bets - placed).min(2048);
            let slots = (placed..placed + count).map(|i| NAMES[i as usize % 3]);
            let batch: Vec<Slot> = slots.map(|name| self.slot(market, name)).collect();
            placed += self.client.submit_batch(&batch).commands as u32;
            self.engine.run_until_idle()?;
            answered += self.collect(kind)?;
        }
        same(answered, bets, "every bet was answered")
    }

    /// Begins something, and turns the loop under the same load of bets in other markets until it has
    /// had the turns to do it.
    fn phase(
        &mut self,
        name: &'static str,
        bets: u32,
        begin: impl FnOnce(&mut Control) -> Result<(), Error>,
    ) -> Result<Phase, Error> {
        let started = Instant::now();
        begin(&mut self.trader)?;
        let turns = (bets / UNITS) as usize + SPARE;
        let mut times = Recorder::new();
        let mut taken = 0;
        for turn in 0..turns {
            let market = self.others[turn % 3].clone();
            let batch: [Slot; OTHERS] = std::array::from_fn(|_| self.slot(&market, "draw"));
            let sent = self.client.submit_batch(&batch);
            same(sent.commands, OTHERS, "the bet ring takes them")?;
            let start = Instant::now();
            measured_turn(&self.engine)?;
            times.record(i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX));
            taken += self.collect(AnswerKind::Accepted)?;
        }
        self.engine.run_until_idle()?;
        taken += self.collect(AnswerKind::Accepted)?;
        let (turns, others) = (turns as u64, u64::from(taken));
        same(others, turns * OTHERS as u64, "no bet elsewhere was lost or refused")?;
        Ok(Phase { name, took: started.elapsed(), turns, others, turn: times.quantiles() })
    }

    /// How many bets of a market stand, and how many have been paid.
    fn paid(&self, market: &Market) -> Result<(u32, u32), Error> {
        let view = self.engine.view_at(betring::Level::Durable)?;
        let book = view.at_least(self.engine.durable_seq(), Duration::from_secs(600))?;
        let open = book.market(market.id()).map_or(0, |market| market.open_bets);
        let paid = book.bets().filter(|b| b.market == market.id() && 0 < b.paid.0).count();
        Ok((open, paid as u32))
    }

    fn standing(&self, market: &Market) -> Result<u32, Error> {
        Ok(self.paid(market)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bets_are_settled_opened_again_cancelled_and_lapse_and_nobody_else_is_refused() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let mut told = 0;
        let run = run(&dir.path().join("book"), 300, &mut |_| told += 1).expect("it holds");
        let names: Vec<&str> = run.phases.iter().map(|phase| phase.name).collect();
        assert_eq!(names, ["before", "settle", "rollback", "cancel", "lapse", "after"]);
        assert_eq!(told, names.len());
        for phase in &run.phases {
            assert_eq!((phase.turn.count, phase.others), (phase.turns, phase.turns * 8));
        }
    }
}
