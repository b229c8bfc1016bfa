//! An attempt under the eyes of the watchdog, of those who may drain the worker, and of those who may halt the run.

use std::sync::Arc;
use std::time::Duration;

use shared::queue::message::ShardTask;

use super::Consumer;
use super::look::Ready;
use super::pulse::Pulse;
use super::telling::Teller;
use crate::attempt::{Attempt, AttemptError, Progress, Provenance, ShardOutcome};

/// Between two looks at the watch.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two looks at what was decided about the run.
const TICKS_BETWEEN_DECISIONS: u32 = 15;
/// How long a look at decisions may keep the watchdog waiting.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

impl Consumer {
    pub(super) async fn attempt(
        &self,
        task: &ShardTask,
        ready: &Ready,
        teller: &Teller,
    ) -> Result<ShardOutcome, AttemptError> {
        let pulse = Arc::new(Pulse::new(
            self.watchdog,
            teller.takes_up(task),
            Arc::clone(&self.progress),
        ));
        let frozen = &ready.record.frozen;
        let provenance = Provenance {
            worker: self.name.clone(),
            device: self.workshop.device(),
            seed: frozen.method.seed,
            config_hash: frozen.config_hash(),
            model_sha256: frozen.model.sha256.clone(),
            plan_hash: ready.record.plan_hash.clone(),
        };
        let attempt = Attempt {
            task,
            planned: &ready.inputs,
            goal: &ready.goal,
            known: &ready.known,
            number: ready.next.number,
            patience: ready.record.limits.input_patience(),
            storage: self.storage.as_ref(),
            tools: &ready.tools,
            provenance: &provenance,
            progress: Arc::clone(&pulse) as Arc<dyn Progress>,
            clock: self.clock.as_ref(),
            stop: &ready.stop,
        };
        let making = attempt.make();
        tokio::pin!(making);
        let mut decisions = ready.decisions.clone();
        let mut tick = tokio::time::interval(TICK);
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                biased;
                outcome = &mut making => return outcome,
                () = self.drain.cancelled(), if !ready.is_stopping() => ready.stop(),
                _ = tick.tick() => {
                    pulse.check()?;
                    ticks += 1;
                    if ticks.is_multiple_of(TICKS_BETWEEN_DECISIONS) {
                        let look = decisions.read_new(self.storage.as_ref(), &task.run);
                        let _ = tokio::time::timeout(LOOK_TIMEOUT, look).await;
                        if let Some(reason) = &decisions.halted {
                            tracing::info!(reason, "the run is halted: finishing the item in hand");
                            ready.stop();
                        }
                    }
                }
            }
        }
    }
}

impl Ready {
    fn is_stopping(&self) -> bool {
        self.stop.load(std::sync::atomic::Ordering::Relaxed)
    }
}
