//! How a run in this process ended: what is stored is compared with what was planned, and a person is told.

use std::path::Path;

use shared::artifact::ArtifactKey;
use shared::console;
use shared::location::Location;
use shared::settings::RunConfig;
use shared::storage::Storage;
use shared::wording::first_names;

use crate::output::collect::{self, CollectError};
use crate::output::contact_sheet;
use crate::output::report::{self, RunReport, text};
use crate::run::freeze::{self, FreezeError, FrozenRun};
use crate::run::gone::{self, Gone, RUN_AGAIN, Vanished};
use crate::run::ledger::LedgerError;
use crate::run::plan::Shard;
use crate::run::policy::{Fate, Standing};
use crate::run::stored_items::StoredItems;
use crate::run::tally::{self, Counts};
use crate::ui::cli::{CliError, Outcome, setup};
use crate::work::embedded::Stopped;

/// What storage holds of a run in the end.
struct Found<'a> {
    run: &'a FrozenRun,
    root: &'a Location,
    stopped: Stopped,
    standing: Standing<'a>,
    counts: Counts,
    num_stored: usize,
    num_committed: usize,
    num_retried: usize,
    /// Where the rows of the first shard would be that is still to be made.
    first_open: Option<String>,
    gone: Gone,
}

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
    let stored = StoredItems::read(storage, &run)
        .await
        .map_err(CliError::environment)?;
    let counted = async {
        let tally = collect::store_tally_anew(storage, &run, &ledger).await?;
        let known = gone::Known {
            storage,
            run: &run,
            ledger: &ledger,
            tally: &tally,
            stored: &stored,
        };
        let gone = gone::of_stored(known).await?;
        let collected = collect::collect(storage, &run, &ledger).await?;
        Ok::<_, CollectError>((tally, gone, collected))
    };
    let (tally, gone, collected) = match counted.await {
        Ok(counted) => counted,
        Err(error) => {
            if matches!(error, CollectError::Ledger(LedgerError::Gone(_))) {
                // All of the run may be gone with it.
                check_record(config, &run, storage).await?;
            }
            return Err(CliError::environment(error));
        }
    };
    let standing = Standing::of(&run, &ledger, &tally).with_gone(gone.paths.len());
    let counts = collected.counts.clone();
    let (sheet, published) = match stopped {
        Stopped::AtItsEnd | Stopped::AtItsLimit => {
            let is_complete = standing.fate().is_complete();
            // The report tells its digest.
            let sheet = contact_sheet::make(storage, &run).await;
            let published = report::publish(storage, &run, collected, is_complete).await;
            (sheet, Some(published))
        }
        // A person who interrupts a run does not want to wait for figures; `report` makes them of what is there. A sheet of which
        // a report speaks stays as it is.
        Stopped::OnRequest | Stopped::Halted => {
            let reported = RunReport::stored(storage, &run.record.run).await;
            // Where that cannot be told, it stays too.
            let is_told = reported.map_or(true, |report| {
                report.is_some_and(|it| it.contact_sheet_sha256.is_some())
            });
            let sheet = match is_told {
                true => None,
                false => contact_sheet::make(storage, &run).await,
            };
            (sheet, None)
        }
    };
    let max_attempts = run.record.limits.max_attempts;
    let is_open = |shard: &&Shard| ledger.state(shard.id, max_attempts).is_open();
    let first_open = run.plan.shards.iter().find(is_open).map(|shard| {
        let key = ArtifactKey::Shard(run.record.run.clone(), shard.id);
        storage.locate(&key)
    });
    let found = Found {
        run: &run,
        root: &config.root,
        stopped,
        standing,
        counts,
        num_stored: stored.num_images,
        num_committed: ledger.committed.len(),
        num_retried: ledger.retried(max_attempts).map(|(_, items)| items).sum(),
        first_open,
        gone,
    };
    found.tell(storage, sheet);
    let report = published.transpose().map_err(CliError::environment)?;
    if let Some(report) = &report {
        tell_quality(report);
    }
    found.outcome()
}

