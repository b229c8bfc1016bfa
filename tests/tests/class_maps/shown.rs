//! Maps that are shown before a run, and what people make of them.

use std::fs;

use shared::manifest::ManifestRow;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, STYLES};
use tests::stored;

use crate::with_prior;

#[test]
fn maps_are_shown_before_a_run_and_one_that_is_put_beside_its_photograph_is_its_label() {
    let project = with_prior();
    let shown = project.path("shown");
    let mut command = synth2real();
    command.arg("priors").arg(project.settings());
    let outcome = Outcome::of(command.arg("--out").arg(&shown)).exits(0);
    assert!(project.stored_nothing());
    for style in &STYLES[..2] {
        let of_style = outcome.stdout.lines().find(|line| line.starts_with(style));
        assert!(of_style.unwrap().contains(" %"), "{outcome}");
    }
    let expected = ["maps", "overlays"].map(|folder| {
        let files = STYLES[..2].iter();
        files.map(move |style| format!("{folder}/{style}.png"))
    });
    let expected: Vec<String> = expected.into_iter().flatten().collect();
    assert_eq!(stored::paths(&shown), expected);
    let _ = project.run().exits(0);

    let (labelled, style) = (with_prior(), STYLES[0]);
    let map = fs::read(shown.join(format!("maps/{style}.png"))).unwrap();
    labelled.write(&format!("style/labels/{style}_gt_labelTrainIds.png"), &map);
    let _ = labelled.run().exits(0);
    for content in ["00001", "00002"] {
        let (of_map, of_label) = (project.row(content, style), labelled.row(content, style));
        assert!(of_map.prior_sha256.is_some());
        assert_eq!(of_label.prior_sha256, None);
        let image = |row: &ManifestRow| row.output.as_ref().unwrap().image_sha256.clone();
        assert_eq!(image(&of_map), image(&of_label), "{content}");
    }

    let mut command = synth2real();
    command.arg("priors").arg(project.settings());
    let among = project.path("style/images");
    let outcome = Outcome::of(command.arg("--out").arg(among)).exits(2);
    outcome.complains_about(&["--out", "among what style.root reads"]);
    let mut command = synth2real();
    let all_labelled = Project::new(1, 1);
    command.arg("priors").arg(all_labelled.settings());
    let outcome = Outcome::of(command.arg("--out").arg(all_labelled.path("none"))).exits(0);
    assert!(outcome.stdout.contains("no class map is made"), "{outcome}");
}

#[test]
fn a_map_that_was_corrected_by_hand_is_not_written_over() {
    let project = with_prior();
    let shown = project.path("shown");
    let priors = || {
        let mut command = synth2real();
        command.arg("priors").arg(project.settings());
        Outcome::of(command.arg("--out").arg(&shown))
    };
    let _ = priors().exits(0);
    let made = stored::paths(&shown);
    // What is there is what would be made.
    let _ = priors().exits(0);
    assert_eq!(stored::paths(&shown), made);

    let [one, other] = [0, 1].map(|style| shown.join(format!("maps/{}.png", STYLES[style])));
    let corrected = fs::read(&one).unwrap();
    fs::write(&other, &corrected).unwrap();
    fs::remove_file(&one).unwrap();
    let outcome = priors().exits(2);
    let words = [
        "night_000002.png is there and is another map",
        "beside its photograph as a label",
        "--out",
    ];
    outcome.complains_about(&words);
    assert_eq!(fs::read(&other).unwrap(), corrected);
    assert!(!one.exists(), "others are written before it is looked at");
}
