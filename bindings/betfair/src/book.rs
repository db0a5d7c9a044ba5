//! One market as its changes add up: prices, volumes, and the definition in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decimal::Decimal;
use crate::error::Reason;
use crate::message::{
    DepthPriceSize, MarketChange, MarketDefinition, PriceSize, RunnerChange, SelectionKey,
};

/// Selections that a market may have; the largest outright markets have about 300.
pub const RUNNERS_MAX: usize = 1_000;

/// Prices at which one list of a selection may hold something: CLASSIC has 350.
pub const LEVELS_MAX: usize = 4_096;

/// Everything known of one market.
#[derive(Clone, Debug, Default)]
pub struct Book {
    // Shared, so that who follows the book can hold it while the book is read.
    definition: Option<Arc<MarketDefinition>>,
    runners: BTreeMap<SelectionKey, RunnerBook>,
}

/// Prices and volumes of one selection.
#[derive(Clone, Debug, Default)]
pub struct RunnerBook {
    to_back: Sizes,
    to_lay: Sizes,
    traded: Sizes,
    sp_back: Sizes,
    sp_lay: Sizes,
    best_to_back: Depths,
    best_to_lay: Depths,
    shown_to_back: Depths,
    shown_to_lay: Depths,
    last_traded_price: Option<Decimal>,
    traded_volume: Option<Decimal>,
    near_price: Option<Decimal>,
    far_price: Option<Decimal>,
}

/// Sizes by price. A list that was never mentioned says nothing, other than one that became empty.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    mentioned: bool,
    sizes: BTreeMap<Decimal, Decimal>,
}

/// Prices and sizes by their depth behind the best.
#[derive(Clone, Debug, Default)]
struct Depths {
    mentioned: bool,
    levels: BTreeMap<u8, PriceSize>,
}

impl Book {
    /// Takes in one change of this market, all of it or nothing.
    ///
    /// # Errors
    /// [`Reason::TooMany`], when there would be more selections or prices than are held.
    pub fn apply(&mut self, change: &MarketChange) -> Result<(), Reason> {
        self.check_room(change)?;

        // From here on nothing can fail.
        if change.image {
            // An image is everything there is, so what it does not name is gone.
            self.runners.clear();
        }
        for runner in &change.runners {
            self.runners.entry(runner.key()).or_default().apply(runner);
        }
        if let Some(definition) = &change.definition {
            self.definition = Some(Arc::new(definition.clone()));
        }
        Ok(())
    }

    /// Whether `change` fits. Counted as if every runner and price of it were new and none went, so
    /// a change is refused a little early, never late.
    fn check_room(&self, change: &MarketChange) -> Result<(), Reason> {
        let unseen = |it: &&RunnerChange| !self.runners.contains_key(&it.key());
        let unseen = change.runners.iter().filter(unseen).count();
        let defined = change.definition.as_ref().map_or(0, |it| it.runners.len());
        let runners = self.runners.len() + unseen;
        if RUNNERS_MAX < runners.max(defined) {
            return Err(Reason::TooMany { what: "selections in a market", bound: RUNNERS_MAX });
        }
        for runner in &change.runners {
            let held = self.runners.get(&runner.key());
            let held =
                |list: fn(&RunnerBook) -> &Sizes| held.map_or(0, |runner| list(runner).sizes.len());
            let lists = [
                held(|it| &it.to_back) + runner.atb.len(),
                held(|it| &it.to_lay) + runner.atl.len(),
                held(|it| &it.traded) + runner.trd.len(),
                held(|it| &it.sp_back) + runner.spb.len(),
                held(|it| &it.sp_lay) + runner.spl.len(),
            ];
            if lists.iter().any(|levels| LEVELS_MAX < *levels) {
                return Err(Reason::TooMany { what: "prices of a selection", bound: LEVELS_MAX });
            }
        }
        Ok(())
    }

    /// The definition in force, when there was one.
    pub fn definition(&self) -> Option<&MarketDefinition> {
        self.definition.as_deref()
    }

    pub(crate) fn shared_definition(&self) -> Option<Arc<MarketDefinition>> {
        self.definition.clone()
    }

    /// The selections of which prices or volumes are known, in the order of their keys.
    pub fn runners(&self) -> impl Iterator<Item = (SelectionKey, &RunnerBook)> {
        self.runners.iter().map(|(key, runner)| (*key, runner))
    }

    /// Prices and volumes of one selection, when any are known.
    pub fn runner(&self, selection: SelectionKey) -> Option<&RunnerBook> {
        self.runners.get(&selection)
    }

    /// The best price at which a customer can back the selection, and the size there.
    pub fn best_back(&self, selection: SelectionKey) -> Option<PriceSize> {
        self.runners.get(&selection)?.best_back()
    }

    /// The best price at which a customer can lay the selection, and the size there.
    pub fn best_lay(&self, selection: SelectionKey) -> Option<PriceSize> {
        self.runners.get(&selection)?.best_lay()
    }
}

