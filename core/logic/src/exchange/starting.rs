//! A market turns in-play: starting prices are made, what is for them is matched, what does not persist lapses.
//!
//! At the price at which the most can be matched, orders that rest and are content with it take part as well. Where one
//! side wants more than the other has, those without a limit come before the others, and then who was there first. Both
//! sides are counted in whole minor units of the backers' stakes before anything is matched, so that no part of one is
//! left for the house.

use super::{Close, OrderRow, OrderState};
use crate::bet::NONE;
use crate::book::{E4, Side, lay_at_starting_price};
use crate::command::{OrderKind, Persistence, SetInPlay};
use crate::event::{Cut, Events, JobKind, Match, OrderMatched, StartingPrice};
use crate::id::{AccountId, OrderId, SelectionIndex};
use crate::rules::Rules;
use crate::state::State;
use crate::wire::Minor;

/// The walks of the job.
const CONVERT: u8 = 0;
const COUNT: u8 = 2;
pub(super) const UNLIMITED: u8 = 3;

impl<R: Rules> State<R> {
    /// An exchange market is in-play from here on: its orders follow in steps.
    pub(crate) fn turn_in_play(&mut self, index: u32, body: &SetInPlay, events: &mut Events) {
        let (seq, turns) = (self.seq, body.in_play == 1 && !self.markets[index as usize].in_play);
        self.exchange_of_mut(index).changed = seq;
        if turns {
            self.start_job(index, JobKind::Turn, events);
        }
    }

    /// One order, in one of the walks.
    pub(crate) fn turn_order(
        &mut self,
        index: u32,
        at: u32,
        phase: u8,
        events: &mut Events,
    ) -> u32 {
        let row = self.exchange.rows[at as usize];
        if !row.state.waits() {
            return 1;
        }
        match phase {
            CONVERT => self.convert(index, at, &row, events),
            COUNT => {
                let may = self.may_close(index, &row);
                if 0 < may {
                    let closes = &mut self.exchange_of_mut(index).closes;
                    let open = &mut closes[usize::from(row.selection)].open[row.side.place()];
                    // On a ladder with very short prices liabilities cover more than a number holds; the other side's
                    // stakes decide then.
                    *open = open.saturating_add(may);
                }
            }
            UNLIMITED if row.kind == OrderKind::MarketOnClose => self.close(index, at, events),
            UNLIMITED => (),
            _ => self.close(index, at, events),
        }
        1
    }

    /// What is to be matched at the starting price goes there: a back with what is left of its stake, a lay with what
    /// it may lose, if that is enough.
    fn convert(&mut self, index: u32, at: u32, row: &OrderRow, events: &mut Events) {
        if row.state == OrderState::Pending {
            self.end_order(index, at, Cut::InPlay, events);
            return;
        }
        let account = self.exchange.positions[row.position as usize].account;
        if !self.ledger.accounts[account as usize].may_bet(self.now) {
            self.end_order(index, at, Cut::Barred, events);
            return;
        }
        if row.is_on_close() || row.persistence != Persistence::MarketOnClose {
            return;
        }
        let exchange = self.exchange_of(index);
        let least = exchange.terms.min_liability.0;
        let left = match row.side {
            Side::Back => Some(row.left),
            Side::Lay => lay_at_starting_price(row.left, exchange.odds_of(row), least),
        };
        let Some(left) = left.filter(|_| exchange.starts()) else {
            self.end_order(index, at, Cut::InPlay, events);
            return;
        };
        self.take_out(index, at);
        self.risk(index, row.position, row, -row.left);
        let changed = &mut self.exchange.rows[at as usize];
        changed.kind = OrderKind::MarketOnClose;
        changed.persistence = Persistence::Lapse;
        changed.limit = NONE;
        if row.side == Side::Lay {
            // From here on it is counted by what it may lose.
            changed.size = changed.size - changed.left + left;
        }
        changed.left = left;
        let changed = *changed;
        self.risk(index, row.position, &changed, left);
        self.exchange.touch(row.position);
        let starting = &mut self.exchange_of_mut(index).starting[usize::from(row.selection)];
        starting.add(row.side, None, left);
        self.tell_change(at, events);
    }

    /// The starting price of a selection.
    pub(crate) fn make_starting_price(&mut self, index: u32, at: u32) -> u32 {
        let exchange = self.exchange_of_mut(index);
        if exchange.started {
            return 1;
        }
        let selection = at as u16;
        let runs = exchange.book.runs(selection);
        let found = exchange.starting[at as usize]
            .reconcile(&exchange.prices, Some((&exchange.book, selection)))
            .filter(|_| runs && !exchange.starting[at as usize].is_empty());
        let odds_e4 = found.map_or(0, |found| found.odds_e4);
        exchange.closes[at as usize] = Close { odds_e4, open: [0; 2] };
        // As much work as its ladder is long.
        exchange.prices.len().div_ceil(256)
    }

