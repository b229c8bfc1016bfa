//! The kernels that this program has, compiled by `onnx-export/gpu_kernels`, and which of them a GPU runs.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use serde::Deserialize;
use shared::digest::sha256;
use shared::model::Precision;
use zip::ZipArchive;

use super::reasons::{LoadFailure, NotFused, Unsupported};

/// Contracts of this format are read.
const FORMAT: u32 = 1;
/// More than a kernel has.
const MAX_KERNEL_BYTES: u64 = 1 << 22;

/// The kernels for GPUs of an architecture: their contract, and an archive of their code.
#[derive(Debug, Clone, Copy)]
struct Packed<'a> {
    architecture: u32,
    contract: &'a str,
    archive: &'a [u8],
}

macro_rules! packed {
    ($architecture:literal) => {
        Packed {
            architecture: $architecture,
            contract: include_str!(concat!("../../../gpu-kernels/sm_", $architecture, ".json")),
            archive: include_bytes!(concat!("../../../gpu-kernels/sm_", $architecture, ".zip")),
        }
    };
}

static PACKED: [Packed<'static>; 3] = [packed!(80), packed!(90), packed!(120)];

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
    dtype: Precision,
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

/// The kernels for layers of a precision on GPUs of an architecture; their code is still packed.
#[derive(Debug)]
pub(super) struct KernelSet<'a> {
    architecture: u32,
    contracts: Vec<KernelContract>,
    archive: &'a [u8],
}

impl KernelSet<'static> {
    /// Returns the kernels that a GPU of a compute capability, such as 8.6, runs for layers of a precision.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if there are none, [`LoadFailure`] if their contract is damaged.
    pub(super) fn of(capability: &str, precision: Precision) -> Result<Self, NotFused> {
        let runs = |packed: &&Packed<'_>| is_run_by(packed.architecture, capability);
        match PACKED.iter().find(runs) {
            Some(packed) => packed.of_precision(precision),
            None => Err(Unsupported::Capability(capability.to_owned()).into()),
        }
    }
}

impl KernelSet<'_> {
    /// Returns the architecture that they are compiled for, such as 90.
    pub(super) fn architecture(&self) -> u32 {
        self.architecture
    }

    /// Returns whether a kernel is among them.
    pub(super) fn has(&self, name: &str) -> bool {
        self.contracts.iter().any(|kernel| kernel.name == name)
    }

    /// Returns those of some names with their code.
    ///
    /// # Errors
    ///
    /// [`LoadFailure`] naming the kernel that is not what its contract says.
    pub(super) fn unpack(self, names: &BTreeSet<String>) -> Result<Vec<Compiled>, LoadFailure> {
        let architecture = self.architecture;
        let archive = ZipArchive::new(Cursor::new(self.archive));
        let mut archive = archive.map_err(|error| LoadFailure::Archive {
            architecture,
            reason: error.to_string(),
        })?;
        let kernels = self.contracts.into_iter();
        let kernels = kernels.filter(|kernel| names.contains(&kernel.name));
        let kernels = kernels.map(|contract| match code(&mut archive, &contract) {
            Ok(code) => Ok(Compiled { contract, code }),
            Err(reason) => Err(LoadFailure::Damaged {
                kernel: contract.name,
                architecture,
                reason,
            }),
        });
        kernels.collect()
    }
}

impl<'a> Packed<'a> {
    /// Returns its kernels for layers of a precision.
    fn of_precision(&self, precision: Precision) -> Result<KernelSet<'a>, NotFused> {
        let architecture = self.architecture;
        let refuse = |reason| LoadFailure::Contract {
            architecture,
            reason,
        };
        let contract: Contract =
            serde_json::from_str(self.contract).map_err(|error| refuse(error.to_string()))?;
        if contract.format != FORMAT {
            let format = contract.format;
            let reason = format!("it is of format {format}, and this program reads {FORMAT}");
            return Err(refuse(reason).into());
        }
        if contract.architecture != architecture {
            return Err(refuse(format!("it is of sm_{}", contract.architecture)).into());
        }
        let mut contracts = contract.kernels;
        contracts.retain(|kernel| kernel.dtype == precision);
        if contracts.is_empty() {
            return Err(Unsupported::Precision(precision).into());
        }
        Ok(KernelSet {
            architecture,
            contracts,
            archive: self.archive,
        })
    }
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

