//! The readers of the programs, as rows of the table name them.

use std::io::Cursor;
use std::path::PathBuf;

use bytes::Bytes;
use coordinator::output::quality::reference::ReferenceStatistics;
use coordinator::run::{freeze, ledger, tally};
use imaging::{InputError, LabelFile, NamedBytes, prepare};
use method::schedule::Schedule;
use ndarray::Array4;
use shared::artifact::ArtifactKey;
use shared::dataset::LabelReading;
use shared::dataset::entry::LabelKind;
use shared::decision::Decisions;
use shared::digest;
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::item_metric::ItemMetric;
use shared::manifest;
use shared::model::ImageSize;
use shared::model::ModelContract;
use shared::network::{FEATURES_FILE, NetworkContract};
use shared::npz::NpzFile;
use shared::queue::message::{ControlRequest, Event, ShardTask};
use shared::settings::raw::RawMethod;
use shared::settings::{MethodConfig, RunConfig, ShardSize, WorkerConfig};
use shared::storage::{MemoryStorage, Storage};
use shared::warning::WarningKind;

use crate::files::scene;
use crate::planned;
use crate::targets::Target;

/// The size of the model that pictures are prepared for: an eighth of it is the latent's.
pub const SIZE: ImageSize = ImageSize {
    width: 32,
    height: 16,
    latent_width: 4,
    latent_height: 2,
};

/// Who reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reads {
    /// A photograph whose label is that of the scene, in GTA5's layout.
    Photograph,
    /// The label of the scene's photograph where a palette of label ids is promised.
    PaletteLabel,
    /// The same where grey label ids are promised.
    IdLabel,
    /// The same where grey train ids are promised.
    TrainIdLabel,
    /// The same where colours are promised.
    ColourLabel,
    /// Statistics of photographs: `quality.reference`.
    Reference,
    /// Noise of two steps for `transfer`.
    Noise,
    /// `model.json`.
    Model,
    /// `features.json`.
    Features,
    /// `perceptual.json`.
    Perceptual,
    /// `run.json`.
    RunRecord,
    /// The plan beside it.
    Plan,
    /// A decision about a run.
    Decision,
    /// What was counted of a run.
    Tally,
    /// A failed attempt at a shard.
    FailedAttempt,
    /// `run.toml`.
    RunSettings,
    /// `worker.toml`.
    WorkerSettings,
    /// Arguments of `--set`, a line each.
    Overrides,
    /// A shard in the queue.
    Task,
    /// What a worker says.
    Event,
    /// What a worker is asked.
    Request,
    /// The manifest of a shard.
    Shard,
}

impl Reads {
    /// Every reader.
    pub const ALL: [Self; 22] = [
        Self::Photograph,
        Self::PaletteLabel,
        Self::IdLabel,
        Self::TrainIdLabel,
        Self::ColourLabel,
        Self::Reference,
        Self::Noise,
        Self::Model,
        Self::Features,
        Self::Perceptual,
        Self::RunRecord,
        Self::Plan,
        Self::Decision,
        Self::Tally,
        Self::FailedAttempt,
        Self::RunSettings,
        Self::WorkerSettings,
        Self::Overrides,
        Self::Task,
        Self::Event,
        Self::Request,
        Self::Shard,
    ];

    /// Returns the fuzz target to which it belongs.
    #[must_use]
    pub fn target(self) -> Target {
        match self {
            Self::Photograph => Target::Pictures,
            Self::PaletteLabel | Self::IdLabel | Self::TrainIdLabel | Self::ColourLabel => {
                Target::Labels
            }
            Self::Reference | Self::Noise => Target::Arrays,
            Self::Model | Self::Features | Self::Perceptual => Target::Contracts,
            Self::RunRecord | Self::Plan | Self::Decision | Self::Tally | Self::FailedAttempt => {
                Target::Records
            }
            Self::RunSettings | Self::WorkerSettings | Self::Overrides => Target::Settings,
            Self::Task | Self::Event | Self::Request => Target::Messages,
            Self::Shard => Target::Shards,
        }
    }
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was read, with these warnings.
    Read(Vec<WarningKind>, String),
    /// It was refused, with this message.
    Refused(String),
}

fn refused(error: &(dyn std::error::Error + 'static)) -> Outcome {
    Outcome::Refused(chain(error))
}

fn outcome<T, E: std::error::Error + 'static>(result: Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Read(Vec::new(), String::new()),
        Err(error) => refused(&error),
    }
}

