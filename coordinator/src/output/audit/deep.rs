//! Figures of some items computed again from what is stored, where their contents can still be read.

use std::collections::BTreeMap;

use futures::future::join_all;
use imaging::{LabelNeed, LabelUse, NamedBytes, decode_image, figures_of_pixels, load};
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::failure::chain;
use shared::ids::ItemId;
use shared::item_metric::PerMetric;
use shared::manifest::ManifestRow;
use shared::source::{self, Source};
use shared::storage::Storage;

use crate::output::contact_sheet::size_of;
use crate::run::freeze::FrozenRun;
use crate::run::gone;
use crate::run::ledger::{Ledger, LedgerError};

/// How far a figure may be from the one that was stored: it is computed from the same pixels in the same order.
const TOLERANCE: f64 = 1e-9;
/// Items that are looked at side by side.
const AT_ONCE: usize = 8;

/// Which items are looked at.
#[derive(Debug, Clone, Copy)]
pub struct DeepSample {
    /// How many of those that are done.
    pub items: usize,
    /// Decides which.
    pub seed: u64,
}

/// What came of computing figures again.
#[derive(Debug, Default)]
pub struct DeepReport {
    /// Items that were looked at.
    pub chosen: usize,
    /// Items whose figure was computed again.
    pub recomputed: usize,
    /// Why the first of the others could not be; none if there are no others.
    pub obstacle: Option<String>,
    /// Figures that are not those of the stored images.
    pub findings: Vec<String>,
}

/// What came of an item.
enum Looked {
    Same,
    Other(String),
    Impossible(String),
}

/// Computes the figures of some items that are `done` again, those that need no network, and compares them with their rows.
///
/// # Errors
///
/// [`LedgerError`] if storage cannot be listed or does not answer.
pub async fn audit(
    storage: &dyn Storage,
    run: &FrozenRun,
    done: &[(usize, usize)],
    sample: DeepSample,
) -> Result<DeepReport, LedgerError> {
    let chosen = choose(run, done, sample);
    let mut report = DeepReport {
        chosen: chosen.len(),
        ..DeepReport::default()
    };
    if chosen.is_empty() {
        return Ok(report);
    }
    let ledger = Ledger::read(storage, run).await?;
    let rows = rows_of(storage, run, &ledger, &chosen).await?;
    let contents = match source::open(&run.record.inputs.content).await {
        Ok(contents) => contents,
        Err(error) => {
            report.obstacle = Some(chain(&error));
            return Ok(report);
        }
    };
    for part in chosen.chunks(AT_ONCE) {
        let looks = part.iter().map(|&position| {
            let row = rows.get(&run.plan.item(position));
            let planned = &run.plan.contents[position.1];
            let content = ledger.decisions.changed_inputs.content(planned);
            look(storage, run, contents.as_ref(), content, (position, row))
        });
        for looked in join_all(looks).await {
            match looked {
                Looked::Same => report.recomputed += 1,
                Looked::Other(finding) => {
                    report.recomputed += 1;
                    report.findings.push(finding);
                }
                Looked::Impossible(why) => {
                    report.obstacle.get_or_insert(why);
                }
            }
        }
    }
    Ok(report)
}

/// Returns the items that a seed chooses, whatever their order.
fn choose(run: &FrozenRun, done: &[(usize, usize)], sample: DeepSample) -> Vec<(usize, usize)> {
    let rank = |position: (usize, usize)| {
        let ItemId { style, content } = run.plan.item(position);
        digest::sha256(format!("{}/{style}/{content}", sample.seed).as_bytes())
    };
    let mut ranked: Vec<_> = done
        .iter()
        .map(|&position| (rank(position), position))
        .collect();
    ranked.sort_unstable();
    ranked.truncate(sample.items);
    ranked.into_iter().map(|(_, position)| position).collect()
}

/// Returns the rows of some items.
async fn rows_of(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    chosen: &[(usize, usize)],
) -> Result<BTreeMap<ItemId, ManifestRow>, LedgerError> {
    let mut rows = BTreeMap::new();
    for shard in &run.plan.shards {
        let is_of = |(style, content): &(usize, usize)| {
            shard.styles.contains(style) && shard.contents.contains(content)
        };
        if ledger.committed.contains(&shard.id) && chosen.iter().any(is_of) {
            let found = match ledger.shard_rows(storage, run, shard.id).await {
                // It could be read a moment ago; its items are among those that could not be looked at.
                Err(error) if error.is_damage() || matches!(error, LedgerError::Gone(_)) => {
                    continue;
                }
                found => found?,
            };
            rows.extend(found.into_iter().map(|row| (row.item.clone(), row)));
        }
    }
    Ok(rows)
}

async fn look(
    storage: &dyn Storage,
    run: &FrozenRun,
    contents: &dyn Source,
    listing: &DatasetEntry,
    (position, row): ((usize, usize), Option<&ManifestRow>),
) -> Looked {
    let item = run.plan.item(position);
    let quality = row.and_then(|row| row.quality.as_ref());
    let Some(stored) = quality.map(|quality| quality.figures) else {
        return Looked::Impossible(format!("{item} has no figure"));
    };
    let frozen = &run.record.frozen;
    let size = size_of(&frozen.model);
    let labels = LabelUse {
        need: LabelNeed::Optional,
        classes: frozen.content.classes.clone(),
    };
    let content = match load(contents, listing, &labels, size).await {
        Ok(content) => content,
        Err(error) => return Looked::Impossible(chain(&error)),
    };
    let key = ArtifactKey::Image(run.record.run.clone(), item.clone());
    let bytes = match gone::read_listed(storage, &key).await {
        Ok(bytes) => bytes,
        Err(error) => return Looked::Impossible(chain(&error)),
    };
    let compute = move || {
        let named = NamedBytes {
            name: "the output",
            bytes: &bytes,
        };
        let after = decode_image(named).map_err(|error| chain(&error))?;
        let before = content.prepared.image.view();
        figures_of_pixels(before, after.view()).map_err(|error| error.to_string())
    };
    match shared::blocking::run(compute).await {
        Ok(found) => compared(&item, &stored, &found),
        Err(why) => Looked::Impossible(why),
    }
}

/// Compares the figures of an item's row with those that were computed again.
fn compared(
    item: &ItemId,
    stored: &PerMetric<Option<f64>>,
    found: &PerMetric<Option<f64>>,
) -> Looked {
    for (metric, found) in found.iter() {
        let Some(found) = found else {
            continue;
        };
        let Some(stored) = stored[metric] else {
            return Looked::Impossible(format!("{item} has no figure"));
        };
        let is_same = (found - stored).abs() <= TOLERANCE;
        if !is_same {
            return Looked::Other(format!(
                "{item} has a {} of {found} to its content, its row says {stored}: its content is another picture by now, \
                 or one of the three was altered",
                metric.meaning()
            ));
        }
    }
    Looked::Same
}
