//! Exchange markets as bytes and back. Books, sums of starting prices, stands and what is in escrow for them are not
//! stored: they are what the orders make, put back in their turns.

use super::parts::{Part, matched_of, parts_of};
use super::{Close, Exchange, ExchangeMarket, OrderRow, OrderState, Position, Work};
use crate::bet::NONE;
use crate::book::{E4, OrderIndex, Outcome, Side, Stand};
use crate::command::{Capacities, OrderKind, Persistence, SetExchange};
use crate::digest::Digester;
use crate::event::MarketStatus;
use crate::id::{OrderId, Seq};
use crate::rules::Rules;
use crate::snapshot::{Read, content, holds};
use crate::state::State;
use crate::time::Timestamp;
use crate::wire::Body;
use betring_pricing::{Band, Ladder, Price};
use rkyv::{Archive, Deserialize, Serialize};
use std::cmp::Reverse;
use zerocopy::{FromBytes, IntoBytes};

#[derive(Archive, Serialize, Deserialize, Default)]
pub(crate) struct ExchangeImage {
    markets: Vec<ExchangeMarketRow>,
    rows: Vec<RowImage>,
    free_row: u32,
    /// Stake, returns, where, the next one.
    parts: Vec<(i64, i128, u16, u32)>,
    free_part: u32,
    /// The first and the last of those that are spent.
    spent: (u32, u32),
    positions: Vec<PositionImage>,
    free_position: u32,
    stands: u32,
    free_stands: Vec<Vec<u32>>,
    timers: Vec<(i64, u64, u64)>,
    turn: u64,
}

#[derive(Archive, Serialize, Deserialize)]
pub(crate) struct ExchangeMarketRow {
    market: u32,
    terms: Vec<u8>,
    bands: Vec<(u32, u32, u32)>,
    changed: u64,
    head: u32,
    tail: u32,
    positions: u32,
    /// Phase, scope, selection, factor, known, whole.
    work: (u8, u8, u16, u16, bool, u32),
    sums: (i128, i128),
    /// Odds, backs, lays.
    closes: Vec<(u32, i64, i64)>,
    outcomes: Vec<(bool, u32)>,
    started: bool,
    /// Selection, price, stakes: those that are not nothing.
    traded: Vec<(u16, u32, i64)>,
    crossing: i64,
    residue: i64,
}

#[derive(Archive, Serialize, Deserialize)]
struct RowImage {
    generation: u32,
    /// State, kind, side, persistence, self-match, flags.
    codes: [u8; 6],
    void: bool,
    selection: u16,
    limit: u32,
    position: u32,
    /// Size, left, matched, cancelled, lapsed, least fill, room.
    amounts: [i64; 7],
    returns_e4: i128,
    reference: u128,
    version: u64,
    placed_seq: u64,
    placed_at: i64,
    turn: u64,
    until: i64,
    prev: u32,
    next: u32,
    before: u32,
    behind: u32,
    rests: bool,
    parts: u32,
}

#[derive(Archive, Serialize, Deserialize)]
struct PositionImage {
    account: u32,
    market: u32,
    next: u32,
    first: u32,
    waiting: u32,
    count: u32,
    held: i64,
    settled: bool,
    net: i64,
    commission: i64,
    settlements: u32,
    counted: [i64; 3],
    counted_at: i64,
}

fn row_image(row: &OrderRow) -> RowImage {
    RowImage {
        generation: row.generation,
        codes: [
            row.state as u8,
            row.kind as u8,
            row.side as u8,
            row.persistence as u8,
            row.self_match,
            row.flags,
        ],
        void: row.void,
        selection: row.selection,
        limit: row.limit,
        position: row.position,
        amounts: [
            row.size,
            row.left,
            row.matched,
            row.cancelled,
            row.lapsed,
            row.min_fill,
            row.room,
        ],
        returns_e4: row.returns_e4,
        reference: row.reference,
        version: row.version.0,
        placed_seq: row.placed_seq.0,
        placed_at: row.placed_at.0,
        turn: row.turn,
        until: row.until.0,
        prev: row.prev,
        next: row.next,
        before: row.before,
        behind: row.behind,
        rests: row.rests(),
        parts: row.parts,
    }
}

