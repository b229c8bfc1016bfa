//! Kernels on a GPU: loaded from their code, and launched on ONNX Runtime's tensors and on the stream that its sessions
//! share, so that nothing waits and everything is in order.
//!
//! All that is unsafe of kernels of ours is here.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::sys::CUfunction_attribute;
use cudarc::driver::{
    CudaContext, CudaFunction, CudaStream, DriverError, LaunchConfig, PushKernelArg as _,
};
use cudarc::nvrtc::Ptx;
use ort::value::{DynValue, TensorElementType, ValueType};

use super::compiled::{Compiled, KernelContract};
use super::launches::{Argument, Launch, Programs};
use crate::tensor;

/// Threads of a warp.
const WARP: u32 = 32;
/// More shared memory than this is asked for by name.
const USUAL_SHARED_BYTES: u32 = 48 << 10;

/// A GPU with kernels.
pub(super) struct Gpu {
    stream: Arc<CudaStream>,
    kernels: HashMap<String, Loaded>,
}

struct Loaded {
    contract: KernelContract,
    function: CudaFunction,
}

/// An argument as the driver takes it.
enum Raw {
    Address(u64),
    Whole(i32),
    Number(f32),
}

impl Gpu {
    /// Loads kernels on a GPU that ONNX Runtime has reached, so that the driver is loaded.
    pub(super) fn load(number: u8, kernels: Vec<Compiled>) -> Result<Self, String> {
        let context = CudaContext::new(number.into()).map_err(|error| told(&error))?;
        let load = |Compiled { contract, code }| -> Result<(String, Loaded), String> {
            let refuse = |error: DriverError| format!("kernel {}: {}", contract.name, told(&error));
            let module = context
                .load_module(Ptx::from_binary(code))
                .map_err(refuse)?;
            let function = module.load_function(&contract.function).map_err(refuse)?;
            if contract.shared_bytes > USUAL_SHARED_BYTES {
                let bytes = i32::try_from(contract.shared_bytes).map_err(|e| e.to_string())?;
                let most = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
                function.set_attribute(most, bytes).map_err(refuse)?;
            }
            Ok((contract.name.clone(), Loaded { contract, function }))
        };
        Ok(Self {
            // The stream that the sessions are given, by CUDA's other name for it.
            stream: context.default_stream(),
            kernels: kernels.into_iter().map(load).collect::<Result<_, _>>()?,
        })
    }

    /// Returns whether it has a kernel.
    pub(super) fn has(&self, kernel: &str) -> bool {
        self.kernels.contains_key(kernel)
    }

    /// Launches a kernel on so many rows; it runs after everything that was asked of the GPU before.
    pub(super) fn launch(&self, launch: &Launch<'_>, rows: usize) -> ort::Result<()> {
        let kernel = &launch.kernel;
        let loaded = self.kernels.get(kernel);
        let loaded = loaded.ok_or_else(|| ort::Error::new(format!("there is no {kernel}")))?;
        let contract = &loaded.contract;
        let arguments = contract.arguments.iter();
        let arguments = arguments.map(|argument| raw(argument, launch));
        let arguments = arguments.collect::<ort::Result<Vec<Raw>>>()?;
        let config = LaunchConfig {
            grid_dim: grid(launch.programs, rows, contract.queries)?,
            block_dim: (contract.warps * WARP, 1, 1),
            shared_mem_bytes: contract.shared_bytes,
        };
        self.start(&loaded.function, &arguments, config)
            .map_err(|error| ort::Error::new(format!("{kernel}: {}", told(&error))))
    }

    #[expect(unsafe_code, reason = "kernels of a GPU take addresses")]
    fn start(
        &self,
        function: &CudaFunction,
        arguments: &[Raw],
        config: LaunchConfig,
    ) -> Result<(), DriverError> {
        let mut launch = self.stream.launch_builder(function);
        for argument in arguments {
            let _ = match argument {
                Raw::Address(address) => launch.arg(address),
                Raw::Whole(number) => launch.arg(number),
                Raw::Number(number) => launch.arg(number),
            };
        }
        // SAFETY: arguments are those of the contract that came with the code, in number, order and type (`raw`). Addresses
        // are those of tensors on this GPU, of a type that the contract names and of the sizes that the layer has: the
        // caller made them or has compared their shapes. They stay until what runs is done, as memory that is given back is
        // given to nothing but work that follows on the same stream.
        unsafe { launch.launch(config) }.map(drop)
    }
}

/// Returns an argument of a launch, by its name and type in the contract.
fn raw(argument: &str, launch: &Launch<'_>) -> ort::Result<Raw> {
    // What the compiler adds is a pointer that these kernels do not follow.
    let Some((name, kind)) = argument.split_once(": ") else {
        return Ok(Raw::Address(0));
    };
    let refuse = || {
        let kernel = &launch.kernel;
        ort::Error::new(format!("{kernel} takes {argument}, and was given none"))
    };
    let given = launch.arguments.iter().find(|(known, _)| *known == name);
    let (_, value) = given.ok_or_else(refuse)?;
    match (*value, kind) {
        (Argument::Whole(number), "i32") => i32::try_from(number)
            .map(Raw::Whole)
            .map_err(ort::Error::wrap),
        (Argument::Number(number), "fp32") => Ok(Raw::Number(number)),
        (Argument::Tensor(tensor), kind) if is_of(tensor, kind) => {
            Ok(Raw::Address(tensor::address(tensor)?))
        }
        (Argument::Whole(_) | Argument::Number(_) | Argument::Tensor(_), _) => Err(refuse()),
    }
}

/// Returns whether a tensor has numbers of a type that a contract names.
fn is_of(tensor: &DynValue, kind: &str) -> bool {
    let wanted = match kind {
        "*fp16" => TensorElementType::Float16,
        "*fp32" => TensorElementType::Float32,
        "*i32" => TensorElementType::Int32,
        _ => return false,
    };
    matches!(tensor.dtype(), ValueType::Tensor { ty, .. } if *ty == wanted)
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

/// Returns what the driver says, as ONNX Runtime tells it: what failed is known by it.
fn told(error: &DriverError) -> String {
    let words = error.error_string().map(|words| words.to_string_lossy());
    let words = words.unwrap_or_default();
    format!("CUDA failure {}: {words}", error.0 as u32)
}
