//! Changes, the calendar and the gate: what is read, what reaches the engine, what is refused.

use axum::http::StatusCode;
use opsbell::domain::id::ChangeId;
use opsbell::domain::input::{InputKind, Reply};
use opsbell::domain::reject::{Reject, RejectCode};
use opsbell::domain::time::Timestamp;
use serde_json::json;

use crate::desk::{ADMIN, BAS, Does, House};
use crate::reads::full_house;

fn changed_house() -> House {
    with_changes(full_house())
}

/// Three changes, of which the second was approved.
pub fn with_changes(house: House) -> House {
    {
        let mut state = house.desk.state.lock().unwrap();
        for n in 1..=3 {
            let approvals = if n == 2 {
                json!([{"person": "cleo", "hash": "ab", "at": Timestamp(6_000), "expires": Timestamp(9_000)}])
            } else {
                json!([])
            };
            let change = json!({
                "id": ChangeId(n), "hash": "ab", "team": "payments", "state": if n == 2 { "scheduled" } else { "awaiting-approval" },
                "content": {
                    "class": "normal", "title": "Raise the pool", "service": "payments-api", "environment": "production",
                    "plan": "Set POOL=60", "rollback": "Set POOL=20", "implementer": "bas", "risk": "medium",
                    "window": {"from": Timestamp(1_798_160_400_000), "until": Timestamp(1_798_164_000_000)},
                },
                "risk": {"level": "medium", "lines": [{"points": 3, "why": "payments-api is of tier 1"}]},
                "requester": {"person": "bas"}, "opened_at": Timestamp(5_000), "approvals": approvals,
                "timeline": [{"at": Timestamp(5_000), "by": {"person": "bas"}, "text": "asked for, normal"}],
            });
            state.changes.insert(ChangeId(n), Box::new(serde_json::from_value(change).unwrap()));
        }
    }
    house
}

#[tokio::test]
async fn changes_are_listed_and_told() {
    let house = changed_house();
    let list = house.ask("GET /v1/changes?limit=2", Some(BAS), "").await;
    assert_eq!(list.status, StatusCode::OK);
    let listed = list.json();
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["CHG-3", "CHG-2"]);
    let next = listed["next"].as_str().unwrap();
    let rest = house.ask(&format!("GET /v1/changes?limit=2&cursor={next}"), Some(BAS), "").await;
    assert_eq!(rest.json()["items"].as_array().unwrap().len(), 1);
    let one = house.ask("GET /v1/changes/CHG-2", Some(BAS), "").await;
    assert_eq!(one.json()["approvals"][0]["person"], "cleo");
    assert_eq!(one.json()["risk_lines"][0]["points"], 3);
    for (path, token, status) in [
        ("/v1/changes/CHG-99", Some(BAS), StatusCode::NOT_FOUND),
        ("/v1/changes/INC-1", Some(BAS), StatusCode::NOT_FOUND),
        ("/v1/changes/CHG-2", None, StatusCode::UNAUTHORIZED),
        ("/v1/changes", None, StatusCode::UNAUTHORIZED),
        ("/v1/calendar.ics", None, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(house.ask(&format!("GET {path}"), token, "").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_calendar_is_a_feed() {
    let house = changed_house();
    let seen = house.ask("GET /v1/calendar.ics", Some(ADMIN), "").await;
    assert_eq!(seen.status, StatusCode::OK);
    assert_eq!(seen.headers["content-type"], "text/calendar; charset=utf-8");
    assert!(seen.body.starts_with("BEGIN:VCALENDAR\r\n"), "{}", seen.body);
    assert_eq!(seen.body.matches("BEGIN:VEVENT").count(), 3, "{}", seen.body);
}

const GATE: &str = r#"{"service":"payments-api","version":"1.4.1","author":"bas"}"#;

#[tokio::test]
async fn the_gate_asks_in_the_name_of_the_token() {
    let house = full_house();
    let verdict = r#"{"decision":"wait","reasons":[{"code":"approval","text":"until <t:1798160400:f>"}],"change":"CHG-7","state":"awaiting-approval"}"#;
    house.next(Does::Refuses(vec![Ok(Reply::done(verdict))]));
    let seen = house.ask("POST /v1/gate", Some(BAS), GATE).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    assert_eq!((seen.json()["decision"].clone(), seen.json()["change"].clone()), (json!("wait"), json!("CHG-7")));
    let taken = house.submitted();
    let InputKind::Gate(asked) = &taken[0][0].kind else { panic!("{taken:?}") };
    assert_eq!((asked.service.as_str(), asked.version.as_str()), ("payments-api", "1.4.1"));
    assert_eq!(taken[0][0].by.actor.to_string(), "bas");
    house.next(Does::Refuses(vec![Err(Reject::new(RejectCode::NotAllowed, "bas may not do that."))]));
    assert_eq!(house.ask("POST /v1/gate", Some(BAS), GATE).await.status, StatusCode::FORBIDDEN);
}
