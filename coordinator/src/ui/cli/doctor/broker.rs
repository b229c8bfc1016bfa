//! The broker: whether it answers, which it is, and whether it takes messages.

use std::time::Duration;

use shared::failure::chain;
use shared::queue::{self, Depth, Greeting, QueueError, QueueErrorKind};
use shared::settings::{BROKER_PASSWORD, BROKER_USER, BrokerConfig};
use shared::wording::one_line;

use super::finding::Finding;
use super::{answer, no_answer};

const BROKER: &str = "broker";
const ALARM_HELPS: &str =
    "`rabbitmq-diagnostics alarms` names it there: free memory or disk of the broker";
/// A person waits: an alarm that lasts longer is told.
const ALARM_PATIENCE: Duration = Duration::from_secs(5);
/// The oldest RabbitMQ that was tried.
const OLDEST: (u32, u32) = (3, 10);

/// What a broker is found to be like.
enum Answer {
    /// It takes no messages, for this reason.
    Alarm(String),
    Depth(Depth),
}

/// Returns what is found of the broker that an option, a variable or a key names.
pub(super) async fn check(broker: Option<&BrokerConfig>, named_in: &str) -> Finding {
    let Some(config) = broker else {
        let none = "none is named (SYNTH2REAL_BROKER_URL or --broker): `run` needs none";
        return Finding::ok(BROKER, none);
    };
    let mut config = config.clone();
    config.alarm_patience = config.alarm_patience.min(ALARM_PATIENCE);
    let (greeting, answered) = tokio::join!(queue::greeting(&config), answer(ask(&config)));
    let shown = config.shown();
    let Some(answered) = answered else {
        let helps = helps(QueueErrorKind::Unavailable, named_in);
        return no_answer(BROKER, &shown, &helps);
    };
    found((shown.as_str(), named_in), greeting.as_ref(), answered).with("address", shown)
}

/// Proves that messages go through, unless an alarm keeps them from it.
async fn ask(config: &BrokerConfig) -> Result<Answer, QueueError> {
    let work = queue::open(config).await?.work;
    if let Some(reason) = work.alarm().await? {
        return Ok(Answer::Alarm(reason));
    }
    work.probe().await?;
    Ok(Answer::Depth(work.depth().await?))
}

fn found(
    (shown, named_in): (&str, &str),
    greeting: Option<&Greeting>,
    answered: Result<Answer, QueueError>,
) -> Finding {
    let who = match greeting {
        Some(Greeting { product, version }) => {
            format!("{shown}, {} {}", one_line(product), one_line(version))
        }
        None => shown.to_owned(),
    };
    let finding = match answered {
        Ok(Answer::Alarm(reason)) => {
            let found = format!("{who} has an alarm and takes no messages: {reason}");
            Finding::missing(BROKER, found, ALARM_HELPS)
        }
        Ok(Answer::Depth(depth)) => {
            let found = format!("{who}: {depth}");
            let finding = match greeting.and_then(too_old) {
                Some(helps) => Finding::warning(BROKER, found, helps),
                None => Finding::ok(BROKER, found),
            };
            finding
                .with("shards_ready", depth.ready)
                .with("dead_letters", depth.dead)
                .with("workers", depth.consumers)
        }
        Err(error) => Finding::missing(BROKER, chain(&error), helps(error.kind, named_in)),
    };
    match greeting {
        Some(greeting) => finding
            .with("product", greeting.product.as_str())
            .with("version", greeting.version.as_str()),
        None => finding,
    }
}

fn helps(kind: QueueErrorKind, named_in: &str) -> String {
    match kind {
        QueueErrorKind::Unavailable | QueueErrorKind::DeliveryLost => {
            format!("start it, or name another in {named_in}")
        }
        QueueErrorKind::Denied => format!(
            "put user and password right, in {BROKER_USER} and {BROKER_PASSWORD} or {named_in}, and the virtual host in \
             {named_in}; permit that user to configure, write and read"
        ),
        QueueErrorKind::Misconfigured => {
            "delete there what another program declared, or choose another broker.namespace"
                .to_owned()
        }
        QueueErrorKind::Alarm => ALARM_HELPS.to_owned(),
    }
}

/// Returns what helps where the broker is older than any that was tried.
fn too_old(greeting: &Greeting) -> Option<&'static str> {
    let mut numbers = greeting.version.split('.').map(str::parse);
    let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (greeting.product == "RabbitMQ" && version < OLDEST).then_some(
        "tried with RabbitMQ 3.10: an older one may lack quorum queues or their delivery limit",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::cli::doctor::finding::State;

    fn rabbit(version: &str) -> Greeting {
        Greeting {
            product: "RabbitMQ".to_owned(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn a_broker_that_was_never_tried_is_warned_of_and_one_of_any_other_kind_is_not() {
        assert!(too_old(&rabbit("3.7.28")).is_some());
        for version in ["3.10.8", "4.1.0", "unknown", "3"] {
            assert_eq!(too_old(&rabbit(version)), None, "{version}");
        }
        let other = Greeting {
            product: "LavinMQ".to_owned(),
            ..rabbit("1.2.3")
        };
        assert_eq!(too_old(&other), None);
    }

    #[test]
    fn an_alarm_is_missing_with_what_helps_and_depths_are_facts() {
        let alarm = Ok(Answer::Alarm("low on disk".to_owned()));
        let at = ("amqp://broker", "--broker");
        let alarm = found(at, Some(&rabbit("3.10.8")), alarm);
        assert_eq!(alarm.state, State::Missing);
        assert!(alarm.found.ends_with("low on disk"), "{alarm:?}");
        assert!(alarm.helps.unwrap().contains("rabbitmq-diagnostics"));
        let depth = Depth {
            ready: 7,
            dead: 1,
            consumers: 2,
        };
        let answers = found(at, None, Ok(Answer::Depth(depth)));
        assert_eq!(answers.found, "amqp://broker: 7 shards wait, 2 workers");
        assert_eq!(answers.facts["shards_ready"], 7);
        let one = Depth {
            ready: 1,
            dead: 0,
            consumers: 1,
        };
        let answers = found(at, None, Ok(Answer::Depth(one)));
        assert_eq!(answers.found, "amqp://broker: 1 shard waits, 1 worker");
    }

    #[test]
    fn a_refused_user_is_told_of_every_place_that_may_have_named_it() {
        assert_eq!(
            helps(QueueErrorKind::Denied, "broker.url"),
            "put user and password right, in SYNTH2REAL_BROKER_USER and SYNTH2REAL_BROKER_PASSWORD or broker.url, and \
             the virtual host in broker.url; permit that user to configure, write and read"
        );
    }

    #[tokio::test]
    async fn a_broker_that_is_not_there_is_missing_with_what_names_it_and_without_its_password() {
        let config = BrokerConfig::new("amqp://user:s3cret@127.0.0.1:9/%2f", None).unwrap();
        let found = check(Some(&config), "--broker").await;
        assert_eq!(found.state, State::Missing);
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
        let helps = found.helps.as_deref();
        assert_eq!(helps, Some("start it, or name another in --broker"));
        assert_eq!(check(None, "SYNTH2REAL_BROKER_URL").await.state, State::Ok);
    }
}
