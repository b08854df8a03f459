//! Until when: a duration, or a time as people write it. The zone is the asker's.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::{LATEST, Span, Timestamp, resolve};

/// The longest silence: what is to be quiet for longer is to be changed at its source.
pub const LONGEST: Span = Span::days(90);

/// How the end was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ends {
    /// After so long.
    For(Span),
    /// At a time, `18:00`, `2026-12-25 06:00`, or RFC 3339.
    Until(String),
}

impl Ends {
    /// The instant, and whether it was said as a time of the clock.
    ///
    /// # Errors
    /// The time cannot be read, is past, or further away than a silence may last.
    pub fn at(&self, now: Timestamp, zone: Tz) -> Result<(Timestamp, bool), Reject> {
        let (at, by_clock) = match self {
            Self::For(span) => (now.after(*span), false),
            Self::Until(text) => (read(text.trim(), now, zone)?, true),
        };
        if at <= now {
            return Err(Reject::new(RejectCode::BadValue, format!("<t:{}:f> is over already.", at.unix_secs()))
                .hint("Say a time to come, or for:2h"));
        }
        if at.since(now) > LONGEST || at > LATEST {
            return Err(Reject::new(
                RejectCode::BadValue,
                format!("A silence lasts at most {} days.", LONGEST.0 / 86_400_000),
            )
            .hint("What is to be quiet for longer is to be changed where the alert is made"));
        }
        Ok((at, by_clock))
    }
}

/// A time as people write it: `18:00`, `2026-12-25 06:00`, or RFC 3339.
///
/// # Errors
/// It is none of these.
pub(in crate::domain) fn read(text: &str, now: Timestamp, zone: Tz) -> Result<Timestamp, Reject> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wall = |form: &str| NaiveDateTime::parse_from_str(text, form).ok();
    if let Some(wall) = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"].into_iter().find_map(wall) {
        return in_range(wall, zone);
    }
    if let Ok(time) = NaiveTime::parse_from_str(text, "%H:%M") {
        // The next time that the clocks show it.
        let today = now.local(zone).date();
        let next = [Some(today), today.succ_opt()].into_iter().flatten();
        let next = next.filter_map(|date: NaiveDate| in_range(date.and_time(time), zone).ok()).find(|at| *at > now);
        return next.ok_or_else(|| unread(text));
    }
    Err(unread(text))
}

/// Years beyond the zones' tables are no times.
fn in_range(wall: NaiveDateTime, zone: Tz) -> Result<Timestamp, Reject> {
    use chrono::Datelike as _;
    if (1971..2099).contains(&wall.year()) { Ok(resolve(wall, zone)) } else { Err(unread(&wall.to_string())) }
}

fn unread(text: &str) -> Reject {
    let text: String = text.chars().take(40).collect();
    Reject::new(RejectCode::BadValue, format!("`{text}` is not a time."))
        .hint("Write it like until:18:00, until:\"2026-12-25 06:00\", or say for:2h")
}
