//! `plan.json`: everything that is to be made of a run, as the coordinator stores it and workers believe it.
//!
//! - [`Plan`], [`Shard`]: contents, styles and which of them meet in which shard
//! - [`read`]: the plan of a run's record, checked against its digest

mod reading;

pub use reading::{PlanError, read};
use serde::{Deserialize, Serialize};

use crate::decision::ChangedInputs;
use crate::ids::{ItemId, RunId, ShardId};
use crate::listing::{Listing, ListingError};
use crate::task::ShardTask;

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

/// A group of contents times a group of styles, as positions in the listings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Its id.
    pub id: ShardId,
    /// Positions of its contents.
    pub contents: Vec<usize>,
    /// Positions of its styles.
    pub styles: Vec<usize>,
}

/// The contents and styles of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInputs {
    /// Its contents.
    pub contents: Vec<Listing>,
    /// Its styles.
    pub styles: Vec<Listing>,
}

impl Shard {
    /// Returns the number of its items.
    #[must_use]
    pub fn num_items(&self) -> usize {
        self.contents.len() * self.styles.len()
    }

    /// Returns its items as positions of style and content.
    pub fn items(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let of_style = |&style: &usize| self.contents.iter().map(move |&content| (style, content));
        self.styles.iter().flat_map(of_style)
    }
}

impl ShardInputs {
    /// Proves that every name can be part of a path, and that every file is below the root of its dataset.
    ///
    /// # Errors
    ///
    /// [`ListingError`] naming what is wrong.
    pub fn check(&self) -> Result<(), ListingError> {
        let mut listings = self.contents.iter().chain(&self.styles);
        listings.try_for_each(Listing::check)
    }
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

    /// Returns the shard of an id; nothing if none was planned.
    #[must_use]
    pub fn shard(&self, id: ShardId) -> Option<&Shard> {
        self.shards.get(id.0 as usize)
    }

    /// Returns the contents and styles of a shard: the planned ones, and in their place those that were changed and that
    /// the run goes on with.
    #[must_use]
    pub fn inputs(&self, shard: &Shard, changed: &ChangedInputs) -> ShardInputs {
        let content = |&at: &usize| changed.content(&self.contents[at]).clone();
        let style = |&at: &usize| changed.style(&self.styles[at]).clone();
        ShardInputs {
            contents: shard.contents.iter().map(content).collect(),
            styles: shard.styles.iter().map(style).collect(),
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
        debug_assert!(self.shard(shard.id).is_some(), "a shard of another plan");
        ShardTask {
            run: run.clone(),
            shard: shard.id,
            first_attempt: 1,
            repair: false,
            revision: 0,
            traceparent: None,
        }
    }

    /// Returns what is wrong with it, for people; nothing if every position in it exists, every name can be part of a
    /// path and no file leaves its dataset, so that nothing else needs to ask.
    #[must_use]
    pub fn flaw(&self) -> Option<String> {
        let within = |positions: &[usize], count: usize| positions.iter().all(|&i| i < count);
        let is_sound = |(id, shard): (usize, &Shard)| {
            shard.id.0 as usize == id
                && within(&shard.contents, self.contents.len())
                && within(&shard.styles, self.styles.len())
        };
        if !self.shards.iter().enumerate().all(is_sound) {
            return Some("it names shards or images that it does not list".to_owned());
        }
        let mut listings = self.contents.iter().chain(&self.styles);
        listings.find_map(|listing| listing.check().err().map(|error| error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;
    use crate::listing::{LabelKind, LabelReading, ListedFile, ListedLabel};

    fn listing(name: &str) -> Listing {
        let file = |path: String| ListedFile {
            path: path.into(),
            size_bytes: 7,
        };
        Listing {
            name: name.to_owned(),
            image: file(format!("images/{name}.png")),
            label: Some(ListedLabel {
                file: file(format!("labels/{name}.png")),
                reading: LabelReading::promised(LabelKind::PaletteIds),
            }),
        }
    }

    fn plan() -> Plan {
        let shard = |id, contents: &[usize]| Shard {
            id: ShardId(id),
            contents: contents.to_vec(),
            styles: vec![0],
        };
        Plan {
            contents: ["00001", "00002", "00003"].map(listing).to_vec(),
            styles: vec![Listing {
                label: None,
                ..listing("night")
            }],
            shards: vec![shard(0, &[0, 1]), shard(1, &[2])],
        }
    }

    /// The digest of these bytes is part of every run's identity.
    #[test]
    fn a_plan_is_written_with_the_bytes_that_it_always_had() {
        let json = serde_json::to_string(&plan()).unwrap();
        let content = |name: &str| {
            format!(
                r#"{{"name":"{name}","image":{{"path":"images/{name}.png","size_bytes":7}},"label":{{"file":{{"path":"labels/{name}.png","size_bytes":7}},"reading":{{"kind":"palette-ids","stated":false}}}}}}"#
            )
        };
        let contents = ["00001", "00002", "00003"].map(content).join(",");
        let style =
            r#"{"name":"night","image":{"path":"images/night.png","size_bytes":7},"label":null}"#;
        let shards =
            r#"{"id":0,"contents":[0,1],"styles":[0]},{"id":1,"contents":[2],"styles":[0]}"#;
        let expected =
            format!(r#"{{"contents":[{contents}],"styles":[{style}],"shards":[{shards}]}}"#);
        assert_eq!(json, expected);
        assert_eq!(
            digest::sha256(json.as_bytes()),
            digest::sha256(expected.as_bytes())
        );
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan());
    }

    #[test]
    fn a_shard_has_the_planned_inputs_and_no_others() {
        let plan = plan();
        let shard = plan.shard(ShardId(1)).unwrap();
        let inputs = plan.inputs(shard, &ChangedInputs::default());
        assert_eq!(inputs.contents, [listing("00003")]);
        assert_eq!(inputs.styles, plan.styles);
        assert_eq!(plan.shard(ShardId(2)), None);
        assert_eq!(plan.shard(ShardId(u32::MAX)), None);
    }

    #[test]
    fn a_plan_that_leaves_its_folders_is_not_sound() {
        assert_eq!(plan().flaw(), None);
        let with = |change: fn(&mut Plan)| {
            let mut plan = plan();
            change(&mut plan);
            plan.flaw().unwrap()
        };
        let told = with(|plan| plan.shards[1].contents[0] = 3);
        assert!(told.contains("does not list"), "{told}");
        let told = with(|plan| plan.shards[1].id = ShardId(7));
        assert!(told.contains("does not list"), "{told}");
        let told = with(|plan| plan.contents[1].name = "../../elsewhere".to_owned());
        assert!(told.contains("../../elsewhere"), "{told}");
        let told = with(|plan| plan.styles[0].name = "..".to_owned());
        assert!(told.contains("\"..\""), "{told}");
        let told = with(|plan| plan.contents[0].image.path = "/etc/shadow".into());
        assert!(told.contains("/etc/shadow"), "{told}");
        let told = with(|plan| {
            if let Some(label) = &mut plan.contents[0].label {
                label.file.path = "labels/../../other.png".into();
            }
        });
        assert!(told.contains("labels/../../other.png"), "{told}");
    }
}
