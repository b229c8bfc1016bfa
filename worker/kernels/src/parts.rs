//! How work is cut for threads that take one part after another: so evenly that little is left to one of them in the end.
//!
//! What a part computes does not depend on the parts beside it, so that the cut changes no byte.

/// The part of the work by which the thread that has most of it may have more than in the most even cut, if parts are
/// longer then.
const MORE: usize = 32;

/// Returns the length of the parts that so many things are cut into: the longest of at most `most`, whole `unit`s, with
/// which threads have about as even shares as they can have.
pub(crate) fn part_len(num: usize, unit: usize, most: usize, num_threads: usize) -> usize {
    let longest = most.min(num.next_multiple_of(unit)).max(unit) / unit;
    let share = |units: usize| largest_share(num, units * unit, num_threads);
    let best = (1..=longest).map(share).min().unwrap_or(0);
    let is_even = |units: &usize| share(*units) <= best + best / MORE;
    (1..=longest).rev().find(is_even).unwrap_or(1) * unit
}

/// Returns how many things the thread does that does most of them, if each takes the next part as soon as it has done one.
pub(crate) fn largest_share(num: usize, part_len: usize, num_threads: usize) -> usize {
    let (whole, rest) = (num / part_len, num % part_len);
    let share = whole.div_ceil(num_threads) * part_len;
    if whole.is_multiple_of(num_threads) {
        share + rest
    } else {
        share
    }
}

/// Rows and columns of a matrix that is cut in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rectangle {
    /// The number of rows.
    pub(crate) rows: usize,
    /// The number of columns.
    pub(crate) columns: usize,
}

impl Rectangle {
    /// Returns the part that each of some threads takes at a time, of at most `most_rows` rows, whole `unit`s of them, so that
    /// all are done first where a part takes as long as `work` says. Of cuts that are as good, it has the most columns.
    pub(crate) fn part(
        self,
        unit: usize,
        most_rows: usize,
        num_threads: usize,
        work: impl Fn(Self) -> usize,
    ) -> Self {
        let mut best = (usize::MAX, self);
        let mut before = 0;
        for num in 1..=num_threads.min(self.columns) {
            let columns = self.columns.div_ceil(num);
            if columns == before {
                continue;
            }
            before = columns;
            let across = self.columns.div_ceil(columns);
            // The fewest rounds of parts that are not too long, and one or two more.
            let least = (self.rows * across)
                .div_ceil(most_rows * num_threads)
                .max(1);
            for rounds in least..least + 3 {
                let rows = (self.rows * across).div_ceil(rounds * num_threads);
                let rows = rows.next_multiple_of(unit).clamp(unit, most_rows);
                let part = Self { rows, columns };
                let num_parts = across * self.rows.div_ceil(rows);
                let took = num_parts.div_ceil(num_threads) * work(part);
                if took < best.0 {
                    best = (took, part);
                }
            }
        }
        best.1
    }
}

/// Returns the rows of a matrix, as wide as is said, for each `len` of its columns.
pub(crate) fn columns(matrix: &mut [f32], width: usize, len: usize) -> Vec<Vec<&mut [f32]>> {
    let num_rows = matrix.len() / width;
    let mut parts = Vec::new();
    parts.resize_with(width.div_ceil(len), || Vec::with_capacity(num_rows));
    for row in matrix.chunks_exact_mut(width) {
        for (part, row) in parts.iter_mut().zip(row.chunks_mut(len)) {
            part.push(row);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_is_done_beside_others_or_after_all() {
        assert_eq!(largest_share(100, 10, 4), 30);
        assert_eq!(largest_share(80, 10, 4), 20);
        assert_eq!(largest_share(85, 10, 4), 25);
        assert_eq!(largest_share(5, 10, 4), 5);
    }

    #[test]
    fn parts_are_as_long_as_is_even() {
        assert_eq!(part_len(2048, 8, 256, 2), 256);
        assert_eq!(part_len(2048, 8, 256, 7), 152);
        assert_eq!(part_len(2048, 8, 256, 64), 32);
        assert_eq!(part_len(3, 8, 256, 64), 8);
        assert_eq!(part_len(0, 8, 256, 64), 8);
    }

    #[test]
    fn few_rows_are_cut_by_columns_too() {
        let part = |rows, columns, num_threads| {
            let work = |part: Rectangle| part.rows * part.columns + part.rows + part.columns;
            let Rectangle { rows, columns } =
                Rectangle { rows, columns }.part(8, 256, num_threads, work);
            (rows, columns)
        };
        assert_eq!(part(1024, 40, 4), (256, 40));
        let (rows, columns) = part(64, 40, 16);
        assert_eq!(16 * rows * columns, 64 * 40, "{rows}, {columns}");
        assert_eq!(part(8, 40, 64), (8, 1));
    }
}
