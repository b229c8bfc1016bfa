//! Datasets exactly as their archives unpack, by names of files that are in them.

use shared::dataset::labels::LabelSetting;
use shared::dataset::layout::Layout;
use shared::dataset::selection::{Condition, Selection, SelectionFields, Split};
use shared::dataset::{LeftOut, Request, Role, TableOf};

use crate::listing::{dataset, everything, list_as, refused_as, shown};

/// Returns what is used, as `name image label kind`, and what is left out.
fn listed(files: &[&str], request: &Request) -> (Vec<String>, Vec<String>) {
    let root = dataset(files);
    let listed = list_as(root.path(), request).unwrap();
    let left_out = listed.left_out.iter().map(LeftOut::to_string).collect();
    (shown(listed), left_out)
}

fn contents(layout: Layout) -> Request {
    everything(Role::Content(layout))
}

fn of_split(request: Request, split: Split, conditions: &[Condition]) -> Request {
    Request {
        selection: Selection {
            splits: vec![split],
            conditions: conditions.to_vec(),
            ..Selection::everything(SelectionFields::CONTENT)
        },
        ..request
    }
}

/// `leftImg8bit_trainvaltest.zip` and `gtFine_trainvaltest.zip`, with the train ids that cityscapesScripts adds.
const CITYSCAPES: [&str; 17] = [
    "README",
    "gtFine/test/berlin/berlin_000000_000019_gtFine_labelIds.png",
    "gtFine/train/aachen/aachen_000000_000019_gtFine_color.png",
    "gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png",
    "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",
    "gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png",
    "gtFine/train/aachen/aachen_000000_000019_gtFine_polygons.json",
    "gtFine/train/bochum/bochum_000000_000313_gtFine_color.png",
    "gtFine/train/bochum/bochum_000000_000313_gtFine_labelIds.png",
    "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_color.png",
    "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png",
    "leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png",
    "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png",
    "leftImg8bit/train/bochum/bochum_000000_000313_leftImg8bit.png",
    "leftImg8bit/train_extra/bayreuth/bayreuth_000000_000080_leftImg8bit.png",
    "leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png",
    "license.txt",
];

#[test]
fn cityscapes_as_it_is_unpacked_is_chosen_by_its_split() {
    let train = [
        "aachen_000000_000019 leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png \
         gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png LabelIds",
        "bochum_000000_000313 leftImg8bit/train/bochum/bochum_000000_000313_leftImg8bit.png \
         gtFine/train/bochum/bochum_000000_000313_gtFine_labelIds.png LabelIds",
    ];
    let request = of_split(contents(Layout::Cityscapes), Split::Train, &[]);
    assert_eq!(
        listed(&CITYSCAPES, &request),
        (train.map(str::to_owned).to_vec(), vec![])
    );
    let styles = of_split(everything(Role::Style), Split::Val, &[]);
    let val = "frankfurt_000000_000294 leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png \
               gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_color.png Colour";
    assert_eq!(listed(&CITYSCAPES, &styles), (vec![val.to_owned()], vec![]));
    let train_ids = Request {
        labels_are: LabelSetting::TrainIds,
        ..request
    };
    let (found, left_out) = listed(&CITYSCAPES, &train_ids);
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with("_gtFine_labelTrainIds.png TrainIds"));
    assert_eq!(left_out.len(), 1, "{left_out:?}");
}

/// `rgb_anon_trainvaltest.zip` and `gt_trainval.zip`.
const ACDC: [&str; 13] = [
    "gt/fog/train/GOPR0475/GOPR0475_frame_000041_gt_labelIds.png",
    "gt/night/train/GOPR0351/GOPR0351_frame_000159_gt_invGray.png",
    "gt/night/train/GOPR0351/GOPR0351_frame_000159_gt_invIds.png",
    "gt/night/train/GOPR0351/GOPR0351_frame_000159_gt_labelColor.png",
    "gt/night/train/GOPR0351/GOPR0351_frame_000159_gt_labelIds.png",
    "gt/night/train/GOPR0351/GOPR0351_frame_000159_gt_labelTrainIds.png",
    "gt/night/val/GOPR0356/GOPR0356_frame_000324_gt_labelIds.png",
    "rgb_anon/fog/train/GOPR0475/GOPR0475_frame_000041_rgb_anon.png",
    "rgb_anon/night/test/GOPR0355/GOPR0355_frame_000138_rgb_anon.png",
    "rgb_anon/night/test_ref/GOPR0355/GOPR0355_frame_000138_rgb_ref_anon.png",
    "rgb_anon/night/train/GOPR0351/GOPR0351_frame_000159_rgb_anon.png",
    "rgb_anon/night/train_ref/GOPR0351/GOPR0351_frame_000159_rgb_ref_anon.png",
    "rgb_anon/night/val/GOPR0356/GOPR0356_frame_000324_rgb_anon.png",
];

