mod chain;

use std::path::Path;

use ndarray::Array4;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor as OrtTensor;
use prost::Message;
use shared::settings::EngineConfig;

use self::chain::{Chain, HEIGHT, WIDTH};
use super::onnx::{Attribute, EXTERNAL, Entry, INT, Model, Node, Tensor};
use super::{LoadError, load, replace};
use crate::engine::runtime::Runtime;
use crate::method::noise::standard_normal;

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
    let ours = run(load(builder(), &path).unwrap(), channels);
    let theirs = run(builder().commit_from_file(&path).unwrap(), channels);
    assert_close(&ours, &theirs);
}

fn replaced(chain: &Chain) -> Vec<String> {
    let (model, _) = replace(&chain.model(), Path::new("")).unwrap();
    contents(&model).0
}

#[test]
fn only_wide_convolutions_of_nine_pixels_or_one_at_stride_1_are_replaced() {
    let mut chain = Chain::new(8);
    chain.conv(12, 8, 3, 1, 1); // few channels
    chain.known(12);
    chain.conv(32, 12, 3, 1, 1);
    chain.known(32);
    chain.conv(40, 32, 3, 1, 1);
    chain.known(40);
    chain.conv(32, 40, 1, 0, 1); // one pixel
    chain.known(32);
    chain.node("Relu", &[], vec![]);
    chain.known(32);
    chain.conv(24, 32, 3, 1, 1);
    chain.conv(24, 24, 3, 1, 1); // nobody knows of what size
    chain.known(24);
    chain.conv(24, 24, 3, 1, 2); // stride 2
    let (model, ours) = replace(&chain.model(), Path::new("")).unwrap();
    let (operators, constants) = contents(&model);
    assert_eq!(
        operators,
        [
            "Conv",
            "synth2real:Convolution of 1",
            "synth2real:Convolution of 1",
            "synth2real:Pointwise of 1",
            "Relu",
            "synth2real:Convolution of 1",
            "Conv",
            "Conv"
        ]
    );
    let of = |number| [format!("weights_{number}"), format!("bias_{number}")];
    assert_eq!(constants, [of(0), of(6), of(7)].concat());
    let sizes = ours.convolutions.iter();
    let sizes: Vec<_> = sizes.map(|c| (c.num_inputs(), c.num_outputs())).collect();
    assert_eq!(sizes, [(12, 32), (32, 40), (32, 24)]);
}

#[test]
fn a_model_computes_with_our_convolutions_what_it_computes_with_those_of_onnx_runtime() {
    let mut chain = Chain::new(20);
    chain.conv(40, 20, 3, 1, 1);
    chain.known(40);
    chain.node("Relu", &[], vec![]);
    chain.known(40);
    let weights = chain.conv(20, 40, 3, 1, 1);
    let folder = tempfile::tempdir().unwrap();
    // The last weights lie in a file of their own, behind something else.
    let bytes = [vec![1; 64], weights.raw_data.clone().unwrap()].concat();
    std::fs::write(folder.path().join("chain.data"), bytes).unwrap();
    let entry = |key: &str, value: &str| Entry {
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
    };
    let external = Tensor {
        raw_data: None,
        data_location: Some(EXTERNAL),
        external_data: vec![
            entry("location", "chain.data"),
            entry("offset", "64"),
            entry(
                "length",
                &weights.raw_data.as_ref().unwrap().len().to_string(),
            ),
        ],
        ..weights
    };
    let last = chain.graph.initializer.len() - 2;
    chain.graph.initializer[last] = external.encode_to_vec();
    let (_, ours) = replace(&chain.model(), folder.path()).unwrap();
    assert_eq!(ours.convolutions.len(), 2);
    assert_same(&chain, folder.path(), 20);
}

#[test]
fn group_normalisation_is_one_operator_with_the_silu_after_it() {
    let mut chain = Chain::new(24);
    chain.group_norm(24, 4, 1.0);
    chain.silu(24);
    chain.group_norm(24, 8, 1.0);
    chain.node("Relu", &[], vec![]);
    assert_eq!(
        replaced(&chain),
        [
            "synth2real:GroupNorm of 1",
            "synth2real:GroupNorm of 1",
            "Relu"
        ]
    );
    let (_, ours) = replace(&chain.model(), Path::new("")).unwrap();
    let found: Vec<_> = ours
        .group_norms
        .iter()
        .map(|norm| (norm.num_groups, norm.epsilon, norm.silu))
        .collect();
    assert_eq!(found, [(4, 1e-3, true), (8, 1e-3, false)]);
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 24);
}

