//! Convolutions of 3x3 pixels, with the normalisation or upsampling before them and the sum after them.

use std::collections::HashMap;

use faer::Accum;

use super::custom_ops::{CustomOp, OpRegistry};
use super::graph_rewriter::{GraphRewriter, Match};
use super::group_norms;
use super::onnx::{Attribute, Node};
use super::{Fusion, LoadError};
use kernels::bf16::Operands;
use kernels::convolution::{Convolution, Image};
use kernels::group_norm::GroupNorm;

/// With fewer channels on either side there is too little to save.
const MIN_CHANNELS: usize = 16;

impl CustomOp for Convolution {
    const NAME: &'static str = "Convolution";
    const NUM_INPUTS: usize = 1;
    const ADDS: bool = true;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let mut shape = shape_of_outputs(self.num_inputs(), self.num_outputs(), inputs)?;
        for length in &mut shape[2..] {
            if let Ok(known) = usize::try_from(*length) {
                *length = i64::try_from(self.length_of_outputs(known)).ok()?;
            }
        }
        Some(shape)
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], accum: Accum, output: &mut [f32]) {
        let (height, width) = (shape[2], shape[3]);
        let images = inputs[0].chunks_exact(self.num_inputs() * height * width);
        let outputs = output.chunks_exact_mut(output.len() / shape[0]);
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

impl Fusion for Convolution {
    /// Replaces convolutions of 3x3 pixels at stride 1, of images of a known size that is large enough, with the
    /// normalisation or upsampling before them and the sum of their outputs and another image, if nothing else reads those.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError> {
        let mut norms: HashMap<String, Match<GroupNorm>> =
            group_norms::match_all(rewriter)?.into_iter().collect();
        for node in rewriter.of("Conv") {
            if let Some(found) = match_convolution(rewriter, node, &mut norms)? {
                rewriter.replace(found, registry);
            }
        }
        Ok(())
    }
}

/// Returns a convolution with what is around it; a normalisation before it is taken from `norms`, those of the graph by
/// their outputs.
fn match_convolution(
    rewriter: &GraphRewriter<'_>,
    node: usize,
    norms: &mut HashMap<String, Match<GroupNorm>>,
) -> Result<Option<Match<Convolution>>, LoadError> {
    let Some(mut kernel) = read_convolution(rewriter, node)? else {
        return Ok(None);
    };
    let (mut nodes, mut inputs) = with_sum(rewriter, node);
    let is_of_others = |norm: &Match<GroupNorm>| norm.kernel.weight.len() != kernel.num_inputs();
    if norms.get(&inputs[0]).is_some_and(is_of_others) {
        return Ok(None);
    }
    if rewriter.readers(&inputs[0]) == [node] {
        if let Some(mut before) = norms.remove(&inputs[0]) {
            nodes.append(&mut before.nodes);
            inputs = [before.inputs, inputs.split_off(1)].concat();
            kernel = kernel.after_normalisation(before.kernel);
        } else if let Some((upsampling, image)) = upsampled(rewriter, &inputs[0])? {
            nodes.push(upsampling);
            inputs[0] = image;
            kernel = kernel.after_upsampling();
        }
    }
    Ok(Some(Match {
        nodes,
        inputs,
        kernel,
    }))
}

fn read_convolution(
    rewriter: &GraphRewriter<'_>,
    node: usize,
) -> Result<Option<Convolution>, LoadError> {
    let shape = rewriter.node(node).input.first();
    let Some([_, _, Some(height), Some(width)]) = shape.and_then(|input| rewriter.shape(input))
    else {
        return Ok(None);
    };
    if !Convolution::pays(*height, *width) {
        return Ok(None);
    }
    let layer = Layer::read(rewriter, node, 3)?;
    Ok(layer.map(|layer| {
        let kernel = Convolution::new(&layer.weights, layer.bias, layer.num_inputs);
        match rewriter.operands {
            Operands::Single => kernel,
            Operands::Bf16 => kernel.of_bf16(),
        }
    }))
}

