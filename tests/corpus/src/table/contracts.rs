//! `model.json`, `features.json`, `perceptual.json`, `segmenter.json` and `translator.json`.

use serde_json::{Value, json};

use super::Row;
use crate::read::Reads;

const MODEL: &str = include_str!("../../../fixtures/golden-model/model.json");
const FEATURES: &str = include_str!("../../../../infra/demo/features/features.json");
const PERCEPTUAL: &str = include_str!("../../../fixtures/perceptual/perceptual.json");
const SEGMENTER: &str = include_str!("../../../fixtures/segmenter/segmenter.json");
const TRANSLATOR: &str = include_str!("../../../fixtures/translator/translator.json");

/// Returns a document with the value at a JSON pointer replaced.
pub(super) fn with(document: &str, pointer: &str, value: Value) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(document).unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    serde_json::to_vec(&document).unwrap()
}

/// Returns a document with a key added to its outermost object.
pub(super) fn with_key(document: &str, key: &str, value: Value) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(document).unwrap();
    document
        .as_object_mut()
        .unwrap()
        .insert(key.to_owned(), value);
    serde_json::to_vec(&document).unwrap()
}

/// Returns arrays within arrays.
pub(super) fn nested(depth: usize) -> Vec<u8> {
    [b"[".repeat(depth), b"]".repeat(depth)].concat()
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = model_rows();
    for (name, reads, document) in [
        ("features", Reads::Features, FEATURES),
        ("perceptual", Reads::Perceptual, PERCEPTUAL),
        ("segmenter", Reads::Segmenter, SEGMENTER),
        ("translator", Reads::Translator, TRANSLATOR),
    ] {
        let refused = |what: &str, bytes| Row::refused(format!("{name}.json {what}"), reads, bytes);
        rows.extend([
            Row::read(format!("{name}.json"), reads, document.into()),
            refused(
                "of another version",
                with(document, "/format_version", json!(2)),
            )
            .says(&["2", "version"]),
            refused(
                "cut to half",
                document.as_bytes()[..document.len() / 2].to_vec(),
            )
            .says(&["contract"]),
            refused("of no bytes", Vec::new()).says(&["contract"]),
            refused("that is nested without end", nested(100_000)).says(&["contract"]),
            refused("that is no object", b"[]".to_vec()).says(&["contract"]),
        ]);
    }
    rows.push(
        Row::refused(
            "features.json with more features than memory",
            Reads::Features,
            with(FEATURES, "/num_features", json!(u64::MAX)),
        )
        .says(&["num_features"]),
    );
    rows.extend(segmenter_rows());
    rows.extend(translator_rows());
    rows
}

fn translator_rows() -> Vec<Row> {
    let refused = |what: &str, bytes| {
        let name = format!("translator.json {what}");
        Row::refused(name, Reads::Translator, bytes)
    };
    let changed = |pointer, value| with(TRANSLATOR, pointer, value);
    vec![
        refused("of a segmenter", SEGMENTER.into()).says(&["translator.json", "translation"]),
        refused(
            "of an input that is none",
            changed("/inputs/2/name", json!("depth")),
        )
        .says(&["takes depth", "image, label, style, noise", "export"]),
        refused(
            "of an input of a name without end",
            changed("/inputs/0/name", json!("image\n".repeat(100_000))),
        )
        .says(&["which is none of", "export"]),
        refused(
            "of an output of another size",
            changed("/outputs/0/shape", json!(["batch", 3, 64, 256])),
        )
        .says(&["image as [3, 128, 256]", "images of 256x64"]),
        refused(
            "of images larger than memory",
            changed("/outputs/0/shape", json!([1, 3, 8192, 8192])),
        )
        .says(&["8192x8192", "33000000 pixels"]),
        refused(
            "of more noise than memory",
            changed("/inputs/3/shape", json!([1, 1 << 26, 1 << 26, 1 << 26])),
        )
        .says(&["noise", "67108864 numbers at most"]),
        refused(
            "of a range of nothing",
            changed("/translation/output_range", json!([0, 0])),
        )
        .says(&["output_range 0 to 0", "export"]),
        refused(
            "of numbers that float32 does not have",
            changed("/translation/input_range", json!([-1e300, 1])),
        )
        .says(&["number out of range", "export"]),
    ]
}

