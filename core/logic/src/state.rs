//! The whole state, the one match that routes every command, and what needs no sequence at all.

use crate::answer::{Answer, AnswerKind, Fate, Reply};
use crate::bet::{Bet, BetState, Leg};
use crate::command::*;
use crate::digest::Running;
use crate::event::*;
use crate::exchange::{Exchange, OrderState};
use crate::factors::Factors;
use crate::feed::Feed;
use crate::grid::{Grid, reserve_touched};
use crate::group::Group;
use crate::id::*;
use crate::idempotency::Keys;
use crate::ledger::Ledger;
use crate::limits::Limited;
use crate::market::{Market, Selection, Suspension};
use crate::place::Scratch;
use crate::reject::{Malformed, Reject};
use crate::results::Windows;
use crate::risk::Risk;
use crate::rules::Rules;
use crate::ruleset::{HouseSet, Ruleset};
use crate::shed::Shedding;
use crate::table::Table;
use crate::tier::{TIERS, Tier};
use crate::time::{Nanos, Timestamp};
use crate::wire::{HEADER, Header, Minor, Name, SLOT};
use siphasher::sip::SipHasher13;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::Hasher;

/// The version of the decisions in this crate: a journal is re-executed only under its own.
pub const LOGIC_VERSION: u32 = 1;

/// Bets that may wait at a time (for a delay, a trader, a customer, a cash-out), at most; in a book for
/// fewer bets, as many as bets. Beyond that nothing new waits.
pub const WAITING_MAX: usize = 1 << 20;

/// Every 65,536 sequences a record carries the running hash over all events before it.
pub const HASH_EVERY: u64 = 65_536;

pub(crate) const NONE: u32 = u32::MAX;

/// Bets that may wait at a time under these capacities.
pub(crate) fn waiting_max(capacities: &Capacities) -> u32 {
    (WAITING_MAX as u32).min(capacities.bets + 64)
}

/// The place and the moment that the engine gave a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its place in the order: one after the last.
    pub seq: Seq,
    /// Its moment: not before the last.
    pub at: Timestamp,
}

/// What is said before a command gets a sequence.
#[derive(Clone, Copy, Debug)]
pub enum Admission {
    /// It has to be decided: give it the next sequence and apply it.
    Sequence(Admitted),
    /// It is answered already; it will never execute by this attempt.
    Answer(Reply),
}

/// What was found out about a command that has to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    hash: u64,
    digest: u64,
}

/// A fixture: what markets are about.
#[derive(Clone, Copy)]
pub(crate) struct Fixture {
    pub(crate) starts: Timestamp,
    pub(crate) suspension: Suspension,
    /// Who freezes the cash-outs of its markets.
    pub(crate) cash_out: Suspension,
}

/// Named things that are never given back: actors, feeds, groups, fixtures.
#[derive(Clone, Default)]
pub(crate) struct Names {
    pub(crate) names: Vec<Name>,
    pub(crate) max: u32,
    table: Table,
}

/// The end of a wait, by time.
pub(crate) type Timer = Reverse<(Timestamp, Seq, BetId)>;

