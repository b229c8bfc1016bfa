//! Attention of several heads on plain slices, as a layer of a network has it.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{Heads, KeyValue, add_attention};
use crate::bf16::Operands;
use crate::finite::PART_OF_THREAD;

/// A layer of attention: `softmax(Q K^T / sqrt(width)) V` for each head.
pub struct MultiHeadAttention {
    /// The number of heads.
    pub num_heads: usize,
    /// What products are made of.
    pub operands: Operands,
}

/// Queries, keys and values; the columns of a head lie next to each other.
#[derive(Clone, Copy, Debug)]
pub struct TokenSlices<'a> {
    /// `(queries, columns)`
    pub query: &'a [f32],
    /// `(keys, columns)`
    pub key: &'a [f32],
    /// `(keys, columns)`
    pub value: &'a [f32],
    /// The number of columns of a token.
    pub columns: usize,
}

impl MultiHeadAttention {
    /// Writes the outputs `(queries, columns)`.
    ///
    /// The bytes depend neither on the number of threads nor on the width of the CPU's vectors.
    ///
    /// # Panics
    ///
    /// If heads do not divide `columns`, or these an array, or outputs are not as many as queries, or values as keys, or
    /// there are no queries.
    pub fn write(&self, tokens: TokenSlices<'_>, output: &mut [f32]) {
        let TokenSlices {
            query,
            key,
            value,
            columns,
        } = tokens;
        assert!(columns.is_multiple_of(self.num_heads));
        assert_eq!([query.len(), key.len()], [output.len(), value.len()]);
        let heads =
            Heads::of(self.num_heads, columns / self.num_heads).with_operands(self.operands);
        let [query, key, value] = [query, key, value].map(|tokens| {
            let shape = (tokens.len() / columns, columns);
            ArrayView2::from_shape(shape, tokens).expect("whole tokens")
        });
        let parts = output.par_chunks_mut(PART_OF_THREAD);
        parts.for_each(|part| part.fill(0.0));
        add_attention(query, KeyValue { key, value }, heads, None, output);
    }
}
