//! What of a kernel's work threads can share, counted from the cuts that it is computed by.
//!
//! A call is one [`Region`] after another. In a region each thread takes the next part of the work as soon as it has done
//! one; at its end all wait for the last. Nothing is computed or timed here, so that more threads can be looked at than
//! there are.

#[cfg(test)]
mod tests;

use std::iter::repeat_n;

use crate::attention::{self, Heads};
use crate::bf16::{self, Operands};
use crate::convolution;
use crate::gated_gelu::GatedGelu;
use crate::linear::Linear;
use crate::pointwise::Pointwise;
use crate::small_convolution;

/// Bytes of a number.
const NUMBER: f64 = 4.0;
/// Operations for a value of a group normalisation with SiLU: sums of powers, factor and summand, exponential.
const OF_NORMALISED: f64 = 25.0;
/// The same of sums of powers alone.
pub(crate) const OF_SUMMED: f64 = 4.0;
/// Operations for a value of a gated GELU.
const OF_GATED: f64 = 30.0;

/// A part of the work of a region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Operations on numbers; to multiply and add is two.
    pub operations: f64,
    /// Bytes that are read and written outside of the caches of a core: operands, once for each part, and results.
    pub bytes: f64,
}

/// The work between two moments at which threads wait for each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its parts in the order in which they are taken.
    pub parts: Vec<Work>,
}

impl Region {
    /// Returns the operations of all parts.
    #[must_use]
    pub fn operations(&self) -> f64 {
        self.parts.iter().map(|part| part.operations).sum()
    }

    /// Returns the bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> f64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Returns how long some threads take for it, if one takes as long for each part as `time` says: the end of the last
    /// part, where each is taken by the thread that has done its parts first.
    ///
    /// # Panics
    ///
    /// If there is no thread for a part.
    #[must_use]
    pub fn time(&self, num_threads: usize, time: impl Fn(&Work) -> f64) -> f64 {
        let mut ends = vec![0.0_f64; num_threads];
        for part in &self.parts {
            let first = ends.iter_mut().min_by(|a, b| a.total_cmp(b));
            *first.expect("there are threads") += time(part);
        }
        ends.into_iter().fold(0.0, f64::max)
    }

    /// Returns the largest share of a thread over the mean share, in operations: 1 if the work is split evenly. Without any
    /// operation it is no number.
    ///
    /// # Panics
    ///
    /// As [`Region::time`].
    #[must_use]
    pub fn unevenness(&self, num_threads: usize) -> f64 {
        let largest = self.time(num_threads, |part| part.operations);
        largest * num_threads as f64 / self.operations()
    }
}

/// A call of a kernel on one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Call {
    /// Of [`Linear`].
    Linear {
        /// The number of tokens.
        tokens: usize,
        /// The numbers of inputs and outputs of a token.
        channels: [usize; 2],
    },
    /// Of [`Convolution`](convolution::Convolution).
    Convolution {
        /// The height and width of its outputs.
        size: [usize; 2],
        /// The numbers of inputs and outputs.
        channels: [usize; 2],
        /// The groups of channels of a normalisation before it.
        groups: Option<usize>,
    },
    /// Of [`Pointwise`].
    Pointwise {
        /// The number of pixels.
        pixels: usize,
        /// The numbers of inputs and outputs.
        channels: [usize; 2],
        /// What products are made of. Those of other kernels are cut in the same way whatever they are made of.
        operands: Operands,
    },
    /// Of [`SmallConvolution`](small_convolution::SmallConvolution).
    SmallConvolution {
        /// The height and width of its outputs.
        size: [usize; 2],
        /// The numbers of inputs and outputs.
        channels: [usize; 2],
    },
    /// Of [`GroupNorm`](crate::group_norm::GroupNorm), with SiLU.
    GroupNorm {
        /// The number of pixels.
        pixels: usize,
        /// The number of channels.
        channels: usize,
        /// The number of groups of them.
        groups: usize,
    },
    /// Of [`GatedGelu`].
    GatedGelu {
        /// The number of tokens.
        tokens: usize,
        /// Their width.
        width: usize,
    },
    /// Of [`MultiHeadAttention`](attention::MultiHeadAttention), or of one whose sums over heads find best matches.
    Attention {
        /// The numbers of queries and keys.
        tokens: [usize; 2],
        /// How columns are divided.
        heads: Heads,
        /// Whether attention is summed over heads.
        summed: bool,
    },
}

