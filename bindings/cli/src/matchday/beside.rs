//! What the house does beside a night's own markets: feeds that stand by, probes on a canary, and a wallet
//! that keeps the money of some customers.

use crate::error::CliError;
use crate::matchday::acts::FeedTerms;
use crate::matchday::gateway::Keys;
use betring::logic::command::{self, build};
use betring::logic::event::HoldRequested;
use betring::logic::wire::{Body, Header};
use betring::{
    AccountId, AccountTerms, BetId, Client, Control, Currency, Drives, Engine, Error, Feed, FeedId,
    Group, GroupId, LimitKind, Market, MarketId, MarketTerms, Nanos, Period, Place, Price,
    Reference, Reject, Reply, SelectionIndex, SelectionOutcome, Ticket, TierTerms, Timestamp,
    money, price,
};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

/// The versions of a feed's messages: the one that is expected, and the one that comes one night.
pub(crate) const SCHEMA: u32 = 1;
const NEXT_SCHEMA: u32 = 2;
/// The tier of the night's markets, and that of a market that is soon sold out.
pub(crate) const TIER: u8 = 1;
pub(crate) const SMALL_TIER: u8 = 2;
/// How far the feeds may be apart, in parts per million, and for how long.
const DRIFT: (u32, Nanos) = (100_000, Nanos::from_secs(60));
/// A customer of so many limits its own stakes of a day, to so much.
const LIMITED_EVERY: usize = 40;
const OWN_LIMIT: betring::Money = money!(100.00);
/// Accounts whose money is in the wallet.
const WALLETS: u64 = 8;
/// Numbers of accounts that are no customer's of the plan.
const WALLET_REFERENCE: u64 = 900_000;
const PROBE_REFERENCE: u64 = 990_000;
/// Answers of the wallet that nobody has read yet, at most.
const UNREAD: usize = 32;
/// How long a control command may take to be answered.
const ANSWER: Duration = Duration::from_secs(10);

/// What was done beside the night's own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BesideTally {
    /// Probes that were sent, and those that were bets.
    pub(crate) probes: u64,
    pub(crate) probed: u64,
    /// Accounts that limit their own stakes.
    pub(crate) limited: u64,
}

/// A feed that stands by for another.
struct Standby {
    group: Group,
    backup: Feed,
    /// The primary's handle as of an adapter that reads the next version.
    next: Feed,
    is_next: bool,
    is_silent: bool,
    every: Nanos,
    heard: Timestamp,
}

/// Everything beside.
pub(crate) struct Beside {
    standby: Vec<Standby>,
    canary: Market,
    probe: (Client, AccountId),
    wallet: Control,
    wallets: Vec<AccountId>,
    /// The wallet's answers that were sent.
    said: VecDeque<Ticket>,
    keys: Keys,
    answers: u64,
    pub(crate) tally: BesideTally,
}

/// What was made, or what has the name already.
fn made<T>(made: Result<T, Error>, known: impl FnOnce(u64) -> T) -> Result<T, CliError> {
    match made {
        Err(Error::Refused(refusal))
            if matches!(refusal.reject, Reject::NameTaken | Reject::AccountExists) =>
        {
            Ok(known(refusal.answer.id))
        }
        made => Ok(made?),
    }
}

impl Beside {
    /// Defines the backups and groups of these feeds, the tiers, the canary, and the accounts.
    pub(crate) fn prepare(
        engine: &Engine,
        control: &mut Control,
        feeds: &[(FeedTerms, FeedId)],
        keys: Keys,
        customers: &[AccountId],
    ) -> Result<Beside, CliError> {
        let mut standby = Vec::new();
        for (FeedTerms { name, silence }, primary) in feeds {
            control.set_feed_schema(*primary, SCHEMA)?;
            let backup = engine.feed(&format!("{name} backup"), *silence)?;
            let id = backup.id();
            let group = made(control.define_group(name, *primary, id), |raw| Group {
                id: GroupId(raw as u16),
                primary: *primary,
                backup: id,
            })?;
            let next = engine.feed(name, *silence)?.schema(NEXT_SCHEMA);
            standby.push(Standby {
                group,
                backup,
                next,
                is_next: false,
                is_silent: false,
                every: Nanos(silence.0 / 5),
                heard: Timestamp(0),
            });
        }
        let (band, dwell) = DRIFT;
        control.set_tier(TIER, TierTerms::new().drift(band, dwell))?;
        // What could cost a quarter of the limit is a tick shorter; after three of them it waits.
        let small = TierTerms::new().drift(band, dwell).step_prices(25, 1, 3);
        control.set_tier(SMALL_TIER, small)?;

        let mut client = engine.client(64)?;
        let mut wallets = Vec::new();
        for number in 0..WALLETS {
            let terms = AccountTerms::new(Reference(WALLET_REFERENCE + number), Currency::GBP);
            wallets.push(made(client.open(terms.external_wallet()), AccountId::from_raw)?);
        }
        let terms = AccountTerms::new(Reference(PROBE_REFERENCE), Currency::GBP).probe();
        let account = made(client.open(terms), AccountId::from_raw)?;
        client.deposit(account, money!(100_000.00), keys.key(Keys::PROBE, 0))?;
        let canary = canary(control)?;
        let mut tally = BesideTally::default();
        for account in customers.iter().skip(7).step_by(LIMITED_EVERY) {
            let (kind, period) = (LimitKind::Stake, Period::Day);
            control.set_account_limit(*account, kind, period, Some(OWN_LIMIT))?;
            tally.limited += 1;
        }
        Ok(Beside {
            standby,
            canary,
            probe: (client, account),
            wallet: engine.control("wallet:acme")?,
            wallets,
            said: VecDeque::new(),
            keys,
            answers: 0,
            tally,
        })
    }

