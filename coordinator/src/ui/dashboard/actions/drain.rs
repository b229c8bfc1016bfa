//! Drains a worker: it finishes the image in hand, gives its shard back and stops.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;
use shared::failure::chain;
use shared::queue::message::ControlRequest;

use super::{SignedForm, WITHOUT_BROKER};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;

#[derive(Debug, Deserialize)]
pub(crate) struct DrainForm {
    worker: String,
}

/// Tells a worker that was heard lately to drain.
pub(crate) async fn drain(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    SignedForm(DrainForm { worker }): SignedForm<DrainForm>,
) -> Result<Redirect, PageError> {
    let Some(control) = &dashboard.control else {
        return Err(PageError::Unavailable(WITHOUT_BROKER.to_owned()));
    };
    // Only those that were heard: a name is part of what the broker is asked for.
    let known = dashboard.live.workers().into_iter();
    if !known.map(|known| known.name).any(|name| name == worker) {
        return Err(PageError::NotFound(format!(
            "no worker {worker:?} was heard lately"
        )));
    }
    let asked = control.send(&worker, ControlRequest::Drain).await;
    let listens = asked.map_err(|error| PageError::Unavailable(chain(&error)))?;
    let notice = if listens {
        tracing::info!(worker, "drained from the dashboard");
        dashboard.live.drain(&worker);
        format!("{worker} was told to finish the image in hand, give its shard back and stop.")
    } else {
        format!("{worker} does not listen: it has stopped, or has lost the broker.")
    };
    if let Some(secret) = &visitor.secret {
        dashboard.sessions.set_notice(secret, notice);
    }
    Ok(Redirect::to("/workers"))
}
