//! What a GPU is asked to do, with ONNX Runtime's real CUDA provider and libraries that stand in for CUDA's: nodes are
//! placed, memory is taken and kernels are launched, and nothing is computed. See `tests/cuda/stand_in.c`.
#![cfg(target_arch = "x86_64")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod by_class;
mod kernels;
mod memory;
mod packages;
mod trial;

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
    /// How often the host waited for the GPU.
    waits: u64,
    /// Calls of cuBLAS.
    products: u64,
    /// Calls of cuDNN's graphs, such as convolutions.
    executions: u64,
}

/// Says that a GPU which fails its trial is reported and not refused: a stand-in fails any.
fn reports() -> (&'static str, String) {
    ("SYNTH2REAL_TRIAL", "report".to_owned())
}

/// A machine whose GPU is a stand-in.
struct Machine {
    libraries: PathBuf,
    memory_bytes: Option<u64>,
    /// More of the environment.
    variables: Vec<(&'static str, String)>,
    /// What cuDNN asks for beside its tensors.
    workspace_bytes: Option<u64>,
    /// The call that fails.
    failing: Option<String>,
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
            variables: vec![reports()],
            workspace_bytes: None,
            failing: None,
        }
    }

    /// Returns a machine on which one call of a library fails with a status.
    fn on_which_fails(library: &str, call: u64, status: u32) -> Self {
        Self {
            failing: Some(format!("{library}:{call}:{call}:{status}")),
            ..Self::new()
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
        command.envs(self.variables.iter().cloned());
        for (variable, bytes) in [
            ("CUDA_STAND_IN_BYTES", self.memory_bytes),
            ("CUDA_STAND_IN_WORKSPACE", self.workspace_bytes),
        ] {
            if let Some(bytes) = bytes {
                command.env(variable, bytes.to_string());
            }
        }
        if let Some(failing) = &self.failing {
            command.env("CUDA_STAND_IN_FAILS", failing);
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
/// Tokens and columns of its injected layers, of which there are three of each.
const LAYERS: [(u64, u64); 2] = [(128, 32), (512, 16)];

/// What a trial brings to the host: how often, and how many bytes.
fn of_trial() -> (u64, u64) {
    let layer = |(tokens, columns): (u64, u64)| 4 * tokens * columns;
    // The attention of each shape to itself and to a style, both twice, at a small size and at its own.
    let judged =
        LAYERS.map(|(tokens, columns)| 4 * (layer((96, columns)) + layer((tokens, columns))));
    // Two passes evaluate a style, a content and an output, with what each layer attends to, and encode and decode.
    let noted = 3 * LAYERS.map(layer).iter().sum::<u64>();
    let pass = 3 * (noted + LATENT) + LATENT + IMAGE;
    let copies = 2 * 2 * 4 + 2 * (3 * (6 + 1) + 2);
    (copies, judged.iter().sum::<u64>() + 2 * pass)
}

#[test]
fn a_conversion_runs_on_the_gpu_and_only_latents_and_images_leave_it() {
    let (contents, styles) = (2, 3);
    let counted = converted(contents, styles, &[]);
    let (contents, styles) = (contents as u64, styles as u64);
    let (of_trial, bytes_of_trial) = of_trial();
    // Encoded latents and noise predictions.
    let encoded = contents + styles;
    // The second step injects: before it, outputs are their content, and nothing reads a style.
    let evaluations = (STEPS - 1) * (styles + contents * styles) + STEPS * contents;
    let decoded = contents * styles;
    let expected = bytes_of_trial + (encoded + evaluations) * LATENT + decoded * IMAGE;
    assert_eq!(counted.to_host_bytes, expected, "{counted:?}");
    assert_eq!(counted.to_host, of_trial + encoded + evaluations + decoded);
}

#[test]
fn the_host_waits_for_the_gpu_once_an_evaluation() {
    let (few, many) = (converted(1, 2, &[]), converted(4, 2, &[]));
    // Of a content: it is encoded, and evaluated at each step; the second step injects into two outputs, which are decoded.
    let of_a_content = 1 + STEPS + 2 * (STEPS - 1) + 2;
    assert!(
        many.waits - few.waits <= 3 * of_a_content,
        "{many:?} {few:?}"
    );
}

#[test]
fn a_library_that_fails_otherwise_ends_the_program() {
    let calls = converted(1, 1, &[]).executions;
    let mut project = Project::new(1, 1);
    // CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER
    let machine = Machine::on_which_fails("cudnnBackendExecute", calls, 5001);
    let outcome = machine.run(&mut project).exits(ENVIRONMENT);
    assert!(!outcome.stderr.contains("out of memory"), "{outcome}");
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
fn a_translator_runs_on_the_gpu_and_only_images_leave_it() {
    let mut project = Project::new(2, 2);
    let model = repository("tests/fixtures/translator");
    project.set("method.method", "translator");
    project.set("model.path", model.display().to_string());
    let _ = Machine::new().run(&mut project).exits(0);
    let rows = project.rows();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.device == "cuda:0"), "{rows:?}");
    let counted = counted(&project);
    // Those of the items, and the one that was made before anything was stored.
    let image_bytes = 4 * 3 * 128 * 256;
    assert_eq!(counted.to_host_bytes, 5 * image_bytes, "{counted:?}");
    assert!(counted.launches > 0, "{counted:?}");
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
