//! The contract that every notifier keeps, told by the ledgers of the receivers, and what is special about each.

#![cfg(feature = "notify")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opsbell::domain::delivery::{Content, Destination, Grant, Method, NextPaged, Outcome, PageContent, Priority};
use opsbell::domain::desk::Sender;
use opsbell::domain::id::{DeliveryId, IncidentId, PageId};
use opsbell::domain::incident::Severity;
use opsbell::domain::org::{Org, Person, Role, Webhook};
use opsbell::domain::time::{Span, Timestamp};
use opsbell::notify::email::{MailConfig, MailTls, Mails};
use opsbell::notify::webhook::{Secret, Webhooks};
use opsbell::notify::{Notifiers, Timeouts};
use support::smtp::{Fault, MailServer, Stage};
use support::webhook::{Behaviour, Receiver};

/// Long enough for any machine; only a failing test waits so long.
const PATIENT: Timeouts = Timeouts { connect: support::PATIENCE, total: support::PATIENCE };
/// Gives up on an answer soon.
const HASTY: Timeouts = Timeouts { connect: support::PATIENCE, total: Duration::from_millis(200) };

const ADDRESS: &str = "bas.secret@ej.example";
const NOW: Timestamp = Timestamp(1_798_164_060_000); // 2026-12-25T02:01:00Z

fn page(to: Destination) -> Grant {
    Grant {
        id: DeliveryId { install: "k3x9qz".into(), seq: 1, n: 0 },
        to,
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

fn to_bas(method: Method) -> Destination {
    Destination::Person { person: "bas".into(), method }
}

/// An organisation of one person, whose webhook is at `url`.
fn org(url: &str) -> Org {
    let bas = Person {
        id: "bas".into(),
        email: Some(ADDRESS.into()),
        discord: None,
        github: None,
        gitlab: None,
        gitlab_id: None,
        webhook: Some("pager".into()),
        zone: chrono_tz::Europe::Amsterdam,
        role: Role::Responder,
        left: false,
        notify_high: None,
        notify_low: None,
    };
    let pager = Webhook { id: "pager".into(), url: url.into(), signed: true };
    Org {
        people: BTreeMap::from([(bas.id.clone(), bas)]),
        webhooks: BTreeMap::from([(pager.id.clone(), pager)]),
        ..Org::default()
    }
}

/// The receiver's address, with secrets in it.
fn secret_url(receiver: &Receiver) -> String {
    receiver.url().replace("http://", "http://user:hunter2@") + "?token=hunter2"
}

fn webhooks(timeouts: Timeouts) -> Webhooks {
    let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
    Webhooks::new(BTreeMap::from([("pager".into(), secret)]), Arc::new(|| NOW), timeouts).expect("a client")
}

fn mail_config(port: u16) -> MailConfig {
    MailConfig {
        host: "127.0.0.1".into(),
        port,
        tls: MailTls::None,
        from: "Opsbell <opsbell@ej.example>".into(),
        username: Some("opsbell".into()),
        password: Some("hunter2".into()),
    }
}

fn mails(server: &MailServer, timeouts: Timeouts) -> Mails {
    Mails::new(mail_config(server.address().port()), timeouts).expect("a sender")
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Accepted | Outcome::Placed(_) => "",
        Outcome::Later { reason, .. } | Outcome::Retryable { reason, .. } | Outcome::Permanent { reason } => reason,
    }
}

// ---------------------------------------------------------------- the contract

/// What a receiver has, as a person or a program there sees it.
struct Seen {
    id: String,
    text: String,
    says_repeat: bool,
}

/// What can go wrong anywhere.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Refused for now.
    Later,
    /// Refused for good.
    Never,
    /// The connection is lost after the whole message has arrived.
    LostAfterwards,
    /// No answer after the whole message has arrived.
    Silence,
}

/// A notifier with its world.
struct Kit {
    patient: Arc<dyn Sender>,
    hasty: Arc<dyn Sender>,
    /// Sends to where nobody listens.
    nowhere: (Arc<dyn Sender>, Org),
    org: Org,
    method: Method,
    trouble: Box<dyn Fn(Trouble)>,
    seen: Box<dyn Fn() -> Vec<Seen>>,
}

