//! What becomes of a run: the one answer to whether it goes on, is halted, has failed too often, or has ended.
//!
//! A run in this process, the collector, `status`, reports and the dashboard all ask here.

use shared::decision::Decisions;

use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, ShardState};
use crate::run::tally::Tally;

/// A share of items that differs from a whole number of them by less is taken for that number: `0.29` of 100 items comes
/// out a little below 29.
const ROUNDING: f64 = 1e-6;

/// Where a run stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Items planned.
    pub num_items: usize,
    /// Shards that are still to be made.
    pub num_open: usize,
    /// Items that are done, as the rows of committed shards say.
    pub done: usize,
    /// Items that were quarantined, or whose shard failed too often.
    pub not_done: usize,
    /// Stored things that rows speak of and that are gone; 0 where storage was not searched for them.
    pub num_gone: usize,
    /// What was decided about the run.
    pub decisions: &'a Decisions,
    /// The share of its items that may be quarantined or fail, 0 to 1.
    pub max_failed: f64,
}

/// What becomes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing is left to do: every item is done.
    Complete,
    /// Nothing is left to do, and some items are quarantined or failed.
    EndedWithLosses,
    /// Every shard has ended, and not everything that they made is there.
    Damaged,
    /// It was halted: no shard is to be made until it is resumed.
    Halted,
    /// More items failed than may since it was resumed last: it is to be halted.
    AtItsLimit,
    /// Its shards are to be made.
    GoesOn,
}

impl Fate {
    /// Returns whether every planned item has ended, and everything that is done is there.
    #[must_use]
    pub fn is_complete(self) -> bool {
        match self {
            Self::Complete | Self::EndedWithLosses => true,
            Self::Damaged | Self::Halted | Self::AtItsLimit | Self::GoesOn => false,
        }
    }

    /// Returns whether no shard is still to be made.
    #[must_use]
    pub fn has_ended(self) -> bool {
        match self {
            Self::Complete | Self::EndedWithLosses | Self::Damaged => true,
            Self::Halted | Self::AtItsLimit | Self::GoesOn => false,
        }
    }
}

impl<'a> Standing<'a> {
    /// Returns where a run stands by what storage says of its shards, each of them counted once.
    #[must_use]
    pub fn of(run: &FrozenRun, ledger: &'a Ledger, tally: &Tally) -> Self {
        let limits = run.record.limits;
        let mut standing = Self {
            num_items: run.plan.num_items(),
            num_open: 0,
            done: 0,
            not_done: 0,
            num_gone: 0,
            decisions: &ledger.decisions,
            max_failed: limits.max_failed,
        };
        for shard in &run.plan.shards {
            let state = ledger.state(shard.id, limits.max_attempts);
            match (tally.shard(shard.id), state) {
                (Some(counted), _) => {
                    let counts = &counted.counts;
                    standing.done = standing.done.saturating_add(counts.done);
                    standing.not_done = standing.not_done.saturating_add(counts.not_done());
                }
                (None, ShardState::Failed { .. }) => {
                    standing.not_done = standing.not_done.saturating_add(shard.num_items());
                }
                (
                    None,
                    ShardState::Committed
                    | ShardState::Open
                    | ShardState::Revising { .. }
                    | ShardState::RevisionFailed { .. },
                ) => {}
            }
            standing.num_open += usize::from(state.is_open());
            // Items that are tried again have not ended.
            standing.not_done = standing
                .not_done
                .saturating_sub(ledger.num_retried(shard.id, limits.max_attempts));
        }
        standing
    }

    /// Returns the same, knowing how many of the things that rows speak of are gone.
    #[must_use]
    pub fn with_gone(self, num_gone: usize) -> Self {
        Self { num_gone, ..self }
    }

    /// Returns what becomes of the run.
    ///
    /// What has ended is neither halted nor at its limit: there is nothing left to keep anything from.
    #[must_use]
    pub fn fate(&self) -> Fate {
        let counts_all = self.done.saturating_add(self.not_done) == self.num_items;
        if self.num_open == 0 {
            return match (counts_all && self.num_gone == 0, self.not_done) {
                (false, _) => Fate::Damaged,
                (true, 0) => Fate::Complete,
                (true, _) => Fate::EndedWithLosses,
            };
        }
        if self.decisions.halted.is_some() {
            Fate::Halted
        } else if self.num_counting() > self.num_allowed() {
            Fate::AtItsLimit
        } else {
            Fate::GoesOn
        }
    }

    /// Returns how many items failed since the run was resumed last: those before are acknowledged.
    fn num_counting(&self) -> usize {
        self.not_done
            .saturating_sub(self.decisions.acknowledged_failures)
    }

