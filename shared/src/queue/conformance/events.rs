//! Events that are emitted, and what reaches subscribers.
#![expect(missing_docs, reason = "each name is its sentence")]

use futures::StreamExt;

use super::{Subject, soon, task};
use crate::ids::ShardId;
use crate::queue::message::{Event, EventKind};

pub async fn events_reach_every_listener(subject: &Subject) {
    let events = &subject.broker.events;
    let mut subscribers = [events.subscribe().await, events.subscribe().await];
    events.emit(&event(7)).await;
    for subscriber in &mut subscribers {
        let received = soon("an event", subscriber.next()).await;
        assert_eq!(received, Some(event(7)));
    }
}

pub async fn nobody_has_to_listen(subject: &Subject) {
    soon("emitting", subject.broker.events.emit(&event(7))).await;
}

/// Returns an event that can be told from the others.
fn event(shard: u32) -> Event {
    Event {
        at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        worker: "w1".to_owned(),
        kind: EventKind::ShardCommitted {
            run: task(0).run,
            shard: ShardId(shard),
            done: 1,
            not_done: 0,
        },
    }
}
