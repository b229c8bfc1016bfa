//! Requests to workers in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::mpsc;

use crate::queue::message::ControlRequest;
use crate::queue::{QueueError, WorkerControl};

/// Requests to the workers of a process. Clones reach the same workers.
#[derive(Debug, Clone, Default)]
pub struct InProcessWorkerControl {
    subscribers: Arc<Mutex<Vec<Subscriber>>>,
}

#[derive(Debug)]
struct Subscriber {
    worker: String,
    requests: mpsc::UnboundedSender<ControlRequest>,
}

impl InProcessWorkerControl {
    /// Returns one without subscribers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn subscribers(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WorkerControl for InProcessWorkerControl {
    async fn send(&self, worker: &str, request: ControlRequest) -> Result<bool, QueueError> {
        let mut subscribers = self.subscribers();
        subscribers.retain(|subscriber| !subscriber.requests.is_closed());
        let named = subscribers.iter().filter(|known| known.worker == worker);
        // All of them get it, not the first alone.
        let sent = named.filter(|named| named.requests.send(request).is_ok());
        Ok(sent.count() > 0)
    }

    async fn subscribe(&self, worker: &str) -> BoxStream<'static, ControlRequest> {
        let (sender, requests) = mpsc::unbounded_channel();
        self.subscribers().push(Subscriber {
            worker: worker.to_owned(),
            requests: sender,
        });
        // The others are held, so that the stream does not end before its subscriber.
        let subscriber = (requests, Arc::clone(&self.subscribers));
        stream::unfold(subscriber, |(mut requests, held)| async move {
            let request = requests.recv().await?;
            Some((request, (requests, held)))
        })
        .boxed()
    }
}
