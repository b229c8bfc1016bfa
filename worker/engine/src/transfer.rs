//! Tensors brought from a device to the processor.
//!
//! A graph that hands a tensor on does it: in the stream and the arena that all graphs share, which the copy of the `ort`
//! crate has not.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ort::editor::Model;
use ort::value::DynValue;
use shared::settings::Device;

use super::EngineError;
use super::builder::Builder;
use super::runtime::Runtime;
use super::session::{PartSession, WrittenGraph};
use super::tensor;
use shared::model::Precision;

const NAME: &str = "bringing a tensor from the device";
const THERE: &str = "there";
const HERE: &str = "here";

/// The shape of a layer's tensor, `(1, tokens, width)`.
type Shape = [usize; 3];

/// Brings tensors of a precision, by one graph for each shape, made when it is first met.
pub(super) struct Transfer {
    runtime: Runtime,
    precision: Precision,
    sessions: HashMap<Shape, PartSession>,
}

impl Transfer {
    pub(super) fn new(runtime: &Runtime, precision: Precision) -> Self {
        Self {
            runtime: runtime.clone(),
            precision,
            sessions: HashMap::new(),
        }
    }

    /// Returns whether the device is the processor itself.
    pub(super) fn is_needless(&self) -> bool {
        self.runtime.device() == Device::Cpu
    }

    /// Returns a copy that the processor can read.
    pub(super) fn bring_here(&mut self, value: &DynValue) -> Result<DynValue, EngineError> {
        let shape = tensor::shape(value);
        let session = match self.sessions.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(room) => {
                let written = WrittenGraph {
                    name: NAME,
                    precision: self.precision,
                    inputs: &[THERE],
                    output: HERE,
                    model: graph(shape, self.precision),
                };
                let session = PartSession::from_graph(&self.runtime, written)?;
                room.insert(session.with_outputs_here()?)
            }
        };
        session.run_on(&[(THERE, value)])
    }
}

/// Returns the graph that hands on a tensor.
fn graph(shape: Shape, precision: Precision) -> ort::Result<Model> {
    let dtype = tensor::element(precision);
    let mut graph = Builder::new()?;
    let there = graph.input(THERE, dtype, &shape);
    graph.output(&there, HERE, dtype, &shape)?;
    graph.finish()
}
