//! What weak positions give to the output.

use ndarray::{Array2, ArrayView2, Axis};

use super::ContentAttention;
use super::matching::{Attended, Mixed};
use crate::attention::{AttentionError, QueryKeyValue, attend};
use kernels::attention::{
    Attention, Contrast, Heads, KeyValue, Keys, Length, Queries, Values, add_by_strips,
};

/// Returns an output in which the weak keys of the style have made way for those of the content.
///
/// Of the content's attention only the weak columns are needed. Where its softmax is known, they are all that is made;
/// else its keys are put in an order that begins with the weak ones: the softmax needs all of them.
pub(super) fn exchange_columns(
    mixed: &Mixed<'_>,
    attended: Attended,
    content: ContentAttention<'_>,
    weak: &[usize],
) -> Array2<f32> {
    if weak.is_empty() {
        return attended.output;
    }
    let Attended {
        mut output,
        softmaxes,
    } = attended;
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
        softmaxes: Some(&softmaxes),
    };
    let ContentAttention { own, softmaxes } = content;
    let taken_in = Attention {
        queries: &Queries::all(own.query, heads),
        keys: &match softmaxes {
            Some(_) => Keys::of(own.key, heads, weak),
            None => Keys::of(own.key, heads, &weak_first(weak, own.key.nrows())),
        },
        values: &Values::of(own.value, heads, weak),
        contrast: None,
        softmaxes,
    };
    let values = output.as_slice_mut();
    let values = values.expect("an output of attention is one slice");
    add_by_strips(values, heads, Length::Any, |strip, output| {
        for head in 0..heads.num {
            strip.attend(head, &left_out, -1.0, output);
            strip.attend(head, &taken_in, 1.0, output);
        }
    });
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
/// What the others have attended to the style is taken from `attended`, or made for them alone.
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
            attend_rows(&mut output, query, style, heads, Some(contrast), strong)?;
            output
        }
    };
    let (query, own) = (content.query, content.key_value());
    attend_rows(&mut output, query, own, heads, None, weak)?;
    Ok(output)
}

/// Overwrites some rows of an output with the attention of the same rows of `query`.
fn attend_rows(
    output: &mut Array2<f32>,
    query: ArrayView2<f32>,
    key_value: KeyValue<'_>,
    heads: Heads,
    contrast: Option<Contrast>,
    rows: &[usize],
) -> Result<(), AttentionError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = query.select(Axis(0), rows);
    let (attended, _) = attend(query.view(), key_value, heads, contrast)?;
    for (&row, attended) in rows.iter().zip(attended.rows()) {
        output.row_mut(row).assign(&attended);
    }
    Ok(())
}
