//! Labels in other encodings than the layout's: read for what they are, stored as the layout promises, by every command.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use png::ColorType;
use shared::manifest::Status;
use shared::warning::WarningKind;
use tests::golden_model;
use tests::images::Picture;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};

/// The classes' label ids by train id.
const LABEL_IDS: [u8; 19] = [
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
];

fn train_id(label_id: u8) -> u8 {
    let position = LABEL_IDS.iter().position(|&id| id == label_id);
    position.map_or(255, |train_id| train_id as u8)
}

/// Returns a label with train ids as indices and a palette that says so.
fn of_train_ids(label: Picture) -> Picture {
    let palette = label.palette.clone().unwrap();
    let mut of_train_ids = vec![0; 3 * 256];
    for (train_id, label_id) in LABEL_IDS.into_iter().enumerate() {
        let from = 3 * usize::from(label_id);
        of_train_ids[3 * train_id..3 * train_id + 3].copy_from_slice(&palette[from..from + 3]);
    }
    let mut label = label.mapped(train_id);
    label.palette = Some(of_train_ids);
    label
}

/// Returns a label as an editor saves it that knows no palettes.
fn of_colours(mut label: Picture) -> Picture {
    let palette = label.palette.take().unwrap();
    let colour = |&id: &u8| palette[3 * usize::from(id)..][..3].to_vec();
    label.bytes = label.bytes.iter().flat_map(colour).collect();
    label.colour = ColorType::Rgb;
    label
}

fn unchanged(picture: Picture) -> Picture {
    picture
}

/// Returns a GTA5 dataset with one scene under a label of each encoding.
fn project() -> Project {
    let project = Project::new(0, 1);
    project.add_content("plain", unchanged, unchanged);
    project.add_content("grey", unchanged, Picture::without_palette);
    project.add_content("trained", unchanged, of_train_ids);
    project.add_content("coloured", unchanged, of_colours);
    project
}

fn stored_label(project: &Project, content: &str) -> Picture {
    let file = fs::read(project.stored(&format!("labels/{content}.png"))).unwrap();
    Picture::decode(&file)
}

/// Returns the output of `transfer` with the names that the run gives the pair, and more options.
fn transferred(project: &Project, content: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let style = STYLES[0];
    for (kind, suffix) in [("images", "_rgb_anon"), ("labels", "_gt_labelColor")] {
        let file = fs::read(project.path(&format!("style/{kind}/{style}{suffix}.png"))).unwrap();
        project.write(&format!("alone/{kind}/{style}.png"), &file);
    }
    let out = project.path(&format!("alone/{content}.png"));
    let mut command = synth2real();
    command.arg("transfer").arg("--model").arg(golden_model());
    for (option, path) in [
        ("--content", format!("gta5/images/{content}.png")),
        ("--content-label", format!("gta5/labels/{content}.png")),
        ("--style", format!("alone/images/{style}.png")),
        ("--style-label", format!("alone/labels/{style}.png")),
        ("--config", "run.toml".to_owned()),
    ] {
        command.arg(option).arg(project.path(&path));
    }
    for (option, path) in options {
        command.arg(option).arg(project.path(path));
    }
    let _ = Outcome::of(command.arg("--out").arg(&out)).exits(0);
    fs::read(out).unwrap()
}

#[test]
fn run_and_transfer_take_every_encoding_and_make_the_same_of_it() {
    let project = project();
    let _ = project.run().exits(0);
    let plain = stored_label(&project, "plain");
    for (content, is_told) in [
        ("plain", false),
        ("grey", false),
        ("trained", true),
        ("coloured", true),
    ] {
        let row = project.row(content, STYLES[0]);
        assert_eq!(row.status, Status::Done, "{content}");
        let warning = row.warning.unwrap_or_default();
        assert_eq!(
            row.warning_kinds.contains(&WarningKind::LabelEncoding),
            is_told,
            "{content}: {warning}"
        );
        // The indices of a GTA5 label are label ids, whatever came in.
        assert_eq!(
            stored_label(&project, content).bytes,
            plain.bytes,
            "{content}"
        );

        let image = project.stored(&format!("images/{}/{content}.png", STYLES[0]));
        assert!(
            fs::read(image).unwrap() == transferred(&project, content, &[]),
            "{content}"
        );
    }
}

#[test]
fn run_and_transfer_read_labels_by_a_table_of_classes_alike() {
    let mut project = Project::new(0, 1);
    project.add_content("00001", unchanged, |label| {
        label.without_palette().mapped(|id| id + 100)
    });
    let classes = LABEL_IDS.iter().enumerate();
    let classes = classes.map(|(train_id, id)| format!("{},{train_id}\n", id + 100));
    let classes: String = classes.collect();
    project.write("classes.csv", classes.as_bytes());
    let table = toml::Table::from_iter([("file".to_owned(), "classes.csv".into())]);
    project.set("content.classes", table);
    let _ = project.run().exits(0);
    let image = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    let options = [("--content-classes", "classes.csv")];
    assert!(fs::read(image).unwrap() == transferred(&project, "00001", &options));
}

