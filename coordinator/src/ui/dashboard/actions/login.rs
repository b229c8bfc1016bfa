//! Logs in with the token, and out again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;
use shared::http_server::Peer;

use super::SignedForm;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::{self, Access, Caller, TokenCheck, Visitor, cookie};
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::layout::{Layout, page};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    layout: Layout,
    next: String,
    wrong: Option<&'static str>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LoginQuery {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    token: String,
    #[serde(default)]
    next: String,
}

impl LoginPage {
    fn new(next: &str, wrong: Option<&'static str>) -> Self {
        Self {
            layout: Layout::minimal("Log in"),
            next: next.to_owned(),
            wrong,
        }
    }
}

/// Returns where to go after the login: `next` if it is a page of this dashboard, else the first page. Browsers leave out
/// control characters and take a backslash for a slash, so an address with any of them may lead elsewhere.
fn local_path(next: &str) -> &str {
    let plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain && next.starts_with('/') && !next.starts_with("//") {
        next
    } else {
        "/"
    }
}

/// Shows the form that asks for the token, where one is needed.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Query(query): Query<LoginQuery>,
) -> Response {
    match dashboard.access {
        Access::Loopback => Redirect::to("/").into_response(),
        Access::Token(_) => page(&LoginPage::new(local_path(&query.next), None)),
    }
}

/// Opens a session for the right token, and says so of a wrong one.
pub(crate) async fn login(
    State(dashboard): State<Arc<Dashboard>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(login): Form<LoginForm>,
) -> Result<Response, PageError> {
    let Access::Token(token) = &dashboard.access else {
        return Ok(Redirect::to("/").into_response());
    };
    if !access::is_same_origin(&headers) {
        return Err(PageError::Forbidden(
            "the form was not made by this page".to_owned(),
        ));
    }
    let next = local_path(&login.next);
    let caller = Caller::new(peer.map(|Extension(peer)| peer), &headers);
    let refused = match token.check(&login.token, &caller).await {
        TokenCheck::Right => None,
        TokenCheck::Wrong => Some((StatusCode::UNAUTHORIZED, "That is not the token.")),
        TokenCheck::TooMany => Some((
            StatusCode::TOO_MANY_REQUESTS,
            "That is not the token, and too many wrong ones come in: wait a little.",
        )),
    };
    if let Some((status, wrong)) = refused {
        let page = page(&LoginPage::new(next, Some(wrong)));
        return Ok((status, page).into_response());
    }
    let opened = dashboard.sessions.open();
    let session = opened.map_err(|error| PageError::Unavailable(error.to_string()))?;
    let cookie = cookie::set(dashboard.port, &headers, &session.secret)?;
    let mut response = Redirect::to(next).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

#[derive(Debug, Deserialize)]
pub(crate) struct LogoutForm {}

/// Closes the visitor's session.
pub(crate) async fn logout(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    _: SignedForm<LogoutForm>,
) -> Redirect {
    if let Some(secret) = &visitor.secret {
        dashboard.sessions.close(secret);
    }
    Redirect::to("/login")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_this_dashboard_only() {
        assert_eq!(local_path("/runs/demo?page=2"), "/runs/demo?page=2");
        for foreign in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\r\n/evil.example",
            "\t//evil.example",
            "/\u{0}/evil.example",
            "/runs/\\..",
            "runs",
        ] {
            assert_eq!(local_path(foreign), "/");
        }
    }
}
