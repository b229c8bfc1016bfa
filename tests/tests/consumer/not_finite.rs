//! Numbers that are not finite: they cost the items that depend on them, and no figure is made of them.

use std::sync::Arc;
use std::time::Duration;

use coordinator::output::audit;
use coordinator::run::ledger::ShardState;
use futures::TryStreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::failure::FailureClass;
use shared::ids::{ItemId, ShardId};
use shared::item_metric::ItemMetric;
use shared::manifest::{self, ManifestRow, Status};
use shared::settings::ShardSize;
use shared::storage::MemoryStorage;
use shared::warning::WarningKind;
use tests::fake_engine::FakeEngine;
use tests::planned;

use super::fixture::Fixture;

/// A run of some contents in some styles, all of it one shard.
async fn shard_of(contents: &[&str], styles: &[&str]) -> Fixture {
    let named = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    let size = ShardSize {
        contents: contents.len(),
        styles: styles.len(),
    };
    let run = planned::run("staged", &named(contents), &named(styles), size);
    let engine = FakeEngine::new(Duration::ZERO);
    Fixture::of_run(Arc::new(MemoryStorage::new()), run, engine).await
}

impl Fixture {
    /// The rows of the only shard, and what is stored of images and labels.
    async fn committed(&self) -> (Vec<ManifestRow>, Vec<String>) {
        let run = &self.run.record.run;
        let key = ArtifactKey::Shard(run.clone(), ShardId(0));
        let bytes = self.storage.read(&key).await.unwrap();
        let rows = manifest::read_with_features(bytes).unwrap();
        let mut stored = Vec::new();
        for prefix in [
            ArtifactPrefix::Images(run.clone()),
            ArtifactPrefix::Labels(run.clone()),
        ] {
            let pages: Vec<_> = self.storage.list(&prefix).try_collect().await.unwrap();
            stored.extend(pages.into_iter().flatten().map(|object| object.path));
        }
        (rows, stored)
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_that_are_not_finite_cost_the_items_that_depend_on_them_and_leave_nothing_stored() {
    let fixture = shard_of(
        &["a", "broken-1", "z"],
        &["broken-2", "night", "overflowing"],
    )
    .await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    let (rows, stored) = fixture.committed().await;
    assert_eq!(rows.len(), 9);
    for row in &rows {
        let item = (row.item.content.as_str(), row.item.style.as_str());
        let expected = match item {
            ("a" | "z", "night") => {
                assert_eq!(row.status, Status::Done, "{row:?}");
                continue;
            }
            (_, "broken-2") => "style broken-2: ",
            ("broken-1", _) => "content broken-1: ",
            (_, _) => "the output of content ",
        };
        assert_eq!(row.status, Status::Quarantined, "{row:?}");
        assert_eq!(row.error_class, Some(FailureClass::BadOutput));
        assert!(row.output.is_none() && row.quality.is_none());
        let reason = row.error.as_deref().unwrap();
        assert!(reason.starts_with(expected), "{reason}");
        assert!(
            reason.contains("step 3 (timestep 421) has 1 of 4"),
            "{reason}"
        );
        assert!(reason.ends_with("no cure"), "{reason}");
    }
    let kept = ["images/night/a", "images/night/z", "labels/a", "labels/z"];
    assert_eq!(stored, kept.map(|path| format!("runs/staged/{path}.png")));
    // What was made took the whole of the work.
    let evaluations: f64 = rows
        .iter()
        .filter_map(|row| row.work)
        .map(|w| w.unet_evaluations)
        .sum();
    assert_eq!(evaluations, 4.0);
    let report = audit::audit(fixture.storage.as_ref(), &fixture.run)
        .await
        .unwrap();
    assert_eq!(report.findings, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn figures_that_are_not_finite_are_in_no_row_and_said_in_a_warning() {
    let fixture = shard_of(&["a", "uncertain", "unjudged"], &["night"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let (rows, stored) = fixture.committed().await;
    let [whole, uncertain, unjudged] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!(whole.warning, None);
    assert!(whole.quality.as_ref().unwrap().features.is_some());
    // An image whose similarity to its content is no number is none.
    assert_eq!(uncertain.status, Status::Quarantined);
    assert_eq!(uncertain.error_class, Some(FailureClass::BadOutput));
    assert!(
        !stored.iter().any(|path| path.contains("uncertain")),
        "{stored:?}"
    );
    // What a network makes of an image says nothing against the image.
    assert_eq!(unjudged.status, Status::Done);
    assert_eq!(unjudged.warning_kinds, [WarningKind::NotEvaluated]);
    let quality = unjudged.quality.as_ref().unwrap();
    assert_eq!(quality.figures[ItemMetric::Lpips], None);
    assert_eq!(quality.features, None);

    // An attempt that finds the images stored says the same of them.
    let shard = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(0));
    let again = shard_of(&["a", "uncertain", "unjudged"], &["night"]).await;
    for path in &stored {
        let mut parts = path.rsplit('/');
        let content = parts.next().unwrap().trim_end_matches(".png");
        let style = parts.next().unwrap();
        if style != "labels" {
            let item = ItemId {
                style: style.to_owned(),
                content: content.to_owned(),
            };
            let key = ArtifactKey::Image(again.run.record.run.clone(), item);
            let image = fixture.storage.read(&key).await.unwrap();
            again.storage.create(&key, image).await.unwrap();
        }
    }
    let noted = ArtifactKey::Making(fixture.run.record.run.clone(), ShardId(0));
    let note = fixture.storage.read(&noted).await.unwrap();
    again.storage.replace(&noted, note).await.unwrap();
    again.publish(None).await;
    again.work().await.unwrap();
    assert_eq!(again.engine.conversions(), 1, "of the uncertain one alone");
    assert!(again.storage.exists(&shard).await.unwrap());
    let (found, _) = again.committed().await;
    for (row, found) in rows.iter().zip(&found) {
        assert_eq!(
            (&row.warning, &row.quality),
            (&found.warning, &found.quality)
        );
    }
}
