//! One graph as a session of ONNX Runtime whose inputs and outputs are those of its contract.

use std::path::Path;

use ort::editor::Model;
use ort::memory::{Allocator, MemoryInfo};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::{DynTensor, DynValue, Shape, TensorElementType};

use kernels::bf16::Operands;
use shared::settings::Device;

use crate::complaints;
use crate::fusion::{self, LoadError};
use crate::runtime::Runtime;
use crate::tensor::Tensors;
use crate::{EngineError, device, outlets, tensor, tensor_cores};
use shared::model::{self, ContractError, GraphFile, Precision, TensorContract};

/// ONNX Runtime's name of what makes one node of those that compute the same.
const MERGES_NODES: &str = "CommonSubexpressionElimination";
/// ONNX Runtime's option of runs that names devices whose arenas become smaller.
const GIVES_BACK: &str = "memory.enable_memory_arena_shrinkage";

/// The size of the images that a network is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// A graph that is loaded and ready to run.
pub(super) struct GraphSession {
    name: String,
    session: Session,
    inputs: Vec<String>,
    outputs: Vec<String>,
    device: Device,
    precision: Precision,
    /// The memory that outputs are written to.
    memory: MemoryInfo<'static>,
    options: RunOptions,
}

/// A graph that this program wrote, and that is read from no file.
pub(super) struct WrittenGraph<'a> {
    /// Its name in errors.
    pub(super) name: &'a str,
    /// The precision of its tensors.
    pub(super) precision: Precision,
    /// The names of its inputs.
    pub(super) inputs: &'a [&'a str],
    /// The names of its outputs.
    pub(super) outputs: &'a [&'a str],
    /// The graph, if it could be written.
    pub(super) model: ort::Result<Model>,
}

impl GraphSession {
    /// Loads a graph as its file says, and refuses it where it differs from its contract.
    pub(super) fn load(
        runtime: &Runtime,
        folder: &Path,
        graph: &GraphFile,
    ) -> Result<Self, EngineError> {
        let build =
            |path: &Path| Ok(builder(runtime, precision_of(graph))?.commit_from_file(path)?);
        Self::load_by(runtime, folder, graph, build)
    }

    /// Loads a graph that takes images of any size for images of one, one at a time: what it computes of sizes is then known
    /// when it is loaded, and no node of it is left to the CPU.
    pub(super) fn load_for(
        runtime: &Runtime,
        folder: &Path,
        graph: &GraphFile,
        size: InputSize,
    ) -> Result<Self, EngineError> {
        let length = |length: usize| {
            tensor::whole(length).map_err(|source| EngineError::Run {
                part: graph.file.clone(),
                source,
            })
        };
        let (height, width) = (length(size.height)?, length(size.width)?);
        let known = [("batch", 1), ("height", height), ("width", width)];
        let build = |path: &Path| {
            let mut builder = builder(runtime, precision_of(graph))?;
            for (name, length) in known {
                builder = builder
                    .with_dimension_override(name, length)
                    .map_err(ort::Error::from)?;
            }
            Ok(builder.commit_from_file(path)?)
        };
        Self::load_by(runtime, folder, &graph.with_known(&known), build)
    }

    /// Loads a graph with our operators where they are faster, whose products are made of `operands`, and refuses it where it
    /// differs from its contract.
    pub(super) fn load_fast(
        runtime: &Runtime,
        folder: &Path,
        graph: &GraphFile,
        operands: Operands,
    ) -> Result<Self, EngineError> {
        match runtime.device() {
            Device::Cpu => Self::load_by(runtime, folder, graph, |path| {
                fusion::load(builder(runtime, precision_of(graph))?, path, operands)
            }),
            Device::Cuda(_) => Self::load(runtime, folder, graph),
        }
    }