/// Everything that decides, and nothing else.
#[derive(Clone)]
pub struct State<R: Rules = crate::rules::HouseRules> {
    pub(crate) rules: R,
    pub(crate) genesis: Genesis,
    /// Every set of rules so far, as published and ready for use; a bet names its own.
    pub(crate) rulesets: Vec<Ruleset>,
    pub(crate) houses: Vec<HouseSet>,
    pub(crate) capacities: Capacities,
    pub(crate) seq: Seq,
    pub(crate) now: Timestamp,
    pub(crate) epoch: Epoch,
    pub(crate) running: Running,
    pub(crate) suspension: Suspension,
    pub(crate) cash_out: Suspension,
    pub(crate) shedding: Shedding,
    pub(crate) keys: Keys,
    pub(crate) quarantined: Vec<(u64, RequestKey)>,
    pub(crate) actors: Names,
    pub(crate) feed_names: Names,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) group_names: Names,
    pub(crate) groups: Vec<Group>,
    pub(crate) tiers: Box<[Tier; TIERS]>,
    pub(crate) fixture_names: Names,
    pub(crate) fixtures: Vec<Fixture>,
    pub(crate) ledger: Ledger,
    /// Accounts with limits of their own, in the order of their first ones.
    pub(crate) limited: Vec<Limited>,
    pub(crate) factors: Factors,
    pub(crate) currency_limits: Vec<Limits>,
    pub(crate) markets: Vec<Market>,
    pub(crate) market_names: Vec<Name>,
    pub(crate) market_table: Table,
    /// Limits of markets that are not their currency's.
    pub(crate) own_limits: Grid<Option<Limits>>,
    pub(crate) free_markets: Vec<u32>,
    pub(crate) selections: Vec<Selection>,
    pub(crate) selection_names: Vec<Name>,
    /// Free blocks of selections by the power of two that is their size.
    pub(crate) free_blocks: [Vec<u32>; 9],
    pub(crate) risk: Risk,
    pub(crate) bets: Vec<Bet>,
    pub(crate) free_bet: u32,
    pub(crate) live_bets: u32,
    pub(crate) legs: Vec<Leg>,
    pub(crate) free_leg: u32,
    pub(crate) live_legs: u32,
    pub(crate) exchange: Exchange,
    pub(crate) windows: Windows,
    pub(crate) timers: BinaryHeap<Timer>,
    /// Markets with a job, in turn.
    pub(crate) working: VecDeque<u32>,
    /// Markets with bets that sell themselves, to be looked at.
    pub(crate) auto_queue: VecDeque<u32>,
    pub(crate) scratch: Scratch,
    /// Steps so far: they alternate between forgetting keys first and jobs first.
    pub(crate) steps: u64,
}

impl Names {
    pub(crate) fn grow(&mut self, max: u32, hash: impl Fn(&Name) -> u64) {
        self.max = max;
        reserve_touched(&mut self.names, max as usize, Name::filler());
        self.table = Table::with_capacity(max);
        for (index, name) in self.names.iter().enumerate() {
            self.table.insert(hash(name), index as u32);
        }
    }

    pub(crate) fn find(&self, hash: u64, name: &Name) -> Option<u32> {
        self.table.find(hash, |index| self.names[index as usize] == *name)
    }

    /// The next index, if there is room.
    pub(crate) fn add(&mut self, hash: u64, name: Name) -> Option<u32> {
        let index = self.names.len() as u32;
        if index == self.max {
            return None;
        }
        self.names.push(name);
        self.table.insert(hash, index);
        Some(index)
    }
}

impl<R: Rules> State<R> {
    /// Before everything: the first command is [`Genesis`], the second [`EpochOpened`].
    pub fn new(rules: R) -> State<R> {
        State {
            rules,
            genesis: Genesis::default(),
            rulesets: Vec::new(),
            houses: Vec::new(),
            capacities: Capacities::default(),
            seq: Seq(0),
            now: Timestamp::MIN,
            epoch: Epoch(0),
            running: Running::default(),
            suspension: Suspension::default(),
            cash_out: Suspension::default(),
            shedding: Shedding::default(),
            keys: Keys::new(),
            quarantined: Vec::new(),
            actors: Names::default(),
            feed_names: Names::default(),
            feeds: vec![Feed::manual()],
            group_names: Names::default(),
            groups: Vec::new(),
            tiers: Box::new([Tier::UNSET; TIERS]),
            fixture_names: Names::default(),
            fixtures: Vec::new(),
            ledger: Ledger::new(),
            limited: Vec::new(),
            factors: Factors::new(),
            currency_limits: Vec::new(),
            markets: Vec::new(),
            market_names: Vec::new(),
            market_table: Table::default(),
            own_limits: Grid::new(),
            free_markets: Vec::new(),
            selections: Vec::new(),
            selection_names: Vec::new(),
            free_blocks: Default::default(),
            risk: Risk::new(),
            bets: Vec::new(),
            free_bet: NONE,
            live_bets: 0,
            legs: Vec::new(),
            free_leg: NONE,
            live_legs: 0,
            exchange: Exchange::new(),
            windows: Windows::new(),
            timers: BinaryHeap::new(),
            working: VecDeque::new(),
            auto_queue: VecDeque::new(),
            scratch: Scratch::default(),
            steps: 0,
        }
    }

