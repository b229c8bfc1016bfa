//! The vectorised loops of attention, one after the other, by every instruction set.

use ndarray::Array2;
use pulp::x86::{V3, V4};
use pulp::{Scalar, Simd, WithSimd};

use super::blocking::{KC, MR, padded};
use super::keeping::Keep;
use super::pack::{Keys, Queries, Values};
use super::scores::Scores;
use super::softmax::{
    AddTo, Contrast, Lanes, RowSoftmaxStats, SumExponentials, Weigh, largest, sum_of,
};
use super::weighted_sums::WeightedSums;
use super::{Attention, Heads, has_finite_scores};
use crate::bf16::{Layout, Operands, dot_products};
use crate::random::standard_normal;
use crate::vectorised::{LANES, MAX_LANES};

const NUM_KEYS: usize = KC - 7;
const ROWS: usize = 2 * MR;

fn random(name: &str, tokens: usize, width: usize) -> Array2<f32> {
    let draws = standard_normal(1, name, 0, (1, tokens, width));
    draws.remove_axis(ndarray::Axis(0))
}

/// Computes a block of one head with one instruction set.
fn one_head<S: Simd>(simd: S, width: usize, contrast: Option<Contrast>) -> [Vec<f32>; 2] {
    fn by<S: Simd>(simd: S, op: impl WithSimd<Output = ()>) {
        simd.vectorize(op);
    }
    let heads = Heads::of(1, width);
    let queries = Queries::all(random("queries", ROWS, width).view(), heads);
    let keys = Keys::all(random("keys", NUM_KEYS, width).view(), heads);
    let values = Values::all(random("values", NUM_KEYS, width).view(), heads);
    let mut scores = vec![0.0; ROWS * KC];
    let mut maxima = vec![f32::NEG_INFINITY; ROWS * MAX_LANES];
    let write = Scores {
        queries: queries.head_of(0, 0..ROWS),
        keys: keys.head(0),
        depth: width,
        layout: Layout::Single,
        scores: &mut scores,
        largest: &mut maxima,
        num_keys: NUM_KEYS,
    };
    by(simd, write);
    let of_row = |row: &[f32]| RowSoftmaxStats {
        max: largest(row),
        sum: 0.0,
    };
    let mut rows: Vec<_> = maxima.chunks(MAX_LANES).map(of_row).collect();
    let mut exponential_sums: Vec<Lanes> = vec![[0.0; LANES]; ROWS];
    let sum = SumExponentials {
        scores: &scores,
        num: NUM_KEYS,
        rows: &rows,
        sums: &mut exponential_sums,
    };
    by(simd, sum);
    for (row, lanes) in rows.iter_mut().zip(&exponential_sums) {
        row.sum = sum_of(*lanes);
    }
    let mut weights = vec![0.0; ROWS * KC];
    let weigh = Weigh {
        scores: &scores,
        num: NUM_KEYS,
        rows: &rows,
        contrast,
        weights: &mut weights,
        exponential_sums: &mut exponential_sums,
    };
    by(simd, weigh);
    let mut sums = vec![1.0; ROWS * KC];
    let add = AddTo {
        sums: &mut sums,
        num: NUM_KEYS,
        weights: &weights,
    };
    by(simd, add);
    let keep = Keep {
        kept: &sums
            .iter()
            .map(|sum| f32::from(*sum > 1.002))
            .collect::<Vec<_>>(),
        num: NUM_KEYS,
        weights: &mut weights,
        sums: &mut exponential_sums,
    };
    by(simd, keep);
    sums.extend(exponential_sums.iter().copied().map(sum_of));
    let mut averages = vec![0.0; ROWS * padded(width)];
    let weighted = WeightedSums {
        weights: &mut weights,
        values: values.head(0),
        num: NUM_KEYS,
        layout: Layout::Single,
        width,
        sums: &mut averages,
        next: &sums,
    };
    by(simd, weighted);
    let rows = averages.chunks(padded(width));
    let averages = rows.flat_map(|row| row[..width].to_vec()).collect();
    [averages, sums]
}

