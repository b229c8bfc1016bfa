//! ONNX Runtime's shared library, loaded once for a process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;
use shared::platform::Platform;
use shared::settings::{Device, EngineConfig, InjectionKernels, Products};

use crate::{
    EngineError, RuntimeError, arena, complaints, device, library, library_version, platform,
    tensor_cores,
};
use kernels::bf16::{Operands, dot_products};
use kernels::vectors::{self, Vectors, VectorsError};

/// The process has one environment, kept alive until it ends.
static STARTED: Mutex<Option<Started>> = Mutex::new(None);

/// ONNX Runtime with one thread pool for all sessions.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    device: Device,
    products: Products,
    injection: InjectionKernels,
}

/// The process's environment, where its library lies, and the GPUs of which it has an arena.
struct Started {
    environment: Environment,
    library: PathBuf,
    gpus: Vec<Device>,
}

impl Runtime {
    /// Loads the library that `ORT_DYLIB_PATH` names, or else the one of this program ([`find_library`]).
    ///
    /// The first call decides the number of threads of the process, and the first for a GPU the memory taken of it.
    ///
    /// # Errors
    ///
    /// [`EngineError::RuntimeMissing`] naming every place looked at, [`EngineError::RuntimeUnusable`] if the library
    /// there cannot be used, [`EngineError::Device`] if it was built without the device's provider,
    /// [`EngineError::Vectors`] if the environment names vectors that cannot be pinned.
    pub fn load(config: &EngineConfig) -> Result<Self, EngineError> {
        // Held while it starts: two threads that load at once must not start two.
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        let started = match &mut *started {
            Some(started) => started,
            none => none.insert(Self::start(config)?),
        };
        if config.products == Products::Bf16 {
            let by_pairs = dot_products::are_used();
            tracing::info!(by_pairs, "products of the noise predictor are of bfloat16");
        }
        let device = config.device;
        device::check(&started.environment, &started.library, config)?;
        if device != Device::Cpu && !started.gpus.contains(&device) {
            arena::share(&started.environment, device, config.device_max_bytes).map_err(|e| {
                EngineError::Device {
                    device,
                    reason: format!("its memory cannot be shared by the model's parts: {e}"),
                }
            })?;
            started.gpus.push(device);
        }
        Ok(Self {
            environment: started.environment.clone(),
            device,
            products: config.products,
            injection: config.injection,
        })
    }

    fn start(config: &EngineConfig) -> Result<Started, EngineError> {
        choose_vectors()?;
        let path = library::find()?;
        let unusable = |reason: String| EngineError::RuntimeUnusable {
            path: path.clone(),
            reason,
        };
        start_threads_of_kernels(config);
        let builder = ort::init_from(&path).map_err(|e| unusable(why_not_loaded(&e)))?;
        let pool = GlobalThreadPoolOptions::default()
            .with_intra_threads(config.threads)
            .and_then(|pool| pool.with_inter_threads(1))
            // Between segments and in operators of ours the cores belong to kernels, so idle threads must not spin.
            .and_then(|pool| pool.with_spin_control(false))
            .map_err(|e| unusable(e.to_string()))?;
        let environment = builder
            .with_name("synth2real")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .with_global_thread_pool(pool)
            .build()
            .map_err(|e| unusable(e.to_string()))?;
        arena::share(&environment, Device::Cpu, None).map_err(|e| unusable(e.to_string()))?;
        Ok(Started {
            environment,
            library: path,
            gpus: Vec::new(),
        })
    }

    /// Returns the names of the kinds of devices that the library was built for, of those that settings may name.
    ///
    /// # Errors
    ///
    /// [`RuntimeError`] if the library does not say.
    pub fn devices(&self) -> Result<Vec<&'static str>, RuntimeError> {
        device::providers()
    }

    /// Returns what its device computes with.
    #[must_use]
    pub fn platform(&self) -> Platform {
        platform::of(self.device)
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(super) fn device(&self) -> Device {
        self.device
    }

    /// Returns what the products of the noise predictor are made of, where kernels of ours compute them.
    pub(super) fn operands(&self) -> Operands {
        match self.products {
            Products::F32 => Operands::Single,
            Products::Bf16 => Operands::Bf16,
        }
    }

    /// Returns what may compute injected layers on a GPU.
    pub(super) fn injection(&self) -> InjectionKernels {
        self.injection
    }
}

