//! Injection by class: what a style shows where, as layers find it step by step, and attention filtered by that.
//!
//! The layers with a token for each position of the latent compare their inputs, content and style: each votes on the
//! class of every pixel of the style, and where all agree the style's map changes. The map that the last of them reads is
//! that of its own step; those before it still read the one that the step before left, if that was class-wise, or else the
//! style's own.
//!
//! Votes are counted on the host. A GPU keeps all else to itself; at a step that votes it hands over the inputs of those
//! layers, `(tokens, heads * width)` each, once for the content and once for each of its styles.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayView2, ArrayView3};
use ort::value::DynValue;

use super::{InjectedBranch, PlainBranch};
use crate::attention::{AttentionKernel, ClassTensors, LayerTensors, SelfAttention, StyleLayer};
use crate::style_bank::StyleRecord;
use crate::unet::{LayerAttention, UnetChain};
use crate::{EngineError, tensor};
use method::class_filter::{ClassFilter, KeptPairs};
use method::class_map::{refined, token_classes};
use method::denoise::{At, ClassRecord, OutputBranch, OutputPrediction, PassPredictions};
use method::prototypes::{Prototypes, UnitFeatures};
use shared::model::InjectedLayer;

/// How the classes of styles are mapped, and injection is filtered by them.
#[derive(Debug, Clone)]
pub struct ClassInjection {
    /// The filter; none for plain injection.
    pub filter: Option<ClassFilter>,
    /// Cosine below which a layer has no vote.
    pub confidence: f32,
    /// For each executed step: whether layers vote.
    pub votes: Vec<bool>,
    /// For each executed step: whether AdaIN is class-wise, so that its map is left to the next step.
    pub class_wise: Vec<bool>,
}

/// The classes of a content and of its outputs' styles on their way through the steps.
pub struct ClassPass<'a> {
    how: &'a ClassInjection,
    /// The content's train ids, `(image height, image width)`.
    labels: ArrayView2<'a, u8>,
    /// Height and width of a latent.
    latent: (usize, usize),
    /// Of each output.
    maps: Vec<StyleMap<'a>>,
    /// Whether it is read which pairs are kept.
    reads_kept: bool,
}

/// What a style shows, `(image height, image width)`.
struct StyleMap<'a> {
    /// By its own label.
    prior: ArrayView2<'a, u8>,
    /// As the step before left it.
    left: Option<Array2<u8>>,
}

/// What branches are evaluated with.
pub(super) struct Evaluating<'a> {
    pub(super) unet: &'a mut UnetChain,
    pub(super) attention: &'a mut dyn AttentionKernel,
    pub(super) styles: &'a [&'a StyleRecord],
    /// Whether the step injects.
    pub(super) injected: bool,
    /// The time that the content branch has taken so far.
    pub(super) in_content: &'a mut Duration,
}

impl<'a> ClassPass<'a> {
    /// Returns the classes before the first step.
    #[must_use]
    pub fn new(
        how: &'a ClassInjection,
        labels: ArrayView2<'a, u8>,
        latent: (usize, usize),
        styles: &[&'a StyleRecord],
    ) -> Self {
        let prior = |style: &&'a StyleRecord| StyleMap {
            prior: style.trajectory.labels.view(),
            left: None,
        };
        Self {
            how,
            labels,
            latent,
            maps: styles.iter().map(prior).collect(),
            reads_kept: false,
        }
    }

    /// Returns the classes with what is said of kept pairs, if that is read.
    #[must_use]
    pub fn reading_kept_pairs(self, reads_kept: bool) -> Self {
        Self { reads_kept, ..self }
    }

