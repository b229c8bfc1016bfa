//! Attention of several heads, of plain queries, keys and values.

use faer::Accum;

use super::custom_ops::{CustomOp, OpRegistry};
use super::graph_rewriter::{GraphRewriter, Match};
use super::{Fusion, LoadError};
use kernels::attention::{MultiHeadAttention, TokenSlices};

impl CustomOp for MultiHeadAttention {
    const NAME: &'static str = "MultiHeadAttention";
    const NUM_INPUTS: usize = 3;
    const ADDS: bool = false;

    fn shape(&self, inputs: &[&[i64]]) -> Option<Vec<i64>> {
        let [query, key, value] = *inputs else {
            return None;
        };
        let ([batch, _, columns], [of_keys, keys, key_columns]) = (query, key) else {
            return None;
        };
        let width = usize::try_from(*columns).ok()?;
        let fits = [batch, columns] == [of_keys, key_columns]
            && key == value
            && *keys != 0
            && width > 0
            && width.is_multiple_of(self.num_heads);
        fits.then(|| query.to_vec())
    }

    fn write(&self, shape: &[usize], inputs: &[&[f32]], _: Accum, output: &mut [f32]) {
        let (batch, columns) = (shape[0], shape[2]);
        let [query, key, value] = [0, 1, 2].map(|input| {
            let tokens = inputs[input];
            tokens.chunks_exact(tokens.len() / batch)
        });
        let outputs = output.chunks_exact_mut(output.len() / batch);
        for (((query, key), value), output) in query.zip(key).zip(value).zip(outputs) {
            let tokens = TokenSlices {
                query,
                key,
                value,
                columns,
            };
            self.write(tokens, output);
        }
    }
}

impl Fusion for MultiHeadAttention {
    /// Replaces ONNX Runtime's attentions of three inputs of single precision and no attribute but the number of heads.
    fn fuse(
        rewriter: &mut GraphRewriter<'_>,
        registry: &mut OpRegistry<Self>,
    ) -> Result<(), LoadError> {
        for node in rewriter.fused("MultiHeadAttention") {
            if let Some(found) = match_attention(rewriter, node) {
                rewriter.replace(found, registry);
            }
        }
        Ok(())
    }
}

fn match_attention(
    rewriter: &GraphRewriter<'_>,
    attention: usize,
) -> Option<Match<MultiHeadAttention>> {
    let node = rewriter.node(attention);
    let is_single = |input: &String| rewriter.is_single(input);
    let (3, true) = (node.input.len(), node.input.iter().all(is_single)) else {
        return None;
    };
    let [attribute] = node.attribute.as_slice() else {
        return None;
    };
    let num_heads = attribute.i.map(usize::try_from);
    let (Some("num_heads"), Some(Ok(num_heads @ 1..))) = (attribute.name.as_deref(), num_heads)
    else {
        return None;
    };
    Some(Match {
        nodes: vec![attention],
        inputs: node.input.clone(),
        kernel: MultiHeadAttention {
            num_heads,
            operands: rewriter.operands,
        },
    })
}
