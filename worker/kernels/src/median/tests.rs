use super::*;
use crate::random::standard_normal;

/// Numbers that are held after all, in parts.
struct Held(Vec<f32>);

impl Numbers for Held {
    fn num(&self) -> u64 {
        self.0.len() as u64
    }

    fn visit<T: Send>(
        &mut self,
        start: impl Fn() -> T + Sync,
        take: impl Fn(&mut T, &[f32]) + Sync,
    ) -> Vec<T> {
        let mut results = [start(), start()];
        for (place, part) in self.0.chunks(7).enumerate() {
            take(&mut results[place % 2], part);
        }
        results.into()
    }
}

fn by_sorting(numbers: &[f32]) -> MedianDeviation {
    let median_of = |mut numbers: Vec<f32>| {
        numbers.sort_by(f32::total_cmp);
        numbers[(numbers.len() - 1) / 2]
    };
    let median = median_of(numbers.to_vec());
    let distances = numbers.iter().map(|number| (number - median).abs());
    MedianDeviation {
        median,
        deviation: median_of(distances.collect()),
    }
}

fn drawn(seed: u64, num: usize) -> Vec<f32> {
    standard_normal(seed, "numbers", 0, (1, 1, num))
        .into_iter()
        .collect()
}

fn assert_exact(numbers: &[f32], what: &str) {
    let expected = by_sorting(numbers);
    for most in [0, 3, u64::MAX] {
        let found = MedianDeviation::with_at_most(most, &mut Held(numbers.to_vec()));
        assert_eq!(found, expected, "{what}, {most} may be collected");
    }
}

#[test]
fn medians_and_deviations_are_those_of_sorted_numbers() {
    for num in [1, 2, 3, 4, 10, 501, 4000] {
        for seed in 0..4 {
            let drawn = drawn(seed, num);
            let spread = drawn.iter().map(|x| x.abs().powi(3));
            assert_exact(&spread.collect::<Vec<_>>(), "spread over magnitudes");
            let of_softmax = drawn.iter().map(|x| (2.0 * x - 6.0).exp());
            assert_exact(&of_softmax.collect::<Vec<_>>(), "as of a softmax");
            let near = drawn.iter().map(|x| 1.0 / 512.0 + 1e-6 * x);
            assert_exact(&near.collect::<Vec<_>>(), "near one value");
            let stepped = drawn.iter().map(|x| (3.0 * x).round().abs());
            assert_exact(&stepped.collect::<Vec<_>>(), "often equal");
        }
    }
}

#[test]
fn zeros_count_as_the_other_numbers_do() {
    for num_zeros in [0, 300, 499, 500, 501, 502, 700, 1000] {
        let mut numbers: Vec<f32> = drawn(1, 1001).iter().map(|x| x.abs()).collect();
        numbers[..num_zeros].fill(0.0);
        assert_exact(&numbers, &format!("{num_zeros} of 1001 are zero"));
        // Distances to zeros are the median one.
        let ones = numbers.iter().map(|x| if *x > 0.0 { 1.0 + x } else { 0.0 });
        assert_exact(&ones.collect::<Vec<_>>(), "zeros and others");
    }
    let least = f32::from_bits(1);
    assert_exact(&[0.0, least, least, 2.0 * least, 0.0], "next to zero");
    assert_exact(&[f32::MAX, f32::MAX, 0.0], "as great as they can be");
}

#[test]
fn few_numbers_are_collected_where_they_are_spread() {
    let numbers: Vec<f32> = drawn(3, 100_000).iter().map(|x| (x - 7.0).exp()).collect();
    let counts = Counts::of(&mut Held(numbers), |number| number);
    let rank = 49_999;
    let ring = Ring::of(&counts, counts.place(rank).bucket, rank);
    assert!(ring.num < 1000, "{}", ring.num);
}
