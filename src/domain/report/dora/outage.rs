//! What is remembered of incidents that are over, for the time to restore: a small entry for each, bounded. Nothing is
//! remembered of private ones, of false alarms and of duplicates.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::event::Event;
use crate::domain::id::{IncidentId, ServiceId, TeamId};
use crate::domain::incident::link::LinkKind;
use crate::domain::incident::times::Milestone;
use crate::domain::incident::{Incident, Resolution};
use crate::domain::state::{RecordKey, State};
use crate::domain::time::{Span, Timestamp};

/// Incidents are remembered for so long …
const KEPT: Span = Span::days(366);
/// … and so many; the oldest are forgotten first.
pub const OUTAGES_MAX: usize = 5_000;

/// An incident that is over, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Which.
    pub incident: IncidentId,
    /// Of what.
    pub service: ServiceId,
    /// Who owned that then.
    pub team: TeamId,
    /// Where; none where nothing was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<CompactString>,
    /// When somebody was affected first, where that was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Timestamp>,
    /// When it was opened.
    pub detected: Timestamp,
    /// When the impact was over, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigated: Option<Timestamp>,
    /// When it was over.
    pub resolved: Timestamp,
    /// Whether a change caused it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_change: bool,
}

impl Outage {
    fn of(incident: &Incident) -> Option<Self> {
        let real = !matches!(incident.resolution, Some(Resolution::FalseAlarm | Resolution::Duplicate));
        if incident.private || !real || !incident.severity.pages() {
            return None;
        }
        let change = |to: &str| to.starts_with("CHG-");
        Some(Self {
            incident: incident.id,
            service: incident.service.clone(),
            team: incident.team.clone(),
            environment: incident.environment.clone(),
            impact: incident.time_of(Milestone::ImpactStart),
            detected: incident.time_of(Milestone::Detected)?,
            mitigated: incident.time_of(Milestone::Mitigated),
            resolved: incident.time_of(Milestone::Resolved)?,
            by_change: incident.links.iter().any(|link| link.kind == LinkKind::CausedBy && change(&link.to)),
        })
    }

    /// When service was restored.
    pub fn over(&self) -> Timestamp {
        self.mitigated.unwrap_or(self.resolved)
    }

    /// How long it took; `None` where the times contradict each other.
    pub fn took(&self) -> Option<Span> {
        let took = self.over().since(self.impact.unwrap_or(self.detected));
        (took >= Span::ZERO).then_some(took)
    }
}

impl State {
    /// Remembers an incident that an event has ended, and what is said of its times later. Called after the event was
    /// applied.
    pub(in crate::domain) fn apply_outage(&mut self, event: &Event) {
        match event {
            Event::IncidentResolved { incident, .. } => {
                let mut found = None;
                self.change(*incident, |incident| found = Outage::of(incident));
                let Some(outage) = found else { return };
                self.outages.insert(outage.incident, outage);
                self.dirty.touched.insert(RecordKey::Outage(*incident));
                while let Some((id, oldest)) = self.outages.first_key_value() {
                    if self.meta.at.since(oldest.resolved) <= KEPT && self.outages.len() <= OUTAGES_MAX {
                        break;
                    }
                    let id = *id;
                    self.outages.remove(&id);
                    self.dirty.touched.insert(RecordKey::Outage(id));
                }
            }
            Event::IncidentReopened { incident, .. } => {
                self.outages.remove(incident);
                self.dirty.touched.insert(RecordKey::Outage(*incident));
            }
            Event::IncidentTimeStated(stated) => self.amend_outage(stated.incident, |it| match stated.milestone {
                Milestone::ImpactStart => it.impact = Some(stated.at),
                Milestone::Detected => it.detected = stated.at,
                Milestone::Mitigated => it.mitigated = Some(stated.at),
                Milestone::Resolved => it.resolved = stated.at,
                Milestone::Acknowledged => {}
            }),
            Event::IncidentLinked(linked) if linked.kind == LinkKind::CausedBy && linked.to.starts_with("CHG-") => {
                self.amend_outage(linked.incident, |it| it.by_change = true);
            }
            _ => {}
        }
    }

    fn amend_outage(&mut self, id: IncidentId, amend: impl FnOnce(&mut Outage)) {
        if let Some(outage) = self.outages.get_mut(&id) {
            amend(outage);
            self.dirty.touched.insert(RecordKey::Outage(id));
        }
    }
}
