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
use shared::storage::Storage;
use shared::warning::ItemWarning;
use shared::wording::human;
use worker::attempt::{AttemptError, InputKind, LoadedInput, Progress, RunContext, Unusable};
use worker::run_context::{EngineContextProvider, RunContextProvider};

use super::setup::{self, Preparation};
use super::{CliError, ConfigArgs, Outcome, compute};
use crate::run::cost::{DeviceHours, UnitCosts, Workload};
use crate::run::freeze::{self, FreezeError};
use crate::run::inventory::Inventory;
use crate::run::tally::{Counts, Tally};

/// Steps that are timed.
const PROBED_STEPS: usize = 3;

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    settings: ConfigArgs,
}

pub(super) async fn main(args: ProbeArgs) -> Result<Outcome, CliError> {
    let config = RunConfig::load_to_compute(&args.settings.config).map_err(CliError::usage)?;
    let Preparation { inventory, storage } = setup::prepare(&config, print_dataset).await?;
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
            "{}: a UNet evaluation takes {:.3} s of a content, {:.3} s of an output; {:.1} % of denoising is in the UNet",
            config.engine.device,
            timing.content_step.as_secs_f64(),
            timing.output_step.as_secs_f64(),
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
    let begun = Begun::find(storage.as_ref(), &config, &inventory).await?;
    let evaluations = planned_evaluations(&config, &inventory);
    let costs = timing.costs(config.method.num_executed());
    let hours = DeviceHours {
        to_come: Some(costs.hours_of(begun.left)),
        ..DeviceHours::of(&begun.counts, begun.left, config.method.num_executed())
    };
    let price = config.price.as_ref();
    print(
        "work",
        format_args!("{evaluations} UNet evaluations, {}", hours.told(price)),
    )?;
    let total = costs.time_of(begun.left).unwrap_or(Duration::MAX);
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

/// What was made of a run before, and what is left: all of it where there is no such run.
struct Begun {
    counts: Counts,
    left: Workload,
}

impl Begun {
    async fn find(
        storage: &dyn Storage,
        config: &RunConfig,
        inventory: &Inventory,
    ) -> Result<Self, CliError> {
        let nothing = Self {
            counts: Counts::default(),
            left: Workload::of_plan(&inventory.plan),
        };
        let run = match freeze::open(storage, &config.run).await {
            Ok(run) if run.record.differences(&inventory.frozen).is_empty() => run,
            // Another run, of which `run` says how it differs.
            Ok(_) | Err(FreezeError::Missing { .. }) => return Ok(nothing),
            Err(error) => return Err(setup::freeze_error(error)),
        };
        let ledger = setup::ledger(storage, &run).await?;
        let stored = Tally::stored(storage, &config.run).await;
        let mut tally = stored.map_err(CliError::environment)?;
        let updated = tally.update(storage, &run, &ledger).await;
        updated.map_err(CliError::environment)?;
        let is_damaged = |shard| tally.damaged().contains_key(&shard);
        Ok(Self {
            counts: tally.total(),
            left: Workload::left(&run, &ledger, is_damaged),
        })
    }
}

/// How long the parts of a conversion take.
struct Timing {
    /// One step of each branch.
    style_step: Duration,
    content_step: Duration,
    output_step: Duration,
    share_in_unet: f64,
    /// What a content takes beside its steps.
    load: Duration,
    encode: Duration,
    /// What an output takes beside its steps.
    decode: Duration,
    judging: Duration,
    /// What a person should know about the output.
    warnings: Vec<ItemWarning>,
}

impl Timing {
    /// Returns what a style, a content and an output take in so many steps.
    fn costs(&self, num_executed: usize) -> UnitCosts {
        let ms = |time: Duration| 1000.0 * time.as_secs_f64();
        let steps = |step: Duration| num_executed as f64 * ms(step);
        UnitCosts {
            style_ms: ms(self.encode) + steps(self.style_step),
            content_ms: ms(self.load) + ms(self.encode) + steps(self.content_step),
            output_ms: steps(self.output_step) + ms(self.decode) + ms(self.judging),
        }
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
    let started = Instant::now();
    let recorded = context
        .backend
        .record_style(style, Arc::clone(&progress))
        .await;
    let recorded_in = recorded.map_err(conversion_error)?;
    let recording = started.elapsed();
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
    let (load, started) = (content.elapsed, Instant::now());
    let judged = context
        .evaluator
        .evaluate(content, Bytes::from(output.png))
        .await;
    let judged = judged.map_err(CliError::environment)?;
    // One content and one output were evaluated at each step, and the style was encoded as the content was.
    let steps = (converted.evaluations / 2).max(1) as f64;
    let walked = recording.saturating_sub(converted.encode);
    let of_output = converted.denoise.saturating_sub(converted.in_content);
    Ok(Timing {
        judging: started.elapsed(),
        warnings: judged.warnings,
        style_step: walked.div_f64(recorded_in.max(1) as f64),
        content_step: converted.in_content.div_f64(steps),
        output_step: of_output.div_f64(steps),
        share_in_unet: converted.in_unet.as_secs_f64() / converted.denoise.as_secs_f64(),
        load,
        encode: converted.encode,
        decode: converted.decode,
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
