//! A draft: the events of one decision as they are found, and the records as they would be with them applied, so
//! that a later part of the decision sees what an earlier part did. Nothing of it stays unless the input is committed.

use std::collections::BTreeMap;

use compact_str::CompactString;

use super::actor::{Actor, By};
use super::change::Change;
use super::delivery::{ChannelRef, Content, Destination, Priority};
use super::event::{DeliveryOwed, Event};
use super::id::{AlertId, ChangeId, DeliveryId, IncidentId, ProblemId, ServiceRequestId};
use super::incident::Incident;
use super::incident::apply::Stamp;
use super::incident::merge::{self, IncidentMerged};
use super::incident::{private, room};
use super::input::Closed;
use super::org::Org;
use super::problem::Problem;
use super::reject::{Reject, RejectCode};
use super::request::ServiceRequest;
use super::state::State;
use super::time::Timestamp;

/// The events of one decision, in the making.
pub struct Draft<'a> {
    /// State before the decision.
    pub state: &'a State,
    /// The organisation in force.
    pub org: &'a Org,
    /// The time of the decision.
    pub now: Timestamp,
    /// Who caused it.
    pub by: &'a By,
    closed: &'a [Closed],
    events: Vec<Event>,
    scratch: BTreeMap<IncidentId, Incident>,
    deliveries: u16,
    opened: u64,
}

impl<'a> Draft<'a> {
    /// Begins a decision. `closed` are the closed records that the input names.
    pub fn new(state: &'a State, org: &'a Org, now: Timestamp, by: &'a By, closed: &'a [Closed]) -> Self {
        Self { state, org, now, by, closed, events: Vec::new(), scratch: BTreeMap::new(), deliveries: 0, opened: 0 }
    }

