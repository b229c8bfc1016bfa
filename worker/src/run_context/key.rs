//! What a run context is loaded by: runs that agree in it share one.

use std::collections::BTreeMap;

use shared::dataset::entry::DatasetEntry;
use shared::decision::{ChangedInputs, ChangedStyle};
use shared::item_metric::PerMetric;
use shared::location::Location;
use shared::run_record::{RunInputs, RunRecord};

/// What a run context is loaded by.
#[derive(PartialEq)]
pub(super) struct ContextKey {
    plan_hash: String,
    inputs: RunInputs,
    features: Option<Location>,
    of_metrics: PerMetric<Option<Location>>,
    segmenter: Option<Location>,
    /// What was recorded of a style that is another one since is of no use.
    changed_styles: BTreeMap<String, ChangedStyle>,
    /// Neither is what was learnt from a content that is another one since. Of a run that learns from none, none.
    changed_contents: Option<BTreeMap<String, DatasetEntry>>,
}

impl ContextKey {
    /// Returns that of a run, of whose inputs some may be others than it was planned with.
    pub(super) fn of(run: &RunRecord, changed: &ChangedInputs) -> Self {
        let learns = run.frozen.class_maps.is_some();
        Self {
            plan_hash: run.plan_hash.clone(),
            inputs: run.inputs.clone(),
            features: run.quality.features.clone(),
            of_metrics: PerMetric::from_fn(|metric| run.quality.network_of(metric).cloned()),
            segmenter: run.quality.segmenter.clone(),
            changed_styles: changed.styles().clone(),
            changed_contents: learns.then(|| changed.content_listings().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::dataset::entry::DatasetFile;
    use shared::dataset::labels::LabelSetting;
    use shared::dataset::layout::Layout;
    use shared::decision::ChangedInput;
    use shared::digest;
    use shared::platform::Platform;
    use shared::run_record::{
        FORMAT_VERSION, Frozen, FrozenClassMaps, FrozenContent, FrozenEvaluators, FrozenModel,
    };
    use shared::settings::raw::RawMethod;
    use shared::settings::{
        ClassMapSource, Licences, Limits, Pairing, PairingMode, Products, QualityConfig, ShardSize,
    };

    use super::*;

    fn run(class_maps: Option<FrozenClassMaps>) -> RunRecord {
        let nowhere = || Location::Folder("/nowhere".into());
        let frozen = Frozen {
            method: RawMethod::default().try_into().unwrap(),
            products: Products::F32,
            pairing: Pairing {
                mode: PairingMode::EveryStyle,
                contents_per_style: None,
            },
            shards: ShardSize {
                contents: 1,
                styles: 1,
            },
            content: FrozenContent {
                layout: Layout::Gta5,
                labels: LabelSetting::Auto,
                classes: None,
                count: 1,
                listing_sha256: digest::sha256(b"a listing"),
            },
            styles: BTreeMap::from([("night".to_owned(), digest::sha256(b"night"))]),
            style_labels: LabelSetting::Auto,
            style_classes: None,
            class_maps,
            model: FrozenModel {
                sha256: Some(digest::sha256(b"a model")),
                width: 8,
                height: 4,
            },
            evaluators: FrozenEvaluators::default(),
            num_items: 1,
            num_shards: 1,
            plan_sha256: digest::sha256(b"a plan"),
        };
        RunRecord {
            format_version: FORMAT_VERSION,
            run: "demo".parse().unwrap(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            plan_hash: digest::sha256_of_json(&frozen),
            inputs: RunInputs {
                content: nowhere(),
                style: nowhere(),
                model: Some(nowhere()),
                class_maps: Some(nowhere()),
            },
            quality: QualityConfig::default(),
            limits: Limits {
                max_attempts: 3,
                input_patience_seconds: 600,
                max_failed: 1.0,
            },
            price: None,
            licences: Licences::default(),
            platform: Platform::default(),
            frozen,
        }
    }

    fn content(size_bytes: u64) -> ChangedInput {
        ChangedInput::Content {
            listing: DatasetEntry {
                name: "00001".to_owned(),
                image: DatasetFile {
                    path: "images/00001.png".into(),
                    size_bytes,
                },
                label: None,
            },
        }
    }

    #[test]
    fn a_replaced_content_is_another_context_where_classes_are_learnt_from_contents() {
        let learning = run(Some(FrozenClassMaps {
            by: ClassMapSource::Prior,
            sha256: digest::sha256(b"a network"),
        }));
        let (planned, once) = (
            ChangedInputs::default(),
            ChangedInputs::default().with(&[content(1)]),
        );
        let again = once.with(&[content(2)]);
        let is_same = |run: &RunRecord, one: &ChangedInputs, other: &ChangedInputs| {
            ContextKey::of(run, one) == ContextKey::of(run, other)
        };
        assert!(is_same(&learning, &once, &once));
        assert!(!is_same(&learning, &planned, &once));
        assert!(!is_same(&learning, &once, &again));
        // Loading a model anew takes minutes.
        assert!(is_same(&run(None), &planned, &again));
    }
}
