//! What a device computes with: its name and driver, cuDNN and ONNX Runtime, as they say themselves.

use std::fs;

use shared::platform::Platform;
use shared::settings::Device;

use crate::{cuda, runtime};

/// Where Linux has the version of the driver. The driver's library says which CUDA it is for.
const DRIVER_VERSION: &str = "/sys/module/nvidia/version";

/// Returns what a device computes with.
pub(super) fn of(device: Device) -> Platform {
    let library = runtime::find_library().ok();
    let version = library.and_then(|path| runtime::version_of(&path).ok()?);
    let on_cpu = Platform {
        onnxruntime: version,
        ..Platform::default()
    };
    match device {
        Device::Cpu => on_cpu,
        Device::Cuda(number) => {
            let gpu = cuda::gpu(number).unwrap_or_default();
            let version = fs::read_to_string(DRIVER_VERSION).ok();
            let version = version.map(|version| version.trim().to_owned());
            Platform {
                gpu: gpu.name,
                compute_capability: gpu.compute_capability,
                driver: version.or(gpu.cuda.map(|cuda| format!("for CUDA {cuda}"))),
                cudnn: cuda::cudnn(),
                ..on_cpu
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Runtime;
    use shared::settings::EngineConfig;

    #[test]
    fn of_a_cpu_the_library_alone_is_told() {
        let runtime = Runtime::load(&EngineConfig::default()).unwrap();
        let platform = runtime.platform();
        let version = platform.onnxruntime.clone().unwrap();
        assert!(version.starts_with("1."), "{version}");
        let library = Some(version);
        let expected = Platform {
            onnxruntime: library,
            ..Platform::default()
        };
        assert_eq!(platform, expected);
    }
}
