//! Pictures of which no row tells the digest: the contact sheet, and labels of contents that no item is done of.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::storage::Storage;

use super::{ObjectFindings, Truth};
use crate::output::audit::pictures;
use crate::output::report::RunReport;

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

    /// Looks whether a picture of which no digest is known is whole.
    async fn check_picture(&mut self, bytes: Bytes, key: &ArtifactKey) {
        let damage = shared::blocking::run(move || pictures::damage(&bytes)).await;
        self.findings
            .extend(damage.map(|damage| format!("{key} is damaged: {damage}; remove it")));
    }
}
