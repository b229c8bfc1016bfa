//! What comes out of queues.

use serde_json::{Value, json};
use shared::failure::MAX_ATTEMPT;

use super::Row;
use super::contracts::{nested, with, with_key};
use crate::read::{Reads, run};

pub(super) fn rows() -> Vec<Row> {
    let run = run();
    let task = run.plan.task(&run.record.run, &run.plan.shards[0]);
    let task = String::from_utf8(task.to_payload()).unwrap();
    let mut rows = Vec::new();
    for (name, reads, document) in [
        ("a task", Reads::Task, task.as_str()),
        ("an event", Reads::Event, HEARTBEAT),
        ("a request", Reads::Request, "\"drain\""),
    ] {
        let refused = |what: &str, bytes| Row::refused(format!("{name} {what}"), reads, bytes);
        let whole = document.as_bytes();
        rows.extend([
            Row::read(name, reads, whole.to_vec()),
            refused("of no bytes", Vec::new()),
            refused("cut to half", whole[..whole.len() / 2].to_vec()),
            refused("that is nested without end", nested(100_000)),
            refused("that is a number", b"1e999".to_vec()),
            refused("that is no UTF-8", [whole, b"\xff"].concat()),
        ]);
    }
    rows.extend(task_rows(&task));
    rows.extend(event_rows());
    rows.push(
        Row::refused(
            "a request for something else",
            Reads::Request,
            b"\"dance\"".to_vec(),
        )
        .says(&["drain"]),
    );
    rows
}

fn task_rows(task: &str) -> Vec<Row> {
    let refused =
        |what: String, bytes: Vec<u8>| Row::refused(format!("a task {what}"), Reads::Task, bytes);
    let mut rows = vec![
        refused(
            "with a key of another version".to_owned(),
            with_key(task, "later", json!(1)),
        )
        .says(&["later"]),
    ];
    for (pointer, value, word) in [
        ("/run", json!("../other"), "run name"),
        ("/run", json!("a".repeat(65)), "run name"),
        ("/shard", json!(-1), "-1"),
        ("/shard", json!(1_u64 << 32), "4294967296"),
        ("/first_attempt", json!(1_u64 << 32), "4294967296"),
        ("/first_attempt", json!(u32::MAX), "expected 1 to 1000000"),
        ("/first_attempt", json!(0), "expected 1 to 1000000"),
        ("/revision", json!(-1), "-1"),
        ("/repair", json!("all"), "all"),
    ] {
        let what = format!(
            "with {pointer} of {}",
            value.to_string().chars().take(20).collect::<String>()
        );
        rows.push(refused(what, with(task, pointer, value)).says(&[word]));
    }
    let elsewhere =
        json!([{"name": "../../../elsewhere", "image": {"path": "/etc/shadow", "size_bytes": 1}}]);
    rows.push(Row::read(
        "a task of the former version, whose inputs nobody looks at",
        Reads::Task,
        with_key(task, "contents", elsewhere),
    ));
    rows.push(Row::read(
        "a task of the last attempt that can be numbered",
        Reads::Task,
        with(task, "/first_attempt", json!(MAX_ATTEMPT)),
    ));
    rows
}

const HEARTBEAT: &str = r#"{
    "at": "2026-01-02T03:04:05Z", "worker": "gpu-1", "kind": "heartbeat", "device": "cpu",
    "work": {"run": "small", "shard": 1, "step": "denoise", "items_ended": 2, "since": "2026-01-02T03:04:00Z"}
}"#;

fn event_rows() -> Vec<Row> {
    let event = |kind: &str, more: Value| {
        let mut event = json!({"at": "2026-01-02T03:04:05Z", "worker": "gpu-1", "kind": kind});
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap());
        event.to_string().into_bytes()
    };
    let item = json!({"style": "fog", "content": "00001"});
    let read = |what: &str, bytes| Row::read(format!("an event: {what}"), Reads::Event, bytes);
    let refused = |what: &str, bytes| Row::refused(format!("an event {what}"), Reads::Event, bytes);
    vec![
        read(
            "an item ended",
            event(
                "item-ended",
                json!({"run": "small", "shard": 1, "item": item}),
            ),
        ),
        read(
            "a shard is committed",
            event(
                "shard-committed",
                json!({"run": "small", "shard": u32::MAX, "done": u32::MAX, "not_done": u32::MAX}),
            ),
        ),
        read(
            "an attempt failed",
            event(
                "attempt-failed",
                json!({
                    "run": "small", "shard": 1, "attempt": u32::MAX, "class": "fatal", "error": "e".repeat(100_000),
                    "last": true,
                }),
            ),
        ),
        read(
            "a worker stopped",
            event("worker-stopped", json!({"reason": "\u{1b}[31m\0"})),
        ),
        read(
            "at the end of time",
            with(HEARTBEAT, "/at", json!("9999-12-30T22:00:00Z")),
        ),
        read(
            "work since the beginning of time",
            with(HEARTBEAT, "/work/since", json!("-009999-01-02T01:59:59Z")),
        ),
        refused("of another kind", event("dance", json!({}))).says(&["dance"]),
        refused(
            "of a run that has no name",
            with(HEARTBEAT, "/work/run", json!("..")),
        )
        .says(&["run name"]),
        refused("at no time", with(HEARTBEAT, "/at", json!("soon"))),
        refused(
            "of more items than can be counted",
            with(HEARTBEAT, "/work/items_ended", json!(1_u64 << 40)),
        ),
    ]
}
