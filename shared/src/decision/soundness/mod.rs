//! Checks what a stored decision says: its digest tells that nothing in it was altered, and not who wrote it.

use std::collections::HashSet;

use super::{ChangedInput, Decision, DecisionKind, Decisions, Retries, Retry};
use crate::artifact::ArtifactKey;
use crate::dataset::entry::DatasetEntry;
use crate::failure::MAX_ATTEMPT;
use crate::ids::{ItemId, ShardId, check_name};
use crate::plan::Plan;
use crate::seal::{self, DocumentError};
use crate::wording::{MOST_STORED_BYTES, one_line, shortened};

impl Decision {
    /// Returns the decision that some bytes are, which are stored under a key. Its texts are parts of a line.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] if they are none, were altered, or say what is never stored.
    pub fn parse(bytes: &[u8], key: &ArtifactKey) -> Result<Self, DocumentError> {
        let decision: Self = seal::parse(bytes, key)?;
        let what = match decision.what {
            DecisionKind::Halt { reason } => DecisionKind::Halt {
                reason: checked_reason(&reason)?,
            },
            resume @ DecisionKind::Resume { .. } => {
                check_resume(&resume)?;
                resume
            }
        };
        Ok(Self { what, ..decision })
    }
}

fn refuse<T>(why: String) -> Result<T, DocumentError> {
    Err(DocumentError::Malformed(why))
}

fn checked_reason(reason: &str) -> Result<String, DocumentError> {
    match reason.len() {
        0..=MOST_STORED_BYTES => Ok(shortened(&one_line(reason), MOST_STORED_BYTES)),
        found => refuse(format!(
            "reason: it has {found} bytes, expected at most {MOST_STORED_BYTES}"
        )),
    }
}

fn check_resume(what: &DecisionKind) -> Result<(), DocumentError> {
    let DecisionKind::Resume {
        reopened,
        retried,
        changed_inputs,
        ..
    } = what
    else {
        return Ok(());
    };
    if let Some(reopened) = reopened.iter().find(|one| one.last_attempt > MAX_ATTEMPT) {
        return refuse(format!(
            "reopened: the last attempt at shard {} is {}, expected at most {MAX_ATTEMPT}",
            reopened.shard, reopened.last_attempt
        ));
    }
    retried.iter().try_for_each(check_retry)?;
    changed_inputs.iter().try_for_each(check_changed)
}

fn check_retry(retry: &Retry) -> Result<(), DocumentError> {
    let shard = retry.shard;
    if retry.items.is_empty() {
        return refuse(format!("retried: no item of shard {shard} is named"));
    }
    let mut names = retry.items.iter();
    let checked =
        names.try_for_each(|(style, content)| check_name(style).and_then(|()| check_name(content)));
    checked.map_err(|error| DocumentError::Malformed(format!("retried: {error}")))
}

fn check_changed(input: &ChangedInput) -> Result<(), DocumentError> {
    let (listing, sha256) = match input {
        ChangedInput::Content { listing } => (listing, None),
        ChangedInput::Style { listing, sha256 } => (listing, Some(sha256)),
    };
    if let Err(error) = listing.check() {
        return refuse(format!("changed_inputs: {error}"));
    }
    if sha256.is_none_or(|sha256| is_digest(sha256)) {
        return Ok(());
    }
    refuse(format!(
        "changed_inputs: the sha256 of style {} is none",
        one_line(listing.name())
    ))
}

fn is_digest(text: &str) -> bool {
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(is_digit)
}

/// Proves that the revisions that a decision begins follow those that were decided before it.
pub(super) fn follows(decision: &Decision, decided: &Retries) -> Result<(), DocumentError> {
    let DecisionKind::Resume { retried, .. } = &decision.what else {
        return Ok(());
    };
    for Retry {
        shard, revision, ..
    } in retried
    {
        let next = decided.last(*shard).saturating_add(1);
        if !(1..=next).contains(revision) {
            return refuse(format!(
                "retried: revision {revision} of shard {shard} is to be made, expected 1 to {next}"
            ));
        }
    }
    Ok(())
}

/// Proves that decisions name nothing but what a plan has.
pub(super) fn fit(decisions: &Decisions, plan: &Plan) -> Result<(), DocumentError> {
    let reopened = decisions.reopened.keys().copied();
    let mut shards = reopened.chain(decisions.retries.shards());
    if let Some(shard) = shards.find(|&shard| plan.shard(shard).is_none()) {
        return refuse(format!(
            "it names shard {shard}, and the plan has {} shards, from 000000",
            plan.shards.len()
        ));
    }
    for shard in decisions.retries.shards() {
        fit_retries(&decisions.retries, plan, shard)?;
    }
    let changed = &decisions.changed_inputs;
    let styles = changed.styles().keys().map(String::as_str);
    fit_names("content", changed.contents(), &plan.contents)?;
    fit_names("style", styles, &plan.styles)?;
    let (found, items) = (decisions.acknowledged_failures, plan.num_items());
    if found > items {
        return refuse(format!(
            "forgiven: it is {found}, and the plan has {items} items"
        ));
    }
    Ok(())
}

fn fit_retries(retries: &Retries, plan: &Plan, shard: ShardId) -> Result<(), DocumentError> {
    let Some(planned) = plan.shard(shard) else {
        return Ok(());
    };
    let styles = names_at(&planned.styles, &plan.styles);
    let contents = names_at(&planned.contents, &plan.contents);
    let is_unknown =
        |&(style, content): &(&str, &str)| !styles.contains(style) || !contents.contains(content);
    for revision in retries.revisions(shard) {
        let items = retries.of(shard, revision).into_iter();
        if let Some((style, content)) = items.flat_map(|items| items.iter()).find(is_unknown) {
            let item = ItemId {
                style: style.to_owned(),
                content: content.to_owned(),
            };
            return refuse(format!(
                "it retries {item} in shard {shard}, where that was not planned"
            ));
        }
    }
    Ok(())
}

/// Returns the names of the inputs at some positions.
fn names_at<'a>(positions: &[usize], of: &'a [DatasetEntry]) -> HashSet<&'a str> {
    positions.iter().map(|&at| of[at].name()).collect()
}

fn fit_names<'a>(
    kind: &str,
    names: impl Iterator<Item = &'a str>,
    listings: &[DatasetEntry],
) -> Result<(), DocumentError> {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    let known: HashSet<&str> = listings.iter().map(DatasetEntry::name).collect();
    match names.find(|name| !known.contains(*name)) {
        None => Ok(()),
        Some(name) => refuse(format!(
            "it changes {kind} {}, which was not planned",
            one_line(name)
        )),
    }
}

#[cfg(test)]
mod tests;
