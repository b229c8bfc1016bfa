//! The last decision holds, and what cannot be read is told and not passed over.

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::decision::Reopened;
use crate::read_file::max_bytes;
use crate::storage::{LocalStorage, MemoryStorage};

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> jiff::Timestamp {
        "2026-07-01T12:00:00Z".parse().unwrap()
    }
}

fn run() -> RunId {
    "demo".parse().unwrap()
}

#[tokio::test]
async fn the_last_decision_holds_and_none_is_stored_by_who_does_not_know_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let run: RunId = "demo".parse().unwrap();
    let (mut here, mut there) = (Decisions::default(), Decisions::default());
    let halt = DecisionKind::Halt {
        reason: "cancelled".into(),
    };
    let halt = Decision::made(halt, &Noon);
    here.decide_next(&storage, &run, halt).await.unwrap();
    assert_eq!(here.last_at, Some(Noon.now()));
    let resume = DecisionKind::Resume {
        reopened: vec![Reopened {
            shard: ShardId(4),
            last_attempt: 3,
        }],
        acknowledged_failures: 5,
        retried: Vec::new(),
        changed_inputs: Vec::new(),
    };
    let resume = Decision::made(resume, &SystemClock);
    let refused = there.decide_next(&storage, &run, resume.clone()).await;
    assert!(matches!(refused, Err(DecisionError::Meanwhile { .. })));
    assert_eq!(there, Decisions::default());
    there.read_new(&storage, &run).await.unwrap();
    assert_eq!(there, here);
    let resumed_at = resume.at;
    there.decide_next(&storage, &run, resume).await.unwrap();
    let expected = Decisions {
        count: 2,
        last_at: Some(resumed_at),
        halted: None,
        reopened: BTreeMap::from([(ShardId(4), 3)]),
        acknowledged_failures: 5,
        ..Decisions::default()
    };
    assert_eq!(there, expected);
    assert!(here.read_new(&storage, &run).await.unwrap());
    assert_eq!(here, expected);
    assert_eq!(Decisions::read(&storage, &run).await.unwrap(), expected);
    assert!(!here.read_new(&storage, &run).await.unwrap());
}

#[tokio::test]
async fn a_shard_is_reopened_after_an_attempt_that_has_a_number() {
    let run: RunId = "demo".parse().unwrap();
    for (last_attempt, first) in [
        (0, Some(1)),
        (3, Some(4)),
        (MAX_ATTEMPT, Some(MAX_ATTEMPT)),
        (MAX_ATTEMPT + 1, None),
        (u32::MAX, None),
    ] {
        let storage = MemoryStorage::new();
        let decision = Decision {
            what: DecisionKind::Resume {
                reopened: vec![Reopened {
                    shard: ShardId(4),
                    last_attempt,
                }],
                acknowledged_failures: 0,
                retried: Vec::new(),
                changed_inputs: Vec::new(),
            },
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let key = ArtifactKey::Decision(run.clone(), 1);
        let json = Bytes::from(seal::document(&decision, &key));
        storage.create(&key, json).await.unwrap();
        let read = Decisions::read(&storage, &run).await;
        let read = read.map(|decisions| decisions.first_attempt(ShardId(4)));
        assert_eq!(read.ok(), first, "{last_attempt}");
    }
}

#[tokio::test]
async fn what_is_too_large_for_a_decision_is_damaged_and_not_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let path = folder.path().join("runs/demo/decisions/000001.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    file.set_len(max_bytes::DECISION + 1).unwrap();
    let error = Decisions::read(&storage, &run()).await.unwrap_err();
    let told = crate::failure::chain(&error);
    for word in ["decisions/000001.json", "268435457 bytes"] {
        assert!(told.contains(word), "{told}");
    }
    assert!(matches!(error, DecisionError::Malformed { .. }), "{told}");
}

#[tokio::test]
async fn a_decision_that_is_there_and_cannot_be_read_is_no_end_of_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let run: RunId = "demo".parse().unwrap();
    let path = folder.path().join("runs/demo/decisions/000001.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/no/such/file", &path).unwrap();
    let error = Decisions::read(&storage, &run).await.unwrap_err();
    assert!(error.to_string().contains("000001.json"), "{error}");
}
