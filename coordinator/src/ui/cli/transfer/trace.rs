//! Everything a conversion computed, as an NPZ file.

use std::io::Cursor;

use engine::conversion::Converter;
use imaging::Prepared;
use method::denoise::{Observer, StepRecord};
use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_npy::{NpzWriter, WriteNpzError};

/// Collects what a conversion computed.
#[derive(Default)]
pub(super) struct Trace {
    timesteps: Vec<i64>,
    latents: Vec<(String, Array3<f32>)>,
    labels: Vec<(String, Array2<u8>)>,
    steps: Vec<(String, Array3<f32>)>,
}

impl Trace {
    /// Adds what does not belong to a step; latents and labels of content and style.
    pub(super) fn constants(
        &mut self,
        converter: &Converter,
        latents: [&Array3<f32>; 2],
        prepared: [&Prepared; 2],
    ) {
        self.timesteps = converter
            .timesteps()
            .into_iter()
            .map(|timestep| timestep as i64)
            .collect();
        for (branch, (latent, prepared)) in ["content", "style"]
            .iter()
            .zip(latents.into_iter().zip(prepared))
        {
            self.latents
                .push((format!("latent_{branch}"), latent.clone()));
            self.labels
                .push((format!("label_{branch}"), prepared.label.clone()));
            self.labels.push((
                format!("label_{branch}_latent"),
                prepared.label_latent.clone(),
            ));
        }
    }

    /// Returns the file.
    pub(super) fn into_npz(self) -> Result<Vec<u8>, WriteNpzError> {
        let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
        npz.add_array("timesteps", &Array1::from(self.timesteps))?;
        for (name, latent) in self.latents {
            npz.add_array(name, &latent.insert_axis(Axis(0)))?;
        }
        for (name, labels) in &self.labels {
            npz.add_array(name.as_str(), labels)?;
        }
        for (name, array) in &self.steps {
            npz.add_array(name.as_str(), array)?;
        }
        Ok(npz.finish()?.into_inner())
    }
}

impl Observer for Trace {
    fn step(&mut self, record: &StepRecord<'_>) {
        let step = record.at.step;
        self.steps
            .push((format!("step{step}_noise_pred"), record.noise_pred.clone()));
        self.steps.push((
            format!("step{step}_before_adain"),
            record.before_adain.clone(),
        ));
        self.steps
            .push((format!("step{step}_latent"), record.latent.clone()));
    }
}
