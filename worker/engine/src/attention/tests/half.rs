//! Graphs on tensors of half precision, beside the kernels in Rust on the same numbers in single precision.

use half::f16;
use method::filtering::Filter;
use ort::value::DynValue;
use shared::model::{InjectedLayer, Precision};
use shared::settings::EngineConfig;

use super::{Asked, CONTRAST_STRENGTH, assert_agree, filters, layer, layer_of, numbers};
use crate::attention::graph::GraphAttention;
use crate::attention::host::HostAttention;
use crate::attention::{ContentLayer, InjectedAttention, LayerTensors, StyleLayer};
use crate::runtime::Runtime;
use crate::tensor;

/// Makes scores of some 50.
const TIMES: f32 = 3.6;
/// Makes scores of some 100,000, where half precision ends at 65,504.
const MANY_TIMES: f32 = 180.0;
/// The distance of numbers of half precision, where outputs are largest.
const ROUNDING: f32 = 8e-3;

/// Returns what is asked for with larger queries and keys, in numbers that half precision has.
fn asked(layer: &InjectedLayer, times: f32, precision: Precision) -> Asked {
    let halves = |value: &DynValue, times: f32| {
        let larger = |number: f32| match times >= MANY_TIMES {
            // Products of whole numbers are exact, in whatever order they are summed.
            true => (times * number).round(),
            false => times * number,
        };
        let tokens = numbers(value).mapv(|number| f16::from_f32(larger(number)).to_f32());
        tensor::from_tokens(tokens, precision).unwrap()
    };
    let image = |image: &LayerTensors| LayerTensors {
        query: halves(&image.query, times),
        key: halves(&image.key, times),
        value: halves(&image.value, 1.0),
        input: None,
    };
    let Asked {
        layer,
        output,
        content,
        style,
    } = Asked::of(layer.clone(), Precision::Fp32);
    Asked {
        layer,
        output: image(&output),
        content: ContentLayer {
            tensors: image(&content.tensors),
            softmax_stats: None,
        },
        style: StyleLayer {
            key: halves(&style.key, times),
            value: halves(&style.value, 1.0),
            input: None,
        },
    }
}

fn assert_halves_agree(layer: &InjectedLayer, times: f32, filter: Option<Filter>, tolerance: f32) {
    let runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let how = InjectedAttention {
        contrast_strength: CONTRAST_STRENGTH,
        filter,
    };
    let mut host = HostAttention::new(Precision::Fp32, how);
    let mut graph = GraphAttention::new(&runtime, Precision::Fp16, how);
    assert_agree(
        &asked(layer, times, Precision::Fp32).cross_image_attention(&mut host),
        &asked(layer, times, Precision::Fp16).cross_image_attention(&mut graph),
        tolerance,
        &format!("{times} times, heads of {}, {filter:?}", layer.head_width),
    );
}

/// Not even what is weak is another position: scores and sums are those of single precision.
#[test]
fn half_precision_differs_by_its_rounding_alone_whatever_is_filtered() {
    for layer in [layer(), layer_of(2, 40), layer_of(1, 64)] {
        for filter in filters() {
            assert_halves_agree(&layer, 1.0, filter, ROUNDING);
            assert_halves_agree(&layer, TIMES, filter, ROUNDING);
        }
    }
}

/// Returns the largest score of a head.
fn largest_score(layer: &InjectedLayer) -> f32 {
    let made = asked(layer, MANY_TIMES, Precision::Fp32);
    let (queries, keys) = (numbers(&made.output.query), numbers(&made.style.key));
    let width = layer.head_width;
    let score = |query: usize, key: usize, head: usize| -> f32 {
        let columns = head * width..(head + 1) * width;
        columns
            .map(|column| queries[(query, column)] * keys[(key, column)])
            .sum()
    };
    let mut largest = 0.0_f32;
    for query in 0..layer.tokens {
        for key in 0..layer.tokens {
            for head in 0..layer.heads {
                largest = largest.max(score(query, key, head).abs());
            }
        }
    }
    largest / (width as f32).sqrt()
}

#[test]
fn scores_may_be_larger_than_any_number_of_half_precision() {
    let _runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let layer = layer();
    let largest = largest_score(&layer);
    assert!(largest > f16::MAX.to_f32(), "{largest}");
    // Divided by the root of the width, numbers of that size have two decimals.
    assert_halves_agree(&layer, MANY_TIMES, None, 0.1);
}

/// The root of the width is 8: scores are exact, so that the same positions are weak.
#[test]
fn scores_of_100_000_are_filtered_as_any() {
    let _runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let layer = layer_of(1, 64);
    let largest = largest_score(&layer);
    assert!(largest > 1e5, "{largest}");
    for filter in filters() {
        assert_halves_agree(&layer, MANY_TIMES, filter, ROUNDING);
    }
}
