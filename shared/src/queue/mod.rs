//! The broker, as three ports with a delivery guarantee each.
//!
//! - [`WorkQueue`]: shards that wait for workers; durable, at least once
//! - [`EventBus`]: what workers report while they work; best effort, nothing depends on it
//! - [`WorkerControl`]: requests to workers by name; at most once, to those that are subscribed
//!
//! [`open`] connects to RabbitMQ, [`InProcessBroker`] is the same in memory, and [`message`] has what is sent.
//!
//! None of them is the truth: that lies in storage. Losing every message loses no work, only the knowledge of which shards
//! are to be made next, which `resume` restores.

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod event_bus;
mod in_process;
pub mod message;
mod rabbitmq;
mod work_queue;
mod worker_control;

use std::sync::Arc;

pub use error::{QueueError, QueueErrorKind};
pub use event_bus::EventBus;
pub use in_process::{
    InProcessBroker, InProcessEventBus, InProcessWorkQueue, InProcessWorkerControl,
};
pub use rabbitmq::Greeting;
pub use work_queue::{
    DELIVERY_LIMIT, DeadLetterReason, Deliveries, Delivery, Depth, Settle, Settlement, WorkQueue,
};
pub use worker_control::WorkerControl;

use crate::settings::BrokerConfig;

/// The three ports of one broker.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Shards that wait for workers.
    pub work: Arc<dyn WorkQueue>,
    /// What workers report.
    pub events: Arc<dyn EventBus>,
    /// Requests to workers by name.
    pub control: Arc<dyn WorkerControl>,
}

/// Connects to a RabbitMQ broker: proves that it can be used, and declares what is needed there.
///
/// # Errors
///
/// `Unavailable`, `Denied` or `Misconfigured`.
pub async fn open(config: &BrokerConfig) -> Result<Broker, QueueError> {
    rabbitmq::open(config).await
}

/// Returns which product and version a broker says it is before anyone logs in; none if it does not answer, or only over TLS.
pub async fn greeting(config: &BrokerConfig) -> Option<Greeting> {
    rabbitmq::greeting(config).await
}
