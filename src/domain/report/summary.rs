//! Summaries: posts at set times (`[[summary]]`). Here: when one is due, and what State keeps for them. What they can
//! tell is `facts`, how they read stands in `playbooks/summaries/` and is `template`'s, set times are `cron`'s.

pub mod facts;
pub mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use self::facts::Facts;
use crate::domain::delivery::{Content, Destination, Method, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, ServiceId};
use crate::domain::incident::{Incident, Resolution, Severity};
use crate::domain::input::Head;
use crate::domain::org::{Org, Summary};
use crate::domain::paging::escalate;
use crate::domain::time::{Span, Timestamp};

/// Resolved incidents that are kept for the next summary.
const RESOLVED_MAX: usize = 100;

/// What State keeps for summaries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// What is planned, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub planned: BTreeMap<CompactString, Planned>,
    /// What was resolved since the oldest of the last summaries, oldest first; at most `RESOLVED_MAX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved: Vec<Resolved>,
}

/// A summary that will be posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its cron expression, as planned.
    pub cron: CompactString,
    /// Its zone's name, as planned.
    pub zone: CompactString,
    /// When it is due.
    pub next: Timestamp,
    /// When the last one was posted, or it was first planned.
    pub since: Timestamp,
    /// The commit of that.
    pub seq: u64,
    /// What happened to each service since then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<ServiceId, Tally>,
}

/// What happened to a service for some time, in numbers: a week may have more incidents than are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Incidents opened.
    #[serde(default)]
    pub opened: u32,
    /// The worst of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Severity>,
    /// Incidents resolved.
    #[serde(default)]
    pub resolved: u32,
    /// How many of those had been acknowledged.
    #[serde(default)]
    pub acknowledged: u32,
    /// How long these took to acknowledge, all together.
    #[serde(default)]
    pub acknowledging: Span,
    /// How long the resolved ones took to restore, all together.
    #[serde(default)]
    pub restoring: Span,
    /// The longest of them.
    #[serde(default)]
    pub longest: Span,
}

/// An incident that was resolved; it may have left State since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The commit that resolved it.
    pub seq: u64,
    /// Which.
    pub incident: IncidentId,
    /// How bad it was.
    pub severity: Severity,
    /// What it was about.
    pub service: ServiceId,
    /// How it ended.
    pub resolution: Option<Resolution>,
    /// From its beginning to the first acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Span>,
    /// From its beginning to the end of its impact.
    pub restored: Span,
}

impl Resolved {
    /// What is kept of an incident that was just resolved by a commit.
    pub fn of(incident: &Incident, seq: u64, at: Timestamp) -> Self {
        Self {
            seq,
            incident: incident.id,
            severity: incident.severity,
            service: incident.service.clone(),
            resolution: incident.resolution,
            acknowledged: incident.acknowledged_at.map(|acked| acked.since(incident.opened_at)),
            restored: incident.mitigated_at.unwrap_or(at).since(incident.opened_at),
        }
    }
}

impl Tally {
    fn add(&mut self, resolved: &Resolved) {
        self.resolved = self.resolved.saturating_add(1);
        if let Some(span) = resolved.acknowledged {
            self.acknowledged = self.acknowledged.saturating_add(1);
            self.acknowledging = Span(self.acknowledging.0.saturating_add(span.0));
        }
        self.restoring = Span(self.restoring.0.saturating_add(resolved.restored.0));
        self.longest = self.longest.max(resolved.restored);
    }

    /// It was not over after all; the longest stays, as nobody knows the second longest.
    fn take_back(&mut self, resolved: &Resolved) {
        self.resolved = self.resolved.saturating_sub(1);
        if let Some(span) = resolved.acknowledged {
            self.acknowledged = self.acknowledged.saturating_sub(1);
            self.acknowledging = Span(self.acknowledging.0.saturating_sub(span.0));
        }
        self.restoring = Span(self.restoring.0.saturating_sub(resolved.restored.0));
    }
}

impl Book {
    /// The first that is due, by (due, name).
    pub fn first(&self) -> Option<(&CompactString, &Planned)> {
        self.planned.iter().min_by_key(|(id, planned)| (planned.next, *id))
    }

    /// Applies an event about summaries.
    pub fn apply(&mut self, event: &Event, seq: u64, at: Timestamp) {
        match event {
            Event::SummaryPlanned { summary, cron, zone, next } => {
                let planned = self.planned.entry(summary.clone()).or_insert_with(|| Planned {
                    cron: cron.clone(),
                    zone: zone.clone(),
                    next: *next,
                    since: at,
                    seq,
                    services: BTreeMap::new(),
                });
                // An edited one goes on from its last post.
                (planned.cron, planned.zone, planned.next) = (cron.clone(), zone.clone(), *next);
            }
            Event::SummaryDropped { summary } => {
                self.planned.remove(summary);
            }
            Event::SummaryPosted { summary, next, .. } => match (next, self.planned.get_mut(summary)) {
                (Some(next), Some(planned)) => {
                    (planned.next, planned.since, planned.seq) = (*next, at, seq);
                    planned.services.clear();
                }
                _ => {
                    self.planned.remove(summary);
                }
            },
            _ => return,
        }
        let told = self.planned.values().map(|planned| planned.seq).min().unwrap_or(u64::MAX);
        self.resolved.retain(|resolved| resolved.seq > told);
    }

