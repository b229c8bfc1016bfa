//! The columns of the manifest: rows to Arrow and back.
//!
//! A column is one line of [`COLUMNS`]. Its type, whether it may be absent, how it is taken from a row and how it is read
//! back follow from that line.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use jiff::Timestamp;

use super::column::{
    Amount, Attempt, Cell, Column, Extra, Figure, FigureOfPixels, FileDigest, Kind, Told,
};
use super::{ManifestError, ManifestRow, Output, RowOrigin, Status, Work, features, label_columns};
use crate::failure::FailureClass;
use crate::ids::{ItemId, RunId, ShardId};
use crate::item_metric::ItemMetric;
use crate::warning::WarningKind;

/// A column by the place of its values in a row, whose last part is its name, and by their [`Kind`]:
///
/// - `column!(worker: Told)` is `row.worker`
/// - `column!(item.content: String)` is `row.item.content`
/// - `column!(work?.load_ms: Amount)` is `row.work`'s `load_ms`, and null in rows without work
macro_rules! column {
    ($name:ident: $kind:ty) => {
        Column::of::<$kind>(
            stringify!($name),
            false,
            |row| Some(&row.$name),
            |row| Some(&mut row.$name),
        )
    };
    ($part:ident.$name:ident: $kind:ty) => {
        Column::of::<$kind>(
            stringify!($name),
            false,
            |row| Some(&row.$part.$name),
            |row| Some(&mut row.$part.$name),
        )
    };
    ($part:ident?.$name:ident: $kind:ty) => {
        Column::of::<$kind>(
            stringify!($name),
            true,
            |row| row.$part.as_ref().map(|part| &part.$name),
            |row| row.$part.as_mut().map(|part| &mut part.$name),
        )
    };
}

/// The columns, in the order of a reader's interest, but for that of [`features`]; those that only some manifests have are
/// the last.
///
/// To add one, such as how long an item waited for its inputs: a field `wait_ms: f64` in [`Work`], and here, where it is to
/// stand, the line
///
/// ```text
/// column!(work?.wait_ms: Amount),
/// ```
///
/// A figure for each item is a variant of [`ItemMetric`] and no line. A test has the stored columns word by word and
/// fails until it has the new one. Manifests without it, which earlier programs wrote, are refused with its name, unless it
/// says that it is [`missing_earlier`](Column::missing_earlier) or [`only_with`](Column::only_with) others.
static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let mut columns = vec![
        column!(run: RunId),
        column!(shard: ShardId),
        column!(item.content: String),
        column!(item.style: String),
        column!(status: Status),
        column!(error_class: Option<FailureClass>),
        column!(error: Option<Told>),
        column!(warning: Option<Told>),
        column!(warning_kinds: Vec<WarningKind>),
        column!(attempt: Attempt),
        column!(worker: Told),
        column!(device: Told),
        column!(seed: u64),
        column!(config_hash: String),
        column!(model_sha256: String),
        column!(output?.image_key: String),
        column!(output?.label_key: String),
        column!(output?.width: u32),
        column!(output?.height: u32),
        column!(content_sha256: Option<FileDigest>),
        column!(output?.image_sha256: FileDigest),
        column!(output?.label_sha256: FileDigest),
    ];
    columns.extend(ItemMetric::ALL.map(|metric| match metric.network() {
        None => column_of::<FigureOfPixels>(metric),
        Some(_) => column_of::<Option<Figure>>(metric),
    }));
    columns.extend([
        column!(quality?.train_ids: Vec<u8>),
        column!(work?.unet_evaluations: Amount),
        column!(work?.style_evaluations: Amount),
        column!(work?.load_ms: Amount),
        column!(work?.encode_ms: Amount),
        column!(work?.denoise_ms: Amount),
        column!(work?.decode_ms: Amount),
        column!(work?.store_ms: Amount),
        column!(work?.quality_ms: Amount),
        column!(work?.content_ms: Option<Amount>).missing_earlier(),
        column!(work?.style_ms: Option<Amount>).missing_earlier(),
        column!(started_at: Timestamp),
        column!(finished_at: Timestamp),
    ]);
    columns.extend(label_columns::columns());
    columns
});

fn column_of<K: Kind<Value = Option<f64>>>(metric: ItemMetric) -> Column {
    Column::of::<K>(
        metric.as_str(),
        true,
        move |row| row.quality.as_ref().map(|quality| &quality.figures[metric]),
        move |row| {
            let quality = row.quality.as_mut();
            quality.map(|quality| &mut quality.figures[metric])
        },
    )
}

