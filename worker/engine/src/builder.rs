//! A builder of ONNX graphs, node by node.

use ort::editor::{Graph, Model, Node, ONNX_DOMAIN, Opset};
use ort::memory::Allocator;
use ort::operator::Attribute;
use ort::value::{
    Outlet, PrimitiveTensorElementType, Shape, SymbolicDimensions, Tensor, TensorElementType,
    ValueType,
};

use crate::tensor;

const OPSET: u32 = 20;
/// Where ONNX Runtime has its fused operators.
const FUSED_DOMAIN: &str = "com.microsoft";

/// The name of a tensor in a graph.
pub(super) type Name = String;

/// A graph that is being written.
pub(super) struct Builder {
    graph: Graph,
    inputs: Vec<Outlet>,
    outputs: Vec<Outlet>,
    names: usize,
}

impl Builder {
    pub(super) fn new() -> ort::Result<Self> {
        Ok(Self {
            graph: Graph::new()?,
            inputs: Vec::new(),
            outputs: Vec::new(),
            names: 0,
        })
    }

    /// Adds an input.
    pub(super) fn input(&mut self, name: &str, dtype: TensorElementType, shape: &[usize]) -> Name {
        self.inputs.push(outlet(name, dtype, shape));
        name.to_owned()
    }

    /// Makes a tensor an output of the graph under a name of its own.
    pub(super) fn output(
        &mut self,
        tensor: &Name,
        name: &str,
        dtype: TensorElementType,
        shape: &[usize],
    ) -> ort::Result<()> {
        let node = Node::new("Identity", ONNX_DOMAIN, name, [tensor], [name], [])?;
        self.graph.add_node(node)?;
        self.outputs.push(outlet(name, dtype, shape));
        Ok(())
    }

    /// Adds a constant of some shape.
    pub(super) fn constant<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
        &mut self,
        shape: &[usize],
        numbers: &[T],
    ) -> ort::Result<Name> {
        let mut tensor = Tensor::<T>::new(&Allocator::default(), Shape::from(shape))?;
        let (_, room) = tensor.extract_tensor_mut();
        room.clone_from_slice(numbers);
        let name = self.fresh("constant");
        self.graph.add_initializer(&name, tensor, false)?;
        Ok(name)
    }

    /// Adds whole numbers, such as a shape or axes.
    pub(super) fn whole(&mut self, numbers: &[usize]) -> ort::Result<Name> {
        let numbers = numbers.iter().map(|&number| tensor::whole(number));
        let numbers = numbers.collect::<ort::Result<Vec<i64>>>()?;
        self.constant(&[numbers.len()], &numbers)
    }

    /// Adds an operator with one output.
    pub(super) fn op(
        &mut self,
        operator: &str,
        inputs: &[&Name],
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> ort::Result<Name> {
        self.one(operator, ONNX_DOMAIN, inputs, attributes)
    }

    /// Adds one of ONNX Runtime's own operators, with one output.
    pub(super) fn fused(
        &mut self,
        operator: &str,
        inputs: &[&Name],
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> ort::Result<Name> {
        self.one(operator, FUSED_DOMAIN, inputs, attributes)
    }

    /// Adds an operator with several outputs.
    pub(super) fn ops(
        &mut self,
        operator: &str,
        inputs: &[&Name],
        num_outputs: usize,
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> ort::Result<Vec<Name>> {
        let outputs: Vec<Name> = (0..num_outputs).map(|_| self.fresh(operator)).collect();
        let names: Vec<&Name> = outputs.iter().collect();
        self.node(operator, ONNX_DOMAIN, inputs, &names, attributes)?;
        Ok(outputs)
    }

    /// Returns the finished graph.
    pub(super) fn finish(mut self) -> ort::Result<Model> {
        self.graph.set_inputs(self.inputs)?;
        self.graph.set_outputs(self.outputs)?;
        let mut model = Model::new([
            Opset::new(ONNX_DOMAIN, OPSET)?,
            Opset::new(FUSED_DOMAIN, 1)?,
        ])?;
        model.set_graph(self.graph)?;
        Ok(model)
    }

    fn one(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[&Name],
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> ort::Result<Name> {
        let output = self.fresh(operator);
        self.node(operator, domain, inputs, &[&output], attributes)?;
        Ok(output)
    }

    fn node(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[&Name],
        outputs: &[&Name],
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> ort::Result<()> {
        let name = self.fresh("node");
        let node = Node::new(operator, domain, name, inputs, outputs, attributes)?;
        self.graph.add_node(node)
    }

    fn fresh(&mut self, what: &str) -> Name {
        self.names += 1;
        format!("{what}_{}", self.names)
    }
}

fn outlet(name: &str, ty: TensorElementType, shape: &[usize]) -> Outlet {
    Outlet::new(
        name,
        ValueType::Tensor {
            ty,
            shape: Shape::from(shape),
            dimension_symbols: SymbolicDimensions::empty(shape.len()),
        },
    )
}
