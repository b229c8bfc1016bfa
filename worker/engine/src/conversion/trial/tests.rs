//! Trials on the CPU, of kernels that are right and of kernels that are made wrong.

use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use shared::settings::raw::RawMethod;
use shared::settings::{DiffusionConfig, EngineConfig, Method, MethodConfig, Preset, StepSet};

use super::*;
use crate::Engine;
use crate::attention::graph::GraphAttention;
use crate::attention::{
    AttentionKernel, ClassTensors, ContentLayer, KernelKind, LayerTensors, SelfAttention,
    StyleLayer,
};
use crate::runtime::Runtime;
use method::class_filter::{ClassFilter, KeptPairs};
use shared::model::{InjectedLayer, Precision};

const DEVICE: Device = Device::Cpu;
/// The layer that [`Wrong`] computes wrongly, the first with a token for each position.
const LAYER: &str = "up_blocks.3.attentions.0.transformer_blocks.0.attn1";

/// How a kernel is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// It is right.
    Nothing,
    /// The columns of one head are shifted by one.
    ShiftedHead(usize),
    /// One number is none.
    NotANumber,
    /// One number has another last bit every other time.
    Flickers,
    /// Every number has as many bits as TF32 keeps.
    TensorCores,
    /// It is fused, and the driver launches it no more.
    NotLaunched,
    /// The classes of keys are those of their neighbours.
    OtherClasses,
    /// Strong pairs exceed less.
    OtherThreshold,
}

/// Attention by graphs that is wrong in one layer.
struct Wrong {
    graphs: GraphAttention,
    fault: Fault,
    /// Of that layer.
    num_calls: usize,
}

impl Wrong {
    fn spoil(&mut self, layer: &InjectedLayer, attended: DynValue) -> DynValue {
        if layer.name != LAYER || layer.tokens < 500 {
            return attended;
        }
        self.num_calls += 1;
        let mut numbers = on_host(&attended).unwrap();
        match self.fault {
            Fault::ShiftedHead(head) => {
                shift(&mut numbers, head * layer.head_width, layer.head_width)
            }
            Fault::NotANumber => numbers[(7, 3)] = f32::NAN,
            Fault::Flickers if self.num_calls.is_multiple_of(2) => {
                let number = &mut numbers[(7, 3)];
                *number = f32::from_bits(number.to_bits() ^ 1);
            }
            Fault::Nothing
            | Fault::Flickers
            | Fault::NotLaunched
            | Fault::OtherClasses
            | Fault::OtherThreshold => {}
            Fault::TensorCores => {
                numbers.mapv_inplace(|number| f32::from_bits(number.to_bits() & !0x1fff));
            }
        }
        tensor::from_tokens(numbers, Precision::Fp32).unwrap()
    }
}

fn shift(numbers: &mut Array2<f32>, first: usize, width: usize) {
    let head = numbers.slice(s![.., first..first + width]).to_owned();
    for column in 0..width {
        let shifted = head.column((column + 1) % width);
        numbers.column_mut(first + column).assign(&shifted);
    }
}

impl AttentionKernel for Wrong {
    fn kind(&self) -> KernelKind {
        match self.fault {
            Fault::NotLaunched => KernelKind::Fused { architecture: 90 },
            _ => KernelKind::Graph,
        }
    }

    fn self_attention(
        &mut self,
        layer: &InjectedLayer,
        image: &LayerTensors,
    ) -> Result<SelfAttention, EngineError> {
        let attended = self.graphs.self_attention(layer, image)?;
        Ok(SelfAttention {
            output: self.spoil(layer, attended.output),
            ..attended
        })
    }

    fn cross_image_attention(
        &mut self,
        layer: &InjectedLayer,
        query: &DynValue,
        style: &StyleLayer,
        content: Option<&ContentLayer>,
    ) -> Result<DynValue, EngineError> {
        if self.fault == Fault::NotLaunched {
            return Err(EngineError::Run {
                part: format!("kernel attend of layer {}", layer.name),
                source: ort::Error::new("attend: CUDA failure 719: unspecified launch failure"),
            });
        }
        let graphs = &mut self.graphs;
        let attended = graphs.cross_image_attention(layer, query, style, content)?;
        Ok(self.spoil(layer, attended))
    }

