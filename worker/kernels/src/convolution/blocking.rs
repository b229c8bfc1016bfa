//! Block sizes of the products of a convolution, named as in BLIS.
//!
//! At each point, weights `(outputs, input channels)` are multiplied by patches `(input channels, tiles)`: rows are
//! outputs, columns are tiles, and the sums run over input channels.

use super::points::POINTS;

/// MC: outputs of a packed panel of weights.
pub(crate) const MC: usize = 32;

/// NR: tiles that lie next to each other, as many as two of the widest vectors have lanes.
pub(crate) const NR: usize = 32;

/// NC: the most tiles that are worked on at a time.
pub(crate) const NC: usize = 4 * NR;

/// KC: input channels that are summed at a time.
pub(super) const KC: usize = 128;

/// The most panels of transformed inputs, of [`NR`] tiles and [`KC`] channels, that are in memory at a time for
/// [`PANELS_OF_THREADS`] threads. Every panel of weights reads all of them, so they are to stay in L3, where these take
/// 12 MB.
pub(super) const MAX_INPUT_PANELS: usize = 20;

/// The threads that [`MAX_INPUT_PANELS`] are for: processors with more of them have more L3.
pub(super) const PANELS_OF_THREADS: usize = 2;

/// The most of those panels for any number of threads: 95 MB. A row of tiles that has more is in memory all the same.
pub(super) const MOST_INPUT_PANELS: usize = 8 * MAX_INPUT_PANELS;

/// Padding against cache-set conflicts between points. The second half of a panel of weights is read as far beyond its end.
const PADDING: usize = 16;

/// From one point to the next in the transformed inputs of a panel, `(KC, NR)` and padding.
pub(super) const INPUTS_STRIDE: usize = KC * NR + PADDING;

/// From one point to the next in transformed weights, `(KC, MC)` and padding.
pub(super) const WEIGHTS_STRIDE: usize = KC * MC + PADDING;

/// From one point to the next in products, `(MC, NC)` and padding.
pub(super) const SUMS_STRIDE: usize = MC * NC + PADDING;

const _: () = assert!(PADDING >= MC / 2);

/// The transformed inputs of a panel at all points.
pub(super) const INPUT_PANEL: usize = POINTS * INPUTS_STRIDE;
