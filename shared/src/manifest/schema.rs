//! Columns of the manifest: rows to Arrow and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::{ManifestError, ManifestRow, Output, Status, Work};
use crate::failure::FailureClass;
use crate::ids::{ItemId, ShardId};

const UTC: &str = "UTC";

/// Returns the schema of a manifest, columns in the order of a reader's interest.
pub(super) fn schema() -> SchemaRef {
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
    Arc::new(Schema::new(vec![
        text("run", false),
        number("shard", false),
        text("content", false),
        text("style", false),
        text("status", false),
        text("error_class", true),
        text("error", true),
        text("warning", true),
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
        float("unet_evaluations"),
        float("style_evaluations"),
        float("load_ms"),
        float("encode_ms"),
        float("denoise_ms"),
        float("decode_ms"),
        float("store_ms"),
        time("started_at"),
        time("finished_at"),
    ]))
}

/// Returns the rows as one batch of [`schema`].
pub(super) fn batch(rows: &[ManifestRow]) -> Result<RecordBatch, ManifestError> {
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
    let columns: Vec<ArrayRef> = vec![
        text(|row| Some(row.run.as_str())),
        number(|row| row.shard.0),
        text(|row| Some(&row.item.content)),
        text(|row| Some(&row.item.style)),
        text(|row| Some(row.status.as_str())),
        text(|row| row.error_class.map(FailureClass::as_str)),
        text(|row| row.error.as_deref()),
        text(|row| row.warning.as_deref()),
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
        work(|work| work.unet_evaluations),
        work(|work| work.style_evaluations),
        work(|work| work.load_ms),
        work(|work| work.encode_ms),
        work(|work| work.denoise_ms),
        work(|work| work.decode_ms),
        work(|work| work.store_ms),
        time(|row| row.started_at),
        time(|row| row.finished_at),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Returns the rows of a batch.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<ManifestRow>, ManifestError> {
    let columns = Columns(batch);
    (0..batch.num_rows()).map(|row| columns.row(row)).collect()
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
        Ok((!column.is_null(row)).then(|| column.value(row).to_owned()))
    }

    fn some_text(&self, name: &'static str, row: usize) -> Result<String, ManifestError> {
        self.text(name, row)?.ok_or(ManifestError::Column(name))
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
        }))
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
            error: self.text("error", row)?,
            warning: self.text("warning", row)?,
            attempt: self.some_number("attempt", row)?,
            worker: self.some_text("worker", row)?,
            device: self.some_text("device", row)?,
            seed: seed.value(row),
            config_hash: self.some_text("config_hash", row)?,
            model_sha256: self.some_text("model_sha256", row)?,
            output: self.output(row)?,
            content_sha256: self.text("content_sha256", row)?,
            work: self.work(row)?,
            started_at: self.time("started_at", row)?,
            finished_at: self.time("finished_at", row)?,
        })
    }
}
