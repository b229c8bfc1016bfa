//! The tiles that are worked on at a time: their transformed inputs, and the products and outputs of each panel of weights.

use std::cell::Cell;
use std::ops::Range;

use faer::Accum;
use rayon::prelude::*;

use super::blocking::{INPUT_PANEL, INPUTS_STRIDE, KC, MC, NC, NR, SUMS_STRIDE, WEIGHTS_STRIDE};
use super::cut::Cut;
use super::inputs::{Reading, TransformInputs};
use super::outputs::TransformOutputs;
use super::points::{POINTS, Points};
use super::product::AddProducts;
use super::tiles::{Group, TILE, Tiles};
use super::weights::{PanelWeights, TransformWeights};
use super::{Convolution, Image};
use crate::bf16::{self, Layout};
use crate::vectors;

thread_local! {
    /// Buffers of a thread for the panel that it works on.
    static PANEL_SCRATCH: Cell<PanelScratch> = Cell::default();
}

/// Buffers for one panel of output channels.
#[derive(Default)]
struct PanelScratch {
    /// Weights of single precision, `(inputs, 9, MC)`, where those that are kept are not.
    whole: Vec<f32>,
    /// Transformed weights, `(POINTS, WEIGHTS_STRIDE)`.
    weights: Vec<f32>,
    /// Products, `(POINTS, SUMS_STRIDE)`.
    sums: Vec<f32>,
}

/// Tiles whose transformed inputs are in memory at a time.
pub(super) struct Block {
    pub(super) cut: Cut,
    /// The rows of tiles.
    rows: Range<usize>,
    /// Those of each part.
    groups: Vec<Vec<Group>>,
    points: Points,
    /// The number of chunks of [`KC`] input channels.
    num_chunks: usize,
    /// How values at points lie.
    layout: Layout,
}

impl Block {
    pub(super) fn new(cut: Cut, rows: Range<usize>, layer: &Convolution, layout: Layout) -> Self {
        let in_row = cut.tiles.in_row();
        let starts = rows.clone().step_by(cut.rows);
        let groups = starts.map(|start| {
            let end = rows.end.min(start + cut.rows);
            cut.tiles.groups(start * in_row..end * in_row)
        });
        Self {
            cut,
            groups: groups.collect(),
            rows,
            points: layer.points(),
            num_chunks: layer.num_inputs().div_ceil(KC).max(1),
            layout,
        }
    }

    /// Returns the pixels of each part in each channel of some outputs `(channels, height, width)`.
    pub(super) fn split<'a>(&self, outputs: &'a mut [f32]) -> Vec<Vec<&'a mut [f32]>> {
        let Tiles { height, width } = self.cut.tiles;
        let rows = TILE * self.rows.start..height.min(TILE * self.rows.end);
        let mut parts = Vec::new();
        parts.resize_with(self.groups.len(), Vec::new);
        for plane in outputs.chunks_exact_mut(height * width) {
            let plane = &mut plane[rows.start * width..rows.end * width];
            for (part, pixels) in parts
                .iter_mut()
                .zip(plane.chunks_mut(TILE * self.cut.rows * width))
            {
                part.push(pixels);
            }
        }
        parts
    }

    /// Writes the transformed inputs, `(groups, chunks, INPUT_PANEL)`.
    pub(super) fn transform(&self, image: &Image<'_>, reading: Reading<'_>, inputs: &mut Vec<f32>) {
        let plane = image.height * image.width;
        let groups: Vec<&Group> = self.groups.iter().flatten().collect();
        let num = groups.len() * self.num_chunks;
        // It only grows: what layers with fewer channels leave unused need not be cleared for the next.
        if inputs.len() < num * INPUT_PANEL {
            inputs.resize(num * INPUT_PANEL, 0.0);
        }
        let chunks: Vec<&[f32]> = image.pixels.chunks(KC * plane).collect();
        inputs
            .par_chunks_mut(INPUT_PANEL)
            .take(num)
            .enumerate()
            .for_each(|(place, inputs)| {
                let chunk = place % self.num_chunks;
                vectors::arch().dispatch(TransformInputs {
                    planes: chunks[chunk],
                    height: image.height,
                    width: image.width,
                    reading: reading.skip_channels(chunk * KC),
                    group: groups[place / self.num_chunks],
                    inputs: &mut *inputs,
                });
                let num = chunks[chunk].len() / plane;
                self.lay_out::<NR>(inputs, INPUTS_STRIDE, num);
            });
    }

    /// Lays out the values of some input channels at all points, `(POINTS, stride)`, where they lie.
    fn lay_out<const WIDTH: usize>(&self, values: &mut [f32], stride: usize, num_inputs: usize) {
        if self.layout != Layout::Single {
            for &point in self.points.needed() {
                let values = &mut values[point * stride..][..num_inputs * WIDTH];
                bf16::lay_out::<WIDTH>(self.layout, values);
            }
        }
    }
}

