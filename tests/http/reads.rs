//! `GET /v1/…`, health and metrics: what is shown, in what parts, and what is never shown.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use opsbell::domain::alert::Alert;
use opsbell::domain::id::{AlertId, IncidentId, ProblemId};
use opsbell::domain::incident::Incident;
use opsbell::domain::input::Unavailable;
use opsbell::domain::time::Timestamp;
use opsbell::http::Limits;
use serde_json::{Value, json};

use crate::desk::{ADMIN, BAS, House, PROMETHEUS, house, house_with};

// Records are made from their JSON, so that a new field of the domain does not concern these tests.

fn page(n: u32) -> Value {
    json!({
        "n": n, "person": "bas", "state": "sent", "reason": "on call for payments-primary, step 1 of payments",
        "opened_at": Timestamp(3_000), "rules": [], "used": 1, "next": Timestamp(183_000),
    })
}

fn incident(n: u64, pages: u32) -> Incident {
    let policy = json!({"id": "payments", "steps": [], "repeat": 2, "ack_expires": null});
    let value = json!({
        "id": IncidentId(n), "title": "replication lag 900s", "service": "payments-api", "team": "payments",
        "severity": "sev1", "state": "triggered", "group": "g", "environment": "production",
        "opened_by": {"integration": "prometheus"}, "opened_at": Timestamp(2_000),
        "roles": {"lead": "bas", "responders": ["bas"]}, "alerts_firing": 1, "alerts_total": 2,
        "escalation": {
            "policy": policy, "step": 1, "cycle": 0, "due": Timestamp(302_000), "reason": "opened by alert ALR-1",
        },
        "pages": (1..=pages).map(page).collect::<Vec<_>>(),
        "deliveries": [
            {
                "id": "k3x9qz-14.1", "page": 1, "to": {"person": {"person": "bas", "method": "chat"}},
                "priority": "critical-page", "owed_at": Timestamp(3_000),
                "status": {"accepted": {"at": Timestamp(4_000)}},
            },
            {
                "id": "k3x9qz-14.2", "to": {"webhook": "pager"}, "priority": "post", "owed_at": Timestamp(3_000),
                "status": {"failed": {"at": Timestamp(5_000), "reason": "no such channel"}},
            },
        ],
        "timeline": [{"at": Timestamp(2_000), "by": {"timer": "escalation"}, "text": "opened by ALR-1"}],
    });
    serde_json::from_value(value).unwrap()
}

fn alert(n: u64) -> Alert {
    let value = json!({
        "id": AlertId(n), "integration": "prometheus", "key": "lag-1", "incident": "INC-1", "service": "payments-api",
        "name": "replication lag", "severity": "critical", "summary": "900 seconds", "labels": {"alertname": "Lag"},
        "opened_at": Timestamp(2_000), "started_at": Timestamp(1_000),
    });
    serde_json::from_value(value).unwrap()
}

pub fn full_house() -> House {
    let house = house();
    {
        let mut state = house.desk.state.lock().unwrap();
        for n in 1..=5 {
            state.incidents.insert(IncidentId(n), incident(n, if n == 3 { 0 } else { 2 }).into());
            state.alerts.insert(AlertId(n), Box::new(alert(n)));
        }
    }
    house.desk.durable.store(17, Ordering::Relaxed);
    house
}

fn ids(body: &Value) -> Vec<String> {
    let id = |item: &Value| item["id"].as_str().map_or_else(|| item["seq"].to_string(), str::to_owned);
    body["items"].as_array().unwrap().iter().map(id).collect()
}

/// All parts of a list, as a client walks them.
async fn walked(house: &House, path: &str, limit: usize) -> Vec<Vec<String>> {
    walked_as(house, ADMIN, path, limit).await
}

async fn walked_as(house: &House, token: &str, path: &str, limit: usize) -> Vec<Vec<String>> {
    let (mut parts, mut cursor) = (Vec::new(), String::new());
    loop {
        let seen = house.ask(&format!("GET {path}?limit={limit}{cursor}"), Some(token), "").await;
        assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
        parts.push(ids(&seen.json()));
        match seen.json()["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return parts,
        }
    }
}

