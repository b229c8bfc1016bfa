//! Kernels in Rust and graphs of ONNX give the same attention.

mod by_class;
mod half;
mod median;
#[cfg(target_arch = "x86_64")]
mod stand_in;

use ndarray::Array2;
use shared::failure::FailureClass;
use shared::settings::EngineConfig;

use super::fused::LoadFailure;
use super::graph::GraphAttention;
use super::host::HostAttention;
use super::*;
use crate::tensor;
use kernels::bf16::Operands;
use method::filtering::{BestMatch, Exchange, Similarity};
use method::noise::standard_normal;

const CONTRAST_STRENGTH: f32 = 1.67;
const TOKENS: usize = 90;

fn layer() -> InjectedLayer {
    layer_of(3, 8)
}

fn layer_of(heads: usize, head_width: usize) -> InjectedLayer {
    InjectedLayer {
        name: "a layer".to_owned(),
        tokens: TOKENS,
        heads,
        head_width,
        query: "query".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
        input: None,
        output: "output".to_owned(),
    }
}

fn random(layer: &InjectedLayer, name: &str, precision: Precision) -> DynValue {
    let width = layer.heads * layer.head_width;
    let draws = standard_normal(7, name, 0, (1, TOKENS, width));
    let tokens = draws.into_shape_with_order((TOKENS, width)).unwrap();
    tensor::from_tokens(tokens, precision).unwrap()
}

fn image(layer: &InjectedLayer, name: &str, precision: Precision) -> LayerTensors {
    let [query, key, value] =
        ["query", "key", "value"].map(|role| random(layer, &format!("{name}/{role}"), precision));
    LayerTensors {
        query,
        key,
        value,
        input: None,
    }
}

/// What both kinds of attention are asked for.
struct Asked {
    layer: InjectedLayer,
    output: LayerTensors,
    content: ContentLayer,
    style: StyleLayer,
}

impl Asked {
    fn new(precision: Precision) -> Self {
        Self::of(layer(), precision)
    }

    fn of(layer: InjectedLayer, precision: Precision) -> Self {
        let LayerTensors { key, value, .. } = image(&layer, "style", precision);
        Self {
            output: image(&layer, "output", precision),
            content: ContentLayer {
                tensors: image(&layer, "content", precision),
                softmax_stats: None,
            },
            style: StyleLayer {
                key,
                value,
                input: None,
            },
            layer,
        }
    }

    fn self_attention(&self, kernel: &mut dyn AttentionKernel) -> Array2<f32> {
        let attended = kernel.self_attention(&self.layer, &self.content.tensors);
        numbers(&attended.unwrap().output)
    }

    fn cross_image_attention(&self, kernel: &mut dyn AttentionKernel) -> Array2<f32> {
        let (query, content) = (&self.output.query, Some(&self.content));
        let attended = kernel.cross_image_attention(&self.layer, query, &self.style, content);
        numbers(&attended.unwrap())
    }
}

fn numbers(value: &DynValue) -> Array2<f32> {
    tensor::tokens(value).unwrap().into_owned()
}

fn assert_agree(host: &Array2<f32>, graph: &Array2<f32>, tolerance: f32, what: &str) {
    assert_eq!(host.dim(), graph.dim(), "{what}");
    let worst = (host - graph).fold(0.0_f32, |worst, off| worst.max(off.abs()));
    assert!(worst <= tolerance, "{what}: {worst} apart");
}

/// Every filter that settings can ask for, and those between.
fn filters() -> Vec<Option<Filter>> {
    let mut filters = vec![None];
    for exchange in [Exchange::KeyColumns, Exchange::QueryRows] {
        for best_match in [BestMatch::ContrastedAttention, BestMatch::FullWidthScores] {
            for similarity in [
                Similarity::AbsoluteCosineOverHeads,
                Similarity::FullWidthCosine,
            ] {
                filters.extend([0.0, 0.25, 1.0].map(|fraction| {
                    Some(Filter {
                        fraction,
                        exchange,
                        best_match,
                        similarity,
                    })
                }));
            }
        }
    }
    filters
}