#[test]
fn a_normalisation_that_something_else_looks_into_stays() {
    let mut factors = Chain::new(24);
    factors.group_norm(24, 4, 2.0);
    assert_eq!(replaced(&factors)[1], "InstanceNormalization");

    let mut read = Chain::new(24);
    read.group_norm(24, 4, 1.0);
    let inside = "tensor_3".to_owned(); // the normalised image before factors
    read.node("Add", &[inside], vec![]);
    assert_eq!(replaced(&read)[1], "InstanceNormalization");
    let folder = tempfile::tempdir().unwrap();
    assert_same(&read, folder.path(), 24);

    // Halves of images are no groups.
    let mut halves = Chain::new(24);
    halves.group_norm(24, 4, 1.0);
    let split = halves.shape(&[-1, 4, 3 * HEIGHT * WIDTH]);
    halves.read_instead(0, 1, &split);
    assert_eq!(replaced(&halves)[1], "InstanceNormalization");

    // Its sigmoid is read twice, so SiLU is none of its own.
    let mut twice = Chain::new(24);
    twice.group_norm(24, 4, 1.0);
    twice.silu(24);
    let sigmoid = format!("tensor_{}", twice.tensors - 1);
    twice.node("Add", &[sigmoid], vec![]);
    assert_eq!(
        replaced(&twice),
        ["synth2real:GroupNorm of 1", "Sigmoid", "Mul", "Add"]
    );
    assert_same(&twice, folder.path(), 24);
}

#[test]
fn a_gated_activation_is_one_operator_with_the_sums_before_it() {
    let mut chain = Chain::new(8);
    let x = chain.last();
    let hidden_weights = chain.constant(vec![WIDTH, 40]);
    chain.on(&[x.clone(), hidden_weights], "MatMul", vec![]);
    let hidden_bias = chain.constant(vec![40]);
    chain.node("Add", &[hidden_bias], vec![]);
    let hidden = chain.last();
    let gate_weights = chain.constant(vec![WIDTH, 40]);
    chain.on(&[x, gate_weights], "MatMul", vec![]);
    let gate_bias = chain.constant(vec![40]);
    let gate = chain.last();
    chain.on(&[gate_bias, gate], "Add", vec![]);
    chain.node("Gelu", &[], vec![]);
    let activated = chain.last();
    chain.on(&[hidden, activated], "Mul", vec![]);
    assert_eq!(
        replaced(&chain),
        ["MatMul", "MatMul", "synth2real:GatedGelu of 2"]
    );
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 8);
}

