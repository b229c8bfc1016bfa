//! `synth2real run CONFIG --part K/N`: the shards of one part of a run, as a task of many that need no broker.
//!
//! Parts share storage and nothing else. Each makes what is missing of its own shards; what is decided about the run is not
//! for one of many that start by themselves, so a run that was halted, and shards that failed, wait for `resume`. What is
//! decided here is that inputs are others than were planned, and once for all parts, and that too much has failed.

use std::collections::BTreeSet;

use shared::console;
use shared::decision::DecisionError;
use shared::ids::{RunId, ShardId};
use shared::location::Location;
use shared::settings::RunConfig;
use shared::storage::Storage;
use shared::wording::counted;

use super::outcome;
use crate::output::collect;
use crate::run::freeze::FrozenRun;
use crate::run::gone::RUN_AGAIN;
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

    /// Refuses that something of its own is open again, which no other part makes.
    fn check_made<'a>(&self, open: impl Iterator<Item = &'a Shard>) -> Result<(), CliError> {
        match open.filter(|shard| self.has(shard.id)).count() {
            0 => Ok(()),
            count => Err(CliError::Environment(format!(
                "part {}: {} not committed any more, or reopened meanwhile; {RUN_AGAIN}",
                self.part,
                counted(count, "of its own shards is", "of its own shards are")
            ))),
        }
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
pub(super) fn tell_halted(config: &RunConfig, part: Part, reason: Option<&str>) -> Outcome {
    console::tell(halted_line(&config.run, &config.root, part, reason));
    Outcome::WithFailures
}

/// Returns what a part of a halted run says. One that is halted no more, so that there is no reason, is taken up since.
fn halted_line(id: &RunId, root: &Location, part: Part, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!(
            "part {part}: run {id} is halted ({reason}); `synth2real resume {id} --parts {} --root {root}` takes it up, \
             and prints the parts that have something to do",
            part.num_parts()
        ),
        None => {
            format!("part {part}: run {id} was halted, and is taken up since; run it again")
        }
    }
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
                return Ok(tell_halted(config, part, reason));
            }
        }
        self.check_made(ledger.open_shards(&run))?;
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

#[cfg(test)]
mod tests {
    use shared::settings::ShardSize;

    use super::*;
    use crate::run::plan::group;

    #[test]
    fn a_run_that_is_halted_no_more_is_not_said_to_be() {
        let (id, root): (RunId, _) = ("demo".parse().unwrap(), Location::Folder("out".into()));
        let part: Part = "2/3".parse().unwrap();
        let told = halted_line(&id, &root, part, Some("2 of 4 items"));
        for words in [
            "is halted (2 of 4 items)",
            "resume demo --parts 3 --root out",
        ] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
        let told = halted_line(&id, &root, part, None);
        let expected = "part 2/3: run demo was halted, and is taken up since; run it again";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_part_of_whose_shards_one_is_open_again_has_not_ended() {
        let one = ShardSize {
            contents: 1,
            styles: 1,
        };
        let shards = group(&[vec![0, 1, 2, 3]], one);
        let part: Part = "1/2".parse().unwrap();
        let own = part.shards(&shards).map(|shard| shard.id).collect();
        let own = OwnShards { part, shards: own };
        let (own_ones, of_others): (Vec<&Shard>, Vec<&Shard>) =
            shards.iter().partition(|shard| own.has(shard.id));
        assert_eq!((own_ones.len(), of_others.len()), (2, 2));
        assert!(own.check_made(of_others.into_iter()).is_ok());
        let told = own.check_made(shards.iter().take(1)).unwrap_err();
        assert!(matches!(told, CliError::Environment(_)), "{told}");
        for words in ["part 1/2: 1 of its own shards is not", RUN_AGAIN] {
            assert!(told.to_string().contains(words), "no {words:?}: {told}");
        }
        let told = own.check_made(shards.iter()).unwrap_err().to_string();
        assert!(told.contains("2 of its own shards are not"), "{told}");
    }
}
