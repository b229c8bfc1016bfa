//! Copies of tensors from a device to the host, from the host to a device, and on one.
//!
//! A graph that hands a tensor on makes them: in the stream and the arena that all graphs share, which the `ort` crate's own
//! copy does not use.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ndarray::Array2;
use ort::editor::Model;
use ort::value::{DynValue, TensorElementType};
use shared::settings::Device;

use crate::builder::Builder;
use crate::runtime::Runtime;
use crate::session::{GraphSession, WrittenGraph};
use crate::{EngineError, tensor};
use shared::model::Precision;

const NAME: &str = "bringing a tensor from the device";
const GIVEN: &str = "given";
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
        let shape = shape_of(value, NAME)?;
        let session = match self.sessions.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(vacant) => {
                let names = [ON_DEVICE, ON_HOST];
                let session = handing_on(&self.runtime, NAME, (shape, self.precision), names)?;
                vacant.insert(session.with_host_outputs()?)
            }
        };
        session.run_on(&[(ON_DEVICE, value)])
    }

    /// Returns the numbers of a tensor `(1, tokens, width)`, wherever it is.
    pub(super) fn numbers(&mut self, value: &DynValue) -> Result<Array2<f32>, EngineError> {
        let numbers = |value: &DynValue| match tensor::tokens(value) {
            Ok(tokens) => Ok(tokens.into_owned()),
            Err(source) => Err(failed(NAME, source)),
        };
        if self.is_needless() {
            return numbers(value);
        }
        numbers(&self.copy_to_host(value)?)
    }
}

/// Copies tensors of a precision from where they are to the device, by one graph for each shape.
pub(super) struct Copies {
    runtime: Runtime,
    precision: Precision,
    sessions: HashMap<Shape, GraphSession>,
}

impl Copies {
    pub(super) fn new(runtime: &Runtime, precision: Precision) -> Self {
        Self {
            runtime: runtime.clone(),
            precision,
            sessions: HashMap::new(),
        }
    }

    /// Returns a copy of a tensor `(1, tokens, width)`.
    pub(super) fn copy(&mut self, value: &DynValue) -> Result<DynValue, EngineError> {
        const NAME: &str = "copying a tensor on the device";
        let shape = shape_of(value, NAME)?;
        let session = match self.sessions.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(vacant) => {
                let names = [GIVEN, ON_DEVICE];
                let kind = (shape, self.precision);
                vacant.insert(handing_on(&self.runtime, NAME, kind, names)?)
            }
        };
        session.run_on(&[(GIVEN, value)])
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
        let name = "bringing a tensor to the device";
        let session = handing_on(runtime, name, (shape, precision), [ON_HOST, ON_DEVICE])?;
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

/// Returns a graph that hands on a tensor.
fn handing_on(
    runtime: &Runtime,
    name: &str,
    (shape, precision): (Shape, Precision),
    names: [&str; 2],
) -> Result<GraphSession, EngineError> {
    let [from, to] = names;
    let written = WrittenGraph {
        name,
        precision,
        inputs: &[from],
        outputs: &[to],
        model: graph(shape, precision, names),
    };
    GraphSession::from_graph(runtime, written)
}

fn shape_of(value: &DynValue, part: &str) -> Result<Shape, EngineError> {
    tensor::shape(value).map_err(|source| failed(part, source))
}

fn failed(part: &str, source: ort::Error) -> EngineError {
    EngineError::Run {
        part: part.to_owned(),
        source,
    }
}

/// Returns a graph whose one output is its input.
fn graph(shape: Shape, precision: Precision, [from, to]: [&str; 2]) -> ort::Result<Model> {
    let dtype = tensor::element(precision);
    let mut graph = Builder::new()?;
    let tensor = graph.input(from, dtype, &shape);
    graph.output(&tensor, to, dtype, &shape)?;
    graph.finish()
}
