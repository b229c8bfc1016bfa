//! The photographs in a folder of any dataset, or of several.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::dataset::selection::Selection;
use crate::source::Tree;

use super::extensions::IMAGE_EXTENSIONS;
use super::extensions::UNREAD_EXTENSIONS;
use super::left_out::{LeftOut, LeftOutReason};
use super::naming::has_extension;
use super::picture_kind::PictureKind;

/// The photographs among some files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPhotographs {
    /// Where they lie, in the order of the files.
    pub paths: Vec<PathBuf>,
    /// The pictures that are none, or not read.
    pub left_out: Vec<LeftOut>,
}

/// Returns the photographs among files whose paths are below some root, at any depth, as far as they are selected.
///
/// Pictures of another condition beside a dataset's own (ACDC's `_rgb_ref_anon`) and those of a second camera are left
/// out, unless there are no others: then they are what is meant.
#[must_use]
pub fn photographs(tree: &Tree, selection: &Selection) -> FoundPhotographs {
    let Tree { files, unread } = tree;
    let Selection {
        fields,
        include,
        exclude,
        ..
    } = selection;
    let mut left_out = Vec::new();
    let mut pictures: Vec<(PictureKind, &Path)> = Vec::new();
    let (mut matched, mut matched_not) = (BTreeSet::new(), BTreeSet::new());
    matched_not.extend(
        unread
            .iter()
            .flat_map(|folder| exclude.taking_folder(folder)),
    );
    for file in files {
        let path = file.path.as_path();
        let included = include.matching(None, path);
        let excluded = exclude.matching(None, path);
        let selected = excluded.is_empty() && (include.is_empty() || !included.is_empty());
        matched.extend(included);
        matched_not.extend(excluded);
        if !selected {
            continue;
        }
        if has_extension(path, &IMAGE_EXTENSIONS) {
            pictures.push((PictureKind::of(path), path));
        } else if has_extension(path, &UNREAD_EXTENSIONS) {
            LeftOut::note(&mut left_out, LeftOutReason::Format, path);
        }
    }
    let meant = [
        PictureKind::Photograph,
        PictureKind::Reference,
        PictureKind::RightCamera,
    ];
    let there = |kind: &PictureKind| pictures.iter().any(|(found, _)| found == kind);
    let meant = meant.into_iter().find(there);
    let mut paths = Vec::new();
    for (kind, path) in pictures {
        if Some(kind) == meant {
            paths.push(path.to_owned());
        } else {
            LeftOut::note(&mut left_out, LeftOutReason::Kind(kind), path);
        }
    }
    LeftOut::note_unmatched(&mut left_out, fields.include, include, &matched);
    LeftOut::note_unmatched(&mut left_out, fields.exclude, exclude, &matched_not);
    FoundPhotographs { paths, left_out }
}

#[cfg(test)]
mod tests {
    use crate::dataset::selection::SelectionFields;
    use crate::source::SourceFile;

    use super::*;

    /// Returns the paths of the photographs, and what is left out.
    fn found(files: &[&str], include: &[&str], exclude: &[&str]) -> (Vec<String>, Vec<String>) {
        let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|&t| t.into()).collect() };
        let files: Vec<SourceFile> = files
            .iter()
            .map(|path| SourceFile {
                path: path.into(),
                size_bytes: 1,
            })
            .collect();
        let (include, exclude) = (texts(include), texts(exclude));
        let selection = Selection::of_globs(SelectionFields::OPTIONS, &include, &exclude).unwrap();
        let tree = Tree {
            files,
            unread: Vec::new(),
        };
        let found = photographs(&tree, &selection);
        let paths = found.paths.iter().map(|path| path.display().to_string());
        let left_out = found.left_out.iter().map(LeftOut::to_string);
        (paths.collect(), left_out.collect())
    }

    /// A night of ACDC as it is downloaded, given as `rgb_anon/night`'s and `gt/night`'s parent.
    const ACDC: [&str; 9] = [
        "gt/night/train/GP01/GP01_frame_1_gt_invGray.png",
        "gt/night/train/GP01/GP01_frame_1_gt_invIds.png",
        "gt/night/train/GP01/GP01_frame_1_gt_labelColor.png",
        "gt/night/train/GP01/GP01_frame_1_gt_labelIds.png",
        "rgb_anon/fog/val/GP02/GP02_frame_1_rgb_anon.png",
        "rgb_anon/night/train/GP01/GP01_frame_1_rgb_anon.png",
        "rgb_anon/night/train_ref/GP01/GP01_frame_1_rgb_ref_anon.png",
        "rgb_anon/night/val/GP01/GP01_frame_2_rgb_anon.png",
        "rgb_anon/night/val_ref/GP01/GP01_frame_2_rgb_ref_anon.png",
    ];

    #[test]
    fn the_night_of_acdc_is_neither_its_clear_days_nor_its_labels() {
        let (paths, left_out) = found(&ACDC, &["rgb_anon/night/**", "gt/**"], &[]);
        assert_eq!(paths, [ACDC[5], ACDC[7]]);
        assert_eq!(
            left_out,
            [
                format!("label pictures are left out: 4 (first: {})", ACDC[0]),
                format!(
                    "reference pictures of another condition are left out: 2 (first: {})",
                    ACDC[6]
                ),
            ]
        );
        let (paths, left_out) = found(&ACDC, &[], &["**/val/**", "rain/**"]);
        assert_eq!(paths, [ACDC[5]]);
        let unmatched = "1 pattern of --exclude matches nothing: rain/**".to_owned();
        assert!(left_out.contains(&unmatched), "{left_out:?}");
    }

    #[test]
    fn pictures_of_another_condition_are_meant_where_there_are_no_others() {
        let days = [
            "GP01/GP01_frame_1_rgb_ref_anon.png",
            "GP01/GP01_frame_1_gt_invIds.png",
        ];
        let (paths, left_out) = found(&days, &[], &[]);
        assert_eq!(paths, [days[0]]);
        assert_eq!(left_out.len(), 1);
    }

    #[test]
    fn synthia_has_photographs_in_one_folder_of_four() {
        let files = [
            "Depth/Depth/0000000.png",
            "GT/COLOR/0000000.png",
            "GT/LABELS/0000000.png",
            "RGB/0000000.png",
            "RGB/0000001.jxl",
        ];
        let (paths, left_out) = found(&files, &[], &[]);
        assert_eq!(paths, ["RGB/0000000.png"]);
        assert_eq!(left_out.len(), 3, "{left_out:?}");
        assert!(
            left_out[0].contains("format that is not read"),
            "{left_out:?}"
        );
    }
}
