//! The decisions log of a run (halt, resume, ...): create-only objects, the last of which holds.
//!
//! - [`Retry`]: quarantined items that are tried again; [`ChangedInput`]: inputs that are others than the plan says
//! - `soundness`: what no decision of ours says, and what one may name of a run's plan

mod input;
mod retry;
mod soundness;

use std::collections::BTreeMap;

use bytes::Bytes;
pub use input::{ChangedInput, ChangedInputs, ChangedStyle};
pub use retry::{Items, Retries, Retry};
use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactKey;
use crate::clock::Clock;
use crate::failure::MAX_ATTEMPT;
use crate::ids::{RunId, ShardId};
use crate::plan::Plan;
use crate::seal::{self, DocumentError};
use crate::storage::{Storage, StorageError, StorageErrorKind, max_bytes_of};

/// A decision about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What was decided.
    pub what: DecisionKind,
    /// When.
    pub at: jiff::Timestamp,
}

/// What can be decided about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DecisionKind {
    /// It is not worked on any more.
    Halt {
        /// Why, for people.
        reason: String,
    },
    /// Work on it goes on.
    Resume {
        /// Shards that failed for good and are tried anew.
        reopened: Vec<Reopened>,
        /// Items that were quarantined or failed by then: they no longer count towards `max_failed`.
        #[serde(rename = "forgiven")]
        acknowledged_failures: usize,
        /// Quarantined items that are tried again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        retried: Vec<Retry>,
        /// Inputs that are others than the plan says, and of which nothing is stored.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed_inputs: Vec<ChangedInput>,
    },
}

/// A shard whose attempts count anew: it failed for good, or quarantined items of it are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reopened {
    /// The shard.
    pub shard: ShardId,
    /// Number of its last attempt: attempts up to it no longer count.
    pub last_attempt: u32,
}

/// What holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Number of decisions.
    pub count: u32,
    /// When the last one was made.
    pub last_at: Option<jiff::Timestamp>,
    /// Why the run is not worked on; nothing if it is open.
    pub halted: Option<String>,
    /// Number of the last attempt at a shard that no longer counts.
    pub reopened: BTreeMap<ShardId, u32>,
    /// Items that are not done and no longer count towards `max_failed`.
    pub acknowledged_failures: usize,
    /// Revisions of committed shards.
    pub retries: Retries,
    /// What holds in place of the plan's listings.
    pub changed_inputs: ChangedInputs,
}

/// Why decisions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// One of them is no decision.
    #[error("{path} is no decision of this version")]
    Malformed {
        /// The object.
        path: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// What was to be decided names more than a decision can hold.
    #[error(
        "a decision about run {run} would have {found} bytes, expected at most {most}: choose fewer items at once"
    )]
    TooLarge {
        /// The run.
        run: RunId,
        /// What it would have.
        found: u64,
        /// What it may have.
        most: u64,
    },
    /// Another decision came first, and what was to be decided depends on it.
    #[error("something else was decided about run {run} meanwhile: look at it, and decide anew")]
    Meanwhile {
        /// The run.
        run: RunId,
    },
}

impl Decision {
    /// Returns a decision that is made now, by a clock.
    #[must_use]
    pub fn made(what: DecisionKind, clock: &dyn Clock) -> Self {
        Self {
            what,
            at: clock.now(),
        }
    }
}

impl Decisions {
    /// Reads what holds now.
    ///
    /// # Errors
    ///
    /// [`DecisionError`] naming the object.
    pub async fn read(storage: &dyn Storage, run: &RunId) -> Result<Self, DecisionError> {
        let mut decisions = Self::default();
        decisions.read_new(storage, run).await?;
        Ok(decisions)
    }

    /// Returns the number of the first attempt at a shard that counts.
    #[must_use]
    pub fn first_attempt(&self, shard: ShardId) -> u32 {
        let reopened = self.reopened.get(&shard);
        reopened.map_or(1, |last| last.saturating_add(1).min(MAX_ATTEMPT))
    }

    /// Reads those that came since; returns whether there were any.
    ///
    /// # Errors
    ///
    /// [`DecisionError`] naming the object.
    pub async fn read_new(
        &mut self,
        storage: &dyn Storage,
        run: &RunId,
    ) -> Result<bool, DecisionError> {
        // They are numbered without a gap, so looking for the next one is cheaper than listing.
        let known = self.count;
        loop {
            let key = ArtifactKey::Decision(run.clone(), self.count + 1);
            let Some(decision) = read(storage, &key).await? else {
                break;
            };
            let follows = soundness::follows(&decision, &self.retries);
            follows.map_err(|source| malformed(storage, &key, source))?;
            self.take(decision);
        }
        Ok(self.count > known)
    }

