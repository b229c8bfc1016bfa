use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array, Array3, Axis, Dimension, Ix4};
use ndarray_npy::{NpzReader, ReadableElement};

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
