//! What an object below the folder of a run is by its name.

use shared::artifact::ArtifactKey;
use shared::ids::{ItemId, ShardId};

use super::Truth;
use crate::output::audit::predictions::Expectation;

/// What an object below the folder of a run is by its name.
pub(super) enum Kind {
    /// Something that is looked at elsewhere.
    Checked,
    Record,
    Decision(u32),
    Attempt(ShardId, u32),
    Making(ShardId),
    Statistics(String),
    ContactSheet,
    /// A picture of which no row tells the digest.
    Picture(ArtifactKey),
    /// A prediction of a segmenter that the row of its item does not speak of.
    LeftPrediction(ArtifactKey),
    /// A prediction of a segmenter for what is no item.
    StrayPrediction,
    /// A page of a report, which people may put there.
    Page,
    Orphan,
}

impl Kind {
    /// Returns what is stored at a path, whose part below the folder of the run is `name`.
    pub(super) fn of(path: &str, name: &str, truth: &Truth<'_>) -> Self {
        let (run, plan) = (&truth.run.record, &truth.run.plan);
        if let Some(("images" | "shards", _)) = name.split_once('/') {
            return Self::Checked;
        }
        let is_planned = |shard: ShardId| plan.shard(shard).is_some();
        match ArtifactKey::parse(path) {
            Some(ArtifactKey::RunRecord(_)) => Self::Record,
            Some(
                ArtifactKey::Manifest(_)
                | ArtifactKey::Tally(_)
                | ArtifactKey::Report(_)
                | ArtifactKey::Image(..)
                | ArtifactKey::Shard(..)
                | ArtifactKey::ShardRevision(..),
            ) => Self::Checked,
            Some(ArtifactKey::ContactSheet(_)) => Self::ContactSheet,
            Some(ArtifactKey::Plan(_, sha256)) if sha256 == run.frozen.plan_sha256 => Self::Checked,
            Some(ArtifactKey::Label(run, content)) => match truth.contents.get(content.as_str()) {
                Some(&position) if truth.labels[position].is_some() => Self::Checked,
                Some(_) => Self::Picture(ArtifactKey::Label(run, content)),
                None => Self::Orphan,
            },
            Some(ArtifactKey::Prior(run, style)) => match truth.styles.get(style.as_str()) {
                Some(&position) if truth.priors[position].is_some() => Self::Checked,
                Some(&position) if may_have_class_map(truth, position) => {
                    Self::Picture(ArtifactKey::Prior(run, style))
                }
                Some(_) | None => Self::Orphan,
            },
            Some(
                ref key @ (ArtifactKey::OutputPrediction(_, ref item)
                | ArtifactKey::ContentPrediction(_, ref item)),
            ) => Self::of_prediction(key, item, truth),
            Some(ArtifactKey::Decision(_, number)) if number <= truth.ledger.decisions.count => {
                Self::Decision(number)
            }
            Some(ArtifactKey::FailedAttempt(_, shard, number)) if is_planned(shard) => {
                Self::Attempt(shard, number)
            }
            Some(ArtifactKey::Making(_, shard)) if is_planned(shard) => Self::Making(shard),
            Some(ArtifactKey::FeatureStatistics(_, style))
                if truth.styles.contains_key(style.as_str()) =>
            {
                Self::Statistics(style)
            }
            Some(
                ArtifactKey::Plan(..)
                | ArtifactKey::Decision(..)
                | ArtifactKey::FailedAttempt(..)
                | ArtifactKey::Making(..)
                | ArtifactKey::FeatureStatistics(..)
                | ArtifactKey::Comparison(_)
                | ArtifactKey::ComparisonPage(_)
                | ArtifactKey::ComparisonSheet(_),
            ) => Self::Orphan,
            None if name.ends_with(".html") && !name.contains('/') => Self::Page,
            None => Self::Orphan,
        }
    }

    /// Returns what a prediction of a segmenter for an item is.
    fn of_prediction(key: &ArtifactKey, item: &ItemId, truth: &Truth<'_>) -> Self {
        let style = truth.styles.get(item.style.as_str()).copied();
        let content = truth.contents.get(item.content.as_str()).copied();
        match style.zip(content).map(|at| truth.predictions.of(at)) {
            Some(Expectation::InRow) => Self::Checked,
            Some(Expectation::InMaking) => Self::Picture(key.clone()),
            Some(Expectation::LeftBehind) => Self::LeftPrediction(key.clone()),
            Some(Expectation::Not) | None => Self::StrayPrediction,
        }
    }
}

/// Returns whether a class map may lie there of which no row tells: an attempt stored it while the style had no label, by the
/// plan or by what was decided since.
fn may_have_class_map(truth: &Truth<'_>, style: usize) -> bool {
    let run = truth.run;
    let was_unlabelled = run.has_class_maps() && run.plan.styles[style].label.is_none();
    was_unlabelled || run.has_class_map(style, &truth.ledger.decisions.changed_inputs)
}
