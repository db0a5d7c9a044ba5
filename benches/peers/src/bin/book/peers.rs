//! The peers: the stream in their own words, made beforehand, and their books.

use std::sync::Arc;

use betring_peers::stream::{Command, Fills, Order, Stream};
use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, CommandKind, CommandMeta, CommandOutcome, CommandReport,
    LimitOrder, LimitOrderPatch, NewOrder, OrderFlags, OrderId, OrderKind, QuantityPolicy,
    SequenceNumber, SubmitCmd,
};
use orderbook_rs::{Id, StubClock};
use rust_ob::Decimal;

use crate::{Plays, ours::buys};

/// Room of the books that take a number for it: all that rest, and some.
const ROOM: usize = 1 << 17;

pub(crate) struct Matchcore(matchcore::OrderBook);

impl Plays for Matchcore {
    type Command = matchcore::Command;

    fn commands(stream: &Stream) -> Vec<matchcore::Command> {
        // It numbers orders by the command that made them, as the stream does.
        let of = |(at, command): (usize, &Command)| {
            let at = at as u64;
            let price = |order: &Order| matchcore::Price(u64::from(order.price));
            let kind = match command {
                Command::Add(order) => {
                    let side =
                        if buys(order) { matchcore::Side::Buy } else { matchcore::Side::Sell };
                    let quantity = matchcore::Quantity(u64::from(order.size));
                    CommandKind::Submit(SubmitCmd {
                        order: NewOrder::Limit(LimitOrder::new(
                            price(order),
                            QuantityPolicy::Standard { quantity },
                            OrderFlags::new(side, false, matchcore::TimeInForce::Gtc),
                        )),
                    })
                }
                Command::Cancel { order } => CommandKind::Cancel(CancelCmd {
                    order_id: OrderId(u64::from(*order)),
                    order_kind: OrderKind::Limit,
                }),
                Command::Replace(order) => CommandKind::Amend(AmendCmd {
                    order_id: OrderId(u64::from(order.order)),
                    patch: AmendPatch::Limit(LimitOrderPatch::new().with_price(price(order))),
                }),
            };
            let meta = CommandMeta {
                sequence_number: SequenceNumber(at),
                timestamp: matchcore::Timestamp(at),
            };
            matchcore::Command { meta, kind }
        };
        stream.all().enumerate().map(of).collect()
    }

    fn new(_: usize) -> Matchcore {
        Matchcore(matchcore::OrderBook::new("M1"))
    }

    fn play(&mut self, command: &matchcore::Command, fills: &mut Fills) {
        let report = match self.0.execute(command) {
            CommandOutcome::Applied(report) => report,
            CommandOutcome::Rejected(why) => panic!("{why}"),
        };
        let effects = match &report {
            CommandReport::Submit(effects) | CommandReport::Amend(effects) => effects,
            CommandReport::Cancel => return,
        };
        let target = effects.target_order();
        let Some(matched) = target.match_result() else { return };
        for trade in matched.trades() {
            let (size, price) = (trade.quantity().0, trade.price().0);
            fills.add(
                target.order_id().0 as u32,
                trade.maker_order_id().0 as u32,
                size,
                size * price,
            );
        }
    }
}

pub(crate) struct Lobster(lobster::OrderBook);

pub(crate) enum Executed {
    One(lobster::OrderType),
    CancelAndAdd(lobster::OrderType, lobster::OrderType),
}

impl Plays for Lobster {
    type Command = Executed;

    fn commands(stream: &Stream) -> Vec<Executed> {
        let limit = |order: &Order| lobster::OrderType::Limit {
            id: u128::from(order.order),
            side: if buys(order) { lobster::Side::Bid } else { lobster::Side::Ask },
            qty: u64::from(order.size),
            price: u64::from(order.price),
        };
        let cancel = |order: u32| lobster::OrderType::Cancel { id: u128::from(order) };
        let of = |command: &Command| match command {
            Command::Add(order) => Executed::One(limit(order)),
            Command::Cancel { order } => Executed::One(cancel(*order)),
            Command::Replace(order) => Executed::CancelAndAdd(cancel(order.order), limit(order)),
        };
        stream.all().map(of).collect()
    }

    fn new(_: usize) -> Lobster {
        Lobster(lobster::OrderBook::new(ROOM, 1 << 12, false))
    }

    fn play(&mut self, executed: &Executed, fills: &mut Fills) {
        let last = match executed {
            Executed::One(one) => one,
            Executed::CancelAndAdd(cancel, add) => {
                self.0.execute(*cancel);
                add
            }
        };
        match self.0.execute(*last) {
            lobster::OrderEvent::Filled { fills: all, .. }
            | lobster::OrderEvent::PartiallyFilled { fills: all, .. } => {
                for fill in &all {
                    let (taker, maker) = (fill.order_1 as u32, fill.order_2 as u32);
                    fills.add(taker, maker, fill.qty, fill.qty * fill.price);
                }
            }
            lobster::OrderEvent::Unfilled { .. }
            | lobster::OrderEvent::Placed { .. }
            | lobster::OrderEvent::Canceled { .. } => (),
        }
    }
}

