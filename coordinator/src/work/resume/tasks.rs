//! Shards that are to be done again as workers are asked for them.

use shared::queue::WorkQueue;
use shared::queue::message::ShardTask;
use shared::storage::Storage;

use super::{ResumeError, changed_inputs, decide};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Ledger;
use crate::run::plan::Shard;
use crate::run::redo::{Redo, Why};
use crate::work::dispatch;

/// Returns what is asked for a shard that is open: the shard itself, or the revision of it that was decided.
#[must_use]
pub fn task(run: &FrozenRun, ledger: &Ledger, shard: &Shard) -> ShardTask {
    ShardTask {
        first_attempt: ledger.first_attempt(shard.id),
        // Its rows are revision 0.
        revision: ledger.outstanding(shard.id).unwrap_or(0),
        ..run.plan.task(&run.record.run, shard)
    }
}

/// Returns what workers are asked for.
pub fn tasks<'a>(
    run: &'a FrozenRun,
    ledger: &'a Ledger,
    redo: &'a [Redo],
) -> impl Iterator<Item = ShardTask> + 'a {
    redo.iter().map(|redo| {
        let shard = &run.plan.shards[redo.shard.0 as usize];
        let task = task(run, ledger, shard);
        match &redo.why {
            Why::ArtifactsMissing(_) => ShardTask {
                revision: 0,
                repair: true,
                ..task
            },
            Why::NotCommitted
            | Why::Failed { .. }
            | Why::Quarantined { .. }
            | Why::NotRevised { .. }
            | Why::RevisionFailed { .. } => task,
        }
    })
}

/// Where shards that are to be done again are handed out.
#[derive(Clone, Copy)]
pub struct Publisher<'a> {
    /// Where the run is stored.
    pub storage: &'a dyn Storage,
    /// Where its shards go.
    pub queue: &'a dyn WorkQueue,
    /// The run.
    pub run: &'a FrozenRun,
}

impl Publisher<'_> {
    /// Hands shards to the queue that are to be done again, after storing that they are; tells `published` how many are
    /// there.
    ///
    /// # Errors
    ///
    /// If storage or the queue fails; it can be repeated.
    pub async fn publish(
        self,
        ledger: &mut Ledger,
        redo: &[Redo],
        published: impl Fn(usize),
    ) -> Result<(), ResumeError> {
        let (storage, run) = (self.storage, self.run);
        let changed = changed_inputs(storage, run, ledger, redo).await?;
        decide(storage, run, ledger, redo, changed).await?;
        dispatch::publish(self.queue, tasks(run, ledger, redo), published).await?;
        Ok(())
    }
}
