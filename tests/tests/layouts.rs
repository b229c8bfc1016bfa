//! Datasets in other layouts, and which contents meet which styles.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;

use shared::dataset::classes::CLASSES;
use shared::manifest::Status;
use shared::warning::WarningKind;
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

/// Returns the output of a scene in the layout of Cityscapes, which the same scene has in every other.
fn output_of_cityscapes(image: &Picture, ids: &Picture) -> String {
    let cityscapes = project(
        "cityscapes",
        [
            ("images/scene_leftImg8bit.png", image),
            ("labels/scene_gtFine_labelIds.png", ids),
        ],
    );
    let _ = cityscapes.run().exits(0);
    output(&cityscapes)
}

/// Returns the digest of the output of a scene.
fn output(project: &Project) -> String {
    project.pictures()[&format!("images/{}/scene.png", STYLES[0])].clone()
}

/// Proves that nothing is told about the label of a scene.
fn assert_untold(project: &Project) {
    let row = project.row("scene", STYLES[0]);
    let is_told = row.warning_kinds.contains(&WarningKind::LabelEncoding);
    assert!(!is_told, "{:?}", row.warning);
}

/// Returns the golden scene and its label ids.
fn scene() -> (Picture, Picture) {
    let ids = Picture::input("00001_label.png").without_palette();
    (Picture::input("00001.png"), ids)
}

#[test]
fn synthia_gives_the_same_image_and_keeps_its_16_bits_and_instances() {
    const SYNTHIA_IDS: [u8; 19] = [
        3, 4, 2, 21, 5, 7, 15, 9, 6, 16, 1, 10, 17, 8, 18, 19, 20, 12, 11,
    ];
    let (image, ids) = scene();
    let synthia_id = |id: &u8| {
        let id = SYNTHIA_IDS.get(usize::from(train_id(*id)));
        [0, *id.unwrap_or(&0), 0, 5, 0, 0]
    };
    let label = Picture {
        colour: png::ColorType::Rgb,
        depth: png::BitDepth::Sixteen,
        bytes: ids.bytes.iter().flat_map(synthia_id).collect(),
        ..ids.clone()
    };
    let synthia = project(
        "synthia",
        [("RGB/scene.png", &image), ("GT/LABELS/scene.png", &label)],
    );
    let _ = synthia.run().exits(0);
    assert_eq!(output(&synthia), output_of_cityscapes(&image, &ids));
    assert_untold(&synthia);
    let stored = stored_label(&synthia, "scene");
    let as_came = (png::ColorType::Rgb, png::BitDepth::Sixteen);
    assert_eq!((stored.colour, stored.depth), as_came);
    let mut pixels = stored.bytes.chunks_exact(6);
    assert!(pixels.all(|pixel| pixel[1] <= 22 && pixel[2..] == [0, 5, 0, 0]));
    let _ = synthia.about_run(&["audit"]).exits(0);
}

#[test]
fn bdd100k_gives_the_same_image_and_keeps_its_train_ids() {
    let (image, ids) = scene();
    let train_ids = ids.clone().mapped(train_id);
    let mut bdd100k = project(
        "bdd100k",
        [
            ("images/10k/train/scene.jpg", &image),
            ("labels/sem_seg/masks/train/scene.png", &train_ids),
        ],
    );
    bdd100k.write("gta5/images/10k/val/other.jpg", &image.encode());
    bdd100k.set("content.split", "train");
    let _ = bdd100k.run().exits(0);
    assert_eq!(output(&bdd100k), output_of_cityscapes(&image, &ids));
    assert_untold(&bdd100k);
    let stored = stored_label(&bdd100k, "scene");
    assert_eq!(stored.colour, png::ColorType::Grayscale);
    assert!(stored.bytes.iter().all(|&id| id < 19 || id == 255));
}

#[test]
fn a_table_of_classes_gives_the_same_image_and_belongs_to_the_run() {
    // Ids that mean something else, or nothing, in every layout.
    let own_id = |id: u8| match train_id(id) {
        255 => 0,
        train_id => 100 + train_id,
    };
    let (image, ids) = scene();
    let label = ids.clone().mapped(own_id);
    let mut own = project(
        "gta5",
        [("images/scene.png", &image), ("labels/scene.png", &label)],
    );
    let classes = (0..19).map(|train_id| format!("{},{train_id}\n", 100 + train_id));
    let classes: String = classes.chain(["0,ignore\n".to_owned()]).collect();
    own.write("classes.csv", format!("id,class\n{classes}").as_bytes());
    let table = |file: &str| toml::Table::from_iter([("file".to_owned(), file.into())]);
    own.set("content.classes", table("classes.csv"));
    let _ = own.run().exits(0);
    assert_eq!(output(&own), output_of_cityscapes(&image, &ids));
    assert_untold(&own);
    let stored = stored_label(&own, "scene");
    assert!(
        stored
            .bytes
            .iter()
            .all(|&id| id == 0 || (100..119).contains(&id))
    );
    let _ = own.about_run(&["audit"]).exits(0);

    // The same table in JSON is the same run; another class is another run.
    let json = classes.replace("ignore", "\"ignore\"");
    let json = json.lines().map(|line| line.replacen(',', "\": ", 1));
    let json: Vec<String> = json.map(|line| format!("\"{line}")).collect();
    own.write("classes.json", format!("{{{}}}", json.join(",")).as_bytes());
    own.set("content.classes", table("classes.json"));
    let _ = own.run().exits(0);
    let other = classes.replace("100,0\n", "100,sidewalk\n");
    own.write("classes.csv", other.as_bytes());
    own.set("content.classes", table("classes.csv"));
    let expected = "content.classes.100 was \"road\" and is now \"sidewalk\"";
    own.run().exits(2).complains_about(&[expected]);

    own.write("classes.csv", b"100,road\n101,raod\n");
    let words = [
        "run.toml",
        "classes.csv, line 2",
        "\"raod\"",
        "did you mean road?",
    ];
    own.run().exits(2).complains_about(&words);
}

/// Returns the label ids of a golden style.
fn label_ids_of_style() -> Picture {
    let colours = Picture::input("night_000001_gt_labelColor.png");
    let channels = colours.bytes.len() / (colours.width * colours.height) as usize;
    let label_id = |pixel: &[u8]| {
        let class = CLASSES.iter().find(|class| class.colour == pixel[..3]);
        class.map_or(0, |class| class.label_id)
    };
    let label_ids = colours.bytes.chunks_exact(channels).map(label_id);
    Picture {
        colour: png::ColorType::Grayscale,
        bytes: label_ids.collect(),
        ..colours.clone()
    }
}

#[test]
fn a_table_of_classes_for_styles_gives_the_same_image_as_their_label_ids() {
    let label_ids = label_ids_of_style();
    let output = |own_id: fn(u8) -> u8, classes: Option<toml::Table>| {
        let mut project = Project::new(1, 0);
        let photograph = Picture::input("night_000001_rgb_anon.png").encode();
        project.write("style/images/evening.png", &photograph);
        let label = label_ids.clone().mapped(own_id).encode();
        project.write("style/labels/evening.png", &label);
        if let Some(classes) = classes {
            project.set("style.classes", classes);
        }
        let _ = project.run().exits(0);
        project.pictures()["images/evening/00001.png"].clone()
    };
    let classes = CLASSES.iter().map(|class| {
        let own_id = (class.label_id + 100).to_string();
        (own_id, toml::Value::from(class.name))
    });
    let classes = classes.chain([("100".to_owned(), "ignore".into())]);
    let expected = output(|id| id, None);
    assert_eq!(output(|id| id + 100, Some(classes.collect())), expected);
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
