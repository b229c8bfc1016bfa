//! `synth2real probe`: what a run needs is there, and how long it will take.

use std::time::{Duration, Instant};

use clap::Args;
use engine::Engine;
use engine::conversion::{Converter, Source};
use imaging::{LabelNeed, Prepared, encode_png, load};
use shared::console;
use shared::dataset::listing::Listing;
use shared::item_metric::ItemMetric;
use shared::location::Location;
use shared::run_record::RunRecord;
use shared::settings::{RunConfig, StepSet};
use shared::source;
use shared::warning::ItemWarning;
use worker::quality::{Networks, Output};
use worker::workshop::networks;

use super::{CliError, ConfigArgs, Outcome, setup};
use crate::run::inventory::Inventory;
use shared::wording::human;

/// Steps that are timed.
const PROBED_STEPS: usize = 3;

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    settings: ConfigArgs,
}

struct Timing {
    evaluation: Duration,
    share_in_unet: f64,
    per_item: Duration,
    judging: Duration,
    /// What a person should know about the output.
    warnings: Vec<ItemWarning>,
}

pub(super) async fn main(args: ProbeArgs) -> Result<Outcome, CliError> {
    let config = RunConfig::load_to_compute(&args.settings.config).map_err(CliError::usage)?;
    let inventory = setup::inventory(&config).await?;
    let plan = &inventory.plan;
    let (contents, styles) = (plan.contents.len(), plan.styles.len());
    let (items, shards) = (inventory.plan.num_items(), inventory.plan.shards.len());
    console::print(format_args!(
        "dataset  {contents} contents, {styles} styles, {items} items in {shards} shards"
    ))?;
    for line in &inventory.left_out {
        console::print(format_args!("         {line}"))?;
    }
    if let Some(idle) = config.method.idle() {
        console::print(format_args!("method   {idle}"))?;
    }
    setup::storage_to_compute(&config, &inventory).await?;
    console::print(format_args!("storage  {} can be written", config.root))?;
    if config.broker.is_some() {
        let queue = setup::broker(config.broker.as_ref()).await?.work;
        queue.probe().await.map_err(CliError::environment)?;
        let depth = queue.depth().await.map_err(CliError::environment)?;
        console::print(format_args!(
            "broker   {}: {} shards wait, {} workers",
            queue.locate(),
            depth.ready,
            depth.consumers
        ))?;
    }

    let started = Instant::now();
    let model = source::open(&config.model)
        .await
        .map_err(CliError::environment)?;
    let model = source::local_folder(
        &config.model,
        model.as_ref(),
        shared::model::FILE,
        &config.engine.cache_dir,
    )
    .await
    .map_err(CliError::environment)?;
    let engine = Engine::load(&model, &config.engine).map_err(CliError::environment)?;
    let model = &inventory.contract.model;
    console::print(format_args!(
        "model    {} at {}x{}, {} injected layers, digests right, loaded in {}",
        model.source.name,
        model.width,
        model.height,
        engine.unet.layers().count(),
        human(started.elapsed())
    ))?;
    let record = RunRecord::new(&config, inventory.frozen.clone(), jiff::Timestamp::now());
    let networks = networks::load(&record, &config.engine).await;
    let networks = networks.map_err(CliError::environment)?;
    let judges = names(&networks);
    let timing = time(&config, &inventory, engine, networks).await?;
    console::print(format_args!(
        "device   {}: {:.3} s a UNet evaluation, {:.1} % of denoising is in the UNet",
        config.engine.device,
        timing.evaluation.as_secs_f64(),
        100.0 * timing.share_in_unet
    ))?;

    console::print(format_args!(
        "judges   {judges}: {:.3} s an output",
        timing.judging.as_secs_f64()
    ))?;
    for warning in &timing.warnings {
        console::print(format_args!("         {warning}"))?;
    }
    for problem in setup::references(&record).await? {
        console::print(format_args!("         {problem}"))?;
    }

    let evaluations = planned_evaluations(&config, &inventory);
    let per_item = timing.per_item + timing.judging;
    let total = timing.evaluation.mul_f64(evaluations as f64) + per_item.mul_f64(items as f64);
    console::print(format_args!(
        "work     {evaluations} UNet evaluations, {:.2} device-hours",
        total.as_secs_f64() / 3600.0
    ))?;
    console::print(format_args!("ETA      {} on one such device", human(total)))?;
    Ok(Outcome::Done)
}

/// Returns what judges outputs.
fn names(networks: &Networks) -> String {
    let of_pixels = ItemMetric::ALL
        .into_iter()
        .filter(|metric| metric.network().is_none());
    let mut names: Vec<&str> = of_pixels.map(ItemMetric::title).collect();
    let extractor = networks.extractor.iter().map(|network| &network.contract);
    let perceptual = networks.perceptual.iter();
    let perceptual = perceptual.filter_map(|(_, network)| Some(&network.as_ref()?.contract));
    let contracts = extractor.chain(perceptual);
    names.extend(contracts.map(|contract| contract.network.name.as_str()));
    names.join(", ")
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

/// Converts the first pair that can be read with a schedule of a few steps, all injected.
async fn time(
    config: &RunConfig,
    inventory: &Inventory,
    engine: Engine,
    mut networks: Networks,
) -> Result<Timing, CliError> {
    let mut method = config.method.clone();
    method.skip = method.steps.saturating_sub(PROBED_STEPS);
    method.injected_steps = StepSet::all();
    let mut converter =
        Converter::new(engine, &method, &config.engine).map_err(CliError::environment)?;
    let contents = (inventory.plan.contents.as_slice(), LabelNeed::Required);
    let content = first_usable(&config.content.root, contents, &converter).await?;
    let styles = (inventory.plan.styles.as_slice(), LabelNeed::Optional);
    let style = first_usable(&config.style.root, styles, &converter).await?;
    let noise = converter.style_noise("probe");
    converter
        .record_style(
            &Source {
                name: "probe",
                file: "probe",
                prepared: &style,
                noise: &noise,
            },
            &mut (),
        )
        .map_err(CliError::environment)?;
    let noise = converter.content_noise("probe");
    let source = Source {
        name: "probe",
        file: "probe",
        prepared: &content,
        noise: &noise,
    };
    let converted = converter
        .convert(&source, &["probe"], &mut ())
        .map_err(CliError::environment)?;
    let Some(image) = converted.images.into_iter().next() else {
        return Err(CliError::Environment(
            "the model made no output for a style".to_owned(),
        ));
    };
    let image = image.map_err(CliError::environment)?;
    let output = encode_png(image.view()).map_err(CliError::environment)?;
    let started = Instant::now();
    let judged = networks
        .judge(Output {
            content_name: "probe",
            content: &content,
            png: &output,
        })
        .map_err(CliError::environment)?;
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

async fn first_usable(
    root: &Location,
    (listings, need): (&[Listing], LabelNeed),
    converter: &Converter,
) -> Result<Prepared, CliError> {
    let source = source::open(root).await.map_err(CliError::environment)?;
    let mut reason = "there is none".to_owned();
    for listing in listings {
        match load(source.as_ref(), listing, need, converter.size()).await {
            Ok(loaded) => return Ok(loaded.prepared),
            Err(error) => reason = shared::failure::chain(&error),
        }
    }
    Err(CliError::Usage(format!(
        "no image below {root} can be used: {reason}"
    )))
}
