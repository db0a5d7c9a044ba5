//! What is done on exchange markets: terms, orders of all kinds, and whatever happens to a market with orders in it.

use super::{CUSTOMERS, Crowd, EUR, GBP, Stage, TRADER, bytes_of, plain};
use crate::auditor::Auditor;
use crate::workload::Rng;
use betring_core::book::{SelfMatch, Side};
use betring_core::command::*;
use betring_core::event::MarketStatus;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor};
use betring_pricing::{LegNumbers, Share};

/// Ladders of a few prices: many orders meet.
const LADDERS: [&[[u32; 3]]; 4] = [
    &[[12_000, 20_000, 2_000]],
    &[[20_000, 60_000, 5_000]],
    &[[11_000, 15_000, 1_000], [15_000, 40_000, 5_000]],
    &[[10_100, 10_500, 100], [10_500, 30_500, 4_000]],
];

fn sent(slots: Result<Vec<betring_core::wire::Slot>, betring_core::reject::Malformed>) -> Vec<u8> {
    slots.map_or_else(|_| Vec::new(), |slots| bytes_of(&slots))
}

impl Crowd {
    /// What somebody does about an exchange market, if there is one.
    pub(super) fn trade(&mut self, machine: &impl Stage) -> Option<(usize, Vec<u8>)> {
        let auditor = machine.auditor();
        let valid_until = self.until(machine);
        let markets: Vec<(MarketId, MarketStatus)> =
            auditor.markets().filter(|(id, _)| auditor.is_exchange(*id)).collect();
        if markets.is_empty() {
            return None;
        }
        let takes = |id: &MarketId| auditor.why_no_orders(*id).is_none();
        let open: Vec<MarketId> = markets.iter().map(|(id, _)| *id).filter(takes).collect();
        if open.is_empty() && self.rng.permille(850) {
            let (market, status) = self.rng.pick(&markets);
            return self.brings_on(machine, market, status);
        }
        let market = match self.rng.permille(900) && !open.is_empty() {
            true => self.rng.pick(&open),
            false => self.rng.pick(&markets).0,
        };
        if auditor.exchange_prices(market).is_empty() {
            let header = self.control();
            return Some((TRADER, self.terms(header, valid_until, market)));
        }
        let customer = 2 + self.rng.below(CUSTOMERS) as usize;
        let control = self.control();
        let bytes = match self.rng.below(1_000) {
            0..=519 => self.orders(auditor, valid_until, market),
            520..=639 => self.cancels(auditor, valid_until, market),
            640..=719 => self.replaces(auditor, valid_until, market),
            720..=769 => self.updates(auditor, valid_until, market),
            770..=819 => self.pays_in(auditor, valid_until, market),
            820..=859 => return Some((TRADER, self.in_play(control, valid_until, market))),
            860..=879 => {
                let scope = self.rng.pick(LapseScope::ALL) as u8;
                let body = LapseOrders { valid_until, scope, market, ..LapseOrders::default() };
                return Some((TRADER, plain(control, &body)));
            }
            880..=899 => {
                return Some((TRADER, self.withdraws(auditor, control, valid_until, market)));
            }
            900..=909 => {
                let discount = self.rng.pick(&[0, 1_000, 5_000, 10_000]);
                let account = self.trader_of(auditor, market);
                let body = SetDiscount { valid_until, discount, account, ..Default::default() };
                return Some((TRADER, plain(control, &body)));
            }
            910..=944 => {
                return Some((TRADER, self.suspension(auditor, control, valid_until, market)));
            }
            945..=974 => {
                return Some((TRADER, self.placing(auditor, control, valid_until, market)));
            }
            975..=984 => {
                let body = RollbackResult { valid_until, market, ..RollbackResult::default() };
                return Some((TRADER, plain(control, &body)));
            }
            _ => return Some((TRADER, self.terms(control, valid_until, market))),
        };
        Some((customer, bytes))
    }

