//! All runs of the storage root.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::run_line::RunLine;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::format::Moment;
use crate::ui::dashboard::frame::{Frame, Section, page};

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    /// Those that somebody works on first, then the newest.
    runs: Vec<RunLine>,
    unreadable: Vec<Unreadable>,
    root: String,
    /// Whether nobody has looked yet.
    early: bool,
}

struct Unreadable {
    name: String,
    reason: String,
    since: Moment,
}

pub(in super::super) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let mut views = dashboard.live.runs();
    views.sort_by_key(|view| std::cmp::Reverse(view.run.record.created_at));
    let mut runs: Vec<RunLine> = views
        .iter()
        .map(|view| RunLine::of(&dashboard, view))
        .collect();
    runs.sort_by_key(|run| !run.is_running());
    let now = dashboard.live.now();
    let unreadable = dashboard.live.unreadable().into_iter();
    page(&RunsPage {
        frame: Frame::new(&dashboard, &visitor, Section::Runs, "Runs"),
        early: dashboard.live.polled_at().is_none(),
        root: dashboard.root.clone(),
        unreadable: unreadable
            .map(|(run, trouble)| Unreadable {
                name: run.to_string(),
                reason: trouble.reason,
                since: Moment::new(trouble.since, now),
            })
            .collect(),
        runs,
    })
}