#[test]
fn products_are_one_operator_with_the_sums_after_them() {
    let mut chain = Chain::new(8);
    let x = chain.last();
    let weights = chain.constant(vec![WIDTH, WIDTH]);
    chain.node("MatMul", &[weights], vec![]);
    let bias = chain.constant(vec![WIDTH]);
    chain.node("Add", &[bias], vec![]);
    chain.known(8);
    let sum = chain.last();
    chain.on(&[x, sum], "Add", vec![]);
    chain.known(8);
    let weights = chain.constant(vec![WIDTH, WIDTH]);
    chain.node("MatMul", &[weights], vec![]);
    chain.node("Relu", &[], vec![]);
    let weights = chain.constant(vec![WIDTH, WIDTH]);
    chain.node("MatMul", &[weights], vec![]);
    let of_channels = chain.constant(vec![8, 1, 1]);
    chain.node("Add", &[of_channels], vec![]);
    let odd = chain.constant(vec![WIDTH, 33]);
    chain.node("MatMul", &[odd], vec![]);
    assert_eq!(
        replaced(&chain),
        [
            "synth2real:Linear of 2",
            "synth2real:Linear of 1",
            "Relu",
            "synth2real:Linear of 1",
            "Add",
            "MatMul"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 8);
}

#[test]
fn a_convolution_takes_the_sum_that_alone_reads_it() {
    let mut chain = Chain::new(24);
    let x = chain.last();
    chain.conv(24, 24, 3, 1, 1);
    chain.known(24);
    let outputs = chain.last();
    chain.on(&[x.clone(), outputs], "Add", vec![]);
    chain.gives(24); // a later segment reads it too
    chain.conv(24, 24, 3, 1, 1);
    chain.known(24);
    let read_twice = chain.last();
    chain.on(&[x, read_twice.clone()], "Add", vec![]);
    chain.known(24);
    chain.node("Mul", &[read_twice], vec![]);
    assert_eq!(
        replaced(&chain),
        [
            "synth2real:Convolution of 2",
            "synth2real:Convolution of 1",
            "Add",
            "Mul"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 24);
}

#[test]
fn a_convolution_takes_the_normalisation_that_it_alone_reads() {
    let mut chain = Chain::new(24);
    let x = chain.last();
    chain.group_norm(24, 4, 1.0);
    chain.silu(24);
    chain.conv(40, 24, 3, 1, 1);
    chain.known(40);
    chain.group_norm(40, 8, 1.0);
    chain.conv(24, 40, 3, 1, 1);
    chain.known(24);
    let outputs = chain.last();
    chain.on(&[x, outputs], "Add", vec![]);
    chain.known(24);
    chain.group_norm(24, 4, 1.0);
    let read_twice = chain.last();
    chain.conv(24, 24, 3, 1, 1);
    chain.known(24);
    chain.node("Mul", &[read_twice], vec![]);
    chain.known(24);
    chain.group_norm(24, 4, 1.0);
    chain.gives(24); // a later segment reads it too
    chain.conv(24, 24, 3, 1, 1);
    assert_eq!(
        replaced(&chain),
        [
            "synth2real:Convolution of 1",
            "synth2real:Convolution of 2",
            "synth2real:GroupNorm of 1",
            "synth2real:Convolution of 1",
            "Mul",
            "synth2real:GroupNorm of 1",
            "synth2real:Convolution of 1"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 24);
}

#[test]
fn a_convolution_takes_the_enlargement_that_it_alone_reads() {
    let mut chain = Chain::new(24);
    chain.enlarge("floor");
    chain.known(24);
    chain.conv(24, 24, 3, 1, 1);
    let residual = chain.last();
    chain.known(24);
    chain.conv(24, 24, 3, 1, 1);
    let outputs = chain.last();
    chain.known(24);
    chain.on(&[outputs, residual], "Add", vec![]);
    chain.known(24);
    assert_eq!(
        replaced(&chain),
        ["synth2real:Convolution of 1", "synth2real:Convolution of 2"]
    );
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 24);

    let mut other = Chain::new(24);
    other.enlarge("ceil"); // it repeats other pixels
    other.known(24);
    other.conv(24, 24, 3, 1, 1);
    other.known(24);
    other.enlarge("floor");
    other.gives(24); // a later segment reads it too
    other.conv(24, 24, 3, 1, 1);
    assert_eq!(
        replaced(&other),
        [
            "Resize",
            "synth2real:Convolution of 1",
            "Resize",
            "synth2real:Convolution of 1"
        ]
    );
    assert_same(&other, folder.path(), 24);
}

#[test]
fn convolutions_of_single_pixels_are_replaced_unless_images_are_transposed_beside_them() {
    let mut chain = Chain::new(24);
    let x = chain.last();
    chain.conv(24, 24, 1, 0, 1);
    chain.known(24);
    let outputs = chain.last();
    chain.on(&[x, outputs], "Add", vec![]);
    chain.known(24);
    chain.conv(24, 24, 1, 0, 1);
    chain.known(24);
    chain.node("Relu", &[], vec![]);
    chain.conv(24, 24, 1, 0, 1);
    chain.node("Transpose", &[], vec![]);
    chain.node("Transpose", &[], vec![]);
    chain.conv(24, 24, 1, 0, 1);
    assert_eq!(
        replaced(&chain),
        [
            "synth2real:Pointwise of 2",
            "synth2real:Pointwise of 1",
            "Relu",
            "Conv",
            "Transpose",
            "Transpose",
            "Conv"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 24);
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
        load(builder(), &path),
        Err(LoadError::Read { .. })
    ));
    std::fs::write(&path, b"no model").unwrap();
    assert!(matches!(load(builder(), &path), Err(LoadError::Decode(_))));
    let mut chain = Chain::new(20);
    let weights = chain.conv(40, 20, 3, 1, 1);
    let short = Tensor {
        raw_data: Some(vec![0; 4]),
        ..weights
    };
    chain.graph.initializer[0] = short.encode_to_vec();
    std::fs::write(&path, chain.model()).unwrap();
    let error = load(builder(), &path).unwrap_err().to_string();
    assert!(error.contains("weights_0"), "{error}");
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
