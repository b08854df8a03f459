//! How everything reads, line by line, and that nothing from outside can do more than be read.

use chrono_tz::Europe::Amsterdam;

use super::*;
use crate::domain::delivery::{ChannelRef, NextPaged, PageContent, Priority};
use crate::domain::id::{DeliveryId, IncidentId};
use crate::domain::input::Reply;
use crate::domain::reject::RejectCode;
use crate::domain::time::Timestamp;

const PLAIN: Paint = Paint { colour: false };

fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's time")
}

fn granted(to: Destination, content: Content) -> Grant {
    Grant {
        id: DeliveryId { install: "k3x9qz".into(), seq: 1, n: 0 },
        to,
        priority: Priority::CriticalPage,
        incident: Some(IncidentId(1)),
        page: None,
        content,
        attempt: 1,
        possible_repeat: false,
        owed_at: at("2026-12-25T03:00:00+01:00"),
    }
}

fn person(name: &str, method: Method) -> Destination {
    Destination::Person { person: name.into(), method }
}

fn lag() -> Content {
    Content::Page(PageContent {
        title: "replication lag 900s".into(),
        severity: Severity::Sev1,
        service: "payments-api".into(),
        unrouted: false,
        reason: "on call for payments-primary, step 1 of payments".into(),
        next: Some(NextPaged { who: "cleo".into(), at: at("2026-12-25T03:05:00+01:00") }),
        known_error: None,
        suspect: None,
    })
}

fn shown(to: Destination, content: Content) -> String {
    grant(&granted(to, content), Amsterdam, PLAIN)
}

/// An answer as the terminal's own partner tells it.
fn reply(reply: &Reply, zone: Tz, now: Timestamp, paint: Paint) -> String {
    told(&Told { ok: reply.ok, text: look::times(&reply.text, zone, now) }, paint)
}

