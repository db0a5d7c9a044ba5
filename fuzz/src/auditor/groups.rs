//! Groups of markets with two feeds, the levels at which they are suspended, and tiers, as the rules have them.

use super::{Auditor, Decided, Market, Suspended, and};
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;

/// A group: its two feeds, and which of them drives.
#[derive(Clone, Debug)]
pub(super) struct Group {
    name: String,
    pub(super) primary: u16,
    pub(super) backup: u16,
    pub(super) by_backup: bool,
    pub(super) suspended: Suspended,
    pub(super) frozen: Suspended,
}

impl Auditor {
    pub(super) fn group(&self, market: &Market) -> Option<&Group> {
        self.groups.get(usize::from(market.group).checked_sub(1)?)
    }

    /// Which of a market's quotes is in force.
    pub(super) fn driving_slot(&self, market: &Market) -> usize {
        usize::from(self.group(market).is_some_and(|group| group.by_backup))
    }

    /// The feed of one of a market's quotes.
    pub(super) fn feed_of_slot(&self, market: &Market, slot: usize) -> u16 {
        match slot {
            0 => market.feed,
            _ => self.group(market).map_or(market.feed, |group| group.backup),
        }
    }

    /// The feed that prices a market.
    pub(super) fn driving(&self, market: &Market) -> u16 {
        self.feed_of_slot(market, self.driving_slot(market))
    }

    /// The owner whose suspensions are not counted: the feed that does not drive.
    fn not_counted(&self, market: &Market) -> Option<u8> {
        self.group(market).map(|group| match group.by_backup {
            true => Owner::Feed as u8,
            false => Owner::Backup as u8,
        })
    }

