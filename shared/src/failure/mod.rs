//! The classes of failure, and what each leads to.

mod stage;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use stage::Stage;

use crate::artifact::ArtifactKey;
use crate::ids::{RunId, ShardId};
use crate::seal::{self, DocumentError};
use crate::storage::{Storage, StorageError, StorageErrorKind};
use crate::wording::{MOST_MESSAGE_BYTES, MOST_STORED_BYTES, MOST_TEXT_BYTES, one_line, shortened};

/// What a failure leads to. Every error of an attempt has exactly one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Trouble outside that passes: tried again after a pause.
    Transient,
    /// An input that cannot be converted: its items are quarantined, the shard goes on.
    BadInput,
    /// An input that was listed and is gone while its neighbours are there: its items are quarantined, the shard goes on.
    Missing,
    /// An input that is another one than was listed: its items are quarantined, the shard goes on.
    Changed,
    /// An output that is no image, such as one of numbers that are not finite: its item is quarantined, the shard goes on.
    BadOutput,
    /// Not enough memory: tried again with fewer outputs in a pass.
    Resources,
    /// The run cannot be worked on as it is, and other runs can: its model, plan or a decision about it is not whole or
    /// damaged. The attempt counts, the worker lives.
    Unworkable,
    /// Nothing will work here, whatever the run: the worker stops, its shard goes back uncounted.
    Fatal,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::Transient,
        Self::BadInput,
        Self::Missing,
        Self::Changed,
        Self::BadOutput,
        Self::Resources,
        Self::Unworkable,
        Self::Fatal,
    ];

    /// Returns the name in manifests and attempts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::BadInput => "bad-input",
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::BadOutput => "bad-output",
            Self::Resources => "resources",
            Self::Unworkable => "unworkable",
            Self::Fatal => "fatal",
        }
    }

    /// Returns the class of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The largest number of an attempt, far above what any shard comes to. Where something stored or sent says a larger one,
/// it is none of ours.
pub const MAX_ATTEMPT: u32 = 1_000_000;

/// Bytes of one error of a chain.
const MOST_LINK_BYTES: usize = MOST_MESSAGE_BYTES / 2;

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

/// Proves that a field is the number of an attempt.
///
/// # Errors
///
/// [`DocumentError::Malformed`] naming the field, what it is and what it must be.
pub(crate) fn check_attempt(field: &str, number: u32) -> Result<(), DocumentError> {
    if (1..=MAX_ATTEMPT).contains(&number) {
        return Ok(());
    }
    Err(DocumentError::Malformed(format!(
        "{field}: it is {number}, expected 1 to {MAX_ATTEMPT}"
    )))
}

/// Returns the attempt that a text is the number of; none if no attempt has it, or it is written otherwise.
#[must_use]
pub(crate) fn attempt_number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    let is_own = (1..=MAX_ATTEMPT).contains(&number) && number.to_string() == text;
    is_own.then_some(number)
}

/// Returns the number of the attempt after another one.
///
/// # Errors
///
/// [`StorageErrorKind::Invalid`] if there is none: no record can have its name.
pub fn attempt_after(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    number: u32,
) -> Result<u32, StorageError> {
    let next = number.checked_add(1);
    next.filter(|&next| next <= MAX_ATTEMPT)
        .ok_or_else(|| StorageError {
            kind: StorageErrorKind::Invalid,
            operation: "number the attempt after",
            path: storage.locate(&ArtifactKey::FailedAttempt(run.clone(), shard, number)),
            source: Some(format!("attempts have numbers up to {MAX_ATTEMPT}").into()),
        })
}

/// Returns the number of the next attempt at a shard whose attempts count from `first`. They are recorded under numbers
/// without a gap, so those from `first` to before this one have failed.
///
/// # Errors
///
/// If storage does not answer, or every number has a record.
pub async fn next_attempt(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    first: u32,
) -> Result<u32, StorageError> {
    let mut next = first;
    let recorded = |number| ArtifactKey::FailedAttempt(run.clone(), shard, number);
    while storage.exists(&recorded(next)).await? {
        next = attempt_after(storage, run, shard, next)?;
    }
    Ok(next)
}

