//! `synth2real probe`: what a run needs is there, and how long it will take.
//!
//! Each check returns what it found, and [`main`] prints that. The model is loaded, and its steps are timed, by what a worker
//! works with.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use shared::clock::{Clock, SystemClock};
use shared::console::{self, PrintError};
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::item_metric::ItemMetric;
use shared::location::Location;
use shared::model::Model;
use shared::network::{FEATURES_FILE, NetworkContract, SEGMENTER_FILE};
use shared::queue::Depth;
use shared::run_record::{Frozen, RunRecord};
use shared::settings::{QualityConfig, RunConfig, StepSet, defaults};
use shared::warning::ItemWarning;
use shared::wording::human;
use worker::attempt::{AttemptError, InputKind, LoadedInput, Progress, RunContext, Unusable};
use worker::run_context::{EngineContextProvider, RunContextProvider};

use super::setup::{self, Preparation};
use super::{CliError, ConfigArgs, Outcome, compute};
use crate::run::inventory::Inventory;

/// Steps that are timed.
const PROBED_STEPS: usize = 3;

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    settings: ConfigArgs,
}

pub(super) async fn main(args: ProbeArgs) -> Result<Outcome, CliError> {
    let config = RunConfig::load_to_compute(&args.settings.config).map_err(CliError::usage)?;
    let Preparation { inventory, .. } = setup::prepare(&config, print_dataset).await?;
    compute::check(&config, &inventory)?;
    print("storage", format_args!("{} can be written", config.root))?;
    if let Some(broker) = check_broker(&config).await? {
        print("broker", broker)?;
    }
    let record = probed(&config, &inventory);
    let model = load(&config, &record, &inventory).await?;
    print("model", &model)?;
    let judges = judges(&config.quality).await?.join(", ");
    let timing = time(&config, &inventory, &model.context).await?;
    print(
        "device",
        format_args!(
            "{}: {:.3} s a UNet evaluation, {:.1} % of denoising is in the UNet",
            config.engine.device,
            timing.evaluation.as_secs_f64(),
            100.0 * timing.share_in_unet
        ),
    )?;
    let judging = timing.judging.as_secs_f64();
    print("judges", format_args!("{judges}: {judging:.3} s an output"))?;
    for warning in &timing.warnings {
        print("", warning)?;
    }
    for problem in setup::references(&record).await? {
        print("", problem)?;
    }
    let evaluations = planned_evaluations(&config, &inventory);
    let total = timing.total(evaluations, inventory.plan.num_items());
    let hours = total.as_secs_f64() / 3600.0;
    print(
        "work",
        format_args!("{evaluations} UNet evaluations, {hours:.2} device-hours"),
    )?;
    print("ETA", format_args!("{} on one such device", human(total)))?;
    Ok(Outcome::Done)
}

/// Prints what was found by a check, under its name.
fn print(check: &str, found: impl Display) -> Result<(), PrintError> {
    console::print(format_args!("{check:<9}{found}"))
}

/// Prints what is planned, and what of the settings does nothing.
fn print_dataset(config: &RunConfig, inventory: &Inventory) -> Result<(), CliError> {
    let plan = &inventory.plan;
    print(
        "dataset",
        format_args!(
            "{} contents, {} styles, {} items in {} shards",
            plan.contents.len(),
            plan.styles.len(),
            plan.num_items(),
            plan.shards.len()
        ),
    )?;
    for line in &inventory.left_out {
        print("", line)?;
    }
    if let Some(idle) = config.method.idle() {
        print("method", idle)?;
    }
    Ok(())
}

/// A broker that takes and gives messages.
struct BrokerCheck {
    place: String,
    depth: Depth,
}

impl Display for BrokerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Depth {
            ready, consumers, ..
        } = self.depth;
        write!(
            f,
            "{}: {ready} shards wait, {consumers} workers",
            self.place
        )
    }
}

/// Proves that messages go through the broker; nothing if the settings name none.
async fn check_broker(config: &RunConfig) -> Result<Option<BrokerCheck>, CliError> {
    if config.broker.is_none() {
        return Ok(None);
    }
    let queue = setup::broker(config.broker.as_ref()).await?.work;
    queue.probe().await.map_err(CliError::environment)?;
    Ok(Some(BrokerCheck {
        depth: queue.depth().await.map_err(CliError::environment)?,
        place: queue.locate(),
    }))
}

/// Returns the record of a run of a few steps, all of them injected, that is otherwise the one that was asked for.
fn probed(config: &RunConfig, inventory: &Inventory) -> RunRecord {
    let mut method = config.method.clone();
    method.skip = method.steps.saturating_sub(PROBED_STEPS);
    method.injected_steps = StepSet::all();
    let frozen = Frozen {
        method,
        ..inventory.frozen.clone()
    };
    RunRecord::new(config, frozen, SystemClock.now())
}

/// A model that is loaded, with all else that attempts at a run's shards need.
struct ModelCheck<'a> {
    model: &'a Model,
    context: RunContext,
    loaded_in: Duration,
}

impl Display for ModelCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model;
        let layers = model.segments.iter();
        let num_layers = layers.filter(|segment| segment.layer.is_some()).count();
        write!(
            f,
            "{} at {}x{}, {num_layers} injected layers, digests right, loaded in {}",
            model.source.name,
            model.width,
            model.height,
            human(self.loaded_in)
        )
    }
}