fn row(image: &RowImage) -> Read<OrderRow> {
    let [state, kind, side, persistence, self_match, flags] = image.codes;
    let [size, left, matched, cancelled, lapsed, min_fill, room] = image.amounts;
    let good = image.amounts.iter().all(|amount| 0 <= *amount) && 0 <= image.returns_e4;
    holds(good, "an order's amounts")?;
    Ok(OrderRow {
        generation: image.generation,
        state: content(OrderState::from_code(state), "an order's state")?,
        kind: content(OrderKind::from_code(kind), "an order's kind")?,
        side: content(Side::from_code(side), "an order's side")?,
        persistence: content(Persistence::from_code(persistence), "an order's persistence")?,
        self_match,
        flags,
        void: image.void,
        selection: image.selection,
        limit: image.limit,
        position: image.position,
        size,
        left,
        matched,
        cancelled,
        lapsed,
        returns_e4: image.returns_e4,
        min_fill,
        room,
        reference: image.reference,
        version: Seq(image.version),
        placed_seq: Seq(image.placed_seq),
        placed_at: Timestamp(image.placed_at),
        turn: image.turn,
        until: Timestamp(image.until),
        prev: image.prev,
        next: image.next,
        before: image.before,
        behind: image.behind,
        // Put back into the book below.
        place: OrderIndex(if image.rests { 0 } else { NONE }),
        parts: image.parts,
    })
}

fn position_image(position: &Position) -> PositionImage {
    PositionImage {
        account: position.account,
        market: position.market,
        next: position.next,
        first: position.first,
        waiting: position.waiting,
        count: position.count,
        held: position.held,
        settled: position.settled,
        net: position.net,
        commission: position.commission,
        settlements: position.settlements,
        counted: position.counted,
        counted_at: position.counted_at.0,
    }
}

fn position(image: &PositionImage) -> Position {
    Position {
        account: image.account,
        market: image.market,
        next: image.next,
        first: image.first,
        waiting: image.waiting,
        count: image.count,
        held: image.held,
        settled: image.settled,
        net: image.net,
        commission: image.commission,
        settlements: image.settlements,
        counted: image.counted,
        counted_at: Timestamp(image.counted_at),
        touched: false,
    }
}

fn market_image(index: usize, exchange: &ExchangeMarket) -> ExchangeMarketRow {
    let Work { phase, scope, selection, factor, known, whole, exact, paid } = exchange.work;
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Void => (true, 0),
        Outcome::Won(parts) => (false, *parts),
    };
    let traded = (0_u16..).zip(&exchange.traded).flat_map(|(selection, prices)| {
        let sums = (0_u32..).zip(prices.iter()).filter(|(_, sum)| **sum != 0);
        sums.map(move |(tick, sum)| (selection, tick, *sum))
    });
    ExchangeMarketRow {
        market: index as u32,
        terms: exchange.terms.as_bytes().to_vec(),
        bands: exchange.ladder.bands().map(|b| (b.from.e4(), b.to.e4(), b.step_e4)).collect(),
        changed: exchange.changed.0,
        head: exchange.head,
        tail: exchange.tail,
        positions: exchange.positions,
        work: (phase, scope, selection, factor, known, whole),
        sums: (exact, paid),
        closes: exchange.closes.iter().map(|c| (c.odds_e4, c.open[0], c.open[1])).collect(),
        outcomes: exchange.outcomes.iter().map(outcome).collect(),
        started: exchange.started,
        traded: traded.collect(),
        crossing: exchange.crossing,
        residue: exchange.residue,
    }
}

