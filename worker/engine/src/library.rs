//! Where ONNX Runtime's library is: where a variable says, beside the program, or among the Python packages that were
//! installed with it. And where NVIDIA's libraries are, if they are packages beside it.

use std::fs;
use std::path::{Path, PathBuf};

use ort::ep::cuda::{CUDA_DYLIBS, CUDNN_DYLIBS};
use shared::paths;

use crate::EngineError;

const LIBRARY: &str = "libonnxruntime.so";
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// Folders below a program's prefix that have one for each Python.
const LIBRARIES: [&str; 2] = ["lib", "lib64"];
/// What a Python calls the folder of its packages.
const PACKAGES: [&str; 2] = ["site-packages", "dist-packages"];
/// Where the package of ONNX Runtime has its library.
const CAPI: &str = "onnxruntime/capi";
/// What a folder that tells of an installed package ends with, behind its name and version.
const INSTALLED: &str = ".dist-info";

/// Returns the library that `ORT_DYLIB_PATH` names, or else the one of this program.
///
/// # Errors
///
/// [`EngineError::RuntimeMissing`] naming every place looked at.
pub(super) fn find() -> Result<PathBuf, EngineError> {
    let found = match std::env::var_os(VARIABLE) {
        Some(path) if !path.is_empty() => named(path.into()),
        _ => match std::env::current_exe() {
            Ok(program) => of_program(&program),
            Err(error) => Err(vec![format!(
                "no place, as it is not known where this program lies ({error})"
            )]),
        },
    };
    found.map_err(|looked_at| EngineError::RuntimeMissing { looked_at })
}

/// Returns the library that the variable names; otherwise where it was looked for.
fn named(path: PathBuf) -> Result<PathBuf, Vec<String>> {
    let path = paths::given(&path).unwrap_or(path);
    match path.is_file() {
        true => Ok(path),
        false => Err(vec![path.display().to_string()]),
    }
}

/// Returns the library that lies beside a program or among the Python packages of its prefix; otherwise every place looked
/// at.
fn of_program(program: &Path) -> Result<PathBuf, Vec<String>> {
    let folder = program.parent().unwrap_or(Path::new("/"));
    let beside = [folder.join(LIBRARY), folder.join("../lib").join(LIBRARY)];
    if let Some(path) = beside.iter().find(|path| path.is_file()) {
        return Ok(path.clone());
    }
    let prefix = folder.parent().unwrap_or(folder);
    let packages = packages(prefix);
    if let Some(path) = packages.iter().find_map(|packages| among(packages)) {
        return Ok(path);
    }
    let mut looked_at: Vec<PathBuf> = beside.into();
    if packages.is_empty() {
        looked_at.push(prefix.join("lib/python3*/site-packages").join(CAPI));
    }
    looked_at.extend(packages.iter().map(|packages| packages.join(CAPI)));
    Err(looked_at
        .iter()
        .map(|place| place.display().to_string())
        .collect())
}

/// Returns the folders of Python packages below a prefix: those first that have the program's own package, and those of a
/// newer Python before those of an older one.
fn packages(prefix: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(bool, Vec<u64>, PathBuf)> = Vec::new();
    for library in LIBRARIES {
        for (name, python) in entries(&prefix.join(library)) {
            // A Python without its lock has a `t` behind its version.
            let python_version = name
                .strip_prefix("python")
                .and_then(|version| parse_version(version.trim_end_matches('t')));
            let Some(python_version) = python_version else {
                continue;
            };
            for packages in PACKAGES.map(|packages| python.join(packages)) {
                // `lib64` may lead to `lib`.
                let Ok(packages) = fs::canonicalize(packages) else {
                    continue;
                };
                found.push((has_own(&packages), python_version.clone(), packages));
            }
        }
    }
    // `pip install --target` puts packages into the prefix itself.
    if has_own(prefix) {
        found.push((true, Vec::new(), prefix.to_owned()));
    }
    found.sort();
    found.dedup();
    let packages = found.into_iter().rev();
    packages.map(|(_, _, packages)| packages).collect()
}

/// Returns whether the program's own package is one of these.
fn has_own(packages: &Path) -> bool {
    entries(packages).any(|(name, _)| name.starts_with("synth2real-") && name.ends_with(INSTALLED))
}

