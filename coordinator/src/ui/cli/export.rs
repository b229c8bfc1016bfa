//! `synth2real export`: a run as a set that trains as it is.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use shared::console;
use shared::ids::RunId;
use shared::location::{Location, LocationError};
use shared::shutdown;
use shared::target;
use shared::wording::{MOST_NAMES, MOST_TEXT_BYTES, Thousands, counted, human, one_line};

use super::{CliError, Outcome, RootArgs, setup};
use crate::output::export::options::{
    FILE_BYTES, Filters, MAX_FILE_BYTES, MIN_FILE_BYTES, Options, Share, SplitName, Splits, Without,
};
use crate::output::export::{self, ExportError, Exported, Format, Job, Source, Watch, check};
use crate::ui::progress::CountProgress;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The run's name
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    root: RootArgs,
    /// The layout: cityscapes, webdataset, huggingface, coco-panoptic or fiftyone
    #[arg(long = "as", value_name = "FORMAT", required_unless_present = "check")]
    format: Option<Format>,
    /// Where it goes: a folder or s3://bucket/prefix, in which nothing is yet but a part of the same export
    #[arg(long, value_name = "DIR", value_parser = location)]
    out: Location,
    /// Only styles that this glob matches; may be given several times
    #[arg(long = "style", value_name = "GLOB")]
    styles: Vec<String>,
    /// Only images whose label shows this class, such as rider; may be given several times, and one of them is enough
    #[arg(long = "class", value_name = "NAME")]
    classes: Vec<String>,
    /// No items that are doubtful (their labels hardly hold, as the run's segmenter sees it), or warned (done with a
    /// warning); may be given twice
    #[arg(long, value_name = "WHICH")]
    without: Vec<Without>,
    /// A share of the contents for validation, such as 0.1: no content is in both parts
    #[arg(long, value_name = "SHARE")]
    val: Option<Share>,
    /// What the items are called that are not for validation
    #[arg(long, value_name = "NAME", default_value = "train")]
    split: SplitName,
    /// Take what is there of a run that is not complete; the card says so
    #[arg(long)]
    partial: bool,
    /// Link images instead of copying them, from folder to folder: who changes one changes the run
    #[arg(long)]
    link: bool,
    /// The most bytes of an archive (webdataset), or of a file of a table (huggingface)
    #[arg(long, value_name = "N", default_value_t = FILE_BYTES,
          value_parser = clap::value_parser!(u64).range(MIN_FILE_BYTES..=MAX_FILE_BYTES))]
    file_bytes: u64,
    /// A licence for the card beside those of `[run] licences`; may be given several times
    #[arg(long = "licence", value_name = "TEXT", value_parser = licence)]
    licences: Vec<String>,
    /// Write nothing: compare an export of the run with its digests; exit 1 if something differs
    #[arg(long, alias = "audit")]
    check: bool,
}

/// Reads a folder or bucket of the command line, in which `~` and `${NAME}` are expanded as in settings files.
fn location(text: &str) -> Result<Location, LocationError> {
    Location::given(text, Path::new(""))
}

/// Reads a line of the card.
fn licence(text: &str) -> Result<String, String> {
    let is_line = !text.trim().is_empty() && one_line(text) == text;
    if is_line && text.len() <= MOST_TEXT_BYTES {
        return Ok(text.to_owned());
    }
    Err(format!("expected a line of 1 to {MOST_TEXT_BYTES} bytes"))
}

pub(super) async fn main(args: ExportArgs) -> Result<Outcome, CliError> {
    match args.format {
        Some(format) if !args.check => make(format, &args).await,
        Some(_) | None => compare(&args).await,
    }
}

/// Exports a run, or goes on with that.
async fn make(format: Format, args: &ExportArgs) -> Result<Outcome, CliError> {
    let filters = Filters::new(&args.styles, &args.classes, &args.without);
    let options = Options {
        format,
        filters: filters.map_err(CliError::usage)?,
        splits: Splits {
            train: args.split.clone(),
            validation: args.val,
        },
        partial: args.partial,
        link: args.link,
        file_bytes: args.file_bytes,
        licences: args.licences.clone(),
    };
    let storage = setup::storage(&args.root).await?;
    let root = setup::location(&args.root)?;
    let mut run = setup::run(storage.as_ref(), &args.run).await?;
    let ledger = setup::ledger(storage.as_ref(), &run).await?;
    run.plan.take_changes(&ledger.decisions.changed_inputs);
    let target = target::open(&args.out).await;
    let target = target.map_err(CliError::environment)?;
    let progress = Progress::default();
    let job = Job {
        source: Source {
            storage: storage.as_ref(),
            root: &root,
            run: &run,
            ledger: &ledger,
        },
        target: target.as_ref(),
        out: &args.out,
        options: &options,
        watch: &progress,
        stop: shutdown::on_signal("stopping after the files in hand"),
    };
    let started = Instant::now();
    let exported = export::export(&job).await;
    let reached = progress.finish();
    match exported {
        Ok(exported) => {
            tell(args, format, &exported, started);
            Ok(Outcome::Done)
        }
        Err(ExportError::Stopped) => {
            console::note(format_args!(
                "stopped at {}; run the same command again to go on",
                reached.unwrap_or_else(|| "the beginning".to_owned())
            ));
            Ok(Outcome::Interrupted)
        }
        Err(error) => Err(cli_error(error)),
    }
}

