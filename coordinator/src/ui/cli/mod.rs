//! The command line: a file or folder for each command.
//!
//! - `setup`, `compute`: what several commands open and check; `dashboard`: where it listens
//! - `compare`: small runs side by side before a large one
//! - `demo`: the example that comes with the program
//! - `doctor`, `completions`, `man`: what there is on this machine, what shells complete, and pages of the manual
//! - `ending`: what is stored of a run in the end, collected and told
//! - `exit`: exit codes and errors; `files`: files that commands write
//! - `without_engine`: the commands that compute, in a program that was built without the engine

mod audit;
mod cancel;
mod collect;
#[cfg(feature = "embedded")]
mod compare;
mod completions;
#[cfg(feature = "embedded")]
mod compute;
mod dashboard;
#[cfg(feature = "embedded")]
mod demo;
mod doctor;
mod ending;
mod exit;
mod export;
mod files;
mod launch;
mod man;
#[cfg(feature = "embedded")]
mod priors;
#[cfg(feature = "embedded")]
mod probe;
#[cfg(feature = "embedded")]
mod reference_stats;
mod report;
mod resume;
#[cfg(feature = "embedded")]
mod run;
mod serve;
mod setup;
mod status;
#[cfg(feature = "embedded")]
mod transfer;
#[cfg(any(test, not(feature = "embedded")))]
mod without_engine;

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
pub use exit::{CliError, Outcome};
use shared::paths;
#[cfg(not(feature = "embedded"))]
use without_engine::{
    self as compare, self as demo, self as priors, self as probe, self as reference_stats,
    self as run, self as transfer,
};
#[cfg(feature = "embedded")]
use worker::attempt::AttemptError;

