//! What must hold between any two commands, recomputed from scratch; and the digests of it all.
//!
//! Slow and obvious on purpose: called by tests, simulators and tools, never by the loop.

use crate::bet::{Bet, BetState, NONE};
use crate::calendar::windows;
use crate::command::EachWayKind;
use crate::digest::{Digest, Digester};
use crate::event::{HouseAccount, MarketStatus};
use crate::id::{ActorId, GroupId};
use crate::market::{Market, MarketStep, Suspension};
use crate::rules::Rules;
use crate::shed::Shedding;
use crate::shorten::shortened;
use crate::state::State;
use crate::tier::Tier;
use crate::time::Timestamp;
use std::cmp::Reverse;
use zerocopy::IntoBytes;

fn rule(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(sentence()) }
}

fn suspension(digest: &mut Digester, suspension: &Suspension) {
    digest.put(suspension.owners).put(suspension.seq.0);
}

/// What an account's bets come to.
#[derive(Clone, Copy, Default)]
struct OfAccount {
    pending: i128,
    may_win: i128,
    held: i128,
    /// One is a probe and the account is not, or the other way round.
    mixed: bool,
}

impl<R: Rules> State<R> {
    /// Checks every rule that must hold between two commands.
    ///
    /// # Errors
    /// The first rule that does not, as a sentence with its figures.
    pub fn check(&self) -> Result<(), String> {
        self.check_ledger()?;
        self.check_bets()?;
        self.check_quotes()?;
        self.check_shedding()?;
        self.check_exchange()?;
        self.check_risk()
    }

    /// What is kept of prices beside what feeds and traders said: counts, and how they are shortened.
    fn check_quotes(&self) -> Result<(), String> {
        for (index, market) in self.markets.iter().enumerate() {
            if market.status == MarketStatus::Archived {
                continue;
            }
            let id = self.market_id(index as u32);
            let group = self.find_group(market.group);
            let grouped =
                group.map_or(market.group == GroupId::NONE, |group| group.primary == market.feed);
            rule(grouped, || format!("{id} is of its group's primary feed"))?;
            let block = &self.selections[market.first as usize..][..usize::from(market.selections)];
            let drifted = block.iter().filter(|kept| kept.drifted).count();
            rule(drifted == usize::from(market.drifted), || {
                format!("{id} counts the selections whose feeds are too far apart")
            })?;
            let priced = market.status.after(MarketStep::Close).is_some();
            rule(priced || drifted == 0, || format!("{id} has a result, and no feeds are apart"))?;
            let since = market.drift_since != Timestamp(0);
            rule(since == (drifted != 0), || format!("{id} knows since when its feeds are apart"))?;
            for (selection, kept) in block.iter().enumerate() {
                for (slot, quote) in kept.quotes.iter().enumerate() {
                    let empty = quote.sent.price.is_none() && !quote.is_held();
                    rule(slot == 0 || group.is_some() || empty, || {
                        format!("{id} s{selection} has a second quote only in a group")
                    })?;
                    rule(quote.price == shortened(quote.sent.price, kept.ticks), || {
                        format!(
                            "{id} s{selection} is priced as its feed says, {} ticks shorter",
                            kept.ticks
                        )
                    })?;
                    let known = quote.version <= market.version;
                    rule(known && kept.pinned_version <= market.version, || {
                        format!("{id} s{selection} has a version that its market has had")
                    })?;
                    rule(!quote.is_held() || !quote.sent.price.is_none(), || {
                        format!("{id} s{selection} holds a price back beside another one")
                    })?;
                }
                rule(kept.steps <= kept.bands && (kept.steps != 0) == (kept.ticks != 0), || {
                    format!("{id} s{selection} is shortened for bands of liability that are filled")
                })?;
            }
        }
        Ok(())
    }

    /// Nobody but an actor says when load is shed.
    fn check_shedding(&self) -> Result<(), String> {
        let Shedding { mode, by } = self.shedding;
        let known = self.actor_name(by).is_some();
        rule(known || (mode.is_none() && by == ActorId(0)), || {
            format!("load is shed by the word of an actor: {by} is none")
        })
    }

