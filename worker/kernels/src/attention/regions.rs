//! What of an attention threads can share.

use super::Heads;
use super::pack::PART;
use super::strip::{Length, tile_len};
use crate::finite::PART_OF_THREAD;
use crate::regions::{Region, Work, lengths, of_parts};

/// Operations for a score beside its products: exponential, sum and maximum.
const OF_SCORE: f64 = 20.0;

/// Returns the regions of an attention: its inputs are looked at, its output is cleared, operands are packed, and queries
/// attend.
pub(crate) fn regions(
    [num_queries, num_keys]: [usize; 2],
    heads: Heads,
    summed: bool,
    num_threads: usize,
) -> Vec<Region> {
    let columns = heads.num * heads.width;
    let touched = |num: usize, bytes: usize| {
        of_parts(lengths(num * columns, PART_OF_THREAD).map(|num| Work {
            operations: num as f64,
            bytes: (bytes * num) as f64,
        }))
    };
    let packed = |num: usize| {
        let parts = (0..heads.num).flat_map(|_| lengths(num, PART));
        of_parts(parts.map(|tokens| Work {
            operations: (tokens * heads.width) as f64,
            bytes: (2 * size_of::<f32>() * tokens * heads.width) as f64,
        }))
    };
    let length = if summed { Length::OfSums } else { Length::Any };
    let len = length.of(num_queries, tile_len(heads), num_threads);
    let attended = lengths(num_queries, len).map(|queries| {
        let scores = (queries * num_keys * heads.num) as f64;
        let numbers = 2 * (queries + num_keys) * columns;
        Work {
            operations: scores * (4.0 * heads.width as f64 + OF_SCORE),
            bytes: (size_of::<f32>() * numbers) as f64,
        }
    });
    vec![
        touched(num_queries, size_of::<f32>()),
        touched(num_queries, size_of::<f32>()),
        touched(num_keys, size_of::<f32>()),
        packed(num_queries),
        packed(num_keys),
        packed(num_keys),
        of_parts(attended),
    ]
}
