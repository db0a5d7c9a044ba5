//! Groups of markets: which of two feeds prices them, and what all of them are under.

use crate::answer::Answer;
use crate::command::{DefineGroup, Drives, Kind, Owner, SwitchFeed};
use crate::event::{Events, FeedSwitched, GroupDefined, Named};
use crate::id::{FeedId, GroupId};
use crate::market::{Market, Suspension};
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::wire::Name;

type Decided = Result<Answer, Answer>;

/// A group of markets.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub(crate) primary: FeedId,
    pub(crate) backup: FeedId,
    /// Which of them prices its markets.
    pub(crate) drives: Drives,
    pub(crate) suspension: Suspension,
    /// Who freezes the cash-outs of its markets.
    pub(crate) cash_out: Suspension,
}

impl Group {
    /// What fills places of groups that are not yet taken.
    pub(crate) fn filler() -> Group {
        Group {
            primary: FeedId::MANUAL,
            backup: FeedId::MANUAL,
            drives: Drives::Primary,
            suspension: Suspension::default(),
            cash_out: Suspension::default(),
        }
    }

    /// Which of a selection's quotes is in force.
    fn slot(&self) -> usize {
        match self.drives {
            Drives::Primary => 0,
            Drives::Backup => 1,
        }
    }

    /// As whom the feed suspends that does not drive: nobody listens to it.
    fn unheard(&self) -> Owner {
        match self.drives {
            Drives::Primary => Owner::Backup,
            Drives::Backup => Owner::Feed,
        }
    }
}

impl<R: Rules> State<R> {
    pub(crate) fn define_group(
        &mut self,
        body: &DefineGroup,
        text: &str,
        events: &mut Events,
    ) -> Decided {
        let name = Name::new(text).expect("checked when the command was read");
        let hash = self.name_hash(&name);
        if let Some(index) = self.group_names.find(hash, &name) {
            return Err(Answer { id: u64::from(index) + 1, ..self.no(Reject::NameTaken) });
        }
        let known = |feed: FeedId| usize::from(feed.0) < self.feeds.len();
        if !known(body.primary) || !known(body.backup) {
            return Err(self.no(Reject::FeedUnknown));
        }
        let Some(index) = self.group_names.add(hash, name) else {
            return Err(self.no(Reject::Full));
        };
        let (primary, backup) = (body.primary, body.backup);
        self.groups.push(Group { primary, backup, ..Group::filler() });
        let id = u64::from(index) + 1;
        assert!(self.groups.len() as u64 == id, "a group and its name have one number");
        events.push(&Named { id, kind: Kind::DefineGroup as u8, zero: [0; 7] });
        let group = GroupId(id as u16);
        events.push(&GroupDefined { group, primary, backup, zero: 0 });
        Ok(Answer::done(self.seq, id))
    }

    /// A group's other feed prices its markets from here on. However many these are, that is one step:
    /// each looks its feed up when a bet asks.
    pub(crate) fn switch_feed(&mut self, body: &SwitchFeed, events: &mut Events) -> Decided {
        let Some(group) = self.find_group(body.group).copied() else {
            return Err(self.no(Reject::GroupUnknown));
        };
        let to = Drives::from_code(body.to).expect("checked when the command was read");
        if group.drives == to {
            return Err(self.no(Reject::NotAllowed));
        }
        let seq = self.seq;
        let group = &mut self.groups[usize::from(body.group.0) - 1];
        group.drives = to;
        // What was asked for at the other feed's prices does not bind to this one's unasked.
        group.suspension.seq = seq;
        let feed = match to {
            Drives::Primary => group.primary,
            Drives::Backup => group.backup,
        };
        events.push(&FeedSwitched { group: body.group, feed, to: body.to, zero: [0; 3] });
        Ok(Answer::done(self.seq, u64::from(body.group.0)))
    }

    pub(crate) fn find_group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(usize::from(id.0).checked_sub(1)?)
    }

    /// Which of a market's quotes is in force: 0 the primary's, 1 the backup's.
    pub(crate) fn driving_slot(&self, market: &Market) -> usize {
        self.find_group(market.group).map_or(0, Group::slot)
    }

    /// The feed that prices a market now.
    pub(crate) fn driving_feed(&self, market: &Market) -> FeedId {
        self.feed_in(market, self.driving_slot(market))
    }

    /// The feed whose quotes a market keeps in a slot; the second one is used in groups only.
    pub(crate) fn feed_in(&self, market: &Market, slot: usize) -> FeedId {
        match self.find_group(market.group) {
            Some(group) if slot == 1 => group.backup,
            _ => market.feed,
        }
    }

    /// The slot for the quotes of a feed, if the market takes its prices.
    pub(crate) fn slot_of(&self, market: &Market, feed: FeedId) -> Option<usize> {
        if market.feed == feed {
            return Some(0);
        }
        self.find_group(market.group).filter(|group| group.backup == feed).map(|_| 1)
    }

    /// A suspension as a market sees it: the feed of its group that does not drive is not listened to.
    pub(crate) fn heard_by(&self, market: &Market, suspension: Suspension) -> Suspension {
        match self.find_group(market.group) {
            Some(group) => suspension.without(group.unheard()),
            None => suspension,
        }
    }
}
