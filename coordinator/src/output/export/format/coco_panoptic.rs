//! COCO's panoptic annotations: `annotations/panoptic_{split}.json`, `panoptic_{split}/NAME.png` with segments, and the
//! images as `{split}/NAME.png`.
//!
//! Labels tell classes and no instances, so each class of an image is one segment, whose id and category are the label id:
//! those of things (people and vehicles) too. They are not marked `iscrowd`, for what is has no part in training or in quality.
//!
//! **Source:** Kirillov et al. 2019 (arXiv:1801.00868), panopticapi, and cityscapesScripts' `createPanopticImgs.py`.

use std::io::{self, Write};

use imaging::{InputError, LabelIds};
use serde_json::{Value, json};
use shared::dataset::classes::CLASSES;
use shared::json;

use super::{FileLayout, LabelFacts, PictureGlobs, comma, image_name};
use crate::output::export::record::ExportRecord;
use crate::output::export::set::{Item, Set, Split};

/// The train id of the first class that is a thing: people, then vehicles.
const FIRST_THING: usize = 11;

pub(super) struct CocoPanoptic;

fn annotations(set: &Set, split: Split) -> String {
    format!("annotations/panoptic_{}.json", set.split_name(split))
}

impl FileLayout for CocoPanoptic {
    fn image(&self, set: &Set, item: &Item) -> String {
        format!("{}/{}", set.split_of(item), image_name(set, item))
    }

    fn labels(&self, set: &Set, item: &Item) -> Vec<String> {
        let path = format!("panoptic_{}/{}", set.split_of(item), image_name(set, item));
        vec![path]
    }

    fn encode(&self, label: &LabelIds) -> Result<Vec<Vec<u8>>, InputError> {
        Ok(vec![label.panoptic_png()?])
    }

    fn summaries(&self, set: &Set) -> Vec<String> {
        let splits = set.splits().into_iter();
        splits.map(|split| annotations(set, split)).collect()
    }

    fn summarise(
        &self,
        path: &str,
        set: &Set,
        facts: &[Option<Box<LabelFacts>>],
        to: &mut dyn Write,
    ) -> io::Result<()> {
        let mut splits = set.splits().into_iter();
        let split = splits.find(|&split| annotations(set, split) == path);
        let split = split.unwrap_or(Split::Train);
        let info = json!({"description": format!("run {}, {}", set.run, set.split_name(split))});
        write!(to, "{{\"info\": {info}, \"licenses\": [],\n\"images\": [")?;
        for (position, item) in set.of(split).enumerate() {
            let image = json!({
                "id": position + 1,
                "file_name": image_name(set, item),
                "width": item.width,
                "height": item.height,
                "content": set.content(item).name,
                "style": set.style(item).name,
            });
            write!(to, "{}\n{image}", comma(position))?;
        }
        write!(to, "],\n\"annotations\": [")?;
        for (position, item) in set.of(split).enumerate() {
            let annotation = json!({
                "image_id": position + 1,
                "file_name": image_name(set, item),
                "segments_info": segments(facts.get(item.content as usize)),
            });
            write!(to, "{}\n{annotation}", comma(position))?;
        }
        writeln!(to, "],\n\"categories\": {}}}", json::line(&categories()))
    }

    fn globs(&self, record: &ExportRecord) -> PictureGlobs {
        let splits = record.splits.keys();
        let (images, labels) = splits
            .map(|split| (format!("{split}/*.png"), format!("panoptic_{split}/*.png")))
            .unzip();
        PictureGlobs { images, labels }
    }

    fn usage(&self, record: &ExportRecord) -> String {
        let train = &record.train;
        format!(
            "COCO's panoptic format: `annotations/panoptic_{train}.json` with the segments of `panoptic_{train}/`, and the \
             images in `{train}/`, as panopticapi reads them. Ids of segments and categories are label ids of Cityscapes. \
             **Labels tell no instances:** each class of an image is one segment, those of people and vehicles too. Train \
             semantic heads on it, and none that tell instances apart.\n"
        )
    }
}

/// Returns the segments of a label.
fn segments(facts: Option<&Option<Box<LabelFacts>>>) -> Vec<Value> {
    let facts = facts.and_then(Option::as_deref);
    let shown = facts.into_iter().flat_map(LabelFacts::shown);
    let segment = |(train_id, class): (usize, &super::facts::ClassFacts)| {
        json!({
            "id": CLASSES[train_id].label_id,
            "category_id": CLASSES[train_id].label_id,
            "area": class.pixels,
            "bbox": class.bounding_box(),
            "iscrowd": 0,
        })
    };
    shown.map(segment).collect()
}

fn categories() -> Vec<Value> {
    let category = |(train_id, class): (usize, &shared::dataset::classes::Class)| {
        let is_thing = train_id >= FIRST_THING;
        json!({
            "id": class.label_id,
            "name": class.name,
            "supercategory": if is_thing { "thing" } else { "stuff" },
            "isthing": u8::from(is_thing),
            "color": class.colour,
        })
    };
    CLASSES.iter().enumerate().map(category).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::export::format::facts::tests::facts;
    use crate::output::export::set::tests::set;

    #[test]
    fn each_class_of_an_image_is_a_segment_and_things_are_groups() {
        let set = set(2);
        let facts = vec![Some(Box::new(facts())), Some(Box::new(facts()))];
        let path = "annotations/panoptic_train.json";
        assert!(CocoPanoptic.summaries(&set).contains(&path.to_owned()));
        let mut written = Vec::new();
        CocoPanoptic
            .summarise(path, &set, &facts, &mut written)
            .unwrap();
        let read: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(read["images"].as_array().unwrap().len(), 2);
        let item = &set.items[3];
        assert_eq!(CocoPanoptic.image(&set, item), "train/00001_snow-2.png");
        let labels = CocoPanoptic.labels(&set, item);
        assert_eq!(labels, ["panoptic_train/00001_snow-2.png"]);
        assert_eq!(
            read["images"][1],
            json!({
                "id": 2, "file_name": "00001_snow-2.png", "width": 4, "height": 2,
                "content": "00001", "style": "snow_2",
            })
        );
        assert_eq!(
            read["annotations"][1],
            json!({"image_id": 2, "file_name": "00001_snow-2.png", "segments_info": [
                {"id": 7, "category_id": 7, "area": 3, "bbox": [0, 1, 4, 1], "iscrowd": 0},
                {"id": 26, "category_id": 26, "area": 2, "bbox": [1, 0, 1, 2], "iscrowd": 0},
            ]})
        );
        let categories = read["categories"].as_array().unwrap();
        assert_eq!(categories.len(), 19);
        assert_eq!(CLASSES[FIRST_THING].name, "person");
        let car = json!({
            "id": 26, "name": "car", "supercategory": "thing", "isthing": 1, "color": [0, 0, 142],
        });
        assert_eq!(categories[13], car);
    }
}
