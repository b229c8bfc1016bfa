//! Attention filtered by class: graphs beside the kernels in Rust, on tensors whose scores are known in double precision.
//!
//! Both find the exact median of the scores that they have themselves, and these differ by rounding. So a score within
//! rounding of the threshold may be strong to one and not to the other; such pairs are found in double precision, and bound
//! how far counts, sums and outputs of their queries may be apart. All other queries agree as attention does elsewhere.

mod layers;

use std::fs::File;
use std::path::Path;

use method::class_filter::ClassFilter;
use ndarray::{Array2, Array3};
use shared::model::{InjectedLayer, Precision};
use shared::npz::NpzFile;
use shared::settings::EngineConfig;

use self::layers::{Classed, Found};
use super::{CONTRAST_STRENGTH, assert_agree, layer_of};
use crate::attention::graph::GraphAttention;
use crate::attention::host::HostAttention;
use crate::attention::{AttentionKernel, InjectedAttention};
use crate::runtime::Runtime;

const HOW: InjectedAttention = InjectedAttention {
    contrast_strength: CONTRAST_STRENGTH,
    filter: None,
};
const FILTER: ClassFilter = ClassFilter {
    contrast_strength: CONTRAST_STRENGTH,
    threshold_lambda: 2.0,
};
const UNKNOWN: u8 = 255;

fn runtime() -> Runtime {
    Runtime::load(&EngineConfig::default()).unwrap()
}

fn host() -> HostAttention {
    HostAttention::new(Precision::Fp32, HOW)
}

fn graph() -> GraphAttention {
    GraphAttention::new(&runtime(), Precision::Fp32, HOW)
}

/// Returns graphs with so many queries in a tile.
fn graph_of_tiles(classed: &Classed, queries: usize) -> GraphAttention {
    let bytes = 4 * classed.layer.heads * classed.layer.tokens * queries;
    GraphAttention::with_tiles(&runtime(), Precision::Fp32, HOW, bytes)
}

/// Asserts that the graph is the kernel; returns what comes out of that.
fn assert_graph_is_kernel(classed: &Classed, graph: &mut GraphAttention, what: &str) -> Found {
    let host = classed.attend(&mut host(), Precision::Fp32);
    let graph = classed.attend(graph, Precision::Fp32);
    classed.assert_same(&host, &graph, 1e-5, what);
    graph
}

#[test]
fn graphs_filter_by_class_as_the_kernels_in_rust() {
    let mut graph = graph();
    for (tokens, heads, width) in [(90, 3, 8), (96, 8, 40), (64, 2, 64), (50, 1, 80), (7, 2, 4)] {
        let classed = Classed::drawn(tokens, heads, width, 1.0);
        let what = format!("{tokens} tokens, {heads} heads of {width}");
        let found = assert_graph_is_kernel(&classed, &mut graph, &what);
        assert!(found.kept.threshold.value > 0.0, "{what}");
        let num_kept: usize = found.kept.num_kept.iter().sum();
        assert!(tokens < 10 || num_kept > 20, "{what}: {num_kept}");
        assert!(num_kept < found.kept.num_of_one_class, "{what}");
    }
}

#[test]
fn one_token_makes_a_layer() {
    assert_graph_is_kernel(&Classed::drawn(1, 2, 8, 1.0), &mut graph(), "one token");
}

#[test]
fn tiles_of_any_size_filter_the_same_pairs() {
    let classed = Classed::drawn(33, 2, 8, 1.0);
    let whole = classed.attend(&mut graph(), Precision::Fp32);
    for queries in [1, 7, 16, 32] {
        let what = format!("tiles of {queries}");
        let mut graph = graph_of_tiles(&classed, queries);
        let found = assert_graph_is_kernel(&classed, &mut graph, &what);
        classed.assert_same(&whole, &found, 1e-6, &what);
    }
}

#[test]
fn peaked_attention_has_a_threshold_of_zero_and_keeps_all_pairs_of_one_class_that_are_positive() {
    let classed = Classed::drawn(90, 2, 8, 8.0);
    for mut graph in [graph(), graph_of_tiles(&classed, 7)] {
        let found = assert_graph_is_kernel(&classed, &mut graph, "peaked");
        assert_eq!(found.kept.threshold.median.to_bits(), 0);
        assert_eq!(found.kept.threshold.deviation.to_bits(), 0);
        assert_eq!(found.kept.threshold.value.to_bits(), 0);
        assert!(found.kept.num_kept.iter().sum::<usize>() > 20);
    }
}

