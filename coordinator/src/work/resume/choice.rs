//! Which shards are wanted, by styles and shards that the run must have.

use std::collections::BTreeSet;

use shared::ids::ShardId;

use super::{Quarantined, ResumeError};
use crate::run::freeze::FrozenRun;
use crate::run::plan::Shard;

/// Which shards are wanted to be done again.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only those that were never finished, or only those that failed.
    pub only: Option<Only>,
    /// Only those with one of these styles; all if empty.
    pub styles: Vec<String>,
    /// Only these; all if empty.
    pub shards: Vec<ShardId>,
}

/// A kind of shards, or of items of committed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// Not committed, or committed with artifacts missing.
    Missing,
    /// Failed for good.
    Failed,
    /// Committed, with items that are quarantined.
    Quarantined(Quarantined),
}

/// A choice whose names exist.
pub(super) struct Chosen {
    styles: Option<BTreeSet<usize>>,
    shards: Option<BTreeSet<ShardId>>,
}

impl Chosen {
    pub(super) fn check(run: &FrozenRun, choice: &Choice) -> Result<Self, ResumeError> {
        let unknown = |what: String| ResumeError::Unknown {
            run: run.record.run.to_string(),
            what,
        };
        let style = |name: &String| {
            let position = run
                .plan
                .styles
                .iter()
                .position(|style| style.name() == name);
            position.ok_or_else(|| unknown(format!("style {name:?}")))
        };
        let styles = choice
            .styles
            .iter()
            .map(style)
            .collect::<Result<BTreeSet<_>, _>>()?;
        let num_shards = run.plan.shards.len();
        for shard in &choice.shards {
            if shard.0 as usize >= num_shards {
                return Err(unknown(format!(
                    "shard {shard}: it has {num_shards}, from 000000"
                )));
            }
        }
        Ok(Self {
            styles: (!styles.is_empty()).then_some(styles),
            shards: (!choice.shards.is_empty()).then(|| choice.shards.iter().copied().collect()),
        })
    }

    pub(super) fn has_style(&self, run: &FrozenRun, name: &str) -> bool {
        let is_named = |&style: &usize| run.plan.styles[style].name() == name;
        let styles = self.styles.as_ref();
        styles.is_none_or(|styles| styles.iter().any(is_named))
    }

    pub(super) fn has(&self, shard: &Shard) -> bool {
        let of_style =
            |styles: &BTreeSet<usize>| shard.styles.iter().any(|style| styles.contains(style));
        self.styles.as_ref().is_none_or(of_style)
            && self
                .shards
                .as_ref()
                .is_none_or(|shards| shards.contains(&shard.id))
    }
}
