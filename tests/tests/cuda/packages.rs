//! A GPU by what Python packages bring: ONNX Runtime and NVIDIA's libraries are found beside the program.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::program::{self, Outcome};
use tests::project::Project;
use tests::repository;

use crate::{ENVIRONMENT, reports};

/// Links a file to another place, or copies it to another disk.
fn place(file: &Path, place: &Path) {
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let linked = fs::hard_link(file, place);
    linked.or_else(|_| fs::copy(file, place).map(drop)).unwrap();
}

/// Places every file below a folder.
fn place_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (file, target) = (entry.path(), to.join(entry.file_name()));
        match file.is_dir() {
            true => place_all(&file, &target),
            false => place(&file, &target),
        }
    }
}

#[test]
fn a_gpu_is_used_by_what_python_packages_bring_without_any_variable() {
    let made = |folder: &str| {
        let path = repository(folder);
        let told = format!("{folder} is not there: run `make cuda-stand-in`");
        assert!(path.is_dir(), "{told}");
        path
    };
    let (gpu, stand_in) = (
        made(".cache/onnxruntime-gpu"),
        made(".cache/cuda-packages-stand-in"),
    );
    let prefix = tempfile::tempdir_in(repository(".cache")).unwrap();
    let packages = prefix.path().join("lib/python3.11/site-packages");
    let capi = packages.join("onnxruntime/capi");
    for name in ["shared", "cuda"] {
        let name = format!("libonnxruntime_providers_{name}.so");
        place(&gpu.join(&name), &capi.join(&name));
    }
    let library = capi.join("libonnxruntime.so.1.31.0");
    place(&gpu.join("libonnxruntime.so"), &library);
    place_all(&stand_in.join("nvidia"), &packages.join("nvidia"));
    let installed = prefix.path().join("bin/synth2real");
    place(&program::path(), &installed);

    let mut project = Project::new(1, 1);
    project.set("engine.device", "cuda:0");
    let run = || {
        let mut command = Command::new(&installed);
        command.arg("run").arg(project.settings());
        command.env_remove("ORT_DYLIB_PATH");
        // The driver is the machine's.
        command.env("LD_LIBRARY_PATH", stand_in.join("driver"));
        let (variable, value) = reports();
        Outcome::of(command.env(variable, value))
    };
    let cudnn = packages.join("nvidia/cudnn/lib/libcudnn.so.9");
    fs::remove_file(&cudnn).unwrap();
    fs::write(&cudnn, "cut short").unwrap();
    let told = [
        "device cuda:0 cannot be used",
        "libcudnn.so.9 cannot be loaded",
    ];
    run().exits(ENVIRONMENT).complains_about(&told);
    assert!(project.stored_nothing());

    fs::remove_file(&cudnn).unwrap();
    place(&stand_in.join("nvidia/cudnn/lib/libcudnn.so.9"), &cudnn);
    let _ = run().exits(0);
    assert_eq!(project.rows()[0].device, "cuda:0");
}
