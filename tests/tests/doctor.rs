//! `synth2real doctor`: what is there is told, what is missing is told with what helps, and nothing is left behind.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use serde_json::Value;
use tests::broker::{namespace, shared_broker_url};
use tests::program::{Outcome, synth2real};
use tests::project::Project;
use tests::s3_server::S3Server;

const PASSWORD: &str = "s3cret";

fn doctor() -> Command {
    let mut command = synth2real();
    command.arg("doctor");
    command
}

/// Runs it for a program to read: returns its document.
fn asked(command: &mut Command, code: i32) -> Value {
    let outcome = Outcome::of(command.arg("--json")).exits(code);
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!all.contains(PASSWORD), "{all}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// Returns the only check of a name.
fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    let mut found = checks.iter().filter(|check| check["check"] == name);
    let one = found.next();
    assert!(found.next().is_none(), "{name} is there twice: {document}");
    one.unwrap_or_else(|| panic!("no {name}: {document}"))
}

/// What is not as it should be is told with what helps, and the worst state is that of the whole.
fn assert_sound(document: &Value) {
    let rank = |state: &Value| match state.as_str().unwrap() {
        "ok" => 0,
        "warning" => 1,
        "missing" => 2,
        other => panic!("{other}"),
    };
    let checks = document["checks"].as_array().unwrap();
    for check in checks {
        let is_told = check["helps"].is_string();
        assert_eq!(is_told, rank(&check["state"]) > 0, "{check}");
        assert!(!check["found"].as_str().unwrap().is_empty(), "{check}");
        assert!(check["facts"].is_object(), "{check}");
    }
    let worst = checks.iter().map(|check| rank(&check["state"])).max();
    assert_eq!(worst, Some(rank(&document["state"])), "{document}");
}

#[test]
fn what_is_there_is_told_to_people_and_programs_and_nothing_is_left() {
    let project = Project::new(2, 1);
    let table = Outcome::of(doctor().arg(project.settings())).exits(0);
    for words in [
        "onnxruntime  ok       1.",
        "memory       ",
        "threads      ",
        "open-files   ",
        "cache        ",
        "storage      ok       ",
        "broker       ok       none is named",
        "inputs       ok       2 contents, 1 style, 2 items; ",
    ] {
        assert!(table.stdout.contains(words), "no {words:?}: {table}");
    }
    let document = asked(doctor().arg(project.settings()), 0);
    assert_sound(&document);
    assert_eq!(document["engine"], true);
    let library = &check(&document, "onnxruntime")["facts"];
    assert!(library["version"].as_str().unwrap().starts_with("1."));
    assert!(library["path"].as_str().unwrap().contains("libonnxruntime"));
    let cores = std::thread::available_parallelism().unwrap().get();
    let threads = &check(&document, "threads")["facts"];
    assert_eq!(threads["cores"], cores);
    assert!([1, 8, 16].contains(&threads["vector_lanes"].as_u64().unwrap()));
    assert_eq!(check(&document, "storage")["facts"]["creates_at_once"], 8);
    assert!(!project.path("out").exists());
}

#[test]
fn it_needs_neither_a_run_nor_a_settings_file() {
    let document = asked(&mut doctor(), 0);
    assert_sound(&document);
    assert_eq!(check(&document, "storage")["state"], "ok");
    assert_eq!(check(&document, "clock")["state"], "ok");
    let mistake = Outcome::of(doctor().args(["--root", "gs://bucket"])).exits(2);
    mistake.complains_about(&["--root", "gs:// is not supported"]);
    let address = format!("http://user:{PASSWORD}@broker");
    let mistake = Outcome::of(doctor().args(["--broker", &address])).exits(2);
    mistake.complains_about(&["--broker (not shown", "must begin with amqp://"]);
    assert!(!format!("{mistake}").contains(PASSWORD), "{mistake}");
}

