//! Cross-image attention that keeps strong pairs of one class (ASTModel).
//!
//! With `A` the contrasted attention of a head, a pair of a query and a key is kept if both show one class and the mean of
//! `A` over heads is above `median + threshold_lambda * deviation`, where the lower median and the lower median distance
//! from it are those of all pairs. A query attends to the keys that are kept; what is left to a whole is attention of the
//! content to itself:
//!
//! `output(q) = sum_k A(q, k) V_style(k) + (1 - sum_k A(q, k)) * content(q)` over kept keys.
//!
//! Contrast may take the sum beyond one; the content's share is negative then.
//!
//! **Source:** Yao et al. 2026 (arXiv:2606.29286), the released code.
//! **Differs:** the matrix of all pairs is gone through instead of held ([`kernels::median`]), and pairs of two classes are
//! left out of the products.

#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayView2, Axis};

use super::attention::{self, AttentionError, FRESH, Heads, KeyValue};
use kernels::attention::{
    AboveThreshold, Contrast, HeadMeans, KeptAttention, Keys, Pairs, Queries, SoftmaxStats, Values,
    has_finite_scores,
};
use kernels::median::MedianDeviation;
use shared::dataset::classes::NUM_CLASSES;

/// The tensors of an injected layer and the classes of its tokens.
#[derive(Clone, Copy, Debug)]
pub struct ClassInjected<'a> {
    /// The queries of the output, `(tokens, heads * width)`.
    pub query: ArrayView2<'a, f32>,
    /// The keys and values of the style.
    pub style: KeyValue<'a>,
    /// The attention of the content to itself, `(tokens, heads * width)`.
    pub content: ArrayView2<'a, f32>,
    /// How the columns of all of them are divided.
    pub heads: Heads,
    /// The content's class at each query.
    pub query_classes: &'a [u8],
    /// The style's class at each key.
    pub key_classes: &'a [u8],
}

/// How strong a pair must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassFilter {
    /// Factor by which attention is stretched about its mean.
    pub contrast_strength: f32,
    /// Deviations above the median at which a pair is strong.
    pub threshold_lambda: f32,
}

/// The result of filtered attention.
#[derive(Clone, Debug)]
pub struct ClassFiltered {
    /// `(tokens, heads * width)`
    pub output: Array2<f32>,
    /// What was kept of it.
    pub kept: KeptPairs,
}

/// The pairs that were kept of an attention.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptPairs {
    /// Median and deviation of all pairs, and what a strong one exceeds.
    pub threshold: Threshold,
    /// The number of pairs of one class.
    pub num_of_one_class: usize,
    /// For each query, the number of kept keys.
    pub num_kept: Vec<usize>,
    /// `(heads, queries)`: sums of attention to kept keys.
    pub sums: Array2<f32>,
}

/// What a strong pair exceeds, and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The lower median of the mean attention of all pairs.
    pub median: f32,
    /// The lower median of distances from it.
    pub deviation: f32,
    /// The threshold.
    pub value: f32,
}

/// Returns the attention of an output to its style through the filter.
///
/// It is NaN where scores may not be finite.
///
/// # Errors
///
/// [`AttentionError`] if the arrays or classes do not fit the heads or each other.
pub fn class_filtered_attention(
    injected: ClassInjected<'_>,
    filter: &ClassFilter,
) -> Result<ClassFiltered, AttentionError> {
    check(&injected)?;
    let ClassInjected {
        query,
        style,
        content,
        heads,
        ..
    } = injected;
    if !has_finite_scores(query, style.key, heads) {
        return Ok(not_finite(&injected));
    }
    let contrast = Contrast::new(filter.contrast_strength, style.key.nrows());
    let (queries, keys) = (Queries::all(query, heads), Keys::all(style.key, heads));
    let mut means = HeadMeans::new(Pairs {
        queries: &queries,
        keys: &keys,
        contrast,
    });
    let MedianDeviation { median, deviation } = MedianDeviation::of(&mut means);
    let threshold = Threshold {
        median,
        deviation,
        value: median + filter.threshold_lambda * deviation,
    };
    let mut output = Array2::zeros(query.raw_dim());
    let kept = Strong {
        contrast,
        threshold: threshold.value,
        stats: &means.into_stats(),
    }
    .attend(&injected, &mut output);
    let mut sums = Array2::zeros((heads.num, query.nrows()));
    for (q, kept) in kept.iter().enumerate() {
        for (head, &sum) in kept.sums.iter().enumerate() {
            sums[(head, q)] = sum;
        }
    }
    for ((q, column), value) in output.indexed_iter_mut() {
        *value += (1.0 - sums[(column / heads.width, q)]) * content[(q, column)];
    }
    let kept = KeptPairs {
        threshold,
        num_of_one_class: num_of_one_class(injected.query_classes, injected.key_classes),
        num_kept: kept.into_iter().map(|kept| kept.num_keys).collect(),
        sums,
    };
    Ok(ClassFiltered { output, kept })
}

