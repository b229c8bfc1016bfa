//! A fleet whose shard fails: seen, mended, retried from the page, done; and a worker that is drained from there.

use std::fs;

use tests::broker::Options;
use tests::browser::Browser;
use tests::fleet::{Fleet, RUN};

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_shard_is_seen_mended_and_retried() {
    let browser = Browser::start().await;
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.set("limits.max_failed", 1.0);
    let _ = fleet.launch().exits(0);
    // Half an output is in the way: it is never overwritten, so its shard is tried until it is given up.
    let broken = fleet
        .stored()
        .join("images/GOPR0001_frame_000001/00003.png");
    fs::create_dir_all(broken.parent().unwrap()).unwrap();
    fs::write(&broken, "half an image").unwrap();
    fleet.serve();
    fleet.join();
    fleet.join();

    let address = fleet.dashboard();
    let page = browser.open(&format!("{address}/runs/{RUN}")).await;
    page.wait_for_text("worker-1").await;
    page.wait_for_text("worker-2").await;
    page.wait_for(
        "the shard is red",
        "document.querySelector('#shard-000002 .s-failed')",
    )
    .await;
    page.wait_for(
        "all others are done",
        "document.querySelectorAll('.shards .badge.s-done').length === 11",
    )
    .await;
    page.wait_for_text("Ended with losses").await;
    page.picture("failed").await;
    page.is_clean().await;
    page.click("#shard-000002 a").await;
    page.wait_for_text("Attempt 3").await;
    let chain = page.text(".chain").await;
    for part in ["cannot create", "00003.png", "other bytes"] {
        assert!(chain.contains(part), "no {part:?} in {chain:?}");
    }
    page.picture("failed-shard").await;

    fs::remove_file(&broken).unwrap();
    page.click(".crumbs a[href^='/runs/']").await;
    page.click("a[href$='only=failed']").await;
    page.wait_for_text("1 shard with 3 items would be done again")
        .await;
    page.wait_for_text("failed, attempt 3").await;
    page.picture("preview").await;
    page.click("#confirm").await;
    page.wait_for_text("1 shard with 3 items.").await;
    page.wait_for(
        "it is complete",
        "document.querySelector('#state .s-complete')",
    )
    .await;
    page.wait_for(
        "the shard is done",
        "document.querySelector('#shard-000002 .s-done')",
    )
    .await;
    assert_eq!(page.text("#done").await, "36 of 36");

    page.go(&format!("{address}/workers")).await;
    page.wait_for_text("Shards waiting").await;
    page.click("button[title^='Finish']").await;
    page.wait_for_text("was told to finish").await;
    page.wait_for_text("Stopped").await;
    page.picture("workers").await;
    page.is_clean().await;
    fleet.wait_until_complete();
    browser.end().await;
}
