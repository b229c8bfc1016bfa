//! Cross-image attention that keeps the content where the style has no good match (CACTIF).
//!
//! Each position's best match in the style is compared with the position's own value; the positions
//! whose similarity lies below a quantile are **weak** and take the content's own attention instead.
//!
//! **Source:** Chigot et al. 2025, section 3.3 (arXiv:2505.16360).
//! **Differs:** the released code and the paper match, compare and exchange differently;
//! `method.preset` chooses between them ([`Filter`]). Weak columns are subtracted from a whole output instead of being left out of it.

mod exchange;
mod matching;

use ndarray::{Array2, ArrayView2};

use kernels::attention::has_finite_scores;

use super::attention::{self, AttentionError, Heads, KeyValue, QueryKeyValue, SoftmaxStats};
use exchange::{exchange_columns, exchange_rows};
pub use matching::{EPSILON, Quantile};
use matching::{Mixed, similarities, weak_positions};

/// The columns or rows of attention that are exchanged at weak positions.
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

/// The content's attention to itself, which weak positions take.
#[derive(Clone, Copy, Debug)]
pub struct ContentAttention<'a> {
    /// Its queries, keys and values.
    pub own: QueryKeyValue<'a>,
    /// Its softmax statistics, if it was computed before: most of it need not be computed again then.
    pub stats: Option<&'a SoftmaxStats>,
}

impl<'a> From<QueryKeyValue<'a>> for ContentAttention<'a> {
    fn from(own: QueryKeyValue<'a>) -> Self {
        Self { own, stats: None }
    }
}

/// The tensors of an injected layer. Each is `(tokens, heads * width)` with the same number of tokens.
///
/// A position of the output is compared with the same position of the content, and exchanged as a key of either.
#[derive(Clone, Copy, Debug)]
pub struct Injected<'a> {
    /// The queries of the output.
    pub query: ArrayView2<'a, f32>,
    /// The keys and values of the style.
    pub style: KeyValue<'a>,
    /// The content.
    pub content: ContentAttention<'a>,
    /// How the columns of all of them are divided.
    pub heads: Heads,
}

/// A reading of the filter: how weak positions are found, and what is exchanged at them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filter {
    /// The quantile of the similarities below which a position is weak, 0 to 1.
    pub fraction: f32,
    /// The columns or rows that are exchanged.
    pub exchange: Exchange,
    /// How the best match of a position is found.
    pub best_match: BestMatch,
    /// How a position's value is compared with that of its best match.
    pub similarity: Similarity,
}

/// The best match of each position, and the positions whose match is weak.
#[derive(Clone, Debug, PartialEq)]
pub struct Matches {
    /// For each position, its best match in the style.
    pub best: Vec<usize>,
    /// For each position, the similarity of its value and that of its best match.
    pub similarity: Vec<f32>,
    /// The weak positions, in ascending order.
    pub weak: Vec<usize>,
}

/// Returns cross-image attention in which weak positions take the content's own attention, `(tokens, heads * width)`.
///
/// # Errors
///
/// [`AttentionError`] if the arrays do not fit the heads or each other, or the fraction is not between 0 and 1.
pub fn filtered_attention(
    injected: Injected<'_>,
    contrast_strength: f32,
    filter: &Filter,
) -> Result<Array2<f32>, AttentionError> {
    check(&injected, filter)?;
    let Injected {
        query,
        style,
        content,
        heads,
    } = injected;
    let own = content.own;
    let scores = [(query, style.key), (own.query, own.key)];
    let are_finite = |(query, key)| has_finite_scores(query, key, heads);
    if !scores.into_iter().all(are_finite) {
        return Ok(Array2::from_elem(query.raw_dim(), f32::NAN));
    }
    let mixed = Mixed::new(&injected, contrast_strength);
    let (attended, best) = match filter.best_match {
        BestMatch::ContrastedAttention => {
            let (attended, best) = mixed.attend_and_match();
            (Some(attended), best)
        }
        BestMatch::FullWidthScores => (None, mixed.match_full_width()),
    };
    let weak = Matches::new(best, &injected, filter).weak;
    match filter.exchange {
        Exchange::KeyColumns => {
            let attended = match attended {
                Some(attended) => attended,
                None => mixed.attend()?,
            };
            Ok(exchange_columns(&mixed, attended, content, &weak))
        }
        Exchange::QueryRows => exchange_rows(&mixed, attended, own, &weak),
    }
}

/// Returns the matches by which [`filtered_attention`] finds weak positions.
///
/// # Errors
///
/// [`AttentionError`] like [`filtered_attention`].
pub fn find_matches(
    injected: Injected<'_>,
    contrast_strength: f32,
    filter: &Filter,
) -> Result<Matches, AttentionError> {
    check(&injected, filter)?;
    let mixed = Mixed::new(&injected, contrast_strength);
    let best = match filter.best_match {
        BestMatch::ContrastedAttention => mixed.attend_and_match().1,
        BestMatch::FullWidthScores => mixed.match_full_width(),
    };
    Ok(Matches::new(best, &injected, filter))
}

impl Matches {
    fn new(best: Vec<usize>, injected: &Injected<'_>, filter: &Filter) -> Self {
        let similarity = similarities(injected, &best, filter.similarity);
        let weak = weak_positions(&similarity, filter.fraction);
        Self {
            best,
            similarity,
            weak,
        }
    }
}

fn check(injected: &Injected<'_>, filter: &Filter) -> Result<(), AttentionError> {
    let &Injected {
        query,
        style,
        content: ContentAttention { own, .. },
        heads,
    } = injected;
    attention::check(query, style, heads)?;
    attention::check(own.query, own.key_value(), heads)?;
    let num_tokens = query.nrows();
    attention::check_tokens("style key", style.key, num_tokens)?;
    attention::check_tokens("content query", own.query, num_tokens)?;
    attention::check_tokens("content key", own.key, num_tokens)?;
    if !(0.0..=1.0).contains(&filter.fraction) {
        return Err(AttentionError::Fraction(filter.fraction));
    }
    Ok(())
}