/// Returns the row at a place of a batch as its columns find it: with those of its parts that it has, and nothing in them.
/// The first column of a part tells.
fn unread(batch: &RecordBatch, at: usize) -> Result<ManifestRow, ManifestError> {
    Ok(ManifestRow {
        output: has::<StringArray>(batch, "image_key", at)?.then(Output::default),
        quality: if has::<Float64Array>(batch, ItemMetric::Ssim.as_str(), at)? {
            Some(label_columns::unread(batch, at)?)
        } else {
            None
        },
        work: has::<Float64Array>(batch, "unet_evaluations", at)?.then(Work::default),
        ..UNREAD.clone()
    })
}

fn has<A: Array + 'static>(
    batch: &RecordBatch,
    name: &'static str,
    at: usize,
) -> Result<bool, ManifestError> {
    Ok(!Cell::<A>::of(batch, name, at)?.is_null())
}

/// Returns whether there is a value in a column that only some manifests have.
pub(super) fn has_extra<A: Array + 'static>(
    batch: &RecordBatch,
    name: &'static str,
    at: usize,
) -> Result<bool, ManifestError> {
    Ok(batch.column_by_name(name).is_some() && has::<A>(batch, name, at)?)
}

/// A row of which nothing is read.
static UNREAD: LazyLock<ManifestRow> = LazyLock::new(|| {
    let origin = RowOrigin {
        run: "unread".parse().expect("a run may be called so"),
        shard: ShardId(0),
        attempt: 0,
        worker: String::new(),
        device: String::new(),
        seed: 0,
        config_hash: String::new(),
        model_sha256: String::new(),
    };
    let item = ItemId {
        style: String::new(),
        content: String::new(),
    };
    let then = Timestamp::UNIX_EPOCH;
    ManifestRow::new(origin, item, (then, then))
});

/// What a manifest has beside the columns of every one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extras {
    /// Whether it has what a segmenter finds, in figures.
    pub(super) label_figures: bool,
    /// Whether it has the pixels that these are computed from.
    pub(super) confusions: bool,
    /// How many features of each output it has, if it has any.
    pub(super) num_features: Option<usize>,
}

impl Extras {
    /// Returns what some rows of a shard have.
    pub(super) fn of(rows: &[ManifestRow]) -> Self {
        let mut qualities = rows.iter().filter_map(|row| row.quality.as_ref());
        Self {
            label_figures: qualities.clone().any(label_columns::has_figures),
            confusions: qualities.any(|quality| quality.agreement.is_some()),
            num_features: rows.iter().find_map(|row| Some(features::of(row)?.len())),
        }
    }

    /// Returns what a batch must have, as it has some of it.
    fn of_batch(batch: &RecordBatch) -> Self {
        let has = |extra| {
            let mut columns = COLUMNS.iter().filter(|column| column.extra == Some(extra));
            columns.any(|column| batch.column_by_name(column.name).is_some())
        };
        Self {
            label_figures: has(Extra::LabelFigures),
            confusions: has(Extra::Confusions),
            num_features: None,
        }
    }

    /// Returns the columns of such a manifest, but for that of [`features`].
    fn columns(self) -> impl Iterator<Item = &'static Column> {
        COLUMNS.iter().filter(move |column| match column.extra {
            None => true,
            Some(Extra::LabelFigures) => self.label_figures,
            Some(Extra::Confusions) => self.confusions,
        })
    }
}

/// Returns the schema of a manifest.
pub(super) fn schema(extras: Extras) -> SchemaRef {
    let fields = extras.columns().map(|column| column.field.clone());
    let mut fields: Vec<Field> = fields.collect();
    fields.extend(extras.num_features.map(features::field));
    Arc::new(Schema::new(fields))
}

/// Returns the names of the columns whose values never repeat.
pub(super) fn without_repetition() -> impl Iterator<Item = &'static str> {
    let columns = COLUMNS.iter().filter(|column| !column.repeats);
    columns.map(|column| column.name)
}

/// Returns the first column of a row whose number is no figure: one that is not finite, or no amount of work.
pub(super) fn no_figure(row: &ManifestRow) -> Option<&'static str> {
    let wrong = COLUMNS.iter().find(|column| !column.is_sound(row));
    let features = (!features::are_sound(row)).then_some(features::NAME);
    wrong.map(|column| column.name).or(features)
}

