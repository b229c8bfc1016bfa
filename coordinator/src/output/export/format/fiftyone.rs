//! A dataset that FiftyOne imports as `fiftyone.types.FiftyOneDataset`: `metadata.json` and `samples.json` beside the images
//! in `data/` and the masks in `fields/ground_truth/`.
//!
//! **Source:** FiftyOne's `LegacyFiftyOneDatasetExporter`. Its importer takes every `metadata.json` without a version for
//! that, so that no release's database document is written here.
//! **Differs:** masks are label ids, because FiftyOne shows nothing where a mask is 0, which is a road as a train id.

use std::io::{self, Write};

use imaging::{InputError, LabelIds};
use serde_json::{Map, Value, json};
use shared::dataset::classes::CLASSES;

use super::{FileLayout, LabelFacts, PictureGlobs, comma, image_name};
use crate::output::export::record::ExportRecord;
use crate::output::export::set::{Item, Set, figure_names};

const METADATA: &str = "metadata.json";
const SAMPLES: &str = "samples.json";
/// The field of a sample that holds its label.
const LABEL: &str = "ground_truth";

const TEXT: &str = "fiftyone.core.fields.StringField";
const NUMBER: &str = "fiftyone.core.fields.FloatField";
const MARK: &str = "fiftyone.core.fields.BooleanField";
const TEXTS: &str = "fiftyone.core.fields.ListField(fiftyone.core.fields.StringField)";
const SEGMENTATION: &str =
    "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.Segmentation)";

pub(super) struct Fiftyone;

impl FileLayout for Fiftyone {
    fn image(&self, set: &Set, item: &Item) -> String {
        format!("data/{}", image_name(set, item))
    }

    fn labels(&self, set: &Set, item: &Item) -> Vec<String> {
        vec![format!("fields/{LABEL}/{}", image_name(set, item))]
    }

    fn encode(&self, label: &LabelIds) -> Result<Vec<Vec<u8>>, InputError> {
        Ok(vec![label.label_id_png()?])
    }

    fn summaries(&self, _set: &Set) -> Vec<String> {
        vec![METADATA.to_owned(), SAMPLES.to_owned()]
    }

    fn summarise(
        &self,
        path: &str,
        set: &Set,
        _facts: &[Option<Box<LabelFacts>>],
        to: &mut dyn Write,
    ) -> io::Result<()> {
        if path == METADATA {
            return writeln!(to, "{}", metadata(set));
        }
        write!(to, "{{\"samples\": [")?;
        for (position, item) in set.items.iter().enumerate() {
            write!(to, "{}\n{}", comma(position), self.sample(set, item))?;
        }
        writeln!(to, "]}}")
    }

    fn globs(&self, _record: &ExportRecord) -> PictureGlobs {
        PictureGlobs {
            images: vec!["data/*.png".to_owned()],
            labels: vec![format!("fields/{LABEL}/*.png")],
        }
    }

    fn usage(&self, _record: &ExportRecord) -> String {
        "A dataset of FiftyOne. Splits and styles are tags, figures are fields, and the masks of `ground_truth` are label \
         ids of Cityscapes.\n\n\
         ```python\n\
         import fiftyone as fo\n\
         dataset = fo.Dataset.from_dir(dataset_dir=\"DIR\", dataset_type=fo.types.FiftyOneDataset)\n\
         ```\n"
            .to_owned()
    }
}

impl Fiftyone {
    fn sample(&self, set: &Set, item: &Item) -> Value {
        let told = json!({
            "filepath": self.image(set, item),
            "tags": [set.split_of(item), set.style(item).part],
            "metadata": null,
            LABEL: {
                "_cls": "Segmentation",
                "tags": [],
                "mask_path": self.labels(set, item).concat(),
            },
            "content": set.content(item).name,
            "style": set.style(item).name,
            "split": set.split_of(item),
            "run": set.run,
            "classes": item.class_names().collect::<Vec<_>>(),
            "warnings": item.warnings,
            "doubtful": item.is_doubtful,
        });
        with_figures(told, item.all_figures().map(|figure| json!(figure)))
    }
}

/// Returns an object with something for each figure, in their order.
fn with_figures(object: Value, of_figures: impl Iterator<Item = Value>) -> Value {
    let mut fields: Map<String, Value> = object.as_object().cloned().unwrap_or_default();
    let names = figure_names().map(str::to_owned);
    fields.extend(names.zip(of_figures));
    Value::Object(fields)
}

fn metadata(set: &Set) -> Value {
    // Beside those that every dataset has: `filepath`, `tags`, `metadata`.
    let fields = json!({
        LABEL: SEGMENTATION,
        "content": TEXT,
        "style": TEXT,
        "split": TEXT,
        "run": TEXT,
        "classes": TEXTS,
        "warnings": TEXTS,
        "doubtful": MARK,
    });
    let numbers = std::iter::repeat(Value::from(NUMBER));
    let targets = CLASSES.iter();
    let targets = targets.map(|class| (class.label_id.to_string(), Value::from(class.name)));
    json!({
        "name": format!("synth2real-{}", set.run),
        "media_type": "image",
        "sample_fields": with_figures(fields, numbers),
        "info": {"default_mask_targets": targets.collect::<Map<_, _>>()},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::export::set::tests::set;

    #[test]
    fn a_sample_has_its_mask_its_tags_and_its_figures() {
        let set = set(1);
        let read = |path: &str| -> Value {
            let mut written = Vec::new();
            Fiftyone.summarise(path, &set, &[], &mut written).unwrap();
            serde_json::from_slice(&written).unwrap()
        };
        let samples = read(SAMPLES);
        let samples = samples["samples"].as_array().unwrap();
        assert_eq!(samples.len(), 2);
        let sample = &samples[1];
        assert_eq!(sample["filepath"], "data/00000_snow-2.png");
        let mask = &sample["ground_truth"]["mask_path"];
        assert_eq!(mask, "fields/ground_truth/00000_snow-2.png");
        assert_eq!(sample["tags"], json!(["val", "snow-2"]));
        assert_eq!(
            (&sample["ssim"], &sample["lpips"]),
            (&json!(1.5), &Value::Null)
        );

        let metadata = read(METADATA);
        assert!(metadata.get("version").is_none(), "{metadata}");
        assert_eq!(metadata["info"]["default_mask_targets"]["26"], "car");
        let fields = metadata["sample_fields"].as_object().unwrap();
        let others = sample.as_object().unwrap().keys();
        let others: Vec<_> = others.filter(|key| !fields.contains_key(*key)).collect();
        assert_eq!(others, ["filepath", "metadata", "tags"]);
    }
}
