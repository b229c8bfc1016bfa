//! Records of a run that storage holds: the run, its plan, decisions, counts and attempts.

use bytes::Bytes;
use coordinator::run::{freeze, ledger, tally};
use shared::artifact::ArtifactKey;
use shared::decision::Decisions;
use shared::digest;
use shared::ids::{RunId, ShardId};
use shared::settings::ShardSize;
use shared::storage::{MemoryStorage, Storage};

use super::outcome::{Outcome, outcome, refused};
use crate::planned;

/// The run that records belong to.
const RUN: &str = "small";

fn run_id() -> RunId {
    RUN.parse().unwrap()
}

/// Returns a run of three contents and two styles in shards of two and one.
#[must_use]
pub fn run() -> freeze::FrozenRun {
    let contents = ["00001", "00002", "00003"].map(str::to_owned);
    let styles = ["fog", "night"].map(str::to_owned);
    let size = ShardSize {
        contents: 2,
        styles: 1,
    };
    planned::run(RUN, &contents, &styles, size)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

async fn put(storage: &MemoryStorage, key: &ArtifactKey, bytes: &[u8]) {
    storage
        .replace(key, Bytes::copy_from_slice(bytes))
        .await
        .unwrap();
}

pub(super) fn run_record(bytes: &[u8]) -> Outcome {
    outcome(wait(async {
        let storage = MemoryStorage::new();
        put(&storage, &ArtifactKey::RunRecord(run_id()), bytes).await;
        let record = freeze::open_record(&storage, &run_id()).await?;
        let _ = record.differences(&run().record.frozen);
        Ok::<_, freeze::FreezeError>(())
    }))
}

pub(super) fn plan(bytes: &[u8]) -> Outcome {
    outcome(wait(async {
        let storage = MemoryStorage::new();
        let mut record = run().record;
        record.frozen.plan_sha256 = digest::sha256(bytes);
        record.plan_hash = digest::sha256_of_json(&record.frozen);
        put(
            &storage,
            &ArtifactKey::Plan(run_id(), record.frozen.plan_sha256.clone()),
            bytes,
        )
        .await;
        let record = serde_json::to_vec(&record).unwrap();
        put(&storage, &ArtifactKey::RunRecord(run_id()), &record).await;
        let opened = freeze::open(&storage, &run_id()).await?;
        let plan = &opened.plan;
        let items = plan
            .shards
            .iter()
            .flat_map(|shard| shard.items().take(1000));
        for item in items {
            std::hint::black_box(plan.item(item));
        }
        let tasks = plan.shards.iter().map(|shard| plan.task(&run_id(), shard));
        std::hint::black_box(plan.num_items());
        for task in tasks {
            std::hint::black_box(task);
        }
        Ok::<_, freeze::FreezeError>(())
    }))
}

pub(super) fn decision(bytes: &[u8]) -> Outcome {
    outcome(wait(async {
        let storage = MemoryStorage::new();
        put(&storage, &ArtifactKey::Decision(run_id(), 1), bytes).await;
        let decisions = Decisions::read(&storage, &run_id()).await?;
        decisions.check(&storage, &run_id(), &run().plan).await?;
        let shards: Vec<ShardId> = decisions.reopened.keys().copied().collect();
        let ledger = ledger::Ledger {
            decisions,
            ..ledger::Ledger::default()
        };
        for shard in shards {
            std::hint::black_box((ledger.first_attempt(shard), ledger.state(shard, 3)));
        }
        Ok::<_, shared::decision::DecisionError>(())
    }))
}

pub(super) fn tally(bytes: &[u8]) -> Outcome {
    outcome(wait(async {
        let storage = MemoryStorage::new();
        put(&storage, &ArtifactKey::Tally(run_id()), bytes).await;
        tally::Tally::stored(&storage, &run_id()).await
    }))
}

pub(super) fn failed_attempt(bytes: &[u8]) -> Outcome {
    let read = wait(async {
        let storage = MemoryStorage::new();
        put(
            &storage,
            &ArtifactKey::FailedAttempt(run_id(), ShardId(0), 1),
            bytes,
        )
        .await;
        ledger::failed_attempt(&storage, &run_id(), ShardId(0), 1).await
    });
    match read {
        Ok(attempt) => Outcome::Read(Vec::new(), attempt.error),
        Err(error) => refused(&error),
    }
}
