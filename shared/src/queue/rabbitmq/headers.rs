//! What the headers of a message say: how often it came back, and why it is a dead letter.
//!
//! The broker counts every return of a message, also one that its consumer asked for. So what is released is published
//! anew, with the number of times it came back for another reason, and that delivery is acknowledged: what is lost in
//! between is there twice, which consumers bear.

use tracing::warn;

use super::client::{AMQPValue, FieldTable};
use crate::queue::{DELIVERY_LIMIT, DeadLetterReason};

/// How often a message came back unsettled before it was published anew.
const REDELIVERIES: &str = "synth2real-redeliveries";
/// Why a message was published to the dead letters, in the words of the broker.
const DEAD_LETTER: &str = "synth2real-death";
/// The most times that a message came back which was moved to the dead letters for that: as often as it may before it was
/// published anew, as often again since, and once more.
const MOST_REDELIVERIES: u64 = 2 * DELIVERY_LIMIT + 1;

/// Returns how often a message came back unsettled, before it was published anew and since.
pub(super) fn redeliveries(headers: &FieldTable, redelivered: bool) -> u64 {
    // The broker counts what it delivers again, and leaves as it is what the publisher of the message says.
    let since = if redelivered {
        integer(headers, "x-delivery-count").max(1)
    } else {
        0
    };
    redeliveries_before(headers).saturating_add(since)
}

/// Returns how often a message came back before it was published anew. A message that came back too often is published to no
/// worker, so a larger number is that of another program.
fn redeliveries_before(headers: &FieldTable) -> u64 {
    let stated = integer(headers, REDELIVERIES);
    if stated <= DELIVERY_LIMIT {
        return stated;
    }
    warn!(
        stated,
        most = DELIVERY_LIMIT,
        "a message says that it came back more often than any that is published: that counts for nothing; who publishes to \
         the queue beside synth2real?"
    );
    0
}

/// Returns the headers of a message that is published anew.
pub(super) fn counted(redeliveries: u64) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(REDELIVERIES.into(), count(redeliveries));
    headers
}

/// Returns the headers of a dead letter that is published anew.
pub(super) fn dead(reason: DeadLetterReason) -> FieldTable {
    let mut headers = FieldTable::default();
    if let Some(word) = word(reason) {
        headers.insert(DEAD_LETTER.into(), AMQPValue::LongString(word.into()));
    }
    if reason == DeadLetterReason::DeliveryLimit {
        headers.insert(REDELIVERIES.into(), count(DELIVERY_LIMIT + 1));
    }
    headers
}

/// Returns the headers of a message that is moved to the dead letters because it came back so often.
pub(super) fn buried(redeliveries: u64) -> FieldTable {
    let mut headers = dead(DeadLetterReason::DeliveryLimit);
    headers.insert(REDELIVERIES.into(), count(redeliveries));
    headers
}

fn count(redeliveries: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(redeliveries).unwrap_or(i64::MAX))
}

fn integer(headers: &FieldTable, key: &str) -> u64 {
    let value = match headers.inner().get(key) {
        Some(AMQPValue::LongLongInt(value)) => *value,
        Some(AMQPValue::LongInt(value)) => i64::from(*value),
        Some(AMQPValue::LongUInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortUInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortShortInt(value)) => i64::from(*value),
        Some(AMQPValue::ShortShortUInt(value)) => i64::from(*value),
        _ => 0,
    };
    u64::try_from(value).unwrap_or(0)
}

/// Returns why a message of the shards' queue of that name became a dead letter last: the broker's word, or ours where it was
/// published to the dead letters. What neither can have said explains nothing.
pub(super) fn dead_letter_reason(headers: &FieldTable, shards: &str) -> DeadLetterReason {
    let said = match headers.inner().get("x-death") {
        Some(AMQPValue::FieldArray(deaths)) => of_broker(deaths.as_slice().first(), shards),
        _ => of_ours(headers),
    };
    said.unwrap_or(DeadLetterReason::Unexplained)
}

/// Returns the reason that the broker tells. One that a person caused there counts as a rejection.
fn of_broker(last: Option<&AMQPValue>, shards: &str) -> Option<DeadLetterReason> {
    let Some(AMQPValue::FieldTable(last)) = last else {
        return None;
    };
    if words(last, "queue") != Some(shards.as_bytes()) {
        return None;
    }
    let reason = words(last, "reason")?;
    Some(reason_of(reason).unwrap_or(DeadLetterReason::Rejected))
}

/// Returns the reason that a message was published to the dead letters with.
fn of_ours(headers: &FieldTable) -> Option<DeadLetterReason> {
    let reason = reason_of(words(headers, DEAD_LETTER)?)?;
    let redeliveries = integer(headers, REDELIVERIES);
    let is_often = (DELIVERY_LIMIT + 1..=MOST_REDELIVERIES).contains(&redeliveries);
    (reason != DeadLetterReason::DeliveryLimit || is_often).then_some(reason)
}

/// Returns what the broker calls a reason, if it is one that it knows.
fn word(reason: DeadLetterReason) -> Option<&'static str> {
    match reason {
        DeadLetterReason::Rejected => Some("rejected"),
        DeadLetterReason::DeliveryLimit => Some("delivery_limit"),
        DeadLetterReason::Expired => Some("expired"),
        DeadLetterReason::Dropped => Some("maxlen"),
        DeadLetterReason::Unexplained => None,
    }
}