/// What every notifier keeps.
async fn contract(kit: Kit) {
    let grant = page(to_bas(kit.method));
    let mut outcomes = Vec::new();

    // Asked twice for the same delivery, the receiver can tell: the same id, and the second says that it may be a repeat.
    assert_eq!(kit.patient.send(&grant, &kit.org).await, Outcome::Accepted);
    let again = Grant { attempt: 2, possible_repeat: true, ..grant.clone() };
    assert_eq!(kit.patient.send(&again, &kit.org).await, Outcome::Accepted);
    let seen = (kit.seen)();
    assert_eq!(seen.len(), 2, "one message per try");
    assert!(seen.iter().all(|one| one.id == "k3x9qz-1.0"), "the id is the delivery's");
    assert_eq!(seen.iter().map(|one| one.says_repeat).collect::<Vec<_>>(), [false, true]);
    assert!(seen[0].text.starts_with("🔴 SEV1 payments-api: replication lag 900s. Next: cleo 03:05 (INC-1)\n"));
    assert!(seen[1].text.starts_with("[possible repeat] 🔴 SEV1 payments-api"), "{}", seen[1].text);

    for trouble in [Trouble::Later, Trouble::Never, Trouble::LostAfterwards, Trouble::Silence] {
        (kit.trouble)(trouble);
        let before = (kit.seen)().len();
        let sender = if matches!(trouble, Trouble::Silence) { &kit.hasty } else { &kit.patient };
        let outcome = sender.send(&grant, &kit.org).await;
        match (trouble, &outcome) {
            (Trouble::Later, Outcome::Retryable { unknown: false, .. })
            | (Trouble::Never, Outcome::Permanent { .. }) => {}
            (Trouble::LostAfterwards, Outcome::Retryable { unknown: true, .. }) => {}
            // On a very slow machine the time may be over before the message is out.
            (Trouble::Silence, Outcome::Retryable { unknown, .. }) => {
                assert!(*unknown || (kit.seen)().len() == before, "it arrived, and may not be called unsent");
            }
            _ => panic!("{trouble:?} came to {outcome:?}"),
        }
        outcomes.push(outcome);
    }

    // Nobody there: nothing can have arrived.
    let (sender, org) = &kit.nowhere;
    let outcome = sender.send(&grant, org).await;
    assert!(matches!(outcome, Outcome::Retryable { unknown: false, after: None, .. }), "{outcome:?}");
    outcomes.push(outcome);

    // A vanished address, a vanished person, another's delivery: never.
    let before = (kit.seen)().len();
    let mut without_address = kit.org.clone();
    without_address.people.values_mut().for_each(|bas| (bas.email, bas.webhook) = (None, None));
    let without_person = Org::default();
    for org in [&without_address, &without_person] {
        let outcome = kit.patient.send(&grant, org).await;
        let Outcome::Permanent { reason } = &outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("bas") && reason.ends_with("no longer configured"), "{reason}");
        outcomes.push(outcome);
    }
    let outcome = kit.patient.send(&page(to_bas(Method::Voice)), &kit.org).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
    outcomes.push(outcome);
    assert_eq!((kit.seen)().len(), before);

    // Nothing that goes into a journal shows an address or a secret.
    for outcome in &outcomes {
        let reason = reason(outcome);
        assert!(!reason.is_empty());
        for secret in ["hunter2", ADDRESS, "127.0.0.1", "/hook", "whsec"] {
            assert!(!reason.contains(secret), "{reason}");
        }
    }

    // After all that it still works, with hostile and huge content, and many at once.
    let evil = "\r\n.\r\nBcc: all@ej.example\r\n\u{0}\u{202e}=?utf-8?q?x?=";
    for title in [String::new(), evil.into(), "y".repeat(100_000), "é".repeat(100_000)] {
        let mut grant = grant.clone();
        let Content::Page(content) = &mut grant.content else { unreachable!() };
        content.title = title.as_str().into();
        assert_eq!(kit.patient.send(&grant, &kit.org).await, Outcome::Accepted);
    }
    let before = (kit.seen)().len();
    let grants: Vec<Grant> =
        (2..22).map(|seq| Grant { id: DeliveryId { seq, ..grant.id.clone() }, ..grant.clone() }).collect();
    let mut sends = Vec::new();
    for grant in &grants {
        let (sender, grant, org) = (kit.patient.clone(), grant.clone(), kit.org.clone());
        sends.push(tokio::spawn(async move { sender.send(&grant, &org).await }));
    }
    for send in sends {
        assert_eq!(send.await.expect("no panic"), Outcome::Accepted);
    }
    let mut ids: Vec<_> = (kit.seen)().split_off(before).into_iter().map(|one| one.id).collect();
    ids.sort();
    let mut expected: Vec<_> = grants.iter().map(|grant| grant.id.to_string()).collect();
    expected.sort();
    assert_eq!(ids, expected, "each arrived once");
}

