//! One image of a dataset with its label file, as a run stores them.

use std::fmt;
use std::path::{Component, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dataset::class_table::TableOf;
use crate::dataset::labels::LabelSetting;
use crate::ids::{NameError, check_name};

crate::enumerated! {
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
        /// An image whose first channel has SYNTHIA's classes.
        SynthiaIds,
        /// An image whose first channel has CARLA's tags from 0.9.14 on, or one of its colours.
        CarlaTags,
        /// The same of CARLA up to 0.9.13.
        #[serde(rename = "carla-0.9.13-tags")]
        OldCarlaTags,
        /// Ids, which a table of the settings maps to classes.
        TableIds,
        /// An image whose first channel has ids, which a table of the settings maps to classes.
        TableFirstChannel,
        /// Colours, which a table of the settings maps to classes.
        TableColours,
    }
}

impl LabelKind {
    /// Returns the name that settings files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaletteIds => "palette-ids",
            Self::LabelIds => "label-ids",
            Self::TrainIds => "train-ids",
            Self::Colour => "colour",
            Self::SynthiaIds => "synthia-ids",
            Self::CarlaTags => "carla-tags",
            Self::OldCarlaTags => "carla-0.9.13-tags",
            Self::TableIds => "table-ids",
            Self::TableFirstChannel => "table-first-channel",
            Self::TableColours => "table-colours",
        }
    }

    /// Returns whether its ids and colours are those of Cityscapes, of which a file may be another kind than it promises.
    #[must_use]
    pub fn is_of_cityscapes(self) -> bool {
        match self {
            Self::PaletteIds | Self::LabelIds | Self::TrainIds | Self::Colour => true,
            Self::SynthiaIds
            | Self::CarlaTags
            | Self::OldCarlaTags
            | Self::TableIds
            | Self::TableFirstChannel
            | Self::TableColours => false,
        }
    }

    /// Returns what the same files are whose ids or colours a table maps to classes.
    #[must_use]
    pub fn by_table(self, of: TableOf) -> Self {
        match (of, self) {
            (TableOf::Colours, _) => Self::TableColours,
            (
                TableOf::Ids,
                Self::SynthiaIds | Self::CarlaTags | Self::OldCarlaTags | Self::TableFirstChannel,
            ) => Self::TableFirstChannel,
            (
                TableOf::Ids,
                Self::PaletteIds
                | Self::LabelIds
                | Self::TrainIds
                | Self::Colour
                | Self::TableIds
                | Self::TableColours,
            ) => Self::TableIds,
        }
    }

    /// Returns what a table has to be of to map such files to classes.
    #[must_use]
    pub fn shows(self) -> TableOf {
        match self {
            Self::Colour | Self::TableColours => TableOf::Colours,
            Self::PaletteIds
            | Self::LabelIds
            | Self::TrainIds
            | Self::SynthiaIds
            | Self::CarlaTags
            | Self::OldCarlaTags
            | Self::TableIds
            | Self::TableFirstChannel => TableOf::Ids,
        }
    }
}

impl fmt::Display for LabelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which of Cityscapes' two numberings the ids of a label file use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdKind {
    /// Those of all labels.
    LabelIds,
    /// Those of the 19 classes.
    TrainIds,
}

/// How a label file is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelReading {
    /// What its pixels are, as far as is known before it is opened.
    pub kind: LabelKind,
    /// Whether the settings say so. What names and layouts promise, the file's content may contradict.
    pub stated: bool,
    /// What ids are that could be of either kind, as other labels of the dataset tell; none if they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_alikes: Option<IdKind>,
    /// What it is stored as beside the outputs, where that is another kind than its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<LabelKind>,
}

impl LabelReading {
    /// Returns the reading of a file whose name or layout promises `kind`.
    #[must_use]
    pub fn promised(kind: LabelKind) -> Self {
        Self {
            kind,
            stated: false,
            look_alikes: None,
            stored: None,
        }
    }

    /// Returns the reading of a file of which the settings say that it is `kind`.
    #[must_use]
    pub fn stated(kind: LabelKind) -> Self {
        Self {
            stated: true,
            ..Self::promised(kind)
        }
    }

    /// Returns this reading with what the settings say put over it.
    #[must_use]
    pub fn under(self, setting: LabelSetting) -> Self {
        setting.kind().map_or(self, Self::stated)
    }

    /// Returns this reading where a table of ids or of colours says which class each is.
    #[must_use]
    pub fn by_table(self, of: Option<TableOf>) -> Self {
        of.map_or(self, |of| Self::stated(self.kind.by_table(of)))
    }

    /// Returns this reading of a file that is stored as `kind`.
    #[must_use]
    pub fn stored_as(self, kind: LabelKind) -> Self {
        Self {
            stored: Some(kind).filter(|&kind| kind != self.kind),
            ..self
        }
    }

    /// Returns what the file is stored as.
    #[must_use]
    pub fn stored_kind(self) -> LabelKind {
        self.stored.unwrap_or(self.kind)
    }

