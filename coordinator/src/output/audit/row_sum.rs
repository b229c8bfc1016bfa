//! Rows in one number, so that those of a manifest are compared with those of all shards without holding either.

use bytes::Bytes;
use shared::digest;
use shared::manifest::{self, ManifestError, ManifestRow};

/// Rows, whatever their order: their number, and the sum of their digests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowSum {
    num_rows: usize,
    digests: u128,
}

impl RowSum {
    pub(super) fn of(rows: &[ManifestRow]) -> Self {
        let mut sum = Self::default();
        rows.iter().for_each(|row| sum.add(row));
        sum
    }

    pub(super) fn of_manifest(bytes: Bytes, max_rows: usize) -> Result<Self, ManifestError> {
        let mut sum = Self::default();
        manifest::read_each(bytes, max_rows, |row| sum.add(row))?;
        Ok(sum)
    }

    /// Adds a row, all of its columns: their debug form tells any two values apart.
    pub(super) fn add(&mut self, row: &ManifestRow) {
        let sha256 = digest::sha256(format!("{row:?}").as_bytes());
        let half = u128::from_str_radix(&sha256[..sha256.len() / 2], 16);
        self.num_rows += 1;
        let half = half.expect("a digest of ours is hexadecimal");
        self.digests = self.digests.wrapping_add(half);
    }

    pub(super) fn and(self, other: &Self) -> Self {
        Self {
            num_rows: self.num_rows + other.num_rows,
            digests: self.digests.wrapping_add(other.digests),
        }
    }
}
