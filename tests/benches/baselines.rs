//! Time of the methods without a model at 1024x512: what is measured of a style, an image, and the same with its file read
//! and the output as a PNG.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark tells what it measured"
)]

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use imaging::resize::{Size, resize_bicubic};
use imaging::{NamedBytes, decode_image, encode_png};
use method::baseline::StyleStatistics;
use ndarray::Array3;
use shared::settings::{Baseline, BaselineConfig, Method};

const SIZE: Size = Size {
    width: 1024,
    height: 512,
};
/// Repetitions, of which the median is told.
const TIMES: usize = 15;
const METHODS: [Baseline; 4] = [
    Baseline::Identity,
    Baseline::Reinhard,
    Baseline::Histogram,
    Baseline::Fda,
];

/// Returns the median of how long some work takes, in milliseconds.
fn milliseconds<T>(work: impl Fn() -> T) -> f64 {
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let started = Instant::now();
            black_box(work());
            started.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

fn decoded(bytes: &[u8]) -> Array3<u8> {
    let name = "a drawn scene";
    decode_image(NamedBytes { name, bytes }).unwrap()
}

/// Returns a picture of the demo at that size, and as a file.
fn scene(path: &str) -> (Array3<u8>, Vec<u8>) {
    let file = fs::read(tests::repository("infra/demo/data").join(path)).unwrap();
    let scene = resize_bicubic(decoded(&file).view(), SIZE).unwrap();
    let png = encode_png(scene.view()).unwrap();
    (scene, png)
}

fn main() {
    let (content, content_png) = scene("gta5/images/00001.png");
    let (style, _) = scene("style/images/GOPR0001_frame_000001_rgb_anon.png");
    println!(
        "milliseconds at {}x{}, medians of {TIMES}",
        SIZE.width, SIZE.height
    );
    println!(
        "{:<12}{:>10}{:>10}{:>20}",
        "method", "a style", "an image", "from file to PNG"
    );
    for baseline in METHODS {
        let config = BaselineConfig {
            method: baseline,
            seed: 0,
            width: SIZE.width,
            height: SIZE.height,
            beta: None,
        };
        let statistics = StyleStatistics::of(style.view(), &config);
        let of_style = milliseconds(|| StyleStatistics::of(style.view(), &config));
        let of_image = milliseconds(|| statistics.lent_to(content.view()));
        let whole = milliseconds(|| {
            let output = statistics.lent_to(decoded(&content_png).view());
            encode_png(output.view()).unwrap()
        });
        println!(
            "{:<12}{of_style:>10.1}{of_image:>10.1}{whole:>20.1}",
            Method::from(baseline).to_string()
        );
    }
}
