//! How many pixels of each class the contents show, for rare-class sampling.

use std::path::Path;

use worker::dataset::{Listing, NamedBytes, count_classes};

use super::InventoryError;
use crate::plan::ClassPixels;

/// Returns the class pixels of each content. A label that cannot be read shows no class: its item will be quarantined.
pub(super) fn count(root: &Path, contents: &[Listing]) -> Result<Vec<ClassPixels>, InventoryError> {
    let of = |content: &Listing| -> Result<ClassPixels, InventoryError> {
        let Listing::Pair(pair) = content else {
            return Ok([0; 19]);
        };
        let path = root.join(&pair.label);
        let bytes = std::fs::read(&path).map_err(|source| InventoryError::Read {
            path: path.display().to_string(),
            source,
        })?;
        let name = path.display().to_string();
        Ok(count_classes(
            NamedBytes {
                name: &name,
                bytes: &bytes,
            },
            pair.label_kind,
        )
        .unwrap_or_default())
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let parts: Vec<_> = contents
            .chunks(contents.len().div_ceil(threads).max(1))
            .map(|part| scope.spawn(move || part.iter().map(of).collect::<Result<Vec<_>, _>>()))
            .collect();
        let counted = parts.into_iter().map(|part| match part.join() {
            Ok(counted) => counted,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        Ok(counted.collect::<Result<Vec<_>, _>>()?.concat())
    })
}
