//! What a program says reaches its reader or is lost; it never harms the work.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use shared::artifact::ArtifactKey;
use shared::ids::{RunId, ShardId};
use tests::http;
use tests::program::{self, Outcome, Running, synth2real, unread_pipe};
use tests::project::{Project, RUN};
use tests::service::serve_command;

/// What a pipe holds before a write to it waits.
const PIPE_HOLDS_BYTES: usize = 1 << 16;

/// Returns a device on which every write fails, as on a full disk.
fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A project of two items whose run says much.
fn talkative() -> (Project, Command) {
    let project = Project::new(2, 1);
    let mut command = project.run_command();
    command.env("RUST_LOG", "debug,ort=error");
    (project, command)
}

fn code(command: &mut Command) -> Option<i32> {
    let command = command.stdin(Stdio::null());
    command.status().unwrap().code()
}

/// Proves that everything is stored and right.
fn is_whole(project: &Project) {
    let outcome = project.about_run(&["audit"]).exits(0);
    assert!(outcome.stdout.contains("2 planned = 2 done"), "{outcome}");
}

#[test]
fn a_run_whose_words_cannot_be_written_ends_as_if_they_were() {
    let (project, mut run) = talkative();
    let run = run.stdout(full_disk()).stderr(full_disk());
    assert_eq!(code(run), Some(0));
    is_whole(&project);
}

#[test]
fn a_run_that_nobody_listens_to_ends_as_if_somebody_did() {
    let (project, mut run) = talkative();
    let run = run.stdout(unread_pipe()).stderr(unread_pipe());
    assert_eq!(code(run), Some(0));
    is_whole(&project);
}

#[test]
fn a_run_whose_log_reader_leaves_after_a_line_ends_with_everything_stored() {
    let (project, mut run) = talkative();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = run.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    drop(run);
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(line.starts_with('{'), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    is_whole(&project);
}

#[test]
fn a_run_whose_readers_stand_still_is_not_kept_waiting() {
    let (project, mut run) = talkative();
    let full_pipe = || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'.'; PIPE_HOLDS_BYTES]).unwrap();
        (reader, writer)
    };
    let ((_unread, stdout), (_unread_too, stderr)) = (full_pipe(), full_pipe());
    assert_eq!(code(run.stdout(stdout).stderr(stderr)), Some(0));
    is_whole(&project);
}

#[test]
fn a_run_with_closed_descriptors_ends_with_everything_stored() {
    let project = Project::new(2, 1);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]);
    shell
        .arg(program::path())
        .arg("run")
        .arg(project.settings());
    assert_eq!(code(&mut shell), Some(0));
    is_whole(&project);
}

#[test]
fn a_closed_terminal_stops_a_run_after_the_image_in_hand_unless_it_is_to_outlive_it() {
    let project = Project::new(2, 1);
    let mut running = Running::start(&mut project.run_command());
    let first_label = project.stored("labels/00001.png");
    assert!(running.wait_until(|| first_label.exists()));
    // A shell passes it on, so that it comes twice.
    running.signal("HUP");
    running.signal("HUP");
    let outcome = running.end().exits(130);
    assert!(outcome.stdout.contains("stopped on request"), "{outcome}");
    assert!(project.stored("images/night_000001/00001.png").exists());
    assert!(!project.stored("shards/000000.parquet").exists());

    let mut outliving = Command::new("nohup");
    outliving
        .arg(program::path())
        .arg("run")
        .arg(project.settings());
    let mut running = Running::start(&mut outliving);
    let second_label = project.stored("labels/00002.png");
    assert!(running.wait_until(|| second_label.exists()));
    running.signal("HUP");
    let _ = running.end().exits(0);
    is_whole(&project);
}

/// Commands that are asked for what they print, on a run that has ended.
fn printing(project: &Project) -> Vec<Command> {
    let about = |words: &[&str]| {
        let mut command = synth2real();
        command.args(words).arg(RUN).arg("--root");
        command.arg(project.path("out"));
        command
    };
    let mut commands = vec![
        about(&["status"]),
        about(&["status", "--json"]),
        about(&["status", "--watch"]),
        about(&["report"]),
        about(&["report", "--json"]),
        about(&["audit"]),
        about(&["resume", "--dry-run"]),
    ];
    for words in [&["--help"][..], &["--version"], &["run", "--help"]] {
        let mut command = synth2real();
        command.args(words);
        commands.push(command);
    }
    let mut worker = Command::new(program::path_of("worker"));
    worker.arg("--help");
    commands.push(worker);
    let mut probe = synth2real();
    probe.arg("probe").arg(project.settings());
    commands.push(probe);
    commands
}