    /// Counts what was opened.
    pub fn opened(&mut self, service: &ServiceId, severity: Severity) {
        for planned in self.planned.values_mut() {
            let tally = planned.services.entry(service.clone()).or_default();
            tally.opened = tally.opened.saturating_add(1);
            // The worst comes first.
            tally.worst = Some(tally.worst.map_or(severity, |worst| worst.min(severity)));
        }
    }

    /// Keeps what was resolved, if a summary will tell it.
    pub fn keep(&mut self, resolved: Resolved) {
        if self.planned.is_empty() {
            return;
        }
        self.forget(resolved.incident);
        for planned in self.planned.values_mut() {
            planned.services.entry(resolved.service.clone()).or_default().add(&resolved);
        }
        if self.resolved.len() >= RESOLVED_MAX {
            self.resolved.remove(0);
        }
        self.resolved.push(resolved);
    }

    /// It was not over.
    pub fn forget(&mut self, incident: IncidentId) {
        for resolved in self.resolved.extract_if(.., |resolved| resolved.incident == incident) {
            // What a summary has told stays told.
            for planned in self.planned.values_mut().filter(|planned| planned.seq < resolved.seq) {
                if let Some(tally) = planned.services.get_mut(&resolved.service) {
                    tally.take_back(&resolved);
                }
            }
        }
    }
}

/// Compares what is planned with what is declared: new and edited summaries are planned, others dropped.
pub fn plan(draft: &mut Draft<'_>) {
    let (org, planned) = (draft.org, &draft.state.meta.summaries.planned);
    for id in planned.keys().filter(|id| !org.summaries.contains_key(*id)) {
        draft.emit(Event::SummaryDropped { summary: id.clone() });
    }
    for (id, summary) in &org.summaries {
        let (cron, zone) = (summary.cron.as_str(), summary.zone.name());
        let known = planned.get(id);
        if known.is_some_and(|known| known.cron == cron && known.zone == zone) {
            continue;
        }
        match summary.cron.next_after(draft.now, summary.zone) {
            Some(next) => {
                let (summary, cron, zone) = (id.clone(), cron.into(), zone.into());
                draft.emit(Event::SummaryPlanned { summary, cron, zone, next });
            }
            None if known.is_some() => draft.emit(Event::SummaryDropped { summary: id.clone() }),
            None => {}
        }
    }
}

/// Posts the first summary that is due. Its next one is due after now, so that of several that were missed only one is
/// posted, late. `head`: the journal's last durable commit, where there is a journal.
pub fn due(draft: &mut Draft<'_>, head: Option<&Head>) {
    let (state, org, now) = (draft.state, draft.org, draft.now);
    let Some((id, planned)) = state.meta.summaries.first().filter(|(_, planned)| planned.next <= now) else { return };
    let Some(summary) = org.summaries.get(id) else {
        draft.emit(Event::SummaryDropped { summary: id.clone() });
        return;
    };
    let facts = Facts::of(state, org, summary, planned, now, head);
    let quiet = summary.quiet_when_empty && facts.nothing_to_say();
    let next = summary.cron.next_after(now, summary.zone);
    draft.emit(Event::SummaryPosted { summary: id.clone(), due: planned.next, next, quiet });
    if quiet {
        return;
    }
    let text = org.summary_templates.write(&summary.template, &facts);
    for (to, priority) in destinations(org, summary) {
        draft.owe(None, None, to, priority, Content::Post { text: text.clone() });
    }
}

/// Its channel, and whoever gets it by mail. Without a chat, what the operators have instead that wakes nobody: their
/// webhooks and mail.
fn destinations(org: &Org, summary: &Summary) -> Vec<(Destination, Priority)> {
    let mut to: Vec<_> = posted(org, summary).into_iter().map(|to| (to, Priority::Post)).collect();
    for person in &summary.mail_to {
        let mail = Destination::Person { person: person.clone(), method: Method::Email };
        to.retain(|(other, _)| *other != mail);
        // A mail that comes late is not left out, as a post is.
        to.push((mail, Priority::Notice));
    }
    to
}

fn posted(org: &Org, summary: &Summary) -> Vec<Destination> {
    if org.chat_connected {
        return vec![Destination::Channel(org.channel(&summary.channel))];
    }
    let silent = |to: &Destination| {
        matches!(to, Destination::Webhook(_) | Destination::Person { method: Method::Email | Method::Webhook, .. })
    };
    escalate::operators(org).into_iter().filter(silent).collect()
}
