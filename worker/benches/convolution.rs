//! Times the convolutions at the shapes of Stable Diffusion 1.5 at 1024x512, and prints a table.
//!
//! `cargo bench --workspace --bench convolution`; RAYON_NUM_THREADS sets the threads. Operations are counted as the
//! convolution is defined, `18 * inputs * outputs * pixels`, and not as the kernel does them: a quarter of that.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

mod timing;

use faer::Accum;
use worker::method::noise::standard_normal;
use worker::operators::convolution::{Convolution, Image};

use self::timing::shortest;

/// Where it is, input and output channels, height and width.
const SHAPES: [(&str, [usize; 4]); 12] = [
    ("unet", [320, 320, 64, 128]),
    ("unet", [640, 320, 64, 128]),
    ("unet", [640, 640, 64, 128]),
    ("unet", [960, 320, 64, 128]),
    ("unet", [640, 640, 32, 64]),
    ("unet", [1280, 1280, 32, 64]),
    ("unet", [1280, 1280, 16, 32]),
    ("unet", [2560, 1280, 16, 32]),
    ("vae", [512, 512, 64, 128]),
    ("vae", [512, 512, 128, 256]),
    ("vae", [256, 256, 256, 512]),
    ("vae", [128, 128, 512, 1024]),
];

fn main() {
    println!(
        "{:<5} {:>14} {:>9} {:>10} {:>12}",
        "model", "channels", "image", "time", "GFLOP/s"
    );
    for (model, [inputs, outputs, height, width]) in SHAPES {
        let pixels = random("image", inputs * height * width);
        let image = Image {
            pixels: &pixels,
            height,
            width,
        };
        let weights = random("weights", 9 * inputs * outputs);
        let convolution = Convolution::new(&weights, vec![0.0; outputs], inputs);
        let mut written = vec![0.0; outputs * height * width];
        let shortest = shortest(|| convolution.write(&image, Accum::Replace, &mut written));
        let operations = 18.0 * (inputs * outputs * height * width) as f64;
        println!(
            "{model:<5} {:>14} {:>9} {:>7.1} ms {:>12.0}",
            format!("{inputs} to {outputs}"),
            format!("{height}x{width}"),
            1e3 * shortest,
            operations / shortest / 1e9
        );
    }
}

fn random(name: &str, num: usize) -> Vec<f32> {
    let draws = standard_normal(1, name, 0, (1, 1, num));
    draws.into_raw_vec_and_offset().0
}
