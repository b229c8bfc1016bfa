//! Which normalisations are replaced.
//!
//! ONNX has group normalisation as the normalisation of groups that were made channels by a `Reshape`, and factor and
//! summand of each channel after that; SiLU is a product with `Sigmoid`.

use super::LoadError;
use super::domain::Computation;
use super::graph::Editor;
use super::onnx::Tensor;
use kernels::group_norm::GroupNorm;

/// Replaces the normalisations that are left.
pub(super) fn replace(
    editor: &mut Editor<'_>,
    group_norms: &mut Vec<GroupNorm>,
) -> Result<(), LoadError> {
    for Normalisation {
        nodes, image, norm, ..
    } in all(editor)?
    {
        editor.replace(&nodes, &[image], GroupNorm::NAME, group_norms.len());
        group_norms.push(norm);
    }
    Ok(())
}

/// A normalisation in a graph.
pub(super) struct Normalisation {
    /// `Reshape`, `InstanceNormalization`, `Reshape`, `Mul` and `Add`, and SiLU if it is all that follows.
    pub(super) nodes: Vec<usize>,
    pub(super) image: String,
    pub(super) output: String,
    pub(super) norm: GroupNorm,
}

/// Returns the normalisations of a graph.
pub(super) fn all(editor: &Editor<'_>) -> Result<Vec<Normalisation>, LoadError> {
    let mut all = Vec::new();
    for node in editor.of("InstanceNormalization") {
        let Some(found) = Found::around(editor, node) else {
            continue;
        };
        let last = found.nodes.last().and_then(|last| editor.output(*last));
        if let (Some(norm), Some(output)) = (found.read(editor)?, last) {
            all.push(Normalisation {
                nodes: found.nodes.clone(),
                image: found.image.to_owned(),
                output: output.to_owned(),
                norm,
            });
        }
    }
    Ok(all)
}

struct Found<'a> {
    nodes: Vec<usize>,
    image: &'a str,
    /// Of the groups, which must be one and zero.
    unit: [&'a Tensor; 2],
    weight: &'a Tensor,
    bias: &'a Tensor,
    epsilon: f32,
    silu: bool,
}

impl<'a> Found<'a> {
    fn around(editor: &'a Editor<'_>, norm: usize) -> Option<Self> {
        let [groups, scale, offset] = editor.node(norm).input.as_slice() else {
            return None;
        };
        let split = editor.maker(groups)?;
        if !editor.is(split, "Reshape") || editor.readers(groups) != [norm] {
            return None;
        }
        let image = editor.node(split).input.first()?;
        let joined = editor.only_reader(norm, "Reshape")?;
        let shape = editor.whole_numbers(editor.node(joined).input.get(1)?)?;
        let split_shape = editor.whole_numbers(editor.node(split).input.get(1)?)?;
        if !is_shape_of(editor, image, &shape) || !are_groups_of(&shape, &split_shape) {
            return None;
        }
        let scaled = editor.only_reader(joined, "Mul")?;
        let (_, weight) = editor.with_constant(scaled)?;
        let moved = editor.only_reader(scaled, "Add")?;
        let (_, bias) = editor.with_constant(moved)?;
        if weight.dims != [shape[1], 1, 1] || bias.dims != weight.dims {
            return None;
        }
        let epsilon = editor.node(norm).attribute.iter();
        let mut epsilon = epsilon.filter(|a| a.name.as_deref() == Some("epsilon"));
        let mut nodes = vec![split, norm, joined, scaled, moved];
        let silu = silu_of(editor, moved);
        nodes.extend(silu.iter().flatten());
        Some(Self {
            nodes,
            image,
            unit: [editor.constant(scale)?, editor.constant(offset)?],
            weight,
            bias,
            epsilon: epsilon.next().map_or(Some(1e-5), |a| a.f)?,
            silu: silu.is_some(),
        })
    }

    /// Returns the normalisation, unless groups have factors of their own.
    fn read(&self, editor: &Editor<'_>) -> Result<Option<GroupNorm>, LoadError> {
        let [scale, offset] = self.unit;
        let (scale, offset) = (editor.numbers(scale)?, editor.numbers(offset)?);
        let is_unit = scale.iter().all(|x| *x == 1.0) && offset.iter().all(|x| *x == 0.0);
        let weight = editor.numbers(self.weight)?;
        if !is_unit || scale.is_empty() || !weight.len().is_multiple_of(scale.len()) {
            return Ok(None);
        }
        Ok(Some(GroupNorm {
            bias: editor.numbers(self.bias)?,
            weight,
            num_groups: scale.len(),
            epsilon: self.epsilon,
            silu: self.silu,
        }))
    }
}

/// Returns whether a tensor is an image whose shape, but for the batch, is one of `Reshape`'s.
fn is_shape_of(editor: &Editor<'_>, tensor: &str, shape: &[i64]) -> bool {
    let known = editor.shape(tensor).unwrap_or_default();
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
    let size = |shape: &[i64]| shape[1..].iter().product::<i64>();
    split.len() > 2 && split[0] == -1 && split[1] > 0 && size(shape) == size(split)
}

/// Returns the nodes that multiply a node's output by its sigmoid, if nothing else reads it.
fn silu_of(editor: &Editor<'_>, node: usize) -> Option<[usize; 2]> {
    let output = editor.output(node)?;
    let [a, b] = *editor.readers(output) else {
        return None;
    };
    let sigmoid = [a, b]
        .into_iter()
        .find(|reader| editor.is(*reader, "Sigmoid"))?;
    let product = editor.only_reader(sigmoid, "Mul")?;
    let is_other = [a, b].contains(&product);
    is_other.then_some([sigmoid, product])
}
