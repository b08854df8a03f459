//! Code hosts that sign or show a token: who is let in, and that nothing of a body is parsed before that.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use opsbell::domain::input::InputKind;
use opsbell::domain::org::Integration;
use opsbell::domain::signal::SignalKind;
use sha2::Sha256;

use crate::desk::{House, endless_wait, house, request, untouchable};

const GITHUB: &str = "POST /v1/ingest/github";
const GITLAB: &str = "POST /v1/ingest/gitlab";
const SIGNATURE: &str = "x-hub-signature-256";
const BODY: &str = r#"{"action":"created","deployment":{"id":7,"environment":"production","ref":"1.4","sha":null}}"#;
const DEPLOYED: &str =
    r#"{"object_kind":"deployment","status":"success","deployment_id":7,"environment":"production"}"#;

/// A house with two senders at GitHub and one at GitLab.
fn code_hosts() -> House {
    let house = house();
    let mut org = (*house.desk.org).clone();
    for (id, source) in [("github", "github"), ("forge", "github"), ("gitlab", "gitlab")] {
        let mut own: Integration = org.integrations["scripts"].clone();
        (own.id, own.source) = (id.into(), source.into());
        org.integrations.insert(id.into(), own);
    }
    let keys = ["github", "forge", "gitlab", "scripts"].map(|id| (id.into(), format!("key-of-{id}").into_bytes()));
    house.keys.replace(&org, keys);
    house
}

fn signature(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn with(line: &str, headers: &[(&'static str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = request(line, None, body);
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_signed_body_is_taken_from_whoever_signed_it() {
    let house = code_hosts();
    for sender in ["github", "forge"] {
        let signed = signature(&format!("key-of-{sender}"), BODY.as_bytes());
        let seen = house.send(with(GITHUB, &[(SIGNATURE, &signed), ("x-github-event", "deployment")], BODY)).await;
        assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
        let InputKind::Signal { integration, signal } = &house.submitted()[0][0].kind else { panic!("no signal") };
        assert_eq!((integration.as_str(), signal.kind), (sender, SignalKind::Deploy));
    }
    let seen = house.send(with(GITLAB, &[("x-gitlab-token", "key-of-gitlab")], DEPLOYED)).await;
    assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
    // A key that is shown counts as it does elsewhere.
    let seen = house.ask(GITHUB, Some("Bearer key-of-github"), BODY).await;
    assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
    let seen = house.ask(&format!("{GITHUB}?key=key-of-forge"), None, BODY).await;
    assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
}

#[tokio::test]
async fn whoever_does_not_sign_or_signs_wrong_is_refused() {
    let house = code_hosts();
    let right = signature("key-of-github", BODY.as_bytes());
    let other = signature("key-of-nobody", BODY.as_bytes());
    // The key of another source signs nothing here.
    let scripts = signature("key-of-scripts", BODY.as_bytes());
    let empty = signature("", BODY.as_bytes());
    for wrong in [other.as_str(), &scripts, &empty, &signature("key-of-github", b"another body")] {
        // The body is no JSON that a parser would take, and is not looked at as such.
        let seen = house.send(with(GITHUB, &[(SIGNATURE, wrong)], BODY)).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{wrong}: {}", seen.body);
    }
    let before: [&[(&'static str, &str)]; 7] = [
        &[],
        &[("x-hub-signature", "sha1=0123456789012345678901234567890123456789")],
        &[(SIGNATURE, "")],
        &[(SIGNATURE, &right[7..])],
        &[(SIGNATURE, &right), (SIGNATURE, &right)],
        &[(SIGNATURE, &right), (SIGNATURE, &other)],
        &[(SIGNATURE, &right), ("content-encoding", "gzip")],
    ];
    for headers in before {
        let seen = house.send(with(GITHUB, headers, untouchable())).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{headers:?}: {}", seen.body);
    }
    let token = "x-gitlab-token";
    let before: [&[(&'static str, &str)]; 6] = [
        &[],
        &[(token, "")],
        &[(token, "key-of-github-not")],
        &[(token, "key-of-gitlab"), (token, "key-of-gitlab")],
        &[(token, ""), (token, "key-of-gitlab")],
        &[(SIGNATURE, &right)],
    ];
    for headers in before {
        let seen = house.send(with(GITLAB, headers, untouchable())).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{headers:?}: {}", seen.body);
    }
    // GitLab's token is nothing to another source, and GitHub's key none to GitLab's.
    let seen = house.send(with(GITHUB, &[(token, "key-of-github")], untouchable())).await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    let seen = house.send(with(GITLAB, &[(token, "key-of-github")], untouchable())).await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert_eq!(house.submitted().len(), 0);
}

#[tokio::test]
async fn a_bad_body_is_read_only_when_it_is_signed() {
    let house = code_hosts();
    for (key, status) in [("key-of-nobody", StatusCode::UNAUTHORIZED), ("key-of-github", StatusCode::BAD_REQUEST)] {
        let signed = signature(key, b"{");
        let seen = house.send(with(GITHUB, &[(SIGNATURE, &signed)], "{")).await;
        assert_eq!(seen.status, status, "{}", seen.body);
    }
    let huge = "x".repeat(2 << 20);
    let signed = signature("key-of-github", huge.as_bytes());
    let seen = house.send(with(GITHUB, &[(SIGNATURE, &signed)], huge)).await;
    assert_eq!(seen.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_event_that_is_not_read_is_ignored_without_a_look() {
    let house = code_hosts();
    let signed = signature("key-of-github", b"{");
    let seen = house.send(with(GITHUB, &[(SIGNATURE, &signed), ("x-github-event", "ping")], "{")).await;
    assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
    assert_eq!(seen.json()["ignored"], 1);
    assert_eq!(house.submitted().len(), 0);
}

#[tokio::test]
async fn a_push_reaches_the_engine_for_its_commits_and_a_deleted_tag_does_not() {
    let house = code_hosts();
    for (body, count) in [
        (include_str!("../fixtures/collection/github/push-new-branch.json"), 1),
        (include_str!("../fixtures/collection/github/push-tag-deleted.json"), 0),
    ] {
        let signed = signature("key-of-github", body.as_bytes());
        let seen = house.send(with(GITHUB, &[(SIGNATURE, &signed)], body)).await;
        assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
        assert_eq!(house.submitted().len(), count);
    }
}

#[tokio::test]
async fn strangers_who_send_slowly_take_no_place_of_those_who_are_known() {
    let house = code_hosts();
    let signed = signature("key-of-github", BODY.as_bytes());
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let request = with(GITHUB, &[(SIGNATURE, &signed)], endless_wait());
            let router = house.router.clone();
            tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let seen = house.ask(GITHUB, Some("Bearer key-of-github"), BODY).await;
    assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}
