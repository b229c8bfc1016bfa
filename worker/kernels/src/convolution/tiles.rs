//! Tiles of an image, and the pixels they are made of.

use super::blocking::NR;

/// The height and width of a tile.
pub(super) const TILE: usize = 4;
/// The height and width of the inputs of a tile, which begin one pixel before it.
pub(super) const PATCH: usize = 6;

/// The tiles of an image, counted row by row; those at the right and lower edge may reach beyond it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    pub(super) height: usize,
    pub(super) width: usize,
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
        self.height.div_ceil(TILE) * self.width.div_ceil(TILE)
    }

    /// Returns up to `num` groups, from the tile `first` on.
    pub(super) fn groups(self, first: usize, num: usize) -> Vec<Group> {
        (first..self.num())
            .step_by(NR)
            .take(num)
            .map(|first| self.group(first))
            .collect()
    }

    fn group(self, first: usize) -> Group {
        let in_row = self.width.div_ceil(TILE);
        let end = self.num().min(first + NR);
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
