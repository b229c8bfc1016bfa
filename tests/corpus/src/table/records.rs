//! What storage holds of a run beside shards.

use serde_json::{Value, json};
use shared::failure::MAX_ATTEMPT;
use shared::wording::MOST_STORED_BYTES;

use super::Row;
use super::contracts::{nested, with, with_key};
use crate::read::{Reads, run};

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, reads, document) in [
        ("run.json", Reads::RunRecord, json(&run().record)),
        ("a plan", Reads::Plan, json(&run().plan)),
        ("a decision", Reads::Decision, resume(3).to_string()),
    ] {
        let refused = |what: &str, bytes| Row::refused(format!("{name} {what}"), reads, bytes);
        let whole = document.as_bytes();
        rows.extend([
            Row::read(name, reads, whole.to_vec()),
            refused("of no bytes", Vec::new()).says(&["small"]),
            refused("cut to half", whole[..whole.len() / 2].to_vec()).says(&["small"]),
            refused("that is nested without end", nested(100_000)).says(&["small"]),
            refused("that is no object", b"[]".to_vec()).says(&["small"]),
            refused("that is no UTF-8", [whole, b"\xff"].concat()).says(&["small"]),
            refused(
                "with a key of another version",
                with_key(&document, "later", json!(1)),
            )
            .says(&["later"]),
            refused("with a second document behind it", [whole, whole].concat()).says(&["small"]),
        ]);
    }
    rows.extend(run_record_rows());
    rows.extend(plan_rows());
    rows.extend(decision_rows());
    rows.extend(tally_rows());
    rows.extend(attempt_rows());
    rows
}

fn run_record_rows() -> Vec<Row> {
    let record = json(&run().record);
    let cases = [
        ("/format_version", json!(1), "format_version"),
        ("/run", json!("../other"), "run name"),
        ("/run", json!(""), "run name"),
        ("/created_at", json!("never"), "run.json"),
        ("/created_at", json!("-99999-01-01T00:00:00Z"), "run.json"),
        ("/limits/max_attempts", json!(-1), "run.json"),
        ("/limits/max_failed", json!("all"), "run.json"),
        ("/frozen/num_items", json!(1e300), "run.json"),
        ("/frozen/method/injected_steps", json!("5..3"), "5..3"),
        (
            "/frozen/method/injected_steps",
            json!("18446744073709551615"),
            "18446744073709551615",
        ),
        ("/inputs/content", json!("gs://bucket"), "gs"),
        ("/run", json!("other"), "its run is other, expected small"),
        ("/frozen/method/seed", json!(43), "plan_hash"),
        ("/plan_hash", json!("aaaaaaae-acute"), "plan_hash"),
        ("/frozen/model/width", json!(0), "frozen.model.width is 0"),
        (
            "/frozen/model/width",
            json!(200_000),
            "frozen.model.width is 200000",
        ),
        (
            "/frozen/num_shards",
            json!(1_000_000_000),
            "frozen.num_shards",
        ),
    ];
    let row = |(pointer, value, word): (&str, Value, &'static str)| {
        let name = format!("run.json with {pointer} of {value}");
        Row::refused(name, Reads::RunRecord, with(&record, pointer, value)).says(&[word])
    };
    cases.map(row).into()
}

fn plan_rows() -> Vec<Row> {
    let plan = json(&run().plan);
    let cases = [
        ("/shards/0/contents", json!([99])),
        ("/shards/0/contents", json!([u64::MAX])),
        ("/shards/0/styles", json!([-1])),
        ("/shards/0/contents", json!([0, 0])),
        ("/shards/0/contents", json!([0, 1, 2])),
        ("/shards/0/styles", json!([0, 1])),
        ("/shards/1/contents", json!([0])),
        ("/contents/1/name", json!("00001")),
        ("/styles/1/name", json!("dawn")),
        ("/shards/0/id", json!(7)),
        ("/shards/0/id", json!(u64::MAX)),
        ("/contents", json!([])),
        ("/contents/0/name", json!("../../../elsewhere")),
        ("/contents/0/name", json!("..")),
        ("/contents/0/name", json!("a\0b")),
        ("/styles/0/name", json!("/elsewhere")),
        ("/styles/0/name", json!("x".repeat(256))),
        ("/contents/0/image/path", json!("/etc/shadow")),
        (
            "/contents/0/label/file/path",
            json!("labels/../../other.png"),
        ),
    ];
    let row = |(pointer, value): (&str, Value)| {
        let name = format!("a plan with {pointer} of {value}");
        Row::refused(name, Reads::Plan, with(&plan, pointer, value)).says(&["plan-"])
    };
    cases.map(row).into()
}

fn resume(last_attempt: u64) -> Value {
    json!({
        "what": {"kind": "resume", "reopened": [{"shard": 1, "last_attempt": last_attempt}], "forgiven": 2},
        "at": "2026-01-02T03:04:05Z",
    })
}

