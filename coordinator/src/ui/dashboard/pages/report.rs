//! The report of a run as one page: what `synth2real report --html` writes.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use shared::clock::SystemClock;
use shared::failure::chain;

use crate::output::report::html;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::error::PageError;

/// The page carries its own style, script and images, and is kept apart from the dashboard: it may load nothing, and its
/// script cannot read the cookie.
const POLICY: &str = "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers with the report, with its images inside.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Path(run): Path<String>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let Some(report) = &view.report else {
        return Err(PageError::NotFound(format!(
            "run {run} has no report yet: the first comes with its first shard"
        )));
    };
    let _place = dashboard.images.budget.report().await;
    let shown = html::Shown {
        run: &view.run,
        ledger: &view.ledger,
        tally: &view.tally,
        report,
    };
    let page = html::render(dashboard.storage.as_ref(), &[shown], &SystemClock).await;
    let page = page.map_err(|error| PageError::Unavailable(chain(&error)))?;
    Ok(([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response())
}
