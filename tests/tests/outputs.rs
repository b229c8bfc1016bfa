//! Files that commands write where they are told to: never over what they read, and never over what is no file.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::golden_model;
use tests::program::{Outcome, synth2real};
use tests::project::Project;

const USAGE: i32 = 2;

/// Converts the content `00001` of a project with some more options.
fn transfer(project: &Project, options: &[(&str, &Path)]) -> Outcome {
    let style = "style/images/night_000001_rgb_anon.png";
    let style_label = "style/labels/night_000001_gt_labelColor.png";
    let mut command = synth2real();
    command.arg("transfer").arg("--model").arg(golden_model());
    for (option, file) in [
        ("--content", "gta5/images/00001.png"),
        ("--content-label", "gta5/labels/00001.png"),
        ("--style", style),
        ("--style-label", style_label),
    ] {
        command.arg(option).arg(project.path(file));
    }
    for (option, path) in options {
        command.arg(option).arg(path);
    }
    Outcome::of(&mut command)
}

fn pipe(project: &Project) -> PathBuf {
    let pipe = project.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    pipe
}

#[test]
fn a_transfer_writes_over_none_of_its_inputs() {
    let project = Project::new(1, 1);
    let content = project.path("gta5/images/00001.png");
    let before = fs::read(&content).unwrap();
    let link = project.path("link.png");
    symlink(&content, &link).unwrap();
    for out in [&content, &link] {
        let outcome = transfer(&project, &[("--out", out)]).exits(USAGE);
        outcome.complains_about(&["--out", "it is what --content", "name another file"]);
    }
    let out = project.path("out.png");
    let label = project.path("gta5/labels/00001.png");
    let outcome = transfer(&project, &[("--out", &out), ("--trace", &label)]).exits(USAGE);
    outcome.complains_about(&["--trace", "it is what --content-label"]);
    let model = golden_model().join("model.json");
    let outcome = transfer(&project, &[("--out", &model)]).exits(USAGE);
    outcome.complains_about(&["--out", "it is what --model"]);
    let outcome = transfer(&project, &[("--out", &out), ("--trace", &out)]).exits(USAGE);
    outcome.complains_about(&["--out", "--trace", "are one file"]);
    assert_eq!(fs::read(&content).unwrap(), before);
    assert!(!out.exists());
}

#[test]
fn what_is_no_file_is_refused_before_any_work_and_stays() {
    let project = Project::new(1, 1);
    let pipe = pipe(&project);
    let link = project.path("link");
    symlink(&pipe, &link).unwrap();
    for out in [&pipe, &link] {
        let outcome = transfer(&project, &[("--out", out)]).exits(USAGE);
        outcome.complains_about(&["--out", "it is no file"]);
    }
    let outcome = project.reference_stats("gta5/images", "pipe").exits(USAGE);
    outcome.complains_about(&["--out", "it is no file"]);
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn what_a_link_leads_to_is_what_is_written_whatever_the_link_is_called() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    let record = project.stored("run.json");
    let content = project.path("gta5/images/00001.png");
    let folder = project.path("by-way-of");
    symlink(project.path("gta5/images"), &folder).unwrap();
    let link = |target: &Path, name: &str| {
        let link = project.path(name);
        symlink(target, &link).unwrap();
        link
    };
    for (target, name, words) in [
        (&record, "record.html", "it is what --root"),
        (&content, "content.html", "00001.png: an HTML page"),
        (
            &folder.join("00001.png"),
            "folder.html",
            "00001.png: an HTML page",
        ),
    ] {
        let before = fs::read(target).unwrap();
        let html = format!("--html={}", link(target, name).display());
        let outcome = project.about_run(&["report", &html]).exits(USAGE);
        outcome.complains_about(&["--html", name, words]);
        assert_eq!(fs::read(target).unwrap(), before);
    }
    let before = fs::read(&content).unwrap();
    for target in [&content, &folder.join("00001.png")] {
        let name = "statistics.npz";
        let statistics = link(target, name);
        let outcome = project.reference_stats("gta5/images", name).exits(USAGE);
        outcome.complains_about(&["--out", name, "it is what --images"]);
        assert_eq!(fs::read(&content).unwrap(), before);
        fs::remove_file(statistics).unwrap();
    }
}

#[test]
fn a_page_is_written_over_no_record_of_a_run_and_through_a_link() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    let record = project.stored("run.json");
    let before = fs::read(&record).unwrap();
    let html = format!("--html={}", record.display());
    let outcome = project.about_run(&["report", &html]).exits(USAGE);
    outcome.complains_about(&["--html", "it is what --root"]);
    assert_eq!(fs::read(&record).unwrap(), before);

    symlink("page.html", project.path("link.html")).unwrap();
    let html = format!("--html={}", project.path("link.html").display());
    for _ in 0..2 {
        let _ = project.about_run(&["report", &html]).exits(0);
        assert!(project.path("link.html").is_symlink());
        assert!(
            fs::read(project.path("page.html"))
                .unwrap()
                .starts_with(b"<!")
        );
    }
}

#[test]
fn a_page_is_not_written_where_storage_keeps_files_for_itself() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    fs::create_dir_all(project.path("out/.writing")).unwrap();
    symlink("out/.writing/page.html", project.path("link.html")).unwrap();
    symlink("link.html", project.path("link-of-link.html")).unwrap();
    for page in [
        "out/.writing/page.html",
        "out/.trial-page.html",
        "link.html",
        "link-of-link.html",
    ] {
        let page = project.path(page);
        let html = format!("--html={}", page.display());
        let outcome = project.about_run(&["report", &html]).exits(USAGE);
        outcome.complains_about(&["--html", "what storage keeps for itself", "elsewhere"]);
        assert!(!page.exists());
    }
}

#[test]
fn what_is_written_is_not_given_the_ending_of_something_else() {
    let project = Project::new(1, 1);
    let (jpeg, out) = (project.path("out.jpg"), project.path("out.png"));
    let outcome = transfer(&project, &[("--out", &jpeg)]).exits(USAGE);
    outcome.complains_about(&["--out", "out.jpg", "a PNG is written", "ends in .png"]);
    let trace = project.path("trace.txt");
    let outcome = transfer(&project, &[("--out", &out), ("--trace", &trace)]).exits(USAGE);
    outcome.complains_about(&["--trace", "trace.txt", "ends in .npz"]);
    let outcome = project
        .reference_stats("gta5/images", "six.txt")
        .exits(USAGE);
    outcome.complains_about(&["--out", "six.txt", "an NPZ file is written"]);
    for path in [jpeg, out, trace, project.path("six.txt")] {
        assert!(!path.exists(), "{}", path.display());
    }
    let _ = project.run().exits(0);
    let html = format!("--html={}", project.path("page.txt").display());
    let outcome = project.about_run(&["report", &html]).exits(USAGE);
    outcome.complains_about(&["--html", "page.txt", "ends in .html or .htm"]);
}
