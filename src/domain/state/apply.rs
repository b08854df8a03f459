//! `apply`: what a commit does to State. It cannot fail and asks nobody; an event about something that is not in
//! State does nothing, so that a journal of any age replays.

use std::sync::Arc;

use super::{KeptAnswer, RecordKey, State, Token};
use crate::domain::alert::Alert;
use crate::domain::delivery::Delivery;
use crate::domain::event::{AlertOpened, Commit, DeliveryOwed, Event};
use crate::domain::id::{AlertId, DeliveryId, IncidentId};
use crate::domain::incident::Incident;
use crate::domain::incident::apply::Stamp;
use crate::domain::incident::merge::{self, IncidentMerged};
use crate::domain::playbook::remedy::{self, Told};
use crate::domain::report::summary::Resolved;
use crate::domain::time::Span;

/// Answers are kept for clients that repeat themselves, this long …
const ANSWERS_KEPT: Span = Span::hours(24);
/// … and so many, so that a client with a new key each time cannot fill the memory; the oldest goes first.
const ANSWERS_MAX: usize = 50_000;

impl State {
    /// Applies one commit.
    pub fn apply(&mut self, commit: &Commit) {
        self.meta.seq = commit.seq;
        self.meta.at = commit.at;
        self.dirty.touched.insert(RecordKey::Meta);
        let stamp = Stamp { at: commit.at, by: &commit.by };
        for event in &commit.events {
            self.apply_event(&stamp, event);
            self.apply_outage(event);
            self.recall_questions(&stamp, event);
        }
        self.put_back();
        self.forget_answers();
    }

