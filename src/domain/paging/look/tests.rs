//! What people read, line by line, and that nothing from outside can do more than be read.

use super::*;
use crate::domain::delivery::{Destination, Method, NextPaged, Priority};
use crate::domain::id::{DeliveryId, IncidentId, PageId};
use chrono_tz::Europe::Amsterdam;
use chrono_tz::Tz::UTC;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's time")
}

fn grant(content: Content) -> Grant {
    Grant {
        id: DeliveryId { install: "k3x9qz".into(), seq: 1, n: 0 },
        to: Destination::Person { person: "bas".into(), method: Method::Chat },
        priority: Priority::CriticalPage,
        incident: Some(IncidentId(1)),
        page: Some(PageId { incident: IncidentId(1), n: 1 }),
        content,
        attempt: 1,
        possible_repeat: false,
        owed_at: at("2026-12-25T03:00:00+01:00"),
    }
}

fn lag() -> PageContent {
    PageContent {
        title: "replication lag 900s".into(),
        severity: Severity::Sev1,
        service: "payments-api".into(),
        unrouted: false,
        reason: "on call for payments-primary, step 1 of payments".into(),
        next: Some(NextPaged { who: "cleo".into(), at: at("2026-12-25T03:05:00+01:00") }),
        known_error: None,
        suspect: None,
    }
}

fn post(text: &str) -> Grant {
    grant(Content::Post { text: text.into() })
}

#[test]
fn a_page_says_what_broke_who_is_next_why_and_what_to_do() {
    let look = look(&grant(Content::Page(lag())), Amsterdam);
    assert_eq!(look.subject, "SEV1 payments-api: replication lag 900s (INC-1)");
    assert_eq!(
        look.text(),
        "🔴 SEV1 payments-api: replication lag 900s. Next: cleo 03:05 (INC-1)\n\
         Why: on call for payments-primary, step 1 of payments\n\
         /ack INC-1, or can't: /incident escalate INC-1\n\
         Delivery k3x9qz-1.0, times in Europe/Amsterdam"
    );
}

#[test]
fn the_text_alone_is_the_looks() {
    for mut grant in [grant(Content::Page(lag())), post("INC-1 acknowledged by bas\nmore")] {
        for repeat in [false, true] {
            grant.possible_repeat = repeat;
            assert_eq!(text(&grant, Amsterdam), look(&grant, Amsterdam).text());
        }
    }
}

#[test]
fn the_next_time_names_its_day_when_it_is_another() {
    let mut page = lag();
    page.next = Some(NextPaged { who: "cleo".into(), at: at("2026-12-26T00:05:00+01:00") });
    assert!(
        look(&grant(Content::Page(page.clone())), Amsterdam).first_line.contains("Next: cleo 26 Dec 00:05 (INC-1)")
    );
    page.next = Some(NextPaged { who: "cleo".into(), at: at("2027-01-01T00:05:00+01:00") });
    assert!(look(&grant(Content::Page(page.clone())), Amsterdam).first_line.contains("cleo 1 Jan 2027 00:05"));
    page.next = None;
    assert!(look(&grant(Content::Page(page)), Amsterdam).first_line.ends_with("Next: nobody (INC-1)"));
}

#[test]
fn a_possible_repeat_and_an_unrouted_signal_are_marked_first() {
    let mut grant = grant(Content::Page(PageContent { unrouted: true, ..lag() }));
    grant.possible_repeat = true;
    grant.attempt = 2;
    let look = look(&grant, Amsterdam);
    assert_eq!(look.subject, "[possible repeat] [unrouted] SEV1 payments-api: replication lag 900s (INC-1)");
    assert!(look.first_line.starts_with("[possible repeat] [unrouted] 🔴 SEV1"), "{}", look.first_line);
    assert!(look.lines.iter().any(|l| l.contains("earlier attempt of delivery k3x9qz-1.0 may have arrived")));
    assert!(look.lines.iter().any(|l| l.contains("named no known service, so it went to payments-api")));
}

#[test]
fn posts_and_notices_keep_their_lines_and_render_their_times() {
    let told = look(&post("INC-1 acknowledged by bas\r\nNext update <t:1798164300:R>."), Amsterdam);
    assert_eq!(told.subject, "INC-1 acknowledged by bas");
    assert_eq!(told.text(), "INC-1 acknowledged by bas\nNext update 03:05.");
    let about_12 = look(&post("duplicate of INC-12"), Amsterdam);
    assert_eq!(about_12.subject, "duplicate of INC-12 (INC-1)");
    let mut notice = grant(Content::Notice { text: "the journal cannot be written".into() });
    notice.incident = None;
    notice.possible_repeat = true;
    let notice = look(&notice, UTC);
    assert_eq!(notice.subject, "[possible repeat] Opsbell: the journal cannot be written");
    assert!(notice.first_line.starts_with("[possible repeat] the journal"));
    assert_eq!(look(&post(""), UTC).text(), "(no text)");
    assert_eq!(look(&post("\u{0}\r\n \u{202e}"), UTC).text(), "(no text)");
}

