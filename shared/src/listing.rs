//! An image of a dataset and its label, by their names.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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

/// An image and its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The stem of the image without the suffix of its layout.
    pub name: String,
    /// The image, relative to the root of the dataset.
    pub image: PathBuf,
    /// The label, relative to the root of the dataset.
    pub label: PathBuf,
    /// What the pixels of the label are.
    pub label_kind: LabelKind,
}

/// An image of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Listing {
    /// An image with its label.
    Pair(Listed),
    /// An image that has none.
    MissingLabel {
        /// The stem of the image without the suffix of its layout.
        name: String,
        /// The image, relative to the root of the dataset.
        image: PathBuf,
        /// What was looked for and where, for a person to read.
        expected: String,
    },
}

impl Listing {
    /// Returns the name of the image.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Listing::Pair(listed) => &listed.name,
            Listing::MissingLabel { name, .. } => name,
        }
    }
}
