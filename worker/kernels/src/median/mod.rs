//! The median of numbers and their median distance from it, of more numbers than are worth holding.
//!
//! Both are **lower** medians: of `n` numbers, the one that `(n - 1) / 2` are before when they are sorted. Numbers are
//! gone through instead of held, twice as a rule. Those that are not negative are in the order of their bits, so that their
//! highest bits count them by buckets, each with a part of `1 / 2048` of its numbers or fewer between its ends:
//!
//! 1. Counts by buckets tell the bucket of the median, and so between which two distances the median distance lies,
//!    wherever in that bucket the median is.
//! 2. The lowest bits in that bucket are counted, which is the median; the few numbers whose distance may be the median
//!    one are collected.
//!
//! Where these are not few, such as among numbers that are all nearly one, distances are counted as the numbers were: twice
//! more, and nothing is collected.
//!
//! **Source:** Munro and Paterson 1980 for selection in a few passes (doi:10.1016/0304-3975(80)90061-4).
//! **Differs:** buckets are those of floating-point numbers, and a second selection shares the passes of the first.

mod counts;
mod ring;
#[cfg(test)]
mod tests;

use std::sync::Mutex;

use counts::{Counts, LowCounts};
use ring::Ring;

/// The least number of numbers that are worth collecting: 256 KiB.
const ALWAYS_FEW: u64 = 1 << 16;
/// Of so many numbers one may be collected.
const FEW: u64 = 16;

/// Finite numbers, none of them negative, that can be gone through again and again.
pub trait Numbers {
    /// Returns how many there are.
    fn num(&self) -> u64;

    /// Has each number taken once, on any number of threads and in any order, into as many results as threads needed.
    ///
    /// The numbers are the same each time, bit by bit.
    fn visit<T: Send>(
        &mut self,
        start: impl Fn() -> T + Sync,
        take: impl Fn(&mut T, &[f32]) + Sync,
    ) -> Vec<T>;
}

/// The median of numbers, and the median of their distances from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MedianDeviation {
    /// The lower median of the numbers.
    pub median: f32,
    /// The lower median of `|number - median|`.
    pub deviation: f32,
}

impl MedianDeviation {
    /// Returns those of some numbers, exactly, in the memory of one in sixteen of them or less.
    ///
    /// # Panics
    ///
    /// If there are no numbers.
    pub fn of(numbers: &mut impl Numbers) -> Self {
        let most = (numbers.num() / FEW).max(ALWAYS_FEW);
        Self::with_at_most(most, numbers)
    }

    /// Returns those of some numbers, of which so many may be collected.
    fn with_at_most(most: u64, numbers: &mut impl Numbers) -> Self {
        let num = numbers.num();
        assert!(num > 0, "the median of no numbers");
        let rank = (num - 1) / 2;
        let counts = Counts::of(numbers, |number| number);
        let place = counts.place(rank);
        let ring = Ring::of(&counts, place.bucket, rank);
        if ring.num > most {
            let median = LowCounts::of(numbers, place.bucket, |number| number).at(&place);
            let distance = |number: f32| (number - median).abs();
            let place = Counts::of(numbers, distance).place(rank);
            let deviation = LowCounts::of(numbers, place.bucket, distance).at(&place);
            return Self { median, deviation };
        }
        let found = numbers.visit(
            || (LowCounts::new(), Vec::new()),
            |(low, collected), numbers| {
                low.add(place.bucket, numbers.iter().copied());
                collected.extend(numbers.iter().filter(|&&number| ring.has(number)));
            },
        );
        let (low, collected): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let median = LowCounts::sum(low).at(&place);
        let deviation = ring.deviation(median, collected.concat());
        Self { median, deviation }
    }
}

/// Results of a [visit](Numbers::visit) while it is under way: a part of the work takes one that nobody has, or begins one.
pub(crate) struct Results<T, F> {
    idle: Mutex<Vec<T>>,
    start: F,
}

impl<T, F: Fn() -> T> Results<T, F> {
    pub(crate) fn new(start: F) -> Self {
        let idle = Mutex::new(Vec::new());
        Self { idle, start }
    }

    /// Lends one of them to some work.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let idle = self.lock().pop();
        let mut result = idle.unwrap_or_else(&self.start);
        let returned = work(&mut result);
        self.lock().push(result);
        returned
    }

    pub(crate) fn into_all(self) -> Vec<T> {
        let idle = self.idle.into_inner();
        idle.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<T>> {
        let locked = self.idle.lock();
        locked.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