    /// Evaluates the content, finds what each style shows at the step, and evaluates the outputs.
    pub(super) fn evaluate(
        &mut self,
        with: Evaluating<'_>,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, EngineError> {
        let Evaluating {
            unet,
            attention,
            styles,
            injected,
            in_content,
        } = with;
        let votes = self.how.votes[at.step];
        let started = Instant::now();
        let mut branch = self.content_branch(&mut *attention, at, injected);
        let content_pred = unet.evaluate(content, at.timestep, &mut branch)?;
        let of_content = self.with_all_prototypes(unet, branch.kept)?;
        *in_content += started.elapsed();
        let mut predictions = Vec::with_capacity(outputs.len());
        for output in outputs {
            let style = recorded(styles[output.position], at, injected || votes)?;
            let votes = self.votes(unet, &of_content.prototypes, &style)?;
            let map = &self.maps[output.position];
            let refined = refined(map.prior, &votes, self.labels)?;
            let mut kept = Vec::new();
            let noise_pred = match (injected, self.how.filter) {
                (true, Some(filter)) => {
                    let mut branch = FilteredBranch {
                        attention: &mut *attention,
                        filter,
                        style: &style,
                        content: &of_content.attended,
                        labels: self.labels,
                        early: map.left.as_ref().map_or(map.prior, |left| left.view()),
                        late: refined.view(),
                        last_vote: last_vote(unet),
                        reads_kept: self.reads_kept,
                        kept: &mut kept,
                    };
                    unet.evaluate(output.latent, at.timestep, &mut branch)?
                }
                (true, None) => {
                    let mut branch = InjectedBranch {
                        attention: &mut *attention,
                        style: &style,
                        content: &[],
                    };
                    unet.evaluate(output.latent, at.timestep, &mut branch)?
                }
                (false, _) if output.latent == content => content_pred.clone(),
                (false, _) => {
                    let mut branch = PlainBranch {
                        attention: &mut *attention,
                    };
                    unet.evaluate(output.latent, at.timestep, &mut branch)?
                }
            };
            let leaves = self.how.class_wise[at.step];
            self.maps[output.position].left = leaves.then(|| refined.clone());
            predictions.push(OutputPrediction {
                noise_pred,
                classes: Some(ClassRecord {
                    votes,
                    map: refined,
                    kept,
                }),
            });
        }
        Ok(PassPredictions {
            content: content_pred,
            outputs: predictions,
        })
    }

    fn content_branch<'b>(
        &self,
        attention: &'b mut dyn AttentionKernel,
        at: At,
        injected: bool,
    ) -> ContentBranch<'b>
    where
        'a: 'b,
    {
        ContentBranch {
            attention,
            labels: self.labels,
            latent: self.latent,
            keeps_attended: injected && self.how.filter.is_some(),
            votes: self.how.votes[at.step],
            kept: ContentClasses::default(),
        }
    }

    /// Returns what outputs need of the content, with the prototypes of layers whose inputs were left on the device.
    fn with_all_prototypes(
        &self,
        unet: &mut UnetChain,
        mut content: ContentClasses,
    ) -> Result<ContentClasses, EngineError> {
        for input in content.inputs_on_device.drain(..) {
            let features = features_anywhere(unet, &input, self.latent)?;
            content
                .prototypes
                .push(Prototypes::of(&features, self.labels));
        }
        Ok(content)
    }

    /// Returns the vote of each layer, of whose content there are prototypes, on a style.
    fn votes(
        &self,
        unet: &mut UnetChain,
        prototypes: &[Prototypes],
        style: &[StyleLayer],
    ) -> Result<Vec<Array2<u8>>, EngineError> {
        let inputs = style.iter().filter_map(|layer| layer.input.as_ref());
        let votes = prototypes.iter().zip(inputs).map(|(prototypes, input)| {
            let features = features_anywhere(unet, input, self.latent)?;
            let confidence = self.how.confidence;
            Ok(prototypes.vote(&features, self.labels.dim(), confidence)?)
        });
        votes.collect()
    }
}

/// Returns the layers of a style at a step; none where nothing of them is read.
fn recorded(style: &StyleRecord, at: At, are_read: bool) -> Result<Arc<[StyleLayer]>, EngineError> {
    if !are_read {
        return Ok(Arc::default());
    }
    style.layers(at.step)?.ok_or(EngineError::NotRecorded(at))
}

/// Returns the position of the last layer that votes.
fn last_vote(unet: &UnetChain) -> Option<usize> {
    let layers = unet.layers().enumerate();
    let voting = layers.filter(|(_, layer)| layer.input.is_some());
    voting.last().map(|(position, _)| position)
}

