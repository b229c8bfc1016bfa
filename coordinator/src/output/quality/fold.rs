//! A run's committed rows, one after the other, into what each style is like. Only committed shards are given, each
//! once, so no restart or repetition counts an item twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::item_metric::PerMetric;
use shared::manifest::{self, ManifestRow, Quality, Status};

use super::agreement::AgreementFold;
use super::sample::Sample;
use super::statistics::Accumulator;

/// A sum that becomes a mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// Returns the mean; none of nothing.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// What some items are like together.
#[derive(Debug, Clone, Default)]
pub struct ItemsFold {
    /// Number of items that are done.
    pub done: usize,
    /// Sums of their features, if they have any.
    pub features: Option<Accumulator>,
    /// Means of their figures.
    pub means: PerMetric<Mean>,
}

impl ItemsFold {
    /// Adds an item with its features, or with none.
    fn add(&mut self, quality: &Quality, features: Option<&[f32]>) {
        self.done += 1;
        for (metric, figure) in quality.figures.iter() {
            if let Some(figure) = figure {
                self.means[metric].add(*figure);
            }
        }
        if let Some(features) = features {
            let sums = self
                .features
                .get_or_insert_with(|| Accumulator::new(features.len()));
            sums.add(features);
        }
    }

    /// Returns the means of their figures; none of a figure that no item has.
    #[must_use]
    pub fn figures(&self) -> PerMetric<Option<f64>> {
        PerMetric::from_fn(|metric| self.means[metric].value())
    }

    /// Returns features that are as many as those of the other items. Features of one run come from one network, whose
    /// digest its record holds; others were written by another program and are in no figure.
    fn alike<'a>(&self, features: Option<&'a [f32]>) -> Option<&'a [f32]> {
        let others = self.features.as_ref().map(Accumulator::num_features);
        features.filter(|own| others.is_none_or(|others| others == own.len()))
    }
}

/// What one style is like.
#[derive(Debug, Clone, Default)]
pub struct StyleFold {
    /// All its items.
    pub items: ItemsFold,
    /// Features of some of them, for the kernel distance.
    pub sample: Sample,
    /// What a segmenter predicts for them, compared with their labels.
    pub agreement: AgreementFold,
    /// Its items by the train ids of the classes that they show, if classes are told apart.
    pub classes: BTreeMap<u8, ItemsFold>,
}

/// What a run is like.
#[derive(Debug, Clone, Default)]
pub struct RunFold {
    per_class: bool,
    /// The styles that have an item that is done. Who makes a report holds them while more is folded.
    pub styles: BTreeMap<String, Arc<StyleFold>>,
    /// When work on the items that were converted, and not found, began and ended.
    pub span: Option<(jiff::Timestamp, jiff::Timestamp)>,
}

impl RunFold {
    /// Returns a fold of nothing, which tells classes apart or not.
    #[must_use]
    pub fn new(per_class: bool) -> Self {
        Self {
            per_class,
            ..Self::default()
        }
    }

    /// Returns what a segmenter predicts for the items of all styles, compared with their labels.
    #[must_use]
    pub fn agreement(&self) -> AgreementFold {
        let mut sums = AgreementFold::default();
        for style in self.styles.values() {
            sums.add_all(&style.agreement);
        }
        sums
    }

    /// Adds the rows of committed shards.
    pub fn add(&mut self, rows: &[ManifestRow]) {
        rows.iter().for_each(|row| self.add_row(row));
    }

    /// Adds the rows of committed shards away from the threads that wait for the network, and returns them as a run's
    /// manifest has them, without features and counted pixels: those of a whole run may be gigabytes. If this is given up
    /// midway, the fold is empty.
    pub async fn take_in(&mut self, mut rows: Vec<ManifestRow>) -> Vec<ManifestRow> {
        let mut fold = std::mem::take(self);
        let work = move || {
            fold.add(&rows);
            manifest::without_features(&mut rows);
            (fold, rows)
        };
        let (fold, rows) = shared::blocking::run(work).await;
        *self = fold;
        rows
    }

    fn add_row(&mut self, row: &ManifestRow) {
        if row.work.is_some() {
            let (first, last) = self.span.unwrap_or((row.started_at, row.finished_at));
            self.span = Some((first.min(row.started_at), last.max(row.finished_at)));
        }
        let (Status::Done, Some(quality)) = (row.status, &row.quality) else {
            return;
        };
        let style = self.styles.entry(row.item.style.clone()).or_default();
        let style = Arc::make_mut(style);
        let features = style.items.alike(quality.features.as_deref());
        style.items.add(quality, features);
        style.agreement.add(quality);
        if let Some(features) = features {
            style.sample.offer(&row.item.content, features);
        }
        if self.per_class {
            for &train_id in &quality.train_ids {
                let class = style.classes.entry(train_id).or_default();
                class.add(quality, features);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::item_metric::ItemMetric;

    use super::*;

    #[test]
    fn a_mean_is_over_the_items_that_have_the_figure() {
        let mut items = ItemsFold::default();
        let mut quality = Quality {
            figures: PerMetric::from_fn(|_| Some(0.25)),
            ..Quality::default()
        };
        items.add(&quality, None);
        quality.figures = PerMetric::default();
        quality.figures[ItemMetric::Ssim] = Some(0.75);
        items.add(&quality, None);
        let mut means = PerMetric::from_fn(|_| Some(0.25));
        means[ItemMetric::Ssim] = Some(0.5);
        assert_eq!((items.done, items.figures()), (2, means));
        assert_eq!(ItemsFold::default().figures(), PerMetric::default());
    }

    #[test]
    fn features_of_another_number_than_the_others_are_in_no_figure() {
        let mut items = ItemsFold::default();
        for features in [&[1.0, 2.0][..], &[3.0, 4.0, 5.0], &[5.0, 6.0]] {
            let features = items.alike(Some(features));
            items.add(&Quality::default(), features);
        }
        let sums = items.features.unwrap();
        assert_eq!((items.done, sums.count(), sums.num_features()), (3, 2, 2));
        assert_eq!(sums.statistics().unwrap().mean, [3.0, 4.0]);
    }
}
