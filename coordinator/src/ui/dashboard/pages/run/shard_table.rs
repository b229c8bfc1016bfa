//! The shards of a run as a table in pages, filtered by state and style.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::clock::passed;
use shared::ids::ShardId;

use crate::run::plan::Shard;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::format::{NOTHING, TimestampLabel, count, millis, url_encoded};
use crate::ui::dashboard::pages::grid::shard_state;
use crate::ui::dashboard::pages::parts::{Pager, range};
use crate::ui::dashboard::pages::states::{self, Badge};
use crate::work::collector::RunView;
use crate::work::collector::run_view::ShardStatus;

/// Shards on a page of the table.
const SHARDS_PER_PAGE: usize = 50;

/// A page of the filtered shards of a run.
#[derive(Debug)]
pub(super) struct ShardTable {
    pub(super) chips: Vec<StateChip>,
    pub(super) lines: Vec<ShardLine>,
    pub(super) pager: Pager,
    /// The state that is chosen; empty for all.
    pub(super) state: String,
    /// The style that is chosen; empty for all.
    pub(super) style: String,
}

/// A link that filters by a state, with the number of its shards.
#[derive(Debug)]
pub(super) struct StateChip {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) label: &'static str,
    pub(super) count: String,
    pub(super) is_empty: bool,
    pub(super) chosen: bool,
    pub(super) address: String,
}

/// A shard in the table.
#[derive(Debug)]
pub(super) struct ShardLine {
    pub(super) shard: ShardId,
    /// Whether it can be chosen to be done again.
    pub(super) can_redo: bool,
    pub(super) badge: Badge,
    pub(super) contents: String,
    pub(super) styles: String,
    pub(super) all_styles: String,
    pub(super) num_items: usize,
    pub(super) not_done: usize,
    pub(super) attempts: String,
    pub(super) worker: String,
    pub(super) took: String,
    pub(super) ended: Option<TimestampLabel>,
    /// Why it failed.
    pub(super) error: Option<String>,
}

/// Which shards are shown: those of a state and of a style, empty for all.
pub(super) struct Filter<'a> {
    pub(super) state: &'a str,
    pub(super) style: &'a str,
    pub(super) page: usize,
}

impl ShardTable {
    /// Returns whether any of the shards that are shown can be chosen.
    pub(super) fn can_redo(&self) -> bool {
        self.lines.iter().any(|line| line.can_redo)
    }

    /// Returns the page of the table that a filter asks for.
    pub(super) fn of(dashboard: &Dashboard, view: &RunView, filter: &Filter<'_>) -> Self {
        let in_hand = dashboard.live.in_hand(view.id());
        let plan = &view.run.plan;
        let style = plan
            .styles
            .iter()
            .position(|style| style.name() == filter.style);
        let mut counts: BTreeMap<ShardStatus, usize> = BTreeMap::new();
        let mut found = Vec::new();
        let of_style = |shard: &&Shard| style.is_none_or(|style| shard.styles.contains(&style));
        let mut total = 0;
        for shard in plan.shards.iter().filter(of_style) {
            let look = shard_state(view, &in_hand, shard.id);
            *counts.entry(look).or_default() += 1;
            total += 1;
            if filter.state.is_empty() || states::of_shard(look).class == filter.state {
                found.push((shard, look));
            }
        }
        let address = |state: &str| {
            format!(
                "/runs/{}?state={state}&style={}",
                view.id(),
                url_encoded(filter.style)
            )
        };
        let all = StateChip {
            class: "all",
            sign: "",
            label: "All",
            count: count(total),
            is_empty: false,
            chosen: filter.state.is_empty(),
            address: address(""),
        };
        let chips = states::SHARDS.map(|look| {
            let badge = states::of_shard(look);
            let number = counts.get(&look).copied().unwrap_or(0);
            StateChip {
                class: badge.class,
                sign: badge.sign,
                label: badge.label,
                count: count(number),
                is_empty: number == 0,
                chosen: badge.class == filter.state,
                address: address(badge.class),
            }
        });
        let address = format!("{}&page=", address(filter.state));
        let pager = Pager::new(found.len(), SHARDS_PER_PAGE, filter.page, address);
        let now = dashboard.live.now();
        let workers = workers_of(dashboard, view);
        Self {
            chips: [all].into_iter().chain(chips).collect(),
            lines: pager
                .part(&found)
                .iter()
                .map(|&(shard, look)| line(view, shard, look, &workers, now))
                .collect(),
            pager,
            state: filter.state.to_owned(),
            style: filter.style.to_owned(),
        }
    }
}

/// Returns which worker has which shard in hand.
fn workers_of(dashboard: &Dashboard, view: &RunView) -> BTreeMap<ShardId, String> {
    let workers = dashboard.live.workers().into_iter();
    workers
        .filter_map(|worker| {
            let work = worker.work.filter(|work| work.run == *view.id())?;
            Some((work.shard, worker.name))
        })
        .collect()
}

fn line(
    view: &RunView,
    shard: &Shard,
    look: ShardStatus,
    workers: &BTreeMap<ShardId, String>,
    now: Timestamp,
) -> ShardLine {
    let plan = &view.run.plan;
    let tally = view.tally.shard(shard.id);
    let failure = view.failures.of(shard.id);
    let failed = view.failed_attempts(shard.id);
    let worker = match look {
        ShardStatus::InHand => workers.get(&shard.id).map(String::as_str),
        ShardStatus::Open
        | ShardStatus::Retrying
        | ShardStatus::Done
        | ShardStatus::Quarantined
        | ShardStatus::Failed
        | ShardStatus::Damaged => tally
            .map(|tally| tally.worker.as_str())
            .or(failure.map(|failure| failure.worker.as_str())),
    };
    let took = tally.and_then(|tally| {
        let took = passed(tally.started_at?, tally.finished_at?);
        Some(millis(1000.0 * took.as_secs_f64()))
    });
    let ended = tally
        .and_then(|tally| tally.finished_at)
        .or(failure.map(|failure| failure.failed_at));
    ShardLine {
        shard: shard.id,
        can_redo: match look {
            ShardStatus::Open
            | ShardStatus::InHand
            | ShardStatus::Retrying
            | ShardStatus::Failed => true,
            ShardStatus::Done | ShardStatus::Quarantined | ShardStatus::Damaged => false,
        },
        badge: states::of_shard(look),
        contents: range(|content| plan.contents[content].name(), &shard.contents),
        styles: first_and_more(|style| plan.styles[style].name(), &shard.styles),
        all_styles: shard
            .styles
            .iter()
            .map(|&style| plan.styles[style].name())
            .collect::<Vec<_>>()
            .join(", "),
        num_items: shard.num_items(),
        not_done: tally.map_or(0, |tally| tally.counts.not_done()),
        attempts: match (failed, tally.is_some()) {
            (0, false) => NOTHING.to_owned(),
            (failed, committed) => (failed + usize::from(committed)).to_string(),
        },
        worker: worker.unwrap_or(NOTHING).to_owned(),
        took: took.unwrap_or_else(|| NOTHING.to_owned()),
        ended: ended.map(|at| TimestampLabel::new(at, now)),
        error: failure
            .or(view.failures.of_revision(shard.id))
            .map(|failure| failure.error.clone()),
    }
}

/// Returns the first of some names and how many more there are.
fn first_and_more<'a>(name: impl Fn(usize) -> &'a str, positions: &[usize]) -> String {
    match positions {
        [] => NOTHING.to_owned(),
        [one] => name(*one).to_owned(),
        [first, others @ ..] => format!("{} + {}", name(*first), others.len()),
    }
}
