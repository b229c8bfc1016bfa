//! Every kind of stored object: its path, and how it may be written.

use std::fmt;

use crate::ids::{ItemId, NameError, RunId, ShardId, check_name};
use crate::wording::one_line;

/// An object in storage. No other code builds a path, and [`ArtifactKey::parse`] is the one that takes one apart.
///
/// Names of contents and styles become parts of paths, and come out of files that others may have written: every storage
/// refuses a key that does not pass [`ArtifactKey::check`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ArtifactKey {
    /// Frozen settings, plan hash and digests of a run.
    RunRecord(RunId),
    /// The run's listings and shards; named by its SHA-256, which the run's record holds.
    Plan(RunId, String),
    /// Something that people or the collector decided about a run, numbered from 1.
    Decision(RunId, u32),
    /// An output image.
    Image(RunId, ItemId),
    /// The label map of a content, at output size.
    Label(RunId, String),
    /// What a segmenter predicted for a doubtful output.
    OutputPrediction(RunId, ItemId),
    /// What it predicted for the content of a doubtful output, at output size: of each item its own, as devices may differ.
    ContentPrediction(RunId, ItemId),
    /// The class map of a style without a label, made once for all of its items.
    Prior(RunId, String),
    /// The manifest rows of a shard; its presence is the commit.
    Shard(RunId, ShardId),
    /// The manifest rows of quarantined items of a committed shard that were tried again, numbered from 1; its presence
    /// is their commit.
    ShardRevision(RunId, ShardId, u32),
    /// A failed attempt at a shard.
    FailedAttempt(RunId, ShardId, u32),
    /// What attempts at a shard have made before its commit speaks of it; without it, that is made again.
    Making(RunId, ShardId),
    /// The whole run's manifest, made from the shards.
    Manifest(RunId),
    /// The whole run's report, made from the shards.
    Report(RunId),
    /// Mean and covariance of a style's features, as pytorch-fid writes them.
    FeatureStatistics(RunId, String),
    /// Counts of the committed shards, which tell how far a run is without reading all of them.
    Tally(RunId),
    /// Content, style and output of some items side by side.
    ContactSheet(RunId),
    /// What was compared before a run is made: the small runs, and in what they differ. It is in no run's folder.
    Comparison(RunId),
    /// The same as a page for people.
    ComparisonPage(RunId),
    /// The same as a picture.
    ComparisonSheet(RunId),
}

/// How an object may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// Written once; a second writer must bring the same bytes.
    CreateOnly,
    /// Made from other objects, so it may be replaced at any time.
    Rebuildable,
}

impl ArtifactKey {
    /// Returns the path below the storage root, with `/` between its parts.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::RunRecord(run) => format!("runs/{run}/run.json"),
            Self::Plan(run, sha256) => format!("runs/{run}/plan-{sha256}.json"),
            Self::Decision(run, number) => format!("runs/{run}/decisions/{number:06}.json"),
            Self::Image(run, item) => {
                format!("runs/{run}/images/{}/{}.png", item.style, item.content)
            }
            Self::Label(run, content) => format!("runs/{run}/labels/{content}.png"),
            Self::OutputPrediction(run, item) => format!(
                "runs/{run}/predictions/outputs/{}/{}.png",
                item.style, item.content
            ),
            Self::ContentPrediction(run, item) => format!(
                "runs/{run}/predictions/contents/{}/{}.png",
                item.style, item.content
            ),
            Self::Prior(run, style) => format!("runs/{run}/priors/{style}.png"),
            Self::Shard(run, shard) => format!("runs/{run}/shards/{shard}.parquet"),
            Self::ShardRevision(run, shard, revision) => {
                format!("runs/{run}/shards/{shard}.{revision}.parquet")
            }
            Self::FailedAttempt(run, shard, attempt) => {
                format!("runs/{run}/attempts/{shard}/{attempt}.json")
            }
            Self::Making(run, shard) => format!("runs/{run}/making/{shard}.json"),
            Self::Manifest(run) => format!("runs/{run}/manifest.parquet"),
            Self::Report(run) => format!("runs/{run}/report.json"),
            Self::FeatureStatistics(run, style) => format!("runs/{run}/fid/{style}.npz"),
            Self::Tally(run) => format!("runs/{run}/tally.json"),
            Self::ContactSheet(run) => format!("runs/{run}/contact-sheet.png"),
            Self::Comparison(run) => format!("comparisons/{run}.json"),
            Self::ComparisonPage(run) => format!("comparisons/{run}.html"),
            Self::ComparisonSheet(run) => format!("comparisons/{run}.png"),
        }
    }

    /// Proves that the path stays where the key says: each name in it is one part of a path.
    ///
    /// # Errors
    ///
    /// [`NameError`] naming the part that is none.
    pub fn check(&self) -> Result<(), NameError> {
        match self {
            Self::Image(_, item)
            | Self::OutputPrediction(_, item)
            | Self::ContentPrediction(_, item) => {
                check_name(&item.style)?;
                check_name(&item.content)
            }
            Self::Plan(_, name)
            | Self::Label(_, name)
            | Self::Prior(_, name)
            | Self::FeatureStatistics(_, name) => check_name(name),
            Self::RunRecord(_)
            | Self::Decision(..)
            | Self::Shard(..)
            | Self::ShardRevision(..)
            | Self::FailedAttempt(..)
            | Self::Making(..)
            | Self::Manifest(_)
            | Self::Report(_)
            | Self::Tally(_)
            | Self::ContactSheet(_)
            | Self::Comparison(_)
            | Self::ComparisonPage(_)
            | Self::ComparisonSheet(_) => Ok(()),
        }
    }

    /// Returns the run that it belongs to, or that was compared for.
    #[must_use]
    pub fn run(&self) -> &RunId {
        match self {
            Self::RunRecord(run)
            | Self::Plan(run, _)
            | Self::Decision(run, _)
            | Self::Image(run, _)
            | Self::Label(run, _)
            | Self::OutputPrediction(run, _)
            | Self::ContentPrediction(run, _)
            | Self::Prior(run, _)
            | Self::Shard(run, _)
            | Self::ShardRevision(run, _, _)
            | Self::FailedAttempt(run, _, _)
            | Self::Making(run, _)
            | Self::Manifest(run)
            | Self::Report(run)
            | Self::FeatureStatistics(run, _)
            | Self::Tally(run)
            | Self::ContactSheet(run)
            | Self::Comparison(run)
            | Self::ComparisonPage(run)
            | Self::ComparisonSheet(run) => run,
        }
    }

    /// Returns how this kind of object may be written.
    #[must_use]
    pub fn writing(&self) -> Writing {
        match self {
            Self::RunRecord(_)
            | Self::Plan(..)
            | Self::Decision(..)
            | Self::Image(..)
            | Self::Label(..)
            | Self::OutputPrediction(..)
            | Self::ContentPrediction(..)
            | Self::Prior(..)
            | Self::Shard(..)
            | Self::ShardRevision(..)
            | Self::FailedAttempt(..) => Writing::CreateOnly,
            Self::Making(..)
            | Self::Manifest(_)
            | Self::Report(_)
            | Self::FeatureStatistics(..)
            | Self::Tally(_)
            | Self::ContactSheet(_)
            | Self::Comparison(_)
            | Self::ComparisonPage(_)
            | Self::ComparisonSheet(_) => Writing::Rebuildable,
        }
    }

    /// Returns whether it is a picture: an object without a byte in its place is what trouble left of one, and counts as
    /// none.
    #[must_use]
    pub fn is_picture(&self) -> bool {
        match self {
            Self::Image(..)
            | Self::Label(..)
            | Self::OutputPrediction(..)
            | Self::ContentPrediction(..)
            | Self::Prior(..) => true,
            Self::RunRecord(_)
            | Self::Plan(..)
            | Self::Decision(..)
            | Self::Shard(..)
            | Self::ShardRevision(..)
            | Self::FailedAttempt(..)
            | Self::Making(..)
            | Self::Manifest(_)
            | Self::Report(_)
            | Self::FeatureStatistics(..)
            | Self::Tally(_)
            | Self::ContactSheet(_)
            | Self::Comparison(_)
            | Self::ComparisonPage(_)
            | Self::ComparisonSheet(_) => false,
        }
    }
}

