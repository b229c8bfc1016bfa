//! What is decided of labels once, when a run is planned: what look-alikes are, and what all are stored as.
//!
//! The plan has it beside each label, so that every shard on every machine reads and stores a label alike.

use futures::future::join_all;
use imaging::{IdEvidence, NamedBytes, id_evidence};
use shared::dataset::entry::{DatasetEntry, DatasetLabel, IdKind, LabelKind};
use shared::dataset::layout::Layout;
use shared::read_file::{check_size, max_bytes};
use shared::source::Source;
use shared::storage::{StorageError, StorageErrorKind};
use shared::wording::counted;

/// Labels of each kind that are looked at, spread over the dataset: its contents may be many thousands.
const SAMPLE: usize = 32;
/// Labels that are read at once.
const READS_AT_ONCE: usize = 8;

/// Notes beside each label what ids are that could be of either kind: what a sample of the labels that promise the same
/// tells. Nothing is noted where it tells of both kinds or of none, where there are no levels, and where the settings say
/// what labels are.
///
/// A label that cannot be read tells nothing: its items wait for it, or are quarantined.
///
/// # Errors
///
/// If nothing of a sample can be read just now: what it would have told is decided once and for all.
pub(super) async fn tell_look_alikes(
    source: &dyn Source,
    listings: &mut [DatasetEntry],
) -> Result<(), StorageError> {
    let kinds = LabelKind::ALL.into_iter();
    for kind in kinds.filter(|kind| kind.is_of_cityscapes()) {
        let is_asked = |label: &DatasetLabel| label.reading.kind == kind && !label.reading.stated;
        let labels = listings.iter().filter_map(|listing| listing.label.as_ref());
        let labels: Vec<&DatasetLabel> = labels.filter(|label| is_asked(label)).collect();
        let sample = sample(labels.len()).map(|position| labels[position]);
        let sample: Vec<&DatasetLabel> = sample.collect();
        let (mut told, mut away) = (Vec::with_capacity(sample.len()), None);
        for part in sample.chunks(READS_AT_ONCE) {
            for read in join_all(part.iter().map(|label| evidence(source, label))).await {
                match read {
                    Ok(evidence) => told.push(evidence),
                    Err(error) => away = Some(error),
                }
            }
        }
        if let Some(error) = away
            && told.is_empty()
        {
            return Err(error);
        }
        let look_alikes = told_of_all(&told);
        let labels = listings.iter_mut().filter_map(|it| it.label.as_mut());
        for label in labels.filter(|label| is_asked(label)) {
            label.reading.look_alikes = look_alikes;
        }
    }
    Ok(())
}

/// Returns positions among `count`, evenly spread and always the same.
fn sample(count: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(SAMPLE);
    (0..taken).map(move |position| position * count / taken)
}

async fn evidence(source: &dyn Source, label: &DatasetLabel) -> Result<IdEvidence, StorageError> {
    let file = &label.file;
    if check_size(file.size_bytes, max_bytes::DATA).is_err() {
        return Ok(IdEvidence::default());
    }
    let bytes = match source.read(&file.path).await {
        Ok(bytes) => bytes,
        Err(error) => match error.kind {
            StorageErrorKind::Unavailable | StorageErrorKind::Denied => return Err(error),
            StorageErrorKind::NotFound
            | StorageErrorKind::Conflict
            | StorageErrorKind::Full
            | StorageErrorKind::Invalid => return Ok(IdEvidence::default()),
        },
    };
    let name = source.locate(&file.path);
    let look = move || {
        id_evidence(NamedBytes {
            name: &name,
            bytes: &bytes,
        })
    };
    Ok(shared::blocking::run(look).await)
}

/// Returns what ids are of which some labels tell: none if they contradict each other, or none has levels.
fn told_of_all(told: &[IdEvidence]) -> Option<IdKind> {
    let has_levels = told.iter().any(|evidence| evidence.has_levels);
    let mut kinds = told.iter().filter_map(|evidence| evidence.ids);
    let first = kinds.next().filter(|_| has_levels)?;
    kinds.all(|kind| kind == first).then_some(first)
}

