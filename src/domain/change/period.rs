//! Periods that an organisation declares: once, each week, or each day, in a zone, with days on which they do not hold.
//! Their bounds are wall-clock times made instants each for itself, so that a change of the clocks neither loses nor
//! doubles an hour.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use chrono_tz::Tz;
use compact_str::CompactString;

use super::content::Window;
use crate::domain::id::ServiceId;
use crate::domain::time::{Timestamp, resolve, start_of_day};

/// A `[[freeze]]` or a `[[change-window]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Its name.
    pub id: CompactString,
    /// Why.
    pub reason: Option<CompactString>,
    /// For which services; empty: all.
    pub services: Vec<ServiceId>,
    /// For which environments; empty: the controlled ones.
    pub environments: Vec<CompactString>,
    /// Whose wall-clock times.
    pub zone: Tz,
    /// When.
    pub when: When,
    /// Days, from midnight to midnight, on which it does not hold.
    pub except: Vec<NaiveDate>,
}

/// When a period holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Once.
    Once(NaiveDateTime, NaiveDateTime),
    /// Each week, from a day and time to the next such day and time.
    Weekly((Weekday, NaiveTime), (Weekday, NaiveTime)),
    /// On these days (all where none is said), past midnight where the end is not after the beginning.
    Daily(Vec<Weekday>, NaiveTime, NaiveTime),
}

/// Days that are looked through at most, so that a question about a century ends.
const DAYS_MAX: u32 = 800;

impl Period {
    /// The instants at which it holds that meet a window, in order, not overlapping.
    pub fn within(&self, window: &Window) -> Vec<Window> {
        let mut found: Vec<Window> = Vec::new();
        let mut add = |from: NaiveDateTime, until: NaiveDateTime| {
            let one = Window { from: resolve(from, self.zone), until: resolve(until, self.zone) };
            if one.from < one.until && one.meets(window) {
                found.push(one);
            }
        };
        // What began up to eight days before may still hold.
        let first = window.from.local(self.zone).date().checked_sub_days(Days::new(8));
        let last = window.until.local(self.zone).date();
        let days =
            || first.into_iter().flat_map(|date| date.iter_days()).take(DAYS_MAX as usize).take_while(|it| *it <= last);
        match &self.when {
            When::Once(from, until) => add(*from, *until),
            When::Weekly((day, from), (end, until)) => {
                let mut length = i64::from(end.num_days_from_monday()) - i64::from(day.num_days_from_monday());
                if length < 0 || (length == 0 && until <= from) {
                    length += 7;
                }
                for date in days().filter(|date| date.weekday() == *day) {
                    let ends = date.checked_add_days(Days::new(length.unsigned_abs()));
                    ends.into_iter().for_each(|ends| add(date.and_time(*from), ends.and_time(*until)));
                }
            }
            When::Daily(on, from, until) => {
                for date in days().filter(|date| on.is_empty() || on.contains(&date.weekday())) {
                    let ends = if until <= from { date.succ_opt() } else { Some(date) };
                    ends.into_iter().for_each(|ends| add(date.and_time(*from), ends.and_time(*until)));
                }
            }
        }
        let mut found = merge(self.without_exceptions(found));
        found.retain(|one| one.meets(window));
        found
    }

    fn without_exceptions(&self, mut found: Vec<Window>) -> Vec<Window> {
        for date in &self.except {
            let Some(next) = date.succ_opt() else { continue };
            let day = Window { from: start_of_day(*date, self.zone), until: start_of_day(next, self.zone) };
            let cut = |one: Window| {
                let before = Window { from: one.from, until: one.until.min(day.from) };
                let after = Window { from: one.from.max(day.until), until: one.until };
                [before, after].into_iter().filter(|part| part.from < part.until)
            };
            found = found.into_iter().flat_map(cut).collect();
        }
        found
    }

    /// The part of it that holds at an instant.
    pub fn at(&self, at: Timestamp) -> Option<Window> {
        let instant = Window { from: at, until: Timestamp(at.0.saturating_add(1)) };
        self.within(&instant).into_iter().next()
    }

    /// `christmas (no changes over Christmas)`.
    pub fn name(&self) -> String {
        self.reason.as_ref().map_or_else(|| self.id.to_string(), |reason| format!("{} ({reason})", self.id))
    }
}

/// Sorted, and those that touch put together.
fn merge(mut found: Vec<Window>) -> Vec<Window> {
    found.sort_unstable();
    let mut merged: Vec<Window> = Vec::new();
    for one in found {
        match merged.last_mut() {
            Some(last) if one.from <= last.until => last.until = last.until.max(one.until),
            _ => merged.push(one),
        }
    }
    merged
}
