//! `synth2real run`: plan and convert in this process.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use shared::artifact::ArtifactKey;
use shared::console;
use shared::failure::chain;
use shared::queue::InProcessQueue;
use shared::run_record::RunRecord;
use shared::settings::RunConfig;
use shared::shutdown;
use shared::storage::Storage;
use shared::wording::first_names;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use worker::attempt::Progress;
use worker::workshop::{EngineWorkshop, Workshop};

use super::dashboard::{self, AccessArgs, Beside, Watch};
use super::{ConfigArgs, Ending, Problem, opening};
use crate::collector::Duty;
use crate::embedded::{EmbeddedRun, Stopped};
use crate::freeze::{self, FrozenRun};
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::progress::RunProgress;
use crate::report::{self, RunReport, text};
use crate::resume::{self, Choice};
use crate::tally::{self, Counts};
use crate::{collect, contact_sheet};

/// What a run in this process may keep on disk of a bucket.
const CACHE_MAX_BYTES: u64 = 50 << 30;
/// Between two looks of the dashboard at the run in this process.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    settings: ConfigArgs,
    /// Show the run in a browser while it lasts; `synth2real serve` shows it afterwards
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = dashboard::ADDRESS
    )]
    dashboard: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
}

pub(super) async fn main(args: RunArgs) -> Result<Ending, Problem> {
    let config = RunConfig::load_to_compute(&args.settings.config).map_err(Problem::usage)?;
    let listening = match &args.dashboard {
        Some(address) => Some(dashboard::listen(address, &args.access).await?),
        None => None,
    };
    let inventory = opening::inventory(&config).await?;
    opening::warn_of_left_out(&inventory);
    let storage = opening::storage_to_compute(&config, &inventory).await?;
    freeze::check(storage.as_ref(), &config, &inventory.frozen)
        .await
        .map_err(opening::freeze_problem)?;
    opening::warn_of_references(&config, &inventory).await;

    let ledger = opening::ledger(storage.as_ref(), &config.run).await?;
    let shards = &inventory.plan.shards;
    let pending = shards
        .iter()
        .any(|shard| !ledger.committed.contains(&shard.id));
    // How often a shard is tried is counted by its recorded attempts alone.
    let queue = InProcessQueue::with_delivery_limit(u64::MAX);
    let _beside = listening.map(|listening| {
        console::tell(format_args!("dashboard: {}", listening.address));
        let watch = Watch {
            storage: Arc::clone(&storage),
            queue: Some(Arc::new(queue.clone())),
            root: config.root.to_string(),
            duty: Duty::Look,
            every: LOOK_EVERY,
            stop: CancellationToken::new(),
        };
        Beside::start(watch, listening)
    });
    let stopped = if pending {
        convert(&config, &inventory, &storage, ledger, queue).await?
    } else {
        Stopped::AtItsEnd
    };
    conclude(&config, inventory, storage.as_ref(), stopped).await
}

/// Makes what is missing.
async fn convert(
    config: &RunConfig,
    inventory: &Inventory,
    storage: &Arc<dyn Storage>,
    ledger: Ledger,
    queue: InProcessQueue,
) -> Result<Stopped, Problem> {
    let workshop = Arc::new(EngineWorkshop::new(config.engine.clone(), CACHE_MAX_BYTES));
    // A run is frozen once nothing stands in its way, so that a refused one leaves nothing behind.
    let mut record = RunRecord::new(config, inventory.frozen.clone(), jiff::Timestamp::now());
    workshop
        .tools(&record)
        .await
        .map_err(Problem::environment)?;
    let frozen = freeze::open_or_create(storage.as_ref(), config, inventory).await;
    // The settings at hand say where the inputs are and when to give up, also of a run that was started elsewhere.
    record.created_at = frozen.map_err(opening::freeze_problem)?.created_at;
    let run = FrozenRun {
        record,
        plan: inventory.plan.clone(),
    };
    let ledger = take_up(storage.as_ref(), &run, ledger).await?;
    let before = tally::count(storage.as_ref(), &run, &ledger)
        .await
        .map_err(Problem::environment)?;
    let progress = progress(config, &run, &ledger, &before);
    let embedded = EmbeddedRun {
        run: &run,
        storage: Arc::clone(storage),
        queue,
        workshop,
        limits: config.limits,
        progress: Arc::clone(&progress) as Arc<dyn Progress>,
        drain: shutdown::on_signal("finishing the image in hand"),
    };
    let span = tracing::info_span!("convert", run = %config.run);
    let stopped = embedded.go().instrument(span).await;
    progress.finish();
    stopped.map_err(|error| {
        let stored = storage.locate(&ArtifactKey::RunRecord(config.run.clone()));
        Problem::Environment(format!(
            "{}; what is stored beside {stored} is kept: run again to go on",
            chain(&error)
        ))
    })
}

