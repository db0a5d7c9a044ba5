//! What must hold between any two commands, recomputed from scratch; and the digests of it all.
//!
//! Slow and obvious on purpose: called by tests, simulators and tools, never by the loop.

use crate::bet::{Bet, BetState};
use crate::digest::{Digest, Digester};
use crate::event::{HouseAccount, MarketStatus};
use crate::market::{Market, NO_BET, Suspension};
use crate::rules::Rules;
use crate::state::State;
use std::cmp::Reverse;
use zerocopy::IntoBytes;

fn rule(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(sentence()) }
}

fn suspension(digest: &mut Digester, suspension: &Suspension) {
    digest.put(suspension.owners).put(suspension.seq.0);
}

impl<R: Rules> State<R> {
    /// Checks every rule that must hold between two commands.
    ///
    /// # Errors
    /// The first rule that does not, as a sentence with its figures.
    pub fn check(&self) -> Result<(), String> {
        self.check_ledger()?;
        self.check_bets()?;
        self.check_risk()
    }

    fn check_ledger(&self) -> Result<(), String> {
        for (book, kept) in self.ledger.books.iter().enumerate() {
            let own = |a: &&crate::ledger::Account| usize::from(a.currency) == book;
            let customers = self.ledger.accounts.iter().filter(own);
            let sum = customers.map(|a| i128::from(a.balance)).sum::<i128>();
            let house = kept.house.iter().sum::<i128>();
            rule(sum + house == 0, || {
                format!("the ledger is zero per currency: {} is {}", kept.currency, sum + house)
            })?;
            let in_escrow = self.bets.iter().filter(|bet| {
                usize::from(bet.book) == book
                    && matches!(bet.state, BetState::Open | BetState::Offered)
            });
            let stakes = in_escrow.map(|bet| i128::from(bet.stake)).sum::<i128>();
            let escrow = self.ledger.house(book as u8, HouseAccount::Escrow);
            rule(stakes == escrow, || {
                format!("escrow is the stakes of open and offered bets: {escrow} is not {stakes}")
            })?;
        }
        for (index, account) in self.ledger.accounts.iter().enumerate() {
            rule(0 <= account.balance, || format!("no account is overdrawn: A{} is", index + 1))?;
            let own = |bet: &&Bet| {
                bet.account as usize == index
                    && matches!(bet.state, BetState::Open | BetState::Offered)
            };
            let pending = self.bets.iter().filter(own).map(|bet| i128::from(bet.returns));
            rule(i128::from(account.pending) == pending.sum::<i128>(), || {
                format!("what A{} may yet win is the sum of its bets' returns", index + 1)
            })?;
        }
        Ok(())
    }

    fn check_bets(&self) -> Result<(), String> {
        let mut listed = 0;
        for (index, market) in self.markets.iter().enumerate() {
            if market.status == MarketStatus::Archived {
                continue;
            }
            let id = self.market_id(index as u32);
            let (mut at, mut last, mut open) = (market.head, NO_BET, 0);
            while at != NO_BET && market.status != MarketStatus::Archiving {
                let bet = &self.bets[at as usize];
                rule(bet.market == index as u32, || format!("{id} lists only its own bets"))?;
                open += u32::from(bet.state == BetState::Open);
                listed += 1;
                last = at;
                at = bet.next;
            }
            if market.status != MarketStatus::Archiving {
                rule(open == market.open_bets, || format!("{id} counts its open bets"))?;
                rule(last == market.tail, || format!("{id} knows its last bet"))?;
            }
            let over = matches!(market.status, MarketStatus::Settled | MarketStatus::Archiving);
            rule(!over || open == 0, || format!("{id} is over, so none of its bets is open"))?;
            let works = market.job.is_some();
            let working = self.working.contains(&(index as u32));
            rule(works == working, || format!("{id} has a job exactly when it is in turn"))?;
        }
        let live = self.bets.iter().filter(|b| b.state != BetState::Archived).count() as u32;
        rule(live == self.live_bets, || "bets in memory are counted".to_owned())?;
        let archiving = self.markets.iter().any(|m| m.status == MarketStatus::Archiving);
        rule(archiving || listed == live, || "every bet is listed by its market".to_owned())
    }

    fn check_risk(&self) -> Result<(), String> {
        for book in 0..self.ledger.books.len() as u8 {
            for (index, market) in self.markets.iter().enumerate() {
                if market.status == MarketStatus::Archived {
                    continue;
                }
                self.check_market_risk(book, index as u32, market)?;
            }
        }
        Ok(())
    }

    fn check_market_risk(&self, book: u8, index: u32, market: &Market) -> Result<(), String> {
        let id = self.market_id(index);
        let kept = self.risk.returns(book, market.first, market.selections);
        let mut staked = 0;
        for (selection, kept) in kept.iter().enumerate() {
            let on = |bet: &&Bet| {
                bet.market == index
                    && bet.book == book
                    && bet.state == BetState::Open
                    && usize::from(bet.selection.0) == selection
            };
            // Bets on what was withdrawn will be void: the market neither keeps nor pays anything.
            let withdrawn = self.selections[market.first as usize + selection].withdrawn;
            let bets: Vec<&Bet> = self.bets.iter().filter(on).filter(|_| !withdrawn).collect();
            staked += bets.iter().map(|bet| i128::from(bet.stake)).sum::<i128>();
            let returns = bets.iter().map(|bet| i128::from(bet.returns)).sum::<i128>();
            rule(returns == *kept, || {
                format!("what {id} s{selection} would return is the sum of its open bets")
            })?;
        }
        rule(staked == self.risk.staked(book, index), || {
            format!("what is staked on {id} is the sum of its open bets")
        })
    }

