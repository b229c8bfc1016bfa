//! The broker as it said last.

use shared::queue::Depth;

use super::{LiveState, Trouble};

/// The broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Where it is, without credentials.
    pub place: String,
    /// How many messages wait there, or why it does not say.
    pub depth: Result<Depth, Trouble>,
    /// Why it takes no messages, while it does not.
    pub alarm: Option<Trouble>,
}

impl BrokerStatus {
    /// Returns what people must know of it at once.
    fn troubles(&self) -> (Option<&Trouble>, Option<&Trouble>) {
        (self.depth.as_ref().err(), self.alarm.as_ref())
    }
}

impl LiveState {
    /// Sets how the broker is: how many messages wait there, and why it takes no others, if it does not.
    pub fn set_broker(&self, place: String, depth: Result<Depth, String>, alarm: Option<String>) {
        let known = self.broker();
        let trouble = |reason, before: Option<&Trouble>| {
            let since = before.map_or_else(|| self.now(), |before| before.since);
            Trouble { reason, since }
        };
        let (silent, alarmed) = known
            .as_ref()
            .map(BrokerStatus::troubles)
            .unwrap_or_default();
        let broker = BrokerStatus {
            place,
            depth: depth.map_err(|reason| trouble(reason, silent)),
            alarm: alarm.map(|reason| trouble(reason, alarmed)),
        };
        let is_other_trouble = (silent, alarmed) != broker.troubles();
        if known.as_ref() != Some(&broker) {
            self.change(|seen, version| {
                if is_other_trouble {
                    seen.health_version = version;
                }
                seen.broker = Some(broker);
                seen.fleet_version = version;
            });
        }
    }

    /// Returns the broker, if there is one that was asked.
    #[must_use]
    pub fn broker(&self) -> Option<BrokerStatus> {
        self.seen().broker.clone()
    }
}
