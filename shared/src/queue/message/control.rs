//! Requests to a worker by its name, beside the shards that it takes from the work queue.

use serde::{Deserialize, Serialize};

/// What a worker is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlRequest {
    /// Finish the item in hand, give the shard back and stop.
    Drain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_by_its_name() {
        let sent = serde_json::to_string(&ControlRequest::Drain).unwrap();
        assert_eq!(sent, r#""drain""#);
        let read: ControlRequest = serde_json::from_str(&sent).unwrap();
        assert_eq!(read, ControlRequest::Drain);
    }
}
