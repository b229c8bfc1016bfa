//! A golden whose heads are 40 and 64 wide, as those of Stable Diffusion 1.5 and 2.x: on a GPU their attention is computed by
//! the same kernels, in both precisions.

use std::path::PathBuf;

use serde_json::Value;
use tests::goldens::{folders, unpacked};
use tests::repository;

use crate::conversion::Conversion;

const FOLDERS: [&str; 2] = ["cacti", "cactif"];
/// From here on ONNX Runtime takes other kernels in single precision, too.
const MANY_TOKENS: u64 = 256;

fn heads(relative: &str) -> PathBuf {
    repository("tests/fixtures/golden-heads").join(relative)
}

#[test]
fn every_folder_of_goldens_has_a_test() {
    assert_eq!(folders(&heads("")), FOLDERS);
}

#[test]
fn heads_of_40_and_64_agree_in_single_precision() {
    let model = unpacked(&heads("model-fp32.npz"));
    for folder in FOLDERS {
        Conversion::by(model.path().to_owned(), heads(folder)).agrees();
    }
}

#[test]
fn heads_of_40_and_64_agree_in_half_precision() {
    let model = unpacked(&heads("model-fp16.npz"));
    for folder in FOLDERS {
        let conversion = Conversion::by(model.path().to_owned(), heads(folder));
        conversion.in_half_precision().agrees();
    }
}

#[test]
fn layers_have_the_heads_and_the_tokens_that_decide_about_kernels() {
    for (packed, precision) in [("model-fp32.npz", "fp32"), ("model-fp16.npz", "fp16")] {
        let model = unpacked(&heads(packed));
        let contract = std::fs::read(model.path().join("model.json")).unwrap();
        let contract: Value = serde_json::from_slice(&contract).unwrap();
        assert_eq!(contract["dtype"], precision);
        let segments = contract["segments"].as_array().unwrap();
        let layers = segments.iter().map(|segment| &segment["layer"]);
        let layers: Vec<&Value> = layers.filter(|layer| !layer.is_null()).collect();
        let widths: Vec<u64> = layers
            .iter()
            .map(|layer| layer["head_width"].as_u64().unwrap())
            .collect();
        assert_eq!(widths, [64, 64, 40, 40], "{packed}");
        for layer in layers {
            assert!(layer["tokens"].as_u64().unwrap() >= MANY_TOKENS, "{layer}");
        }
    }
}
