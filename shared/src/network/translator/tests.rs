//! Contracts of translators say what is taken and given, or are refused in a line.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::network::TRANSLATOR_FILE;

/// Returns a contract of a translator that takes all that there is.
fn valid() -> Value {
    let tensor =
        |name: &str, shape: Value| json!({"name": name, "dtype": "float32", "shape": shape});
    json!({
        "format_version": 1,
        "producer": "a test",
        "name": "a translator",
        "source": {"name": "a translator", "sha256": "0"},
        "translation": {"input_range": [-1.0, 1.0], "output_range": [0, 255], "unknown": "channel"},
        "file": "translator.onnx",
        "sha256": "0",
        "data": null,
        "inputs": [
            tensor("image", json!(["batch", 3, 32, 64])),
            tensor("label", json!(["batch", 20, 32, 64])),
            tensor("style", json!([1, 3, 32, 64])),
            tensor("noise", json!(["batch", 8, 4, 2])),
        ],
        "outputs": [tensor("output", json!(["batch", 3, 32, 64]))],
    })
}

fn shapes(contract: &Value) -> Result<TranslatorShapes, ContractError> {
    let bytes = serde_json::to_vec(contract).unwrap();
    let path = Path::new("models/gan").join(TRANSLATOR_FILE);
    TranslatorShapes::of(&NetworkContract::from_json(&bytes, path)?)
}

/// Returns what is said of a contract in which the value at a pointer is another one.
fn refusal(pointer: &str, value: Value) -> String {
    let mut contract = valid();
    *contract.pointer_mut(pointer).expect(pointer) = value;
    shapes(&contract).unwrap_err().to_string()
}

#[test]
fn a_contract_says_what_is_taken_and_given() {
    let found = shapes(&valid()).unwrap();
    assert_eq!(found.image, (32, 64));
    assert_eq!(found.label, Some(UnknownPixels::Channel));
    assert_eq!(found.noise, Some(vec![8, 4, 2]));
    assert!(found.takes_image && found.takes_style && found.differs_by_style());
    let ValueRange { black, white } = found.translation.output_range;
    assert_eq!((black, white), (0.0, 255.0));
    let expected = ImageSize {
        width: 64,
        height: 32,
        latent_width: 8,
        latent_height: 4,
    };
    assert_eq!(found.size(), expected);

    let mut alone = valid();
    alone["inputs"].as_array_mut().unwrap().truncate(1);
    alone["translation"]["unknown"] = Value::Null;
    let found = shapes(&alone).unwrap();
    assert!(found.takes_image && !found.differs_by_style());
    assert_eq!((found.label, found.noise), (None, None));
    let mut of_labels = valid();
    of_labels["inputs"].as_array_mut().unwrap().remove(0);
    of_labels["inputs"][0]["shape"][1] = json!(19);
    of_labels["inputs"][2]["shape"] = json!([1, 256]);
    of_labels["translation"]["unknown"] = json!("zeros");
    let found = shapes(&of_labels).unwrap();
    assert_eq!(found.label, Some(UnknownPixels::Zeros));
    assert_eq!(found.noise, Some(vec![256]));
}

#[test]
fn what_no_translator_takes_or_gives_is_refused_in_a_line() {
    for (pointer, value, words) in [
        ("/translation", Value::Null, "what its numbers mean"),
        (
            "/translation/unknown",
            Value::Null,
            "what a pixel of no known class is",
        ),
        (
            "/translation/input_range",
            json!([1, -1]),
            "input_range 1 to -1",
        ),
        (
            "/translation/output_range",
            json!([0, 0]),
            "output_range 0 to 0",
        ),
        (
            "/translation/output_range",
            json!([0, 1, 2]),
            "is no contract",
        ),
        (
            "/outputs/0/shape",
            json!(["batch", 3, 16, 64]),
            "takes image as [3, 32, 64] and gives images of 64x16",
        ),
        ("/outputs/0/shape", json!(["batch", 1, 32, 64]), "(batch, 3"),
        (
            "/outputs/0/shape",
            json!(["batch", 3, "height", 64]),
            "numbers after it",
        ),
        ("/outputs/0/shape", json!([3, 32, 64]), "batch of one"),
        ("/outputs/0/shape", json!([1, 3, 8, 64]), "sides of 16"),
        ("/outputs/0/shape", json!([1, 3, 8192, 8192]), "33000000"),
        ("/outputs/0/name", json!("image"), "must give output"),
        (
            "/inputs/0/name",
            json!("depth\nmap"),
            "takes depth\\nmap, which is none of image, label, style, noise",
        ),
        (
            "/inputs/0/name",
            json!("style"),
            "has the input style twice",
        ),
        ("/inputs/0/dtype", json!("float16"), "must be float32"),
        (
            "/inputs/1/shape",
            json!([1, 19, 32, 64]),
            "it must be [20, 32, 64]",
        ),
        ("/inputs/2/shape", json!([2, 3, 32, 64]), "batch of one"),
        ("/inputs/3/shape", json!([1, 8, 4]), "one length or three"),
        (
            "/inputs/3/shape",
            json!([1, 67_108_864, 67_108_864, 67_108_864]),
            "67108864 numbers at most",
        ),
    ] {
        let told = refusal(pointer, value);
        assert!(told.contains(words), "no {words:?}: {told}");
        assert!(!told.contains('\n'), "{told}");
        for words in [TRANSLATOR_FILE, "export the network again"] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
    }
    let mut without = valid();
    let others = without["inputs"].as_array().unwrap()[2..].to_vec();
    without["inputs"] = Value::Array(others);
    let told = shapes(&without).unwrap_err().to_string();
    assert!(told.contains("takes neither image nor label"), "{told}");
}
