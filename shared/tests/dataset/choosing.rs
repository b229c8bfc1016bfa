//! What of a dataset is used, and what is left out with a word about it.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use shared::dataset::layout::Layout;
use shared::dataset::selection::{Condition, Selection, SelectionFields, Split};
use shared::dataset::{Labels, LeftOut, Request, Role};

use crate::listing::{dataset, everything, list_as, refused_as, shown};

const CITYSCAPES: Role = Role::Content(Layout::Cityscapes);
const ACDC: Role = Role::Content(Layout::Acdc);
const GTA5: Role = Role::Content(Layout::Gta5);

/// Returns the names that are used, and what is left out.
fn found(files: &[&str], request: &Request) -> (Vec<String>, Vec<String>) {
    let root = dataset(files);
    let listed = list_as(root.path(), request).unwrap();
    let left_out = listed.left_out.iter().map(LeftOut::to_string).collect();
    let names = listed.entries.into_iter().map(|listing| listing.name);
    (names.collect(), left_out)
}

fn by_globs(role: Role, include: &[&str], exclude: &[&str]) -> Request {
    let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|&t| t.into()).collect() };
    let fields = SelectionFields::CONTENT;
    let selection = Selection::of_globs(fields, &texts(include), &texts(exclude));
    Request {
        selection: selection.unwrap(),
        ..everything(role)
    }
}

fn of_splits(role: Role, splits: &[Split], conditions: &[Condition]) -> Request {
    Request {
        selection: Selection {
            splits: splits.to_vec(),
            conditions: conditions.to_vec(),
            ..Selection::everything(SelectionFields::CONTENT)
        },
        ..everything(role)
    }
}

/// Cityscapes as it is downloaded: the labels of the test split show no class.
const CITIES: [&str; 8] = [
    "gtFine/test/berlin/berlin_1_gtFine_labelIds.png",
    "gtFine/train/aachen/aachen_1_gtFine_instanceIds.png",
    "gtFine/train/aachen/aachen_1_gtFine_labelIds.png",
    "gtFine/val/ulm/ulm_1_gtFine_labelIds.png",
    "leftImg8bit/test/berlin/berlin_1_leftImg8bit.png",
    "leftImg8bit/train/aachen/aachen_1_leftImg8bit.png",
    "leftImg8bit/train_extra/bayreuth/bayreuth_1_leftImg8bit.png",
    "leftImg8bit/val/ulm/ulm_1_leftImg8bit.png",
];

#[test]
fn the_test_split_of_cityscapes_is_left_out_unless_it_is_asked_for() {
    let (names, left_out) = found(&CITIES, &everything(CITYSCAPES));
    assert_eq!(names, ["aachen_1", "ulm_1"]);
    assert_eq!(
        left_out,
        [
            "1 picture of the test split, whose labels are not published, is left out unless content.split names it \
             (first: leftImg8bit/test/berlin/berlin_1_leftImg8bit.png)",
            "1 picture has no label and is left out \
             (first: leftImg8bit/train_extra/bayreuth/bayreuth_1_leftImg8bit.png)",
        ]
    );
    let asked = of_splits(CITYSCAPES, &[Split::Test, Split::Val], &[]);
    assert_eq!(found(&CITIES, &asked).0, ["berlin_1", "ulm_1"]);
}

#[test]
fn a_folder_of_nothing_but_a_test_split_says_what_takes_it() {
    let files = [
        "images/test/a_leftImg8bit.png",
        "labels/test/a_gtFine_labelIds.png",
    ];
    let message = refused_as(&files, &everything(CITYSCAPES));
    assert!(
        message.starts_with("nothing is left of 1 picture below ROOT"),
        "{message}"
    );
    assert!(
        message.contains("unless content.split names it"),
        "{message}"
    );
}

/// ACDC as it is downloaded.
const WEATHER: [&str; 8] = [
    "gt/fog/train/GOPR1/GOPR1_frame_1_gt_labelIds.png",
    "gt/night/train/GP01/GP01_frame_1_gt_labelIds.png",
    "gt/night/val/GP02/GP02_frame_1_gt_labelIds.png",
    "rgb_anon/fog/train/GOPR1/GOPR1_frame_1_rgb_anon.png",
    "rgb_anon/night/test/GP03/GP03_frame_1_rgb_anon.png",
    "rgb_anon/night/train/GP01/GP01_frame_1_rgb_anon.png",
    "rgb_anon/night/train_ref/GP01/GP01_frame_1_rgb_ref_anon.png",
    "rgb_anon/night/val/GP02/GP02_frame_1_rgb_anon.png",
];

