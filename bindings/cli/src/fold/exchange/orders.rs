//! Orders: asked for, placed, begun after their delay, cut, changed. What is said of one is never more than its size.

use super::super::{Fold, Rule};
use super::{E4, Order};
use betring_core::answer::{Answer, AnswerKind};
use betring_core::book::Side;
use betring_core::command::{
    Command, OrderEntry, OrderKind, Persistence, ReplaceEntry, SetExchange, SizeTarget,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor};

impl Fold {
    pub(super) fn order_placed(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        placed: &OrderPlaced,
    ) {
        let (id, market, account) = (placed.order, placed.market, placed.account);
        let choices = Side::from_code(placed.side)
            .zip(OrderKind::from_code(placed.kind))
            .zip(Persistence::from_code(placed.persistence));
        let Some(((side, kind), persistence)) = choices else {
            return self.broken(Rule::Layout, || format!("{id} is of no known kind"));
        };
        let Some(place) = self.exchange.places.get(&market.raw()) else {
            return self.broken(Rule::Orders, || format!("{id} is in {market}, no exchange"));
        };
        let (terms, delay) = (place.terms, place.delay);
        let running = self.markets.get(&market.raw()).and_then(|market| market.running);
        let order = Order {
            account,
            market,
            selection: placed.selection,
            side,
            kind,
            persistence,
            limit_e4: placed.limit_e4,
            size: placed.size.0.into(),
            left: 0,
            matched: 0,
            cut: 0,
            returns_e4: 0,
            void: false,
            priced: false,
            until: (placed.until.0 != 0).then_some(placed.until),
            min_fill: placed.min_fill,
            flags: placed.flags,
            self_match: placed.self_match,
            reference: placed.reference,
            placed: self.seq,
            cancelled: (Seq(0), 0),
            reduced: Seq(0),
        };
        let asked = header.account == account.raw()
            && match command {
                Command::PlaceOrders(body, entries) => {
                    let entry = entries.iter().nth(usize::from(placed.number));
                    body.market == market
                        && entry.is_some_and(|entry| is_asked(&order, &entry))
                        && is_enough(&order, &terms)
                }
                Command::ReplaceOrders(body, entries) => {
                    let entry = entries.iter().nth(usize::from(placed.number));
                    body.market == market
                        && entry.is_some_and(|entry| self.replaces(&order, &entry))
                }
                _ => false,
            };
        self.must(Rule::Orders, asked, || format!("{id} is not an order that was asked for"));
        let new = !self.exchange.orders.contains_key(&id.raw()) && Minor(0) < placed.size;
        self.must(Rule::Orders, new, || format!("{id} is placed, and was there before"));
        self.must(Rule::Status, running.is_none(), || {
            format!("{id} is placed while the orders of {market} are being changed")
        });
        self.standing(id, market, order.selection);
        self.may_order(id, account, terms.currency);
        let waits = match order.until {
            // With a passive delay what rests at once does not wait, see who takes.
            None => delay == Nanos::ZERO || terms.flags & SetExchange::PASSIVE_DELAY != 0,
            Some(until) => delay != Nanos::ZERO && until == self.at.plus(delay),
        };
        self.must(Rule::Waiting, waits, || format!("{id} waits otherwise than {market} says"));
        self.counts.orders += 1;
        self.exchange.new.push(id);
        let place = self.exchange.places.get_mut(&market.raw());
        let kept = place.map(|place| (&mut place.orders, &mut place.accounts));
        if let Some((orders, accounts)) = kept {
            orders.push(id);
            let at = (market.raw(), account.raw());
            let selections = self.markets.get(&market.raw()).map_or(0, |of| of.selections.len());
            self.exchange.positions.entry(at).or_insert_with(|| {
                accounts.push(account);
                super::Position::new(selections)
            });
        }
        self.exchange.orders.insert(id.raw(), order);
        self.change(id, |order| order.left = order.size);
    }

