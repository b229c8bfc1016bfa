//! Self-attention and cross-image attention, without a matrix of tokens by tokens in memory.
//!
//! Per head, `A = softmax(Q K^T / sqrt(width))`. Cross-image attention takes the queries from one
//! image and the keys and values from another, and sharpens `A` around the mean of its rows, `1 / N`
//! for `N` keys: `clip((A - 1/N) * contrast_strength + 1/N, 0, 1)`. Rows are not normalised again.
//!
//! Tokens are `(tokens, heads * width)`; the columns of a head lie next to each other.
//!
//! A softmax hides what is not finite: a largest score passes over NaN, and its exponential is no number any more. So where
//! a query or key is not finite, or their products may leave the range of numbers, the whole attention is NaN, as
//! arithmetic would have it; the checks of [`finite`](crate::finite) see it.
//!
//! **Source:** Alaluf et al. 2023, section 3.2 and eq. 3 (arXiv:2311.03335).
//! **Differs:** nothing; the matrix is made and used tile by tile.

#[cfg(test)]
pub(crate) mod reference;

use ndarray::{Array2, ArrayView2};
use thiserror::Error;

use kernels::attention::{Contrast, add_attention};
pub use kernels::attention::{Heads, KeyValue, SoftmaxStats};

/// Why an array that was just made is one slice.
pub(super) const FRESH: &str = "a fresh array is contiguous";

/// The queries, keys and values of one image, each `(tokens, heads * width)`.
#[derive(Clone, Copy, Debug)]
pub struct QueryKeyValue<'a> {
    /// Queries.
    pub query: ArrayView2<'a, f32>,
    /// Keys, which queries are compared with.
    pub key: ArrayView2<'a, f32>,
    /// Values, of which attention is a weighted average.
    pub value: ArrayView2<'a, f32>,
}

impl<'a> QueryKeyValue<'a> {
    /// Returns the keys and values alone.
    pub fn key_value(&self) -> KeyValue<'a> {
        KeyValue {
            key: self.key,
            value: self.value,
        }
    }
}

/// Arrays that do not make an attention.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AttentionError {
    /// There is nothing to attend with or to.
    #[error("attention of {tokens} tokens with {num} heads of width {width} is empty")]
    Empty {
        /// The number of tokens.
        tokens: usize,
        /// The number of heads.
        num: usize,
        /// The width of a head.
        width: usize,
    },
    /// An array is not as wide as its heads.
    #[error("{what} has {found} columns, {expected} are needed")]
    Width {
        /// The array.
        what: &'static str,
        /// Its columns.
        found: usize,
        /// Heads by width.
        expected: usize,
    },
    /// Arrays that go position by position differ in length.
    #[error("{what} has {found} tokens, {expected} are needed")]
    Tokens {
        /// The array.
        what: &'static str,
        /// Its tokens.
        found: usize,
        /// The tokens of the others.
        expected: usize,
    },
    /// A fraction lies outside 0 to 1.
    #[error("filter fraction ({0}) must be between 0 and 1")]
    Fraction(f32),
}

/// Returns the attention of one image to itself, `(tokens, heads * width)`.
///
/// # Errors
///
/// [`AttentionError`] if the arrays do not fit the heads or each other.
pub fn self_attention(
    input: QueryKeyValue<'_>,
    heads: Heads,
) -> Result<Array2<f32>, AttentionError> {
    let (output, _) = self_attention_with_stats(input, heads)?;
    Ok(output)
}

/// Returns the attention of one image to itself, `(tokens, heads * width)`, and its softmax statistics.
///
/// # Errors
///
/// [`AttentionError`] like [`self_attention`].
pub fn self_attention_with_stats(
    input: QueryKeyValue<'_>,
    heads: Heads,
) -> Result<(Array2<f32>, SoftmaxStats), AttentionError> {
    attend(input.query, input.key_value(), heads, None)
}

/// Returns the attention of an image's queries to a style's keys and values, with contrast.
///
/// The result is `(query tokens, heads * width)`.
///
/// # Errors
///
/// [`AttentionError`] if the arrays do not fit the heads or each other.
pub fn cross_image_attention(
    query_output: ArrayView2<f32>,
    style: KeyValue<'_>,
    heads: Heads,
    contrast_strength: f32,
) -> Result<Array2<f32>, AttentionError> {
    let contrast = Contrast::new(contrast_strength, style.key.nrows());
    let (output, _) = attend(query_output, style, heads, Some(contrast))?;
    Ok(output)
}

/// Returns the attention of `query` to `key_value`, with or without contrast.
pub(super) fn attend(
    query: ArrayView2<f32>,
    key_value: KeyValue<'_>,
    heads: Heads,
    contrast: Option<Contrast>,
) -> Result<(Array2<f32>, SoftmaxStats), AttentionError> {
    check(query, key_value, heads)?;
    let mut output = Array2::zeros(query.raw_dim());
    let values = output.as_slice_mut().expect(FRESH);
    let stats = add_attention(query, key_value, heads, contrast, values);
    Ok((output, stats))
}

/// Checks the shapes of a query and what it attends to.
pub(super) fn check(
    query: ArrayView2<f32>,
    KeyValue { key, value }: KeyValue<'_>,
    heads: Heads,
) -> Result<(), AttentionError> {
    let Heads { num, width, .. } = heads;
    let tokens = query.nrows().min(key.nrows());
    if tokens == 0 || num == 0 || width == 0 {
        return Err(AttentionError::Empty { tokens, num, width });
    }
    let expected = num * width;
    for (what, array) in [("query", query), ("key", key), ("value", value)] {
        let found = array.ncols();
        if found != expected {
            return Err(AttentionError::Width {
                what,
                found,
                expected,
            });
        }
    }
    check_tokens("value", value, key.nrows())
}

/// Checks that an array has as many tokens as its partner.
pub(super) fn check_tokens(
    what: &'static str,
    array: ArrayView2<f32>,
    expected: usize,
) -> Result<(), AttentionError> {
    let found = array.nrows();
    if found != expected {
        return Err(AttentionError::Tokens {
            what,
            found,
            expected,
        });
    }
    Ok(())
}
