//! Which items of a run are exported: those that are done and that the filters take.

use std::collections::HashMap;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use shared::digest::Sum;
use shared::manifest::{ManifestRow, Quality, Status};
use shared::wording::{counted, first_names};

use super::names;
use super::options::{Filters, Options, Without};
use super::set::{Content, Item, Set, Style, bits};
use super::validation;
use super::{ExportError, Source};
use crate::run::ledger::LedgerError;
use crate::run::plan::{Plan, Shard};
use crate::run::tally::READS_AT_ONCE;

/// Items of a run that are not exported, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Not made yet.
    pub not_made: usize,
    /// Quarantined: their input cannot be converted.
    pub quarantined: usize,
    /// Failed with their shard.
    pub failed: usize,
    /// Of a style that was not chosen.
    pub style: usize,
    /// Without any of the classes that were chosen.
    pub class: usize,
    /// Doubtful: a segmenter finds less in them than the run asks for.
    pub doubtful: usize,
    /// Done with a warning.
    pub warned: usize,
}

impl LeftOut {
    /// Returns the reasons that there are, each with its number.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let all = [
            (self.not_made, "not made yet"),
            (self.quarantined, "quarantined"),
            (self.failed, "failed"),
            (self.style, "of other styles"),
            (self.class, "without the chosen classes"),
            (self.doubtful, "doubtful"),
            (self.warned, "done with a warning"),
        ];
        let some = all.into_iter().filter(|(count, _)| *count > 0);
        some.map(|(count, why)| format!("{} {why}", counted(count, "item", "items")))
            .collect()
    }
}

/// The items that are exported, and how many are not.
pub(super) struct Selected {
    pub(super) set: Set,
    pub(super) left_out: LeftOut,
}

/// Chooses among the committed rows of a run, of which a few shards are in memory at once.
pub(super) async fn select(
    source: &Source<'_>,
    options: &Options,
) -> Result<Selected, ExportError> {
    let run = source.run;
    let mut choice = Choice::new(&run.plan, &options.filters)?;
    for part in run.plan.shards.chunks(READS_AT_ONCE) {
        let reads = part.iter().map(|shard| rows_of(source, shard));
        for rows in try_join_all(reads).await? {
            rows.iter().for_each(|row| choice.take(row));
        }
    }
    let Choice {
        mut items,
        mut left_out,
        ..
    } = choice;
    left_out.failed += source.num_failed();
    let chosen_out = left_out.style + left_out.class + left_out.doubtful + left_out.warned;
    let seen = items.len() + left_out.quarantined + left_out.failed + chosen_out;
    left_out.not_made = run.plan.num_items().saturating_sub(seen);
    items.sort_unstable_by_key(|item| (item.content, item.style));
    let frozen = &run.record.frozen;
    let set = Set {
        run: run.record.run.clone(),
        seed: frozen.method.seed(),
        config_hash: frozen.config_hash(),
        model_sha256: frozen.model_sha256().to_owned(),
        styles: styles(&run.plan),
        contents: contents(&run.plan, frozen.method.seed(), options),
        items,
        train: options.splits.train.as_str().to_owned(),
    };
    check(&set, &left_out, options)?;
    Ok(Selected { set, left_out })
}

/// Returns the rows that hold of a shard; none if it is not committed.
async fn rows_of(source: &Source<'_>, shard: &Shard) -> Result<Vec<ManifestRow>, LedgerError> {
    let ledger = source.ledger;
    if !ledger.committed.contains(&shard.id) {
        return Ok(Vec::new());
    }
    let rows = ledger.shard_rows(source.storage, source.run, shard.id);
    rows.await
}

/// Refuses a set without items, or with a part that was asked for and has none.
fn check(set: &Set, left_out: &LeftOut, options: &Options) -> Result<(), ExportError> {
    if set.items.is_empty() {
        let why = match left_out.lines() {
            lines if lines.is_empty() => "it has no items".to_owned(),
            lines => lines.join(", "),
        };
        return Err(ExportError::Refused(format!(
            "nothing of run {} is left to be exported: {why}; choose more",
            set.run
        )));
    }
    if options.splits.validation.is_some() && set.splits().len() < 2 {
        return Err(ExportError::Refused(format!(
            "all {} that are left of run {} are of one split: choose more, or another --val",
            counted(set.items.len(), "item", "items"),
            set.run
        )));
    }
    Ok(())
}

fn styles(plan: &Plan) -> Vec<Style> {
    let names = plan.styles.iter().map(|style| style.name());
    let parts = names::parts(names.clone());
    let named = names.zip(parts);
    named
        .map(|(name, part)| Style {
            name: name.to_owned(),
            part,
        })
        .collect()
}

