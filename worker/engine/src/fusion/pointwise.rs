//! Convolutions of single pixels, with the sum after them.

use faer::Accum;

use super::convolutions::{Layer, shape_of_outputs, with_sum};
use super::custom_ops::{CustomOp, OpRegistry};
use super::graph_rewriter::{GraphRewriter, Match};
use super::{Fusion, LoadError};
use kernels::bf16::Operands;
use kernels::pointwise::Pointwise;

impl CustomOp for Pointwise {
    const NAME: &'static str = "Pointwise";
    const NUM_INPUTS: usize = 1;
    const ADDS: bool = true;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        shape_of_outputs(self.num_inputs(), self.num_outputs(), inputs)
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], accum: Accum, output: &mut [f32]) {
        let pixels = shape[2] * shape[3];
        let images = inputs[0].chunks_exact(self.num_inputs() * pixels);
        let outputs = output.chunks_exact_mut(self.num_outputs() * pixels);
        for (image, output) in images.zip(outputs) {
            self.write(image, accum, output);
        }
    }
}

impl Fusion for Pointwise {
    /// Replaces convolutions of single pixels, with the sum of their outputs and another image if nothing else reads them.
    ///
    /// Those beside a transposition stay: ONNX Runtime has a way to keep images transposed around them.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError> {
        for node in rewriter.of("Conv") {
            if let Some(found) = match_convolution(rewriter, node)? {
                rewriter.replace(found, registry);
            }
        }
        Ok(())
    }
}

fn match_convolution(
    rewriter: &GraphRewriter<'_>,
    node: usize,
) -> Result<Option<Match<Pointwise>>, LoadError> {
    if is_beside_transposition(rewriter, node) {
        return Ok(None);
    }
    let Some(layer) = Layer::read(rewriter, node, 1)? else {
        return Ok(None);
    };
    let (nodes, inputs) = with_sum(rewriter, node);
    let kernel = match rewriter.operands {
        Operands::Single => Pointwise::new(layer.weights, layer.bias, layer.num_inputs),
        Operands::Bf16 => Pointwise::of_bf16(&layer.weights, layer.bias, layer.num_inputs),
    };
    Ok(Some(Match {
        nodes,
        inputs,
        kernel,
    }))
}

fn is_beside_transposition(rewriter: &GraphRewriter<'_>, node: usize) -> bool {
    let is_transposition = |node: usize| rewriter.is(node, "Transpose");
    let before = rewriter.node(node).input.first();
    let before = before.and_then(|input| rewriter.maker(input));
    let after = rewriter.output(node).map(|output| rewriter.readers(output));
    before.is_some_and(is_transposition)
        || after.is_some_and(|readers| readers.iter().copied().any(is_transposition))
}
