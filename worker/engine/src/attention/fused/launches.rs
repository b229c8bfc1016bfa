//! What is launched for an injected layer: kernels, their programs, and their arguments by name.

use ort::value::DynValue;
use shared::model::{InjectedLayer, Precision};

use crate::attention::InjectedAttention;
use crate::cuda::Argument;
use method::filtering::{BestMatch, Exchange, Filter, Quantile, Similarity};

/// The shares of keys that are matched side by side: which key is the best does not depend on it.
pub(super) const SHARES: usize = 4;

/// How many programs a kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Programs {
    /// One for each tile of rows, and more of them, and that so many times.
    Tiles {
        /// Tiles beside those of all rows.
        more: usize,
        /// How often.
        times: usize,
    },
    /// One.
    One,
}

/// A launch of a kernel.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) kernel: String,
    pub(super) programs: Programs,
    pub(super) arguments: Vec<(&'static str, Argument<'a>)>,
}

/// Queries, keys and values on the GPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Qkv<'a> {
    pub(super) query: &'a DynValue,
    pub(super) key: &'a DynValue,
    pub(super) value: &'a DynValue,
}

/// The largest scores of queries and the totals of their weights, `(heads, tokens)` each.
#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) largest: DynValue,
    pub(super) total: DynValue,
}

/// What the launches of a filtered layer hand to each other.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) content: Statistics,
    /// Sums and keys of the best matches, `(shares, tokens)` each.
    pub(super) best_sum: DynValue,
    pub(super) best_key: DynValue,
    /// `(tokens)`
    pub(super) similarity: DynValue,
    /// The two similarities that the quantile lies between.
    pub(super) ends: DynValue,
    /// Strong positions, then the weak ones, and how many are strong.
    pub(super) positions: DynValue,
    pub(super) num_strong: DynValue,
}

/// Names the kernels of a layer and gives them what all of them take.
pub(super) struct Launches<'a> {
    layer: &'a InjectedLayer,
    precision: Precision,
    settings: InjectedAttention,
}

impl<'a> Launches<'a> {
    pub(super) fn new(
        layer: &'a InjectedLayer,
        precision: Precision,
        settings: InjectedAttention,
    ) -> Self {
        Self {
            layer,
            precision,
            settings,
        }
    }

    /// Returns the name of a kernel as contracts have it.
    fn name(&self, function: &str, width: bool) -> String {
        let dtype = match self.precision {
            Precision::Fp32 => "fp32",
            Precision::Fp16 => "fp16",
        };
        match width {
            true => format!("{function}_{}_{dtype}", self.layer.head_width),
            false => format!("{function}_{dtype}"),
        }
    }

    /// Returns the names of all kernels that the layer needs.
    pub(super) fn needed(&self) -> Vec<String> {
        let mut names = vec![self.name("statistics", true)];
        let Some(filter) = &self.settings.filter else {
            names.push(self.name("attend", true));
            return names;
        };
        names.push(self.name(matching(filter), true));
        names.push(self.name(comparing(filter), false));
        names.push(self.name("quantile", false));
        names.push(self.name("order", false));
        names.push(self.name(exchanging(filter), true));
        names
    }