/// Returns why a library cannot be loaded, one of another version in words that name both.
fn why_not_loaded(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::BadVersion { version_str, .. } => {
            let oldest = ort::MINOR_VERSION;
            format!("it is version {version_str}, and 1.{oldest} or later is needed")
        }
        LoadDynamicError::Dlopen { .. }
        | LoadDynamicError::MissingApi { .. }
        | LoadDynamicError::InvalidVersionString => error.to_string(),
    }
}

/// Takes what ONNX Runtime would write to standard error: most of it says again what a call returns as its error.
fn log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    let message = message.trim();
    match level {
        LogLevel::Verbose | LogLevel::Info => {
            tracing::trace!(location, "ONNX Runtime says: {message}");
        }
        LogLevel::Warning => tracing::debug!(location, "ONNX Runtime warns: {message}"),
        LogLevel::Error | LogLevel::Fatal => {
            complaints::note(message);
            tensor_cores::note(message);
            tracing::warn!(location, "ONNX Runtime complains: {message}");
        }
    }
}

/// Says which vectors kernels compute with, before the first of them does.
fn choose_vectors() -> Result<(), VectorsError> {
    let pinned = vectors::pin_as_told()?;
    let lanes = vectors::lanes();
    match pinned {
        // Otherwise the time that a run takes would be the first sign of it.
        Some(pinned) => tracing::warn!(
            lanes,
            vectors = pinned.as_str(),
            "kernels compute with the vectors that {} names, and slowly if they are narrow",
            vectors::VARIABLE
        ),
        None => tracing::info!(lanes, "kernels compute with the widest vectors there are"),
    }
    Ok(())
}

/// Gives attention and operators of ours as many threads as the graphs have. A process has one such pool: the first stays.
fn start_threads_of_kernels(config: &EngineConfig) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads)
        .thread_name(|thread| format!("kernels-{thread}"));
    if let Err(error) = pool.build_global() {
        tracing::debug!(%error, "kernels keep the threads they have");
    }
}

/// The vectors that kernels compute with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorsInUse {
    /// Numbers of single precision that one holds.
    pub lanes: usize,
    /// Whether products of bfloat16 are made of pairs, which is faster here; else as those of single precision are.
    pub multiply_pairs: bool,
    /// The name that the environment pins them by, if it does.
    pub pinned: Option<&'static str>,
}

/// Returns the vectors that kernels of this process compute with from now on.
///
/// # Errors
///
/// [`EngineError::Vectors`] if the environment names some that cannot be pinned.
pub fn vectors_in_use() -> Result<VectorsInUse, EngineError> {
    let pinned = vectors::pin_as_told()?;
    Ok(VectorsInUse {
        lanes: vectors::lanes(),
        multiply_pairs: dot_products::are_used(),
        pinned: pinned.map(Vectors::as_str),
    })
}

/// Returns the version of ONNX Runtime that a library is of, as its symbols say; none if they do not.
///
/// # Errors
///
/// If it cannot be read.
pub fn version_of(library: &Path) -> io::Result<Option<String>> {
    library_version::read(library)
}

/// Returns where the library is: where `ORT_DYLIB_PATH` says; or else beside the program, or among the Python packages below
/// the folder that the program was installed into. It is not loaded.
///
/// # Errors
///
/// [`EngineError::RuntimeMissing`] naming every place looked at.
pub fn find_library() -> Result<PathBuf, EngineError> {
    library::find()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_of_another_version_is_refused_with_its_version_and_the_one_that_is_needed() {
        let too_old = LoadDynamicError::BadVersion {
            version_str: "1.20.1".to_owned(),
            path: "/a/libonnxruntime.so".into(),
        };
        let told = "it is version 1.20.1, and 1.24 or later is needed";
        assert_eq!(why_not_loaded(&too_old), told);
        let none = LoadDynamicError::MissingApi { path: "/a".into() };
        assert!(why_not_loaded(&none).contains("OrtGetApiBase"));
    }
}
