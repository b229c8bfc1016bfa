//! The gated activation of transformers, with the sums before it.

use faer::Accum;

use super::custom_ops::{CustomOp, OpRegistry};
use super::graph_rewriter::{GraphRewriter, Match};
use super::onnx::Attribute;
use super::{Fusion, LoadError};
use kernels::gated_gelu::{Gated, GatedGelu};

impl CustomOp for GatedGelu {
    const NAME: &'static str = "GatedGelu";
    const NUM_INPUTS: usize = 2;
    const ADDS: bool = false;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [hidden, gate] = *inputs else {
            return None;
        };
        let width = usize::try_from(*hidden.last()?);
        (width == Ok(self.hidden_bias.len()) && hidden == gate).then(|| hidden.to_vec())
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], _: Accum, output: &mut [f32]) {
        let [hidden, gate] = [inputs[0], inputs[1]];
        self.write(Gated { hidden, gate }, output);
    }
}

impl Fusion for GatedGelu {
    /// Replaces products of a sum and the `Gelu` of another, where both are sums with constants.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError> {
        for node in rewriter.of("Gelu") {
            if let Some(found) = match_activation(rewriter, node)? {
                rewriter.replace(found, registry);
            }
        }
        Ok(())
    }
}

fn match_activation(
    rewriter: &GraphRewriter<'_>,
    gelu: usize,
) -> Result<Option<Match<GatedGelu>>, LoadError> {
    let Some((nodes, [hidden, gate])) = match_nodes(rewriter, gelu) else {
        return Ok(None);
    };
    let [Some((hidden, hidden_bias)), Some((gate, gate_bias))] =
        [hidden, gate].map(|sum| rewriter.with_constant(sum))
    else {
        return Ok(None);
    };
    if hidden_bias.dims.len() != 1 || hidden_bias.dims != gate_bias.dims {
        return Ok(None);
    }
    let kernel = GatedGelu {
        hidden_bias: rewriter.numbers(hidden_bias)?,
        gate_bias: rewriter.numbers(gate_bias)?,
    };
    Ok(Some(Match {
        nodes,
        inputs: vec![hidden.to_owned(), gate.to_owned()],
        kernel,
    }))
}

/// Returns the nodes of the activation, and those that add to hidden values and to gates.
fn match_nodes(rewriter: &GraphRewriter<'_>, gelu: usize) -> Option<(Vec<usize>, [usize; 2])> {
    let is_exact = |a: &Attribute| match a.name.as_deref() {
        Some("approximate") => a.s.as_deref() == Some(b"none"),
        _ => false,
    };
    if !rewriter.node(gelu).attribute.iter().all(is_exact) {
        return None;
    }
    let sum_before = |tensor: &str| {
        let sum = rewriter.maker(tensor)?;
        (rewriter.is(sum, "Add") && rewriter.readers(tensor).len() == 1).then_some(sum)
    };
    let gate = sum_before(rewriter.node(gelu).input.first()?)?;
    let product = rewriter.only_reader(gelu, "Mul")?;
    let activated = rewriter.output(gelu)?;
    let mut others = rewriter.node(product).input.iter();
    let hidden = sum_before(others.find(|input| *input != activated)?)?;
    Some((vec![gate, gelu, hidden, product], [hidden, gate]))
}
