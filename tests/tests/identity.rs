//! Buckets without keys in the environment: a web identity as Kubernetes gives it to a pod, a profile with single sign-on,
//! and one with a program that tells keys.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::program::{Outcome, Running, synth2real};
use tests::project::{Project, RUN};
use tests::s3_server::{BUCKET, S3Server};
use tests::token_service::{LOGIN, ROLE, TokenService};

/// What the portal of single sign-on is called; the file of a login is called by its SHA-1.
const PORTAL: &str = "https://sso.invalid/start";
const PORTAL_SHA1: &str = "24259bbb4f9566835fa614515705228e45bf6f67";

/// Gives a command the way to a bucket, a home, and a configuration of AWS's tools with some lines; and no keys.
fn at_home<'a>(
    command: &'a mut Command,
    server: &S3Server,
    home: &Path,
    profile: &str,
) -> &'a mut Command {
    for variable in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
    ] {
        command.env_remove(variable);
    }
    let (config, keys) = (home.join("config"), home.join("credentials"));
    fs::write(&config, format!("[default]\n{profile}\n")).unwrap();
    fs::write(&keys, "").unwrap();
    command
        .env("HOME", home)
        .env("AWS_CONFIG_FILE", config)
        .env("AWS_SHARED_CREDENTIALS_FILE", keys)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL_S3", server.settings().endpoint.unwrap())
}

/// Returns where a command's credentials to a bucket come from, as `doctor` tells it.
fn kind_of_credentials(command: &mut Command) -> String {
    command.args(["doctor", "--json", "--root", "s3://synth2real/p"]);
    let outcome = Outcome::of(command).exits(0);
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let mut checks = document["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["check"] == "credentials");
    let kind = check.unwrap()["facts"]["kind"].as_str();
    kind.unwrap_or_else(|| panic!("{outcome}")).to_owned()
}

#[test]
fn keys_of_a_web_identity_are_renewed_across_their_end_in_the_middle_of_a_run() {
    let service = TokenService::start();
    let server = S3Server::start_trusting(service.keys());
    let home = tempfile::tempdir().unwrap();
    let mut project = Project::new(2, 1);
    project.set("run.root", format!("s3://{BUCKET}/p"));
    let mut command = project.run_command();
    at_home(&mut command, &server, home.path(), "")
        .env("AWS_ENDPOINT_URL_STS", service.url())
        .env("AWS_ROLE_ARN", ROLE)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", service.token_file());
    // So slow that the first keys end long before the run does.
    server.slow_down(Duration::from_secs(1));
    let mut run = Running::start(&mut command);
    let has_crossed = run.wait_until(|| service.has_crossed());
    let manifest = server
        .folder()
        .join(format!("p/runs/{RUN}/manifest.parquet"));
    assert!(has_crossed && !manifest.exists(), "{}", run.end());
    server.slow_down(Duration::ZERO);
    let outcome = run.end().exits(0);
    assert!(manifest.exists(), "{outcome}");
    assert_eq!(service.num_refused(), 0, "{outcome}");
    // Each time with the token that was in the file then.
    assert!(service.num_tokens() > 1, "{}", service.num_tokens());
}

#[test]
fn who_has_logged_in_by_single_sign_on_opens_a_bucket() {
    let service = TokenService::start();
    let server = S3Server::start_trusting(service.keys());
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    let login = serde_json::json!({
        "startUrl": PORTAL,
        "region": "us-east-1",
        "accessToken": LOGIN,
        "expiresAt": "2100-01-01T00:00:00Z",
    });
    fs::write(cache.join(format!("{PORTAL_SHA1}.json")), login.to_string()).unwrap();
    let profile = format!(
        "sso_start_url = {PORTAL}\nsso_region = us-east-1\nsso_account_id = 000000000000\nsso_role_name = drivers"
    );
    let mut command = synth2real();
    at_home(&mut command, &server, home.path(), &profile)
        .env("AWS_ENDPOINT_URL_SSO", service.url());
    assert_eq!(kind_of_credentials(&mut command), "sso");
}

#[test]
fn a_program_that_a_profile_names_tells_the_keys_of_a_bucket() {
    let server = S3Server::start();
    let home = tempfile::tempdir().unwrap();
    let keys = server.settings().credentials.unwrap();
    let told = serde_json::json!({
        "Version": 1,
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
    });
    let file = home.path().join("keys.json");
    fs::write(&file, told.to_string()).unwrap();
    let profile = format!("credential_process = cat '{}'", file.display());
    let mut command = synth2real();
    at_home(&mut command, &server, home.path(), &profile);
    assert_eq!(kind_of_credentials(&mut command), "process");
}
