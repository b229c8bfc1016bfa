//! How the published layouts name images and labels.
//!
//! **Source:** the download pages of GTA5 (Richter et al. 2016), Cityscapes, Foggy Cityscapes and ACDC, the README of
//! SYNTHIA-RAND-CITYSCAPES (Ros et al. 2016), the page of Synscapes' features (Wrenninge and Unger 2018), and BDD100K's
//! documentation (Yu et al. 2020).
//! **Differs:** CARLA leaves folders to those who record; those here are what many call them.

use std::fmt;
use std::path::Path;

use crate::dataset::class_table::TableOf;
use crate::dataset::entry::LabelKind;
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;

use super::list::Role;
use super::picture_kind::PictureKind;

/// Returns whether a file has one of these endings, in letters of either case.
pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| {
        let mut extensions = extensions.iter();
        extensions.any(|extension| found.eq_ignore_ascii_case(extension))
    })
}

/// The ending of labels, without its dot.
pub(super) const LABEL_EXTENSION: &str = "png";

/// The names of one layout, as far as one role reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming {
    /// The folders that may hold images.
    pub(super) image_folders: &'static [&'static str],
    /// Folders of the same images in made weather: read if there are none in the others.
    pub(super) weather_folders: &'static [&'static str],
    /// The folders that may hold labels.
    pub(super) label_folders: &'static [&'static str],
    /// What follows the name in the stem of an image.
    pub(super) image_suffix: &'static str,
    /// What may follow the suffix, with anything behind it: the image shares the label of the one without.
    pub(super) variants: &'static [&'static str],
    /// What follows the name in the stem of a label, in the order of preference.
    pub(super) labels: &'static [(&'static str, LabelKind)],
    /// How else the label of an image may be named that has none of these, if one file alone is.
    pub(super) labels_otherwise: Option<&'static Naming>,
    /// Folders of the same dataset whose images have no labels.
    pub(super) unlabelled_folders: &'static [&'static str],
}

/// Which label of an image is taken, where it has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedLabels {
    /// What the settings say that labels are.
    pub setting: LabelSetting,
    /// What a table of the settings maps to classes.
    pub table: Option<TableOf>,
}

impl WantedLabels {
    /// Whatever there is.
    pub(super) const ANY: Self = Self {
        setting: LabelSetting::Auto,
        table: None,
    };

    /// Returns whether a label that is named for a kind is taken.
    fn takes(self, kind: LabelKind) -> bool {
        let stated = self.setting.kind();
        stated.is_none_or(|stated| stated == kind) && self.table.is_none_or(|of| of == kind.shows())
    }
}

/// What a label has to be named for.
impl fmt::Display for WantedLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.setting.kind(), self.table) {
            (None, Some(of)) => write!(f, "{of}"),
            (Some(_), _) | (None, None) => write!(f, "{}", self.setting),
        }
    }
}

/// An image's name, and the name under which its label is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImageName {
    pub(super) name: String,
    pub(super) of_label: String,
}

const GTA5: Naming = Naming {
    image_folders: &["images"],
    weather_folders: &[],
    label_folders: &["labels"],
    image_suffix: "",
    variants: &[],
    labels: &[("", LabelKind::PaletteIds)],
    labels_otherwise: None,
    unlabelled_folders: &[],
};

const CITYSCAPES_CONTENT: Naming = Naming {
    image_folders: &["images", "leftImg8bit"],
    weather_folders: &[
        "leftImg8bit_foggy",
        "leftImg8bit_foggyDBF",
        "leftImg8bit_rain",
    ],
    label_folders: &["labels", "gtFine"],
    image_suffix: "_leftImg8bit",
    variants: &["_foggy_", "_rain_"],
    labels: &[
        ("_gtFine_labelIds", LabelKind::LabelIds),
        ("_gtFine_labelTrainIds", LabelKind::TrainIds),
        ("_gtFine_color", LabelKind::Colour),
    ],
    labels_otherwise: None,
    unlabelled_folders: &[],
};

