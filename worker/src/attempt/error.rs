//! Why an attempt at a shard fails, and what that leads to.

use std::time::Duration;

use shared::failure::{FailureClass, StorageUse};
use shared::ids::ItemId;
use shared::manifest::ManifestError;
use shared::storage::{StorageError, StorageErrorKind};

use super::ports::{Quarantine, Stage};
use crate::evaluation::EvaluationError;
use engine::EngineError;
use engine::thread::EngineGone;
use imaging::InputError;

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// An artifact cannot be stored or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The engine failed.
    #[error("the engine failed")]
    Engine(#[from] EngineError),
    /// The shard's rows cannot be written.
    #[error("the shard's manifest failed")]
    Manifest(#[from] ManifestError),
    /// An output cannot be encoded.
    #[error("an output cannot be encoded")]
    Encode(#[source] InputError),
    /// An output cannot be evaluated.
    #[error("{path} cannot be judged")]
    Evaluation {
        /// The output.
        path: String,
        /// Why.
        #[source]
        source: Box<EvaluationError>,
    },
    /// An image came out with other bytes than the committed row says.
    #[error(
        "{path} came out with SHA-256 {made}, and its committed row says {committed}: was it made on another kind of \
         device?"
    )]
    Differs {
        /// The image.
        path: String,
        /// Its digest now.
        made: String,
        /// Its digest in the committed row.
        committed: String,
    },
    /// What was predicted for an item is gone, and the item is not doubtful any more.
    #[error(
        "{path} is gone and was not made again: its committed row says {committed}, and its item was not found doubtful this \
         time: was it judged on another kind of device?"
    )]
    Undoubted {
        /// The prediction.
        path: String,
        /// Its digest in the committed row.
        committed: String,
    },
    /// An item that is done, and whose image, label or class map is gone, cannot be made again.
    #[error(
        "the image or the label of {item}, or the class map of its style, is gone, and it cannot be made again as things \
         are: {reason}"
    )]
    Unrepairable {
        /// The item.
        item: ItemId,
        /// What is wrong.
        class: FailureClass,
        /// Why.
        reason: String,
    },
    /// An input was away for longer than the run waits for it.
    #[error(
        "{reason}; waited {} s for it (limits.input_patience_seconds): start again once it can be read, or remove the \
         file from its folder to leave its items out", .waited.as_secs()
    )]
    Away {
        /// Why it cannot be read.
        reason: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The attempt was told to stop before an image was in hand.
    #[error("told to stop")]
    ToldToStop,
    /// A step took far longer than usual.
    #[error(
        "{} has taken {:.0} s and hangs: it is given {:.0} s",
        .stage.as_str(), .elapsed.as_secs_f64(), .allowed.as_secs_f64()
    )]
    Hung {
        /// What hangs.
        stage: Stage,
        /// How long it has taken.
        elapsed: Duration,
        /// How long it may take.
        allowed: Duration,
    },
}

impl From<EngineGone> for AttemptError {
    fn from(gone: EngineGone) -> Self {
        Self::Engine(EngineError::Gone(gone))
    }
}

impl AttemptError {
    /// Returns a quarantine with the cause itself: that the engine found it does not help a person.
    pub(super) fn into_quarantine(self) -> Quarantine {
        let class = self.class();
        match self {
            Self::Engine(source) => Quarantine::of(&source, class),
            other => Quarantine::of(&other, class),
        }
    }

    /// Returns a quarantine if it is about an object of an item that can never be stored; itself otherwise.
    pub(super) fn of_item(self) -> Result<Quarantine, Self> {
        match self {
            Self::Storage(error) => match FailureClass::of_storage(error.kind, StorageUse::Item) {
                class @ (FailureClass::BadInput
                | FailureClass::Missing
                | FailureClass::Changed
                | FailureClass::BadOutput) => Ok(Quarantine::of(&error, class)),
                FailureClass::Transient
                | FailureClass::Resources
                | FailureClass::Unworkable
                | FailureClass::Fatal => Err(Self::Storage(error)),
            },
            other => Err(other),
        }
    }