/// How attention is restricted to strong pairs.
struct Strong<'a> {
    contrast: Contrast,
    threshold: f32,
    /// Of all queries.
    stats: &'a SoftmaxStats,
}

impl Strong<'_> {
    /// Writes the attention of each query to the strong keys of its class, and returns what was kept.
    fn attend(&self, injected: &ClassInjected<'_>, output: &mut Array2<f32>) -> Vec<KeptAttention> {
        let heads = injected.heads;
        let nothing = KeptAttention {
            num_keys: 0,
            sums: vec![0.0; heads.num],
        };
        let mut all = vec![nothing; output.nrows()];
        for class in (0..=u8::MAX).take(NUM_CLASSES) {
            let queries = positions(injected.query_classes, class);
            let keys = positions(injected.key_classes, class);
            if queries.is_empty() || keys.is_empty() {
                continue;
            }
            let attention = AboveThreshold {
                pairs: Pairs {
                    queries: &Queries::of(injected.query, heads, &queries),
                    keys: &Keys::of(injected.style.key, heads, &keys),
                    contrast: self.contrast,
                },
                values: &Values::of(injected.style.value, heads, &keys),
                stats: &self.stats.of_queries(&queries),
                threshold: self.threshold,
            };
            let mut attended = Array2::zeros((queries.len(), output.ncols()));
            let kept = attention.add_to(attended.as_slice_mut().expect(FRESH));
            for ((&q, kept), attended) in queries.iter().zip(kept).zip(attended.axis_iter(Axis(0)))
            {
                output.row_mut(q).assign(&attended);
                all[q] = kept;
            }
        }
        all
    }
}

/// Returns the positions that show a class.
fn positions(classes: &[u8], class: u8) -> Vec<usize> {
    let shown = classes
        .iter()
        .enumerate()
        .filter(|&(_, &shown)| shown == class);
    shown.map(|(position, _)| position).collect()
}

/// Returns the number of pairs of a query and a key that show one class.
#[must_use]
pub fn num_of_one_class(query_classes: &[u8], key_classes: &[u8]) -> usize {
    let num = |classes: &[u8], class: u8| classes.iter().filter(|&&shown| shown == class).count();
    let classes = (0..=u8::MAX).take(NUM_CLASSES);
    let pairs = classes.map(|class| num(query_classes, class) * num(key_classes, class));
    pairs.sum()
}

/// Returns what arithmetic makes of numbers that are not finite.
fn not_finite(injected: &ClassInjected<'_>) -> ClassFiltered {
    let query = injected.query;
    let kept = KeptPairs {
        threshold: Threshold {
            median: f32::NAN,
            deviation: f32::NAN,
            value: f32::NAN,
        },
        num_of_one_class: num_of_one_class(injected.query_classes, injected.key_classes),
        num_kept: vec![0; query.nrows()],
        sums: Array2::from_elem((injected.heads.num, query.nrows()), f32::NAN),
    };
    ClassFiltered {
        output: Array2::from_elem(query.raw_dim(), f32::NAN),
        kept,
    }
}

fn check(injected: &ClassInjected<'_>) -> Result<(), AttentionError> {
    let &ClassInjected {
        query,
        style,
        content,
        heads,
        query_classes,
        key_classes,
    } = injected;
    attention::check(query, style, heads)?;
    attention::check_tokens("attention of the content", content, query.nrows())?;
    if content.ncols() != query.ncols() {
        return Err(AttentionError::Width {
            what: "attention of the content",
            found: content.ncols(),
            expected: query.ncols(),
        });
    }
    for (what, classes, expected) in [
        ("class map of the content", query_classes, query.nrows()),
        ("class map of the style", key_classes, style.key.nrows()),
    ] {
        let found = classes.len();
        if found != expected {
            return Err(AttentionError::Tokens {
                what,
                found,
                expected,
            });
        }
    }
    Ok(())
}
