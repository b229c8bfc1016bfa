//! The grid of all shards by style, so compact that ten thousand shards are a few kilobytes.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::ids::ShardId;
use shared::queue::message::ShardInHand;

use super::states::letter;
use crate::work::collector::RunView;
use crate::work::collector::run_view::ShardStatus;

/// The states of all shards, and the shards of each style.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Grid {
    /// A letter for each shard, in the order of their ids: `o`pen, in `h`and, to be `r`etried, `d`one, some
    /// `q`uarantined, `f`ailed, `x` damaged.
    states: String,
    /// The styles, in the order of the plan.
    styles: Vec<GridStyle>,
}

/// The shards of a style.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct GridStyle {
    name: String,
    /// Its shards as runs of consecutive numbers: pairs of the first one and how many there are.
    shards: Vec<(u32, u32)>,
    /// Those of its shards with items of this style that are not done.
    quarantined: Vec<u32>,
}

/// Returns the state of a shard, given the shards that workers have in hand.
pub(super) fn shard_state(
    view: &RunView,
    in_hand: &BTreeMap<ShardId, ShardInHand>,
    shard: ShardId,
) -> ShardStatus {
    match view.shard(shard) {
        ShardStatus::Open | ShardStatus::Retrying if in_hand.contains_key(&shard) => {
            ShardStatus::InHand
        }
        look => look,
    }
}

impl Grid {
    /// Returns the grid of a run, given the shards that workers have in hand.
    pub(crate) fn of(view: &RunView, in_hand: &BTreeMap<ShardId, ShardInHand>) -> Self {
        let plan = &view.run.plan;
        let states = plan
            .shards
            .iter()
            .map(|shard| letter(shard_state(view, in_hand, shard.id)))
            .collect();
        let mut styles: Vec<GridStyle> = plan
            .styles
            .iter()
            .map(|style| GridStyle {
                name: style.name().to_owned(),
                shards: Vec::new(),
                quarantined: Vec::new(),
            })
            .collect();
        for shard in &plan.shards {
            let tally = view.tally.shard(shard.id);
            for &style in &shard.styles {
                let style = &mut styles[style];
                match style.shards.last_mut() {
                    Some((first, length)) if *first + *length == shard.id.0 => *length += 1,
                    Some(_) | None => style.shards.push((shard.id.0, 1)),
                }
                if tally.is_some_and(|tally| tally.not_done.contains_key(&style.name)) {
                    style.quarantined.push(shard.id.0);
                }
            }
        }
        Self { states, styles }
    }
}