impl RunnerBook {
    fn apply(&mut self, change: &RunnerChange) {
        self.to_back.apply(&change.atb);
        self.to_lay.apply(&change.atl);
        self.traded.apply(&change.trd);
        self.sp_back.apply(&change.spb);
        self.sp_lay.apply(&change.spl);
        self.best_to_back.apply(&change.batb);
        self.best_to_lay.apply(&change.batl);
        self.shown_to_back.apply(&change.bdatb);
        self.shown_to_lay.apply(&change.bdatl);
        self.last_traded_price = change.ltp.or(self.last_traded_price);
        self.traded_volume = change.tv.or(self.traded_volume);
        self.near_price = change.spn.or(self.near_price);
        self.far_price = change.spf.or(self.far_price);
    }

    /// The highest price available to back: of the full depth where the recording has it, else of
    /// its best levels, else of the displayed ones, which count bets that do not exist as such.
    pub fn best_back(&self) -> Option<PriceSize> {
        if self.to_back.mentioned {
            self.to_back.highest()
        } else if self.best_to_back.mentioned {
            self.best_to_back.first()
        } else {
            self.shown_to_back.first()
        }
    }

    /// The lowest price available to lay, of the same lists as [`RunnerBook::best_back`].
    pub fn best_lay(&self) -> Option<PriceSize> {
        if self.to_lay.mentioned {
            self.to_lay.lowest()
        } else if self.best_to_lay.mentioned {
            self.best_to_lay.first()
        } else {
            self.shown_to_lay.first()
        }
    }

    /// The best displayed price to back, which counts what the exchange would match between selections.
    pub fn shown_back(&self) -> Option<PriceSize> {
        self.shown_to_back.first()
    }

    /// The best displayed price to lay, which counts what the exchange would match between selections.
    pub fn shown_lay(&self) -> Option<PriceSize> {
        self.shown_to_lay.first()
    }

    /// Whether, in full depth, the best price to back reaches the best to lay: two customers could
    /// have been matched and were not.
    pub fn is_crossed(&self) -> bool {
        match (self.to_back.highest(), self.to_lay.lowest()) {
            (Some(back), Some(lay)) => lay.price <= back.price,
            (Some(_), None) | (None, Some(_)) | (None, None) => false,
        }
    }

    /// Available to back, in full depth.
    pub fn available_to_back(&self) -> &Sizes {
        &self.to_back
    }

    /// Available to lay, in full depth.
    pub fn available_to_lay(&self) -> &Sizes {
        &self.to_lay
    }

    /// What was traded at each price.
    pub fn traded(&self) -> &Sizes {
        &self.traded
    }

    /// Starting price bets to back, by limit.
    pub fn sp_back(&self) -> &Sizes {
        &self.sp_back
    }

    /// Starting price bets to lay, by limit.
    pub fn sp_lay(&self) -> &Sizes {
        &self.sp_lay
    }

    /// The last traded price.
    pub fn last_traded_price(&self) -> Option<Decimal> {
        self.last_traded_price
    }

    /// Everything matched, as the exchange gives it.
    pub fn traded_volume(&self) -> Option<Decimal> {
        self.traded_volume
    }

    /// The projected starting price, exchange bets taken into account.
    pub fn near_price(&self) -> Option<Decimal> {
        self.near_price
    }

    /// The projected starting price from starting price bets alone.
    pub fn far_price(&self) -> Option<Decimal> {
        self.far_price
    }
}

impl Sizes {
    fn apply(&mut self, levels: &[PriceSize]) {
        self.mentioned |= !levels.is_empty();
        for level in levels {
            // Taken out first, so that the key is the price as it was written last.
            self.sizes.remove(&level.price);
            if !level.size.is_zero() {
                self.sizes.insert(level.price, level.size);
            }
        }
    }

    /// Prices and sizes, lowest price first.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = PriceSize> {
        self.sizes.iter().map(|(price, size)| PriceSize { price: *price, size: *size })
    }

    /// The highest price with its size.
    pub fn highest(&self) -> Option<PriceSize> {
        self.levels().next_back()
    }

    /// The lowest price with its size.
    pub fn lowest(&self) -> Option<PriceSize> {
        self.levels().next()
    }

    /// The sum of all sizes, in the scale of the widest; `None` when there is none, or when the sum
    /// has more digits than are kept.
    pub fn total(&self) -> Option<Decimal> {
        let mut sizes = self.sizes.values();
        let first = *sizes.next()?;
        sizes.try_fold(first, |sum, size| sum.checked_add(*size))
    }
}

impl Depths {
    fn apply(&mut self, levels: &[DepthPriceSize]) {
        self.mentioned |= !levels.is_empty();
        for DepthPriceSize { depth, level } in levels {
            if level.size.is_zero() {
                self.levels.remove(depth);
            } else {
                self.levels.insert(*depth, *level);
            }
        }
    }

    fn first(&self) -> Option<PriceSize> {
        self.levels.get(&0).copied()
    }
}
