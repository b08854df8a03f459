//! Alerts: firing → resolved, deduplicated by (integration, key), grouped into an incident by service and labels.
//! The record is here; `intake` decides what a signal does, `text` finds alerts in what is said, `show` how an alert
//! reads.

pub mod intake;
mod labels;
pub mod show;
pub mod text;

pub use labels::Labels;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::event::AlertOpened;
use super::id::{AlertId, IncidentId, IntegrationId, ServiceId};
use super::signal::AlertSeverity;
use super::silence::Suppression;
use super::time::Timestamp;

/// One thing that one sender complains about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number.
    pub id: AlertId,
    /// Who sent it.
    pub integration: IntegrationId,
    /// Its dedup key.
    pub key: CompactString,
    /// The incident it belongs to; none while it is suppressed before it opened or joined one.
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
    /// When it was first heard of.
    pub opened_at: Timestamp,
    /// When the sender says it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Why it pages nobody, if a silence holds it back (or did until it recovered).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Box<Suppression>>,
}

impl Alert {
    /// The record that an event begins.
    pub fn opened(at: Timestamp, opened: &AlertOpened) -> Self {
        Self {
            id: opened.alert,
            integration: opened.integration.clone(),
            key: opened.key.clone(),
            incident: opened.incident,
            service: opened.service.clone(),
            named_service: opened.named_service.clone(),
            name: opened.name.clone(),
            severity: opened.severity,
            summary: opened.summary.clone(),
            environment: opened.environment.clone(),
            labels: opened.labels.clone(),
            link: opened.link.clone(),
            opened_at: at,
            started_at: opened.started_at,
            resolved_at: None,
            suppressed: None,
        }
    }
}
