//! `croissant.json`: what the files of an export hold, for programs.
//!
//! **Source:** Croissant 1.0 of MLCommons (<http://mlcommons.org/croissant/1.0>): files and sets of them, and records whose
//! fields say from where in these they come.

use serde_json::{Value, json};
use shared::item_metric::ItemMetric;
use shared::wording::counted;

use super::format::{Layout, PictureGlobs};
use super::record::ExportRecord;
use super::set::LABEL_FIGURES;
use super::{Written, table};

pub(super) const FILE: &str = "croissant.json";

/// What parts of a set are called in vocabularies.
const SPLIT: &str = "https://www.wikidata.org/wiki/Q3985153";

/// Files and records of an export.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) distribution: Vec<Value>,
    pub(super) record_sets: Vec<Value>,
}

impl Parts {
    /// Returns the sets of images and of labels, each with their contents as records. `within` are the files that hold them;
    /// none where each is a file.
    pub(super) fn of_pictures(globs: &PictureGlobs, within: Option<&[Value]>) -> Self {
        let sets = [
            ("images", &globs.images, "An image."),
            ("labels", &globs.labels, "The label of an image."),
        ];
        let distribution = sets.iter().map(|(name, includes, _)| {
            let mut set = json!({
                "@type": "cr:FileSet",
                "@id": format!("{name}-files"),
                "name": format!("{name}-files"),
                "encodingFormat": "image/png",
                "includes": includes,
            });
            if let Some(within) = within {
                set["containedIn"] = json!(within);
            }
            set
        });
        let record_sets = sets.iter().map(|(name, _, description)| {
            let files = format!("{name}-files");
            let field = |part: &str, data_type: &str, property: &str, description: &str| {
                let id = format!("{name}/{part}");
                json!({
                    "@type": "cr:Field",
                    "@id": id,
                    "name": id,
                    "description": description,
                    "dataType": data_type,
                    "source": {"fileSet": {"@id": files}, "extract": {"fileProperty": property}},
                })
            };
            json!({
                "@type": "cr:RecordSet",
                "@id": name,
                "name": name,
                "field": [
                    field("path", "sc:Text", "fullpath", "Where it is."),
                    field("content", "sc:ImageObject", "content", description),
                ],
            })
        });
        Self {
            distribution: distribution.collect(),
            record_sets: record_sets.collect(),
        }
    }
}

/// Returns the description of an export, as it is written.
pub(super) fn document(
    record: &ExportRecord,
    layout: &Layout,
    written: &Written,
    table_sha256: &str,
) -> String {
    let Parts {
        mut distribution,
        mut record_sets,
    } = match layout {
        Layout::Files(layout) => Parts::of_pictures(&layout.globs(record), None),
        Layout::Packs(layout) => layout.croissant(&written.packs),
    };
    distribution.push(json!({
        "@type": "cr:FileObject",
        "@id": table::FILE,
        "name": table::FILE,
        "description": "A line for each item.",
        "contentUrl": table::FILE,
        "encodingFormat": "text/csv",
        "sha256": table_sha256,
    }));
    record_sets.push(items());
    let mut document = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": format!("synth2real-{}", record.run),
        "description": format!(
            "{} of run {}: labelled synthetic images in the styles of real photographs, exported as {}.",
            counted(record.num_items(), "item", "items"), record.run, record.format
        ),
        "url": "README.md",
        "citeAs": format!("@misc{{{0}, title = {{synth2real run {0}}}}}", record.run),
        "version": "1.0.0",
        "datePublished": record.created_at.strftime("%Y-%m-%d").to_string(),
        "distribution": distribution,
        "recordSet": record_sets,
    });
    if !record.licences.is_empty() {
        document["license"] = json!(record.licences);
    }
    format!("{document:#}\n")
}

/// Returns the items as records: what the table says of each.
fn items() -> Value {
    let field = |column: &str, data_type: Value, description: &str| {
        let id = format!("items/{column}");
        json!({
            "@type": "cr:Field",
            "@id": id,
            "name": id,
            "description": description,
            "dataType": data_type,
            "source": {"fileObject": {"@id": table::FILE}, "extract": {"column": column}},
        })
    };
    let text = |column: &str, description: &str| field(column, json!("sc:Text"), description);
    let mut fields = vec![
        field("split", json!(["sc:Text", SPLIT]), "The split."),
        text("style", "The photograph whose style the image has."),
        text("content", "The synthetic image that it was made of."),
        text("image", "The name of the image's file."),
        text("label", "The name of the label's file."),
    ];
    fields.extend(ItemMetric::ALL.map(|metric| {
        let description = format!("{} of the image and its content.", metric.meaning());
        field(metric.as_str(), json!("sc:Float"), &description)
    }));
    let agreement =
        "Mean IoU of what a segmenter finds and the label, of the image or of its content.";
    let of_labels = LABEL_FIGURES.map(|name| field(name, json!("sc:Float"), agreement));
    fields.extend(of_labels);
    json!({
        "@type": "cr:RecordSet",
        "@id": "items",
        "name": "items",
        "description": "The items.",
        "field": fields,
    })
}

/// Returns the context of Croissant 1.0, word by word.
fn context() -> Value {
    json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "equivalentProperty": "cr:equivalentProperty",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "extract": "cr:extract",
        "field": "cr:field",
        "fileProperty": "cr:fileProperty",
        "fileObject": "cr:fileObject",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "parentField": "cr:parentField",
        "path": "cr:path",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::output::export::format::Format;
    use crate::output::export::record::tests::record;

    /// Returns all values under a key, at any depth.
    fn under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name == key {
                        found.push(value);
                    }
                    under(value, key, found);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| under(value, key, found)),
            _ => {}
        }
    }

    #[test]
    fn every_field_comes_from_a_file_that_is_described() {
        for format in Format::ALL {
            let record = record(format, 2);
            let layout = format.layout(1 << 30);
            let text = document(&record, &layout, &Written::default(), "0");
            let document: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(document["license"], json!(["CC BY 4.0"]));
            let files = document["distribution"].as_array().unwrap();
            let files: BTreeSet<&str> =
                files.iter().map(|it| it["@id"].as_str().unwrap()).collect();
            let mut sources = Vec::new();
            under(&document["recordSet"], "fileSet", &mut sources);
            under(&document["recordSet"], "fileObject", &mut sources);
            assert!(sources.len() > 5, "{format}: {sources:?}");
            for source in sources {
                let id = source["@id"].as_str().unwrap();
                assert!(files.contains(id), "{format} names {id}: {files:?}");
            }
            let mut ids = Vec::new();
            under(&document["recordSet"], "@id", &mut ids);
            let own = ids
                .iter()
                .filter(|id| !files.contains(id.as_str().unwrap()));
            let own: Vec<&str> = own.map(|id| id.as_str().unwrap()).collect();
            let different: BTreeSet<&str> = own.iter().copied().collect();
            assert_eq!(own.len(), different.len(), "{format}: {own:?}");
        }
    }
}
