//! The statistics of a style, compared with the features of its rows.

use std::sync::Arc;

use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::storage::Storage;

use super::{MADE_ANEW, ObjectFindings, Truth};
use crate::output::quality::fold::StyleFold;
use crate::output::quality::reference::{self, ReferenceStatistics};
use crate::output::quality::statistics::{Accumulator, FeatureStatistics};

/// How far means and covariances may be from those of the rows: they are summed in another order.
const TOLERANCE: f64 = 1e-6;

/// What a file of statistics must be of.
struct Expected {
    /// SHA-256 of the network; empty if the run has none.
    extractor: String,
    /// What the style's rows are like together; none before the run has ended.
    fold: Option<Arc<StyleFold>>,
}

impl ObjectFindings {
    /// Compares the statistics of a style with the features of its rows, once the run has ended.
    pub(super) async fn statistics(
        &mut self,
        storage: &dyn Storage,
        truth: &Truth<'_>,
        style: &str,
    ) {
        let run = &truth.run.record.run;
        let key = ArtifactKey::FeatureStatistics(run.clone(), style.to_owned());
        let Some(bytes) = self.read(storage, &key).await else {
            return;
        };
        let evaluators = &truth.run.record.frozen.evaluators;
        let expected = Expected {
            extractor: evaluators.features.clone().unwrap_or_default(),
            fold: truth
                .has_ended
                .then(|| truth.fold.styles.get(style).cloned().unwrap_or_default()),
        };
        let wrong = shared::blocking::run(move || wrong_statistics(&bytes, &expected)).await;
        self.findings
            .extend(wrong.map(|wrong| format!("{key} {wrong}; {MADE_ANEW}")));
    }
}

/// Returns whether statistics of a style are written: it takes two items.
pub(super) fn has_statistics(fold: &StyleFold) -> bool {
    let sums = fold.items.features.as_ref();
    sums.is_some_and(|sums| sums.count() >= 2)
}

/// Returns what is wrong with a file of statistics: that it cannot be read, that its bytes are not those that its values
/// make, or that they are of other features than those that are `expected`.
fn wrong_statistics(bytes: &[u8], expected: &Expected) -> Option<String> {
    let file = match ReferenceStatistics::read(bytes) {
        Ok(file) => file,
        Err(error) => return Some(format!("is damaged: {}", chain(&error))),
    };
    let items = file.items.unwrap_or_default();
    let extractor = file.extractor_sha256.clone().unwrap_or_default();
    let again = reference::write(&file.statistics, items, None, &extractor);
    if !again.is_ok_and(|again| again == bytes) {
        return Some("has other bytes than its values make".to_owned());
    }
    if extractor != expected.extractor {
        return Some("was made with another feature network than the run's".to_owned());
    }
    let sums = expected.fold.as_ref()?.items.features.as_ref();
    let num_items = sums.map_or(0, Accumulator::count);
    if items != num_items {
        return Some(format!("is of {items} items, expected {num_items}"));
    }
    other_values(&file.statistics, &sums?.statistics()?)
}

/// Returns which values of statistics are not those that are expected.
fn other_values(found: &FeatureStatistics, expected: &FeatureStatistics) -> Option<String> {
    let is_near =
        |found: f64, expected: f64, size: f64| (found - expected).abs() <= TOLERANCE * size;
    let other = |what: &str| Some(format!("has other {what} than the features of its items"));
    let means = found.mean.iter().zip(&expected.mean);
    let mut means = means.map(|(&found, &expected)| is_near(found, expected, 1.0 + expected.abs()));
    if found.num_features() != expected.num_features() || !means.all(|is_near| is_near) {
        return other("means");
    }
    let range = 0..expected.num_features();
    let variances = range.clone().map(|i| expected.covariance[(i, i)].abs());
    let size = 1.0 + variances.fold(0.0, f64::max);
    let is_row = |i: usize| {
        let mut row = range.clone();
        row.all(|j| is_near(found.covariance[(i, j)], expected.covariance[(i, j)], size))
    };
    let is_same = range.clone().all(is_row);
    if is_same { None } else { other("covariances") }
}
