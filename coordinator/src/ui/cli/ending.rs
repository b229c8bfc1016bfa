//! What storage holds of a run in the end: collected, compared with what was planned, and told to a person.

use std::path::Path;

use shared::artifact::ArtifactKey;
use shared::console;
use shared::location::Location;
use shared::storage::Storage;
use shared::wording::{counted, first_names};

use super::{CliError, setup};
use crate::output::collect::{self, CollectError, Collected};
use crate::output::contact_sheet;
use crate::output::report::{self, ReportError, RunReport, text};
use crate::run::freeze::FrozenRun;
use crate::run::gone::{self, Gone, RUN_AGAIN, Vanished};
use crate::run::ledger::Ledger;
use crate::run::policy::{Fate, Standing};
use crate::run::stored_items::StoredItems;
use crate::run::tally::{self, Counts, Tally};

/// What storage holds of a run.
pub(super) struct Found<'a> {
    run: &'a FrozenRun,
    root: &'a Location,
    ledger: Ledger,
    tally: Tally,
    counts: Counts,
    num_stored: usize,
    /// Where the rows of the first shard would be that is still to be made.
    first_open: Option<String>,
    gone: Gone,
}

impl<'a> Found<'a> {
    /// Counts what is stored anew, and stores the manifest and the counts: whatever was counted before may be of a shard that
    /// was removed and made again. The run has taken the changed inputs of the ledger.
    pub(super) async fn collect(
        storage: &dyn Storage,
        run: &'a FrozenRun,
        root: &'a Location,
        ledger: Ledger,
    ) -> Result<(Self, Collected), CollectError> {
        let stored = StoredItems::read(storage, run).await?;
        let mut collected = collect::collect(storage, run, &ledger).await?;
        let tally = std::mem::take(&mut collected.tally);
        tally.store(storage, &run.record.run).await?;
        let known = gone::Known {
            storage,
            run,
            ledger: &ledger,
            tally: &tally,
            stored: &stored,
        };
        let gone = gone::of_stored(known).await?;
        let first_open = ledger.open_shards(run).next().map(|shard| {
            let key = ArtifactKey::Shard(run.record.run.clone(), shard.id);
            storage.locate(&key)
        });
        let found = Self {
            run,
            root,
            tally,
            counts: collected.counts.clone(),
            num_stored: stored.num_images,
            first_open,
            gone,
            ledger,
        };
        Ok((found, collected))
    }

