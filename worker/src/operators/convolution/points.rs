//! The transforms in one dimension: values of polynomials at six points, and back.
//!
//! Inputs, weights and outputs are coefficients of polynomials; the product of two polynomials is, at each point, the
//! product of their values. Points of opposite sign share their even and odd halves.

use pulp::Simd;

/// The points of a patch: six in either direction.
pub(super) const POINTS: usize = 36;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;

/// Six inputs to six points.
#[derive(Clone, Copy)]
pub(super) struct OfInputs<S: Simd> {
    a: S::f32s,
    b: S::f32s,
    minus_a2: S::f32s,
    minus_b2: S::f32s,
    product: S::f32s,
    minus_sum: S::f32s,
}

impl<S: Simd> OfInputs<S> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        Self {
            a: simd.splat_f32s(A),
            b: simd.splat_f32s(B),
            minus_a2: simd.splat_f32s(-A2),
            minus_b2: simd.splat_f32s(-B2),
            product: simd.splat_f32s(A2 * B2),
            minus_sum: simd.splat_f32s(-(A2 + B2)),
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, simd: S, x: [S::f32s; 6]) -> [S::f32s; 6] {
        let even_a = simd.mul_add_f32s(x[2], self.minus_b2, x[4]);
        let odd_a = simd.mul_f32s(self.a, simd.mul_add_f32s(x[1], self.minus_b2, x[3]));
        let even_b = simd.mul_add_f32s(x[2], self.minus_a2, x[4]);
        let odd_b = simd.mul_f32s(self.b, simd.mul_add_f32s(x[1], self.minus_a2, x[3]));
        let at_zero = simd.mul_add_f32s(x[2], self.minus_sum, x[4]);
        let at_infinity = simd.mul_add_f32s(x[3], self.minus_sum, x[5]);
        [
            simd.mul_add_f32s(x[0], self.product, at_zero),
            simd.add_f32s(even_a, odd_a),
            simd.sub_f32s(even_a, odd_a),
            simd.add_f32s(even_b, odd_b),
            simd.sub_f32s(even_b, odd_b),
            simd.mul_add_f32s(x[1], self.product, at_infinity),
        ]
    }
}

/// Three weights to six points.
#[derive(Clone, Copy)]
pub(super) struct OfWeights<S: Simd> {
    at_zero: S::f32s,
    at_a: [S::f32s; 3],
    at_b: [S::f32s; 3],
}

impl<S: Simd> OfWeights<S> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        const OVER_A: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
        const OVER_B: f32 = 1.0 / (2.0 * B2 * (B2 - A2));
        Self {
            at_zero: simd.splat_f32s(1.0 / (A2 * B2)),
            at_a: [
                simd.splat_f32s(OVER_A),
                simd.splat_f32s(A * OVER_A),
                simd.splat_f32s(A2 * OVER_A),
            ],
            at_b: [
                simd.splat_f32s(OVER_B),
                simd.splat_f32s(B * OVER_B),
                simd.splat_f32s(B2 * OVER_B),
            ],
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, simd: S, x: [S::f32s; 3]) -> [S::f32s; 6] {
        let even_a = simd.mul_add_f32s(x[2], self.at_a[2], simd.mul_f32s(x[0], self.at_a[0]));
        let odd_a = simd.mul_f32s(x[1], self.at_a[1]);
        let even_b = simd.mul_add_f32s(x[2], self.at_b[2], simd.mul_f32s(x[0], self.at_b[0]));
        let odd_b = simd.mul_f32s(x[1], self.at_b[1]);
        [
            simd.mul_f32s(x[0], self.at_zero),
            simd.add_f32s(even_a, odd_a),
            simd.sub_f32s(even_a, odd_a),
            simd.add_f32s(even_b, odd_b),
            simd.sub_f32s(even_b, odd_b),
            x[2],
        ]
    }
}

/// Six points to four outputs.
#[derive(Clone, Copy)]
pub(super) struct OfOutputs<S: Simd> {
    powers_of_a: [S::f32s; 3],
    powers_of_b: [S::f32s; 3],
}

impl<S: Simd> OfOutputs<S> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        Self {
            powers_of_a: [
                simd.splat_f32s(A),
                simd.splat_f32s(A2),
                simd.splat_f32s(A2 * A),
            ],
            powers_of_b: [
                simd.splat_f32s(B),
                simd.splat_f32s(B2),
                simd.splat_f32s(B2 * B),
            ],
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, simd: S, x: [S::f32s; 6]) -> [S::f32s; 4] {
        let [a, a2, a3] = self.powers_of_a;
        let [b, b2, b3] = self.powers_of_b;
        let (even_a, odd_a) = (simd.add_f32s(x[1], x[2]), simd.sub_f32s(x[1], x[2]));
        let (even_b, odd_b) = (simd.add_f32s(x[3], x[4]), simd.sub_f32s(x[3], x[4]));
        [
            simd.add_f32s(x[0], simd.add_f32s(even_a, even_b)),
            simd.mul_add_f32s(odd_a, a, simd.mul_f32s(odd_b, b)),
            simd.mul_add_f32s(even_a, a2, simd.mul_f32s(even_b, b2)),
            simd.mul_add_f32s(odd_a, a3, simd.mul_add_f32s(odd_b, b3, x[5])),
        ]
    }
}
