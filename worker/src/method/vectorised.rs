//! What loops share that are compiled once for each kind of vectors.

/// The number of lanes of the widest vectors.
pub(crate) const MAX_LANES: usize = 16;

/// The number of partial results that a reduction keeps, so that it vectorises in one order.
pub(crate) const LANES: usize = 64;

/// Asks for values to be brought near before they are used. The processor guesses what follows in memory by itself, but
/// not across rows of an image.
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
            // SAFETY: every x86-64 processor has the instruction, and it reads nothing, wherever it points.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Returns `2^x` for `x <= 126`, with a relative error below 1.5e-7; results below 2^-126 become that.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to an integer, which then stands in the lowest bits.
    const TO_INTEGER: f32 = 12_582_912.0;

    let x = if x > -126.0 { x } else { -126.0 };
    let shifted = x + TO_INTEGER;
    let r = x - (shifted - TO_INTEGER);
    // The best polynomial of degree 6 for 2^r on -1/2..=1/2; its relative error is 2e-9.
    let mut power = 1.534_581_2e-4_f32;
    power = power.mul_add(r, 1.339_993_1e-3);
    power = power.mul_add(r, 9.618_489e-3);
    power = power.mul_add(r, 5.550_329e-2);
    power = power.mul_add(r, 0.240_226_47);
    power = power.mul_add(r, std::f32::consts::LN_2);
    power = power.mul_add(r, 1.0);
    f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_accurate_from_the_smallest_floats_to_the_largest() {
        for i in -1_260_000..=1_260_000 {
            let x = 1e-4 * i as f32;
            let exact = f64::from(x).exp2();
            let error = (f64::from(exp2(x)) - exact).abs() / exact;
            assert!(error < 1.5e-7, "2^{x}: {error:e}");
        }
        assert_eq!(exp2(0.0), 1.0);
        assert!(exp2(f32::NEG_INFINITY) < 1.2e-38);
    }
}
