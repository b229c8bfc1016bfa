//! The dashboard as people and scripts meet it: the real program, and a real browser.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod access;
mod comparisons;
mod crowd;
mod damaged;
mod doubtful;
mod embedded;
mod errors;
mod keyboard;
mod letters;
mod live_state;
mod looks;
mod meanwhile;
mod priors;
mod quarantined;
mod retry;
mod served;
mod states;
mod two;
mod watching;

use std::sync::Arc;

use coordinator::run::freeze::FrozenRun;
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use tempfile::TempDir;
use tests::http::{Answer, ask};
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

const HTML: &str = "Accept: text/html";

fn get(service: &Service, path: &str, headers: &[&str]) -> Answer {
    ask(&service.address, "GET", path, headers, "")
}

/// Waits until the dashboard has read the run.
fn wait_for_run(service: &Service, run: &str, headers: &[&str]) {
    for _ in 0..600 {
        if get(service, &format!("/api/runs/{run}"), headers).status == 200 {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    panic!("the run does not come: {}", service.said());
}

/// Returns the header that sends a session back.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").split(';').next();
    format!("Cookie: {}", cookie.unwrap())
}

/// Returns what a page's forms bring along.
fn csrf(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}