    /// Whether an order is what another one was, at another price.
    fn replaces(&self, order: &Order, entry: &ReplaceEntry) -> bool {
        let Some(old) = self.exchange.orders.get(&entry.order.raw()) else { return false };
        let what = |order: &Order| {
            let Order { account, selection, side, kind, persistence, reference, .. } = *order;
            (account, selection, side, kind, persistence, reference)
        };
        let (flags, own) = ((old.flags, old.self_match), (order.flags, order.self_match));
        what(order) == what(old)
            && flags == own
            && old.cancelled == (self.seq, order.size)
            && (order.limit_e4, order.min_fill) == (entry.limit_e4, Minor(0))
    }

    /// Whether an account may order at all, in this currency.
    fn may_order(&mut self, id: OrderId, account: AccountId, currency: u16) {
        let (customer, at) = (self.customer(account), self.at);
        self.must(Rule::Customer, customer.may_bet(at), || {
            format!("{id}: {account} was blocked or excluded")
        });
        self.must(Rule::Wallet, !customer.external, || {
            format!("{id}: the money of {account} is in an external wallet")
        });
        self.must(Rule::Probes, !customer.synthetic, || format!("{id} is a probe's"));
        let own = self.balances.get(&LedgerAccount::customer(account).0);
        let own = own.is_some_and(|(own, _)| *own == currency);
        self.must(Rule::Ledger, own, || format!("{id}: {account} has another currency"));
    }

    /// An order that is known, of this account.
    pub(super) fn known(&mut self, id: OrderId, account: AccountId) -> Option<Order> {
        let order = self.exchange.orders.get(&id.raw()).copied();
        let order = order.filter(|order| order.account == account);
        if order.is_none() {
            self.broken(Rule::Orders, || format!("{id} of {account} was never placed"));
        }
        order
    }

    pub(super) fn order_began(&mut self, began: &OrderBegan) {
        let Some(order) = self.known(began.order, began.account) else { return };
        let (id, at) = (began.order, self.at);
        let in_time = order.waits() && order.until.is_some_and(|until| until <= at);
        self.must(Rule::Waiting, in_time, || format!("{id} begins before its delay is over"));
        self.standing(id, order.market, order.selection);
        self.may_order_still(id, order.account);
        self.exchange.new.push(id);
        self.change(id, |order| order.until = None);
    }

    fn may_order_still(&mut self, id: OrderId, account: AccountId) {
        let (customer, at) = (self.customer(account), self.at);
        self.must(Rule::Customer, customer.may_bet(at), || {
            format!("{id}: {account} was blocked or excluded")
        });
    }

    pub(super) fn order_cut(&mut self, header: &Header, command: &Command<'_>, cut: &OrderCut) {
        let Some(order) = self.known(cut.order, cut.account) else { return };
        let (id, by, seq) = (cut.order, i128::from(cut.by.0), self.seq);
        let why = Cut::from_code(cut.why);
        let by_customer = why == Some(Cut::Cancelled);
        let fits = 0 < by && by <= order.left && (by_customer || by == order.left);
        self.must(Rule::Orders, fits, || {
            format!("{} of {id} lapses, of which {} waits", cut.by, order.left)
        });
        let market = self.markets.get(&order.market.raw());
        let withdrawn = market
            .and_then(|market| market.selections.get(usize::from(order.selection.0)))
            .is_some_and(|selection| selection.withdrawn);
        let asked = match (why, command) {
            (Some(Cut::Cancelled), Command::CancelOrders(body, _)) => body.market == order.market,
            (Some(Cut::Cancelled), Command::ReplaceOrders(body, _)) => body.market == order.market,
            (Some(Cut::Cancelled) | None, _) => false,
            (Some(Cut::Killed), _) => order.flags & OrderEntry::FILL_OR_KILL != 0,
            (Some(Cut::Improvement), _) => order.flags & OrderEntry::REFUSE_IMPROVEMENT != 0,
            (Some(Cut::Withdrawn), _) => withdrawn,
            (Some(Cut::Suspended), _) => order.until.is_some(),
            (Some(Cut::NonRunner), _) => order.side == Side::Lay && order.is_limit(),
            (Some(Cut::Barred), _) => !self.customer(order.account).may_bet(self.at),
            (Some(_), _) => true,
        };
        let asked = asked && (!by_customer || header.account == order.account.raw());
        self.must(Rule::Orders, asked, || format!("{id} has no cause to lapse so"));
        self.counts.cut += 1;
        self.change(id, |order| {
            order.left -= by;
            order.cut += by;
            if by_customer {
                order.cancelled = (seq, by);
            }
        });
    }

