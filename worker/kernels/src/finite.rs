//! Whether numbers are finite, without a branch for each.

/// Values between two questions whether to go on.
const PART: usize = 4096;

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
pub fn largest_magnitude<'a>(values: impl IntoIterator<Item = &'a f32>) -> f32 {
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

#[cfg(test)]
mod tests {
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
}
