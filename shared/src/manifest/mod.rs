//! The manifest: one row for each item.
//!
//! - `schema`, `label_columns`, `features`, `column`: its columns; `parquet_file`: the file; `sealing`: its digest of itself
//! - `counted`: what of it counts are made of
//! - `effective`: rows of a commit with its revisions put over them
//! - `claims`, `thrift`: sizes that a file claims, checked before they are believed

mod claims;
mod column;
mod counted;
mod effective;
mod features;
mod label_columns;
mod parquet_file;
#[cfg(test)]
mod samples;
mod schema;
mod sealing;
mod thrift;

pub use claims::ClaimError;
pub use effective::effective;
pub use parquet_file::{
    Columns, MAX_ROWS, ManifestError, ManifestWriter, StoredRows, is_sealed, read, read_each,
    read_stored, read_with_features, write,
};

use serde::{Deserialize, Serialize};

use crate::confusion::{AgreementFigures, LabelAgreement};
use crate::failure::FailureClass;
use crate::ids::{ItemId, RunId, ShardId};
use crate::item_metric::PerMetric;
use crate::platform::Platform;
use crate::warning::WarningKind;

crate::enumerated! {
    /// How an item ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Status {
        /// Its image and label are stored.
        Done,
        /// Its input cannot be converted.
        Quarantined,
        /// Its shard failed too often.
        Failed,
    }
}

impl Status {
    /// Returns the name in the manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
        }
    }

    /// Returns the status of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// What all rows of an attempt at a shard say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOrigin {
    /// The run.
    pub run: RunId,
    /// The shard.
    pub shard: ShardId,
    /// Number of the attempt.
    pub attempt: u32,
    /// Name of the worker.
    pub worker: String,
    /// Device it ran on.
    pub device: String,
    /// What the device computes with.
    pub platform: Platform,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the method's settings.
    pub config_hash: String,
    /// SHA-256 of `model.json` or `translator.json`; empty where the method has no model.
    pub model_sha256: String,
}

/// How an item ended, and from what and how it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestRow {
    /// The run.
    pub run: RunId,
    /// The shard.
    pub shard: ShardId,
    /// Content and style.
    pub item: ItemId,
    /// How it ended.
    pub status: Status,
    /// Class of the failure of an item that is not done.
    pub error_class: Option<FailureClass>,
    /// Why it is not done.
    pub error: Option<String>,
    /// What a person should know about an item that is done.
    pub warning: Option<String>,
    /// What that is about, in rising order, each once.
    pub warning_kinds: Vec<WarningKind>,
    /// Number of the shard's attempt that wrote this row.
    pub attempt: u32,
    /// Name of the worker.
    pub worker: String,
    /// Device it ran on.
    pub device: String,
    /// What the device computes with.
    pub platform: Platform,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the method's settings.
    pub config_hash: String,
    /// SHA-256 of `model.json` or `translator.json`; empty where the method has no model.
    pub model_sha256: String,
    /// What was made; absent for items that are not done.
    pub output: Option<Output>,
    /// How it compares with its content; absent for items that are not done.
    pub quality: Option<Quality>,
    /// SHA-256 of the content's image file, where it could be read.
    pub content_sha256: Option<String>,
    /// SHA-256 of the class map of its style, where that has no label; of items that are done alone.
    pub prior_sha256: Option<String>,
    /// The work done for it; absent if an earlier attempt stored the image and this one found it.
    pub work: Option<Work>,
    /// When work on the item began.
    pub started_at: jiff::Timestamp,
    /// When its row was made.
    pub finished_at: jiff::Timestamp,
}

impl ManifestRow {
    /// Returns the row of an item that is done, as far as its attempt alone tells: what was made is to be filled in. Work
    /// on it began and ended at the times of `span`.
    #[must_use]
    pub fn new(origin: RowOrigin, item: ItemId, span: (jiff::Timestamp, jiff::Timestamp)) -> Self {
        let (started_at, finished_at) = span;
        Self {
            run: origin.run,
            shard: origin.shard,
            item,
            status: Status::Done,
            error_class: None,
            error: None,
            warning: None,
            warning_kinds: Vec::new(),
            attempt: origin.attempt,
            worker: origin.worker,
            device: origin.device,
            platform: origin.platform,
            seed: origin.seed,
            config_hash: origin.config_hash,
            model_sha256: origin.model_sha256,
            output: None,
            quality: None,
            content_sha256: None,
            prior_sha256: None,
            work: None,
            started_at,
            finished_at,
        }
    }

