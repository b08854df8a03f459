//! Problems, and postmortems as files: what is read, what reaches the engine, what is refused.

use axum::http::StatusCode;
use opsbell::domain::id::{IncidentId, ProblemId, ServiceRequestId};
use opsbell::domain::incident::Incident;
use opsbell::domain::input::{InputKind, Reply};
use opsbell::domain::reject::{Reject, RejectCode};
use opsbell::domain::time::Timestamp;
use serde_json::json;

use crate::desk::{ADMIN, BAS, Does, House, request, untouchable};
use crate::reads::full_house;

const PATH: &str = "/v1/incidents/INC-1/postmortem";
const TEXT: &str = "# INC-1\n\n## Root cause\n\nA lock that nobody frees — 🔒.\n";

/// INC-1 has a postmortem in its third revision, INC-2 none; INC-4 has one and is private. There are two problems.
pub fn written_house() -> House {
    let house = full_house();
    {
        let mut state = house.desk.state.lock().unwrap();
        let review = json!({
            "times": [{
                "milestone": "impact-start", "at": Timestamp(1_000), "reason": "seen in the logs",
                "by": {"person": "bas"}, "stated_at": Timestamp(9_000),
            }],
            "problem": "PRB-1",
            "postmortem": {
                "state": "review", "text": TEXT, "revision": 3, "changed_at": Timestamp(8_000),
                "authors": [{"person": "bas"}],
            },
            "changes": 4,
        });
        for (n, private) in [(1, false), (4, true)] {
            let incident = state.incidents.get_mut(&IncidentId(n)).unwrap();
            let mut value = serde_json::to_value(&**incident).unwrap();
            value["review"] = review.clone();
            value["private"] = private.into();
            if private {
                value["roles"] = json!({});
                value["deliveries"] = json!([]);
                value["pages"] = json!([]);
            }
            *incident = serde_json::from_value::<Incident>(value).unwrap().into();
        }
        for n in 1..=2 {
            let request = json!({
                "id": ServiceRequestId(n), "title": "Read access for 7 days", "service": "payments-api",
                "team": "payments", "requester": {"person": "bas"}, "submitted_at": Timestamp(5_000),
                "state": "submitted", "timeline": [{"at": Timestamp(5_000), "by": {"person": "bas"}, "text": "submitted"}],
            });
            let mut request = request;
            if n == 2 {
                let more = json!({
                    "text": "to see who is rested", "of": "person:cleo", "for_whom": "cleo", "state": "fulfilled",
                    "item": {"playbook": "replica", "hash": "ab", "values": {"days": "7"}},
                    "approvers": ["team:payments"], "approval": {"person": "cleo", "at": Timestamp(6_000)},
                    "fulfiller": "cleo", "due": Timestamp(9_000), "fulfilled_at": Timestamp(8_000),
                    "closes": Timestamp(90_000), "ended_at": Timestamp(90_000), "resolution": "granted",
                    "run": "RUN-1", "asked_by": {"run": "RUN-1", "step": "ask"}, "incident": "INC-1", "changes": ["CHG-1"],
                });
                request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            }
            state.requests.insert(ServiceRequestId(n), Box::new(serde_json::from_value(request).unwrap()));
            let problem = json!({
                "id": ProblemId(n), "title": "card queue stuck", "service": "payments-api", "team": "payments",
                "state": "known-error", "fingerprint": "682a1c47a1d34030", "opened_by": {"person": "bas"},
                "opened_at": Timestamp(5_000), "root_cause": "a lock", "workaround": "restart the consumer",
                "incidents": ["INC-1"], "incidents_folded": 2,
                "timeline": [{"at": Timestamp(5_000), "by": {"person": "bas"}, "text": "opened"}],
            });
            state.problems.insert(ProblemId(n), Box::new(serde_json::from_value(problem).unwrap()));
        }
    }
    house
}

