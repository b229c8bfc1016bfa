//! Resumes shards of a run: first a preview of what would be done again, then the action.

mod query;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use shared::failure::chain;
use shared::ids::ShardId;

use self::query::ResumeQuery;
use super::{SignedForm, without_queue};
use crate::run::changes::ChangeError;
use crate::run::estimate::Estimate;
use crate::run::ledger::Ledger;
use crate::run::redo::Redo;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::things;
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::RunView;
use crate::work::resume::{self, ResumeError};

/// Most shards that a preview lists one by one.
const MAX_LISTED: usize = 200;

#[derive(Template)]
#[template(path = "resume.html")]
struct PreviewPage {
    layout: Layout,
    run: String,
    query: ResumeQuery,
    /// What is asked for, in words.
    what: String,
    num_shards: String,
    num_items: String,
    estimate: String,
    lines: Vec<Line>,
    num_more: usize,
    /// Why it cannot be done.
    obstacle: Option<String>,
    /// Whether it is only noted with the run, as no broker is named.
    only_noted: bool,
    halted: Option<String>,
}

/// A shard that would be done again.
struct Line {
    shard: ShardId,
    num_items: usize,
    why: String,
}

/// What a query asks to do again.
struct Candidates {
    ledger: Ledger,
    redo: Vec<Redo>,
}

async fn find(
    dashboard: &Dashboard,
    view: &RunView,
    query: &ResumeQuery,
) -> Result<Candidates, PageError> {
    let storage = dashboard.storage.as_ref();
    let choice = query.choice()?;
    let ledger = Ledger::read(storage, &view.run).await?;
    let redo = resume::find(storage, &view.run, &ledger, &choice).await?;
    Ok(Candidates { ledger, redo })
}

/// Shows what would be done again, and the form that does it.
pub(crate) async fn preview(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let query = ResumeQuery::from_pairs(pairs)?;
    let Candidates { ledger, redo } = find(&dashboard, &view, &query).await?;
    let num_items = resume::num_items(&redo);
    let broker = dashboard.live.broker();
    let depth = broker.and_then(|broker| broker.depth.ok());
    let workers = depth.map_or(0, |depth| depth.consumers);
    let estimate = Estimate::with(num_items, &view.counts, workers);
    let obstacle = without_queue(&dashboard).filter(|_| !query.is_retry());
    let obstacle = match obstacle {
        Some(obstacle) => Some(obstacle.to_owned()),
        None => refusal(&dashboard, &view, &ledger, &redo).await?,
    };
    let line = |redo: &Redo| Line {
        shard: redo.shard,
        num_items: redo.num_items,
        why: redo.why.to_string(),
    };
    Ok(page(&PreviewPage {
        layout: Layout::new(&dashboard, &visitor, Section::Runs, format!("Resume {run}"))
            .for_run(&dashboard, view.id())
            .without_refresh(),
        run,
        what: query.what(),
        obstacle,
        only_noted: dashboard.queue.is_none() && query.is_retry(),
        query,
        num_shards: things(redo.len(), "shard"),
        num_items: things(num_items, "item"),
        estimate: estimate.to_string(),
        lines: redo.iter().take(MAX_LISTED).map(line).collect(),
        num_more: redo.len().saturating_sub(MAX_LISTED),
        halted: ledger.decisions.halted,
    }))
}

/// Returns why changed inputs refuse it; none if they do not.
async fn refusal(
    dashboard: &Dashboard,
    view: &RunView,
    ledger: &Ledger,
    redo: &[Redo],
) -> Result<Option<String>, PageError> {
    let storage = dashboard.storage.as_ref();
    match resume::changed_inputs(storage, &view.run, ledger, redo).await {
        Ok(_) => Ok(None),
        Err(ResumeError::Changed(refused @ ChangeError::Refused { .. })) => {
            Ok(Some(chain(&refused)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Hands out what is to be done again, or notes it with the run where no broker is named.
pub(crate) async fn publish(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    SignedForm(query): SignedForm<ResumeQuery>,
) -> Result<Redirect, PageError> {
    let view = dashboard.run(&run)?;
    let queue = match (&dashboard.queue, without_queue(&dashboard)) {
        (None, Some(why)) if !query.is_retry() => {
            return Err(PageError::Unavailable(why.to_owned()));
        }
        (queue, _) => queue,
    };
    let Candidates { mut ledger, redo } = find(&dashboard, &view, &query).await?;
    let (storage, planned) = (dashboard.storage.as_ref(), view.run.as_ref());
    if !redo.is_empty() {
        match queue {
            Some(queue) => {
                let publisher = resume::Publisher {
                    storage,
                    queue: queue.as_ref(),
                    run: planned,
                };
                publisher.publish(&mut ledger, &redo, |_| {}).await?;
            }
            None => {
                let changed = resume::changed_inputs(storage, planned, &ledger, &redo).await?;
                resume::decide(storage, planned, &mut ledger, &redo, changed).await?;
            }
        }
        tracing::info!(run = %view.id(), shards = redo.len(), "resumed from the dashboard");
        dashboard.live.wake();
    }
    let what = format!(
        "{} with {}.",
        things(redo.len(), "shard"),
        things(resume::num_items(&redo), "item")
    );
    let notice = match queue {
        Some(queue) => format!("Handed to {}: {what}", queue.locate()),
        None => format!("Noted, for the next run or launch to do again: {what}"),
    };
    if let Some(secret) = &visitor.secret {
        dashboard.sessions.set_notice(secret, notice);
    }
    Ok(Redirect::to(&format!("/runs/{run}")))
}
