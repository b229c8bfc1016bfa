//! What is left when a run has ended.

use std::collections::BTreeMap;
use std::path::Path;

use shared::manifest::ManifestRow;

use crate::stored;

/// What two equal runs agree about.
#[derive(Debug, PartialEq)]
pub struct Ending {
    pictures: BTreeMap<String, String>,
    rows: Vec<ManifestRow>,
}

impl Ending {
    pub(super) fn of(run: &Path) -> Self {
        let mut pictures = stored::pictures(run);
        pictures.remove("contact-sheet.png");
        Self {
            pictures,
            rows: stored::deterministic(stored::rows(&run.join("manifest.parquet"))),
        }
    }
}
