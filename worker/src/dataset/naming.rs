//! How the published layouts name images and labels.
//!
//! **Source:** the download pages of GTA5 (Richter et al. 2016), Cityscapes and ACDC.

use std::io::Cursor;
use std::path::Path;

use shared::layout::Layout;
use shared::listing::LabelKind;

use super::list::Role;

/// Returns what a label file outside any dataset promises to be, by its name and by how its PNG stores pixels.
///
/// A name that ends in `TrainIds` or `labelIds` says it; else RGB is class colours, and what is left label ids. What is no
/// PNG is refused when it is decoded.
#[must_use]
pub fn label_kind_of_file(path: &Path, bytes: &[u8]) -> LabelKind {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if stem.ends_with("TrainIds") {
        return LabelKind::TrainIds;
    }
    if stem.ends_with("labelIds") {
        return LabelKind::LabelIds;
    }
    let header = png::Decoder::new(Cursor::new(bytes))
        .read_info()
        .map(|reader| reader.info().color_type);
    match header {
        Ok(png::ColorType::Rgb | png::ColorType::Rgba) => LabelKind::Colour,
        Ok(
            png::ColorType::Grayscale | png::ColorType::GrayscaleAlpha | png::ColorType::Indexed,
        )
        | Err(_) => LabelKind::PaletteIds,
    }
}

/// Returns whether a file is an image by its ending, and no label map by its name or folder in any of the layouts.
#[must_use]
pub fn is_photograph(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let is_image = IMAGE_EXTENSIONS.iter().any(|known| extension == *known);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_label = |naming: &Naming| {
        let suffixes = naming
            .labels
            .iter()
            .filter(|(suffix, _)| !suffix.is_empty());
        let mut suffixes = suffixes.map(|(suffix, _)| *suffix);
        let folders = path.parent().into_iter().flat_map(Path::components);
        let mut folders = folders.map(|folder| folder.as_os_str().to_string_lossy());
        suffixes.any(|suffix| stem.ends_with(suffix))
            || folders.any(|folder| naming.label_folders.contains(&&*folder))
    };
    is_image
        && ![GTA5, CITYSCAPES_CONTENT, ACDC_CONTENT]
            .iter()
            .any(is_label)
}

pub(super) use super::formats::IMAGE_EXTENSIONS;

/// The ending of labels, without its dot.
pub(super) const LABEL_EXTENSION: &str = "png";

/// The names of one layout, as far as one role reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming {
    /// The folders that may hold images.
    pub(super) image_folders: &'static [&'static str],
    /// The folders that may hold labels.
    pub(super) label_folders: &'static [&'static str],
    /// What follows the name in the stem of an image.
    pub(super) image_suffix: &'static str,
    /// What follows the name in the stem of a label, in the order of preference.
    pub(super) labels: &'static [(&'static str, LabelKind)],
}

const GTA5: Naming = Naming {
    image_folders: &["images"],
    label_folders: &["labels"],
    image_suffix: "",
    labels: &[("", LabelKind::PaletteIds)],
};

const CITYSCAPES_CONTENT: Naming = Naming {
    image_folders: &["images", "leftImg8bit"],
    label_folders: &["labels", "gtFine"],
    image_suffix: "_leftImg8bit",
    labels: &[
        ("_gtFine_labelIds", LabelKind::LabelIds),
        ("_gtFine_labelTrainIds", LabelKind::TrainIds),
        ("_gtFine_color", LabelKind::Colour),
    ],
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
    label_folders: &["labels", "gt"],
    image_suffix: "_rgb_anon",
    labels: &[
        ("_gt_labelIds", LabelKind::LabelIds),
        ("_gt_labelTrainIds", LabelKind::TrainIds),
        ("_gt_labelColor", LabelKind::Colour),
    ],
};

const ACDC_STYLE: Naming = Naming {
    labels: &[
        ("_gt_labelColor", LabelKind::Colour),
        ("_gt_labelIds", LabelKind::LabelIds),
        ("_gt_labelTrainIds", LabelKind::TrainIds),
    ],
    ..ACDC_CONTENT
};

impl Naming {
    /// Returns the namings under which `role` looks for images.
    ///
    /// Styles prefer colours, which the released code reads; contents prefer ids, which lose nothing.
    pub(super) fn of(role: Role) -> &'static [Naming] {
        match role {
            Role::Content(Layout::Gta5) => &[GTA5],
            Role::Content(Layout::Cityscapes) => &[CITYSCAPES_CONTENT],
            Role::Content(Layout::Acdc) => &[ACDC_CONTENT],
            Role::Style => &[CITYSCAPES_STYLE, ACDC_STYLE],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_maps_are_no_photographs() {
        for photograph in [
            "a.png",
            "x/b.JPG",
            "leftImg8bit/aachen_000001_leftImg8bit.png",
        ] {
            assert!(is_photograph(Path::new(photograph)), "{photograph}");
        }
        for other in [
            "a.txt",
            "labels/00001.png",
            "style/labels/night/a.png",
            "aachen_000001_gtFine_color.png",
            "GP01_frame_000001_gt_labelColor.png",
            "gt/night/a.png",
        ] {
            assert!(!is_photograph(Path::new(other)), "{other}");
        }
    }
}
