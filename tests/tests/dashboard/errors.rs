//! Errors of each kind: a page for browsers, JSON below `/api/`, each with its status and its headers. A decision that
//! comes too late is in `meanwhile`.

use std::sync::Arc;

use shared::settings::ShardSize;
use shared::storage::{MemoryStorage, Storage};
use tests::http::{Answer, ask};
use tests::planned;

use super::served::Served;
use super::{HTML, cookie, csrf};

/// Serves a root with the run `planned`, of which nothing is made.
async fn planned_and_served() -> Served {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let size = ShardSize {
        contents: 2,
        styles: 1,
    };
    let run = planned::run("planned", &["a".to_owned()], &["fog".to_owned()], size);
    planned::store(storage.as_ref(), &run).await;
    let served = Served::observing(storage, &run.record.run).await;
    served.wait_until(|live| live.polled_at().is_some()).await;
    served
}

async fn nothing_read_yet() -> Served {
    Served::without_collector(Arc::new(MemoryStorage::new())).await
}

fn get(served: &Served, path: &str) -> Answer {
    ask(&served.address, "GET", path, &[HTML], "")
}

/// Asserts that an answer is an error page that says something, and whether it refreshes itself.
fn assert_page(answer: &Answer, status: u16, words: [&str; 2], is_refreshed: bool) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let [title, text] = words;
    let version = if is_refreshed { "0-0" } else { "" };
    for part in [
        format!("<title>{title} · synth2real</title>"),
        format!("<h1>{title}</h1>"),
        format!("data-version=\"{version}\""),
        text.to_owned(),
    ] {
        assert!(answer.body.contains(&part), "no {part}: {}", answer.body);
    }
}

/// Asserts that an answer is an error in JSON that says something.
fn assert_json(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, serde_json::json!({ "error": text }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_not_found_on_a_page_and_in_the_api() {
    let served = planned_and_served().await;
    let text = "there is no run other in memory";
    let words = ["Not found", text];
    assert_page(&get(&served, "/runs/other"), 404, words, true);
    assert_json(&get(&served, "/api/runs/other"), 404, text);
    let text = "there is no such page";
    assert_page(&get(&served, "/nothing"), 404, ["Not found", text], true);
    assert_json(&get(&served, "/api/nothing"), 404, text);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_root_is_read_a_run_is_still_looked_for_on_a_page_and_in_the_api() {
    let served = nothing_read_yet().await;
    let text = "the runs of the storage root are being read; this page comes by itself";
    let words = ["Still looking", text];
    assert_page(&get(&served, "/runs/late"), 503, words, true);
    assert_json(&get(&served, "/api/runs/late"), 503, text);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_read_is_unavailable_on_a_page_and_in_the_api() {
    let served = nothing_read_yet().await;
    let run = "spoilt".parse().unwrap();
    served.live.set_unreadable(&run, "no plan".to_owned());
    let words = ["Something does not answer", "no plan"];
    assert_page(&get(&served, "/runs/spoilt"), 503, words, true);
    assert_json(&get(&served, "/api/runs/spoilt/grid"), 503, "no plan");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_without_a_meaning_is_a_bad_request() {
    let served = planned_and_served().await;
    for (path, text) in [
        (
            "/runs/planned?page=two",
            "page=&#34;two&#34; must be a number",
        ),
        (
            "/runs/planned/losses?page=-1",
            "page=&#34;-1&#34; must be a number",
        ),
        (
            "/runs/planned/shards/000000?item=a",
            "item=&#34;a&#34; must be a number",
        ),
        (
            "/runs/planned/resume?only=ugly",
            "only=&#34;ugly&#34; must be missing, failed or quarantined",
        ),
    ] {
        let words = ["That makes no sense", text];
        assert_page(&get(&served, path), 400, words, false);
    }
    assert_eq!(get(&served, "/runs/planned?page=&state=").status, 200);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_no_page_of_the_visitor_made_is_forbidden() {
    let served = planned_and_served().await;
    let path = "/runs/planned/cancel";
    let answer = ask(&served.address, "POST", path, &[], "csrf=guess");
    let words = ["Refused", "the form was not made by this page"];
    assert_page(&answer, 403, words, false);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_needs_a_broker_is_unavailable_without_one() {
    let served = planned_and_served().await;
    let page = get(&served, "/runs/planned/cancel");
    let (session, body) = (cookie(&page), format!("csrf={}&worker=a", csrf(&page.body)));
    let answer = ask(
        &served.address,
        "POST",
        "/workers/drain",
        &[&session],
        &body,
    );
    let words = ["Something does not answer", "No broker is named"];
    assert_page(&answer, 503, words, true);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_has_the_headers_and_the_session_of_any_other_answer() {
    let served = planned_and_served().await;
    for path in ["/nothing", "/api/runs/other"] {
        let answer = get(&served, path);
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with("synth2real-"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), length, "{answer:?}");
    }
    let script = ask(&served.address, "GET", "/api/runs/other", &[], "");
    assert_eq!(script.header("set-cookie"), "");
    served.end().await;
}
