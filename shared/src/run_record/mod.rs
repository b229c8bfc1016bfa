//! `run.json`: the settings and digests that make a run what it is, frozen at its start.
//!
//! - `opening`: it is read, and checked

mod opening;

use std::collections::BTreeMap;

pub use opening::RecordError;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactKey;
use crate::dataset::class_table::ClassTable;
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;
use crate::digest;
use crate::ids::RunId;
use crate::item_metric::{ItemMetric, PerMetric};
use crate::json;
use crate::location::Location;
use crate::seal;
use crate::settings::{
    DevicePrice, Licences, Limits, MethodConfig, Pairing, QualityConfig, RunConfig, ShardSize,
};
use crate::wording::shortened;

/// Bytes of a value that a difference shows.
const MAX_VALUE_BYTES: usize = 200;

/// Version of the format of `run.json`.
pub const FORMAT_VERSION: u32 = 4;

/// What a run is. Two runs of one name with different records are never mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The run's name.
    pub run: RunId,
    /// When it was planned. Not part of the identity.
    pub created_at: jiff::Timestamp,
    /// SHA-256 over what is frozen.
    pub plan_hash: String,
    /// Where the inputs are. Not part of the identity: a dataset may be moved.
    pub inputs: RunInputs,
    /// What outputs are judged with. Of it, only the networks' digests are part of the identity.
    pub quality: QualityConfig,
    /// When to give up. Not part of the identity.
    pub limits: Limits,
    /// What an hour of a device costs, if the settings said so. Not part of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<DevicePrice>,
    /// Under which terms what is made may be used. Not part of the identity.
    #[serde(default, skip_serializing_if = "Licences::is_empty")]
    pub licences: Licences,
    /// What is frozen.
    pub frozen: Frozen,
}

/// Where a run's inputs are, as every worker finds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInputs {
    /// The contents.
    pub content: Location,
    /// The styles.
    pub style: Location,
    /// The exported model.
    pub model: Location,
}

/// Everything that decides what the outputs of a run are, and in which shards they are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The conversion's settings.
    pub method: MethodConfig,
    /// Which contents meet which styles.
    pub pairing: Pairing,
    /// How items are grouped.
    pub shards: ShardSize,
    /// The contents.
    pub content: FrozenContent,
    /// Digest of each style's image and label file.
    pub styles: BTreeMap<String, String>,
    /// What the styles' label files are said to be.
    pub style_labels: LabelSetting,
    /// Which class each of their labels is, where the settings say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style_classes: Option<ClassTable>,
    /// The model.
    pub model: FrozenModel,
    /// The networks that evaluate outputs: their figures are committed with the outputs.
    #[serde(rename = "judges")]
    pub evaluators: FrozenEvaluators,
    /// Number of items planned.
    pub num_items: usize,
    /// Number of shards planned.
    pub num_shards: usize,
    /// SHA-256 of the plan, which lists the inputs and the shards and lies beside this record.
    pub plan_sha256: String,
}

/// The dataset listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenContent {
    /// The dataset's layout.
    pub layout: Layout,
    /// What its label files are said to be.
    pub labels: LabelSetting,
    /// Which class each label is, where the settings say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassTable>,
    /// Number of contents in the listing.
    pub count: usize,
    /// SHA-256 over the names and sizes of all files listed.
    pub listing_sha256: String,
}

/// The model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenModel {
    /// SHA-256 of `model.json`, which holds the digests of all its files.
    pub sha256: String,
    /// Width of its images in pixels.
    pub width: usize,
    /// Height of its images in pixels.
    pub height: usize,
}

/// The networks that evaluate outputs, and what is made of what they say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenEvaluators {
    /// SHA-256 of the contract of the network whose features are kept.
    pub features: Option<String>,
    /// SHA-256 of the contract of the network that LPIPS is computed with.
    pub lpips: Option<String>,
    /// SHA-256 of the contract of the network that judges labels. Left out where there is none: the plan hashes of earlier
    /// runs were made without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmenter: Option<String>,
    /// Below this share of the content's own agreement with its label an output is doubtful. Left out where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_label_agreement: Option<f64>,
}

impl Frozen {
    /// Returns the SHA-256 of the method's settings, which every row of the run says.
    #[must_use]
    pub fn config_hash(&self) -> String {
        digest::sha256_of_json(&self.method)
    }
}

