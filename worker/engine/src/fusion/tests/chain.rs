//! Models under construction.

use prost::Message;

use crate::fusion::graph_rewriter::RUNTIME_DOMAIN;
use crate::fusion::onnx::{
    Attribute, Dimension, FLOAT, Graph, INT, INT64, Model, Node, OperatorSet, Shape, Tensor,
    TensorType, Type, ValueInfo,
};
use method::noise::standard_normal;

const FLOAT_ATTRIBUTE: i32 = 1;
const STRING: i32 = 3;
const INTS: i32 = 7;
pub(super) const HEIGHT: i64 = 20;
pub(super) const WIDTH: i64 = 32;

/// A model under construction: a chain of operators, each of which reads what the one before it made.
#[derive(Default)]
pub(super) struct Chain {
    pub(super) graph: Graph,
    pub(super) tensors: usize,
    /// How often images were upsampled by two.
    upsamplings: u32,
}

impl Chain {
    pub(super) fn new(channels: i64) -> Self {
        let mut chain = Self::default();
        chain.graph.name = Some("chain".to_owned());
        let input = chain.info(channels);
        chain.graph.input.push(input);
        chain
    }

    /// Adds a convolution of `kernel` pixels with the given pads and strides.
    pub(super) fn conv(
        &mut self,
        outputs: i64,
        inputs: i64,
        kernel: i64,
        pads: i64,
        strides: i64,
    ) -> Tensor {
        let number = self.tensors;
        let dims = vec![outputs, inputs, kernel, kernel];
        let weights = tensor(&format!("weights_{number}"), dims);
        let bias = tensor(&format!("bias_{number}"), vec![outputs]);
        self.graph.initializer.push(weights.encode_to_vec());
        self.graph.initializer.push(bias.encode_to_vec());
        let attributes = vec![ints("pads", &[pads; 4]), ints("strides", &[strides; 2])];
        let constants = [weights.name.clone().unwrap(), bias.name.unwrap()];
        self.node("Conv", &constants, attributes);
        weights
    }

    /// Adds an operator on the tensor made last and some others.
    pub(super) fn node(&mut self, operator: &str, others: &[String], attribute: Vec<Attribute>) {
        let input = [&[self.last()], others].concat();
        self.on(&input, operator, attribute);
    }

    /// Adds an operator on some tensors.
    pub(super) fn on(&mut self, input: &[String], operator: &str, attribute: Vec<Attribute>) {
        self.add(None, input, operator, attribute);
    }

    /// Adds an attention of some heads by ONNX Runtime's own operator, on queries, keys and values; `scale` is its
    /// attribute of that name.
    pub(super) fn attention(&mut self, input: &[String], num_heads: i64, scale: Option<f32>) {
        let heads = Attribute {
            name: Some("num_heads".to_owned()),
            i: Some(num_heads),
            r#type: Some(INT),
            ..Attribute::default()
        };
        let scale = scale.map(|scale| Attribute {
            name: Some("scale".to_owned()),
            f: Some(scale),
            r#type: Some(FLOAT_ATTRIBUTE),
            ..Attribute::default()
        });
        let attribute = [heads].into_iter().chain(scale).collect();
        self.add(
            Some(RUNTIME_DOMAIN.to_owned()),
            input,
            "MultiHeadAttention",
            attribute,
        );
    }

    fn add(
        &mut self,
        domain: Option<String>,
        input: &[String],
        operator: &str,
        attribute: Vec<Attribute>,
    ) {
        self.tensors += 1;
        let node = Node {
            input: input.to_vec(),
            output: vec![self.last()],
            name: Some(format!("node_{}", self.tensors)),
            op_type: Some(operator.to_owned()),
            attribute,
            domain,
        };
        self.graph.node.push(node.encode_to_vec());
    }

    /// Returns the name of the tensor made last.
    pub(super) fn last(&self) -> String {
        format!("tensor_{}", self.tensors)
    }

    /// Makes a node read another tensor.
    pub(super) fn read_instead(&mut self, node: usize, place: usize, tensor: &str) {
        let encoded = &mut self.graph.node[node];
        let mut node = Node::decode(encoded.as_slice()).unwrap();
        node.input[place] = tensor.to_owned();
        *encoded = node.encode_to_vec();
    }

    /// Adds a constant of random numbers; returns its name.
    pub(super) fn constant(&mut self, dims: Vec<i64>) -> String {
        self.keep(tensor(&self.name_of_constant(), dims))
    }

    /// Adds a constant of one number, repeated.
    pub(super) fn repeated(&mut self, number: f32, num: i64) -> String {
        self.keep(Tensor {
            raw_data: None,
            float_data: vec![number; usize::try_from(num).unwrap()],
            ..tensor(&self.name_of_constant(), vec![num])
        })
    }

    /// Adds a constant that is a shape.
    pub(super) fn shape(&mut self, dims: &[i64]) -> String {
        self.keep(Tensor {
            data_type: Some(INT64),
            dims: vec![dims.len() as i64],
            raw_data: Some(dims.iter().flat_map(|dim| dim.to_le_bytes()).collect()),
            name: Some(format!("shape_{}", self.graph.initializer.len())),
            ..Tensor::default()
        })
    }

