//! Matchers and ends, read from what people write; and a storm that is let go in several commits.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::matcher::{Matcher, Subject, check, join, parse};
use super::until::Ends;
use crate::domain::alert::Labels;
use crate::domain::event::AlertOpened;
use crate::domain::id::{AlertId, IncidentId};
use crate::domain::signal::AlertSeverity;
use crate::domain::time::{Span, Timestamp};

fn alert(labels: &[(&str, &str)]) -> AlertOpened {
    let labels: BTreeMap<String, String> = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    AlertOpened {
        alert: AlertId(1),
        integration: "prometheus".into(),
        key: "k-1".into(),
        incident: IncidentId::NONE,
        service: "payments-api".into(),
        named_service: None,
        name: "DiskFull".into(),
        severity: AlertSeverity::High,
        summary: None,
        environment: Some("staging".into()),
        labels: Labels::from(&labels),
        link: None,
        started_at: None,
    }
}

fn matches(text: &str) -> bool {
    let alert = alert(&[("instance", "web-12"), ("alertname", "DiskFull"), ("path", "/var \"x\"")]);
    parse(text).expect(text).iter().all(|matcher| matcher.matches(&Subject::from(&alert)))
}

#[test]
fn matchers_match_as_alertmanagers_do() {
    for yes in [
        "alertname=DiskFull",
        "name=DiskFull service=payments-api key=k-1 integration=prometheus environment=staging",
        "severity=high",
        "{instance=~\"web-[0-9]+\", severity!=critical}",
        "instance=~web-\\d\\d",
        "instance=~\"web-\\d\\d\"",
        "instance!~db-.*",
        "absent=\"\"",
        "absent!=something",
        "path=\"/var \\\"x\\\"\"",
        "instance=~\"web.*|db.*\"",
    ] {
        assert!(matches(yes), "{yes}");
    }
    for no in [
        "alertname=diskfull",
        "instance=~web",
        "instance=~2",
        "severity=critical",
        "absent=~.+",
        "service!=payments-api",
    ] {
        assert!(!matches(no), "{no}");
    }
}

#[test]
fn an_unrouted_alert_is_of_the_service_that_it_named() {
    let unrouted = AlertOpened { named_service: Some("ghost".into()), ..alert(&[]) };
    assert!(!Matcher::is("service", "payments-api").matches(&Subject::from(&unrouted)));
    assert!(Matcher::is("service", "ghost").matches(&Subject::from(&unrouted)));
}

#[test]
fn what_is_no_matcher_is_told() {
    for wrong in [
        "payments-api",
        "a==b",
        "=x",
        "a=~(",
        "a=~a)|(b",
        "a=\"open",
        "a=\"x\"y",
        "service:payments-api",
        "a=~(?:x{1000}){1000}",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    let many = "a=b ".repeat(21);
    assert!(parse(&many).is_err() && parse(&format!("a={}", "x".repeat(301))).is_err());
    for everything in ["", "a=~.*", "a!=x", "a=\"\" b!~y"] {
        assert!(check(&parse(everything).expect(everything)).is_err(), "{everything}");
    }
    assert!(check(&parse("a=~.* b=c").expect("two")).is_ok());
}

#[test]
fn matchers_read_back_what_they_write() {
    for text in
        ["a=b", "a=\"\"", "a=~\"x y|\\d\"", "a!~\"\\\\.\"", "a=\"~x\"", "a=\"=x\"", "a=\"q\\\"q\"", "ä=ö", "a!=\"x,y\""]
    {
        let matchers = parse(text).expect(text);
        assert_eq!(parse(&join(&matchers)).expect(text), matchers, "{text} → {}", join(&matchers));
        let json = serde_json::to_string(&matchers).expect("they are JSON");
        assert_eq!(serde_json::from_str::<Vec<Matcher>>(&json).expect(&json), matchers);
    }
}

#[test]
fn a_near_match_of_a_megabyte_takes_linear_time() {
    // Catastrophic for an engine that backtracks; here it ends, or the test never does.
    let long = "a".repeat(1_000_000) + "!";
    let alert = alert(&[("instance", &long)]);
    let matchers = parse("instance=~(a+)+").expect("an expression");
    assert!(!matchers[0].matches(&Subject::from(&alert)));
}

#[test]
fn ends_are_read_in_the_zone_of_who_asks() {
    let now: Timestamp = "2026-12-22T13:00:00Z".parse().expect("a time");
    let amsterdam = chrono_tz::Europe::Amsterdam;
    let at = |text: &str, zone: Tz| Ends::Until(text.to_owned()).at(now, zone).map(|(at, _)| at.to_string()).ok();
    assert_eq!(at("18:00", amsterdam).as_deref(), Some("2026-12-22T17:00:00.000Z"));
    assert_eq!(at("08:00", amsterdam).as_deref(), Some("2026-12-23T07:00:00.000Z"));
    assert_eq!(at("2026-12-25 06:00", amsterdam).as_deref(), Some("2026-12-25T05:00:00.000Z"));
    assert_eq!(at("2026-12-25T06:00:00+01:00", Tz::UTC).as_deref(), Some("2026-12-25T05:00:00.000Z"));
    for wrong in
        ["", "25:00", "soon", "2026-12-21 06:00", "2027-12-21 06:00", "9999-12-31 06:00", "-1-01-01 00:00", "1e9"]
    {
        assert_eq!(at(wrong, amsterdam), None, "{wrong}");
    }
    assert_eq!(Ends::For(Span::hours(2)).at(now, Tz::UTC), Ok((now.after(Span::hours(2)), false)));
    assert!(Ends::For(Span::days(91)).at(now, Tz::UTC).is_err());
}
