//! The graph of one layer: layouts, tiles of queries, softmax and averages.

use ort::editor::Model;
use ort::operator::Attribute;
use ort::value::TensorElementType;

use crate::builder::{Builder, Name};
use crate::tensor;
use shared::model::{InjectedLayer, Precision};

/// Tokens, heads and columns of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LayerShape {
    pub(super) tokens: usize,
    pub(super) heads: usize,
    pub(super) width: usize,
}

impl From<&InjectedLayer> for LayerShape {
    fn from(layer: &InjectedLayer) -> Self {
        Self {
            tokens: layer.tokens,
            heads: layer.heads,
            width: layer.head_width,
        }
    }
}

/// Queries by tiles, `(heads, tokens of a tile, width)` each, and keys `(heads, width, tokens)`.
pub(super) struct Attention {
    queries: Vec<Name>,
    keys: Name,
}

/// Values `(heads, tokens, width)` that are averaged by an attention, sharpened or not.
pub(super) struct Term<'a> {
    pub(super) attention: &'a Attention,
    pub(super) values: &'a Name,
    pub(super) contrast: Option<f32>,
}

/// Writes the graph of one layer.
pub(super) struct Writer {
    pub(super) graph: Builder,
    pub(super) shape: LayerShape,
    precision: Precision,
    tile_bytes: usize,
}

impl Writer {
    /// The name of the graph's output.
    pub(super) const OUTPUT: &str = "attended";

    pub(super) fn new(
        shape: LayerShape,
        precision: Precision,
        tile_bytes: usize,
    ) -> ort::Result<Self> {
        Ok(Self {
            graph: Builder::new()?,
            shape,
            precision,
            tile_bytes,
        })
    }

    fn dtype(&self) -> TensorElementType {
        tensor::element(self.precision)
    }

    pub(super) fn input(&mut self, name: &str) -> Name {
        let dtype = self.dtype();
        let shape = [1, self.shape.tokens, self.shape.heads * self.shape.width];
        self.graph.input(name, dtype, &shape)
    }

    /// Adds inputs in fp32.
    pub(super) fn exact_inputs<const N: usize>(
        &mut self,
        names: [&str; N],
    ) -> ort::Result<[Name; N]> {
        let mut inputs = names.map(|name| self.input(name));
        for input in &mut inputs {
            *input = self.cast(input, Precision::Fp32)?;
        }
        Ok(inputs)
    }

    /// Adds a number of fp32.
    pub(super) fn exact(&mut self, number: f32) -> ort::Result<Name> {
        self.graph.constant(&[1], &[number])
    }

    /// Makes fp32 of what has the model's precision, or the other way round.
    fn cast(&mut self, tensor: &Name, to: Precision) -> ort::Result<Name> {
        if self.precision == Precision::Fp32 {
            return Ok(tensor.clone());
        }
        // Numbers of ONNX's TensorProto.DataType.
        let to: i64 = match to {
            Precision::Fp32 => 1,
            Precision::Fp16 => 10,
        };
        let to = Attribute::new("to", to)?;
        self.graph.op("Cast", &[tensor], [to])
    }

    pub(super) fn reshape(&mut self, tensor: &Name, shape: &[usize]) -> ort::Result<Name> {
        let shape = self.graph.whole(shape)?;
        self.graph.op("Reshape", &[tensor, &shape], [])
    }

    pub(super) fn transpose(&mut self, tensor: &Name, order: [i64; 3]) -> ort::Result<Name> {
        let order = Attribute::new("perm", order.to_vec())?;
        self.graph.op("Transpose", &[tensor], [order])
    }

    /// Returns an input as `(tokens, heads, width)`.
    pub(super) fn tokens(&mut self, input: &Name) -> ort::Result<Name> {
        let LayerShape {
            tokens,
            heads,
            width,
        } = self.shape;
        self.reshape(input, &[tokens, heads, width])
    }

    /// Returns an input as `(heads, tokens, width)`.
    pub(super) fn by_heads(&mut self, input: &Name) -> ort::Result<Name> {
        let tokens = self.tokens(input)?;
        self.transpose(&tokens, [1, 0, 2])
    }

    /// Returns the tokens of each tile.
    pub(super) fn tiles(&self) -> Vec<usize> {
        let LayerShape { tokens, heads, .. } = self.shape;
        let most = (self.tile_bytes / (4 * heads * tokens)).clamp(1, tokens);
        (0..tokens)
            .step_by(most)
            .map(|first| most.min(tokens - first))
            .collect()
    }