#[test]
fn of_equal_scores_none_is_strong_and_the_content_stays() {
    for (tokens, queries) in [(90, 90), (64, 7)] {
        let mut classed = Classed::drawn(tokens, 3, 8, 1.0);
        classed.key.fill(0.0);
        let (mut host, mut graph) = (host(), graph_of_tiles(&classed, queries));
        let kernels: [&mut dyn AttentionKernel; 2] = [&mut host, &mut graph];
        for kernel in kernels {
            let found = classed.attend(kernel, Precision::Fp32);
            let apart = found.kept.threshold.value - 1.0 / tokens as f32;
            assert!(apart.abs() < 1e-8, "{apart}");
            assert_eq!(found.kept.threshold.deviation, 0.0);
            assert!(found.kept.num_kept.iter().all(|num| *num == 0));
            assert_eq!(found.output, classed.content);
        }
    }
}

#[test]
fn a_query_of_an_unknown_class_or_of_one_that_no_key_shows_is_the_contents() {
    let mut classed = Classed::drawn(90, 3, 8, 1.0);
    const MISSING: u8 = 17;
    for (query, class) in [(3, UNKNOWN), (40, MISSING), (89, 19)] {
        classed.query_classes[query] = class;
        // No class, and none that 19 of them have.
        classed.key_classes[query] = if class == MISSING { 1 } else { class };
    }
    let found = assert_graph_is_kernel(&classed, &mut graph(), "unknown");
    for query in [3, 40, 89] {
        assert_eq!(found.kept.num_kept[query], 0);
        assert!(found.kept.sums.column(query).iter().all(|sum| *sum == 0.0));
        assert_eq!(found.output.row(query), classed.content.row(query));
    }
}

#[test]
fn thresholds_follow_their_settings() {
    let classed = Classed::drawn(90, 2, 8, 1.0);
    let mut graph = graph();
    let mut num_kept = Vec::new();
    for threshold_lambda in [-1e9, 0.0, 3.0, 1e9] {
        let filter = ClassFilter {
            threshold_lambda,
            ..FILTER
        };
        let found = classed.attend_by(&mut graph, &filter, Precision::Fp32);
        let expected = classed.attend_by(&mut host(), &filter, Precision::Fp32);
        let values = [&found, &expected].map(|found| found.kept.threshold.value);
        let apart = (values[0] - values[1]).abs();
        assert!(apart <= 1e-5 * values[1].abs(), "{values:?}");
        num_kept.push(found.kept.num_kept.iter().sum::<usize>());
        if threshold_lambda == 1e9 {
            assert_eq!(found.output, classed.content);
        }
    }
    let num_of_one_class = {
        let found = classed.attend(&mut graph, Precision::Fp32);
        found.kept.num_of_one_class
    };
    assert_eq!(num_kept[0], num_of_one_class);
    assert!(
        num_kept.is_sorted_by(|more, fewer| more > fewer),
        "{num_kept:?}"
    );
    assert_eq!(num_kept[3], 0);
}

#[test]
fn of_half_precision_outputs_alone_are_rounded_and_not_which_pairs_are_strong() {
    // The distance of numbers of half precision, where outputs are largest.
    const ROUNDING: f32 = 8e-3;
    for (heads, width) in [(3, 8), (2, 40), (1, 64), (1, 80)] {
        for peaks in [1.0, 3.0] {
            let classed = Classed::drawn(90, heads, width, peaks).of_halves();
            let expected = classed.attend(&mut host(), Precision::Fp32);
            let mut graph = GraphAttention::new(&runtime(), Precision::Fp16, HOW);
            let found = classed.attend(&mut graph, Precision::Fp16);
            let what = format!("{heads} heads of {width}, {peaks}");
            classed.assert_same(&expected, &found, ROUNDING, &what);
        }
    }
}

#[test]
fn pairs_that_nobody_reads_are_not_told_and_change_nothing() {
    let classed = Classed::drawn(40, 2, 8, 1.0);
    let kernels: [Box<dyn AttentionKernel>; 2] = [Box::new(host()), Box::new(graph())];
    for mut kernel in kernels {
        let read = classed.attend(kernel.as_mut(), Precision::Fp32);
        let (output, kept) = classed.asked(kernel.as_mut(), &FILTER, Precision::Fp32, false);
        assert_eq!(kept, None);
        assert_eq!(output, read.output);
    }
}