/// Returns the rows as one batch of [`schema`].
pub(super) fn batch(rows: &[ManifestRow], extras: Extras) -> Result<RecordBatch, ManifestError> {
    let arrays = extras.columns().map(|column| column.array(rows));
    let mut arrays: Vec<ArrayRef> = arrays.collect();
    let of_features = extras.num_features;
    arrays.extend(of_features.map(|length| features::array(rows, length)));
    Ok(RecordBatch::try_new(schema(extras), arrays)?)
}

/// Returns the rows of a batch. Columns that are none of ours are passed over.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<ManifestRow>, ManifestError> {
    let is_there = |column: &Column| batch.column_by_name(column.name).is_some();
    let columns = Extras::of_batch(batch).columns();
    let columns = columns.filter(|column| !column.may_be_missing || is_there(column));
    let columns: Vec<&Column> = columns.collect();
    let is_lost = |column: &&&Column| column.extra.is_some() && !is_there(column);
    if let Some(lost) = columns.iter().find(is_lost) {
        return Err(ManifestError::Column(lost.name));
    }
    let places = 0..batch.num_rows();
    places.map(|at| row(batch, at, &columns)).collect()
}

fn row(batch: &RecordBatch, at: usize, columns: &[&Column]) -> Result<ManifestRow, ManifestError> {
    let mut row = unread(batch, at)?;
    for column in columns {
        column.read_into(&mut row, batch, at)?;
    }
    label_columns::check_figures(&mut row)?;
    if let Some(quality) = &mut row.quality {
        quality.features = features::read(batch, at)?;
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, TimeUnit};

    use super::*;

    /// What is stored: a change of it is another format, which programs of one version write and those of another read.
    #[test]
    fn columns_are_stored_under_these_names_as_these_types_and_in_this_order() {
        let (text, float) = (DataType::Utf8, DataType::Float64);
        let list_of = |element| DataType::List(Arc::new(Field::new("item", element, true)));
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let expected = [
            ("run", &text, false),
            ("shard", &DataType::UInt32, false),
            ("content", &text, false),
            ("style", &text, false),
            ("status", &text, false),
            ("error_class", &text, true),
            ("error", &text, true),
            ("warning", &text, true),
            ("warning_kinds", &list_of(DataType::Utf8), false),
            ("attempt", &DataType::UInt32, false),
            ("worker", &text, false),
            ("device", &text, false),
            ("seed", &DataType::UInt64, false),
            ("config_hash", &text, false),
            ("model_sha256", &text, false),
            ("image_key", &text, true),
            ("label_key", &text, true),
            ("width", &DataType::UInt32, true),
            ("height", &DataType::UInt32, true),
            ("content_sha256", &text, true),
            ("image_sha256", &text, true),
            ("label_sha256", &text, true),
            ("ssim", &float, true),
            ("lpips", &float, true),
            ("train_ids", &list_of(DataType::UInt8), true),
            ("unet_evaluations", &float, true),
            ("style_evaluations", &float, true),
            ("load_ms", &float, true),
            ("encode_ms", &float, true),
            ("denoise_ms", &float, true),
            ("decode_ms", &float, true),
            ("store_ms", &float, true),
            ("quality_ms", &float, true),
            ("content_ms", &float, true),
            ("style_ms", &float, true),
            ("started_at", &time, false),
            ("finished_at", &time, false),
        ];
        let schema_of_run = schema(Extras::default());
        let found = schema_of_run.fields().iter();
        let found: Vec<_> = found
            .map(|field| {
                (
                    field.name().as_str(),
                    field.data_type(),
                    field.is_nullable(),
                )
            })
            .collect();
        assert_eq!(found, expected);
        let missing_earlier = COLUMNS.iter().filter(|column| column.may_be_missing);
        let missing_earlier: Vec<_> = missing_earlier.map(|column| column.name).collect();
        assert_eq!(missing_earlier, ["content_ms", "style_ms"]);

        let features = schema(Extras {
            num_features: Some(3),
            ..Extras::default()
        });
        let (features, others) = features.fields().split_last().unwrap();
        assert_eq!(others, &schema_of_run.fields()[..]);
        let element = Arc::new(Field::new("item", DataType::Float32, true));
        let list = DataType::FixedSizeList(element, 3);
        assert_eq!(features.as_ref(), &Field::new("features", list, true));

        let without: Vec<_> = without_repetition().collect();
        let of_every_manifest = ["content_sha256", "image_sha256", "label_sha256"];
        let others = ["prediction_sha256", "content_prediction_sha256"];
        assert_eq!(without, [&of_every_manifest[..], &others].concat());
    }
}
