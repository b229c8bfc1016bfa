//! Who may see and do what: hosts, sessions, tokens, and the headers that keep browsers strict.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use shared::http_server::names_this_machine;

use super::Dashboard;
use super::error::PageError;
use super::session::{self, Opened};
use super::token::{Caller, Checked, Token};

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// What a script sends along that keeps a page fresh.
const LIVE: HeaderName = HeaderName::from_static("x-synth2real-live");

/// Who may look.
#[derive(Debug)]
pub enum Access {
    /// Whoever reaches a loopback address.
    Loopback,
    /// Whoever has the token.
    Token(Token),
}

/// Whoever asks, once it is known that they may.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// What forms bring along; nothing if the visitor has no session, so that no form is taken.
    pub(super) csrf: Option<String>,
    /// What the browser keeps; none for a script that brings the token.
    pub(super) secret: Option<String>,
    /// Name of the newest change when the visitor asked: what comes later may be missing on the page.
    pub(super) version: String,
    /// Whether a script keeps a page fresh, which nobody may be looking at.
    pub(super) is_live: bool,
}

impl Visitor {
    fn with(self, opened: Opened) -> Self {
        Self {
            csrf: Some(opened.csrf),
            secret: Some(opened.secret),
            ..self
        }
    }

    /// Refuses an act that another site may have caused.
    pub(super) fn may_act(&self, headers: &HeaderMap, csrf: &str) -> Result<(), PageError> {
        if self.secret.is_none() {
            return Ok(());
        }
        let known = self.csrf.as_deref();
        if is_same_origin(headers) && known.is_some_and(|known| session::same(known, csrf)) {
            Ok(())
        } else {
            Err(PageError::Refused(
                "the form was not made by this page, or is older than your session; load the page again and repeat"
                    .to_owned(),
            ))
        }
    }
}

/// Returns whether a request comes from a page of ours, as far as its headers tell.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(HeaderValue::as_bytes);
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site"))
        && site != b"same-origin"
    {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else {
        return true;
    };
    let authority = origin
        .strip_prefix(b"http://")
        .or_else(|| origin.strip_prefix(b"https://"));
    authority.is_some() && authority == text(header::HOST)
}

/// Returns the name of the cookie: browsers send cookies to every port of a host.
fn cookie_name(port: u16) -> String {
    format!("synth2real-{port}")
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// Returns the header that hands a session to the browser.
pub(super) fn set_cookie(port: u16, headers: &HeaderMap, secret: &str) -> String {
    let tls = headers.get("x-forwarded-proto");
    let secure = if tls.is_some_and(|proto| proto == "https") {
        "; Secure"
    } else {
        ""
    };
    format!(
        "{}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        cookie_name(port),
        session::LASTS.as_secs()
    )
}

fn known(dashboard: &Dashboard, headers: &HeaderMap) -> Option<Opened> {
    let secret = cookie(headers, &cookie_name(dashboard.port))?;
    match &dashboard.access {
        Access::Loopback => dashboard.sessions.signed(secret),
        Access::Token(_) => Some(Opened {
            csrf: dashboard.sessions.csrf(secret)?,
            secret: secret.to_owned(),
        }),
    }
}

/// Lets those through who may look.
pub(super) async fn guard(
    State(dashboard): State<Arc<Dashboard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let visitor = Visitor {
        csrf: None,
        secret: None,
        version: dashboard.version(),
        is_live: headers.contains_key(LIVE),
    };
    if let Some(opened) = known(&dashboard, headers) {
        request.extensions_mut().insert(visitor.with(opened));
        return next.run(request).await;
    }
    match &dashboard.access {
        Access::Loopback => open_session(&dashboard, visitor, request, next).await,
        Access::Token(token) => {
            let bearer = headers.get(header::AUTHORIZATION);
            let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
            match bearer {
                Some(bearer) => {
                    let caller = Caller::of(&request);
                    match token.check(bearer, &caller).await {
                        Checked::Right => {
                            request.extensions_mut().insert(visitor);
                            next.run(request).await
                        }
                        Checked::Wrong => StatusCode::UNAUTHORIZED.into_response(),
                        Checked::TooMany => StatusCode::TOO_MANY_REQUESTS.into_response(),
                    }
                }
                None => ask_for_login(&request),
            }
        }
    }
}

/// A page opens a session, so that its forms work; nothing else needs one.
async fn open_session(
    dashboard: &Dashboard,
    visitor: Visitor,
    mut request: Request,
    next: Next,
) -> Response {
    if !wants_page(&request) {
        let nobody = Visitor {
            secret: Some(String::new()),
            ..visitor
        };
        request.extensions_mut().insert(nobody);
        return next.run(request).await;
    }
    let secret = match session::random() {
        Ok(secret) => secret,
        Err(error) => return PageError::Trouble(error.to_string()).into_response(),
    };
    let Some(opened) = dashboard.sessions.signed(&secret) else {
        return PageError::Trouble("there is no secret for a session".to_owned()).into_response();
    };
    let cookie = set_cookie(dashboard.port, request.headers(), &opened.secret);
    request.extensions_mut().insert(visitor.with(opened));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT);
    let html = accept.is_some_and(|accept| {
        let accept = accept.to_str().unwrap_or_default();
        accept.contains("text/html")
    });
    request.method() == Method::GET && html
}

fn ask_for_login(request: &Request) -> Response {
    if wants_page(request) {
        let wanted = request.uri().path_and_query();
        let wanted = wanted.map_or("/", |wanted| wanted.as_str());
        return Redirect::to(&format!("/login?next={}", encoded(wanted))).into_response();
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge).into_response()
}

/// Returns text as part of an address: everything but letters, digits and a few signs as `%XX`.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Refuses names that somebody else's server may have given this address: a page of theirs could then read ours.
pub(super) async fn check_host(
    State(dashboard): State<Arc<Dashboard>>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    match &dashboard.access {
        Access::Loopback if !names_this_machine(host) => (
            StatusCode::MISDIRECTED_REQUEST,
            "without a token the dashboard answers to localhost only; see `synth2real serve --help`\n",
        )
            .into_response(),
        Access::Loopback | Access::Token(_) => next.run(request).await,
    }
}

/// Adds the headers that keep browsers strict, where a page has none of its own.
pub(super) async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_request_of_another_site_is_told_by_its_headers() {
        let host = ("host", "localhost:8080");
        let same = |pairs: &[_]| is_same_origin(&headers(&[&[host], pairs].concat()));
        assert!(same(&[]));
        assert!(same(&[("origin", "http://localhost:8080")]));
        assert!(!same(&[("origin", "http://localhost:8081")]));
        assert!(!same(&[("origin", "null")]));
        assert!(!same(&[("sec-fetch-site", "same-site")]));
        assert!(same(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://localhost:8080")
        ]));
    }

    #[test]
    fn whoever_has_no_session_can_do_nothing_with_a_form_that_says_nothing() {
        let nobody = Visitor {
            csrf: None,
            secret: Some(String::new()),
            version: String::new(),
            is_live: false,
        };
        assert!(nobody.may_act(&headers(&[]), "").is_err());
        let known = Visitor {
            csrf: Some("known".to_owned()),
            ..nobody
        };
        assert!(known.may_act(&headers(&[]), "").is_err());
        assert!(known.may_act(&headers(&[]), "known").is_ok());
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "a=1; synth2real-8080=secret; b=2")]);
        assert_eq!(cookie(&headers, "synth2real-8080"), Some("secret"));
        assert_eq!(cookie(&headers, "synth2real-80"), None);
    }
}
