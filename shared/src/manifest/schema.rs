//! Columns of the manifest: rows to Arrow and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Float64Array, ListArray, ListBuilder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt8Array, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef, TimeUnit, UInt8Type};

use super::{ManifestError, ManifestRow, Output, Quality, Status, Work};
use crate::failure::{FailureClass, MAX_ATTEMPT};
use crate::ids::{ItemId, ShardId};
use crate::warning::WarningKind;
use crate::wording::{MOST_STORED_BYTES, one_line, shortened};

const UTC: &str = "UTC";

/// The column that only manifests of shards have.
pub(super) const FEATURES: &str = "features";

/// Returns the schema of a manifest, columns in the order of a reader's interest; with `num_features` features where
/// it is to keep them.
pub(super) fn schema(num_features: Option<usize>) -> SchemaRef {
    let mut fields = fields();
    if let Some(length) = num_features {
        let element = Arc::new(Field::new_list_field(DataType::Float32, true));
        let list = DataType::FixedSizeList(element, length_of_list(length));
        fields.push(Field::new(FEATURES, list, true));
    }
    Arc::new(Schema::new(fields))
}

/// Returns the number of features of each row that has any.
pub(super) fn num_features(rows: &[ManifestRow]) -> Option<usize> {
    rows.iter().find_map(|row| Some(features(row)?.len()))
}

fn features(row: &ManifestRow) -> Option<&[f32]> {
    row.quality.as_ref()?.features.as_deref()
}

fn fields() -> Vec<Field> {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let number = |name: &str, nullable| Field::new(name, DataType::UInt32, nullable);
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    let time = |name: &str| {
        Field::new(
            name,
            DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            false,
        )
    };
    vec![
        text("run", false),
        number("shard", false),
        text("content", false),
        text("style", false),
        text("status", false),
        text("error_class", true),
        text("error", true),
        text("warning", true),
        Field::new_list(
            "warning_kinds",
            Field::new_list_field(DataType::Utf8, true),
            false,
        ),
        number("attempt", false),
        text("worker", false),
        text("device", false),
        Field::new("seed", DataType::UInt64, false),
        text("config_hash", false),
        text("model_sha256", false),
        text("image_key", true),
        text("label_key", true),
        number("width", true),
        number("height", true),
        text("content_sha256", true),
        text("image_sha256", true),
        text("label_sha256", true),
        float("ssim"),
        float("lpips"),
        Field::new_list(
            "train_ids",
            Field::new_list_field(DataType::UInt8, true),
            true,
        ),
        float("unet_evaluations"),
        float("style_evaluations"),
        float("load_ms"),
        float("encode_ms"),
        float("denoise_ms"),
        float("decode_ms"),
        float("store_ms"),
        float("quality_ms"),
        time("started_at"),
        time("finished_at"),
    ]
}

/// Returns the rows as one batch of [`schema`].
pub(super) fn batch(
    rows: &[ManifestRow],
    num_features: Option<usize>,
) -> Result<RecordBatch, ManifestError> {
    let output = |of: fn(&Output) -> &str| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.output.as_ref().map(of))
                .collect::<StringArray>(),
        )
    };
    let size = |of: fn(&Output) -> u32| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.output.as_ref().map(of))
                .collect::<UInt32Array>(),
        )
    };
    let work = |of: fn(&Work) -> f64| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.work.as_ref().map(of))
                .collect::<Float64Array>(),
        )
    };
    let text = |of: fn(&ManifestRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let number = |of: fn(&ManifestRow) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(of)))
    };
    let time = |of: fn(&ManifestRow) -> jiff::Timestamp| -> ArrayRef {
        let micros = rows.iter().map(|row| of(row).as_microsecond());
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone(UTC))
    };
    let quality = |of: fn(&Quality) -> Option<f64>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.quality.as_ref().and_then(of))
                .collect::<Float64Array>(),
        )
    };
    let mut columns: Vec<ArrayRef> = vec![
        text(|row| Some(row.run.as_str())),
        number(|row| row.shard.0),
        text(|row| Some(&row.item.content)),
        text(|row| Some(&row.item.style)),
        text(|row| Some(row.status.as_str())),
        text(|row| row.error_class.map(FailureClass::as_str)),
        text(|row| row.error.as_deref()),
        text(|row| row.warning.as_deref()),
        warning_kinds(rows),
        number(|row| row.attempt),
        text(|row| Some(&row.worker)),
        text(|row| Some(&row.device)),
        Arc::new(UInt64Array::from_iter_values(
            rows.iter().map(|row| row.seed),
        )),
        text(|row| Some(&row.config_hash)),
        text(|row| Some(&row.model_sha256)),
        output(|output| &output.image_key),
        output(|output| &output.label_key),
        size(|output| output.width),
        size(|output| output.height),
        text(|row| row.content_sha256.as_deref()),
        output(|output| &output.image_sha256),
        output(|output| &output.label_sha256),
        quality(|quality| Some(quality.ssim)),
        quality(|quality| quality.lpips),
        train_ids(rows),
        work(|work| work.unet_evaluations),
        work(|work| work.style_evaluations),
        work(|work| work.load_ms),
        work(|work| work.encode_ms),
        work(|work| work.denoise_ms),
        work(|work| work.decode_ms),
        work(|work| work.store_ms),
        work(|work| work.quality_ms),
        time(|row| row.started_at),
        time(|row| row.finished_at),
    ];
    if let Some(length) = num_features {
        columns.push(feature_lists(rows, length));
    }
    Ok(RecordBatch::try_new(schema(num_features), columns)?)
}

