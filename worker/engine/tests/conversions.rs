//! Whole conversions: on the golden model how attention is computed changes next to nothing, and on that of the demo what
//! products are made of changes less than can be seen.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use engine::Engine;
use engine::attention::graph::GraphAttention;
use engine::conversion::{ConversionInput, Converter, Recipe};
use engine::runtime::Runtime;
use imaging::{LabelFile, NamedBytes, Prepared, label_kind_of_file, prepare};
use method::denoise::{Observer, StepRecord};
use ndarray::Array3;
use shared::dataset::LabelReading;
use shared::model::Precision;
use shared::settings::raw::RawMethod;
use shared::settings::{
    Device, DiffusionConfig, EngineConfig, Method, MethodConfig, Preset, Products, StepSet,
};

fn repository(relative: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(relative)
}

fn fixture(relative: &str) -> PathBuf {
    repository("tests/fixtures").join(relative)
}

fn input(converter: &Converter, image: &str, label: &str) -> Prepared {
    let read = |name: &str| std::fs::read(fixture("golden/inputs").join(name)).unwrap();
    let (image_bytes, label_bytes) = (read(image), read(label));
    let kind = label_kind_of_file(Path::new(label), &label_bytes);
    let named = |name, bytes| NamedBytes { name, bytes };
    let file = named(label, &label_bytes);
    let label = LabelFile::new(file, LabelReading::promised(kind));
    prepare(named(image, &image_bytes), Some(label), converter.size()).unwrap()
}

/// The output's latent after each step.
#[derive(Default)]
struct Latents(Vec<Array3<f32>>);

impl Observer for Latents {
    fn step(&mut self, record: &StepRecord<'_>) {
        self.0.push(record.latent.clone());
    }
}

fn converted(method: &DiffusionConfig, by_graphs: bool) -> Vec<Array3<f32>> {
    let config = EngineConfig::default();
    let engine = Engine::load(&fixture("golden-model"), &config).unwrap();
    let mut converter = Converter::new(engine, method, &config).unwrap();
    if by_graphs {
        let how = Recipe::new(method).injection.attention;
        let runtime = Runtime::load(&config).unwrap();
        let graphs = GraphAttention::new(&runtime, Precision::Fp32, how);
        converter = converter.with_attention(Box::new(graphs));
    }
    converted_by(converter).0
}

/// Returns the latents of an output, and its image.
fn converted_by(mut converter: Converter) -> (Vec<Array3<f32>>, Array3<u8>) {
    let content = input(&converter, "00001.png", "00001_label.png");
    let style = input(
        &converter,
        "night_000001_rgb_anon.png",
        "night_000001_gt_labelColor.png",
    );
    let (style_noise, content_noise) = (converter.style_noise("s"), converter.content_noise("c"));
    let input = ConversionInput {
        name: "s",
        file: "s.png",
        prepared: &style,
        noise: &style_noise,
    };
    converter.record_style(&input, &mut ()).unwrap();
    let input = ConversionInput {
        name: "c",
        file: "c.png",
        prepared: &content,
        noise: &content_noise,
    };
    let mut latents = Latents::default();
    let mut made = converter.convert(&input, &["s"], &mut latents).unwrap();
    (latents.0, made.images.remove(0).unwrap())
}

/// Asserts that latents by graphs are at most so far from those by kernels.
fn assert_graphs_agree(method: &DiffusionConfig, most: f32, what: &str) {
    let (kernels, graphs) = (converted(method, false), converted(method, true));
    assert_eq!(kernels.len(), method.num_executed());
    for (step, (kernels, graphs)) in kernels.iter().zip(&graphs).enumerate() {
        let worst = (kernels - graphs).fold(0.0_f32, |worst, off| worst.max(off.abs()));
        assert!(worst <= most, "{what}, step {step}: {worst} apart");
    }
}

#[test]
fn attention_by_graphs_gives_the_latents_of_the_kernels_in_rust() {
    for preset in [Preset::ReleasedCode, Preset::Paper] {
        let method = method_of(Method::Cactif, Some(preset));
        assert_graphs_agree(&method, 1e-4, &format!("{preset:?}"));
    }
}

/// A pair within rounding of the threshold moves pixels of one class a little, and what follows with them.
#[test]
fn attention_filtered_by_class_by_graphs_gives_them_too() {
    let method = DiffusionConfig {
        class_adain_steps: StepSet::range(1..4),
        injected_steps: StepSet::from_step(1),
        ..method(Method::Ast)
    };
    assert_graphs_agree(&method, 1e-3, "ast");
}

fn with_products(model: &Path, products: Products, method: &DiffusionConfig) -> Converter {
    let config = EngineConfig {
        products,
        ..EngineConfig::default()
    };
    let engine = Engine::load(model, &config).unwrap();
    Converter::new(engine, method, &config).unwrap()
}

fn method(method: Method) -> DiffusionConfig {
    method_of(method, None)
}

fn method_of(method: Method, preset: Option<Preset>) -> DiffusionConfig {
    let raw = RawMethod {
        method: Some(method),
        preset,
        steps: Some(10),
        skip: Some(6),
        ..RawMethod::default()
    };
    let method = MethodConfig::try_from(raw).unwrap();
    method.diffusion().unwrap().clone()
}

/// Returns the root of the mean square of some numbers.
fn spread(numbers: &Array3<f32>) -> f64 {
    let squares = numbers.iter().map(|number| f64::from(*number).powi(2));
    (squares.sum::<f64>() / numbers.len() as f64).sqrt()
}

/// Returns the ratio of the largest pixel and the mean error of two images in decibels.
fn psnr(one: &Array3<u8>, other: &Array3<u8>) -> f64 {
    let squares = one
        .iter()
        .zip(other)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    10.0 * (255.0_f64.powi(2) * one.len() as f64 / squares.sum::<f64>()).log10()
}

#[test]
fn products_of_bf16_cost_an_image_of_the_demo_less_than_can_be_seen() {
    let model = repository("infra/demo/model");
    for (of, most, least_psnr) in [
        (Method::CrossImage, 0.02, 40.0),
        (Method::Cacti, 0.02, 40.0),
        (Method::Cactif, 0.04, 40.0),
    ] {
        let method = method(of);
        let by = |products| converted_by(with_products(&model, products, &method));
        let ((latents, image), (rounded, rounded_image)) = (by(Products::F32), by(Products::Bf16));
        for (step, (latents, rounded)) in latents.iter().zip(&rounded).enumerate() {
            let off = spread(&(latents - rounded)) / spread(latents);
            assert!(off > 0.0, "{of}, step {step}: nothing is rounded");
            assert!(off <= most, "{of}, step {step}: {off:.4} of the latents");
        }
        let psnr = psnr(&image, &rounded_image);
        assert!(psnr >= least_psnr, "{of}: {psnr:.1} dB");
    }
}

#[test]
fn products_of_bf16_make_the_same_bytes_each_time() {
    let method = method(Method::Cactif);
    let model = fixture("golden-model");
    let by = |()| converted_by(with_products(&model, Products::Bf16, &method));
    assert!(by(()) == by(()));
}

#[test]
fn products_of_bf16_are_refused_on_a_gpu_before_anything_is_loaded() {
    let config = EngineConfig {
        device: Device::Cuda(0),
        products: Products::Bf16,
        ..EngineConfig::default()
    };
    // Where there is no GPU, that is said first.
    let told = Engine::load(&fixture("golden-model"), &config)
        .err()
        .unwrap();
    let told = shared::failure::chain(&told);
    assert!(
        told.contains("engine.precision") || told.contains("CUDA"),
        "{told}"
    );
}
