//! A graph that is rewritten: matched parts of it become nodes of our operators.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path};

use kernels::bf16::Operands;
use prost::Message;
use shared::read_file;

use super::LoadError;
use super::custom_ops::{CustomOp, DOMAIN, INDEX, OpRegistry};
use super::onnx::{Attribute, EXTERNAL, Entry, FLOAT, Graph, INT, INT64, Node, Tensor, ValueInfo};

/// The domain of ONNX's operators. In a file, a node without a domain is of it too.
const ONNX_DOMAIN: &str = "";
/// The domain of ONNX Runtime's own operators.
pub(super) const RUNTIME_DOMAIN: &str = "com.microsoft";

fn is_within_its_folder(file: &Path) -> bool {
    let mut parts = file.components();
    parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// A part of a graph that one of our operators computes.
pub(super) struct Match<C> {
    /// The nodes that go; the operator makes the output of the last of them.
    pub(super) nodes: Vec<usize>,
    /// The tensors that the operator reads.
    pub(super) inputs: Vec<String>,
    /// What computes the output.
    pub(super) kernel: C,
}

/// A graph by its nodes and constants, with the readers of each tensor.
pub(super) struct GraphRewriter<'a> {
    graph: Graph,
    nodes: Vec<GraphNode>,
    constants: HashMap<String, Tensor>,
    /// Shapes of tensors; free dimensions are none.
    shapes: HashMap<String, Vec<Option<usize>>>,
    /// Tensors that are known to be of single precision.
    singles: HashSet<String>,
    readers: HashMap<String, Vec<usize>>,
    outputs: HashSet<String>,
    folder: &'a Path,
    /// What products of our operators are made of.
    pub(super) operands: Operands,
}

struct GraphNode {
    node: Node,
    /// As it was or is to be written; none if it is gone.
    encoded: Option<Vec<u8>>,
}

impl<'a> GraphRewriter<'a> {
    /// Returns a graph whose weights may be in files of a folder.
    pub(super) fn new(
        mut graph: Graph,
        folder: &'a Path,
        operands: Operands,
    ) -> Result<Self, LoadError> {
        let mut nodes = Vec::with_capacity(graph.node.len());
        for encoded in std::mem::take(&mut graph.node) {
            nodes.push(GraphNode {
                node: Node::decode(encoded.as_slice())?,
                encoded: Some(encoded),
            });
        }
        let mut readers: HashMap<String, Vec<usize>> = HashMap::new();
        for (reader, node) in nodes.iter().enumerate() {
            for input in &node.node.input {
                readers.entry(input.clone()).or_default().push(reader);
            }
        }
        let name = |tensor: Tensor| Some((tensor.name.clone()?, tensor));
        let constants = decoded::<Tensor>(&graph.initializer)?;
        let outputs = decoded::<ValueInfo>(&graph.output)?;
        let infos = graph.input.iter().chain(&graph.value_info);
        let infos = decoded::<ValueInfo>(infos.chain(&graph.output))?;
        Ok(Self {
            nodes,
            readers,
            constants: constants.into_iter().filter_map(name).collect(),
            singles: infos.iter().filter_map(single).collect(),
            shapes: infos.into_iter().filter_map(shape).collect(),
            outputs: outputs.into_iter().filter_map(|info| info.name).collect(),
            graph,
            folder,
            operands,
        })
    }

    /// Returns whether a node has a graph of its own: what that reads is not seen here.
    pub(super) fn has_graphs_inside(&self) -> bool {
        let is_nested = |a: &Attribute| a.graph.is_some() || !a.graphs.is_empty();
        let has = |node: &GraphNode| node.node.attribute.iter().any(is_nested);
        self.nodes.iter().any(has)
    }