fn assert_kernels_agree(precision: Precision, tile_bytes: usize, tolerance: f32) {
    let runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let asked = Asked::new(precision);
    for filter in filters() {
        let how = InjectedAttention {
            contrast_strength: CONTRAST_STRENGTH,
            filter,
        };
        let mut host = HostAttention::new(precision, how);
        let mut graph = GraphAttention::with_tiles(&runtime, precision, how, tile_bytes);
        let what = format!("{filter:?}");
        assert_agree(
            &asked.cross_image_attention(&mut host),
            &asked.cross_image_attention(&mut graph),
            tolerance,
            &what,
        );
        assert_agree(
            &asked.self_attention(&mut host),
            &asked.self_attention(&mut graph),
            tolerance,
            "self-attention",
        );
    }
}

#[test]
fn graphs_agree_with_the_kernels_in_rust() {
    assert_kernels_agree(Precision::Fp32, usize::MAX, 1e-5);
}

#[test]
fn tiles_of_any_size_change_nothing() {
    for rows in [1, 7, TOKENS - 1] {
        let bytes_of_a_row = 4 * 3 * TOKENS;
        assert_kernels_agree(Precision::Fp32, rows * bytes_of_a_row, 1e-5);
    }
}

/// Positions that are almost weak may turn out otherwise in fp16, so nothing is filtered.
#[test]
fn fp16_tensors_are_attended_to_with_fp32_sums() {
    let runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let (exact, halves) = (Asked::new(Precision::Fp32), Asked::new(Precision::Fp16));
    let how = InjectedAttention {
        contrast_strength: CONTRAST_STRENGTH,
        filter: None,
    };
    let mut host = HostAttention::new(Precision::Fp32, how);
    let mut graph = GraphAttention::new(&runtime, Precision::Fp16, how);
    assert_agree(
        &exact.cross_image_attention(&mut host),
        &halves.cross_image_attention(&mut graph),
        5e-3,
        "injected",
    );
    assert_agree(
        &exact.self_attention(&mut host),
        &halves.self_attention(&mut graph),
        5e-3,
        "self-attention",
    );
}

#[test]
fn a_filter_without_a_content_is_an_error() {
    let how = InjectedAttention {
        contrast_strength: CONTRAST_STRENGTH,
        filter: filters()[1],
    };
    let runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let asked = Asked::new(Precision::Fp32);
    let kernels: [Box<dyn AttentionKernel>; 2] = [
        Box::new(HostAttention::new(Precision::Fp32, how)),
        Box::new(GraphAttention::new(&runtime, Precision::Fp32, how)),
    ];
    for mut kernel in kernels {
        let failed =
            kernel.cross_image_attention(&layer(), &asked.output.query, &asked.style, None);
        let error = failed.unwrap_err();
        assert!(format!("{error:?}").contains("content"), "{error:?}");
    }
}

#[test]
fn softmaxes_kept_of_a_contents_self_attention_change_nothing() {
    let _runtime = Runtime::load(&EngineConfig::default()).unwrap();
    for filter in filters().into_iter().flatten() {
        let how = InjectedAttention {
            contrast_strength: CONTRAST_STRENGTH,
            filter: Some(filter),
        };
        let mut host = HostAttention::new(Precision::Fp32, how);
        let mut asked = Asked::new(Precision::Fp32);
        let without = asked.cross_image_attention(&mut host);
        let own = host
            .self_attention(&layer(), &asked.content.tensors)
            .unwrap();
        asked.content.softmax_stats = own.softmax_stats;
        assert!(asked.content.softmax_stats.is_some());
        let what = format!("{filter:?}");
        assert_agree(
            &without,
            &asked.cross_image_attention(&mut host),
            1e-6,
            &what,
        );
    }
}

/// A copy of a tensor with one value exchanged.
fn with_value(tensor: &DynValue, place: (usize, usize), value: f32) -> DynValue {
    let mut tokens = numbers(tensor);
    tokens[place] = value;
    tensor::from_tokens(tokens, Precision::Fp32).unwrap()
}

