//! The layout of every page: title, menu, banners, and what its forms and scripts need.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use shared::ids::RunId;

use super::Dashboard;
use super::access::Visitor;
use super::assets;
use super::format::TimestampLabel;

/// What `base.html` shows around the content of a page.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) title: String,
    pub(super) section: Section,
    /// What forms bring along; empty without a session, and a form with an empty one is refused.
    pub(super) csrf: String,
    /// Whether there is a session to log out of.
    pub(super) locked: bool,
    pub(super) root: String,
    /// Name of the version that the page shows; empty if it is never refreshed.
    pub(super) version: String,
    pub(super) notice: Option<String>,
    pub(super) banners: Vec<Banner>,
}

/// The part of the dashboard that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Runs,
    Comparisons,
    Workers,
    Elsewhere,
}

/// A warning above the content: something does not work.
#[derive(Debug)]
pub(super) struct Banner {
    pub(super) what: &'static str,
    pub(super) reason: String,
    pub(super) since: TimestampLabel,
    pub(super) then: &'static str,
}

impl Layout {
    /// Returns the layout of a page for a visitor.
    pub(super) fn new(
        dashboard: &Dashboard,
        visitor: &Visitor,
        section: Section,
        title: impl Into<String>,
    ) -> Self {
        // A refreshed page was read before; the notice is for the next one that is opened.
        let notice = visitor.secret.as_deref().filter(|_| !visitor.is_live);
        let now = dashboard.live.now();
        let storage = dashboard.live.storage_trouble().map(|trouble| Banner {
            what: "Storage does not answer",
            since: TimestampLabel::new(trouble.since, now),
            reason: trouble.reason,
            then: "What you see is what was seen last.",
        });
        let broker = dashboard.live.broker();
        let (silent, alarm) =
            broker.map_or((None, None), |broker| (broker.depth.err(), broker.alarm));
        let silent = silent.map(|trouble| Banner {
            what: "The broker does not answer",
            since: TimestampLabel::new(trouble.since, now),
            reason: trouble.reason,
            then: "Counts still come from storage; workers are not heard.",
        });
        let alarm = alarm.map(|trouble| Banner {
            what: "The broker has an alarm and takes no messages",
            since: TimestampLabel::new(trouble.since, now),
            reason: trouble.reason,
            then: "Nothing is lost: workers go on with what they have and are not heard, nothing can be handed to them. \
                   `rabbitmq-diagnostics alarms` names it at the broker; free memory or disk there.",
        });
        Self {
            title: title.into(),
            section,
            csrf: visitor.csrf.clone().unwrap_or_default(),
            locked: visitor.can_log_out(),
            root: dashboard.root.clone(),
            version: visitor.version.clone(),
            notice: notice.and_then(|secret| dashboard.sessions.take_notice(secret)),
            banners: storage.into_iter().chain(silent).chain(alarm).collect(),
        }
    }

    /// Adds a banner that what is shown of a run is old, if the run cannot be read.
    pub(super) fn for_run(mut self, dashboard: &Dashboard, run: &RunId) -> Self {
        let trouble = dashboard.live.unreadable().remove(run);
        self.banners.extend(trouble.map(|trouble| Banner {
            what: "This run cannot be read",
            since: TimestampLabel::new(trouble.since, dashboard.live.now()),
            reason: trouble.reason,
            then: "What you see is what was seen last.",
        }));
        self
    }

    /// Switches refreshing off: a form must not change while it is filled in.
    pub(super) fn without_refresh(self) -> Self {
        Self {
            version: String::new(),
            ..self
        }
    }

    /// Returns the layout of an error page that is replaced by the page asked for as soon as there is one.
    pub(super) fn refreshing(title: impl Into<String>) -> Self {
        Self {
            version: "0-0".to_owned(),
            ..Self::minimal(title)
        }
    }

    /// Returns the layout of a page outside the sections, which shows nothing of the storage root.
    pub(super) fn minimal(title: impl Into<String>) -> Self {
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

    /// Returns the address of an asset; empty if there is none of this name.
    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }

    /// Returns whether the page belongs to a section of the menu.
    pub(super) fn is(&self, section: &str) -> bool {
        match self.section {
            Section::Runs => section == "runs",
            Section::Comparisons => section == "comparisons",
            Section::Workers => section == "workers",
            Section::Elsewhere => false,
        }
    }
}

/// Returns a rendered page as an answer.
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

    use shared::readiness::Readiness;
    use shared::storage::{MemoryStorage, Storage};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::ui::dashboard::access::Access;
    use crate::ui::dashboard::access::session::Sessions;
    use crate::ui::dashboard::images::Images;
    use crate::work::collector::LiveState;

    fn dashboard() -> Dashboard {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        Dashboard {
            readiness: Readiness::new(Arc::clone(&storage), None),
            storage,
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
            needs_token: false,
        };
        let run: RunId = "demo".parse().unwrap();
        let layout = || Layout::new(&dashboard, &visitor, Section::Runs, "demo");
        assert!(layout().for_run(&dashboard, &run).banners.is_empty());
        dashboard.live.set_unreadable(&run, "no plan".to_owned());
        let layout = layout().for_run(&dashboard, &run);
        let changes = dashboard
            .live
            .changes_since(dashboard.version_of(&layout.version));
        assert!(changes.health);
        assert_eq!(layout.banners[0].what, "This run cannot be read");
        assert_eq!(layout.banners[0].reason, "no plan");
        assert_eq!(layout.without_refresh().version, "");
    }
}
