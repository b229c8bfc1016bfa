//! Numbers that are not finite are never an image, and frames of one colour are done with a word.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use engine::conversion::{ConversionInput, Converter};
use engine::{Engine, EngineError};
use imaging::{LabelFile, NamedBytes, Prepared, label_kind_of_file, prepare};
use ndarray::{Array1, Array2, Array4, arr2};
use ndarray_npy::NpzWriter;
use serde_json::Value;
use shared::dataset::LabelReading;
use shared::failure::FailureClass;
use shared::manifest::Status;
use shared::settings::raw::RawMethod;
use shared::settings::{EngineConfig, MethodConfig};
use shared::warning::WarningKind;
use tests::changed_model::{ChangedModel, weights};
use tests::images::{Picture, input};
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};
use tests::{golden, golden_model, repository};

/// The encoder's last layer, two of the UNet, and the decoder's first: a part, and a word of the tensor's name.
const PARTS: [&str; 4] = [
    "vae_encoder",
    "unet/segment_0",
    "unet/segment_6",
    "vae_decoder",
];

fn prepared(converter: &Converter, image: &str, label: &str) -> Prepared {
    let (image_bytes, label_bytes) = (input(image), input(label));
    let kind = label_kind_of_file(Path::new(label), &label_bytes);
    let named = |name, bytes| NamedBytes { name, bytes };
    let label = LabelFile {
        file: named(label, &label_bytes),
        reading: LabelReading::promised(kind),
    };
    prepare(named(image, &image_bytes), Some(label), converter.size()).unwrap()
}

/// Converts the golden content into a golden style with a model.
fn converted(model: &Path) -> Result<(), EngineError> {
    let raw = RawMethod {
        steps: Some(4),
        skip: Some(2),
        ..RawMethod::default()
    };
    let method = MethodConfig::try_from(raw).unwrap();
    let config = EngineConfig {
        threads: 1,
        ..EngineConfig::default()
    };
    let engine = Engine::load(model, &config).unwrap();
    let mut converter = Converter::new(engine, &method, &config).unwrap();
    let style = prepared(
        &converter,
        "night_000001_rgb_anon.png",
        "night_000001_gt_labelColor.png",
    );
    let noise = converter.style_noise("night");
    let source = ConversionInput {
        name: "night",
        file: "night.png",
        prepared: &style,
        noise: &noise,
    };
    converter.record_style(&source, &mut ())?;
    let content = prepared(&converter, "00001.png", "00001_label.png");
    let noise = converter.content_noise("00001");
    let source = ConversionInput {
        name: "00001",
        file: "00001.png",
        prepared: &content,
        noise: &noise,
    };
    let converted = converter.convert(&source, &["night"], &mut ())?;
    let [image] = converted.images.try_into().unwrap();
    image.map(drop)
}

#[test]
fn a_weight_that_is_not_finite_never_becomes_an_image_wherever_it_is() {
    assert!(converted(&golden_model()).is_ok());
    for part in PARTS {
        let all = weights(part);
        let chosen = [&all[0], &all[all.len() / 2], &all[all.len() - 1]];
        for (weights, value) in chosen.into_iter().zip([f32::NAN, f32::INFINITY, f32::NAN]) {
            let model = ChangedModel::with_value(part, weights, value);
            let error = converted(&model.folder()).unwrap_err();
            assert_eq!(
                error.class(),
                FailureClass::BadOutput,
                "{value} in {} of {part}: {error}",
                weights.name
            );
        }
    }
}

