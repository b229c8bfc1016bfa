//! What is in an export: every picture of the run that was chosen, and what is said of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use png::ColorType;
use serde_json::Value;
use shared::dataset::classes::train_id_of_label_id;
use shared::digest;
use tests::images::Picture;
use tests::project::{Project, STYLES};
use tests::{repository, stored};

use crate::fixture::{FORMATS, check, converted, export, files};

fn json(project: &Project, path: &str) -> Value {
    serde_json::from_slice(&fs::read(project.path(path)).unwrap()).unwrap()
}

#[test]
fn every_layout_is_whole_says_what_it_is_and_is_found_altered_when_it_was() {
    let project = converted(3);
    for format in FORMATS {
        let told = export(&project, format, format, &["--val", "0.34"]).exits(0);
        assert!(told.stdout.contains("4 train and 2 val images"), "{told}");
        let told = check(&project, format).exits(0);
        assert!(told.stdout.contains("clean"), "{told}");
        let folder = project.path(format);
        let mut sums = Command::new("sha256sum");
        sums.args(["--check", "--strict", "--quiet", "SHA256SUMS"]);
        assert!(sums.current_dir(&folder).status().unwrap().success());

        let card = fs::read_to_string(folder.join("README.md")).unwrap();
        let of_style = format!("- `{}`, `", STYLES[1]);
        for words in [
            "# small",
            "- for research only",
            "\"steps\": 4",
            "SSIM",
            "- contents: 3 in the layout gta5",
            "- styles: 2 photographs",
            of_style.as_str(),
            "- pairing: `every-style`, of all contents",
            "- seed: ",
        ] {
            assert!(card.contains(words), "no {words:?} in\n{card}");
        }
        let croissant = json(&project, &format!("{format}/croissant.json"));
        assert_eq!(
            croissant["conformsTo"],
            "http://mlcommons.org/croissant/1.0"
        );
        assert_eq!(croissant["license"][0], "for research only");
        let items = fs::read_to_string(folder.join("items.csv")).unwrap();
        assert_eq!(items.lines().count(), 7, "{items}");

        let again = export(&project, format, format, &["--val", "0.34"]).exits(0);
        assert!(again.stdout.contains("nothing was written"), "{again}");
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        let told = check(&project, format).exits(1);
        assert!(told.stdout.contains("notes.txt is no part"), "{told}");
        fs::remove_file(folder.join("notes.txt")).unwrap();
        fs::write(folder.join("items.csv"), "other").unwrap();
        let told = check(&project, format).exits(1);
        assert!(told.stdout.contains("items.csv has SHA-256"), "{told}");
        fs::remove_file(folder.join("items.csv")).unwrap();
        let told = check(&project, format).exits(1);
        assert!(told.stdout.contains("items.csv is missing"), "{told}");
    }
}

#[test]
fn a_set_of_cityscapes_has_the_runs_images_and_labels_of_every_kind() {
    let project = converted(2);
    let _ = export(&project, "cityscapes", "set", &[]).exits(0);
    let at = |path: &str| fs::read(project.path("set").join(path)).unwrap();
    let stem = "train/night-000001/night-000001_00002_000001";
    let image = at(&format!("leftImg8bit/{stem}_leftImg8bit.png"));
    let of_run = project.stored(&format!("images/{}/00002.png", STYLES[0]));
    assert_eq!(image, fs::read(of_run).unwrap());

    let stored = Picture::decode(&fs::read(project.stored("labels/00002.png")).unwrap());
    let label = |kind: &str| Picture::decode(&at(&format!("gtFine/{stem}_gtFine_{kind}.png")));
    let (label_ids, train_ids, colours) =
        (label("labelIds"), label("labelTrainIds"), label("color"));
    assert_eq!(label_ids.colour, ColorType::Grayscale);
    assert_eq!(
        (label_ids.width, label_ids.height),
        (stored.width, stored.height)
    );
    let known = stored.bytes.iter().map(|&id| if id < 34 { id } else { 0 });
    assert_eq!(label_ids.bytes, known.collect::<Vec<u8>>());
    let expected = label_ids.bytes.iter().map(|&id| train_id_of_label_id(id));
    assert_eq!(train_ids.bytes, expected.collect::<Vec<u8>>());
    assert_eq!(colours.bytes.len(), 3 * train_ids.bytes.len());

    let stats = json(&project, "set/sample_class_stats.json");
    let path = format!("gtFine/{stem}_gtFine_labelTrainIds.png");
    let stats = stats.as_array().unwrap();
    assert_eq!(stats.len(), 4);
    let of_label = stats.iter().find(|of| of["file"] == path.as_str()).unwrap();
    let road = train_ids.bytes.iter().filter(|&&id| id == 0).count();
    assert_eq!(of_label["0"], road);
    let having = json(&project, "set/samples_with_class.json");
    let having = having["0"].as_array().unwrap();
    assert!(
        having.contains(&serde_json::json!([path, road])),
        "{having:?}"
    );
}