    /// Returns where the run stands.
    pub(super) fn standing(&self) -> Standing<'_> {
        let standing = Standing::of(self.run, &self.ledger, &self.tally);
        standing.with_gone(self.gone.paths.len())
    }

    /// Returns what is not there although the run has made it.
    pub(super) fn damage(&self) -> String {
        let (id, standing) = (&self.run.record.run, self.standing());
        let num_shards = self.run.plan.shards.len();
        let retried = self.ledger.retried(self.run.record.limits.max_attempts);
        let num_retried: usize = retried.map(|(_, items)| items).sum();
        if num_retried > 0 {
            return format!(
                "{num_retried} quarantined items of run {id} are to be tried again, as was decided at its end: run again"
            );
        }
        if let Some(path) = self.first_open.clone() {
            return format!(
                "{}; {} of {num_shards} shards of run {id} are not committed any more; {RUN_AGAIN}",
                Vanished { path },
                standing.num_open
            );
        }
        if !self.gone.is_nothing() {
            return format!(
                "run {id} is not whole: of what its shards speak of, {} gone: {}; {}",
                counted(self.gone.paths.len(), "picture is", "pictures are"),
                self.gone,
                self.gone.what_helps(RUN_AGAIN)
            );
        }
        format!(
            "run {id} is not whole: its shards have rows of {} items, and {} were planned; `synth2real audit {id}` names \
             what is wrong",
            standing.done + standing.not_done,
            standing.num_items
        )
    }

    /// Tells what is odd about items, and why some are not done.
    pub(super) fn tell_reasons(&self) {
        for (kind, count) in &self.counts.warning_kinds {
            console::tell(format_args!("done with a warning ({count}): {kind}"));
        }
        if let Some(line) = tally::doubtful_line(self.counts.doubtful) {
            console::tell(line);
        }
        for line in tally::reason_lines(&self.counts.reasons) {
            console::tell(line);
        }
    }

    /// Tells what can be done about quarantined items, how much is stored, and where.
    pub(super) fn tell_stored(&self, storage: &dyn Storage, sheet: Option<String>) {
        let (id, standing) = (&self.run.record.run, self.standing());
        let manifest = storage.locate(&ArtifactKey::Manifest(id.clone()));
        let folder = Path::new(&manifest)
            .parent()
            .unwrap_or(Path::new(""))
            .display()
            .to_string();
        let planned = standing.num_items;
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
        let far = if standing.fate().is_complete() {
            format!("{} of {planned} images done", standing.done)
        } else {
            format!(
                "{} of {planned} images stored, {} of {} shards committed",
                self.num_stored,
                self.ledger.committed.len(),
                self.run.plan.shards.len()
            )
        };
        console::tell(format_args!(
            "{far}: images {folder}/images, labels {folder}/labels, manifest {manifest}{sheet}"
        ));
    }

    /// Tells what is left to be made of a run that has not ended, and what helps.
    fn tell_open(&self) {
        let (id, root) = (&self.run.record.run, self.root);
        let num_open = self.standing().num_open;
        let num_shards = self.run.plan.shards.len();
        let why = match &self.ledger.decisions.halted {
            Some(reason) => format!(", and the run is halted ({reason})"),
            None => String::new(),
        };
        console::tell(format_args!(
            "{num_open} of {num_shards} shards of run {id} are still to be made{why}: of a run in N parts, \
             `synth2real resume {id} --parts N --root {root}` prints which of them have something to do"
        ));
    }
}

/// Stores the contact sheet and then the report, which tells its digest. Returns where the sheet is, and the report.
pub(super) async fn publish(
    storage: &dyn Storage,
    run: &FrozenRun,
    collected: Collected,
    is_complete: bool,
) -> (Option<String>, Result<RunReport, ReportError>) {
    let sheet = contact_sheet::make(storage, run).await;
    let published = report::publish(storage, run, collected, is_complete).await;
    (sheet, published)
}

/// Makes manifest, contact sheet and report of what is committed, and tells a person; returns what becomes of the run.
///
/// Several processes may do so at once, and others may commit meanwhile. Who has stored what he had read before the last
/// commit finds that the run has ended since, and does it again.
///
/// # Errors
///
/// If a shard is damaged, or something that was made is not there.
pub(super) async fn close(
    storage: &dyn Storage,
    mut run: FrozenRun,
    root: &Location,
) -> Result<Fate, CliError> {
    loop {
        let ledger = setup::ledger(storage, &run).await?;
        run.plan.take_changes(&ledger.decisions.changed_inputs);
        let found = Found::collect(storage, &run, root, ledger).await;
        let (found, collected) = found.map_err(CliError::environment)?;
        let (fate, mark) = (found.standing().fate(), collected.mark);
        let (sheet, published) = publish(storage, &run, collected, fate.is_complete()).await;
        let report = published.map_err(CliError::environment)?;
        let now = setup::ledger(storage, &run).await?;
        let has_ended = now.open_shards(&run).next().is_none();
        if has_ended && now.mark() != mark {
            continue;
        }
        found.tell_reasons();
        if !fate.has_ended() {
            found.tell_open();
        }
        found.tell_stored(storage, sheet);
        tell_quality(&report);
        return match fate {
            Fate::Damaged => Err(CliError::Environment(found.damage())),
            Fate::Complete
            | Fate::EndedWithLosses
            | Fate::Halted
            | Fate::AtItsLimit
            | Fate::GoesOn => Ok(fate),
        };
    }
}

/// Tells figures that were asked for, with what they must be read with; the rest is in `report`.
pub(super) fn tell_quality(report: &RunReport) {
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
