//! The paths of other tools: what PagerDuty's and Opsgenie's senders post is answered as those tools answer it, and
//! reaches the engine as signals; a Prometheus is listened to as by an Alertmanager.

use opsbell::domain::actor::Actor;
use opsbell::domain::input::{Input, InputKind, Reply, Unavailable};
use opsbell::domain::reject::{Reject, RejectCode};
use opsbell::domain::signal::{Signal, SignalKind};
use opsbell::http::{Limits, Rate};
use serde_json::{Value, json};

use crate::desk::{BAS, Does, PROMETHEUS, house, house_with, request, untouchable};

const ENQUEUE: &str = "POST /v2/enqueue";
const ALERTS: &str = "POST /v2/alerts";
const GENIE: &str = "GenieKey key-of-wards";

fn event(changes: Value) -> String {
    let mut event = json!({
        "routing_key": "key-of-old-pager",
        "event_action": "trigger",
        "dedup_key": "lag-1",
        "payload": {"summary": "replication lag", "source": "db-2", "severity": "error"},
    });
    if let (Value::Object(event), Value::Object(changes)) = (&mut event, changes) {
        for (name, value) in changes {
            if value.is_null() {
                event.remove(&name)
            } else {
                event.insert(name, value)
            };
        }
    }
    event.to_string()
}

fn signal(input: &Input) -> Signal {
    let InputKind::Signal { signal, .. } = &input.kind else { panic!("no signal: {input:?}") };
    Signal::clone(signal)
}

