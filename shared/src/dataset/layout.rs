//! How a labelled driving dataset names its files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::wording::one_of;

crate::enumerated! {
    /// The published layout that a dataset follows.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Layout {
        /// `images/00001.png` with `labels/00001.png`, a palette image of label ids.
        Gta5,
        /// `*_leftImg8bit.png` with `*_gtFine_labelIds.png` and its siblings.
        Cityscapes,
        /// `*_rgb_anon.png` with `*_gt_labelIds.png` and its siblings.
        Acdc,
        /// `RGB/0000000.png` with `GT/LABELS/0000000.png`, whose first channel is a class of SYNTHIA's own.
        Synthia,
        /// Frames of CARLA with those of its semantic camera, tagged as from 0.9.14 on.
        Carla,
        /// The same, tagged as up to 0.9.13.
        #[serde(rename = "carla-0.9.13")]
        OldCarla,
        /// `img/rgb/1.png` with `img/class/1.png`, label ids.
        Synscapes,
        /// `images/10k/train/*.jpg` with `labels/sem_seg/masks/train/*.png`, train ids, and the older `seg/`.
        Bdd100k,
    }
}

impl Layout {
    /// Returns whether its images lie in folders `train`, `val` and `test`.
    pub fn has_splits(self) -> bool {
        match self {
            Layout::Gta5
            | Layout::Synthia
            | Layout::Carla
            | Layout::OldCarla
            | Layout::Synscapes => false,
            Layout::Cityscapes | Layout::Acdc | Layout::Bdd100k => true,
        }
    }

    /// Returns whether its images lie in folders `fog`, `night`, `rain` and `snow`.
    pub fn has_conditions(self) -> bool {
        match self {
            Layout::Gta5
            | Layout::Cityscapes
            | Layout::Synthia
            | Layout::Carla
            | Layout::OldCarla
            | Layout::Synscapes
            | Layout::Bdd100k => false,
            Layout::Acdc => true,
        }
    }

    /// Returns the name that settings files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Layout::Gta5 => "gta5",
            Layout::Cityscapes => "cityscapes",
            Layout::Acdc => "acdc",
            Layout::Synthia => "synthia",
            Layout::Carla => "carla",
            Layout::OldCarla => "carla-0.9.13",
            Layout::Synscapes => "synscapes",
            Layout::Bdd100k => "bdd100k",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no [`Layout`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown dataset layout {:?}: expected {}", .0, one_of(&Layout::ALL))]
pub struct UnknownLayout(String);

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|layout| layout.as_str() == name)
            .ok_or_else(|| UnknownLayout(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_has_one_name_everywhere() {
        for layout in Layout::ALL {
            assert_eq!(layout.to_string().parse(), Ok(layout));
            let quoted = serde_json::to_string(&layout).unwrap();
            assert_eq!(quoted, format!("{:?}", layout.to_string()));
        }
    }

    #[test]
    fn an_unknown_layout_is_refused_with_the_known_ones() {
        let error = "kitti".parse::<Layout>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown dataset layout \"kitti\": expected gta5, cityscapes, acdc, synthia, carla, carla-0.9.13, synscapes or \
             bdd100k"
        );
    }
}
