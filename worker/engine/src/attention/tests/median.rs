//! Medians that are counted, beside sorted numbers.

use ndarray::Array2;
use ort::value::TensorElementType;
use shared::model::Precision;
use shared::settings::EngineConfig;

use crate::attention::median::MedianDeviation;
use crate::builder::Builder;
use crate::runtime::Runtime;
use crate::session::{GraphSession, WrittenGraph};
use crate::tensor;
use method::noise::standard_normal;

const COLUMNS: usize = 3;

/// Returns median and deviation as a graph counts them, of a multiple of [`COLUMNS`] numbers in parts of 2 rows.
fn counted(numbers: &[f32]) -> [f32; 2] {
    let rows = numbers.len() / COLUMNS;
    let mut graph = Builder::new().unwrap();
    let all = graph.input("numbers", TensorElementType::Float32, &[1, rows, COLUMNS]);
    let mut parts = Vec::new();
    for first in (0..rows).step_by(2) {
        let part = 2.min(rows - first);
        let ends = [first, first + part].map(|end| graph.whole(&[end]).unwrap());
        let axis = graph.whole(&[1]).unwrap();
        let rows = graph.op("Slice", &[&all, &ends[0], &ends[1], &axis], []);
        let shape = graph.whole(&[part, COLUMNS]).unwrap();
        let rows = graph.op("Reshape", &[&rows.unwrap(), &shape], []);
        parts.push(rows.unwrap());
    }
    let found = MedianDeviation::of(&mut graph, parts, numbers.len(), COLUMNS).unwrap();
    let shape = graph.whole(&[1, 1, 1]).unwrap();
    for (name, found) in [("median", found.median), ("deviation", found.deviation)] {
        let found = graph.op("Reshape", &[&found, &shape], []).unwrap();
        graph
            .output(&found, name, TensorElementType::Float32, &[1, 1, 1])
            .unwrap();
    }
    let runtime = Runtime::load(&EngineConfig::default()).unwrap();
    let written = WrittenGraph {
        name: "medians",
        precision: Precision::Fp32,
        inputs: &["numbers"],
        outputs: &["median", "deviation"],
        model: graph.finish(),
    };
    let mut session = GraphSession::from_graph(&runtime, written).unwrap();
    let given = Array2::from_shape_vec((rows, COLUMNS), numbers.to_vec()).unwrap();
    let given = tensor::from_tokens(given, Precision::Fp32).unwrap();
    let made = session.run_all_on(&[("numbers", &given)]).unwrap();
    ["median", "deviation"].map(|name| tensor::tokens(&made[name]).unwrap()[(0, 0)])
}

/// Returns the lower median of sorted numbers, and that of distances from it.
fn sorted(numbers: &[f32]) -> [f32; 2] {
    let lower_median = |mut numbers: Vec<f32>| {
        numbers.sort_by(f32::total_cmp);
        numbers[(numbers.len() - 1) / 2]
    };
    let median = lower_median(numbers.to_vec());
    let distances = numbers.iter().map(|number| (number - median).abs());
    [median, lower_median(distances.collect())]
}

fn assert_counted(numbers: &[f32], what: &str) {
    let (counted, sorted) = (counted(numbers), sorted(numbers));
    let bits = |found: [f32; 2]| found.map(f32::to_bits);
    assert_eq!(
        bits(counted),
        bits(sorted),
        "{what}: {counted:?}, {sorted:?}"
    );
}

#[test]
fn medians_are_counted_to_the_last_bit() {
    for (round, num) in [3, 6, 9, 30, 300].into_iter().enumerate() {
        for power in [1, 3, 12] {
            let draws = standard_normal(3, "medians", round, (1, 1, num));
            let numbers: Vec<f32> = draws.iter().map(|x| x.abs().min(1.0).powi(power)).collect();
            assert_counted(&numbers, &format!("{num} to the {power}"));
        }
    }
}

#[test]
fn zeros_and_equal_numbers_have_the_medians_of_sorted_ones() {
    let least = f32::MIN_POSITIVE;
    for (what, numbers) in [
        ("zeros", vec![0.0; 9]),
        ("ones", vec![1.0; 6]),
        ("one that is no power of two", vec![0.3; 12]),
        ("half of them zero", vec![0.0, 0.0, 0.0, 0.7, 0.8, 0.9]),
        ("fewer zeros than that", vec![0.0, 0.0, 0.5, 0.5, 0.8, 0.9]),
        (
            "more of them than numbers",
            vec![0.0, 0.0, 0.0, 0.0, 0.1, 0.9],
        ),
        (
            "the smallest",
            vec![least, least, 2.0 * least, 0.0, least, 1.0],
        ),
        (
            "next to each other",
            vec![0.5, 0.5_f32.next_up(), 0.5_f32.next_down()],
        ),
        ("powers of two", vec![0.25, 0.5, 1.0]),
    ] {
        assert_counted(&numbers, what);
    }
}