impl Exchange {
    pub(crate) fn image(&self) -> ExchangeImage {
        let markets = self.markets.iter().enumerate();
        let timers = self.timers.iter().map(|Reverse((due, turn, id))| (due.0, *turn, id.raw()));
        let mut timers: Vec<_> = timers.collect();
        timers.sort_unstable();
        ExchangeImage {
            markets: markets
                .filter_map(|(at, market)| Some(market_image(at, market.as_deref()?)))
                .collect(),
            rows: self.rows.iter().map(row_image).collect(),
            free_row: self.free_row,
            parts: self
                .parts
                .iter()
                .map(|p| (p.stake, p.returns_e4, p.selection, p.next))
                .collect(),
            free_part: self.free_part,
            spent: (self.spent_head, self.spent_tail),
            positions: self.positions.iter().map(position_image).collect(),
            free_position: self.free_position,
            stands: self.stands.len() as u32,
            free_stands: self.free_stands.to_vec(),
            timers,
            turn: self.turn,
        }
    }
}

impl<R: Rules> State<R> {
    /// What was stored of exchange markets; accounts, markets and selections are there already.
    pub(crate) fn put_exchange_back(
        &mut self,
        image: &ExchangeImage,
        capacities: &Capacities,
    ) -> Read<()> {
        let within = |len: usize, capacity: u32| len <= capacity as usize;
        holds(within(image.rows.len(), capacities.orders), "orders")?;
        holds(within(image.positions.len(), capacities.positions), "positions")?;
        holds(within(image.stands as usize, capacities.stands), "stands")?;
        holds(within(image.timers.len(), capacities.orders), "delays of orders")?;
        holds(image.parts.len() <= parts_of(capacities.orders), "parts of orders")?;
        let exchange = &mut self.exchange;
        exchange.rows = image.rows.iter().map(row).collect::<Read<_>>()?;
        exchange.positions = image.positions.iter().map(position).collect();
        let part = |(stake, returns_e4, selection, next): &(i64, i128, u16, u32)| Part {
            stake: *stake,
            returns_e4: *returns_e4,
            selection: *selection,
            next: *next,
        };
        exchange.parts = image.parts.iter().map(part).collect();
        exchange.free_part = image.free_part;
        (exchange.free_row, exchange.free_position) = (image.free_row, image.free_position);
        exchange.stands = vec![Stand::default(); image.stands as usize];
        exchange.turn = image.turn;
        (exchange.spent_head, exchange.spent_tail) = image.spent;
        exchange.spent = exchange.rows.iter().filter(|row| row.is_spent()).count() as u32;
        let order = |at: u32| at == NONE || (at as usize) < image.rows.len();
        exchange.live_parts = content(exchange.count_parts(), "parts of orders")?;
        let known = |at: u32| at == NONE || (at as usize) < image.positions.len();
        let links = |r: &RowImage| [r.prev, r.next, r.before, r.behind].into_iter().all(order);
        let lists = image.rows.iter().all(links) && order(image.spent.0) && order(image.spent.1);
        holds(lists && order(image.free_row) && known(image.free_position), "an order's lists")?;
        holds(image.free_stands.len() == exchange.free_stands.len(), "free stands")?;
        for (power, (to, from)) in
            exchange.free_stands.iter_mut().zip(&image.free_stands).enumerate()
        {
            let block = |first: &u32| u64::from(*first) + (1 << power) <= u64::from(image.stands);
            holds(
                from.iter().all(block) && from.len() <= image.stands as usize >> power,
                "free stands",
            )?;
            to.clone_from(from);
        }
        let timer = |(due, turn, id): &(i64, u64, u64)| {
            Reverse((Timestamp(*due), *turn, OrderId::from_raw(*id)))
        };
        exchange.timers = image.timers.iter().map(timer).collect();
        for image in &image.markets {
            self.put_market_back(image, &order, &known)?;
        }
        holds(self.exchange.levels <= u64::from(capacities.levels), "prices of ladders")?;
        let exchanges = (0..).zip(&self.markets).filter(|(_, market)| market.exchange);
        for (index, _) in exchanges {
            holds(self.may_go_on(index), "a job of an exchange market")?;
        }
        self.check_positions(&order, &known)
    }

