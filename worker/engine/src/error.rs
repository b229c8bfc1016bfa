//! Why the engine cannot load a model or compute with it.

use std::path::PathBuf;

use shared::failure::FailureClass;
use shared::model::ContractError;
use shared::settings::Device;

use crate::attention::WITHOUT_FUSED;
use crate::conversion::trial::TrialFailure;
use crate::thread::EngineGone;
use kernels::vectors::VectorsError;
use method::adain::AdainError;
use method::attention::AttentionError;
use method::denoise::At;
use method::finite::NotFinite;
use method::prototypes::ClassMapError;
use method::schedule::ScheduleError;

/// Why the engine cannot load a model or compute with it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The shared library of ONNX Runtime is not where it was looked for.
    #[error(
        "cannot find ONNX Runtime's shared library; looked at {}; run `make onnxruntime`, install the Python package \
         onnxruntime beside this program's own, or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.24 or later",
        .looked_at.join(", ")
    )]
    RuntimeMissing {
        /// Every place that was tried.
        looked_at: Vec<String>,
    },
    /// The library is there and cannot be used.
    #[error("cannot use ONNX Runtime's shared library {}: {reason}", .path.display())]
    RuntimeUnusable {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// The environment names vectors that kernels cannot compute with.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
    /// The device that the settings name cannot be used.
    #[error("device {device} cannot be used: {reason}")]
    Device {
        /// The device.
        device: Device,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A device computes something else than it should.
    #[error(
        "what device {device} computes cannot be trusted: {failure}; take the driver and the versions of CUDA and cuDNN that \
         are tested together (infra/setup/cuda.txt), or another GPU; where injected attention is wrong, {WITHOUT_FUSED}; \
         with SYNTH2REAL_TRIAL=report it is used all the same"
    )]
    Trial {
        /// The device.
        device: Device,
        /// What is wrong.
        failure: TrialFailure,
    },
    /// A file of the model is missing, altered, away, or not what the contract says.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// ONNX Runtime failed while computing.
    #[error("{part} failed")]
    Run {
        /// The part of the model that ran.
        part: String,
        /// What ONNX Runtime says.
        #[source]
        source: ort::Error,
    },
    /// What the model computes of an image is not finite.
    #[error("{what}: {numbers}; {cure}")]
    NotFinite {
        /// The image.
        what: String,
        /// The quantity.
        numbers: NotFinite,
        /// What helps.
        cure: &'static str,
    },
    /// A network that judges images gives no numbers for one.
    #[error(
        "{network} ({}) gives values that are not finite: does it divide by zero on this image, or was it exported from \
         damaged weights?", .path.display()
    )]
    NotJudged {
        /// The network.
        network: String,
        /// Its contract.
        path: PathBuf,
    },
    /// Keys and values of a style cannot be put aside on disk or read back.
    #[error("cannot keep the keys and values of style {style} in {}; is there space left?", .folder.display())]
    StyleBank {
        /// The style.
        style: String,
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A step injects, and nothing of it was recorded of a style.
    #[error(
        "nothing was recorded of a style at {0}, which injects it: this is a defect of the program"
    )]
    NotRecorded(At),
    /// The engine's thread has ended.
    #[error(transparent)]
    Gone(#[from] EngineGone),
    /// The settings do not fit the model's schedule.
    #[error("the schedule cannot be made")]
    Schedule(#[from] ScheduleError),
    /// Attention got tensors that do not fit together.
    #[error("attention got tensors that do not fit together")]
    Attention(#[from] AttentionError),
    /// AdaIN got latents that do not fit together.
    #[error("AdaIN got latents that do not fit together")]
    Adain(#[from] AdainError),
    /// Features and class maps do not fit together.
    #[error("features and class maps do not fit together")]
    ClassMap(#[from] ClassMapError),
}

impl EngineError {
    /// Returns what the failure leads to.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Run { source, .. } if is_out_of_memory(source) => FailureClass::Resources,
            Self::Run { source, .. } if is_of_device(source) => FailureClass::Fatal,
            // The next image may fare better: it counts against the shard and no further.
            Self::StyleBank { .. } | Self::NotJudged { .. } => FailureClass::Transient,
            // It is waited for.
            Self::Contract(ContractError::Away { .. }) => FailureClass::Transient,
            Self::NotFinite { .. } => FailureClass::BadOutput,
            Self::RuntimeMissing { .. }
            | Self::RuntimeUnusable { .. }
            | Self::Vectors(_)
            | Self::Device { .. }
            | Self::Trial { .. } => FailureClass::Fatal,
            // Another run has another model, other settings and other inputs.
            Self::Contract(ContractError::Unusable { .. })
            | Self::Run { .. }
            | Self::NotRecorded(_)
            | Self::Gone(_)
            | Self::Schedule(_)
            | Self::Attention(_)
            | Self::Adain(_)
            | Self::ClassMap(_) => FailureClass::Unworkable,
        }
    }
}

impl EngineError {
    /// Returns the error of a device that took a model and cannot compute with it, for this reason.
    pub(crate) fn of_warm_up(&self, device: Device) -> Self {
        let why = self.why();
        Self::Device {
            device,
            reason: format!(
                "the model was loaded there and cannot be computed with, {self}{why}; are CUDA's libraries and \
                 libcudnn.so.9 where the loader looks (LD_LIBRARY_PATH), and has the GPU memory to spare?"
            ),
        }
    }

    /// Returns the error of a device that took fused kernels and cannot compute with them, for this reason.
    pub(crate) fn of_fused_kernels(&self, device: Device) -> Self {
        let why = self.why();
        Self::Device {
            device,
            reason: format!(
                "its kernels of injected layers were loaded and cannot be computed with, {self}{why}; {WITHOUT_FUSED}"
            ),
        }
    }

    /// Returns what lies behind the error, as the end of a line.
    fn why(&self) -> String {
        let source = std::error::Error::source(self).map(ToString::to_string);
        source.map_or_else(String::new, |source| format!(": {}", cause(&source)))
    }

    /// Returns whether what a model lies in cannot be read.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Contract(error) => error.is_away(),
            Self::RuntimeMissing { .. }
            | Self::RuntimeUnusable { .. }
            | Self::Vectors(_)
            | Self::Device { .. }
            | Self::Trial { .. }
            | Self::Run { .. }
            | Self::NotFinite { .. }
            | Self::NotJudged { .. }
            | Self::StyleBank { .. }
            | Self::NotRecorded(_)
            | Self::Gone(_)
            | Self::Schedule(_)
            | Self::Attention(_)
            | Self::Adain(_)
            | Self::ClassMap(_) => false,
        }
    }
}

