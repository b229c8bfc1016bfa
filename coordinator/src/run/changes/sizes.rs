//! The sizes that files of inputs have now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::dataset::entry::DatasetEntry;
use shared::location::Location;
use shared::source::{self, Source};
use shared::storage::StorageError;

/// Returns the sizes of what lies in the folders of some inputs.
pub(super) async fn sizes<'a>(
    source: &dyn Source,
    inputs: impl Iterator<Item = &'a DatasetEntry>,
) -> Result<BTreeMap<PathBuf, u64>, StorageError> {
    let folders = inputs.flat_map(DatasetEntry::files);
    let folders: BTreeSet<&Path> = folders.filter_map(|file| file.path.parent()).collect();
    let mut sizes = BTreeMap::new();
    for folder in folders {
        let files = source.list(folder).await?.into_iter();
        sizes.extend(files.map(|file| (file.path, file.size_bytes)));
    }
    Ok(sizes)
}

/// Opens a dataset, and returns the sizes of what lies in the folders of some of its inputs.
pub(super) async fn open_with_sizes<'a>(
    at: &Location,
    inputs: impl Iterator<Item = &'a DatasetEntry>,
) -> Result<(Arc<dyn Source>, BTreeMap<PathBuf, u64>), StorageError> {
    let source = source::open(at).await?;
    let sizes = sizes(source.as_ref(), inputs).await?;
    Ok((source, sizes))
}

/// Returns an input with the sizes that its files have now; one that is not there has its old one.
pub(super) fn as_it_is(before: &DatasetEntry, sizes: &BTreeMap<PathBuf, u64>) -> DatasetEntry {
    let mut now = before.clone();
    let label = now.label.as_mut().map(|label| &mut label.file);
    for file in std::iter::once(&mut now.image).chain(label) {
        if let Some(&size_bytes) = sizes.get(&file.path).filter(|&&size| size > 0) {
            file.size_bytes = size_bytes;
        }
    }
    now
}