    /// Returns this reading with what was decided of a file of the same dataset: what look-alikes are, which is a matter
    /// of labels of one kind, and what labels are stored as.
    #[must_use]
    pub fn as_decided(self, before: Self) -> Self {
        let is_same = (self.kind, self.stated) == (before.kind, before.stated);
        let look_alikes = if is_same {
            before.look_alikes
        } else {
            self.look_alikes
        };
        Self {
            look_alikes,
            ..self.stored_as(before.stored_kind())
        }
    }
}

/// A file of a dataset: its path and size when the dataset was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    /// Where it lies, relative to the root of the dataset.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// The label file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetLabel {
    /// The file.
    pub file: DatasetFile,
    /// What its name, the dataset's layout or the settings say of its pixels.
    pub reading: LabelReading,
}

/// An image of a dataset, with or without a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetEntry {
    /// The stem of the image without the suffix of its layout.
    pub name: String,
    /// The image.
    pub image: DatasetFile,
    /// Its label, if it has one.
    pub label: Option<DatasetLabel>,
}

/// Why an entry cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatasetEntryError {
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

impl DatasetEntry {
    /// Proves that its name can be part of a path, and that its files are below the root of its dataset.
    ///
    /// # Errors
    ///
    /// [`DatasetEntryError`] naming what is wrong.
    pub fn check(&self) -> Result<(), DatasetEntryError> {
        check_name(&self.name)?;
        for file in self.files() {
            let mut parts = file.path.components();
            if !parts.all(|part| matches!(part, Component::Normal(_))) {
                return Err(DatasetEntryError::Outside {
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

    /// Returns this entry, its label read and stored as was decided with an earlier entry of the same image.
    #[must_use]
    pub fn as_decided(&self, before: &Self) -> Self {
        let mut now = self.clone();
        if let (Some(label), Some(before)) = (&mut now.label, &before.label) {
            label.reading = label.reading.as_decided(before.reading);
        }
        now
    }

    /// Returns the image and the label, where there is one.
    pub fn files(&self) -> impl Iterator<Item = &DatasetFile> {
        let label = self.label.as_ref().map(|label| &label.file);
        std::iter::once(&self.image).chain(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_of_which_nothing_was_decided_is_written_as_it_always_was() {
        let reading = LabelReading::promised(LabelKind::LabelIds);
        let json = serde_json::to_string(&reading).unwrap();
        assert_eq!(json, r#"{"kind":"label-ids","stated":false}"#);
        assert_eq!(
            serde_json::from_str::<LabelReading>(&json).unwrap(),
            reading
        );
        let decided = LabelReading {
            look_alikes: Some(IdKind::TrainIds),
            ..reading.stored_as(LabelKind::PaletteIds)
        };
        let json = serde_json::to_string(&decided).unwrap();
        assert!(
            json.ends_with(r#","look_alikes":"train-ids","stored":"palette-ids"}"#),
            "{json}"
        );
        assert_eq!(
            serde_json::from_str::<LabelReading>(&json).unwrap(),
            decided
        );
    }

    #[test]
    fn a_kind_of_label_has_one_name_everywhere() {
        for kind in LabelKind::ALL {
            let quoted = serde_json::to_string(&kind).unwrap();
            assert_eq!(quoted, format!("{:?}", kind.to_string()));
        }
    }

    #[test]
    fn a_table_is_applied_to_what_files_hold() {
        let reading = |kind: LabelKind, of| LabelReading::promised(kind).by_table(Some(of)).kind;
        let synthia = reading(LabelKind::SynthiaIds, TableOf::Ids);
        assert_eq!(synthia, LabelKind::TableFirstChannel);
        let grey = reading(LabelKind::LabelIds, TableOf::Ids);
        assert_eq!(grey, LabelKind::TableIds);
        for kind in LabelKind::ALL {
            assert_eq!(reading(kind, TableOf::Colours), LabelKind::TableColours);
            let of = kind.shows();
            assert_eq!(kind.by_table(of).shows(), of);
            assert!(!kind.by_table(of).is_of_cityscapes());
        }
        let reading = LabelReading::promised(LabelKind::Colour);
        assert_eq!(reading.by_table(None), reading);
    }

    #[test]
    fn what_was_decided_of_a_label_holds_for_the_one_in_its_place() {
        let decided = LabelReading {
            look_alikes: Some(IdKind::TrainIds),
            ..LabelReading::promised(LabelKind::LabelIds)
        };
        let same = LabelReading::promised(LabelKind::LabelIds);
        assert_eq!(same.as_decided(decided), decided);
        let other = LabelReading::promised(LabelKind::Colour).as_decided(decided);
        assert_eq!(other.stored_kind(), LabelKind::LabelIds);
        assert_eq!(other.look_alikes, None);
        let back = same.as_decided(other);
        assert_eq!(back.stored, None);
    }
}