    /// Returns what the failure leads to.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            // An item whose object can never be stored is quarantined before: see `of_item`.
            Self::Storage(error) => FailureClass::of_storage(error.kind, StorageUse::Attempt),
            Self::Engine(error) => error.class(),
            Self::Evaluation { source, .. } => source.class(),
            // Where reading hangs, so does a thread of this process.
            Self::Hung {
                stage: Stage::Load, ..
            } => FailureClass::Fatal,
            // A number of one shard concerns no other.
            Self::Differs { .. }
            | Self::Undoubted { .. }
            | Self::Hung { .. }
            | Self::ToldToStop
            | Self::Manifest(
                ManifestError::NoFigure { .. }
                | ManifestError::OtherFigure { .. }
                | ManifestError::Claim(_)
                | ManifestError::TooLarge { .. }
                | ManifestError::Altered { .. }
                | ManifestError::DigestLost
                | ManifestError::Write(_),
            ) => FailureClass::Transient,
            Self::Manifest(
                ManifestError::Parquet(_)
                | ManifestError::Contradiction(_)
                | ManifestError::Arrow(_)
                | ManifestError::Column(_),
            )
            | Self::Encode(_) => FailureClass::Unworkable,
            Self::Away { .. } => FailureClass::Fatal,
            Self::Unrepairable { class, .. } => *class,
        }
    }

    /// Returns whether another attempt would end alike until a person has done something about it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Unrepairable { .. } => true,
            Self::Storage(_)
            | Self::Engine(_)
            | Self::Manifest(_)
            | Self::Encode(_)
            | Self::Evaluation { .. }
            | Self::Differs { .. }
            | Self::Undoubted { .. }
            | Self::Away { .. }
            | Self::ToldToStop
            | Self::Hung { .. } => false,
        }
    }

    /// Returns whether inputs of the run stayed away: that says nothing about the shard, nor about other runs.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Storage(_)
            | Self::Engine(_)
            | Self::Manifest(_)
            | Self::Encode(_)
            | Self::Evaluation { .. }
            | Self::Differs { .. }
            | Self::Undoubted { .. }
            | Self::Unrepairable { .. }
            | Self::ToldToStop
            | Self::Hung { .. } => false,
        }
    }

    /// Returns whether storage refuses an object of the run, for its name or for who owns its place.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Storage(error) => error.kind == StorageErrorKind::Denied,
            Self::Engine(_)
            | Self::Manifest(_)
            | Self::Encode(_)
            | Self::Evaluation { .. }
            | Self::Differs { .. }
            | Self::Undoubted { .. }
            | Self::Unrepairable { .. }
            | Self::Away { .. }
            | Self::ToldToStop
            | Self::Hung { .. } => false,
        }
    }

    /// Returns whether it is about a stored output that is no image of its content's size.
    pub(super) fn is_damaged_output(&self) -> bool {
        match self {
            Self::Evaluation { source, .. } => match **source {
                EvaluationError::Output(_) | EvaluationError::Pixels(_) => true,
                EvaluationError::Prediction(_) | EvaluationError::Engine(_) => false,
            },
            Self::Storage(_)
            | Self::Engine(_)
            | Self::Manifest(_)
            | Self::Encode(_)
            | Self::Differs { .. }
            | Self::Undoubted { .. }
            | Self::Unrepairable { .. }
            | Self::Away { .. }
            | Self::ToldToStop
            | Self::Hung { .. } => false,
        }
    }

    /// Returns whether the engine's thread is stuck or gone, so that this process can do no more work.
    #[must_use]
    pub fn ends_engine(&self) -> bool {
        match self {
            Self::Hung { stage, .. } => match stage {
                Stage::ClassMap | Stage::StyleStep | Stage::OutputStep | Stage::Evaluate => true,
                Stage::Load | Stage::Wait | Stage::Store => false,
            },
            Self::Engine(error) => matches!(error, EngineError::Gone(_)),
            Self::Storage(_)
            | Self::Manifest(_)
            | Self::Encode(_)
            | Self::Evaluation { .. }
            | Self::Differs { .. }
            | Self::Undoubted { .. }
            | Self::Unrepairable { .. }
            | Self::Away { .. }
            | Self::ToldToStop => false,
        }
    }
}
