//! Storage that has no room or may not be written, on small file systems of the test's own.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use tests::program::{self, Outcome};
use tests::project::Project;
use tests::{promised, stored};

/// How to be permitted to mount.
const HOW: &str = "infra/setup/mounts.sh says what this machine lacks";

/// Runs a shell script in which `$OUT` may be mounted over and `run` converts; nothing if that is not permitted here.
fn in_own_mounts(project: &Project, script: &str) -> Option<Outcome> {
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script]);
        command.env("OUT", project.path("out"));
        command.env("KEPT", project.path("kept"));
        command.env("PROGRAM", program::path());
        command.env("SETTINGS", project.settings());
        command
    };
    std::fs::create_dir_all(project.path("out")).unwrap();
    let mount = "mount -t tmpfs -o size=64k tmpfs \"$OUT\"";
    let permitted = shell(mount).output();
    let permitted = permitted.is_ok_and(|output| output.status.success());
    promised::or_left_out("permission to mount", HOW, permitted.then_some(()))?;
    let prelude = "run() { \"$PROGRAM\" run \"$SETTINGS\"; }\n";
    Some(Outcome::of(&mut shell(&format!("{prelude}{script}"))))
}

#[test]
fn a_full_disk_is_told_before_any_work() {
    let project = Project::new(1, 1);
    let script = r#"
        mount -t tmpfs -o size=64k tmpfs "$OUT"
        run; code=$?
        find "$OUT" -type f
        exit $code
    "#;
    let Some(outcome) = in_own_mounts(&project, script) else {
        return;
    };
    let outcome = outcome.exits(3);
    outcome.complains_about(&["out", "65536 bytes left", "free some space"]);
    assert_eq!(outcome.stdout, "", "nothing is stored");

    let script = r#"
        mount -t tmpfs -o size=64k tmpfs "$OUT"
        mkdir "$OUT/runs"
        cat /dev/zero > "$OUT/filler" 2>/dev/null
        run
    "#;
    let outcome = in_own_mounts(&project, script).unwrap().exits(3);
    outcome.complains_about(&["out", "no space is left", "free some"]);
}

#[test]
fn a_folder_that_may_not_be_written_is_told_before_any_work() {
    let project = Project::new(1, 1);
    let script = r#"
        mount -t tmpfs -o ro tmpfs "$OUT"
        run
    "#;
    if let Some(outcome) = in_own_mounts(&project, script) {
        let outcome = outcome.exits(3);
        outcome.complains_about(&["out", "Read-only file system"]);
    }
}

#[test]
fn a_disk_that_fills_up_stops_the_run_which_goes_on_to_the_same_bytes_once_there_is_room() {
    let project = Project::new(4, 1);
    // Room for some of the images and not for all.
    let script = r#"
        mount -t tmpfs -o size=200k tmpfs "$OUT"
        run; code=$?
        [ $code = 3 ] || exit 90
        find "$OUT/.writing" -type f | grep . && exit 91
        find "$OUT" -name '*.parquet' | grep . && exit 92
        find "$OUT" -path '*images*' -type f | grep -q . || exit 93
        mkdir "$KEPT" && cp -a "$OUT/." "$KEPT/"
        mount -o remount,size=8m "$OUT"
        run || exit 94
        rm -r "$KEPT" && mkdir "$KEPT" && cp -a "$OUT/." "$KEPT/"
    "#;
    let Some(outcome) = in_own_mounts(&project, script) else {
        return;
    };
    let outcome = outcome.exits(0);
    outcome.complains_about(&["no space is left", "free some", "run again", "is kept"]);

    let _ = project.run().exits(0);
    let resumed = stored::pictures(&project.path("kept/runs/small"));
    assert_eq!(resumed, project.pictures());
}

#[test]
fn a_disk_that_fills_up_stops_an_export_which_goes_on_once_there_is_room() {
    let project = Project::new(4, 1);
    let _ = project.run().exits(0);
    std::fs::create_dir_all(project.path("kept")).unwrap();
    for format in ["cityscapes", "webdataset", "huggingface"] {
        // Room for some of the images and not for all.
        let script = format!(
            r#"
            write_set() {{ "$PROGRAM" export small --as {format} --root "$OUT" --out "$KEPT"; }}
            mount -t tmpfs -o size=200k tmpfs "$KEPT"
            write_set; code=$?
            [ $code = 3 ] || exit 90
            [ -e "$KEPT/README.md" ] && exit 91
            mount -o remount,size=8m "$KEPT"
            write_set || exit 92
            "$PROGRAM" export small --check --out "$KEPT"
            "#
        );
        let Some(outcome) = in_own_mounts(&project, &script) else {
            return;
        };
        let outcome = outcome.exits(0);
        outcome.complains_about(&["/kept/", "no space is left", "free some", "run again"]);
    }
}

/// Runs a program that may write files of so many blocks; of half a kilobyte or a whole one, as the shell has it.
fn within_file_size(blocks: u32, command: &Command) -> Outcome {
    let mut shell = Command::new("sh");
    let script = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(command.get_program());
    shell.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Outcome::of(&mut shell)
}

#[test]
fn a_limit_on_the_size_of_files_is_told_with_the_path_and_the_run_goes_on_without_it() {
    let project = Project::new(1, 1);
    // Small files fit, and neither a large temporary one nor an image does.
    let outcome = within_file_size(20, &project.run_command()).exits(3);
    outcome.complains_about(&["cannot ", "/", "limit on the size of files (ulimit -f)"]);
    let _ = project.run().exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_limit_on_the_size_of_files_does_not_end_a_worker_without_a_word() {
    let project = Project::new(1, 1);
    let (root, cache) = (project.path("out"), project.path("cache"));
    std::fs::create_dir_all(&root).unwrap();
    let settings = format!(
        "root = {root:?}\ncache_dir = {cache:?}\n[broker]\nurl = \"amqp://127.0.0.1:1/%2f\"\n"
    );
    project.write("worker.toml", settings.as_bytes());
    let mut worker = Command::new(program::path_of("worker"));
    worker.arg("--config").arg(project.path("worker.toml"));
    let outcome = within_file_size(0, worker.env_remove("RUST_LOG")).exits(3);
    let words = "limit on the size of files (ulimit -f)";
    assert!(outcome.stderr.contains(words), "{outcome}");
}