    fn class_filtered_attention(
        &mut self,
        layer: &InjectedLayer,
        tensors: &ClassTensors<'_>,
        filter: &ClassFilter,
    ) -> Result<(DynValue, Option<KeptPairs>), EngineError> {
        let is_wrong = layer.name == LAYER && layer.tokens >= 500;
        let mut filter = *filter;
        if is_wrong && self.fault == Fault::OtherThreshold {
            filter.threshold_lambda *= 0.9;
        }
        let mut key_classes = tensors.key_classes.to_vec();
        if is_wrong && self.fault == Fault::OtherClasses {
            key_classes.rotate_right(1);
        }
        let tensors = ClassTensors {
            key_classes: &key_classes,
            ..*tensors
        };
        let graphs = &mut self.graphs;
        let (attended, kept) = graphs.class_filtered_attention(layer, &tensors, &filter)?;
        Ok((self.spoil(layer, attended), kept))
    }

    fn copied(&mut self, tensor: &DynValue) -> Result<DynValue, EngineError> {
        self.graphs.copied(tensor)
    }
}

fn method_of(method: Method, preset: Preset) -> DiffusionConfig {
    let raw = RawMethod {
        method: Some(method),
        preset: Some(preset),
        steps: Some(10),
        skip: Some(6),
        ..RawMethod::default()
    };
    let method = MethodConfig::try_from(raw).unwrap();
    method.diffusion().unwrap().clone()
}

fn golden_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/golden-model")
}

/// Returns a converter on the CPU whose injected layers are computed by a kernel with a fault.
fn converter(preset: Preset, fault: Fault) -> Converter {
    converter_of(method_of(Method::Cactif, preset), fault)
}

fn converter_of(method: DiffusionConfig, fault: Fault) -> Converter {
    let config = EngineConfig::default();
    let engine = Engine::load(&golden_model(), &config).unwrap();
    let converter = Converter::new(engine, &method, &config).unwrap();
    let runtime = Runtime::load(&config).unwrap();
    let how = converter.recipe.injection.attention;
    converter.with_attention(Box::new(Wrong {
        graphs: GraphAttention::new(&runtime, Precision::Fp32, how),
        fault,
        num_calls: 0,
    }))
}

fn refused(fault: Fault) -> TrialFailure {
    let tried = converter(Preset::ReleasedCode, fault).try_out(DEVICE);
    match tried.unwrap_err() {
        EngineError::Trial { device, failure } => {
            assert_eq!(device, DEVICE);
            failure
        }
        other => panic!("{fault:?}: {other}"),
    }
}

#[test]
fn kernels_that_are_right_pass_and_each_shape_of_layers_is_judged_at_two_sizes() {
    for preset in [Preset::ReleasedCode, Preset::Paper] {
        let mut converter = converter(preset, Fault::Nothing);
        let trial = converter.try_out(DEVICE).unwrap();
        assert!(trial.failures.is_empty(), "{:?}", trial.failures);
        let sizes: Vec<&str> = trial
            .deviations
            .iter()
            .filter_map(|judged| Some(judged.layer.split_once(" (")?.1))
            .collect();
        assert_eq!(
            sizes,
            ["96 tokens)", "128 tokens)", "96 tokens)", "512 tokens)"]
        );
        for judged in &trial.deviations {
            let worst = judged.injected.unwrap().max(judged.to_itself);
            assert!(worst > 0.0 && worst < 2e-5, "{preset:?}: {judged}");
        }
    }
}

/// Returns the method that filters by class, at steps that a short run has.
fn by_class() -> DiffusionConfig {
    DiffusionConfig {
        class_adain_steps: StepSet::range(1..4),
        injected_steps: StepSet::from_step(1),
        ..method_of(Method::Ast, Preset::ReleasedCode)
    }
}

#[test]
fn attention_that_is_filtered_by_class_is_judged_as_any_other() {
    let trial = converter_of(by_class(), Fault::Nothing).try_out(DEVICE);
    let trial = trial.unwrap();
    assert!(trial.failures.is_empty(), "{:?}", trial.failures);
    assert_eq!(trial.deviations.len(), 4);
    for judged in &trial.deviations {
        let injected = judged.injected.unwrap();
        assert!(injected > 0.0 && injected < 2e-5, "{judged}");
    }
}

