//! Our operators as ONNX Runtime calls them.

use std::sync::Arc;

use faer::Accum;
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
    ShapeInferenceContext,
};
use ort::value::{Shape, TensorElementType, ValueType};

use kernels::attention::{MultiHeadAttention, TokenSlices};
use kernels::convolution::{Convolution, Image};
use kernels::gated_gelu::{Gated, GatedGelu};
use kernels::group_norm::GroupNorm;
use kernels::linear::Linear;
use kernels::pointwise::Pointwise;

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
    pub(super) attentions: Vec<MultiHeadAttention>,
}

/// Returns the domain of a graph.
pub(super) fn of(operators: Operators) -> ort::Result<OperatorDomain> {
    OperatorDomain::new(DOMAIN)?
        .add(Table::new(operators.convolutions))?
        .add(Table::new(operators.pointwise))?
        .add(Table::new(operators.group_norms))?
        .add(Table::new(operators.gated_gelus))?
        .add(Table::new(operators.linears))?
        .add(Table::new(operators.attentions))
}

/// What makes one tensor of some others; all are of single precision.
pub(super) trait Computation: Send + Sync + 'static {
    const NAME: &'static str;
    /// How many it takes.
    const NUM_INPUTS: usize;
    /// Whether one more may be added to the output.
    const ADDS: bool;

    /// Returns the output's shape for inputs of some shapes; a free dimension is -1. None if they do not fit.
    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>>;

    /// Writes the output for inputs that fit, the first of them of a shape, or adds it to what is there.
    fn write(&self, shape: &[usize], inputs: &[&[f32]], accum: Accum, output: &mut [f32]);
}

impl Computation for Convolution {
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

impl Computation for Pointwise {
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

/// Returns the shape of what a convolution makes of images.
fn shape_of_outputs(num_inputs: usize, num_outputs: usize, inputs: &[&[i64]]) -> Option<Vec<i64>> {
    let [[batch, channels, height, width]] = *inputs else {
        return None;
    };
    let fits = usize::try_from(*channels) == Ok(num_inputs);
    fits.then(|| vec![*batch, num_outputs as i64, *height, *width])
}

impl Computation for GroupNorm {
    const NAME: &'static str = "GroupNorm";
    const NUM_INPUTS: usize = 1;
    const ADDS: bool = false;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [[_, channels, _, _]] = *inputs else {
            return None;
        };
        (usize::try_from(*channels) == Ok(self.weight.len())).then(|| inputs[0].to_vec())
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], _: Accum, output: &mut [f32]) {
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

impl Computation for Linear {
    const NAME: &'static str = "Linear";
    const NUM_INPUTS: usize = 1;
    const ADDS: bool = true;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [tokens] = *inputs else {
            return None;
        };
        let (width, others) = tokens.split_last()?;
        let fits = usize::try_from(*width) == Ok(self.num_inputs());
        fits.then(|| [others, &[self.num_outputs() as i64]].concat())
    }

    fn write(&self, _: &[usize], inputs: &[&[f32]], accum: Accum, output: &mut [f32]) {
        self.write(inputs[0], accum, output);
    }
}

impl Computation for MultiHeadAttention {
    const NAME: &'static str = "MultiHeadAttention";
    const NUM_INPUTS: usize = 3;
    const ADDS: bool = false;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [query, key, value] = *inputs else {
            return None;
        };
        let ([batch, _, columns], [of_keys, keys, key_columns]) = (query, key) else {
            return None;
        };
        let width = usize::try_from(*columns).ok()?;
        let fits = [batch, columns] == [of_keys, key_columns]
            && key == value
            && *keys != 0
            && width > 0
            && width.is_multiple_of(self.num_heads);
        fits.then(|| query.to_vec())
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], _: Accum, output: &mut [f32]) {
        let (batch, columns) = (shape[0], shape[2]);
        let [query, key, value] = [0, 1, 2].map(|input| {
            let tokens = inputs[input];
            tokens.chunks_exact(tokens.len() / batch)
        });
        let outputs = output.chunks_exact_mut(output.len() / batch);
        for (((query, key), value), output) in query.zip(key).zip(value).zip(outputs) {
            let tokens = TokenSlices {
                query,
                key,
                value,
                columns,
            };
            self.write(tokens, output);
        }
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

    /// What is added may be where the output is to be.
    const INPLACES: &[(u32, u32)] = if C::ADDS {
        &[(C::NUM_INPUTS as u32, 0)]
    } else {
        &[]
    };

    fn name(&self) -> &str {
        C::NAME
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let required = |_| OperatorInput::required(TensorElementType::Float32);
        let added = C::ADDS.then(|| OperatorInput::optional(TensorElementType::Float32));
        (0..C::NUM_INPUTS).map(required).chain(added)
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
        let (shapes, names): (Vec<&[i64]>, Vec<&[String]>) = inputs
            .iter()
            .filter_map(|input| match input {
                ValueType::Tensor {
                    shape,
                    dimension_symbols,
                    ..
                } => Some((&shape[..], &dimension_symbols[..])),
                _ => None,
            })
            .unzip();
        let own = &shapes[..C::NUM_INPUTS.min(shapes.len())];
        let Some(shape) = computation.shape(own) else {
            return Ok(());
        };
        // What is free is as long as in the first input. It is told by its name: ONNX Runtime would take -1 for a length.
        let name = |(place, length): (usize, &i64)| match names[0].get(place) {
            _ if *length >= 0 => Some(String::new()),
            name => name.filter(|name| !name.is_empty()).cloned(),
        };
        let dimension_symbols: Option<_> = shape.iter().enumerate().map(name).collect();
        if let Some(dimension_symbols) = dimension_symbols {
            let output = ValueType::Tensor {
                ty: TensorElementType::Float32,
                dimension_symbols,
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
        let (own, added) = values.split_at_checked(C::NUM_INPUTS).ok_or_else(absent)?;
        let mut inputs = Vec::with_capacity(own.len());
        let mut shapes: Vec<&[i64]> = Vec::with_capacity(own.len());
        for value in own {
            let (shape, numbers) = value.try_extract_tensor::<f32>()?;
            shapes.push(shape);
            inputs.push(numbers);
        }
        let unfit = |shapes: &[&[i64]]| {
            let reason = format!("{} got shapes {shapes:?}, which do not fit", C::NAME);
            ort::Error::new(reason)
        };
        let shape = self.0.shape(&shapes).ok_or_else(|| unfit(&shapes))?;
        let mut output = context.output(0, shape.clone())?.ok_or_else(absent)?;
        let mut accum = Accum::Replace;
        if let Some(added) = added.first() {
            accum = Accum::Add;
            let (shape_of_added, numbers) = added.try_extract_tensor::<f32>()?;
            if shape_of_added[..] != shape {
                return Err(unfit(&[&shape, shape_of_added]));
            }
            // Where the output is, it is there already, and must not be looked at beside it.
            let place = numbers.as_ptr();
            let (_, output) = output.try_extract_tensor_mut::<f32>()?;
            if place != output.as_ptr() {
                let (_, numbers) = added.try_extract_tensor::<f32>()?;
                output.copy_from_slice(numbers);
            }
        }
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        if !output.is_empty() {
            let length = |length: &i64| usize::try_from(*length).map_err(|_| unfit(&shapes));
            let lengths = shapes[0].iter().map(length);
            let lengths = lengths.collect::<ort::Result<Vec<usize>>>()?;
            self.0.write(&lengths, &inputs, accum, output);
        }
        Ok(())
    }
}
