//! The transforms in one dimension: values of polynomials at six points, and back.
//!
//! Inputs, weights and outputs are coefficients of polynomials; the product of two polynomials is, at each point, the
//! product of their values. Points of opposite sign share their even and odd halves.

use pulp::Simd;

/// The points of a patch: six in either direction.
pub(super) const POINTS: usize = LENGTH * LENGTH;
/// The points in one direction: 0, ±A, ±B and infinity.
const LENGTH: usize = 6;

const A: f32 = 0.625;
const A2: f32 = A * A;

/// The place of -B in one direction.
const MINUS_B: usize = 4;

/// All points of both directions.
const ALL: [usize; POINTS] = without(LENGTH);
/// Those that are not at -B in either direction.
const WITHOUT_MINUS_B: [usize; 25] = without(MINUS_B);

/// Returns the points of both directions that are not at a place in either.
const fn without<const NUM: usize>(place: usize) -> [usize; NUM] {
    let mut points = [0; NUM];
    let (mut point, mut num) = (0, 0);
    while point < POINTS {
        if point / LENGTH != place && point % LENGTH != place {
            points[num] = point;
            num += 1;
        }
        point += 1;
    }
    points
}

/// The points that suit an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Points {
    /// Those of any image.
    OfAny,
    /// Those of an image that was upsampled by two: in either direction, its patches are pixels 0, 1, 1, 2, 2 and 3 of
    /// another. With B = 1, their value at -B is the difference of equal numbers whatever they are.
    OfUpsampled,
}

impl Points {
    fn b(self) -> f32 {
        match self {
            Self::OfAny => 1.5,
            Self::OfUpsampled => 1.0,
        }
    }

    /// Returns whether patches are zero at a point of one direction.
    #[inline(always)]
    pub(super) fn is_zero_at(self, point: usize) -> bool {
        self == Self::OfUpsampled && point == MINUS_B
    }

    /// Returns whether a row of all patches is the one before it again.
    #[inline(always)]
    pub(super) fn repeat(self, row: usize) -> bool {
        self == Self::OfUpsampled && (row == 2 || row == 4)
    }

    /// Returns the points of both directions at which patches are not all zero.
    #[inline(always)]
    pub(super) fn needed(self) -> &'static [usize] {
        match self {
            Self::OfAny => &ALL,
            Self::OfUpsampled => &WITHOUT_MINUS_B,
        }
    }
}

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
    pub(super) fn new(simd: S, points: Points) -> Self {
        let b = points.b();
        let b2 = b * b;
        Self {
            a: simd.splat_f32s(A),
            b: simd.splat_f32s(b),
            minus_a2: simd.splat_f32s(-A2),
            minus_b2: simd.splat_f32s(-b2),
            product: simd.splat_f32s(A2 * b2),
            minus_sum: simd.splat_f32s(-(A2 + b2)),
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, simd: S, x: [S::f32s; LENGTH]) -> [S::f32s; LENGTH] {
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
    pub(super) fn new(simd: S, points: Points) -> Self {
        let b = points.b();
        let b2 = b * b;
        let over_a = 1.0 / (2.0 * A2 * (A2 - b2));
        let over_b = 1.0 / (2.0 * b2 * (b2 - A2));
        Self {
            at_zero: simd.splat_f32s(1.0 / (A2 * b2)),
            at_a: [
                simd.splat_f32s(over_a),
                simd.splat_f32s(A * over_a),
                simd.splat_f32s(A2 * over_a),
            ],
            at_b: [
                simd.splat_f32s(over_b),
                simd.splat_f32s(b * over_b),
                simd.splat_f32s(b2 * over_b),
            ],
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, simd: S, x: [S::f32s; 3]) -> [S::f32s; LENGTH] {
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
    pub(super) fn new(simd: S, points: Points) -> Self {
        let b = points.b();
        Self {
            powers_of_a: [
                simd.splat_f32s(A),
                simd.splat_f32s(A2),
                simd.splat_f32s(A2 * A),
            ],
            powers_of_b: [
                simd.splat_f32s(b),
                simd.splat_f32s(b * b),
                simd.splat_f32s(b * b * b),
            ],
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, simd: S, x: [S::f32s; LENGTH]) -> [S::f32s; 4] {
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
