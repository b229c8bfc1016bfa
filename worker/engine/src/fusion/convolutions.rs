//! Which convolutions are replaced.

use std::collections::HashMap;

use super::LoadError;
use super::domain::Computation;
use super::graph::Editor;
use super::group_norms::{self, Normalisation};
use super::onnx::{Attribute, Node};
use kernels::convolution::Convolution;

/// With fewer channels on either side there is too little to save.
const MIN_CHANNELS: usize = 16;

/// Replaces convolutions of 3x3 pixels at stride 1, of images of a known size that is large enough, with the normalisation
/// or upsampling before them and the sum of their outputs and another image, if nothing else reads those.
pub(super) fn replace(
    editor: &mut Editor<'_>,
    convolutions: &mut Vec<Convolution>,
) -> Result<(), LoadError> {
    let mut norms: HashMap<String, Normalisation> = group_norms::all(editor)?
        .into_iter()
        .map(|norm| (norm.output.clone(), norm))
        .collect();
    for node in editor.of("Conv") {
        let Some(mut convolution) = found(editor, node)? else {
            continue;
        };
        let (mut nodes, mut inputs) = with_sum(editor, node);
        if editor.readers(&inputs[0]) == [node] {
            if let Some(before) = norms.remove(&inputs[0]) {
                nodes.extend(before.nodes);
                inputs[0] = before.image;
                convolution = convolution.after_normalisation(before.norm);
            } else if let Some((upsampling, image)) = upsampled(editor, &inputs[0])? {
                nodes.push(upsampling);
                inputs[0] = image;
                convolution = convolution.after_upsampling();
            }
        }
        editor.replace(&nodes, &inputs, Convolution::NAME, convolutions.len());
        convolutions.push(convolution);
    }
    Ok(())
}

fn found(editor: &Editor<'_>, node: usize) -> Result<Option<Convolution>, LoadError> {
    let shape = editor.node(node).input.first();
    let Some([_, _, Some(height), Some(width)]) = shape.and_then(|input| editor.shape(input))
    else {
        return Ok(None);
    };
    if !Convolution::pays(*height, *width) {
        return Ok(None);
    }
    let layer = Layer::read(editor, node, 3)?;
    Ok(layer.map(|layer| Convolution::new(&layer.weights, layer.bias, layer.num_inputs)))
}

/// Returns the node that makes an image by repeating each pixel of another in either direction, and that other image.
fn upsampled(editor: &Editor<'_>, image: &str) -> Result<Option<(usize, String)>, LoadError> {
    let maker = editor.maker(image);
    let Some(resize) = maker.filter(|maker| editor.is(*maker, "Resize")) else {
        return Ok(None);
    };
    let Node {
        input, attribute, ..
    } = editor.node(resize);
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
    let Some(factors) = editor.constant(factors).filter(|_| repeats) else {
        return Ok(None);
    };
    // Of batch, channels, height and width.
    let factor = Convolution::UPSAMPLING as f32;
    let is_ours = editor.numbers(factors)? == [1.0, 1.0, factor, factor];
    Ok(is_ours.then(|| (resize, smaller.clone())))
}

/// Returns a convolution and the sum that alone reads it, if there is one, and the images that both read.
pub(super) fn with_sum(editor: &Editor<'_>, node: usize) -> (Vec<usize>, Vec<String>) {
    let (mut nodes, mut inputs) = (vec![node], editor.node(node).input[..1].to_vec());
    if let Some((sum, other)) = editor.sum_with_another(node) {
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
        editor: &Editor<'_>,
        node: usize,
        kernel: i64,
    ) -> Result<Option<Self>, LoadError> {
        let (inputs, attributes) = (&editor.node(node).input, &editor.node(node).attribute);
        let constant = |place: usize| editor.constant(inputs.get(place)?);
        let Some(weights) = constant(1).filter(|_| is_plain(attributes, kernel)) else {
            return Ok(None);
        };
        let [num_outputs, num_inputs, height, width] = weights.dims[..] else {
            return Ok(None);
        };
        let length = |length: i64| usize::try_from(length).unwrap_or(0);
        let (num_outputs, num_inputs) = (length(num_outputs), length(num_inputs));
        if [height, width] != [kernel; 2] || num_outputs.max(num_inputs) < MIN_CHANNELS {
            return Ok(None);
        }
        let bias = match (inputs.get(2).filter(|name| !name.is_empty()), constant(2)) {
            (None, _) => vec![0.0; num_outputs],
            (Some(_), Some(bias)) => editor.numbers(bias)?,
            (Some(_), None) => return Ok(None),
        };
        Ok(Some(Self {
            weights: editor.numbers(weights)?,
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
            match attribute.name.as_deref().unwrap_or_default() {
                "group" => *i == Some(1),
                "auto_pad" => s.as_deref() == Some(b"NOTSET"),
                "strides" | "dilations" => ints == &[1, 1],
                "pads" => ints == &[kernel / 2; 4],
                "kernel_shape" => ints == &[kernel; 2],
                _ => false,
            }
        })
}