#[test]
fn what_labels_are_may_be_stated_and_belongs_to_the_run() {
    let mut project = Project::new(0, 1);
    project.add_content("00001", unchanged, |label| {
        let mut label = label.mapped(train_id);
        label.palette = Some((0..=255).flat_map(|index| [index, 2, 3]).collect());
        label
    });
    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("labels = "), "{outcome}");

    project.set("content.labels", "train-ids");
    let outcome = project.run().exits(2);
    outcome.complains_about(&[r#"content.labels was "auto" and is now "train-ids""#]);
    fs::remove_dir_all(project.path("out")).unwrap();
    let _ = project.run().exits(0);
    assert_eq!(project.row("00001", STYLES[0]).status, Status::Done);
    let stored = stored_label(&project, "00001");
    assert!(stored.bytes.iter().all(|&id| id < 19 || id == 255));

    project.set("content.labels", "colours");
    let outcome = project.run().exits(2);
    outcome.complains_about(&["colours", "palette-ids"]);
}

/// Returns a Cityscapes dataset with one scene for each group of label files, in a run that uses no labels itself.
fn cities(contents: &[(&str, &[&str])]) -> Project {
    let mut project = Project::new(0, 1);
    project.set("content.layout", "cityscapes");
    project.set("method.method", "adain");
    let label = Picture::input("00001_label.png");
    for (content, kinds) in contents {
        let image = Picture::input("00001.png").encode();
        project.write(&format!("gta5/images/{content}_leftImg8bit.png"), &image);
        for kind in *kinds {
            let label = match *kind {
                "labelTrainIds" => label.clone().without_palette().mapped(train_id),
                "color" => of_colours(label.clone()),
                _ => label.clone().without_palette(),
            };
            let path = format!("gta5/labels/{content}_gtFine_{kind}.png");
            project.write(&path, &label.encode());
        }
    }
    project
}

#[test]
fn of_labels_of_several_kinds_the_settings_choose_the_one_they_name() {
    let kinds = ["labelIds", "labelTrainIds", "color"];
    for (setting, are_label_ids) in [("train-ids", false), ("label-ids", true)] {
        let mut project = cities(&[("a", &kinds)]);
        project.set("content.labels", setting);
        let outcome = project.run().exits(0);
        assert!(!outcome.stdout.contains("label-encoding"), "{outcome}");
        let stored = stored_label(&project, "a");
        assert_eq!(stored.colour, ColorType::Grayscale);
        let mut ids = stored.bytes.iter();
        let has_label_ids = ids.any(|id| (19..255).contains(id));
        assert_eq!(has_label_ids, are_label_ids, "{setting}");
    }
    let mut project = cities(&[("a", &kinds)]);
    project.set("content.labels", "colour");
    let _ = project.run().exits(0);
    assert_eq!(stored_label(&project, "a").colour, ColorType::Rgb);

    let mut project = cities(&[("a", &["labelIds"])]);
    project.set("content.labels", "train-ids");
    let words = ["content.labels", "train-ids", "_gtFine_labelTrainIds.png"];
    project.run().exits(2).complains_about(&words);
    assert!(project.stored_nothing());
}

#[test]
fn labels_of_several_kinds_are_stored_as_one_with_a_word_and_a_count() {
    let project = cities(&[
        ("a", &["labelIds"]),
        ("b", &["color"]),
        ("c", &["labelTrainIds"]),
    ]);
    let outcome = project.run().exits(0);
    let told = "3 labels are of several kinds (1 of label-ids, 1 of train-ids, 1 of colour)";
    assert!(outcome.stderr.contains(told), "{outcome}");
    let counted = "done with a warning (2): label-encoding";
    assert!(outcome.stdout.contains(counted), "{outcome}");
    let classes = |content: &str| {
        let label = stored_label(&project, content);
        assert_eq!(label.colour, ColorType::Grayscale, "{content}");
        label.mapped(train_id).bytes
    };
    let expected = classes("a");
    assert_eq!(classes("b"), expected);
    assert_eq!(classes("c"), expected);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_label_that_could_be_of_either_kind_is_what_the_others_of_the_dataset_are() {
    let mut project = Project::new(0, 1);
    project.set("method.method", "adain");
    project.set("shards.contents", 1);
    // Of no class, which only train ids say as 255.
    let of_no_class = |id: u8| {
        if id == LABEL_IDS[0] {
            255
        } else {
            train_id(id)
        }
    };
    let trained = |label: Picture| label.without_palette().mapped(of_no_class);
    let ambiguous = |label: Picture| {
        label
            .without_palette()
            .mapped(|id| [8, 11, 13][usize::from(id % 3)])
    };
    project.add_content("1", unchanged, ambiguous);
    project.add_content("2", unchanged, trained);
    project.add_content("3", unchanged, trained);
    let outcome = project.run().exits(0);
    assert!(!outcome.stderr.contains("labels = "), "{outcome}");
    let row = project.row("1", STYLES[0]);
    let warning = row.warning.unwrap();
    assert!(
        warning.contains("other labels of the dataset are train ids"),
        "{warning}"
    );
    // Stored as a GTA5 label: vegetation, person and car by their label ids.
    let stored = stored_label(&project, "1");
    assert!(stored.bytes.iter().all(|id| [21, 24, 26].contains(id)));
    // It is decided once: that the others are read otherwise now makes it no other run.
    project.add_content("2", unchanged, unchanged);
    let outcome = project.run();
    let told = outcome.exits(2);
    told.complains_about(&["2.png", "is done"]);
    assert!(!told.stderr.contains("labels/1.png"), "{told}");
}

#[test]
fn the_advice_about_a_label_that_cannot_be_told_can_be_followed() {
    let mut project = Project::new(0, 1);
    project.set("method.method", "adain");
    // No 255, and no class of label ids beyond those of train ids.
    let trained = |label: Picture| label.without_palette().mapped(|id| train_id(id).min(18));
    project.add_content("1", unchanged, trained);
    let outcome = project.run().exits(1);
    assert!(
        outcome.stdout.contains("of a run of another name"),
        "{outcome}"
    );
    project.set("content.labels", "train-ids");
    project.set("run.name", "other");
    let _ = project.run().exits(0);
}