    /// Returns the nodes of ONNX's operator of a name.
    pub(super) fn of(&self, operator: &str) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|&node| self.is(node, operator))
            .collect()
    }

    /// Returns the nodes of ONNX Runtime's own operator of a name.
    pub(super) fn fused(&self, operator: &str) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|&node| self.is_of(node, RUNTIME_DOMAIN, operator))
            .collect()
    }

    /// Returns whether a node is ONNX's operator of a name.
    pub(super) fn is(&self, node: usize, operator: &str) -> bool {
        self.is_of(node, ONNX_DOMAIN, operator)
    }

    fn is_of(&self, node: usize, domain: &str, operator: &str) -> bool {
        let GraphNode { node, encoded } = &self.nodes[node];
        encoded.is_some()
            && node.op_type.as_deref() == Some(operator)
            && node.domain.as_deref().unwrap_or(ONNX_DOMAIN) == domain
    }

    /// Returns a node.
    pub(super) fn node(&self, node: usize) -> &Node {
        &self.nodes[node].node
    }

    /// Returns a node's one output.
    pub(super) fn output(&self, node: usize) -> Option<&str> {
        match self.node(node).output.as_slice() {
            [output] => Some(output),
            _ => None,
        }
    }

    /// Returns the node that makes a tensor.
    pub(super) fn maker(&self, tensor: &str) -> Option<usize> {
        let makes = |node: &GraphNode| node.node.output.iter().any(|output| output == tensor);
        self.nodes.iter().position(makes)
    }

    /// Returns the nodes that read a tensor, as often as they read it; none if it is also an output of the graph.
    pub(super) fn readers(&self, tensor: &str) -> &[usize] {
        match self.readers.get(tensor) {
            Some(readers) if !self.outputs.contains(tensor) => readers,
            _ => &[],
        }
    }

    /// Returns the one node that reads a node's output, if it is ONNX's operator of a name.
    pub(super) fn only_reader(&self, node: usize, operator: &str) -> Option<usize> {
        match self.readers(self.output(node)?) {
            [reader] if self.is(*reader, operator) => Some(*reader),
            _ => None,
        }
    }

    /// Returns a node's one input that is no constant and the one that is a constant of numbers, whatever their order.
    pub(super) fn with_constant(&self, node: usize) -> Option<(&str, &Tensor)> {
        let [a, b] = self.node(node).input.as_slice() else {
            return None;
        };
        match (self.constant(a), self.constant(b)) {
            (None, Some(constant)) => Some((a, constant)),
            (Some(constant), None) => Some((b, constant)),
            _ => None,
        }
    }

    /// Returns the sum that alone reads a node's output, and what it adds: another tensor of the same shape, which is
    /// known but for the batch.
    pub(super) fn sum_with_another(&self, node: usize) -> Option<(usize, String)> {
        let sum = self.only_reader(node, "Add")?;
        let added = self.output(node)?;
        let mut others = self.node(sum).input.iter().filter(|input| *input != added);
        let other = others.next()?;
        let shape = self.shape(self.output(sum)?)?;
        let (_, lengths) = shape.split_first()?;
        let is_plain = lengths.iter().all(Option::is_some)
            && [added, other].map(|tensor| self.shape(tensor)) == [Some(shape); 2];
        is_plain.then(|| (sum, other.clone()))
    }

    /// Returns a constant of single precision.
    pub(super) fn constant(&self, name: &str) -> Option<&Tensor> {
        let tensor = self.constants.get(name);
        tensor.filter(|tensor| tensor.data_type == Some(FLOAT))
    }

    /// Returns the numbers of a constant, as many as its shape says.
    pub(super) fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>, LoadError> {
        let length =
            || LoadError::Length(tensor.name.as_deref().unwrap_or("without a name").into());
        let mut dims = tensor.dims.iter();
        let num = dims.try_fold(1_usize, |num, dim| {
            num.checked_mul(usize::try_from(*dim).ok()?)
        });
        let num = num.ok_or_else(length)?;
        let numbers = if tensor.data_location == Some(EXTERNAL) {
            let num_bytes = num.checked_mul(4).ok_or_else(length)?;
            from_bytes(&self.external(tensor, num_bytes)?)
        } else if let Some(raw) = &tensor.raw_data {
            from_bytes(raw)
        } else {
            tensor.float_data.clone()
        };
        if numbers.len() == num {
            Ok(numbers)
        } else {
            Err(length())
        }
    }

    fn external(&self, tensor: &Tensor, num_bytes: usize) -> Result<Vec<u8>, LoadError> {
        let entry = |key: &str| {
            let of_key = |entry: &&Entry| entry.key.as_deref() == Some(key);
            tensor.external_data.iter().find(of_key)?.value.as_deref()
        };
        let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidInput, message);
        let Some(location) = entry("location") else {
            return Err(LoadError::Read {
                path: self.folder.to_owned(),
                source: invalid("weights lie in a file of it, and the model does not say in which"),
            });
        };
        let path = self.folder.join(location);
        let read = || -> io::Result<Vec<u8>> {
            if !is_within_its_folder(Path::new(location)) {
                return Err(invalid("it is not within the folder of the model"));
            }
            // ONNX: weights without an offset begin with their file.
            let offset = entry("offset").unwrap_or("0").parse::<u64>();
            let offset = offset.map_err(io::Error::other)?;
            let mut file = read_file::open(&path)?;
            // What a graph claims is compared with what is there before memory is taken for it.
            let left = file.metadata()?.len().saturating_sub(offset);
            if (num_bytes as u64) > left {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = vec![0; num_bytes];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|source| LoadError::Read { path, source })
    }

    /// Returns a constant that is a shape.
    pub(super) fn whole_numbers(&self, name: &str) -> Option<Vec<i64>> {
        let tensor = self.constants.get(name)?;
        if tensor.data_type != Some(INT64) || tensor.data_location == Some(EXTERNAL) {
            return None;
        }
        Some(match &tensor.raw_data {
            Some(raw) => {
                let (words, _) = raw.as_chunks::<8>();
                words.iter().map(|word| i64::from_le_bytes(*word)).collect()
            }
            None => tensor.int64_data.clone(),
        })
    }

    /// Returns what is known of a tensor's shape.
    pub(super) fn shape(&self, tensor: &str) -> Option<&[Option<usize>]> {
        self.shapes.get(tensor).map(Vec::as_slice)
    }

    /// Returns whether a tensor is known to be of single precision.
    pub(super) fn is_single(&self, tensor: &str) -> bool {
        self.singles.contains(tensor)
    }

    /// Puts one of our operators in the place of a part of the graph, and its kernel into `registry`.
    pub(super) fn replace<C: CustomOp>(&mut self, part: Match<C>, registry: &mut OpRegistry<C>) {
        let Match {
            nodes,
            inputs,
            kernel,
        } = part;
        let Some(&last) = nodes.iter().max() else {
            return;
        };
        for gone in nodes {
            for input in &self.nodes[gone].node.input {
                if let Some(readers) = self.readers.get_mut(input) {
                    readers.retain(|reader| *reader != gone);
                }
            }
            self.nodes[gone].encoded = None;
        }
        for input in &inputs {
            self.readers.entry(input.clone()).or_default().push(last);
        }
        let GraphNode { node, encoded } = &mut self.nodes[last];
        node.input = inputs;
        node.domain = Some(DOMAIN.to_owned());
        node.op_type = Some(C::NAME.to_owned());
        node.attribute = vec![Attribute {
            name: Some(INDEX.to_owned()),
            i: Some(registry.add(kernel)),
            r#type: Some(INT),
            ..Attribute::default()
        }];
        *encoded = Some(node.encode_to_vec());
    }

    /// Returns the graph with the nodes that are left and the constants that they read.
    pub(super) fn finish(self) -> Graph {
        let Self {
            mut graph,
            nodes,
            readers,
            outputs,
            ..
        } = self;
        graph.initializer.retain(|encoded| {
            let name = Tensor::decode(encoded.as_slice())
                .ok()
                .and_then(|tensor| tensor.name);
            let is_read = |name| readers.get(&name).is_none_or(|r| !r.is_empty());
            name.is_none_or(|name| outputs.contains(&name) || is_read(name))
        });
        graph.node = nodes.into_iter().filter_map(|node| node.encoded).collect();
        graph
    }
}

fn single(info: &ValueInfo) -> Option<String> {
    let of_numbers = info.r#type.as_ref()?.tensor_type.as_ref()?;
    let is_single = of_numbers.elem_type == Some(FLOAT);
    info.name.clone().filter(|_| is_single)
}

fn shape(info: ValueInfo) -> Option<(String, Vec<Option<usize>>)> {
    let shape = info.r#type?.tensor_type?.shape?;
    let length = |of: Option<i64>| usize::try_from(of?).ok().filter(|length| *length > 0);
    let dimensions = shape
        .dim
        .into_iter()
        .map(|dimension| length(dimension.dim_value));
    Some((info.name?, dimensions.collect()))
}

fn decoded<'a, T: Message + Default>(
    messages: impl IntoIterator<Item = &'a Vec<u8>>,
) -> Result<Vec<T>, prost::DecodeError> {
    messages
        .into_iter()
        .map(|message| T::decode(message.as_slice()))
        .collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}
