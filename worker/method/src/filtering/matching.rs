//! The best match of each position in the style, and the positions whose match is weak.
//!
//! **Source:** Chigot et al. 2025, section 3.3 (arXiv:2505.16360).
//! **Differs:** the released code sums contrasted attention over heads where the paper multiplies whole queries and keys,
//! and sums absolute cosines of heads where the paper takes one of whole values; both are settings.

use ndarray::{Array2, ArrayView1, ArrayView2, s};
use rayon::prelude::*;

use super::{Injected, Similarity};
use crate::attention::{AttentionError, FRESH, attend};
use kernels::attention::{
    Attention, Contrast, Heads, KeyValue, Keys, Queries, SoftmaxStats, Values, best_keys,
};

/// Keeps the cosine of a zero vector from being no number, as in PyTorch.
pub const EPSILON: f32 = 1e-8;

/// Cross-image attention: the queries of the output, the keys and values of the style.
pub(super) struct Mixed<'a> {
    pub(super) query: ArrayView2<'a, f32>,
    pub(super) style: KeyValue<'a>,
    pub(super) heads: Heads,
    pub(super) contrast: Contrast,
}

/// The result of cross-image attention.
pub(super) struct Attended {
    /// `(tokens, heads * width)`
    pub(super) output: Array2<f32>,
    /// Its softmax statistics.
    pub(super) stats: SoftmaxStats,
}

impl<'a> Mixed<'a> {
    pub(super) fn new(injected: &Injected<'a>, contrast_strength: f32) -> Self {
        let style = injected.style;
        Self {
            query: injected.query,
            style,
            heads: injected.heads,
            contrast: Contrast::new(contrast_strength, style.key.nrows()),
        }
    }

    /// Returns the attention alone.
    pub(super) fn attend(&self) -> Result<Attended, AttentionError> {
        let contrast = Some(self.contrast);
        let (output, stats) = attend(self.query, self.style, self.heads, contrast)?;
        Ok(Attended { output, stats })
    }

    /// Returns the attention, and for each query the key with the largest sum of it over heads.
    pub(super) fn attend_and_match(&self) -> (Attended, Vec<usize>) {
        let attention = Attention {
            queries: &Queries::all(self.query, self.heads),
            keys: &Keys::all(self.style.key, self.heads),
            values: &Values::all(self.style.value, self.heads),
            contrast: Some(self.contrast),
            stats: None,
        };
        let mut output = Array2::zeros(self.query.raw_dim());
        let values = output.as_slice_mut().expect(FRESH);
        let (stats, best) = attention.add_and_match(values);
        (Attended { output, stats }, best)
    }

    /// Returns for each query the key with the largest product over the full width.
    pub(super) fn match_full_width(&self) -> Vec<usize> {
        best_keys(self.query, self.style.key, self.heads.operands)
    }
}

/// Returns how much each content value resembles the style value at its best match.
pub(super) fn similarities(
    injected: &Injected<'_>,
    best: &[usize],
    similarity: Similarity,
) -> Vec<f32> {
    let (content, style) = (injected.content.own.value, injected.style.value);
    let heads = injected.heads;
    best.par_iter()
        .enumerate()
        .map(|(position, &best)| {
            let (content, style) = (content.row(position), style.row(best));
            match similarity {
                Similarity::FullWidthCosine => cosine(content, style),
                Similarity::AbsoluteCosineOverHeads => (0..heads.num)
                    .map(|head| {
                        let columns = s![head * heads.width..(head + 1) * heads.width];
                        cosine(content.slice(columns), style.slice(columns)).abs()
                    })
                    .sum(),
            }
        })
        .collect()
}

fn cosine(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f32 {
    let norms = a.dot(&a).sqrt() * b.dot(&b).sqrt();
    a.dot(&b) / norms.max(EPSILON)
}

/// Returns the positions whose similarity lies below the quantile `fraction`, in ascending order.
pub(super) fn weak_positions(similarity: &[f32], fraction: f32) -> Vec<usize> {
    let threshold = quantile(similarity, fraction);
    (0..similarity.len())
        .filter(|&position| similarity[position] < threshold)
        .collect()
}

/// Returns the quantile of values that are not empty, interpolated linearly between two of them.
fn quantile(values: &[f32], fraction: f32) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let Quantile {
        below,
        above,
        share,
    } = Quantile::of(sorted.len(), fraction);
    let (below, above) = (sorted[below], sorted[above]);
    below + (above - below) * share
}

/// The place of a quantile among sorted values.
pub struct Quantile {
    /// Index of the value below it.
    pub below: usize,
    /// Index of the value above it.
    pub above: usize,
    /// The share of the way from one to the other, 0 to 1.
    pub share: f32,
}

impl Quantile {
    /// Returns the place of the quantile `fraction`, 0 to 1, among so many values.
    ///
    /// # Panics
    ///
    /// If there are no values.
    pub fn of(num_values: usize, fraction: f32) -> Self {
        assert!(num_values > 0);
        let position = f64::from(fraction) * (num_values - 1) as f64;
        Self {
            below: position.floor() as usize,
            above: position.ceil() as usize,
            share: position.fract() as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // torch.quantile(torch.tensor([4., 1., 3., 2.]), 0.25) == 1.75
    #[test]
    fn a_quantile_between_two_values_is_interpolated() {
        assert_eq!(quantile(&[4.0, 1.0, 3.0, 2.0], 0.25), 1.75);
        assert_eq!(quantile(&[4.0, 1.0, 3.0, 2.0], 0.0), 1.0);
        assert_eq!(quantile(&[4.0, 1.0, 3.0, 2.0], 1.0), 4.0);
        assert_eq!(quantile(&[5.0], 0.25), 5.0);
    }

    #[test]
    fn positions_at_the_quantile_are_not_weak() {
        assert_eq!(weak_positions(&[1.0, 1.0, 1.0], 0.25), [] as [usize; 0]);
        assert_eq!(weak_positions(&[3.0, 1.0, 2.0], 1.0), [1, 2]);
    }
}
