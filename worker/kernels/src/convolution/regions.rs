//! What of a convolution threads can share.

use super::blocking::{KC, MC, NC, NR};
use super::cut::Cut;
use super::points::POINTS;
use super::tiles::{TILE, Tiles};
use crate::regions::{Region, Work, lengths, of_parts};

/// Operations to transform a patch, the weights of a pair of channels, and the products of a tile.
const OF_PATCH: f64 = 156.0;
const OF_WEIGHTS: f64 = 81.0;
const OF_TILE: f64 = 110.0;

/// Returns the regions of a convolution after whatever is before it.
pub(crate) fn regions(
    [height, width]: [usize; 2],
    channels: [usize; 2],
    num_threads: usize,
) -> Vec<Region> {
    let tiles = Tiles { height, width };
    let cut = Cut::of(tiles, channels, num_threads);
    let [num_inputs, num_outputs] = channels;
    let mut regions = Vec::new();
    for rows in cut.times() {
        let parts = lengths(rows.len(), cut.rows).map(|rows| rows * tiles.in_row());
        let groups: usize = parts.clone().map(|tiles| tiles.div_ceil(NR)).sum();
        let chunks = lengths(num_inputs, KC);
        let patches = (0..groups).flat_map(|_| chunks.clone().map(patches_of_group));
        regions.push(of_parts(patches));
        let products = lengths(num_outputs, cut.outputs)
            .flat_map(|outputs| parts.clone().map(move |tiles| (outputs, tiles)))
            .map(|(outputs, tiles)| products_of_part(num_inputs, outputs, tiles));
        regions.push(of_parts(products));
    }
    regions
}

/// Returns the work to transform a group of patches in some channels.
fn patches_of_group(channels: usize) -> Work {
    let patches = (NR * channels) as f64;
    let numbers = TILE * TILE + POINTS;
    Work {
        operations: OF_PATCH * patches,
        bytes: (numbers * size_of::<f32>()) as f64 * patches,
    }
}

/// Returns the work to make some outputs of the tiles of a part.
fn products_of_part(num_inputs: usize, num_outputs: usize, num_tiles: usize) -> Work {
    let blocks = num_tiles.div_ceil(NC);
    let tiles = num_tiles.next_multiple_of(NR);
    let products = 2 * POINTS * num_inputs * num_outputs * tiles;
    let weights = OF_WEIGHTS * (blocks * num_inputs * MC) as f64;
    let numbers = POINTS * num_inputs * tiles
        + 9 * num_inputs * MC * blocks
        + 2 * TILE * TILE * num_outputs * num_tiles;
    Work {
        operations: products as f64 + weights + OF_TILE * (num_outputs * tiles) as f64,
        bytes: (numbers * size_of::<f32>()) as f64,
    }
}
