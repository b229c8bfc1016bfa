//! The model: Stable Diffusion 1.5's shape with seeded random weights, exported for each image size.

use std::path::PathBuf;
use std::process::Command;

use tests::repository;

use super::{LARGE, SMALL, Size, folder};

/// Returns the checkpoint's folder.
pub(super) fn checkpoint() -> PathBuf {
    folder().join("checkpoint")
}

/// Returns the exported model's folder.
pub(super) fn exported(size: Size) -> PathBuf {
    folder().join(format!("model-{size}"))
}

/// Returns Python with the packages of onnx-export, to be run in its folder.
pub(super) fn python() -> Command {
    let home = repository("onnx-export");
    let mut command = Command::new(home.join(".venv/bin/python"));
    command.current_dir(home);
    command
}

/// Makes what is not there; a folder that is there is whole.
pub(super) fn make() {
    std::fs::create_dir_all(folder()).unwrap();
    if !checkpoint().exists() {
        let mut command = python();
        command.args(["-m", "baseline.checkpoint", "--width", "full", "--out"]);
        succeed(command.arg(checkpoint()));
    }
    for size in [SMALL, LARGE] {
        if exported(size).exists() {
            continue;
        }
        let mut command = python();
        command.args(["-m", "onnx_export"]).arg(checkpoint());
        command
            .arg("--width")
            .arg(size.width.to_string())
            .arg("--height")
            .arg(size.height.to_string())
            .arg("--prompt-embedding")
            .arg(checkpoint().join("prompt_embedding.npy"));
        succeed(command.arg("--out").arg(exported(size)));
    }
}

/// Runs a command to its end and returns what it printed.
pub(super) fn succeed(command: &mut Command) -> String {
    println!("$ {command:?}");
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