    pub(super) fn order_changed(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        change: &OrderChanged,
    ) {
        let Some(order) = self.known(change.order, change.account) else { return };
        let id = change.order;
        let choices =
            OrderKind::from_code(change.kind).zip(Persistence::from_code(change.persistence));
        let Some((kind, persistence)) = choices else {
            return self.broken(Rule::Layout, || format!("{id} is of no known kind"));
        };
        let left = i128::from(change.left.0);
        let close = self.exchange.places.get(&order.market.raw());
        let close = close.and_then(|place| place.closes.get(usize::from(order.selection.0)));
        let price = close.map_or(0, |close| i128::from(close.price_e4));
        let (right, priced) = match (order.kind, kind) {
            // Its customer wants something else to become of it.
            (OrderKind::Limit, OrderKind::Limit) => {
                let asked = match command {
                    Command::UpdateOrders(_, entries) => entries
                        .iter()
                        .any(|entry| (entry.order, entry.persistence) == (id, change.persistence)),
                    _ => false,
                };
                let own = header.account == order.account.raw();
                (asked && own && left == order.left, false)
            }
            // It goes to the starting price: a lay with what it may lose.
            (OrderKind::Limit, OrderKind::MarketOnClose) => {
                let liability = order.left * (i128::from(order.limit_e4) - E4) / E4;
                let due = if order.side == Side::Back { order.left } else { liability };
                (order.persistence == Persistence::MarketOnClose && left == due, false)
            }
            // A lay has its price: it is counted by the stakes that it covers.
            (before, after) => {
                let stakes = if E4 < price { order.left * E4 / (price - E4) } else { 0 };
                let lay = order.side == Side::Lay && !order.priced && before == after;
                (lay && 0 < left && left == stakes, true)
            }
        };
        self.must(Rule::Orders, right && order.waits(), || {
            format!("{id} is changed otherwise than was asked for")
        });
        // Another wish changes nothing of what is at risk.
        let same = (order.kind, order.left) == (kind, left);
        let touched = self.exchange.touched.len();
        self.change(id, |order| {
            order.size += left - order.left;
            order.left = left;
            if order.kind != kind {
                order.limit_e4 = 0;
            }
            (order.kind, order.persistence, order.priced) = (kind, persistence, priced);
        });
        if same {
            self.exchange.touched.truncate(touched);
        }
    }

    /// After a record: who was to be filled at once was, or did not wait.
    pub(super) fn new_orders(&mut self) {
        for id in std::mem::take(&mut self.exchange.new) {
            self.exchange.new.push(id);
            let Some(order) = self.exchange.orders.get(&id.raw()).copied() else { continue };
            if order.flags & OrderEntry::FILL_OR_KILL == 0 || order.until.is_some() {
                continue;
            }
            let even = order.matched * i128::from(order.limit_e4);
            let worse = match order.side {
                Side::Back => order.returns_e4 < even,
                Side::Lay => even < order.returns_e4,
            };
            let enough = order.matched == 0 || i128::from(order.min_fill.0) <= order.matched;
            self.must(Rule::Orders, !worse && enough && !order.waits(), || {
                format!("{id} was to be filled at once, at its limit on average")
            });
        }
    }

