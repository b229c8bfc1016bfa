//! Which products are replaced.

use super::LoadError;
use super::domain::Computation;
use super::graph::Editor;
use kernels::linear::Linear;

/// Replaces products of tokens and constant weights, with the sums that follow if nothing else reads what is between.
pub(super) fn replace(editor: &mut Editor<'_>, linears: &mut Vec<Linear>) -> Result<(), LoadError> {
    for node in editor.of("MatMul") {
        let Some(found) = found(editor, node)? else {
            continue;
        };
        editor.replace(&found.nodes, &found.inputs, Linear::NAME, linears.len());
        linears.push(found.layer);
    }
    Ok(())
}

struct Found {
    nodes: Vec<usize>,
    /// Tokens, and what is added to their outputs if it is another tensor.
    inputs: Vec<String>,
    layer: Linear,
}

fn found(editor: &Editor<'_>, product: usize) -> Result<Option<Found>, LoadError> {
    let [x, weights] = editor.node(product).input.as_slice() else {
        return Ok(None);
    };
    let Some(weights) = editor
        .constant(weights)
        .filter(|_| editor.constant(x).is_none())
    else {
        return Ok(None);
    };
    let [num_inputs, num_outputs] = weights.dims[..] else {
        return Ok(None);
    };
    let length = |length: i64| usize::try_from(length).unwrap_or(0);
    let (num_inputs, num_outputs) = (length(num_inputs), length(num_outputs));
    if !Linear::fits(num_inputs, num_outputs) || num_inputs == 0 || num_outputs == 0 {
        return Ok(None);
    }
    let (mut nodes, mut inputs) = (vec![product], vec![x.clone()]);
    let mut bias = vec![0.0; num_outputs];
    let mut last = product;
    if let Some(sum) = editor.only_reader(last, "Add")
        && let Some((_, constant)) = editor.with_constant(sum)
        && constant.dims == [num_outputs as i64]
    {
        bias = editor.numbers(constant)?;
        nodes.push(sum);
        last = sum;
    }
    if let Some((sum, other)) = editor.sum_with_another(last) {
        inputs.push(other);
        nodes.push(sum);
    }
    let layer = Linear::new(&editor.numbers(weights)?, bias, num_inputs);
    Ok(Some(Found {
        nodes,
        inputs,
        layer,
    }))
}