#[tokio::test]
async fn lists_come_in_parts_and_end() {
    let house = full_house();
    assert_eq!(
        walked(&house, "/v1/incidents", 2).await,
        [vec!["INC-5", "INC-4"], vec!["INC-3", "INC-2"], vec!["INC-1"]]
    );
    assert_eq!(walked(&house, "/v1/incidents", 5).await.len(), 1);
    assert_eq!(walked(&house, "/v1/alerts", 3).await, [vec!["ALR-5", "ALR-4", "ALR-3"], vec!["ALR-2", "ALR-1"]]);
    assert_eq!(
        walked(&house, "/v1/pages", 3).await,
        [
            vec!["INC-5.p2", "INC-5.p1", "INC-4.p2"],
            vec!["INC-4.p1", "INC-2.p2", "INC-2.p1"],
            vec!["INC-1.p2", "INC-1.p1"]
        ]
    );
    assert_eq!(walked(&house, "/v1/pages", 8).await.len(), 1);
    assert_eq!(walked(&house, "/v1/services", 2).await, [vec!["checkin", "ledger"], vec!["payments-api"]]);
    // The file holds 20 commits, 17 of them synced.
    let commits = walked(&house, "/v1/journal", 10).await;
    assert_eq!(commits.iter().map(Vec::len).collect::<Vec<_>>(), [10, 7]);
    assert_eq!(commits[1].last().unwrap(), "17");
}