    fn put_market_back(
        &mut self,
        image: &ExchangeMarketRow,
        order: &impl Fn(u32) -> bool,
        known: &impl Fn(u32) -> bool,
    ) -> Read<()> {
        let market = content(self.markets.get(image.market as usize), "an exchange market")?;
        let live = market.exchange && market.status != MarketStatus::Archived;
        let winners = usize::from(market.winners) <= crate::book::WINNERS_MAX;
        holds(live && winners, "an exchange market")?;
        let terms = SetExchange::read_from_bytes(&image.terms).ok();
        let terms = content(terms.filter(|terms| terms.check().is_ok()), "an exchange's terms")?;
        let band = |(from, to, step_e4): &(u32, u32, u32)| {
            Some(Band { from: Price::from_e4(*from)?, to: Price::from_e4(*to)?, step_e4: *step_e4 })
        };
        let bands: Option<Vec<Band>> = image.bands.iter().map(band).collect();
        let lines = terms.flags & SetExchange::LINES != 0;
        let ladder = match lines {
            true => Some(Ladder::EVEN),
            false => bands.and_then(|bands| Ladder::new(&bands).ok()),
        };
        let ladder = content(ladder, "a ladder")?;
        let levels = u64::from(ladder.len()) * u64::from(market.selections);
        holds(levels <= u64::from(Capacities::MAX), "prices of ladders")?;
        let mut made = ExchangeMarket::new(market, &terms, ladder);
        let block = &self.selections[market.first as usize..][..usize::from(market.selections)];
        for (selection, _) in (0..).zip(block).filter(|(_, selection)| selection.withdrawn) {
            holds(!lines, "a line that was withdrawn")?;
            made.book.withdraw(selection);
        }
        let lists = order(image.head) && order(image.tail) && known(image.positions);
        let (phase, scope, selection, factor, whole_known, whole) = image.work;
        let (exact, paid) = image.sums;
        holds(lists && selection < market.selections, "an exchange market's lists")?;
        holds(image.closes.len() == made.closes.len(), "starting prices")?;
        holds(image.outcomes.len() == made.outcomes.len(), "outcomes")?;
        made.changed = Seq(image.changed);
        (made.head, made.tail, made.positions) = (image.head, image.tail, image.positions);
        made.work =
            Work { phase, scope, selection, factor, known: whole_known, whole, exact, paid };
        for (to, (odds_e4, back, lay)) in made.closes.iter_mut().zip(&image.closes) {
            *to = Close { odds_e4: *odds_e4, open: [*back, *lay] };
        }
        for (to, (void, parts)) in made.outcomes.iter_mut().zip(&image.outcomes) {
            *to = if *void { Outcome::Void } else { Outcome::Won(*parts) };
        }
        for (selection, tick, sum) in &image.traded {
            let prices = made.traded.get_mut(usize::from(*selection));
            let to = prices.and_then(|prices| prices.get_mut(*tick as usize));
            *content(to, "what was traded")? = *sum;
        }
        made.started = image.started;
        (made.crossing, made.residue) = (image.crossing, image.residue);
        self.exchange.levels += levels;
        let places = &mut self.exchange.markets;
        if places.len() <= image.market as usize {
            places.resize_with(image.market as usize + 1, || None);
        }
        holds(places[image.market as usize].is_none(), "an exchange market twice")?;
        places[image.market as usize] = Some(Box::new(made));
        Ok(())
    }

