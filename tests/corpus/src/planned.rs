//! Runs that are planned without datasets or a model, for tests with the fake engine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::plan::{self, Plan};
use shared::artifact::ArtifactKey;
use shared::dataset::entry::{DatasetEntry, DatasetFile, DatasetLabel, LabelKind, LabelReading};
use shared::dataset::labels::LabelSetting;
use shared::dataset::layout::Layout;
use shared::digest;
use shared::location::Location;
use shared::platform::Platform;
use shared::run_record::{
    FORMAT_VERSION, Frozen, FrozenContent, FrozenEvaluators, FrozenModel, RunInputs, RunRecord,
};
use shared::settings::raw::RawMethod;
use shared::settings::{
    Licences, Limits, Pairing, PairingMode, Products, QualityConfig, ShardSize,
};
use shared::storage::Storage;

/// Returns a run that converts every content into every style.
///
/// # Panics
///
/// If the name is no run's name.
#[must_use]
pub fn run(name: &str, contents: &[String], styles: &[String], size: ShardSize) -> FrozenRun {
    let pairs = vec![(0..contents.len()).collect(); styles.len()];
    let plan = Plan {
        contents: contents.iter().map(|name| listing(name)).collect(),
        styles: styles.iter().map(|name| listing(name)).collect(),
        shards: plan::group(&pairs, size),
        prototypes: Vec::new(),
    };
    let nowhere = || Location::Folder(PathBuf::from("/nowhere"));
    let frozen = Frozen {
        method: RawMethod::default()
            .try_into()
            .expect("the defaults are valid"),
        products: Products::F32,
        pairing: Pairing {
            mode: PairingMode::EveryStyle,
            contents_per_style: None,
        },
        shards: size,
        content: FrozenContent {
            layout: Layout::Gta5,
            labels: LabelSetting::Auto,
            classes: None,
            count: contents.len(),
            listing_sha256: digest::sha256(b"a listing"),
        },
        styles: styles
            .iter()
            .map(|name| (name.clone(), digest::sha256(name.as_bytes())))
            .collect::<BTreeMap<_, _>>(),
        style_labels: LabelSetting::Auto,
        style_classes: None,
        class_maps: None,
        model: FrozenModel {
            sha256: Some(digest::sha256(b"a model")),
            width: 8,
            height: 4,
        },
        evaluators: FrozenEvaluators::default(),
        num_items: plan.num_items(),
        num_shards: plan.shards.len(),
        plan_sha256: digest::sha256(&plan_json(&plan)),
    };
    let record = RunRecord {
        format_version: FORMAT_VERSION,
        run: name.parse().expect("a run's name"),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        plan_hash: digest::sha256_of_json(&frozen),
        inputs: RunInputs {
            content: nowhere(),
            style: nowhere(),
            model: Some(nowhere()),
            class_maps: None,
        },
        quality: QualityConfig::default(),
        limits: Limits {
            max_attempts: 3,
            max_failed: 1.0,
            input_patience_seconds: 600,
        },
        price: None,
        licences: Licences::default(),
        platform: Platform::default(),
        frozen,
    };
    FrozenRun { record, plan }
}

/// Stores a run's plan and record.
///
/// # Panics
///
/// If storage fails.
pub async fn store(storage: &dyn Storage, run: &FrozenRun) {
    let id = &run.record.run;
    let key = ArtifactKey::Plan(id.clone(), run.record.frozen.plan_sha256.clone());
    let plan = Bytes::from(plan_json(&run.plan));
    storage
        .create(&key, plan)
        .await
        .expect("a plan that is stored");
    let key = ArtifactKey::RunRecord(id.clone());
    storage
        .create(&key, Bytes::from(run.record.to_json()))
        .await
        .expect("a record that is stored");
}

fn plan_json(plan: &Plan) -> Vec<u8> {
    serde_json::to_vec(plan).expect("a plan is JSON")
}

/// Returns a listed pair of files that are nowhere.
#[must_use]
pub fn listing(name: &str) -> DatasetEntry {
    let file = |path: String| DatasetFile {
        path: path.into(),
        size_bytes: 1,
    };
    DatasetEntry {
        name: name.to_owned(),
        image: file(format!("images/{name}.png")),
        label: Some(DatasetLabel {
            file: file(format!("labels/{name}.png")),
            reading: LabelReading::promised(LabelKind::PaletteIds),
        }),
    }
}