    /// Proves that they name nothing but what a run's plan has.
    ///
    /// # Errors
    ///
    /// [`DecisionError::Malformed`] naming the one that does not.
    pub async fn check(
        &self,
        storage: &dyn Storage,
        run: &RunId,
        plan: &Plan,
    ) -> Result<(), DecisionError> {
        let Err(misfit) = soundness::fit(self, plan) else {
            return Ok(());
        };
        // Which of them it is takes reading them one by one.
        for number in 1..=self.count {
            let key = ArtifactKey::Decision(run.clone(), number);
            let mut alone = Self::default();
            if let Some(decision) = read(storage, &key).await? {
                alone.take(decision);
            }
            soundness::fit(&alone, plan).map_err(|source| malformed(storage, &key, source))?;
        }
        let last = ArtifactKey::Decision(run.clone(), self.count);
        Err(malformed(storage, &last, misfit))
    }

    fn take(&mut self, decision: Decision) {
        self.count += 1;
        self.last_at = Some(decision.at);
        match decision.what {
            DecisionKind::Halt { reason } => self.halted = Some(reason),
            DecisionKind::Resume {
                reopened,
                acknowledged_failures,
                retried,
                changed_inputs,
            } => {
                self.halted = None;
                retried
                    .into_iter()
                    .for_each(|retry| self.retries.add(retry));
                changed_inputs
                    .into_iter()
                    .for_each(|input| self.changed_inputs.add(input));
                self.reopened
                    .extend(reopened.iter().map(|r| (r.shard, r.last_attempt)));
                self.acknowledged_failures = acknowledged_failures;
            }
        }
    }

