//! How far the numbers of two computations are apart, and how far they may be.

use ndarray::{Array2, s};

use super::TrialFailure;
use method::attention::Heads;
use shared::model::Precision;

/// Returns the most that rounding explains, as a share of the size of a head's numbers.
///
/// In float32 the order of sums makes less than 1e-6, and products whose factors have TF32's 10 bits 2e-4 and more. In float16
/// scores, weights and results are rounded to 10 bits, which makes up to 1.5e-3. A position that is wrongly weak makes 1e-2
/// and more.
pub(super) fn most(precision: Precision) -> f64 {
    match precision {
        Precision::Fp32 => 5e-5,
        Precision::Fp16 => 5e-3,
    }
}

/// Returns how far numbers `(tokens, heads * width)` of a part of the model are off those expected, and what is wrong with
/// that.
pub(super) fn judge(
    part: String,
    heads: Heads,
    (expected, found): (&Array2<f32>, &Array2<f32>),
    most: f64,
) -> (f64, Option<TrialFailure>) {
    if !found.iter().all(|number| number.is_finite()) {
        return (f64::INFINITY, Some(TrialFailure::NotFinite { part }));
    }
    let of_heads = (0..heads.num).map(|head| (head, of_head(head, heads.width, expected, found)));
    let worst = of_heads.max_by(|(_, one), (_, other)| one.total_cmp(other));
    let (head, found) = worst.unwrap_or_default();
    let failure = (found > most).then_some(TrialFailure::Apart {
        part,
        head,
        found,
        most,
    });
    (found, failure)
}

/// Returns the root of the squares of what a head is off, divided by that of its numbers.
fn of_head(head: usize, width: usize, expected: &Array2<f32>, found: &Array2<f32>) -> f64 {
    let columns = s![.., head * width..(head + 1) * width];
    let (expected, found) = (expected.slice(columns), found.slice(columns));
    let squares = |sum: f64, number: f64| sum + number * number;
    let size = expected.iter().map(|&number| f64::from(number));
    let size = size.fold(0.0, squares);
    let off = expected.iter().zip(found.iter());
    let off = off.map(|(&expected, &found)| f64::from(expected) - f64::from(found));
    let off = off.fold(0.0, squares);
    (off / size.max(f64::MIN_POSITIVE)).sqrt()
}

/// Returns whether arrays have the same bits.
pub(super) fn are_same(one: &Array2<f32>, other: &Array2<f32>) -> bool {
    let mut pairs = one.iter().zip(other.iter());
    one.dim() == other.dim() && pairs.all(|(one, other)| one.to_bits() == other.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: Heads = Heads::of(2, 3);

    fn numbers() -> Array2<f32> {
        Array2::from_shape_fn((4, 6), |(row, column)| (row * 6 + column) as f32 - 11.5)
    }

    fn judged(found: &Array2<f32>) -> (f64, Option<TrialFailure>) {
        judge("a part".to_owned(), HEADS, (&numbers(), found), 1e-3)
    }

    #[test]
    fn the_head_that_is_off_is_named_with_how_far() {
        assert_eq!(judged(&numbers()), (0.0, None));
        let mut off = numbers();
        off.slice_mut(s![.., 3..])
            .mapv_inplace(|number| number * 1.01);
        let (found, failure) = judged(&off);
        assert!((found - 0.01).abs() < 1e-6, "{found}");
        let told = "a part is 1.0e-2 of its size off what the CPU computes, in head 1, and rounding explains 1e-3 at most";
        assert_eq!(failure.unwrap().to_string(), told);
    }

    #[test]
    fn what_is_not_finite_is_never_within_the_bounds() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut found = numbers();
            found[(2, 1)] = bad;
            let (_, failure) = judged(&found);
            let part = "a part".to_owned();
            assert_eq!(failure, Some(TrialFailure::NotFinite { part }));
        }
    }

    #[test]
    fn one_bit_makes_arrays_differ_and_so_does_the_sign_of_zero() {
        let zeros = Array2::<f32>::zeros((2, 2));
        assert!(are_same(&zeros, &zeros.clone()));
        for other in [-0.0, f32::from_bits(1)] {
            let mut flickering = zeros.clone();
            flickering[(1, 0)] = other;
            assert!(!are_same(&zeros, &flickering), "{other:e}");
        }
    }
}
