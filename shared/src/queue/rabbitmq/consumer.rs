//! Deliveries that go on over lost connections.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{info, warn};

use super::address::{Address, WorkQueueName};
use super::connection::Connection;
use super::retry::Retry;
use super::subscription::Subscription;
use crate::failure::chain;
use crate::queue::{Deliveries, Delivery, QueueError, QueueErrorKind};

/// A consumer of one queue, over one connection after the other.
pub(super) struct Consumer {
    address: Arc<Address>,
    queue_name: WorkQueueName,
    subscription: Option<Subscription>,
    retry: Retry,
}

impl Consumer {
    /// Returns a consumer that is connected if the broker can be reached.
    ///
    /// # Errors
    ///
    /// `Denied` or `Misconfigured`.
    pub(super) async fn start(
        address: Arc<Address>,
        queue_name: WorkQueueName,
    ) -> Result<Self, QueueError> {
        let mut consumer = Self {
            address,
            queue_name,
            subscription: None,
            retry: Retry::new(),
        };
        consumer.connect().await?;
        Ok(consumer)
    }

    /// Tries once to subscribe; says whether a broker that cannot be reached is to be waited for.
    async fn connect(&mut self) -> Result<(), QueueError> {
        let connection = Connection::open(Arc::clone(&self.address), "consume").await;
        let subscription = match connection {
            Ok(connection) => Subscription::open(connection, self.queue_name).await,
            Err(error) => Err(error),
        };
        match subscription {
            Ok(subscription) => {
                self.subscription = Some(subscription);
                self.retry.connected(Instant::now());
                Ok(())
            }
            Err(error) => match error.kind {
                QueueErrorKind::Denied | QueueErrorKind::Misconfigured => Err(error),
                QueueErrorKind::Unavailable
                | QueueErrorKind::Alarm
                | QueueErrorKind::DeliveryLost => {
                    warn!(error = chain(&error), "cannot consume, waiting");
                    Ok(())
                }
            },
        }
    }
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        loop {
            if let Some(subscription) = &mut self.subscription {
                match subscription.next().await {
                    Ok(delivery) => {
                        self.retry.reset();
                        return Ok(delivery);
                    }
                    Err(error) => warn!(error = chain(&error), "lost the connection"),
                }
                self.subscription = None;
                self.retry.lost(Instant::now());
            }
            self.retry.pause().await;
            self.connect().await?;
            if self.subscription.is_some() {
                info!(server = self.address.locate(), "consuming again");
            }
        }
    }

    async fn stop(&mut self) {
        if let Some(subscription) = &mut self.subscription
            && let Err(error) = subscription.stop().await
        {
            warn!(
                error = chain(&error),
                "cannot stop consuming in order: a message that came meanwhile counts as delivered"
            );
        }
    }
}
