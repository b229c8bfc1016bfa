//! Times the element-wise kernels between the products, at the shapes of Stable Diffusion 1.5 at 1024x512, and prints a
//! table.
//!
//! `cargo bench --workspace --bench activations`; RAYON_NUM_THREADS sets the threads. Bytes are those of inputs and
//! outputs, each once: a rate far below the memory's says that a loop does not use vectors.

mod timing;

use kernels::gated_gelu::{Gated, GatedGelu};
use kernels::group_norm::GroupNorm;
use method::noise::standard_normal;
use shared::console;

use self::timing::shortest;

/// Tokens and width of a feed-forward layer.
const LAYERS: [[usize; 2]; 3] = [[8192, 1280], [2048, 2560], [512, 5120]];
/// Channels and pixels of an image.
const IMAGES: [[usize; 2]; 3] = [[320, 64 * 128], [512, 128 * 256], [128, 512 * 1024]];

fn main() {
    console::tell(format_args!(
        "{:<12} {:>13} {:>10} {:>8}",
        "operator", "shape", "time", "GB/s"
    ));
    for [tokens, width] in LAYERS {
        let activation = GatedGelu {
            hidden_bias: random("hidden_bias", width),
            gate_bias: random("gate_bias", width),
        };
        let [hidden, gate] = ["hidden", "gate"].map(|name| random(name, tokens * width));
        let mut outputs = vec![0.0; tokens * width];
        let inputs = Gated {
            hidden: &hidden,
            gate: &gate,
        };
        let shortest = shortest(|| activation.write(inputs, &mut outputs));
        tell("gated GELU", [tokens, width], shortest, 3);
    }
    for [channels, pixels] in IMAGES {
        let norm = GroupNorm {
            weight: random("weight", channels),
            bias: random("bias", channels),
            num_groups: 32,
            epsilon: 1e-5,
            silu: true,
        };
        let image = random("image", channels * pixels);
        let mut outputs = vec![0.0; channels * pixels];
        let shortest = shortest(|| norm.write(&image, &mut outputs));
        tell("group norm", [channels, pixels], shortest, 2);
    }
    console::finish();
}

fn tell(operator: &str, shape: [usize; 2], seconds: f64, tensors: usize) {
    let [rows, columns] = shape;
    let bytes = (tensors * rows * columns * size_of::<f32>()) as f64;
    console::tell(format_args!(
        "{operator:<12} {:>13} {:>7.2} ms {:>8.1}",
        format!("{rows} x {columns}"),
        1e3 * seconds,
        bytes / seconds / 1e9
    ));
}

fn random(name: &str, num: usize) -> Vec<f32> {
    let draws = standard_normal(1, name, 0, (1, 1, num));
    draws.into_raw_vec_and_offset().0
}