    /// Returns how many items may fail. A share that is no number allows none.
    fn num_allowed(&self) -> usize {
        (self.max_failed * self.num_items as f64 + ROUNDING).floor() as usize
    }

    /// Returns why the run is halted at its limit, for people.
    #[must_use]
    pub fn limit_passed(&self) -> String {
        let (counting, planned, limit) = (self.num_counting(), self.num_items, self.max_failed);
        let since = match self.decisions.acknowledged_failures {
            0 => "",
            _ => " since the run was resumed",
        };
        format!(
            "{counting} of {planned} items are quarantined or failed{since}, more than limits.max_failed ({limit})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of 20 items under way, none of which may fail.
    fn standing(decisions: &Decisions) -> Standing<'_> {
        Standing {
            num_items: 20,
            num_open: 2,
            done: 0,
            not_done: 0,
            num_gone: 0,
            decisions,
            max_failed: 0.0,
        }
    }

    #[test]
    fn each_standing_has_one_fate() {
        let open = Decisions::default();
        let halted = Decisions {
            halted: Some("cancelled".to_owned()),
            ..Decisions::default()
        };
        // (open shards, done, not done, gone, decisions) and what becomes of a run of which a tenth may fail.
        let cases = [
            ((2, 0, 0, 0, &open), Fate::GoesOn),
            ((2, 8, 2, 0, &open), Fate::GoesOn),
            ((2, 7, 3, 0, &open), Fate::AtItsLimit),
            ((1, 0, 19, 0, &open), Fate::AtItsLimit),
            // What is gone is told when it has ended; until then, shards are made.
            ((2, 8, 0, 1, &open), Fate::GoesOn),
            ((0, 20, 0, 0, &open), Fate::Complete),
            ((0, 18, 2, 0, &open), Fate::EndedWithLosses),
            ((0, 0, 20, 0, &open), Fate::EndedWithLosses),
            ((0, 20, 0, 1, &open), Fate::Damaged),
            ((0, 18, 2, 1, &open), Fate::Damaged),
            // Rows that are not those of the plan.
            ((0, 19, 0, 0, &open), Fate::Damaged),
            ((0, 20, 1, 0, &open), Fate::Damaged),
            ((2, 0, 0, 0, &halted), Fate::Halted),
            ((2, 0, 19, 0, &halted), Fate::Halted),
            ((0, 20, 0, 0, &halted), Fate::Complete),
            ((0, 0, 20, 0, &halted), Fate::EndedWithLosses),
            ((0, 20, 0, 1, &halted), Fate::Damaged),
        ];
        for ((num_open, done, not_done, num_gone, decisions), expected) in cases {
            let standing = Standing {
                num_open,
                done,
                not_done,
                num_gone,
                max_failed: 0.1,
                ..standing(decisions)
            };
            assert_eq!(standing.fate(), expected, "{standing:?}");
        }
    }

    #[test]
    fn as_many_items_may_fail_as_the_limit_says_and_not_one_more() {
        // Items, limit, and how many may fail.
        let cases = [
            (20, 0.0, 0),
            (20, 0.05, 1),
            (19, 0.05, 0),
            (6, 0.05, 0),
            (100, 0.29, 29),
            (100, 0.07, 7),
            (3, 1.0 / 3.0, 1),
            (1_000_000, 0.05, 50_000),
            (20, 1.0, 20),
            (1, 0.999, 0),
            (20, f64::NAN, 0),
            (20, -1.0, 0),
        ];
        let decisions = Decisions::default();
        for (num_items, max_failed, allowed) in cases {
            let with = |not_done| Standing {
                num_items,
                not_done,
                max_failed,
                ..standing(&decisions)
            };
            assert_eq!(
                with(allowed).fate(),
                Fate::GoesOn,
                "{allowed} of {num_items}"
            );
            let more = with(allowed + 1).fate();
            assert_eq!(
                more,
                Fate::AtItsLimit,
                "one more than {allowed} of {num_items}"
            );
        }
    }

    #[test]
    fn only_what_failed_since_the_run_was_resumed_counts() {
        let resumed = Decisions {
            acknowledged_failures: 5,
            ..Decisions::default()
        };
        let with = |not_done| Standing {
            not_done,
            max_failed: 0.05,
            ..standing(&resumed)
        };
        assert_eq!(with(4).fate(), Fate::GoesOn, "one of them was mended");
        assert_eq!(with(6).fate(), Fate::GoesOn);
        assert_eq!(with(7).fate(), Fate::AtItsLimit);
        assert_eq!(
            with(7).limit_passed(),
            "2 of 20 items are quarantined or failed since the run was resumed, more than limits.max_failed (0.05)"
        );
    }
}
