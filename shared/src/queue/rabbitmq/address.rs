//! Where the broker is and what queues and exchanges are called there.

use std::time::Duration;

use super::alarm::Alarms;
use super::client::ShortString;
use crate::queue::{QueueError, QueueErrorKind};
use crate::settings::BrokerConfig;

/// A queue that messages are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Shards,
    DeadLetters,
}

/// What is said to those who listen just then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Talk {
    /// What workers say.
    Events,
    /// What the workers of a name are asked.
    Requests(ShortString),
}

impl Talk {
    /// Returns what the workers of a name are asked; nothing if the broker takes no name that long.
    pub(super) fn requests(worker: &str) -> Option<Self> {
        ShortString::try_new(worker).ok().map(Self::Requests)
    }

    /// Returns the routing key of what is heard.
    pub(super) fn key(&self) -> ShortString {
        match self {
            Self::Events => "#".into(),
            Self::Requests(worker) => worker.clone(),
        }
    }
}

pub(super) struct Address {
    config: BrokerConfig,
    /// What connections to it hear of its alarm.
    pub(super) alarms: Alarms,
}

impl Address {
    pub(super) fn of(config: &BrokerConfig) -> Self {
        Self {
            config: config.clone(),
            alarms: Alarms::default(),
        }
    }

    /// Returns the address with its password. Only for the client that connects.
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

    pub(super) fn requests_exchange(&self) -> String {
        self.named("requests")
    }

    /// Returns the exchange over which something is said.
    pub(super) fn exchange(&self, talk: &Talk) -> String {
        match talk {
            Talk::Events => self.events_exchange(),
            Talk::Requests(_) => self.requests_exchange(),
        }
    }

    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.config.namespace)
    }

    pub(super) fn locate(&self) -> String {
        let shards = self.queue(Line::Shards);
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
