//! A deep audit, which computes figures again from images and inputs.

use std::fs;

use tests::project::Project;

#[test]
fn a_deep_audit_computes_figures_again_and_says_of_how_many_it_could() {
    let project = Project::new(2, 2);
    let _ = project.run().exits(0);
    let deep = ["audit", "--deep", "--seed", "7"];
    let audit = project.about_run(&deep).exits(0);
    for words in ["seed 7", "4 of 4 items computed again", "0 findings"] {
        assert!(audit.stdout.contains(words), "no {words:?}: {audit}");
    }
    let some = ["audit", "--deep", "--sample", "3"];
    let audit = project.about_run(&some).exits(0);
    assert!(
        audit.stdout.contains("3 of 3 items computed again"),
        "{audit}"
    );

    fs::remove_file(project.path("gta5/images/00002.png")).unwrap();
    let audit = project.about_run(&deep).exits(0);
    for words in ["2 of 4 items computed again", "could not be", "00002.png"] {
        assert!(audit.stdout.contains(words), "no {words:?}: {audit}");
    }
}
