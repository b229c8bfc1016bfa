//! `labels = "..."`: what the label files of a dataset are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::dataset::entry::LabelKind;
use crate::wording::one_of;

crate::enumerated! {
    /// What the settings say of a dataset's label files.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum LabelSetting {
        /// Each file tells, with its name and layout where it alone does not.
        #[default]
        Auto,
        /// All are palette images whose indices are Cityscapes label ids, whatever their palettes say.
        PaletteIds,
        /// The values of all are Cityscapes label ids.
        LabelIds,
        /// The values of all are Cityscapes train ids.
        TrainIds,
        /// The colours of all are Cityscapes class colours, whatever palette indices say.
        Colour,
        /// The first channels of all are SYNTHIA's classes.
        SynthiaIds,
        /// The first channels of all are CARLA's tags from 0.9.14 on, or they have its colours.
        CarlaTags,
        /// The same of CARLA up to 0.9.13.
        #[serde(rename = "carla-0.9.13-tags")]
        OldCarlaTags,
    }
}

impl LabelSetting {
    /// Returns the name that settings files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.kind().map_or("auto", LabelKind::as_str)
    }

    /// Returns what the files are; none if each file tells.
    #[must_use]
    pub fn kind(self) -> Option<LabelKind> {
        match self {
            Self::Auto => None,
            Self::PaletteIds => Some(LabelKind::PaletteIds),
            Self::LabelIds => Some(LabelKind::LabelIds),
            Self::TrainIds => Some(LabelKind::TrainIds),
            Self::Colour => Some(LabelKind::Colour),
            Self::SynthiaIds => Some(LabelKind::SynthiaIds),
            Self::CarlaTags => Some(LabelKind::CarlaTags),
            Self::OldCarlaTags => Some(LabelKind::OldCarlaTags),
        }
    }
}

impl fmt::Display for LabelSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no [`LabelSetting`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown kind of labels {:?}: expected {}", .0, one_of(&LabelSetting::ALL))]
pub struct UnknownLabels(String);

impl FromStr for LabelSetting {
    type Err = UnknownLabels;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|setting| setting.as_str() == name)
            .ok_or_else(|| UnknownLabels(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_labels_has_one_name_everywhere() {
        for setting in LabelSetting::ALL {
            assert_eq!(setting.to_string().parse(), Ok(setting));
            let quoted = serde_json::to_string(&setting).unwrap();
            assert_eq!(quoted, format!("{:?}", setting.to_string()));
            if let Some(kind) = setting.kind() {
                assert_eq!(serde_json::to_string(&kind).unwrap(), quoted);
            }
        }
        let error = "colours".parse::<LabelSetting>().unwrap_err();
        assert!(error.to_string().contains("\"colours\": expected auto"));
    }
}
