//! `synth2real status`: how far a run is, from storage alone.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use shared::artifact::ArtifactPrefix;
use shared::ids::RunId;
use shared::settings::resolve_root;
use shared::storage::{LocalStorage, Storage};

use super::{Ending, Problem, RootArgs};
use crate::collect::{self, Summary};
use crate::freeze;
use crate::ledger::{self, Ledger};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
    /// Show it again every two seconds until the run is complete
    #[arg(long)]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Status {
    run: RunId,
    complete: bool,
    items: usize,
    done: usize,
    quarantined: usize,
    failed: usize,
    /// Images of shards that are not committed yet.
    in_progress: usize,
    shards: usize,
    shards_committed: usize,
    failed_attempts: usize,
    reasons: std::collections::BTreeMap<String, usize>,
}

pub(super) async fn main(args: StatusArgs) -> Result<Ending, Problem> {
    let storage = LocalStorage::new(resolve_root(&args.root.root).map_err(Problem::usage)?);
    loop {
        let status = read(&storage, &args.run).await?;
        print(&status, args.json);
        if !args.watch || status.complete {
            let failures = status.quarantined + status.failed > 0;
            return Ok(if failures {
                Ending::WithFailures
            } else {
                Ending::Done
            });
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn read(storage: &dyn Storage, run: &RunId) -> Result<Status, Problem> {
    let record = freeze::open(storage, run).await.map_err(Problem::usage)?;
    let ledger = Ledger::read(storage, run)
        .await
        .map_err(Problem::environment)?;
    let mut rows = collect::committed_rows(storage, run, &ledger)
        .await
        .map_err(Problem::environment)?;
    let failed = ledger::failed_rows(storage, run, &ledger).await;
    rows.extend(failed.map_err(Problem::environment)?);
    let committed: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row.output.as_ref())
        .map(|output| output.image_key.as_str())
        .collect();
    let images = storage
        .list(&ArtifactPrefix::Images(run.clone()))
        .await
        .map_err(Problem::environment)?;
    let summary = Summary::of(&rows);
    Ok(Status {
        run: run.clone(),
        complete: summary.done + summary.not_done() == record.frozen.num_items,
        items: record.frozen.num_items,
        done: summary.done,
        quarantined: summary.quarantined,
        failed: summary.failed,
        in_progress: images
            .iter()
            .filter(|image| !committed.contains(image.path.as_str()))
            .count(),
        shards: record.frozen.num_shards,
        shards_committed: ledger.committed.len(),
        failed_attempts: ledger.failed_attempts.values().map(Vec::len).sum(),
        reasons: summary.reasons,
    })
}

#[expect(clippy::print_stdout, reason = "this is the command line")]
fn print(status: &Status, json: bool) {
    if json {
        println!("{}", serde_json::to_string(status).unwrap_or_default());
        return;
    }
    let state = if status.complete {
        "complete"
    } else {
        "incomplete"
    };
    println!(
        "run {} is {state}: {} of {} items done, {} quarantined, {} failed, {} images in the making; \
         {} of {} shards committed, {} failed attempts",
        status.run,
        status.done,
        status.items,
        status.quarantined,
        status.failed,
        status.in_progress,
        status.shards_committed,
        status.shards,
        status.failed_attempts
    );
    for (reason, count) in &status.reasons {
        println!("  not converted ({count}): {reason}");
    }
}
