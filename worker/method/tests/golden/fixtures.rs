use std::fs::File;
use std::path::PathBuf;

use method::denoise::NoiseSource;
use method::schedule::{Schedule, ScheduleConstants};
use ndarray::{Array, Array3, Array4, Axis, Dimension, Ix4};
use ndarray_npy::{NpzReader, ReadableElement};
use shared::model::PredictionType;

/// The folders of goldens that end at an image.
pub(crate) const FOLDERS: [&str; 7] = [
    "adain-snow",
    "cacti-night",
    "cactif-night",
    "cactif-night-default",
    "cactif-snow-warm",
    "cross-image-snow",
    "paper-night",
];

/// The branches of `step{s}_noise_pred` and `step{s}_latents`.
pub(crate) const OUTPUT: usize = 0;
pub(crate) const STYLE: usize = 1;
pub(crate) const CONTENT: usize = 2;

/// Returns the path of a file below the goldens.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/golden")
        .join(relative)
}

/// The arrays of one `.npz` file.
pub(crate) struct Golden(NpzReader<File>);

impl Golden {
    pub(crate) fn open(relative: &str) -> Self {
        let file = File::open(path(relative)).unwrap();
        Self(NpzReader::new(file).unwrap())
    }

    pub(crate) fn array<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Array<T, D> {
        let array = self.0.by_name(name);
        array.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the first of a batch.
    pub(crate) fn first(&mut self, name: &str) -> Array3<f32> {
        let batch: Array<f32, Ix4> = self.array(name);
        batch.index_axis(Axis(0), 0).to_owned()
    }
}

/// Noise as a golden has it, `(steps, channels, height, width)`.
pub(crate) struct GivenNoise(pub(crate) Array4<f32>);

impl NoiseSource for GivenNoise {
    fn noise(&self, index: usize) -> Array3<f32> {
        self.0.index_axis(Axis(0), index).to_owned()
    }
}

/// Asserts that no value differs by more than `tolerance`.
pub(crate) fn assert_close(
    found: &Array3<f32>,
    expected: &Array3<f32>,
    tolerance: f32,
    what: &str,
) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let worst = (found - expected).fold(0.0, |worst: f32, x| worst.max(x.abs()));
    assert!(worst <= tolerance, "{what}: {worst:e}");
}

/// Returns what a golden was made with.
pub(crate) fn meta(folder: &str) -> serde_json::Value {
    let meta = std::fs::read(path(folder).join("meta.json")).unwrap();
    serde_json::from_slice(&meta).unwrap()
}

/// Returns the schedule of a folder's `meta.json`.
pub(crate) fn schedule(folder: &str) -> Schedule {
    schedule_of(folder, PredictionType::Epsilon)
}

/// Returns the schedule of a folder's `meta.json`, of a model that predicts something.
pub(crate) fn schedule_of(folder: &str, prediction_type: PredictionType) -> Schedule {
    let constants = ScheduleConstants {
        num_train_timesteps: 1000,
        beta_start: 0.00085,
        beta_end: 0.012,
        steps_offset: 1,
        set_alpha_to_one: false,
        prediction_type,
    };
    let meta = meta(folder);
    let number = |key: &str| meta[key].as_u64().unwrap() as usize;
    Schedule::new(&constants, number("steps"), number("skip")).unwrap()
}
