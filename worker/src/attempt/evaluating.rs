//! Evaluation of outputs before they are stored: what is stored has figures that are finite.

use std::sync::Arc;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::failure::FailureClass;
use shared::item_metric::ItemMetric;
use shared::warning::{ItemWarning, WarningKind};

use super::{Attempt, AttemptError, LoadedInput, Quarantine, Stage};
use crate::evaluation::Evaluation;

impl Attempt<'_> {
    /// Returns the evaluation of an output, or why it cannot be what a model made of its content.
    pub(super) async fn evaluate(
        &self,
        content: &Arc<LoadedInput>,
        key: &ArtifactKey,
        png: Bytes,
    ) -> Result<Result<Evaluation, Quarantine>, AttemptError> {
        self.progress.begin(Stage::Evaluate);
        let evaluator = &self.context.evaluator;
        let evaluation = evaluator.evaluate(Arc::clone(content), png).await;
        evaluation
            .map(finite)
            .map_err(|source| AttemptError::Evaluation {
                path: self.storage.locate(key),
                source: Box::new(source),
            })
    }
}

/// Leaves out figures of networks that are not finite, with a warning: the image may be a good one. One that is computed from
/// the pixels alone, such as structural similarity, leaves nothing to believe if it is not finite.
fn finite(evaluation: Evaluation) -> Result<Evaluation, Quarantine> {
    let Evaluation {
        mut quality,
        predictions,
        mut warnings,
    } = evaluation;
    let mut leave_out = |figure: &str| warnings.push(not_evaluated(figure));
    for metric in ItemMetric::ALL {
        let Some(figure) = quality.figures[metric].filter(|figure| !figure.is_finite()) else {
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
        quality.figures[metric] = None;
    }
    let are_figures = |features: &Vec<f32>| features.iter().all(|feature| feature.is_finite());
    if !quality.features.as_ref().is_none_or(are_figures) {
        leave_out("features");
        quality.features = None;
    }
    Ok(Evaluation {
        quality,
        predictions,
        warnings,
    })
}

fn not_evaluated(figure: &str) -> ItemWarning {
    ItemWarning {
        kind: WarningKind::NotEvaluated,
        text: format!(
            "the output's {figure} came out as values that are not finite and were left out"
        ),
    }
}

#[cfg(test)]
mod tests {
    use shared::item_metric::PerMetric;
    use shared::manifest::Quality;

    use super::*;

    fn evaluation(ssim: f64, lpips: f64, feature: f32) -> Evaluation {
        let mut figures = PerMetric::default();
        figures[ItemMetric::Ssim] = Some(ssim);
        figures[ItemMetric::Lpips] = Some(lpips);
        Evaluation {
            quality: Quality {
                figures,
                train_ids: vec![1],
                features: Some(vec![0.5, feature]),
                ..Quality::default()
            },
            predictions: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_figure_of_a_network_that_is_not_finite_is_left_out_with_a_warning() {
        let whole = evaluation(0.5, 0.25, 1.0);
        assert_eq!(finite(whole.clone()), Ok(whole));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let found = finite(evaluation(0.5, bad, bad as f32)).unwrap();
            let figures = &found.quality.figures;
            assert_eq!(figures[ItemMetric::Ssim], Some(0.5));
            assert_eq!(figures[ItemMetric::Lpips], None);
            assert_eq!(found.quality.features, None);
            let kinds: Vec<WarningKind> = found.warnings.iter().map(|w| w.kind).collect();
            assert_eq!(kinds, [WarningKind::NotEvaluated; 2]);
            let quarantine = finite(evaluation(bad, 0.25, 1.0)).unwrap_err();
            assert_eq!(quarantine.class, FailureClass::BadOutput);
            let told = format!("structural similarity to its content is {bad}");
            assert!(quarantine.reason.contains(&told), "{}", quarantine.reason);
        }
    }
}
