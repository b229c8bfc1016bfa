//! Translators: what they give of bytes is what torch gave, and a graph or contract that gives something else is refused.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use engine::EngineError;
use engine::translator::{Translator, TranslatorStyle};
use imaging::Prepared;
use ndarray::{Array2, Array3};
use shared::failure::FailureClass;
use shared::model::ContractError;
use shared::network::TRANSLATOR_FILE;
use shared::npz::NpzFile;
use shared::settings::EngineConfig;
use tempfile::TempDir;

const SIZE: (usize, usize) = (128, 256);

fn fixture(name: &str) -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    repository.join("tests/fixtures").join(name)
}

fn loaded(name: &str) -> Translator {
    Translator::load(&fixture(name), &EngineConfig::default()).unwrap()
}

/// Returns a fixture with a contract in which `from` stands as `to`: its words come with one space between them.
fn changed(name: &str, from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let contract = folder.path().join(TRANSLATOR_FILE);
    let text = fs::read_to_string(&contract).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(from), "{text}");
    fs::write(&contract, text.replace(from, to)).unwrap();
    folder
}

/// Returns what is said of a folder that is not loaded.
fn refusal(folder: &TempDir) -> String {
    match Translator::load(folder.path(), &EngineConfig::default()) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => {
            assert!(matches!(error, EngineError::Contract(_)), "{error:?}");
            error.to_string()
        }
    }
}

fn prepared(image: Array3<u8>, label: Array2<u8>) -> Prepared {
    Prepared {
        image,
        label,
        label_latent: Array2::zeros((1, 1)),
        stored_label: None,
        warnings: Vec::new(),
    }
}

/// Returns an image with some of everything in it.
fn picture() -> Array3<u8> {
    let (height, width) = SIZE;
    Array3::from_shape_fn((height, width, 3), |(y, x, channel)| {
        ((y * 7 + x * 3 + channel * 31) % 256) as u8
    })
}

fn unlabelled(image: Array3<u8>) -> Prepared {
    prepared(image, Array2::from_elem(SIZE, 255))
}

const NOTHING: TranslatorStyle<'static> = TranslatorStyle {
    name: "night",
    image: None,
    noise: None,
};

/// The item that torch was given, and what it made of it.
struct Golden {
    content: Prepared,
    style: Array3<u8>,
    noise: Array3<f32>,
    output: Array3<u8>,
}

impl Golden {
    fn read() -> Self {
        let file = File::open(fixture("translator").join("golden.npz")).unwrap();
        let mut npz = NpzFile::open(file, 1 << 20).unwrap();
        let image: Array3<u8> = npz.by_name("image").unwrap();
        let label: Array2<u8> = npz.by_name("label").unwrap();
        Self {
            content: prepared(image, label),
            style: npz.by_name("style").unwrap(),
            noise: npz.by_name("noise").unwrap(),
            output: npz.by_name("output").unwrap(),
        }
    }

    fn style(&self) -> TranslatorStyle<'_> {
        TranslatorStyle {
            name: "night",
            image: Some(self.style.view()),
            noise: Some(self.noise.view()),
        }
    }
}

#[test]
fn an_item_becomes_the_image_that_torch_makes_of_it() {
    let golden = Golden::read();
    let mut translator = loaded("translator");
    assert_eq!(translator.size().width, SIZE.1);
    assert!(translator.takes_label() && translator.takes_style());
    let mut content = translator.content("00001", &golden.content).unwrap();
    let image = translator.translate(&mut content, golden.style()).unwrap();
    assert_eq!(image.dim(), golden.output.dim());
    for (at, (&found, &expected)) in image.iter().zip(&golden.output).enumerate() {
        assert!(found.abs_diff(expected) <= 1, "{at}: {found}, {expected}");
    }
}

#[test]
fn an_output_depends_on_all_that_is_taken_and_on_nothing_that_was_made_before() {
    let golden = Golden::read();
    let mut translator = loaded("translator");
    let mut made = |content: &Prepared, style: TranslatorStyle<'_>| {
        let mut content = translator.content("00001", content).unwrap();
        translator.translate(&mut content, style).unwrap()
    };
    let first = made(&golden.content, golden.style());
    let other_label = prepared(golden.content.image.clone(), Array2::from_elem(SIZE, 3));
    let other_image = prepared(picture(), golden.content.label.clone());
    let (other_style, other_noise) = (picture(), golden.noise.mapv(|value| -value));
    let others = [
        made(&other_label, golden.style()),
        made(&other_image, golden.style()),
        made(
            &golden.content,
            TranslatorStyle {
                image: Some(other_style.view()),
                ..golden.style()
            },
        ),
        made(
            &golden.content,
            TranslatorStyle {
                noise: Some(other_noise.view()),
                ..golden.style()
            },
        ),
    ];
    for (at, other) in others.iter().enumerate() {
        assert!(*other != first, "{at}");
    }
    assert_eq!(made(&golden.content, golden.style()), first);

    // Nor on what its content was given with before.
    let mut content = translator.content("00001", &golden.content).unwrap();
    let other = TranslatorStyle {
        image: Some(other_style.view()),
        noise: Some(other_noise.view()),
        ..golden.style()
    };
    let _ = translator.translate(&mut content, other).unwrap();
    let again = translator.translate(&mut content, golden.style()).unwrap();
    assert_eq!(again, first);
}

