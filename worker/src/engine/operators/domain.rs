//! Our operators as ONNX Runtime calls them.

use std::ops::RangeInclusive;
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
use crate::operators::pointwise::Pointwise;

/// The domain of our operators.
pub(super) const DOMAIN: &str = "synth2real";
/// The attribute that says which of a graph's computations it is.
pub(super) const INDEX: &str = "index";

/// What the nodes of a graph refer to.
#[derive(Default)]
pub(super) struct Operators {
    pub(super) convolutions: Vec<Convolution>,
    pub(super) pointwise: Vec<Pointwise>,
    pub(super) group_norms: Vec<GroupNorm>,
    pub(super) gated_gelus: Vec<GatedGelu>,
    pub(super) linears: Vec<Linear>,
}

/// Returns the domain of a graph.
pub(super) fn of(operators: Operators) -> ort::Result<OperatorDomain> {
    OperatorDomain::new(DOMAIN)?
        .add(Table::new(operators.convolutions))?
        .add(Table::new(operators.pointwise))?
        .add(Table::new(operators.group_norms))?
        .add(Table::new(operators.gated_gelus))?
        .add(Table::new(operators.linears))
}

/// What makes one tensor of some others; all are of single precision.
pub(super) trait Computation: Send + Sync + 'static {
    const NAME: &'static str;
    /// How many it takes; those beyond the first number may be absent.
    const NUM_INPUTS: RangeInclusive<usize>;

    /// Returns the output's shape for inputs of some shapes; a free dimension is -1. None if they do not fit.
    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>>;

    /// Writes the output for inputs that fit, the first of them of a shape.
    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]);
}

/// The second input, if there is one, is added to the outputs.
impl Computation for Convolution {
    const NAME: &'static str = "Convolution";
    const NUM_INPUTS: RangeInclusive<usize> = 1..=2;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        shape_of_outputs(self.num_inputs(), self.num_outputs(), inputs)
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        let (height, width) = (shape[2], shape[3]);
        let images = inputs[0].chunks_exact(self.num_inputs() * height * width);
        let len = self.num_outputs() * height * width;
        for (place, (pixels, output)) in images.zip(output.chunks_exact_mut(len)).enumerate() {
            let image = Image {
                pixels,
                height,
                width,
            };
            let residual = inputs.get(1).map(|all| &all[place * len..][..len]);
            self.write(&image, residual, output);
        }
    }
}

/// The second input, if there is one, is added to the outputs.
impl Computation for Pointwise {
    const NAME: &'static str = "Pointwise";
    const NUM_INPUTS: RangeInclusive<usize> = 1..=2;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        shape_of_outputs(self.num_inputs(), self.num_outputs(), inputs)
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        let pixels = shape[2] * shape[3];
        let images = inputs[0].chunks_exact(self.num_inputs() * pixels);
        let len = self.num_outputs() * pixels;
        for (place, (image, output)) in images.zip(output.chunks_exact_mut(len)).enumerate() {
            let residual = inputs.get(1).map(|all| &all[place * len..][..len]);
            self.write(image, residual, output);
        }
    }
}

/// Returns the shape of what a convolution makes of images, and of a residual if there is one.
fn shape_of_outputs(num_inputs: usize, num_outputs: usize, inputs: &[&[i64]]) -> Option<Vec<i64>> {
    let (images, residual) = inputs.split_first()?;
    let [batch, channels, height, width] = **images else {
        return None;
    };
    let fits = usize::try_from(channels) == Ok(num_inputs);
    let shape = vec![batch, num_outputs as i64, height, width];
    (fits && residual.iter().all(|residual| *residual == shape)).then_some(shape)
}

impl Computation for GroupNorm {
    const NAME: &'static str = "GroupNorm";
    const NUM_INPUTS: RangeInclusive<usize> = 1..=1;

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
    const NUM_INPUTS: RangeInclusive<usize> = 2..=2;

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

/// The second input, if there is one, is added to the outputs.
impl Computation for Linear {
    const NAME: &'static str = "Linear";
    const NUM_INPUTS: RangeInclusive<usize> = 1..=2;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let (tokens, residual) = inputs.split_first()?;
        let (width, others) = tokens.split_last()?;
        let fits = usize::try_from(*width) == Ok(self.num_inputs());
        let shape = [others, &[self.num_outputs() as i64]].concat();
        (fits && residual.iter().all(|residual| *residual == shape)).then_some(shape)
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], output: &mut [f32]) {
        self.write(inputs[0], inputs.get(1).copied(), output);
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
        let (required, all) = (*C::NUM_INPUTS.start(), *C::NUM_INPUTS.end());
        (0..all).map(move |place| {
            if place < required {
                OperatorInput::required(TensorElementType::Float32)
            } else {
                OperatorInput::optional(TensorElementType::Float32)
            }
        })
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
        let absent = || ort::Error::new(format!("{} lacks a tensor", C::NAME));
        let values = (0..context.num_inputs()?)
            .map(|place| context.input(place)?.ok_or_else(absent))
            .collect::<ort::Result<Vec<_>>>()?;
        let mut inputs = Vec::with_capacity(values.len());
        let mut shapes: Vec<&[i64]> = Vec::with_capacity(values.len());
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
