//! The same UNet in OpenVINO, which evaluates the exported graph whole and injects nothing.

use std::process::Command;

use serde::Deserialize;
use tests::repository;

use super::Size;
use super::model::{self, succeed};

/// Precisions that are asked for.
const SINGLE: &str = "f32";
const HALF: &str = "bf16";

/// What an evaluation took.
#[derive(Debug, Deserialize)]
struct Evaluation {
    version: String,
    /// What OpenVINO computed in.
    precision: String,
    cpu_seconds: f64,
}

/// Processor seconds of an evaluation.
#[derive(Debug)]
pub(super) struct Rival {
    pub(super) version: String,
    pub(super) single: f64,
    /// In bfloat16, where the processor computes in it.
    pub(super) half: Option<f64>,
}

/// Evaluates the UNet of an image size in both precisions, each in a process of its own.
pub(super) fn evaluate(size: Size) -> Rival {
    let (single, half) = (in_precision(size, SINGLE), in_precision(size, HALF));
    assert_eq!(single.precision, SINGLE, "it was asked for");
    let rival = Rival {
        version: single.version,
        single: single.cpu_seconds,
        half: (half.precision == HALF).then_some(half.cpu_seconds),
    };
    println!("OpenVINO {size}: {rival:?}");
    rival
}

fn in_precision(size: Size, precision: &str) -> Evaluation {
    let mut command = Command::new(repository(".cache/rival/bin/python"));
    command.current_dir(repository("onnx-export"));
    command.args(["-m", "baseline.rival", "--precision", precision, "--model"]);
    let json = succeed(command.arg(model::exported(size)));
    serde_json::from_str(&json).unwrap()
}
