//! What events do to the record of one incident, and the timeline that they write. Used by `State::apply` and by a
//! `Draft` while it decides, so that both see the same record.

use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::record::{Holder, Incident, IncidentState, RoleName, Roles};
use crate::domain::actor::{Actor, By};
use crate::domain::delivery::{Delivery, DeliveryStatus, Reached};
use crate::domain::event::{AlertOpened, Event, IncidentOpened};
use crate::domain::id::{AlertId, DeliveryId, PersonId};
use crate::domain::paging::escalate::{AD_HOC, UNREACHED};
use crate::domain::paging::{Escalation, Page, PageState};
use crate::domain::time::{Span, Timestamp};

/// Whose event it is, and of when.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// When the commit was decided.
    pub at: Timestamp,
    /// Who caused it.
    pub by: &'a By,
}

/// Alerts that join beyond this number are counted, no longer told one by one.
const ALERTS_TOLD: u32 = 20;

impl Incident {
    /// The record that an event begins.
    pub fn opened(stamp: &Stamp<'_>, opened: &IncidentOpened) -> Self {
        let mut incident = Self {
            id: opened.incident,
            title: opened.title.clone(),
            service: opened.service.clone(),
            team: opened.team.clone(),
            severity: opened.severity,
            severity_by_person: false,
            state: IncidentState::Triggered,
            group: opened.group.clone(),
            environment: opened.environment.clone(),
            unrouted: opened.unrouted,
            opened_by: stamp.by.actor.clone(),
            opened_at: stamp.at,
            acknowledged_at: None,
            holder: None,
            own_policy: None,
            ack_expires: None,
            mitigated_at: None,
            resolved_at: None,
            resolution: None,
            closes: None,
            closed_at: None,
            place: opened.place.clone().map(Box::new),
            roles: Roles::default(),
            alerts_firing: 0,
            alerts_total: 0,
            last_step: None,
            remedies: Vec::new(),
            exhausted_at: None,
            reached: Reached::Nobody,
            unreached: 0,
            kept_open: false,
            escalation: None,
            pages: Vec::new(),
            deliveries: Vec::new(),
            timeline: Vec::new(),
            timeline_folded: 0,
            links: Vec::new(),
            also_groups: Vec::new(),
            merged_into: None,
            private: opened.private,
            invited: Vec::new(),
            update_due: None,
            reminded: 0,
            assessed: opened.assessed,
            review: None,
            room: None,
        };
        let why = opened.assessed.map(|assessed| format!(" ({assessed})")).unwrap_or_default();
        incident.say(stamp, format_compact!("opened as {}{why}", opened.severity));
        incident
    }

    pub(super) fn say(&mut self, stamp: &Stamp<'_>, text: CompactString) {
        self.tell(stamp.at, &stamp.by.actor, text);
    }

    /// A person did something here.
    pub(super) fn took_part(&mut self, stamp: &Stamp<'_>) {
        if let Actor::Person(person) = &stamp.by.actor
            && !self.roles.responders.contains(person)
        {
            self.roles.responders.push(person.clone());
        }
    }

    /// An alert opened it or joined it.
    pub fn alert_joined(&mut self, stamp: &Stamp<'_>, opened: &AlertOpened) {
        self.alerts_firing += 1;
        self.alerts_total += 1;
        if self.alerts_total <= ALERTS_TOLD {
            self.say(stamp, format_compact!("{} {} fires ({})", opened.alert, opened.name, opened.severity.as_str()));
        }
    }

    /// One of its alerts recovered.
    pub fn alert_recovered(&mut self, stamp: &Stamp<'_>, alert: AlertId) {
        self.alerts_firing = self.alerts_firing.saturating_sub(1);
        if self.alerts_total <= ALERTS_TOLD || self.alerts_firing == 0 {
            let rest = match self.alerts_firing {
                0 => "none".into(),
                n => format_compact!("{n}"),
            };
            self.say(stamp, format_compact!("{alert} recovered, {rest} still firing"));
        }
    }

