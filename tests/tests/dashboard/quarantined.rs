//! Quarantined items that are tried again from the dashboard, also where no broker is named.

use std::sync::Arc;
use std::time::Duration;

use coordinator::run::ledger::{Ledger, ShardState};
use shared::ids::ShardId;
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use tests::fake_engine::{self, FakeEngine};
use tests::http::ask;
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

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_items_are_looked_at_and_tried_again_by_reason() {
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
    let page = wait_for(&service, "/runs/planned", "Ended with losses");
    assert!(
        page.contains("/runs/planned/resume?only=quarantined\""),
        "{page}"
    );
    let losses = get(
        &service,
        "/runs/planned/losses?reason=gone-c+is+gone",
        &[HTML],
    )
    .body;
    let again = "/runs/planned/resume?only=quarantined&amp;contains=gone-c%20is%20gone";
    assert!(losses.contains(again), "{losses}");
    let shard = get(&service, "/runs/planned/shards/000000", &[HTML]).body;
    assert!(
        shard.contains("resume?only=quarantined&amp;shards=000000"),
        "{shard}"
    );

    let address = "/runs/planned/resume?only=quarantined&reason=missing";
    let preview = get(&service, address, &[HTML]);
    for words in [
        "Retry what is quarantined, as missing",
        "1 shard</strong> with <strong class=\"num\">1 item<",
        "quarantined: gone-c is gone",
        "the next <code>synth2real run</code>",
    ] {
        assert!(
            preview.body.contains(words),
            "no {words:?}: {}",
            preview.body
        );
    }
    let none = get(
        &service,
        "/runs/planned/resume?only=quarantined&reason=bad-output",
        &[HTML],
    );
    assert!(
        none.body.contains("No such item is quarantined"),
        "{}",
        none.body
    );
    let unknown = get(
        &service,
        "/runs/planned/resume?only=quarantined&reason=ugly",
        &[HTML],
    );
    assert_eq!(unknown.status, 400);

    let session = cookie(&preview);
    let body = format!(
        "csrf={}&only=quarantined&style=&shards=&reason=missing&contains=",
        csrf(&preview.body)
    );
    let done = ask(
        &service.address,
        "POST",
        "/runs/planned/resume",
        &[&session],
        &body,
    );
    assert_eq!(done.status, 303, "{}", done.body);
    let ledger = Ledger::read(storage.as_ref(), &run).await.unwrap();
    let revising = ShardState::Revising { revision: 1 };
    assert_eq!(ledger.state(ShardId(0), 3), revising);
    let items = ledger.decisions.retries.of(ShardId(0), 1).unwrap();
    assert_eq!(items.iter().collect::<Vec<_>>(), [("night", "gone-c")]);
    let _ = wait_for(&service, "/runs/planned", "To be retried");

    engine.mend();
    fake_engine::make(&storage, &run, &engine).await;
    let mut api = serde_json::Value::Null;
    for _ in 0..600 {
        api = serde_json::from_str(&get(&service, "/api/runs/planned", &[]).body).unwrap();
        if api["done"] == 2 {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!((&api["done"], &api["quarantined"]), (&2.into(), &1.into()));
    let _ = wait_for(&service, "/runs/planned", "Ended with losses");
}
