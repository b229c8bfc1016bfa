//! Injection of styles: what the injected layers compute on each branch, style, content and output.
//!
//! - [`by_class`]: what methods that map the classes of styles do beside that
//!
//! The style branch attends to itself and its keys and values are recorded; the content branch attends to itself and
//! its queries, keys and values are kept for the outputs of the same pass; an output branch attends to the style, or
//! to itself at a step without injection.

pub mod by_class;

use std::time::{Duration, Instant};

use kernels::bf16::Operands;
use ndarray::{Array3, ArrayView3};
use ort::value::DynValue;

use self::by_class::{ClassInjection, ClassPass, Evaluating};
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
    /// For each executed step: whether anything of the style's branch is read.
    pub read: Vec<bool>,
    /// Contrast and filter.
    pub attention: InjectedAttention,
    /// What a method that maps the classes of styles does with them; none of others.
    pub classes: Option<ClassInjection>,
}

impl Injection {
    /// Returns whether layers vote on the classes of styles at a step.
    fn votes(&self, step: usize) -> bool {
        let classes = self.classes.as_ref();
        classes.is_some_and(|classes| classes.votes[step])
    }

    /// Returns whether the layers of styles are recorded at a step.
    fn records(&self, step: usize) -> bool {
        self.injected[step] || self.votes(step)
    }
}

/// The style branch: predicts noise and records keys and values.
pub struct RecordStyle<'a> {
    /// The noise predictor.
    pub unet: &'a mut UnetChain,
    /// Kernel for the injected layers.
    pub attention: &'a mut dyn AttentionKernel,
    /// The steps that are recorded: those that inject, and those at which layers vote.
    pub injection: &'a Injection,
    /// The record that is written.
    pub steps: &'a mut StyleSteps,
}

impl StylePass for RecordStyle<'_> {
    type Error = EngineError;

    fn is_read(&self, at: At) -> bool {
        self.injection.read[at.step]
    }

    fn evaluate(&mut self, at: At, style: ArrayView3<'_, f32>) -> Result<Array3<f32>, EngineError> {
        let mut branch = StyleBranch {
            attention: &mut *self.attention,
            layers: self.injection.records(at.step).then(Vec::new),
            keeps_inputs: self.injection.votes(at.step),
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
    /// The classes of content and styles, of methods that map them.
    pub classes: Option<ClassPass<'a>>,
    /// The time that the content branch has taken so far.
    pub in_content: Duration,
}

impl ContentPass for InjectStyles<'_> {
    type Error = EngineError;

    /// Evaluates branch after branch: on a CPU as fast as a batch, in less memory, and with bytes that cannot depend
    /// on how many outputs share a pass. An output that is the content's latent has its prediction, unless it injects.
    fn evaluate(
        &mut self,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, EngineError> {
        let started = Instant::now();
        let injected = self.injection.injected[at.step];
        let predictions = match &mut self.classes {
            None => self.evaluate_without_classes(at, content, outputs)?,
            Some(classes) => {
                let with = Evaluating {
                    unet: &mut *self.unet,
                    attention: &mut *self.attention,
                    styles: self.styles,
                    injected,
                    in_content: &mut self.in_content,
                };
                classes.evaluate(with, at, content, outputs)?
            }
        };
        tracing::debug!(
            step = at.step,
            outputs = outputs.len(),
            injected,
            elapsed_ms = 1000.0 * started.elapsed().as_secs_f64(),
            "evaluated pass"
        );
        Ok(predictions)
    }
}

impl InjectStyles<'_> {
    fn evaluate_without_classes(
        &mut self,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, EngineError> {
        let injected = self.injection.injected[at.step];
        let keep = injected && self.injection.attention.filter.is_some();
        let started = Instant::now();
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
            } else if output.latent == content {
                content_pred.clone()
            } else {
                let mut branch = PlainBranch {
                    attention: &mut *self.attention,
                };
                self.unet
                    .evaluate(output.latent, at.timestep, &mut branch)?
            };
            predictions.push(noise_pred.into());
        }
        Ok(PassPredictions {
            content: content_pred,
            outputs: predictions,
        })
    }
}

/// Attends to itself; its layers are recorded at a step at which something of them is read.
struct StyleBranch<'a> {
    attention: &'a mut dyn AttentionKernel,
    layers: Option<Vec<StyleLayer>>,
    /// Whether what keys and values are projected from is recorded too.
    keeps_inputs: bool,
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
                input: tensors.input.filter(|_| self.keeps_inputs),
            });
        }
        Ok(output)
    }
}

/// Attends to itself.
struct PlainBranch<'a> {
    attention: &'a mut dyn AttentionKernel,
}

impl LayerAttention for PlainBranch<'_> {
    fn attend(
        &mut self,
        _: usize,
        layer: &InjectedLayer,
        tensors: LayerTensors,
    ) -> Result<DynValue, EngineError> {
        let attended = self.attention.self_attention(layer, &tensors)?;
        Ok(attended.output)
    }
}

/// Attends to itself, as outputs of the step may need it.
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
            let tensors = LayerTensors {
                input: None,
                ..tensors
            };
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
    let num_bytes = match unet.operands {
        Operands::Single => unet.precision.num_bytes(),
        // They are kept as products round them.
        Operands::Bf16 => size_of::<u16>(),
    };
    let of_tensor =
        |layer: &InjectedLayer| (num_bytes * layer.tokens * layer.heads * layer.head_width) as u64;
    let keys_and_values: u64 = unet.layers().map(|layer| 2 * of_tensor(layer)).sum();
    let voting = unet.layers().filter(|layer| layer.input.is_some());
    let inputs: u64 = voting.map(of_tensor).sum();
    let num = |is_such: &dyn Fn(usize) -> bool| {
        let steps = 0..injection.injected.len();
        steps.filter(|&step| is_such(step)).count() as u64
    };
    keys_and_values * num(&|step| injection.records(step))
        + inputs * num(&|step| injection.votes(step))
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