#[test]
fn noise_is_that_of_the_item_and_of_the_shape_that_is_taken() {
    let translator = loaded("translator");
    let noise = |seed, content, style| translator.noise(seed, content, style).unwrap();
    let first = noise(42, "00001", "night");
    assert_eq!(first.dim(), (2, 32, 64));
    assert_eq!(noise(42, "00001", "night"), first);
    for other in [
        noise(43, "00001", "night"),
        noise(42, "00002", "night"),
        noise(42, "00001", "snow"),
    ] {
        assert!(other != first);
    }
    let of_images = loaded("translator-contrast");
    assert!(of_images.noise(42, "00001", "night").is_none());
    assert!(!of_images.differs_by_style() && !of_images.takes_label());
}

#[test]
fn an_output_that_is_not_finite_is_no_image_and_named_with_its_content() {
    let mut translator = loaded("translator-contrast");
    let grey = unlabelled(Array3::from_elem((SIZE.0, SIZE.1, 3), 90));
    let mut content = translator.content("00007", &grey).unwrap();
    let error = translator.translate(&mut content, NOTHING).unwrap_err();
    assert_eq!(error.class(), FailureClass::BadOutput);
    let told = error.to_string();
    for words in [
        "the output of content 00007: the image that the translator made",
        "98304 of 98304 values that are not finite",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    // The next one fares better: all of the range is used.
    let mut content = translator.content("00008", &unlabelled(picture())).unwrap();
    let image = translator.translate(&mut content, NOTHING).unwrap();
    assert_eq!(image, picture());
}

#[test]
fn an_output_of_another_size_than_the_contract_says_is_refused_with_both() {
    let mut translator = loaded("translator-cut");
    let mut white = picture();
    white[(0, 0, 0)] = 255;
    let mut content = translator.content("00001", &unlabelled(white)).unwrap();
    let error = translator.translate(&mut content, NOTHING).unwrap_err();
    assert!(
        matches!(error, EngineError::Contract(ContractError::Unusable { .. })),
        "{error:?}"
    );
    let told = error.to_string();
    for words in [
        TRANSLATOR_FILE,
        "output of shape [1, 3, 64, 256]",
        "expected [1, 3, 128, 256]",
        "export the network again",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
}

#[test]
fn what_the_graph_is_not_is_refused_when_it_is_loaded() {
    for (name, from, to, words) in [
        (
            "translator",
            r#""name": "style""#,
            r#""name": "depth""#,
            "takes depth, which is none of image, label, style, noise",
        ),
        (
            "translator",
            r#""unknown": "channel""#,
            r#""unknown": "zeros""#,
            "takes label as [20, 128, 256]",
        ),
        (
            "translator",
            r#"[ "batch", 2, 32, 64 ]"#,
            r#"[ "batch", 4, 32, 64 ]"#,
            "has input noise as float32",
        ),
        (
            "translator-contrast",
            r#"[ "batch", 3, 128, 256 ]"#,
            r#"[ "batch", 3, 64, 256 ]"#,
            "has input image as float32",
        ),
        (
            "translator-contrast",
            r#""name": "output""#,
            r#""name": "result""#,
            "must give output",
        ),
        (
            "translator-contrast",
            r#""name": "image""#,
            r#""name": "style""#,
            "takes neither image nor label",
        ),
        (
            "translator-contrast",
            r#""translation": {"#,
            r#""other": {"#,
            "what its numbers mean",
        ),
    ] {
        let told = refusal(&changed(name, from, to));
        assert!(told.contains(words), "no {words:?}: {told}");
        assert!(!told.contains('\n'), "{told}");
    }
}

#[test]
fn a_graph_that_is_altered_or_missing_is_refused_by_name() {
    let folder = changed("translator", "[", "[");
    let weights = folder.path().join("translator.data");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[100] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let told = refusal(&folder);
    assert!(told.contains("translator.data"), "{told}");
    assert!(told.contains("truncated or altered"), "{told}");
    fs::remove_file(folder.path().join("translator.onnx")).unwrap();
    let told = refusal(&folder);
    assert!(told.contains("translator.onnx"), "{told}");
}
