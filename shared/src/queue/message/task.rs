//! A shard that is to be made: the payload of a message of the work queue.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::failure::check_attempt;
use crate::ids::{RunId, ShardId};
use crate::json;
use crate::seal::{self, DocumentError};

/// More than a message has, also one of the former version, which listed inputs.
const MOST_BYTES: usize = 1 << 24;

/// A shard that is to be made. It is a pointer and nothing else: what the shard is made of stands in the run's plan, and
/// what was decided about it among the run's decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct ShardTask {
    /// The run.
    pub run: RunId,
    /// The shard.
    pub shard: ShardId,
    /// Attempts from this number on count towards the run's `max_attempts`; 1 unless the shard failed for good before
    /// and is tried anew.
    pub first_attempt: u32,
    /// Whether images of a shard that is committed are missing and are to be made again.
    pub repair: bool,
    /// Number of the revision of a committed shard that is to be made: the items that a decision about the run names.
    /// 0 for the shard itself.
    pub revision: u32,
    /// The span that published it, as W3C Trace Context writes it, if traces are collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A task as a message may hold it. Coordinators of the former version named the shard's inputs as well, which are not
/// looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    run: RunId,
    shard: ShardId,
    first_attempt: u32,
    #[serde(default)]
    repair: bool,
    #[serde(default)]
    revision: u32,
    #[serde(default)]
    traceparent: Option<String>,
    #[serde(default, rename = "contents")]
    _contents: Option<IgnoredAny>,
    #[serde(default, rename = "styles")]
    _styles: Option<IgnoredAny>,
}

impl From<Written> for ShardTask {
    fn from(written: Written) -> Self {
        Self {
            run: written.run,
            shard: written.shard,
            first_attempt: written.first_attempt,
            repair: written.repair,
            revision: written.revision,
            traceparent: written.traceparent,
        }
    }
}

impl ShardTask {
    /// Returns the task as the payload of a message.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        json::line(self).into_bytes()
    }

    /// Returns the task that a payload holds.
    ///
    /// # Errors
    ///
    /// If it holds none, or says a number that no attempt has.
    pub fn from_payload(payload: &[u8]) -> Result<Self, DocumentError> {
        if payload.len() > MOST_BYTES {
            return Err(DocumentError::Malformed(format!(
                "it has {} bytes, expected at most {MOST_BYTES}",
                payload.len()
            )));
        }
        let task: Self = seal::parse_plain(payload)?;
        check_attempt("first_attempt", task.first_attempt)?;
        Ok(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::MAX_ATTEMPT;

    fn task() -> ShardTask {
        ShardTask {
            run: "demo".parse().unwrap(),
            shard: ShardId(7),
            first_attempt: 4,
            repair: false,
            revision: 2,
            traceparent: None,
        }
    }

    #[test]
    fn a_message_names_a_shard_and_nothing_that_becomes_a_path() {
        let expected = r#"{"run":"demo","shard":7,"first_attempt":4,"repair":false,"revision":2}"#;
        assert_eq!(task().to_payload(), expected.as_bytes());
        assert_eq!(
            ShardTask::from_payload(expected.as_bytes()).unwrap(),
            task()
        );
    }

    #[test]
    fn what_is_wrong_with_a_message_is_told_in_a_few_words_whatever_it_says() {
        let long = "x".repeat(1 << 20);
        for payload in [
            format!(r#"{{"run": "{long}", "shard": 7, "first_attempt": 4}}"#),
            format!(r#"{{"run": "demo", "shard": "{long}", "first_attempt": 4}}"#),
            format!(r#"{{"run": "demo", "shard": 7, "first_attempt": 4, "{long}": 1}}"#),
            " ".repeat(MOST_BYTES + 1),
        ] {
            let told = ShardTask::from_payload(payload.as_bytes()).unwrap_err();
            let told = told.to_string();
            assert!(told.len() < 600, "{} bytes", told.len());
        }
    }

    #[test]
    fn a_message_says_a_number_that_an_attempt_can_have() {
        let from = |first_attempt| {
            let task = ShardTask {
                first_attempt,
                ..task()
            };
            ShardTask::from_payload(&task.to_payload())
        };
        for number in [1, MAX_ATTEMPT] {
            assert_eq!(from(number).unwrap().first_attempt, number);
        }
        for number in [0, MAX_ATTEMPT + 1, u32::MAX] {
            let told = from(number).unwrap_err().to_string();
            assert!(told.starts_with("first_attempt: it is"), "{told}");
        }
    }

    #[test]
    fn what_the_former_version_says_of_inputs_is_not_looked_at() {
        let former = r#"{
            "run": "demo", "shard": 7, "first_attempt": 4, "revision": 2,
            "contents": [{"name": "../../elsewhere", "image": 1}], "styles": "all"
        }"#;
        assert_eq!(ShardTask::from_payload(former.as_bytes()).unwrap(), task());
        let later = r#"{"run": "demo", "shard": 7, "first_attempt": 4, "root": "/elsewhere"}"#;
        let error = ShardTask::from_payload(later.as_bytes()).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `root`"),
            "{error}"
        );
    }
}
