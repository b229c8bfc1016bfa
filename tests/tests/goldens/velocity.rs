//! A golden of a model that predicts velocities, as Stable Diffusion 2.1 for 768 pixels does: the authors' golden model taken
//! for one, by the formulas of diffusers.

use std::path::PathBuf;

use tests::changed_model::ChangedModel;
use tests::goldens::folders;
use tests::repository;

use crate::conversion::Conversion;

fn velocity(relative: &str) -> PathBuf {
    repository("tests/fixtures/golden-velocity").join(relative)
}

#[test]
fn every_folder_of_goldens_has_a_test() {
    assert_eq!(folders(&velocity("")), ["cactif"]);
}

#[test]
fn a_model_that_predicts_velocities_agrees_with_the_formulas_of_diffusers() {
    let model = ChangedModel::copied().with_contract(|json| {
        let of_velocities = json.replace("\"epsilon\"", "\"v_prediction\"");
        assert_ne!(of_velocities, json);
        of_velocities
    });
    Conversion::by(model.folder(), velocity("cactif")).agrees();
}
