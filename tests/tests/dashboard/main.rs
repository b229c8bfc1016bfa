//! The dashboard as people and scripts meet it: the real program, and a real browser.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod access;
mod keyboard;
mod looks;
mod retry;
mod states;
mod watching;

use std::sync::Arc;

use coordinator::freeze::FrozenRun;
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use tempfile::TempDir;
use tests::planned;
use tests::service::Service;

/// A run that is planned, and of which nothing is made.
struct Planned {
    root: TempDir,
    run: FrozenRun,
    storage: Arc<dyn Storage>,
}

impl Planned {
    async fn new(contents: usize) -> Self {
        let root = tempfile::tempdir().unwrap();
        let storage = Arc::new(LocalStorage::new(root.path()));
        let contents: Vec<String> = (1..=contents)
            .map(|number| format!("{number:05}"))
            .collect();
        let styles = ["fog", "night"].map(str::to_owned);
        let size = ShardSize {
            contents: 2,
            styles: 1,
        };
        let run = planned::run("planned", &contents, &styles, size);
        planned::store(storage.as_ref(), &run).await;
        Self { root, run, storage }
    }

    fn serve(&self, more: &[&str]) -> Service {
        Service::serve(self.root.path(), more)
    }
}
