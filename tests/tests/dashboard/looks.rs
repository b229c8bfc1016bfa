//! Every page in light and dark, on a desk and on a phone: nothing overflows, nothing jumps, nothing breaks.
//!
//! With `SYNTH2REAL_SCREENSHOTS` set to a folder, pictures of all of them are put there.

use coordinator::output::comparison::{Combination, Comparison};
use coordinator::output::report::{Cost, NetworkReport, Reference, RunReport, StyleReport};
use coordinator::run::cost::Workload;
use shared::item_metric::PerMetric;
use shared::storage::LocalStorage;
use tests::browser::{Browser, Look};
use tests::images::Picture;
use tests::project::{Project, RUN, STYLES};
use tests::service::Service;

/// The report of a run, with figures as a run with references has them.
fn report(made: RunReport) -> RunReport {
    let network = |name: &str| NetworkReport {
        name: name.to_owned(),
        sha256: "0".repeat(64),
        resize: Some("299x299 bilinear".to_owned()),
        published: true,
    };
    let style = |(place, name): (usize, &&str)| StyleReport {
        style: (*name).to_owned(),
        items: 5,
        planned: 6,
        fid: Some(81.37 + 7.0 * place as f64),
        kid: Some(0.0412),
        kid_standard_error: Some(0.0021),
        reference: Some(Reference {
            path: "acdc-night.npz".to_owned(),
            items: Some(400),
        }),
        figures: PerMetric::from_fn(|metric| Some([0.412, 0.533][metric as usize % 2])),
        label_agreement: made.styles[place].label_agreement.clone(),
        notes: vec!["fewer than 2048 images".to_owned()],
        classes: Default::default(),
    };
    RunReport {
        complete: true,
        method: "cactif".to_owned(),
        preset: Some("released-code".to_owned()),
        width: 256,
        height: 128,
        items: 18,
        done: 15,
        quarantined: 3,
        failed: 0,
        extractor: Some(network("inception-v3")),
        networks: PerMetric::from_fn(|metric| metric.network().map(|_| network(metric.as_str()))),
        cost: Cost {
            images_per_minute: Some(30.0),
            seconds_per_image: Some(2.0),
            evaluations_per_image: Some(6.5),
            device_hours: Some(0.75),
            device_hours_left: Some(0.0),
        },
        styles: STYLES.iter().enumerate().map(style).collect(),
        ..made
    }
}

/// A comparison of the run with others that have not begun.
fn compared() -> Comparison {
    let names =
        |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let combination = |run: &str| Combination {
        run: run.parse().unwrap(),
        settings: Vec::new(),
        needs: Vec::new(),
        without_model: false,
        whole: Workload {
            styles: 3.0,
            contents: 24_966.0,
            outputs: 74_898.0,
        },
    };
    let mut comparison = Comparison::new(RUN.parse().unwrap(), "0".repeat(64));
    comparison.contents = names(&["00001", "00003"]);
    comparison.styles = names(&STYLES[..2]);
    comparison.combinations = [RUN, "fda-0123456789ab", "identity-0123456789ab"]
        .map(combination)
        .to_vec();
    comparison
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_in_light_and_dark_on_a_desk_and_on_a_phone() {
    let mut project = Project::new(5, 3);
    project.set("shards.contents", 1);
    project.judge_labels();
    let keep = |label: Picture| label;
    project.add_content("00006", |image| image, keep);
    let label = project.path("gta5/labels/00006.png");
    std::fs::write(label, b"no picture").unwrap();
    let _ = project.run().exits(1);
    let storage = LocalStorage::new(project.path("out"));
    let made = RunReport::stored(&storage, &RUN.parse().unwrap()).await;
    let made = made.unwrap().expect("run makes a report");
    report(made).store(&storage).await.unwrap();
    compared().store(&storage).await.unwrap();

    let service = Service::serve(&project.path("out"), &[]);
    let browser = Browser::start().await;
    let pages = [
        ("runs", "/".to_owned(), "88.4 mean of 3"),
        ("run", format!("/runs/{RUN}"), "Ended with losses"),
        (
            "shard",
            format!("/runs/{RUN}/shards/000001"),
            "in the style of",
        ),
        (
            "lost-shard",
            format!("/runs/{RUN}/shards/000005"),
            "Quarantined",
        ),
        ("losses", format!("/runs/{RUN}/losses"), "bad-input"),
        ("labels", format!("/runs/{RUN}/labels"), "IoU in contents"),
        (
            "doubtful",
            format!("/runs/{RUN}/doubtful"),
            "of the agreement with their labels",
        ),
        (
            "resume",
            format!("/runs/{RUN}/resume"),
            "Nothing to do again",
        ),
        ("workers", "/workers".to_owned(), "No broker is named"),
        ("comparisons", "/comparisons".to_owned(), "Made for"),
        (
            "comparison",
            format!("/comparisons/{RUN}"),
            "device-hours, whole dataset",
        ),
    ];
    for (look, width, height, colours) in [
        ("light", 1280, 900, "light"),
        ("dark", 1280, 900, "dark"),
        ("phone", 390, 844, "light"),
        ("phone-dark", 390, 844, "dark"),
    ] {
        for (name, path, text) in &pages {
            let page = browser.open(&service.address).await;
            page.look(Look {
                width,
                height,
                colours,
            })
            .await;
            page.wait_for_element(&format!("#run-{RUN}")).await;
            page.go(&format!("{}{path}", service.address)).await;
            page.wait_for_text(text).await;
            page.wait_for(
                "it is live, unless it is a form",
                "document.querySelector('#link:not([hidden])') || location.pathname.endsWith('/resume')",
            )
            .await;
            if *name == "run" {
                page.wait_for_text("compared with 400 images of acdc-night.npz")
                    .await;
                page.wait_for_element("#chart canvas").await;
                page.wait_for_element("#grid[data-drawn]").await;
                let fid = "document.querySelector('#fid')";
                let on_one_line =
                    format!("{fid}.innerText === '88.4 mean of 3' && {fid}.offsetHeight < 36");
                page.wait_for("its FID on one line", &on_one_line).await;
            }
            let images = "[...document.images].filter((image) => image.loading !== 'lazy')
                .every((image) => image.complete && image.naturalWidth > 0)";
            page.wait_for("its images", images).await;
            page.picture(&format!("{name}-{look}")).await;
            page.fits().await;
            page.is_clean().await;
            page.close().await;
        }
    }
    browser.end().await;
}