    /// The last sequence applied; 0 before the first.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The moment of the last sequence.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The run that the last sequence belongs to; 0 before the first.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Units of work in one Step.
    pub fn step_budget(&self) -> u16 {
        self.genesis.step_budget
    }

    /// How far ahead `valid_until` may be, and how long after it a key is kept.
    pub fn window(&self) -> Nanos {
        self.genesis.window
    }

    /// What may be kept.
    pub fn capacities(&self) -> Capacities {
        self.capacities
    }

    /// Whether a Step would have something to do: then the engine gives one a turn.
    pub fn has_work(&self) -> bool {
        !self.working.is_empty()
            || !self.auto_queue.is_empty()
            || self.timer_is_due()
            || self.order_is_due()
            || self.keys.has_work(self.now)
    }

    /// When the next work falls due: then the engine, if idle, gives a Tick.
    pub fn next_due(&self) -> Option<Timestamp> {
        let timer = self.timers.peek().map(|Reverse((due, ..))| *due);
        let order = self.exchange.timers.peek().map(|Reverse((due, ..))| *due);
        timer.into_iter().chain(order).chain(self.keys.next_due()).min()
    }

    /// Bets that may wait at a time.
    pub fn timers_max(&self) -> usize {
        waiting_max(&self.capacities) as usize
    }

    pub(crate) fn timer_is_due(&self) -> bool {
        self.timers.peek().is_some_and(|Reverse((due, ..))| *due <= self.now)
    }

    /// A reply to bytes that are not a command. `first` is what was read as a header, if so much was
    /// there: its token and route are echoed, unchecked.
    pub fn malformed(
        &self,
        at: Timestamp,
        first: Option<&crate::wire::Slot>,
        what: Malformed,
    ) -> Reply {
        let (header, token) = first.map_or_else(Default::default, |s| (s.header(), s.token()));
        self.reply(at, &header, token, Answer::malformed(what))
    }

    fn reply(&self, at: Timestamp, header: &Header, token: Token, answer: Answer) -> Reply {
        Reply {
            answer,
            token,
            account: header.account,
            key: header.key,
            stamped: at,
            as_of: self.seq,
            epoch: self.epoch,
            client: header.client,
            ..Reply::default()
        }
    }

