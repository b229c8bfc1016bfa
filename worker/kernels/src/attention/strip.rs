//! Strips of queries: what one thread does of an attention at a time, head by head, and within a head tile by tile.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::Heads;
use super::blocking::MR;
use super::pack::{Keys, Queries};
use super::softmax::RowSoftmaxStats;
use super::tile::{Attention, HeadOfQueries, Matrix, OutputRows, Tile};
use crate::parts::{largest_share, part_len};

/// The part of an even share by which a thread may have more than that before tiles are cut.
const UNEVEN: usize = 10;

/// Returns the number of queries of a tile, whose scores with thousands of keys fit in L2.
///
/// Where heads are wide, loading keys and values takes longer than scores, and more queries share them.
pub(super) fn tile_len(heads: Heads) -> usize {
    const NARROW: usize = 128;
    4 * MR * (heads.width / NARROW).clamp(1, 4)
}

/// The least number of strips for each thread, if there are queries enough.
const STRIPS_OF_THREAD: usize = 4;

/// Some queries, in tiles.
///
/// Its buffers belong to a thread, which keeps them from one strip to the next.
#[derive(Default)]
pub(super) struct Strip {
    pub(super) queries: Range<usize>,
    tile_len: usize,
    pub(super) tile: Tile,
    /// For each tile, its attention summed over heads.
    pub(super) sums: Vec<Matrix>,
}

impl Strip {
    fn begin(&mut self, queries: Range<usize>, tile_len: usize) {
        self.queries = queries;
        self.tile_len = tile_len;
        self.sums.iter_mut().for_each(Matrix::clear);
    }

    /// Returns the queries of each tile.
    pub(super) fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let Range { start, end } = self.queries;
        let len = self.tile_len;
        let starts = (start..end).step_by(len);
        starts.map(move |start| start..end.min(start + len))
    }

    /// Adds `factor` times one head of an attention to `output`, and returns its statistics.
    pub(super) fn attend(
        &mut self,
        head: usize,
        attention: &Attention<'_>,
        factor: f32,
        output: &mut OutputRows<'_>,
    ) -> Vec<RowSoftmaxStats> {
        let mut stats = Vec::with_capacity(self.queries.len());
        for queries in self.tiles() {
            let output = output.from(queries.start - self.queries.start);
            let of = HeadOfQueries {
                attention,
                head,
                queries,
            };
            stats.extend(self.tile.attend(&of, None, factor, output));
        }
        stats
    }

    /// Adds one head of an attention to `output` and to the sums over heads, and returns its statistics.
    pub(super) fn attend_and_sum(
        &mut self,
        head: usize,
        attention: &Attention<'_>,
        output: &mut OutputRows<'_>,
    ) -> Vec<RowSoftmaxStats> {
        let mut stats = Vec::with_capacity(self.queries.len());
        self.sums.resize_with(self.tiles().count(), Matrix::default);
        for (queries, sums) in self.tiles().zip(&mut self.sums) {
            let output = output.from(queries.start - self.queries.start);
            let of = HeadOfQueries {
                attention,
                head,
                queries,
            };
            stats.extend(self.tile.attend(&of, Some(sums), 1.0, output));
        }
        stats
    }

    /// Returns for each query the key with the largest sum of attention over heads.
    pub(super) fn best_by_sums(&self) -> Vec<usize> {
        let tiles = self.tiles().zip(&self.sums);
        let best = tiles.flat_map(|(queries, sums)| sums.best(queries.len()));
        best.collect()
    }

    /// Returns for each query the key with the largest score; both have one head.
    pub(super) fn best_by_scores(&mut self, queries: &Queries, keys: &Keys) -> Vec<usize> {
        let mut best = Vec::with_capacity(self.queries.len());
        for tile in self.tiles() {
            let num = tile.len();
            self.tile.score(0, queries, keys, tile);
            best.extend(self.tile.scores().best(num));
        }
        best
    }
}

thread_local! {
    static STRIP_OF_THREAD: RefCell<Strip> = RefCell::default();
}

/// How long strips are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// As long as there are enough for every thread: each strip loads the keys and values of a head once.
    Any,
    /// So short that L3 holds their attention, which is summed over heads.
    OfSums,
}

impl Length {
    /// Returns the number of queries of a strip: whole tiles, but where these are too few for even shares.
    pub(super) fn of(self, num_queries: usize, tile_len: usize, num_threads: usize) -> usize {
        let num_strips = STRIPS_OF_THREAD * num_threads;
        let most = num_queries.div_ceil(num_strips).next_multiple_of(tile_len);
        let most = match self {
            Self::Any => most,
            Self::OfSums => most.min(4 * tile_len),
        };
        let len = part_len(num_queries, tile_len, most, num_threads);
        let even = num_queries.div_ceil(num_threads);
        if largest_share(num_queries, len, num_threads) <= even + even / UNEVEN {
            return len;
        }
        part_len(num_queries, MR, most.max(2 * tile_len), num_threads)
    }
}

/// Returns what `work` makes of each strip, in their order, on as many threads as there are.
pub(super) fn map_strips<R: Send>(
    num_queries: usize,
    heads: Heads,
    length: Length,
    work: impl Fn(&mut Strip) -> R + Sync,
) -> Vec<R> {
    let tile_len = tile_len(heads);
    let len = length.of(num_queries, tile_len, rayon::current_num_threads());
    let strips = (0..num_queries.div_ceil(len)).into_par_iter();
    strips
        .map(|place| {
            STRIP_OF_THREAD.with_borrow_mut(|strip| {
                strip.begin(place * len..num_queries.min((place + 1) * len), tile_len);
                work(strip)
            })
        })
        .collect()
}

/// Has `work` add to an output `(queries, heads * width)`, strip by strip, and returns what it returned.
///
/// The bytes of the output do not depend on the number of threads: a row is made by one strip, as in any other.
pub(super) fn add_by_strips<R: Send>(
    output: &mut [f32],
    heads: Heads,
    length: Length,
    work: impl Fn(&mut Strip, &mut OutputRows<'_>) -> R + Sync,
) -> Vec<R> {
    let columns = heads.num * heads.width;
    let num_queries = output.len() / columns;
    let tile_len = tile_len(heads);
    let len = length.of(num_queries, tile_len, rayon::current_num_threads());
    output
        .par_chunks_mut(len * columns)
        .enumerate()
        .map(|(place, values)| {
            STRIP_OF_THREAD.with_borrow_mut(|strip| {
                strip.begin(place * len..num_queries.min((place + 1) * len), tile_len);
                work(strip, &mut OutputRows { values, columns })
            })
        })
        .collect()
}