#[test]
fn a_run_with_weights_that_are_not_finite_quarantines_its_items_and_stores_none() {
    for (part, words) in [
        (
            "vae_encoder",
            &["style night_000001", "the VAE's encoder"][..],
        ),
        (
            "unet/segment_3",
            &[
                "style night_000001",
                "noise prediction at step 0 (timestep ",
            ],
        ),
        (
            "vae_decoder",
            &[
                "the output of content 00001 in style night_000001",
                "decoder",
            ],
        ),
    ] {
        let model = ChangedModel::with_data(part, |bytes| {
            bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        });
        let mut project = Project::new(1, 1);
        project.set("model.path", model.folder().display().to_string());
        let outcome = project.run().exits(1);
        assert!(outcome.stdout.contains("0 of 1 images done"), "{outcome}");
        let row = project.row("00001", STYLES[0]);
        assert_eq!(row.status, Status::Quarantined);
        assert_eq!(row.error_class, Some(FailureClass::BadOutput));
        let reason = row.error.unwrap();
        for word in words {
            assert!(reason.contains(word), "{part}: no {word:?} in: {reason}");
        }
        assert!(reason.contains("values that are not finite"), "{reason}");
        assert!(reason.contains("export the model again"), "{reason}");
        assert!(!project.stored("images").exists() && !project.stored("labels").exists());
        let _ = project.about_run(&["audit"]).exits(0);

        let mut probe = synth2real();
        Outcome::of(probe.arg("probe").arg(project.settings()))
            .exits(3)
            .complains_about(&["values that are not finite"]);
        let out = project.path("out.png");
        Outcome::of(transfer(&model.folder()).arg("--out").arg(&out))
            .exits(3)
            .complains_about(&["values that are not finite", "export the model again"]);
        assert!(!out.exists());
    }
}

/// `synth2real transfer` of the golden content into a golden style, in two steps.
fn transfer(model: &Path) -> Command {
    transfer_of(model, &golden("inputs").join("00001.png"))
}

/// The same of another content with the same labels.
fn transfer_of(model: &Path, content: &Path) -> Command {
    let mut command = synth2real();
    command.arg("transfer").arg("--model").arg(model);
    command.arg("--content").arg(content);
    for (option, file) in [
        ("--content-label", "00001_label.png"),
        ("--style", "night_000001_rgb_anon.png"),
        ("--style-label", "night_000001_gt_labelColor.png"),
    ] {
        command.arg(option).arg(golden("inputs").join(file));
    }
    command.args(["--set", "steps=4", "--set", "skip=2"]);
    command
}

#[test]
fn noise_that_is_no_noise_is_refused_with_the_array() {
    let folder = tempfile::tempdir().unwrap();
    let noise = folder.path().join("noise.npz");
    let refused = |content: &Array4<f32>, style: &Array4<f32>, words: &[&str]| {
        let mut npz = NpzWriter::new(File::create(&noise).unwrap());
        npz.add_array("content", content).unwrap();
        npz.add_array("style", style).unwrap();
        npz.finish().unwrap();
        let out = folder.path().join("out.png");
        let mut command = transfer(&golden_model());
        command.arg("--noise").arg(&noise).arg("--out").arg(&out);
        Outcome::of(&mut command).exits(2).complains_about(words);
        assert!(!out.exists());
    };
    let whole = Array4::<f32>::ones((4, 4, 16, 32));
    let mut broken = whole.clone();
    broken[(3, 0, 2, 1)] = f32::NAN;
    broken[(0, 1, 2, 3)] = f32::INFINITY;
    let words = ["noise.npz", "array style", "2 of 8192 values", "not finite"];
    refused(&whole, &broken, &words);
    let channels = Array4::<f32>::ones((4, 3, 16, 32));
    refused(
        &channels,
        &whole,
        &["array content", "(4, 3, 16, 32)", "(4, 4, 16, 32)"],
    );
}

fn plain(level: u8) -> impl Fn(Picture) -> Picture {
    move |picture| picture.mapped(|_| level)
}

