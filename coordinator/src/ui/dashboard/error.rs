//! Why a page or an answer of the API cannot be shown, as data: a status, a title, a message, and whether to retry.
//!
//! A handler returns it; `error_layer` renders it for the visitor. Nothing here knows how a page looks.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use shared::decision::DecisionError;
use shared::failure::chain;
use shared::ids::RunId;
use shared::storage::StorageError;

use crate::output::comparison::ComparisonError;
use crate::run::changes::ChangeError;
use crate::run::ledger::LedgerError;
use crate::work::resume::ResumeError;

/// Why a request cannot be answered; displayed as the message for people.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PageError {
    /// What is asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The storage root has not been read yet, so it is not known whether what is asked for exists.
    #[error("{0}")]
    NotReady(String),
    /// The visitor may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// A parameter or a field of the form has no meaning.
    #[error("{0}")]
    BadRequest(String),
    /// A decision about the run was stored while this one was being made.
    #[error("{text}")]
    Conflict {
        /// The run.
        run: RunId,
        /// What to do.
        text: String,
    },
    /// Storage or broker do not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<DecisionError> for PageError {
    fn from(error: DecisionError) -> Self {
        let text = chain(&error);
        match error {
            DecisionError::Meanwhile { run } => Self::Conflict { run, text },
            DecisionError::Storage(_)
            | DecisionError::Malformed { .. }
            | DecisionError::TooLarge { .. } => Self::Unavailable(text),
        }
    }
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        Self::Unavailable(chain(&error))
    }
}

impl From<ComparisonError> for PageError {
    fn from(error: ComparisonError) -> Self {
        Self::Unavailable(chain(&error))
    }
}

impl From<LedgerError> for PageError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Decision(error) => error.into(),
            LedgerError::Storage(_)
            | LedgerError::Gone(_)
            | LedgerError::Unreadable(_)
            | LedgerError::Manifest { .. }
            | LedgerError::OtherRows { .. } => Self::Unavailable(chain(&error)),
        }
    }
}

impl From<ResumeError> for PageError {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Unknown { .. } => Self::NotFound(chain(&error)),
            ResumeError::Changed(ChangeError::Refused { .. }) => Self::Forbidden(chain(&error)),
            ResumeError::Decision(error) => error.into(),
            ResumeError::Storage(_)
            | ResumeError::Ledger(_)
            | ResumeError::Changed(ChangeError::Ledger(_) | ChangeError::Storage(_))
            | ResumeError::Queue(_) => Self::Unavailable(chain(&error)),
        }
    }
}

impl PageError {
    /// Returns the status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::NotReady(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the title for people.
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "Not found",
            Self::NotReady(_) => "Still looking",
            Self::Forbidden(_) => "Refused",
            Self::BadRequest(_) => "That makes no sense",
            Self::Conflict { .. } => "Something else came first",
            Self::Unavailable(_) => "Something does not answer",
        }
    }

    /// Returns whether the same request may succeed later, so that a page retries it by itself.
    pub(super) fn is_retried(&self) -> bool {
        match self {
            Self::NotFound(_) | Self::NotReady(_) | Self::Unavailable(_) => true,
            Self::Forbidden(_) | Self::BadRequest(_) | Self::Conflict { .. } => false,
        }
    }

    /// Returns the run to lead the visitor back to, if the error is about a decision on one.
    pub(super) fn run(&self) -> Option<&RunId> {
        match self {
            Self::Conflict { run, .. } => Some(run),
            Self::NotFound(_)
            | Self::NotReady(_)
            | Self::Forbidden(_)
            | Self::BadRequest(_)
            | Self::Unavailable(_) => None,
        }
    }
}

/// A status with the error attached as an extension; the error layer adds the body.
impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
