//! The check of the host name: no name of another site leads a browser to this dashboard.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared::http_server::names_this_machine;

use super::Access;
use crate::ui::dashboard::Dashboard;

/// Refuses host names that do not mean this machine, where no token is needed: another site may have pointed its own
/// name at this address (DNS rebinding), and could then read what its pages load from here.
pub(crate) async fn check_host(
    State(dashboard): State<Arc<Dashboard>>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST);
    let is_local = host
        .and_then(|host| host.to_str().ok())
        .is_some_and(names_this_machine);
    match &dashboard.access {
        Access::Loopback if !is_local => (
            StatusCode::MISDIRECTED_REQUEST,
            "without a token the dashboard answers to localhost only; see `synth2real serve --help`\n",
        )
            .into_response(),
        Access::Loopback | Access::Token(_) => next.run(request).await,
    }
}