fn warning_kinds(rows: &[ManifestRow]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        for kind in &row.warning_kinds {
            lists.values().append_value(kind.as_str());
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn train_ids(rows: &[ManifestRow]) -> ArrayRef {
    let lists = rows.iter().map(|row| {
        let quality = row.quality.as_ref()?;
        Some(quality.train_ids.iter().copied().map(Some))
    });
    Arc::new(ListArray::from_iter_primitive::<UInt8Type, _, _>(lists))
}

fn feature_lists(rows: &[ManifestRow], length: usize) -> ArrayRef {
    let lists = rows
        .iter()
        .map(|row| Some(features(row)?.iter().copied().map(Some)));
    let length = length_of_list(length);
    let lists = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(lists, length);
    Arc::new(lists)
}

/// Returns a number of features as the length of a list.
fn length_of_list(num_features: usize) -> i32 {
    i32::try_from(num_features).expect("a network gives few features")
}

/// Returns the rows of a batch.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<ManifestRow>, ManifestError> {
    let columns = Columns(batch);
    (0..batch.num_rows()).map(|row| columns.row(row)).collect()
}

/// Refuses a text that is longer than any that is written: what reads it shows it.
pub(super) fn check_text(text: &str) -> Result<(), ManifestError> {
    if text.len() <= MOST_STORED_BYTES {
        return Ok(());
    }
    Err(ManifestError::TooLarge {
        what: "bytes for a text",
        found: text.len(),
        most: MOST_STORED_BYTES,
    })
}

struct Columns<'a>(&'a RecordBatch);

