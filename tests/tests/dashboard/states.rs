//! Nothing there yet, nothing there at all, and storage that goes away and comes back.

use std::fs;

use shared::storage::LocalStorage;
use tests::browser::Browser;
use tests::service::Service;

use super::Planned;

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_root_says_how_to_begin_and_a_run_appears_by_itself() {
    let planned = Planned::new(4).await;
    let root = tempfile::tempdir().unwrap();
    let service = Service::serve(root.path(), &[]);
    let browser = Browser::start().await;
    let page = browser.open(&service.address).await;
    page.wait_for_text("No runs yet").await;
    page.wait_for_text("synth2real run").await;
    page.picture("empty").await;
    page.is_clean().await;
    fs::rename(planned.root.path().join("runs"), root.path().join("runs")).unwrap();
    page.wait_for_text("Waiting for workers").await;

    page.go(&format!("{}/runs/late", service.address)).await;
    page.wait_for_text("there is no run late").await;
    let mut late = planned.run;
    late.record.run = "late".parse().unwrap();
    tests::planned::store(&LocalStorage::new(root.path()), &late).await;
    page.wait_for_element("#grid[data-drawn]").await;

    page.go(&format!("{}/runs/another", service.address)).await;
    page.wait_for_text("there is no run another").await;
    page.picture("missing").await;
    page.go(&format!("{}/workers", service.address)).await;
    page.wait_for_text("No broker is named").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_storage_is_away_the_last_look_is_shown_with_a_reason() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    let browser = Browser::start().await;
    let page = browser.open(&service.address).await;
    page.wait_for_text("planned").await;
    page.wait_for_text("Live").await;
    // What a proxy says for a server that is away, when the page is to be made fresh.
    page.value::<bool>(
        "(window.real = window.fetch, window.fetch = async () => new Response('<div id=page>Bad gateway</div>', { status: 502 }), true)",
    )
    .await;
    let (runs, away) = ["runs", "away"]
        .map(|name| planned.root.path().join(name))
        .into();
    fs::rename(&runs, &away).unwrap();
    fs::write(&runs, "no folder").unwrap();
    page.wait_for_text("Disconnected").await;
    page.wait_for_element("#run-planned").await;
    page.value::<bool>("(window.fetch = window.real, true)")
        .await;
    page.wait_for_text("Storage does not answer").await;
    page.wait_for("it is live again", "document.getElementById('lost').hidden")
        .await;
    page.wait_for_text("What you see is what was seen last")
        .await;
    page.wait_for_element("#run-planned").await;
    page.picture("storage-away").await;
    fs::remove_file(&runs).unwrap();
    fs::rename(&away, &runs).unwrap();
    page.wait_for(
        "the banner goes",
        "!document.body.innerText.includes('does not answer')",
    )
    .await;
    page.wait_for_element("#run-planned").await;
    page.is_clean().await;
    browser.end().await;
}
