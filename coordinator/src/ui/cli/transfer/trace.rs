//! Everything a conversion computed, as an NPZ file.

use std::io::Cursor;

use engine::conversion::Converter;
use imaging::Prepared;
use method::class_filter::KeptPairs;
use method::denoise::{ClassRecord, Observer, StepRecord};
use ndarray::{Array1, Array2, Array3, Axis, Zip};
use ndarray_npy::{NpzWriter, WriteNpzError};

/// Collects what a conversion computed.
#[derive(Default)]
pub(super) struct Trace {
    /// Whether it is written.
    is_asked_for: bool,
    timesteps: Vec<i64>,
    latents: Vec<(String, Array3<f32>)>,
    labels: Vec<(String, Array2<u8>)>,
    steps: Vec<(String, Array3<f32>)>,
    classes: Classes,
}

/// What methods that map the classes of a style found.
#[derive(Default)]
struct Classes {
    maps: Vec<(String, Array2<u8>)>,
    masks: Vec<(String, Array2<bool>)>,
    num_kept: Vec<(String, Array1<i32>)>,
    sums: Vec<(String, Array2<f32>)>,
    /// Of each filtered layer: step, layer, tokens, median, deviation, threshold, pairs of one class, and those kept.
    filters: Vec<[f64; 8]>,
}

impl Trace {
    /// Returns one of nothing so far.
    pub(super) fn new(is_asked_for: bool) -> Self {
        Self {
            is_asked_for,
            ..Self::default()
        }
    }

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
        let classes = self.classes;
        for (name, map) in &classes.maps {
            npz.add_array(name.as_str(), map)?;
        }
        for (name, mask) in &classes.masks {
            npz.add_array(name.as_str(), mask)?;
        }
        for (name, num_kept) in &classes.num_kept {
            npz.add_array(name.as_str(), num_kept)?;
        }
        for (name, sums) in &classes.sums {
            npz.add_array(name.as_str(), sums)?;
        }
        if !classes.filters.is_empty() {
            npz.add_array("filter_summary", &Array2::from(classes.filters))?;
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
        if let Some(classes) = record.classes {
            self.classes.add(step, classes);
        }
    }

    fn reads_kept_pairs(&self) -> bool {
        self.is_asked_for
    }
}

impl Classes {
    /// Adds what was found at a step.
    fn add(&mut self, step: usize, found: &ClassRecord) {
        for (j, votes) in found.votes.iter().enumerate() {
            let name = format!("step{step}_pseudo_{j}");
            self.maps.push((name, votes.clone()));
        }
        if let Some((first, others)) = found.votes.split_first() {
            let mut agree = Array2::from_elem(first.raw_dim(), true);
            for votes in others {
                Zip::from(&mut agree)
                    .and(first)
                    .and(votes)
                    .for_each(|agree, a, b| *agree &= a == b);
            }
            self.masks.push((format!("step{step}_agree"), agree));
        }
        let name = format!("step{step}_segmentation");
        self.maps.push((name, found.map.clone()));
        for (layer, kept) in found.kept.iter().enumerate() {
            self.add_filter(step, layer, kept);
        }
    }

    fn add_filter(&mut self, step: usize, layer: usize, kept: &KeptPairs) {
        let num_kept: usize = kept.num_kept.iter().sum();
        self.filters.push([
            step as f64,
            layer as f64,
            kept.num_kept.len() as f64,
            f64::from(kept.threshold.median),
            f64::from(kept.threshold.deviation),
            f64::from(kept.threshold.value),
            kept.num_of_one_class as f64,
            num_kept as f64,
        ]);
        let of_queries = kept.num_kept.iter();
        let of_queries = of_queries.map(|&num| i32::try_from(num).unwrap_or(i32::MAX));
        let of_queries = of_queries.collect();
        self.num_kept
            .push((format!("step{step}_layer{layer}_kept"), of_queries));
        self.sums
            .push((format!("step{step}_layer{layer}_mix"), kept.sums.clone()));
    }
}
