//! Everything without a pointer.

use tests::browser::Browser;

use super::Planned;

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_reached_and_a_run_cancelled_by_keys_alone() {
    let planned = Planned::new(40).await;
    let service = planned.serve(&[]);
    let browser = Browser::start().await;
    let page = browser.open(&service.address).await;
    page.wait_for_element("#run-planned").await;
    page.press("Tab").await;
    let skips: bool = page.value("document.activeElement.matches('.skip')").await;
    assert!(skips, "the first stop leads to the content");
    page.tab_to("#run-planned a").await;
    page.press("Enter").await;

    page.wait_for_element("#grid[data-drawn]").await;
    page.tab_to("#grid .pane").await;
    // Two along the first style, then one down into the second.
    for key in [
        "ArrowRight",
        "ArrowRight",
        "ArrowLeft",
        "End",
        "ArrowRight",
        "ArrowRight",
    ] {
        page.press(key).await;
    }
    page.wait_for_text("Shard 000021, night: waiting").await;
    page.press("Enter").await;
    page.wait_for(
        "the shard's page",
        "location.pathname === '/runs/planned/shards/000021'",
    )
    .await;
    page.wait_for_text("Nobody has ended one yet").await;

    page.tab_to(".crumbs a[href='/runs/planned']").await;
    page.press("Enter").await;
    for shard in ["000003", "000005"] {
        page.tab_to(&format!("#choose-{shard}")).await;
        page.press(" ").await;
    }
    page.value::<bool>("document.addEventListener('refreshed', () => { window.fresh = true; }), dispatchEvent(new PopStateEvent('popstate'))")
        .await;
    page.wait_for("the page is fresh", "window.fresh").await;
    page.tab_to("#redo").await;
    page.press("Enter").await;
    page.wait_for_text("2 shards with 4 items would be done again")
        .await;
    page.go(&format!("{}/runs/planned", service.address)).await;
    page.wait_for_element("#choose-000003").await;
    page.tab_to(".chip[href*='state=failed']").await;
    page.press("Enter").await;
    page.wait_for_text("No shard is like that.").await;
    page.is_clean().await;
    page.tab_to("a[href$='/cancel']").await;
    page.press("Enter").await;
    page.tab_to("#confirm").await;
    page.press("Enter").await;
    page.wait_for_text("Run planned is cancelled").await;
    page.wait_for_text("Nobody works on this run").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_chosen_by_key_and_kept() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    let browser = Browser::start().await;
    let page = browser.open(&service.address).await;
    let theme = "document.documentElement.dataset.theme";
    for (chosen, shown) in [("Light", "light"), ("Dark", "dark")] {
        page.tab_to("#theme").await;
        page.press("Enter").await;
        page.wait_for_text(chosen).await;
        assert_eq!(page.value::<String>(theme).await, shown);
    }
    page.go(&format!("{}/workers", service.address)).await;
    assert_eq!(page.value::<String>(theme).await, "dark");
    browser.end().await;
}
