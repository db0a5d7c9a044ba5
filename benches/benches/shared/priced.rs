//! A football match with all its prices, checked once against the known one.

use betring_pricing::derive::football::{Fair, Margins, Outcome, Prices, Score, Winner};
use betring_pricing::model::football::{GoalModel, ScoreGrid};
use betring_pricing::{Ladder, Price};

pub(super) struct Priced {
    pub(super) model: GoalModel,
    pub(super) grid: ScoreGrid,
    margins: Margins,
    fair: Fair,
    prices: Prices,
}

impl Priced {
    pub(super) fn new() -> Priced {
        let model = GoalModel::dixon_coles(1.8, 0.9, -0.13).expect("a model");
        let margins = Margins::uniform(0.05).expect("a margin");
        let grid = ScoreGrid::new(&model);
        let fair = Fair::of(&grid, Score::NIL_NIL);
        let prices = Prices::of(&fair, &margins);
        let home = fair.probability(Outcome::Result(Winner::Home)).expect("priced");
        assert_eq!(format!("{home:.4}"), "0.5719", "with the right factors of low scores");
        Priced { model, grid, margins, fair, prices }
    }

    /// All prices once more, from a model; the first of them.
    pub(super) fn new_means(
        &mut self,
        model: &GoalModel,
        ladder: Option<&Ladder>,
    ) -> Option<Price> {
        self.grid.remake(model);
        self.fair.reprice(&self.grid, Score::NIL_NIL);
        self.prices.requote(&self.fair, &self.margins, ladder);
        self.prices.at(0)
    }

    /// All prices once more, from another score; the first of them.
    pub(super) fn scored(&mut self, score: Score) -> Option<Price> {
        self.fair.reprice(&self.grid, score);
        self.prices.requote(&self.fair, &self.margins, None);
        self.prices.at(0)
    }
}
