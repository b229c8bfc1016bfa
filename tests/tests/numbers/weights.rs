//! Weights that are not finite, in any part of a model.

use std::path::Path;

use engine::conversion::{ConversionInput, Converter};
use engine::{Engine, EngineError};
use imaging::{LabelFile, NamedBytes, Prepared, label_kind_of_file, prepare};
use shared::dataset::LabelReading;
use shared::failure::FailureClass;
use shared::manifest::Status;
use shared::settings::raw::RawMethod;
use shared::settings::{EngineConfig, MethodConfig};
use tests::changed_model::{ChangedModel, weights};
use tests::golden_model;
use tests::images::input;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};

use super::command::transfer;

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
    let file = named(label, &label_bytes);
    let label = LabelFile::new(file, LabelReading::promised(kind));
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
    let mut converter = Converter::new(engine, method.diffusion().unwrap(), &config).unwrap();
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
                "noise prediction at step 1 (timestep ",
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
