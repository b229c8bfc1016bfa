//! Attention by its mean over heads: that mean for each pair of a query and a key, and the attention of those pairs alone
//! whose mean is great enough.
//!
//! The mean of a pair is the same bit by bit whichever queries and keys are beside it, so that what is found of the means
//! of all pairs holds for those of some. Means are made for a few tiles of queries at a time.

use std::ops::Range;

use super::blocking::{KC, padded};
use super::keeping::{Keep, divide, keep_above};
use super::pack::{Keys, Queries, Values};
use super::softmax::{AddTo, Contrast, RowSoftmaxStats, SoftmaxStats, Weigh, sum_of};
use super::strip::{Length, Strip, add_by_strips, map_strips};
use super::tile::{Matrix, OutputRows, Tile};
use super::weighted_sums::WeightedSums;
use crate::median::{Numbers, Results};

/// Queries and keys with the contrast of the attention between them; all have the same heads.
#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    /// The queries.
    pub queries: &'a Queries,
    /// The keys.
    pub keys: &'a Keys,
    /// The contrast.
    pub contrast: Contrast,
}

/// The mean over heads of the contrasted attention of each pair.
pub struct HeadMeans<'a> {
    pairs: Pairs<'a>,
    /// Known once they have been gone through.
    stats: Option<SoftmaxStats>,
}

impl<'a> HeadMeans<'a> {
    /// Returns the means of all pairs of some queries and keys.
    #[must_use]
    pub fn new(pairs: Pairs<'a>) -> Self {
        Self { pairs, stats: None }
    }

    /// Returns the softmax statistics of the queries.
    #[must_use]
    pub fn into_stats(mut self) -> SoftmaxStats {
        if self.stats.is_none() {
            self.visit(|| (), |(), _| ());
        }
        self.stats.expect("going through them finds the statistics")
    }
}

impl Numbers for HeadMeans<'_> {
    fn num(&self) -> u64 {
        self.pairs.queries.num() as u64 * self.pairs.keys.num() as u64
    }

    fn visit<T: Send>(
        &mut self,
        start: impl Fn() -> T + Sync,
        take: impl Fn(&mut T, &[f32]) + Sync,
    ) -> Vec<T> {
        let (pairs, known) = (self.pairs, self.stats.as_ref());
        let results = Results::new(start);
        let heads = pairs.keys.heads();
        let stats = map_strips(pairs.queries.num(), heads, Length::OfSums, |strip| {
            let stats = strip.average_heads(&pairs, known);
            results.with(|result| {
                for (queries, means) in strip.means() {
                    for row in 0..queries.len() {
                        means.row(row, |means| take(result, means));
                    }
                }
            });
            stats
        });
        if known.is_none() {
            self.stats = Some(SoftmaxStats::of(stats));
        }
        results.into_all()
    }
}

/// The attention of pairs whose mean over heads is above a threshold; that of other pairs is zero.
pub struct AboveThreshold<'a> {
    /// The pairs that there are.
    pub pairs: Pairs<'a>,
    /// The values of the keys.
    pub values: &'a Values,
    /// The softmax statistics of the queries, over all keys that these are some of.
    pub stats: &'a SoftmaxStats,
    /// What a mean must exceed.
    pub threshold: f32,
}

/// What is left of a query's attention.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptAttention {
    /// The number of keys.
    pub num_keys: usize,
    /// For each head, the sum of its attention to them.
    pub sums: Vec<f32>,
}

impl AboveThreshold<'_> {
    /// Adds the attention to `output`, `(queries, heads * width)`, and returns what is left of it for each query.
    ///
    /// # Panics
    ///
    /// If `output` has other rows or columns, or none.
    pub fn add_to(&self, output: &mut [f32]) -> Vec<KeptAttention> {
        let heads = self.pairs.keys.heads();
        let strips = add_by_strips(output, heads, Length::OfSums, |strip, output| {
            strip.average_heads(&self.pairs, Some(self.stats));
            let mut kept = strip.keep_above(self.threshold);
            for head in 0..heads.num {
                strip.attend_to_kept(head, self, output, &mut kept);
            }
            kept
        });
        strips.concat()
    }
}

/// One head of some pairs.
struct HeadOfPairs<'a> {
    pairs: &'a Pairs<'a>,
    head: usize,
    /// The first of them begins a panel of packed queries.
    queries: Range<usize>,
}

impl Strip {
    /// Makes the means over heads of each tile, and returns the softmax statistics of each head.
    fn average_heads(
        &mut self,
        pairs: &Pairs<'_>,
        known: Option<&SoftmaxStats>,
    ) -> Vec<Vec<RowSoftmaxStats>> {
        let heads = pairs.keys.heads();
        self.sums.resize_with(self.tiles().count(), Matrix::default);
        let mut stats = Vec::with_capacity(heads.num);
        for head in 0..heads.num {
            let mut of_head = Vec::with_capacity(self.queries.len());
            for (queries, sums) in self.tiles().zip(&mut self.sums) {
                let of = HeadOfPairs {
                    pairs,
                    head,
                    queries,
                };
                of_head.extend(self.tile.add_weights(&of, known, sums));
            }
            stats.push(of_head);
        }
        for sums in &mut self.sums {
            divide(&mut sums.values, heads.num as f32);
        }
        stats
    }