    /// The person who asks; `None` for integrations and timers.
    pub fn person(&self) -> Option<&'a super::id::PersonId> {
        self.by.actor.person()
    }

    /// Who asks.
    pub fn actor(&self) -> &'a Actor {
        &self.by.actor
    }

    /// Adds an event; later looks see what it does to its incident.
    pub fn emit(&mut self, event: Event) {
        let stamp = self.stamp();
        match &event {
            Event::IncidentOpened(opened) => {
                self.scratch.insert(opened.incident, Incident::opened(&stamp, opened));
            }
            Event::IncidentMerged(merged) => self.merge(&stamp, merged),
            Event::AlertOpened(opened) => {
                if let Some(incident) = self.scratched(opened.incident) {
                    incident.alert_joined(&stamp, opened);
                }
            }
            Event::IncidentReopened { incident, revived } => {
                if let Some(record) = revived {
                    self.scratch.insert(*incident, (**record).clone());
                }
                self.apply(*incident, &event);
            }
            _ => {
                if let Some(closed) = event.amends() {
                    self.scratch.insert(closed.id, closed.clone());
                }
                if let Some(incident) = event.incident() {
                    self.apply(incident, &event);
                }
            }
        }
        self.events.push(event);
    }

    /// Adds the event that ends the decision: nothing looks at its incident any more.
    pub fn emit_last(&mut self, event: Event) {
        self.events.push(event);
    }

    fn apply(&mut self, id: IncidentId, event: &Event) {
        let stamp = self.stamp();
        if let Some(incident) = self.scratched(id) {
            incident.apply(&stamp, event);
        }
    }

    fn merge(&mut self, stamp: &Stamp<'_>, merged: &IncidentMerged) {
        if self.scratched(merged.into).is_none() || self.scratched(merged.incident).is_none() {
            return;
        }
        if let Some(mut from) = self.scratch.remove(&merged.incident) {
            if let Some(into) = self.scratch.get_mut(&merged.into) {
                merge::apply(stamp, merged, &mut from, into);
            }
            self.scratch.insert(merged.incident, from);
        }
    }

    /// Counts down the alerts of an incident in the draft; `apply` of an alert's event does it in State.
    pub fn alert_recovered(&mut self, id: IncidentId, alert: AlertId) {
        let stamp = self.stamp();
        if let Some(incident) = self.scratched(id) {
            incident.alert_recovered(&stamp, alert);
        }
    }

    fn scratched(&mut self, id: IncidentId) -> Option<&mut Incident> {
        if !self.scratch.contains_key(&id) {
            let incident = self.state.incidents.get(&id)?;
            self.scratch.insert(id, (**incident).clone());
        }
        self.scratch.get_mut(&id)
    }

    /// An incident as it would be with the events so far.
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.scratch.get(&id).or_else(|| self.state.incidents.get(&id).map(|incident| &**incident))
    }

    /// The open incident that alerts of a group join, also one that this decision opened.
    pub fn grouped(&self, group: &str) -> Option<IncidentId> {
        let opened = self.scratch.values().rev().find(|incident| incident.group == group && incident.state.open());
        opened.or_else(|| self.state.grouped(group)).map(|incident| incident.id)
    }

    /// An incident that is not closed; else a refusal that says what to do.
    pub fn open(&self, id: IncidentId) -> Result<&Incident, Reject> {
        if let Some(incident) = self.incident(id) {
            return Ok(incident);
        }
        match self.closed(id) {
            Some(Incident { merged_into: Some(into), .. }) => {
                Err(Reject::new(RejectCode::Conflict, format!("{id} was merged into {into}."))
                    .hint(format!("Go on with that one: /incident show {into}")))
            }
            Some(_) => Err(Reject::new(RejectCode::Conflict, format!("{id} is closed."))
                .hint(format!("To go on with it: /incident reopen {id}"))),
            None => Err(self.unknown(id)),
        }
    }

    /// An incident, open or closed.
    pub fn any(&self, id: IncidentId) -> Result<&Incident, Reject> {
        self.incident(id).or_else(|| self.closed(id)).ok_or_else(|| self.unknown(id))
    }

    /// The closed record that the input named.
    pub fn closed(&self, id: IncidentId) -> Option<&'a Incident> {
        self.closed.iter().find_map(|closed| match closed {
            Closed::Incident(incident) if incident.id == id => Some(&**incident),
            _ => None,
        })
    }

    /// An incident, open or closed, of which something is to be written. An input that was loaded with an old copy of a
    /// closed record is refused: the change between would be lost.
    pub fn amendable(&self, id: IncidentId) -> Result<&Incident, Reject> {
        let incident = self.any(id)?;
        if !self.state.incidents.contains_key(&id) && self.state.amended.newer_than(incident) {
            return Err(Reject::new(RejectCode::Conflict, format!("{id} was changed just now by somebody else."))
                .hint(format!("Look at it, then say it again: /incident show {id}")));
        }
        Ok(incident)
    }

    /// The record that an event has to carry to change an incident: that of a closed one, `None` for one in State.
    pub fn carried(&self, id: IncidentId) -> Option<Box<Incident>> {
        if self.state.incidents.contains_key(&id) {
            return None;
        }
        self.any(id).ok().cloned().map(Box::new)
    }

    /// A problem, open or closed.
    pub fn problem(&self, id: ProblemId) -> Option<&'a Problem> {
        let closed = || {
            self.closed.iter().find_map(|closed| match closed {
                Closed::Problem(problem) if problem.id == id => Some(&**problem),
                _ => None,
            })
        };
        self.state.problems.get(&id).map(|problem| &**problem).or_else(closed)
    }

    /// A change, open or closed.
    pub fn change(&self, id: ChangeId) -> Option<&'a Change> {
        let closed = || {
            self.closed.iter().find_map(|closed| match closed {
                Closed::Change(change) if change.id == id => Some(&**change),
                _ => None,
            })
        };
        self.state.changes.get(&id).map(|change| &**change).or_else(closed)
    }

    /// A request, open or over.
    pub fn request(&self, id: ServiceRequestId) -> Option<&'a ServiceRequest> {
        let closed = || {
            self.closed.iter().find_map(|closed| match closed {
                Closed::Request(request) if request.id == id => Some(&**request),
                _ => None,
            })
        };
        self.state.requests.get(&id).map(|request| &**request).or_else(closed)
    }

    /// When, and by whom.
    pub fn stamp(&self) -> Stamp<'a> {
        Stamp { at: self.now, by: self.by }
    }

    fn unknown(&self, id: IncidentId) -> Reject {
        let last = self.state.meta.incidents;
        let message = if last == 0 {
            format!("There is no {id}: no incident has been declared yet.")
        } else {
            format!("There is no {id}; the last one is INC-{last}.")
        };
        Reject::new(RejectCode::NotFound, message).hint("See what is open: /incident list")
    }

    /// The number of the next incident.
    pub fn next_incident(&mut self) -> IncidentId {
        self.opened += 1;
        IncidentId(self.state.meta.incidents + self.opened)
    }

    /// The number of the next alert; a decision opens at most one.
    pub fn next_alert(&self) -> AlertId {
        AlertId(self.state.meta.alerts + 1)
    }

    /// Owes something to somebody. What is told of a private incident in a channel or to a webhook says nothing of it.
    pub fn owe(
        &mut self,
        incident: Option<IncidentId>,
        page: Option<u32>,
        to: Destination,
        priority: Priority,
        content: Content,
    ) {
        let record = incident.and_then(|id| self.incident(id));
        let content = match record {
            Some(record) => match private::discreet(record, &to, content) {
                Some(content) => content,
                None => return,
            },
            None => content,
        };
        let install = self.state.meta.install.clone();
        let delivery = DeliveryId { install, seq: self.state.meta.seq + 1, n: self.deliveries };
        self.deliveries = self.deliveries.saturating_add(1);
        let owed = DeliveryOwed { delivery, incident, page, to, priority, content };
        self.emit(Event::DeliveryOwed(Box::new(owed)));
    }

    /// Where lines about an incident are posted: the channel of the team that owns it, if it has one and a chat is
    /// connected.
    pub fn channel(&self, incident: &Incident) -> Option<&'a ChannelRef> {
        let here = self.org.chat_connected && !incident.private;
        self.org.teams.get(&incident.team)?.channel.as_ref().filter(|_| here)
    }

    /// Posts a line about an incident, if its team has a channel and a chat is connected: in its thread, if it has one,
    /// else in the channel. A post that cannot arrive is nobody's loss: the record tells the same.
    /// What is posted of a private incident goes to its people instead, each for themselves.
    pub fn post(&mut self, id: IncidentId, text: String) {
        self.post_content(id, Content::Post { text });
    }

    /// The same of anything that can be said in a channel.
    pub fn post_content(&mut self, id: IncidentId, content: Content) {
        if self.incident(id).is_some_and(|incident| incident.private) {
            return private::tell(self, id, &content);
        }
        room::say(self, id, content, false);
    }

    /// The same, also where those read along who do not work on it.
    pub fn announce(&mut self, id: IncidentId, text: String) {
        if self.incident(id).is_some_and(|incident| incident.private) {
            return private::tell(self, id, &Content::Post { text });
        }
        room::say(self, id, Content::Post { text }, true);
    }

    /// Notes something that needs eyes.
    pub fn warn(&mut self, incident: IncidentId, text: CompactString) {
        self.emit(Event::IncidentWarned { incident, text });
    }

    /// The events so far, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events, in order.
    pub fn into_events(self) -> Vec<Event> {
        self.events
    }
}
