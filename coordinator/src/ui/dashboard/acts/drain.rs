//! A worker finishes what it has in hand and stops.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;
use shared::failure::chain;
use shared::queue::message::ControlRequest;

use super::{Act, WITHOUT_BROKER};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;

#[derive(Debug, Deserialize)]
pub(in super::super) struct Drain {
    worker: String,
}

pub(in super::super) async fn drain(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Act(Drain { worker }): Act<Drain>,
) -> Result<Redirect, PageError> {
    let Some(control) = &dashboard.control else {
        return Err(PageError::Trouble(WITHOUT_BROKER.to_owned()));
    };
    // Only those that were heard: a name is part of what the broker is asked for.
    let known = dashboard.live.workers().into_iter();
    if !known.map(|known| known.name).any(|name| name == worker) {
        return Err(PageError::Missing(format!(
            "no worker {worker:?} was heard lately"
        )));
    }
    let asked = control.send(&worker, ControlRequest::Drain).await;
    let listens = asked.map_err(|error| PageError::Trouble(chain(&error)))?;
    let notice = if listens {
        tracing::info!(worker, "drained from the dashboard");
        dashboard.live.drain(&worker);
        format!("{worker} was told to finish the image in hand, give its shard back and stop.")
    } else {
        format!("{worker} does not listen: it has stopped, or has lost the broker.")
    };
    if let Some(secret) = &visitor.secret {
        dashboard.sessions.say(secret, notice);
    }
    Ok(Redirect::to("/workers"))
}
