//! Outputs judged, before they are stored: what is stored has figures that are finite.

use std::sync::Arc;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::failure::FailureClass;
use shared::item_metric::ItemMetric;
use shared::manifest::Quality;
use shared::warning::{ItemWarning, WarningKind};

use super::{Attempt, AttemptError, LoadedInput, Part, Quarantine};
use crate::quality::Judged;

impl Attempt<'_> {
    /// Returns what an output is like, or why it cannot be what a model made of its content.
    pub(super) async fn judge(
        &self,
        content: &Arc<LoadedInput>,
        key: &ArtifactKey,
        png: Bytes,
    ) -> Result<Result<Judged, Quarantine>, AttemptError> {
        self.progress.begin(Part::Judge);
        let judged = self.tools.judge.judge(Arc::clone(content), png).await;
        judged.map(finite).map_err(|source| AttemptError::Quality {
            path: self.storage.locate(key),
            source: Box::new(source),
        })
    }
}

/// Leaves out figures of networks that are not finite, with a warning: the image may be a good one. One that is computed from
/// the pixels alone, such as structural similarity, leaves nothing to believe if it is not finite.
fn finite(judged: Judged) -> Result<Judged, Quarantine> {
    let Judged {
        quality:
            Quality {
                mut figures,
                train_ids,
                features,
            },
        mut warnings,
    } = judged;
    let mut leave_out = |figure: &str| warnings.push(not_judged(figure));
    for metric in ItemMetric::ALL {
        let Some(figure) = figures[metric].filter(|figure| !figure.is_finite()) else {
            continue;
        };
        if metric.network().is_none() {
            return Err(Quarantine {
                class: FailureClass::BadOutput,
                reason: format!(
                    "the output's {} to its content is {figure}, which is no figure",
                    metric.meaning()
                ),
            });
        }
        leave_out(metric.title());
        figures[metric] = None;
    }
    let features = features.filter(|features| {
        let is_figure = features.iter().all(|feature| feature.is_finite());
        if !is_figure {
            leave_out("features");
        }
        is_figure
    });
    Ok(Judged {
        quality: Quality {
            figures,
            train_ids,
            features,
        },
        warnings,
    })
}

fn not_judged(figure: &str) -> ItemWarning {
    ItemWarning {
        kind: WarningKind::NotJudged,
        text: format!(
            "the output's {figure} came out as values that are not finite and were left out"
        ),
    }
}

#[cfg(test)]
mod tests {
    use shared::item_metric::PerMetric;

    use super::*;

    fn judged(ssim: f64, lpips: f64, feature: f32) -> Judged {
        let mut figures = PerMetric::default();
        figures[ItemMetric::Ssim] = Some(ssim);
        figures[ItemMetric::Lpips] = Some(lpips);
        Judged {
            quality: Quality {
                figures,
                train_ids: vec![1],
                features: Some(vec![0.5, feature]),
            },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_figure_of_a_network_that_is_not_finite_is_left_out_with_a_warning() {
        let whole = judged(0.5, 0.25, 1.0);
        assert_eq!(finite(whole.clone()), Ok(whole));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let found = finite(judged(0.5, bad, bad as f32)).unwrap();
            let figures = &found.quality.figures;
            assert_eq!(figures[ItemMetric::Ssim], Some(0.5));
            assert_eq!(figures[ItemMetric::Lpips], None);
            assert_eq!(found.quality.features, None);
            let kinds: Vec<WarningKind> = found.warnings.iter().map(|w| w.kind).collect();
            assert_eq!(kinds, [WarningKind::NotJudged; 2]);
            let quarantine = finite(judged(bad, 0.25, 1.0)).unwrap_err();
            assert_eq!(quarantine.class, FailureClass::BadOutput);
            let told = format!("structural similarity to its content is {bad}");
            assert!(quarantine.reason.contains(&told), "{}", quarantine.reason);
        }
    }
}