    /// Returns the queries of each tile with its means.
    fn means(&self) -> impl Iterator<Item = (Range<usize>, &Matrix)> {
        self.tiles().zip(&self.sums)
    }

    /// Makes 1 of each mean that is above a threshold and 0 of all others, and returns for each query how many are.
    fn keep_above(&mut self, threshold: f32) -> Vec<KeptAttention> {
        let mut kept = Vec::with_capacity(self.queries.len());
        for (queries, means) in self.tiles().zip(&mut self.sums) {
            keep_above(threshold, &mut means.values);
            kept.resize_with(kept.len() + queries.len(), KeptAttention::default);
            let of_tile = kept.len() - queries.len();
            for (row, kept) in kept[of_tile..].iter_mut().enumerate() {
                let count = |means: &[f32]| means.iter().filter(|&&kept| kept > 0.0).count();
                means.row(row, |means| kept.num_keys += count(means));
            }
        }
        kept
    }

    /// Adds one head of the attention that is kept to `output`, and its sums to what is known of it.
    fn attend_to_kept(
        &mut self,
        head: usize,
        attention: &AboveThreshold<'_>,
        output: &mut OutputRows<'_>,
        kept: &mut [KeptAttention],
    ) {
        for (queries, is_kept) in self.tiles().zip(&self.sums) {
            let first = queries.start - self.queries.start;
            let kept = &mut kept[first..first + queries.len()];
            let of = HeadOfPairs {
                pairs: &attention.pairs,
                head,
                queries,
            };
            self.tile.attend_to_kept(&of, attention, is_kept);
            self.tile.add_kept(&of, kept, output.from(first));
        }
    }
}

impl Tile {
    /// Adds the contrasted attention of one head to `sums`, and returns its statistics.
    fn add_weights(
        &mut self,
        of: &HeadOfPairs<'_>,
        known: Option<&SoftmaxStats>,
        sums: &mut Matrix,
    ) -> Vec<RowSoftmaxStats> {
        let &Pairs {
            queries,
            keys,
            contrast,
        } = of.pairs;
        self.score(of.head, queries, keys, of.queries.clone());
        self.clear_lanes();
        let rows = match known {
            Some(known) => known.rows(of.head, of.queries.clone()).to_vec(),
            None => {
                let mut rows = self.maxima(of.queries.len());
                self.sum_exponentials(&mut rows);
                rows
            }
        };
        self.weights.resize(self.scores.num_rows * KC, 0.0);
        sums.resize(self.scores.num_rows, keys.num());
        for block in 0..self.scores.num_blocks() {
            self.weigh(block, &rows, contrast);
            let add = AddTo {
                sums: sums.block_mut(block),
                num: self.scores.num_in(block),
                weights: &self.weights,
            };
            add.add();
        }
        rows
    }

    /// Makes the contrasted attention to a block of keys.
    fn weigh(&mut self, block: usize, rows: &[RowSoftmaxStats], contrast: Contrast) {
        let weigh = Weigh {
            scores: self.scores.block(block),
            num: self.scores.num_in(block),
            rows,
            contrast: Some(contrast),
            weights: &mut self.weights,
            exponential_sums: &mut self.lanes,
        };
        weigh.write();
    }

    /// Makes the averages of one head, and the sums of its attention, of the pairs that are kept.
    fn attend_to_kept(
        &mut self,
        of: &HeadOfPairs<'_>,
        attention: &AboveThreshold<'_>,
        is_kept: &Matrix,
    ) {
        let &Pairs {
            queries,
            keys,
            contrast,
        } = of.pairs;
        let width = keys.heads().width;
        self.score(of.head, queries, keys, of.queries.clone());
        self.clear_lanes();
        self.weights.resize(self.scores.num_rows * KC, 0.0);
        self.averages.clear();
        self.averages
            .resize(self.scores.num_rows * padded(width), 0.0);
        let rows = attention.stats.rows(of.head, of.queries.clone());
        let layout = attention.values.layout();
        let values = attention.values.blocks(of.head);
        for (block, (num, values)) in values.enumerate() {
            self.weigh(block, rows, contrast);
            let keep = Keep {
                kept: is_kept.block(block),
                num: self.scores.num_in(block),
                weights: &mut self.weights,
                sums: &mut self.lanes,
            };
            keep.write();
            let weighted = WeightedSums {
                weights: &mut self.weights,
                values,
                num,
                layout,
                width,
                sums: &mut self.averages,
                next: &[],
            };
            weighted.add();
        }
    }

    /// Adds the averages to `output`, and the sums of attention to what is known of it.
    fn add_kept(&self, of: &HeadOfPairs<'_>, kept: &mut [KeptAttention], output: OutputRows<'_>) {
        let width = of.pairs.keys.heads().width;
        let columns = of.head * width..(of.head + 1) * width;
        let outputs = output.values.chunks_exact_mut(output.columns);
        let averages = self.averages.chunks_exact(padded(width));
        for (output, averages) in outputs.zip(averages).take(kept.len()) {
            for (value, average) in output[columns.clone()].iter_mut().zip(averages) {
                *value += average;
            }
        }
        for (kept, lanes) in kept.iter_mut().zip(&self.lanes) {
            kept.sums.push(sum_of(*lanes));
        }
    }
}
