//! Goldens: what the authors' code computed, and how near to it a conversion must come.

use std::fs::{self, File};
use std::path::Path;

use ndarray::{Array, Array1, Array3, Array4, ArrayD, Axis, Dimension};
use ndarray_npy::{NpzReader, NpzWriter, ReadableElement};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::repository;

/// How near a conversion must come to a golden.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// How far a number of a latent may be off.
    pub worst: f32,
    /// How far the numbers of a latent may be off on average.
    pub mean: f32,
    /// What the peak signal-to-noise ratio of the image must be, in decibels.
    pub psnr: f64,
}

impl Bounds {
    /// Those of single precision; an image is off by one level of 255 at most, nearly everywhere.
    pub const SINGLE: Self = Self {
        worst: 1e-3,
        mean: 1e-5,
        psnr: 48.0,
    };

    /// Returns those of half precision, which the tests of exports hold it to as well.
    ///
    /// A filter has others: rounding changes which positions are weak, and what they take.
    ///
    /// # Panics
    ///
    /// If their file is not as it should be.
    #[must_use]
    pub fn half(is_filtered: bool) -> Self {
        let file = fs::read(repository("tests/fixtures/half-precision.json")).expect("the bounds");
        let bounds: Value = serde_json::from_slice(&file).expect("bounds in JSON");
        let name = if is_filtered {
            "filtered"
        } else {
            "unfiltered"
        };
        serde_json::from_value(bounds[name].clone()).expect("three bounds")
    }
}

/// Returns the names of the goldens in a folder, sorted.
///
/// # Panics
///
/// If the folder cannot be listed.
#[must_use]
pub fn folders(of: &Path) -> Vec<String> {
    let entries = fs::read_dir(of).expect("a folder of goldens");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let goldens = paths.filter(|path| path.join("meta.json").exists());
    let names = goldens.map(|path| {
        let name = path.file_name().expect("a name within the folder");
        name.to_str().expect("a name in UTF-8").to_owned()
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The arrays of a file: a golden's, or a trace's.
pub struct Arrays(NpzReader<File>);

impl Arrays {
    /// Opens a file.
    ///
    /// # Panics
    ///
    /// If it is not there or no `.npz`.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let file = File::open(path);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(NpzReader::new(file).expect("an archive of arrays"))
    }

    /// Returns the names of all arrays.
    ///
    /// # Panics
    ///
    /// If the file is no archive of arrays.
    pub fn names(&mut self) -> Vec<String> {
        self.0.names().expect("an archive of arrays")
    }

    /// Returns an array, if the file has it.
    ///
    /// # Panics
    ///
    /// If it is of another type.
    pub fn find<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Option<Array<T, D>> {
        let is_there = self.names().iter().any(|found| found == name);
        is_there.then(|| self.read(name))
    }

    /// Returns an array.
    ///
    /// # Panics
    ///
    /// If the file lacks it or has it of another type.
    pub fn read<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Array<T, D> {
        let array = self.0.by_name(name);
        array.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the first of the branches, if the array has more than the output's.
    ///
    /// # Panics
    ///
    /// If the file lacks it or has no latent there.
    pub fn output_branch(&mut self, name: &str) -> Array3<f32> {
        let array: ArrayD<f32> = self.read(name);
        let array = match array.ndim() {
            4 => array.index_axis_move(Axis(0), 0),
            _ => array,
        };
        array.into_dimensionality().expect("a latent")
    }
}

/// Writes a golden's noise to a file, as `--noise` takes it.
///
/// # Panics
///
/// If the golden lacks it or the file cannot be written.
pub fn write_noise(path: &Path, golden: &mut Arrays) {
    let mut npz = NpzWriter::new(File::create(path).expect("a file that can be written"));
    for branch in ["content", "style"] {
        let noise: Array4<f32> = golden.read(&format!("noise_{branch}"));
        npz.add_array(branch, &noise).expect("room for the noise");
    }
    npz.finish().expect("room for the noise");
}

/// Returns the share that agrees.
pub fn share(agreeing: impl Iterator<Item = bool>) -> f64 {
    let (all, agreeing) = agreeing.fold((0_u32, 0_u32), |(all, agreeing), agrees| {
        (all + 1, agreeing + u32::from(agrees))
    });
    f64::from(agreeing) / f64::from(all)
}

/// Returns the peak signal-to-noise ratio of levels of 255, in decibels.
pub fn psnr<'a>(found: impl IntoIterator<Item = &'a u8>, expected: &Array3<u8>) -> f64 {
    let pairs = found.into_iter().zip(expected);
    let squares = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let mean = squares.sum::<f64>() / expected.len() as f64;
    10.0 * (255.0_f64.powi(2) / mean).log10()
}

/// Writes the files of a folder again that are packed as the bytes of arrays.
///
/// # Panics
///
/// If they are not, or cannot be written.
#[must_use]
pub fn unpacked(path: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut files = Arrays::open(path);
    for name in files.names() {
        let bytes: Array1<u8> = files.read(&name);
        let file = folder.path().join(name);
        let parent = file.parent().expect("a file lies in a folder");
        fs::create_dir_all(parent).expect("a writable folder");
        fs::write(&file, bytes.to_vec()).expect("a writable file");
    }
    folder
}

/// Asserts that a latent is that of a golden, in single precision.
///
/// # Panics
///
/// If it is not.
pub fn assert_close(found: &Array3<f32>, expected: &Array3<f32>, what: &str) {
    assert_within(Bounds::SINGLE, found, expected, what);
}

/// Asserts that a latent is that of a golden as far as it must be.
///
/// # Panics
///
/// If it is not.
pub fn assert_within(bounds: Bounds, found: &Array3<f32>, expected: &Array3<f32>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let differences = (found - expected).abs();
    let worst = differences.fold(0.0, |worst: f32, &d| worst.max(d));
    let mean = differences.mean().expect("a latent that is not empty");
    let is_near = worst <= bounds.worst && mean <= bounds.mean;
    assert!(
        is_near,
        "{what}: {worst:e} at worst, {mean:e} on average, beyond {bounds:?}"
    );
}
