//! Reports, and what is written with them: figures that were invented, files of another run or none at all.

use std::fs;

use coordinator::output::quality::reference::{self, ReferenceStatistics};
use coordinator::output::quality::statistics::FeatureStatistics;
use coordinator::output::report::RunReport;
use shared::item_metric::ItemMetric;
use tests::fake_engine;
use tests::program::{Outcome, synth2real};

use super::finished::Finished;

#[tokio::test]
async fn a_report_that_was_asked_for_is_no_word_of_a_manifest_and_takes_back_none() {
    let finished = Finished::made().await;
    let (storage, run) = (finished.storage.as_ref(), &finished.run.record.run);
    let ask = || {
        let mut command = synth2real();
        command.args(["report", run.as_str(), "--root"]);
        let _ = Outcome::of(command.arg(finished.folder.path())).exits(0);
    };
    let stored = async || RunReport::stored(storage, run).await.unwrap().unwrap();
    ask();
    assert!(stored().await.complete);
    assert_eq!(stored().await.mark, None);
    assert_eq!(finished.findings().await, [""; 0]);

    finished.conclude().await;
    let written = stored().await;
    assert!(written.mark.is_some());
    // One that says less than there is to say is made anew.
    let early = RunReport {
        complete: false,
        ..written.clone()
    };
    early.store(storage).await.unwrap();
    ask();
    assert!(stored().await.complete);
    assert_eq!(stored().await.mark, written.mark);
    fs::remove_file(finished.path("manifest.parquet")).unwrap();
    finished.finds(&["manifest.parquet is missing"]).await;
}

#[tokio::test]
async fn a_report_of_another_run_of_this_name_and_figures_that_were_invented_are_found() {
    let finished = Finished::run().await;
    let whole = finished.report().await;
    type Change = fn(&mut RunReport);
    let changes: [(Change, &str); 8] = [
        (
            |report| report.plan_hash = Some("0".repeat(64)),
            "report.json is about a run of this name with another plan",
        ),
        (
            |report| report.mark.as_mut().unwrap().bytes += 1,
            "report.json was made of 4 files of shards",
        ),
        (
            |report| report.mark.as_mut().unwrap().failed_attempts += 1,
            "records of failed attempts are gone",
        ),
        (
            |report| report.styles[0].figures[ItemMetric::Ssim] = Some(0.99),
            "SSIM of night is 0.990000",
        ),
        (
            |report| report.styles[1].figures[ItemMetric::Lpips] = Some(0.1),
            "LPIPS of snow is 0.100000, and the rows give -",
        ),
        (
            |report| report.styles[0].fid = Some(1.0),
            "FID or KID of night is there, and no reference of it",
        ),
        (
            |report| report.cost.seconds_per_image = Some(1e6),
            "its seconds an image is 1000000",
        ),
        (|report| report.items = 7, "its number of items is 7"),
    ];
    for (change, words) in changes {
        let mut changed = whole.clone();
        change(&mut changed);
        finished.put_report(&changed).await;
        finished.finds(&[words]).await;
        assert_eq!(finished.findings().await.len(), 1, "{words}");
    }
    finished.put_report(&whole).await;
    assert_eq!(finished.notes().await, [""; 0]);
}

#[tokio::test]
async fn a_report_of_an_earlier_program_is_noted_and_its_figures_are_compared() {
    let finished = Finished::run().await;
    let old = RunReport {
        plan_hash: None,
        contact_sheet_sha256: None,
        ..finished.report().await
    };
    finished.put_report(&old).await;
    let notes = finished.notes().await;
    for words in [
        "does not say which plan it is about",
        "tells no digest of runs/audited/contact-sheet.png",
    ] {
        let is_noted = notes.iter().any(|note| note.contains(words));
        assert!(is_noted, "no {words:?}: {notes:?}");
    }
    let mut invented = old.clone();
    invented.styles[0].figures[ItemMetric::Ssim] = Some(0.99);
    finished.put_report(&invented).await;
    finished.finds(&["SSIM of night is 0.990000"]).await;
}

#[tokio::test]
async fn another_contact_sheet_and_statistics_of_other_features_are_found() {
    let finished = Finished::run().await;
    let sheet = finished.path("contact-sheet.png");
    let whole = fs::read(&sheet).unwrap();
    // A whole picture, as that of another run.
    fs::write(&sheet, fake_engine::image("another", "sheet")).unwrap();
    finished.finds(&["contact-sheet.png has SHA-256"]).await;
    fs::write(&sheet, whole).unwrap();

    let path = finished.path("fid/night.npz");
    let whole = fs::read(&path).unwrap();
    let file = ReferenceStatistics::read(&whole).unwrap();
    let items = file.items.unwrap();
    let write = |statistics: &FeatureStatistics, items, extractor: &str| {
        let bytes = reference::write(statistics, items, None, extractor).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    let mut wider = file.statistics.clone();
    for i in 0..wider.num_features() {
        for j in 0..wider.num_features() {
            wider.covariance[(i, j)] *= 4.0;
        }
    }
    write(&wider, items, "");
    finished
        .finds(&["fid/night.npz has other covariances"])
        .await;
    write(&file.statistics, items + 1, "");
    finished
        .finds(&["fid/night.npz is of 4 items, expected 3"])
        .await;
    write(&file.statistics, items, &"ab".repeat(32));
    finished
        .finds(&["fid/night.npz was made with another feature network"])
        .await;
    fs::write(&path, whole).unwrap();
    assert_eq!(finished.notes().await, [""; 0]);
}

#[tokio::test]
async fn what_was_written_with_the_report_and_is_gone_is_noted() {
    let finished = Finished::run().await;
    fs::remove_dir_all(finished.path("fid")).unwrap();
    fs::remove_file(finished.path("contact-sheet.png")).unwrap();
    let notes = finished.notes().await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    for words in ["fid/night.npz", "fid/snow.npz", "contact-sheet.png"] {
        assert!(notes[0].contains(words), "no {words:?}: {notes:?}");
    }
    // A folder in their place is more than that.
    fs::create_dir(finished.path("contact-sheet.png")).unwrap();
    finished.finds(&["contact-sheet.png cannot be read"]).await;

    // So are records that nothing makes anew.
    fs::remove_dir(finished.path("contact-sheet.png")).unwrap();
    fs::remove_file(finished.path("attempts/000000/1.json")).unwrap();
    finished
        .finds(&["records of failed attempts are gone"])
        .await;
}
