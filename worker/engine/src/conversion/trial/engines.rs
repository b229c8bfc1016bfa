//! What cuDNN notes of the engines that it computes convolutions with, as the log of its frontend has it.
//!
//! ONNX Runtime does not ask whether an engine is deterministic. The log tells it of every engine that is taken, if the
//! environment names a file for it, and grows with every convolution: it is for trials, and not for whole runs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};

/// The variables of the environment that have the frontend log, and say where.
const LOGS: &str = "CUDNN_FRONTEND_LOG_INFO";
const FILE: &str = "CUDNN_FRONTEND_LOG_FILE";
/// What stands before the name of an engine that is taken, and what stands behind it of one that is not deterministic.
const TAKEN: &str = "CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR : ";
const NOTE: &str = "CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC";
/// More than a trial logs.
const MAX_LOG_BYTES: u64 = 1 << 30;

/// Returns the engines that are not deterministic; nothing if no log tells.
pub(super) fn not_deterministic() -> Option<BTreeSet<String>> {
    let logs = std::env::var_os(LOGS)?;
    let file = std::env::var_os(FILE)?;
    let streams = ["stdout", "stderr"].map(OsStr::new);
    if logs != OsStr::new("1") || streams.contains(&file.as_os_str()) {
        return None;
    }
    let found = File::open(&file).and_then(|file| noted(BufReader::new(file.take(MAX_LOG_BYTES))));
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            let file = file.display();
            tracing::warn!("cannot read what cuDNN notes of its engines in {file}: {error}");
            None
        }
    }
}

fn noted(log: impl BufRead) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for line in log.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if let Some((_, engine)) = line.split_once(TAKEN)
            && engine.contains(NOTE)
        {
            let end = engine.find(',').unwrap_or(engine.len());
            found.insert(engine[..end].to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_that_are_not_deterministic_are_found_by_their_names() {
        let log = "[cudnn_frontend] INFO: Extracting engine configs.\n\
                   [cudnn_frontend] CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR : _eng0_k0=0, numeric_notes:[] \
                   behavior_notes:[] workSpaceSize: 0\n\
                   [cudnn_frontend] CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR : _eng5_k2=1, \
                   numeric_notes:[CUDNN_NUMERICAL_NOTE_FFT,CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC,] behavior_notes:[]\n\
                   [cudnn_frontend] INFO: Executing _eng5_k2=1...\n";
        let found = noted(log.as_bytes()).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["_eng5_k2=1"]);
        assert!(noted(&b"\xff\n"[..]).unwrap().is_empty());
    }
}
