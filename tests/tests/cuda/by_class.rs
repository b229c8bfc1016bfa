//! What leaves a GPU where attention is filtered by class.

use tests::project::Project;

use crate::{Counted, LAYERS, Machine, counted};

const STYLES: u64 = 2;
/// Layers with a token for each position of the latent.
const VOTING: u64 = 3;

/// Converts one content by `ast`, with votes or without, at the one of two steps that injects.
fn converted(votes: bool) -> Counted {
    let mut project = Project::new(1, STYLES as usize);
    for (key, value) in [
        ("method", "ast"),
        ("class_adain_steps", "1.."),
        ("injected_steps", "1.."),
    ] {
        project.set(&format!("method.{key}"), value);
    }
    project.set("method.use_voting", votes);
    let _ = Machine::new().run(&mut project).exits(0);
    assert_eq!(project.rows().len() as u64, STYLES);
    assert!(project.rows().iter().all(|row| row.device == "cuda:0"));
    counted(&project)
}

#[test]
fn the_inputs_of_layers_that_vote_leave_the_gpu_once_an_image_and_nothing_else_of_them() {
    let (with, without) = (converted(true), converted(false));
    let (tokens, columns) = LAYERS[1];
    // The trial evaluates a content and an output twice.
    let copies = VOTING * ((1 + STYLES) + 2 * (1 + 1));
    assert_eq!(
        with.to_host - without.to_host,
        copies,
        "{with:?} {without:?}"
    );
    let bytes = copies * 4 * tokens * columns;
    assert_eq!(with.to_host_bytes - without.to_host_bytes, bytes);
    assert_eq!(with.streams, without.streams);
}