    /// Backers' stakes of an order that take part at the starting price.
    fn may_close(&self, index: u32, row: &OrderRow) -> i64 {
        let exchange = self.exchange_of(index);
        let odds = exchange.closes.get(usize::from(row.selection)).map_or(0, |close| close.odds_e4);
        let limit = exchange.odds_of(row);
        let content = row.limit == NONE
            || match row.side {
                Side::Back => limit <= odds,
                Side::Lay => odds <= limit,
            };
        if odds == 0 || exchange.started || !content || row.state != OrderState::Executable {
            return 0;
        }
        match (row.side, row.is_on_close()) {
            (Side::Lay, true) => stake_of(row.left, odds),
            _ => row.left,
        }
    }

    /// Everybody has been counted: what both sides want is what is matched.
    pub(crate) fn share_out(&mut self, index: u32, events: &mut Events) {
        let market = self.market_id(index);
        if self.exchange_of(index).started {
            return;
        }
        for (selection, close) in (0..).zip(&mut self.exchange_of_mut(index).closes) {
            let least = close.open[0].min(close.open[1]);
            close.open = [least; 2];
            events.push(&StartingPrice {
                market,
                matched: Minor(least),
                price_e4: close.odds_e4,
                selection: SelectionIndex(selection),
                zero: [0; 10],
            });
        }
    }

    /// An order is matched at the starting price, as far as it takes part; what is left lapses, or stays in the book.
    fn close(&mut self, index: u32, at: u32, events: &mut Events) {
        let row = self.exchange.rows[at as usize];
        let may = self.may_close(index, &row);
        let selection = usize::from(row.selection);
        let close = self.exchange_of(index).closes.get(selection).copied().unwrap_or_default();
        let stake = may.min(close.open[row.side.place()]);
        if row.is_on_close() && row.side == Side::Lay && 0 < may {
            self.close_lay(index, at, close.odds_e4, may, stake, events);
            return;
        }
        if row.is_on_close() {
            self.take_out(index, at);
        } else if 0 < stake {
            self.lessen(index, at, stake);
        }
        if 0 < stake {
            self.tell_close(index, at, close.odds_e4, stake, events);
            self.took_at(index, at, close.odds_e4, stake);
        }
        self.end_close(index, at, events);
    }

    /// A lay that has its price: from here on it is counted by the stakes that it covers, not by its liability.
    fn close_lay(
        &mut self,
        index: u32,
        at: u32,
        odds_e4: u32,
        may: i64,
        stake: i64,
        events: &mut Events,
    ) {
        self.take_out(index, at);
        let row = self.exchange.rows[at as usize];
        self.risk(index, row.position, &row, -row.left);
        self.exchange.touch(row.position);
        let changed = &mut self.exchange.rows[at as usize];
        changed.size = changed.size - row.left + may;
        changed.left = may;
        self.tell_change(at, events);
        if 0 < stake {
            self.tell_close(index, at, odds_e4, stake, events);
            self.exchange.rows[at as usize].left -= stake;
            self.exchange.add_match(at, odds_e4, stake);
            let stand = self.exchange.stand(row.position, row.selection);
            stand.matched(row.side, stake, odds_e4);
        }
        if stake == may {
            self.complete(at, super::OrderStep::Complete);
        } else {
            self.cut_without_risk(at, Cut::StartingPrice, events);
        }
    }

    fn tell_close(&mut self, index: u32, at: u32, odds_e4: u32, stake: i64, events: &mut Events) {
        let row = self.exchange.rows[at as usize];
        let selection = usize::from(row.selection);
        self.exchange_of_mut(index).closes[selection].open[row.side.place()] -= stake;
        events.push(&OrderMatched {
            order: row.id(at),
            taker: OrderId::NONE,
            market: self.market_id(index),
            stake: Minor(stake),
            left: Minor(row.left - stake),
            price_e4: odds_e4,
            selection: SelectionIndex(row.selection),
            side: row.side as u8,
            how: Match::Starting as u8,
            account: AccountId::new(self.exchange.positions[row.position as usize].account, 1),
        });
    }

    /// What is left of an order that was not for the starting price alone may stay.
    fn end_close(&mut self, index: u32, at: u32, events: &mut Events) {
        let row = self.exchange.rows[at as usize];
        if row.left == 0 {
            self.exchange.rows[at as usize].place = crate::book::OrderIndex(NONE);
            self.complete(at, super::OrderStep::Complete);
        } else if row.is_on_close() {
            self.cut(index, at, Cut::StartingPrice, events);
        } else if row.persistence != Persistence::Persist {
            self.end_order(index, at, Cut::InPlay, events);
        }
    }

    /// So much less of an order is in the book, or in the sums of the starting price.
    pub(crate) fn lessen(&mut self, index: u32, at: u32, by: i64) {
        let row = self.exchange.rows[at as usize];
        let super::Exchange { markets, orders, .. } = &mut self.exchange;
        let exchange = markets[index as usize].as_mut().expect("it has a book");
        if row.is_on_close() {
            exchange.starting[usize::from(row.selection)].add(row.side, row.tick(), -by);
        } else {
            exchange.book.reduce(orders, row.place, by);
        }
    }
}

/// Backers' stakes that a liability covers at these odds.
fn stake_of(liability: i64, odds_e4: u32) -> i64 {
    let stake = i128::from(liability) * E4 / (i128::from(odds_e4) - E4);
    i64::try_from(stake).unwrap_or(i64::MAX)
}