const CITYSCAPES_STYLE: Naming = Naming {
    labels: &[
        ("_gtFine_color", LabelKind::Colour),
        ("_gtFine_labelIds", LabelKind::LabelIds),
        ("_gtFine_labelTrainIds", LabelKind::TrainIds),
    ],
    ..CITYSCAPES_CONTENT
};

const ACDC_CONTENT: Naming = Naming {
    image_folders: &["images", "rgb_anon"],
    weather_folders: &[],
    label_folders: &["labels", "gt"],
    image_suffix: "_rgb_anon",
    variants: &[],
    labels: &[
        ("_gt_labelIds", LabelKind::LabelIds),
        ("_gt_labelTrainIds", LabelKind::TrainIds),
        ("_gt_labelColor", LabelKind::Colour),
    ],
    labels_otherwise: None,
    unlabelled_folders: &[],
};

const ACDC_STYLE: Naming = Naming {
    labels: &[
        ("_gt_labelColor", LabelKind::Colour),
        ("_gt_labelIds", LabelKind::LabelIds),
        ("_gt_labelTrainIds", LabelKind::TrainIds),
    ],
    ..ACDC_CONTENT
};

const SYNTHIA: Naming = Naming {
    image_folders: &["RGB"],
    label_folders: &["GT/LABELS"],
    labels: &[("", LabelKind::SynthiaIds)],
    ..GTA5
};

const CARLA: Naming = Naming {
    image_folders: &["images", "rgb", "CameraRGB"],
    label_folders: &["labels", "semantic", "CameraSeg", "CameraSemSeg"],
    labels: &[("", LabelKind::CarlaTags)],
    ..GTA5
};

const OLD_CARLA: Naming = Naming {
    labels: &[("", LabelKind::OldCarlaTags)],
    ..CARLA
};

/// Beside `rgb` lies `rgb-2k`, to whose size no labels are.
const SYNSCAPES: Naming = Naming {
    image_folders: &["img/rgb"],
    label_folders: &["img/class"],
    labels: &[("", LabelKind::LabelIds)],
    ..GTA5
};

/// Beside `images/10k` lies `images/100k`, of which nothing has classes and some have the same names. A folder of one's own
/// photographs may be called `10k` as well.
const BDD100K_STYLE: Naming = Naming {
    image_folders: &["images/10k", "seg/images"],
    label_folders: &["labels/sem_seg/masks", "seg/labels"],
    labels: &[
        ("", LabelKind::TrainIds),
        ("_train_id", LabelKind::TrainIds),
    ],
    labels_otherwise: Some(&PLAIN_STYLE),
    unlabelled_folders: &["images/100k"],
    ..GTA5
};

/// Also with `seg` as its root.
const BDD100K_CONTENT: Naming = Naming {
    image_folders: &[
        "images/10k",
        "seg/images",
        "images/train",
        "images/val",
        "images/test",
    ],
    label_folders: &[
        "labels/sem_seg/masks",
        "seg/labels",
        "labels/train",
        "labels/val",
    ],
    labels_otherwise: None,
    ..BDD100K_STYLE
};

/// Photographs of one's own: whatever has none of the other layouts' names.
const PLAIN_STYLE: Naming = GTA5;

