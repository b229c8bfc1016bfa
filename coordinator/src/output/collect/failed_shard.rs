//! Rows of shards whose attempts all failed: they say so, and nothing of them is stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::failure::FailedAttempt;
use shared::manifest::{ManifestRow, RowOrigin, Status};
use shared::platform::Platform;

use crate::run::freeze::FrozenRun;
use crate::run::plan::{Plan, Shard};

/// A shard whose attempts all failed, the last of them so.
pub(crate) struct FailedShard<'a> {
    run: &'a FrozenRun,
    shard: &'a Shard,
    failure: FailedAttempt,
    failed_at: Timestamp,
    origin: RowOrigin,
}

impl<'a> FailedShard<'a> {
    pub(crate) fn new(run: &'a FrozenRun, shard: &'a Shard, failure: FailedAttempt) -> Self {
        // As exact as a manifest stores it, so that what is read back is the same.
        let microseconds = failure.failed_at.as_microsecond();
        let failed_at = Timestamp::from_microsecond(microseconds).unwrap_or(failure.failed_at);
        let frozen = &run.record.frozen;
        let origin = RowOrigin {
            run: run.record.run.clone(),
            shard: shard.id,
            attempt: failure.attempt,
            worker: failure.worker.clone(),
            device: String::new(),
            platform: Platform::default(),
            seed: frozen.method.seed(),
            config_hash: frozen.config_hash(),
            model_sha256: frozen.model_sha256().to_owned(),
        };
        Self {
            run,
            shard,
            failure,
            failed_at,
            origin,
        }
    }

    /// Returns its rows, each made when it is asked for.
    pub(crate) fn rows(&self) -> impl Iterator<Item = ManifestRow> + '_ {
        self.shard.items().map(|position| self.row(position))
    }

    fn row(&self, position: (usize, usize)) -> ManifestRow {
        let (item, failure) = (self.run.plan.item(position), &self.failure);
        let span = (self.failed_at, self.failed_at);
        ManifestRow::new(self.origin.clone(), item, span).not_done(
            Status::Failed,
            failure.error_class,
            failure.error.clone(),
        )
    }
}

/// Returns the rows of shards that failed, sorted by style and content, each made when it is asked for.
pub(super) fn failed_rows<'a>(
    failed: &'a [FailedShard<'a>],
    plan: &'a Plan,
) -> impl Iterator<Item = ManifestRow> + 'a {
    let mut of_styles: BTreeMap<&str, Vec<(usize, &FailedShard<'_>)>> = BTreeMap::new();
    for shard in failed {
        for &style in &shard.shard.styles {
            let of_style = of_styles.entry(plan.styles[style].name()).or_default();
            of_style.push((style, shard));
        }
    }
    of_styles.into_values().flat_map(move |shards| {
        let items = shards.into_iter().flat_map(|(style, shard)| {
            let contents = shard.shard.contents.iter();
            contents.map(move |&content| ((style, content), shard))
        });
        let mut items: Vec<_> = items.collect();
        items.sort_by_key(|&((_, content), _)| plan.contents[content].name());
        items.into_iter().map(|(item, shard)| shard.row(item))
    })
}
