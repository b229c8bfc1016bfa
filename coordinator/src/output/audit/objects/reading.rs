//! Objects as they are read: what cannot be read, or is not what was written, is a finding.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::seal::{self, DocumentError, Seal};
use shared::storage::Storage;

use super::{MADE_ANEW, ObjectFindings};
use crate::run::gone;
use crate::run::ledger::LedgerError;
use crate::run::unreadable::{self, ReadError};

/// What is in the place of something that is made from the shards.
pub(super) enum Place {
    Free,
    /// What cannot be read.
    Unreadable,
    Taken(Bytes),
}

impl ObjectFindings {
    /// Reads an object that was listed; what cannot be read is a finding.
    pub(super) async fn read(&mut self, storage: &dyn Storage, key: &ArtifactKey) -> Option<Bytes> {
        let error = match gone::read_listed(storage, key).await {
            Ok(bytes) => return Some(bytes),
            Err(LedgerError::Storage(error)) => {
                self.outage = Some(error);
                return None;
            }
            Err(error) => error,
        };
        let names_it = matches!(error, LedgerError::Gone(_) | LedgerError::Unreadable(_));
        self.findings.push(if names_it {
            chain(&error)
        } else {
            format!("{key} cannot be read: {}", chain(&error))
        });
        None
    }

    /// Reads an object that need not be there, as it is made from the shards; that it cannot be read is a finding.
    pub(super) async fn read_made(&mut self, storage: &dyn Storage, key: &ArtifactKey) -> Place {
        let error = match unreadable::read(storage, key).await {
            Ok(bytes) => return Place::Taken(bytes),
            Err(ReadError::Absent) => return Place::Free,
            Err(ReadError::Unreadable(error)) => chain(&error),
            Err(ReadError::Storage(error)) => {
                self.outage = Some(error);
                return Place::Unreadable;
            }
        };
        self.findings.push(format!("{error}; {MADE_ANEW}"));
        Place::Unreadable
    }

    /// Notes whether a record that was read before carries a digest.
    pub(super) async fn is_sealed(&mut self, storage: &dyn Storage, key: ArtifactKey) {
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        match seal::open(&bytes, &key).seal {
            Seal::Whole => {}
            Seal::Missing => self.num_unsealed += 1,
            Seal::Broken(error) => self.findings.push(format!("{key}: {error}")),
        }
    }

    /// Returns the value of a document; what is wrong with it is a finding, with what helps.
    pub(super) async fn document<T: DeserializeOwned>(
        &mut self,
        storage: &dyn Storage,
        key: &ArtifactKey,
        helps: &str,
    ) -> Option<T> {
        self.read_as(storage, key, helps, seal::parse).await
    }

    /// Returns what the bytes of a document are by a parser of its kind, as [`Self::document`] does.
    pub(super) async fn read_as<T>(
        &mut self,
        storage: &dyn Storage,
        key: &ArtifactKey,
        helps: &str,
        parse: impl Fn(&[u8], &ArtifactKey) -> Result<T, DocumentError>,
    ) -> Option<T> {
        let bytes = self.read(storage, key).await?;
        self.parsed(&bytes, key, helps, parse)
    }

    /// Returns what bytes are by a parser of their kind; what is wrong with them is a finding.
    pub(super) fn parsed<T>(
        &mut self,
        bytes: &[u8],
        key: &ArtifactKey,
        helps: &str,
        parse: impl Fn(&[u8], &ArtifactKey) -> Result<T, DocumentError>,
    ) -> Option<T> {
        match parse(bytes, key) {
            Ok(value) => {
                let is_sealed = seal::open(bytes, key).seal != Seal::Missing;
                self.num_unsealed += usize::from(!is_sealed);
                Some(value)
            }
            Err(error) => {
                self.findings
                    .push(format!("{key} is damaged: {error}; {helps}"));
                None
            }
        }
    }
}
