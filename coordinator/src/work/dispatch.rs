//! Shards handed to the queue.

use shared::queue::message::ShardTask;
use shared::queue::{QueueError, WorkQueue};
use shared::telemetry;
use tracing::Instrument;

/// Tasks that are held in memory at once.
const TASKS_AT_ONCE: usize = 1_000;

/// Publishes tasks, telling `published` how many are safe so far; returns their number.
///
/// # Errors
///
/// [`QueueError`] if the queue cannot be reached. Publishing again is harmless: workers find what is done.
pub async fn publish(
    queue: &dyn WorkQueue,
    tasks: impl Iterator<Item = ShardTask>,
    published: impl Fn(usize),
) -> Result<usize, QueueError> {
    let mut tasks = tasks.peekable();
    let Some(first) = tasks.peek() else {
        return Ok(0);
    };
    let span = tracing::info_span!("publish", run = %first.run);
    publish_parts(queue, tasks, published)
        .instrument(span)
        .await
}

async fn publish_parts(
    queue: &dyn WorkQueue,
    tasks: impl Iterator<Item = ShardTask>,
    published: impl Fn(usize),
) -> Result<usize, QueueError> {
    let traceparent = telemetry::traceparent();
    let mut tasks = tasks
        .map(|mut task| {
            task.traceparent.clone_from(&traceparent);
            task
        })
        .peekable();
    let mut count = 0;
    while tasks.peek().is_some() {
        let part: Vec<ShardTask> = tasks.by_ref().take(TASKS_AT_ONCE).collect();
        queue.publish(&part).await?;
        count += part.len();
        published(count);
    }
    Ok(count)
}