#[test]
fn a_printing_command_whose_reader_goes_away_ends_as_other_tools_and_is_quiet() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    for mut command in printing(&project) {
        let command = command.stdin(Stdio::null()).stdout(unread_pipe());
        let outcome: Outcome = command.stderr(Stdio::piped()).output().unwrap().into();
        assert_eq!(outcome.code, Some(141), "{command:?} {outcome}");
        assert_eq!(outcome.stderr, "", "{command:?}");
    }
}

#[test]
fn a_printing_command_whose_output_cannot_be_written_says_so_in_a_line() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    for mut command in printing(&project) {
        let command = command.stdin(Stdio::null()).stdout(full_disk());
        let outcome: Outcome = command.stderr(Stdio::piped()).output().unwrap().into();
        assert_eq!(outcome.code, Some(3), "{command:?} {outcome}");
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        let [line] = lines[..] else {
            panic!("{command:?} {outcome}");
        };
        for words in ["cannot write to standard output", "No space left"] {
            assert!(line.contains(words), "{command:?} {outcome}");
        }
        // With nowhere to complain, the code alone tells.
        let command = command.stdout(full_disk()).stderr(full_disk());
        assert_eq!(code(command), Some(3), "{command:?}");
    }
}

#[test]
fn a_command_that_fails_with_nowhere_to_say_so_keeps_its_exit_code() {
    let project = Project::empty();
    let mut worker = Command::new(program::path_of("worker"));
    worker.arg("--config").arg(project.path("absent.toml"));
    let mut unknown = synth2real();
    unknown.arg("convert");
    let mut absent = synth2real();
    absent
        .args(["audit", "absent", "--root"])
        .arg(project.path("out"));
    for mut command in [worker, unknown, absent] {
        let command = command.stdout(full_disk()).stderr(full_disk());
        assert_eq!(code(command), Some(2), "{command:?}");
        let command = command.stdout(unread_pipe()).stderr(unread_pipe());
        assert_eq!(code(command), Some(2), "{command:?}");
    }
}

#[test]
fn what_changes_something_is_done_whatever_becomes_of_its_words() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    // What has ended cannot be cancelled.
    std::fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    let mut cancel = synth2real();
    cancel
        .args(["cancel", RUN, "--root"])
        .arg(project.path("out"));
    let cancel = cancel.stdout(full_disk()).stderr(full_disk());
    assert_eq!(code(cancel), Some(0));
    assert!(project.stored("decisions/000001.json").exists());

    let mut transfer = synth2real();
    transfer
        .arg("transfer")
        .arg("--model")
        .arg(tests::golden_model());
    for (option, file) in [
        ("--content", "gta5/images/00001.png"),
        ("--content-label", "gta5/labels/00001.png"),
        ("--style", "style/images/night_000001_rgb_anon.png"),
        (
            "--style-label",
            "style/labels/night_000001_gt_labelColor.png",
        ),
        ("--out", "converted.png"),
    ] {
        transfer.arg(option).arg(project.path(file));
    }
    transfer.args([
        "--set",
        "steps=2",
        "--set",
        "skip=1",
        "--set",
        "class_adain_steps=1..",
    ]);
    let transfer = transfer.stdout(full_disk()).stderr(full_disk());
    assert_eq!(code(transfer), Some(0));
    assert!(project.path("converted.png").exists());
}

#[test]
fn a_collector_that_nobody_listens_to_shows_its_dashboard_and_stops_in_order() {
    let root = tempfile::tempdir().unwrap();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut command = serve_command(root.path(), &address.to_string());
    command.env("RUST_LOG", "debug");
    let mut running = Running::start_unheard(&mut command);
    assert!(running.wait_until(|| TcpStream::connect(address).is_ok()));
    let answer = http::ask(&format!("http://{address}"), "GET", "/", &[], "");
    assert_eq!(answer.status, 200);
    running.signal("TERM");
    assert_eq!(running.end().code, Some(0));
}

