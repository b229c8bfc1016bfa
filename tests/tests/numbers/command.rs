//! `synth2real transfer`, as these tests call it.

use std::path::Path;
use std::process::Command;

use tests::golden;
use tests::program::synth2real;

/// `synth2real transfer` of the golden content into a golden style, in two steps.
pub(super) fn transfer(model: &Path) -> Command {
    transfer_of(model, &golden("inputs").join("00001.png"))
}

/// The same of another content with the same labels.
pub(super) fn transfer_of(model: &Path, content: &Path) -> Command {
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
