//! Whether labels are still true: the pixels that a segmenter finds are committed as they are, however a run went, and what
//! was predicted for doubtful items is stored.
//!
//! The segmenter gives each pixel the nearest colour of a class, so that a test can work it out.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;

use png::ColorType;
use shared::confusion::{Confusion, LabelAgreement, NUM_PREDICTIONS};
use shared::dataset::classes::{CLASSES, NUM_CLASSES, UNKNOWN, train_id_of_label_id};
use shared::digest;
use shared::ids::ItemId;
use shared::manifest::ManifestRow;
use shared::warning::WarningKind;
use tests::images::Picture;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};
use tests::{repository, stored};

/// The size of the model's images, which contents have: what the segmenter sees of them are the files' own pixels.
const SIZE: [u32; 2] = [256, 128];
const CONTENTS: [&str; 2] = ["00001", "00002"];

/// Returns a project whose contents have the model's size, in two styles, with a segmenter.
fn project() -> Project {
    let mut project = Project::empty();
    let crop = |picture: Picture| picture.cropped(SIZE[0], SIZE[1]);
    for content in CONTENTS {
        project.add_content(content, crop, crop);
    }
    for style in &STYLES[..2] {
        project.add_style(style, STYLES[0]);
    }
    let segmenter = repository("tests/fixtures/segmenter");
    project.set("quality.segmenter", segmenter.display().to_string());
    project
}

/// Returns the project with outputs marked as doubtful that lost any of their content's agreement.
fn doubting() -> Project {
    let mut project = project();
    project.set("quality.min_label_agreement", 1.0);
    project
}

/// Returns the rows of all shards, without what depends on when they were made.
fn shard_rows(project: &Project) -> Vec<ManifestRow> {
    let folder = project.stored("shards");
    let shards = stored::paths(&folder).into_iter();
    let mut rows: Vec<ManifestRow> = shards
        .flat_map(|shard| stored::rows(&folder.join(shard)))
        .collect();
    rows.sort_by(|a, b| a.item.cmp(&b.item));
    stored::deterministic(rows)
}

fn agreements(project: &Project) -> BTreeMap<ItemId, LabelAgreement> {
    let rows = shard_rows(project).into_iter();
    rows.map(|row| {
        let agreement = row.quality.unwrap().agreement;
        (row.item, agreement.expect("a row has what was counted"))
    })
    .collect()
}

fn decoded(project: &Project, relative: &str) -> Picture {
    Picture::decode(&fs::read(project.path(relative)).unwrap())
}

/// Returns the train ids of a content, of the label that is stored for it.
fn label(project: &Project, content: &str) -> Vec<u8> {
    let label = decoded(project, &format!("out/runs/small/labels/{content}.png"));
    assert_eq!([label.width, label.height], SIZE);
    let train_ids = label.bytes.into_iter().map(train_id_of_label_id);
    train_ids.collect()
}

/// Returns the train ids of the colours that are nearest to a pixel: several where two are equally near.
fn nearest(pixel: &[u8]) -> Vec<u8> {
    let classes = CLASSES
        .iter()
        .zip(0..)
        .map(|(class, id)| (id, class.colour));
    let distance = |colour: [u8; 3]| -> i32 {
        let channels = pixel.iter().zip(colour);
        channels
            .map(|(&a, b)| (i32::from(a) - i32::from(b)).pow(2))
            .sum()
    };
    let known = classes.chain([(UNKNOWN, [0, 0, 0])]);
    let known: Vec<(u8, i32)> = known.map(|(id, colour)| (id, distance(colour))).collect();
    let least = known.iter().map(|(_, distance)| *distance).min();
    let nearest = known
        .iter()
        .filter(|(_, distance)| Some(*distance) == least);
    nearest.map(|(id, _)| *id).collect()
}

/// Checks counted pixels against those of an image and its label, which are told apart but for those between two colours.
fn check(counted: &Confusion, label: &[u8], image: &Picture) {
    assert_eq!(image.bytes.len(), 3 * label.len());
    let mut least = vec![0; NUM_CLASSES * NUM_PREDICTIONS];
    let mut most = least.clone();
    let mut num_labelled = 0;
    for (&class, pixel) in label.iter().zip(image.bytes.chunks_exact(3)) {
        if usize::from(class) >= NUM_CLASSES {
            continue;
        }
        num_labelled += 1;
        let nearest = nearest(pixel);
        for &id in &nearest {
            let cell = usize::from(class) * NUM_PREDICTIONS + usize::from(id).min(NUM_CLASSES);
            most[cell] += 1;
            least[cell] += u64::from(nearest.len() == 1);
        }
    }
    assert_eq!(counted.pixels(), num_labelled);
    for (cell, &count) in counted.counts().iter().enumerate() {
        let expected = least[cell]..=most[cell];
        assert!(expected.contains(&count), "{cell}: {count} of {expected:?}");
    }
    let certain: u64 = least.iter().sum();
    assert!(
        certain > num_labelled * 9 / 10,
        "{certain} of {num_labelled}"
    );
}