#[test]
fn frames_of_one_colour_are_done_with_a_warning_that_is_counted() {
    let mut project = Project::new(1, 1);
    for (name, level) in [("black", 0), ("white", 255), ("grey", 119)] {
        project.add_content(name, plain(level), |label| label);
    }
    project.add_content(
        "almost-black",
        |mut picture| {
            for (i, byte) in picture.bytes.iter_mut().enumerate() {
                *byte = (i * 31 % 7) as u8;
            }
            picture
        },
        |label| label,
    );
    project.set("shards.contents", 2);
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
    let counted = "done with a warning (4): constant-content";
    assert!(outcome.stdout.contains(counted), "{outcome}");
    assert_eq!(project.row("00001", STYLES[0]).warning, None);
    for (content, colour) in [
        ("black", "black rgb(0, 0, 0)"),
        ("white", "white rgb(255, 255, 255)"),
        ("grey", "rgb(119, 119, 119)"),
        ("almost-black", "rgb(3, 3, 3)"),
    ] {
        let row = project.row(content, STYLES[0]);
        assert_eq!(row.status, Status::Done);
        assert!(
            row.warning_kinds.contains(&WarningKind::ConstantContent),
            "{row:?}"
        );
        let warning = row.warning.unwrap();
        assert!(
            warning.contains(content) && warning.contains(colour),
            "{warning}"
        );
    }
    for command in [&["status"][..], &["report"]] {
        let outcome = project.about_run(command).exits(0);
        assert!(outcome.stdout.contains(counted), "{outcome}");
    }
    let json = project.about_run(&["status", "--json"]).exits(0);
    let status: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(status["warnings"]["constant-content"], 4);
    let page = project.path("report.html");
    let _ = project
        .about_run(&["report", "--html", page.to_str().unwrap()])
        .exits(0);
    assert!(fs::read_to_string(page).unwrap().contains(counted));

    // A later attempt that finds the images stored says the same of them.
    let before = project.rows();
    let shards = fs::read_dir(project.stored("shards")).unwrap();
    shards.for_each(|shard| fs::remove_file(shard.unwrap().path()).unwrap());
    let _ = project.run().exits(0);
    for (before, after) in before.iter().zip(project.rows()) {
        assert_eq!(
            (&before.warning, &before.quality),
            (&after.warning, &after.quality)
        );
    }
}

#[test]
fn a_style_of_one_colour_is_told_with_each_of_its_items_made_or_found() {
    let project = Project::new(2, 2);
    let file = format!("style/images/{}_rgb_anon.png", STYLES[0]);
    let black = Picture::input("night_000001_rgb_anon.png").mapped(|_| 0);
    project.write(&file, &black.encode());
    let outcome = project.run().exits(0);
    let counted = "done with a warning (2): constant-style";
    assert!(outcome.stdout.contains(counted), "{outcome}");
    let before = project.rows();
    for row in &before {
        let is_plain = row.item.style == STYLES[0];
        let kinds = &row.warning_kinds;
        assert_eq!(kinds.contains(&WarningKind::ConstantStyle), is_plain);
        let warning = row.warning.as_deref().unwrap_or_default();
        let told = warning.contains(&file) && warning.contains("shows one colour, black");
        assert_eq!(told, is_plain, "{warning}");
    }

    let shards = fs::read_dir(project.stored("shards")).unwrap();
    shards.for_each(|shard| fs::remove_file(shard.unwrap().path()).unwrap());
    let _ = project.run().exits(0);
    for (before, after) in before.iter().zip(project.rows()) {
        assert_eq!(before.warning, after.warning);
    }
}

#[test]
fn transfer_says_that_its_content_shows_one_colour() {
    let folder = tempfile::tempdir().unwrap();
    let (black, out) = (
        folder.path().join("black.png"),
        folder.path().join("out.png"),
    );
    let picture = Picture::input("00001.png").mapped(|_| 0);
    fs::write(&black, picture.encode()).unwrap();
    let mut command = transfer_of(&golden_model(), &black);
    let outcome = Outcome::of(command.arg("--out").arg(&out)).exits(0);
    let words = "black.png shows one colour, black";
    assert!(outcome.stderr.contains(words), "{outcome}");
    assert!(out.exists());
}

#[test]
fn a_reference_that_holds_no_statistics_is_refused_before_anything_is_made() {
    let mut project = Project::new(1, 1);
    let features = repository("infra/demo/features");
    project.set("quality.features", features.display().to_string());
    project.set("quality.reference", "photographs.npz");
    let mut npz = NpzWriter::new(File::create(project.path("photographs.npz")).unwrap());
    npz.add_array("mu", &Array1::<f64>::zeros(2)).unwrap();
    npz.add_array("sigma", &arr2(&[[1.0, 0.5], [f64::NAN, 1.0]]))
        .unwrap();
    npz.finish().unwrap();
    let words = [
        "photographs.npz",
        "sigma of shape [2, 2]",
        "1 of 4 values are not finite",
    ];
    project.run().exits(3).complains_about(&words);
    let mut probe = synth2real();
    Outcome::of(probe.arg("probe").arg(project.settings()))
        .exits(3)
        .complains_about(&words);
    assert!(project.stored_nothing());
}

