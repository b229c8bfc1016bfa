//! What an object below the folder of a run is by its name.

use shared::artifact::ArtifactKey;
use shared::ids::ShardId;

use super::Truth;

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
            Some(ArtifactKey::OutputPrediction(run, item))
                if truth.contents.contains_key(item.content.as_str()) =>
            {
                Self::Picture(ArtifactKey::OutputPrediction(run, item))
            }
            Some(ArtifactKey::ContentPrediction(run, content))
                if truth.contents.contains_key(content.as_str()) =>
            {
                Self::Picture(ArtifactKey::ContentPrediction(run, content))
            }
            Some(ArtifactKey::Decision(_, number)) if number <= truth.ledger.decisions.count => {
                Self::Decision(number)
            }
            Some(ArtifactKey::FailedAttempt(_, shard, number)) if is_planned(shard) => {
                Self::Attempt(shard, number)
            }
            Some(ArtifactKey::Making(_, shard)) if is_planned(shard) => Self::Making(shard),
            Some(ArtifactKey::FeatureStatistics(_, style))
                if plan.styles.iter().any(|planned| planned.name() == style) =>
            {
                Self::Statistics(style)
            }
            Some(
                ArtifactKey::Plan(..)
                | ArtifactKey::OutputPrediction(..)
                | ArtifactKey::ContentPrediction(..)
                | ArtifactKey::Decision(..)
                | ArtifactKey::FailedAttempt(..)
                | ArtifactKey::Making(..)
                | ArtifactKey::FeatureStatistics(..),
            ) => Self::Orphan,
            None if name.ends_with(".html") && !name.contains('/') => Self::Page,
            None => Self::Orphan,
        }
    }
}
