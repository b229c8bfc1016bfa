//! Quarantined items that are tried again from the dashboard, also where no broker is named.

use std::sync::Arc;
use std::time::Duration;

use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::{Ledger, ShardState};
use shared::ids::ShardId;
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use tempfile::TempDir;
use tests::fake_engine::{self, FakeEngine};
use tests::http::{Answer, ask};
use tests::planned;
use tests::service::Service;

use super::{HTML, cookie, csrf, get, wait_for_run};

fn wait_for(service: &Service, path: &str, text: &str) -> String {
    for _ in 0..600 {
        let page = get(service, path, &[HTML]).body;
        if page.contains(text) {
            return page;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!(
        "no {text:?} on {path}: {}",
        get(service, path, &[HTML]).body
    );
}

/// A run of which one item is bad, one is gone and one is done, on a dashboard without a broker.
struct Quarantined {
    service: Service,
    storage: Arc<dyn Storage>,
    run: FrozenRun,
    engine: Arc<FakeEngine>,
    _root: TempDir,
}

impl Quarantined {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(root.path()));
        let size = ShardSize {
            contents: 3,
            styles: 1,
        };
        let contents = ["a", "bad-b", "gone-c"].map(str::to_owned);
        let run = planned::run("planned", &contents, &["night".to_owned()], size);
        planned::store(storage.as_ref(), &run).await;
        let engine = FakeEngine::new(Duration::ZERO);
        fake_engine::make(&storage, &run, &engine).await;
        let service = Service::serve(root.path(), &[]);
        wait_for_run(&service, "planned", &[]);
        Self {
            service,
            storage,
            run,
            engine,
            _root: root,
        }
    }

    fn page(&self, path: &str) -> Answer {
        get(&self.service, path, &[HTML])
    }

    fn assert_says(&self, path: &str, words: &[&str]) {
        let page = self.page(path);
        for &part in words {
            assert!(page.body.contains(part), "no {part:?}: {}", page.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_of_a_run_with_quarantined_items_offers_to_retry_them() {
    let quarantined = Quarantined::new().await;
    let page = wait_for(&quarantined.service, "/runs/planned", "Ended with losses");
    let of_run = "/runs/planned/resume?only=quarantined\"";
    assert!(page.contains(of_run), "{page}");
    quarantined.assert_says(
        "/runs/planned/losses?reason=gone-c+is+gone",
        &["/runs/planned/resume?only=quarantined&amp;contains=gone-c%20is%20gone"],
    );
    quarantined.assert_says(
        "/runs/planned/shards/000000",
        &["resume?only=quarantined&amp;shards=000000"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_of_a_retry_says_which_items_it_is_about_and_why() {
    let quarantined = Quarantined::new().await;
    let address = "/runs/planned/resume?only=quarantined&reason=";
    quarantined.assert_says(
        &format!("{address}missing"),
        &[
            "Retry what is quarantined, as missing",
            "1 shard</strong> with <strong class=\"num\">1 item<",
            "quarantined: gone-c is gone",
            "the next <code>synth2real run</code>",
        ],
    );
    let none = format!("{address}bad-output");
    quarantined.assert_says(&none, &["No such item is quarantined"]);
    assert_eq!(quarantined.page(&format!("{address}ugly")).status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_items_are_retried_by_reason_where_no_broker_is_named() {
    let quarantined = Quarantined::new().await;
    let Quarantined {
        storage,
        run,
        engine,
        service,
        ..
    } = &quarantined;
    let _ = wait_for(service, "/runs/planned", "Ended with losses");
    let preview = quarantined.page("/runs/planned/resume?only=quarantined&reason=missing");
    let session = cookie(&preview);
    let body = format!(
        "csrf={}&only=quarantined&style=&shards=&reason=missing&contains=",
        csrf(&preview.body)
    );
    let path = "/runs/planned/resume";
    let done = ask(&service.address, "POST", path, &[&session], &body);
    assert_eq!(done.status, 303, "{}", done.body);
    let ledger = Ledger::read(storage.as_ref(), run).await.unwrap();
    let revising = ShardState::Revising { revision: 1 };
    assert_eq!(ledger.state(ShardId(0), 3), revising);
    let items = ledger.decisions.retries.of(ShardId(0), 1).unwrap();
    assert_eq!(items.iter().collect::<Vec<_>>(), [("night", "gone-c")]);
    let _ = wait_for(service, "/runs/planned", "To be retried");

    engine.mend();
    fake_engine::make(storage, run, engine).await;
    let mut api = serde_json::Value::Null;
    for _ in 0..600 {
        api = serde_json::from_str(&get(service, "/api/runs/planned", &[]).body).unwrap();
        if api["done"] == 2 {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!((&api["done"], &api["quarantined"]), (&2.into(), &1.into()));
    let _ = wait_for(service, "/runs/planned", "Ended with losses");
}
