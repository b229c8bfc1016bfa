//! `synth2real report`: what came out.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use shared::artifact::ArtifactPrefix;
use shared::clock::SystemClock;
use shared::console;
use shared::failure::chain;
use shared::ids::RunId;
use shared::json;
use shared::location::Location;
use shared::settings::ReferenceFiles;
use shared::storage::{Storage, StorageErrorKind};
use shared::target;

use super::files::Named;
use super::{CliError, Outcome, RootArgs, files, path, setup};
use crate::output::collect;
use crate::output::report::make::Material;
use crate::output::report::{RunReport, html, text};
use crate::run::cost::Workload;
use crate::run::freeze::FrozenRun;
use crate::run::gone;
use crate::run::ledger::Ledger;
use crate::run::policy::Standing;
use crate::run::tally::Tally;

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The runs' names; several are put side by side
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<RunId>,
    #[command(flatten)]
    root: RootArgs,
    /// Compare with these statistics instead of those of the settings; {style} stands for the style's name
    #[arg(long, value_name = "FILE.npz")]
    reference: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with before/after pairs, which needs nothing else to be looked at
    #[arg(long, value_name = "FILE.html", value_parser = path())]
    html: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Reports<'a> {
    runs: &'a [RunReport],
}

/// A run and what came out of it.
struct Reported {
    run: FrozenRun,
    ledger: Ledger,
    tally: Tally,
    report: RunReport,
}

pub(super) async fn main(args: ReportArgs) -> Result<Outcome, CliError> {
    if let Some(path) = &args.html {
        check_page(&args, path)?;
    }
    let storage = setup::storage(&args.root).await?;
    let storage = storage.as_ref();
    let reference = args.reference.as_deref().map(|text| {
        ReferenceFiles::for_every_style("--reference", text, Path::new("")).map_err(CliError::usage)
    });
    let reference = reference.transpose()?;
    let mut runs = Vec::new();
    for id in &args.runs {
        let run = setup::run(storage, id).await?;
        if let Some(path) = &args.html {
            check_page_of(&run, path)?;
        }
        runs.push(run);
    }
    let mut reported = Vec::new();
    for run in runs {
        reported.push(report(storage, run, reference.as_ref()).await?);
    }
    if let Some(path) = &args.html {
        let shown: Vec<html::Shown<'_>> = reported.iter().map(Reported::shown).collect();
        let page = html::render(storage, &shown, &SystemClock).await;
        let page = page.map_err(CliError::environment)?;
        files::write(path, page.as_bytes())?;
    }
    let reports: Vec<RunReport> = reported
        .into_iter()
        .map(|reported| reported.report)
        .collect();
    if args.json {
        console::print_json(&json::lines(&Reports { runs: &reports }))?;
    } else {
        console::print_lines(text::render(&reports).trim_end_matches('\n'))?;
        if let Some(path) = &args.html {
            console::print(format_args!("  page: {}", path.display()))?;
        }
    }
    let is_damaged = reports.iter().any(|report| !report.damaged.is_empty());
    Ok(if is_damaged {
        Outcome::WithFailures
    } else {
        Outcome::Done
    })
}

/// Proves that the page can be written, and over nothing that is read. A page among what is stored is no part of a run.
fn check_page(args: &ReportArgs, path: &Path) -> Result<(), CliError> {
    let is_page = files::has_ending(path, "html");
    let root = setup::location(&args.root)?;
    check_not_kept(&root, path)?;
    let runs = match root {
        Location::Folder(root) => Some(root.join(ArtifactPrefix::Runs.path())).filter(|_| !is_page),
        Location::Bucket(_) => None,
    };
    let runs = runs.as_deref().map(|runs| ("--root", runs));
    let reference = args.reference.as_deref().map(Path::new);
    let reference = reference.map(|reference| ("--reference", reference));
    let inputs: Vec<Named<'_>> = runs.into_iter().chain(reference).collect();
    files::check(&[("--html", path)], &inputs)?;
    files::check_ending(("--html", path), "an HTML page", &["html", "htm"])
}

/// Refuses a page where storage keeps files for itself, which are removed once nobody writes them.
fn check_not_kept(root: &Location, path: &Path) -> Result<(), CliError> {
    let Location::Folder(folder) = root else {
        return Ok(());
    };
    let target = files::target_of(path);
    let below = target.strip_prefix(folder);
    if below.is_ok_and(|below| target::is_own(&below.to_string_lossy())) {
        return Err(CliError::Usage(format!(
            "--html {} is among what storage keeps for itself in {root}: name a file elsewhere",
            path.display()
        )));
    }
    Ok(())
}