/// Reads bytes and returns what became of them.
#[must_use]
pub fn read(reads: Reads, bytes: &[u8]) -> Outcome {
    match reads {
        Reads::Photograph => pair(bytes, &scene::label_png(), LabelKind::PaletteIds),
        Reads::PaletteLabel => label(bytes, LabelKind::PaletteIds),
        Reads::IdLabel => label(bytes, LabelKind::LabelIds),
        Reads::TrainIdLabel => label(bytes, LabelKind::TrainIds),
        Reads::ColourLabel => label(bytes, LabelKind::Colour),
        Reads::Reference => outcome(ReferenceStatistics::read(bytes)),
        Reads::Noise => noise(bytes),
        Reads::Model => model(bytes),
        Reads::Features => network(bytes, FEATURES_FILE),
        Reads::Perceptual => {
            let lpips = ItemMetric::Lpips.network().unwrap();
            network(bytes, lpips.contract)
        }
        Reads::RunRecord => run_record(bytes),
        Reads::Plan => plan(bytes),
        Reads::Decision => decision(bytes),
        Reads::Tally => outcome(wait(async {
            let storage = MemoryStorage::new();
            put(&storage, &ArtifactKey::Tally(run_id()), bytes).await;
            tally::Tally::stored(&storage, &run_id()).await
        })),
        Reads::FailedAttempt => failed_attempt(bytes),
        Reads::RunSettings => settings(bytes, RunConfig::load),
        Reads::WorkerSettings => settings(bytes, WorkerConfig::load),
        Reads::Overrides => overrides(bytes),
        Reads::Task => outcome(ShardTask::from_payload(bytes)),
        Reads::Event => outcome(serde_json::from_slice::<Event>(bytes)),
        Reads::Request => outcome(serde_json::from_slice::<ControlRequest>(bytes)),
        Reads::Shard => outcome(manifest::read_with_features(Bytes::copy_from_slice(bytes))),
    }
}

/// Reads bytes as each record of a run that storage holds, and goes on with what comes out.
pub fn stored(bytes: &[u8]) {
    for reads in Reads::ALL {
        if reads.target() == Target::Records {
            drop(read(reads, bytes));
        }
    }
}

fn named<'a>(name: &'a str, bytes: &'a [u8]) -> NamedBytes<'a> {
    NamedBytes { name, bytes }
}

fn pair(image: &[u8], label: &[u8], kind: LabelKind) -> Outcome {
    let image = named("images/00001.png", image);
    prepared(prepare(image, Some(promised(label, kind)), SIZE))
}

/// Returns a label whose name promises something.
fn promised(bytes: &[u8], kind: LabelKind) -> LabelFile<'_> {
    LabelFile {
        file: named("labels/00001.png", bytes),
        reading: LabelReading::promised(kind),
    }
}

fn label(bytes: &[u8], kind: LabelKind) -> Outcome {
    let counts = imaging::count_classes(promised(bytes, kind));
    let outcome = pair(&scene::photograph_png(), bytes, kind);
    if let (Outcome::Read(..), Err(error)) = (&outcome, counts) {
        panic!("what can be prepared cannot be counted: {}", chain(&error));
    }
    outcome
}

fn prepared(result: Result<imaging::Prepared, InputError>) -> Outcome {
    match result {
        Ok(prepared) => {
            let kinds = prepared
                .warnings
                .iter()
                .map(|warning| warning.kind)
                .collect();
            let texts = prepared.warnings.iter().map(ToString::to_string);
            Outcome::Read(kinds, texts.collect::<Vec<_>>().join("; "))
        }
        Err(error) => refused(&error),
    }
}

/// Steps of the noise.
const STEPS: usize = 2;

fn noise(bytes: &[u8]) -> Outcome {
    let values = STEPS * 4 * SIZE.latent_height * SIZE.latent_width;
    let mut npz = match NpzFile::open(Cursor::new(bytes), (8 * values + (1 << 16)) as u64) {
        Ok(npz) => npz,
        Err(error) => return refused(&error),
    };
    let content: Result<Array4<f32>, _> = npz.by_name("content");
    let style: Result<Array4<f32>, _> = npz.by_name("style");
    outcome(content.and(style))
}

fn model(bytes: &[u8]) -> Outcome {
    let contract = ModelContract::from_json(bytes, PathBuf::from("model"));
    if let Ok(contract) = &contract {
        let _ = (contract.image_size(), contract.num_bytes());
        let schedule = Schedule::new(&engine::conversion::schedule_constants(contract), 50, 30);
        if let Err(error) = schedule {
            return refused(&error);
        }
    }
    outcome(contract)
}