#[test]
fn styles_classes_and_shares_are_chosen_and_no_content_is_in_both_parts() {
    let project = converted(4);
    let of_style = ["--style", "snow*", "--style", "night_000001"];
    let told = export(&project, "cityscapes", "of-style", &of_style).exits(0);
    assert!(
        told.stdout.contains("left out: 4 items of other styles"),
        "{told}"
    );
    let images = stored::paths(&project.path("of-style/leftImg8bit/train"));
    assert_eq!(images.len(), 4, "{images:?}");

    let told = export(&project, "cityscapes", "of-class", &["--class", "road"]).exits(0);
    assert!(!told.stdout.contains("left out"), "{told}");
    let nothing = export(&project, "cityscapes", "nothing", &["--class", "train"]);
    nothing
        .exits(2)
        .complains_about(&["nothing of run small is left", "classes"]);

    let halves = ["--val", "0.5", "--split", "fit"];
    let _ = export(&project, "coco-panoptic", "halves", &halves).exits(0);
    let contents = |split: &str| -> Vec<String> {
        let annotations = json(
            &project,
            &format!("halves/annotations/panoptic_{split}.json"),
        );
        let images = annotations["images"].as_array().unwrap().iter();
        images.map(|image| image["content"].to_string()).collect()
    };
    let (fit, val) = (contents("fit"), contents("val"));
    assert_eq!((fit.len(), val.len()), (4, 4));
    assert!(
        fit.iter().all(|content| !val.contains(content)),
        "{fit:?} {val:?}"
    );
}

#[test]
fn a_linked_set_has_the_runs_own_files_and_the_bytes_of_a_copied_one() {
    let project = converted(1);
    for format in ["cityscapes", "coco-panoptic", "fiftyone"] {
        let (copied, linked) = (format!("copied-{format}"), format!("linked-{format}"));
        let _ = export(&project, format, &copied, &[]).exits(0);
        let _ = export(&project, format, &linked, &["--link"]).exits(0);
        assert_eq!(files(&project.path(&linked)), files(&project.path(&copied)));
        let _ = check(&project, &linked).exits(0);
    }
    let of_run = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    let image = project.path("linked-fiftyone/data/00001_night-000001.png");
    let inode = |path: &std::path::Path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&image), inode(&of_run));
}

#[test]
fn doubtful_items_are_left_out_when_that_is_asked() {
    let mut project = Project::empty();
    for content in ["00001", "00002"] {
        let crop = |picture: Picture| picture.cropped(256, 128);
        project.add_content(content, crop, crop);
    }
    for style in &STYLES[..2] {
        project.add_style(style, STYLES[0]);
    }
    let segmenter = repository("tests/fixtures/segmenter");
    project.set("quality.segmenter", segmenter.display().to_string());
    project.set("quality.min_label_agreement", 1.0);
    let _ = project.run().exits(0);
    let rows = project.rows();
    let is_doubtful = |row: &&shared::manifest::ManifestRow| {
        row.quality
            .as_ref()
            .is_some_and(|quality| quality.is_doubtful)
    };
    let doubtful = rows.iter().filter(is_doubtful).count();
    assert!(doubtful > 0, "nothing is doubtful");

    let _ = export(&project, "fiftyone", "all", &[]).exits(0);
    let samples = json(&project, "all/samples.json");
    let samples = samples["samples"].as_array().unwrap();
    assert_eq!(samples.len(), rows.len());
    let marked = samples.iter().filter(|sample| sample["doubtful"] == true);
    assert_eq!(marked.count(), doubtful);
    assert!(
        samples.iter().all(|sample| sample["label_miou"].is_f64()),
        "{samples:?}"
    );
    let card = fs::read_to_string(project.path("all/README.md")).unwrap();
    assert!(
        card.contains(" -> ") && card.contains("segmenter: `"),
        "{card}"
    );

    let without = export(&project, "fiftyone", "sure", &["--without", "doubtful"]);
    if doubtful == rows.len() {
        without
            .exits(2)
            .complains_about(&["items doubtful", "choose more"]);
    } else {
        let told = without.exits(0);
        assert!(told.stdout.contains("doubtful"), "{told}");
        let samples = json(&project, "sure/samples.json");
        let samples = samples["samples"].as_array().unwrap();
        assert_eq!(samples.len(), rows.len() - doubtful);
    }
}

#[test]
fn a_card_names_the_network_of_the_class_maps_of_photographs_without_labels() {
    for (key, network) in [("style.prior", "prior"), ("style.segmenter", "segmenter")] {
        let mut project = Project::new(1, 1);
        fs::remove_file(project.path(&format!("style/labels/{}_gt_labelColor.png", STYLES[0])))
            .unwrap();
        let at = repository(&format!("tests/fixtures/{network}"));
        project.set(key, at.display().to_string());
        let _ = project.run().exits(0);
        let _ = export(&project, "fiftyone", "set", &[]).exits(0);
        let card = fs::read_to_string(project.path("set/README.md")).unwrap();
        let sha256 = digest::sha256_of_file(&at.join(format!("{network}.json"))).unwrap();
        let expected = format!(
            "- class maps of photographs without labels: by the network of {key}, `{sha256}`\n"
        );
        assert!(card.contains(&expected), "no {expected:?} in\n{card}");
    }
    let labelled = converted(1);
    let _ = export(&labelled, "fiftyone", "set", &[]).exits(0);
    let card = fs::read_to_string(labelled.path("set/README.md")).unwrap();
    assert!(!card.contains("class maps"), "{card}");
}

#[test]
fn nothing_in_an_export_says_where_something_lies_on_this_machine() {
    let mut project = Project::new(3, 1);
    project.judge_by_demo_features();
    let _ = project.run().exits(0);
    let place = project.path("gta5").parent().unwrap().to_owned();
    let place = place.to_str().unwrap();
    for format in FORMATS {
        let _ = export(&project, format, format, &[]).exits(0);
        let folder = project.path(format);
        let card = fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(card.contains("| `photographs.npz` |"), "{card}");
        for path in stored::paths(&folder) {
            let bytes = fs::read(folder.join(&path)).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(place), "{format}/{path} names {place}");
        }
    }
}
