//! Why no price can be made.

use std::fmt;

use crate::decimal;

/// Why no price can be made: what is wrong with which of the inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PricingError {
    /// A book of fewer than two outcomes.
    TooFewOutcomes,
    /// More outcomes than there is room for: so many at most.
    TooManyOutcomes {
        /// The most there may be.
        most: usize,
    },
    /// Inputs that belong together differ in number, or there is not room for as many results.
    LengthsDiffer,
    /// An input is not a number, or infinite. Who does not run is left out, not infinite.
    NotFinite {
        /// Its place, from 0.
        index: usize,
    },
    /// Odds of 1 or less.
    OddsAtOrBelowOne {
        /// Its place, from 0.
        index: usize,
    },
    /// A probability that is not above 0 and below 1.
    ProbabilityOutOfRange {
        /// Its place, from 0.
        index: usize,
    },
    /// A method would give an outcome a negative probability, or none: use another.
    NegativeProbability {
        /// Its place, from 0.
        index: usize,
    },
    /// The inverses of the odds sum to less than the target: there is no overround to take off.
    BooksumBelowOne {
        /// What they sum to, in parts per billion, rounded down.
        booksum_ppb: u64,
        /// The target, how many outcomes win, in parts per billion, rounded up.
        winners_ppb: u64,
    },
    /// Probabilities that are to sum to the target do not.
    SumOffTarget,
    /// So many winners that there is no book: not above 0 (for Shin, not 1 or more), or as many as
    /// there are outcomes.
    WinnersOutOfRange {
        /// How many outcomes there are.
        outcomes: usize,
    },
    /// What inverse odds are to sum to is not from the number of winners to below that of outcomes.
    BooksumOutOfRange {
        /// How many win, in parts per billion.
        winners_ppb: u64,
        /// How many outcomes there are.
        outcomes: usize,
    },
    /// A booksum that could be, but that no odds of the method within the bounds reach.
    TargetOutOfReach,
    /// A parameter of a model is outside its range.
    ParameterOutOfRange {
        /// Which one.
        name: &'static str,
        /// What it may be, as it follows "must be": "0.001 to 0.999".
        allowed: &'static str,
    },
    /// A leg that the score at the end does not settle cannot be part of a multiple on it.
    NotOfTheScore {
        /// Its place among the legs, from 0.
        index: usize,
    },
    /// No parameters explain these prices: the search left its range or did not end.
    NoSolution,
}

impl PricingError {
    /// Its name in reports and logs.
    pub const fn name(self) -> &'static str {
        match self {
            PricingError::TooFewOutcomes => "too_few_outcomes",
            PricingError::TooManyOutcomes { .. } => "too_many_outcomes",
            PricingError::LengthsDiffer => "lengths_differ",
            PricingError::NotFinite { .. } => "not_finite",
            PricingError::OddsAtOrBelowOne { .. } => "odds_at_or_below_one",
            PricingError::ProbabilityOutOfRange { .. } => "probability_out_of_range",
            PricingError::NegativeProbability { .. } => "negative_probability",
            PricingError::BooksumBelowOne { .. } => "booksum_below_one",
            PricingError::SumOffTarget => "sum_off_target",
            PricingError::WinnersOutOfRange { .. } => "winners_out_of_range",
            PricingError::BooksumOutOfRange { .. } => "booksum_out_of_range",
            PricingError::TargetOutOfReach => "target_out_of_reach",
            PricingError::ParameterOutOfRange { .. } => "parameter_out_of_range",
            PricingError::NotOfTheScore { .. } => "not_of_the_score",
            PricingError::NoSolution => "no_solution",
        }
    }
}

