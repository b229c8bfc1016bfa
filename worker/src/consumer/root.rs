//! Runs that messages are about and that cannot be opened here.
//!
//! The storage root may not be mounted just now, or be another one than the run was launched in: what concerns this worker
//! fails no run. So such messages go back uncounted, and a worker that sees no run at all takes none until it does.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::ids::RunId;
use shared::queue::Settlement;
use shared::queue::message::ShardTask;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ConsumerError;
use super::verdict::Verdict;
use crate::retry_pauses::RetryPauses;

/// How long the messages of a run that cannot be opened go back. From then on they go to the dead letters: the collector
/// drops those of a run that was removed, and keeps the others or publishes them again.
const RUN_PATIENCE: Duration = Duration::from_secs(300);
/// How long a storage root is waited for that has none of the runs that messages are about.
const ROOT_PATIENCE: Duration = Duration::from_secs(600);
/// Runs whose trouble is remembered: messages may name any number.
const MOST_RUNS: usize = 1000;

/// A run that cannot be opened.
pub(super) struct NoRun {
    /// Where its record is, or would be.
    pub(super) path: String,
    pub(super) why: Unopened,
}

/// Why a run cannot be opened.
pub(super) enum Unopened {
    /// The storage root has no run at all.
    EmptyRoot,
    /// The storage root has other runs.
    Absent,
    /// Its record is there and of no use: why.
    Unreadable(String),
}

/// What is known of the storage root from the messages of a worker.
#[derive(Default)]
pub(super) struct Root {
    /// Whether a run that a message was about could be opened.
    is_proven: bool,
    /// Runs that cannot be opened.
    troubled: BTreeMap<RunId, Absence>,
    /// None of the runs that messages are about is there.
    absence: Option<Absence>,
}

/// Messages that were met with the same trouble one after the other.
#[derive(Clone, Copy)]
struct Absence {
    since: Instant,
    last: Instant,
}

impl Absence {
    /// Returns what holds after one more. Messages that go back come again soon: after a longer silence it is another trouble.
    fn go_on(before: Option<Self>, now: Instant) -> Self {
        let before = before.filter(|before| now - before.last < RUN_PATIENCE);
        Self {
            since: before.map_or(now, |before| before.since),
            last: now,
        }
    }
}

impl Root {
    /// Takes note that a run could be opened.
    pub(super) fn opened(&mut self, run: &RunId) {
        self.is_proven = true;
        self.absence = None;
        self.troubled.remove(run);
    }

    /// Takes note that a run cannot be opened; returns for how long.
    fn troubles(&mut self, run: &RunId, now: Instant) -> Duration {
        if self.troubled.len() >= MOST_RUNS && !self.troubled.contains_key(run) {
            self.troubled.clear();
        }
        let absence = Absence::go_on(self.troubled.get(run).copied(), now);
        self.troubled.insert(run.clone(), absence);
        now - absence.since
    }

    /// Takes note that a run is not there; returns for how long none was that a message was about, if ever one was.
    fn lacks(&mut self, now: Instant) -> Option<Duration> {
        if self.is_proven {
            return None;
        }
        let absence = Absence::go_on(self.absence, now);
        self.absence = Some(absence);
        Some(now - absence.since)
    }

    /// Returns what becomes of a message whose run cannot be opened, at a worker that has one run alone or is for all.
    pub(super) fn without_run(
        &mut self,
        task: &ShardTask,
        no_run: NoRun,
        is_alone: bool,
    ) -> Verdict {
        let NoRun { path, why } = no_run;
        let now = Instant::now();
        let is_removed = matches!(why, Unopened::Absent);
        let reason = match why {
            Unopened::Unreadable(reason) => format!(
                "it is no run record of this version, or is damaged: {reason}; use workers and coordinator of one version"
            ),
            Unopened::EmptyRoot | Unopened::Absent if is_alone => {
                tracing::error!(path, "the run is not there any more");
                return Verdict::settle(Settlement::Reject);
            }
            Unopened::EmptyRoot => {
                return Verdict {
                    awaited: Some(task.run.clone()),
                    ..Verdict::settle(Settlement::Release)
                };
            }
            Unopened::Absent => {
                if let Some(waited) = self.lacks(now).filter(|&waited| waited >= ROOT_PATIENCE) {
                    return Verdict {
                        stop: Some(ConsumerError::NoRun {
                            run: task.run.clone(),
                            path,
                            waited,
                        }),
                        ..Verdict::settle(Settlement::Release)
                    };
                }
                "it is not there, and other runs are: is it the root that `launch` used?".to_owned()
            }
        };
        if is_alone {
            return Verdict::fatal(task, format!("{path}: {reason}"));
        }
        let (settlement, becomes) = if self.troubles(&task.run, now) < RUN_PATIENCE {
            (Settlement::Release, "goes back, uncounted")
        } else {
            (Settlement::Reject, "goes to the dead letters")
        };
        tracing::error!(path, reason, "a shard whose run cannot be opened {becomes}");
        Verdict {
            // A worker that knows its root for the right one need not hold up its other runs for one that was removed.
            failed: settlement == Settlement::Release || !(self.is_proven && is_removed),
            ..Verdict::settle(settlement)
        }
    }
}

