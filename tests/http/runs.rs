//! Runs of playbooks: what is read, and who reads what is about a private incident.

use axum::http::StatusCode;
use opsbell::domain::id::{IncidentId, RunId};
use opsbell::domain::time::Timestamp;
use serde_json::json;

use crate::desk::{BAS, House};
use crate::reads::full_house;

/// Three runs: one is over, one asks, the third one is for a private incident and was begun by somebody else.
pub fn with_runs(house: House) -> House {
    {
        let mut state = house.desk.state.lock().unwrap();
        for n in 1..=3_u64 {
            let over = json!({"ending": "failed", "at": Timestamp(9_000), "reason": "drain: it ended with 1"});
            let asking =
                json!({"asking": {"question": "May the queue be drained?", "until": Timestamp(1_798_160_400_000)}});
            let done = json!([{
                "part": "steps", "step": "tell", "at": Timestamp(8_000), "by": {"timer": "moment"}, "attempts": 1,
                "output": "Payments to sepa are paused.",
            }]);
            let run = json!({
                "id": RunId(n), "by": {"person": if n == 3 { "cleo" } else { "bas" }}, "started_at": Timestamp(5_000),
                "values": {"partner": "sepa"}, "service": "payments-api", "team": "payments", "part": "steps",
                "playbook": {
                    "id": "drain-queue", "kind": "runbook", "summary": "Drain", "risk": "low", "permission": "respond",
                    "steps": [
                        {"id": "tell", "does": {"say": {"text": "x"}}, "timeout": 30000, "backoff": 5000, "on_failure": "stop"},
                        {"id": "sure", "does": {"ask": {"question": "x", "within": 3600000}}, "timeout": 30000, "backoff": 5000, "on_failure": "stop"},
                    ],
                },
                "at": 1, "doing": if n == 1 { json!("over") } else { asking }, "done": done,
                "ended": if n == 1 { over } else { json!(null) },
                "incident": if n == 3 { json!("INC-77") } else { json!(null) },
            });
            state.runs.insert(RunId(n), Box::new(serde_json::from_value(run).unwrap()));
        }
        state.meta.private.insert(IncidentId(77));
    }
    house
}

#[tokio::test]
async fn runs_are_listed_and_told() {
    let house = with_runs(full_house());
    let list = house.ask("GET /v1/runs?limit=2", Some(BAS), "").await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    let listed = list.json();
    // The newest is for a private incident that bas may not see.
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["RUN-2"]);
    assert_eq!((&listed["items"][0]["state"], &listed["items"][0]["step"]), (&json!("asking"), &json!("sure")));
    let next = listed["next"].as_str().unwrap();
    let rest = house.ask(&format!("GET /v1/runs?limit=2&cursor={next}"), Some(BAS), "").await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["items"][0]["state"]), (&json!("RUN-1"), &json!("failed")));
    assert_eq!(rest["next"], json!(null));
    let one = house.ask("GET /v1/runs/RUN-2", Some(BAS), "").await.json();
    assert_eq!(one["question"], "May the queue be drained?");
    assert_eq!(one["steps"][0]["output"], "Payments to sepa are paused.");
    assert_eq!(one["values"]["partner"], "sepa");
    for (path, token, status) in [
        ("/v1/runs/RUN-3", Some(BAS), StatusCode::FORBIDDEN),
        ("/v1/runs/RUN-99", Some(BAS), StatusCode::NOT_FOUND),
        ("/v1/runs/INC-1", Some(BAS), StatusCode::NOT_FOUND),
        ("/v1/runs?limit=0", Some(BAS), StatusCode::BAD_REQUEST),
        ("/v1/runs/RUN-1", None, StatusCode::UNAUTHORIZED),
        ("/v1/runs", None, StatusCode::UNAUTHORIZED),
    ] {
        let seen = house.ask(&format!("GET {path}"), token, "").await;
        assert_eq!(seen.status, status, "{path}");
        assert!(!seen.body.contains("INC-77") && !seen.body.contains("sepa"), "{path}: {}", seen.body);
    }
}

#[tokio::test]
async fn how_many_run_is_counted() {
    let house = with_runs(full_house());
    let text = house.ask("GET /metrics", None, "").await.body;
    assert!(text.contains("opsbell_runs_open{state=\"asking\"} 2"), "{text}");
    assert!(text.contains("opsbell_runs_open{state=\"running\"} 0"), "{text}");
}
