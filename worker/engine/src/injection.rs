//! Injection of styles: what the injected layers compute on each branch, style, content and output.
//!
//! The style branch attends to itself and its keys and values are recorded; the content branch attends to itself and
//! its queries, keys and values are kept for the outputs of the same pass; an output branch attends to the style, or
//! to itself at a step without injection.

use std::time::{Duration, Instant};

use ndarray::{Array3, ArrayView3};
use ort::value::DynValue;

use crate::EngineError;
use crate::attention::{
    AttentionKernel, ContentLayer, InjectedAttention, LayerTensors, SelfAttention, StyleLayer,
};
use crate::style_bank::{StyleBank, StyleRecord, StyleSteps};
use crate::unet::{LayerAttention, UnetChain};
use method::denoise::{At, ContentPass, OutputBranch, PassPredictions, StylePass};
use shared::model::InjectedLayer;

/// How and when outputs attend to their styles.
#[derive(Debug, Clone)]
pub struct Injection {
    /// For each executed step: whether the style is injected.
    pub injected: Vec<bool>,
    /// Contrast and filter.
    pub attention: InjectedAttention,
}

/// The style branch: predicts noise and records keys and values.
pub struct RecordStyle<'a> {
    /// The noise predictor.
    pub unet: &'a mut UnetChain,
    /// Kernel for the injected layers.
    pub attention: &'a mut dyn AttentionKernel,
    /// The steps that are recorded: those that inject.
    pub injection: &'a Injection,
    /// The record that is written.
    pub steps: &'a mut StyleSteps,
}

impl StylePass for RecordStyle<'_> {
    type Error = EngineError;

    fn evaluate(&mut self, at: At, style: ArrayView3<'_, f32>) -> Result<Array3<f32>, EngineError> {
        let mut branch = StyleBranch {
            attention: &mut *self.attention,
            layers: self.injection.injected[at.step].then(Vec::new),
        };
        let noise_pred = self.unet.evaluate(style, at.timestep, &mut branch)?;
        if let Some(mut layers) = branch.layers {
            if !self.steps.are_on_device() && !self.unet.tensors_are_on_host() {
                let copies = layers.iter().map(|layer| self.unet.copy_to_host(layer));
                layers = copies.collect::<Result<_, _>>()?;
            }
            self.steps.push(at.step, layers)?;
        }
        Ok(noise_pred)
    }
}

/// The content branch and its outputs, one style each.
pub struct InjectStyles<'a> {
    /// The noise predictor.
    pub unet: &'a mut UnetChain,
    /// Kernel for the injected layers.
    pub attention: &'a mut dyn AttentionKernel,
    /// The steps that inject, and how outputs attend.
    pub injection: &'a Injection,
    /// The styles' records, in the order of the outputs.
    pub styles: &'a [&'a StyleRecord],
    /// The time that the content branch has taken so far.
    pub in_content: Duration,
}

impl ContentPass for InjectStyles<'_> {
    type Error = EngineError;

    /// Evaluates branch after branch: on a CPU as fast as a batch, in less memory, and with bytes that cannot depend
    /// on how many outputs share a pass.
    fn evaluate(
        &mut self,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, EngineError> {
        let started = Instant::now();
        let injected = self.injection.injected[at.step];
        let keep = injected && self.injection.attention.filter.is_some();
        let mut content_branch = ContentBranch {
            attention: &mut *self.attention,
            keep,
            layers: Vec::new(),
        };
        let content_pred = self
            .unet
            .evaluate(content, at.timestep, &mut content_branch)?;
        let content_layers = content_branch.layers;
        self.in_content += started.elapsed();
        let mut predictions = Vec::with_capacity(outputs.len());
        for output in outputs {
            let noise_pred = if injected {
                let style = self.styles[output.position];
                let style_layers = style.layers(at.step)?.ok_or(EngineError::NotRecorded(at))?;
                let mut branch = InjectedBranch {
                    attention: &mut *self.attention,
                    style: &style_layers,
                    content: &content_layers,
                };
                self.unet
                    .evaluate(output.latent, at.timestep, &mut branch)?
            } else {
                let mut branch = ContentBranch {
                    attention: &mut *self.attention,
                    keep: false,
                    layers: Vec::new(),
                };
                self.unet
                    .evaluate(output.latent, at.timestep, &mut branch)?
            };
            predictions.push(noise_pred);
        }
        tracing::debug!(
            step = at.step,
            outputs = outputs.len(),
            injected,
            elapsed_ms = 1000.0 * started.elapsed().as_secs_f64(),
            "evaluated pass"
        );
        Ok(PassPredictions {
            content: content_pred,
            outputs: predictions,
        })
    }
}

/// Attends to itself; its keys and values are recorded at a step that injects.
struct StyleBranch<'a> {
    attention: &'a mut dyn AttentionKernel,
    layers: Option<Vec<StyleLayer>>,
}

impl LayerAttention for StyleBranch<'_> {
    fn attend(
        &mut self,
        _: usize,
        layer: &InjectedLayer,
        tensors: LayerTensors,
    ) -> Result<DynValue, EngineError> {
        let SelfAttention { output, .. } = self.attention.self_attention(layer, &tensors)?;
        if let Some(layers) = &mut self.layers {
            layers.push(StyleLayer {
                key: tensors.key,
                value: tensors.value,
            });
        }
        Ok(output)
    }
}

/// Attends to itself.
struct ContentBranch<'a> {
    attention: &'a mut dyn AttentionKernel,
    /// Whether outputs of this step need its tensors.
    keep: bool,
    layers: Vec<ContentLayer>,
}

impl LayerAttention for ContentBranch<'_> {
    fn attend(
        &mut self,
        _: usize,
        layer: &InjectedLayer,
        tensors: LayerTensors,
    ) -> Result<DynValue, EngineError> {
        let SelfAttention {
            output,
            softmax_stats,
        } = self.attention.self_attention(layer, &tensors)?;
        if self.keep {
            self.layers.push(ContentLayer {
                tensors,
                softmax_stats,
            });
        }
        Ok(output)
    }
}

/// Attends to its style.
struct InjectedBranch<'a> {
    attention: &'a mut dyn AttentionKernel,
    style: &'a [StyleLayer],
    content: &'a [ContentLayer],
}

impl LayerAttention for InjectedBranch<'_> {
    fn attend(
        &mut self,
        position: usize,
        layer: &InjectedLayer,
        tensors: LayerTensors,
    ) -> Result<DynValue, EngineError> {
        let (style, content) = (&self.style[position], self.content.get(position));
        self.attention
            .cross_image_attention(layer, &tensors.query, style, content)
    }
}

/// Returns the bytes that the record of a style takes.
#[must_use]
pub fn style_num_bytes(unet: &UnetChain, injection: &Injection) -> u64 {
    let per_step: usize = unet
        .layers()
        .map(|layer| 2 * unet.precision.num_bytes() * layer.tokens * layer.heads * layer.head_width)
        .sum();
    per_step as u64
        * injection
            .injected
            .iter()
            .filter(|injected| **injected)
            .count() as u64
}

/// Returns the records of some styles, in order.
///
/// # Panics
///
/// If a style was never recorded: callers record before they convert.
pub(crate) fn records<'a>(bank: &'a StyleBank, styles: &[&str]) -> Vec<&'a StyleRecord> {
    styles
        .iter()
        .map(|style| bank.get(style).expect("the caller records styles first"))
        .collect()
}
