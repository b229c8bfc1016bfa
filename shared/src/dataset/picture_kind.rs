//! Kinds of pictures in published datasets (photograph, label, depth, ...), told by file name and folder.
//!
//! All code that looks for photographs asks here. Names are compared without regard to case.
//!
//! **Source:** the downloads of GTA5, Cityscapes, Foggy and Rain Cityscapes, ACDC, Dark Zurich, SYNTHIA, KITTI, Virtual
//! KITTI, BDD100K, Synscapes, Mapillary Vistas, IDD, WildDash, nuScenes, A2D2, ApolloScape, CamVid and ADE20K, and folders
//! that many record CARLA to.

use std::fmt;
use std::path::{Component, Path};

crate::enumerated! {
    /// What a picture is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum PictureKind {
        /// A photograph, or a rendered frame.
        Photograph,
        /// The same place at another time, in clear weather by day: ACDC's and Dark Zurich's `_rgb_ref_anon`.
        Reference,
        /// The same moment from the right of two cameras.
        RightCamera,
        /// Classes, instances, boxes or masks.
        Label,
        /// Distances, disparities, optical flow, normals or transmittance.
        Measurement,
        /// Made by this program of many pictures.
        ContactSheet,
    }
}

impl PictureKind {
    /// Returns what a picture of a dataset is; `path` is below the dataset's root.
    ///
    /// The name goes before the folders, and of these the innermost before the others: a label is one in whatever folder
    /// it lies, and `seg/images/a.jpg` is a photograph. What no dataset is known for is a photograph.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let stem = stem.to_ascii_lowercase();
        if let Some(kind) = by_name(&stem) {
            return kind;
        }
        let folders = path.parent().into_iter().flat_map(Path::components).rev();
        let mut folders = folders.filter_map(|folder| match folder {
            Component::Normal(name) => Some(name.to_string_lossy().to_ascii_lowercase()),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => None,
        });
        folders
            .find_map(|folder| by_folder(&folder))
            .unwrap_or(Self::Photograph)
    }

    /// Returns whether a camera made it, so that it may be what is meant where there is nothing else.
    #[must_use]
    pub fn is_photographic(self) -> bool {
        match self {
            Self::Photograph | Self::Reference | Self::RightCamera => true,
            Self::Label | Self::Measurement | Self::ContactSheet => false,
        }
    }
}

/// The plural, for counts.
impl fmt::Display for PictureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Photograph => "photographs",
            Self::Reference => "reference pictures of another condition",
            Self::RightCamera => "pictures of the right camera",
            Self::Label => "label pictures",
            Self::Measurement => "pictures of distances, disparities or motion",
            Self::ContactSheet => "contact sheets",
        })
    }
}

/// What names end in, in lower case.
const ENDINGS: [(&str, PictureKind); 31] = [
    ("_rgb_ref_anon", PictureKind::Reference),
    ("_rgb_ref", PictureKind::Reference),
    ("_rightimg8bit", PictureKind::RightCamera),
    ("_rightimg16bit", PictureKind::RightCamera),
    ("_labelids", PictureKind::Label),
    ("_labeltrainids", PictureKind::Label),
    ("_labelcolor", PictureKind::Label),
    ("_labelcolors", PictureKind::Label),
    ("_labellevel1ids", PictureKind::Label),
    ("_labellevel3ids", PictureKind::Label),
    ("_labelcsids", PictureKind::Label),
    ("_instanceids", PictureKind::Label),
    ("_instancetrainids", PictureKind::Label),
    ("_instanceids_color", PictureKind::Label),
    ("_panoptic", PictureKind::Label),
    ("_panopticids", PictureKind::Label),
    ("_panoptictrainids", PictureKind::Label),
    ("_invids", PictureKind::Label),
    ("_invgray", PictureKind::Label),
    ("_invcolor", PictureKind::Label),
    ("_invgrey", PictureKind::Label),
    ("_train_id", PictureKind::Label),
    ("_train_color", PictureKind::Label),
    ("_drivable_id", PictureKind::Label),
    ("_drivable_color", PictureKind::Label),
    ("_segmentation", PictureKind::Label),
    ("_semantic", PictureKind::Label),
    ("_color_mask", PictureKind::Label),
    ("_seg", PictureKind::Label),
    ("_disparity", PictureKind::Measurement),
    ("_depth", PictureKind::Measurement),
];

