//! `synth2real audit`: the proof that nothing is lost.

use clap::Args;
use shared::ids::RunId;
use shared::settings::resolve_root;
use shared::storage::LocalStorage;

use super::{Ending, Problem, RootArgs};
use crate::{audit, freeze};

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
}

#[expect(clippy::print_stdout, reason = "this is the command line")]
pub(super) async fn main(args: AuditArgs) -> Result<Ending, Problem> {
    let storage = LocalStorage::new(resolve_root(&args.root.root).map_err(Problem::usage)?);
    let record = freeze::open(&storage, &args.run)
        .await
        .map_err(Problem::usage)?;
    let report = audit::audit(&storage, &record)
        .await
        .map_err(Problem::environment)?;
    for finding in &report.findings {
        println!("{finding}");
    }
    let summary = &report.summary;
    if !report.findings.is_empty() {
        println!(
            "to make again what is missing or altered: remove it and the shards/*.parquet that its row is in, \
             and run again"
        );
    }
    let verdict = if report.findings.is_empty() {
        "clean"
    } else {
        "FAILED"
    };
    println!(
        "audit of run {} {verdict}: {} planned = {} done + {} quarantined + {} failed; {} findings",
        args.run,
        report.planned,
        summary.done,
        summary.quarantined,
        summary.failed,
        report.findings.len()
    );
    Ok(if report.findings.is_empty() {
        Ending::Done
    } else {
        Ending::WithFailures
    })
}
