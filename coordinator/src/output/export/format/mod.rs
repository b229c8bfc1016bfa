//! The layouts of exports, a file for each.
//!
//! A layout either has a file for each picture ([`FileLayout`]: `cityscapes`, with `class_stats`; `coco_panoptic`;
//! `fiftyone`), or files with the pictures of many items ([`PackLayout`]: `webdataset`, `huggingface`).
//!
//! To add one: its variant of [`Format`] with its name and its layout here, and a file that implements one of the two
//! traits. What reads it is named in its card.

mod cityscapes;
mod class_stats;
mod coco_panoptic;
mod facts;
mod fiftyone;
mod huggingface;
mod webdataset;

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use imaging::{InputError, LabelIds};
use serde::{Deserialize, Serialize};
use shared::wording::one_of;

pub(super) use self::facts::LabelFacts;
use super::ExportError;
use super::croissant::Parts;
use super::packs::{Pack, Sizes};
use super::record::ExportRecord;
use super::set::{Item, Set};

shared::enumerated! {
    /// A layout that other tools read.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Format {
        /// Folders as those of Cityscapes, with class statistics as DAFormer wants them.
        Cityscapes,
        /// Archives of samples, read one after the other.
        Webdataset,
        /// Parquet files with images, and a card that says so.
        Huggingface,
        /// COCO's panoptic annotations.
        CocoPanoptic,
        /// A dataset that FiftyOne imports.
        Fiftyone,
    }
}

impl Format {
    /// Returns the name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cityscapes => "cityscapes",
            Self::Webdataset => "webdataset",
            Self::Huggingface => "huggingface",
            Self::CocoPanoptic => "coco-panoptic",
            Self::Fiftyone => "fiftyone",
        }
    }

    /// Returns whether each image is a file, so that it can be linked.
    #[must_use]
    pub fn has_image_files(self) -> bool {
        match self {
            Self::Cityscapes | Self::CocoPanoptic | Self::Fiftyone => true,
            Self::Webdataset | Self::Huggingface => false,
        }
    }

    /// Returns the layout, whose files with many items have so many bytes at most.
    pub(super) fn layout(self, file_bytes: u64) -> Layout {
        match self {
            Self::Cityscapes => Layout::Files(Arc::new(cityscapes::Cityscapes)),
            Self::CocoPanoptic => Layout::Files(Arc::new(coco_panoptic::CocoPanoptic)),
            Self::Fiftyone => Layout::Files(Arc::new(fiftyone::Fiftyone)),
            Self::Webdataset => Layout::Packs(Arc::new(webdataset::Webdataset { file_bytes })),
            Self::Huggingface => Layout::Packs(Arc::new(huggingface::Huggingface { file_bytes })),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|format| format.as_str() == name);
        found.ok_or_else(|| format!("expected {}", one_of(&Self::ALL)))
    }
}

/// How a set is laid out.
pub(super) enum Layout {
    /// A file for each picture.
    Files(Arc<dyn FileLayout>),
    /// Files with the pictures of many items.
    Packs(Arc<dyn PackLayout>),
}

impl Layout {
    /// Returns how it is loaded, as Markdown.
    pub(super) fn usage(&self, record: &ExportRecord) -> String {
        match self {
            Self::Files(layout) => layout.usage(record),
            Self::Packs(layout) => layout.usage(record),
        }
    }
}

/// Globs of the pictures of an export, in which `*` takes a `/` as well.
pub(super) struct PictureGlobs {
    pub(super) images: Vec<String>,
    /// Those of the labels that are trained on.
    pub(super) labels: Vec<String>,
}

/// A layout with a file for each picture. All of it is a function of the set.
pub(super) trait FileLayout: Send + Sync {
    /// Returns the path of an item's image.
    fn image(&self, set: &Set, item: &Item) -> String;

    /// Returns the paths of the files that are made of an item's label; the first of them is what is trained on.
    fn labels(&self, set: &Set, item: &Item) -> Vec<String>;

    /// Returns these files, in the same order.
    ///
    /// # Errors
    ///
    /// [`InputError`] if one cannot be encoded.
    fn encode(&self, label: &LabelIds) -> Result<Vec<Vec<u8>>, InputError>;

    /// Returns the paths of the files that speak of all items.
    fn summaries(&self, set: &Set) -> Vec<String>;

    /// Writes the file that speaks of all items under one of these paths. `facts` are those of the labels, by the positions
    /// of their contents.
    ///
    /// # Errors
    ///
    /// Whatever writing gives.
    fn summarise(
        &self,
        path: &str,
        set: &Set,
        facts: &[Option<Box<LabelFacts>>],
        to: &mut dyn Write,
    ) -> io::Result<()>;

    /// Returns globs of its pictures.
    fn globs(&self, record: &ExportRecord) -> PictureGlobs;

    /// Returns how it is loaded, as Markdown.
    fn usage(&self, record: &ExportRecord) -> String;
}

/// Returns what an item's image is called where all are in one folder or file.
fn image_name(set: &Set, item: &Item) -> String {
    format!("{}.png", set.key(item))
}

/// Returns what an item's label is called beside its image.
fn label_name(set: &Set, item: &Item) -> String {
    format!("{}.label.png", set.key(item))
}

/// Returns what stands before an element of JSON at a position.
fn comma(position: usize) -> &'static str {
    if position == 0 { "" } else { "," }
}

/// A layout with files of many items. All of it is a function of the set and of the sizes of its pictures.
pub(super) trait PackLayout: Send + Sync {
    /// Returns the files, each with its items, none of which is in two.
    ///
    /// # Errors
    ///
    /// [`ExportError::Refused`] if an item is larger than a file may be.
    fn packs(&self, set: &Set, sizes: &Sizes) -> Result<Vec<Pack>, ExportError>;

    /// Returns the names that an item's image and label have in their file.
    fn members(&self, set: &Set, item: &Item) -> (String, String) {
        (image_name(set, item), label_name(set, item))
    }

    /// Begins a file.
    ///
    /// # Errors
    ///
    /// Whatever writing gives.
    fn begin(&self, set: Arc<Set>, file: File) -> io::Result<Box<dyn PackWriter>>;

    /// Returns what its files are, as Croissant has it.
    fn croissant(&self, packs: &[Pack]) -> Parts;

    /// Returns what stands before the card, for programs; empty if nothing does.
    fn card_header(&self, record: &ExportRecord, packs: &[Pack]) -> String;

    /// Returns how it is loaded, as Markdown.
    fn usage(&self, record: &ExportRecord) -> String;
}

/// Writes a file of many items.
pub(super) trait PackWriter: Send {
    /// Adds an item with its image and the train ids of its label, both PNG files.
    ///
    /// # Errors
    ///
    /// Whatever writing gives.
    fn add(&mut self, item: &Item, image: &[u8], label: &[u8]) -> io::Result<()>;

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// Whatever writing gives.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_has_one_name_everywhere() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(shared::json::name(&format), format.as_str());
        }
        let told = "yolo".parse::<Format>().unwrap_err();
        assert!(
            told.contains("cityscapes") && told.contains("fiftyone"),
            "{told}"
        );
    }
}
