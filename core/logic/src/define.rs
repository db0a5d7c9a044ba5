//! What exists: journals and runs, actors, feeds, fixtures, markets, accounts, limits, and who may.

use crate::answer::Answer;
use crate::bet::{Bet, Leg, NONE};
use crate::command::*;
use crate::event::*;
use crate::factors::WHOLE;
use crate::feed::Feed;
use crate::grid::reserve_touched;
use crate::group::Group;
use crate::id::*;
use crate::ledger::{Account, BALANCE_MAX, Side};
use crate::limits::Limited;
use crate::market::{Market, MarketStep, Selection, Suspension};
use crate::place::Scratch;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::ruleset::{RULESETS_MAX, Ruleset};
use crate::state::{Fixture, State};
use crate::table::Table;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Header, Minor, Name};
use betring_pricing::PlaceFraction;

type Decided = Result<Answer, Answer>;

fn name(text: &str) -> Name {
    Name::new(text).expect("checked when the command was read")
}

impl<R: Rules> State<R> {
    pub(crate) fn begin_journal(&mut self, body: &Genesis) -> Answer {
        assert!(self.seq == Seq(1), "a journal begins once");
        self.genesis = *body;
        self.add_rules(Ruleset::of_genesis(body));
        self.keys.set_window(body.window);
        Answer::done(self.seq, 0)
    }

    pub(crate) fn begin_run(&mut self, body: &EpochOpened, events: &mut Events) -> Answer {
        assert!(Seq(1) < self.seq, "a run begins in a journal");
        assert!(self.epoch < body.epoch, "runs follow each other");
        self.epoch = body.epoch;
        self.grow(self.capacities.grown(body.capacities));
        // Nobody knows what was missed meanwhile: offers end, feeds recover, manual markets wait.
        self.suspension.seq = self.seq;
        for feed in &mut self.feeds {
            feed.restart(self.seq);
        }
        events.push(&RunBegan { epoch: body.epoch, zero: 0 });
        Answer::done(self.seq, u64::from(body.epoch.0))
    }

    fn add_rules(&mut self, set: Ruleset) {
        self.houses.push(set.rules().expect("checked when it was read"));
        self.rulesets.push(set);
    }

    /// A set of rules gets the next number, and applies to every bet from here on.
    pub(crate) fn publish_rules(
        &mut self,
        sets: impl Iterator<Item = Ruleset>,
        events: &mut Events,
    ) -> Decided {
        if self.rulesets.len() == RULESETS_MAX {
            return Err(self.no(Reject::Full));
        }
        let number = self.rulesets.len() as u32;
        for set in sets {
            self.add_rules(set);
        }
        events.push(&RulesPublished { ruleset: number, zero: 0 });
        Ok(Answer::done(self.seq, u64::from(number)))
    }

    /// A market is in-play, or not any more; from here on its bets wait so long.
    pub(crate) fn set_in_play(&mut self, body: &SetInPlay, events: &mut Events) -> Decided {
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        // The same step as closing: allowed exactly as long as no result is in.
        if market.status.after(MarketStep::Close).is_none() {
            return Err(self.no(Reject::NotAllowed));
        }
        let exchange = self.exchange.market(index).is_some();
        if exchange && market.job.is_some() {
            return Err(self.no(Reject::NotAllowed));
        }
        let (id, delay, in_play) = (body.market, body.delay, body.in_play);
        events.push(&InPlayChanged { market: id, delay, in_play, zero: [0; 7] });
        if exchange {
            self.turn_in_play(index, body, events);
        }
        let market = &mut self.markets[index as usize];
        market.in_play = body.in_play == 1;
        market.delay = body.delay;
        Ok(Answer::done(self.seq, body.market.raw()))
    }

