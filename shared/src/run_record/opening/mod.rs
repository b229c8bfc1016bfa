//! Reads and checks a stored run record.
//!
//! - `frozen`: what can be frozen, whatever the file says
//! - [`RecordError`]: why bytes are no record of a run

mod error;
mod frozen;
#[cfg(test)]
mod tests;

use serde::Deserialize;

pub use self::error::RecordError;

use self::frozen::{check_digest, setting};
use super::{FORMAT_VERSION, RunRecord};
use crate::artifact::ArtifactKey;
use crate::digest;
use crate::ids::RunId;
use crate::seal::{self, DocumentError, Seal};

/// More than a record of a hundred thousand styles has.
const MAX_BYTES: usize = 1 << 26;

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
        if let Some(price) = &self.price {
            price.check().map_err(setting)?;
        }
        self.licences.check().map_err(setting)?;
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
