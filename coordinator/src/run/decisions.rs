//! What is decided about a run that is under way: the one answer to a limit that was passed, to a cancel and to a resume. A
//! run in this process, collectors, the command line and the dashboard all decide here.
//!
//! What is decided depends on what holds ([`resolve`] is pure), and is stored as the next decision and as no later one. Of
//! two processes that decide at once, one is first; the other sees that, and decides anew about what holds then.

use shared::clock::SystemClock;
use shared::decision::{Decision, DecisionError, DecisionKind, Decisions};
use shared::ids::RunId;
use shared::storage::Storage;

use crate::run::freeze::{self, FrozenRun};
use crate::run::gone;
use crate::run::ledger::Ledger;
use crate::run::policy::{Fate, Standing};
use crate::run::tally::Tally;

/// Why a run that was cancelled is halted.
const CANCELLED: &str = "cancelled";

/// What is asked of a run.
#[derive(Debug, Clone)]
pub enum DecisionRequest<'a> {
    /// That it is halted if more items failed than may.
    KeepLimit(&'a Standing<'a>),
    /// That it is not worked on any more.
    Cancel,
    /// That it goes on.
    Resume {
        /// What holds then.
        decided: DecisionKind,
        /// Whether it changes nothing but that work goes on.
        is_bare: bool,
    },
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This is decided.
    Decides(DecisionKind),
    /// The run is halted already, for this reason.
    IsHalted(String),
    /// There is nothing to decide.
    Nothing,
}

/// Returns what comes of a request about a run of which these decisions hold.
#[must_use]
pub fn resolve(request: DecisionRequest<'_>, decisions: &Decisions) -> Resolution {
    match (request, &decisions.halted) {
        (DecisionRequest::KeepLimit(standing), halted) => match (standing.fate(), halted) {
            (Fate::AtItsLimit, _) => Resolution::Decides(DecisionKind::Halt {
                reason: standing.limit_passed(),
            }),
            (Fate::Halted, Some(reason)) => Resolution::IsHalted(reason.clone()),
            (
                Fate::Halted
                | Fate::Complete
                | Fate::EndedWithLosses
                | Fate::Damaged
                | Fate::GoesOn,
                _,
            ) => Resolution::Nothing,
        },
        (DecisionRequest::Cancel, Some(reason)) => Resolution::IsHalted(reason.clone()),
        (DecisionRequest::Cancel, None) => Resolution::Decides(DecisionKind::Halt {
            reason: CANCELLED.to_owned(),
        }),
        (DecisionRequest::Resume { is_bare: true, .. }, None) => Resolution::Nothing,
        (DecisionRequest::Resume { decided, .. }, _) => Resolution::Decides(decided),
    }
}

/// Halts a run in which more items failed than may, if it is one. What else is decided meanwhile counts.
///
/// # Errors
///
/// [`DecisionError`] if storage fails.
pub async fn keep_limit(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &mut Ledger,
    tally: &Tally,
) -> Result<Resolution, DecisionError> {
    loop {
        let standing = Standing::of(run, ledger, tally);
        let resolution = resolve(DecisionRequest::KeepLimit(&standing), &ledger.decisions);
        if holds(storage, &run.record.run, &mut ledger.decisions, &resolution).await? {
            return Ok(resolution);
        }
    }
}

/// Returns whether nothing of a run is left to be made, nor anything of it to be made again. One of which that cannot be
/// told is cancelled all the same.
pub(crate) async fn has_ended(storage: &dyn Storage, id: &RunId) -> bool {
    let Ok(run) = freeze::open(storage, id).await else {
        return false;
    };
    let Ok(ledger) = Ledger::read(storage, &run).await else {
        return false;
    };
    if ledger.open_shards(&run).next().is_some() {
        return false;
    }
    let Ok(tally) = gone::counted(storage, &run, &ledger).await else {
        return false;
    };
    let gone = gone::of_run(storage, &run, &ledger, &tally).await;
    gone.is_ok_and(|gone| gone.is_nothing())
}

/// Cancels a run unless it is halted.
///
/// # Errors
///
/// [`DecisionError`] if storage fails.
pub async fn cancel(
    storage: &dyn Storage,
    run: &RunId,
    decisions: &mut Decisions,
) -> Result<Resolution, DecisionError> {
    loop {
        let resolution = resolve(DecisionRequest::Cancel, decisions);
        if holds(storage, run, decisions, &resolution).await? {
            return Ok(resolution);
        }
    }
}

/// Stores that a run goes on. It was decided by a person who looked at what holds, so nothing else may come in between.
///
/// # Errors
///
/// [`DecisionError::Meanwhile`] if something else was decided since.
pub(crate) async fn resume(
    storage: &dyn Storage,
    run: &RunId,
    decisions: &mut Decisions,
    request: DecisionRequest<'_>,
) -> Result<(), DecisionError> {
    match resolve(request, decisions) {
        Resolution::Decides(decided) => {
            let decision = Decision::made(decided, &SystemClock);
            decisions.decide_next(storage, run, decision).await
        }
        Resolution::IsHalted(_) | Resolution::Nothing => Ok(()),
    }
}

