//! Records of attempts at shards, failed or under way.

use shared::artifact::ArtifactKey;
use shared::failure::FailedAttempt;
use shared::ids::ShardId;
use shared::making::Making;
use shared::storage::Storage;

use super::{ObjectFindings, Truth};

impl ObjectFindings {
    /// Reads the record of a failed attempt.
    pub(super) async fn attempt(
        &mut self,
        storage: &dyn Storage,
        truth: &Truth<'_>,
        shard: ShardId,
        number: u32,
    ) {
        let key = ArtifactKey::FailedAttempt(truth.run.record.run.clone(), shard, number);
        let helps = "nothing but a copy brings it back";
        let parse = FailedAttempt::parse;
        let attempt = self.read_as(storage, &key, helps, parse).await;
        if let Some(attempt) = attempt.filter(|attempt| attempt.attempt != number) {
            self.findings.push(format!(
                "{key} is about attempt {}, expected {number}",
                attempt.attempt
            ));
        }
    }

    /// Reads what attempts at a shard made on the way.
    pub(super) async fn making(
        &mut self,
        storage: &dyn Storage,
        truth: &Truth<'_>,
        shard: ShardId,
    ) {
        let record = &truth.run.record;
        let key = ArtifactKey::Making(record.run.clone(), shard);
        let helps = "remove it: images that no commit speaks of are made again";
        let making: Option<Making> = self.document(storage, &key, helps).await;
        if making.is_some_and(|making| making.plan_hash != record.plan_hash) {
            self.findings.push(format!(
                "{key} is of a run that was planned otherwise; {helps}"
            ));
        }
    }
}