/// Returns a decision to go on that says something more.
fn resumes(field: &str, value: Value) -> Value {
    let mut decision = resume(1);
    decision["what"][field] = value;
    decision
}

fn decision_rows() -> Vec<Row> {
    let refused = |what: &str, value: Value| {
        let bytes = value.to_string().into_bytes();
        Row::refused(format!("a decision {what}"), Reads::Decision, bytes).says(&["decision"])
    };
    let halt =
        json!({"what": {"kind": "halt", "reason": "cancelled"}, "at": "2026-01-02T03:04:05Z"});
    vec![
        Row::read(
            "a decision to halt",
            Reads::Decision,
            halt.to_string().into_bytes(),
        ),
        Row::read(
            "a decision about the last attempt that can be numbered",
            Reads::Decision,
            resume(u64::from(MAX_ATTEMPT)).to_string().into_bytes(),
        ),
        refused(
            "about an attempt that is never made",
            resume(u64::from(u32::MAX)),
        ),
        refused(
            "with a reason that is longer than any",
            json!({
                "what": {"kind": "halt", "reason": "x".repeat(MOST_STORED_BYTES + 1)},
                "at": "2026-01-02T03:04:05Z",
            }),
        ),
        refused(
            "about a shard that was not planned",
            resumes("reopened", json!([{"shard": u32::MAX, "last_attempt": 1}])),
        ),
        refused(
            "about a revision after none",
            resumes(
                "retried",
                json!([{"shard": 0, "revision": 2, "items": {"fog": ["00001"]}}]),
            ),
        ),
        refused(
            "about an item that was not planned",
            resumes(
                "retried",
                json!([{"shard": 0, "revision": 1, "items": {"dawn": ["00001"]}}]),
            ),
        ),
        refused(
            "about an input outside its dataset",
            resumes(
                "changed_inputs",
                json!([{
                    "role": "content",
                    "listing": {"name": "00001", "image": {"path": "/etc/passwd", "size_bytes": 1}, "label": null},
                }]),
            ),
        ),
        refused(
            "about an attempt beyond the last that can be numbered",
            resume(u64::from(MAX_ATTEMPT) + 1),
        ),
        refused("about an attempt that is no number", resume(1 << 32)),
        refused(
            "of another kind",
            json!({"what": {"kind": "pause"}, "at": "2026-01-02T03:04:05Z"}),
        ),
        refused(
            "at no time",
            json!({"what": {"kind": "halt", "reason": ""}, "at": 0}),
        ),
    ]
}

/// A tally that cannot be read is counted anew.
fn tally_rows() -> Vec<Row> {
    let read =
        |what: &str, bytes: Vec<u8>| Row::read(format!("a tally {what}"), Reads::Tally, bytes);
    vec![
        read("of no bytes", Vec::new()),
        read("cut to half", br#"{"version":2,"sha"#.to_vec()),
        read("that is nested without end", nested(100_000)),
        read("with counts at their limit", {
            let counts = json!({
                "done": u64::MAX, "quarantined": u64::MAX, "failed": u64::MAX, "warnings": u64::MAX,
                "converted": u64::MAX, "unmeasured": u64::MAX, "busy_ms": 1e308, "content_ms": 1e308,
                "unet_evaluations": 1e308, "reasons": {"a": u64::MAX},
            });
            let shard = json!({"counts": counts, "started_at": null, "finished_at": null, "worker": "", "attempt": 0});
            let (zero, one) = (shard.clone(), shard);
            json!({"version": 6, "plan_hash": "", "shards": {"0": zero, "1": one}})
                .to_string()
                .into_bytes()
        }),
    ]
}

/// An attempt whose record cannot be read has failed all the same.
fn attempt_rows() -> Vec<Row> {
    let attempt = json!({
        "attempt": 1, "error_class": "transient", "error": "the network is away", "worker": "here",
        "failed_at": "2026-01-02T03:04:05Z",
    });
    let read = |what: &str, bytes: Vec<u8>| {
        Row::read(
            format!("a failed attempt {what}"),
            Reads::FailedAttempt,
            bytes,
        )
    };
    vec![
        read("as it is stored", attempt.to_string().into_bytes()).says(&["the network is away"]),
        read("of no bytes", Vec::new()).says(&["cannot be read"]),
        read(
            "of another class",
            with(&attempt.to_string(), "/error_class", json!("unlucky")),
        )
        .says(&["cannot be read"]),
        read("that is nested without end", nested(100_000)).says(&["cannot be read"]),
        read(
            "with a number that no attempt has",
            with(&attempt.to_string(), "/attempt", json!(u32::MAX)),
        )
        .says(&["cannot be read"]),
        read(
            "whose error is more than a line",
            with(&attempt.to_string(), "/error", json!("a\nb\u{202e}")),
        )
        .says(&["a\\nb\\u{202e}"]),
    ]
}
