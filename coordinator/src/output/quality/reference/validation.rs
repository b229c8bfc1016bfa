//! Refuses numbers that no features give.

use faer::{Mat, Side};
use ndarray::{Array2, ArrayD, Dimension};

use super::FeatureStatistics;
use super::error::ReferenceError;

/// How far apart two mirrored entries of a covariance may be, as a part of its largest: sums in single precision, added up
/// in another order.
const ASYMMETRY: f64 = 1e-5;
/// How far below zero a covariance may be in some direction, as a part of its largest variance: that of thousands of
/// features, rounded to single precision.
const NEGATIVITY: f64 = 1e-4;
/// How far a mean may be from that of all features that it is of, as a part of their size: rounding.
const ROUNDING: f64 = 1e-4;
/// How far a mean may be from that of a sample, as a multiple of what chance gives: its root is what is compared.
const CHANCE: f64 = 100.0;
/// How far a variance may be from that of all features, and from that of a sample of enough of them, as a factor.
const VARIANCE: f64 = 1.001;
const VARIANCE_OF_SAMPLE: f64 = 10.0;
/// So many features are enough for that.
const ENOUGH: usize = 100;
/// The largest size of a number: squares of it, added up over thousands of features, are far from the largest of all.
const MAX_SIZE: f64 = 1e15;
/// The most images: those that 64-bit floats count exactly.
const MAX_ITEMS: i64 = 1 << 53;

/// Refuses NaN, infinity and numbers with which sums would overflow.
pub(super) fn check_numbers(
    array: &'static str,
    found: &ArrayD<f64>,
) -> Result<(), ReferenceError> {
    let num_bad = found.iter().filter(|value| !value.is_finite()).count();
    if num_bad > 0 {
        return Err(ReferenceError::NotFinite {
            array,
            num_values: found.len(),
            shape: found.shape().to_vec(),
            num_bad,
        });
    }
    let mut values = found.indexed_iter();
    match values.find(|(_, value)| value.abs() > MAX_SIZE) {
        None => Ok(()),
        Some((position, &value)) => {
            let position = position.as_array_view();
            let position: Vec<String> = position.iter().map(ToString::to_string).collect();
            Err(ReferenceError::TooLarge {
                array,
                position: position.join(", "),
                value,
                most: MAX_SIZE,
            })
        }
    }
}

/// Returns a number of images with which there is a covariance.
pub(super) fn checked_items(count: i64) -> Result<usize, ReferenceError> {
    if count > MAX_ITEMS {
        return Err(ReferenceError::TooMany {
            found: count,
            most: MAX_ITEMS,
        });
    }
    let items = usize::try_from(count).ok().filter(|&items| items >= 2);
    items.ok_or(ReferenceError::TooFew(count))
}

/// Refuses what no features give: a matrix that is not symmetric, or not positive semi-definite.
pub(super) fn check_covariance(sigma: &Array2<f64>) -> Result<(), ReferenceError> {
    let size = sigma.nrows();
    let shape = [size, size];
    let largest = sigma
        .diag()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let largest_entry = sigma.fold(0.0_f64, |most, value| most.max(value.abs()));
    let most_apart = ASYMMETRY * largest_entry;
    for row in 0..size {
        for column in 0..row {
            let (value, mirrored) = (sigma[(row, column)], sigma[(column, row)]);
            if (value - mirrored).abs() > most_apart {
                return Err(ReferenceError::Asymmetric {
                    shape,
                    row,
                    column,
                    value,
                    mirrored,
                });
            }
        }
    }
    if largest_entry == 0.0 {
        // All images are one image.
        return Ok(());
    }
    let tolerance = NEGATIVITY * largest;
    let negative = ReferenceError::Negative { shape, tolerance };
    if largest == 0.0 {
        return Err(negative);
    }
    // A matrix is positive definite if it has a Cholesky decomposition. Divided by the largest variance it is of the order
    // of one, and with the tolerance on its diagonal it may have variances below zero by as much.
    let shifted = Mat::from_fn(size, size, |i, j| {
        let shift = if i == j { NEGATIVITY } else { 0.0 };
        sigma[(i, j)] / largest + shift
    });
    match shifted.llt(Side::Lower) {
        Ok(_) => Ok(()),
        Err(_) => Err(negative),
    }
}

/// Refuses a mean and a covariance that are not those of the features beside them: of all of them if they are as many as
/// the images, else of a sample.
pub(super) fn check_sample(
    statistics: &FeatureStatistics,
    num_images: Option<usize>,
    sample: &Mat<f64>,
) -> Result<(), ReferenceError> {
    let items = sample.ncols();
    if items < 2 {
        return Ok(());
    }
    let is_whole = num_images == Some(items);
    let count = items as f64;
    let variance: f64 = (0..sample.nrows())
        .map(|i| statistics.covariance[(i, i)])
        .sum();
    let (mut size, mut apart, mut squares) = (variance, 0.0, 0.0);
    for (row, mean) in statistics.mean.iter().enumerate() {
        let values = || (0..items).map(move |item| sample[(row, item)]);
        let own = values().sum::<f64>() / count;
        size += mean * mean;
        apart += (own - mean) * (own - mean);
        squares += values()
            .map(|value| (value - own) * (value - own))
            .sum::<f64>();
    }
    let by_chance = if is_whole {
        0.0
    } else {
        CHANCE * variance / count
    };
    let most = (by_chance + ROUNDING * ROUNDING * size).sqrt();
    if apart.sqrt() > most {
        return Err(ReferenceError::OfOtherFeatures {
            array: "mu",
            items,
            what: "how far it is from their mean",
            found: apart.sqrt(),
            expected: format!("at most {most:.3e}"),
        });
    }
    let factor = match (is_whole, items >= ENOUGH) {
        (true, _) => VARIANCE,
        (false, true) => VARIANCE_OF_SAMPLE,
        (false, false) => return Ok(()),
    };
    let own = squares / (count - 1.0);
    let rounding = ROUNDING * ROUNDING * size;
    let is_near =
        |own: f64| variance <= own * factor + rounding && own <= variance * factor + rounding;
    // Divided by the number of images less one, as here, or by their number, as `np.cov(.., ddof=0)` does.
    let is_theirs = is_near(own) || is_whole && is_near(squares / count);
    if !is_theirs {
        return Err(ReferenceError::OfOtherFeatures {
            array: "sigma",
            items,
            what: "the sum of its variances",
            found: variance,
            expected: format!("{own:.3e} or near it"),
        });
    }
    Ok(())
}