    /// The group of a feed's markets.
    pub(crate) fn group(&self, feed: usize) -> Option<Group> {
        self.standby.get(feed).map(|it| it.group)
    }

    /// Accounts whose money is in the wallet.
    pub(crate) fn wallets(&self) -> &[AccountId] {
        &self.wallets
    }

    /// The handle that a feed's messages go through: that of the adapter that reads them.
    pub(crate) fn through<'a>(&'a mut self, place: usize, feed: &'a mut Feed) -> &'a mut Feed {
        match self.standby.get_mut(place).filter(|it| it.is_next) {
            Some(standby) => &mut standby.next,
            None => feed,
        }
    }

    /// The backup of a feed.
    pub(crate) fn backup(&mut self, place: usize) -> Option<&mut Feed> {
        self.standby.get_mut(place).map(|it| &mut it.backup)
    }

    /// A feed counts as silent: if it is a backup, it has to say everything again.
    pub(crate) fn silent(&mut self, feed: FeedId) {
        for standby in self.standby.iter_mut().filter(|it| it.backup.id() == feed) {
            standby.is_silent = true;
        }
    }

    /// Something may have been missed: so may that a feed counts as silent.
    pub(crate) fn all_silent(&mut self) {
        self.standby.iter_mut().for_each(|it| it.is_silent = true);
    }

    /// The backups that have to say something now: whether everything, or only that they are there.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<(usize, bool)> {
        let mut due = Vec::new();
        for (place, standby) in self.standby.iter_mut().enumerate() {
            if standby.is_silent || standby.every <= now.since(standby.heard) {
                standby.heard = now;
                due.push((place, std::mem::take(&mut standby.is_silent)));
            }
        }
        due
    }

    /// The adapter of a feed reads another version from here on, or the expected one again.
    pub(crate) fn set_next(&mut self, place: usize, is_next: bool) {
        if let Some(standby) = self.standby.get_mut(place) {
            standby.is_next = is_next;
        }
    }

    /// Lets one of the feeds of a group drive it.
    pub(crate) fn switch(
        &self,
        control: &mut Control,
        place: usize,
        to: Drives,
    ) -> Result<(), Error> {
        match self.standby.get(place) {
            Some(standby) => control.switch_feed(standby.group, to).map(drop),
            None => Ok(()),
        }
    }

    /// A probe bets on the canary: the whole way, with nobody's money.
    pub(crate) fn probe(&mut self) {
        self.read_probes();
        let (client, account) = &mut self.probe;
        let selection = self.canary.at(SelectionIndex(0));
        let key = self.keys.key(Keys::PROBE, 1 + self.tally.probes);
        let bet = Place::single(*account, selection, money!(1.00)).any_price().synthetic().key(key);
        self.tally.probes += u64::from(client.try_submit(bet).is_ok());
    }

    fn read_probes(&mut self) {
        let mut replies = [Reply::default(); 64];
        let count = self.probe.0.poll(&mut replies);
        let bet = |reply: &&Reply| reply.answer.kind() == betring::AnswerKind::Accepted;
        self.tally.probed += replies[..count].iter().filter(bet).count() as u64;
    }

    /// The wallet is asked to hold a stake. Of ten it declines one, forgets one, and confirms one twice.
    pub(crate) fn hold(&mut self, hold: &HoldRequested) -> Result<(), CliError> {
        if hold.synthetic != 0 {
            return Ok(());
        }
        let reference = hold.bet.raw();
        let confirm = command::ConfirmHold {
            bet: hold.bet,
            amount: hold.amount,
            reference,
            ..Default::default()
        };
        match hold.bet.index() % 10 {
            0 => {
                self.say(command::ReleaseHold { bet: hold.bet, ..Default::default() }, |it, at| {
                    it.valid_until = at;
                })
            }
            1 => Ok(()),
            2 => {
                self.say(confirm, |it, at| it.valid_until = at)?;
                self.say(confirm, |it, at| it.valid_until = at)
            }
            _ => self.say(confirm, |it, at| it.valid_until = at),
        }
    }

    fn say<B: Body>(
        &mut self,
        mut body: B,
        limit: impl Fn(&mut B, Timestamp),
    ) -> Result<(), CliError> {
        limit(&mut body, self.wallet.now().plus(Nanos::from_secs(30)));
        self.answers += 1;
        let key = self.keys.key(Keys::WALLET_ANSWER, self.answers);
        let slot = build::plain(Header::control(self.wallet.actor(), key), &body);
        while UNREAD <= self.said.len()
            && let Some(ticket) = self.said.pop_front()
        {
            self.wallet.wait(ticket, ANSWER)?;
        }
        self.said.push_back(self.wallet.try_submit(&[slot]).map_err(Error::from)?);
        Ok(())
    }

    /// The night is over: everything that was said is answered, and the canary has its result.
    pub(crate) fn finish(&mut self, control: &mut Control) -> Result<(), CliError> {
        while let Some(ticket) = self.said.pop_front() {
            self.wallet.wait(ticket, ANSWER)?;
        }
        let until = std::time::Instant::now() + ANSWER;
        while self.probe.0.in_flight() != 0 && std::time::Instant::now() < until {
            self.read_probes();
            std::thread::sleep(Duration::from_millis(1));
        }
        let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
        control.result(&self.canary, [win, lose])?;
        for standby in &mut self.standby {
            standby.backup.settle(ANSWER)?;
        }
        Ok(())
    }
}