#[test]
fn nothing_from_outside_gets_out_of_its_line() {
    let evil = "lag\r\nBcc: all@ej.example\u{0}\u{1b}[31m\u{202e}gpj\u{2066}\u{2069}\u{2028}x\u{85}y\tz\u{7f}";
    let page = PageContent {
        title: evil.into(),
        reason: evil.into(),
        service: evil.into(),
        next: Some(NextPaged { who: evil.into(), at: Timestamp(i64::MAX) }),
        ..lag()
    };
    for content in [
        Content::Page(page),
        Content::Post { text: evil.into() },
        Content::Notice { text: evil.into() },
        Content::Page(PageContent { next: Some(NextPaged { who: "".into(), at: Timestamp(i64::MIN) }), ..lag() }),
    ] {
        let mut grant = grant(content);
        grant.owed_at = Timestamp(i64::MIN);
        let look = look(&grant, Amsterdam);
        for line in [&look.subject, &look.first_line].into_iter().chain(&look.lines) {
            let bad = |c: char| {
                (c.is_control() && c != '\t')
                    || matches!(c, '\u{2028}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!line.contains(bad), "{line:?}");
        }
        assert!(!look.subject.contains('\t'));
    }
    assert_eq!(line("lag\r\nBcc: x", 100), "lag Bcc: x");
}

#[test]
fn huge_texts_are_cut_and_what_matters_stays() {
    for unit in ["x", "é", "👩‍🚒", "\u{202e}", "\n", " "] {
        let huge = unit.repeat(300_000);
        let page = PageContent {
            title: huge.as_str().into(),
            reason: huge.as_str().into(),
            service: huge.as_str().into(),
            next: Some(NextPaged { who: huge.as_str().into(), at: at("2026-12-25T02:05:00Z") }),
            ..lag()
        };
        for content in [Content::Page(page), Content::Post { text: huge.clone() }] {
            let mut grant = grant(content);
            grant.possible_repeat = true;
            let look = look(&grant, UTC);
            assert!(look.subject.chars().count() <= SUBJECT_MAX, "{}", look.subject);
            assert!(look.subject.ends_with("(INC-1)"), "{}", look.subject);
            assert!(look.text().chars().count() < 12_000);
        }
    }
    assert_eq!(line("abcdef", 3), "ab…");
    assert_eq!(line("abc", 3), "abc");
    assert_eq!(line("abc", 0), "");
}

#[test]
fn discord_times_read_in_a_zone() {
    // 2026-12-25T02:05:10Z, a Friday.
    let now = at("2026-12-25T02:00:10Z");
    for (text, shown) in [
        ("<t:1798164310>", "25 Dec 2026 03:05"),
        ("<t:1798164310:t>", "03:05"),
        ("<t:1798164310:T>", "03:05:10"),
        ("<t:1798164310:d>", "2026-12-25"),
        ("<t:1798164310:D>", "25 December 2026"),
        ("<t:1798164310:f>", "25 Dec 2026 03:05"),
        ("<t:1798164310:F>", "Friday, 25 December 2026 03:05"),
        ("<t:1798164310:R>", "in 5 minutes"),
        ("a <t:1798164010:R> b <t:1798164010:R>c", "a now b nowc"),
        ("<t:1798160410:R>", "1 hour ago"),
        ("<t:0:d>", "1970-01-01"),
        ("<t:-1:T>", "00:59:59"),
        // Not timestamps.
        ("<t:>", "<t:>"),
        ("<t:x>", "<t:x>"),
        ("<t:+5>", "<t:+5>"),
        ("<t:5:q>", "<t:5:q>"),
        ("<t:5:>", "<t:5:>"),
        ("<t:5", "<t:5"),
        ("<t:<t:0:d>", "<t:1970-01-01"),
        ("<t:99999999999999999999999:R>", "<t:99999999999999999999999:R>"),
        ("<t:9223372036854775807>", "<t:9223372036854775807>"),
        ("<t:-8640000000000>", "<t:-8640000000000>"),
        ("<t:éééééééééééé>", "<t:éééééééééééé>"),
        ("", ""),
    ] {
        assert_eq!(times(text, Amsterdam, now), shown, "{text}");
    }
}

#[test]
fn distances_round_to_one_unit() {
    let now = Timestamp(0);
    for (ms, shown) in [
        (499, "now"),
        (1000, "in 1 second"),
        (-59_400, "59 seconds ago"),
        (59_600, "in 1 minute"),
        (299_500, "in 5 minutes"),
        (3_599_000, "in 1 hour"),
        (-86_400_000, "1 day ago"),
        (86_400_000 * 40, "in 1 month"),
        (86_400_000 * 800, "in 2 years"),
    ] {
        assert_eq!(distance(Timestamp(ms), now), shown, "{ms}");
    }
    assert!(distance(Timestamp(i64::MAX), Timestamp(i64::MIN)).ends_with("years"));
}
