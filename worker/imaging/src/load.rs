//! Loading of a pair, an image and its label, from the files of a dataset.

use bytes::Bytes;
use shared::dataset::entry::DatasetFile;
use shared::digest;
use shared::read_file::{check_size, max_bytes};
use shared::source::Source;
use shared::storage::StorageError;

use shared::dataset::{ClassTable, DatasetEntry};
use shared::model::ImageSize;

use crate::{InputError, LabelFile, NamedBytes, Prepared, prepare};

/// A pair at the model's size.
pub struct Loaded {
    /// Pixels and labels.
    pub prepared: Prepared,
    /// SHA-256 of the image file.
    pub image_sha256: String,
    /// Digest over the bytes of the image file and its label file, as a run's record holds it of a style.
    pub sha256: String,
}

/// Why a pair cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] StorageError),
    /// A file is another one than was listed.
    #[error(
        "{name} has {found_bytes} bytes and had {listed_bytes} when it was listed: it was changed since, or is not whole \
         yet"
    )]
    Changed {
        /// The file.
        name: String,
        /// Its size as it was listed.
        listed_bytes: u64,
        /// Its size as it was read.
        found_bytes: u64,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// Whether an image is of use without a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelNeed {
    /// It is not: one without a label is refused.
    Required,
    /// It is. A label that is there is read all the same.
    Optional,
}

/// How the labels of a dataset are used.
#[derive(Clone, Debug)]
pub struct LabelUse {
    /// Whether images are of use without one.
    pub need: LabelNeed,
    /// Which class each of their ids or colours is, where the settings say so.
    pub classes: Option<ClassTable>,
}

/// Returns a pair of `source`, read, decoded and resized, away from the threads that wait for the network.
///
/// # Errors
///
/// [`LoadError`] naming the file.
pub async fn load(
    source: &dyn Source,
    listing: &DatasetEntry,
    labels: &LabelUse,
    size: ImageSize,
) -> Result<Loaded, LoadError> {
    let image = &listing.image;
    let label = match (&listing.label, labels.need) {
        (Some(label), LabelNeed::Required | LabelNeed::Optional) => {
            Some((File::read(source, &label.file).await?, label.reading))
        }
        (None, LabelNeed::Optional) => None,
        (None, LabelNeed::Required) => {
            let name = source.locate(&image.path);
            return Err(InputError::NoLabel { name }.into());
        }
    };
    let image = File::read(source, image).await?;
    let classes = labels.classes.clone();
    let work = move || -> Result<Loaded, LoadError> {
        let label = label.as_ref().map(|(file, reading)| {
            LabelFile::new(file.named(), *reading).with_classes(classes.as_ref())
        });
        let image_sha256 = digest::sha256(&image.bytes);
        let label_sha256 = label.map(|label| digest::sha256(label.file.bytes));
        Ok(Loaded {
            prepared: prepare(image.named(), label, size)?,
            sha256: digest::sha256_of_json(&(&image_sha256, label_sha256)),
            image_sha256,
        })
    };
    shared::blocking::run(work).await
}

struct File {
    name: String,
    bytes: Bytes,
}

impl File {
    async fn read(source: &dyn Source, file: &DatasetFile) -> Result<Self, LoadError> {
        let name = source.locate(&file.path);
        if check_size(file.size_bytes, max_bytes::DATA).is_err() {
            let size_bytes = file.size_bytes;
            return Err(InputError::TooManyBytes { name, size_bytes }.into());
        }
        let bytes = source.read(&file.path).await?;
        let found_bytes = bytes.len() as u64;
        if found_bytes == file.size_bytes {
            Ok(Self { name, bytes })
        } else {
            Err(LoadError::Changed {
                name,
                listed_bytes: file.size_bytes,
                found_bytes,
            })
        }
    }

    fn named(&self) -> NamedBytes<'_> {
        NamedBytes {
            name: &self.name,
            bytes: &self.bytes,
        }
    }
}
