//! What the largest events say: an alert and an incident that began, a delivery that is owed. The rest stands in
//! `event`.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::alert::Labels;
use crate::domain::delivery::{Content, Destination, Priority};
use crate::domain::id::{AlertId, DeliveryId, IncidentId, IntegrationId, ServiceId, TeamId};
use crate::domain::incident::Severity;
use crate::domain::incident::assess::Assessed;
use crate::domain::input::Place;
use crate::domain::signal::AlertSeverity;
use crate::domain::time::Timestamp;

/// An alert began to fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertOpened {
    /// Its number.
    pub alert: AlertId,
    /// Who sent it.
    pub integration: IntegrationId,
    /// Its dedup key.
    pub key: CompactString,
    /// The incident it opened or joined; none within `alert.suppressed`.
    #[serde(default, skip_serializing_if = "IncidentId::is_none")]
    pub incident: IncidentId,
    /// The service it was routed to.
    pub service: ServiceId,
    /// The service it named, when that is another (`[unrouted]`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_service: Option<CompactString>,
    /// What is wrong.
    pub name: CompactString,
    /// How bad.
    pub severity: AlertSeverity,
    /// A sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<CompactString>,
    /// Production, staging, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<CompactString>,
    /// The sender's labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// A link as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<CompactString>,
    /// When the sender says it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// An incident began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentOpened {
    /// Its number.
    pub incident: IncidentId,
    /// What broke.
    pub title: CompactString,
    /// What it is about.
    pub service: ServiceId,
    /// Who owns it.
    pub team: TeamId,
    /// How bad.
    pub severity: Severity,
    /// Alerts with the same group join it; empty for declared ones.
    #[serde(default, skip_serializing_if = "CompactString::is_empty")]
    pub group: CompactString,
    /// Production, staging, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<CompactString>,
    /// Whether its alert named no known service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrouted: bool,
    /// Where it was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Whether only those see it who are invited or paged, and administrators.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// The impact and urgency that its severity follows from, if they were said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessed: Option<Assessed>,
}

/// Something is owed to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryOwed {
    /// Its idempotency key.
    pub delivery: DeliveryId,
    /// The incident it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The page it is part of, by number within the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Where it goes.
    pub to: Destination,
    /// How urgent it is.
    pub priority: Priority,
    /// What it says.
    pub content: Content,
}