/// Converts a labelled synthetic driving dataset into realistic ones, in the style of a few real photographs.
///
/// Every content (synthetic image) is converted into every style (real photograph) with CACTIF, a training-free
/// diffusion style transfer that respects semantic classes, so the labels stay valid. What is stored is the truth: run
/// a command again and it goes on where it stopped.
///
/// On one machine `run` does everything. With many, `launch` hands the shards to a RabbitMQ broker, `worker` processes
/// convert them, and `serve` watches; all of them share a storage root, a folder or s3://bucket/prefix. The broker's
/// address stands in SYNTH2REAL_BROKER_URL or in the settings file.
///
/// Exit codes: 0 done; 1 finished with quarantined or failed items, halted, or an audit that failed; 2 wrong usage or
/// settings; 3 something around the program (model, device, storage, broker) cannot be used, or storage lost what was
/// stored; 130 or 143 interrupted, run again to go on; 141 the reader of what was to be printed went away.
#[derive(Debug, Parser)]
#[command(name = "synth2real", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plan and convert here, in this process; run it again to resume
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "(needs the engine, which is not in this program)"
    )]
    ///
    /// Images, labels and a Parquet manifest are stored below `runs/NAME/` of the run's root. A run that was killed
    /// goes on with what is missing; a changed setting, model or dataset is refused, saying what changed.
    ///
    /// With `--part K/N` it makes one of N parts of the run, such as a task of a Slurm array. Parts need no broker: any
    /// of them may run anywhere, again, or twice at once. None takes up a run that was halted, or shards that failed:
    /// `resume --parts N` does, and prints which parts to run.
    Run(run::RunArgs),
    /// Copy the example that comes with the program into a folder and convert it; do it again to resume
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "(needs the engine, which is not in this program)"
    )]
    ///
    /// Twelve drawn street scenes become a night, a snow and an autumn one each, in about a minute on two cores; two of
    /// them by other methods as well, which the contact sheet shows beneath. What is in the folder already is never
    /// written over.
    Demo(demo::DemoArgs),
    /// Plan, freeze and hand the shards to the broker; launch it again to resume
    ///
    /// Workers that share the storage root and the broker convert them, whenever they come. The datasets and the model
    /// must be where every worker finds them: at the same path, or in a bucket.
    Launch(launch::LaunchArgs),
    /// Watch every run of a storage root, and show them in a browser
    ///
    /// Counts, stops runs that fail too often, writes manifests of those that ended, and serves the dashboard: progress
    /// of every run, its shards, items and workers, and what can be done about them. It listens on this machine alone
    /// unless there is a token, which a browser is asked for and scripts send as `Authorization: Bearer`. Beyond this
    /// machine put a proxy with TLS in front of it, one that passes the Host header on.
    Serve(serve::ServeArgs),
    /// Show how far a run is; exit 1 if items failed, something that was made is gone, or the run is halted
    ///
    /// It goes by the names and sizes of what is stored, and reads of shards only those that were not counted before or
    /// have another size now; `audit` reads everything and compares it.
    Status(status::StatusArgs),
    /// Hand the shards of a run that are missing or failed to the broker again, or its quarantined items
    ///
    /// What is to be done is found from storage alone: it helps after a broker lost its disk, after a cancel, and to
    /// try failed shards anew. A shard that is in some worker's hands may be published twice, which does no harm.
    ///
    /// `--only quarantined` tries items again whose inputs were mended or have come back. Without a broker that is noted
    /// with the run, and the next `synth2real run CONFIG` does it.
    ///
    /// With `--parts N` nothing is published: it is noted with the run what is to be done, and printed which of the N
    /// parts of `run --part K/N` do it, as Slurm takes them.
    Resume(resume::ResumeArgs),
    /// Stop a run: workers finish the image in hand and drop its shards; `resume` takes it up again
    Cancel(cancel::CancelArgs),
    /// Make manifest and report of what is committed; exit 1 if items failed or the run has not ended
    ///
    /// `run` does so at its end, the last of its parts does, and so does `serve`. It helps where the last one could not,
    /// and may be repeated at any time.
    Collect(collect::CollectArgs),
    /// Prove that every planned item is stored or accounted for, with the right digests; exit 1 if not
    Audit(audit::AuditArgs),
    /// Say what came out: FID, KID, SSIM, LPIPS and label agreement per style, throughput, and what was not converted
    ///
    /// Figures are computed from what workers committed with the images. Several runs are put side by side, such as the
    /// four methods. While a run is under way, it says what is there so far.
    Report(report::ReportArgs),
    /// Write what a run has made as a set that trains as it is: for Cityscapes' tools, WebDataset, Hugging Face, COCO, FiftyOne
    ///
    /// Every export has a card (README.md), which is written last, Croissant metadata, a table of its items and the digests
    /// of its files. One that was stopped goes on when the same command is given again; nothing is ever written over.
    /// `--check` compares an export with its digests; exit 1 if something differs.
    Export(export::ExportArgs),
    /// Make the statistics of real photographs that FID and KID compare a style with
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "(needs the engine, which is not in this program)"
    )]
    ReferenceStats(reference_stats::ReferenceStatsArgs),
    /// Convert one image in the style of another
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "(needs the engine, which is not in this program)"
    )]
    Transfer(transfer::TransferArgs),
    /// Check a run's model, device, storage, broker and datasets, time a few steps, and say how long the run will take
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "(needs the engine, which is not in this program)"
    )]
    Probe(probe::ProbeArgs),
    /// Compare methods and settings on a few images before a run: small runs of every combination, side by side
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "(needs the engine, which is not in this program)"
    )]
    ///
    /// `compare gta5.toml --vary method=cactif,fda --vary filter_fraction=0,0.5` converts the same contents into the same
    /// styles with every combination that makes a difference, below `compare/` of the run's root. Run it again after any
    /// interruption, or with other values: what is made is kept. A page and a picture show items by combinations, and
    /// above them the figures of each, with what the whole dataset would cost.
    ///
    /// `compare gta5.toml --pick 3` writes the settings file of combination 3, comments and all, beside the one that was
    /// compared.
    Compare(compare::CompareArgs),
    /// Make the class maps of styles without labels, to be looked at and corrected before a run begins
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "(needs the engine, which is not in this program)"
    )]
    ///
    /// Below the folder are `overlays/STYLE.png`, the photograph with the colours of its classes over it, and
    /// `maps/STYLE.png`, the map at the photograph's size: corrected and put beside the photograph, as its dataset names
    /// labels of train ids, it is a label and goes before the map. Nothing of the run is stored: its workers make the same
    /// maps, once each.
    Priors(priors::PriorsArgs),
    /// Say what of all that a run may need is there, and what to do about what is not; exit 3 if something is missing
    ///
    /// ONNX Runtime and the device, memory, threads, open files, disks, and what is named of storage roots, credentials, a
    /// broker and a settings file. It needs no run and leaves nothing behind; storage is tried out as at every start, with
    /// eight creates of one object at once. No secret is shown.
    Doctor(doctor::DoctorArgs),
    /// Print what a shell completes: source it, or put it where the shell looks
    Completions(completions::CompletionsArgs),
    /// Write the help of every command as pages for man
    Man(man::ManArgs),
}

