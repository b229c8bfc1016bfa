//! Requests to workers over a broker.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::address::Address;
use super::event_stream;
use super::kept_connection::KeptConnection;
use super::topic::Topic;
use crate::json;
use crate::queue::message::ControlRequest;
use crate::queue::{QueueError, WorkerControl};

/// Requests to workers over a RabbitMQ broker.
#[derive(Debug)]
pub(super) struct RabbitMqWorkerControl {
    address: Arc<Address>,
    publishing: Arc<KeptConnection>,
}

impl RabbitMqWorkerControl {
    pub(super) fn new(address: Arc<Address>, publishing: Arc<KeptConnection>) -> Self {
        Self {
            address,
            publishing,
        }
    }
}

#[async_trait]
impl WorkerControl for RabbitMqWorkerControl {
    async fn send(&self, worker: &str, request: ControlRequest) -> Result<bool, QueueError> {
        let Some(topic) = Topic::control(worker) else {
            return Ok(false);
        };
        let connection = self.publishing.get(&self.address, "ask a worker").await?;
        let payload = json::line(&request);
        let sent = connection.send_request(&topic, payload.as_bytes()).await;
        self.publishing.checked(&connection, sent).await
    }

    async fn subscribe(&self, worker: &str) -> BoxStream<'static, ControlRequest> {
        match Topic::control(worker) {
            Some(topic) => event_stream::subscribe(Arc::clone(&self.address), topic).await,
            None => stream::pending().boxed(),
        }
    }
}