#[tokio::test]
async fn webhooks_keep_the_contract() {
    let receiver = Arc::new(Receiver::start());
    let (troubled, ledger) = (receiver.clone(), receiver.clone());
    contract(Kit {
        patient: Arc::new(Notifiers::default().with(Method::Webhook, Arc::new(webhooks(PATIENT)))),
        hasty: Arc::new(webhooks(HASTY)),
        nowhere: (Arc::new(webhooks(PATIENT)), org(&format!("http://user:hunter2@{}/hook", support::nobody()))),
        org: org(&secret_url(&receiver)),
        method: Method::Webhook,
        trouble: Box::new(move |trouble| {
            troubled.next(match trouble {
                Trouble::Later => Behaviour::status(429),
                Trouble::Never => Behaviour::status(410),
                Trouble::LostAfterwards => Behaviour::Drop,
                Trouble::Silence => Behaviour::Hang,
            });
        }),
        seen: Box::new(move || {
            let seen = ledger.ledger().all().into_iter().map(|post| Seen {
                id: post.id().to_owned(),
                text: post.json()["text"].as_str().unwrap_or_default().to_owned(),
                says_repeat: post.possible_repeat(),
            });
            seen.collect()
        }),
    })
    .await;
}

#[tokio::test]
async fn mails_keep_the_contract() {
    let server = Arc::new(MailServer::start());
    let (troubled, ledger) = (server.clone(), server.clone());
    let nowhere = Mails::new(mail_config(support::nobody().port()), PATIENT).expect("a sender");
    contract(Kit {
        patient: Arc::new(Notifiers::default().with(Method::Email, Arc::new(mails(&server, PATIENT)))),
        hasty: Arc::new(mails(&server, HASTY)),
        nowhere: (Arc::new(nowhere), org("")),
        org: org(""),
        method: Method::Email,
        trouble: Box::new(move |trouble| match trouble {
            Trouble::Later => troubled.next(Stage::Message, Fault::Reply(451, "4.3.0 <bas.secret@ej.example> later")),
            Trouble::Never => troubled.next(Stage::To, Fault::Reply(550, "5.1.1 <bas.secret@ej.example> unknown")),
            Trouble::LostAfterwards => troubled.next(Stage::Message, Fault::Drop),
            Trouble::Silence => troubled.next(Stage::Message, Fault::Hang),
        }),
        seen: Box::new(move || {
            let seen = ledger.ledger().all().into_iter().map(|mail| Seen {
                id: mail.header("Message-ID").trim_matches(['<', '>']).split('@').next().unwrap_or_default().to_owned(),
                text: mail.text(),
                says_repeat: mail.header("Subject").starts_with("[possible repeat] "),
            });
            seen.collect()
        }),
    })
    .await;
}

// ---------------------------------------------------------------- webhooks

#[tokio::test]
async fn a_post_is_signed_and_its_id_stands_in_the_header_and_in_the_body() {
    let receiver = Receiver::start();
    let sender = webhooks(PATIENT);
    let mut org = org(&secret_url(&receiver));
    assert_eq!(sender.send(&page(Destination::Webhook("pager".into())), &org).await, Outcome::Accepted);
    org.webhooks.values_mut().for_each(|hook| hook.signed = false);
    assert_eq!(sender.send(&page(Destination::Webhook("pager".into())), &org).await, Outcome::Accepted);

    let posts = receiver.ledger().all();
    let post = &posts[0];
    assert_eq!(post.request_line, "POST /hook?token=hunter2 HTTP/1.1");
    assert_eq!(post.header("content-type"), "application/json");
    assert_eq!(post.header("webhook-timestamp"), "1798164060");
    assert!(post.header("user-agent").starts_with("opsbell/"));
    assert!(post.header("authorization").starts_with("Basic "));
    let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
    assert_eq!(post.header("webhook-signature"), secret.sign("k3x9qz-1.0", 1_798_164_060, &post.body));
    assert_eq!(post.json()["id"], "k3x9qz-1.0");
    assert_eq!(post.json()["next"]["who"], "cleo");
    // Nobody in particular reads it, so its times are told in the organisation's zone.
    assert!(post.json()["text"].as_str().expect("text").contains("Next: cleo 02:05"));
    assert_eq!(posts[1].header("webhook-signature"), "");
}

