//! What is refused before any work: one line, the right exit code, nothing stored.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use tests::golden_model;
use tests::project::Project;

const USAGE: i32 = 2;
const ENVIRONMENT: i32 = 3;

fn assert_refused(project: &Project, code: i32, words: &[&str]) {
    project.run().exits(code).complains_about(words);
    assert!(project.stored_nothing());
}

/// Returns a project with a copy of the golden model of its own.
fn with_own_model() -> Project {
    let mut project = Project::new(1, 1);
    copy(&golden_model(), &project.path("model"));
    project.set("model.path", "model");
    project
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Changes the model's contract.
fn edit_contract(project: &Project, from: &str, to: &str) {
    let path = project.path("model/model.json");
    let contract = fs::read_to_string(&path).unwrap();
    assert!(contract.contains(from), "the contract has no {from}");
    fs::write(&path, contract.replacen(from, to, 1)).unwrap();
}

#[test]
fn two_contents_of_one_name_are_refused_with_both_paths() {
    let project = Project::new(1, 1);
    let image = fs::read(project.path("gta5/images/00001.png")).unwrap();
    project.write("gta5/images/part2/00001.png", &image);
    let words = [
        "images/00001.png",
        "images/part2/00001.png",
        "rename or remove",
    ];
    assert_refused(&project, USAGE, &words);
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    let mut project = Project::new(1, 1);
    project.set("method.stepz", 3);
    assert_refused(&project, USAGE, &["run.toml", "stepz", "steps"]);
}

#[test]
fn a_value_out_of_range_is_refused_with_its_setting() {
    let mut project = Project::new(1, 1);
    project.set("method.skip", 4);
    assert_refused(
        &project,
        USAGE,
        &["method.skip (4) must be below method.steps (4)"],
    );
    project.set("method.skip", 2);
    project.set("run.name", "Not A Name");
    assert_refused(&project, USAGE, &["run.name", "Not A Name", "a-z"]);
}

#[test]
fn settings_that_are_not_there_are_named() {
    let project = Project::new(1, 1);
    fs::remove_file(project.settings()).unwrap();
    assert_refused(&project, USAGE, &["run.toml", "No such file"]);
}

#[test]
fn a_dataset_folder_that_is_not_there_is_named() {
    let mut project = Project::new(1, 1);
    project.set("content.root", "elsewhere");
    assert_refused(&project, USAGE, &["elsewhere", "images/"]);
    project.set("content.root", "gta5");
    project.set("content.range", "5..=9");
    assert_refused(&project, USAGE, &["content.range (5..=9)", "has 1"]);
}

#[test]
fn styles_that_no_glob_matches_are_counted() {
    let mut project = Project::new(1, 1);
    project.set("style.include", vec!["summer_*"]);
    assert_refused(
        &project,
        USAGE,
        &["style.include (summer_*) leaves none of 1 picture below"],
    );
}

#[test]
fn a_split_or_condition_that_the_layout_has_not_is_refused_with_the_reason() {
    let mut project = Project::new(1, 1);
    project.set("content.split", "train");
    assert_refused(
        &project,
        USAGE,
        &[
            "content.split (train) cannot be used with layout gta5",
            "no folders train",
        ],
    );
    project.set("content.layout", "cityscapes");
    project.set("content.split", vec!["train", "tets"]);
    assert_refused(
        &project,
        USAGE,
        &["content.split (\"tets\") must be train, val or test"],
    );
    project.set("content.split", "train");
    project.set("content.condition", "night");
    assert_refused(
        &project,
        USAGE,
        &["content.condition (night)", "no folders fog"],
    );
}

#[test]
fn a_model_without_a_contract_is_refused() {
    let mut project = Project::new(1, 1);
    project.set("model.path", "nothing");
    assert_refused(
        &project,
        ENVIRONMENT,
        &["nothing/model.json", "onnx-export"],
    );
}

#[test]
fn a_truncated_model_file_is_named() {
    let project = with_own_model();
    let path = project.path("model/unet/segment_2.data");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let words = [
        "unet/segment_2.data",
        "truncated or altered",
        "export it again",
    ];
    assert_refused(&project, ENVIRONMENT, &words);

    fs::write(&path, whole).unwrap();
    let _ = project.run().exits(0);
}

#[test]
fn a_model_file_with_one_other_byte_is_named() {
    let project = with_own_model();
    let path = project.path("model/vae_decoder.onnx");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_refused(
        &project,
        ENVIRONMENT,
        &["vae_decoder.onnx", "truncated or altered"],
    );
}

#[test]
fn a_model_file_that_is_missing_is_named() {
    let project = with_own_model();
    fs::remove_file(project.path("model/prompt_embedding.npy")).unwrap();
    assert_refused(
        &project,
        ENVIRONMENT,
        &["prompt_embedding.npy", "cannot be read"],
    );
}

#[test]
fn a_model_of_pipes_devices_and_endless_files_is_refused_at_once() {
    let project = with_own_model();
    let at = |file: &str| project.path(&format!("model/{file}"));
    let pipe = |file: &str| {
        let made = std::process::Command::new("mkfifo").arg(at(file)).status();
        assert!(made.unwrap().success());
    };
    let device = |file: &str| std::os::unix::fs::symlink("/dev/zero", at(file)).unwrap();
    let sparse = |file: &str| {
        let sparse = fs::File::create(at(file)).unwrap();
        sparse.set_len(1 << 40).unwrap();
    };
    type Place<'a> = (&'a dyn Fn(&str), &'a str);
    let places: [Place<'_>; 3] = [
        (&pipe, "no file"),
        (&device, "no file"),
        (&sparse, "such a file has at most"),
    ];
    for file in [
        "model.json",
        "prompt_embedding.npy",
        "vae_encoder.onnx",
        "unet/segment_0.data",
    ] {
        let whole = fs::read(at(file)).unwrap();
        for (place, words) in places {
            fs::remove_file(at(file)).unwrap();
            place(file);
            assert_refused(&project, ENVIRONMENT, &[file, words]);
        }
        fs::remove_file(at(file)).unwrap();
        fs::write(at(file), whole).unwrap();
    }
    let _ = project.run().exits(0);
}

#[test]
fn a_contract_of_another_version_is_refused_with_both_versions() {
    let project = with_own_model();
    edit_contract(&project, "\"format_version\": 2", "\"format_version\": 9");
    let words = ["model.json", "format version 9", "reads 1 to 3"];
    assert_refused(&project, ENVIRONMENT, &words);
}

#[test]
fn a_contract_that_is_no_json_is_refused() {
    let project = with_own_model();
    fs::write(
        project.path("model/model.json"),
        "{\n\"format_version\": 1,\n",
    )
    .unwrap();
    assert_refused(
        &project,
        ENVIRONMENT,
        &["model.json", "export the model again"],
    );
}

#[test]
fn a_tensor_that_the_graph_lacks_is_named() {
    let project = with_own_model();
    edit_contract(&project, "\"name\": \"image\"", "\"name\": \"picture\"");
    assert_refused(
        &project,
        ENVIRONMENT,
        &["vae_encoder.onnx", "no input picture"],
    );
}

#[test]
fn a_runtime_library_that_is_not_there_or_is_none_is_named() {
    let project = Project::new(1, 1);
    let run_with = |library: &str| {
        let mut command = project.run_command();
        tests::program::Outcome::of(command.env("ORT_DYLIB_PATH", library)).exits(ENVIRONMENT)
    };
    run_with("/nowhere/libonnxruntime.so").complains_about(&[
        "/nowhere/libonnxruntime.so",
        "make onnxruntime",
        "ORT_DYLIB_PATH",
    ]);
    let no_library = project.settings().display().to_string();
    run_with(&no_library).complains_about(&[&no_library, "cannot use ONNX Runtime"]);
    assert!(project.stored_nothing());
}

#[test]
fn a_file_in_place_of_the_storage_root_is_named() {
    let project = Project::new(1, 1);
    project.write("out", b"a file");
    project.run().exits(ENVIRONMENT).complains_about(&["out"]);
    assert_eq!(fs::read(project.path("out")).unwrap(), b"a file");
}

#[test]
fn spaces_and_umlauts_in_paths_are_no_trouble() {
    let mut project = Project::new(1, 1);
    fs::rename(project.path("gta5"), project.path("Straßen & Wege")).unwrap();
    fs::rename(
        project.path("style"),
        project.path("echte Fotos über Nacht"),
    )
    .unwrap();
    let inside = |name: &str| project.path(&format!("Straßen & Wege/{name}"));
    for kind in ["images", "labels"] {
        let (from, to) = (
            format!("{kind}/00001.png"),
            format!("{kind}/Kreuzung Süd 1.png"),
        );
        fs::rename(inside(&from), inside(&to)).unwrap();
    }
    project.set("content.root", "Straßen & Wege");
    project.set("style.root", "echte Fotos über Nacht");
    project.set("run.root", "Ausgabe für alle");
    let _ = project.run().exits(0);
    let stored = project.pictures();
    assert!(
        stored.contains_key("images/night_000001/Kreuzung Süd 1.png"),
        "{stored:?}"
    );
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_device_that_is_not_there_is_refused_before_anything_is_stored() {
    let mut project = Project::new(1, 1);
    project.set("engine.device", "cuda:0");
    let words = ["device cuda:0 cannot be used", "built without CUDA", "cpu"];
    assert_refused(&project, ENVIRONMENT, &words);
    project.set("engine.device", "gpu");
    assert_refused(&project, USAGE, &["engine.device", "gpu", "cpu or cuda:N"]);
}
