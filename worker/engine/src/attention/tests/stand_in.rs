//! What the graphs ask of a GPU: ONNX Runtime's own provider for CUDA runs on libraries that stand in for CUDA's, which
//! count and compute nothing (`tests/cuda/stand_in.c`). Only a process that starts finds them, so each test runs itself once
//! more.

use std::fs;
use std::path::Path;
use std::process::Command;

use method::class_filter::ClassFilter;
use method::filtering::{BestMatch, Exchange, Filter, Similarity};
use ndarray::Array2;
use ort::value::DynValue;
use serde_json::Value;
use shared::model::{InjectedLayer, Precision};
use shared::settings::{Device, EngineConfig, InjectionKernels};

use crate::attention::graph::GraphAttention;
use crate::attention::{
    AttentionKernel, ClassTensors, ContentLayer, InjectedAttention, KernelKind, LayerTensors,
    StyleLayer, on,
};
use crate::runtime::Runtime;
use crate::tensor;

/// The variable that holds the precision to compute in, in a process with the stand-in.
const PRECISION: &str = "SYNTH2REAL_TEST_STAND_IN";
static PRECISIONS: [(&str, Precision); 2] = [("fp32", Precision::Fp32), ("fp16", Precision::Fp16)];
/// The most memory of one call in a large layer; a whole matrix of tokens by tokens takes 2.1 GB.
const MAX_BYTES: u64 = 500_000_000;
/// The same where it is filtered by class.
const MAX_BYTES_BY_CLASS: u64 = 600_000_000;
/// The same by fused kernels: copies of what is given, the output, and what lies between.
const MAX_FUSED_BYTES: u64 = 100_000_000;

const ONE_CALL_BY_CLASS: &str =
    "all_nodes_of_a_filter_by_class_are_placed_on_the_gpu_and_its_tiles_stay_tiles";

/// What the stand-in counted.
#[derive(Debug)]
struct Counted(Value);

impl Counted {
    fn of(&self, what: &str) -> u64 {
        self.0[what].as_u64().unwrap()
    }
}

/// Returns the precision that this process is to compute in, if it is one with the stand-in.
fn precision_here() -> Option<Precision> {
    let told = std::env::var(PRECISION).ok()?;
    let known = PRECISIONS.iter().find(|(name, _)| *name == told);
    known.map(|(_, precision)| *precision)
}

/// Runs a test of this file in a process with the stand-in; returns what that counted and what was said.
fn counted(test: &str, precision: &str) -> (Counted, String) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("counted.json");
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache");
    let stand_in = cache.join("cuda-stand-in");
    let is_there = stand_in.is_dir();
    assert!(is_there, "no {stand_in:?}: run `make cuda-stand-in`");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg(format!("attention::tests::stand_in::{test}"))
        .env(PRECISION, precision)
        .env("LD_LIBRARY_PATH", stand_in)
        .env(
            "ORT_DYLIB_PATH",
            cache.join("onnxruntime-gpu/libonnxruntime.so"),
        )
        .env("ORT_ENABLE_ATTENTION_KERNEL_DEBUG_INFO", "1")
        .env("CUDA_STAND_IN_REPORT", &report)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{precision}: {said}{complained}");
    let lines = fs::read_to_string(report).unwrap();
    let counted = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    (Counted(counted), said)
}

/// The largest layer of Stable Diffusion 1.5 for images of 1024x512.
fn layer() -> InjectedLayer {
    InjectedLayer {
        name: "a large layer".to_owned(),
        tokens: 8192,
        heads: 8,
        head_width: 40,
        query: "query".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
        input: None,
        output: "output".to_owned(),
    }
}

fn zeros(precision: Precision) -> DynValue {
    let InjectedLayer {
        tokens,
        heads,
        head_width,
        ..
    } = layer();
    tensor::from_tokens(Array2::zeros((tokens, heads * head_width)), precision).unwrap()
}

fn image(precision: Precision) -> LayerTensors {
    LayerTensors {
        query: zeros(precision),
        key: zeros(precision),
        value: zeros(precision),
        input: None,
    }
}

fn runtime(injection: InjectionKernels) -> Runtime {
    let config = EngineConfig {
        device: Device::Cuda(0),
        injection,
        ..EngineConfig::default()
    };
    Runtime::load(&config).unwrap()
}

fn how(filter: Option<Filter>) -> InjectedAttention {
    InjectedAttention {
        contrast_strength: 1.67,
        filter,
    }
}

fn on_stand_in(precision: Precision, filter: Option<Filter>) -> GraphAttention {
    GraphAttention::new(&runtime(InjectionKernels::Graph), precision, how(filter))
}

fn filter(exchange: Exchange) -> Filter {
    Filter {
        fraction: 0.25,
        exchange,
        best_match: BestMatch::ContrastedAttention,
        similarity: Similarity::AbsoluteCosineOverHeads,
    }
}