    fn check_positions(
        &self,
        order: &impl Fn(u32) -> bool,
        known: &impl Fn(u32) -> bool,
    ) -> Read<()> {
        let stands = self.exchange.stands.len() as u64;
        for position in &self.exchange.positions {
            holds(known(position.next) && order(position.waiting), "a position's lists")?;
            holds(position.counted.iter().all(|lost| 0 <= *lost), "what counts of a position")?;
            if position.account == NONE {
                continue;
            }
            let account = (position.account as usize) < self.ledger.accounts.len();
            let market = self.exchange.market(position.market);
            let market = content(market.filter(|_| account), "a position")?;
            let end = u64::from(position.first) + market.outcomes.len().next_power_of_two() as u64;
            holds(end <= stands, "a position's stands")?;
        }
        let live = |row: &&OrderRow| row.state != OrderState::Archived;
        for row in self.exchange.rows.iter().filter(live) {
            let position = self.exchange.positions.get(row.position as usize);
            let position = content(position.filter(|p| p.account != NONE), "an order's position")?;
            let exchange = self.exchange_of(position.market);
            let priced = row.limit == NONE || row.limit < exchange.prices.len();
            let limited = row.limit != NONE || row.kind == OrderKind::MarketOnClose;
            let selection = usize::from(row.selection) < exchange.outcomes.len();
            holds(priced && limited && selection, "an order's price")?;
            let mut parts = self.exchange.parts_of_order(row);
            let sound = match exchange.has_lines() {
                true => {
                    let better =
                        |p: &Part| row.side.prefers(p.selection.into(), row.selection.into());
                    let line =
                        |p: Part| better(&p) && usize::from(p.selection) < exchange.outcomes.len();
                    row.limit == u32::from(row.selection) && parts.all(line)
                }
                false => {
                    let own = parts.clone().all(|part| part.selection == row.selection);
                    let sum = parts.map(|part| part.stake).sum::<i64>();
                    own && (row.parts == NONE || sum == row.matched)
                }
            };
            holds(sound, "parts of an order")?;
            holds(row.state.waits() == (0 < row.left), "what waits of an order")?;
            holds(!row.rests() || row.kind == OrderKind::Limit, "an order that rests")?;
            let starts = row.kind == OrderKind::Limit || !exchange.starting.is_empty();
            holds(starts, "an order at the starting price")?;
        }
        Ok(())
    }

    /// What the orders make: books, sums, stands. The tables have been built.
    pub(crate) fn rebuild_books(&mut self) -> Read<()> {
        let mut turns: Vec<u32> = (0..self.exchange.rows.len() as u32).collect();
        turns.sort_by_key(|at| self.exchange.rows[*at as usize].turn);
        for at in turns {
            let row = self.exchange.rows[at as usize];
            if row.state == OrderState::Archived {
                continue;
            }
            self.exchange.live_rows += 1;
            let position = self.exchange.positions[row.position as usize];
            let account = &mut self.ledger.accounts[position.account as usize];
            let pending = account.pending.checked_add(row.room);
            account.pending = content(pending, "what an account may win")?;
            let stands = &mut self.exchange.stands[position.first as usize..];
            let exchange = self.exchange.markets[position.market as usize].as_deref_mut();
            let exchange = exchange.expect("looked at before");
            for matched in matched_of(&self.exchange.parts, &row) {
                has(&row, matched, stands);
            }
            if !row.state.waits() {
                continue;
            }
            row.wait(&mut stands[usize::from(row.selection)], &exchange.prices, row.left);
            if row.rests() {
                let taker = self.taker_of(row.position, &row);
                let Exchange { markets, orders, .. } = &mut self.exchange;
                let book =
                    &mut markets[position.market as usize].as_mut().expect("it is there").book;
                let place = book.put_back(orders, &taker, row.left, row.matched);
                let place = content(place, "an order that rests")?;
                orders.set_number(place, at);
                self.exchange.rows[at as usize].place = place;
            } else if row.is_on_close() && row.state == OrderState::Executable {
                exchange.starting[usize::from(row.selection)].add(row.side, row.tick(), row.left);
            }
        }
        let live = self.exchange.positions.iter().filter(|position| position.account != NONE);
        self.exchange.live_positions = live.count() as u32;
        Ok(())
    }

