//! Products of numbers of half the width: bfloat16, the upper 16 bits of single precision.
//!
//! With [`Operands::Bf16`] a product rounds its two operands, to the nearest and of two to the even one, and is of single
//! precision from there on: every term is one fused multiply-add, in the order of the terms. A term of two rounded numbers
//! is exact. So a product makes the bytes that it makes with [`Operands::Single`] of numbers that were rounded before.
//!
//! Rounded numbers lie in one of two layouts. A CPU with AVX-512 BF16 multiplies pairs of them (`dot_products`), whose
//! instruction adds the first of a pair and then the second, each as a fused multiply-add does, but that it makes zero of
//! sums below 2^-126, which no other instruction does. Where a CPU has none, or they are no faster, as on some, rounded
//! numbers lie as those of single precision do and are multiplied by the same loops.
//!
//! - `dot_products`: products of pairs
//! - `linear`, `pointwise`: what layers of these names do where operands are rounded
//!
//! Pairs lie where a number of single precision would, as its bits: the first in the upper half.

pub mod dot_products;
mod linear;
mod pointwise;

use pulp::{Simd, WithSimd};

pub(crate) use self::pointwise::regions as regions_of_pointwise;
use crate::vectors;

/// What products are made of. Their sums are of single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operands {
    /// Numbers of single precision.
    #[default]
    Single,
    /// Numbers rounded to bfloat16.
    Bf16,
}

/// How the operands of a product lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As they were.
    Single,
    /// Rounded, each in the upper half of a number of single precision.
    Rounded,
    /// Rounded, two in the place of one.
    Pairs,
}

impl Operands {
    /// Returns the layout of them that is the fastest here.
    pub(crate) fn layout(self) -> Layout {
        match self {
            Self::Single => Layout::Single,
            Self::Bf16 if dot_products::are_used() => Layout::Pairs,
            Self::Bf16 => Layout::Rounded,
        }
    }
}

impl Layout {
    /// Returns in how many places of single precision so many terms of a sum lie.
    pub(crate) fn places(self, num_terms: usize) -> usize {
        match self {
            Self::Single | Self::Rounded => num_terms,
            Self::Pairs => num_terms.div_ceil(2),
        }
    }
}

const EXPONENT: u32 = 0x7f80_0000;
const SIGN: u32 = 1 << 31;
const LARGEST_DENORMAL: u32 = !EXPONENT & !SIGN;
const UPPER: u32 = 0xffff_0000;
/// Makes a NaN a quiet one, which it stays without its lower half.
const QUIET: u32 = 1 << 22;

/// Returns the bits of a number rounded to bfloat16. What is smaller than 2^-126 is zero.
#[inline(always)]
pub(crate) fn rounded_bits(bits: u32) -> u32 {
    let magnitude = bits & !SIGN;
    // Half of the last place, and less where the even neighbour is below: what is carried rounds up.
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    let rounded = if magnitude > EXPONENT {
        bits | QUIET
    } else {
        nearest
    };
    let rounded = if magnitude <= LARGEST_DENORMAL {
        bits & SIGN
    } else {
        rounded
    };
    rounded & UPPER
}

/// Returns a number rounded to bfloat16. What is smaller than 2^-126 is zero.
#[must_use]
#[inline(always)]
pub fn rounded(number: f32) -> f32 {
    f32::from_bits(rounded_bits(number.to_bits()))
}

/// Returns a pair of numbers, rounded, as the bits of one.
#[inline(always)]
pub(crate) fn pair(first: f32, second: f32) -> f32 {
    let (first, second) = (
        rounded_bits(first.to_bits()),
        rounded_bits(second.to_bits()),
    );
    f32::from_bits(first | second >> 16)
}

/// Writes numbers rounded to bfloat16.
pub(crate) fn round(numbers: &[f32], into: &mut [f32]) {
    vectors::arch().dispatch(Round { numbers, into });
}

struct Round<'a> {
    numbers: &'a [f32],
    into: &'a mut [f32],
}

impl WithSimd for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (into, number) in self.into.iter_mut().zip(self.numbers) {
            *into = rounded(*number);
        }
    }
}

/// Writes pairs of neighbouring numbers, rounded, of which there is an even number.
pub(crate) fn write_pairs(numbers: &[f32], into: &mut [f32]) {
    vectors::arch().dispatch(WritePairs { numbers, into });
}

struct WritePairs<'a> {
    numbers: &'a [f32],
    into: &'a mut [f32],
}

impl WithSimd for WritePairs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (numbers, _) = self.numbers.as_chunks::<2>();
        for (into, [first, second]) in self.into.iter_mut().zip(numbers) {
            *into = pair(*first, *second);
        }
    }
}

/// Lays out the terms of sums, `(terms, WIDTH)` of single precision, in their own place.
pub(crate) fn lay_out<const WIDTH: usize>(layout: Layout, terms: &mut [f32]) {
    match layout {
        Layout::Single => {}
        Layout::Rounded => vectors::arch().dispatch(RoundInPlace(terms)),
        Layout::Pairs => vectors::arch().dispatch(PairInPlace::<WIDTH>(terms)),
    }
}

