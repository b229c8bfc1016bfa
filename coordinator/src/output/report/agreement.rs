//! Label agreement as a report has it: figures of outputs beside those of their contents, and which classes were lost.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use shared::confusion::LabelFigures;
use shared::dataset::classes::CLASSES;
use shared::manifest::Quality;
use shared::wording::Thousands;

use super::text::number;
use crate::output::quality::agreement::AgreementFold;

/// Most classes that are named as lost.
const MOST_LOST: usize = 3;

/// What a segmenter predicts for outputs and for their contents, compared with their labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementReport {
    /// Of the outputs.
    pub output: LabelReport,
    /// Of their contents, each counted once for each of its outputs.
    pub content: LabelReport,
    /// Items whose outputs keep less of it than `quality.min_label_agreement` asks for.
    pub doubtful: usize,
    /// Items that a segmenter has predicted the classes of: N of every figure above.
    pub items: usize,
}

/// How predictions agree with labels, over all pixels of all images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelReport {
    /// Share of pixels that are predicted as labelled.
    pub pixel_accuracy: Option<f64>,
    /// Mean of the IoU of the classes that labels show.
    pub miou: Option<f64>,
    /// Intersection over union of each class, by its name; none of one that no label shows.
    pub iou: BTreeMap<String, Option<f64>>,
}

impl LabelReport {
    fn of(figures: LabelFigures) -> Self {
        let names = CLASSES.iter().map(|class| class.name.to_owned());
        Self {
            pixel_accuracy: figures.accuracy,
            miou: figures.mean_iou,
            iou: names.zip(figures.ious).collect(),
        }
    }

    /// Returns the IoU of a class; none if it is not known, or none that can be.
    #[must_use]
    pub fn of_class(&self, name: &str) -> Option<f64> {
        let iou = self.iou.get(name).copied().flatten();
        iou.filter(|iou| (0.0..=1.0).contains(iou))
    }
}

/// A class that is found in outputs less than in their contents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LostClass {
    /// Its name.
    pub name: &'static str,
    /// Its IoU in contents.
    pub content: f64,
    /// Its IoU in outputs.
    pub output: f64,
}

impl fmt::Display for LostClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [content, output] = [self.content, self.output].map(whole_percent);
        write!(f, "{} {content} -> {output}", self.name)
    }
}

impl AgreementReport {
    /// Returns what some items are like; none if no segmenter has said anything of any.
    #[must_use]
    pub fn of(fold: &AgreementFold) -> Option<Self> {
        (!fold.is_nothing()).then(|| Self {
            output: LabelReport::of(fold.pixels.output.figures()),
            content: LabelReport::of(fold.pixels.content.figures()),
            doubtful: fold.doubtful,
            items: fold.items,
        })
    }

    /// Returns what one item is like; none if no segmenter has said anything of it.
    #[must_use]
    pub fn of_item(quality: &Quality) -> Option<Self> {
        let figures = quality.label_figures()?;
        Some(Self {
            output: LabelReport::of(figures.output),
            content: LabelReport::of(figures.content),
            doubtful: usize::from(quality.is_doubtful),
            items: 1,
        })
    }

    /// Returns the classes that were lost most, the worst first, at most three; of none that is shown with the same figure
    /// before and after.
    #[must_use]
    pub fn lost(&self) -> Vec<LostClass> {
        let lost = CLASSES.iter().filter_map(|class| {
            let lost = LostClass {
                name: class.name,
                content: self.content.of_class(class.name)?,
                output: self.output.of_class(class.name)?,
            };
            (whole_percent(lost.output) < whole_percent(lost.content)).then_some(lost)
        });
        let mut lost: Vec<LostClass> = lost.collect();
        lost.sort_by(|a, b| (b.content - b.output).total_cmp(&(a.content - a.output)));
        lost.truncate(MOST_LOST);
        lost
    }

    /// Returns the mean IoU of contents and of outputs in percent: `61.2 -> 58.9`.
    #[must_use]
    pub fn means(&self) -> String {
        change(self.content.miou, self.output.miou)
    }

    /// Returns the pixel accuracy of contents and of outputs in percent: `92.1 -> 90.0`.
    #[must_use]
    pub fn accuracies(&self) -> String {
        change(self.content.pixel_accuracy, self.output.pixel_accuracy)
    }

    /// Returns the IoU of a class in contents and in outputs in percent; none if neither is known.
    #[must_use]
    pub fn change_of_class(&self, name: &str) -> Option<String> {
        let [content, output] = [&self.content, &self.output].map(|labels| labels.of_class(name));
        content.or(output)?;
        Some(change(content, output))
    }

