//! Points and spans of time, and the one place where a wall-clock time becomes an instant (gaps and folds of
//! daylight saving). Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: milliseconds since 1970 in UTC; written as RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// The latest instant that is accepted from outside: the end of chrono-tz's tables (2099).
pub const LATEST: Timestamp = Timestamp(4_102_444_800_000);

impl Timestamp {
    /// The instant as chrono's type.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The wall-clock time in a zone.
    pub fn local(self, zone: Tz) -> NaiveDateTime {
        self.utc().with_timezone(&zone).naive_local()
    }

    /// `self + span`, saturating.
    pub fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span from `earlier` to `self`; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since 1970, for Discord's `<t:…>`.
    pub fn unix_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl Timestamp {
    /// `2026-12-25T02:05:00.000Z` into `room`; `None` outside of the years 0–9999.
    fn write(self, room: &mut [u8; 24]) -> Option<&str> {
        // Written by hand: it runs a dozen times for every alert, and formatting machinery costs ten times as much.
        use chrono::{Datelike, Timelike};
        let at = self.utc();
        let (date, time) = (at.date_naive(), at.time());
        let year = u32::try_from(date.year()).ok().filter(|year| *year <= 9999)?;
        room.copy_from_slice(b"0000-00-00T00:00:00.000Z");
        let mut put = |from: usize, to: usize, mut n: u32| {
            for place in room[from..to].iter_mut().rev() {
                *place = b'0' + (n % 10) as u8;
                n /= 10;
            }
        };
        put(0, 4, year);
        put(5, 7, date.month());
        put(8, 10, date.day());
        put(11, 13, time.hour());
        put(14, 16, time.minute());
        put(17, 19, time.second());
        put(20, 23, time.nanosecond() / 1_000_000);
        std::str::from_utf8(room).ok()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.write(&mut [0; 24]) {
            Some(text) => f.write_str(text),
            None => write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%M:%S%.3fZ")),
        }
    }
}

impl FromStr for Timestamp {
    type Err = chrono::ParseError;
    /// Reads RFC 3339 with any offset and precision; cut to milliseconds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        DateTime::parse_from_rfc3339(text).map(|at| Self(at.timestamp_millis()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.write(&mut [0; 24]) {
            Some(text) => s.serialize_str(text),
            None => s.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A span of time in milliseconds. In the journal a whole number of milliseconds; in configuration, commands and
/// stories text such as `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Whole seconds.
    pub const fn secs(n: i64) -> Self {
        Self(n * 1000)
    }

    /// Whole minutes.
    pub const fn mins(n: i64) -> Self {
        Self(n * 60_000)
    }

    /// Whole hours.
    pub const fn hours(n: i64) -> Self {
        Self(n * 3_600_000)
    }

    /// Whole days of 24 hours.
    pub const fn days(n: i64) -> Self {
        Self(n * 86_400_000)
    }