fn segmenter_rows() -> Vec<Row> {
    let refused = |what: &str, bytes| {
        let name = format!("segmenter.json {what}");
        Row::refused(name, Reads::Segmenter, bytes)
    };
    let class = |train_id: Value| json!({"name": "road", "train_id": train_id});
    vec![
        refused("without classes", with(SEGMENTER, "/classes", json!(null))).says(&[
            "segmenter.json",
            "classes",
            "export",
        ]),
        refused("of no classes", with(SEGMENTER, "/classes", json!([]))).says(&[
            "classes 0",
            "1 to 1024",
            "export",
        ]),
        refused(
            "of more classes than there are",
            with(SEGMENTER, "/classes", json!(vec![class(json!(0)); 1025])),
        )
        .says(&["classes 1025", "1 to 1024"]),
        refused(
            "of which no class is one of labels",
            with(SEGMENTER, "/classes", json!([class(json!(null))])),
        )
        .says(&["none of its 1 classes", "--classes"]),
        refused(
            "with a class that labels do not have",
            with(SEGMENTER, "/classes/2/train_id", json!(19)),
        )
        .says(&["class 2, building", "train id 19", "0 to 18", "--classes"]),
        refused(
            "with a train id that is none",
            with(SEGMENTER, "/classes/2/train_id", json!(256)),
        )
        .says(&["256", "export"]),
        refused(
            "with a class of a name without end",
            with(
                SEGMENTER,
                "/classes/0",
                json!({"name": "road\n".repeat(100_000), "train_id": 255}),
            ),
        )
        .says(&["train id 255"]),
    ]
}

fn model_rows() -> Vec<Row> {
    let refused =
        |what: &str, bytes| Row::refused(format!("model.json {what}"), Reads::Model, bytes);
    let mut rows = vec![
        Row::read("model.json", Reads::Model, MODEL.into()),
        refused("of no bytes", Vec::new()).says(&["model.json", "export"]),
        refused("cut to half", MODEL.as_bytes()[..MODEL.len() / 2].to_vec()).says(&["export"]),
        refused("that is nested without end", nested(100_000)).says(&["export"]),
        refused("that is no UTF-8", [MODEL.as_bytes(), b"\xff"].concat()).says(&["export"]),
        refused(
            "with a key of another version",
            with_key(MODEL, "later", json!(1)),
        )
        .says(&["later"]),
        refused("without segments", with(MODEL, "/segments", json!([]))).says(&["segments"]),
        refused(
            "with a FreeU that is nested without end",
            MODEL
                .replacen(
                    "\"freeu\":",
                    &format!("\"freeu\": {},\"was\":", "[".repeat(100_000)),
                    1,
                )
                .into_bytes(),
        )
        .says(&["export"]),
    ];
    for (pointer, value, word) in [
        ("/format_version", json!(99), "99"),
        ("/format_version", json!(-1), "-1"),
        ("/width", json!(0), "0"),
        ("/width", json!(u64::MAX), "18446744073709551615"),
        ("/latent/width", json!(u64::MAX), "18446744073709551615"),
        ("/latent/height", json!(1_u64 << 61), "2305843009213693952"),
        ("/latent/channels", json!(0), "channels"),
        ("/latent/channels", json!(u64::MAX), "channels"),
        (
            "/schedule/num_train_timesteps",
            json!(0),
            "num_train_timesteps",
        ),
        (
            "/schedule/num_train_timesteps",
            json!(u64::MAX),
            "num_train_timesteps",
        ),
        (
            "/schedule/num_train_timesteps",
            json!(1_u64 << 40),
            "num_train_timesteps",
        ),
        ("/schedule/steps_offset", json!(u64::MAX), "steps_offset"),
        ("/schedule/beta_end", json!(1e300), "beta_end"),
        ("/schedule/beta_start", json!(-0.1), "beta_start"),
        ("/schedule/beta_schedule", json!("linear"), "linear"),
        ("/schedule/prediction_type", json!("sample"), "sample"),
        ("/dtype", json!("fp16"), "float16"),
        ("/vae_scale", json!(0.0), "vae_scale"),
        ("/vae_scale", json!(-1.0), "vae_scale"),
        ("/prompt/tokens", json!(0), "tokens"),
        ("/prompt/tokens", json!(u64::MAX), "tokens"),
        ("/segments/0/layer/heads", json!(0), "heads"),
        ("/segments/0/layer/heads", json!(u64::MAX), "heads"),
        ("/segments/0/layer/head_width", json!(u64::MAX), "head"),
        ("/segments/0/layer/tokens", json!(u64::MAX), "tokens"),
        ("/segments/0/layer", json!(null), "layer"),
        (
            "/segments/0/layer/input",
            json!("layer_0_query"),
            "no token for each position",
        ),
        ("/segments/1/inputs/0/name", json!("nothing"), "nothing"),
        ("/segments/0/file", json!("../../etc/passwd"), "etc/passwd"),
        ("/prompt/file", json!("/etc/passwd"), "/etc/passwd"),
    ] {
        let what = format!("with {pointer} of {value}");
        rows.push(refused(&what, with(MODEL, pointer, value)).says(&[word]));
    }
    rows
}
