//! How many numbers are in each bucket, and how many are each number of a bucket.
//!
//! The highest bits of a number are its bucket, the others count within it.

use super::Numbers;

/// Bits that count within a bucket.
const LOW_BITS: u32 = 12;
/// The number of buckets of numbers that are not negative.
const NUM_BUCKETS: usize = 1 << (31 - LOW_BITS);
/// The number of numbers of a bucket.
const NUM_LOW: usize = 1 << LOW_BITS;

/// Returns the bucket of a number.
pub(super) fn bucket_of(number: f32) -> usize {
    (number.to_bits() >> LOW_BITS) as usize
}

/// Returns the least number of a bucket.
pub(super) fn least(bucket: usize) -> f32 {
    f32::from_bits((bucket as u32) << LOW_BITS)
}

/// Returns the greatest number of a bucket.
pub(super) fn greatest(bucket: usize) -> f32 {
    f32::from_bits(((bucket as u32) << LOW_BITS) | (NUM_LOW as u32 - 1))
}

/// Returns the least number of `0..end` that meets a condition, which all after it meet as well, or `end`.
pub(super) fn first(end: usize, meets: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        if meets(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The place of a number among sorted ones.
pub(super) struct Place {
    /// Its bucket.
    pub(super) bucket: usize,
    /// How many of its bucket are before it.
    rank: u64,
}

/// The number of numbers in each bucket.
pub(super) struct Counts {
    /// For each bucket, the numbers in those before it; at last, all of them.
    before: Vec<u64>,
    /// How many are zero.
    pub(super) num_zeros: u64,
}

impl Counts {
    /// Counts what `map` makes of numbers, which is not negative either.
    pub(super) fn of(numbers: &mut impl Numbers, map: impl Fn(f32) -> f32 + Sync) -> Self {
        let found = numbers.visit(
            || (vec![0_u64; NUM_BUCKETS], 0),
            |(counts, num_zeros), numbers| {
                for &number in numbers {
                    let number = map(number);
                    counts[bucket_of(number)] += 1;
                    *num_zeros += u64::from(number == 0.0);
                }
            },
        );
        let mut before = vec![0; NUM_BUCKETS + 1];
        let mut num_zeros = 0;
        for (counts, zeros) in found {
            num_zeros += zeros;
            for (sum, count) in before[1..].iter_mut().zip(counts) {
                *sum += count;
            }
        }
        for bucket in 1..=NUM_BUCKETS {
            before[bucket] += before[bucket - 1];
        }
        Self { before, num_zeros }
    }

    /// Returns the number of numbers in some buckets.
    pub(super) fn within(&self, buckets: std::ops::Range<usize>) -> u64 {
        if buckets.is_empty() {
            return 0;
        }
        self.before[buckets.end] - self.before[buckets.start]
    }

    /// Returns the place of the number that `rank` others are before.
    pub(super) fn place(&self, rank: u64) -> Place {
        let bucket = first(NUM_BUCKETS, |bucket| self.before[bucket + 1] > rank);
        Place {
            bucket,
            rank: rank - self.before[bucket],
        }
    }

    /// Returns the buckets all of whose numbers lie between two.
    pub(super) fn inside(from: f64, to: f64) -> std::ops::Range<usize> {
        let start = first(NUM_BUCKETS, |bucket| f64::from(least(bucket)) >= from);
        let end = first(NUM_BUCKETS, |bucket| greatest_of(bucket) > to);
        start..end.max(start)
    }

    /// Returns the buckets that have numbers between two.
    pub(super) fn touching(from: f64, to: f64) -> std::ops::Range<usize> {
        let start = first(NUM_BUCKETS, |bucket| greatest_of(bucket) >= from);
        let end = first(NUM_BUCKETS, |bucket| f64::from(least(bucket)) > to);
        start..end.max(start)
    }
}

/// Returns the greatest number of a bucket; of those beyond all numbers, infinity.
fn greatest_of(bucket: usize) -> f64 {
    let greatest = f64::from(greatest(bucket));
    if greatest.is_nan() {
        f64::INFINITY
    } else {
        greatest
    }
}

/// How often each number of a bucket occurs.
pub(super) struct LowCounts(Vec<u64>);

impl LowCounts {
    pub(super) fn new() -> Self {
        Self(vec![0; NUM_LOW])
    }

    /// Counts those of what `map` makes of numbers that are in a bucket.
    pub(super) fn of(
        numbers: &mut impl Numbers,
        bucket: usize,
        map: impl Fn(f32) -> f32 + Sync,
    ) -> Self {
        let found = numbers.visit(Self::new, |low, numbers| {
            low.add(bucket, numbers.iter().map(|&number| map(number)));
        });
        Self::sum(found)
    }

    /// Counts those that are in the bucket.
    pub(super) fn add(&mut self, bucket: usize, numbers: impl Iterator<Item = f32>) {
        for number in numbers {
            if bucket_of(number) == bucket {
                self.0[number.to_bits() as usize % NUM_LOW] += 1;
            }
        }
    }

    pub(super) fn sum(all: Vec<Self>) -> Self {
        let mut sum = Self::new();
        for counts in all {
            for (sum, count) in sum.0.iter_mut().zip(counts.0) {
                *sum += count;
            }
        }
        sum
    }

    /// Returns the number at a place of the bucket that was counted.
    pub(super) fn at(&self, place: &Place) -> f32 {
        let mut left = place.rank;
        let mut low = 0;
        while left >= self.0[low] {
            left -= self.0[low];
            low += 1;
        }
        f32::from_bits(least(place.bucket).to_bits() | low as u32)
    }
}
