//! Softmax attention of several heads, `softmax(Q K^T / sqrt(width)) V` for each, without a matrix of tokens by tokens in
//! memory.
//!
//! Tokens are `(tokens, heads * width)`; the columns of a head lie next to each other. With a [`Contrast`], the softmax `A`
//! of a query over `N` keys becomes `clip((A - 1/N) * strength + 1/N, 0, 1)`.
//!
//! A softmax hides what is not finite: a largest score passes over NaN, and its exponential is no number any more. So where
//! a query or key is not finite, or their products may leave the range of numbers, the whole attention of
//! [`add_attention`] is NaN, as arithmetic would have it. For the other functions, callers ask [`has_finite_scores`].
//!
//! - `blocking`: the block sizes; `pack`: packed operands
//! - `scores`, `softmax`, `keeping`, `weighted_sums`: the vectorised loops
//! - `tile`, `strip`: queries that are worked on at once, and those of a thread
//! - `selected`: attention of pairs whose mean over heads is great enough
//! - `multi_head`: a layer of a network; `regions`: what of one threads can share
//!
//! **Source:** Milakov and Gimelshein 2018 for the softmax statistics (arXiv:1805.02867); Dao et al. 2022 for attention
//! by tiles (arXiv:2205.14135).
//! **Differs:** all scores of a tile are in memory, so maxima are known before the first exponential and nothing is
//! rescaled.

mod blocking;
mod keeping;
mod multi_head;
mod pack;
mod regions;
mod scores;
mod selected;
mod softmax;
mod strip;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
mod tile;
mod weighted_sums;

use ndarray::ArrayView2;

use self::strip::{Length, add_by_strips, map_strips};
use crate::bf16::{Operands, rounded};
use crate::finite::largest_magnitude_of;
pub use multi_head::{MultiHeadAttention, TokenSlices};
pub use pack::{Keys, Queries, Values};
pub(crate) use regions::regions;
pub use selected::{AboveThreshold, HeadMeans, KeptAttention, Pairs};
pub use softmax::{Contrast, SoftmaxStats};
pub use tile::Attention;

/// How the columns of a token are divided, and what products of them are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The number of heads.
    pub num: usize,
    /// The number of columns of a head.
    pub width: usize,
    /// What scores and weighted sums are made of.
    pub operands: Operands,
}

impl Heads {
    /// Returns so many heads of a width, of single precision.
    #[must_use]
    pub const fn of(num: usize, width: usize) -> Self {
        Self {
            num,
            width,
            operands: Operands::Single,
        }
    }

    /// Returns the same heads with products of others.
    #[must_use]
    pub const fn with_operands(self, operands: Operands) -> Self {
        Self { operands, ..self }
    }
}

/// The keys and values of one image, each `(tokens, heads * width)`.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a> {
    /// Keys, which queries are compared with.
    pub key: ArrayView2<'a, f32>,
    /// Values, of which attention is a weighted average.
    pub value: ArrayView2<'a, f32>,
}

/// A multiple of an attention.
pub struct Scaled<'a> {
    /// The factor.
    pub factor: f32,
    /// The attention.
    pub attention: &'a Attention<'a>,
}

impl Attention<'_> {
    /// Adds the attention to `output`, `(queries, heads * width)`, and returns its softmax statistics.
    ///
    /// # Panics
    ///
    /// If `output` has other rows or columns, or none.
    pub fn add_to(&self, output: &mut [f32]) -> SoftmaxStats {
        let heads = self.keys.heads();
        let strips = add_by_strips(output, heads, Length::Any, |strip, output| {
            let heads = 0..heads.num;
            let stats = heads.map(|head| strip.attend(head, self, 1.0, output));
            stats.collect()
        });
        SoftmaxStats::of(strips)
    }

    /// Adds the attention to `output`, `(queries, heads * width)`, and returns its softmax statistics and for each query
    /// the key with the largest sum of attention over heads, the first of equal ones.
    ///
    /// # Panics
    ///
    /// As [`Attention::add_to`].
    pub fn add_and_match(&self, output: &mut [f32]) -> (SoftmaxStats, Vec<usize>) {
        let heads = self.keys.heads();
        let strips = add_by_strips(output, heads, Length::OfSums, |strip, output| {
            let heads = 0..heads.num;
            let stats = heads.map(|head| strip.attend_and_sum(head, self, output));
            (stats.collect(), strip.best_by_sums())
        });
        let (stats, best): (Vec<_>, Vec<_>) = strips.into_iter().unzip();
        (SoftmaxStats::of(stats), best.concat())
    }
}

/// Adds multiples of attentions of one kind of heads to `output`, `(queries, heads * width)`, in their order.
///
/// # Panics
///
/// If they have other heads, or `output` has other rows or columns than their queries, or none.
pub fn add_scaled(terms: &[Scaled<'_>], heads: Heads, output: &mut [f32]) {
    for term in terms {
        assert_eq!(term.attention.keys.heads(), heads);
    }
    add_by_strips(output, heads, Length::Any, |strip, output| {
        for head in 0..heads.num {
            for term in terms {
                strip.attend(head, term.attention, term.factor, output);
            }
        }
    });
}

/// Adds the attention of `query` `(query tokens, heads * width)` to `output`, which has the same shape, and returns its
/// softmax statistics.
///
/// # Panics
///
/// If arrays do not fit the heads or each other, or `query` has no rows or columns.
pub fn add_attention(
    query: ArrayView2<f32>,
    key_value: KeyValue<'_>,
    heads: Heads,
    contrast: Option<Contrast>,
    output: &mut [f32],
) -> SoftmaxStats {
    if !has_finite_scores(query, key_value.key, heads) {
        // The statistics of what is no attention are of no use either, and are made below all the same.
        output.fill(f32::NAN);
    }
    let attention = Attention {
        queries: &Queries::all(query, heads),
        keys: &Keys::all(key_value.key, heads),
        values: &Values::all(key_value.value, heads),
        contrast,
        stats: None,
    };
    attention.add_to(output)
}

/// Returns for each query the key with the largest product over the full width, the first of equal ones.
///
/// Both are `(tokens, columns)`; `operands` are what products are made of.
///
/// # Panics
///
/// If they differ in columns, or `queries` have no rows or columns.
pub fn best_keys(
    queries: ArrayView2<f32>,
    keys: ArrayView2<f32>,
    operands: Operands,
) -> Vec<usize> {
    let whole = Heads::of(1, queries.ncols()).with_operands(operands);
    let num_queries = queries.nrows();
    let queries = Queries::all(queries, whole);
    let keys = Keys::all(keys, whole);
    let best = map_strips(num_queries, whole, Length::Any, |strip| {
        strip.best_by_scores(&queries, &keys)
    });
    best.concat()
}

/// Returns whether every product of a query and a key, both `(tokens, heads * width)`, is certain to be finite.
pub fn has_finite_scores(query: ArrayView2<f32>, key: ArrayView2<f32>, heads: Heads) -> bool {
    // Scores are logarithms to the base of two.
    let [query, key] = [query, key].map(largest_magnitude_of);
    let (of_one, of_rounded) = match heads.operands {
        Operands::Single => (f64::from(query) * f64::from(key), 1.0),
        // Each is rounded up by half of its last place at most, or to infinity.
        Operands::Bf16 => (
            f64::from(rounded(query)) * f64::from(rounded(key)),
            (1.0 + f64::powi(2.0, -8)).powi(2),
        ),
    };
    let most = of_one * of_rounded * heads.width as f64 * std::f64::consts::LOG2_E;
    most < f64::from(f32::MAX)
}
