//! The run that is exported: whether it can be, and its pictures, each compared with its row.

use std::path::PathBuf;

use bytes::Bytes;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::blocking;
use shared::digest;
use shared::location::Location;
use shared::storage::Storage;
use shared::target;
use shared::wording::{Thousands, counted};

use super::ExportError;
use super::options::Options;
use crate::run::freeze::FrozenRun;
use crate::run::gone;
use crate::run::ledger::{Ledger, ShardState};

/// A run and what storage says of it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Where it is stored.
    pub storage: &'a dyn Storage,
    /// Where that is.
    pub root: &'a Location,
    /// The run, with inputs that were changed in place of the planned ones.
    pub run: &'a FrozenRun,
    /// What is committed of it.
    pub ledger: &'a Ledger,
}

impl Source<'_> {
    /// Refuses to write where storage keeps something, and links where there can be none.
    pub(super) fn check_places(
        &self,
        out: &Location,
        options: &Options,
    ) -> Result<(), ExportError> {
        let refuse = |why: String| Err(ExportError::Refused(why));
        if below(self.root, out).is_some_and(|path| is_kept(&path)) {
            return refuse(format!(
                "--out {out} is among what storage keeps for itself or the results of runs: name a place outside of {}",
                self.root
            ));
        }
        if !options.link {
            return Ok(());
        }
        match (self.root, out) {
            (Location::Folder(_), Location::Folder(_)) if options.format.has_image_files() => {
                Ok(())
            }
            (Location::Folder(_), Location::Folder(_)) => refuse(format!(
                "--link: {} packs images into files of its own; leave it out",
                options.format
            )),
            (Location::Bucket(_), _) => refuse(format!(
                "--link: the run is in {}, and images of a bucket are copied; leave it out",
                self.root
            )),
            (_, Location::Bucket(_)) => refuse(format!(
                "--link: {out} is a bucket, into which images are copied; leave it out"
            )),
        }
    }

    /// Refuses a run that is not complete, unless it is taken as it is, and one of which something is gone.
    pub(super) async fn check_whole(&self, options: &Options) -> Result<(), ExportError> {
        let id = &self.run.record.run;
        if !options.partial && !self.is_complete() {
            let shards = self.run.plan.shards.iter();
            let open = shards.filter(|shard| self.state_of(shard.id).is_open());
            return Err(ExportError::Refused(format!(
                "run {id} is not complete, {} of {} are still to be made: wait for it, or take what is there with --partial",
                Thousands(open.count()),
                counted(self.run.plan.shards.len(), "shard", "shards"),
            )));
        }
        let tally = gone::counted(self.storage, self.run, self.ledger).await?;
        let gone = gone::of_run(self.storage, self.run, self.ledger, &tally).await?;
        if gone.is_nothing() {
            return Ok(());
        }
        let helps =
            gone.what_helps("`synth2real run` with its settings or `resume` makes it again");
        Err(ExportError::Gone(format!(
            "run {id} is not whole, {} gone: {gone}; {helps}",
            counted(gone.paths.len(), "picture is", "pictures are")
        )))
    }

    /// Returns whether no shard is still to be made.
    pub(super) fn is_complete(&self) -> bool {
        let mut shards = self.run.plan.shards.iter();
        !shards.any(|shard| self.state_of(shard.id).is_open())
    }

    /// Returns how many items failed with their shards.
    pub(super) fn num_failed(&self) -> usize {
        let shards = self.run.plan.shards.iter();
        let failed = shards.filter(|shard| {
            let state = self.state_of(shard.id);
            matches!(state, ShardState::Failed { .. })
        });
        failed.map(|shard| shard.num_items()).sum()
    }

    fn state_of(&self, shard: shared::ids::ShardId) -> ShardState {
        let max_attempts = self.run.record.limits.max_attempts;
        self.ledger.state(shard, max_attempts)
    }

    /// Returns the bytes of a picture if they are those of its row.
    pub(super) async fn picture(
        &self,
        key: &ArtifactKey,
        sha256: &str,
    ) -> Result<Bytes, ExportError> {
        let bytes = gone::read_listed(self.storage, key).await?;
        let of_bytes = bytes.clone();
        let found = blocking::run(move || digest::sha256(&of_bytes)).await;
        if found == sha256 {
            return Ok(bytes);
        }
        Err(ExportError::Altered {
            path: self.storage.locate(key),
            found,
            stated: sha256.to_owned(),
        })
    }

    /// Returns the file of a picture, if it is on this machine.
    pub(super) fn file(&self, key: &ArtifactKey) -> Option<PathBuf> {
        match self.root {
            Location::Folder(root) => Some(root.join(key.path())),
            Location::Bucket(_) => None,
        }
    }
}

/// Returns the path of a place below a root, with `/` at its end; nothing if it is elsewhere.
fn below(root: &Location, place: &Location) -> Option<String> {
    match (root, place) {
        (Location::Folder(root), Location::Folder(place)) => {
            let path = place.strip_prefix(root).ok()?;
            Some(format!("{}/", path.to_string_lossy()))
        }
        (Location::Bucket(root), Location::Bucket(place)) if root.bucket == place.bucket => {
            let path = place.prefix.strip_prefix(&root.prefix)?;
            Some(path.to_owned())
        }
        (Location::Folder(_) | Location::Bucket(_), _) => None,
    }
}

/// Returns whether storage keeps something below a path of its root, such as the results of runs.
fn is_kept(path: &str) -> bool {
    path.starts_with(&ArtifactPrefix::Runs.path()) || target::is_own(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_where_storage_keeps_something_is_found_in_folders_and_buckets() {
        for root in ["/out", "s3://bucket/out", "s3://bucket"] {
            let at = |text: &str| Location::parse(text, "".as_ref()).unwrap();
            let is_kept_at = |path: &str| {
                let place = at(&format!("{root}/{path}"));
                below(&at(root), &place).is_some_and(|path| is_kept(&path))
            };
            for kept in [
                "runs",
                "runs/a/set",
                ".writing",
                ".writing/set",
                ".trial-a",
                ".probe/set",
            ] {
                assert!(is_kept_at(kept), "{root}/{kept}");
            }
            for other in ["", "set", "runs-of-mine", ".writings", "set/.writing"] {
                assert!(!is_kept_at(other), "{root}/{other}");
            }
        }
        let [folder, bucket, other] = ["/out", "s3://bucket/out", "s3://other/out/runs"]
            .map(|text| Location::parse(text, "".as_ref()).unwrap());
        assert_eq!(below(&folder, &bucket), None);
        assert_eq!(below(&bucket, &folder), None);
        assert_eq!(below(&bucket, &other), None);
    }
}
