//! Who may see and do what: over plain HTTP, with what no browser would send.

use std::process::Command;

use shared::decision::Decisions;
use tests::http::ask;
use tests::program::{Outcome, synth2real};
use tests::service::{self, Service};

use super::{HTML, Planned, cookie, csrf, get, wait_for_run};

const TOKEN: &str = "correct horse battery staple";
fn with_token(command: &mut Command) -> Service {
    Service::start(command.env("SYNTH2REAL_DASHBOARD_TOKEN", TOKEN))
}

#[tokio::test]
async fn without_a_token_nobody_but_localhost_is_answered() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    assert_eq!(get(&service, "/", &[HTML]).status, 200);
    let rebound = get(&service, "/", &[HTML, "Host: evil.example"]);
    assert_eq!(rebound.status, 421);
    assert!(!rebound.body.contains("planned"));
    let _ = service.stop().exits(0);
}

#[tokio::test]
async fn beyond_this_machine_a_token_is_needed() {
    let planned = Planned::new(4).await;
    let refused = |token: Option<&str>| {
        let mut command = service::serve_command(planned.root.path(), "0.0.0.0:0");
        if let Some(token) = token {
            command.env("SYNTH2REAL_DASHBOARD_TOKEN", token);
        }
        Outcome::of(&mut command).exits(2)
    };
    refused(None).complains_about(&["0.0.0.0:0", "SYNTH2REAL_DASHBOARD_TOKEN", "--token-file"]);
    let short = refused(Some("secret"));
    short.complains_about(&["SYNTH2REAL_DASHBOARD_TOKEN", "at least 16"]);
    assert!(!short.stderr.contains("secret"), "{short}");
    let file = planned.root.path().join("no such file");
    let mut command = synth2real();
    command.args(["serve", "--listen", "127.0.0.1:0", "--token-file"]);
    let outcome = Outcome::of(command.arg(&file)).exits(2);
    outcome.complains_about(&["no such file", "cannot read the token"]);
}

#[tokio::test]
async fn a_token_opens_the_dashboard_to_browsers_and_scripts() {
    let planned = Planned::new(4).await;
    let mut service = with_token(&mut service::serve_command(
        planned.root.path(),
        "0.0.0.0:0",
    ));
    service.address = service.address.replace("0.0.0.0", "127.0.0.1");
    let bearer = format!("Authorization: Bearer {TOKEN}");
    wait_for_run(&service, "planned", &[&bearer]);

    let page = get(&service, "/runs/planned?page=2", &[HTML]);
    assert_eq!(page.status, 303);
    assert_eq!(
        page.header("location"),
        "/login?next=%2Fruns%2Fplanned%3Fpage%3D2"
    );
    for path in ["/api/runs", "/events", "/runs/planned/images/content/00001"] {
        let answer = get(&service, path, &[]);
        assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{path}");
    }
    let wrong = get(
        &service,
        "/api/runs",
        &["Authorization: Bearer correct horse"],
    );
    assert_eq!(wrong.status, 401);

    let log_in = |token: &str, headers: &[&str]| {
        let body = format!("token={}&next=%2Fruns%2Fplanned", token.replace(' ', "+"));
        ask(&service.address, "POST", "/login", headers, &body)
    };
    let wrong = log_in("correct horse battery stapler", &[]);
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.header("set-cookie"), "");
    assert!(wrong.body.contains("not the token"), "{}", wrong.body);
    assert_eq!(log_in(TOKEN, &["Origin: http://evil.example"]).status, 403);
    let right = log_in(TOKEN, &[]);
    assert_eq!(
        (right.status, right.header("location")),
        (303, "/runs/planned")
    );
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(right.header("set-cookie").contains(part), "{right:?}");
    }
    let session = cookie(&right);
    let page = get(&service, "/runs/planned", &[HTML, &session]);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Log out"));

    let body = format!("csrf={}", csrf(&page.body));
    let out = ask(&service.address, "POST", "/logout", &[&session], &body);
    assert_eq!(out.status, 303);
    assert_eq!(get(&service, "/", &[HTML, &session]).status, 303);

    let secrets = [TOKEN, session.split('=').nth(1).unwrap()];
    let shown = [&page.body, &wrong.body].map(String::clone);
    let log = service.stop().exits(0).stderr;
    for text in shown.into_iter().chain([log]) {
        for secret in secrets {
            assert!(!text.contains(secret), "a secret was said: {text}");
        }
    }
}

#[tokio::test]
async fn no_other_site_makes_anybody_act() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    wait_for_run(&service, "planned", &[]);
    let page = get(&service, "/runs/planned/cancel", &[HTML]);
    let (session, right) = (cookie(&page), csrf(&page.body));
    let other = get(&service, "/runs/planned/cancel", &[HTML]);
    let foreign = csrf(&other.body);
    let cancel = |headers: &[&str], csrf: &str| {
        let body = format!("csrf={csrf}");
        ask(
            &service.address,
            "POST",
            "/runs/planned/cancel",
            headers,
            &body,
        )
        .status
    };
    assert_eq!(cancel(&[&session], ""), 403);
    assert_eq!(cancel(&[&session], &foreign), 403);
    assert_eq!(cancel(&[], &right), 403);
    assert_eq!(
        cancel(&[&session, "Origin: http://evil.example"], &right),
        403
    );
    assert_eq!(
        cancel(&[&session, "Sec-Fetch-Site: cross-site"], &right),
        403
    );
    let decided = async || {
        let storage = planned.storage.as_ref();
        Decisions::read(storage, &planned.run.record.run)
            .await
            .unwrap()
    };
    assert_eq!(decided().await.count, 0);

    let origin = format!("Origin: {}", service.address);
    assert_eq!(
        cancel(&[&session, &origin, "Sec-Fetch-Site: same-origin"], &right),
        303
    );
    assert_eq!(decided().await.halted.as_deref(), Some("cancelled"));
    let said = |headers: &[&str]| {
        let headers = [&[HTML, &session], headers].concat();
        let page = get(&service, "/runs/planned", &headers);
        page.body.contains("Run planned is cancelled")
    };
    let live = "X-Synth2real-Live: 1";
    assert!(!said(&[live]), "a page that is kept fresh is another one");
    assert!(said(&[]));
    assert!(!said(&[]), "it is said once");
}

#[tokio::test]
async fn no_address_leads_out_of_a_run() {
    let planned = Planned::new(4).await;
    std::fs::write(planned.root.path().join("secret.png"), "secret").unwrap();
    let service = planned.serve(&[]);
    wait_for_run(&service, "planned", &[]);
    for path in [
        "/runs/planned/images/output/..%2F..%2F..%2Fsecret/00001",
        "/runs/planned/images/output/fog/..%2F..%2F..%2F..%2Fsecret",
        "/runs/planned/images/content/..%2Fsecret",
        "/runs/planned/images/style/%2Fetc%2Fpasswd",
        "/runs/..%2Fplanned",
        "/runs/planned/../../secret.png",
        "/runs/planned/shards/..%2Fplan",
        "/runs/planned/shards/000009",
        "/assets/000000000000/base.css",
        "/assets/../Cargo.toml",
        "/nothing",
    ] {
        let answer = get(&service, path, &[HTML]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn every_answer_keeps_browsers_strict() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    wait_for_run(&service, "planned", &[]);
    for path in [
        "/",
        "/runs/planned",
        "/nothing",
        "/api/runs",
        "/healthz",
        "/login",
    ] {
        let answer = get(&service, path, &[HTML]);
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        for inline in ["<style", " style=", " onclick=", "<script>"] {
            assert!(!answer.body.contains(inline), "{path} has {inline}");
        }
    }
}