    fn apply_event(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::EngineStarted { .. } => {}
            Event::ConfigLoaded { hash } => self.meta.config = hash.clone(),
            Event::ClockStepped { by_ms, behind_ms } => {
                self.meta.behind_ms = *behind_ms;
                self.shift(Span(*by_ms));
            }
            Event::InstallRenewed { install, .. } => self.meta.install = install.clone(),
            Event::RequestAnswered { key, reply } => {
                let answer = KeptAnswer { at: stamp.at, seq: self.meta.seq, reply: reply.clone() };
                self.index.answers_by_age.insert((stamp.at, key.clone()));
                self.answers.insert(key.clone(), answer);
                self.dirty.touched.insert(RecordKey::Answer(key.clone()));
            }
            Event::TokenAdded { token, person, sha256 } => {
                let kept = Token { person: person.clone(), sha256: sha256.clone(), added_at: stamp.at };
                self.tokens.insert(token.clone(), kept);
                self.dirty.touched.insert(RecordKey::Token(token.clone()));
            }
            Event::TokenRevoked { token } => {
                self.tokens.remove(token);
                self.dirty.touched.insert(RecordKey::Token(token.clone()));
            }
            Event::AccountOffered(_)
            | Event::CodeShown(_)
            | Event::AccountLinked(_)
            | Event::AccountUnlinked { .. }
            | Event::CodeRefused => self.meta.accounts.apply(stamp, event),
            Event::AlertOpened(opened) => self.open_alert(stamp, opened),
            Event::AlertSuppressed(_)
            | Event::AlertMuted { .. }
            | Event::AlertUnmuted { .. }
            | Event::SilenceStarted(_)
            | Event::SilenceReminded { .. }
            | Event::SilenceEnded { .. }
            | Event::SilenceReleased { .. } => self.apply_silence(stamp, event),
            Event::AlertUpdated { alert, severity, summary } => {
                if let Some(kept) = self.alerts.get_mut(alert) {
                    kept.severity = *severity;
                    kept.summary = summary.clone();
                    self.dirty.touched.insert(RecordKey::Alert(*alert));
                }
            }
            Event::AlertResolved { alert } => {
                if let Some(incident) = self.resolve_alert(stamp, *alert) {
                    self.change(incident, |incident| incident.alert_recovered(stamp, *alert));
                }
            }
            Event::IncidentOpened(opened) => {
                self.meta.incidents = self.meta.incidents.max(opened.incident.0);
                if opened.private {
                    self.meta.private.insert(opened.incident);
                } else {
                    self.meta.summaries.opened(&opened.service, opened.severity);
                }
                self.remember(stamp, opened);
                self.insert(Incident::opened(stamp, opened));
                self.dirty.touched.insert(RecordKey::Incident(opened.incident));
            }
            Event::IncidentMerged(merged) => self.merge(stamp, merged),
            Event::IncidentReopened { incident, revived } => {
                if let Some(record) = revived {
                    self.insert((**record).clone());
                    self.dirty.touched.insert(RecordKey::Incident(*incident));
                    self.dirty.closed_incidents.remove(incident);
                }
                self.meta.summaries.forget(*incident);
                self.change(*incident, |incident| incident.apply(stamp, event));
            }
            Event::IncidentResolved { incident, .. } => {
                // Whoever resolves an incident resolves its alerts: one that still fires opens a new incident.
                let firing: Vec<AlertId> = self.alerts_of(*incident).map(|alert| alert.id).collect();
                for alert in firing {
                    self.resolve_alert(stamp, alert);
                }
                let (seq, mut resolved) = (self.meta.seq, None);
                self.change(*incident, |incident| {
                    incident.apply(stamp, event);
                    // A summary is read by everybody.
                    resolved = (!incident.private).then(|| Resolved::of(incident, seq, stamp.at));
                });
                resolved.into_iter().for_each(|resolved| self.meta.summaries.keep(resolved));
            }
            Event::IncidentClosed { incident } => {
                self.change(*incident, |incident| incident.apply(stamp, event));
                if let Some(mut record) = self.remove(*incident) {
                    self.keep_owed(&mut record);
                    self.dirty.closed_incidents.insert(*incident, record);
                    self.dirty.touched.insert(RecordKey::Incident(*incident));
                }
            }
            Event::IncidentTimeStated(_)
            | Event::PostmortemDrafted(_)
            | Event::PostmortemEdited(_)
            | Event::PostmortemPublished(_) => self.apply_written(stamp, event),
            Event::ProblemOpened(_) | Event::ProblemChanged { .. } => self.apply_problem(stamp, event),
            Event::ProblemLinked { incident, .. } => {
                self.apply_problem(stamp, event);
                self.change(*incident, |incident| incident.apply(stamp, event));
            }
            Event::RequestOpened(_) | Event::RequestMoved(_) => self.apply_request(stamp, event),
            Event::ChangeOpened(_)
            | Event::ChangeEdited(_)
            | Event::ChangeApproved(_)
            | Event::ChangeMoved(_)
            | Event::FreezeStarted(_)
            | Event::FreezeEnded { .. } => self.apply_change(stamp, event),
            Event::AuthorityChanged(_) => self.meta.authority.apply(stamp, event),
            Event::PlaybookStarted(_) | Event::PlaybookMoved(_) => self.apply_playbook(stamp, event),
            Event::Remedied(told) => {
                if let Told::Started { .. } = told.what {
                    remedy::count(&mut self.meta.remedies, &told.remedy, stamp.at);
                }
                self.apply_to_record(stamp, event);
            }
            Event::DeploymentTold(_) | Event::CommitsSeen { .. } => self.apply_deployment(stamp, event),
            Event::DeploymentQuestion(moved) => self.apply_question(stamp, moved),
            Event::SummaryPlanned { .. } | Event::SummaryDropped { .. } | Event::SummaryPosted { .. } => {
                let seq = self.meta.seq;
                self.rebook(|book| book.apply(event, seq, stamp.at));
            }
            Event::DeliveryOwed(owed) if owed.incident.is_none() => self.owe_notice(stamp, owed),
            Event::EscalationStarted { incident, policy, .. } => {
                let mut policy = Arc::new((**policy).clone());
                self.index.share(&mut policy);
                self.change(*incident, |incident| {
                    incident.apply(stamp, event);
                    if let Some(escalation) = &mut incident.escalation {
                        escalation.policy = policy;
                    }
                });
            }
            _ => self.apply_to_record(stamp, event),
        }
    }

    /// Events about one incident or one notice.
    fn apply_to_record(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match (event.incident(), event.delivery()) {
            (Some(incident), _) => self.change(incident, |incident| incident.apply(stamp, event)),
            (None, Some(delivery)) => self.settle_notice(event, delivery),
            (None, None) => {}
        }
    }

    /// Alerts that fire go along; what else moves is the records' own business.
    fn merge(&mut self, stamp: &Stamp<'_>, merged: &IncidentMerged) {
        for id in &merged.alerts {
            if let Some(alert) = self.alerts.get_mut(id) {
                self.index.alerts_of.remove(&(alert.incident, *id));
                alert.incident = merged.into;
                self.index.alerts_of.insert((merged.into, *id));
                self.dirty.touched.insert(RecordKey::Alert(*id));
            }
        }
        let Some(mut from) = self.remove(merged.incident) else { return };
        self.change(merged.into, |into| merge::apply(stamp, merged, &mut from, into));
        self.insert(from);
    }

    fn open_alert(&mut self, stamp: &Stamp<'_>, opened: &AlertOpened) {
        let mut alert = Alert::opened(stamp.at, opened);
        // One that a silence held back fires since then.
        if let Some(before) = self.take_suppressed(alert.id) {
            alert.opened_at = before.opened_at;
        }
        self.meta.alerts = self.meta.alerts.max(alert.id.0);
        self.index.by_key.insert((alert.integration.clone(), alert.key.clone()), alert.id);
        self.index.alerts_of.insert((alert.incident, alert.id));
        self.dirty.touched.insert(RecordKey::Alert(alert.id));
        self.change(alert.incident, |incident| incident.alert_joined(stamp, opened));
        self.alerts.insert(alert.id, Box::new(alert));
    }

    /// Takes a firing alert out; gives its incident.
    fn resolve_alert(&mut self, stamp: &Stamp<'_>, id: AlertId) -> Option<IncidentId> {
        let mut alert = *self.alerts.remove(&id)?;
        self.index.by_key.remove(&(alert.integration.clone(), alert.key.clone()));
        self.index.alerts_of.remove(&(alert.incident, id));
        if let Some(suppression) = &alert.suppressed {
            self.index.suppressed.remove(&(suppression.silence, id));
        }
        alert.resolved_at = Some(stamp.at);
        let incident = alert.incident;
        self.dirty.touched.insert(RecordKey::Alert(id));
        self.dirty.closed_alerts.insert(id, alert);
        Some(incident)
    }

    fn owe_notice(&mut self, stamp: &Stamp<'_>, owed: &DeliveryOwed) {
        let delivery = Delivery::owed_by(stamp.at, owed);
        self.index.owed.insert(delivery.id.clone(), None);
        self.dirty.touched.insert(RecordKey::Notice(delivery.id.clone()));
        self.notices.insert(delivery.id.clone(), delivery);
    }

    /// What a closing incident still owes (a post that has not arrived) is owed as a notice from now on: State keeps no
    /// closed record, and what is owed has to be sent.
    fn keep_owed(&mut self, record: &mut Incident) {
        let (owed, settled): (Vec<_>, _) = std::mem::take(&mut record.deliveries).into_iter().partition(Delivery::owed);
        record.deliveries = settled;
        for delivery in owed {
            self.index.owed.insert(delivery.id.clone(), None);
            self.dirty.touched.insert(RecordKey::Notice(delivery.id.clone()));
            self.notices.insert(delivery.id.clone(), delivery);
        }
    }

    /// A notice is kept only while it is owed; its ledger is the journal.
    fn settle_notice(&mut self, event: &Event, id: &DeliveryId) {
        if let Event::DeliveryRetried { .. } = event {
            if let Some(notice) = self.notices.get_mut(id) {
                notice.retried(event);
            }
        } else {
            self.notices.remove(id);
            self.index.owed.remove(id);
        }
        self.dirty.touched.insert(RecordKey::Notice(id.clone()));
    }

    /// Shifts everything that runs by duration.
    fn shift(&mut self, by: Span) {
        self.put_back();
        let ids: Vec<IncidentId> = self.incidents.keys().copied().collect();
        for id in ids {
            self.change(id, |incident| incident.shift(by));
        }
        self.shift_silences(by);
        self.shift_runs(by);
        let notices: Vec<DeliveryId> = self.notices.keys().cloned().collect();
        for id in notices {
            if let Some(notice) = self.notices.get_mut(&id) {
                notice.shift(by);
                self.dirty.touched.insert(RecordKey::Notice(id));
            }
        }
        self.shift_answers(by);
    }

    /// A client that repeats itself is known for as long as before, whatever the clock says.
    fn shift_answers(&mut self, by: Span) {
        self.index.answers_by_age.clear();
        for (key, answer) in &mut self.answers {
            answer.at = answer.at.after(by);
            self.index.answers_by_age.insert((answer.at, key.clone()));
            self.dirty.touched.insert(RecordKey::Answer(key.clone()));
        }
    }

    fn forget_answers(&mut self) {
        while let Some((at, key)) = self.index.answers_by_age.first().cloned() {
            if self.meta.at.since(at) <= ANSWERS_KEPT && self.index.answers_by_age.len() <= ANSWERS_MAX {
                break;
            }
            self.index.answers_by_age.remove(&(at, key.clone()));
            if self.answers.get(&key).is_some_and(|answer| answer.at == at) {
                self.answers.remove(&key);
                self.dirty.touched.insert(RecordKey::Answer(key));
            }
        }
    }
}