    /// Log2(e) over the root of the width: scores become powers of two.
    fn factor(&self) -> Argument<'a> {
        let width = self.layer.head_width as f64;
        Argument::Number((std::f64::consts::LOG2_E / width.sqrt()) as f32)
    }

    fn of_layer(&self) -> [(&'static str, Argument<'a>); 4] {
        [
            ("tokens", Argument::Whole(self.layer.tokens)),
            ("heads", Argument::Whole(self.layer.heads)),
            ("factor", self.factor()),
            (
                "strength",
                Argument::Number(self.settings.contrast_strength),
            ),
        ]
    }

    fn by_heads(&self) -> Programs {
        Programs::Tiles {
            more: 0,
            times: self.layer.heads,
        }
    }

    pub(super) fn statistics<'b>(
        &self,
        query: &'b DynValue,
        key: &'b DynValue,
        found: &'b Statistics,
    ) -> Launch<'b>
    where
        'a: 'b,
    {
        let mut arguments = vec![
            ("query", Argument::Tensor(query)),
            ("key", Argument::Tensor(key)),
        ];
        arguments.extend(of_statistics(found));
        arguments.extend(self.of_layer());
        Launch {
            kernel: self.name("statistics", true),
            programs: self.by_heads(),
            arguments,
        }
    }

    pub(super) fn attend<'b>(
        &self,
        style: Qkv<'b>,
        statistics: &'b Statistics,
        output: &'b DynValue,
    ) -> Launch<'b>
    where
        'a: 'b,
    {
        let mut arguments = of_qkv(style);
        arguments.extend(of_statistics(statistics));
        arguments.push(("output", Argument::Tensor(output)));
        arguments.extend(self.of_layer());
        Launch {
            kernel: self.name("attend", true),
            programs: self.by_heads(),
            arguments,
        }
    }

    /// Returns the launches that find which positions are weak.
    pub(super) fn weak<'b>(
        &self,
        filter: &Filter,
        style: Qkv<'b>,
        content_value: &'b DynValue,
        statistics: &'b Statistics,
        workspace: &'b Workspace,
    ) -> [Launch<'b>; 4]
    where
        'a: 'b,
    {
        let Workspace {
            best_sum,
            best_key,
            similarity,
            ends,
            positions,
            num_strong,
            ..
        } = workspace;
        let found = [
            ("best_sum", Argument::Tensor(best_sum)),
            ("best_key", Argument::Tensor(best_key)),
        ];
        let mut of_matches = of_qkv(style);
        of_matches.extend(of_statistics(statistics));
        of_matches.extend(found);
        of_matches.extend(self.of_layer());
        let mut of_similarities = vec![
            ("content_value", Argument::Tensor(content_value)),
            ("style_value", Argument::Tensor(style.value)),
            ("similarity", Argument::Tensor(similarity)),
            ("width", Argument::Whole(self.layer.head_width)),
            ("shares", Argument::Whole(SHARES)),
        ];
        of_similarities.extend(found);
        of_similarities.extend(self.of_layer());
        let Quantile {
            below,
            above,
            share,
        } = Quantile::of(self.layer.tokens, filter.fraction);
        let tokens = ("tokens", Argument::Whole(self.layer.tokens));
        let similarity = ("similarity", Argument::Tensor(similarity));
        let ends = ("ends", Argument::Tensor(ends));
        let tiles = |times| Programs::Tiles { more: 0, times };
        [
            Launch {
                kernel: self.name(matching(filter), true),
                programs: tiles(SHARES),
                arguments: of_matches,
            },
            Launch {
                kernel: self.name(comparing(filter), false),
                programs: tiles(1),
                arguments: of_similarities,
            },
            Launch {
                kernel: self.name("quantile", false),
                programs: tiles(1),
                arguments: vec![
                    similarity,
                    ends,
                    tokens,
                    ("below", Argument::Whole(below)),
                    ("above", Argument::Whole(above)),
                ],
            },
            Launch {
                kernel: self.name("order", false),
                programs: Programs::One,
                arguments: vec![
                    similarity,
                    ends,
                    tokens,
                    ("positions", Argument::Tensor(positions)),
                    ("num_strong", Argument::Tensor(num_strong)),
                    ("share", Argument::Number(share)),
                ],
            },
        ]
    }

    pub(super) fn exchange<'b>(
        &self,
        filter: &Filter,
        [style, content]: [Qkv<'b>; 2],
        statistics: &'b Statistics,
        workspace: &'b Workspace,
        output: &'b DynValue,
    ) -> Launch<'b>
    where
        'a: 'b,
    {
        let mut arguments = of_qkv(style);
        arguments.extend(of_statistics(statistics));
        arguments.extend([
            ("content_query", Argument::Tensor(content.query)),
            ("content_key", Argument::Tensor(content.key)),
            ("content_value", Argument::Tensor(content.value)),
            (
                "content_largest",
                Argument::Tensor(&workspace.content.largest),
            ),
            ("content_total", Argument::Tensor(&workspace.content.total)),
            ("positions", Argument::Tensor(&workspace.positions)),
            ("num_strong", Argument::Tensor(&workspace.num_strong)),
            ("output", Argument::Tensor(output)),
        ]);
        arguments.extend(self.of_layer());
        // Tiles of strong queries and tiles of weak ones are one more than those of all queries at most.
        let more = match filter.exchange {
            Exchange::KeyColumns => 0,
            Exchange::QueryRows => 1,
        };
        Launch {
            kernel: self.name(exchanging(filter), true),
            programs: Programs::Tiles {
                more,
                times: self.layer.heads,
            },
            arguments,
        }
    }
}

fn of_qkv(qkv: Qkv<'_>) -> Vec<(&'static str, Argument<'_>)> {
    vec![
        ("query", Argument::Tensor(qkv.query)),
        ("key", Argument::Tensor(qkv.key)),
        ("value", Argument::Tensor(qkv.value)),
    ]
}

fn of_statistics(statistics: &Statistics) -> [(&'static str, Argument<'_>); 2] {
    [
        ("largest", Argument::Tensor(&statistics.largest)),
        ("total", Argument::Tensor(&statistics.total)),
    ]
}

fn matching(filter: &Filter) -> &'static str {
    match filter.best_match {
        BestMatch::ContrastedAttention => "best_keys_by_attention",
        BestMatch::FullWidthScores => "best_keys_by_scores",
    }
}

fn comparing(filter: &Filter) -> &'static str {
    match filter.similarity {
        Similarity::AbsoluteCosineOverHeads => "similarities_of_heads",
        Similarity::FullWidthCosine => "similarities_of_whole",
    }
}

fn exchanging(filter: &Filter) -> &'static str {
    match filter.exchange {
        Exchange::KeyColumns => "exchange_columns",
        Exchange::QueryRows => "exchange_rows",
    }
}
