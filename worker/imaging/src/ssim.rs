//! Structural similarity (SSIM) of two images.
//!
//! For each channel and each position of an 11 x 11 Gaussian window, with means, variances and covariance of the window,
//! `(2 mean_a mean_b + c1) (2 covariance + c2) / ((mean_a^2 + mean_b^2 + c1) (variance_a + variance_b + c2))`;
//! then the mean over positions and channels.
//!
//! **Source:** Wang et al. 2004, eq. 13, with the article's constants.
//! **Differs:** on RGB, channel by channel, as scikit-image's `structural_similarity` does with `gaussian_weights=True,
//! sigma=1.5, use_sample_covariance=False, data_range=255`.

use ndarray::{ArrayView2, ArrayView3, Axis};
use rayon::prelude::*;

const SIGMA: f64 = 1.5;
const RADIUS: usize = 5;
const WINDOW: usize = 2 * RADIUS + 1;
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Images that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SsimError {
    /// They are of different sizes.
    #[error("images of {first:?} and {second:?} cannot be compared: their sizes differ")]
    Sizes {
        /// `(height, width, channels)` of the first.
        first: (usize, usize, usize),
        /// The same of the second.
        second: (usize, usize, usize),
    },
    /// They are smaller than the window.
    #[error("images of {0:?} cannot be compared: the window takes {WINDOW} x {WINDOW} pixels")]
    TooSmall((usize, usize, usize)),
}

/// Returns the structural similarity of two images `(height, width, channels)`: 1 for equal ones, less for others.
///
/// # Errors
///
/// [`SsimError`] if their sizes differ or are below the window's.
pub fn ssim(first: ArrayView3<'_, u8>, second: ArrayView3<'_, u8>) -> Result<f64, SsimError> {
    if first.dim() != second.dim() {
        return Err(SsimError::Sizes {
            first: first.dim(),
            second: second.dim(),
        });
    }
    let (height, width, channels) = first.dim();
    if height < WINDOW || width < WINDOW || channels == 0 {
        return Err(SsimError::TooSmall(first.dim()));
    }
    let of_channel = |channel| {
        let plane = Axis(2);
        channel_ssim(
            first.index_axis_move(plane, channel),
            second.index_axis_move(plane, channel),
        )
    };
    // In the order of the channels: the sum must not depend on which thread was faster.
    let similarities: Vec<f64> = (0..channels).into_par_iter().map(of_channel).collect();
    Ok(similarities.iter().sum::<f64>() / channels as f64)
}

/// Weighted sums over a window, for each position in a row: means of both, of the squares' sum and of the product.
type Moments = [Vec<f64>; 4];

fn channel_ssim(first: ArrayView2<'_, u8>, second: ArrayView2<'_, u8>) -> f64 {
    let window = window();
    let (height, width) = first.dim();
    let rows: Vec<Moments> = (0..height)
        .map(|row| across(&window, &row_of(first, row), &row_of(second, row)))
        .collect();
    let (columns, positions) = (width - 2 * RADIUS, height - 2 * RADIUS);
    let sum: f64 = rows
        .windows(WINDOW)
        .map(|rows| {
            let [mean_a, mean_b, squares, product] = down(&window, rows, columns);
            (0..columns)
                .map(|x| similarity(mean_a[x], mean_b[x], squares[x], product[x]))
                .sum::<f64>()
        })
        .sum();
    sum / (columns * positions) as f64
}

fn similarity(mean_a: f64, mean_b: f64, squares: f64, product: f64) -> f64 {
    let means = mean_a * mean_b;
    let mean_squares = mean_a * mean_a + mean_b * mean_b;
    let (covariance, variances) = (product - means, squares - mean_squares);
    (2.0 * means + C1) * (2.0 * covariance + C2) / ((mean_squares + C1) * (variances + C2))
}

fn row_of(plane: ArrayView2<'_, u8>, row: usize) -> Vec<f64> {
    plane
        .row(row)
        .iter()
        .map(|&value| f64::from(value))
        .collect()
}

/// The window along a row.
fn across(window: &[f64; WINDOW], a: &[f64], b: &[f64]) -> Moments {
    let sum = |value: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        let values: Vec<f64> = a.iter().zip(b).map(|(&a, &b)| value(a, b)).collect();
        let mut sums = vec![0.0; values.len() - 2 * RADIUS];
        for (offset, weight) in window.iter().enumerate() {
            for (sum, value) in sums.iter_mut().zip(&values[offset..]) {
                *sum += weight * value;
            }
        }
        sums
    };
    [
        sum(&|a, _| a),
        sum(&|_, b| b),
        sum(&|a, b| a * a + b * b),
        sum(&|a, b| a * b),
    ]
}

/// The window along the columns of as many rows.
fn down(window: &[f64; WINDOW], rows: &[Moments], columns: usize) -> Moments {
    let mut sums: Moments = std::array::from_fn(|_| vec![0.0; columns]);
    for (weight, row) in window.iter().zip(rows) {
        for (sums, values) in sums.iter_mut().zip(row) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += weight * value;
            }
        }
    }
    sums
}

fn window() -> [f64; WINDOW] {
    let weight = |i: usize| {
        let distance = i as f64 - RADIUS as f64;
        (-0.5 * (distance / SIGMA).powi(2)).exp()
    };
    let weights: [f64; WINDOW] = std::array::from_fn(weight);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use ndarray::{Array0, Array3};
    use ndarray_npy::NpzReader;

    use super::*;

    // structural_similarity(first, second, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    //                       data_range=255, channel_axis=2)
    #[test]
    fn similarities_are_those_of_scikit_image() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/fixtures/quality/ssim.npz"
        );
        let mut npz = NpzReader::new(File::open(path).unwrap()).unwrap();
        for pair in ["textured", "identical", "uncorrelated"] {
            let mut image =
                |which: &str| -> Array3<u8> { npz.by_name(&format!("{pair}_{which}")).unwrap() };
            let (first, second) = (image("first"), image("second"));
            let expected: Array0<f64> = npz.by_name(&format!("{pair}_ssim")).unwrap();
            let found = ssim(first.view(), second.view()).unwrap();
            assert!(
                (found - expected.into_scalar()).abs() < 1e-9,
                "{pair}: {found}"
            );
        }
    }

    #[test]
    fn equal_images_are_wholly_similar_and_order_does_not_matter() {
        let texture = |seed: usize| {
            Array3::from_shape_fn((20, 30, 3), |(y, x, c)| {
                ((y * 31 + x * 17 + c * 7 + seed * y * x) % 251) as u8
            })
        };
        let (a, b) = (texture(0), texture(3));
        assert_eq!(ssim(a.view(), a.view()), Ok(1.0));
        assert_eq!(ssim(a.view(), b.view()), ssim(b.view(), a.view()));
        assert!(ssim(a.view(), b.view()).unwrap() < 0.5);
    }

    #[test]
    fn images_that_cannot_be_compared_are_refused() {
        let image = |height, width| Array3::<u8>::zeros((height, width, 3));
        let other = ssim(image(20, 20).view(), image(20, 21).view()).unwrap_err();
        assert!(other.to_string().contains("sizes differ"), "{other}");
        let small = ssim(image(10, 20).view(), image(10, 20).view()).unwrap_err();
        assert!(small.to_string().contains("11 x 11"), "{small}");
    }
}
