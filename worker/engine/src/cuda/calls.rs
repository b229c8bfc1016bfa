//! Calls of CUDA's libraries: the one file for GPUs that opens `unsafe_code`.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::sync::Arc;

use cudarc::driver::{CudaFunction, CudaStream, DriverError, LaunchConfig, PushKernelArg as _};
use libloading::Library;
use ort::value::{DynValue, TensorElementType, ValueType};

use crate::tensor;

/// The driver's library, and that of cuDNN, as ONNX Runtime loads them.
const DRIVER: &str = "libcuda.so.1";
const CUDNN: &str = "libcudnn.so.9";
/// Numbers of the attributes of a device that are its compute capability.
const MAJOR: c_int = 75;
const MINOR: c_int = 76;
/// The longest name of a GPU.
const NAME_BYTES: usize = 256;
const SUCCESS: c_int = 0;

/// What the driver says of a GPU, in its own numbers.
pub(super) struct DriverAnswer {
    pub(super) name: Option<String>,
    /// Major and minor number of its compute capability.
    pub(super) capability: Option<(c_int, c_int)>,
    /// The newest CUDA that the driver is for: 13000 is 13.0.
    pub(super) version: Option<c_int>,
}

/// Asks the driver for a GPU; none without a driver or such a GPU.
#[expect(unsafe_code, reason = "the driver is a library in C")]
pub(super) fn driver(number: u8) -> Option<DriverAnswer> {
    // SAFETY: what the driver does as it is loaded asks nothing of this process. Whoever computes on a GPU has loaded it
    // before, by ONNX Runtime, so that it stays when it is closed here.
    let driver = unsafe { Library::new(DRIVER) }.ok()?;
    // SAFETY: so CUDA declares these functions.
    let (init, get_version, get, get_name, get_attribute) = unsafe {
        (
            driver
                .get::<unsafe extern "C" fn(c_uint) -> c_int>("cuInit")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_int) -> c_int>("cuDriverGetVersion")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_int, c_int) -> c_int>("cuDeviceGet")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int>("cuDeviceGetName")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int>(
                    "cuDeviceGetAttribute",
                )
                .ok()?,
        )
    };
    let is_done = |status: c_int| status == SUCCESS;
    let (mut version, mut gpu) = (0, 0);
    // SAFETY: what they write to is there for as long as they write.
    let is_there = unsafe { is_done(init(0)) && is_done(get(&raw mut gpu, number.into())) };
    if !is_there {
        return None;
    }
    // SAFETY: as above.
    let has_version = unsafe { is_done(get_version(&raw mut version)) };
    let mut name = [0_u8; NAME_BYTES];
    let room = c_int::try_from(NAME_BYTES - 1).ok()?;
    // SAFETY: as above; there is room for as many bytes, and one more that stays zero.
    let has_name = unsafe { is_done(get_name(name.as_mut_ptr().cast(), room, gpu)) };
    let attribute = |which: c_int| {
        let mut value = 0;
        // SAFETY: as above.
        let is_known = unsafe { is_done(get_attribute(&raw mut value, which, gpu)) };
        is_known.then_some(value)
    };
    let name = CStr::from_bytes_until_nul(&name).ok().filter(|_| has_name);
    Some(DriverAnswer {
        name: name.map(|name| name.to_string_lossy().into_owned()),
        capability: attribute(MAJOR).zip(attribute(MINOR)),
        version: has_version.then_some(version),
    })
}

/// Asks cuDNN for its version; none without it. 91400 is 9.14.0.
#[expect(unsafe_code, reason = "cuDNN is a library in C")]
pub(super) fn cudnn() -> Option<usize> {
    // SAFETY: what cuDNN does as it is loaded asks nothing of this process.
    let cudnn = unsafe { Library::new(CUDNN) }.ok()?;
    // SAFETY: so cuDNN declares this function, which reads nothing.
    let version = unsafe {
        let version = cudnn
            .get::<unsafe extern "C" fn() -> usize>("cudnnGetVersion")
            .ok()?;
        version()
    };
    Some(version)
}

/// A kernel on a GPU, with what its contract says of its arguments.
pub(crate) struct Kernel {
    /// Its name in errors.
    pub(crate) name: String,
    /// Its function, loaded from the code that the contract came with.
    pub(crate) function: CudaFunction,
    /// Names and types of all its arguments, in order, as `tokens: i32`; a name alone is a pointer that it does not follow.
    pub(crate) arguments: Vec<String>,
}

/// An argument of a kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument<'a> {
    /// The address of a tensor on the GPU.
    Tensor(&'a DynValue),
    /// A whole number.
    Whole(usize),
    /// A number of single precision.
    Number(f32),
}

/// An argument as the driver takes it.
#[derive(Debug, PartialEq)]
enum Raw {
    Address(u64),
    Whole(i32),
    Number(f32),
}