/// Returns the node that makes an image by repeating each pixel of another in either direction, and that other image.
fn upsampled(
    rewriter: &GraphRewriter<'_>,
    image: &str,
) -> Result<Option<(usize, String)>, LoadError> {
    let maker = rewriter.maker(image);
    let Some(resize) = maker.filter(|maker| rewriter.is(*maker, "Resize")) else {
        return Ok(None);
    };
    let Node {
        input, attribute, ..
    } = rewriter.node(resize);
    let [smaller, _, factors] = input.as_slice() else {
        return Ok(None);
    };
    let says = |name: &str, value: &str| {
        let mut of_name = attribute.iter().filter(|a| a.name.as_deref() == Some(name));
        of_name.any(|attribute| attribute.s.as_deref() == Some(value.as_bytes()))
    };
    let repeats = says("mode", "nearest")
        && says("coordinate_transformation_mode", "asymmetric")
        && says("nearest_mode", "floor")
        && !attribute.iter().any(|a| a.name.as_deref() == Some("axes"));
    let Some(factors) = rewriter.constant(factors).filter(|_| repeats) else {
        return Ok(None);
    };
    // Of batch, channels, height and width.
    let factor = Convolution::UPSAMPLING as f32;
    let is_ours = rewriter.numbers(factors)? == [1.0, 1.0, factor, factor];
    Ok(is_ours.then(|| (resize, smaller.clone())))
}

/// Returns the shape of what a convolution makes of images `(batch, channels, height, width)`.
pub(super) fn shape_of_outputs(
    num_inputs: usize,
    num_outputs: usize,
    inputs: &[&[i64]],
) -> Option<Vec<i64>> {
    let [[batch, channels, height, width]] = *inputs else {
        return None;
    };
    if usize::try_from(*channels) != Ok(num_inputs) {
        return None;
    }
    Some(vec![
        *batch,
        i64::try_from(num_outputs).ok()?,
        *height,
        *width,
    ])
}

/// Returns a convolution and the sum that alone reads it, if there is one, and the images that both read.
pub(super) fn with_sum(rewriter: &GraphRewriter<'_>, node: usize) -> (Vec<usize>, Vec<String>) {
    let (mut nodes, mut inputs) = (vec![node], rewriter.node(node).input[..1].to_vec());
    if let Some((sum, other)) = rewriter.sum_with_another(node) {
        nodes.push(sum);
        inputs.push(other);
    }
    (nodes, inputs)
}

/// The numbers of a convolution whose outputs are as large as its inputs.
pub(super) struct Layer {
    /// `(outputs, inputs, kernel, kernel)`
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) num_inputs: usize,
}

impl Layer {
    /// Reads a convolution of `kernel` pixels at stride 1; none if it is another, or one of few channels.
    pub(super) fn read(
        rewriter: &GraphRewriter<'_>,
        node: usize,
        kernel: i64,
    ) -> Result<Option<Self>, LoadError> {
        let (inputs, attributes) = (&rewriter.node(node).input, &rewriter.node(node).attribute);
        let constant = |place: usize| rewriter.constant(inputs.get(place)?);
        let Some(weights) = constant(1).filter(|_| is_plain(attributes, kernel)) else {
            return Ok(None);
        };
        let [num_outputs, num_inputs, height, width] = weights.dims[..] else {
            return Ok(None);
        };
        // Lengths that are none are ONNX Runtime's to refuse.
        let (Ok(num_outputs), Ok(num_inputs)) =
            (usize::try_from(num_outputs), usize::try_from(num_inputs))
        else {
            return Ok(None);
        };
        if [height, width] != [kernel; 2]
            || num_outputs.max(num_inputs) < MIN_CHANNELS
            || num_outputs.min(num_inputs) == 0
        {
            return Ok(None);
        }
        let bias = match (inputs.get(2).filter(|name| !name.is_empty()), constant(2)) {
            (None, _) => vec![0.0; num_outputs],
            (Some(_), Some(bias)) if bias.dims == weights.dims[..1] => rewriter.numbers(bias)?,
            // One of another length is ONNX Runtime's to refuse as well.
            (Some(_), _) => return Ok(None),
        };
        Ok(Some(Self {
            weights: rewriter.numbers(weights)?,
            bias,
            num_inputs,
        }))
    }
}

/// Returns whether a convolution has stride 1 and outputs as large as its inputs.
fn is_plain(attributes: &[Attribute], kernel: i64) -> bool {
    let has_pads = |a: &Attribute| a.name.as_deref() == Some("pads");
    attributes.iter().any(has_pads)
        && attributes.iter().all(|attribute| {
            let Attribute { i, s, ints, .. } = attribute;
            match attribute.name.as_deref() {
                Some("group") => *i == Some(1),
                Some("auto_pad") => s.as_deref() == Some(b"NOTSET"),
                Some("strides" | "dilations") => ints == &[1, 1],
                Some("pads") => ints == &[kernel / 2; 4],
                Some("kernel_shape") => ints == &[kernel; 2],
                _ => false,
            }
        })
}
