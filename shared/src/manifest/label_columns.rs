//! The columns of what a segmenter finds: figures that people read, the pixels that these are computed from, and digests of
//! stored predictions.
//!
//! Shards have the pixels, and their figures are believed only where the pixels give them. A run's manifest has the figures
//! alone.

use arrow::array::{BooleanArray, ListArray, RecordBatch, StringArray};

use super::column::{Column, Extra, FileDigest, Ious, Kind, Mark, Share};
use super::schema::has_extra;
use super::{ManifestError, ManifestRow, Predictions, Quality};
use crate::confusion::{AgreementFigures, Confusion, LabelAgreement};

/// The columns of an output's accuracy, mean IoU and IoUs.
const OUTPUT: [&str; 3] = ["label_accuracy", "label_miou", "label_iou"];
/// The same of its content.
const CONTENT: [&str; 3] = [
    "content_label_accuracy",
    "content_label_miou",
    "content_label_iou",
];
/// Whether an item is doubtful: it is there in the rows that have figures.
const DOUBTFUL: &str = "doubtful";
/// It is there in the rows of which predictions are stored.
const PREDICTION: &str = "prediction_sha256";
/// It is there in the rows of a shard that have figures.
const CONFUSION: &str = "output_confusion";

/// Returns the columns.
pub(super) fn columns() -> Vec<Column> {
    let [accuracy, mean_iou, ious] = OUTPUT;
    let [content_accuracy, content_mean_iou, content_ious] = CONTENT;
    vec![
        figure::<Option<Share>>(
            accuracy,
            |of| &of.output.accuracy,
            |of| &mut of.output.accuracy,
        ),
        figure::<Option<Share>>(
            mean_iou,
            |of| &of.output.mean_iou,
            |of| &mut of.output.mean_iou,
        ),
        figure::<Ious>(ious, |of| &of.output.ious, |of| &mut of.output.ious),
        figure::<Option<Share>>(
            content_accuracy,
            |of| &of.content.accuracy,
            |of| &mut of.content.accuracy,
        ),
        figure::<Option<Share>>(
            content_mean_iou,
            |of| &of.content.mean_iou,
            |of| &mut of.content.mean_iou,
        ),
        figure::<Ious>(
            content_ious,
            |of| &of.content.ious,
            |of| &mut of.content.ious,
        ),
        Column::computed::<Mark>(
            DOUBTFUL,
            |row| {
                let quality = row.quality.as_ref()?;
                has_figures(quality).then_some(quality.is_doubtful)
            },
            |row| Some(&mut row.quality.as_mut()?.is_doubtful),
        )
        .only_with(Extra::LabelFigures)
        .counted(),
        prediction(
            PREDICTION,
            |of| &of.output_sha256,
            |of| &mut of.output_sha256,
        ),
        prediction(
            "content_prediction_sha256",
            |of| &of.content_sha256,
            |of| &mut of.content_sha256,
        ),
        confusion(CONFUSION, |of| &of.output, |of| &mut of.output),
        confusion("content_confusion", |of| &of.content, |of| &mut of.content),
    ]
}

fn figure<K: Kind<Value: Clone>>(
    name: &'static str,
    of: fn(&AgreementFigures) -> &K::Value,
    of_mut: fn(&mut AgreementFigures) -> &mut K::Value,
) -> Column {
    Column::computed::<K>(
        name,
        move |row| {
            let figures = row.quality.as_ref()?.label_figures()?;
            Some(of(&figures).clone())
        },
        move |row| {
            let figures = row.quality.as_mut()?.agreement_figures.as_mut()?;
            Some(of_mut(figures))
        },
    )
    .only_with(Extra::LabelFigures)
}

fn prediction(
    name: &'static str,
    of: fn(&Predictions) -> &String,
    of_mut: fn(&mut Predictions) -> &mut String,
) -> Column {
    Column::of::<FileDigest>(
        name,
        true,
        move |row| Some(of(row.quality.as_ref()?.predictions.as_ref()?)),
        move |row| Some(of_mut(row.quality.as_mut()?.predictions.as_mut()?)),
    )
    .only_with(Extra::LabelFigures)
}

fn confusion(
    name: &'static str,
    of: fn(&LabelAgreement) -> &Confusion,
    of_mut: fn(&mut LabelAgreement) -> &mut Confusion,
) -> Column {
    Column::of::<Confusion>(
        name,
        true,
        move |row| Some(of(row.quality.as_ref()?.agreement.as_ref()?)),
        move |row| Some(of_mut(row.quality.as_mut()?.agreement.as_mut()?)),
    )
    .only_with(Extra::Confusions)
}