/// Returns the train ids of a stored prediction, each of them that of a colour that is nearest in an image.
fn prediction(project: &Project, relative: &str, sha256: &str, image: &Picture) -> Vec<u8> {
    let file = fs::read(project.path(relative)).unwrap();
    assert_eq!(digest::sha256(&file), sha256, "{relative}");
    let picture = Picture::decode(&file);
    assert_eq!(picture.colour, ColorType::Indexed);
    assert_eq!([picture.width, picture.height], SIZE);
    let palette = picture.palette.unwrap();
    assert_eq!(palette[3 * 10..][..3], CLASSES[10].colour);
    for (id, pixel) in picture.bytes.iter().zip(image.bytes.chunks_exact(3)) {
        assert!(
            nearest(pixel).contains(id),
            "{relative}: {id} for {pixel:?}"
        );
    }
    picture.bytes
}

#[test]
fn counted_pixels_are_those_of_the_stored_image_the_content_and_the_label() {
    let project = doubting();
    let _ = project.run().exits(0);
    let rows = shard_rows(&project);
    assert_eq!(rows.len(), 4);
    let mut num_doubtful = 0;
    for row in &rows {
        let ItemId { style, content } = &row.item;
        let quality = row.quality.as_ref().unwrap();
        let agreement = quality.agreement.as_ref().unwrap();
        let output = row.output.as_ref().unwrap();
        let after = decoded(&project, &format!("out/{}", output.image_key));
        let before = decoded(&project, &format!("gta5/images/{content}.png"));
        let label = label(&project, content);
        check(&agreement.output, &label, &after);
        check(&agreement.content, &label, &before);

        assert_eq!(
            quality.is_doubtful,
            agreement.is_doubtful(1.0),
            "{:?}",
            row.item
        );
        let paths = [
            format!("out/runs/small/predictions/outputs/{style}/{content}.png"),
            format!("out/runs/small/predictions/contents/{style}/{content}.png"),
        ];
        let Some(predictions) = &quality.predictions else {
            assert!(!quality.is_doubtful && !project.path(&paths[0]).exists());
            continue;
        };
        assert!(quality.is_doubtful);
        num_doubtful += 1;
        let of_output = prediction(&project, &paths[0], &predictions.output_sha256, &after);
        let of_content = prediction(&project, &paths[1], &predictions.content_sha256, &before);
        assert_eq!(Confusion::of(&label, &of_output), agreement.output);
        assert_eq!(Confusion::of(&label, &of_content), agreement.content);
    }
    assert!(num_doubtful > 0, "no output lost anything");

    // People read the figures of the same pixels in the run's manifest.
    let of_run = project.rows();
    for (row, of_run) in rows.iter().zip(&of_run) {
        assert_eq!(row.item, of_run.item);
        let (quality, figures) = (
            row.quality.as_ref().unwrap(),
            of_run.quality.as_ref().unwrap(),
        );
        assert_eq!(figures.agreement, None);
        assert_eq!(figures.label_figures(), quality.label_figures());
        assert_eq!(figures.is_doubtful, quality.is_doubtful);
        assert_eq!(figures.predictions, quality.predictions);
    }
}

#[test]
fn a_run_that_was_cut_counts_and_stores_what_an_undisturbed_one_does() {
    let project = doubting();
    let _ = project.run().exits(0);
    let (rows, pictures) = (shard_rows(&project), project.pictures());
    let predicted = pictures
        .keys()
        .find(|path| path.starts_with("predictions/outputs/"));
    // As if it had ended within a shard: an image is gone, and a prediction of one that is there.
    fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    fs::remove_file(project.stored(predicted.unwrap())).unwrap();
    let last = format!("images/{}/{}.png", STYLES[1], CONTENTS[1]);
    fs::remove_file(project.stored(&last)).unwrap();
    let _ = project.run().exits(0);
    assert_eq!(shard_rows(&project), rows);
    assert_eq!(project.pictures(), pictures);
}

#[test]
fn counts_do_not_depend_on_what_is_in_a_shard_and_nothing_is_doubted_without_a_share() {
    let together = doubting();
    let _ = together.run().exits(0);
    let mut alone = project();
    alone.set("shards.contents", 1);
    alone.set("shards.styles", 1);
    let _ = alone.run().exits(0);
    assert_eq!(agreements(&alone), agreements(&together));
    let qualities = shard_rows(&alone)
        .into_iter()
        .map(|row| row.quality.unwrap());
    for quality in qualities {
        assert_eq!((quality.is_doubtful, quality.predictions), (false, None));
    }
    assert!(!alone.stored("predictions").exists());
}

