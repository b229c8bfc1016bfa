//! `plan-{sha256}.json`: every item and shard of a run, as the coordinator stores it and workers read it.
//!
//! - [`Plan`], [`Shard`]: contents, styles and which of them meet in which shard
//! - [`read`]: the plan of a run's record, checked against its digest

mod reading;
mod soundness;

pub use reading::{PlanError, read};
use serde::{Deserialize, Serialize};

use crate::dataset::entry::DatasetEntry;
use crate::decision::ChangedInputs;
use crate::ids::{ItemId, RunId, ShardId};
use crate::queue::message::ShardTask;
use crate::run_record::Frozen;

/// Everything that is to be made, as `plan-{sha256}.json` keeps it, so that any machine with the storage root can go on with the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The contents, sorted by name.
    pub contents: Vec<DatasetEntry>,
    /// The styles, sorted by name.
    pub styles: Vec<DatasetEntry>,
    /// The shards, in the order of their ids.
    pub shards: Vec<Shard>,
    /// Positions of the contents that show a network of priors what classes look like, in rising order. Left out of plans
    /// without any: the digests of earlier ones were made without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prototypes: Vec<usize>,
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
    pub contents: Vec<DatasetEntry>,
    /// Its styles.
    pub styles: Vec<DatasetEntry>,
    /// The contents that show what classes look like, where its styles may have no labels.
    pub prototypes: Vec<DatasetEntry>,
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
            prototypes: self.prototypes.iter().map(content).collect(),
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

    /// Returns what is wrong with it, for people; nothing if it can be what a run's record froze: every name can be part of
    /// a path, no file leaves its dataset, every position is listed, each item is in one shard, no shard is larger than the
    /// run's shards may be, and there are as many of everything as the record says, so that nothing else needs to ask.
    #[must_use]
    pub fn flaw(&self, frozen: &Frozen) -> Option<String> {
        soundness::flaw(self, frozen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::entry::{DatasetFile, DatasetLabel, LabelKind, LabelReading};
    use crate::digest;
    use crate::run_record::FrozenClassMaps;
    use crate::settings::{ClassMapSource, ShardSize};

    fn listing(name: &str) -> DatasetEntry {
        let file = |path: String| DatasetFile {
            path: path.into(),
            size_bytes: 7,
        };
        DatasetEntry {
            name: name.to_owned(),
            image: file(format!("images/{name}.png")),
            label: Some(DatasetLabel {
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
            styles: vec![DatasetEntry {
                label: None,
                ..listing("night")
            }],
            shards: vec![shard(0, &[0, 1]), shard(1, &[2])],
            prototypes: Vec::new(),
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
    fn prototypes_are_part_of_a_plan_only_where_there_are_some() {
        let with = Plan {
            prototypes: vec![0, 2],
            ..plan()
        };
        let json = serde_json::to_string(&with).unwrap();
        assert!(json.ends_with(r#","prototypes":[0,2]}"#), "{json}");
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), with);
        let inputs = with.inputs(&with.shards[1], &ChangedInputs::default());
        assert_eq!(inputs.prototypes, [listing("00001"), listing("00003")]);
    }

    #[test]
    fn prototypes_are_contents_that_are_listed_each_once_and_of_a_run_that_maps_classes() {
        let told = |prototypes: &[usize], class_maps: Option<FrozenClassMaps>| {
            let mut plan = plan();
            plan.prototypes = prototypes.to_vec();
            let mut frozen = frozen(&plan);
            frozen.class_maps = class_maps;
            plan.flaw(&frozen).unwrap_or_default()
        };
        let by = |by| {
            Some(FrozenClassMaps {
                by,
                sha256: digest::sha256(b"a network"),
            })
        };
        let prior = || by(ClassMapSource::Prior);
        assert_eq!(told(&[0, 2], prior()), "");
        assert_eq!(told(&[], by(ClassMapSource::Segmenter)), "");
        assert_eq!(told(&[], None), "");
        let expected = "prototypes that are not listed contents in rising order, each once";
        for wrong in [&[0, 3][..], &[0, 0], &[2, 0]] {
            let told = told(wrong, prior());
            assert!(told.contains(expected), "{told}");
        }
        assert!(told(&[], prior()).contains("no prototypes"));
        for other in [None, by(ClassMapSource::Segmenter)] {
            assert!(told(&[0], other).contains("maps no classes by any"));
        }
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

    /// What the record of a run with this plan freezes.
    fn frozen(plan: &Plan) -> Frozen {
        let digest = |listing: &DatasetEntry| (listing.name.clone(), digest::sha256(b"a style"));
        let mut frozen = crate::run_record::tests::record().frozen;
        frozen.shards = ShardSize {
            contents: 2,
            styles: 1,
        };
        frozen.content.count = plan.contents.len();
        frozen.styles = plan.styles.iter().map(digest).collect();
        frozen.num_items = plan.num_items();
        frozen.num_shards = plan.shards.len();
        frozen
    }

    /// Returns what is wrong with a plan that was changed, of which the record speaks as it was, or as it is.
    fn flaw_with(change: fn(&mut Plan), is_frozen_so: bool) -> String {
        let mut changed = plan();
        change(&mut changed);
        let as_frozen = if is_frozen_so {
            changed.clone()
        } else {
            plan()
        };
        changed.flaw(&frozen(&as_frozen)).unwrap()
    }

    #[test]
    fn a_plan_in_which_an_item_is_twice_or_of_other_counts_than_its_record_is_not_sound() {
        type Case = (fn(&mut Plan), bool, &'static str);
        let cases: [Case; 10] = [
            (
                |plan| plan.shards[0].contents = vec![0, 0],
                true,
                "shard 000000 names an image more than once",
            ),
            (
                |plan| plan.shards[0].contents = vec![0, 1, 2],
                true,
                "shard 000000 has 3 contents and 1 styles, and the run's record allows 2 and 1",
            ),
            (
                |plan| plan.shards[0].styles = vec![0; 10_000],
                true,
                "has 2 contents and 10000 styles",
            ),
            (
                |plan| plan.shards[1].contents = vec![1],
                true,
                "00002 in the style of night in more than one shard",
            ),
            (
                |plan| plan.contents[2].name = "00001".to_owned(),
                true,
                "content 00001 more than once",
            ),
            (
                |plan| plan.styles.push(plan.styles[0].clone()),
                true,
                "style night more than once",
            ),
            (
                |plan| plan.contents.push(listing("00004")),
                false,
                "4 contents, and the run's record says 3",
            ),
            (
                |plan| plan.styles.push(listing("snow")),
                false,
                "2 styles, and the run's record says 1",
            ),
            (
                |plan| plan.shards.truncate(1),
                false,
                "1 shards, and the run's record says 2",
            ),
            (
                |plan| plan.styles[0].name = "snow".to_owned(),
                false,
                "style snow, of which the run's record has no digest",
            ),
        ];
        for (change, is_frozen_so, words) in cases {
            let told = flaw_with(change, is_frozen_so);
            assert!(told.contains(words), "no {words:?}: {told}");
        }
        let mut fewer = frozen(&plan());
        fewer.num_items = 2;
        let told = plan().flaw(&fewer).unwrap();
        assert_eq!(told, "it has 3 items, and the run's record says 2");
    }

    /// What a few kilobytes say may be more than any memory holds.
    #[test]
    fn many_shards_of_the_same_items_are_refused_at_the_first_that_is_met_again() {
        let mut plan = plan();
        plan.contents = (0..1000).map(|n| listing(&format!("{n:05}"))).collect();
        plan.styles = (0..10).map(|n| listing(&format!("style-{n}"))).collect();
        let shard = |id| Shard {
            id: ShardId(id),
            contents: (0..1000).collect(),
            styles: (0..10).collect(),
        };
        plan.shards = (0..1000).map(shard).collect();
        let mut frozen = frozen(&plan);
        frozen.shards = ShardSize {
            contents: 1000,
            styles: 10,
        };
        let told = plan.flaw(&frozen).unwrap();
        assert_eq!(
            told,
            "it has 00000 in the style of style-0 in more than one shard"
        );
        plan.shards.truncate(1);
        frozen.num_shards = 1;
        frozen.num_items = 10_000;
        assert_eq!(plan.flaw(&frozen), None);
    }

    #[test]
    fn a_plan_that_leaves_its_folders_is_not_sound() {
        assert_eq!(plan().flaw(&frozen(&plan())), None);
        let with = |change: fn(&mut Plan)| flaw_with(change, true);
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