/// Proves that the page is written over no input of a run, whose images it shows. A page among them is none.
fn check_page_of(run: &FrozenRun, path: &Path) -> Result<(), CliError> {
    if files::has_ending(path, "html") {
        return Ok(());
    }
    let inputs = &run.record.inputs;
    let model = inputs.model.iter().map(|model| ("model.path", model));
    // Where every style has a label, nothing says which network it is.
    let by = run.record.frozen.class_maps.as_ref();
    let by = by.map_or("style.prior or style.segmenter", |maps| maps.by.setting());
    let maps = inputs.class_maps.as_ref().map(|maps| (by, maps));
    let inputs = [
        ("content.root", &inputs.content),
        ("style.root", &inputs.style),
    ];
    let inputs = inputs.into_iter().chain(model).chain(maps);
    let inputs: Vec<Named<'_>> = inputs
        .filter_map(|(setting, location)| match location {
            Location::Folder(folder) => Some((setting, folder.as_path())),
            Location::Bucket(_) => None,
        })
        .collect();
    files::check(&[("--html", path)], &inputs)
}

impl Reported {
    fn shown(&self) -> html::Shown<'_> {
        html::Shown {
            run: &self.run,
            ledger: &self.ledger,
            tally: &self.tally,
            report: &self.report,
        }
    }
}

/// Stores a report. It is shown all the same where something else is in its place, such as a folder.
async fn store(storage: &dyn Storage, report: &RunReport) -> Result<(), CliError> {
    match report.store(storage).await {
        Err(error) if error.kind == StorageErrorKind::Invalid => {
            tracing::warn!(run = %report.run, error = chain(&error), "the report is not stored");
            Ok(())
        }
        stored => stored.map_err(CliError::environment),
    }
}

/// Returns the stored report where it says all there is to say, else one made anew; of a run that has ended, that one
/// is stored.
async fn report(
    storage: &dyn Storage,
    mut run: FrozenRun,
    reference: Option<&ReferenceFiles>,
) -> Result<Reported, CliError> {
    let ledger = setup::ledger(storage, &run).await?;
    run.plan.take_changes(&ledger.decisions.changed_inputs);
    let id = &run.record.run;
    let tally = Tally::up_to_date(storage, &run, &ledger).await;
    let tally = tally.map_err(CliError::environment)?;
    let counts = tally.total_with_failed(storage, &run, &ledger).await;
    let counts = counts.map_err(CliError::environment)?;
    let standing = Standing::of(&run, &ledger, &tally);
    let is_complete = if standing.fate().has_ended() {
        let gone = gone::of_run(storage, &run, &ledger, &tally).await;
        let gone = gone.map_err(CliError::environment)?;
        if !gone.is_nothing() {
            let helps = gone.what_helps("`run` or `resume` makes it again");
            tracing::warn!(run = %id, %gone, "what the run has made is not all there; {helps}");
        }
        standing.with_gone(gone.paths.len()).fate().is_complete()
    } else {
        false
    };
    let stored = RunReport::stored_or_warned(storage, &run.record.run).await;
    let stored = stored.map_err(CliError::environment)?;
    // Another run may have had this one's name.
    let stored = stored.filter(|stored| stored.is_of(&run.record.plan_hash));
    let says_all = |stored: &RunReport| {
        stored.complete == is_complete
            && stored.is_last(&counts)
            && stored.items == run.plan.num_items()
            && stored.mark.is_none_or(|mark| mark == ledger.mark())
            && !stored.lacks_figures()
            && tally.damaged().is_empty()
    };
    // What is written here says nothing of the manifest and of the contact sheet, and takes back nothing that was said.
    let mark = stored.as_ref().and_then(|stored| stored.mark);
    // A manifest of fewer shards is to be made anew.
    let mark = mark.filter(|mark| *mark == ledger.mark());
    let contact_sheet_sha256 = stored
        .as_ref()
        .and_then(|stored| stored.contact_sheet_sha256.clone());
    if let Some(report) = stored.filter(|stored| reference.is_none() && says_all(stored)) {
        return Ok(Reported {
            run,
            ledger,
            tally,
            report,
        });
    }
    let fold = collect::fold(storage, &run, &ledger).await;
    let material = Material {
        run: &run,
        counts: &counts,
        left: Workload::left_by(&run, &ledger, &tally),
        fold: fold.map_err(CliError::environment)?,
        reference,
        is_complete,
    };
    let report = RunReport {
        damaged: tally.damaged().values().cloned().collect(),
        mark,
        contact_sheet_sha256,
        ..material.report(&SystemClock).await
    };
    if report.complete && reference.is_none() {
        store(storage, &report).await?;
    }
    Ok(Reported {
        run,
        ledger,
        tally,
        report,
    })
}
