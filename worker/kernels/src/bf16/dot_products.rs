//! Dot products of pairs, by AVX-512 BF16.
//!
//! Whether they are used changes no byte, but of sums below 2^-126, which they make zero. So it may be decided by what is
//! faster here: a CPU with two units for fused multiply-adds may have half of one for these.

use std::sync::OnceLock;

use crate::vectors;

/// Whether products of this process are made of pairs.
static ARE_USED: OnceLock<bool> = OnceLock::new();

/// Returns whether products of bfloat16 are made by dot products of pairs: where there are any, and nothing else is pinned
/// or faster.
#[must_use]
pub fn are_used() -> bool {
    *ARE_USED.get_or_init(|| match vectors::pinned() {
        Some(vectors) => vectors.multiply_pairs(),
        None => are_here() && x86::are_faster(),
    })
}

/// Returns whether this CPU has dot products that add as fused multiply-adds do, one term after the other.
#[must_use]
pub(crate) fn are_here() -> bool {
    static ARE_HERE: OnceLock<bool> = OnceLock::new();
    *ARE_HERE.get_or_init(|| x86::are_there() && x86::add_in_order())
}

/// The rows of a product: of each, pairs of neighbouring terms. A pair lies at `row * ROW + step * STEP`.
pub(crate) struct Rows<'a, const ROW: usize, const STEP: usize>(pub(crate) &'a [f32]);

/// The columns of a product: `(steps, stride)`, of each step a pair of terms for every column.
pub(crate) struct Columns<'a> {
    pub(crate) pairs: &'a [f32],
    pub(crate) stride: usize,
}

/// The sums of a product, `(rows, stride)`.
pub(crate) struct Sums<'a> {
    pub(crate) values: &'a mut [f32],
    pub(crate) stride: usize,
    /// Whether they begin at zero, and not with what is there.
    pub(crate) is_first: bool,
}

/// Adds to `ROWS` rows of sums, and `16 * VECTORS` columns of each, the products of so many pairs of terms.
///
/// # Panics
///
/// If rows, columns or sums are fewer, or this CPU has no dot products.
pub(crate) fn add<const ROWS: usize, const VECTORS: usize, const ROW: usize, const STEP: usize>(
    num: usize,
    rows: &Rows<'_, ROW, STEP>,
    columns: &Columns<'_>,
    sums: &mut Sums<'_>,
) {
    assert!(are_here());
    x86::add::<ROWS, VECTORS, ROW, STEP>(num, rows, columns, sums);
}

/// Writes pairs of neighbouring numbers, rounded, to the byte as [`write_pairs`](super::write_pairs): 32 numbers at a time.
///
/// # Panics
///
/// If there are fewer pairs, or this CPU has no dot products.
pub(crate) fn write_pairs(numbers: &[f32], pairs: &mut [f32]) {
    assert!(are_here());
    x86::write_pairs(numbers, pairs);
}