    /// Gives everything room for these capacities, and builds the hash tables anew.
    pub(crate) fn grow(&mut self, to: Capacities) {
        self.capacities = to;
        self.keys.grow(to.keys);
        let left = to.quarantined as usize - self.quarantined.len();
        self.quarantined.reserve_exact(left);

        let (mut actors, mut feeds, mut groups, mut fixtures) = (
            std::mem::take(&mut self.actors),
            std::mem::take(&mut self.feed_names),
            std::mem::take(&mut self.group_names),
            std::mem::take(&mut self.fixture_names),
        );
        actors.grow(to.actors, |n| self.name_hash(n));
        feeds.grow(to.feeds, |n| self.name_hash(n));
        groups.grow(to.groups, |n| self.name_hash(n));
        fixtures.grow(to.fixtures, |n| self.name_hash(n));
        (self.actors, self.feed_names) = (actors, feeds);
        (self.group_names, self.fixture_names) = (groups, fixtures);
        reserve_touched(&mut self.feeds, 1 + to.feeds as usize, Feed::manual());
        reserve_touched(&mut self.groups, to.groups as usize, Group::filler());
        let fixture = Fixture {
            starts: Timestamp(0),
            suspension: Suspension::default(),
            cash_out: Suspension::default(),
        };
        reserve_touched(&mut self.fixtures, to.fixtures as usize, fixture);

        self.ledger.accounts_max = to.accounts;
        let account = Account::new(0, 0);
        reserve_touched(&mut self.ledger.accounts, to.accounts as usize, account);
        reserve_touched(&mut self.limited, to.limited as usize, Limited::new(0));
        self.factors.grow(to.feeds, to.fixtures, to.markets);
        self.ledger.by_reference = Table::with_capacity(to.accounts);
        for index in 0..self.ledger.accounts.len() {
            let hash = self.reference_hash(self.ledger.accounts[index].reference);
            self.ledger.by_reference.insert(hash, index as u32);
        }
        self.ledger.books_max = to.currencies;
        let left = to.currencies as usize - self.ledger.books.len();
        self.ledger.books.reserve_exact(left);
        self.currency_limits.resize(to.currencies as usize, self.genesis.limits);

        reserve_touched(&mut self.markets, to.markets as usize, Market::filler());
        reserve_touched(&mut self.market_names, to.markets as usize, Name::filler());
        reserve_touched(&mut self.free_markets, to.markets as usize, 0);
        self.working.reserve_exact(to.markets as usize - self.working.len());
        self.own_limits.grow(to.currencies, to.markets, None);
        self.market_table = Table::with_capacity(to.markets);
        for index in 0..self.markets.len() {
            if self.markets[index].status != MarketStatus::Archived {
                let hash = self.name_hash(&self.market_names[index]);
                self.market_table.insert(hash, index as u32);
            }
        }
        reserve_touched(&mut self.selections, to.selections as usize, Selection::default());
        reserve_touched(&mut self.selection_names, to.selections as usize, Name::filler());
        for (power, blocks) in self.free_blocks.iter_mut().enumerate() {
            reserve_touched(blocks, to.selections as usize >> power, 0);
        }
        self.risk.grow(to.markets, to.selections, to.fixtures, to.currencies);

        reserve_touched(&mut self.bets, to.bets as usize, Bet::filler());
        reserve_touched(&mut self.legs, to.legs as usize, Leg::filler());
        self.exchange.grow(&to);
        self.windows.grow(to.markets);
        self.timers.reserve_exact(self.timers_max() - self.timers.len());
        self.auto_queue.reserve_exact(to.markets as usize - self.auto_queue.len());
        self.rulesets.reserve_exact(RULESETS_MAX - self.rulesets.len());
        self.houses.reserve_exact(RULESETS_MAX - self.houses.len());
        self.scratch = Scratch::with_room();
    }

    pub(crate) fn reference_hash(&self, reference: u64) -> u64 {
        self.key_hash(reference, RequestKey::NONE)
    }

    pub(crate) fn quarantine(&mut self, body: &Quarantine, events: &mut Events) -> Decided {
        let request = (body.account, body.key);
        if !self.quarantined.contains(&request) {
            if self.quarantined.len() as u32 == self.capacities.quarantined {
                return Err(self.no(Reject::Full));
            }
            self.quarantined.push(request);
        }
        events.push(&QuarantineChanged { account: body.account, held: 1, key: body.key });
        Ok(Answer::done(self.seq, 0))
    }

