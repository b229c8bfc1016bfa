//! The key of a path: the inverse of [`ArtifactKey::path`].

use super::ArtifactKey;
use crate::ids::{ItemId, MAX_ATTEMPT, RunId};

impl ArtifactKey {
    /// Returns the key that an object at this path is stored under: the inverse of [`Self::path`].
    ///
    /// Nothing if no key has this path. Numbers have one spelling each, so `7.parquet` is no shard's, and revisions, decisions
    /// and attempts are counted from 1. Names are those that pass [`Self::check`].
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let key = match path.strip_prefix("comparisons/") {
            Some(name) => Self::of_comparison(name)?,
            None => {
                let (run, rest) = path.strip_prefix("runs/")?.split_once('/')?;
                Self::of_run(run.parse().ok()?, rest)?
            }
        };
        (key.check().is_ok() && key.path() == path).then_some(key)
    }

    /// Returns the key of a file among the comparisons.
    fn of_comparison(name: &str) -> Option<Self> {
        let (run, extension) = name.split_once('.')?;
        let run = run.parse().ok()?;
        match extension {
            "json" => Some(Self::Comparison(run)),
            "html" => Some(Self::ComparisonPage(run)),
            "png" => Some(Self::ComparisonSheet(run)),
            _ => None,
        }
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
            "priors" => Self::Prior(run, stem(".png")?.to_owned()),
            "predictions" => {
                let (of, item) = stem(".png")?.split_once('/')?;
                let (style, content) = item.split_once('/')?;
                let (style, content) = (style.to_owned(), content.to_owned());
                let item = ItemId { style, content };
                match of {
                    "outputs" => Self::OutputPrediction(run, item),
                    "contents" => Self::ContentPrediction(run, item),
                    _ => return None,
                }
            }
            "shards" => match stem(".parquet")?.split_once('.') {
                None => Self::Shard(run, stem(".parquet")?.parse().ok()?),
                Some((shard, revision)) => {
                    Self::ShardRevision(run, shard.parse().ok()?, from_one(revision)?)
                }
            },
            "attempts" => {
                let (shard, attempt) = stem(".json")?.split_once('/')?;
                let attempt = from_one(attempt).filter(|&number| number <= MAX_ATTEMPT)?;
                Self::FailedAttempt(run, shard.parse().ok()?, attempt)
            }
            "making" => Self::Making(run, stem(".json")?.parse().ok()?),
            "fid" => Self::FeatureStatistics(run, stem(".npz")?.to_owned()),
            _ => return None,
        })
    }
}

/// Returns a number that is counted from 1.
fn from_one(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&number| number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShardId;

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
            ArtifactKey::OutputPrediction(..) => 14,
            ArtifactKey::ContentPrediction(..) => 15,
            ArtifactKey::Prior(..) => 16,
            ArtifactKey::Comparison(_) => 17,
            ArtifactKey::ComparisonPage(_) => 18,
            ArtifactKey::ComparisonSheet(_) => 19,
        }
    }

    /// Returns a key of each variant, with this name and these numbers in it.
    fn each_variant(name: &str, shard: u32, number: u32) -> [ArtifactKey; 20] {
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
            ArtifactKey::Image(run(), item.clone()),
            ArtifactKey::Label(run(), name.clone()),
            ArtifactKey::Shard(run(), shard),
            ArtifactKey::ShardRevision(run(), shard, number),
            ArtifactKey::FailedAttempt(run(), shard, number),
            ArtifactKey::Making(run(), shard),
            ArtifactKey::Manifest(run()),
            ArtifactKey::Report(run()),
            ArtifactKey::FeatureStatistics(run(), name.clone()),
            ArtifactKey::Tally(run()),
            ArtifactKey::ContactSheet(run()),
            ArtifactKey::OutputPrediction(run(), item.clone()),
            ArtifactKey::ContentPrediction(run(), item),
            ArtifactKey::Prior(run(), name),
            ArtifactKey::Comparison(run()),
            ArtifactKey::ComparisonPage(run()),
            ArtifactKey::ComparisonSheet(run()),
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
            "runs/demo/predictions/00001.png",
            "runs/demo/predictions/outputs/00001.png",
            "runs/demo/predictions/outputs/night/.png",
            "runs/demo/predictions/outputs/night/00001.jpg",
            "runs/demo/predictions/outputs/night/older/00001.png",
            "runs/demo/predictions/outputs/../00001.png",
            "runs/demo/predictions/contents/00001.png",
            "runs/demo/predictions/contents/night/.png",
            "runs/demo/predictions/contents/night/older/00001.png",
            "runs/demo/predictions/styles/night/00001.png",
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
            "runs/demo/priors/.png",
            "runs/demo/priors/night.jpg",
            "runs/demo/priors/a/night.png",
            "runs/demo/prior/night.png",
            "comparisons/",
            "comparisons/demo",
            "comparisons/demo.txt",
            "comparisons/Demo.json",
            "comparisons/.json",
            "comparisons/demo.json.tmp",
            "comparisons/demo/comparison.json",
            "runs/demo/comparisons/demo.json",
        ] {
            assert_eq!(ArtifactKey::parse(path), None, "{path}");
        }
    }
}
