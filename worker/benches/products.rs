//! Times the kernels with products of single precision beside those of bfloat16, at the shapes of Stable Diffusion 1.5 at
//! 1024x512, and prints a table.
//!
//! `cargo bench --workspace --bench products`; RAYON_NUM_THREADS sets the threads. What multiplies bfloat16 faster here is
//! found out, as in the engine; SYNTH2REAL_VECTORS set to v4 or v4-bf16 says which.

mod timing;

use faer::Accum;
use kernels::attention::{MultiHeadAttention, TokenSlices};
use kernels::bf16::{Operands, dot_products};
use kernels::convolution::{Convolution, Image};
use kernels::linear::Linear;
use kernels::pointwise::Pointwise;
use kernels::vectors::{self, VectorsError};
use method::noise::standard_normal;
use shared::console;

use self::timing::shortest;

/// Tokens, inputs and outputs.
const LINEAR: [[usize; 3]; 3] = [[8192, 320, 320], [8192, 320, 2560], [2048, 2560, 640]];
/// Inputs, outputs, height and width.
const CONVOLUTIONS: [[usize; 4]; 3] = [
    [320, 320, 64, 128],
    [640, 640, 32, 64],
    [1280, 1280, 16, 32],
];
/// Tokens, heads and the width of a head.
const ATTENTION: [[usize; 3]; 2] = [[8192, 8, 40], [2048, 8, 80]];

fn main() -> Result<(), VectorsError> {
    vectors::pin_as_told()?;
    let how = if dot_products::are_used() {
        "pair by pair"
    } else {
        "one by one"
    };
    console::tell(format_args!("numbers of bfloat16 are multiplied {how}"));
    console::tell(format_args!(
        "{:<10} {:>20} {:>10} {:>10} {:>6}",
        "kernel", "shape", "f32", "bf16", "ratio"
    ));
    for [tokens, inputs, outputs] in LINEAR {
        let (weights, bias) = (random("w", inputs * outputs), random("b", outputs));
        let x = random("x", tokens * inputs);
        let mut written = vec![0.0; tokens * outputs];
        let layers = [
            Linear::new(&weights, bias.clone(), inputs),
            Linear::of_bf16(&weights, bias, inputs),
        ];
        let times = layers.map(|layer| shortest(|| layer.write(&x, Accum::Replace, &mut written)));
        tell("linear", &[tokens, inputs, outputs], times);
    }
    for [inputs, outputs, height, width] in CONVOLUTIONS {
        let shape = [inputs, outputs, height, width];
        let pixels = random("image", inputs * height * width);
        let weights = random("weights", 9 * inputs * outputs);
        let bias = || vec![0.0; outputs];
        let mut written = vec![0.0; outputs * height * width];
        let image = Image {
            pixels: &pixels,
            height,
            width,
        };
        let convolution = || Convolution::new(&weights, bias(), inputs);
        let layers = [convolution(), convolution().of_bf16()];
        let times =
            layers.map(|layer| shortest(|| layer.write(&image, Accum::Replace, &mut written)));
        tell("3x3", &shape, times);
        let weights = &weights[..inputs * outputs];
        let layers = [
            Pointwise::new(weights.to_vec(), bias(), inputs),
            Pointwise::of_bf16(weights, bias(), inputs),
        ];
        let times =
            layers.map(|layer| shortest(|| layer.write(&pixels, Accum::Replace, &mut written)));
        tell("1x1", &shape, times);
    }
    for [tokens, num_heads, width] in ATTENTION {
        let columns = num_heads * width;
        let [query, key, value] = ["q", "k", "v"].map(|name| random(name, tokens * columns));
        let slices = TokenSlices {
            query: &query,
            key: &key,
            value: &value,
            columns,
        };
        let mut written = vec![0.0; tokens * columns];
        let times = [Operands::Single, Operands::Bf16].map(|operands| {
            let attention = MultiHeadAttention {
                num_heads,
                operands,
            };
            shortest(|| attention.write(slices, &mut written))
        });
        tell("attention", &[tokens, num_heads, width], times);
    }
    console::finish();
    Ok(())
}

fn tell(kernel: &str, shape: &[usize], [single, half]: [f64; 2]) {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    console::tell(format_args!(
        "{kernel:<10} {:>20} {:>7.1} ms {:>7.1} ms {:>6.2}",
        shape.join(" x "),
        1e3 * single,
        1e3 * half,
        half / single
    ));
}

fn random(name: &str, num: usize) -> Vec<f32> {
    let draws = standard_normal(1, name, 0, (1, 1, num));
    draws.into_raw_vec_and_offset().0
}