impl fmt::Display for PricingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PricingError::TooFewOutcomes => f.write_str("a book has at least two outcomes"),
            PricingError::TooManyOutcomes { most } => {
                write!(f, "there may be at most {most} outcomes")
            }
            PricingError::LengthsDiffer => f.write_str(
                "there must be as many of one input as of the other, and room for as many results",
            ),
            PricingError::NotFinite { index } => {
                write!(
                    f,
                    "the number at place {index}, counted from 0, is not finite: leave out who does not run"
                )
            }
            PricingError::OddsAtOrBelowOne { index } => {
                write!(
                    f,
                    "the odds at place {index}, counted from 0, are 1 or less: nothing could be won"
                )
            }
            PricingError::ProbabilityOutOfRange { index } => {
                write!(
                    f,
                    "the probability at place {index}, counted from 0, is not above 0 and below 1"
                )
            }
            PricingError::NegativeProbability { index } => {
                write!(
                    f,
                    "the outcome at place {index}, counted from 0, would have no probability above 0: use another method"
                )
            }
            PricingError::BooksumBelowOne { booksum_ppb, winners_ppb } => {
                let (booksum, winners) = (Ppb(booksum_ppb), Ppb(winners_ppb));
                write!(
                    f,
                    "the inverse odds sum to {booksum}, less than the number of winners, {winners}: \
                     there is no overround"
                )
            }
            PricingError::SumOffTarget => {
                f.write_str("the probabilities do not sum to what they are to sum to")
            }
            PricingError::WinnersOutOfRange { outcomes } => write!(
                f,
                "the number of winners must be above 0 (for Shin, from 1) and below that of \
                 outcomes, {outcomes}"
            ),
            PricingError::BooksumOutOfRange { winners_ppb, outcomes } => write!(
                f,
                "the booksum must be from the number of winners, {}, to below that of outcomes, \
                 {outcomes}",
                Ppb(winners_ppb)
            ),
            PricingError::TargetOutOfReach => f.write_str(
                "no odds of the method within the bounds sum to the booksum: widen the bounds or \
                 change the booksum",
            ),
            PricingError::ParameterOutOfRange { name, allowed } => {
                write!(f, "{name} must be {allowed}")
            }
            PricingError::NotOfTheScore { index } => {
                write!(
                    f,
                    "the leg at place {index}, counted from 0, is not settled by the score at the end: leave it out"
                )
            }
            PricingError::NoSolution => {
                f.write_str("no parameters of the model explain these prices")
            }
        }
    }
}

impl std::error::Error for PricingError {}

/// Parts per billion as a decimal.
struct Ppb(u64);

impl fmt::Display for Ppb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, false, self.0, 9, 2)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Margin, Method, devig, kelly,
        model::{football::GoalModel, tennis},
    };

    #[test]
    fn an_error_says_what_is_allowed() {
        let mut room = [0.0; 4];
        let mut devigged = |odds: &[f64], winners| {
            devig(Method::Power, odds, winners, &mut room[..odds.len()]).unwrap_err().to_string()
        };
        assert_eq!(
            devigged(&[2.1, 2.2, 2.3, 4.0], 2.0),
            "the inverse odds sum to 1.615518539, less than the number of winners, 2.00: there is \
             no overround"
        );
        assert_eq!(
            devigged(&[2.0, 1.0], 1.0),
            "the odds at place 1, counted from 0, are 1 or less: nothing could be won"
        );
        assert_eq!(
            devigged(&[1.5, 1.6], 2.0),
            "the number of winners must be above 0 (for Shin, from 1) and below that of outcomes, 2"
        );
        let margin = Margin { winners: 3.0, ..Margin::new(Method::Power, 1.15) };
        assert_eq!(
            margin.frame(&[0.75; 4], &mut room).unwrap_err().to_string(),
            "the booksum must be from the number of winners, 3.00, to below that of outcomes, 4"
        );
        let narrow = Margin { longest: 1.2, booksum: 3.3, ..margin };
        assert_eq!(
            narrow.frame(&[0.99, 0.99, 0.99, 0.03], &mut room).unwrap_err().to_string(),
            "no odds of the method within the bounds sum to the booksum: widen the bounds or \
             change the booksum"
        );
        for (refused, sentence) in [
            (tennis::game(0.0).map(drop), "serve must be 0.001 to 0.999"),
            (GoalModel::poisson(7.0, 1.0).map(drop), "home mean must be 0 to 6"),
            (
                GoalModel::bivariate(4.0, 1.0, 3.0).map(drop),
                "home mean must be 0 to 6 with the shared one",
            ),
            (kelly::single(2.0, 0.6, 2.0).map(drop), "fraction must be above 0 and at most 1"),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), sentence);
        }
    }
}
