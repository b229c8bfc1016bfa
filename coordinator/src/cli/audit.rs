//! `synth2real audit`: the proof that nothing is lost.

use clap::Args;
use shared::console;
use shared::ids::RunId;
use shared::wording::Thousands;

use super::{Ending, Problem, RootArgs, opening};
use crate::audit;

/// Findings that a person is told; the rest is counted.
const MAX_FINDINGS: usize = 20;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
}

pub(super) async fn main(args: AuditArgs) -> Result<Ending, Problem> {
    let storage = opening::storage(&args.root).await?;
    let run = opening::run(storage.as_ref(), &args.run).await?;
    let report = audit::audit(storage.as_ref(), &run)
        .await
        .map_err(Problem::environment)?;
    for finding in report.findings.iter().take(MAX_FINDINGS) {
        console::print(finding)?;
    }
    if report.findings.len() > MAX_FINDINGS {
        console::print(format_args!(
            "and {} more findings",
            Thousands(report.findings.len() - MAX_FINDINGS)
        ))?;
    }
    let clean = report.findings.is_empty();
    if !clean {
        console::print(
            "to make again what is missing: `synth2real resume`, or remove the shards/*.parquet that its row is in and \
             run again; what is altered has to be removed first",
        )?;
    }
    let counts = &report.counts;
    console::print(format_args!(
        "audit of run {} {}: {} planned = {} done + {} quarantined + {} failed; {} findings",
        args.run,
        if clean { "clean" } else { "FAILED" },
        report.planned,
        counts.done,
        counts.quarantined,
        counts.failed,
        report.findings.len()
    ))?;
    Ok(if clean {
        Ending::Done
    } else {
        Ending::WithFailures
    })
}
