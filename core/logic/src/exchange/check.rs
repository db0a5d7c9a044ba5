//! What must hold of exchange markets between any two commands, recomputed from the orders.

use super::parts::matched_of;
use super::{Exchange, ExchangeMarket, OrderRow, OrderState, image::has};
use crate::bet::NONE;
use crate::book::{E4, Side, Stand};
use crate::event::{HouseAccount, JobKind, MarketStatus};
use crate::rules::Rules;
use crate::state::State;

fn rule(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(sentence()) }
}

impl<R: Rules> State<R> {
    pub(crate) fn check_exchange(&self) -> Result<(), String> {
        let live = |row: &&OrderRow| row.state != OrderState::Archived;
        let orders = self.exchange.rows.iter().filter(live).count() as u32;
        rule(orders == self.exchange.live_rows, || "orders in memory are counted".to_owned())?;
        let resting = self.exchange.rows.iter().filter(|row| row.rests()).count() as u32;
        rule(resting == self.exchange.orders.len(), || {
            format!("{} orders rest, and {resting} know where", self.exchange.orders.len())
        })?;
        let spent = self.exchange.rows.iter().filter(|row| row.is_spent()).count() as u32;
        let (mut at, mut last, mut listed) = (self.exchange.spent_head, NONE, 0);
        while at != NONE && listed <= spent {
            let row = &self.exchange.rows[at as usize];
            rule(row.is_spent() && row.before == last, || "spent orders are listed".to_owned())?;
            (last, at, listed) = (at, row.behind, listed + 1);
        }
        let all = (last, listed) == (self.exchange.spent_tail, spent);
        rule(all && spent == self.exchange.spent, || "all spent orders are listed".to_owned())?;
        let mut levels = 0;
        for (index, market) in self.exchange.markets.iter().enumerate() {
            let Some(market) = market else { continue };
            levels += u64::from(market.ladder.len()) * market.outcomes.len() as u64;
            self.check_exchange_market(index as u32, market)?;
        }
        rule(levels == self.exchange.levels, || "prices of ladders are counted".to_owned())?;
        for (at, row) in self.exchange.rows.iter().enumerate().filter(|(_, row)| live(row)) {
            self.check_order(at as u32, row)?;
        }
        for (at, position) in self.exchange.positions.iter().enumerate() {
            if position.account != NONE {
                self.check_position(at as u32)?;
            }
        }
        self.check_clearing()
    }

    fn check_order(&self, at: u32, row: &OrderRow) -> Result<(), String> {
        let id = row.id(at);
        let parts = row.matched + row.left + row.cancelled + row.lapsed;
        rule(row.size == parts, || format!("{id}: its size {} is the sum of {parts}", row.size))?;
        rule(row.state.waits() == (0 < row.left), || {
            format!("{id} is {:?}, and {} of it waits", row.state, row.left)
        })?;
        rule(row.returns_e4 <= i128::from(row.room) * E4, || {
            format!(
                "{id} brings {} at most, and its account has room for {}",
                row.returns_e4, row.room
            )
        })?;
        let (stakes, returns) = self
            .exchange
            .parts_of_order(row)
            .fold((0, 0), |sum, part| (sum.0 + part.stake, sum.1 + part.returns_e4));
        let position = &self.exchange.positions[row.position as usize];
        let market =
            self.exchange.market(position.market).ok_or_else(|| format!("{id}: no market"))?;
        let whole = match market.has_lines() {
            true => {
                let better = |line| row.side.prefers(line, row.selection.into());
                let mut parts = self.exchange.parts_of_order(row);
                stakes <= row.matched
                    && row.returns_e4 == i128::from(row.matched) * 2 * E4
                    && parts.all(|p| {
                        better(p.selection.into()) && p.returns_e4 == i128::from(p.stake) * 2 * E4
                    })
            }
            false => row.parts == NONE || (stakes, returns) == (row.matched, row.returns_e4),
        };
        rule(whole, || format!("{id}: its parts come to {stakes} and {returns}"))?;
        let rests = row.state == OrderState::Executable && !row.is_on_close();
        rule(row.rests() == rests, || format!("{id} is in the book exactly if it may be matched"))?;
        if rests {
            let place = self.exchange.orders.get(row.place);
            let own = place.is_some_and(|place| {
                let here = (place.number, place.remaining, place.selection);
                here == (at, row.left, market.shelf(row.selection)) && place.side == row.side
            });
            rule(own, || format!("{id} is in the book as it is: {place:?}"))?;
        }
        Ok(())
    }

    fn check_position(&self, at: u32) -> Result<(), String> {
        let exchange = &self.exchange;
        let position = &exchange.positions[at as usize];
        let market = &self.markets[position.market as usize];
        let id = self.market_id(position.market);
        let who = || format!("A{} in {id}", position.account + 1);
        let found = exchange.find_position(position.account, position.market);
        rule(found == Some(at), || format!("{} is found", who()))?;
        if market.status == MarketStatus::Archiving {
            return Ok(());
        }
        let kept = exchange.market(position.market).ok_or_else(who)?;
        let mut stands = vec![Stand::default(); kept.outcomes.len()];
        let mut count = 0;
        for row in exchange
            .rows
            .iter()
            .filter(|row| row.state != OrderState::Archived && row.position == at)
        {
            for matched in matched_of(&exchange.parts, row) {
                has(row, matched, &mut stands);
            }
            if row.state.waits() {
                row.wait(&mut stands[usize::from(row.selection)], &kept.prices, row.left);
                count += 1;
            }
        }
        let own = &exchange.stands[position.first as usize..][..stands.len()];
        rule(own == stands, || {
            format!("{} stands by its orders: {own:?} is not {stands:?}", who())
        })?;
        rule(count == position.count, || format!("{} counts its orders that wait", who()))?;
        let (mut listed, mut next) = (0, position.waiting);
        while next != NONE && listed <= count {
            let row = &exchange.rows[next as usize];
            rule(row.position == at && row.state.waits(), || format!("{} lists its own", who()))?;
            listed += 1;
            next = row.before;
        }
        rule(listed == count, || format!("{} lists its orders that wait", who()))?;
        let worst = kept.exposure(&stands, market.winners);
        let due = if position.settled { 0 } else { worst };
        // While a job settles or opens positions again, some are as they were.
        let kind = market.job.map(|job| job.kind);
        let news = kind.is_some() && position.held == 0 || kind == Some(JobKind::NonRunner);
        rule(i128::from(position.held) == due || news, || {
            format!("{} may lose {due}, and {} is in escrow", who(), position.held)
        })
    }