#[tokio::test]
async fn a_postmortem_goes_down_as_a_file() {
    let house = written_house();
    let seen = house.ask(&format!("GET {PATH}"), Some(BAS), "").await;
    assert_eq!((seen.status, seen.body.as_str()), (StatusCode::OK, TEXT));
    assert_eq!(seen.headers["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(seen.headers["etag"], "\"3\"");
    let mut told = String::new();
    for (path, token) in [
        ("/v1/incidents/INC-2/postmortem", Some(BAS)),
        ("/v1/incidents/INC-99/postmortem", Some(BAS)),
        ("/v1/incidents/inc/postmortem", Some(BAS)),
        (PATH, None),
        // A private one is for those who belong to it, and for the administrator.
        ("/v1/incidents/INC-4/postmortem", Some(BAS)),
    ] {
        told += &format!("{path}\n  {}\n", house.ask(&format!("GET {path}"), token, "").await.told());
    }
    insta::assert_snapshot!(told);
    let seen = house.ask("GET /v1/incidents/INC-4/postmortem", Some(ADMIN), "").await;
    assert_eq!(seen.status, StatusCode::OK);
}

#[tokio::test]
async fn a_postmortem_goes_up_as_a_file() {
    let house = written_house();
    let mut sent = request(&format!("PUT {PATH}"), Some(BAS), TEXT);
    sent.headers_mut().insert("if-match", "\"3\"".parse().unwrap());
    sent.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    let seen = house.send(sent).await;
    assert_eq!(seen.told(), r#"200 {"ok":true,"records":["INC-1"],"seq":7,"text":"done now for bas"}"#);
    let input = house.submitted().remove(0).remove(0);
    assert_eq!(input.by.actor.to_string(), "bas");
    assert_eq!(input.idempotency.as_deref(), Some("postmortem:INC-1:bas:k"));
    let InputKind::WritePostmortem { incident, text, base } = input.kind else { panic!("no postmortem") };
    assert_eq!((incident, text.as_str(), base), (IncidentId(1), TEXT, Some(3)));
    // Without a revision, or with any, it is written over whatever there is.
    for any in [None, Some("*")] {
        let mut sent = request(&format!("PUT {PATH}"), Some(BAS), TEXT);
        any.map(|any| sent.headers_mut().insert("if-match", any.parse().unwrap()));
        assert_eq!(house.send(sent).await.status, StatusCode::OK);
        let input = house.submitted().remove(0).remove(0);
        assert!(matches!(input.kind, InputKind::WritePostmortem { base: None, .. }));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said() {
    let house = written_house();
    let line = format!("PUT {PATH}");
    let mut told = String::new();
    let sent = |token, body: Vec<u8>, base: Option<&str>| {
        let mut sent = request(&line, token, body);
        base.map(|base| sent.headers_mut().insert("if-match", base.parse().unwrap()));
        sent
    };
    for (what, request) in [
        ("no revision", sent(Some(BAS), b"x".to_vec(), Some("3"))),
        ("a number that is none", sent(Some(BAS), b"x".to_vec(), Some("\"99999999999999\""))),
        ("no UTF-8", sent(Some(BAS), vec![0xff, 0xfe], None)),
        ("too large", sent(Some(BAS), vec![b'x'; (64 << 10) + 1], None)),
        ("a stranger", {
            let mut sent = request(&line, Some("Bearer wrong"), untouchable());
            sent.headers_mut().insert("if-match", "\"3\"".parse().unwrap());
            sent
        }),
    ] {
        told += &format!("{what}\n  {}\n", house.send(request).await.told());
    }
    assert_eq!(house.submitted().len(), 0, "none of it reaches the engine");
    let refused = |code, message: &str| vec![Err::<Reply, _>(Reject::new(code, message).hint("Read it again <t:0:R>"))];
    for (code, message) in [
        (RejectCode::Conflict, "Somebody has changed it: revision 4 is in force."),
        (RejectCode::NotAllowed, "bas may not do that."),
        (RejectCode::Missing, "A postmortem cannot be empty."),
    ] {
        house.next(Does::Refuses(refused(code, message)));
        told += &format!("{message}\n  {}\n", house.send(sent(Some(BAS), b"x".to_vec(), None)).await.told());
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn requests_look_like_this() {
    let house = written_house();
    let list = house.get("/v1/requests?limit=1").await.json();
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["item"]), (&json!("REQ-2"), &json!("replica")));
    let next = list["next"].as_str().unwrap();
    let rest = house.get(&format!("/v1/requests?cursor={next}")).await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!("REQ-1"), &json!(null)));
    let one = house.get("/v1/requests/REQ-2").await.json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&one).unwrap());
    assert_eq!(house.get("/v1/requests/REQ-9").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/v1/requests/INC-1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/v1/requests?limit=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn problems_look_like_this() {
    let house = written_house();
    let list = house.get("/v1/problems?limit=1").await.json();
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["incidents_total"]), (&json!("PRB-2"), &json!(3)));
    let next = list["next"].as_str().unwrap();
    let rest = house.get(&format!("/v1/problems?cursor={next}")).await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!("PRB-1"), &json!(null)));
    let one = house.get("/v1/problems/PRB-1").await.json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&one).unwrap());
    assert_eq!(house.get("/v1/problems/PRB-9").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/v1/problems/INC-1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/v1/problems?limit=x").await.status, StatusCode::BAD_REQUEST);
}
