//! Reads and checks a stored run record.

use serde::Deserialize;

use super::{FORMAT_VERSION, Frozen, RunRecord};
use crate::artifact::ArtifactKey;
use crate::digest;
use crate::ids::RunId;
use crate::item_metric::ItemMetric;
use crate::seal::{self, DocumentError, Seal, SealError};
use crate::settings::SettingsError;
use crate::wording::shortened;

/// More than a record of a hundred thousand styles has.
const MAX_BYTES: usize = 1 << 26;
/// Items of a run, in any number of shards.
const MAX_ITEMS: usize = 1_000_000_000;
/// Contents of a dataset.
const MAX_CONTENTS: usize = 10_000_000;
/// Pixels along a side of an image.
const MAX_SIDE: usize = 8192;
/// Pixels of an image.
const MAX_PIXELS: usize = 33_000_000;
/// Digits of a SHA-256.
const DIGITS: usize = 64;
/// Bytes of a name.
const MAX_NAME_BYTES: usize = 255;
/// Bytes of a value that a message shows.
const MOST_VALUE_BYTES: usize = 100;

/// Why bytes are not the record of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// It is larger than any record.
    #[error("it has {found} bytes, expected at most {most}", most = MAX_BYTES)]
    TooLarge {
        /// Its bytes.
        found: usize,
    },
    /// It was written by another version.
    #[error("its format_version is {found}, expected {expected}", expected = FORMAT_VERSION)]
    Version {
        /// What it says.
        found: u32,
    },
    /// It is no JSON, or has other fields than a record: this, and where.
    #[error("{0}")]
    Malformed(String),
    /// It is the record of another run.
    #[error("its run is {found}, expected {folder} as its folder says: it was copied or renamed")]
    OtherRun {
        /// The run that it is of.
        found: RunId,
        /// The run whose folder it lies in.
        folder: RunId,
    },
    /// A value is out of all proportion.
    #[error("its {field} is {found}, expected {expected}")]
    Value {
        /// The field.
        field: String,
        /// What it is.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// A setting is out of its range.
    #[error("its {0}")]
    Setting(String),
    /// What is frozen has another digest.
    #[error(
        "its plan_hash is {stated}, expected {found} of what it freezes: a value in frozen, or plan_hash itself, was altered"
    )]
    PlanHash {
        /// What it says.
        stated: String,
        /// What is frozen gives.
        found: String,
    },
    /// Something beside what is frozen was altered.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What tells whether the rest can be understood.
#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

impl RunRecord {
    /// Returns the record that some bytes in the folder of `run` are, if it is that of this run and nothing in it was
    /// altered: its version is this one, its plan hash that of what is frozen, every number and digest can be one, and its
    /// own digest that of its bytes. Records of earlier programs carry no digest of themselves.
    ///
    /// # Errors
    ///
    /// [`RecordError`] with the field, what it is and what it must be.
    pub fn parse(bytes: &[u8], run: &RunId) -> Result<Self, RecordError> {
        match bytes.len() {
            0 => return Err(RecordError::Empty),
            found if found > MAX_BYTES => return Err(RecordError::TooLarge { found }),
            _ => {}
        }
        let key = ArtifactKey::RunRecord(run.clone());
        let opened = seal::open(bytes, &key);
        if let Ok(Versioned { format_version }) = serde_json::from_slice(&opened.json)
            && format_version != FORMAT_VERSION
        {
            return Err(RecordError::Version {
                found: format_version,
            });
        }
        let record: Self = seal::parse_plain(&opened.json).map_err(|error| match error {
            DocumentError::Seal(error) => RecordError::Seal(error),
            DocumentError::Malformed(reason) => RecordError::Malformed(reason),
        })?;
        record.check(run)?;
        match opened.seal {
            Seal::Whole | Seal::Missing => Ok(record),
            Seal::Broken(error) => Err(error.into()),
        }
    }