#[test]
fn a_page() {
    insta::assert_snapshot!(shown(person("bas", Method::Chat), lag()), @r"
    03:00 [page to bas] 🔴 SEV1 payments-api: replication lag 900s. Next: cleo 03:05 (INC-1)
          Why: on call for payments-primary, step 1 of payments
          /ack INC-1, or can't: /incident escalate INC-1
          Delivery k3x9qz-1.0, times in Europe/Amsterdam
    ");
}

#[test]
fn a_page_that_may_have_been_seen_before() {
    let mut again = granted(person("bas", Method::Chat), lag());
    again.possible_repeat = true;
    insta::assert_snapshot!(grant(&again, Amsterdam, PLAIN), @r"
    03:00 [page to bas] [possible repeat] 🔴 SEV1 payments-api: replication lag 900s. Next: cleo 03:05 (INC-1)
          Why: on call for payments-primary, step 1 of payments
          /ack INC-1, or can't: /incident escalate INC-1
          Possible repeat: an earlier attempt of delivery k3x9qz-1.0 may have arrived.
          Delivery k3x9qz-1.0, times in Europe/Amsterdam
    ");
}

#[test]
fn a_page_for_a_signal_without_a_known_service() {
    let Content::Page(mut page) = lag() else { panic!("a page") };
    page.unrouted = true;
    page.service = "platform".into();
    insta::assert_snapshot!(shown(person("sanne", Method::Chat), Content::Page(page)), @r"
    03:00 [page to sanne] [unrouted] 🔴 SEV1 platform: replication lag 900s. Next: cleo 03:05 (INC-1)
          Why: on call for payments-primary, step 1 of payments
          /ack INC-1, or can't: /incident escalate INC-1
          [unrouted] The signal named no known service, so it went to platform.
          Delivery k3x9qz-1.0, times in Europe/Amsterdam
    ");
}

#[test]
fn what_another_channel_would_carry() {
    let shown = |to| shown(to, lag());
    insta::assert_snapshot!(
        [
            shown(person("bas", Method::Sms)),
            shown(person("bas", Method::Voice)),
            shown(person("bas", Method::Email)),
            shown(Destination::Webhook("duty-desk".into())),
        ]
        .join("\n"),
        @r"
    03:00 [sms to bas, simulated] SEV1 payments-api: replication lag 900s (INC-1)
    03:00 [voice to bas, simulated] SEV1 payments-api: replication lag 900s (INC-1)
    03:00 [email to bas, simulated] SEV1 payments-api: replication lag 900s (INC-1)
    03:00 [webhook duty-desk, simulated] SEV1 payments-api: replication lag 900s (INC-1)
    "
    );
}

#[test]
fn a_post_and_a_notice() {
    let post = Content::Post { text: "INC-1: acknowledged by bas.\nNext step <t:1798165500:R>.".into() };
    insta::assert_snapshot!(shown(Destination::Channel(ChannelRef::parse("discord:payments-ops")), post), @r"
    03:00 #payments-ops INC-1: acknowledged by bas.
          Next step 03:25.
    ");
    let notice = Content::Notice { text: "the configuration has an error and is not in force".into() };
    insta::assert_snapshot!(shown(person("sanne", Method::Chat), notice), @"03:00 [notice to sanne] the configuration has an error and is not in force");
}

#[test]
fn a_reply_in_the_readers_zone_and_a_refusal() {
    let said = Reply::done("INC-1 acknowledged. It counts until <t:1798189200:t>.\nopened <t:1798164000:R>");
    insta::assert_snapshot!(reply(&said, Amsterdam, at("2026-12-25T02:05:00Z"), PLAIN), @r"
    INC-1 acknowledged. It counts until 10:00.
    opened 5 minutes ago
    ");
    let refused =
        Reject::new(RejectCode::UnknownWord, "there is no command `/acc`").hint("did you mean `/ack`?\nor not");
    insta::assert_snapshot!(refusal(&refused, PLAIN), @r"
    ✗ there is no command `/acc`
      did you mean `/ack`?
      or not
    ");
}

#[test]
fn colour_is_around_our_words_and_only_where_it_is_wanted() {
    let coloured = grant(&granted(person("bas", Method::Chat), lag()), Amsterdam, Paint { colour: true });
    assert!(
        coloured.starts_with("\u{1b}[2m03:00\u{1b}[0m \u{1b}[1m[page to bas]\u{1b}[0m \u{1b}[1;31m🔴 SEV1"),
        "{coloured:?}"
    );
    let paint = |terminal, no_color: Option<&str>, term: &str| {
        let find = |name: &str| match name {
            "NO_COLOR" => no_color.map(str::to_owned),
            "TERM" => Some(term.to_owned()),
            _ => None,
        };
        Paint::for_output(terminal, &find).colour
    };
    assert!(paint(true, None, "xterm"));
    assert!(paint(true, Some(""), "xterm"));
    assert!(!paint(true, Some("0"), "xterm"));
    assert!(!paint(true, None, "dumb"));
    assert!(!paint(false, None, "xterm"));
}

#[test]
fn nothing_from_outside_reaches_the_terminal_as_more_than_text() {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}a\rb\u{9b}31m\u{202e}c\u{0}";
    let tame = |text: &str| text.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}'));
    let Content::Page(mut page) = lag() else { panic!("a page") };
    page.title = evil.into();
    page.service = evil.into();
    page.reason = evil.into();
    page.next = Some(NextPaged { who: evil.into(), at: at("2026-12-25T02:00:00Z") });
    for content in [Content::Page(page), Content::Post { text: evil.into() }, Content::Notice { text: evil.into() }] {
        for to in [
            person(evil, Method::Chat),
            person(evil, Method::Sms),
            Destination::Channel(ChannelRef::parse(evil)),
            Destination::Webhook(evil.into()),
        ] {
            let shown = shown(to, content.clone());
            assert!(tame(&shown), "{shown:?}");
        }
    }
    let now = Timestamp::default();
    assert!(tame(&reply(&Reply::done(evil), Amsterdam, now, PLAIN)));
    assert!(tame(&refusal(&Reject::new(RejectCode::Conflict, evil).hint(evil), PLAIN)));
    assert_eq!(reply(&Reply::done(""), Amsterdam, now, PLAIN), "");
    // A line of a megabyte is cut.
    assert!(inert(&"é".repeat(1 << 20)).chars().count() <= LINE_MAX);
}
