//! Being told to stop, whatever the program waits for: the second signal, or the first where there is nothing to finish,
//! ends it at once.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tests::program::{self, Outcome, Running, synth2real};
use tests::project::{Project, RUN};
use tests::s3_server::{Asked, BUCKET, Fault, S3Server};
use tests::{golden_model, repository};

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

fn worker() -> Command {
    let mut command = Command::new(program::path_of("worker"));
    command.env_remove("RUST_LOG").arg("--config");
    command
}

fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

/// Returns once somebody reads from a FIFO and waits.
fn wait_for_reader(fifo: &Path) -> fs::File {
    OpenOptions::new().write(true).open(fifo).unwrap()
}

fn ends(running: Running, code: i32) -> Outcome {
    let outcome = running.end();
    assert_eq!(outcome.code, Some(code), "{outcome}");
    outcome
}

/// Starts a command on a pipe that nobody ever writes into.
fn assert_refuses_pipe(command: &[&str], fifo: &Path) {
    let mut program = match command {
        ["worker"] => worker(),
        words => {
            let mut command = synth2real();
            command.args(words);
            command
        }
    };
    let outcome = Outcome::of(program.arg(fifo)).exits(2);
    assert!(outcome.stderr.contains("no file"), "{outcome}");
}

#[test]
fn no_command_waits_for_settings_that_are_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("settings.toml");
    make_fifo(&fifo);
    for command in [&["run"][..], &["launch"], &["probe"], &["worker"]] {
        assert_refuses_pipe(command, &fifo);
    }
}

#[test]
fn no_transfer_waits_for_an_image_that_is_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("content.png");
    make_fifo(&fifo);
    let model = golden_model().display().to_string();
    let out = folder.path().join("out.png").display().to_string();
    let any = repository("Cargo.toml").display().to_string();
    let command = [
        "transfer",
        "--model",
        &model,
        "--content-label",
        &any,
        "--style",
        &any,
        "--style-label",
        &any,
        "--out",
        &out,
        "--content",
    ];
    assert_refuses_pipe(&command, &fifo);
    assert!(!Path::new(&out).exists());
}

/// A bucket that takes connections and never says a word.
#[test]
fn a_signal_ends_every_command_that_waits_for_a_bucket() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let model = golden_model().display().to_string();
    let commands: [&[&str]; 7] = [
        &["status", RUN, "--root", "s3://bucket/a"],
        &["audit", RUN, "--root", "s3://bucket/a"],
        &["report", RUN, "--root", "s3://bucket/a"],
        &["resume", RUN, "--root", "s3://bucket/a"],
        &["cancel", RUN, "--root", "s3://bucket/a"],
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--root",
            "s3://bucket/a",
        ],
        &[
            "reference-stats",
            "--images",
            &model,
            "--model",
            "s3://bucket/model",
            "--out",
            "/tmp/none.npz",
        ],
    ];
    for (position, words) in commands.into_iter().enumerate() {
        let (signal, code) = SIGNALS[position % 2];
        let mut command = synth2real();
        command.args(words);
        command.env("AWS_ENDPOINT_URL_S3", &endpoint);
        command.env("AWS_ACCESS_KEY_ID", "tests");
        command.env("AWS_SECRET_ACCESS_KEY", "tests");
        let running = Running::start(&mut command);
        let _asked = silent.accept().unwrap();
        running.signal(signal);
        let outcome = ends(running, code);
        assert_eq!(outcome.stdout, "", "{words:?}");
    }
}

/// Everything that a run may hang in while its model is loaded: here, a library that never returns.
#[test]
fn a_signal_ends_a_run_that_loads_its_model() {
    let project = Project::new(1, 1);
    let source = project.path("hangs.c");
    let reached = project.path("reached");
    make_fifo(&reached);
    project.write(
        "hangs.c",
        format!(
            "#include <fcntl.h>\n#include <unistd.h>\n\
             __attribute__((constructor)) static void hang(void) {{ open({:?}, O_RDONLY); for (;;) pause(); }}\n",
            reached.display().to_string()
        )
        .as_bytes(),
    );
    let library = project.path("hangs.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    assert!(compiler.arg(&source).status().unwrap().success());

    for (signal, code) in SIGNALS {
        let mut command = project.run_command();
        let running = Running::start(command.env("ORT_DYLIB_PATH", &library));
        let _input = wait_for_reader(&reached);
        running.signal(signal);
        let _ = ends(running, code);
        assert!(project.stored_nothing());
    }
}

#[test]
fn the_second_signal_of_any_kind_ends_a_run_that_cannot_finish_its_image() {
    for (first, second, code) in [("TERM", "INT", 130), ("INT", "TERM", 143)] {
        let server = S3Server::start();
        let mut project = Project::new(1, 1);
        for kind in ["images", "labels"] {
            let to = server.folder().join("gta5").join(kind);
            fs::create_dir_all(&to).unwrap();
            let name = "00001.png";
            fs::copy(project.path(&format!("gta5/{kind}/{name}")), to.join(name)).unwrap();
        }
        project.set("content.root", format!("s3://{BUCKET}/gta5"));
        // Then no label is read to plan the run.
        project.set("content.labels", "palette-ids");
        // Images are listed, and then never come.
        server.fail(Asked::Get, Fault::Silence, usize::MAX);
        let log = project.path("log");
        let mut command = project.run_command();
        let mut running = Running::start_into(command.envs(server.environment()), &log);
        assert!(
            running.wait_until(|| server.requests(Asked::Get) > 0),
            "the run ended"
        );
        running.signal(first);
        let asked = || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log.contains("once more to leave at once")
        };
        assert!(running.wait_until(asked), "the run ended");
        running.signal(second);
        let _ = ends(running, code);
    }
}
