//! Devices as ONNX Runtime knows them.

use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use shared::settings::Device;

use super::EngineError;

/// Refuses a device that the loaded library was built without.
pub(super) fn check(device: Device) -> Result<(), EngineError> {
    let refuse = |reason: String| Err(EngineError::Device { device, reason });
    match device {
        Device::Cpu => Ok(()),
        Device::Cuda(_) => match ep::CUDA::is_available() {
            Ok(true) => Ok(()),
            Ok(false) => refuse(
                "this libonnxruntime.so was built without CUDA; set ORT_DYLIB_PATH to one of ONNX Runtime's GPU package, \
                 or engine.device to cpu"
                    .to_owned(),
            ),
            Err(error) => refuse(error.to_string()),
        },
    }
}

/// Returns what runs graphs on a device. Where it is not there, a session that asks for it fails.
pub(super) fn provider(device: Device) -> ExecutionProviderDispatch {
    // Arenas are those that all sessions share: see `arena`.
    match device {
        Device::Cpu => ep::CPU::default().with_arena_allocator(true).build(),
        Device::Cuda(number) => ep::CUDA::default()
            .with_device_id(i32::try_from(number).unwrap_or(i32::MAX))
            .build(),
    }
    .error_on_failure()
}

/// Returns where a device keeps the tensors that it makes.
pub(super) fn memory(device: Device) -> ort::Result<MemoryInfo<'static>> {
    let (place, number) = match device {
        Device::Cpu => (AllocationDevice::CPU, 0),
        Device::Cuda(number) => (AllocationDevice::CUDA, number),
    };
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    MemoryInfo::new(place, number, AllocatorType::Device, MemoryType::Default)
}
