//! Control requests to this worker by its name.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use shared::queue::WorkerControl;
use shared::queue::message::ControlRequest;
use tokio_util::sync::CancellationToken;

/// The control requests that this worker has heeded.
#[derive(Debug, Default)]
pub(super) struct HeededRequests {
    drain: AtomicBool,
}

impl HeededRequests {
    /// Returns whether a request is why the worker drains.
    pub(super) fn has_drain(&self) -> bool {
        self.drain.load(Ordering::Relaxed)
    }
}

/// Does what is asked of a worker, for as long as it works; a request to drain cancels `drain`.
pub(super) async fn handle_control_requests(
    control: &dyn WorkerControl,
    worker: &str,
    drain: &CancellationToken,
    heeded: &HeededRequests,
) -> Infallible {
    let mut requests = control.subscribe(worker).await;
    while let Some(request) = requests.next().await {
        match request {
            ControlRequest::Drain if drain.is_cancelled() => {}
            ControlRequest::Drain => {
                tracing::warn!(
                    "asked to drain: finishing the image in hand and giving the shard back"
                );
                heeded.drain.store(true, Ordering::Relaxed);
                drain.cancel();
            }
        }
    }
    std::future::pending().await
}
