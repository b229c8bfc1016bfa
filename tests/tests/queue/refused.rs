//! Brokers that cannot be used: each is told for what it is, and no password with it.

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use shared::queue::{self, QueueError, QueueErrorKind};
use shared::settings::BrokerConfig;
use tests::broker::{namespace, shared_broker_url};

const PASSWORD: &str = "s3cret-and-wrong";

/// What a person would read of an error, and more.
fn everything(error: &QueueError) -> String {
    let mut text = format!("{error}\n{error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!("\n{cause}\n{cause:?}");
        source = cause.source();
    }
    text
}

async fn refusal(url: &str, namespace: &str) -> QueueError {
    let config = BrokerConfig::new(url, Some(namespace)).expect("an address");
    queue::open(&config).await.expect_err("it was opened")
}

/// The shared broker, at another virtual host and with a password of which there must be no trace.
fn address(vhost: &str) -> String {
    let url = shared_broker_url();
    let (_, rest) = url.rsplit_once('@').expect("user and password");
    let (server, _) = rest.split_once('/').expect("a virtual host");
    format!("amqp://guest:{PASSWORD}@{server}/{vhost}")
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_not_shown() {
    let error = refusal(&address("%2f"), &namespace()).await;
    assert_eq!(error.kind, QueueErrorKind::Denied, "{}", everything(&error));
    assert!(
        !everything(&error).contains(PASSWORD),
        "{}",
        everything(&error)
    );
    assert!(
        error
            .to_string()
            .starts_with("cannot connect at amqp://127.0.0.1:"),
        "{error}"
    );
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_denied() {
    let url = shared_broker_url();
    let (before, _) = url.rsplit_once('/').expect("a virtual host");
    let error = refusal(&format!("{before}/nowhere"), &namespace()).await;
    assert_eq!(error.kind, QueueErrorKind::Denied, "{}", everything(&error));
    assert!(
        everything(&error).contains("nowhere"),
        "{}",
        everything(&error)
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    drop(listener);
    let url = format!("amqp://guest:{PASSWORD}@127.0.0.1:{port}/%2f");
    let error = refusal(&url, &namespace()).await;
    assert_eq!(error.kind, QueueErrorKind::Unavailable, "{error}");
    assert!(
        !everything(&error).contains(PASSWORD),
        "{}",
        everything(&error)
    );
}

#[tokio::test]
async fn an_address_that_the_client_does_not_understand_is_not_shown() {
    let url = format!("amqp://guest:{PASSWORD}%ff@127.0.0.1:5672/%ff?heartbeat={PASSWORD}");
    let error = refusal(&url, &namespace()).await;
    assert!(
        !everything(&error).contains(PASSWORD),
        "{}",
        everything(&error)
    );
}

#[tokio::test]
async fn a_queue_with_other_properties_is_misconfigured() {
    let namespace = namespace();
    let url = shared_broker_url();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await;
    let connection = connection.expect("a broker");
    let channel = connection.create_channel().await.expect("a channel");
    let options = QueueDeclareOptions::durable();
    let name = format!("{namespace}.shards").into();
    let declared = channel
        .queue_declare(name, options, FieldTable::default())
        .await;
    declared.expect("a classic queue");
    let error = refusal(&url, &namespace).await;
    assert_eq!(
        error.kind,
        QueueErrorKind::Misconfigured,
        "{}",
        everything(&error)
    );
    assert!(
        error.to_string().contains(&format!("{namespace}.shards")),
        "{error}"
    );
}