/// Has all labels of a run's contents stored as one kind, where files of several were found: as the label ids that the
/// layout promises, which every train id and every class colour has one of. Returns a line about it.
pub(super) fn store_as_one_kind(layout: Layout, listings: &mut [DatasetEntry]) -> Option<String> {
    let labels = listings.iter().filter_map(|listing| listing.label.as_ref());
    let kinds: Vec<LabelKind> = labels.map(|label| label.reading.kind).collect();
    let count = |kind: LabelKind| kinds.iter().filter(|&&of| of == kind).count();
    let found = LabelKind::ALL.map(|kind| (kind, count(kind)));
    let found = found.into_iter().filter(|(_, count)| *count > 0);
    let found: Vec<(LabelKind, usize)> = found.collect();
    if found.len() < 2 {
        return None;
    }
    let stored = match layout {
        Layout::Gta5 => LabelKind::PaletteIds,
        Layout::Cityscapes | Layout::Acdc | Layout::Synscapes => LabelKind::LabelIds,
        Layout::Bdd100k => LabelKind::TrainIds,
        Layout::Synthia => LabelKind::SynthiaIds,
        Layout::Carla => LabelKind::CarlaTags,
        Layout::OldCarla => LabelKind::OldCarlaTags,
    };
    for label in listings.iter_mut().filter_map(|it| it.label.as_mut()) {
        label.reading = label.reading.stored_as(stored);
    }
    let of_kind = |(kind, count): &(LabelKind, usize)| format!("{count} of {kind}");
    let found: Vec<String> = found.iter().map(of_kind).collect();
    Some(format!(
        "content: {} are of several kinds ({}): all are stored as {stored}",
        counted(kinds.len(), "label", "labels"),
        found.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use imaging::encode_png;
    use shared::dataset::entry::{DatasetFile, LabelReading};
    use shared::source::LocalSource;

    use super::*;

    fn listing(name: &str, kind: LabelKind) -> DatasetEntry {
        let file = |folder: &str| DatasetFile {
            path: format!("{folder}/{name}.png").into(),
            size_bytes: 7,
        };
        DatasetEntry {
            name: name.to_owned(),
            image: file("images"),
            label: Some(DatasetLabel {
                file: file("labels"),
                reading: LabelReading::promised(kind),
            }),
        }
    }

    /// Returns what is noted of a dataset with these labels, each of one row of levels.
    async fn noted(labels: &[&[u8]]) -> Vec<Option<IdKind>> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("labels")).unwrap();
        let mut listings = Vec::new();
        for (position, levels) in labels.iter().enumerate() {
            let grey: Vec<u8> = levels.iter().flat_map(|&level| [level; 3]).collect();
            let pixels = ndarray::Array3::from_shape_vec((1, levels.len(), 3), grey).unwrap();
            let path = root.path().join(format!("labels/{position}.png"));
            fs::write(path, encode_png(pixels.view()).unwrap()).unwrap();
            listings.push(listing(&position.to_string(), LabelKind::PaletteIds));
        }
        listings.push(listing("gone", LabelKind::PaletteIds));
        let told = tell_look_alikes(&LocalSource::new(root.path()), &mut listings).await;
        told.unwrap();
        let labels = listings.into_iter().filter_map(|listing| listing.label);
        labels.map(|label| label.reading.look_alikes).collect()
    }

    const TRAIN: &[u8] = &[0, 1, 2, 255];
    const LABEL: &[u8] = &[7, 11, 23, 26];
    const BOTH: &[u8] = &[0, 8, 11, 13];

    #[tokio::test]
    async fn labels_that_tell_their_kind_tell_that_of_look_alikes_whatever_their_order() {
        for labels in [[TRAIN, TRAIN, BOTH], [BOTH, TRAIN, BOTH]] {
            assert_eq!(noted(&labels).await, [Some(IdKind::TrainIds); 4]);
        }
        assert_eq!(noted(&[BOTH, LABEL]).await, [Some(IdKind::LabelIds); 3]);
    }

    #[tokio::test]
    async fn where_labels_tell_of_both_kinds_or_of_none_nothing_is_decided() {
        assert_eq!(noted(&[TRAIN, BOTH, LABEL]).await, [None; 4]);
        assert_eq!(noted(&[BOTH, BOTH]).await, [None; 3]);
    }

    #[test]
    fn a_sample_is_spread_over_all_and_is_all_of_a_few() {
        assert_eq!(sample(0).count(), 0);
        assert_eq!(sample(3).collect::<Vec<_>>(), [0, 1, 2]);
        let spread: Vec<usize> = sample(24_966).collect();
        assert_eq!(spread.len(), SAMPLE);
        assert_eq!(spread[0], 0);
        assert!(spread.is_sorted() && spread[SAMPLE - 1] > 24_000);
    }

    #[test]
    fn labels_of_several_kinds_are_stored_as_one_and_counted() {
        let of = |kinds: &[LabelKind]| {
            let listings = kinds.iter().enumerate();
            let listings = listings.map(|(name, &kind)| listing(&name.to_string(), kind));
            listings.collect::<Vec<_>>()
        };
        let mut alike = of(&[LabelKind::TrainIds, LabelKind::TrainIds]);
        assert_eq!(store_as_one_kind(Layout::Cityscapes, &mut alike), None);
        let reading = |listing: &DatasetEntry| listing.label.as_ref().unwrap().reading;
        assert_eq!(reading(&alike[0]).stored_kind(), LabelKind::TrainIds);

        let mut mixed = of(&[
            LabelKind::TrainIds,
            LabelKind::Colour,
            LabelKind::Colour,
            LabelKind::LabelIds,
        ]);
        let told = store_as_one_kind(Layout::Cityscapes, &mut mixed);
        assert_eq!(
            told.as_deref(),
            Some(
                "content: 4 labels are of several kinds (1 of label-ids, 1 of train-ids, 2 of colour): all are stored as \
                 label-ids"
            )
        );
        let stored = |listing: &DatasetEntry| reading(listing).stored_kind() == LabelKind::LabelIds;
        assert!(mixed.iter().all(stored));
    }
}
