//! The same attention slowly, in double precision and with whole matrices, to test against.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use super::Heads;
use crate::filtering::{BestMatch, Exchange, Filter, Injected, Similarity};

/// Returns the attention matrix of every head, `(query tokens, key tokens)`.
pub(crate) fn attention(
    query: ArrayView2<f32>,
    key: ArrayView2<f32>,
    heads: Heads,
    contrast_strength: Option<f32>,
) -> Vec<Array2<f64>> {
    (0..heads.num)
        .map(|head| {
            let query = columns(query, heads, head);
            let key = columns(key, heads, head);
            let mut scores = query.dot(&key.t()) / (heads.width as f64).sqrt();
            for mut row in scores.rows_mut() {
                let max = row.fold(f64::NEG_INFINITY, |max, &x| max.max(x));
                row.mapv_inplace(|x| (x - max).exp());
                let sum = row.sum();
                row.mapv_inplace(|x| x / sum);
            }
            if let Some(strength) = contrast_strength.map(f64::from) {
                let mean = 1.0 / scores.ncols() as f64;
                scores.mapv_inplace(|a| ((a - mean) * strength + mean).clamp(0.0, 1.0));
            }
            scores
        })
        .collect()
}

/// Returns every head's average of the values, side by side.
pub(crate) fn weighted(
    attention: &[Array2<f64>],
    value: ArrayView2<f32>,
    heads: Heads,
) -> Array2<f64> {
    let averages: Vec<_> = attention
        .iter()
        .enumerate()
        .map(|(head, weights)| weights.dot(&columns(value, heads, head)))
        .collect();
    let views: Vec<_> = averages.iter().map(|average| average.view()).collect();
    ndarray::concatenate(Axis(1), &views).unwrap()
}

/// The matches that filtering finds, and its output.
pub(crate) struct Filtered {
    pub(crate) best: Vec<usize>,
    pub(crate) weak: Vec<usize>,
    pub(crate) output: Array2<f64>,
}

/// Returns cross-image attention with weak positions exchanged.
pub(crate) fn filtered(
    injected: Injected<'_>,
    contrast_strength: f32,
    filter: &Filter,
) -> Filtered {
    let Injected {
        query,
        style,
        content,
        heads,
    } = injected;
    let content = content.own;
    let own = attention(content.query, content.key, heads, None);
    let mixed = attention(query, style.key, heads, Some(contrast_strength));
    let matches = match filter.best_match {
        BestMatch::ContrastedAttention => {
            let zero = Array2::zeros(mixed[0].raw_dim());
            mixed.iter().fold(zero, |sum, attention| sum + attention)
        }
        BestMatch::FullWidthScores => {
            let query = query.mapv(f64::from);
            query.dot(&style.key.mapv(f64::from).t())
        }
    };
    let best: Vec<usize> = matches
        .rows()
        .into_iter()
        .map(|row| {
            let start = (0, f64::NEG_INFINITY);
            let better = |best: (usize, f64), (k, &a): (usize, &f64)| {
                if a > best.1 { (k, a) } else { best }
            };
            row.iter().enumerate().fold(start, better).0
        })
        .collect();
    let similarity = Array1::from_shape_fn(best.len(), |q| {
        let own = content.value.row(q).mapv(f64::from);
        let matched = style.value.row(best[q]).mapv(f64::from);
        let cosine = |columns: std::ops::Range<usize>| {
            let (a, b) = (own.slice(s![columns.clone()]), matched.slice(s![columns]));
            a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
        };
        match filter.similarity {
            Similarity::AbsoluteCosineOverHeads => (0..heads.num)
                .map(|head| cosine(head * heads.width..(head + 1) * heads.width).abs())
                .sum(),
            Similarity::FullWidthCosine => cosine(0..own.len()),
        }
    });
    let threshold = quantile(&similarity, f64::from(filter.fraction));
    let weak: Vec<bool> = similarity.iter().map(|&s| s < threshold).collect();
    let output = match filter.exchange {
        Exchange::KeyColumns => {
            let kept = |weak_ones: bool, attention: &[Array2<f64>]| -> Vec<_> {
                let mut attention = attention.to_vec();
                for matrix in &mut attention {
                    for (mut column, &weak) in matrix.columns_mut().into_iter().zip(&weak) {
                        if weak != weak_ones {
                            column.fill(0.0);
                        }
                    }
                }
                attention
            };
            weighted(&kept(false, &mixed), style.value, heads)
                + weighted(&kept(true, &own), content.value, heads)
        }
        Exchange::QueryRows => {
            let mut output = weighted(&mixed, style.value, heads);
            let own = weighted(&own, content.value, heads);
            for (q, _) in weak.iter().enumerate().filter(|&(_, &weak)| weak) {
                output.row_mut(q).assign(&own.row(q));
            }
            output
        }
    };
    let weak = (0..best.len()).filter(|&position| weak[position]).collect();
    Filtered { best, weak, output }
}