#[tokio::test]
async fn records_look_like_this() {
    let house = full_house();
    let mut told = String::new();
    for path in [
        "/v1/incidents?limit=1",
        "/v1/incidents/INC-1",
        "/v1/alerts?limit=1",
        "/v1/alerts/alr-1",
        "/v1/pages?limit=1",
        "/v1/pages/INC-1.p1",
        "/v1/services?limit=1",
        "/v1/services/ledger",
        "/v1/oncall",
        "/v1/journal?limit=2",
        "/v1/changes",
        "/v1/problems",
        "/v1/requests?limit=5",
    ] {
        let seen = house.get(path).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.body);
        assert!(!seen.body.contains('@') && !seen.body.contains("204255221017214977"), "an address in {path}");
        told += &format!("{path}\n{}\n", serde_json::to_string_pretty(&seen.json()).unwrap());
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn what_is_not_there_or_not_well_asked_for_says_so() {
    let house = full_house();
    let mut told = String::new();
    for path in [
        "/v1/incidents/INC-9",
        "/v1/incidents/nonsense",
        "/v1/incidents/%ff",
        "/v1/incidents/INC-99999999999999999999999999",
        "/v1/alerts/ALR-9",
        "/v1/pages/INC-1.p9",
        "/v1/pages/INC-1",
        "/v1/services/leger",
        "/v1/changes/CHG-1",
        "/v1/incidents?limit=0",
        "/v1/alerts?limit=201",
        "/v1/pages?limit=ten",
        "/v1/services?cursor=x",
        "/v1/incidents?cursor=YWxlcnRzOjE",
        "/v1/incidents?curser=x",
        "/v1/journal?cursor=am91cm5hbDoxMw",
        "/v1/incident",
        "/incidents",
        "/",
        "/wp-login.php",
    ] {
        told += &format!("{path}\n  {}\n", house.get(path).await.told());
    }
    told += &format!("POST /v1/incidents\n  {}\n", house.ask("POST /v1/incidents", Some(ADMIN), "{}").await.told());
    told += &format!("GET ingest\n  {}\n", house.get("/v1/ingest/generic").await.told());
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn reading_needs_a_token_of_anybody() {
    let house = full_house();
    for path in [
        "incidents",
        "incidents/INC-1",
        "alerts",
        "alerts/ALR-1",
        "pages",
        "pages/INC-1.p1",
        "services",
        "services/ledger",
        "oncall",
        "journal",
        "changes",
        "problems",
        "requests",
    ] {
        let line = format!("GET /v1/{path}");
        for token in [None, Some("Bearer obt_x"), Some(PROMETHEUS)] {
            assert_eq!(house.ask(&line, token, "").await.status, StatusCode::UNAUTHORIZED, "{line} {token:?}");
        }
        assert_eq!(house.ask(&line, Some(BAS), "").await.status, StatusCode::OK, "{line}");
        let head = house.ask(&format!("HEAD /v1/{path}"), Some(BAS), "").await;
        assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""), "HEAD {line}");
    }
    assert_eq!(house.ask("HEAD /v1/incidents", None, "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn health_says_whether_the_process_lives_and_readiness_whether_it_can_work() {
    let house = house_with(Limits { health_timeout: Duration::ZERO, ..Limits::default() });
    let mut told = String::new();
    let mut tell = async |what: &str| {
        for path in ["/healthz", "/readyz"] {
            told += &format!("{what}: {path} {}\n", house.ask(&format!("GET {path}"), None, "").await.told());
        }
    };
    tell("all well").await;
    house.starting.store(true, Ordering::Relaxed);
    tell("starting").await;
    house.starting.store(false, Ordering::Relaxed);
    *house.desk.trouble.lock().unwrap() = Some("the journal cannot be written: No space left on device".into());
    tell("trouble").await;
    *house.desk.trouble.lock().unwrap() = None;
    *house.desk.closed_door.lock().unwrap() = Some(Unavailable::ShuttingDown);
    tell("shutting down").await;
    *house.desk.closed_door.lock().unwrap() = Some(Unavailable::Busy);
    tell("a queue that stays full").await;
    *house.desk.closed_door.lock().unwrap() = None;
    house.desk.silent.store(true, Ordering::Relaxed);
    tell("silent").await;
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn metrics_count_what_was_done_with_a_bounded_number_of_series() {
    let house = full_house();
    for line in ["POST /v1/ingest/alertmanager", "POST /v1/ingest/x1", "POST /v1/ingest/x2"] {
        house.ask(line, Some(PROMETHEUS), r#"{"signals":["a","b"]}"#).await;
    }
    house.ask("POST /v1/ingest/generic", None, "").await;
    house.ask("POST /v1/say", Some(BAS), r#"{"text":"/ack"}"#).await;
    let seen = house.ask("GET /metrics", None, "").await;
    assert_eq!(seen.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    // The families keep their series in no order.
    let mut lines: Vec<_> = seen.body.lines().filter(|line| !line.starts_with('#')).collect();
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n"));
    // Without the engine the counters are still told.
    *house.desk.closed_door.lock().unwrap() = Some(Unavailable::Busy);
    let seen = house.ask("GET /metrics", None, "").await;
    assert!(seen.body.contains("opsbell_healthy 0\n") && seen.body.contains("opsbell_signals_accepted_total 2\n"));
}

#[tokio::test]
async fn a_private_incident_is_shown_to_its_own_people_only() {
    let house = full_house();
    {
        let mut state = house.desk.state.lock().unwrap();
        let mut private = incident(6, 2);
        private.private = true;
        private.title = "leaked key".into();
        private.roles.responders = vec!["cleo".into()];
        private.pages.iter_mut().for_each(|page| page.person = "cleo".into());
        private.deliveries.clear();
        state.incidents.insert(IncidentId(6), private.into());
        state.meta.private.insert(IncidentId(6));
        let mut alert = alert(6);
        alert.incident = IncidentId(6);
        state.alerts.insert(AlertId(6), Box::new(alert));
        let problem = json!({
            "id": "PRB-1", "title": "keys in logs", "service": "payments-api", "team": "payments", "state": "open",
            "opened_by": {"person": "cleo"}, "opened_at": Timestamp(5_000), "incidents": ["INC-1", "INC-6"],
            "timeline": [{"at": Timestamp(5_000), "by": {"person": "cleo"}, "text": "linked to INC-6"}],
        });
        state.problems.insert(ProblemId(1), Box::new(serde_json::from_value(problem).unwrap()));
        let related = state.incidents.get_mut(&IncidentId(1)).unwrap();
        let mut value = serde_json::to_value(&**related).unwrap();
        value["links"] = json!([{"kind": "related", "to": "INC-6"}, {"kind": "related", "to": "INC-2"}]);
        *related = serde_json::from_value::<Incident>(value).unwrap().into();
    }
    let named = ["/v1/alerts", "/v1/alerts/ALR-6", "/v1/problems/PRB-1", "/v1/incidents/INC-1"];
    for path in named {
        let seen = house.ask(&format!("GET {path}"), Some(ADMIN), "").await;
        assert!(seen.status == StatusCode::OK && seen.body.contains("INC-6"), "{path}: {}", seen.body);
        let seen = house.ask(&format!("GET {path}"), Some(BAS), "").await;
        assert!(seen.status == StatusCode::OK && !seen.body.contains("INC-6"), "{path}: {}", seen.body);
    }
    let seen = house.ask("GET /v1/incidents/INC-1", Some(BAS), "").await;
    assert_eq!(seen.json()["links"], json!([{"kind": "related", "to": "INC-2"}]));
    let seen = house.ask("GET /v1/problems/PRB-1", Some(BAS), "").await;
    assert_eq!(seen.json()["incidents"], json!(["INC-1"]));
    assert_eq!(seen.json()["timeline"][0]["text"], json!("linked to a private incident"));
    let all = ["/v1/incidents", "/v1/incidents/INC-6", "/v1/pages", "/v1/pages/INC-6.p1", "/v1/alerts"];
    for path in all {
        let seen = house.ask(&format!("GET {path}"), Some(ADMIN), "").await;
        assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.body);
    }
    for path in all {
        let seen = house.ask(&format!("GET {path}"), Some(BAS), "").await;
        assert!(!seen.body.contains("leaked key") && !seen.body.contains("\"INC-6\""), "{path}: {}", seen.body);
        assert!(!seen.body.contains("INC-6.p1"), "{path}: {}", seen.body);
    }
    assert_eq!(
        walked_as(&house, BAS, "/v1/incidents", 2).await,
        [vec!["INC-5"], vec!["INC-4", "INC-3"], vec!["INC-2", "INC-1"]]
    );
    let seen = house.ask("GET /v1/incidents/INC-6", Some(BAS), "").await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert!(seen.body.contains("INC-6 is private."), "{}", seen.body);
}