    /// A digest of everything, in an order of its own: equal states have equal digests, on any
    /// machine, however they were reached.
    pub fn digest(&self) -> Digest {
        let mut d = Digester::new("state");
        d.bytes(self.genesis.as_bytes()).bytes(self.capacities.as_bytes());
        d.put(R::ID).put(R::VERSION);
        d.put(self.seq.0).put(self.now.0).put(self.epoch.0).put(self.steps);
        d.put(self.running.hash).put(self.running.events);
        suspension(&mut d, &self.suspension);
        for (account, key) in &self.quarantined {
            d.put(*account).bytes(key.as_bytes());
        }
        for names in [&self.actors, &self.feed_names, &self.fixture_names] {
            d.bytes(names.names.as_slice().as_bytes());
        }
        for feed in &self.feeds {
            d.put(feed.status as u8).put(feed.generation).put(feed.seq).put(feed.heard.0);
            d.put(feed.heartbeat.0).put(feed.silence_bound.0).put(feed.delay_bound.0);
            d.put(feed.quickest.map_or(i64::MIN, |q| q.0));
            suspension(&mut d, &feed.suspension);
        }
        for fixture in &self.fixtures {
            d.put(fixture.starts.0);
            suspension(&mut d, &fixture.suspension);
        }
        for account in &self.ledger.accounts {
            d.put(account.balance).put(account.reference).put(account.currency);
            d.put(account.blocked);
        }
        for (book, limits) in self.ledger.books.iter().zip(&self.currency_limits) {
            d.put(book.currency.numeric()).bytes(limits.as_bytes());
            for amount in book.house {
                d.put(amount);
            }
        }
        self.digest_markets(&mut d);
        self.digest_bets(&mut d);

        let mut timers: Vec<_> = self.timers.iter().map(|Reverse(timer)| *timer).collect();
        timers.sort_unstable();
        for (due, created, bet) in timers {
            d.put(due.0).put(created.0).put(bet.raw());
        }
        for market in &self.working {
            d.put(*market);
        }
        d.put(self.keys.len());
        for bucket in self.keys.buckets() {
            d.put(bucket.bucket).put(bucket.end).put(bucket.keys.len() as u64);
            for key in bucket.keys {
                d.put(key.account).bytes(key.key.as_bytes()).put(key.digest);
                d.put(key.valid_until.0).bytes(key.answer.as_bytes()).put(key.sealed);
            }
        }
        d.finish()
    }

    fn digest_markets(&self, d: &mut Digester) {
        for (index, market) in self.markets.iter().enumerate() {
            d.put(market.generation).put(market.status as u8);
            if market.status == MarketStatus::Archived {
                continue;
            }
            d.bytes(self.market_names[index].as_bytes());
            d.put(market.feed.0).put(market.winners).put(market.fixture.raw());
            suspension(d, &market.suspension);
            d.put(market.opened_in.0).put(market.age_bound.0).put(market.version.0);
            d.put(market.first).put(market.selections).put(market.head).put(market.tail);
            d.put(market.open_bets).put(market.settlement);
            if let Some(job) = market.job {
                d.put(job.id.0).put(job.kind as u8).put(job.cursor).put(job.bets).put(job.steps);
            }
            for book in 0..self.ledger.books.len() as u8 {
                let limits = self.own_limits.at(book, index as u32);
                d.bytes(limits.as_ref().map_or(&[][..], |limits| limits.as_bytes()));
            }
            for place in
                market.first as usize..market.first as usize + usize::from(market.selections)
            {
                let selection = &self.selections[place];
                d.bytes(self.selection_names[place].as_bytes());
                d.bytes(selection.price.as_bytes()).put(selection.version.0);
                d.put(selection.received.0).put(selection.as_of.0).put(selection.delay.0);
                d.put(selection.generation).put(selection.withdrawn);
                d.put(selection.outcome.map_or(0, |outcome| outcome as u8));
            }
        }
        for index in &self.free_markets {
            d.put(*index);
        }
        for blocks in &self.free_blocks {
            d.put(blocks.len() as u64);
            for first in blocks {
                d.put(*first);
            }
        }
    }

    fn digest_bets(&self, d: &mut Digester) {
        d.put(self.live_bets).put(self.free_bet);
        for bet in &self.bets {
            d.put(bet.generation).put(bet.state as u8).put(bet.next);
            if bet.state == BetState::Archived {
                continue;
            }
            d.put(bet.account).put(bet.market).put(bet.selection.0).put(bet.book);
            d.put(bet.stake).put(bet.returns).bytes(bet.price.as_bytes()).put(bet.version.0);
            d.put(bet.policy).put(bet.basis).put(bet.synthetic).put(bet.slippage);
            d.put(bet.placed_seq.0).put(bet.placed_at.0).put(bet.until.0);
            d.bytes(bet.requested.as_bytes()).put(bet.requested_version.0);
            d.put(bet.price_age.0).put(bet.paid);
        }
    }

    /// A digest of the money: balances, and of each bet its open stake, outcome and what it was paid.
    pub fn money_digest(&self) -> Digest {
        let mut d = Digester::new("money");
        for account in &self.ledger.accounts {
            d.put(account.reference).put(account.currency).put(account.balance);
        }
        for book in &self.ledger.books {
            d.put(book.currency.numeric());
            for amount in book.house {
                d.put(amount);
            }
        }
        for (index, bet) in self.bets.iter().enumerate() {
            if bet.state == BetState::Archived {
                continue;
            }
            let open = matches!(bet.state, BetState::Open | BetState::Offered);
            d.put(bet.id(index as u32).raw()).put(if open { bet.stake } else { 0 });
            d.put(bet.state.outcome() as u8).put(bet.paid);
        }
        d.finish()
    }
}