    /// Everything that a market is suspended with: the level, its number, who counts at it.
    fn levels_named<'a>(
        &'a self,
        id: u64,
        market: &'a Market,
        selection: Option<usize>,
    ) -> Vec<(Level, u64, &'a Suspended)> {
        let feed = self.driving(market);
        let mut levels = vec![
            (Level::Engine, 0, &self.everything),
            (Level::Feed, u64::from(feed), &self.feeds[usize::from(feed)].suspended),
        ];
        let group = self.group(market);
        levels.extend(group.map(|g| (Level::Group, u64::from(market.group), &g.suspended)));
        let fixture = self.fixtures.get(&market.fixture);
        levels.extend(fixture.map(|f| (Level::Fixture, market.fixture, &f.suspended)));
        levels.push((Level::Market, id, &market.suspended));
        let runner = selection.and_then(|at| market.runners.get(at));
        levels.extend(runner.map(|runner| (Level::Selection, id, &runner.suspended)));
        levels
    }

    /// The owners that hold a level, as far as they count for a market.
    fn holders(&self, market: &Market, level: Level, suspended: &Suspended) -> Vec<u8> {
        let not = match level {
            Level::Engine | Level::Feed => None,
            Level::Group | Level::Fixture | Level::Market | Level::Selection => {
                self.not_counted(market)
            }
        };
        suspended.owners.iter().copied().filter(|owner| Some(*owner) != not).collect()
    }

    /// Whether a market takes no bets: at any level that covers it, and of one selection at that too. What a
    /// trader has pinned does not ask its feed.
    pub(super) fn is_suspended(&self, market: &Market, selection: Option<usize>) -> bool {
        let runner = selection.and_then(|at| market.runners.get(at));
        let pinned = runner.is_some_and(|runner| runner.pin.is_some());
        let levels = self.levels_named(0, market, selection);
        let asked = levels.into_iter().filter(|(level, ..)| !(pinned && *level == Level::Feed));
        let mut asked = asked.map(|(level, _, by)| self.holders(market, level, by));
        asked.any(|holders| !holders.is_empty())
    }

    /// The sequence of the last suspension of a market or one of its selections, by whomever.
    pub(super) fn last_suspended(&self, market: &Market, selection: usize, by_feed: bool) -> u64 {
        let levels = self.levels_named(0, market, Some(selection)).into_iter();
        let asked = levels.filter(|(level, ..)| by_feed || *level != Level::Feed);
        asked.map(|(.., by)| by.last).max().unwrap_or(0)
    }

    /// When a market was last suspended as a whole, at any level.
    pub(super) fn last_suspended_as_market(&self, market: &Market) -> u64 {
        let levels = self.levels_named(0, market, None).into_iter();
        levels.map(|(.., by)| by.last).max().unwrap_or(0)
    }

    /// Everybody who suspends a market or one of its selections, and at which level: the level, its number, the
    /// selection, the owner.
    pub fn suspensions(&self, id: MarketId) -> Vec<(Level, u64, SelectionIndex, u8)> {
        let Some(market) = self.markets.get(&id.raw()) else { return Vec::new() };
        let of = |selection: Option<usize>| {
            let levels = self.levels_named(id.raw(), market, selection);
            levels.into_iter().flat_map(move |(level, number, by)| {
                let at = if level == Level::Selection { selection.unwrap_or(0) } else { 0 };
                let holders = self.holders(market, level, by).into_iter();
                holders.map(move |owner| (level, number, SelectionIndex(at as u16), owner))
            })
        };
        let mut all: Vec<_> = of(None).collect();
        for selection in 0..market.runners.len() {
            all.extend(of(Some(selection)).filter(|(level, ..)| *level == Level::Selection));
        }
        all
    }

    pub(super) fn is_frozen(&self, market: &Market) -> bool {
        let feed = &self.feeds[usize::from(self.driving(market))].frozen;
        let mut levels = vec![
            (Level::Engine, &self.all_frozen),
            (Level::Feed, feed),
            (Level::Market, &market.frozen),
        ];
        levels.extend(self.group(market).map(|group| (Level::Group, &group.frozen)));
        let fixture = self.fixtures.get(&market.fixture);
        levels.extend(fixture.map(|fixture| (Level::Fixture, &fixture.frozen)));
        levels.into_iter().any(|(level, by)| !self.holders(market, level, by).is_empty())
    }

    /// Who suspends a level, and who freezes its cash-outs.
    fn level(
        &mut self,
        level: u8,
        id: u64,
        selection: SelectionIndex,
    ) -> Result<[&mut Suspended; 2], Answer> {
        let unknown = |reject| Err(Answer::refused(reject, Seq(self.seq)));
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        match Level::from_code(level) {
            Some(Level::Engine) => Ok([&mut self.everything, &mut self.all_frozen]),
            Some(Level::Feed) => match self.feeds.get_mut(at) {
                Some(feed) if at != 0 => Ok([&mut feed.suspended, &mut feed.frozen]),
                _ => unknown(Reject::FeedUnknown),
            },
            Some(Level::Group) => match at.checked_sub(1).and_then(|at| self.groups.get_mut(at)) {
                Some(group) => Ok([&mut group.suspended, &mut group.frozen]),
                None => unknown(Reject::GroupUnknown),
            },
            Some(Level::Fixture) => match self.fixtures.get_mut(&id) {
                Some(fixture) => Ok([&mut fixture.suspended, &mut fixture.frozen]),
                None => unknown(Reject::FixtureUnknown),
            },
            Some(Level::Market) | None => match self.markets.get_mut(&id) {
                Some(market) => Ok([&mut market.suspended, &mut market.frozen]),
                None => unknown(Reject::MarketUnknown),
            },
            Some(Level::Selection) => {
                let Some(market) = self.markets.get_mut(&id) else {
                    return unknown(Reject::MarketUnknown);
                };
                let frozen = &mut market.frozen;
                match market.runners.get_mut(usize::from(selection.0)) {
                    Some(runner) => Ok([&mut runner.suspended, frozen]),
                    None => unknown(Reject::SelectionUnknown),
                }
            }
        }
    }

    pub(super) fn suspend(&mut self, body: &Suspend, on: bool) -> Decided {
        let Suspend { level, id, owner, selection, .. } = *body;
        let seq = self.seq;
        let lines = self.has_lines(MarketId::from_raw(id));
        let no = self.no(Reject::NotAllowed);
        let [suspended, _] = self.level(level, id, selection)?;
        // A bet on a line may be matched at any other.
        if on && lines && level == Level::Selection as u8 {
            return Err(no);
        }
        let told = suspended.by(owner, on, seq, (level, id, selection));
        self.told.push(told);
        Ok(self.done(id))
    }

    pub(super) fn freeze(&mut self, body: &FreezeCashOut) -> Decided {
        let (id, level, owner, frozen) = (body.id, body.level, body.owner, body.frozen);
        let [_, by] = self.level(level, id, SelectionIndex(0))?;
        if frozen == 1 {
            by.owners.insert(owner);
        } else {
            by.owners.remove(&owner);
        }
        let owners = by.bits();
        let told = CashOutFrozen { id, level, owner, owners, frozen, zero: [0; 4] };
        self.told.push(Event::CashOutFrozen(told));
        Ok(self.done(id))
    }

    pub(super) fn define_group(&mut self, body: &DefineGroup, name: &str) -> Decided {
        if let Some(at) = self.groups.iter().position(|group| group.name == name) {
            return Err(and(self.no(Reject::NameTaken), |no| no.id = at as u64 + 1));
        }
        let known = |feed: FeedId| usize::from(feed.0) < self.feeds.len();
        if !known(body.primary) || !known(body.backup) {
            return Err(self.no(Reject::FeedUnknown));
        }
        if self.groups.len() == self.capacities.groups as usize {
            return Err(self.no(Reject::Full));
        }
        self.groups.push(Group {
            name: name.to_owned(),
            primary: body.primary.0,
            backup: body.backup.0,
            by_backup: false,
            suspended: Suspended::default(),
            frozen: Suspended::default(),
        });
        let id = self.groups.len() as u64;
        let kind = Kind::DefineGroup as u8;
        self.told.push(Event::Named(Named { id, kind, zero: [0; 7] }));
        let (group, primary, backup) = (GroupId(id as u16), body.primary, body.backup);
        let told = GroupDefined { group, primary, backup, zero: 0 };
        self.told.push(Event::GroupDefined(told));
        Ok(self.done(id))
    }

    /// The other feed prices a group from here on: what was offered or waits at the first one's is over.
    pub(super) fn switch(&mut self, body: &SwitchFeed) -> Decided {
        let (seq, unknown) = (self.seq, self.no(Reject::GroupUnknown));
        let at = usize::from(body.group.0).checked_sub(1);
        let Some(group) = at.and_then(|at| self.groups.get_mut(at)) else { return Err(unknown) };
        let by_backup = body.to == Drives::Backup as u8;
        if group.by_backup == by_backup {
            return Err(self.no(Reject::NotAllowed));
        }
        group.by_backup = by_backup;
        group.suspended.last = seq;
        let feed = FeedId(if by_backup { group.backup } else { group.primary });
        let told = FeedSwitched { group: body.group, feed, to: body.to, zero: [0; 3] };
        self.told.push(Event::FeedSwitched(told));
        Ok(self.done(u64::from(body.group.0)))
    }

    /// What holds for the markets of a tier.
    pub(super) fn tier(&self, market: &Market) -> SetTier {
        self.tiers.get(&market.tier).copied().unwrap_or_default()
    }

    pub(super) fn set_tier(&mut self, body: &SetTier) -> Decided {
        self.tiers.insert(body.tier, *body);
        self.told.push(Event::TierSet(TierSet { tier: body.tier, zero: [0; 7] }));
        Ok(self.done(u64::from(body.tier)))
    }

    pub(super) fn assign_tier(&mut self, body: &AssignTier) -> Decided {
        let unknown = self.no(Reject::MarketUnknown);
        let Some(market) = self.markets.get_mut(&body.market.raw()) else { return Err(unknown) };
        market.tier = body.tier;
        let (market, tier) = (body.market, body.tier);
        self.told.push(Event::TierAssigned(TierAssigned { market, tier, zero: [0; 7] }));
        // With a result there is nothing left to be apart.
        use MarketStatus::{Closed, Defined, Open};
        let kept = &self.markets[&body.market.raw()];
        if matches!(kept.status, Defined | Open | Closed) {
            let runners = kept.runners.len();
            (0..runners).for_each(|at| self.compares_feeds(body.market, at));
        }
        Ok(self.done(body.market.raw()))
    }
}

impl Suspended {
    pub(super) fn bits(&self) -> u8 {
        self.owners.iter().fold(0, |bits, owner| bits | 1 << owner)
    }

    /// An owner suspends or releases a level: what is told of that.
    pub(super) fn by(
        &mut self,
        owner: u8,
        on: bool,
        seq: u64,
        (level, id, selection): (u8, u64, SelectionIndex),
    ) -> Event {
        if on {
            self.owners.insert(owner);
            self.last = seq;
        } else {
            self.owners.remove(&owner);
        }
        let (owners, zero, zero2) = (self.bits(), 0, [0; 2]);
        if on {
            let told = LevelSuspended { id, level, owner, owners, zero, selection, zero2 };
            Event::LevelSuspended(told)
        } else {
            let told = LevelReleased { id, level, owner, owners, zero, selection, zero2 };
            Event::LevelReleased(told)
        }
    }
}
