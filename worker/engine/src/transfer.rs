//! Copies of tensors from a device to the host.
//!
//! A graph that hands a tensor on makes them: in the stream and the arena that all graphs share, which the `ort` crate's own
//! copy does not use.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ort::editor::Model;
use ort::value::DynValue;
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
            Entry::Vacant(room) => {
                let written = WrittenGraph {
                    name: NAME,
                    precision: self.precision,
                    inputs: &[ON_DEVICE],
                    output: ON_HOST,
                    model: graph(shape, self.precision),
                };
                let session = GraphSession::from_graph(&self.runtime, written)?;
                room.insert(session.with_host_outputs()?)
            }
        };
        session.run_on(&[(ON_DEVICE, value)])
    }
}

/// Returns the graph that hands on a tensor.
fn graph(shape: Shape, precision: Precision) -> ort::Result<Model> {
    let dtype = tensor::element(precision);
    let mut graph = Builder::new()?;
    let tensor = graph.input(ON_DEVICE, dtype, &shape);
    graph.output(&tensor, ON_HOST, dtype, &shape)?;
    graph.finish()
}