    pub(crate) fn lift_quarantine(
        &mut self,
        body: &LiftQuarantine,
        events: &mut Events,
    ) -> Decided {
        let request = (body.account, body.key);
        let Some(at) = self.quarantined.iter().position(|held| *held == request) else {
            return Err(self.no(Reject::NotAllowed));
        };
        self.quarantined.remove(at);
        events.push(&QuarantineChanged { account: body.account, held: 0, key: body.key });
        Ok(Answer::done(self.seq, 0))
    }

    pub(crate) fn register_actor(&mut self, text: &str, events: &mut Events) -> Decided {
        let name = name(text);
        let hash = self.name_hash(&name);
        if let Some(index) = self.actors.find(hash, &name) {
            return Ok(Answer::done(self.seq, u64::from(index) + 1));
        }
        let Some(index) = self.actors.add(hash, name) else { return Err(self.no(Reject::Full)) };
        let id = u64::from(index) + 1;
        events.push(&Named { id, kind: Kind::RegisterActor as u8, zero: [0; 7] });
        Ok(Answer::done(self.seq, id))
    }

    fn taken(&self, id: u64) -> Answer {
        Answer { id, ..self.no(Reject::NameTaken) }
    }

    pub(crate) fn define_feed(
        &mut self,
        body: &DefineFeed,
        text: &str,
        events: &mut Events,
    ) -> Decided {
        let name = name(text);
        let hash = self.name_hash(&name);
        if let Some(index) = self.feed_names.find(hash, &name) {
            return Err(self.taken(u64::from(index) + 1));
        }
        let Some(index) = self.feed_names.add(hash, name) else {
            return Err(self.no(Reject::Full));
        };
        self.feeds.push(Feed::new(body.silence_bound, body.delay_bound, body.schema));
        let id = u64::from(index) + 1;
        assert!(self.feeds.len() as u64 == id + 1, "a feed and its name have one number");
        events.push(&Named { id, kind: Kind::DefineFeed as u8, zero: [0; 7] });
        Ok(Answer::done(self.seq, id))
    }

    pub(crate) fn define_fixture(
        &mut self,
        body: &DefineFixture,
        text: &str,
        events: &mut Events,
    ) -> Decided {
        let name = name(text);
        let hash = self.name_hash(&name);
        if let Some(index) = self.fixture_names.find(hash, &name) {
            return Err(self.taken(FixtureId::new(index, 1).raw()));
        }
        let Some(index) = self.fixture_names.add(hash, name) else {
            return Err(self.no(Reject::Full));
        };
        self.fixtures.push(Fixture {
            starts: body.starts,
            suspension: Suspension::default(),
            cash_out: Suspension::default(),
        });
        let id = FixtureId::new(index, 1).raw();
        events.push(&Named { id, kind: Kind::DefineFixture as u8, zero: [0; 7] });
        Ok(Answer::done(self.seq, id))
    }

