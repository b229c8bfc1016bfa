//! The kernels that this program has, compiled by `onnx-export/gpu_kernels`, and which of them a GPU runs.

use std::io::{Cursor, Read as _};

use serde::Deserialize;
use shared::digest::sha256;
use shared::model::Precision;
use zip::ZipArchive;

/// Contracts of this format are read.
const FORMAT: u32 = 1;
/// More than a kernel has.
const MAX_KERNEL_BYTES: u64 = 1 << 22;

/// The kernels for GPUs of an architecture: their contract, and an archive of their code.
struct Packed {
    contract: &'static str,
    archive: &'static [u8],
}

macro_rules! packed {
    ($architecture:literal) => {
        Packed {
            contract: include_str!(concat!("../../../gpu-kernels/", $architecture, ".json")),
            archive: include_bytes!(concat!("../../../gpu-kernels/", $architecture, ".zip")),
        }
    };
}

static PACKED: [Packed; 3] = [packed!("sm_80"), packed!("sm_90"), packed!("sm_120")];

#[derive(Deserialize)]
struct Contract {
    format: u32,
    architecture: u32,
    kernels: Vec<KernelContract>,
}

/// What a launch of a kernel needs.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct KernelContract {
    /// Its name among the kernels of its architecture.
    pub(super) name: String,
    /// The name of its function.
    pub(super) function: String,
    /// The precision of the layers' tensors.
    pub(super) dtype: Precision,
    /// Rows of a program.
    pub(super) queries: usize,
    /// Warps of a program.
    pub(super) warps: u32,
    /// Names and types, in order.
    pub(super) arguments: Vec<String>,
    /// Shared memory of a program.
    pub(super) shared_bytes: u32,
    sha256: String,
}

/// A kernel for a GPU.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) contract: KernelContract,
    pub(super) code: Vec<u8>,
}

/// Returns the kernels that a GPU of a compute capability, such as 8.6, runs for layers of a precision; or why there are
/// none.
pub(super) fn kernels_for(
    capability: Option<&str>,
    precision: Precision,
) -> Result<Vec<Compiled>, String> {
    let known = capability.unwrap_or("no compute capability");
    for packed in &PACKED {
        let contract: Contract = serde_json::from_str(packed.contract)
            .map_err(|error| format!("the contract of kernels cannot be read: {error}"))?;
        if contract.format != FORMAT {
            return Err(format!(
                "the contract of kernels is of format {}",
                contract.format
            ));
        }
        let runs = capability.is_some_and(|text| is_run_by(contract.architecture, text));
        if !runs {
            continue;
        }
        let kernels = contract.kernels.into_iter();
        let kernels = kernels.filter(|kernel| kernel.dtype == precision);
        let kernels = kernels.map(|kernel| unpacked(packed.archive, kernel));
        let kernels = kernels.collect::<Result<Vec<_>, _>>()?;
        if kernels.is_empty() {
            let dtype = precision.tensor_dtype();
            return Err(format!("no kernel is for models in {dtype}"));
        }
        return Ok(kernels);
    }
    Err(format!("no kernel is for a GPU of {known}"))
}

/// Returns whether a GPU runs what is compiled for an architecture. Of the code for 8.0 all of that generation run; the
/// others' has what one kind of GPU alone can do.
fn is_run_by(architecture: u32, capability: &str) -> bool {
    let Some((major, minor)) = capability.split_once('.') else {
        return false;
    };
    let (Ok(major), Ok(minor)) = (major.parse::<u32>(), minor.parse::<u32>()) else {
        return false;
    };
    match architecture {
        80 => major == 8,
        architecture => architecture == 10 * major + minor,
    }
}

fn unpacked(archive: &[u8], contract: KernelContract) -> Result<Compiled, String> {
    let refuse = |reason: String| format!("kernel {}: {reason}", contract.name);
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|e| refuse(e.to_string()))?;
    let file = archive.by_name(&format!("{}.cubin", contract.name));
    let file = file.map_err(|e| refuse(e.to_string()))?;
    let mut code = Vec::new();
    let read = file.take(MAX_KERNEL_BYTES).read_to_end(&mut code);
    read.map_err(|e| refuse(e.to_string()))?;
    if sha256(&code) != contract.sha256 {
        return Err(refuse("is not what its contract says".to_owned()));
    }
    Ok(Compiled { contract, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ELF's number of NVIDIA's GPUs.
    const EM_CUDA: u16 = 190;

    #[test]
    fn every_gpu_of_a_generation_that_there_are_kernels_for_has_the_same_ones() {
        for capability in ["8.0", "8.6", "8.9", "9.0", "12.0"] {
            let kernels = kernels_for(Some(capability), Precision::Fp16).unwrap();
            let names: Vec<&str> = kernels.iter().map(|k| k.contract.name.as_str()).collect();
            for width in [40, 64, 80] {
                for function in ["statistics", "attend", "exchange_columns", "exchange_rows"] {
                    let name = format!("{function}_{width}_fp16");
                    assert!(names.contains(&name.as_str()), "{capability}: {name}");
                }
            }
            for kernel in &kernels {
                assert_eq!(kernel.code[..4], *b"\x7fELF");
                let machine = u16::from_le_bytes([kernel.code[18], kernel.code[19]]);
                assert_eq!(machine, EM_CUDA, "{}", kernel.contract.name);
            }
        }
    }

    #[test]
    fn a_gpu_or_a_precision_without_kernels_is_told_by_its_name() {
        let told = |capability, precision| kernels_for(capability, precision).unwrap_err();
        assert!(told(Some("7.5"), Precision::Fp16).contains("7.5"));
        assert!(told(Some("9.1"), Precision::Fp16).contains("9.1"));
        assert!(told(None, Precision::Fp16).contains("no compute capability"));
        assert!(told(Some("9.0"), Precision::Fp32).contains("float32"));
    }
}
