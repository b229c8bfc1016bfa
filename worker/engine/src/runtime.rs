//! ONNX Runtime's shared library, loaded once for a process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;
use shared::paths;
use shared::settings::{Device, EngineConfig};

use crate::{EngineError, RuntimeError, arena, device, library_version};
use kernels::vectors::{self, Vectors, VectorsError};

const LIBRARY: &str = "libonnxruntime.so";
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The process has one environment, kept alive until it ends.
static STARTED: Mutex<Option<Started>> = Mutex::new(None);

/// ONNX Runtime with one thread pool for all sessions.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    device: Device,
}

/// The process's environment, and the GPUs of which it has an arena.
struct Started {
    environment: Environment,
    gpus: Vec<Device>,
}

impl Runtime {
    /// Loads the library that `ORT_DYLIB_PATH` names, or else one beside the program.
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
            none => none.insert(Started {
                environment: Self::start(config)?,
                gpus: Vec::new(),
            }),
        };
        let device = config.device;
        device::check(&started.environment, config)?;
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
        })
    }

    fn start(config: &EngineConfig) -> Result<Environment, EngineError> {
        choose_vectors()?;
        let path = find_library()?;
        let unusable = |reason: String| EngineError::RuntimeUnusable {
            path: path.clone(),
            reason,
        };
        start_threads_of_kernels(config);
        let builder = ort::init_from(&path).map_err(|e| unusable(e.to_string()))?;
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
        Ok(environment)
    }

    /// Returns the names of the kinds of devices that the library was built for, of those that settings may name.
    ///
    /// # Errors
    ///
    /// [`RuntimeError`] if the library does not say.
    pub fn devices(&self) -> Result<Vec<&'static str>, RuntimeError> {
        device::providers()
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(super) fn device(&self) -> Device {
        self.device
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

/// Returns where the library is: where `ORT_DYLIB_PATH` says, or else beside the program. It is not loaded.
///
/// # Errors
///
/// [`EngineError::RuntimeMissing`] naming every place looked at.
pub fn find_library() -> Result<PathBuf, EngineError> {
    let candidates = match std::env::var_os(VARIABLE) {
        Some(path) if !path.is_empty() => {
            let path = PathBuf::from(path);
            vec![paths::given(&path).unwrap_or(path)]
        }
        _ => beside_the_program().map_err(|error| EngineError::RuntimeMissing {
            looked_at: vec![format!(
                "no place, as it is not known where this program lies ({error})"
            )],
        })?,
    };
    candidates
        .iter()
        .find(|path| path.is_file())
        .cloned()
        .ok_or_else(|| EngineError::RuntimeMissing {
            looked_at: candidates
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        })
}

fn beside_the_program() -> io::Result<Vec<PathBuf>> {
    let program = std::env::current_exe()?;
    let folder = program.parent().ok_or(io::ErrorKind::NotFound)?;
    Ok(vec![
        folder.join(LIBRARY),
        folder.join("../lib").join(LIBRARY),
    ])
}
