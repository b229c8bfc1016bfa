//! The visitor behind a request, and the proof that a form was made by a page of this dashboard.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::session::{self, SessionSecrets};
use crate::ui::dashboard::error::PageError;

/// The header that the script sends which refreshes an open page.
pub(super) const LIVE: HeaderName = HeaderName::from_static("x-synth2real-live");

/// What handlers know of a visitor who was let in.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// What forms bring along; none if the visitor has no session, so that no form is taken.
    pub(crate) csrf: Option<String>,
    /// What the browser keeps; none for a script that brings the token.
    pub(crate) secret: Option<String>,
    /// Name of the newest version when the request came: later changes may be missing on the page.
    pub(crate) version: String,
    /// Whether a script asks, to refresh a page that may be in the background.
    pub(crate) is_live: bool,
    /// Whether the dashboard is opened with a token.
    pub(crate) needs_token: bool,
}

impl Visitor {
    pub(super) fn with(self, session: SessionSecrets) -> Self {
        Self {
            csrf: Some(session.csrf),
            secret: Some(session.secret),
            ..self
        }
    }

    /// Returns the visitor as one whose forms are all refused: there is no session that could prove them.
    pub(super) fn without_session(self) -> Self {
        Self {
            csrf: None,
            secret: Some(String::new()),
            ..self
        }
    }

    /// Returns whether the visitor has a session that a token opened.
    pub(crate) fn can_log_out(&self) -> bool {
        self.needs_token && self.secret.is_some()
    }

    /// Refuses a form that another site may have caused.
    pub(crate) fn check_form(&self, headers: &HeaderMap, csrf: &str) -> Result<(), PageError> {
        if self.secret.is_none() {
            return Ok(());
        }
        let known = self.csrf.as_deref();
        if is_same_origin(headers) && known.is_some_and(|known| session::same(known, csrf)) {
            Ok(())
        } else {
            Err(PageError::Forbidden(
                "the form was not made by this page, or is older than your session; load the page again and repeat"
                    .to_owned(),
            ))
        }
    }
}

/// Returns whether a request comes from a page of this dashboard, as far as its headers tell.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
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
    fn without_a_session_no_form_is_taken_not_even_one_with_an_empty_proof() {
        let visitor = Visitor {
            csrf: Some("known".to_owned()),
            secret: Some("secret".to_owned()),
            version: String::new(),
            is_live: false,
            needs_token: false,
        };
        assert!(visitor.check_form(&headers(&[]), "").is_err());
        assert!(visitor.check_form(&headers(&[]), "known").is_ok());
        let without = visitor.without_session();
        assert!(without.check_form(&headers(&[]), "").is_err());
        assert!(without.check_form(&headers(&[]), "known").is_err());
    }

    #[test]
    fn a_visitor_logs_out_of_a_session_that_a_token_opened_and_of_no_other() {
        let script = Visitor {
            csrf: None,
            secret: None,
            version: String::new(),
            is_live: false,
            needs_token: true,
        };
        assert!(!script.can_log_out());
        let secrets = || SessionSecrets {
            secret: "secret".to_owned(),
            csrf: "proof".to_owned(),
        };
        let browser = script.with(secrets());
        assert!(browser.can_log_out());
        let local = Visitor {
            needs_token: false,
            ..browser
        };
        assert!(!local.can_log_out());
    }
}
