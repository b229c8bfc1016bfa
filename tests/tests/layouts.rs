//! Datasets in other layouts, and which contents meet which styles.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;

use shared::manifest::Status;
use tests::images::Picture;
use tests::project::{Project, STYLES};

/// Train ids of label ids that the golden labels show; 255 for all others.
fn train_id(label_id: u8) -> u8 {
    const LABEL_IDS: [u8; 19] = [
        7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
    ];
    let position = LABEL_IDS.iter().position(|&id| id == label_id);
    position.map_or(255, |train_id| train_id as u8)
}

/// Returns a project whose one content has these files.
fn project(layout: &str, files: [(&str, &Picture); 2]) -> Project {
    let mut project = Project::new(0, 1);
    project.set("content.layout", layout);
    for (path, picture) in files {
        project.write(&format!("gta5/{path}"), &picture.encode());
    }
    project
}

/// Returns the label that a run stored for its one content.
fn stored_label(project: &Project, content: &str) -> Picture {
    let label =
        Picture::decode(&fs::read(project.stored(&format!("labels/{content}.png"))).unwrap());
    assert_eq!((label.width, label.height), (256, 128));
    label
}

#[test]
fn cityscapes_contents_keep_their_label_ids() {
    let ids = Picture::input("00001_label.png").without_palette();
    let project = project(
        "cityscapes",
        [
            (
                "leftImg8bit/train/aachen/aachen_000000_leftImg8bit.png",
                &Picture::input("00001.png"),
            ),
            (
                "gtFine/train/aachen/aachen_000000_gtFine_labelIds.png",
                &ids,
            ),
        ],
    );
    let _ = project.run().exits(0);
    let label = stored_label(&project, "aachen_000000");
    assert_eq!(label.colour, png::ColorType::Grayscale);
    let values = |picture: &Picture| picture.bytes.iter().copied().collect::<BTreeSet<u8>>();
    assert!(values(&label).is_subset(&values(&ids)));
    assert!(label.bytes.iter().any(|&id| train_id(id) != 255));
    assert_eq!(project.row("aachen_000000", STYLES[0]).status, Status::Done);
}

#[test]
fn train_ids_of_acdc_give_the_same_image_as_label_ids_of_cityscapes() {
    let image = Picture::input("00001.png");
    let ids = Picture::input("00001_label.png").without_palette();
    let train_ids = ids.clone().mapped(train_id);
    let acdc = project(
        "acdc",
        [
            ("rgb_anon/night/scene_rgb_anon.png", &image),
            ("gt/night/scene_gt_labelTrainIds.png", &train_ids),
        ],
    );
    let cityscapes = project(
        "cityscapes",
        [
            ("images/scene_leftImg8bit.png", &image),
            ("labels/scene_gtFine_labelIds.png", &ids),
        ],
    );
    let _ = acdc.run().exits(0);
    let _ = cityscapes.run().exits(0);
    let image = format!("images/{}/scene.png", STYLES[0]);
    assert_eq!(
        acdc.pictures()[&image],
        cityscapes.pictures()[&image],
        "the same scene"
    );
    let label = stored_label(&acdc, "scene");
    assert_eq!(label.colour, png::ColorType::Grayscale);
    assert!(label.bytes.iter().all(|&id| id < 19 || id == 255));
}

/// Returns the contents of each style after a run in a mode that gives each style two.
fn contents_by_style(mode: &str, contents: usize) -> Vec<BTreeSet<String>> {
    let mut project = Project::new(contents, 2);
    project.set("pairing.mode", mode);
    project.set("pairing.contents_per_style", 2);
    // The plan counts, not the images.
    project.set("method.method", "adain");
    project.set("method.steps", 2);
    project.set("method.skip", 1);
    let _ = project.run().exits(0);
    let rows = project.rows();
    let of_style = |style: &&str| {
        let items = rows.iter().map(|row| &row.item);
        items
            .filter(|item| item.style == **style)
            .map(|item| item.content.clone())
            .collect()
    };
    STYLES[..2].iter().map(of_style).collect()
}

#[test]
fn ordered_pairing_gives_each_style_its_own_next_contents() {
    let contents = contents_by_style("ordered", 4);
    let expected = [["00001", "00002"], ["00003", "00004"]];
    assert_eq!(
        contents,
        expected.map(|names| names.map(str::to_owned).into())
    );
}

#[test]
fn uniform_pairing_gives_each_style_as_many_contents_as_asked_for() {
    for contents in contents_by_style("uniform", 5) {
        assert_eq!(contents.len(), 2);
    }
}