    /// What may be said of a command at `at` without giving it a sequence. Changes nothing.
    ///
    /// `bytes` are the command's own, from which `header` and `command` were read.
    pub fn admit(
        &self,
        at: Timestamp,
        header: &Header,
        command: &Command<'_>,
        bytes: &[u8],
    ) -> Admission {
        let (valid_until, token) = time_limit(bytes);
        let no = |answer| Admission::Answer(self.reply(at, header, token, answer));
        let refuse = |reject| no(Answer::refused(reject, Seq(0)));
        let malformed = |what| no(Answer::malformed(what));

        match command_lane(command) {
            Lane::Engine => {
                let keyless = header.key == RequestKey::NONE && valid_until.0 == 0;
                // A journal begins once, runs follow each other, and everything else is within one.
                let in_order = match command {
                    Command::Genesis(_) => self.seq == Seq(0),
                    // A run whose first record never became durable leaves a gap in the numbers.
                    Command::EpochOpened(body) => self.seq != Seq(0) && self.epoch < body.epoch,
                    _ => self.epoch.0 != 0,
                };
                if !keyless || !in_order {
                    return malformed(Malformed::EngineOnly);
                }
                return Admission::Sequence(Admitted { hash: 0, digest: 0 });
            }
            _ if self.epoch.0 == 0 => return refuse(Reject::Recovering),
            Lane::Feed if header.key == RequestKey::NONE => {
                if matches!(command, Command::SetPrices(set, _) if set.feed == FeedId::MANUAL) {
                    return malformed(Malformed::Key);
                }
                if valid_until.0 != 0 {
                    return malformed(Malformed::ValidUntil);
                }
                return Admission::Sequence(Admitted { hash: 0, digest: 0 });
            }
            // Only a person's prices are under the key rules.
            Lane::Feed if !matches!(command, Command::SetPrices(set, _) if set.feed == FeedId::MANUAL) =>
            {
                return malformed(Malformed::Key);
            }
            Lane::Feed | Lane::Control | Lane::Customer => (),
        }

        if header.key == RequestKey::NONE {
            return malformed(Malformed::Key);
        }
        if valid_until.0 <= 0 || at.plus(self.genesis.window) < valid_until {
            return malformed(Malformed::ValidUntil);
        }
        let resolving = matches!(command, Command::Resolve(_));
        if !resolving && self.quarantined.contains(&(header.account, header.key)) {
            return refuse(Reject::Quarantined);
        }
        let hash = self.key_hash(header.account, header.key);
        let digest = if resolving { 0 } else { self.request_digest(header, bytes) };
        if let Some(entry) = self.keys.find(at, hash, header.account, header.key) {
            if entry.sealed && !resolving {
                return refuse(Reject::Sealed);
            }
            if !resolving && entry.digest != digest {
                return refuse(Reject::RequestReused);
            }
            let (fate, amount) = self.fate(&entry.answer);
            let reply = self.reply(at, header, token, entry.answer);
            return Admission::Answer(reply.repeated(fate, amount));
        }
        if resolving {
            if valid_until.plus(self.genesis.window) < at {
                return refuse(Reject::TooOld);
            }
        } else if valid_until < at {
            return refuse(Reject::Expired);
        }
        let legs = match command {
            Command::Place(_) => 1,
            Command::PlaceTicket(body, _) => u32::from(body.legs),
            _ => 0,
        };
        let bets_full = legs != 0
            && (self.live_bets == self.capacities.bets
                || self.capacities.legs < self.live_legs + legs);
        let orders = match command {
            Command::PlaceOrders(body, _) => body.count,
            Command::ReplaceOrders(body, _) => body.count,
            _ => 0,
        };
        let live = self.exchange.live_rows - self.exchange.spent + u32::from(orders);
        let orders_full = orders != 0 && self.capacities.orders < live;
        let keys_full = match command_lane(command) {
            Lane::Customer => self.keys.is_full_for_customers(),
            Lane::Engine | Lane::Control | Lane::Feed => self.keys.is_full(),
        };
        if keys_full || bets_full || orders_full {
            return refuse(Reject::Overloaded);
        }
        Admission::Sequence(Admitted { hash, digest })
    }

    /// Decides a command that was admitted, changes the state, tells what happened.
    ///
    /// `events` is cleared first. The journal's record is the command's bytes and then these events.
    ///
    /// # Panics
    /// If the stamp is not the next, or an invariant is broken: then the state is not to be used again.
    pub fn apply(
        &mut self,
        stamp: Stamp,
        header: &Header,
        command: &Command<'_>,
        admitted: Admitted,
        events: &mut Events,
    ) -> Reply {
        assert!(stamp.seq == self.seq.next(), "sequences follow each other without a gap");
        assert!(self.now <= stamp.at, "time does not go back");
        events.clear();
        self.seq = stamp.seq;
        self.now = stamp.at;
        if stamp.seq.0.is_multiple_of(HASH_EVERY) {
            events.push(&EventHash { hash: self.running.hash, events: self.running.events });
        }

        let (Ok(answer) | Err(answer)) = self.decide(header, command, events);

        let (valid_until, token) = body_head(command);
        if header.key != RequestKey::NONE {
            let sealed = matches!(command, Command::Resolve(_));
            // Whatever time limit the question names: a copy made before it may carry one that is a
            // whole window ahead.
            let latest = stamp.at.plus(self.genesis.window);
            let valid_until = if sealed { valid_until.max(latest) } else { valid_until };
            self.keys.insert(
                admitted.hash,
                header.account,
                header.key,
                admitted.digest,
                valid_until,
                answer,
                sealed,
            );
            events.push(&Answered {
                account: header.account,
                digest: admitted.digest,
                key: header.key,
                valid_until,
                answer,
                sealed: u64::from(sealed),
            });
        }
        self.running.add(events.as_bytes(), events.count());
        self.reply(stamp.at, header, token, answer)
    }