/// What names hold, in lower case: what follows differs.
const PARTS: [(&str, PictureKind); 8] = [
    ("_gtfine_", PictureKind::Label),
    ("_gtcoarse_", PictureKind::Label),
    ("_gtbbox", PictureKind::Label),
    ("_gt_", PictureKind::Label),
    ("_leftimg8bit_transmittance", PictureKind::Measurement),
    ("_depth_rgb", PictureKind::Measurement),
    ("_depth_stereoscopic", PictureKind::Measurement),
    ("_rightimg8bit_", PictureKind::RightCamera),
];

/// What beginnings of names are, in lower case.
const BEGINNINGS: [(&str, PictureKind); 3] = [
    ("classgt_", PictureKind::Label),
    ("instancegt_", PictureKind::Label),
    ("depth_", PictureKind::Measurement),
];

/// What lies in folders of these names, in lower case.
const FOLDERS: [(&str, PictureKind); 79] = [
    ("images", PictureKind::Photograph),
    ("image", PictureKind::Photograph),
    ("rgb", PictureKind::Photograph),
    ("rgb_anon", PictureKind::Photograph),
    ("rgb-2k", PictureKind::Photograph),
    ("camerargb", PictureKind::Photograph),
    ("leftimg8bit", PictureKind::Photograph),
    ("leftimg8bit_foggy", PictureKind::Photograph),
    ("leftimg8bit_foggydbf", PictureKind::Photograph),
    ("leftimg8bit_rain", PictureKind::Photograph),
    ("leftimg8bit_sequence", PictureKind::Photograph),
    ("image_0", PictureKind::Photograph),
    ("image_2", PictureKind::Photograph),
    ("image_00", PictureKind::Photograph),
    ("image_02", PictureKind::Photograph),
    ("colorimage", PictureKind::Photograph),
    ("rightimg8bit", PictureKind::RightCamera),
    ("rightimg8bit_sequence", PictureKind::RightCamera),
    ("image_1", PictureKind::RightCamera),
    ("image_3", PictureKind::RightCamera),
    ("image_01", PictureKind::RightCamera),
    ("image_03", PictureKind::RightCamera),
    ("labels", PictureKind::Label),
    ("label", PictureKind::Label),
    ("gt", PictureKind::Label),
    ("gtfine", PictureKind::Label),
    ("gtcoarse", PictureKind::Label),
    ("gtbbox", PictureKind::Label),
    ("gtbboxcitypersons", PictureKind::Label),
    ("gtfinepanopticparts", PictureKind::Label),
    ("semantic", PictureKind::Label),
    ("semantic_rgb", PictureKind::Label),
    ("cameraseg", PictureKind::Label),
    ("camerasemseg", PictureKind::Label),
    ("class", PictureKind::Label),
    ("instance", PictureKind::Label),
    ("instances", PictureKind::Label),
    ("panoptic", PictureKind::Label),
    ("color_labels", PictureKind::Label),
    ("colour_labels", PictureKind::Label),
    ("color_masks", PictureKind::Label),
    ("colormaps", PictureKind::Label),
    ("bitmasks", PictureKind::Label),
    ("mask", PictureKind::Label),
    ("masks", PictureKind::Label),
    ("annotation", PictureKind::Label),
    ("annotations", PictureKind::Label),
    ("segmentationclass", PictureKind::Label),
    ("segmentationobject", PictureKind::Label),
    ("classsegmentation", PictureKind::Label),
    ("instancesegmentation", PictureKind::Label),
    ("semantic_segmentation", PictureKind::Label),
    ("labels_with_ids", PictureKind::Label),
    ("labeledapproved_full", PictureKind::Label),
    ("label_images", PictureKind::Label),
    ("label_images_semantic", PictureKind::Label),
    ("drivable_maps", PictureKind::Label),
    ("lane_maps", PictureKind::Label),
    ("stuffthingmaps", PictureKind::Label),
    ("obj_map", PictureKind::Label),
    ("maps", PictureKind::Label),
    ("gt_image_2", PictureKind::Label),
    ("color", PictureKind::Label),
    ("depth", PictureKind::Measurement),
    ("depths", PictureKind::Measurement),
    ("disparity", PictureKind::Measurement),
    ("disp_occ", PictureKind::Measurement),
    ("disp_noc", PictureKind::Measurement),
    ("disp_occ_0", PictureKind::Measurement),
    ("disp_occ_1", PictureKind::Measurement),
    ("disp_noc_0", PictureKind::Measurement),
    ("disp_noc_1", PictureKind::Measurement),
    ("flow_occ", PictureKind::Measurement),
    ("flow_noc", PictureKind::Measurement),
    ("viz_flow_occ", PictureKind::Measurement),
    ("proj_depth", PictureKind::Measurement),
    ("forwardflow", PictureKind::Measurement),
    ("leftimg8bit_transmittance", PictureKind::Measurement),
    ("normals", PictureKind::Measurement),
];

