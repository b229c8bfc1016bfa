//! Single files that are gone while their neighbours are there: told, chosen by their reason, and made once they are back.

use std::fs;

use shared::failure::FailureClass;
use shared::manifest::Status;
use tests::project::{Project, STYLES};
use tests::stored;

use super::fixture::started;

#[test]
fn a_file_that_vanishes_among_its_neighbours_is_missing_and_is_made_when_it_has_come_back() {
    let project = Project::new(5, 1);
    let running = started(&project);
    let (file, aside) = (
        project.path("gta5/images/00005.png"),
        project.path("aside.png"),
    );
    fs::rename(&file, &aside).unwrap();
    let outcome = running.end().exits(1);
    for words in [
        "4 of 5 images done",
        "00005.png was listed and is gone",
        "1 items are quarantined",
        "resume small --only quarantined",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    let row = project.row("00005", STYLES[0]);
    assert_eq!(row.error_class, Some(FailureClass::Missing));
    let _ = project.about_run(&["audit"]).exits(0);

    fs::rename(&aside, &file).unwrap();
    // Running again tries nothing again by itself, and says what does.
    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("--only quarantined"), "{outcome}");
    let only = ["resume", "--only", "quarantined"];
    let choose = |more: &[&'static str]| project.about_run(&[&only[..], more].concat());
    let none = choose(&["--reason", "bad-input"]).exits(0);
    assert!(none.stdout.contains("nothing to do again"), "{none}");
    let preview = choose(&["--reason", "missing", "--dry-run"]).exits(0);
    assert!(
        preview.stdout.contains("1 items: quarantined: "),
        "{preview}"
    );
    assert!(!project.stored("decisions").exists());
    let resumed = choose(&["--reason-contains", "00005"]).exits(0);
    assert!(
        resumed.stdout.contains("the next `synth2real run"),
        "{resumed}"
    );

    let status = project.about_run(&["status"]).exits(1);
    assert!(
        status
            .stdout
            .contains("1 quarantined (1 to be tried again)"),
        "{status}"
    );
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
    assert_eq!(project.row("00005", STYLES[0]).status, Status::Done);
    let _ = project.about_run(&["audit"]).exits(0);
    let _ = project.about_run(&["report"]).exits(0);
}

#[test]
fn only_quarantined_items_are_chosen_by_their_reasons() {
    let project = Project::new(1, 1);
    let outcome = project.about_run(&["resume", "--reason", "missing"]);
    // The run is not there yet either, and what is wrong with the words comes first or second.
    assert_eq!(outcome.code, Some(2), "{outcome}");
    let _ = project.run().exits(0);
    let outcome = project
        .about_run(&["resume", "--reason", "missing"])
        .exits(2);
    outcome.complains_about(&["--only quarantined"]);
}

#[test]
fn what_is_gone_and_whose_content_is_gone_too_is_tried_once_and_told_with_what_helps() {
    let mut project = Project::new(2, 1);
    project.set("method.method", "adain");
    let _ = project.run().exits(0);
    let image = project.stored(&format!("images/{}/00002.png", STYLES[0]));
    let before = fs::read(&image).unwrap();
    fs::remove_file(&image).unwrap();
    let (file, aside) = (
        project.path("gta5/images/00002.png"),
        project.path("aside.png"),
    );
    fs::rename(&file, &aside).unwrap();

    let helps = "00002.png was listed and is gone, while other files of its folder are there: put it back and run again";
    let outcome = project.run().exits(3);
    outcome.complains_about(&["cannot be made again as things are", helps]);
    assert!(!outcome.complaint().contains("anew"), "{outcome}");
    for words in ["--only quarantined", "quarantined item", "transient"] {
        assert!(!outcome.stderr.contains(words), "{words:?}: {outcome}");
    }
    let attempts = stored::paths(&project.stored("attempts"));
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    let status = project.about_run(&["status"]).exits(1);
    assert!(status.stdout.contains(helps), "{status}");
    assert!(!status.stdout.contains("makes them again"), "{status}");

    fs::rename(&aside, &file).unwrap();
    let _ = project.run().exits(0);
    assert!(fs::read(&image).unwrap() == before);
    let _ = project.about_run(&["audit"]).exits(0);
}
