//! Rows compared with the record of their run, and with the rows that they take the place of.

use std::collections::HashMap;

use shared::artifact::ArtifactKey;
use shared::digest;
use shared::ids::{ItemId, ShardId};
use shared::manifest::{ManifestRow, Status};

use crate::freeze::FrozenRun;
use crate::ledger::Parts;

/// What every row of a run must say.
pub(super) struct Expected<'a> {
    run: &'a FrozenRun,
    config_hash: String,
}

impl<'a> Expected<'a> {
    pub(super) fn of(run: &'a FrozenRun) -> Self {
        Self {
            run,
            config_hash: digest::sha256_of_json(&run.record.frozen.method),
        }
    }

    /// Adds what a row of a shard says otherwise.
    pub(super) fn check(&self, shard: ShardId, row: &ManifestRow, findings: &mut Vec<String>) {
        let (id, frozen) = (&self.run.record.run, &self.run.record.frozen);
        let mut compare = |column: &str, found: &str, expected: &str| {
            if found != expected {
                findings.push(format!(
                    "the row of {} in shard {shard} has {column} {found:?}, expected {expected:?}",
                    row.item
                ));
            }
        };
        compare("run", row.run.as_str(), id.as_str());
        compare("shard", &row.shard.to_string(), &shard.to_string());
        compare(
            "seed",
            &row.seed.to_string(),
            &frozen.method.seed.to_string(),
        );
        compare("config_hash", &row.config_hash, &self.config_hash);
        compare("model_sha256", &row.model_sha256, &frozen.model.sha256);
        if let Some(output) = &row.output {
            let image = ArtifactKey::Image(id.clone(), row.item.clone());
            let label = ArtifactKey::Label(id.clone(), row.item.content.clone());
            compare("image_key", &output.image_key, &image.path());
            compare("label_key", &output.label_key, &label.path());
            let (width, height) = (frozen.model.width, frozen.model.height);
            compare("width", &output.width.to_string(), &width.to_string());
            compare("height", &output.height.to_string(), &height.to_string());
        }
        if let Some(quality) = &row.quality {
            let (ssim, lpips) = (quality.ssim, quality.lpips);
            if !(-1.0..=1.0).contains(&ssim) {
                compare("ssim", &ssim.to_string(), "-1 to 1");
            }
            if lpips.is_some_and(|lpips| lpips.is_nan() || lpips < 0.0) {
                let found = lpips.unwrap_or_default();
                compare("lpips", &found.to_string(), "0 or more");
            }
        }
    }
}

/// What a revision has rows of was not done before, and was made by a later attempt.
pub(super) fn check_revisions(shard: ShardId, parts: &Parts, findings: &mut Vec<String>) {
    for (before, rows) in parts.revisions.iter().enumerate() {
        let held: HashMap<ItemId, (Status, u32)> = parts
            .effective_at(before)
            .into_iter()
            .map(|row| (row.item, (row.status, row.attempt)))
            .collect();
        for row in rows {
            let path = format!("shards/{shard}.{}.parquet", before + 1);
            match held.get(&row.item) {
                Some((Status::Done, _)) => findings.push(format!(
                    "{path} has a row for {}, which was done before",
                    row.item
                )),
                Some((_, attempt)) if *attempt >= row.attempt => findings.push(format!(
                    "{path} has a row of attempt {} for {}, expected one after attempt {attempt}: it is in the place of \
                     another revision",
                    row.attempt, row.item
                )),
                Some(_) | None => {}
            }
        }
    }
}