/// Returns the reason that the broker calls so.
fn reason_of(said: &[u8]) -> Option<DeadLetterReason> {
    let reasons = [
        DeadLetterReason::Rejected,
        DeadLetterReason::DeliveryLimit,
        DeadLetterReason::Expired,
        DeadLetterReason::Dropped,
    ];
    let is_said =
        |reason: &DeadLetterReason| word(*reason).is_some_and(|word| word.as_bytes() == said);
    reasons.into_iter().find(is_said)
}

fn words<'a>(headers: &'a FieldTable, key: &str) -> Option<&'a [u8]> {
    match headers.inner().get(key) {
        Some(AMQPValue::LongString(words)) => Some(words.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARDS: &str = "synth2real.shards";

    /// Returns the headers of a message that was a dead letter for a reason, and before that for another.
    fn died(reason: &str) -> FieldTable {
        let death = |reason: &str| {
            let mut death = FieldTable::default();
            death.insert("queue".into(), AMQPValue::LongString(SHARDS.into()));
            death.insert("reason".into(), AMQPValue::LongString(reason.into()));
            AMQPValue::FieldTable(death)
        };
        let mut headers = FieldTable::default();
        let deaths = vec![death(reason), death("rejected")];
        headers.insert("x-death".into(), AMQPValue::FieldArray(deaths.into()));
        headers
    }

    #[test]
    fn what_a_policy_took_from_the_queue_was_rejected_by_nobody() {
        for (reason, expected) in [
            ("rejected", DeadLetterReason::Rejected),
            ("delivery_limit", DeadLetterReason::DeliveryLimit),
            ("expired", DeadLetterReason::Expired),
            ("maxlen", DeadLetterReason::Dropped),
            ("of a later broker", DeadLetterReason::Rejected),
        ] {
            assert_eq!(
                dead_letter_reason(&died(reason), SHARDS),
                expected,
                "{reason}"
            );
        }
    }

    #[test]
    fn a_dead_letter_that_was_published_to_them_by_others_is_not_explained() {
        assert_eq!(
            dead_letter_reason(&FieldTable::default(), SHARDS),
            DeadLetterReason::Unexplained
        );
        let elsewhere = dead_letter_reason(&died("delivery_limit"), "other.shards");
        assert_eq!(elsewhere, DeadLetterReason::Unexplained);
        for (redeliveries, expected) in [
            (None, DeadLetterReason::Unexplained),
            (Some(0), DeadLetterReason::Unexplained),
            (Some(DELIVERY_LIMIT), DeadLetterReason::Unexplained),
            (Some(DELIVERY_LIMIT + 1), DeadLetterReason::DeliveryLimit),
            (
                Some(2 * DELIVERY_LIMIT + 1),
                DeadLetterReason::DeliveryLimit,
            ),
            (Some(100), DeadLetterReason::Unexplained),
        ] {
            let mut headers = redeliveries.map(counted).unwrap_or_default();
            let limit = AMQPValue::LongString("delivery_limit".into());
            headers.insert(DEAD_LETTER.into(), limit);
            assert_eq!(
                dead_letter_reason(&headers, SHARDS),
                expected,
                "{redeliveries:?}"
            );
        }
        let mut unknown = counted(DELIVERY_LIMIT + 1);
        unknown.insert(DEAD_LETTER.into(), AMQPValue::LongString("boredom".into()));
        assert_eq!(
            dead_letter_reason(&unknown, SHARDS),
            DeadLetterReason::Unexplained
        );
    }

    #[test]
    fn a_dead_letter_that_is_published_anew_says_why_it_is_one() {
        for expected in [
            DeadLetterReason::Rejected,
            DeadLetterReason::DeliveryLimit,
            DeadLetterReason::Expired,
            DeadLetterReason::Dropped,
            DeadLetterReason::Unexplained,
        ] {
            assert_eq!(dead_letter_reason(&dead(expected), SHARDS), expected);
        }
    }

    #[test]
    fn returns_are_counted_over_all_times_a_message_was_published() {
        assert_eq!(redeliveries(&FieldTable::default(), false), 0);
        assert_eq!(redeliveries(&FieldTable::default(), true), 1);
        let mut headers = counted(7);
        assert_eq!(redeliveries(&headers, false), 7);
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
        assert_eq!(redeliveries(&headers, true), 9);
    }

    #[test]
    fn no_message_has_come_back_before_it_was_delivered_whatever_it_says() {
        assert_eq!(
            redeliveries(&counted(DELIVERY_LIMIT), false),
            DELIVERY_LIMIT
        );
        for stated in [DELIVERY_LIMIT + 1, 100, u64::MAX] {
            assert_eq!(redeliveries(&counted(stated), false), 0, "{stated}");
            assert_eq!(redeliveries(&counted(stated), true), 1, "{stated}");
        }
        let mut forged = FieldTable::default();
        forged.insert("x-delivery-count".into(), AMQPValue::LongLongInt(100));
        assert_eq!(redeliveries(&forged, false), 0);
    }
}
