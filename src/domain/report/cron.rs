//! Set times: a cron expression of five fields in a zone's wall-clock time → the next instant. The crate `cron` finds
//! wall-clock times; what daylight saving makes of them is decided here. Whose times they are is `summary`'s.
//!
//! A day matches when the day of the month *or* the weekday does, where neither is `*`. With a `*` in minute or hour
//! the times are an interval: they go by as time does, twice through an hour that the clocks repeat, and not in one
//! they skip. All others are set times: each once, a skipped one at the first instant after the gap.

use chrono::{Duration, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use cron::Schedule;

use crate::domain::time::{LATEST, Timestamp, resolve};

/// Whether somebody wrote what can be read, and when it fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    text: String,
    /// One, or two where a day matches by either of two fields.
    schedules: Vec<Schedule>,
    interval: bool,
}

impl Eq for Cron {}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotCron {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: &'static str,
}

const EXAMPLE: &str = "write five fields, minute hour day month weekday, such as `0 9 * * 1-5`";
/// More is not an expression but a mistake.
const LONGEST: usize = 200;
/// No change of the clocks moves a wall-clock time further than this (Apia left out a day in 2011).
const FURTHEST: Duration = Duration::hours(26);

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// One of the five fields: its name, its bounds, and the words for its values, from `first` on.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    words: &'static [&'static str],
    first: u32,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, words: &[], first: 0 },
    Field { name: "hour", low: 0, high: 23, words: &[], first: 0 },
    Field { name: "day of the month", low: 1, high: 31, words: &[], first: 0 },
    Field { name: "month", low: 1, high: 12, words: &MONTHS, first: 1 },
    Field { name: "weekday", low: 0, high: 7, words: &DAYS, first: 0 },
];

impl Cron {
    /// Reads an expression such as `0 9 * * 1-5` or `30 8 1,15 * mon`; Sunday is 0 or 7.
    ///
    /// # Errors
    /// Not five fields, a field that cannot be read, or an expression that never fires (30 February).
    pub fn parse(text: &str) -> Result<Self, NotCron> {
        let wrong = |message: String| NotCron { message, hint: EXAMPLE };
        if text.len() > LONGEST {
            return Err(wrong(format!("an expression of more than {LONGEST} characters is none")));
        }
        let parts: Vec<&str> = text.split_whitespace().collect();
        let Ok(parts) = <[&str; 5]>::try_from(parts.as_slice()) else {
            return Err(wrong(format!("`{}` has {} fields, not five", text.trim(), parts.len())));
        };
        let mut lists = [const { String::new() }; 5];
        for ((list, part), field) in lists.iter_mut().zip(parts).zip(&FIELDS) {
            let Some(values) = field.read(part) else {
                return Err(wrong(format!("`{part}` is not a {} ({} to {})", field.name, field.low, field.high)));
            };
            *list = field.write(&values);
        }
        let [minutes, hours, days, months, weekdays] = &lists;
        let schedule = |days: &str, weekdays: &str| {
            let text = format!("0 {minutes} {hours} {days} {months} {weekdays}");
            text.parse::<Schedule>().map_err(|error| wrong(format!("`{}` cannot be read: {error}", parts.join(" "))))
        };
        let schedules = match (parts[2], parts[4]) {
            (_, "*") => vec![schedule(days, "*")?],
            ("*", _) => vec![schedule("*", weekdays)?],
            _ => vec![schedule(days, "*")?, schedule("*", weekdays)?],
        };
        let cron =
            Self { text: parts.join(" "), schedules, interval: parts[0].contains('*') || parts[1].contains('*') };
        // 2000 is a leap year of which every kind comes again before the end of the tables.
        if cron.hit_after(Timestamp(946_684_800_000).utc().naive_utc()).is_none() {
            let message = format!("`{}` never fires: there is no such day", cron.text);
            return Err(NotCron { message, hint: "February has at most 29 days; some months have 30" });
        }
        Ok(cron)
    }

    /// The expression, with single spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time strictly after an instant; `None` beyond the tables of zones (2099).
    pub fn next_after(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        if after >= LATEST {
            return None;
        }
        let found = if self.interval { self.next_in_interval(after, zone) } else { self.next_set(after, zone) };
        found.filter(|at| *at <= LATEST)
    }

