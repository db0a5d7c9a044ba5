//! The price of a selection gets shorter with what the house could lose if it wins, band by band, and
//! enough of that suspends it.
//!
//! A band is a share of the market's limit. The price steps down as soon as the loss fills another band,
//! and back up only when it has left that band by half of one: a bet to and fro moves no price.

use crate::command::{Level, LiabilityAct, Owner};
use crate::event::{Events, LevelReleased, LevelSuspended, PriceStepped};
use crate::id::{PriceVersion, SelectionIndex};
use crate::market::MarketStep;
use crate::rules::Rules;
use crate::state::State;
use crate::wire::WirePrice;
use betring_pricing::{Ladder, Snap, Tick};

static LADDER: Ladder = Ladder::CLASSIC;

/// A price so many ticks shorter: on the ladder from the first tick on, and never below its first price.
/// What is below that already stays as it is.
pub(crate) fn shortened(quoted: WirePrice, ticks: u16) -> WirePrice {
    if ticks == 0 {
        return quoted;
    }
    let on_ladder = quoted.price().and_then(|price| LADDER.snap(price, Snap::Down));
    let Some(tick) = on_ladder.and_then(|price| LADDER.tick(price)) else { return quoted };
    let shorter = LADDER.price(Tick::new(tick.index().saturating_sub(u32::from(ticks))));
    shorter.map_or(quoted, WirePrice::decimal)
}

impl<R: Rules> State<R> {
    /// A bet counts, or counts no more: the selections of its legs are looked at. A probe's never counts.
    pub(crate) fn act_on_bet(&mut self, bet: u32, events: &mut Events) {
        let bet = &self.bets[bet as usize];
        if bet.synthetic {
            return;
        }
        let mut at = bet.first;
        while at != crate::bet::NONE {
            let leg = self.legs[at as usize];
            at = leg.sibling;
            if !leg.present {
                continue;
            }
            let market = &self.markets[leg.market as usize];
            // Where a result is in nothing is bet on any more: the prices there are history.
            if market.status.after(MarketStep::Close).is_some() {
                let next = PriceVersion(market.version.0 + 1);
                if self.act_on_liability(leg.market, leg.selection, next, events) {
                    self.look_at_autos(leg.market);
                }
            }
        }
    }

    /// Brings the prices of a selection, and its suspension by the engine, to what it could cost now.
    /// Whether a price changed.
    pub(crate) fn act_on_liability(
        &mut self,
        index: u32,
        selection: SelectionIndex,
        next: PriceVersion,
        events: &mut Events,
    ) -> bool {
        // Most markets are in no tier that acts: nothing is copied for them, since this is asked at every price.
        let market = &self.markets[index as usize];
        let tier = self.tier_of(market);
        let place = market.first as usize + usize::from(selection.0);
        let before = self.selections[place].bands;
        if tier.act == LiabilityAct::No && before == 0 {
            return false;
        }
        let (market, tier) = (*market, *tier);
        let bands = self.bands_after(index, selection, tier.band, before);
        let (steps, suspended) = match tier.act {
            LiabilityAct::No => (0, false),
            LiabilityAct::Step => (bands.min(tier.steps), tier.steps < bands),
            LiabilityAct::Suspend => (0, bands != 0),
        };
        let (seq, id) = (self.seq, self.market_id(index));
        let feeds = [0, 1].map(|slot| self.feed_in(&market, slot));
        let kept = &mut self.selections[place];
        kept.bands = bands;
        kept.steps = steps;
        kept.ticks = u16::from(steps) * u16::from(tier.ticks);
        let mut changed = false;
        for (quote, feed) in kept.quotes.iter_mut().zip(feeds) {
            let price = shortened(quote.sent.price, kept.ticks);
            if price == quote.price {
                continue;
            }
            (quote.price, quote.version, changed) = (price, next, true);
            events.push(&PriceStepped {
                market: id,
                price,
                version: next,
                selection,
                feed,
                steps,
                zero: [0; 3],
            });
        }
        let held = kept.suspension.owners & 1 << Owner::Engine as u8 != 0;
        if suspended && !held {
            kept.suspension.suspend(Owner::Engine, seq);
            events.push(&LevelSuspended {
                id: id.raw(),
                level: Level::Selection as u8,
                owner: Owner::Engine as u8,
                owners: kept.suspension.owners,
                zero: 0,
                selection,
                zero2: [0; 2],
            });
        } else if !suspended && held {
            kept.suspension.release(Owner::Engine);
            events.push(&LevelReleased {
                id: id.raw(),
                level: Level::Selection as u8,
                owner: Owner::Engine as u8,
                owners: kept.suspension.owners,
                zero: 0,
                selection,
                zero2: [0; 2],
            });
        }
        if changed {
            self.markets[index as usize].version = next;
        }
        changed
    }

    /// How many bands of a selection's liability are filled, in the currency where they are most.
    fn bands_after(&self, index: u32, selection: SelectionIndex, band: u8, before: u8) -> u8 {
        let market = &self.markets[index as usize];
        let at = usize::from(selection.0);
        if self.selections[market.first as usize + at].withdrawn {
            return 0;
        }
        let (mut up, mut down) = (0, 0);
        for book in 0..self.ledger.books.len() as u8 {
            let limit = self.limits(book, index).max_liability.0;
            let edge = i128::from(limit) * i128::from(band) / 100;
            if edge == 0 {
                continue;
            }
            let view = self.market_bets(book, index);
            let returns = self.risk.returns(book, market.first, market.selections)[at];
            let loss = returns + self.risk.reach(view, at) - self.risk.staked(book, index);
            up = up.max(loss / edge);
            down = down.max((loss + edge / 2) / edge);
        }
        // `up` is never more than `down`, so at most one of them moves it.
        let bands = i128::from(before).max(up).min(down.max(up));
        u8::try_from(bands).unwrap_or(u8::MAX)
    }
}
