//! Changes by themselves: the canonical form, periods over a change of the clocks, reminders, the feed.

use chrono::{NaiveDate, NaiveTime, Weekday};
use proptest::prelude::*;

use super::content::{Content, Window};
use super::period::{Period, When};
use super::risk::Level;
use super::{Freeze, feed};
use crate::domain::actor::Actor;
use crate::domain::id::FreezeId;
use crate::domain::org::Org;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's time")
}

fn content() -> Content {
    Content {
        title: "Raise the pool".into(),
        service: "payments-api".into(),
        environment: "production".into(),
        plan: Some("Set POOL=60\nroll out".into()),
        expects: vec!["PodRestarting".into()],
        ..Content::default()
    }
}

#[test]
fn the_canonical_form_and_its_hash_are_stable() {
    // Approvals in journals rest on it.
    insta::assert_snapshot!(content().canonical(), @r"
    opsbell change 1
    class 6:normal
    title 14:Raise the pool
    service 12:payments-api
    environment 10:production
    plan 20:Set POOL=60
    roll out
    expects 13:PodRestarting
    risk 3:low
    ");
    insta::assert_snapshot!(content().hash(), @"5413ed26f61967e5974504df5911e6ff2ce2a48a191daaad326592c6344d49b3");
}

proptest! {
    /// What reads differently hashes differently, also where a value looks like another field.
    #[test]
    fn no_two_contents_have_the_same_form(
        one in proptest::collection::vec("[a\n:0-9 ]{0,6}|reason 1:a|\nrollback 1:a", 4),
        other in proptest::collection::vec("[a\n:0-9 ]{0,6}|reason 1:a|\nrollback 1:a", 4),
    ) {
        let made = |texts: &[String]| {
            let text = |n: usize| Some(texts[n].as_str().into()).filter(|text: &compact_str::CompactString| !text.is_empty());
            let items = texts[3].split('a').map(Into::into).collect();
            Content { reason: text(0), plan: text(1), rollback: text(2), items, ..content() }
        };
        let (one, other) = (made(&one), made(&other));
        prop_assert_eq!(one == other, one.canonical() == other.canonical());
        prop_assert_eq!(one == other, one.differs(&other).is_empty());
    }

    /// Whatever a period says, its parts are in order, apart from each other, and meet what was asked for.
    #[test]
    fn the_parts_of_a_period_are_in_order(
        (from, until) in (0_u32..1440, 0_u32..1440),
        (day, end) in (0_u8..7, 0_u8..7),
        zone in proptest::sample::select(vec!["Europe/Amsterdam", "Africa/Cairo", "Asia/Beirut", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
        weekly in any::<bool>(),
        start in 1_735_689_600_i64..1_830_297_600,
        hours in 1_i64..500,
        except in 0_u64..40,
    ) {
        let time = |n: u32| NaiveTime::from_num_seconds_from_midnight_opt(n * 60, 0).expect("within a day");
        let weekday = |n: u8| Weekday::try_from(n).expect("a weekday");
        let window = Window { from: Timestamp(start * 1000), until: Timestamp(start * 1000).after(Span::hours(hours)) };
        let zone: chrono_tz::Tz = zone.parse().expect("a zone");
        let when = if weekly {
            When::Weekly((weekday(day), time(from)), (weekday(end), time(until)))
        } else {
            When::Daily(vec![weekday(day), weekday(end)], time(from), time(until))
        };
        let gone = window.from.local(zone).date() + chrono::Days::new(except);
        let period = Period {
            id: "p".into(), reason: None, services: Vec::new(), environments: Vec::new(), zone, when, except: vec![gone],
        };
        let parts = period.within(&window);
        for part in &parts {
            prop_assert!(part.from < part.until && part.meets(&window));
            let middle = Timestamp(part.from.0 + part.length().0 / 2);
            prop_assert!(middle.local(zone).date() != gone || part.from.local(zone).date() != part.until.local(zone).date());
            prop_assert!(period.at(middle).is_some());
        }
        for pair in parts.windows(2) {
            prop_assert!(pair[0].until < pair[1].from);
        }
    }
}

fn nightly(zone: chrono_tz::Tz) -> Period {
    let time = |h, m| NaiveTime::from_hms_opt(h, m, 0).expect("a time");
    Period {
        id: "night".into(),
        reason: None,
        services: Vec::new(),
        environments: Vec::new(),
        zone,
        when: When::Daily(Vec::new(), time(22, 0), time(2, 30)),
        except: Vec::new(),
    }
}

#[test]
fn a_night_is_as_long_as_the_clocks_make_it() {
    let night = nightly(chrono_tz::Europe::Amsterdam);
    let length = |noon: &str| {
        let window = Window { from: at(noon), until: at(noon).after(Span::hours(24)) };
        night.within(&window).iter().map(|part| part.length().to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(length("2026-06-01T12:00:00Z"), "4h30m");
    // 02:30 comes twice, and the first counts.
    assert_eq!(length("2026-10-24T12:00:00Z"), "4h30m");
    // 02:30 does not come: the first instant after the gap, 03:00 in summer time.
    assert_eq!(length("2026-03-28T12:00:00Z"), "4h");
}

#[test]
fn an_exception_cuts_a_period_in_two() {
    let date = |d| NaiveDate::from_ymd_opt(2026, 12, d).expect("a date");
    let mut period = nightly(chrono_tz::UTC);
    period.when =
        When::Once(date(24).and_hms_opt(12, 0, 0).expect("a time"), date(28).and_hms_opt(6, 0, 0).expect("a time"));
    period.except = vec![date(26)];
    let all = Window { from: at("2026-12-01T00:00:00Z"), until: at("2027-01-01T00:00:00Z") };
    let parts: Vec<String> = period.within(&all).iter().map(|it| format!("{} {}", it.from, it.until)).collect();
    assert_eq!(
        parts,
        ["2026-12-24T12:00:00.000Z 2026-12-26T00:00:00.000Z", "2026-12-27T00:00:00.000Z 2026-12-28T06:00:00.000Z"]
    );
    assert!(period.at(at("2026-12-26T12:00:00Z")).is_none());
    assert!(period.at(at("2026-12-27T00:00:00Z")).is_some());
}

#[test]
fn risk_levels_follow_from_points() {
    let levels: Vec<&str> = (0..9).map(|points| Level::of(points).as_str()).collect();
    assert_eq!(levels.join(" "), "low low low low medium medium medium high high");
}

#[test]
fn a_feed_is_escaped_and_folded() {
    let mut state = State::new("test");
    let reason = "a;b,c\\d\nBEGIN:VEVENT\r\nünïcödé ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé";
    let freeze = Freeze {
        id: FreezeId(1),
        service: Some("payments-api".into()),
        environment: "production".into(),
        reason: reason.into(),
        by: Actor::Person("bas".into()),
        started_at: at("2026-12-08T10:00:00Z"),
        ends: Some(at("2026-12-08T12:00:00Z")),
    };
    state.freezes.insert(freeze.id, freeze);
    let text = feed::calendar(&state, &Org::default(), at("2026-12-08T11:00:00Z"));
    assert!(text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    assert_eq!(text.matches("\r\nBEGIN:VEVENT").count(), 1, "what is said begins no event");
    insta::assert_snapshot!(text.replace('\r', ""), @r"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//Opsbell//changes//EN
    X-WR-CALNAME:Changes
    BEGIN:VEVENT
    UID:FRZ-1@test.opsbell
    DTSTAMP:20261208T110000Z
    DTSTART:20261208T100000Z
    DTEND:20261208T120000Z
    SUMMARY:payments-api frozen: FRZ-1 (a\;b\,c\\d\nBEGIN:VEVENT\nünïcödé 
     ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé)
    DESCRIPTION:by bas
    END:VEVENT
    END:VCALENDAR
    ");
}
