//! Shards handed to the queue.

use shared::queue::{Queue, QueueError};
use shared::task::ShardTask;

/// Tasks that are held in memory at once.
const TASKS_AT_ONCE: usize = 1_000;

/// Publishes tasks, telling `published` how many are safe so far; returns their number.
///
/// # Errors
///
/// [`QueueError`] if the queue cannot be reached. Publishing again is harmless: workers find what is done.
pub async fn publish(
    queue: &dyn Queue,
    tasks: impl Iterator<Item = ShardTask>,
    published: impl Fn(usize),
) -> Result<usize, QueueError> {
    let mut tasks = tasks.peekable();
    let mut count = 0;
    while tasks.peek().is_some() {
        let part: Vec<ShardTask> = tasks.by_ref().take(TASKS_AT_ONCE).collect();
        queue.publish(&part).await?;
        count += part.len();
        published(count);
    }
    Ok(count)
}
