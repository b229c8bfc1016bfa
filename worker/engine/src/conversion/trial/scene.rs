//! What the trial computes with: seeded noise, such that a filter's decisions are none that rounding could turn.
//!
//! The query of a position is the style's key at the mirrored one, so that this is its best match in every head. There, the
//! first positions show something else than the style, and all others about the same: a position is weak if it is one of
//! the first, as many as lie below the filter's quantile.
//!
//! A filter by class has a threshold among the scores of all pairs, some of which are always within rounding of it. So few
//! positions show a class, and of their pairs none is. All other pairs still make the threshold.

use ndarray::{Array2, Array3, Axis, s};
use ort::value::DynValue;

use crate::attention::{ClassTensors, ContentLayer, LayerTensors, StyleLayer};
use crate::tensor;
use method::filtering::{Filter, Quantile};
use method::noise::standard_normal;
use shared::dataset::classes::NUM_CLASSES;
use shared::model::{ImageSize, InjectedLayer, Precision};

/// Of all noise of trials.
const SEED: u64 = u64::from_le_bytes(*b"s2rtrial");
/// The score of a position and its match: attention has peaks, and most of it is beside them.
const SCORE_OF_MATCH: f32 = 8.0;
/// How far values of the content are off those of the style where they show about the same.
const UNLIKENESS: f32 = 0.1;
/// A position's attention to its match is as that to so much of all others, where it is filtered by class: more would leave
/// nothing to most pairs of a small layer, and so make their median 0.
const SHARE_OF_MATCH: f32 = 0.125;
/// The most positions that show a class.
const MOST_WITH_CLASS: usize = 512;
/// One position of so many shows no class.
const UNKNOWN_OF: usize = 7;
/// Any number from that of classes on is none.
const UNKNOWN: u8 = u8::MAX;
/// How large the content's attention to itself is: where nothing is injected it is all there is, and what is wrong elsewhere
/// must not be small beside it.
const SHARE_OF_CONTENT: f32 = 0.1;
/// Pixels of an image of one colour, in each direction: photographs are no noise of single pixels.
const PATCH: usize = 8;

/// The tensors of an injected layer.
pub(super) struct Scene {
    pub(super) content: ContentLayer,
    /// The query of the output.
    pub(super) query: DynValue,
    pub(super) style: StyleLayer,
}

impl Scene {
    pub(super) fn new(
        layer: &InjectedLayer,
        filter: Option<&Filter>,
        precision: Precision,
    ) -> ort::Result<Self> {
        let (tokens, columns) = (layer.tokens, layer.heads * layer.head_width);
        let drawn = |name: &str| {
            let draws = draw(name, (1, tokens, columns)).index_axis_move(Axis(0), 0);
            with_even_heads(draws, layer.head_width)
        };
        let query_of = |keys: &Array2<f32>| scored(keys, layer.head_width, SCORE_OF_MATCH);
        let (own_key, style_key) = (drawn("own key"), drawn("style key"));
        let style_value = drawn("style value");
        let shown = mirrored(&style_value);
        let mut own_value = &shown + &(drawn("own value") * UNLIKENESS);
        let unlike = without(drawn("something else"), &shown, layer.head_width);
        let num_weak = filter.map_or(0, |filter| num_weak(tokens, filter.fraction));
        for position in 0..num_weak {
            own_value.row_mut(position).assign(&unlike.row(position));
        }
        let tensor = |tokens| tensor::from_tokens(tokens, precision);
        Ok(Self {
            query: tensor(query_of(&style_key))?,
            content: ContentLayer {
                tensors: LayerTensors {
                    query: tensor(query_of(&own_key))?,
                    key: tensor(own_key)?,
                    value: tensor(own_value)?,
                    input: None,
                },
                softmax_stats: None,
            },
            style: StyleLayer {
                key: tensor(style_key)?,
                value: tensor(style_value)?,
                input: None,
            },
        })
    }
}

/// The classes of a scene and what else a filter by class needs.
pub(super) struct Classes {
    /// The query of the output.
    query: DynValue,
    /// The attention of the content to itself.
    attended: DynValue,
    query_classes: Vec<u8>,
    key_classes: Vec<u8>,
}

