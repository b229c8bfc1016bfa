//! `synth2real resume`: what storage says is missing or failed, or is quarantined, is published again, or left to parts.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use shared::console::{self, PrintError};
use shared::decision::ChangedInput;
use shared::failure::{FailureClass, chain};
use shared::ids::{RunId, ShardId};
use shared::queue::WorkQueue;
use shared::settings::{BROKER_URL, BrokerConfig};
use shared::storage::Storage;
use shared::wording::counted;

use super::{CliError, Outcome, RootArgs, setup};
use crate::run::estimate::Estimate;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Ledger;
use crate::run::plan::{NumParts, part_numbers};
use crate::run::redo::Redo;
use crate::run::tally::{Counts, Tally};
use crate::ui::progress::CountProgress;
use crate::work::resume::{self, Choice, Only, Quarantined, ResumeError};

/// Shards that are told with a line each.
const MOST_LINES: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
    /// Only shards that are not committed or whose images are gone, only shards that failed for good, or the items that
    /// are quarantined: those of inputs that were mended or have come back
    #[arg(long, value_enum)]
    only: Option<OnlyArg>,
    /// With --only quarantined: only items of this class
    #[arg(long, value_enum, value_name = "CLASS")]
    reason: Option<ReasonArg>,
    /// With --only quarantined: only items whose reason has this in it, such as the name of a file
    #[arg(long, value_name = "TEXT")]
    reason_contains: Option<String>,
    /// Only shards with this style, and only its quarantined items; may be given several times
    #[arg(long = "style", value_name = "S")]
    styles: Vec<String>,
    /// Only this shard; may be given several times
    #[arg(long = "shard", value_name = "K")]
    shards: Vec<ShardId>,
    /// Publish nothing, and print the parts out of N that have something to do, as Slurm takes them: --array=3,17
    #[arg(long, value_name = "N")]
    parts: Option<NumParts>,
    /// Print what would be done again, why and how long that takes; publish nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnlyArg {
    Missing,
    Failed,
    Quarantined,
}

/// The classes that items are quarantined with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReasonArg {
    BadInput,
    Missing,
    Changed,
    BadOutput,
}

impl From<ReasonArg> for FailureClass {
    fn from(reason: ReasonArg) -> Self {
        match reason {
            ReasonArg::BadInput => Self::BadInput,
            ReasonArg::Missing => Self::Missing,
            ReasonArg::Changed => Self::Changed,
            ReasonArg::BadOutput => Self::BadOutput,
        }
    }
}

/// Returns what is to be done again.
fn choice(args: &ResumeArgs) -> Result<Choice, CliError> {
    let wanted = Quarantined {
        class: args.reason.map(FailureClass::from),
        reason: args.reason_contains.clone(),
    };
    let only = match args.only {
        Some(OnlyArg::Quarantined) => Some(Only::Quarantined(wanted)),
        None | Some(OnlyArg::Missing | OnlyArg::Failed) if wanted != Quarantined::default() => {
            return Err(CliError::Usage(
                "--reason and --reason-contains choose among quarantined items: give --only quarantined with them"
                    .to_owned(),
            ));
        }
        Some(OnlyArg::Missing) => Some(Only::Missing),
        Some(OnlyArg::Failed) => Some(Only::Failed),
        None => None,
    };
    Ok(Choice {
        only,
        styles: args.styles.clone(),
        shards: args.shards.clone(),
    })
}

pub(super) async fn main(args: ResumeArgs) -> Result<Outcome, CliError> {
    let storage = setup::storage(&args.root).await?;
    let storage = storage.as_ref();
    let run = setup::run(storage, &args.run).await?;
    let ledger = setup::ledger(storage, &run).await?;
    let choice = choice(&args)?;
    let redo = resume::find(storage, &run, &ledger, &choice)
        .await
        .map_err(cli_error)?;
    let damaged = resume::damaged(storage, &run, &ledger, &choice)
        .await
        .map_err(cli_error)?;
    for (shard, why) in damaged.iter().take(MOST_LINES) {
        args.say(format_args!("shard {shard}: {why}"))?;
    }
    say_more(&args, damaged.len(), "damaged")?;
    // What is to be removed first is not done again.
    let done = match damaged.is_empty() {
        true => Outcome::Done,
        false => Outcome::WithFailures,
    };
    let broker = match args.parts {
        None => setup::broker_of_environment()?,
        Some(_) => None,
    };
    let found = Found {
        storage,
        run: &run,
        ledger,
        redo,
    };
    if args.dry_run {
        found.preview(&args, broker.as_ref()).await?;
    } else if found.redo.is_empty() {
        args.say_beside(format_args!("run {}: nothing to do again", args.run));
    } else if let Some(parts) = args.parts {
        found.give_to_parts(parts).await?;
    } else if broker.is_none() && matches!(choice.only, Some(Only::Quarantined(_))) {
        found.leave_to_next_run().await?;
    } else if let Some(broker) = broker {
        found.publish(&broker).await?;
    } else {
        return Err(found.without_broker());
    }
    Ok(done)
}

