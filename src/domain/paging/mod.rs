//! Paging (GoAlert's semantics unless said otherwise): escalations, pages, who is woken and why. Types are here;
//! `escalate` fires steps, `page` runs a person's rules, `settle` takes receipts, `audit` looks for anything overdue.

pub mod audit;
pub mod escalate;
pub mod look;
pub mod page;
pub mod settle;

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::id::{IncidentId, PageId, PersonId};
use super::org::{NotifyRule, Policy};
use super::time::Timestamp;

/// A running escalation. Its rules stay with it; edits of the configuration apply to the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// The resolved policy.
    pub policy: Arc<Policy>,
    /// The step that fires next, from 0; equal to the number of steps when the cycle is through.
    pub step: u8,
    /// The run of the policy, 0 for the first.
    pub cycle: u8,
    /// When it fires.
    pub due: Timestamp,
    /// Why it started.
    pub reason: CompactString,
    /// Whether its first step waits for a remedy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// How a page ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageState {
    /// Its person is being reached.
    Owed,
    /// At least one message was taken by a provider.
    Sent,
    /// A human took the incident.
    Acknowledged,
    /// Nobody answered: its rules and the escalation are used up.
    Expired,
    /// The incident was resolved, or paging stopped for another reason.
    Cancelled,
}

impl PageState {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owed => "owed",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether its person may still be reached by further rules.
    pub fn running(self) -> bool {
        matches!(self, Self::Owed | Self::Sent)
    }
}

/// One page: one per incident, person and step activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its number within the incident, from 1.
    pub n: u32,
    /// Who.
    pub person: PersonId,
    /// How it stands.
    pub state: PageState,
    /// Why this person.
    pub reason: CompactString,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The rules that stay with it, in order of their delay.
    pub rules: Box<[NotifyRule]>,
    /// How many of them have started.
    pub used: u8,
    /// When the next one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
}

impl Page {
    /// Its full name.
    pub fn id(&self, incident: IncidentId) -> PageId {
        PageId { incident, n: self.n }
    }
}
