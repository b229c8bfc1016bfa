//! What is said of a message: whether it is kept, must arrive, or is wanted only for a while.

use crate::queue::rabbitmq::client::{BasicProperties, BasicPublishOptions};

/// The delivery mode of messages that survive a restart of the broker.
pub(super) const PERSISTENT: u8 = 2;

/// Has a message come back that finds no queue.
pub(super) fn mandatory() -> BasicPublishOptions {
    BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    }
}

/// Drops a message that is not taken within a minute: it is not wanted any more.
pub(super) fn fleeting() -> BasicProperties {
    json().with_expiration("60000".into())
}

/// Says that a message is JSON.
pub(super) fn json() -> BasicProperties {
    BasicProperties::default().with_content_type("application/json".into())
}
