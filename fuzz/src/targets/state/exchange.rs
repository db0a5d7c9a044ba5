//! Exchange markets: terms, orders of all kinds, and what happens to a market with orders in it.

use super::{AMOUNTS, Night, account, market};
use crate::targets::tape::Tape;
use betring_core::command::*;
use betring_core::id::*;
use betring_core::wire::Minor;

/// Few prices, so that orders meet.
const LADDER: [BandEntry; 2] = [
    BandEntry { from_e4: 12_000, to_e4: 20_000, step_e4: 4_000 },
    BandEntry { from_e4: 20_000, to_e4: 50_000, step_e4: 10_000 },
];
/// Those prices, and some that are not on the ladder.
const LIMITS: [u32; 8] = [12_000, 16_000, 20_000, 30_000, 40_000, 50_000, 20_001, 0];
const FACTORS: [u16; 6] = [0, 249, 250, 400, 2_500, 10_000];

/// An order by place and generation: the first ones, and some that do not exist.
fn order(tape: &mut Tape<'_>, choice: u8) -> OrderId {
    match choice {
        crate::targets::tape::ANYTHING => OrderId::from_raw(tape.u64()),
        254 => OrderId::NONE,
        choice => OrderId::new(u32::from(choice % 32), 1 + u32::from(choice / 32 % 3)),
    }
}

impl Night {
    pub(super) fn exchange(&mut self, tape: &mut Tape<'_>, what: u8, p: [u8; 5]) {
        let until = self.until();
        macro_rules! body {
            ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
                $name { valid_until: until, $($field: $value,)* ..$name::default() }
            };
        }
        let version = |night: &Night, id: MarketId, choice: u8| match choice % 4 {
            0 | 1 => Seq(0),
            2 => night.desk.state.market_version(id).unwrap_or(Seq(1)),
            _ => Seq(u64::from(choice)),
        };
        match what % 11 {
            0 => {
                let header = self.header(self.actor);
                let lines = p[2] / 8 % 4 == 3;
                let own = !lines && p[2] % 4 != 3;
                // Most of the other flags do not go with lines.
                let flags = match lines {
                    true => {
                        ((p[1] % 16) & (SetExchange::PASSIVE_DELAY | (p[2] / 32)))
                            | SetExchange::LINES
                    }
                    false => p[1] % 16,
                };
                let ladder = if own { LadderKind::Own } else { LadderKind::Classic };
                let body = body!(SetExchange {
                    currency: super::currency(p[1] / 16),
                    ladder: ladder as u8,
                    flags: flags,
                    market: market(tape, p[0]),
                    commission: u16::from(p[3]) * 40,
                    min_stake: Minor(1 + i64::from(p[4] % 4) * 50),
                    min_payout: Minor(i64::from(p[4] / 4 % 2) * 1_000),
                    min_liability: Minor(1 + i64::from(p[4] / 8 % 2) * 1_000),
                });
                let bands = if own { &LADDER[..1 + usize::from(p[2] / 4 % 2)] } else { &[] };
                self.built(build::set_exchange(header, body, bands));
            }
            1..=4 => {
                let whose = account(tape, p[0] % 8);
                let to = market(tape, p[0] / 8 % 4);
                let orders: Vec<OrderEntry> =
                    (0..1 + p[4] / 64).map(|n| entry(tape, what, p, n)).collect();
                let market_version = version(self, to, p[4] / 16);
                let header = self.header(whose);
                let body = body!(PlaceOrders { market: to, market_version: market_version });
                self.built(build::place_orders(header, body, &orders));
            }
            5 => {
                let (whose, to) = (account(tape, p[0] % 8), market(tape, p[0] / 8 % 4));
                let orders: Vec<CancelEntry> = (0..p[4] % 4)
                    .map(|n| CancelEntry {
                        order: order(tape, p[1].wrapping_add(n)),
                        by: Minor(i64::from(p[2]) * 5),
                    })
                    .collect();
                let header = self.header(whose);
                self.built(build::cancel_orders(
                    header,
                    body!(CancelOrders { market: to }),
                    &orders,
                ));
            }
            6 => {
                let (whose, to) = (account(tape, p[0] % 8), market(tape, p[0] / 8 % 4));
                let orders: Vec<ReplaceEntry> = (0..1 + p[4] % 3)
                    .map(|n| ReplaceEntry {
                        order: order(tape, p[1].wrapping_add(n)),
                        limit_e4: LIMITS[usize::from(p[2].wrapping_add(n) % 8)],
                        zero: 0,
                    })
                    .collect();
                let market_version = version(self, to, p[4] / 4);
                let header = self.header(whose);
                let body = body!(ReplaceOrders { market: to, market_version: market_version });
                self.built(build::replace_orders(header, body, &orders));
            }
            7 => {
                let (whose, to) = (account(tape, p[0] % 8), market(tape, p[0] / 8 % 4));
                let orders: Vec<UpdateEntry> = (0..1 + p[4] % 3)
                    .map(|n| UpdateEntry {
                        order: order(tape, p[1].wrapping_add(n)),
                        persistence: 1 + p[2].wrapping_add(n) % 3,
                        zero: [0; 7],
                    })
                    .collect();
                let header = self.header(whose);
                self.built(build::update_orders(
                    header,
                    body!(UpdateOrders { market: to }),
                    &orders,
                ));
            }
            8 => {
                let (scope, market) = (1 + p[1] % 2, market(tape, p[0]));
                self.control(&body!(LapseOrders { scope: scope, market: market }));
            }
            9 => {
                let body = body!(WithdrawSelection {
                    market: market(tape, p[0]),
                    selection: SelectionIndex(u16::from(p[1] % 4)),
                    withdrawn: 1,
                    factor: FACTORS[usize::from(p[2]) % FACTORS.len()],
                });
                self.control(&body);
            }
            _ => {
                let account = AccountId::from_raw(account(tape, p[0]));
                let discount = u16::from(p[1] % 5) * 2_500;
                self.control(&body!(SetDiscount { account: account, discount: discount }));
            }
        }
    }
}

/// One of several orders of a request: the others are on the other side, a selection and a price further.
fn entry(tape: &mut Tape<'_>, what: u8, p: [u8; 5], n: u8) -> OrderEntry {
    let kind = match p[2] / 2 % 8 {
        6 => OrderKind::LimitOnClose,
        7 => OrderKind::MarketOnClose,
        _ => OrderKind::Limit,
    };
    let limit = LIMITS[usize::from(p[1].wrapping_add(n)) % LIMITS.len()];
    let flags = if what % 11 == 4 { p[4] % 4 } else { 0 };
    let kills = flags & OrderEntry::FILL_OR_KILL != 0;
    OrderEntry {
        limit_e4: if kind == OrderKind::MarketOnClose { 0 } else { limit },
        selection: SelectionIndex(u16::from((p[1] / 8).wrapping_add(n) % 4)),
        side: 1 + p[2].wrapping_add(n) % 2,
        kind: kind as u8,
        persistence: if kills { 1 } else { 1 + p[2] / 16 % 3 },
        target: if what % 11 == 3 { 1 + p[4] % 3 } else { 1 },
        self_match: 1 + p[4] / 4 % 4,
        flags,
        size: Minor(tape.of(p[3], &AMOUNTS)),
        min_fill: Minor(if kills { i64::from(p[2] / 64) * 50 } else { 0 }),
        reference: u128::from(p[4]),
        ..OrderEntry::default()
    }
}
