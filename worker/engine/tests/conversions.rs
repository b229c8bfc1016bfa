//! Whole conversions on the golden model: how attention is computed changes next to nothing.
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
use shared::settings::{EngineConfig, MethodConfig, Preset};

fn fixture(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures")
        .join(relative)
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

fn converted(method: &MethodConfig, by_graphs: bool) -> Vec<Array3<f32>> {
    let config = EngineConfig::default();
    let engine = Engine::load(&fixture("golden-model"), &config).unwrap();
    let mut converter = Converter::new(engine, method, &config).unwrap();
    if by_graphs {
        let how = Recipe::new(method).injection.attention;
        let runtime = Runtime::load(&config).unwrap();
        let graphs = GraphAttention::new(&runtime, Precision::Fp32, how);
        converter = converter.with_attention(Box::new(graphs));
    }
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
    converter.convert(&input, &["s"], &mut latents).unwrap();
    latents.0
}

#[test]
fn attention_by_graphs_gives_the_latents_of_the_kernels_in_rust() {
    for preset in [Preset::ReleasedCode, Preset::Paper] {
        let raw = RawMethod {
            preset: Some(preset),
            steps: Some(10),
            skip: Some(6),
            ..RawMethod::default()
        };
        let method = MethodConfig::try_from(raw).unwrap();
        let (kernels, graphs) = (converted(&method, false), converted(&method, true));
        assert_eq!(kernels.len(), method.num_executed());
        for (step, (kernels, graphs)) in kernels.iter().zip(&graphs).enumerate() {
            let worst = (kernels - graphs).fold(0.0_f32, |worst, off| worst.max(off.abs()));
            assert!(worst <= 1e-4, "{preset:?}, step {step}: {worst} apart");
        }
    }
}