    /// Divides a tensor by tiles of tokens along an axis.
    pub(super) fn split(&mut self, tensor: &Name, axis: usize) -> ort::Result<Vec<Name>> {
        let tiles = self.tiles();
        let sizes = self.graph.whole(&tiles)?;
        let axis = attribute("axis", axis)?;
        self.graph
            .ops("Split", &[tensor, &sizes], tiles.len(), [axis])
    }

    pub(super) fn concat(&mut self, tiles: &[Name], axis: usize) -> ort::Result<Name> {
        let tiles: Vec<&Name> = tiles.iter().collect();
        self.graph.op("Concat", &tiles, [attribute("axis", axis)?])
    }

    pub(super) fn attention(&mut self, query: &Name, key: &Name) -> ort::Result<Attention> {
        let query = self.by_heads(query)?;
        let key = self.tokens(key)?;
        Ok(Attention {
            queries: self.split(&query, 1)?,
            keys: self.transpose(&key, [1, 2, 0])?,
        })
    }

    /// Returns the attention of one tile, `(heads, tokens of the tile, tokens)` of fp32.
    pub(super) fn softmax(
        &mut self,
        attention: &Attention,
        tile: usize,
        contrast: Option<f32>,
    ) -> ort::Result<Name> {
        let scores = [&attention.queries[tile], &attention.keys];
        let scores = self.graph.op("MatMul", &scores, [])?;
        // Divided after the product, which ONNX Runtime does in the same kernel: queries and keys of fp16 lose nothing to
        // the shorter numbers that a tensor core multiplies.
        let root = self.exact((self.shape.width as f32).sqrt().recip())?;
        let scores = self.graph.op("Mul", &[&scores, &root], [])?;
        let axis = Attribute::new("axis", -1_i64)?;
        let softmax = self.graph.op("Softmax", &[&scores], [axis])?;
        let Some(strength) = contrast else {
            return Ok(softmax);
        };
        let mean = self.exact((self.shape.tokens as f32).recip())?;
        let strength = self.exact(strength)?;
        let about_mean = self.graph.op("Sub", &[&softmax, &mean], [])?;
        let stretched = self.graph.op("Mul", &[&about_mean, &strength], [])?;
        let back = self.graph.op("Add", &[&stretched, &mean], [])?;
        let (least, most) = (
            self.graph.constant(&[], &[0.0_f32])?,
            self.graph.constant(&[], &[1.0_f32])?,
        );
        self.graph.op("Clip", &[&back, &least, &most], [])
    }

    /// Returns the sum of averages of values, `(heads, tokens, width)`, tile by tile.
    pub(super) fn attend(&mut self, terms: &[Term<'_>]) -> ort::Result<Name> {
        let mut tiles = Vec::new();
        for tile in 0..self.tiles().len() {
            let mut sum: Option<Name> = None;
            for term in terms {
                let softmax = self.softmax(term.attention, tile, term.contrast)?;
                let average = self.graph.op("MatMul", &[&softmax, term.values], [])?;
                sum = Some(match sum {
                    None => average,
                    Some(sum) => self.graph.op("Add", &[&sum, &average], [])?,
                });
            }
            tiles.extend(sum);
        }
        self.concat(&tiles, 1)
    }

    /// Returns the graph with an output `(heads, tokens, width)`.
    pub(super) fn finish_heads(mut self, attended: &Name) -> ort::Result<Model> {
        let LayerShape {
            tokens,
            heads,
            width,
        } = self.shape;
        let attended = self.transpose(attended, [1, 0, 2])?;
        let attended = self.reshape(&attended, &[1, tokens, heads * width])?;
        let attended = self.cast(&attended, self.precision)?;
        self.finish(&attended)
    }

    pub(super) fn finish(mut self, attended: &Name) -> ort::Result<Model> {
        let dtype = self.dtype();
        let shape = [1, self.shape.tokens, self.shape.heads * self.shape.width];
        self.graph.output(attended, Self::OUTPUT, dtype, &shape)?;
        self.graph.finish()
    }
}

/// Returns an attribute that is a whole number.
pub(super) fn attribute(name: &str, number: usize) -> ort::Result<Attribute> {
    Attribute::new(name, tensor::whole(number)?)
}