/// A softmax could hide it: a largest score that passes over NaN, a power that is clamped.
#[test]
fn what_is_not_finite_never_comes_out_as_numbers() {
    let runtime = Runtime::load(&EngineConfig::default()).unwrap();
    const CHANNEL: usize = 5;
    for filter in [
        filters()[0],
        filters()[2],
        filters()[8],
        filters()[14],
        filters()[20],
    ] {
        let how = InjectedAttention {
            contrast_strength: CONTRAST_STRENGTH,
            filter,
        };
        let kernels: [(&str, Box<dyn AttentionKernel>); 2] = [
            ("host", Box::new(HostAttention::new(Precision::Fp32, how))),
            (
                "graph",
                Box::new(GraphAttention::new(&runtime, Precision::Fp32, how)),
            ),
        ];
        for (kernel_name, mut kernel) in kernels {
            for value in [f32::NAN, f32::INFINITY, f32::from_bits(0xffc0_0001)] {
                for role in [
                    "query",
                    "style key",
                    "style value",
                    "own query",
                    "own key",
                    "own value",
                ] {
                    let mut asked = Asked::new(Precision::Fp32);
                    let own = &mut asked.content.tensors;
                    let tensor = match role {
                        "query" => &mut asked.output.query,
                        "style key" => &mut asked.style.key,
                        "style value" => &mut asked.style.value,
                        "own query" => &mut own.query,
                        "own key" => &mut own.key,
                        _ => &mut own.value,
                    };
                    // A filter may take something else in place of one token, so it is in all of them.
                    for token in 0..TOKENS {
                        *tensor = with_value(tensor, (token, CHANNEL), value);
                    }
                    let attended = match role.starts_with("own") {
                        true => asked.self_attention(kernel.as_mut()),
                        false => asked.cross_image_attention(kernel.as_mut()),
                    };
                    assert!(
                        attended.iter().any(|value| !value.is_finite()),
                        "{kernel_name}, {filter:?}: {value} in the {role} is hidden"
                    );
                }
            }
        }
    }
}

#[test]
fn products_of_bf16_change_an_attention_by_little() {
    let asked = Asked::new(Precision::Fp32);
    let how = InjectedAttention {
        contrast_strength: CONTRAST_STRENGTH,
        filter: None,
    };
    let exact = asked.cross_image_attention(&mut HostAttention::new(Precision::Fp32, how));
    let mut kernel = HostAttention::new(Precision::Fp32, how).with_operands(Operands::Bf16);
    let rounded = asked.cross_image_attention(&mut kernel);
    let worst = (&exact - &rounded).fold(0.0_f32, |worst, off| worst.max(off.abs()));
    assert!(worst > 0.0 && worst < 0.03, "{worst}");
}

/// Returns why graphs take the place of fused kernels, or what is said where they do not.
fn why(injection: InjectionKernels, error: impl Into<NotFused>) -> Result<Unsupported, String> {
    let found = why_graphs(Device::Cuda(0), injection, error.into());
    found.map_err(|error| {
        assert_eq!(error.class(), FailureClass::Fatal);
        error.to_string()
    })
}

#[test]
fn graphs_take_the_place_of_kernels_that_there_are_none_of() {
    for reason in [
        Unsupported::ByClass,
        Unsupported::Capability("7.5".to_owned()),
        Unsupported::Precision(Precision::Fp32),
    ] {
        let found = why(InjectionKernels::Auto, reason.clone());
        assert_eq!(found, Ok(reason.clone()));
        let refused = why(InjectionKernels::Fused, reason.clone()).unwrap_err();
        assert!(refused.contains(&reason.to_string()), "{refused}");
    }
}

#[test]
fn graphs_never_take_the_place_of_kernels_that_fail_to_load() {
    for failure in [
        LoadFailure::NoCapability,
        LoadFailure::Gpu("CUDA failure 2: out of memory".to_owned()),
        LoadFailure::Kernel {
            kernel: "attend_40_fp16".to_owned(),
            message: "CUDA failure 2: out of memory".to_owned(),
        },
        LoadFailure::Damaged {
            kernel: "attend_40_fp16".to_owned(),
            architecture: 90,
            reason: "unexpected end of file".to_owned(),
        },
    ] {
        for injection in [InjectionKernels::Auto, InjectionKernels::Fused] {
            let refused = why(injection, failure.clone()).unwrap_err();
            let words = [
                "cuda:0",
                &failure.to_string(),
                "[engine] injection = \"graph\"",
            ];
            for words in words {
                assert!(refused.contains(words), "no {words:?}: {refused}");
            }
        }
    }
}
