//! Set times, against another reading of the same expressions (`croner`) over the changes of the clocks, and the
//! properties that no library decides.

use chrono::DateTime;
use croner::Cron as Croner;
use proptest::prelude::*;

use super::*;

/// Zones whose clocks change, at odd hours and by odd amounts among them, and two that never do.
const ZONES: [Tz; 14] = [
    chrono_tz::Europe::Amsterdam,
    chrono_tz::Europe::London,
    chrono_tz::Europe::Lisbon,
    chrono_tz::America::New_York,
    chrono_tz::America::Los_Angeles,
    chrono_tz::America::St_Johns,
    chrono_tz::America::Santiago,
    chrono_tz::Africa::Cairo,
    chrono_tz::Asia::Beirut,
    chrono_tz::Australia::Sydney,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Pacific::Auckland,
    chrono_tz::Asia::Kolkata,
    chrono_tz::UTC,
];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn next(cron: &str, after: &str, zone: Tz) -> String {
    Cron::parse(cron).unwrap().next_after(at(after), zone).unwrap().to_string()
}

fn some(cron: &str, after: &str, zone: Tz, n: usize) -> Vec<String> {
    let cron = Cron::parse(cron).unwrap();
    let times = std::iter::successors(cron.next_after(at(after), zone), |last| cron.next_after(*last, zone));
    times.take(n).map(|at| at.local(zone).format("%a %d %b %H:%M").to_string()).collect()
}

/// What `croner` says, as the first of the set times it is asked about one by one: it takes a list for an interval.
fn other_reading(minutes: &[u32], hours: &[u32], rest: &str, after: Timestamp, zone: Tz) -> Option<Timestamp> {
    let after = DateTime::from_timestamp_millis(after.0).unwrap().with_timezone(&zone);
    let each = minutes.iter().flat_map(|minute| hours.iter().map(move |hour| (minute, hour)));
    let next = |(minute, hour)| {
        let cron: Croner = format!("{minute} {hour} {rest}").parse().unwrap();
        cron.find_next_occurrence(&after, false).ok().map(|at| Timestamp(at.timestamp_millis()))
    };
    each.filter_map(next).min()
}

fn list(values: &[u32]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The instants of a zone's changes between 2020 and 2032.
fn changes(zone: Tz) -> Vec<Timestamp> {
    let (mut found, mut before) = (Vec::new(), at("2020-01-01T00:00:00Z"));
    let offset = |at: Timestamp| zone.offset_from_utc_datetime(&at.utc().naive_utc()).fix();
    while before < at("2032-01-01T00:00:00Z") {
        let behind = Timestamp(before.0 + 86_400_000);
        if offset(before) != offset(behind) {
            found.push(change_between(before, behind, zone));
        }
        before = behind;
    }
    found
}

fn zone() -> impl Strategy<Value = Tz> {
    prop::sample::select(ZONES.to_vec())
}

/// Around a change of the clocks, or anywhere.
fn instant(zone: Tz) -> impl Strategy<Value = Timestamp> {
    let mut around = changes(zone);
    around.push(at("2026-06-15T12:00:00Z"));
    prop_oneof![
        4 => (prop::sample::select(around), -30i64 * 3600..30 * 3600).prop_map(|(at, by)| Timestamp(at.0 + by * 1000)),
        1 => (0i64..12 * 365 * 86_400).prop_map(|secs| Timestamp(at("2020-01-01T00:00:00Z").0 + secs * 1000)),
    ]
}

fn zone_and_instant() -> impl Strategy<Value = (Tz, Timestamp)> {
    zone().prop_flat_map(|zone| (Just(zone), instant(zone)))
}

fn values(low: u32, high: u32) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::btree_set(low..=high, 1..4).prop_map(|set| set.into_iter().collect())
}

