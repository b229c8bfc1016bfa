//! Contracts of networks of priors that no image fits are refused when they are loaded.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use engine::InputSize;
use engine::prior_network::PriorNetwork;
use serde_json::{Value, json};
use shared::network::PRIOR_FILE;
use shared::settings::EngineConfig;

/// Returns what is said of a contract whose image and features have other shapes.
fn refused(image: &Value, features: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let contract = json!({
        "format_version": 1,
        "producer": "a test",
        "name": "patches",
        "source": { "name": "patches", "sha256": "" },
        "num_features": 96,
        "file": "prior.onnx",
        "sha256": "",
        "data": null,
        "inputs": [{ "name": "image", "dtype": "float32", "shape": image }],
        "outputs": [{ "name": "features", "dtype": "float32", "shape": features }],
    });
    fs::write(folder.path().join(PRIOR_FILE), contract.to_string()).unwrap();
    let size = InputSize {
        width: 256,
        height: 128,
    };
    let loaded = PriorNetwork::load(folder.path(), &EngineConfig::default(), Some(size));
    let Err(error) = loaded else {
        panic!("it was accepted");
    };
    error.to_string()
}

#[test]
fn patches_that_do_not_divide_an_image_are_refused_with_both() {
    let image = json!([1, 3, 140, 280]);
    for (image, features, words) in [
        (&image, json!([1, 199, 96]), "199 patches"),
        (&image, json!([1, 200, 96, 1]), "3 lengths of features"),
        (&image, json!([2, 200, 96]), "(1, patches, numbers)"),
        (
            &json!([1, 3, "height", 280]),
            json!([1, 200, 96]),
            "4 lengths of image",
        ),
    ] {
        let told = refused(image, &features);
        assert!(told.contains(words), "no {words:?}: {told}");
        assert!(told.contains("export the network again"), "{told}");
    }
    // What divides it is looked for in the folder.
    let told = refused(&image, &json!([1, 200, 96]));
    assert!(told.contains("prior.onnx"), "{told}");
}

#[test]
fn a_network_for_images_of_another_shape_than_the_models_is_refused() {
    let told = refused(&json!([1, 3, 140, 140]), &json!([1, 100, 96]));
    for words in ["takes images of 140x140", "the model's 256x128"] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
}
