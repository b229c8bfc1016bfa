//! How a run in this process ended: what is stored is compared with what was planned, and a person is told.

use shared::artifact::ArtifactKey;
use shared::console;
use shared::settings::RunConfig;
use shared::storage::Storage;

use crate::output::collect::CollectError;
use crate::output::contact_sheet;
use crate::output::report::RunReport;
use crate::run::freeze::{self, FreezeError, FrozenRun};
use crate::run::gone::{RUN_AGAIN, Vanished};
use crate::run::ledger::LedgerError;
use crate::run::policy::Fate;
use crate::ui::cli::ending::{self, Found};
use crate::ui::cli::{CliError, Outcome, setup};
use crate::work::embedded::Stopped;

/// Stores the manifest, the report and the contact sheet, and tells a person how it ended.
///
/// It is done if everything that was planned is there: what was removed meanwhile is an error.
pub(super) async fn conclude(
    config: &RunConfig,
    mut run: FrozenRun,
    storage: &dyn Storage,
    stopped: Stopped,
) -> Result<Outcome, CliError> {
    check_record(config, &run, storage).await?;
    let ledger = setup::ledger(storage, &run).await?;
    run.plan.take_changes(&ledger.decisions.changed_inputs);
    let (found, collected) = match Found::collect(storage, &run, &config.root, ledger).await {
        Ok(found) => found,
        Err(error) => {
            if matches!(error, CollectError::Ledger(LedgerError::Gone(_))) {
                // All of the run may be gone with it.
                check_record(config, &run, storage).await?;
            }
            return Err(CliError::environment(error));
        }
    };
    let is_complete = found.standing().fate().is_complete();
    let (sheet, published) = match stopped {
        Stopped::AtItsEnd | Stopped::AtItsLimit => {
            let (sheet, report) = ending::publish(storage, &run, collected, is_complete).await;
            (sheet, Some(report))
        }
        Stopped::OnRequest | Stopped::Halted => (sheet_alone(storage, &run).await, None),
    };
    found.tell_reasons();
    tell_stop(stopped, &found);
    found.tell_stored(storage, sheet);
    let report = published.transpose().map_err(CliError::environment)?;
    if let Some(report) = &report {
        ending::tell_quality(report);
    }
    outcome(stopped, &found)
}

/// Stores a contact sheet of a run that was interrupted, and returns where it is.
///
/// Whoever interrupts a run does not want to wait for figures; `report` makes them of what is there. A sheet of which a
/// report speaks stays as it is.
async fn sheet_alone(storage: &dyn Storage, run: &FrozenRun) -> Option<String> {
    let reported = RunReport::stored(storage, &run.record.run).await;
    // Where that cannot be told, it stays too.
    let is_told = reported.map_or(true, |report| {
        report.is_some_and(|it| it.contact_sheet_sha256.is_some())
    });
    match is_told {
        true => None,
        false => contact_sheet::make(storage, run).await,
    }
}

/// Proves that the run's record and its plan are where they were, and are those of this run, byte by byte.
pub(super) async fn check_record(
    config: &RunConfig,
    run: &FrozenRun,
    storage: &dyn Storage,
) -> Result<(), CliError> {
    let frozen = &run.record.frozen;
    let gone = match freeze::check(storage, config, frozen).await {
        Ok(Some(_)) => match freeze::open(storage, &config.run).await {
            Ok(_) => return Ok(()),
            Err(FreezeError::Storage(error)) if error.is_absent() => {
                ArtifactKey::Plan(config.run.clone(), frozen.plan_sha256.clone())
            }
            Err(error) => return Err(setup::freeze_error(error)),
        },
        Ok(None) => ArtifactKey::RunRecord(config.run.clone()),
        Err(error @ FreezeError::Different { .. }) => {
            return Err(CliError::Environment(format!(
                "the storage root was replaced while the run went on: {error}"
            )));
        }
        Err(error) => return Err(setup::freeze_error(error)),
    };
    let vanished = Vanished {
        path: storage.locate(&gone),
    };
    Err(CliError::Environment(format!("{vanished}; {RUN_AGAIN}")))
}

fn outcome(stopped: Stopped, found: &Found<'_>) -> Result<Outcome, CliError> {
    match stopped {
        Stopped::OnRequest | Stopped::Halted => Ok(Outcome::Interrupted),
        Stopped::AtItsLimit => Ok(Outcome::WithFailures),
        Stopped::AtItsEnd => match found.standing().fate() {
            Fate::Complete => Ok(Outcome::Done),
            Fate::EndedWithLosses => Ok(Outcome::WithFailures),
            Fate::Damaged | Fate::Halted | Fate::AtItsLimit | Fate::GoesOn => {
                Err(CliError::Environment(found.damage()))
            }
        },
    }
}

/// Tells why a run stopped before its end.
fn tell_stop(stopped: Stopped, found: &Found<'_>) {
    match stopped {
        Stopped::AtItsEnd => {}
        Stopped::OnRequest => {
            console::tell("stopped on request; run the same command again to go on");
        }
        Stopped::Halted => console::tell(
            "stopped: the run was cancelled; run the same command again to take it up",
        ),
        Stopped::AtItsLimit => {
            let why = found.standing().limit_passed();
            console::tell(format_args!(
                "stopped: {why}; run the same command again to go on all the same (what failed until now no longer \
                 counts), or raise the limit first"
            ));
        }
    }
}
