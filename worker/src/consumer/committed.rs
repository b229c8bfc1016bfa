//! What committed rows say: of a shard, and of contents that other shards have made before.

use std::collections::{BTreeMap, BTreeSet};

use shared::artifact::ArtifactKey;
use shared::decision::Decisions;
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::making::ContentDigests;
use shared::manifest::{self, ManifestRow};
use shared::plan::{Plan, Shard};
use shared::storage::{Storage, StorageErrorKind};

use super::preflight::PreflightError;

/// Other shards of the same contents that are looked at: mostly the first of them has been committed, or none. An audit
/// looks at all.
const MOST_SHARDS: usize = 4;

/// Returns the rows that hold of a committed shard.
pub(super) async fn committed_rows(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    decisions: &Decisions,
) -> Result<Vec<ManifestRow>, PreflightError> {
    let committed = read_rows(storage, ArtifactKey::Shard(run.clone(), shard)).await?;
    let mut revisions = Vec::new();
    for revision in decisions.retries.revisions(shard) {
        let key = ArtifactKey::ShardRevision(run.clone(), shard, revision);
        if !storage.exists(&key).await? {
            break;
        }
        revisions.push(read_rows(storage, key).await?);
    }
    Ok(manifest::effective(committed, revisions))
}

/// Returns the digests of a shard's contents as committed rows have them: its own, and those of a few other shards for the
/// contents that these do not tell. Nothing is known of a shard that is damaged.
pub(super) async fn known_contents(
    storage: &dyn Storage,
    run: &RunId,
    plan: &Plan,
    shard: &Shard,
    own: &[ManifestRow],
) -> Result<BTreeMap<String, ContentDigests>, PreflightError> {
    let mut known = BTreeMap::new();
    take(own, &mut known);
    let contents: BTreeSet<usize> = shard.contents.iter().copied().collect();
    let has_same = |other: &&Shard| {
        let mut others = other.contents.iter();
        other.id != shard.id && others.any(|content| contents.contains(content))
    };
    for other in plan.shards.iter().filter(has_same).take(MOST_SHARDS) {
        let mut names = contents.iter().map(|&at| plan.contents[at].name());
        if names.all(|name| known.contains_key(name)) {
            break;
        }
        let key = ArtifactKey::Shard(run.clone(), other.id);
        let bytes = match storage.read(&key).await {
            Ok(bytes) => bytes,
            Err(error)
                if matches!(
                    error.kind,
                    StorageErrorKind::NotFound | StorageErrorKind::Invalid
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match manifest::read(bytes) {
            Ok(rows) => take(&rows, &mut known),
            Err(error) => {
                tracing::warn!(%key, error = chain(&error), "it tells nothing of its contents");
            }
        }
    }
    Ok(known)
}

fn take(rows: &[ManifestRow], known: &mut BTreeMap<String, ContentDigests>) {
    for row in rows {
        if let Some(digests) = ContentDigests::of_row(row) {
            known.entry(row.item.content.clone()).or_insert(digests);
        }
    }
}

async fn read_rows(
    storage: &dyn Storage,
    key: ArtifactKey,
) -> Result<Vec<ManifestRow>, PreflightError> {
    let rows = manifest::read(storage.read(&key).await?);
    rows.map_err(|source| PreflightError::Manifest {
        path: storage.locate(&key),
        source,
    })
}
