use std::fs;
use std::path::Path;

use shared::dataset::labels::LabelSetting;
use shared::dataset::layout::Layout;
use shared::dataset::selection::{Selection, SelectionFields};
use shared::dataset::{FindError, FoundDataset, LabelKind, Labels, Request, Role, find};
use shared::source::LocalSource;
use tempfile::TempDir;

const GTA5: Role = Role::Content(Layout::Gta5);
const CITYSCAPES: Role = Role::Content(Layout::Cityscapes);
const ACDC: Role = Role::Content(Layout::Acdc);

/// Makes a dataset of empty files.
pub(crate) fn dataset(files: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    root
}

/// Asks for everything that has a label.
pub(crate) fn everything(role: Role) -> Request {
    Request {
        role,
        labels: Labels::Needed,
        labels_are: LabelSetting::Auto,
        classes: None,
        selection: Selection::everything(SelectionFields::CONTENT),
    }
}

/// Lists the dataset in a folder.
pub(crate) fn list_as(root: &Path, request: &Request) -> Result<FoundDataset, FindError> {
    let source = LocalSource::new(root);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(find(&source, &root.display().to_string(), request))
}

fn list(root: &Path, role: Role) -> Result<FoundDataset, FindError> {
    list_as(root, &everything(role))
}

/// Returns `name image label kind` of each listing.
fn listed(files: &[&str], role: Role) -> Vec<String> {
    let root = dataset(files);
    shown(list(root.path(), role).unwrap())
}

pub(crate) fn shown(listed: FoundDataset) -> Vec<String> {
    let lines = listed.entries.into_iter().map(|listing| {
        let image = listing.image.path.display();
        let label = listing.label.map_or_else(
            || "without a label".to_owned(),
            |label| format!("{} {:?}", label.file.path.display(), label.reading.kind),
        );
        format!("{} {image} {label}", listing.name)
    });
    lines.collect()
}

/// Returns what is wrong with a dataset, with its root written as `ROOT`.
fn refused(files: &[&str], role: Role) -> String {
    refused_as(files, &everything(role))
}

pub(crate) fn refused_as(files: &[&str], request: &Request) -> String {
    let root = dataset(files);
    let error = list_as(root.path(), request).unwrap_err().to_string();
    assert!(error.len() < 2000, "{} bytes: {error}", error.len());
    error.replace(&root.path().display().to_string(), "ROOT")
}

#[test]
fn gta5_pairs_images_and_labels_of_one_name() {
    let files = [
        "images/00002.png",
        "images/00001.png",
        "labels/00001.png",
        "labels/00002.png",
        "labels/00002_labelTrainIds.png",
    ];
    assert_eq!(
        listed(&files, GTA5),
        [
            "00001 images/00001.png labels/00001.png PaletteIds",
            "00002 images/00002.png labels/00002.png PaletteIds"
        ]
    );
}

#[test]
fn cityscapes_is_listed_as_downloaded_and_prefers_label_ids() {
    let files = [
        "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png",
        "leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png",
        "gtFine/train/aachen/aachen_000000_000019_gtFine_color.png",
        "gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png",
        "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",
        "gtFine/train/aachen/aachen_000000_000019_gtFine_polygons.json",
        "gtFine/val/ulm/ulm_000000_000019_gtFine_labelTrainIds.png",
    ];
    assert_eq!(
        listed(&files, CITYSCAPES),
        [
            "aachen_000000_000019 \
             leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png \
             gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png LabelIds",
            "ulm_000000_000019 leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png \
             gtFine/val/ulm/ulm_000000_000019_gtFine_labelTrainIds.png TrainIds"
        ]
    );
}

