//! Reading and preparing the files of an input.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use shared::failure::chain;

use super::AttemptError;
use crate::dataset::{self, ImageSize, Listed, Listing, LoadError, Prepared};

/// An input at the model's size.
pub(super) struct LoadedInput {
    pub(super) name: String,
    pub(super) prepared: Prepared,
    pub(super) image_sha256: String,
    pub(super) elapsed: Duration,
}

/// Why an input cannot be loaded.
pub(super) enum Unusable {
    /// It never will: the reason is for people.
    Input(String),
    /// It may later.
    Transient(AttemptError),
}

/// Reads, decodes and resizes an input, away from the threads that wait for the network.
pub(super) async fn load(
    root: &Path,
    listing: &Listing,
    size: ImageSize,
) -> Result<LoadedInput, Unusable> {
    let listed = match listing {
        Listing::Pair(listed) => listed.clone(),
        Listing::MissingLabel {
            image, expected, ..
        } => {
            let image = root.join(image);
            return Err(Unusable::Input(format!(
                "{} has no label: expected {expected}",
                image.display()
            )));
        }
    };
    let root = root.to_owned();
    match tokio::task::spawn_blocking(move || load_files(&root, &listed, size)).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn load_files(root: &Path, listed: &Listed, size: ImageSize) -> Result<LoadedInput, Unusable> {
    let started = Instant::now();
    let loaded = dataset::load(root, listed, size).map_err(|error| match error {
        LoadError::Read { path, source } if !is_lasting(&source) => {
            Unusable::Transient(AttemptError::Read { path, source })
        }
        LoadError::Read { .. } | LoadError::Input(_) => Unusable::Input(chain(&error)),
    })?;
    Ok(LoadedInput {
        name: listed.name.clone(),
        prepared: loaded.prepared,
        image_sha256: loaded.image_sha256,
        elapsed: started.elapsed(),
    })
}

/// Whether reading the file again would fail again.
fn is_lasting(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory
    )
}
