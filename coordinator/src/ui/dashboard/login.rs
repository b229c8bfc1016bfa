//! In with the token, out again.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, http::HeaderValue};
use serde::Deserialize;
use shared::http_server::Peer;

use super::Dashboard;
use super::access::{self, Access, Visitor};
use super::acts::Act;
use super::error::PageError;
use super::frame::{Frame, page};
use super::token::{Caller, Checked};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    next: String,
    wrong: Option<&'static str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
    #[serde(default)]
    next: String,
}

/// Returns where to go after the login: a page of ours. Browsers leave out control characters and take a backslash for
/// a slash, so an address with any of them may lead elsewhere.
fn own(next: &str) -> &str {
    let plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain && next.starts_with('/') && !next.starts_with("//") {
        next
    } else {
        "/"
    }
}

pub(super) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    match dashboard.access {
        Access::Loopback => Redirect::to("/").into_response(),
        Access::Token(_) => page(&LoginPage {
            frame: Frame::bare("Log in"),
            next: own(&wanted.next).to_owned(),
            wrong: None,
        }),
    }
}

pub(super) async fn login(
    State(dashboard): State<Arc<Dashboard>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Result<Response, PageError> {
    let Access::Token(token) = &dashboard.access else {
        return Ok(Redirect::to("/").into_response());
    };
    if !access::is_same_origin(&headers) {
        return Err(PageError::Refused(
            "the form was not made by this page".to_owned(),
        ));
    }
    let next = own(&login.next).to_owned();
    let caller = Caller::new(peer.map(|Extension(peer)| peer), &headers);
    let refused = match token.check(&login.token, &caller).await {
        Checked::Right => None,
        Checked::Wrong => Some((StatusCode::UNAUTHORIZED, "That is not the token.")),
        Checked::TooMany => Some((
            StatusCode::TOO_MANY_REQUESTS,
            "That is not the token, and too many wrong ones come in: wait a little.",
        )),
    };
    if let Some((status, wrong)) = refused {
        let page_of_login = LoginPage {
            frame: Frame::bare("Log in"),
            next,
            wrong: Some(wrong),
        };
        return Ok((status, page(&page_of_login)).into_response());
    }
    let trouble = |error: std::io::Error| PageError::Trouble(error.to_string());
    let opened = dashboard.sessions.open().map_err(trouble)?;
    let cookie = access::set_cookie(dashboard.port, &headers, &opened.secret);
    let mut response = Redirect::to(&next).into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Debug, Deserialize)]
pub(super) struct Logout {}

pub(super) async fn logout(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    _: Act<Logout>,
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
    fn a_login_leads_to_a_page_of_ours_only() {
        assert_eq!(own("/runs/demo?page=2"), "/runs/demo?page=2");
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
            assert_eq!(own(foreign), "/");
        }
    }
}
