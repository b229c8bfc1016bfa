//! Tiles of an image, and the pixels they are made of.

use std::ops::Range;

use super::blocking::NR;

/// The height and width of a tile.
pub(super) const TILE: usize = 4;
/// The height and width of the inputs of a tile, which begin one pixel before it.
pub(super) const PATCH: usize = 6;

/// The tiles of an image, counted row by row; those at the right and lower edge may reach beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiles {
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// Up to [`NR`] tiles, which are a panel of inputs, as runs.
pub(super) type Group = Vec<Run>;

/// Neighbouring tiles of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The place of the first among the group's tiles.
    pub(super) place: usize,
    /// The number of tiles.
    pub(super) num: usize,
    /// The first tile's upper pixel.
    pub(super) y: usize,
    /// The first tile's left pixel.
    pub(super) x: usize,
}

impl Tiles {
    /// Returns the number of tiles.
    pub(super) fn num(self) -> usize {
        self.in_column() * self.in_row()
    }

    /// Returns the number of tiles of a row.
    pub(super) fn in_row(self) -> usize {
        self.width.div_ceil(TILE)
    }

    /// Returns the number of rows of tiles.
    pub(super) fn in_column(self) -> usize {
        self.height.div_ceil(TILE)
    }

    /// Returns the groups of some tiles.
    pub(super) fn groups(self, tiles: Range<usize>) -> Vec<Group> {
        let end = tiles.end;
        tiles
            .step_by(NR)
            .map(|first| self.group(first..end.min(first + NR)))
            .collect()
    }

    fn group(self, tiles: Range<usize>) -> Group {
        let in_row = self.in_row();
        let Range { start: first, end } = tiles;
        let mut runs = Vec::new();
        let mut tile = first;
        while tile < end {
            let (row, column) = (tile / in_row, tile % in_row);
            let num = (in_row - column).min(end - tile);
            runs.push(Run {
                place: tile - first,
                num,
                y: TILE * row,
                x: TILE * column,
            });
            tile += num;
        }
        runs
    }
}
