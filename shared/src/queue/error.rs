//! What goes wrong with a broker, by what a caller can do about it.

/// What a caller can do about an operation at the broker that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueErrorKind {
    /// The broker cannot be reached, or the connection broke: trying again may help.
    Unavailable,
    /// The broker refuses these credentials, this virtual host or these permissions.
    Denied,
    /// A queue or exchange exists with other properties, or something else that only a person can mend.
    Misconfigured,
    /// The broker is low on memory or disk and takes no messages until it has enough again: it answers otherwise, and
    /// nothing is lost.
    Alarm,
    /// The connection over which a message was delivered is gone. The message is delivered again.
    DeliveryLost,
}

/// An operation at the broker that did not happen.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} at {server}{}", advice(*.kind))]
pub struct QueueError {
    /// What a caller can do about it.
    pub kind: QueueErrorKind,
    /// The operation, as a verb: "connect", "publish", ...
    pub operation: &'static str,
    /// The server without credentials, and the queue.
    pub server: String,
    /// The cause as the client gave it; it never holds credentials.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

fn advice(kind: QueueErrorKind) -> &'static str {
    match kind {
        QueueErrorKind::Unavailable => ": the broker does not answer; is it running there?",
        QueueErrorKind::Denied => {
            ": the broker refuses; check user, password, virtual host and permissions in SYNTH2REAL_BROKER_URL"
        }
        QueueErrorKind::Misconfigured => {
            ": the broker has it with other properties; delete it there, or choose another broker.namespace"
        }
        QueueErrorKind::Alarm => {
            ": the broker has an alarm and takes no messages; `rabbitmq-diagnostics alarms` names it there, free memory or \
             disk; nothing is lost"
        }
        QueueErrorKind::DeliveryLost => {
            ": the connection it came over is gone; it will be delivered again"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_in_its_own_words_what_helps() {
        let said = |kind| {
            let error = QueueError {
                kind,
                operation: "publish",
                server: "amqp://broker, queue shards".to_owned(),
                source: Some("low on memory".into()),
            };
            crate::failure::chain(&error)
        };
        for (kind, words) in [
            (QueueErrorKind::Unavailable, "is it running there?"),
            (QueueErrorKind::Denied, "SYNTH2REAL_BROKER_URL"),
            (QueueErrorKind::Misconfigured, "broker.namespace"),
            (QueueErrorKind::Alarm, "has an alarm and takes no messages"),
            (QueueErrorKind::DeliveryLost, "it will be delivered again"),
        ] {
            let said = said(kind);
            assert!(
                said.contains(words) && said.ends_with(": low on memory"),
                "{said}"
            );
        }
    }
}
