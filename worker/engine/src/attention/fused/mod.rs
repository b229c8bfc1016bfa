//! Attention of the injected layers by kernels that keep no matrix of tokens by tokens, where a GPU has some.
//!
//! - `compiled`: the kernels that this program has, and which of them a GPU runs
//! - `launches`: what is launched for a layer, in order
//! - `gpu`: kernels on a GPU
//!
//! A layer of an output that injects is two launches without a filter, and seven with one. What lies between them is
//! smaller than a query. The attention of an image to itself stays ONNX Runtime's own.
//!
//! **Source:** as [`method`], whose kernels these agree with.

mod compiled;
mod gpu;
mod launches;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ort::value::{DynValue, TensorElementType};
use shared::settings::Device;

use self::compiled::kernels_for;
use self::gpu::Gpu;
use self::launches::{Attended, Between, Launches, SHARES, Statistics};
use super::graph::GraphAttention;
use super::{
    AttentionKernel, ClassTensors, ContentLayer, InjectedAttention, LayerTensors, SelfAttention,
    StyleLayer,
};
use crate::EngineError;
use crate::runtime::Runtime;
use crate::tensor;
use crate::transfer::Upload;
use method::class_filter::{ClassFilter, KeptPairs};
use method::filtering::Filter;
use shared::model::{InjectedLayer, Precision};

/// Kernels count the numbers of a tensor in 32 bits.
const MAX_NUMBERS: usize = i32::MAX as usize;

/// Attention by kernels of ours, and by graphs where it is not injected.
pub(super) struct FusedAttention {
    gpu: Gpu,
    graphs: GraphAttention,
    runtime: Runtime,
    precision: Precision,
    how: InjectedAttention,
    /// What brings tensors to the GPU and makes new ones there, for each shape of theirs.
    uploads: HashMap<[usize; 3], Upload>,
}

impl FusedAttention {
    /// Returns attention on the runtime's GPU by kernels for every one of some layers, or why there is none.
    pub(super) fn new<'a>(
        runtime: &Runtime,
        precision: Precision,
        how: InjectedAttention,
        layers: impl Iterator<Item = &'a InjectedLayer>,
    ) -> Result<Self, String> {
        let Device::Cuda(number) = runtime.device() else {
            return Err("it is no GPU".to_owned());
        };
        let capability = runtime.platform().compute_capability;
        let kernels = kernels_for(capability.as_deref(), precision)?;
        let gpu = Gpu::load(number, kernels)?;
        for layer in layers {
            let needed = Launches::new(layer, precision, how).needed();
            let name = &layer.name;
            if let Some(missing) = needed.iter().find(|kernel| !gpu.has(kernel)) {
                return Err(format!(
                    "layer {name} has heads of {} columns, and there is no kernel {missing}",
                    layer.head_width
                ));
            }
            if layer.tokens * layer.heads * layer.head_width > MAX_NUMBERS {
                return Err(format!("layer {name} is larger than kernels count"));
            }
        }
        Ok(Self {
            gpu,
            graphs: GraphAttention::new(runtime, precision, how),
            runtime: runtime.clone(),
            precision,
            how,
            uploads: HashMap::new(),
        })
    }
}

impl AttentionKernel for FusedAttention {
    fn self_attention(
        &mut self,
        layer: &InjectedLayer,
        image: &LayerTensors,
    ) -> Result<SelfAttention, EngineError> {
        self.graphs.self_attention(layer, image)
    }

