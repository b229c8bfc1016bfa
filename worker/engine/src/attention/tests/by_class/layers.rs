//! Layers that are filtered by class, and how far what comes out of two kernels may be apart.

use half::f16;
use method::class_filter::{ClassFilter, KeptPairs};
use method::noise::standard_normal;
use ndarray::{Array2, s};
use shared::model::{InjectedLayer, Precision};

use super::{FILTER, UNKNOWN};
use crate::attention::tests::{CONTRAST_STRENGTH, assert_agree, layer_of, numbers};
use crate::attention::{AttentionKernel, ClassTensors, StyleLayer};
use crate::tensor;

/// How far scores of single precision are from those of double precision, as a share of the threshold.
const ROUNDING: f64 = 2e-5;
/// The same of a score whose threshold is 0, which is one beside a clip.
const ROUNDING_OF_ZERO: f64 = 1e-6;

/// A layer that is filtered by class.
#[derive(Clone)]
pub(super) struct Classed {
    pub(super) layer: InjectedLayer,
    pub(super) query: Array2<f32>,
    pub(super) key: Array2<f32>,
    pub(super) value: Array2<f32>,
    /// The content's attention to itself.
    pub(super) content: Array2<f32>,
    pub(super) query_classes: Vec<u8>,
    pub(super) key_classes: Vec<u8>,
}

/// What comes out.
pub(super) struct Found {
    pub(super) output: Array2<f32>,
    pub(super) kept: KeptPairs,
}

impl Classed {
    /// Returns noise, `peaks` times as far from 0 in queries.
    pub(super) fn drawn(tokens: usize, heads: usize, width: usize, peaks: f32) -> Self {
        let columns = heads * width;
        let draw = |name: &str, columns: usize| -> Array2<f32> {
            let draws = standard_normal(11, name, 0, (1, tokens, columns));
            draws.into_shape_with_order((tokens, columns)).unwrap()
        };
        let [query_classes, key_classes] = ["query classes", "key classes"].map(|name| {
            let class = |x: &f32| if *x > 1.0 { UNKNOWN } else { (4.0 + x) as u8 };
            draw(name, 1).iter().map(class).collect()
        });
        Self {
            layer: InjectedLayer {
                tokens,
                ..layer_of(heads, width)
            },
            query: draw("query", columns) * peaks,
            key: draw("key", columns),
            value: draw("value", columns),
            content: draw("content", columns),
            query_classes,
            key_classes,
        }
    }

    /// Returns numbers that half precision has.
    pub(super) fn of_halves(self) -> Self {
        let halves = |tokens: Array2<f32>| tokens.mapv(|number| f16::from_f32(number).to_f32());
        Self {
            query: halves(self.query),
            key: halves(self.key),
            value: halves(self.value),
            content: halves(self.content),
            ..self
        }
    }

    pub(super) fn attend(&self, kernel: &mut dyn AttentionKernel, precision: Precision) -> Found {
        self.attend_by(kernel, &FILTER, precision)
    }

    pub(super) fn attend_by(
        &self,
        kernel: &mut dyn AttentionKernel,
        filter: &ClassFilter,
        precision: Precision,
    ) -> Found {
        let (output, kept) = self.asked(kernel, filter, precision, true);
        Found {
            output,
            kept: kept.unwrap(),
        }
    }

    pub(super) fn asked(
        &self,
        kernel: &mut dyn AttentionKernel,
        filter: &ClassFilter,
        precision: Precision,
        reads_kept: bool,
    ) -> (Array2<f32>, Option<KeptPairs>) {
        let tensor = |tokens: &Array2<f32>| tensor::from_tokens(tokens.clone(), precision).unwrap();
        let style = StyleLayer {
            key: tensor(&self.key),
            value: tensor(&self.value),
            input: None,
        };
        let tensors = ClassTensors {
            query: &tensor(&self.query),
            style: &style,
            content: &tensor(&self.content),
            query_classes: &self.query_classes,
            key_classes: &self.key_classes,
            reads_kept,
        };
        let made = kernel.class_filtered_attention(&self.layer, &tensors, filter);
        let (output, kept) = made.unwrap();
        (numbers(&output), kept)
    }

