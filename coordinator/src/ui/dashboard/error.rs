//! Why a page cannot be shown, as a page.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use shared::decision::DecisionError;
use shared::failure::chain;
use shared::ids::RunId;
use shared::storage::StorageError;
use shared::wording::{MOST_TEXT_BYTES, shortened};

use super::frame::{Frame, MessagePage, page};
use crate::run::changes::ChangeError;
use crate::run::ledger::LedgerError;
use crate::work::resume::ResumeError;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// It is not known yet whether there is such a thing.
    #[error("{0}")]
    Early(String),
    /// The visitor may not do this.
    #[error("{0}")]
    Refused(String),
    /// The request makes no sense.
    #[error("{0}")]
    Senseless(String),
    /// Something else was decided about a run while this was.
    #[error("{text}")]
    Meanwhile {
        /// The run.
        run: RunId,
        /// What to do.
        text: String,
    },
    /// Storage or broker do not answer.
    #[error("{0}")]
    Trouble(String),
}

impl From<DecisionError> for PageError {
    fn from(error: DecisionError) -> Self {
        let text = chain(&error);
        match error {
            DecisionError::Meanwhile { run } => Self::Meanwhile { run, text },
            DecisionError::Storage(_)
            | DecisionError::Malformed { .. }
            | DecisionError::TooLarge { .. } => Self::Trouble(text),
        }
    }
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        Self::Trouble(chain(&error))
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
            | LedgerError::OtherRows { .. } => Self::Trouble(chain(&error)),
        }
    }
}

impl From<ResumeError> for PageError {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Unknown { .. } => Self::Missing(chain(&error)),
            ResumeError::Changed(ChangeError::Refused { .. }) => Self::Refused(chain(&error)),
            ResumeError::Decision(error) => error.into(),
            ResumeError::Storage(_)
            | ResumeError::Ledger(_)
            | ResumeError::Changed(ChangeError::Ledger(_) | ChangeError::Storage(_))
            | ResumeError::Queue(_) => Self::Trouble(chain(&error)),
        }
    }
}

impl PageError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Senseless(_) => StatusCode::BAD_REQUEST,
            Self::Meanwhile { .. } => StatusCode::CONFLICT,
            Self::Early(_) | Self::Trouble(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn heading(&self) -> &'static str {
        match self {
            Self::Missing(_) => "Not found",
            Self::Early(_) => "Still looking",
            Self::Refused(_) => "Refused",
            Self::Senseless(_) => "That makes no sense",
            Self::Meanwhile { .. } => "Something else came first",
            Self::Trouble(_) => "Something does not answer",
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.status();
        // It may quote what somebody asked for.
        let text = shortened(&self.to_string(), MOST_TEXT_BYTES);
        if status.is_server_error() {
            tracing::warn!(error = text, "a page cannot be shown");
        }
        let heading = self.heading();
        let message = MessagePage {
            frame: match &self {
                Self::Missing(_) | Self::Early(_) | Self::Trouble(_) => Frame::awaiting(heading),
                Self::Refused(_) | Self::Senseless(_) | Self::Meanwhile { .. } => {
                    Frame::bare(heading)
                }
            },
            heading,
            text,
            run: match self {
                Self::Meanwhile { run, .. } => Some(run.to_string()),
                Self::Missing(_)
                | Self::Early(_)
                | Self::Refused(_)
                | Self::Senseless(_)
                | Self::Trouble(_) => None,
            },
        };
        (status, page(&message)).into_response()
    }
}