/// Which storage root a run's name is looked up in.
#[derive(Debug, Args)]
struct RootArgs {
    /// The storage root: the folder or s3://bucket/prefix that holds `runs/`
    #[arg(
        long,
        env = "SYNTH2REAL_ROOT",
        default_value = "out",
        value_name = "ROOT"
    )]
    root: String,
}

/// A settings file.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The run's settings file, such as infra/demo/run.toml
    #[arg(value_name = "CONFIG", value_parser = path())]
    config: PathBuf,
}

impl Cli {
    /// Returns what is logged unless `RUST_LOG` says otherwise: a service tells what it does, a command only troubles.
    #[must_use]
    pub fn log_filter(&self) -> &'static str {
        match self.command {
            Command::Serve(_) => "info,ort=error,lapin=error",
            Command::Run(_)
            | Command::Demo(_)
            | Command::Launch(_)
            | Command::Status(_)
            | Command::Resume(_)
            | Command::Cancel(_)
            | Command::Collect(_)
            | Command::Audit(_)
            | Command::Report(_)
            | Command::Export(_)
            | Command::ReferenceStats(_)
            | Command::Transfer(_)
            | Command::Probe(_)
            | Command::Compare(_)
            | Command::Priors(_)
            | Command::Doctor(_)
            | Command::Completions(_)
            | Command::Man(_) => "warn,ort=error,lapin=error",
        }
    }
}

/// Runs a parsed command line.
///
/// # Errors
///
/// A [`CliError`] with the exit code that it leads to.
pub async fn main(cli: Cli) -> Result<Outcome, CliError> {
    match cli.command {
        Command::Run(args) => run::main(args).await,
        Command::Demo(args) => demo::main(args).await,
        Command::Launch(args) => launch::main(args).await,
        Command::Serve(args) => serve::main(args).await,
        Command::Status(args) => status::main(args).await,
        Command::Resume(args) => resume::main(args).await,
        Command::Cancel(args) => cancel::main(args).await,
        Command::Collect(args) => collect::main(args).await,
        Command::Audit(args) => audit::main(args).await,
        Command::Report(args) => report::main(args).await,
        Command::Export(args) => export::main(args).await,
        Command::ReferenceStats(args) => reference_stats::main(args).await,
        Command::Transfer(args) => transfer::main(args).await,
        Command::Probe(args) => probe::main(args).await,
        Command::Compare(args) => compare::main(args).await,
        Command::Priors(args) => priors::main(args).await,
        Command::Doctor(args) => doctor::main(args).await,
        Command::Completions(args) => completions::main(args).await,
        Command::Man(args) => man::main(args).await,
    }
}

/// Reads a path of the command line, in which `~` and `${NAME}` are expanded as in settings files.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(paths::given)
}

/// Returns why what an attempt does failed outside of one, in the words of the engine if it did.
#[cfg(feature = "embedded")]
fn attempt_error(error: AttemptError) -> CliError {
    match error {
        AttemptError::Engine(error) => CliError::environment(error),
        error => CliError::environment(error),
    }
}
