//! A dashboard in the process of its test, on storage that the test has in hand.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use coordinator::ui::dashboard::{Access, Dashboard, DashboardState, Endpoint};
use coordinator::work::collector::{Collector, LiveState, Mode};
use shared::http_server::ServerLimits;
use shared::ids::RunId;
use shared::storage::Storage;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A dashboard without a broker, and what it shows.
pub(super) struct Served {
    /// `http://host:port`
    pub(super) address: String,
    pub(super) live: Arc<LiveState>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Served {
    /// Serves a dashboard without a collector: it shows only what the test puts on its live.
    pub(super) async fn without_collector(storage: Arc<dyn Storage>) -> Self {
        let (live, stop) = (Arc::new(LiveState::default()), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shown = DashboardState {
            storage,
            queue: None,
            control: None,
            live: Arc::clone(&live),
            root: "memory".to_owned(),
        };
        let endpoint = Endpoint {
            listener,
            access: Access::Loopback,
            limits: ServerLimits::default(),
        };
        let serving = Dashboard::serve(shown, endpoint, Router::new(), stop.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { serving.await.unwrap() });
        Self {
            address,
            live,
            stop,
            tasks,
        }
    }

    /// Serves a dashboard with a collector that changes nothing, and waits until it has read a run.
    pub(super) async fn observing(storage: Arc<dyn Storage>, run: &RunId) -> Self {
        let mut served = Self::without_collector(Arc::clone(&storage)).await;
        let collector = Collector {
            storage,
            queue: None,
            events: None,
            mode: Mode::Observe,
            every: Duration::from_millis(100),
            live: Arc::clone(&served.live),
            stop: served.stop.clone(),
        };
        served.tasks.spawn(async move { collector.run().await });
        served.wait_until(|live| live.run(run).is_some()).await;
        served
    }

    /// Waits until something is so on the live.
    pub(super) async fn wait_until(&self, is: impl Fn(&LiveState) -> bool) {
        let mut watch = self.live.watch();
        while !is(&self.live) {
            watch.changed().await.unwrap();
        }
    }

    /// Stops the dashboard and its collector.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
    }
}