    /// The next step of an exchange market on its way to orders, or out of memory.
    fn brings_on(
        &mut self,
        machine: &impl Stage,
        market: MarketId,
        status: MarketStatus,
    ) -> Option<(usize, Vec<u8>)> {
        let auditor = machine.auditor();
        let valid_until = machine.now().plus(Nanos::from_secs(4));
        let header = self.control();
        let unset = auditor.exchange_prices(market).is_empty();
        let open = OpenMarket { valid_until, market, ..OpenMarket::default() };
        let bytes = match status {
            MarketStatus::Defined if unset => self.terms(header, valid_until, market),
            MarketStatus::Defined | MarketStatus::Closed => plain(header, &open),
            MarketStatus::Open => return self.what_it_lacks(auditor, header, valid_until, market),
            MarketStatus::Settled => {
                plain(header, &ArchiveMarket { valid_until, market, ..ArchiveMarket::default() })
            }
            _ => return None,
        };
        Some((TRADER, bytes))
    }

    /// The terms of an exchange market.
    pub(super) fn terms(
        &mut self,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
    ) -> Vec<u8> {
        let lines = self.rng.permille(250);
        let own = !lines && self.rng.permille(900);
        let bands = if own { self.rng.pick(&LADDERS) } else { &[] };
        let bands: Vec<BandEntry> = bands
            .iter()
            .map(|[from_e4, to_e4, step_e4]| BandEntry {
                from_e4: *from_e4,
                to_e4: *to_e4,
                step_e4: *step_e4,
            })
            .collect();
        let published = [LadderKind::Classic, LadderKind::Betdaq, LadderKind::Finest];
        let ladder = match own {
            true => LadderKind::Own,
            false if lines => LadderKind::Classic,
            false => self.rng.pick(&published),
        };
        let mut flags = 0;
        for (flag, share) in [
            (SetExchange::CROSSES, 500),
            (SetExchange::STARTING_PRICES, 600),
            (SetExchange::PASSIVE_DELAY, 400),
            (SetExchange::PLACES, 250),
        ] {
            flags |= if self.rng.permille(share) { flag } else { 0 };
        }
        if lines {
            flags = flags & SetExchange::PASSIVE_DELAY | SetExchange::LINES;
        }
        let body = SetExchange {
            valid_until,
            currency: self.rng.pick(&[GBP, GBP, GBP, EUR]),
            ladder: ladder as u8,
            flags,
            market,
            commission: self.rng.pick(&[0, 200, 500, 10_000]),
            min_stake: Minor(self.rng.pick(&[1, 100, 200])),
            min_payout: Minor(self.rng.pick(&[0, 0, 1_000])),
            min_liability: Minor(self.rng.pick(&[1, 1_000])),
            ..SetExchange::default()
        };
        sent(build::set_exchange(header, body, &bands))
    }

    /// Somebody who may bet on an exchange market, mostly.
    fn trader_of(&mut self, auditor: &Auditor, market: MarketId) -> AccountId {
        let currency = auditor.exchange_currency(market);
        let may = |id: &AccountId| {
            !auditor.is_external_wallet(*id)
                && !auditor.is_probe(*id)
                && auditor.currency(*id) == currency
        };
        let accounts: Vec<AccountId> = auditor.accounts().filter(may).collect();
        if accounts.is_empty() || self.rng.permille(30) {
            return self.account(auditor);
        }
        self.rng.pick(&accounts)
    }

    fn pays_in(&mut self, auditor: &Auditor, valid_until: Timestamp, market: MarketId) -> Vec<u8> {
        let account = self.trader_of(auditor, market);
        // Now and then as much as several orders take.
        let most = self.rng.pick(&[30_000, 1_000_000]);
        let amount = Minor(1 + self.rng.below(most) as i64);
        let header = Header::customer(account, self.key());
        plain(header, &Deposit { valid_until, amount, ..Deposit::default() })
    }

