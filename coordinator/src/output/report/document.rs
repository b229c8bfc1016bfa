//! What a report says, field by field, as `report.json` holds it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::ids::RunId;
use shared::item_metric::PerMetric;
use shared::settings::DevicePrice;
use shared::warning::WarningKind;

use super::agreement::AgreementReport;
use super::metrics;
use crate::run::cost::DeviceHours;
use crate::run::ledger::Mark;

/// A run's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// Whether every planned item has ended, and everything that is done was there.
    pub complete: bool,
    /// The method, as settings name it.
    pub method: String,
    /// The reading of the method: `released-code` or `paper`; none of a method without a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Width of the outputs in pixels.
    pub width: usize,
    /// Height of the outputs in pixels.
    pub height: usize,
    /// Items planned.
    pub items: usize,
    /// Items with an image and a label.
    pub done: usize,
    /// Items whose input cannot be converted.
    pub quarantined: usize,
    /// Items whose shard failed too often.
    pub failed: usize,
    /// The network whose features FID and KID compare; none if the run has no such network.
    pub extractor: Option<NetworkReport>,
    /// The networks that gave metrics, of those that the run has one for.
    #[serde(flatten, with = "metrics::networks")]
    pub networks: PerMetric<Option<NetworkReport>>,
    /// The network that predicts the classes of outputs and contents; none if the run has no such network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmenter: Option<NetworkReport>,
    /// How what it predicts agrees with labels, over all styles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_agreement: Option<AgreementReport>,
    /// What the run cost.
    pub cost: Cost,
    /// What an hour of a device costs; none if the run's settings do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<DevicePrice>,
    /// The styles, in the order of their names.
    pub styles: Vec<StyleReport>,
    /// Why items were not converted, with their number.
    pub reasons: BTreeMap<String, usize>,
    /// Items that are done with a warning of each kind.
    #[serde(default)]
    pub warnings: BTreeMap<WarningKind, usize>,
    /// Shards whose files could not be read, with what helps: they count as not done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
    /// What was stored of the shards when the manifest was written with this report; none if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// The run's plan: another run may have had its name. None in reports of earlier programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// SHA-256 of the contact sheet that was stored when this was; none if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_sheet_sha256: Option<String>,
}

/// A network that judges images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkReport {
    /// Its name.
    pub name: String,
    /// SHA-256 of its contract, which holds the digests of its files.
    pub sha256: String,
    /// To what size it resizes images and how, such as `299x299 bilinear`; none if it takes them as they are.
    pub resize: Option<String>,
    /// Whether its figures can be compared with published ones.
    pub published: bool,
}

/// What a run cost, over the items that were converted and not found.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Images a minute, from the first start to the last end. Pauses and repeated runs count.
    pub images_per_minute: Option<f64>,
    /// Seconds of work an image, of one worker.
    pub seconds_per_image: Option<f64>,
    /// UNet evaluations an image, styles included; none of a method without a model.
    pub evaluations_per_image: Option<f64>,
    /// Hours that the images took devices, with their styles.
    #[serde(default)]
    pub device_hours: Option<f64>,
    /// Hours that what is left will take devices; none if nothing is known of that.
    #[serde(default)]
    pub device_hours_left: Option<f64>,
}

impl Cost {
    /// Returns the device-hours; none if no image was made, or an earlier program wrote the report.
    #[must_use]
    pub fn device_hours(&self) -> Option<DeviceHours> {
        Some(DeviceHours {
            so_far: self.device_hours?,
            to_come: self.device_hours_left,
        })
    }
}

/// What came out in one style.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StyleReport {
    /// The style.
    pub style: String,
    /// Its items that are done: N of every figure below.
    pub items: usize,
    /// Its items planned.
    pub planned: usize,
    /// Fréchet distance to the reference.
    pub fid: Option<f64>,
    /// Kernel distance to the reference, unbiased.
    pub kid: Option<f64>,
    /// Standard error of the kernel distance over its subsets.
    pub kid_standard_error: Option<f64>,
    /// What FID and KID compare with.
    pub reference: Option<Reference>,
    /// Means of what its outputs are like, compared with their contents.
    #[serde(flatten, with = "metrics::figures")]
    pub figures: PerMetric<Option<f64>>,
    /// How what the segmenter predicts agrees with labels; none if the run has no segmenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_agreement: Option<AgreementReport>,
    /// What a reader of the figures must know.
    pub notes: Vec<String>,
    /// The same over the items that show a class, by class, where the run asked for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, ClassReport>,
}

/// What FID and KID compare with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Where its statistics are.
    pub path: String,
    /// Number of its images; none in files that do not say.
    pub items: Option<usize>,
}

/// What came out over the items of a style that show a class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassReport {
    /// The items.
    pub items: usize,
    /// Fréchet distance of these items to the style's reference.
    pub fid: Option<f64>,
    /// Mean structural similarity of outputs to their contents.
    pub ssim: Option<f64>,
}
