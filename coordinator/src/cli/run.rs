//! `synth2real run`: plan and convert in this process.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::chain;
use shared::settings::RunConfig;
use shared::storage::{LocalStorage, Storage};
use worker::attempt::{Progress, Provenance, Worker};
use worker::conversion::Converter;
use worker::engine::Engine;
use worker::engine_thread::EngineThread;

use super::{ConfigArgs, Ending, Problem, short};
use crate::collect::{self, Summary};
use crate::contact_sheet::{self, InputRoots};
use crate::embedded::{EmbeddedRun, Stopped};
use crate::freeze;
use crate::inventory::{Inventory, InventoryError};
use crate::ledger::Ledger;
use crate::progress::RunProgress;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    settings: ConfigArgs,
}

pub(super) async fn main(args: RunArgs) -> Result<Ending, Problem> {
    let config = RunConfig::load(&args.settings.config).map_err(Problem::usage)?;
    let inventory = take_inventory(&config)?;
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(&config.root));
    storage
        .check_writable()
        .await
        .map_err(Problem::environment)?;
    check_space(&config.root, &inventory)?;
    freeze::check(storage.as_ref(), &config, &inventory.frozen)
        .await
        .map_err(open_problem)?;

    let ledger = Ledger::read(storage.as_ref(), &config.run)
        .await
        .map_err(Problem::environment)?;
    let before = collect::committed_rows(storage.as_ref(), &config.run, &ledger)
        .await
        .map_err(Problem::environment)?;
    let before = Summary::of(&before);
    let pending = inventory
        .plan
        .shards
        .iter()
        .any(|shard| !ledger.committed.contains(&shard.id));
    let stopped = if pending {
        // A run is frozen once nothing stands in its way, so that a refused one leaves nothing behind.
        let engine = EngineThread::start(load_engine(&config))
            .await
            .map_err(Problem::environment)?;
        freeze::open_or_create(storage.as_ref(), &config, &inventory.frozen)
            .await
            .map_err(open_problem)?;
        convert(&config, &inventory, &storage, engine, &ledger, &before).await?
    } else {
        Stopped::AtItsEnd
    };

    let rows = collect::collect(storage.as_ref(), &config.run, &inventory)
        .await
        .map_err(Problem::environment)?;
    let roots = InputRoots {
        content: &config.content.root,
        style: &config.style.root,
    };
    let sheet = contact_sheet::make(storage.as_ref(), &config.run, &inventory, roots, &rows).await;
    let summary = Summary::of(&rows);
    tell(
        &config,
        &inventory,
        storage.as_ref(),
        &summary,
        sheet,
        stopped,
    );
    Ok(match stopped {
        Stopped::OnRequest => Ending::Interrupted,
        Stopped::AtItsLimit => Ending::WithFailures,
        Stopped::AtItsEnd if summary.not_done() > 0 => Ending::WithFailures,
        Stopped::AtItsEnd => Ending::Done,
    })
}

/// Lists and plans, with the exit code that each failure leads to.
pub(super) fn take_inventory(config: &RunConfig) -> Result<Inventory, Problem> {
    Inventory::take(config).map_err(|error: InventoryError| {
        if error.is_usage() {
            Problem::usage(error)
        } else {
            Problem::environment(error)
        }
    })
}

/// Opens the engine on its thread.
pub(super) fn load_engine(
    config: &RunConfig,
) -> impl FnOnce() -> Result<Converter, worker::engine::EngineError> + use<> {
    let config = config.clone();
    move || {
        let engine = Engine::load(&config.model, &config.engine)?;
        Converter::new(engine, &config.method, &config.engine)
    }
}

fn open_problem(error: freeze::FreezeError) -> Problem {
    match error {
        freeze::FreezeError::Different { .. } | freeze::FreezeError::Missing { .. } => {
            Problem::usage(error)
        }
        freeze::FreezeError::Malformed { .. } | freeze::FreezeError::Storage(_) => {
            Problem::environment(error)
        }
    }
}

