//! A run in one process with `--dashboard`: progress arrives without a reload, the end is noticed, history is there
//! afterwards.

use tests::browser::{Browser, Tab};
use tests::http::ask;
use tests::project::{Project, RUN};
use tests::service::{self, Service};

use super::{HTML, cookie, csrf, get, wait_for_run};

const CONTENTS: usize = 12;

/// Sees shards come in and figures so far, on a page that is not loaded again.
async fn shows_progress(page: &Tab) {
    page.wait_for_text("Running").await;
    page.value::<bool>("window.stays = true").await;
    let mut seen = 0;
    for _ in 0..3 {
        page.wait_for(
            "another shard",
            &format!("parseInt(document.getElementById('done').textContent) > {seen}"),
        )
        .await;
        seen = page
            .value("parseInt(document.getElementById('done').textContent)")
            .await;
    }
    page.wait_for_text("embedded-").await;
    page.wait_for_element("#chart canvas").await;
    page.wait_for("figures so far", &figure("SSIM")).await;
    page.picture("running").await;
    assert!(
        page.value::<bool>("window.stays").await,
        "the page was loaded again"
    );
    page.is_clean().await;
}

/// Sees the figures of the whole run, and goes on to its report.
async fn shows_the_report(page: &Tab) {
    page.wait_for("FID of the whole run", &figure("FID")).await;
    page.wait_for_element("dd[title*='not comparable with published figures'] .tag")
        .await;
    page.click("#report").await;
    page.wait_for_text("24 of 24 items done").await;
    page.wait_for_text("not comparable with published figures")
        .await;
    let sliders = "document.querySelectorAll('.pair input').length";
    assert_eq!(page.value::<usize>(sliders).await, 4);
    page.picture("report").await;
    page.is_clean().await;
}

/// Sees the images of a shard, and moves the edge between two of them by keys.
async fn shows_images(page: &Tab) {
    page.click("#shard-000003 a").await;
    page.wait_for_text("Attempt 1").await;
    let shown = "[...document.images].every((image) => image.complete && image.naturalWidth > 0)";
    page.wait_for("every image", shown).await;
    let position = "document.querySelector('.edge').style.left";
    page.wait_for_element(".edge").await;
    assert_eq!(page.value::<String>(position).await, "50%");
    page.tab_to(".compare input").await;
    page.press("End").await;
    assert_eq!(page.value::<String>(position).await, "100%");
    page.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_arrives_without_a_reload_and_history_outlives_the_run() {
    let browser = Browser::start().await;
    let mut project = Project::new(CONTENTS, 2);
    project.set("shards.contents", 1);
    // Slow enough to be watched.
    project.set("method.steps", 16);
    project.judge_by_demo_features();
    let mut command = project.run_command();
    let run = Service::start(command.arg("--dashboard=127.0.0.1:0"));
    let address = run.address.clone();
    let page = browser.open(&address).await;
    page.wait_for_element(&format!("#run-{RUN}")).await;
    page.click(&format!("#run-{RUN} a")).await;

    shows_progress(&page).await;

    page.value::<bool>("(window.drawn = ['#grid canvas', '#chart canvas'].map((one) => document.querySelector(one)), true)")
        .await;
    page.wait_for(
        "it is told that the program has ended",
        "!document.getElementById('lost').hidden",
    )
    .await;
    page.picture("disconnected").await;
    let outcome = run.end().exits(0);
    assert!(outcome.stderr.contains("24 of 24 images done"), "{outcome}");

    let listen = address.trim_start_matches("http://");
    let service = Service::start(&mut service::serve_command(&project.path("out"), listen));
    page.wait_for("it is live again", "document.getElementById('lost').hidden")
        .await;
    page.wait_for_text("Complete").await;
    assert_eq!(page.text("#done").await, "24 of 24");
    assert!(
        page.value::<bool>("window.stays").await,
        "the page was loaded again"
    );

    assert!(
        page.value::<bool>(
            "window.drawn[0].isConnected && !!document.querySelector('#chart canvas')"
        )
        .await,
        "grid or chart is lost"
    );

    shows_the_report(&page).await;
    page.go(&format!("{address}/runs/{RUN}")).await;
    shows_images(&page).await;
    let _ = service.stop().exits(0);
    browser.end().await;
}

/// Whether each style has a number in the column of this title.
fn figure(title: &str) -> String {
    format!(
        "(() => {{ const table = document.querySelector('.styles table'); \
           const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === '{title}'); \
           return [...table.tBodies[0].rows].every((row) => /[0-9]/.test(row.cells[at].textContent)); }})()"
    )
}

#[test]
fn a_run_in_this_process_is_cancelled_from_its_dashboard_and_taken_up_by_running_again() {
    let mut project = Project::new(CONTENTS, 1);
    project.set("shards.contents", 1);
    project.set("method.steps", 16);
    let mut command = project.run_command();
    let run = Service::start(command.arg("--dashboard=127.0.0.1:0"));
    wait_for_run(&run, RUN, &[]);
    let path = format!("/runs/{RUN}/cancel");
    let page = get(&run, &path, &[HTML]);
    let body = format!("csrf={}", csrf(&page.body));
    let cancelled = ask(&run.address, "POST", &path, &[&cookie(&page)], &body);
    assert_eq!(cancelled.status, 303, "{}", cancelled.body);
    let outcome = run.end().exits(130);
    assert!(
        outcome.stderr.contains("the run was cancelled"),
        "{outcome}"
    );
    let again = project.run().exits(0);
    assert!(again.stdout.contains("12 of 12 images done"), "{again}");
}
