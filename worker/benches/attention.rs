//! Times the attention kernels at the shapes of real models, and prints a table.
//!
//! `cargo bench --workspace --bench attention [-- PART_OF_A_SHAPE]`; RAYON_NUM_THREADS sets the threads.

mod timing;

use method::attention::{
    AttentionError, Heads, KeyValue, QueryKeyValue, cross_image_attention, self_attention,
};
use method::filtering::{BestMatch, Exchange, Filter, Injected, Similarity, filtered_attention};
use method::noise::standard_normal;
use ndarray::Array2;
use shared::console;

use self::timing::shortest;

/// Name, tokens and heads of each layer.
const SHAPES: [(&str, usize, Heads); 4] = [
    ("sd15-full", 8192, Heads::of(8, 40)),
    ("sd15-half", 2048, Heads::of(8, 80)),
    ("demo-full", 2048, Heads::of(2, 16)),
    ("demo-half", 512, Heads::of(4, 64)),
];

const RELEASED_CODE: Filter = Filter {
    fraction: 0.25,
    exchange: Exchange::KeyColumns,
    best_match: BestMatch::ContrastedAttention,
    similarity: Similarity::AbsoluteCosineOverHeads,
};

const PAPER: Filter = Filter {
    fraction: 0.25,
    exchange: Exchange::QueryRows,
    best_match: BestMatch::FullWidthScores,
    similarity: Similarity::FullWidthCosine,
};

const CONTRAST_STRENGTH: f32 = 1.67;

fn main() -> Result<(), AttentionError> {
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    console::tell(format_args!(
        "{:<10} {:>7} {:>10} {:>14} {:>10} {:>10}",
        "layer", "tokens", "self", "cross-image", "released", "paper"
    ));
    for (name, tokens, heads) in SHAPES {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let arrays = ["a", "b", "c", "d", "e", "f"].map(|id| random(id, tokens, heads));
        let [
            query_output,
            key,
            value,
            content_query,
            content_key,
            content_value,
        ] = &arrays;
        let style = KeyValue {
            key: key.view(),
            value: value.view(),
        };
        let content = QueryKeyValue {
            query: content_query.view(),
            key: content_key.view(),
            value: content_value.view(),
        };
        let query = query_output.view();
        let injected = Injected {
            query,
            style,
            content: content.into(),
            heads,
        };
        let filtered = |filter: &Filter| filtered_attention(injected, CONTRAST_STRENGTH, filter);
        let own = milliseconds(|| self_attention(content, heads))?;
        let cross = milliseconds(|| cross_image_attention(query, style, heads, CONTRAST_STRENGTH))?;
        let released = milliseconds(|| filtered(&RELEASED_CODE))?;
        let paper = milliseconds(|| filtered(&PAPER))?;
        console::tell(format_args!(
            "{name:<10} {tokens:>7} {own:>7.1} ms {cross:>11.1} ms {released:>7.1} ms {paper:>7.1} ms"
        ));
    }
    console::finish();
    Ok(())
}

fn random(id: &str, tokens: usize, heads: Heads) -> Array2<f32> {
    let columns = heads.num * heads.width;
    standard_normal(1, id, 0, (1, tokens, columns)).remove_axis(ndarray::Axis(0))
}

fn milliseconds(
    kernel: impl Fn() -> Result<Array2<f32>, AttentionError> + Send,
) -> Result<f64, AttentionError> {
    kernel()?;
    Ok(1e3 * shortest(kernel))
}