fn filtered_call(precision: Precision, exchange: Exchange) {
    let mut graph = on_stand_in(precision, Some(filter(exchange)));
    call(&mut graph, precision);
}

fn call(kernel: &mut dyn AttentionKernel, precision: Precision) {
    let style = StyleLayer {
        key: zeros(precision),
        value: zeros(precision),
        input: None,
    };
    let content = ContentLayer {
        tensors: image(precision),
        softmax_stats: None,
    };
    let query = zeros(precision);
    let attended = kernel.cross_image_attention(&layer(), &query, &style, Some(&content));
    let _ = attended.unwrap();
}

fn assert_small_and_single(test: &str) {
    assert_within_and_single(test, MAX_BYTES);
}

fn assert_within_and_single(test: &str, max_bytes: u64) {
    for (precision, _) in PRECISIONS {
        let (counted, _) = counted(test, precision);
        assert!(
            counted.of("peak_bytes") <= max_bytes,
            "{precision}: {counted:?}"
        );
        assert!(counted.of("products") > 0, "{precision}: {counted:?}");
        // Scores of half precision end at 65,504.
        assert_eq!(counted.of("half_products"), 0, "{precision}: {counted:?}");
    }
}

/// ONNX Runtime would merge both passes over the tiles, and keep all tiles of the first until the second.
#[test]
fn tiles_of_key_columns_stay_tiles_and_are_of_single_precision() {
    match precision_here() {
        Some(precision) => filtered_call(precision, Exchange::KeyColumns),
        None => {
            assert_small_and_single("tiles_of_key_columns_stay_tiles_and_are_of_single_precision")
        }
    }
}

#[test]
fn tiles_of_query_rows_stay_tiles_and_are_of_single_precision() {
    match precision_here() {
        Some(precision) => filtered_call(precision, Exchange::QueryRows),
        None => {
            assert_small_and_single("tiles_of_query_rows_stay_tiles_and_are_of_single_precision");
        }
    }
}

/// Filters a layer by class.
fn call_by_class(graph: &mut GraphAttention, precision: Precision, reads_kept: bool) {
    let style = StyleLayer {
        key: zeros(precision),
        value: zeros(precision),
        input: None,
    };
    let classes = vec![1; layer().tokens];
    let tensors = ClassTensors {
        query: &zeros(precision),
        style: &style,
        content: &zeros(precision),
        query_classes: &classes,
        key_classes: &classes,
        reads_kept,
    };
    let filter = ClassFilter {
        contrast_strength: 1.67,
        threshold_lambda: 2.0,
    };
    let filtered = graph.class_filtered_attention(&layer(), &tensors, &filter);
    let _ = filtered.unwrap();
}

/// All scores of the layer are in memory at once, 268 MB, until the threshold is found.
#[test]
fn all_nodes_of_a_filter_by_class_are_placed_on_the_gpu_and_its_tiles_stay_tiles() {
    match precision_here() {
        Some(precision) => call_by_class(&mut on_stand_in(precision, None), precision, true),
        None => assert_within_and_single(ONE_CALL_BY_CLASS, MAX_BYTES_BY_CLASS),
    }
}

/// Five calls of which nothing is read wait no more than one of which pairs are.
#[test]
fn no_call_that_filters_by_class_waits_for_the_gpu() {
    match precision_here() {
        Some(precision) => {
            let mut graph = on_stand_in(precision, None);
            for _ in 0..5 {
                call_by_class(&mut graph, precision, false);
            }
        }
        None => {
            let test = "no_call_that_filters_by_class_waits_for_the_gpu";
            let (unread, _) = counted(test, "fp16");
            let (read, _) = counted(ONE_CALL_BY_CLASS, "fp16");
            assert!(unread.of("launches") > 4 * read.of("launches"));
            assert!(
                unread.of("waits") <= read.of("waits"),
                "{unread:?} {read:?}"
            );
            assert_eq!(
                [&unread, &read].map(|counted| counted.of("to_host")),
                [0, 2]
            );
        }
    }
}

fn call_to_itself(precision: Precision) {
    let mut graph = on_stand_in(precision, None);
    let attended = graph.self_attention(&layer(), &image(precision));
    let _ = attended.unwrap();
}

fn assert_own_kernel(test: &str, precision: &str, kernel: &str) {
    let (counted, said) = counted(test, precision);
    assert!(said.contains(&format!("SdpaKernel={kernel}")), "{said}");
    assert_eq!(counted.of("executions"), 0, "{counted:?}");
    assert!(counted.of("peak_bytes") <= MAX_BYTES, "{counted:?}");
}

/// On the stand-in's generation of GPUs ONNX Runtime would take cuDNN's first.
#[test]
fn attention_to_itself_is_computed_by_the_kernels_of_onnx_runtime() {
    let test = "attention_to_itself_is_computed_by_the_kernels_of_onnx_runtime";
    match precision_here() {
        Some(precision) => call_to_itself(precision),
        None => {
            assert_own_kernel(test, "fp32", "EFFICIENT_ATTENTION");
            assert_own_kernel(test, "fp16", "FLASH_ATTENTION");
        }
    }
}

