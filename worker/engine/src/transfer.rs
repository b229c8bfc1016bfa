//! Copies of tensors from a device to the host, and from the host to a device.
//!
//! A graph that hands a tensor on makes them: in the stream and the arena that all graphs share, which the `ort` crate's own
//! copy does not use.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ort::editor::Model;
use ort::value::{DynValue, TensorElementType};
use shared::settings::Device;

use crate::builder::Builder;
use crate::runtime::Runtime;
use crate::session::{GraphSession, WrittenGraph};
use crate::{EngineError, tensor};
use shared::model::Precision;

const NAME: &str = "bringing a tensor from the device";
const ON_DEVICE: &str = "on_device";
const ON_HOST: &str = "on_host";

/// The shape of a layer's tensor, `(1, tokens, width)`.
type Shape = [usize; 3];

/// Copies tensors of a precision, by one graph for each shape, made when it is first met.
pub(super) struct Transfer {
    runtime: Runtime,
    precision: Precision,
    sessions: HashMap<Shape, GraphSession>,
}

impl Transfer {
    pub(super) fn new(runtime: &Runtime, precision: Precision) -> Self {
        Self {
            runtime: runtime.clone(),
            precision,
            sessions: HashMap::new(),
        }
    }

    /// Returns whether the device is the CPU, whose tensors are on the host already.
    pub(super) fn is_needless(&self) -> bool {
        self.runtime.device() == Device::Cpu
    }

    /// Returns a copy of a tensor `(1, tokens, width)` in the host's memory.
    pub(super) fn copy_to_host(&mut self, value: &DynValue) -> Result<DynValue, EngineError> {
        let shape: Shape = tensor::shape(value).map_err(|source| EngineError::Run {
            part: NAME.to_owned(),
            source,
        })?;
        let session = match self.sessions.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(vacant) => {
                let written = WrittenGraph {
                    name: NAME,
                    precision: self.precision,
                    inputs: &[ON_DEVICE],
                    output: ON_HOST,
                    model: graph(shape, self.precision, [ON_DEVICE, ON_HOST]),
                };
                let session = GraphSession::from_graph(&self.runtime, written)?;
                vacant.insert(session.with_host_outputs()?)
            }
        };
        session.run_on(&[(ON_DEVICE, value)])
    }
}

/// Brings tensors of a shape to a GPU, and makes new ones there.
pub(super) struct Upload {
    session: GraphSession,
    shape: Shape,
}

/// A tensor on a GPU: one that was there, or a copy.
pub(super) enum OnGpu<'a> {
    /// It was there.
    Given(&'a DynValue),
    /// It was on the host.
    Copied(DynValue),
}

impl AsRef<DynValue> for OnGpu<'_> {
    fn as_ref(&self) -> &DynValue {
        match self {
            Self::Given(tensor) => tensor,
            Self::Copied(tensor) => tensor,
        }
    }
}

impl Upload {
    pub(super) fn new(
        runtime: &Runtime,
        shape: Shape,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        let written = WrittenGraph {
            name: "bringing a tensor to the device",
            precision,
            inputs: &[ON_HOST],
            output: ON_DEVICE,
            model: graph(shape, precision, [ON_HOST, ON_DEVICE]),
        };
        let session = GraphSession::from_graph(runtime, written)?;
        Ok(Self { session, shape })
    }

    /// Returns a tensor of the shape on the GPU.
    pub(super) fn bring<'a>(&mut self, tensor: &'a DynValue) -> Result<OnGpu<'a>, EngineError> {
        let check = |tensor: &DynValue| -> ort::Result<bool> {
            let found: Shape = tensor::shape(tensor)?;
            if found != self.shape {
                return Err(ort::Error::new(format!(
                    "a tensor has shape {found:?}, and {:?} is needed",
                    self.shape
                )));
            }
            tensor::is_on_gpu(tensor)
        };
        match check(tensor).map_err(|source| self.session.error(source))? {
            true => Ok(OnGpu::Given(tensor)),
            false => Ok(OnGpu::Copied(self.session.run_on(&[(ON_HOST, tensor)])?)),
        }
    }

    /// Returns a new tensor of any shape on the GPU, of whatever numbers are there.
    pub(super) fn allocate(
        &self,
        element: TensorElementType,
        shape: &[usize],
    ) -> ort::Result<DynValue> {
        self.session.allocate(element, shape)
    }
}

/// Returns the graph that hands on a tensor.
fn graph(shape: Shape, precision: Precision, [from, to]: [&str; 2]) -> ort::Result<Model> {
    let dtype = tensor::element(precision);
    let mut graph = Builder::new()?;
    let tensor = graph.input(from, dtype, &shape);
    graph.output(&tensor, to, dtype, &shape)?;
    graph.finish()
}
