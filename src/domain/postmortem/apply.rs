//! What events about an incident's writings do to State: the record, open or closed, and the list of postmortems that
//! wait to be published.

use std::collections::BTreeMap;

use super::{PostmortemState, Waiting};
use crate::domain::actor::Actor;
use crate::domain::event::Event;
use crate::domain::id::IncidentId;
use crate::domain::incident::apply::Stamp;
use crate::domain::incident::{Incident, private};
use crate::domain::org::Org;
use crate::domain::state::{RecordKey, State};

/// Closed records that were changed last: how often. An input that was loaded with an older copy is refused. It is
/// needed while inputs are under way only, so it is not part of what State says.
#[derive(Debug, Clone, Default)]
pub struct Amended(BTreeMap<IncidentId, u32>);

/// So many are remembered; more do not change within the moment that an input is under way.
const AMENDED_MAX: usize = 4_096;

impl PartialEq for Amended {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Amended {}

impl Amended {
    /// Whether a newer copy of the record was seen.
    pub fn newer_than(&self, incident: &Incident) -> bool {
        self.0.get(&incident.id).is_some_and(|changes| *changes > incident.changes())
    }

    fn note(&mut self, incident: &Incident) {
        if self.0.len() >= AMENDED_MAX && !self.0.contains_key(&incident.id) {
            self.0.pop_first();
        }
        self.0.insert(incident.id, incident.changes());
    }
}

impl Event {
    /// The closed incident that an event carries whole, because it is changed although it is not in State. An event
    /// that reopens one is not among these: that incident stays in State.
    pub fn amends(&self) -> Option<&Incident> {
        match self {
            Self::IncidentTimeStated(stated) => stated.closed.as_deref(),
            Self::PostmortemDrafted(drafted) => drafted.closed.as_deref(),
            Self::PostmortemEdited(edited) => edited.closed.as_deref(),
            Self::PostmortemPublished(published) => published.closed.as_deref(),
            _ => None,
        }
    }
}

impl State {
    /// The postmortems that wait to be published and may be told to anybody.
    pub fn waiting_publicly(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting_postmortems.values().filter(|one| !self.meta.private.contains(&one.incident))
    }

    /// The postmortems that wait to be published and that somebody may see. Of a private incident that is closed, and so
    /// not here, only administrators are told.
    pub fn waiting_for(&self, org: &Org, actor: &Actor) -> impl Iterator<Item = &Waiting> {
        self.waiting_postmortems.values().filter(move |one| private::may_know(org, self, actor, one.incident))
    }

    /// Applies an event about what is written of an incident.
    pub(in crate::domain) fn apply_written(&mut self, stamp: &Stamp<'_>, event: &Event) {
        let Some(id) = event.incident() else { return };
        let mut waiting = None;
        let mut written = |incident: &mut Incident| {
            incident.apply(stamp, event);
            waiting = Waiting::of(incident, stamp);
        };
        match event.amends() {
            None => self.change(id, written),
            Some(closed) => {
                let mut record = closed.clone();
                written(&mut record);
                self.amended.note(&record);
                self.dirty.touched.insert(RecordKey::Incident(id));
                self.dirty.closed_incidents.insert(id, record);
            }
        }
        if matches!(event, Event::IncidentTimeStated(_)) {
            return;
        }
        self.dirty.touched.insert(RecordKey::Waiting(id));
        match waiting {
            Some(mut now) => {
                // It waits since it was first drafted, or was taken back to be edited.
                if let Some(before) = self.waiting_postmortems.get(&id) {
                    now.since = before.since;
                }
                self.waiting_postmortems.insert(id, now);
            }
            None => {
                self.waiting_postmortems.remove(&id);
            }
        }
    }
}

impl Waiting {
    fn of(incident: &Incident, stamp: &Stamp<'_>) -> Option<Self> {
        let state =
            incident.postmortem().map(|known| known.state).filter(|state| *state < PostmortemState::Published)?;
        Some(Self {
            incident: incident.id,
            title: incident.title.clone(),
            service: incident.service.clone(),
            team: incident.team.clone(),
            severity: incident.severity,
            state,
            since: stamp.at,
        })
    }
}