#[test]
fn the_width_of_the_vectors_does_not_change_a_byte() {
    let contrast = Some(Contrast::new(1.67, NUM_KEYS));
    for width in [5, 16, 24, 40, 64, 80, 120, 260] {
        for contrast in [None, contrast] {
            let scalar = one_head(Scalar, width, contrast);
            if let Some(simd) = V3::try_new() {
                assert!(one_head(simd, width, contrast) == scalar, "AVX2, {width}");
            }
            if let Some(simd) = V4::try_new() {
                assert!(
                    one_head(simd, width, contrast) == scalar,
                    "AVX-512, {width}"
                );
            }
        }
    }
}

/// An attention of one layout of its operands, and that of the same operands rounded before, which is of single precision but
/// for its weights.
fn by_layout(layout: Layout, width: usize, contrast: Option<Contrast>) -> (Vec<f32>, Vec<usize>) {
    let heads = Heads::of(2, width).with_operands(Operands::Bf16);
    // More values than fill a block, and an odd number of them.
    let (num_queries, num_keys) = (31, KC + 77);
    let tokens = |name: &str, tokens| random(name, tokens, 2 * width);
    let (query, key, value) = (
        tokens("queries", num_queries),
        tokens("keys", num_keys),
        tokens("values", num_keys),
    );
    let [all_queries, all_keys] = [num_queries, num_keys].map(|num| (0..num).collect::<Vec<_>>());
    let attention = Attention {
        queries: &Queries::laid_out(query.view(), heads, &all_queries, layout),
        keys: &Keys::laid_out(key.view(), heads, &all_keys, layout),
        values: &Values::laid_out(value.view(), heads, &all_keys, layout),
        contrast,
        stats: None,
    };
    let mut output = vec![0.0; num_queries * 2 * width];
    let (_, best) = attention.add_and_match(&mut output);
    (output, best)
}

#[test]
fn pairs_make_the_bytes_of_numbers_that_are_rounded_one_by_one() {
    for width in [5, 16, 24, 40, 64, 80, 160, 260] {
        for contrast in [None, Some(Contrast::new(1.67, KC + 77))] {
            let rounded = by_layout(Layout::Rounded, width, contrast);
            let is_number = |value: &f32| value.is_finite();
            assert!(rounded.0.iter().all(is_number), "{width}");
            if dot_products::are_here() {
                let pairs = by_layout(Layout::Pairs, width, contrast);
                assert!(pairs == rounded, "{width}");
            }
        }
    }
}

#[test]
fn threads_share_rounded_attention_without_changing_a_byte() {
    for layout in [Layout::Rounded, Layout::Pairs] {
        if layout == Layout::Pairs && !dot_products::are_here() {
            continue;
        }
        let by = |num_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
            let pool = pool.build().unwrap();
            pool.install(|| by_layout(layout, 40, None))
        };
        let one = by(1);
        for num_threads in [3, 7, 16, 64] {
            assert!(by(num_threads) == one, "{layout:?}, {num_threads}");
        }
    }
}

#[test]
fn rounded_operands_cost_a_few_thousandths_of_an_attention() {
    for width in [5, 40, 80] {
        for contrast in [None, Some(Contrast::new(1.67, KC + 77))] {
            let (exact, _) = by_layout(Layout::Single, width, contrast);
            let (rounded, _) = by_layout(Layout::Rounded, width, contrast);
            let sum = |numbers: &mut dyn Iterator<Item = f32>| {
                let squares = numbers.map(|number| f64::from(number).powi(2));
                squares.sum::<f64>().sqrt()
            };
            let of_all = sum(&mut exact.iter().copied());
            let of_errors = sum(&mut exact.iter().zip(&rounded).map(|(a, b)| a - b));
            let error = of_errors / of_all;
            assert!(error > 1e-4 && error < 6e-3, "{width}: {error:e}");
        }
    }
}

#[test]
fn numbers_that_are_rounded_to_infinity_have_no_finite_scores() {
    let (largest, small) = (
        Array2::from_elem((1, 4), f32::MAX),
        Array2::from_elem((1, 4), 1e-9),
    );
    let finite = |operands| {
        let heads = Heads::of(1, 4).with_operands(operands);
        has_finite_scores(largest.view(), small.view(), heads)
    };
    assert!(finite(Operands::Single));
    assert!(!finite(Operands::Bf16));
}
