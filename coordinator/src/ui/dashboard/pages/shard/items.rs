//! The items of a shard: what they were made from, how they ended, and what they took.

use std::collections::HashMap;

use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Quality, Status, Work};
use shared::storage::StorageError;

use crate::output::report::AgreementReport;
use crate::run::tally;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::format::{millis, url_encoded};
use crate::ui::dashboard::pages::states::{self, Badge};
use crate::work::collector::RunView;

/// Width of a bar of times in the units of its drawing.
const WIDE: f64 = 1000.0;

/// An item of a shard in a table.
#[derive(Debug)]
pub(super) struct ItemLine {
    /// Its place in the shard, from 0.
    pub(super) place: usize,
    pub(super) content: String,
    pub(super) style: String,
    pub(super) badge: Badge,
    /// Whether its output is stored.
    pub(super) has_output: bool,
    pub(super) content_address: String,
    pub(super) style_address: String,
    pub(super) output_address: String,
    pub(super) label_address: String,
    /// How its output agrees with its label, compared with its content; empty without a segmenter.
    pub(super) agreement: String,
    /// Whether its label is doubtful.
    pub(super) is_doubtful: bool,
    /// What was predicted for it, where that is stored.
    pub(super) predictions: Option<PredictionAddresses>,
    /// The class of its failure; empty if it is done or waits.
    pub(super) class: String,
    /// Why it is not done; empty if it is done or waits.
    pub(super) error: String,
    /// What its output may suffer from; empty if there is no warning.
    pub(super) warning: String,
    pub(super) took: Option<StageTimes>,
    /// Its figures; empty if it has none.
    pub(super) figures: String,
    /// Whether its output was found and not made by the attempt that committed the shard.
    pub(super) found: bool,
}

/// Where pictures of what was predicted for an item are.
#[derive(Debug)]
pub(super) struct PredictionAddresses {
    pub(super) content: String,
    pub(super) output: String,
}

/// The time that an item took, by stage, as a bar.
#[derive(Debug, PartialEq)]
pub(super) struct StageTimes {
    pub(super) total: String,
    pub(super) stages: Vec<StageTime>,
}

/// The time that a stage took, as a stretch of a bar.
#[derive(Debug, PartialEq)]
pub(super) struct StageTime {
    pub(super) name: &'static str,
    pub(super) took: String,
    pub(super) x: usize,
    pub(super) width: usize,
}

impl StageTimes {
    fn of(work: &Work) -> Self {
        let (stages, total) = (work.stages(), work.total_ms());
        let unit = WIDE / total.max(f64::MIN_POSITIVE);
        let mut before = 0.0;
        let stage = |(name, took): (&'static str, f64)| {
            let x = (before * unit) as usize;
            before += took;
            StageTime {
                name,
                took: millis(took),
                x,
                width: ((before * unit) as usize).saturating_sub(x),
            }
        };
        Self {
            total: millis(total),
            stages: stages.into_iter().map(stage).collect(),
        }
    }
}

impl ItemLine {
    /// Sets the badge of an item that failed with its shard.
    pub(super) fn fail(&mut self) {
        self.badge = states::of_item(Some(Status::Failed));
    }
}

/// Returns items of a shard by their positions in the plan, the first of which has the place `first` in the shard.
pub(super) async fn lines(
    dashboard: &Dashboard,
    view: &RunView,
    first: usize,
    positions: &[(usize, usize)],
    rows: &[ManifestRow],
) -> Result<Vec<ItemLine>, StorageError> {
    let rows: HashMap<&ItemId, &ManifestRow> = rows.iter().map(|row| (&row.item, row)).collect();
    let lines = positions.iter().enumerate().map(|(place, &position)| {
        let item = view.run.plan.item(position);
        let row = rows.get(&item).copied();
        line(dashboard, view, first + place, item, row)
    });
    try_join_all(lines).await
}

