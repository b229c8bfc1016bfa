//! Requests to this worker by its name.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use shared::queue::message::ControlRequest;

use super::Consumer;

/// What this worker was asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    drain: AtomicBool,
}

impl Asked {
    /// Returns whether a request is why it drains.
    pub(super) fn to_drain(&self) -> bool {
        self.drain.load(Ordering::Relaxed)
    }
}

impl Consumer {
    /// Does what is asked, for as long as the worker works.
    pub(super) async fn heed_requests(&self, asked: &Asked) -> Infallible {
        let mut requests = self.broker.control.subscribe(&self.name).await;
        while let Some(request) = requests.next().await {
            match request {
                ControlRequest::Drain if self.drain.is_cancelled() => {}
                ControlRequest::Drain => {
                    tracing::warn!(
                        "asked to drain: finishing the image in hand and giving the shard back"
                    );
                    asked.drain.store(true, Ordering::Relaxed);
                    self.drain.cancel();
                }
            }
        }
        std::future::pending().await
    }
}