    /// Returns the row as that of an item which is not done, with the reason.
    #[must_use]
    pub fn not_done(self, status: Status, class: FailureClass, error: String) -> Self {
        Self {
            status,
            error_class: Some(class),
            error: Some(error),
            ..self
        }
    }
}

/// The artifacts of an item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Path of the image below the storage root.
    pub image_key: String,
    /// Path of the label map below the storage root.
    pub label_key: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// SHA-256 of the image file.
    pub image_sha256: String,
    /// SHA-256 of the label file.
    pub label_sha256: String,
}

/// What an output is like, computed from the image as it is stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quality {
    /// Its figures: those of pixels, and those that the run has a network for.
    pub figures: PerMetric<Option<f64>>,
    /// Train ids of the classes that the label map shows, in rising order.
    pub train_ids: Vec<u8>,
    /// Features of the output, if the run has a network for them. Kept in the shard's manifest, not in the run's.
    pub features: Option<Vec<f32>>,
    /// What a segmenter finds in the output and in its content beside their label, if the run has one. Kept in the shard's
    /// manifest; the run's has its figures.
    pub agreement: Option<LabelAgreement>,
    /// The figures of an agreement that is not here itself: see [`Self::label_figures`].
    pub agreement_figures: Option<Box<AgreementFigures>>,
    /// Whether the output keeps less of its content's agreement than the run asks for.
    pub is_doubtful: bool,
    /// What the segmenter predicted, which is stored of doubtful items.
    pub predictions: Option<Predictions>,
}

/// Digests of the stored predictions of a doubtful item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Predictions {
    /// SHA-256 of the prediction for the output.
    pub output_sha256: String,
    /// SHA-256 of the prediction for its content.
    pub content_sha256: String,
}

impl Quality {
    /// Returns how far what a segmenter predicts agrees with the label, as rows of shards and of a run's manifest tell it;
    /// none without a segmenter.
    #[must_use]
    pub fn label_figures(&self) -> Option<AgreementFigures> {
        match &self.agreement {
            Some(agreement) => Some(agreement.figures()),
            None => self.agreement_figures.as_deref().cloned(),
        }
    }
}

/// Takes out of rows what only shards keep: features, and of what a segmenter finds all but the figures.
pub fn without_features(rows: &mut [ManifestRow]) {
    for quality in rows.iter_mut().filter_map(|row| row.quality.as_mut()) {
        quality.features = None;
        if let Some(agreement) = quality.agreement.take() {
            quality.agreement_figures = Some(Box::new(agreement.figures()));
        }
    }
}

/// Milliseconds or evaluations that no item costs: thirty years.
pub const MAX_WORK: f64 = 1e12;

/// What an item cost. Work shared by several items is divided among them, so that columns add up to the run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// UNet evaluations of the output branch and this item's share of the content branch.
    pub unet_evaluations: f64,
    /// UNet evaluations spent on recording the style, given to the first item that used the record.
    pub style_evaluations: f64,
    /// Reading and decoding inputs, in milliseconds.
    pub load_ms: f64,
    /// VAE encoder, in milliseconds.
    pub encode_ms: f64,
    /// Denoising, in milliseconds.
    pub denoise_ms: f64,
    /// VAE decoder and PNG encoding, in milliseconds.
    pub decode_ms: f64,
    /// Storing, in milliseconds.
    pub store_ms: f64,
    /// Comparing the output with its content and computing its features, in milliseconds.
    pub quality_ms: f64,
    /// What of these times the content alone took, whatever its styles: this item's share of it, in milliseconds. Not known
    /// of what an earlier program did.
    pub content_ms: Option<f64>,
    /// Recording the style, in milliseconds, given to the first item that used the record. In none of the other times, and
    /// not known of what an earlier program did.
    pub style_ms: Option<f64>,
}

impl Work {
    /// Returns the stages of the work by their names, with the time of each in milliseconds.
    #[must_use]
    pub fn stages(&self) -> [(&'static str, f64); 6] {
        [
            ("load", self.load_ms),
            ("encode", self.encode_ms),
            ("denoise", self.denoise_ms),
            ("decode", self.decode_ms),
            ("store", self.store_ms),
            ("judge", self.quality_ms),
        ]
    }

    /// Returns the whole time, in milliseconds.
    #[must_use]
    pub fn total_ms(&self) -> f64 {
        self.stages().iter().map(|(_, took)| took).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_one_name_everywhere() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.as_str()), Some(status));
            let quoted = serde_json::to_string(&status).unwrap();
            assert_eq!(quoted, format!("{:?}", status.as_str()));
        }
        assert_eq!(Status::from_name("Done"), None);
    }
}
