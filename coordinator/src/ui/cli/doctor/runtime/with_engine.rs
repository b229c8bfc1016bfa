//! In a program with the engine: the library is found and loaded, and the device is asked whether it computes.

use engine::EngineError;
use engine::runtime::{self, Runtime};
use shared::blocking;
use shared::failure::chain;
use shared::settings::{Device, EngineConfig};

use super::{LIBRARY, VECTORS_HELPS, Vectors, gpus};
use crate::ui::cli::doctor::finding::Finding;

const DEVICE: &str = "device";
const LIBRARY_HELPS: &str = "run `make onnxruntime`, install the Python package onnxruntime beside this program's own, or \
                             set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.24 or later";
const GPU_HELPS: &str = "nvidia-smi must show it, and synth2real[gpu] be installed; or ORT_DYLIB_PATH lead to a library with \
                         CUDA (`make onnxruntime-gpu`), and LD_LIBRARY_PATH to CUDA and cuDNN";

/// Returns what is found of the library and of the device of these settings.
pub(in crate::ui::cli::doctor) async fn check(config: &EngineConfig) -> Vec<Finding> {
    let config = config.clone();
    blocking::run(move || {
        let (library, is_loaded) = library(&config);
        vec![library, device(&config, is_loaded)]
    })
    .await
}

/// Returns the vectors that kernels compute with.
pub(in crate::ui::cli::doctor) fn vectors() -> Option<Vectors> {
    let vectors = runtime::vectors_in_use();
    let vectors = vectors.map(|used| (used.lanes, used.multiply_pairs, used.pinned));
    Some(vectors.map_err(|error| chain(&error)))
}

/// Returns what is found of the library, and whether it can be computed with.
fn library(config: &EngineConfig) -> (Finding, bool) {
    let unusable = |error: EngineError| (unusable(&error), false);
    let path = match runtime::find_library() {
        Ok(path) => path,
        Err(error) => return unusable(error),
    };
    let on_cpu = EngineConfig {
        device: Device::Cpu,
        ..config.clone()
    };
    let loaded = match Runtime::load(&on_cpu) {
        Ok(loaded) => loaded,
        Err(error) => return unusable(error),
    };
    let devices = match loaded.devices() {
        Ok(devices) => devices,
        Err(error) => {
            let finding = Finding::missing(LIBRARY, chain(&error), LIBRARY_HELPS);
            return (finding, false);
        }
    };
    let version = runtime::version_of(&path).ok().flatten();
    let shown = path.display();
    let of_version = version
        .as_deref()
        .unwrap_or("of a version that it does not say");
    let found = format!("{of_version}, {shown}, for {}", devices.join(" and "));
    let finding = Finding::ok(LIBRARY, found)
        .with("path", shown.to_string())
        .with("version", version)
        .with("devices", devices);
    (finding, true)
}

/// Returns what is said of a library that is not there or cannot be used, with what helps.
fn unusable(error: &EngineError) -> Finding {
    match error {
        // What helps stands beside it.
        EngineError::RuntimeMissing { looked_at } => {
            let found = format!("not found; looked at {}", looked_at.join(", "));
            Finding::missing(LIBRARY, found, LIBRARY_HELPS)
        }
        EngineError::Vectors(_) => {
            let found = format!("not tried: {}", chain(error));
            Finding::missing(LIBRARY, found, VECTORS_HELPS)
        }
        error => Finding::missing(LIBRARY, chain(error), LIBRARY_HELPS),
    }
}

fn device(config: &EngineConfig, is_loaded: bool) -> Finding {
    let (device, gpus) = (config.device, gpus::of_driver());
    let finding = match device {
        Device::Cpu if gpus.is_empty() => Finding::ok(DEVICE, "cpu; no NVIDIA GPU is here"),
        Device::Cpu => Finding::warning(
            DEVICE,
            format!("cpu, though here is {}", gpus.join(", ")),
            format!("device = \"cuda:0\" uses it, below [engine] or in worker.toml: {GPU_HELPS}"),
        ),
        Device::Cuda(_) if !is_loaded => {
            let found = format!("{device} cannot be tried without ONNX Runtime");
            Finding::missing(DEVICE, found, LIBRARY_HELPS)
        }
        Device::Cuda(_) => match Runtime::load(config) {
            Ok(_) => Finding::ok(DEVICE, reached(device, &gpus)),
            Err(error) => Finding::missing(DEVICE, chain(&error), GPU_HELPS),
        },
    };
    finding
        .with("device", device.to_string())
        .with("gpus", gpus)
}

/// Returns what is said of a device that computes, and of the GPUs that the driver shows: in a container it may show none.
fn reached(device: Device, gpus: &[String]) -> String {
    match gpus {
        [] => format!("{device} is reached"),
        gpus => format!("{device} is reached; here is {}", gpus.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::cli::doctor::finding::State;

    #[test]
    fn a_library_that_is_not_there_or_of_another_version_is_missing_with_what_to_install() {
        let not_there = EngineError::RuntimeMissing {
            looked_at: vec!["/a/libonnxruntime.so".to_owned(), "/b".to_owned()],
        };
        let too_old = EngineError::RuntimeUnusable {
            path: "/a/libonnxruntime.so".into(),
            reason: "it is version 1.20.1".to_owned(),
        };
        for (error, words) in [
            (not_there, "not found; looked at /a/libonnxruntime.so, /b"),
            (too_old, "/a/libonnxruntime.so: it is version 1.20.1"),
        ] {
            let finding = unusable(&error);
            assert_eq!(finding.state, State::Missing);
            assert!(finding.found.ends_with(words), "{finding:?}");
            assert_eq!(finding.helps.as_deref(), Some(LIBRARY_HELPS));
        }
    }

    #[test]
    fn a_device_is_reached_also_where_the_driver_shows_no_gpu() {
        let told = |gpus: &[&str]| {
            let gpus: Vec<String> = gpus.iter().map(|&gpu| gpu.to_owned()).collect();
            reached(Device::Cuda(0), &gpus)
        };
        assert_eq!(told(&[]), "cuda:0 is reached");
        let two = told(&["NVIDIA L4", "NVIDIA H200"]);
        assert_eq!(two, "cuda:0 is reached; here is NVIDIA L4, NVIDIA H200");
    }
}