    /// Applies an event about this incident; one that is not does nothing.
    pub fn apply(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::IncidentAcknowledged { expires, snoozed, .. } => self.acknowledge(stamp, *expires, *snoozed),
            Event::IncidentUnacknowledged { reason, .. } => {
                self.mitigated_at = None;
                self.state = IncidentState::Triggered;
                // Whoever led because they had it leads no longer; a lead named by somebody else stays.
                let had = self.holder.take().map(|holder| holder.actor);
                if self.roles.lead.as_ref().is_some_and(|lead| had.as_ref().and_then(Actor::person) == Some(lead)) {
                    self.roles.lead = None;
                }
                self.ack_expires = None;
                self.update_due = None;
                self.say(stamp, reason.clone());
            }
            Event::IncidentMitigated { .. } => {
                self.state = IncidentState::Mitigated;
                self.mitigated_at.get_or_insert(stamp.at);
                self.ack_expires = None;
                self.took_part(stamp);
                self.say(stamp, "mitigated: the impact is over".into());
            }
            Event::IncidentResolved { resolution, text, closes, .. } => {
                self.state = IncidentState::Resolved;
                self.resolved_at = Some(stamp.at);
                self.resolution = Some(*resolution);
                self.closes = Some(*closes);
                self.ack_expires = None;
                self.update_due = None;
                self.alerts_firing = 0;
                self.took_part(stamp);
                self.say(
                    stamp,
                    match text {
                        Some(text) => format_compact!("resolved as {resolution}: {text}"),
                        None => format_compact!("resolved as {resolution}"),
                    },
                );
            }
            Event::IncidentReopened { .. } => {
                self.state = IncidentState::Triggered;
                self.kept_open = stamp.by.actor.person().is_some();
                self.resolved_at = None;
                self.resolution = None;
                self.closes = None;
                self.closed_at = None;
                self.holder = None;
                self.exhausted_at = None;
                self.update_due = None;
                self.merged_into = None;
                self.took_part(stamp);
                self.say(stamp, "reopened".into());
            }
            Event::IncidentClosed { .. } => {
                self.state = IncidentState::Closed;
                self.closed_at = Some(stamp.at);
                self.closes = None;
                self.update_due = None;
                self.say(stamp, "closed".into());
            }
            Event::IncidentSeveritySet { severity, reason, assessed, .. } => {
                self.severity_by_person |= reason.is_none();
                let text = match (reason, assessed) {
                    (Some(reason), _) => format_compact!("severity {} → {severity}: {reason}", self.severity),
                    (None, Some(why)) => format_compact!("severity {} → {severity} ({why})", self.severity),
                    (None, None) => format_compact!("severity {} → {severity}", self.severity),
                };
                self.severity = *severity;
                self.assessed = *assessed;
                self.took_part(stamp);
                self.say(stamp, text);
            }
            Event::IncidentRoleSet { role, person, .. } => self.set_role(stamp, *role, person.as_ref()),
            Event::IncidentNoted { text, .. } => {
                self.took_part(stamp);
                self.say(stamp, format_compact!("note: {text}"));
            }
            Event::IncidentUpdated { text, .. } => {
                self.took_part(stamp);
                self.say(stamp, format_compact!("update: {text}"));
            }
            Event::IncidentLinked(linked) => self.link(stamp, linked),
            Event::IncidentInvited { person, .. } => self.invite(stamp, person),
            Event::UpdateDue(due) => self.update_is_due(stamp, due),
            Event::IncidentWarned { text, .. } => self.say(stamp, format_compact!("warning: {text}")),
            Event::IncidentTimeStated(_)
            | Event::PostmortemDrafted(_)
            | Event::PostmortemEdited(_)
            | Event::PostmortemPublished(_)
            | Event::ProblemProposed { .. }
            | Event::ProblemLinked { .. } => self.apply_review(stamp, event),
            Event::AttemptRefused { command, permission, .. } => {
                self.say(stamp, format_compact!("was refused /{command}, which needs the permission to {permission}"));
            }
            _ => self.apply_paging(stamp, event),
        }
    }

    fn apply_paging(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::Remedied(told) => {
                self.say(stamp, told.line());
                if !self.remedies.contains(&told.remedy) {
                    self.remedies.push(told.remedy.clone());
                }
            }
            Event::EscalationStarted { policy, step, reason, held, goes_on, .. } => {
                self.say(stamp, format_compact!("escalation {} started: {reason}", policy.id));
                if !goes_on {
                    self.reached = Reached::Nobody;
                }
                if reason == UNREACHED {
                    self.unreached = self.unreached.saturating_add(u8::from(held.is_some()));
                } else {
                    self.exhausted_at = None;
                    self.unreached = 0;
                }
                let policy = Arc::new((**policy).clone());
                if policy.id.as_str().starts_with(AD_HOC) {
                    self.own_policy = Some(Arc::clone(&policy));
                }
                self.escalation = Some(Escalation {
                    policy,
                    step: *step,
                    cycle: 0,
                    due: held.unwrap_or(stamp.at),
                    reason: reason.clone(),
                    held: held.is_some(),
                });
            }
            Event::EscalationStepped { step, cycle, next, .. } => {
                self.last_step = Some(*step);
                if let Some(escalation) = &mut self.escalation {
                    escalation.step = step.saturating_add(1);
                    escalation.cycle = *cycle;
                    escalation.due = *next;
                    escalation.held = false;
                }
            }
            Event::EscalationExhausted { .. } => {
                self.escalation = None;
                self.exhausted_at = Some(stamp.at);
                self.say(stamp, "nobody acknowledged: last resort".into());
            }
            Event::EscalationStopped { .. } => self.escalation = None,
            Event::PageOpened { page, person, reason, rules, next } => {
                self.say(stamp, format_compact!("paged {person}: {reason}"));
                room_for_one(&mut self.pages);
                self.pages.push(Page {
                    n: page.n,
                    person: person.clone(),
                    state: PageState::Owed,
                    reason: reason.clone(),
                    opened_at: stamp.at,
                    ended_at: None,
                    rules: rules.as_slice().into(),
                    used: 0,
                    next: *next,
                });
            }
            Event::PageAdvanced { page, used, next } => {
                if let Some(page) = self.page_mut(page.n) {
                    page.used = *used;
                    page.next = *next;
                }
            }
            Event::PageEnded { page, state, reason } => {
                if let Some(page) = self.page_mut(page.n) {
                    page.state = *state;
                    page.next = None;
                    page.ended_at = Some(stamp.at);
                }
                let cancelled = DeliveryStatus::Cancelled { at: stamp.at, reason: reason.clone() };
                for delivery in self.deliveries.iter_mut().filter(|d| d.page == Some(page.n) && d.owed()) {
                    delivery.settle(cancelled.clone());
                }
            }
            Event::DeliveryOwed(owed) => {
                room_for_one(&mut self.deliveries);
                self.room_owed(&owed.content);
                self.deliveries.push(Delivery::owed_by(stamp.at, owed));
            }
            Event::DeliveryAccepted { delivery, place, .. } => {
                self.room_made(place.as_deref());
                self.settle(delivery, DeliveryStatus::Accepted { at: stamp.at });
                let page = self.delivery(delivery).and_then(|delivery| delivery.page);
                if let Some(page) = page.and_then(|n| self.page_mut(n))
                    && page.state == PageState::Owed
                {
                    page.state = PageState::Sent;
                }
            }
            Event::DeliveryRetried { delivery, .. } => {
                if let Some(kept) = self.delivery_mut(delivery).filter(|kept| kept.owed()) {
                    kept.retried(event);
                }
            }
            Event::DeliveryFailed { delivery, reason, .. } => {
                let failed = self.delivery(delivery).map(|it| (it.to.clone(), it.is_page()));
                if let Some((to, page)) = failed {
                    let what = if page { "page" } else { "message" };
                    self.say(stamp, format_compact!("{what} to {to} failed: {reason}"));
                }
                self.room_failed(delivery);
                self.settle(delivery, DeliveryStatus::Failed { at: stamp.at, reason: reason.clone() });
            }
            Event::DeliveryCancelled { delivery, reason, .. } => {
                self.settle(delivery, DeliveryStatus::Cancelled { at: stamp.at, reason: reason.clone() });
            }
            Event::RoomLost { reason, .. } => self.room_lost(stamp, reason),
            _ => {}
        }
    }

    fn acknowledge(&mut self, stamp: &Stamp<'_>, expires: Option<Timestamp>, snoozed: bool) {
        self.state = IncidentState::Acknowledged;
        self.acknowledged_at.get_or_insert(stamp.at);
        self.holder = Some(Holder { actor: stamp.by.actor.clone(), since: stamp.at, snoozed });
        self.ack_expires = expires;
        self.took_part(stamp);
        if let (None, Actor::Person(person)) = (&self.roles.lead, &stamp.by.actor) {
            self.roles.lead = Some(person.clone());
        }
        self.say(
            stamp,
            match (snoozed, expires) {
                (true, Some(until)) => format_compact!("snoozed until <t:{}>", until.unix_secs()),
                _ => "acknowledged".into(),
            },
        );
    }

    fn set_role(&mut self, stamp: &Stamp<'_>, role: RoleName, person: Option<&PersonId>) {
        *self.roles.slot(role) = person.cloned();
        if let Some(person) = person
            && !self.roles.responders.contains(person)
        {
            self.roles.responders.push(person.clone());
        }
        self.say(
            stamp,
            match person {
                Some(person) => format_compact!("{person} is {}", role.as_str()),
                None => format_compact!("nobody is {} any more", role.as_str()),
            },
        );
    }

    fn settle(&mut self, id: &DeliveryId, status: DeliveryStatus) {
        if let Some(delivery) = self.delivery_mut(id).filter(|delivery| delivery.owed()) {
            delivery.settle(status);
            let reached = delivery.reached();
            self.reached = self.reached.max(reached);
        }
    }

    /// A delivery of its ledger. New ones stand last, so the search begins there.
    pub fn delivery(&self, id: &DeliveryId) -> Option<&Delivery> {
        self.deliveries.iter().rev().find(|delivery| delivery.id == *id)
    }

    fn delivery_mut(&mut self, id: &DeliveryId) -> Option<&mut Delivery> {
        self.deliveries.iter_mut().rev().find(|delivery| delivery.id == *id)
    }

    /// A page by its number.
    pub fn page(&self, n: u32) -> Option<&Page> {
        self.pages.get(usize::try_from(n).ok()?.checked_sub(1)?)
    }

    pub(super) fn page_mut(&mut self, n: u32) -> Option<&mut Page> {
        self.pages.get_mut(usize::try_from(n).ok()?.checked_sub(1)?)
    }

    /// Whether a person is paged by it or works on it.
    pub fn involves(&self, person: &PersonId) -> bool {
        self.roles.responders.contains(person) || self.pages.iter().any(|page| page.person == *person)
    }

    /// Shifts everything that runs by duration; the clock was stepped.
    pub fn shift(&mut self, by: Span) {
        let shift = |at: &mut Timestamp| *at = at.after(by);
        self.escalation.iter_mut().for_each(|escalation| shift(&mut escalation.due));
        self.ack_expires.iter_mut().for_each(shift);
        self.closes.iter_mut().for_each(shift);
        self.update_due.iter_mut().for_each(shift);
        self.pages.iter_mut().filter_map(|page| page.next.as_mut()).for_each(shift);
        self.deliveries.iter_mut().for_each(|delivery| delivery.shift(by));
    }
}

/// Most incidents have a page or two; a list's usual first step has room for four.
fn room_for_one<T>(list: &mut Vec<T>) {
    if list.len() < 4 {
        list.reserve_exact(1);
    }
}
