//! `synth2real launch`: plan, freeze and publish.

use clap::Args;
use shared::clock::SystemClock;
use shared::console;
use shared::platform::Platform;
use shared::run_record::{RunInputs, RunRecord};
use shared::settings::RunConfig;

use super::setup::{self, Preparation};
use super::{CliError, ConfigArgs, Outcome};
use crate::run::changes::Accepted;
use crate::run::freeze::{self, FrozenRun};
use crate::ui::progress::CountProgress;
use crate::work::dispatch;
use crate::work::resume::{self, Choice};

#[derive(Debug, Args)]
pub(super) struct LaunchArgs {
    #[command(flatten)]
    settings: ConfigArgs,
}

pub(super) async fn main(args: LaunchArgs) -> Result<Outcome, CliError> {
    let config = RunConfig::load(&args.settings.config).map_err(CliError::usage)?;
    let preparation = setup::prepare(&config, setup::warn).await?;
    let existing = preparation.existing(&config).await?;
    let Preparation { inventory, storage } = preparation;
    let storage = storage.as_ref();
    let queue = setup::broker(config.broker.as_ref()).await?.work;

    let (run, mut ledger, accepted) = match existing {
        Some(existing) => (existing.run, existing.ledger, existing.accepted),
        None => {
            let (nothing, clock) = (Platform::default(), &SystemClock);
            let record = freeze::open_or_create(storage, &config, &inventory, &nothing, clock)
                .await
                .map_err(setup::freeze_error)?;
            let plan = inventory.plan;
            let run = FrozenRun { record, plan };
            let ledger = setup::ledger(storage, &run).await?;
            (run, ledger, Accepted::default())
        }
    };
    tell_differences(&config, &run.record);
    let mut redo = resume::find(storage, &run, &ledger, &Choice::default())
        .await
        .map_err(CliError::environment)?;
    resume::merge(&mut redo, accepted.redo);
    resume::decide(storage, &run, &mut ledger, &redo, accepted.changed)
        .await
        .map_err(CliError::environment)?;
    let progress = CountProgress::new(redo.len(), "shards published");
    let tasks = resume::tasks(&run, &ledger, &redo);
    dispatch::publish(queue.as_ref(), tasks, |count| progress.reached(count))
        .await
        .map_err(|error| {
            CliError::Environment(format!(
                "{}; the run is planned and stored: launch it again",
                shared::failure::chain(&error)
            ))
        })?;
    progress.finish();
    console::tell(format_args!(
        "run {}: {} items in {} shards; {} shards published to {}, {} committed before",
        config.run,
        run.plan.num_items(),
        run.plan.shards.len(),
        redo.len(),
        queue.locate(),
        ledger.committed.len()
    ));
    console::tell(format_args!(
        "watch it: synth2real status {} --watch --root {}",
        config.run, config.root
    ));
    Ok(Outcome::Done)
}

/// What is no part of a run's identity stays as it was at its first launch.
fn tell_differences(config: &RunConfig, record: &RunRecord) {
    if record.limits != config.limits {
        console::tell(format_args!(
            "the run keeps the limits of its first launch: max_attempts = {}, max_failed = {}, \
             input_patience_seconds = {}",
            record.limits.max_attempts,
            record.limits.max_failed,
            record.limits.input_patience_seconds
        ));
    }
    if record.licences != config.licences {
        console::tell(
            "the run keeps the licences of its first launch; `export --licence` adds to them",
        );
    }
    if record.price != config.price {
        console::tell("the run keeps the price of its first launch");
    }
    let (first, now) = (&record.inputs, RunInputs::of(config));
    let mapped = record.frozen.class_maps.as_ref();
    if let Some((maps, first)) = mapped.zip(first.class_maps.as_ref())
        && now.class_maps.as_ref() != Some(first)
    {
        console::tell(format_args!(
            "the run reads {} where it was at its first launch: {first}",
            maps.by.setting()
        ));
    }
    for (what, first, now) in [
        ("content.root", Some(&first.content), Some(&now.content)),
        ("style.root", Some(&first.style), Some(&now.style)),
        ("model.path", first.model.as_ref(), now.model.as_ref()),
    ] {
        if let Some(first) = first.filter(|&first| Some(first) != now) {
            console::tell(format_args!(
                "the run reads {what} where it was at its first launch: {first}"
            ));
        }
    }
}
