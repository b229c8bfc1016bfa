//! The class maps of styles without labels, beside their photographs.

use std::fs;

use tests::project::{Project, RUN, STYLES};
use tests::repository;
use tests::service::Service;

use super::{HTML, get, wait_for_run};

#[test]
fn class_maps_are_shown_over_their_photographs_with_the_share_of_each_class() {
    let mut project = Project::new(1, 2);
    let style = STYLES[0];
    fs::remove_file(project.path(&format!("style/labels/{style}_gt_labelColor.png"))).unwrap();
    let prior = repository("tests/fixtures/prior");
    project.set("style.prior", prior.display().to_string());
    let _ = project.run().exits(0);
    let service = Service::serve(&project.path("out"), &[]);
    wait_for_run(&service, RUN, &[]);

    let run = get(&service, &format!("/runs/{RUN}"), &[HTML]);
    let list = format!("/runs/{RUN}/priors");
    assert!(run.body.contains(&list), "{}", run.body);
    let page = get(&service, &list, &[HTML]);
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.body.matches("Classes over it").count(), 1);
    assert!(page.body.contains(" %"), "{}", page.body);
    let told = "<span class=\"num\">1 style has</span> no label: ";
    assert!(page.body.contains(told), "{}", page.body);
    assert!(!page.body.contains(&format!("<h3>{}</h3>", STYLES[1])));
    // What lies over the photograph is laid out with it alone, without its caption.
    assert!(page.body.contains("<figure><div class=\"over\">"));
    assert!(page.body.contains("<p class=\"num shares\">"));

    let picture = |style: &str| {
        let path = format!("/runs/{RUN}/images/prior/{style}");
        get(&service, &path, &[]).status
    };
    assert_eq!(picture(style), 200);
    assert_eq!(picture(STYLES[1]), 404);
    assert_eq!(picture("nowhere"), 404);
    fs::remove_file(project.stored(&format!("priors/{style}.png"))).unwrap();
    let page = get(&service, &list, &[HTML]);
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("not to be read"), "{}", page.body);
}

#[test]
fn the_map_of_a_style_whose_label_was_taken_away_since_is_shown() {
    let mut project = Project::new(1, 2);
    let labels = STYLES.map(|style| format!("style/labels/{style}_gt_labelColor.png"));
    fs::remove_file(project.path(&labels[1])).unwrap();
    project.write(&labels[0], b"<html>404 not found</html>");
    let prior = repository("tests/fixtures/prior");
    project.set("style.prior", prior.display().to_string());
    let _ = project.run().exits(1);
    fs::remove_file(project.path(&labels[0])).unwrap();
    let _ = project.run().exits(0);
    let service = Service::serve(&project.path("out"), &[]);
    wait_for_run(&service, RUN, &[]);

    let page = get(&service, &format!("/runs/{RUN}/priors"), &[HTML]);
    for style in &STYLES[..2] {
        assert!(page.body.contains(&format!("<h3>{style}</h3>")), "{style}");
        let path = format!("/runs/{RUN}/images/prior/{style}");
        assert_eq!(get(&service, &path, &[]).status, 200, "{style}");
    }
}
