//! What loops share that are compiled once for each kind of vectors.

/// The number of lanes of the widest vectors.
pub(crate) const MAX_LANES: usize = 16;

/// The number of partial results that a reduction keeps, so that it vectorises in one order.
pub(crate) const LANES: usize = 64;

/// Returns `2^x` for `x <= 0`, with a relative error below 1.5e-7; results below 2^-126 become that.
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
    fn powers_are_accurate_down_to_the_smallest_floats() {
        for i in 0..=1_260_000 {
            let x = -1e-4 * i as f32;
            let exact = f64::from(x).exp2();
            let error = (f64::from(exp2(x)) - exact).abs() / exact;
            assert!(error < 1.5e-7, "2^{x}: {error:e}");
        }
        assert_eq!(exp2(0.0), 1.0);
        assert!(exp2(f32::NEG_INFINITY) < 1.2e-38);
    }
}
