//! `run.json`: the settings and digests that make a run what it is, frozen at its start.
//!
//! - `frozen`: what makes a run what it is; `differences`: what another plan has otherwise
//! - `opening`: it is read, and checked

mod differences;
mod frozen;
mod opening;

pub use differences::with_chosen_precision;
pub use frozen::{Frozen, FrozenClassMaps, FrozenContent, FrozenEvaluators, FrozenModel};
pub use opening::RecordError;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactKey;
use crate::digest;
use crate::ids::RunId;
use crate::location::Location;
use crate::platform::Platform;
use crate::seal;
use crate::settings::{DevicePrice, Licences, Limits, QualityConfig, RunConfig};

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
    /// What the process that began the run computes with; unknown if it computes nothing itself. Not part of the identity.
    #[serde(default, skip_serializing_if = "Platform::is_unknown")]
    pub platform: Platform,
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
    /// The exported model, where the method has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Location>,
    /// The network that makes class maps of styles without labels. Left out where the settings name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_maps: Option<Location>,
}

impl RunInputs {
    /// Returns where settings say the inputs are.
    #[must_use]
    pub fn of(config: &RunConfig) -> Self {
        Self {
            content: config.content.root.absolute(),
            style: config.style.root.absolute(),
            model: config.model.as_ref().map(Location::absolute),
            class_maps: config.style.class_maps.named().map(|(_, at)| at.absolute()),
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
            platform: Platform::default(),
            frozen,
        }
    }

    /// Returns the record as it is stored, with a digest of itself.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        seal::document(self, &ArtifactKey::RunRecord(self.run.clone()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::dataset::class_table::ClassTable;
    use crate::dataset::labels::LabelSetting;
    use crate::dataset::layout::Layout;
    use crate::settings::raw::RawMethod;
    use crate::settings::{Pairing, PairingMode, Products, ShardSize};

    pub(super) fn frozen(seed: u64) -> Frozen {
        let raw = RawMethod {
            seed: Some(seed),
            ..RawMethod::default()
        };
        Frozen {
            method: raw.try_into().unwrap(),
            products: Products::F32,
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
            class_maps: None,
            model: FrozenModel {
                sha256: Some(digest::sha256(b"c")),
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
                model: Some(folder("/model")),
                class_maps: None,
            },
            quality: QualityConfig::default(),
            limits: Limits {
                max_attempts: 3,
                input_patience_seconds: 600,
                max_failed: 0.05,
            },
            price: None,
            licences: Licences::default(),
            platform: Platform::default(),
            frozen: frozen(1),
        }
    }

    /// Returns what is frozen of a run whose labels of id 7 are of a class.
    pub(super) fn of_classes(class: &str) -> Frozen {
        let table = ClassTable::new([("7", class), ("8", "car")]).unwrap();
        let mut frozen = frozen(1);
        frozen.content.classes = Some(table.clone());
        frozen.style_classes = Some(table);
        frozen
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
        let computing = RunRecord {
            platform: Platform {
                gpu: Some("NVIDIA L4".to_owned()),
                onnxruntime: Some("1.31.0".to_owned()),
                injection: Some("graph".to_owned()),
                ..Platform::default()
            },
            ..record()
        };
        for record in [record(), with_segmenter, priced, computing] {
            let json = serde_json::to_string_pretty(&record).unwrap();
            assert_eq!(json.contains("price"), record.price.is_some());
            assert_eq!(json.contains("platform"), !record.platform.is_unknown());
            assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), record);
        }
    }
}
