//! Statistics of photographs, and noise.

use super::Row;
use crate::files::arrays::{array, bomb, f32s, f64s, npy, npz, stored_npz};
use crate::read::{Reads, SIZE};

const MU: [f64; 2] = [0.5, -1.0];
const SIGMA: [f64; 4] = [2.0, 0.5, 0.5, 1.0];

fn statistics(mu: Vec<u8>, sigma: Vec<u8>) -> Vec<u8> {
    npz(&[("mu.npy", mu), ("sigma.npy", sigma)])
}

fn with_sigma(sigma: &[f64]) -> Vec<u8> {
    statistics(f64s("2,", &MU), f64s("2, 2", sigma))
}

fn whole() -> Vec<u8> {
    with_sigma(&SIGMA)
}

/// Returns the statistics with another array beside them.
fn beside(name: &str, bytes: Vec<u8>) -> Vec<u8> {
    npz(&[
        ("mu.npy", f64s("2,", &MU)),
        ("sigma.npy", f64s("2, 2", &SIGMA)),
        (name, bytes),
    ])
}

fn noise(shape: &str, values: &[f32]) -> Vec<u8> {
    npz(&[
        ("content.npy", f32s(shape, values)),
        ("style.npy", f32s(shape, values)),
    ])
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = statistics_rows();
    rows.extend(number_rows());
    rows.extend(shape_rows());
    rows.extend(header_rows());
    rows.extend(noise_rows());
    rows
}

fn statistics_rows() -> Vec<Row> {
    let f32_sigma: Vec<f32> = SIGMA.iter().map(|&value| value as f32).collect();
    let read = |name, bytes| Row::read(name, Reads::Reference, bytes);
    vec![
        read("statistics", whole()),
        read(
            "statistics that are not packed",
            stored_npz(&[
                ("mu.npy", f64s("2,", &MU)),
                ("sigma.npy", f64s("2, 2", &SIGMA)),
            ]),
        ),
        read(
            "statistics in float32",
            statistics(f32s("2,", &[0.5, -1.0]), f32s("2, 2", &f32_sigma)),
        ),
        read(
            "statistics of many images",
            beside("n.npy", array("<i8", "", &3_i64.to_le_bytes())),
        ),
    ]
}

/// Statistics whose numbers are no means and no covariance.
fn number_rows() -> Vec<Row> {
    let nan = f64::NAN;
    let refused = |name, bytes| Row::refused(name, Reads::Reference, bytes);
    vec![
        refused(
            "statistics with NaN in mu",
            statistics(f64s("2,", &[nan, 1.0]), f64s("2, 2", &SIGMA)),
        )
        .says(&["mu", "finite"]),
        refused(
            "statistics with NaN in sigma",
            with_sigma(&[2.0, nan, nan, 1.0]),
        )
        .says(&["sigma", "finite"]),
        refused(
            "statistics with infinity in sigma",
            with_sigma(&[f64::INFINITY, 0.0, 0.0, 1.0]),
        )
        .says(&["sigma", "finite"]),
        refused(
            "statistics that are not symmetric",
            with_sigma(&[2.0, 0.5, -0.5, 1.0]),
        )
        .says(&["sigma", "no covariance"]),
        refused(
            "statistics that are negative definite",
            with_sigma(&[-2.0, 0.0, 0.0, -1.0]),
        )
        .says(&["sigma"]),
        refused(
            "statistics with a correlation above one",
            with_sigma(&[1.0, 5.0, 5.0, 1.0]),
        )
        .says(&["sigma"]),
    ]
}

/// Statistics of other shapes, kinds or counts.
fn shape_rows() -> Vec<Row> {
    let refused = |name, bytes| Row::refused(name, Reads::Reference, bytes);
    vec![
        refused(
            "statistics whose shapes do not fit",
            statistics(f64s("2,", &MU), f64s("4, 1", &SIGMA)),
        )
        .says(&["mu", "sigma", "4"]),
        refused(
            "statistics of no features",
            statistics(f64s("0,", &[]), f64s("0, 0", &[])),
        )
        .says(&["mu"]),
        refused(
            "statistics of integers",
            statistics(array("<i8", "2,", &[0; 16]), f64s("2, 2", &SIGMA)),
        )
        .says(&["mu"]),
        refused(
            "statistics without sigma",
            npz(&[("mu.npy", f64s("2,", &MU))]),
        )
        .says(&["sigma"]),
        refused(
            "statistics of one image",
            beside("n.npy", array("<i8", "", &1_i64.to_le_bytes())),
        )
        .says(&["n"]),
        refused(
            "statistics of a negative number of images",
            beside("n.npy", array("<i8", "", &(-1_i64).to_le_bytes())),
        )
        .says(&["n"]),
        refused(
            "statistics with a NaN in their sample",
            beside("features.npy", f32s("1, 2", &[f32::NAN, 0.0])),
        )
        .says(&["features"]),
        refused(
            "statistics with a sample of other features",
            beside("features.npy", f32s("1, 3", &[0.0; 3])),
        )
        .says(&["features"]),
    ]
}

fn header_rows() -> Vec<Row> {
    let refused = |name: &str, bytes| Row::refused(name, Reads::Reference, bytes);
    let with_mu = |mu: Vec<u8>| statistics(mu, f64s("2, 2", &SIGMA));
    let mut rows = vec![
        refused(
            "statistics cut to half",
            whole()[..whole().len() / 2].to_vec(),
        )
        .says(&[".npz"]),
        refused("no statistics at all", Vec::new()).says(&[".npz", "reference-stats"]),
        refused(
            "statistics that are a page of HTML",
            b"<html>404</html>".to_vec(),
        )
        .says(&[".npz"]),
        refused("an archive without arrays", npz(&[])).says(&["mu"]),
        refused("an array that unpacks to a thousand times its size", bomb())
            .says(&["mu", "bytes"]),
        refused(
            "an array whose header is nested without end",
            with_mu(npy(&"(".repeat(9000), &[])),
        )
        .says(&["mu", "nested"]),
        refused("an array without a header", with_mu(b"\x93NUMPY".to_vec())).says(&["mu"]),
        refused(
            "an array that is pickled",
            with_mu(array("|O", "2,", &[0; 16])),
        )
        .says(&["mu"]),
    ];
    for shape in [
        "1152921504606846976,",
        "18446744073709551615,",
        "4294967296, 4294967296",
        "99999999999999999999999999,",
        "-2,",
    ] {
        let name = format!("an array that claims ({shape})");
        rows.push(refused(&name, with_mu(array("<f8", shape, &[0; 16]))).says(&["mu", "16 bytes"]));
    }
    rows
}

fn noise_rows() -> Vec<Row> {
    let (height, width) = (SIZE.latent_height, SIZE.latent_width);
    let values = vec![0.25; 2 * 4 * height * width];
    let shape = format!("2, 4, {height}, {width}");
    let refused = |name, bytes| Row::refused(name, Reads::Noise, bytes);
    vec![
        Row::read("noise", Reads::Noise, noise(&shape, &values)),
        refused("noise of another shape", noise("64,", &values[..64])).says(&["content"]),
        refused(
            "noise in float64",
            npz(&[("content.npy", f64s("2, 4, 2, 4", &[0.0; 64]))]),
        )
        .says(&["content"]),
        refused(
            "noise without style",
            npz(&[("content.npy", f32s(&shape, &values))]),
        )
        .says(&["style"]),
        refused(
            "noise that claims 2^60 steps",
            npz(&[(
                "content.npy",
                array("<f4", "1152921504606846976, 1, 1, 1", &[]),
            )]),
        )
        .says(&["content"]),
    ]
}
