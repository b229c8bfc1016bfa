//! The UNet: its segments in order, with attention between them.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use ndarray::{Array2, Array3, ArrayView3, Axis};
use ort::value::{DynValue, Tensor};
use shared::failure::chain;
use shared::metrics::names;
use shared::read_file::{self, max_bytes};

use kernels::bf16::Operands;

use crate::attention::{LayerTensors, StyleLayer};
use crate::runtime::Runtime;
use crate::session::GraphSession;
use crate::tensor::Tensors;
use crate::transfer::Transfer;
use crate::{EngineError, tensor};
use shared::model::{ContractError, InjectedLayer, ModelContract, Precision};
use shared::npz;

/// Computes the attention layers between segments.
pub trait LayerAttention {
    /// Returns the attention's result `(1, tokens, heads * head_width)` for the layer at `position`.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if tensors do not fit together or a style's cannot be read.
    fn attend(
        &mut self,
        position: usize,
        layer: &InjectedLayer,
        tensors: LayerTensors,
    ) -> Result<DynValue, EngineError>;
}

/// The noise predictor: segments that run one after another.
pub struct UnetChain {
    segments: Vec<LoadedSegment>,
    /// The precision of its tensors.
    pub precision: Precision,
    /// What its products are made of.
    pub operands: Operands,
    /// `(tokens, width)`; small, so each evaluation gets a copy.
    prompt: Array2<f32>,
    evaluations: u64,
    /// Time in evaluations.
    busy: Duration,
    /// Time of that in attention between segments; on a GPU, which is not waited for, in asking for it.
    in_attention: Duration,
    transfer: Transfer,
}

struct LoadedSegment {
    session: GraphSession,
    layer: Option<InjectedLayer>,
    /// Tensors that nothing reads after this segment.
    last_uses: Vec<String>,
}

