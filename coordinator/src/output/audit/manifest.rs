//! The manifest of a run that has ended, compared with the rows of its shards.

use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::storage::{Storage, StorageError};

use super::gathered::Audit;
use super::row_sum::RowSum;
use crate::output::report::RunReport;
use crate::run::unreadable::{self, ReadError};

impl Audit<'_> {
    /// The manifest of a run that has ended has the rows of its shards. It is written after the last of them, and a report
    /// with a mark of it after it; other reports are made on request.
    pub(super) async fn check_manifest(
        &mut self,
        storage: &dyn Storage,
        report: Option<&RunReport>,
    ) -> Result<(), StorageError> {
        if !self.has_ended {
            return Ok(());
        }
        let run = &self.run.record.run;
        let key = ArtifactKey::Manifest(run.clone());
        let found = match unreadable::read(storage, &key).await {
            Ok(bytes) => {
                let num_items = self.run.plan.num_items();
                let read = move || RowSum::of_manifest(bytes, num_items);
                let read = shared::blocking::run(read).await;
                match (read, &self.rows) {
                    (Err(error), _) => Some(format!("cannot be read: {}", chain(&error))),
                    (Ok(found), Some(rows)) if found != *rows => {
                        Some("has other rows than the shards".to_owned())
                    }
                    (Ok(_), _) => None,
                }
            }
            Err(ReadError::Absent) => {
                let was_written = report.is_some_and(|report| report.mark.is_some());
                if !was_written {
                    let note = "manifest.parquet was not made yet: run again, or have `serve` look after the run";
                    self.report.notes.push(note.to_owned());
                }
                was_written.then(|| "is missing".to_owned())
            }
            Err(ReadError::Unreadable(error)) => Some(format!("cannot be read: {}", error.why())),
            Err(ReadError::Storage(error)) => return Err(error),
        };
        self.report.findings.extend(found.map(|what| {
            format!(
                "manifest.parquet {what}: run again, or remove it where `serve` looks after the run, to make it anew"
            )
        }));
        Ok(())
    }
}
