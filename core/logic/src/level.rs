//! Levels: what a market is under. The engine, its feed, its group, its fixture, itself, a selection of
//! it: whoever suspends one of them, bets wait until the same one releases it.

use crate::answer::Answer;
use crate::bet::{Bet, BetState};
use crate::command::{Level, Owner, Release, Suspend};
use crate::event::{Events, LevelReleased, LevelSuspended};
use crate::id::{FeedId, FixtureId, GroupId, MarketId, SelectionIndex, Seq};
use crate::market::{MarketStep, Suspension};
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;

type Decided = Result<Answer, Answer>;

/// Where the feed's stands among the levels of a market.
const FEED: usize = 1;

impl<R: Rules> State<R> {
    /// The suspensions that a market is under: engine, feed, group, fixture, its own.
    pub(crate) fn levels(&self, index: u32) -> [Suspension; 5] {
        let market = &self.markets[index as usize];
        let feed = self.feeds[usize::from(self.driving_feed(market).0)].suspension;
        let group = self.find_group(market.group).map(|g| g.suspension).unwrap_or_default();
        let fixture = self.find_fixture(market.fixture).map(|f| f.suspension).unwrap_or_default();
        let heard = |suspension| self.heard_by(market, suspension);
        [self.suspension, feed, heard(group), heard(fixture), heard(market.suspension)]
    }

    /// The same, and the selection's, as a bet on that meets them: where a trader's price is in force,
    /// nobody asks for the feed.
    pub(crate) fn levels_for_bets(&self, index: u32, selection: SelectionIndex) -> [Suspension; 6] {
        let market = &self.markets[index as usize];
        let kept = &self.selections[market.first as usize + usize::from(selection.0)];
        let [engine, feed, group, fixture, own] = self.levels(index);
        let feed = if kept.is_pinned() { Suspension::default() } else { feed };
        [engine, feed, group, fixture, own, self.heard_by(market, kept.suspension)]
    }

    /// The freezes of cash-outs that a market is under: engine, feed, group, fixture, its own.
    pub(crate) fn freezes(&self, index: u32) -> [Suspension; 5] {
        let market = &self.markets[index as usize];
        let feed = self.feeds[usize::from(self.driving_feed(market).0)].cash_out;
        let group = self.find_group(market.group).map(|g| g.cash_out).unwrap_or_default();
        let fixture = self.find_fixture(market.fixture).map(|f| f.cash_out).unwrap_or_default();
        let heard = |suspension| self.heard_by(market, suspension);
        [self.cash_out, feed, heard(group), heard(fixture), heard(market.cash_out)]
    }

    /// Whether any level of any of the bet's legs was suspended after the bet was asked for.
    pub(crate) fn suspended_since(&self, bet: &Bet) -> bool {
        self.legs_of(bet).any(|at| {
            let leg = &self.legs[at as usize];
            // What is bound to a trader's price does not hang on the feed. What binds later hangs on it
            // unless the trader's price was in force all the time.
            let by_feed = match bet.state {
                BetState::Offered => leg.feed != FeedId::MANUAL,
                _ => !self.pinned_since(leg.market, leg.selection, bet.placed_seq),
            };
            self.any_suspended_since(leg.market, leg.selection, bet.placed_seq, by_feed)
        })
    }

    /// Whether a trader's price is in force, and has been since before `seq`.
    fn pinned_since(&self, index: u32, selection: SelectionIndex, seq: Seq) -> bool {
        let first = self.markets[index as usize].first as usize;
        let kept = &self.selections[first + usize::from(selection.0)];
        kept.is_pinned() && kept.pinned_seq <= seq
    }

    /// Whether any level that a cash-out asked for at `seq` hangs on was suspended after it.
    pub(crate) fn cash_out_suspended_since(
        &self,
        index: u32,
        selection: SelectionIndex,
        seq: Seq,
    ) -> bool {
        let pinned = self.pinned_since(index, selection, seq);
        self.any_suspended_since(index, selection, seq, !pinned)
    }

    fn any_suspended_since(
        &self,
        index: u32,
        selection: SelectionIndex,
        seq: Seq,
        by_feed: bool,
    ) -> bool {
        let market = &self.markets[index as usize];
        let kept = &self.selections[market.first as usize + usize::from(selection.0)];
        let open = market.status.after(MarketStep::Close).is_some();
        let mut levels = self.levels(index);
        if !by_feed {
            levels[FEED] = Suspension::default();
        }
        !open || levels.iter().chain([&kept.suspension]).any(|level| seq < level.seq)
    }

