//! Who is on call: the holders of a schedule at an instant, from civil dates, never from "plus 24 hours".
//! Overrides, restrictions and swaps will join here; paging only asks `holders`.

pub mod show;

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::id::PersonId;
use super::org::{Every, Rotation, Schedule};
use super::time::{Span, Timestamp, resolve};

/// One turn of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Who holds it.
    pub person: PersonId,
    /// When it began.
    pub from: Timestamp,
    /// When it is handed off.
    pub until: Timestamp,
}

/// Who holds each layer at an instant; `None` is a gap (before the rotation's start).
pub fn holders(schedule: &Schedule, at: Timestamp) -> Vec<Option<Shift>> {
    schedule.rotations.iter().map(|rotation| shift_at(rotation, schedule.zone, at)).collect()
}

/// The turn of a rotation that covers an instant.
pub fn shift_at(rotation: &Rotation, zone: Tz, at: Timestamp) -> Option<Shift> {
    let members = i64::try_from(rotation.members.len()).ok().filter(|n| *n > 0)?;
    // Guess the turn from wall-clock time, then step to the one whose resolved bounds hold the instant: the two
    // differ only around a change of the clocks.
    let first = first_handoff(rotation);
    let mut turn = (at.local(zone) - first).num_milliseconds().div_euclid(length_ms(rotation.every));
    while handoff(rotation, zone, turn)? > at {
        turn -= 1;
    }
    while handoff(rotation, zone, turn + 1)? <= at {
        turn += 1;
    }
    if turn < 0 {
        return None;
    }
    let person = rotation.members.get(usize::try_from(turn.rem_euclid(members)).ok()?)?.clone();
    Some(Shift { person, from: handoff(rotation, zone, turn)?, until: handoff(rotation, zone, turn + 1)? })
}

/// The next turn after an instant's own (or the first one, from a gap before the start).
pub fn next_shift(rotation: &Rotation, zone: Tz, at: Timestamp) -> Option<Shift> {
    match shift_at(rotation, zone, at) {
        Some(now) => shift_at(rotation, zone, now.until),
        None => shift_at(rotation, zone, handoff(rotation, zone, 0)?),
    }
}

fn length_ms(every: Every) -> i64 {
    match every {
        Every::Hours(n) => Span::hours(i64::from(n.max(1))).0,
        Every::Days(n) => Span::days(i64::from(n.max(1))).0,
        Every::Weeks(n) => Span::days(7 * i64::from(n.max(1))).0,
    }
}

/// The wall-clock time at which turn 0 begins: the first hand-off on or after the start date.
fn first_handoff(rotation: &Rotation) -> NaiveDateTime {
    let date = match rotation.handoff_day {
        Some(day) => {
            let ahead =
                i64::from(day.num_days_from_monday()) - i64::from(rotation.start.weekday().num_days_from_monday());
            rotation.start + Duration::days(ahead.rem_euclid(7))
        }
        None => rotation.start,
    };
    date.and_time(rotation.handoff_time)
}

/// The instant at which a turn begins; `None` beyond chrono's calendar.
fn handoff(rotation: &Rotation, zone: Tz, turn: i64) -> Option<Timestamp> {
    let ahead = Duration::try_milliseconds(length_ms(rotation.every).checked_mul(turn)?)?;
    let wall = first_handoff(rotation).checked_add_signed(ahead)?;
    let known = NaiveDate::from_ymd_opt(1900, 1, 1)?..=NaiveDate::from_ymd_opt(2199, 1, 1)?;
    known.contains(&wall.date()).then(|| resolve(wall, zone))
}

#[cfg(test)]
mod tests;
