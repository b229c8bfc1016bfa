//! An attempt under supervision: the watchdog ends it when it hangs, and a drained worker or a halted run stops it after
//! the item in hand.

use std::sync::Arc;
use std::time::Duration;

use shared::queue::message::ShardTask;
use shared::settings::{Device, MethodConfig};

use super::Consumer;
use super::preflight::PreparedShard;
use super::reporter::EventReporter;
use super::watchdog::Watchdog;
use crate::attempt::{Attempt, AttemptError, Progress, Provenance, ShardOutcome};

/// Between two checks of the watchdog.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two looks at what was decided about the run.
const TICKS_BETWEEN_DECISIONS: u32 = 15;
/// How long a look at decisions may keep the watchdog waiting.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes an attempt at a shard under supervision.
pub(super) async fn supervised_attempt(
    consumer: &Consumer,
    task: &ShardTask,
    shard: &PreparedShard,
    reporter: &EventReporter,
) -> Result<ShardOutcome, AttemptError> {
    let watchdog = Arc::new(Watchdog::new(
        consumer.watchdog,
        reporter.shard_started(task),
        Arc::clone(&consumer.progress),
    ));
    reporter.computes_with(&shard.context.platform);
    let frozen = &shard.record.frozen;
    let provenance = Provenance {
        worker: consumer.name.clone(),
        device: match &frozen.method {
            MethodConfig::Diffusion(_) | MethodConfig::Translator(_) => {
                consumer.run_contexts.device()
            }
            MethodConfig::Baseline(_) => Device::Cpu.to_string(),
        },
        platform: shard.context.platform.clone(),
        seed: frozen.method.seed(),
        config_hash: frozen.config_hash(),
        model_sha256: frozen.model_sha256().to_owned(),
        plan_hash: shard.record.plan_hash.clone(),
    };
    let attempt = Attempt {
        task,
        planned: &shard.inputs,
        goal: &shard.goal,
        known: &shard.known,
        number: shard.next.number,
        patience: shard.record.limits.input_patience(),
        storage: consumer.storage.as_ref(),
        context: &shard.context,
        provenance: &provenance,
        progress: Arc::clone(&watchdog) as Arc<dyn Progress>,
        clock: consumer.clock.as_ref(),
        stop: &shard.stop,
    };
    let making = attempt.make();
    tokio::pin!(making);
    let mut decisions = shard.decisions.clone();
    let mut tick = tokio::time::interval(TICK);
    let mut ticks = 0_u32;
    loop {
        tokio::select! {
            biased;
            outcome = &mut making => return outcome,
            () = consumer.drain.cancelled(), if !shard.is_stopping() => shard.stop(),
            _ = tick.tick() => {
                watchdog.check()?;
                ticks += 1;
                if ticks.is_multiple_of(TICKS_BETWEEN_DECISIONS) {
                    let look = decisions.read_new(consumer.storage.as_ref(), &task.run);
                    // What cannot be read now is read at a later tick.
                    let _ = tokio::time::timeout(LOOK_TIMEOUT, look).await;
                    if let Some(reason) = &decisions.halted {
                        tracing::info!(reason, "the run is halted: finishing the item in hand");
                        shard.stop();
                    }
                }
            }
        }
    }
}
