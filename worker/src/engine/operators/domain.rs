//! Our operators as ONNX Runtime calls them.

use std::sync::Arc;

use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
    ShapeInferenceContext,
};
use ort::value::{Shape, SymbolicDimensions, TensorElementType, ValueType};

use crate::operators::convolution::Convolution;
use crate::operators::gated_gelu::GatedGelu;
use crate::operators::group_norm::GroupNorm;

/// The domain of our operators.
pub(super) const DOMAIN: &str = "synth2real";
/// The attribute that says which of a graph's computations it is.
pub(super) const INDEX: &str = "index";

/// What the nodes of a graph refer to.
#[derive(Default)]
pub(super) struct Operators {
    pub(super) convolutions: Vec<Convolution>,
    pub(super) group_norms: Vec<GroupNorm>,
    pub(super) gated_gelus: Vec<GatedGelu>,
}

/// Returns the domain of a graph.
pub(super) fn of(operators: Operators) -> ort::Result<OperatorDomain> {
    OperatorDomain::new(DOMAIN)?
        .add(Table::new(operators.convolutions))?
        .add(Table::new(operators.group_norms))?
        .add(Table::new(operators.gated_gelus))
}

/// What makes one tensor of some others; all are of single precision.
pub(super) trait Computation: Send + Sync + 'static {
    const NAME: &'static str;
    const NUM_INPUTS: usize;

    /// Returns the output's shape for inputs of a shape; a free dimension is -1. None if they do not fit.
    fn shape(&self, inputs: &[i64]) -> Option<Vec<i64>>;

    /// Writes the output for inputs of a shape that fits.
    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]);
}

impl Computation for Convolution {
    const NAME: &'static str = "Convolution";
    const NUM_INPUTS: usize = 1;

    fn shape(&self, inputs: &[i64]) -> Option<Vec<i64>> {
        let [batch, channels, height, width] = *inputs else {
            return None;
        };
        let fits = usize::try_from(channels) == Ok(self.num_inputs());
        fits.then(|| vec![batch, self.num_outputs() as i64, height, width])
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        let (height, width) = (shape[2], shape[3]);
        let images = inputs[0].chunks_exact(self.num_inputs() * height * width);
        let outputs = output.chunks_exact_mut(self.num_outputs() * height * width);
        for (image, output) in images.zip(outputs) {
            self.write(image, height, width, output);
        }
    }
}

impl Computation for GroupNorm {
    const NAME: &'static str = "GroupNorm";
    const NUM_INPUTS: usize = 1;

    fn shape(&self, inputs: &[i64]) -> Option<Vec<i64>> {
        let fits = inputs.len() == 4 && usize::try_from(inputs[1]) == Ok(self.weight.len());
        fits.then(|| inputs.to_vec())
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

    fn shape(&self, inputs: &[i64]) -> Option<Vec<i64>> {
        let width = usize::try_from(*inputs.last()?);
        (width == Ok(self.hidden_bias.len())).then(|| inputs.to_vec())
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        self.write(inputs[0], inputs[1], output);
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
        if let Some(ValueType::Tensor { shape, .. }) = context.inputs().first()
            && let Some(shape) = computation.shape(shape)
        {
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
        let mut lengths = Vec::new();
        for value in &values {
            let (shape, numbers) = value.try_extract_tensor::<f32>()?;
            if inputs.is_empty() {
                lengths = shape.to_vec();
            } else if lengths[..] != shape[..] {
                let reason = format!("{} got shapes {lengths:?} and {shape:?}", C::NAME);
                return Err(ort::Error::new(reason));
            }
            inputs.push(numbers);
        }
        let shape = self.0.shape(&lengths);
        let shape = shape.ok_or_else(|| {
            ort::Error::new(format!(
                "{} got shape {lengths:?}, which does not fit",
                C::NAME
            ))
        })?;
        let mut output = context.output(0, shape)?.ok_or_else(absent)?;
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        if !output.is_empty() {
            let length = |length: &i64| usize::try_from(*length).unwrap_or(0);
            let lengths: Vec<usize> = lengths.iter().map(length).collect();
            self.0.write(&lengths, &inputs, output);
        }
        Ok(())
    }
}
