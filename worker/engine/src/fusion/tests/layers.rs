//! Which normalisations, activations and products are replaced.

use std::path::Path;

use super::chain::{Chain, HEIGHT, WIDTH};
use super::{assert_same, kernels_of, replaced};
use crate::fusion::rewrite;
use kernels::bf16::Operands;
use kernels::group_norm::GroupNorm;

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
    let (_, ours) = rewrite(&chain.model(), Path::new(""), Operands::Single).unwrap();
    assert_eq!(
        ours.to_string(),
        "0 Convolution, 2 GroupNorm, 0 GatedGelu, 0 Linear, 0 Pointwise, 0 SmallConvolution, 0 MultiHeadAttention"
    );
    let found: Vec<_> = kernels_of::<GroupNorm>(&ours)
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

/// Returns a chain that makes tokens of images of 8 channels, 24 numbers wide, and the names of three different ones.
fn tokens() -> (Chain, [String; 3]) {
    let mut chain = Chain::new(8);
    let joined = chain.shape(&[0, 8 * HEIGHT, WIDTH]);
    chain.node("Reshape", &[joined], vec![]);
    let x = chain.last();
    let tokens = [0, 1, 2].map(|_| {
        let weights = chain.constant(vec![WIDTH, 24]);
        chain.on(&[x.clone(), weights], "MatMul", vec![]);
        chain.of_tokens(24);
        chain.last()
    });
    (chain, tokens)
}

#[test]
fn attention_is_one_operator_of_plain_queries_keys_and_values() {
    let (mut chain, tokens) = tokens();
    chain.attention(&tokens, 3, None);
    chain.node("Relu", &[], vec![]);
    assert_eq!(
        replaced(&chain)[4..],
        ["synth2real:MultiHeadAttention of 3", "Relu"]
    );
    let folder = tempfile::tempdir().unwrap();
    assert_same(&chain, folder.path(), 8);
}

#[test]
fn an_attention_of_another_kind_stays() {
    let (mut scaled, tokens) = tokens();
    scaled.attention(&tokens, 3, Some(0.1));
    assert!(replaced(&scaled)[4].starts_with("com.microsoft:"));
    let folder = tempfile::tempdir().unwrap();
    assert_same(&scaled, folder.path(), 8);

    // Nothing says that these are of single precision.
    let (mut unknown, tokens) = self::tokens();
    unknown.graph.value_info.pop();
    unknown.attention(&tokens, 3, None);
    assert!(replaced(&unknown)[4].starts_with("com.microsoft:"));
}
