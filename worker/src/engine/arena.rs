//! One arena of a device for what all graphs make on it.
//!
//! Memory that one session is done with serves the next, so the most that is held is the most that one of them needs at
//! once. It is not given back: the system would clear its pages each time. Sessions take it if they are told to use
//! their environment's allocators.

use std::ptr;

use ort::AsPointer;
use ort::environment::Environment;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::ortsys;
use shared::settings::Device;

/// How arenas grow: by what is asked for, and not by powers of two.
const SAME_AS_REQUESTED: i32 = 1;
/// What ONNX Runtime chooses by itself.
const BY_DEFAULT: i32 = -1;

/// Gives an environment an arena of a device, of at most so many bytes of a GPU; at most once for each device.
pub(super) fn share(
    environment: &Environment,
    device: Device,
    max_bytes: Option<u64>,
) -> ort::Result<()> {
    let (place, number) = match device {
        Device::Cpu => (AllocationDevice::CPU, 0),
        Device::Cuda(number) => (AllocationDevice::CUDA, number),
    };
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let memory = MemoryInfo::new(place, number, AllocatorType::Arena, MemoryType::Default)?;
    let max_bytes = max_bytes.and_then(|max_bytes| usize::try_from(max_bytes).ok());
    let max_bytes = max_bytes.unwrap_or(usize::MAX);
    let mut config = ptr::null_mut();
    // SAFETY: `config` is written before it is read.
    ortsys![unsafe CreateArenaCfg(max_bytes, SAME_AS_REQUESTED, BY_DEFAULT, BY_DEFAULT, &mut config)?];
    let shared = register(environment, device, &memory, config);
    // SAFETY: it was created above and is released once; ONNX Runtime has copied what it says.
    ortsys![unsafe ReleaseArenaCfg(config)];
    shared
}

fn register(
    environment: &Environment,
    device: Device,
    memory: &MemoryInfo<'_>,
    config: *const ort::sys::OrtArenaCfg,
) -> ort::Result<()> {
    let environment = environment.ptr().cast_mut();
    match device {
        // SAFETY: all three are those of living objects.
        Device::Cpu => {
            ortsys![unsafe CreateAndRegisterAllocator(environment, memory.ptr(), config)?]
        }
        Device::Cuda(_) => {
            let provider = c"CUDAExecutionProvider".as_ptr();
            let none = ptr::null();
            // SAFETY: as above; there are no provider options, so nothing is read from where they would be.
            ortsys![unsafe CreateAndRegisterAllocatorV2(environment, provider, memory.ptr(), config, none, none, 0)?]
        }
    }
    Ok(())
}