/// Day, month and weekday, each `*` or a list.
fn days() -> impl Strategy<Value = String> {
    let field = |low, high| prop_oneof![Just("*".to_owned()), values(low, high).prop_map(|values| list(&values))];
    (field(1, 28), prop_oneof![3 => Just("*".to_owned()), 1 => values(1, 12).prop_map(|v| list(&v))], field(0, 7))
        .prop_map(|(day, month, weekday)| format!("{day} {month} {weekday}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn set_times_are_those_of_another_reading(
        minutes in values(0, 59), hours in values(0, 23), rest in days(), (zone, after) in zone_and_instant(),
    ) {
        let cron = Cron::parse(&format!("{} {} {rest}", list(&minutes), list(&hours))).unwrap();
        let other = other_reading(&minutes, &hours, &rest, after, zone);
        prop_assert_eq!(cron.next_after(after, zone), other, "{} after {} in {}", cron.as_str(), after, zone);
    }

    #[test]
    fn intervals_are_those_of_another_reading(
        minute in prop_oneof![Just("*"), Just("*/5"), Just("*/15"), Just("*/30"), Just("0"), Just("7,37")],
        hour in prop_oneof![Just("*"), Just("*/2"), Just("*/3")],
        rest in days(), (zone, after) in zone_and_instant(),
    ) {
        let text = format!("{minute} {hour} {rest}");
        let cron = Cron::parse(&text).unwrap();
        let other: Croner = text.parse().unwrap();
        let from = DateTime::from_timestamp_millis(after.0).unwrap().with_timezone(&zone);
        let other = other.find_next_occurrence(&from, false).ok().map(|at| Timestamp(at.timestamp_millis()));
        prop_assert_eq!(cron.next_after(after, zone), other, "{} after {} in {}", text, after, zone);
    }

    #[test]
    fn every_time_is_later_than_the_last_and_set_times_come_once_a_day(
        minute in 0u32..60, hour in 0u32..24, (zone, after) in zone_and_instant(),
    ) {
        let cron = Cron::parse(&format!("{minute} {hour} * * *")).unwrap();
        let mut last = cron.next_after(after, zone).unwrap();
        prop_assert!(last > after);
        for _ in 0..5 {
            let next = cron.next_after(last, zone).unwrap();
            let (day, before) = (next.local(zone).date(), last.local(zone).date());
            prop_assert_eq!(day, before.succ_opt().unwrap(), "{} {} in {}", last, next, zone);
            last = next;
        }
    }

    #[test]
    fn whatever_is_written_is_read_or_refused(text in "[-0-9a-z*/, ]{0,40}") {
        match Cron::parse(&text) {
            Ok(cron) => prop_assert!(cron.next_after(at("2026-01-01T00:00:00Z"), chrono_tz::UTC).is_some()),
            Err(wrong) => prop_assert!(!wrong.message.is_empty()),
        }
    }
}

#[test]
fn weekdays_are_counted_from_sunday_and_both_days_are_either() {
    let utc = chrono_tz::UTC;
    // 2026-12-22 is a Tuesday.
    assert_eq!(
        some("0 9 * * 1-5", "2026-12-24T10:00:00Z", utc, 3),
        ["Fri 25 Dec 09:00", "Mon 28 Dec 09:00", "Tue 29 Dec 09:00"]
    );
    for sunday in ["0", "7", "sun", "SUN"] {
        assert_eq!(some(&format!("0 9 * * {sunday}"), "2026-12-22T10:00:00Z", utc, 1), ["Sun 27 Dec 09:00"]);
    }
    for weekend in ["5-7", "fri-sun", "0,5,6"] {
        let times = ["Fri 25 Dec 08:00", "Sat 26 Dec 08:00", "Sun 27 Dec 08:00", "Fri 01 Jan 08:00"];
        assert_eq!(some(&format!("0 8 * * {weekend}"), "2026-12-22T10:00:00Z", utc, 4), times);
    }
    assert_eq!(some("0 9 24 * mon", "2026-12-22T10:00:00Z", utc, 2), ["Thu 24 Dec 09:00", "Mon 28 Dec 09:00"]);
    assert_eq!(some("0 9 24 dec *", "2026-12-25T10:00:00Z", utc, 1), ["Fri 24 Dec 09:00"]);
    assert_eq!(
        some("0 8-18/5 * * *", "2026-12-22T10:00:00Z", utc, 3),
        ["Tue 22 Dec 13:00", "Tue 22 Dec 18:00", "Wed 23 Dec 08:00"]
    );
}

#[test]
fn a_time_in_a_gap_is_the_first_after_it_and_one_that_comes_twice_is_the_first() {
    let amsterdam = chrono_tz::Europe::Amsterdam;
    assert_eq!(next("30 2 * * *", "2026-03-28T12:00:00Z", amsterdam), "2026-03-29T01:00:00.000Z");
    assert_eq!(next("30 2 * * *", "2026-03-29T01:00:00Z", amsterdam), "2026-03-30T00:30:00.000Z");
    // Half past two comes twice on 25 October; the summary comes once.
    assert_eq!(next("30 2 * * *", "2026-10-24T12:00:00Z", amsterdam), "2026-10-25T00:30:00.000Z");
    assert_eq!(next("30 2 * * *", "2026-10-25T00:30:00Z", amsterdam), "2026-10-26T01:30:00.000Z");
    // Two times that a gap makes one.
    assert_eq!(next("0 2,3 * * *", "2026-03-28T12:00:00Z", amsterdam), "2026-03-29T01:00:00.000Z");
    assert_eq!(next("0 2,3 * * *", "2026-03-29T01:00:00Z", amsterdam), "2026-03-30T00:00:00.000Z");
    // An interval goes by as time does.
    let times = ["Sun 25 Oct 02:00", "Sun 25 Oct 02:30", "Sun 25 Oct 02:00", "Sun 25 Oct 02:30", "Sun 25 Oct 03:00"];
    assert_eq!(some("*/30 * * * *", "2026-10-24T23:30:00Z", amsterdam, 5), times);
    // Apia left 30 December 2011 out altogether.
    let apia = chrono_tz::Pacific::Apia;
    assert_eq!(
        some("0 9 * * *", "2011-12-29T12:00:00Z", apia, 3),
        ["Thu 29 Dec 09:00", "Sat 31 Dec 00:00", "Sat 31 Dec 09:00"]
    );
}

#[test]
fn what_never_fires_and_what_cannot_be_read_is_refused() {
    for (text, told) in [
        ("0 9 30 2 *", "`0 9 30 2 *` never fires: there is no such day"),
        ("0 9 31 2,4,6,9,11 *", "`0 9 31 2,4,6,9,11 *` never fires: there is no such day"),
        ("", "`` has 0 fields, not five"),
        ("0 0 9 * * 1-5", "`0 0 9 * * 1-5` has 6 fields, not five"),
        ("60 9 * * *", "`60` is not a minute (0 to 59)"),
        ("0 9 * * 8", "`8` is not a weekday (0 to 7)"),
        ("0 9 * * fri-mon", "`fri-mon` is not a weekday (0 to 7)"),
        ("0 9 L * *", "`L` is not a day of the month (1 to 31)"),
        ("*/0 9 * * *", "`*/0` is not a minute (0 to 59)"),
        ("0 9 , * *", "`,` is not a day of the month (1 to 31)"),
        ("+5 9 * * *", "`+5` is not a minute (0 to 59)"),
        ("99999999999999999999 9 * * *", "`99999999999999999999` is not a minute (0 to 59)"),
    ] {
        assert_eq!(Cron::parse(text).unwrap_err().message, told);
    }
    assert!(Cron::parse(&"* ".repeat(500)).is_err());
    // These fire seldom.
    assert_eq!(next("0 0 29 2 *", "2026-01-01T00:00:00Z", chrono_tz::UTC), "2028-02-29T00:00:00.000Z");
    assert_eq!(next("0 9 30 2 mon", "2026-01-01T00:00:00Z", chrono_tz::UTC), "2026-02-02T09:00:00.000Z");
}

#[test]
fn beyond_the_tables_there_is_nothing() {
    let daily = Cron::parse("0 9 * * *").unwrap();
    for after in [LATEST, Timestamp(i64::MAX), Timestamp(LATEST.0 - 1000)] {
        assert_eq!(daily.next_after(after, chrono_tz::Europe::Amsterdam), None);
    }
}
