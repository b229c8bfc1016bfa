//! Keys of stored objects: every kind of object, its path, and the way back from a path.

use std::fmt;

use crate::failure::attempt_number;
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
        }
    }

    /// Returns the key that an object at this path is stored under: the inverse of [`Self::path`].
    ///
    /// Nothing if no key has this path. Numbers have one spelling each, so `7.parquet` is no shard's, and revisions, decisions
    /// and attempts are counted from 1. Names are those that pass [`Self::check`].
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (run, rest) = path.strip_prefix("runs/")?.split_once('/')?;
        let key = Self::of_run(run.parse().ok()?, rest)?;
        (key.check().is_ok() && key.path() == path).then_some(key)
    }

    /// Returns the key at a path below the folder of its run, if numbers and names are what they must be.
    fn of_run(run: RunId, path: &str) -> Option<Self> {
        let Some((folder, file)) = path.split_once('/') else {
            return match path {
                "run.json" => Some(Self::RunRecord(run)),
                "manifest.parquet" => Some(Self::Manifest(run)),
                "report.json" => Some(Self::Report(run)),
                "tally.json" => Some(Self::Tally(run)),
                "contact-sheet.png" => Some(Self::ContactSheet(run)),
                other => {
                    let sha256 = other.strip_prefix("plan-")?.strip_suffix(".json")?;
                    Some(Self::Plan(run, sha256.to_owned()))
                }
            };
        };
        let stem = |extension| file.strip_suffix(extension);
        Some(match folder {
            "decisions" => Self::Decision(run, from_one(stem(".json")?)?),
            "images" => {
                let (style, content) = stem(".png")?.split_once('/')?;
                let (style, content) = (style.to_owned(), content.to_owned());
                Self::Image(run, ItemId { style, content })
            }
            "labels" => Self::Label(run, stem(".png")?.to_owned()),
            "shards" => match stem(".parquet")?.split_once('.') {
                None => Self::Shard(run, stem(".parquet")?.parse().ok()?),
                Some((shard, revision)) => {
                    Self::ShardRevision(run, shard.parse().ok()?, from_one(revision)?)
                }
            },
            "attempts" => {
                let (shard, attempt) = stem(".json")?.split_once('/')?;
                Self::FailedAttempt(run, shard.parse().ok()?, attempt_number(attempt)?)
            }
            "making" => Self::Making(run, stem(".json")?.parse().ok()?),
            "fid" => Self::FeatureStatistics(run, stem(".npz")?.to_owned()),
            _ => return None,
        })
    }

    /// Proves that the path stays where the key says: each name in it is one part of a path.
    ///
    /// # Errors
    ///
    /// [`NameError`] naming the part that is none.
    pub fn check(&self) -> Result<(), NameError> {
        match self {
            Self::Image(_, item) => {
                check_name(&item.style)?;
                check_name(&item.content)
            }
            Self::Plan(_, name) | Self::Label(_, name) | Self::FeatureStatistics(_, name) => {
                check_name(name)
            }
            Self::RunRecord(_)
            | Self::Decision(..)
            | Self::Shard(..)
            | Self::ShardRevision(..)
            | Self::FailedAttempt(..)
            | Self::Making(..)
            | Self::Manifest(_)
            | Self::Report(_)
            | Self::Tally(_)
            | Self::ContactSheet(_) => Ok(()),
        }
    }

    /// Returns the run that it belongs to.
    #[must_use]
    pub fn run(&self) -> &RunId {
        match self {
            Self::RunRecord(run)
            | Self::Plan(run, _)
            | Self::Decision(run, _)
            | Self::Image(run, _)
            | Self::Label(run, _)
            | Self::Shard(run, _)
            | Self::ShardRevision(run, _, _)
            | Self::FailedAttempt(run, _, _)
            | Self::Making(run, _)
            | Self::Manifest(run)
            | Self::Report(run)
            | Self::FeatureStatistics(run, _)
            | Self::Tally(run)
            | Self::ContactSheet(run) => run,
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
            | Self::Shard(..)
            | Self::ShardRevision(..)
            | Self::FailedAttempt(..) => Writing::CreateOnly,
            Self::Making(..)
            | Self::Manifest(_)
            | Self::Report(_)
            | Self::FeatureStatistics(..)
            | Self::Tally(_)
            | Self::ContactSheet(_) => Writing::Rebuildable,
        }
    }

    /// Returns whether it is a picture: an object without a byte in its place is what trouble left of one, and counts as
    /// none.
    #[must_use]
    pub fn is_picture(&self) -> bool {
        match self {
            Self::Image(..) | Self::Label(..) => true,
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
            | Self::ContactSheet(_) => false,
        }
    }
}

/// Returns a number that is counted from 1.
fn from_one(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&number| number > 0)
}

impl fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.path()))
    }
}

/// A group of objects that can be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactPrefix {
    /// All runs of a storage root.
    Runs,
    /// Everything that is stored of a run.
    Run(RunId),
    /// The committed shards of a run, and their revisions.
    Shards(RunId),
    /// The failed attempts of a run.
    FailedAttempts(RunId),
    /// The output images of a run.
    Images(RunId),
    /// The output label maps of a run.
    Labels(RunId),
}

