//! A dataset's pair from its files.

use std::io;
use std::path::{Path, PathBuf};

use shared::digest;

use super::{ImageSize, InputError, Listed, NamedBytes, Prepared, prepare};

/// A pair at the model's size.
pub struct Loaded {
    /// Pixels and labels.
    pub prepared: Prepared,
    /// SHA-256 of the image file.
    pub image_sha256: String,
}

/// Why a pair cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// Returns the pair below `root`, read, decoded and resized.
///
/// # Errors
///
/// [`LoadError`] naming the file.
pub fn load(root: &Path, listed: &Listed, size: ImageSize) -> Result<Loaded, LoadError> {
    let (image_path, label_path) = (root.join(&listed.image), root.join(&listed.label));
    let (image, label) = (read(&image_path)?, read(&label_path)?);
    let (image_name, label_name) = (
        image_path.display().to_string(),
        label_path.display().to_string(),
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
    )?;
    Ok(Loaded {
        prepared,
        image_sha256: digest::sha256(&image),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })
}
