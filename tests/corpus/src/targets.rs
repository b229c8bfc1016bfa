//! What reads bytes that may be anything, each as one function for fuzzing: it must neither panic nor hang nor take a
//! gigabyte. What it returns does not count.

use std::time::Duration;

use bytes::Bytes;
use coordinator::work::collector::live_state::LiveState;
use shared::manifest::{self, Columns, ManifestError, ManifestRow};
use shared::queue::message::{ControlRequest, Event, ShardTask};
use tokio::time::Instant;

use crate::read::{Reads, read, stored};

shared::enumerated! {
    /// A group of readers that are given the same bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Target {
        /// Photographs in every format.
        Pictures,
        /// Labels in every encoding.
        Labels,
        /// Arrays: noise, and statistics of photographs.
        Arrays,
        /// Contracts: `model.json`, `features.json`, `perceptual.json`, `segmenter.json` and `translator.json`.
        Contracts,
        /// What storage holds of a run beside shards: `run.json`, plan, decisions, tally, failed attempts.
        Records,
        /// `run.toml`, `worker.toml` and `--set`.
        Settings,
        /// Tasks, events and requests.
        Messages,
        /// The manifests of shards.
        Shards,
    }
}

impl Target {
    /// Returns the name that `cargo fuzz` knows it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pictures => "pictures",
            Self::Labels => "labels",
            Self::Arrays => "arrays",
            Self::Contracts => "contracts",
            Self::Records => "records",
            Self::Settings => "settings",
            Self::Messages => "messages",
            Self::Shards => "shards",
        }
    }

    /// Reads bytes in every way that the target knows.
    pub fn run(self, bytes: &[u8]) {
        match self {
            Self::Messages => messages(bytes),
            Self::Shards => shards(bytes),
            Self::Records => stored(bytes),
            Self::Pictures | Self::Labels | Self::Arrays | Self::Contracts | Self::Settings => {
                let readers = Reads::ALL
                    .into_iter()
                    .filter(|reads| reads.target() == self);
                readers.for_each(|reads| drop(read(reads, bytes)));
            }
        }
    }
}

/// Takes a message as workers, the collector and whoever prints it do.
fn messages(bytes: &[u8]) {
    if let Ok(task) = ShardTask::from_payload(bytes) {
        assert_eq!(ShardTask::from_payload(&task.to_payload()).unwrap(), task);
    }
    let _ = serde_json::from_slice::<ControlRequest>(bytes);
    if let Ok(event) = serde_json::from_slice::<Event>(bytes) {
        let live = LiveState::default();
        live.apply_event(&event);
        live.flush(Instant::now());
        live.flush(Instant::now() + Duration::from_hours(1));
        let _ = (event.routing_key(), live.workers());
    }
}

/// Reads of the manifest of a shard what counts are made of.
fn counted_rows(bytes: Bytes) -> Result<Vec<ManifestRow>, ManifestError> {
    let stored = manifest::read_stored(bytes, manifest::MAX_ROWS, Columns::Counted);
    stored.map(|stored| stored.rows)
}

/// Reads the manifest of a shard and counts what it says.
fn shards(bytes: &[u8]) {
    for read in [manifest::read, manifest::read_with_features, counted_rows] {
        if let Ok(rows) = read(Bytes::copy_from_slice(bytes)) {
            let tally = coordinator::run::tally::ShardTally::of(&rows, 0);
            let _ = tally.counts.frequent_reasons();
        }
    }
}
