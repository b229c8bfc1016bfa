//! What filtering adds to the graph of a layer: best matches, similarities, weak positions.

use ort::operator::Attribute;

use super::InjectedAttention;
use super::writer::{Attention, LayerShape, Writer, attribute};
use crate::builder::Name;
use method::filtering::{EPSILON, Filter, Quantile, Similarity};

impl Writer {
    /// Returns for each query the key with the largest sum of attention over heads.
    pub(super) fn match_by_attention(
        &mut self,
        attention: &Attention,
        settings: &InjectedAttention,
    ) -> ort::Result<Name> {
        let heads = self.graph.whole(&[0])?;
        let mut best = Vec::new();
        for tile in 0..self.tiles().len() {
            let contrast = Some(settings.contrast_strength);
            let softmax = self.softmax(attention, tile, contrast)?;
            let keepdims = Attribute::new("keepdims", 0_i64)?;
            let sums = self
                .graph
                .op("ReduceSum", &[&softmax, &heads], [keepdims])?;
            best.push(self.largest(&sums)?);
        }
        self.concat(&best, 0)
    }

    /// Returns for each query the key with the largest product over the full width.
    pub(super) fn match_full_width(&mut self, query: &Name, key: &Name) -> ort::Result<Name> {
        let LayerShape {
            tokens,
            heads,
            width,
        } = self.shape;
        let flat = [tokens, heads * width];
        let query = self.reshape(query, &flat)?;
        let key = self.reshape(key, &flat)?;
        let order = Attribute::new("perm", vec![1_i64, 0])?;
        let key = self.graph.op("Transpose", &[&key], [order])?;
        let mut best = Vec::new();
        for query in self.split(&query, 0)? {
            let scores = self.graph.op("MatMul", &[&query, &key], [])?;
            best.push(self.largest(&scores)?);
        }
        self.concat(&best, 0)
    }

    fn largest(&mut self, rows: &Name) -> ort::Result<Name> {
        let attributes = [
            Attribute::new("axis", -1_i64)?,
            Attribute::new("keepdims", 0_i64)?,
        ];
        self.graph.op("ArgMax", &[rows], attributes)
    }

    /// Returns how much each content value resembles the style value at its best match, `(tokens)` of fp32.
    pub(super) fn similarity(
        &mut self,
        content_value: &Name,
        style_value: &Name,
        best: &Name,
        similarity: Similarity,
    ) -> ort::Result<Name> {
        let LayerShape {
            tokens,
            heads,
            width,
        } = self.shape;
        let shape = match similarity {
            Similarity::AbsoluteCosineOverHeads => [tokens, heads, width],
            Similarity::FullWidthCosine => [tokens, 1, heads * width],
        };
        let content = self.reshape(content_value, &shape)?;
        let style = self.reshape(style_value, &shape)?;
        let style = self
            .graph
            .op("Gather", &[&style, best], [attribute("axis", 0)?])?;
        let dot = self.dot(&content, &style)?;
        let mut norms = Vec::new();
        for vectors in [&content, &style] {
            let square = self.dot(vectors, vectors)?;
            norms.push(self.graph.op("Sqrt", &[&square], [])?);
        }
        let norms = self.graph.op("Mul", &[&norms[0], &norms[1]], [])?;
        let least = self.exact(EPSILON)?;
        let norms = self.graph.op("Max", &[&norms, &least], [])?;
        let cosine = self.graph.op("Div", &[&dot, &norms], [])?;
        let cosine = match similarity {
            Similarity::AbsoluteCosineOverHeads => self.graph.op("Abs", &[&cosine], [])?,
            Similarity::FullWidthCosine => cosine,
        };
        self.sum_of_last_axis(&cosine)
    }

    fn dot(&mut self, left: &Name, right: &Name) -> ort::Result<Name> {
        let product = self.graph.op("Mul", &[left, right], [])?;
        self.sum_of_last_axis(&product)
    }

    fn sum_of_last_axis(&mut self, tensor: &Name) -> ort::Result<Name> {
        let last = self.graph.constant(&[1], &[-1_i64])?;
        let keepdims = Attribute::new("keepdims", 0_i64)?;
        self.graph.op("ReduceSum", &[tensor, &last], [keepdims])
    }

    /// Returns which positions are weak, `(tokens, 1)`: their similarity lies below the quantile.
    pub(super) fn weak(&mut self, similarity: &Name, filter: &Filter) -> ort::Result<Name> {
        let tokens = self.shape.tokens;
        let Quantile {
            below,
            above,
            share,
        } = Quantile::of(tokens, filter.fraction);
        let count = self.graph.whole(&[above + 1])?;
        let smallest = Attribute::new("largest", 0_i64)?;
        let sorted = self
            .graph
            .ops("TopK", &[similarity, &count], 2, [smallest])?;
        let mut at = |place: usize| -> ort::Result<Name> {
            let place = self.graph.whole(&[place])?;
            self.graph.op("Gather", &[&sorted[0], &place], [])
        };
        let (below, above) = (at(below)?, at(above)?);
        let share = self.exact(share)?;
        let apart = self.graph.op("Sub", &[&above, &below], [])?;
        let apart = self.graph.op("Mul", &[&apart, &share], [])?;
        let threshold = self.graph.op("Add", &[&below, &apart], [])?;
        let weak = self.graph.op("Less", &[similarity, &threshold], [])?;
        self.reshape(&weak, &[tokens, 1])
    }
}
