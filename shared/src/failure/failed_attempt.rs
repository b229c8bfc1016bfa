//! A failed attempt at a shard, as it is stored.

use serde::{Deserialize, Serialize};

use super::{FailureClass, check_attempt};
use crate::artifact::ArtifactKey;
use crate::seal::{self, DocumentError};
use crate::wording::{MOST_MESSAGE_BYTES, MOST_STORED_BYTES, MOST_TEXT_BYTES, one_line, shortened};

/// A failed attempt at a shard, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedAttempt {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Class of the failure.
    pub error_class: FailureClass,
    /// The error with its whole chain of causes.
    pub error: String,
    /// Name of the worker.
    pub worker: String,
    /// When it failed.
    pub failed_at: jiff::Timestamp,
}

impl FailedAttempt {
    /// Returns it as it is stored under a key, with a digest of itself. Texts are no longer than a message has.
    #[must_use]
    pub fn to_json(&self, key: &ArtifactKey) -> Vec<u8> {
        let bounded = Self {
            error: shortened(&self.error, MOST_MESSAGE_BYTES),
            worker: shortened(&self.worker, MOST_TEXT_BYTES),
            ..self.clone()
        };
        seal::document(&bounded, key)
    }

    /// Returns the failed attempt that some bytes are, which are stored under a key. Its texts are parts of a line.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] if they are none, were altered, or say more than is ever stored, or a number that no attempt has.
    pub fn parse(bytes: &[u8], key: &ArtifactKey) -> Result<Self, DocumentError> {
        let attempt: Self = seal::parse(bytes, key)?;
        check_attempt("attempt", attempt.attempt)?;
        for (field, text) in [("error", &attempt.error), ("worker", &attempt.worker)] {
            if text.len() > MOST_STORED_BYTES {
                return Err(DocumentError::Malformed(format!(
                    "{field}: it has {} bytes, expected at most {MOST_STORED_BYTES}",
                    text.len()
                )));
            }
        }
        let line = |text: &str| shortened(&one_line(text), MOST_STORED_BYTES);
        Ok(Self {
            error: line(&attempt.error),
            worker: line(&attempt.worker),
            ..attempt
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::MAX_ATTEMPT;
    use crate::ids::ShardId;

    #[test]
    fn a_failed_attempt_says_no_more_than_a_message_has_and_one_that_does_is_damaged() {
        let key = ArtifactKey::FailedAttempt("demo".parse().unwrap(), ShardId(0), 1);
        let attempt = |error: String| FailedAttempt {
            attempt: 1,
            error_class: FailureClass::Transient,
            error,
            worker: "here".to_owned(),
            failed_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let stored = attempt("x".repeat(10_000_000)).to_json(&key);
        assert!(
            stored.len() < 2 * MOST_MESSAGE_BYTES,
            "{} bytes",
            stored.len()
        );
        let read = FailedAttempt::parse(&stored, &key).unwrap();
        assert_eq!(read.error.len(), MOST_MESSAGE_BYTES - 1);
        let long = seal::document(&attempt("x".repeat(MOST_STORED_BYTES + 1)), &key);
        let told = FailedAttempt::parse(&long, &key).unwrap_err().to_string();
        assert!(told.starts_with("error: it has 16385 bytes"), "{told}");
    }

    #[test]
    fn a_record_of_an_attempt_that_has_no_number_is_damaged() {
        let key = ArtifactKey::FailedAttempt("demo".parse().unwrap(), ShardId(0), 1);
        for number in [0, MAX_ATTEMPT + 1, u32::MAX] {
            let stored = FailedAttempt {
                attempt: number,
                error_class: FailureClass::Transient,
                error: "it failed".to_owned(),
                worker: "here".to_owned(),
                failed_at: jiff::Timestamp::UNIX_EPOCH,
            };
            let told = FailedAttempt::parse(&stored.to_json(&key), &key).unwrap_err();
            let told = told.to_string();
            assert!(
                told.contains(&format!("it is {number}, expected 1 to 1000000")),
                "{told}"
            );
        }
    }

    #[test]
    fn what_others_wrote_into_an_attempt_is_a_part_of_a_line() {
        let key = ArtifactKey::FailedAttempt("demo".parse().unwrap(), ShardId(0), 1);
        let attempt = FailedAttempt {
            attempt: 1,
            error_class: FailureClass::Transient,
            error: "x\nrun demo is complete\r\u{1b}[2K".to_owned(),
            worker: "a\u{2028}b".to_owned(),
            failed_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let read = FailedAttempt::parse(&seal::document(&attempt, &key), &key).unwrap();
        assert_eq!(read.error, "x\\nrun demo is complete\\r\\u{1b}[2K");
        assert_eq!(read.worker, "a\\u{2028}b");
    }
}
