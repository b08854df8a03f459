//! `GET /v1/reports/dora`: who may read it, as JSON and as CSV, and what is refused.

use axum::http::StatusCode;
use opsbell::domain::change::deployed::Deployed;
use opsbell::domain::id::DeploymentId;
use opsbell::domain::signal::Progress;
use opsbell::domain::time::Timestamp;
use serde_json::Value;

use crate::desk::{ADMIN, BAS, House, house};

/// The fake engine's now.
const NOW: i64 = 1_798_160_400_000;

/// Two deployments an hour ago: one arrived, an hour after its commit was written; one did not.
pub fn deployed_house(house: House) -> House {
    for (n, progress) in [(1, Progress::Succeeded), (2, Progress::Failed)] {
        let it = Deployed {
            id: DeploymentId(n),
            integration: Some("github".into()),
            key: "deployment 7".into(),
            service: "payments-api".into(),
            team: "payments".into(),
            environment: "production".into(),
            version: None,
            sha: None,
            progress,
            told_at: Timestamp(NOW - 3_600_000),
            ended_at: Some(Timestamp(NOW - 3_600_000)),
            committed_at: Some(Timestamp(NOW - 7_200_000)),
            change: None,
            unapproved: n == 2,
            harmed: false,
            question: None,
        };
        house.desk.state.lock().unwrap().deployments.insert(it.id, it);
    }
    house
}

const PATH: &str = "GET /v1/reports/dora";

#[tokio::test]
async fn the_measures_are_told_and_what_is_unknown_is_null() {
    let house = deployed_house(house());
    let told = house.ask(&format!("{PATH}?days=7"), Some(BAS), "").await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let told = told.json();
    let total = &told["total"];
    assert_eq!((&total["deployments"], &total["deployments_failed"]), (&1.into(), &1.into()));
    assert_eq!((&total["change_failure_rate"], &total["deployments_per_week"]), (&0.5.into(), &1.0.into()));
    assert_eq!((&total["lead_time_seconds"], &total["lead_time_known"]), (&3600.into(), &1.into()));
    assert_eq!(total["time_to_restore_seconds"], Value::Null);
    assert_eq!(told["teams"]["payments"], *total);
    assert_eq!(told["services"]["ledger"]["change_failure_rate"], Value::Null);
    assert_eq!(told["definitions"].as_object().unwrap().len(), 4);
    assert_eq!(told["weeks"], serde_json::json!([1]));
    // Of one service nothing else is told.
    let one = house.ask(&format!("{PATH}?service=ledger"), Some(BAS), "").await.json();
    assert_eq!((one["services"].as_object().unwrap().len(), &one["total"]["deployments"]), (1, &0.into()));
}

#[tokio::test]
async fn the_same_as_csv() {
    let house = deployed_house(house());
    let told = house.ask(&format!("{PATH}?format=csv&days=7"), Some(ADMIN), "").await;
    assert_eq!(told.headers["content-type"], "text/csv; charset=utf-8");
    insta::assert_snapshot!(told.body.replace("\r\n", "\n"), @"
    kind,name,from,until,deployments,deployments_per_week,days_with_deployments,deployments_ended,deployments_failed,deployments_unapproved,change_failure_rate,lead_time_seconds,lead_time_known,lead_time_unknown,incidents,incidents_by_change,time_to_restore_seconds,time_to_restore_known
    total,,2026-12-18T01:00:00.000Z,2026-12-25T01:00:00.000Z,1,1.0,1,2,1,1,0.5,3600,1,0,0,0,,0
    team,payments,2026-12-18T01:00:00.000Z,2026-12-25T01:00:00.000Z,1,1.0,1,2,1,1,0.5,3600,1,0,0,0,,0
    service,checkin,2026-12-18T01:00:00.000Z,2026-12-25T01:00:00.000Z,0,0.0,0,0,0,0,,,0,0,0,0,,0
    service,ledger,2026-12-18T01:00:00.000Z,2026-12-25T01:00:00.000Z,0,0.0,0,0,0,0,,,0,0,0,0,,0
    service,payments-api,2026-12-18T01:00:00.000Z,2026-12-25T01:00:00.000Z,1,1.0,1,2,1,1,0.5,3600,1,0,0,0,,0
    ");
    assert_eq!(told.body.matches("\r\n").count(), told.body.lines().count());
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let house = deployed_house(house());
    for (query, status) in [
        ("days=0", StatusCode::BAD_REQUEST),
        ("days=367", StatusCode::BAD_REQUEST),
        ("days=many", StatusCode::BAD_REQUEST),
        ("format=xlsx", StatusCode::BAD_REQUEST),
        ("dyas=7", StatusCode::BAD_REQUEST),
        ("team=paymens", StatusCode::NOT_FOUND),
        ("service=%00", StatusCode::NOT_FOUND),
    ] {
        let seen = house.ask(&format!("{PATH}?{query}"), Some(ADMIN), "").await;
        assert_eq!(seen.status, status, "{query}: {}", seen.body);
    }
    assert_eq!(house.ask(PATH, None, "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.ask(PATH, Some("Bearer wrong"), "").await.status, StatusCode::UNAUTHORIZED);
}