    /// Applies a journaled command again.
    ///
    /// # Errors
    /// If the bytes are not a command, or one that would not have been sequenced: the journal and
    /// this state do not belong together.
    pub fn replay(
        &mut self,
        stamp: Stamp,
        bytes: &[u8],
        events: &mut Events,
    ) -> Result<Reply, ReplayError> {
        let wrong = |what| ReplayError { seq: stamp.seq, what };
        if stamp.seq != self.seq.next() {
            return Err(wrong(ReplayWhat::Gap { expected: self.seq.next() }));
        }
        if stamp.at < self.now {
            return Err(wrong(ReplayWhat::TimeWentBack));
        }
        let (header, command) = decode(bytes).map_err(|m| wrong(ReplayWhat::Malformed(m)))?;
        match self.admit(stamp.at, &header, &command, bytes) {
            Admission::Sequence(admitted) => {
                Ok(self.apply(stamp, &header, &command, admitted, events))
            }
            Admission::Answer(reply) => Err(wrong(ReplayWhat::NotSequenced(reply.answer))),
        }
    }

    fn decide(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        events: &mut Events,
    ) -> Result<Answer, Answer> {
        let lane = command_lane(command);
        let registering = matches!(command, Command::RegisterActor(..));
        if matches!(lane, Lane::Control | Lane::Feed) && !registering {
            self.require_actor(header)?;
        }
        match command {
            Command::Genesis(body) => Ok(self.begin_journal(body)),
            Command::EpochOpened(body) => Ok(self.begin_run(body, events)),
            Command::Step(body) => Ok(self.step(body.budget, events)),
            Command::Tick(_) => Ok(Answer::done(self.seq, 0)),
            Command::Quarantine(body) => self.quarantine(body, events),

            Command::RegisterActor(_, names) => self.register_actor(names.first(), events),
            Command::DefineFeed(body, names) => self.define_feed(body, names.first(), events),
            Command::DefineFixture(body, names) => self.define_fixture(body, names.first(), events),
            Command::DefineMarket(body, names) => self.define_market(body, *names, events),
            Command::OpenMarket(body) => self.open_market(body, events),
            Command::CloseMarket(body) => self.close_market(body, events),
            Command::Suspend(body) => self.suspend(body, events),
            Command::Release(body) => self.release(body, events),
            Command::WithdrawSelection(body) => self.withdraw_selection(body, events),
            Command::MarketResult(body, entries) => self.result(body, *entries, events),
            Command::ArchiveMarket(body) => self.archive_market(body, events),
            Command::SetLimits(body) => self.set_limits(body, events),
            Command::BlockAccount(body) => self.block_account(body, events),
            Command::LiftQuarantine(body) => self.lift_quarantine(body, events),
            Command::PublishRules(_, sets) => self.publish_rules(sets.iter(), events),
            Command::SetInPlay(body) => self.set_in_play(body, events),
            Command::AnswerReferral(body, prices) => {
                self.answer_referral(body, prices.iter(), events)
            }
            Command::FreezeCashOut(body) => self.freeze_cash_out(body, events),
            Command::CancelBets(body) => self.cancel_bets(body, events),
            Command::RollbackResult(body) => self.rollback_result(body, events),
            Command::CancelBet(body) => self.cancel_bet(body, events),
            Command::CorrectPrice(body) => self.correct_price(body, events),
            Command::Adjust(body) => self.adjust(body, events),
            Command::GrantBonus(body) => self.grant_bonus(body, events),
            Command::SetStakeFactor(body) => self.set_stake_factor(body, events),
            Command::SetShedding(body) => self.set_shedding(header, body, events),
            Command::SetAccountLimit(body) => self.set_account_limit(body, events),
            Command::ExcludeAccount(body) => self.exclude_account(body, events),
            Command::ConfirmHold(body) => self.confirm_hold(body, events),
            Command::ReleaseHold(body) => self.release_hold(body, events),

            Command::DefineGroup(body, names) => self.define_group(body, names.first(), events),
            Command::SwitchFeed(body) => self.switch_feed(body, events),
            Command::SetTier(body) => self.set_tier(body, events),
            Command::AssignTier(body) => self.assign_tier(body, events),
            Command::SetFeedSchema(body) => self.set_feed_schema(body, events),
            Command::TraderPrice(body) => self.trader_price(body, events),

            Command::SetPrices(body, entries) => self.set_prices(header, body, *entries, events),
            Command::Reprice(body, entries) => self.reprice(header, body, *entries, events),
            Command::FeedHeartbeat(body) => self.feed_heartbeat(header, body, events),
            Command::FeedGap(body) => self.feed_gap(header, body, events),
            Command::FeedRecovered(body) => self.feed_recovered(header, body, events),
            Command::FeedRecovering(body) => self.feed_recovering(header, body, events),

            Command::OpenAccount(body) => self.open_account(header, body, events),
            Command::Deposit(body) => self.deposit(header, body.amount, events),
            Command::Withdraw(body) => self.withdraw(header, body.amount, events),
            Command::Place(body) => self.place(header, body, events),
            Command::PlaceTicket(body, legs) => {
                self.place_ticket(header, body, legs.iter(), events)
            }
            Command::CashOut(body) => self.cash_out(header, body, events),
            Command::SetAutoCashOut(body) => self.set_auto_cash_out(header, body, events),
            Command::AcceptOffer(body) => self.accept_offer(header, body.bet, events),
            Command::DeclineOffer(body) => self.decline_offer(header, body.bet, events),
            Command::SetOwnLimit(body) => self.set_own_limit(header, body, events),
            Command::ExcludeSelf(body) => self.exclude_self(header, body, events),
            Command::Resolve(_) => Ok(Answer::of(AnswerKind::NeverPlaced, self.seq)),

            Command::SetExchange(body, bands) => self.set_exchange(body, *bands, events),
            Command::SetDiscount(body) => self.set_discount(body, events),
            Command::LapseOrders(body) => self.lapse_orders(body, events),
            Command::PlaceOrders(body, orders) => self.place_orders(header, body, *orders, events),
            Command::CancelOrders(body, orders) => {
                self.cancel_orders(header, body, *orders, events)
            }
            Command::ReplaceOrders(body, orders) => {
                self.replace_orders(header, body, *orders, events)
            }
            Command::UpdateOrders(body, orders) => {
                self.update_orders(header, body, *orders, events)
            }
        }
    }

