//! One pass over a style, a content and an output, and one round trip of the VAE: what comes out of each part.

use std::time::Duration;

use ndarray::Array2;
use ort::value::DynValue;
use shared::digest;

use super::{TrialFailure, scene};
use crate::EngineError;
use crate::attention::{
    AttentionKernel, ClassTensors, ContentLayer, KernelKind, LayerTensors, SelfAttention,
    StyleLayer,
};
use crate::conversion::Converter;
use crate::injection::by_class::ClassPass;
use crate::injection::{InjectStyles, RecordStyle};
use crate::style_bank::{StyleRecord, StyleSteps};
use crate::transfer::Transfer;
use method::class_filter::{ClassFilter, KeptPairs};
use method::denoise::{At, ContentPass as _, OutputBranch, StylePass as _, StyleTrajectory};
use shared::model::InjectedLayer;

/// What came out of a part of the model.
struct Seen {
    part: String,
    sha256: String,
    is_finite: bool,
}

impl Seen {
    fn of<'a>(part: impl Into<String>, mut numbers: impl Iterator<Item = &'a f32> + Clone) -> Self {
        let bytes = numbers.clone().flat_map(|number| number.to_le_bytes());
        Self {
            part: part.into(),
            sha256: digest::sha256(&bytes.collect::<Vec<u8>>()),
            is_finite: numbers.all(|number| number.is_finite()),
        }
    }
}

/// Returns what is wrong with what two passes made of the same numbers: of what follows from that, nothing is said.
fn compare(first: &[Seen], second: &[Seen]) -> Option<TrialFailure> {
    first.iter().zip(second).find_map(|(one, other)| {
        let part = one.part.clone();
        if !(one.is_finite && other.is_finite) {
            Some(TrialFailure::NotFinite { part })
        } else if one.sha256 != other.sha256 {
            Some(TrialFailure::NotRepeated { part })
        } else {
            None
        }
    })
}

impl Converter {
    /// Returns what is wrong with what comes out of a pass and of another one on the same numbers.
    pub(super) fn pass_twice(
        &mut self,
        transfer: &mut Transfer,
    ) -> Result<Option<TrialFailure>, EngineError> {
        let first = self.pass(transfer)?;
        Ok(compare(&first, &self.pass(transfer)?))
    }

    /// Returns what came out of each part, in the order in which they are computed.
    fn pass(&mut self, transfer: &mut Transfer) -> Result<Vec<Seen>, EngineError> {
        let mut seen = Vec::new();
        let image = scene::image(self.size());
        let latent = self.engine.vae.encode(image.view())?;
        seen.push(Seen::of("the VAE's encoder", latent.iter()));
        let decoded = self.engine.vae.decode(latent.view())?;
        seen.push(Seen::of("the VAE's decoder", decoded.iter()));
        self.evaluate_branches(transfer, &mut seen)?;
        Ok(seen)
    }

    /// Evaluates a style, a content and an output once, at a step that injects.
    fn evaluate_branches(
        &mut self,
        transfer: &mut Transfer,
        seen: &mut Vec<Seen>,
    ) -> Result<(), EngineError> {
        let size = self.size();
        let shape = (
            self.latent_channels(),
            size.latent_height,
            size.latent_width,
        );
        let [of_style, of_content, of_output] =
            ["style", "content", "output"].map(|name| scene::draw(name, shape));
        let injection = &self.recipe.injection;
        let injected = injection.injected.iter().position(|injected| *injected);
        // Without injection, every step asks for the same.
        let step = injected.unwrap_or(0);
        let timestep = self.schedule.timestep(self.schedule.index(step));
        let at = At { step, timestep };
        let mut steps = StyleSteps::where_made("of the trial");
        let mut witness = Witness {
            kernel: self.attention.as_mut(),
            transfer,
            seen,
        };
        let prediction = RecordStyle {
            unet: &mut self.engine.unet,
            attention: &mut witness,
            injection,
            steps: &mut steps,
        }
        .evaluate(at, of_style.view())?;
        let said = "the UNet's prediction of a style";
        witness.seen.push(Seen::of(said, prediction.iter()));
        let labels = Array2::zeros((size.height, size.width));
        let trajectory = StyleTrajectory {
            labels: labels.clone(),
            after: Vec::new(),
        };
        let record = StyleRecord::new(trajectory, steps);
        let classes = injection.classes.as_ref().map(|classes| {
            let latent = (size.latent_height, size.latent_width);
            ClassPass::new(classes, labels.view(), latent, &[&record])
        });
        let output = OutputBranch {
            position: 0,
            latent: of_output.view(),
        };
        let predictions = InjectStyles {
            unet: &mut self.engine.unet,
            attention: &mut witness,
            injection,
            styles: &[&record],
            classes,
            in_content: Duration::ZERO,
        }
        .evaluate(at, of_content.view(), &[output])?;
        let said = "the UNet's prediction of a content";
        witness
            .seen
            .push(Seen::of(said, predictions.content.iter()));
        for output in &predictions.outputs {
            let said = "the UNet's prediction of an output";
            witness.seen.push(Seen::of(said, output.noise_pred.iter()));
        }
        Ok(())
    }
}

/// Attention that takes note of what comes out of it.
struct Witness<'a> {
    kernel: &'a mut dyn AttentionKernel,
    transfer: &'a mut Transfer,
    seen: &'a mut Vec<Seen>,
}

impl Witness<'_> {
    fn note(
        &mut self,
        what: &str,
        layer: &InjectedLayer,
        attended: &DynValue,
    ) -> Result<(), EngineError> {
        let part = format!("the UNet up to the {what} of layer {}", layer.name);
        let attended = self.transfer.numbers(attended)?;
        self.seen.push(Seen::of(part, attended.iter()));
        Ok(())
    }
}

impl AttentionKernel for Witness<'_> {
    fn kind(&self) -> KernelKind {
        self.kernel.kind()
    }

    fn self_attention(
        &mut self,
        layer: &InjectedLayer,
        image: &LayerTensors,
    ) -> Result<SelfAttention, EngineError> {
        let attended = self.kernel.self_attention(layer, image)?;
        self.note("attention to itself", layer, &attended.output)?;
        Ok(attended)
    }

    fn cross_image_attention(
        &mut self,
        layer: &InjectedLayer,
        query: &DynValue,
        style: &StyleLayer,
        content: Option<&ContentLayer>,
    ) -> Result<DynValue, EngineError> {
        let kernel = &mut *self.kernel;
        let attended = kernel.cross_image_attention(layer, query, style, content)?;
        self.note("injected attention", layer, &attended)?;
        Ok(attended)
    }

    fn class_filtered_attention(
        &mut self,
        layer: &InjectedLayer,
        tensors: &ClassTensors<'_>,
        filter: &ClassFilter,
    ) -> Result<(DynValue, Option<KeptPairs>), EngineError> {
        let kernel = &mut *self.kernel;
        let (attended, kept) = kernel.class_filtered_attention(layer, tensors, filter)?;
        self.note("injected attention", layer, &attended)?;
        Ok((attended, kept))
    }

    fn copied(&mut self, tensor: &DynValue) -> Result<DynValue, EngineError> {
        self.kernel.copied(tensor)
    }
}
