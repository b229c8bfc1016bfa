//! What every page has around it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use super::Dashboard;
use super::access::{Access, Visitor};
use super::assets;
use super::format::Moment;

/// What every page has around it.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) section: Section,
    pub(super) csrf: String,
    /// Whether somebody can log out.
    pub(super) locked: bool,
    pub(super) root: String,
    /// Name of the newest change that the page shows; empty if it never changes.
    pub(super) version: String,
    pub(super) notice: Option<String>,
    pub(super) banners: Vec<Banner>,
}

/// The part of the dashboard that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Runs,
    Workers,
    Elsewhere,
}

/// Something that does not work.
#[derive(Debug)]
pub(super) struct Banner {
    pub(super) what: &'static str,
    pub(super) reason: String,
    pub(super) since: Moment,
    pub(super) then: &'static str,
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct MessagePage {
    pub(super) frame: Frame,
    pub(super) heading: &'static str,
    pub(super) text: String,
}

impl Frame {
    /// Returns what is around a page for a visitor.
    pub(super) fn new(
        dashboard: &Dashboard,
        visitor: &Visitor,
        section: Section,
        title: impl Into<String>,
    ) -> Self {
        let notice = visitor.secret.as_deref();
        let now = Timestamp::now();
        let storage = dashboard.board.storage_trouble().map(|trouble| Banner {
            what: "Storage does not answer",
            since: Moment::new(trouble.since, now),
            reason: trouble.reason,
            then: "What you see is what was seen last.",
        });
        let broker = dashboard.board.broker().and_then(|broker| {
            let trouble = broker.depth.err()?;
            Some(Banner {
                what: "The broker does not answer",
                since: Moment::new(trouble.since, now),
                reason: trouble.reason,
                then: "Counts still come from storage; workers are not heard.",
            })
        });
        Self {
            title: title.into(),
            section,
            csrf: visitor.csrf.clone(),
            locked: matches!(dashboard.access, Access::Token(_)) && visitor.secret.is_some(),
            root: dashboard.root.clone(),
            version: dashboard.version(),
            notice: notice.and_then(|secret| dashboard.sessions.take_notice(secret)),
            banners: storage.into_iter().chain(broker).collect(),
        }
    }

    /// Returns what is around a page that says why there is no other one just now: it comes when there is.
    pub(super) fn awaiting(title: impl Into<String>) -> Self {
        Self {
            version: "0-0".to_owned(),
            ..Self::bare(title)
        }
    }

    /// Returns what is around a page that belongs nowhere.
    pub(super) fn bare(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: Section::Elsewhere,
            csrf: String::new(),
            locked: false,
            root: String::new(),
            version: String::new(),
            notice: None,
            banners: Vec::new(),
        }
    }

    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }

    pub(super) fn is(&self, section: &str) -> bool {
        match self.section {
            Section::Runs => section == "runs",
            Section::Workers => section == "workers",
            Section::Elsewhere => false,
        }
    }
}

/// Returns a page as an answer.
pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