    fn require_actor(&self, header: &Header) -> Result<(), Answer> {
        let known = 0 < header.account && header.account <= self.actors.names.len() as u64;
        if known { Ok(()) } else { Err(self.no(Reject::ActorUnknown)) }
    }

    /// A refusal at this sequence.
    pub(crate) fn no(&self, reject: Reject) -> Answer {
        Answer::refused(reject, self.seq)
    }

    /// What has become of what an answer was about.
    pub(crate) fn fate(&self, answer: &Answer) -> (Fate, Minor) {
        match answer.kind() {
            AnswerKind::Accepted | AnswerKind::Offered | AnswerKind::Pending => {
                let Some(bet) = self.find_bet(BetId::from_raw(answer.id)) else {
                    return (Fate::Archived, Minor(0));
                };
                let fate = match bet.state {
                    BetState::Held => Fate::Held,
                    BetState::Delayed | BetState::Referred => Fate::Waiting,
                    BetState::Rejected => Fate::Rejected,
                    BetState::Open => Fate::Open,
                    BetState::CashingOut => Fate::CashingOut,
                    BetState::CashedOut => Fate::CashedOut,
                    BetState::Offered => Fate::Offered,
                    BetState::OfferEnded => Fate::OfferEnded,
                    BetState::Won => Fate::Won,
                    BetState::Lost => Fate::Lost,
                    BetState::Void => Fate::Void,
                    BetState::Partial => Fate::Partial,
                    BetState::Archived => Fate::Archived,
                };
                let sold = bet.state == BetState::CashedOut;
                (fate, Minor(if sold { bet.cashed } else { bet.paid }))
            }
            AnswerKind::Ordered => {
                let Some(order) = self.exchange.find(OrderId::from_raw(answer.id)) else {
                    return (Fate::Archived, Minor(0));
                };
                match order.state {
                    OrderState::Pending => (Fate::Waiting, Minor(0)),
                    OrderState::Executable => (Fate::Executable, Minor(0)),
                    OrderState::ExecutionComplete => {
                        (Fate::ExecutionComplete, Minor(order.matched))
                    }
                    OrderState::Expired => (Fate::Expired, Minor(0)),
                    OrderState::Archived => (Fate::Archived, Minor(0)),
                }
            }
            AnswerKind::Started => {
                let job = self.find_market(answer.job_market()).is_some_and(|(_, market)| {
                    market.job.is_some_and(|job| job.id.0 == answer.id)
                        || market.queued.is_some_and(|(id, _)| id.0 == answer.id)
                });
                (if job { Fate::JobRunning } else { Fate::JobEnded }, Minor(0))
            }
            AnswerKind::Refused
            | AnswerKind::Done
            | AnswerKind::Changed
            | AnswerKind::NeverPlaced => (Fate::Nothing, Minor(0)),
        }
    }

