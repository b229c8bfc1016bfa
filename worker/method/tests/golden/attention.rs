use method::attention::{Heads, KeyValue, QueryKeyValue, cross_image_attention, self_attention};
use method::filtering::{
    BestMatch, Exchange, Filter, Injected, Similarity, filtered_attention, find_matches,
};
use ndarray::{Array1, Array2, Array3};

use crate::fixtures::Golden;

const HEADS: Heads = Heads::of(4, 24);

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

/// Returns `(heads, tokens, width)` as tokens.
fn tokens(golden: &mut Golden, name: &str) -> Array2<f64> {
    let by_head: Array3<f64> = golden.array(name);
    let by_token = by_head.permuted_axes([1, 0, 2]);
    let (tokens, heads, width) = by_token.dim();
    let standard = by_token.as_standard_layout().into_owned();
    standard
        .into_shape_with_order((tokens, heads * width))
        .unwrap()
}

struct Inputs {
    golden: Golden,
    arrays: [Array2<f32>; 6],
}

impl Inputs {
    fn read() -> Self {
        let mut golden = Golden::open("attention.npz");
        let names = [
            "query_output",
            "key_style",
            "value_style",
            "query_content",
            "key_content",
            "value_content",
        ];
        let arrays = names.map(|name| tokens(&mut golden, name).mapv(|x| x as f32));
        Self { golden, arrays }
    }

    fn query_output(&self) -> ndarray::ArrayView2<'_, f32> {
        self.arrays[0].view()
    }

    fn style(&self) -> KeyValue<'_> {
        KeyValue {
            key: self.arrays[1].view(),
            value: self.arrays[2].view(),
        }
    }

    fn content(&self) -> QueryKeyValue<'_> {
        QueryKeyValue {
            query: self.arrays[3].view(),
            key: self.arrays[4].view(),
            value: self.arrays[5].view(),
        }
    }

    fn injected(&self) -> Injected<'_> {
        Injected {
            query: self.query_output(),
            style: self.style(),
            content: self.content().into(),
            heads: HEADS,
        }
    }

    fn assert_is(&mut self, found: &Array2<f32>, name: &str) {
        let expected = tokens(&mut self.golden, name);
        let worst =
            (found.mapv(f64::from) - expected).fold(0.0, |worst: f64, x| worst.max(x.abs()));
        assert!(worst < 1e-5, "{name}: {worst:e}");
    }
}

#[test]
fn cross_image_attention_without_contrast_is_plain_attention() {
    let mut inputs = Inputs::read();
    let found = cross_image_attention(inputs.query_output(), inputs.style(), HEADS, 1.0).unwrap();
    inputs.assert_is(&found, "plain");

    let KeyValue { key, value } = inputs.style();
    let query = inputs.query_output();
    let found = self_attention(QueryKeyValue { query, key, value }, HEADS).unwrap();
    inputs.assert_is(&found, "plain");
}

#[test]
fn cross_image_attention_sharpens_as_the_authors_do() {
    let mut inputs = Inputs::read();
    let found = cross_image_attention(inputs.query_output(), inputs.style(), HEADS, 1.67).unwrap();
    inputs.assert_is(&found, "cross_image");
}

#[test]
fn filtered_attention_is_that_of_both_readings() {
    let mut inputs = Inputs::read();
    for (filter, name) in [(RELEASED_CODE, "released"), (PAPER, "paper")] {
        let found = filtered_attention(inputs.injected(), 1.67, &filter).unwrap();
        inputs.assert_is(&found, &format!("{name}_output"));
    }
}

#[test]
fn best_positions_and_weak_sets_are_those_of_both_readings() {
    let mut inputs = Inputs::read();
    for (filter, name) in [(RELEASED_CODE, "released"), (PAPER, "paper")] {
        let found = find_matches(inputs.injected(), 1.67, &filter).unwrap();
        let best: Array1<i64> = inputs.golden.array(&format!("{name}_best_style_position"));
        let best: Vec<usize> = best.iter().map(|&best| best as usize).collect();
        assert_eq!(found.best, best, "{name}");

        let similarity: Array1<f64> = inputs.golden.array(&format!("{name}_similarity"));
        for (found, expected) in found.similarity.iter().zip(similarity) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{name}");
        }
        let weak: Array1<bool> = inputs.golden.array(&format!("{name}_filtered"));
        let positions = weak.iter().enumerate().filter(|&(_, &weak)| weak);
        let weak: Vec<usize> = positions.map(|(position, _)| position).collect();
        assert_eq!(found.weak, weak, "{name}");
    }
}
