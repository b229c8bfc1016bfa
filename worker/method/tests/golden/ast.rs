//! Single functions of ASTModel.

use method::attention::{Heads, KeyValue, QueryKeyValue, self_attention};
use method::class_adain::LabelledLatent;
use method::class_filter::{ClassFilter, ClassFiltered, ClassInjected, class_filtered_attention};
use method::class_map::{refined, token_classes};
use method::hybrid_adain::{HybridAdain, MappedLatent};
use method::prototypes::{Prototypes, UnitFeatures};
use ndarray::{Array1, Array2, Array3};

use crate::fixtures::{Golden, assert_close};

const HEADS: Heads = Heads::of(4, 24);
const TOKENS: usize = 128;
/// Of the tokens, height and width.
const GRID: (usize, usize) = (8, 16);
const CONFIDENCE: f32 = 0.5;
const FILTER: ClassFilter = ClassFilter {
    contrast_strength: 1.67,
    threshold_lambda: 2.0,
};

fn units() -> Golden {
    Golden::open("../golden-ast/units.npz")
}

/// Returns `(heads, tokens, width)` as tokens.
fn tokens(golden: &mut Golden, name: &str) -> Array2<f32> {
    let by_head: Array3<f32> = golden.array(name);
    let by_token = by_head.permuted_axes([1, 0, 2]);
    let (tokens, heads, width) = by_token.dim();
    let standard = by_token.as_standard_layout().into_owned();
    standard
        .into_shape_with_order((tokens, heads * width))
        .unwrap()
}

/// Asserts that no value differs by more than 1e-5.
fn assert_are(found: &Array2<f32>, expected: &Array2<f32>, what: &str) {
    let batch = |array: &Array2<f32>| array.clone().insert_axis(ndarray::Axis(0));
    assert_close(&batch(found), &batch(expected), 1e-5, what);
}

/// Filters the attention of a golden, and compares what the content attends to itself on the way.
fn filtered(golden: &mut Golden, name: &str) -> ClassFiltered {
    let mut array = |part: &str| tokens(golden, &format!("attention_{name}_{part}"));
    let [query, key, value] = ["query_output", "key_style", "value_style"].map(&mut array);
    let own = ["query_content", "key_content", "value_content"].map(&mut array);
    let expected = array("output_content");
    let own = QueryKeyValue {
        query: own[0].view(),
        key: own[1].view(),
        value: own[2].view(),
    };
    let content = self_attention(own, HEADS).unwrap();
    assert_are(&content, &expected, "the content's own attention");
    let mut classes = |map: &str| {
        let map: Array2<u8> = golden.array(map);
        token_classes(map.view(), TOKENS).unwrap()
    };
    let injected = ClassInjected {
        query: query.view(),
        style: KeyValue {
            key: key.view(),
            value: value.view(),
        },
        content: content.view(),
        heads: HEADS,
        query_classes: &classes("label_content"),
        key_classes: &classes("class_map"),
    };
    class_filtered_attention(injected, &FILTER).unwrap()
}

#[test]
fn filtered_attention_is_that_of_the_authors() {
    for name in ["plain", "peaked"] {
        let mut golden = units();
        let found = filtered(&mut golden, name);
        let output = tokens(&mut golden, &format!("attention_{name}_output"));
        assert_are(&found.output, &output, name);
        let mix: Array2<f32> = golden.array(&format!("attention_{name}_mix"));
        assert_are(&found.kept.sums, &mix, &format!("{name} sums"));
        let keep: Array2<bool> = golden.array(&format!("attention_{name}_keep"));
        let kept = keep.rows().into_iter();
        let kept: Vec<usize> = kept
            .map(|row| row.iter().filter(|&&kept| kept).count())
            .collect();
        assert_eq!(found.kept.num_kept, kept, "{name}");
    }
}

#[test]
fn the_threshold_is_that_of_the_authors_and_zero_where_most_pairs_are() {
    for (name, is_zero) in [("plain", false), ("peaked", true)] {
        let mut golden = units();
        let found = filtered(&mut golden, name).kept.threshold;
        let expected: Array1<f64> = golden.array(&format!("attention_{name}_statistics"));
        let found = [found.median, found.deviation, found.value];
        for (found, expected) in found.into_iter().zip(expected) {
            let error = (f64::from(found) - expected).abs();
            assert!(error <= 1e-5 * expected, "{name}: {found}, not {expected}");
            assert_eq!(found == 0.0, is_zero, "{name}");
        }
    }
}

fn features(golden: &mut Golden, image: &str, layer: usize) -> UnitFeatures {
    let features: Array2<f32> = golden.array(&format!("vote_features_{image}_{layer}"));
    UnitFeatures::of_tokens(features.view(), GRID).unwrap()
}

fn prototypes(golden: &mut Golden, layer: usize) -> Prototypes {
    let labels: Array2<u8> = golden.array("label_content");
    Prototypes::of(&features(golden, "content", layer), labels.view())
}

#[test]
fn prototypes_are_those_of_the_authors() {
    let mut golden = units();
    for layer in 0..3 {
        let found = prototypes(&mut golden, layer);
        let expected: Array2<f32> = golden.array(&format!("vote_prototypes_{layer}"));
        let classes = expected.slice(ndarray::s![..19, ..]).to_owned();
        assert_are(&found.vectors, &classes, &format!("layer {layer}"));
        let valid: Vec<bool> = golden.array::<bool, ndarray::Ix1>("vote_valid").to_vec();
        assert_eq!(found.are_present, valid[..19]);
        assert!(!valid[19]);
    }
}

#[test]
fn votes_the_prior_and_what_becomes_of_it_are_those_of_the_authors() {
    let mut golden = units();
    let labels: Array2<u8> = golden.array("label_content");
    let votes: [Array2<u8>; 3] = std::array::from_fn(|layer| {
        let prototypes = prototypes(&mut golden, layer);
        let features = features(&mut golden, "style", layer);
        let found = prototypes
            .vote(&features, labels.dim(), CONFIDENCE)
            .unwrap();
        let expected: Array2<u8> = golden.array(&format!("vote_map_{layer}"));
        assert_eq!(found, expected, "layer {layer}");
        found
    });
    let prior: Array2<u8> = golden.array("refine_prior");
    let found = refined(prior.view(), &votes, labels.view()).unwrap();
    assert_eq!(found, golden.array::<u8, _>("refined"));
    assert_ne!(found, prior);

    let prototypes = prototypes(&mut golden, 0);
    let style = features(&mut golden, "style", 0);
    let found = prototypes.prior(&style, labels.dim()).unwrap();
    assert_eq!(found, golden.array::<u8, _>("prior_from_features_0"));
}

#[test]
fn hybrid_adain_is_that_of_the_authors() {
    let mut golden = units();
    let latent: Array3<f32> = golden.array("adain_output");
    let labels: Array2<u8> = golden.array("adain_label_latent");
    let style: Array3<f32> = golden.array("adain_style");
    let class_map: Array2<u8> = golden.array("class_map");
    let content = LabelledLatent {
        latent: latent.view(),
        labels: labels.view(),
    };
    let style = MappedLatent {
        latent: style.view(),
        class_map: class_map.view(),
    };
    let found = HybridAdain { scale: 8.0 }.apply(content, style).unwrap();
    assert_close(&found, &golden.array("adain_result"), 1e-5, "hybrid AdaIN");
    assert_ne!(found, latent);
}