    pub(crate) fn find_bet(&self, id: BetId) -> Option<&Bet> {
        let bet = self.bets.get(id.index() as usize)?;
        (bet.generation == id.generation() && bet.state != BetState::Archived).then_some(bet)
    }

    pub(crate) fn find_market(&self, id: MarketId) -> Option<(u32, &Market)> {
        let market = self.markets.get(id.index() as usize)?;
        let live = market.generation == id.generation() && market.status != MarketStatus::Archived;
        live.then_some((id.index(), market))
    }

    pub(crate) fn find_fixture(&self, id: FixtureId) -> Option<&Fixture> {
        (id.generation() == 1).then(|| self.fixtures.get(id.index() as usize)).flatten()
    }

    pub(crate) fn market_id(&self, index: u32) -> MarketId {
        MarketId::new(index, self.markets[index as usize].generation)
    }

    fn secret(&self) -> (u64, u64) {
        let secret = u128::from_le_bytes(self.genesis.secret);
        (secret as u64, (secret >> 64) as u64)
    }

    pub(crate) fn key_hash(&self, account: u64, key: RequestKey) -> u64 {
        let (k0, k1) = self.secret();
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&account.to_le_bytes());
        bytes[8..].copy_from_slice(&key.0.to_le_bytes());
        SipHasher13::new_with_keys(k0, k1).hash(&bytes)
    }

    pub(crate) fn name_hash(&self, name: &Name) -> u64 {
        let (k0, k1) = self.secret();
        let mut hasher = SipHasher13::new_with_keys(k0, k1);
        hasher.write(zerocopy::IntoBytes::as_bytes(name));
        hasher.finish()
    }

    /// Everything of a request that can change its decision; not trace, received, token, route, nor
    /// that the caller says it is a retry.
    fn request_digest(&self, header: &Header, bytes: &[u8]) -> u64 {
        let (k0, k1) = self.secret();
        let flags = header.flags & !Header::RETRY;
        let head = u64::from(header.kind)
            | u64::from(header.version) << 8
            | u64::from(flags) << 16
            | u64::from(header.slots) << 32;
        let mut asked = [0; 24 + SLOT - HEADER - 16];
        asked[..8].copy_from_slice(&head.to_le_bytes());
        asked[8..16].copy_from_slice(&header.account.to_le_bytes());
        asked[16..24].copy_from_slice(&bytes[HEADER..HEADER + 8]);
        asked[24..].copy_from_slice(&bytes[HEADER + 16..SLOT]);
        let mut hasher = SipHasher13::new_with_keys(k0, !k1);
        if bytes.len() == SLOT {
            return hasher.hash(&asked);
        }
        hasher.write(&asked);
        hasher.write(&bytes[SLOT..]);
        hasher.finish()
    }
}

/// Why a journal cannot be applied to a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayError {
    /// At which sequence.
    pub seq: Seq,
    /// What is wrong there.
    pub what: ReplayWhat,
}