    /// Returns whether this can be the record of a run.
    ///
    /// # Errors
    ///
    /// [`RecordError`] with the field, what it is and what it must be.
    pub fn check(&self, run: &RunId) -> Result<(), RecordError> {
        if self.run != *run {
            return Err(RecordError::OtherRun {
                found: self.run.clone(),
                folder: run.clone(),
            });
        }
        check_digest("plan_hash", &self.plan_hash)?;
        self.limits.check().map_err(setting)?;
        self.frozen.check()?;
        let found = digest::sha256_of_json(&self.frozen);
        if found != self.plan_hash {
            return Err(RecordError::PlanHash {
                stated: self.plan_hash.clone(),
                found,
            });
        }
        Ok(())
    }
}

impl Frozen {
    fn check(&self) -> Result<(), RecordError> {
        self.method.check().map_err(setting)?;
        self.pairing.check().map_err(setting)?;
        self.shards.check().map_err(setting)?;
        check_number("frozen.content.count", self.content.count, 0, MAX_CONTENTS)?;
        check_number("frozen.num_items", self.num_items, 0, MAX_ITEMS)?;
        check_number("frozen.num_shards", self.num_shards, 0, self.num_items)?;
        let model = &self.model;
        check_number("frozen.model.width", model.width, 1, MAX_SIDE)?;
        check_number("frozen.model.height", model.height, 1, MAX_SIDE)?;
        let pixels = model.width * model.height;
        check_number("frozen.model.width times height", pixels, 1, MAX_PIXELS)?;
        check_digest("frozen.plan_sha256", &self.plan_sha256)?;
        check_digest(
            "frozen.content.listing_sha256",
            &self.content.listing_sha256,
        )?;
        check_digest("frozen.model.sha256", &model.sha256)?;
        if let Some(sha256) = &self.evaluators.features {
            check_digest("frozen.judges.features", sha256)?;
        }
        for metric in ItemMetric::ALL {
            if let Some(sha256) = self.evaluators.of_metric(metric) {
                check_digest(&format!("frozen.judges.{}", metric.as_str()), sha256)?;
            }
        }
        for (style, sha256) in &self.styles {
            if style.is_empty() || style.len() > MAX_NAME_BYTES {
                return Err(RecordError::Value {
                    field: "frozen.styles".to_owned(),
                    found: format!("a name of {} bytes", style.len()),
                    expected: format!("1 to {MAX_NAME_BYTES}"),
                });
            }
            check_digest(&format!("frozen.styles.{style}"), sha256)?;
        }
        Ok(())
    }
}

fn setting(error: SettingsError) -> RecordError {
    RecordError::Setting(error.to_string())
}

fn check_number(field: &str, found: usize, min: usize, max: usize) -> Result<(), RecordError> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(RecordError::Value {
        field: field.to_owned(),
        found: found.to_string(),
        expected: format!("{min} to {max}"),
    })
}