impl FrozenEvaluators {
    /// Returns the digests of the network whose features are kept, and of those that give metrics.
    #[must_use]
    pub fn new(features: Option<String>, mut of_metrics: PerMetric<Option<String>>) -> Self {
        Self {
            features,
            lpips: of_metrics[ItemMetric::Lpips].take(),
            ..Self::default()
        }
    }

    /// Returns the digest of the network that gives a metric; none if the run has none.
    #[must_use]
    pub fn of_metric(&self, metric: ItemMetric) -> Option<&str> {
        match metric {
            ItemMetric::Ssim => None,
            ItemMetric::Lpips => self.lpips.as_deref(),
        }
    }
}

impl RunInputs {
    /// Returns where settings say the inputs are.
    #[must_use]
    pub fn of(config: &RunConfig) -> Self {
        Self {
            content: config.content.root.absolute(),
            style: config.style.root.absolute(),
            model: config.model.absolute(),
        }
    }
}

impl RunRecord {
    /// Returns the record of a run that starts now.
    #[must_use]
    pub fn new(config: &RunConfig, frozen: Frozen, now: jiff::Timestamp) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            run: config.run.clone(),
            created_at: now,
            plan_hash: digest::sha256_of_json(&frozen),
            inputs: RunInputs::of(config),
            quality: config.quality.absolute(),
            limits: config.limits,
            price: config.price.clone(),
            licences: config.licences.clone(),
            frozen,
        }
    }

    /// Returns the record as it is stored, with a digest of itself.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        seal::document(self, &ArtifactKey::RunRecord(self.run.clone()))
    }

    /// Returns what differs between this record and a new plan of the same name: one line for each difference,
    /// none if both are the same run.
    #[must_use]
    pub fn differences(&self, planned: &Frozen) -> Vec<String> {
        let mut found = Vec::new();
        compare(
            "",
            &json::tree(&self.frozen),
            &json::tree(planned),
            &mut found,
        );
        found
    }

    /// Returns what differs as [`Self::differences`] does, but for the inputs and what is planned with them.
    #[must_use]
    pub fn differences_but_inputs(&self, planned: &Frozen) -> Vec<String> {
        let frozen = self.frozen.clone();
        self.differences(&Frozen {
            content: FrozenContent {
                layout: planned.content.layout,
                labels: planned.content.labels,
                classes: planned.content.classes.clone(),
                ..frozen.content
            },
            styles: frozen.styles,
            num_items: frozen.num_items,
            num_shards: frozen.num_shards,
            plan_sha256: frozen.plan_sha256,
            ..planned.clone()
        })
    }
}