#[tokio::test]
async fn a_webhook_without_its_secret_sends_nothing() {
    let receiver = Receiver::start();
    let sender = webhooks(PATIENT).with_secrets(BTreeMap::new());
    let outcome = sender.send(&page(Destination::Webhook("pager".into())), &org(&receiver.url())).await;
    let reason = "the signing secret of webhook pager is not loaded; check its secret".to_owned();
    assert_eq!(outcome, Outcome::Permanent { reason });
    let outcome = sender.send(&page(Destination::Webhook("gone".into())), &org(&receiver.url())).await;
    assert_eq!(outcome, Outcome::Permanent { reason: "webhook gone is no longer configured".into() });
    assert!(receiver.ledger().is_empty());
}

#[tokio::test]
async fn the_wish_to_wait_is_passed_on() {
    let receiver = Receiver::start();
    let (sender, org) = (webhooks(PATIENT), org(&receiver.url()));
    for (status, wish, after) in [
        (429, "7", Some(Span::secs(7))),
        (503, "Fri, 25 Dec 2026 02:01:30 GMT", Some(Span::secs(30))),
        (429, "soon", None),
    ] {
        receiver.next(Behaviour::Status(status, vec![("Retry-After", wish.to_owned())]));
        let outcome = sender.send(&page(to_bas(Method::Webhook)), &org).await;
        let reason = format!("the receiver answered {status}");
        assert_eq!(outcome, Outcome::Retryable { reason, after, unknown: status == 503 });
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (receiver, elsewhere, sender) = (Receiver::start(), Receiver::start(), webhooks(PATIENT));
    for status in [301, 302, 303, 307, 308] {
        receiver.next(Behaviour::Status(status, vec![("Location", elsewhere.url())]));
        let outcome = sender.send(&page(to_bas(Method::Webhook)), &org(&receiver.url())).await;
        assert!(matches!(&outcome, Outcome::Permanent { reason } if reason.contains("redirects")), "{outcome:?}");
    }
    assert!(elsewhere.ledger().is_empty());
}

#[tokio::test]
async fn posts_share_a_connection_whatever_the_answer() {
    let receiver = Receiver::start();
    let (sender, org) = (webhooks(PATIENT), org(&receiver.url()));
    for n in 0..50 {
        if n % 5 == 0 {
            receiver.next(Behaviour::status(500));
        }
        sender.send(&page(to_bas(Method::Webhook)), &org).await;
    }
    assert_eq!(receiver.ledger().len(), 50);
    // One, but for a post that is faster than the return of the connection.
    assert!(receiver.connections() <= 5, "{} connections", receiver.connections());
}

#[tokio::test]
async fn of_a_long_answer_only_the_beginning_is_read() {
    let receiver = Receiver::start();
    let (sender, org) = (webhooks(PATIENT), org(&receiver.url()));
    // A short one is read to its end, and the connection serves the next post; a long one is given up.
    for (kib, connections) in [(1, 1..=5), (4096, 10..=10)] {
        let before = receiver.connections();
        for _ in 0..10 {
            receiver.next(Behaviour::Long(kib));
            assert_eq!(sender.send(&page(to_bas(Method::Webhook)), &org).await, Outcome::Accepted);
        }
        let made = receiver.connections() - before;
        // The first of the long ones may come over the connection of the last short one.
        assert!(connections.contains(&made) || connections.contains(&(made + 1)), "{kib} KiB: {made} connections");
    }
}

#[tokio::test]
async fn half_an_answer_holds_nothing_up() {
    let receiver = Receiver::start();
    receiver.next(Behaviour::HalfAnswer);
    let outcome = webhooks(PATIENT).send(&page(to_bas(Method::Webhook)), &org(&receiver.url())).await;
    assert_eq!(outcome, Outcome::Accepted, "the status was told, and stands");
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_was_sent_nothing() {
    let silent = support::silent();
    let hasty = Timeouts { connect: Duration::from_millis(100), total: support::PATIENCE };
    let url = format!("https://{}/hook", silent.address());
    let outcome = webhooks(hasty).send(&page(to_bas(Method::Webhook)), &org(&url)).await;
    let reason = "no connection in time".to_owned();
    assert_eq!(outcome, Outcome::Retryable { reason, after: None, unknown: false });
}

#[tokio::test]
async fn an_address_that_is_none_fails_for_good_and_is_not_shown() {
    let sender = webhooks(PATIENT);
    for url in
        ["", "hunter2", "ftp://hunter2@x/", "/hook", "http://", "http://[hunter2", "http://x y/", "mailto:hunter2"]
    {
        let outcome = sender.send(&page(to_bas(Method::Webhook)), &org(url)).await;
        assert!(matches!(outcome, Outcome::Permanent { .. }), "{url}: {outcome:?}");
        assert!(!reason(&outcome).contains("hunter2"), "{outcome:?}");
    }
}

// ---------------------------------------------------------------- mail

#[tokio::test]
async fn a_mail_reads_well_and_belongs_to_its_incident() {
    let server = MailServer::start();
    let sender = mails(&server, PATIENT);
    assert_eq!(sender.send(&page(to_bas(Method::Email)), &org("")).await, Outcome::Accepted);
    let mut notice = page(to_bas(Method::Email));
    (notice.incident, notice.page) = (None, None);
    notice.content = Content::Notice { text: "the journal cannot be written\n.\nsecond line".into() };
    assert_eq!(sender.send(&notice, &org("")).await, Outcome::Accepted);

    let mails = server.ledger().all();
    let mail = &mails[0];
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("opsbell@ej.example", [ADDRESS.to_owned()].as_slice()));
    for (name, value) in [
        ("From", "Opsbell <opsbell@ej.example>"),
        ("To", ADDRESS),
        ("Subject", "SEV1 payments-api: replication lag 900s (INC-1)"),
        ("Date", "Fri, 25 Dec 2026 02:00:00 +0000"),
        ("Message-ID", "<k3x9qz-1.0@opsbell.ej.example>"),
        ("In-Reply-To", "<INC-1@k3x9qz>"),
        ("References", "<INC-1@k3x9qz>"),
        ("Auto-Submitted", "auto-generated"),
        ("Importance", "high"),
    ] {
        assert_eq!(mail.header(name), value, "{name}");
    }
    assert_eq!(
        mail.text(),
        "🔴 SEV1 payments-api: replication lag 900s. Next: cleo 03:05 (INC-1)\n\
         Why: on call for payments-primary, step 1 of payments\n\
         /ack INC-1, or can't: /incident escalate INC-1\n\
         Delivery k3x9qz-1.0, times in Europe/Amsterdam"
    );
    assert_eq!(mails[1].header("In-Reply-To"), "");
    assert_eq!(mails[1].text(), "the journal cannot be written\n.\nsecond line");
}

#[tokio::test]
async fn hostile_text_stays_in_the_subject_and_in_the_body() {
    let server = MailServer::start();
    let mut grant = page(to_bas(Method::Email));
    let Content::Page(content) = &mut grant.content else { unreachable!() };
    content.title = "lag\r\nBcc: all@ej.example\r\n\r\nhello\r\n.\r\nMAIL FROM:<x@y>".into();
    assert_eq!(mails(&server, PATIENT).send(&grant, &org("")).await, Outcome::Accepted);
    let mails = server.ledger().all();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].header("Bcc"), "");
    assert_eq!(mails[0].to.len(), 1);
    assert!(mails[0].header("Subject").contains("lag Bcc: all@ej.example hello"), "{}", mails[0].header("Subject"));
}

