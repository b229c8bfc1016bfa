//! The set that is exported: items of a run, with all that its files say of them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use shared::dataset::classes::CLASSES;
use shared::dataset::entry::LabelKind;
use shared::ids::{ItemId, RunId};
use shared::item_metric::{ItemMetric, PerMetric};
use shared::warning::WarningKind;

use super::options::VALIDATION;

/// How what a segmenter finds in an image, and in its content, agrees with their label: as a manifest calls it.
pub(super) const LABEL_FIGURES: [&str; 2] = ["label_miou", "content_label_miou"];

/// Returns what the figures of items are called.
pub(super) fn figure_names() -> impl Iterator<Item = &'static str> {
    let metrics = ItemMetric::ALL.map(ItemMetric::as_str);
    metrics.into_iter().chain(LABEL_FIGURES)
}

/// Items of a run, sorted by content and style.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) run: RunId,
    pub(super) seed: u64,
    /// SHA-256 of the method's settings.
    pub(super) config_hash: String,
    /// SHA-256 of the model's contract.
    pub(super) model_sha256: String,
    pub(super) styles: Vec<Style>,
    pub(super) contents: Vec<Content>,
    pub(super) items: Vec<Item>,
    /// The name of the split that is not for validation.
    pub(super) train: String,
}

/// A style of the run.
#[derive(Debug)]
pub(super) struct Style {
    pub(super) name: String,
    /// Its part of the names of files.
    pub(super) part: String,
}

/// A content of the run.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) name: String,
    /// Its part of the names of files.
    pub(super) part: String,
    /// What its label is stored as; none of a content without one.
    pub(super) stored_as: Option<LabelKind>,
    pub(super) is_for_validation: bool,
}

/// An item that is exported. There may be hundreds of thousands, so it has positions and no names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// Position of its content; first, because items are sorted by it.
    pub(super) content: u32,
    /// Position of its style.
    pub(super) style: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) image_sha256: Box<str>,
    pub(super) label_sha256: Box<str>,
    pub(super) figures: PerMetric<Option<f64>>,
    /// Those of [`LABEL_FIGURES`].
    pub(super) label_figures: [Option<f64>; 2],
    pub(super) is_doubtful: bool,
    /// A bit for each train id that its label shows.
    pub(super) classes: u32,
    pub(super) warnings: Box<[WarningKind]>,
}

shared::enumerated! {
    /// A part of the set.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(super) enum Split {
        /// What is trained on.
        Train,
        /// What is validated with.
        Validation,
    }
}

/// All that is told of an item beside its pictures.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    run: &'a RunId,
    content: &'a str,
    style: &'a str,
    split: &'a str,
    width: u32,
    height: u32,
    seed: u64,
    config_hash: &'a str,
    model_sha256: &'a str,
    image_sha256: &'a str,
    label_sha256: &'a str,
    /// How it compares with its content, and with its label.
    figures: BTreeMap<&'static str, f64>,
    /// The classes that its label shows.
    classes: Vec<&'static str>,
    warnings: &'a [WarningKind],
    doubtful: bool,
}

impl Set {
    /// Returns the name of an item.
    pub(super) fn id(&self, item: &Item) -> ItemId {
        ItemId {
            style: self.style(item).name.clone(),
            content: self.content(item).name.clone(),
        }
    }

    pub(super) fn style(&self, item: &Item) -> &Style {
        &self.styles[item.style as usize]
    }

    pub(super) fn content(&self, item: &Item) -> &Content {
        &self.contents[item.content as usize]
    }

    /// Returns which part of the set an item is in.
    pub(super) fn split(&self, item: &Item) -> Split {
        if self.content(item).is_for_validation {
            Split::Validation
        } else {
            Split::Train
        }
    }

    /// Returns the name of a part of the set.
    pub(super) fn split_name(&self, split: Split) -> &str {
        match split {
            Split::Train => &self.train,
            Split::Validation => VALIDATION,
        }
    }

    /// Returns the name of the part of the set that an item is in.
    pub(super) fn split_of(&self, item: &Item) -> &str {
        self.split_name(self.split(item))
    }

    /// Returns the parts of the set that have items.
    pub(super) fn splits(&self) -> Vec<Split> {
        let has = |split: &Split| self.of(*split).next().is_some();
        Split::ALL.into_iter().filter(has).collect()
    }

    /// Returns the items of a part of the set, sorted by content and style.
    pub(super) fn of(&self, split: Split) -> impl Iterator<Item = &Item> {
        let is_of = move |item: &&Item| self.split(item) == split;
        self.items.iter().filter(is_of)
    }