impl Classes {
    /// Returns classes of a few queries, and the same of their best matches.
    pub(super) fn new(
        layer: &InjectedLayer,
        scene: &Scene,
        precision: Precision,
    ) -> ort::Result<Self> {
        let (tokens, columns) = (layer.tokens, layer.heads * layer.head_width);
        let apart = tokens.div_ceil(MOST_WITH_CLASS);
        let class = |position: usize| match (position % apart, position / apart) {
            (0, place) if place % UNKNOWN_OF != 0 => (place % NUM_CLASSES) as u8,
            _ => UNKNOWN,
        };
        let query_classes: Vec<u8> = (0..tokens).map(class).collect();
        let key_classes = query_classes.iter().rev().copied().collect();
        let score = (SHARE_OF_MATCH * tokens as f32).ln().max(1.0);
        let style_key = tensor::tokens(&scene.style.key)?.into_owned();
        let query = scored(&style_key, layer.head_width, score);
        let attended = draw("attended", (1, tokens, columns)).index_axis_move(Axis(0), 0);
        Ok(Self {
            query: tensor::from_tokens(query, precision)?,
            attended: tensor::from_tokens(attended * SHARE_OF_CONTENT, precision)?,
            query_classes,
            key_classes,
        })
    }

    pub(super) fn tensors<'a>(&'a self, scene: &'a Scene) -> ClassTensors<'a> {
        ClassTensors {
            query: &self.query,
            style: &scene.style,
            content: &self.attended,
            query_classes: &self.query_classes,
            key_classes: &self.key_classes,
            reads_kept: false,
        }
    }
}

/// Returns noise of a name.
pub(super) fn draw(name: &str, shape: (usize, usize, usize)) -> Array3<f32> {
    standard_normal(SEED, &format!("trial/{name}"), 0, shape)
}

/// Returns an image `(3, height, width)` in -1..1.
pub(super) fn image(size: ImageSize) -> Array3<f32> {
    let patches = (size.height.div_ceil(PATCH), size.width.div_ceil(PATCH));
    let colours = draw("image", (3, patches.0, patches.1));
    Array3::from_shape_fn((3, size.height, size.width), |(channel, row, column)| {
        (0.5 * colours[(channel, row / PATCH, column / PATCH)]).clamp(-1.0, 1.0)
    })
}

/// Returns how many positions lie below a quantile.
fn num_weak(tokens: usize, fraction: f32) -> usize {
    let Quantile { below, share, .. } = Quantile::of(tokens, fraction);
    if share > 0.0 { below + 1 } else { below }
}

/// Returns queries of which each has a score with the mirrored one of some keys, whose heads are even.
fn scored(keys: &Array2<f32>, width: usize, score: f32) -> Array2<f32> {
    mirrored(keys) * (score / (width as f32).sqrt())
}

/// Returns the rows in reversed order.
fn mirrored(tokens: &Array2<f32>) -> Array2<f32> {
    let mirrored = tokens.slice(s![..;-1, ..]);
    mirrored.as_standard_layout().into_owned()
}

/// Returns tokens of which each head has the same norm, that of as many ones.
fn with_even_heads(mut tokens: Array2<f32>, width: usize) -> Array2<f32> {
    for mut row in tokens.rows_mut() {
        for mut head in row.exact_chunks_mut(width) {
            let norm = head
                .iter()
                .map(|number| number * number)
                .sum::<f32>()
                .sqrt();
            let factor = (width as f32).sqrt() / norm.max(f32::MIN_POSITIVE);
            head.mapv_inplace(|number| number * factor);
        }
    }
    tokens
}