/// Writes pairs of neighbouring numbers of a row, whose length is a multiple of 32, rounded, in its first half.
///
/// # Panics
///
/// If this CPU has no dot products.
pub(crate) fn pair_up(row: &mut [f32]) {
    assert!(are_here());
    x86::pair_up(row);
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "vectors are read from and written to where they lie, by instructions that not every CPU has"
)]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512bh, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cvtne2ps_pbh,
        _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_rol_epi32, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };
    use std::hint::black_box;
    use std::mem::transmute;
    use std::time::{Duration, Instant};

    use super::{Columns, Rows, Sums};

    const LANES: usize = 16;

    pub(super) fn are_there() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16")
    }

    pub(super) fn add<
        const ROWS: usize,
        const VECTORS: usize,
        const ROW: usize,
        const STEP: usize,
    >(
        num: usize,
        rows: &Rows<'_, ROW, STEP>,
        columns: &Columns<'_>,
        sums: &mut Sums<'_>,
    ) {
        if let Some(last) = num.checked_sub(1) {
            assert!(rows.0.len() > (ROWS - 1) * ROW + last * STEP);
            assert!(columns.pairs.len() >= last * columns.stride + LANES * VECTORS);
        }
        assert!(sums.values.len() >= (ROWS - 1) * sums.stride + LANES * VECTORS);
        // SAFETY: the caller made sure of the instructions, and what is read and written lies within the slices.
        unsafe { add_within::<ROWS, VECTORS, ROW, STEP>(num, rows, columns, sums) }
    }

    /// # Safety
    ///
    /// Rows, columns and sums must be as many as [`add`] says.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn add_within<
        const ROWS: usize,
        const VECTORS: usize,
        const ROW: usize,
        const STEP: usize,
    >(
        num: usize,
        rows: &Rows<'_, ROW, STEP>,
        columns: &Columns<'_>,
        sums: &mut Sums<'_>,
    ) {
        let (rows, pairs, values) = (
            rows.0.as_ptr(),
            columns.pairs.as_ptr(),
            sums.values.as_mut_ptr(),
        );
        let mut added = [[_mm512_setzero_ps(); VECTORS]; ROWS];
        if !sums.is_first {
            for (r, added) in added.iter_mut().enumerate() {
                for (v, added) in added.iter_mut().enumerate() {
                    // SAFETY: the caller's.
                    *added = unsafe { _mm512_loadu_ps(values.add(r * sums.stride + v * LANES)) };
                }
            }
        }
        for step in 0..num {
            let mut column = [_mm512_setzero_ps(); VECTORS];
            for (v, column) in column.iter_mut().enumerate() {
                // SAFETY: the caller's.
                *column = unsafe { _mm512_loadu_ps(pairs.add(step * columns.stride + v * LANES)) };
            }
            for (r, added) in added.iter_mut().enumerate() {
                // SAFETY: the caller's.
                let row = pairs_of(_mm512_set1_ps(unsafe { *rows.add(r * ROW + step * STEP) }));
                for v in 0..VECTORS {
                    added[v] = _mm512_dpbf16_ps(added[v], row, pairs_of(column[v]));
                }
            }
        }
        for (r, added) in added.iter().enumerate() {
            for (v, added) in added.iter().enumerate() {
                // SAFETY: the caller's.
                unsafe { _mm512_storeu_ps(values.add(r * sums.stride + v * LANES), *added) };
            }
        }
    }

    /// Returns the pairs whose bits are in a vector.
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    fn pairs_of(bits: __m512) -> __m512bh {
        // SAFETY: both are 64 bytes, of which any are allowed.
        unsafe { transmute(bits) }
    }

    pub(super) fn write_pairs(numbers: &[f32], pairs: &mut [f32]) {
        let num = numbers.len() / (2 * LANES);
        assert!(pairs.len() >= num * LANES);
        // SAFETY: the caller made sure of the instructions, and there are as many pairs.
        unsafe { write_pairs_within(num, numbers.as_ptr(), pairs.as_mut_ptr()) }
        let done = num * 2 * LANES;
        super::super::write_pairs(&numbers[done..], &mut pairs[num * LANES..]);
    }

    pub(super) fn pair_up(row: &mut [f32]) {
        let numbers = row.as_mut_ptr();
        // SAFETY: the caller made sure of the instructions, and half of the numbers are as many as there are pairs.
        unsafe { write_pairs_within(row.len() / (2 * LANES), numbers, numbers) }
    }

    /// # Safety
    ///
    /// There must be `32 * num` numbers and room for half as many pairs, which may be that of the first numbers.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn write_pairs_within(num: usize, numbers: *const f32, pairs: *mut f32) {
        for i in 0..num {
            // SAFETY: the caller's.
            let (first, second) = unsafe {
                (
                    _mm512_loadu_ps(numbers.add(2 * LANES * i)),
                    _mm512_loadu_ps(numbers.add(2 * LANES * i + LANES)),
                )
            };
            // SAFETY: both are 64 bytes, of which any are allowed.
            let rounded: __m512 = unsafe { transmute(_mm512_cvtne2ps_pbh(second, first)) };
            // The first of two neighbours is in the lower half.
            let swapped = _mm512_rol_epi32::<16>(_mm512_castps_si512(rounded));
            // SAFETY: the caller's.
            unsafe { _mm512_storeu_ps(pairs.add(LANES * i), _mm512_castsi512_ps(swapped)) };
        }
    }

    /// Returns whether a dot product is one fused multiply-add after the other, the upper half's first, as the bits of
    /// many say.
    pub(super) fn add_in_order() -> bool {
        const ROUNDS: u32 = 512;
        // A generator of whole numbers, whose upper bits are as good as random.
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        // Magnitudes about one, so that every bit of a sum depends on the order.
        let number = |bits: u32| bits & 0x807f_ffff | (120 + (bits >> 23 & 15)) << 23;
        (0..ROUNDS).all(|_| {
            let sum = f32::from_bits(number(next()));
            let [a, b] = [0; 2].map(|_| number(next()) & 0xffff_0000 | number(next()) >> 16);
            let upper = |bits: u32| f32::from_bits(bits & 0xffff_0000);
            let lower = |bits: u32| f32::from_bits(bits << 16);
            let expected = upper(a).mul_add(upper(b), sum);
            let expected = lower(a).mul_add(lower(b), expected);
            let mut sums = [sum; LANES];
            let (a, b) = (f32::from_bits(a), [f32::from_bits(b); LANES]);
            let rows = Rows::<0, 0>(&[a]);
            let columns = Columns {
                pairs: &b,
                stride: LANES,
            };
            let mut added = Sums {
                values: &mut sums,
                stride: LANES,
                is_first: false,
            };
            add::<1, 1, 0, 0>(1, &rows, &columns, &mut added);
            sums.iter().all(|sum| sum.to_bits() == expected.to_bits())
        })
    }

    /// Returns whether pairs are multiplied and added in less time than their numbers one by one.
    pub(super) fn are_faster() -> bool {
        // The shortest of several, in which nothing came between.
        const ROUNDS: usize = 16;
        let shortest = |work: unsafe fn()| {
            let times = (0..ROUNDS).map(|_| {
                let started = Instant::now();
                // SAFETY: the caller made sure of the instructions.
                unsafe { work() };
                started.elapsed()
            });
            times.min().unwrap_or(Duration::ZERO)
        };
        let (by_pairs, one_by_one) = (shortest(multiply_pairs), shortest(multiply_numbers));
        10 * by_pairs < 9 * one_by_one
    }

    /// Sums that are added to in turn, so that none is waited for.
    const IN_TURN: usize = 16;
    const TURNS: usize = 500;

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn multiply_pairs() {
        let pairs = pairs_of(_mm512_set1_ps(black_box(1.0)));
        let mut sums = [_mm512_setzero_ps(); IN_TURN];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f")]
    fn multiply_numbers() {
        let number = _mm512_set1_ps(black_box(1.0));
        let mut sums = [_mm512_setzero_ps(); IN_TURN];
        for _ in 0..2 * TURNS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(number, number, *sum);
            }
        }
        black_box(sums);
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod x86 {
    use super::{Columns, Rows, Sums};

    pub(super) fn are_there() -> bool {
        false
    }

    pub(super) fn add_in_order() -> bool {
        false
    }

    pub(super) fn are_faster() -> bool {
        false
    }

    pub(super) fn add<
        const ROWS: usize,
        const VECTORS: usize,
        const ROW: usize,
        const STEP: usize,
    >(
        _: usize,
        _: &Rows<'_, ROW, STEP>,
        _: &Columns<'_>,
        _: &mut Sums<'_>,
    ) {
        unreachable!("no such CPU has dot products");
    }

    pub(super) fn write_pairs(_: &[f32], _: &mut [f32]) {
        unreachable!("no such CPU has dot products");
    }

    pub(super) fn pair_up(_: &mut [f32]) {
        unreachable!("no such CPU has dot products");
    }
}
