//! The attempts at a shard: the failed ones, and the one that committed it.

use futures::future::try_join_all;
use jiff::Timestamp;
use shared::clock::passed;
use shared::ids::ShardId;
use shared::manifest::ManifestRow;

use super::{MAX_ATTEMPTS, repaired_state};
use crate::run::ledger;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::{TimestampLabel, millis};
use crate::ui::dashboard::pages::states::{self, Badge};
use crate::work::collector::RunView;
use crate::work::collector::run_view::ShardStatus;

/// An attempt at a shard.
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) badge: Badge,
    /// The class of the failure; empty if it committed the shard.
    pub(super) class: String,
    /// Why it failed; empty if it committed the shard.
    pub(super) error: String,
    pub(super) worker: String,
    /// Empty if it failed: what is stored of a failure does not name the device.
    pub(super) device: String,
    pub(super) at: TimestampLabel,
    /// Empty if it failed: what is stored of a failure does not say when it began.
    pub(super) took: String,
    /// Whether it still counts towards the most attempts that the run allows.
    pub(super) counts: bool,
}

/// Returns the attempts at a shard with these rows, the newest first: the one that committed it, and the newest failed ones.
pub(super) async fn attempts(
    dashboard: &Dashboard,
    view: &RunView,
    shard: ShardId,
    rows: &[ManifestRow],
) -> Result<Vec<Attempt>, PageError> {
    let now = dashboard.live.now();
    let committed = committed(view, shard, rows, now);
    let failed = failed(dashboard, view, shard, now).await?;
    Ok(committed.into_iter().chain(failed).collect())
}

/// Returns the newest failed attempts.
async fn failed(
    dashboard: &Dashboard,
    view: &RunView,
    shard: ShardId,
    now: Timestamp,
) -> Result<Vec<Attempt>, PageError> {
    let first = view.ledger.first_attempt(shard);
    let storage = dashboard.storage.as_ref();
    let failed = view.ledger.failed_attempts.get(&shard);
    let mut numbers: Vec<u32> = failed.into_iter().flatten().copied().collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.truncate(MAX_ATTEMPTS);
    let reads = numbers
        .iter()
        .map(|&number| ledger::failed_attempt(storage, view.id(), shard, number));
    let failures = try_join_all(reads).await?;
    let attempts = numbers
        .iter()
        .zip(failures)
        .map(|(&number, failure)| Attempt {
            number,
            badge: states::of_shard(ShardStatus::Failed),
            class: failure.error_class.to_string(),
            error: failure.error,
            worker: failure.worker,
            device: String::new(),
            at: TimestampLabel::new(failure.failed_at, now),
            took: String::new(),
            counts: number >= first,
        });
    Ok(attempts.collect())
}

/// Returns the attempt that committed the shard; none if it is open.
fn committed(
    view: &RunView,
    shard: ShardId,
    rows: &[ManifestRow],
    now: Timestamp,
) -> Option<Attempt> {
    // Clocks of workers differ: which attempt was the last is told by its number.
    let newest = rows
        .iter()
        .max_by_key(|row| (row.attempt, row.finished_at))?;
    let look = match view.shard(shard) {
        ShardStatus::Damaged => repaired_state(view, shard, rows),
        look => look,
    };
    let own = rows.iter().filter(|row| row.attempt == newest.attempt);
    let start = own.map(|row| row.started_at).min();
    let took = start.map(|start| passed(start, newest.finished_at));
    Some(Attempt {
        number: newest.attempt,
        badge: states::of_shard(look),
        class: String::new(),
        error: String::new(),
        worker: newest.worker.clone(),
        device: newest.device.clone(),
        at: TimestampLabel::new(newest.finished_at, now),
        took: took.map_or_else(String::new, |took| millis(1000.0 * took.as_secs_f64())),
        counts: true,
    })
}