impl UnetChain {
    pub(super) fn load(runtime: &Runtime, contract: &ModelContract) -> Result<Self, EngineError> {
        let model = &contract.model;
        let sessions = model
            .segments
            .iter()
            .map(|segment| {
                let (folder, graph) = (&contract.folder, &segment.graph);
                let session = GraphSession::load_fast(runtime, folder, graph, runtime.operands())?;
                match segment.layer {
                    Some(_) => Ok(session),
                    None => session.with_host_outputs(),
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let last_uses = last_uses(&sessions);
        let segments = sessions
            .into_iter()
            .zip(last_uses)
            .zip(&model.segments)
            .map(|((session, last_uses), segment)| LoadedSegment {
                session,
                layer: segment.layer.clone(),
                last_uses,
            })
            .collect();
        Ok(Self {
            segments,
            precision: model.dtype,
            operands: runtime.operands(),
            prompt: load_prompt(contract)?,
            evaluations: 0,
            busy: Duration::ZERO,
            in_attention: Duration::ZERO,
            transfer: Transfer::new(runtime, model.dtype),
        })
    }

    /// Returns the injected layers in the order in which they are met.
    pub fn layers(&self) -> impl Iterator<Item = &InjectedLayer> {
        self.segments
            .iter()
            .filter_map(|segment| segment.layer.as_ref())
    }

    /// Returns how often the UNet has been evaluated on one latent.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// Returns the time that evaluations have taken, attention included.
    #[must_use]
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Returns the time of that in the attention between segments; on a GPU, which is not waited for, in asking for it.
    #[must_use]
    pub fn in_attention(&self) -> Duration {
        self.in_attention
    }

    /// Returns whether segments leave their tensors in the host's memory.
    #[must_use]
    pub fn tensors_are_on_host(&self) -> bool {
        self.transfer.is_needless()
    }

    /// Returns a copy of a style's layer in the host's memory.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if they cannot be copied from the device.
    pub fn copy_to_host(&mut self, layer: &StyleLayer) -> Result<StyleLayer, EngineError> {
        layer.try_map(|tensor| self.transfer.copy_to_host(tensor))
    }

    /// Returns the numbers `(tokens, width)` of a layer's tensor, wherever it is.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if they cannot be copied from the device.
    pub fn numbers(&mut self, tensor: &DynValue) -> Result<Array2<f32>, EngineError> {
        self.transfer.numbers(tensor)
    }

    /// Returns the noise prediction for one latent `(channels, height, width)`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if a segment fails, or what `attention` gives.
    pub fn evaluate(
        &mut self,
        sample: ArrayView3<'_, f32>,
        timestep: usize,
        attention: &mut dyn LayerAttention,
    ) -> Result<Array3<f32>, EngineError> {
        let started = Instant::now();
        let precision = self.precision;
        let failed = |source| EngineError::Run {
            part: "the UNet's input".to_owned(),
            source,
        };
        let timestep = tensor::whole(timestep).map_err(failed)?;
        let mut tensors: Tensors = HashMap::from([
            (
                "sample".to_owned(),
                tensor::from_array(sample, precision).map_err(failed)?,
            ),
            (
                "timestep".to_owned(),
                Tensor::from_array(([1], vec![timestep]))
                    .map_err(failed)?
                    .into_dyn(),
            ),
            (
                "prompt_embedding".to_owned(),
                tensor::from_tokens(self.prompt.clone(), precision).map_err(failed)?,
            ),
        ]);
        for (position, segment) in self.segments.iter_mut().enumerate() {
            let outputs = segment.session.run(&tensors)?;
            for name in &segment.last_uses {
                tensors.remove(name);
            }
            tensors.extend(outputs);
            let Some(layer) = &segment.layer else {
                continue;
            };
            let mut take =
                |name: &str| take(&mut tensors, name).map_err(|e| segment.session.error(e));
            let input = LayerTensors {
                query: take(&layer.query)?,
                key: take(&layer.key)?,
                value: take(&layer.value)?,
                input: layer.input.as_deref().map(&mut take).transpose()?,
            };
            let attending = Instant::now();
            let output = attention.attend(position, layer, input)?;
            self.in_attention += attending.elapsed();
            tensors.insert(layer.output.clone(), output);
        }
        let noise_pred = tensors
            .get("noise_pred")
            .ok_or_else(|| failed(ort::Error::new("no segment made noise_pred")))?;
        let noise_pred = tensor::to_array(noise_pred).map_err(failed)?;
        self.evaluations += 1;
        let elapsed = started.elapsed();
        self.busy += elapsed;
        let seconds = names::ENGINE_UNET_SECONDS.histogram([]);
        seconds.record(elapsed.as_secs_f64());
        Ok(noise_pred)
    }
}

fn take(tensors: &mut Tensors, name: &str) -> ort::Result<DynValue> {
    tensors
        .remove(name)
        .ok_or_else(|| ort::Error::new(format!("tensor {name} is missing")))
}

/// Returns, for each segment, the inputs that no later segment reads.
fn last_uses(sessions: &[GraphSession]) -> Vec<Vec<String>> {
    let mut later = HashSet::new();
    let mut uses = vec![Vec::new(); sessions.len()];
    for (position, session) in sessions.iter().enumerate().rev() {
        for name in session.inputs() {
            if later.insert(name.clone()) {
                uses[position].push(name.clone());
            }
        }
    }
    uses
}

fn load_prompt(contract: &ModelContract) -> Result<Array2<f32>, EngineError> {
    let prompt = &contract.model.prompt;
    let path = contract.path(&prompt.file);
    let bytes = match read_file::read(&path, max_bytes::EMBEDDING) {
        Ok(bytes) => bytes,
        Err(error) => return Err(ContractError::unreadable(&contract.folder, path, error).into()),
    };
    let refuse = |reason: String| {
        let path = path.clone();
        EngineError::from(ContractError::Unusable { path, reason })
    };
    let array: Array3<f32> = npz::array("prompt embedding", &bytes)
        .map_err(|error| refuse(format!("is no prompt embedding: {}", chain(&error))))?;
    let expected = (1, prompt.tokens, prompt.width);
    if array.dim() != expected {
        return Err(refuse(format!(
            "has shape {:?}, the contract says {expected:?}",
            array.dim()
        )));
    }
    // Text encoders are run in it, whatever the model is run in.
    let most = Precision::Fp16.largest();
    let is_outside = |value: &&f32| !value.is_finite() || value.abs() > most;
    let outside = array.iter().filter(is_outside).count();
    if outside > 0 {
        return Err(refuse(format!(
            "has {outside} of {} values that are not finite or beyond {most}, the largest number of half precision, expected \
             the embedding of a prompt; export the model again",
            array.len()
        )));
    }
    if array.iter().all(|value| *value == 0.0) {
        return Err(refuse(format!(
            "has {} values that are all zero, expected the embedding of a prompt; export the model again",
            array.len()
        )));
    }
    Ok(array.index_axis_move(Axis(0), 0))
}