    /// A version of a market as a customer may have seen it: none, the last, one that was, one that is not yet.
    fn version_seen(&mut self, auditor: &Auditor, market: MarketId) -> Seq {
        let now = auditor.market_version(market).0;
        Seq(match self.rng.below(20) {
            0..=13 => 0,
            14..=17 => now,
            18 => now.saturating_sub(self.rng.below(20)),
            _ => now + 1,
        })
    }

    fn limit(&mut self, auditor: &Auditor, market: MarketId) -> u32 {
        let prices = auditor.exchange_prices(market);
        if prices.is_empty() || self.rng.permille(10) {
            return self.rng.pick(&[0, 10_000, 10_001, 25_000]);
        }
        // Around the middle, and on long ladders near each other: they are to meet.
        let some = prices.len().min(if self.rng.permille(800) { 4 } else { 12 });
        prices[(prices.len() - some) / 2 + self.rng.below(some as u64) as usize]
    }

    fn orders(&mut self, auditor: &Auditor, valid_until: Timestamp, market: MarketId) -> Vec<u8> {
        let account = self.trader_of(auditor, market);
        let header = self.of_account(auditor, account);
        let count = match self.rng.below(20) {
            0..=11 => 1,
            12..=17 => 2 + self.rng.below(3),
            18 => 5 + self.rng.below(20),
            _ => 60,
        };
        let entries: Vec<OrderEntry> =
            (0..count).map(|_| self.order(auditor, market, count)).collect();
        let market_version = self.version_seen(auditor, market);
        let body = PlaceOrders { valid_until, market, market_version, ..PlaceOrders::default() };
        sent(build::place_orders(header, body, &entries))
    }

    fn order(&mut self, auditor: &Auditor, market: MarketId, count: u64) -> OrderEntry {
        let selections = auditor.selections(market).max(2) as u64;
        let wrong = self.rng.permille(5);
        // Most bet on the favourite.
        let favourite = self.rng.permille(600) && !wrong && !auditor.has_lines(market);
        let selection = if favourite { 0 } else { self.rng.below(selections + u64::from(wrong)) };
        let side = if self.rng.permille(500) { Side::Back } else { Side::Lay };
        let starts = auditor.has_starting_prices(market.raw()) || self.rng.permille(50);
        let kind = match self.rng.below(20) {
            0..=1 if starts => OrderKind::MarketOnClose,
            2..=3 if starts => OrderKind::LimitOnClose,
            _ => OrderKind::Limit,
        };
        let kills = self.rng.permille(150) && (kind == OrderKind::Limit || self.rng.permille(50));
        let on_close = kind != OrderKind::Limit;
        let lapses = (kills || on_close) && self.rng.permille(970);
        let persistence = if lapses { Persistence::Lapse } else { self.rng.pick(Persistence::ALL) };
        let target = match self.rng.below(10) {
            0 => SizeTarget::Payout,
            1 => SizeTarget::BackersProfit,
            _ => SizeTarget::Stake,
        };
        let size = match self.rng.below(10) {
            0 => 1 + self.rng.below(10),
            1 => 1 + self.rng.below(30_000),
            2..=4 => 100 * (1 + self.rng.below(10)),
            _ => 100 + self.rng.below(2_000),
        };
        // More of them, so that there is money for all.
        let size = if 4 < count { size / 8 + 1 } else { size };
        let least = self.rng.permille(if kills { 500 } else { 10 });
        let refuses = self.rng.permille(60);
        let flags = if kills { OrderEntry::FILL_OR_KILL } else { 0 }
            | if refuses { OrderEntry::REFUSE_IMPROVEMENT } else { 0 };
        OrderEntry {
            limit_e4: match kind {
                OrderKind::MarketOnClose => 0,
                _ => self.limit(auditor, market),
            },
            selection: SelectionIndex(selection as u16),
            side: side as u8,
            kind: kind as u8,
            persistence: persistence as u8,
            target: target as u8,
            self_match: self.rng.pick(SelfMatch::ALL) as u8,
            flags,
            size: Minor(size as i64),
            min_fill: Minor(if least { 1 + self.rng.below(size + 2) as i64 } else { 0 }),
            reference: u128::from(self.rng.below(1_000)),
            ..OrderEntry::default()
        }
    }

