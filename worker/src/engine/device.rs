//! Devices as ONNX Runtime knows them.

use std::ptr;

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
        Device::Cuda(number) => on_default_stream(
            ep::CUDA::default().with_device_id(i32::try_from(number).unwrap_or(i32::MAX)),
        )
        .build(),
    }
    .error_on_failure()
}

/// Puts the work of all sessions on one stream of their GPU: the one that each GPU has, and which is never destroyed.
#[expect(unsafe_code, reason = "ONNX Runtime takes streams as pointers")]
fn on_default_stream(provider: ep::CUDA) -> ep::CUDA {
    // CUDA's name for it (cudaStreamLegacy). ONNX Runtime takes 0, which means the same, for none.
    let stream = ptr::without_provenance_mut(1);
    // SAFETY: a handle that points nowhere, and stands for a stream that outlives every session.
    unsafe { provider.with_compute_stream(stream) }
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
