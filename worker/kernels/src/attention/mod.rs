//! Softmax attention of several heads, `softmax(Q K^T / sqrt(width)) V` for each, without a matrix of tokens by tokens in
//! memory.
//!
//! Tokens are `(tokens, heads * width)`; the columns of a head lie next to each other. With a [`Contrast`], the softmax `A`
//! of a query over `N` keys becomes `clip((A - 1/N) * strength + 1/N, 0, 1)`.
//!
//! A softmax hides what is not finite: a largest score passes over NaN, and its exponential is no number any more. So where
//! a query or key is not finite, or their products may leave the range of numbers, the whole attention is NaN, as arithmetic
//! would have it; what stands behind sees it.

mod multi_head;
mod pack;
mod product;
mod softmax;
mod strip;
mod tile;

use ndarray::ArrayView2;

use crate::finite::largest_magnitude;
pub use multi_head::MultiHeadAttention;
pub use pack::{Keys, Queries, Values};
pub use softmax::{Contrast, RowSoftmax};
pub use strip::{Length, Strip, add_by_strips, map_strips};
pub use tile::{Attention, Matrix, Softmaxes};

/// How the columns of a token are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The number of heads.
    pub num: usize,
    /// The number of columns of a head.
    pub width: usize,
}

/// The keys and values of one image, each `(tokens, heads * width)`.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a> {
    /// What queries are compared with.
    pub key: ArrayView2<'a, f32>,
    /// What is averaged.
    pub value: ArrayView2<'a, f32>,
}

/// Adds the attention of arrays that fit each other to `output`, `(query tokens, heads * width)`.
pub fn add_attention(
    query: ArrayView2<f32>,
    key_value: KeyValue<'_>,
    heads: Heads,
    contrast: Option<Contrast>,
    output: &mut [f32],
) -> Softmaxes {
    if !has_finite_scores(query, key_value.key, heads) {
        // The softmaxes of what is no attention are of no use either, and are made below all the same.
        output.fill(f32::NAN);
    }
    let attention = Attention {
        queries: &Queries::all(query, heads),
        keys: &Keys::all(key_value.key, heads),
        values: &Values::all(key_value.value, heads),
        contrast,
        softmaxes: None,
    };
    let strips = add_by_strips(output, heads, Length::Any, |strip, output| {
        let heads = 0..heads.num;
        let softmaxes = heads.map(|head| strip.attend(head, &attention, 1.0, output));
        softmaxes.collect()
    });
    Softmaxes::of(strips)
}

/// Returns whether every product of a query and a key is certain to be finite.
pub fn has_finite_scores(query: ArrayView2<f32>, key: ArrayView2<f32>, heads: Heads) -> bool {
    // Scores are logarithms to the base of two.
    let of_one = f64::from(largest_magnitude(query)) * f64::from(largest_magnitude(key));
    let most = of_one * heads.width as f64 * std::f64::consts::LOG2_E;
    most < f64::from(f32::MAX)
}
