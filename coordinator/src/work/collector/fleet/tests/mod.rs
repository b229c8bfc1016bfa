//! Workers as they are heard of, told by hand.

mod clocks;
mod crowd;
mod events;

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use shared::ids::ShardId;
use shared::platform::Platform;
use shared::queue::message::{Event, EventKind, ShardInHand};
use tokio::time::Instant;

use super::Now;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns a time of the clock that only goes on.
fn at(second: u64) -> Instant {
    *BEGAN + Duration::from_secs(second)
}

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Returns a moment at which the clock on the wall is right.
fn now(second: u64) -> Now {
    Now {
        going: at(second),
        wall: wall(second as i64),
    }
}

fn event(kind: EventKind) -> Event {
    Event {
        at: wall(0),
        worker: "a".to_owned(),
        kind,
    }
}

fn heartbeat(work: Option<ShardInHand>) -> Event {
    event(EventKind::Heartbeat {
        device: "cpu".to_owned(),
        platform: Platform::default(),
        work,
    })
}

fn in_hand() -> ShardInHand {
    ShardInHand {
        run: "demo".parse().unwrap(),
        shard: ShardId(7),
        step: "denoise".to_owned(),
        items_ended: 1,
        since: wall(0),
    }
}
