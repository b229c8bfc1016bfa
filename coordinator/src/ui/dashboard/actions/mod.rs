//! Actions of visitors: forms that pages of this dashboard post.
//!
//! - `resume`, `cancel`: about a run; `drain`: about a worker
//! - `login`: in with the token, and out again
//!
//! All but the login come as a [`SignedForm`].

pub(super) mod cancel;
pub(super) mod drain;
pub(super) mod login;
pub(super) mod resume;

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Dashboard;
use super::access::Visitor;
use super::error::PageError;

/// Why no action reaches workers where no broker is named, and what helps.
const WITHOUT_BROKER: &str = "No broker is named, so nothing can be handed to workers from here: start this with \
     SYNTH2REAL_BROKER_URL, or run `synth2real run` again where the run was made.";

/// A form with the proof that a page of this dashboard made it for this visitor.
pub(crate) struct SignedForm<T>(pub(crate) T);

#[derive(Deserialize)]
struct WithProof<T> {
    /// Empty if the form brings none, which no session's proof is.
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    form: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<Dashboard>> for SignedForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, dashboard: &Arc<Dashboard>) -> Result<Self, PageError> {
        let headers = request.headers().clone();
        let visitor = request.extensions().get::<Visitor>().cloned();
        let Form(signed) = Form::<WithProof<T>>::from_request(request, dashboard)
            .await
            .map_err(|error| PageError::BadRequest(error.body_text()))?;
        let visitor = visitor.ok_or_else(|| PageError::Forbidden("log in first".to_owned()))?;
        visitor.check_form(&headers, &signed.csrf)?;
        Ok(Self(signed.form))
    }
}

/// Returns why no shard can be handed to workers; none if there is a queue.
pub(super) fn without_queue(dashboard: &Dashboard) -> Option<&'static str> {
    dashboard.queue.is_none().then_some(WITHOUT_BROKER)
}
