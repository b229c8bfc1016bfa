//! Styles kept on the device, in memory and on disk.

use ndarray::Array2;

use super::steps::Place;
use super::*;
use crate::attention::StyleLayer;
use crate::runtime::Runtime;
use crate::tensor;
use shared::model::Precision;

fn layers(step: usize) -> Vec<StyleLayer> {
    [((4, 6), Precision::Fp32), ((2, 8), Precision::Fp16)]
        .map(|(shape, precision)| layer(step, shape, precision))
        .into()
}

fn layer(step: usize, shape: (usize, usize), precision: Precision) -> StyleLayer {
    let tensor = |sign: f32| {
        let number = |(row, column)| sign * (step * 100 + row * 10 + column) as f32;
        let tokens = Array2::from_shape_fn(shape, number);
        tensor::from_tokens(tokens, precision).unwrap()
    };
    StyleLayer {
        key: tensor(1.0),
        value: tensor(-1.0),
        input: (precision == Precision::Fp32).then(|| tensor(0.5)),
    }
}

/// Returns the bytes of all tensors, and their shapes.
fn contents(layers: &[StyleLayer]) -> Vec<([usize; 3], Vec<u8>)> {
    let tensors = layers.iter().flat_map(StyleLayer::tensors);
    tensors
        .map(|value| {
            (
                tensor::shape(value).unwrap(),
                tensor::bytes(value, tensor::precision(value).into()).unwrap(),
            )
        })
        .collect()
}