    pub(crate) fn define_market(
        &mut self,
        body: &DefineMarket,
        names: Names<'_>,
        events: &mut Events,
    ) -> Decided {
        let own_name = name(names.first());
        let hash = self.name_hash(&own_name);
        let same = |index: u32| self.market_names[index as usize] == own_name;
        if let Some(index) = self.market_table.find(hash, same) {
            return Err(self.taken(self.market_id(index).raw()));
        }
        if body.fixture != FixtureId::NONE && self.find_fixture(body.fixture).is_none() {
            return Err(self.no(Reject::FixtureUnknown));
        }
        if self.feeds.len() <= usize::from(body.feed.0) {
            return Err(self.no(Reject::FeedUnknown));
        }
        if body.group != GroupId::NONE {
            match self.find_group(body.group) {
                None => return Err(self.no(Reject::GroupUnknown)),
                Some(group) if group.primary != body.feed => {
                    return Err(self.no(Reject::FeedMismatch));
                }
                Some(_) => (),
            }
        }
        let exchange = body.kind == MarketKind::Exchange as u8;
        // No house stands behind it that would pay places, or take a probe's bet.
        if exchange && (body.each_way != EachWayOffer::No as u8 || body.canary == 1) {
            return Err(self.no(Reject::NotAllowed));
        }
        let room = self.markets.len() < self.capacities.markets as usize;
        if self.free_markets.is_empty() && !room {
            return Err(self.no(Reject::Full));
        }
        let Some(first) = self.take_block(body.selections) else {
            return Err(self.no(Reject::Full));
        };

        // From here on nothing can fail: the market is defined.
        for (place, text) in (first..).zip(names.iter().skip(1)) {
            self.selections[place as usize] = Selection::default();
            self.selection_names[place as usize] = name(text);
        }
        let manual = body.feed == FeedId::MANUAL;
        let default = if manual { Nanos::ZERO } else { self.genesis.age_bound };
        let unset = body.age_bound == Nanos::ZERO;
        let mut market = Market {
            generation: 1,
            status: MarketStatus::Defined,
            feed: body.feed,
            group: body.group,
            tier: body.tier,
            winners: body.winners,
            fixture: body.fixture,
            age_bound: if unset { default } else { body.age_bound },
            first,
            selections: body.selections,
            each_way: EachWayOffer::from_code(body.each_way).expect("checked when it was read"),
            places: body.places,
            fraction: PlaceFraction::new(body.place_num, body.place_den),
            canary: body.canary == 1,
            exchange,
            ..Market::filler()
        };
        let index = match self.free_markets.pop() {
            Some(index) => {
                market.generation = self.markets[index as usize].generation + 1;
                self.markets[index as usize] = market;
                self.market_names[index as usize] = own_name;
                index
            }
            None => {
                self.markets.push(market);
                self.market_names.push(own_name);
                self.markets.len() as u32 - 1
            }
        };
        for book in 0..self.capacities.currencies as u8 {
            *self.own_limits.at_mut(book, index) = None;
        }
        self.factors.markets[index as usize] = WHOLE;
        self.market_table.insert(hash, index);
        let id = self.market_id(index);
        events.push(&MarketDefined {
            market: id,
            fixture: body.fixture,
            age_bound: market.age_bound,
            feed: body.feed,
            selections: body.selections,
            winners: body.winners,
            group: body.group,
            tier: body.tier,
            canary: body.canary,
            zero: [0; 6],
        });
        Ok(Answer::done(self.seq, id.raw()))
    }

    /// Places for `selections` in the dense array: a free block of that power of two, or new ones.
    fn take_block(&mut self, selections: u16) -> Option<u32> {
        let size = u32::from(selections).next_power_of_two();
        if let Some(first) = self.free_blocks[size.ilog2() as usize].pop() {
            return Some(first);
        }
        let first = self.selections.len();
        if (self.capacities.selections as usize) < first + size as usize {
            return None;
        }
        self.selections.resize(first + size as usize, Selection::default());
        self.selection_names.resize(first + size as usize, Name::filler());
        Some(first as u32)
    }

    fn market_step(
        &mut self,
        id: MarketId,
        step: MarketStep,
    ) -> Result<(u32, MarketStatus), Answer> {
        let Some((index, market)) = self.find_market(id) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        match market.status.after(step) {
            Some(status) => Ok((index, status)),
            None => Err(self.no(Reject::NotAllowed)),
        }
    }

    pub(crate) fn set_status(&mut self, index: u32, status: MarketStatus, events: &mut Events) {
        self.markets[index as usize].status = status;
        let market = self.market_id(index);
        events.push(&MarketChanged { market, status: status as u8, zero: [0; 7] });
    }

