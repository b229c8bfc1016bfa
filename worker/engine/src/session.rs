//! One ONNX file as a session whose inputs and outputs are those of the contract.

use std::collections::HashMap;
use std::path::Path;

use ort::editor::Model;
use ort::memory::MemoryInfo;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{IoBinding, Session};
use ort::value::{DynValue, Outlet, TensorElementType, ValueType};

use shared::settings::Device;

use super::fusion::{self, LoadError};
use super::runtime::Runtime;
use super::{EngineError, device, tensor};
use shared::model::{self, ContractError, Dimension, Part, Precision, TensorContract};

/// The size of the images that a network is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// Tensors by name.
pub(super) type Tensors = HashMap<String, DynValue>;

/// A part of the model, ready to run.
pub(super) struct PartSession {
    name: String,
    session: Session,
    inputs: Vec<String>,
    outputs: Vec<String>,
    device: Device,
    /// Where outputs go.
    memory: MemoryInfo<'static>,
}

/// A graph that was written here and not read from a file.
pub(super) struct WrittenGraph<'a> {
    /// What errors call it.
    pub(super) name: &'a str,
    /// What it computes with.
    pub(super) precision: Precision,
    /// The names of its inputs.
    pub(super) inputs: &'a [&'a str],
    /// The name of its output.
    pub(super) output: &'a str,
    /// The graph, if it could be written.
    pub(super) model: ort::Result<Model>,
}

impl PartSession {
    /// Loads a part as its file says, and refuses it where it differs from its contract.
    pub(super) fn load(runtime: &Runtime, folder: &Path, part: &Part) -> Result<Self, EngineError> {
        let build = |path: &Path| Ok(builder(runtime, precision_of(part))?.commit_from_file(path)?);
        Self::load_by(runtime, folder, part, build)
    }

    /// Loads a part for images of one size, one at a time, where its graph takes any: what it computes of sizes is then
    /// known, and not left to the processor.
    pub(super) fn load_for(
        runtime: &Runtime,
        folder: &Path,
        part: &Part,
        size: InputSize,
    ) -> Result<Self, EngineError> {
        let length = |length: usize| {
            tensor::whole(length).map_err(|source| EngineError::Run {
                part: part.file.clone(),
                source,
            })
        };
        let (height, width) = (length(size.height)?, length(size.width)?);
        let known = [("batch", 1), ("height", height), ("width", width)];
        let build = |path: &Path| {
            let mut builder = builder(runtime, precision_of(part))?;
            for (name, length) in known {
                builder = builder
                    .with_dimension_override(name, length)
                    .map_err(ort::Error::from)?;
            }
            Ok(builder.commit_from_file(path)?)
        };
        Self::load_by(runtime, folder, &part.with_known(&known), build)
    }

    /// Loads a part with our operators where they are faster, and refuses it where it differs from its contract.
    pub(super) fn load_fast(
        runtime: &Runtime,
        folder: &Path,
        part: &Part,
    ) -> Result<Self, EngineError> {
        match runtime.device() {
            Device::Cpu => Self::load_by(runtime, folder, part, |path| {
                fusion::load(builder(runtime, precision_of(part))?, path)
            }),
            Device::Cuda(_) => Self::load(runtime, folder, part),
        }
    }

    fn load_by(
        runtime: &Runtime,
        folder: &Path,
        part: &Part,
        build: impl FnOnce(&Path) -> Result<Session, LoadError>,
    ) -> Result<Self, EngineError> {
        let path = folder.join(&part.file);
        let refuse = |reason: String| {
            let path = path.clone();
            EngineError::from(ContractError::Unusable { path, reason })
        };
        let unusable = |error: LoadError| match (model::gone(folder, part), runtime.device()) {
            // They were there a moment ago, when they were compared with their digests.
            (Some(gone), _) => gone.into(),
            (None, Device::Cpu) => refuse(format!("cannot be loaded: {error}")),
            // Its files are those of the contract, so the device is what keeps it from being loaded.
            (None, device @ Device::Cuda(_)) => EngineError::Device {
                device,
                reason: format!(
                    "loading {} there fails: {}; does nvidia-smi show it with memory to spare (one worker for each \
                     GPU), and are CUDA and cuDNN there in the versions that this ONNX Runtime was built for?",
                    path.display(),
                    error,
                ),
            },
        };
        let session = build(&path).map_err(unusable)?;
        let memory = device::memory(runtime.device()).map_err(|e| unusable(e.into()))?;
        for (kind, expected, found) in [
            ("input", &part.inputs, session.inputs()),
            ("output", &part.outputs, session.outputs()),
        ] {
            compare(kind, expected, found).map_err(refuse)?;
        }
        let names = |tensors: &[TensorContract]| -> Vec<String> {
            tensors.iter().map(|tensor| tensor.name.clone()).collect()
        };
        Ok(Self {
            name: part.file.clone(),
            session,
            inputs: names(&part.inputs),
            outputs: names(&part.outputs),
            device: runtime.device(),
            memory,
        })
    }

    /// Returns a graph that was written here as a session.
    pub(super) fn from_graph(
        runtime: &Runtime,
        written: WrittenGraph<'_>,
    ) -> Result<Self, EngineError> {
        let WrittenGraph {
            name,
            precision,
            inputs,
            output,
            model,
        } = written;
        let failed = |source| EngineError::Run {
            part: name.to_owned(),
            source,
        };
        let session = model.and_then(|model| model.into_session(&builder(runtime, precision)?));
        Ok(Self {
            name: name.to_owned(),
            session: session.map_err(failed)?,
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            outputs: vec![output.to_owned()],
            device: runtime.device(),
            memory: device::memory(runtime.device()).map_err(failed)?,
        })
    }

