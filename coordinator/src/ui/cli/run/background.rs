//! The dashboard beside a run in this process.

use tokio::task::JoinSet;

use crate::ui::cli::dashboard::{self, CollectorOptions, Listening};

/// A collector and its dashboard beside a run in this process; they end when this is dropped.
pub(in crate::ui::cli) struct BackgroundDashboard {
    _tasks: JoinSet<()>,
}

impl BackgroundDashboard {
    pub(in crate::ui::cli) fn start(options: CollectorOptions, listening: Listening) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = dashboard::serve(options, listening).await {
                tracing::error!(%error, "the run goes on without its dashboard");
            }
        });
        Self { _tasks: tasks }
    }
}
