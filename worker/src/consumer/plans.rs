//! Plans of the runs that were worked on last, so that not every message reads one.

use std::collections::VecDeque;
use std::sync::Arc;

use shared::ids::RunId;
use shared::plan::{self, Plan, PlanError};
use shared::run_record::RunRecord;
use shared::storage::Storage;

/// Plans that are kept: a worker takes shards of several runs in turn.
const MAX_KEPT: usize = 4;

/// Plans as they were read, those of the runs that came last first.
#[derive(Default)]
pub(super) struct Plans {
    kept: VecDeque<Kept>,
}

/// A plan that was checked against its digest. A plan of that digest is never another one.
struct Kept {
    run: RunId,
    sha256: String,
    plan: Arc<Plan>,
}

impl Plans {
    /// Returns the plan of a run.
    ///
    /// # Errors
    ///
    /// As [`plan::read`].
    pub(super) async fn of(
        &mut self,
        storage: &dyn Storage,
        record: &RunRecord,
    ) -> Result<Arc<Plan>, PlanError> {
        let sha256 = &record.frozen.plan_sha256;
        let is_same = |kept: &Kept| kept.run == record.run && kept.sha256 == *sha256;
        let known = self.kept.iter().position(is_same);
        let kept = match known.and_then(|at| self.kept.remove(at)) {
            Some(kept) => kept,
            None => Kept {
                run: record.run.clone(),
                sha256: sha256.clone(),
                plan: Arc::new(plan::read(storage, record).await?),
            },
        };
        let plan = Arc::clone(&kept.plan);
        self.kept.push_front(kept);
        self.kept.truncate(MAX_KEPT);
        Ok(plan)
    }
}
