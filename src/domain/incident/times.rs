//! The times of an incident (`/incident times`): what was recorded, and what people state or correct, by whom and why.
//! What was recorded is never overwritten: paging and the order of the life go by it, reports by what counts.

use std::fmt;
use std::fmt::Write as _;

use chrono::{NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::apply::Stamp;
use super::record::Incident;
use super::show::headline;
use crate::domain::actor::Actor;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::IncidentId;
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::{Span, Timestamp, resolve};

/// A moment in the life of an incident that reports go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// Somebody was affected; never recorded by itself, only stated.
    ImpactStart,
    /// Opsbell heard of it.
    Detected,
    /// Somebody took it.
    Acknowledged,
    /// The impact was over.
    Mitigated,
    /// It was over.
    Resolved,
}

impl Milestone {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::ImpactStart, Self::Detected, Self::Acknowledged, Self::Mitigated, Self::Resolved];

    /// The word, as it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImpactStart => "impact-start",
            Self::Detected => "detected",
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for Milestone {
    /// As it is read: `impact start`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::ImpactStart { "impact start" } else { self.as_str() })
    }
}

/// A time was stated or corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeStated {
    /// Of which incident.
    pub incident: IncidentId,
    /// What happened then.
    pub milestone: Milestone,
    /// When.
    pub at: Timestamp,
    /// What counted before, if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Timestamp>,
    /// Why.
    pub reason: CompactString,
    /// The closed record, where it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Box<Incident>>,
}

/// A stated time, as the record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedTime {
    /// What happened then.
    pub milestone: Milestone,
    /// When.
    pub at: Timestamp,
    /// What counted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Timestamp>,
    /// Why.
    pub reason: CompactString,
    /// Who said so.
    pub by: Actor,
    /// When they said so.
    pub stated_at: Timestamp,
}

impl StatedTime {
    /// What an event adds.
    pub fn of(stamp: &Stamp<'_>, stated: &TimeStated) -> Self {
        Self {
            milestone: stated.milestone,
            at: stated.at,
            was: stated.was,
            reason: stated.reason.clone(),
            by: stamp.by.actor.clone(),
            stated_at: stamp.at,
        }
    }
}

/// Times that may be stated of one incident; more is a mistake of a program.
const STATED_MAX: usize = 100;
/// The longest reason, in characters.
const REASON_MAX: usize = 300;
/// A time lies at most this long before the incident was opened.
const BEFORE_MAX: Span = Span::days(366);

impl Incident {
    /// When something was recorded by itself.
    pub fn recorded(&self, milestone: Milestone) -> Option<Timestamp> {
        match milestone {
            Milestone::ImpactStart => None,
            Milestone::Detected => Some(self.opened_at),
            Milestone::Acknowledged => self.acknowledged_at,
            Milestone::Mitigated => self.mitigated_at,
            Milestone::Resolved => self.resolved_at,
        }
    }

    /// The last statement about a time, if there is one.
    pub fn stated(&self, milestone: Milestone) -> Option<&StatedTime> {
        self.review.as_ref()?.times.iter().rev().find(|stated| stated.milestone == milestone)
    }

    /// The time that counts: as stated, else as recorded; `None`: not recorded.
    pub fn time_of(&self, milestone: Milestone) -> Option<Timestamp> {
        self.stated(milestone).map(|stated| stated.at).or_else(|| self.recorded(milestone))
    }
}

/// `/incident times`: the times with what was said about them.
pub fn show(incident: &Incident) -> String {
    let mut text = format!("{}\n", headline(incident));
    let from = incident.time_of(Milestone::ImpactStart).or_else(|| incident.time_of(Milestone::Detected));
    for milestone in Milestone::ALL {
        let Some(at) = incident.time_of(milestone) else {
            let _ = writeln!(text, "{milestone}: not recorded");
            continue;
        };
        let after = from.filter(|from| at > *from).map(|from| format!(" (after {})", at.since(from)));
        let _ = write!(text, "{milestone}: <t:{}:f>{}", at.unix_secs(), after.unwrap_or_default());
        if let Some(stated) = incident.stated(milestone) {
            let recorded = incident.recorded(milestone).map(|at| format!(", recorded as <t:{}:f>", at.unix_secs()));
            let _ = write!(text, " — stated by {}: {}{}", stated.by, stated.reason, recorded.unwrap_or_default());
        }
        text.push('\n');
    }
    let _ = write!(text, "State or correct one: /incident times impact-start at:02:40 reason:\"…\" {}", incident.id);
    text
}