/// Returns an error and its causes on one line, each named once: many errors of other crates say their cause themselves.
///
/// Whatever they quote, it is one line in which everything is seen, and no longer than a message may be: of each, and of
/// all, the middle is left out.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let bounded = |error: &dyn std::error::Error| shortened(&error.to_string(), MOST_LINK_BYTES);
    let mut text = bounded(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let said = bounded(cause);
        if !says(&text, &said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    shortened(&one_line(&text.replace('\n', " ")), MOST_MESSAGE_BYTES)
}

/// Returns whether a text says a cause, in words of its own and not as a part of a path or of another word.
fn says(text: &str, cause: &str) -> bool {
    let is_edge = |next: Option<char>| {
        next.is_none_or(|letter| !letter.is_alphanumeric() && !matches!(letter, '/' | '_' | '-'))
    };
    let is_whole = |at: usize| {
        let (before, after) = (&text[..at], &text[at + cause.len()..]);
        is_edge(before.chars().next_back()) && is_edge(after.chars().next())
    };
    cause.is_empty() || text.match_indices(cause).any(|(at, _)| is_whole(at))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::storage::MemoryStorage;

    /// An error of a text, and its cause.
    #[derive(Debug)]
    struct Said(&'static str, Option<Box<Said>>);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Said {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            let cause: &Said = self.1.as_deref()?;
            Some(cause)
        }
    }

    /// Returns the chain of errors, the first of which is caused by the second, and so on.
    fn chained(texts: &[&'static str]) -> String {
        let error = texts
            .iter()
            .rev()
            .fold(None, |cause, &text| Some(Box::new(Said(text, cause))));
        chain(&*error.unwrap())
    }

    #[test]
    fn what_errors_quote_makes_no_long_line() {
        let long: &'static str = Box::leak("ü".repeat(5_000_000).into_boxed_str());
        for texts in [
            &["it failed", long][..],
            &[long, "why"],
            &[long, long, long],
        ] {
            let told = chained(texts);
            assert!(told.len() <= MOST_MESSAGE_BYTES, "{} bytes", told.len());
        }
        let told = chained(&["it failed", long, "the disk is full"]);
        assert!(told.starts_with("it failed: ü"), "{told}");
        assert!(told.ends_with(": the disk is full"), "{told}");
    }

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

    #[tokio::test]
    async fn numbers_of_attempts_end_and_nothing_counts_beyond_the_last() {
        let storage = MemoryStorage::new();
        let run: RunId = "demo".parse().unwrap();
        let next = async |first| next_attempt(&storage, &run, ShardId(0), first).await;
        assert_eq!(next(1).await.unwrap(), 1);
        for number in [1, 2, MAX_ATTEMPT, u32::MAX] {
            let key = ArtifactKey::FailedAttempt(run.clone(), ShardId(0), number);
            storage.create(&key, Bytes::new()).await.unwrap();
        }
        assert_eq!(next(1).await.unwrap(), 3);
        for last in [MAX_ATTEMPT, u32::MAX] {
            let error = next(last).await.unwrap_err();
            assert_eq!(error.kind, StorageErrorKind::Invalid);
            let told = chain(&error);
            assert!(
                told.contains(&format!("attempts/000000/{last}.json")),
                "{told}"
            );
            assert!(told.contains("up to 1000000"), "{told}");
        }
        for (text, number) in [
            ("1", Some(1)),
            ("1000000", Some(MAX_ATTEMPT)),
            ("0", None),
            ("01", None),
            ("+1", None),
            ("1000001", None),
            ("4294967295", None),
            ("4294967296", None),
        ] {
            assert_eq!(attempt_number(text), number, "{text}");
        }
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
    fn what_others_wrote_into_an_attempt_is_a_part_of_a_line_and_its_number_can_be_one() {
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
        for number in [0, MAX_ATTEMPT + 1, u32::MAX] {
            let attempt = FailedAttempt {
                attempt: number,
                ..attempt.clone()
            };
            let told = FailedAttempt::parse(&seal::document(&attempt, &key), &key);
            let told = told.unwrap_err().to_string();
            assert!(told.starts_with("attempt: it is "), "{told}");
        }
    }

    #[test]
    fn a_chain_is_one_line_in_which_everything_is_seen() {
        let told = chained(&["a\r: \u{202e}gpj.exe", "no\ntag\u{1b}[2K"]);
        assert_eq!(told, "a\\r: \\u{202e}gpj.exe: no tag\\u{1b}[2K");
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        for (texts, expected) in [
            (&["a", "b", "c"][..], "a: b: c"),
            (&["a.png", "CRC error", "CRC error"], "a.png: CRC error"),
            (
                &["a", "Format error: no tag", "no tag"],
                "a: Format error: no tag",
            ),
            (&["a: no\ntag", "no\ntag", "b"], "a: no tag: b"),
            (&["a", ""], "a"),
            // Parts of names say nothing.
            (
                &["cannot read images/timeout/a", "timeout"],
                "cannot read images/timeout/a: timeout",
            ),
            (
                &["cannot read timeouts", "timeout"],
                "cannot read timeouts: timeout",
            ),
        ] {
            assert_eq!(chained(texts), expected);
        }
    }
}
