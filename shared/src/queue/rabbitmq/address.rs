//! Where the broker is and what queues and exchanges are called there.

use crate::queue::{QueueError, QueueErrorKind};
use crate::settings::BrokerConfig;

/// A queue that messages are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Shards,
    DeadLetters,
}

pub(super) struct Address {
    config: BrokerConfig,
}

impl Address {
    pub(super) fn of(config: &BrokerConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }

    /// Returns the address with its password. Only for the client that connects.
    pub(super) fn secret_url(&self) -> &str {
        self.config.secret_url()
    }

    /// Returns the host if it is an IPv6 address, without brackets.
    pub(super) fn ipv6_host(&self) -> Option<&str> {
        self.config.ipv6_host()
    }

    pub(super) fn queue(&self, line: Line) -> String {
        self.named(match line {
            Line::Shards => "shards",
            Line::DeadLetters => "dead-letters",
        })
    }

    /// Returns the exchange from which dead letters come to their queue.
    pub(super) fn dead_exchange(&self) -> String {
        self.named("dead")
    }

    pub(super) fn events_exchange(&self) -> String {
        self.named("events")
    }

    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.config.namespace)
    }

    pub(super) fn locate(&self) -> String {
        let shards = self.queue(Line::Shards);
        format!("{}, queue {shards}", self.config.shown())
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
