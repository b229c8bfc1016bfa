//! Who may see and do what: over plain HTTP, with what no browser would send.

use std::process::Command;

use shared::decision::Decisions;
use tests::http::{Answer, ask};
use tests::program::{Outcome, synth2real};
use tests::service::{self, Service};

use super::{HTML, Planned, cookie, csrf, get, wait_for_run};

const TOKEN: &str = "correct horse battery staple";

fn with_token(command: &mut Command) -> Service {
    Service::start(command.env("SYNTH2REAL_DASHBOARD_TOKEN", TOKEN))
}

#[tokio::test]
async fn without_a_token_only_localhost_is_answered() {
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

/// A dashboard on every address of this machine, which a token opens.
struct Locked {
    /// Kept: it removes the root when it is dropped.
    _planned: Planned,
    service: Service,
}

impl Locked {
    async fn start() -> Self {
        let planned = Planned::new(4).await;
        let mut command = service::serve_command(planned.root.path(), "0.0.0.0:0");
        let mut service = with_token(&mut command);
        service.address = service.address.replace("0.0.0.0", "127.0.0.1");
        wait_for_run(&service, "planned", &[&bearer(TOKEN)]);
        Self {
            _planned: planned,
            service,
        }
    }

    fn log_in(&self, token: &str, headers: &[&str]) -> Answer {
        let body = format!("token={}&next=%2Fruns%2Fplanned", token.replace(' ', "+"));
        ask(&self.service.address, "POST", "/login", headers, &body)
    }

    /// Opens a session and returns the header that sends it back.
    fn session(&self) -> String {
        let answer = self.log_in(TOKEN, &[]);
        assert_eq!(answer.status, 303, "{answer:?}");
        cookie(&answer)
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[tokio::test]
async fn without_the_token_a_page_leads_to_the_login_and_all_else_is_refused() {
    let locked = Locked::start().await;
    let page = get(&locked.service, "/runs/planned?page=2", &[HTML]);
    assert_eq!(page.status, 303);
    assert_eq!(
        page.header("location"),
        "/login?next=%2Fruns%2Fplanned%3Fpage%3D2"
    );
    for path in ["/api/runs", "/events", "/runs/planned/images/content/00001"] {
        let answer = get(&locked.service, path, &[]);
        assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{path}");
    }
    // For those who supervise it.
    for path in ["/healthz", "/readyz"] {
        let answer = get(&locked.service, path, &[]);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "ok\n"),
            "{path}"
        );
    }
    let wrong = get(&locked.service, "/api/runs", &[&bearer("correct horse")]);
    assert_eq!(wrong.status, 401);
    let right = get(&locked.service, "/api/runs", &[&bearer(TOKEN)]);
    assert_eq!(right.status, 200);
}

#[tokio::test]
async fn a_wrong_token_and_a_form_of_another_site_open_no_session() {
    let locked = Locked::start().await;
    let wrong = locked.log_in("correct horse battery stapler", &[]);
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.header("set-cookie"), "");
    assert!(wrong.body.contains("not the token"), "{}", wrong.body);
    let foreign = locked.log_in(TOKEN, &["Origin: http://evil.example"]);
    assert_eq!(foreign.status, 403);
    assert_eq!(foreign.header("set-cookie"), "");
}

#[tokio::test]
async fn a_login_opens_a_session_that_only_this_site_sends_back_until_it_logs_out() {
    let locked = Locked::start().await;
    let right = locked.log_in(TOKEN, &[]);
    assert_eq!(
        (right.status, right.header("location")),
        (303, "/runs/planned")
    );
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(right.header("set-cookie").contains(part), "{right:?}");
    }
    let session = cookie(&right);
    let page = get(&locked.service, "/runs/planned", &[HTML, &session]);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Log out"));

    let body = format!("csrf={}", csrf(&page.body));
    let address = &locked.service.address;
    let out = ask(address, "POST", "/logout", &[&session], &body);
    assert_eq!(out.status, 303);
    let after = get(&locked.service, "/", &[HTML, &session]);
    assert_eq!(after.status, 303);
}

#[tokio::test]
async fn neither_pages_nor_the_log_say_the_token_or_the_secret_of_a_session() {
    let locked = Locked::start().await;
    let session = locked.session();
    let page = get(&locked.service, "/runs/planned", &[HTML, &session]);
    assert_eq!(page.status, 200);
    let wrong = locked.log_in("correct horse battery stapler", &[]);
    assert_eq!(wrong.status, 401);
    let log = locked.service.stop().exits(0).stderr;
    let secrets = [TOKEN, session.split('=').nth(1).unwrap()];
    for text in [page.body, wrong.body, log] {
        for secret in secrets {
            assert!(!text.contains(secret), "a secret was said: {text}");
        }
    }
}

/// Asks for the run to be cancelled, with a proof; returns the status.
fn cancel(service: &Service, headers: &[&str], csrf: &str) -> u16 {
    let body = format!("csrf={csrf}");
    let path = "/runs/planned/cancel";
    ask(&service.address, "POST", path, headers, &body).status
}

async fn decided(planned: &Planned) -> Decisions {
    let storage = planned.storage.as_ref();
    Decisions::read(storage, &planned.run.record.run)
        .await
        .unwrap()
}

#[tokio::test]
async fn no_other_site_takes_an_action_in_the_name_of_a_visitor() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    wait_for_run(&service, "planned", &[]);
    let page = get(&service, "/runs/planned/cancel", &[HTML]);
    let (session, right) = (cookie(&page), csrf(&page.body));
    let session = session.as_str();
    let other = get(&service, "/runs/planned/cancel", &[HTML]);
    let foreign = csrf(&other.body);
    let evil = "Origin: http://evil.example";
    let cross = "Sec-Fetch-Site: cross-site";
    let refused: [(&[&str], &str); 5] = [
        (&[session], ""),
        (&[session], &foreign),
        (&[], &right),
        (&[session, evil], &right),
        (&[session, cross], &right),
    ];
    for (headers, csrf) in refused {
        assert_eq!(cancel(&service, headers, csrf), 403, "{headers:?} {csrf:?}");
    }
    assert_eq!(decided(&planned).await.count, 0);

    let origin = format!("Origin: {}", service.address);
    let own = [session, &origin, "Sec-Fetch-Site: same-origin"];
    assert_eq!(cancel(&service, &own, &right), 303);
    let decided = decided(&planned).await;
    assert_eq!(decided.halted.as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn what_came_of_an_action_is_said_once_on_the_next_page_that_is_opened() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    wait_for_run(&service, "planned", &[]);
    let page = get(&service, "/runs/planned/cancel", &[HTML]);
    let (session, proof) = (cookie(&page), csrf(&page.body));
    assert_eq!(cancel(&service, &[&session], &proof), 303);
    let is_said = |headers: &[&str]| {
        let headers = [&[HTML, &session], headers].concat();
        let page = get(&service, "/runs/planned", &headers);
        page.body.contains("Run planned is cancelled")
    };
    let live = "X-Synth2real-Live: 1";
    assert!(!is_said(&[live]), "a page that is refreshed is another one");
    assert!(is_said(&[]));
    assert!(!is_said(&[]), "it is said once");
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
        "/runs/planned/images/label/..%2F..%2F..%2Fsecret",
        "/runs/planned/images/predictions/content/..%2F..%2F..%2F..%2Fsecret",
        "/runs/planned/images/predictions/output/fog/..%2F..%2F..%2F..%2F..%2Fsecret",
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
        "/readyz",
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
