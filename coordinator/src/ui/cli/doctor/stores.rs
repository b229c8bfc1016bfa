//! Storage roots, the credentials to buckets, and the clock beside theirs.

use std::path::Path;

use jiff::Timestamp;
use shared::artifact::ArtifactPrefix;
use shared::clock::{Clock, SystemClock};
use shared::disk_space::{in_the_way, nearest_folder};
use shared::failure::chain;
use shared::location::{BucketPrefix, Location};
use shared::s3::{self, FoundCredentials, S3Settings, StoreClock};
use shared::storage::{
    CREATES_AT_ONCE, LocalStorage, S3Storage, Storage, StorageError, StorageErrorKind,
};
use shared::wording::counted;

use super::finding::Finding;
use super::{Asked, answer, no_answer, no_folder};

const STORAGE: &str = "storage";
const CREDENTIALS: &str = "credentials";
const CLOCK: &str = "clock";

/// As storage calls its own trials, so that one whose process was killed is removed by a later start.
const TRIAL: &str = ".trial-";
/// A person waits: what does not answer twice is told.
const ATTEMPTS: u32 = 2;
/// Dates of answers are in whole seconds, and answers take some.
const SLIGHTLY_OFF_SECONDS: i64 = 30;
/// S3 refuses requests of a clock that is further off.
const TOO_FAR_OFF_SECONDS: i64 = 15 * 60;

const NETWORK_HELPS: &str = "check the network and AWS_ENDPOINT_URL_S3";
const NO_FOLDER_HELPS: &str = "remove it, or choose another root";
const LINK_HELPS: &str = "mount or make what it leads to, or choose another root";
const CREDENTIALS_HELP: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine or pod a \
                                role";
const CLOCK_HELPS: &str = "set this machine's clock, such as by `timedatectl set-ntp true`: S3 refuses requests of one that is \
                           15 minutes off";

/// Returns what is found of the storage roots, and of the way to the first bucket that is named.
pub(super) async fn check(asked: &Asked) -> Vec<Finding> {
    let mut found = Vec::new();
    for root in &asked.roots {
        found.push(match root {
            Location::Folder(folder) => in_folder(folder).await,
            Location::Bucket(at) => in_bucket(root, at).await,
        });
    }
    if asked.roots.is_empty() {
        let none = "no storage root is named (CONFIG, --root or SYNTH2REAL_ROOT): commands take the folder out";
        found.push(Finding::ok(STORAGE, none));
    }
    match asked.buckets().next() {
        Some(Location::Bucket(at)) => found.extend(way_to(at).await),
        Some(Location::Folder(_)) | None => {
            let now = SystemClock.now().strftime("%Y-%m-%d %H:%M:%S UTC");
            let alone = format!("{now}, compared with nothing: no bucket is named");
            found.push(Finding::ok(CLOCK, alone));
        }
    }
    found
}

/// Tries out a folder, or the one in which it would be made, by a trial in a folder of its own there: storage leaves a folder
/// for what is being written, which goes with that.
async fn in_folder(folder: &Path) -> Finding {
    let shown = folder.display().to_string();
    // The runs may be mounted apart from their root.
    let runs = folder.join(ArtifactPrefix::Runs.path());
    if let Some(path) = in_the_way(&runs) {
        let helps = match path.is_symlink() {
            true => LINK_HELPS,
            false => NO_FOLDER_HELPS,
        };
        let finding = Finding::missing(STORAGE, no_folder(path), helps);
        return finding.with("root", shown).with("kind", "folder");
    }
    let place = nearest_folder(&runs);
    let trial = match tempfile::Builder::new().prefix(TRIAL).tempdir_in(place) {
        Ok(trial) => trial,
        Err(error) => {
            let found = format!("nothing can be made in {}: {error}", place.display());
            let finding = Finding::missing(STORAGE, found, helps(StorageErrorKind::Denied));
            return finding.with("root", shown).with("kind", "folder");
        }
    };
    let checked = LocalStorage::new(trial.path()).check_writable().await;
    tried(&shown, "folder", checked)
}

