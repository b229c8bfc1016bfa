//! Our operators as ONNX Runtime calls them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use faer::Accum;
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
    ShapeInferenceContext,
};
use ort::value::{Shape, TensorElementType, ValueType};

/// The domain of our operators.
pub(super) const DOMAIN: &str = "synth2real";
/// The attribute of a node that says which kernel of its operator's registry computes it.
pub(super) const INDEX: &str = "index";

/// An operator that makes one tensor of some others, all of single precision; a value of it is the kernel of one node.
pub(super) trait CustomOp: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    /// How many tensors it takes.
    const NUM_INPUTS: usize;
    /// Whether one more may be added to the output.
    const ADDS: bool;

    /// Returns the output's shape for inputs of some shapes; a free dimension is -1. None if they do not fit.
    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>>;

    /// Writes the output for inputs that fit, the first of them of a shape, or adds it to what is there.
    fn write(&self, shape: &[usize], inputs: &[&[f32]], accum: Accum, output: &mut [f32]);
}

/// The operators of a graph, each with the kernels of its nodes.
#[derive(Default)]
pub(super) struct CustomOps(pub(super) Vec<Box<dyn RegisteredOp>>);

impl CustomOps {
    /// Adds an operator.
    pub(super) fn push(&mut self, op: Box<dyn RegisteredOp>) {
        self.0.push(op);
    }

    /// Returns the operators as a domain of ONNX Runtime.
    pub(super) fn into_domain(self) -> ort::Result<OperatorDomain> {
        let empty = OperatorDomain::new(DOMAIN)?;
        self.0
            .into_iter()
            .try_fold(empty, |domain, op| op.add_to(domain))
    }
}

/// Each operator's name with the number of its nodes.
impl fmt::Display for CustomOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, op) in self.0.iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{} {}", op.num_kernels(), op.name())?;
        }
        Ok(())
    }
}

/// The registry of an operator, whichever it is.
pub(super) trait RegisteredOp: Any {
    fn name(&self) -> &'static str;

    fn num_kernels(&self) -> usize;

    /// Returns the domain with the operator in it.
    fn add_to(self: Box<Self>, domain: OperatorDomain) -> ort::Result<OperatorDomain>;
}

impl<C: CustomOp> RegisteredOp for OpRegistry<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn num_kernels(&self) -> usize {
        self.kernels.len()
    }

    fn add_to(self: Box<Self>, domain: OperatorDomain) -> ort::Result<OperatorDomain> {
        domain.add(*self)
    }
}

/// An operator of a graph: the kernels of its nodes, by the index that each node says.
pub(super) struct OpRegistry<C> {
    pub(super) kernels: Vec<Arc<C>>,
}

impl<C> Default for OpRegistry<C> {
    fn default() -> Self {
        Self {
            kernels: Vec::new(),
        }
    }
}

impl<C> OpRegistry<C> {
    /// Adds the kernel of a node; returns its index.
    pub(super) fn add(&mut self, kernel: C) -> i64 {
        let index = i64::try_from(self.kernels.len()).expect("a list's index fits in 63 bits");
        self.kernels.push(Arc::new(kernel));
        index
    }

    fn get(&self, index: Option<i64>) -> ort::Result<&Arc<C>> {
        index
            .and_then(|index| self.kernels.get(usize::try_from(index).ok()?))
            .ok_or_else(|| ort::Error::new("a node refers to no computation of its graph"))
    }
}

impl<C: CustomOp> Operator for OpRegistry<C> {
    type Kernel<'attr> = OpKernel<C>;

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

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<OpKernel<C>> {
        Ok(OpKernel(Arc::clone(self.get(context.get(INDEX))?)))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        let kernel = self.get(context.attr(INDEX).ok())?;
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
        let Some(shape) = kernel.shape(own) else {
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

/// The kernel of a node in a session.
pub(super) struct OpKernel<C>(Arc<C>);

impl<C: CustomOp> Kernel for OpKernel<C> {
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