    fn level(
        &mut self,
        level: Level,
        id: u64,
        selection: SelectionIndex,
    ) -> Result<&mut Suspension, Answer> {
        match level {
            Level::Engine => Ok(&mut self.suspension),
            Level::Feed => {
                let known = 0 < id && id < self.feeds.len() as u64;
                if known {
                    Ok(&mut self.feeds[id as usize].suspension)
                } else {
                    Err(self.no(Reject::FeedUnknown))
                }
            }
            Level::Group => match self.known_group(id) {
                Some(at) => Ok(&mut self.groups[at].suspension),
                None => Err(self.no(Reject::GroupUnknown)),
            },
            Level::Fixture => {
                let id = FixtureId::from_raw(id);
                if self.find_fixture(id).is_none() {
                    return Err(self.no(Reject::FixtureUnknown));
                }
                Ok(&mut self.fixtures[id.index() as usize].suspension)
            }
            Level::Market => match self.find_market(MarketId::from_raw(id)) {
                Some((index, _)) => Ok(&mut self.markets[index as usize].suspension),
                None => Err(self.no(Reject::MarketUnknown)),
            },
            Level::Selection => match self.find_market(MarketId::from_raw(id)) {
                Some((_, market)) if selection.0 < market.selections => {
                    let place = market.first as usize + usize::from(selection.0);
                    Ok(&mut self.selections[place].suspension)
                }
                Some(_) => Err(self.no(Reject::SelectionUnknown)),
                None => Err(self.no(Reject::MarketUnknown)),
            },
        }
    }

    fn known_group(&self, id: u64) -> Option<usize> {
        let id = u16::try_from(id).ok()?;
        self.find_group(GroupId(id)).map(|_| usize::from(id) - 1)
    }

    /// Who freezes cash-outs at a level.
    pub(crate) fn freeze_level(
        &mut self,
        level: Level,
        id: u64,
    ) -> Result<&mut Suspension, Answer> {
        self.level(level, id, SelectionIndex(0))?;
        let index = MarketId::from_raw(id).index() as usize;
        Ok(match level {
            Level::Engine => &mut self.cash_out,
            Level::Feed => &mut self.feeds[id as usize].cash_out,
            Level::Group => &mut self.groups[id as usize - 1].cash_out,
            Level::Fixture => &mut self.fixtures[index].cash_out,
            Level::Market => &mut self.markets[index].cash_out,
            // Refused when the command was read: a selection is bought back as its market is.
            Level::Selection => return Err(self.no(Reject::NotAllowed)),
        })
    }

    /// Who freezes cash-outs at a level, a bit each; nobody where there is no such thing.
    pub fn cash_outs_frozen_by(&self, level: Level, id: u64) -> u8 {
        let freeze = match level {
            Level::Engine => Some(self.cash_out),
            Level::Feed => self.feeds.get(id as usize).map(|feed| feed.cash_out),
            Level::Group => self.known_group(id).map(|at| self.groups[at].cash_out),
            Level::Fixture => self.find_fixture(FixtureId::from_raw(id)).map(|f| f.cash_out),
            Level::Market => self.find_market(MarketId::from_raw(id)).map(|(_, m)| m.cash_out),
            Level::Selection => None,
        };
        freeze.map_or(0, |freeze| freeze.owners)
    }

    pub(crate) fn suspend(&mut self, body: &Suspend, events: &mut Events) -> Decided {
        let seq = self.seq;
        let owner = Owner::from_code(body.owner).expect("checked when the command was read");
        let level = Level::from_code(body.level).expect("checked when the command was read");
        self.level(level, body.id, body.selection)?;
        // Whoever bets on a line may be matched at any other.
        if level == Level::Selection && self.has_lines(MarketId::from_raw(body.id).index()) {
            return Err(self.no(Reject::NotAllowed));
        }
        let suspension = self.level(level, body.id, body.selection)?;
        suspension.suspend(owner, seq);
        let (owners, level, owner) = (suspension.owners, body.level, body.owner);
        events.push(&LevelSuspended {
            id: body.id,
            level,
            owner,
            owners,
            zero: 0,
            selection: body.selection,
            zero2: [0; 2],
        });
        Ok(Answer::done(self.seq, body.id))
    }

    pub(crate) fn release(&mut self, body: &Release, events: &mut Events) -> Decided {
        let owner = Owner::from_code(body.owner).expect("checked when the command was read");
        let level = Level::from_code(body.level).expect("checked when the command was read");
        let suspension = self.level(level, body.id, body.selection)?;
        suspension.release(owner);
        let (owners, level, owner) = (suspension.owners, body.level, body.owner);
        events.push(&LevelReleased {
            id: body.id,
            level,
            owner,
            owners,
            zero: 0,
            selection: body.selection,
            zero2: [0; 2],
        });
        Ok(Answer::done(self.seq, body.id))
    }
}
