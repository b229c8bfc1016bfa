//! The checks before an attempt at a shard: what storage says of the run and of the shard, and whether the run's context
//! can be loaded.
//!
//! - `checks`: the checks, once; `goal`: what is to be made of the shard
//! - `error`: why they give no answer

mod checks;
mod error;
mod goal;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shared::decision::Decisions;
use shared::failure::{FailureClass, chain};
use shared::making::ContentDigests;
use shared::plan::ShardInputs;
use shared::queue::Settlement;
use shared::queue::message::ShardTask;
use shared::run_record::RunRecord;
use tokio::time::Instant;

use self::checks::preflight;
pub(super) use self::error::PreflightError;
use super::outcome::Failure;
use super::root::{NoRun, denies_one_run};
use super::{Consumer, Memory};
use crate::attempt::{Goal, RunContext};
use crate::retry_pauses::RetryPauses;

/// What is to be done about a message, as the checks before an attempt found it.
pub(super) enum Preflight {
    /// Nothing but this.
    Settled(Settlement),
    /// It is about no shard that could be made: it goes to the dead letters, and nothing is recorded.
    Refused(String),
    /// Its run cannot be opened here, which says nothing about the run.
    NoRun(NoRun),
    /// The run cannot be worked on as it is: that is a failed attempt.
    Failed(Failure),
    /// What the run needs was away for longer than the run waits for it: the shard goes back, and nothing counts.
    Away(String),
    /// Nothing will work here.
    Fatal(String),
    /// The shard is to be tried.
    Ready(Box<PreparedShard>),
}

/// A shard that is to be tried, with all that an attempt needs.
pub(super) struct PreparedShard {
    pub(super) record: RunRecord,
    pub(super) context: RunContext,
    pub(super) decisions: Decisions,
    /// Its contents and styles.
    pub(super) inputs: ShardInputs,
    /// What of it is to be made.
    pub(super) goal: Goal,
    /// What committed rows say of its contents.
    pub(super) known: BTreeMap<String, ContentDigests>,
    /// The attempt.
    pub(super) next: NextAttempt,
    /// Set to stop this attempt.
    pub(super) stop: AtomicBool,
}

/// The attempt that comes next at a shard.
#[derive(Clone, Copy)]
pub(super) struct NextAttempt {
    pub(super) number: u32,
    /// Failed attempts that count.
    failures: u32,
    max_attempts: u32,
    /// How long what the run needs is waited for.
    patience: Duration,
}

impl NextAttempt {
    /// Returns whether the shard was given up before.
    fn is_one_too_many(self) -> bool {
        self.failures >= self.max_attempts
    }

    /// Returns this attempt as one that failed.
    pub(super) fn failed(self, class: FailureClass, reason: String) -> Failure {
        Failure {
            number: self.number,
            is_last: self.failures + 1 >= self.max_attempts,
            class,
            reason,
            ends_engine: false,
        }
    }
}

impl PreparedShard {
    /// Asks the attempt to stop after the item in hand.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Returns whether the attempt was asked to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Checks until storage answers: while it does not, nothing can be tried, and nothing counts as tried. What the run
/// alone needs is waited for as long as the run says, from when it was found to be of no use: what storage took before
/// does not count.
pub(super) async fn preflight_with_retry(
    consumer: &Consumer,
    task: &ShardTask,
    memory: &mut Memory,
) -> Preflight {
    let (mut useless_since, mut pauses) = (None::<Instant>, RetryPauses::new());
    let mut next = None;
    loop {
        let error = match preflight(consumer, task, memory, &mut next).await {
            Ok(preflight) => return preflight,
            Err(error) => error,
        };
        let waited = if error.is_of_context() {
            useless_since.get_or_insert_with(Instant::now).elapsed()
        } else {
            useless_since = None;
            Duration::ZERO
        };
        let has_waited = error.is_of_context() && next.is_some_and(|next| waited >= next.patience);
        if has_waited && error.is_away() {
            return Preflight::Away(format!(
                "{}; waited {} s for it (limits.input_patience_seconds): start again once it can be read",
                chain(&error),
                waited.as_secs()
            ));
        }
        let class = error.class();
        let is_of_run = match class {
            FailureClass::Transient
            | FailureClass::Resources
            | FailureClass::BadInput
            | FailureClass::Missing
            | FailureClass::Changed
            | FailureClass::BadOutput => has_waited,
            FailureClass::Unworkable => true,
            FailureClass::Fatal => {
                if !(error.is_denied() && denies_one_run(consumer.storage.as_ref()).await) {
                    return Preflight::Fatal(chain(&error));
                }
                true
            }
        };
        if is_of_run {
            let reason = chain(&error);
            return match next {
                _ if consumer.is_alone() => Preflight::Fatal(reason),
                Some(next) if next.is_one_too_many() => Preflight::Settled(Settlement::Reject),
                Some(next) => Preflight::Failed(next.failed(class, reason)),
                None => Preflight::Refused(reason),
            };
        }
        tracing::warn!(error = chain(&error), "cannot begin yet, trying again");
        let mut pause = pauses.next_pause();
        if let Some(next) = next.filter(|_| error.is_of_context()) {
            pause = pause.min(next.patience.saturating_sub(waited));
        }
        tokio::select! {
            biased;
            () = consumer.drain.cancelled() => return Preflight::Settled(Settlement::Release),
            () = tokio::time::sleep(pause) => {}
        }
    }
}
