//! State: what all commits so far add up to, without closed records. Changed only by `apply`; read by everybody.
//! The derived look-ups (by key, by group, wake-ups, what is owed) are rebuilt from the records and never stored.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::delivery::Delivery;
use super::id::{AlertId, DeliveryId, IncidentId, IntegrationId, PersonId};
use super::incident::Incident;
use super::input::{Reply, Wakeup};
use super::time::Timestamp;

/// What all commits so far add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Numbers and marks that belong to no record.
    pub meta: Meta,
    /// Alerts that fire.
    pub alerts: BTreeMap<AlertId, Alert>,
    /// Incidents that are not closed.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Deliveries that belong to no incident and are still owed.
    pub notices: BTreeMap<DeliveryId, Delivery>,
    /// Answers kept for clients that repeat themselves.
    pub answers: BTreeMap<CompactString, KeptAnswer>,
    /// Personal tokens in force, by their public name.
    pub tokens: BTreeMap<CompactString, Token>,
    /// What follows from the records above.
    pub(in crate::domain) index: Index,
    /// Records touched since the runtime last asked; not part of what State says.
    pub(in crate::domain) dirty: Dirty,
}

/// Numbers and marks that belong to no record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The data directory's name in delivery ids.
    pub install: CompactString,
    /// The last commit applied.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The last incident's number.
    pub incidents: u64,
    /// The last alert's number.
    pub alerts: u64,
    /// The configuration in force.
    pub config: CompactString,
}

/// An answer kept for a client that repeats itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// When it was given.
    pub at: Timestamp,
    /// What it rests on.
    pub seq: u64,
    /// What it said.
    pub reply: Reply,
}

/// A personal token, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Whose.
    pub person: PersonId,
    /// Hex sha256 of the token.
    pub sha256: CompactString,
    /// Since when.
    pub added_at: Timestamp,
}

/// What follows from the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    pub(in crate::domain) by_key: BTreeMap<(IntegrationId, CompactString), AlertId>,
    pub(in crate::domain) groups: BTreeMap<CompactString, IncidentId>,
    pub(in crate::domain) alerts_of: BTreeSet<(IncidentId, AlertId)>,
    pub(in crate::domain) wakeups: BTreeSet<Wakeup>,
    pub(in crate::domain) owed: BTreeMap<DeliveryId, Option<IncidentId>>,
}

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKey {
    /// `Meta`.
    Meta,
    /// An alert.
    Alert(AlertId),
    /// An incident.
    Incident(IncidentId),
    /// A notice.
    Notice(DeliveryId),
    /// A kept answer.
    Answer(CompactString),
    /// A token.
    Token(CompactString),
}

/// Records touched since the runtime last asked, and those that left State.
#[derive(Debug, Clone, Default)]
pub struct Dirty {
    /// Touched.
    pub touched: BTreeSet<RecordKey>,
    /// Incidents closed since: they are no longer in State, but the records room must get them.
    pub closed_incidents: BTreeMap<IncidentId, Incident>,
    /// Alerts resolved since, likewise.
    pub closed_alerts: BTreeMap<AlertId, Alert>,
}

impl PartialEq for Dirty {
    /// What is dirty is not part of what State says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Dirty {}

/// Everything that State keeps, as it comes back from the records room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenRecords {
    /// Numbers and marks.
    pub meta: Meta,
    /// Alerts that fire.
    pub alerts: Vec<Alert>,
    /// Incidents that are not closed.
    pub incidents: Vec<Incident>,
    /// Notices still owed.
    pub notices: Vec<Delivery>,
    /// Kept answers by key.
    pub answers: Vec<(CompactString, KeptAnswer)>,
    /// Tokens by public name.
    pub tokens: Vec<(CompactString, Token)>,
}

impl State {
    /// How many deliveries are still to be sent.
    pub fn owed_count(&self) -> usize {
        self.index.owed.len()
    }
}
