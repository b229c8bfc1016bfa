//! Which positions have no good match in the style.

use ndarray::{Array2, ArrayView1, ArrayView2, s};
use rayon::prelude::*;

use super::Similarity;
use crate::attention::{AttentionError, attend};
use kernels::attention::{
    Attention, Contrast, Heads, KeyValue, Keys, Length, Queries, Softmaxes, Values, add_by_strips,
    map_strips,
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
    /// Its softmaxes.
    pub(super) softmaxes: Softmaxes,
}

impl<'a> Mixed<'a> {
    pub(super) fn new<'q: 'a, 's: 'a>(
        query_output: ArrayView2<'q, f32>,
        style: KeyValue<'s>,
        heads: Heads,
        contrast_strength: f32,
    ) -> Self {
        Self {
            query: query_output.reborrow(),
            style: KeyValue {
                key: style.key.reborrow(),
                value: style.value.reborrow(),
            },
            heads,
            contrast: Contrast::new(contrast_strength, style.key.nrows()),
        }
    }

    /// Returns the attention alone.
    pub(super) fn attend(&self) -> Result<Attended, AttentionError> {
        let contrast = Some(self.contrast);
        let (output, softmaxes) = attend(self.query, self.style, self.heads, contrast)?;
        Ok(Attended { output, softmaxes })
    }

    /// Returns the attention, and for each query the key with the largest sum of it over heads.
    pub(super) fn attend_and_match(&self) -> (Attended, Vec<usize>) {
        let attention = Attention {
            queries: &Queries::all(self.query, self.heads),
            keys: &Keys::all(self.style.key, self.heads),
            values: &Values::all(self.style.value, self.heads),
            contrast: Some(self.contrast),
            softmaxes: None,
        };
        let mut output = Array2::zeros(self.query.raw_dim());
        let values = output.as_slice_mut().expect("a new array is one slice");
        let strips = add_by_strips(values, self.heads, Length::OfSums, |strip, output| {
            let heads = 0..self.heads.num;
            let softmaxes = heads.map(|head| strip.attend_and_sum(head, &attention, output));
            (softmaxes.collect(), strip.best_by_sums())
        });
        let (softmaxes, best): (Vec<_>, Vec<_>) = strips.into_iter().unzip();
        let softmaxes = Softmaxes::of(softmaxes);
        (Attended { output, softmaxes }, best.concat())
    }

    /// Returns for each query the key with the largest product over the full width.
    pub(super) fn match_full_width(&self) -> Vec<usize> {
        let Heads { num, width } = self.heads;
        let whole = Heads {
            num: 1,
            width: num * width,
        };
        let queries = Queries::all(self.query, whole);
        let keys = Keys::all(self.style.key, whole);
        let strips = map_strips(self.query.nrows(), whole, |strip| {
            strip.best_by_scores(&queries, &keys)
        });
        strips.concat()
    }
}

/// Returns how much each content value resembles the style value at its best match.
pub(super) fn similarities(
    content: ArrayView2<f32>,
    style: ArrayView2<f32>,
    best: &[usize],
    heads: Heads,
    similarity: Similarity,
) -> Vec<f32> {
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

/// Where a quantile lies among sorted values.
pub struct Quantile {
    /// Place of the value below it.
    pub below: usize,
    /// Place of the value above it.
    pub above: usize,
    /// How far it is from one to the other.
    pub share: f32,
}

impl Quantile {
    /// Returns the place of a quantile among so many values, at least one.
    pub fn of(num_values: usize, fraction: f32) -> Self {
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
