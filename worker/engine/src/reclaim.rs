//! Memory of a GPU that no tensor is in any more, given back to it.
//!
//! What the arena has taken it keeps, in blocks of the sizes that were asked for. A request that none of them is large
//! enough for takes more of the GPU, though all of them together would do. ONNX Runtime gives free blocks back at the end
//! of a run that is told to, so there is a graph for that.

use ort::editor::Model;
use shared::settings::Device;

use crate::EngineError;
use crate::builder::Builder;
use crate::runtime::Runtime;
use crate::session::{GraphSession, WrittenGraph};
use crate::tensor::{self, Element};
use shared::model::Precision;

const NAME: &str = "giving back the memory of the device";
const GIVEN: &str = "given";
const HANDED_ON: &str = "handed_on";
/// `(1, tokens, width)`.
const SHAPE: [usize; 3] = [1, 1, 1];

/// Gives back what is free.
pub(super) struct Reclaim {
    runtime: Runtime,
    session: Option<GraphSession>,
}

impl Reclaim {
    pub(super) fn new(runtime: &Runtime) -> Self {
        Self {
            runtime: runtime.clone(),
            session: None,
        }
    }

    /// Gives free blocks of a GPU's arena back to it; of the host's memory nothing.
    pub(super) fn give_back(&mut self) -> Result<(), EngineError> {
        let Device::Cuda(number) = self.runtime.device() else {
            return Ok(());
        };
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(session(&self.runtime, number)?),
        };
        let failed = |source| EngineError::Run {
            part: NAME.to_owned(),
            source,
        };
        let bytes = [0; size_of::<f32>()];
        let given = tensor::from_bytes(&bytes, SHAPE, Element::Fp32).map_err(failed)?;
        session.run_on(&[(GIVEN, &given)])?;
        Ok(())
    }
}

fn session(runtime: &Runtime, number: u8) -> Result<GraphSession, EngineError> {
    let written = WrittenGraph {
        name: NAME,
        precision: Precision::Fp32,
        inputs: &[GIVEN],
        outputs: &[HANDED_ON],
        model: graph(),
    };
    let session = GraphSession::from_graph(runtime, written)?;
    session.with_host_outputs()?.that_gives_back(number)
}

/// Returns the graph that hands on a number.
fn graph() -> ort::Result<Model> {
    let dtype = tensor::element(Precision::Fp32);
    let mut graph = Builder::new()?;
    let given = graph.input(GIVEN, dtype, &SHAPE);
    graph.output(&given, HANDED_ON, dtype, &SHAPE)?;
    graph.finish()
}
