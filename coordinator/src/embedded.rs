//! The run in this process: shard after shard, with retries, quarantine and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::failure::{FailedAttempt, FailureClass, chain};
use shared::manifest::{ManifestRow, Status};
use shared::settings::Limits;
use shared::storage::StorageError;
use worker::attempt::{AttemptError, ShardOutcome, ShardTask, Worker};

use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::plan::Shard;

/// How a run in this process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every shard was tried.
    AtItsEnd,
    /// Somebody asked for it.
    OnRequest,
    /// Too many items were quarantined or failed.
    AtItsLimit,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing will work here.
    #[error("shard {shard} stopped the run")]
    Fatal {
        /// The shard that was tried.
        shard: shared::ids::ShardId,
        /// Why.
        #[source]
        source: AttemptError,
    },
    /// A failed attempt cannot be recorded.
    #[error("cannot record a failed attempt")]
    Record(#[from] StorageError),
}

/// A run in this process.
pub struct EmbeddedRun<'a> {
    /// What is to be made.
    pub inventory: &'a Inventory,
    /// Who makes it.
    pub worker: &'a Worker,
    /// When to give up.
    pub limits: Limits,
    /// Set to finish the item in hand and stop.
    pub stop: Arc<AtomicBool>,
}

/// What became of one shard.
enum ShardEnd {
    Committed(Vec<ManifestRow>),
    Failed,
    Stopped,
}

impl EmbeddedRun<'_> {
    /// Makes every shard that storage does not have.
    ///
    /// # Errors
    ///
    /// [`RunError`] if nothing will work here; what is stored is kept.
    pub async fn go(&self, ledger: &Ledger, failed_before: usize) -> Result<Stopped, RunError> {
        let num_items = self.inventory.plan.num_items();
        let mut failed = failed_before;
        for shard in &self.inventory.plan.shards {
            if failed as f64 > self.limits.max_failed * num_items as f64 {
                return Ok(Stopped::AtItsLimit);
            }
            if ledger.committed.contains(&shard.id) {
                continue;
            }
            match self.shard(shard, ledger.next_attempt(shard.id)).await? {
                ShardEnd::Committed(rows) => {
                    failed += rows.iter().filter(|row| row.status != Status::Done).count();
                }
                ShardEnd::Failed => failed += shard.contents.len() * shard.styles.len(),
                ShardEnd::Stopped => return Ok(Stopped::OnRequest),
            }
        }
        Ok(Stopped::AtItsEnd)
    }

    /// Tries a shard up to `max_attempts` times from now, with growing pauses.
    async fn shard(&self, shard: &Shard, first_attempt: u32) -> Result<ShardEnd, RunError> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(30))
            .with_max_times(usize::MAX)
            .with_jitter()
            .build();
        for attempt in first_attempt..first_attempt + self.limits.max_attempts {
            let error = match self.worker.attempt(&self.task(shard, attempt)).await {
                Ok(ShardOutcome::Committed(rows)) => return Ok(ShardEnd::Committed(rows)),
                Ok(ShardOutcome::Stopped) => return Ok(ShardEnd::Stopped),
                Err(error) => error,
            };
            match error.class() {
                FailureClass::Fatal => {
                    return Err(RunError::Fatal {
                        shard: shard.id,
                        source: error,
                    });
                }
                FailureClass::Transient | FailureClass::Resources | FailureClass::BadInput => {}
            }
            self.record_failure(shard, attempt, &error).await?;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(ShardEnd::Stopped);
            }
            if let Some(pause) = pauses
                .next()
                .filter(|_| attempt + 1 < first_attempt + self.limits.max_attempts)
            {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(ShardEnd::Failed)
    }

    fn task(&self, shard: &Shard, attempt: u32) -> ShardTask {
        ShardTask {
            shard: shard.id,
            attempt,
            contents: shard
                .contents
                .iter()
                .map(|&i| self.inventory.contents[i].clone())
                .collect(),
            styles: shard
                .styles
                .iter()
                .map(|&i| self.inventory.styles[i].clone())
                .collect(),
        }
    }

    async fn record_failure(
        &self,
        shard: &Shard,
        attempt: u32,
        error: &AttemptError,
    ) -> Result<(), RunError> {
        let text = chain(error);
        tracing::error!(shard = %shard.id, attempt, class = %error.class(), error = text, "attempt failed");
        let record = FailedAttempt {
            attempt,
            error_class: error.class(),
            error: text,
            worker: self.worker.provenance.worker.clone(),
            failed_at: jiff::Timestamp::now(),
        };
        let json = serde_json::to_vec_pretty(&record).unwrap_or_default();
        let key = ArtifactKey::FailedAttempt(self.worker.run.clone(), shard.id, attempt);
        self.worker.storage.create(&key, Bytes::from(json)).await?;
        Ok(())
    }
}
