//! What the broker says: the events of workers, and how many messages wait. It is shown while it is so, and nothing depends
//! on it.

use std::time::Duration;

use futures::StreamExt;
use shared::failure::chain;
use shared::queue::{EventBus, WorkQueue};
use tokio::time::Instant;

use super::{Collector, gauges};

/// Longest time between two times that pages are told what workers said.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Longest wait for the broker's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between the end of a stream of events, which its contract does not have, and the next subscription.
const SUBSCRIBE_AGAIN_AFTER: Duration = Duration::from_secs(5);

impl Collector {
    /// Applies the events of workers; ends never. A stream that ends is an error that is told once, until the next event.
    pub(super) async fn consume_events(&self, events: &dyn EventBus) {
        let mut is_told = false;
        loop {
            let mut stream = events.subscribe().await;
            while let Some(event) = stream.next().await {
                self.live.apply_event(&event);
                is_told = false;
            }
            if !std::mem::replace(&mut is_told, true) {
                tracing::error!("the stream of workers' events ended, subscribing again");
            }
            tokio::time::sleep(SUBSCRIBE_AGAIN_AFTER).await;
        }
    }

    /// Has pages told what workers said; ends never.
    pub(super) async fn flush_live_state(&self) {
        loop {
            self.live.flush(Instant::now());
            tokio::time::sleep(FLUSH_EVERY.min(self.every)).await;
        }
    }

    /// Asks every now and then how many shards wait and whether the broker takes others; ends never.
    pub(super) async fn poll_broker(&self, queue: &dyn WorkQueue) {
        loop {
            let depth = match tokio::time::timeout(PATIENCE, queue.depth()).await {
                Ok(depth) => depth.map_err(|error| chain(&error)),
                Err(_) => Err(format!(
                    "{} gives no answer within {} s",
                    queue.locate(),
                    PATIENCE.as_secs()
                )),
            };
            let alarm = match &depth {
                Ok(_) => alarm(queue).await,
                Err(_) => None,
            };
            gauges::set_broker(depth.as_ref().ok());
            self.live.set_broker(queue.locate(), depth, alarm);
            tokio::time::sleep(self.every).await;
        }
    }
}

/// Returns why a queue takes no messages, if it says so. That it does not answer shows when its messages are counted next.
async fn alarm(queue: &dyn WorkQueue) -> Option<String> {
    match tokio::time::timeout(PATIENCE, queue.alarm()).await {
        Ok(Ok(alarm)) => alarm,
        Ok(Err(error)) => {
            tracing::debug!(error = chain(&error), "the broker does not tell its alarms");
            None
        }
        Err(_) => None,
    }
}
