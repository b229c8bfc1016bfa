//! Group normalisation, with the SiLU after it.
//!
//! ONNX has group normalisation as the normalisation of groups that were made channels by a `Reshape`, and factor and
//! summand of each channel after that; SiLU is a product with `Sigmoid`.

use faer::Accum;

use super::custom_ops::{CustomOp, OpRegistry};
use super::graph_rewriter::{GraphRewriter, Match};
use super::onnx::Tensor;
use super::{Fusion, LoadError};
use kernels::group_norm::GroupNorm;

impl CustomOp for GroupNorm {
    const NAME: &'static str = "GroupNorm";
    const NUM_INPUTS: usize = 1;
    const ADDS: bool = false;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [[_, channels, _, _]] = *inputs else {
            return None;
        };
        (usize::try_from(*channels) == Ok(self.weight.len())).then(|| inputs[0].to_vec())
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], _: Accum, output: &mut [f32]) {
        let len: usize = shape[1..].iter().product();
        for (image, output) in inputs[0]
            .chunks_exact(len)
            .zip(output.chunks_exact_mut(len))
        {
            self.write(image, output);
        }
    }
}

impl Fusion for GroupNorm {
    /// Replaces the normalisations that no convolution took along.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError> {
        for (_, found) in match_all(rewriter)? {
            rewriter.replace(found, registry);
        }
        Ok(())
    }
}

/// Returns the normalisations of a graph, each with the name of its output.
pub(super) fn match_all(
    rewriter: &GraphRewriter<'_>,
) -> Result<Vec<(String, Match<GroupNorm>)>, LoadError> {
    let mut all = Vec::new();
    for node in rewriter.of("InstanceNormalization") {
        let Some(pattern) = Pattern::match_around(rewriter, node) else {
            continue;
        };
        let last = pattern.nodes.last();
        let output = last.and_then(|last| rewriter.output(*last));
        if let (Some(kernel), Some(output)) = (pattern.read(rewriter)?, output) {
            let found = Match {
                inputs: vec![pattern.image.to_owned()],
                nodes: pattern.nodes,
                kernel,
            };
            all.push((output.to_owned(), found));
        }
    }
    Ok(all)
}

/// The nodes and constants of a normalisation.
struct Pattern<'a> {
    /// `Reshape`, `InstanceNormalization`, `Reshape`, `Mul` and `Add`, and SiLU if it is all that follows.
    nodes: Vec<usize>,
    image: &'a str,
    /// Of the groups, which must be one and zero.
    unit: [&'a Tensor; 2],
    weight: &'a Tensor,
    bias: &'a Tensor,
    epsilon: f32,
    silu: bool,
}

impl<'a> Pattern<'a> {
    fn match_around(rewriter: &'a GraphRewriter<'_>, norm: usize) -> Option<Self> {
        let [groups, scale, offset] = rewriter.node(norm).input.as_slice() else {
            return None;
        };
        let split = rewriter.maker(groups)?;
        if !rewriter.is(split, "Reshape") || rewriter.readers(groups) != [norm] {
            return None;
        }
        let image = rewriter.node(split).input.first()?;
        let joined = rewriter.only_reader(norm, "Reshape")?;
        let shape = rewriter.whole_numbers(rewriter.node(joined).input.get(1)?)?;
        let split_shape = rewriter.whole_numbers(rewriter.node(split).input.get(1)?)?;
        if !is_shape_of(rewriter, image, &shape) || !are_groups_of(&shape, &split_shape) {
            return None;
        }
        let scaled = rewriter.only_reader(joined, "Mul")?;
        let (_, weight) = rewriter.with_constant(scaled)?;
        let moved = rewriter.only_reader(scaled, "Add")?;
        let (_, bias) = rewriter.with_constant(moved)?;
        if weight.dims != [shape[1], 1, 1] || bias.dims != weight.dims {
            return None;
        }
        let epsilon = rewriter.node(norm).attribute.iter();
        let mut epsilon = epsilon.filter(|a| a.name.as_deref() == Some("epsilon"));
        let mut nodes = vec![split, norm, joined, scaled, moved];
        let silu = silu_of(rewriter, moved);
        nodes.extend(silu.iter().flatten());
        Some(Self {
            nodes,
            image,
            unit: [rewriter.constant(scale)?, rewriter.constant(offset)?],
            weight,
            bias,
            epsilon: epsilon.next().map_or(Some(1e-5), |a| a.f)?,
            silu: silu.is_some(),
        })
    }

    /// Returns the normalisation, unless groups have factors of their own.
    fn read(&self, rewriter: &GraphRewriter<'_>) -> Result<Option<GroupNorm>, LoadError> {
        let [scale, offset] = self.unit;
        let (scale, offset) = (rewriter.numbers(scale)?, rewriter.numbers(offset)?);
        let is_unit = scale.iter().all(|x| *x == 1.0) && offset.iter().all(|x| *x == 0.0);
        let weight = rewriter.numbers(self.weight)?;
        if !is_unit || scale.is_empty() || !weight.len().is_multiple_of(scale.len()) {
            return Ok(None);
        }
        Ok(Some(GroupNorm {
            bias: rewriter.numbers(self.bias)?,
            weight,
            num_groups: scale.len(),
            epsilon: self.epsilon,
            silu: self.silu,
        }))
    }
}

/// Returns whether a tensor is an image whose shape, but for the batch, is one of `Reshape`'s.
fn is_shape_of(rewriter: &GraphRewriter<'_>, tensor: &str, shape: &[i64]) -> bool {
    let Some(known) = rewriter.shape(tensor) else {
        return false;
    };
    let is_same = |(known, shape): (&Option<usize>, &i64)| {
        known.is_some_and(|known| usize::try_from(*shape) == Ok(known))
    };
    shape.len() == 4
        && known.len() == 4
        && shape[0] == -1
        && known[1..].iter().zip(&shape[1..]).all(is_same)
}

/// Returns whether `Reshape` makes groups of whole images, and keeps the batch.
fn are_groups_of(shape: &[i64], split: &[i64]) -> bool {
    // Lengths are those of a file: a product that no number holds is that of no groups.
    let size = |shape: &[i64]| {
        let mut lengths = shape[1..].iter();
        lengths.try_fold(1_i64, |all, length| all.checked_mul(*length))
    };
    split.len() > 2
        && split[0] == -1
        && split[1] > 0
        && size(shape).is_some_and(|whole| size(split) == Some(whole))
}

/// Returns the nodes that multiply a node's output by its sigmoid, if nothing else reads it.
fn silu_of(rewriter: &GraphRewriter<'_>, node: usize) -> Option<[usize; 2]> {
    let output = rewriter.output(node)?;
    let [a, b] = *rewriter.readers(output) else {
        return None;
    };
    let sigmoid = [a, b]
        .into_iter()
        .find(|reader| rewriter.is(*reader, "Sigmoid"))?;
    let product = rewriter.only_reader(sigmoid, "Mul")?;
    let is_other = [a, b].contains(&product);
    is_other.then_some([sigmoid, product])
}
