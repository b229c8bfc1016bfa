//! Rows of shards, what is made of them, and what does not belong below the run: strays and links.

use std::fs;
use std::os::unix::fs::symlink;

use coordinator::output::audit;
use serde_json::Value;
use shared::artifact::ArtifactKey;
use shared::item_metric::ItemMetric;
use shared::manifest;
use shared::manifest::ManifestRow;
use shared::seal;
use shared::storage::LocalStorage;

use super::finished::Finished;

#[tokio::test]
async fn rows_that_are_not_those_of_the_run_are_findings() {
    let finished = Finished::run().await;
    let path = finished.path("shards/000000.parquet");
    let whole = fs::read(&path).unwrap();
    type Change = fn(&mut ManifestRow);
    let changes: [(Change, &str); 10] = [
        (|row| row.seed = 43, "seed \"43\", expected \"42\""),
        (
            |row| row.config_hash = "other".into(),
            "config_hash \"other\"",
        ),
        (
            |row| row.model_sha256 = "other".into(),
            "model_sha256 \"other\"",
        ),
        (
            |row| row.output.as_mut().unwrap().image_key = "../../../etc/passwd".into(),
            "image_key \"../../../etc/passwd\", expected \"runs/audited/images/night/a.png\"",
        ),
        (
            |row| row.output.as_mut().unwrap().label_key = "/etc/shadow".into(),
            "label_key \"/etc/shadow\"",
        ),
        (
            |row| row.output.as_mut().unwrap().width = 16,
            "width \"16\", expected \"8\"",
        ),
        (
            |row| row.output.as_mut().unwrap().height = 8,
            "height \"8\", expected \"4\"",
        ),
        (
            |row| row.quality.as_mut().unwrap().figures[ItemMetric::Ssim] = Some(1.5),
            "ssim \"1.5\"",
        ),
        (|row| row.run = "other".parse().unwrap(), "of run other"),
        (
            |row| row.content_sha256 = Some("other".into()),
            "content a: rows disagree about the SHA-256 of its image file",
        ),
    ];
    for (change, words) in changes {
        let mut rows = finished.shard_rows();
        change(&mut rows[0]);
        fs::write(&path, manifest::write(rows).unwrap()).unwrap();
        finished.finds(&[words]).await;
        fs::write(&path, &whole).unwrap();
    }
    // As somebody writes it who seals it anew: the manifest has other rows, and the counts are others.
    let mut rows = finished.shard_rows();
    rows[0].quality.as_mut().unwrap().features = Some(vec![1.0, 2.0, 3.0]);
    rows[0].warning = Some("odd".to_owned());
    fs::write(&path, manifest::write(rows).unwrap()).unwrap();
    finished
        .finds(&[
            "manifest.parquet has other rows",
            "fid/night.npz has other means",
        ])
        .await;
}

#[tokio::test]
async fn what_is_made_from_the_shards_is_compared_with_them_and_what_is_not_known_is_named() {
    let finished = Finished::run().await;
    // Counts that somebody sealed anew.
    let key = ArtifactKey::Tally(finished.run.record.run.clone());
    let tally = finished.path("tally.json");
    let whole = fs::read(&tally).unwrap();
    let json = seal::open(&whole, &key).json.into_owned();
    let json = String::from_utf8(json).unwrap();
    let changed = json.replacen("\"done\":3", "\"done\":7", 1);
    assert_ne!(changed, json);
    fs::write(&tally, seal::seal(changed.as_bytes(), &key)).unwrap();
    finished
        .finds(&[
            "tally.json counts shard 000000 otherwise",
            "tally.json cannot be right about shard 000000: 7 done",
        ])
        .await;
    // Counts of a run that had this name.
    let mut another: Value = serde_json::from_str(&json).unwrap();
    another["plan_hash"] = Value::from("0".repeat(64));
    let another = serde_json::to_vec(&another).unwrap();
    fs::write(&tally, seal::seal(&another, &key)).unwrap();
    finished
        .finds(&["tally.json counts the shards of another plan"])
        .await;
    fs::write(&tally, whole).unwrap();

    for stray in [
        "notes.txt",
        "labels/z.png",
        "images/night/z.png",
        "fid/dawn.npz",
        "attempts/000009/1.json",
        "attempts/000000/01.json",
        "attempts/000000/4294967295.json",
        "decisions/000007.json",
        "plan-0.json",
        "priors/night.png",
    ] {
        let file = finished.path(stray);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, b"{}").unwrap();
        finished.finds(&[stray, "belongs to no"]).await;
        fs::remove_file(file).unwrap();
    }
    // People may put the page of a report there.
    fs::write(finished.path("page.html"), b"<!doctype html>").unwrap();
    assert_eq!(finished.findings().await, [""; 0]);
    let audited = audit::audit(finished.storage.as_ref(), &finished.run).await;
    let notes = audited.unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("page.html")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn a_link_below_the_run_is_a_finding_and_one_above_it_is_none() {
    let finished = Finished::run().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let link = |relative: &str| {
        let (from, to) = (finished.path(relative), elsewhere.path().join("moved"));
        fs::rename(&from, &to).unwrap();
        symlink(&to, &from).unwrap();
    };
    let unlink = |relative: &str| {
        fs::remove_file(finished.path(relative)).unwrap();
        fs::rename(elsewhere.path().join("moved"), finished.path(relative)).unwrap();
    };
    for relative in ["images/night", "labels/a.png", "shards/000000.parquet"] {
        link(relative);
        let expected = format!("runs/audited/{relative} is a link; what it leads to is not part");
        finished.finds(&[&expected]).await;
        assert_eq!(finished.findings().await.len(), 1);
        unlink(relative);
    }
    let root = elsewhere.path().join("root");
    symlink(finished.folder.path(), &root).unwrap();
    let audited = audit::audit(&LocalStorage::new(root), &finished.run).await;
    assert_eq!(audited.unwrap().findings, [""; 0]);
}
