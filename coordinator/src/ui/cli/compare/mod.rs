//! `synth2real compare`: small runs of every combination of some settings, side by side before a large one is made.
//!
//! - `axes`: what is varied; `small`: the runs that come of it, checked and planned; `pick`: the settings of one of them
//! - `contact_sheet`: that of the run itself, with what was compared

mod axes;
mod contact_sheet;
mod pick;
mod small;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use shared::clock::SystemClock;
use shared::console;
use shared::settings::SettingsText;
use shared::shutdown;
use shared::storage::Storage;
use tokio_util::sync::CancellationToken;

use self::contact_sheet::OwnRun;
use self::small::{Planned, SmallRun, root_of};
use super::dashboard::{self, AccessArgs, CollectorOptions, Listening};
use super::run::POLL_EVERY;
use super::run::background::BackgroundDashboard;
use super::run::here::{FINISHING, Hands, RunHere};
use super::{CliError, ConfigArgs, Outcome, compute, setup};
use crate::output::comparison::{
    self, Column, Comparison, ComparisonError, Figures, Pictures, html, rows, sheet,
};
use crate::run::inventory::Listings;
use crate::work::collector::Mode;

/// Contents and styles at most: of more a run is no small one.
const MAX_COUNT: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    settings: ConfigArgs,
    /// A key of the settings with the values that are compared, such as `method=cactif,fda`; every combination of all such
    /// keys is made. A value with a comma stands in quotes
    #[arg(long, value_name = "KEY=V1,V2", required_unless_present = "pick")]
    vary: Vec<String>,
    /// How many contents each of them converts, spread over the dataset; 4 unless it is said
    #[arg(long, value_name = "N", value_parser = count)]
    contents: Option<usize>,
    /// Into how many styles; 2 unless it is said
    #[arg(long, value_name = "N", value_parser = count)]
    styles: Option<usize>,
    /// Draw the contact sheet of the run of CONFIG anew, which is made before: beneath what it made of the same items stands
    /// what the first five combinations make of them. The next `run` draws it without them
    #[arg(long)]
    contact_sheet: bool,
    /// Write the settings file of combination N of the last comparison, beside CONFIG
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["vary", "contents", "styles", "contact_sheet", "dashboard"]
    )]
    pick: Option<usize>,
    /// Show the comparison in a browser while it is made; `synth2real serve --root ROOT/compare` shows it afterwards
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = dashboard::ADDRESS
    )]
    dashboard: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=MAX_COUNT).contains(&count) => Ok(count),
        Ok(_) | Err(_) => Err(format!("must be 1 to {MAX_COUNT}")),
    }
}

impl CompareArgs {
    /// Returns what makes runs of some contents in some styles for the contact sheet of the run of a settings file.
    pub(super) fn for_contact_sheet(
        config: PathBuf,
        vary: &[&str],
        (contents, styles): (usize, usize),
    ) -> Self {
        Self {
            settings: ConfigArgs { config },
            vary: vary.iter().map(|&axis| axis.to_owned()).collect(),
            contents: Some(contents),
            styles: Some(styles),
            contact_sheet: true,
            pick: None,
            dashboard: None,
            access: AccessArgs::default(),
        }
    }
}

pub(super) async fn main(args: CompareArgs) -> Result<Outcome, CliError> {
    until(None, args).await
}

/// Makes a comparison until it has ended or a token is cancelled; signals are heeded if there is none.
pub(super) async fn until(
    stop: Option<CancellationToken>,
    args: CompareArgs,
) -> Result<Outcome, CliError> {
    let path = &args.settings.config;
    let settings = SettingsText::load(path).map_err(CliError::usage)?;
    if let Some(number) = args.pick {
        return pick::main(&settings, path, number).await;
    }
    let combinations = axes::combinations(&settings, &args.vary)?;
    let mut listings = Listings::default();
    let own_run = match args.contact_sheet {
        true => Some(OwnRun::open(&settings, &mut listings).await?),
        false => None,
    };
    let planned = Planned::of(&settings, combinations, &args, &mut listings).await?;
    for note in &planned.notes {
        tracing::warn!("{note}");
    }
    let listening = match &args.dashboard {
        Some(address) => Some(dashboard::listen(address, &args.access).await?),
        None => None,
    };
    let (_, root) = settings.run().map_err(CliError::usage)?;
    let storage = setup::writable_storage(&root_of(&root)).await?;
    check(storage.as_ref(), &planned).await?;
    let Planned {
        comparison, runs, ..
    } = planned;
    let stored = comparison.store(storage.as_ref()).await;
    stored.map_err(CliError::environment)?;
    let root = root_of(&root).to_string();
    let _dashboard = listening.map(|listening| show(&storage, root, &comparison, listening));
    let made = make(&storage, &comparison, &runs, stop).await?;
    let storage = storage.as_ref();
    let columns = comparison::columns(storage, &comparison).await;
    let columns = columns.map_err(comparison_error)?;
    let shown = store(storage, &comparison, &columns).await?;
    // All is drawn before anything is printed, of which a reader may want the first line alone.
    let contact_sheet = match own_run {
        Some(own_run) => own_run.draw(storage, &columns, made).await,
        None => Ok(None),
    };
    for line in lines(&columns).into_iter().chain([shown]) {
        console::print(line)?;
    }
    if let Some(sheet) = contact_sheet? {
        console::print(format_args!("contact sheet {sheet}"))?;
    }
    Ok(made)
}