impl Columns<'_> {
    fn column<T: 'static>(&self, name: &'static str) -> Result<&T, ManifestError> {
        let column = self
            .0
            .column_by_name(name)
            .ok_or(ManifestError::Column(name))?;
        column
            .as_any()
            .downcast_ref()
            .ok_or(ManifestError::Column(name))
    }

    fn text(&self, name: &'static str, row: usize) -> Result<Option<String>, ManifestError> {
        let column: &StringArray = self.column(name)?;
        if column.is_null(row) {
            return Ok(None);
        }
        let text = column.value(row);
        check_text(text)?;
        Ok(Some(text.to_owned()))
    }

    /// Returns a text that people are told, as a part of a line.
    fn told(&self, name: &'static str, row: usize) -> Result<Option<String>, ManifestError> {
        let text = self.text(name, row)?;
        Ok(text.map(|text| shortened(&one_line(&text), MOST_STORED_BYTES)))
    }

    fn some_text(&self, name: &'static str, row: usize) -> Result<String, ManifestError> {
        self.text(name, row)?.ok_or(ManifestError::Column(name))
    }

    fn some_told(&self, name: &'static str, row: usize) -> Result<String, ManifestError> {
        self.told(name, row)?.ok_or(ManifestError::Column(name))
    }

    fn number(&self, name: &'static str, row: usize) -> Result<Option<u32>, ManifestError> {
        let column: &UInt32Array = self.column(name)?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    fn some_number(&self, name: &'static str, row: usize) -> Result<u32, ManifestError> {
        self.number(name, row)?.ok_or(ManifestError::Column(name))
    }

    fn float(&self, name: &'static str, row: usize) -> Result<Option<f64>, ManifestError> {
        let column: &Float64Array = self.column(name)?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    fn time(&self, name: &'static str, row: usize) -> Result<jiff::Timestamp, ManifestError> {
        let column: &TimestampMicrosecondArray = self.column(name)?;
        jiff::Timestamp::from_microsecond(column.value(row))
            .map_err(|_| ManifestError::Column(name))
    }

    fn output(&self, row: usize) -> Result<Option<Output>, ManifestError> {
        let Some(image_key) = self.text("image_key", row)? else {
            return Ok(None);
        };
        Ok(Some(Output {
            image_key,
            label_key: self.some_text("label_key", row)?,
            width: self.some_number("width", row)?,
            height: self.some_number("height", row)?,
            image_sha256: self.some_text("image_sha256", row)?,
            label_sha256: self.some_text("label_sha256", row)?,
        }))
    }

    fn warning_kinds(&self, row: usize) -> Result<Vec<WarningKind>, ManifestError> {
        const NAME: &str = "warning_kinds";
        let lists: &ListArray = self.column(NAME)?;
        let list = lists.value(row);
        let names: &StringArray = list
            .as_any()
            .downcast_ref()
            .ok_or(ManifestError::Column(NAME))?;
        let kind = |name: Option<&str>| WarningKind::from_name(name?);
        let kinds = names.iter().map(kind).collect::<Option<Vec<_>>>();
        kinds.ok_or(ManifestError::Column(NAME))
    }

    fn quality(&self, row: usize) -> Result<Option<Quality>, ManifestError> {
        let Some(ssim) = self.float("ssim", row)? else {
            return Ok(None);
        };
        let train_ids: &ListArray = self.column("train_ids")?;
        let train_ids = train_ids.value(row);
        let train_ids: &UInt8Array = train_ids
            .as_any()
            .downcast_ref()
            .ok_or(ManifestError::Column("train_ids"))?;
        Ok(Some(Quality {
            ssim,
            lpips: self.float("lpips", row)?,
            train_ids: train_ids.values().to_vec(),
            features: self.features(row)?,
        }))
    }

    /// Returns a row's features; none where the column was not written or not read.
    fn features(&self, row: usize) -> Result<Option<Vec<f32>>, ManifestError> {
        if self.0.column_by_name(FEATURES).is_none() {
            return Ok(None);
        }
        // Parquet knows no lists of one length.
        let column: &ListArray = self.column(FEATURES)?;
        if column.is_null(row) {
            return Ok(None);
        }
        let list = column.value(row);
        let values: &Float32Array = list
            .as_any()
            .downcast_ref()
            .ok_or(ManifestError::Column(FEATURES))?;
        Ok(Some(values.values().to_vec()))
    }

    fn work(&self, row: usize) -> Result<Option<Work>, ManifestError> {
        let Some(unet_evaluations) = self.float("unet_evaluations", row)? else {
            return Ok(None);
        };
        let float = |name| self.float(name, row).map(Option::unwrap_or_default);
        Ok(Some(Work {
            unet_evaluations,
            style_evaluations: float("style_evaluations")?,
            load_ms: float("load_ms")?,
            encode_ms: float("encode_ms")?,
            denoise_ms: float("denoise_ms")?,
            decode_ms: float("decode_ms")?,
            store_ms: float("store_ms")?,
            quality_ms: float("quality_ms")?,
        }))
    }

    /// Returns the number of an attempt.
    fn attempt(&self, row: usize) -> Result<u32, ManifestError> {
        const NAME: &str = "attempt";
        let number = self.number(NAME, row)?;
        number
            .filter(|&number| number <= MAX_ATTEMPT)
            .ok_or(ManifestError::Column(NAME))
    }

    fn row(&self, row: usize) -> Result<ManifestRow, ManifestError> {
        let seed: &UInt64Array = self.column("seed")?;
        let run = self
            .some_text("run", row)?
            .parse()
            .map_err(|_| ManifestError::Column("run"))?;
        let status = match self.some_text("status", row)?.as_str() {
            "done" => Status::Done,
            "quarantined" => Status::Quarantined,
            "failed" => Status::Failed,
            _ => return Err(ManifestError::Column("status")),
        };
        let error_class = self
            .text("error_class", row)?
            .map(|name| FailureClass::from_name(&name).ok_or(ManifestError::Column("error_class")))
            .transpose()?;
        Ok(ManifestRow {
            run,
            shard: ShardId(self.some_number("shard", row)?),
            item: ItemId {
                style: self.some_text("style", row)?,
                content: self.some_text("content", row)?,
            },
            status,
            error_class,
            error: self.told("error", row)?,
            warning: self.told("warning", row)?,
            warning_kinds: self.warning_kinds(row)?,
            attempt: self.attempt(row)?,
            worker: self.some_told("worker", row)?,
            device: self.some_told("device", row)?,
            seed: seed.value(row),
            config_hash: self.some_text("config_hash", row)?,
            model_sha256: self.some_text("model_sha256", row)?,
            output: self.output(row)?,
            quality: self.quality(row)?,
            content_sha256: self.text("content_sha256", row)?,
            work: self.work(row)?,
            started_at: self.time("started_at", row)?,
            finished_at: self.time("finished_at", row)?,
        })
    }
}