fn quantile(values: &Array1<f64>, fraction: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = fraction * (sorted.len() - 1) as f64;
    let below = sorted[position.floor() as usize];
    let above = sorted[position.ceil() as usize];
    below + (above - below) * position.fract()
}

fn columns(array: ArrayView2<f32>, heads: Heads, head: usize) -> Array2<f64> {
    let first = head * heads.width;
    array
        .slice(s![.., first..first + heads.width])
        .mapv(f64::from)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;
    use crate::attention::{KeyValue, QueryKeyValue, cross_image_attention, self_attention};
    use crate::filtering::{filtered_attention, find_matches};
    use crate::noise::standard_normal;

    /// Shapes around the bounds of tiles and vectors.
    const SHAPES: [(usize, Heads); 8] = [
        (1, Heads::of(1, 1)),
        (17, Heads::of(3, 5)),
        (64, Heads::of(2, 16)),
        (130, Heads::of(8, 40)),
        (162, Heads::of(4, 24)),
        (257, Heads::of(2, 80)),
        (530, Heads::of(2, 56)),
        (100, Heads::of(2, 260)),
    ];

    fn random(seed: u64, name: &str, tokens: usize, heads: Heads) -> Array2<f32> {
        let columns = heads.num * heads.width;
        let draws = standard_normal(seed, name, 0, (1, tokens, columns));
        draws.into_shape_with_order((tokens, columns)).unwrap()
    }

    fn assert_close(found: &Array2<f32>, expected: &Array2<f64>, what: &str) {
        assert_eq!(found.dim(), expected.dim(), "{what}");
        let differences = found.mapv(f64::from) - expected;
        let worst = differences.fold(0.0, |worst: f64, x| worst.max(x.abs()));
        assert!(worst < 1e-5, "{what}: {worst:e}");
    }

    #[test]
    fn attention_is_that_of_whole_matrices() {
        for (seed, (tokens, heads)) in SHAPES.into_iter().enumerate() {
            let seed = seed as u64;
            let what = format!("seed {seed}, {tokens} tokens, {heads:?}");
            // More keys than queries, and sharper than noise alone.
            let query = random(seed, "query", tokens, heads) * 3.0;
            let key = random(seed, "key", 2 * tokens, heads);
            let value = random(seed, "value", 2 * tokens, heads);
            let input = QueryKeyValue {
                query: query.view(),
                key: key.view(),
                value: value.view(),
            };
            let own = attention(input.query, input.key, heads, None);
            let expected = weighted(&own, input.value, heads);
            assert_close(&self_attention(input, heads).unwrap(), &expected, &what);

            let mixed = attention(input.query, input.key, heads, Some(1.67));
            let expected = weighted(&mixed, input.value, heads);
            let found = cross_image_attention(input.query, input.key_value(), heads, 1.67);
            assert_close(&found.unwrap(), &expected, &what);
        }
    }

    // As wide as a VAE's one head. Queries are not made sharper: single precision rounds scores of 512 columns more.
    #[test]
    fn attention_of_one_wide_head_is_that_of_whole_matrices() {
        let heads = Heads::of(1, 512);
        let arrays = ["query", "key", "value"].map(|name| random(8, name, 210, heads));
        let [query, key, value] = &arrays;
        let input = QueryKeyValue {
            query: query.view(),
            key: key.view(),
            value: value.view(),
        };
        let own = attention(input.query, input.key, heads, None);
        let expected = weighted(&own, input.value, heads);
        let found = self_attention(input, heads).unwrap();
        assert_close(&found, &expected, "seed 8");
    }

    #[test]
    fn a_row_of_attention_sums_to_one_whatever_its_length() {
        let heads = Heads::of(1, 8);
        let query = random(5, "query", 7, heads) * 3.0;
        for num_keys in [1, 3, 63, 64, 65, 511, 512, 513, 1000, 1025] {
            let key = random(5, "key", num_keys, heads);
            let value = Array2::ones(key.raw_dim());
            let input = QueryKeyValue {
                query: query.view(),
                key: key.view(),
                value: value.view(),
            };
            for sum in self_attention(input, heads).unwrap() {
                assert!((sum - 1.0).abs() < 1e-5, "{num_keys}: {sum}");
            }
        }
    }

    #[test]
    fn filtered_attention_is_that_of_whole_matrices() {
        for (seed, (tokens, heads)) in SHAPES.into_iter().enumerate() {
            let seed = seed as u64;
            let arrays =
                ["qo", "ks", "vs", "qc", "kc", "vc"].map(|name| random(seed, name, tokens, heads));
            let [query_output, key_style, value_style, query, key, value] = &arrays;
            let query_output = query_output * 2.0;
            let style = KeyValue {
                key: key_style.view(),
                value: value_style.view(),
            };
            let content = QueryKeyValue {
                query: query.view(),
                key: key.view(),
                value: value.view(),
            };
            let injected = Injected {
                query: query_output.view(),
                style,
                content: content.into(),
                heads,
            };
            for filter in all_filters() {
                let what = format!("seed {seed}, {tokens} tokens, {heads:?}, {filter:?}");
                let found = filtered_attention(injected, 1.67, &filter);
                let expected = filtered(injected, 1.67, &filter);
                assert_close(&found.unwrap(), &expected.output, &what);

                let matches = find_matches(injected, 1.67, &filter).unwrap();
                assert_eq!(matches.best, expected.best, "{what}");
                assert_eq!(matches.weak, expected.weak, "{what}");
            }
        }
    }

    fn all_filters() -> Vec<Filter> {
        let mut filters = Vec::new();
        for fraction in [0.0, 0.25, 0.6, 1.0] {
            for exchange in [Exchange::KeyColumns, Exchange::QueryRows] {
                for best_match in [BestMatch::ContrastedAttention, BestMatch::FullWidthScores] {
                    for similarity in [
                        Similarity::AbsoluteCosineOverHeads,
                        Similarity::FullWidthCosine,
                    ] {
                        filters.push(Filter {
                            fraction,
                            exchange,
                            best_match,
                            similarity,
                        });
                    }
                }
            }
        }
        filters
    }

    #[test]
    fn arrays_of_any_strides_give_the_same_attention() {
        let heads = Heads::of(2, 8);
        let wide = random(3, "wide", 70, Heads::of(6, 8));
        let parts = [0..16, 16..32, 32..48].map(|columns| wide.slice(s![.., columns]));
        let [query, key, value] = parts;
        let strided = QueryKeyValue { query, key, value };
        let copies = [query, key, value].map(|array| array.to_owned());
        let contiguous = QueryKeyValue {
            query: copies[0].view(),
            key: copies[1].view(),
            value: copies[2].view(),
        };
        assert_eq!(
            self_attention(strided, heads).unwrap(),
            self_attention(contiguous, heads).unwrap()
        );
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_byte() {
        let heads = Heads::of(4, 24);
        let arrays = ["a", "b", "c"].map(|name| random(9, name, 300, heads));
        let [query, key, value] = &arrays;
        let input = QueryKeyValue {
            query: query.view(),
            key: key.view(),
            value: value.view(),
        };
        let filter = all_filters()[0];
        let with_threads = |num_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads);
            pool.build().unwrap().install(|| {
                let injected = Injected {
                    query: query.view(),
                    style: input.key_value(),
                    content: input.into(),
                    heads,
                };
                filtered_attention(injected, 1.67, &filter).unwrap()
            })
        };
        assert_eq!(with_threads(1), with_threads(5));
    }

    #[test]
    fn arrays_that_do_not_fit_are_refused() {
        let heads = Heads::of(2, 8);
        let right = random(1, "right", 10, heads);
        let narrow = random(1, "narrow", 10, Heads::of(1, 8));
        let short = random(1, "short", 9, heads);
        let with = |query: &Array2<f32>, key: &Array2<f32>, value: &Array2<f32>| {
            let input = QueryKeyValue {
                query: query.view(),
                key: key.view(),
                value: value.view(),
            };
            self_attention(input, heads).unwrap_err().to_string()
        };
        assert_eq!(
            with(&right, &narrow, &right),
            "key has 8 columns, 16 are needed"
        );
        assert_eq!(
            with(&right, &right, &short),
            "value has 9 tokens, 10 are needed"
        );
        let empty = Array2::zeros((0, 16));
        assert_eq!(
            with(&empty, &right, &right),
            "attention of 0 tokens with 2 heads of width 8 is empty"
        );
    }
}
