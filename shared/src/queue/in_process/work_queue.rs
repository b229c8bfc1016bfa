//! The work queue in memory, without threads, time or chance.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::queue::message::ShardTask;
use crate::queue::{
    DELIVERY_LIMIT, DeadLetterReason, Deliveries, Delivery, Depth, QueueError, QueueErrorKind,
    Settle, Settlement, WorkQueue,
};

const PLACE: &str = "the queue in this process";

/// A work queue that ends with its process. Clones are the same queue.
#[derive(Clone)]
pub struct InProcessWorkQueue {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
    delivery_limit: u64,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Message>,
    dead: VecDeque<Message>,
    in_hand: BTreeMap<u64, Held>,
    consumers: u64,
    /// Number of the next consumer or receipt.
    next: u64,
}

struct Message {
    payload: Bytes,
    redeliveries: u64,
    dead_letter: Option<DeadLetterReason>,
}

/// A message in the hands of a consumer.
struct Held {
    message: Message,
    consumer: u64,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Puts a message back behind the others.
    fn release(&mut self, message: Message) {
        if message.dead_letter.is_some() {
            self.dead.push_back(message);
        } else {
            self.ready.push_back(message);
        }
    }

    /// Puts a message back before the others that was not settled, or to the dead letters if that happened too often.
    fn give_back(&mut self, mut message: Message, delivery_limit: u64) {
        message.redeliveries += 1;
        if message.dead_letter.is_some() {
            self.dead.push_front(message);
        } else if message.redeliveries > delivery_limit {
            self.bury(message, DeadLetterReason::DeliveryLimit);
        } else {
            self.ready.push_front(message);
        }
    }

    fn bury(&mut self, message: Message, reason: DeadLetterReason) {
        self.dead.push_back(Message {
            redeliveries: 0,
            dead_letter: Some(reason),
            ..message
        });
    }

    fn give_back_where(&mut self, delivery_limit: u64, which: impl Fn(&Held) -> bool) {
        let receipts: Vec<_> = self
            .in_hand
            .iter()
            .filter(|(_, held)| which(held))
            .map(|(receipt, _)| *receipt)
            .collect();
        // From the last to the first, so that the first is in front again.
        for receipt in receipts.into_iter().rev() {
            if let Some(held) = self.in_hand.remove(&receipt) {
                self.give_back(held.message, delivery_limit);
            }
        }
    }

    fn is_drained(&self) -> bool {
        let in_hand = self.in_hand.values();
        self.ready.is_empty()
            && in_hand
                .filter(|held| held.message.dead_letter.is_none())
                .count()
                == 0
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes all that wait for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_waiters();
        changed
    }

    /// Waits until `look` finds something.
    async fn wait_for<T>(&self, look: impl Fn(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }
}

impl Default for InProcessWorkQueue {
    fn default() -> Self {
        Self::with_delivery_limit(DELIVERY_LIMIT)
    }
}

impl InProcessWorkQueue {
    /// Returns an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an empty queue whose messages may come back `delivery_limit` times.
    #[must_use]
    pub fn with_delivery_limit(delivery_limit: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: Notify::new(),
                delivery_limit,
            }),
        }
    }

    /// Does what a restart of a broker does: everything in hand comes back, and is settled too late.
    pub fn lose_connections(&self) {
        let limit = self.shared.delivery_limit;
        self.shared
            .change(|state| state.give_back_where(limit, |_| true));
    }

    /// Does what a policy of a broker does: what waits becomes dead letters.
    pub fn give_up_waiting(&self, reason: DeadLetterReason) {
        self.shared.change(|state| {
            while let Some(message) = state.ready.pop_front() {
                state.bury(message, reason);
            }
        });
    }

    /// Returns when no shard is ready or in hand. Dead letters may be left.
    pub async fn drained(&self) {
        self.shared
            .wait_for(|state| state.is_drained().then_some(()))
            .await;
    }

    fn consumer(&self, of_dead_letters: bool) -> Box<dyn Deliveries> {
        let number = self.shared.change(|state| {
            state.consumers += u64::from(!of_dead_letters);
            state.number()
        });
        Box::new(InProcessDeliveries {
            shared: Arc::clone(&self.shared),
            number,
            of_dead_letters,
        })
    }
}

impl fmt::Debug for InProcessWorkQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state();
        f.debug_struct("InProcessWorkQueue")
            .field("ready", &state.ready.len())
            .field("in_hand", &state.in_hand.len())
            .field("dead", &state.dead.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl WorkQueue for InProcessWorkQueue {
    async fn publish(&self, tasks: &[ShardTask]) -> Result<(), QueueError> {
        let messages = tasks.iter().map(|task| Message {
            payload: task.to_payload().into(),
            redeliveries: 0,
            dead_letter: None,
        });
        self.shared.change(|state| state.ready.extend(messages));
        Ok(())
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        Ok(self.consumer(false))
    }

    async fn consume_dead(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        Ok(self.consumer(true))
    }

    async fn probe(&self) -> Result<(), QueueError> {
        Ok(())
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let state = self.shared.state();
        Ok(Depth {
            ready: state.ready.len() as u64,
            dead: state.dead.len() as u64,
            consumers: state.consumers,
        })
    }

    async fn alarm(&self) -> Result<Option<String>, QueueError> {
        Ok(None)
    }

    fn locate(&self) -> String {
        PLACE.to_owned()
    }
}

struct InProcessDeliveries {
    shared: Arc<Shared>,
    number: u64,
    of_dead_letters: bool,
}

impl InProcessDeliveries {
    /// What was taken and not settled comes back.
    fn let_go(&self, state: &mut State) {
        state.give_back_where(self.shared.delivery_limit, |held| {
            held.consumer == self.number
        });
    }

    fn take(&self, state: &mut State) -> Option<Delivery> {
        let waiting = if self.of_dead_letters {
            &mut state.dead
        } else {
            &mut state.ready
        };
        let message = waiting.pop_front()?;
        let receipt = state.number();
        let delivery = Delivery::new(
            message.payload.clone(),
            message.redeliveries,
            message.dead_letter,
            Box::new(Receipt {
                shared: Arc::clone(&self.shared),
                receipt,
            }),
        );
        let consumer = self.number;
        state.in_hand.insert(receipt, Held { message, consumer });
        Some(delivery)
    }
}

#[async_trait]
impl Deliveries for InProcessDeliveries {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        self.shared.change(|state| self.let_go(state));
        Ok(self.shared.wait_for(|state| self.take(state)).await)
    }

    async fn stop(&mut self) {
        // It has what it asked for, and nothing else.
    }
}

impl Drop for InProcessDeliveries {
    fn drop(&mut self) {
        self.shared.change(|state| {
            self.let_go(state);
            state.consumers -= u64::from(!self.of_dead_letters);
        });
    }
}

struct Receipt {
    shared: Arc<Shared>,
    receipt: u64,
}

#[async_trait]
impl Settle for Receipt {
    async fn settle(self: Box<Self>, settlement: Settlement) -> Result<(), QueueError> {
        self.shared.change(|state| {
            let held = state.in_hand.remove(&self.receipt).ok_or(QueueError {
                kind: QueueErrorKind::DeliveryLost,
                operation: "settle a message",
                server: PLACE.to_owned(),
                source: None,
            })?;
            let is_dead_letter = held.message.dead_letter.is_some();
            match settlement {
                Settlement::Ack => {}
                Settlement::Reject if !is_dead_letter => {
                    state.bury(held.message, DeadLetterReason::Rejected)
                }
                Settlement::Release | Settlement::Reject => state.release(held.message),
            }
            Ok(())
        })
    }
}
