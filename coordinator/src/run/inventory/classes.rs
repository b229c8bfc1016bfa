//! How many pixels of each class the contents show, for rare-class sampling.

use futures::future::try_join_all;
use imaging::{LabelFile, NamedBytes, count_classes};
use shared::dataset::ClassTable;
use shared::dataset::entry::{DatasetEntry, DatasetLabel};
use shared::failure::chain;
use shared::source::Source;

use super::InventoryError;
use crate::run::gone;
use crate::run::plan::ClassPixels;

/// Labels that are read at once.
const READS_AT_ONCE: usize = 16;

/// Returns the class pixels of each content, whose labels a table may map to classes. A label that cannot be decoded shows
/// no class: its item will be quarantined.
pub(super) async fn count(
    source: &dyn Source,
    contents: &[DatasetEntry],
    classes: Option<&ClassTable>,
) -> Result<Vec<ClassPixels>, InventoryError> {
    let mut counts = Vec::with_capacity(contents.len());
    for part in contents.chunks(READS_AT_ONCE) {
        let reads = part
            .iter()
            .map(|content| count_content(source, content, classes));
        counts.extend(try_join_all(reads).await?);
    }
    Ok(counts)
}

async fn count_content(
    source: &dyn Source,
    content: &DatasetEntry,
    classes: Option<&ClassTable>,
) -> Result<ClassPixels, InventoryError> {
    match &content.label {
        Some(label) => count_label(source, label, classes.cloned()).await,
        None => Ok([0; 19]),
    }
}

async fn count_label(
    source: &dyn Source,
    label: &DatasetLabel,
    classes: Option<ClassTable>,
) -> Result<ClassPixels, InventoryError> {
    let path = &label.file.path;
    let bytes = gone::read_listed_input::<InventoryError>(source, path).await?;
    let name = source.locate(path);
    let reading = label.reading;
    let count = move || {
        let file = NamedBytes {
            name: &name,
            bytes: &bytes,
        };
        match count_classes(LabelFile::new(file, reading).with_classes(classes.as_ref())) {
            Ok(pixels) => pixels,
            Err(error) => {
                tracing::debug!(
                    label = name,
                    error = chain(&error),
                    "a label shows no class"
                );
                [0; 19]
            }
        }
    };
    Ok(shared::blocking::run(count).await)
}
