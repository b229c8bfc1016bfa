//! What is used of the client, and how its errors are told. The only file that names it.

use std::time::Duration;

pub(super) use lapin::message::Delivery as Received;
pub(super) use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, BasicRejectOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
pub(super) use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
pub(super) use lapin::{
    Acker, BasicProperties, Channel, Confirmation, Connection as ClientConnection,
    ConnectionStatus, Consumer, Error, Event as ConnectionEvent, ExchangeKind,
    Result as ClientResult,
};
use lapin::{ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use super::address::Address;
use crate::queue::{QueueError, QueueErrorKind};
use crate::wording::{MOST_TEXT_BYTES, shortened};

/// Seconds between heartbeats, unless the address says otherwise. After two of them the other side is gone.
const HEARTBEAT: u16 = 10;
/// Longest time for anything that the broker answers at once.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// Longest time for a goodbye, which nothing waits for.
pub(super) const GOODBYE: Duration = Duration::from_secs(ANSWER.as_secs() / 2);

/// Returns a connection.
///
/// The client's own recovery stays off: the holder of a message has to learn that its delivery is lost. A connection that
/// broke is let go, and its owner opens another one.
pub(super) async fn connect(
    address: &Address,
    purpose: &'static str,
) -> Result<ClientConnection, QueueError> {
    let name = format!("synth2real {purpose}");
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = ClientConnection::connect_uri(uri(address)?, properties);
    answered(address, "connect", connecting).await
}

/// Returns the address for the client. The parser's errors may quote it, so they are not shown.
fn uri(address: &Address) -> Result<AMQPUri, QueueError> {
    let unusable = || {
        let cause = "the address is no AMQP address; it is not shown as it may hold a password";
        address.error(QueueErrorKind::Denied, "connect", cause)
    };
    let url = address.secret_url();
    let mut uri: AMQPUri = url.parse().map_err(|_| unusable())?;
    ShortString::try_new(uri.vhost.as_str()).map_err(|_| unusable())?;
    // The client's parser takes an IPv6 address for none and then means this machine.
    if let Some(host) = address.ipv6_host() {
        uri.authority.host = host.to_owned();
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    Ok(uri)
}

/// Waits for an answer of the broker, but not for ever.
pub(super) async fn answered<T>(
    address: &Address,
    operation: &'static str,
    answer: impl Future<Output = ClientResult<T>>,
) -> Result<T, QueueError> {
    match timeout(ANSWER, answer).await {
        Ok(answer) => told(address, operation, answer),
        Err(_) => Err(silent(address, operation)),
    }
}

/// Returns what the broker answered, its refusal as an error of ours.
pub(super) fn told<T>(
    address: &Address,
    operation: &'static str,
    answer: ClientResult<T>,
) -> Result<T, QueueError> {
    answer.map_err(|error| address.error(kind(&error), operation, text(&error)))
}

/// Takes what a consumer's stream gave. That it ends, as it does when its queue is deleted, is a fault as well.
pub(super) fn received(
    address: &Address,
    item: Option<ClientResult<Received>>,
) -> Result<Received, QueueError> {
    let cause = match item {
        Some(Ok(message)) if message.acker.usable() => return Ok(message),
        Some(Ok(_)) => "it broke after it delivered a message".to_owned(),
        Some(Err(error)) => text(&error),
        None => "the broker ended the consumer".to_owned(),
    };
    Err(address.error(QueueErrorKind::Unavailable, "consume", cause))
}

/// Returns the error of a broker that does not answer.
pub(super) fn silent(address: &Address, operation: &'static str) -> QueueError {
    address.error(QueueErrorKind::Unavailable, operation, no_answer())
}

pub(super) fn no_answer() -> String {
    format!("no answer for {} s", ANSWER.as_secs())
}

fn kind(error: &Error) -> QueueErrorKind {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return QueueErrorKind::Unavailable;
    };
    match error.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
        | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => QueueErrorKind::Denied,
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => QueueErrorKind::Misconfigured,
        AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => QueueErrorKind::Unavailable,
    }
}

/// Returns an error in one line. The client's own chain says everything twice.
pub(super) fn text(error: &Error) -> String {
    let text = match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        ErrorKind::IOError(error) => error.to_string(),
        _ => error.to_string(),
    };
    shortened(&text, MOST_TEXT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::BrokerConfig;

    fn parsed(url: &str) -> AMQPUri {
        let config = BrokerConfig::new(url, None).unwrap();
        uri(&Address::of(&config)).unwrap()
    }

    #[test]
    fn an_ipv6_address_is_not_taken_for_this_machine() {
        assert_eq!(
            parsed("amqp://u:p@[2001:db8::1]:5672/%2f").authority.host,
            "2001:db8::1"
        );
        assert_eq!(
            parsed("amqp://u:p@broker:5672/%2f").authority.host,
            "broker"
        );
    }

    #[test]
    fn heartbeats_are_asked_for_unless_the_address_says_how_often() {
        assert_eq!(parsed("amqp://h").query.heartbeat, Some(10));
        assert_eq!(parsed("amqp://h/%2f?heartbeat=3").query.heartbeat, Some(3));
    }

    #[test]
    fn a_virtual_host_that_is_too_long_is_refused() {
        let url = format!("amqp://h/{}", "v".repeat(256));
        let config = BrokerConfig::new(&url, None).unwrap();
        assert!(uri(&Address::of(&config)).is_err());
    }
}