/// `/incident times` with a time: states or corrects it.
pub fn state(
    draft: &mut Draft<'_>,
    id: IncidentId,
    milestone: Milestone,
    at: &str,
    reason: &str,
) -> Result<Reply, Reject> {
    let zone = draft.org.zone(draft.person());
    let at = read(at, zone, draft.now)?;
    let incident = draft.amendable(id)?;
    let was = incident.time_of(milestone);
    if was == Some(at) {
        return Ok(
            Reply::done(format!("{milestone} of {id} is <t:{}:f> already. Nothing changed.", at.unix_secs())).about(id)
        );
    }
    fits(incident, milestone, at, draft.now)?;
    if incident.review.as_ref().is_some_and(|review| review.times.len() >= STATED_MAX) {
        return Err(Reject::new(RejectCode::Conflict, format!("{STATED_MAX} times have been stated of {id}."))
            .hint(format!("Read them: /incident times {id}")));
    }
    let closed = draft.carried(id);
    draft.emit(Event::IncidentTimeStated(Box::new(TimeStated {
        incident: id,
        milestone,
        at,
        was,
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(REASON_MAX).collect(),
        closed,
    })));
    let was = was.map_or(String::new(), |was| format!(", was <t:{}:f>", was.unix_secs()));
    Ok(Reply::done(format!(
        "{id}: {milestone} <t:{}:f>{was}. What was recorded is kept.\nAll times: /incident times {id}",
        at.unix_secs()
    ))
    .about(id))
}

/// Whether a time fits the others: nothing happens after now, and what follows from another comes after it. Impact may
/// begin before or after somebody noticed.
fn fits(incident: &Incident, milestone: Milestone, at: Timestamp, now: Timestamp) -> Result<(), Reject> {
    let id = incident.id;
    let bad = |what: String| Err(Reject::new(RejectCode::BadValue, what).hint(format!("See: /incident times {id}")));
    if at > now {
        return bad(format!("<t:{}:f> is still to come; a time is stated afterwards.", at.unix_secs()));
    }
    if incident.opened_at.since(at) > BEFORE_MAX {
        return bad(format!("<t:{}:f> is more than a year before {id} was opened.", at.unix_secs()));
    }
    for other in Milestone::ALL.into_iter().filter(|other| *other != milestone) {
        let Some(known) = incident.time_of(other) else { continue };
        let tied =
            |one, two| !matches!((one, two), (Milestone::ImpactStart, Milestone::Detected | Milestone::Acknowledged));
        if milestone < other && tied(milestone, other) && at > known {
            return bad(format!("{milestone} cannot be after {other} (<t:{}:f>).", known.unix_secs()));
        }
        if other < milestone && tied(other, milestone) && at < known {
            return bad(format!("{milestone} cannot be before {other} (<t:{}:f>).", known.unix_secs()));
        }
    }
    Ok(())
}

/// Reads a time as people write it: `02:40` (the last time it was that), `2026-12-25 02:40`, or RFC 3339.
fn read(text: &str, zone: Tz, now: Timestamp) -> Result<Timestamp, Reject> {
    let text = text.trim();
    let wall = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let whole = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"];
    if let Some(wall) = whole.into_iter().find_map(wall) {
        // Beyond the tables of the zones there is nothing to state.
        if (1970..2099).contains(&chrono::Datelike::year(&wall)) {
            return Ok(resolve(wall, zone));
        }
    }
    if let Ok(at) = text.parse::<Timestamp>()
        && at > Timestamp(0)
        && at < crate::domain::time::LATEST
    {
        return Ok(at);
    }
    let clock = |format| NaiveTime::parse_from_str(text, format).ok();
    if let Some(clock) = ["%H:%M", "%H:%M:%S"].into_iter().find_map(clock) {
        let today = now.local(zone).date();
        let at = resolve(today.and_time(clock), zone);
        let yesterday = today.pred_opt().unwrap_or(today);
        return Ok(if at > now { resolve(yesterday.and_time(clock), zone) } else { at });
    }
    let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    Err(Reject::new(RejectCode::BadValue, format!("`{shown}` is not a time."))
        .hint("Write it like 02:40 (the last time it was that), \"2026-12-25 02:40\" or 2026-12-25T01:40:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_readers_zone() {
        let zone = chrono_tz::Europe::Amsterdam;
        let now: Timestamp = "2026-12-25T03:00:00Z".parse().expect("a time");
        let show = |text| read(text, zone, now).map(|at| at.to_string()).map_err(|wrong| wrong.message);
        assert_eq!(show("02:40"), Ok("2026-12-25T01:40:00.000Z".into()));
        // It is 04:00 there: 23:30 was yesterday.
        assert_eq!(show(" 23:30 "), Ok("2026-12-24T22:30:00.000Z".into()));
        assert_eq!(show("2026-12-24 02:40"), Ok("2026-12-24T01:40:00.000Z".into()));
        assert_eq!(show("2026-12-24T02:40:05+05:30"), Ok("2026-12-23T21:10:05.000Z".into()));
        for bad in ["", "yesterday", "25:00", "2026-13-01 02:40", "9999-01-01 00:00", "0000-01-01T00:00:00Z", "\u{7}"] {
            assert!(show(bad).is_err(), "{bad}");
        }
    }
}
