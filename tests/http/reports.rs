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
async fn the_series_adds_up_to_the_whole_and_days_are_those_of_whoever_asks() {
    let house = deployed_house(house());
    let told = house.ask(&format!("{PATH}?days=7"), Some(BAS), "").await.json();
    let series = &told["series"];
    assert_eq!((&series["by"], &series["zone"]), (&"day".into(), &"Europe/Amsterdam".into()));
    let pieces = series["pieces"].as_array().unwrap();
    let sum = |name: &str| pieces.iter().map(|it| it[name].as_u64().unwrap()).sum::<u64>();
    for name in ["deployments", "deployments_ended", "deployments_failed", "lead_time_known", "incidents"] {
        assert_eq!(Some(sum(name)), told["total"][name].as_u64(), "{name}");
    }
    assert_eq!((&pieces[0]["from"], &pieces[pieces.len() - 1]["until"]), (&told["from"], &told["until"]));
    // Now is 02:00 of Friday in Amsterdam, and 01:00 in UTC: what ended an hour ago did so on that day in both.
    let last = &pieces[pieces.len() - 1];
    assert_eq!((&last["begins"], &last["lead_time_seconds"]), (&"2026-12-25".into(), &3600.into()));
    assert_eq!(pieces[0]["lead_time_seconds"], Value::Null);
    let administrator = house.ask(&format!("{PATH}?days=90"), Some(ADMIN), "").await.json();
    assert_eq!(administrator["series"]["by"], "week");
}

#[tokio::test]
async fn the_same_as_a_picture() {
    let house = deployed_house(house());
    for (who, query) in [(BAS, "days=7"), (ADMIN, "service=ledger"), (BAS, "service=payments-api&days=366")] {
        let told = house.ask(&format!("{PATH}?format=png&{query}"), Some(who), "").await;
        assert_eq!((told.status, &told.headers["content-type"]), (StatusCode::OK, &"image/png".parse().unwrap()));
        let mut reader = png::Decoder::new(std::io::Cursor::new(&told.bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height), (1000, 900));
        // A bar is blue, one of a failure orange; of a service without deployments neither is drawn but in the key.
        let count = |colour: [u8; 3]| pixels.chunks(3).filter(|pixel| **pixel == colour).count();
        let drawn = query != "service=ledger";
        assert_eq!([count([0x2b, 0x6c, 0xb0]) > 144, count([0xd9, 0x5f, 0x02]) > 144], [drawn; 2], "{query}");
    }
    // Nobody sees more by it than by JSON.
    assert_eq!(house.ask(&format!("{PATH}?format=png"), None, "").await.status, StatusCode::UNAUTHORIZED);
    for (query, status) in [("team=paymens", StatusCode::NOT_FOUND), ("days=0", StatusCode::BAD_REQUEST)] {
        let refused = house.ask(&format!("{PATH}?format=png&{query}"), Some(BAS), "").await;
        assert_eq!((refused.status, &refused.headers["content-type"]), (status, &"application/json".parse().unwrap()));
    }
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