    fn check_exchange_market(&self, index: u32, kept: &ExchangeMarket) -> Result<(), String> {
        let id = self.market_id(index);
        let market = &self.markets[index as usize];
        rule(market.exchange && market.status != MarketStatus::Archived, || {
            format!("{id} has a book, and is an exchange market in memory")
        })?;
        kept.book.check(&self.exchange.orders).map_err(|what| format!("{id}: {what}"))?;
        let mine = |position: u32| self.exchange.positions[position as usize].market == index;
        let (mut at, mut last, mut listed) = (kept.head, NONE, 0);
        while at != NONE && listed <= self.exchange.rows.len() {
            let row = &self.exchange.rows[at as usize];
            let own = row.state != OrderState::Archived && mine(row.position);
            rule(own && row.prev == last, || format!("{id} lists its own orders"))?;
            let over = market.status == MarketStatus::Settled && market.job.is_none();
            rule(!over || !row.state.waits(), || format!("{id} is settled, and nothing waits"))?;
            (last, at, listed) = (at, row.next, listed + 1);
        }
        let live = |row: &&OrderRow| row.state != OrderState::Archived && mine(row.position);
        let orders = self.exchange.rows.iter().filter(live).count();
        rule((last, listed) == (kept.tail, orders), || format!("{id} lists all of its orders"))?;
        for selection in 0..kept.outcomes.len() as u16 {
            let shelf = kept.shelf(selection);
            let [back, lay] = [Side::Back, Side::Lay].map(|side| kept.book.best(shelf, side));
            let crossed = back.zip(lay).is_some_and(|(back, lay)| back <= lay);
            rule(!crossed, || format!("{id} s{selection} is crossed: {back:?} and {lay:?}"))?;
        }
        self.check_house(index, kept)
    }

    /// What standing between selections may cost the house: nothing, as long as no runner was withdrawn and none is void.
    fn check_house(&self, index: u32, kept: &ExchangeMarket) -> Result<(), String> {
        let count = kept.outcomes.len();
        let mut house = vec![Stand::default(); count];
        for position in self
            .exchange
            .positions
            .iter()
            .filter(|position| position.account != NONE && position.market == index)
        {
            let stands = &self.exchange.stands[position.first as usize..][..count];
            for (house, stand) in house.iter_mut().zip(stands) {
                house.win_e4 -= stand.win_e4;
                house.lose_e4 -= stand.lose_e4;
            }
        }
        let all_run = (0..count as u16).all(|selection| kept.runs(selection));
        // At the starting price both sides are matched in turn.
        let all_run = all_run && self.markets[index as usize].job.is_none();
        let worst = kept.exposure(&house, self.markets[index as usize].winners);
        rule(!all_run || worst == 0, || {
            format!("the house may lose {worst} in {}", self.market_id(index))
        })
    }

    /// Between those who lost and those who won is what has not been settled yet.
    fn check_clearing(&self) -> Result<(), String> {
        let archiving = self.markets.iter().any(|m| m.status == MarketStatus::Archiving);
        for (book, kept) in self.ledger.books.iter().enumerate() {
            let own =
                |account: u32| usize::from(self.ledger.accounts[account as usize].currency) == book;
            let positions =
                self.exchange.positions.iter().filter(|p| p.account != NONE && own(p.account));
            let held = positions.clone().map(|p| i128::from(p.held)).sum::<i128>();
            let settled = positions.filter(|p| p.settled).map(|p| i128::from(p.net)).sum::<i128>();
            let numeric = kept.currency.numeric();
            let markets = self.exchange.markets.iter().flatten();
            let markets = markets.filter(|market| market.terms.currency == numeric);
            let house = markets.map(|m| i128::from(m.crossing) + i128::from(m.residue));
            let due = -settled - house.sum::<i128>();
            let clearing = self.ledger.house(book as u8, HouseAccount::Clearing);
            rule(archiving || clearing == due, || {
                format!("{} between those who lost and those who won is {due}", clearing)
            })?;
            rule(0 <= held, || "what is held is not below nothing".to_owned())?;
        }
        Ok(())
    }
}

impl Exchange {
    /// What is in escrow for the accounts of a currency.
    pub(crate) fn held(&self, own: impl Fn(u32) -> bool) -> i128 {
        let positions = self.positions.iter().filter(|p| p.account != NONE && own(p.account));
        positions.map(|p| i128::from(p.held)).sum()
    }

    /// What the orders of each of so many accounts may bring it.
    pub(crate) fn rooms(&self, accounts: usize) -> Vec<i128> {
        let mut rooms = vec![0; accounts];
        for row in self.rows.iter().filter(|row| row.state != OrderState::Archived) {
            let account = self.positions[row.position as usize].account;
            if let Some(room) = rooms.get_mut(account as usize) {
                *room += i128::from(row.room);
            }
        }
        rooms
    }
}