#[test]
fn acdc_as_it_is_unpacked_is_chosen_by_split_and_condition_without_its_clear_days() {
    let clear_days = "reference pictures of another condition are left out: 2 \
                      (first: rgb_anon/night/test_ref/GOPR0355/GOPR0355_frame_000138_rgb_ref_anon.png)";
    for (role, label) in [
        (Role::Content(Layout::Acdc), "labelIds.png LabelIds"),
        (Role::Style, "labelColor.png Colour"),
    ] {
        let request = of_split(everything(role), Split::Train, &[Condition::Night]);
        let expected = format!(
            "GOPR0351_frame_000159 rgb_anon/night/train/GOPR0351/GOPR0351_frame_000159_rgb_anon.png \
             gt/night/train/GOPR0351/GOPR0351_frame_000159_gt_{label}"
        );
        assert_eq!(
            listed(&ACDC, &request),
            (vec![expected], vec![clear_days.to_owned()])
        );
    }
    let (all, left_out) = listed(&ACDC, &contents(Layout::Acdc));
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(
        left_out[1].contains("1 picture of the test split"),
        "{left_out:?}"
    );
}

#[test]
fn synthia_as_it_is_unpacked_has_images_in_rgb_and_classes_in_gt_labels() {
    let files = [
        "Depth/Depth/0000000.png",
        "GT/COLOR/0000000.png",
        "GT/LABELS/0000000.png",
        "GT/LABELS/0000001.png",
        "README.txt",
        "RGB/0000000.png",
        "RGB/0000001.png",
    ];
    let expected = [
        "0000000 RGB/0000000.png GT/LABELS/0000000.png SynthiaIds",
        "0000001 RGB/0000001.png GT/LABELS/0000001.png SynthiaIds",
    ];
    assert_eq!(
        listed(&files, &contents(Layout::Synthia)),
        (expected.map(str::to_owned).to_vec(), vec![])
    );
    assert_eq!(
        refused_as(&files[..5], &contents(Layout::Synthia)),
        "ROOT has no folder RGB/ with files: is it the root of the dataset?"
    );
    let told = refused_as(&files[5..], &contents(Layout::Synthia));
    assert!(told.contains("expected GT/LABELS/**/NAME.png"), "{told}");
}

#[test]
fn synscapes_as_it_is_unpacked_has_images_of_the_size_of_its_classes() {
    let files = [
        "img/class/1.png",
        "img/depth/1.exr",
        "img/instance/1.png",
        "img/rgb-2k/1.png",
        "img/rgb/1.png",
        "meta/1.json",
    ];
    let expected = "1 img/rgb/1.png img/class/1.png LabelIds".to_owned();
    assert_eq!(
        listed(&files, &contents(Layout::Synscapes)),
        (vec![expected], vec![])
    );
}

#[test]
fn frames_of_carla_lie_where_many_record_them() {
    for (layout, kind) in [
        (Layout::Carla, "CarlaTags"),
        (Layout::OldCarla, "OldCarlaTags"),
    ] {
        for (images, labels) in [
            ("images", "labels"),
            ("rgb", "semantic"),
            ("CameraRGB", "CameraSeg"),
            ("CameraRGB", "CameraSemSeg"),
        ] {
            let image = format!("{images}/F6-1.png");
            let label = format!("{labels}/F6-1.png");
            let expected = format!("F6-1 {image} {label} {kind}");
            assert_eq!(
                listed(&[&label, &image], &contents(layout)),
                (vec![expected], vec![])
            );
        }
    }
}

/// `bdd100k_images_10k.zip`, `bdd100k_sem_seg_labels_trainval.zip` and parts of others, in their folder `bdd100k`.
const BDD100K: [&str; 9] = [
    "images/100k/train/0004a4c0-d4dff0ad.jpg",
    "images/10k/test/cabc30fc-e7726578.jpg",
    "images/10k/train/0004a4c0-d4dff0ad.jpg",
    "images/10k/val/7d06fefd-f7be05a6.jpg",
    "labels/pan_seg/bitmasks/train/0004a4c0-d4dff0ad.png",
    "labels/sem_seg/colormaps/train/0004a4c0-d4dff0ad.png",
    "labels/sem_seg/masks/train/0004a4c0-d4dff0ad.png",
    "labels/sem_seg/masks/val/7d06fefd-f7be05a6.png",
    "labels/sem_seg/polygons/sem_seg_train.json",
];

