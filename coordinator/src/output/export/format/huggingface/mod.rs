//! Parquet files with images and labels as Hugging Face's `datasets` stores them: `data/{split}-00000-of-00001.parquet`, and
//! a card whose header says what they hold.
//!
//! **Source:** `datasets.Features.arrow_schema`, whose description of the columns stands in the schema's metadata, and the
//! storage of `datasets.Image`: a struct of `bytes` and `path`.

mod table;

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use self::table::{PICTURES, Table, columns};
use super::{PackLayout, PackWriter};
use crate::output::export::ExportError;
use crate::output::export::croissant::Parts;
use crate::output::export::options::VALIDATION;
use crate::output::export::packs::{Pack, Sizes};
use crate::output::export::record::ExportRecord;
use crate::output::export::set::{Set, Split};

/// What an item takes beside its pictures, as far as files are planned by it.
const TOLD_BYTES: u64 = 300;

pub(super) struct Huggingface {
    pub(super) file_bytes: u64,
}

/// Returns what `datasets` calls a split.
fn split_name(name: &str) -> &str {
    if name == VALIDATION {
        "validation"
    } else {
        name
    }
}

impl PackLayout for Huggingface {
    fn packs(&self, set: &Set, sizes: &Sizes) -> Result<Vec<Pack>, ExportError> {
        let mut packs = Vec::new();
        for split in set.splits() {
            let mut full: Vec<Pack> = Vec::new();
            let mut room = 0;
            for (position, item) in (0..).zip(&set.items) {
                if set.split(item) != split {
                    continue;
                }
                let pictures = sizes.image(position) + sizes.label(item);
                let bytes = pictures + TOLD_BYTES;
                if bytes > room {
                    full.push(Pack::new(String::new(), split));
                    room = self.file_bytes.max(bytes);
                }
                room -= bytes;
                if let Some(pack) = full.last_mut() {
                    pack.add(position, pictures);
                }
            }
            name(&mut full, split_name(set.split_name(split)));
            packs.extend(full);
        }
        Ok(packs)
    }

    fn begin(&self, set: Arc<Set>, file: File) -> io::Result<Box<dyn PackWriter>> {
        Ok(Box::new(Table::begin(set, file)?))
    }

    fn croissant(&self, packs: &[Pack]) -> Parts {
        let files = packs.iter().map(|pack| {
            json!({
                "@type": "cr:FileObject",
                "@id": pack.path,
                "name": pack.path,
                "contentUrl": pack.path,
                "encodingFormat": "application/x-parquet",
                "sha256": pack.sha256,
            })
        });
        let tables = json!({
            "@type": "cr:FileSet",
            "@id": "tables",
            "name": "tables",
            "encodingFormat": "application/x-parquet",
            "includes": "data/*.parquet",
        });
        let field = |name: &str, data_type: &str, transform: Option<Value>| {
            let mut source = json!({"fileSet": {"@id": "tables"}, "extract": {"column": name}});
            if let Some(transform) = transform {
                source["transform"] = transform;
            }
            let id = format!("rows/{name}");
            json!({"@type": "cr:Field", "@id": id, "name": id, "dataType": data_type, "source": source})
        };
        let picture = |name| field(name, "sc:ImageObject", Some(json!({"jsonPath": "bytes"})));
        let text = |name| field(name, "sc:Text", None);
        let fields = PICTURES.map(picture).into_iter();
        let fields = fields.chain(["content", "style", "classes"].map(text));
        let rows = json!({
            "@type": "cr:RecordSet",
            "@id": "rows",
            "name": "rows",
            "field": fields.collect::<Vec<_>>(),
        });
        Parts {
            distribution: files.chain([tables]).collect(),
            record_sets: vec![rows],
        }
    }

    fn card_header(&self, record: &ExportRecord, packs: &[Pack]) -> String {
        header(record, packs)
    }

    fn usage(&self, record: &ExportRecord) -> String {
        let train = split_name(&record.train);
        format!(
            "Parquet files for Hugging Face's `datasets`; `label` has train ids of Cityscapes.\n\n\
             ```python\n\
             import datasets\n\
             dataset = datasets.load_dataset(\"DIR\", split=\"{train}\")\n\
             ```\n"
        )
    }
}