async fn in_bucket(root: &Location, at: &BucketPrefix) -> Finding {
    let shown = root.to_string();
    let trial = async {
        let storage = S3Storage::open(at, &settings()).await?;
        storage.check_writable().await
    };
    match answer(trial).await {
        Some(checked) => tried(&shown, "bucket", checked),
        None => no_answer(STORAGE, &shown, NETWORK_HELPS),
    }
}

fn settings() -> S3Settings {
    S3Settings {
        max_attempts: ATTEMPTS,
        ..S3Settings::from_env()
    }
}

/// Returns what came of trying a storage root out.
fn tried(shown: &str, kind: &'static str, checked: Result<(), StorageError>) -> Finding {
    let finding = match checked {
        Ok(()) => {
            let found = format!(
                "{shown} can be written, and of {CREATES_AT_ONCE} creates of one object at once one succeeds"
            );
            Finding::ok(STORAGE, found).with("creates_at_once", CREATES_AT_ONCE)
        }
        Err(error) => Finding::missing(STORAGE, chain(&error), helps(error.kind)),
    };
    finding.with("root", shown).with("kind", kind)
}

/// Returns what helps where a storage root cannot be used.
fn helps(kind: StorageErrorKind) -> &'static str {
    match kind {
        StorageErrorKind::Full => "free some space there, or choose another root",
        StorageErrorKind::Unavailable => NETWORK_HELPS,
        StorageErrorKind::Denied => {
            "give this user or these credentials the right to write there, or choose another root"
        }
        StorageErrorKind::NotFound | StorageErrorKind::Conflict | StorageErrorKind::Invalid => {
            "choose another root"
        }
    }
}

/// Returns the credentials to a bucket, and what its store's clock says.
async fn way_to(at: &BucketPrefix) -> Vec<Finding> {
    let store = format!("the store of bucket {}", at.bucket);
    match answer(s3::inspect(at, &settings())).await {
        None => vec![no_answer(CREDENTIALS, &store, NETWORK_HELPS)],
        Some(Err(error)) => {
            let helps = "set AWS_REGION, or AWS_ENDPOINT_URL_S3 for a store other than AWS";
            vec![Finding::missing(CREDENTIALS, chain(&error), helps)]
        }
        Some(Ok(found)) => vec![
            credentials(found.credentials, SystemClock.now()),
            clock(&store, found.clock),
        ],
    }
}

fn credentials(found: Result<FoundCredentials, String>, now: Timestamp) -> Finding {
    let found = match found {
        Ok(found) => found,
        Err(why) => return Finding::missing(CREDENTIALS, why, CREDENTIALS_HELP),
    };
    let kind = found.kind.as_str();
    let finding = match found.expire_at {
        None => Finding::ok(CREDENTIALS, format!("{kind}, without an end")),
        Some(at) if at > now => {
            let until = at.strftime("%Y-%m-%d %H:%M:%S UTC");
            Finding::ok(CREDENTIALS, format!("{kind}, until {until}"))
        }
        Some(at) => {
            let since = at.strftime("%Y-%m-%d %H:%M:%S UTC");
            let expired = format!("{kind}, expired since {since}");
            Finding::missing(CREDENTIALS, expired, CREDENTIALS_HELP)
        }
    };
    let expire_at = found.expire_at.map(|at| at.to_string());
    finding.with("kind", kind).with("expire_at", expire_at)
}