#[test]
fn bdd100k_as_it_is_unpacked_is_chosen_by_its_split() {
    let train = "0004a4c0-d4dff0ad images/10k/train/0004a4c0-d4dff0ad.jpg \
                 labels/sem_seg/masks/train/0004a4c0-d4dff0ad.png TrainIds";
    let val = "7d06fefd-f7be05a6 images/10k/val/7d06fefd-f7be05a6.jpg \
               labels/sem_seg/masks/val/7d06fefd-f7be05a6.png TrainIds";
    let request = contents(Layout::Bdd100k);
    let (all, left_out) = listed(&BDD100K, &request);
    assert_eq!(all, [train, val]);
    let expected =
        "1 picture has no label and is left out (first: images/10k/test/cabc30fc-e7726578.jpg)";
    assert_eq!(left_out, [expected]);
    let request = of_split(request, Split::Train, &[]);
    assert_eq!(listed(&BDD100K, &request), (vec![train.to_owned()], vec![]));
}

#[test]
fn photographs_of_bdd100k_are_those_with_classes_whatever_lies_beside_them() {
    let (found, left_out) = listed(&BDD100K, &everything(Role::Style));
    let names: Vec<&str> = found
        .iter()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(
        names,
        [
            "images/10k/train/0004a4c0-d4dff0ad.jpg",
            "images/10k/val/7d06fefd-f7be05a6.jpg"
        ]
    );
    assert!(
        found.iter().all(|line| line.ends_with(" TrainIds")),
        "{found:?}"
    );
    // One is of the same name, and the other has no classes.
    let expected = "2 pictures have no label and are left out \
                    (first: images/100k/train/0004a4c0-d4dff0ad.jpg)";
    assert_eq!(left_out, [expected]);
    let styles = of_split(everything(Role::Style), Split::Val, &[]);
    let (found, _) = listed(&BDD100K, &styles);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn photographs_of_ones_own_in_a_folder_that_bdd100k_has_keep_their_labels() {
    let files = [
        "images/10k/a.jpg",
        "images/10k/b.jpg",
        "images/100k/c.jpg",
        "labels/a.png",
        "labels/by_hand/b.png",
        "labels/by_machine/b.png",
        "labels/c.png",
    ];
    let (found, left_out) = listed(&files, &everything(Role::Style));
    let expected = [
        "a images/10k/a.jpg labels/a.png PaletteIds",
        "c images/100k/c.jpg labels/c.png PaletteIds",
    ];
    assert_eq!(found, expected);
    let expected = "1 picture has no label and is left out (first: images/10k/b.jpg)";
    assert_eq!(left_out, [expected]);
}

#[test]
fn older_archives_of_bdd100k_are_read_from_their_folder_and_the_one_above() {
    let files = [
        "color_labels/train/0004a4c0-d4dff0ad_train_color.png",
        "images/train/0004a4c0-d4dff0ad.jpg",
        "labels/train/0004a4c0-d4dff0ad_train_id.png",
    ];
    let expected = "0004a4c0-d4dff0ad images/train/0004a4c0-d4dff0ad.jpg \
                    labels/train/0004a4c0-d4dff0ad_train_id.png TrainIds";
    let request = of_split(contents(Layout::Bdd100k), Split::Train, &[]);
    assert_eq!(
        listed(&files, &request),
        (vec![expected.to_owned()], vec![])
    );
    let above = files.map(|file| format!("seg/{file}"));
    let above = above.each_ref().map(String::as_str);
    let expected = expected
        .replace("images/", "seg/images/")
        .replace("labels/", "seg/labels/");
    assert_eq!(listed(&above, &request), (vec![expected], vec![]));
}

#[test]
fn a_table_of_classes_takes_the_labels_that_hold_what_it_names() {
    let of = |layout: Layout, of: TableOf| Request {
        classes: Some(of),
        ..of_split(contents(layout), Split::Train, &[])
    };
    let (found, left_out) = listed(&CITYSCAPES, &of(Layout::Cityscapes, TableOf::Colours));
    assert!(
        found[0].ends_with("_gtFine_color.png TableColours"),
        "{found:?}"
    );
    assert_eq!(left_out, Vec::<String>::new());
    let (found, _) = listed(&CITYSCAPES, &of(Layout::Cityscapes, TableOf::Ids));
    assert!(
        found[0].ends_with("_gtFine_labelIds.png TableIds"),
        "{found:?}"
    );
    let synthia = ["GT/LABELS/0000000.png", "RGB/0000000.png"];
    let request = Request {
        classes: Some(TableOf::Ids),
        ..contents(Layout::Synthia)
    };
    let (found, _) = listed(&synthia, &request);
    assert!(found[0].ends_with(" TableFirstChannel"), "{found:?}");

    let without = [
        "gtFine/a_gtFine_labelIds.png",
        "leftImg8bit/a_leftImg8bit.png",
    ];
    let request = Request {
        classes: Some(TableOf::Colours),
        ..contents(Layout::Cityscapes)
    };
    let told = refused_as(&without, &request);
    for words in [
        "content.classes, a table of colours, takes none of the labels below ROOT",
        "NAME_gtFine_color.png",
        "1 picture has labels, but none that is named for colours",
        "leave content.classes out",
    ] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
}