async fn line(
    dashboard: &Dashboard,
    view: &RunView,
    place: usize,
    item: ItemId,
    row: Option<&ManifestRow>,
) -> Result<ItemLine, StorageError> {
    let has_output = match row {
        Some(row) => row.status == Status::Done,
        // The shard is not committed: an attempt may have stored some of its images.
        None => {
            let key = ArtifactKey::Image(view.id().clone(), item.clone());
            dashboard.storage.exists(&key).await?
        }
    };
    let (style, content) = (url_encoded(&item.style), url_encoded(&item.content));
    let address = |of: String| format!("/runs/{}/images/{of}?v={}", view.id(), view.version());
    let quality = row.and_then(|row| row.quality.as_ref());
    let predictions = quality.and_then(|quality| quality.predictions.as_ref());
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let class = row.and_then(|row| row.error_class);
    Ok(ItemLine {
        place,
        badge: match (row, has_output) {
            (None, true) => Badge {
                class: "in-hand",
                sign: "◐",
                label: "Made, not committed",
            },
            (row, _) => states::of_item(row.map(|row| row.status)),
        },
        has_output,
        content_address: address(format!("content/{content}")),
        style_address: address(format!("style/{style}")),
        output_address: address(format!("output/{style}/{content}")),
        label_address: address(format!("label/{content}")),
        agreement: quality
            .and_then(AgreementReport::of_item)
            .map(|agreement| agreement.of_one_in_words())
            .unwrap_or_default(),
        is_doubtful: row.is_some_and(tally::is_doubtful),
        predictions: predictions.map(|_| PredictionAddresses {
            content: address(format!("predictions/content/{style}/{content}")),
            output: address(format!("predictions/output/{style}/{content}")),
        }),
        class: class.map(|class| class.to_string()).unwrap_or_default(),
        error: text(row.and_then(|row| row.error.as_ref())),
        warning: text(row.and_then(|row| row.warning.as_ref())),
        took: row.and_then(|row| row.work.as_ref()).map(StageTimes::of),
        figures: quality.map(figures).unwrap_or_default(),
        found: has_output && row.is_some_and(|row| row.work.is_none()),
        content: item.content,
        style: item.style,
    })
}

/// Returns the figures of an item as text.
fn figures(quality: &Quality) -> String {
    let figures = quality.figures.iter().filter_map(|(metric, figure)| {
        let (title, decimals) = (metric.title(), metric.decimals());
        figure.map(|figure| format!("{title} {figure:.decimals$}"))
    });
    let agreement = AgreementReport::of_item(quality);
    let agreement = agreement.map(|agreement| format!("agreement {}", agreement.means()));
    figures.chain(agreement).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use shared::confusion::{Confusion, LabelAgreement};
    use shared::item_metric::ItemMetric;

    use super::*;

    #[test]
    fn the_figures_of_an_item_are_those_that_it_has() {
        let mut quality = Quality::default();
        assert_eq!(figures(&quality), "");
        quality.figures[ItemMetric::Ssim] = Some(0.4126);
        assert_eq!(figures(&quality), "SSIM 0.413");
        quality.figures[ItemMetric::Lpips] = Some(0.5);
        assert_eq!(figures(&quality), "SSIM 0.413, LPIPS 0.500");
        quality.agreement = Some(LabelAgreement {
            output: Confusion::of(&[0, 0], &[0, 1]),
            content: Confusion::of(&[0, 0], &[0, 0]),
        });
        let with_labels = "SSIM 0.413, LPIPS 0.500, agreement 100.0 -> 50.0";
        assert_eq!(figures(&quality), with_labels);
    }

    #[test]
    fn the_stages_of_an_item_fill_its_bar() {
        let took = StageTimes::of(&Work {
            load_ms: 100.0,
            denoise_ms: 800.0,
            store_ms: 50.0,
            quality_ms: 50.0,
            ..Work::default()
        });
        assert_eq!(took.total, "1.00 s");
        let ends: Vec<usize> = took
            .stages
            .iter()
            .map(|stage| stage.x + stage.width)
            .collect();
        assert_eq!(ends, [100, 100, 900, 900, 950, 1000]);
        assert_eq!(StageTimes::of(&Work::default()).total, "0 ms");
    }
}
