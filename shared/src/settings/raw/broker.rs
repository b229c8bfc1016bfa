//! `[broker]`: where the broker is, with a password that is not shown.

use std::fmt;

use serde::Deserialize;

/// `[broker]`
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBroker {
    /// AMQP address; `SYNTH2REAL_BROKER_URL` goes before it.
    pub url: Option<String>,
    /// What the names of queues and exchanges begin with, default [`NAMESPACE`](crate::settings::defaults::NAMESPACE).
    pub namespace: Option<String>,
    /// Seconds that an alarm of the broker is waited for, default [`ALARM_PATIENCE`](crate::settings::defaults::ALARM_PATIENCE).
    pub alarm_patience_seconds: Option<u64>,
}

/// The address holds a password, so it is not shown.
impl fmt::Debug for RawBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawBroker").finish_non_exhaustive()
    }
}
