//! `synth2real probe`: what a run needs is there, and how long it will take.
//!
//! Each check returns what it found, and [`main`] prints that. The model is loaded, and its steps are timed, by what a worker
//! works with.
//!
//! - `timing`: how long the parts of a conversion take

mod timing;

use std::fmt::{self, Display};
use std::time::{Duration, Instant};

use clap::Args;
use shared::clock::{Clock, SystemClock};
use shared::console::{self, PrintError};
use shared::decision::ChangedInputs;
use shared::item_metric::ItemMetric;
use shared::location::Location;
use shared::model::ImageSize;
use shared::network::{FEATURES_FILE, NetworkContract, SEGMENTER_FILE};
use shared::queue::Depth;
use shared::run_record::{Frozen, RunRecord};
use shared::settings::{
    Evaluations, Method, MethodConfig, Products, QualityConfig, RunConfig, StepSet, defaults,
};
use shared::storage::Storage;
use shared::wording::{counted, human};
use worker::attempt::RunContext;
use worker::run_context::{EngineContextProvider, RunContextProvider};

use super::setup::{self, Preparation};
use super::{CliError, ConfigArgs, Outcome, compute};
use crate::run::cost::{DeviceHours, Workload};
use crate::run::freeze::{self, FreezeError};
use crate::run::inventory::{ConverterContract, Inventory};
use crate::run::tally::{Counts, Tally};

/// Steps that are timed.
const PROBED_STEPS: usize = 3;
/// What is said where nothing tells whether bytes may differ all the same.
const ENGINES_UNKNOWN: &str = "whether cuDNN's engines are deterministic is told with CUDNN_FRONTEND_LOG_INFO=1 and \
                               CUDNN_FRONTEND_LOG_FILE=FILE alone";

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
    print_trial(&model.context)?;
    let judges = judges(&config.quality).await?.join(", ");
    let probed = timing::steps(&record.frozen.method);
    let timing = timing::time(&config, &inventory, &model.context, probed).await?;
    print("device", timing.told(&config))?;
    let judging = timing.judging.as_secs_f64();
    print("judges", format_args!("{judges}: {judging:.3} s an output"))?;
    for warning in &timing.warnings {
        print("", warning)?;
    }
    for problem in setup::references(&record).await? {
        print("", problem)?;
    }
    let begun = Begun::find(storage.as_ref(), &config, &inventory).await?;
    let each = config.method.evaluations();
    let costs = timing.costs(timing::steps(&config.method));
    let hours = DeviceHours {
        to_come: Some(costs.hours_of(begun.left)),
        ..DeviceHours::of(&begun.counts, begun.left, each)
    };
    let price = config.price.as_ref();
    let hours = hours.told(price);
    let work = match &config.method {
        MethodConfig::Diffusion(_) => {
            let evaluations = planned_evaluations(each, &inventory);
            format!("{evaluations} UNet evaluations, {hours}")
        }
        MethodConfig::Baseline(_) | MethodConfig::Translator(_) => hours,
    };
    print("work", work)?;
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
            "{}, {}, {} in {}",
            counted(plan.contents.len(), "content", "contents"),
            counted(plan.styles.len(), "style", "styles"),
            counted(plan.num_items(), "item", "items"),
            counted(plan.shards.len(), "shard", "shards")
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
        write!(f, "{}: {}", self.place, self.depth)
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
    match &mut method {
        MethodConfig::Diffusion(method) => {
            method.skip = method.steps.saturating_sub(PROBED_STEPS);
            method.injected_steps = StepSet::all();
        }
        MethodConfig::Baseline(_) | MethodConfig::Translator(_) => {}
    }
    let frozen = Frozen {
        method,
        ..inventory.frozen.clone()
    };
    RunRecord::new(config, frozen, SystemClock.now())
}

/// A model or translator that is loaded, where the method has one, with all else that attempts at a run's shards need.
struct ModelCheck<'a> {
    method: Method,
    products: Products,
    contract: Option<&'a ConverterContract>,
    context: RunContext,
    loaded_in: Duration,
}

impl Display for ModelCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImageSize { width, height, .. } = self.context.size;
        let loaded = format!("digests right, loaded in {}", human(self.loaded_in));
        match self.contract {
            None => write!(f, "none: {} at {width}x{height}", self.method),
            Some(ConverterContract::Model(contract)) => {
                let model = &contract.model;
                let layers = model.segments.iter();
                let num_layers = layers.filter(|segment| segment.layer.is_some()).count();
                let name = &model.source.name;
                let products = match self.products {
                    Products::F32 => "",
                    Products::Bf16 => ", products of bf16",
                };
                write!(
                    f,
                    "{name} at {width}x{height}, {num_layers} injected layers{products}, {loaded}"
                )
            }
            Some(ConverterContract::Translator(contract)) => {
                let network = &contract.network;
                let inputs = network.graph.inputs.iter();
                let inputs: Vec<&str> = inputs.map(|input| input.name.as_str()).collect();
                let (name, inputs) = (&network.name, inputs.join(", "));
                write!(f, "{name} at {width}x{height}, takes {inputs}, {loaded}")
            }
        }
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
        method: config.method.method(),
        products: record.frozen.products,
        contract: inventory.contract.as_ref(),
        context: context.map_err(CliError::environment)?,
        loaded_in: started.elapsed(),
    })
}

/// Prints what outputs are computed with, and what the trial of a GPU has found.
fn print_trial(context: &RunContext) -> Result<(), PrintError> {
    if !context.platform.is_unknown() {
        print("platform", &context.platform)?;
    }
    let Some(trial) = &context.trial else {
        return Ok(());
    };
    for (line, deviation) in trial.deviations.iter().enumerate() {
        print(if line == 0 { "trial" } else { "" }, deviation)?;
    }
    for failure in &trial.failures {
        print("", failure)?;
    }
    if trial.failures.is_empty() {
        let seconds = trial.elapsed.as_secs_f64();
        let said = "a pass and a round trip of the VAE are finite and have the same bytes twice";
        print("", format_args!("{said}, tried out in {seconds:.1} s"))?;
    }
    if !trial.knows_engines {
        print("", ENGINES_UNKNOWN)?;
    }
    Ok(())
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

/// Returns the evaluations of the whole run: each style once, and each shard's contents with its outputs.
fn planned_evaluations(each: Evaluations, inventory: &Inventory) -> usize {
    let per_shard = inventory
        .plan
        .shards
        .iter()
        .map(|shard| shard.contents.len() * (each.content + each.output * shard.styles.len()));
    each.style * inventory.plan.styles.len() + per_shard.sum::<usize>()
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
        let tally = Tally::up_to_date(storage, &run, &ledger).await;
        let tally = tally.map_err(CliError::environment)?;
        Ok(Self {
            counts: tally.total(),
            left: Workload::left_by(&run, &ledger, &tally),
        })
    }
}