#[tokio::test]
async fn events_are_taken_and_answered_as_pagerduty_does() {
    let house = house();
    let seen = house.ask(ENQUEUE, None, &event(json!({}))).await;
    assert_eq!(seen.told(), r#"202 {"dedup_key":"lag-1","message":"Event processed","status":"success"}"#);
    for (action, kind) in [("acknowledge", SignalKind::Ack), ("resolve", SignalKind::Resolve)] {
        let seen = house.ask(ENQUEUE, None, &event(json!({"event_action": action, "payload": null}))).await;
        assert_eq!(seen.told(), r#"202 {"dedup_key":"lag-1","message":"Event processed","status":"success"}"#);
        let input = house.submitted().pop().unwrap().remove(0);
        assert_eq!(input.by.actor, Actor::Integration("old-pager".into()));
        assert_eq!((signal(&input).kind, signal(&input).key.as_str()), (kind, "lag-1"));
    }
}

#[tokio::test]
async fn an_absent_or_empty_dedup_key_is_made_anew_each_time_and_told() {
    let house = house();
    let mut keys = Vec::new();
    for dedup_key in [json!(null), json!(""), json!("  "), json!("")] {
        let body = if dedup_key.is_null() {
            event(json!({"dedup_key": null}))
        } else {
            event(json!({"dedup_key": dedup_key}))
        };
        let told = house.ask(ENQUEUE, None, &body).await.json();
        let key = told["dedup_key"].as_str().unwrap().to_owned();
        assert_eq!(key.len(), 32);
        assert_eq!(signal(&house.submitted()[0][0]).key, key, "what is told is what counts");
        keys.push(key);
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4, "never one that two alerts share");
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_said_in_pagerdutys_words() {
    let house = house();
    let mut told = String::new();
    for body in [
        "{".to_owned(),
        "[]".to_owned(),
        "\"x\"".to_owned(),
        event(json!({"routing_key": null})),
        event(json!({"routing_key": 7})),
        event(json!({"routing_key": "nobody's"})),
        event(json!({"routing_key": "key-of-prometheus"})),
        event(json!({"event_action": null})),
        event(json!({"event_action": "explode"})),
        event(json!({"payload": null})),
        event(json!({"payload": {}})),
        event(json!({"payload": {"summary": "  ", "source": [], "severity": "sev1"}})),
        event(json!({"event_action": "resolve", "dedup_key": ""})),
        event(json!({"event_action": "acknowledge", "dedup_key": null})),
        event(json!({"dedup_key": "x".repeat(256)})),
        event(json!({"dedup_key": {"a": 1}})),
    ] {
        told += &house.ask(ENQUEUE, None, &body).await.told();
        told.push('\n');
    }
    assert!(house.submitted().is_empty());
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_change_event_has_its_own_path() {
    let house = house();
    let change = |changes: Value| event(json!({"event_action": null, "dedup_key": null, "payload": changes}));
    let seen = house.ask("POST /v2/change/enqueue", None, &change(json!({"summary": "Deployed 4.2"}))).await;
    assert_eq!(seen.told(), r#"202 {"message":"Change event processed","status":"success"}"#);
    assert_eq!(signal(&house.submitted()[0][0]).kind, SignalKind::Deploy);
    for body in
        [change(json!({"source": "ci"})), event(json!({})), event(json!({"event_action": null, "payload": null}))]
    {
        assert_eq!(house.ask("POST /v2/change/enqueue", None, &body).await.status.as_u16(), 400, "{body}");
    }
}

#[tokio::test]
async fn too_much_and_not_now_are_told_with_a_time() {
    let slow = house_with(Limits { rate: Rate { per_sec: 1, burst: 1 }, ..Limits::default() });
    assert_eq!(slow.ask(ENQUEUE, None, &event(json!({}))).await.status.as_u16(), 202);
    let seen = slow.ask(ENQUEUE, None, &event(json!({}))).await;
    assert!(
        seen.told().starts_with("429 [retry-after: 1]") && seen.body.contains("throttle exceeded"),
        "{}",
        seen.told()
    );
    let house = house();
    house.next(Does::IsUnavailable(Unavailable::Busy));
    assert!(house.ask(ENQUEUE, None, &event(json!({}))).await.told().starts_with("503 [retry-after: 1]"));
    house.next(Does::Refuses(vec![Err(Reject::new(RejectCode::NotFound, "old-pager is no longer configured"))]));
    assert_eq!(house.ask(ENQUEUE, None, &event(json!({}))).await.status.as_u16(), 400);
}

#[tokio::test]
async fn alerts_are_created_as_opsgenie_does() {
    let house = house();
    let seen = house
        .ask(ALERTS, Some(GENIE), r#"{"message":"disk full","alias":"disk-1","priority":"P1","note":"again"}"#)
        .await;
    assert_eq!(seen.told(), r#"202 {"requestId":"r-ID","result":"Request will be processed","took":0.0}"#);
    let inputs = house.submitted().remove(0);
    let (alert, note) = (signal(&inputs[0]), signal(&inputs[1]));
    assert_eq!((alert.kind, alert.key.as_str(), alert.status.as_str()), (SignalKind::Alert, "disk-1", "open"));
    assert_eq!(
        (note.kind, note.key.as_str(), note.summary.as_deref()),
        (SignalKind::StatusUpdate, "disk-1", Some("again"))
    );
    assert_eq!(inputs[0].by.actor, Actor::Integration("wards".into()));
    // Without an alias each is an alert of its own.
    for _ in 0..2 {
        house.ask(ALERTS, Some(GENIE), r#"{"message":"disk full","alias":""}"#).await;
    }
    let keys: Vec<String> = house.submitted().iter().map(|inputs| signal(&inputs[0]).key).collect();
    assert!(keys[0] != keys[1] && keys.iter().all(|key| key.len() == 32), "{keys:?}");
}

#[tokio::test]
async fn alerts_are_closed_acknowledged_and_noted_by_their_alias() {
    let house = house();
    for (action, body, kinds) in [
        ("close", "", &[SignalKind::Resolve][..]),
        ("close", r#"{"note":"fixed it","user":"eva"}"#, &[SignalKind::StatusUpdate, SignalKind::Resolve]),
        ("acknowledge", "{}", &[SignalKind::Ack]),
        ("notes", r#"{"note":"looking"}"#, &[SignalKind::StatusUpdate]),
    ] {
        let line = format!("{ALERTS}/disk%2F1/{action}?identifierType=alias");
        let seen = house.ask(&line, Some(GENIE), body).await;
        assert_eq!(seen.told(), r#"202 {"requestId":"r-ID","result":"Request will be processed","took":0.0}"#);
        let signals: Vec<Signal> = house.submitted()[0].iter().map(signal).collect();
        assert_eq!(signals.iter().map(|signal| signal.kind).collect::<Vec<_>>(), kinds);
        assert!(signals.iter().all(|signal| signal.key == "disk/1"));
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_as_opsgenie_does() {
    let house = house();
    let mut told = String::new();
    for (path, key, body) in [
        ("", None, "{}"),
        ("", Some("GenieKey nobody's"), "{}"),
        ("", Some(PROMETHEUS), "{}"),
        ("", Some(GENIE), "{"),
        ("", Some(GENIE), "{}"),
        ("", Some(GENIE), r#"{"message":"x","priority":"P9"}"#),
        ("", Some(GENIE), r#"{"action":"Close","alert":{"alias":"a"},"message":"x"}"#),
        ("/a/notes?identifierType=alias", Some(GENIE), ""),
        ("/a/close?identifierType=name", Some(GENIE), ""),
        ("/a/close", Some(GENIE), ""),
        ("/7/close?identifierType=tiny", Some(GENIE), ""),
    ] {
        told += &house.ask(&format!("{ALERTS}{path}"), key, body).await.told();
        told.push('\n');
    }
    assert!(house.submitted().is_empty());
    insta::assert_snapshot!(told);
    // The key is looked at before the body.
    let seen = house.send(request(ALERTS, Some("GenieKey nobody's"), untouchable())).await;
    assert_eq!(seen.status.as_u16(), 401);
}

#[tokio::test]
async fn a_prometheus_posts_alerts_whose_end_tells_their_state() {
    let house = house();
    // The engine's now is 2026-12-25T01:00:00Z.
    let alert = |name: &str, ends: &str| json!({"labels": {"alertname": name}, "endsAt": ends});
    let list = json!([
        alert("will end", "2026-12-25T01:04:00Z"),
        alert("has ended", "2026-12-25T00:59:59.5Z"),
        alert("tells none", "0001-01-01T00:00:00Z"),
        {"labels": {"alertname": "says nothing"}},
        7,
    ]);
    let seen = house.ask("POST /api/v2/alerts", Some(PROMETHEUS), &list.to_string()).await;
    assert_eq!(seen.told(), "200 ");
    let signals: Vec<Signal> = house.submitted()[0].iter().map(signal).collect();
    let told: Vec<_> = signals.iter().map(|signal| (signal.name.as_str(), signal.kind)).collect();
    let (fires, over) = (SignalKind::Alert, SignalKind::Resolve);
    assert_eq!(told, [("will end", fires), ("has ended", over), ("tells none", fires), ("says nothing", fires)]);
    assert_eq!(house.ask("POST /api/v2/alerts", Some(PROMETHEUS), "[7]").await.status.as_u16(), 422, "nothing landed");
    house.next(Does::Refuses(vec![Err(Reject::new(RejectCode::NotAllowed, "the core is full"))]));
    let one = r#"[{"labels": {"alertname": "refused"}}]"#;
    let seen = house.ask("POST /api/v2/alerts", Some(PROMETHEUS), one).await;
    assert!(seen.told().starts_with("422") && seen.told().contains("the core is full"), "{}", seen.told());
    let seen = house.ask("POST /api/v2/alerts", Some(PROMETHEUS), r#"{"alerts":[]}"#).await;
    assert_eq!(seen.status.as_u16(), 422);
    assert_eq!(house.ask("POST /api/v2/alerts", None, "[]").await.status.as_u16(), 401);
    assert_eq!(house.ask("POST /api/v2/alerts", Some(PROMETHEUS), "[").await.status.as_u16(), 400);
}

#[tokio::test]
async fn deployments_and_updates_that_change_nothing_are_counted_as_ignored() {
    let house = house();
    house.next(Does::Refuses(vec![
        Ok(Reply::done("ignored: deployments are not recorded")),
        Ok(Reply::done("ALR-1 in INC-1")),
    ]));
    let seen = house.ask("POST /v1/ingest/alertmanager", Some(PROMETHEUS), r#"{"signals":["a","b"]}"#).await;
    assert_eq!(seen.told(), r#"202 {"accepted":1,"ignored":1,"rejected":[],"request_id":"r-ID"}"#);
}

#[tokio::test]
async fn a_text_that_is_an_alert_is_taken_as_one_when_it_is_said() {
    let house = house();
    house.next(Does::Refuses(vec![
        Ok(Reply::done("ALR-1 in INC-1").about("INC-1").about("ALR-1")),
        Ok(Reply::done("ALR-2 recovered").about("INC-1").about("ALR-2")),
    ]));
    let body =
        json!({"text": "[FIRING:1] Disk (critical)\n[RESOLVED] Lag (critical)", "channel": "discord:ops"}).to_string();
    let mut request = request("POST /v1/say", Some(BAS), body);
    request.headers_mut().insert("idempotency-key", "once".parse().unwrap());
    let seen = house.send(request).await;
    insta::assert_snapshot!(seen.told(), @r#"200 {"ok":true,"text":"Read as 2 alerts.\nALR-1 in INC-1\nALR-2 recovered\nNext: /incident show INC-1","private":false,"records":["INC-1","ALR-1","ALR-2"],"seq":8}"#);
    let inputs = house.submitted().remove(0);
    assert_eq!(
        inputs.iter().map(|input| signal(input).kind).collect::<Vec<_>>(),
        [SignalKind::Alert, SignalKind::Resolve]
    );
    for (i, input) in inputs.iter().enumerate() {
        assert_eq!(input.by.actor, Actor::Integration("room".into()));
        assert_eq!(input.by.via, "api:bas", "who said it stays known");
        assert_eq!(input.idempotency.as_deref(), Some(format!("say:bas:once:{i}").as_str()));
    }
    // A command is one, and what people say is looked at as words.
    for text in ["/ack INC-1", "> [FIRING:1] Disk (critical)", "hello"] {
        house.ask("POST /v1/say", Some(BAS), &json!({"text": text}).to_string()).await;
        assert!(matches!(house.submitted()[0][0].kind, InputKind::Text { .. }), "{text}");
    }
}
