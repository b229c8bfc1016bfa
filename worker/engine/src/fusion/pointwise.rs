//! Which convolutions of single pixels are replaced.

use super::LoadError;
use super::convolutions::{Layer, with_sum};
use super::domain::Computation;
use super::graph::Editor;
use kernels::pointwise::Pointwise;

/// Replaces convolutions of single pixels, with the sum of their outputs and another image if nothing else reads them.
///
/// Those beside a transposition stay: ONNX Runtime has a way to keep images transposed around them.
pub(super) fn replace(
    editor: &mut Editor<'_>,
    pointwise: &mut Vec<Pointwise>,
) -> Result<(), LoadError> {
    for node in editor.of("Conv") {
        if is_beside_transposition(editor, node) {
            continue;
        }
        let Some(layer) = Layer::read(editor, node, 1)? else {
            continue;
        };
        let (nodes, inputs) = with_sum(editor, node);
        editor.replace(&nodes, &inputs, Pointwise::NAME, pointwise.len());
        pointwise.push(Pointwise::new(layer.weights, layer.bias, layer.num_inputs));
    }
    Ok(())
}

fn is_beside_transposition(editor: &Editor<'_>, node: usize) -> bool {
    let is_transposition = |node: usize| editor.is(node, "Transpose");
    let before = editor.node(node).input.first();
    let before = before.and_then(|input| editor.maker(input));
    let after = editor.output(node).map(|output| editor.readers(output));
    before.is_some_and(is_transposition)
        || after
            .unwrap_or_default()
            .iter()
            .copied()
            .any(is_transposition)
}