    /// The answer tells the orders of its record.
    pub(super) fn ordered(&mut self, command: &Command<'_>, events: &[Event]) {
        let answer = events.iter().find_map(|event| match event {
            Event::Answered(answered) => Some(answered.answer),
            _ => None,
        });
        let placed = events.iter().filter_map(|event| match event {
            Event::OrderPlaced(placed) => Some(placed.order),
            _ => None,
        });
        let cancelled = events.iter().filter_map(|event| match event {
            Event::OrderCut(cut) if cut.why == Cut::Cancelled as u8 => Some(i128::from(cut.by.0)),
            _ => None,
        });
        let told = answer.map(|answer| (answer.kind(), answer.id, answer.amount, answer.stake));
        let right = match command {
            Command::PlaceOrders(..) | Command::ReplaceOrders(..) => {
                let first = placed.clone().next();
                let all = placed.clone().filter_map(|id| self.exchange.orders.get(&id.raw()));
                let matched: i128 = all.clone().map(|order| order.matched).sum();
                let lapsed: i128 = all.clone().map(|order| order.cut).sum();
                let until = all.filter_map(|order| order.until).max().unwrap_or(Timestamp(0));
                let due = first.map(|first| {
                    let count = Minor(placed.count() as i64);
                    let matched = Minor(i64::try_from(matched).unwrap_or(i64::MAX));
                    (AnswerKind::Ordered, first.raw(), count, matched)
                });
                match due {
                    Some(_) => {
                        let about =
                            |a: Answer| a.until() == until && i128::from(a.lapsed().0) == lapsed;
                        told == due && answer.is_some_and(about)
                    }
                    // Nothing was placed: it was refused, or only what was cancelled stands.
                    None => {
                        let stands = cancelled.count() != 0;
                        let kind = if stands { AnswerKind::Ordered } else { AnswerKind::Refused };
                        answer.is_none_or(|answer| answer.kind() == kind)
                    }
                }
            }
            Command::CancelOrders(body, _) => {
                let count = Minor(cancelled.clone().count() as i64);
                match count {
                    Minor(0) => told.is_none_or(|(kind, ..)| kind == AnswerKind::Refused),
                    count => {
                        let sum = Minor(i64::try_from(cancelled.sum::<i128>()).unwrap_or(i64::MAX));
                        told == Some((AnswerKind::Changed, body.market.raw(), count, sum))
                    }
                }
            }
            _ => true,
        };
        self.must(Rule::Answers, right, || "the answer is not what became of its orders".into());
    }
}

/// Whether an order is what an entry asks for.
fn is_asked(order: &Order, entry: &OrderEntry) -> bool {
    let (asked, limit) = (i128::from(entry.size.0), i128::from(entry.limit_e4));
    let size = match SizeTarget::from_code(entry.target) {
        Some(SizeTarget::Stake) => asked,
        Some(SizeTarget::Payout) if 0 < limit => asked * E4 / limit,
        Some(SizeTarget::BackersProfit) if E4 < limit => asked * E4 / (limit - E4),
        _ => return false,
    };
    let kill = entry.flags & OrderEntry::FILL_OR_KILL != 0;
    let least = match (kill, entry.min_fill) {
        (true, Minor(0)) => size,
        (_, least) => least.0.into(),
    };
    let what = (order.selection, order.side as u8, order.kind as u8, order.persistence as u8);
    what == (entry.selection, entry.side, entry.kind, entry.persistence)
        && (order.limit_e4, order.reference) == (entry.limit_e4, entry.reference)
        && (order.flags, order.self_match) == (entry.flags, entry.self_match)
        && (order.size, i128::from(order.min_fill.0)) == (size, least)
}

/// Whether an order is as large as its market wants it.
fn is_enough(order: &Order, terms: &SetExchange) -> bool {
    if order.side == Side::Lay && !order.is_limit() {
        return i128::from(terms.min_liability.0) <= order.size;
    }
    let pays = order.size * i128::from(order.limit_e4);
    let least = i128::from(terms.min_payout.0);
    i128::from(terms.min_stake.0) <= order.size || (least != 0 && least * E4 <= pays)
}
