//! Topics: what is published to current subscribers only, and on which exchange.

use super::address::Address;
use super::client::ShortString;

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topic {
    /// What workers report.
    Events,
    /// Requests to the workers of a name.
    Control(ShortString),
}

impl Topic {
    /// Returns the topic of requests to the workers of a name; nothing if the broker takes no name that long.
    pub(super) fn control(worker: &str) -> Option<Self> {
        ShortString::try_new(worker).ok().map(Self::Control)
    }

    /// Returns the exchange that it is published to.
    pub(super) fn exchange(&self, address: &Address) -> String {
        match self {
            Self::Events => address.events_exchange(),
            Self::Control(_) => address.requests_exchange(),
        }
    }

    /// Returns the routing key that its subscribers bind to.
    pub(super) fn key(&self) -> ShortString {
        match self {
            Self::Events => "#".into(),
            Self::Control(worker) => worker.clone(),
        }
    }
}
