//! What every page has around it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use shared::ids::RunId;

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
    /// The run that it is about, to go back to.
    pub(super) run: Option<String>,
}

impl Frame {
    /// Returns what is around a page for a visitor.
    pub(super) fn new(
        dashboard: &Dashboard,
        visitor: &Visitor,
        section: Section,
        title: impl Into<String>,
    ) -> Self {
        // A page that is kept fresh has been read, and another one is still to be.
        let notice = visitor.secret.as_deref().filter(|_| !visitor.is_live);
        let now = dashboard.live.now();
        let storage = dashboard.live.storage_trouble().map(|trouble| Banner {
            what: "Storage does not answer",
            since: Moment::new(trouble.since, now),
            reason: trouble.reason,
            then: "What you see is what was seen last.",
        });
        let broker = dashboard.live.broker();
        let (silent, alarm) =
            broker.map_or((None, None), |broker| (broker.depth.err(), broker.alarm));
        let silent = silent.map(|trouble| Banner {
            what: "The broker does not answer",
            since: Moment::new(trouble.since, now),
            reason: trouble.reason,
            then: "Counts still come from storage; workers are not heard.",
        });
        let alarm = alarm.map(|trouble| Banner {
            what: "The broker has an alarm and takes no messages",
            since: Moment::new(trouble.since, now),
            reason: trouble.reason,
            then: "Nothing is lost: workers go on with what they have and are not heard, nothing can be handed to them. \
                   `rabbitmq-diagnostics alarms` names it at the broker; free memory or disk there.",
        });
        Self {
            title: title.into(),
            section,
            csrf: visitor.csrf.clone().unwrap_or_default(),
            locked: matches!(dashboard.access, Access::Token(_)) && visitor.secret.is_some(),
            root: dashboard.root.clone(),
            version: visitor.version.clone(),
            notice: notice.and_then(|secret| dashboard.sessions.take_notice(secret)),
            banners: storage.into_iter().chain(silent).chain(alarm).collect(),
        }
    }

    /// Says that what is shown of a run is old, if it cannot be read.
    pub(super) fn about(mut self, dashboard: &Dashboard, run: &RunId) -> Self {
        let trouble = dashboard.live.unreadable().remove(run);
        self.banners.extend(trouble.map(|trouble| Banner {
            what: "This run cannot be read",
            since: Moment::new(trouble.since, dashboard.live.now()),
            reason: trouble.reason,
            then: "What you see is what was seen last.",
        }));
        self
    }

    /// Leaves the page as it is: a form must not change under the hands of whoever fills it in.
    pub(super) fn still(self) -> Self {
        Self {
            version: String::new(),
            ..self
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shared::storage::MemoryStorage;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::ui::dashboard::images::Images;
    use crate::ui::dashboard::session::Sessions;
    use crate::work::collector::LiveState;

    fn dashboard() -> Dashboard {
        Dashboard {
            storage: Arc::new(MemoryStorage::new()),
            queue: None,
            control: None,
            live: Arc::new(LiveState::default()),
            access: Access::Loopback,
            root: "out".to_owned(),
            port: 8080,
            sessions: Sessions::new("key".to_owned()),
            images: Images::default(),
            start: "0a1b2c3d".to_owned(),
            stop: CancellationToken::new(),
        }
    }

    #[test]
    fn what_changes_while_a_page_is_made_is_told_to_it_and_said_on_it() {
        let dashboard = dashboard();
        let visitor = Visitor {
            csrf: None,
            secret: None,
            version: dashboard.version(),
            is_live: false,
        };
        let run: RunId = "demo".parse().unwrap();
        let frame = || Frame::new(&dashboard, &visitor, Section::Runs, "demo");
        assert!(frame().about(&dashboard, &run).banners.is_empty());
        dashboard.live.set_unreadable(&run, "no plan".to_owned());
        let frame = frame().about(&dashboard, &run);
        let changes = dashboard
            .live
            .changes_since(dashboard.version_of(&frame.version));
        assert!(changes.health);
        assert_eq!(frame.banners[0].what, "This run cannot be read");
        assert_eq!(frame.banners[0].reason, "no plan");
        assert_eq!(frame.still().version, "");
    }
}