    pub(crate) fn digest_exchange(&self, d: &mut Digester) {
        let exchange = &self.exchange;
        d.put(exchange.free_row).put(exchange.spent_head).put(exchange.spent_tail);
        d.put(exchange.free_position).put(exchange.turn);
        d.put(exchange.stands.len() as u64);
        for blocks in &exchange.free_stands {
            d.put(blocks.len() as u64);
            for first in blocks {
                d.put(*first);
            }
        }
        for (at, market) in exchange.markets.iter().enumerate() {
            let Some(market) = market else { continue };
            let work = market.work;
            d.put(at as u64).bytes(market.terms.as_bytes()).put(market.changed.0);
            for band in market.ladder.bands() {
                d.put(band.from.e4()).put(band.to.e4()).put(band.step_e4);
            }
            d.put(market.head).put(market.tail).put(market.positions);
            d.put(work.phase).put(work.scope).put(work.selection).put(work.factor);
            d.put(work.known).put(work.whole).put(work.exact).put(work.paid);
            for close in &market.closes {
                d.put(close.odds_e4).put(close.open[0]).put(close.open[1]);
            }
            for outcome in &market.outcomes {
                match outcome {
                    Outcome::Void => d.put(-1),
                    Outcome::Won(parts) => d.put(*parts),
                };
            }
            for (selection, prices) in market.traded.iter().enumerate() {
                for (tick, sum) in prices.iter().enumerate().filter(|(_, sum)| **sum != 0) {
                    d.put(selection as u64).put(tick as u64).put(*sum);
                }
            }
            d.put(market.crossing).put(market.residue).put(market.started);
        }
        for row in &exchange.rows {
            d.put(row.generation).put(row.state as u8).put(row.next);
            if row.state == OrderState::Archived {
                continue;
            }
            d.put(row.kind as u8).put(row.side as u8).put(row.persistence as u8);
            d.put(row.self_match).put(row.flags).put(row.void).put(row.selection);
            d.put(row.limit).put(row.position).put(row.size).put(row.left).put(row.matched);
            d.put(row.cancelled).put(row.lapsed).put(row.returns_e4).put(row.min_fill);
            d.put(row.room).bytes(&row.reference.to_le_bytes()).put(row.version.0);
            d.put(row.placed_seq.0).put(row.placed_at.0).put(row.turn).put(row.until.0);
            d.put(row.prev).put(row.before).put(row.behind).put(row.rests()).put(row.parts);
        }
        d.put(exchange.free_part);
        for part in &exchange.parts {
            d.put(part.stake).put(part.returns_e4).put(part.selection).put(part.next);
        }
        for position in &exchange.positions {
            d.put(position.account).put(position.next);
            if position.account == NONE {
                continue;
            }
            d.put(position.market).put(position.first).put(position.waiting);
            d.put(position.count).put(position.held).put(position.settled);
            d.put(position.net).put(position.commission).put(position.settlements);
            let [day, week, month] = position.counted;
            d.put(day).put(week).put(month).put(position.counted_at.0);
        }
        let mut timers: Vec<_> = exchange.timers.iter().map(|Reverse(timer)| *timer).collect();
        timers.sort_unstable();
        for (due, turn, id) in timers {
            d.put(due.0).put(turn).put(id.raw());
        }
    }
}

/// What was matched of an order on a selection counts in its stand there.
pub(crate) fn has(row: &OrderRow, matched: (u16, i64, i128), stands: &mut [Stand]) {
    if row.void {
        return;
    }
    let (selection, stake, returns_e4) = matched;
    let stand = &mut stands[usize::from(selection)];
    let staked = i128::from(stake) * E4;
    let sign = if row.side == Side::Back { 1 } else { -1 };
    stand.win_e4 += sign * (returns_e4 - staked);
    stand.lose_e4 -= sign * staked;
}