/// Proves that the run's record and its plan are where they were, and are those of this run, byte by byte.
async fn check_record(
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

impl Found<'_> {
    fn outcome(&self) -> Result<Outcome, CliError> {
        match self.stopped {
            Stopped::OnRequest | Stopped::Halted => Ok(Outcome::Interrupted),
            Stopped::AtItsLimit => Ok(Outcome::WithFailures),
            Stopped::AtItsEnd => match self.standing.fate() {
                Fate::Complete => Ok(Outcome::Done),
                Fate::EndedWithLosses => Ok(Outcome::WithFailures),
                Fate::Damaged | Fate::Halted | Fate::AtItsLimit | Fate::GoesOn => {
                    Err(CliError::Environment(self.damage()))
                }
            },
        }
    }

    /// Returns what is not there although the run has made it.
    fn damage(&self) -> String {
        let id = &self.run.record.run;
        let num_shards = self.run.plan.shards.len();
        if self.num_retried > 0 {
            return format!(
                "{} quarantined items of run {id} are to be tried again, as was decided at its end: run again",
                self.num_retried
            );
        }
        if let Some(path) = self.first_open.clone() {
            return format!(
                "{}; {} of {num_shards} shards of run {id} are not committed any more; {RUN_AGAIN}",
                Vanished { path },
                self.standing.num_open
            );
        }
        if !self.gone.is_nothing() {
            return format!(
                "run {id} is not whole: of what its shards speak of, {} pictures are gone: {}; {}",
                self.gone.paths.len(),
                self.gone,
                self.gone.what_helps(RUN_AGAIN)
            );
        }
        format!(
            "run {id} is not whole: its shards have rows of {} items, and {} were planned; `synth2real audit {id}` names \
             what is wrong",
            self.standing.done + self.standing.not_done,
            self.standing.num_items
        )
    }

    fn tell(&self, storage: &dyn Storage, sheet: Option<String>) {
        let id = &self.run.record.run;
        let manifest = storage.locate(&ArtifactKey::Manifest(id.clone()));
        let folder = Path::new(&manifest)
            .parent()
            .unwrap_or(Path::new(""))
            .display()
            .to_string();
        let planned = self.standing.num_items;
        for (kind, count) in &self.counts.warning_kinds {
            console::tell(format_args!("done with a warning ({count}): {kind}"));
        }
        if let Some(line) = tally::doubtful_line(self.counts.doubtful) {
            console::tell(line);
        }
        for line in tally::reason_lines(&self.counts.reasons) {
            console::tell(line);
        }
        match self.stopped {
            Stopped::AtItsEnd => {}
            Stopped::OnRequest => {
                console::tell("stopped on request; run the same command again to go on");
            }
            Stopped::Halted => console::tell(
                "stopped: the run was cancelled; run the same command again to take it up",
            ),
            Stopped::AtItsLimit => {
                let why = self.standing.limit_passed();
                console::tell(format_args!(
                    "stopped: {why}; run the same command again to go on all the same (what failed until now no longer \
                     counts), or raise the limit first"
                ));
            }
        }
        if self.counts.quarantined > 0 {
            console::tell(format_args!(
                "{} items are quarantined: once their inputs are mended or have come back, `synth2real resume {id} \
                 --only quarantined --root {}` has them tried again",
                self.counts.quarantined, self.root
            ));
        }
        let sheet = sheet
            .map(|path| format!(", contact sheet {path}"))
            .unwrap_or_default();
        let far = if self.standing.fate().is_complete() {
            format!("{} of {planned} images done", self.standing.done)
        } else {
            format!(
                "{} of {planned} images stored, {} of {} shards committed",
                self.num_stored,
                self.num_committed,
                self.run.plan.shards.len()
            )
        };
        console::tell(format_args!(
            "{far}: images {folder}/images, labels {folder}/labels, manifest {manifest}{sheet}"
        ));
    }
}

/// Figures that were asked for, with what they must be read with; the rest is in `report`.
fn tell_quality(report: &RunReport) {
    if let Some(agreement) = &report.label_agreement {
        let run = &report.run;
        console::tell(format_args!(
            "labels: {agreement} (percent, content -> output); of each style: synth2real report {run}"
        ));
    }
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
