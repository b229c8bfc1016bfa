//! The numbers whose distance from the median may be the median distance.
//!
//! All that is known of the median is its bucket, `a` to `b`. A number is within a distance `r` of it surely if it lies in
//! `b - r` to `a + r`, and perhaps if it lies in `a - r` to `b + r`. The median distance is greater than the greatest `r`
//! within which there are perhaps too few numbers, and not greater than the least within which there are surely enough.

use std::ops::Range;

use super::counts::{Counts, bucket_of, first, greatest, least};

/// Numbers about the median whose distances from it are to be compared.
pub(super) struct Ring {
    /// Buckets beyond which all distances are greater than the median one.
    outer: Range<usize>,
    /// Buckets among them within which all distances are smaller; none if it is empty.
    inner: Range<usize>,
    /// How many distances within the ring are smaller than the median one.
    rank: u64,
    /// How many of the ring are zero: they need not be collected.
    num_zeros: u64,
    /// How many are to be collected.
    pub(super) num: u64,
}

impl Ring {
    /// Returns the ring of the distance that `rank` others are before, about a median in `bucket`.
    pub(super) fn of(counts: &Counts, bucket: usize, rank: u64) -> Self {
        let (a, b) = (f64::from(least(bucket)), f64::from(greatest(bucket)));
        let surely = |r: f64| Counts::inside(b - r, a + r);
        let perhaps = |r: f64| Counts::touching(a - r, b + r);
        let end = f32::INFINITY.to_bits() as usize;
        let radius = |bits: usize| f64::from(f32::from_bits(bits as u32));
        let enough = first(end, |bits| counts.within(surely(radius(bits))) > rank);
        let maybe_enough = first(end, |bits| counts.within(perhaps(radius(bits))) > rank);
        let outer = perhaps(radius(enough));
        let inner = match maybe_enough.checked_sub(1) {
            Some(too_few) => surely(radius(too_few)),
            None => 0..0,
        };
        let num_inner = counts.within(inner.clone());
        let has_zeros = outer.contains(&0) && !inner.contains(&0);
        let num_zeros = if has_zeros { counts.num_zeros } else { 0 };
        Self {
            num: counts.within(outer.clone()) - num_inner - num_zeros,
            rank: rank - num_inner,
            outer,
            inner,
            num_zeros,
        }
    }

    /// Returns whether a number is to be collected.
    pub(super) fn has(&self, number: f32) -> bool {
        let bucket = bucket_of(number);
        self.outer.contains(&bucket) && !self.inner.contains(&bucket) && number != 0.0
    }

    /// Returns the median distance from `median` of all numbers, of which those of the ring are `collected`.
    pub(super) fn deviation(&self, median: f32, mut collected: Vec<f32>) -> f32 {
        debug_assert_eq!(collected.len() as u64, self.num);
        for number in &mut collected {
            *number = (*number - median).abs();
        }
        // Zeros are as far from the median as it is from zero.
        let nearer = collected
            .iter()
            .filter(|&&distance| distance < median)
            .count();
        let num_nearer = nearer as u64;
        let rank = if self.rank < num_nearer {
            self.rank
        } else if self.rank < num_nearer + self.num_zeros {
            return median;
        } else {
            self.rank - self.num_zeros
        };
        let (_, deviation, _) = collected.select_nth_unstable_by(rank as usize, f32::total_cmp);
        *deviation
    }
}
