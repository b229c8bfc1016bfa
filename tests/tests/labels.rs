//! Labels in other encodings than the layout's: read for what they are, stored as the layout promises, by every command.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use png::ColorType;
use shared::manifest::Status;
use shared::warning::WarningKind;
use tests::golden_model;
use tests::pictures::Picture;
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

/// Returns the output of `transfer` with the names that the run gives the pair.
fn transferred(project: &Project, content: &str) -> Vec<u8> {
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
            fs::read(image).unwrap() == transferred(&project, content),
            "{content}"
        );
    }
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
