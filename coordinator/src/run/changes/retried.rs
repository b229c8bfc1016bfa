//! How the inputs of quarantined items differ that are to be tried again, looked at one by one.

use std::collections::BTreeSet;

use shared::decision::{ChangedInput, ChangedInputs};
use shared::failure::chain;
use shared::location::Location;
use shared::storage::StorageError;

use super::difference::Change;
use super::entry::change;
use super::of_run::Changes;
use super::sizes::{as_it_is, open_with_sizes};
use crate::run::freeze::FrozenRun;
use crate::run::inventory;
use crate::run::ledger::Ledger;
use crate::run::redo::{Redo, Why};

/// Returns how the inputs of quarantined items have changed that are to be tried again. Where a dataset cannot be
/// looked at from here, nothing of it has.
pub async fn of_retried(run: &FrozenRun, ledger: &Ledger, redo: &[Redo]) -> Changes {
    let (mut contents, mut styles) = (BTreeSet::new(), BTreeSet::new());
    for redo in redo {
        let Why::Quarantined { items, .. } = &redo.why else {
            continue;
        };
        let shard = &run.plan.shards[redo.shard.0 as usize];
        for (style, content) in shard.items() {
            let item = run.plan.item((style, content));
            if items.has(&item.style, &item.content) {
                styles.insert(style);
                contents.insert(content);
            }
        }
    }
    let decided = &ledger.decisions.changed_inputs;
    let mut changes = Changes::default();
    let inputs = &run.record.inputs;
    match changed_contents(run, decided, &inputs.content, &contents).await {
        Ok(changed) => changes.contents.changed = changed,
        Err(error) => cannot_look(&inputs.content, &error),
    }
    match changed_styles(run, decided, &inputs.style, &styles).await {
        Ok(changed) => changes.styles.changed = changed,
        Err(error) => cannot_look(&inputs.style, &error),
    }
    changes
}

fn cannot_look(at: &Location, error: &StorageError) {
    tracing::warn!(
        root = %at,
        error = chain(error),
        "cannot look from here whether inputs have changed: a file of another size is quarantined again until `run` or \
         `launch` has taken it"
    );
}

async fn changed_contents(
    run: &FrozenRun,
    decided: &ChangedInputs,
    at: &Location,
    positions: &BTreeSet<usize>,
) -> Result<Vec<Change>, StorageError> {
    let inputs = positions.iter();
    let inputs = inputs.map(|&position| decided.content(&run.plan.contents[position]));
    let (_, sizes) = open_with_sizes(at, inputs).await?;
    let changed = positions.iter().filter_map(|&position| {
        let before = decided.content(&run.plan.contents[position]);
        let now = as_it_is(before, &sizes);
        let other = change(before, &now, None)?;
        Some(Change {
            position,
            what: other.what,
            of_label: other.of_label,
            now: ChangedInput::Content { listing: now },
        })
    });
    Ok(changed.collect())
}

async fn changed_styles(
    run: &FrozenRun,
    decided: &ChangedInputs,
    at: &Location,
    positions: &BTreeSet<usize>,
) -> Result<Vec<Change>, StorageError> {
    let inputs = positions.iter();
    let inputs = inputs.map(|&position| decided.style(&run.plan.styles[position]));
    let (source, sizes) = open_with_sizes(at, inputs).await?;
    let mut changed = Vec::new();
    for &position in positions {
        let planned = &run.plan.styles[position];
        let before = decided.style(planned);
        let now = as_it_is(before, &sizes);
        let Ok(sha256) = inventory::sha256_of_files(source.as_ref(), &now).await else {
            // What cannot be read now is for the workers to find out.
            continue;
        };
        let known = decided.style_sha256(planned.name(), &run.record.frozen.styles);
        let digests = known.map(|known| (known, sha256.as_str()));
        if let Some(other) = change(before, &now, digests) {
            changed.push(Change {
                position,
                what: other.what,
                of_label: other.of_label,
                now: ChangedInput::Style {
                    listing: now,
                    sha256,
                },
            });
        }
    }
    Ok(changed)
}
