//! What workers say and how many shards wait: shown while it is so, and nothing depends on it.

use std::time::Duration;

use futures::StreamExt;
use shared::failure::chain;
use tokio::time::Instant;

use super::Collector;
use crate::ui::metrics;

/// Longest time between two times that pages are told what workers said.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// Longest wait for the broker's answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Collector {
    /// Hears events; ends never.
    pub(super) async fn listen(&self) {
        if let Some(events) = &self.events {
            let mut events = events.subscribe().await;
            while let Some(event) = events.next().await {
                self.board.hear(&event);
            }
        }
        std::future::pending().await
    }

    /// Has pages told what workers said; ends never.
    pub(super) async fn tell(&self) {
        loop {
            self.board.tell(Instant::now());
            tokio::time::sleep(TELL_EVERY.min(self.every)).await;
        }
    }

    /// Asks every now and then how many shards wait and whether the broker takes others; ends never.
    pub(super) async fn ask_broker(&self) {
        let Some(queue) = &self.queue else {
            return std::future::pending().await;
        };
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
                Ok(_) => tokio::time::timeout(PATIENCE, queue.alarm()).await,
                Err(_) => Ok(Ok(None)),
            };
            // That it does not answer shows when its messages are counted next.
            let alarm = alarm.ok().and_then(Result::ok).flatten();
            metrics::broker_said(depth.as_ref().ok());
            self.board.show_broker(queue.locate(), depth, alarm);
            tokio::time::sleep(self.every).await;
        }
    }
}
