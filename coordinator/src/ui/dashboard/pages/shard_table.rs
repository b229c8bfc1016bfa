//! The shards of a run as a list in pages, with filters.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::clock::passed;
use shared::ids::ShardId;

use super::grid::look;
use super::parts::Pager;
use super::states::{self, Badge};
use crate::run::plan::Shard;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::encoded;
use crate::ui::dashboard::format::{Moment, NOTHING, count, millis};
use crate::work::collector::RunView;
use crate::work::collector::run_view::ShardStatus;

const PAGE_LENGTH: usize = 50;

/// Shards of a run, filtered, a page of them.
#[derive(Debug)]
pub(super) struct ShardTable {
    pub(super) filters: Vec<Filter>,
    pub(super) lines: Vec<ShardLine>,
    pub(super) pager: Pager,
    /// The state that is chosen; empty for all.
    pub(super) state: String,
    /// The style that is chosen; empty for all.
    pub(super) style: String,
}

/// A choice of a state.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) label: &'static str,
    pub(super) count: String,
    pub(super) is_empty: bool,
    pub(super) chosen: bool,
    pub(super) address: String,
}

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
    pub(super) ended: Option<Moment>,
    /// Why it failed.
    pub(super) error: Option<String>,
}

/// What somebody wants to see.
pub(super) struct Wanted<'a> {
    pub(super) state: &'a str,
    pub(super) style: &'a str,
    pub(super) page: usize,
}

impl ShardTable {
    /// Returns whether any of the shards that are shown can be chosen.
    pub(super) fn can_redo(&self) -> bool {
        self.lines.iter().any(|line| line.can_redo)
    }

    pub(super) fn of(dashboard: &Dashboard, view: &RunView, wanted: &Wanted<'_>) -> Self {
        let in_hand = dashboard.live.in_hand(view.id());
        let plan = &view.run.plan;
        let style = plan
            .styles
            .iter()
            .position(|style| style.name() == wanted.style);
        let mut counts: BTreeMap<ShardStatus, usize> = BTreeMap::new();
        let mut found = Vec::new();
        let of_style = |shard: &&Shard| style.is_none_or(|style| shard.styles.contains(&style));
        let mut total = 0;
        for shard in plan.shards.iter().filter(of_style) {
            let look = look(view, &in_hand, shard.id);
            *counts.entry(look).or_default() += 1;
            total += 1;
            if wanted.state.is_empty() || states::of_shard(look).class == wanted.state {
                found.push((shard, look));
            }
        }
        let address = |state: &str| {
            format!(
                "/runs/{}?state={state}&style={}",
                view.id(),
                encoded(wanted.style)
            )
        };
        let all = Filter {
            class: "all",
            sign: "",
            label: "All",
            count: count(total),
            is_empty: false,
            chosen: wanted.state.is_empty(),
            address: address(""),
        };
        let filters = states::SHARDS.map(|look| {
            let badge = states::of_shard(look);
            let number = counts.get(&look).copied().unwrap_or_default();
            Filter {
                class: badge.class,
                sign: badge.sign,
                label: badge.label,
                count: count(number),
                is_empty: number == 0,
                chosen: badge.class == wanted.state,
                address: address(badge.class),
            }
        });
        let address = format!("{}&page=", address(wanted.state));
        let pager = Pager::new(found.len(), PAGE_LENGTH, wanted.page, address);
        let now = dashboard.live.now();
        let workers = workers_of(dashboard, view);
        Self {
            filters: [all].into_iter().chain(filters).collect(),
            lines: pager
                .part(&found)
                .iter()
                .map(|&(shard, look)| line(view, shard, look, &workers, now))
                .collect(),
            pager,
            state: wanted.state.to_owned(),
            style: wanted.style.to_owned(),
        }
    }
}

/// Returns who has which shard in hand.
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
        styles: some(|style| plan.styles[style].name(), &shard.styles),
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
        ended: ended.map(|at| Moment::new(at, now)),
        error: failure
            .or(view.failures.of_revision(shard.id))
            .map(|failure| failure.error.clone()),
    }
}

/// Returns the first of some names and how many others there are.
fn some<'a>(name: impl Fn(usize) -> &'a str, positions: &[usize]) -> String {
    match positions {
        [] => NOTHING.to_owned(),
        [one] => name(*one).to_owned(),
        [first, others @ ..] => format!("{} + {}", name(*first), others.len()),
    }
}

/// Returns the first and the last of some names.
pub(super) fn range<'a>(name: impl Fn(usize) -> &'a str, positions: &[usize]) -> String {
    let name = |&position: &usize| name(position);
    match positions {
        [] => NOTHING.to_owned(),
        [one] => name(one).to_owned(),
        [first, second] => format!("{}, {}", name(first), name(second)),
        [first, .., last] => format!("{} … {}", name(first), name(last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_told_by_the_first_and_the_last() {
        let names = ["a", "b", "c", "d"];
        let range = |positions: &[usize]| range(|position| names[position], positions);
        assert_eq!(range(&[1]), "b");
        assert_eq!(range(&[0, 3]), "a, d");
        assert_eq!(range(&[0, 1, 3]), "a … d");
        assert_eq!(range(&[]), NOTHING);
    }
}