#[test]
fn a_wrong_class_or_threshold_is_refused_with_its_layer() {
    for fault in [Fault::OtherClasses, Fault::OtherThreshold] {
        let tried = converter_of(by_class(), fault).try_out(DEVICE);
        let told = tried.unwrap_err().to_string();
        let part = format!("the injected attention of layer {LAYER} (512 tokens)");
        assert!(told.contains(&part), "{told}");
    }
}

#[test]
fn a_head_that_is_shifted_is_refused_with_its_layer_and_number() {
    match refused(Fault::ShiftedHead(2)) {
        TrialFailure::Apart {
            part, head, found, ..
        } => {
            let expected = format!("the attention to itself of layer {LAYER} (512 tokens)");
            assert_eq!((part, head), (expected, 2));
            assert!(found > 0.1, "{found}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_not_a_number_is_refused_with_its_layer() {
    let part = format!("the attention to itself of layer {LAYER} (512 tokens)");
    assert_eq!(refused(Fault::NotANumber), TrialFailure::NotFinite { part });
}

#[test]
fn last_bits_that_flicker_are_refused_with_their_layer() {
    let part = format!("the attention to itself of layer {LAYER} (512 tokens)");
    assert_eq!(refused(Fault::Flickers), TrialFailure::NotRepeated { part });
}

#[test]
fn float32_with_the_bits_of_tensor_cores_is_refused() {
    let failure = refused(Fault::TensorCores);
    assert!(matches!(failure, TrialFailure::Apart { .. }), "{failure}");
    assert!(failure.to_string().contains(LAYER), "{failure}");
}

#[test]
fn fused_kernels_that_the_driver_does_not_launch_are_told_with_the_way_to_go_on_without_them() {
    let mut converter = converter(Preset::ReleasedCode, Fault::NotLaunched);
    let error = converter.try_out(DEVICE).unwrap_err();
    assert!(matches!(error, EngineError::Device { .. }), "{error:?}");
    assert_eq!(error.class(), shared::failure::FailureClass::Fatal);
    let told = error.to_string();
    for words in [
        "kernel attend of layer up_blocks.2",
        "CUDA failure 719: unspecified launch failure",
        "[engine] injection = \"graph\"",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
}

#[test]
fn what_computed_injected_layers_is_told_where_a_method_injects_any() {
    let of = |fault| converter(Preset::ReleasedCode, fault).platform().injection;
    assert_eq!(of(Fault::Nothing).as_deref(), Some("graph"));
    assert_eq!(of(Fault::NotLaunched).as_deref(), Some("fused sm_90"));
    let (config, method) = (
        EngineConfig::default(),
        method_of(Method::Cactif, Preset::ReleasedCode),
    );
    let engine = Engine::load(&golden_model(), &config).unwrap();
    let mut converter = Converter::new(engine, &method, &config).unwrap();
    assert_eq!(converter.platform().injection.as_deref(), Some("host"));
    converter.recipe.injection.injected.fill(false);
    assert_eq!(converter.platform().injection, None);
}

#[test]
fn a_pass_names_the_first_part_that_comes_out_otherwise_or_is_not_finite() {
    let judged = |fault| {
        let mut converter = converter(Preset::ReleasedCode, fault);
        let mut transfer = Transfer::new(&converter.engine.runtime, Precision::Fp32);
        converter.pass_twice(&mut transfer).unwrap()
    };
    assert_eq!(judged(Fault::Nothing), None);
    let part = format!("the UNet up to the attention to itself of layer {LAYER}");
    let expected = TrialFailure::NotFinite { part };
    assert_eq!(judged(Fault::NotANumber), Some(expected));
    let flickers = judged(Fault::Flickers);
    assert!(
        matches!(flickers, Some(TrialFailure::NotRepeated { .. })),
        "{flickers:?}"
    );
}

#[test]
fn a_refusal_is_fatal_and_says_what_helps() {
    let error = EngineError::Trial {
        device: Device::Cuda(1),
        failure: TrialFailure::NotRepeated {
            part: "the VAE's encoder".to_owned(),
        },
    };
    assert_eq!(error.class(), shared::failure::FailureClass::Fatal);
    let told = error.to_string();
    for words in [
        "cuda:1",
        "the VAE's encoder",
        "other bytes",
        "[engine] injection = \"graph\"",
        "SYNTH2REAL_TRIAL=report",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
}
