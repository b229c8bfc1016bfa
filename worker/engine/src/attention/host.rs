//! Attention on the CPU, by the functions of [`method`].

use ort::value::DynValue;

use super::{
    AttentionKernel, ClassTensors, ContentLayer, InjectedAttention, KernelKind, LayerTensors,
    SelfAttention, StyleLayer, heads_of,
};
use crate::EngineError;
use crate::tensor::{self, Tokens};
use kernels::bf16::Operands;
use method::attention::{
    Heads, KeyValue, QueryKeyValue, cross_image_attention, self_attention_with_stats,
};
use method::class_filter::{
    ClassFilter, ClassFiltered, ClassInjected, KeptPairs, class_filtered_attention,
};
use method::filtering::{ContentAttention, Injected, filtered_attention};
use shared::model::{InjectedLayer, Precision};

/// Attention by kernels in Rust, which compute in fp32 whatever the model's precision is, but for products of other operands.
#[derive(Debug)]
pub struct HostAttention {
    precision: Precision,
    settings: InjectedAttention,
    operands: Operands,
}

impl HostAttention {
    /// Returns attention whose results have the model's precision.
    #[must_use]
    pub fn new(precision: Precision, settings: InjectedAttention) -> Self {
        Self {
            precision,
            settings,
            operands: Operands::Single,
        }
    }

    /// Returns the attention with products of others.
    #[must_use]
    pub fn with_operands(self, operands: Operands) -> Self {
        Self { operands, ..self }
    }

    fn heads_of(&self, layer: &InjectedLayer) -> Heads {
        heads_of(layer).with_operands(self.operands)
    }
}

/// Query, key and value, `(tokens, heads * head_width)` each.
struct Numbers<'a> {
    query: Tokens<'a>,
    key: Tokens<'a>,
    value: Tokens<'a>,
}

impl<'a> Numbers<'a> {
    fn of(tensors: &'a LayerTensors) -> ort::Result<Self> {
        Ok(Self {
            query: tensor::tokens(&tensors.query)?,
            key: tensor::tokens(&tensors.key)?,
            value: tensor::tokens(&tensors.value)?,
        })
    }

    fn view(&self) -> QueryKeyValue<'_> {
        QueryKeyValue {
            query: self.query.view(),
            key: self.key.view(),
            value: self.value.view(),
        }
    }
}

impl AttentionKernel for HostAttention {
    fn kind(&self) -> KernelKind {
        KernelKind::Host
    }

    fn self_attention(
        &mut self,
        layer: &InjectedLayer,
        image: &LayerTensors,
    ) -> Result<SelfAttention, EngineError> {
        let failed = |source| failed(layer, source);
        let numbers = Numbers::of(image).map_err(failed)?;
        let (output, softmax_stats) =
            self_attention_with_stats(numbers.view(), self.heads_of(layer))?;
        Ok(SelfAttention {
            output: tensor::from_tokens(output, self.precision).map_err(failed)?,
            softmax_stats: Some(softmax_stats),
        })
    }

    fn cross_image_attention(
        &mut self,
        layer: &InjectedLayer,
        query: &DynValue,
        style: &StyleLayer,
        content: Option<&ContentLayer>,
    ) -> Result<DynValue, EngineError> {
        let failed = |source| failed(layer, source);
        let query = tensor::tokens(query).map_err(failed)?;
        let key = tensor::tokens(&style.key).map_err(failed)?;
        let value = tensor::tokens(&style.value).map_err(failed)?;
        let style = KeyValue {
            key: key.view(),
            value: value.view(),
        };
        let contrast = self.settings.contrast_strength;
        let output = match (&self.settings.filter, content) {
            (None, _) => {
                cross_image_attention(query.view(), style, self.heads_of(layer), contrast)?
            }
            (Some(filter), Some(content)) => {
                let own = Numbers::of(&content.tensors).map_err(failed)?;
                let injected = Injected {
                    query: query.view(),
                    style,
                    content: ContentAttention {
                        own: own.view(),
                        stats: content.softmax_stats.as_ref(),
                    },
                    heads: self.heads_of(layer),
                };
                filtered_attention(injected, contrast, filter)?
            }
            (Some(_), None) => return Err(failed(super::no_content())),
        };
        tensor::from_tokens(output, self.precision).map_err(failed)
    }

    fn class_filtered_attention(
        &mut self,
        layer: &InjectedLayer,
        tensors: &ClassTensors<'_>,
        filter: &ClassFilter,
    ) -> Result<(DynValue, Option<KeptPairs>), EngineError> {
        let failed = |source| failed(layer, source);
        let query = tensor::tokens(tensors.query).map_err(failed)?;
        let key = tensor::tokens(&tensors.style.key).map_err(failed)?;
        let value = tensor::tokens(&tensors.style.value).map_err(failed)?;
        let content = tensor::tokens(tensors.content).map_err(failed)?;
        let injected = ClassInjected {
            query: query.view(),
            style: KeyValue {
                key: key.view(),
                value: value.view(),
            },
            content: content.view(),
            heads: self.heads_of(layer),
            query_classes: tensors.query_classes,
            key_classes: tensors.key_classes,
        };
        let ClassFiltered { output, kept } = class_filtered_attention(injected, filter)?;
        let output = tensor::from_tokens(output, self.precision).map_err(failed)?;
        Ok((output, tensors.reads_kept.then_some(kept)))
    }

    fn copied(&mut self, tensor: &DynValue) -> Result<DynValue, EngineError> {
        tensor::kept(tensor).map_err(|source| EngineError::Run {
            part: "attention".to_owned(),
            source,
        })
    }
}

fn failed(layer: &InjectedLayer, source: ort::Error) -> EngineError {
    EngineError::Run {
        part: format!("attention of layer {}", layer.name),
        source,
    }
}