/// Returns whether a row is to have figures of its label.
pub(super) fn has_figures(quality: &Quality) -> bool {
    quality.agreement.is_some() || quality.agreement_figures.is_some()
}

/// Returns the quality of a row at a place of a batch as the columns find it: with those of its parts that it has, and
/// nothing in them.
pub(super) fn unread(batch: &RecordBatch, at: usize) -> Result<Quality, ManifestError> {
    Ok(Quality {
        agreement: has_extra::<ListArray>(batch, CONFUSION, at)?.then(LabelAgreement::default),
        agreement_figures: is_judged(batch, at)?.then(Box::default),
        predictions: has_extra::<StringArray>(batch, PREDICTION, at)?.then(Predictions::default),
        ..Quality::default()
    })
}

/// Returns whether a row at a place of a batch says whether it is doubtful.
pub(super) fn is_judged(batch: &RecordBatch, at: usize) -> Result<bool, ManifestError> {
    has_extra::<BooleanArray>(batch, DOUBTFUL, at)
}

/// Proves that the figures of a row that was read are those of its pixels, which then stand for them. A row keeps its figures
/// only in a file that has no pixels: where others have them, those of this one were lost.
pub(super) fn check_figures(
    row: &mut ManifestRow,
    has_confusions: bool,
) -> Result<(), ManifestError> {
    let Some(quality) = &mut row.quality else {
        return Ok(());
    };
    let Some(agreement) = &quality.agreement else {
        if has_confusions && quality.agreement_figures.is_some() {
            return Err(ManifestError::Column(CONFUSION));
        }
        return Ok(());
    };
    let stated = quality.agreement_figures.take();
    let stated = stated.ok_or(ManifestError::Column(DOUBTFUL))?;
    match differing(&stated, &agreement.figures()) {
        None => Ok(()),
        Some(column) => Err(ManifestError::OtherFigure {
            column,
            item: row.item.clone(),
        }),
    }
}

/// Returns the first column in which figures differ.
fn differing(stated: &AgreementFigures, counted: &AgreementFigures) -> Option<&'static str> {
    for ([accuracy, mean_iou, ious], stated, counted) in [
        (OUTPUT, &stated.output, &counted.output),
        (CONTENT, &stated.content, &counted.content),
    ] {
        if stated.accuracy != counted.accuracy {
            return Some(accuracy);
        }
        if stated.mean_iou != counted.mean_iou {
            return Some(mean_iou);
        }
        if stated.ious != counted.ious {
            return Some(ious);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};

    use crate::manifest::features;
    use crate::manifest::schema::{self, Extras};

    #[test]
    fn what_a_segmenter_finds_is_stored_behind_the_columns_of_every_manifest() {
        let list_of = |element| DataType::List(Arc::new(Field::new("item", element, true)));
        let (share, ious) = (DataType::Float64, list_of(DataType::Float64));
        let (digest, pixels) = (DataType::Utf8, list_of(DataType::UInt32));
        let expected = [
            ("label_accuracy", &share),
            ("label_miou", &share),
            ("label_iou", &ious),
            ("content_label_accuracy", &share),
            ("content_label_miou", &share),
            ("content_label_iou", &ious),
            ("doubtful", &DataType::Boolean),
            ("prediction_sha256", &digest),
            ("content_prediction_sha256", &digest),
            ("output_confusion", &pixels),
            ("content_confusion", &pixels),
        ];
        let of_shard = schema::schema(Extras {
            label_figures: true,
            confusions: true,
            num_features: Some(3),
        });
        let of_every_manifest = schema::schema(Extras::default());
        let num_others = of_every_manifest.fields().len();
        let (others, found) = of_shard.fields().split_at(num_others);
        assert_eq!(others, &of_every_manifest.fields()[..]);
        assert!(found.iter().all(|field| field.is_nullable()));
        let (features, found) = found.split_last().unwrap();
        assert_eq!(features.name(), features::NAME);
        let found = found.iter();
        let found: Vec<_> = found
            .map(|field| (field.name().as_str(), field.data_type()))
            .collect();
        assert_eq!(found, expected);
        let of_run = schema::schema(Extras {
            label_figures: true,
            ..Extras::default()
        });
        let (same, _) = of_shard.fields().split_at(of_run.fields().len());
        assert_eq!(&of_run.fields()[..], same);
        assert_eq!(of_run.fields().len(), num_others + expected.len() - 2);
    }
}
