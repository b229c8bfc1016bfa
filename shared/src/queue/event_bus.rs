//! The port for events of workers: best effort.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::message::Event;

/// What workers report while they work: best effort, so nothing may depend on it.
///
/// The contract, which every implementation passes a test suite for:
///
/// - An event goes to every subscriber there is. It is kept for none: without subscribers, or while a connection is lost or
///   the broker has an alarm, it is dropped.
/// - `emit` fails never, and takes moments at most, whatever becomes of the event.
/// - A subscription survives lost connections. It misses what is emitted meanwhile, and what it is too slow for.
#[async_trait]
pub trait EventBus: Send + Sync + fmt::Debug {
    /// Sends an event to the subscribers there are, or drops it if it cannot be sent at once.
    async fn emit(&self, event: &Event);

    /// Returns the events emitted from now on. The stream goes on after a lost connection and ends never.
    async fn subscribe(&self) -> BoxStream<'static, Event>;
}
