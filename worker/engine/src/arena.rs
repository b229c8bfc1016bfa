//! One arena of a device for what all graphs make on it.
//!
//! Memory that one session is done with serves the next, so the most that is held is the most that one of them needs at
//! once. It is not given back: the system would clear its pages each time. (A GPU that has run out of memory is given back
//! what is free: see `reclaim`.) Sessions take it if they are told to use their environment's allocators, tensor by tensor:
//! a plan of a whole run (ONNX Runtime's memory patterns) would ask for one block for all of them, which nothing that is
//! free is large enough for.

use std::ptr;

use ort::AsPointer;
use ort::environment::Environment;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::ortsys;
use shared::settings::Device;

/// How an arena grows.
struct Growth {
    strategy: i32,
    first_bytes: i32,
}

/// On the CPU: by large regions, in which what is free joins into blocks for tensors of any size. They cost no memory
/// before it is written.
const BY_REGIONS: Growth = Growth {
    strategy: 0,
    first_bytes: i32::MAX,
};
/// On a GPU, whose memory is gone when it is asked for: by just that. What comes first is left to ONNX Runtime.
const AS_REQUESTED: Growth = Growth {
    strategy: 1,
    first_bytes: -1,
};
/// The most bytes that a block may have beyond those asked for.
const MAX_DEAD_BYTES: i32 = 1 << 20;
/// The size of an arena that only the device bounds.
const NO_LIMIT: usize = usize::MAX;

/// Gives an environment an arena of a device, of at most so many bytes of a GPU; at most once for each device.
pub(super) fn share(
    environment: &Environment,
    device: Device,
    max_bytes: Option<u64>,
) -> ort::Result<()> {
    let (place, number, growth) = match device {
        Device::Cpu => (AllocationDevice::CPU, 0, BY_REGIONS),
        Device::Cuda(number) => (AllocationDevice::CUDA, number, AS_REQUESTED),
    };
    let Growth {
        strategy,
        first_bytes,
    } = growth;
    let memory = MemoryInfo::new(
        place,
        number.into(),
        AllocatorType::Arena,
        MemoryType::Default,
    )?;
    let max_bytes = match max_bytes {
        Some(max_bytes) => usize::try_from(max_bytes).map_err(ort::Error::wrap)?,
        None => NO_LIMIT,
    };
    let mut config = ptr::null_mut();
    // SAFETY: `config` is written before it is read.
    ortsys![unsafe CreateArenaCfg(max_bytes, strategy, first_bytes, MAX_DEAD_BYTES, &mut config)?];
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