/// Returns ONNX Runtime's library among some packages: that of onnxruntime-gpu if it is one of them, or else the newest.
fn among(packages: &Path) -> Option<PathBuf> {
    let libraries = entries(&packages.join(CAPI)).filter_map(|(name, path)| {
        let version = match name.strip_prefix(LIBRARY)? {
            "" => Vec::new(),
            version => parse_version(version.strip_prefix('.')?)?,
        };
        path.is_file().then_some((version, path))
    });
    let libraries: Vec<(Vec<u64>, PathBuf)> = libraries.collect();
    let gpu = version_of_gpu(packages);
    let of_gpu = libraries
        .iter()
        .find(|(version, _)| Some(version) == gpu.as_ref());
    let found = of_gpu.or_else(|| libraries.iter().max());
    found.map(|(_, path)| path.clone())
}

/// Returns the version of onnxruntime-gpu, if it is one of these packages.
fn version_of_gpu(packages: &Path) -> Option<Vec<u64>> {
    entries(packages).find_map(|(name, _)| {
        let version = name.strip_prefix("onnxruntime_gpu-")?;
        parse_version(version.strip_suffix(INSTALLED)?)
    })
}

/// Returns NVIDIA's libraries among the packages that a library of ONNX Runtime is one of, each behind those that it needs;
/// none where it is no package.
pub(super) fn of_nvidia(library: &Path) -> Vec<PathBuf> {
    let Some(packages) = packages_of(library) else {
        return Vec::new();
    };
    let folders = entries(&packages.join("nvidia"));
    let mut folders: Vec<PathBuf> = folders.map(|(_, path)| path.join("lib")).collect();
    folders.sort();
    let names = CUDA_DYLIBS.iter().chain(CUDNN_DYLIBS);
    let found = names.filter_map(|name| {
        let mut places = folders.iter().map(|folder| folder.join(name));
        places.find(|place| place.is_file())
    });
    found.collect()
}

/// Returns what brings a library with CUDA in the place of one without.
pub(super) fn gpu_helps(library: &Path) -> String {
    match packages_of(library) {
        Some(packages) => match version_of_gpu(packages) {
            // Both packages have files of the same names.
            Some(version) => {
                let version: Vec<String> = version.iter().map(u64::to_string).collect();
                format!(
                    "onnxruntime was installed over onnxruntime-gpu, which `pip install --force-reinstall --no-deps \
                     onnxruntime-gpu=={}` puts back",
                    version.join(".")
                )
            }
            None => "install the package as synth2real[gpu]".to_owned(),
        },
        None => {
            "run `make onnxruntime-gpu` and set ORT_DYLIB_PATH to what it makes, or install the package synth2real[gpu]"
                .to_owned()
        }
    }
}

/// Returns the folder of packages that a library lies in as one of them.
fn packages_of(library: &Path) -> Option<&Path> {
    let folder = library.parent()?;
    let packages = folder.parent()?.parent()?;
    folder.ends_with(CAPI).then_some(packages)
}

/// Returns what lies in a folder, by names; nothing of one that is not there.
fn entries(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, entry.path())
    })
}