#[test]
fn conditions_and_splits_of_acdc_are_chosen_by_their_folders() {
    let night = of_splits(ACDC, &[], &[Condition::Night]);
    let (names, left_out) = found(&WEATHER, &night);
    assert_eq!(names, ["GP01_frame_1", "GP02_frame_1"]);
    assert!(left_out[0].contains("reference pictures of another condition are left out: 1"));
    let both = of_splits(ACDC, &[Split::Val], &[Condition::Night, Condition::Fog]);
    assert_eq!(found(&WEATHER, &both).0, ["GP02_frame_1"]);
    let rain = of_splits(ACDC, &[Split::Val], &[Condition::Rain]);
    let message = refused_as(&WEATHER, &rain);
    let expected =
        "content.split (val) and content.condition (rain) leaves none of 4 pictures below ROOT";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn globs_match_the_path_below_the_root_or_the_name() {
    for (include, exclude, names) in [
        (
            &["rgb_anon/night/**"][..],
            &[][..],
            &["GP01_frame_1", "GP02_frame_1"][..],
        ),
        (&["**/train/**"], &[], &["GOPR1_frame_1", "GP01_frame_1"]),
        (&["GP0*"], &["**/val/"], &["GP01_frame_1"]),
        (&["*_rgb_anon.png"], &["GP0?_frame_1"], &["GOPR1_frame_1"]),
        (&["rgb_anon/fog"], &[], &["GOPR1_frame_1"]),
    ] {
        let request = by_globs(ACDC, include, exclude);
        assert_eq!(
            found(&WEATHER, &request).0,
            names,
            "{include:?} {exclude:?}"
        );
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_told() {
    let request = by_globs(ACDC, &["GP0*", "night/**", "autumn"], &[]);
    let (_, left_out) = found(&WEATHER, &request);
    assert!(
        left_out.contains(
            &"2 patterns of content.include match nothing, the first: night/**".to_owned()
        ),
        "{left_out:?}"
    );
    let message = refused_as(&WEATHER, &by_globs(ACDC, &["autumn"], &[]));
    assert!(
        message.starts_with("content.include (autumn) leaves none of 4 pictures"),
        "{message}"
    );
}

#[test]
fn an_excluded_file_is_no_second_one_of_its_name() {
    let files = [
        "images/a/1.png",
        "images/b/1.png",
        "labels/a/1.png",
        "labels/b/1.png",
    ];
    let request = by_globs(GTA5, &[], &["images/b/**", "labels/b/**"]);
    assert_eq!(found(&files, &request).0, ["1"]);
}

#[test]
fn images_without_a_label_and_labels_without_an_image_are_counted() {
    let files = [
        "images/1.png",
        "images/2.png",
        "images/3.png",
        "images/4.webm",
        "labels/2.png",
        "labels/2_labelTrainIds.png",
        "labels/7.png",
    ];
    let (names, left_out) = found(&files, &everything(GTA5));
    assert_eq!(names, ["2"]);
    assert_eq!(
        left_out,
        [
            "1 label has no image and is left out (first: labels/7.png)",
            "2 pictures have no label and are left out (first: images/1.png)",
        ]
    );
}

#[test]
fn a_dataset_without_any_label_says_what_was_looked_for() {
    let message = refused_as(&["images/1.png", "images/2.png"], &everything(GTA5));
    assert_eq!(
        message,
        "none of 2 pictures below ROOT has a label: expected labels/**/NAME.png; \
         2 pictures have no label and are left out (first: images/1.png)"
    );
}

#[test]
fn fifteen_hundred_long_names_make_a_short_message() {
    let files: Vec<String> = (0..1500)
        .map(|number| {
            format!(
                "leftImg8bit/{}/{number}_leftImg8bit.png",
                "folder".repeat(20)
            )
        })
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let message = refused_as(&files, &everything(CITYSCAPES));
    assert!(message.contains("none of 1,500 pictures"), "{message}");
    assert!(
        message.contains("gtFine/**/NAME_gtFine_labelIds.png"),
        "{message}"
    );
}

#[test]
fn photographs_of_any_name_are_styles_where_labels_are_not_used() {
    let files = [
        "images/evening.jpg",
        "images/GP01_rgb_anon.png",
        "images/GP01_rgb_ref_anon.png",
        "images/old/aachen_1_gtFine_color.png",
        "leftImg8bit/test/berlin_1_leftImg8bit.png",
        "labels/evening.png",
    ];
    let request = Request {
        labels: Labels::Unused,
        ..everything(Role::Style)
    };
    let root = dataset(&files);
    let listed = list_as(root.path(), &request).unwrap();
    assert_eq!(
        shown(listed),
        [
            "GP01 images/GP01_rgb_anon.png without a label",
            "berlin_1 leftImg8bit/test/berlin_1_leftImg8bit.png without a label",
            "evening images/evening.jpg without a label",
        ]
    );
    let listed = list_as(root.path(), &everything(Role::Style)).unwrap();
    assert_eq!(
        shown(listed),
        ["evening images/evening.jpg labels/evening.png PaletteIds"]
    );
}

#[test]
fn photographs_without_labels_are_used_beside_labelled_ones_where_labels_are_wanted_and_not_needed()
{
    let files = [
        "images/evening.jpg",
        "images/GP01_rgb_anon.png",
        "leftImg8bit/test/berlin_1_leftImg8bit.png",
        "labels/evening.png",
    ];
    let request = Request {
        labels: Labels::Wanted,
        ..everything(Role::Style)
    };
    let root = dataset(&files);
    let listed = list_as(root.path(), &request).unwrap();
    assert_eq!(
        shown(listed),
        [
            "GP01 images/GP01_rgb_anon.png without a label",
            "evening images/evening.jpg labels/evening.png PaletteIds",
        ]
    );
}

#[test]
fn made_fog_is_used_where_it_is_all_there_is_and_where_it_is_chosen() {
    let files = [
        "gtFine/train/aachen/aachen_1_gtFine_labelIds.png",
        "leftImg8bit_foggy/train/aachen/aachen_1_leftImg8bit_foggy_beta_0.01.png",
        "leftImg8bit_foggy/train/aachen/aachen_1_leftImg8bit_foggy_beta_0.02.png",
    ];
    let foggy = ["aachen_1_foggy_beta_0.01", "aachen_1_foggy_beta_0.02"];
    assert_eq!(found(&files, &everything(CITYSCAPES)).0, foggy);
    let clear = "leftImg8bit/train/aachen/aachen_1_leftImg8bit.png";
    let files = [&files[..], &[clear]].concat();
    let (names, left_out) = found(&files, &everything(CITYSCAPES));
    assert_eq!(names, ["aachen_1"]);
    assert!(
        left_out[0].starts_with("2 pictures with made fog or rain"),
        "{left_out:?}"
    );
    let request = by_globs(CITYSCAPES, &["*_foggy_beta_0.02"], &[]);
    assert_eq!(found(&files, &request).0, foggy[1..]);
}

#[test]
fn names_that_look_alike_are_one_name() {
    let (composed, decomposed) = ("mu\u{308}nchen", "münchen");
    let files = [
        format!("images/{composed}.png"),
        format!("labels/{decomposed}.png"),
    ];
    let files = files.each_ref().map(String::as_str);
    let (names, left_out) = found(&files, &everything(GTA5));
    assert_eq!((names, left_out), (vec!["münchen".to_owned()], vec![]));

    let files = [files[0], "images/münchen.png", files[1]];
    let message = refused_as(&files, &everything(GTA5));
    assert!(message.contains("are both named \"münchen\""), "{message}");
    assert!(
        message.contains("(NFC)") && message.contains("(NFD)"),
        "{message}"
    );
}

#[test]
fn a_name_that_is_not_unicode_is_named() {
    let root = dataset(&["images/1.png", "labels/1.png"]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    for name in [
        name.to_owned(),
        [name, std::ffi::OsStr::new(".png")].into_iter().collect(),
    ] {
        let path = root.path().join("images").join(name);
        if path.extension().is_none() {
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("2.png"), "").unwrap();
        } else {
            std::fs::write(&path, "").unwrap();
        }
        let error = list_as(root.path(), &everything(GTA5))
            .unwrap_err()
            .to_string();
        assert!(error.contains("caf\\xE9"), "{error}");
        assert!(error.contains("is not Unicode"), "{error}");
        let _ = std::fs::remove_dir_all(&path);
    }
}

#[test]
fn only_folders_of_the_layout_are_opened() {
    let root = dataset(&["images/1.png", "labels/1.png", "images/lost+found/2.png"]);
    // What cannot be listed at all, because it is no folder, stands for what may not be.
    for name in ["lost+found", ".git", "leftImg8bit", "videos"] {
        std::os::unix::fs::symlink("circle", root.path().join(name)).unwrap();
    }
    let started = Instant::now();
    for link in ["images/up", "labels/up", "labels/up too"] {
        std::os::unix::fs::symlink(root.path(), root.path().join(link)).unwrap();
    }
    let listed = list_as(root.path(), &everything(GTA5)).unwrap();
    assert_eq!(shown(listed), ["1 images/1.png labels/1.png PaletteIds"]);
    assert!(started.elapsed() < Duration::from_secs(10));
}
