//! Cross-image attention that keeps the content where the style has no good match (CACTIF).
//!
//! Each position's best match in the style is compared with the position's own value; the positions
//! whose similarity lies below a quantile are **weak** and take the content's own attention instead.
//!
//! **Source:** Chigot et al. 2025, section 3.3 (arXiv:2505.16360).
//! **Differs:** the released code and the paper match, compare and exchange differently; each choice
//! is a setting. Weak columns are subtracted from a whole output instead of being left out of it.

mod exchange;
mod matching;

use ndarray::{Array2, ArrayView2};

use kernels::attention::has_finite_scores;

use super::attention::{self, AttentionError, Heads, KeyValue, QueryKeyValue, Softmaxes};
use exchange::{exchange_columns, exchange_rows};
pub use matching::{EPSILON, Quantile};
use matching::{Mixed, similarities, weak_positions};

/// What weak positions exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The weak keys, for every query (released code).
    KeyColumns,
    /// The outputs of the weak queries (paper).
    QueryRows,
}

/// How the best match of a position is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BestMatch {
    /// The largest sum over heads of contrasted attention (released code).
    ContrastedAttention,
    /// The largest product of query and key over the full width (paper).
    FullWidthScores,
}

/// How a position's value is compared with that of its best match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Similarity {
    /// The sum over heads of the absolute cosine (released code).
    AbsoluteCosineOverHeads,
    /// The cosine over the full width (paper).
    FullWidthCosine,
}

/// What weak positions take instead: the content's own attention.
#[derive(Clone, Copy, Debug)]
pub struct ContentAttention<'a> {
    /// Its queries, keys and values.
    pub own: QueryKeyValue<'a>,
    /// What its attention to itself left behind, if that was made before: most of it need not be made again then.
    pub softmaxes: Option<&'a Softmaxes>,
}

impl<'a> From<QueryKeyValue<'a>> for ContentAttention<'a> {
    fn from(own: QueryKeyValue<'a>) -> Self {
        Self {
            own,
            softmaxes: None,
        }
    }
}

/// Which positions are weak, and what happens to them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filter {
    /// The quantile of the similarities below which a position is weak.
    pub fraction: f32,
    /// What weak positions exchange.
    pub exchange: Exchange,
    /// How the best match of a position is found.
    pub best_match: BestMatch,
    /// How a position's value is compared with that of its best match.
    pub similarity: Similarity,
}

/// What filtering finds before it exchanges anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Matches {
    /// For each position, its best match in the style.
    pub best: Vec<usize>,
    /// For each position, how much its value resembles that of its best match.
    pub similarity: Vec<f32>,
    /// The weak positions, in ascending order.
    pub weak: Vec<usize>,
}

/// Returns cross-image attention in which weak positions take the content's own attention.
///
/// Every array is `(tokens, heads * width)` with the same number of tokens, because a position of the
/// output is compared with the same position of the content, and exchanged as a key of either.
///
/// # Errors
///
/// [`AttentionError`] if the arrays do not fit the heads or each other, or the fraction is none.
pub fn filtered_attention<'a>(
    query_output: ArrayView2<f32>,
    style: KeyValue<'_>,
    content: impl Into<ContentAttention<'a>>,
    heads: Heads,
    contrast_strength: f32,
    filter: &Filter,
) -> Result<Array2<f32>, AttentionError> {
    let ContentAttention { own, softmaxes } = content.into();
    check(query_output, style, own, heads, filter)?;
    let scores = [(query_output, style.key), (own.query, own.key)];
    let are_finite = |(query, key)| has_finite_scores(query, key, heads);
    if !scores.into_iter().all(are_finite) {
        return Ok(Array2::from_elem(query_output.raw_dim(), f32::NAN));
    }
    let mixed = Mixed::new(query_output, style, heads, contrast_strength);
    let (attended, best) = match filter.best_match {
        BestMatch::ContrastedAttention => {
            let (attended, best) = mixed.attend_and_match();
            (Some(attended), best)
        }
        BestMatch::FullWidthScores => (None, mixed.match_full_width()),
    };
    let weak = Matches::new(best, style.value, own.value, heads, filter).weak;
    match filter.exchange {
        Exchange::KeyColumns => {
            let attended = match attended {
                Some(attended) => attended,
                None => mixed.attend()?,
            };
            Ok(exchange_columns(
                &mixed,
                attended,
                ContentAttention { own, softmaxes },
                &weak,
            ))
        }
        Exchange::QueryRows => exchange_rows(&mixed, attended, own, &weak),
    }
}

/// Returns which positions [`filtered_attention`] would exchange, and why.
///
/// # Errors
///
/// [`AttentionError`] like [`filtered_attention`].
pub fn find_matches(
    query_output: ArrayView2<f32>,
    style: KeyValue<'_>,
    content: QueryKeyValue<'_>,
    heads: Heads,
    contrast_strength: f32,
    filter: &Filter,
) -> Result<Matches, AttentionError> {
    check(query_output, style, content, heads, filter)?;
    let mixed = Mixed::new(query_output, style, heads, contrast_strength);
    let best = match filter.best_match {
        BestMatch::ContrastedAttention => mixed.attend_and_match().1,
        BestMatch::FullWidthScores => mixed.match_full_width(),
    };
    Ok(Matches::new(
        best,
        style.value,
        content.value,
        heads,
        filter,
    ))
}

impl Matches {
    fn new(
        best: Vec<usize>,
        style_value: ArrayView2<f32>,
        content_value: ArrayView2<f32>,
        heads: Heads,
        filter: &Filter,
    ) -> Self {
        let similarity = similarities(content_value, style_value, &best, heads, filter.similarity);
        let weak = weak_positions(&similarity, filter.fraction);
        Self {
            best,
            similarity,
            weak,
        }
    }
}

fn check(
    query_output: ArrayView2<f32>,
    style: KeyValue<'_>,
    content: QueryKeyValue<'_>,
    heads: Heads,
    filter: &Filter,
) -> Result<(), AttentionError> {
    attention::check(query_output, style, heads)?;
    attention::check(content.query, content.key_value(), heads)?;
    let num_tokens = query_output.nrows();
    attention::check_tokens("style key", style.key, num_tokens)?;
    attention::check_tokens("content query", content.query, num_tokens)?;
    attention::check_tokens("content key", content.key, num_tokens)?;
    if !(0.0..=1.0).contains(&filter.fraction) {
        return Err(AttentionError::Fraction(filter.fraction));
    }
    Ok(())
}