    fn check_ledger(&self) -> Result<(), String> {
        for (book, kept) in self.ledger.books.iter().enumerate() {
            let own = |a: &&crate::ledger::Account| usize::from(a.currency) == book;
            let customers = self.ledger.accounts.iter().filter(own);
            let sum = customers.map(|a| i128::from(a.balance) + i128::from(a.bonus)).sum::<i128>();
            let house = kept.house.iter().sum::<i128>();
            rule(sum + house == 0, || {
                format!("the ledger is zero per currency: {} is {}", kept.currency, sum + house)
            })?;
            let in_escrow = self
                .bets
                .iter()
                .filter(|bet| usize::from(bet.book) == book && bet.state.in_escrow())
                .filter(|bet| !bet.synthetic);
            let stakes = in_escrow.map(|bet| i128::from(bet.stake)).sum::<i128>();
            let escrow = self.ledger.house(book as u8, HouseAccount::Escrow);
            let of_book =
                |account: u32| usize::from(self.ledger.accounts[account as usize].currency) == book;
            let kept = stakes + self.exchange.held(of_book);
            rule(kept == escrow, || {
                format!(
                    "escrow is the stakes of bets that stand or wait, and what may be lost on exchanges: \
                     {escrow} is not {kept}"
                )
            })?;
        }
        let mut sums = vec![OfAccount::default(); self.ledger.accounts.len()];
        let counting = |bet: &&Bet| {
            bet.state != BetState::Archived
                && !bet.state.is_refused()
                && bet.state != BetState::CashedOut
        };
        for bet in self.bets.iter().filter(counting) {
            let at = bet.account as usize;
            let (Some(sum), Some(account)) = (sums.get_mut(at), self.ledger.accounts.get(at))
            else {
                return Err(format!(
                    "a bet is of A{}, whom nobody knows",
                    u64::from(bet.account) + 1
                ));
            };
            sum.pending += i128::from(bet.returns);
            sum.may_win += if bet.counts() && !bet.synthetic { bet.may_win() } else { 0 };
            sum.held += if bet.is_bound() { i128::from(bet.stake) } else { 0 };
            sum.mixed |= bet.synthetic != account.synthetic;
        }
        let rooms = self.exchange.rooms(sums.len());
        let accounts = self.ledger.accounts.iter().zip(sums.into_iter().zip(rooms));
        for (index, (account, (sum, room))) in accounts.enumerate() {
            let pending = sum.pending + room;
            rule(i128::from(account.pending) == pending, || {
                format!("what A{} may yet win is the sum over its bets and orders", index + 1)
            })?;
            rule(account.may_win == sum.may_win, || {
                format!("what A{} would win is the sum over its bets that count", index + 1)
            })?;
            rule(account.held == sum.held, || {
                format!("what A{} has held is the sum of its bets that wait bound", index + 1)
            })?;
            rule(!account.external || account.balance <= 0, || {
                format!("A{} is an external wallet's: {} is not here", index + 1, account.balance)
            })?;
            rule(!sum.mixed, || format!("A{} and its bets are probes or not", index + 1))?;
        }
        self.check_own_limits()
    }

    fn check_own_limits(&self) -> Result<(), String> {
        for (at, limited) in self.limited.iter().enumerate() {
            let account = self.ledger.accounts.get(limited.account as usize);
            let own = account.is_some_and(|account| account.limited as usize == at);
            rule(own, || format!("the limits at {at} are those of their account"))?;
            let [deposited, staked, _] = limited.used;
            let counted = deposited.iter().chain(&staked).all(|sum| 0 <= *sum);
            rule(counted, || format!("deposits and stakes at {at} are not below zero"))?;
            let now = windows(self.now);
            let begun = limited.windows.iter().zip(now).all(|(of, now)| *of <= now);
            rule(begun, || format!("what counts at {at} is of a window that has begun"))?;
        }
        let having = self.ledger.accounts.iter().filter(|account| account.limited != NONE);
        rule(having.count() == self.limited.len(), || {
            "every account has limits of its own, or none".to_owned()
        })
    }

