//! States of runs, shards, items and workers as badges: a word, a sign and a colour, as a colour alone is not enough.

use shared::manifest::Status;

use crate::work::collector::fleet::WorkerState;
use crate::work::collector::run_view::{RunState, ShardStatus};

/// A state as a page shows it: a coloured label with a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    /// Its name in style sheets and in the API.
    pub(crate) class: &'static str,
    /// Its sign.
    pub(crate) sign: &'static str,
    /// Its name for people.
    pub(crate) label: &'static str,
}

const fn badge(class: &'static str, sign: &'static str, label: &'static str) -> Badge {
    Badge { class, sign, label }
}

/// The states of shards, in the order of filters.
pub(super) const SHARDS: [ShardStatus; 7] = [
    ShardStatus::Open,
    ShardStatus::InHand,
    ShardStatus::Retrying,
    ShardStatus::Done,
    ShardStatus::Quarantined,
    ShardStatus::Failed,
    ShardStatus::Damaged,
];

/// Returns the badge of a run.
pub(crate) fn of_run(state: &RunState) -> Badge {
    match state {
        RunState::Complete => badge("complete", "✓", "Complete"),
        RunState::Ended => badge("ended", "!", "Ended with losses"),
        RunState::Damaged(_) => badge("damaged", "!", "Damaged"),
        RunState::Halted(_) => badge("halted", "■", "Halted"),
        RunState::Running => badge("running", "▶", "Running"),
        RunState::Waiting => badge("waiting", "○", "Waiting for workers"),
        RunState::Idle => badge("idle", "○", "Nobody works on it"),
    }
}

/// Returns the badge of a shard.
pub(super) fn of_shard(look: ShardStatus) -> Badge {
    match look {
        ShardStatus::Open => badge("open", "○", "Waiting"),
        ShardStatus::InHand => badge("in-hand", "▶", "In hand"),
        ShardStatus::Retrying => badge("retrying", "↻", "To be retried"),
        ShardStatus::Done => badge("done", "✓", "Done"),
        ShardStatus::Quarantined => badge("quarantined", "!", "Some quarantined"),
        ShardStatus::Failed => badge("failed", "✕", "Failed"),
        ShardStatus::Damaged => badge("damaged", "!", "Damaged"),
    }
}

/// Returns the letter of a shard in the grid's data.
pub(super) fn letter(look: ShardStatus) -> char {
    match look {
        ShardStatus::Open => 'o',
        ShardStatus::InHand => 'h',
        ShardStatus::Retrying => 'r',
        ShardStatus::Done => 'd',
        ShardStatus::Quarantined => 'q',
        ShardStatus::Failed => 'f',
        ShardStatus::Damaged => 'x',
    }
}

/// Returns the badge of an item by its status in the manifest, which it has none of before its shard is committed.
pub(super) fn of_item(status: Option<Status>) -> Badge {
    match status {
        Some(Status::Done) => badge("done", "✓", "Done"),
        Some(Status::Quarantined) => badge("quarantined", "!", "Quarantined"),
        Some(Status::Failed) => badge("failed", "✕", "Failed"),
        None => badge("open", "○", "Waiting"),
    }
}

/// Returns the badge of a worker.
pub(crate) fn of_worker(state: WorkerState) -> Badge {
    match state {
        WorkerState::Working => badge("working", "▶", "Working"),
        WorkerState::Waiting => badge("waiting", "○", "Waiting"),
        WorkerState::Silent => badge("silent", "?", "Silent"),
        WorkerState::Stopped => badge("stopped", "■", "Stopped"),
    }
}