/// Returns the parts of a version that is numbers and dots.
fn parse_version(text: &str) -> Option<Vec<u64>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a prefix with these files and folders: those that end with a slash.
    fn prefix(paths: &[&str]) -> tempfile::TempDir {
        let prefix = tempfile::tempdir().unwrap();
        for path in paths {
            let place = prefix.path().join(path);
            if path.ends_with('/') {
                fs::create_dir_all(place).unwrap();
            } else {
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::write(place, "").unwrap();
            }
        }
        prefix
    }

    /// Returns the library that a program in the folder `bin` of a prefix finds there.
    fn found(prefix: &tempfile::TempDir) -> Option<String> {
        let whole = fs::canonicalize(prefix.path()).unwrap();
        let path = of_program(&whole.join("bin/synth2real")).ok()?;
        let path = path.strip_prefix(&whole).unwrap();
        Some(path.display().to_string())
    }

    #[test]
    fn a_library_beside_the_program_goes_before_those_of_packages() {
        let package = "lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.31.1";
        let beside = prefix(&["bin/libonnxruntime.so", package]);
        assert_eq!(found(&beside).as_deref(), Some("bin/libonnxruntime.so"));
        let in_lib = prefix(&["bin/", "lib/libonnxruntime.so", package]);
        let expected = "bin/../lib/libonnxruntime.so";
        assert_eq!(found(&in_lib).as_deref(), Some(expected));
    }

    #[test]
    fn a_library_is_found_wherever_pip_and_debian_put_packages() {
        for packages in [
            "lib/python3.11/site-packages",
            "lib/python3.13t/site-packages",
            "lib/python3.11/dist-packages",
            "lib/python3/dist-packages",
            "lib64/python3.14/site-packages",
        ] {
            let library = format!("{packages}/onnxruntime/capi/libonnxruntime.so.1.31.1");
            let prefix = prefix(&["bin/", &library]);
            assert_eq!(found(&prefix), Some(library));
        }
        let library = "onnxruntime/capi/libonnxruntime.so.1.31.1";
        let target = prefix(&["bin/", "synth2real-0.1.0.dist-info/", library]);
        assert_eq!(found(&target).as_deref(), Some(library));
    }

    #[test]
    fn of_several_pythons_the_one_with_the_program_is_asked_first_and_then_the_newest() {
        let library = |python: &str| {
            format!("lib/{python}/site-packages/onnxruntime/capi/libonnxruntime.so.1.31.1")
        };
        let (older, newer) = (library("python3.9"), library("python3.12"));
        assert_eq!(found(&prefix(&[&older, &newer])), Some(newer.clone()));
        let own = "lib/python3.9/site-packages/synth2real-0.1.0.dist-info/";
        assert_eq!(found(&prefix(&[&older, &newer, own])), Some(older));
        // What it needs may be missing there.
        assert_eq!(found(&prefix(&[&newer, own])), Some(newer));
        assert_eq!(found(&prefix(&["lib/pythonic/site-packages/", own])), None);
    }

    #[test]
    fn of_several_libraries_that_of_the_gpu_is_taken_and_else_the_newest() {
        let packages = "lib/python3.11/site-packages";
        let at = |name: &str| format!("{packages}/{name}");
        let [old, new, other] = ["so.1.31.9", "so.1.31.10", "so.1.31.x"]
            .map(|name| at(&format!("onnxruntime/capi/libonnxruntime.{name}")));
        assert_eq!(found(&prefix(&[&old, &new, &other])), Some(new.clone()));
        let gpu = at("onnxruntime_gpu-1.31.9.dist-info/");
        assert_eq!(found(&prefix(&[&old, &new, &gpu])), Some(old));
        assert_eq!(found(&prefix(&[&new, &gpu])), Some(new));
    }

    #[test]
    fn every_place_that_was_looked_at_is_told() {
        let told = |prefix: &tempfile::TempDir| {
            let program = prefix.path().join("bin/synth2real");
            of_program(&program).unwrap_err().join(", ")
        };
        let nothing = told(&prefix(&["bin/"]));
        for words in [
            "bin/libonnxruntime.so",
            "bin/../lib/libonnxruntime.so",
            "lib/python3*/site-packages/onnxruntime/capi",
        ] {
            assert!(nothing.contains(words), "no {words:?}: {nothing}");
        }
        let packages = told(&prefix(&["lib/python3.11/site-packages/"]));
        let words = "lib/python3.11/site-packages/onnxruntime/capi";
        assert!(packages.contains(words), "{packages}");
        let told = named("/nowhere/libonnxruntime.so".into()).unwrap_err();
        assert_eq!(told, ["/nowhere/libonnxruntime.so"]);
    }

    #[test]
    fn libraries_of_nvidia_are_loaded_in_their_order_and_only_beside_a_package() {
        let packages = prefix(&[
            "nvidia/cudnn/lib/libcudnn.so.9",
            "nvidia/cu13/lib/libcublas.so.13",
            "nvidia/cu13/lib/libcublasLt.so.13",
            "nvidia/cu13/lib/libcudart.so.13",
            "nvidia/cu13/lib/libnvblas.so.13",
            "nvidia/cu13/include/cuda.h",
        ]);
        let names = |library: &str| -> Vec<String> {
            let found = of_nvidia(&packages.path().join(library));
            let names = found.iter().filter_map(|path| path.file_name());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(
            names("onnxruntime/capi/libonnxruntime.so.1.31.0"),
            [
                "libcudart.so.13",
                "libcublasLt.so.13",
                "libcublas.so.13",
                "libcudnn.so.9"
            ]
        );
        let none: [&str; 0] = [];
        assert_eq!(names("libonnxruntime.so"), none);
        assert_eq!(names("capi/libonnxruntime.so"), none);
    }

    #[test]
    fn what_brings_cuda_depends_on_where_the_library_without_it_is_from() {
        let packages = prefix(&["onnxruntime_gpu-1.31.0.dist-info/"]);
        let library = "onnxruntime/capi/libonnxruntime.so.1.31.0";
        let told = gpu_helps(&packages.path().join(library));
        assert!(
            told.contains("--no-deps onnxruntime-gpu==1.31.0`"),
            "{told}"
        );
        let told = gpu_helps(&prefix(&[]).path().join(library));
        assert_eq!(told, "install the package as synth2real[gpu]");
        let told = gpu_helps(Path::new("/opt/libonnxruntime.so"));
        assert!(told.contains("make onnxruntime-gpu"), "{told}");
    }
}