    fn check_bets(&self) -> Result<(), String> {
        for (index, bet) in self.bets.iter().enumerate() {
            if bet.state == BetState::Archived {
                continue;
            }
            let id = bet.id(index as u32);
            let legs: Vec<_> = self.legs_of(bet).map(|at| &self.legs[at as usize]).collect();
            rule(legs.len() == usize::from(bet.legs), || {
                format!("{id} has as many legs as it says")
            })?;
            let own = legs.iter().all(|leg| leg.bet == index as u32);
            rule(own, || format!("{id} has only its own legs"))?;
            let undecided = legs.iter().filter(|leg| leg.numbers.is_none()).count();
            rule(undecided == usize::from(bet.undecided), || {
                format!("{id} counts the legs of which nothing is known")
            })?;
            let present = legs.iter().filter(|leg| leg.present).count();
            rule(present == usize::from(bet.present), || {
                format!("{id} counts the legs whose markets are in memory")
            })?;
            let counted = legs.iter().all(|leg| leg.counted == (bet.counts() && leg.present));
            rule(counted, || format!("{id} counts for its markets exactly while it is bound"))?;
            rule(bet.state != BetState::Held || bet.hold.bind.is_some(), || {
                format!("{id} waits for a wallet")
            })?;
            let counted = bet.staked_at != Timestamp::MIN;
            let since = bet.placed_at <= bet.staked_at && bet.staked_at <= self.now;
            let account = self.ledger.accounts.get(bet.account as usize);
            let limited = account.is_some_and(|account| account.limited != NONE);
            let own = limited && !bet.bonus && bet.state != BetState::Held;
            rule(!counted || (since && own), || {
                format!("{id} counts for its account's own limits since its stake was in escrow")
            })?;
            let since = bet.placed_at <= bet.paid_at && bet.paid_at <= self.now;
            rule(bet.paid_at == Timestamp::MIN || (since && limited), || {
                format!("what {id} brought counts for its account's own limits since it was paid")
            })?;
            let due = self.settlement_of(index as u32);
            let settled = bet.state.is_settled();
            let as_known = due.is_some_and(|(_, paid)| paid == bet.paid);
            rule(!settled || as_known, || {
                format!("{id} was paid {} and by what is known of it is due {due:?}", bet.paid)
            })?;
        }
        self.check_lists()?;
        let live = self.bets.iter().filter(|b| b.state != BetState::Archived).count() as u32;
        rule(live == self.live_bets, || "bets in memory are counted".to_owned())?;
        let legs = self.legs.iter().filter(|leg| leg.bet != NONE).count() as u32;
        rule(legs == self.live_legs, || "legs in memory are counted".to_owned())
    }

    fn check_lists(&self) -> Result<(), String> {
        let (mut listed, mut archiving) = (0, false);
        for (index, market) in self.markets.iter().enumerate() {
            if market.status == MarketStatus::Archived {
                continue;
            }
            let id = self.market_id(index as u32);
            archiving |= market.status == MarketStatus::Archiving;
            let (mut at, mut last, mut standing) = (market.head, NONE, 0);
            while at != NONE && market.status != MarketStatus::Archiving {
                let leg = &self.legs[at as usize];
                let own = leg.market_id() == id && leg.present;
                rule(own, || format!("{id} lists only its own legs"))?;
                let bet = &self.bets[leg.bet as usize];
                standing += u32::from(bet.counts());
                let over = market.status == MarketStatus::Settled && market.job.is_none();
                let decided = leg.numbers.is_some() || bet.state.is_refused();
                let sold = bet.state == BetState::CashedOut;
                rule(!over || decided || sold, || {
                    format!("{id} is over, so its legs are decided")
                })?;
                listed += 1;
                last = at;
                at = leg.next;
            }
            if market.status != MarketStatus::Archiving {
                rule(standing == market.open_bets, || {
                    format!("{id} counts its bets that are bound")
                })?;
                rule(last == market.tail, || format!("{id} knows its last leg"))?;
            }
            let works = market.job.is_some();
            let working = self.working.contains(&(index as u32));
            rule(works == working, || format!("{id} has a job exactly when it is in turn"))?;
            rule(works || market.queued.is_none(), || format!("{id} has a job before another"))?;
            for list in [market.auto_head, market.auto_kept] {
                let (mut at, mut left) = (list, self.legs.len());
                while at != NONE {
                    let leg = &self.legs[at as usize];
                    let own = leg.market_id() == id && leg.present && leg.auto_listed;
                    rule(own && 0 < left, || format!("{id} looks only at its own legs, once"))?;
                    (at, left) = (leg.auto_next, left - 1);
                }
            }
            let looked_at = self.auto_queue.contains(&(index as u32));
            rule(looked_at == market.auto_queued, || format!("{id} knows that it is looked at"))?;
        }
        let present = self.legs.iter().filter(|leg| leg.present).count();
        rule(archiving || listed == present, || "every leg is listed by its market".to_owned())
    }