/// A panel of weights, or half of one, and what it is multiplied by.
pub(super) struct Panel<'a> {
    pub(super) block: &'a Block,
    /// `(groups, chunks, INPUT_PANEL)`
    pub(super) inputs: &'a [f32],
    pub(super) weights: PanelWeights<'a>,
    /// The first of its outputs among those of the weights.
    pub(super) first: usize,
    /// The summand of each output.
    pub(super) bias: &'a [f32],
    pub(super) accum: Accum,
}

impl Panel<'_> {
    /// Writes the outputs of one part to the pixels of each channel, or adds them.
    pub(super) fn write(&self, part: usize, planes: &mut [&mut [f32]]) {
        let Block {
            cut, rows, groups, ..
        } = self.block;
        let before: usize = groups[..part].iter().map(Vec::len).sum();
        let mut scratch = PANEL_SCRATCH.take();
        for (block, groups) in groups[part].chunks(NC / NR).enumerate() {
            let first = before + block * (NC / NR);
            self.multiply(first..first + groups.len(), &mut scratch);
            for (g, group) in groups.iter().enumerate() {
                vectors::arch().dispatch(TransformOutputs {
                    sums: &scratch.sums[g * NR..],
                    points: self.block.points,
                    tiles: cut.tiles,
                    group,
                    bias: self.bias,
                    accum: self.accum,
                    planes,
                    top: TILE * (rows.start + part * cut.rows),
                });
            }
        }
        PANEL_SCRATCH.set(scratch);
    }

    /// Writes the products of some groups to `scratch.sums`, `(POINTS, SUMS_STRIDE)`.
    fn multiply(&self, groups: Range<usize>, scratch: &mut PanelScratch) {
        let PanelScratch {
            whole,
            weights: at,
            sums,
        } = scratch;
        at.resize(POINTS * WEIGHTS_STRIDE, 0.0);
        sums.resize(POINTS * SUMS_STRIDE, 0.0);
        let block = self.block;
        let (layout, points, num_chunks) = (block.layout, block.points, block.num_chunks);
        for chunk in 0..num_chunks {
            let channels = chunk * KC..self.weights.num_inputs().min((chunk + 1) * KC);
            let num_inputs = channels.len();
            vectors::arch().dispatch(TransformWeights {
                weights: self.weights.inputs(channels, whole),
                points,
                at,
            });
            block.lay_out::<MC>(at, WEIGHTS_STRIDE, num_inputs);
            let num_places = layout.places(num_inputs);
            for &point in points.needed() {
                let weights = &at[point * WEIGHTS_STRIDE + self.first..][..num_places * MC];
                let sums = &mut sums[point * SUMS_STRIDE..][..SUMS_STRIDE];
                for (place, group) in groups.clone().enumerate() {
                    let start = (group * num_chunks + chunk) * INPUT_PANEL + point * INPUTS_STRIDE;
                    let products = AddProducts {
                        inputs: &self.inputs[start..][..num_places * NR],
                        weights,
                        sums: &mut sums[place * NR..],
                        num_outputs: self.bias.len(),
                        is_first: chunk == 0,
                    };
                    products.add(layout);
                }
            }
        }
    }
}
