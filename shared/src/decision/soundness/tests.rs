//! Decisions that no program of ours makes are damaged, and named.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::dataset::entry::DatasetFile;
use crate::ids::RunId;
use crate::plan::Shard;
use crate::storage::{MemoryStorage, Storage};

fn run() -> RunId {
    "demo".parse().unwrap()
}

/// A plan of two shards of a content each, in one style.
fn plan() -> Plan {
    let listing = |name: &str| DatasetEntry {
        name: name.to_owned(),
        image: DatasetFile {
            path: format!("images/{name}.png").into(),
            size_bytes: 1,
        },
        label: None,
    };
    let shard = |id: u32| Shard {
        id: ShardId(id),
        contents: vec![id as usize],
        styles: vec![0],
    };
    Plan {
        contents: vec![listing("00001"), listing("00002")],
        styles: vec![listing("night")],
        shards: vec![shard(0), shard(1)],
        prototypes: Vec::new(),
    }
}

/// Stores a document in the place of a decision, with the right digest.
async fn put(storage: &MemoryStorage, number: u32, what: Value) {
    let document = json!({"what": what, "at": "2026-01-02T03:04:05Z"});
    let key = ArtifactKey::Decision(run(), number);
    let sealed = Bytes::from(seal::document(&document, &key));
    storage.create(&key, sealed).await.unwrap();
}

/// Returns what is told of a run with these decisions.
async fn told(decisions: &[Value]) -> String {
    let storage = MemoryStorage::new();
    for (number, what) in (1..).zip(decisions) {
        put(&storage, number, what.clone()).await;
    }
    let read = async {
        let decisions = Decisions::read(&storage, &run()).await?;
        decisions.check(&storage, &run(), &plan()).await
    };
    crate::failure::chain(&read.await.unwrap_err())
}

fn resume(field: &str, value: Value) -> Value {
    let mut what = json!({"kind": "resume", "reopened": [], "forgiven": 0});
    what[field] = value;
    what
}

fn retry(shard: u32, revision: u32, items: Value) -> Value {
    json!([{"shard": shard, "revision": revision, "items": items}])
}

#[tokio::test]
async fn a_decision_that_no_program_of_ours_makes_is_damaged_and_named() {
    let listed = |name: &str, path: &str| json!({"name": name, "image": {"path": path, "size_bytes": 1}, "label": null});
    let content = |listing: Value| json!([{"role": "content", "listing": listing}]);
    let item = json!({"night": ["00001"]});
    let cases = [
        (
            json!({"kind": "halt", "reason": "x".repeat(MOST_STORED_BYTES + 1)}),
            "reason: it has 16385 bytes",
        ),
        (
            resume("reopened", json!([{"shard": 0, "last_attempt": u32::MAX}])),
            "last attempt at shard 000000 is 4294967295",
        ),
        (
            resume("reopened", json!([{"shard": u32::MAX, "last_attempt": 1}])),
            "shard 4294967295, and the plan has 2 shards",
        ),
        (resume("forgiven", json!(3)), "forgiven: it is 3"),
        (
            resume("retried", retry(7, 1, item.clone())),
            "shard 000007, and the plan has 2 shards",
        ),
        (
            resume("retried", retry(1, 1, item.clone())),
            "00001 in the style of night in shard 000001, where that was not planned",
        ),
        (
            resume("retried", retry(0, 1, json!({"dawn": ["00001"]}))),
            "00001 in the style of dawn in shard 000000",
        ),
        (
            resume("retried", retry(0, 1, json!({"night": []}))),
            "no item",
        ),
        (
            resume("retried", retry(0, 1, json!({"night": ["../x"]}))),
            "../x",
        ),
        (
            resume("retried", retry(0, 0, item.clone())),
            "revision 0 of shard 000000 is to be made, expected 1 to 1",
        ),
        (
            resume("retried", retry(0, u32::MAX, item.clone())),
            "revision 4294967295 of shard 000000",
        ),
        (
            resume("changed_inputs", content(listed("00001", "/etc/passwd"))),
            "/etc/passwd",
        ),
        (
            resume("changed_inputs", content(listed("00009", "a.png"))),
            "content 00009, which was not planned",
        ),
        (
            resume(
                "changed_inputs",
                json!([{"role": "style", "listing": listed("night", "a.png"), "sha256": "none"}]),
            ),
            "the sha256 of style night is none",
        ),
    ];
    for (what, words) in cases {
        let whole = json!({"kind": "halt", "reason": "cancelled"});
        let told = told(&[whole, what]).await;
        for word in ["decisions/000002.json is no decision", words] {
            assert!(told.contains(word), "no {word:?}: {told}");
        }
        assert!(told.len() < 1000, "{} bytes", told.len());
    }
}

#[tokio::test]
async fn revisions_are_decided_one_after_the_other_and_the_last_one_again() {
    let storage = MemoryStorage::new();
    let item = json!({"night": ["00001"]});
    for (number, revision) in [(1, 1), (2, 1), (3, 2)] {
        let retried = retry(0, revision, item.clone());
        put(&storage, number, resume("retried", retried)).await;
    }
    let decisions = Decisions::read(&storage, &run()).await.unwrap();
    decisions.check(&storage, &run(), &plan()).await.unwrap();
    assert_eq!(decisions.retries.last(ShardId(0)), 2);
}

#[tokio::test]
async fn a_reason_is_a_part_of_a_line() {
    let storage = MemoryStorage::new();
    let halt = json!({"kind": "halt", "reason": "x)\nrun demo is complete\r\u{202e}"});
    put(&storage, 1, halt).await;
    let decisions = Decisions::read(&storage, &run()).await.unwrap();
    let expected = "x)\\nrun demo is complete\\r\\u{202e}";
    assert_eq!(decisions.halted.as_deref(), Some(expected));
}
