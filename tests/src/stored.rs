//! What lies below a storage root, as far as two equal runs must agree about it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use shared::digest;
use shared::manifest::{self, ManifestRow};

/// Returns the paths of all files below a folder, sorted, with `/` between their parts; none if there is no folder.
///
/// # Panics
///
/// If something cannot be listed.
#[must_use]
pub fn paths(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(next) = pending.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let relative = path.strip_prefix(folder).expect("a path below the folder");
                found.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Returns the SHA-256 of each PNG below a folder: images, labels, contact sheet.
///
/// # Panics
///
/// If something cannot be read.
#[must_use]
pub fn pictures(folder: &Path) -> BTreeMap<String, String> {
    let pictures = paths(folder).into_iter();
    let pictures = pictures.filter(|path| path.ends_with(".png"));
    pictures
        .map(|path| {
            let sha256 = digest::sha256_of_file(&folder.join(&path)).expect("a readable file");
            (path, sha256)
        })
        .collect()
}

/// Returns the texts below a folder: everything but pictures and tables.
///
/// # Panics
///
/// If something cannot be read.
#[must_use]
pub fn texts(folder: &Path) -> Vec<String> {
    let binary = |path: &String| {
        let endings = [".png", ".parquet", ".npz"];
        endings.iter().any(|ending| path.ends_with(ending))
    };
    let paths = paths(folder).into_iter().filter(|path| !binary(path));
    paths
        .map(|path| {
            let bytes = fs::read(folder.join(path)).expect("a readable file");
            String::from_utf8_lossy(&bytes).into_owned()
        })
        .collect()
}

/// Returns the rows of a manifest file.
///
/// # Panics
///
/// If it cannot be read.
#[must_use]
pub fn rows(file: &Path) -> Vec<ManifestRow> {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    manifest::read(bytes.into()).expect("a manifest")
}

/// Returns rows without what depends on when, by whom and in which attempt they were made.
#[must_use]
pub fn deterministic(mut rows: Vec<ManifestRow>) -> Vec<ManifestRow> {
    for row in &mut rows {
        row.attempt = 0;
        row.worker = String::new();
        row.work = None;
        row.started_at = jiff::Timestamp::UNIX_EPOCH;
        row.finished_at = jiff::Timestamp::UNIX_EPOCH;
    }
    rows
}