    /// Returns contrasted attention in double precision, not yet clipped, of each head.
    fn unclipped(&self) -> Vec<Array2<f64>> {
        let InjectedLayer {
            tokens,
            heads,
            head_width,
            ..
        } = self.layer;
        let (query, key) = (self.query.mapv(f64::from), self.key.mapv(f64::from));
        let of_head = |head: usize| {
            let columns = s![.., head * head_width..(head + 1) * head_width];
            let scores = query.slice(columns).dot(&key.slice(columns).t());
            let mut attention = scores / (head_width as f64).sqrt();
            for mut row in attention.rows_mut() {
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                row.mapv_inplace(|score| (score - largest).exp());
                let sum = row.sum();
                let mean = 1.0 / tokens as f64;
                row.mapv_inplace(|x| (x / sum - mean) * f64::from(CONTRAST_STRENGTH) + mean);
            }
            attention
        };
        (0..heads).map(of_head).collect()
    }

    /// Returns for each query how many keys of its class have a score within rounding of the threshold.
    fn num_near(&self, threshold: f32) -> Vec<usize> {
        let heads = self.unclipped();
        let threshold = f64::from(threshold);
        let is_near = |query: usize, key: usize| {
            let of_heads = heads.iter().map(|head| head[(query, key)]);
            if threshold == 0.0 {
                return of_heads.fold(f64::NEG_INFINITY, f64::max).abs() < ROUNDING_OF_ZERO;
            }
            let score = of_heads.map(|x| x.clamp(0.0, 1.0)).sum::<f64>() / heads.len() as f64;
            (score - threshold).abs() < ROUNDING * threshold
        };
        let of_query = |query: usize| {
            let class = self.query_classes[query];
            let keys = 0..self.layer.tokens;
            let of_class = keys.filter(|&key| class != UNKNOWN && self.key_classes[key] == class);
            of_class.filter(|&key| is_near(query, key)).count()
        };
        (0..self.layer.tokens).map(of_query).collect()
    }

    /// Asserts that two kernels agree, but for pairs within rounding of the threshold.
    pub(super) fn assert_same(&self, host: &Found, graph: &Found, tolerance: f32, what: &str) {
        let (of_host, of_graph) = (&host.kept.threshold, &graph.kept.threshold);
        for (host, graph) in [
            (of_host.median, of_graph.median),
            (of_host.deviation, of_graph.deviation),
            (of_host.value, of_graph.value),
        ] {
            let apart = (host - graph).abs();
            assert!(apart <= 1e-5 * host, "{what}: {of_host:?}, {of_graph:?}");
        }
        assert_eq!(
            host.kept.num_of_one_class, graph.kept.num_of_one_class,
            "{what}"
        );
        let near = self.num_near(of_host.value);
        let num_near = near.iter().filter(|&&num| num > 0).count();
        assert!(
            10 * num_near <= self.layer.tokens,
            "{what}: {num_near} near"
        );
        let heads = self.layer.heads as f32;
        let furthest = self.value.iter().chain(&self.content);
        let furthest = furthest.fold(0.0_f32, |most, number| most.max(number.abs()));
        for (query, &near) in near.iter().enumerate() {
            let [of_host, of_graph] = [host, graph].map(|found| found.kept.num_kept[query]);
            assert!(
                of_host.abs_diff(of_graph) <= near,
                "{what}: query {query} keeps {of_host} and {of_graph}, {near} near"
            );
            // A pair moves as much as it has attention, which is the threshold times all heads at most.
            let moved = 1.1 * near as f32 * heads * host.kept.threshold.value;
            let row = |found: &Found| found.output.slice(s![query..=query, ..]).to_owned();
            let most = tolerance + 2.0 * furthest * moved;
            assert_agree(&row(host), &row(graph), most, what);
            let sums = |found: &Found| found.kept.sums.slice(s![.., query..=query]).to_owned();
            assert_agree(&sums(host), &sums(graph), 1e-5 + moved, what);
        }
    }
}