    /// Has outputs brought to the processor's memory, where they would stay on the device.
    pub(super) fn with_outputs_here(mut self) -> Result<Self, EngineError> {
        self.memory = device::memory(Device::Cpu).map_err(|source| self.error(source))?;
        Ok(self)
    }

    /// Runs the part on the tensors that it names among `tensors`; what it makes stays on its device if nothing else was
    /// said.
    pub(super) fn run(&mut self, tensors: &Tensors) -> Result<Tensors, EngineError> {
        self.run_with(|name| tensors.get(name))
    }

    /// Runs a part with one output on tensors by name.
    pub(super) fn run_on(
        &mut self,
        tensors: &[(&str, &DynValue)],
    ) -> Result<DynValue, EngineError> {
        let named = |name: &str| tensors.iter().find(|(known, _)| *known == name);
        let mut made = self.run_with(|name| named(name).map(|(_, tensor)| *tensor))?;
        let output = self.outputs.first().and_then(|name| made.remove(name));
        output.ok_or_else(|| self.error(ort::Error::new("nothing came out")))
    }

    fn run_with<'a>(
        &mut self,
        tensor: impl Fn(&str) -> Option<&'a DynValue> + Sync,
    ) -> Result<Tensors, EngineError> {
        let bind = |binding: &mut IoBinding| {
            for name in &self.inputs {
                let tensor = tensor(name)
                    .ok_or_else(|| ort::Error::new(format!("tensor {name} is missing")))?;
                binding.bind_input(name, tensor)?;
            }
            for name in &self.outputs {
                binding.bind_output_to_device(name, &self.memory)?;
            }
            Ok(())
        };
        let session = &mut self.session;
        let made = match self.device {
            // Operators of ours are called here. From a thread that does not share their work, each of its many parts
            // would wake those that do.
            Device::Cpu => rayon::scope(|_| bound(session, bind)),
            Device::Cuda(_) => bound(session, bind),
        };
        made.map_err(|source| EngineError::Run {
            part: self.name.clone(),
            source,
        })
    }

    /// Returns the names of the tensors that the part reads.
    pub(super) fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Returns an error of this part.
    pub(super) fn error(&self, source: ort::Error) -> EngineError {
        EngineError::Run {
            part: self.name.clone(),
            source,
        }
    }
}

/// Runs a session once on what `bind` binds. A binding of its own gives each run tensors of its own.
fn bound(
    session: &mut Session,
    bind: impl FnOnce(&mut IoBinding) -> ort::Result<()>,
) -> ort::Result<Tensors> {
    let mut binding = session.create_binding()?;
    bind(&mut binding)?;
    let outputs = session.run_binding(&binding)?;
    let named = |(name, tensor): (&str, DynValue)| (name.to_owned(), tensor);
    Ok(outputs.into_iter().map(named).collect())
}

/// Returns what a part computes with.
fn precision_of(part: &Part) -> Precision {
    let is_half = |tensor: &TensorContract| tensor.dtype == "float16";
    if part.inputs.iter().chain(&part.outputs).any(is_half) {
        Precision::Fp16
    } else {
        Precision::Fp32
    }
}

fn builder(runtime: &Runtime, precision: Precision) -> ort::Result<SessionBuilder> {
    let device = runtime.device();
    let builder = Session::builder(runtime.environment())?
        .with_execution_providers([device::provider(device, precision)])?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_env_allocators()?
        // See `arena`.
        .with_memory_pattern(false)?;
    Ok(match device {
        Device::Cpu => builder,
        Device::Cuda(_) => builder
            // A node that the device cannot run is an error here, and not a copy to the processor and back at every run.
            .with_disable_cpu_fallback()?
            // The bytes of an image must not depend on which attempt made it.
            .with_deterministic_compute(true)?,
    })
}

fn compare(kind: &str, expected: &[TensorContract], found: &[Outlet]) -> Result<(), String> {
    for tensor in expected {
        let Some(outlet) = found.iter().find(|outlet| outlet.name() == tensor.name) else {
            return Err(format!(
                "has no {kind} {}, which the contract names",
                tensor.name
            ));
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Err(format!("has an {kind} {} that is no tensor", tensor.name));
        };
        let free = |dimension: &Dimension, found: i64| match dimension {
            Dimension::Fixed(fixed) => *fixed == found,
            Dimension::Free(_) => found == -1,
        };
        let same_shape = tensor.shape.len() == shape.len()
            && tensor
                .shape
                .iter()
                .zip(shape.iter())
                .all(|(e, f)| free(e, *f));
        if dtype_name(ty) != tensor.dtype || !same_shape {
            return Err(format!(
                "has {kind} {} as {} {shape:?}, the contract says {} {:?}",
                tensor.name,
                dtype_name(ty),
                tensor.dtype,
                tensor.shape
            ));
        }
    }
    match found
        .iter()
        .find(|outlet| expected.iter().all(|tensor| tensor.name != outlet.name()))
    {
        Some(outlet) => Err(format!(
            "has an {kind} {} that the contract does not name",
            outlet.name()
        )),
        None => Ok(()),
    }
}

fn dtype_name(dtype: &TensorElementType) -> String {
    match dtype {
        TensorElementType::Float32 => "float32".to_owned(),
        TensorElementType::Float16 => "float16".to_owned(),
        TensorElementType::Int64 => "int64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}
