//! `synth2real audit`: the proof that nothing is lost.

use clap::Args;
use shared::console;
use shared::ids::RunId;
use shared::wording::{Thousands, counted};

use super::{CliError, Outcome, RootArgs, setup};
use crate::output::audit;
use crate::output::audit::deep::{self, DeepReport, DeepSample};

/// Findings that a person is told; the rest is counted.
const MAX_FINDINGS: usize = 20;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
    /// Compute figures of some items again from the stored images and their contents, where these can be read
    #[arg(long)]
    deep: bool,
    /// With --deep: how many items
    #[arg(long, value_name = "N", default_value_t = 100, requires = "deep")]
    sample: usize,
    /// With --deep: which items; without it others each time
    #[arg(long, value_name = "N", requires = "deep")]
    seed: Option<u64>,
}

pub(super) async fn main(args: AuditArgs) -> Result<Outcome, CliError> {
    let storage = setup::storage(&args.root).await?;
    let run = setup::run(storage.as_ref(), &args.run).await?;
    let mut report = audit::audit(storage.as_ref(), &run)
        .await
        .map_err(CliError::environment)?;
    let deep = if args.deep {
        let sample = DeepSample {
            items: args.sample,
            seed: args.seed.unwrap_or_else(any_seed),
        };
        let deep = deep::audit(storage.as_ref(), &run, &report.done, sample).await;
        let mut deep = deep.map_err(CliError::environment)?;
        report.findings.append(&mut deep.findings);
        Some((sample, deep))
    } else {
        None
    };
    for note in &report.notes {
        console::print(format_args!("note: {note}"))?;
    }
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
        console::print(format_args!(
            "to make again what is missing: `synth2real resume {} --root {}`, or remove the shards/*.parquet that its row \
             is in and run again; what is altered has to be removed first",
            args.run,
            setup::location(&args.root)?
        ))?;
    }
    if let Some((sample, deep)) = &deep {
        console::print(deep_line(*sample, deep))?;
    }
    let counts = &report.counts;
    console::print(format_args!(
        "audit of run {} {}: {} planned = {} done + {} quarantined + {} failed; {}",
        args.run,
        if clean { "clean" } else { "FAILED" },
        report.planned,
        counts.done,
        counts.quarantined,
        counts.failed,
        counted(report.findings.len(), "finding", "findings")
    ))?;
    Ok(if clean {
        Outcome::Done
    } else {
        Outcome::WithFailures
    })
}

/// Returns what came of computing figures again.
fn deep_line(sample: DeepSample, deep: &DeepReport) -> String {
    let obstacle = deep.obstacle.as_deref().map_or_else(String::new, |why| {
        format!("; the first of the others could not be: {why}")
    });
    format!(
        "deep: figures of {} of {} computed again from what is stored (--seed {} looks at the same ones){obstacle}",
        deep.recomputed,
        counted(deep.chosen, "item", "items"),
        sample.seed
    )
}

/// Returns a seed by the time of day.
fn any_seed() -> u64 {
    let now = jiff::Timestamp::now().as_microsecond();
    now.unsigned_abs() % 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_figures_says_of_how_many_items_and_why_not_of_all() {
        let sample = DeepSample { items: 2, seed: 7 };
        let mut deep = DeepReport {
            chosen: 1,
            recomputed: 1,
            ..DeepReport::default()
        };
        let whole = "deep: figures of 1 of 1 item computed again from what is stored (--seed 7 looks at the same ones)";
        assert_eq!(deep_line(sample, &deep), whole);
        deep.chosen = 2;
        deep.obstacle = Some("it is away".to_owned());
        let told = deep_line(sample, &deep);
        let expected = "of 2 items computed again";
        assert!(told.contains(expected), "{told}");
        assert!(
            told.ends_with("; the first of the others could not be: it is away"),
            "{told}"
        );
    }
}