#[tokio::test]
async fn each_stage_of_the_conversation_has_its_outcome() {
    let server = MailServer::start();
    let (sender, org) = (mails(&server, PATIENT), org(""));
    for stage in [Stage::Greeting, Stage::Hello, Stage::Auth, Stage::From, Stage::To, Stage::Data, Stage::Message] {
        for fault in
            [Fault::Reply(421, "4.4.5 busy"), Fault::Reply(554, "5.7.1 no"), Fault::Reply(999, "?"), Fault::Drop]
        {
            server.next(stage, fault.clone());
            let outcome = sender.send(&page(to_bas(Method::Email)), &org).await;
            let after_message = stage == Stage::Message;
            match (&fault, &outcome) {
                (Fault::Reply(421, _), Outcome::Retryable { reason, unknown: false, .. }) => {
                    assert_eq!(reason, "the mail server put it off (421)");
                }
                (Fault::Reply(554, _), Outcome::Permanent { reason }) => {
                    assert_eq!(reason, "the mail server refused it (554)");
                }
                (Fault::Reply(999, _) | Fault::Drop, Outcome::Retryable { unknown, .. }) => {
                    assert_eq!(*unknown, after_message, "{stage:?} {fault:?}");
                }
                _ => panic!("{stage:?} {fault:?}: {outcome:?}"),
            }
        }
    }
    assert_eq!(sender.send(&page(to_bas(Method::Email)), &org).await, Outcome::Accepted);
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_was_sent_nothing() {
    let server = MailServer::start();
    for stage in [Stage::Greeting, Stage::Auth, Stage::To, Stage::Data] {
        server.next(stage, Fault::Hang);
        let outcome = mails(&server, HASTY).send(&page(to_bas(Method::Email)), &org("")).await;
        assert!(matches!(outcome, Outcome::Retryable { unknown: false, .. }), "{stage:?}: {outcome:?}");
    }
    assert!(server.ledger().is_empty());
}

#[tokio::test]
async fn a_mail_server_without_starttls_gets_no_password() {
    let server = MailServer::start();
    let config = MailConfig { tls: MailTls::StartTls, ..mail_config(server.address().port()) };
    let sender = Mails::new(config, PATIENT).expect("a sender");
    let outcome = sender.send(&page(to_bas(Method::Email)), &org("")).await;
    assert!(matches!(&outcome, Outcome::Permanent { reason } if reason.contains("STARTTLS")), "{outcome:?}");
    assert!(server.ledger().is_empty());
}

#[tokio::test]
async fn an_address_that_cannot_be_written_to_is_not_shown() {
    let server = MailServer::start();
    for address in ["", "hunter2", "a@b\r\nRCPT TO:<hunter2@x>", "é-hunter2@ej.example", "@", "a@b, hunter2@d"] {
        let mut org = org("");
        org.people.values_mut().for_each(|bas| bas.email = Some(address.to_owned()));
        let outcome = mails(&server, PATIENT).send(&page(to_bas(Method::Email)), &org).await;
        assert!(matches!(outcome, Outcome::Permanent { .. }), "{address}: {outcome:?}");
        assert!(!reason(&outcome).contains("hunter2"), "{outcome:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_heartbeat_arrives_and_its_failures_name_no_address() {
    use opsbell::notify::heartbeat::Heartbeats;
    let (beats, watchdog) = (Heartbeats::new().expect("a client"), Receiver::start());
    let url = format!("{}?secret=s3cret", watchdog.url());
    assert_eq!(beats.beat(&url).await, Ok(()));
    let arrived = watchdog.ledger().all();
    assert!(arrived.len() == 1 && arrived[0].request_line.starts_with("GET /"), "{arrived:?}");
    watchdog.next(Behaviour::status(404));
    assert_eq!(beats.beat(&url).await, Err("the watchdog answered HTTP 404".to_owned()));
    watchdog.next(Behaviour::Status(302, vec![("location", url.clone())]));
    assert_eq!(beats.beat(&url).await, Err("the watchdog answered HTTP 302".to_owned()));
    assert_eq!(watchdog.ledger().len(), 3, "a redirect is not followed");
    watchdog.next(Behaviour::Drop);
    let nowhere = format!("http://{}/s3cret", support::nobody());
    for (url, why) in
        [(url.as_str(), "cannot be reached"), (nowhere.as_str(), "cannot be reached"), ("s3cret", "is not a URL")]
    {
        let refused = beats.beat(url).await.expect_err("it fails");
        assert!(refused.contains(why) && !refused.contains("s3cret"), "{refused}");
    }
}
