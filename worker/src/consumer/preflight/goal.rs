//! What a message asks for, as storage has its shard by now.

use shared::artifact::ArtifactKey;
use shared::decision::Decisions;
use shared::manifest::{ManifestRow, Status};
use shared::queue::message::ShardTask;
use shared::storage::Storage;

use super::PreflightError;
use crate::attempt::Goal;
use crate::consumer::committed::committed_rows;

/// What is asked for, and the rows that hold of the shard by now.
pub(super) struct Wanted {
    pub(super) goal: Goal,
    pub(super) rows: Vec<ManifestRow>,
}

/// Returns what is to be made of a shard; nothing if that was done before.
pub(super) async fn goal(
    storage: &dyn Storage,
    task: &ShardTask,
    decisions: &Decisions,
    committed: bool,
) -> Result<Option<Wanted>, PreflightError> {
    let (run, shard) = (&task.run, task.shard);
    let retries = &decisions.retries;
    match (task.revision, committed) {
        (0, false) => Ok(Some(Wanted {
            goal: Goal::Shard,
            rows: Vec::new(),
        })),
        (0, true) if task.repair => {
            let rows = committed_rows(storage, run, shard, decisions).await?;
            let goal = Goal::Repair { rows: rows.clone() };
            Ok(Some(Wanted { goal, rows }))
        }
        (0, true) => {
            tracing::debug!("the shard is committed already");
            // Its message goes now, so the commit must survive, also one that another worker stored.
            storage
                .settle(&ArtifactKey::Shard(run.clone(), shard))
                .await?;
            Ok(None)
        }
        (revision, false) => {
            tracing::warn!(
                revision,
                "a revision of a shard that is not committed is dropped"
            );
            Ok(None)
        }
        (revision, true) => {
            let Some(items) = retries.of(shard, revision) else {
                tracing::warn!(revision, "a revision that was not decided is dropped");
                return Ok(None);
            };
            for earlier in retries.revisions(shard).filter(|&other| other < revision) {
                let key = ArtifactKey::ShardRevision(run.clone(), shard, earlier);
                if !storage.exists(&key).await? {
                    tracing::warn!(
                        revision,
                        earlier,
                        "a revision before an earlier one is dropped"
                    );
                    return Ok(None);
                }
            }
            let key = ArtifactKey::ShardRevision(run.clone(), shard, revision);
            if storage.exists(&key).await? {
                tracing::debug!(revision, "the revision is committed already");
                storage.settle(&key).await?;
                return Ok(None);
            }
            let rows = match committed_rows(storage, run, shard, decisions).await {
                // A damaged commit tells nothing of its contents, and the collector, which counts it, names it.
                Err(PreflightError::Manifest { .. }) => Vec::new(),
                rows => rows?,
            };
            let is_asked = |row: &&ManifestRow| {
                row.status == Status::Done && items.has(&row.item.style, &row.item.content)
            };
            let goal = Goal::Revision {
                number: revision,
                items: items.clone(),
                done: rows.iter().filter(is_asked).cloned().collect(),
            };
            Ok(Some(Wanted { goal, rows }))
        }
    }
}
