//! Which attentions are replaced.

use super::domain::Computation;
use super::graph::Editor;
use kernels::attention::MultiHeadAttention;

/// Replaces attentions of plain queries, keys and values, of single precision.
pub(super) fn replace(editor: &mut Editor<'_>, attentions: &mut Vec<MultiHeadAttention>) {
    for node in editor.fused("MultiHeadAttention") {
        let inputs = editor.node(node).input.clone();
        let is_single = |input: &String| editor.is_single(input);
        let (3, true) = (inputs.len(), inputs.iter().all(is_single)) else {
            continue;
        };
        let [attribute] = editor.node(node).attribute.as_slice() else {
            continue;
        };
        let num_heads = attribute.i.map_or(Ok(0), usize::try_from);
        let (Some("num_heads"), Ok(num_heads @ 1..)) = (attribute.name.as_deref(), num_heads)
        else {
            continue;
        };
        editor.replace(&[node], &inputs, MultiHeadAttention::NAME, attentions.len());
        attentions.push(MultiHeadAttention { num_heads });
    }
}
