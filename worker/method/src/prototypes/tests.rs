//! Prototypes held against the definition, which makes every pixel's features.

use super::*;
use crate::cells::between;
use crate::noise::standard_normal;
use ndarray::array;

/// The definition: every pixel's features made and scaled.
fn slowly(images: &[(UnitFeatures, Array2<u8>)]) -> Vec<Option<Vec<f64>>> {
    let width = images[0].0.width();
    let mut sums = vec![vec![0.0; width]; NUM_CLASSES];
    let mut are_shown = [false; NUM_CLASSES];
    let unit = |vector: Vec<f64>| {
        let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        vector.into_iter().map(move |x| x / length.max(EPSILON))
    };
    for (features, labels) in images {
        let (height, columns) = features.size();
        let rows = between(labels.nrows(), height);
        let columns = between(labels.ncols(), columns);
        for ((y, x), &label) in labels.indexed_iter() {
            let class = usize::from(label);
            if class >= NUM_CLASSES {
                continue;
            }
            are_shown[class] = true;
            let (row, column) = (rows[y], columns[x]);
            let (down, right) = (f64::from(row.share), f64::from(column.share));
            let blend = (0..width).map(|i| {
                let at = |y, x| f64::from(features.0[(y, x, i)]);
                let of_row = |y| at(y, column.low) * (1.0 - right) + at(y, column.high) * right;
                of_row(row.low) * (1.0 - down) + of_row(row.high) * down
            });
            for (sum, number) in sums[class].iter_mut().zip(unit(blend.collect())) {
                *sum += number;
            }
        }
    }
    let of_class = |(sum, is_shown): (Vec<f64>, bool)| is_shown.then(|| unit(sum).collect());
    sums.into_iter().zip(are_shown).map(of_class).collect()
}

fn image(seed: u64, cells: (usize, usize), pixels: (usize, usize)) -> (UnitFeatures, Array2<u8>) {
    let draws = standard_normal(seed, "features", 0, (cells.0, cells.1, 6));
    let labels = standard_normal(seed, "labels", 0, (1, pixels.0, pixels.1));
    let labels = labels.index_axis(Axis(0), 0).mapv(|x| match x {
        x if x < -0.5 => 0,
        x if x < 0.5 => 7,
        x if x < 1.5 => 18,
        _ => 255,
    });
    (UnitFeatures::new(draws.view()).unwrap(), labels)
}

#[test]
fn prototypes_are_those_of_every_pixels_features() {
    for (seed, cells) in [
        (1, (3, 5)),
        (2, (1, 4)),
        (3, (4, 1)),
        (4, (1, 1)),
        (5, (9, 20)),
    ] {
        let images = [
            image(seed, cells, (16, 32)),
            image(seed + 9, cells, (16, 32)),
        ];
        let mut sums = ClassSums::new(6);
        for (features, labels) in &images {
            sums.add(features, labels.view()).unwrap();
        }
        let found = sums.prototypes();
        for (class, expected) in slowly(&images).iter().enumerate() {
            assert_eq!(found.are_present[class], expected.is_some(), "{class}");
            let expected = expected.clone().unwrap_or_else(|| vec![0.0; 6]);
            for (found, expected) in found.vectors.row(class).iter().zip(expected) {
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-6,
                    "{cells:?} {class}"
                );
            }
        }
    }
}

#[test]
fn neither_threads_nor_a_class_without_pixels_make_another_prototype() {
    let (features, labels) = image(7, (12, 24), (96, 192));
    let with_threads = |num_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
        let made = || Prototypes::of(&features, labels.view());
        pool.build().unwrap().install(made)
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(5));
    assert!(one.vectors.row(3).iter().all(|number| *number == 0.0));
}

#[test]
fn features_of_zeros_stay_zeros_and_none_at_all_are_refused() {
    let zeros = UnitFeatures::new(Array3::zeros((2, 2, 3)).view()).unwrap();
    let labels = array![[0, 0], [0, 255]];
    let prototypes = Prototypes::of(&zeros, labels.view());
    assert!(prototypes.vectors.iter().all(|number| *number == 0.0));
    let none = UnitFeatures::new(Array3::zeros((2, 0, 3)).view());
    assert_eq!(none, Err(ClassMapError::Empty((2, 0, 3))));
    let (size, found) = ((2, 2), 3);
    let tokens = UnitFeatures::of_tokens(Array2::zeros((found, 5)).view(), size);
    assert_eq!(tokens, Err(ClassMapError::Cells { size, found }));
    let wide = ClassSums::new(4).add(&zeros, labels.view());
    let (found, expected) = (3, 4);
    assert_eq!(wide, Err(ClassMapError::Width { found, expected }));
}