fn check_digest(field: &str, found: &str) -> Result<(), RecordError> {
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    if found.len() == DIGITS && found.bytes().all(is_digit) {
        return Ok(());
    }
    Err(RecordError::Value {
        field: shortened(field, MOST_VALUE_BYTES),
        found: format!("{:?}", shortened(found, MOST_VALUE_BYTES)),
        expected: format!("{DIGITS} digits of 0-9 and a-f"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::run_record::tests::record;

    fn name() -> RunId {
        "demo".parse().unwrap()
    }

    /// The record with a value replaced, as it is after an edit by hand.
    fn edited(pointer: &str, value: Value) -> Vec<u8> {
        let mut document = serde_json::to_value(record()).unwrap();
        *document.pointer_mut(pointer).unwrap() = value;
        serde_json::to_vec(&document).unwrap()
    }

    #[test]
    fn a_record_is_read_as_it_was_written_with_a_digest_of_itself_or_without() {
        let sealed = record().to_json();
        assert_eq!(RunRecord::parse(&sealed, &name()).unwrap(), record());
        let plain = serde_json::to_vec(&record()).unwrap();
        assert_eq!(RunRecord::parse(&plain, &name()).unwrap(), record());
    }

    #[test]
    fn numbers_of_many_digits_keep_the_hash_that_they_were_given() {
        for strength in [0.1 + 0.2, 1.0 / 3.0, 100.0 / 3.0, 200.0 / 7.0] {
            let mut record = record();
            record.frozen.method.contrast_strength = strength;
            record.plan_hash = digest::sha256_of_json(&record.frozen);
            assert_eq!(
                RunRecord::parse(&record.to_json(), &name()).unwrap(),
                record
            );
        }
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        let sealed = record().to_json();
        for at in 0..sealed.len() {
            for bit in [0, 1, 3, 5, 7] {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                let read = RunRecord::parse(&changed, &name());
                assert!(read.is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field_and_both_values() {
        let hash = record().plan_hash;
        let long = "a".repeat(1 << 20);
        let cases = [
            (
                "/frozen/method/seed",
                json!(43),
                ["plan_hash", hash.as_str()],
            ),
            (
                "/frozen/model/width",
                json!(0),
                ["frozen.model.width is 0", "1 to 8192"],
            ),
            (
                "/frozen/model/height",
                json!(100_000),
                ["frozen.model.height is 100000", "8192"],
            ),
            (
                "/frozen/num_items",
                json!(u64::MAX),
                ["frozen.num_items", "1000000000"],
            ),
            (
                "/frozen/num_shards",
                json!(1_000_000_000),
                ["frozen.num_shards is 1000000000", "0 to 2"],
            ),
            (
                "/frozen/content/count",
                json!(1u64 << 40),
                ["frozen.content.count", "10000000"],
            ),
            (
                "/frozen/method/steps",
                json!(0),
                ["method.steps (0)", "1 to 1000"],
            ),
            (
                "/frozen/shards/contents",
                json!(0),
                ["shards.contents (0)", "must be"],
            ),
            (
                "/limits/max_attempts",
                json!(1_000_000_000),
                ["limits.max_attempts (1000000000)", "must be"],
            ),
            (
                "/limits/max_failed",
                json!(1e300),
                ["limits.max_failed", "must be"],
            ),
            (
                "/plan_hash",
                json!("aaaaaaae-acute"),
                ["plan_hash", "64 digits"],
            ),
            ("/plan_hash", json!(long), ["plan_hash", "64 digits"]),
            (
                "/frozen/plan_sha256",
                json!("../../etc/passwd"),
                ["frozen.plan_sha256", "64 digits"],
            ),
            (
                "/frozen/styles",
                json!({"night": long}),
                ["frozen.styles.night", "64 digits"],
            ),
            ("/run", json!("other"), ["run is other", "expected demo"]),
            ("/run", json!(long), ["run: ", "run name"]),
            (
                "/format_version",
                json!(3),
                ["format_version is 3", "expected 4"],
            ),
            ("/created_at", json!(long), ["created_at: ", "created_at"]),
        ];
        for (pointer, value, words) in cases {
            let told = RunRecord::parse(&edited(pointer, value), &name());
            let told = told.unwrap_err().to_string();
            for word in words {
                assert!(told.contains(word), "{pointer}: no {word:?}: {told}");
            }
            assert!(told.len() < 800, "{pointer}: {} bytes", told.len());
        }
        assert_eq!(RunRecord::parse(b"", &name()), Err(RecordError::Empty));
        let large = vec![b' '; MAX_BYTES + 1];
        let told = RunRecord::parse(&large, &name()).unwrap_err();
        assert!(matches!(told, RecordError::TooLarge { .. }), "{told}");
    }

    #[test]
    fn what_is_altered_beside_what_is_frozen_is_noticed_too() {
        let sealed = String::from_utf8(record().to_json()).unwrap();
        for (was, is) in [
            ("\"max_attempts\": 3", "\"max_attempts\": 4"),
            ("/gta5", "/gta4"),
            ("1970-01-01", "1971-01-01"),
        ] {
            let changed = sealed.replace(was, is);
            assert_ne!(changed, sealed, "{was}");
            let told = RunRecord::parse(changed.as_bytes(), &name()).unwrap_err();
            assert!(matches!(told, RecordError::Seal(_)), "{was}: {told}");
        }
    }
}
