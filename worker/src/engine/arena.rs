//! One arena for what graphs make on the processor.

use std::ptr;

use ort::AsPointer;
use ort::environment::Environment;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::ortsys;

/// How the arena grows: by what is asked for, and not by powers of two.
const SAME_AS_REQUESTED: i32 = 1;
/// What ONNX Runtime chooses by itself.
const BY_DEFAULT: i32 = -1;

/// Gives the sessions of an environment one arena, if they ask for it.
///
/// Memory that one session is done with serves the next, so the most that is held is the most that one of them needs.
/// It is never given back to the system, which would clear its pages each time.
pub(super) fn share(environment: &Environment) -> ort::Result<()> {
    let memory = MemoryInfo::new(
        AllocationDevice::CPU,
        0,
        AllocatorType::Arena,
        MemoryType::Default,
    )?;
    let mut config = ptr::null_mut();
    // SAFETY: the pointers are those of living objects, `config` is written before it is read, and released once;
    // ONNX Runtime copies what it is told.
    ortsys![unsafe CreateArenaCfg(0, SAME_AS_REQUESTED, BY_DEFAULT, BY_DEFAULT, &mut config)?];
    // SAFETY: as above.
    let shared = (|| {
        ortsys![unsafe CreateAndRegisterAllocator(environment.ptr().cast_mut(), memory.ptr(), config)?];
        Ok(())
    })();
    // SAFETY: as above.
    ortsys![unsafe ReleaseArenaCfg(config)];
    shared
}
