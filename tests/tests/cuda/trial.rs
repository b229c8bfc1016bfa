//! What becomes of a GPU by its trial, and what is known of it: a stand-in computes nothing, flickers, and notes what it is
//! told to.

use std::fs;

use tests::program::{Outcome, synth2real};
use tests::project::Project;

use crate::{ENVIRONMENT, Machine, reports};

#[test]
fn a_gpu_that_computes_nothing_is_refused_with_the_layer_that_is_wrong() {
    let mut project = Project::new(1, 1);
    let machine = Machine {
        variables: Vec::new(),
        ..Machine::new()
    };
    let outcome = machine.run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&[
        "what device cuda:0 computes cannot be trusted",
        "layer up_blocks.2.attentions.0.transformer_blocks.0.attn1 (96 tokens)",
        "SYNTH2REAL_TRIAL=report",
    ]);
    assert!(project.stored_nothing());
}

#[test]
fn a_gpu_whose_last_bits_flicker_is_told() {
    let mut project = Project::new(1, 1);
    let machine = Machine {
        variables: vec![reports(), ("CUDA_STAND_IN_FLICKERS", "1".to_owned())],
        ..Machine::new()
    };
    let outcome = machine.run(&mut project).exits(0);
    let said = "comes out with other bytes when it is computed again from the same numbers";
    assert!(outcome.stderr.contains(said), "{outcome}");
}

#[test]
fn convolutions_on_tensor_cores_alone_are_refused_in_float32() {
    let mut project = Project::new(1, 1);
    // CUDNN_NUMERICAL_NOTE_TENSOR_CORE
    let machine = Machine {
        variables: vec![reports(), ("CUDA_STAND_IN_NOTE", "0".to_owned())],
        ..Machine::new()
    };
    let outcome = machine.run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&[
        "device cuda:0 cannot be used",
        "none but tensor cores for a convolution of vae_encoder.onnx",
        "float32",
    ]);
    assert!(project.stored_nothing());
}

#[test]
fn an_engine_that_cudnn_notes_as_not_deterministic_is_told_by_its_name() {
    let mut project = Project::new(1, 1);
    project.set("engine.device", "cuda:0");
    let log = project.path("engines.log").display().to_string();
    // CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC
    let note = ("CUDA_STAND_IN_NOTE", "4".to_owned());
    let logs = ("CUDNN_FRONTEND_LOG_INFO", "1".to_owned());
    let probe = |variables: Vec<(&'static str, String)>| {
        let mut command = synth2real();
        command.arg("probe").arg(project.settings());
        let machine = Machine {
            variables,
            ..Machine::new()
        };
        machine.equip(&mut command);
        Outcome::of(&mut command).exits(0).stdout
    };
    let told = probe(vec![
        reports(),
        note.clone(),
        logs,
        ("CUDNN_FRONTEND_LOG_FILE", log),
    ]);
    let engine =
        "cuDNN computes convolutions with _eng0_k0=0, an engine that it notes as not deterministic";
    assert!(told.contains(engine), "{told}");
    let told = probe(vec![reports(), note]);
    assert!(
        told.contains("whether cuDNN's engines are deterministic is told with"),
        "{told}"
    );
}

#[test]
fn what_made_an_image_stands_in_its_row_and_in_the_record_of_the_run() {
    let mut project = Project::new(1, 1);
    let _ = Machine::new().run(&mut project).exits(0);
    let platform = project.rows()[0].platform.clone();
    assert_eq!(platform.gpu.as_deref(), Some("stand-in"));
    assert_eq!(platform.compute_capability.as_deref(), Some("9.0"));
    assert_eq!(platform.cudnn.as_deref(), Some("9.14.0"));
    assert!(platform.driver.is_some());
    // The golden is in float32, of which there are no kernels.
    assert_eq!(platform.injection.as_deref(), Some("graph"));
    let version = platform.onnxruntime.clone().unwrap();
    assert!(version.starts_with("1."), "{version}");
    let record = fs::read(project.stored("run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let expected = serde_json::to_value(&platform).unwrap();
    assert_eq!(record["platform"], expected);
}

#[test]
fn probe_tells_what_the_trial_of_a_gpu_has_found() {
    let mut project = Project::new(1, 1);
    project.set("engine.device", "cuda:0");
    let mut command = synth2real();
    command.arg("probe").arg(project.settings());
    Machine::new().equip(&mut command);
    let outcome = Outcome::of(&mut command).exits(0);
    for words in [
        "platform stand-in, compute capability 9.0, ",
        "trial    up_blocks.2.attentions.0.transformer_blocks.0.attn1 (96 tokens): attention to itself ",
        "up_blocks.3.attentions.0.transformer_blocks.0.attn1 (512 tokens): attention to itself ",
        "off the CPU's, at most 5e-5",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    assert!(project.stored_nothing());
}
