//! Methods without a model give the levels that published code and plain definitions give (`onnx-export/tests/baselines.py`).
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::File;

use method::baseline::StyleStatistics;
use ndarray::Array3;
use ndarray_npy::{NpzReader, ReadableElement};
use shared::settings::{Baseline, BaselineConfig};

const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/baselines/baselines.npz"
);

fn array<T: ReadableElement>(name: &str) -> Array3<T> {
    let mut npz = NpzReader::new(File::open(FIXTURE).unwrap()).unwrap();
    npz.by_name(name).unwrap()
}

fn converted(method: Baseline, beta: Option<f64>) -> Array3<u8> {
    let (content, style): (Array3<u8>, Array3<u8>) = (array("content"), array("style"));
    let (height, width, _) = content.dim();
    let config = BaselineConfig {
        method,
        seed: 0,
        width,
        height,
        beta,
    };
    StyleStatistics::of(style.view(), &config).lent_to(content.view())
}

/// Asserts that each level is the one next to that before rounding.
fn assert_levels(found: &Array3<u8>, name: &str) {
    let expected: Array3<f64> = array(name);
    assert_eq!(found.dim(), expected.dim(), "{name}");
    for (at, level) in found.indexed_iter() {
        let off = (f64::from(*level) - expected[at]).abs();
        assert!(off < 0.5 + 1e-6, "{name} at {at:?}: {level}, {off} off");
    }
}

#[test]
fn moments_in_lab_are_those_that_scikit_image_converts() {
    assert_levels(&converted(Baseline::Reinhard, None), "reinhard");
}

#[test]
fn histograms_are_those_of_scikit_image() {
    assert_levels(&converted(Baseline::Histogram, None), "histogram");
}

#[test]
fn low_amplitudes_are_those_of_whole_transforms() {
    for (beta, name) in [
        (0.0, "fda_0.0"),
        (0.05, "fda_0.05"),
        (0.2, "fda_0.2"),
        (0.5, "fda_0.5"),
    ] {
        assert_levels(&converted(Baseline::Fda, Some(beta)), name);
    }
}

#[test]
fn identity_leaves_the_content_as_it_is() {
    let content: Array3<u8> = array("content");
    let output = converted(Baseline::Identity, None);
    assert_eq!(output, content);
    assert!(output.is_standard_layout());
}