#[test]
fn acdc_is_listed_as_downloaded_without_its_reference_images() {
    let files = [
        "rgb_anon/night/train/GP010376/GP010376_frame_000129_rgb_anon.png",
        "rgb_anon/night/train_ref/GP010376/GP010376_frame_000129_rgb_ref_anon.png",
        "gt/night/train/GP010376/GP010376_frame_000129_gt_labelColor.png",
        "gt/night/train/GP010376/GP010376_frame_000129_gt_invIds.png",
    ];
    assert_eq!(
        listed(&files, ACDC),
        ["GP010376_frame_000129 \
          rgb_anon/night/train/GP010376/GP010376_frame_000129_rgb_anon.png \
          gt/night/train/GP010376/GP010376_frame_000129_gt_labelColor.png Colour"]
    );
}

#[test]
fn styles_of_both_datasets_share_a_folder_and_prefer_colours() {
    let files = [
        "images/GP010376_frame_000129_rgb_anon.png",
        "images/zurich_000087_000019_leftImg8bit.png",
        "labels/GP010376_frame_000129_gt_labelColor.png",
        "labels/GP010376_frame_000129_gt_labelIds.png",
        "labels/zurich_000087_000019_gtFine_color.png",
    ];
    assert_eq!(
        listed(&files, Role::Style),
        [
            "GP010376_frame_000129 images/GP010376_frame_000129_rgb_anon.png \
             labels/GP010376_frame_000129_gt_labelColor.png Colour",
            "zurich_000087_000019 images/zurich_000087_000019_leftImg8bit.png \
             labels/zurich_000087_000019_gtFine_color.png Colour"
        ]
    );
}

#[test]
fn names_may_have_spaces_and_any_letters() {
    let files = ["images/nuit d'été 夜.PNG", "labels/nuit d'été 夜.png"];
    assert_eq!(
        listed(&files, GTA5),
        ["nuit d'été 夜 images/nuit d'été 夜.PNG labels/nuit d'été 夜.png PaletteIds"]
    );
}

#[test]
fn hidden_files_and_other_files_are_no_images() {
    let files = [
        "images/00001.png",
        "images/._00001.png",
        "images/.DS_Store",
        "images/readme.txt",
        "labels/00001.png",
    ];
    assert_eq!(listed(&files, GTA5).len(), 1);
}

#[test]
fn two_images_of_one_name_are_an_error_that_names_both() {
    assert_eq!(
        refused(&["images/part1/00001.png", "images/part2/00001.jpg"], GTA5),
        "images/part1/00001.png and images/part2/00001.jpg are both named \"00001\": \
         rename or remove one"
    );
    assert_eq!(
        refused(
            &["images/a_rgb_anon.png", "images/a_leftImg8bit.png"],
            Role::Style
        ),
        "images/a_leftImg8bit.png and images/a_rgb_anon.png are both named \"a\": \
         rename or remove one"
    );
}

#[test]
fn two_labels_of_one_image_are_an_error_that_names_both() {
    let files = ["images/1.png", "labels/a/1.png", "labels/b/1.png"];
    assert_eq!(
        refused(&files, GTA5),
        "labels/a/1.png and labels/b/1.png are both named \"1\": rename or remove one"
    );
}

#[test]
fn a_dataset_without_images_says_what_was_looked_for_and_where() {
    assert_eq!(
        refused(&["labels/1.png"], CITYSCAPES),
        "ROOT has no folder images/ or leftImg8bit/ with files: is it the root of the dataset?"
    );
    assert_eq!(
        refused(&["images2/a_rgb_anon.png", "images.png"], ACDC),
        "ROOT has no folder images/ or rgb_anon/ with files: is it the root of the dataset?"
    );
    assert_eq!(
        refused(&["images/1.txt", "labels/1.png"], ACDC),
        "ROOT/images holds no image named *_rgb_anon.png, *_rgb_anon.jpg, *_rgb_anon.jpeg, \
         *_rgb_anon.webp, *_rgb_anon.tif, *_rgb_anon.tiff or *_rgb_anon.bmp"
    );
    let error = list(Path::new("/no/such folder"), GTA5).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/no/such folder has no folder images/ with files: is it the root of the dataset?"
    );
}