    pub(crate) fn open_market(&mut self, body: &OpenMarket, events: &mut Events) -> Decided {
        let (index, status) = self.market_step(body.market, MarketStep::Open)?;
        // Without terms there is no book.
        if self.markets[index as usize].exchange && self.exchange.market(index).is_none() {
            return Err(self.no(Reject::InvalidMarketId));
        }
        self.markets[index as usize].opened_in = self.epoch;
        self.set_status(index, status, events);
        Ok(Answer::done(self.seq, body.market.raw()))
    }

    pub(crate) fn close_market(&mut self, body: &CloseMarket, events: &mut Events) -> Decided {
        let (index, status) = self.market_step(body.market, MarketStep::Close)?;
        // Opened again later or not: what was offered before can no longer be taken.
        self.markets[index as usize].suspension.seq = self.seq;
        self.set_status(index, status, events);
        Ok(Answer::done(self.seq, body.market.raw()))
    }

    pub(crate) fn archive_market(&mut self, body: &ArchiveMarket, events: &mut Events) -> Decided {
        let (index, status) = self.market_step(body.market, MarketStep::Archive)?;
        let market = &mut self.markets[index as usize];
        // A market has one job and one behind it: a third, and the last of all, has to be asked for again.
        if market.queued.is_some() {
            return Err(self.no(Reject::NotAllowed));
        }
        // No bet of it is looked at any more, and legs that leave memory are in no list.
        (market.auto_head, market.auto_kept) = (NONE, NONE);
        self.set_status(index, status, events);
        Ok(self.start_job(index, JobKind::Archive, events))
    }

    pub(crate) fn withdraw_selection(
        &mut self,
        body: &WithdrawSelection,
        events: &mut Events,
    ) -> Decided {
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if market.selections <= body.selection.0 {
            return Err(self.no(Reject::SelectionUnknown));
        }
        // The same step as closing: allowed exactly as long as no result is in.
        if market.status.after(MarketStep::Close).is_none() {
            return Err(self.no(Reject::NotAllowed));
        }
        self.may_withdraw(index, body)?;
        let place = market.first + u32::from(body.selection.0);
        let withdrawn = body.withdrawn == 1;
        let (in_force, _) = self.price_in_force(market, &self.selections[place as usize]);
        let selection = &mut self.selections[place as usize];
        // Said again, it happened when it was first said; another price corrects the one before.
        let again = selection.withdrawn == withdrawn;
        let before = if again { selection.withdrawn_at } else { in_force };
        // A deduction goes by the price: without one it would be none, and nobody would know.
        if body.deduct == 1 && body.price.is_none() && before.is_none() {
            return Err(self.no(Reject::NoPrice));
        }
        selection.deducts = body.deduct == 1;
        if !again {
            selection.withdrawn_seq = self.seq;
        }
        if !again || !body.price.is_none() {
            let given = !body.price.is_none();
            selection.withdrawn_at = if given { body.price } else { in_force };
        }
        if selection.withdrawn != withdrawn {
            selection.withdrawn = withdrawn;
            self.risk.withdraw(index, place, withdrawn);
            for book in 0..self.ledger.books.len() as u8 {
                self.weigh(book, index);
            }
        }
        let market = &mut self.markets[index as usize];
        market.deducts |= body.deduct == 1;
        market.suspension.seq = self.seq;
        events.push(&SelectionChanged {
            market: body.market,
            selection: body.selection,
            withdrawn: body.withdrawn,
            deducts: body.deduct,
            zero: [0; 4],
            price: self.selections[place as usize].withdrawn_at,
        });
        // What does not run is in no feed's prices any more.
        self.look_at_drift(index, body.selection, events);
        if self.exchange.market(index).is_some() {
            return Ok(self.withdraw_runner(index, body, events));
        }
        Ok(Answer::done(self.seq, body.market.raw()))
    }

