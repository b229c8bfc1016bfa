//! Reading and preparing the files of an input.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use shared::digest;
use shared::failure::chain;

use super::AttemptError;
use crate::dataset::{ImageSize, Listed, Listing, NamedBytes, Prepared, prepare};

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
    let image = read(&root.join(&listed.image))?;
    let label = read(&root.join(&listed.label))?;
    let (image_name, label_name) = (
        root.join(&listed.image).display().to_string(),
        root.join(&listed.label).display().to_string(),
    );
    let prepared = prepare(
        NamedBytes {
            name: &image_name,
            bytes: &image,
        },
        NamedBytes {
            name: &label_name,
            bytes: &label,
        },
        listed.label_kind,
        size,
    )
    .map_err(|error| Unusable::Input(chain(&error)))?;
    Ok(LoadedInput {
        name: listed.name.clone(),
        prepared,
        image_sha256: digest::sha256(&image),
        elapsed: started.elapsed(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    std::fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
            Unusable::Input(format!("{} cannot be read: {source}", path.display()))
        }
        _ => Unusable::Transient(AttemptError::Read {
            path: path.to_owned(),
            source,
        }),
    })
}
