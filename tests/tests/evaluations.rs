//! How often the UNet is evaluated, and that what shares a pass does not show in the outputs.

use shared::manifest::ManifestRow;
use tests::program::Running;
use tests::project::Project;

const STYLES: usize = 3;

/// Returns all evaluations of a run: those of items and those of styles.
fn evaluations(rows: &[ManifestRow]) -> f64 {
    let work = rows.iter().map(|row| row.work.expect("made in this run"));
    work.map(|work| work.unet_evaluations + work.style_evaluations)
        .sum()
}

/// Returns a project with `styles` styles in a shard, after its run.
fn converted(contents: usize, styles: usize, settings: &[(&str, i64)]) -> Project {
    let mut project = Project::new(contents, STYLES);
    project.set("shards.styles", styles as i64);
    for &(key, value) in settings {
        project.set(key, value);
    }
    let _ = project.run().exits(0);
    project
}

#[test]
fn a_run_walks_each_style_once_and_each_content_once_a_shard() {
    // The second step injects: before it, outputs are their content, and nothing reads a style.
    let (executed, injecting, contents) = (2, 1, 2);
    let separate = converted(contents, 1, &[("engine.threads", 1)]);
    let together = converted(contents, STYLES, &[("engine.threads", 2)]);

    // One content branch for each style, then one for all of them.
    let of_styles_and_outputs = injecting * STYLES * (1 + contents);
    let expected = |content_branches: usize| {
        (of_styles_and_outputs + executed * contents * content_branches) as f64
    };
    assert!((evaluations(&separate.rows()) - expected(STYLES)).abs() < 1e-9);
    assert!((evaluations(&together.rows()) - expected(1)).abs() < 1e-9);

    // An item's bytes depend neither on what shared its pass nor on the number of threads.
    assert_eq!(separate.pictures(), together.pictures());
}

#[test]
fn the_default_schedule_takes_19_evaluations_a_style_and_19_and_a_share_an_image() {
    let project = converted(1, STYLES, &[("method.steps", 50), ("method.skip", 30)]);
    let of_an_image = 19.0 + 20.0 / STYLES as f64;
    for row in project.rows() {
        let work = row.work.expect("made in this run");
        assert!(
            (work.unet_evaluations - of_an_image).abs() < 1e-9,
            "{row:?}"
        );
        assert!((work.style_evaluations - 19.0).abs() < 1e-9, "{row:?}");
    }
}

#[test]
fn ast_takes_15_evaluations_a_style_and_19_and_a_share_an_image() {
    let mut project = Project::new(1, STYLES);
    project.set("shards.styles", STYLES as i64);
    for (key, value) in [("method", "ast"), ("class_adain_steps", "5..20")] {
        project.set(&format!("method.{key}"), value);
    }
    for (key, value) in [("steps", 50_i64), ("skip", 30)] {
        project.set(&format!("method.{key}"), value);
    }
    let _ = project.run().exits(0);
    for row in project.rows() {
        let work = row.work.expect("made in this run");
        let of_an_image = 19.0 + 20.0 / STYLES as f64;
        assert!(
            (work.unet_evaluations - of_an_image).abs() < 1e-9,
            "{row:?}"
        );
        assert!((work.style_evaluations - 15.0).abs() < 1e-9, "{row:?}");
    }
}

#[test]
fn kernels_have_as_many_threads_as_the_settings_say() {
    let mut project = Project::new(1, 1);
    project.set("engine.threads", 1);
    let mut running = Running::start(&mut project.run_command());
    let label = project.stored("labels/00001.png");
    assert!(running.wait_until(|| label.exists()));
    let threads = running.threads();
    let of_kernels = threads.iter().filter(|name| name.starts_with("kernels-"));
    assert_eq!(of_kernels.count(), 1, "{threads:?}");
    let _ = running.end().exits(0);
}
