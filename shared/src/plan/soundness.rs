//! Checks that a plan can be the one that a run's record froze.
//!
//! The digest of a plan tells that it is the one that the record speaks of, and not who wrote both. So nothing in it is
//! believed before it was looked at, and looking takes memory in proportion to the plan's bytes: a few positions can mean
//! any number of items.

use std::collections::HashSet;

use super::{Plan, Shard};
use crate::dataset::entry::DatasetEntry;
use crate::run_record::Frozen;
use crate::settings::ClassMapSource;
use crate::wording::one_line;

/// Returns what is wrong with a plan, for people; nothing if it is sound.
pub(super) fn flaw(plan: &Plan, frozen: &Frozen) -> Option<String> {
    check(plan, frozen).err()
}

fn check(plan: &Plan, frozen: &Frozen) -> Result<(), String> {
    check_listings("content", &plan.contents)?;
    check_listings("style", &plan.styles)?;
    for (id, shard) in plan.shards.iter().enumerate() {
        check_shard(plan, frozen, id, shard)?;
    }
    check_counts(plan, frozen)?;
    check_styles(plan, frozen)?;
    check_prototypes(plan, frozen)?;
    check_items(plan)
}

/// Every name can be part of a path and is that of one input, and no file leaves its dataset.
fn check_listings(kind: &str, listings: &[DatasetEntry]) -> Result<(), String> {
    let mut names = HashSet::with_capacity(listings.len());
    for listing in listings {
        listing.check().map_err(|error| error.to_string())?;
        if !names.insert(listing.name()) {
            return Err(format!(
                "it lists {kind} {} more than once",
                one_line(listing.name())
            ));
        }
    }
    Ok(())
}

/// A shard has its own id and inputs that are listed, each once, and no more of them than the run's shards may have.
fn check_shard(plan: &Plan, frozen: &Frozen, id: usize, shard: &Shard) -> Result<(), String> {
    let within = |positions: &[usize], count: usize| positions.iter().all(|&i| i < count);
    let is_listed = shard.id.0 as usize == id
        && within(&shard.contents, plan.contents.len())
        && within(&shard.styles, plan.styles.len());
    if !is_listed {
        return Err("it names shards or images that it does not list".to_owned());
    }
    let (size, id) = (frozen.shards, shard.id);
    let (contents, styles) = (shard.contents.len(), shard.styles.len());
    if contents > size.contents || styles > size.styles {
        return Err(format!(
            "its shard {id} has {contents} contents and {styles} styles, and the run's record allows {} and {}",
            size.contents, size.styles
        ));
    }
    if is_repeated(&shard.contents) || is_repeated(&shard.styles) {
        return Err(format!("its shard {id} names an image more than once"));
    }
    Ok(())
}

fn is_repeated(positions: &[usize]) -> bool {
    let mut sorted = positions.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

fn check_counts(plan: &Plan, frozen: &Frozen) -> Result<(), String> {
    let counts = [
        ("contents", plan.contents.len(), frozen.content.count),
        ("shards", plan.shards.len(), frozen.num_shards),
        ("items", plan.num_items(), frozen.num_items),
    ];
    for (what, found, expected) in counts {
        if found != expected {
            return Err(format!(
                "it has {found} {what}, and the run's record says {expected}"
            ));
        }
    }
    Ok(())
}

/// The record holds a digest of each style.
fn check_styles(plan: &Plan, frozen: &Frozen) -> Result<(), String> {
    let (found, expected) = (plan.styles.len(), frozen.styles.len());
    if found != expected {
        return Err(format!(
            "it has {found} styles, and the run's record says {expected}"
        ));
    }
    let is_unknown = |style: &&DatasetEntry| !frozen.styles.contains_key(style.name());
    match plan.styles.iter().find(is_unknown) {
        None => Ok(()),
        Some(style) => Err(format!(
            "it lists style {}, of which the run's record has no digest",
            one_line(style.name())
        )),
    }
}

/// Prototypes are contents that are listed, and there are some where a network of priors maps classes, and there alone.
fn check_prototypes(plan: &Plan, frozen: &Frozen) -> Result<(), String> {
    let prototypes = &plan.prototypes;
    let are_rising = prototypes.windows(2).all(|pair| pair[0] < pair[1]);
    let are_listed = prototypes.iter().all(|&at| at < plan.contents.len());
    if !are_rising || !are_listed {
        return Err(
            "it names prototypes that are not listed contents in rising order, each once"
                .to_owned(),
        );
    }
    let by = frozen.class_maps.as_ref().map(|maps| maps.by);
    match (by, prototypes.is_empty()) {
        (Some(ClassMapSource::Prior), true) => {
            Err("it has no prototypes, and the run's record maps classes by some".to_owned())
        }
        (None | Some(ClassMapSource::Segmenter), false) => {
            Err("it has prototypes, and the run's record maps no classes by any".to_owned())
        }
        (Some(ClassMapSource::Prior), false) | (None | Some(ClassMapSource::Segmenter), true) => {
            Ok(())
        }
    }
}

/// Each item is in one shard: the shards of a content have different styles.
fn check_items(plan: &Plan) -> Result<(), String> {
    let places = plan.shards.iter().enumerate();
    let places = places.flat_map(|(at, shard)| shard.contents.iter().map(move |&c| (c, at)));
    let mut places: Vec<(usize, usize)> = places.collect();
    places.sort_unstable();
    // The content that was met last in each style.
    let mut met: Vec<Option<usize>> = vec![None; plan.styles.len()];
    for (content, at) in places {
        for &style in &plan.shards[at].styles {
            if met[style].replace(content) == Some(content) {
                let item = plan.item((style, content));
                return Err(format!("it has {item} in more than one shard"));
            }
        }
    }
    Ok(())
}
