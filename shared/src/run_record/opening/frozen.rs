//! The bounds of what a record freezes: its numbers, digests and names can be those of a run.

use super::RecordError;
use crate::ids::MAX_NAME_BYTES;
use crate::item_metric::ItemMetric;
use crate::model::sizes::{MAX_PIXELS, MAX_SIDE};
use crate::run_record::Frozen;
use crate::settings::{MethodConfig, SettingsError, check_min_label_agreement};
use crate::wording::shortened;

/// Items of a run, in any number of shards.
const MAX_ITEMS: usize = 1_000_000_000;
/// Contents of a dataset.
const MAX_CONTENTS: usize = 10_000_000;
/// Digits of a SHA-256.
const DIGITS: usize = 64;
/// Bytes of a value that a message shows.
const MOST_VALUE_BYTES: usize = 100;

impl Frozen {
    /// Returns whether a run can have this.
    pub(super) fn check(&self) -> Result<(), RecordError> {
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
        self.check_model()?;
        if let Some(sha256) = &self.evaluators.features {
            check_digest("frozen.judges.features", sha256)?;
        }
        for metric in ItemMetric::ALL {
            if let Some(sha256) = self.evaluators.of_metric(metric) {
                check_digest(&format!("frozen.judges.{}", metric.as_str()), sha256)?;
            }
        }
        if let Some(sha256) = &self.evaluators.segmenter {
            check_digest("frozen.judges.segmenter", sha256)?;
        }
        if let Some(maps) = &self.class_maps {
            check_digest("frozen.class_maps.sha256", &maps.sha256)?;
        }
        let has_segmenter = self.evaluators.segmenter.is_some();
        check_min_label_agreement(self.evaluators.min_label_agreement, has_segmenter)
            .map_err(setting)?;
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

    /// Returns whether the model is one of the method: with a digest, or of the size in the settings and without.
    fn check_model(&self) -> Result<(), RecordError> {
        const SHA256: &str = "frozen.model.sha256";
        let model = &self.model;
        let other = |field: &str, found: String, expected: String| RecordError::Value {
            field: field.to_owned(),
            found,
            expected,
        };
        match (&self.method, &model.sha256) {
            (MethodConfig::Diffusion(_) | MethodConfig::Translator(_), Some(sha256)) => {
                check_digest(SHA256, sha256)
            }
            (MethodConfig::Diffusion(_) | MethodConfig::Translator(_), None) => {
                let expected = format!("{DIGITS} digits of 0-9 and a-f");
                Err(other(SHA256, "absent".to_owned(), expected))
            }
            (MethodConfig::Baseline(config), Some(_)) => {
                let expected = format!("none of method {}", config.method);
                Err(other(SHA256, "there".to_owned(), expected))
            }
            (MethodConfig::Baseline(config), None) => {
                let (width, height) = (config.width, config.height);
                if (model.width, model.height) == (width, height) {
                    return Ok(());
                }
                let found = format!("{} x {}", model.width, model.height);
                let expected = format!("{width} x {height} as in frozen.method");
                Err(other("frozen.model", found, expected))
            }
        }
    }
}

/// Returns why a setting cannot be that of a record.
pub(super) fn setting(error: SettingsError) -> RecordError {
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

/// Proves that a field is a SHA-256.
pub(super) fn check_digest(field: &str, found: &str) -> Result<(), RecordError> {
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
