//! Files of numbers that are refused before anything is made: noise, references, contracts, prompt embeddings.

use std::fs::{self, File};

use ndarray::{Array1, Array4, arr2};
use ndarray_npy::NpzWriter;
use tests::changed_model::ChangedModel;
use tests::program::{Outcome, synth2real};
use tests::project::Project;
use tests::{golden_model, repository};

use super::command::transfer;

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