/// Stores what a resolution decides; returns whether it holds, or with the other decisions that came before it.
async fn holds(
    storage: &dyn Storage,
    run: &RunId,
    decisions: &mut Decisions,
    resolution: &Resolution,
) -> Result<bool, DecisionError> {
    let Resolution::Decides(decided) = resolution else {
        return Ok(true);
    };
    let decision = Decision::made(decided.clone(), &SystemClock);
    match decisions.decide_next(storage, run, decision).await {
        Ok(()) => Ok(true),
        Err(error @ DecisionError::Meanwhile { .. }) => {
            // Who sees nothing new would only meet it again.
            match decisions.read_new(storage, run).await? {
                true => Ok(false),
                false => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use shared::storage::MemoryStorage;

    use super::*;

    fn halted(reason: &str) -> Decisions {
        Decisions {
            halted: Some(reason.to_owned()),
            ..Decisions::default()
        }
    }

    fn go_on() -> DecisionKind {
        DecisionKind::Resume {
            reopened: Vec::new(),
            acknowledged_failures: 3,
            retried: Vec::new(),
            changed_inputs: Vec::new(),
        }
    }

    fn halt(reason: &str) -> DecisionKind {
        DecisionKind::Halt {
            reason: reason.to_owned(),
        }
    }

    fn resume_request(is_bare: bool) -> DecisionRequest<'static> {
        DecisionRequest::Resume {
            decided: go_on(),
            is_bare,
        }
    }

    /// A run of 20 items of which none may fail.
    fn standing(decisions: &Decisions, not_done: usize) -> Standing<'_> {
        Standing {
            num_items: 20,
            num_open: 2,
            done: 0,
            not_done,
            num_gone: 0,
            decisions,
            max_failed: 0.0,
        }
    }

    #[test]
    fn each_request_has_one_answer_by_what_holds() {
        let (open, cancelled) = (Decisions::default(), halted("cancelled"));
        let by_limit = halt(&standing(&open, 1).limit_passed());
        for (request, decisions, expected) in [
            (
                DecisionRequest::Cancel,
                &open,
                Resolution::Decides(halt(CANCELLED)),
            ),
            (
                DecisionRequest::Cancel,
                &cancelled,
                Resolution::IsHalted("cancelled".to_owned()),
            ),
            (resume_request(true), &open, Resolution::Nothing),
            (resume_request(false), &open, Resolution::Decides(go_on())),
            (
                resume_request(true),
                &cancelled,
                Resolution::Decides(go_on()),
            ),
            (
                DecisionRequest::KeepLimit(&standing(&open, 0)),
                &open,
                Resolution::Nothing,
            ),
            (
                DecisionRequest::KeepLimit(&standing(&open, 1)),
                &open,
                Resolution::Decides(by_limit),
            ),
            (
                DecisionRequest::KeepLimit(&standing(&cancelled, 1)),
                &cancelled,
                Resolution::IsHalted("cancelled".to_owned()),
            ),
        ] {
            let said = format!("{request:?}");
            assert_eq!(resolve(request, decisions), expected, "{said}");
        }
    }

    #[tokio::test]
    async fn of_two_who_halt_a_run_at_once_one_does_and_the_other_sees_it() {
        let (storage, run) = (MemoryStorage::new(), "demo".parse().unwrap());
        let (mut here, mut there) = (Decisions::default(), Decisions::default());
        let first = cancel(&storage, &run, &mut here).await.unwrap();
        assert_eq!(first, Resolution::Decides(halt(CANCELLED)));
        let second = cancel(&storage, &run, &mut there).await.unwrap();
        assert_eq!(second, Resolution::IsHalted(CANCELLED.to_owned()));
        assert_eq!(here, there);
        assert_eq!(Decisions::read(&storage, &run).await.unwrap().count, 1);
    }

    #[tokio::test]
    async fn a_resume_that_knows_nothing_of_a_cancel_is_refused_and_the_cancel_holds() {
        let (storage, run) = (MemoryStorage::new(), "demo".parse().unwrap());
        let mut there = Decisions::default();
        cancel(&storage, &run, &mut Decisions::default())
            .await
            .unwrap();
        let refused = resume(&storage, &run, &mut there, resume_request(false)).await;
        assert!(matches!(refused, Err(DecisionError::Meanwhile { .. })));
        let holds = Decisions::read(&storage, &run).await.unwrap();
        assert_eq!(holds.halted.as_deref(), Some(CANCELLED));
        // Who has looked at it decides anew.
        there.read_new(&storage, &run).await.unwrap();
        let resumed = resume(&storage, &run, &mut there, resume_request(true)).await;
        resumed.unwrap();
        let holds = Decisions::read(&storage, &run).await.unwrap();
        assert_eq!((holds.halted, holds.count), (None, 2));
    }
}