#[test]
fn the_same_bytes_come_out_each_time() {
    let classed = Classed::drawn(90, 3, 8, 1.0);
    let mut graph = graph_of_tiles(&classed, 16);
    let once = classed.attend(&mut graph, Precision::Fp32);
    let again = classed.attend(&mut graph, Precision::Fp32);
    assert_eq!(once.output, again.output);
    assert_eq!(once.kept, again.kept);
}

#[test]
fn where_scores_may_not_be_finite_everything_is_nan() {
    let (mut host, mut graph) = (host(), graph());
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
        for is_query in [true, false] {
            let mut classed = Classed::drawn(40, 2, 8, 1.0);
            let tokens = match is_query {
                true => &mut classed.query,
                false => &mut classed.key,
            };
            tokens[(7, 5)] = value;
            let kernels: [(&str, &mut dyn AttentionKernel); 2] =
                [("host", &mut host), ("graph", &mut graph)];
            for (name, kernel) in kernels {
                let what = format!("{name}: {value}, of a query: {is_query}");
                let found = classed.attend(kernel, Precision::Fp32);
                assert!(found.output.iter().all(|x| x.is_nan()), "{what}");
                assert!(found.kept.sums.iter().all(|x| x.is_nan()), "{what}");
                assert!(found.kept.threshold.value.is_nan(), "{what}");
                assert!(found.kept.num_kept.iter().all(|num| *num == 0), "{what}");
            }
        }
    }
}

/// Whoever keeps no key of a value may do without it, but not without the content.
#[test]
fn values_that_are_not_finite_are_never_hidden() {
    let (mut host, mut graph) = (host(), graph());
    for value in [f32::NAN, f32::INFINITY] {
        for is_content in [true, false] {
            let mut classed = Classed::drawn(40, 2, 8, 1.0);
            match is_content {
                true => classed.content[(7, 5)] = value,
                false => classed.value.column_mut(5).fill(value),
            }
            let kernels: [&mut dyn AttentionKernel; 2] = [&mut host, &mut graph];
            for kernel in kernels {
                let found = classed.attend(kernel, Precision::Fp32);
                let is_finite = found.output.iter().all(|x| x.is_finite());
                assert!(!is_finite, "{value}, of the content: {is_content}");
            }
        }
    }
}

#[test]
fn graphs_filter_the_goldens_of_the_authors_as_they_do() {
    const HEADS: usize = 4;
    const TOKENS: usize = 128;
    let units = "../../tests/fixtures/golden-ast/units.npz";
    let units = File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(units)).unwrap();
    let mut units = NpzFile::open(units, 1 << 24).unwrap();
    let [query_classes, key_classes] = ["label_content", "class_map"].map(|name| {
        let map: Array2<u8> = units.by_name(name).unwrap();
        method::class_map::token_classes(map.view(), TOKENS).unwrap()
    });
    for name in ["plain", "peaked"] {
        let mut tokens = |part: &str| -> Array2<f32> {
            let by_head: Array3<f32> = units.by_name(&format!("attention_{name}_{part}")).unwrap();
            let by_token = by_head.permuted_axes([1, 0, 2]);
            let (tokens, heads, width) = by_token.dim();
            let standard = by_token.as_standard_layout().into_owned();
            standard
                .into_shape_with_order((tokens, heads * width))
                .unwrap()
        };
        let classed = Classed {
            layer: InjectedLayer {
                tokens: TOKENS,
                ..layer_of(HEADS, 24)
            },
            query: tokens("query_output"),
            key: tokens("key_style"),
            value: tokens("value_style"),
            content: tokens("output_content"),
            query_classes: query_classes.clone(),
            key_classes: key_classes.clone(),
        };
        let output = tokens("output");
        let keep: Array2<bool> = units.by_name(&format!("attention_{name}_keep")).unwrap();
        let kept = keep.rows().into_iter();
        let kept: Vec<usize> = kept
            .map(|row| row.iter().filter(|&&kept| kept).count())
            .collect();
        for mut graph in [graph(), graph_of_tiles(&classed, 50)] {
            let found = assert_graph_is_kernel(&classed, &mut graph, name);
            assert_agree(&output, &found.output, 1e-5, name);
            assert_eq!(found.kept.num_kept, kept, "{name}");
        }
    }
}
