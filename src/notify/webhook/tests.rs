//! The signature against the published example, the body against its documented shape, `Retry-After` in all its forms.

use super::*;
use crate::domain::delivery::{PageContent, Priority};

fn grant() -> Grant {
    Grant {
        id: DeliveryId { install: "k3x9qz".into(), seq: 1, n: 0 },
        to: Destination::Webhook("pager".into()),
        priority: Priority::CriticalPage,
        incident: Some(IncidentId(1)),
        page: Some(PageId { incident: IncidentId(1), n: 1 }),
        content: Content::Page(PageContent {
            title: "replication lag 900s".into(),
            severity: Severity::Sev1,
            service: "payments-api".into(),
            unrouted: false,
            reason: "on call for payments-primary, step 1 of payments".into(),
            next: Some(NextPaged { who: "cleo".into(), at: Timestamp(1_798_164_300_000) }),
            known_error: None,
            suspect: None,
        }),
        attempt: 1,
        possible_repeat: false,
        owed_at: Timestamp(1_798_164_000_000),
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // Tests are told by the environment where the shared payloads are.
fn the_signature_is_that_of_standard_webhooks() {
    let root = std::env::var_os("OPSBELL_FIXTURES").map_or("/work/shared/fixtures".into(), std::path::PathBuf::from);
    let file = root.join("signatures/standard-webhooks-v1.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: {} is not there; name the folder by OPSBELL_FIXTURES", file.display());
        return;
    };
    let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let text = |path: &str| case.pointer(path).and_then(serde_json::Value::as_str).expect(path);
    let secret = Secret::parse(text("/secret")).expect("a secret");
    let timestamp_secs = text("/headers/webhook-timestamp").parse().expect("a number");
    let signature = secret.sign(text("/headers/webhook-id"), timestamp_secs, text("/body").as_bytes());
    assert_eq!(signature, text("/headers/webhook-signature"));
}

#[test]
fn a_secret_is_read_or_refused_and_never_shown() {
    let signed = |text| Secret::parse(text).map(|secret| secret.sign("id", 1, b"{}")).ok();
    assert_eq!(signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), signed(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"));
    assert_eq!(signed("whsec_aGVsbG8="), signed("whsec_aGVsbG8"));
    assert_eq!(signed("whsec_aGVsbG8="), signed("hello"));
    assert_eq!(Secret::parse("whsec_not base64!").err(), Some(NotASecret::NotBase64));
    for empty in ["", "  ", "whsec_"] {
        assert_eq!(Secret::parse(empty).err(), Some(NotASecret::Empty), "{empty:?}");
    }
    assert!(Secret::parse(&"x".repeat(1_000_000)).is_ok());
    assert_eq!(format!("{:?}", Secret::parse("hello").expect("a secret")), "Secret(…)");
}

#[test]
fn the_body_has_its_documented_shape() {
    let zone = chrono_tz::Europe::Amsterdam;
    let page = serde_json::to_string(&Body::of(&grant(), zone)).expect("JSON");
    assert_eq!(
        page,
        r#"{"type":"page","id":"k3x9qz-1.0","incident":"INC-1","page":"INC-1.p1","person":null,"title":"replication lag 900s","#
            .to_owned()
            + r#""severity":"sev1","service":"payments-api","reason":"on call for payments-primary, step 1 of payments","#
            + r#""next":{"who":"cleo","at":"2026-12-25T02:05:00.000Z"},"#
            + r#""text":"🔴 SEV1 payments-api: replication lag 900s. Next: cleo 03:05 (INC-1)\n"#
            + r#"Why: on call for payments-primary, step 1 of payments\n/ack INC-1, or can't: /incident escalate INC-1\n"#
            + r#"Delivery k3x9qz-1.0, times in Europe/Amsterdam","attempt":1,"possible_repeat":false,"#
            + r#""owed_at":"2026-12-25T02:00:00.000Z","unrouted":false}"#
    );
    let mut post = grant();
    post.content = Content::Post { text: "INC-1 resolved".into() };
    post.page = None;
    let post = serde_json::to_string(&Body::of(&post, zone)).expect("JSON");
    assert_eq!(
        post,
        r#"{"type":"post","id":"k3x9qz-1.0","incident":"INC-1","page":null,"person":null,"title":null,"severity":null,"service":null,"#
            .to_owned()
            + r#""reason":null,"next":null,"text":"INC-1 resolved","attempt":1,"possible_repeat":false,"#
            + r#""owed_at":"2026-12-25T02:00:00.000Z","unrouted":false}"#
    );
}

#[test]
fn the_wish_of_a_receiver_is_read_in_all_its_forms() {
    let now = || Timestamp(1_798_164_000_000); // 2026-12-25T02:00:00Z
    for (text, wish) in [
        ("7", Some(Span::secs(7))),
        (" 0 ", Some(Span::ZERO)),
        ("1.5", Some(Span(1500))),
        ("99999999999999999999999999", Some(LONGEST_WISH)),
        ("Fri, 25 Dec 2026 02:00:30 GMT", Some(Span::secs(30))),
        ("Fri, 25 Dec 2026 01:00:00 GMT", Some(Span::ZERO)),
        ("Fri, 25 Dec 9999 01:00:00 GMT", None), // Not a Friday.
        ("-7", None),
        ("inf", None),
        ("1e", None),
        ("7s", None),
        ("", None),
        ("soon", None),
    ] {
        assert_eq!(retry_after(text, now), wish, "{text}");
    }
}
