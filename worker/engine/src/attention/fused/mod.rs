//! Attention of the injected layers by kernels that keep no matrix of tokens by tokens, where a GPU has some.
//!
//! - `compiled`: the kernels that this program has, and which of them a GPU runs
//! - `launches`: what is launched for a layer, in order
//! - `loaded`: kernels on a GPU
//! - `reasons`: why there are none for some layers, or none that can be used
//!
//! A layer of an output that injects is two launches without a filter, and seven with one. What lies between them is
//! smaller than a query. The attention of an image to itself stays ONNX Runtime's own.
//!
//! **Source:** as [`method`], whose kernels these agree with.

mod compiled;
mod launches;
mod loaded;
mod reasons;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use ort::value::{DynValue, TensorElementType};

use self::compiled::KernelSet;
use self::launches::{Launch, Launches, Qkv, SHARES, Statistics, Workspace};
use self::loaded::LoadedKernels;
pub(super) use self::reasons::{LoadFailure, NotFused, Unsupported};
use self::reasons::{MAX_NUMBERS, MAX_TOKENS};
use super::graph::GraphAttention;
use super::{
    AttentionKernel, ClassTensors, ContentLayer, InjectedAttention, KernelKind, LayerTensors,
    SelfAttention, StyleLayer,
};
use crate::runtime::Runtime;
use crate::transfer::Upload;
use crate::{EngineError, cuda, tensor};
use method::class_filter::{ClassFilter, KeptPairs};
use method::filtering::Filter;
use shared::model::{InjectedLayer, Precision};

/// Attention by kernels of ours, and by graphs where it is not injected.
pub(super) struct FusedAttention {
    kernels: LoadedKernels,
    /// The architecture that they are compiled for.
    architecture: u32,
    graphs: GraphAttention,
    runtime: Runtime,
    precision: Precision,
    settings: InjectedAttention,
    /// What brings tensors to the GPU and makes new ones there, for each shape of theirs.
    uploads: HashMap<[usize; 3], Upload>,
}

impl FusedAttention {
    /// Returns attention on a GPU, that of the runtime, by kernels for every one of some layers.
    ///
    /// # Errors
    ///
    /// [`NotFused`], which tells a lack of kernels from a failure.
    pub(super) fn new<'a>(
        runtime: &Runtime,
        number: u8,
        precision: Precision,
        settings: InjectedAttention,
        layers: impl Iterator<Item = &'a InjectedLayer>,
    ) -> Result<Self, NotFused> {
        let gpu = cuda::gpu(number);
        let capability = gpu.and_then(|gpu| gpu.compute_capability);
        let capability = capability.ok_or(LoadFailure::NoCapability)?;
        let compiled = KernelSet::of(&capability, precision)?;
        let architecture = compiled.architecture();
        let mut needed = BTreeSet::new();
        for layer in layers {
            needed.extend(needed_by(layer, precision, settings, &compiled)?);
        }
        Ok(Self {
            kernels: LoadedKernels::load(number, compiled.unpack(&needed)?)?,
            architecture,
            graphs: GraphAttention::new(runtime, precision, settings),
            runtime: runtime.clone(),
            precision,
            settings,
            uploads: HashMap::new(),
        })
    }
}

/// Returns the names of the kernels that a layer needs, if all of them are there and take it.
fn needed_by(
    layer: &InjectedLayer,
    precision: Precision,
    settings: InjectedAttention,
    compiled: &KernelSet<'_>,
) -> Result<Vec<String>, Unsupported> {
    let needed = Launches::new(layer, precision, settings).needed();
    if let Some(missing) = needed.iter().find(|kernel| !compiled.has(kernel)) {
        return Err(Unsupported::HeadWidth {
            layer: layer.name.clone(),
            columns: layer.head_width,
            kernel: missing.clone(),
        });
    }
    if precision == Precision::Fp16 && layer.tokens > MAX_TOKENS {
        return Err(Unsupported::Tokens {
            layer: layer.name.clone(),
            tokens: layer.tokens,
        });
    }
    let numbers = layer.tokens * layer.heads * layer.head_width;
    if numbers > MAX_NUMBERS {
        return Err(Unsupported::Size {
            layer: layer.name.clone(),
            numbers,
        });
    }
    Ok(needed)
}