    /// Stores a decision that depends on those that are known, as the next one.
    ///
    /// # Errors
    ///
    /// [`DecisionError::Meanwhile`] if another one was stored since they were read.
    pub async fn decide_next(
        &mut self,
        storage: &dyn Storage,
        run: &RunId,
        decision: Decision,
    ) -> Result<(), DecisionError> {
        let key = ArtifactKey::Decision(run.clone(), self.count + 1);
        let json = Bytes::from(seal::document(&decision, &key));
        let (found, most) = (json.len() as u64, max_bytes_of(&key));
        if found > most {
            let run = run.clone();
            return Err(DecisionError::TooLarge { run, found, most });
        }
        match storage.create(&key, json).await {
            Ok(_) => {
                self.take(decision);
                Ok(())
            }
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                Err(DecisionError::Meanwhile { run: run.clone() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns a stored decision; nothing if there is none.
async fn read(storage: &dyn Storage, key: &ArtifactKey) -> Result<Option<Decision>, DecisionError> {
    let bytes = match storage.read(key).await {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => {
            let refused = error.refused().map(ToString::to_string);
            let refused = refused.map(DocumentError::Malformed);
            return Err(match refused {
                Some(source) => malformed(storage, key, source),
                None => error.into(),
            });
        }
    };
    let decision = Decision::parse(&bytes, key);
    decision
        .map(Some)
        .map_err(|source| malformed(storage, key, source))
}

fn malformed(storage: &dyn Storage, key: &ArtifactKey, source: DocumentError) -> DecisionError {
    DecisionError::Malformed {
        path: storage.locate(key),
        source,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::SystemClock;
    use crate::dataset::entry::{DatasetEntry, DatasetFile};
    use crate::plan::Shard;
    use crate::read_file::max_bytes;
    use crate::storage::{LocalStorage, MemoryStorage};
    use crate::wording::MOST_STORED_BYTES;

    #[derive(Debug)]
    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> jiff::Timestamp {
            "2026-07-01T12:00:00Z".parse().unwrap()
        }
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
    fn run() -> RunId {
        "demo".parse().unwrap()
    }

    /// A plan of two shards of a content each, in one style.
    fn plan() -> Plan {
        let listing = |name: &str| DatasetEntry {
            name: name.to_owned(),
            image: DatasetFile {
                path: format!("images/{name}.png").into(),
                size_bytes: 1,
            },
            label: None,
        };
        let shard = |id: u32| Shard {
            id: ShardId(id),
            contents: vec![id as usize],
            styles: vec![0],
        };
        Plan {
            contents: vec![listing("00001"), listing("00002")],
            styles: vec![listing("night")],
            shards: vec![shard(0), shard(1)],
        }
    }

    /// Stores a document in the place of a decision, with the right digest.
    async fn put(storage: &MemoryStorage, number: u32, what: Value) {
        let document = json!({"what": what, "at": "2026-01-02T03:04:05Z"});
        let key = ArtifactKey::Decision(run(), number);
        let sealed = Bytes::from(seal::document(&document, &key));
        storage.create(&key, sealed).await.unwrap();
    }

    /// Returns what is told of a run with these decisions.
    async fn told(decisions: &[Value]) -> String {
        let storage = MemoryStorage::new();
        for (number, what) in (1..).zip(decisions) {
            put(&storage, number, what.clone()).await;
        }
        let read = async {
            let decisions = Decisions::read(&storage, &run()).await?;
            decisions.check(&storage, &run(), &plan()).await
        };
        crate::failure::chain(&read.await.unwrap_err())
    }

    fn resume(field: &str, value: Value) -> Value {
        let mut what = json!({"kind": "resume", "reopened": [], "forgiven": 0});
        what[field] = value;
        what
    }

    fn retry(shard: u32, revision: u32, items: Value) -> Value {
        json!([{"shard": shard, "revision": revision, "items": items}])
    }

    #[tokio::test]
    async fn a_decision_that_no_program_of_ours_makes_is_damaged_and_named() {
        let listed = |name: &str, path: &str| json!({"name": name, "image": {"path": path, "size_bytes": 1}, "label": null});
        let content = |listing: Value| json!([{"role": "content", "listing": listing}]);
        let item = json!({"night": ["00001"]});
        let cases = [
            (
                json!({"kind": "halt", "reason": "x".repeat(MOST_STORED_BYTES + 1)}),
                "reason: it has 16385 bytes",
            ),
            (
                resume("reopened", json!([{"shard": 0, "last_attempt": u32::MAX}])),
                "last attempt at shard 000000 is 4294967295",
            ),
            (
                resume("reopened", json!([{"shard": u32::MAX, "last_attempt": 1}])),
                "shard 4294967295, and the plan has 2 shards",
            ),
            (resume("forgiven", json!(3)), "forgiven: it is 3"),
            (
                resume("retried", retry(7, 1, item.clone())),
                "shard 000007, and the plan has 2 shards",
            ),
            (
                resume("retried", retry(1, 1, item.clone())),
                "00001 in the style of night in shard 000001, where that was not planned",
            ),
            (
                resume("retried", retry(0, 1, json!({"dawn": ["00001"]}))),
                "00001 in the style of dawn in shard 000000",
            ),
            (
                resume("retried", retry(0, 1, json!({"night": []}))),
                "no item",
            ),
            (
                resume("retried", retry(0, 1, json!({"night": ["../x"]}))),
                "../x",
            ),
            (
                resume("retried", retry(0, 0, item.clone())),
                "revision 0 of shard 000000 is to be made, expected 1 to 1",
            ),
            (
                resume("retried", retry(0, u32::MAX, item.clone())),
                "revision 4294967295 of shard 000000",
            ),
            (
                resume("changed_inputs", content(listed("00001", "/etc/passwd"))),
                "/etc/passwd",
            ),
            (
                resume("changed_inputs", content(listed("00009", "a.png"))),
                "content 00009, which was not planned",
            ),
            (
                resume(
                    "changed_inputs",
                    json!([{"role": "style", "listing": listed("night", "a.png"), "sha256": "none"}]),
                ),
                "the sha256 of style night is none",
            ),
        ];
        for (what, words) in cases {
            let whole = json!({"kind": "halt", "reason": "cancelled"});
            let told = told(&[whole, what]).await;
            for word in ["decisions/000002.json is no decision", words] {
                assert!(told.contains(word), "no {word:?}: {told}");
            }
            assert!(told.len() < 1000, "{} bytes", told.len());
        }
    }

    #[tokio::test]
    async fn revisions_are_decided_one_after_the_other_and_the_last_one_again() {
        let storage = MemoryStorage::new();
        let item = json!({"night": ["00001"]});
        for (number, revision) in [(1, 1), (2, 1), (3, 2)] {
            let retried = retry(0, revision, item.clone());
            put(&storage, number, resume("retried", retried)).await;
        }
        let decisions = Decisions::read(&storage, &run()).await.unwrap();
        decisions.check(&storage, &run(), &plan()).await.unwrap();
        assert_eq!(decisions.retries.last(ShardId(0)), 2);
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
    async fn a_reason_is_a_part_of_a_line() {
        let storage = MemoryStorage::new();
        let halt = json!({"kind": "halt", "reason": "x)\nrun demo is complete\r\u{202e}"});
        put(&storage, 1, halt).await;
        let decisions = Decisions::read(&storage, &run()).await.unwrap();
        let expected = "x)\\nrun demo is complete\\r\\u{202e}";
        assert_eq!(decisions.halted.as_deref(), Some(expected));
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
}
