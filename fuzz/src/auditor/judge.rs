//! Judging an engine from outside, by its answers alone: any engine, also one that keeps no journal of ours.

use super::{Auditor, Before, Bet, Checked, Ring, describe, money, rule};
use betring_core::BetState;
use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::Timestamp;
use betring_core::wire::Minor;
use betring_pricing::{Money, Price};

impl Auditor {
    /// Begins a journal and a run, as an engine does that is started for the first time.
    ///
    /// # Errors
    /// If it has begun already.
    pub fn begin(&mut self, at: Timestamp, genesis: Genesis, capacities: Capacities) -> Checked {
        rule(self.seq == 0, || "a journal begins once".to_owned())?;
        self.is_born(genesis);
        self.seq = 1;
        self.restarted(at, capacities);
        Ok(())
    }

    /// Somebody is registered as an actor without having asked through the auditor.
    pub fn registered(&mut self, actor: &str) {
        self.actors.push(actor.to_owned());
    }

    /// A new run: feeds have to recover, markets with manual prices wait to be opened.
    pub fn restarted(&mut self, at: Timestamp, capacities: Capacities) {
        self.seq += 1;
        self.now = self.now.max(at.0);
        let epoch = Epoch(self.epoch + 1);
        self.run_begins(&EpochOpened { epoch, capacities, ..EpochOpened::default() });
        self.told.clear();
    }

    /// Decides a command that an engine has answered, and compares what matters to a customer: yes or
    /// no and why, which bet, at which price, for what stake and return. What the engine did not say
    /// (left at zero) is not held against it. Whether the command was decided by this attempt.
    ///
    /// # Errors
    /// What the rules say against the answer.
    pub fn judge(
        &mut self,
        ring: Ring,
        at: Timestamp,
        bytes: &[u8],
        said: &Answer,
    ) -> Checked<bool> {
        let wrong = |expected: &dyn std::fmt::Display| {
            Err(format!("{} was answered {said}, and the rules say {expected}", describe(bytes)))
        };
        let overloaded = said.reject() == Some(Reject::Overloaded);
        match self.before_sequencing(ring, at.0, bytes) {
            Before::Refuse(answer) if said.reject() == answer.reject() => return Ok(false),
            Before::Refuse(answer) => return wrong(&answer),
            Before::Repeat(answer, _) if agrees(&answer, said) => return Ok(false),
            Before::Repeat(answer, _) => return wrong(&format!("again {answer}")),
            Before::RefuseOrSequence(_) if overloaded => return Ok(false),
            Before::RefuseOrSequence(_) | Before::Sequence => (),
        }
        let (header, command) = decode(bytes).map_err(|e| e.to_string())?;
        self.seq += 1;
        self.now = self.now.max(at.0);
        self.told.clear();
        self.said = Some(said.amount);
        let decided = self.decide(&header, &command, said.id);
        let (Ok(answer) | Err(answer)) =
            decided.map_err(|what| format!("{}: {what}", describe(bytes)))?;
        if let Some(reject) = answer.reject() {
            *self.hits.refusals.entry(reject.name().to_owned()).or_default() += 1;
        }
        if !agrees(&answer, said) {
            return wrong(&answer);
        }
        if header.key != RequestKey::NONE {
            // What is repeated later is what was said now.
            let seq = Seq(self.seq);
            let mut kept = answer;
            if answer.kind() == AnswerKind::Started {
                kept.id = said.id;
            }
            kept.seq = seq;
            self.keep(&header, bytes, kept, matches!(command, Command::Resolve(_)));
        }
        self.invariants()?;
        Ok(true)
    }

