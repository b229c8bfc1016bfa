//! How many pixels of each class each label has, for the sampling of rare classes.
//!
//! **Source:** the files that DAFormer's and HRDA's `tools/convert_datasets` write and their datasets read: a list of
//! `{train id: pixels, "file": path}`, a table of the same by path, and for each train id the paths that have it with
//! their pixels. Only labels that are trained on are in them.
//! **Differs:** paths are relative to the set; their readers use the last part of a path alone.

use std::io::{self, Write};

use shared::dataset::classes::NUM_CLASSES;
use shared::json;

use super::cityscapes::train_ids;
use super::{LabelFacts, comma};
use crate::output::export::set::{Item, Set, Split};

/// The files.
pub(super) const FILES: [&str; 3] = [LIST, TABLE, BY_CLASS];
const LIST: &str = "sample_class_stats.json";
const TABLE: &str = "sample_class_stats_dict.json";
const BY_CLASS: &str = "samples_with_class.json";

type Facts = [Option<Box<LabelFacts>>];

/// Writes one of the files.
pub(super) fn write(path: &str, set: &Set, facts: &Facts, to: &mut dyn Write) -> io::Result<()> {
    match path {
        LIST => list(set, facts, to),
        TABLE => table(set, facts, to),
        _ => by_class(set, facts, to),
    }
}

/// Returns the pixels of each class that an item's label shows, by train id.
fn pixels<'a>(facts: &'a Facts, item: &Item) -> impl Iterator<Item = (usize, u64)> + 'a {
    let facts = facts.get(item.content as usize);
    let facts = facts.and_then(Option::as_deref);
    let shown = facts.into_iter().flat_map(LabelFacts::shown);
    shown.map(|(train_id, class)| (train_id, class.pixels))
}

fn list(set: &Set, facts: &Facts, to: &mut dyn Write) -> io::Result<()> {
    write!(to, "[")?;
    for (position, item) in set.of(Split::Train).enumerate() {
        write!(to, "{}\n  {{", comma(position))?;
        for (train_id, pixels) in pixels(facts, item) {
            write!(to, "\"{train_id}\": {pixels}, ")?;
        }
        write!(to, "\"file\": {}}}", json::line(&train_ids(set, item)))?;
    }
    writeln!(to, "\n]")
}

fn table(set: &Set, facts: &Facts, to: &mut dyn Write) -> io::Result<()> {
    write!(to, "{{")?;
    for (position, item) in set.of(Split::Train).enumerate() {
        let path = json::line(&train_ids(set, item));
        write!(to, "{}\n  {path}: {{", comma(position))?;
        for (position, (train_id, pixels)) in pixels(facts, item).enumerate() {
            write!(to, "{}\"{train_id}\": {pixels}", comma(position))?;
        }
        write!(to, "}}")?;
    }
    writeln!(to, "\n}}")
}

fn by_class(set: &Set, facts: &Facts, to: &mut dyn Write) -> io::Result<()> {
    write!(to, "{{")?;
    let mut class_comma = "";
    for train_id in 0..NUM_CLASSES {
        let of_class = |item: &Item| {
            let mut pixels = pixels(facts, item);
            let found = pixels.find(|(shown, _)| *shown == train_id);
            found.map(|(_, pixels)| pixels)
        };
        let having = set.of(Split::Train);
        let having = having.filter_map(|item| Some((item, of_class(item)?)));
        let mut comma = "";
        for (item, pixels) in having {
            if comma.is_empty() {
                write!(to, "{class_comma}\n  \"{train_id}\": [")?;
            }
            let path = json::line(&train_ids(set, item));
            write!(to, "{comma}\n    [{path}, {pixels}]")?;
            (comma, class_comma) = (",", ",");
        }
        if !comma.is_empty() {
            write!(to, "\n  ]")?;
        }
    }
    writeln!(to, "\n}}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::export::format::facts::tests::facts;
    use crate::output::export::set::tests::set;

    #[test]
    fn each_file_says_the_pixels_of_the_labels_that_are_trained_on() {
        let set = set(2);
        let facts = vec![Some(Box::new(facts())), Some(Box::new(facts()))];
        let read = |path: &str| -> Value {
            let mut written = Vec::new();
            write(path, &set, &facts, &mut written).unwrap();
            serde_json::from_slice(&written).unwrap()
        };
        let path = |city: &str| {
            format!("gtFine/train/{city}/{city}_00001_000001_gtFine_labelTrainIds.png")
        };
        let (night, snow) = (path("night-1"), path("snow-2"));
        let of = |file: &str| json!({"0": 3, "13": 2, "file": file});
        assert_eq!(read(LIST), json!([of(&night), of(&snow)]));
        let expected = json!({&night: {"0": 3, "13": 2}, &snow: {"0": 3, "13": 2}});
        assert_eq!(read(TABLE), expected);
        let expected = json!({"0": [[night, 3], [snow, 3]], "13": [[night, 2], [snow, 2]]});
        assert_eq!(read(BY_CLASS), expected);
    }
}
