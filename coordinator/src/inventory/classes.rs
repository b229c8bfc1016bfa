//! How many pixels of each class the contents show, for rare-class sampling.

use std::path::Path;

use futures::future::try_join_all;
use shared::listing::{LabelKind, Listing};
use shared::source::Source;
use worker::dataset::{NamedBytes, count_classes};

use super::InventoryError;
use crate::plan::ClassPixels;

/// Labels that are read at once.
const READS_AT_ONCE: usize = 16;

/// Returns the class pixels of each content. A label that cannot be decoded shows no class: its item will be
/// quarantined.
pub(super) async fn count(
    source: &dyn Source,
    contents: &[Listing],
) -> Result<Vec<ClassPixels>, InventoryError> {
    let mut counts = Vec::with_capacity(contents.len());
    for part in contents.chunks(READS_AT_ONCE) {
        let reads = part.iter().map(|content| count_content(source, content));
        counts.extend(try_join_all(reads).await?);
    }
    Ok(counts)
}

async fn count_content(
    source: &dyn Source,
    content: &Listing,
) -> Result<ClassPixels, InventoryError> {
    match &content.label {
        Some(label) => count_label(source, &label.file.path, label.kind).await,
        None => Ok([0; 19]),
    }
}

async fn count_label(
    source: &dyn Source,
    label: &Path,
    kind: LabelKind,
) -> Result<ClassPixels, InventoryError> {
    let (name, bytes) = (source.locate(label), source.read(label).await?);
    let count = move || {
        let label = NamedBytes {
            name: &name,
            bytes: &bytes,
        };
        count_classes(label, kind).unwrap_or_default()
    };
    Ok(shared::blocking::run(count).await)
}