/// Rounds numbers where they are.
pub(crate) fn round_in_place(numbers: &mut [f32]) {
    vectors::arch().dispatch(RoundInPlace(numbers));
}

struct RoundInPlace<'a>(&'a mut [f32]);

impl WithSimd for RoundInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for number in self.0 {
            *number = rounded(*number);
        }
    }
}

struct PairInPlace<'a, const WIDTH: usize>(&'a mut [f32]);

impl<const WIDTH: usize> WithSimd for PairInPlace<'_, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (terms, _) = self.0.as_chunks_mut::<WIDTH>();
        for place in 0..terms.len().div_ceil(2) {
            let first = terms[2 * place];
            // Of an odd number of terms, the last is with zero.
            let second = terms.get(2 * place + 1).copied().unwrap_or([0.0; WIDTH]);
            for i in 0..WIDTH {
                terms[place][i] = pair(first[i], second[i]);
            }
        }
    }
}

/// Writes the numbers that pairs hold: the first ones of a row of pairs, then the second ones, `(pairs, 2, WIDTH)`.
pub(crate) fn part_pairs<const WIDTH: usize>(pairs: &[f32], into: &mut [f32]) {
    vectors::arch().dispatch(PartPairs::<WIDTH> { pairs, into });
}

struct PartPairs<'a, const WIDTH: usize> {
    pairs: &'a [f32],
    into: &'a mut [f32],
}

impl<const WIDTH: usize> WithSimd for PartPairs<'_, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (pairs, _) = self.pairs.as_chunks::<WIDTH>();
        let (into, _) = self.into.as_chunks_mut::<WIDTH>();
        for (pairs, into) in pairs.iter().zip(into.as_chunks_mut::<2>().0) {
            let [first, second] = into;
            for i in 0..WIDTH {
                let bits = pairs[i].to_bits();
                first[i] = f32::from_bits(bits & UPPER);
                second[i] = f32::from_bits(bits << 16);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers about every edge of rounding, of either sign.
    fn edges() -> Vec<f32> {
        let mut edges = Vec::new();
        for upper in [
            0x0000_u32, 0x0001, 0x007f, 0x0080, 0x0081, 0x3f7f, 0x3f80, 0x3f81, 0x7f7e, 0x7f7f,
            0x7f80, 0x7f81, 0x7fbf, 0x7fc0, 0x7fff,
        ] {
            for lower in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let bits = upper << 16 | lower;
                edges.extend([bits, bits | SIGN].map(f32::from_bits));
            }
        }
        edges
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_that_has_sixteen_bits_and_of_two_to_the_even_one() {
        for number in edges() {
            let found = rounded(number);
            assert_eq!(found.to_bits() & !UPPER, 0, "{number:e}");
            if number.is_nan() {
                assert!(found.is_nan(), "{:x}", number.to_bits());
            } else if number.abs() < f32::MIN_POSITIVE {
                assert_eq!(found.to_bits(), number.to_bits() & SIGN, "{number:e}");
            } else if number.is_finite() {
                // Beyond the largest there is one more place, which infinity takes.
                let below = f64::from(f32::from_bits(number.to_bits() & UPPER)).abs();
                let step = (below.log2().floor() - 7.0).exp2();
                let exact = f64::from(number.abs());
                let up = exact - below > step / 2.0
                    || exact - below == step / 2.0 && (below / step) % 2.0 == 1.0;
                let nearest = if up { below + step } else { below };
                let nearest = nearest.copysign(f64::from(number)) as f32;
                assert_eq!(found, nearest, "{number:e}");
            } else {
                assert_eq!(found, number);
            }
        }
    }

    #[test]
    fn what_was_put_into_pairs_comes_out_rounded() {
        let numbers: Vec<f32> = (0..16).map(|i| 1.0 + i as f32 / 1000.0).collect();
        let rows = [&numbers[..8], &numbers[8..]];
        let pairs: Vec<f32> = (0..8).map(|i| pair(rows[0][i], rows[1][i])).collect();
        let (mut parted, mut alone) = (vec![0.0; 16], vec![0.0; 16]);
        part_pairs::<8>(&pairs, &mut parted);
        round(&numbers, &mut alone);
        assert_eq!(parted, alone);
        let mut laid_out = numbers.clone();
        lay_out::<8>(Layout::Pairs, &mut laid_out);
        assert!(
            laid_out[..8]
                .iter()
                .zip(&pairs)
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
        let mut neighbours = vec![0.0; 8];
        write_pairs(&numbers, &mut neighbours);
        assert_eq!(
            neighbours[3].to_bits(),
            pair(numbers[6], numbers[7]).to_bits()
        );
        assert_eq!(Layout::Pairs.places(5), 3);
        assert_eq!(Layout::Rounded.places(5), 5);
    }
}
