//! How the work of a convolution is cut for threads.
//!
//! The tiles of an image are cut into **parts** of whole rows of tiles, and outputs into panels or halves of them. A thread
//! takes one part and one panel at a time, and transforms the panel's weights for them. Transformed inputs of some parts
//! are in memory at a time: between those and the next, threads wait for each other twice.

use std::ops::Range;

use super::blocking::{KC, MAX_INPUT_PANELS, MC, MOST_INPUT_PANELS, NC, NR, PANELS_OF_THREADS};
use super::tiles::Tiles;

/// The work to multiply a group of tiles by one panel's weights, where to transform these is 1.
const GROUP: usize = 8;

/// A cut of the tiles and outputs of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(super) tiles: Tiles,
    /// Rows of tiles of a part.
    pub(super) rows: usize,
    /// Parts whose transformed inputs are in memory at a time.
    parts: usize,
    /// Outputs that a thread makes at a time: those of a panel, or half of them.
    pub(super) outputs: usize,
}

impl Cut {
    /// Returns the cut by which some threads are done first.
    pub(crate) fn of(
        tiles: Tiles,
        [num_inputs, num_outputs]: [usize; 2],
        num_threads: usize,
    ) -> Self {
        let chunks = num_inputs.div_ceil(KC).max(1);
        let most_panels = MAX_INPUT_PANELS * num_threads.div_ceil(PANELS_OF_THREADS);
        let most_panels = most_panels.min(MOST_INPUT_PANELS);
        let (in_row, in_column) = (tiles.in_row().max(1), tiles.in_column().max(1));
        let longest = (NC / in_row).clamp(1, in_column);
        let mut best = None;
        for outputs in [MC, MC / 2] {
            for rows in (1..=longest).rev() {
                let groups = (rows * in_row).div_ceil(NR);
                if rows > 1 && groups * chunks > most_panels {
                    continue;
                }
                let num_parts = in_column.div_ceil(rows);
                let at_a_time = (most_panels / (groups * chunks)).clamp(1, num_parts);
                let times = num_parts.div_ceil(at_a_time);
                // As many each time.
                let parts = num_parts.div_ceil(times);
                let rounds = (parts * num_outputs.div_ceil(outputs)).div_ceil(num_threads);
                let blocks = (groups * NR).div_ceil(NC);
                let work = GROUP * groups * outputs / MC + blocks;
                let took = times * rounds * work;
                if best.is_none_or(|(least, _)| took < least) {
                    let cut = Self {
                        tiles,
                        rows,
                        parts,
                        outputs,
                    };
                    best = Some((took, cut));
                }
            }
        }
        let (_, cut) = best.expect("a part has at least one row");
        cut
    }

    /// Returns the rows of tiles whose transformed inputs are in memory at a time, one such time after the other.
    pub(crate) fn times(self) -> impl Iterator<Item = Range<usize>> {
        let end = self.tiles.in_column();
        let len = self.rows * self.parts;
        let starts = (0..end).step_by(len);
        starts.map(move |start| start..end.min(start + len))
    }
}
