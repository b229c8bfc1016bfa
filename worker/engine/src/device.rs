//! Devices as ONNX Runtime's execution providers.

use std::path::Path;

use ort::environment::Environment;
use ort::ep::cuda::{AttentionBackend, ConvAlgorithmSearch};
use ort::ep::{
    self, ArbitrarilyConfigurableExecutionProvider as _, ExecutionProvider as _,
    ExecutionProviderDispatch,
};
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::util;
use shared::failure::chain;
use shared::model::Precision;
use shared::settings::{Device, EngineConfig};

use crate::{EngineError, cause, library};

/// Returns the names of the providers that the loaded library was built with, of those that are used here.
pub(super) fn providers() -> ort::Result<Vec<&'static str>> {
    let known = [
        ("cpu", ep::CPU::is_available()?),
        ("cuda", ep::CUDA::is_available()?),
    ];
    let there = known.into_iter().filter(|(_, is_there)| *is_there);
    Ok(there.map(|(name, _)| name).collect())
}

/// Refuses a device that the loaded library was built without, or whose libraries it cannot load.
pub(super) fn check(
    environment: &Environment,
    library: &Path,
    config: &EngineConfig,
) -> Result<(), EngineError> {
    let device = config.device;
    let Device::Cuda(number) = device else {
        return Ok(());
    };
    let refuse = |reason: String| EngineError::Device { device, reason };
    if !ep::CUDA::is_available().map_err(|error| refuse(error.to_string()))? {
        return Err(refuse(format!(
            "{} was built without CUDA; {}, or set {} to cpu",
            library.display(),
            library::gpu_helps(library),
            config.device_key
        )));
    }
    load_packages(library).map_err(refuse)?;
    reach(environment, number).map_err(|error| {
        refuse(format!(
            "{}; does nvidia-smi show it, and are CUDA and cuDNN where the loader looks (LD_LIBRARY_PATH) or installed by \
             synth2real[gpu], in the versions that this ONNX Runtime was built for?",
            cause(error.message())
        ))
    })
}

/// Loads NVIDIA's libraries that are Python packages beside ONNX Runtime: the loader does not look there, and takes for a
/// library of a name what is loaded under it.
fn load_packages(library: &Path) -> Result<(), String> {
    for path in library::of_nvidia(library) {
        util::preload_dylib(&path).map_err(|error| {
            format!(
                "{} cannot be loaded: {}; does nvidia-smi show the GPU? Otherwise install synth2real[gpu] anew",
                path.display(),
                chain(&error)
            )
        })?;
    }
    Ok(())
}

/// Has ONNX Runtime load what it needs for a GPU, for no graph yet. A stream is not named: where that fails, it ends the
/// process.
fn reach(environment: &Environment, number: u8) -> ort::Result<()> {
    let provider = cuda(number, Precision::Fp32).build().error_on_failure();
    Session::builder(environment)?.with_execution_providers([provider])?;
    Ok(())
}

/// Returns the execution provider of a device for graphs of a precision. Where it is not there, a session that asks for it fails.
pub(super) fn provider(device: Device, precision: Precision) -> ExecutionProviderDispatch {
    // Arenas are those that all sessions share: see `arena`.
    match device {
        Device::Cpu => ep::CPU::default().with_arena_allocator(true).build(),
        Device::Cuda(number) => on_default_stream(cuda(number, precision)).build(),
    }
    .error_on_failure()
}

fn cuda(number: u8, precision: Precision) -> ep::CUDA {
    ep::CUDA::default()
        .with_device_id(number.into())
        // By what cuDNN knows of the GPU. If the fastest was found by trying, that choice, and with it the bytes of an
        // image, could differ from one process to the next.
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .with_attention_backend(attention_backends())
        // TF32 keeps of each number what fp16 has of it: nothing is lost of that, and 13 bits of fp32.
        .with_tf32(precision == Precision::Fp16)
}

/// Returns the kernels that fused attention may be computed by, which ONNX Runtime has itself: cuDNN's, which it would take
/// first on some GPUs, fails where cuDNN has no plan for a width of heads, and differs from one cuDNN to the next.
fn attention_backends() -> AttentionBackend {
    AttentionBackend::FLASH_ATTENTION
        | AttentionBackend::EFFICIENT_ATTENTION
        | AttentionBackend::MATH
}

/// Puts the work of all sessions on one stream of their GPU: the one that each GPU has, and which is never destroyed.
fn on_default_stream(provider: ep::CUDA) -> ep::CUDA {
    // CUDA's handle of it (cudaStreamLegacy), which points nowhere. ONNX Runtime takes 0, which means the same, for none.
    const LEGACY_STREAM: usize = 1;
    provider
        .with_arbitrary_config("has_user_compute_stream", 1)
        .with_arbitrary_config("user_compute_stream", LEGACY_STREAM)
}

/// Returns the memory of a device, in which it keeps the tensors that it makes.
pub(super) fn memory(device: Device) -> ort::Result<MemoryInfo<'static>> {
    let (place, number) = match device {
        Device::Cpu => (AllocationDevice::CPU, 0),
        Device::Cuda(number) => (AllocationDevice::CUDA, number),
    };
    MemoryInfo::new(
        place,
        number.into(),
        AllocatorType::Device,
        MemoryType::Default,
    )
}