/// Loads what a worker loads to work on a run.
async fn load<'a>(
    config: &RunConfig,
    record: &RunRecord,
    inventory: &'a Inventory,
) -> Result<ModelCheck<'a>, CliError> {
    let started = Instant::now();
    let provider = EngineContextProvider::new(config.engine.clone(), defaults::CACHE_MAX_BYTES);
    let context = provider.load(record, &ChangedInputs::default()).await;
    Ok(ModelCheck {
        model: &inventory.contract.model,
        context: context.map_err(CliError::environment)?,
        loaded_in: started.elapsed(),
    })
}

/// Returns the names of what judges outputs: metrics of pixels, and networks.
async fn judges(quality: &QualityConfig) -> Result<Vec<String>, CliError> {
    let mut names = Vec::new();
    let mut networks: Vec<(&Location, &str)> = Vec::new();
    networks.extend(quality.features.as_ref().map(|at| (at, FEATURES_FILE)));
    for metric in ItemMetric::ALL {
        match (metric.network(), quality.network_of(metric)) {
            (None, _) => names.push(metric.title().to_owned()),
            (Some(network), Some(at)) => networks.push((at, network.contract)),
            (Some(_), None) => {}
        }
    }
    networks.extend(quality.segmenter.as_ref().map(|at| (at, SEGMENTER_FILE)));
    for (at, file) in networks {
        let contract = NetworkContract::open(at, file).await;
        names.push(contract.map_err(CliError::environment)?.network.name);
    }
    Ok(names)
}

/// Evaluations of the whole run: each style once, and each shard's contents with its outputs.
fn planned_evaluations(config: &RunConfig, inventory: &Inventory) -> usize {
    let steps = config.method.num_executed();
    let per_shard = inventory
        .plan
        .shards
        .iter()
        .map(|shard| shard.contents.len() * (1 + shard.styles.len()));
    steps * (inventory.plan.styles.len() + per_shard.sum::<usize>())
}

/// How long the parts of a conversion take.
struct Timing {
    evaluation: Duration,
    share_in_unet: f64,
    per_item: Duration,
    judging: Duration,
    /// What a person should know about the output.
    warnings: Vec<ItemWarning>,
}

impl Timing {
    /// Returns the time of so many evaluations and items.
    fn total(&self, evaluations: usize, items: usize) -> Duration {
        let per_item = self.per_item + self.judging;
        self.evaluation.mul_f64(evaluations as f64) + per_item.mul_f64(items as f64)
    }
}

/// Converts the first pair that can be read.
async fn time(
    config: &RunConfig,
    inventory: &Inventory,
    context: &RunContext,
) -> Result<Timing, CliError> {
    let plan = &inventory.plan;
    let contents = (InputKind::Content, plan.contents.as_slice());
    let content = Arc::new(first_usable(&config.content.root, contents, context).await?);
    let styles = (InputKind::Style, plan.styles.as_slice());
    let style = first_usable(&config.style.root, styles, context).await?;
    let (style_name, progress) = (style.name.clone(), Arc::new(()) as Arc<dyn Progress>);
    let recorded = context
        .backend
        .record_style(style, Arc::clone(&progress))
        .await;
    recorded.map_err(conversion_error)?;
    let converted = context
        .backend
        .convert(Arc::clone(&content), vec![style_name], progress)
        .await
        .map_err(conversion_error)?;
    let Some(output) = converted.outputs.into_iter().next() else {
        return Err(CliError::Environment(
            "the model made no output for a style".to_owned(),
        ));
    };
    let output = output.map_err(|quarantine| CliError::Environment(quarantine.reason))?;
    let started = Instant::now();
    let judged = context
        .evaluator
        .evaluate(content, Bytes::from(output.png))
        .await;
    let judged = judged.map_err(CliError::environment)?;
    Ok(Timing {
        judging: started.elapsed(),
        warnings: judged.warnings,
        evaluation: converted
            .denoise
            .div_f64(converted.evaluations.max(1) as f64),
        share_in_unet: converted.in_unet.as_secs_f64() / converted.denoise.as_secs_f64(),
        per_item: converted.encode + converted.decode,
    })
}

/// Returns why a conversion failed, in the words of the engine if it did.
fn conversion_error(error: AttemptError) -> CliError {
    match error {
        AttemptError::Engine(error) => CliError::environment(error),
        error => CliError::environment(error),
    }
}

async fn first_usable(
    root: &Location,
    (kind, listings): (InputKind, &[DatasetEntry]),
    context: &RunContext,
) -> Result<LoadedInput, CliError> {
    let mut reason = "there is none".to_owned();
    for listing in listings {
        match context.inputs.load(kind, listing).await {
            Ok(loaded) => return Ok(loaded),
            Err(Unusable::Quarantine(quarantine)) => reason = quarantine.reason,
            Err(Unusable::Away(why)) => {
                return Err(CliError::Environment(format!(
                    "an image below {root} cannot be read just now: {why}"
                )));
            }
        }
    }
    Err(CliError::Usage(format!(
        "no image below {root} can be used: {reason}"
    )))
}