    /// Cut to whole seconds, below which nobody reads.
    pub const fn whole(self) -> Self {
        Self(self.0 - self.0 % 1000)
    }
}

/// Why a text is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; write it like 30s, 5m, 1h30m or 2d")]
pub struct NotASpan(pub String);

/// The longest span that is accepted from outside: ten years.
const LONGEST_MS: i64 = 10 * 366 * 86_400_000;

impl FromStr for Span {
    type Err = NotASpan;
    /// Reads `1h30m`, `90s`, `2d`, `1w`, `1 week`, `12 hours`; units may be written out.
    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let wrong = || NotASpan(text.to_owned());
        let mut total: i64 = 0;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let n: i64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = rest[digits..].trim_start();
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit_ms = match rest[..letters].to_ascii_lowercase().as_str() {
                "ms" => 1,
                "s" | "sec" | "secs" | "second" | "seconds" => 1000,
                "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
                "h" | "hr" | "hour" | "hours" => 3_600_000,
                "d" | "day" | "days" => 86_400_000,
                "w" | "week" | "weeks" => 604_800_000,
                _ => return Err(wrong()),
            };
            rest = rest[letters..].trim_start();
            total = n.checked_mul(unit_ms).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        }
        if total > LONGEST_MS { Err(wrong()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Span {
    /// Writes the two largest units, `1h30m`, `2d`, `45s`; zero is `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ms = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if ms < 1000 {
            return if ms == 0 { f.write_str("0s") } else { write!(f, "{ms}ms") };
        }
        let mut shown = 0;
        for (unit, unit_ms) in [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
            let n = ms / unit_ms;
            if n > 0 {
                write!(f, "{n}{unit}")?;
                ms %= unit_ms;
                shown += 1;
            } else if shown > 0 {
                break;
            }
            if shown == 2 {
                break;
            }
        }
        Ok(())
    }
}

/// The instant at which a zone's clocks show `wall`. In a gap (spring) the first valid instant after it, in a fold
/// (autumn) the earlier of the two.
/// Outside the years 1 to 9999, where chrono's own arithmetic ends, it is the same time in UTC.
pub fn resolve(wall: NaiveDateTime, zone: Tz) -> Timestamp {
    if !(1..=9999).contains(&wall.year()) {
        return wall.and_utc().into();
    }
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) => at.with_timezone(&Utc).into(),
        LocalResult::Ambiguous(earlier, _) => earlier.with_timezone(&Utc).into(),
        LocalResult::None => {
            // The offset before the gap, applied to the wall time, gives an instant after the change; the change
            // itself is the first instant whose wall time lies beyond `wall`. Gaps are at most a day (Apia, 2011).
            let mut low = (wall - Duration::hours(26)).and_utc();
            let mut high = (wall + Duration::hours(26)).and_utc();
            while high - low > Duration::milliseconds(1) {
                let mid = low + (high - low) / 2;
                if mid.with_timezone(&zone).naive_local() > wall { high = mid } else { low = mid }
            }
            high.into()
        }
    }
}

/// A civil date as people write it, `2026-12-31`; `None` for what is none, and outside the years 1970 to 9999.
pub fn day(text: &str) -> Option<NaiveDate> {
    text.parse().ok().filter(|day: &NaiveDate| (1970..=9999).contains(&day.year()))
}

/// Midnight (or the first valid instant) of a civil date in a zone.
pub fn start_of_day(date: NaiveDate, zone: Tz) -> Timestamp {
    resolve(date.and_time(chrono::NaiveTime::MIN), zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").expect("a test's time")
    }

    #[test]
    fn no_time_is_too_far_away() {
        for date in [NaiveDate::MIN, NaiveDate::MAX] {
            for zone in [chrono_tz::Europe::Amsterdam, chrono_tz::America::New_York, chrono_tz::Pacific::Apia] {
                assert_eq!(start_of_day(date, zone), date.and_time(chrono::NaiveTime::MIN).and_utc().into());
            }
        }
    }

    #[test]
    fn a_gap_gives_the_first_valid_instant_and_a_fold_the_earlier() {
        let show = |text, zone: Tz| resolve(wall(text), zone).to_string();
        assert_eq!(show("2026-03-29T02:30", chrono_tz::Europe::Amsterdam), "2026-03-29T01:00:00.000Z");
        assert_eq!(show("2026-10-25T02:30", chrono_tz::Europe::Amsterdam), "2026-10-25T00:30:00.000Z");
        assert_eq!(show("2011-12-30T12:00", chrono_tz::Pacific::Apia), "2011-12-30T10:00:00.000Z");
        assert_eq!(show("2026-10-04T02:10", chrono_tz::Australia::Lord_Howe), "2026-10-03T15:30:00.000Z");
    }

    #[test]
    fn spans_read_and_write() {
        for (text, ms, shown) in [
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("1 week", 604_800_000, "1w"),
            ("12 hours", 43_200_000, "12h"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.0, ms);
            assert_eq!(span.to_string(), shown);
        }
        for bad in ["", "5", "m", "5x", "-5m", "99999999999999999999s", "9999999w", "5 m m"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn timestamps_are_cut_to_milliseconds() {
        let at: Timestamp = "2018-03-07T06:33:21.873077559-05:00".parse().expect("valid");
        assert_eq!(at.to_string(), "2018-03-07T11:33:21.873Z");
    }
}