/// Gives the files of a split their names, which say how many there are.
fn name(packs: &mut [Pack], split: &str) {
    let count = packs.len();
    for (number, pack) in packs.iter_mut().enumerate() {
        pack.path = format!("data/{split}-{number:05}-of-{count:05}.parquet");
    }
}

/// Returns the header of the card, by which `load_dataset` finds the files and what they hold. A text in JSON is one in YAML.
fn header(record: &ExportRecord, packs: &[Pack]) -> String {
    let mut header = "---\npretty_name: ".to_owned();
    let _ = writeln!(header, "{}", json!(format!("synth2real {}", record.run)));
    header.push_str("license: other\ntask_categories:\n- image-segmentation\n");
    header.push_str("configs:\n- config_name: default\n  data_files:\n");
    for split in record.splits.keys().map(|name| split_name(name)) {
        // Names such as `no` and `2024` are no texts in YAML.
        let _ = writeln!(
            header,
            "  - split: {}\n    path: data/{split}-*.parquet",
            json!(split)
        );
    }
    header.push_str("dataset_info:\n  features:\n");
    for (name, of) in columns() {
        let _ = writeln!(header, "  - name: {name}\n    dtype: {}", of.dtype());
    }
    header.push_str("  splits:\n");
    let mut whole = 0;
    for (name, count) in &record.splits {
        let is_validation = name == VALIDATION;
        let of_split = |pack: &&Pack| (pack.split == Split::Validation) == is_validation;
        let bytes: u64 = packs.iter().filter(of_split).map(|pack| pack.bytes).sum();
        whole += bytes;
        let name = json!(split_name(name));
        let _ = writeln!(
            header,
            "  - name: {name}\n    num_bytes: {bytes}\n    num_examples: {count}"
        );
    }
    let _ = writeln!(
        header,
        "  download_size: {whole}\n  dataset_size: {whole}\n---\n"
    );
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::export::record::tests::record;
    use crate::output::export::set::tests::set;

    fn planned(set: &Set, layout: &Huggingface, bytes: u64) -> Vec<Pack> {
        let sizes = Sizes {
            images: vec![bytes; set.items.len()],
            labels: vec![10; set.contents.len()],
        };
        layout.packs(set, &sizes).unwrap()
    }

    #[test]
    fn files_are_numbered_within_their_split_and_have_each_item_once() {
        let set = set(10);
        let layout = Huggingface { file_bytes: 5000 };
        let packs = planned(&set, &layout, 1000);
        let paths: Vec<&str> = packs.iter().map(|pack| pack.path.as_str()).collect();
        assert_eq!(paths[0], "data/train-00000-of-00006.parquet");
        assert_eq!(paths[6], "data/validation-00000-of-00001.parquet");
        let mut items: Vec<u32> = packs.iter().flat_map(|pack| pack.items.clone()).collect();
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<u32>>());
    }

    #[test]
    fn the_header_of_the_card_names_files_columns_and_numbers() {
        let layout = Huggingface {
            file_bytes: 1 << 20,
        };
        let packs = planned(&set(3), &layout, 1000);
        let header = layout.card_header(
            &record(crate::output::export::Format::Huggingface, 3),
            &packs,
        );
        for words in [
            "---\npretty_name: \"synth2real demo\"\nlicense: other\n",
            "  - split: \"train\"\n    path: data/train-*.parquet\n",
            "  - split: \"validation\"\n    path: data/validation-*.parquet\n",
            "  - name: label\n    dtype: image\n",
            "  - name: \"train\"\n    num_bytes: 4040\n    num_examples: 4\n",
            "  - name: \"validation\"\n    num_bytes: 2020\n    num_examples: 2\n",
            "  dataset_size: 6060\n---\n",
        ] {
            assert!(header.contains(words), "no {words:?} in\n{header}");
        }
    }

    #[test]
    fn the_name_of_a_split_is_a_text_in_yaml_whatever_it_is() {
        for name in ["2024", "1e3", "no", "null", "true", "0x10"] {
            let record = ExportRecord {
                splits: [(name.to_owned(), 4)].into(),
                ..record(crate::output::export::Format::Huggingface, 2)
            };
            let header = header(&record, &[]);
            for words in [
                format!("  - split: \"{name}\"\n    path: data/{name}-*.parquet\n"),
                format!("  - name: \"{name}\"\n    num_bytes: 0\n"),
            ] {
                assert!(header.contains(&words), "no {words:?} in\n{header}");
            }
        }
    }
}
