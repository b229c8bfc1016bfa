//! The columns of a table, and a file of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, StringArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};

use crate::output::export::format::{PackWriter, image_name, label_name};
use crate::output::export::set::{Item, Set, figure_names};

/// What becomes a row group at most, and so is in memory at once.
const ROW_GROUP_BYTES: usize = 100_000_000;
/// What is turned into columns at once.
const BATCH_BYTES: usize = 16 << 20;
/// The columns that hold pictures.
pub(super) const PICTURES: [&str; 2] = ["image", "label"];
/// What the files were written by.
const CREATED_BY: &str = "synth2real";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Picture,
    Text,
    Whole,
    Number,
    Mark,
}

impl Kind {
    pub(super) fn dtype(self) -> &'static str {
        match self {
            Self::Picture => "image",
            Self::Text => "string",
            Self::Whole => "int32",
            Self::Number => "float64",
            Self::Mark => "bool",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Picture => DataType::Struct(picture_fields()),
            Self::Text => DataType::Utf8,
            Self::Whole => DataType::Int32,
            Self::Number => DataType::Float64,
            Self::Mark => DataType::Boolean,
        }
    }

    /// Returns what `datasets` calls it in a schema.
    fn feature(self) -> Value {
        match self {
            Self::Picture => json!({"_type": "Image"}),
            Self::Text | Self::Whole | Self::Number | Self::Mark => {
                json!({"dtype": self.dtype(), "_type": "Value"})
            }
        }
    }
}

/// Returns the columns, in the order of a reader's interest.
pub(super) fn columns() -> Vec<(&'static str, Kind)> {
    let mut columns: Vec<_> = PICTURES.map(|name| (name, Kind::Picture)).to_vec();
    columns.extend([("content", Kind::Text), ("style", Kind::Text)]);
    columns.extend([("width", Kind::Whole), ("height", Kind::Whole)]);
    columns.extend([("classes", Kind::Text), ("warnings", Kind::Text)]);
    columns.extend(figure_names().map(|name| (name, Kind::Number)));
    columns.push(("doubtful", Kind::Mark));
    columns
}

fn picture_fields() -> Fields {
    Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ])
}

fn schema() -> SchemaRef {
    let columns = columns();
    let fields = columns.iter();
    let fields = fields.map(|(name, kind)| Field::new(*name, kind.data_type(), true));
    let fields: Vec<Field> = fields.collect();
    let features = columns.iter();
    let features = features.map(|(name, kind)| ((*name).to_owned(), kind.feature()));
    let features: Map<String, Value> = features.collect();
    let described = json!({"info": {"features": features}}).to_string();
    let metadata = [("huggingface", described)];
    Arc::new(Schema::new(fields).with_metadata(metadata))
}

/// Pictures are compressed already, and none is looked for by its bytes.
fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()));
    for picture in PICTURES {
        let bytes = ColumnPath::new(vec![picture.to_owned(), "bytes".to_owned()]);
        properties = properties
            .set_column_compression(bytes.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(bytes.clone(), false)
            .set_column_statistics_enabled(bytes, EnabledStatistics::None);
    }
    properties.build()
}

/// An item that is still to become a row.
struct Row {
    item: Item,
    image: Vec<u8>,
    label: Vec<u8>,
}

/// A file that is written.
pub(super) struct Table {
    set: Arc<Set>,
    schema: SchemaRef,
    writer: ArrowWriter<BufWriter<File>>,
    rows: Vec<Row>,
    /// Of the pictures in these.
    bytes: usize,
}

impl Table {
    /// Begins a file.
    pub(super) fn begin(set: Arc<Set>, file: File) -> io::Result<Self> {
        let schema = schema();
        let to = BufWriter::new(file);
        Ok(Self {
            writer: ArrowWriter::try_new(to, Arc::clone(&schema), Some(properties()))?,
            set,
            schema,
            rows: Vec::new(),
            bytes: 0,
        })
    }

    fn write_rows(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let arrays = arrays(&self.set, &rows)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        self.writer.write(&batch.map_err(io::Error::other)?)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES - BATCH_BYTES {
            self.writer.flush()?;
        }
        Ok(())
    }
}