/// Names of files are others' words, and a terminal obeys some characters.
#[test]
fn a_name_that_a_terminal_would_obey_is_told_without_that() {
    let project = Project::new(1, 1);
    let image = std::fs::read(project.path("gta5/images/00001.png")).unwrap();
    let name = "a\u{1b}]0;pwned\u{7}\u{9b}31mb";
    project.write(&format!("gta5/images/{name}.png"), &image);
    project.write(&format!("gta5/labels/{name}.png"), b"no label");
    let words: [&[&str]; 4] = [&["status"], &["status", "--json"], &["report"], &["audit"]];
    let outcomes = std::iter::once(project.run())
        .chain(words.into_iter().map(|words| project.about_run(words)));
    for outcome in outcomes {
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.is_empty());
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{said:?}");
    }
    let mut wrong = synth2real();
    let outcome = Outcome::of(wrong.args(["status", "--\u{1b}[31m"])).exits(2);
    assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
    assert!(outcome.stderr.contains("unexpected argument"), "{outcome}");
}

/// Returns the lines of a command about a run that finds something: none ends but with a line feed.
fn told(project: &Project, command: &str) -> Vec<String> {
    let outcome = project.about_run(&[command]).exits(1);
    let lines = outcome.stdout.lines().map(str::to_owned).collect();
    // What looks like an end of a line to some terminals and editors.
    let others = [
        '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}', '\u{202e}',
    ];
    assert!(!outcome.stdout.contains(others), "{:?}", outcome.stdout);
    lines
}

/// Stores a document with the right digest, as whoever can write into the storage root can.
fn store(project: &Project, key: &ArtifactKey, document: &Value) {
    let root = project.path("out");
    let path = root.join(key.path());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, shared::seal::document(document, key)).unwrap();
}

#[test]
fn a_name_of_a_file_with_ends_of_lines_makes_no_line_of_ours() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    let forged = "zz\naudit of run small clean: 0 findings\r\u{2028}\u{202e}.png";
    for folder in ["images/night_000001", "labels", "shards", "attempts", "."] {
        let folder = project.stored(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(forged), b"x").unwrap();
    }
    let lines = told(&project, "audit");
    let shown = "zz\\naudit of run small clean: 0 findings\\r\\u{2028}\\u{202e}.png";
    let findings = lines.iter().filter(|line| line.contains(shown)).count();
    assert_eq!(findings, 5, "{lines:#?}");
    let of_end = lines.iter().filter(|line| line.starts_with("audit of run"));
    let of_end: Vec<&String> = of_end.collect();
    assert_eq!(of_end.len(), 1, "{lines:#?}");
    assert!(of_end[0].contains("FAILED"), "{lines:#?}");
    assert!(of_end[0].contains("5 findings"), "{lines:#?}");
}

#[test]
fn a_reason_or_an_error_with_ends_of_lines_makes_no_line_of_ours() {
    let project = Project::new(1, 1);
    let _ = project.run().exits(0);
    std::fs::remove_file(project.stored("shards/000000.parquet")).unwrap();
    let run: RunId = RUN.parse().unwrap();
    let forged = "x)\nrun small is complete: 1 of 1 items done\r\u{2029}(\u{202e}";
    let shown = "x)\\nrun small is complete: 1 of 1 items done\\r\\u{2029}(\\u{202e}";
    let is_complete = |line: &String| line.starts_with("run small is complete");

    let at = "2026-01-02T03:04:05Z";
    let halt = json!({"what": {"kind": "halt", "reason": forged}, "at": at});
    store(&project, &ArtifactKey::Decision(run.clone(), 1), &halt);
    let lines = told(&project, "status");
    assert!(!lines.iter().any(is_complete), "{lines:#?}");
    let halted = format!("run small is halted ({shown})");
    assert!(lines[0].starts_with(&halted), "{lines:#?}");

    for number in 1..=3_u32 {
        let attempt = json!({
            "attempt": number, "error_class": "transient", "error": forged, "worker": forged, "failed_at": at,
        });
        let key = ArtifactKey::FailedAttempt(run.clone(), ShardId(0), number);
        store(&project, &key, &attempt);
    }
    for command in ["status", "report"] {
        let outcome = project.about_run(&[command]);
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        let reasons = lines.iter().filter(|line| line.contains(shown)).count();
        assert_eq!(reasons, 1, "{command}: {lines:#?}");
        let first = lines.iter().filter(|line| line.starts_with("run small"));
        assert_eq!(first.count(), 1, "{command}: {lines:#?}");
    }
}
