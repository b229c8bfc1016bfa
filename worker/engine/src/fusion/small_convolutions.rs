//! Convolutions of 3x3 pixels on images that are too small for tiles, with the sum after them, of bfloat16.
//!
//! Of single precision they are ONNX Runtime's.

use faer::Accum;

use super::convolutions::{Layer, shape_of_outputs, with_sum};
use super::custom_ops::{CustomOp, OpRegistry};
use super::graph_rewriter::{GraphRewriter, Match};
use super::{Fusion, LoadError};
use kernels::bf16::Operands;
use kernels::convolution::{Convolution, Image};
use kernels::small_convolution::SmallConvolution;

impl CustomOp for SmallConvolution {
    const NAME: &'static str = "SmallConvolution";
    const NUM_INPUTS: usize = 1;
    const ADDS: bool = true;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        shape_of_outputs(self.num_inputs(), self.num_outputs(), inputs)
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], accum: Accum, output: &mut [f32]) {
        let (height, width) = (shape[2], shape[3]);
        let images = inputs[0].chunks_exact(self.num_inputs() * height * width);
        let outputs = output.chunks_exact_mut(self.num_outputs() * height * width);
        for (pixels, output) in images.zip(outputs) {
            let image = Image {
                pixels,
                height,
                width,
            };
            self.write(&image, accum, output);
        }
    }
}

impl Fusion for SmallConvolution {
    /// Replaces, where products are of bfloat16, convolutions of 3x3 pixels at stride 1 of images of a known size that is
    /// too small for others, with the sum of their outputs and another image if nothing else reads them.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError> {
        if rewriter.operands == Operands::Single {
            return Ok(());
        }
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
) -> Result<Option<Match<SmallConvolution>>, LoadError> {
    let shape = rewriter.node(node).input.first();
    let Some([_, _, Some(height), Some(width)]) = shape.and_then(|input| rewriter.shape(input))
    else {
        return Ok(None);
    };
    if Convolution::pays(*height, *width) {
        return Ok(None);
    }
    let Some(layer) = Layer::read(rewriter, node, 3)? else {
        return Ok(None);
    };
    let (nodes, inputs) = with_sum(rewriter, node);
    Ok(Some(Match {
        nodes,
        inputs,
        kernel: SmallConvolution::of_bf16(&layer.weights, layer.bias, layer.num_inputs),
    }))
}
