//! Why no price can be made.

use std::fmt;

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
    BooksumBelowOne,
    /// Probabilities that are to sum to the target do not.
    SumOffTarget,
    /// A target sum that is not above 0 and below the number of outcomes, or that no odds within
    /// the bounds reach.
    TargetOutOfReach,
    /// A parameter of a model is outside its range, which its documentation says.
    ParameterOutOfRange {
        /// Which one.
        name: &'static str,
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
            PricingError::BooksumBelowOne => "booksum_below_one",
            PricingError::SumOffTarget => "sum_off_target",
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
            PricingError::LengthsDiffer => {
                f.write_str("there must be as many of one input as of the other, and room for as many results")
            }
            PricingError::NotFinite { index } => {
                write!(f, "number {index} is not finite: leave out who does not run")
            }
            PricingError::OddsAtOrBelowOne { index } => {
                write!(f, "odds {index} are not above 1: nothing could be won")
            }
            PricingError::ProbabilityOutOfRange { index } => {
                write!(f, "probability {index} is not above 0 and below 1")
            }
            PricingError::NegativeProbability { index } => {
                write!(f, "outcome {index} would have no probability above 0: use another method")
            }
            PricingError::BooksumBelowOne => {
                f.write_str("the inverse odds sum to less than the target: there is no overround")
            }
            PricingError::SumOffTarget => {
                f.write_str("the probabilities do not sum to what they are to sum to")
            }
            PricingError::TargetOutOfReach => f.write_str(
                "no odds within their bounds sum to the target: widen the bounds or change the target",
            ),
            PricingError::ParameterOutOfRange { name } => {
                write!(f, "{name} is outside the range that its documentation gives")
            }
            PricingError::NotOfTheScore { index } => {
                write!(f, "leg {index} is not settled by the score at the end: leave it out")
            }
            PricingError::NoSolution => {
                f.write_str("no parameters of the model explain these prices")
            }
        }
    }
}

impl std::error::Error for PricingError {}
