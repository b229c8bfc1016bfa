//! The event bus at a broker.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::address::Address;
use super::event_publisher::EventPublisher;
use super::event_stream;
use super::topic::Topic;
use crate::queue::EventBus;
use crate::queue::message::Event;

/// Events over a RabbitMQ broker.
#[derive(Debug)]
pub(super) struct RabbitMqEventBus {
    address: Arc<Address>,
    publisher: EventPublisher,
}

impl RabbitMqEventBus {
    pub(super) fn new(address: Arc<Address>) -> Self {
        Self {
            publisher: EventPublisher::start(Arc::clone(&address)),
            address,
        }
    }
}

#[async_trait]
impl EventBus for RabbitMqEventBus {
    async fn emit(&self, event: &Event) {
        self.publisher.emit(event).await;
    }

    async fn subscribe(&self) -> BoxStream<'static, Event> {
        event_stream::subscribe(Arc::clone(&self.address), Topic::Events).await
    }
}
