//! How often each value occurs in a label.

use ndarray::Array2;

/// How many pixels have each value.
pub(super) struct Histogram([u64; 256]);

impl Histogram {
    pub(super) fn of(values: &Array2<u8>) -> Self {
        let mut counts = [0; 256];
        values
            .iter()
            .for_each(|&value| counts[usize::from(value)] += 1);
        Self(counts)
    }

    /// Returns the values that occur.
    pub(super) fn values(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|&value| self.0[usize::from(value)] > 0)
    }

    /// Returns whether a value occurs.
    pub(super) fn has(&self, value: u8) -> bool {
        self.0[usize::from(value)] > 0
    }

    /// Returns the share of pixels whose values are so.
    pub(super) fn share(&self, is_so: impl Fn(u8) -> bool) -> f64 {
        let all: u64 = self.0.iter().sum();
        let so = self.values().filter(|&value| is_so(value));
        let so: u64 = so.map(|value| self.0[usize::from(value)]).sum();
        so as f64 / all.max(1) as f64
    }
}