#[test]
fn what_is_missing_is_named_with_what_helps_and_without_a_password() {
    let mut project = Project::new(1, 1);
    project.set("content.root", "nowhere");
    let broken = |command: &mut Command| {
        command
            .arg(project.settings())
            .args(["--broker", "amqp://user:s3cret@127.0.0.1:9/%2f"])
            .env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
    };
    let mut command = doctor();
    broken(&mut command);
    let outcome = Outcome::of(&mut command).exits(3);
    outcome.complains_about(&["onnxruntime, broker, inputs"]);
    assert!(
        outcome.stdout.contains("-> run `make onnxruntime`"),
        "{outcome}"
    );
    assert!(!format!("{outcome}").contains(PASSWORD), "{outcome}");

    let mut command = doctor();
    broken(&mut command);
    let document = asked(&mut command, 3);
    assert_sound(&document);
    let library = check(&document, "onnxruntime");
    assert!(
        library["found"]
            .as_str()
            .unwrap()
            .contains("/nowhere/libonnxruntime.so")
    );
    let broker = check(&document, "broker");
    let found = broker["found"].as_str().unwrap();
    assert!(found.contains("127.0.0.1:9"), "{found}");
    assert_eq!(broker["helps"], "start it, or name another in --broker");
}

#[test]
fn a_root_and_a_cache_in_whose_way_is_a_file_are_missing_and_the_file_is_kept() {
    let mut project = Project::new(1, 1);
    project.write("file", b"kept");
    project.set("run.root", "file/out");
    project.set("engine.cache_dir", "file");
    let document = asked(doctor().arg(project.settings()), 3);
    assert_sound(&document);
    for name in ["storage", "cache"] {
        let check = check(&document, name);
        assert_eq!(check["state"], "missing", "{check}");
        let found = check["found"].as_str().unwrap();
        assert!(found.ends_with("/file is no folder"), "{found}");
    }
    assert_eq!(std::fs::read(project.path("file")).unwrap(), b"kept");
}

#[test]
fn a_device_that_is_not_there_is_missing() {
    let mut project = Project::new(1, 1);
    project.set("engine.device", "cuda:200");
    let document = asked(doctor().arg(project.settings()), 3);
    assert_sound(&document);
    let device = check(&document, "device");
    assert_eq!(device["state"], "missing");
    assert_eq!(device["facts"]["device"], "cuda:200");
}

fn at(server: &S3Server, code: i32) -> Value {
    let mut command = doctor();
    command.args(["--root", "s3://synth2real/p"]);
    asked(command.envs(server.environment()), code)
}

#[test]
fn a_bucket_is_tried_out_and_told_with_the_kind_of_its_credentials_and_the_clock() {
    let server = S3Server::start();
    let document = at(&server, 0);
    assert_sound(&document);
    let storage = check(&document, "storage");
    assert_eq!(storage["facts"]["kind"], "bucket");
    assert_eq!(storage["facts"]["creates_at_once"], 8);
    let credentials = check(&document, "credentials");
    assert_eq!(credentials["facts"]["kind"], "environment");
    let clock = check(&document, "clock");
    assert_eq!(clock["state"], "ok", "{clock}");
    assert!(clock["facts"]["seconds_ahead"].as_i64().unwrap().abs() < 30);
    assert_eq!(server.objects_below("p/.probe").len(), 0);
}

#[test]
fn a_bucket_that_lets_several_creates_at_once_succeed_is_missing() {
    let server = S3Server::start_racing();
    let document = at(&server, 3);
    assert_sound(&document);
    let storage = check(&document, "storage");
    assert_eq!(storage["state"], "missing");
    let found = storage["found"].as_str().unwrap();
    assert!(
        found.contains("of 8 creates of one object at once"),
        "{found}"
    );
}

#[test]
fn a_broker_is_told_with_its_version() {
    let mut project = Project::new(1, 1);
    project.set("broker.url", shared_broker_url());
    project.set("broker.namespace", namespace());
    let document = asked(doctor().arg(project.settings()), 0);
    assert_sound(&document);
    let broker = check(&document, "broker");
    assert_eq!(broker["facts"]["product"], "RabbitMQ");
    let version = broker["facts"]["version"].as_str().unwrap();
    assert!(version.split('.').count() >= 2, "{version}");
    assert_eq!(broker["facts"]["shards_ready"], 0);
    assert_eq!(broker["facts"]["workers"], 0);
}