    /// Returns each class that labels show with its IoU in contents and in outputs in percent, and what it gained.
    #[must_use]
    pub fn classes(&self) -> Vec<[String; 4]> {
        let classes = CLASSES.iter().filter_map(|class| {
            let content = self.content.of_class(class.name)?;
            let output = self.output.of_class(class.name)?;
            let figures = [content, output, output - content];
            let [content, output, gained] = figures.map(|share| number(Some(percent(share)), 1));
            Some([class.name.to_owned(), content, output, gained])
        });
        classes.collect()
    }

    /// Returns the classes that were lost most in percent, `pole 31 -> 19, rider 20 -> 12`; empty if none was.
    #[must_use]
    pub fn lost_in_words(&self) -> String {
        let lost: Vec<String> = self.lost().iter().map(LostClass::to_string).collect();
        lost.join(", ")
    }

    /// As a line about one item says it: `agreement 61.2 -> 58.9; pole 31 -> 19`.
    #[must_use]
    pub fn of_one_in_words(&self) -> String {
        let lost = self.lost_in_words();
        let comma = if lost.is_empty() { "" } else { "; " };
        format!("agreement {}{comma}{lost}", self.means())
    }

    /// Returns how many items are doubtful: `3 of 12 items doubtful`; empty if none is.
    #[must_use]
    pub fn doubtful_in_words(&self) -> String {
        match self.doubtful {
            0 => String::new(),
            doubtful => format!(
                "{} of {} items doubtful",
                Thousands(doubtful),
                Thousands(self.items)
            ),
        }
    }
}

/// As a line says it: `agreement 61.2 -> 58.9; pole 31 -> 19; 3 of 12 items doubtful`.
impl fmt::Display for AgreementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of_one_in_words())?;
        match self.doubtful_in_words() {
            none if none.is_empty() => Ok(()),
            doubtful => write!(f, "; {doubtful}"),
        }
    }
}

/// Returns a share of contents and of outputs in percent, or dashes.
fn change(content: Option<f64>, output: Option<f64>) -> String {
    let [content, output] = [content, output].map(|share| number(share.map(percent), 1));
    format!("{content} -> {output}")
}

/// Returns a share in percent.
fn percent(share: f64) -> f64 {
    100.0 * share
}

/// Returns a share in whole percents.
fn whole_percent(share: f64) -> f64 {
    percent(share).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(miou: f64, iou: &[(&str, Option<f64>)]) -> LabelReport {
        let iou = iou.iter().map(|&(name, iou)| (name.to_owned(), iou));
        LabelReport {
            pixel_accuracy: None,
            miou: Some(miou),
            iou: iou.collect(),
        }
    }

    fn report(content: &[(&str, Option<f64>)], output: &[(&str, Option<f64>)]) -> AgreementReport {
        AgreementReport {
            content: figures(0.612, content),
            output: figures(0.589, output),
            doubtful: 0,
            items: 1200,
        }
    }

    #[test]
    fn classes_that_were_lost_most_are_named_the_worst_first_and_no_others() {
        let content = [
            ("road", Some(0.9)),
            ("pole", Some(0.31)),
            ("sky", Some(0.8)),
            ("car", Some(0.504)),
            ("rider", Some(0.2)),
            ("bus", Some(0.6)),
            ("train", None),
            ("of another program", Some(0.9)),
        ];
        let output = [
            ("road", Some(0.95)),
            ("pole", Some(0.19)),
            ("sky", Some(0.79)),
            // Both are 50.
            ("car", Some(0.496)),
            ("rider", Some(0.15)),
            ("bus", Some(0.1)),
            ("train", None),
            ("of another program", Some(0.1)),
        ];
        let mut lost = report(&content, &output);
        let words = "agreement 61.2 -> 58.9; bus 60 -> 10, pole 31 -> 19, rider 20 -> 15";
        assert_eq!(lost.to_string(), words);
        lost.doubtful = 1003;
        let doubtful = format!("{words}; 1,003 of 1,200 items doubtful");
        assert_eq!(lost.to_string(), doubtful);
        let kept = report(&content, &content);
        assert_eq!(kept.to_string(), "agreement 61.2 -> 58.9");
    }

    #[test]
    fn figures_that_are_not_there_are_dashes_and_each_class_has_its_place() {
        assert_eq!(AgreementReport::of(&AgreementFold::default()), None);
        let fold = AgreementFold {
            items: 1,
            ..AgreementFold::default()
        };
        let nothing = AgreementReport::of(&fold).unwrap();
        assert_eq!(nothing.to_string(), "agreement - -> -");
        let json = serde_json::to_value(&nothing).unwrap();
        assert_eq!(json["output"]["iou"].as_object().unwrap().len(), 19);
        assert!(json["content"]["iou"]["traffic light"].is_null());
        let read: AgreementReport = serde_json::from_value(json).unwrap();
        assert_eq!(read, nothing);
    }
}
