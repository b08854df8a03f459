//! The record of an incident: what State keeps while it is open, and the records room afterwards.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::assess::Assessed;
use super::link::Link;
use super::review::Review;
use super::room::Room;
use crate::domain::actor::Actor;
use crate::domain::delivery::{Delivery, Reached};
use crate::domain::id::{IncidentId, PersonId, ServiceId, TeamId};
use crate::domain::input::Place;
use crate::domain::org::Policy;
use crate::domain::paging::{Escalation, Page};
use crate::domain::signal::AlertSeverity;
use crate::domain::time::Timestamp;

/// How bad: 1 is worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// High urgency, a commander is asked for.
    Sev1,
    /// High urgency.
    Sev2,
    /// Low urgency.
    Sev3,
    /// Record only: nobody is paged.
    Sev4,
}

impl Severity {
    /// `sev1` … `sev4`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sev1 => "sev1",
            Self::Sev2 => "sev2",
            Self::Sev3 => "sev3",
            Self::Sev4 => "sev4",
        }
    }

    /// Reads `sev1`, `SEV1` and `1`.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "sev1" | "1" => Self::Sev1,
            "sev2" | "2" => Self::Sev2,
            "sev3" | "3" => Self::Sev3,
            "sev4" | "4" => Self::Sev4,
            _ => return None,
        })
    }

    /// Whether people are reached by their rules for high urgency.
    pub fn high_urgency(self) -> bool {
        self <= Self::Sev2
    }

    /// Whether anybody is paged at all.
    pub fn pages(self) -> bool {
        self <= Self::Sev3
    }
}

impl From<AlertSeverity> for Severity {
    fn from(severity: AlertSeverity) -> Self {
        match severity {
            AlertSeverity::Critical => Self::Sev1,
            AlertSeverity::High => Self::Sev2,
            AlertSeverity::Warning => Self::Sev3,
            AlertSeverity::Info => Self::Sev4,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Nobody has it; people are paged.
    Triggered,
    /// Somebody has it.
    Acknowledged,
    /// The impact is over.
    Mitigated,
    /// It is over; can be reopened.
    Resolved,
    /// The record is complete.
    Closed,
}

impl IncidentState {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Whether it still needs work.
    pub fn open(self) -> bool {
        self < Self::Resolved
    }
}

impl fmt::Display for IncidentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// Somebody repaired it.
    Fixed,
    /// It went away of itself.
    Recovered,
    /// It was none.
    FalseAlarm,
    /// It is told elsewhere.
    Duplicate,
}

impl Resolution {
    /// All of them, for choices.
    pub const ALL: [Self; 4] = [Self::Fixed, Self::Recovered, Self::FalseAlarm, Self::Duplicate];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Recovered => "recovered",
            Self::FalseAlarm => "false-alarm",
            Self::Duplicate => "duplicate",
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Decides.
    Commander,
    /// Works on it first; whoever acknowledges.
    Lead,
    /// Tells the others.
    Communications,
    /// Writes down.
    Scribe,
}

impl RoleName {
    /// All of them, for choices.
    pub const ALL: [Self; 4] = [Self::Commander, Self::Lead, Self::Communications, Self::Scribe];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commander => "commander",
            Self::Lead => "lead",
            Self::Communications => "communications",
            Self::Scribe => "scribe",
        }
    }
}

/// Who does what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commander: Option<PersonId>,
    /// Works on it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<PersonId>,
    /// Tells the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communications: Option<PersonId>,
    /// Writes down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scribe: Option<PersonId>,
    /// Everybody who took part, in order of their first act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responders: Vec<PersonId>,
}

impl Roles {
    /// The holder of a role, to be changed.
    pub fn slot(&mut self, role: RoleName) -> &mut Option<PersonId> {
        match role {
            RoleName::Commander => &mut self.commander,
            RoleName::Lead => &mut self.lead,
            RoleName::Communications => &mut self.communications,
            RoleName::Scribe => &mut self.scribe,
        }
    }
}