/// Running again tries what failed anew, and takes up a run that was halted.
async fn take_up(
    storage: &dyn Storage,
    run: &FrozenRun,
    mut ledger: Ledger,
) -> Result<Ledger, Problem> {
    if ledger.decisions.halted.is_none() && ledger.failed_attempts.is_empty() {
        return Ok(ledger);
    }
    let redo = resume::find(storage, run, &ledger, &Choice::default())
        .await
        .map_err(Problem::environment)?;
    resume::decide(storage, run, &mut ledger, &redo)
        .await
        .map_err(Problem::environment)?;
    Ok(ledger)
}

/// Returns progress of what is missing.
fn progress(
    config: &RunConfig,
    run: &FrozenRun,
    ledger: &Ledger,
    before: &Counts,
) -> Arc<RunProgress> {
    let pending = run
        .plan
        .shards
        .iter()
        .filter(|shard| !ledger.committed.contains(&shard.id));
    let styles: BTreeSet<usize> = pending
        .flat_map(|shard| shard.styles.iter().copied())
        .collect();
    Arc::new(RunProgress::new(
        run.plan.num_items(),
        before.done + before.quarantined,
        styles.len(),
        config.method.num_executed(),
    ))
}

/// Stores the manifest and the contact sheet, and tells a person how it ended.
async fn conclude(
    config: &RunConfig,
    inventory: Inventory,
    storage: &dyn Storage,
    stopped: Stopped,
) -> Result<Ending, Problem> {
    let run = FrozenRun {
        record: RunRecord::new(config, inventory.frozen, jiff::Timestamp::now()),
        plan: inventory.plan,
    };
    let ledger = opening::ledger(storage, &config.run).await?;
    collect::store_tally(storage, &run, &ledger)
        .await
        .map_err(Problem::environment)?;
    let collected = collect::collect(storage, &run, &ledger)
        .await
        .map_err(Problem::environment)?;
    let counts = collected.counts.clone();
    let report = match stopped {
        Stopped::AtItsEnd | Stopped::AtItsLimit => {
            let report = report::publish(storage, &run, collected).await;
            Some(report.map_err(Problem::environment)?)
        }
        // Whoever interrupts a run does not want to wait for figures; `report` makes them of what is there.
        Stopped::OnRequest | Stopped::Halted => None,
    };
    let sheet = contact_sheet::make(storage, &run).await;
    tell(config, &run, storage, &counts, sheet, stopped);
    if let Some(report) = &report {
        tell_quality(report);
    }
    Ok(match stopped {
        Stopped::OnRequest | Stopped::Halted => Ending::Interrupted,
        Stopped::AtItsLimit => Ending::WithFailures,
        Stopped::AtItsEnd if counts.not_done() > 0 => Ending::WithFailures,
        Stopped::AtItsEnd => Ending::Done,
    })
}

fn tell(
    config: &RunConfig,
    run: &FrozenRun,
    storage: &dyn Storage,
    counts: &Counts,
    sheet: Option<String>,
    stopped: Stopped,
) {
    let manifest = storage.locate(&ArtifactKey::Manifest(config.run.clone()));
    let folder = Path::new(&manifest)
        .parent()
        .unwrap_or(Path::new(""))
        .display()
        .to_string();
    let planned = run.plan.num_items();
    for line in tally::reason_lines(&counts.reasons) {
        console::tell(line);
    }
    match stopped {
        Stopped::AtItsEnd => {}
        Stopped::OnRequest => {
            console::tell("stopped on request; run the same command again to go on")
        }
        Stopped::Halted => {
            console::tell(
                "stopped: the run was cancelled; run the same command again to take it up",
            );
        }
        Stopped::AtItsLimit => console::tell(format_args!(
            "stopped: {} of {planned} items are quarantined or failed, more than limits.max_failed ({}); \
             raise the limit and run again to go on, or mend the inputs and give the run another run.name",
            counts.not_done(),
            config.limits.max_failed
        )),
    }
    let sheet = sheet
        .map(|path| format!(", contact sheet {path}"))
        .unwrap_or_default();
    console::tell(format_args!(
        "{} of {planned} images done: images {folder}/images, labels {folder}/labels, manifest {manifest}{sheet}",
        counts.done
    ));
}

/// Figures that were asked for, with what they must be read with; the rest is in `report`.
fn tell_quality(report: &RunReport) {
    let figures = report
        .styles
        .iter()
        .filter(|style| style.fid.is_some())
        .map(|style| {
            let fid = text::number(style.fid, 2);
            format!("{} {fid} (N {})", style.style, style.items)
        });
    let figures: Vec<String> = figures.collect();
    let Some(network) = report.extractor.as_ref().filter(|_| !figures.is_empty()) else {
        return;
    };
    let caution = text::caution(network).map_or_else(String::new, |caution| format!(", {caution}"));
    console::tell(format_args!(
        "FID {}; features of {}{caution}; references and more: synth2real report {}",
        first_names(figures),
        text::name_of_network(network),
        report.run
    ));
}