impl ArtifactPrefix {
    /// Returns the path below the storage root, ending in `/`.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Runs => "runs/".to_owned(),
            Self::Run(run) => format!("runs/{run}/"),
            Self::Shards(run) => format!("runs/{run}/shards/"),
            Self::FailedAttempts(run) => format!("runs/{run}/attempts/"),
            Self::Images(run) => format!("runs/{run}/images/"),
            Self::Labels(run) => format!("runs/{run}/labels/"),
        }
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

    /// The position of a key's variant among [`each_variant`]. A new one belongs there, and into [`ArtifactKey::parse`].
    fn variant(key: &ArtifactKey) -> usize {
        match key {
            ArtifactKey::RunRecord(_) => 0,
            ArtifactKey::Plan(..) => 1,
            ArtifactKey::Decision(..) => 2,
            ArtifactKey::Image(..) => 3,
            ArtifactKey::Label(..) => 4,
            ArtifactKey::Shard(..) => 5,
            ArtifactKey::ShardRevision(..) => 6,
            ArtifactKey::FailedAttempt(..) => 7,
            ArtifactKey::Making(..) => 8,
            ArtifactKey::Manifest(_) => 9,
            ArtifactKey::Report(_) => 10,
            ArtifactKey::FeatureStatistics(..) => 11,
            ArtifactKey::Tally(_) => 12,
            ArtifactKey::ContactSheet(_) => 13,
        }
    }

    /// Returns a key of each variant, with this name and these numbers in it.
    fn each_variant(name: &str, shard: u32, number: u32) -> [ArtifactKey; 14] {
        let run = || -> RunId { "gta5-to-acdc".parse().unwrap() };
        let (name, shard) = (name.to_owned(), ShardId(shard));
        let item = ItemId {
            style: name.clone(),
            content: name.clone(),
        };
        [
            ArtifactKey::RunRecord(run()),
            ArtifactKey::Plan(run(), name.clone()),
            ArtifactKey::Decision(run(), number),
            ArtifactKey::Image(run(), item),
            ArtifactKey::Label(run(), name.clone()),
            ArtifactKey::Shard(run(), shard),
            ArtifactKey::ShardRevision(run(), shard, number),
            ArtifactKey::FailedAttempt(run(), shard, number),
            ArtifactKey::Making(run(), shard),
            ArtifactKey::Manifest(run()),
            ArtifactKey::Report(run()),
            ArtifactKey::FeatureStatistics(run(), name),
            ArtifactKey::Tally(run()),
            ArtifactKey::ContactSheet(run()),
        ]
    }

    #[test]
    fn every_key_is_parsed_from_its_path() {
        for (name, shard, number) in [
            ("00001", 0, 1),
            ("GP010376_frame_000001", 7, 12),
            ("a.png", 999_999, 1_000_000),
            ("plan-x.json", 1_000_000, 1),
            ("..a b.é", u32::MAX, 1),
        ] {
            for (position, key) in each_variant(name, shard, number).into_iter().enumerate() {
                assert_eq!(variant(&key), position);
                assert_eq!(ArtifactKey::parse(&key.path()), Some(key));
            }
        }
    }

    #[test]
    fn what_is_no_path_of_a_key_is_refused() {
        for path in [
            "",
            "runs",
            "runs/",
            "runs/demo",
            "runs/demo/",
            "run.json",
            "/runs/demo/run.json",
            "other/demo/run.json",
            "runs/Demo/run.json",
            "runs//run.json",
            "runs/../run.json",
            "runs/demo/run.json/",
            "runs/demo//run.json",
            "runs/demo/run.json.tmp",
            "runs/demo/page.html",
            "runs/demo/plan.json",
            "runs/demo/plan-.json",
            "runs/demo/plan-a/b.json",
            "runs/demo/decisions/1.json",
            "runs/demo/decisions/000000.json",
            "runs/demo/decisions/+00001.json",
            "runs/demo/decisions/0000001.json",
            "runs/demo/decisions/000001",
            "runs/demo/images/00001.png",
            "runs/demo/images/night/.png",
            "runs/demo/images/night/00001.jpg",
            "runs/demo/images/night/00001.PNG",
            "runs/demo/images//00001.png",
            "runs/demo/images/../00001.png",
            "runs/demo/images/night/older/00001.png",
            "runs/demo/images/night/a\\b.png",
            "runs/demo/labels/.png",
            "runs/demo/labels/..png",
            "runs/demo/labels/a/b.png",
            "runs/demo/shards/7.parquet",
            "runs/demo/shards/000007",
            "runs/demo/shards/000007.x.parquet",
            "runs/demo/shards/seven.parquet",
            "runs/demo/shards/+00007.parquet",
            "runs/demo/shards/000007.0.parquet",
            "runs/demo/shards/000007.01.parquet",
            "runs/demo/shards/000007.1.2.parquet",
            "runs/demo/shards/older/000007.parquet",
            "runs/demo/shards/4294967296.parquet",
            "runs/demo/attempts/000007/0.json",
            "runs/demo/attempts/000007/01.json",
            "runs/demo/attempts/000007/+1.json",
            "runs/demo/attempts/000007/1000001.json",
            "runs/demo/attempts/000007/4294967295.json",
            "runs/demo/attempts/000007/1.2.json",
            "runs/demo/attempts/000007/1.tmp",
            "runs/demo/attempts/000007/1",
            "runs/demo/attempts/7/1.json",
            "runs/demo/attempts/older/000007/1.json",
            "runs/demo/attempts/000007.json",
            "runs/demo/making/7.json",
            "runs/demo/making/000007.1.json",
            "runs/demo/fid/.npz",
            "runs/demo/fid/night.npy",
            "runs/demo/fid/a/night.npz",
            "runs/demo/priors/night.png",
        ] {
            assert_eq!(ArtifactKey::parse(path), None, "{path}");
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
            ArtifactKey::Image(run.clone(), item),
            ArtifactKey::Label(run.clone(), "00001".into()),
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
                "runs/demo/shards/000007.parquet",
                "runs/demo/shards/000007.1.parquet",
                "runs/demo/attempts/000007/2.json",
                "runs/demo/making/000007.json",
                "runs/demo/manifest.parquet",
            ]
        );
    }
}
