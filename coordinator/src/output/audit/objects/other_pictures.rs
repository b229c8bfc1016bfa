//! Pictures of which no row tells the digest: the contact sheet, labels of contents that no item is done of, and predictions
//! that attempts have left behind.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::storage::Storage;
use shared::wording::counted;

use super::{ObjectFindings, Truth};
use crate::output::audit::pictures;
use crate::output::report::RunReport;

/// Predictions that the rows of their items do not speak of.
#[derive(Debug, Default)]
pub(super) struct Left {
    num: usize,
    /// One of them.
    first: Option<ArtifactKey>,
}

impl Left {
    /// Returns what a reader of findings should know of them.
    pub(super) fn note(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        Some(format!(
            "{} stored for items whose rows speak of none, such as {first}: an attempt that did not commit them, as on \
             another device, found their labels doubtful; they are no part of the run and can be removed",
            counted(self.num, "prediction is", "predictions are")
        ))
    }
}

impl ObjectFindings {
    /// Compares the contact sheet with the digest that the report of a run that has ended tells.
    pub(super) async fn contact_sheet(&mut self, storage: &dyn Storage, truth: &Truth<'_>) {
        let key = ArtifactKey::ContactSheet(truth.run.record.run.clone());
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        let is_last = |report: &&RunReport| truth.has_ended && report.complete;
        if let Some(report) = truth.report.filter(is_last) {
            match &report.contact_sheet_sha256 {
                Some(told) => {
                    let found = digest::sha256(&bytes);
                    if found != *told {
                        self.findings.push(format!(
                            "{key} has SHA-256 {found}, report.json says {told}: run again to make it anew"
                        ));
                    }
                    return;
                }
                None => self.notes.push(format!(
                    "report.json tells no digest of {key}: nobody can tell whether it is the run's; run again to make both \
                     anew"
                )),
            }
        }
        self.check_picture(bytes, &key).await;
    }

    /// Reads a picture that is known by its name alone.
    pub(super) async fn picture(&mut self, storage: &dyn Storage, key: ArtifactKey) {
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        // It counts as none.
        if bytes.is_empty() && key.is_picture() {
            return;
        }
        self.check_picture(bytes, &key).await;
    }

    /// Reads a prediction that the row of its item does not speak of, and counts it.
    pub(super) async fn left_prediction(&mut self, storage: &dyn Storage, key: ArtifactKey) {
        self.left_predictions.num += 1;
        self.left_predictions
            .first
            .get_or_insert_with(|| key.clone());
        self.picture(storage, key).await;
    }

    /// Looks whether a picture of which no digest is known is whole.
    async fn check_picture(&mut self, bytes: Bytes, key: &ArtifactKey) {
        let damage = shared::blocking::run(move || pictures::damage(&bytes)).await;
        self.findings
            .extend(damage.map(|damage| format!("{key} is damaged: {damage}; remove it")));
    }
}
