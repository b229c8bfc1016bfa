//! Comparisons: their list, and one of them with what its runs have made.

use std::fs;

use tests::program::{Outcome, synth2real};
use tests::project::{Project, RUN, STYLES};
use tests::service::Service;

use super::{HTML, get, wait_for_run};

#[test]
fn a_comparison_shows_what_each_combination_has_made_and_what_the_whole_dataset_takes() {
    let mut project = Project::new(2, 1);
    project.make_without_model("fda");
    let mut compare = synth2real();
    compare.arg("compare").arg(project.settings());
    compare.args(["--vary", "method=fda,identity", "--styles", "1"]);
    let _ = Outcome::of(&mut compare).exits(0);
    let root = project.path("out/compare");
    let runs = fs::read_dir(root.join("runs")).unwrap();
    let runs = runs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let runs: Vec<String> = runs.collect();
    // Of one run the second shard is gone.
    let lost = runs.iter().find(|run| run.starts_with("fda-")).unwrap();
    fs::remove_file(root.join(format!("runs/{lost}/shards/000001.parquet"))).unwrap();

    let service = Service::serve(&root, &[]);
    for run in &runs {
        wait_for_run(&service, run, &[]);
    }
    let list = get(&service, "/comparisons", &[HTML]);
    let address = format!("/comparisons/{RUN}");
    assert!(
        list.body.contains(&format!("href=\"{address}\"")),
        "{}",
        list.body
    );
    let page = get(&service, &address, &[HTML]);
    assert_eq!(page.status, 200, "{}", page.body);
    for words in [
        "2 contents in 1 style",
        "method=fda",
        "method=identity",
        "device-hours, whole dataset",
        "1 of 2",
        "2 of 2",
        "compare CONFIG --pick N",
    ] {
        assert!(page.body.contains(words), "no {words:?}: {}", page.body);
    }
    let outputs = page.body.matches("/images/output/").count();
    assert_eq!((outputs, page.body.matches("not made yet").count()), (3, 1));
    let (style, content) = (STYLES[0], "00001");
    for run in &runs {
        let output = format!("/runs/{run}/images/output/{style}/{content}");
        assert!(page.body.contains(&output), "{output}: {}", page.body);
        assert_eq!(get(&service, &output, &[]).status, 200);
    }
}

#[test]
fn a_storage_root_without_comparisons_says_where_they_are() {
    let project = Project::new(1, 1);
    let service = Service::serve(&project.path("out"), &[]);
    let list = get(&service, "/comparisons", &[HTML]);
    assert!(
        list.body.contains("Nothing was compared here"),
        "{}",
        list.body
    );
    assert!(list.body.contains("/compare</code>"), "{}", list.body);
    for name in ["nowhere", "No%20Name"] {
        let page = get(&service, &format!("/comparisons/{name}"), &[HTML]);
        assert_eq!(page.status, 404, "{}", page.body);
    }
}

#[test]
fn a_comparison_that_is_damaged_is_told_as_one() {
    let project = Project::new(1, 1);
    project.write("out/comparisons/small.json", b"{\"run\": \"small\"}");
    let service = Service::serve(&project.path("out"), &[]);
    let page = get(&service, &format!("/comparisons/{RUN}"), &[HTML]);
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(
        page.body
            .contains("is no comparison that this version reads"),
        "{}",
        page.body
    );
}
