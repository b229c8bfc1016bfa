//! Manifest rows of an attempt.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shared::artifact::ArtifactKey;
use shared::clock::WorkTime;
use shared::dataset::entry::DatasetEntry;
use shared::ids::ItemId;
use shared::making::Making;
use shared::manifest::{ManifestRow, Output, Predictions, Quality, RowOrigin, Status, Work};
use shared::warning::{ItemWarning, WarningKind};
use shared::wording::{MOST_MESSAGE_BYTES, shortened};

use super::class_maps::ClassMap;
use super::repair::Expected;
use super::{Attempt, AttemptError, LoadedInput, Quarantine, repair};

/// An output that is stored.
pub(super) struct Stored {
    pub(super) output: Output,
    pub(super) quality: Quality,
    /// What was done for it; nothing if an earlier attempt stored it.
    pub(super) work: Option<Work>,
    pub(super) warnings: Vec<ItemWarning>,
}

/// Returns the item of a content and a style.
pub(super) fn item_of(content: &str, style: &str) -> ItemId {
    ItemId {
        style: style.to_owned(),
        content: content.to_owned(),
    }
}

/// Returns the span of what concerns one item.
pub(super) fn span(content: &str, style: &str) -> tracing::Span {
    tracing::info_span!("item", item = format!("{style}/{content}"))
}

/// Collects the rows of a shard.
pub(super) struct RowMaker<'a> {
    attempt: &'a Attempt<'a>,
    /// What a shard that is repaired has to come out as; none of one that is made.
    expected: Option<Expected>,
    /// What attempts at the shard have made, of which files.
    pub(super) noted: Making,
    /// The class maps of styles without labels that are known by now, or why there is none.
    pub(super) class_maps: BTreeMap<String, Result<ClassMap, Quarantine>>,
    time: WorkTime,
    started_at: Timestamp,
    rows: Vec<ManifestRow>,
}

impl<'a> RowMaker<'a> {
    pub(super) fn new(attempt: &'a Attempt<'a>, expected: Option<Expected>, noted: Making) -> Self {
        let time = WorkTime::begin(attempt.clock);
        Self {
            attempt,
            expected,
            noted,
            class_maps: BTreeMap::new(),
            time,
            started_at: time.now(),
            rows: Vec::new(),
        }
    }

    /// Returns the styles that a content is to be made in: all of them, those that are done in a shard to be repaired, or
    /// those of a revision.
    pub(super) fn wanted<'s>(
        &self,
        content: &str,
        styles: &'s [DatasetEntry],
    ) -> Vec<&'s DatasetEntry> {
        let is_wanted = |style: &&DatasetEntry| self.attempt.goal.has(style.name(), content);
        styles.iter().filter(is_wanted).collect()
    }

    /// Refuses a label that is not the one of the committed rows, before it is stored.
    pub(super) fn check_label(
        &self,
        content: &str,
        key: &ArtifactKey,
        sha256: &str,
    ) -> Result<(), AttemptError> {
        let expected = self.expected.as_ref();
        repair::check(expected.and_then(|of| of.label(content)), key, sha256)
    }

    /// Refuses an image that is not the one of its committed row, before it is stored.
    pub(super) fn check_image(
        &self,
        item: &ItemId,
        key: &ArtifactKey,
        sha256: &str,
    ) -> Result<(), AttemptError> {
        let expected = self.expected.as_ref();
        repair::check(expected.and_then(|of| of.image(item)), key, sha256)
    }

    /// Returns the digests of the predictions that the committed row of an item speaks of, none if it speaks of none; nothing
    /// unless the shard is repaired.
    pub(super) fn expected_predictions(&self, item: &ItemId) -> Option<Option<&Predictions>> {
        self.expected.as_ref()?.predictions(item)
    }

    /// Returns the digest of a style's class map that committed rows speak of, if the shard is repaired.
    pub(super) fn expected_prior(&self, style: &str) -> Option<&str> {
        self.expected.as_ref()?.prior(style)
    }

    /// Returns the digest of the class map of a style; nothing of one that has a label.
    pub(super) fn prior_sha256(&self, style: &str) -> Option<&str> {
        self.class_map(style).map(|map| map.sha256.as_str())
    }

    fn class_map(&self, style: &str) -> Option<&ClassMap> {
        self.class_maps.get(style)?.as_ref().ok()
    }

    /// Marks the start of work on a content's items.
    pub(super) fn begin_content(&mut self) {
        self.started_at = self.time.now();
    }

    pub(super) fn quarantined(&mut self, content: &str, style: &str, why: &Quarantine) {
        let reason = shortened(&why.reason, MOST_MESSAGE_BYTES);
        // In a shard that is repaired, the item is done: the attempt fails, and says why.
        if self.expected.is_none() {
            span(content, style).in_scope(|| tracing::warn!(reason, "quarantined item"));
        }
        let row = self.row(content, style);
        self.push(row.not_done(Status::Quarantined, why.class, reason));
    }

    pub(super) fn done(&mut self, content: &LoadedInput, style: &str, stored: Stored) {
        let mut row = self.row(&content.name, style);
        let of_map = self.class_map(style).and_then(|map| map.warning.as_ref());
        let warnings = content.prepared.warnings.iter().chain(&stored.warnings);
        let warnings = warnings.chain(of_map);
        let texts: Vec<&str> = warnings.clone().map(|w| w.text.as_str()).collect();
        let text = shortened(&texts.join("; "), MOST_MESSAGE_BYTES);
        row.warning = (!texts.is_empty()).then_some(text);
        let kinds: BTreeSet<WarningKind> = warnings.map(|warning| warning.kind).collect();
        row.warning_kinds = kinds.into_iter().collect();
        row.output = Some(stored.output);
        row.quality = Some(stored.quality);
        row.content_sha256 = Some(content.image_sha256.clone());
        row.prior_sha256 = self.prior_sha256(style).map(str::to_owned);
        row.work = stored.work;
        self.push(row);
    }

    pub(super) fn finish(self) -> Vec<ManifestRow> {
        self.rows
    }

    fn push(&mut self, row: ManifestRow) {
        self.attempt.progress.item(&row);
        self.rows.push(row);
    }

    fn row(&self, content: &str, style: &str) -> ManifestRow {
        let (attempt, provenance) = (self.attempt, self.attempt.provenance.clone());
        let origin = RowOrigin {
            run: attempt.task.run.clone(),
            shard: attempt.task.shard,
            attempt: attempt.number,
            worker: provenance.worker,
            device: provenance.device,
            platform: provenance.platform,
            seed: provenance.seed,
            config_hash: provenance.config_hash,
            model_sha256: provenance.model_sha256,
        };
        let span = (self.started_at, self.time.now());
        ManifestRow::new(origin, item_of(content, style), span)
    }
}
