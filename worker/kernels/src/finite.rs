//! Whether numbers are finite, without a branch for each.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Values between two questions whether to go on.
const PART: usize = 4096;
/// Values that a thread takes at a time.
pub(crate) const PART_OF_THREAD: usize = 1 << 16;

/// Returns whether all values are finite.
#[must_use]
pub fn are_finite(values: &[f32]) -> bool {
    values.chunks(PART).all(|part| {
        part.iter()
            .fold(true, |finite, value| finite & value.is_finite())
    })
}

/// Returns the largest magnitude of some values: zero if there are none, infinity if one is NaN or infinite.
///
/// Magnitudes are compared as bits, in which those of NaN and infinity come after all numbers'.
#[must_use]
fn largest_magnitude<'a>(values: impl IntoIterator<Item = &'a f32>) -> f32 {
    const MAGNITUDE: u32 = !(1 << 31);
    let largest = values.into_iter().fold(0, |largest: u32, value| {
        largest.max(value.to_bits() & MAGNITUDE)
    });
    let largest = f32::from_bits(largest);
    if largest.is_nan() {
        f32::INFINITY
    } else {
        largest
    }
}

/// Returns the [`largest_magnitude`] of an array, which threads look for together if its values lie one after another.
pub(crate) fn largest_magnitude_of(array: ArrayView2<'_, f32>) -> f32 {
    match array.to_slice() {
        Some(values) => values
            .par_chunks(PART_OF_THREAD)
            .map(largest_magnitude)
            .reduce(|| 0.0, f32::max),
        None => largest_magnitude(array),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;

    #[test]
    fn a_magnitude_tells_what_is_not_finite_whatever_its_sign_and_payload() {
        assert_eq!(largest_magnitude(&[1.0, -3.0, 2.0]), 3.0);
        assert_eq!(largest_magnitude(&[]), 0.0);
        for bad in [
            f32::NAN,
            -f32::NAN,
            f32::from_bits(0x7fc0_0001),
            f32::from_bits(0xff80_0001),
            f32::NEG_INFINITY,
        ] {
            assert_eq!(largest_magnitude(&[1.0, bad, 2.0]), f32::INFINITY);
        }
    }

    #[test]
    fn threads_find_the_magnitude_that_one_finds() {
        let mut array = Array2::from_shape_fn((300, 1000), |(row, column)| (row + column) as f32);
        assert_eq!(largest_magnitude_of(array.view()), 1298.0);
        assert_eq!(largest_magnitude_of(array.t()), 1298.0);
        array[(150, 3)] = f32::NAN;
        assert_eq!(largest_magnitude_of(array.view()), f32::INFINITY);
        assert_eq!(largest_magnitude_of(array.slice(s![..0, ..])), 0.0);
    }
}