    fn check_risk(&self) -> Result<(), String> {
        for book in 0..self.ledger.books.len() as u8 {
            for (index, market) in self.markets.iter().enumerate() {
                if market.status == MarketStatus::Archived {
                    continue;
                }
                self.check_market_risk(book, index as u32, market)?;
            }
            self.check_events(book)?;
        }
        Ok(())
    }

    fn check_events(&self, book: u8) -> Result<(), String> {
        for fixture in 0..self.fixtures.len() as u32 {
            let live = |index: &u32| {
                self.markets[*index as usize].status != MarketStatus::Archived
                    && self.fixture_of(*index) == Some(fixture)
            };
            let markets = (0..self.markets.len() as u32).filter(live);
            let costs = markets.map(|index| {
                let view = self.market_bets(book, index);
                (self.risk.worst(view) + self.risk.largest_reach(view)).max(0)
            });
            let (sum, kept) = (costs.sum::<i128>(), self.risk.event(book, fixture));
            rule(sum == kept, || {
                format!(
                    "what X{} may cost is the sum over its markets: {kept} is not {sum}",
                    fixture + 1
                )
            })?;
        }
        Ok(())
    }

    fn check_market_risk(&self, book: u8, index: u32, market: &Market) -> Result<(), String> {
        let id = self.market_id(index);
        let kept = self.risk.returns(book, market.first, market.selections);
        let reaches = self.risk.reaches(self.market_bets(book, index));
        let mut staked = 0;
        for (selection, (kept, reach)) in kept.iter().zip(reaches).enumerate() {
            let on = self.legs.iter().filter(|leg| {
                leg.present && leg.market == index && usize::from(leg.selection.0) == selection
            });
            let standing: Vec<_> = on
                .map(|leg| (leg, &self.bets[leg.bet as usize]))
                .filter(|(_, bet)| bet.book == book && bet.counts() && !bet.synthetic)
                .collect();
            // Bets on what was withdrawn will be void: the market neither keeps nor pays anything.
            let withdrawn = self.selections[market.first as usize + selection].withdrawn;
            let plain = standing.iter().filter(|(_, bet)| bet.is_plain() && !withdrawn);
            staked += plain.clone().map(|(_, bet)| i128::from(bet.stake)).sum::<i128>();
            let returns = plain.map(|(_, bet)| i128::from(bet.returns)).sum::<i128>();
            rule(returns == *kept, || {
                format!("what {id} s{selection} would return is the sum of its open bets")
            })?;
            let tickets = standing.iter().filter(|(_, bet)| !bet.is_plain());
            let sum = tickets.map(|(leg, _)| i128::from(leg.reach)).sum::<i128>();
            rule(sum == *reach, || {
                format!("what tickets could win with {id} s{selection} is the sum of their reach")
            })?;
        }
        rule(staked == self.risk.staked(book, index), || {
            format!("what is staked on {id} is the sum of its open bets")
        })?;
        rule(self.risk.is_weighed(self.market_bets(book, index)), || {
            format!("what {id} pays in its worst outcome is that of its selections")
        })
    }

    /// A digest of everything, in an order of its own: equal states have equal digests, on any
    /// machine, however they were reached.
    pub fn digest(&self) -> Digest {
        self.digest_under((R::ID, R::VERSION))
    }

