//! Files of statistics: what is read, what is refused, and with which words.

use std::io::Cursor;

use ndarray::{Array, Array1, Array2, Dimension, arr0, arr2};
use ndarray_npy::NpzWriter;

use super::*;
use crate::output::quality::sample::Sample;
use crate::output::quality::statistics::Accumulator;

#[test]
fn statistics_survive_their_file() {
    let (mut sums, mut sample) = (Accumulator::new(2), Sample::default());
    for (name, features) in [("a", [0.5, 2.0]), ("b", [-1.0, 4.0]), ("c", [0.0, 1.0])] {
        sums.add(&features);
        sample.offer(name, &features);
    }
    let statistics = sums.statistics().unwrap();
    let sha256 = shared::digest::sha256(b"contract");
    let file = write(&statistics, 3, Some(&sample), &sha256).unwrap();
    let read = ReferenceStatistics::read(&file).unwrap();
    assert_eq!(read.statistics.mean, statistics.mean);
    assert_eq!(read.statistics.covariance, statistics.covariance);
    assert_eq!((read.items, read.extractor_sha256), (Some(3), Some(sha256)));
    assert_eq!(read.sample.unwrap(), sample.matrix());
}

/// A file with arrays under their names.
fn file(write: impl FnOnce(&mut NpzWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    write(&mut npz);
    npz.finish().unwrap().into_inner()
}

fn of_arrays(mu: &[f64], sigma: &Array2<f64>) -> Vec<u8> {
    file(|npz| {
        npz.add_array("mu", &Array1::from(mu.to_vec())).unwrap();
        npz.add_array("sigma", sigma).unwrap();
    })
}

/// A whole file, to which an array is added.
fn with<T: ndarray_npy::WritableElement, D: Dimension>(name: &str, array: &Array<T, D>) -> Vec<u8> {
    file(|npz| {
        npz.add_array("mu", &Array1::<f64>::zeros(2)).unwrap();
        npz.add_array("sigma", &Array2::<f64>::eye(2)).unwrap();
        npz.add_array(name, array).unwrap();
    })
}

fn refused(file: &[u8]) -> String {
    let error = ReferenceStatistics::read(file).unwrap_err();
    shared::failure::chain(&error)
}

/// Asserts that each file is refused with these words.
fn assert_refused(files: &[(Vec<u8>, &[&str])]) {
    for (file, words) in files {
        let message = refused(file);
        for word in *words {
            assert!(message.contains(word), "no {word:?} in: {message}");
        }
    }
}

#[test]
fn what_is_no_statistics_file_is_refused_with_array_shape_and_what_was_expected() {
    assert_refused(&[
        (b"no archive".to_vec(), &["reference-stats"]),
        (file(|_| ()), &["no array mu"]),
        (
            file(|npz| npz.add_array("mu", &Array1::<f64>::zeros(3)).unwrap()),
            &["no array sigma"],
        ),
        (
            of_arrays(&[0.0; 3], &Array2::zeros((3, 2))),
            &["sigma of shape [3, 2]", "expected (3, 3)"],
        ),
        (
            of_arrays(&[0.0; 3], &Array2::eye(2)),
            &["sigma of shape [2, 2]", "expected (3, 3)"],
        ),
        (
            of_arrays(&[], &Array2::zeros((0, 0))),
            &["mu of shape [0]", "at least one feature"],
        ),
        (
            file(|npz| {
                npz.add_array("mu", &arr2(&[[0.0, 1.0]])).unwrap();
                npz.add_array("sigma", &Array2::<f64>::eye(2)).unwrap();
            }),
            &["mu of shape [1, 2]", "expected (features,)"],
        ),
        (
            file(|npz| {
                npz.add_array("mu", &Array1::<i64>::zeros(2)).unwrap();
                npz.add_array("sigma", &Array2::<f64>::eye(2)).unwrap();
            }),
            &["mu of dtype", "<i8", "expected float64 or float32"],
        ),
    ]);
}

#[test]
fn values_that_no_statistics_have_are_refused_with_their_places() {
    let with_sigma = |values: [[f64; 2]; 2]| of_arrays(&[0.0, 1.0], &arr2(&values));
    let nan = f64::NAN;
    assert_refused(&[
        (
            of_arrays(&[0.0, nan], &Array2::eye(2)),
            &["mu of shape [2]", "1 of 2 values are not finite"],
        ),
        (
            with_sigma([[1.0, f64::INFINITY], [f64::INFINITY, 1.0]]),
            &["sigma of shape [2, 2]", "2 of 4 values are not finite"],
        ),
        (
            with_sigma([[1.0, 0.5], [0.25, 1.0]]),
            &[
                "sigma of shape [2, 2]",
                "sigma[1, 0] is 0.25 and sigma[0, 1] is 0.5",
            ],
        ),
        (
            with_sigma([[1.0, 0.0], [0.0, -0.001]]),
            &[
                "sigma of shape [2, 2]",
                "negative",
                "positive semi-definite",
            ],
        ),
        (with_sigma([[1.0, 2.0], [2.0, 1.0]]), &["negative"]),
        (with_sigma([[-1.0, 0.0], [0.0, -1.0]]), &["negative"]),
        (with_sigma([[0.0, 1.0], [1.0, 0.0]]), &["negative"]),
        (
            of_arrays(&[0.0, -1e200], &Array2::eye(2)),
            &["mu[1] is -1e200", "at most 1e15"],
        ),
        (
            with_sigma([[1.0, 0.0], [0.0, 2e15]]),
            &["sigma[1, 1] is 2e15", "at most 1e15"],
        ),
    ]);
}

#[test]
fn what_else_a_statistics_file_holds_is_refused_where_it_cannot_be_of_these_statistics() {
    assert_refused(&[
        (with("n", &arr0(1_i64)), &["n of 1", "at least 2"]),
        (
            with("n", &arr0(i64::MAX)),
            &["n of 9223372036854775807", "at most 9007199254740992"],
        ),
        (with("n", &arr0(-5_i64)), &["n of -5", "at least 2"]),
        (with("n", &arr0(9.0_f64)), &["n of dtype", "expected int64"]),
        (with("n", &Array1::<i64>::ones(2)), &["n of shape [2]"]),
        (
            with("features", &Array2::<f32>::zeros((4, 3))),
            &["features of shape [4, 3]", "2 features"],
        ),
        (
            with("features", &arr2(&[[1.0_f32, f32::NAN]])),
            &["features of shape [1, 2]", "1 of 2 values are not finite"],
        ),
        (
            with("extractor_sha256", &Array1::<u8>::zeros(3)),
            &["extractor_sha256 of shape [3]", "(32,)"],
        ),
    ]);
}

#[test]
fn statistics_of_single_precision_and_of_few_images_are_read() {
    let rounded = file(|npz| {
        npz.add_array("mu", &Array1::<f32>::ones(2)).unwrap();
        let sigma = arr2(&[[1.0_f32, 1.0 + f32::EPSILON], [1.0, 1.0]]);
        npz.add_array("sigma", &sigma).unwrap();
    });
    assert_eq!(ReferenceStatistics::read(&rounded).unwrap().items, None);
    let one_image = of_arrays(&[3.0, 4.0], &Array2::zeros((2, 2)));
    assert!(ReferenceStatistics::read(&one_image).is_ok());
    let (mut sums, mut sample) = (Accumulator::new(40), Sample::default());
    for item in 0..5_u16 {
        let features: Vec<f32> = (0..40)
            .map(|i| (f32::from(item * 40 + i) * 0.7).sin())
            .collect();
        sums.add(&features);
        sample.offer(&item.to_string(), &features);
    }
    let singular = write(
        &sums.statistics().unwrap(),
        5,
        Some(&sample),
        &"ab".repeat(32),
    );
    let read = ReferenceStatistics::read(&singular.unwrap()).unwrap();
    assert_eq!(read.sample.unwrap().ncols(), 5);
}

#[test]
fn statistics_without_any_variance_are_read_and_nothing_is_compared_with_them() {
    let plain = ReferenceStatistics::read(&of_arrays(&[3.0, 4.0], &Array2::zeros((2, 2))));
    let error = plain.unwrap().check_spread().unwrap_err().to_string();
    assert!(error.contains("sigma of shape [2, 2]"), "{error}");
    assert!(error.contains("zero everywhere"), "{error}");
    let flat = arr2(&[[0.0, 0.0], [0.0, 1e-9]]);
    let some = ReferenceStatistics::read(&of_arrays(&[3.0, 4.0], &flat));
    assert!(some.unwrap().check_spread().is_ok());
}

/// Returns a file whose features are those of `items` images, and what is said of them and of their number.
fn beside_features(items: u16, n: i64, mean_by: f64, variance_by: f64) -> Vec<u8> {
    let (mut sums, mut rows) = (Accumulator::new(2), Vec::new());
    for item in 0..items {
        let features = [f32::from(item % 7), f32::from(item % 5) - 9.0];
        sums.add(&features);
        rows.extend(features);
    }
    let statistics = sums.statistics().unwrap();
    let covariance = &statistics.covariance;
    file(|npz| {
        let mean = Array1::from(statistics.mean.clone()) + mean_by;
        let sigma = Array2::from_shape_fn((2, 2), |(i, j)| variance_by * covariance[(i, j)]);
        npz.add_array("mu", &mean).unwrap();
        npz.add_array("sigma", &sigma).unwrap();
        npz.add_array("n", &arr0(n)).unwrap();
        let features = Array2::from_shape_vec((usize::from(items), 2), rows).unwrap();
        npz.add_array("features", &features).unwrap();
    })
}

#[test]
fn statistics_that_are_not_of_the_features_beside_them_are_refused_with_the_array() {
    for (file, array) in [
        (beside_features(6, 6, 0.01, 1.0), "mu"),
        (beside_features(6, 6, -90.0, 1.0), "mu"),
        (beside_features(200, 5000, 90.0, 1.0), "mu"),
        (beside_features(6, 6, 0.0, 0.0), "sigma"),
        (beside_features(6, 6, 0.0, 1.1), "sigma"),
        (beside_features(200, 5000, 0.0, 40.0), "sigma"),
        (beside_features(200, 5000, 0.0, 0.01), "sigma"),
    ] {
        let message = refused(&file);
        let words = format!("has an array {array} that is not of its");
        assert!(message.contains(&words), "no {words:?} in: {message}");
    }
    for file in [
        beside_features(6, 6, 0.0, 1.0),
        beside_features(200, 200, 0.0, 1.0),
        beside_features(6, 5000, 1.0, 2.0),
        beside_features(200, 5000, 0.3, 2.0),
    ] {
        assert!(ReferenceStatistics::read(&file).is_ok());
    }
}
