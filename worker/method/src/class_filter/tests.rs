//! Filtered attention held against whole matrices in double precision.

use super::*;
use crate::attention::cross_image_attention;
use crate::attention::reference;
use crate::noise::standard_normal;

const FILTER: ClassFilter = ClassFilter {
    contrast_strength: 1.67,
    threshold_lambda: 2.0,
};

struct Layer {
    arrays: [Array2<f32>; 4],
    classes: [Vec<u8>; 2],
    heads: Heads,
}

impl Layer {
    fn drawn(seed: u64, tokens: usize, heads: Heads) -> Self {
        let columns = heads.num * heads.width;
        let draw = |name: &str, columns: usize| {
            let draws = standard_normal(seed, name, 0, (1, tokens, columns));
            draws.into_shape_with_order((tokens, columns)).unwrap()
        };
        let classes = ["classes of queries", "classes of keys"].map(|name| {
            let class = |x: &f32| if *x > 1.0 { 255 } else { (8.0 + 2.0 * x) as u8 };
            draw(name, 1).iter().map(class).collect()
        });
        Self {
            arrays: ["q", "k", "v", "o"].map(|name| draw(name, columns)),
            classes,
            heads,
        }
    }

    fn injected(&self) -> ClassInjected<'_> {
        let [query, key, value, content] = &self.arrays;
        ClassInjected {
            query: query.view(),
            style: KeyValue {
                key: key.view(),
                value: value.view(),
            },
            content: content.view(),
            heads: self.heads,
            query_classes: &self.classes[0],
            key_classes: &self.classes[1],
        }
    }
}

/// The definition, in double precision and with whole matrices, for a threshold that is given.
fn slowly(layer: &Layer, threshold: f64) -> (Array2<f64>, Array2<f64>, f64) {
    let [query, key, value, content] = &layer.arrays;
    let heads = layer.heads;
    let strength = Some(FILTER.contrast_strength);
    let attention = reference::attention(query.view(), key.view(), heads, strength);
    let zero = Array2::zeros(attention[0].raw_dim());
    let score = attention.iter().fold(zero, |sum, head| sum + head) / heads.num as f64;
    let keeps = |(q, k): (usize, usize)| {
        let class = layer.classes[0][q];
        class == layer.classes[1][k] && class != 255 && score[(q, k)] > threshold
    };
    let mut kept = attention;
    for head in &mut kept {
        for (pair, attention) in head.indexed_iter_mut() {
            *attention *= f64::from(u8::from(keeps(pair)));
        }
    }
    let mut output = reference::weighted(&kept, value.view(), heads);
    for ((q, column), value) in output.indexed_iter_mut() {
        let sum = kept[column / heads.width].row(q).sum();
        *value += (1.0 - sum) * f64::from(content[(q, column)]);
    }
    let mut sorted: Vec<f64> = score.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[(sorted.len() - 1) / 2];
    (output, score, median)
}

#[test]
fn filtered_attention_is_that_of_whole_matrices() {
    for (seed, (tokens, num, width)) in [(1, 1, 1), (17, 3, 5), (130, 8, 40), (600, 2, 24)]
        .into_iter()
        .enumerate()
    {
        let layer = Layer::drawn(seed as u64, tokens, Heads::of(num, width));
        let found = class_filtered_attention(layer.injected(), &FILTER).unwrap();
        let threshold = f64::from(found.kept.threshold.value);
        let (expected, score, median) = slowly(&layer, threshold);
        let error = (f64::from(found.kept.threshold.median) - median).abs();
        assert!(error < 1e-5 * median, "{tokens}: {error:e}");
        // Rounding decides of a score on the threshold.
        let nearest = score.iter().map(|score| (score - threshold).abs());
        let nearest = nearest.fold(f64::INFINITY, f64::min);
        assert!(tokens == 1 || nearest > 1e-9, "{tokens}: {nearest:e}");
        let differences = found.output.mapv(f64::from) - expected;
        let worst = differences.fold(0.0, |worst: f64, x| worst.max(x.abs()));
        assert!(worst < 1e-5, "{tokens}: {worst:e}");
    }
}

#[test]
fn what_is_never_strong_is_the_content_and_what_always_is_is_plain_injection() {
    let heads = Heads::of(2, 8);
    let mut layer = Layer::drawn(3, 90, heads);
    let none = ClassFilter {
        threshold_lambda: 1e9,
        ..FILTER
    };
    let found = class_filtered_attention(layer.injected(), &none).unwrap();
    assert_eq!(found.output, layer.arrays[3]);
    assert!(found.kept.num_kept.iter().all(|num| *num == 0));

    layer.classes = [vec![4; 90], vec![4; 90]];
    layer.arrays[3].fill(0.0);
    let all = ClassFilter {
        threshold_lambda: -1e9,
        ..FILTER
    };
    let found = class_filtered_attention(layer.injected(), &all).unwrap();
    let ClassInjected { query, style, .. } = layer.injected();
    let plain = cross_image_attention(query, style, heads, FILTER.contrast_strength).unwrap();
    let worst = (&found.output - &plain).fold(0.0, |worst: f32, x| worst.max(x.abs()));
    assert!(worst < 1e-6, "{worst:e}");
    assert!(found.kept.num_kept.iter().all(|num| *num == 90));
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let layer = Layer::drawn(5, 300, Heads::of(4, 24));
    let with_threads = |num_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
        let made = || class_filtered_attention(layer.injected(), &FILTER).unwrap();
        pool.build().unwrap().install(made)
    };
    let (one, five) = (with_threads(1), with_threads(5));
    assert_eq!(one.output, five.output);
    assert_eq!(one.kept, five.kept);
}

#[test]
fn numbers_that_are_not_finite_and_class_maps_of_other_tokens_are_told() {
    let mut layer = Layer::drawn(6, 20, Heads::of(1, 4));
    layer.arrays[0][(3, 2)] = f32::NAN;
    let found = class_filtered_attention(layer.injected(), &FILTER).unwrap();
    assert!(found.output.iter().all(|value| value.is_nan()));
    layer.classes[1].pop();
    let refused = class_filtered_attention(layer.injected(), &FILTER).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "class map of the style has 19 tokens, 20 are needed"
    );
}