fn clock(store: &str, told: Option<StoreClock>) -> Finding {
    let Some(StoreClock { there, here }) = told else {
        let found = format!("not compared: {store} tells no date");
        return Finding::warning(CLOCK, found, NETWORK_HELPS);
    };
    let ahead = here.duration_since(there).as_secs();
    let off = ahead.saturating_abs();
    let seconds = counted(
        usize::try_from(off).unwrap_or(usize::MAX),
        "second",
        "seconds",
    );
    let found = match ahead {
        0 => format!("that of {store}"),
        ..0 => format!("{seconds} behind that of {store}"),
        1.. => format!("{seconds} ahead of that of {store}"),
    };
    let finding = if off >= TOO_FAR_OFF_SECONDS {
        Finding::missing(CLOCK, found, CLOCK_HELPS)
    } else if off >= SLIGHTLY_OFF_SECONDS {
        Finding::warning(CLOCK, found, CLOCK_HELPS)
    } else {
        Finding::ok(CLOCK, found)
    };
    finding.with("seconds_ahead", ahead)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use shared::s3::CredentialKind;

    use super::*;
    use crate::ui::cli::doctor::finding::State;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000_000 + second).unwrap()
    }

    #[test]
    fn a_clock_that_is_off_is_warned_of_and_one_that_s3_refuses_is_missing() {
        for (ahead, state, words) in [
            (0, State::Ok, "that of the store"),
            (-1, State::Ok, "1 second behind"),
            (29, State::Ok, "29 seconds ahead"),
            (-40, State::Warning, "40 seconds behind"),
            (900, State::Missing, "900 seconds ahead"),
            (-86_400, State::Missing, "86,400 seconds behind"),
        ] {
            let there = at(0);
            let here = there + SignedDuration::from_secs(ahead);
            let found = clock("the store", Some(StoreClock { there, here }));
            assert_eq!(found.state, state, "{ahead}");
            assert!(found.found.starts_with(words), "{found:?}");
            assert_eq!(found.facts["seconds_ahead"], ahead);
        }
        assert_eq!(clock("the store", None).state, State::Warning);
    }

    #[test]
    fn credentials_are_told_by_their_kind_and_those_that_expired_are_missing() {
        let found = |expire_at| {
            let found = FoundCredentials {
                kind: CredentialKind::WebIdentity,
                expire_at,
            };
            credentials(Ok(found), at(0))
        };
        assert_eq!(found(None).state, State::Ok);
        let renewed = found(Some(at(60)));
        assert_eq!(
            (renewed.state, renewed.facts["kind"].as_str()),
            (State::Ok, Some("web-identity"))
        );
        assert_eq!(found(Some(at(-60))).state, State::Missing);
        let none = credentials(Err("no profile".to_owned()), at(0));
        assert!(none.helps.unwrap().contains("AWS_PROFILE"));
    }

    #[tokio::test]
    async fn a_root_that_is_there_or_not_is_tried_out_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("not/yet");
        let found = in_folder(&root).await;
        assert_eq!(found.state, State::Ok, "{found:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(in_folder(folder.path()).await.state, State::Ok);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let runs = folder.path().join("runs");
        std::fs::create_dir(&runs).unwrap();
        assert_eq!(in_folder(folder.path()).await.state, State::Ok);
        assert_eq!(std::fs::read_dir(runs).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_root_in_whose_way_is_a_file_is_missing_and_the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (file, runs) = (folder.path().join("file"), folder.path().join("runs"));
        std::fs::write(&file, "").unwrap();
        std::fs::write(&runs, "").unwrap();
        for (root, there) in [
            (file.clone(), &file),
            (file.join("below/it"), &file),
            (folder.path().to_owned(), &runs),
        ] {
            let found = in_folder(&root).await;
            assert_eq!(found.state, State::Missing, "{found:?}");
            let told = format!("{} is no folder", there.display());
            assert_eq!(found.found, told);
            assert_eq!(found.facts["root"], root.display().to_string());
            assert_eq!(found.helps.as_deref(), Some(NO_FOLDER_HELPS));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_root_whose_link_leads_nowhere_may_be_away_and_is_not_to_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("out");
        std::os::unix::fs::symlink("away/out", &link).unwrap();
        for root in [link.clone(), link.join("below/it")] {
            let found = in_folder(&root).await;
            assert_eq!(found.state, State::Missing, "{found:?}");
            let told = format!("{} is a link that leads to no folder", link.display());
            assert_eq!(found.found, told);
            assert_eq!(found.helps.as_deref(), Some(LINK_HELPS));
        }
        std::fs::create_dir_all(folder.path().join("away/out")).unwrap();
        assert_eq!(in_folder(&link).await.state, State::Ok);
    }
}
