//! Products of tokens and constant weights, with the sums after them.

use faer::Accum;

use super::custom_ops::{CustomOp, OpRegistry};
use super::graph_rewriter::{GraphRewriter, Match};
use super::{Fusion, LoadError};
use kernels::bf16::Operands;
use kernels::linear::Linear;

impl CustomOp for Linear {
    const NAME: &'static str = "Linear";
    const NUM_INPUTS: usize = 1;
    const ADDS: bool = true;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [tokens] = *inputs else {
            return None;
        };
        let (width, others) = tokens.split_last()?;
        if usize::try_from(*width) != Ok(self.num_inputs()) {
            return None;
        }
        let num_outputs = i64::try_from(self.num_outputs()).ok()?;
        Some([others, &[num_outputs]].concat())
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], accum: Accum, output: &mut [f32]) {
        self.write(inputs[0], accum, output);
    }
}

impl Fusion for Linear {
    /// Replaces products of tokens and constant weights, with the sums that follow if nothing else reads what is between.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError> {
        for node in rewriter.of("MatMul") {
            if let Some(found) = match_product(rewriter, node)? {
                rewriter.replace(found, registry);
            }
        }
        Ok(())
    }
}

/// Returns a product with the sums after it: with a constant of one row, and with another tensor, which is then an input.
fn match_product(
    rewriter: &GraphRewriter<'_>,
    product: usize,
) -> Result<Option<Match<Linear>>, LoadError> {
    let [x, weights] = rewriter.node(product).input.as_slice() else {
        return Ok(None);
    };
    let Some(weights) = rewriter
        .constant(weights)
        .filter(|_| rewriter.constant(x).is_none())
    else {
        return Ok(None);
    };
    let [num_inputs, num_outputs] = weights.dims[..] else {
        return Ok(None);
    };
    // Lengths that are none are ONNX Runtime's to refuse.
    let (Ok(num_inputs), Ok(num_outputs)) =
        (usize::try_from(num_inputs), usize::try_from(num_outputs))
    else {
        return Ok(None);
    };
    let fits = Linear::fits(num_inputs, num_outputs);
    if !fits || num_inputs == 0 || num_outputs == 0 {
        return Ok(None);
    }
    let (mut nodes, mut inputs) = (vec![product], vec![x.clone()]);
    let mut bias = vec![0.0; num_outputs];
    let mut last = product;
    if let Some(sum) = rewriter.only_reader(last, "Add")
        && let Some((_, constant)) = rewriter.with_constant(sum)
        && constant.dims == weights.dims[1..]
    {
        bias = rewriter.numbers(constant)?;
        nodes.push(sum);
        last = sum;
    }
    if let Some((sum, other)) = rewriter.sum_with_another(last) {
        inputs.push(other);
        nodes.push(sum);
    }
    let weights = rewriter.numbers(weights)?;
    let kernel = match rewriter.operands {
        Operands::Single => Linear::new(&weights, bias, num_inputs),
        Operands::Bf16 => Linear::of_bf16(&weights, bias, num_inputs),
    };
    Ok(Some(Match {
        nodes,
        inputs,
        kernel,
    }))
}
