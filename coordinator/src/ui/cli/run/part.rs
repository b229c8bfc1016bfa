//! `synth2real run CONFIG --part K/N`: the shards of one part of a run, as a task of many that need no broker.
//!
//! Parts share storage and nothing else. Each makes what is missing of its own shards; what is decided about the run is not
//! for one of many that start by themselves, so a run that was halted, and shards that failed, wait for `resume`. What is
//! decided here is that inputs are others than were planned, and once for all parts, and that too much has failed.

use std::collections::BTreeSet;

use shared::console;
use shared::decision::DecisionError;
use shared::ids::ShardId;
use shared::settings::RunConfig;
use shared::storage::Storage;

use super::outcome;
use crate::output::collect;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, ShardState};
use crate::run::plan::{Part, Plan, Shard};
use crate::run::redo::Redo;
use crate::run::tally::{self, Counts, Tally};
use crate::ui::cli::setup::{Existing, Preparation};
use crate::ui::cli::{CliError, Outcome, ending, setup};
use crate::work::embedded::Stopped;
use crate::work::resume::{self, Choice, Known, Only, ResumeError};

/// The shards that one process makes of a run.
pub(super) struct OwnShards {
    part: Part,
    /// Their ids.
    pub(super) shards: BTreeSet<ShardId>,
}

impl OwnShards {
    pub(super) fn of(part: Part, plan: &Plan) -> Self {
        let shards = part.shards(&plan.shards).map(|shard| shard.id);
        Self {
            part,
            shards: shards.collect(),
        }
    }

    pub(super) fn has(&self, shard: ShardId) -> bool {
        self.shards.contains(&shard)
    }

    /// Finds what of its shards is not committed, or gone.
    pub(super) async fn find(&self, known: Known<'_>) -> Result<Vec<Redo>, ResumeError> {
        // A choice that names no shard is one of all.
        if self.shards.is_empty() {
            return Ok(Vec::new());
        }
        let choice = Choice {
            only: Some(Only::Missing),
            shards: self.shards.iter().copied().collect(),
            ..Choice::default()
        };
        resume::find_in(known, &choice).await
    }

    fn planned<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Shard> {
        let shards = plan.shards.iter();
        shards.filter(move |shard| self.has(shard.id))
    }

    /// Returns what its shards count.
    fn counts(&self, run: &FrozenRun, ledger: &Ledger, tally: &Tally) -> Counts {
        let mut counts = Counts::default();
        for shard in self.planned(&run.plan) {
            let state = ledger.state(shard.id, run.record.limits.max_attempts);
            match (tally.shard(shard.id), state) {
                (Some(counted), _) => counts.add(&counted.counts),
                (None, ShardState::Failed { .. }) => counts.failed += shard.num_items(),
                (
                    None,
                    ShardState::Committed
                    | ShardState::Open
                    | ShardState::Revising { .. }
                    | ShardState::RevisionFailed { .. },
                ) => {}
            }
        }
        counts
    }
}

/// Returns the run of this name, if there is one, after it is stored which inputs hold in place of planned ones. Of several
/// parts that find that at once one decides it.
pub(super) async fn existing(
    preparation: &Preparation,
    config: &RunConfig,
) -> Result<Option<Existing>, CliError> {
    loop {
        let Some(mut existing) = preparation.existing(config).await? else {
            return Ok(None);
        };
        let accepted = std::mem::take(&mut existing.accepted);
        let is_as_known = accepted.changed.is_empty() && accepted.redo.is_empty();
        if is_as_known || why_halted(&existing).is_some() {
            return Ok(Some(existing));
        }
        let (storage, run) = (preparation.storage.as_ref(), &existing.run);
        let ledger = &mut existing.ledger;
        let decided = resume::decide(storage, run, ledger, &accepted.redo, accepted.changed).await;
        match decided {
            Ok(()) => return Ok(Some(existing)),
            // What others decided says what is left to decide.
            Err(ResumeError::Decision(DecisionError::Meanwhile { .. })) => {}
            Err(error) => return Err(CliError::environment(error)),
        }
    }
}

/// Returns why a run that has not ended is halted, if it is.
pub(super) fn why_halted(existing: &Existing) -> Option<&str> {
    let ledger = &existing.ledger;
    let has_ended = ledger.open_shards(&existing.run).next().is_none();
    ledger.decisions.halted.as_deref().filter(|_| !has_ended)
}

/// Tells that a run is halted, and what helps: no part takes it up.
pub(super) fn tell_halted(config: &RunConfig, part: Part, reason: &str) -> Outcome {
    let (id, root) = (&config.run, &config.root);
    console::tell(format_args!(
        "part {part}: run {id} is halted ({reason}); `synth2real resume {id} --parts {} --root {root}` takes it up, and \
         prints the parts that have something to do",
        part.num_parts()
    ));
    Outcome::WithFailures
}

impl OwnShards {
    /// Tells how a part ended. The last one of the run makes its manifest and report.
    ///
    /// The outcome is that of its own items, unless something of the whole run that was made is not there.
    pub(super) async fn conclude(
        &self,
        config: &RunConfig,
        run: FrozenRun,
        storage: &dyn Storage,
        stopped: Stopped,
    ) -> Result<Outcome, CliError> {
        let part = self.part;
        if stopped == Stopped::OnRequest {
            console::tell(format_args!(
                "part {part} stopped on request; run it again to go on"
            ));
            return Ok(Outcome::Interrupted);
        }
        outcome::check_record(config, &run, storage).await?;
        let ledger = setup::ledger(storage, &run).await?;
        match stopped {
            Stopped::AtItsEnd | Stopped::OnRequest => {}
            Stopped::Halted | Stopped::AtItsLimit => {
                let reason = ledger.decisions.halted.as_deref();
                return Ok(tell_halted(
                    config,
                    part,
                    reason.unwrap_or("taken up since"),
                ));
            }
        }
        let tally = collect::store_tally(storage, &run, &ledger).await;
        let tally = tally.map_err(CliError::environment)?;
        let counts = self.counts(&run, &ledger, &tally);
        let (num_open, num_shards) = (ledger.open_shards(&run).count(), run.plan.shards.len());
        if num_open > 0 {
            // Those of all parts are told at the end of the run.
            for line in tally::reason_lines(&counts.reasons) {
                console::tell(line);
            }
        }
        console::tell(format_args!(
            "part {part} has ended: {} of {} images done; {num_open} of {num_shards} shards of run {} are left to other parts",
            counts.done,
            self.planned(&run.plan).map(Shard::num_items).sum::<usize>(),
            config.run
        ));
        if num_open == 0 {
            ending::close(storage, run, &config.root).await?;
        }
        Ok(match counts.not_done() {
            0 => Outcome::Done,
            _ => Outcome::WithFailures,
        })
    }
}
