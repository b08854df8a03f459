//! Rotations: each instant has exactly one holder per layer or lies in the gap before the start.

use chrono::{NaiveTime, Weekday};
use proptest::prelude::*;

use super::*;

fn weekly(zone_start: (i32, u32, u32), members: &[&str]) -> Rotation {
    Rotation {
        every: Every::Weeks(1),
        handoff_day: Some(Weekday::Mon),
        handoff_time: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
        start: NaiveDate::from_ymd_opt(zone_start.0, zone_start.1, zone_start.2).unwrap(),
        members: members.iter().map(|m| PersonId::from(*m)).collect(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_week_is_handed_off_on_monday_at_nine_wall_clock_across_a_change_of_the_clocks() {
    let rotation = weekly((2026, 3, 16), &["bas", "cleo"]);
    let zone = chrono_tz::Europe::Amsterdam;
    // Clocks go forward on 2026-03-29: 09:00 is 08:00Z before and 07:00Z after.
    let shift = shift_at(&rotation, zone, at("2026-03-25T12:00:00Z")).unwrap();
    assert_eq!(
        (shift.person.as_str(), shift.from, shift.until),
        ("cleo", at("2026-03-23T08:00:00Z"), at("2026-03-30T07:00:00Z"))
    );
    let next = next_shift(&rotation, zone, at("2026-03-25T12:00:00Z")).unwrap();
    assert_eq!((next.person.as_str(), next.from), ("bas", at("2026-03-30T07:00:00Z")));
}

#[test]
fn before_the_start_there_is_a_gap_and_a_start_on_another_weekday_waits_for_the_handoff() {
    let rotation = weekly((2026, 3, 18), &["bas"]);
    let zone = chrono_tz::Europe::Amsterdam;
    assert_eq!(shift_at(&rotation, zone, at("2026-03-23T07:59:59Z")), None);
    assert_eq!(shift_at(&rotation, zone, at("2026-03-23T08:00:00Z")).unwrap().person.as_str(), "bas");
    assert_eq!(next_shift(&rotation, zone, at("2026-03-01T00:00:00Z")).unwrap().from, at("2026-03-23T08:00:00Z"));
}

proptest! {
    #[test]
    fn every_instant_has_exactly_one_holder(
        zone in prop::sample::select(vec![
            chrono_tz::Europe::Amsterdam, chrono_tz::America::New_York, chrono_tz::Africa::Cairo, chrono_tz::Asia::Beirut,
            chrono_tz::America::Santiago, chrono_tz::Pacific::Apia, chrono_tz::Australia::Lord_Howe, chrono_tz::UTC,
        ]),
        every in prop_oneof![(1u32..30).prop_map(Every::Hours), (1u32..10).prop_map(Every::Days), (1u32..5).prop_map(Every::Weeks)],
        hour in 0u32..24, minute in 0u32..60, members in 1usize..5, offset_secs in 0i64..(4 * 365 * 86_400),
    ) {
        let mut rotation = weekly((2009, 1, 1), &["a", "b", "c", "d"][..members]);
        rotation.every = every;
        rotation.handoff_time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        if !matches!(every, Every::Weeks(_)) { rotation.handoff_day = None; }
        let instant = Timestamp(at("2010-01-01T00:00:00Z").0 + offset_secs * 1000);
        let shift = shift_at(&rotation, zone, instant).unwrap();
        prop_assert!(shift.from <= instant && instant < shift.until);
        // Nothing lies between two turns. (A turn that falls whole into a gap of the clocks has no length and no holder.)
        let before = shift_at(&rotation, zone, Timestamp(shift.from.0 - 1)).unwrap();
        prop_assert_eq!(before.until, shift.from);
    }
}
