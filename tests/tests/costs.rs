//! What a run costs: device-hours and money in `probe`, `report` and on the dashboard.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use serde_json::Value;
use tests::http::ask;
use tests::program::{Outcome, synth2real};
use tests::project::{Project, RUN};
use tests::service::Service;

fn report(project: &Project) -> Value {
    let outcome = project.about_run(&["report", "--json"]).exits(0);
    let reports: Value = serde_json::from_str(&outcome.stdout).unwrap();
    reports["runs"][0].clone()
}

fn probed(project: &Project) -> String {
    let mut command = synth2real();
    let outcome = Outcome::of(command.arg("probe").arg(project.settings()));
    outcome.exits(0).stdout
}

#[test]
fn a_run_tells_what_it_cost_and_a_changed_price_is_no_other_run() {
    let mut project = Project::new(2, 3);
    assert!(!probed(&project).contains("EUR"));
    project.set("cost.per_device_hour", 3_600_000.0 / 4.0);
    project.set("cost.currency", "EUR");
    let before = probed(&project);
    assert!(before.contains("0.00 device-hours so far, "), "{before}");
    assert!(before.contains("; 0.00 EUR so far, "), "{before}");

    let _ = project.run().exits(0);
    let made = report(&project);
    let hours = made["cost"]["device_hours"].as_f64().unwrap();
    let seconds = made["cost"]["seconds_per_image"].as_f64().unwrap();
    // The recordings of the styles come on top of the images.
    assert!(3600.0 * hours > 6.0 * seconds, "{made}");
    assert_eq!(made["cost"]["device_hours_left"], 0.0);
    assert_eq!(made["price"]["currency"], "EUR");
    let told = project.about_run(&["report"]).exits(0).stdout;
    let money = format!("{:.2} EUR", 900_000.0 * hours);
    assert!(told.contains(&format!(" device-hours; {money}")), "{told}");
    let after = probed(&project);
    assert!(
        after.contains(&format!(" device-hours; {money}")),
        "{after}"
    );

    // Another price is the same run.
    project.set("cost.per_device_hour", 1.0);
    let again = project.run().exits(0);
    assert!(again.stdout.contains("6 of 6 images done"), "{again}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn rows_tell_what_of_an_image_is_its_contents_and_what_its_styles() {
    let project = Project::new(2, 3);
    let _ = project.run().exits(0);
    let works: Vec<_> = project.rows().iter().map(|row| row.work.unwrap()).collect();
    assert_eq!(works.len(), 6);
    for work in &works {
        let of_stages = work.load_ms + work.encode_ms + work.denoise_ms;
        let (content_ms, style_ms) = (work.content_ms.unwrap(), work.style_ms.unwrap());
        assert!(content_ms > work.load_ms + work.encode_ms, "{work:?}");
        assert!(content_ms < of_stages, "{work:?}");
        assert_eq!(style_ms > 0.0, work.style_evaluations > 0.0, "{work:?}");
    }
    let recorded = works
        .iter()
        .filter(|work| work.style_ms > Some(0.0))
        .count();
    assert_eq!(recorded, 3);
}

/// Returns what the API says of the run, once the dashboard has read it.
fn api(service: &Service) -> Value {
    let path = format!("/api/runs/{RUN}");
    for _ in 0..600 {
        let answer = ask(&service.address, "GET", &path, &[], "");
        if answer.status == 200 {
            return serde_json::from_str(&answer.body).unwrap();
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("the run does not come: {}", service.said());
}

#[test]
fn the_dashboard_shows_device_hours_and_money() {
    let mut project = Project::new(1, 1);
    project.set("cost.per_device_hour", 2.5);
    project.set("cost.currency", "EUR");
    let _ = project.run().exits(0);
    let service = Service::serve(&project.path("out"), &[]);
    let run = api(&service);
    assert!(run["device_hours"].as_f64().unwrap() > 0.0, "{run}");
    assert_eq!(run["device_hours_left"], 0.0);
    assert_eq!(run["price"]["per_device_hour"], 2.5);
    let page = ask(&service.address, "GET", &format!("/runs/{RUN}"), &[], "");
    for words in ["Device-hours", " device-hours; 0.", " EUR"] {
        assert!(page.body.contains(words), "no {words:?}: {}", page.body);
    }
}
