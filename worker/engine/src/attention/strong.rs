//! Graphs that filter attention by class: the threshold of strong pairs, and the attention to strong pairs of one class.
//!
//! Scores are the means of contrasted attention over heads. They are made twice, by the same nodes on tiles of the same
//! sizes and so with the same bits: of the first graph all of them are in memory, `4 * tokens^2` bytes, until the threshold
//! is found; of the second, which is given it, those of a tile.
//!
//! Where scores may not be finite, the threshold is NaN, and so is everything that is made with it.

use ort::editor::Model;
use ort::operator::Attribute;
use ort::value::{DynValue, Tensor, TensorElementType};

use super::graph::STYLE;
use super::median::{MedianDeviation, as_ones};
use super::writer::{Attention, LayerShape, Writer, attribute};
use crate::builder::Name;
use method::class_filter::ClassFilter;
use shared::dataset::classes::NUM_CLASSES;

/// The attention of the content to itself.
pub(super) const CONTENT_ATTENDED: &str = "content_attended";
pub(super) const QUERY_CLASSES: &str = "query_classes";
pub(super) const KEY_CLASSES: &str = "key_classes";
/// `(1, 1, 3)` of fp32: median, deviation, threshold.
pub(super) const THRESHOLD: &str = "threshold";
/// `(1, 1 + heads, tokens)` of fp32: the number of kept keys of each query, then for each head sums of attention to them.
pub(super) const KEPT: &str = "kept";

/// No class, of a query and of a key: two numbers, so that none is the other's.
const UNKNOWN_QUERY: i32 = -1;
const UNKNOWN_KEY: i32 = -2;

/// Returns the classes of queries, `(tokens, 1)`, and those of keys, `(1, tokens)`.
pub(super) fn class_tensors(queries: &[u8], keys: &[u8]) -> ort::Result<[DynValue; 2]> {
    let numbers = |classes: &[u8], unknown: i32| -> Vec<i32> {
        let number = |&class: &u8| match usize::from(class) < NUM_CLASSES {
            true => i32::from(class),
            false => unknown,
        };
        classes.iter().map(number).collect()
    };
    let queries = ([queries.len(), 1], numbers(queries, UNKNOWN_QUERY));
    let keys = ([1, keys.len()], numbers(keys, UNKNOWN_KEY));
    Ok([
        Tensor::from_array(queries)?.into_dyn(),
        Tensor::from_array(keys)?.into_dyn(),
    ])
}

/// Returns the graph of what a strong pair exceeds.
pub(super) fn threshold_graph(
    writer: ort::Result<Writer>,
    filter: &ClassFilter,
) -> ort::Result<Model> {
    let mut write = writer?;
    let [query, key] = write.exact_inputs([STYLE[0], STYLE[1]])?;
    let attention = write.attention(&query, &key)?;
    let tokens = write.shape.tokens;
    let scores = write.all_scores(&attention, filter)?;
    let found = MedianDeviation::of(&mut write.graph, scores, tokens * tokens, tokens)?;
    let lambda = write.exact(filter.threshold_lambda)?;
    let above = write.graph.op("Mul", &[&found.deviation, &lambda], [])?;
    let threshold = write.graph.op("Add", &[&found.median, &above], [])?;
    let all = write.concat(&[found.median, found.deviation, threshold], 0)?;
    let zero = write.zero_if_finite(&query, &key)?;
    let all = write.graph.op("Add", &[&all, &zero], [])?;
    let shape = [1, 1, 3];
    let all = write.reshape(&all, &shape)?;
    let dtype = TensorElementType::Float32;
    write.graph.output(&all, THRESHOLD, dtype, &shape)?;
    write.graph.finish()
}

/// Returns the graph of attention to pairs of one class above a threshold that it is given.
pub(super) fn class_filtered_graph(
    writer: ort::Result<Writer>,
    filter: &ClassFilter,
) -> ort::Result<Model> {
    let mut write = writer?;
    let [query, key, value] = write.exact_inputs(STYLE)?;
    let [content] = write.exact_inputs([CONTENT_ATTENDED])?;
    let LayerShape { tokens, heads, .. } = write.shape;
    let mut input = |name: &str, dtype, shape: &[usize]| write.graph.input(name, dtype, shape);
    let query_classes = input(QUERY_CLASSES, TensorElementType::Int32, &[tokens, 1]);
    let key_classes = input(KEY_CLASSES, TensorElementType::Int32, &[1, tokens]);
    let threshold = input(THRESHOLD, TensorElementType::Float32, &[1, 1, 3]);
    let last = write.graph.whole(&[2])?;
    let axis = attribute("axis", 2)?;
    let threshold = write.graph.op("Gather", &[&threshold, &last], [axis])?;
    let threshold = write.reshape(&threshold, &[1])?;
    let content = write.by_heads(&content)?;
    let strong = Strong {
        attention: write.attention(&query, &key)?,
        values: write.by_heads(&value)?,
        content: write.split(&content, 1)?,
        query_classes: write.split(&query_classes, 0)?,
        key_classes,
        threshold,
    };
    let (mut attended, mut kept) = (Vec::new(), Vec::new());
    for tile in 0..write.tiles().len() {
        let made = write.attend_to_strong(&strong, tile, filter)?;
        attended.push(made.attended);
        kept.push(made.kept);
    }
    let kept = write.concat(&kept, 1)?;
    let shape = [1, 1 + heads, tokens];
    let kept = write.reshape(&kept, &shape)?;
    let dtype = TensorElementType::Float32;
    write.graph.output(&kept, KEPT, dtype, &shape)?;
    let attended = write.concat(&attended, 1)?;
    write.finish_heads(&attended)
}