impl Call {
    /// Returns the regions of the call on some threads, one after another.
    ///
    /// # Panics
    ///
    /// If there is no thread.
    #[must_use]
    pub fn regions(&self, num_threads: usize) -> Vec<Region> {
        match *self {
            Self::Linear { tokens, channels } => {
                let part = Linear::part(tokens, channels[1], num_threads);
                vec![products(tokens, channels, part)]
            }
            Self::Convolution {
                size: [height, width],
                channels,
                groups,
            } => {
                let norm = groups
                    .map(|groups| of_groups(height * width, channels[0], groups, OF_SUMMED, 1.0));
                let tiles = convolution::regions([height, width], channels, num_threads);
                norm.into_iter().chain(tiles).collect()
            }
            Self::Pointwise {
                pixels,
                channels,
                operands,
            } => match operands {
                Operands::Single => {
                    let part = Pointwise::part(pixels, channels[1]);
                    vec![products(pixels, channels, part)]
                }
                Operands::Bf16 => bf16::regions_of_pointwise(pixels, channels, num_threads),
            },
            Self::SmallConvolution { size, channels } => {
                small_convolution::regions(size, channels, num_threads)
            }
            Self::GroupNorm {
                pixels,
                channels,
                groups,
            } => vec![of_groups(pixels, channels, groups, OF_NORMALISED, 3.0)],
            Self::GatedGelu { tokens, width } => {
                let lengths = lengths(tokens, GatedGelu::part_len(tokens, num_threads));
                vec![of_parts(lengths.map(|num| Work {
                    operations: OF_GATED * (num * width) as f64,
                    bytes: 3.0 * NUMBER * (num * width) as f64,
                }))]
            }
            Self::Attention {
                tokens,
                heads,
                summed,
            } => attention::regions(tokens, heads, summed, num_threads),
        }
    }
}

/// Returns a region of some parts.
pub(crate) fn of_parts(parts: impl Iterator<Item = Work>) -> Region {
    Region {
        parts: parts.collect(),
    }
}

/// Returns the lengths of the parts that so many things are cut into.
pub(crate) fn lengths(num: usize, part_len: usize) -> impl Iterator<Item = usize> + Clone {
    let rest = num % part_len;
    repeat_n(part_len, num / part_len).chain((rest > 0).then_some(rest))
}

/// Returns the work of a product of some rows with weights, whose results are read before they are written.
fn product(rows: usize, [inputs, outputs]: [usize; 2]) -> Work {
    let numbers = rows * inputs + inputs * outputs + 2 * rows * outputs;
    Work {
        operations: 2.0 * (rows * inputs * outputs) as f64,
        bytes: NUMBER * numbers as f64,
    }
}

/// Returns a region of products of some rows, of which each makes as many of them and as many outputs as `part` says.
pub(crate) fn products(num_rows: usize, [inputs, outputs]: [usize; 2], part: [usize; 2]) -> Region {
    let [rows, columns] = part;
    of_parts(lengths(num_rows, rows).flat_map(|rows| {
        lengths(outputs, columns).map(move |columns| product(rows, [inputs, columns]))
    }))
}

/// Returns a region of whole groups of channels, with some operations for each value, which is read or written so often.
fn of_groups(
    pixels: usize,
    channels: usize,
    groups: usize,
    operations: f64,
    passes: f64,
) -> Region {
    let values = (channels / groups * pixels) as f64;
    let work = Work {
        operations: operations * values,
        bytes: passes * NUMBER * values,
    };
    of_parts(repeat_n(work, groups))
}
