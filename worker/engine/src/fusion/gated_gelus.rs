//! Which activations are replaced.

use super::LoadError;
use super::domain::Computation;
use super::graph::Editor;
use kernels::gated_gelu::GatedGelu;

/// Replaces products of a sum and the `Gelu` of another, where both are sums with constants.
pub(super) fn replace(
    editor: &mut Editor<'_>,
    gated_gelus: &mut Vec<GatedGelu>,
) -> Result<(), LoadError> {
    for node in editor.of("Gelu") {
        let Some((nodes, inputs, activation)) = found(editor, node)? else {
            continue;
        };
        editor.replace(&nodes, &inputs, GatedGelu::NAME, gated_gelus.len());
        gated_gelus.push(activation);
    }
    Ok(())
}

type Found = (Vec<usize>, [String; 2], GatedGelu);

fn found(editor: &Editor<'_>, gelu: usize) -> Result<Option<Found>, LoadError> {
    let Some((nodes, [hidden, gate])) = around(editor, gelu) else {
        return Ok(None);
    };
    let [Some((hidden, hidden_bias)), Some((gate, gate_bias))] =
        [hidden, gate].map(|sum| editor.with_constant(sum))
    else {
        return Ok(None);
    };
    if hidden_bias.dims.len() != 1 || hidden_bias.dims != gate_bias.dims {
        return Ok(None);
    }
    let activation = GatedGelu {
        hidden_bias: editor.numbers(hidden_bias)?,
        gate_bias: editor.numbers(gate_bias)?,
    };
    let inputs = [hidden.to_owned(), gate.to_owned()];
    Ok(Some((nodes, inputs, activation)))
}

/// Returns the nodes of the activation, and those that add to hidden values and to gates.
fn around(editor: &Editor<'_>, gelu: usize) -> Option<(Vec<usize>, [usize; 2])> {
    let is_exact = |a: &super::onnx::Attribute| match a.name.as_deref() {
        Some("approximate") => a.s.as_deref() == Some(b"none"),
        _ => false,
    };
    if !editor.node(gelu).attribute.iter().all(is_exact) {
        return None;
    }
    let sum_before = |tensor: &str| {
        let sum = editor.maker(tensor)?;
        (editor.is(sum, "Add") && editor.readers(tensor).len() == 1).then_some(sum)
    };
    let gate = sum_before(editor.node(gelu).input.first()?)?;
    let product = editor.only_reader(gelu, "Mul")?;
    let activated = editor.output(gelu)?;
    let mut others = editor.node(product).input.iter();
    let hidden = sum_before(others.find(|input| *input != activated)?)?;
    Some((vec![gate, gelu, hidden, product], [hidden, gate]))
}
