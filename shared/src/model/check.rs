//! The checks of a model's contract: what it must say for this program to use it.

use std::collections::HashSet;
use std::path::{Component, Path};

use super::{
    Dimension, FORMAT_VERSIONS, GraphFile, InjectedLayer, Model, PIXELS_PER_LATENT, Precision,
    WITH_INPUTS, WITH_VAE_PRECISION,
};

/// Autoencoders of diffusion models have scales of 0.1 to 2.
const MIN_VAE_SCALE: f64 = 1e-4;
const MAX_VAE_SCALE: f64 = 1e4;
/// What contracts call whole numbers, such as timesteps.
const WHOLE: &str = "int64";
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

/// Numbers that are not whole must have a precision.
fn check_dtypes(graph: &GraphFile, precision: Precision) -> Result<(), String> {
    let expected = precision.tensor_dtype();
    let mut tensors = graph.inputs.iter().chain(&graph.outputs);
    let other = tensors.find(|tensor| tensor.dtype != expected && tensor.dtype != WHOLE);
    other.map_or(Ok(()), |tensor| {
        Err(format!(
            "has {} as {} in {}, expected {expected}, which that part computes in; export the model again",
            tensor.name, tensor.dtype, graph.file
        ))
    })
}

impl Model {
    /// Returns why this program cannot use the model, if it cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        if !FORMAT_VERSIONS.contains(&self.format_version) {
            let (first, last) = FORMAT_VERSIONS.into_inner();
            return Err(format!(
                "has format version {}, this program reads {first} to {last}; export the model again",
                self.format_version
            ));
        }
        self.check_sizes()?;
        self.check_files()?;
        let schedule = &self.schedule;
        for (key, value, expected) in [
            ("beta_schedule", &schedule.beta_schedule, "scaled_linear"),
            ("timestep_spacing", &schedule.timestep_spacing, "leading"),
        ] {
            if value != expected {
                return Err(format!(
                    "has schedule.{key} {value}, the method needs {expected}"
                ));
            }
        }
        self.check_numbers()?;
        self.check_precisions()?;
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

    /// Tensors of a part must have the precision that it computes in: it is given such tensors.
    fn check_precisions(&self) -> Result<(), String> {
        if self.vae.is_some() && self.format_version < WITH_VAE_PRECISION {
            return Err(format!(
                "has format version {} and a precision of the vae alone, which is of version {WITH_VAE_PRECISION}; export the \
                 model again",
                self.format_version
            ));
        }
        let vae = self.vae_precision().dtype;
        check_dtypes(&self.vae_encoder, vae)?;
        check_dtypes(&self.vae_decoder, vae)?;
        let mut segments = self.segments.iter();
        segments.try_for_each(|segment| check_dtypes(&segment.graph, self.dtype))
    }

    /// Layers with a token for each position of the latent must hand over their input, in versions that have it, and no
    /// others may.
    fn check_input(&self, layer: &InjectedLayer) -> Result<(), String> {
        let is_full = self.is_full(layer);
        if !is_full && layer.input.is_some() {
            return Err(format!(
                "has an input of layer {}, which has no token for each position of the latent; export the model again",
                layer.name
            ));
        }
        let lacks = is_full && layer.input.is_none();
        if lacks && self.format_version >= WITH_INPUTS {
            return Err(format!(
                "has format version {} and no input of layer {}; export the model again",
                self.format_version, layer.name
            ));
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
                self.check_input(layer)?;
                let tensors = [&layer.query, &layer.key, &layer.value];
                for tensor in tensors.into_iter().chain(&layer.input) {
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::{Value, json};

    use crate::model::{ModelContract, PartPrecision, Precision, PredictionType};

    /// Returns the golden model's contract with other values where JSON pointers lead.
    fn golden_with(changes: &[(&str, Value)]) -> Result<ModelContract, String> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let golden = repository.join("tests/fixtures/golden-model/model.json");
        let mut contract: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
        for (pointer, value) in changes {
            let (holder, key) = pointer.rsplit_once('/').unwrap();
            let holder = contract.pointer_mut(holder).expect(pointer);
            match holder {
                Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
                holder => holder[key] = value.clone(),
            }
        }
        let bytes = serde_json::to_vec(&contract).unwrap();
        ModelContract::from_json(&bytes, PathBuf::from("/model")).map_err(|error| error.to_string())
    }

    fn half_vae() -> Vec<(&'static str, Value)> {
        let half = json!("float16");
        vec![
            ("/format_version", json!(3)),
            ("/vae", json!({"dtype": "fp16", "weights": "fp16"})),
            ("/vae_encoder/inputs/0/dtype", half.clone()),
            ("/vae_encoder/outputs/0/dtype", half.clone()),
            ("/vae_decoder/inputs/0/dtype", half.clone()),
            ("/vae_decoder/outputs/0/dtype", half),
        ]
    }

    #[test]
    fn a_vae_may_have_a_precision_of_its_own() {
        let single = PartPrecision {
            dtype: Precision::Fp32,
            weights: Precision::Fp32,
        };
        let model = golden_with(&[]).unwrap().model;
        assert_eq!(
            (model.unet_precision(), model.vae_precision()),
            (single, single)
        );
        assert!(model.cure_of_not_finite().contains("whole checkpoint"));

        let model = golden_with(&half_vae()).unwrap().model;
        assert_eq!(model.unet_precision(), single);
        assert_eq!(model.vae_precision().dtype, Precision::Fp16);
        assert!(model.cure_of_not_finite().contains("--vae-dtype fp32"));
    }

    #[test]
    fn a_tensor_of_another_precision_than_its_part_is_told_with_both() {
        for left_out in 2..half_vae().len() {
            let mut changes = half_vae();
            changes.remove(left_out);
            let told = golden_with(&changes).unwrap_err();
            assert!(told.contains("as float32 in vae_"), "{told}");
            assert!(told.contains("expected float16"), "{told}");
        }
        let told = golden_with(&[("/dtype", json!("fp16"))]).unwrap_err();
        assert!(told.contains("expected float16"), "{told}");
        let told = golden_with(&[("/segments/0/inputs/1/dtype", json!("float16"))]).unwrap_err();
        assert!(told.contains("unet/segment_0.onnx"), "{told}");
    }

    #[test]
    fn a_precision_of_the_vae_is_no_part_of_earlier_versions() {
        let mut changes = half_vae();
        changes[0] = ("/format_version", json!(2));
        let told = golden_with(&changes).unwrap_err();
        assert!(told.contains("format version 2"), "{told}");
        assert!(told.contains("which is of version 3"), "{told}");
    }

    #[test]
    fn what_a_model_predicts_is_read() {
        let predicted = |contract: ModelContract| contract.model.schedule.prediction_type;
        assert_eq!(
            predicted(golden_with(&[]).unwrap()),
            PredictionType::Epsilon
        );
        let velocity = golden_with(&[("/schedule/prediction_type", json!("v_prediction"))]);
        assert_eq!(predicted(velocity.unwrap()), PredictionType::VPrediction);
        let told = golden_with(&[("/schedule/prediction_type", json!("sample"))]).unwrap_err();
        assert!(told.contains("sample"), "{told}");
    }
}
