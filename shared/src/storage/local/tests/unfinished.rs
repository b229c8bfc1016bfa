//! Unfinished files lie away from every run, and go when who wrote them is gone, or is not known and they are old.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::artifact::ArtifactPrefix;
use crate::storage::local::owner::Owner;
use crate::storage::local::unfinished::ABANDONED_AFTER;
use crate::storage::local::{LocalStorage, TEMPORARY_FOLDER};
use crate::storage::{Storage, list_all};

#[tokio::test]
async fn an_unfinished_file_lies_away_from_every_run_and_goes_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let new = storage.write_temporary(b"half").unwrap();
    let old = storage.unfinished_folder().join(".tmpa1B2c3");
    let two_days_ago = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
    let file = File::create(&old).unwrap();
    file.set_modified(two_days_ago).unwrap();
    assert_eq!(
        list_all(&storage, &ArtifactPrefix::Runs).await.unwrap(),
        vec![]
    );
    storage.check_writable().await.unwrap();
    assert!(new.path().exists() && !old.exists());
}

#[test]
fn what_a_gone_process_left_is_removed_and_what_others_write_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    // Nothing is there yet, and that is no error.
    storage.remove_unfinished().unwrap();
    let mut command = Command::new("cat");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut other = command.spawn().unwrap();
    let of_other = Owner::running(other.id()).unwrap().prefix();
    let names = [format!("{of_other}a1B2c3"), ".tmpa1B2c3".to_owned()];
    let [of_other, of_unknown] = names.map(|name| storage.unfinished_folder().join(name));
    fs::create_dir_all(storage.unfinished_folder()).unwrap();
    for path in [&of_other, &of_unknown] {
        fs::write(path, "half").unwrap();
    }
    storage.remove_unfinished().unwrap();
    assert!(of_other.exists() && of_unknown.exists());

    let two_days_ago = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
    let make_old = |path: &Path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(two_days_ago).unwrap();
    };
    // A clock that was set makes what is being written look old.
    make_old(&of_other);
    storage.remove_unfinished().unwrap();
    assert!(of_other.exists() && of_unknown.exists());

    other.kill().unwrap();
    other.wait().unwrap();
    storage.remove_unfinished().unwrap();
    assert!(!of_other.exists() && of_unknown.exists());

    make_old(&of_unknown);
    storage.remove_unfinished().unwrap();
    assert!(!storage.unfinished_folder().exists());
}

#[tokio::test]
async fn a_trial_that_was_killed_is_no_run_and_is_removed_when_its_process_is_gone_or_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let mut command = Command::new("cat");
    let mut other = command.stdin(Stdio::null()).spawn().unwrap();
    let of_gone = Owner::running(other.id()).unwrap().prefix();
    other.wait().unwrap();
    let of_gone = format!("runs/.trial-{of_gone}a1B2c3");
    let places = [
        of_gone.as_str(),
        ".trial-old",
        "runs/.trial-old",
        "runs/.trial-new",
        "runs/kept",
    ];
    for place in places {
        fs::create_dir_all(folder.path().join(place)).unwrap();
        fs::write(folder.path().join(place).join("created"), "x").unwrap();
    }
    let two_days_ago = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
    for place in places.iter().filter(|place| place.ends_with("old")) {
        let place = File::open(folder.path().join(place)).unwrap();
        place.set_modified(two_days_ago).unwrap();
    }
    storage.check_writable().await.unwrap();
    let there = |place: &&str| folder.path().join(place).exists();
    let left: Vec<_> = places.into_iter().filter(|place| there(place)).collect();
    assert_eq!(left, ["runs/.trial-new", "runs/kept"]);
    assert_eq!(storage.runs().await.unwrap(), ["kept".parse().unwrap()]);
}

#[tokio::test]
async fn a_file_for_what_is_to_be_stored_lies_beside_unfinished_ones() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let file = storage.temporary_file().unwrap();
    assert_eq!(
        file.path().parent().unwrap(),
        folder.path().join(TEMPORARY_FOLDER)
    );
    let error = LocalStorage::new("/proc/synth2real")
        .temporary_file()
        .unwrap_err();
    assert!(error.to_string().contains("/proc/synth2real"), "{error}");
}
