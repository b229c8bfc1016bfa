//! Two collectors at once on one storage root that answers slowly: neither does what the other has done.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::artifact::ArtifactKey;
use tests::broker::Options;
use tests::fleet::{Fleet, RUN};
use tests::http::{Answer, ask};
use tests::stored;

use super::{HTML, cookie, csrf};

/// What every request of storage takes beside its work.
const SLOW: Duration = Duration::from_millis(25);
/// Figures of a run that do not depend on the time of a look.
const FIGURES: [&str; 9] = [
    "state",
    "halted",
    "items",
    "done",
    "quarantined",
    "failed",
    "shards",
    "shards_committed",
    "shards_failed",
];

/// Returns the run as a dashboard has it; nothing before it is read.
fn seen_on(dashboard: &str) -> Value {
    let answer = ask(dashboard, "GET", &format!("/api/runs/{RUN}"), &[], "");
    match answer.status {
        200 => serde_json::from_str(&answer.body).unwrap(),
        _ => Value::Null,
    }
}

/// Returns the figures on both dashboards.
fn figures(dashboards: &[String; 2]) -> [Vec<Value>; 2] {
    dashboards.each_ref().map(|dashboard| {
        let run = seen_on(dashboard);
        FIGURES.map(|figure| run[figure].clone()).to_vec()
    })
}

fn wait_until_both(
    fleet: &Fleet,
    dashboards: &[String; 2],
    what: &str,
    is: impl Fn(&Value) -> bool,
) {
    fleet.wait_until(what, |_| {
        dashboards.iter().all(|dashboard| is(&seen_on(dashboard)))
    });
}

fn wait_until_equal(fleet: &Fleet, dashboards: &[String; 2]) {
    fleet.wait_until("both dashboards show the same", |_| {
        let [one, other] = figures(dashboards);
        one == other
    });
}

/// Presses the button that retries what failed on both dashboards at once.
fn press_both(dashboards: &[String; 2]) -> Vec<Answer> {
    let path = format!("/runs/{RUN}/resume");
    let path = path.as_str();
    let address = format!("{path}?only=failed");
    let forms = dashboards.each_ref().map(|dashboard| {
        let preview = ask(dashboard, "GET", &address, &[HTML], "");
        let offers = "1 shard</strong> with <strong class=\"num\">3 items<";
        assert!(preview.body.contains(offers), "{}", preview.body);
        let csrf = csrf(&preview.body);
        let body = format!("csrf={csrf}&only=failed&style=&shards=&reason=&contains=");
        (dashboard, cookie(&preview), body)
    });
    std::thread::scope(|scope| {
        let press = |(dashboard, session, body): (&String, String, String)| {
            let dashboard = dashboard.clone();
            scope.spawn(move || ask(&dashboard, "POST", path, &[&session], &body))
        };
        let pressed = forms.map(press);
        let answers = pressed.into_iter().map(|press| press.join().unwrap());
        answers.collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_collectors_on_a_slow_storage_show_the_same_and_do_nothing_twice() {
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.set("limits.max_failed", 1.0);
    let _ = fleet.launch().exits(0);
    // Half an output is in the way: it is never overwritten, so its shard is tried until it is given up.
    let broken = fleet
        .stored()
        .join("images/GOPR0001_frame_000001/00003.png");
    fs::create_dir_all(broken.parent().unwrap()).unwrap();
    fs::write(&broken, "half an image").unwrap();
    fleet.s3.slow_down(SLOW);
    fleet.serve();
    fleet.serve();
    let dashboards = [0, 1].map(|place| fleet.dashboard_of(place));
    fleet.join();
    fleet.join();
    wait_until_both(&fleet, &dashboards, "all but one shard are done", |run| {
        run["done"] == 33 && run["failed"] == 3
    });
    wait_until_equal(&fleet, &dashboards);

    // No worker takes what is published from now on, so it can be counted.
    for _ in 0..2 {
        let _ = fleet.drain(0).exits(0);
    }
    fs::remove_file(&broken).unwrap();
    let answers = press_both(&dashboards);
    for answer in &answers {
        assert!([303, 409].contains(&answer.status), "{}", answer.body);
    }
    assert!(answers.iter().any(|answer| answer.status == 303));
    let decisions = stored::paths(&fleet.stored().join("decisions"));
    let decisions: Vec<_> = decisions
        .iter()
        .filter(|path| path.ends_with(".json"))
        .collect();
    assert_eq!(decisions, ["000001.json"], "one thing was decided");
    let queue = fleet.ports().await.work;
    let waiting = queue.depth().await.unwrap().ready;
    assert!(
        (1..=2).contains(&waiting),
        "{waiting} messages of one shard"
    );

    fleet.join();
    wait_until_both(&fleet, &dashboards, "all is done", |run| {
        run["done"] == 36 && run["report"]["complete"] == true
    });
    fleet.wait_until_complete();
    wait_until_equal(&fleet, &dashboards);
    // What is there twice is taken, and costs nothing.
    while queue.depth().await.unwrap().ready > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = fleet.drain(0).exits(0);
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (0, 0));

    let started = Instant::now();
    for outcome in fleet.stop_services() {
        let _ = outcome.exits(0);
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(10), "they took {took:?} to stop");
    // The run has ended twice, and each of them has seen that once each time.
    let manifest = ArtifactKey::Manifest(RUN.parse().unwrap()).path();
    let writes = fleet.s3.writes(&format!("results/{manifest}"));
    assert!((2..=4).contains(&writes), "{writes} manifests");
    let _ = fleet.synth2real(&["audit", RUN]).exits(0);
    let _ = fleet.end();
}
