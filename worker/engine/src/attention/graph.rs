//! Attention as ONNX graphs, so that tensors need not leave the device that they are on.
//!
//! A graph is written for the shapes of its layer. A matrix of tokens by tokens exists for a tile of queries at a time.
//! What filtering finds weak is known only after a first pass over all tiles, so that the second one makes the matrix
//! again: sessions of written graphs merge no nodes. What filtering by class exceeds is found by a graph of its own, whose
//! result the next one reads where it is. Of a model in fp16, queries, keys and values become fp32 before the
//! first product, and the sum becomes fp16 again at the end; between these all numbers are fp32, so that no score is too
//! large.
//!
//! **Source:** as [`method`], whose kernels these graphs agree with.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ndarray::Axis;
use ort::editor::Model;
use ort::value::DynValue;

use super::strong::{self, class_filtered_graph, class_tensors, threshold_graph};
use super::writer::{LayerShape, Term, Writer, attribute};
use super::{
    AttentionKernel, ClassTensors, ContentLayer, InjectedAttention, KernelKind, LayerTensors,
    SelfAttention, StyleLayer,
};
use crate::EngineError;
use crate::runtime::Runtime;
use crate::session::{GraphSession, WrittenGraph};
use crate::transfer::{Copies, Transfer};
use method::class_filter::{ClassFilter, KeptPairs, Threshold, num_of_one_class};
use method::filtering::{BestMatch, Exchange};
use shared::model::{InjectedLayer, Precision};

/// Memory of the attention of one tile of queries, about.
const TILE_BYTES: usize = 64 << 20;

const IMAGE: [&str; 3] = ["query", "key", "value"];
pub(super) const STYLE: [&str; 3] = ["query", "style_key", "style_value"];
const CONTENT: [&str; 3] = ["content_query", "content_key", "content_value"];

/// Attention by graphs for each shape of layers, made when it is first met.
pub struct GraphAttention {
    runtime: Runtime,
    precision: Precision,
    settings: InjectedAttention,
    /// Memory of the attention of a tile of queries.
    tile_bytes: usize,
    self_attention: HashMap<LayerShape, GraphSession>,
    cross_image_attention: HashMap<LayerShape, GraphSession>,
    class_filters: HashMap<(LayerShape, [u32; 2]), ClassFilterSessions>,
    /// Brings what is said of kept pairs to the host.
    figures: Transfer,
    /// Copies tensors of layers.
    copies: Copies,
}

/// The graphs of attention that is filtered by class.
struct ClassFilterSessions {
    threshold: GraphSession,
    attention: GraphSession,
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
            class_filters: HashMap::new(),
            figures: Transfer::new(runtime, Precision::Fp32),
            copies: Copies::new(runtime, precision),
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
                    outputs: &[Writer::OUTPUT],
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
                    outputs: &[Writer::OUTPUT],
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

    fn class_filtered_attention(
        &mut self,
        layer: &InjectedLayer,
        tensors: &ClassTensors<'_>,
        filter: &ClassFilter,
    ) -> Result<(DynValue, Option<KeptPairs>), EngineError> {
        let sessions = self.class_filter(layer, filter)?;
        let ClassFilterSessions {
            threshold,
            attention,
        } = sessions;
        let style = tensors.style;
        let threshold = threshold.run_on(&[(STYLE[0], tensors.query), (STYLE[1], &style.key)])?;
        let classes = class_tensors(tensors.query_classes, tensors.key_classes);
        let [query_classes, key_classes] = classes.map_err(|source| attention.error(source))?;
        let mut made = attention.run_all_on(&[
            (STYLE[0], tensors.query),
            (STYLE[1], &style.key),
            (STYLE[2], &style.value),
            (strong::CONTENT_ATTENDED, tensors.content),
            (strong::QUERY_CLASSES, &query_classes),
            (strong::KEY_CLASSES, &key_classes),
            (strong::THRESHOLD, &threshold),
        ])?;
        let mut take = |name| {
            let nothing = || attention.error(ort::Error::new("nothing came out"));
            made.remove(name).ok_or_else(nothing)
        };
        let (attended, kept) = (take(Writer::OUTPUT)?, take(strong::KEPT)?);
        let kept = match tensors.reads_kept {
            true => Some(self.kept_pairs(tensors, &threshold, &kept)?),
            false => None,
        };
        Ok((attended, kept))
    }

    fn copied(&mut self, tensor: &DynValue) -> Result<DynValue, EngineError> {
        self.copies.copy(tensor)
    }
}

impl GraphAttention {
    /// Returns the graphs that filter a layer by class.
    fn class_filter(
        &mut self,
        layer: &InjectedLayer,
        filter: &ClassFilter,
    ) -> Result<&mut ClassFilterSessions, EngineError> {
        let shape = LayerShape::from(layer);
        let settings = [filter.contrast_strength, filter.threshold_lambda].map(f32::to_bits);
        let room = match self.class_filters.entry((shape, settings)) {
            Entry::Occupied(made) => return Ok(made.into_mut()),
            Entry::Vacant(room) => room,
        };
        let writer = || Writer::new(shape, self.precision, self.tile_bytes);
        let written = |name, inputs, outputs, model| WrittenGraph {
            name,
            precision: self.precision,
            inputs,
            outputs,
            model,
        };
        let threshold = written(
            "the threshold of strong pairs",
            &STYLE[..2],
            &[strong::THRESHOLD],
            threshold_graph(writer(), filter),
        );
        let mut inputs = STYLE.to_vec();
        inputs.extend([
            strong::CONTENT_ATTENDED,
            strong::QUERY_CLASSES,
            strong::KEY_CLASSES,
            strong::THRESHOLD,
        ]);
        let attention = written(
            "attention filtered by class",
            &inputs,
            &[Writer::OUTPUT, strong::KEPT],
            class_filtered_graph(writer(), filter),
        );
        Ok(room.insert(ClassFilterSessions {
            threshold: GraphSession::from_graph(&self.runtime, threshold)?,
            attention: GraphSession::from_graph(&self.runtime, attention)?,
        }))
    }

    /// Brings to the host what is said of kept pairs.
    fn kept_pairs(
        &mut self,
        tensors: &ClassTensors<'_>,
        threshold: &DynValue,
        kept: &DynValue,
    ) -> Result<KeptPairs, EngineError> {
        let threshold = self.figures.numbers(threshold)?;
        let kept = self.figures.numbers(kept)?;
        let (num_kept, sums) = kept.view().split_at(Axis(0), 1);
        let most = tensors.key_classes.len();
        Ok(KeptPairs {
            threshold: Threshold {
                median: threshold[(0, 0)],
                deviation: threshold[(0, 1)],
                value: threshold[(0, 2)],
            },
            num_of_one_class: num_of_one_class(tensors.query_classes, tensors.key_classes),
            // A device may hand over anything before its trial has told so.
            num_kept: num_kept.iter().map(|&num| most.min(num as usize)).collect(),
            sums: sums.to_owned(),
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
