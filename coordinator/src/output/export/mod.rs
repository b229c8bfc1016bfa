//! Exports: the items of a run as a set that trains as it is, in a layout that other tools read.
//!
//! - [`options`]: what is asked for; `selection`, `validation`: which items are taken, and for what
//! - `set`, `names`: the items, and what their files are called
//! - `format`: a file for each layout
//! - `source`: images and labels of the run, compared with its rows
//! - `begin`, `record`: an export is begun, or taken up again where it stopped
//! - `files`, `packs`: what is written, a file for each picture or many in one; `place`: where, file by file
//! - `notes`: which files of many items are finished
//! - `table`, `croissant`, `card`, `sums`: what is said of it, for programs, people and `sha256sum`
//! - [`check`]: whether an export is as it was written
//!
//! An export is there once its card is: that is written last, after its list of digests. Everything in it is a function of
//! the run, of what was asked for and of its record, which is written first, once it is known that the rest can be. So an
//! export that was stopped is gone on with by doing it again: what is there is compared and left as it is, and other bytes
//! are refused.

mod begin;
mod card;
pub mod check;
mod croissant;
mod error;
mod files;
mod format;
mod names;
mod notes;
pub mod options;
mod packs;
mod place;
mod record;
mod selection;
mod set;
mod source;
mod sums;
mod table;
mod validation;

use std::sync::Arc;

use shared::location::Location;
use shared::target::Target;
use tokio_util::sync::CancellationToken;

pub use self::error::ExportError;
pub use self::format::Format;
pub use self::selection::LeftOut;
pub use self::source::Source;

use self::begin::Found;
use self::format::Layout;
use self::options::Options;
use self::packs::Pack;
use self::place::Place;
use self::record::ExportRecord;
use self::set::{Set, Split};
use self::sums::Sums;

/// The card of an export, which people read. It is written last.
const CARD: &str = "README.md";
/// What an export is of. It is written first.
const RECORD: &str = ".synth2real-export.json";
/// The digests of all other files, as coreutils' `sha256sum` writes and checks them.
const SUMS: &str = "SHA256SUMS";

/// Hears how far an export is.
pub trait Watch: Send + Sync {
    /// So many things begin, which `unit` names.
    fn begins(&self, total: usize, unit: &'static str);

    /// So many of them are done.
    fn reached(&self, count: usize);
}

/// What an export is made with.
pub struct Job<'a> {
    /// The run.
    pub source: Source<'a>,
    /// Where it goes.
    pub target: &'a dyn Target,
    /// Where that is.
    pub out: &'a Location,
    /// What is asked for.
    pub options: &'a Options,
    /// Who hears how far it is.
    pub watch: &'a dyn Watch,
    /// Told when it is to stop.
    pub stop: CancellationToken,
}

/// What an export has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Items of each split, with its name.
    pub splits: Vec<(String, usize)>,
    /// Files that are in it; 0 if it was there.
    pub num_files: usize,
    /// Items of the run that are not in it.
    pub left_out: LeftOut,
    /// Whether it was there already, whole.
    pub was_there: bool,
}

/// Exports a run, or goes on with an export that was stopped.
///
/// A few images are in memory at once, and a few hundred bytes of each item.
///
/// # Errors
///
/// [`ExportError`] if it cannot be made, or not there; what is written stays, and the same call goes on with it.
pub async fn export(job: &Job<'_>) -> Result<Exported, ExportError> {
    let (source, options) = (&job.source, job.options);
    source.check_places(job.out, options)?;
    source.check_whole(options).await?;
    let selected = selection::select(source, options).await?;
    let set = Arc::new(selected.set);
    let mut exported = Exported {
        splits: counts(&set),
        num_files: 0,
        left_out: selected.left_out,
        was_there: true,
    };
    let record = ExportRecord::new(source, options, &set, selected.left_out).await?;
    match begin::find(job.target, record).await? {
        Found::Finished => {
            // Leftovers only cost space, and may lie where nothing can be written.
            let _ = job.target.remove_unfinished().await;
        }
        Found::Unfinished(unfinished) => {
            exported.was_there = false;
            exported.num_files = write(job, set, *unfinished).await?;
        }
    }
    Ok(exported)
}

/// What is written of the pictures of a set, whose other files speak of it.
#[derive(Debug, Default)]
struct Written {
    /// What each label shows, by the position of its content, where each picture is a file.
    facts: Vec<Option<Box<format::LabelFacts>>>,
    /// Files with the pictures of many items.
    packs: Vec<Pack>,
}

/// Writes all that is missing of an export, its card last; returns how many files it has.
async fn write(
    job: &Job<'_>,
    set: Arc<Set>,
    unfinished: begin::Unfinished,
) -> Result<usize, ExportError> {
    let layout = unfinished.record.format.layout(job.options.file_bytes);
    // An export that cannot be divided is not begun: another number of bytes would be one of another export.
    let planned = match &layout {
        Layout::Files(_) => Vec::new(),
        Layout::Packs(layout) => packs::plan(job, &set, layout.as_ref()).await?,
    };
    let sha256 = unfinished.begin(job.target).await?;
    let begin::Unfinished {
        record, present, ..
    } = unfinished;
    let place = Place::new(job.target, present, job.stop.clone());
    let mut sums = Sums::new(job.target)?;
    sums.note(RECORD, &sha256)?;
    let written = match &layout {
        Layout::Files(layout) => files::write(job, &set, layout, &place, &mut sums).await?,
        Layout::Packs(layout) => {
            let work = packs::Work {
                job,
                set: &set,
                layout,
                place: &place,
            };
            work.write(planned, &mut sums).await?
        }
    };
    let written = Arc::new(written);
    if let Layout::Files(layout) = &layout {
        files::summarise(&set, layout, &written, &place, &mut sums).await?;
    }
    let table = table::writer(&set, &layout, &written);
    let table_sha256 = place.put(table::FILE, table).await?;
    sums.note(table::FILE, &table_sha256)?;
    let document = croissant::document(&record, &layout, &written, &table_sha256);
    let croissant_sha256 = place.put_text(croissant::FILE, document).await?;
    sums.note(croissant::FILE, &croissant_sha256)?;
    let card = card::text(&job.source, &record, &layout, &written);
    place.finish(card, sums).await
}

fn counts(set: &Set) -> Vec<(String, usize)> {
    let count = |split: Split| (set.split_name(split).to_owned(), set.of(split).count());
    set.splits().into_iter().map(count).collect()
}