/// What is wrong with a journaled command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayWhat {
    /// It is not the next.
    Gap {
        /// The next.
        expected: Seq,
    },
    /// It is stamped before its predecessor.
    TimeWentBack,
    /// Its bytes are not a command.
    Malformed(Malformed),
    /// It would be answered without a sequence.
    NotSequenced(Answer),
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the record at {} cannot be applied: ", self.seq)?;
        match &self.what {
            ReplayWhat::Gap { expected } => write!(f, "{expected} comes next"),
            ReplayWhat::TimeWentBack => f.write_str("it is stamped before its predecessor"),
            ReplayWhat::Malformed(what) => write!(f, "{what}"),
            ReplayWhat::NotSequenced(answer) => {
                write!(f, "it would be answered without a sequence: {answer}")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

/// The time limit and the token of a command's bytes, which were read before.
fn time_limit(bytes: &[u8]) -> (Timestamp, Token) {
    let word = |at: usize| bytes[at..at + 8].try_into().expect("eight bytes");
    let valid_until = Timestamp(i64::from_le_bytes(word(HEADER)));
    (valid_until, Token(u64::from_le_bytes(word(HEADER + 8))))
}

macro_rules! for_every_body {
    ($command:expr, $body:ident => $what:expr) => {
        match $command {
            Command::Genesis($body) => $what,
            Command::EpochOpened($body) => $what,
            Command::Step($body) => $what,
            Command::Tick($body) => $what,
            Command::Quarantine($body) => $what,
            Command::RegisterActor($body, _) => $what,
            Command::DefineFeed($body, _) => $what,
            Command::DefineFixture($body, _) => $what,
            Command::DefineMarket($body, _) => $what,
            Command::OpenMarket($body) => $what,
            Command::CloseMarket($body) => $what,
            Command::Suspend($body) => $what,
            Command::Release($body) => $what,
            Command::WithdrawSelection($body) => $what,
            Command::MarketResult($body, _) => $what,
            Command::ArchiveMarket($body) => $what,
            Command::SetLimits($body) => $what,
            Command::BlockAccount($body) => $what,
            Command::LiftQuarantine($body) => $what,
            Command::PublishRules($body, _) => $what,
            Command::SetInPlay($body) => $what,
            Command::AnswerReferral($body, _) => $what,
            Command::FreezeCashOut($body) => $what,
            Command::CancelBets($body) => $what,
            Command::RollbackResult($body) => $what,
            Command::CancelBet($body) => $what,
            Command::CorrectPrice($body) => $what,
            Command::Adjust($body) => $what,
            Command::GrantBonus($body) => $what,
            Command::DefineGroup($body, _) => $what,
            Command::SwitchFeed($body) => $what,
            Command::SetTier($body) => $what,
            Command::AssignTier($body) => $what,
            Command::SetFeedSchema($body) => $what,
            Command::TraderPrice($body) => $what,
            Command::SetStakeFactor($body) => $what,
            Command::SetShedding($body) => $what,
            Command::SetAccountLimit($body) => $what,
            Command::ExcludeAccount($body) => $what,
            Command::ConfirmHold($body) => $what,
            Command::ReleaseHold($body) => $what,
            Command::SetPrices($body, _) => $what,
            Command::Reprice($body, _) => $what,
            Command::FeedHeartbeat($body) => $what,
            Command::FeedGap($body) => $what,
            Command::FeedRecovered($body) => $what,
            Command::FeedRecovering($body) => $what,
            Command::OpenAccount($body) => $what,
            Command::Deposit($body) => $what,
            Command::Withdraw($body) => $what,
            Command::Place($body) => $what,
            Command::AcceptOffer($body) => $what,
            Command::DeclineOffer($body) => $what,
            Command::Resolve($body) => $what,
            Command::PlaceTicket($body, _) => $what,
            Command::CashOut($body) => $what,
            Command::SetAutoCashOut($body) => $what,
            Command::SetOwnLimit($body) => $what,
            Command::ExcludeSelf($body) => $what,
            Command::SetExchange($body, _) => $what,
            Command::SetDiscount($body) => $what,
            Command::LapseOrders($body) => $what,
            Command::PlaceOrders($body, _) => $what,
            Command::CancelOrders($body, _) => $what,
            Command::ReplaceOrders($body, _) => $what,
            Command::UpdateOrders($body, _) => $what,
        }
    };
}

fn body_head(command: &Command<'_>) -> (Timestamp, Token) {
    for_every_body!(command, body => (body.valid_until, body.token))
}

fn command_lane(command: &Command<'_>) -> Lane {
    fn lane<B: crate::wire::Body>(_: &B) -> Lane {
        B::KIND.lane()
    }
    for_every_body!(command, body => lane(body))
}

// A time limit stands where every body has it.
const _: () = assert!(HEADER + 16 <= SLOT);
const _: () = assert!(std::mem::offset_of!(Place, valid_until) == 0);
const _: () = assert!(std::mem::offset_of!(Place, token) == 8);
