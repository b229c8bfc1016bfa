//! How evenly the layers of Stable Diffusion 1.5 are split, at 512x256 and 1024x512.

use super::*;
use crate::convolution::Convolution;

/// Heights and widths of the levels of an image of 512x256, and of one of 1024x512.
const SMALL: [[usize; 2]; 4] = [[32, 64], [16, 32], [8, 16], [4, 8]];
const LARGE: [[usize; 2]; 4] = [[64, 128], [32, 64], [16, 32], [8, 16]];
/// Channels of the levels.
const CHANNELS: [usize; 4] = [320, 640, 1280, 1280];
/// Groups of a normalisation.
const GROUPS: usize = 32;
/// Tokens of a prompt.
const PROMPT: usize = 77;

/// Returns the calls of one level of the UNet that are products, each with its name.
fn products_of(level: usize, sizes: [[usize; 2]; 4]) -> Vec<(&'static str, Call)> {
    let (size, channels) = (sizes[level], CHANNELS[level]);
    let [height, width] = size;
    let tokens = height * width;
    let heads = Heads::of(8, channels / 8);
    let linear = |channels| Call::Linear { tokens, channels };
    let attention = |num_keys, summed| Call::Attention {
        tokens: [tokens, num_keys],
        heads,
        summed,
    };
    let mut calls = vec![
        ("projection", linear([channels, channels])),
        (
            "into the feed-forward layer",
            linear([channels, 4 * channels]),
        ),
        (
            "out of the feed-forward layer",
            linear([4 * channels, channels]),
        ),
        ("self-attention", attention(tokens, false)),
        ("injected attention", attention(tokens, true)),
        ("attention to the prompt", attention(PROMPT, false)),
    ];
    for times in [1, 2, 3] {
        let convolution = Call::Convolution {
            size,
            channels: [times * channels, channels],
            groups: Some(GROUPS),
        };
        let small = Call::SmallConvolution {
            size,
            channels: [times * channels, channels],
        };
        calls.push(if Convolution::pays(height, width) {
            ("convolution", convolution)
        } else {
            // Of single precision it is not ours.
            ("convolution of bfloat16", small)
        });
    }
    let shortcut = |operands| Call::Pointwise {
        pixels: tokens,
        channels: [2 * channels, channels],
        operands,
    };
    calls.push(("shortcut", shortcut(Operands::Single)));
    calls.push(("shortcut of bfloat16", shortcut(Operands::Bf16)));
    calls
}

/// Returns the largest unevenness of the regions that matter: those with a twentieth of a call's operations.
fn unevenness(call: Call, num_threads: usize) -> f64 {
    let regions = call.regions(num_threads);
    let all: f64 = regions.iter().map(Region::operations).sum();
    let matter = regions
        .iter()
        .filter(|region| region.operations() > all / 20.0);
    let shares = matter.map(|region| region.unevenness(num_threads));
    shares.fold(1.0, f64::max)
}

fn assert_even(sizes: [[usize; 2]; 4], levels: &[usize], num_threads: usize, bound: f64) {
    for &level in levels {
        for (name, call) in products_of(level, sizes) {
            let found = unevenness(call, num_threads);
            assert!(
                found <= bound,
                "{num_threads} threads, {name}: the largest share is {found:.3} of the mean: {call:?}"
            );
        }
    }
}

#[test]
fn up_to_sixteen_threads_have_even_shares_of_every_large_layer() {
    for num_threads in [1, 2, 3, 4, 7, 8, 16] {
        assert_even(SMALL, &[0], num_threads, 1.15);
        assert_even(LARGE, &[0, 1], num_threads, 1.15);
    }
}

#[test]
fn up_to_seven_threads_have_even_shares_of_small_layers_too() {
    for num_threads in [3, 7] {
        // At the last of them there are 32 tokens.
        assert_even(SMALL, &[0, 1, 2], num_threads, 1.15);
        assert_even(LARGE, &[0, 1, 2, 3], num_threads, 1.15);
    }
}

#[test]
fn sixty_four_threads_have_shares_of_every_layer() {
    // A panel of outputs by a group of tiles is the least that one takes of a convolution.
    assert_even(LARGE, &[0, 1], 64, 1.6);
    assert_even(LARGE, &[2], 64, 1.65);
    assert_even(SMALL, &[0, 1, 2], 64, 3.0);
}

#[test]
fn activations_and_normalisations_are_split_by_tokens_and_groups() {
    for ([height, width], channels) in LARGE.into_iter().zip(CHANNELS) {
        let tokens = height * width;
        let gelu = Call::GatedGelu {
            tokens,
            width: 4 * channels,
        };
        let norm = Call::GroupNorm {
            pixels: tokens,
            channels,
            groups: GROUPS,
        };
        for num_threads in [3, 7, 16] {
            assert!(unevenness(gelu, num_threads) <= 1.15, "{gelu:?}");
            assert!(unevenness(norm, num_threads) <= 1.15, "{norm:?}");
        }
        assert!(unevenness(gelu, 64) <= 1.15, "{gelu:?}");
        assert_eq!(unevenness(norm, 64), 2.0);
    }
}

#[test]
fn threads_take_parts_as_they_are_done() {
    let parts = [4.0, 1.0, 1.0, 2.0].map(|operations| Work {
        operations,
        bytes: 0.0,
    });
    let region = of_parts(parts.into_iter());
    assert_eq!(region.time(1, |part| part.operations), 8.0);
    assert_eq!(region.time(2, |part| part.operations), 4.0);
    assert_eq!(region.unevenness(2), 1.0);
    assert_eq!(region.unevenness(8), 4.0);
}

#[test]
fn the_operations_of_a_product_are_those_that_define_it_however_it_is_cut() {
    let call = Call::Linear {
        tokens: 2048,
        channels: [640, 5120],
    };
    for num_threads in [1, 2, 7, 64] {
        let regions = call.regions(num_threads);
        let operations: f64 = regions.iter().map(Region::operations).sum();
        assert_eq!(operations, 2.0 * 2048.0 * 640.0 * 5120.0);
    }
}
