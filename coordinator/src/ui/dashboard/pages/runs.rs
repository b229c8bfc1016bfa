//! The page of all runs of a storage root.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::run_summary::RunSummary;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::format::TimestampLabel;
use crate::ui::dashboard::layout::{Layout, Section, page};

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    layout: Layout,
    /// Running ones first, then the newest.
    runs: Vec<RunSummary>,
    unreadable: Vec<Unreadable>,
    root: String,
    /// Whether the storage root has not been read yet.
    early: bool,
}

/// A run that cannot be read, and why.
struct Unreadable {
    name: String,
    reason: String,
    since: TimestampLabel,
}

/// Shows all runs.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let mut views = dashboard.live.runs();
    views.sort_by_key(|view| std::cmp::Reverse(view.run.record.created_at));
    let mut runs: Vec<RunSummary> = views
        .iter()
        .map(|view| RunSummary::of(&dashboard, view))
        .collect();
    runs.sort_by_key(|run| !run.is_running());
    let now = dashboard.live.now();
    let unreadable = dashboard.live.unreadable().into_iter();
    page(&RunsPage {
        layout: Layout::new(&dashboard, &visitor, Section::Runs, "Runs"),
        early: dashboard.live.polled_at().is_none(),
        root: dashboard.root.clone(),
        unreadable: unreadable
            .map(|(run, trouble)| Unreadable {
                name: run.to_string(),
                reason: trouble.reason,
                since: TimestampLabel::new(trouble.since, now),
            })
            .collect(),
        runs,
    })
}