    fn load_by(
        runtime: &Runtime,
        folder: &Path,
        graph: &GraphFile,
        build: impl FnOnce(&Path) -> Result<Session, LoadError>,
    ) -> Result<Self, EngineError> {
        let path = folder.join(&graph.file);
        let refuse = |reason: String| {
            let path = path.clone();
            EngineError::from(ContractError::Unusable { path, reason })
        };
        let unusable = |error: LoadError| match (model::gone(folder, graph), runtime.device()) {
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
        let options = without_wait(runtime.device()).map_err(|e| unusable(e.into()))?;
        for (kind, expected, found) in [
            ("input", &graph.inputs, session.inputs()),
            ("output", &graph.outputs, session.outputs()),
        ] {
            outlets::compare(kind, expected, found).map_err(refuse)?;
        }
        let names = |tensors: &[TensorContract]| -> Vec<String> {
            tensors.iter().map(|tensor| tensor.name.clone()).collect()
        };
        Ok(Self {
            name: graph.file.clone(),
            session,
            inputs: names(&graph.inputs),
            outputs: names(&graph.outputs),
            device: runtime.device(),
            precision: precision_of(graph),
            memory,
            options,
        })
    }

    /// Loads a graph that this program wrote, and computes each of its nodes.
    ///
    /// A node that is written twice is meant: what it makes is too large to be kept until it is needed again.
    pub(super) fn from_graph(
        runtime: &Runtime,
        written: WrittenGraph<'_>,
    ) -> Result<Self, EngineError> {
        let WrittenGraph {
            name,
            precision,
            inputs,
            outputs,
            model,
        } = written;
        let failed = |source| EngineError::Run {
            part: name.to_owned(),
            source,
        };
        let load = |model: Model| -> ort::Result<Session> {
            let builder = builder(runtime, precision)?;
            model.into_session(&builder.with_disabled_optimizers(MERGES_NODES)?)
        };
        let session = model.and_then(load);
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Ok(Self {
            name: name.to_owned(),
            session: session.map_err(failed)?,
            inputs: owned(inputs),
            outputs: owned(outputs),
            device: runtime.device(),
            precision,
            memory: device::memory(runtime.device()).map_err(failed)?,
            options: without_wait(runtime.device()).map_err(failed)?,
        })
    }

    /// Has outputs written to the host's memory, where they would stay on the device.
    pub(super) fn with_host_outputs(mut self) -> Result<Self, EngineError> {
        self.memory = device::memory(Device::Cpu).map_err(|source| self.error(source))?;
        // They are read on the host, so it waits for them.
        self.options = RunOptions::new().map_err(|source| self.error(source))?;
        Ok(self)
    }

    /// Has each run end by giving back the memory of a GPU that no tensor is in.
    pub(super) fn that_gives_back(mut self, number: u8) -> Result<Self, EngineError> {
        let device = format!("gpu:{number}");
        let set = self.options.set(GIVES_BACK, device);
        set.map_err(|source| self.error(source))?;
        Ok(self)
    }

    /// Runs the graph on the tensors that it names among `tensors`; what it makes stays on its device unless it was loaded
    /// [`with_host_outputs`](Self::with_host_outputs).
    pub(super) fn run(&mut self, tensors: &Tensors) -> Result<Tensors, EngineError> {
        self.run_with(|name| tensors.get(name))
    }

    /// Runs a graph of one output on tensors by name.
    pub(super) fn run_on(
        &mut self,
        tensors: &[(&str, &DynValue)],
    ) -> Result<DynValue, EngineError> {
        let mut made = self.run_all_on(tensors)?;
        let output = self.outputs.first().and_then(|name| made.remove(name));
        output.ok_or_else(|| self.error(ort::Error::new("nothing came out")))
    }

    /// Runs a graph on tensors by name; returns all its outputs.
    pub(super) fn run_all_on(
        &mut self,
        tensors: &[(&str, &DynValue)],
    ) -> Result<Tensors, EngineError> {
        let named = |name: &str| tensors.iter().find(|(known, _)| *known == name);
        self.run_with(|name| named(name).map(|(_, tensor)| *tensor))
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
        let (session, options) = (&mut self.session, &self.options);
        let made = match self.device {
            // Operators of ours are called on this thread. If it did not share their work, each of its many parts would wake
            // those that do.
            Device::Cpu => rayon::scope(|_| bound(session, options, bind)),
            Device::Cuda(_) => complaints::explain(|| bound(session, options, bind)),
        };
        let on_tensor_cores = tensor_cores::were_taken();
        let made = made.map_err(|source| self.error(source))?;
        if on_tensor_cores && self.precision == Precision::Fp32 {
            return Err(self.inexact());
        }
        Ok(made)
    }

    /// Returns the error of a graph in float32 of which something was computed on tensor cores.
    fn inexact(&self) -> EngineError {
        EngineError::Device {
            device: self.device,
            reason: format!(
                "cuDNN has none but tensor cores for a convolution of {}, and these keep 10 of the 23 bits of float32; take \
                 another cuDNN (infra/setup/cuda.txt has one), another GPU, or a model exported with --dtype fp16",
                self.name
            ),
        }
    }

    /// Returns a new tensor on the device, of whatever numbers are in its memory there.
    pub(super) fn allocate(
        &self,
        element: TensorElementType,
        shape: &[usize],
    ) -> ort::Result<DynValue> {
        let allocator = Allocator::new(&self.session, device::memory(self.device)?)?;
        let tensor = DynTensor::new(&allocator, element, Shape::from(shape))?;
        Ok(tensor.into_dyn())
    }

    /// Returns the names of the tensors that the graph reads.
    pub(super) fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Returns an error of this graph.
    pub(super) fn error(&self, source: ort::Error) -> EngineError {
        EngineError::Run {
            part: self.name.clone(),
            source,
        }
    }
}

/// Runs a session once on the tensors that `bind` binds. A binding of its own gives each run tensors of its own.
fn bound(
    session: &mut Session,
    options: &RunOptions,
    bind: impl FnOnce(&mut IoBinding) -> ort::Result<()>,
) -> ort::Result<Tensors> {
    let mut binding = session.create_binding()?;
    bind(&mut binding)?;
    let outputs = session.run_binding_with_options(&binding, options)?;
    let named = |(name, tensor): (&str, DynValue)| (name.to_owned(), tensor);
    Ok(outputs.into_iter().map(named).collect())
}

/// Returns options of runs whose outputs stay on a device: no run waits for it, as all are on one stream, and the first
/// that hands something to the host waits for all before it.
fn without_wait(device: Device) -> ort::Result<RunOptions> {
    let mut options = RunOptions::new()?;
    match device {
        Device::Cpu => {}
        Device::Cuda(_) => options.disable_device_sync()?,
    }
    Ok(options)
}

/// Returns the precision of a graph's tensors.
fn precision_of(graph: &GraphFile) -> Precision {
    let is_half = |tensor: &TensorContract| tensor.dtype == "float16";
    if graph.inputs.iter().chain(&graph.outputs).any(is_half) {
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
            // A node that the device cannot run is an error here, and not a copy to the CPU and back at every run.
            .with_disable_cpu_fallback()?
            // The bytes of an image must not depend on which attempt made it.
            .with_deterministic_compute(true)?,
    })
}
