//! The derived look-ups of State, kept in step with the records.

use std::sync::Arc;

use compact_str::CompactString;

use super::{PolicyRef, RecordKey, State};
use crate::domain::delivery::{DeliveryStatus, SEND_DEADLINE};
use crate::domain::id::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::input::{Wakeup, WakeupKind};
use crate::domain::org::Policy;
use crate::domain::report::summary::Book;
use crate::domain::time::Timestamp;

impl State {
    /// Puts an incident in. The look-ups know it once it is put back.
    pub(super) fn insert(&mut self, mut incident: Incident) {
        self.put_back();
        if let Some(escalation) = &mut incident.escalation {
            self.index.share(&mut escalation.policy);
        }
        self.lifted = Some(Box::new(incident));
    }

    /// Changes an incident. Nothing happens where it is not in State.
    pub(in crate::domain) fn change(&mut self, id: IncidentId, change: impl FnOnce(&mut Incident)) {
        if let Some(incident) = self.lift(id) {
            change(incident);
        }
    }

    /// Takes an incident out.
    pub(super) fn remove(&mut self, id: IncidentId) -> Option<Incident> {
        self.lift(id)?;
        self.lifted.take().map(|incident| *incident)
    }

    /// Takes an incident from its place and out of the look-ups, to be changed. The events of a commit are mostly about
    /// one incident, so it stays lifted until another one is, or the commit ends.
    fn lift(&mut self, id: IncidentId) -> Option<&mut Incident> {
        if self.lifted.as_ref().is_none_or(|lifted| lifted.id != id) {
            self.put_back();
            let incident = self.incidents.remove(&id)?;
            self.unindex_incident(&incident);
            self.dirty.touched.insert(RecordKey::Incident(id));
            self.lifted = Some(incident);
        }
        self.lifted.as_deref_mut()
    }

    /// Puts the lifted incident back into its place and into the look-ups.
    pub(super) fn put_back(&mut self) {
        if let Some(incident) = self.lifted.take() {
            self.index_incident(&incident);
            self.incidents.insert(incident.id, incident);
        }
    }

    fn index_incident(&mut self, incident: &Incident) {
        if incident.state.open() {
            for group in groups(incident) {
                self.index.groups.insert((group.clone(), incident.id));
            }
        }
        for wakeup in wakeups(incident) {
            self.index.wakeups.insert(wakeup);
        }
        if incident.room.is_some() {
            self.index.rooms.insert(incident.id);
        }
        for delivery in incident.deliveries.iter().rev().filter(|delivery| delivery.owed()) {
            self.index.owed.insert(delivery.id.clone(), Some(incident.id));
        }
    }

    fn unindex_incident(&mut self, incident: &Incident) {
        for group in groups(incident) {
            self.index.groups.remove(&(group.clone(), incident.id));
        }
        for wakeup in wakeups(incident) {
            self.index.wakeups.remove(&wakeup);
        }
        self.index.rooms.remove(&incident.id);
        for delivery in incident.deliveries.iter().filter(|delivery| delivery.owed()) {
            self.index.owed.remove(&delivery.id);
        }
    }

    /// Changes what is planned; one moment is waited for, that of the first summary.
    pub(super) fn rebook(&mut self, change: impl FnOnce(&mut Book)) {
        let before = self.first_summary();
        change(&mut self.meta.summaries);
        let after = self.first_summary();
        before.iter().for_each(|wakeup| _ = self.index.wakeups.remove(wakeup));
        self.index.wakeups.extend(after);
    }

    fn first_summary(&self) -> Option<Wakeup> {
        let (_, first) = self.meta.summaries.first()?;
        Some(Wakeup { due: first.next, kind: WakeupKind::Summary })
    }

    /// Indexes what does not hang on incidents; once, after assembling.
    pub(super) fn index_alerts_and_notices(&mut self) {
        self.index.wakeups.extend(self.first_summary());
        for alert in self.alerts.values() {
            self.index.by_key.insert((alert.integration.clone(), alert.key.clone()), alert.id);
            self.index.alerts_of.insert((alert.incident, alert.id));
        }
        for notice in self.notices.keys() {
            self.index.owed.insert(notice.clone(), None);
        }
        for recent in self.recent.values() {
            self.index.kinds.insert((recent.fingerprint, recent.incident));
        }
        for problem in self.problems.values().filter(|problem| problem.state.open()) {
            if let Some(fingerprint) = problem.fingerprint {
                self.index.problem_of.insert(fingerprint, problem.id);
            }
        }
        for (key, answer) in &self.answers {
            self.index.answers_by_age.insert((answer.at, key.clone()));
        }
    }
}

impl super::Index {
    /// Replaces a policy by the equal one that is already held.
    pub(super) fn share(&mut self, policy: &mut Arc<Policy>) {
        let held = PolicyRef(policy.clone());
        if let Some(known) = self.policies.0.get(&held) {
            *policy = known.0.clone();
            return;
        }
        // Policies that nothing escalates by any more go when a new one comes, so that edits do not pile up.
        self.policies.0.retain(|known| Arc::strong_count(&known.0) > 1);
        self.policies.0.insert(held);
    }
}

/// The groups whose alerts join an incident: its own, and those of incidents merged into it.
fn groups(incident: &Incident) -> impl Iterator<Item = &CompactString> {
    std::iter::once(&incident.group).chain(&incident.also_groups).filter(|group| !group.is_empty())
}

/// When the messages of a page have waited too long for its next rule to wait any longer; `None` where one arrived, or
/// none is tried any more.
fn unheard(incident: &Incident, page: u32) -> Option<Timestamp> {
    let started = || incident.deliveries.iter().filter(|delivery| delivery.page == Some(page));
    if started().any(|delivery| matches!(delivery.status, DeliveryStatus::Accepted { .. })) {
        return None;
    }
    let newest = started().filter(|delivery| delivery.owed()).map(|delivery| delivery.owed_at).max()?;
    Some(newest.after(SEND_DEADLINE))
}

/// The moments an incident waits for.
fn wakeups(incident: &Incident) -> impl Iterator<Item = Wakeup> + '_ {
    let id = incident.id;
    let moment = |due, kind| Some(Wakeup { due, kind });
    let own = [
        incident.escalation.as_ref().and_then(|e| moment(e.due, WakeupKind::Escalation(id))),
        incident.ack_expires.and_then(|due| moment(due, WakeupKind::AckExpiry(id))),
        incident.closes.and_then(|due| moment(due, WakeupKind::Close(id))),
        incident.update_due.and_then(|due| moment(due, WakeupKind::UpdateDue(id))),
    ];
    let pages = incident.pages.iter().filter_map(move |page| {
        let due = page.next?;
        let due = unheard(incident, page.n).map_or(due, |at| due.min(at));
        Some(Wakeup { due, kind: WakeupKind::PageRule(page.id(id)) })
    });
    own.into_iter().flatten().chain(pages)
}
