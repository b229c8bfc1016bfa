//! The broker in memory, for `run` and for simulations: without threads, time or chance.

mod event_bus;
mod work_queue;
mod worker_control;

use std::sync::Arc;

pub use event_bus::InProcessEventBus;
pub use work_queue::InProcessWorkQueue;
pub use worker_control::InProcessWorkerControl;

use super::Broker;

/// A broker that ends with its process. Clones are the same broker.
#[derive(Debug, Clone, Default)]
pub struct InProcessBroker {
    /// Shards that wait for workers.
    pub work: InProcessWorkQueue,
    /// What workers report.
    pub events: InProcessEventBus,
    /// Requests to workers by name.
    pub control: InProcessWorkerControl,
}

impl InProcessBroker {
    /// Returns a broker with an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a broker with an empty queue, whose messages may come back `delivery_limit` times.
    #[must_use]
    pub fn with_delivery_limit(delivery_limit: u64) -> Self {
        Self {
            work: InProcessWorkQueue::with_delivery_limit(delivery_limit),
            ..Self::default()
        }
    }

    /// Returns its ports.
    #[must_use]
    pub fn ports(&self) -> Broker {
        Broker {
            work: Arc::new(self.work.clone()),
            events: Arc::new(self.events.clone()),
            control: Arc::new(self.control.clone()),
        }
    }
}
