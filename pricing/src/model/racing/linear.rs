//! Symmetric linear equations, for the steps of Newton and of least squares.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]
#![allow(clippy::needless_range_loop, reason = "factors are written with indices everywhere")]

use super::{PLACES_MAX, RUNNERS_MAX};

/// The most unknowns: a strength for each runner, and the discounts.
pub(super) const UNKNOWNS_MAX: usize = RUNNERS_MAX + PLACES_MAX;

/// The lower half of a symmetric matrix; what is above the diagonal is not read.
pub(super) type Matrix = [[f64; UNKNOWNS_MAX]; UNKNOWNS_MAX];

/// Solves `matrix * x = x` in place by Cholesky's factors; `false` if the matrix is not positive
/// definite to the last digits, both inputs being spoiled then.
pub(super) fn solve(matrix: &mut Matrix, x: &mut [f64]) -> bool {
    let n = x.len();
    for i in 0..n {
        for j in 0..=i {
            let mut rest = matrix[i][j];
            for k in 0..j {
                rest -= matrix[i][k] * matrix[j][k];
            }
            if j < i {
                matrix[i][j] = rest / matrix[j][j];
            } else if 1e-14 * matrix[i][i] < rest {
                matrix[i][i] = rest.sqrt();
            } else {
                return false;
            }
        }
    }
    for i in 0..n {
        for k in 0..i {
            x[i] -= matrix[i][k] * x[k];
        }
        x[i] /= matrix[i][i];
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            x[i] -= matrix[k][i] * x[k];
        }
        x[i] /= matrix[i][i];
    }
    true
}
