//! One call of injected attention, at the shapes of Stable Diffusion 1.5 at 1024x512.

use std::time::Instant;

use method::attention::{
    Heads, KeyValue, QueryKeyValue, cross_image_attention, self_attention_with_stats,
};
use method::filtering::{
    BestMatch, ContentAttention, Exchange, Filter, Injected, Similarity, filtered_attention,
};
use method::noise::standard_normal;
use ndarray::Array2;

/// Tokens and heads of the two kinds of injected layers.
pub(super) const SHAPES: [(usize, Heads); 2] = [(8192, Heads::of(8, 40)), (2048, Heads::of(8, 80))];
const CONTRAST_STRENGTH: f32 = 1.67;
const REPEAT: usize = 5;
const FILTER: Filter = Filter {
    fraction: 0.25,
    exchange: Exchange::KeyColumns,
    best_match: BestMatch::ContrastedAttention,
    similarity: Similarity::AbsoluteCosineOverHeads,
};

/// Seconds of one call.
pub(super) struct Attention {
    pub(super) tokens: usize,
    pub(super) heads: Heads,
    pub(super) cross_image: f64,
    pub(super) filtered: f64,
}

impl Attention {
    /// Returns the shape as Python's side names it.
    pub(super) fn shape(&self) -> String {
        format!("{}x{}x{}", self.heads.num, self.tokens, self.heads.width)
    }
}

/// Times both kinds of injection in every shape.
pub(super) fn measure() -> Vec<Attention> {
    let threads = std::thread::available_parallelism().unwrap().get();
    println!("injected attention, {threads} threads, best of {REPEAT}");
    SHAPES.map(|(tokens, heads)| of_shape(tokens, heads)).into()
}

fn of_shape(tokens: usize, heads: Heads) -> Attention {
    let random = |name: &str| -> Array2<f32> {
        let shape = (1, tokens, heads.num * heads.width);
        standard_normal(1, name, 0, shape)
            .into_shape_with_order((shape.1, shape.2))
            .unwrap()
    };
    let [output, key, value] = ["output", "style-key", "style-value"].map(random);
    let own = ["query", "key", "value"].map(random);
    let style = KeyValue {
        key: key.view(),
        value: value.view(),
    };
    let own = QueryKeyValue {
        query: own[0].view(),
        key: own[1].view(),
        value: own[2].view(),
    };
    // As in a pass, where the content attends to itself before its outputs attend to their styles.
    let (_, stats) = self_attention_with_stats(own, heads).unwrap();
    let query = output.view();
    let injected = Injected {
        query,
        style,
        content: ContentAttention {
            own,
            stats: Some(&stats),
        },
        heads,
    };
    Attention {
        tokens,
        heads,
        cross_image: shortest(|| cross_image_attention(query, style, heads, CONTRAST_STRENGTH)),
        filtered: shortest(|| filtered_attention(injected, CONTRAST_STRENGTH, &FILTER)),
    }
}

fn shortest<T, E: std::fmt::Debug>(mut work: impl FnMut() -> Result<T, E>) -> f64 {
    let seconds = (0..REPEAT).map(|_| {
        let started = Instant::now();
        std::hint::black_box(work().unwrap());
        started.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}
