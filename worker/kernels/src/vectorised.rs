//! Parts of vectorised loops: widths, prefetching and exponentials.
//!
//! Loops that use them are compiled once for each kind of vectors.

use pulp::Simd;

/// The number of lanes of the widest vectors.
pub(crate) const MAX_LANES: usize = 16;

/// The number of partial results that a reduction keeps, so that it vectorises in one order.
pub(crate) const LANES: usize = 64;

/// Prefetches values into L1. The CPU guesses what follows in memory by itself, but not across rows of an image.
#[inline(always)]
#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "prefetching takes a pointer")
)]
pub(crate) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        const IN_CACHE_LINE: usize = 16;
        for line in values.chunks(IN_CACHE_LINE) {
            // SAFETY: every x86-64 CPU has the instruction, and it reads nothing, wherever it points.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// The least exponent that [`exp2`] takes as it is.
const LEAST: f32 = -126.0;
/// 1.5 * 2^23: adding it rounds to an integer, which then stands in the lowest bits.
const TO_INTEGER: f32 = 12_582_912.0;
/// The best polynomial of degree 6 for 2^r on -1/2..=1/2, highest power first; its relative error is 2e-9.
const POLYNOMIAL: [f32; 7] = [
    1.534_581_2e-4,
    1.339_993_1e-3,
    9.618_489e-3,
    5.550_329e-2,
    0.240_226_47,
    std::f32::consts::LN_2,
    1.0,
];
/// The place of the exponent among a float's bits.
const MANTISSA_BITS: u32 = f32::MANTISSA_DIGITS - 1;

/// Returns `2^x` for `x <= 126`, with a relative error below 1.5e-7; results below 2^-126 become that.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    let x = if x > LEAST { x } else { LEAST };
    let shifted = x + TO_INTEGER;
    let r = x - (shifted - TO_INTEGER);
    let mut exponential = POLYNOMIAL[0];
    for factor in &POLYNOMIAL[1..] {
        exponential = exponential.mul_add(r, *factor);
    }
    f32::from_bits(
        exponential
            .to_bits()
            .wrapping_add(shifted.to_bits() << MANTISSA_BITS),
    )
}

/// Returns [`exp2`] of each lane, to the byte. Loops that keep several vectors in registers need it spelt out.
#[inline(always)]
pub(crate) fn exp2_of_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.max_f32s(x, simd.splat_f32s(LEAST));
    let to_integer = simd.splat_f32s(TO_INTEGER);
    let shifted = simd.add_f32s(x, to_integer);
    let r = simd.sub_f32s(x, simd.sub_f32s(shifted, to_integer));
    let mut exponential = simd.splat_f32s(POLYNOMIAL[0]);
    for factor in &POLYNOMIAL[1..] {
        exponential = simd.mul_add_f32s(exponential, r, simd.splat_f32s(*factor));
    }
    let bits = simd.transmute_u32s_f32s(exponential);
    let shift = simd.splat_u32s(MANTISSA_BITS);
    let exponents = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), shift);
    simd.transmute_f32s_u32s(simd.add_u32s(bits, exponents))
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    #[test]
    fn exponentials_are_accurate_from_the_smallest_floats_to_the_largest() {
        for i in -1_260_000..=1_260_000 {
            let x = 1e-4 * i as f32;
            let exact = f64::from(x).exp2();
            let error = (f64::from(exp2(x)) - exact).abs() / exact;
            assert!(error < 1.5e-7, "2^{x}: {error:e}");
        }
        assert_eq!(exp2(0.0), 1.0);
        assert!(exp2(f32::NEG_INFINITY) < 1.2e-38);
    }

    struct Exponentials([f32; 4 * MAX_LANES]);

    impl WithSimd for Exponentials {
        type Output = [f32; 4 * MAX_LANES];

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut exponentials = [0.0; 4 * MAX_LANES];
            let (x, _) = S::as_simd_f32s(&self.0);
            for (exponential, x) in S::as_mut_simd_f32s(&mut exponentials).0.iter_mut().zip(x) {
                *exponential = exp2_of_lanes(simd, *x);
            }
            exponentials
        }
    }

    #[test]
    fn exponentials_of_lanes_are_those_of_single_numbers() {
        let x = std::array::from_fn(|i| 3.3 * i as f32 - 180.0);
        assert_eq!(Arch::new().dispatch(Exponentials(x)), x.map(exp2));
    }
}