/// Returns tokens without what each head has of that of others.
fn without(mut tokens: Array2<f32>, others: &Array2<f32>, width: usize) -> Array2<f32> {
    for (mut row, other) in tokens.rows_mut().into_iter().zip(others.rows()) {
        let heads = row.exact_chunks_mut(width).into_iter();
        for (mut head, other) in heads.zip(other.exact_chunks(width)) {
            let products = head.iter().zip(other.iter());
            let product: f32 = products.map(|(one, other)| one * other).sum();
            let square: f32 = other.iter().map(|number| number * number).sum();
            let share = product / square.max(f32::MIN_POSITIVE);
            for (number, other) in head.iter_mut().zip(other.iter()) {
                *number -= share * other;
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::host::HostAttention;
    use crate::attention::{AttentionKernel as _, InjectedAttention};
    use crate::runtime::Runtime;
    use method::attention::{Heads, KeyValue, QueryKeyValue};
    use method::class_filter::ClassFilter;
    use method::filtering::{BestMatch, Exchange, Injected, Similarity, find_matches};
    use shared::settings::EngineConfig;

    fn layer(tokens: usize, head_width: usize) -> InjectedLayer {
        InjectedLayer {
            name: "a layer".to_owned(),
            tokens,
            heads: 4,
            head_width,
            query: "query".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
            input: None,
            output: "output".to_owned(),
        }
    }

    #[test]
    fn no_rounding_turns_a_best_match_or_a_weak_position() {
        let _runtime = Runtime::load(&EngineConfig::default()).unwrap();
        for (tokens, width) in [(96, 4), (130, 8), (96, 40)] {
            for similarity in [
                Similarity::AbsoluteCosineOverHeads,
                Similarity::FullWidthCosine,
            ] {
                for best_match in [BestMatch::ContrastedAttention, BestMatch::FullWidthScores] {
                    for fraction in [0.0, 0.25, 0.5, 1.0] {
                        let filter = Filter {
                            fraction,
                            exchange: Exchange::KeyColumns,
                            best_match,
                            similarity,
                        };
                        assert_clear(&layer(tokens, width), &filter);
                    }
                }
            }
        }
    }

    fn assert_clear(layer: &InjectedLayer, filter: &Filter) {
        let scene = Scene::new(layer, Some(filter), Precision::Fp16).unwrap();
        let own = &scene.content.tensors;
        let [query, style_key, style_value, own_query, own_key, own_value] = [
            &scene.query,
            &scene.style.key,
            &scene.style.value,
            &own.query,
            &own.key,
            &own.value,
        ]
        .map(|tensor| tensor::tokens(tensor).unwrap());
        let injected = Injected {
            query: query.view(),
            style: KeyValue {
                key: style_key.view(),
                value: style_value.view(),
            },
            content: QueryKeyValue {
                query: own_query.view(),
                key: own_key.view(),
                value: own_value.view(),
            }
            .into(),
            heads: Heads::of(layer.heads, layer.head_width),
        };
        let matches = find_matches(injected, 1.67, filter).unwrap();
        let tokens = layer.tokens;
        let mirrored: Vec<usize> = (0..tokens).rev().collect();
        assert_eq!(matches.best, mirrored, "{filter:?}");
        let num_weak = num_weak(tokens, filter.fraction);
        assert_eq!(
            matches.weak,
            (0..num_weak).collect::<Vec<_>>(),
            "{filter:?}"
        );
        let (weak, strong) = matches.similarity.split_at(num_weak);
        let largest = weak.iter().fold(0.0_f32, |most, one| most.max(one.abs()));
        let smallest = strong.iter().fold(f32::MAX, |least, one| least.min(*one));
        assert!(largest < 0.01 && smallest > 0.9, "{largest} {smallest}");
    }
    /// A threshold that is a little lower or higher keeps the same pairs.
    #[test]
    fn no_rounding_turns_a_strong_pair_of_one_class() {
        let _runtime = Runtime::load(&EngineConfig::default()).unwrap();
        let how = InjectedAttention {
            contrast_strength: 1.67,
            filter: None,
        };
        for (tokens, width) in [(96, 24), (128, 24), (512, 24), (1100, 8)] {
            let layer = layer(tokens, width);
            let scene = Scene::new(&layer, None, Precision::Fp16).unwrap();
            let classes = Classes::new(&layer, &scene, Precision::Fp16).unwrap();
            let tensors = ClassTensors {
                reads_kept: true,
                ..classes.tensors(&scene)
            };
            let num_kept = [0.9999_f32, 1.0, 1.0001].map(|about| {
                let filter = ClassFilter {
                    contrast_strength: 1.67,
                    threshold_lambda: 2.0 * about,
                };
                let mut host = HostAttention::new(Precision::Fp32, how);
                let made = host.class_filtered_attention(&layer, &tensors, &filter);
                let kept = made.unwrap().1.unwrap();
                assert!(kept.threshold.value > 0.0);
                kept.num_kept
            });
            assert_eq!(num_kept[0], num_kept[1], "{tokens} tokens of {width}");
            assert_eq!(num_kept[1], num_kept[2], "{tokens} tokens of {width}");
            let classes = classes.query_classes.iter();
            for (num, class) in num_kept[1].iter().zip(classes) {
                assert_eq!(*num > 0, *class != UNKNOWN, "{tokens}: {num} of {class}");
            }
        }
    }
}
