//! Times the convolutions at the shapes of Stable Diffusion 1.5 at 1024x512, and prints a table.
//!
//! `cargo bench --workspace --bench convolution`; RAYON_NUM_THREADS sets the threads. Operations are counted as a
//! convolution is defined, `2 * kernel * inputs * outputs * pixels`, and not as the kernels do them: a quarter of that
//! with 3x3 pixels.

mod timing;

use faer::Accum;
use kernels::convolution::{Convolution, Image};
use kernels::pointwise::Pointwise;
use method::noise::standard_normal;
use shared::console;

use self::timing::shortest;

/// Its model, input and output channels, and the height and width of its outputs.
type Layer = (&'static str, [usize; 4]);

const OF_3X3_PIXELS: [Layer; 12] = [
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

const AFTER_UPSAMPLING: [Layer; 3] = [
    ("vae", [512, 512, 128, 256]),
    ("vae", [512, 512, 256, 512]),
    ("vae", [256, 256, 512, 1024]),
];

const OF_SINGLE_PIXELS: [Layer; 6] = [
    ("unet", [320, 320, 64, 128]),
    ("unet", [640, 640, 32, 64]),
    ("unet", [1280, 1280, 16, 32]),
    ("unet", [2560, 1280, 16, 32]),
    ("vae", [512, 256, 256, 512]),
    ("vae", [256, 128, 512, 1024]),
];

fn main() {
    console::tell(format_args!(
        "{:<12} {:<5} {:>14} {:>9} {:>10} {:>12}",
        "kernel", "model", "channels", "image", "time", "GFLOP/s"
    ));
    for layer in OF_3X3_PIXELS {
        let [inputs, outputs, height, width] = layer.1;
        let pixels = random("image", inputs * height * width);
        let convolution = convolution(inputs, outputs);
        measure("3x3", 9, layer, |written| {
            let pixels = &pixels;
            let image = Image {
                pixels,
                height,
                width,
            };
            convolution.write(&image, Accum::Replace, written);
        });
    }
    for layer in AFTER_UPSAMPLING {
        let [inputs, outputs, height, width] = layer.1;
        let (height, width) = (
            height / Convolution::UPSAMPLING,
            width / Convolution::UPSAMPLING,
        );
        let pixels = random("image", inputs * height * width);
        let convolution = convolution(inputs, outputs).after_upsampling();
        measure("upsampled", 9, layer, |written| {
            let pixels = &pixels;
            let image = Image {
                pixels,
                height,
                width,
            };
            convolution.write(&image, Accum::Replace, written);
        });
    }
    for layer in OF_SINGLE_PIXELS {
        let [inputs, outputs, height, width] = layer.1;
        let image = random("image", inputs * height * width);
        let weights = random("weights", inputs * outputs);
        let pointwise = Pointwise::new(weights, vec![0.0; outputs], inputs);
        measure("1x1", 1, layer, |written| {
            pointwise.write(&image, Accum::Replace, written);
        });
    }
    console::finish();
}

fn convolution(inputs: usize, outputs: usize) -> Convolution {
    let weights = random("weights", 9 * inputs * outputs);
    Convolution::new(&weights, vec![0.0; outputs], inputs)
}

/// Prints how long it takes to write the outputs of a layer, and the operations of a second.
fn measure(
    kernel: &str,
    pixels_of_kernel: usize,
    (model, [inputs, outputs, height, width]): Layer,
    write: impl Fn(&mut [f32]) + Sync,
) {
    let mut written = vec![0.0; outputs * height * width];
    let shortest = shortest(|| write(&mut written));
    let operations = 2.0 * (pixels_of_kernel * inputs * outputs * height * width) as f64;
    console::tell(format_args!(
        "{kernel:<12} {model:<5} {:>14} {:>9} {:>7.1} ms {:>12.0}",
        format!("{inputs} to {outputs}"),
        format!("{height}x{width}"),
        1e3 * shortest,
        operations / shortest / 1e9
    ));
}

fn random(name: &str, num: usize) -> Vec<f32> {
    let draws = standard_normal(1, name, 0, (1, 1, num));
    draws.into_raw_vec_and_offset().0
}