#[test]
fn label_kinds_are_stored_by_name() {
    let stored = serde_json::to_string(&LabelKind::PaletteIds).unwrap();
    assert_eq!(stored, r#""palette-ids""#);
}

#[test]
fn a_name_that_cannot_be_one_part_of_a_path_is_refused_with_its_file() {
    for name in ["a\u{1b}]0;title\u{7}", "a\\b", "a\nb"] {
        let files = ["images", "labels"].map(|folder| format!("{folder}/{name}.png"));
        let told = refused(&files.each_ref().map(String::as_str), GTA5);
        for words in [
            "images/a",
            "without /, \\ and control characters",
            "rename it",
        ] {
            assert!(told.contains(words), "no {words:?} in {told}");
        }
        assert!(!told.contains(char::is_control), "{told:?}");
    }
}

/// Cityscapes with labels of every kind side by side, but for one image.
const OF_EVERY_KIND: [&str; 6] = [
    "images/a_1_leftImg8bit.png",
    "images/b_1_leftImg8bit.png",
    "labels/a_1_gtFine_color.png",
    "labels/a_1_gtFine_labelIds.png",
    "labels/a_1_gtFine_labelTrainIds.png",
    "labels/b_1_gtFine_labelIds.png",
];

#[test]
fn what_the_settings_say_of_labels_chooses_among_those_of_an_image() {
    let root = dataset(&OF_EVERY_KIND);
    for role in [CITYSCAPES, Role::Style] {
        for (labels_are, of_a, others) in [
            (LabelSetting::TrainIds, "labelTrainIds.png TrainIds", 1),
            (LabelSetting::LabelIds, "labelIds.png LabelIds", 0),
            (LabelSetting::Colour, "color.png Colour", 1),
        ] {
            let request = Request {
                labels_are,
                ..everything(role)
            };
            let listed = list_as(root.path(), &request).unwrap();
            let left_out: Vec<String> = listed.left_out.iter().map(ToString::to_string).collect();
            assert_eq!(left_out.len(), others, "{left_out:?}");
            for line in left_out {
                let expected = format!(
                    "1 picture has labels, but none that is named for {labels_are}, and is left out (first: \
                     labels/b_1_gtFine_labelIds.png)"
                );
                assert_eq!(line, expected);
            }
            let stated = listed.entries.iter().filter_map(|it| it.label.as_ref());
            assert!(
                stated.clone().count() == 2 - others && stated.clone().all(|it| it.reading.stated)
            );
            let first = &shown(listed)[0];
            assert!(first.ends_with(of_a), "{labels_are}: {first}");
        }
    }
}

#[test]
fn labels_none_of_which_is_named_for_what_the_settings_say_are_refused() {
    let files = &OF_EVERY_KIND[..4];
    let refused = |role, labels_are| {
        let request = Request {
            labels_are,
            ..everything(role)
        };
        refused_as(files, &request)
    };
    for (role, setting) in [
        (CITYSCAPES, "content.labels"),
        (Role::Style, "style.labels"),
    ] {
        let told = refused(role, LabelSetting::TrainIds);
        for words in [
            format!("{setting} = \"train-ids\" takes none of the labels below ROOT").as_str(),
            "NAME_gtFine_labelTrainIds.png",
            "1 picture has labels, but none that is named for train-ids",
            "labels/a_1_gtFine_",
        ] {
            assert!(told.contains(words), "no {words:?} in {told}");
        }
    }
    let told = refused(CITYSCAPES, LabelSetting::PaletteIds);
    assert!(told.contains("none of this layout's names"), "{told}");
}

#[test]
fn a_name_that_says_nothing_of_a_label_may_be_of_any_kind() {
    let root = dataset(&["images/00001.png", "labels/00001.png"]);
    for labels_are in LabelSetting::ALL {
        let request = Request {
            labels_are,
            ..everything(GTA5)
        };
        assert_eq!(list_as(root.path(), &request).unwrap().entries.len(), 1);
    }
}