    /// Does everything that is due: offers end, markets settle, bets leave memory.
    ///
    /// # Errors
    /// If the auditor's own books do not hold.
    pub fn catch_up(&mut self, at: Timestamp) -> Checked {
        self.now = self.now.max(at.0);
        let is_over = |bet: &Bet| {
            let waits = bet.state.waits() || bet.state == BetState::CashingOut;
            waits && super::waits::due(bet) <= self.now
        };
        let over: Vec<u64> =
            self.bets.iter().filter(|(_, bet)| is_over(bet)).map(|(id, _)| *id).collect();
        for id in over {
            if self.bets.get(&id).is_some_and(|bet| bet.state == BetState::CashingOut) {
                self.sale_ends(id)?;
            } else {
                self.wait_ends(id)?;
            }
        }
        while let Some((market, job, kind)) = self.a_job() {
            let here = |bet: &Bet| {
                bet.state != BetState::Archived
                    && bet.legs.iter().any(|leg| leg.market == market && !leg.gone)
            };
            let mut bets: Vec<u64> =
                self.bets.iter().filter(|(_, bet)| here(bet)).map(|(id, _)| *id).collect();
            // The oldest first: what is paid to a wallet before another bet is reversed is not taken back.
            bets.sort_by_key(|id| self.bets.get(id).map(|bet| bet.placed_seq));
            for id in bets.iter().filter(|_| kind != JobKind::Archive) {
                let Some(bet) = self.bets.get(id).cloned() else { continue };
                let is_over = match bet.state {
                    BetState::Held => self.is_decided(&bet),
                    state => state.waits() && self.suspended_since(&bet),
                };
                if is_over {
                    self.wait_ends(*id)?;
                } else if bet.state == BetState::CashingOut {
                    self.sale_ends(*id)?;
                    self.news_reach(*id, market, job);
                } else if bet.state == BetState::Open || bet.state.is_settled() {
                    self.news_reach(*id, market, job);
                }
            }
            let ended = JobEnded {
                job: JobId(job),
                market: MarketId::from_raw(market),
                bets: bets.len() as u64,
                steps: 0,
                kind: kind as u8,
                zero: [0; 7],
            };
            self.exchange_job_is_done(market)?;
            self.job_ends(&ended, &[])?;
        }
        self.timers.retain(|(due, ..)| self.now < *due);
        self.told.clear();
        let alive = |(account, key): &(u64, u128)| {
            self.kept(*account, RequestKey(*key), self.now).is_some()
        };
        let least = self.asked.keys().filter(|request| alive(request)).count() as i64;
        self.places_taken = (least, self.asked.len() as i64);
        self.invariants()
    }

    fn a_job(&self) -> Option<(u64, u64, JobKind)> {
        let mut jobs = self.markets.iter().filter_map(|(id, market)| Some((*id, market.job?)));
        jobs.next().map(|(id, (job, kind))| (id, job, kind))
    }

    /// What is open, for whoever has rules of an own to check.
    pub fn open_bets(&self) -> impl Iterator<Item = OpenBet> + '_ {
        let open = self.bets.iter().filter(|(_, bet)| bet.state == BetState::Open);
        open.filter_map(|(id, bet)| {
            let leg = &bet.legs[0];
            Some(OpenBet {
                id: BetId::from_raw(*id),
                account: AccountId::from_raw(bet.account),
                market: MarketId::from_raw(leg.market),
                starts: self.starts(leg.market),
                selection: SelectionIndex(leg.selection as u16),
                stake: Money::from_minor(i64::try_from(bet.stake).ok()?)?,
                returns: Money::from_minor(i64::try_from(bet.returns).ok()?)?,
                price: leg.price.price()?,
                placed_at: Timestamp(bet.placed_at),
            })
        })
    }

    /// Balances of all customers.
    pub fn balances(&self) -> Vec<(AccountId, Minor)> {
        let balance = |(id, account): (&u64, &super::Account)| {
            (AccountId::from_raw(*id), money(account.balance))
        };
        self.accounts.iter().map(balance).collect()
    }
}

/// An open bet, as an engine's answers made it; of a ticket, its first leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBet {
    /// The bet.
    pub id: BetId,
    /// Whose.
    pub account: AccountId,
    /// In which market.
    pub market: MarketId,
    /// When the market's fixture starts; 0 if it has none, or that is not known.
    pub starts: Timestamp,
    /// On which selection.
    pub selection: SelectionIndex,
    /// What it risks.
    pub stake: Money,
    /// What it returns if it wins, stake included.
    pub returns: Money,
    /// Its price.
    pub price: Price,
    /// When it was asked for.
    pub placed_at: Timestamp,
}

/// Whether an answer says what it has to, as far as it says anything.
fn agrees(expected: &Answer, said: &Answer) -> bool {
    let same = |expected: i64, said: i64| said == 0 || said == expected;
    let started = expected.kind() == AnswerKind::Started;
    expected.kind() == said.kind()
        && expected.reject() == said.reject()
        && (started || said.id == 0 || expected.id == said.id)
        && same(expected.stake.0, said.stake.0)
        && (started || same(expected.amount.0, said.amount.0))
        && (said.policy_reason == 0 || expected.policy_reason == said.policy_reason)
        && (said.price.e4 == 0 || expected.price.e4 == said.price.e4)
}
