//! What lies in infra/monitoring for Prometheus and Grafana: understood by promtool, and in keeping with what is shown.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::metrics::{MetricKind, names};
use tests::prometheus::promtool;
use tests::repository;

#[test]
fn the_alert_rules_pass_their_tests_and_each_has_one() {
    for words in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"],
        &["test", "rules", "alerts.test.yml"],
    ] {
        let _ = promtool(words, "").exits(0);
    }
    let read = |file| std::fs::read_to_string(repository("infra/monitoring").join(file)).unwrap();
    let rules = read("alerts.yml");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let tests = read("alerts.test.yml");
    let tests: Vec<&str> = tests.split("- eval_time:").collect();
    for alert in alerts {
        let fires = |test: &&str| {
            test.contains(&format!("alertname: {alert}\n")) && test.contains("exp_alerts")
        };
        assert!(tests.iter().any(fires), "nothing makes {alert} fire");
        let is_silent = |test: &&str| {
            test.contains(&format!("alertname: {alert}\n")) && !test.contains("exp_alerts")
        };
        assert!(tests.iter().any(is_silent), "nothing silences {alert}");
    }
}

#[test]
fn the_token_of_a_dashboard_beyond_loopback_has_its_place_in_the_configuration() {
    let path = repository("infra/monitoring/prometheus.yml");
    let text = std::fs::read_to_string(path).unwrap();
    let block = "    # scheme: https\n    # authorization:\n    #   credentials_file: ";
    assert!(text.contains(block), "{text}");
    let used = text.replace(block, &block.replace("# ", ""));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), used).unwrap();
    let path = file.path().to_str().unwrap();
    let _ = promtool(&["check", "config", "--syntax-only", path], "").exits(0);
}

#[test]
fn alerts_and_dashboard_use_the_metrics_that_there_are_and_all_of_them() {
    let rules = std::fs::read_to_string(repository("infra/monitoring/alerts.yml")).unwrap();
    let dashboard = std::fs::read_to_string(repository("infra/monitoring/grafana/synth2real.json"));
    let dashboard: Value = serde_json::from_str(&dashboard.unwrap()).unwrap();
    let mut used = mentioned(&rules);
    used.extend(mentioned(&dashboard.to_string()));
    let mut exported = BTreeSet::new();
    for metric in names::ALL {
        let series: &[&str] = match metric.kind() {
            MetricKind::Counter | MetricKind::Gauge => &[""],
            MetricKind::Histogram(_) => &["", "_bucket", "_sum", "_count"],
        };
        exported.extend(
            series
                .iter()
                .map(|suffix| format!("{}{suffix}", metric.name())),
        );
        let is_used = series
            .iter()
            .any(|suffix| used.contains(&format!("{}{suffix}", metric.name())));
        assert!(
            is_used,
            "{} is on no dashboard and in no alert",
            metric.name()
        );
    }
    let unknown: Vec<_> = used.difference(&exported).collect();
    assert_eq!(unknown, [""; 0], "nobody exports them");
}

#[test]
fn every_query_of_the_dashboard_is_understood() {
    let path = repository("infra/monitoring/grafana/synth2real.json");
    let dashboard = std::fs::read_to_string(path).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let queries = targets.map(|target| target["expr"].as_str().unwrap());
    let variables = [
        ("$__rate_interval", "5m"),
        ("$run", "demo"),
        ("$instance", "a"),
    ];
    let rules = queries.enumerate().map(|(number, query)| {
        let given = variables.iter();
        let query = given.fold(query.to_owned(), |query, (name, value)| {
            query.replace(name, value)
        });
        json!({ "record": format!("query_{number}"), "expr": query })
    });
    let rules: Vec<Value> = rules.collect();
    assert!(rules.len() > 20, "{rules:?}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    std::fs::write(file.path(), groups.to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    let _ = promtool(&["check", "rules", "--lint-fatal", path], "").exits(0);
}

/// Returns every name of ours in a text.
fn mentioned(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("synth2real_").map(|(start, _)| start);
    starts
        .map(|start| {
            let rest = &text[start..];
            let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            rest[..end].to_owned()
        })
        .collect()
}
