//! `POST /v1/ingest/<source>`: who may send, what is too much, what reaches the engine, and what is answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opsbell::domain::actor::Actor;
use opsbell::domain::input::{InputKind, Reply, Unavailable};
use opsbell::domain::reject::{Reject, RejectCode};
use opsbell::http::{Limits, Rate};
use serde_json::json;

use crate::desk::{Does, PROMETHEUS, endless_wait, house, house_with, pieces_of, request, untouchable};

const INGEST: &str = "POST /v1/ingest/alertmanager";

/// `{"signals":["disk full"]}`, gzipped.
const SMALL_GZIP: &str = "H4sIAAAAAAACA6tWKs5Mz0vMKVayilZKySzOVkgrzclRiq0FAK9ilGoZAAAA";

/// 256 KiB of zeros, gzipped.
fn zeros() -> Vec<u8> {
    let head = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2,
        0xa0, 0xf5, 0x4f, 0xed, 0x6d, 0x07, 0xa0,
    ];
    let tail = [0xde, 0x00, 0x22, 0xea, 0x0e, 0xe2, 0x00, 0x00, 0x04, 0x00];
    [&head[..], &[0; 254], &tail].concat()
}

fn gzipped(bytes: Vec<u8>) -> axum::http::Request<Body> {
    let mut request = request(INGEST, Some(PROMETHEUS), bytes);
    request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    request
}

#[tokio::test]
async fn signals_are_submitted_together_and_answered_when_durable() {
    let house = house();
    let seen = house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":["disk full","ignore","reject","cpu"]}"#).await;
    assert_eq!(
        seen.told(),
        r#"202 {"accepted":2,"ignored":1,"rejected":[{"path":"signals[2]","reason":"makes no sense"}],"request_id":"r-ID"}"#
    );
    let submitted = house.submitted();
    assert_eq!(submitted.len(), 1, "one submission, so one sync");
    let inputs = &submitted[0];
    assert_eq!(inputs.len(), 2);
    for (input, name) in inputs.iter().zip(["disk full", "cpu"]) {
        assert_eq!(input.by.actor, Actor::Integration("prometheus".into()));
        assert_eq!(input.by.via, "alertmanager");
        assert_eq!(input.by.request.as_ref().unwrap().as_str(), seen.json()["request_id"].as_str().unwrap());
        assert_eq!(input.idempotency, None);
        let InputKind::Signal { integration, signal } = &input.kind else { panic!("no signal: {input:?}") };
        assert_eq!((integration.as_str(), signal.name.as_str()), ("prometheus", name));
    }
}

#[tokio::test]
async fn a_key_is_good_in_the_header_and_in_the_query_and_whatever_the_content_type() {
    let house = house();
    let body = r#"{"signals":["a"]}"#;
    for (line, token) in [
        (INGEST.to_owned(), Some("bearer key-of-prometheus")),
        (format!("{INGEST}?key=key-of-prometheus"), None),
        (format!("{INGEST}?utm=1&key=key%2Dof-prometheus&dry_run=0"), Some("Basic dXNlcjpwYXNz")),
    ] {
        assert_eq!(house.ask(&line, token, body).await.status, StatusCode::ACCEPTED, "{line}");
    }
    for kind in ["text/plain; charset=UTF-8", "application/x-www-form-urlencoded", "nonsense"] {
        let mut request = request(INGEST, Some(PROMETHEUS), body);
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        assert_eq!(house.send(request).await.status, StatusCode::ACCEPTED, "{kind}");
    }
    assert_eq!(house.submitted().len(), 6);
}