fn unit_features(input: &DynValue, latent: (usize, usize)) -> Result<UnitFeatures, EngineError> {
    let tokens = tensor::tokens(input).map_err(failed)?;
    Ok(UnitFeatures::of_tokens(tokens.view(), latent)?)
}

/// Returns the features of an input that may be in the memory of a GPU.
fn features_anywhere(
    unet: &mut UnetChain,
    input: &DynValue,
    latent: (usize, usize),
) -> Result<UnitFeatures, EngineError> {
    match tensor::is_on_gpu(input).map_err(failed)? {
        false => unit_features(input, latent),
        true => Ok(UnitFeatures::of_tokens(
            unet.numbers(input)?.view(),
            latent,
        )?),
    }
}

fn failed(source: ort::Error) -> EngineError {
    EngineError::Run {
        part: "the vote on classes".to_owned(),
        source,
    }
}

/// What outputs need of the content's layers.
#[derive(Default)]
struct ContentClasses {
    /// Of each layer: its attention to itself.
    attended: Vec<DynValue>,
    /// Of each layer that votes: the mean direction of its input in each class.
    prototypes: Vec<Prototypes>,
    /// The inputs of those layers, where they are in the memory of a GPU: the host waits for none before the last is there.
    inputs_on_device: Vec<DynValue>,
}

/// Attends to itself.
struct ContentBranch<'a> {
    attention: &'a mut dyn AttentionKernel,
    labels: ArrayView2<'a, u8>,
    latent: (usize, usize),
    keeps_attended: bool,
    votes: bool,
    kept: ContentClasses,
}

impl LayerAttention for ContentBranch<'_> {
    fn attend(
        &mut self,
        _: usize,
        layer: &InjectedLayer,
        tensors: LayerTensors,
    ) -> Result<DynValue, EngineError> {
        let SelfAttention { output, .. } = self.attention.self_attention(layer, &tensors)?;
        if self.keeps_attended {
            let attended = self.attention.copied(&output)?;
            self.kept.attended.push(attended);
        }
        if let Some(input) = tensors.input.filter(|_| self.votes) {
            if tensor::is_on_gpu(&input).map_err(failed)? {
                self.kept.inputs_on_device.push(input);
                return Ok(output);
            }
            let features = unit_features(&input, self.latent)?;
            let prototypes = Prototypes::of(&features, self.labels);
            self.kept.prototypes.push(prototypes);
        }
        Ok(output)
    }
}

/// Attends to strong pairs of one class, and else as the content does.
struct FilteredBranch<'a> {
    attention: &'a mut dyn AttentionKernel,
    filter: ClassFilter,
    style: &'a [StyleLayer],
    /// The content's attention to itself, of each layer.
    content: &'a [DynValue],
    labels: ArrayView2<'a, u8>,
    /// What the style shows for layers before the last vote.
    early: ArrayView2<'a, u8>,
    /// What it shows from that layer on.
    late: ArrayView2<'a, u8>,
    last_vote: Option<usize>,
    reads_kept: bool,
    /// The pairs that each layer kept, if that is read.
    kept: &'a mut Vec<KeptPairs>,
}

impl LayerAttention for FilteredBranch<'_> {
    fn attend(
        &mut self,
        position: usize,
        layer: &InjectedLayer,
        tensors: LayerTensors,
    ) -> Result<DynValue, EngineError> {
        let is_late = self.last_vote.is_some_and(|last| position >= last);
        let map = if is_late { self.late } else { self.early };
        let query_classes = token_classes(self.labels, layer.tokens)?;
        let key_classes = token_classes(map, layer.tokens)?;
        let tensors = ClassTensors {
            query: &tensors.query,
            style: &self.style[position],
            content: &self.content[position],
            query_classes: &query_classes,
            key_classes: &key_classes,
            reads_kept: self.reads_kept,
        };
        let filter = &self.filter;
        let (output, kept) = self
            .attention
            .class_filtered_attention(layer, &tensors, filter)?;
        self.kept.extend(kept);
        Ok(output)
    }
}