    fn cross_image_attention(
        &mut self,
        layer: &InjectedLayer,
        query: &DynValue,
        style: &StyleLayer,
        content: Option<&ContentLayer>,
    ) -> Result<DynValue, EngineError> {
        let failed = |source| EngineError::Run {
            part: format!("attention of layer {}", layer.name),
            source,
        };
        let shape = [1, layer.tokens, layer.heads * layer.head_width];
        let upload = match self.uploads.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(room) => room.insert(Upload::new(&self.runtime, shape, self.precision)?),
        };
        let output = Output {
            gpu: &self.gpu,
            launches: Launches::new(layer, self.precision, self.how),
            precision: self.precision,
            layer,
        };
        let (query, key) = (upload.bring(query)?, upload.bring(&style.key)?);
        let value = upload.bring(&style.value)?;
        let style = Attended {
            query: query.as_ref(),
            key: key.as_ref(),
            value: value.as_ref(),
        };
        let Some(filter) = &self.how.filter else {
            return output.attend(upload, style).map_err(failed);
        };
        let content = content.ok_or_else(|| failed(super::no_content()))?;
        let LayerTensors {
            query, key, value, ..
        } = &content.tensors;
        let (query, key) = (upload.bring(query)?, upload.bring(key)?);
        let value = upload.bring(value)?;
        let content = Attended {
            query: query.as_ref(),
            key: key.as_ref(),
            value: value.as_ref(),
        };
        output
            .exchange(upload, filter, style, content)
            .map_err(failed)
    }

    fn class_filtered_attention(
        &mut self,
        layer: &InjectedLayer,
        tensors: &ClassTensors<'_>,
        filter: &ClassFilter,
    ) -> Result<(DynValue, Option<KeptPairs>), EngineError> {
        self.graphs.class_filtered_attention(layer, tensors, filter)
    }

    fn copied(&mut self, tensor: &DynValue) -> Result<DynValue, EngineError> {
        self.graphs.copied(tensor)
    }
}

/// The attention of an output that is being made, of tensors that are on the GPU and have the layer's shape.
struct Output<'a> {
    gpu: &'a Gpu,
    launches: Launches<'a>,
    precision: Precision,
    layer: &'a InjectedLayer,
}

impl Output<'_> {
    fn run(&self, launch: &launches::Launch<'_>) -> ort::Result<()> {
        self.gpu.launch(launch, self.layer.tokens)
    }

    fn room(&self, upload: &Upload) -> ort::Result<DynValue> {
        let InjectedLayer {
            tokens,
            heads,
            head_width,
            ..
        } = *self.layer;
        upload.room(
            tensor::element(self.precision),
            &[1, tokens, heads * head_width],
        )
    }

    fn statistics(&self, upload: &Upload) -> ort::Result<Statistics> {
        let shape = [self.layer.heads, self.layer.tokens];
        Ok(Statistics {
            largest: upload.room(TensorElementType::Float32, &shape)?,
            total: upload.room(TensorElementType::Float32, &shape)?,
        })
    }

    fn between(&self, upload: &Upload) -> ort::Result<Between> {
        let tokens = self.layer.tokens;
        let numbers = |shape: &[usize]| upload.room(TensorElementType::Float32, shape);
        let indices = |shape: &[usize]| upload.room(TensorElementType::Int32, shape);
        Ok(Between {
            content: self.statistics(upload)?,
            best_sum: numbers(&[SHARES, tokens])?,
            best_key: indices(&[SHARES, tokens])?,
            similarity: numbers(&[tokens])?,
            ends: numbers(&[2])?,
            positions: indices(&[tokens])?,
            num_strong: indices(&[1])?,
        })
    }

    /// Returns the attention to a style.
    fn attend(&self, upload: &Upload, style: Attended<'_>) -> ort::Result<DynValue> {
        let (output, statistics) = (self.room(upload)?, self.statistics(upload)?);
        let launches = &self.launches;
        self.run(&launches.statistics(style.query, style.key, &statistics))?;
        self.run(&launches.attend(style, &statistics, &output))?;
        Ok(output)
    }

    /// Returns the attention to a style in which weak positions are the content's.
    fn exchange(
        &self,
        upload: &Upload,
        filter: &Filter,
        style: Attended<'_>,
        content: Attended<'_>,
    ) -> ort::Result<DynValue> {
        let (output, statistics) = (self.room(upload)?, self.statistics(upload)?);
        let between = self.between(upload)?;
        let launches = &self.launches;
        self.run(&launches.statistics(style.query, style.key, &statistics))?;
        for launch in &launches.weak(filter, style, content.value, &statistics, &between) {
            self.run(launch)?;
        }
        self.run(&launches.statistics(content.query, content.key, &between.content))?;
        let both = [style, content];
        self.run(&launches.exchange(filter, both, &statistics, &between, &output))?;
        Ok(output)
    }
}
