//! The ports at a RabbitMQ broker.
//!
//! - `work_queue`, `event_bus`, `worker_control`: the three ports
//! - `address`: where the broker is and what queues and exchanges are called there
//! - `greeting`: which product and version it is
//! - `client`: what is used of the client library; the only file that names it
//! - `topology`, `topic`: what is declared there; what is published to subscribers, and where
//! - `connection`, `kept_connection`: one connection, and one that a use keeps
//! - `subscription`, `consumer`: messages of a work queue over one connection, and over lost connections
//! - `delivery`, `headers`: how a message that was delivered ends; how often it came back, and why it is a dead letter
//! - `event_publisher`: events, published beside the work
//! - `event_stream`: events and requests, received over lost connections
//! - `retry`: how long to wait before the next connection
//! - `alarms`, `alarm`: the broker's alarm, as all connections know of it, and as it tells it to each
//!
//! Every use has a connection of its own, so that none waits for another: a broker that is short of memory stops
//! reading from connections that publish, and neither acknowledgements nor counts must stand behind that. Requests to
//! workers are published over the connection that publishes shards.

mod address;
mod alarm;
mod alarms;
mod client;
mod connection;
mod consumer;
mod delivery;
mod event_bus;
mod event_publisher;
mod event_stream;
mod greeting;
mod headers;
mod kept_connection;
mod retry;
mod subscription;
mod topic;
mod topology;
mod work_queue;
mod worker_control;

use std::sync::Arc;

pub use self::greeting::Greeting;

use self::address::Address;
use self::connection::Connection;
use self::event_bus::RabbitMqEventBus;
use self::kept_connection::KeptConnection;
use self::work_queue::RabbitMqWorkQueue;
use self::worker_control::RabbitMqWorkerControl;
use super::{Broker, QueueError};
use crate::settings::BrokerConfig;

/// Returns how a broker greets; none if it does not, or only over TLS.
pub(super) async fn greeting(config: &BrokerConfig) -> Option<Greeting> {
    greeting::greeting(config).await
}

/// Returns the ports of a broker, after a connection that proves that it can be used and declares what is needed.
///
/// # Errors
///
/// `Unavailable`, `Denied` or `Misconfigured`.
pub(super) async fn open(config: &BrokerConfig) -> Result<Broker, QueueError> {
    let address = Arc::new(Address::of(config));
    let proof = Connection::open(Arc::clone(&address), "start").await?;
    proof.leave();
    let publishing = Arc::new(KeptConnection::new("publish"));
    Ok(Broker {
        events: Arc::new(RabbitMqEventBus::new(Arc::clone(&address))),
        control: Arc::new(RabbitMqWorkerControl::new(
            Arc::clone(&address),
            Arc::clone(&publishing),
        )),
        work: Arc::new(RabbitMqWorkQueue::new(address, publishing)),
    })
}