pub(crate) struct RustOb(rust_ob::OrderBook<u32>);

/// The numbers are decimals already.
pub(crate) enum Processed {
    Add(u32, rust_ob::Side, Decimal, Decimal),
    Cancel(u32),
    CancelAndAdd(u32, rust_ob::Side, Decimal, Decimal),
}

impl RustOb {
    fn add(
        &mut self,
        order: u32,
        side: rust_ob::Side,
        price: Decimal,
        size: Decimal,
        fills: &mut Fills,
    ) {
        let matches = self.0.process_limit_order(order, side, price, size).expect("a new order");
        // The last one is the order's own sum.
        let Some((_, makers)) = matches.split_last() else { return };
        for one in makers {
            // Whole numbers: no digit behind the point.
            let (size, value) = (one.quantity.mantissa() as u64, one.cost.mantissa());
            fills.add(order, one.order, size, value.unsigned_abs() as u64);
        }
    }
}

impl Plays for RustOb {
    type Command = Processed;

    fn commands(stream: &Stream) -> Vec<Processed> {
        let parts = |order: &Order| {
            let side = if buys(order) { rust_ob::Side::Buy } else { rust_ob::Side::Sell };
            (side, Decimal::from(order.price), Decimal::from(order.size))
        };
        let of = |command: &Command| match command {
            Command::Add(order) => {
                let (side, price, size) = parts(order);
                Processed::Add(order.order, side, price, size)
            }
            Command::Cancel { order } => Processed::Cancel(*order),
            Command::Replace(order) => {
                let (side, price, size) = parts(order);
                Processed::CancelAndAdd(order.order, side, price, size)
            }
        };
        stream.all().map(of).collect()
    }

    fn new(_: usize) -> RustOb {
        RustOb(rust_ob::OrderBook::new())
    }

    fn play(&mut self, processed: &Processed, fills: &mut Fills) {
        match *processed {
            Processed::Add(order, side, price, size) => self.add(order, side, price, size, fills),
            Processed::Cancel(order) => self.0.cancel_order(order).expect("it rests"),
            Processed::CancelAndAdd(order, side, price, size) => {
                self.0.cancel_order(order).expect("it rests");
                self.add(order, side, price, size, fills);
            }
        }
    }
}

pub(crate) struct OrderbookRs(orderbook_rs::OrderBook<()>);

pub(crate) enum Asked {
    Add { id: Id, price: u128, size: u64, side: orderbook_rs::Side },
    Cancel(Id),
    Update(pricelevel::OrderUpdate),
}

impl Plays for OrderbookRs {
    type Command = Asked;

    fn commands(stream: &Stream) -> Vec<Asked> {
        let id = |order: u32| Id::sequential(u64::from(order));
        let of = |command: &Command| match command {
            Command::Add(order) => Asked::Add {
                id: id(order.order),
                price: u128::from(order.price),
                size: u64::from(order.size),
                side: if buys(order) { orderbook_rs::Side::Buy } else { orderbook_rs::Side::Sell },
            },
            Command::Cancel { order } => Asked::Cancel(id(*order)),
            Command::Replace(order) => Asked::Update(pricelevel::OrderUpdate::UpdatePrice {
                order_id: id(order.order),
                new_price: pricelevel::Price::new(u128::from(order.price)),
            }),
        };
        stream.all().map(of).collect()
    }

    fn new(_: usize) -> OrderbookRs {
        OrderbookRs(orderbook_rs::OrderBook::with_clock("M1", Arc::new(StubClock::new())))
    }

    fn play(&mut self, asked: &Asked, fills: &mut Fills) {
        match *asked {
            Asked::Add { id, price, size, side } => {
                let gtc = orderbook_rs::TimeInForce::Gtc;
                let added = self.0.add_limit_order_with_result(id, price, size, side, gtc, None);
                let (_, Some(traded)) = added.expect("a new order") else { return };
                for trade in traded.match_result.trades().as_vec() {
                    let number = |id: Id| id.as_u64().expect("all have numbers") as u32;
                    let (size, price) = (trade.quantity().as_u64(), trade.price().as_u128());
                    fills.add(
                        number(trade.taker_order_id()),
                        number(trade.maker_order_id()),
                        size,
                        size * price as u64,
                    );
                }
            }
            Asked::Cancel(id) => {
                self.0.cancel_order(id).expect("it can").expect("it rests");
            }
            Asked::Update(update) => {
                self.0.update_order(update).expect("it can").expect("it rests");
            }
        }
    }
}