#[tokio::test]
async fn whoever_is_not_known_is_refused_before_the_body_is_read() {
    let house = house();
    let mut told = String::new();
    for (line, token) in [
        (INGEST, None),
        (INGEST, Some("Bearer ")),
        (INGEST, Some("Bearer wrong")),
        (INGEST, Some("Bearer admin-secret")),
        (INGEST, Some("Bearer key-of-scripts")),
        ("POST /v1/ingest/alertmanager?key=", None),
        ("POST /v1/ingest/alertmanager?key=wrong", None),
        ("POST /v1/ingest/alertmanger", Some(PROMETHEUS)),
        ("POST /v1/ingest/nagios-of-old", None),
        ("POST /v1/ingest/alertmanager?dryrun=1", Some(PROMETHEUS)),
        ("POST /v1/ingest/alertmanager?dry_run=maybe", Some(PROMETHEUS)),
    ] {
        let seen = house.send(request(line, token, untouchable())).await;
        told += &format!("{line} {token:?}\n  {}\n", seen.told());
    }
    assert_eq!(house.submitted().len(), 0);
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_reload_changes_the_keys_at_once_and_an_empty_secret_opens_nothing() {
    let house = house();
    let org = house.desk.org.clone();
    let secrets = [("prometheus", "a new key"), ("scripts", ""), ("not-declared", "x")];
    house.keys.replace(&org, secrets.map(|(id, secret)| (id.into(), secret.into())));
    let body = r#"{"signals":["a"]}"#;
    assert_eq!(house.ask(INGEST, Some(PROMETHEUS), body).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.ask(INGEST, Some("Bearer a new key"), body).await.status, StatusCode::ACCEPTED);
    for line in ["POST /v1/ingest/generic?key=", "POST /v1/ingest/generic?key=x", "POST /v1/ingest/generic"] {
        assert_eq!(house.ask(line, None, body).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(format!("{:?}", house.keys), r#"[IntegrationId("prometheus")]"#);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_say_where_and_why() {
    let house = house();
    let mut told = String::new();
    let huge = "x".repeat((1 << 20) + 1);
    for body in
        ["", "{", "[]", r#"{"signals":7}"#, r#"{"signals":["reject"]}"#, r#"{"signals":["reject","reject"]}"#, &huge]
    {
        let seen = house.ask(INGEST, Some(PROMETHEUS), body).await;
        told += &format!("{}\n  {}\n", &body[..body.len().min(40)], seen.told());
    }
    let seen = house.ask(INGEST, Some(PROMETHEUS), r#"{"panic":true}"#).await;
    told += &format!("a parser that panics\n  {}\n", seen.told());
    let seen = house.ask(INGEST, Some(PROMETHEUS), &format!(r#"{{"panic":true,"x":"{}"}}"#, &huge[..100_000])).await;
    told += &format!("the same, away from the serving threads\n  {}\n", seen.told());
    for (encoding, body) in [("br", "x"), ("gzip", "no gzip at all"), ("gzip, gzip", "x")] {
        let mut request = request(INGEST, Some(PROMETHEUS), body);
        request.headers_mut().insert("content-encoding", encoding.parse().unwrap());
        told += &format!("encoded {encoding}\n  {}\n", house.send(request).await.told());
    }
    assert_eq!(house.submitted().len(), 0);
    let seen = house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":["still alive"]}"#).await;
    told += &format!("after all that\n  {}\n", seen.told());
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn the_size_counts_after_decompression() {
    let house = house();
    let small = house.send(gzipped(STANDARD.decode(SMALL_GZIP).unwrap())).await;
    assert_eq!(small.status, StatusCode::ACCEPTED, "{}", small.body);
    // 4 members of 256 KiB are just as much as is allowed (and no JSON); a fifth is too much.
    assert_eq!(house.send(gzipped(zeros().repeat(4))).await.status, StatusCode::BAD_REQUEST);
    let bomb = house.send(gzipped(zeros().repeat(5))).await;
    assert_eq!(bomb.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", bomb.body);
    let mut cut = STANDARD.decode(SMALL_GZIP).unwrap();
    cut.truncate(20);
    assert_eq!(house.send(gzipped(cut)).await.status, StatusCode::BAD_REQUEST);
    // A length that is announced is believed: nothing is read.
    let mut announced = request(INGEST, Some(PROMETHEUS), untouchable());
    announced.headers_mut().insert("content-length", "1048577".parse().unwrap());
    assert_eq!(house.send(announced).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let house = house();
    let pieces = ["", r#"{"sig"#, "", r#"nals":["#, r#""a"]}"#];
    let body = pieces_of(pieces.map(|piece| Ok(piece.as_bytes())));
    assert_eq!(house.send(request(INGEST, Some(PROMETHEUS), body)).await.status, StatusCode::ACCEPTED);
    let broken = [Ok(b"{".as_slice()), Err(std::io::Error::other("the client went away"))];
    let seen = house.send(request(INGEST, Some(PROMETHEUS), pieces_of(broken))).await;
    assert!(seen.told().starts_with("400 [connection: close]"), "{}", seen.told());
}

#[tokio::test]
async fn a_body_that_does_not_come_and_an_engine_that_is_silent_end_in_time() {
    // No time at all: whatever is not there at once is late, so that the test waits for nothing.
    let none = Duration::ZERO;
    let house = house_with(Limits { read_timeout: none, answer_timeout: none, ..Limits::default() });
    let late = house.send(request(INGEST, Some(PROMETHEUS), endless_wait())).await;
    assert!(late.told().starts_with(r#"408 [connection: close] {"error":{"code":"timeout""#), "{}", late.told());
    house.next(Does::SaysNothing);
    let silent = house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":["a"]}"#).await;
    assert!(silent.told().starts_with(r#"503 [retry-after: 5] {"error":{"code":"no-answer""#), "{}", silent.told());
}

#[tokio::test]
async fn bodies_beyond_the_memory_allowed_wait_and_then_are_sent_away() {
    let house = house_with(Limits { bodies: 0, read_timeout: Duration::ZERO, ..Limits::default() });
    let seen = house.send(request(INGEST, Some(PROMETHEUS), untouchable())).await;
    assert!(
        seen.told().starts_with(r#"503 [retry-after: 1] [connection: close] {"error":{"code":"busy""#),
        "{}",
        seen.told()
    );
}

#[tokio::test]
async fn senders_who_show_their_key_in_the_body_fill_only_places_of_their_own() {
    let event = r#"{"routing_key":"nobody's","event_action":"resolve","dedup_key":"k"}"#;
    let full = Limits { unknown_bodies: 0, read_timeout: Duration::ZERO, ..Limits::default() };
    let house = house_with(full);
    assert_eq!(house.ask("POST /v2/enqueue", None, event).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":["a"]}"#).await.status, StatusCode::ACCEPTED);
    let house = house_with(Limits { bodies: 0, ..Limits::default() });
    let seen = house.ask("POST /v2/enqueue", None, event).await;
    assert!(seen.told().contains("Invalid routing key"), "{}", seen.told());
}

#[tokio::test]
async fn a_client_s_own_key_goes_with_every_signal() {
    let house = house();
    let mut sent = request(INGEST, Some(PROMETHEUS), r#"{"signals":["a","b"]}"#);
    sent.headers_mut().insert("idempotency-key", "4f-9".parse().unwrap());
    assert_eq!(house.send(sent).await.status, StatusCode::ACCEPTED);
    let keys: Vec<_> = house.submitted().remove(0).into_iter().map(|input| input.idempotency.unwrap()).collect();
    assert_eq!(keys, ["ingest:prometheus:4f-9:0", "ingest:prometheus:4f-9:1"]);
    for wrong in [" ", "", "\u{e9}", &"x".repeat(201)] {
        let mut sent = request(INGEST, Some(PROMETHEUS), untouchable());
        sent.headers_mut().insert("idempotency-key", axum::http::HeaderValue::from_bytes(wrong.as_bytes()).unwrap());
        let seen = house.send(sent).await;
        assert_eq!((seen.status, &seen.json()["error"]["path"]), (StatusCode::BAD_REQUEST, &json!("Idempotency-Key")));
    }
}

#[tokio::test]
async fn a_dry_run_says_how_it_is_read_and_does_nothing() {
    let house = house();
    let seen = house.ask(&format!("{INGEST}?dry_run=1"), Some(PROMETHEUS), r#"{"signals":["a","ignore"]}"#).await;
    let reading = |kind: &str, name: &str| {
        json!({"kind": kind, "service": "payments-api", "name": name, "severity": null, "severity_word": "weird",
               "status": "firing", "key": format!("key-{name}")})
    };
    assert_eq!(
        (seen.status, seen.json()),
        (StatusCode::OK, json!([reading("alert", "a"), reading("ignore", "ignore")]))
    );
    assert_eq!(house.submitted().len(), 0);
    assert_eq!(house.ask(&format!("{INGEST}?dry_run=1"), None, "{}").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_the_engine_cannot_take_is_503_with_a_time_to_come_back() {
    let house = house();
    let mut told = String::new();
    for why in [
        Unavailable::Busy,
        Unavailable::Journal("No space left on device".into()),
        Unavailable::ShuttingDown,
        Unavailable::Records("rebuilding".into()),
    ] {
        house.next(Does::IsUnavailable(why));
        told += &house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":["a"]}"#).await.told();
        told += "\n";
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn signals_that_the_domain_refuses_are_listed() {
    let house = house();
    let refused = || Err(Reject::new(RejectCode::NotAllowed, "this integration may not acknowledge"));
    house.next(Does::Refuses(vec![Ok(Reply::default()), refused()]));
    let seen = house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":["a","b"]}"#).await;
    let listed = json!([{"path": "signals[1]", "reason": "this integration may not acknowledge"}]);
    assert_eq!((seen.status, &seen.json()["rejected"]), (StatusCode::ACCEPTED, &listed));
    house.next(Does::Refuses(vec![refused()]));
    assert_eq!(
        house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":["a"]}"#).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    // Nothing to do is done at once, without the engine.
    house.submitted();
    let seen = house.ask(INGEST, Some(PROMETHEUS), r#"{"signals":[]}"#).await;
    assert_eq!(seen.told(), r#"202 {"accepted":0,"ignored":0,"rejected":[],"request_id":"r-ID"}"#);
    assert_eq!(house.submitted().len(), 0);
}

#[tokio::test]
async fn a_sender_in_a_loop_is_slowed_down_alone() {
    let house = house_with(Limits { rate: Rate { per_sec: 1, burst: 2 }, ..Limits::default() });
    let one = r#"{"signals":["a"]}"#;
    for expected in [202, 202, 429] {
        assert_eq!(house.ask(INGEST, Some(PROMETHEUS), one).await.status, expected);
    }
    let slowed = house.send(request(INGEST, Some(PROMETHEUS), untouchable())).await;
    assert_eq!(
        slowed.told(),
        r#"429 [retry-after: 1] [connection: close] {"error":{"code":"rate-limited","message":"this key has sent too many signals","hint":"at most 1 a second, 2 at once"},"request_id":"r-ID"}"#
    );
    assert_eq!(house.ask("POST /v1/ingest/generic?key=key-of-scripts", None, one).await.status, 202);
    // A reload does not forgive.
    house.keys.replace(&house.desk.org.clone(), [("prometheus".into(), b"key-of-prometheus".to_vec())]);
    assert_eq!(house.ask(INGEST, Some(PROMETHEUS), one).await.status, 429);
    house.clock.store(1_000, Ordering::Relaxed);
    // Every signal of a body counts: ten of them are paid for afterwards.
    let ten = format!(r#"{{"signals":[{}]}}"#, ["\"a\""; 10].join(","));
    assert_eq!(house.ask(INGEST, Some(PROMETHEUS), &ten).await.status, 202);
    let seen = house.ask(INGEST, Some(PROMETHEUS), one).await;
    assert_eq!((seen.status.as_u16(), seen.headers["retry-after"].to_str().unwrap()), (429, "10"));
}