    pub(crate) fn set_limits(&mut self, body: &SetLimits, events: &mut Events) -> Decided {
        // The scope decides: limits of a market that is not there are never those of all markets.
        let market = match self.find_market(body.market) {
            Some((index, _)) => Some(index),
            None if body.scope == LimitScope::Currency as u8 => None,
            None => return Err(self.no(Reject::MarketUnknown)),
        };
        let Some(book) = self.ledger.book_for(body.currency) else {
            return Err(self.no(Reject::CurrencyUnknown));
        };
        match market {
            Some(index) => *self.own_limits.at_mut(book, index) = Some(body.limits),
            None => self.currency_limits[usize::from(book)] = body.limits,
        }
        let (market, currency) = (body.market, body.currency);
        events.push(&LimitsChanged { market, currency, zero: [0; 6] });
        Ok(Answer::done(self.seq, 0))
    }

    pub(crate) fn block_account(&mut self, body: &BlockAccount, events: &mut Events) -> Decided {
        let Some((index, _)) = self.ledger.find(body.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        self.ledger.accounts[index as usize].blocked = body.blocked == 1;
        let (account, blocked) = (body.account, body.blocked);
        events.push(&AccountChanged { account, blocked, zero: [0; 7] });
        Ok(Answer::done(self.seq, body.account.raw()))
    }

    pub(crate) fn open_account(
        &mut self,
        header: &Header,
        body: &OpenAccount,
        events: &mut Events,
    ) -> Decided {
        if header.account != 0 {
            return Err(self.no(Reject::AccountUnknown));
        }
        let hash = self.reference_hash(body.reference);
        if let Some(account) = self.account_by_reference(body.reference) {
            return Err(Answer { id: account.raw(), ..self.no(Reject::AccountExists) });
        }
        if !self.ledger.has_room_for(body.currency) {
            return Err(self.no(Reject::CurrencyUnknown));
        }
        if self.ledger.accounts.len() as u32 == self.ledger.accounts_max {
            return Err(self.no(Reject::Full));
        }
        let currency = self.ledger.book_for(body.currency).expect("there is room for it");
        let index = self.ledger.accounts.len() as u32;
        let reference = body.reference;
        self.ledger.accounts.push(Account {
            external: body.purse == Purse::External as u8,
            synthetic: body.synthetic == 1,
            ..Account::new(reference, currency)
        });
        self.ledger.by_reference.insert(hash, index);
        let account = AccountId::new(index, 1);
        events.push(&AccountOpened {
            account,
            reference,
            currency: body.currency,
            purse: body.purse,
            synthetic: body.synthetic,
            zero: [0; 4],
        });
        Ok(Answer::done(self.seq, account.raw()))
    }

    pub(crate) fn deposit(
        &mut self,
        header: &Header,
        amount: Minor,
        events: &mut Events,
    ) -> Decided {
        let id = AccountId::from_raw(header.account);
        let Some((index, account)) = self.ledger.find(id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let too_much = BALANCE_MAX < account.balance.saturating_add(amount.0);
        let (external, fits) = (account.external, !too_much && account.has_room_for(amount.0));
        self.may_bet(index)?;
        if external {
            return Err(self.no(Reject::AccountKind));
        }
        self.within_own_limits(index, &[LimitKind::Deposit], amount.0)?;
        if !fits {
            return Err(self.no(Reject::BalanceLimit));
        }
        let (from, to) = (Side::House(HouseAccount::World), Side::Customer(index));
        let why = TransferWhy::Deposit;
        self.transfer(index, from, to, amount.0, why, BetId::NONE, events);
        Ok(Answer { amount, ..Answer::done(self.seq, header.account) })
    }

    pub(crate) fn withdraw(
        &mut self,
        header: &Header,
        amount: Minor,
        events: &mut Events,
    ) -> Decided {
        let id = AccountId::from_raw(header.account);
        let Some((index, account)) = self.ledger.find(id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        if account.external {
            return Err(self.no(Reject::AccountKind));
        }
        if account.balance < amount.0 {
            return Err(self.no(Reject::FundsInsufficient));
        }
        let (from, to) = (Side::Customer(index), Side::House(HouseAccount::World));
        let why = TransferWhy::Withdraw;
        self.transfer(index, from, to, amount.0, why, BetId::NONE, events);
        Ok(Answer { amount, ..Answer::done(self.seq, header.account) })
    }
}