fn by_name(stem: &str) -> Option<PictureKind> {
    let ending = ENDINGS.iter().find(|(ending, _)| stem.ends_with(ending));
    let part = || PARTS.iter().find(|(part, _)| stem.contains(part));
    let beginning = || {
        BEGINNINGS
            .iter()
            .find(|(beginning, _)| stem.starts_with(beginning))
    };
    if stem == "contact-sheet" {
        return Some(PictureKind::ContactSheet);
    }
    let found = ending.or_else(part).or_else(beginning);
    found.map(|(_, kind)| *kind)
}

fn by_folder(name: &str) -> Option<PictureKind> {
    let found = FOLDERS.iter().find(|(folder, _)| name == *folder);
    found.map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_published_datasets_are_told_apart_by_name_and_folder() {
        for (kind, paths) in [
            (
                PictureKind::Photograph,
                &[
                    "a.png",
                    "x/b.JPG",
                    "leftImg8bit/aachen_000001_leftImg8bit.png",
                    "leftImg8bit_foggy/train/aachen_1_leftImg8bit_foggy_beta_0.02.png",
                    "night/train/GP01/GP01_frame_000001_rgb_anon.png",
                    "RGB/0000000.png",
                    "img/rgb/1.png",
                    "img/rgb-2k/1.png",
                    "CameraRGB/02_00_000.png",
                    "training/image_2/000000_10.png",
                    "bdd100k/seg/images/train/a.jpg",
                    "samples/CAM_FRONT/n015.jpg",
                    "labelled photographs/a.jpg",
                ][..],
            ),
            (
                PictureKind::Reference,
                &[
                    "night/train_ref/GP01/GP01_frame_000001_rgb_ref_anon.png",
                    "a_RGB_REF_ANON.jpg",
                ],
            ),
            (
                PictureKind::RightCamera,
                &[
                    "aachen_000001_rightImg8bit.png",
                    "rightImg8bit/x.png",
                    "training/image_3/000000_10.png",
                ],
            ),
            (
                PictureKind::Label,
                &[
                    "labels/00001.png",
                    "style/labels/night/a.png",
                    "aachen_000001_gtFine_color.png",
                    "images/aachen_000001_gtFine_labelIds.png",
                    "aachen_000001_gtFine_instanceTrainIds.png",
                    "aachen_000001_gtCoarse_labelIds.png",
                    "aachen_gtBboxCityPersons.png",
                    "GP01_frame_000001_gt_labelColor.png",
                    "GP01_frame_000001_gt_invIds.png",
                    "GP01_frame_000001_gt_invGray.png",
                    "gt/night/a.png",
                    "GT/LABELS/0000000.png",
                    "GT/COLOR/0000000.png",
                    "img/class/1.png",
                    "CameraSeg/02_00_000.png",
                    "training/semantic/000000_10.png",
                    "training/semantic_rgb/000000_10.png",
                    "bdd100k/seg/labels/train/a_train_id.png",
                    "bdd100k/labels/sem_seg/masks/train/a.png",
                    "bdd100k/seg/color_labels/train/a_train_color.png",
                    "training/v2.0/labels/a.png",
                    "training/v2.0/panoptic/a.png",
                    "Scene01/clone/frames/classSegmentation/Camera_0/classgt_00001.png",
                ],
            ),
            (
                PictureKind::Measurement,
                &[
                    "disparity/train/aachen/aachen_1_disparity.png",
                    "Depth/Depth/0000000.png",
                    "aachen_1_leftImg8bit_transmittance_beta_0.01.png",
                ],
            ),
            (PictureKind::ContactSheet, &["runs/demo/contact-sheet.png"]),
        ] {
            for path in paths {
                assert_eq!(PictureKind::of(Path::new(path)), kind, "{path}");
            }
        }
    }
}
