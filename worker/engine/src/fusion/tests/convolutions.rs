//! Which convolutions are replaced, and with what around them.

use std::path::Path;

use prost::Message;

use super::chain::Chain;
use super::{assert_same, contents, kernels_of, replaced};
use crate::fusion::onnx::{EXTERNAL, Entry, Tensor};
use crate::fusion::rewrite;
use kernels::bf16::Operands;
use kernels::convolution::Convolution;

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
    chain.conv(24, 24, 3, 1, 1); // of an unknown size
    chain.known(24);
    chain.conv(24, 24, 3, 1, 2); // stride 2
    let (model, ours) = rewrite(&chain.model(), Path::new(""), Operands::Single).unwrap();
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
    let sizes = kernels_of::<Convolution>(&ours).iter();
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
    let (_, ours) = rewrite(&chain.model(), folder.path(), Operands::Single).unwrap();
    assert_eq!(kernels_of::<Convolution>(&ours).len(), 2);
    assert_same(&chain, folder.path(), 20);
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
fn what_is_added_is_never_overwritten_before_it_was_read() {
    let mut chain = Chain::new(24);
    for _ in 0..2 {
        chain.node("Relu", &[], vec![]);
        chain.known(24);
    }
    // Nothing reads it afterwards: its memory may become the output's.
    let last_read_here = chain.last();
    chain.conv(24, 24, 3, 1, 1);
    chain.known(24);
    chain.node("Relu", &[], vec![]);
    chain.known(24);
    chain.conv(24, 24, 3, 1, 1);
    chain.known(24);
    chain.node("Add", &[last_read_here], vec![]);
    chain.known(24);
    // It is also what is convolved.
    let convolved = chain.last();
    chain.conv(24, 24, 3, 1, 1);
    chain.known(24);
    chain.node("Add", &[convolved], vec![]);
    chain.known(24);
    // It is read once more.
    let read_later = chain.last();
    chain.conv(24, 24, 1, 0, 1);
    chain.known(24);
    chain.node("Add", std::slice::from_ref(&read_later), vec![]);
    chain.known(24);
    chain.node("Sub", &[read_later], vec![]);
    assert_eq!(
        replaced(&chain)[2..],
        [
            "synth2real:Convolution of 1",
            "Relu",
            "synth2real:Convolution of 2",
            "synth2real:Convolution of 2",
            "synth2real:Pointwise of 2",
            "Sub"
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
fn a_convolution_takes_the_upsampling_that_it_alone_reads() {
    let mut chain = Chain::new(24);
    chain.upsample("floor");
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
    other.upsample("ceil"); // it repeats other pixels
    other.known(24);
    other.conv(24, 24, 3, 1, 1);
    other.known(24);
    other.upsample("floor");
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
fn convolutions_whose_numbers_do_not_fit_each_other_are_left_to_onnx_runtime() {
    let conv = |kernel: i64| {
        let mut chain = Chain::new(32);
        chain.conv(32, 32, kernel, kernel / 2, 1);
        chain.known(32);
        chain
    };
    let other_bias = |kernel: i64| {
        let mut chain = conv(kernel);
        let bias = chain.constant(vec![16]);
        chain.read_instead(0, 2, &bias);
        chain
    };
    let mut without_inputs = conv(1);
    let weights = without_inputs.constant(vec![32, 0, 1, 1]);
    without_inputs.read_instead(0, 1, &weights);
    let mut other_norm = Chain::new(64);
    other_norm.known(64);
    other_norm.group_norm(64, 8, 1.0);
    other_norm.conv(32, 32, 3, 1, 1);
    other_norm.known(32);
    for chain in [other_bias(3), other_bias(1), without_inputs, other_norm] {
        let (model, _) = rewrite(&chain.model(), Path::new(""), Operands::Single).unwrap();
        let (operators, _) = contents(&model);
        assert_eq!(
            operators.last().map(String::as_str),
            Some("Conv"),
            "{operators:?}"
        );
    }
}
