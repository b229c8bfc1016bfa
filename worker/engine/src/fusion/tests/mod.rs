//! Fusions: which parts of graphs are replaced, and that numbers stay the same.

mod chain;
mod convolutions;
mod layers;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array4;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor as OrtTensor;
use prost::Message;
use shared::settings::EngineConfig;

use self::chain::{Chain, HEIGHT, WIDTH};
use super::custom_ops::{CustomOp, CustomOps, OpRegistry};
use super::onnx::{Attribute, EXTERNAL, INT, Model, Node, Tensor};
use super::{LoadError, load, rewrite};
use crate::runtime::Runtime;
use kernels::bf16::Operands;
use method::noise::standard_normal;

/// Returns the operators of a model, with the number of inputs of ours, and the names of its constants.
fn contents(model: &[u8]) -> (Vec<String>, Vec<String>) {
    let graph = Model::decode(model).unwrap().graph.unwrap();
    let operators = graph.node.iter().map(|node| {
        let node = Node::decode(node.as_slice()).unwrap();
        let (domain, operator) = (node.domain.unwrap_or_default(), node.op_type.unwrap());
        match domain.as_str() {
            "" => operator,
            _ => format!("{domain}:{operator} of {}", node.input.len()),
        }
    });
    let constants = graph.initializer.iter();
    let constants =
        constants.map(|tensor| Tensor::decode(tensor.as_slice()).unwrap().name.unwrap());
    (operators.collect(), constants.collect())
}

/// Returns the kernels of the nodes of one operator.
fn kernels_of<C: CustomOp>(ops: &CustomOps) -> &[Arc<C>] {
    let registry = ops.0.iter().find_map(|op| {
        let op: &dyn Any = &**op;
        op.downcast_ref::<OpRegistry<C>>()
    });
    &registry.unwrap().kernels
}

fn builder() -> SessionBuilder {
    let runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let builder = Session::builder(runtime.environment()).unwrap();
    builder
        .with_optimization_level(GraphOptimizationLevel::All)
        .unwrap()
}

/// Returns all that a model makes of a batch of two images.
fn run(mut session: Session, channels: usize) -> Vec<f32> {
    let shape = [2, channels, HEIGHT as usize, WIDTH as usize];
    let draws = standard_normal(1, "images", 0, (1, 1, shape.iter().product()));
    let images = Array4::from_shape_vec(shape, draws.into_raw_vec_and_offset().0).unwrap();
    let images = OrtTensor::from_array(images).unwrap();
    let inputs: [SessionInputValue<'_>; 1] = [images.into()];
    let outputs = session.run(inputs).unwrap();
    let numbers = |value: ort::value::DynValue| {
        let (_, numbers) = value.try_extract_tensor::<f32>().unwrap();
        numbers.to_vec()
    };
    let values = outputs.into_iter().map(|(_, value)| value);
    values.flat_map(numbers).collect()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-4,
            "number {place}: {found}, not {expected}"
        );
    }
}

/// Asserts that a model in a folder computes with our operators what it computes with those of ONNX Runtime.
fn assert_same(chain: &Chain, folder: &Path, channels: usize) {
    let path = folder.join("chain.onnx");
    std::fs::write(&path, chain.model()).unwrap();
    let ours = run(load(builder(), &path, Operands::Single).unwrap(), channels);
    let theirs = run(builder().commit_from_file(&path).unwrap(), channels);
    assert_close(&ours, &theirs);
}

/// Asserts that a model in a folder computes the same but for the rounding of operands, where products are of bfloat16.
fn assert_rounded(chain: &Chain, folder: &Path, channels: usize) {
    let path = folder.join("chain.onnx");
    std::fs::write(&path, chain.model()).unwrap();
    let by = |operands| run(load(builder(), &path, operands).unwrap(), channels);
    let (exact, rounded) = (by(Operands::Single), by(Operands::Bf16));
    let sum = |numbers: &mut dyn Iterator<Item = f32>| {
        let squares = numbers.map(|number| f64::from(number).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let of_errors = sum(&mut exact.iter().zip(&rounded).map(|(a, b)| a - b));
    let error = of_errors / sum(&mut exact.iter().copied());
    assert!(error > 1e-4 && error < 0.02, "{error:e}");
}

fn replaced(chain: &Chain) -> Vec<String> {
    let (model, _) = rewrite(&chain.model(), Path::new(""), Operands::Single).unwrap();
    contents(&model).0
}

#[test]
fn a_graph_with_graphs_inside_is_left_alone() {
    let mut chain = Chain::new(20);
    chain.conv(40, 20, 3, 1, 1);
    let inside = Attribute {
        name: Some("body".to_owned()),
        graph: Some(vec![]),
        ..Attribute::default()
    };
    chain.node("Loop", &[], vec![inside]);
    assert_eq!(replaced(&chain), ["Conv", "Loop"]);
}

#[test]
fn what_cannot_be_loaded_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.onnx");
    assert!(matches!(
        load(builder(), &path, Operands::Single),
        Err(LoadError::Read { .. })
    ));
    std::fs::write(&path, b"no model").unwrap();
    assert!(matches!(
        load(builder(), &path, Operands::Single),
        Err(LoadError::Decode(_))
    ));
    let mut chain = Chain::new(20);
    let weights = chain.conv(40, 20, 3, 1, 1);
    let short = Tensor {
        raw_data: Some(vec![0; 4]),
        ..weights
    };
    chain.graph.initializer[0] = short.encode_to_vec();
    std::fs::write(&path, chain.model()).unwrap();
    let error = load(builder(), &path, Operands::Single)
        .unwrap_err()
        .to_string();
    assert!(error.contains("weights_0"), "{error}");
    let nowhere = Tensor {
        raw_data: None,
        data_location: Some(EXTERNAL),
        ..short
    };
    chain.graph.initializer[0] = nowhere.encode_to_vec();
    std::fs::write(&path, chain.model()).unwrap();
    let error = load(builder(), &path, Operands::Single)
        .unwrap_err()
        .to_string();
    assert!(error.contains("does not say in which"), "{error}");
}

#[test]
fn whole_numbers_are_written_as_onnx_has_them() {
    // `index` as protoc writes it: name, i and type.
    let attribute = Attribute {
        name: Some("index".to_owned()),
        i: Some(3),
        r#type: Some(INT),
        ..Attribute::default()
    };
    assert_eq!(
        attribute.encode_to_vec(),
        [b"\x0a\x05index".as_slice(), b"\x18\x03", b"\xa0\x01\x02"].concat()
    );
}

#[test]
fn products_of_bf16_differ_from_those_of_single_precision_by_rounding_alone() {
    let mut chain = Chain::new(8);
    chain.conv(32, 8, 3, 1, 1);
    chain.known(32);
    chain.conv(40, 32, 1, 0, 1);
    chain.known(40);
    let weights = chain.constant(vec![WIDTH, WIDTH]);
    chain.node("MatMul", &[weights], vec![]);
    let found = [
        "synth2real:Convolution of 1",
        "synth2real:Pointwise of 1",
        "synth2real:Linear of 1",
    ];
    assert_eq!(replaced(&chain), found);
    let folder = tempfile::tempdir().unwrap();
    assert_rounded(&chain, folder.path(), 8);
}
