//! Pixels that a file has as they are, where a loss looks like a black edge.

/// So large a part of a picture that is zeros is told: one in eight.
const LEAST_PART: usize = 8;

/// Pixels as they lie in a file, without what fills up their rows.
pub(super) struct Uncompressed<'a> {
    /// Rows, or parts of them, in the order of the file.
    pub(super) rows: Vec<&'a [u8]>,
    /// The bytes of a pixel; 1 where several share one.
    pub(super) pixel_bytes: usize,
}

impl Uncompressed<'_> {
    /// Returns how large a part of the pixels, in percent, are zeros to the end of the file, if it is large and the others
    /// are not of one colour.
    pub(super) fn percent_of_zeros(&self) -> Option<usize> {
        let bytes = self.rows.iter().rev().flat_map(|row| row.iter().rev());
        let zeros = bytes.take_while(|byte| **byte == 0).count();
        let all: usize = self.rows.iter().map(|row| row.len()).sum();
        if zeros == 0 || zeros.saturating_mul(LEAST_PART) < all {
            return None;
        }
        let mut rest = all - zeros;
        let has_texture = self.rows.iter().any(|row| {
            let row = &row[..row.len().min(rest)];
            rest -= row.len();
            let pixels = row.len() / self.pixel_bytes * self.pixel_bytes;
            let row = &row[..pixels];
            let next = row.get(self.pixel_bytes..).unwrap_or_default();
            next != &row[..next.len()]
        });
        has_texture.then(|| zeros.saturating_mul(100) / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(rows: &[[u8; 6]]) -> Option<usize> {
        let rows = rows.iter().map(|row| &row[..]).collect();
        let pixel_bytes = 3;
        Uncompressed { rows, pixel_bytes }.percent_of_zeros()
    }

    #[test]
    fn zeros_at_the_end_are_told_if_they_are_many_and_the_rest_is_a_picture() {
        let (picture, plain, black) = ([1, 2, 3, 4, 5, 6], [9, 8, 7, 9, 8, 7], [0; 6]);
        let mut rows = [picture; 8];
        assert_eq!(percent(&rows), None);
        rows[7] = black;
        assert_eq!(percent(&rows), Some(12));
        rows[3..].fill(black);
        assert_eq!(percent(&rows), Some(62));
        rows.reverse();
        assert_eq!(percent(&rows), None, "they are at the beginning");
        assert_eq!(percent(&[picture; 9]), None);
        let mut nine = [picture; 9];
        nine[8] = black;
        assert_eq!(percent(&nine), None, "they are few");
        assert_eq!(percent(&[plain, plain, black]), None, "there is no picture");
        assert_eq!(percent(&[black; 8]), None);
        assert_eq!(percent(&[]), None);
    }
}
