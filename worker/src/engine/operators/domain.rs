//! Our operators as ONNX Runtime calls them.

use std::sync::Arc;

use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
    ShapeInferenceContext,
};
use ort::value::{Shape, SymbolicDimensions, TensorElementType, ValueType};

use crate::operators::convolution::{Convolution, Image};
use crate::operators::gated_gelu::GatedGelu;
use crate::operators::group_norm::GroupNorm;
use crate::operators::linear::Linear;

/// The domain of our operators.
pub(super) const DOMAIN: &str = "synth2real";
/// The attribute that says which of a graph's computations it is.
pub(super) const INDEX: &str = "index";

/// What the nodes of a graph refer to.
#[derive(Default)]
pub(super) struct Operators {
    pub(super) convolutions: Vec<Convolution>,
    pub(super) convolutions_with_residual: Vec<ConvolutionWithResidual>,
    pub(super) group_norms: Vec<GroupNorm>,
    pub(super) gated_gelus: Vec<GatedGelu>,
    pub(super) linears: Vec<Linear>,
    pub(super) linears_with_residual: Vec<LinearWithResidual>,
}

/// Returns the domain of a graph.
pub(super) fn of(operators: Operators) -> ort::Result<OperatorDomain> {
    OperatorDomain::new(DOMAIN)?
        .add(Table::new(operators.convolutions))?
        .add(Table::new(operators.convolutions_with_residual))?
        .add(Table::new(operators.group_norms))?
        .add(Table::new(operators.gated_gelus))?
        .add(Table::new(operators.linears))?
        .add(Table::new(operators.linears_with_residual))
}

/// What makes one tensor of some others; all are of single precision.
pub(super) trait Computation: Send + Sync + 'static {
    const NAME: &'static str;
    const NUM_INPUTS: usize;

    /// Returns the output's shape for inputs of some shapes; a free dimension is -1. None if they do not fit.
    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>>;

    /// Writes the output for inputs that fit, the first of them of a shape.
    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]);
}

impl Computation for Convolution {
    const NAME: &'static str = "Convolution";
    const NUM_INPUTS: usize = 1;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [[batch, channels, height, width]] = *inputs else {
            return None;
        };
        let (batch, channels, height, width) = (*batch, *channels, *height, *width);
        let fits = usize::try_from(channels) == Ok(self.num_inputs());
        fits.then(|| vec![batch, self.num_outputs() as i64, height, width])
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        write_images(self, shape, inputs[0], None, output);
    }
}

/// A convolution to whose outputs a second image is added.
pub(super) struct ConvolutionWithResidual(pub(super) Convolution);

impl Computation for ConvolutionWithResidual {
    const NAME: &'static str = "ConvolutionWithResidual";
    const NUM_INPUTS: usize = 2;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [images, residual] = *inputs else {
            return None;
        };
        let shape = self.0.shape(&[images])?;
        (shape == residual).then_some(shape)
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        write_images(&self.0, shape, inputs[0], Some(inputs[1]), output);
    }
}

fn write_images(
    convolution: &Convolution,
    shape: &[usize],
    images: &[f32],
    residuals: Option<&[f32]>,
    outputs: &mut [f32],
) {
    let (height, width) = (shape[2], shape[3]);
    let (num_inputs, num_outputs) = (convolution.num_inputs(), convolution.num_outputs());
    let images = images.chunks_exact(num_inputs * height * width);
    let len = num_outputs * height * width;
    for (place, (pixels, outputs)) in images.zip(outputs.chunks_exact_mut(len)).enumerate() {
        let image = Image {
            pixels,
            height,
            width,
        };
        let residual = residuals.map(|residuals| &residuals[place * len..][..len]);
        convolution.write(&image, residual, outputs);
    }
}

impl Computation for GroupNorm {
    const NAME: &'static str = "GroupNorm";
    const NUM_INPUTS: usize = 1;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [[_, channels, _, _]] = *inputs else {
            return None;
        };
        (usize::try_from(*channels) == Ok(self.weight.len())).then(|| inputs[0].to_vec())
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        let len: usize = shape[1..].iter().product();
        for (image, output) in inputs[0]
            .chunks_exact(len)
            .zip(output.chunks_exact_mut(len))
        {
            self.write(image, output);
        }
    }
}

