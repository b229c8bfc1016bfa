//! Cancels a run: workers drop its shards.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use serde::Deserialize;
use shared::decision::Decisions;

use super::SignedForm;
use crate::run::decisions::{self, Resolution};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::count;
use crate::ui::dashboard::layout::{Layout, Section, page};

#[derive(Template)]
#[template(path = "cancel.html")]
struct CancelPage {
    layout: Layout,
    run: String,
    remaining: String,
    halted: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CancelForm {}

/// Shows what cancelling means and asks for it.
pub(crate) async fn ask(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    Ok(page(&CancelPage {
        layout: Layout::new(&dashboard, &visitor, Section::Runs, format!("Cancel {run}"))
            .for_run(&dashboard, view.id())
            .without_refresh(),
        remaining: count(view.num_remaining()),
        halted: view.ledger.decisions.halted.clone(),
        run,
    }))
}

/// Cancels the run, unless it has ended or was halted before.
pub(crate) async fn cancel(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    _: SignedForm<CancelForm>,
) -> Result<Redirect, PageError> {
    let view = dashboard.run(&run)?;
    let storage = dashboard.storage.as_ref();
    let notice = if decisions::has_ended(storage, view.id()).await {
        format!("Run {run} has ended: there is nothing to cancel.")
    } else {
        let mut decisions = Decisions::read(storage, view.id()).await?;
        match decisions::cancel(storage, view.id(), &mut decisions).await? {
            Resolution::IsHalted(reason) => format!("Run {run} was halted before: {reason}."),
            Resolution::Decides(_) | Resolution::Nothing => {
                tracing::info!(run, "cancelled from the dashboard");
                dashboard.live.wake();
                format!(
                    "Run {run} is cancelled: workers finish the image in hand and drop its shards. Resume takes it up again."
                )
            }
        }
    };
    if let Some(secret) = &visitor.secret {
        dashboard.sessions.set_notice(secret, notice);
    }
    Ok(Redirect::to(&format!("/runs/{run}")))
}