#[test]
fn a_run_without_a_segmenter_says_nothing_of_labels() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    for (file, words) in [
        ("run.json", ["segmenter", "min_label_agreement"]),
        ("shards/000000.parquet", ["label_miou", "doubtful"]),
        ("manifest.parquet", ["label_miou", "doubtful"]),
    ] {
        let bytes = fs::read(project.stored(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for word in words {
            assert!(!text.contains(word), "{file} has {word}");
        }
    }
}

#[test]
fn a_segmenter_and_the_share_that_is_asked_for_belong_to_the_run() {
    let mut project = doubting();
    let _ = project.run().exits(0);
    project.set("quality.min_label_agreement", 0.5);
    project
        .run()
        .exits(2)
        .complains_about(&["quality.min_label_agreement was 1.0 and is now 0.5"]);
    project.set("quality.min_label_agreement", 1.0);
    let fixture = repository("tests/fixtures/segmenter");
    let mut contract = fs::read(fixture.join("segmenter.json")).unwrap();
    contract.push(b'\n');
    project.write("other/segmenter.json", &contract);
    let graph = fs::read(fixture.join("segmenter.onnx")).unwrap();
    project.write("other/segmenter.onnx", &graph);
    project.set("quality.segmenter", "other");
    project
        .run()
        .exits(2)
        .complains_about(&["quality.segmenter (its SHA-256) was", "and is now"]);
}

#[test]
fn a_segmenter_that_is_not_there_or_cannot_judge_a_label_is_refused_before_any_work() {
    let mut project = project();
    project.set("quality.segmenter", "nowhere");
    project
        .run()
        .exits(3)
        .complains_about(&["nowhere/segmenter.json", "onnx-export"]);
    let contract = fs::read_to_string(repository("tests/fixtures/segmenter/segmenter.json"));
    let mut contract: serde_json::Value = serde_json::from_str(&contract.unwrap()).unwrap();
    for class in contract["classes"].as_array_mut().unwrap() {
        class["train_id"] = serde_json::Value::Null;
    }
    project.write("unmapped/segmenter.json", contract.to_string().as_bytes());
    project.set("quality.segmenter", "unmapped");
    project.run().exits(3).complains_about(&[
        "unmapped/segmenter.json",
        "none of its 20 classes",
        "--classes",
    ]);
    assert!(project.stored_nothing());

    let mut without = Project::new(1, 1);
    without.set("quality.min_label_agreement", 0.5);
    without
        .run()
        .exits(2)
        .complains_about(&["quality.segmenter (absent)", "quality.min_label_agreement"]);
}

#[test]
fn a_segmenter_whose_scores_are_not_finite_leaves_its_figures_out_with_a_warning() {
    let mut project = project();
    let fixture = repository("tests/fixtures/segmenter");
    let mut graph = fs::read(fixture.join("segmenter.onnx")).unwrap();
    let before = digest::sha256(&graph);
    let weight = (2.0 * (f32::from(CLASSES[0].colour[0]) / 255.0)).to_le_bytes();
    let at = graph.windows(4).position(|found| found == weight).unwrap();
    graph[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let contract = fs::read_to_string(fixture.join("segmenter.json")).unwrap();
    let contract = contract.replace(&before, &digest::sha256(&graph));
    project.write("damaged/segmenter.onnx", &graph);
    project.write("damaged/segmenter.json", contract.as_bytes());
    project.set("quality.segmenter", "damaged");
    project.set("quality.min_label_agreement", 1.0);
    let _ = project.run().exits(0);
    for row in shard_rows(&project) {
        assert!(
            row.warning_kinds.contains(&WarningKind::NotEvaluated),
            "{row:?}"
        );
        let warning = row.warning.unwrap();
        assert!(warning.contains("not finite"), "{warning}");
        let quality = row.quality.unwrap();
        assert_eq!((quality.agreement, quality.is_doubtful), (None, false));
    }
    let _ = project.about_run(&["audit"]).exits(0);
    let told = project.about_run(&["report"]).exits(0).stdout;
    assert!(
        !told.contains("agreement 0") && !told.contains("doubtful"),
        "{told}"
    );
}

#[test]
fn probe_names_the_segmenter_among_what_judges() {
    let project = project();
    let mut command = synth2real();
    let outcome = Outcome::of(command.arg("probe").arg(project.settings())).exits(0);
    assert!(
        outcome.stdout.contains("nearest colour of Cityscapes"),
        "{outcome}"
    );
    assert!(project.stored_nothing());
}