fn contents(plan: &Plan, seed: u64, options: &Options) -> Vec<Content> {
    let names = plan.contents.iter().map(|content| content.name());
    let parts = names::parts(names.clone());
    let of_split = validation::of_contents(names, seed, options.splits.validation);
    let all = plan.contents.iter().zip(parts).zip(of_split);
    all.map(|((content, part), is_for_validation)| {
        let label = content.label.as_ref();
        Content {
            name: content.name().to_owned(),
            part,
            stored_as: label.map(|label| label.reading.stored_kind()),
            is_for_validation,
        }
    })
    .collect()
}

/// What is chosen among rows that come one after the other.
struct Choice<'a> {
    filters: &'a Filters,
    /// Positions of styles by their names, and whether the filters take them.
    styles: HashMap<&'a str, (u32, bool)>,
    contents: HashMap<&'a str, u32>,
    classes: u32,
    items: Vec<Item>,
    left_out: LeftOut,
}

impl<'a> Choice<'a> {
    fn new(plan: &'a Plan, filters: &'a Filters) -> Result<Self, ExportError> {
        let taken = |name: &str| {
            let globs = &filters.styles;
            globs.is_empty() || globs.matches(Some(name), std::path::Path::new(""))
        };
        let styles = plan.styles.iter().zip(0..);
        let styles: HashMap<_, _> = styles
            .map(|(style, position)| (style.name(), (position, taken(style.name()))))
            .collect();
        if !styles.values().any(|(_, taken)| *taken) {
            let known = plan.styles.iter().map(|style| style.name());
            return Err(ExportError::Refused(format!(
                "--style {} is no style of the run: it has {}",
                filters.styles.patterns().join(" "),
                first_names(known)
            )));
        }
        let contents = plan.contents.iter().zip(0..);
        Ok(Self {
            filters,
            styles,
            contents: contents
                .map(|(content, position)| (content.name(), position))
                .collect(),
            classes: bits(filters.classes.iter().copied()),
            items: Vec::new(),
            left_out: LeftOut::default(),
        })
    }

    /// Takes an item, or counts why it is left out.
    fn take(&mut self, row: &ManifestRow) {
        let left_out = &mut self.left_out;
        let (output, quality) = match (row.status, &row.output, &row.quality) {
            (Status::Done, Some(output), Some(quality)) => (output, quality),
            // One that says done and nothing of what was made is none: an audit names it.
            (Status::Done | Status::Quarantined, _, _) => {
                left_out.quarantined += 1;
                return;
            }
            (Status::Failed, _, _) => {
                left_out.failed += 1;
                return;
            }
        };
        let style = self.styles.get(row.item.style.as_str());
        let content = self.contents.get(row.item.content.as_str());
        // The ledger gives rows of planned items alone.
        let (Some(&(style, is_chosen)), Some(&content)) = (style, content) else {
            return;
        };
        let classes = bits(quality.train_ids.iter().copied());
        if !is_chosen {
            left_out.style += 1;
        } else if self.classes != 0 && self.classes & classes == 0 {
            left_out.class += 1;
        } else if self.leaves(Without::Doubtful) && quality.is_doubtful {
            self.left_out.doubtful += 1;
        } else if self.leaves(Without::Warned) && !row.warning_kinds.is_empty() {
            self.left_out.warned += 1;
        } else {
            self.items.push(Item {
                content,
                style,
                width: output.width,
                height: output.height,
                image_sha256: output.image_sha256.as_str().into(),
                label_sha256: output.label_sha256.as_str().into(),
                figures: quality.figures,
                label_figures: label_figures(quality),
                is_doubtful: quality.is_doubtful,
                classes,
                warnings: row.warning_kinds.as_slice().into(),
            });
        }
    }

    fn leaves(&self, what: Without) -> bool {
        self.filters.without.contains(&what)
    }
}

/// Returns the mean IoU of what a segmenter finds in an output, and in its content.
fn label_figures(quality: &Quality) -> [Option<f64>; 2] {
    let figures = quality.label_figures();
    figures.map_or([None; 2], |figures| {
        [figures.output.mean_iou, figures.content.mean_iou]
    })
}

impl Set {
    /// Returns a digest of which items are exported, of what bytes, in which part of the set. Another digest is another set.
    pub(super) fn sha256(&self) -> String {
        let mut sum = Sum::new();
        for item in &self.items {
            let line = [
                self.content(item).name.as_str(),
                self.style(item).name.as_str(),
                &*item.image_sha256,
                &*item.label_sha256,
                self.split_of(item),
            ];
            sum.update(line.join("\n").as_bytes());
            sum.update(b"\n\n");
        }
        sum.finish()
    }
}
