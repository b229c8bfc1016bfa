//! Groups of stored objects that can be listed.

use crate::ids::RunId;

/// A group of objects that can be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactPrefix {
    /// All runs of a storage root.
    Runs,
    /// All comparisons of a storage root.
    Comparisons,
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
    /// What a segmenter predicted for the doubtful items of a run.
    Predictions(RunId),
    /// The class maps of a run's styles that have no labels.
    Priors(RunId),
}

impl ArtifactPrefix {
    /// Returns the path below the storage root, ending in `/`.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Runs => "runs/".to_owned(),
            Self::Comparisons => "comparisons/".to_owned(),
            Self::Run(run) => format!("runs/{run}/"),
            Self::Shards(run) => format!("runs/{run}/shards/"),
            Self::FailedAttempts(run) => format!("runs/{run}/attempts/"),
            Self::Images(run) => format!("runs/{run}/images/"),
            Self::Labels(run) => format!("runs/{run}/labels/"),
            Self::Predictions(run) => format!("runs/{run}/predictions/"),
            Self::Priors(run) => format!("runs/{run}/priors/"),
        }
    }
}
