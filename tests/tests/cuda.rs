//! What a GPU is asked to do, with ONNX Runtime's real CUDA provider and libraries that stand in for CUDA's: nodes are
//! placed, memory is taken and kernels are launched, and nothing is computed. See `tests/cuda/stand_in.c`.
#![cfg(target_arch = "x86_64")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use shared::item_metric::ItemMetric;
use tests::program::{Outcome, synth2real};
use tests::project::Project;
use tests::{golden, golden_model, repository};

const ENVIRONMENT: i32 = 3;
/// Where the stand-in writes what it counted.
const REPORT: &str = "CUDA_STAND_IN_REPORT";

/// What the stand-in counted until the program ended.
#[derive(Debug, PartialEq, Deserialize)]
struct Counted {
    launches: u64,
    on_other_streams: u64,
    streams: u64,
    allocations: u64,
    peak_bytes: u64,
    to_device: u64,
    to_device_bytes: u64,
    to_host: u64,
    to_host_bytes: u64,
}

/// A machine whose GPU is a stand-in.
struct Machine {
    libraries: PathBuf,
    memory_bytes: Option<u64>,
}

impl Machine {
    fn new() -> Self {
        let made = |folder: &str| {
            let path = repository(folder);
            assert!(
                path.is_dir(),
                "{} is not there: run `make cuda-stand-in`",
                path.display()
            );
            path
        };
        made(".cache/onnxruntime-gpu");
        Self {
            libraries: made(".cache/cuda-stand-in"),
            memory_bytes: None,
        }
    }

    /// Returns a machine that lacks a library.
    fn without(library: &str, folder: &Path) -> Self {
        let whole = Self::new();
        for entry in fs::read_dir(&whole.libraries).unwrap() {
            let name = entry.unwrap().file_name();
            if name != library {
                fs::copy(whole.libraries.join(&name), folder.join(&name)).unwrap();
            }
        }
        Self {
            libraries: folder.to_owned(),
            ..whole
        }
    }

    /// Runs a project on the GPU.
    fn run(&self, project: &mut Project) -> Outcome {
        project.set("engine.device", "cuda:0");
        self.run_as_it_is(project)
    }

    fn run_as_it_is(&self, project: &Project) -> Outcome {
        let mut command = project.run_command();
        self.equip(&mut command);
        Outcome::of(command.env(REPORT, report_of(project)))
    }

    fn equip(&self, command: &mut Command) {
        let library = repository(".cache/onnxruntime-gpu/libonnxruntime.so");
        command.env("ORT_DYLIB_PATH", library);
        command.env("LD_LIBRARY_PATH", &self.libraries);
        if let Some(bytes) = self.memory_bytes {
            command.env("CUDA_STAND_IN_BYTES", bytes.to_string());
        }
    }
}

fn report_of(project: &Project) -> PathBuf {
    project.path("counted.json")
}

/// Returns what was counted in a project's last run.
fn counted(project: &Project) -> Counted {
    last_counted(&report_of(project))
}

fn last_counted(report: &Path) -> Counted {
    let lines = fs::read_to_string(report).unwrap();
    serde_json::from_str(lines.lines().last().unwrap()).unwrap()
}

/// Converts some contents into some styles and returns what was counted.
fn converted(contents: usize, styles: usize, settings: &[(&str, i64)]) -> Counted {
    let mut project = Project::new(contents, styles);
    for &(key, value) in settings {
        project.set(key, value);
    }
    let _ = Machine::new().run(&mut project).exits(0);
    assert_eq!(project.rows().len(), contents * styles);
    assert!(project.rows().iter().all(|row| row.device == "cuda:0"));
    counted(&project)
}

// The golden model, in float32 at 256x128.
const LATENT: u64 = 4 * 4 * 16 * 32;
const IMAGE: u64 = 4 * 3 * 128 * 256;
/// Executed steps of a project.
const STEPS: u64 = 2;

#[test]
fn a_conversion_runs_on_the_gpu_and_only_latents_and_images_leave_it() {
    let (contents, styles) = (2, 3);
    let counted = converted(contents, styles, &[]);
    let (contents, styles) = (contents as u64, styles as u64);
    // Encoded latents and noise predictions; a trial evaluates a style, a content and an output once.
    let encoded = contents + styles + 1;
    let evaluations = STEPS * (styles + contents * (1 + styles)) + 3;
    let decoded = contents * styles + 1;
    let expected = (encoded + evaluations) * LATENT + decoded * IMAGE;
    assert_eq!(counted.to_host_bytes, expected, "{counted:?}");
    assert_eq!(counted.to_host, encoded + evaluations + decoded);
}

#[test]
fn further_images_take_neither_memory_nor_another_stream() {
    let (few, many) = (converted(1, 2, &[]), converted(4, 2, &[]));
    assert!(many.launches > few.launches, "{many:?} {few:?}");
    assert_eq!(many.allocations, few.allocations);
    assert_eq!(many.peak_bytes, few.peak_bytes);
    // Weights come by streams that end with it; everything else is on the default stream.
    assert_eq!(many.on_other_streams, few.on_other_streams);
    assert_eq!(many.streams, few.streams);
}

