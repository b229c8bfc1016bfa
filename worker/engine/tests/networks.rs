//! Networks that judge images: a graph that is another one than its contract says is refused when it is loaded.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use engine::feature_extractor::FeatureExtractor;
use shared::network::FEATURES_FILE;
use shared::settings::EngineConfig;
use tempfile::TempDir;

/// The features of the demo, with a contract in which `from` stands as `to`.
fn altered(from: &str, to: &str) -> TempDir {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/demo/features");
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(demo).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let contract = folder.path().join(FEATURES_FILE);
    let text: String = fs::read_to_string(&contract).unwrap();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(text.matches(from).count(), 1, "{text}");
    fs::write(&contract, text.replace(from, to)).unwrap();
    folder
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