impl ResumeArgs {
    /// Prints a line that was asked for; beside the parts, where these are, since a script may read them.
    fn say(&self, line: impl Display) -> Result<(), PrintError> {
        match self.parts {
            None => console::print(line),
            Some(_) => {
                console::note(line);
                Ok(())
            }
        }
    }

    /// Tells a line beside the work, and where a script may read the parts, beside them.
    fn say_beside(&self, line: impl Display) {
        match self.parts {
            None => console::tell(line),
            Some(_) => console::note(line),
        }
    }
}

/// What of a run is to be done again.
struct Found<'a> {
    storage: &'a dyn Storage,
    run: &'a FrozenRun,
    ledger: Ledger,
    redo: Vec<Redo>,
}

impl Found<'_> {
    /// Returns how the inputs of quarantined items have changed. What would be refused is told.
    async fn changed_inputs(&self) -> Result<Vec<ChangedInput>, CliError> {
        resume::changed_inputs(self.storage, self.run, &self.ledger, &self.redo)
            .await
            .map_err(cli_error)
    }

    /// Stores that it is to be done again.
    async fn decide(&mut self) -> Result<(), CliError> {
        let changed = self.changed_inputs().await?;
        resume::decide(
            self.storage,
            self.run,
            &mut self.ledger,
            &self.redo,
            changed,
        )
        .await
        .map_err(cli_error)
    }

    /// Has the parts of a run do it, and prints them.
    async fn give_to_parts(mut self, parts: NumParts) -> Result<(), CliError> {
        self.decide().await?;
        console::note(format_args!(
            "run {}: {} shards with {} items are to be done again, by these of {parts} parts:",
            self.run.record.run,
            self.redo.len(),
            resume::num_items(&self.redo)
        ));
        Ok(console::print(self.array(parts))?)
    }

    /// Returns the parts that have something to do again, as Slurm takes them.
    fn array(&self, parts: NumParts) -> String {
        let numbers = part_numbers(&self.run.plan.shards, parts);
        let redo = self.redo.iter();
        let numbers = redo.map(|redo| numbers[redo.shard.0 as usize]);
        format!("--array={}", ranges(&numbers.collect()))
    }

    /// Has the next run in a process do it.
    async fn leave_to_next_run(mut self) -> Result<(), CliError> {
        self.decide().await?;
        console::tell(format_args!(
            "run {}: {} items of {} shards are to be tried again: the next `synth2real run CONFIG` makes them, or \
             `launch CONFIG` with a broker",
            self.run.record.run,
            resume::num_items(&self.redo),
            self.redo.len()
        ));
        Ok(())
    }

    /// Has workers do it.
    async fn publish(mut self, broker: &BrokerConfig) -> Result<(), CliError> {
        let queue = setup::broker(Some(broker)).await?.work;
        let progress = CountProgress::new(self.redo.len(), "shards published");
        let publisher = resume::Publisher {
            storage: self.storage,
            queue: queue.as_ref(),
            run: self.run,
        };
        publisher
            .publish(&mut self.ledger, &self.redo, |count| {
                progress.reached(count);
            })
            .await
            .map_err(cli_error)?;
        progress.finish();
        console::tell(format_args!(
            "run {}: {} shards with {} items published to {}",
            self.run.record.run,
            self.redo.len(),
            resume::num_items(&self.redo),
            queue.locate()
        ));
        Ok(())
    }

    /// Returns what helps where there are no workers to do it.
    fn without_broker(&self) -> CliError {
        CliError::Usage(format!(
            "run {}: {} with {} are to be done again, and no broker is named: run it again with its settings \
             (`synth2real run CONFIG`), or --parts N prints the array of parts that do it; with workers, set {BROKER_URL}",
            self.run.record.run,
            counted(self.redo.len(), "shard", "shards"),
            counted(resume::num_items(&self.redo), "item", "items"),
        ))
    }

    /// Says what would be done again, and how long that takes.
    async fn preview(
        &self,
        args: &ResumeArgs,
        broker: Option<&BrokerConfig>,
    ) -> Result<(), CliError> {
        let counts = counts(self.storage, self.run, &self.ledger).await?;
        let queue = match broker {
            Some(broker) => queue_to_ask(broker).await,
            None => None,
        };
        for redo in self.redo.iter().take(MOST_LINES) {
            args.say(format_args!(
                "shard {}, {} items: {}",
                redo.shard, redo.num_items, redo.why
            ))?;
        }
        say_more(args, self.redo.len(), "to be done again")?;
        let num_items = resume::num_items(&self.redo);
        let estimate = Estimate::of(num_items, &counts, queue.as_deref()).await;
        args.say(format_args!(
            "run {}: {} shards with {num_items} items would be done again; {estimate}",
            self.run.record.run,
            self.redo.len(),
        ))?;
        // What would be refused is told now.
        self.changed_inputs().await?;
        if let Some(parts) = args.parts.filter(|_| !self.redo.is_empty()) {
            console::print(self.array(parts))?;
        }
        Ok(())
    }
}

