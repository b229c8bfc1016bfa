//! Fakes of what attempts and workers need: a run that is planned by hand, and an engine that makes small outputs from
//! names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engine::EngineError;
use imaging::Prepared;
use method::finite::{NotFinite, Quantity};
use ndarray::{Array2, Array3};
use shared::artifact::ArtifactKey;
use shared::confusion::{Confusion, LabelAgreement};
use shared::dataset::entry::{DatasetEntry, DatasetFile, DatasetLabel, LabelKind, LabelReading};
use shared::dataset::labels::LabelSetting;
use shared::dataset::layout::Layout;
use shared::digest;
use shared::failure::FailureClass;
use shared::ids::{ItemId, ShardId};
use shared::item_metric::PerMetric;
use shared::location::Location;
use shared::manifest::{self, ManifestRow, Predictions, Quality};
use shared::model::ImageSize;
use shared::plan::{Plan, Shard};
use shared::platform::Platform;
use shared::queue::message::ShardTask;
use shared::run_record::{
    FORMAT_VERSION, Frozen, FrozenContent, FrozenEvaluators, FrozenModel, RunInputs as InputRoots,
    RunRecord,
};
use shared::settings::raw::RawMethod;
use shared::settings::{
    Licences, Limits, Pairing, PairingMode, Products, QualityConfig, ShardSize,
};
use shared::storage::{Storage, StorageError, StorageErrorKind};
use shared::warning::ItemWarning;
use tokio_util::sync::CancellationToken;
use worker::attempt::{
    AttemptError, ClassMapper, ConversionBackend, ConvertedBatch, ConvertedOutput, Evaluator,
    InputKind, Inputs, LoadedInput, Progress, Quarantine, RunContext, Unusable,
};
use worker::evaluation::{Evaluation, EvaluationError, PredictionPictures};

/// Evaluations of the recording of a style.
pub(crate) const STYLE_EVALUATIONS: u64 = 7;

/// The size of its pictures.
pub(crate) const SIZE: ImageSize = ImageSize {
    width: 8,
    height: 4,
    latent_width: 1,
    latent_height: 1,
};

/// A run of one shard: every content in every style.
pub(crate) struct FakeRun {
    pub(crate) record: RunRecord,
    pub(crate) plan: Plan,
}

