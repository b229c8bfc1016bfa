//! Which of ONNX Runtime's kernels compute attention on a GPU.

use std::collections::BTreeSet;

use tests::goldens::unpacked;
use tests::program::{Outcome, synth2real};
use tests::{golden, repository};

use crate::Machine;

/// Returns the kernels that compute attention when the golden with wide heads is converted.
fn kernels(packed: &str) -> BTreeSet<String> {
    let folder = repository("tests/fixtures/golden-heads");
    let model = unpacked(&folder.join(packed));
    let mut machine = Machine::new();
    let debug = "ORT_ENABLE_ATTENTION_KERNEL_DEBUG_INFO";
    machine.variables.push((debug, "1".to_owned()));
    let mut command = synth2real();
    command.args(["transfer", "--device", "cuda:0", "--model"]);
    command.arg(model.path());
    for (argument, file) in [
        ("--content", "00001.png"),
        ("--content-label", "00001_label.png"),
        ("--style", "night_000001_rgb_anon.png"),
        ("--style-label", "night_000001_gt_labelColor.png"),
    ] {
        command.arg(argument).arg(golden("inputs").join(file));
    }
    for setting in [
        "steps=2",
        "skip=1",
        "injected_steps=0..",
        "class_adain_steps=0..",
    ] {
        command.args(["--set", setting]);
    }
    command.arg("--out").arg(model.path().join("out.png"));
    machine.equip(&mut command);
    let outcome = Outcome::of(&mut command).exits(0);
    let said = outcome.stdout.split("SdpaKernel=").skip(1);
    let names = said.map(|rest| -> String {
        let is_of_name = |letter: &char| letter.is_ascii_uppercase() || *letter == '_';
        rest.chars().take_while(is_of_name).collect()
    });
    names.collect()
}

/// The other goldens' heads are too narrow: none of these computes them.
#[test]
fn the_golden_with_wide_heads_is_computed_by_the_kernels_of_stable_diffusion() {
    let only = |kernel: &str| BTreeSet::from([kernel.to_owned()]);
    assert_eq!(kernels("model-fp32.npz"), only("EFFICIENT_ATTENTION"));
    assert_eq!(kernels("model-fp16.npz"), only("FLASH_ATTENTION"));
}
