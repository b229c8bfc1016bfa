//! Inputs that cannot be converted cost their own items and nothing else; odd ones are converted and say so.

use std::fs;

use shared::failure::FailureClass;
use shared::manifest::{ManifestRow, Status};
use tests::images::{Picture, input};
use tests::project::{Project, STYLES};

const GOOD: &str = "00001";

fn assert_quarantined(row: &ManifestRow, words: &[&str]) {
    let reason = row.error.as_deref().unwrap_or_default();
    assert_eq!(row.status, Status::Quarantined, "{row:?}");
    assert_eq!(row.error_class, Some(FailureClass::BadInput));
    assert!(row.output.is_none());
    assert!(!reason.contains('\n') && !reason.contains("panicked"));
    for word in words {
        assert!(reason.contains(word), "no {word:?} in: {reason}");
    }
}

fn unchanged(picture: Picture) -> Picture {
    picture
}

#[test]
fn a_content_that_claims_to_be_larger_than_any_picture_is_quarantined_unread() {
    let project = Project::new(1, 1);
    project.add_content("sparse", unchanged, unchanged);
    let sparse = fs::File::create(project.path("gta5/images/sparse.png")).unwrap();
    sparse.set_len(6 << 30).unwrap();
    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("1 of 2 images done"), "{outcome}");
    let row = project.row("sparse", STYLES[0]);
    assert_quarantined(&row, &["sparse.png", "6442450944 bytes"]);
}

#[test]
fn a_content_that_cannot_be_used_is_quarantined_with_its_reason_and_the_others_are_done() {
    let project = Project::new(1, 1);
    let image = input("00001.png");
    let whole = |name: &str| project.add_content(name, unchanged, unchanged);
    whole("truncated");
    project.write("gta5/images/truncated.png", &image[..image.len() / 2]);
    whole("empty");
    project.write("gta5/images/empty.png", b"");
    whole("text");
    project.write("gta5/images/text.png", b"<html>404 not found</html>");
    whole("unlabelled");
    fs::remove_file(project.path("gta5/labels/unlabelled.png")).unwrap();
    whole("empty-label");
    project.write("gta5/labels/empty-label.png", b"");
    let other_size = Picture::input("snow_000002_leftImg8bit.png").encode();
    whole("other-size");
    project.write("gta5/images/other-size.png", &other_size);
    project.add_content("unknown-ids", unchanged, |label| label.mapped(|_| 3));
    project.add_content("odd-label", unchanged, |mut label| {
        label.palette = Some((0..=255).flat_map(|index| [index, 2, 3]).collect());
        label
    });

    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("1 of 8 images done"), "{outcome}");
    // A content without a label is none, and costs nothing.
    for words in [
        "1 picture has no label and is left out",
        "images/unlabelled.png",
    ] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    assert_eq!(project.row(GOOD, STYLES[0]).status, Status::Done);
    for (content, words) in [
        (
            "truncated",
            &["images/truncated.png", "cannot be decoded"][..],
        ),
        ("empty", &["images/empty.png", "is empty"]),
        ("text", &["images/text.png", "is no image", "PNG, JPEG"]),
        ("empty-label", &["labels/empty-label.png", "is empty"]),
        (
            "other-size",
            &["labels/other-size.png", "480x264", "512x256"],
        ),
        ("unknown-ids", &["labels/unknown-ids.png", "none of the 19"]),
        (
            "odd-label",
            &["labels/odd-label.png", "cannot be told", "labels ="],
        ),
    ] {
        assert_quarantined(&project.row(content, STYLES[0]), words);
        assert!(outcome.stdout.contains(words[0]), "{content}: {outcome}");
    }
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_style_that_cannot_be_used_costs_its_own_items() {
    let project = Project::new(2, 2);
    let broken = &input("night_000001_rgb_anon.png")[..5000];
    project.write("style/images/night_000002_rgb_anon.png", broken);
    let _ = project.run().exits(1);
    for content in ["00001", "00002"] {
        assert_eq!(project.row(content, STYLES[0]).status, Status::Done);
        let words = [
            "style/images/night_000002_rgb_anon.png",
            "cannot be decoded",
        ];
        assert_quarantined(&project.row(content, STYLES[1]), &words);
    }
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn an_odd_input_is_converted_with_a_warning_in_the_manifest() {
    let project = Project::new(1, 1);
    project.add_content("alpha", Picture::with_alpha, unchanged);
    project.add_content("deep", Picture::with_16_bits, unchanged);
    project.add_content("grey", Picture::greyscale, unchanged);
    // The whole scene is rider, which no golden style shows.
    project.add_content("riders", unchanged, |label| label.mapped(|_| 25));
    let _ = project.run().exits(0);
    assert_eq!(project.row(GOOD, STYLES[0]).warning, None);
    for (content, words) in [
        ("alpha", ["images/alpha.png", "alpha channel"]),
        ("deep", ["images/deep.png", "more than 8 bits"]),
        ("grey", ["images/grey.png", "greyscale"]),
        ("riders", ["no class is left of both", "class-wise AdaIN"]),
    ] {
        let row = project.row(content, STYLES[0]);
        let warning = row.warning.unwrap_or_default();
        assert_eq!(row.status, Status::Done);
        for word in words {
            assert!(warning.contains(word), "{content}: {warning}");
        }
    }
}

#[test]
fn a_run_with_too_many_bad_inputs_stops_and_says_what_helps() {
    let mut project = Project::new(4, 1);
    project.set("limits.max_failed", 0.2);
    project.set("shards.contents", 1);
    for content in ["00001", "00002"] {
        project.write(&format!("gta5/images/{content}.png"), b"");
    }
    let outcome = project.run().exits(1);
    for words in [
        "1 of 4",
        "limits.max_failed (0.2)",
        "raise the limit",
        "--only quarantined",
    ] {
        assert!(outcome.stdout.contains(words), "{outcome}");
    }
    // It would say otherwise than how to have the quarantined tried again.
    assert!(!outcome.stdout.contains("run.name"), "{outcome}");
    assert!(!project.stored("images").exists());

    // A raised limit is not another run.
    project.set("limits.max_failed", 0.5);
    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("2 of 4 images done"), "{outcome}");
}
