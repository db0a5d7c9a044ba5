//! How much memory capacities take, about: asked before a run begins, so that nothing ends for want of it.

use crate::bet::{Bet, Leg};
use crate::book::{LEVEL_BYTES, Order, Stand};
use crate::command::{Capacities, Limits};
use crate::exchange::{OrderRow, Position};
use crate::feed::Feed;
use crate::group::Group;
use crate::idempotency::Entry;
use crate::ledger::Account;
use crate::limits::Limited;
use crate::market::{Market, Selection};
use crate::risk::Worst;
use crate::wire::Name;

impl Capacities {
    /// The bytes that a state needs for each of them, by its name: no more than there will be, and no
    /// less than half of that.
    pub fn bytes(&self) -> [(&'static str, u64); 16] {
        let take = |count: u32, each: usize| u64::from(count).saturating_mul(each as u64);
        // A table keeps at least two places of eight bytes for each.
        let found = 16;
        let currencies = self.currencies as usize;
        let market = size_of::<Market>() + size_of::<Name>() + 8 + found;
        let of_currency = size_of::<Option<Limits>>() + 2 * size_of::<i128>() + size_of::<Worst>();
        let market = market + currencies * of_currency;
        let fixture = size_of::<Name>() + found + currencies * size_of::<i128>();
        let selection = size_of::<Selection>() + size_of::<Name>() + 4;
        [
            ("accounts", take(self.accounts, size_of::<Account>() + found)),
            ("markets", take(self.markets, market)),
            ("selections", take(self.selections, selection + 4 * currencies * size_of::<i128>())),
            ("bets", take(self.bets, size_of::<Bet>())),
            ("keys", take(self.keys, size_of::<Entry>() + found)),
            ("feeds", take(self.feeds, size_of::<Feed>() + size_of::<Name>() + found)),
            ("groups", take(self.groups, size_of::<Group>() + size_of::<Name>() + found)),
            ("fixtures", take(self.fixtures, fixture)),
            ("actors", take(self.actors, size_of::<Name>() + found)),
            ("quarantined", take(self.quarantined, 32)),
            ("legs", take(self.legs, size_of::<Leg>())),
            ("limited", take(self.limited, size_of::<Limited>())),
            ("orders", take(self.orders, size_of::<OrderRow>() + size_of::<Order>())),
            ("positions", take(self.positions, size_of::<Position>() + found)),
            ("stands", take(self.stands, size_of::<Stand>() + 4)),
            // Both sides of a book, and what was traded; two sums of a starting price.
            ("levels", take(self.levels, 2 * LEVEL_BYTES + 3 * size_of::<i64>())),
        ]
    }
}
