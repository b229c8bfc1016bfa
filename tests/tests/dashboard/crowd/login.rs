//! Logins that are large, and tokens that are guessed.

use tests::http::ask;
use tests::service::{Service, serve_command};

use crate::Planned;

const TOKEN: &str = "correct horse battery staple";

fn with_token(planned: &Planned) -> Service {
    let mut command = serve_command(planned.root.path(), "127.0.0.1:0");
    Service::start(command.env("SYNTH2REAL_DASHBOARD_TOKEN", TOKEN))
}

#[tokio::test]
async fn a_login_is_a_small_form() {
    let planned = Planned::new(4).await;
    let service = with_token(&planned);
    let log_in = |filling: usize| {
        let body = format!(
            "token={}&next={}",
            TOKEN.replace(' ', "+"),
            "a".repeat(filling)
        );
        ask(&service.address, "POST", "/login", &[], &body).status
    };
    assert_eq!(log_in(3000), 303);
    assert_eq!(log_in(5000), 413);
    let _ = service.stop().exits(0);
}

#[tokio::test]
async fn wrong_tokens_are_logged_with_their_address_and_not_all_of_them() {
    let planned = Planned::new(4).await;
    let service = with_token(&planned);
    std::thread::scope(|scope| {
        for guess in 0..30 {
            let address = &service.address;
            scope.spawn(move || {
                let headers = ["X-Forwarded-For: 203.0.113.9"];
                let answer = if guess % 2 == 0 {
                    ask(address, "POST", "/login", &headers, "token=guess")
                } else {
                    let bearer = [headers[0], "Authorization: Bearer guess"];
                    ask(address, "GET", "/api/runs", &bearer, "")
                };
                assert!([401, 429].contains(&answer.status), "{answer:?}");
            });
        }
    });
    let log = service.stop().exits(0).stderr;
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("a wrong token"))
        .collect();
    assert!((1..=20).contains(&lines.len()), "{log}");
    for line in lines {
        assert!(
            line.contains("127.0.0.1") && line.contains("203.0.113.9"),
            "{line}"
        );
    }
}
