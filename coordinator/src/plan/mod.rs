//! Which contents meet which styles, in which shards. Pure: names in, positions out.

mod pairing;
mod rare_class;
mod shards;

pub use pairing::{ClassPixels, pair};
use serde::{Deserialize, Serialize};
pub use shards::{Shard, group};
use shared::decision::ChangedInputs;
use shared::ids::{ItemId, RunId};
use shared::listing::Listing;
use shared::task::ShardTask;

/// Everything that is to be made, as `plan.json` keeps it: whoever has the storage root can go on with the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The contents, sorted by name.
    pub contents: Vec<Listing>,
    /// The styles, sorted by name.
    pub styles: Vec<Listing>,
    /// The shards, in the order of their ids.
    pub shards: Vec<Shard>,
}

impl Plan {
    /// Returns the number of items.
    #[must_use]
    pub fn num_items(&self) -> usize {
        self.shards.iter().map(Shard::num_items).sum()
    }

    /// Returns the name of the item at a position of styles and one of contents.
    #[must_use]
    pub fn item(&self, (style, content): (usize, usize)) -> ItemId {
        ItemId {
            style: self.styles[style].name().to_owned(),
            content: self.contents[content].name().to_owned(),
        }
    }

    /// Puts inputs that were changed, and that the run goes on with, in place of the planned ones.
    pub fn take_changes(&mut self, changed: &ChangedInputs) {
        for content in &mut self.contents {
            *content = changed.content(content).clone();
        }
        for style in &mut self.styles {
            *style = changed.style(style).clone();
        }
    }

    /// Returns what a worker is asked for: a shard for the first time.
    #[must_use]
    pub fn task(&self, run: &RunId, shard: &Shard) -> ShardTask {
        let of = |listings: &[Listing], positions: &[usize]| {
            positions.iter().map(|&i| listings[i].clone()).collect()
        };
        ShardTask {
            run: run.clone(),
            shard: shard.id,
            first_attempt: 1,
            repair: false,
            revision: 0,
            contents: of(&self.contents, &shard.contents),
            styles: of(&self.styles, &shard.styles),
            traceparent: None,
        }
    }

    /// Returns whether every position in it exists, so that nothing else needs to ask.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let within = |positions: &[usize], count: usize| positions.iter().all(|&i| i < count);
        self.shards.iter().enumerate().all(|(id, shard)| {
            shard.id.0 as usize == id
                && within(&shard.contents, self.contents.len())
                && within(&shard.styles, self.styles.len())
        })
    }
}
