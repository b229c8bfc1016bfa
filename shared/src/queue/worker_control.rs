//! Requests to workers by name: at most once.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::error::QueueError;
use super::message::ControlRequest;

/// Requests to workers by name: at most once, to those that are subscribed.
///
/// The contract, which every implementation passes a test suite for:
///
/// - A request goes to every worker of its name that is subscribed, and to no other. `send` returns whether there is one.
/// - It is not kept: one that comes while a worker's connection is lost is lost, and a worker that is connected again gets
///   the next one.
/// - Whether a worker heeds it shows in the events that it emits.
#[async_trait]
pub trait WorkerControl: Send + Sync + fmt::Debug {
    /// Sends a request to the workers of a name, and returns whether one of them is subscribed.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Alarm`, `Denied` or `Misconfigured`. They may have got it nevertheless.
    async fn send(&self, worker: &str, request: ControlRequest) -> Result<bool, QueueError>;

    /// Returns the requests to workers of a name from now on. The stream goes on after a lost connection and ends never;
    /// dropping it ends the subscription.
    async fn subscribe(&self, worker: &str) -> BoxStream<'static, ControlRequest>;
}
