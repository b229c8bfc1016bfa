//! What weak positions give to the output.

use ndarray::{Array2, Axis};

use super::matching::{Attended, Mixed};
use crate::method::attention::{
    AttentionError, Head, Heads, QueryKeyValue, Tokens, add_by_tiles, attend, softmax_columns,
    softmax_rows,
};

/// Returns an output in which the weak keys of the style have made way for those of the content.
///
/// The content's keys are put in an order that begins with the weak ones: the softmax needs all of
/// them, the average of the values only those.
pub(super) fn exchange_columns(
    mixed: &Mixed<'_>,
    attended: Attended,
    content: QueryKeyValue<'_>,
    weak: &[usize],
) -> Array2<f32> {
    if weak.is_empty() {
        return attended.output;
    }
    let Attended { output, rows } = attended;
    let weak_key = mixed.key.selected(weak);
    let weak_value = mixed.value.selected(weak);
    let content_query = Tokens::new(content.query);
    let content_key = Tokens::new(content.key).selected(&weak_first(weak, content.key.nrows()));
    let content_value = Tokens::new(content.value).selected(weak);

    let (output, _) = add_by_tiles(output, |tile, scratch| {
        let rows = rows[tile.index()].iter();
        for (head, rows) in Head::all(mixed.heads).zip(rows) {
            let tokens = tile.tokens.clone();
            let weights = scratch.scores(head, &mixed.query, tokens.clone(), &weak_key);
            softmax_columns(weights, rows, Some(mixed.contrast));
            tile.add_weighted(head, -1.0, weights, &weak_value);

            let weights = scratch.scores(head, &content_query, tokens, &content_key);
            softmax_rows(weights, content_key.num(), None);
            tile.add_weighted(head, 1.0, weights, &content_value);
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
pub(super) fn exchange_rows(
    mut output: Array2<f32>,
    content: QueryKeyValue<'_>,
    heads: Heads,
    weak: &[usize],
) -> Result<Array2<f32>, AttentionError> {
    if weak.is_empty() {
        return Ok(output);
    }
    let query = content.query.select(Axis(0), weak);
    let own = attend(query.view(), content.key_value(), heads, None)?;
    for (&position, own) in weak.iter().zip(own.rows()) {
        output.row_mut(position).assign(&own);
    }
    Ok(output)
}
