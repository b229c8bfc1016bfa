//! Records, plans, decisions and attempts that cannot be of the run, and those of earlier programs.

use std::fs;

use coordinator::output::audit;
use serde_json::{Value, json};
use shared::artifact::ArtifactKey;
use shared::decision::Decisions;
use shared::digest;
use shared::failure::{FailedAttempt, FailureClass};
use shared::ids::ShardId;
use shared::seal;
use tests::program::{Outcome, synth2real};

use super::finished::Finished;

/// What is behind a decision that is gone is not taken up: nothing tells what held between them.
#[tokio::test]
async fn a_decision_behind_one_that_is_gone_holds_nothing_and_is_a_finding() {
    let finished = Finished::run().await;
    let id = &finished.run.record.run;
    let storage = finished.storage.as_ref();
    let before = Decisions::read(storage, id).await.unwrap();
    let beyond = before.count + 2;
    let key = ArtifactKey::Decision(id.clone(), beyond);
    let halt = json!({
        "what": {"kind": "halt", "reason": "cancelled"},
        "at": "2026-01-02T03:04:05Z",
    });
    let name = format!("decisions/{beyond:06}.json");
    fs::write(finished.path(&name), seal::document(&halt, &key)).unwrap();
    let after = Decisions::read(storage, id).await.unwrap();
    assert_eq!((after.count, after.halted), (before.count, before.halted));
    finished.finds(&[&name]).await;
}

/// Whoever can write into the storage root can seal what is no record of ours.
#[tokio::test]
async fn decisions_and_attempts_that_cannot_be_of_the_run_are_findings() {
    let finished = Finished::run().await;
    let id = &finished.run.record.run;
    let resume = |field: &str, value: Value| {
        let mut what = json!({"kind": "resume", "reopened": [], "forgiven": 0});
        what[field] = value;
        what
    };
    let outside = json!([{
        "role": "content",
        "listing": {"name": "a", "image": {"path": "../x", "size_bytes": 1}, "label": null},
    }]);
    let retry =
        |revision: u32| json!([{"shard": 0, "revision": revision, "items": {"dawn": ["a"]}}]);
    let cases = [
        (
            json!({"kind": "halt", "reason": "x".repeat(1 << 20)}),
            "it has 1048576 bytes",
        ),
        (
            resume("reopened", json!([{"shard": u32::MAX, "last_attempt": 1}])),
            "names shard 4294967295",
        ),
        (resume("changed_inputs", outside), "../x"),
        (resume("retried", retry(2)), "a in the style of dawn"),
        (resume("retried", retry(4)), "revision 4 of shard 000000"),
    ];
    let key = ArtifactKey::Decision(id.clone(), 2);
    let path = finished.path("decisions/000002.json");
    for (what, words) in cases {
        let decision = json!({"what": what, "at": "2026-01-02T03:04:05Z"});
        fs::write(&path, seal::document(&decision, &key)).unwrap();
        finished.finds(&["decisions/000002.json", words]).await;
        let storage = finished.storage.as_ref();
        let audited = audit::audit(storage, &finished.run).await.unwrap();
        assert_eq!(audited.findings.len(), 1, "{:?}", audited.findings);
        assert!(audited.findings[0].len() < 1000, "{:?}", audited.findings);
        fs::remove_file(&path).unwrap();
    }
    for (number, words) in [
        (7, "attempts/000001/2.json before it is not"),
        (u32::MAX, "belongs to no run"),
    ] {
        let key = ArtifactKey::FailedAttempt(id.clone(), ShardId(1), number);
        let attempt = FailedAttempt {
            attempt: number,
            error_class: FailureClass::Transient,
            error: "the network was away".to_owned(),
            worker: "here".to_owned(),
            failed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let path = finished.path(&format!("attempts/000001/{number}.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, attempt.to_json(&key)).unwrap();
        let name = format!("attempts/000001/{number}.json");
        finished.finds(&[&name, words]).await;
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(finished.findings().await, [""; 0]);
}

/// A few hundred bytes of positions may mean more items than there is memory.
#[tokio::test]
async fn a_plan_of_more_items_than_its_record_freezes_is_refused_before_anything_is_made_of_it() {
    let finished = Finished::made().await;
    let mut plan = finished.run.plan.clone();
    plan.shards.truncate(1);
    plan.shards[0].contents = vec![0; 30_000];
    plan.shards[0].styles = vec![0; 30_000];
    let bytes = serde_json::to_vec(&plan).unwrap();
    let mut record = finished.run.record.clone();
    record.frozen.plan_sha256 = digest::sha256(&bytes);
    record.frozen.num_items = 900_000_000;
    record.frozen.num_shards = 1;
    record.plan_hash = digest::sha256_of_json(&record.frozen);
    fs::write(finished.path("run.json"), record.to_json()).unwrap();
    let name = format!("plan-{}.json", record.frozen.plan_sha256);
    fs::write(finished.path(&name), bytes).unwrap();
    for command in ["status", "audit", "report", "resume"] {
        let mut program = synth2real();
        program.args([command, "audited", "--root"]);
        let outcome = Outcome::of(program.arg(finished.folder.path())).exits(3);
        let told = outcome.complaint();
        let words = "shard 000000 has 30000 contents and 30000 styles";
        for words in [name.as_str(), words] {
            assert!(told.contains(words), "{command}: {outcome}");
        }
    }
}

#[tokio::test]
async fn records_of_earlier_programs_carry_no_digest_and_are_noted() {
    let finished = Finished::run().await;
    let record = serde_json::to_vec_pretty(&finished.run.record).unwrap();
    fs::write(finished.path("run.json"), record).unwrap();
    assert_eq!(finished.findings().await, [""; 0]);
    let audited = audit::audit(finished.storage.as_ref(), &finished.run).await;
    let notes = audited.unwrap().notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("1 record carries no digest")),
        "{notes:?}"
    );
}
