//! Attention as ONNX graphs, so that tensors need not leave the device that they are on.
//!
//! A graph is written for the shapes of its layer. A matrix of tokens by tokens exists for a tile of queries at a time.
//! What filtering finds weak is known only after a first pass over all tiles, so that the second one makes the matrix
//! again: sessions of written graphs merge no nodes. Of a model in fp16, queries, keys and values become fp32 before the
//! first product, and the sum becomes fp16 again at the end; between these all numbers are fp32, so that no score is too
//! large.
//!
//! **Source:** as [`method`], whose kernels these graphs agree with.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ort::editor::Model;
use ort::value::DynValue;

use super::writer::{LayerShape, Term, Writer, attribute};
use super::{
    AttentionKernel, ClassTensors, ContentLayer, InjectedAttention, KernelKind, LayerTensors,
    SelfAttention, StyleLayer,
};
use crate::EngineError;
use crate::runtime::Runtime;
use crate::session::{GraphSession, WrittenGraph};
use method::class_filter::{ClassFilter, KeptPairs};
use method::filtering::{BestMatch, Exchange};
use shared::model::{InjectedLayer, Precision};

/// Memory of the attention of one tile of queries, about.
const TILE_BYTES: usize = 64 << 20;

const IMAGE: [&str; 3] = ["query", "key", "value"];
const STYLE: [&str; 3] = ["query", "style_key", "style_value"];
const CONTENT: [&str; 3] = ["content_query", "content_key", "content_value"];

/// Attention by graphs, two for each shape of layers, made when it is first met.
pub struct GraphAttention {
    runtime: Runtime,
    precision: Precision,
    settings: InjectedAttention,
    /// Memory of the attention of a tile of queries.
    tile_bytes: usize,
    self_attention: HashMap<LayerShape, GraphSession>,
    cross_image_attention: HashMap<LayerShape, GraphSession>,
}

impl GraphAttention {
    /// Returns attention on the runtime's device.
    #[must_use]
    pub fn new(runtime: &Runtime, precision: Precision, settings: InjectedAttention) -> Self {
        Self::with_tiles(runtime, precision, settings, TILE_BYTES)
    }

    pub(super) fn with_tiles(
        runtime: &Runtime,
        precision: Precision,
        settings: InjectedAttention,
        tile_bytes: usize,
    ) -> Self {
        Self {
            tile_bytes,
            runtime: runtime.clone(),
            precision,
            settings,
            self_attention: HashMap::new(),
            cross_image_attention: HashMap::new(),
        }
    }
}

impl AttentionKernel for GraphAttention {
    fn kind(&self) -> KernelKind {
        KernelKind::Graph
    }