impl AttentionKernel for FusedAttention {
    fn kind(&self) -> KernelKind {
        KernelKind::Fused {
            architecture: self.architecture,
        }
    }

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
        let shape = [1, layer.tokens, layer.heads * layer.head_width];
        let upload = match self.uploads.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(Upload::new(&self.runtime, shape, self.precision)?)
            }
        };
        let output = Output {
            kernels: &self.kernels,
            launches: Launches::new(layer, self.precision, self.settings),
            precision: self.precision,
            layer,
        };
        let (query, key) = (upload.bring(query)?, upload.bring(&style.key)?);
        let value = upload.bring(&style.value)?;
        let style = Qkv {
            query: query.as_ref(),
            key: key.as_ref(),
            value: value.as_ref(),
        };
        let Some(filter) = &self.settings.filter else {
            return output.attend(upload, style);
        };
        let content = content.ok_or_else(|| failed(layer, super::no_content()))?;
        let LayerTensors {
            query, key, value, ..
        } = &content.tensors;
        let (query, key) = (upload.bring(query)?, upload.bring(key)?);
        let value = upload.bring(value)?;
        let content = Qkv {
            query: query.as_ref(),
            key: key.as_ref(),
            value: value.as_ref(),
        };
        output.exchange(upload, filter, style, content)
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
    kernels: &'a LoadedKernels,
    launches: Launches<'a>,
    precision: Precision,
    layer: &'a InjectedLayer,
}

impl Output<'_> {
    fn run(&self, launch: &Launch<'_>) -> Result<(), EngineError> {
        let launched = self.kernels.launch(launch, self.layer.tokens);
        launched.map_err(|source| EngineError::Run {
            part: format!("kernel {} of layer {}", launch.kernel, self.layer.name),
            source,
        })
    }

    fn failed(&self, source: ort::Error) -> EngineError {
        failed(self.layer, source)
    }

    fn allocate(&self, upload: &Upload) -> ort::Result<DynValue> {
        let InjectedLayer {
            tokens,
            heads,
            head_width,
            ..
        } = *self.layer;
        upload.allocate(
            tensor::element(self.precision),
            &[1, tokens, heads * head_width],
        )
    }

    fn statistics(&self, upload: &Upload) -> ort::Result<Statistics> {
        let shape = [self.layer.heads, self.layer.tokens];
        Ok(Statistics {
            largest: upload.allocate(TensorElementType::Float32, &shape)?,
            total: upload.allocate(TensorElementType::Float32, &shape)?,
        })
    }

    fn workspace(&self, upload: &Upload) -> ort::Result<Workspace> {
        let tokens = self.layer.tokens;
        let numbers = |shape: &[usize]| upload.allocate(TensorElementType::Float32, shape);
        let indices = |shape: &[usize]| upload.allocate(TensorElementType::Int32, shape);
        Ok(Workspace {
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
    fn attend(&self, upload: &Upload, style: Qkv<'_>) -> Result<DynValue, EngineError> {
        let failed = |error| self.failed(error);
        let output = self.allocate(upload).map_err(failed)?;
        let statistics = self.statistics(upload).map_err(failed)?;
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
        style: Qkv<'_>,
        content: Qkv<'_>,
    ) -> Result<DynValue, EngineError> {
        let failed = |error| self.failed(error);
        let output = self.allocate(upload).map_err(failed)?;
        let statistics = self.statistics(upload).map_err(failed)?;
        let workspace = self.workspace(upload).map_err(failed)?;
        let launches = &self.launches;
        self.run(&launches.statistics(style.query, style.key, &statistics))?;
        for launch in &launches.weak(filter, style, content.value, &statistics, &workspace) {
            self.run(launch)?;
        }
        self.run(&launches.statistics(content.query, content.key, &workspace.content))?;
        let both = [style, content];
        self.run(&launches.exchange(filter, both, &statistics, &workspace, &output))?;
        Ok(output)
    }
}

fn failed(layer: &InjectedLayer, source: ort::Error) -> EngineError {
    EngineError::Run {
        part: format!("attention of layer {}", layer.name),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRECISION: Precision = Precision::Fp16;
    const SETTINGS: InjectedAttention = InjectedAttention {
        contrast_strength: 1.67,
        filter: None,
    };

    fn layer(tokens: usize, heads: usize, head_width: usize) -> InjectedLayer {
        InjectedLayer {
            name: "a layer".to_owned(),
            tokens,
            heads,
            head_width,
            query: "query".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
            input: None,
            output: "output".to_owned(),
        }
    }

    #[test]
    fn a_layer_that_no_kernel_takes_is_told_with_what_it_is_about() {
        let compiled = KernelSet::of("9.0", PRECISION).unwrap();
        let needed = |layer: InjectedLayer| needed_by(&layer, PRECISION, SETTINGS, &compiled);
        let two = ["statistics_40_fp16", "attend_40_fp16"].map(str::to_owned);
        assert_eq!(needed(layer(MAX_TOKENS, 8, 40)), Ok(two.to_vec()));
        for (layer, told) in [
            (
                layer(64, 8, 8),
                "layer a layer has heads of 8 columns, and there is no kernel statistics_8_fp16",
            ),
            (
                layer(MAX_TOKENS + 1, 8, 40),
                "layer a layer has 65505 tokens, and kernels in float16 take 65504 at most",
            ),
            (
                layer(MAX_TOKENS, 1000, 40),
                "a tensor of layer a layer has 2620160000 numbers, and kernels count 2147483647",
            ),
        ] {
            assert_eq!(needed(layer).unwrap_err().to_string(), told);
        }
    }
}
