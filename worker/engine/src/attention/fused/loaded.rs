//! Kernels loaded on a GPU, and launched on the stream that ONNX Runtime's sessions share, so that nothing waits and
//! everything is in order.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::sys::CUfunction_attribute;
use cudarc::driver::{CudaContext, CudaStream, DriverError, LaunchConfig};
use cudarc::nvrtc::Ptx;

use super::compiled::Compiled;
use super::launches::{Launch, Programs};
use super::reasons::LoadFailure;
use crate::cuda::{self, Kernel};

/// Threads of a warp.
const WARP: u32 = 32;
/// More shared memory than this is asked for by name.
const USUAL_SHARED_BYTES: u32 = 48 << 10;

/// Kernels on a GPU, by their names.
pub(super) struct LoadedKernels {
    stream: Arc<CudaStream>,
    kernels: HashMap<String, Loaded>,
}

/// A kernel, and the size of its programs.
struct Loaded {
    kernel: Kernel,
    /// Rows of a program.
    queries: usize,
    /// Threads of a program.
    threads: u32,
    /// Shared memory of a program.
    shared_bytes: u32,
}

impl LoadedKernels {
    /// Loads kernels on a GPU that ONNX Runtime has reached, so that the driver is loaded.
    pub(super) fn load(number: u8, kernels: Vec<Compiled>) -> Result<Self, LoadFailure> {
        let context = CudaContext::new(number.into());
        let context = context.map_err(|error| LoadFailure::Gpu(cuda::message(&error)))?;
        let load = |compiled| -> Result<(String, Loaded), LoadFailure> {
            let loaded = load_one(&context, compiled)?;
            Ok((loaded.kernel.name.clone(), loaded))
        };
        Ok(Self {
            // The stream that the sessions are given, by CUDA's other name for it.
            stream: context.default_stream(),
            kernels: kernels.into_iter().map(load).collect::<Result<_, _>>()?,
        })
    }

    /// Launches a kernel on so many rows; it runs after everything that was asked of the GPU before.
    pub(super) fn launch(&self, launch: &Launch<'_>, rows: usize) -> ort::Result<()> {
        let loaded = self.kernels.get(&launch.kernel);
        let missing = || ort::Error::new(format!("there is no kernel {}", launch.kernel));
        let loaded = loaded.ok_or_else(missing)?;
        let config = LaunchConfig {
            grid_dim: grid(launch.programs, rows, loaded.queries)?,
            block_dim: (loaded.threads, 1, 1),
            shared_mem_bytes: loaded.shared_bytes,
        };
        cuda::launch(&self.stream, &loaded.kernel, &launch.arguments, config)
    }
}

fn load_one(
    context: &Arc<CudaContext>,
    Compiled { contract, code }: Compiled,
) -> Result<Loaded, LoadFailure> {
    let refuse = |message| LoadFailure::Kernel {
        kernel: contract.name.clone(),
        message,
    };
    let refused = |error: DriverError| refuse(cuda::message(&error));
    let module = context
        .load_module(Ptx::from_binary(code))
        .map_err(refused)?;
    let function = module.load_function(&contract.function).map_err(refused)?;
    if contract.shared_bytes > USUAL_SHARED_BYTES {
        let bytes =
            i32::try_from(contract.shared_bytes).map_err(|error| refuse(error.to_string()))?;
        let most = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(most, bytes).map_err(refused)?;
    }
    Ok(Loaded {
        queries: contract.queries,
        threads: contract.warps * WARP,
        shared_bytes: contract.shared_bytes,
        kernel: Kernel {
            name: contract.name,
            function,
            arguments: contract.arguments,
        },
    })
}

/// Returns how many programs there are along each axis.
fn grid(programs: Programs, rows: usize, of_program: usize) -> ort::Result<(u32, u32, u32)> {
    let (tiles, times) = match programs {
        Programs::One => (1, 1),
        Programs::Tiles { more, times } => (rows.div_ceil(of_program.max(1)) + more, times),
    };
    let number = |number: usize| u32::try_from(number).map_err(ort::Error::wrap);
    Ok((number(tiles)?, number(times)?, 1))
}
