//! The stored counts, as far as they can be judged without rows.

use shared::artifact::ArtifactKey;
use shared::seal::{self, Seal};
use shared::storage::Storage;

use super::ObjectFindings;
use super::reading::Place;
use crate::run::freeze::FrozenRun;
use crate::run::tally::Tally;

impl ObjectFindings {
    /// Reads the stored counts as a document; what is wrong with it is a finding.
    pub(super) async fn tally(&mut self, storage: &dyn Storage, key: &ArtifactKey) {
        // It is not listed before: a run need not have been counted.
        if let Place::Taken(bytes) = self.read_made(storage, key).await {
            let opened = seal::open(&bytes, key);
            match opened.seal {
                Seal::Whole => {}
                Seal::Missing => self.notes.push(
                    "tally.json carries no digest of itself, as those of earlier programs"
                        .to_owned(),
                ),
                Seal::Broken(error) => self.findings.push(format!(
                    "tally.json is damaged: {error}; remove it: it is counted anew"
                )),
            }
            let wrong = match serde_json::from_slice::<serde_json::Value>(&opened.json) {
                Ok(document) => {
                    let has_seal = document.get("sha256").is_some();
                    has_seal.then(|| "its sha256 is not where it was written".to_owned())
                }
                Err(error) => Some(error.to_string()),
            };
            self.findings.extend(wrong.map(|wrong| {
                format!("tally.json is damaged: {wrong}; remove it: it is counted anew")
            }));
        }
    }

    /// Compares the stored counts with the run's plan.
    pub(super) fn compare_tally(&mut self, tally: &Tally, run: &FrozenRun) {
        if tally.shards().next().is_some() && !tally.is_of(run) {
            let finding = "tally.json counts the shards of another plan: remove it, and they are counted anew";
            self.findings.push(finding.to_owned());
        }
        let strange = tally.contradictions(run);
        self.findings.extend(strange.into_iter().map(|(shard, why)| {
            format!("tally.json cannot be right about shard {shard}: {why}; remove it, and it is counted anew")
        }));
    }
}