/// The market of probes: one that still takes bets, or the next of its name.
fn canary(control: &mut Control) -> Result<Market, CliError> {
    const NAMESAKES: u32 = 1_000;
    const NAMES: [&str; 2] = ["yes", "no"];
    for number in 1..=NAMESAKES {
        let name = match number {
            1 => "canary".to_owned(),
            _ => format!("canary ({number})"),
        };
        let terms = MarketTerms::new(&name, NAMES).canary();
        let market = match control.define(terms) {
            Ok(market) => market,
            Err(Error::Refused(refusal)) if refusal.reject == Reject::NameTaken => {
                Market::known(MarketId::from_raw(refusal.answer.id), &name, NAMES)
            }
            Err(error) => return Err(error.into()),
        };
        let prices: [Price; 2] = [price!(2.00), price!(2.00)];
        let priced = control.set_prices(&market, prices).map(drop);
        match priced.and_then(|()| control.open_market(&market).map(drop)) {
            Ok(()) => return Ok(market),
            // It has had its night.
            Err(Error::Refused(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(CliError::new(
        format_args!("{NAMESAKES} nights were played in this book"),
        "the journal's directory",
        "start a fresh book: leave --resume and --dir out",
    ))
}

/// What the journal says of all this.
#[derive(Clone, Debug, Default)]
pub(crate) struct BesideScan {
    backups: Vec<FeedId>,
    /// Bets that are bound to a backup's price, and to a pinned one.
    pub(crate) by_backup: u64,
    pub(crate) switches: u64,
    pub(crate) quarantines: u64,
    pub(crate) cured: u64,
    quarantined: BTreeMap<FeedId, bool>,
    pub(crate) pins: u64,
    pub(crate) steps: u64,
    pub(crate) exclusions: u64,
    /// Refusals for an account's own limit.
    pub(crate) own_limits: u64,
    /// Stakes that the wallet was to hold, that it confirmed, and that ended without a bet.
    pub(crate) held: u64,
    pub(crate) confirmed: u64,
    pub(crate) let_go: u64,
    /// Confirmed, and let go all the same when the gates were run again: counted in both.
    both: u64,
    confirmed_bets: HashSet<BetId>,
    /// Probes' bets.
    pub(crate) synthetic: u64,
}

impl BesideScan {
    /// What an event says; `is_new` of those of this run.
    pub(crate) fn take(&mut self, event: &betring::Event, is_new: bool) {
        use betring::Event;
        use betring::logic::event::{FeedStatus, FeedWhy};
        match event {
            Event::GroupDefined(group) => self.backups.push(group.backup),
            _ if !is_new => (),
            Event::FeedSwitched(_) => self.switches += 1,
            Event::FeedChanged(feed) => {
                let held = self.quarantined.entry(feed.feed).or_default();
                if feed.why == FeedWhy::Schema as u8 {
                    self.quarantines += 1;
                    *held = true;
                } else if *held && feed.status == FeedStatus::Up as u8 {
                    self.cured += 1;
                    *held = false;
                }
            }
            Event::PricePinned(pin) => self.pins += u64::from(pin.pinned == 1),
            Event::PriceStepped(_) => self.steps += 1,
            Event::AccountExcluded(_) => self.exclusions += 1,
            Event::Answered(answered) => {
                let reject = answered.answer.reject();
                self.own_limits += u64::from(reject == Some(Reject::CustomerLimit));
            }
            Event::HoldRequested(_) => self.held += 1,
            Event::HoldConfirmed(hold) => {
                self.confirmed += 1;
                self.confirmed_bets.insert(hold.bet);
            }
            Event::HoldEnded(hold) => {
                self.let_go += 1;
                self.both += u64::from(self.confirmed_bets.contains(&hold.bet));
            }
            Event::BetOpened(bet) => {
                self.synthetic += u64::from(bet.synthetic != 0);
                self.by_backup += u64::from(self.backups.contains(&bet.feed));
            }
            _ => (),
        }
    }

    /// Whether every stake that was to be held came to an end.
    pub(crate) fn all_ended(&self) -> bool {
        self.held + self.both == self.confirmed + self.let_go
    }
}
