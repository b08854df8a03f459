//! `/v1/say` and `/v1/tokens`: who speaks, as whom, and what is answered.

use axum::http::StatusCode;
use opsbell::domain::actor::Actor;
use opsbell::domain::input::{InputKind, Reply, Unavailable};
use opsbell::domain::reject::{Reject, RejectCode};
use opsbell::http::Secret;
use serde_json::json;

use crate::desk::{ADMIN, BAS, Does, house, request, untouchable};

const SAY: &str = "POST /v1/say";

#[tokio::test]
async fn a_person_says_something_and_is_answered_in_their_own_time() {
    let house = house();
    let mut sent = request(SAY, Some(BAS), r#"{"text":"/ack INC-1","channel":"ops"}"#);
    sent.headers_mut().insert("idempotency-key", "n1".parse().unwrap());
    let seen = house.send(sent).await;
    assert_eq!(seen.told(), r#"200 {"ok":true,"text":"done now for bas","private":false,"records":["INC-1"],"seq":7}"#);
    let input = house.submitted().remove(0).remove(0);
    assert_eq!((&input.by.actor, input.by.via.as_str()), (&Actor::Person("bas".into()), "api"));
    assert_eq!(input.by.request.unwrap().as_str(), seen.headers["x-request-id"].to_str().unwrap());
    assert_eq!(input.idempotency.as_deref(), Some("say:bas:n1"));
    let InputKind::Text { place, text } = input.kind else { panic!("no text") };
    assert_eq!((place.chat.as_str(), place.channel.as_str(), text.as_str()), ("api", "ops", "/ack INC-1"));
}

#[tokio::test]
async fn identity_comes_from_the_token() {
    let house = house();
    let mut told = String::new();
    for (token, body) in [
        (BAS, r#"{"text":"/ack","as":"bas"}"#),
        (BAS, r#"{"text":"/ack","as":"cleo"}"#),
        (ADMIN, r#"{"text":"/ack","as":"cleo"}"#),
        (ADMIN, r#"{"text":"/ack"}"#),
        (ADMIN, r#"{"text":"/ack","as":"clio"}"#),
        (ADMIN, r#"{"text":"/ack","as":"administrator"}"#),
    ] {
        told += &format!("{token} {body}\n  {}\n", house.ask(SAY, Some(token), body).await.told());
    }
    let said: Vec<_> = house.submitted().iter().map(|inputs| inputs[0].by.actor.to_string()).collect();
    assert_eq!(said, ["bas", "cleo"]);
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn strangers_are_refused_before_the_body_is_read() {
    let house = house();
    let mut told = String::new();
    for line in [SAY, "POST /v1/tokens"] {
        for token in [None, Some("Bearer wrong"), Some("Bearer obt_wrong"), Some("Bearer obt_of-dirk"), Some("Basic x")]
        {
            told += &format!("{line} {token:?}\n  {}\n", house.send(request(line, token, untouchable())).await.told());
        }
    }
    told += &house.send(request("POST /v1/tokens", Some(BAS), untouchable())).await.told();
    assert_eq!(house.submitted().len(), 0);
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn bodies_that_are_not_as_they_should_be_name_the_field() {
    let house = house();
    let mut told = String::new();
    let huge = format!(r#"{{"text":"{}"}}"#, "x".repeat(64 << 10));
    let deep = "[".repeat(10_000);
    for body in [
        "",
        "text=/ack",
        "null",
        "[]",
        "{}",
        r#"{"text":""}"#,
        r#"{"text":7}"#,
        r#"{"text":"/ack","chanel":"ops"}"#,
        r#"{"text":"/ack","channel":["ops"]}"#,
        &deep,
        &huge,
    ] {
        let short: String = body.chars().take(40).collect();
        told += &format!("{short}\n  {}\n", house.ask(SAY, Some(BAS), body).await.told());
    }
    assert_eq!(house.submitted().len(), 0);
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_refusal_is_422_with_its_word_and_the_next_step() {
    let house = house();
    let mut told = String::new();
    for does in [
        Does::Refuses(vec![Err(
            Reject::new(RejectCode::UnknownWord, "`/akc` is no command").hint("did you mean /ack?")
        )]),
        Does::Refuses(vec![Err(Reject::new(RejectCode::NotFound, "there is no INC-9"))]),
        Does::Refuses(vec![Err(Reject::new(RejectCode::NotAllowed, "bas may not do this since <t:0:R>"))]),
        Does::Refuses(vec![Err(Reject::new(RejectCode::Conflict, "INC-1 is closed"))]),
        Does::Refuses(vec![Ok(Reply { ok: false, text: "kept refusal".into(), ..Reply::default() })]),
        Does::Refuses(vec![]),
        Does::IsUnavailable(Unavailable::Busy),
    ] {
        house.next(does);
        told += &house.ask(SAY, Some(BAS), r#"{"text":"/x"}"#).await.told();
        told += "\n";
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_token_is_told_once_and_only_its_hash_goes_further() {
    let house = house();
    let seen = house.ask("POST /v1/tokens", Some(ADMIN), r#"{"person":"cleo"}"#).await;
    assert_eq!(seen.status, StatusCode::CREATED);
    let told = seen.json();
    let clear = told["token"].as_str().unwrap();
    assert!(clear.starts_with("obt_") && clear.len() == 47);
    assert_eq!(told["person"], "cleo");
    let input = house.submitted().remove(0).remove(0);
    assert!(!format!("{input:?}").contains(clear));
    assert_eq!(input.by.actor, Actor::Person("administrator".into()));
    let InputKind::AddToken { token, person, sha256 } = input.kind else { panic!("no token") };
    assert_eq!((token.as_str(), person.as_str()), (told["id"].as_str().unwrap(), "cleo"));
    assert_eq!(sha256, Secret::of(clear.as_bytes()).hex());

    let nobody = house.ask("POST /v1/tokens", Some(ADMIN), r#"{"person":"baz"}"#).await;
    assert_eq!((nobody.status.as_u16(), &nobody.json()["error"]["hint"]), (422, &json!("did you mean `bas`?")));
}

#[tokio::test]
async fn tokens_are_listed_and_revoked() {
    let house = house();
    assert_eq!(
        house.get("/v1/tokens").await.told(),
        r#"200 {"items":[{"added_at":"1970-01-01T00:00:01.000Z","id":"tok-1","person":"bas"},{"added_at":"1970-01-01T00:00:02.000Z","id":"tok-2","person":"dirk"}],"next":null}"#
    );
    let seen = house.ask("DELETE /v1/tokens/tok-1", Some(ADMIN), "").await;
    assert_eq!(seen.told(), r#"200 {"ok":true,"text":"done now for "}"#);
    assert_eq!(house.submitted()[0][0].kind, InputKind::RevokeToken { token: "tok-1".into() });
    house.next(Does::Refuses(vec![Err(Reject::new(RejectCode::NotFound, "there is no token tok-9"))]));
    assert_eq!(house.ask("DELETE /v1/tokens/tok-9", Some(ADMIN), "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.ask("DELETE /v1/tokens/tok-1", Some(BAS), "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(house.ask("GET /v1/tokens", Some(BAS), "").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn words_said_through_the_administrators_token_are_told_apart() {
    let house = house();
    for (token, via) in [(ADMIN, "api-administrator"), (BAS, "api")] {
        house.ask(SAY, Some(token), r#"{"text":"/ack","as":"bas"}"#).await;
        assert_eq!(house.submitted().last().unwrap()[0].by.via, via);
    }
}

#[tokio::test]
async fn a_channel_is_short_and_clean() {
    let house = house();
    let say = |channel: String| json!({"text": "/ack", "channel": channel}).to_string();
    for wrong in ["x".repeat(101), "é".repeat(101), "a\nb".to_owned(), "\u{1b}[2J".to_owned(), "\0".to_owned()] {
        let seen = house.ask(SAY, Some(BAS), &say(wrong)).await;
        assert_eq!((seen.status.as_u16(), &seen.json()["error"]["path"]), (422, &json!("channel")));
    }
    assert_eq!(house.submitted().len(), 0);
    assert_eq!(house.ask(SAY, Some(BAS), &say("é".repeat(100))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_second_factor_is_told_once_and_goes_nowhere_else() {
    let house = house();
    let seen = house.ask("POST /v1/factors", Some(ADMIN), r#"{"person":"cleo"}"#).await;
    assert_eq!(
        seen.told(),
        r#"201 {"address":"otpauth://totp/Opsbell:cleo?secret=SECRETOFcleo&issuer=Opsbell","person":"cleo","secret":"SECRETOFcleo"}"#
    );
    let input = house.submitted().remove(0).remove(0);
    assert!(!format!("{input:?}").contains("SECRETOF"), "{input:?}");
    assert_eq!(input.by.actor, Actor::Person("administrator".into()));
    assert_eq!(input.kind, InputKind::EnrolFactor { person: "cleo".into(), there: true });
    assert!(!house.get("/v1/factors").await.told().contains("SECRETOF"));
    house.ask("DELETE /v1/factors/cleo", Some(ADMIN), "").await;
    assert_eq!(house.submitted()[0][0].kind, InputKind::EnrolFactor { person: "cleo".into(), there: false });

    let nobody = house.ask("POST /v1/factors", Some(ADMIN), r#"{"person":"baz"}"#).await;
    assert_eq!((nobody.status.as_u16(), &nobody.json()["error"]["hint"]), (422, &json!("did you mean `bas`?")));
    // Nobody gives one to themselves: who has only a stolen token would.
    for line in ["POST /v1/factors", "GET /v1/factors", "DELETE /v1/factors/bas"] {
        let seen = house.ask(line, Some(BAS), r#"{"person":"bas"}"#).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{line}");
    }
}