/// Proves that there is room for what is not made yet, and says what is odd, as for a run of its own.
async fn check(storage: &dyn Storage, planned: &Planned) -> Result<(), CliError> {
    let mut missing = Vec::with_capacity(planned.runs.len());
    for run in &planned.runs {
        setup::warn_of_idle(&run.config.method);
        missing.push(run.missing(storage).await?);
    }
    // All are made on the same device, and judged by the same references.
    if let Some(SmallRun { config, inventory }) = planned.runs.first() {
        compute::check_all(config, &missing)?;
        setup::warn_of_references(config, inventory).await?;
    }
    Ok(())
}

/// Shows the comparison in a browser while it is made.
fn show(
    storage: &Arc<dyn Storage>,
    root: String,
    comparison: &Comparison,
    listening: Listening,
) -> BackgroundDashboard {
    console::tell(format_args!(
        "dashboard: {}/comparisons/{}",
        listening.address, comparison.run
    ));
    let options = CollectorOptions {
        storage: Arc::clone(storage),
        broker: None,
        root,
        mode: Mode::Observe,
        every: POLL_EVERY,
        stop: CancellationToken::new(),
    };
    BackgroundDashboard::start(options, listening)
}

/// Makes what is missing of every run, one after the other; returns how that ended.
async fn make(
    storage: &Arc<dyn Storage>,
    comparison: &Comparison,
    runs: &[SmallRun],
    stop: Option<CancellationToken>,
) -> Result<Outcome, CliError> {
    let stop = stop.unwrap_or_else(|| shutdown::on_signal(FINISHING));
    let mut ended = Outcome::Done;
    let combinations = comparison.combinations.iter().enumerate();
    for ((at, combination), small) in combinations.zip(runs) {
        if stop.is_cancelled() {
            return Ok(Outcome::Interrupted);
        }
        let (number, all, run) = (at + 1, runs.len(), &combination.run);
        let label = combination.label();
        console::tell(format_args!(
            "combination {number} of {all}: {label} (run {run})"
        ));
        let SmallRun { config, inventory } = small;
        let here = RunHere {
            config,
            inventory,
            existing: setup::existing(storage.as_ref(), config, inventory).await?,
            part: None,
        };
        let hands = Hands::new(config, Arc::clone(storage), Some(stop.child_token()));
        match here.make(hands, |_| ()).await? {
            Outcome::Done => {}
            Outcome::WithFailures => ended = Outcome::WithFailures,
            Outcome::Interrupted => return Ok(Outcome::Interrupted),
        }
    }
    Ok(ended)
}

/// Stores page and picture of what is there, and returns a line that says where these are.
async fn store(
    storage: &dyn Storage,
    comparison: &Comparison,
    columns: &[Column<'_>],
) -> Result<String, CliError> {
    let pictures = Pictures::open(storage, columns).await;
    let pictures = pictures.as_ref();
    let page = html::store(storage, comparison, columns, pictures, &SystemClock).await;
    let page = page.map_err(CliError::environment)?;
    let sheet = sheet::store(storage, comparison, columns, pictures).await;
    let sheet = sheet.map_err(CliError::environment)?;
    let sheet = sheet.map_or_else(String::new, |sheet| format!(", picture {sheet}"));
    Ok(format!("page {page}{sheet}"))
}

/// Returns what came out of each run, a line for each.
fn lines(columns: &[Column<'_>]) -> Vec<String> {
    let figures: Vec<&Figures> = columns.iter().map(|column| &column.figures).collect();
    let rows = rows(&figures);
    let line = |(at, column): (usize, &Column<'_>)| {
        let figures = rows.iter().map(|row| {
            let figure = &row.cells[at];
            format!("{} {figure}", row.title)
        });
        let figures: Vec<String> = figures.collect();
        let (number, label) = (at + 1, column.combination.label());
        format!("{number}: {label}: {}", figures.join("; "))
    };
    columns.iter().enumerate().map(line).collect()
}

fn comparison_error(error: ComparisonError) -> CliError {
    match error {
        ComparisonError::Run(error) => setup::freeze_error(error),
        error @ (ComparisonError::Malformed { .. }
        | ComparisonError::Ledger(_)
        | ComparisonError::Storage(_)) => CliError::environment(error),
    }
}
