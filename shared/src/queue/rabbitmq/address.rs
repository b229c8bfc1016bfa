//! Where the broker is and what queues and exchanges are called there.

use std::fmt;
use std::time::Duration;

use super::alarms::Alarms;
use crate::queue::{QueueError, QueueErrorKind};
use crate::settings::BrokerConfig;

/// Which of the durable queues messages are published to and taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkQueueName {
    Shards,
    DeadLetters,
}

/// A broker, and the namespace there.
pub(super) struct Address {
    config: BrokerConfig,
    /// Its alarm, as the connections to it are told of it.
    pub(super) alarms: Alarms,
}

impl Address {
    pub(super) fn of(config: &BrokerConfig) -> Self {
        Self {
            config: config.clone(),
            alarms: Alarms::default(),
        }
    }

    /// Returns the address with its password; only the client that connects may see it.
    pub(super) fn secret_url(&self) -> &str {
        self.config.secret_url()
    }

    /// Returns how long an alarm of the broker is waited for.
    pub(super) fn alarm_patience(&self) -> Duration {
        self.config.alarm_patience
    }

    /// Returns the host if it is an IPv6 address, without brackets.
    pub(super) fn ipv6_host(&self) -> Option<&str> {
        self.config.ipv6_host()
    }

    pub(super) fn queue(&self, name: WorkQueueName) -> String {
        self.named(match name {
            WorkQueueName::Shards => "shards",
            WorkQueueName::DeadLetters => "dead-letters",
        })
    }

    /// Returns the exchange from which dead letters come to their queue.
    pub(super) fn dead_exchange(&self) -> String {
        self.named("dead")
    }

    pub(super) fn events_exchange(&self) -> String {
        self.named("events")
    }

    pub(super) fn requests_exchange(&self) -> String {
        self.named("requests")
    }

    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.config.namespace)
    }

    pub(super) fn locate(&self) -> String {
        let shards = self.queue(WorkQueueName::Shards);
        format!("{}, queue {shards}", self.config.shown())
    }

    /// Returns the error of an operation that an alarm keeps from being done.
    pub(super) fn alarmed(&self, operation: &'static str, reason: String) -> QueueError {
        self.error(QueueErrorKind::Alarm, operation, reason)
    }

    /// Returns the error of an operation here.
    pub(super) fn error(
        &self,
        kind: QueueErrorKind,
        operation: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> QueueError {
        QueueError {
            kind,
            operation,
            server: self.locate(),
            source: Some(cause.into()),
        }
    }
}

/// Without the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("at", &self.locate())
            .finish_non_exhaustive()
    }
}