    /// Returns what no other item of the set is called.
    pub(super) fn key(&self, item: &Item) -> String {
        format!("{}_{}", self.content(item).part, self.style(item).part)
    }

    /// Returns the places of the items of each content, one content after the other.
    pub(super) fn by_content(&self) -> Vec<Range<usize>> {
        let mut start = 0;
        let groups = self
            .items
            .chunk_by(|one, other| one.content == other.content);
        let ranges = groups.map(|group| {
            let range = start..start + group.len();
            start = range.end;
            range
        });
        ranges.collect()
    }

    /// Returns all that is told of an item beside its pictures.
    pub(super) fn told<'a>(&'a self, item: &'a Item) -> Told<'a> {
        Told {
            run: &self.run,
            content: &self.content(item).name,
            style: &self.style(item).name,
            split: self.split_of(item),
            width: item.width,
            height: item.height,
            seed: self.seed,
            config_hash: &self.config_hash,
            model_sha256: &self.model_sha256,
            image_sha256: &item.image_sha256,
            label_sha256: &item.label_sha256,
            figures: figure_names()
                .zip(item.all_figures())
                .filter_map(|(name, figure)| Some((name, figure?)))
                .collect(),
            classes: item.class_names().collect(),
            warnings: &item.warnings,
            doubtful: item.is_doubtful,
        }
    }
}

impl Item {
    /// Returns its figures in the order of [`figure_names`].
    pub(super) fn all_figures(&self) -> impl Iterator<Item = Option<f64>> {
        let figures = self.figures.iter().map(|(_, figure)| *figure);
        figures.chain(self.label_figures)
    }

    /// Returns the names of the classes that its label shows.
    pub(super) fn class_names(&self) -> impl Iterator<Item = &'static str> {
        let classes = CLASSES.iter().enumerate();
        let shown = classes.filter(|(train_id, _)| self.classes >> train_id & 1 == 1);
        shown.map(|(_, class)| class.name)
    }

    /// Returns the names of its warnings.
    pub(super) fn warning_names(&self) -> Vec<&'static str> {
        self.warnings.iter().map(|kind| kind.as_str()).collect()
    }
}

/// Returns a bit for each train id of a class.
pub(super) fn bits(train_ids: impl IntoIterator<Item = u8>) -> u32 {
    let classes = train_ids
        .into_iter()
        .filter(|&id| usize::from(id) < CLASSES.len());
    classes.fold(0, |bits, id| bits | 1 << id)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns a set of some contents, the first of which is for validation, in two styles.
    pub(in crate::output::export) fn set(num_contents: u32) -> Set {
        let style = |name: &str| Style {
            name: name.to_owned(),
            part: name.replace('_', "-"),
        };
        let content = |number: u32| Content {
            name: format!("{number:05}"),
            part: format!("{number:05}"),
            stored_as: Some(LabelKind::LabelIds),
            is_for_validation: number == 0,
        };
        let item = |content: u32, style: u32| Item {
            content,
            style,
            width: 4,
            height: 2,
            image_sha256: "image".into(),
            label_sha256: "label".into(),
            figures: PerMetric::from_fn(|metric| {
                metric.network().is_none().then_some(0.5 + f64::from(style))
            }),
            classes: bits([0, 13]),
            warnings: Box::default(),
            label_figures: [Some(0.25), None],
            is_doubtful: false,
        };
        let of_content = |content| [item(content, 0), item(content, 1)];
        Set {
            run: "demo".parse().unwrap(),
            seed: 42,
            config_hash: "config".to_owned(),
            model_sha256: "model".to_owned(),
            styles: vec![style("night_1"), style("snow_2")],
            contents: (0..num_contents).map(content).collect(),
            items: (0..num_contents).flat_map(of_content).collect(),
            train: "train".to_owned(),
        }
    }

    #[test]
    fn all_items_of_a_content_are_together_and_of_one_split() {
        let set = set(3);
        assert_eq!(set.by_content(), [0..2, 2..4, 4..6]);
        assert_eq!(set.splits(), Split::ALL);
        let keys = |split| -> Vec<String> { set.of(split).map(|item| set.key(item)).collect() };
        assert_eq!(keys(Split::Validation), ["00000_night-1", "00000_snow-2"]);
        assert_eq!(keys(Split::Train).len(), 4);
        let told = shared::json::line(&set.told(&set.items[3]));
        for words in [
            r#""run":"demo","content":"00001","style":"snow_2","split":"train""#,
            r#""figures":{"label_miou":0.25,"ssim":1.5},"classes":["road","car"],"warnings":[],"doubtful":false"#,
        ] {
            assert!(told.contains(words), "{told}");
        }
    }
}
