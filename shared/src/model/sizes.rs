//! Bounds of the sizes in contracts: what is allocated and multiplied later is sane, whatever the file says.

use std::fmt::Display;

use super::{Dimension, GraphFile, Model, PIXELS_PER_LATENT};

/// Width or height of an image in pixels.
pub(crate) const MAX_SIDE: usize = 8192;
/// Pixels of an image.
pub(crate) const MAX_PIXELS: usize = 33_000_000;
/// Length of a tensor's dimension.
const MAX_LENGTH: usize = 1 << 26;
/// Dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// A size, its key, and how large it may be.
pub(crate) struct Size<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: usize,
    pub(crate) max: usize,
}

impl Size<'_> {
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { key, value, max } = self;
        if (1..=*max).contains(value) {
            Ok(())
        } else {
            Err(out_of_bounds(key, value, *max))
        }
    }
}

fn out_of_bounds(key: &str, value: impl Display, max: usize) -> String {
    format!("has {key} {value}, which must be 1 to {max}")
}

impl Model {
    /// Returns which size is out of its bounds, if one is.
    pub(super) fn check_sizes(&self) -> Result<(), String> {
        let (latent, schedule, prompt) = (&self.latent, &self.schedule, &self.prompt);
        for (key, value, max) in [
            ("width", self.width, MAX_SIDE),
            ("height", self.height, MAX_SIDE),
            ("latent.width", latent.width, MAX_SIDE / PIXELS_PER_LATENT),
            ("latent.height", latent.height, MAX_SIDE / PIXELS_PER_LATENT),
            ("latent.channels", latent.channels, 64),
            (
                "schedule.num_train_timesteps",
                schedule.num_train_timesteps,
                100_000,
            ),
            (
                "schedule.steps_offset + 1",
                schedule.steps_offset.saturating_add(1),
                schedule.num_train_timesteps,
            ),
            ("prompt.tokens", prompt.tokens, 4096),
            ("prompt.width", prompt.width, 65_536),
            ("segments", self.segments.len(), 1000),
        ] {
            Size { key, value, max }.check()?;
        }
        if self.width * self.height > MAX_PIXELS {
            return Err(format!(
                "has images of {}x{}, which must have {MAX_PIXELS} pixels at most",
                self.width, self.height
            ));
        }
        for segment in &self.segments {
            check_graph(&segment.graph)?;
            let Some(layer) = &segment.layer else {
                continue;
            };
            for (key, value, max) in [
                ("tokens", layer.tokens, latent.width * latent.height),
                ("heads", layer.heads, 1024),
                ("head_width", layer.head_width, 4096),
            ] {
                let key = &format!("{key} of layer {}", layer.name);
                Size { key, value, max }.check()?;
            }
        }
        [&self.vae_encoder, &self.vae_decoder]
            .into_iter()
            .try_for_each(check_graph)
    }
}

pub(crate) fn check_graph(graph: &GraphFile) -> Result<(), String> {
    for tensor in graph.inputs.iter().chain(&graph.outputs) {
        if tensor.shape.len() > MAX_DIMENSIONS {
            return Err(format!(
                "has {} dimensions of tensor {} of {}, which must be {MAX_DIMENSIONS} at most",
                tensor.shape.len(),
                tensor.name,
                graph.file
            ));
        }
        for dimension in &tensor.shape {
            let Dimension::Fixed(length) = dimension else {
                continue;
            };
            let key = &format!("a dimension of tensor {} of {}:", tensor.name, graph.file);
            let max = MAX_LENGTH;
            match usize::try_from(*length) {
                Ok(value) => Size { key, value, max }.check()?,
                Err(_) => return Err(out_of_bounds(key, length, max)),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::{Value, json};

    use crate::model::ModelContract;
    use crate::network::NetworkContract;

    fn golden(file: &str) -> Value {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        serde_json::from_slice(&std::fs::read(repository.join(file)).unwrap()).unwrap()
    }

    /// Returns what is said of a contract in which the value at a JSON pointer is another one.
    fn refusal(contract: &Value, pointer: &str, value: Value, is_model: bool) -> String {
        let mut contract = contract.clone();
        *contract.pointer_mut(pointer).expect(pointer) = value.clone();
        let bytes = serde_json::to_vec(&contract).unwrap();
        let read = if is_model {
            ModelContract::from_json(&bytes, PathBuf::from("/model")).map(drop)
        } else {
            NetworkContract::from_json(&bytes, PathBuf::from("/network/features.json")).map(drop)
        };
        match read {
            Ok(()) => panic!("{pointer} = {value} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_size_in_a_model_has_bounds() {
        let model = golden("tests/fixtures/golden-model/model.json");
        let huge = json!(u64::MAX);
        for (pointer, key) in [
            ("/width", "width"),
            ("/height", "height"),
            ("/latent/channels", "latent.channels"),
            ("/latent/width", "latent.width"),
            ("/latent/height", "latent.height"),
            ("/schedule/num_train_timesteps", "num_train_timesteps"),
            ("/schedule/steps_offset", "steps_offset"),
            ("/prompt/tokens", "prompt.tokens"),
            ("/prompt/width", "prompt.width"),
            ("/segments/0/layer/tokens", "tokens of layer"),
            ("/segments/0/layer/heads", "heads of layer"),
            ("/segments/0/layer/head_width", "head_width of layer"),
        ] {
            let told = refusal(&model, pointer, huge.clone(), true);
            assert!(
                told.contains(key) && told.contains("must be 1 to"),
                "{told}"
            );
            if key != "steps_offset" {
                let told = refusal(&model, pointer, json!(0), true);
                assert!(told.contains(key), "{told}");
            }
        }
        for length in [json!(i64::MAX), json!(0), json!(-1)] {
            let told = refusal(
                &model,
                "/vae_decoder/outputs/0/shape/1",
                length.clone(),
                true,
            );
            assert!(told.contains("a dimension of tensor"), "{told}");
            assert!(
                told.contains(&format!(": {length}, which must be 1 to")),
                "{told}"
            );
        }
        let shape = json!(vec![1; 9]);
        let told = refusal(&model, "/vae_decoder/outputs/0/shape", shape, true);
        assert!(told.contains("8 at most"), "{told}");
    }

    #[test]
    fn every_size_in_a_network_that_judges_has_bounds() {
        let network = golden("infra/demo/features/features.json");
        for value in [json!(u64::MAX), json!(0)] {
            for key in ["num_features", "resize/width", "resize/height"] {
                let pointer = format!("/{key}");
                if network.pointer(&pointer).is_none() {
                    assert!(network["resize"].is_null(), "{key} is not there");
                    continue;
                }
                let told = refusal(&network, &pointer, value.clone(), false);
                assert!(told.contains(&key.replace('/', ".")), "{told}");
            }
        }
    }
}
