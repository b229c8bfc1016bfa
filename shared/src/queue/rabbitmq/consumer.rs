//! Deliveries that go on over lost connections.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{info, warn};

use super::address::{Address, Line};
use super::delivery::Subscription;
use super::link::Link;
use super::retry::Retry;
use crate::failure::chain;
use crate::queue::{Deliveries, Delivery, QueueError, QueueErrorKind};

pub(super) struct Consumer {
    address: Arc<Address>,
    line: Line,
    subscription: Option<Subscription>,
    retry: Retry,
}

impl Consumer {
    /// Returns a consumer that is connected if the broker can be reached.
    ///
    /// # Errors
    ///
    /// `Denied` or `Misconfigured`.
    pub(super) async fn start(address: Arc<Address>, line: Line) -> Result<Self, QueueError> {
        let mut consumer = Self {
            address,
            line,
            subscription: None,
            retry: Retry::new(),
        };
        consumer.connect().await?;
        Ok(consumer)
    }

    /// Tries once to subscribe; says whether a broker that cannot be reached is to be waited for.
    async fn connect(&mut self) -> Result<(), QueueError> {
        let link = Link::open(Arc::clone(&self.address), "consume").await;
        let subscription = match link {
            Ok(link) => link.subscribe(self.line).await,
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
