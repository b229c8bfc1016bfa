//! Some doubtful items of a run for its page, each with its content, output and label beside what was predicted.

use image::RgbImage;
use imaging::NamedBytes;
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
    input_image, max_bytes_of_output, output_image, rgb_image, size_of,
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

/// Returns some doubtful items of a run, spread over its shards. What cannot be read is left out.
pub(super) async fn items(storage: &dyn Storage, shown: &Shown<'_>) -> Vec<DoubtfulItem> {
    let rows = chosen(storage, shown).await.unwrap_or_default();
    if rows.is_empty() {
        return Vec::new();
    }
    let contents = source::open(&shown.run.record.inputs.content).await.ok();
    let mut items = Vec::new();
    for row in rows {
        let agreement = row.quality.as_ref().and_then(AgreementReport::of_item);
        items.push(DoubtfulItem {
            agreement: agreement.map(|it| it.to_string()).unwrap_or_default(),
            pictures: pictures_of(storage, shown.run, contents.as_deref(), &row).await,
            style: row.item.style,
            content: row.item.content,
        });
    }
    items
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
    storage: &dyn Storage,
    run: &FrozenRun,
    contents: Option<&dyn Source>,
    row: &ManifestRow,
) -> Vec<(&'static str, String)> {
    let (id, item, model) = (&run.record.run, &row.item, &run.record.frozen.model);
    let output = ArtifactKey::Image(id.clone(), item.clone());
    let for_content = ArtifactKey::ContentPrediction(id.clone(), item.clone());
    let for_output = ArtifactKey::OutputPrediction(id.clone(), item.clone());
    let mut listings = run.plan.contents.iter();
    let listing = listings.find(|listing| listing.name() == item.content);
    let mut shown = Vec::new();
    for (what, photograph) in [
        ("content", content(run, contents, listing).await),
        ("output", output_image(storage, &output, model).await),
    ] {
        if let Some(image) = photograph {
            shown.extend(
                pictures::photograph(image, WIDTH)
                    .await
                    .map(|it| (what, it)),
            );
        }
    }
    for (what, classes) in [
        ("label", label(storage, run, listing).await),
        (
            "predicted for the content",
            output_image(storage, &for_content, model).await,
        ),
        (
            "predicted for the output",
            output_image(storage, &for_output, model).await,
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
    run: &FrozenRun,
    contents: Option<&dyn Source>,
    listing: Option<&DatasetEntry>,
) -> Option<RgbImage> {
    let frozen = &run.record.frozen;
    let classes = frozen.content.classes.as_ref();
    input_image(contents?, listing?, classes, size_of(&frozen.model)).await
}

/// Returns the label of an item in the colours of what it shows.
async fn label(
    storage: &dyn Storage,
    run: &FrozenRun,
    listing: Option<&DatasetEntry>,
) -> Option<RgbImage> {
    let listing = listing?;
    let stored_as = listing.label.as_ref()?.reading.stored_kind();
    let frozen = &run.record.frozen;
    let key = ArtifactKey::Label(run.record.run.clone(), listing.name().to_owned());
    let bytes = storage.read_within(&key, max_bytes_of_output(&frozen.model));
    let (name, bytes) = (key.path(), bytes.await.ok()?);
    let classes = frozen.content.classes.clone();
    let work = move || {
        let file = NamedBytes {
            name: &name,
            bytes: &bytes,
        };
        let shown = imaging::label_ids(file, stored_as, classes.as_ref()).ok()?;
        rgb_image(shown.colours())
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
