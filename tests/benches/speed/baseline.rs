//! The same work in plain PyTorch, and what Python's libraries say of the machine's limits.

use std::collections::BTreeMap;

use serde::Deserialize;
use tests::golden;

use super::model::{self, python, succeed};
use super::{EXECUTED, Size, folder};

/// Steps of the whole schedule, all of which the released code inverts.
const STEPS: f64 = 50.0;
/// Evaluations that it takes in each executed step: three branches, with injection and without.
const A_STEP: f64 = 6.0;

/// What a machine can do at best.
#[derive(Debug, Deserialize)]
pub(super) struct Limit {
    pub(super) versions: BTreeMap<String, String>,
    /// Floating-point operations of a UNet evaluation by image size.
    pub(super) operations_of_unet: BTreeMap<String, f64>,
    /// Floating-point operations a second in a product of matrices, by library.
    pub(super) sgemm: BTreeMap<String, f64>,
    /// Seconds of plain attention by shape.
    pub(super) attention_seconds: BTreeMap<String, f64>,
}

/// Asks Python for the machine's limits.
pub(super) fn limit() -> Limit {
    let mut command = python();
    let json = succeed(command.args(["-m", "baseline.limit"]));
    serde_json::from_str(&json).unwrap()
}

/// What a conversion took.
#[derive(Debug, Deserialize)]
struct Times {
    seconds: BTreeMap<String, f64>,
    seconds_per_evaluation: BTreeMap<String, f64>,
    peak_rss_bytes: u64,
}

/// The released code's work for one image, from a conversion of few steps.
#[derive(Debug)]
pub(super) struct Baseline {
    /// Seconds of an image of a whole conversion; the style's inversion is left out.
    pub(super) seconds: f64,
    pub(super) peak_bytes: u64,
}

/// Converts one pair in two steps of inversion and one of denoising.
pub(super) fn convert(size: Size) -> Baseline {
    let times = folder().join(format!("baseline-{size}.json"));
    let mut command = python();
    command.args(["-m", "baseline", "--model"]);
    command.arg(model::checkpoint());
    for (option, file) in [
        ("--content", "00001.png"),
        ("--content-label", "00001_label.png"),
        ("--style", "night_000001_rgb_anon.png"),
        ("--style-label", "night_000001_gt_labelColor.png"),
    ] {
        command.arg(option).arg(golden("inputs").join(file));
    }
    command.args(["--width", &size.width.to_string()]);
    command.args(["--height", &size.height.to_string()]);
    command.args(["--steps", "2", "--skip", "1", "--injected-steps", "0.."]);
    command.arg("--out").arg(folder().join("baseline.png"));
    succeed(command.arg("--times").arg(&times));
    let times: Times = serde_json::from_slice(&std::fs::read(times).unwrap()).unwrap();
    // The content comes first and pays for what every program does once: the style's inversion is what one costs.
    let inversion = times.seconds_per_evaluation["inversion_style"];
    let denoising = times.seconds_per_evaluation["denoising"];
    let around: f64 = ["prepare", "encode", "decode", "store"]
        .iter()
        .filter_map(|part| times.seconds.get(*part))
        .sum();
    let baseline = Baseline {
        seconds: STEPS * inversion + EXECUTED as f64 * A_STEP * denoising + around,
        peak_bytes: times.peak_rss_bytes,
    };
    println!("PyTorch {size}: {:.0} s an image", baseline.seconds);
    baseline
}
