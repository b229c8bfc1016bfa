//! The probe of a folder: does once what the work will do, by the same functions, and removes it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Barrier;

use tempfile::TempDir;

use super::cause::Cause;
use super::{LocalStorage, io_error, owner};
use crate::artifact::ArtifactPrefix;
use crate::storage::{CREATES_AT_ONCE, Created, StorageError, StorageErrorKind};

/// What the names of the probe's folders begin with. Hidden, so that they are no run's.
pub(super) const PREFIX: &str = ".trial-";

/// Creates, replaces and reads back as the work does, and proves that of several creates exactly one succeeds.
///
/// # Errors
///
/// `Full`, `Denied` or `Unavailable`, saying what cannot be done there and what helps.
pub(super) fn run(storage: &LocalStorage) -> Result<(), StorageError> {
    let folder = folder(storage).map_err(|e| io_error("write below", &storage.root, e))?;
    // The names of the probe's files say nothing to a person.
    let probed = probe(storage, folder.path()).map_err(|error| StorageError {
        operation: "store results in",
        path: storage.root.display().to_string(),
        ..error
    });
    let removed = folder.close();
    probed?;
    removed.map_err(|e| io_error("remove a folder below", &storage.root, e))
}

/// Returns a new folder where the run's own are, which may be mounted separately.
fn folder(storage: &LocalStorage) -> io::Result<TempDir> {
    let runs = storage.root.join(ArtifactPrefix::Runs.path());
    let place = if runs.is_dir() { &runs } else { &storage.root };
    fs::create_dir_all(place)?;
    // Whose it is, so that one of a process that was killed can be told from one that is under way.
    let prefix = format!("{PREFIX}{}", owner::prefix());
    tempfile::Builder::new().prefix(&prefix).tempdir_in(place)
}

fn probe(storage: &LocalStorage, folder: &Path) -> Result<(), StorageError> {
    let fails = |cause: Cause, path: &Path| io_error("create", path, cause.at(path));
    let file = folder.join("created");
    match storage.create_file(&file, b"first")? {
        Created::New => {}
        Created::AlreadyThere => return Err(fails(Cause::Overwrites, &file)),
    }
    match storage.create_file(&file, b"second") {
        Err(error) if error.kind == StorageErrorKind::Conflict => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(fails(Cause::Overwrites, &file)),
    }
    let reads = |path: &Path, expected: &[u8]| match fs::read(path) {
        Ok(there) if there == expected => Ok(()),
        Ok(_) => Err(fails(Cause::ReadsOther, path)),
        Err(error) => Err(io_error("read", path, error)),
    };
    reads(&file, b"first")?;
    storage.replace_file(&file, b"third")?;
    reads(&file, b"third")?;

    let contended = folder.join("contended");
    let winners = race(storage, &contended)?;
    match winners[..] {
        [winner] => reads(&contended, &bytes_of(winner)),
        _ => {
            let winners = winners.len();
            Err(fails(Cause::Races { winners }, &contended))
        }
    }
}

/// Returns the writers that took the same name at once.
fn race(storage: &LocalStorage, path: &Path) -> Result<Vec<usize>, StorageError> {
    let start = Barrier::new(CREATES_AT_ONCE);
    let created: Vec<_> = std::thread::scope(|scope| {
        let writer = |number| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                storage.create_file(path, &bytes_of(number))
            })
        };
        let writers: Vec<_> = (0..CREATES_AT_ONCE).map(writer).collect();
        writers.into_iter().map(|writer| writer.join()).collect()
    });
    let mut winners = Vec::new();
    for (number, created) in created.into_iter().enumerate() {
        match created {
            Ok(Ok(_)) => winners.push(number),
            Ok(Err(error)) if error.kind == StorageErrorKind::Conflict => {}
            Ok(Err(error)) => return Err(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(winners)
}

fn bytes_of(writer: usize) -> Vec<u8> {
    format!("of writer {writer}").into_bytes()
}
