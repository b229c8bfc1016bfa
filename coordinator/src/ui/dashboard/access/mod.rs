//! Access: who is let in, as whom, and what a visitor may do.
//!
//! - this file: the check that every guarded route passes, by session or by token
//! - [`token`]: the secret that opens the dashboard; [`session`], [`cookie`]: what a browser is known by afterwards
//! - [`visitor`]: what handlers know of the visitor, and the proof that a form was made by a page of this dashboard
//! - [`host`], [`headers`]: the checks and headers that keep other sites out

pub(super) mod cookie;
pub(super) mod headers;
pub(super) mod host;
pub(super) mod session;
mod token;
mod visitor;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use self::session::SessionSecrets;
pub(super) use self::token::{Caller, TokenCheck};
pub use self::token::{Token, TokenError};
use self::visitor::LIVE;
pub(super) use self::visitor::{Visitor, is_same_origin};
use super::Dashboard;
use super::error::PageError;
use super::format::url_encoded;

/// Who is let in.
#[derive(Debug)]
pub enum Access {
    /// Every request to a loopback address.
    Loopback,
    /// Requests with the token, or with a session that it opened.
    Token(Token),
}

/// Returns the session that a request's cookie belongs to.
fn session_of(dashboard: &Dashboard, headers: &HeaderMap) -> Option<SessionSecrets> {
    let secret = cookie::find(headers, &cookie::name(dashboard.port))?;
    match &dashboard.access {
        Access::Loopback => dashboard.sessions.signed(secret),
        Access::Token(_) => Some(SessionSecrets {
            csrf: dashboard.sessions.csrf(secret)?,
            secret: secret.to_owned(),
        }),
    }
}

/// Lets a request through as a [`Visitor`], or asks for a login or a token.
pub(super) async fn guard(
    State(dashboard): State<Arc<Dashboard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let visitor = Visitor {
        csrf: None,
        secret: None,
        version: dashboard.version(),
        is_live: request.headers().contains_key(LIVE),
        needs_token: matches!(dashboard.access, Access::Token(_)),
    };
    let session = session_of(&dashboard, request.headers());
    if let Some(session) = session {
        request.extensions_mut().insert(visitor.with(session));
        return next.run(request).await;
    }
    match &dashboard.access {
        Access::Loopback => open_session(&dashboard, visitor, request, next)
            .await
            .unwrap_or_else(IntoResponse::into_response),
        Access::Token(token) => check_bearer(token, visitor, request, next).await,
    }
}

/// Lets a request with the token through; a browser without it is sent to the login.
async fn check_bearer(
    token: &Token,
    visitor: Visitor,
    mut request: Request,
    next: Next,
) -> Response {
    let bearer = request.headers().get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(bearer) = bearer else {
        return ask_for_login(&request);
    };
    let caller = Caller::of(&request);
    match token.check(bearer, &caller).await {
        TokenCheck::Right => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        TokenCheck::Wrong => StatusCode::UNAUTHORIZED.into_response(),
        TokenCheck::TooMany => StatusCode::TOO_MANY_REQUESTS.into_response(),
    }
}

/// Opens a session for a page, so that its forms work; nothing else needs one.
async fn open_session(
    dashboard: &Dashboard,
    visitor: Visitor,
    mut request: Request,
    next: Next,
) -> Result<Response, PageError> {
    if !wants_page(&request) {
        request.extensions_mut().insert(visitor.without_session());
        return Ok(next.run(request).await);
    }
    let secret = session::random().map_err(|error| PageError::Unavailable(error.to_string()))?;
    let session = dashboard
        .sessions
        .signed(&secret)
        .ok_or_else(|| PageError::Unavailable("there is no secret for a session".to_owned()))?;
    let cookie = cookie::set(dashboard.port, request.headers(), &session.secret)?;
    request.extensions_mut().insert(visitor.with(session));
    let mut response = next.run(request).await;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Returns whether a browser asks for a page to show.
fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let html = accept.is_some_and(|accept| accept.contains("text/html"));
    request.method() == Method::GET && html
}

fn ask_for_login(request: &Request) -> Response {
    if wants_page(request) {
        let wanted = request.uri().path_and_query();
        let wanted = wanted.map_or("/", |wanted| wanted.as_str());
        return Redirect::to(&format!("/login?next={}", url_encoded(wanted))).into_response();
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge).into_response()
}