fn compare(path: &str, old: &serde_json::Value, new: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value::{Null, Object};
    match (old, new) {
        (Object(old), Object(new)) => {
            let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let inner = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                compare(
                    &inner,
                    old.get(key).unwrap_or(&Null),
                    new.get(key).unwrap_or(&Null),
                    found,
                );
            }
        }
        _ if old != new => {
            // What is new or gone may be a whole table.
            let shown = |value: &serde_json::Value| shortened(&value.to_string(), MAX_VALUE_BYTES);
            found.push(format!(
                "{path} was {} and is now {}",
                shown(old),
                shown(new)
            ));
        }
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::settings::{PairingMode, raw::RawMethod};

    fn frozen(seed: u64) -> Frozen {
        let raw = RawMethod {
            seed: Some(seed),
            ..RawMethod::default()
        };
        Frozen {
            method: raw.try_into().unwrap(),
            pairing: Pairing {
                mode: PairingMode::EveryStyle,
                contents_per_style: None,
            },
            shards: ShardSize {
                contents: 4,
                styles: 3,
            },
            content: FrozenContent {
                layout: Layout::Gta5,
                labels: LabelSetting::Auto,
                classes: None,
                count: 2,
                listing_sha256: digest::sha256(b"a"),
            },
            styles: BTreeMap::from([("night".into(), digest::sha256(b"b"))]),
            style_labels: LabelSetting::Auto,
            style_classes: None,
            model: FrozenModel {
                sha256: digest::sha256(b"c"),
                width: 512,
                height: 256,
            },
            evaluators: FrozenEvaluators::default(),
            num_items: 2,
            num_shards: 1,
            plan_sha256: digest::sha256(b"d"),
        }
    }

    pub(crate) fn record() -> RunRecord {
        let folder = |name: &str| Location::Folder(name.into());
        RunRecord {
            format_version: FORMAT_VERSION,
            run: "demo".parse().unwrap(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            plan_hash: digest::sha256_of_json(&frozen(1)),
            inputs: RunInputs {
                content: folder("/gta5"),
                style: "s3://bucket/style".parse().unwrap(),
                model: folder("/model"),
            },
            quality: QualityConfig::default(),
            limits: Limits {
                max_attempts: 3,
                input_patience_seconds: 600,
                max_failed: 0.05,
            },
            price: None,
            licences: Licences::default(),
            frozen: frozen(1),
        }
    }

    #[test]
    fn a_changed_setting_is_named_with_both_values() {
        assert_eq!(record().differences(&frozen(1)), Vec::<String>::new());
        assert_eq!(
            record().differences(&frozen(2)),
            ["method.seed was 1 and is now 2"]
        );
    }

    #[test]
    fn the_digest_of_a_metrics_network_is_found_by_its_metric() {
        let of_metrics = PerMetric::from_fn(|metric| Some(metric.as_str().to_owned()));
        let evaluators = FrozenEvaluators::new(None, of_metrics);
        for metric in ItemMetric::ALL {
            let expected = metric.network().map(|_| metric.as_str());
            assert_eq!(evaluators.of_metric(metric), expected);
            assert_eq!(FrozenEvaluators::default().of_metric(metric), None);
        }
    }

    #[test]
    fn a_record_survives_its_json() {
        let mut with_segmenter = record();
        with_segmenter.frozen.evaluators.segmenter = Some(digest::sha256(b"e"));
        with_segmenter.frozen.evaluators.min_label_agreement = Some(0.1);
        let priced = RunRecord {
            price: Some(DevicePrice {
                per_device_hour: 2.5,
                currency: "EUR".to_owned(),
            }),
            ..record()
        };
        for record in [record(), with_segmenter, priced] {
            let json = serde_json::to_string_pretty(&record).unwrap();
            assert_eq!(json.contains("price"), record.price.is_some());
            assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), record);
        }
    }

    #[test]
    fn a_segmenter_is_part_of_what_is_frozen_only_where_there_is_one() {
        let without = serde_json::to_value(frozen(1)).unwrap();
        assert_eq!(
            without["judges"],
            serde_json::json!({"features": null, "lpips": null})
        );
        let mut planned = frozen(1);
        planned.evaluators.segmenter = Some("e".to_owned());
        planned.evaluators.min_label_agreement = Some(0.5);
        assert_eq!(
            record().differences(&planned),
            [
                "judges.min_label_agreement was null and is now 0.5",
                "judges.segmenter was null and is now \"e\""
            ]
        );
    }

    #[test]
    fn a_table_of_classes_is_part_of_what_is_frozen_only_where_there_is_one() {
        let json = serde_json::to_string_pretty(&record()).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), record());
        assert!(!json.contains("classes"), "{json}");
        let mut with_tables = record();
        with_tables.frozen = of_classes("road");
        let json = serde_json::to_string(&with_tables).unwrap();
        let read = serde_json::from_str::<RunRecord>(&json).unwrap();
        assert_eq!(read, with_tables);
        assert_ne!(
            digest::sha256_of_json(&read.frozen),
            record().plan_hash,
            "classes are part of the identity"
        );
    }

    /// Returns what is frozen of a run whose labels of id 7 are of a class.
    fn of_classes(class: &str) -> Frozen {
        let table = ClassTable::new([("7", class), ("8", "car")]).unwrap();
        let mut frozen = frozen(1);
        frozen.content.classes = Some(table.clone());
        frozen.style_classes = Some(table);
        frozen
    }

    #[test]
    fn changed_classes_are_named_whatever_the_inputs_are() {
        let mut before = record();
        before.frozen = of_classes("road");
        let expected = [
            "content.classes.7 was \"road\" and is now \"sidewalk\"",
            "style_classes.7 was \"road\" and is now \"sidewalk\"",
        ];
        assert_eq!(before.differences(&of_classes("sidewalk")), expected);
        let told = before.differences_but_inputs(&of_classes("sidewalk"));
        assert_eq!(told, expected);
        let told = record().differences(&of_classes("road"));
        let expected = "content.classes was null and is now {\"7\":\"road\",\"8\":\"car\"}";
        assert_eq!(told[0], expected);
    }
}