    /// Some orders of one account in a market; mostly of the same market, and mostly some that wait.
    fn own_orders(&mut self, auditor: &Auditor, market: MarketId) -> (AccountId, Vec<OrderId>) {
        let any = self.rng.permille(60);
        let named: Vec<_> = auditor
            .orders()
            .filter(|(.., of, waits)| any || (*of == market && *waits))
            .map(|(id, account, ..)| (id, account))
            .collect();
        if named.is_empty() {
            return (self.trader_of(auditor, market), vec![OrderId::new(1, 1)]);
        }
        let (first, account) = self.rng.pick(&named);
        let own: Vec<OrderId> =
            named.iter().filter(|(_, of)| *of == account).map(|(id, _)| *id).collect();
        let mut orders = vec![first];
        while self.rng.permille(400) {
            let more = self.rng.pick(&own);
            if !orders.contains(&more) || self.rng.permille(30) {
                orders.push(more);
            }
        }
        let mistaken = self.rng.permille(30);
        (if mistaken { self.account(auditor) } else { account }, orders)
    }

    fn cancels(&mut self, auditor: &Auditor, valid_until: Timestamp, market: MarketId) -> Vec<u8> {
        let (account, orders) = self.own_orders(auditor, market);
        let header = Header::customer(account, self.key());
        let all = self.rng.permille(80);
        let entries: Vec<CancelEntry> = orders
            .into_iter()
            .filter(|_| !all)
            .map(|order| {
                let part = self.rng.permille(400);
                let by = Minor(if part { 1 + self.rng.below(1_500) as i64 } else { 0 });
                CancelEntry { order, by }
            })
            .collect();
        let body = CancelOrders { valid_until, market, ..CancelOrders::default() };
        sent(build::cancel_orders(header, body, &entries))
    }

    fn replaces(&mut self, auditor: &Auditor, valid_until: Timestamp, market: MarketId) -> Vec<u8> {
        let (account, orders) = self.own_orders(auditor, market);
        let header = self.of_account(auditor, account);
        let entries: Vec<ReplaceEntry> = orders
            .into_iter()
            .map(|order| ReplaceEntry { order, limit_e4: self.limit(auditor, market), zero: 0 })
            .collect();
        let market_version = self.version_seen(auditor, market);
        let body = ReplaceOrders { valid_until, market, market_version, ..Default::default() };
        sent(build::replace_orders(header, body, &entries))
    }

    fn updates(&mut self, auditor: &Auditor, valid_until: Timestamp, market: MarketId) -> Vec<u8> {
        let (account, orders) = self.own_orders(auditor, market);
        let header = Header::customer(account, self.key());
        let entries: Vec<UpdateEntry> = orders
            .into_iter()
            .map(|order| {
                let persistence = self.rng.pick(Persistence::ALL) as u8;
                UpdateEntry { order, persistence, zero: [0; 7] }
            })
            .collect();
        let body = UpdateOrders { valid_until, market, ..UpdateOrders::default() };
        sent(build::update_orders(header, body, &entries))
    }

    fn in_play(&mut self, header: Header, valid_until: Timestamp, market: MarketId) -> Vec<u8> {
        let delay = Nanos::from_millis(self.rng.pick(&[0, 0, 20, 300]));
        let in_play = u8::from(self.rng.permille(700));
        plain(header, &SetInPlay { valid_until, in_play, market, delay, ..SetInPlay::default() })
    }