fn tell(args: &ExportArgs, format: Format, exported: &Exported, started: Instant) {
    let (run, out) = (&args.run, &args.out);
    if exported.was_there {
        console::tell(format_args!(
            "{out} is this export of run {run} as {format} already: nothing was written; --check compares it"
        ));
        return;
    }
    for line in exported.left_out.lines() {
        console::tell(format_args!("left out: {line}"));
    }
    console::tell(format_args!(
        "run {run} as {format}: {} in {}, {}, {out}",
        images(&exported.splits),
        counted(exported.num_files, "file", "files"),
        human(started.elapsed()),
    ));
}

/// Returns how many images each split has.
fn images(splits: &[(String, usize)]) -> String {
    let counts = splits.iter();
    let counts: Vec<String> = counts
        .map(|(name, count)| format!("{} {name}", Thousands(*count)))
        .collect();
    let is_one = splits.iter().map(|(_, count)| count).sum::<usize>() == 1;
    let unit = if is_one { "image" } else { "images" };
    format!("{} {unit}", counts.join(" and "))
}

/// Compares an export with its digests.
async fn compare(args: &ExportArgs) -> Result<Outcome, CliError> {
    let target = target::open(&args.out).await;
    let target = target.map_err(CliError::environment)?;
    let progress = Progress::default();
    let checked = check::check(target.as_ref(), &args.run, &progress).await;
    progress.finish();
    let checked = checked.map_err(cli_error)?;
    for finding in checked.findings.iter().take(MOST_NAMES) {
        console::print(finding)?;
    }
    if let Some(more @ 1..) = checked.findings.len().checked_sub(MOST_NAMES) {
        let more = counted(more, "more finding", "more findings");
        console::print(format_args!("and {more}"))?;
    }
    let is_clean = checked.findings.is_empty();
    console::print(format_args!(
        "check of the export of run {} in {} {}: {}, {}",
        args.run,
        args.out,
        if is_clean { "clean" } else { "FAILED" },
        counted(checked.num_files, "file", "files"),
        counted(checked.findings.len(), "finding", "findings"),
    ))?;
    Ok(if is_clean {
        Outcome::Done
    } else {
        Outcome::WithFailures
    })
}

fn cli_error(error: ExportError) -> CliError {
    match error {
        ExportError::Refused(_) => CliError::usage(error),
        ExportError::Gone(_)
        | ExportError::Altered { .. }
        | ExportError::Label { .. }
        | ExportError::Ledger(_)
        | ExportError::Storage(_)
        | ExportError::Other { .. }
        | ExportError::Away { .. }
        | ExportError::Stopped => CliError::environment(error),
    }
}

/// A bar for what is done now.
#[derive(Debug, Default)]
struct Progress(Mutex<Option<Stage>>);

/// What is done now.
#[derive(Debug)]
struct Stage {
    bar: CountProgress,
    total: usize,
    unit: &'static str,
    reached: usize,
}

impl Progress {
    /// Takes the bar away; returns how far it came.
    fn finish(&self) -> Option<String> {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stage = stage.take()?;
        stage.bar.finish();
        let (reached, total) = (Thousands(stage.reached), Thousands(stage.total));
        Some(format!("{reached} of {total} {}", stage.unit))
    }
}

impl Watch for Progress {
    fn begins(&self, total: usize, unit: &'static str) {
        self.finish();
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *stage = Some(Stage {
            bar: CountProgress::new(total, unit),
            total,
            unit,
            reached: 0,
        });
    }

    fn reached(&self, count: usize) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = stage.as_mut() {
            stage.reached = count;
            stage.bar.reached(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_is_no_images() {
        let told = |counts: &[(&str, usize)]| {
            let splits = counts.iter();
            let splits: Vec<_> = splits
                .map(|&(name, count)| (name.to_owned(), count))
                .collect();
            images(&splits)
        };
        assert_eq!(told(&[("train", 1)]), "1 train image");
        assert_eq!(
            told(&[("train", 1), ("val", 1)]),
            "1 train and 1 val images"
        );
        assert_eq!(
            told(&[("train", 1200), ("val", 1)]),
            "1,200 train and 1 val images"
        );
    }
}