impl PackWriter for Table {
    fn add(&mut self, item: &Item, image: &[u8], label: &[u8]) -> io::Result<()> {
        self.rows.push(Row {
            item: item.clone(),
            image: image.to_vec(),
            label: label.to_vec(),
        });
        self.bytes += image.len() + label.len();
        if self.bytes >= BATCH_BYTES {
            self.write_rows()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_rows()?;
        let Self { writer, .. } = *self;
        writer.into_inner()?.flush()
    }
}

/// Returns the columns of some items.
fn arrays(set: &Set, rows: &[Row]) -> io::Result<Vec<ArrayRef>> {
    let texts = |of: &dyn Fn(&Item) -> String| -> ArrayRef {
        let texts = rows.iter().map(|row| of(&row.item));
        Arc::new(StringArray::from_iter_values(texts))
    };
    let wholes = |of: &dyn Fn(&Item) -> u32| -> ArrayRef {
        let wholes = rows.iter().map(|row| i32::try_from(of(&row.item)).ok());
        Arc::new(Int32Array::from_iter(wholes))
    };
    let mut arrays = vec![
        pictures(
            rows.iter().map(|row| row.image.as_slice()),
            texts(&|item| image_name(set, item)),
        )?,
        pictures(
            rows.iter().map(|row| row.label.as_slice()),
            texts(&|item| label_name(set, item)),
        )?,
        texts(&|item| set.content(item).name.clone()),
        texts(&|item| set.style(item).name.clone()),
        wholes(&|item| item.width),
        wholes(&|item| item.height),
        texts(&|item| item.class_names().collect::<Vec<_>>().join(", ")),
        texts(&|item| item.warning_names().join(", ")),
    ];
    let figures: Vec<Vec<Option<f64>>> = rows
        .iter()
        .map(|row| row.item.all_figures().collect())
        .collect();
    arrays.extend((0..figure_names().count()).map(|column| -> ArrayRef {
        let figures = figures.iter().map(|of_row| of_row[column]);
        Arc::new(Float64Array::from_iter(figures))
    }));
    let marks = rows.iter().map(|row| Some(row.item.is_doubtful));
    arrays.push(Arc::new(BooleanArray::from_iter(marks)));
    Ok(arrays)
}

fn pictures<'a>(bytes: impl Iterator<Item = &'a [u8]>, paths: ArrayRef) -> io::Result<ArrayRef> {
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(bytes));
    let pictures = StructArray::try_new(picture_fields(), vec![bytes, paths], None);
    Ok(Arc::new(pictures.map_err(io::Error::other)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Float64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::output::export::set::tests::set;

    #[test]
    fn a_table_is_read_back_with_its_pictures_and_says_what_its_columns_are() {
        let set = Arc::new(set(1));
        let made = tempfile::NamedTempFile::new().unwrap();
        let table = Table::begin(Arc::clone(&set), made.reopen().unwrap());
        let mut writer = Box::new(table.unwrap());
        for item in &set.items {
            writer.add(item, b"image", b"label").unwrap();
        }
        writer.finish().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(made.reopen().unwrap()).unwrap();
        let described = &reader.schema().metadata()["huggingface"];
        let described: Value = serde_json::from_str(described).unwrap();
        let features = &described["info"]["features"];
        assert_eq!(features["image"], json!({"_type": "Image"}));
        assert_eq!(
            features["style"],
            json!({"_type": "Value", "dtype": "string"})
        );
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let batch = &batches[0];
        assert_eq!(batch.num_rows(), 2);
        let images = batch.column_by_name("image").unwrap().as_struct();
        assert_eq!(images.column(0).as_binary::<i32>().value(1), b"image");
        assert_eq!(
            images.column(1).as_string::<i32>().value(1),
            "00000_snow-2.png"
        );
        let classes = batch.column_by_name("classes").unwrap().as_string::<i32>();
        assert_eq!(classes.value(0), "road, car");
        let ssim = batch.column_by_name("ssim").unwrap();
        assert_eq!(ssim.as_primitive::<Float64Type>().value(1), 1.5);
        assert!(batch.column_by_name("lpips").unwrap().is_null(0));
    }
}
