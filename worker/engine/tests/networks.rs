//! Networks that judge images: a graph that is another one than its contract says is refused when it is loaded, and one that
//! gives what its contract does not say when it has.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use engine::EngineError;
use engine::feature_extractor::FeatureExtractor;
use engine::segmentation_network::SegmentationNetwork;
use ndarray::Array3;
use shared::dataset::classes::{CLASSES, UNKNOWN};
use shared::digest;
use shared::model::ContractError;
use shared::network::{FEATURES_FILE, SEGMENTER_FILE};
use shared::settings::EngineConfig;
use tempfile::TempDir;

/// A network of the repository, with a contract that is changed: its words come with one space between them.
fn changed(network: &str, contract: &str, change: impl FnOnce(String) -> String) -> TempDir {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(repository.join(network)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let contract = folder.path().join(contract);
    let text: String = fs::read_to_string(&contract).unwrap();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    fs::write(&contract, change(text)).unwrap();
    folder
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{text}");
    text.replace(from, to)
}

/// The features of the demo, with a contract in which `from` stands as `to`.
fn altered(from: &str, to: &str) -> TempDir {
    changed("infra/demo/features", FEATURES_FILE, |text| {
        replaced(&text, from, to)
    })
}

/// The segmenter of tests, which gives each pixel the nearest colour of a class, with a contract that is changed.
fn segmenter(change: impl FnOnce(String) -> String) -> TempDir {
    changed("tests/fixtures/segmenter", SEGMENTER_FILE, change)
}

fn loaded(folder: &TempDir) -> Result<SegmentationNetwork, EngineError> {
    SegmentationNetwork::load(folder.path(), &EngineConfig::default(), None)
}

/// Returns an image of one line in these colours.
fn line(colours: &[[u8; 3]]) -> Array3<u8> {
    Array3::from_shape_fn((1, colours.len(), 3), |(_, x, channel)| colours[x][channel])
}

#[test]
fn a_graph_of_another_rank_or_type_than_its_contract_says_is_refused_with_both() {
    let output = r#""shape": [ "batch", 64 ]"#;
    for (from, to, words) in [
        (
            output,
            r#""shape": [ "batch", 64, 1, 1 ]"#,
            ["output features", "[-1, 64]"],
        ),
        (
            output,
            r#""shape": [ "batch", 65 ]"#,
            ["output features", "[-1, 64]"],
        ),
        (
            r#"[ "batch", 3, "height", "width" ]"#,
            r#"[ 3, "height", "width" ]"#,
            ["input images", "[-1, 3, -1, -1]"],
        ),
    ] {
        let folder = altered(from, to);
        let loaded = FeatureExtractor::load(folder.path(), &EngineConfig::default(), None);
        let Err(error) = loaded else {
            panic!("a contract with {to} was accepted");
        };
        let told = error.to_string();
        for word in words.into_iter().chain(["the contract says"]) {
            assert!(told.contains(word), "no {word:?}: {told}");
        }
    }
}

#[test]
fn a_segmenter_gives_the_train_id_of_each_pixel_row_by_row() {
    let folder = segmenter(|text| text);
    let mut segmenter = loaded(&folder).unwrap();
    let colours = CLASSES.map(|class| class.colour);
    let train_ids: Vec<u8> = (0..CLASSES.len() as u8).collect();
    assert_eq!(segmenter.predict(line(&colours).view()).unwrap(), train_ids);

    let (road, sky, black) = (colours[0], colours[10], [0, 0, 0]);
    let rows = [[road, sky, black], [sky, sky, road]];
    let image = Array3::from_shape_fn((2, 3, 3), |(y, x, channel)| rows[y][x][channel]);
    let predicted = segmenter.predict(image.view()).unwrap();
    assert_eq!(predicted, [0, 10, UNKNOWN, 10, 10, 0]);
}

#[test]
fn classes_of_one_train_id_are_that_class_and_those_of_none_are_unknown() {
    let folder = segmenter(|text| {
        let sky = r#"{ "name": "sky", "train_id": 10 }"#;
        let text = replaced(&text, sky, r#"{ "name": "clouds", "train_id": 8 }"#);
        let road = r#"{ "name": "road", "train_id": 0 }"#;
        replaced(&text, road, r#"{ "name": "water", "train_id": null }"#)
    });
    let mut segmenter = loaded(&folder).unwrap();
    let colours = [0, 8, 10].map(|train_id: usize| CLASSES[train_id].colour);
    let predicted = segmenter.predict(line(&colours).view()).unwrap();
    assert_eq!(predicted, [UNKNOWN, 8, 8]);
}

#[test]
fn a_class_that_the_contract_does_not_name_is_refused_with_its_index() {
    // It names the first two classes alone.
    let folder = segmenter(|text| {
        let first = text.find(r#", { "name": "building""#).unwrap();
        let end = text.find(r#" ], "file""#).unwrap();
        format!("{}{}", &text[..first], &text[end..])
    });
    let mut segmenter = loaded(&folder).unwrap();
    let sky = line(&[CLASSES[0].colour, CLASSES[10].colour]);
    let error = segmenter.predict(sky.view()).unwrap_err();
    assert!(
        matches!(error, EngineError::Contract(ContractError::Unusable { .. })),
        "{error:?}"
    );
    let told = error.to_string();
    for words in [SEGMENTER_FILE, "2 classes", "gives class 10", "0 to 1"] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    let road = line(&[CLASSES[0].colour]);
    assert_eq!(segmenter.predict(road.view()).unwrap(), [0]);
}

/// The segmenter of tests with a weight of the class road that is not finite: the graph, and the digest that the contract has
/// of it, are changed.
fn damaged() -> TempDir {
    let folder = segmenter(|text| text);
    let graph = folder.path().join("segmenter.onnx");
    let mut bytes = fs::read(&graph).unwrap();
    let before = digest::sha256(&bytes);
    // The score of a colour is twice its product with the pixel's.
    let red = 2.0 * (f32::from(CLASSES[0].colour[0]) / 255.0);
    let weight = red.to_le_bytes();
    let at = bytes.windows(4).position(|found| found == weight).unwrap();
    bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    fs::write(&graph, &bytes).unwrap();
    let contract = folder.path().join(SEGMENTER_FILE);
    let text = fs::read_to_string(&contract).unwrap();
    let text = replaced(&text, &before, &digest::sha256(&bytes));
    fs::write(contract, text).unwrap();
    folder
}

#[test]
fn scores_that_are_not_finite_are_no_classes() {
    let folder = damaged();
    let mut segmenter = loaded(&folder).unwrap();
    let colours = CLASSES.map(|class| class.colour);
    let error = segmenter.predict(line(&colours).view()).unwrap_err();
    assert!(matches!(error, EngineError::NotJudged { .. }), "{error:?}");
    let told = error.to_string();
    for words in ["nearest colour of Cityscapes", "not finite"] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
}

#[test]
fn a_segmenter_that_gives_no_class_indices_or_has_no_classes_is_not_loaded() {
    for (from, to, words) in [
        (r#""dtype": "int64""#, r#""dtype": "float32""#, "as int64"),
        (
            r#""name": "classes""#,
            r#""name": "labels""#,
            "output classes",
        ),
        (r#""classes": ["#, r#""others": ["#, "must say its classes"),
        (
            r#"[ "batch", "height", "width" ]"#,
            r#"[ "batch", "width" ]"#,
            "the contract says",
        ),
    ] {
        let folder = segmenter(|text| replaced(&text, from, to));
        let Err(error) = loaded(&folder) else {
            panic!("a contract with {to} was accepted");
        };
        let told = error.to_string();
        assert!(told.contains(words), "no {words:?}: {told}");
        assert!(told.contains("segmenter."), "{told}");
    }
}
