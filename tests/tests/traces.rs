//! Traces from coordinator to worker across the message, with the real programs.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::broker::Options;
use tests::fleet::{Fleet, RUN};
use tests::traces::TraceCollector;

const COORDINATOR: &str = "synth2real-coordinator";

#[tokio::test(flavor = "multi_thread")]
async fn the_work_on_a_shard_is_part_of_the_trace_that_published_it() {
    let collector = TraceCollector::start().await;
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())];
    let _ = fleet.launch().exits(0);
    let published = collector.spans(COORDINATOR, "publish");
    let [published] = &published[..] else {
        panic!("one span for all shards: {published:?}");
    };
    let run = ("run".to_owned(), RUN.to_owned());
    assert!(published.fields.contains(&run), "{published:?}");

    fleet
        .environment
        .push(("OTEL_SERVICE_NAME", "gpu".to_owned()));
    fleet.serve();
    fleet.join();
    fleet.wait_until_complete();
    // The last ones leave when the worker does.
    let outcome = fleet.drain(0).exits(0);
    assert!(!outcome.stderr.contains("traces are lost"), "{outcome}");
    let shards = collector.spans("gpu", "shard");
    assert_eq!(shards.len(), 12, "{shards:?}");
    let attempts = collector.spans("gpu", "attempt");
    for shard in &shards {
        assert_eq!(shard.trace, published.trace, "{shard:?}");
        assert_eq!(shard.parent, published.id, "{shard:?}");
        assert!(shard.fields.contains(&run), "{shard:?}");
        let attempt = attempts.iter().find(|attempt| attempt.parent == shard.id);
        assert!(attempt.is_some(), "no attempt at {shard:?}");
    }
    assert_eq!(collector.spans("gpu", "item").len(), 36);
    let _ = fleet.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_one_line_in_the_log() {
    // Refuses: nobody listens there any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.environment = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "200".to_owned()),
    ];
    let _ = fleet.launch().exits(0);
    fleet.serve();
    fleet.join();
    fleet.wait_until_complete();
    let told = Instant::now();
    let outcome = fleet.drain(0).exits(0);
    assert!(told.elapsed() < Duration::from_secs(20), "{outcome}");
    let complaints = outcome.stderr.matches("traces are lost").count();
    assert_eq!(complaints, 1, "{outcome}");
    let _ = fleet.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_cannot_be_spoken_to_is_told_and_costs_nothing() {
    let mut fleet = Fleet::new(Options::default()).await;
    let endpoint = "https://user:secret@collector:4318".to_owned();
    fleet.environment = vec![("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)];
    let outcome = fleet.launch().exits(0);
    let variable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be an address as http://";
    assert!(outcome.stderr.contains(variable), "{outcome}");
    assert!(!outcome.stderr.contains("secret"), "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_elsewhere_than_on_a_terminal_is_json_with_the_fields_of_its_spans() {
    let mut fleet = Fleet::new(Options::default()).await;
    let _ = fleet.launch().exits(0);
    fleet.serve();
    fleet.join();
    fleet.wait_until_complete();
    let log = fleet.drain(0).exits(0).stderr;
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    // Said by the engine's own thread, which has the spans of the shard that it works on.
    let recorded = |event: &&Value| event["fields"]["message"] == "recorded style";
    let recorded: Vec<_> = events.iter().filter(recorded).collect();
    assert_eq!(recorded.len(), 3);
    for event in recorded {
        let spans = event["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|span| span["name"].clone()).collect();
        assert_eq!(names, ["shard", "attempt"], "{event}");
        assert_eq!(spans[0]["run"], RUN, "{event}");
        assert_eq!(spans[0]["worker"], "worker-1", "{event}");
        assert!(spans[0]["shard"].is_string(), "{event}");
        assert_eq!(spans[1]["attempt"], 1, "{event}");
    }
    let _ = fleet.end();
}