impl Naming {
    /// Returns the namings under which `role` looks for images; an image has the first that fits it.
    ///
    /// Styles prefer colours, which the released code reads; contents prefer ids, which lose nothing.
    pub(super) fn of(role: Role) -> &'static [Naming] {
        match role {
            Role::Content(Layout::Gta5) => &[GTA5],
            Role::Content(Layout::Cityscapes) => &[CITYSCAPES_CONTENT],
            Role::Content(Layout::Acdc) => &[ACDC_CONTENT],
            Role::Content(Layout::Synthia) => &[SYNTHIA],
            Role::Content(Layout::Carla) => &[CARLA],
            Role::Content(Layout::OldCarla) => &[OLD_CARLA],
            Role::Content(Layout::Synscapes) => &[SYNSCAPES],
            Role::Content(Layout::Bdd100k) => &[BDD100K_CONTENT],
            Role::Style => &[CITYSCAPES_STYLE, ACDC_STYLE, BDD100K_STYLE, PLAIN_STYLE],
        }
    }

    /// Returns what an image of this stem is called, if it is one of this layout.
    pub(super) fn name_of(&self, stem: &str, path: &Path) -> Option<ImageName> {
        if self.image_suffix.is_empty() {
            let name = stem.to_owned();
            let kind = PictureKind::of(Path::new(path.file_name()?));
            return (kind == PictureKind::Photograph).then(|| ImageName {
                of_label: name.clone(),
                name,
            });
        }
        let at = stem.rfind(self.image_suffix)?;
        let (of_label, rest) = (&stem[..at], &stem[at + self.image_suffix.len()..]);
        let is_variant = self
            .variants
            .iter()
            .any(|variant| rest.starts_with(variant));
        (!of_label.is_empty() && (rest.is_empty() || is_variant)).then(|| ImageName {
            name: format!("{of_label}{rest}"),
            of_label: of_label.to_owned(),
        })
    }

    /// Returns what follows the name in the stem of a label and what that promises, in the order of preference: of those
    /// that are named for a kind only what is wanted.
    pub(super) fn labels_under(
        &self,
        wanted: WantedLabels,
    ) -> impl Iterator<Item = (&'static str, LabelKind)> + use<> {
        let labels = self.labels.iter().copied();
        labels.filter(move |(suffix, kind)| suffix.is_empty() || wanted.takes(*kind))
    }

    /// Returns the name of the image that a label of this stem belongs to.
    pub(super) fn image_of_label<'a>(&self, stem: &'a str) -> Option<&'a str> {
        let mut suffixes = self.labels.iter().map(|(suffix, _)| *suffix);
        suffixes.find_map(|suffix| match suffix {
            // The label is named as its image, unless it is a sibling of such a label: `00001_labelTrainIds`.
            "" => (PictureKind::of(Path::new(stem)) == PictureKind::Photograph).then_some(stem),
            suffix => stem.strip_suffix(suffix),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_in_made_weather_has_a_name_of_its_own_and_the_label_of_the_clear_one() {
        let name = |naming: Naming, stem: &str| naming.name_of(stem, Path::new(stem));
        let foggy = name(CITYSCAPES_CONTENT, "aachen_1_leftImg8bit_foggy_beta_0.02").unwrap();
        assert_eq!(foggy.name, "aachen_1_foggy_beta_0.02");
        assert_eq!(foggy.of_label, "aachen_1");
        for other in [
            "_leftImg8bit",
            "aachen_1_leftImg8bit_blurred",
            "aachen_1_rgb_anon",
        ] {
            assert_eq!(name(CITYSCAPES_CONTENT, other), None, "{other}");
        }
        assert_eq!(name(PLAIN_STYLE, "a_gtFine_color"), None);
    }

    #[test]
    fn a_table_of_colours_takes_labels_of_colours_and_one_of_ids_no_such() {
        let first = |setting, table| {
            let wanted = WantedLabels { setting, table };
            CITYSCAPES_CONTENT
                .labels_under(wanted)
                .next()
                .map(|(_, kind)| kind)
        };
        let (auto, train_ids) = (LabelSetting::Auto, LabelSetting::TrainIds);
        let (ids, colours) = (Some(TableOf::Ids), Some(TableOf::Colours));
        assert_eq!(first(auto, ids), Some(LabelKind::LabelIds));
        assert_eq!(first(auto, colours), Some(LabelKind::Colour));
        assert_eq!(first(train_ids, ids), Some(LabelKind::TrainIds));
        assert_eq!(first(train_ids, colours), None);
    }
}