impl fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_whose_name_is_no_part_of_a_path_is_refused() {
        let run: RunId = "demo".parse().unwrap();
        let item = |style: &str, content: &str| ItemId {
            style: style.into(),
            content: content.into(),
        };
        let keys = |name: &str| {
            [
                ArtifactKey::Image(run.clone(), item(name, "00001")),
                ArtifactKey::Image(run.clone(), item("night", name)),
                ArtifactKey::Label(run.clone(), name.into()),
                ArtifactKey::OutputPrediction(run.clone(), item(name, "00001")),
                ArtifactKey::OutputPrediction(run.clone(), item("night", name)),
                ArtifactKey::ContentPrediction(run.clone(), item(name, "00001")),
                ArtifactKey::ContentPrediction(run.clone(), item("night", name)),
                ArtifactKey::Prior(run.clone(), name.into()),
                ArtifactKey::FeatureStatistics(run.clone(), name.into()),
                ArtifactKey::Plan(run.clone(), name.into()),
            ]
        };
        for key in keys("00001") {
            assert_eq!(key.check(), Ok(()), "{key}");
        }
        for name in ["", ".", "..", "../../other", "/etc/shadow", "a\0b", "a\\b"] {
            for key in keys(name) {
                assert!(key.check().is_err(), "{key:?}");
            }
        }
    }

    #[test]
    fn a_converted_dataset_has_the_layout_people_train_on() {
        let run: RunId = "demo".parse().expect("a valid name");
        let item = ItemId {
            style: "night".into(),
            content: "00001".into(),
        };
        let paths = [
            ArtifactKey::RunRecord(run.clone()),
            ArtifactKey::Image(run.clone(), item.clone()),
            ArtifactKey::Label(run.clone(), "00001".into()),
            ArtifactKey::OutputPrediction(run.clone(), item.clone()),
            ArtifactKey::ContentPrediction(run.clone(), item),
            ArtifactKey::Prior(run.clone(), "night".into()),
            ArtifactKey::Shard(run.clone(), ShardId(7)),
            ArtifactKey::ShardRevision(run.clone(), ShardId(7), 1),
            ArtifactKey::FailedAttempt(run.clone(), ShardId(7), 2),
            ArtifactKey::Making(run.clone(), ShardId(7)),
            ArtifactKey::Manifest(run),
        ]
        .map(|key| key.path());
        assert_eq!(
            paths,
            [
                "runs/demo/run.json",
                "runs/demo/images/night/00001.png",
                "runs/demo/labels/00001.png",
                "runs/demo/predictions/outputs/night/00001.png",
                "runs/demo/predictions/contents/night/00001.png",
                "runs/demo/priors/night.png",
                "runs/demo/shards/000007.parquet",
                "runs/demo/shards/000007.1.parquet",
                "runs/demo/attempts/000007/2.json",
                "runs/demo/making/000007.json",
                "runs/demo/manifest.parquet",
            ]
        );
    }
}