impl FakeRun {
    pub(crate) fn of(contents: &[&str], styles: &[&str]) -> Self {
        let plan = Plan {
            contents: contents.iter().map(|name| listing(name)).collect(),
            styles: styles.iter().map(|name| listing(name)).collect(),
            shards: vec![Shard {
                id: ShardId(0),
                contents: (0..contents.len()).collect(),
                styles: (0..styles.len()).collect(),
            }],
            prototypes: Vec::new(),
        };
        let nowhere = || Location::Folder(PathBuf::from("/nowhere"));
        let frozen = frozen(&plan);
        let record = RunRecord {
            format_version: FORMAT_VERSION,
            run: "faked".parse().expect("a run's name"),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            plan_hash: digest::sha256_of_json(&frozen),
            inputs: InputRoots {
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
        Self { record, plan }
    }

    /// Returns what a worker is asked for: the shard for the first time.
    pub(crate) fn task(&self) -> ShardTask {
        self.plan.task(&self.record.run, &self.plan.shards[0])
    }

    /// Returns the rows of the shard as they are committed; nothing if it is not.
    pub(crate) async fn committed(&self, storage: &dyn Storage) -> Option<Vec<ManifestRow>> {
        let key = ArtifactKey::Shard(self.record.run.clone(), ShardId(0));
        let is_there = storage.exists(&key).await.expect("storage that answers");
        if !is_there {
            return None;
        }
        let bytes = storage.read(&key).await.expect("a commit");
        Some(manifest::read(bytes).expect("rows"))
    }
}

fn frozen(plan: &Plan) -> Frozen {
    let style = |style: &DatasetEntry| (style.name.clone(), digest::sha256(style.name.as_bytes()));
    Frozen {
        method: RawMethod::default()
            .try_into()
            .expect("the defaults are valid"),
        products: Products::F32,
        pairing: Pairing {
            mode: PairingMode::EveryStyle,
            contents_per_style: None,
        },
        shards: ShardSize {
            contents: plan.contents.len(),
            styles: plan.styles.len(),
        },
        content: FrozenContent {
            layout: Layout::Gta5,
            labels: LabelSetting::Auto,
            classes: None,
            count: plan.contents.len(),
            listing_sha256: digest::sha256(b"a listing"),
        },
        styles: plan.styles.iter().map(style).collect::<BTreeMap<_, _>>(),
        style_labels: LabelSetting::Auto,
        style_classes: None,
        class_maps: None,
        model: FrozenModel {
            sha256: Some(digest::sha256(b"a model")),
            width: SIZE.width,
            height: SIZE.height,
        },
        evaluators: FrozenEvaluators::default(),
        num_items: plan.num_items(),
        num_shards: plan.shards.len(),
        plan_sha256: digest::sha256(shared::json::line(plan).as_bytes()),
    }
}

/// Returns a listed pair of files that are nowhere.
fn listing(name: &str) -> DatasetEntry {
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

/// An engine that makes small outputs from names, with inputs and an evaluator of its own.
#[derive(Default)]
pub(crate) struct FakeEngine {
    /// Inputs that cannot be decoded.
    pub(crate) bad_inputs: Vec<&'static str>,
    /// Styles of whose recording no number is finite.
    pub(crate) unusable_styles: Vec<&'static str>,
    /// Contents whose conversion fails.
    pub(crate) failing: Vec<&'static str>,
    /// Contents whose outputs are doubtful.
    pub(crate) doubtful: Vec<&'static str>,
    /// What its segmenter is called: one of another name predicts something else for contents.
    pub(crate) segmenter: &'static str,
    /// Whether every conversion runs out of memory.
    pub(crate) is_full: bool,
    /// Cancelled when a conversion begins.
    pub(crate) cancels: CancellationToken,
    /// What it was asked to convert: each content, and how many styles at once.
    pub(crate) converted: Mutex<Vec<(String, usize)>>,
    /// Styles that were recorded.
    pub(crate) recorded: Mutex<BTreeSet<String>>,
    /// What makes class maps of its styles.
    pub(crate) class_maps: Option<Arc<dyn ClassMapper>>,
}

impl FakeEngine {
    /// Returns the context of a run with this engine.
    pub(crate) fn context(self: &Arc<Self>) -> RunContext {
        RunContext {
            inputs: Arc::clone(self) as Arc<dyn Inputs>,
            backend: Arc::clone(self) as Arc<dyn ConversionBackend>,
            evaluator: Arc::clone(self) as Arc<dyn Evaluator>,
            class_maps: self.class_maps.clone(),
            size: SIZE,
            platform: Platform::default(),
            trial: None,
        }
    }

    /// Returns what it was asked to convert: each content, and how many styles at once.
    pub(crate) fn conversions(&self) -> Vec<(String, usize)> {
        locked(&self.converted).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

#[async_trait]
impl Inputs for FakeEngine {
    async fn load(
        &self,
        _: InputKind,
        listing: &DatasetEntry,
        _: ImageSize,
    ) -> Result<LoadedInput, Unusable> {
        let name = listing.name();
        if self.bad_inputs.contains(&name) {
            return Err(Unusable::Quarantine(Quarantine {
                class: FailureClass::BadInput,
                reason: format!("{name} is damaged"),
            }));
        }
        Ok(LoadedInput {
            name: name.to_owned(),
            file: format!("{name}.png"),
            prepared: Prepared {
                image: Array3::zeros((1, 1, 3)),
                label: Array2::zeros((1, 1)),
                label_latent: Array2::zeros((1, 1)),
                stored_label: Some(format!("the label of {name}").into_bytes()),
                warnings: Vec::new(),
            },
            image_sha256: digest::sha256(name.as_bytes()),
            elapsed: Duration::ZERO,
        })
    }
}

#[async_trait]
impl ConversionBackend for FakeEngine {
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError> {
        Ok(locked(&self.recorded).contains(name))
    }

    async fn record_style(
        &self,
        style: LoadedInput,
        _: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        if self.unusable_styles.contains(&style.name.as_str()) {
            return Err(AttemptError::Engine(EngineError::NotFinite {
                what: format!("style {}", style.name),
                numbers: NotFinite {
                    quantity: Quantity::EncodedLatent,
                    num_bad: 1,
                    num_values: 4,
                },
                cure: "choose another style",
            }));
        }
        locked(&self.recorded).insert(style.name);
        Ok(STYLE_EVALUATIONS)
    }

    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        _: Arc<dyn Progress>,
    ) -> Result<ConvertedBatch, AttemptError> {
        locked(&self.converted).push((content.name.clone(), styles.len()));
        self.cancels.cancel();
        // What supervises the attempt has its turn while a conversion is under way.
        tokio::task::yield_now().await;
        if self.is_full {
            return Err(out_of_memory(&content.name, &styles[0]));
        }
        if self.failing.contains(&content.name.as_str()) {
            return Err(AttemptError::Storage(StorageError {
                kind: StorageErrorKind::Unavailable,
                operation: "convert",
                path: content.name.clone(),
                source: None,
            }));
        }
        let output = |style: &String| {
            Ok(ConvertedOutput {
                png: format!("{} in the style of {style}", content.name).into_bytes(),
                warnings: Vec::new(),
            })
        };
        Ok(ConvertedBatch {
            in_unet: Duration::ZERO,
            in_content: Duration::ZERO,
            outputs: styles.iter().map(output).collect(),
            evaluations: styles.len() as u64,
            encode: Duration::ZERO,
            denoise: Duration::ZERO,
            decode: Duration::ZERO,
        })
    }

    async fn warnings(
        &self,
        _: Arc<LoadedInput>,
        _: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        Ok(Vec::new())
    }
}

/// Returns an error of the class that running out of memory has: the engine's own holds one of ONNX Runtime, whose library
/// these tests do without.
fn out_of_memory(content: &str, style: &str) -> AttemptError {
    AttemptError::Unrepairable {
        item: ItemId {
            style: style.to_owned(),
            content: content.to_owned(),
        },
        class: FailureClass::Resources,
        reason: "failed to allocate memory".to_owned(),
    }
}

#[async_trait]
impl Evaluator for FakeEngine {
    async fn evaluate(
        &self,
        content: Arc<LoadedInput>,
        png: Bytes,
    ) -> Result<Evaluation, EvaluationError> {
        let figures = PerMetric::from_fn(|metric| metric.network().is_none().then_some(0.5));
        let is_doubtful = self.doubtful.contains(&content.name.as_str());
        let pictures = is_doubtful.then(|| PredictionPictures {
            output: [&b"prediction for "[..], &png].concat(),
            content: format!("prediction {} for {}", self.segmenter, content.name).into_bytes(),
        });
        Ok(Evaluation {
            quality: Quality {
                figures,
                train_ids: vec![0],
                agreement: is_doubtful.then(|| LabelAgreement {
                    output: Confusion::of(&[0], &[1]),
                    content: Confusion::of(&[0], &[0]),
                }),
                is_doubtful,
                predictions: pictures.as_ref().map(|pictures| Predictions {
                    output_sha256: digest::sha256(&pictures.output),
                    content_sha256: digest::sha256(&pictures.content),
                }),
                ..Quality::default()
            },
            predictions: pictures,
            warnings: Vec::new(),
        })
    }
}