/// Returns whether the storage root has a run. What attempts left in the folder where it is mounted at other times is none.
///
/// # Errors
///
/// If storage fails.
pub(super) async fn has_runs(storage: &dyn Storage) -> Result<bool, StorageError> {
    for run in storage.runs().await? {
        if storage.exists(&ArtifactKey::RunRecord(run)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Waits until the storage root has runs again, or `drain` is cancelled. The worker has no message
/// meanwhile: those that see the run get it.
///
/// # Errors
///
/// [`ConsumerError::NoRun`] if that takes too long.
pub(super) async fn wait_for_root(
    storage: &dyn Storage,
    drain: &CancellationToken,
    run: &RunId,
) -> Result<(), ConsumerError> {
    let path = storage.locate(&ArtifactKey::RunRecord(run.clone()));
    let (mut since, mut pauses) = (Instant::now(), RetryPauses::new());
    loop {
        match has_runs(storage).await {
            Ok(false) => tracing::warn!(
                path,
                "the storage root has no run, so this worker takes no shard: is it mounted? waiting for it"
            ),
            Err(error) if error.kind == StorageErrorKind::Unavailable => {
                tracing::warn!(error = chain(&error), "cannot list runs, trying again");
                since = Instant::now();
            }
            // Whatever else is wrong is told over the next message.
            Ok(true) | Err(_) => return Ok(()),
        }
        let waited = since.elapsed();
        if waited >= ROOT_PATIENCE {
            let run = run.clone();
            return Err(ConsumerError::NoRun { run, path, waited });
        }
        tokio::select! {
            biased;
            () = drain.cancelled() => return Ok(()),
            () = tokio::time::sleep(pauses.next_pause()) => {}
        }
    }
}

/// Returns whether a storage root that denied an object of a run permits everything else.
pub(super) async fn denies_one_run(storage: &dyn Storage) -> bool {
    storage.check_writable().await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_wrong_when_no_run_of_any_message_was_in_it_for_long() {
        let run = |name: &str| -> RunId { name.parse().unwrap() };
        let (mut root, start) = (Root::default(), Instant::now());
        let minute = Duration::from_secs(60);
        for minutes in 0..4_u32 {
            let now = start + minutes * minute;
            assert_eq!(root.lacks(now), Some(minutes * minute));
            assert_eq!(root.troubles(&run("a"), now), minutes * minute);
        }
        assert_eq!(root.troubles(&run("b"), start + 4 * minute), Duration::ZERO);
        // Nothing was missed for an hour: what is missed then is something else.
        let late = start + 60 * minute;
        assert_eq!(root.lacks(late), Some(Duration::ZERO));
        assert_eq!(root.troubles(&run("a"), late), Duration::ZERO);
        root.opened(&run("a"));
        assert_eq!(root.lacks(start + 61 * minute), None);
        assert_eq!(
            root.troubles(&run("a"), start + 61 * minute),
            Duration::ZERO
        );
    }

    #[test]
    fn no_more_runs_are_remembered_than_are_of_use() {
        let (mut root, now) = (Root::default(), Instant::now());
        for number in 0..3 * MOST_RUNS {
            root.troubles(&format!("run-{number}").parse().unwrap(), now);
        }
        assert!(root.troubled.len() <= MOST_RUNS);
    }
}
