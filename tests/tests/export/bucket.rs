//! Exports into buckets, and of runs that lie there.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use tests::program::{Outcome, Running, synth2real};
use tests::project::{Project, RUN};
use tests::s3_server::{BUCKET, S3Server};

use crate::fixture::{converted, export, files};

const PREFIX: &str = "sets/small";

fn command(project: &Project, server: &S3Server, options: &[&str]) -> Command {
    let mut command = synth2real();
    command.envs(server.environment()).args(["export", RUN]);
    command.arg("--root").arg(project.path("out"));
    command.arg("--out").arg(format!("s3://{BUCKET}/{PREFIX}"));
    command.args(options);
    command
}

/// Returns the digest of each object below the prefix, as the server's folder holds it.
fn objects(server: &S3Server) -> BTreeMap<String, String> {
    let mut objects = files(&server.folder().join(PREFIX));
    // What is left where storage was tried out.
    objects.retain(|path, _| !path.starts_with(".probe"));
    objects
}

fn has(server: &S3Server, path: &str) -> bool {
    server.folder().join(PREFIX).join(path).is_file()
}

#[test]
fn an_export_into_a_bucket_is_that_into_a_folder_and_is_checked_there() {
    let project = converted(2);
    for format in ["cityscapes", "webdataset"] {
        let server = S3Server::start();
        let _ = Outcome::of(&mut command(&project, &server, &["--as", format])).exits(0);
        let _ = export(&project, format, format, &[]).exits(0);
        assert_eq!(objects(&server), files(&project.path(format)));
        let told = Outcome::of(&mut command(&project, &server, &["--check"])).exits(0);
        assert!(told.stdout.contains("clean"), "{told}");
        // Nothing that is read is copied to a disk.
        let mut without_disk = command(&project, &server, &["--check"]);
        let _ = Outcome::of(without_disk.env("TMPDIR", "/nowhere")).exits(0);
        let link = ["--as", format, "--link"];
        let link = Outcome::of(&mut command(&project, &server, &link)).exits(2);
        link.complains_about(&["--link"]);
    }
}

#[test]
fn an_export_into_a_bucket_that_is_told_to_stop_says_how_to_go_on_and_does() {
    let project = converted(3);
    let server = S3Server::start();
    let as_cityscapes = ["--as", "cityscapes"];
    server.slow_down(Duration::from_millis(20));
    let mut running = Running::start(&mut command(&project, &server, &as_cityscapes));
    let first = "leftImg8bit/train/night-000001/night-000001_00001_000000_leftImg8bit.png";
    assert!(running.wait_until(|| has(&server, first)), "it has ended");
    running.signal("TERM");
    let told = running.end().exits(130);
    assert!(told.stderr.contains("run the same command again"), "{told}");
    assert!(!has(&server, "README.md"), "it was not stopped");

    server.slow_down(Duration::ZERO);
    let _ = Outcome::of(&mut command(&project, &server, &as_cityscapes)).exits(0);
    let _ = export(&project, "cityscapes", "set", &[]).exits(0);
    assert_eq!(objects(&server), files(&project.path("set")));
}
