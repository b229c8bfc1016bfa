//! What is stored, word by word.

use arrow::datatypes::{DataType, TimeUnit};

use super::*;

/// What is stored: a change of it is another format, which programs of one version write and those of another read.
#[test]
fn columns_are_stored_under_these_names_as_these_types_and_in_this_order() {
    let (text, float) = (DataType::Utf8, DataType::Float64);
    let list_of = |element| DataType::List(Arc::new(Field::new("item", element, true)));
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let before_metrics = [
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
        ("gpu", &text, true),
        ("compute_capability", &text, true),
        ("driver", &text, true),
        ("cudnn", &text, true),
        ("onnxruntime", &text, true),
        ("injection", &text, true),
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
        ("prior_sha256", &text, true),
    ];
    // Their names have a test of their own.
    let metrics = ItemMetric::ALL.map(|metric| (metric.as_str(), &float, true));
    let after_metrics = [
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
    let expected = [&before_metrics[..], &metrics, &after_metrics].concat();
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
    let of_platform = [
        "gpu",
        "compute_capability",
        "driver",
        "cudnn",
        "onnxruntime",
        "injection",
    ];
    let others = ["prior_sha256", "content_ms", "style_ms"];
    assert_eq!(missing_earlier, [&of_platform[..], &others].concat());

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
