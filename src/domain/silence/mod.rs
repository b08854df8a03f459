//! Silences: alerts that match page nobody for a while, and are kept with the reason. The record and its events are
//! here; `matcher` says what matches, `start` begins and ends one by a person's word, `hold` suppresses alerts as they
//! come in, `end` gives notice and lets go, `apply` is what events do to State, `show` how it reads.

mod apply;
pub mod end;
pub mod hold;
pub mod matcher;
pub mod show;
pub mod start;
#[cfg(test)]
mod tests;
pub mod until;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::event::AlertOpened;
use super::id::{AlertId, ChangeId, IncidentId, ServiceId, SilenceId};
use super::input::{Wakeup, WakeupKind};
use super::time::{Span, Timestamp};
use matcher::{Matcher, Subject};

/// A silence: what matches pages nobody until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number.
    pub id: SilenceId,
    /// All of them have to match; not empty.
    pub matchers: Vec<Matcher>,
    /// Whether it is the maintenance of a service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maintenance: bool,
    /// The change whose fence it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// Why, in the words of whoever made it.
    pub reason: CompactString,
    /// Who made it.
    pub by: Actor,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// Whether the end was said as a time of the clock: then a stepped clock does not shift it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_clock: bool,
    /// When its coming end is told, while it has not been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind: Option<Timestamp>,
    /// Incidents that it snoozed, because all their alerts matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<IncidentId>,
    /// How many alerts it ever held back.
    #[serde(default)]
    pub muted_total: u32,
    /// When it ended, and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// Whether nothing is suppressed by it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
}

/// The end of a silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Who ended it; Opsbell itself when its time was over.
    pub by: Actor,
}

/// Why an alert pages nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// By which silence.
    pub silence: SilenceId,
    /// The silence's reason.
    pub reason: CompactString,
    /// Since when.
    pub since: Timestamp,
    /// The group of the incident that it joins or opens when it is let go; only where it has no incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<CompactString>,
    /// Whether it named no known service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrouted: bool,
}

/// An alert began to fire under a silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSuppressed {
    /// The alert, without an incident.
    #[serde(flatten)]
    pub alert: AlertOpened,
    /// The group of the incident that it joins or opens when it is let go.
    pub group: CompactString,
    /// Whether it named no known service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrouted: bool,
    /// By which silence.
    pub silence: SilenceId,
    /// The silence's reason.
    pub reason: CompactString,
}

/// A silence began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceStarted {
    /// Its number.
    pub silence: SilenceId,
    /// All of them have to match.
    pub matchers: Vec<Matcher>,
    /// Whether it is the maintenance of a service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maintenance: bool,
    /// The change whose fence it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// Why.
    pub reason: CompactString,
    /// Until when.
    pub ends: Timestamp,
    /// Whether the end was said as a time of the clock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_clock: bool,
    /// When its coming end is told.
    pub remind: Timestamp,
    /// Alerts that fire and are muted from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mutes: Vec<AlertId>,
    /// Incidents that are snoozed by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<IncidentId>,
}

/// What matchers mute, in words.
fn what(matchers: &[Matcher], maintenance: bool) -> String {
    match matchers.iter().find_map(Matcher::service) {
        Some(service) if maintenance => service.to_string(),
        _ => matcher::join(matchers),
    }
}

impl Silence {
    /// Whether it mutes what comes in now.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.ends
    }

    /// Whether it mutes this alert.
    pub fn matches(&self, alert: &Subject<'_>) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(alert))
    }

    /// The moment it waits for: telling its end, its end, or letting go of what is left.
    pub fn wakeup(&self) -> Option<Wakeup> {
        let due = match &self.ended {
            _ if self.released => return None,
            Some(ended) => ended.at,
            None => self.remind.map_or(self.ends, |remind| remind.min(self.ends)),
        };
        Some(Wakeup { due, kind: WakeupKind::Silence(self.id) })
    }

    /// The service that it names, if it is about exactly one.
    pub fn service(&self) -> Option<ServiceId> {
        self.matchers.iter().find_map(Matcher::service)
    }

    /// What it mutes, `service=payments-api severity=~warning|info`; a service in maintenance by its name.
    pub fn what(&self) -> String {
        what(&self.matchers, self.maintenance)
    }

    /// `SIL-1`, or `SIL-1 (maintenance)`.
    pub fn name(&self) -> CompactString {
        if self.maintenance { format_compact!("{} (maintenance)", self.id) } else { format_compact!("{}", self.id) }
    }

    fn shift(&mut self, by: Span) {
        if self.by_clock {
            return;
        }
        self.ends = self.ends.after(by);
        self.remind = self.remind.map(|at| at.after(by));
    }
}
