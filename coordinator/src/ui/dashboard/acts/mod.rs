//! What people do: POST forms of our own pages.

pub(super) mod cancel;
pub(super) mod drain;
pub(super) mod resume;

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Dashboard;
use super::access::Visitor;
use super::error::PageError;

/// Why nothing reaches workers from here, where there is no broker.
const WITHOUT_BROKER: &str = "No broker is named, so nothing can be handed to workers from here: start this with \
     SYNTH2REAL_BROKER_URL, or run `synth2real run` again where the run was made.";

/// A form that is proven to be made by a page of ours for this visitor.
pub(super) struct Act<T>(pub(super) T);

#[derive(Deserialize)]
struct Signed<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    form: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<Dashboard>> for Act<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, dashboard: &Arc<Dashboard>) -> Result<Self, PageError> {
        let headers = request.headers().clone();
        let visitor = request.extensions().get::<Visitor>().cloned();
        let Form(signed) = Form::<Signed<T>>::from_request(request, dashboard)
            .await
            .map_err(|error| PageError::Senseless(error.body_text()))?;
        let visitor = visitor.ok_or_else(|| PageError::Refused("log in first".to_owned()))?;
        visitor.may_act(&headers, &signed.csrf)?;
        Ok(Self(signed.form))
    }
}

/// Returns why nothing can be published; none if there is a queue.
pub(super) fn without_queue(dashboard: &Dashboard) -> Option<&'static str> {
    dashboard.queue.is_none().then_some(WITHOUT_BROKER)
}