/// What attention to strong pairs is made of.
struct Strong {
    attention: Attention,
    /// `(heads, tokens, width)`
    values: Name,
    /// Of each tile, the content's attention to itself, `(heads, tokens of the tile, width)`.
    content: Vec<Name>,
    /// Of each tile, `(tokens of the tile, 1)`.
    query_classes: Vec<Name>,
    /// `(1, tokens)`
    key_classes: Name,
    /// `(1)`
    threshold: Name,
}

/// What becomes of a tile.
struct Tile {
    /// `(heads, tokens of the tile, width)`
    attended: Name,
    /// `(1 + heads, tokens of the tile)`
    kept: Name,
}

impl Writer {
    /// Returns the scores of all pairs, in matrices that are as large as the attention of a tile.
    fn all_scores(
        &mut self,
        attention: &Attention,
        filter: &ClassFilter,
    ) -> ort::Result<Vec<Name>> {
        let tiles: Vec<usize> = (0..self.tiles().len()).collect();
        let mut parts = Vec::new();
        for tiles in tiles.chunks(self.shape.heads) {
            let mut scores = Vec::new();
            for &tile in tiles {
                let softmax = self.softmax(attention, tile, Some(filter.contrast_strength))?;
                scores.push(self.scores(&softmax)?);
            }
            parts.push(match scores.as_slice() {
                [one] => one.clone(),
                several => self.concat(several, 0)?,
            });
        }
        Ok(parts)
    }

    /// Returns the mean of attention over heads, `(tokens of the tile, tokens)`.
    fn scores(&mut self, softmax: &Name) -> ort::Result<Name> {
        let sums = self.sum(softmax, 0, false)?;
        let heads = self.exact(self.shape.heads as f32)?;
        self.graph.op("Div", &[&sums, &heads], [])
    }

    fn sum(&mut self, tensor: &Name, axis: usize, keeps_axis: bool) -> ort::Result<Name> {
        let axes = self.graph.whole(&[axis])?;
        let keepdims = Attribute::new("keepdims", i64::from(keeps_axis))?;
        self.graph.op("ReduceSum", &[tensor, &axes], [keepdims])
    }

    /// Returns 0 if every product of a query and a key is certain to be finite, else NaN, `(1)`.
    fn zero_if_finite(&mut self, query: &Name, key: &Name) -> ort::Result<Name> {
        let LayerShape {
            tokens,
            heads,
            width,
        } = self.shape;
        let zero = self.exact(0.0)?;
        let flat = [tokens * heads * width];
        let mut bound = self.exact(width as f32 * std::f32::consts::LOG2_E)?;
        let mut zeros = Vec::new();
        for tensor in [query, key] {
            let tensor = self.reshape(tensor, &flat)?;
            let magnitudes = self.graph.op("Abs", &[&tensor], [])?;
            let largest = self.graph.op("ReduceMax", &[&magnitudes], [])?;
            bound = self.graph.op("Mul", &[&bound, &largest], [])?;
            // A maximum may pass over NaN; a sum does not.
            let nothing = self.graph.op("Mul", &[&tensor, &zero], [])?;
            zeros.push(self.sum(&nothing, 0, true)?);
        }
        zeros.push(self.graph.op("Mul", &[&bound, &zero], [])?);
        let zeros = self.concat(&zeros, 0)?;
        self.sum(&zeros, 0, true)
    }

    /// Returns the attention of a tile to strong pairs, and what is left to a whole of the content's.
    fn attend_to_strong(
        &mut self,
        strong: &Strong,
        tile: usize,
        filter: &ClassFilter,
    ) -> ort::Result<Tile> {
        let contrast = Some(filter.contrast_strength);
        let softmax = self.softmax(&strong.attention, tile, contrast)?;
        let scores = self.scores(&softmax)?;
        let is_strong = self
            .graph
            .op("Greater", &[&scores, &strong.threshold], [])?;
        let classes = [&strong.query_classes[tile], &strong.key_classes];
        let is_of_one = self.graph.op("Equal", &classes, [])?;
        let keep = self.graph.op("And", &[&is_strong, &is_of_one], [])?;
        let ones = as_ones(&mut self.graph, &keep)?;
        let num_kept = self.sum(&ones, 1, false)?;
        let weights = self.graph.op("Mul", &[&softmax, &ones], [])?;
        let sums = self.sum(&weights, 2, false)?;
        // NaN if the threshold is.
        let zero = self.exact(0.0)?;
        let nothing = self.graph.op("Mul", &[&strong.threshold, &zero], [])?;
        let sums = self.graph.op("Add", &[&sums, &nothing], [])?;
        let LayerShape { heads, .. } = self.shape;
        let rows = self.tiles()[tile];
        let num_kept = self.reshape(&num_kept, &[1, rows])?;
        let kept = self.concat(&[num_kept, sums], 0)?;
        // The sums are taken from what is kept of the tile, so that it is counted before the next tile's turn.
        let sizes = self.graph.whole(&[1, heads])?;
        let of_kept = self
            .graph
            .ops("Split", &[&kept, &sizes], 2, [attribute("axis", 0)?])?;
        let sums = self.reshape(&of_kept[1], &[heads, rows, 1])?;
        let one = self.exact(1.0)?;
        let left = self.graph.op("Sub", &[&one, &sums], [])?;
        let left = self.graph.op("Mul", &[&left, &strong.content[tile]], [])?;
        let attended = self.graph.op("MatMul", &[&weights, &strong.values], [])?;
        let attended = self.graph.op("Add", &[&attended, &left], [])?;
        Ok(Tile { attended, kept })
    }
}