/// Returns whether a GPU or one of its libraries failed: what it computes from then on cannot be trusted.
fn is_of_device(error: &ort::Error) -> bool {
    let message = error.message().to_ascii_lowercase();
    [
        "cuda", "cublas", "cublaslt", "cudnn", "cudnn_fe", "cufft", "curand",
    ]
    .iter()
    .any(|library| {
        message.contains(&format!("{library} failure"))
            || message.contains(&format!("{library} error"))
    })
}

/// ONNX Runtime has no error code for it.
fn is_out_of_memory(error: &ort::Error) -> bool {
    let message = error.message().to_ascii_lowercase();
    [
        "failed to allocate",
        "out of memory",
        "bad_alloc",
        "bad allocation",
        // An arena at its limit, cuBLAS, and cuDNN on the host and the device.
        "is smaller than requested bytes",
        "_status_alloc_failed",
        "_allocation_failed",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

/// Returns what ONNX Runtime says went wrong, without the places in its source that it passed on the way.
pub(crate) fn cause(message: &str) -> &str {
    let line = message.lines().next().unwrap_or("");
    // `[ONNXRuntimeError] : number : KIND : words`, after what each caller wrote before it.
    let words = match line.rsplit_once("[ONNXRuntimeError] : ") {
        Some((_, error)) => error.splitn(3, " : ").nth(2).unwrap_or(error),
        None => line,
    };
    // `CUDA failure number: words ; GPU=0 ; file=...`
    match words.find(" failure ") {
        Some(place) => {
            let library = words[..place].rfind(' ').map_or(0, |space| space + 1);
            let words = &words[library..];
            words.split(" ; ").next().unwrap_or(words)
        }
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_without_the_way_it_took() {
        for (message, told) in [
            ("std::bad_alloc\nand more", "std::bad_alloc"),
            (
                "/onnxruntime_src/a.cc:2043 Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library x with error: \
                 libcublasLt.so.13: cannot open shared object file",
                "Failed to load library x with error: libcublasLt.so.13: cannot open shared object file",
            ),
            (
                "Exception during initialization: /onnxruntime_src/a.cc:154 bool CudaCall(int) [with T = int] CUBLAS \
                 failure 1: the library was not initialized ; GPU=0 ; hostname=vm",
                "CUBLAS failure 1: the library was not initialized",
            ),
        ] {
            assert_eq!(cause(message), told);
        }
    }

    #[test]
    fn a_network_that_gives_no_figure_is_named_with_its_file() {
        let error = EngineError::NotJudged {
            network: "Inception-v3 pool3".to_owned(),
            path: "models/inception/features.json".into(),
        };
        let told = error.to_string();
        for words in [
            "Inception-v3 pool3",
            "(models/inception/features.json)",
            "not finite",
        ] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
    }

    #[test]
    fn a_lack_of_memory_is_known_whoever_tells_it() {
        let class = |message: &str| {
            let error = EngineError::Run {
                part: "segment_0.onnx".to_owned(),
                source: ort::Error::new(message),
            };
            error.class()
        };
        for message in [
            "Failed to allocate memory for requested buffer of size 67108864",
            "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, size);",
            "BFCArena: Available memory of 1024 is smaller than requested bytes of 4096",
            "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
            "CUDNN failure 4004: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0",
            "CUDNN_FE failure 11: CUDNN_BACKEND_API_FAILED (CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED) ; GPU=0",
            "std::bad_alloc",
        ] {
            assert_eq!(class(message), FailureClass::Resources, "{message}");
        }
    }

    #[test]
    fn a_lost_device_is_of_no_use_to_any_run_and_a_model_that_fails_is_of_none_to_its_own() {
        let class = |message: &str| {
            let error = EngineError::Run {
                part: "segment_0.onnx".to_owned(),
                source: ort::Error::new(message),
            };
            error.class()
        };
        for message in [
            "CUDA failure 700: an illegal memory access was encountered",
            "CUDNN failure 5003: CUDNN_STATUS_EXECUTION_FAILED ; GPU=0",
            "CUDNN_FE failure 11: CUDNN_BACKEND_API_FAILED (CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER) ; GPU=0",
        ] {
            assert_eq!(class(message), FailureClass::Fatal, "{message}");
        }
        let other =
            "Non-zero status code returned while running Reshape node: input shape {4} and {5}";
        assert_eq!(class(other), FailureClass::Unworkable);
    }
}
