//! Folders as those of Cityscapes: `leftImg8bit/{split}/{city}/{city}_{sequence}_{frame}_leftImg8bit.png` beside `gtFine`.
//!
//! The city is the style, the sequence the content, and the frame the content's place in the plan, so that tools which take
//! a name apart at its underscores find three parts. With it come the class statistics that rare class sampling reads, and
//! a list of the names of each split.

use std::io::{self, Write};

use imaging::{InputError, LabelIds};

use super::class_stats;
use super::{FileLayout, LabelFacts, PictureGlobs};
use crate::output::export::record::ExportRecord;
use crate::output::export::set::{Item, Set, Split};

/// What the names of labels end in. The first is what is trained on.
const LABELS: [&str; 3] = ["labelTrainIds", "labelIds", "color"];

pub(super) struct Cityscapes;

/// Returns the folder and the name of an item's files below those of its split, without what they end in.
fn stem(set: &Set, item: &Item) -> String {
    let (city, sequence) = (&set.style(item).part, &set.content(item).part);
    format!("{city}/{city}_{sequence}_{:06}", item.content)
}

/// Returns the path of the train ids of an item.
pub(super) fn train_ids(set: &Set, item: &Item) -> String {
    label(set, item, LABELS[0])
}

fn label(set: &Set, item: &Item, kind: &str) -> String {
    let (split, stem) = (set.split_of(item), stem(set, item));
    format!("gtFine/{split}/{stem}_gtFine_{kind}.png")
}

/// Returns the list of the names of a split.
fn list(set: &Set, split: Split) -> String {
    format!("{}.txt", set.split_name(split))
}

impl FileLayout for Cityscapes {
    fn image(&self, set: &Set, item: &Item) -> String {
        let (split, stem) = (set.split_of(item), stem(set, item));
        format!("leftImg8bit/{split}/{stem}_leftImg8bit.png")
    }

    fn labels(&self, set: &Set, item: &Item) -> Vec<String> {
        LABELS.map(|kind| label(set, item, kind)).to_vec()
    }

    fn encode(&self, label: &LabelIds) -> Result<Vec<Vec<u8>>, InputError> {
        Ok(vec![
            label.train_id_png()?,
            label.label_id_png()?,
            label.colour_png()?,
        ])
    }

    fn summaries(&self, set: &Set) -> Vec<String> {
        let lists = set.splits().into_iter().map(|split| list(set, split));
        let stats = class_stats::FILES.map(str::to_owned);
        stats.into_iter().chain(lists).collect()
    }

    fn summarise(
        &self,
        path: &str,
        set: &Set,
        facts: &[Option<Box<LabelFacts>>],
        to: &mut dyn Write,
    ) -> io::Result<()> {
        let mut splits = set.splits().into_iter();
        match splits.find(|&split| list(set, split) == path) {
            Some(split) => set
                .of(split)
                .try_for_each(|item| writeln!(to, "{}", stem(set, item))),
            None => class_stats::write(path, set, facts, to),
        }
    }

    fn globs(&self, _record: &ExportRecord) -> PictureGlobs {
        PictureGlobs {
            images: vec!["leftImg8bit/*.png".to_owned()],
            labels: vec!["gtFine/*_gtFine_labelTrainIds.png".to_owned()],
        }
    }

    fn usage(&self, record: &ExportRecord) -> String {
        let train = &record.train;
        format!(
            "Folders as those of Cityscapes: the city is the style, the sequence the content. cityscapesScripts, torchvision's \
             `Cityscapes` and MMSegmentation read them; `sample_class_stats.json`, `sample_class_stats_dict.json` and \
             `samples_with_class.json` are those of the split {train}, as DAFormer and HRDA read them for rare class \
             sampling. Labels tell no instances: cityscapesScripts' evaluation takes them with \
             `args.evalInstLevelScore = False`.\n\n\
             ```python\n\
             # MMSegmentation 1.x\n\
             train_dataloader = dict(dataset=dict(\n    \
                 type=\"CityscapesDataset\", data_root=\"DIR\",\n    \
                 data_prefix=dict(img_path=\"leftImg8bit/{train}\", seg_map_path=\"gtFine/{train}\")))\n\
             # MMSegmentation 0.x, DAFormer, HRDA\n\
             source = dict(type=\"CityscapesDataset\", data_root=\"DIR\",\n              \
                 img_dir=\"leftImg8bit/{train}\", ann_dir=\"gtFine/{train}\")\n\
             ```\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::export::set::tests::set;

    #[test]
    fn a_name_is_taken_apart_at_its_underscores_as_those_of_cityscapes() {
        let set = set(2);
        let item = &set.items[3];
        let image = Cityscapes.image(&set, item);
        let expected = "leftImg8bit/train/snow-2/snow-2_00001_000001_leftImg8bit.png";
        assert_eq!(image, expected);
        let labels = Cityscapes.labels(&set, item);
        let prefix = "gtFine/train/snow-2/snow-2_00001_000001_gtFine_";
        let expected = ["labelTrainIds", "labelIds", "color"];
        assert_eq!(labels, expected.map(|kind| format!("{prefix}{kind}.png")));
        let parts = |path: &str| path.rsplit('/').next().unwrap().split('_').count();
        assert_eq!((parts(&image), parts(&labels[0])), (4, 5));
        let validation = Cityscapes.image(&set, &set.items[0]);
        assert!(
            validation.starts_with("leftImg8bit/val/night-1/"),
            "{validation}"
        );
    }

    #[test]
    fn the_names_of_each_split_are_listed() {
        let set = set(2);
        let summaries = Cityscapes.summaries(&set);
        assert_eq!(summaries[3..], ["train.txt", "val.txt"]);
        let mut written = Vec::new();
        Cityscapes
            .summarise("val.txt", &set, &[], &mut written)
            .unwrap();
        let expected = "night-1/night-1_00000_000000\nsnow-2/snow-2_00000_000000\n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
