//! The checks of a model's contract: what it must say for this program to use it.

use std::collections::HashSet;
use std::path::{Component, Path};

use super::{Dimension, FORMAT_VERSION, GraphFile, Model, PIXELS_PER_LATENT};

/// Autoencoders of diffusion models have scales of 0.1 to 2.
const MIN_VAE_SCALE: f64 = 1e-4;
const MAX_VAE_SCALE: f64 = 1e4;
/// FreeU's factors are about 1.
const MAX_FREEU: f64 = 100.0;

/// Returns why the files of a graph cannot be those of a contract, if they cannot.
pub(crate) fn check_graph_files(graph: &GraphFile) -> Result<(), String> {
    check_file(&graph.file)?;
    graph
        .data
        .as_ref()
        .map_or(Ok(()), |data| check_file(&data.file))
}

fn check_file(name: &str) -> Result<(), String> {
    let mut parts = Path::new(name).components();
    if !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_))) {
        return Ok(());
    }
    Err(format!(
        "names a file {name:?}, expected one within its folder; export it again"
    ))
}

impl Model {
    /// Returns why this program cannot use the model, if it cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.format_version != FORMAT_VERSION {
            return Err(format!(
                "has format version {}, this program reads {FORMAT_VERSION}; export the model again",
                self.format_version
            ));
        }
        self.check_sizes()?;
        self.check_files()?;
        let schedule = &self.schedule;
        for (key, value, expected) in [
            ("beta_schedule", &schedule.beta_schedule, "scaled_linear"),
            ("timestep_spacing", &schedule.timestep_spacing, "leading"),
            ("prediction_type", &schedule.prediction_type, "epsilon"),
        ] {
            if value != expected {
                return Err(format!(
                    "has schedule.{key} {value}, the method needs {expected}"
                ));
            }
        }
        self.check_numbers()?;
        let sides = [self.latent.width, self.latent.height].map(|side| PIXELS_PER_LATENT * side);
        if [self.width, self.height] != sides {
            return Err(format!(
                "has images of {}x{} and latents of {}x{}, which are not an eighth of them",
                self.width, self.height, self.latent.width, self.latent.height
            ));
        }
        self.check_segments()
    }

    /// Every file must lie in the model's folder: it is copied and verified there.
    fn check_files(&self) -> Result<(), String> {
        let segments = self.segments.iter().map(|segment| &segment.graph);
        for graph in segments.chain([&self.vae_encoder, &self.vae_decoder]) {
            check_graph_files(graph)?;
        }
        check_file(&self.prompt.file)
    }

    /// Numbers that are not checked where they are used.
    fn check_numbers(&self) -> Result<(), String> {
        let scale = self.vae_scale;
        if !(MIN_VAE_SCALE..=MAX_VAE_SCALE).contains(&scale) {
            return Err(format!(
                "has vae_scale {scale}, expected {MIN_VAE_SCALE} to {MAX_VAE_SCALE}; Stable Diffusion 1.5 has 0.18215"
            ));
        }
        for (factor, value) in self
            .freeu
            .iter()
            .filter_map(|freeu| freeu.as_object())
            .flatten()
        {
            let Some(value) = value.as_f64() else {
                continue;
            };
            if !(value > 0.0 && value <= MAX_FREEU) {
                return Err(format!(
                    "has freeu.{factor} {value}, expected a factor above 0 and at most {MAX_FREEU}"
                ));
            }
        }
        Ok(())
    }

    /// Each input of a segment must come from somewhere, and each layer's tensors from the segment before it.
    fn check_segments(&self) -> Result<(), String> {
        let Some((last, injected)) = self.segments.split_last() else {
            return Err("has no segments".to_owned());
        };
        if last.layer.is_some() || injected.iter().any(|segment| segment.layer.is_none()) {
            return Err("must have an injected layer after every segment but the last".to_owned());
        }
        let mut known = HashSet::from(["sample", "timestep", "prompt_embedding"]);
        for segment in &self.segments {
            let graph = &segment.graph;
            if let Some(input) = graph
                .inputs
                .iter()
                .find(|input| !known.contains(input.name.as_str()))
            {
                return Err(format!(
                    "names {} as an input of {}, which nothing before it makes",
                    input.name, graph.file
                ));
            }
            known.extend(graph.outputs.iter().map(|output| output.name.as_str()));
            if let Some(layer) = &segment.layer {
                for tensor in [&layer.query, &layer.key, &layer.value] {
                    let made = graph.outputs.iter().find(|output| &output.name == tensor);
                    let (tokens, width) = (layer.tokens, layer.heads * layer.head_width);
                    let shape = [tokens, width].map(|length| {
                        let length = i64::try_from(length);
                        Dimension::Fixed(length.expect("sizes are checked before segments"))
                    });
                    if made.is_none_or(|made| !made.shape.ends_with(&shape)) {
                        return Err(format!(
                            "names {tensor} as a tensor of layer {}, and {} does not make it as (batch, {tokens}, {width})",
                            layer.name, graph.file
                        ));
                    }
                }
                known.insert(&layer.output);
            }
        }
        if known.contains("noise_pred") {
            Ok(())
        } else {
            Err("has no segment that makes noise_pred".to_owned())
        }
    }
}