/// Launches a kernel on arguments by name; it runs after everything that was asked of the stream before, and is not waited
/// for.
///
/// # Errors
///
/// Naming the kernel, and the argument that is missing or not of the contract's type, or what the driver says.
#[expect(unsafe_code, reason = "kernels of a GPU take addresses")]
pub(crate) fn launch(
    stream: &Arc<CudaStream>,
    kernel: &Kernel,
    given: &[(&str, Argument<'_>)],
    config: LaunchConfig,
) -> ort::Result<()> {
    let arguments = raw(&kernel.name, &kernel.arguments, given)?;
    let mut launch = stream.launch_builder(&kernel.function);
    for argument in &arguments {
        let _ = match argument {
            Raw::Address(address) => launch.arg(address),
            Raw::Whole(number) => launch.arg(number),
            Raw::Number(number) => launch.arg(number),
        };
    }
    // SAFETY: arguments are those of the contract that came with the code, in number, order and type (`raw`). Addresses are
    // those of tensors on a GPU, of a type that the contract names and of the sizes that the layer has: the caller made them
    // or has compared their shapes. They stay until what runs is done, as memory that is given back is given to nothing but
    // work that follows on the same stream.
    let launched = unsafe { launch.launch(config) };
    let failed = |error| ort::Error::new(format!("{}: {}", kernel.name, message(&error)));
    launched.map(drop).map_err(failed)
}

/// Returns what the driver says, as ONNX Runtime tells it: what failed is known by it.
pub(crate) fn message(error: &DriverError) -> String {
    let words = error.error_string().map(|words| words.to_string_lossy());
    let words = words.unwrap_or_default();
    format!("CUDA failure {}: {words}", error.0 as u32)
}

/// Returns the arguments of a launch in the order of the contract.
fn raw(kernel: &str, contract: &[String], given: &[(&str, Argument<'_>)]) -> ort::Result<Vec<Raw>> {
    let raw = contract.iter().map(|argument| -> ort::Result<Raw> {
        // What the compiler adds is a pointer that these kernels do not follow.
        let Some((name, kind)) = argument.split_once(": ") else {
            return Ok(Raw::Address(0));
        };
        let refuse = |found: &str| {
            let message = format!("{kernel} takes {argument}, and was given {found}");
            Err(ort::Error::new(message))
        };
        let value = given.iter().find(|(known, _)| *known == name);
        match (value.map(|(_, value)| *value), kind) {
            (Some(Argument::Whole(number)), "i32") => {
                let number = i32::try_from(number).map_err(ort::Error::wrap)?;
                Ok(Raw::Whole(number))
            }
            (Some(Argument::Number(number)), "fp32") => Ok(Raw::Number(number)),
            (Some(Argument::Tensor(tensor)), kind) if is_of(tensor, kind) => {
                match tensor::is_on_gpu(tensor)? {
                    true => Ok(Raw::Address(tensor::address(tensor)?)),
                    false => refuse("a tensor that is not on the GPU"),
                }
            }
            (Some(_), _) => refuse("something else"),
            (None, _) => refuse("none"),
        }
    });
    raw.collect()
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

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use shared::model::Precision;
    use shared::settings::EngineConfig;

    use super::*;
    use crate::runtime::Runtime;

    /// Returns arguments as the driver would take them, or what is said of them.
    fn taken(contract: &[&str], given: &[(&str, Argument<'_>)]) -> Result<Vec<Raw>, String> {
        let contract: Vec<String> = contract
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        raw("a kernel", &contract, given).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn arguments_are_taken_by_name_in_the_order_of_the_contract() {
        let given = [
            ("factor", Argument::Number(0.5)),
            ("tokens", Argument::Whole(7)),
        ];
        let found = taken(&["tokens: i32", "factor: fp32", "global_scratch"], &given);
        let expected = vec![Raw::Whole(7), Raw::Number(0.5), Raw::Address(0)];
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn an_argument_that_is_missing_or_of_another_type_is_refused_by_name_and_launches_nothing() {
        let _runtime = Runtime::load(&EngineConfig::default()).unwrap();
        let tensor = |precision| tensor::from_tokens(Array2::zeros((2, 3)), precision).unwrap();
        let (single, half) = (tensor(Precision::Fp32), tensor(Precision::Fp16));
        let refused = |contract: &str, argument| {
            let told = taken(&[contract], &[("query", argument)]).unwrap_err();
            assert!(
                told.starts_with(&format!("a kernel takes {contract}, ")),
                "{told}"
            );
            told
        };
        assert!(refused("tokens: i32", Argument::Whole(1)).ends_with("none"));
        for (contract, argument) in [
            ("query: *fp16", Argument::Tensor(&single)),
            ("query: *fp32", Argument::Tensor(&half)),
            ("query: *i64", Argument::Tensor(&half)),
            ("query: *fp16", Argument::Whole(1)),
            ("query: i32", Argument::Number(1.0)),
            ("query: fp32", Argument::Whole(1)),
        ] {
            assert!(refused(contract, argument).ends_with("something else"));
        }
        let on_host = refused("query: *fp16", Argument::Tensor(&half));
        assert!(on_host.ends_with("not on the GPU"), "{on_host}");
        let too_large = taken(&["tokens: i32"], &[("tokens", Argument::Whole(usize::MAX))]);
        assert!(too_large.is_err());
    }
}