    /// The first hit on the wall strictly after a wall-clock time.
    fn hit_after(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        // The crate must never see a zone: its own reading of changes of the clocks goes backwards.
        let wall = wall.and_utc();
        self.schedules.iter().filter_map(|schedule| schedule.after(&wall).next()).min().map(|hit| hit.naive_utc())
    }

    fn hits_after(&self, wall: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> + '_ {
        std::iter::successors(self.hit_after(wall), |hit| self.hit_after(*hit))
    }

    /// Set times: resolved one by one, which keeps their order; from so far back that none is missed by a change.
    fn next_set(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        let from = after.local(zone) - FURTHEST;
        self.hits_after(from).map(|hit| resolve(hit, zone)).find(|at| *at > after)
    }

    /// Intervals: each instant at which the clocks show a hit.
    fn next_in_interval(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        let wall = after.local(zone);
        let ahead = self.hits_after(wall).find_map(|hit| match zone.from_local_datetime(&hit) {
            LocalResult::Single(at) => Some(at.with_timezone(&Utc).into()),
            LocalResult::Ambiguous(one, other) => {
                [one, other].map(|at| Timestamp::from(at.with_timezone(&Utc))).into_iter().find(|at| *at > after)
            }
            LocalResult::None => None,
        });
        // In the first of two equal hours, what the second one shows again is still to come.
        let again = match zone.from_local_datetime(&wall) {
            LocalResult::Ambiguous(one, other) if Timestamp::from(one.with_timezone(&Utc)).0 == after.0 => {
                let change = change_between(after, other.with_timezone(&Utc).into(), zone);
                let first = change.local(zone) - Duration::seconds(1);
                self.hits_after(first).next().and_then(|hit| zone.from_local_datetime(&hit).latest())
            }
            _ => None,
        };
        let again = again.map(|at| Timestamp::from(at.with_timezone(&Utc)));
        [ahead, again].into_iter().flatten().min()
    }
}

/// The first instant of the later of two offsets.
fn change_between(mut before: Timestamp, mut behind: Timestamp, zone: Tz) -> Timestamp {
    let offset = |at: Timestamp| zone.offset_from_utc_datetime(&at.utc().naive_utc()).fix();
    let first = offset(before);
    while behind.0 - before.0 > 1 {
        let middle = Timestamp(before.0 + (behind.0 - before.0) / 2);
        if offset(middle) == first { before = middle } else { behind = middle }
    }
    behind
}

impl Field {
    /// The values that a field names, from `*`, `5`, `1-5`, `mon-fri`, `*/15`, `8-18/2`, and lists of them; a weekday
    /// 7 is 0.
    fn read(&self, text: &str) -> Option<Vec<u32>> {
        let mut values = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, number(step).filter(|step| (1..=self.high.max(1)).contains(step))?),
                None => (part, 1),
            };
            let (from, to) = match range.split_once('-') {
                _ if range == "*" => (self.low, if self.high == 7 { 6 } else { self.high }),
                Some((from, to)) => match (self.value(from)?, self.value(to)?) {
                    // From Friday to Sunday.
                    (from, 0) if self.high == 7 && from > 0 => (from, 7),
                    pair => pair,
                },
                None if part.contains('/') => (self.value(range)?, if self.high == 7 { 6 } else { self.high }),
                None => (self.value(range)?, self.value(range)?),
            };
            if from > to {
                return None;
            }
            let step = usize::try_from(step).ok()?;
            values.extend((from..=to).step_by(step).map(|value| if self.high == 7 { value % 7 } else { value }));
        }
        values.sort_unstable();
        values.dedup();
        Some(values)
    }

    fn value(&self, word: &str) -> Option<u32> {
        let named = || {
            let place = self.words.iter().position(|known| word.eq_ignore_ascii_case(known))?;
            Some(u32::try_from(place).ok()? + self.first)
        };
        number(word).or_else(named).filter(|value| (self.low..=self.high).contains(value))
    }

    /// As the crate reads it: weekdays by their names, since it counts Sunday as 1.
    fn write(&self, values: &[u32]) -> String {
        let shown = values.iter().map(|value| match self.high {
            7 => usize::try_from(*value).ok().and_then(|at| DAYS.get(at)).map_or(String::new(), ToString::to_string),
            _ => value.to_string(),
        });
        shown.collect::<Vec<_>>().join(",")
    }
}

fn number(word: &str) -> Option<u32> {
    let fits = !word.is_empty() && word.len() <= 4 && word.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