fn num_bytes(layers: &[StyleLayer]) -> u64 {
    let tensors = contents(layers);
    tensors.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

fn recorded(bank: &mut StyleBank, style: &str) {
    let mut steps = bank.reserve(style, 3 * num_bytes(&layers(0))).unwrap();
    for step in 1..4 {
        steps.push(step, layers(step)).unwrap();
    }
    let trajectory = StyleTrajectory {
        labels: Array2::zeros((1, 1)),
        after: Vec::new(),
    };
    bank.insert(style.to_owned(), StyleRecord::new(trajectory, steps));
}

#[test]
fn records_beyond_a_limit_go_on_to_memory_and_disk_and_are_read_back_unchanged() {
    Runtime::load(&EngineConfig::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut bank = StyleBank::new(StyleBankLimits {
        device: 3 * num_bytes(&layers(0)),
        memory: 3 * num_bytes(&layers(0)),
        folder: folder.path().join("cache"),
        products: Products::F32,
    });
    recorded(&mut bank, "on the device");
    recorded(&mut bank, "in memory");
    recorded(&mut bank, "on disk");
    assert!(matches!(
        bank.get("on the device").unwrap().steps.place,
        Place::Device(_)
    ));
    assert!(matches!(
        bank.get("in memory").unwrap().steps.place,
        Place::Memory(_)
    ));
    assert!(matches!(
        bank.get("on disk").unwrap().steps.place,
        Place::Disk { .. }
    ));
    for style in ["on the device", "in memory", "on disk"] {
        for step in [3, 1, 2] {
            let read = bank.get(style).unwrap().layers(step).unwrap().unwrap();
            assert_eq!(contents(&read), contents(&layers(step)), "{style}");
        }
        assert!(
            bank.get(style).unwrap().layers(0).unwrap().is_none(),
            "step 0 was not recorded"
        );
    }
}

#[test]
fn a_record_that_comes_back_from_disk_otherwise_is_not_used() {
    use std::os::unix::fs::FileExt;

    Runtime::load(&EngineConfig::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut bank = StyleBank::new(StyleBankLimits {
        device: 0,
        memory: 0,
        folder: folder.path().to_owned(),
        products: Products::F32,
    });
    recorded(&mut bank, "night");
    let record = bank.get("night").unwrap();
    let Place::Disk { file, .. } = &record.steps.place else {
        panic!("it is on disk");
    };
    let at = num_bytes(&layers(0)) + 5;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    assert!(record.layers(1).is_ok() && record.layers(3).is_ok());
    let error = record.layers(2).unwrap_err();
    let message = shared::failure::chain(&error);
    assert!(
        message.contains("night") && message.contains("read back"),
        "{message}"
    );
    // The next attempt records it anew.
    assert_eq!(error.class(), shared::failure::FailureClass::Transient);
}

#[test]
fn half_of_the_records_are_evicted_from_a_full_device_and_no_more_go_there_than_are_left() {
    Runtime::load(&EngineConfig::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let of_a_style = 3 * num_bytes(&layers(0));
    let mut bank = StyleBank::new(StyleBankLimits {
        device: 2 * of_a_style,
        memory: of_a_style,
        folder: folder.path().to_owned(),
        products: Products::F32,
    });
    recorded(&mut bank, "first");
    recorded(&mut bank, "second");
    assert_eq!(bank.held().device, 2 * of_a_style);
    let copy_to_host = |layer: &StyleLayer| {
        let copied = layer.try_map(tensor::kept);
        Ok(copied.unwrap())
    };
    assert!(bank.evict_half_from_device(copy_to_host).unwrap());
    let half = Held {
        device: of_a_style,
        memory: of_a_style,
        disk: 0,
    };
    assert_eq!(bank.held(), half);
    assert!(bank.evict_half_from_device(copy_to_host).unwrap());
    let (device, memory, disk) = (0, of_a_style, of_a_style);
    assert_eq!(
        bank.held(),
        Held {
            device,
            memory,
            disk
        }
    );
    for style in ["first", "second"] {
        for step in 1..4 {
            let read = bank.get(style).unwrap().layers(step).unwrap().unwrap();
            assert_eq!(contents(&read), contents(&layers(step)), "{style}");
        }
    }
    recorded(&mut bank, "third");
    assert_eq!(bank.held().device, 0);
    assert!(
        !bank.evict_half_from_device(copy_to_host).unwrap(),
        "none has been there since"
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let bank = StyleBank::new(StyleBankLimits {
        device: 0,
        memory: 0,
        folder: "/proc/synth2real".into(),
        products: Products::F32,
    });
    let error = bank.reserve("night", 1).unwrap_err().to_string();
    assert!(
        error.contains("night") && error.contains("/proc/synth2real"),
        "{error}"
    );
}

#[test]
fn the_cpu_is_no_device_with_memory_of_its_own() {
    let of = |device| {
        let config = EngineConfig {
            device,
            style_bank_device_max_bytes: 7,
            ..EngineConfig::default()
        };
        StyleBankLimits::from(&config).device
    };
    assert_eq!((of(Device::Cpu), of(Device::Cuda(0))), (0, 7));
}

#[test]
fn what_products_round_is_kept_rounded_in_memory_and_on_disk() {
    Runtime::load(&EngineConfig::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let layer = || layer(7, (5, 6), Precision::Fp32);
    let half = num_bytes(&[layer()]) / 2;
    let mut bank = StyleBank::new(StyleBankLimits {
        device: 0,
        memory: half,
        folder: folder.path().to_owned(),
        products: Products::Bf16,
    });
    for style in ["in memory", "on disk"] {
        let mut steps = bank.reserve(style, half).unwrap();
        steps.push(1, vec![layer()]).unwrap();
        let read = steps.read(1).unwrap().unwrap();
        assert_eq!(read[0].tensors().count(), layer().tensors().count());
        for (kept, given) in read[0].tensors().zip(layer().tensors()) {
            let (kept, given) = (tensor::tokens(kept), tensor::tokens(given));
            let rounded = given.unwrap().mapv(kernels::bf16::rounded);
            assert_eq!(kept.unwrap(), rounded, "{style}");
        }
        let trajectory = StyleTrajectory {
            labels: Array2::zeros((1, 1)),
            after: Vec::new(),
        };
        bank.insert(style.to_owned(), StyleRecord::new(trajectory, steps));
    }
    let (memory, disk) = (half, half);
    let held = Held {
        device: 0,
        memory,
        disk,
    };
    assert_eq!(bank.held(), held);
}
