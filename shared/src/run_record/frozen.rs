//! What is frozen of a run at its start, and makes it what it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::class_table::ClassTable;
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;
use crate::digest;
use crate::item_metric::{ItemMetric, PerMetric, keyed};
use crate::settings::{ClassMapSource, MethodConfig, Pairing, Products, ShardSize};

/// Everything that decides what the outputs of a run are, and in which shards they are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The conversion's settings.
    pub method: MethodConfig,
    /// What the products of the noise predictor are made of on a processor. Left out where they are of single precision, as
    /// those of earlier runs.
    #[serde(
        rename = "precision",
        default,
        skip_serializing_if = "Products::are_single"
    )]
    pub products: Products,
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
    /// What makes class maps of styles without labels. Left out where every style has a label or none is used: the plan
    /// hashes of earlier runs were made without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_maps: Option<FrozenClassMaps>,
    /// The model, or the size of outputs alone where the method has none.
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

/// The model and the size of its images, which is that of outputs. Of a method without a model there is the size alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenModel {
    /// SHA-256 of its contract, `model.json` or `translator.json`, which holds the digests of all its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Width of images in pixels.
    pub width: usize,
    /// Height of images in pixels.
    pub height: usize,
}

/// The network that makes class maps of styles without labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenClassMaps {
    /// What it is. The prototypes of a network of priors are in the plan.
    pub by: ClassMapSource,
    /// SHA-256 of its contract.
    pub sha256: String,
}

/// The networks that evaluate outputs, and what is made of what they say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenEvaluators {
    /// SHA-256 of the contract of the network whose features are kept.
    pub features: Option<String>,
    /// SHA-256 of the contract of each network that a metric is computed with.
    #[serde(flatten, with = "keyed::networks")]
    pub networks: PerMetric<Option<String>>,
    /// SHA-256 of the contract of the network that judges labels. Left out where there is none: the plan hashes of earlier
    /// runs were made without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmenter: Option<String>,
    /// Below this share of the content's own agreement with its label an output is doubtful. Left out where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_label_agreement: Option<f64>,
}

impl Frozen {
    /// Returns the SHA-256 of the method's settings, which every row of the run says; and of what products are made of, where
    /// they are not of single precision.
    #[must_use]
    pub fn config_hash(&self) -> String {
        match self.products {
            Products::F32 => digest::sha256_of_json(&self.method),
            products @ Products::Bf16 => digest::sha256_of_json(&(&self.method, products)),
        }
    }

    /// Returns the SHA-256 of the model's contract, which every row of the run says; empty where the method has none.
    #[must_use]
    pub fn model_sha256(&self) -> &str {
        self.model.sha256.as_deref().unwrap_or_default()
    }
}

impl FrozenEvaluators {
    /// Returns the digests of the network whose features are kept, and of those that give metrics.
    #[must_use]
    pub fn new(features: Option<String>, mut of_metrics: PerMetric<Option<String>>) -> Self {
        Self {
            features,
            networks: PerMetric::from_fn(|metric| {
                metric.network().and_then(|_| of_metrics[metric].take())
            }),
            ..Self::default()
        }
    }

    /// Returns the digest of the network that gives a metric; none if the run has none.
    #[must_use]
    pub fn of_metric(&self, metric: ItemMetric) -> Option<&str> {
        self.networks[metric].as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::Location;
    use crate::run_record::RunRecord;
    use crate::run_record::tests::{frozen, of_classes, record};

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
                "quality.min_label_agreement was not set and is now 0.5",
                "quality.segmenter (its SHA-256) was not set and is now \"e\""
            ]
        );
    }

    #[test]
    fn products_are_part_of_what_is_frozen_only_where_they_are_of_half_the_width() {
        let json = serde_json::to_string(&record()).unwrap();
        assert!(!json.contains("precision"), "{json}");
        let mut of_half = record();
        of_half.frozen.products = Products::Bf16;
        let json = serde_json::to_string(&of_half).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), of_half);
        assert_ne!(of_half.frozen.config_hash(), record().frozen.config_hash());
        assert_eq!(
            record().differences(&of_half.frozen),
            ["engine.precision was not set (f32) and is now \"bf16\""]
        );
    }

    #[test]
    fn what_maps_classes_is_part_of_what_is_frozen_only_where_there_is_something() {
        let json = serde_json::to_string(&record()).unwrap();
        assert!(!json.contains("class_maps"), "{json}");
        let mut mapped = record();
        mapped.frozen.class_maps = Some(FrozenClassMaps {
            by: ClassMapSource::Prior,
            sha256: digest::sha256(b"e"),
        });
        mapped.inputs.class_maps = Some(Location::Folder("/prior".into()));
        let json = serde_json::to_string(&mapped).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), mapped);
        let told = record().differences(&mapped.frozen);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(
            "style.prior or style.segmenter was not set and is now {\"by\":\"prior\""
        ));
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
}