fn network(bytes: &[u8], file: &str) -> Outcome {
    outcome(NetworkContract::from_json(
        bytes,
        PathBuf::from("network").join(file),
    ))
}

/// Writes bytes into a settings file and loads it.
fn settings<T, E: std::error::Error + 'static>(
    bytes: &[u8],
    load: impl Fn(&std::path::Path) -> Result<T, E>,
) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, bytes).unwrap();
    outcome(load(&path))
}

fn overrides(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    let arguments: Vec<String> = text.lines().map(str::to_owned).collect();
    let raw = RawMethod::default().with_overrides(&arguments);
    let config = raw.and_then(MethodConfig::try_from);
    if let Ok(config) = &config {
        // What is frozen comes back as it was.
        let json = serde_json::to_string(config).unwrap();
        assert_eq!(
            &serde_json::from_str::<MethodConfig>(&json).unwrap(),
            config
        );
        for step in 0..config.num_executed() {
            std::hint::black_box(config.injected_steps.contains(step));
        }
    }
    outcome(config)
}

/// The run that records belong to.
const RUN: &str = "small";

fn run_id() -> RunId {
    RUN.parse().unwrap()
}

/// Returns a run of three contents and two styles in shards of two and one.
#[must_use]
pub fn run() -> freeze::FrozenRun {
    let contents = ["00001", "00002", "00003"].map(str::to_owned);
    let styles = ["fog", "night"].map(str::to_owned);
    let size = ShardSize {
        contents: 2,
        styles: 1,
    };
    planned::run(RUN, &contents, &styles, size)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

async fn put(storage: &MemoryStorage, key: &ArtifactKey, bytes: &[u8]) {
    storage
        .replace(key, Bytes::copy_from_slice(bytes))
        .await
        .unwrap();
}

fn run_record(bytes: &[u8]) -> Outcome {
    outcome(wait(async {
        let storage = MemoryStorage::new();
        put(&storage, &ArtifactKey::RunRecord(run_id()), bytes).await;
        let record = freeze::open_record(&storage, &run_id()).await?;
        let _ = record.differences(&run().record.frozen);
        Ok::<_, freeze::FreezeError>(())
    }))
}

fn plan(bytes: &[u8]) -> Outcome {
    outcome(wait(async {
        let storage = MemoryStorage::new();
        let mut record = run().record;
        record.frozen.plan_sha256 = digest::sha256(bytes);
        record.plan_hash = digest::sha256_of_json(&record.frozen);
        put(
            &storage,
            &ArtifactKey::Plan(run_id(), record.frozen.plan_sha256.clone()),
            bytes,
        )
        .await;
        let record = serde_json::to_vec(&record).unwrap();
        put(&storage, &ArtifactKey::RunRecord(run_id()), &record).await;
        let opened = freeze::open(&storage, &run_id()).await?;
        let plan = &opened.plan;
        let items = plan
            .shards
            .iter()
            .flat_map(|shard| shard.items().take(1000));
        for item in items {
            std::hint::black_box(plan.item(item));
        }
        let tasks = plan.shards.iter().map(|shard| plan.task(&run_id(), shard));
        std::hint::black_box(plan.num_items());
        for task in tasks {
            std::hint::black_box(task);
        }
        Ok::<_, freeze::FreezeError>(())
    }))
}

fn decision(bytes: &[u8]) -> Outcome {
    outcome(wait(async {
        let storage = MemoryStorage::new();
        put(&storage, &ArtifactKey::Decision(run_id(), 1), bytes).await;
        let decisions = Decisions::read(&storage, &run_id()).await?;
        decisions.check(&storage, &run_id(), &run().plan).await?;
        let shards: Vec<ShardId> = decisions.reopened.keys().copied().collect();
        let ledger = ledger::Ledger {
            decisions,
            ..ledger::Ledger::default()
        };
        for shard in shards {
            std::hint::black_box((ledger.first_attempt(shard), ledger.state(shard, 3)));
        }
        Ok::<_, shared::decision::DecisionError>(())
    }))
}

fn failed_attempt(bytes: &[u8]) -> Outcome {
    let read = wait(async {
        let storage = MemoryStorage::new();
        put(
            &storage,
            &ArtifactKey::FailedAttempt(run_id(), ShardId(0), 1),
            bytes,
        )
        .await;
        ledger::failed_attempt(&storage, &run_id(), ShardId(0), 1).await
    });
    match read {
        Ok(attempt) => Outcome::Read(Vec::new(), attempt.error),
        Err(error) => refused(&error),
    }
}
