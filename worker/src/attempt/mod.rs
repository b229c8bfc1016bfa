//! One try at a shard, from its inputs to its commit.
//!
//! Labels and images are stored as they are made; the shard's manifest rows are stored last, and their presence is the
//! commit. A later try finds what is stored and makes only what is missing.
//!
//! - `goal`: what is to be made; `ports`: what it is made with
//! - `inputs`: files out of datasets; `waiting`: for those that are away
//! - `content`: the items of one content. `class_maps` gives styles without labels theirs; `stored` finds what is there;
//!   `styles`, `converting` and `evaluating` make the rest
//! - `artifacts`, `making`, `rows`: what is stored of an item, noted of it and said of it
//! - `commit`: the end of a shard; `repair`: what is made again for one that is committed
//! - `error`: why an attempt fails

mod artifacts;
mod class_maps;
mod commit;
mod content;
mod converting;
mod error;
mod evaluating;
mod goal;
mod inputs;
mod making;
mod ports;
mod repair;
mod rows;
mod stored;
mod styles;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::conversion::trial::Trial;
pub use error::AttemptError;
pub use goal::Goal;
pub use inputs::Datasets;
pub use ports::{
    ClassMapper, ConversionBackend, ConvertedBatch, ConvertedOutput, Evaluator, InputKind, Inputs,
    LoadedInput, Progress, Quarantine, Stage, Unusable,
};
use shared::artifact::ArtifactKey;
use shared::clock::Clock;
use shared::ids::RunId;
use shared::making::ContentDigests;
use shared::manifest::ManifestRow;
use shared::plan::ShardInputs;
use shared::platform::Platform;
use shared::queue::message::ShardTask;
use shared::storage::Storage;

use self::repair::Expected;
use self::rows::RowMaker;
use shared::model::ImageSize;

/// What attempts at the shards of a run need.
#[derive(Clone)]
pub struct RunContext {
    /// Where inputs come from.
    pub inputs: Arc<dyn Inputs>,
    /// What makes outputs.
    pub backend: Arc<dyn ConversionBackend>,
    /// What evaluates them.
    pub evaluator: Arc<dyn Evaluator>,
    /// What makes class maps of styles without labels, if the run has such.
    pub class_maps: Option<Arc<dyn ClassMapper>>,
    /// The sizes of images.
    pub size: ImageSize,
    /// What the backend computes with; unknown of a method without a model.
    pub platform: Platform,
    /// What the trial of the backend's GPU has found.
    pub trial: Option<Trial>,
}

/// What every row says about the run and this process.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Name of the worker.
    pub worker: String,
    /// Device it computes on.
    pub device: String,
    /// What it computes with.
    pub platform: Platform,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the method's settings.
    pub config_hash: String,
    /// SHA-256 of the model's contract; empty where the method has none.
    pub model_sha256: String,
    /// SHA-256 of all that the run is planned with.
    pub plan_hash: String,
}

/// One try at a shard.
pub struct Attempt<'a> {
    /// The shard.
    pub task: &'a ShardTask,
    /// Its contents and styles, as the run's plan and decisions have them.
    pub planned: &'a ShardInputs,
    /// What of it is to be made.
    pub goal: &'a Goal,
    /// What committed rows of the run say of its contents, by their names: they must still be those.
    pub known: &'a BTreeMap<String, ContentDigests>,
    /// Number of this try, from 1.
    pub number: u32,
    /// How long an input that is away is waited for.
    pub patience: Duration,
    /// Where artifacts go.
    pub storage: &'a dyn Storage,
    /// What the run needs.
    pub context: &'a RunContext,
    /// What every row says.
    pub provenance: &'a Provenance,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
    /// What tells the times of its rows.
    pub clock: &'a dyn Clock,
    /// Set to finish the item in hand and stop.
    pub stop: &'a AtomicBool,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum ShardOutcome {
    /// The shard, or a revision of it, is committed with these rows.
    Committed(Vec<ManifestRow>),
    /// It was told to stop; what is stored is kept.
    Stopped,
}

impl Attempt<'_> {
    /// Makes the shard.
    ///
    /// # Errors
    ///
    /// [`AttemptError`]; its class says what it leads to. Bad inputs are no errors: they are rows.
    pub async fn make(&self) -> Result<ShardOutcome, AttemptError> {
        match self.make_all().await {
            Err(AttemptError::ToldToStop) => Ok(ShardOutcome::Stopped),
            ended => ended,
        }
    }

    async fn make_all(&self) -> Result<ShardOutcome, AttemptError> {
        let expected = match self.goal {
            Goal::Repair { rows } => Some(Expected::of(rows)),
            Goal::Shard | Goal::Revision { .. } => None,
        };
        let mut rows = RowMaker::new(self, expected, self.noted().await?);
        for content in &self.planned.contents {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(ShardOutcome::Stopped);
            }
            self.make_items(content, &mut rows).await?;
        }
        let rows = rows.finish();
        match self.goal {
            Goal::Shard => {
                let key = ArtifactKey::Shard(self.run().clone(), self.task.shard);
                self.commit(key, rows).await
            }
            Goal::Revision { number, done, .. } => {
                let key = ArtifactKey::ShardRevision(self.run().clone(), self.task.shard, *number);
                self.commit(key, [rows, done.clone()].concat()).await
            }
            Goal::Repair { rows: committed } => repair::outcome(rows, committed.clone()),
        }
    }

    fn run(&self) -> &RunId {
        &self.task.run
    }
}