/// Returns the code of a kernel, or what is wrong with it.
fn code(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    contract: &KernelContract,
) -> Result<Vec<u8>, String> {
    let file = archive.by_name(&format!("{}.cubin", contract.name));
    let file = file.map_err(|error| error.to_string())?;
    let mut code = Vec::new();
    let read = file.take(MAX_KERNEL_BYTES).read_to_end(&mut code);
    read.map_err(|error| error.to_string())?;
    let found = sha256(&code);
    if found != contract.sha256 {
        let expected = &contract.sha256;
        return Err(format!(
            "its SHA-256 is {found}, and its contract says {expected}"
        ));
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ELF's number of NVIDIA's GPUs.
    const EM_CUDA: u16 = 190;
    const KERNEL: &str = "statistics_64_fp16";

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_gpu_of_a_generation_that_there_are_kernels_for_has_the_same_ones() {
        for (capability, architecture) in [
            ("8.0", 80),
            ("8.6", 80),
            ("8.9", 80),
            ("9.0", 90),
            ("12.0", 120),
        ] {
            let kernels = KernelSet::of(capability, Precision::Fp16).unwrap();
            assert_eq!(kernels.architecture(), architecture);
            for width in [40, 64, 80] {
                for function in ["statistics", "attend", "exchange_columns", "exchange_rows"] {
                    let name = format!("{function}_{width}_fp16");
                    assert!(kernels.has(&name), "{capability}: {name}");
                }
            }
            let all = kernels.contracts.iter().map(|kernel| kernel.name.clone());
            let all: BTreeSet<String> = all.collect();
            let compiled = kernels.unpack(&all).unwrap();
            assert_eq!(compiled.len(), all.len());
            for kernel in &compiled {
                assert_eq!(kernel.code[..4], *b"\x7fELF");
                let machine = u16::from_le_bytes([kernel.code[18], kernel.code[19]]);
                assert_eq!(machine, EM_CUDA, "{}", kernel.contract.name);
            }
        }
    }

    #[test]
    fn a_gpu_or_a_precision_without_kernels_is_told_by_its_name() {
        let reason = |capability, precision| match KernelSet::of(capability, precision) {
            Err(NotFused::Unsupported(reason)) => reason,
            other => panic!("{other:?}"),
        };
        for capability in ["7.5", "9.1", "10.0", "12.1"] {
            let reason = reason(capability, Precision::Fp16);
            assert_eq!(reason, Unsupported::Capability(capability.to_owned()));
            assert!(reason.to_string().ends_with(capability), "{reason}");
        }
        let reason = reason("9.0", Precision::Fp32);
        assert_eq!(reason, Unsupported::Precision(Precision::Fp32));
        assert!(reason.to_string().contains("float32"), "{reason}");
    }

    #[test]
    fn no_kernel_is_unpacked_but_those_that_are_needed() {
        let unpacked = |asked: &[&str]| -> BTreeSet<String> {
            let kernels = KernelSet::of("9.0", Precision::Fp16).unwrap();
            let kernels = kernels.unpack(&names(asked)).unwrap();
            kernels
                .into_iter()
                .map(|kernel| kernel.contract.name)
                .collect()
        };
        assert_eq!(unpacked(&[]), names(&[]));
        let two = [KERNEL, "attend_64_fp16"];
        assert_eq!(unpacked(&two), names(&two));
    }

    #[test]
    fn a_kernel_of_which_a_byte_is_altered_is_refused_by_its_name_and_no_other_is() {
        let mut archive = PACKED[1].archive.to_vec();
        let place = {
            let mut archive = ZipArchive::new(Cursor::new(&archive[..])).unwrap();
            let file = archive.by_name(&format!("{KERNEL}.cubin")).unwrap();
            file.data_start() + file.compressed_size() / 2
        };
        archive[usize::try_from(place).unwrap()] ^= 1;
        let altered = Packed {
            archive: &archive,
            ..PACKED[1]
        };
        let unpack = |name| {
            let kernels = altered.of_precision(Precision::Fp16).unwrap();
            kernels.unpack(&names(&[name])).map(|kernels| kernels.len())
        };
        let told = unpack(KERNEL).unwrap_err().to_string();
        assert!(
            told.starts_with("kernel statistics_64_fp16 for sm_90 is damaged: "),
            "{told}"
        );
        assert_eq!(unpack("attend_64_fp16"), Ok(1));
    }

    #[test]
    fn a_kernel_that_is_not_of_its_digest_is_refused_with_both() {
        let kernels = PACKED[1].of_precision(Precision::Fp16).unwrap();
        let mut contracts = kernels.contracts.iter();
        let digest = &contracts
            .find(|kernel| kernel.name == KERNEL)
            .unwrap()
            .sha256;
        let other = sha256(b"another kernel");
        let contract = PACKED[1].contract.replace(digest.as_str(), &other);
        let altered = Packed {
            contract: &contract,
            ..PACKED[1]
        };
        let kernels = altered.of_precision(Precision::Fp16).unwrap();
        let failure = kernels.unpack(&names(&[KERNEL])).unwrap_err();
        let expected = LoadFailure::Damaged {
            kernel: KERNEL.to_owned(),
            architecture: 90,
            reason: format!("its SHA-256 is {digest}, and its contract says {other}"),
        };
        assert_eq!(failure, expected);
    }

    #[test]
    fn a_contract_or_an_archive_that_cannot_be_read_is_a_failure_and_no_lack_of_kernels() {
        let failure = |packed: Packed<'_>| match packed.of_precision(Precision::Fp16) {
            Ok(kernels) => kernels.unpack(&names(&[KERNEL])).unwrap_err().to_string(),
            Err(NotFused::Failed(failure)) => failure.to_string(),
            Err(NotFused::Unsupported(reason)) => panic!("{reason}"),
        };
        let [_, packed, _] = PACKED;
        let cut = failure(Packed {
            archive: &packed.archive[..1000],
            ..packed
        });
        assert!(
            cut.starts_with("the archive of kernels for sm_90 "),
            "{cut}"
        );
        let no_json = failure(Packed {
            contract: "{",
            ..packed
        });
        assert!(
            no_json.starts_with("the contract of kernels for sm_90 "),
            "{no_json}"
        );
        let contract = packed.contract.replace("\"format\": 1", "\"format\": 2");
        let newer = failure(Packed {
            contract: &contract,
            ..packed
        });
        assert!(
            newer.contains("format 2, and this program reads 1"),
            "{newer}"
        );
        let of_another = failure(Packed {
            architecture: 80,
            ..packed
        });
        assert!(of_another.ends_with("it is of sm_90"), "{of_another}");
    }
}
