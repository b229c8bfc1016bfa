//! The vectorised loops of attention, one after the other, by every instruction set.

use ndarray::Array2;
use pulp::x86::{V3, V4};
use pulp::{Scalar, Simd, WithSimd};

use super::Heads;
use super::blocking::{KC, MR, padded};
use super::pack::{Keys, Queries, Values};
use super::scores::Scores;
use super::softmax::{
    AddTo, Contrast, Lanes, RowSoftmaxStats, SumExponentials, Weigh, largest, sum_of,
};
use super::weighted_sums::WeightedSums;
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
    let heads = Heads { num: 1, width };
    let queries = Queries::all(random("queries", ROWS, width).view(), heads);
    let keys = Keys::all(random("keys", NUM_KEYS, width).view(), heads);
    let values = Values::all(random("values", NUM_KEYS, width).view(), heads);
    let mut scores = vec![0.0; ROWS * KC];
    let mut maxima = vec![f32::NEG_INFINITY; ROWS * MAX_LANES];
    let write = Scores {
        queries: queries.of(0, 0..ROWS),
        keys: keys.head(0),
        depth: width,
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
    let mut averages = vec![0.0; ROWS * padded(width)];
    let weighted = WeightedSums {
        weights: &weights,
        values: values.head(0),
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