/// Refuses a run that a full disk would stop. A photographic PNG takes up to three bytes a pixel.
fn check_space(root: &Path, inventory: &Inventory) -> Result<(), Problem> {
    let model = &inventory.contract.model;
    let needed = (inventory.plan.num_items() * model.width * model.height * 3) as u64 / 2;
    let Ok(available) = fs4::available_space(root) else {
        return Ok(());
    };
    let per_item = (model.width * model.height * 3) as u64;
    if available < per_item {
        return Err(Problem::Environment(format!(
            "{} has {available} bytes left and an image takes up to {per_item}: free some space",
            root.display()
        )));
    }
    if available < needed {
        tracing::warn!(root = %root.display(), available, needed, "the run may not fit on the disk");
    }
    Ok(())
}

async fn convert(
    config: &RunConfig,
    inventory: &Inventory,
    storage: &Arc<dyn Storage>,
    engine: EngineThread,
    ledger: &Ledger,
    before: &Summary,
) -> Result<Stopped, Problem> {
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(Arc::clone(&stop));
    let steps = config.method.num_executed();
    let pending = inventory
        .plan
        .shards
        .iter()
        .filter(|shard| !ledger.committed.contains(&shard.id));
    let styles: BTreeSet<usize> = pending
        .flat_map(|shard| shard.styles.iter().copied())
        .collect();
    let progress = Arc::new(RunProgress::new(
        inventory.plan.num_items(),
        before.done + before.not_done(),
        styles.len(),
        steps,
    ));
    let worker = Worker {
        run: config.run.clone(),
        storage: Arc::clone(storage),
        engine,
        size: inventory.contract.image_size(),
        content_root: config.content.root.clone(),
        style_root: config.style.root.clone(),
        provenance: Provenance {
            worker: format!("embedded-{}", std::process::id()),
            device: config.engine.device.clone(),
            seed: config.method.seed,
            config_hash: digest::sha256_of_json(&config.method),
            model_sha256: inventory.contract.sha256.clone(),
        },
        progress: Arc::clone(&progress) as Arc<dyn Progress>,
        stop: Arc::clone(&stop),
    };
    let run = EmbeddedRun {
        inventory,
        worker: &worker,
        limits: config.limits,
        stop,
    };
    let stopped = run.go(ledger, before.not_done()).await;
    progress.finish();
    stopped.map_err(|error| {
        let stored = storage.locate(&ArtifactKey::RunRecord(config.run.clone()));
        Problem::Environment(format!(
            "{}; what is stored beside {stored} is kept: run again to go on",
            chain(&error)
        ))
    })
}

/// The first signal finishes the item in hand, the second leaves at once.
fn stop_on_signal(stop: Arc<AtomicBool>) {
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            tracing::warn!("finishing the image in hand; once more to leave at once");
        }
    });
}

#[expect(clippy::print_stdout, reason = "this is the command line")]
fn tell(
    config: &RunConfig,
    inventory: &Inventory,
    storage: &dyn Storage,
    summary: &Summary,
    sheet: Option<String>,
    stopped: Stopped,
) {
    let manifest = short(storage.locate(&ArtifactKey::Manifest(config.run.clone())));
    let folder = Path::new(&manifest)
        .parent()
        .unwrap_or(Path::new(""))
        .display()
        .to_string();
    let planned = inventory.plan.num_items();
    for (reason, count) in &summary.reasons {
        println!("not converted ({count}): {reason}");
    }
    match stopped {
        Stopped::AtItsEnd => {}
        Stopped::OnRequest => println!("stopped on request; run the same command again to go on"),
        Stopped::AtItsLimit => println!(
            "stopped: {} of {planned} items are quarantined or failed, more than limits.max_failed ({}); \
             raise the limit and run again to go on, or mend the inputs and give the run another run.name",
            summary.not_done(),
            config.limits.max_failed
        ),
    }
    let sheet = sheet
        .map(|path| format!(", contact sheet {}", short(path)))
        .unwrap_or_default();
    println!(
        "{} of {planned} images done: images {folder}/images, labels {folder}/labels, manifest {manifest}{sheet}",
        summary.done
    );
}