/// Returns numbers as Slurm takes them: `3,17`, and `1-4,7` where at least three follow each other.
fn ranges(numbers: &BTreeSet<u32>) -> String {
    let numbers: Vec<u32> = numbers.iter().copied().collect();
    let runs = numbers.chunk_by(|&one, &next| one.checked_add(1) == Some(next));
    let runs = runs.map(|run| match run {
        [first, _, .., last] => format!("{first}-{last}"),
        few => few
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(","),
    });
    runs.collect::<Vec<_>>().join(",")
}

/// Returns the queue that tells how many workers wait; none if it cannot be reached, as an estimate needs no broker.
async fn queue_to_ask(broker: &BrokerConfig) -> Option<Arc<dyn WorkQueue>> {
    match shared::queue::open(broker).await {
        Ok(broker) => Some(broker.work),
        Err(error) => {
            tracing::debug!(
                error = chain(&error),
                "the broker does not tell how many workers wait"
            );
            None
        }
    }
}

/// Returns what is counted of the shards that can be read.
async fn counts(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Counts, CliError> {
    let counted = async {
        let tally = Tally::up_to_date(storage, run, ledger).await?;
        tally.total_with_failed(storage, run, ledger).await
    };
    counted.await.map_err(CliError::environment)
}

fn cli_error(error: ResumeError) -> CliError {
    match error {
        ResumeError::Changed(error) => setup::change_error(error),
        ResumeError::Unknown { .. } => CliError::usage(error),
        ResumeError::Queue(_) => CliError::Environment(format!("{}; resume again", chain(&error))),
        ResumeError::Storage(_) | ResumeError::Ledger(_) | ResumeError::Decision(_) => {
            CliError::environment(error)
        }
    }
}

/// Says how many shards have no line of their own.
fn say_more(args: &ResumeArgs, count: usize, are: &str) -> Result<(), PrintError> {
    match count.checked_sub(MOST_LINES) {
        Some(more @ 1..) => args.say(format_args!(
            "and {} {are}",
            counted(more, "more shard", "more shards")
        )),
        Some(0) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_printed_as_slurm_takes_them() {
        let cases: [(&[u32], &str); 6] = [
            (&[7], "7"),
            (&[3, 17], "3,17"),
            (&[3, 4], "3,4"),
            (&[1, 2, 3, 4], "1-4"),
            (&[1, 2, 4, 5, 6, 9], "1,2,4-6,9"),
            (&[u32::MAX - 1, u32::MAX], "4294967294,4294967295"),
        ];
        for (numbers, expected) in cases {
            let numbers: BTreeSet<u32> = numbers.iter().copied().collect();
            assert_eq!(ranges(&numbers), expected);
        }
    }
}
