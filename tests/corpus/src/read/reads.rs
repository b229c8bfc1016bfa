//! Who reads a file: the names of the readers.

use crate::targets::Target;

shared::enumerated! {
    /// Who reads a file.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Reads {
        /// A photograph whose label is that of the scene, in GTA5's layout.
        Photograph,
        /// The label of the scene's photograph where a palette of label ids is promised.
        PaletteLabel,
        /// The same where grey label ids are promised.
        IdLabel,
        /// The same where grey train ids are promised.
        TrainIdLabel,
        /// The same where colours are promised.
        ColourLabel,
        /// The same where SYNTHIA's classes are promised.
        SynthiaLabel,
        /// The same where CARLA's tags are promised.
        CarlaLabel,
        /// Statistics of photographs: `quality.reference`.
        Reference,
        /// Noise of two steps for `transfer`.
        Noise,
        /// `model.json`.
        Model,
        /// `features.json`.
        Features,
        /// `perceptual.json`.
        Perceptual,
        /// `segmenter.json`.
        Segmenter,
        /// `translator.json`, with what it takes and gives.
        Translator,
        /// `run.json`.
        RunRecord,
        /// The plan beside it.
        Plan,
        /// A decision about a run.
        Decision,
        /// What was counted of a run.
        Tally,
        /// A failed attempt at a shard.
        FailedAttempt,
        /// `run.toml`.
        RunSettings,
        /// `worker.toml`.
        WorkerSettings,
        /// Arguments of `--set`, a line each.
        Overrides,
        /// A shard in the queue.
        Task,
        /// What a worker says.
        Event,
        /// What a worker is asked.
        Request,
        /// The manifest of a shard.
        Shard,
    }
}

impl Reads {
    /// Returns the fuzz target to which it belongs.
    #[must_use]
    pub fn target(self) -> Target {
        match self {
            Self::Photograph => Target::Pictures,
            Self::PaletteLabel
            | Self::IdLabel
            | Self::TrainIdLabel
            | Self::ColourLabel
            | Self::SynthiaLabel
            | Self::CarlaLabel => Target::Labels,
            Self::Reference | Self::Noise => Target::Arrays,
            Self::Model
            | Self::Features
            | Self::Perceptual
            | Self::Segmenter
            | Self::Translator => Target::Contracts,
            Self::RunRecord | Self::Plan | Self::Decision | Self::Tally | Self::FailedAttempt => {
                Target::Records
            }
            Self::RunSettings | Self::WorkerSettings | Self::Overrides => Target::Settings,
            Self::Task | Self::Event | Self::Request => Target::Messages,
            Self::Shard => Target::Shards,
        }
    }
}
