//! Manifests as files: what is written is read again, what others wrote is too, and what is damaged is noticed.

mod counted;
mod damage;
mod labels;
mod other_programs;
mod round_trip;

use super::ManifestRow;
use crate::manifest::samples::row;

/// Returns rows of which one has features.
fn with_features() -> Vec<ManifestRow> {
    let mut with = row("night", "1", true);
    with.quality.as_mut().unwrap().features = Some(vec![0.5, -1.0, 1e-3]);
    vec![with, row("night", "2", false)]
}
