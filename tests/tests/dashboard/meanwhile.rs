//! Two decisions about a run at the same moment: the second is refused, with the way back to the run.

use std::sync::Arc;
use std::time::Duration;

use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::decision::{Decision, DecisionKind, Decisions};
use shared::settings::ShardSize;
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{self, FakeEngine};
use tests::http::ask;
use tests::planned;
use tests::vanishing::Vanishing;

use super::served::Served;
use super::{HTML, cookie, csrf};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_decide_at_once_the_second_gets_a_page_that_says_so_and_leads_back() {
    let truth: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let size = ShardSize {
        contents: 2,
        styles: 1,
    };
    let contents = ["a", "bad"].map(str::to_owned);
    let run = planned::run("planned", &contents, &["fog".to_owned()], size);
    planned::store(truth.as_ref(), &run).await;
    fake_engine::make(&truth, &run, &FakeEngine::new(Duration::ZERO)).await;
    // Another decision is stored after the dashboard has read those before.
    let id = &run.record.run;
    let halt = DecisionKind::Halt {
        reason: "cancelled".to_owned(),
    };
    let mut decisions = Decisions::default();
    let halt = Decision::made(halt, &SystemClock);
    let decided = decisions.decide_next(truth.as_ref(), id, halt).await;
    decided.unwrap();
    let vanishing = Vanishing::of(Arc::clone(&truth));
    vanishing.take(&ArtifactKey::Decision(id.clone(), 1));
    let served = Served::observing(vanishing, id).await;
    let path = "/runs/planned/resume?only=quarantined";
    let preview = ask(&served.address, "GET", path, &[HTML], "");
    assert_eq!(preview.status, 200, "{}", preview.body);
    let session = cookie(&preview);
    let body = format!(
        "csrf={}&only=quarantined&style=&shards=&reason=&contains=",
        csrf(&preview.body)
    );
    let path = "/runs/planned/resume";
    let answer = ask(&served.address, "POST", path, &[&session], &body);
    assert_eq!(answer.status, 409, "{}", answer.body);
    for words in [
        "something else was decided about run planned meanwhile",
        "href=\"/runs/planned\"",
    ] {
        assert!(answer.body.contains(words), "no {words:?}: {}", answer.body);
    }
    let decided = Decisions::read(truth.as_ref(), id).await.unwrap();
    assert_eq!(decided.count, 1, "only the first");
    served.end().await;
}
