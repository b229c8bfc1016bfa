//! The columns of the manifest: rows to Arrow and back.
//!
//! A column is one line of [`COLUMNS`]. Its type, whether it may be absent, how it is taken from a row and how it is read
//! back follow from that line.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Fields, Schema, SchemaRef};
use jiff::Timestamp;

use super::column::{
    Amount, Attempt, Cell, Column, Extra, Figure, FigureOfPixels, FileDigest, Kind, Told,
};
use super::{ManifestError, ManifestRow, Output, RowOrigin, Status, Work, features, label_columns};
use crate::failure::FailureClass;
use crate::ids::{ItemId, RunId, ShardId};
use crate::item_metric::ItemMetric;
use crate::platform::Platform;
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
/// says that it is [`missing_earlier`](Column::missing_earlier) or [`only_with`](Column::only_with) others. One that a
/// run's counts are made of says that it is [`counted`](Column::counted).
pub(super) static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let mut columns = vec![
        column!(run: RunId).counted(),
        column!(shard: ShardId).counted(),
        column!(item.content: String).counted(),
        column!(item.style: String).counted(),
        column!(status: Status).counted(),
        column!(error_class: Option<FailureClass>),
        column!(error: Option<Told>).counted(),
        column!(warning: Option<Told>).counted(),
        column!(warning_kinds: Vec<WarningKind>).counted(),
        column!(attempt: Attempt).counted(),
        column!(worker: Told).counted(),
        column!(device: Told),
        column!(platform.gpu: Option<Told>).missing_earlier(),
        column!(platform.compute_capability: Option<Told>).missing_earlier(),
        column!(platform.driver: Option<Told>).missing_earlier(),
        column!(platform.cudnn: Option<Told>).missing_earlier(),
        column!(platform.onnxruntime: Option<Told>).missing_earlier(),
        column!(platform.injection: Option<Told>).missing_earlier(),
        column!(seed: u64).counted(),
        column!(config_hash: String).counted(),
        column!(model_sha256: String).counted(),
        column!(output?.image_key: String),
        column!(output?.label_key: String),
        column!(output?.width: u32),
        column!(output?.height: u32),
        column!(content_sha256: Option<FileDigest>),
        column!(output?.image_sha256: FileDigest),
        column!(output?.label_sha256: FileDigest),
        column!(prior_sha256: Option<String>).missing_earlier(),
    ];
    columns.extend(ItemMetric::ALL.map(|metric| match metric.network() {
        None => column_of::<FigureOfPixels>(metric),
        Some(_) => column_of::<Option<Figure>>(metric),
    }));
    columns.extend([
        column!(quality?.train_ids: Vec<u8>),
        column!(work?.unet_evaluations: Amount).counted(),
        column!(work?.style_evaluations: Amount).counted(),
        column!(work?.load_ms: Amount).counted(),
        column!(work?.encode_ms: Amount).counted(),
        column!(work?.denoise_ms: Amount).counted(),
        column!(work?.decode_ms: Amount).counted(),
        column!(work?.store_ms: Amount).counted(),
        column!(work?.quality_ms: Amount).counted(),
        column!(work?.content_ms: Option<Amount>)
            .missing_earlier()
            .counted(),
        column!(work?.style_ms: Option<Amount>)
            .missing_earlier()
            .counted(),
        column!(started_at: Timestamp).counted(),
        column!(finished_at: Timestamp).counted(),
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

/// Returns whether there is a value in a column.
pub(super) fn has<A: Array + 'static>(
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
pub(super) static UNREAD: LazyLock<ManifestRow> = LazyLock::new(|| {
    let origin = RowOrigin {
        run: "unread".parse().expect("a run may be called so"),
        shard: ShardId(0),
        attempt: 0,
        worker: String::new(),
        device: String::new(),
        platform: Platform::default(),
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

    /// Returns what something of these columns must have, as it has some of it.
    pub(super) fn of_fields(fields: &Fields) -> Self {
        let has = |extra| {
            let mut columns = COLUMNS.iter().filter(|column| column.extra == Some(extra));
            columns.any(|column| fields.find(column.name).is_some())
        };
        Self {
            label_figures: has(Extra::LabelFigures),
            confusions: has(Extra::Confusions),
            num_features: None,
        }
    }

    /// Returns the columns of such a manifest, but for that of [`features`].
    pub(super) fn columns(self) -> impl Iterator<Item = &'static Column> {
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

/// A column, and the values of a batch of it.
pub(super) type Placed<'a> = (&'static Column, Option<&'a ArrayRef>);

/// Returns columns with the values that a batch has of them, without those that it need not have and has not.
pub(super) fn placed<'a>(
    columns: impl Iterator<Item = &'static Column>,
    batch: &'a RecordBatch,
) -> Vec<Placed<'a>> {
    let placed = columns.map(|column| (column, batch.column_by_name(column.name)));
    let placed = placed.filter(|(column, values)| !column.may_be_missing || values.is_some());
    placed.collect()
}

/// Returns the rows of a batch. Columns that are none of ours are passed over.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<ManifestRow>, ManifestError> {
    let extras = Extras::of_fields(batch.schema_ref().fields());
    let columns = placed(extras.columns(), batch);
    let is_lost = |(column, values): &&Placed<'_>| column.extra.is_some() && values.is_none();
    if let Some((lost, _)) = columns.iter().find(is_lost) {
        return Err(ManifestError::Column(lost.name));
    }
    let places = 0..batch.num_rows();
    places.map(|at| row(batch, at, &columns, extras)).collect()
}

fn row(
    batch: &RecordBatch,
    at: usize,
    columns: &[Placed<'_>],
    extras: Extras,
) -> Result<ManifestRow, ManifestError> {
    let mut row = unread(batch, at)?;
    for (column, values) in columns {
        column.read_into(&mut row, *values, at)?;
    }
    label_columns::check_figures(&mut row, extras.confusions)?;
    if let Some(quality) = &mut row.quality {
        quality.features = features::read(batch, at)?;
    }
    Ok(row)
}

#[cfg(test)]
mod tests;
