//! Events of workers (progress, heartbeats, ...). Losing events loses nothing but liveliness.

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;
use crate::ids::{ItemId, RunId, ShardId};
use crate::platform::Platform;

/// What happened at a worker, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: jiff::Timestamp,
    /// At which worker.
    pub worker: String,
    /// What; its fields stand beside the others, and its name under `kind`.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened, one variant for each kind of event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// The worker is alive.
    Heartbeat {
        /// Its device.
        device: String,
        /// What its device computes with, once it is known. Heartbeats of earlier programs do not tell.
        #[serde(default, skip_serializing_if = "Platform::is_unknown")]
        platform: Platform,
        /// The shard in its hands.
        work: Option<ShardInHand>,
    },
    /// An item has its row.
    ItemEnded {
        /// The run.
        run: RunId,
        /// The shard.
        shard: ShardId,
        /// The item.
        item: ItemId,
    },
    /// A shard was committed.
    ShardCommitted {
        /// The run.
        run: RunId,
        /// The shard.
        shard: ShardId,
        /// Its items that are done.
        done: u32,
        /// Its items that are not.
        not_done: u32,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The run.
        run: RunId,
        /// The shard.
        shard: ShardId,
        /// Number of the attempt.
        attempt: u32,
        /// Its class.
        class: FailureClass,
        /// Why, with the whole chain.
        error: String,
        /// Whether the shard is given up.
        last: bool,
    },
    /// The worker ends.
    WorkerStopped {
        /// Why.
        reason: String,
    },
}

/// A shard that a worker works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardInHand {
    /// The run.
    pub run: RunId,
    /// The shard.
    pub shard: ShardId,
    /// What is being done, for people: `loading inputs`, `recording a style`, `denoising`, `storing`, ...
    pub step: String,
    /// Items that have their row.
    pub items_ended: u32,
    /// When work on the shard began.
    pub since: jiff::Timestamp,
}

impl Event {
    /// Returns the routing key: `{run}.{kind}`, or `worker.{kind}` for what belongs to no run.
    #[must_use]
    pub fn routing_key(&self) -> String {
        match &self.kind {
            EventKind::Heartbeat { .. } => "worker.heartbeat".to_owned(),
            EventKind::WorkerStopped { .. } => "worker.stopped".to_owned(),
            EventKind::ItemEnded { run, .. } => format!("{run}.item-ended"),
            EventKind::ShardCommitted { run, .. } => format!("{run}.shard-committed"),
            EventKind::AttemptFailed { run, .. } => format!("{run}.attempt-failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run() -> RunId {
        "demo".parse().unwrap()
    }

    /// Checks that an event is sent as `fields`, beside when and where it was, and read as it was sent.
    fn is_sent_as(kind: EventKind, mut fields: Value) {
        let event = Event {
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            worker: "w1".to_owned(),
            kind,
        };
        fields["at"] = json!("2026-01-01T00:00:00Z");
        fields["worker"] = json!("w1");
        assert_eq!(serde_json::to_value(&event).unwrap(), fields);
        assert_eq!(serde_json::from_value::<Event>(fields).unwrap(), event);
    }

    #[test]
    fn events_are_sent_under_names_that_every_version_knows() {
        is_sent_as(
            EventKind::Heartbeat {
                device: "cpu".to_owned(),
                platform: Platform::default(),
                work: Some(ShardInHand {
                    run: run(),
                    shard: ShardId(7),
                    step: "denoising".to_owned(),
                    items_ended: 2,
                    since: "2026-01-01T00:00:00Z".parse().unwrap(),
                }),
            },
            json!({"kind": "heartbeat", "device": "cpu", "work": {
                "run": "demo", "shard": 7, "step": "denoising", "items_ended": 2, "since": "2026-01-01T00:00:00Z",
            }}),
        );
        is_sent_as(
            EventKind::Heartbeat {
                device: "cuda:0".to_owned(),
                platform: Platform {
                    gpu: Some("NVIDIA L4".to_owned()),
                    cudnn: Some("9.28.1".to_owned()),
                    injection: Some("fused sm_80".to_owned()),
                    ..Platform::default()
                },
                work: None,
            },
            json!({
                "kind": "heartbeat", "device": "cuda:0",
                "platform": {"gpu": "NVIDIA L4", "cudnn": "9.28.1", "injection": "fused sm_80"}, "work": null,
            }),
        );
        is_sent_as(
            EventKind::ShardCommitted {
                run: run(),
                shard: ShardId(7),
                done: 3,
                not_done: 1,
            },
            json!({"kind": "shard-committed", "run": "demo", "shard": 7, "done": 3, "not_done": 1}),
        );
        is_sent_as(
            EventKind::AttemptFailed {
                run: run(),
                shard: ShardId(7),
                attempt: 2,
                class: FailureClass::Transient,
                error: "storage is away".to_owned(),
                last: false,
            },
            json!({
                "kind": "attempt-failed", "run": "demo", "shard": 7, "attempt": 2, "class": "transient",
                "error": "storage is away", "last": false,
            }),
        );
        is_sent_as(
            EventKind::WorkerStopped {
                reason: "it was told to".to_owned(),
            },
            json!({"kind": "worker-stopped", "reason": "it was told to"}),
        );
    }

    #[test]
    fn an_event_is_routed_by_its_run_and_kind_or_as_one_of_a_worker() {
        let of = |kind| {
            let event = Event {
                at: "2026-01-01T00:00:00Z".parse().unwrap(),
                worker: "w1".to_owned(),
                kind,
            };
            event.routing_key()
        };
        let heartbeat = EventKind::Heartbeat {
            device: "cpu".to_owned(),
            platform: Platform::default(),
            work: None,
        };
        assert_eq!(of(heartbeat), "worker.heartbeat");
        let committed = EventKind::ShardCommitted {
            run: run(),
            shard: ShardId(7),
            done: 1,
            not_done: 0,
        };
        assert_eq!(of(committed), "demo.shard-committed");
    }
}