    fn self_attention(
        &mut self,
        layer: &InjectedLayer,
        image: &LayerTensors,
    ) -> Result<SelfAttention, EngineError> {
        let shape = LayerShape::from(layer);
        let session = match self.self_attention.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(vacant) => {
                let model =
                    self_attention_graph(Writer::new(shape, self.precision, self.tile_bytes));
                let written = WrittenGraph {
                    name: "attention to itself",
                    precision: self.precision,
                    inputs: &IMAGE,
                    output: Writer::OUTPUT,
                    model,
                };
                vacant.insert(GraphSession::from_graph(&self.runtime, written)?)
            }
        };
        let output = session.run_on(&[
            (IMAGE[0], &image.query),
            (IMAGE[1], &image.key),
            (IMAGE[2], &image.value),
        ])?;
        Ok(SelfAttention {
            output,
            softmax_stats: None,
        })
    }

    fn cross_image_attention(
        &mut self,
        layer: &InjectedLayer,
        query: &DynValue,
        style: &StyleLayer,
        content: Option<&ContentLayer>,
    ) -> Result<DynValue, EngineError> {
        let shape = LayerShape::from(layer);
        let session = match self.cross_image_attention.entry(shape) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(vacant) => {
                let writer = Writer::new(shape, self.precision, self.tile_bytes);
                let model = cross_image_attention_graph(writer, &self.settings);
                let mut inputs = STYLE.to_vec();
                if self.settings.filter.is_some() {
                    inputs.extend(CONTENT);
                }
                let written = WrittenGraph {
                    name: "injected attention",
                    precision: self.precision,
                    inputs: &inputs,
                    output: Writer::OUTPUT,
                    model,
                };
                vacant.insert(GraphSession::from_graph(&self.runtime, written)?)
            }
        };
        let mut inputs = vec![
            (STYLE[0], query),
            (STYLE[1], &style.key),
            (STYLE[2], &style.value),
        ];
        if self.settings.filter.is_some() {
            let content = content.ok_or_else(|| session.error(super::no_content()))?;
            let content = &content.tensors;
            inputs.extend([
                (CONTENT[0], &content.query),
                (CONTENT[1], &content.key),
                (CONTENT[2], &content.value),
            ]);
        }
        session.run_on(&inputs)
    }

    /// No graph has this attention: a method that needs it is refused on other devices before anything is computed.
    fn class_filtered_attention(
        &mut self,
        layer: &InjectedLayer,
        _: &ClassTensors<'_>,
        _: &ClassFilter,
    ) -> Result<(DynValue, KeptPairs), EngineError> {
        Err(EngineError::Run {
            part: format!("attention of layer {}", layer.name),
            source: ort::Error::new("attention is filtered by class on the CPU alone"),
        })
    }
}

/// Returns the graph of an image's self-attention.
fn self_attention_graph(writer: ort::Result<Writer>) -> ort::Result<Model> {
    let mut write = writer?;
    let [query, key, value] = IMAGE.map(|name| write.input(name));
    let heads = attribute("num_heads", write.shape.heads)?;
    let inputs = [&query, &key, &value];
    let attended = write.graph.fused("MultiHeadAttention", &inputs, [heads])?;
    write.finish(&attended)
}

/// Returns the graph of an output's cross-image attention.
fn cross_image_attention_graph(
    writer: ort::Result<Writer>,
    settings: &InjectedAttention,
) -> ort::Result<Model> {
    let mut write = writer?;
    let [query, key, value] = write.exact_inputs(STYLE)?;
    let style = write.attention(&query, &key)?;
    let contrast = Some(settings.contrast_strength);
    let Some(filter) = &settings.filter else {
        let values = write.by_heads(&value)?;
        let attended = write.attend(&[Term {
            attention: &style,
            values: &values,
            contrast,
        }])?;
        return write.finish_heads(&attended);
    };
    let [content_query, content_key, content_value] = write.exact_inputs(CONTENT)?;
    let content = write.attention(&content_query, &content_key)?;
    let best = match filter.best_match {
        BestMatch::ContrastedAttention => write.match_by_attention(&style, settings)?,
        BestMatch::FullWidthScores => write.match_full_width(&query, &key)?,
    };
    let similarity = write.similarity(&content_value, &value, &best, filter.similarity)?;
    let weak = write.weak(&similarity, filter)?;
    let (values, content_values) = (write.by_heads(&value)?, write.by_heads(&content_value)?);
    let attended = match filter.exchange {
        Exchange::KeyColumns => {
            let zero = write.exact(0.0)?;
            let strong_values = write.graph.op("Where", &[&weak, &zero, &values], [])?;
            let weak_values = write
                .graph
                .op("Where", &[&weak, &content_values, &zero], [])?;
            write.attend(&[
                Term {
                    attention: &style,
                    values: &strong_values,
                    contrast,
                },
                Term {
                    attention: &content,
                    values: &weak_values,
                    contrast: None,
                },
            ])?
        }
        Exchange::QueryRows => {
            let injected = write.attend(&[Term {
                attention: &style,
                values: &values,
                contrast,
            }])?;
            let kept = write.attend(&[Term {
                attention: &content,
                values: &content_values,
                contrast: None,
            }])?;
            write.graph.op("Where", &[&weak, &kept, &injected], [])?
        }
    };
    write.finish_heads(&attended)
}