#[test]
fn a_reference_without_any_variance_is_refused_before_anything_is_made() {
    let mut project = Project::new(1, 1);
    let features = repository("infra/demo/features");
    project.set("quality.features", features.display().to_string());
    project.set("quality.reference", "photographs.npz");
    let mut npz = NpzWriter::new(File::create(project.path("photographs.npz")).unwrap());
    npz.add_array("mu", &Array1::<f64>::zeros(2)).unwrap();
    npz.add_array("sigma", &arr2(&[[0.0; 2]; 2])).unwrap();
    npz.finish().unwrap();
    let words = [
        "photographs.npz",
        "sigma of shape [2, 2]",
        "zero everywhere",
    ];
    project.run().exits(3).complains_about(&words);
    assert!(project.stored_nothing());
}

#[test]
fn what_the_golden_model_makes_is_in_proportion_to_its_contents() {
    for folder in [
        "adain-snow",
        "cacti-night",
        "cactif-night",
        "cactif-snow-warm",
        "paper-night",
    ] {
        let file = File::open(golden(folder).join("golden.npz")).unwrap();
        let mut npz = ndarray_npy::NpzReader::new(file).unwrap();
        let output: ndarray::Array3<u8> = npz.by_name("image_output").unwrap();
        let content = image::load_from_memory(&input("00001.png"))
            .unwrap()
            .into_rgb8();
        let (width, height) = (content.width() as usize, content.height() as usize);
        let content = Array2::from_shape_vec((height, 3 * width), content.into_raw()).unwrap();
        let content = content.into_shape_with_order((height, width, 3)).unwrap();
        let warnings = imaging::tones::warnings("00001", content.view(), output.view());
        assert_eq!(warnings, [], "{folder}");
    }
}

#[test]
fn a_contract_whose_numbers_make_no_sense_is_refused_by_the_number() {
    for (before, after, words) in [
        (
            r#""beta_end": 0.012"#,
            r#""beta_end": 0.99"#,
            "signal at timestep",
        ),
        (
            r#""beta_start": 0.00085"#,
            r#""beta_start": -1.0"#,
            "must lie between 0 and 1",
        ),
        (
            r#""vae_scale": 0.18215"#,
            r#""vae_scale": 0.0"#,
            "vae_scale 0",
        ),
        (
            r#""vae_scale": 0.18215"#,
            r#""vae_scale": 1e999"#,
            "out of range",
        ),
        (
            r#""backbone_widest": 1.2"#,
            r#""backbone_widest": -1.2"#,
            "freeu.backbone_widest -1.2",
        ),
        (
            r#""num_train_timesteps": 1000"#,
            r#""num_train_timesteps": 1000000000000000000"#,
            "num_train_timesteps",
        ),
        (r#""channels": 4"#, r#""channels": 0"#, "latent.channels 0"),
    ] {
        let model = ChangedModel::with_data("vae_decoder", |_| {});
        let model = model.with_contract(|json| {
            assert!(json.contains(before), "{before}");
            json.replace(before, after)
        });
        let out = model.folder().join("out.png");
        let mut command = transfer(&model.folder());
        let outcome = Outcome::of(command.arg("--out").arg(&out)).exits(3);
        outcome.complains_about(&[words]);
    }
}

#[test]
fn a_prompt_embedding_that_is_no_number_or_that_no_text_encoder_gives_is_refused() {
    const VALUES: usize = 2464;
    for (values, words) in [
        (vec![f32::INFINITY], "1 of 2464 values that are not finite"),
        (
            vec![1e30; VALUES],
            "2464 of 2464 values that are not finite or beyond 65504",
        ),
        (vec![0.0; VALUES], "2464 values that are all zero"),
    ] {
        let model = ChangedModel::with_data("vae_decoder", |_| {});
        let file = model.folder().join("prompt_embedding.npy");
        let before = fs::read(&file).unwrap();
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let after = [&before[..before.len() - bytes.len()], &bytes].concat();
        fs::write(&file, &after).unwrap();
        let digests = [&before, &after].map(|bytes| shared::digest::sha256(bytes));
        let model = model.with_contract(|json| json.replace(&digests[0], &digests[1]));
        let mut command = transfer(&model.folder());
        let out = model.folder().join("out.png");
        Outcome::of(command.arg("--out").arg(out))
            .exits(3)
            .complains_about(&["prompt_embedding.npy", words, "expected the embedding"]);
    }
}