    fn name_of_constant(&self) -> String {
        format!("constant_{}", self.graph.initializer.len())
    }

    fn keep(&mut self, tensor: Tensor) -> String {
        self.graph.initializer.push(tensor.encode_to_vec());
        tensor.name.unwrap()
    }

    /// Adds group normalisation as onnx-export writes it, with groups' factors that are all `unit`.
    pub(super) fn group_norm(&mut self, channels: i64, groups: i64, unit: f32) {
        let split = self.shape(&[-1, groups, channels / groups * HEIGHT * WIDTH]);
        self.node("Reshape", &[split], vec![]);
        let unit = [self.repeated(unit, groups), self.repeated(0.0, groups)];
        let epsilon = Attribute {
            name: Some("epsilon".to_owned()),
            f: Some(1e-3),
            r#type: Some(FLOAT_ATTRIBUTE),
            ..Attribute::default()
        };
        self.node("InstanceNormalization", &unit, vec![epsilon]);
        let joined = self.shape(&[-1, channels, HEIGHT, WIDTH]);
        self.node("Reshape", &[joined], vec![]);
        let weight = self.constant(vec![channels, 1, 1]);
        self.node("Mul", &[weight], vec![]);
        let bias = self.constant(vec![channels, 1, 1]);
        self.node("Add", &[bias], vec![]);
        self.known(channels);
    }

    /// Adds an upsampling by two, which repeats pixels if it rounds to the `floor`.
    pub(super) fn upsample(&mut self, nearest_mode: &str) {
        let factors = self.keep(Tensor {
            raw_data: None,
            float_data: vec![1.0, 1.0, 2.0, 2.0],
            ..tensor(&self.name_of_constant(), vec![4])
        });
        let attributes = vec![
            string("mode", "nearest"),
            string("coordinate_transformation_mode", "asymmetric"),
            string("nearest_mode", nearest_mode),
        ];
        self.node("Resize", &[String::new(), factors], attributes);
        self.upsamplings += 1;
    }

    /// Adds the product with the sigmoid.
    pub(super) fn silu(&mut self, channels: i64) {
        let x = self.last();
        self.node("Sigmoid", &[], vec![]);
        self.node("Mul", &[x], vec![]);
        self.known(channels);
    }

    /// Makes the tensor made last an output, of a size that is said.
    pub(super) fn gives(&mut self, channels: i64) {
        let info = self.info(channels);
        self.graph.output.push(info);
    }

    /// Says that the tensor made last is of tokens; their number is free.
    pub(super) fn of_tokens(&mut self, width: i64) {
        let dim = [None, None, Some(width)]
            .into_iter()
            .map(|dim_value| Dimension { dim_value })
            .collect();
        let info = self.info_of(dim);
        self.graph.value_info.push(info);
    }

    /// Says what size the tensor made last has.
    pub(super) fn known(&mut self, channels: i64) {
        let info = self.info(channels);
        self.graph.value_info.push(info);
    }

    /// Returns the name and shape of the tensor made last.
    fn info(&self, channels: i64) -> Vec<u8> {
        let [height, width] = [HEIGHT, WIDTH].map(|length| length << self.upsamplings);
        let dim = [None, Some(channels), Some(height), Some(width)]
            .into_iter()
            .map(|dim_value| Dimension { dim_value })
            .collect();
        self.info_of(dim)
    }

    fn info_of(&self, dim: Vec<Dimension>) -> Vec<u8> {
        let info = ValueInfo {
            name: Some(self.last()),
            r#type: Some(Type {
                tensor_type: Some(TensorType {
                    elem_type: Some(FLOAT),
                    shape: Some(Shape { dim }),
                }),
            }),
        };
        info.encode_to_vec()
    }

    pub(super) fn model(&self) -> Vec<u8> {
        let mut graph = self.graph.clone();
        let output = ValueInfo {
            name: Some(self.last()),
            r#type: Some(Type {
                tensor_type: Some(TensorType {
                    elem_type: Some(FLOAT),
                    shape: None,
                }),
            }),
        };
        graph.output.push(output.encode_to_vec());
        let model = Model {
            ir_version: Some(10),
            graph: Some(graph),
            opset_import: [("", 20), (RUNTIME_DOMAIN, 1)]
                .map(|(domain, version)| OperatorSet {
                    domain: Some(domain.to_owned()),
                    version: Some(version),
                })
                .into(),
            ..Model::default()
        };
        model.encode_to_vec()
    }
}

fn tensor(name: &str, dims: Vec<i64>) -> Tensor {
    let num: i64 = dims.iter().product();
    let draws = standard_normal(1, name, 0, (1, 1, usize::try_from(num).unwrap()));
    Tensor {
        data_type: Some(FLOAT),
        raw_data: Some(
            draws
                .iter()
                .flat_map(|draw| (draw / 12.0).to_le_bytes())
                .collect(),
        ),
        name: Some(name.to_owned()),
        dims,
        ..Tensor::default()
    }
}

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        ints: ints.to_vec(),
        r#type: Some(INTS),
        ..Attribute::default()
    }
}

fn string(name: &str, value: &str) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        s: Some(value.as_bytes().to_vec()),
        r#type: Some(STRING),
        ..Attribute::default()
    }
}
