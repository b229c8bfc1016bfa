//! Items whose labels are doubtful: found from the page of their run, and shown with what was predicted.

use std::fs;

use serde_json::Value;
use tests::project::{Project, RUN, STYLES};
use tests::service::Service;

use super::{HTML, get, wait_for_run};

/// Returns a page that there is.
fn page(service: &Service, path: &str) -> String {
    let answer = get(service, path, &[HTML]);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

/// Returns the address of a picture by its id in a page.
fn address(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("id=\"{id}\"")).unwrap();
    let (_, rest) = rest.split_once("src=\"").unwrap();
    let (address, _) = rest.split_once('"').unwrap();
    address.to_owned()
}

/// Returns a run of two drawn contents in two styles, all of whose items are doubtful, each in a shard of its own.
fn made() -> Project {
    let mut project = Project::drawn(2, 2);
    project.set("shards.contents", 1);
    project.set("shards.styles", 1);
    let _ = project.run().exits(0);
    project
}

#[test]
fn doubtful_items_are_counted_and_listed_by_style() {
    let project = made();
    let service = Service::serve(&project.path("out"), &[]);
    wait_for_run(&service, RUN, &[]);
    let api = get(&service, &format!("/api/runs/{RUN}"), &[]).body;
    let api: Value = serde_json::from_str(&api).unwrap();
    assert_eq!(api["doubtful"], 4);
    assert_eq!(api["report"]["label_agreement"]["doubtful"], 4);

    let run = page(&service, &format!("/runs/{RUN}"));
    let of_style = format!("/runs/{RUN}/doubtful?style={}", STYLES[1]);
    for words in [
        "Labels, %",
        "100.0 -",
        "4 of 4 items doubtful",
        "nearest colour of Cityscapes",
        "Done with doubtful labels",
        "pixel accuracy 100.0 -",
        &format!("/runs/{RUN}/labels"),
        of_style.as_str(),
    ] {
        assert!(run.contains(words), "no {words:?}: {run}");
    }
    let items = |path: &str| page(&service, path).matches("?item=").count();
    assert_eq!(items(&format!("/runs/{RUN}/doubtful")), 4);
    assert_eq!(items(&of_style), 2);
    assert_eq!(items(&format!("/runs/{RUN}/doubtful?style=nowhere")), 0);
    let bad = get(&service, &format!("/runs/{RUN}/doubtful?page=two"), &[HTML]);
    assert_eq!(bad.status, 400, "{}", bad.body);
}

#[test]
fn pixel_accuracy_and_classes_are_shown_of_all_styles_and_of_each() {
    let project = made();
    let service = Service::serve(&project.path("out"), &[]);
    wait_for_run(&service, RUN, &[]);
    let all = page(&service, &format!("/runs/{RUN}/labels"));
    for words in [
        "nearest colour of Cityscapes",
        "Pixel accuracy",
        "IoU in outputs",
        ">road<",
        &format!("/runs/{RUN}/labels?style={}", STYLES[1]),
    ] {
        assert!(all.contains(words), "no {words:?}: {all}");
    }
    // All styles, and each of two.
    assert_eq!(all.matches("100.0 -").count(), 2 * 3, "{all}");
    let one = page(&service, &format!("/runs/{RUN}/labels?style={}", STYLES[1]));
    let chosen = "<tr aria-current=\"true\">";
    assert_eq!(one.matches(chosen).count(), 1, "{one}");
    assert!(one.contains(">road<"), "{one}");
    let none = page(&service, &format!("/runs/{RUN}/labels?style=nowhere"));
    assert!(none.contains("No class of them was judged"), "{none}");
    assert!(!none.contains(chosen), "{none}");
}

#[test]
fn doubtful_items_are_shown_side_by_side_with_all_that_their_doubt_is_about() {
    let project = made();
    let service = Service::serve(&project.path("out"), &[]);
    wait_for_run(&service, RUN, &[]);
    let shown = page(&service, &format!("/runs/{RUN}/doubtful"));
    assert_eq!(shown.matches("<figure>").count(), 5 * 4, "{shown}");
    let (_, first) = shown.split_once("<article").unwrap();
    let (first, _) = first.split_once("</article>").unwrap();
    let pictures: Vec<&str> = first.split("src=\"").skip(1).collect();
    for (picture, what) in pictures.iter().zip([
        "Content",
        "Output",
        "Label",
        "Predicted for the content",
        "Predicted for the output",
    ]) {
        assert!(picture.contains(&format!("alt=\"{what}\"")), "{picture}");
        let (address, _) = picture.split_once('"').unwrap();
        let address = address.replace("&amp;", "&").replace("&#38;", "&");
        let answer = get(&service, &address, &[]);
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        let media_type = answer.header("content-type");
        assert!(media_type.starts_with("image/"), "{what}: {media_type}");
    }
    assert_eq!(pictures.len(), 5);
}

#[test]
fn a_doubtful_item_is_shown_with_its_label_and_both_predictions() {
    let project = made();
    let service = Service::serve(&project.path("out"), &[]);
    wait_for_run(&service, RUN, &[]);
    let shown = page(&service, &format!("/runs/{RUN}/shards/000000?item=0"));
    for words in ["Its label is doubtful:", "agreement 100.0 -", "SSIM "] {
        assert!(shown.contains(words), "no {words:?}: {shown}");
    }
    let output = format!("predictions/outputs/{}/00001.png", STYLES[0]);
    let content = format!("predictions/contents/{}/00001.png", STYLES[0]);
    for (id, stored) in [
        ("content-prediction", content.as_str()),
        ("output-prediction", output.as_str()),
    ] {
        let answer = get(&service, &address(&shown, id), &[]);
        assert_eq!(answer.status, 200, "{id}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "image/png");
        let file = fs::read(project.stored(stored)).unwrap();
        assert!(answer.body == String::from_utf8_lossy(&file), "{id}");
    }
    let label = address(&shown, "label");
    let answer = get(&service, &label, &[]);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "image/png")
    );
    let tag = format!("If-None-Match: {}", answer.header("etag"));
    assert_eq!(get(&service, &label, &[&tag]).status, 304);

    // Another content is none of the run's, and what is not stored is not there.
    for path in ["label/00009", "predictions/content/night_000001/00009"] {
        let path = format!("/runs/{RUN}/images/{path}");
        assert_eq!(get(&service, &path, &[]).status, 404, "{path}");
    }
    fs::remove_file(project.stored(&content)).unwrap();
    let gone = get(&service, &address(&shown, "content-prediction"), &[]);
    assert_eq!(gone.status, 404, "{}", gone.body);
}