/// Injects a layer by the kernels that the settings choose, twice.
fn fused_call(filter: Option<Filter>, precision: Precision, injection: InjectionKernels) {
    let layers = [layer()];
    let kernel = on(
        &runtime(injection),
        precision,
        how(filter),
        false,
        layers.iter(),
    );
    let mut kernel = kernel.unwrap();
    call(kernel.as_mut(), precision);
    call(kernel.as_mut(), precision);
}

/// Asserts what is launched for one layer in float16, twice; of layers in float32 graphs are.
fn assert_launched(test: &str, once: &str) {
    let (halves, _) = counted(test, "fp16");
    let told = halves.0["launched"].as_str().unwrap();
    assert_eq!(told, format!("{once}, {once}"));
    assert_eq!(halves.of("products"), 0, "{halves:?}");
    assert!(halves.of("peak_bytes") <= MAX_FUSED_BYTES, "{halves:?}");
    let (floats, _) = counted(test, "fp32");
    assert_eq!(floats.of("kernels"), 0, "{floats:?}");
    assert!(floats.of("products") > 0, "{floats:?}");
}

#[test]
fn key_columns_of_a_layer_are_exchanged_by_seven_launches() {
    match precision_here() {
        Some(precision) => fused_call(
            Some(filter(Exchange::KeyColumns)),
            precision,
            InjectionKernels::Auto,
        ),
        None => assert_launched(
            "key_columns_of_a_layer_are_exchanged_by_seven_launches",
            "statistics 64x8, best_keys 128x4, similarities 512x1, quantile 256x1, order 1x1, statistics 64x8, \
             exchange_columns 64x8",
        ),
    }
}

#[test]
fn query_rows_of_a_layer_are_exchanged_by_seven_launches() {
    match precision_here() {
        Some(precision) => fused_call(
            Some(filter(Exchange::QueryRows)),
            precision,
            InjectionKernels::Auto,
        ),
        None => assert_launched(
            "query_rows_of_a_layer_are_exchanged_by_seven_launches",
            "statistics 64x8, best_keys 128x4, similarities 512x1, quantile 256x1, order 1x1, statistics 64x8, \
             exchange_rows 65x8",
        ),
    }
}

#[test]
fn a_layer_without_a_filter_is_two_launches() {
    match precision_here() {
        Some(precision) => fused_call(None, precision, InjectionKernels::Auto),
        None => assert_launched(
            "a_layer_without_a_filter_is_two_launches",
            "statistics 64x8, attend 64x8",
        ),
    }
}

#[test]
fn graphs_filter_by_class_where_fused_kernels_do_all_else() {
    match precision_here() {
        Some(precision) => choose_for_classes(precision),
        None => {
            let test = "graphs_filter_by_class_where_fused_kernels_do_all_else";
            let _ = counted(test, "fp16");
        }
    }
}

/// Asserts what computes a layer with and without a filter by class, by whatever the settings choose.
fn choose_for_classes(precision: Precision) {
    let layers = [layer()];
    let by = |injection, is_by_class| {
        let runtime = runtime(injection);
        on(&runtime, precision, how(None), is_by_class, layers.iter())
    };
    let kind = |is_by_class| by(InjectionKernels::Auto, is_by_class).map(|kernel| kernel.kind());
    assert!(matches!(kind(false), Ok(KernelKind::Fused { .. })));
    assert!(matches!(kind(true), Ok(KernelKind::Graph)));
    let refused = by(InjectionKernels::Fused, true).map(|_| ());
    let told = refused.map_err(|error| error.to_string());
    assert!(
        matches!(&told, Err(told) if told.contains("no kernel filters by class")),
        "{told:?}"
    );
}

#[test]
fn fused_kernels_that_are_asked_for_and_not_there_are_refused_with_the_reason() {
    match precision_here() {
        Some(precision) => {
            let narrow = [InjectedLayer {
                head_width: 8,
                ..layer()
            }];
            let told = |injection| {
                let found = on(
                    &runtime(injection),
                    precision,
                    how(None),
                    false,
                    narrow.iter(),
                );
                found.map(drop).map_err(|error| error.to_string())
            };
            let error = told(InjectionKernels::Fused).unwrap_err();
            let reason = match precision {
                Precision::Fp16 => "heads of 8 columns",
                Precision::Fp32 => "float32",
            };
            assert!(error.contains(reason), "{error}");
            assert_eq!(told(InjectionKernels::Auto), Ok(()));
        }
        None => {
            for (precision, _) in PRECISIONS {
                let _ = counted(
                    "fused_kernels_that_are_asked_for_and_not_there_are_refused_with_the_reason",
                    precision,
                );
            }
        }
    }
}
