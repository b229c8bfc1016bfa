//! What settings make in one undisturbed process: made once for all tests of the same program, since it takes as long as
//! what is compared with it.

use std::fs::{self, File};
use std::path::Path;

use shared::digest;

use super::{Ending, RUN};
use crate::program::{Outcome, path, synth2real};

/// Returns what settings make on a local disk, wherever they would store it.
pub(super) fn ending(settings: &toml::Table, environment: &[(&'static str, String)]) -> Ending {
    let program = digest::sha256_of_file(&path()).expect("a program");
    let beside = path().with_file_name("undisturbed");
    // Of another program nothing is needed any more.
    for other in fs::read_dir(&beside).into_iter().flatten().flatten() {
        if !program.starts_with(other.file_name().to_string_lossy().as_ref()) {
            fs::remove_dir_all(other.path()).ok();
        }
    }
    let mut settings = settings.clone();
    settings["run"]["root"] = "out".into();
    let text = toml::to_string(&settings).expect("settings are TOML");
    let of_program = beside.join(&program[..16]);
    let folder = of_program.join(&digest::sha256(text.as_bytes())[..16]);
    fs::create_dir_all(&folder).expect("a writable folder");
    let lock = File::create(folder.join("lock")).expect("a writable file");
    lock.lock().expect("a lock");
    let whole = folder.join("whole");
    if !whole.exists() {
        fs::remove_dir_all(folder.join("out")).ok();
        make(&folder, &text, environment);
        File::create(whole).expect("a writable file");
    }
    Ending::of(&folder.join("out/runs").join(RUN))
}

fn make(folder: &Path, text: &str, environment: &[(&'static str, String)]) {
    let file = folder.join("run.toml");
    fs::write(&file, text).expect("a writable file");
    let mut command = synth2real();
    let command = command.arg("run").arg(file);
    let _ = Outcome::of(command.envs(environment.iter().cloned())).exits(0);
}