#[test]
fn keys_and_values_of_styles_leave_the_gpu_only_beyond_their_limit() {
    let there = converted(1, 1, &[]);
    let here = converted(1, 1, &[("engine.style_bank_device_max_bytes", 0)]);
    // Six layers of the golden model: keys and values of a step that injects.
    let (tokens, width) = ([512, 128], [16, 32]);
    let of_a_step: u64 = (0..2)
        .map(|size| 3 * 2 * 4 * tokens[size] * width[size])
        .sum();
    assert_eq!(here.to_host_bytes - there.to_host_bytes, of_a_step);
    assert_eq!(here.to_device_bytes - there.to_device_bytes, of_a_step);
    assert_eq!(here.streams, there.streams);
}

#[test]
fn styles_leave_a_gpu_that_runs_out_of_memory_and_the_run_goes_on() {
    let (contents, styles, all_steps) = (1, 3, ("method.skip", 0));
    let steps = ("method.steps", 20);
    let outside = ("engine.style_bank_device_max_bytes", 0);
    let least = converted(contents, styles, &[steps, all_steps, outside]).peak_bytes;
    let mut project = Project::new(contents, styles);
    for (key, value) in [steps, all_steps] {
        project.set(key, value);
    }
    let machine = Machine {
        memory_bytes: Some(least),
        ..Machine::new()
    };
    let outcome = machine.run(&mut project).exits(0);
    let said = "keys and values of styles leave it";
    assert!(outcome.stderr.contains(said), "{outcome}");
    assert_eq!(project.rows().len(), contents * styles);
}

#[test]
fn a_single_pair_can_be_converted_on_the_gpu() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.png");
    let mut command = synth2real();
    command.args(["transfer", "--device", "cuda:0", "--model"]);
    command.arg(golden_model());
    for (argument, file) in [
        ("--content", "00001.png"),
        ("--content-label", "00001_label.png"),
        ("--style", "night_000001_rgb_anon.png"),
        ("--style-label", "night_000001_gt_labelColor.png"),
    ] {
        command.arg(argument).arg(golden("inputs").join(file));
    }
    Machine::new().equip(&mut command);
    let report = folder.path().join("counted.json");
    command.env(REPORT, &report).arg("--out").arg(&out);
    let _ = Outcome::of(&mut command).exits(0);
    assert!(out.is_file());
    assert!(last_counted(&report).launches > 0);
}

#[test]
fn every_reading_of_the_method_runs_on_the_gpu() {
    for (key, value) in [
        ("method.preset", "paper"),
        ("method.method", "cross-image"),
        ("method.method", "adain"),
    ] {
        let mut project = Project::new(1, 1);
        project.set(key, value);
        let _ = Machine::new().run(&mut project).exits(0);
        assert!(counted(&project).launches > 0, "{value}");
    }
}

#[test]
fn networks_that_judge_run_on_the_gpu_too() {
    let mut project = Project::new(2, 1);
    project.judge_by_demo_features();
    let _ = Machine::new().run(&mut project).exits(0);
    let quality = project.rows()[0].quality.clone();
    let similarity = quality.and_then(|quality| quality.figures[ItemMetric::Ssim]);
    assert!(similarity.is_some());
}

#[test]
fn memory_that_the_settings_forbid_is_not_taken() {
    let mut project = Project::new(1, 1);
    let limit = 8 << 20;
    project.set("engine.device_max_bytes", limit);
    let outcome = Machine::new().run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&["device cuda:0 cannot be used", "memory to spare"]);
    assert!(project.stored_nothing());
    assert!(counted(&project).peak_bytes < 2 * limit as u64);
}

#[test]
fn a_gpu_whose_memory_is_taken_is_refused_before_anything_is_stored() {
    let mut project = Project::new(1, 1);
    let machine = Machine {
        memory_bytes: Some(8 << 20),
        ..Machine::new()
    };
    let outcome = machine.run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&["device cuda:0 cannot be used", "memory to spare"]);
    assert!(project.stored_nothing());
}

#[test]
fn a_gpu_without_cudnn_is_refused_before_anything_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::without("libcudnn.so.9", folder.path());
    let mut project = Project::new(1, 1);
    let outcome = machine.run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&["device cuda:0 cannot be used", "cuDNN", "LD_LIBRARY_PATH"]);
    assert!(project.stored_nothing());
}

#[test]
fn a_gpu_without_cudas_libraries_is_refused_before_anything_is_stored() {
    for library in ["libcublasLt.so.13", "libcuda.so.1"] {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::without(library, folder.path());
        let mut project = Project::new(1, 1);
        let outcome = machine.run(&mut project).exits(ENVIRONMENT);
        outcome.complains_about(&["device cuda:0 cannot be used", library, "LD_LIBRARY_PATH"]);
        assert!(project.stored_nothing());
    }
}

#[test]
fn a_gpu_that_is_not_there_is_refused_before_anything_is_stored() {
    let mut project = Project::new(1, 1);
    project.set("engine.device", "cuda:1");
    let outcome = Machine::new().run_as_it_is(&project).exits(ENVIRONMENT);
    outcome.complains_about(&["device cuda:1 cannot be used", "nvidia-smi"]);
    assert!(project.stored_nothing());
}
