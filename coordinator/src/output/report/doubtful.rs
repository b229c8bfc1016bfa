//! Some doubtful items of a run for its page, each with its content, output and label beside what was predicted.

use image::RgbImage;
use imaging::{LoadError, NamedBytes};
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::ids::ShardId;
use shared::manifest::ManifestRow;
use shared::source::{self, Source};
use shared::storage::Storage;

use super::AgreementReport;
use super::html::Shown;
use super::pictures;
use crate::output::contact_sheet::{
    Unshown, input_image, max_bytes_of_output, output_image, rgb_image, size_of,
};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::LedgerError;
use crate::run::tally;

/// Items that are shown of a run at most.
const MOST: usize = 6;
/// Width of their pictures, in pixels.
const WIDTH: u32 = 320;

/// A doubtful item as the page shows it.
pub(super) struct DoubtfulItem {
    pub(super) style: String,
    pub(super) content: String,
    /// How it agrees with its label, compared with its content.
    pub(super) agreement: String,
    /// What each picture shows, and the picture.
    pub(super) pictures: Vec<(&'static str, String)>,
}

/// Returns some doubtful items of a run, spread over its shards. What cannot be read is left out, and a warning names it.
pub(super) async fn items(
    storage: &dyn Storage,
    shown: &Shown<'_>,
    unshown: &Unshown,
) -> Vec<DoubtfulItem> {
    let rows = unshown.shown(chosen(storage, shown).await);
    let Some(rows) = rows.filter(|rows| !rows.is_empty()) else {
        return Vec::new();
    };
    let contents = unshown.shown(source::open(&shown.run.record.inputs.content).await);
    let of = Sources {
        storage,
        contents: contents.as_deref(),
        unshown,
    };
    let mut items = Vec::new();
    for row in rows {
        let agreement = row.quality.as_ref().and_then(AgreementReport::of_item);
        items.push(DoubtfulItem {
            agreement: agreement.map(|it| it.to_string()).unwrap_or_default(),
            pictures: pictures_of(of, shown.run, &row).await,
            style: row.item.style,
            content: row.item.content,
        });
    }
    items
}

/// Where pictures are.
#[derive(Clone, Copy)]
struct Sources<'a> {
    storage: &'a dyn Storage,
    /// The dataset of contents, where it can be opened.
    contents: Option<&'a dyn Source>,
    unshown: &'a Unshown,
}

impl Sources<'_> {
    /// Returns an output, or what was predicted; none if it is not there or cannot be read.
    async fn stored(&self, run: &FrozenRun, key: &ArtifactKey) -> Option<RgbImage> {
        let image = output_image(self.storage, key, &run.record.frozen.model).await;
        self.unshown.shown(image).flatten()
    }
}

/// Returns the rows of the items: one of each shard that is looked at, then another of each.
async fn chosen(storage: &dyn Storage, shown: &Shown<'_>) -> Result<Vec<ManifestRow>, LedgerError> {
    let counted = shown.tally.shards();
    let counted = counted.filter(|(_, shard)| shard.counts.doubtful > 0);
    let doubtful: Vec<ShardId> = counted.map(|(id, _)| id).collect();
    let mut of_shards = Vec::new();
    for shard in spread(&doubtful) {
        let rows = match shown.ledger.shard_rows(storage, shown.run, shard).await {
            // It is told with the report.
            Err(error) if error.is_damage() => continue,
            rows => rows?,
        };
        of_shards.push(rows.into_iter().filter(tally::is_doubtful));
    }
    let mut rows = Vec::new();
    for _ in 0..MOST {
        rows.extend(of_shards.iter_mut().filter_map(Iterator::next));
    }
    rows.truncate(MOST);
    Ok(rows)
}

/// Returns as many as are shown, as far apart as they can be.
fn spread<T: Copy>(all: &[T]) -> Vec<T> {
    let number = all.len().min(MOST);
    let chosen = (0..number).map(|at| all[at * all.len() / number]);
    chosen.collect()
}

async fn pictures_of(
    of: Sources<'_>,
    run: &FrozenRun,
    row: &ManifestRow,
) -> Vec<(&'static str, String)> {
    let (id, item) = (&run.record.run, &row.item);
    let output = ArtifactKey::Image(id.clone(), item.clone());
    let for_content = ArtifactKey::ContentPrediction(id.clone(), item.clone());
    let for_output = ArtifactKey::OutputPrediction(id.clone(), item.clone());
    let mut listings = run.plan.contents.iter();
    let listing = listings.find(|listing| listing.name() == item.content);
    let mut shown = Vec::new();
    for (what, photograph) in [
        ("content", content(of, run, listing).await),
        ("output", of.stored(run, &output).await),
    ] {
        if let Some(image) = photograph {
            shown.extend(
                pictures::photograph(image, WIDTH)
                    .await
                    .map(|it| (what, it)),
            );
        }
    }
    let label = match listing {
        Some(listing) => label(of.storage, run, listing).await,
        None => Ok(None),
    };
    for (what, classes) in [
        ("label", of.unshown.shown(label).flatten()),
        (
            "predicted for the content",
            of.stored(run, &for_content).await,
        ),
        (
            "predicted for the output",
            of.stored(run, &for_output).await,
        ),
    ] {
        if let Some(image) = classes {
            shown.extend(pictures::classes(image, WIDTH).await.map(|it| (what, it)));
        }
    }
    shown
}

/// Returns the content of an item as the model saw it.
async fn content(
    of: Sources<'_>,
    run: &FrozenRun,
    listing: Option<&DatasetEntry>,
) -> Option<RgbImage> {
    let frozen = &run.record.frozen;
    let classes = frozen.content.classes.as_ref();
    let image = input_image(of.contents?, listing?, classes, size_of(&frozen.model)).await;
    of.unshown.shown(image)
}

/// Returns the label of an item in the colours of what it shows; none if it has none.
async fn label(
    storage: &dyn Storage,
    run: &FrozenRun,
    listing: &DatasetEntry,
) -> Result<Option<RgbImage>, LoadError> {
    let Some(label) = &listing.label else {
        return Ok(None);
    };
    let stored_as = label.reading.stored_kind();
    let frozen = &run.record.frozen;
    let key = ArtifactKey::Label(run.record.run.clone(), listing.name().to_owned());
    let bytes = storage.read_within(&key, max_bytes_of_output(&frozen.model));
    let bytes = match bytes.await {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let name = storage.locate(&key);
    let classes = frozen.content.classes.clone();
    let work = move || -> Result<Option<RgbImage>, LoadError> {
        let file = NamedBytes {
            name: &name,
            bytes: &bytes,
        };
        let shown = imaging::label_ids(file, stored_as, classes.as_ref())?;
        Ok(Some(rgb_image(&shown.colours())))
    };
    shared::blocking::run(work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_six_are_shown_and_those_are_far_apart() {
        let all: Vec<usize> = (0..250_000).collect();
        let expected = [0, 41_666, 83_333, 125_000, 166_666, 208_333];
        assert_eq!(spread(&all), expected);
        assert_eq!(spread(&all[..6]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(spread(&all[..2]), [0, 1]);
        assert!(spread::<usize>(&[]).is_empty());
    }
}
