//! In a program with the engine: the library is found and loaded, and the device is asked whether it computes.

use engine::EngineError;
use engine::runtime::{self, Runtime};
use shared::blocking;
use shared::failure::chain;
use shared::settings::{Device, EngineConfig};

use super::{LIBRARY, Vectors, gpus};
use crate::ui::cli::doctor::finding::Finding;

const DEVICE: &str = "device";
const LIBRARY_HELPS: &str =
    "run `make onnxruntime`, or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.24 or later";
const GPU_HELPS: &str = "nvidia-smi must show it, ORT_DYLIB_PATH lead to a library with CUDA (`make onnxruntime-gpu`), and \
                         LD_LIBRARY_PATH to CUDA and cuDNN";

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
    let vectors = vectors.map(|vectors| (vectors.lanes, vectors.pinned));
    Some(vectors.map_err(|error| chain(&error)))
}

/// Returns what is found of the library, and whether it can be computed with.
fn library(config: &EngineConfig) -> (Finding, bool) {
    let missing = |found: String| (Finding::missing(LIBRARY, found, LIBRARY_HELPS), false);
    let path = match runtime::find_library() {
        Ok(path) => path,
        Err(EngineError::RuntimeMissing { looked_at }) => {
            return missing(format!("not found; looked at {}", looked_at.join(", ")));
        }
        Err(error) => return missing(chain(&error)),
    };
    let on_cpu = EngineConfig {
        device: Device::Cpu,
        ..config.clone()
    };
    let loaded = match Runtime::load(&on_cpu) {
        Ok(loaded) => loaded,
        Err(error) => return missing(chain(&error)),
    };
    let devices = match loaded.devices() {
        Ok(devices) => devices,
        Err(error) => return missing(chain(&error)),
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
            Ok(_) => {
                let here = gpus.join(", ");
                Finding::ok(DEVICE, format!("{device} is reached; here is {here}"))
            }
            Err(error) => Finding::missing(DEVICE, chain(&error), GPU_HELPS),
        },
    };
    finding
        .with("device", device.to_string())
        .with("gpus", gpus)
}