    fn withdraws(
        &mut self,
        auditor: &Auditor,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
    ) -> Vec<u8> {
        let selections = auditor.selections(market).max(2) as u64;
        let body = WithdrawSelection {
            valid_until,
            selection: SelectionIndex(self.rng.below(selections) as u16),
            withdrawn: u8::from(self.rng.permille(950)),
            market,
            ..WithdrawSelection::default()
        };
        let factor = self.rng.pick(&[0, 200, 249, 250, 399, 400, 1_777, 5_000, 10_000]);
        let factor = if body.withdrawn == 1 { factor } else { 0 };
        plain(header, &WithdrawSelection { factor, ..body })
    }

    /// A result in which exactly as many win as the market has winners: alone, in a dead heat, or nobody because all
    /// bets are off; now and then those on one of the others are. Of what was withdrawn it may say so.
    pub(super) fn placing(
        &mut self,
        auditor: &Auditor,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
    ) -> Vec<u8> {
        let selections = auditor.selections(market).max(2);
        if auditor.has_lines(market) && self.rng.permille(900) {
            return self.number(header, valid_until, market, selections);
        }
        let winners = auditor.winners(market);
        let out = auditor.withdrawn(market);
        let mut order: Vec<usize> = (0..selections).filter(|at| !out.contains(at)).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, self.rng.below(at as u64 + 1) as usize);
        }
        let all_void = self.rng.permille(80) || order.len() < winners;
        // One that ran, and on which all bets are off: others hung on it.
        let off = if self.rng.permille(60) {
            order.pop().filter(|_| winners < order.len())
        } else {
            None
        };
        let all_void = all_void || order.len() < winners;
        let heat = self.rng.permille(300) && winners < order.len();
        let entries: Vec<ResultEntry> = (0..selections)
            .map(|at| {
                let selection = SelectionIndex(at as u16);
                let place = order.iter().position(|other| *other == at);
                match place {
                    _ if all_void || off == Some(at) => {
                        ResultEntry::new(selection, SelectionOutcome::Void)
                    }
                    None => ResultEntry::new(selection, SelectionOutcome::Void),
                    // The last winner and the next share a place.
                    Some(place) if heat && (winners - 1..=winners).contains(&place) => {
                        half(selection, &mut self.rng, winners)
                    }
                    Some(place) if place < winners => {
                        ResultEntry::new(selection, SelectionOutcome::Win)
                    }
                    Some(_) => ResultEntry::new(selection, SelectionOutcome::Lose),
                }
            })
            .collect();
        let source = self.said_at();
        let body = MarketResult { valid_until, market, source, ..MarketResult::default() };
        sent(build::result(header, body, &entries))
    }
}

impl Crowd {
    /// The result of a line market: a number between two lines, or on one; now and then nothing counts.
    fn number(
        &mut self,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
        lines: usize,
    ) -> Vec<u8> {
        let first = self.rng.below(lines as u64 + 1) as usize;
        let (push, void) = (self.rng.permille(300), self.rng.permille(80));
        let became = |at: usize| match at.cmp(&first) {
            _ if void => SelectionOutcome::Void,
            std::cmp::Ordering::Less => SelectionOutcome::Lose,
            std::cmp::Ordering::Equal if push => SelectionOutcome::Void,
            _ => SelectionOutcome::Win,
        };
        let entry = |at: usize| ResultEntry::new(SelectionIndex(at as u16), became(at));
        let entries: Vec<ResultEntry> = (0..lines).map(entry).collect();
        let source = self.said_at();
        let body = MarketResult { valid_until, market, source, ..MarketResult::default() };
        sent(build::result(header, body, &entries))
    }
}

/// Half of a win, as a share or as a place that two have.
fn half(selection: SelectionIndex, rng: &mut Rng, winners: usize) -> ResultEntry {
    if rng.permille(500) {
        return ResultEntry::position(selection, winners as u16, 2);
    }
    let win = Share::new(1, 2).unwrap_or(Share::NONE);
    ResultEntry::shares(selection, LegNumbers { win, ..LegNumbers::LOST })
}