    /// The digest it had under the rules of this id and version.
    pub(crate) fn digest_under(&self, rules: (u64, u32)) -> Digest {
        let mut d = Digester::new("state");
        d.bytes(self.genesis.as_bytes()).bytes(self.capacities.as_bytes());
        d.put(rules.0).put(rules.1);
        d.put(self.seq.0).put(self.now.0).put(self.epoch.0).put(self.steps);
        d.put(self.running.hash).put(self.running.events);
        suspension(&mut d, &self.suspension);
        suspension(&mut d, &self.cash_out);
        d.put(self.shedding.code()).put(self.shedding.by.0);
        for set in &self.rulesets {
            d.bytes(set.as_bytes());
        }
        for (account, key) in &self.quarantined {
            d.put(*account).bytes(key.as_bytes());
        }
        for names in [&self.actors, &self.feed_names, &self.group_names, &self.fixture_names] {
            d.bytes(names.names.as_slice().as_bytes());
        }
        for feed in &self.feeds {
            d.put(feed.status as u8).put(feed.generation).put(feed.seq).put(feed.heard.0);
            d.put(feed.heartbeat.0).put(feed.silence_bound.0).put(feed.delay_bound.0);
            d.put(feed.quickest.map_or(i64::MIN, |q| q.0));
            d.put(feed.doubted.map_or(i64::MIN, |way| way.0));
            d.put(feed.slow).put(feed.schema);
            d.put(feed.request);
            suspension(&mut d, &feed.suspension);
            suspension(&mut d, &feed.cash_out);
        }
        for group in &self.groups {
            d.put(group.primary.0).put(group.backup.0).put(group.drives as u8);
            suspension(&mut d, &group.suspension);
            suspension(&mut d, &group.cash_out);
        }
        for (number, tier) in self.tiers.iter().enumerate() {
            if *tier == Tier::UNSET {
                continue;
            }
            d.put(number as u64).put(tier.age_bound.0).put(tier.cash_out_age.0);
            d.put(tier.drift_band).put(tier.drift_dwell.0).put(tier.price_band);
            d.put(tier.act as u8).put(tier.band).put(tier.ticks).put(tier.steps);
        }
        for fixture in &self.fixtures {
            d.put(fixture.starts.0);
            suspension(&mut d, &fixture.suspension);
            suspension(&mut d, &fixture.cash_out);
        }
        for account in &self.ledger.accounts {
            d.put(account.balance).put(account.bonus).put(account.reference);
            d.put(account.currency).put(account.blocked);
            d.put(account.external).put(account.synthetic).put(account.percent);
            d.put(account.excluded.0).put(account.limited).put(account.discount);
        }
        for (book, limits) in self.ledger.books.iter().zip(&self.currency_limits) {
            d.put(book.currency.numeric()).bytes(limits.as_bytes());
            for amount in book.house {
                d.put(amount);
            }
        }
        for limited in &self.limited {
            d.put(limited.account);
            for limit in limited.limits.as_flattened() {
                d.put(limit.amount).put(limit.next).put(limit.from.0);
            }
            for window in limited.windows {
                d.put(window);
            }
            for used in limited.used.as_flattened() {
                d.put(*used);
            }
        }
        for (scope, at, percent) in self.factors.changed() {
            d.put(scope as u8).put(at).put(percent);
        }
        self.digest_markets(&mut d);
        self.digest_bets(&mut d);
        self.digest_exchange(&mut d);

        let mut timers: Vec<_> = self.timers.iter().map(|Reverse(timer)| *timer).collect();
        timers.sort_unstable();
        for (due, created, bet) in timers {
            d.put(due.0).put(created.0).put(bet.raw());
        }
        for market in self.working.iter().chain(&self.auto_queue) {
            d.put(*market);
        }
        d.put(self.windows.free);
        for window in &self.windows.places {
            d.put(window.from.0).put(window.until.0).put(window.source.0);
            d.put(window.active).put(window.next);
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
            d.put(market.group.0).put(market.tier);
            d.put(market.drifted).put(market.drift_since.0);
            d.put(market.feed.0).put(market.winners).put(market.fixture.raw());
            suspension(d, &market.suspension);
            d.put(market.opened_in.0).put(market.age_bound.0).put(market.version.0);
            d.put(market.first).put(market.selections).put(market.head).put(market.tail);
            d.put(market.open_bets).put(market.settlement);
            d.put(market.in_play).put(market.delay.0).put(market.each_way as u8);
            let (num, den) = market.fraction.map_or((0, 0), |f| (f.num(), f.den()));
            d.put(market.places).put(num).put(den).put(market.deducts).put(market.windows);
            d.put(market.certainty).put(market.result_source.0).put(market.rolled_back.0);
            d.put(market.auto_head).put(market.auto_kept);
            d.put(market.auto_queued).put(market.auto_again);
            d.put(market.tier).put(market.canary);
            suspension(d, &market.cash_out);
            if let Some((id, kind)) = market.queued {
                d.put(id.0).put(kind as u8);
            }
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
                for quote in &selection.quotes {
                    d.bytes(quote.price.as_bytes()).put(quote.version.0);
                    for sent in [&quote.sent, &quote.held] {
                        d.bytes(sent.price.as_bytes()).put(sent.received.0).put(sent.as_of.0);
                        d.put(sent.delay.0).put(sent.generation);
                    }
                }
                d.bytes(selection.pinned.as_bytes()).put(selection.pinned_version.0);
                d.put(selection.pinned_at.0).put(selection.pinned_seq.0);
                suspension(d, &selection.suspension);
                d.put(selection.bands).put(selection.steps).put(selection.ticks);
                d.put(selection.drifted).put(selection.withdrawn);
                d.put(selection.deducts).put(selection.withdrawn_seq.0);
                d.bytes(selection.withdrawn_at.as_bytes());
                d.bytes(selection.result.as_ref().map_or(&[][..], |entry| entry.as_bytes()));
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
        d.put(self.live_bets).put(self.free_bet).put(self.live_legs).put(self.free_leg);
        for bet in &self.bets {
            d.put(bet.generation).put(bet.state as u8).put(bet.first);
            if bet.state == BetState::Archived {
                continue;
            }
            d.put(bet.account).put(bet.book).put(bet.stake).put(bet.returns).put(bet.cap);
            d.put(bet.paid).put(bet.cashed).put(bet.folds).put(bet.bankers).put(bet.legs);
            d.put(EachWayKind::from(bet.each_way) as u8).put(bet.undecided).put(bet.present);
            d.put(bet.policy).put(bet.basis).put(bet.synthetic).put(bet.bonus);
            d.put(bet.cancelled).put(bet.single).put(bet.slippage).put(bet.ruleset);
            d.put(bet.settlements).put(bet.placed_seq.0).put(bet.placed_at.0);
            d.put(bet.staked_at.0).put(bet.paid_at.0).put(bet.until.0);
            d.put(bet.floor).bytes(bet.key.as_bytes()).put(bet.unit).put(bet.auto);
            d.put(bet.ask.take).put(bet.ask.accept).put(bet.ask.seq.0);
            d.put(bet.ask.policy).put(bet.ask.slippage).put(bet.ask.auto);
            d.put(bet.hold.bind.map_or(0, |bind| bind as u8)).put(bet.hold.confirmed);
            d.put(bet.hold.reference);
        }
        for leg in &self.legs {
            d.put(leg.bet).put(leg.sibling);
            if leg.bet == NONE {
                continue;
            }
            d.put(leg.market).put(leg.generation).put(leg.next).put(leg.auto_next);
            d.put(leg.auto_listed).put(leg.present).put(leg.counted).put(leg.places);
            let (num, den) = leg.fraction.map_or((0, 0), |f| (f.num(), f.den()));
            d.put(num).put(den).put(leg.selection.0).put(leg.feed.0);
            d.bytes(leg.requested.as_bytes()).put(leg.requested_version.0);
            d.bytes(leg.price.as_bytes()).put(leg.version.0).put(leg.price_age.0);
            d.bytes(leg.settles_at.as_bytes()).put(leg.reach);
            if let Some(numbers) = leg.numbers {
                for share in [numbers.void, numbers.win, numbers.place] {
                    d.put(share.num()).put(share.den());
                }
                d.put(numbers.rule4.get());
            }
        }
    }

    /// A digest of the money: balances, and of each bet its open stake, outcome and what it was paid.
    pub fn money_digest(&self) -> Digest {
        let mut d = Digester::new("money");
        for account in &self.ledger.accounts {
            d.put(account.reference).put(account.currency).put(account.balance);
            d.put(account.bonus);
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
            let open = bet.state.in_escrow();
            d.put(bet.id(index as u32).raw()).put(if open { bet.stake } else { 0 });
            d.put(bet.state.outcome() as u8).put(bet.paid).put(bet.cashed);
        }
        d.finish()
    }
}
