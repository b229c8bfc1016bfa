//! An image of a dataset and its label, by their names.

use std::path::{Component, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ids::{NameError, check_name};
use crate::labels::LabelSetting;

/// What the pixels of a label file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelKind {
    /// A palette image whose indices are Cityscapes label ids.
    PaletteIds,
    /// A grey image of Cityscapes label ids.
    LabelIds,
    /// A grey image of Cityscapes train ids.
    TrainIds,
    /// An image of Cityscapes class colours.
    Colour,
}

/// How a label file is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelReading {
    /// What its pixels are, as far as is known before it is opened.
    pub kind: LabelKind,
    /// Whether the settings say so. What names and layouts promise, the file's content may contradict.
    pub stated: bool,
}

impl LabelReading {
    /// Returns the reading of a file whose name or layout promises `kind`.
    #[must_use]
    pub fn promised(kind: LabelKind) -> Self {
        Self {
            kind,
            stated: false,
        }
    }

    /// Returns the reading of a file of which the settings say that it is `kind`.
    #[must_use]
    pub fn stated(kind: LabelKind) -> Self {
        Self { kind, stated: true }
    }

    /// Returns this reading with what the settings say put over it.
    #[must_use]
    pub fn under(self, setting: LabelSetting) -> Self {
        setting.kind().map_or(self, Self::stated)
    }
}

/// A file of a dataset as it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// Where it lies, relative to the root of the dataset.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// The label file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedLabel {
    /// The file.
    pub file: ListedFile,
    /// What its name, the dataset's layout or the settings say of its pixels.
    pub reading: LabelReading,
}

/// An image of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The stem of the image without the suffix of its layout.
    pub name: String,
    /// The image.
    pub image: ListedFile,
    /// Its label, if it has one.
    pub label: Option<ListedLabel>,
}

/// Why a listed image cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It has a name that can be no part of a path.
    #[error(transparent)]
    Name(#[from] NameError),
    /// One of its files is not below the root of its dataset.
    #[error("file {path:?} is not below the root of its dataset")]
    Outside {
        /// The file.
        path: PathBuf,
    },
}

impl Listing {
    /// Proves that its name can be part of a path, and that its files are below the root of its dataset.
    ///
    /// # Errors
    ///
    /// [`ListingError`] naming what is wrong.
    pub fn check(&self) -> Result<(), ListingError> {
        check_name(&self.name)?;
        for file in self.files() {
            let mut parts = file.path.components();
            if !parts.all(|part| matches!(part, Component::Normal(_))) {
                return Err(ListingError::Outside {
                    path: file.path.clone(),
                });
            }
        }
        Ok(())
    }

    /// Returns the name of the image.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the image and the label, where there is one.
    pub fn files(&self) -> impl Iterator<Item = &ListedFile> {
        let label = self.label.as_ref().map(|label| &label.file);
        std::iter::once(&self.image).chain(label)
    }
}
