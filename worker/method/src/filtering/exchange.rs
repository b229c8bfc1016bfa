//! The exchange of the style for the content at weak positions.
//!
//! **Source:** Chigot et al. 2025, section 3.3 (arXiv:2505.16360): the released code exchanges keys, the paper queries.
//! **Differs:** weak columns are subtracted from a whole output instead of being left out of it, and attention is computed
//! for the columns or rows that are exchanged, where that is enough.

use ndarray::{Array2, ArrayView2, Axis};

use super::ContentAttention;
use super::matching::{Attended, Mixed};
use crate::attention::{AttentionError, FRESH, QueryKeyValue, attend};
use kernels::attention::{
    Attention, Contrast, Heads, KeyValue, Keys, Queries, Scaled, Values, add_scaled,
};

/// Returns an output in which the weak keys of the style have made way for those of the content.
///
/// Of the content's attention only the weak columns are needed. With its softmax statistics, only they are computed;
/// without, its keys are put in an order that begins with the weak ones, because the softmax needs all of them.
pub(super) fn exchange_columns(
    mixed: &Mixed<'_>,
    attended: Attended,
    content: ContentAttention<'_>,
    weak: &[usize],
) -> Array2<f32> {
    if weak.is_empty() {
        return attended.output;
    }
    let Attended { mut output, stats } = attended;
    let &Mixed {
        query,
        style,
        heads,
        contrast,
    } = mixed;
    let left_out = Attention {
        queries: &Queries::all(query, heads),
        keys: &Keys::of(style.key, heads, weak),
        values: &Values::of(style.value, heads, weak),
        contrast: Some(contrast),
        stats: Some(&stats),
    };
    let ContentAttention { own, stats } = content;
    let taken_in = Attention {
        queries: &Queries::all(own.query, heads),
        keys: &match stats {
            Some(_) => Keys::of(own.key, heads, weak),
            None => Keys::of(own.key, heads, &weak_first(weak, own.key.nrows())),
        },
        values: &Values::of(own.value, heads, weak),
        contrast: None,
        stats,
    };
    let terms = [
        Scaled {
            factor: -1.0,
            attention: &left_out,
        },
        Scaled {
            factor: 1.0,
            attention: &taken_in,
        },
    ];
    add_scaled(&terms, heads, output.as_slice_mut().expect(FRESH));
    output
}

/// Returns all positions, the weak ones first.
fn weak_first(weak: &[usize], num: usize) -> Vec<usize> {
    let mut is_weak = vec![false; num];
    weak.iter().for_each(|&position| is_weak[position] = true);
    let others = (0..num).filter(|&position| !is_weak[position]);
    weak.iter().copied().chain(others).collect()
}

/// Returns an output in which the weak queries have attended to the content instead.
///
/// The attention of the others to the style is taken from `attended`, or computed for them alone.
pub(super) fn exchange_rows(
    mixed: &Mixed<'_>,
    attended: Option<Attended>,
    content: QueryKeyValue<'_>,
    weak: &[usize],
) -> Result<Array2<f32>, AttentionError> {
    let &Mixed {
        query,
        style,
        heads,
        contrast,
    } = mixed;
    let mut output = match attended {
        Some(attended) => attended.output,
        None => {
            let strong = &weak_first(weak, query.nrows())[weak.len()..];
            let mut output = Array2::zeros(query.raw_dim());
            let to_style = RowAttention {
                query,
                key_value: style,
                heads,
                contrast: Some(contrast),
            };
            to_style.overwrite(strong, &mut output)?;
            output
        }
    };
    let to_content = RowAttention {
        query: content.query,
        key_value: content.key_value(),
        heads,
        contrast: None,
    };
    to_content.overwrite(weak, &mut output)?;
    Ok(output)
}

/// An attention of which some rows are needed.
struct RowAttention<'a> {
    query: ArrayView2<'a, f32>,
    key_value: KeyValue<'a>,
    heads: Heads,
    contrast: Option<Contrast>,
}

impl RowAttention<'_> {
    /// Overwrites some rows of an output with the attention of the same rows of the query.
    fn overwrite(self, rows: &[usize], output: &mut Array2<f32>) -> Result<(), AttentionError> {
        if rows.is_empty() {
            return Ok(());
        }
        let query = self.query.select(Axis(0), rows);
        let (attended, _) = attend(query.view(), self.key_value, self.heads, self.contrast)?;
        for (&row, attended) in rows.iter().zip(attended.rows()) {
            output.row_mut(row).assign(&attended);
        }
        Ok(())
    }
}