/// Who has an incident: the last to acknowledge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub actor: Actor,
    /// Since when.
    pub since: Timestamp,
    /// Whether it was only put off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snoozed: bool,
}

/// One line of the timeline that nobody typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What, in words.
    pub text: CompactString,
}

/// The timeline keeps this many entries; later ones are counted, and the journal has them all.
pub const TIMELINE_MAX: usize = 2_000;

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// What broke.
    pub title: CompactString,
    /// What it is about.
    pub service: ServiceId,
    /// Who owns it.
    pub team: TeamId,
    /// How bad.
    pub severity: Severity,
    /// Whether a person has set the severity; alerts no longer raise it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub severity_by_person: bool,
    /// Where it stands.
    pub state: IncidentState,
    /// Alerts with the same group join it while it is open.
    #[serde(default, skip_serializing_if = "CompactString::is_empty")]
    pub group: CompactString,
    /// Production, staging, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<CompactString>,
    /// Whether its alert named no known service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrouted: bool,
    /// Who opened it.
    pub opened_by: Actor,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was first acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
    /// Who has it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// When that acknowledgement runs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_expires: Option<Timestamp>,
    /// When the impact was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigated_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// When it closes of itself, while resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<Timestamp>,
    /// When its record was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Where it was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
    /// Who does what.
    #[serde(default)]
    pub roles: Roles,
    /// Alerts that fire.
    pub alerts_firing: u32,
    /// Alerts that ever joined.
    pub alerts_total: u32,
    /// The policy made for the `/page` that opened it; it escalates by this one whenever it starts over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_policy: Option<Arc<Policy>>,
    /// The step that fired last, from 0; an escalation on request goes on behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_step: Option<u8>,
    /// When the last resort was called; nothing pages of itself after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted_at: Option<Timestamp>,
    /// Whether a person has said that it is not over: recovered alerts do not end it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept_open: bool,
    /// Whom the pages have reached since the escalation started last, the fallback after it included.
    #[serde(default, skip_serializing_if = "is_nobody")]
    pub reached: Reached,
    /// How often the escalation started over since, as nobody could be reached.
    #[serde(default, skip_serializing_if = "is_zero_byte")]
    pub unreached: u8,
    /// Remedies that were tried, or not, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<CompactString>,
    /// The running escalation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// All pages, in order; page n stands at n − 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Page>,
    /// The ledger of everything sent about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<Delivery>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Entry>,
    /// Timeline entries left out beyond the cap.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeline_folded: u32,
    /// Other records it belongs to, in the order in which they were linked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Groups of incidents that were merged into it: their later alerts join it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_groups: Vec<CompactString>,
    /// The incident that it was merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<IncidentId>,
    /// Whether only those see it who are invited or paged, and administrators.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// Who was invited to a private one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invited: Vec<PersonId>,
    /// When an update is asked for unless one is given before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_due: Option<Timestamp>,
    /// How often one was asked for since the last update.
    #[serde(default, skip_serializing_if = "is_zero_byte")]
    pub reminded: u8,
    /// What its severity follows from, where impact and urgency were said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessed: Option<Assessed>,
    /// What is written about it beside its life; `None` as long as there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Box<Review>>,
    /// Its room in chat, asked for or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Box<Room>>,
}

fn is_nobody(reached: &Reached) -> bool {
    *reached == Reached::Nobody
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn is_zero_byte(n: &u8) -> bool {
    *n == 0
}

impl Incident {
    /// Adds a line to the timeline, up to the cap.
    pub fn tell(&mut self, at: Timestamp, by: &Actor, text: CompactString) {
        if self.timeline.len() < TIMELINE_MAX {
            self.timeline.push(Entry { at, by: by.clone(), text });
        } else {
            self.timeline_folded += 1;
        }
    }

    /// Gives back the room that its lists have beyond what stands in them; reading a record leaves some.
    pub fn pack(&mut self) {
        self.pages.shrink_to_fit();
        self.deliveries.shrink_to_fit();
        self.timeline.shrink_to_fit();
    }
}