impl Computation for GatedGelu {
    const NAME: &'static str = "GatedGelu";
    const NUM_INPUTS: usize = 2;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [hidden, gate] = *inputs else {
            return None;
        };
        let width = usize::try_from(*hidden.last()?);
        (width == Ok(self.hidden_bias.len()) && hidden == gate).then(|| hidden.to_vec())
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        self.write(inputs[0], inputs[1], output);
    }
}

impl Computation for Linear {
    const NAME: &'static str = "Linear";
    const NUM_INPUTS: usize = 1;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let (width, others) = inputs.first()?.split_last()?;
        let fits = usize::try_from(*width) == Ok(self.num_inputs());
        fits.then(|| [others, &[self.num_outputs() as i64]].concat())
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        self.write(inputs[0], None, output);
    }
}

/// A layer to whose outputs a second tensor is added.
pub(super) struct LinearWithResidual(pub(super) Linear);

impl Computation for LinearWithResidual {
    const NAME: &'static str = "LinearWithResidual";
    const NUM_INPUTS: usize = 2;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [x, residual] = *inputs else {
            return None;
        };
        let shape = self.0.shape(&[x])?;
        (shape == residual).then_some(shape)
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        self.0.write(inputs[0], Some(inputs[1]), output);
    }
}

/// The computations of one kind in a graph.
struct Table<C>(Vec<Arc<C>>);

impl<C> Table<C> {
    fn new(computations: Vec<C>) -> Self {
        Self(computations.into_iter().map(Arc::new).collect())
    }

    fn get(&self, index: Option<i64>) -> ort::Result<&Arc<C>> {
        index
            .and_then(|index| self.0.get(usize::try_from(index).ok()?))
            .ok_or_else(|| ort::Error::new("a node refers to no computation of its graph"))
    }
}

impl<C: Computation> Operator for Table<C> {
    type Kernel<'attr> = OneOf<C>;

    fn name(&self) -> &str {
        C::NAME
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        (0..C::NUM_INPUTS).map(|_| OperatorInput::required(TensorElementType::Float32))
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<OneOf<C>> {
        Ok(OneOf(Arc::clone(self.get(context.get(INDEX))?)))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        let computation = self.get(context.attr(INDEX).ok())?;
        let inputs = context.inputs();
        let shapes: Vec<&[i64]> = inputs
            .iter()
            .filter_map(|input| match input {
                ValueType::Tensor { shape, .. } => Some(&shape[..]),
                _ => None,
            })
            .collect();
        if let Some(shape) = computation.shape(&shapes) {
            let output = ValueType::Tensor {
                ty: TensorElementType::Float32,
                dimension_symbols: SymbolicDimensions::empty(shape.len()),
                shape: Shape::new(shape),
            };
            context.set_output(0, &output)?;
        }
        Ok(())
    }
}

/// One computation of a session.
struct OneOf<C>(Arc<C>);

impl<C: Computation> Kernel for OneOf<C> {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let absent = || ort::Error::new(format!("{} got too few tensors", C::NAME));
        let values = (0..C::NUM_INPUTS)
            .map(|place| context.input(place)?.ok_or_else(absent))
            .collect::<ort::Result<Vec<_>>>()?;
        let mut inputs = Vec::with_capacity(C::NUM_INPUTS);
        let mut shapes: Vec<&[i64]> = Vec::with_capacity(C::NUM_INPUTS);
        for value in &values {
            let (shape, numbers) = value.try_extract_tensor::<f32>()?;
            shapes.push(shape);
            inputs.push(numbers);
        }
        let shape = self.0.shape(&shapes).ok_or_else(|| {
            let reason = format!("{} got shapes {shapes:?}, which do not fit", C::NAME);
            ort::Error::new(reason)
        })?;
        let mut output = context.output(0, shape)?.ok_or_else(absent)?;
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        if !output.is_empty() {
            let length = |length: &i64| usize::try_from(*length).unwrap_or(0);
            let lengths: Vec<usize> = shapes[0].iter().map(length).collect();
            self.0.write(&lengths, &inputs, output);
        }
        Ok(())
    }
}
