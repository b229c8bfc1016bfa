//! The attention of the injected layers, beside that of the host.

use std::collections::HashSet;

use ort::value::DynValue;

use super::deviation::{are_same, judge, most};
use super::scene::{Classes, Scene};
use super::{LayerDeviation, Trial, TrialFailure, on_host};
use crate::EngineError;
use crate::attention::host::HostAttention;
use crate::attention::{AttentionKernel, KernelKind, heads_of};
use crate::conversion::Converter;
use crate::transfer::Transfer;
use method::class_filter::ClassFilter;
use shared::model::{InjectedLayer, Precision};

/// Tokens of a layer that is small: fewer than a tile of any kernel has.
const FEW_TOKENS: usize = 96;

impl Converter {
    /// Judges the attention of one layer of each shape, at a small size and at its own.
    pub(super) fn judge_layers(
        &mut self,
        transfer: &mut Transfer,
        trial: &mut Trial,
    ) -> Result<(), EngineError> {
        let mut shapes = HashSet::new();
        let layers = self.engine.unet.layers();
        let layers =
            layers.filter(|layer| shapes.insert((layer.tokens, layer.heads, layer.head_width)));
        let layers: Vec<InjectedLayer> = layers.cloned().collect();
        for layer in layers {
            let few = FEW_TOKENS.min(layer.tokens);
            let mut sizes = vec![few, layer.tokens];
            sizes.dedup();
            for tokens in sizes {
                let layer = InjectedLayer {
                    tokens,
                    ..layer.clone()
                };
                self.judge_layer(&layer, transfer, trial)?;
            }
        }
        Ok(())
    }

    fn judge_layer(
        &mut self,
        layer: &InjectedLayer,
        transfer: &mut Transfer,
        trial: &mut Trial,
    ) -> Result<(), EngineError> {
        let injects = self.recipe.injection.injected.contains(&true);
        let class_filter = self.class_filter().filter(|_| injects);
        let how = self.recipe.injection.attention;
        let precision = self.engine.unet.precision;
        let failed = |source| EngineError::Run {
            part: format!("the trial of layer {}", layer.name),
            source,
        };
        let scene = Scene::new(layer, how.filter.as_ref(), precision).map_err(failed)?;
        let mut host = HostAttention::new(Precision::Fp32, how);
        let place = self.engine.runtime.device();
        let device = self.attention.as_mut();
        let kind = device.kind();
        let mut judging = Judging {
            layer,
            most: most(precision),
            transfer,
            failures: &mut trial.failures,
        };
        let to_itself =
            judging.beside(&mut host, &mut *device, "attention to itself", |kernel| {
                let attended = kernel.self_attention(layer, &scene.content.tensors)?;
                Ok(attended.output)
            })?;
        let by_fused = |error: EngineError| match kind {
            KernelKind::Fused { .. } => error.of_fused_kernels(place),
            KernelKind::Host | KernelKind::Graph => error,
        };
        let injected = match class_filter {
            _ if !injects => None,
            None => {
                let off = judging.beside(&mut host, device, "injected attention", |kernel| {
                    let content = Some(&scene.content);
                    kernel.cross_image_attention(layer, &scene.query, &scene.style, content)
                });
                Some(off.map_err(by_fused)?)
            }
            Some(filter) => {
                let classes = Classes::new(layer, &scene, precision).map_err(failed)?;
                let tensors = classes.tensors(&scene);
                let attend = |kernel: &mut dyn AttentionKernel| {
                    let attended = kernel.class_filtered_attention(layer, &tensors, &filter)?;
                    Ok(attended.0)
                };
                Some(judging.beside(&mut host, device, "injected attention", attend)?)
            }
        };
        trial.deviations.push(LayerDeviation {
            layer: named(layer),
            to_itself,
            injected,
            most: most(precision),
        });
        Ok(())
    }

    /// Returns the filter by class, if outputs attend to their styles through one.
    fn class_filter(&self) -> Option<ClassFilter> {
        let classes = self.recipe.injection.classes.as_ref();
        classes.and_then(|classes| classes.filter)
    }
}

/// A layer on its way through the trial.
struct Judging<'a> {
    layer: &'a InjectedLayer,
    most: f64,
    transfer: &'a mut Transfer,
    failures: &'a mut Vec<TrialFailure>,
}

impl Judging<'_> {
    /// Returns how far the attention of a device is off that of the host, and takes note of what is wrong with it.
    fn beside(
        &mut self,
        host: &mut dyn AttentionKernel,
        device: &mut dyn AttentionKernel,
        what: &str,
        attend: impl Fn(&mut dyn AttentionKernel) -> Result<DynValue, EngineError>,
    ) -> Result<f64, EngineError> {
        let part = format!("the {what} of layer {}", named(self.layer));
        let found = self.transfer.numbers(&attend(&mut *device)?)?;
        let again = self.transfer.numbers(&attend(device)?)?;
        let expected = on_host(&attend(host)?)?;
        let (off, failure) = judge(
            part.clone(),
            heads_of(self.layer),
            (&expected, &found),
            self.most,
        );
        let is_repeated = failure.is_some() || are_same(&found, &again);
        self.failures.extend(failure);
        if !is_repeated {
            self.failures.push(TrialFailure::NotRepeated { part });
        }
        Ok(off)
    }
}

fn named(layer: &InjectedLayer) -> String {
    format!("{} ({} tokens)", layer.name, layer.tokens)
}
